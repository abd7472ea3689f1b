// The room >>http: heads of requests and answers as pure functions, in tables. transfer/http_heads.cpp
// sends some of them through a user's transport, transfer/transport_answers.cpp through all.
#include <doctest/doctest.h>

#include "world.hpp"

namespace http = vqcache::detail::http;
namespace urls = vqcache::detail::urls;
using http::headers;
using http::telling;
using world::has;
using text_lines = vqcache::detail::list<std::string>;

namespace {

urls::url url_of(const std::string& text) {
  const auto parsed = urls::parse_url(text);
  REQUIRE(parsed);
  return *parsed;
}

std::string lines_of(const text_lines& all) {
  std::string s;
  for (const std::string& line : all)
    s += line + "|";
  return s;
}

// what the Content-Length lines of these headers tell
std::string length(const headers& all) {
  const http::body_length found = http::content_length(all);
  if (found.how == telling::malformed) return "refused";
  return found.how == telling::readable ? std::to_string(found.bytes) : "unknown";
}

// the Cookie that a request to `to` gets after `from` has set these; empty: none
std::string sent(const std::string& from, const text_lines& set, const std::string& to,
    const text_lines& own = {}, std::uint64_t now = 1700000000) {
  http::cookies jar;
  for (const std::string& line : set)
    http::take_cookie(jar, url_of(from), line, now);
  const text_lines all = http::with_cookies(own, jar, url_of(to));
  std::string cookies;
  for (const std::string& line : all)
    if (http::name_of(line) == "cookie") cookies += line.substr(line.find(':') + 2) + "|";
  return cookies.substr(0, cookies.empty() ? 0 : cookies.size() - 1);
}

}  // namespace

