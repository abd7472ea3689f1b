// A passing fault of this machine (no descriptor, no memory, no room for a record, a scanner that
// holds a file) takes nothing away that an earlier call left: neither a partial nor what was put
// aside.
#include "children.hpp"
#include "world.hpp"

#include <dlfcn.h>
#include <sys/resource.h>

namespace {

using namespace children;
using world::checkpoint;
using world::config;
using world::place;
using world::why;

// What an earlier call brought came slowly, so that it could be killed; a mirror sends the rest,
// and by its pin it is known to be of the same file.
const std::string wanted = "/good/passing/last.ckpt?size=1000000",
                  slow = "/good/passing/last.ckpt?size=1000000&rate=4000000";
constexpr std::uint64_t size = 1000000, had = 400000;

plan call_in(const fs::path& where, const std::string& path) {
  vqcache::source checkpoint = hostile().url(path);
  checkpoint.sha256 = hostile().sha256_of(wanted);
  plan p = call_of(where, "libcurl", hostile().url("/good/passing/model.yaml"), checkpoint);
  p.opts.connections = 1;
  return p;
}

// One call with the fault, one without.
int call_on_a_bad_day() {
  const fs::path where = std::getenv("VQT_WHERE");
  plan p = call_of(where, "libcurl", std::getenv("VQT_CONFIG"), std::getenv("VQT_CHECKPOINT"));
  p.opts.connections = 1;
  const auto call = [&p] {
    outcome o;
    const vqcache::result r =
        vqcache::try_download_vqgan_model("m", p.config, p.checkpoint, p.opts);
    o.code = r.error.code().value();
    o.what = r.ok() ? "" : r.error.what();
    return o;
  };
  // a library that cannot be loaded is another story
  void* const loaded = ::dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
  if (!loaded) ::dlopen("libcurl-gnutls.so.4", RTLD_NOW | RTLD_LOCAL);
  const rlim_t highest = static_cast<rlim_t>(::dup(0));
  ::close(static_cast<int>(highest));
  const char* const spare = std::getenv("VQT_SPARE");
  rlimit many{}, few{};
  ::getrlimit(RLIMIT_NOFILE, &many);
  few = many;
  if (spare) few.rlim_cur = highest + static_cast<rlim_t>(std::atoi(spare));
  if (::setrlimit(RLIMIT_NOFILE, &few) != 0) return 1;
  const outcome first = call();
  ::setrlimit(RLIMIT_NOFILE, &many);
  ::unsetenv("VQT_FAULT");
  save(first, where / "first");
  save(call(), where / "then");
  return 0;
}

const role bad_day("bad day", call_on_a_bad_day);

// both tiers after a call that was killed when much of the checkpoint was here
struct begun {
  scratch home{};
  std::uint64_t bytes = 0;

  begun() {
    const auto part = [this] {
      const std::string n = first_name(home / "local", ".m.ckpt.", ".part");
      std::error_code e;
      const std::uint64_t there = fs::file_size(home / "local" / n, e);
      return n.empty() || e ? 0 : there;
    };
    child c(call_in(home.path(), slow));
    if (!wait_until([&] { return part() >= had; })) support::broken("no partial");
    c.end();
    bytes = part();
    for (const char* trace : {"said", "noise", "outcome"})
      fs::remove(home / trace);
  }
};

const begun& half_a_call() {
  static const begun one;
  return one;
}

// The rest comes from a mirror, and its pin ties it to what is here; or its address does.
enum class tie { pin, address };

// Whether there was a moment for the fault.
bool survives(const std::string& fault, const environment& more, tie by = tie::pin) {
  CAPTURE(fault);
  CAPTURE(static_cast<int>(by));
  static const std::string right = get(wanted), digest = hostile().sha256_of(wanted);
  const scratch home;
  const fs::path where = home.path();
  fs::copy(half_a_call().home.path(), where, fs::copy_options::recursive);
  const std::string asked = by == tie::pin ? wanted : slow;
  const std::string url = hostile().url(asked) + (by == tie::pin ? "#sha256=" + digest : "");
  environment e = clean({{"VQCACHE_TEST_ROLE", "bad day"}, {"VQT_WHERE", where.string()},
      {"VQT_CONFIG", hostile().url("/good/passing/model.yaml")}, {"VQT_CHECKPOINT", url},
      {"ASAN_OPTIONS", "verify_asan_link_order=0"}});
  e.insert(more.begin(), more.end());
  hostile().reset();
  const bool ran = run({self()}, where / "noise", 60, e);
  REQUIRE_MESSAGE(ran, slurp(where / "noise"));
  const outcome first = load(where / "first"), then = load(where / "then");
  INFO(describe(first));
  INFO(describe(then));
  CHECK(then.ok());
  if (!first.ok()) CHECK(first.what.size() > 20);
  CHECK((slurp(where / "local/m.ckpt") == right));
  CHECK((slurp(where / "cache/m/m.ckpt") == right));
  for (const std::string& n : names_in(where / "local"))
    CHECK_MESSAGE((!has(n, ".part") && !has(n, ".record")), n, " is left");

  // some bytes before the rest are asked for again, to be compared
  const std::uint64_t least = half_a_call().bytes - 65536;
  for (const support::seen& s : hostile().log(asked)) {
    const std::string range = s.has("range") ? s.headers.at("range").substr(6) : "0-";
    CHECK_MESSAGE(std::stoull(range) >= least, "asked for ", range, ", and ", least, " were here");
  }
  return fs::exists(where / "fired");
}

}  // namespace

