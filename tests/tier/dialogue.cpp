// One request to a store and its answer (>>dialogue), over each transport: every method, what goes
// out byte for byte, and how it ends where the server does not do its part.
//
// The server is of this file: a process for each connection, which writes down what came and does
// what the first word of the path says. Every dialogue runs in a child (children.hpp).
#include "children.hpp"

namespace {

using namespace children;
using vqcache::errc;
namespace inside = vqcache::detail;
namespace d = vqcache::detail::dialogue;
namespace t = vqcache::detail::transport;
using steady = std::chrono::steady_clock;

const char* const canary = "C4n4ryS1gnature0fAStore";

// ---- the server

class line_of_bytes {  // a connection, as its server reads it
 public:
  explicit line_of_bytes(int socket) : socket_(socket) {}

  bool more() {
    char block[65536];
    const ssize_t got = ::recv(socket_, block, sizeof block, 0);
    if (got > 0) held_.append(block, static_cast<std::size_t>(got));
    return got > 0;
  }

  std::string head() {  // with its empty line; empty: there is no more
    while (!has(held_, "\r\n\r\n"))
      if (!more()) return {};
    return take(held_.find("\r\n\r\n") + 4);
  }

  std::string body(std::size_t size) {  // or what came of it
    while (held_.size() < size)
      if (!more()) break;
    return take(std::min(size, held_.size()));
  }

  void say(const std::string& text) const {
    for (std::size_t done = 0; done < text.size();) {
      const ssize_t put = ::send(socket_, text.data() + done, text.size() - done, MSG_NOSIGNAL);
      if (put <= 0) return;
      done += static_cast<std::size_t>(put);
    }
  }

  void drain() {
    ::shutdown(socket_, SHUT_WR);
    while (more()) {
      held_.clear();
    }
  }

 private:
  std::string take(std::size_t size) {
    std::string text = held_.substr(0, size);
    held_.erase(0, size);
    return text;
  }

