// Out of memory is survived: every allocation of a call fails once, on whatever thread it is made.
// The call must end, with success or with an error; under a final name is the right file or none;
// no thread and no descriptor is left; the next call does what this one should have done.
//
// A program of its own: it replaces the global operator new.
#include <doctest/doctest.h>

#include "world.hpp"

#include <sys/mman.h>

#include <atomic>
#include <new>

namespace {

// ---- allocations that fail

std::atomic<bool> armed{false};
std::atomic<long> made{0};         // allocations since it was armed
std::atomic<long> failing{0};      // the first of these that fails
std::atomic<bool> lasting{false};  // and all after it

bool fails() {
  if (!armed.load()) return false;
  const long n = ++made;
  return lasting ? n >= failing : n == failing;
}

void* allocated(std::size_t n, std::size_t alignment = 0) {
  if (fails()) return nullptr;
  if (n == 0) n = 1;
  if (alignment == 0) return std::malloc(n);
  return std::aligned_alloc(alignment, (n + alignment - 1) / alignment * alignment);
}

void* or_throw(void* p) {
  if (!p) throw std::bad_alloc();
  return p;
}

}  // namespace

void* operator new(std::size_t n) {
  return or_throw(allocated(n));
}

void* operator new[](std::size_t n) {
  return or_throw(allocated(n));
}

void* operator new(std::size_t n, std::align_val_t a) {
  return or_throw(allocated(n, static_cast<std::size_t>(a)));
}

void* operator new(std::size_t n, const std::nothrow_t&) noexcept {
  return allocated(n);
}

void* operator new[](std::size_t n, const std::nothrow_t&) noexcept {
  return allocated(n);
}

void operator delete(void* p) noexcept {
  std::free(p);
}

void operator delete[](void* p) noexcept {
  std::free(p);
}

void operator delete(void* p, std::size_t) noexcept {
  std::free(p);
}

void operator delete[](void* p, std::size_t) noexcept {
  std::free(p);
}

void operator delete(void* p, std::align_val_t) noexcept {
  std::free(p);
}

void operator delete(void* p, std::size_t, std::align_val_t) noexcept {
  std::free(p);
}

void operator delete(void* p, const std::nothrow_t&) noexcept {
  std::free(p);
}

void operator delete[](void* p, const std::nothrow_t&) noexcept {
  std::free(p);
}

namespace {

using namespace world;

// ---- what is called

const std::string yaml = config("of the allocations");
// over 1 MiB: it is hashed and copied on threads
const std::string ckpt = checkpoint(1060000, 3);

struct ground {   // of one process: two directories, and what its calls found to complain of
  folder root{};  // a child's own: it goes with it
  fs::path local = root.at / "local", cache = root.at / "cache";
  std::size_t heard = 0;
  bool gone = false;    // the origin answers 404
  bool is_set = false;  // of small files, which one thread brings and another seals
  const std::vector<vqcache::named_source> set{
      {"a.txt", config_url}, {"b.txt", config_url}, {"c.txt", config_url}, {"d.txt", config_url}};
  std::string transport{};  // empty: from memory, by a callback
  vqcache::source config_from = config_url, checkpoint_from = checkpoint_url;
  std::string right_config = yaml, right_checkpoint = ckpt;

  vqcache::options options() {
    vqcache::options o;
    o.local_dir = local, o.cache_dir = cache;
    o.on_message = [this](const std::string& line) {
      heard += line.size();
    };
    o.on_progress = [](const vqcache::progress&) {
      return true;
    };
    o.transport = transport;
    if (transport.empty())
      o.fetch = [this](const vqcache::request& q, vqcache::response& r) {
        answer(q, r);
      };
    return o;
  }

  void answer(const vqcache::request& q, vqcache::response& r) const {
    const std::string& body = q.url == config_url ? yaml : ckpt;
    r.status(gone ? 404 : 200);
    if (gone) return (void)r.write("no such page, no such page", 26);
    r.header("ETag", &body == &yaml ? "\"of the config\"" : "\"of the checkpoint\"");
    for (std::size_t at = 0; at < body.size(); at += 100000)
      if (!r.write(body.data() + at, (std::min)(body.size() - at, std::size_t{100000}))) return;
  }

  vqcache::result call(const vqcache::options& o) {
    if (!is_set) return vqcache::try_download_vqgan_model("m", config_from, checkpoint_from, o);

    return vqcache::try_download_model("m", set, o);
  }

  // what has to lie there, by name
  std::map<std::string, std::string> right_files() const {
    if (!is_set) return {{"m.yaml", right_config}, {"m.ckpt", right_checkpoint}};
    return {{"a.txt", yaml}, {"b.txt", yaml}, {"c.txt", yaml}, {"d.txt", yaml}};
  }

