// A local hit costs nothing: counted with strace in a program of its own.
#include "children.hpp"

#include <sys/resource.h>

namespace {

using namespace children;

// The marks between which system calls are counted: a name that nothing else looks for.
constexpr const char* begin_mark = "/vqcache-test-begin";
constexpr const char* end_mark = "/vqcache-test-end";

plan primed(const fs::path& where) {
  return call_of(where, "", std::getenv("VQT_CONFIG"), std::getenv("VQT_CHECKPOINT"));
}

environment role_named(const std::string& name, const fs::path& where) {
  return clean({{"VQCACHE_TEST_ROLE", name}, {"VQT_WHERE", where.string()},
      {"VQT_CONFIG", hostile().url("/good/hit/model.yaml")},
      {"VQT_CHECKPOINT", hostile().url("/good/hit/last.ckpt")},
      {"ASAN_OPTIONS", "detect_leaks=0"}});  // there is none under strace
}

int hit_once() {
  const plan p = primed(std::getenv("VQT_WHERE"));
  vqcache::options opts = p.opts;
  opts.on_message = vqcache::print_message;
  (void)::access(begin_mark, F_OK);
  const vqcache::result r = vqcache::try_download_vqgan_model("m", p.config, p.checkpoint, opts);
  (void)::access(end_mark, F_OK);
  return r.ok() && r.model.cached && r.model.from == vqcache::origin::local ? 0 : 1;
}

const role one_hit("one hit", hit_once);

int hit_often() {
  const plan p = primed(std::getenv("VQT_WHERE"));
  vqcache::options opts = p.opts;
  opts.on_message = {};
  const auto memory = [] {
    std::istringstream in(slurp("/proc/self/status"));
    for (std::string word; in >> word;)
      if (word == "VmRSS:") return in >> word, std::stol(word);
    return 0L;
  };
  outcome o;
  o.code = 0;
  const auto good = [&] {
    const vqcache::result r = vqcache::try_download_vqgan_model("m", p.config, p.checkpoint, opts);
    if (!r.ok() || !r.model.cached || r.model.from != vqcache::origin::local) o.code = 1;
  };
  for (int i = 0; i < 100; ++i)
    good();
  const posture before;
  const long kib = memory();
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 5000; ++i)
    good();
  o.took = since(start) / 5000;
  o.disorder = disorder(before);
  o.note = std::to_string(memory() - kib);
  save(o, p.where / "outcome");
  return 0;
}

const role many_hits("many hits", hit_often);

// brings the model, so that both tiers hold it with receipts
void bring(const fs::path& where) {
  const plan p = call_of(where, transports().front(), hostile().url("/good/hit/model.yaml"),
      hostile().url("/good/hit/last.ckpt"));
  const outcome o = call(p);
  REQUIRE_MESSAGE(o.ok(), describe(o));
  for (const char* trace : {"outcome", "said", "noise"})
    fs::remove(where / trace);
}

struct trace {
  std::vector<std::string> before, between;  // the marks
  bool worked = false;
  std::string output;
};

trace strace(const fs::path& where) {
  trace t;
  const fs::path log = where / "strace";
  t.worked = run({"strace", "-f", "-o", log.string(), "-s", "4096", self()}, where / "printed", 60,
      role_named("one hit", where));
  std::istringstream in(slurp(log));
  int part = 0;
  for (std::string line; std::getline(in, line);) {
    if (has(line, begin_mark))
      part = 1;
    else if (has(line, end_mark))
      part = 2;
    else if (part == 0)
      t.before.push_back(line);
    else if (part == 1)
      t.between.push_back(line);
  }
  t.worked = t.worked && part == 2;
  t.output = slurp(where / "printed");
  return t;
}

bool may_trace() {
  scratch home;
  if (find_in_path("strace").empty()) return skipped("strace is not installed"), false;
  if (!run({"strace", "-o", (home / "log").string(), "true"}, home / "out"))
    return skipped("strace may not trace here: " + slurp(home / "out")), false;
  return true;
}

bool is_call(const std::string& line, const std::vector<std::string>& calls) {
  for (const std::string& c : calls)
    if (has(" " + line, " " + c + "(")) return true;
  return false;
}

}  // namespace