  int socket_;
  std::string held_;
};

std::string answer(
    const std::string& status, const std::string& body, const std::string& more = {}) {
  return "HTTP/1.1 " + status + "\r\nDate: Mon, 30 Nov 2026 10:00:00 GMT\r\nContent-Length: "
      + std::to_string(body.size()) + "\r\n" + more + "\r\n" + body;
}

std::size_t length_in(const std::string& head) {
  const std::size_t at = support::lower(head).find("\r\ncontent-length: ");
  return at == std::string::npos ? 0 : std::stoul(head.substr(at + 18));
}

class store {
 public:
  store() {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof at;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0
        || ::listen(listener_, 64) != 0
        || ::getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &length) != 0)
      throw std::runtime_error("cannot listen");
    port_ = ntohs(at.sin_port);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::setpgid(0, 0);
      ::signal(SIGCHLD, SIG_IGN);
      for (int number = 0;; ++number) {
        const int connection = ::accept(listener_, nullptr, nullptr);
        if (::fork() == 0) {
          serve(connection, number);
          ::_exit(0);
        }
        ::close(connection);
      }
    }
    ::setpgid(pid_, pid_);
    ::close(listener_);
  }

  store(const store&) = delete;
  store& operator=(const store&) = delete;

  ~store() {
    ::kill(-pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

  std::string url(const std::string& path) const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }

  std::string host() const { return "127.0.0.1:" + std::to_string(port_); }

  // What came: "CONNECTION HEAD BODY" of each request whose path has this in it, in their order.
  struct seen {
    int connection;
    std::string head, body;
  };

  std::vector<seen> came(const std::string& part) const {
    std::vector<seen> all;
    for (int n = 0; fs::exists(file(n)); ++n) {
      const std::string text = slurp(file(n));
      const std::size_t first = text.find('\n'), end = text.find("\r\n\r\n") + 4;
      const std::string head = text.substr(first + 1, end - first - 1);
      if (has(head.substr(0, head.find("\r\n")), part))
        all.push_back({std::stoi(text), head, text.substr(end)});
    }
    return all;
  }

 private:
  fs::path file(int n) const { return home_ / ("request-" + std::to_string(n)); }

  void note(int connection, const std::string& head, const std::string& body) const {
    const fs::path whole = home_ / ("new-" + std::to_string(::getpid()));
    write_file(whole, std::to_string(connection) + "\n" + head + body);
    for (int n = 0;; ++n)
      if (::link(whole.c_str(), file(n).c_str()) == 0) break;
    ::unlink(whole.c_str());
  }

  void serve(int socket, int number) const {
    line_of_bytes line(socket);
    for (;;) {
      const std::string head = line.head();
      if (head.empty()) return;
      const std::size_t path = head.find('/');
      const std::string does =
          head.substr(path + 1, head.find_first_of("/? ", path + 1) - path - 1);
      if (!act(does, head, number, line)) {
        note(number, head, "");
        return;
      }
    }
  }

  bool answers_early(const std::string& does, line_of_bytes& line) const {
    const bool closes = does == "early_close";
    if (closes || does == "early") {
      line.say(answer("412 Precondition Failed", "no", "Connection: close\r\n"));
      if (!closes) line.drain();
      return true;
    }
    if (does == "deaf") sleep_ms(300000);
    return does == "deaf";
  }

  void swallow(const std::string& head, int number, line_of_bytes& line) const {
    std::size_t left = length_in(head);
    while (left > 0) {
      const std::size_t came = line.body(std::min<std::size_t>(left, 65536)).size();
      if (came == 0) return;
      left -= came;
    }
    note(number, head, "all of it");
    line.say(answer("200 OK", "hello"));
  }

  // false: the connection is to be closed
  bool act(
      const std::string& does, const std::string& head, int number, line_of_bytes& line) const {
    if (answers_early(does, line)) return false;
    if (does == "swallow") {
      swallow(head, number, line);
      return true;
    }
    const std::string body = line.body(length_in(head));
    const bool is_first = came("/" + does).empty();
    note(number, head, body);
    if (does == "mute") sleep_ms(300000);
    if (does == "dies" && is_first) ::_exit(0);
    if (does == "redirect") line.say(answer("307 Temporary", "", "Location: /ok/elsewhere\r\n"));
    if (does == "large") line.say(answer("200 OK", std::string(3 << 20, 'x')));
    if (does == "error") line.say(answer("403 Forbidden", "<Error><Code>SlowDown</Code></Error>"));
    if (does == "cut") line.say("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort"), ::_exit(0);
    if (does == "endless")
      line.say("HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\nx"), sleep_ms(300000);
    if (does == "drops") {
      line.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      for (int n = 0; n < 10; ++n) {
        line.say("1\r\n \r\n");
        sleep_ms(700);
      }
      line.say("7\r\n<Done/>\r\n0\r\n\r\n");
    }
    const bool is_head = head.compare(0, 5, "HEAD ") == 0;
    if (does == "ok" && is_head)
      line.say("HTTP/1.1 200 OK\r\nContent-Length: 123456\r\nETag: \"e\"\r\n\r\n");
    if ((does == "ok" && !is_head) || does == "dies")
      line.say(answer("200 OK", "hello", "ETag: \"e\"\r\nx-amz-bucket-region: there\r\n"));
    return true;
  }

  scratch home_;
  int listener_ = -1, port_ = 0;
  pid_t pid_ = -1;
};

// ---- a dialogue in a child

struct talking {  // what a test does in the child
  t::pump& by;
  inside::caller& who;
  outcome& o;

  void tell(const d::reply& said) const {
    o.code = said.head.code;
    o.from = said.problem.ok() ? 0 : static_cast<int>(said.problem.code);
    o.what = said.problem.text;
    o.note = said.body;
  }
};

const d::watcher nobody{};

