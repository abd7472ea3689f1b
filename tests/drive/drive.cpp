// drive: the persistent tier is a mounted cloud drive (drivefs.cpp) that behaves as such drives do.
//
//   drive DRIVEFS SHARE/SHARES [PREFIX...]
//
// 0/1 is all of them, 0/2 and 1/2 are its halves; with prefixes, only cases that begin so.
// A case is a session with one behaviour and one call in one situation, then sessions with a drive
// that does nothing but what all of them do. What must hold:
//   - a call succeeds when the origin lives, or when a tier can serve it; within a minute;
//   - under a final name of the local tier stand the origin's bytes, or nothing;
//   - `cached` is true only when the cloud holds the origin's bytes; when it is false, a message
//     says so; a receipt in the cloud is written after its files;
//   - the next session serves no wrong byte, and a call in it heals the cache: the session after
//     that restores the model without an origin, and nothing unfinished is left.
// Standard output ends with "N passed, N failed, N skipped", a case each.
#include "vqcache.hpp"

#include <sys/prctl.h>

#include <algorithm>
#include <chrono>

#include "../world.hpp"

namespace {

namespace fs = std::filesystem;

const std::string name = "m";

const std::string& config() {  // larger than a receipt, as they are
  static const std::string bytes = world::config(std::string(600, '-'));
  return bytes;
}

const std::string& checkpoint() {  // so large that threads take part
  static const std::string bytes = world::checkpoint(1500000);
  return bytes;
}

// ---- the table

enum situation { cold, hit, restore, repair, dead_origin, removal };

constexpr const char* situations[] = {"cold", "hit", "restore", "repair", "dead-origin", "removal"};

struct behaviour {
  std::string title;
  std::string rules;  // of drivefs.cpp
  // +: must, -: cannot, ?: may. Be cached after a cold call, a hit, a restore, a restore that finds
  // a damaged copy; be served without an origin; be removed.
  const char* expected;
};

const std::vector<behaviour> behaviours = {
    {"plain", "", "++++++"},
    {"slow-names", "delay=10", "++++++"},
    {"read-only", "change=EROFS", "-++-+-"},
    {"close-fails", "close=EIO", "-++-++"},
    {"close-over-quota", "close=EDQUOT", "-++-++"},
    {"fsync-fails", "fsync=EIO", "-++-++"},
    {"no-quota-left", "quota=0", "-++-++"},
    {"over-quota-on-the-way", "quota=700000", "-++-++"},
    {"write-fails-once", "bad=700000", "-++-++"},
    {"no-space", "space=none", "-++-++"},
    {"files-stay", "unlink=EPERM", "+++++-"},
    {"rename-fails", "rename=EIO", "-++-++"},
    {"rename-replaces-nothing", "rename=EEXIST", "+++-++"},
    {"rename-copies", "rename=copy", "++++++"},
    {"rename-done-with-an-error", "rename=done", "-++-++"},
    {"open-fails", "open=ESTALE", "+----+"},
    {"read-fails", "read=EIO", "?--?-+"},
    {"read-flips-a-bit", "flip=700000", "++++-+"},
    {"sizes-unknown", "size=none", "++++++"},
    {"upload-lost", "upload=lost", "++++++"},
    {"upload-of-the-large-lost", "upload=lost of=1000000", "++++++"},
    {"upload-empty", "upload=empty", "++++++"},
    {"upload-of-the-large-empty", "upload=empty of=1000000", "++++++"},
    {"upload-of-both-files-cut", "upload=half of=500", "++++++"},
    {"upload-of-all-cut", "upload=half", "++++++"},
    {"upload-of-the-large-cut", "upload=half of=1000000", "++++++"},
    {"upload-late", "upload=late", "++++++"},
    {"upload-of-the-large-late", "upload=late of=1000000", "++++++"},
    {"upload-as-twins", "upload=twin", "++++++"},
    {"upload-of-the-large-as-twin", "upload=twin of=1000000", "++++++"},
};

struct experiment {
  behaviour drive;
  situation at;
  bool wiped;  // the local disk, before the next session