TEST_SUITE("http") {
  TEST_CASE("a header line is a name, a colon and a value without control characters") {
    const auto typed = http::parse_header("Content-Type: text/html; charset=utf-8\r\n");
    REQUIRE(typed);
    CHECK(typed->name == "content-type");
    CHECK(typed->value == "text/html; charset=utf-8");
    const auto empty = http::parse_header("X:");
    REQUIRE(empty);
    CHECK(empty->value == "");
    const auto padded = http::parse_header("a:\t b:c \t");
    REQUIRE(padded);
    CHECK(padded->value == "b:c");
    for (const std::string& bad : {std::string(), std::string(": x"), std::string("no colon"),
             std::string("a b: c"), std::string("a : b"), std::string(" a: b"),
             std::string("a: b\r\nc: d"), std::string("a: b\nc: d"), std::string("a: b\0c", 6),
             std::string("a\x7f: b"), std::string("a\xc3\xa9: b"), std::string("(a): b")}) {
      CAPTURE(bad);
      CHECK_FALSE(http::parse_header(bad));
    }
  }

  TEST_CASE("of the values of a header the first that says something counts") {
    const headers all = {{"a", ""}, {"b", "other"}, {"a", "1"}, {"a", "2"}};
    CHECK(http::find(all, "a") == "1");
    CHECK(http::find(all, "c") == "");
  }

  TEST_CASE("a length is one number, said once or the same each time, and chunked overrides it") {
    CHECK(length({}) == "unknown");
    CHECK(length({{"content-length", "5"}}) == "5");
    CHECK(length({{"content-length", "0"}}) == "0");
    CHECK(length({{"content-length", "5"}, {"x", "y"}, {"content-length", "5"}}) == "5");
    CHECK(length({{"content-length", "5"}, {"content-length", "6"}}) == "refused");
    CHECK(length({{"content-length", "5"}, {"transfer-encoding", "Chunked"}}) == "unknown");
    CHECK(length({{"transfer-encoding", "identity"}, {"content-length", "5"}}) == "5");
    for (const char* bad :
        {"", "five", "-5", "5, 6", "5 6", "0x5", "18446744073709551616", "18446744074689643986"})
      CHECK(length({{"content-length", bad}}) == "refused");
  }

  TEST_CASE("a Content-Range tells a part, with or without the total, or that there is none") {
    const auto read = [](const std::string& s) -> std::string {
      const auto r = http::parse_content_range(s);
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
      return http::find_content_range(all).has_value();
    };
    CHECK_FALSE(found({}));
    CHECK(found({{"content-range", "bytes 0-9/10"}}));
    CHECK(found({{"content-range", ""}, {"content-range", "bytes 0-9/10"}}));
    CHECK(found({{"content-range", "bytes 0-9/10"}, {"content-range", "bytes 0-9/10"}}));
    CHECK_FALSE(found({{"content-range", "bytes 0-9/10"}, {"content-range", "bytes 1-9/10"}}));
    CHECK_FALSE(found({{"content-range", "bytes 0-9/10"}, {"content-range", "x"}}));
  }

  TEST_CASE("a length that a proxy joined with itself is one") {
    CHECK(length({{"content-length", "5, 5"}}) == "5");
    CHECK(length({{"content-length", "5,5 ,5"}}) == "5");
    for (const std::string bad : {"5, 6", "5,", ",5", "5 5", "", ",", "5, x"})
      CHECK_MESSAGE(length({{"content-length", bad}}) == "refused", bad);
  }

  TEST_CASE("which codings change bytes") {
    const auto problem = [](const std::string& name, const std::string& value) {
      return http::coding_problem(headers{{name, value}});
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
    CHECK(has(http::coding_problem(
                  headers{{"transfer-encoding", "chunked"}, {"transfer-encoding", "br"}}),
        "transfer coding br"));
  }

  TEST_CASE("a header of the user's takes the place of ours, whatever its case") {
    const text_lines ours{"Accept: */*", "Accept-Encoding: identity"};
    CHECK(lines_of(http::request_headers(ours, {})) == "Accept: */*|Accept-Encoding: identity|");
    CHECK(lines_of(http::request_headers(ours, {"aCCEPT: a/b", "X: 1", "X: 2"}))
        == "Accept-Encoding: identity|aCCEPT: a/b|X: 1|X: 2|");
    CHECK(lines_of(http::request_headers(ours, {"Accepted: a"}))
        == "Accept: */*|Accept-Encoding: identity|Accepted: a|");
  }

  TEST_CASE("a line that is continued, and one that must not be") {
    const auto unfolded = [](std::string line, const text_lines& more) -> std::string {
      for (const std::string& next : more) {
        if (!http::may_continue(line, next)) return "refused";
        line = http::unfolded(line, next);
      }
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
      return http::read_header(line).how;
    };
    using is = http::reading;
    for (const std::string line : {"A: b", "A:", "A: \xe9\xff", "A: b\tc"})
      CHECK_MESSAGE((read(line) == is::good), line);
    for (const std::string line : {"nonsense", "X Y: b", "(a): b", "X-A : b", ": b", "\xe9: b"})
      CHECK_MESSAGE((read(line) == is::ignored), line);
    for (const std::string line : {"Content-Length : 5", "transfer-encoding\t: gzip", "A: b\x01",
             "A\x7f: b", "Content-Range : bytes 0-9/10", "Location : /"})
      CHECK_MESSAGE((read(line) == is::improper), line);
  }

  TEST_CASE("a status line") {
    CHECK(http::status_code("HTTP/1.1 200 OK") == 200);
    CHECK(http::status_code("HTTP/1.0 404") == 404);
    CHECK(http::status_code("HTTP/1.1 599 ") == 599);
    for (const std::string bad : {"", "HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1 20", "HTTP/1.1 2000 OK",
             "HTTP/1.1 099 X", "HTTP/1.1 600 X", "HTTP/1.1 -20 X", "ICY 200 OK", "200 OK"})
      CHECK_MESSAGE(http::status_code(bad) == 0, bad);
  }

  TEST_CASE("a date is read in its three forms, and as cookies write it") {
    const std::uint64_t then = 784111777;
    for (const std::string form :
        {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994", "Sun, 06-Nov-1994 08:49:37 GMT"}) {
      CHECK_MESSAGE(http::http_date(form) == then, form);
      CHECK(http::is_date(form));
    }
    CHECK(http::http_date("Sun Nov 16 08:49:37 1994") == then + 10 * 86400);
    CHECK(http::http_date("Thu, 01 Jan 1970 00:00:00 GMT") == 0);
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
      CHECK_MESSAGE(!http::http_date(bad), bad);
  }

  TEST_CASE("a year of two digits lies at most 50 years ahead") {
    const auto year = [](const std::string& digits, std::uint64_t now) {
      const auto when = http::http_date("Monday, 15-Jun-" + digits + " 12:00:00 GMT", now);
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
      CHECK(http::validator(headers{{"last-modified", form}, {"date", now}}) == form);
    CHECK(http::validator(headers{{"last-modified", "Tue Nov 15 08:12:00 2022"}, {"date", now}})
        == "");
    CHECK(http::retry_after("Tue Nov 15 08:12:41 2022", now) == 10);
    CHECK(http::retry_after("Tuesday, 15-Nov-22 08:12:41 GMT", now) == 10);
    CHECK(http::retry_after("Tuesday, 15-Nov-22 08:12:21 GMT", now) == 0);
    CHECK(http::retry_after("120", "") == 120);
  }

  // ---- all of a head

  TEST_CASE("a head is parsed once, into all that is ever asked of it") {
    const http::response_head head = http::read_head(206,
        {{"content-length", "50"}, {"content-range", "bytes 50-99/100"}, {"etag", "\"v\t1\""},
            {"last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"}, {"content-type", "text/x"},
            {"location", "/a"}, {"retry-after", "7"}, {"accept-ranges", "none"},
            {"set-cookie", "a=1"}, {"set-cookie", "b=2"}});
    CHECK(head.code == 206);
    CHECK(head.length_header == telling::readable);
    CHECK(head.content_length == 50U);
    CHECK(head.range_header == telling::readable);
    REQUIRE(head.range);
    CHECK(head.range->first == 50);
    CHECK(head.etag == "\"v?1\"");
    CHECK(head.validator == "\"v?1\"");
    CHECK(head.last_modified == "Sun, 06 Nov 1994 08:49:37 GMT");
    CHECK(head.content_type == "text/x");
    CHECK(head.location == "/a");
    CHECK(head.retry_after_seconds == 7);
    CHECK_FALSE(head.accepts_ranges);
    CHECK_FALSE(head.has_transfer_coding);
    CHECK_FALSE(head.is_chunked);
    CHECK(head.coding_problem == "");
    CHECK(lines_of(head.set_cookies) == "a=1|b=2|");
  }

  TEST_CASE("a head that says nothing, and one that contradicts itself") {
    const http::response_head bare = http::read_head(200, {});
    CHECK(bare.length_header == telling::nothing);
    CHECK_FALSE(bare.content_length);
    CHECK(bare.range_header == telling::nothing);
    CHECK_FALSE(bare.range);
    CHECK(bare.accepts_ranges);
    CHECK(
        bare.etag + bare.validator + bare.last_modified + bare.content_type + bare.location == "");
    CHECK(bare.retry_after_seconds == 0);
    CHECK(bare.set_cookies.empty());

    const http::response_head odd = http::read_head(206,
        {{"content-length", "5"}, {"content-length", "6"}, {"content-range", "bytes 0-4/10"},
            {"content-range", "bytes 0-5/10"}, {"content-encoding", "br"}, {"etag", "W/\"v\""}});
    CHECK(odd.length_header == telling::malformed);
    CHECK_FALSE(odd.content_length);
    CHECK(odd.range_header == telling::malformed);
    CHECK_FALSE(odd.range);
    CHECK(has(odd.coding_problem, "though identity was asked"));
    CHECK(odd.etag == "W/\"v\"");
    CHECK(odd.validator == "");

    const http::response_head chunked =
        http::read_head(200, {{"content-length", "5"}, {"transfer-encoding", "Chunked"}});
    CHECK(chunked.is_chunked);
    CHECK(chunked.has_transfer_coding);
    CHECK(chunked.length_header == telling::nothing);
    CHECK_FALSE(chunked.content_length);
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

  TEST_CASE("of a signed request the signature is hidden without its name, too") {
    const text_lines lines{
        "authorization: AWS4-HMAC-SHA256 Credential=AKIAX/20130524/r/s3/aws4_request,"
        "SignedHeaders=host;range,Signature=0123456789abcdef",
        "x-amz-security-token: a/token+of=it=="};
    CHECK(http::scrub("no host: 0123456789abcdef, a/token+of=it==", "http://h/", lines)
        == "no host: ***, ***");
  }

  TEST_CASE("a cookie's value is hidden where it is repeated") {
    http::cookies jar;
    http::take_cookie(jar, url_of("http://h/"), "sid=abcdefgh; Path=/");
    const text_lines secrets = http::secret_lines({"Cookie: a=first-one; b=second-one"}, jar);
    const std::string shown =
        http::scrub("it has abcdefgh, first-one and second-one", "http://h/", secrets);
    CHECK(shown == "it has ***, *** and ***");
  }

  TEST_CASE("a value of a query that people may read is no secret in an error, any other is one") {
    const std::string url = "http://u:password@h/f?p=%2Fckpts%2Flast.ckpt&token=canary";
    const std::string said = "no /ckpts/last.ckpt (%2Fckpts%2Flast.ckpt) for canary of password";
    CHECK(
        http::scrub(said, url, {}) == "no /ckpts/last.ckpt (%2Fckpts%2Flast.ckpt) for *** of ***");
  }

  TEST_CASE("which headers look like credentials is told by their names") {
    for (const char* line : {"Authorization: Basic x", "cookie: a=b", "X-Auth-Token: x",
             "PRIVATE-TOKEN: x", "x-api-key: x", "Proxy-Authorization: x"})
      CHECK_MESSAGE(http::hold_credentials({"Accept: */*", line}), line);
    CHECK_FALSE(http::hold_credentials({}));
    CHECK_FALSE(
        http::hold_credentials({"Accept: */*", "User-Agent: token", "Referer: http://key/"}));
  }
}
