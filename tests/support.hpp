// What suites with real servers share: scratch directories, the servers of tests/servers and their
// control channel, models, an independent SHA-256, environment and programs.
// Include it after vqcache.hpp (its `box` needs the library) and doctest. POSIX with /bin/sh.
#ifndef VQCACHE_TESTS_SUPPORT_HPP
#define VQCACHE_TESTS_SUPPORT_HPP

#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <spawn.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

extern char** environ;

namespace support {

namespace fs = std::filesystem;

// A broken test environment ends the test here, in builds without exceptions the whole program.
[[noreturn]] inline void broken(const std::string& why) {
#if defined(__cpp_exceptions)
  throw std::runtime_error(why);
#else
  std::fprintf(stderr, "%s\n", why.c_str());
  std::abort();
#endif
}

inline void skipped(const std::string& why) {
  std::printf("skipped: %s\n", why.c_str());
  std::fflush(stdout);
}

// What a test leaves out of what it asks otherwise; unlike `skipped` it does not say that nothing was
// tested.
inline void noted(const std::string& what) {
  std::printf("note: %s\n", what.c_str());
  std::fflush(stdout);
}

// ---- what a container or a chroot may lack ------------------------------------------------------

enum class part { proc, terminal, fuse, users };

inline bool has_terminals() {
  const int master = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0) return false;
  const bool is_ready = ::grantpt(master) == 0 && ::unlockpt(master) == 0;
  const char* name = is_ready ? ::ptsname(master) : nullptr;
  const int other = name ? ::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC) : -1;
  if (other >= 0) ::close(other);
  ::close(master);
  return other >= 0;
}

// Whether root can become another user: where one user alone is mapped, it cannot.
inline bool has_users() {
  if (::geteuid() != 0) return true;
  const pid_t pid = ::fork();
  if (pid == 0)
    ::_exit(::setgroups(0, nullptr) == 0 && ::setgid(65534) == 0 && ::setuid(65534) == 0 ? 0 : 1);
  int state = 0;
  return pid > 0 && ::waitpid(pid, &state, 0) == pid && WIFEXITED(state) && WEXITSTATUS(state) == 0;
}

inline std::string why_missing(part what) {  // empty: it is here
  if (what == part::proc) return ::access("/proc/self/stat", R_OK) == 0 ? "" : "no /proc here";
  if (what == part::terminal)
    return has_terminals() ? "" : "no pseudo-terminal here (/dev/ptmx, /dev/pts)";
  if (what == part::users)
    return has_users() ? "" : "root cannot become another user here, whom permissions bind";
  return ::access("/dev/fuse", R_OK | W_OK) == 0 ? "" : "no /dev/fuse here";
}

// For a test that cannot do without: where it is missing, that is said, and the test is over.
inline bool lacks(part what) {
  const std::string why = why_missing(what);
  if (!why.empty()) skipped(why);
  return !why.empty();
}

// The descriptors that are open, without memory and without /proc.
inline std::size_t open_descriptors() {
  const int all = static_cast<int>((std::min)(::sysconf(_SC_OPEN_MAX), 4096L));
  std::size_t n = 0;
  for (int fd = 0; fd < all; ++fd)
    if (::fcntl(fd, F_GETFD) != -1) ++n;
  return n;
}

inline std::string lower(std::string s) {  // of ASCII
  for (char& c : s)
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return s;
}

inline bool is_utf8(const std::string& s) {  // by a look at lead and continuation bytes
  for (std::size_t i = 0; i < s.size();) {
    const auto c = static_cast<unsigned char>(s[i++]);
    if (c >= 0x80 && c < 0xc2) return false;
    for (int more = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3; more > 0; --more, ++i)
      if (i >= s.size() || (static_cast<unsigned char>(s[i]) & 0xc0) != 0x80) return false;
  }
  return true;
}

inline bool has_control_characters(const std::string& s) {
  for (const char c : s) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) return true;
  }
  return false;
}

// The directory of the tests: the build says it, or else the place of this file.
inline fs::path tests_dir() {
#ifdef VQCACHE_TEST_DIR
  return VQCACHE_TEST_DIR;
#else
  return fs::absolute(fs::path(__FILE__)).parent_path();
#endif
}

// ---- files and directories ----------------------------------------------------------------------