  std::string title() const {
    return drive.title + "/" + situations[at] + (wiped ? "/wiped" : "/kept");
  }
};

std::vector<experiment> experiments() {
  constexpr int operations[] = {
      180, 20, 100, 220, 100, 80};  // that a call there takes, or some more
  std::vector<experiment> all;
  for (const situation s : {cold, hit, restore, repair, dead_origin, removal}) {
    for (const behaviour& b : behaviours)
      for (const bool wiped : {false, true})
        all.push_back({b, s, wiped});
    for (int n = 0; n < operations[s]; ++n)
      all.push_back({{"dies-after-" + std::to_string(n), "dies=" + std::to_string(n),
                         n == 0 ? "------" : "??????"},
          s, n % 2 != 0});
  }
  return all;
}

// ---- one world: a machine, its drive and the cloud behind it

class session {  // of a drive; the daemon goes with this process, whatever becomes of it
 public:
  session(const std::string& drivefs, const fs::path& cloud, const fs::path& at,
      const std::string& rules)
      : at_(at) {
    std::fflush(nullptr);
    daemon_ = ::fork();
    if (daemon_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGTERM);
      std::vector<std::string> words{drivefs, cloud, at};
      std::istringstream all(rules);
      for (std::string rule; all >> rule;)
        words.push_back(rule);
      std::vector<char*> argv;
      for (std::string& w : words)
        argv.push_back(&w[0]);
      argv.push_back(nullptr);
      ::execv(argv[0], argv.data());
      ::_exit(127);
    }
    for (int tries = 0; !mounted(); ++tries) {
      if (tries > 5000 || ::waitpid(daemon_, nullptr, WNOHANG) != 0)
        support::broken("cannot mount " + at_.string());
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }

  session(const session&) = delete;
  session& operator=(const session&) = delete;

  ~session() {
    (void)support::run("fusermount3 -u -z " + support::quoted(at_.string()));
    int status = 0;
    ::waitpid(daemon_, &status, 0);
    if (status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)) return;
    std::printf("failed: the drive itself ended with status %d\n", status);
    std::fflush(stdout), std::_Exit(1);
  }

 private:
  bool mounted() const {  // a question that is none of the daemon's operations
    return world::has(support::read_file("/proc/self/mounts"), " " + at_.string() + " fuse");
  }

  fs::path at_;
  pid_t daemon_ = -1;
};

struct outcome {  // of one call in a process of its own, as each session has one
  bool returned = false, ok = false, cached = false;
  std::string told{};  // the error, the messages
};

class machine {
 public:
  explicit machine(std::string drivefs) : drivefs_(std::move(drivefs)) {
    fs::create_directories(cloud_);
    fs::create_directories(here_.cache);
    revive_origin();
  }

  void revive_origin() {
    here_.serve(world::config_url, {config()});
    here_.serve(world::checkpoint_url, {checkpoint()});
  }

  void kill_origin() { here_.origin_dies(); }

  void wipe() { here_.wipe_local(); }

  void damage() { fs::resize_file(cloud_ / name / (name + ".ckpt"), 500000); }

  session mount(const std::string& rules) const {
    return session(drivefs_, cloud_, here_.cache, rules);
  }

  outcome call(bool removes = false) {
    const std::string said = world::in_child([&] {
      ::alarm(60);
      const vqcache::options o = here_.options();
      vqcache::error error;
      bool cached = false;
      if (removes) {
        error = vqcache::try_remove(name, o);
      } else {
        const vqcache::result r = here_.call(name);
        error = r.error, cached = r.model.cached;
      }
      const bool ok = !error.code();
      return std::string(ok ? "ok" : "no") + (cached ? "+" : "-") + error.what() + "\n"
          + here_.all_said();
    });
    const bool returned = said.size() > 2 && (said[2] == '+' || said[2] == '-');
    return {returned, returned && said[0] == 'o', returned && said[2] == '+', said};
  }

  // what stands under the final names: the origin's bytes (+), nothing (-) or anything else (!)
  std::string local() const { return state(here_.local); }

  std::string cloud() const { return state(cloud_ / name); }

  bool receipt_in_cloud() const { return fs::exists(cloud_ / name / (name + ".sha256")); }

  // of one file the newest damaged copy may stand aside, and the drive's own twins are its own
  std::vector<std::string> litter() const {
    std::vector<std::string> all = world::matching(here_.local, ".part");
    std::map<std::string, int> aside;
    for (const std::string& n : world::tree(cloud_ / name)) {
      const std::size_t at = n.find(".corrupt-");
      const bool final = n == name + ".yaml" || n == name + ".ckpt" || n == name + ".sha256";
      if (at == n.npos ? !final && !world::has(n, " (1).") : ++aside[n.substr(0, at)] > 1)
        all.push_back(n);
    }
    return all;
  }

  bool is_removed() const {  // an empty directory may stay
    return local() == "--" && cloud() == "--" && !receipt_in_cloud() && litter().empty();
  }

 private:
  static char of(const fs::path& p, const std::string& bytes) {
    if (!fs::exists(p)) return '-';
    std::string there(bytes.size() + 1, '\0');
    std::ifstream in(p, std::ios::binary);
    in.read(&there[0], static_cast<std::streamsize>(there.size()));
    there.resize(static_cast<std::size_t>(in.gcount()));
    return there == bytes ? '+' : '!';
  }

