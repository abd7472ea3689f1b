// A fault on the way to a server is told with its own cause: the proxy's, the server's, curl's, or
// one of this machine. The advice follows from that, and sends nobody the wrong way.
#include "children.hpp"

#include <sys/resource.h>

namespace {

using namespace children;
using vqcache::errc;

const char* const canary = "C4n4ry";  // of user info

struct scene {
  std::string title;
  vqcache::source from;
  std::string want;                   // the name of an errc
  std::vector<std::string> said;      // in the error
  std::vector<std::string> unsaid{};  // not in it
  environment env{};
};

void play(const std::vector<scene>& scenes) {
  scratch home;
  std::vector<job> jobs;
  for (const std::string& by : transports())
    for (const scene& s : scenes) {
      const std::string yaml = hostile().url("/good/advice/model.yaml");
      plan p = call_of(home.fresh(), by, yaml, s.from);
      // who is expected to wait shall not wait long; who is expected to answer may be slow in it
      if (s.want == "timed_out") p.opts.connect_seconds = 2;
      write_file(p.opts.local_dir / "m.yaml", v1().yaml);
      for (const auto& [name, value] : s.env)
        p.env[name] = value;
      jobs.push_back({by + ", " + s.title, p, [=](const outcome& o) {
                        INFO(describe(o));
                        CHECK(name_of(o.code) == s.want);
                        for (const std::string& part : s.said)
                          CHECK_MESSAGE(has(o.what, part), "it must say ", part);
                        for (const std::string& part : s.unsaid)
                          CHECK_MESSAGE(!has(o.what, part), "it must not say ", part);
                        CHECK(!has(o.what + o.said(), canary));
                      }});
    }
  run_all(jobs);
}

std::string at_port(int port, const std::string& scheme = "http") {
  return scheme + "://u:" + canary + "@127.0.0.1:" + std::to_string(port);
}

std::string shown(int port, const std::string& scheme = "http") {
  return scheme + "://***@127.0.0.1:" + std::to_string(port);
}

std::string answer(const std::string& status, const std::string& lines = "") {
  return "HTTP/1.1 " + status + "\r\n" + lines + "Content-Length: 0\r\nConnection: close\r\n\r\n";
}

// a program curl that says this and ends with this
fs::path fake_curl(scratch& home, const std::string& script) {
  const fs::path folder = home.fresh();
  write_file(folder / "curl", "#!/bin/sh\n" + script);
  fs::permissions(folder / "curl", fs::perms::all);
  return folder;
}

}  // namespace

TEST_SUITE_BEGIN("transport advice");