outcome in_child(const fs::path& where, const std::string& by,
    const std::function<void(talking)>& f, double limit = 120) {
  environment env = clean();
  env["PATH"] = std::getenv("PATH");
  const auto act = [&] {
    outcome o;
    const posture before;
    const auto start = steady::now();
    {
      vqcache::options opts;
      opts.transport = by == by_fetch ? "" : by;
      opts.on_message = {};
      if (by == by_fetch) opts.fetch = fetching::client({5, 5});
      const inside::os::quiet_signals quiet;
      inside::caller who(opts, "m");
      t::pump pump(who);
      f(talking{pump, who, o});
    }
    o.took = since(start);
    o.disorder = disorder(before);
    o.finished = true;
    return o;
  };
  outcome o = child(where, env, act, limit).result();
  INFO("over ", by, ": ", o.what, "; ", o.noise);
  CHECK(o.finished);
  CHECK_MESSAGE(o.disorder.empty(), o.disorder);
  CHECK_MESSAGE(o.noise.empty(), o.noise);
  CHECK_MESSAGE(!has(o.what, canary), o.what);
  return o;
}

t::transfer_request request(const std::string& method, const std::string& url) {
  t::transfer_request asked;
  asked.url = url;
  asked.method = method;
  asked.connect_seconds = 20;  // what hangs takes this and three times the other
  asked.stall_seconds = 20;
  asked.path = t::path_form::dots_go_out;
  return asked;
}

std::string bytes_of(std::size_t size) {  // no two blocks of it are alike
  std::string text(size, '\0');
  std::uint64_t state = 88172645463325252U;
  for (char& one : text) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    one = static_cast<char>(state);
  }
  return text;
}

std::string lines_of(const std::string& head) {  // sorted, but for the first
  std::istringstream in(head);
  std::string first, line;
  std::getline(in, first);
  std::multiset<std::string> all;
  while (std::getline(in, line))
    if (line != "\r") all.insert(line);
  std::string text = first + "\n";
  for (const std::string& one : all)
    text += one + "\n";
  return text;
}

std::vector<std::string> over_curl() {
  if (transports().front() != by_fetch) return transports();
  return {};
}

inside::os::file opened(const fs::path& path) {
  inside::os::file file;
  REQUIRE(inside::os::open(path, inside::os::mode::read, file) == 0);
  return file;
}

}  // namespace

TEST_SUITE_BEGIN("transport dialogue");

TEST_CASE("each method arrives once, with the headers and the bytes that were asked for") {
  struct row {
    const char* method;
    const char* path;
    std::size_t size;    // of its body
    const char* length;  // the header that tells it
  };

  static const row rows[] = {{"GET", "/ok/get", 0, ""}, {"HEAD", "/ok/head", 0, ""},
      {"PUT", "/ok/put", 70001, "Content-Length: 70001\r\n"},
      {"PUT", "/ok/one", 1, "Content-Length: 1\r\n"},
      {"PUT", "/ok/empty", 0, "Content-Length: 0\r\n"},
      {"POST", "/ok/post?delete", 300, "Content-Length: 300\r\n"},
      {"POST", "/ok/begin?uploads=", 0, "Content-Length: 0\r\n"},
      {"PUT", "/ok/a/../b//c/./d%2Fe%20f", 17, "Content-Length: 17\r\n"},
      {"PUT", "/ok/folder/", 5, "Content-Length: 5\r\n"}, {"DELETE", "/ok/delete", 0, ""},
      {"MKCOL", "/ok/made/", 0, ""}, {"MOVE", "/ok/moved", 0, ""}};
  const store server;
  scratch home;
  for (const std::string& by : over_curl())
    for (const row& r : rows) {
      const std::string path = std::string(r.path) + (has(r.path, "?") ? "&" : "?") + "by=" + by;
      const std::string body = bytes_of(r.size);
      const outcome o = in_child(home.fresh(), by, [&](talking now) {
        t::transfer_request asked = request(r.method, server.url(path));
        asked.headers = {"x-amz-date: 20261130T100000Z",
            "Authorization: a \"quoted\\\" " + std::string(canary), "Destination: /x"};
        if (r.size > 0) asked.body = t::outgoing::of(body);
        now.tell(d::ask(now.by, asked, nobody));
      });
      INFO(by, " ", r.method, " ", path, ": ", o.what);
      CHECK(o.code == 200);
      CHECK(o.from == 0);
      CHECK(o.note == (std::string(r.method) == "HEAD" ? "" : "hello"));
      const auto came = server.came(path);
      REQUIRE(came.size() == 1);
      CHECK(came[0].body == body);
      const std::string want = std::string(r.method) + " " + path
          + " HTTP/1.1\r\nHost: " + server.host() + "\r\nUser-Agent: " + t::user_agent
          + "\r\nx-amz-date: 20261130T100000Z\r\n" + "Authorization: a \"quoted\\\" " + canary
          + "\r\nDestination: /x\r\n" + r.length + "\r\n";
      CHECK(lines_of(came[0].head) == lines_of(want));
    }
}

