// Heads of requests and answers as pure functions, in tables; and over a user's own transport, which
// is held to the same. transport_answers.cpp sends the same over libcurl and the program curl.
#include "vqcache.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "world.hpp"

namespace {

using namespace world;
using vqcache::errc;
namespace t = vqcache::detail::text;
using headers = std::vector<t::header>;
using text_lines = std::vector<std::string>;

t::url url_of(const std::string& s) {
  t::url u;
  REQUIRE(t::parse_url(s, u));
  return u;
}

std::string lines_of(const text_lines& all) {
  std::string s;
  for (const std::string& line : all)
    s += line + "|";
  return s;
}

// the Cookie that a request to `to` gets after `from` has set these; empty: none
std::string sent(const std::string& from, const text_lines& set, const std::string& to,
    const text_lines& own = {}, std::uint64_t now = 1700000000) {
  t::cookies jar;
  for (const std::string& line : set)
    t::take_cookie(jar, url_of(from), line, now);
  const text_lines all = t::with_cookies(own, jar, url_of(to));
  std::string cookies;
  for (const std::string& line : all)
    if (t::name_of(line) == "cookie") cookies += line.substr(line.find(':') + 2) + "|";
  return cookies.substr(0, cookies.empty() ? 0 : cookies.size() - 1);
}

}  // namespace

