// kill: downloads that are SIGKILLed once, at a random moment of the call, and made again.
//
//   kill [--rounds N] [--size MB] [--rate MB] [--seed N] [--break WHAT] [--verbose]
//
// A round is one download from nginx, at --rate MB a second (one of four connections gets half of
// it), by libcurl or the curl program, over 1 or 4 connections, in turn. The moment is drawn from
// the whole course of such a call: config, download, sync, store. After the second call
//   - both tiers hold both files, byte for byte, and their receipts;
//   - no partial and no record is left in either, and no process;
//   - over both calls the server sent less than 1.15 times the checkpoint.
// --break WHAT spoils what the killed call left, to see this test fail (run.sh does):
//   lose    the partial is gone, so all is sent again
//   flip    a byte of the partial is another one
//   litter  a partial of nobody appears
// Standard output ends with "N passed, N failed, N skipped", a round each.
#include "vqcache.hpp"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <set>
#include <thread>

#include "../support.hpp"

namespace {

namespace fs = std::filesystem;
using clock_type = std::chrono::steady_clock;

constexpr double most = 1.15;

struct settings {
  int rounds = 100;
  std::uint64_t size = 16, rate = 96;  // MB
  unsigned seed = 1;
  std::string spoil{};
  bool verbose = false;
};

double since(clock_type::time_point start) {
  return std::chrono::duration<double>(clock_type::now() - start).count();
}

void sleep_for(double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

bool ends(const std::string& s, const std::string& with) {
  return s.size() >= with.size() && s.compare(s.size() - with.size(), with.size(), with) == 0;
}

std::vector<fs::path> files_in(const fs::path& directory) {
  std::vector<fs::path> all;
  std::error_code e;
  for (fs::directory_iterator i(directory, e), end; !e && i != end; i.increment(e))
    all.push_back(i->path());
  return all;
}

// no two blocks are equal, so that a byte in the wrong place shows
void make_checkpoint(const fs::path& at, std::uint64_t size) {
  std::string bytes(size, '\0');
  std::uint64_t x = 88172645463325252U;
  for (std::size_t i = 0; i + 8 <= size; i += 8) {
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    std::memcpy(&bytes[i], &x, 8);
  }
  bytes.replace(0, 2, "\x80\x02");  // as a pickle begins
  support::write_file(at, bytes);
}

// whether two files are the same, through the page cache
bool equal(const fs::path& a, const fs::path& b) {
  std::error_code e;
  const std::uint64_t n = fs::file_size(a, e);
  if (e || fs::file_size(b, e) != n || e) return false;
  std::ifstream one(a, std::ios::binary), two(b, std::ios::binary);
  std::vector<char> x(1 << 20), y(1 << 20);
  for (std::uint64_t done = 0; done < n;) {
    const auto want = static_cast<std::streamsize>((std::min)(n - done, std::uint64_t{1} << 20));
    if (!one.read(x.data(), want) || !two.read(y.data(), want)) return false;
    if (std::memcmp(x.data(), y.data(), static_cast<std::size_t>(want)) != 0) return false;
    done += static_cast<std::uint64_t>(want);
  }
  return true;
}

// every process whose parent we are, or became when its own was killed
std::set<pid_t> children() {
  std::set<pid_t> all;
  for (const fs::path& p : files_in("/proc")) {
    const std::string name = p.filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream in(p / "stat");
    const std::string stat{std::istreambuf_iterator<char>(in), {}};
    std::istringstream rest(stat.substr((std::min)(stat.rfind(')') + 1, stat.size())));
    std::string state;
    pid_t parent = 0;
    if (rest >> state >> parent && parent == ::getpid()) all.insert(std::stoi(name));
  }
  return all;
}

// ---- one call, in a process of its own that tells here how far it is

struct whereabouts {
  volatile int phase, checkpoint, whole;  // phase: -1 until something is told
};

whereabouts* shared() {
  static void* const page =
      ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) support::broken("no shared page");
  return static_cast<whereabouts*>(page);
}

const char* const moments[] = {"start", "config", "download", "sync", "store"};

int moment() {
  const whereabouts* w = shared();
  if (w->phase < 0) return 0;
  if (w->phase == static_cast<int>(vqcache::phase::storing)) return 4;
  if (!w->checkpoint) return 1;
  return w->whole ? 3 : 2;
}

struct call {
  std::string transport, config, checkpoint;
  unsigned connections;
  fs::path at;
};

pid_t start(const call& c) {
  shared()->phase = -1, shared()->checkpoint = 0, shared()->whole = 0;
  std::fflush(nullptr);
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  vqcache::options o;
  o.local_dir = c.at / "local", o.cache_dir = c.at / "cache";
  o.transport = c.transport, o.connections = c.connections;
  o.on_message = nullptr;
  o.on_progress = [](const vqcache::progress& p) {
    const bool checkpoint = ends(p.file, ".ckpt");
    if (shared()->checkpoint && !checkpoint) return true;  // they come at the same time
    shared()->checkpoint = checkpoint;
    shared()->whole = p.total > 0 && p.done == p.total;
    shared()->phase = static_cast<int>(p.phase);
    return true;
  };
  const vqcache::result r = vqcache::try_download_vqgan_model("m", c.config, c.checkpoint, o);
  if (!r.ok())
    std::printf("  the call failed: %s\n", r.error.what());
  else if (!r.model.cached)
    std::printf("  the call kept no copy\n");
  std::fflush(nullptr);
  ::_exit(r.ok() && r.model.cached ? 0 : 1);
}

bool finished(pid_t pid, double limit) {  // well, in time
  int state = 0;
  const auto began = clock_type::now();
  while (::waitpid(pid, &state, WNOHANG) == 0) {
    if (since(began) > limit) {
      ::kill(pid, SIGKILL);
      ::waitpid(pid, &state, 0);
      std::printf("  the call did not end within %.0f s\n", limit);
      return false;
    }
    sleep_for(.001);
  }
  return WIFEXITED(state) && WEXITSTATUS(state) == 0;
}

// ---- all of them

class test {
 public:
  test(const settings& s, const fs::path& where, const support::server& from)
      : set_(s),
        where_(where),
        server_(from),
        random_(s.seed),
        bystanders_(children()) {}