TEST_SUITE_BEGIN("passing faults");

TEST_CASE(
    "with few descriptors left a call may fail, but what an earlier one brought is continued") {
  // UBSan looks at the memory behind an object through a pipe, and takes it for bad without one
  if (sanitized) return skipped("a sanitizer needs descriptors of its own");

  for (int spare = 0; spare <= 9; ++spare)
    for (const tie by : {tie::pin, tie::address})
      (void)survives(
          std::to_string(spare) + " descriptors", {{"VQT_SPARE", std::to_string(spare)}}, by);
}

TEST_CASE("a fault of one moment, whichever, takes nothing of a partial away") {
  const scratch built;
  const fs::path library = built / "faulty_calls.so";
  const std::string cc = std::getenv("CC") ? std::getenv("CC") : "cc";
  if (!run({cc, "-shared", "-fPIC", "-o", library.string(),
               (tests_dir() / "faulty_calls.c").string(), "-ldl"},
          built / "log"))
    return skipped("no C compiler for the faulty calls: " + slurp(built / "log"));

  struct {
    const char* call;
    int error;
    tie by = tie::pin;
  } const faults[] = {{"open", EMFILE}, {"open", EMFILE, tie::address}, {"opendir", EMFILE},
      {"rename", EACCES}, {"write", ENOSPC}};

  for (const auto& f : faults) {
    int moments = 0;
    for (int k = 1; k < 60; ++k) {
      const std::string rule = f.call + (" " + std::to_string(f.error)) + " " + std::to_string(k);
      if (!survives(rule, {{"VQT_FAULT", rule}, {"LD_PRELOAD", library.string()}}, f.by)) break;
      ++moments;
    }
    CHECK_MESSAGE(moments >= 2, f.call, ": this test proves nothing");
    std::printf("%s failed at %d moments\n", f.call, moments);
  }
}

// ---- what was put aside

TEST_CASE("a file that was put aside goes only when it was read and is not the right one") {
  const std::string older = "m.ckpt.corrupt-0000000", bad = world::flipped(checkpoint(), 500);
  for (const std::string s : {"in the cache", "local", "in the cache, by a pin", "all are bad"}) {
    CAPTURE(s);
    const bool by_pin = s == "in the cache, by a pin", all_bad = s == "all are bad";
    place w;
    REQUIRE(w.call("m").ok());
    const fs::path at = s == "local" ? w.local : w.cache / "m";
    if (s == "local")
      w.wipe_cache();
    else
      w.wipe_local();
    if (by_pin) fs::remove(at / "m.sha256");
    world::write(at / (older + "1"), world::flipped(checkpoint(), 100));
    world::write(at / (older + "2"), all_bad ? world::flipped(checkpoint(), 200) : checkpoint());
    world::write(at / (older + "3"), world::flipped(checkpoint(), 300));
    world::write(at / "m.ckpt", bad.substr(0, s == "local" ? 5000 : bad.size()));
    if (!all_bad) w.origin_dies();
    const std::string pin = by_pin ? "#sha256=" + world::sha256(checkpoint()) : "";
    const auto r = w.call("m", world::config_url, world::checkpoint_url + pin);
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(w.asked.size() == (all_bad ? 1U : 0U));
    CHECK(w.local_is("m"));
    CHECK(w.cache_is("m"));
    CHECK_FALSE(fs::exists(at / (older + "1")));
    CHECK_FALSE(fs::exists(at / (older + "3")));
    const auto left = world::matching(w.root.at, ".corrupt-");
    REQUIRE(left.size() == 1);
    CHECK(has(world::read(w.root.at / left[0]), "data.pkl"));
    CHECK(world::read(w.root.at / left[0]) != checkpoint());
  }
}

TEST_SUITE_END();