TEST_CASE("a proxy that fails is named with its variable, and is not taken for the server") {
  if (not_over_fetch("the client of these tests asks no proxy")) return;
  const small_server wants_login([](const std::string&) {
    return answer("407 Proxy Authentication Required", "Proxy-Authenticate: Basic realm=\"x\"\r\n");
  });
  const small_server refuses([](const std::string&) { return answer("403 Forbidden"); });
  const small_server finds_nobody([](const std::string&) { return answer("502 Bad Gateway"); });
  const small_server speaks_http(
      [](const std::string&) { return answer("400 Bad Request"); }, small_server::first::speaks);
  const std::string http = "http://origin.test/last.ckpt", https = "https://origin.test/last.ckpt";
  const std::string not_there = "the proxy cannot be reached", server = "check the URL";
  const std::string by_http = ", by the variable http_proxy", name = "no-such-proxy.invalid";
  play({
      {"nobody listens", http, "connection", {not_there, "the proxy was " + shown(1) + by_http},
          {server}, {{"http_proxy", at_port(1)}}},
      {"nobody listens, for https", https, "connection",
          {not_there, shown(1) + ", by the variable https_proxy"}, {server},
          {{"https_proxy", at_port(1)}}},
      {"in upper case", https, "connection", {not_there, ", by the variable HTTPS_PROXY"}, {server},
          {{"HTTPS_PROXY", at_port(1)}}},
      {"for all", https, "connection", {not_there, ", by the variable ALL_PROXY"}, {server},
          {{"ALL_PROXY", at_port(1)}}},
      {"without a scheme", http, "connection", {not_there, "the proxy was " + shown(1) + by_http},
          {server}, {{"http_proxy", std::string("u:") + canary + "@127.0.0.1:1"}}},
      {"no such host", http, "connection",
          {"the host of the proxy was not found",
              "the proxy was http://***@" + name + ":80" + by_http},
          {server}, {{"http_proxy", std::string("http://u:") + canary + "@" + name + ":80"}}},
      {"of an unknown kind", http, "connection",
          {"the address of the proxy cannot be used", by_http}, {server},
          {{"http_proxy", at_port(1, "quux")}}},
      {"that is no URL", http, "connection", {"the address of the proxy cannot be used", by_http},
          {server}, {{"http_proxy", at_port(99999)}}},
      {"wants a login", http, "http_status",
          {"407", "write them into its variable", shown(wants_login.port()) + by_http},
          {"source::headers"}, {{"http_proxy", at_port(wants_login.port())}}},
      {"wants a login for a tunnel", https, "connection",
          {"the proxy wants a user and a password", shown(wants_login.port())}, {server},
          {{"https_proxy", at_port(wants_login.port())}}},
      {"makes no tunnel", https, "connection",
          {"the proxy did not connect to the server", shown(refuses.port())}, {server},
          {{"https_proxy", at_port(refuses.port())}}},
      {"refuses", http, "http_status", {"403", "the proxy was " + shown(refuses.port()) + by_http},
          {}, {{"http_proxy", at_port(refuses.port())}}},
      {"finds nobody", http, "http_status", {"502", shown(finds_nobody.port()) + by_http}, {},
          {{"http_proxy", at_port(finds_nobody.port())}}},
      {"is said to speak TLS", http, "tls",
          {"the proxy does not speak TLS", "write http:// there",
              shown(speaks_http.port(), "https") + by_http},
          {"is it an http:// address"}, {{"http_proxy", at_port(speaks_http.port(), "https")}}},
      {"is said to speak TLS, for https", https, "tls",
          {"the proxy does not speak TLS", ", by the variable https_proxy"},
          {"is it an http:// address"}, {{"https_proxy", at_port(speaks_http.port(), "https")}}},
      {"is said to speak TLS, and waits", http, "timed_out",
          {"the proxy has not answered to TLS in time", "should it be http://?"},
          {"is it an http:// address"}, {{"http_proxy", at_port(refuses.port(), "https")}}},
  });
}

TEST_CASE("a server that fails is not taken for a proxy") {
  if (not_over_fetch("the client of these tests asks no proxy")) return;
  const std::string dead = "http://127.0.0.1:1/last.ckpt", proxy = "the proxy was";
  const std::string plain = std::to_string(hostile().port("plain"));
  const small_server speaks_http(
      [](const std::string&) { return answer("400 Bad Request"); }, small_server::first::speaks);
  const std::string working = "http://127.0.0.1:" + std::to_string(hostile().port("proxy"));
  play({
      {"nobody listens", dead, "connection", {"check the URL"}, {proxy}},
      {"nobody listens, and a proxy is not asked for it", dead, "connection", {"check the URL"},
          {proxy}, {{"http_proxy", at_port(2)}, {"no_proxy", "a.test, 127.0.0.1"}}},
      {"nobody listens, and another scheme has a proxy", dead, "connection", {"check the URL"},
          {proxy}, {{"https_proxy", at_port(2)}, {"HTTP_PROXY", at_port(2)}}},
      {"no such host", "http://no-such-host.invalid/x", "connection", {"check the URL"}, {proxy}},
      {"a plain port", "https" + speaks_http.url("/last.ckpt").substr(4), "tls",
          {"what answers there does not speak TLS", "is it an http:// address?"}, {proxy}},
      {"a plain port that waits", "https://127.0.0.1:" + plain + "/last.ckpt", "timed_out",
          {"nothing has answered to TLS in time", "is it an http:// address?"}, {proxy}},
      {"a plain port behind a proxy", "https://127.0.0.1:" + plain + "/last.ckpt", "timed_out",
          {"nothing has answered to TLS in time", "is it an http:// address?"}, {},
          {{"https_proxy", working}}},
      {"gone, behind a proxy", hostile().url("/gone_404_body/advice/last.ckpt"), "http_status",
          {"404", "not there any more"}, {proxy}, {{"http_proxy", working}}},
  });
}