  int run() {
    for (int i = 0; i < 4; ++i)
      measure(i);
    for (int i = 0; i < set_.rounds; ++i) {
      round r = one(i);
      if (!r.why.empty())
        std::printf("failed: round %d, %s: %s\n", i, r.title.c_str(), r.why.c_str());
      rounds_.push_back(r);
    }
    return judge();
  }

 private:
  struct round {
    std::string id, title, why;
    int moment = -1;  // -1: it was never killed
    unsigned connections = 1;
    double at = 0;  // of the call's course
  };

  call make_call(int i, const std::string& id) {
    const unsigned connections = i / 2 % 2 ? 4 : 1;
    const std::string speed = std::to_string((set_.rate << 20) / (connections > 1 ? 2 : 1));
    return {i % 2 ? "curl" : "libcurl", server_.url("/model.yaml?" + id),
        server_.url("/paced/" + speed + "/last.ckpt?" + id), connections, where_ / id};
  }

  // how long a call of this kind takes when nobody kills it
  void measure(int i) {
    const call c = make_call(i, "clean" + std::to_string(i));
    const auto began = clock_type::now();
    if (!finished(start(c), 300)) support::broken("a call that nobody disturbs fails");
    course_[i] = since(began);
    fs::remove_all(c.at);
  }

  round one(int i) {
    round r;
    for (int tries = 0; tries < 5; ++tries) {  // until the kill comes before the end
      r = round();
      r.id = "round" + std::to_string(i) + "." + std::to_string(tries) + ".";
      const call c = make_call(i, r.id);
      r.connections = c.connections;
      r.at = std::uniform_real_distribution<double>(0, 1)(random_) * (tries ? .8 : 1);
      const pid_t pid = start(c);
      sleep_for(course_[i % 4] * r.at);
      const int then = moment();
      ::kill(pid, SIGKILL);
      int state = 0;
      ::waitpid(pid, &state, 0);
      if (WIFSIGNALED(state)) r.moment = then;
      r.title = c.transport + ", " + std::to_string(c.connections) + " connections, killed in "
          + (r.moment < 0 ? "vain" : moments[r.moment]);
      if (r.moment >= 0) spoil(c.at / "local");
      const auto began = clock_type::now();
      if (!finished(start(c), 300))
        r.why = "the second call fails";
      else
        r.why = wrong(c.at);
      if (set_.verbose)
        std::printf("  round %d: %s, at %.2f of %.2f s; then %.2f s\n", i, r.title.c_str(), r.at,
            course_[i % 4], since(began));
      if (r.why.empty()) fs::remove_all(c.at);
      if (r.moment >= 0 || !r.why.empty()) break;
    }
    return r;
  }

  void spoil(const fs::path& local) const {
    for (const fs::path& p : files_in(local)) {
      std::error_code e;
      const bool part = ends(p.string(), ".part"), record = ends(p.string(), ".record");
      if (set_.spoil == "lose" && (part || record)) fs::remove(p, e);
      if (set_.spoil == "flip" && part && fs::file_size(p, e) > 1000) {
        std::fstream f(p, std::ios::in | std::ios::out | std::ios::binary);
        f.seekp(500).put('!').put('?');
      }
    }
    if (set_.spoil == "litter")
      support::write_file(local / ".m.ckpt.0123456789abcdef.part", "what nobody wants");
  }

