// What servers declare of the SHA-256 of their files, as tables: which headers are read, what is
// none, and what follows for an answer, a record and a receipt.
#include "vqcache.hpp"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

namespace formats = vqcache::detail::formats;
namespace http = vqcache::detail::http;
namespace journal = vqcache::detail::journal;
namespace policy = vqcache::detail::policy;
using http::telling;
using policy::answer_kind;

namespace {

const std::string hex_a(64, 'a'), hex_b(64, 'b');
const std::string base_a = "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo=";
const std::string base_b = "u7u7u7u7u7u7u7u7u7u7u7u7u7u7u7u7u7u7u7u7u7s=";
const std::string counted = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const std::string base_counted = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

struct row {
  const char* title;
  int code;
  http::headers headers;
  std::string want;  // the digest; empty: none; "?": two contradict each other
};

std::vector<row> rows() {
  const std::string repr = "repr-digest", digest = "digest", link = "x-linked-etag";
  const std::string amz = "x-amz-checksum-sha256", type = "x-amz-checksum-type";
  const std::string short_base = base_a.substr(1), bare = base_a.substr(0, 43);
  const std::string upper_a(64, 'A');
  return {
      {"nothing", 200, {{"etag", "\"" + hex_a + "\""}, {"content-length", "5"}}, ""},

      // RFC 9530
      {"a member", 200, {{repr, "sha-256=:" + base_counted + ":"}}, counted},
      {"without its padding", 200, {{repr, "sha-256=:" + bare + ":"}}, hex_a},
      {"of a part it is of the whole", 206, {{repr, "sha-256=:" + base_a + ":"}}, hex_a},
      {"one of several", 200, {{repr, "sha-512=:AAAA:,\t sha-256=:" + base_a + ": , md5=:AA==:"}},
          hex_a},
      {"with parameters", 200, {{repr, "sha-256=:" + base_a + ":;a=1; b=\"x, y\", sha=:AA==:"}},
          hex_a},
      {"a key of another case", 200, {{repr, "SHA-256=:" + base_a + ":"}}, ""},
      {"another algorithm", 200, {{repr, "sha-512-256=:" + base_a + ":"}}, ""},
      {"no bytes but a token", 200, {{repr, "sha-256=" + base_a}}, ""},
      {"no end", 200, {{repr, "sha-256=:" + base_a}}, ""},
      {"something behind it", 200, {{repr, "sha-256=:" + base_a + ":x"}}, ""},
      {"31 bytes", 200, {{repr, "sha-256=:" + short_base + ":"}}, ""},
      {"33 bytes", 200, {{repr, "sha-256=:q" + base_a + ":"}}, ""},
      {"no digits of base64", 200, {{repr, "sha-256=:-" + short_base + ":"}}, ""},
      {"two '='", 200, {{repr, "sha-256=:" + base_a + "=:"}}, ""},
      {"hex", 200, {{repr, "sha-256=:" + hex_a + ":"}}, ""},
      {"empty", 200, {{repr, "sha-256=::"}}, ""},
      {"of a redirect's own page", 302, {{repr, "sha-256=:" + base_a + ":"}}, ""},
      {"of an error's own page", 404, {{repr, "sha-256=:" + base_a + ":"}}, ""},
      {"of the content alone", 200, {{"content-digest", "sha-256=:" + base_a + ":"}}, ""},
      {"what is wanted", 200, {{"want-repr-digest", "sha-256=1"}}, ""},

      // RFC 3230
      {"an instance", 200, {{digest, "SHA-256=" + base_counted}}, counted},
      {"in any case", 206, {{digest, "md5=AA==, Sha-256=" + base_a + ",unixsum=30637"}}, hex_a},
      {"another one", 200, {{digest, "SHA-512=" + base_a}}, ""},
      {"of what was encoded", 200, {{digest, "id-sha-256=" + base_a}}, ""},
      {"as a dictionary", 200, {{digest, "sha-256=:" + base_a + ":"}}, ""},
      {"of a redirect", 301, {{digest, "SHA-256=" + base_a}}, ""},

      // S3
      {"an object", 200, {{amz, base_a}}, hex_a},
      {"which says that it is one", 200, {{amz, base_a}, {type, "FULL_OBJECT"}}, hex_a},
      {"a composite by its number", 200, {{amz, base_a + "-7"}}, ""},
      {"a composite by its type", 200, {{amz, base_a}, {type, "COMPOSITE"}}, ""},
      {"a new type", 200, {{amz, base_a}, {type, "MERKLE"}}, ""},
      {"of a part, perhaps", 206, {{amz, base_a}}, ""},
      {"of a part's object", 206, {{amz, base_a}, {type, "FULL_OBJECT"}}, hex_a},
      {"of an error", 404, {{amz, base_a}}, ""},

      // the hub
      {"a link", 302, {{link, "\"" + hex_a + "\""}}, hex_a},
      {"in upper case", 307, {{link, "\"" + upper_a + "\""}}, hex_a},
      {"served at once", 200, {{link, "\"" + hex_a + "\""}}, hex_a},
      {"a weak one", 302, {{link, "W/\"" + hex_a + "\""}}, ""},
      {"a hash of git's", 302, {{link, "\"" + hex_a.substr(24) + "\""}}, ""},
      {"without quotes", 302, {{link, hex_a}}, ""},
      {"half of them", 302, {{link, "\"" + hex_a + "a"}}, ""},
      {"a quote alone", 302, {{link, "\""}}, ""},
      {"of an error", 403, {{link, "\"" + hex_a + "\""}}, ""},

      // several
      {"twice the same", 200, {{repr, "sha-256=:" + base_a + ":"}, {digest, "sha-256=" + base_a}},
          hex_a},
      {"two headers differ", 200,
          {{repr, "sha-256=:" + base_a + ":"}, {digest, "sha-256=" + base_b}}, "?"},
      {"two lines differ", 200,
          {{repr, "sha-256=:" + base_a + ":"}, {repr, "sha-256=:" + base_b + ":"}}, "?"},
      {"two members differ, and a third agrees", 200,
          {{repr, "sha-256=:" + base_a + ":,sha-256=:" + base_b + ":"},
              {digest, "sha-256=" + base_a}},
          "?"},
      {"a malformed one contradicts nothing", 200,
          {{repr, "sha-256=:" + base_a + ":"}, {digest, "sha-256=" + short_base}}, hex_a},
  };
}

std::string told(const http::declaration& d) {
  if (d.how == telling::malformed) return "?";
  return d.sha256;
}

http::response_head head_of(int code, const std::string& digest, const std::string& etag = "") {
  http::headers all{{"etag", etag}, {"content-length", code == 206 ? "150" : "300"}};
  if (code == 206) all.push_back({"content-range", "bytes 150-299/300"});
  http::response_head head = http::read_head(code, all);
  if (!digest.empty()) head.declared = {telling::readable, digest, "hub.test x-linked-etag"};
  return head;
}

policy::on_disk half(const std::string& digest, bool pinned, bool is_of_another = false) {
  return {150, 300, is_of_another ? "" : "\"v1\"", pinned, digest, "the pin", is_of_another};
}

formats::identity named(
    const std::string& pin, const std::string& url, const std::string& declared) {
  return {pin, url, "", 300, declared, "hub.test digest"};
}

}  // namespace