TEST_CASE("an answer has its headers, and a HEAD ends at once; a kept connection serves the next") {
  const store server;
  scratch home;
  for (const std::string& by : over_curl()) {
    const outcome o = in_child(home.fresh(), by, [&](talking now) {
      for (const char* method : {"HEAD", "GET", "HEAD"}) {
        d::reply said = d::ask(now.by, request(method, server.url("/ok/" + by)), nobody);
        now.tell(said);
        now.o.note += inside::http::find(said.head.all, "x-amz-bucket-region") + said.head.etag
            + inside::http::find(said.head.all, "date");
        if (!said.has_come(200)) return;
      }
    });
    CHECK(o.from == 0);
    CHECK(has(o.note, "\"e\""));
    CHECK(o.took < 20);
    const auto came = server.came("/ok/" + by);
    REQUIRE(came.size() == 3);
    if (by == "libcurl") CHECK(came[0].connection == came[2].connection);
  }
}

TEST_CASE("three parts of a file at odd places go out side by side, byte for byte") {
  const store server;
  scratch home;
  const std::string all = bytes_of(5000011);
  write_file(home / "file", all);
  static constexpr std::size_t cuts[] = {1, 1234567, 1234568, 4999999};
  for (const std::string& by : over_curl()) {
    const outcome o = in_child(home.fresh(), by, [&](talking now) {
      const inside::os::file file = opened(home / "file");
      d::dialogue parts[3];
      for (int n = 0; n < 3; ++n) {
        t::transfer_request asked =
            request("PUT", server.url("/ok/" + by + "-part-" + std::to_string(n)));
        asked.body = t::outgoing::of(file, home / "file", cuts[n], cuts[n + 1] - cuts[n]);
        parts[n].begin(now.by, asked);
      }
      const auto is_under_way = [&] {
        return !parts[0].is_over() || !parts[1].is_over() || !parts[2].is_over();
      };
      while (is_under_way()) {
        for (d::dialogue& one : parts)
          one.look(nobody);
        now.by.run_for(50);
      }
      for (d::dialogue& one : parts) {
        now.tell(one.said());
        if (!one.said().has_come(200)) return;
      }
    });
    INFO(by, ": ", o.what);
    CHECK(o.code == 200);
    for (int n = 0; n < 3; ++n) {
      const auto came = server.came("/ok/" + by + "-part-" + std::to_string(n));
      REQUIRE(came.size() == 1);
      CHECK(came[0].body == all.substr(cuts[n], cuts[n + 1] - cuts[n]));
      // curl waits for a 100 from 1 MiB on, where nobody keeps it from that
      CHECK(!has(support::lower(came[0].head), "expect:"));
    }
  }
}