  // why the two tiers are not as they must be after a call; empty: they are
  std::string wrong(const fs::path& at) {
    for (const fs::path& tier : {at / "local", at / "cache" / "m"}) {
      if (!equal(tier / "m.yaml", where_ / "served" / "model.yaml"))
        return "a wrong config in " + tier.string();
      if (!equal(tier / "m.ckpt", where_ / "served" / "last.ckpt"))
        return "a wrong checkpoint in " + tier.string();
      if (!fs::exists(tier / "m.sha256")) return "no receipt in " + tier.string();
      for (const fs::path& p : files_in(tier))
        if (ends(p.string(), ".part") || ends(p.string(), ".record"))
          return p.string() + " is left";
    }
    const auto began = clock_type::now();
    std::set<pid_t> left;
    do {  // a curl whose owner was killed ends when it has something to say
      left = children();
      for (pid_t p : bystanders_)
        left.erase(p);
      for (pid_t p : left)
        ::waitpid(p, nullptr, WNOHANG);
      if (!left.empty()) sleep_for(.01);
    } while (!left.empty() && since(began) < 5);
    return left.empty() ? "" : "process " + std::to_string(*left.begin()) + " is left";
  }

  std::string settled_log() const {  // nginx writes a line when it has noticed that nobody listens
    std::string log = server_.log_text(), before;
    do {
      before = log;
      sleep_for(.5);
      log = server_.log_text();
    } while (log != before);
    return log;
  }

  int judge() {
    std::map<std::string, std::uint64_t> sent;
    std::istringstream log(settled_log());
    for (std::string line; std::getline(log, line);) {
      std::istringstream words(line);
      std::string method, target, status;
      std::uint64_t bytes = 0;
      words >> method >> target >> status >> bytes;
      if (target.find("last.ckpt?") != std::string::npos)
        sent[target.substr(target.find('?') + 1)] += bytes;
    }

    struct figures {
      int n = 0;
      double sum = 0, worst = 0;
    };

    std::map<std::pair<unsigned, int>, figures> table;
    int passed = 0, failed = 0, in_vain = 0, downloads = 0;
    for (round& r : rounds_) {
      const double times = double(sent[r.id]) / double(set_.size << 20);
      if (r.why.empty() && (times < 1 || times >= most)) {
        char text[64];
        std::snprintf(text, sizeof text, "the server sent %.3f times the file", times);
        r.why = text;
        std::printf("failed: %s, at %.2f of its course: %s\n", r.title.c_str(), r.at, text);
      }
      ++(r.why.empty() ? passed : failed);
      if (r.moment < 0) {
        ++in_vain;
        continue;
      }
      downloads += r.moment == 2;
      figures& f = table[{r.connections, r.moment}];
      ++f.n, f.sum += times, f.worst = (std::max)(f.worst, times);
    }
    for (const auto& [key, f] : table)
      std::printf(
          "%u connection%s killed in %-8s %3d times: sent %.3f times the file, %.3f at worst\n",
          key.first, key.first == 1 ? ", " : "s,", moments[key.second], f.n, f.sum / f.n, f.worst);
    if (in_vain * 10 > set_.rounds || (set_.rounds >= 20 && downloads * 4 < set_.rounds)) {
      std::printf("failed: %d were never killed, %d in the download: this proves too little\n",
          in_vain, downloads);
      ++failed;
    }
    std::printf("%d passed, %d failed, 0 skipped\n", passed, failed);
    return failed || !passed ? 1 : 0;
  }

  settings set_;
  fs::path where_;
  const support::server& server_;
  std::mt19937 random_;
  std::set<pid_t> bystanders_;
  double course_[4] = {};
  std::vector<round> rounds_{};
};

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 8192);
  settings s;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i], value = i + 1 < argc ? argv[i + 1] : "";
    if (name == "--verbose") {
      s.verbose = true;
      continue;
    }
    ++i;
    if (name == "--break")
      s.spoil = value;
    else if (name == "--rounds")
      s.rounds = std::atoi(value.c_str());
    else if (name == "--size")
      s.size = std::strtoull(value.c_str(), nullptr, 10);
    else if (name == "--rate")
      s.rate = std::strtoull(value.c_str(), nullptr, 10);
    else if (name == "--seed")
      s.seed = static_cast<unsigned>(std::atoi(value.c_str()));
    else
      return std::fprintf(stderr, "unknown: %s\n", name.c_str()), 2;
  }
  for (const char* v :
      {"http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY",
          "VQCACHE_OFFLINE", "VQCACHE_TRANSPORT", "VQCACHE_LOCAL_DIR", "VQCACHE_CACHE_DIR"})
    ::unsetenv(v);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);  // what a killed call leaves becomes ours
  const support::temp_dir where;
  support::write_file(where / "served" / "model.yaml",
      "model:\n  target: taming.models.vqgan.VQModel\n  params:\n    n_embed: 1024\n");
  make_checkpoint(where / "served" / "last.ckpt", s.size << 20);
  const support::server nginx = support::nginx(where / "served");
  if (!nginx.runs()) {
    support::skipped(nginx.why());
    std::printf("0 passed, 0 failed, 1 skipped\n");
    return 0;
  }
  return test(s, where.path(), nginx).run();
}
