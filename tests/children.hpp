// children.hpp: what the tests of transports, secrets, concurrency, hits and large files share.
//
// Every call of the library that a test judges runs in a process of its own, so that a test can set
// its environment, kill it, count what it left behind and end it when it hangs.  A forked child is
// enough for most; what needs a fresh program (strace, LD_PRELOAD, peak memory) runs this very
// program again with a role, which ends before main().
#ifndef VQCACHE_TESTS_CHILDREN_HPP
#define VQCACHE_TESTS_CHILDREN_HPP

#include "vqcache.hpp"

#include <doctest/doctest.h>

#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <iostream>
#include <set>
#include <thread>

#include "support.hpp"
#include "transfer/fetching.hpp"

namespace children {

namespace fs = std::filesystem;
using support::first_name;
using support::hostile;
using support::lacks;
using support::names_in;
using support::part;
using support::skipped;
using support::tests_dir;
using seconds = std::chrono::duration<double>;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool sanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) \
    || __has_feature(memory_sanitizer)
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif
#else
inline constexpr bool sanitized = false;
#endif

// ---- small things -------------------------------------------------------------------------------

inline double since(std::chrono::steady_clock::time_point start) {
  return seconds(std::chrono::steady_clock::now() - start).count();
}

inline void sleep_ms(int ms) {
  std::this_thread::sleep_for(std::chrono::milliseconds(ms));
}

template <class F>
bool wait_until(const F& f, double limit = 20) {
  const auto start = std::chrono::steady_clock::now();
  while (!f()) {
    if (since(start) > limit) return false;
    sleep_ms(5);
  }
  return true;
}

inline std::string slurp(const fs::path& p) {  // empty when it is not there
  std::ifstream in(p, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
}

using support::write_file;

inline bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

inline std::string joined(const std::vector<std::string>& lines) {
  std::string all;
  for (const std::string& line : lines)
    all += line + "\n";
  return all;
}

inline fs::path find_in_path(const std::string& program) {
  std::istringstream in(std::getenv("PATH") ? std::getenv("PATH") : "/usr/bin:/bin");
  for (std::string at; std::getline(in, at, ':');)
    if (::access((fs::path(at) / program).c_str(), X_OK) == 0) return fs::path(at) / program;
  return {};
}

class scratch : public support::temp_dir {
 public:
  fs::path fresh() {  // a new directory inside
    const fs::path p = *this / std::to_string(++count_);
    fs::create_directories(p);
    return p;
  }

 private:
  int count_ = 0;
};

// ---- programs -----------------------------------------------------------------------------------

using environment = std::map<std::string, std::string>;  // empty value: unset

inline void set(const environment& changes) {
  for (const auto& [name, value] : changes) {
    if (value.empty())
      ::unsetenv(name.c_str());
    else
      ::setenv(name.c_str(), value.c_str(), 1);
  }
}

inline void redirect(int fd, const fs::path& to) {
  const int f = ::open(to.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (f < 0 || ::dup2(f, fd) < 0) ::_exit(120);
  ::close(f);
}

class program {  // a program that is ended with its owner
 public:
  program() = default;
  program(const program&) = delete;
  program& operator=(const program&) = delete;

  ~program() { (void)stop(SIGKILL); }

  // out and err: files that get its output; empty: where ours goes. in: a pipe that we keep open
  void start(const std::vector<std::string>& argv, const environment& changes = {},
      const fs::path& out = {}, const fs::path& err = {}, const fs::path& where = {}) {
    int in[2];
    if (::pipe2(in, O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    std::cout.flush();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(in[0], 0);
      if (!out.empty()) redirect(1, out);
      if (!err.empty()) redirect(2, err);
      set(changes);
      if (!where.empty() && ::chdir(where.c_str()) != 0) ::_exit(121);
      std::vector<char*> args;
      for (const std::string& a : argv)
        args.push_back(const_cast<char*>(a.c_str()));
      args.push_back(nullptr);
      ::execvp(args[0], args.data());
      ::_exit(127);
    }
    ::close(in[0]);
    in_ = in[1];
  }

  pid_t pid() const { return pid_; }

  void signal(int number) const {
    if (pid_ > 0) ::kill(pid_, number);  // -1 would be every process
  }

  // its wait status, or -1 when it did not end in time and was killed
  int wait(double limit) {
    int state = 0;
    if (pid_ <= 0) return -1;
    const bool ended = wait_until([&] { return ::waitpid(pid_, &state, WNOHANG) == pid_; }, limit);
    if (!ended) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, &state, 0);
    }
    forget();
    return ended ? state : -1;
  }

  int stop(int number) {
    if (pid_ <= 0) return 0;
    ::kill(pid_, SIGCONT);
    ::kill(pid_, number);
    int state = 0;
    ::waitpid(pid_, &state, 0);
    forget();
    return state;
  }

 private:
  void forget() {
    if (in_ >= 0) ::close(in_);
    pid_ = -1, in_ = -1;
  }

  pid_t pid_ = -1;
  int in_ = -1;
};

// runs to its end; true: exit code 0
inline bool run(const std::vector<std::string>& argv, const fs::path& output = "/dev/null",
    double limit = 60, const environment& changes = {}) {
  program p;
  p.start(argv, changes, output, output);
  const int state = p.wait(limit);
  return state != -1 && WIFEXITED(state) && WEXITSTATUS(state) == 0;
}

// ---- the servers --------------------------------------------------------------------------------

inline int connect_to(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
    ::close(fd);
    return -1;
  }
  return fd;
}