TEST_CASE("a file that becomes shorter is an error, and the server gets no whole body") {
  const store server;
  scratch home;
  write_file(home / "file", bytes_of(300000));
  for (const std::string& by : over_curl()) {
    const outcome o = in_child(home.fresh(), by, [&](talking now) {
      const inside::os::file file = opened(home / "file");
      t::transfer_request asked = request("PUT", server.url("/ok/short-" + by));
      asked.body = t::outgoing::of(file, home / "file", 10, 300000);
      now.tell(d::ask(now.by, asked, nobody));
    });
    CHECK(o.code == 0);
    CHECK(o.from == static_cast<int>(errc::io));
    CHECK(has(o.what, "shorter"));
    (void)wait_until([&] { return !server.came("/ok/short-" + by).empty(); }, 2);
    for (const auto& came : server.came("/ok/short-" + by))
      CHECK(came.body.size() < 300000);
  }
}

TEST_CASE("a kept connection that dies: a PUT goes out once more from its start, a POST does not") {
  scratch home;
  const std::string all = bytes_of(400001);
  write_file(home / "file", all);
  for (const std::string& by : over_curl()) {
    if (by != "libcurl") continue;  // a program keeps no connection
    for (const char* method : {"PUT", "POST"}) {
      const store server;
      const outcome o = in_child(home.fresh(), by, [&](talking now) {
        const inside::os::file file = opened(home / "file");
        now.tell(d::ask(now.by, request("GET", server.url("/ok/first")), nobody));
        t::transfer_request asked = request(method, server.url("/dies"));
        asked.body = t::outgoing::of(file, home / "file", 7, 400001 - 7);
        std::uint64_t most = 0;
        now.tell(d::ask(now.by, asked, [&most](std::uint64_t sent, std::uint64_t) {
          most = std::max(most, sent);
          return inside::status();
        }));
        if (most > asked.body.length) now.o.what += "it told more than it had";
      });
      INFO(method, ": ", o.what);
      const auto came = server.came("/dies");
      for (const auto& one : came)
        CHECK(one.body == all.substr(7));
      const bool is_put = std::string(method) == "PUT";
      REQUIRE(came.size() == (is_put ? 2 : 1));
      CHECK(o.code == (is_put ? 200 : 0));
      if (!is_put) CHECK(o.from == static_cast<int>(errc::connection));
    }
  }
}

TEST_CASE("an early 412 is told, or the connection that broke; nothing hangs") {
  const store server;
  scratch home;
  const std::string body = bytes_of(4 << 20);
  for (const std::string& by : over_curl())
    for (const std::string how : {"early", "early_close"}) {
      const outcome o = in_child(home.fresh(), by, [&](talking now) {
        t::transfer_request asked = request("PUT", server.url("/" + how));
        asked.body = t::outgoing::of(body);
        now.tell(d::ask(now.by, asked, nobody));
      });
      INFO(by, " ", how, ": ", o.code, " ", o.what);
      const bool is_told = o.code == 412;
      const bool is_broken = o.from == static_cast<int>(errc::connection);
      CHECK((is_told || is_broken));
      if (how == "early") CHECK(is_told);
      CHECK(o.took < 20);
    }
}

TEST_CASE("a server that takes nothing, says nothing or stops is given up in time") {
  struct row {
    const char* path;
    std::size_t size;
    const char* words;
  };

  static const row rows[] = {{"/deaf", 32 << 20, "took under 64 KiB"},
      {"/deaf", 100, "said nothing"}, {"/mute", 100, "said nothing"}, {"/mute", 0, "said nothing"},
      {"/endless", 0, "gained under 64 KiB"}};
  const store server;
  scratch home;
  for (const std::string& by : over_curl())
    for (const row& r : rows) {
      const std::string body(r.size, 'b');
      const outcome o = in_child(home.fresh(), by, [&](talking now) {
        t::transfer_request asked = request(r.size > 0 ? "PUT" : "GET", server.url(r.path));
        asked.connect_seconds = asked.stall_seconds = 1;
        if (r.size > 0) asked.body = t::outgoing::of(body);
        now.tell(d::ask(now.by, asked, nobody));
      });
      INFO(by, " ", r.path, " ", r.size, ": ", o.what);
      CHECK(o.from == static_cast<int>(errc::timed_out));
      CHECK(has(o.what, r.words));
      CHECK(o.took < 20);
    }
}

