// Heads of requests and answers over a user's own transport that has them from nowhere. The same as
// pure functions is in unit/http.cpp; transport_answers.cpp sends it over all transports.
#include "vqcache.hpp"

#include <doctest/doctest.h>

#include "world.hpp"

namespace {

using namespace world;
using vqcache::errc;
using text_lines = std::vector<std::string>;

std::string lines_of(const text_lines& all) {
  std::string s;
  for (const std::string& line : all)
    s += line + "|";
  return s;
}

}  // namespace

TEST_SUITE("http heads") {
  TEST_CASE("a coding is refused over a user's transport too") {
    for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
             {"Transfer-Encoding", "gzip, chunked"}, {"Content-Encoding", "aws-chunked, gzip"}}) {
      place w;
      w.serve(checkpoint_url, {checkpoint(), 200, {{name, value}}});
      const auto r = w.call("m");
      CHECK(r.error.code() == errc::http_status);
      CHECK_MESSAGE(has(why(r), "gzip"), why(r));
      CHECK(!fs::exists(w.in_local("m.ckpt")));
    }
    place w;
    w.serve(checkpoint_url, {checkpoint(), 200, {{"Content-Encoding", "aws-chunked"}}});
    CHECK(w.call("m").ok());
  }

  TEST_CASE("a user's transport gets each header once") {
    place w;
    vqcache::source k = checkpoint_url;
    k.headers = {"ACCEPT: a/b", "accept-encoding: Identity", "User-Agent: mine"};
    CHECK(w.call("m", config_url, k).ok());
    for (const vqcache::request& q : w.requests) {
      if (q.url != checkpoint_url) continue;
      CHECK(lines_of(q.headers) == "ACCEPT: a/b|accept-encoding: Identity|User-Agent: mine|");
    }
  }

  TEST_CASE("a header that belongs to the transfer is refused, and named") {
    for (const std::string line : {"Range: bytes=0-9", "range:", "If-Range: \"v\"", "TE: gzip",
             "Transfer-Encoding: chunked", "Content-Length: 0", "Accept-Encoding: gzip",
             "accept-encoding: identity, gzip", "Accept-Encoding:"}) {
      place w;
      vqcache::source k = checkpoint_url;
      k.headers = {"X-Fine: 1", line};
      const auto r = w.call("m", config_url, k);
      CHECK_MESSAGE(r.error.code() == errc::invalid_argument, line);
      const std::string name = support::lower(line.substr(0, line.find(':')));
      CHECK_MESSAGE(has(why(r), "header 2 is " + name), why(r));
      CHECK(w.asked.empty());
    }
  }

  TEST_CASE("over a user's transport a cookie wall opens, and the cookie goes to no other host") {
    place w;
    vqcache::options o = w.options();
    const std::string wall = "http://origin.test/d/last.ckpt", away = "http://cdn.test/d/last.ckpt";
    const std::string ckpt = checkpoint();
    std::vector<std::string> seen;
    const auto plain = o.fetch;
    o.fetch = [&](const vqcache::request& q, vqcache::response& r) {
      if (q.url == config_url) return plain(q, r);
      std::string cookie = "none";
      for (const std::string& line : q.headers)
        if (line.compare(0, 7, "Cookie:") == 0) cookie = line;
      seen.push_back(q.url + " " + cookie);
      if (q.url == away) {
        r.status(200);
        r.write(ckpt.data(), ckpt.size());
        return;
      }
      r.status(302);
      r.header("Location", cookie == "none" ? wall : away);
      r.header("Set-Cookie", "wall=SECRET-OF-IT; HttpOnly");
    };
    CHECK(w.call_with(o, "m", config_url, wall).ok());
    CHECK(
        lines_of(seen) == wall + " none|" + wall + " Cookie: wall=SECRET-OF-IT|" + away + " none|");
    for (const auto& [name, bytes] : contents(w.root.at))
      CHECK(!has(bytes, "SECRET-OF-IT"));
  }

  TEST_CASE("what a user's transport says and what a page says is shown as UTF-8") {
    std::string page = "<html>sign in: ";
    for (int i = 0; i < 200; ++i)
      page += "\xe2\x82\xac";
    for (std::size_t shift = 0; shift < 3; ++shift) {
      place w;
      w.serve(checkpoint_url, {page.insert(15, shift > 0 ? "x" : "")});
      const std::string text = why(w.call("m"));
      CHECK_MESSAGE(support::is_utf8(text), text);
      CHECK_MESSAGE(!support::has_control_characters(text), text);
      CHECK(has(text, "sign in: "));
    }
    place w;
    vqcache::options o = w.options();
    o.fetch = [](const vqcache::request&, vqcache::response& r) {
      r.fail("caf\xe9\x1b[2J");
    };
    const std::string text = why(w.call_with(o, "m"));
    CHECK_MESSAGE(has(text, "options::fetch says: caf??[2J"), text);
  }
}