TEST_SUITE("digests") {
  TEST_CASE("which headers declare the digest of the whole file, and what is none") {
    for (const row& r : rows()) {
      CAPTURE(r.title);
      const http::declaration found = http::read_head(r.code, r.headers).declared;
      CHECK(told(found) == r.want);
      CHECK((found.how == telling::nothing) == r.want.empty());
      CHECK(found.by.empty() == r.want.empty());
    }
  }

  TEST_CASE("along a chain of redirects what was said first stands, and two that differ are none") {
    const http::declaration none, a{telling::readable, hex_a, "one"},
        also{telling::readable, hex_a, "two"}, b{telling::readable, hex_b, "three"};
    CHECK(http::together(none, none).how == telling::nothing);
    CHECK(http::together(a, none).by == "one");
    CHECK(http::together(none, a).by == "one");
    CHECK(http::together(a, also).by == "one");
    const http::declaration differ = http::together(a, b);
    CHECK(told(differ) == "?");
    CHECK(differ.by == "one, three");
    CHECK(told(http::together(differ, a)) == "?");
    CHECK(told(http::together(a, differ)) == "?");
    CHECK(told(http::together(differ, none)) == "?");
  }

  TEST_CASE("what an answer is taken for that declares a digest") {
    struct judged {
      const char* title;
      http::response_head head;
      policy::on_disk have;
      answer_kind want;
      bool changed, another;
    };

    const std::string v2 = "\"v2\"", v1 = "\"v1\"";
    const std::vector<judged> all = {
        {"the pin's", head_of(206, hex_a, v1), half(hex_a, true), answer_kind::part, false, false},
        {"the pin's under another ETag", head_of(206, hex_a, v2), half(hex_a, true),
            answer_kind::part, false, false},
        {"not the pin's", head_of(206, hex_b, v1), half(hex_a, true), answer_kind::odd, false,
            true},
        {"not the pin's, whole", head_of(200, hex_b, v1), half(hex_a, true), answer_kind::odd,
            false, true},
        {"not the pin's, and an error", head_of(503, hex_b), half(hex_a, true),
            answer_kind::error_page, false, false},
        {"declared before, and the same", head_of(206, hex_a, v2), half(hex_a, false),
            answer_kind::part, false, false},
        {"declared before, and another", head_of(206, hex_b, v1), half(hex_a, false),
            answer_kind::odd, true, false},
        {"declared before, not now", head_of(206, "", v1), half(hex_a, false), answer_kind::part,
            false, false},
        {"declared before, not now, and another ETag", head_of(206, "", v2), half(hex_a, false),
            answer_kind::odd, true, false},
        {"declared now for the first time", head_of(206, hex_a, v1), half("", false),
            answer_kind::part, false, false},
        {"declared now, and another ETag", head_of(206, hex_a, v2), half("", false),
            answer_kind::odd, true, false},
        {"of another URL, the same", head_of(206, hex_a, v2), half(hex_a, false, true),
            answer_kind::part, false, false},
        {"of another URL, another", head_of(206, hex_b), half(hex_a, false, true), answer_kind::odd,
            true, false},
        {"of another URL, nothing declared", head_of(206, "", v1), half(hex_a, false, true),
            answer_kind::odd, true, false},
        {"of another URL, whole", head_of(200, "", v1), half(hex_a, false, true),
            answer_kind::whole, false, false},
    };
    for (const judged& j : all) {
      CAPTURE(j.title);
      const policy::verdict v = policy::judge_head(j.head, {true, 150, false}, j.have);
      CHECK(v.kind == j.want);
      CHECK(v.has_changed == j.changed);
      CHECK(v.is_another_file == j.another);
    }

    policy::attempt made;
    made.failure = vqcache::errc::hash_mismatch, made.code = 206;
    made.is_odd = made.wanted_rest = made.is_another_file = true;
    CHECK(policy::decide(made) == policy::next_step::next_source);
  }

  TEST_CASE("which unfinished file a declared digest ties to the wanted one") {
    using journal::tie;
    const std::string here(64, 'c'), there(64, 'd');
    const formats::identity plain = named("", here, ""), pinned = named(hex_a, here, "");
    CHECK(journal::is_tied(named("", here, hex_a), plain));
    CHECK_FALSE(journal::is_tied(named("", here, ""), plain));  // no mark, no digest
    CHECK_FALSE(journal::is_tied(named("", there, hex_a), plain));
    CHECK(journal::is_tied(named("", there, hex_a), plain, tie::declaration));
    CHECK_FALSE(journal::is_tied(named("", there, ""), plain, tie::declaration));
    CHECK(journal::is_tied(named("", there, hex_a), pinned));
    CHECK_FALSE(journal::is_tied(named("", here, hex_b), pinned));
    CHECK_FALSE(journal::is_tied(named("", there, hex_b), pinned, tie::declaration));
  }

  TEST_CASE("a record keeps it, and what no digest begins is overlooked") {
    const auto read = [](const std::string& line) {
      return formats::read_record("host\n" + line + "\n").id;
    };
    const formats::identity id = read("declared " + hex_a + " hub.test x-linked-etag");
    CHECK(id.declared == hex_a);
    CHECK(id.declared_by == "hub.test x-linked-etag");
    CHECK(id.usable());
    CHECK(read("declared " + hex_a).declared == hex_a);
    CHECK(read("declared").declared.empty());
    CHECK(read("declared a hub.test digest").declared.empty());
  }

  TEST_CASE("a receipt tells it while it is of these bytes; to other versions it is a remark") {
    formats::receipt r(1);
    r[0].file = "m.ckpt", r[0].sha256 = hex_a;
    r[0].declared = hex_a + " hub.test x-linked-etag";
    const std::string written = formats::write_receipt(r, "");
    const std::string line = "# declared " + hex_a + " hub.test x-linked-etag m.ckpt\n";
    CHECK(written.find(line) != std::string::npos);
    const formats::receipt back = formats::read_receipt(written);
    REQUIRE(back.size() == 1);
    CHECK(back[0].declared == r[0].declared);
    CHECK(back[0].sha256 == hex_a);

    r[0].sha256 = hex_b;  // the file is another one by now
    CHECK(formats::write_receipt(r, "").find("declared") == std::string::npos);
  }
}