struct right {  // the only bytes that may stand under the final names
  std::string yaml, ckpt;
};

// the pair that hostile.py serves, as a plain client gets it: not told by the library under test
inline const right& v1() {
  static const right pair = [] {
    right r{support::get(hostile().port("plain"), "/good/reference/model.yaml"),
        support::get(hostile().port("plain"), "/good/reference/last.ckpt")};
    if (std::to_string(r.ckpt.size()) != hostile().fact("size")) support::broken("hostile.py");
    return r;
  }();
  return pair;
}

inline std::string get(const std::string& target) {
  return support::get(hostile().port("plain"), target);
}

// whether a request for the path (or prefix and *) had a header "name: value" with this in it
inline bool server_saw(const std::string& path, const std::string& text) {
  for (const support::seen& s : hostile().log(path))
    for (const auto& [name, value] : s.headers)
      if (has(name + ": " + value, text)) return true;
  return false;
}

// a server of ours that says what a function says: one connection after the other, in a child
class small_server {
 public:
  enum class first { hears, speaks };

  explicit small_server(
      const std::function<std::string(const std::string&)>& answer, first what = first::hears) {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof at;
    if (::bind(listener, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0
        || ::listen(listener, 64) != 0
        || ::getsockname(listener, reinterpret_cast<sockaddr*>(&at), &length) != 0)
      throw std::runtime_error("cannot listen");
    port_ = ntohs(at.sin_port);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::signal(SIGPIPE, SIG_IGN);
      for (;;) {
        const int c = ::accept(listener, nullptr, nullptr);
        std::string ask;
        char block[4096];
        while (what == first::hears && !has(ask, "\r\n\r\n")) {
          const ssize_t n = ::recv(c, block, sizeof block, 0);
          if (n <= 0) break;
          ask.append(block, static_cast<std::size_t>(n));
        }
        const std::string all = answer(ask);
        for (std::size_t done = 0; done < all.size();) {
          const ssize_t n = ::send(c, all.data() + done, all.size() - done, 0);
          if (n <= 0) break;
          done += static_cast<std::size_t>(n);
        }
        ::shutdown(c, SHUT_WR);
        while (::recv(c, block, sizeof block, 0) > 0) {}
        ::close(c);
      }
    }
    ::close(listener);
  }

  small_server(const small_server&) = delete;
  small_server& operator=(const small_server&) = delete;

  ~small_server() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  int port() const { return port_; }

  std::string url(const std::string& path) const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }

 private:
  pid_t pid_ = -1;
  int port_ = 0;
};

// the transports to try: libcurl and the program curl, or the one that VQCACHE_TRANSPORT asks for;
// "fetch" is options::fetch with the client of transfer/fetching.hpp
inline std::vector<std::string> transports() {
  const char* one = std::getenv("VQCACHE_TRANSPORT");
  if (one && *one) return {one};
  return {"libcurl", "curl"};
}

inline const std::string by_fetch = "fetch";

// for a case that cannot be asked of options::fetch: says why
inline bool not_over_fetch(const std::string& why) {
  if (transports().front() != by_fetch) return false;
  skipped("not over options::fetch: " + why);
  return true;
}

// ---- one call in a child ------------------------------------------------------------------------

struct outcome {
  bool finished = false;  // the call came back at all
  int code = -1;          // 0: success
  std::string what, noise, disorder, note;
  std::vector<std::string> messages;
  int from = -1;
  bool cached = false;
  double took = 0;

  bool ok() const { return finished && code == 0; }

  bool failed(vqcache::errc e) const { return finished && code == static_cast<int>(e); }