TEST_SUITE_BEGIN("hit");

TEST_CASE("a hit makes under 20 system calls: no socket, thread, process, library, lock or write") {
  if (!may_trace()) return;
  scratch home;
  const fs::path where = home.fresh();
  bring(where);
  const trace t = strace(where);
  const std::string all = joined(t.between);
  REQUIRE_MESSAGE(t.worked, all, t.output);
  CHECK(t.output == "The model (m) is already available locally.\n");
  INFO(all);
  const std::string local = (where / "local").string(), cache = (where / "cache").string();
  int on_directories = 0, on_cache = 0, calls = 0;
  for (const std::string& line : t.between) {
    ++calls;
    const bool in_cache = has(line, cache + "/"), in_local = has(line, local + "/");
    on_directories += in_cache || in_local;
    on_cache += in_cache;
    CHECK_MESSAGE(!is_call(line,
                      {"socket", "connect", "clone", "clone3", "fork", "vfork", "execve", "flock",
                          "rename", "renameat", "renameat2", "unlink", "unlinkat", "mkdir",
                          "mkdirat", "fsync", "fdatasync", "pwrite64", "ftruncate", "chmod"}),
        line);
    CHECK_MESSAGE(!has(line, ".so"), "a library: ", line);
    if (is_call(line, {"write"}) && !sanitized)  // a sanitizer probes memory with pipes
      CHECK_MESSAGE(has(line, "write(1, "), "only the message: ", line);
    if (is_call(line, {"openat", "open"}))
      CHECK_MESSAGE(has(line, "/m.sha256\""), "only receipts are opened: ", line);
  }
  CHECK(on_cache >= 2);  // it did look whether the copies are there
  CHECK(on_directories > 4);
  CHECK(on_directories < 20);
  if (!sanitized) CHECK_MESSAGE(calls < 20, calls, " system calls");
}

TEST_CASE("nothing of curl or crypto is loaded before a call needs it") {
#if VQCACHE_USE_LIBCURL
  skipped("this build is linked to libcurl");
#else
  if (!may_trace()) return;
  scratch home;
  const fs::path where = home.fresh();
  bring(where);
  const trace t = strace(where);
  REQUIRE_MESSAGE(t.worked, joined(t.between), t.output);
  for (const std::string& line : t.before)
    CHECK_MESSAGE((!has(line, "libcurl") && !has(line, "libcrypto")), line);
#endif
}

TEST_CASE("the sentinel of these tests sees what it looks for: a download under strace is no hit") {
  if (!may_trace()) return;
  scratch home;
  const fs::path where = home.fresh();
  bring(where);
  fs::remove_all(where / "local");  // a restore: it opens, writes, syncs, renames
  const trace t = strace(where);
  REQUIRE_FALSE(t.between.empty());
  bool opened = false, renamed = false, synced = false;
  for (const std::string& line : t.between) {
    opened = opened || (is_call(line, {"openat"}) && has(line, "/m.ckpt\""));
    renamed = renamed || is_call(line, {"rename"});
    synced = synced || is_call(line, {"fsync", "fdatasync"});
  }
  CHECK(opened);
  CHECK(renamed);
  CHECK(synced);
}

TEST_CASE("thousands of hits leave no descriptor, thread or memory behind") {
  // it tells of threads and memory, and no other call is asked for its threads without it
  if (lacks(part::proc)) return;
  scratch home;
  const fs::path where = home.fresh();
  bring(where);
  program p;
  p.start({self()}, role_named("many hits", where), where / "noise", where / "noise", where);
  (void)p.wait(120);
  const outcome o = load(where / "outcome");
  REQUIRE_MESSAGE(o.finished, slurp(where / "noise"));
  CHECK_MESSAGE(o.code == 0, "every one was a hit");
  CHECK_MESSAGE(o.disorder.empty(), o.disorder);
  CHECK(slurp(where / "noise").empty());
  if (!sanitized) CHECK_MESSAGE(std::stol(o.note) < 1024, o.note, " KiB more after 5,000 hits");
  std::printf("a hit takes %.1f us\n", o.took * 1e6);
}

TEST_SUITE_END();
