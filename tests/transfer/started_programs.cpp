// The program curl as a child process: how it begins, how its end is waited for, and that it ends
// when its caller is gone.
#include "children.hpp"

#include <sys/stat.h>
#include <sys/syscall.h>

#include <atomic>

using namespace children;
using vqcache::errc;

namespace {

// A directory for PATH with a program curl that is this script; $CURL is the real one.
fs::path curl_that(const scratch& home, const std::string& script) {
  const fs::path bin = home / "bin";
  fs::create_directories(bin);
  support::write_file(bin / "curl",
      "#!/bin/sh\nCURL=" + support::quoted(find_in_path("curl").string()) + "\n" + script);
  ::chmod((bin / "curl").c_str(), 0755);
  return bin;
}

std::string path_with(const fs::path& bin) {
  return bin.string() + ":" + std::getenv("PATH");
}

const std::string config_text = "model:\n  target: x\n";

// Only the config comes over HTTP, which is one curl.
plan one_curl(const scratch& home, const std::string& url) {
  support::write_file(home / "source.ckpt", v1().ckpt);
  plan p = call_of(home.path(), "curl", url, (home / "source.ckpt").string());
  return p;
}

std::string answer_with(const std::string& body) {
  return "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size())
      + "\r\n\r\n" + body;
}

std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> found;
  for (const std::string& name : names_in("/proc")) {
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const std::string stat = slurp("/proc/" + name + "/stat");
    const std::size_t end = stat.rfind(')');  // of the name; then a letter, and the parent
    if (end == std::string::npos || end + 4 > stat.size()) continue;
    if (std::atoi(stat.c_str() + end + 4) == parent) found.push_back(std::stoi(name));
  }
  return found;
}

bool runs(pid_t pid) {
  const std::string stat = slurp("/proc/" + std::to_string(pid) + "/stat");
  const std::size_t end = stat.rfind(')');
  return end != std::string::npos && stat.compare(end + 2, 1, "Z") != 0;
}

// The bits of a line of /proc/PID/status, signal 1 in the lowest.
unsigned long long signals(const std::string& status, const std::string& name) {
  const std::size_t at = status.find(name + ":");
  if (at == std::string::npos) return ~0ULL;
  return std::stoull(status.substr(at + name.size() + 1), nullptr, 16);
}

}  // namespace

TEST_SUITE_BEGIN("started programs");

TEST_CASE("a program that closes its pipes and lives on does not hold the call") {
  const small_server origin([](const std::string&) { return answer_with(config_text); });
  const scratch home;
  plan p = one_curl(home, origin.url("/a.yaml"));
  p.env["PATH"] = path_with(curl_that(home, "\"$CURL\" \"$@\"\nexec sleep 60 >&- 2>&- <&-\n"));
  const outcome o = call(p);
  CHECK_MESSAGE(o.ok(), describe(o));
  CHECK(o.took < 25);  // it is given 5 s
  CHECK_MESSAGE(o.disorder.empty(), o.disorder);
}

