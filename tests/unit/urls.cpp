// The room >>urls: addresses, most of them a stranger's.
#include <doctest/doctest.h>

#include <algorithm>

#include "world.hpp"

namespace strings = vqcache::detail::strings;
namespace urls = vqcache::detail::urls;
using world::lines;

namespace {

urls::url url_of(const std::string& text) {
  const auto parsed = urls::parse_url(text);
  REQUIRE(parsed);
  return *parsed;
}

std::string resolved(const std::string& base, const std::string& location) {
  const auto from = urls::parse_url(base);
  if (!from) return "(bad base)";
  const auto target = urls::resolve(*from, location);
  return target ? target->whole() : "(nowhere)";
}

}  // namespace

TEST_SUITE("urls") {
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
      const urls::url u = url_of(c.url);
      CHECK(u.scheme == c.scheme);
      CHECK(u.user == c.user);
      CHECK(strings::lower(u.host) == strings::lower(c.host));
      CHECK(u.port == c.port);
      CHECK(u.path == c.path);
      CHECK(url_of(u.whole()).whole() == u.whole());
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
            std::string(" http://h/"), std::string("http://[::1/"), std::string("http://::1]/"),
            std::string("http://h]/"), std::string("http://[]/"), std::string("http://[[::1]]/"),
            std::string("http://a[::1]/")}) {
      CAPTURE(bad);
      CHECK_FALSE(urls::parse_url(bad));
    }
  }

  TEST_CASE("origins are equal by scheme, host in any case, and port, the usual one included") {
    const auto origin = [](const std::string& text) {
      return url_of(text).origin();
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
      CHECK(urls::redact(c.first) == c.second);
    }
    for (const std::string bad :
        {"http://u:hunter2@h:x/p?k=hunter2", "http://u:hunter2@/p", "http://h/p?k=hunter2 x",
            "http://u:hunter2@h/\"", "HTTP://u:hunter2@\n", "x y://hunter2"}) {
      CAPTURE(bad);
      CHECK(urls::redact(bad).find("hunter2") == std::string::npos);
      CHECK(urls::redact(bad).find("malformed") != std::string::npos);
    }
  }

  TEST_CASE("of a query people read what names a file, where it is a path or a plain word") {
    const std::string hex(20, 'a'), long_path = std::string(98, '/') + "a/" + std::string(99, '/');
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"p=%2Fconfigs%2Fmodel.yaml", "p=%2Fconfigs%2Fmodel.yaml"}, {"p=/ckpts/last.ckpt", "="},
        {"dl=1&p=%2fckpts%2flast.ckpt", "="}, {"path=a/b.ckpt", "="},
        {"filename=my+model.ckpt", "="}, {"filename=my%20model(1).ckpt", "="}, {"dl=1", "="},
        {"ref=main", "="}, {"rev=v1.0.2", "="}, {"revision=refs%2Fpr%2F1", "="},
        {"revision=my-feature_branch", "="}, {"P=/a&Ref=main", "="}, {"p=/a&p=/b", "="},
        {"p=vqgan_imagenet_f16_16384/checkpoint.ckpt", "="},
        // a switch, and file as filename
        {"download=true", "="}, {"x=False&y=YES&z=no", "="}, {"a=0&b=1", "="}, {"file=a.ckpt", "="},
        {"download=truest", "download=***"}, {"x=10", "x=***"}, {"files=a", "files=***"},
        // p is a path of Seafile's, or a password
        {"p=letmein", "p=***"}, {"P=let%20me", "P=***"}, {"p=last.ckpt", "="}, {"p=a%2Fb", "="},
        // another name
        {"token=main", "token=***"}, {"pp=/a", "pp=***"}, {"=/a", "=***"}, {"p", "***"},
        {"%70=/a", "%70=***"}, {"dl=1&token=x&p=/a", "dl=1&token=***&p=/a"},
        {"p%20path=/a", "p%20path=***"}, {"p+path=/a", "p+path=***"},
        // the look of a token
        {"p=" + hex, "p=***"}, {"path=" + hex.substr(1), "="}, {"p=/a/" + hex + ".ckpt", "p=***"},
        {"rev=4b825dc642cb6eb9a060e54bf8d69288fbee4904", "rev=***"},
        {"path=aGVsbG8-aGVsbG8_aGVsbG8", "path=***"},
        {"p=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0", "p=***"}, {"p=abc=", "p=***"},
        // user info, another address, a second parameter
        {"p=user:word@host/a", "p=***"}, {"p=user%3Aword%40host", "p=***"}, {"p=a@b", "p=***"},
        {"p=http://h/a", "p=***"}, {"p=http%3A%2F%2Fh%2Fa", "p=***"},
        {"p=http%253A%252F%252Fh%252Fa", "p=***"}, {"p=a;token=b", "p=***"},
        {"p=a%26token%3Db", "p=***"}, {"p=a?token=b", "p=***"}, {"p=%00", "p=***"},
        {"p=%0A", "p=***"}, {"p=%c3%a4", "p=***"}, {"p=%zz", "p=***"}, {"p=", "p=***"},
        // 199 bytes, and 200
        {"p=" + long_path, "="}, {"p=" + long_path + "/", "p=***"},
        {"p=/" + std::string(67, '%') + "2F", "p=***"},
        // the fragment
        {"p=/a#hunter2", "p=/a"}, {"dl=1#p=hunter2", "dl=1"}};
    for (const auto& [query, shown] : cases) {
      CAPTURE(query);
      const std::string start = "https://h/f?";
      CHECK(urls::redact(start + query) == start + (shown == "=" ? query : shown));
      const bool is_fragment = strings::contains(query, "#");
      const std::string none = urls::redact(start + query, urls::shown_of_query::nothing);
      CHECK((is_fragment || !strings::contains(none, "/a")));
      CHECK(strings::contains(none, "***"));
    }
  }

  TEST_CASE("what is a secret in one place of a URL is one in every other") {
    const std::vector<std::pair<std::string, std::string>> cases = {
        {"http://u:hunter2@h/f?p=hunter2", "http://***@h/f?p=***"},
        {"http://hunter2@h/f?p=/a/hunter2.ckpt", "http://***@h/f?p=***"},
        {"http://h/f?token=hunter2&p=hunter2", "http://h/f?token=***&p=***"},
        {"http://h/f?p=hunter2&token=hunter2", "http://h/f?p=***&token=***"},
        {"http://h/f?token=hun%74er2&p=hunter2", "http://h/f?token=***&p=***"},
        {"http://h/f?p=hunter2&hunter2", "http://h/f?p=***&***"},
        {"http://h/f?x=12&dl=1", "http://h/f?x=***&dl=1"}};
    for (const auto& [given, shown] : cases)
      CHECK(urls::redact(given) == shown);
  }

  TEST_CASE("a pin is split off an address, any other fragment of a URL is dropped") {
    const auto split = [](const std::string& given) {
      const auto [address, pin] = urls::split_pin(given);
      return std::string(address) + "|" + std::string(pin);
    };
    CHECK(split("http://h/p#sha256=abc") == "http://h/p|abc");
    CHECK(split("/a/b#sha256=abc") == "/a/b|abc");
    CHECK(split("http://h/p#frag") == "http://h/p|");
    CHECK(split("/a/b#frag") == "/a/b#frag|");
    CHECK(split("http://h/p") == "http://h/p|");
    CHECK(split("http://h/p#sha256=") != "http://h/p|");  // an empty pin is not no pin
    CHECK(split("http://h/p#x#sha256=abc") == "http://h/p#x|abc");
  }

  TEST_CASE(
      "what tells two addresses apart: no secret, and nothing that is another one each time") {
    const std::vector<std::pair<std::string, std::string>> table{
        {"https://Host.test/a/B.ckpt", "https://host.test:443/a/B.ckpt"},
        {"https://user:word@host.test:443/a#part", "https://host.test:443/a"},
        {"http://h", "http://h:80/"}, {"http://h/p?", "http://h:80/p"},
        {"http://h/p?id=1&id=2", "http://h:80/p?id=1&id=2"},
        {"http://h/p?id=1&X-Amz-Date=2&x-amz-signature=3&v=4", "http://h:80/p?id=1&v=4"},
        {"http://h/p?X-Goog-Expires=1", "http://h:80/p"},
        {"http://h/p?Expires=1&Signature=2&Key-Pair-Id=3&Policy=4&AWSAccessKeyId=5",
            "http://h:80/p"},
        {"http://h/p?sv=1&st=2&se=3&sr=b&sp=r&sig=4&file=5", "http://h:80/p?file=5"},
        {"http://h/p?access_token=1&TOKEN=2&api_key=3&client%5Fsecret=4&dl=1",
            "http://h:80/p?dl=1"},
        {"http://h/p?t%6Fken=1&q", "http://h:80/p?q"}, {"/a/path?id=1", ""}, {"a b", ""},
        {"http://", ""}, {"http://h:99999/", ""}};
    for (const auto& [given, kept] : table) {
      CHECK_MESSAGE(urls::reduced(given) == kept, given);
    }
  }

  TEST_CASE("paths and file URLs are paths, other schemes are not") {
    CHECK(urls::local_path("/a/b") == "/a/b");
    CHECK(urls::local_path("a b") == "a b");
    CHECK(urls::local_path("100%41") == "100%41");
    CHECK(urls::local_path("file:///a%20b/%C3%a8%25") == "/a b/\xc3\xa8%");
    CHECK(urls::local_path("file://localhost/a") == "/a");
    CHECK(urls::local_path("FILE:///a") == "/a");
    CHECK(urls::local_path("file:///a%2") == "/a%2");
    CHECK(urls::local_path("file:///a%zz%4") == "/a%zz%4");
    CHECK(urls::local_path("file:///C:/models/m.ckpt") == "C:/models/m.ckpt");
    for (const char* other : {"http://h/p", "files:///a", "s3://b/k", "profile:///x"})
      CHECK(urls::local_path(other) == "");
  }

  TEST_CASE("a Location is percent-encoded where a URL may not hold a byte, but in its host") {
    const std::vector<std::pair<std::string, std::string>> table{
        {"/a\"b\\c d", "http://h/a%22b%5Cc%20d"}, {"/\xc3\xa4\xff", "http://h/%C3%A4%FF"},
        {"\\\\evil.test\\x", "http://h/b/%5C%5Cevil.test%5Cx"},
        {"?q=\"\xe9", "http://h/b/c?q=%22%E9"}, {"/%41%zz", "http://h/%41%zz"},
        {"http://x.test/\"", "http://x.test/%22"}, {"//x.test/\xe9?\xe9", "http://x.test/%E9?%E9"},
        {"http://x.test?a b", "http://x.test/?a%20b"}, {"/a#\"", "http://h/a"},
        {"<>{}|^`", "http://h/b/<>{}|^`"}};
    for (const auto& [location, right] : table) {
      CHECK_MESSAGE(resolved("http://h/b/c", location) == right, location);
    }
    for (const std::string bad : {"/a\tb", "/a\x01", "/a\x7f", "http://a\"b/", "http://a\\b/c",
             "http://a b/", "//a\\b", "http:\\\\h\\x", "/a\r\nb"})
      CHECK_MESSAGE(resolved("http://h/b/c", bad) == "(nowhere)", bad);
  }
}