  fs::path here() const { return is_set ? local / "m" : local; }

  void clear() {
    gone = false;
    is_set = false;
    fs::remove_all(local), fs::remove_all(cache);
  }
};

struct outcome {
  bool ok = false, threw = false;
  std::error_code code{};
  std::string what{};
};

// f with the allocations failing as they are set; what it threw does not pass
template <class F>
outcome under_faults(const F& f) {
  outcome got;
  made = 0;
  armed = true;
  try {
    const vqcache::error e = f();
    armed = false;
    got.code = e.code(), got.what = e.what(), got.ok = !e.code();
  } catch (const std::exception& e) {
    armed = false;
    got.threw = true, got.what = e.what();
  }
  return got;
}

struct scenario {
  std::string name;
  long most;  // so many allocations, evenly spread, fail once each
  std::function<void(ground&)> prepare;
  std::function<vqcache::error(ground&, const vqcache::options&)> act;
};

const vqcache::error no_error;  // made here: making one allocates

vqcache::error called(ground& g, const vqcache::options& o) {
  return g.call(o).error;
}

void nothing(ground&) {
}

void both_tiers(ground& g) {
  (void)g.call(g.options());
}

void cache_alone(ground& g) {
  both_tiers(g);
  fs::remove_all(g.local);
}

const std::vector<scenario> scenarios = {{"a cold call", 4000, nothing, called},
    {"a restore", 4000, cache_alone, called},
    {"a store", 4000,
        [](ground& g) {
          both_tiers(g);
          fs::remove_all(g.cache);
        },
        called},
    {"a hit", 4000, both_tiers, called},
    {"the throwing form", 100, nothing,
        [](ground& g, const vqcache::options& o) -> vqcache::error {
          try {
            vqcache::download_vqgan_model("m", g.config_from, g.checkpoint_from, o);
          } catch (const vqcache::error& e) {
            return e;
          }
          return no_error;
        }},
    {"a set", 1500, [](ground& g) { g.is_set = true; }, called},
    {"a damaged local file, and a pin", 150,
        [](ground& g) {
          both_tiers(g);
          write(g.local / "m.ckpt", flipped(ckpt, 1000));
          fs::remove(g.local / "m.sha256");
        },
        called},
    {"a damaged copy", 150,
        [](ground& g) {
          cache_alone(g);
          write(g.cache / "m" / "m.ckpt", flipped(ckpt, 1000));
        },
        called},
    {"a removal", 150, both_tiers,
        [](ground&, const vqcache::options& o) {
          return vqcache::try_remove("m", o);
        }},
    {"an origin that is gone", 150, [](ground& g) { g.gone = true; }, called},
    {"a malformed source", 120, nothing,
        [](ground&, const vqcache::options& o) {
          static const vqcache::source bad("http://origin.test/a b");
          return vqcache::try_download_vqgan_model("m", bad, bad, o).error;
        }},
    {"a name that the catalogue does not know", 130, nothing,
        [](ground&, const vqcache::options& o) {
          return vqcache::try_download_vqgan_model("imagenet", o).error;
        }}};

// ---- what must hold after

std::size_t entries(const char* directory) {
  std::size_t n = 0;
  if (DIR* d = ::opendir(directory)) {
    while (::readdir(d))
      ++n;
    ::closedir(d);
  }
  return n;
}

struct left {  // of this process; without /proc no thread is seen
  std::size_t threads = entries("/proc/self/task"), descriptors = support::open_descriptors();
};

// A thread that was joined is listed for a moment more.
bool ends_with_threads(std::size_t before) {
  for (int i = 0; i < 200; ++i) {
    if (entries("/proc/self/task") <= before) return true;
    ::usleep(5000);
  }
  return false;
}

// thousands of times: in one piece
bool holds(const fs::path& p, const std::string& bytes) {
  static std::string there(ckpt.size() * 2, '\0');
  const int fd = ::open(p.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t n = ::read(fd, &there[0], there.size());
  ::close(fd);
  return n >= 0 && std::string_view(there.data(), static_cast<std::size_t>(n)) == bytes;
}

bool right_or_absent(const ground& g, const fs::path& at) {
  for (const auto& [file, bytes] : g.right_files())
    if (fs::exists(at / file) && !holds(at / file, bytes)) return false;
  return true;
}

bool all_there(const ground& g, const fs::path& at) {
  for (const auto& [file, bytes] : g.right_files())
    if (!holds(at / file, bytes)) return false;
  return true;
}

// of the checkpoint, under whatever name: what a later call need not ask for
std::uint64_t bytes_here(const ground& g) {
  std::uint64_t most = 0;
  for (const std::string& name : tree(g.local))
    if (has(name, "m.ckpt") && !has(name, ".record"))
      most = (std::max)(most, std::uint64_t{fs::file_size(g.local / name)});
  return most;
}

// "" or what is wrong; next: another call, with memory, is made too
std::string judge(
    ground& g, const outcome& got, const left& before, bool damaged, bool next_too = true) {
  const left now;
  if (got.threw) return "it threw: " + got.what;
  if (!got.ok && got.what.empty()) return "an error without words";
  if (!got.ok && std::strcmp(got.code.category().name(), "vqcache") != 0) return "a foreign code";
  const bool has_same_threads = now.threads <= before.threads || ends_with_threads(before.threads);
  if (!has_same_threads) return "a thread is left";
  if (now.descriptors != before.descriptors) return "a descriptor is left";
  if (!damaged && !(right_or_absent(g, g.here()) && right_or_absent(g, g.cache / "m")))
    return "a wrong file under a final name";

  if (!next_too) return "";

  g.gone = false;
  const vqcache::result next = g.call(g.options());
  if (!next.ok()) return std::string("the next call failed: ") + next.error.what();
  if (!next.model.cached) return "the next call did not store";
  if (!all_there(g, g.here()) || !all_there(g, g.cache / "m"))
    return "the next call left a wrong file";
  for (const fs::path& tier : {g.local, g.cache})
    for (const std::string& name : tree(tier))
      if (has(name, ".part") || has(name, ".record")) return "an unfinished file stays: " + name;
  return "";
}

struct report {  // in memory that a child shares
  long at = 0;
  bool finished = false;
  char problem[500] = "";
};

// Sweeps in children, several at once: what ends a program or stops it for ever is to be told, too.
class child_sweep {
 public:
  child_sweep(const std::string& title, const std::function<std::string(ground&, report&)>& f)
      : title_(title),
        shared_(new(::mmap(nullptr, sizeof(report), PROT_READ | PROT_WRITE,
            MAP_SHARED | MAP_ANONYMOUS, -1, 0)) report) {
    std::fflush(nullptr);
    pid_ = ::fork();
    if (pid_ != 0) return;
    {
      ground g;
      std::snprintf(shared_->problem, sizeof shared_->problem, "%s", f(g, *shared_).c_str());
    }
    shared_->finished = true;
    ::_exit(0);
  }

  child_sweep(const child_sweep&) = delete;
  child_sweep& operator=(const child_sweep&) = delete;

  ~child_sweep() {
    int state = 0;
    ::waitpid(pid_, &state, 0);
    std::string said = shared_->problem;
    if (!shared_->finished)
      said = WIFSIGNALED(state) && WTERMSIG(state) == SIGALRM ? "it never ended"
                                                              : "the program was ended";
    CHECK_MESSAGE(said.empty(), title_, ", allocation ", shared_->at, ": ", said);
    ::munmap(shared_, sizeof(report));
  }

 private:
  std::string title_;
  report* shared_;
  pid_t pid_ = -1;
};

enum class how { once, for_the_rest };

// every step-th allocation of the scenario fails; about `most` runs
std::string sweep(const scenario& s, how kind, long most, ground& g, report& r) {
  const fs::path saved = g.root.at / "saved";
  g.clear();
  s.prepare(g);
  fs::create_directory(saved);
  for (const fs::path& tier : {g.local, g.cache})
    if (fs::exists(tier)) fs::copy(tier, saved / tier.filename(), fs::copy_options::recursive);
  const bool gone = g.gone, is_set = g.is_set;
  const auto prepared = [&] {
    g.clear();
    g.gone = gone, g.is_set = is_set;
    for (const fs::path& tier : {g.local, g.cache})
      if (const fs::path from = saved / tier.filename(); fs::exists(from))
        fs::copy(from, tier, fs::copy_options::recursive);
    return g.options();
  };
  failing = 0;  // none: they are counted
  lasting = false;
  vqcache::options o = prepared();
  (void)under_faults([&] { return s.act(g, o); });
  const long all = made;
  if (all < 1) return "nothing was allocated";

  const long step = (all + most - 1) / most;
  for (long at = 1; at <= all; at += step) {
    r.at = at;
    ::alarm(60);  // one call takes some milliseconds
    lasting = false;
    o = prepared();
    const left before;
    const std::uint64_t had = bytes_here(g);
    lasting = kind == how::for_the_rest;
    failing = at;
    const outcome got = under_faults([&] { return s.act(g, o); });
    std::string wrong;
    if (has(s.name, "unfinished") && bytes_here(g) < had) wrong = "bytes that were here are lost";
    // by one allocation that failed, and there is memory again to say of what
    const bool fails_by_itself = gone || has(s.name, "malformed") || has(s.name, "catalogue");
    const bool is_named = got.ok || fails_by_itself || has(got.what, "model 'm': ");
    if (kind == how::once && !is_named) wrong = "an error that does not name the model";
    const bool next_too = all / step < 300 || at % 5 == 0;  // most of the time goes there
    if (wrong.empty()) wrong = judge(g, got, before, has(s.name, "damaged"), next_too);
    if (!wrong.empty()) return wrong + " (" + got.what + ")";
  }
  std::printf("%s: %ld allocations, every %ld. failed\n", s.name.c_str(), all, step);
  std::fflush(stdout);
  return "";
}

// One allocation, or all from there on, of the very first call of a process: what is made once, for
// all calls, is made in it.
std::string first_call(const scenario& s, how kind, long at, ground& g, report& r) {
  r.at = at;
  ::alarm(60);
  const vqcache::options o = g.options();
  const left before;
  failing = at;
  lasting = kind == how::for_the_rest;
  const outcome got = under_faults([&] { return s.act(g, o); });
  const std::string wrong = judge(g, got, before, false);
  return wrong.empty() ? wrong : wrong + " (" + got.what + ")";
}

// a disk that syncs at once: thousands of calls are made
fs::path quick_disk() {
  const fs::path memory = "/dev/shm";
  return ::access(memory.c_str(), W_OK) == 0 ? memory : fs::temp_directory_path();
}

}  // namespace

TEST_SUITE("allocations") {
  TEST_CASE("every allocation of a call fails once") {
    const environment temporary("TMPDIR", quick_disk().string());
    std::vector<std::unique_ptr<child_sweep>> all;
    for (const scenario& s : scenarios)
      all.push_back(std::make_unique<child_sweep>(
          s.name, [&s](ground& g, report& r) { return sweep(s, how::once, s.most, g, r); }));
  }

  TEST_CASE("the first call of a process has no memory, from its first allocation on") {
    const environment temporary("TMPDIR", quick_disk().string());
    for (const how kind : {how::once, how::for_the_rest})
      for (long at = 1; at <= 40; at += at < 8 ? 1 : 8) {
        const child_sweep one("a first call", [kind, at](ground& g, report& r) {
          return first_call(scenarios.front(), kind, at, g, r);
        });
      }
  }

  TEST_CASE("the same over libcurl, which is C between us and us, and over the program curl") {
    const environment temporary("TMPDIR", quick_disk().string());
    support::temp_dir site;
    write(site / "model.yaml", yaml);
    write(site / "last.ckpt", ckpt);
    const support::server origin = support::plain(site.path());
    const scenario& cold = scenarios.front();
    for (const std::string transport : {"libcurl", "curl"}) {
      const child_sweep one(
          "a cold call over " + transport, [&](ground& g, report& r) -> std::string {
            g.config_from = origin.url("/model.yaml"), g.checkpoint_from = origin.url("/last.ckpt");
            g.transport = transport;
            const vqcache::result first = g.call(g.options());
            if (first.error.code() == vqcache::errc::no_transport) return skipped(why(first)), "";
            return sweep(cold, how::once, transport == "curl" ? 40 : 150, g, r);
          });
    }
  }

  TEST_CASE("what an earlier call left unfinished is not lost for want of memory") {
    const environment temporary("TMPDIR", quick_disk().string());
    const std::string c = "/good/memory/model.yaml", k = "/good/memory/last.ckpt?size=1060000";
    const auto& origin = support::hostile();
    const scenario resumed = {"an unfinished file", 150,
        [](ground& g) {
          vqcache::options o = g.options();
          o.on_progress = [](const vqcache::progress& p) {
            return p.file != "m.ckpt" || p.done < 400000;
          };
          const vqcache::result cut = g.call(o);
          CHECK_MESSAGE(cut.error.code() == vqcache::errc::cancelled, why(cut));
          CHECK(bytes_here(g) >= 400000);
        },
        called};
    for (const how kind : {how::once, how::for_the_rest}) {
      const child_sweep one(resumed.name, [&](ground& g, report& r) -> std::string {
        g.config_from = origin.url(c), g.checkpoint_from = origin.url(k);
        g.right_config = support::get(origin.port("plain"), c);
        g.right_checkpoint = support::get(origin.port("plain"), k);
        g.transport = "libcurl";
        const vqcache::result first = g.call(g.options());
        if (first.error.code() == vqcache::errc::no_transport) return skipped(why(first)), "";
        return sweep(resumed, kind, kind == how::once ? resumed.most : 30, g, r);
      });
    }
  }

  TEST_CASE("from some allocation on every one fails, until the call has ended") {
    const environment temporary("TMPDIR", quick_disk().string());
    std::vector<std::unique_ptr<child_sweep>> all;
    for (const scenario& s : scenarios)
      all.push_back(std::make_unique<child_sweep>(s.name + ", for good",
          [&s](ground& g, report& r) { return sweep(s, how::for_the_rest, 25, g, r); }));
  }
}