  std::string said() const { return joined(messages); }
};

inline const char* name_of(int code) {
  static constexpr const char* names[] = {"success", "invalid_argument", "unknown_model",
      "name_taken", "directory_missing", "permission_denied", "no_space", "offline", "no_transport",
      "connection", "tls", "http_status", "not_the_file", "truncated", "hash_mismatch", "callback",
      "cancelled", "interrupted", "timed_out", "io"};
  return code >= 0 && code < 20 ? names[code] : "nothing";
}

inline std::string describe(const outcome& o) {
  return !o.finished ? "the call did not come back" + (o.noise.empty() ? "" : ": " + o.noise)
                     : std::string(name_of(o.code)) + ": " + o.what + "\n" + o.said();
}

inline void save(const outcome& o, const fs::path& to) {
  std::ostringstream out;
  const auto put = [&](const std::string& s) {
    out << s.size() << '\n' << s;
  };
  put(std::to_string(o.code)), put(o.what), put(o.disorder), put(o.note);
  put(std::to_string(o.from)), put(o.cached ? "1" : "0"), put(std::to_string(o.took));
  for (const std::string& m : o.messages)
    put(m);
  write_file(to, out.str());
}

inline outcome load(const fs::path& from) {
  std::istringstream in(slurp(from));
  std::vector<std::string> fields;
  std::size_t n = 0;
  while (in >> n) {
    in.get();
    std::string s(n, '\0');
    in.read(&s[0], static_cast<std::streamsize>(n));
    fields.push_back(s);
  }
  outcome o;
  if (fields.size() < 7) return o;
  o.finished = true;
  o.code = std::stoi(fields[0]), o.what = fields[1], o.disorder = fields[2], o.note = fields[3];
  o.from = std::stoi(fields[4]), o.cached = fields[5] == "1", o.took = std::stod(fields[6]);
  o.messages.assign(fields.begin() + 7, fields.end());
  return o;
}

// "NUMBER WHAT" for each descriptor that is open
inline std::vector<std::string> descriptors_here() {
  std::vector<std::string> all;
  // the directory itself is closed before its numbers are looked at
  for (const std::string& n : names_in("/proc/self/fd")) {
    std::error_code e;
    const fs::path to = fs::read_symlink("/proc/self/fd/" + n, e);
    if (!e) all.push_back(n + " " + to.string());
  }
  if (!all.empty()) return all;

  for (int fd = 0; fd < 4096; ++fd) {  // there is no /proc
    struct stat is{};
    if (::fstat(fd, &is) != 0) continue;
    all.push_back(std::to_string(fd) + " inode " + std::to_string(is.st_dev) + ":"
        + std::to_string(is.st_ino));
  }
  return all;
}

// What a process has open, and how it takes signals: a call must leave all of it as it was. Without
// /proc no thread is seen; the tests of hits say so.
struct posture {
  std::vector<std::string> descriptors;
  std::size_t threads = 0;
  struct sigaction on_pipe{};
  sigset_t blocked;

  posture() {
    descriptors = descriptors_here();
    // ThreadSanitizer's runtime starts a thread of its own beside the first of ours; a thread that
    // was joined may be listed for a moment more
    if (sanitized) {
      pid_t id = 0;
      std::thread([&id] { id = static_cast<pid_t>(::syscall(SYS_gettid)); }).join();
      (void)wait_until([id] { return !fs::exists("/proc/self/task/" + std::to_string(id)); }, 2);
    }
    threads = names_in("/proc/self/task").size();
    ::sigaction(SIGPIPE, nullptr, &on_pipe);
    sigemptyset(&blocked);
    ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
  }
};