TEST_CASE("an answer in drops is waited for, as of a store that completes an upload") {
  const store server;
  scratch home;
  for (const std::string& by : over_curl()) {
    const outcome o = in_child(home.fresh(), by, [&](talking now) {
      t::transfer_request asked = request("POST", server.url("/drops"));
      asked.stall_seconds = 4;  // the drops come every 0.7 s
      now.tell(d::ask(now.by, asked, nobody));
    });
    INFO(by, ": ", o.what);
    CHECK(o.code == 200);
    CHECK(o.from == 0);
    CHECK(o.note == std::string(10, ' ') + "<Done/>");
  }
}

TEST_CASE("whoever watches ends an upload at once, and so does on_progress") {
  const store server;
  scratch home;
  const std::string body(32 << 20, 'b');
  for (const std::string& by : over_curl())
    for (const bool is_progress : {false, true}) {
      const outcome o = in_child(home.fresh(), by, [&](talking now) {
        t::transfer_request asked = request("PUT", server.url("/deaf"));
        asked.body = t::outgoing::of(body);
        vqcache::options opts;
        int told = 0;
        opts.on_progress = [&](const vqcache::progress& p) {
          if (p.phase != vqcache::phase::storing || p.total != body.size()) return true;
          return ++told < 2;
        };
        inside::caller who(opts, "m");
        const auto start = steady::now();
        const auto watch = [&](std::uint64_t sent, std::uint64_t) {
          if (since(start) < 0.5 || sent == 0) return inside::status();
          return inside::fail(errc::cancelled, {"enough"});
        };
        const d::watcher progress = d::watch_of(who, vqcache::phase::storing, "f", body.size());
        const d::watcher plain = watch;
        now.tell(d::ask(now.by, asked, is_progress ? progress : plain));
      });
      INFO(by, ": ", o.what);
      CHECK(o.from == static_cast<int>(errc::cancelled));
      CHECK(o.took < 20);
    }
}

TEST_CASE("the body of a file goes to a function, and that of an error is held") {
  const store server;
  scratch home;
  for (const std::string& by : over_curl())
    for (const std::string path : {"/large", "/error", "/cut", "/refused"}) {
      const outcome o = in_child(home.fresh(), by, [&](talking now) {
        std::uint64_t got = 0;
        const d::receiver to = [&](const inside::http::response_head& head, inside::view bytes) {
          got += bytes.size();
          if (path == "/refused") return inside::fail(errc::no_space, {"no room"});
          return head.code == 200 ? inside::status() : inside::fail(errc::io, {"odd"});
        };
        const std::string at = server.url(path == "/refused" ? "/large" : path);
        now.tell(d::ask(now.by, request("GET", at), nobody, to));
        now.o.messages.push_back(std::to_string(got));
      });
      INFO(by, " ", path, ": ", o.what);
      if (path == "/large") CHECK(o.messages.at(0) == std::to_string(3 << 20));
      if (path == "/large") CHECK(o.from == 0);
      if (path == "/error") CHECK(o.code == 403);
      if (path == "/error") CHECK(has(o.note, "SlowDown"));
      if (path == "/error") CHECK(o.messages.at(0) == "0");
      if (path == "/cut") CHECK(o.from == static_cast<int>(errc::truncated));
      if (path == "/refused") CHECK(o.from == static_cast<int>(errc::no_space));
    }
}