inline std::string read_file(const fs::path& p) {
  std::ifstream in(p, std::ios::binary);
  if (!in) broken("cannot read " + p.string());
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void write_file(const fs::path& p, const std::string& bytes) {
  if (p.has_parent_path()) fs::create_directories(p.parent_path());
  std::ofstream out(p, std::ios::binary | std::ios::trunc);
  if (!out.write(bytes.data(), static_cast<std::streamsize>(bytes.size())).flush())
    broken("cannot write " + p.string());
}

inline std::vector<std::string> names_in(const fs::path& directory) {
  std::vector<std::string> names;
  std::error_code e;
  for (const auto& i : fs::directory_iterator(directory, e))
    names.push_back(i.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

// the first name with this start and end; empty: there is none
inline std::string first_name(
    const fs::path& directory, const std::string& start, const std::string& end) {
  for (const std::string& n : names_in(directory))
    if (n.size() >= start.size() + end.size() && n.compare(0, start.size(), start) == 0
        && n.compare(n.size() - end.size(), end.size(), end) == 0)
      return n;
  return {};
}

// A directory of its own that goes with the object. It stays when an exception (a failed REQUIRE)
// ends the test and VQCACHE_TEST_KEEP is set, and always when that is `all`; then it says where.
class temp_dir {
 public:
  temp_dir() : owner_(::getpid()), flying_(std::uncaught_exceptions()) {
    std::string name = (fs::temp_directory_path() / "vqcache-test-XXXXXX").string();
    if (!::mkdtemp(&name[0])) broken("cannot make " + name);
    path_ = fs::canonical(name);
  }

  temp_dir(const temp_dir&) = delete;
  temp_dir& operator=(const temp_dir&) = delete;

  ~temp_dir() {
    if (owner_ != ::getpid()) return;  // a forked child removes nothing
    const char* keep = std::getenv("VQCACHE_TEST_KEEP");
    if (keep && (std::string(keep) == "all" || std::uncaught_exceptions() > flying_)) {
      std::printf("kept: %s\n", path_.c_str());
      return;
    }
    std::error_code e;  // a test may have taken away permissions
    for (fs::recursive_directory_iterator i(path_, e), end; !e && i != end; i.increment(e))
      if (i->is_directory(e) && !i->is_symlink(e)) fs::permissions(i->path(), fs::perms(0700), e);
    fs::remove_all(path_, e);
  }

  const fs::path& path() const { return path_; }

  fs::path operator/(const fs::path& p) const { return path_ / p; }

 private:
  fs::path path_;
  pid_t owner_;
  int flying_;
};

// ---- programs and the environment ---------------------------------------------------------------

struct ran {
  int code = -1;         // -N: ended by signal N
  std::string output{};  // both standard output and standard error
};

inline ran run(const std::string& command) {
  ran r;
  std::FILE* p = ::popen(("{ " + command + "\n} 2>&1").c_str(), "re");
  if (!p) broken("cannot run " + command);
  char block[4096];
  for (std::size_t n; (n = std::fread(block, 1, sizeof block, p)) > 0;)
    r.output.append(block, n);
  const int status = ::pclose(p);
  r.code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return r;
}

inline std::string quoted(const std::string& s) {  // for the shell
  std::string q = "'";
  for (char c : s)
    q += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return q + "'";
}

// by a program that is not ours
inline std::string sha256_file(const fs::path& p) {
  return run("sha256sum < " + quoted(p.string())).output.substr(0, 64);
}

inline std::string sha256(const std::string& bytes) {
  const temp_dir d;
  write_file(d / "x", bytes);
  return sha256_file(d / "x");
}

// Sets a variable (nullptr: unsets it) while it lives.
class env_guard {
 public:
  env_guard(std::string name, const char* value) : name_(std::move(name)) {
    const char* old = std::getenv(name_.c_str());
    if ((had_ = old != nullptr)) old_ = old;
    put(value);
  }

  env_guard(std::string name, const std::string& v) : env_guard(std::move(name), v.c_str()) {}

  env_guard(const env_guard&) = delete;
  env_guard& operator=(const env_guard&) = delete;

  ~env_guard() { put(had_ ? old_.c_str() : nullptr); }

 private:
  void put(const char* v) { v ? ::setenv(name_.c_str(), v, 1) : ::unsetenv(name_.c_str()); }

  std::string name_, old_{};
  bool had_ = false;
};

// ---- servers ------------------------------------------------------------------------------------

// Sends the bytes to 127.0.0.1:port and gives all that comes back until the connection ends.
inline std::string exchange(int port, const std::string& request) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const timeval limit{60, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);

  std::string all;
  bool goes_on = ::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
  for (std::size_t sent = 0; goes_on && sent < request.size();) {
    const ssize_t n = ::send(fd, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
    goes_on = n > 0;
    sent += n > 0 ? static_cast<std::size_t>(n) : 0;
  }

  char block[65536];
  while (goes_on) {
    const ssize_t n = ::recv(fd, block, sizeof block, 0);
    if (n < 0 && errno == EINTR) continue;
    goes_on = n > 0;
    all.append(block, n > 0 ? static_cast<std::size_t>(n) : 0);
  }
  ::close(fd);
  return all;
}

// GET http://127.0.0.1:port/target by a bare socket; the body (of any status)
inline std::string get(int port, const std::string& target, int* status = nullptr) {
  const std::string ask = "GET " + target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  const std::string all = exchange(port, ask);
  const std::size_t body = all.find("\r\n\r\n");
  if (body == std::string::npos) broken("no answer to GET " + target);
  if (status) *status = std::atoi(all.c_str() + 9);
  return all.substr(body + 4);
}

// A script of tests/servers; it lives until this object goes or this process dies.
class server {
 public:
  server(const std::string& script, std::vector<std::string> arguments, int start_seconds = 60)
      : owner_(::getpid()) {
    arguments.insert(arguments.begin(), {"python3", (tests_dir() / "servers" / script).string()});
    std::vector<char*> argv;
    for (std::string& a : arguments)
      argv.push_back(&a[0]);
    argv.push_back(nullptr);
    int in[2], out[2];  // close-on-exec: no other child may keep the server alive
    if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) broken("no pipe");
    posix_spawn_file_actions_t acts;
    ::posix_spawn_file_actions_init(&acts);
    ::posix_spawn_file_actions_adddup2(&acts, in[0], 0);
    ::posix_spawn_file_actions_adddup2(&acts, out[1], 1);
    const int failed = ::posix_spawnp(&pid_, "python3", &acts, nullptr, argv.data(), environ);
    ::posix_spawn_file_actions_destroy(&acts);
    ::close(in[0]);
    ::close(out[1]);
    stop_ = in[1];
    if (failed) broken("no python3: " + std::string(std::strerror(failed)));
    std::string line;
    for (char c = 0; c != '\n';) {
      pollfd p{out[0], POLLIN, 0};
      if (::poll(&p, 1, start_seconds * 1000) <= 0 || ::read(out[0], &c, 1) != 1) break;
      line += c;
    }
    ::close(out[0]);
    std::istringstream words(line);
    for (std::string w; words >> w;)
      facts_[w.substr(0, w.find('='))] = w.substr(w.find('=') + 1);
    if (facts_.empty()) reason_ = script + " did not start";
  }

  server(const server&) = delete;
  server& operator=(const server&) = delete;

  ~server() {
    if (owner_ != ::getpid()) return;  // not the child that a test forked
    ::close(stop_);
    ::waitpid(pid_, nullptr, 0);
  }

  // nginx may be missing: its tests print skipped(why()) then
  bool runs() const { return reason_.empty(); }

  const std::string& why() const { return reason_; }

  std::string fact(const std::string& key) const {
    const auto f = facts_.find(key);
    if (f == facts_.end()) broken(reason_.empty() ? "the server does not tell " + key : reason_);
    return f->second;
  }

  int port(const std::string& kind) const { return std::atoi(fact(kind).c_str()); }

  std::string ca() const { return fact("ca"); }  // for CURL_CA_BUNDLE and SSL_CERT_FILE

  // of a path, which begins with /; kind: a port of the line that the server printed
  std::string url(const std::string& path, std::string kind = "", std::string host = "") const {
    if (kind.empty()) kind = facts_.count("plain") ? "plain" : "http";
    const bool tls =
        kind == "tls" || kind == "wrong" || kind == "expired" || kind == "self" || kind == "https";
    if (host.empty()) host = kind == "ipv6" ? "[::1]" : "127.0.0.1";
    return (tls ? "https://" : "http://") + host + ":" + fact(kind) + path;
  }

  std::string log_text() const { return read_file(fact("log")); }  // nginx and plain

 private:
  pid_t owner_, pid_ = -1;
  int stop_ = -1;
  std::map<std::string, std::string> facts_{};
  std::string reason_{};
};

inline server nginx(const fs::path& dir, bool tls = false) {
  return server("nginx.py", {dir.string(), tls ? "auto" : ""});
}

inline server plain(const fs::path& dir, bool tls = false) {
  return server("plain.py", {dir.string(), tls ? "auto" : ""});
}

struct seen {  // a request as hostile.py saw it
  std::string port{}, method{}, path{};
  int status = 0;
  std::uint64_t body = 0;  // bytes of it that went out
  bool open = false;
  std::map<std::string, std::string> headers{};  // lower case

  bool has(const std::string& name) const { return headers.count(name) != 0; }
};

class hostile_server : public server {
 public:
  hostile_server() : server("hostile.py", {}) {}

  std::string control(const std::string& what, int* status = nullptr) const {
    return get(port("plain"), "/control/" + what, status);
  }

  static std::string encoded(const std::string& s) {
    std::string e;
    char hex[4];
    for (char c : s)
      if (std::strchr("/._-*~", c) || std::isalnum(static_cast<unsigned char>(c)))
        e += c;
      else
        std::snprintf(hex, sizeof hex, "%%%02X", static_cast<unsigned char>(c)), e += hex;
    return e;
  }

  // Paths: with or without their query, or a prefix and *; "" is all.
  int count(const std::string& path = "", const std::string& kind = "") const {
    return std::atoi(control("count?path=" + encoded(path) + "&port=" + kind).c_str());
  }

  std::vector<seen> log(const std::string& path = "") const {
    std::vector<seen> all;
    std::istringstream in(control("log?text=1&path=" + encoded(path)));
    for (std::string line; std::getline(in, line);) {
      const std::size_t colon = line.find(": ");
      if (line[0] == '\t') {
        all.back().headers[line.substr(1, colon - 1)] = line.substr(colon + 2);
        continue;
      }
      std::istringstream f(line);
      std::string id, status, body, open;
      seen s;
      for (std::string* p : {&id, &s.port, &s.method, &s.path, &status, &body, &open})
        std::getline(f, *p, '\t');
      s.status = std::atoi(status.c_str());
      s.body = std::strtoull(body.c_str(), nullptr, 10);
      s.open = open == "1";
      all.push_back(std::move(s));
    }
    return all;
  }

  int connections() const { return std::atoi(control("connections").c_str()); }

  void reset() const { control("reset"); }

  void switch_version(const std::string& to = "v2") const { control("switch?to=" + to); }

  void release(const std::string& path = "") const { control("release?path=" + encoded(path)); }

  bool wait(const std::string& path, int n = 1) const {  // until n requests were seen; 20 s
    return control("wait?path=" + encoded(path) + "&n=" + std::to_string(n)) == "ok\n";
  }

  bool wait_done(const std::string& path) const {  // until none is open; 20 s
    return control("done?path=" + encoded(path)) == "ok\n";
  }

  std::string sha256_of(const std::string& target, const std::string& version = "v1") const {
    return control("sha256?path=" + encoded(target) + "&seed=" + version).substr(0, 64);
  }
};

// The one of this process, started when first asked for.
inline hostile_server& hostile() {
  static hostile_server one;
  return one;
}

// ---- models -------------------------------------------------------------------------------------

struct model_files {
  fs::path config, checkpoint;
  std::string yaml{}, ckpt{};  // the bytes; ckpt stays empty from 64 MiB on, where it is sparse
};

// A real VQGAN config and a checkpoint of `size` bytes (at least 748) as PyTorch lays it out, in
// dir/model.yaml and dir/last.ckpt; another seed makes another model. Made once, then copied.
inline model_files make_model(
    const fs::path& dir, std::uint64_t size = 100000, const std::string& seed = "v1") {
  static std::mutex one_at_a_time;
  static std::map<std::pair<std::uint64_t, std::string>, std::pair<std::string, std::string>> made;
  const std::lock_guard<std::mutex> lock(one_at_a_time);
  model_files m{dir / "model.yaml", dir / "last.ckpt"};
  const auto known = made.find({size, seed});
  if (known != made.end()) {
    write_file(m.config, m.yaml = known->second.first);
    write_file(m.checkpoint, m.ckpt = known->second.second);
    return m;
  }
  const ran r = run("python3 " + quoted((tests_dir() / "servers" / "common.py").string()) + " "
      + quoted(dir.string()) + " " + std::to_string(size) + " " + quoted(seed));
  if (r.code != 0) broken("no model was made: " + r.output);
  m.yaml = read_file(m.config);
  if (size >= std::uint64_t{64} << 20) return m;
  m.ckpt = read_file(m.checkpoint);
  made[{size, seed}] = {m.yaml, m.ckpt};
  return m;
}

#ifdef VQCACHE_HPP
// ---- a place for a call: two directories and everything it says ---------------------------------

struct box {
  temp_dir dir{};
  std::vector<std::string> messages{};

  fs::path local() const { return dir / "local"; }

  fs::path cache() const { return dir / "cache"; }

  fs::path local(const std::string& file) const { return local() / file; }

  fs::path cache(const std::string& name, const std::string& file) const {
    return cache() / name / file;
  }

  vqcache::options options() {  // refers to this box
    vqcache::options o;
    o.local_dir = local();
    o.cache_dir = cache();
    o.on_message = [this](const std::string& m) {
      messages.push_back(m);
    };
    return o;
  }

  bool said(const std::string& part) const {
    for (const std::string& m : messages)
      if (m.find(part) != std::string::npos) return true;
    return false;
  }

  std::string all_said() const {
    std::string s;
    for (const std::string& m : messages)
      s += m + "\n";
    return s;
  }
};
#endif

}  // namespace support

#endif  // VQCACHE_TESTS_SUPPORT_HPP
