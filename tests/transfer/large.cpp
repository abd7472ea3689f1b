// Sizes beyond 32 bits, and memory that does not grow with the file.  A suite of its own: it moves
// some 25 GiB, and it needs the room for two copies.
#include "children.hpp"

#include <sys/resource.h>

namespace {

using namespace children;

constexpr std::uint64_t gib = std::uint64_t{1} << 30;

long peak_kib() {  // of this program alone: what was there before exec does not count
  std::istringstream in(slurp("/proc/self/status"));
  for (std::string word; in >> word;)
    if (word == "VmHWM:") return in >> word, std::stol(word);
  return -1;
}

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
    const fs::path where = home.fresh();
    const outcome bare = measure(where, by, "", "");
    REQUIRE_MESSAGE(bare.finished, bare.noise);
    const auto in_bounds = [&](const outcome& o, const std::string& what) {
      const long more = std::stol(o.note) - std::stol(bare.note);
      std::printf("large: %s over %s took %.1f s, %ld KiB beyond the bare program's %s\n",
          what.c_str(), by.c_str(), o.took, more, bare.note.c_str());
      if (!sanitized) CHECK_MESSAGE(more < 32 * 1024, what, " took ", more, " KiB");
    };
    const std::string yaml = hostile().url("/good/large-" + by + "/model.yaml"),
                      ckpt = hostile().url(file) + "#sha256=" + wanted;
    const outcome cold = measure(where, by, yaml, ckpt);
    REQUIRE_MESSAGE(cold.ok(), describe(cold));
    CHECK(cold.from == static_cast<int>(vqcache::origin::network));
    CHECK(cold.cached);
    in_bounds(cold, "cold call and store");
    CHECK(fs::file_size(where / "local" / "m.ckpt") == size);
    CHECK(fs::file_size(where / "cache" / "m" / "m.ckpt") == size);

    fs::remove_all(where / "local");
    const outcome restored = measure(where, by, yaml, ckpt);
    REQUIRE_MESSAGE(restored.ok(), describe(restored));
    CHECK(restored.from == static_cast<int>(vqcache::origin::cache));
    in_bounds(restored, "restore");
    CHECK(digest(where / "local" / "m.ckpt") == wanted);
    CHECK(has(slurp(where / "local" / "m.sha256"), "# size " + std::to_string(size) + " m.ckpt"));
    CHECK(measure(where, by, yaml, ckpt).from == static_cast<int>(vqcache::origin::local));

    fs::remove_all(where / "cache");
    const outcome stored = measure(where, by, yaml, ckpt);
    REQUIRE_MESSAGE(stored.ok(), describe(stored));
    CHECK(stored.cached);
    in_bounds(stored, "store");
    CHECK(digest(where / "cache" / "m" / "m.ckpt") == wanted);
    fs::remove_all(where);
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