TEST_SUITE("http heads") {
  // ---- Content-Range

  TEST_CASE("a Content-Range tells a part, with or without the total, or that there is none") {
    const auto read = [](const std::string& s) -> std::string {
      const auto r = t::parse_content_range(s);
      if (!r) return "none";
      const std::string total = r->total ? std::to_string(*r->total) : "*";
      if (r->unsatisfied) return "nothing of " + total;
      return std::to_string(r->first) + " to " + std::to_string(r->last) + " of " + total
          + (r->whole() ? ", whole" : "");
    };
    const std::vector<std::pair<std::string, std::string>> table{
        {"bytes 0-99/100", "0 to 99 of 100, whole"}, {"bytes 0-98/100", "0 to 98 of 100"},
        {"bytes 1-99/100", "1 to 99 of 100"}, {"BYTES 5-5/6", "5 to 5 of 6"},
        {"bytes 5-9/*", "5 to 9 of *"}, {"bytes 0-9/*", "0 to 9 of *"},
        {"bytes  5 - 9 / 10 ", "5 to 9 of 10"}, {"bytes */100", "nothing of 100"},
        {"bytes * / 100", "nothing of 100"}, {"bytes */*", "none"}, {"bytes 9-5/10", "none"},
        {"bytes 0-10/10", "none"}, {"bytes 0-9", "none"}, {"bytes 0-/10", "none"},
        {"bytes -9/10", "none"}, {"items 0-9/10", "none"}, {"0-9/10", "none"}, {"", "none"},
        {"bytes", "none"}, {"bytes 0-9/10, 0-9/10", "none"}, {"bytes 0-9/x", "none"},
        {"bytes +0-9/10", "none"}, {"bytes 0-18446744073709551615/*", "none"},
        {"bytes 0-18446744073709551616/*", "none"},
        {"bytes 18446744073709551614-18446744073709551614/*",
            "18446744073709551614 to 18446744073709551614 of *"}};
    for (const auto& [s, right] : table)
      CHECK_MESSAGE(read(s) == right, s);
  }

  TEST_CASE("of several Content-Ranges all must say the same") {
    const auto found = [](const headers& all) {
      return t::find_content_range(all).has_value();
    };
    CHECK_FALSE(found({}));
    CHECK(found({{"content-range", "bytes 0-9/10"}}));
    CHECK(found({{"content-range", ""}, {"content-range", "bytes 0-9/10"}}));
    CHECK(found({{"content-range", "bytes 0-9/10"}, {"content-range", "bytes 0-9/10"}}));
    CHECK_FALSE(found({{"content-range", "bytes 0-9/10"}, {"content-range", "bytes 1-9/10"}}));
    CHECK_FALSE(found({{"content-range", "bytes 0-9/10"}, {"content-range", "x"}}));
  }

  TEST_CASE("a length that a proxy joined with itself is one") {
    const auto length = [](const std::string& value) -> std::string {
      bool known = false;
      std::uint64_t n = 0;
      if (!t::content_length(headers{{"content-length", value}}, known, n)) return "refused";
      return known ? std::to_string(n) : "unknown";
    };
    CHECK(length("5, 5") == "5");
    CHECK(length("5,5 ,5") == "5");
    for (const std::string bad : {"5, 6", "5,", ",5", "5 5", "", ",", "5, x"})
      CHECK_MESSAGE(length(bad) == "refused", bad);
  }

  // ---- codings

  TEST_CASE("which codings change bytes") {
    const auto problem = [](const std::string& name, const std::string& value) {
      return t::coding_problem(headers{{name, value}});
    };
    for (const std::string none :
        {"", "identity", "none", "aws-chunked", "utf-8", "binary", "a, b", ",", "Identity", "gz"})
      CHECK_MESSAGE(problem("content-encoding", none).empty(), none);
    for (const std::string real : {"gzip", "X-GZIP", "compress", "x-compress", "deflate", "br",
             "zstd", "dcb", "dcz", "aws-chunked,gzip", "gzip ; q=1", ", zstd"})
      CHECK_MESSAGE(has(problem("content-encoding", real), "though identity was asked"), real);
    for (const std::string none : {"", "chunked", "Chunked", "identity", "identity, chunked", ","})
      CHECK_MESSAGE(problem("transfer-encoding", none).empty(), none);
    for (const std::string real : {"gzip", "gzip, chunked", "chunked, gzip", "chunked, chunked",
             "deflate", "x", "chunked;x=1, chunked"})
      CHECK_MESSAGE(has(problem("transfer-encoding", real), "only chunked was asked"), real);
    CHECK(has(
        t::coding_problem(headers{{"transfer-encoding", "chunked"}, {"transfer-encoding", "br"}}),
        "transfer coding br"));
  }

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

  // ---- headers of a request

  TEST_CASE("a header of the user's takes the place of ours, whatever its case") {
    const text_lines ours{"Accept: */*", "Accept-Encoding: identity"};
    CHECK(lines_of(t::request_headers(ours, {})) == "Accept: */*|Accept-Encoding: identity|");
    CHECK(lines_of(t::request_headers(ours, {"aCCEPT: a/b", "X: 1", "X: 2"}))
        == "Accept-Encoding: identity|aCCEPT: a/b|X: 1|X: 2|");
    CHECK(lines_of(t::request_headers(ours, {"Accepted: a"}))
        == "Accept: */*|Accept-Encoding: identity|Accepted: a|");
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
      CHECK_MESSAGE(has(why(r), "header 2 is " + t::lower(line.substr(0, line.find(':')))), why(r));
      CHECK(w.asked.empty());
    }
  }

  // ---- lines of an answer

  TEST_CASE("a line that is continued, and one that must not be") {
    const auto unfolded = [](std::string line, const text_lines& more) -> std::string {
      for (const std::string& next : more)
        if (!t::unfold(line, next)) return "refused";
      return line;
    };
    CHECK(unfolded("A: b", {" c"}) == "A: b c");
    CHECK(unfolded("A: b", {"\t  c\r\n", " d"}) == "A: b c d");
    CHECK(unfolded("A:", {" b"}) == "A: b");
    CHECK(unfolded("A: b", {" \r\n"}) == "A: b");
    CHECK(unfolded("", {" c"}) == "refused");
    CHECK(unfolded("Location: /a", {" b"}) == "refused");
    CHECK(unfolded("location:", {" /b"}) == "location: /b");
    CHECK(unfolded("Locations: /a", {" b"}) == "Locations: /a b");
  }

  TEST_CASE("a line that is no header is overlooked, unless it tells of the body") {
    const auto read = [](const std::string& line) {
      t::header h;
      return t::read_header(line, h);
    };
    using is = t::reading;
    for (const std::string line : {"A: b", "A:", "A: \xe9\xff", "A: b\tc"})
      CHECK_MESSAGE((read(line) == is::good), line);
    for (const std::string line : {"nonsense", "X Y: b", "(a): b", "X-A : b", ": b", "\xe9: b"})
      CHECK_MESSAGE((read(line) == is::ignored), line);
    for (const std::string line : {"Content-Length : 5", "transfer-encoding\t: gzip", "A: b\x01",
             "A\x7f: b", "Content-Range : bytes 0-9/10", "Location : /"})
      CHECK_MESSAGE((read(line) == is::improper), line);
  }

  TEST_CASE("a status line") {
    CHECK(t::status_code("HTTP/1.1 200 OK") == 200);
    CHECK(t::status_code("HTTP/1.0 404") == 404);
    CHECK(t::status_code("HTTP/1.1 599 ") == 599);
    for (const std::string bad : {"", "HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1 20", "HTTP/1.1 2000 OK",
             "HTTP/1.1 099 X", "HTTP/1.1 600 X", "HTTP/1.1 -20 X", "ICY 200 OK", "200 OK"})
      CHECK_MESSAGE(t::status_code(bad) == 0, bad);
  }

  // ---- addresses

  TEST_CASE("a Location is percent-encoded where a URL may not hold a byte, but in its host") {
    const std::vector<std::pair<std::string, std::string>> table{
        {"/a\"b\\c d", "http://h/a%22b%5Cc%20d"}, {"/\xc3\xa4\xff", "http://h/%C3%A4%FF"},
        {"\\\\evil.test\\x", "http://h/b/%5C%5Cevil.test%5Cx"},
        {"?q=\"\xe9", "http://h/b/c?q=%22%E9"}, {"/%41%zz", "http://h/%41%zz"},
        {"http://x.test/\"", "http://x.test/%22"}, {"//x.test/\xe9?\xe9", "http://x.test/%E9?%E9"},
        {"http://x.test?a b", "http://x.test/?a%20b"}, {"/a#\"", "http://h/a"},
        {"<>{}|^`", "http://h/b/<>{}|^`"}};
    for (const auto& [location, right] : table) {
      t::url u;
      CHECK_MESSAGE(t::resolve(url_of("http://h/b/c"), location, u), location);
      CHECK_MESSAGE(u.whole() == right, location);
    }
    for (const std::string bad : {"/a\tb", "/a\x01", "/a\x7f", "http://a\"b/", "http://a\\b/c",
             "http://a b/", "//a\\b", "http:\\\\h\\x", "/a\r\nb"}) {
      t::url u;
      CHECK_MESSAGE(!t::resolve(url_of("http://h/b/c"), bad, u), bad);
    }
  }

  // ---- dates

  TEST_CASE("a date is read in its three forms, and as cookies write it") {
    const std::uint64_t then = 784111777;
    for (const std::string form :
        {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994", "Sun, 06-Nov-1994 08:49:37 GMT"}) {
      CHECK_MESSAGE(t::http_date(form) == then, form);
      CHECK(t::is_date(form));
    }
    CHECK(t::http_date("Sun Nov 16 08:49:37 1994") == then + 10 * 86400);
    CHECK(t::http_date("Thu, 01 Jan 1970 00:00:00 GMT") == 0);
    for (const std::string bad :
        {"", "Sun", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 08:60:37 GMT",
            "Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 32 Nov 1994 08:49:37 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 06 NOV 1994 08:49:37 GMT",
            "Son, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1969 08:49:37 GMT", "Sun, 06 Nov 994 08:49:37 GMT",
            "Sun Nov  6 08:49:37 94", "Sun Nov  6 08:49:37 1994 GMT", "Sun  Nov 6 08:49:37 1994",
            "06 Nov 1994 08:49:37 GMT", ", 06 Nov 1994 08:49:37 GMT", "\"v1\"",
            "Sun, 06 Nov 1994 08:49:37 GMT x", "1994-11-06T08:49:37Z"})
      CHECK_MESSAGE(!t::http_date(bad), bad);
  }

  TEST_CASE("a year of two digits lies at most 50 years ahead") {
    const auto year = [](const std::string& digits, std::uint64_t now) {
      const auto when = t::http_date("Monday, 15-Jun-" + digits + " 12:00:00 GMT", now);
      return when ? int(1970 + *when / 31556952) : 0;
    };
    const std::uint64_t in_2026 = 1782000000;
    CHECK(year("94", in_2026) == 1994);
    CHECK(year("26", in_2026) == 2026);
    CHECK(year("27", in_2026) == 2027);
    CHECK(year("76", in_2026) == 2076);
    CHECK(year("77", in_2026) == 1977);
    CHECK(year("00", in_2026) == 2000);
    CHECK(year("99", 946000000) == 1999);  // in 1999
    CHECK(year("00", 946000000) == 2000);
    CHECK(year("30", 4000000000) == 2130);  // in 2096
  }

  TEST_CASE("an old form of a date is as good a mark of the file as the new one") {
    const std::string now = "Tue, 15 Nov 2022 08:12:31 GMT";
    for (const std::string form : {"Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"})
      CHECK(t::validator(headers{{"last-modified", form}, {"date", now}}) == form);
    CHECK(
        t::validator(headers{{"last-modified", "Tue Nov 15 08:12:00 2022"}, {"date", now}}) == "");
    CHECK(t::retry_after("Tue Nov 15 08:12:41 2022", now) == 10);
    CHECK(t::retry_after("Tuesday, 15-Nov-22 08:12:41 GMT", now) == 10);
    CHECK(t::retry_after("Tuesday, 15-Nov-22 08:12:21 GMT", now) == 0);
    CHECK(t::retry_after("120", "") == 120);
  }

  // ---- cookies

  TEST_CASE("where a cookie goes") {
    struct row {
      std::string from, set, to, sent;
    };

    const std::string h = "http://a.example.com/x/y";
    const std::vector<row> table{// its host, and no other
        {h, "k=v", "http://a.example.com/x/z", "k=v"}, {h, "k=v", "http://A.EXAMPLE.com/x/", "k=v"},
        {h, "k=v", "http://example.com/x/", ""}, {h, "k=v", "http://b.a.example.com/x/", ""},
        {h, "k=v", "http://ba.example.com/x/", ""}, {h, "k=v", "http://other.test/x/", ""},
        {h, "k=v", "http://a.example.com:81/x/", ""},
        {h, "k=v", "http://a.example.com:80/x/", "k=v"},
        {"http://h:8080/", "k=v", "http://h:8080/", "k=v"},
        {h, "k=v", "https://a.example.com/x/", "k=v"},
        // a Domain
        {h, "k=v; Domain=example.com; Path=/", "http://b.example.com/", "k=v"},
        {h, "k=v; domain=.Example.COM; Path=/", "http://example.com/", "k=v"},
        {h, "k=v; Domain=example.com; Path=/", "http://badexample.com/", ""},
        {h, "k=v; Domain=a.example.com; Path=/", "http://c.a.example.com/", "k=v"},
        {h, "k=v; Domain=b.example.com; Path=/", "http://b.example.com/", ""},
        {h, "k=v; Domain=b.example.com; Path=/", h, ""},
        {h, "k=v; Domain=other.test; Path=/", h, ""},
        {h, "k=v; Domain=com; Path=/", "http://b.com/", ""}, {h, "k=v; Domain=com; Path=/", h, ""},
        {"http://a.co.uk/", "k=v; Domain=co.uk", "http://b.co.uk/", ""},
        {h, "k=v; Domain=; Path=/", h, "k=v"}, {h, "k=v; Domain=.; Path=/", "http://b.com/", ""},
        {"http://127.0.0.1/", "k=v; Domain=0.0.1", "http://127.0.0.1/", ""},
        {"http://127.0.0.1/", "k=v; Domain=127.0.0.1", "http://127.0.0.1/", "k=v"},
        {"http://127.0.0.1/", "k=v", "http://1.127.0.0.1/", ""},
        {"http://localhost/", "k=v; Domain=localhost", "http://localhost/", "k=v"},
        {"http://[::1]/", "k=v", "http://[::1]/", "k=v"},
        // Secure
        {"https://h/", "k=v; Secure", "https://h/", "k=v"},
        {"https://h/", "k=v; secure", "http://h/", ""},
        {"http://h/", "k=v; Secure", "https://h/", ""}, {"https://h/", "k=v", "http://h/", "k=v"},
        // Path
        {h, "k=v", "http://a.example.com/x", "k=v"}, {h, "k=v", "http://a.example.com/xy", ""},
        {h, "k=v", "http://a.example.com/x/y/z?q", "k=v"}, {h, "k=v", "http://a.example.com/", ""},
        {"http://h/x?a=/b/c", "k=v", "http://h/z", "k=v"}, {"http://h", "k=v", "http://h/z", "k=v"},
        {h, "k=v; Path=/", "http://a.example.com/z", "k=v"},
        {h, "k=v; Path=z", "http://a.example.com/z", ""},
        {h, "k=v; Path=/z/", "http://a.example.com/z", ""},
        {h, "k=v; Path=/z/", "http://a.example.com/z/q", "k=v"},
        // what is no cookie, and one that goes
        {h, "", h, ""}, {h, "v", h, ""}, {h, "=v", h, ""}, {h, "k=", h, "k="},
        {h, " k = v ;x", h, "k=v"}, {h, "k=a=b", h, "k=a=b"}, {h, "k=\"a b\"", h, "k=\"a b\""},
        {h, "k=a\tb", h, ""}, {h, "k=v; Max-Age=0", h, ""}, {h, "k=v; Max-Age=-1", h, ""},
        {h, "k=v; Max-Age=9", h, "k=v"}, {h, "k=v; Expires=Thu, 01-Jan-1970 00:00:00 GMT", h, ""},
        {h, "k=v; Expires=Thu, 01 Jan 2970 00:00:00 GMT", h, "k=v"},
        {h, "k=v; Expires=Thu, 01-Jan-1970 00:00:00 GMT; Max-Age=5", h, "k=v"},
        {h, "k=v; Expires=whenever", h, "k=v"}, {h, "k=" + std::string(5000, 'v'), h, ""}};
    for (const row& r : table)
      CHECK_MESSAGE(sent(r.from, {r.set}, r.to) == r.sent, r.from, " sets ", r.set.substr(0, 60),
          ", to ", r.to);
  }

  TEST_CASE("several cookies, and the user's own, make one header") {
    const std::string h = "http://h/a/b";
    CHECK(sent(h, {"k=1", "k=2"}, h) == "k=2");
    CHECK(sent(h, {"k=1", "k=2; Max-Age=0"}, h) == "");
    CHECK(sent(h, {"k=1; Path=/", "j=2", "i=3"}, h) == "j=2; i=3; k=1");
    CHECK(sent(h, {"k=1"}, h, {"Cookie: mine=1; k=old", "X: y"}) == "mine=1; k=1");
    CHECK(sent(h, {"k=1"}, h, {"COOKIE:a=1;b=2", "cookie: c=3"}) == "a=1; b=2; c=3; k=1");
    CHECK(sent(h, {"k=1; Path=/else"}, h, {"Cookie: k=old"}) == "k=old");
    CHECK(sent(h, {}, h, {"Cookie: a=1; b=2"}) == "a=1; b=2");
    text_lines many;
    for (int i = 0; i < 200; ++i)
      many.push_back("k" + std::to_string(i) + "=" + std::string(1000, 'v'));
    const std::string all = sent(h, many, h);
    CHECK(all.size() > 4096);
    CHECK(all.size() <= 16384);
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

  TEST_CASE("a cookie's value is hidden where it is repeated") {
    t::cookies jar;
    t::take_cookie(jar, url_of("http://h/"), "sid=abcdefgh; Path=/");
    const text_lines secrets = t::secret_lines({"Cookie: a=first-one; b=second-one"}, jar);
    const std::string shown =
        t::scrub("it has abcdefgh, first-one and second-one", "http://h/", secrets);
    CHECK(shown == "it has ***, *** and ***");
  }

  // ---- what people read

  TEST_CASE("bytes of others become UTF-8 without control characters, cut at a character") {
    const auto shown = [](const std::string& s, std::size_t most = std::string::npos) {
      return t::readable(s, most);
    };
    for (const std::string good : {"", "abc", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
             "\xed\x9f\xbf", "\xee\x80\x80", "\xf4\x8f\xbf\xbf", "\xc2\xa0"})
      CHECK(shown(good) == good);
    const std::vector<std::pair<std::string, std::string>> table{{"a\xff"
                                                                  "b",
                                                                     "a?b"},
        {"\xc3", "?"}, {"\xc3(", "?("}, {"\xe2\x82", "??"}, {"\xc0\x80", "??"},
        {"\xe0\x9f\xbf", "???"}, {"\xed\xa0\x80", "???"}, {"\xf4\x90\x80\x80", "????"},
        {"\xf0\x8f\x80\x80", "????"}, {"\xf5", "?"}, {"\x80", "?"}, {"a\nb\x1b[0m\x7f", "a?b?[0m?"},
        {"\xc2\x9b", "?"}, {"\xc2\x80", "?"}, {"caf\xe9 \xc3\xa9", "caf? \xc3\xa9"}};
    for (const auto& [from, to] : table)
      CHECK(shown(from) == to);
    CHECK(shown("a\xc3\xa4"
                "b",
              2)
        == "a");
    CHECK(shown("a\xc3\xa4"
                "b",
              3)
        == "a\xc3\xa4");
    CHECK(shown("\xe2\x82\xac\xe2\x82\xac", 5) == "\xe2\x82\xac");
    CHECK(shown("abc", 0) == "");
  }

  TEST_CASE("what a user's transport says and what a page says is shown as UTF-8") {
    std::string page = "<html>sign in: ";
    for (int i = 0; i < 200; ++i)
      page += "\xe2\x82\xac";
    for (std::size_t shift = 0; shift < 3; ++shift) {
      place w;
      w.serve(checkpoint_url, {page.insert(15, shift > 0 ? "x" : "")});
      const std::string text = why(w.call("m"));
      CHECK_MESSAGE(t::readable(text) == text, text);
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