inline std::string disorder(const posture& before) {
  posture after;
  std::string found;
  (void)wait_until(
      [&] { return (after.threads = names_in("/proc/self/task").size()) <= before.threads; }, 2);
  if (before.descriptors != after.descriptors)
    found +=
        "descriptors were\n" + joined(before.descriptors) + "and are\n" + joined(after.descriptors);
  if (before.threads != after.threads) found += "threads: " + std::to_string(after.threads) + "\n";
  if (before.on_pipe.sa_handler != after.on_pipe.sa_handler) found += "SIGPIPE's disposition\n";
  for (int s = 1; s < 32; ++s)
    if (sigismember(&before.blocked, s) != sigismember(&after.blocked, s))
      found += "signal " + std::to_string(s) + " in the mask\n";
  siginfo_t left{};
  if (::waitid(P_ALL, 0, &left, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD)
    found += "a child process is left\n";
  return found;
}

struct plan {  // a call as a child makes it
  std::string name = "m";
  vqcache::source config, checkpoint;
  vqcache::options opts{};
  fs::path where;  // its working directory; the tiers are local and cache in it unless opts say so
  environment env{};
  bool by_client = false;  // over options::fetch, with the client of transfer/fetching.hpp
};

// what a person set for his own curl and his own models is not part of a test
inline environment clean(const environment& more = {}) {
  environment e = more;
  for (const char* v : {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY",
           "no_proxy", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE",
           "VQCACHE_OFFLINE", "VQCACHE_TRANSPORT", "VQCACHE_LOCAL_DIR", "VQCACHE_CACHE_DIR"})
    e.emplace(v, "");
  return e;
}

inline plan call_of(const fs::path& where, const std::string& transport,
    const vqcache::source& config, const vqcache::source& checkpoint) {
  plan p;
  p.where = where;
  p.config = config, p.checkpoint = checkpoint;
  p.opts.local_dir = where / "local", p.opts.cache_dir = where / "cache";
  p.by_client = transport == by_fetch;
  p.opts.transport = p.by_client ? "" : transport;
  p.opts.on_message = [](const std::string&) {
  };
  p.opts.max_bytes = 8 << 20;
  p.opts.connect_seconds = 10, p.opts.stall_seconds = 10;
  p.env = clean();
  return p;
}

// The options that a call is made with. The client is told the limits of time as they are by now: it
// is its own affair to keep them.
inline vqcache::options options_of(const plan& p) {
  vqcache::options o = p.opts;
  if (p.by_client) o.fetch = fetching::client({o.connect_seconds, o.stall_seconds});
  return o;
}

// makes the call here; messages are also appended to the file `said`, where others can watch
inline outcome make(const plan& p) {
  outcome o;
  const posture before;
  const auto start = std::chrono::steady_clock::now();
  vqcache::options opts = options_of(p);
  const auto also = p.opts.on_message;
  const bool silent = !also;
  opts.on_message = [&](const std::string& line) {
    o.messages.push_back(line);
    if (const int f = ::open((p.where / "said").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
        f >= 0) {
      (void)!::write(f, (line + "\n").data(), line.size() + 1);
      ::close(f);
    }
    if (also) also(line);
  };
  if (silent) opts.on_message = {};
  const vqcache::result r = vqcache::try_download_vqgan_model(p.name, p.config, p.checkpoint, opts);
  o.took = since(start);
  o.disorder = disorder(before);
  o.finished = true;
  o.code = r.error.code().value();
  o.what = r.ok() ? "" : r.error.what();
  o.from = static_cast<int>(r.model.from);
  o.cached = r.model.cached;
  return o;
}

class child {  // runs a function in a forked process and brings its outcome
 public:
  child() = default;

  child(child&& other) noexcept { *this = std::move(other); }

  child& operator=(child&& other) noexcept {
    std::swap(pid_, other.pid_), std::swap(where_, other.where_), std::swap(until_, other.until_);
    return *this;
  }

  ~child() {
    if (pid_ > 0) (void)end();
  }

  child(const fs::path& where, const environment& env, const std::function<outcome()>& act,
      double limit = 60)
      : where_(where),
        until_(std::chrono::steady_clock::now()
            + std::chrono::duration_cast<std::chrono::steady_clock::duration>(seconds(limit))) {
    fs::create_directories(where);
    std::cout.flush();
    pid_ = ::fork();
    if (pid_ != 0) return;
    redirect(1, where / "noise");
    redirect(2, where / "noise");
    set(env);
    if (::chdir(where.c_str()) != 0) ::_exit(121);
    try {
      save(act(), where / "outcome");
    } catch (const std::exception& e) {
      std::fprintf(stderr, "the child threw %s\n", e.what());
    } catch (...) {
      std::fprintf(stderr, "the child threw\n");
    }
    std::fflush(nullptr);
    ::_exit(0);
  }

  explicit child(const plan& p, double limit = 60)
      : child(p.where, p.env, [p] { return make(p); }, limit) {}

  pid_t pid() const { return pid_; }

  bool running() {  // false also when it was killed for taking too long
    if (pid_ <= 0) return false;
    if (::waitpid(pid_, nullptr, WNOHANG) == pid_) return pid_ = -1, false;
    if (std::chrono::steady_clock::now() > until_) end();
    return pid_ > 0;
  }

  void signal(int number) const {
    if (pid_ > 0) ::kill(pid_, number);  // -1 would be every process
  }

  void end() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

  outcome result() {
    while (running())
      sleep_ms(2);
    outcome o = load(where_ / "outcome");
    o.noise = slurp(where_ / "noise");
    return o;
  }

  std::string said() const { return slurp(where_ / "said"); }

 private:
  pid_t pid_ = -1;
  fs::path where_;
  std::chrono::steady_clock::time_point until_{};
};

inline outcome call(const plan& p, double limit = 60) {
  return child(p, limit).result();
}

// many calls, some of them at once; each is judged here as it ends
struct job {
  std::string title;
  plan what;
  std::function<void(const outcome&)> judge;
  std::function<outcome()> act{};  // in place of the plain call
};

inline void run_all(const std::vector<job>& jobs, std::size_t at_once = 24, double limit = 90) {
  std::vector<std::pair<const job*, child>> running;
  for (std::size_t next = 0; next < jobs.size() || !running.empty();) {
    while (next < jobs.size() && running.size() < at_once) {
      const job& j = jobs[next];
      running.emplace_back(
          &j, j.act ? child(j.what.where, j.what.env, j.act, limit) : child(j.what, limit));
      ++next;
    }
    for (std::size_t i = 0; i < running.size();) {
      if (running[i].second.running()) {
        ++i;
        continue;
      }
      const job& j = *running[i].first;
      const outcome o = running[i].second.result();
      running.erase(running.begin() + static_cast<std::ptrdiff_t>(i));
      INFO(j.title);
      j.judge(o);
    }
    sleep_ms(2);
  }
}

// ---- what holds after every call ----------------------------------------------------------------

inline bool absent_or(const fs::path& p, const std::string& content) {
  return !fs::exists(fs::symlink_status(p)) || slurp(p) == content;
}

inline void check_invariants(const plan& p, const outcome& o, const right& files) {
  INFO(describe(o));
  CHECK_MESSAGE(o.finished, "the call must come back");
  CHECK_MESSAGE(o.noise.empty(), "nothing but on_message speaks, but there was: ", o.noise);
  CHECK_MESSAGE(o.disorder.empty(), "left behind: ", o.disorder);
  const fs::path &local = p.opts.local_dir, cache = p.opts.cache_dir / p.name;
  for (const fs::path& at : {local, cache}) {
    CHECK_MESSAGE(
        absent_or(at / (p.name + ".yaml"), files.yaml), "a wrong config in ", at.string());
    CHECK_MESSAGE(
        absent_or(at / (p.name + ".ckpt"), files.ckpt), "a wrong checkpoint in ", at.string());
    for (const std::string& n : names_in(at)) {
      const bool known = n == p.name + ".yaml" || n == p.name + ".ckpt" || n == p.name + ".sha256"
          || n.compare(0, p.name.size() + 1, "." + p.name) == 0;
      CHECK_MESSAGE(known, "nobody asked for ", n, " in ", at.string());
    }
  }
  for (const std::string& n : names_in(p.where))
    CHECK_MESSAGE((n == "local" || n == "cache" || n == "outcome" || n == "noise" || n == "said"
                      || n == "home"),
        "nobody asked for ", n);
  if (o.ok()) {
    for (const fs::path& at : {local, cache})
      CHECK_MESSAGE((fs::exists(at / (p.name + ".yaml")) && fs::exists(at / (p.name + ".ckpt"))),
          "success, but a file is missing in ", at.string());
    CHECK(o.cached);
  } else if (o.finished) {
    CHECK_MESSAGE(o.what.size() > 20, "an error must explain itself: ", o.what);
  }
  for (const std::string& text : {o.what, o.said()})
    for (char c : text)
      if ((static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7f) {
        CHECK_MESSAGE(false, "a control character reaches the terminal: ", text);
        break;
      }
}

// ---- roles: this program run again --------------------------------------------------------------

struct role {
  role(const char* name, int (*act)()) {
    const char* asked = std::getenv("VQCACHE_TEST_ROLE");
    if (asked && std::string(asked) == name) ::_exit(act());
  }
};

// of this program alone: what was there before exec does not count
inline long peak_kib() {
  std::istringstream in(slurp("/proc/self/status"));
  for (std::string word; in >> word;) {
    if (word != "VmHWM:") continue;
    in >> word;
    return std::stol(word);
  }
  return -1;
}

// This program, as the kernel was told of it: /proc may not be there.
inline const fs::path started_as =
    fs::absolute(reinterpret_cast<const char*>(::getauxval(AT_EXECFN)));

inline std::string self() {
  return started_as.string();
}

}  // namespace children

#endif