TEST_CASE("an answer that is held has a limit, and no redirect is followed") {
  const store server;
  scratch home;
  for (const std::string& by : over_curl()) {
    const outcome large = in_child(home.fresh(), by, [&](talking now) {
      now.tell(d::ask(now.by, request("GET", server.url("/large")), nobody));
    });
    CHECK(large.code == 200);
    CHECK(large.from == static_cast<int>(errc::http_status));
    CHECK(has(large.what, "1048576"));
    CHECK(large.note.size() == d::most_bytes);

    const outcome moved = in_child(home.fresh(), by, [&](talking now) {
      now.tell(d::ask(now.by, request("PUT", server.url("/redirect/" + by)), nobody));
    });
    CHECK(moved.code == 307);
    CHECK(moved.from == 0);
    CHECK(server.came("/ok/elsewhere").empty());
    CHECK(server.came("/redirect/" + by).size() == 1);
  }
}

TEST_CASE(
    "nothing of URL, headers and body is in the arguments of the program, and little in memory") {
  const store server;
  scratch home;
  constexpr std::uint64_t length = 100 << 20;
  write_file(home / "file", "x");
  fs::resize_file(home / "file", length + 5);
  for (const std::string& by : over_curl()) {
    const auto kilobytes = [](const std::string& process) {
      const std::string text = slurp("/proc/" + process + "/status");
      const std::size_t at = text.find("VmHWM:");
      return at == std::string::npos ? 0 : std::stol(text.substr(at + 6));
    };
    const outcome o = in_child(home.fresh(), by, [&](talking now) {
      const inside::os::file file = opened(home / "file");
      t::transfer_request asked =
          request("PUT", server.url("/swallow/memory-" + by + "?X-Amz-Signature=" + canary));
      asked.headers = {std::string("Authorization: ") + canary};
      asked.body = t::outgoing::of(file, home / "file", 3, length);
      now.tell(d::ask(now.by, request("GET", server.url("/ok/before-" + by)), nobody));
      const long before = kilobytes("self");
      long child_most = 0;
      std::string arguments;
      const d::watcher look = [&](std::uint64_t, std::uint64_t) {
        const std::string self = std::to_string(::getpid());
        std::istringstream children(slurp("/proc/" + self + "/task/" + self + "/children"));
        for (std::string one; children >> one;) {
          child_most = std::max(child_most, kilobytes(one));
          arguments += slurp("/proc/" + one + "/cmdline") + "\n";
        }
        return inside::status();
      };
      now.tell(d::ask(now.by, asked, look));
      const long ours = kilobytes("self") - before;
      now.o.messages = {std::to_string(ours), std::to_string(child_most), arguments};
    });
    INFO(by, ": ", o.what);
    CHECK(o.code == 200);
    REQUIRE(o.messages.size() == 3);
    const auto came = server.came("/swallow/memory-" + by);
    REQUIRE(came.size() == 1);
    CHECK(came[0].body == "all of it");
    CHECK(has(came[0].head, canary));
    CHECK(!has(o.messages[2], canary));
    if (fs::exists("/proc/self/cmdline")) CHECK(has(o.messages[2], "-K") == (by == "curl"));
    MESSAGE(by, ": ", o.messages[0], " KiB more here, the program has ", o.messages[1], " KiB");
    if (!sanitized) CHECK(std::stol(o.messages[0]) + std::stol(o.messages[1]) < 32 << 10);
  }
}

TEST_CASE("options::fetch is asked for files alone, and never for anything else in silence") {
  scratch home;
  for (const char* method : {"PUT", "HEAD", "DELETE", "POST"}) {
    const outcome o = in_child(home.fresh(), "libcurl", [&](talking now) {
      vqcache::options opts;
      int called = 0;
      opts.fetch = [&called](const vqcache::request&, vqcache::response& to) {
        ++called;
        to.status(200);
      };
      inside::caller who(opts, "m");
      t::pump by(who);
      now.tell(d::ask(by, request(method, "http://127.0.0.1:1/x"), nobody));
      now.o.messages.push_back(std::to_string(called));
    });
    CHECK(o.code == 0);
    CHECK(o.from == static_cast<int>(errc::no_transport));
    CHECK(has(o.what, "options::fetch can get files, and not"));
    REQUIRE(o.messages.size() == 1);
    CHECK(o.messages[0] == "0");
  }
}

TEST_SUITE_END();