  static std::string state(const fs::path& at) {
    return {of(at / (name + ".yaml"), config()), of(at / (name + ".ckpt"), checkpoint())};
  }

  std::string drivefs_;
  world::place here_{};
  fs::path cloud_ = here_.root.at / "cloud";
};

// ---- one case

class trial {
 public:
  trial(const std::string& drivefs, const experiment& e) : m_(drivefs), e_(e), s_(e.at) {}

  std::string run() {  // what was wrong; empty: nothing
    if (s_ != cold) healthy(call());
    if (s_ != hit && s_ != removal) m_.wipe();
    if (s_ == repair) m_.damage();
    if (s_ == dead_origin) m_.kill_origin();
    {
      const session odd = m_.mount(e_.drive.rules);
      judge(m_.call(s_ == removal));
      if (s_ == restore) again();
    }
    heal();
    return wrong_;
  }

 private:
  void judge(const outcome& o) {
    const char will = e_.drive.expected[s_];
    const bool asks = s_ == dead_origin || s_ == removal;  // whether it succeeds
    when_ = "the session";
    expect(asks || o.ok, "it succeeds", o);
    expect(will == '?' || (asks ? o.ok : o.cached) == (will == '+'),
        std::string(asks ? "success" : "cached") + " is " + will, o);
    if (s_ == cold && m_.receipt_in_cloud())
      expect(m_.cloud() == "++", "a receipt stands only where its files do", o);
    if (s_ == removal && o.ok) expect(m_.is_removed(), "nothing is left of it", o);
    if (s_ != removal) always(o);
  }

  void again() {
    m_.wipe();
    when_ = "the session, once more";
    const outcome o = m_.call();
    expect(o.ok, "it succeeds", o);
    always(o);
  }

  void heal() {
    if (e_.wiped) {
      m_.wipe();
      m_.kill_origin();
      when_ = "the next session, without an origin";
      const bool could = m_.cloud() == "++";
      const outcome o = call();
      expect(o.ok || !could, "a good copy is served", o);
    }
    m_.revive_origin();
    when_ = "the next session";
    healthy(call());
    m_.wipe();
    m_.kill_origin();
    when_ = "the session after that, without an origin";
    healthy(call());
    for (const std::string& n : m_.litter())
      wrong_ += "  " + n + " is left\n";
  }

  outcome call() {  // in a session with a plain drive
    const session plain = m_.mount("");
    const outcome o = m_.call();
    always(o);
    return o;
  }

  void healthy(const outcome& o) { expect(o.ok && o.cached, "the model is in both tiers", o); }

  void always(const outcome& o) {
    const std::string local = m_.local();
    expect(o.returned, "the call returns", o);
    expect(!world::has(local, "!"), "no wrong byte is served", o);
    if (o.ok) expect(local == "++", "the model is there", o);
    if (o.ok && !o.cached)
      expect(world::has(o.told, "not in the cache"), "it says what was not kept", o);
    if (o.cached) expect(m_.cloud() == "++", "what is said to be cached is", o);
  }

  void expect(bool holds, const std::string& what, const outcome& o) {
    if (holds) return;
    wrong_ += "  " + when_ + ": not so: " + what + "; local " + m_.local() + ", cloud " + m_.cloud()
        + "; said: " + o.told + "\n";
  }

  machine m_;
  const experiment& e_;
  const situation s_;
  std::string when_ = "before", wrong_{};
};

}  // namespace

int main(int argc, char** argv) {
  std::size_t share = 0, shares = 0, number = 0;
  if (argc < 3 || std::sscanf(argv[2], "%zu/%zu", &share, &shares) != 2)
    return std::fputs("drive DRIVEFS SHARE/SHARES [PREFIX...]\n", stderr), 2;
  int passed = 0, failed = 0;
  for (const experiment& e : experiments()) {
    const std::string title = e.title();
    const auto chosen = [&title](const char* prefix) {
      return title.rfind(prefix, 0) == 0;
    };
    if (argc > 3 && std::none_of(argv + 3, argv + argc, chosen)) continue;
    if (number++ % shares != share) continue;
    const std::string wrong = trial(argv[1], e).run();
    ++(wrong.empty() ? passed : failed);
    if (!wrong.empty()) std::printf("failed: %s\n%s", title.c_str(), wrong.c_str());
  }
  std::printf("%d passed, %d failed, 0 skipped\n", passed, failed);
  return failed || !passed;
}
