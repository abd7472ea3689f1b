// What gets a final name was itself hashed: not its source, where the kernel copied it (but for a
// clone), and not the file in the other tier that it was read from.
#include "children.hpp"
#include "world.hpp"

namespace {

using namespace children;
using world::checkpoint;
using world::config;
using world::sha256;

constexpr std::size_t large = 5 << 20;  // no clone and no kernel is asked for less than 1 MiB

// ---- a kernel that lies, in a program of its own

int call_with_lies() {
  const fs::path where = std::getenv("VQT_WHERE");
  plan p = call_of(where, "", world::config_url, world::checkpoint_url);
  const std::string good = checkpoint(large);
  if (std::getenv("VQT_DOWNLOAD")) {
    p.checkpoint.sha256 = sha256(good);
    p.opts.fetch = [&good](const vqcache::request& q, vqcache::response& r) {
      const std::string& body = q.url == world::config_url ? config() : good;
      r.write(body.data(), body.size());
    };
  } else {
    p.config = std::getenv("VQT_CONFIG"), p.checkpoint = std::getenv("VQT_CHECKPOINT");
  }
  const outcome o = make(p);
  save(o, where / "outcome");
  return 0;
}

const role lied_to("lied to", call_with_lies);

// whether the lie is one here: some file systems know no copy_file_range
int probe_lies() {
  const fs::path where = std::getenv("VQT_WHERE");
  write_file(where / "from", std::string(100000, 'x'));
  const int in = ::open((where / "from").c_str(), O_RDONLY | O_CLOEXEC);
  const int out = ::open((where / "to").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  const ssize_t k = ::copy_file_range(in, nullptr, out, nullptr, 100000, 0);
  ::close(in), ::close(out);
  return k > 8192
          && slurp(where / "to").substr(0, std::size_t(k)) != std::string(std::size_t(k), 'x')
      ? 0
      : 1;
}

const role probed("probe lies", probe_lies);

struct liar {
  scratch home{};
  fs::path library = home / "lying_copy.so";
  std::string why{};  // it cannot be had

  liar() {
    const std::string cc = std::getenv("CC") ? std::getenv("CC") : "cc";
    if (!run({cc, "-shared", "-fPIC", "-o", library.string(),
                 (tests_dir() / "lying_copy.c").string(), "-ldl"},
            home / "log"))
      why = "no C compiler for the lying copy: " + slurp(home / "log");
    else if (!run({self()}, home / "log", 60, env("probe lies", home.fresh())))
      why = "there is no copy_file_range here that could lie";
  }

  environment env(const std::string& role_name, const fs::path& where) const {
    return clean({{"VQCACHE_TEST_ROLE", role_name}, {"VQT_WHERE", where.string()},
        {"LD_PRELOAD", library.string()}, {"ASAN_OPTIONS", "verify_asan_link_order=0"}});
  }

  outcome call(const fs::path& where, const environment& more) const {
    environment e = env("lied to", where);
    e.insert(more.begin(), more.end());
    (void)run({self()}, where / "noise", 60, e);
    outcome o = load(where / "outcome");
    o.noise = slurp(where / "noise");
    return o;
  }
};

bool fits_receipt(const fs::path& at) {
  return run({"sh", "-c", "cd " + support::quoted(at.string()) + " && sha256sum -c m.sha256"});
}

}  // namespace

TEST_SUITE_BEGIN("copied");

TEST_CASE("a kernel whose copies lie gives no wrong file, and no right one is taken for damaged") {
  const liar kernel;
  if (!kernel.why.empty()) return skipped(kernel.why);
  scratch home;
  const std::string good = checkpoint(large);
  write_file(home / "a.yaml", config());
  write_file(home / "a.ckpt", good);
  const environment sources{
      {"VQT_CONFIG", (home / "a.yaml").string()}, {"VQT_CHECKPOINT", (home / "a.ckpt").string()}};
  const fs::path where = home.fresh(), local = where / "local", cache = where / "cache/m";
  const auto judge = [&](const char* step) {
    CAPTURE(step);
    const outcome o = kernel.call(where, sources);
    INFO(describe(o));
    CHECK(o.ok());
    CHECK(o.cached);
    CHECK((slurp(local / "m.ckpt") == good));
    CHECK((slurp(cache / "m.ckpt") == good));
    CHECK(fits_receipt(local));
    CHECK(fits_receipt(cache));
    for (const fs::path& at : {local, cache})
      for (const std::string& n : names_in(at))
        CHECK_FALSE(has(n, ".corrupt-"));
  };
  judge("from a local source, without a pin");
  fs::remove_all(local);
  judge("restored");
  fs::remove_all(where / "cache");
  judge("stored");
  INFO("restored without a receipt");
  fs::remove_all(local);
  fs::remove(cache / "m.sha256");
  judge("without a receipt");
}

TEST_CASE(
    "what copies behind a download may read other bytes than were hashed: it hashes its own") {
  const liar kernel;
  if (!kernel.why.empty()) return skipped(kernel.why);
  const std::string good = checkpoint(large);
  bool told = false;
  for (const char* reader : {"1", "2"}) {  // of the two, one hashes and one copies
    CAPTURE(reader);
    const scratch home;
    const outcome o =
        kernel.call(home.path(), {{"VQT_LYING_READER", reader}, {"VQT_DOWNLOAD", "1"}});
    INFO(describe(o));
    REQUIRE(o.finished);
    const fs::path local = home / "local", cache = home / "cache/m";
    CHECK(fs::exists(local / "m.ckpt") == o.ok());
    if (o.ok()) CHECK((slurp(local / "m.ckpt") == good));
    const bool copied = fs::exists(cache / "m.ckpt");
    CHECK(copied == o.cached);
    if (copied) CHECK((slurp(cache / "m.ckpt") == good));
    told = told || !o.ok() || !o.cached;
  }
  CHECK_MESSAGE(told, "one of the two was lied to, or this test proves nothing");
}

TEST_CASE("where blocks can be shared a restore is a clone, and needs no room for a second file") {
  if (::geteuid() != 0 || find_in_path("mkfs.xfs").empty())
    return skipped("a file system that shares blocks needs root and mkfs.xfs");
  scratch home;
  const fs::path image = home / "image", at = home / "mount";
  fs::create_directories(at);
  const std::string make = "truncate -s 320M " + image.string() + " && mkfs.xfs -q -m reflink=1 "
      + image.string() + " && mount -o loop " + image.string() + " " + at.string();
  if (!run({"sh", "-c", make}, home / "log"))
    return skipped("no loop mount here: " + slurp(home / "log"));

  struct unmount {
    fs::path at;

    ~unmount() { ::umount2(at.c_str(), MNT_DETACH); }
  } after{at};

  const std::string good = "\x80\x02" + std::string(std::size_t{20} << 20, '\1');
  write_file(home / "a.yaml", config());
  write_file(home / "a.ckpt", good);
  plan p = call_of(home.fresh(), "", vqcache::source((home / "a.yaml").string()),
      vqcache::source((home / "a.ckpt").string()));
  p.opts.max_bytes = 1 << 30;
  p.opts.local_dir = at / "local", p.opts.cache_dir = at / "cache";
  const std::uint64_t empty = fs::space(at).available;
  outcome o = call(p);
  REQUIRE_MESSAGE(o.ok(), describe(o));
  INFO("a cold call has the copy as a clone too: the room for one file is used, and it is said");
  CHECK(o.cached);
  CHECK(empty - fs::space(at).available < good.size() + good.size() / 2);
  CHECK_MESSAGE(has(o.said(), "is a clone: it costs no room, and dies with this disk"), o.said());
  fs::remove_all(at / "local");
  // less room than the file has; what was removed is free after a while only
  const std::string fill = (at / "fill").string();
  (void)wait_until([&] {
    const std::uint64_t left = fs::space(at).available, keep = 6U << 20;
    if (left > keep)
      (void)run({"fallocate", "-o", std::to_string(fs::exists(fill) ? fs::file_size(fill) : 0),
                    "-l", std::to_string(left - keep), fill},
          home / "log");
    return fs::space(at).available < good.size() / 2;
  });
  REQUIRE(fs::space(at).available < good.size());
  o = call(p);
  CHECK_MESSAGE(o.ok(), describe(o));
  CHECK(o.from == static_cast<int>(vqcache::origin::cache));
  CHECK((slurp(at / "local/m.ckpt") == good));
  CHECK(fits_receipt(at / "local"));

  INFO("the source of a clone is hashed: damage is seen");
  fs::remove_all(at / "local");
  fs::remove(fill);
  write_file(at / "cache/m/m.ckpt", world::flipped(good, 3 << 20));
  o = call(p);
  CHECK_MESSAGE(o.ok(), describe(o));
  CHECK(o.from == static_cast<int>(vqcache::origin::network));
  CHECK((slurp(at / "local/m.ckpt") == good));
}

TEST_SUITE_END();
