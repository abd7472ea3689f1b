// The room >>text: bytes into meaning. Most of these bytes come from strangers.
#include <doctest/doctest.h>

#include "world.hpp"

namespace t = vqcache::detail::text;
using world::lines;

namespace {

std::string resolved(const std::string& base, const std::string& location) {
  t::url b, u;
  if (!t::parse_url(base, b)) return "(bad base)";
  return t::resolve(b, location, u) ? u.whole() : "(nowhere)";
}

std::string sniffed(bool config, const std::string& head, const std::string& type = "") {
  return t::not_the_file(config ? t::kind::text : t::kind::binary, head, type);
}

std::string garbage(unsigned seed, std::size_t n) {  // the same on every run
  std::string s;
  std::uint32_t x = seed;
  for (; s.size() < n; x = x * 1664525 + 1013904223)
    s += static_cast<char>(x >> 24);
  return s;
}

}  // namespace

TEST_SUITE("text") {
  TEST_CASE("a number is digits alone, and fits into 64 bits") {
    const std::vector<std::pair<std::string, std::uint64_t>> good = {{"0", 0}, {"7", 7}, {"007", 7},
        {"980092370", 980092370}, {"4263525412", 4263525412}, {"18446744073709551615", UINT64_MAX}};
    for (const auto& g : good) {
      std::uint64_t n = 1;
      CHECK(t::to_number(g.first, n));
      CHECK(n == g.second);
    }
    for (const std::string bad :
        {"", " 1", "1 ", "+1", "-1", "1.0", "1e3", "0x1", "1,2", "18446744073709551616",
            "18446744073709551626", "99999999999999999999999", "184467440737095516150"}) {
      CAPTURE(bad);
      std::uint64_t n = 42;
      CHECK_FALSE(t::to_number(bad, n));
      CHECK(n == 42);
    }
  }

  TEST_CASE("a digest is 64 hex digits") {
    CHECK(t::is_digest(std::string(64, 'a')));
    CHECK(t::is_digest("0123456789abcdefABCDEF0123456789abcdefABCDEF01234567890123456789"));
    for (const std::string& bad : {std::string(), std::string(63, 'a'), std::string(65, 'a'),
             std::string(64, 'g'), std::string(63, 'a') + " ", std::string(63, 'a') + "\n"})
      CHECK_FALSE(t::is_digest(bad));
  }

  // ---- URLs

  TEST_CASE("a URL is taken apart and put together again") {
    struct {
      std::string url, scheme, user, host, port, path;
    } cases[] = {{"http://h", "http", "", "h", "", "/"},
        {"HTTPS://User:p%40ss@Host.Example:8443/a/b?c=d&e", "https", "User:p%40ss", "Host.Example",
            "8443", "/a/b?c=d&e"},
        {"http://h?x=/y@z", "http", "", "h", "", "/?x=/y@z"},
        {"http://a@b@h/p", "http", "a@b", "h", "", "/p"},
        {"http://[::1]:8080/p", "http", "", "[::1]", "8080", "/p"},
        {"http://[fe80::1]/", "http", "", "[fe80::1]", "", "/"},
        {"http://h/p#fragment?no=query", "http", "", "h", "", "/p"},
        {"http://h:/p", "http", "", "h", "", "/p"},
        {"s3+x.y-z://bucket/key", "s3+x.y-z", "", "bucket", "", "/key"},
        {"http://h/{a,b}[1-3]", "http", "", "h", "", "/{a,b}[1-3]"}};

    for (const auto& c : cases) {
      CAPTURE(c.url);
      t::url u;
      REQUIRE(t::parse_url(c.url, u));
      CHECK(u.scheme == c.scheme);
      CHECK(u.user == c.user);
      CHECK(t::lower(u.host) == t::lower(c.host));
      CHECK(u.port == c.port);
      CHECK(u.path == c.path);
      t::url again;
      REQUIRE(t::parse_url(u.whole(), again));
      CHECK(again.whole() == u.whole());
    }
  }

  TEST_CASE("what could become an option, a second request or another host is no URL") {
    for (const std::string& bad :
        {std::string(), std::string("h/p"), std::string("://h"), std::string("http:/h"),
            std::string("http://"), std::string("http:///p"), std::string("http://h:0/"),
            std::string("http://h:65536/"), std::string("http://h:99999999999999999999/"),
            std::string("http://h:8x/"), std::string("http://h:-1/"), std::string("http://h/a b"),
            std::string("http://h/a\nHost: x"), std::string("http://h/a\rb"),
            std::string("http://h/\tb"), std::string("http://h/a\0b", 12),
            std::string("http://h/\x7f"), std::string("http://h\"/"), std::string("http://h\\@x/"),
            std::string("ht tp://h/"), std::string("ht\"tp://h/"),
            std::string("-o /etc/x http://h/"), std::string("a/b?http://h/"),
            std::string(" http://h/")}) {
      CAPTURE(bad);
      t::url u;
      CHECK_FALSE(t::parse_url(bad, u));
    }
  }

  TEST_CASE("origins are equal by scheme, host in any case, and port, the usual one included") {
    const auto origin = [](const std::string& s) {
      t::url u;
      REQUIRE(t::parse_url(s, u));
      return u.origin();
    };
    CHECK(origin("http://h/a") == origin("HTTP://H:80/b?c"));
    CHECK(origin("https://h") == origin("https://u:p@h:443/"));
    const lines different = {origin("http://h"), origin("https://h"), origin("http://h:443"),
        origin("http://h.x"), origin("http://x.h"), origin("http://h:8080"),
        origin("http://[::1]")};
    lines sorted = different;
    std::sort(sorted.begin(), sorted.end());
    CHECK(std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end());
  }

  TEST_CASE("redirects are resolved as RFC 3986 says, without the fragment") {
    const std::string base = "http://h/b/c/d;p?q=1";
    const std::vector<std::pair<std::string, std::string>> cases = {{"g", "http://h/b/c/g"},
        {"/g", "http://h/g"}, {"//other", "http://other/"}, {"//other:81/x", "http://other:81/x"},
        {"?y=2", "http://h/b/c/d;p?y=2"}, {"g?y=2", "http://h/b/c/g?y=2"},
        {"g#s", "http://h/b/c/g"}, {"#s", "http://h/b/c/d;p?q=1"}, {"", "http://h/b/c/d;p?q=1"},
        {"g;x=1/y", "http://h/b/c/g;x=1/y"}, {"https://s.test/z?k=v", "https://s.test/z?k=v"},
        {"HTTP://x.test", "http://x.test/"}, {"g/a:b", "http://h/b/c/g/a:b"},
        {"?u=http://x/", "http://h/b/c/d;p?u=http://x/"}, {"a b", "http://h/b/c/a%20b"}};
    for (const auto& c : cases) {
      CAPTURE(c.first);
      CHECK(resolved(base, c.first) == c.second);
    }
    CHECK(resolved("https://h:8443/a", "/b") == "https://h:8443/b");
    for (const std::string bad : {"mailto:a@b", "javascript:1", "http:", "http:///x", "http://h:0/",
             "a\tb", "http://h/\r\nX: y", "//"}) {
      CAPTURE(bad);
      CHECK(resolved(base, bad) == "(nowhere)");
    }
  }

  TEST_CASE("user info goes along within its origin alone, and none is taken from a redirect") {
    CHECK(resolved("http://u:p@h/a", "/b") == "http://u:p@h/b");
    CHECK(resolved("http://u:p@h/a", "http://x:y@h/b") == "http://u:p@h/b");
    CHECK(resolved("http://u:p@h/a", "http://H:80/b").find("u:p@") != std::string::npos);
    for (const std::string to :
        {"https://h/b", "http://h:81/b", "http://g/b", "//g/b", "http://x:y@g/b"}) {
      CAPTURE(to);
      CHECK(resolved("http://u:p@h/a", to).find('@') == std::string::npos);
    }
    CHECK(resolved("http://h/a", "http://x:y@h/b") == "http://h/b");
  }

  TEST_CASE("what people read holds no secret of a URL") {
    const std::vector<std::pair<std::string, std::string>> cases = {{"http://h/p", "http://h/p"},
        {"http://user:hunter2@h/p", "http://***@h/p"},
        {"http://hunter2@h:81/p", "http://***@h:81/p"},
        {"http://h/p?token=hunter2&b=hunter2", "http://h/p?token=***&b=***"},
        {"http://h/p?hunter2", "http://h/p?***"}, {"http://h?a=hunter2=hunter2", "http://h/?a=***"},
        {"http://h/p#hunter2", "http://h/p"}, {"http://h/p?a=#hunter2", "http://h/p?a=***"},
        {"s3://k:hunter2@b/p?sig=hunter2", "s3://***@b/p?sig=***"},
        {"http://u:hunter2@x@h/p", "http://***@h/p"}, {"/a/plain/path?x=1", "/a/plain/path?x=1"}};
    for (const auto& c : cases) {
      CAPTURE(c.first);
      CHECK(t::redact(c.first) == c.second);
    }
    for (const std::string bad :
        {"http://u:hunter2@h:x/p?k=hunter2", "http://u:hunter2@/p", "http://h/p?k=hunter2 x",
            "http://u:hunter2@h/\"", "HTTP://u:hunter2@\n", "x y://hunter2"}) {
      CAPTURE(bad);
      CHECK(t::redact(bad).find("hunter2") == std::string::npos);
      CHECK(t::redact(bad).find("malformed") != std::string::npos);
    }
  }

  TEST_CASE("a pin is split off an address, any other fragment of a URL is dropped") {
    const auto split = [](std::string s) {
      std::string_view v = s;
      const std::string pin(t::split_pin(v));
      return std::string(v) + "|" + pin;
    };
    CHECK(split("http://h/p#sha256=abc") == "http://h/p|abc");
    CHECK(split("/a/b#sha256=abc") == "/a/b|abc");
    CHECK(split("http://h/p#frag") == "http://h/p|");
    CHECK(split("/a/b#frag") == "/a/b#frag|");
    CHECK(split("http://h/p") == "http://h/p|");
    CHECK(split("http://h/p#sha256=") != "http://h/p|");  // an empty pin is not no pin
    CHECK(split("http://h/p#x#sha256=abc") == "http://h/p#x|abc");
  }

  TEST_CASE("paths and file URLs are paths, other schemes are not") {
    CHECK(t::local_path("/a/b") == "/a/b");
    CHECK(t::local_path("a b") == "a b");
    CHECK(t::local_path("100%41") == "100%41");
    CHECK(t::local_path("file:///a%20b/%C3%a8%25") == "/a b/\xc3\xa8%");
    CHECK(t::local_path("file://localhost/a") == "/a");
    CHECK(t::local_path("FILE:///a") == "/a");
    CHECK(t::local_path("file:///a%2") == "/a%2");
    CHECK(t::local_path("file:///a%zz%4") == "/a%zz%4");
    CHECK(t::local_path("file:///C:/models/m.ckpt") == "C:/models/m.ckpt");
    for (const char* other : {"http://h/p", "files:///a", "s3://b/k", "profile:///x"})
      CHECK(t::local_path(other) == "");
  }

  // ---- headers

  TEST_CASE("a header line is a name, a colon and a value without control characters") {
    t::header h;
    CHECK(t::parse_header("Content-Type: text/html; charset=utf-8\r\n", h));
    CHECK(h.name == "content-type");
    CHECK(h.value == "text/html; charset=utf-8");
    CHECK(t::parse_header("X:", h));
    CHECK(h.value == "");
    CHECK(t::parse_header("a:\t b:c \t", h));
    CHECK(h.value == "b:c");
    for (const std::string& bad : {std::string(), std::string(": x"), std::string("no colon"),
             std::string("a b: c"), std::string("a : b"), std::string(" a: b"),
             std::string("a: b\r\nc: d"), std::string("a: b\nc: d"), std::string("a: b\0c", 6),
             std::string("a\x7f: b"), std::string("a\xc3\xa9: b"), std::string("(a): b")}) {
      CAPTURE(bad);
      CHECK_FALSE(t::parse_header(bad, h));
    }
  }

  TEST_CASE("of the values of a header the first that says something counts") {
    const std::vector<t::header> all = {{"a", ""}, {"b", "other"}, {"a", "1"}, {"a", "2"}};
    CHECK(t::find(all, "a") == "1");
    CHECK(t::find(all, "c") == "");
  }

  TEST_CASE("a length is one number, said once or the same each time, and chunked overrides it") {
    const auto length = [](const std::vector<t::header>& headers) -> std::string {
      bool known = true;
      std::uint64_t n = 0;
      if (!t::content_length(headers, known, n)) return "refused";
      return known ? std::to_string(n) : "unknown";
    };
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

  // ---- receipts

  TEST_CASE("a receipt that was written is read back as it was") {
    t::receipt r(2);
    r[0].file = "m.yaml", r[0].sha256 = std::string(64, 'a'), r[0].size = 692;
    r[0].origin = "https://h/files/?p=***&dl=***", r[0].etag = "W/\"a b\"";
    r[1].file = "m.ckpt", r[1].sha256 = std::string(64, 'b'), r[1].size = UINT64_MAX;
    r[1].unverified = true;
    const std::string s = t::write_receipt(r, "2026-11-23T19:00:00Z");
    const t::receipt back = t::read_receipt(s);
    REQUIRE(back.size() == 2);
    for (std::size_t i = 0; i < 2; ++i) {
      CHECK(back[i].file == r[i].file);
      CHECK(back[i].sha256 == r[i].sha256);
      CHECK(back[i].size == r[i].size);
      CHECK(back[i].origin == r[i].origin);
      CHECK(back[i].etag == r[i].etag);
      CHECK(back[i].unverified == r[i].unverified);
    }
    CHECK(s.find("2026-11-23") != std::string::npos);
  }

  TEST_CASE("no value can add a line to a receipt") {
    t::receipt r(1);
    r[0].file = "m.ckpt", r[0].sha256 = std::string(64, 'a');
    r[0].origin = "http://h/\n" + std::string(64, 'b') + "  m.ckpt\n";
    r[0].etag = "x\r\n# unverified m.ckpt";
    const t::receipt back = t::read_receipt(t::write_receipt(r, ""));
    REQUIRE(back.size() == 1);
    CHECK(back[0].sha256 == std::string(64, 'a'));
    CHECK_FALSE(back[0].unverified);
  }

  TEST_CASE("the first line of a file counts, facts may stand before or after it") {
    const std::string a(64, 'a'), b(64, 'b');
    const t::receipt r =
        t::read_receipt(a + "  m.ckpt\n" + b + "  m.ckpt\n# size 12 m.ckpt\n# unverified n.ckpt\n");
    REQUIRE(r.size() == 1);
    CHECK(r[0].sha256 == a);
    CHECK(r[0].size == 12);
    CHECK_FALSE(r[0].unverified);
    CHECK(t::find(r, "m.ckpt") == &r[0]);
    CHECK(t::find(r, "n.ckpt") == nullptr);
    CHECK(t::read_receipt("# size -12 m.ckpt\n" + a + "  m.ckpt\n")[0].size == 0);
    CHECK(t::read_receipt("# size 99999999999999999999 m.ckpt\n" + a + "  m.ckpt\n")[0].size == 0);
  }

  TEST_CASE("a receipt of garbage is read without harm, and tells nothing about the files") {
    for (unsigned seed = 1; seed <= 300; ++seed) {
      std::string s = garbage(seed, seed * 7);
      const t::receipt r = t::read_receipt(s);
      CHECK(t::find(r, "m.ckpt") == nullptr);
      for (std::size_t at = 0; at + 1 < s.size(); at += 11)
        s[at] = "# \n"[at % 3];  // half a receipt
      CHECK(t::find(t::read_receipt(s), "m.ckpt") == nullptr);
    }
    for (const std::string& odd : {std::string("#"), std::string("# "), std::string("#  "),
             std::string("# x"), std::string("# size"), std::string("# size "),
             std::string("\n\n\n"), std::string("\r\n"), std::string(64, 'a'),
             std::string(64, 'a') + " ", std::string(64, 'a') + "  ",
             std::string(65, 'a') + " m.ckpt", std::string(1000, '#'), std::string(1000, ' ')}) {
      CAPTURE(odd);
      CHECK(t::read_receipt(odd).empty());
    }
  }

  TEST_CASE("any cut of a receipt is read, and a cut digest is none") {
    const std::string a(64, 'a');
    const std::string s = "# size 5 m.ckpt\n" + a + "  m.ckpt\n";
    for (std::size_t n = 0; n + 2 < s.size(); ++n) {
      const t::receipt r = t::read_receipt(s.substr(0, n));
      CAPTURE(n);
      const t::entry* const e = t::find(r, "m.ckpt");
      CHECK((!e || e->sha256.empty()));
      CHECK((e != nullptr) == (n >= 15));  // the size may be known without the digest
    }
    CHECK(t::find(t::read_receipt(s), "m.ckpt")->sha256 == a);
  }

  // ---- what was served instead of the file

  TEST_CASE("a page is told by its look, in the words that a person would see") {
    CHECK(sniffed(false, "<!doctype html><title>x</title>").find("HTML page") != std::string::npos);
    CHECK(sniffed(true, "\n\n  <HTML><BODY>Sign in").find("\"Sign in\"") != std::string::npos);
    CHECK(sniffed(false, "<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>")
              .find("NoSuchKey")
        != std::string::npos);
    CHECK(sniffed(false, "<?xml version='1.0'?><Error/>").find("XML") != std::string::npos);
    const std::string script =
        "<html><script>if (a < b) { c(\"</div>\"); }</script><style>a{}</style>See here</html>";
    CHECK(sniffed(true, script).find("\"See here\"") != std::string::npos);
    CHECK(sniffed(true, "<html>" + std::string(100000, 'x')).size() < 400);
    CHECK(sniffed(true, "<html><script>" + std::string(1000, 'x')).size() < 400);
    CHECK(sniffed(true, "<").size() > 0);
    CHECK(sniffed(true, "<html\x1b[31m>\x07 a\x7f").find('\x1b') == std::string::npos);
  }

  TEST_CASE("a server's error in JSON is not the file, whichever key comes first") {
    for (const std::string& s : {std::string("{\"success\": false, \"error\": \"Not Found\"}"),
             std::string("{\"error_msg\": \"Link does not exist.\"}"),
             std::string("{\"statusCode\":404,\"message\":\"Not found\"}"),
             std::string("{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404}"),
             std::string("[{\"error\":\"x\"}]"), std::string("{\"result\":\"error\"}")})
      for (const bool config : {true, false})
        CHECK_MESSAGE(world::has(sniffed(config, s), "a JSON answer"), s);
    CHECK(sniffed(true, "{\"status\": 1, \"model\": {\"target\": \"x\"}}") == "");
    CHECK(world::has(sniffed(true, "Link does not exist.", "text/html"), "an HTML page"));
  }

  TEST_CASE("real configs and checkpoints are the file") {
    for (const std::string& c : {world::config(), std::string("# a remark\n") + world::config(),
             "\xEF\xBB\xBF" + world::config(), "---\r\n" + world::config(),
             std::string("{\"model\": {\"target\": \"x\"}}"), std::string("a: 1"),
             std::string("model: {target: \"<html>\"}")})
      CHECK_MESSAGE(sniffed(true, c) == "", sniffed(true, c));
    for (const std::string& k : {world::checkpoint(2000), std::string("\x80\x02}q\0", 5),
             std::string("\x80\x04\x95"), std::string("\0\0\0\0", 4), garbage(3, 9000),
             std::string("x"), std::string("ustar\0", 6), std::string("\x93NUMPY"),
             std::string("{\"format\":\"pt\",\"error_bound\":1}")})
      CHECK_MESSAGE(sniffed(false, k) == "", sniffed(false, k));
    CHECK(sniffed(true, world::config(), "text/html") == "");
    CHECK(sniffed(false, world::checkpoint(2000), "text/html") == "");
  }

  TEST_CASE("the sentinel takes any bytes") {
    for (unsigned seed = 1; seed <= 200; ++seed) {
      const std::string s = garbage(seed, seed % 97 + 1);
      for (const std::string& begin : {std::string(), std::string("<"), std::string("<!--"),
               std::string("<html><script>"), std::string("<style"), std::string("{\""),
               std::string("{"), std::string("PK\x03\x04"), std::string("version https://git-lfs"),
               std::string("\xEF\xBB\xBF")}) {
        CHECK(sniffed(true, begin + s).size() < 1000);
        CHECK(sniffed(false, begin + s, "text/html").size() < 1000);
      }
    }
  }

  TEST_CASE("a zip archive ends in a record that names the length of its comment") {
    const std::string k = world::checkpoint(500);
    CHECK(t::zip_has_end(k));
    CHECK(t::zip_has_end(k.substr(0, k.size() - 2) + world::number(3, 2) + "abc"));
    CHECK(t::zip_has_end(
        k.substr(0, k.size() - 2) + world::number(65535, 2) + std::string(65535, 'c')));
    // a comment that looks like an end record itself
    CHECK(t::zip_has_end(
        k.substr(0, k.size() - 2) + world::number(26, 2) + "PK\x05\x06" + std::string(22, 'z')));
    CHECK_FALSE(t::zip_has_end(""));
    CHECK_FALSE(t::zip_has_end("PK\x05\x06"));
    for (std::size_t n = 1; n <= 22; ++n)
      CHECK_FALSE(t::zip_has_end(k.substr(0, k.size() - n)));
    CHECK_FALSE(t::zip_has_end(k + "x"));
  }
}
