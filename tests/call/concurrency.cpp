// Many callers, one model: one download where locks work, the right files where they lie, and what
// a killed or stuck process leaves stops nobody.
#include "children.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/time.h>

namespace {

using namespace children;
using vqcache::source;

struct shared {  // two directories that all callers use, and one for each caller's own traces
  scratch home;
  fs::path local = home / "local", cache = home / "cache";
  right files = v1();

  plan caller(const std::string& yaml, const std::string& ckpt, const std::string& by = "libcurl") {
    plan p = call_of(home.fresh(), by, hostile().url(yaml), hostile().url(ckpt));
    p.opts.local_dir = local, p.opts.cache_dir = cache;
    return p;
  }

  void check(const std::string& name = "m") const {
    for (const fs::path& at : {local, cache / name}) {
      CHECK_MESSAGE(slurp(at / (name + ".yaml")) == files.yaml, "a wrong config in ", at.string());
      CHECK_MESSAGE(
          slurp(at / (name + ".ckpt")) == files.ckpt, "a wrong checkpoint in ", at.string());
      CHECK_MESSAGE(support::run("cd " + support::quoted(at.string()) + " && sha256sum -c " + name
                        + ".sha256")
                        .code
              == 0,
          "the receipt fits the files in ", at.string());
    }
  }

  bool litter() const {
    for (const fs::path& at : {local, cache / "m"})
      for (const std::string& n : names_in(at))
        if (has(n, ".part") || has(n, ".record")) return true;
    return false;
  }