TEST_CASE("where credentials are wanted it is told which were sent, and where") {
  const std::string denied = "/auth_401/advice/last.ckpt";
  const std::string away = "/redirect_other_port/advice/last.ckpt?to="
      + support::hostile_server::encoded(hostile().url(denied, "other"));
  const auto with_user = [](const std::string& url) {
    return "http://u:" + std::string(canary) + "@" + url.substr(url.find("://") + 3);
  };
  const std::string none = "it needs credentials (source::headers)";
  const std::string kept_back = "not on to this one: give the address there as a source";
  const std::string sent = "credentials that were sent do not suffice";
  const std::vector<std::string> header = {std::string("X-Auth-Token: ") + canary};
  play({
      {"none", hostile().url(denied), "http_status", {"401", none}, {kept_back, sent}},
      {"none, behind a redirect", hostile().url(away), "http_status",
          {"the server 127.0.0.1 answered HTTP 401", none}, {kept_back, sent}},
      {"user info, sent", with_user(hostile().url(denied)), "http_status", {"401", sent},
          {none, kept_back}},
      {"a header, sent", vqcache::source({hostile().url(denied)}, "", header), "http_status",
          {"401", sent}, {none, kept_back}},
      {"user info, not sent on", with_user(hostile().url(away)), "http_status", {"401", kept_back},
          {none, sent}},
      {"a header, not sent on", vqcache::source({hostile().url(away)}, "", header), "http_status",
          {"the server 127.0.0.1 answered HTTP 401", kept_back}, {none, sent}},
      {"a header, not for a mirror",
          vqcache::source(
              {hostile().url("/gone_404_body/advice/last.ckpt"), hostile().url(denied, "other")},
              "", header),
          "http_status", {"404", kept_back}, {none, sent}},
      {"a header that is no credential",
          vqcache::source({hostile().url(denied)}, "", {"Accept: */*"}), "http_status", {none},
          {kept_back, sent}},
  });
}