TEST_CASE("a curl whose caller is killed while the server is silent does not live on") {
  if (lacks(part::proc)) return;  // where its children are found
  // accepts, and never says a word
  const int silent = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof at;
  REQUIRE(::bind(silent, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0);
  REQUIRE(::listen(silent, 8) == 0);
  REQUIRE(::getsockname(silent, reinterpret_cast<sockaddr*>(&at), &length) == 0);

  const scratch home;
  plan p = one_curl(home, "http://127.0.0.1:" + std::to_string(ntohs(at.sin_port)) + "/a.yaml");
  p.opts.connect_seconds = 1;
  p.opts.stall_seconds = 1;
  const pid_t caller = ::fork();
  if (caller == 0) {
    set(p.env);
    (void)make(p);
    ::_exit(0);
  }
  std::vector<pid_t> started;
  CHECK(wait_until([&] { return !(started = children_of(caller)).empty(); }));
  sleep_ms(300);  // it is a curl by now, and has asked
  ::kill(caller, SIGKILL);
  ::waitpid(caller, nullptr, 0);

  REQUIRE(started.size() == 1);
  CHECK(runs(started[0]));
  CHECK(wait_until([&] { return !runs(started[0]); }, 35));  // it takes 7 s
  ::kill(started[0], SIGKILL);
  ::close(silent);
}

TEST_CASE("a program starts with no signal blocked, and with the two that we keep off as usual") {
  if (lacks(part::proc)) return;  // which tells them
  const small_server origin([](const std::string&) { return answer_with(config_text); });
  const scratch home;
  plan p = one_curl(home, origin.url("/a.yaml"));
  const fs::path status = home / "status";
  // by the shell alone: while it starts a program all signals are blocked
  p.env["PATH"] = path_with(curl_that(home,
      "while read -r line; do echo \"$line\"; done </proc/self/status >"
          + support::quoted(status.string()) + "\nexec \"$CURL\" \"$@\"\n"));

  const auto before = ::signal(SIGPIPE, SIG_IGN);  // as in many a server, and in Python
  const outcome o = call(p);
  ::signal(SIGPIPE, before);
  CHECK_MESSAGE(o.ok(), describe(o));

  const std::string seen = slurp(status);
  REQUIRE(has(seen, "SigBlk:"));
  CHECK(signals(seen, "SigBlk") == 0);
  const unsigned long long ours = 1ULL << (SIGPIPE - 1) | 1ULL << (SIGXFSZ - 1);
  CHECK((signals(seen, "SigIgn") & ours) == 0);
}

TEST_CASE("with closed standard streams nothing that others print gets into a pipe or a file") {
  const small_server origin([](const std::string&) { return answer_with(config_text); });
  const scratch home;
  const fs::path polluted = home / "polluted";
  plan p = one_curl(home, origin.url("/a.yaml"));
  // what curl gets on its standard input beside our own lines
  p.env["PATH"] = path_with(curl_that(home,
      "all=$(cat)\ncase $all in *stray*) echo \"$all\" >" + support::quoted(polluted.string())
          + " ;; esac\nprintf '%s\\n' \"$all\" | \"$CURL\" \"$@\"\n"));
  p.opts.on_message = {};

  const pid_t daemon = ::fork();
  if (daemon == 0) {
    set(p.env);
    // when it first sees a class a sanitizer makes a pipe of its own, and who prints may get into it
    if (sanitized) ::signal(SIGPIPE, SIG_IGN);
    for (const int fd : {0, 1, 2})
      ::close(fd);
    std::atomic<bool> over{false};
    std::thread logger([&over] {
      const std::string line = "# stray\n";
      while (!over)
        for (const int fd : {0, 1, 2})
          // not by write(), in which ThreadSanitizer would find the race that is meant here
          (void)::syscall(SYS_write, fd, line.data(), line.size());
    });
    int bad = 0;
    for (int i = 0; i < 25 && bad == 0; ++i) {
      fs::remove_all(p.opts.local_dir);
      fs::remove_all(p.opts.cache_dir);
      const vqcache::result r =
          vqcache::try_download_vqgan_model("m", p.config, p.checkpoint, p.opts);
      if (!r.ok()) support::write_file(home / "why", r.error.what());
      const bool right =
          r.ok() && slurp(r.model.config) == config_text && slurp(r.model.checkpoint) == v1().ckpt;
      bad += right && !fs::exists(polluted) ? 0 : 1;
    }
    over = true;
    logger.join();
    ::_exit(bad);
  }
  int state = 0;
  ::waitpid(daemon, &state, 0);
  INFO(slurp(home / "why"));
  INFO(slurp(polluted).substr(0, 500));
  CHECK(WIFEXITED(state));
  CHECK(WEXITSTATUS(state) == 0);
}

TEST_CASE("a curl that cannot be started says why, and what to do about that") {
  const scratch home;
  plan p = one_curl(home, "http://127.0.0.1:1/a.yaml");
  const fs::path bin = home / "bin";
  fs::create_directories(bin);
  p.env["PATH"] = bin.string();
  outcome o = call(p);
  CHECK(o.failed(errc::no_transport));
  CHECK(has(o.what, "install curl"));

  support::write_file(bin / "curl",
      std::string("\x7f"
                  "ELF, of another machine\n"));
  ::chmod((bin / "curl").c_str(), 0755);
  o = call(p);
  CHECK(o.failed(errc::no_transport));
  CHECK(has(o.what, "curl"));
}

TEST_CASE("a curl that is too old is told as that; what a loader says before hides nothing") {
  const scratch home;
  plan p = one_curl(home, "http://127.0.0.1:1/a.yaml");
  p.env["PATH"] = path_with(curl_that(home,
      "echo 'curl: option --suppress-connect-headers: is unknown' >&2\n"
      "echo \"curl: try 'curl --help' for more information\" >&2\nexit 2\n"));
  outcome o = call(p);
  CHECK(o.failed(errc::no_transport));
  CHECK_MESSAGE(has(o.what, "7.55 or newer"), describe(o));

  p.env["PATH"] = path_with(curl_that(home,
      "echo 'curl: /opt/libcurl.so.4: no version information available' >&2\n"
      "exec \"$CURL\" \"$@\"\n"));
  o = call(p);
  CHECK(o.failed(errc::connection));
  CHECK_MESSAGE(has(o.what, "(curl: (7) "), describe(o));
  CHECK_MESSAGE(!has(o.what, "no version information"), describe(o));
}
