// Sizes beyond 32 bits, and memory that does not grow with the file.  A suite of its own: it moves
// some 25 GiB, and it needs the room for two copies.
#include "children.hpp"

#include <sys/resource.h>

namespace {

using namespace children;

constexpr std::uint64_t gib = std::uint64_t{1} << 30;

// without VQT_CONFIG nothing is called: that is the bare program
int call_and_measure() {
  const fs::path where = std::getenv("VQT_WHERE");
  outcome o;
  o.code = 0;
  if (const char* config = std::getenv("VQT_CONFIG")) {
    plan p = call_of(where, std::getenv("VQT_BY"), config, std::getenv("VQT_CHECKPOINT"));
    p.opts.max_bytes = 64 * gib;
    p.opts.stall_seconds = 60;
    o = make(p);
  }
  o.note = std::to_string(peak_kib());
  save(o, where / "outcome");
  return 0;
}

const role measured("measured call", call_and_measure);

outcome measure(const fs::path& where, const std::string& by, const std::string& yaml,
    const std::string& ckpt) {
  program p;
  fs::remove(where / "outcome");
  p.start({self()},
      clean({{"VQCACHE_TEST_ROLE", "measured call"}, {"VQT_WHERE", where.string()}, {"VQT_BY", by},
          {"VQT_CONFIG", yaml}, {"VQT_CHECKPOINT", ckpt}}),
      where / "noise", where / "noise", where);
  (void)p.wait(800);
  outcome o = load(where / "outcome");
  o.noise = slurp(where / "noise");
  return o;
}

bool room_for(const fs::path& at, std::uint64_t bytes) {
  std::error_code e;
  const fs::space_info s = fs::space(at, e);
  if (!e && s.available >= bytes) return true;
  skipped("it needs " + std::to_string(bytes / gib) + " GiB in " + at.string() + ", and there are "
      + std::to_string(s.available / gib));
  return false;
}

// the digest by a program that is not ours; openssl is several times faster where it is
std::string digest(const fs::path& p) {
  const std::string q = support::quoted(p.string());
  const support::ran r =
      support::run("openssl dgst -sha256 -r < " + q + " 2>/dev/null || sha256sum < " + q);
  return r.output.substr(0, 64);
}

// Calls of one model in programs of their own, whose memory is compared with the bare program's.
struct measured_model {
  fs::path where{};
  std::string by{}, yaml{}, ckpt{};
  long bare_kib = 0;

  outcome call(const std::string& what, vqcache::origin from) const {
    const outcome o = measure(where, by, yaml, ckpt);
    REQUIRE_MESSAGE(o.ok(), describe(o));
    CHECK(o.from == static_cast<int>(from));
    CHECK(o.cached);

    const long more = std::stol(o.note) - bare_kib;
    std::printf("large: %s over %s took %.1f s, %ld KiB beyond the bare program's %ld\n",
        what.c_str(), by.c_str(), o.took, more, bare_kib);
    if (!sanitized) CHECK_MESSAGE(more < 32 * 1024, what, " took ", more, " KiB");
    return o;
  }

  fs::path local() const { return where / "local" / "m.ckpt"; }

  fs::path copy() const { return where / "cache" / "m" / "m.ckpt"; }
};

measured_model model_of(
    const fs::path& where, const std::string& by, const std::string& file, const std::string& sha) {
  const outcome bare = measure(where, by, "", "");
  REQUIRE_MESSAGE(bare.finished, bare.noise);
  return {where, by, hostile().url("/good/large-" + by + "/model.yaml"),
      hostile().url(file) + "#sha256=" + sha, std::stol(bare.note)};
}

}  // namespace

TEST_SUITE_BEGIN("large");

TEST_CASE("5 GiB go through cold call, store and restore whole, in under 32 MiB of memory") {
  if (lacks(part::proc)) return;  // which tells what a program has taken
  scratch home;
  const std::uint64_t size = 5 * gib + 12345;
  if (!room_for(home.path(), 11 * gib)) return;
  const std::string file = "/big/" + std::to_string(size) + "/large.ckpt";
  const std::string wanted = hostile().sha256_of(file);
  REQUIRE(wanted.size() == 64);

  for (const std::string& by : transports()) {
    INFO(by);
    const measured_model m = model_of(home.fresh(), by, file, wanted);
    (void)m.call("cold call and store", vqcache::origin::network);
    CHECK(fs::file_size(m.local()) == size);
    CHECK(fs::file_size(m.copy()) == size);
    CHECK(has(slurp(m.where / "local" / "m.sha256"), "# size " + std::to_string(size) + " m.ckpt"));
    CHECK(digest(m.local()) == wanted);

    if (by == transports().front()) {  // the others bring bytes in another way, and no more
      fs::remove_all(m.where / "local");
      (void)m.call("restore", vqcache::origin::cache);
      CHECK(digest(m.local()) == wanted);
      (void)m.call("hit", vqcache::origin::local);

      fs::remove_all(m.where / "cache");
      (void)m.call("store", vqcache::origin::local);
      CHECK(digest(m.copy()) == wanted);
    }
    fs::remove_all(m.where);
  }
}

TEST_CASE("3 GiB go through a 32-bit program") {
  scratch home;
  const std::string cxx = std::getenv("CXX") ? std::getenv("CXX") : "g++";
  const fs::path subject = tests_dir() / "faults" / "subject.cpp", program_file = home / "subject";
  write_file(
      home / "probe.cpp", "#include <string>\nint main() { return sizeof(void*) == 4 ? 0 : 1; }\n");
  if (!run({cxx, "-m32", "-o", (home / "probe").string(), (home / "probe.cpp").string()})
      || !run({(home / "probe").string()}))
    return skipped(cxx + " -m32 builds nothing here (g++-multilib)");
  const std::uint64_t size = 3 * gib + 777;
  if (!room_for(home.path(), 7 * gib)) return;
  // without -D_FILE_OFFSET_BITS=64: the header has to ask for large files by itself
  REQUIRE_MESSAGE(run({cxx, "-m32", "-std=c++17", "-O1", "-I" + tests_dir().parent_path().string(),
                          subject.string(), "-o", program_file.string(), "-pthread"},
                      home / "log", 300),
      slurp(home / "log"));
  const std::string file = "/big/" + std::to_string(size) + "/large32.ckpt";
  const std::string wanted = hostile().sha256_of(file);
  const auto call32 = [&] {
    return run(
        {program_file.string(), "fetch", (home / "local").string(), (home / "cache").string(),
            hostile().url("/good/large32/model.yaml"), hostile().url(file) + "#sha256=" + wanted},
        home / "log", 800);
  };
  const auto found = [&](const fs::path& dir) -> fs::path {
    for (const auto& i : fs::recursive_directory_iterator(dir))
      if (i.path().extension() == ".ckpt") return i.path();
    return {};
  };
  CHECK_MESSAGE(call32(), slurp(home / "log"));
  CHECK(digest(found(home / "local")) == wanted);
  CHECK(digest(found(home / "cache")) == wanted);
  fs::remove_all(home / "local");
  CHECK_MESSAGE(call32(), slurp(home / "log"));
  CHECK(digest(found(home / "local")) == wanted);
}

TEST_SUITE_END();