TEST_CASE("an answer that is no HTTP says so, whatever number curl has for it") {
  if (not_over_fetch("it is about the errors of curl")) return;
  const auto raw = [](const std::string& bytes) {
    return hostile().url("/raw/advice/last.ckpt?1=" + support::hostile_server::encoded(bytes));
  };
  const std::string ok = "HTTP/1.1 200 OK\r\n", coded = ok + "Transfer-Encoding: chunked\r\n\r\n";
  const small_server long_head([=](const std::string&) {
    return ok + "X-A: " + std::string(90'000, 'a') + "\r\nX-B: " + std::string(90'000, 'b')
        + "\r\nX-C: " + std::string(90'000, 'c') + "\r\n\r\n";
  });
  const small_server longer_head(
      [=](const std::string&) { return ok + "X-A: " + std::string(400'000, 'a') + "\r\n\r\n"; });
  const std::string improper = "the answer is not proper HTTP", network = "check the URL";
  play({
      {"a chunk without a size", raw(coded + "zz\r\nhello\r\n0\r\n\r\n"), "http_status", {improper},
          {network}},
      {"a chunk without its end", raw(coded + "5\r\nhelloXX0\r\n\r\n"), "http_status", {improper},
          {network}},
      {"a coding", raw(ok + "Transfer-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"),
          "http_status", {"coding"}, {network}},
      {"no status line", raw("SSH-2.0-OpenSSH_9.2\r\n"), "http_status", {improper}, {network}},
      {"a head of three long lines", long_head.url("/last.ckpt"), "http_status",
          {"the header of the answer is too long"}, {network}},
      {"a head of one line without end", longer_head.url("/last.ckpt"), "http_status",
          {"the header of the answer is too long"}, {network}},
  });
}

TEST_CASE("no descriptors left: the advice is about them, and not about a network or a disk") {
  if (not_over_fetch("it is about the errors of curl")) return;
  if (sanitized) return skipped("a sanitizer needs descriptors of its own");
  scratch home;
  for (const std::string& by : transports())
    for (const rlim_t spare : {0U, 2U, 4U, 5U}) {
      INFO(by, " with ", spare, " left");
      const plan p = call_of(home.fresh(), by, hostile().url("/good/few/model.yaml"),
          hostile().url("/good/few/last.ckpt"));
      const auto act = [&]() -> outcome {
        const rlim_t now = support::open_descriptors();
        const rlimit few{now + spare, now + spare};
        if (::setrlimit(RLIMIT_NOFILE, &few) != 0) return {};
        return make(p);
      };
      const outcome o = child(p.where, p.env, act).result();
      INFO(describe(o));
      CHECK_FALSE(o.ok());
      CHECK(has(o.what, "Too many open files"));
      CHECK(has(o.what, "close files that this program has open, or raise its limit"));
      CHECK_FALSE(has(o.what, "check the URL"));
      CHECK_FALSE(has(o.what, "install"));
    }
}

TEST_CASE("no descriptors left for a connection: the server is not blamed, nor libcurl's absence") {
  if (not_over_fetch("it is about the errors of curl")) return;
  if (sanitized) return skipped("a sanitizer needs descriptors of its own");
  scratch home;
  for (const std::string& by : transports())
    for (const bool is_loaded : {false, true})
      for (const unsigned spare : {0U, 1U, 3U}) {
        INFO(by, " with ", spare, " left, ", std::string(is_loaded ? "again" : "at first"));
        plan p =
            call_of(home.fresh(), by, hostile().url("/good/none/model.yaml", "plain", "localhost"),
                hostile().url("/good/none/last.ckpt", "plain", "localhost"));
        write_file(p.opts.local_dir / "m.yaml", v1().yaml);  // one file: nothing else needs one
        std::vector<int> taken;
        const auto take_all = [&](const vqcache::progress& at) {  // all but `spare`
          if (at.phase != vqcache::phase::downloading || !taken.empty()) return true;
          int one = 0;
          while ((one = ::open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
            taken.push_back(one);
          for (unsigned i = 0; i < spare; ++i)
            ::close(taken[i]);
          return true;
        };
        const auto act = [&]() -> outcome {
          const rlimit few{256, 256};
          if (::setrlimit(RLIMIT_NOFILE, &few) != 0) return {};
          plan before = p;
          before.name = "before";
          if (is_loaded && !make(before).ok()) return {};
          p.opts.on_progress = take_all;
          return make(p);
        };
        const outcome o = child(p.where, p.env, act).result();
        INFO(describe(o));
        CHECK_FALSE(o.ok());
        CHECK(o.finished);
        CHECK(has(o.what, "close files that this program has open, or raise its limit"));
        CHECK_FALSE(has(o.what, "check the URL"));
        CHECK_FALSE(has(o.what, "install"));
      }
}

TEST_CASE("a program curl that cannot do it says why: too old, not to be run, or behind a loader") {
  if (transports().back() != "curl") return skipped("this is about the program");
  scratch home;
  const std::string url = "http://127.0.0.1:1/last.ckpt";

  const struct {
    std::string script, want;
    std::vector<std::string> said, unsaid;
  } cases[] = {
      {"echo 'curl: option --suppress-connect-headers: is unknown' >&2\n"
       "echo \"curl: try 'curl --help' for more information\" >&2\nexit 2\n",
          "no_transport", {"does not know an option", "7.55"}, {"check the URL"}},
      {"echo 'curl: /opt/lib/libcurl.so.4: no version information available' >&2\n"
       "echo 'curl: (6) Could not resolve host: origin' >&2\nexit 6\n",
          "connection", {"(curl: (6) Could not resolve host: origin)"}, {"no version information"}},
      {"echo 'curl: error while loading shared libraries: libx.so: not found' >&2\nexit 127\n",
          "no_transport", {"curl cannot be run", "libx.so"}, {"check the URL"}},
  };

  for (const auto& c : cases) {
    INFO(c.script);
    plan p = call_of(home.fresh(), "curl", url, url);
    p.env["PATH"] = fake_curl(home, c.script).string() + ":" + std::getenv("PATH");
    const outcome o = call(p);
    INFO(describe(o));
    CHECK(name_of(o.code) == c.want);
    for (const std::string& part : c.said)
      CHECK_MESSAGE(has(o.what, part), "it must say ", part);
    for (const std::string& part : c.unsaid)
      CHECK_MESSAGE(!has(o.what, part), "it must not say ", part);
  }
}

TEST_SUITE_END();