  fs::path partial() const {  // of the checkpoint, in the local directory; empty: there is none
    const std::string n = first_name(local, ".m.ckpt.", ".part");
    return n.empty() ? fs::path() : local / n;
  }
};

bool waits(const child& c) {
  return has(c.said(), "Waiting for another call");
}

// A holder that stands in the middle of the checkpoint's body until the server is told. The body
// is large enough for some of it to have reached the disk.
const std::string megabytes = "?size=3000000";

child holder_in_the_body(shared& s, const std::string& key) {
  s.files.ckpt = get("/good/reference/last.ckpt" + megabytes);
  child c(s.caller("/good/" + key + "/model.yaml", "/hold_body/" + key + "/last.ckpt" + megabytes));
  REQUIRE(wait_until([&] {
    std::error_code e;
    return !s.partial().empty() && fs::file_size(s.partial(), e) > 0 && !e;
  }));
  return c;
}

// ---- callers in programs of their own, for LD_PRELOAD

int call_here() {
  // the lie is checked first: without it the test would prove nothing
  const fs::path where = std::getenv("VQT_WHERE");
  const std::string probe = (where / "probe").string();
  const int a = ::open(probe.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  const int b = ::open(probe.c_str(), O_RDWR | O_CLOEXEC);
  const bool lies = ::flock(a, LOCK_EX | LOCK_NB) == 0 && ::flock(b, LOCK_EX | LOCK_NB) == 0;
  ::close(a);
  ::close(b);
  plan p = call_of(where, "libcurl", std::getenv("VQT_CONFIG"), std::getenv("VQT_CHECKPOINT"));
  p.opts.local_dir = std::getenv("VQT_LOCAL"), p.opts.cache_dir = std::getenv("VQT_CACHE");
  outcome o = make(p);
  o.note = lies ? "locks lie" : "locks hold";
  save(o, where / "outcome");
  return 0;
}

const role preloaded_call("preloaded call", call_here);

}  // namespace

TEST_SUITE_BEGIN("concurrency");

TEST_CASE("eight processes at once for one model make one download, and all are right") {
  for (const std::string& by : transports()) {
    INFO(by);
    shared s;
    const std::string key = "eight-" + by, yaml = "/hold/" + key + "/model.yaml",
                      ckpt = "/good/" + key + "/last.ckpt";
    std::vector<child> callers;
    std::vector<plan> plans;
    for (int i = 0; i < 8; ++i) {
      plans.push_back(s.caller(yaml, ckpt, by));
      callers.emplace_back(plans.back());
    }
    // the one that holds the lock waits at the server until all others wait for it
    const bool seven =
        wait_until([&] { return std::count_if(callers.begin(), callers.end(), waits) == 7; });
    CHECK_MESSAGE(seven, "seven say that they wait");
    hostile().release(yaml);
    int downloaded = 0;
    for (child& c : callers) {
      const outcome o = c.result();
      CHECK_MESSAGE(o.ok(), describe(o));
      CHECK(o.cached);
      CHECK_MESSAGE(o.disorder.empty(), o.disorder);
      downloaded += o.from == static_cast<int>(vqcache::origin::network);
    }
    CHECK(downloaded == 1);
    CHECK(hostile().count(yaml) == 1);
    CHECK(hostile().count(ckpt) == 1);
    s.check();
    CHECK_FALSE(s.litter());
  }
}

TEST_CASE("eight threads at once for one model make one download, and all are right") {
  for (const std::string& by : transports()) {
    INFO(by);
    shared s;
    const std::string key = "threads-" + by, yaml = "/hold/" + key + "/model.yaml",
                      ckpt = "/good/" + key + "/last.ckpt";
    const plan base = s.caller(yaml, ckpt, by);
    std::vector<fs::path> places;
    for (int i = 0; i < 8; ++i)
      places.push_back(s.home.fresh());
    child all(base.where, base.env, [&] {
      outcome sum;
      const posture before;
      std::vector<outcome> each(8);
      std::vector<std::thread> threads;
      for (std::size_t i = 0; i < 8; ++i)
        threads.emplace_back([&, i] {
          const auto self = std::this_thread::get_id();
          plan p = base;
          p.where = places[i];
          bool mine = true;  // callbacks come on the calling thread
          p.opts.on_message = [&](const std::string&) {
            mine = mine && std::this_thread::get_id() == self;
          };
          p.opts.on_progress = [&](const vqcache::progress&) {
            mine = mine && std::this_thread::get_id() == self;
            return true;
          };
          each[i] = make(p);
          each[i].note = mine ? "" : "a callback came on another thread";
        });
      for (std::thread& t : threads)
        t.join();
      sum.code = 0;
      for (const outcome& o : each) {
        if (!o.ok() || !o.cached) sum.note += describe(o);
        sum.note += o.note;
        sum.from = (std::max)(sum.from, 0)
            + (o.from == static_cast<int>(vqcache::origin::network) ? 1 : 0);
      }
      sum.disorder = disorder(before);
      return sum;
    });
    const bool seven = wait_until([&] {
      return std::count_if(places.begin(), places.end(), [](const fs::path& p) {
        return has(slurp(p / "said"), "Waiting for another call");
      }) == 7;
    });
    CHECK_MESSAGE(seven, "seven say that they wait");
    hostile().release(yaml);
    const outcome o = all.result();
    CHECK(o.finished);
    CHECK_MESSAGE(o.note.empty(), o.note);
    CHECK_MESSAGE(o.disorder.empty(), o.disorder);
    CHECK(o.from == 1);
    CHECK(hostile().count(yaml) == 1);
    CHECK(hostile().count(ckpt) == 1);
    s.check();
    CHECK_FALSE(s.litter());
  }
}

TEST_CASE("where flock says yes to everybody, all are right and none downloads twice") {
  scratch built;
  const fs::path library = built / "lying_flock.so";
  const std::string cc = std::getenv("CC") ? std::getenv("CC") : "cc";
  if (!run({cc, "-shared", "-fPIC", "-o", library.string(),
               (tests_dir() / "lying_flock.c").string()},
          built / "log"))
    return skipped("no C compiler for the lying flock: " + slurp(built / "log"));
  // slow enough that all are at it together; the second time half of the connections break
  for (const std::string way : {"good", "cut_once"}) {
    INFO(way);
    shared s;
    const std::string yaml = "/good/lying-" + way + "/model.yaml",
                      ckpt = "/" + way + "/lying/last.ckpt";
    std::vector<std::unique_ptr<program>> callers;
    std::vector<fs::path> places;
    for (int i = 0; i < 8; ++i) {
      places.push_back(s.home.fresh());
      callers.push_back(std::make_unique<program>());
      callers.back()->start({self()},
          clean({{"VQCACHE_TEST_ROLE", "preloaded call"}, {"VQT_WHERE", places.back().string()},
              {"VQT_LOCAL", s.local.string()}, {"VQT_CACHE", s.cache.string()},
              {"VQT_CONFIG", hostile().url(yaml)},
              {"VQT_CHECKPOINT", hostile().url(ckpt + "?rate=300000&n=4&at=100000")},
              {"LD_PRELOAD", library.string()}, {"ASAN_OPTIONS", "verify_asan_link_order=0"}}),
          places.back() / "noise", places.back() / "noise", places.back());
    }
    int downloads = 0;
    for (std::size_t i = 0; i < callers.size(); ++i) {
      (void)callers[i]->wait(60);
      const outcome o = load(places[i] / "outcome");
      INFO(slurp(places[i] / "noise"));
      CHECK_MESSAGE(o.ok(), describe(o));
      CHECK(o.note == "locks lie");
      CHECK_FALSE(has(o.said(), "Waiting"));
      downloads += o.from == static_cast<int>(vqcache::origin::network);
    }
    CHECK_MESSAGE(downloads > 1, "they overlapped, or this test proves nothing");
    int whole = 0;
    for (const support::seen& r : hostile().log(ckpt))
      whole += r.body == v1().ckpt.size();
    CHECK(whole <= 8);
    CHECK(hostile().count(yaml) <= 8);
    s.check();
    CHECK_FALSE(s.litter());
  }
}

TEST_CASE("a holder that is killed in the middle frees its waiter, who announces what it left") {
  shared s;
  child holder = holder_in_the_body(s, "killed");
  const fs::path left = s.partial();
  child waiter(s.caller("/good/killed/model.yaml", "/good/killed/again.ckpt" + megabytes));
  REQUIRE(wait_until([&] { return waits(waiter); }));
  CHECK(hostile().count("/good/killed/again.ckpt") == 0);
  const auto start = std::chrono::steady_clock::now();
  holder.end();  // SIGKILL
  const outcome o = waiter.result();
  CHECK_MESSAGE(o.ok(), describe(o));
  CHECK(since(start) < 5);  // not the ten seconds that a stuck holder is given
  CHECK(o.from == static_cast<int>(vqcache::origin::network));
  CHECK_MESSAGE(has(o.said(), "partial of m.ckpt"), describe(o));
  CHECK_FALSE(fs::exists(left));
  s.check();
  CHECK_FALSE(s.litter());
}

TEST_CASE(
    "a holder without progress is left after stall_seconds, and its own call still ends right") {
  shared s;
  child holder = holder_in_the_body(s, "stuck");
  const fs::path partial = s.partial();
  holder.signal(SIGSTOP);
  plan p = s.caller("/good/stuck/model.yaml", "/good/stuck/alone.ckpt" + megabytes);
  p.opts.stall_seconds = 1;
  child waiter(p);
  const outcome o = waiter.result();
  CHECK_MESSAGE(o.ok(), describe(o));
  CHECK(o.took > 0.9);
  CHECK(o.took < 7.5);
  CHECK(has(o.said(), "Waiting for another call"));
  CHECK(has(o.said(), "going on without it"));
  s.check();
  // the partial of a live process is not touched, however long it stands still
  CHECK(fs::exists(partial));
  CHECK_FALSE(has(o.said(), "partial of"));
  holder.signal(SIGCONT);
  hostile().release("/hold_body/stuck/last.ckpt");
  const outcome late = holder.result();
  CHECK_MESSAGE(late.ok(), describe(late));
  s.check();
  CHECK_FALSE(s.litter());
}

TEST_CASE("a waiter goes on waiting while the holder's partial grows") {
  shared s;
  // five seconds; it reaches the disk in blocks of a MiB, twice a second
  const std::string slow = "/good/grows/last.ckpt?size=10000000";
  s.files.ckpt = get(slow);
  plan first = s.caller("/good/grows/model.yaml", slow + "&rate=2000000");
  first.opts.connections = 1;
  first.opts.max_bytes = 16 << 20;
  child holder(first);
  REQUIRE(wait_until([&] { return !s.partial().empty(); }));
  plan p = s.caller("/good/grows/model.yaml", "/good/grows/other.ckpt?size=10000000");
  p.opts.max_bytes = 16 << 20;
  p.opts.stall_seconds = 3;
  const outcome o = call(p);
  CHECK_MESSAGE(o.ok(), describe(o));
  CHECK_MESSAGE(o.took > 3.2, "it had to wait for longer than a stall");
  CHECK_FALSE(has(o.said(), "going on without it"));
  CHECK(hostile().count("/good/grows/other.ckpt") == 0);
  CHECK(holder.result().ok());
  s.check();
}

TEST_CASE("a waiter can be cancelled while it waits") {
  shared s;
  child holder = holder_in_the_body(s, "cancel");
  plan p = s.caller("/good/cancel/model.yaml", "/good/cancel/other.ckpt" + megabytes);
  p.opts.on_progress = [](const vqcache::progress& now) {
    return now.phase != vqcache::phase::waiting;
  };
  const outcome o = call(p);
  CHECK_MESSAGE(o.failed(vqcache::errc::cancelled), describe(o));
  CHECK(o.took < 5);
  hostile().release("/hold_body/cancel/last.ckpt");
  CHECK(holder.result().ok());
  s.check();
}

TEST_CASE("different models do not wait for each other") {
  shared s;
  std::vector<plan> plans;
  std::vector<child> callers;
  for (const std::string name : {"a", "b", "c", "d"}) {
    plans.push_back(s.caller("/hold/many/" + name + ".yaml", "/good/many/" + name + ".ckpt"));
    plans.back().name = name;
    callers.emplace_back(plans.back());
  }
  // all four stand at the server at the same time
  CHECK(wait_until([&] { return hostile().count("/hold/many/*") == 4; }));
  for (const std::string name : {"a", "b", "c", "d"})
    hostile().release("/hold/many/" + name + ".yaml");
  for (std::size_t i = 0; i < 4; ++i) {
    const outcome o = callers[i].result();
    CHECK_MESSAGE(o.ok(), describe(o));
    CHECK_FALSE(waits(callers[i]));
    CHECK(hostile().count("/good/many/" + plans[i].name + ".ckpt") == 1);
    s.check(plans[i].name);
  }
}

TEST_CASE("what a killed process left is removed by the next call and announced with its size") {
  shared s;
  child holder = holder_in_the_body(s, "orphan");
  holder.end();
  REQUIRE(s.litter());
  const fs::path partial = s.partial();
  const auto size = fs::file_size(partial);
  const outcome o = call(s.caller("/good/orphan/model.yaml", "/good/orphan/last.ckpt" + megabytes));
  CHECK_MESSAGE(o.ok(), describe(o));
  CHECK_FALSE(fs::exists(partial));
  CHECK_FALSE(s.litter());
  CHECK_MESSAGE(
      has(o.said(), "partial of m.ckpt (" + std::to_string(size) + " bytes)"), describe(o));
  s.check();
}

namespace {

// the record of a live call, in its own words
std::string a_record() {
  shared s;
  child holder = holder_in_the_body(s, "record");
  const std::string text = slurp(s.local / first_name(s.local, ".m.ckpt.", ".record"));
  hostile().release("/hold_body/record/last.ckpt");
  REQUIRE(holder.result().ok());
  return text;
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> all;
  for (std::string w; in >> w;)
    all.push_back(w);
  return all;
}

void plant(const fs::path& at, const std::string& digits, const std::string& record, int days_old) {
  for (const std::string suffix : {".part", ".record"}) {
    const fs::path p = at / (".m.ckpt." + digits + suffix);
    write_file(p, suffix == ".part" ? std::string(5000, 'x') : record);
    timeval then[2]{};
    then[0].tv_sec = then[1].tv_sec = ::time(nullptr) - days_old * 86400L;
    REQUIRE(::utimes(p.c_str(), then) == 0);
  }
}

}  // namespace

TEST_CASE("only what is provably nobody's is removed: two hosts may share a cache") {
  if (lacks(part::proc)) return;  // which tells when a process was started
  const std::string mine = a_record();
  const std::vector<std::string> w = words_of(mine);
  REQUIRE_MESSAGE(w.size() >= 4, "host and namespace, boot, process, start: ", mine);
  const auto record = [&](std::string host, std::string boot, std::string pid, std::string start) {
    return host + " " + boot + " " + pid + " " + start + "\n";
  };
  const std::string self = std::to_string(::getpid());
  const std::string started = [] {  // field 22 of proc(5) stat, the 20th after the name
    std::string text = slurp("/proc/self/stat");
    return words_of(text.substr(text.rfind(')') + 1))[19];
  }();

  struct found {
    std::string what, digits, text;
    int days;
    bool stays;
  };

  const std::vector<found> all{
      {"a live process here", "0000000000000001", record(w[0], w[1], self, started), 3, true},
      {"a live process of another host", "0000000000000002",
          record("elsewhere/pid:[1]", "another-boot", "1", "5"), 0, true},
      {"another host, a day and more ago", "0000000000000003",
          record("elsewhere/pid:[1]", "another-boot", "1", "5"), 2, false},
      {"this host before it was started anew", "0000000000000004",
          record(w[0], "another-boot", self, started), 0, false},
      {"a dead process here", "0000000000000005", record(w[0], w[1], "2147483646", "5"), 0, false},
      {"an earlier process of the same number", "0000000000000006",
          record(w[0], w[1], self, started + "1"), 0, false},
      {"a record that says nothing", "0000000000000007", "", 0, true},
      {"a record that says nothing, old", "0000000000000008", "", 2, false},
      {"a record of nonsense", "0000000000000009", "\1\2 x\n\n -1 99999999999999999999", 0, true},
  };
  shared s;
  for (const fs::path& at : {s.local, s.cache / "m"})
    for (const found& f : all)
      plant(at, f.digits, f.text, f.days);
  const outcome o = call(s.caller("/good/hosts/model.yaml", "/good/hosts/last.ckpt"));
  CHECK_MESSAGE(o.ok(), describe(o));
  for (const fs::path& at : {s.local, s.cache / "m"})
    for (const found& f : all) {
      INFO(f.what, " in ", at.string());
      CHECK(fs::exists(at / (".m.ckpt." + f.digits + ".part")) == f.stays);
    }
  s.check();
}

TEST_CASE("a record that is empty, since its process was killed at once, is no litter for a day") {
  shared s;
  char mine[9];
  std::snprintf(mine, sizeof mine, "%08x", static_cast<unsigned>(::getpid()));
  const std::string gone = ".m.ckpt.7fffffff00000001",
                    live = ".m.ckpt." + std::string(mine) + "00000001",
                    other = ".m.yaml.7ffffffe00000002";
  for (const fs::path& at : {s.local, s.cache / "m"}) {
    for (const std::string& name : {gone, live, other})
      write_file(at / (name + ".record"), "");
    write_file(at / (other + ".part"), "");  // maybe another host's, whose record is on its way
  }
  const outcome o = call(s.caller("/good/empty/model.yaml", "/good/empty/last.ckpt"));
  CHECK_MESSAGE(o.ok(), describe(o));
  for (const fs::path& at : {s.local, s.cache / "m"}) {
    INFO(at.string());
    CHECK_FALSE(fs::exists(at / (gone + ".record")));
    CHECK(fs::exists(at / (live + ".record")));
    CHECK(fs::exists(at / (other + ".record")));
    CHECK(fs::exists(at / (other + ".part")));
  }
  s.check();
}

TEST_CASE("two machines that share the persistent disk and not the local one end right") {
  // no lock is common to them: each has its own local directory
  shared s;
  std::vector<child> callers;
  std::vector<plan> plans;
  for (int i = 0; i < 4; ++i) {
    plans.push_back(s.caller("/good/disks/model.yaml", "/good/disks/last.ckpt?rate=600000"));
    plans.back().opts.local_dir = plans.back().where / "local";
    callers.emplace_back(plans.back());
  }
  for (std::size_t i = 0; i < callers.size(); ++i) {
    const outcome o = callers[i].result();
    CHECK_MESSAGE(o.ok(), describe(o));
    CHECK(o.cached);
    CHECK(slurp(plans[i].opts.local_dir / "m.ckpt") == v1().ckpt);
  }
  CHECK(hostile().count("/good/disks/last.ckpt") <= 4);
  CHECK(slurp(s.cache / "m" / "m.ckpt") == v1().ckpt);
  CHECK(slurp(s.cache / "m" / "m.yaml") == v1().yaml);
  CHECK_FALSE(s.litter());
  for (const std::string& n : names_in(s.cache / "m"))
    CHECK_FALSE(has(n, ".corrupt-"));
}

TEST_SUITE_END();
