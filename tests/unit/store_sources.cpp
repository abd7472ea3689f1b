// s3://BUCKET/KEY as a source: what may be written, what people and receipts see of it, and which
// two of them are one.
#include <doctest/doctest.h>

#include "vqcache.hpp"

using namespace vqcache::detail;

namespace {

struct row {
  const char *given, *key;  // key empty: it is refused
  const char *shown, *kept, *identity;
};

const row rows[] = {
    {"s3://bkt/a/b.ckpt", "a/b.ckpt", "s3://bkt/a/b.ckpt", "s3://bkt/a/b.ckpt",
        "s3://bkt/a/b.ckpt"},
    {"S3://bkt/k", "k", "s3://bkt/k", "s3://bkt/k", "s3://bkt/k"},
    {"s3://bkt/a%20b", "a%20b", "s3://bkt/a%20b", "s3://bkt/a%20b", "s3://bkt/a%20b"},
    {"s3://bkt/a@b:c", "a@b:c", "s3://bkt/a@b:c", "s3://bkt/a@b:c", "s3://bkt/a@b:c"},
    {"s3://bkt/k?region=eu-west-1&profile=ml", "k", "s3://bkt/k", "s3://bkt/k?region=eu-west-1",
        "s3://bkt/k"},
    {"s3://bkt/k?profile=ml", "k", "s3://bkt/k", "s3://bkt/k", "s3://bkt/k"},
    {"s3://bkt/k?endpoint=https%3A%2F%2Fh&addressing=path", "k", "s3://bkt/k",
        "s3://bkt/k?endpoint=https%3A%2F%2Fh&addressing=path", "s3://bkt/k?https://h"},
    {"s3://bkt/k?insecure=1&endpoint=http://h.lan:9000", "k", "s3://bkt/k",
        "s3://bkt/k?insecure=1&endpoint=http://h.lan:9000", "s3://bkt/k?http://h.lan:9000"},
    {"s3://ID:C4n4ry@bkt/k", "", "s3://***", nullptr, nullptr},
    {"s3://ID:123/C4n4ry@bkt/k", "", "s3://***", nullptr, nullptr},
    {"s3://ID@bkt?x=C4n4ry", "", "s3://***", nullptr, nullptr},
    {"s3://bkt", "", "s3://bkt/", "s3://bkt/", nullptr},
    {"s3://bkt/", "", "s3://bkt/", "s3://bkt/", nullptr},
    {"s3://bkt/k/", "", "s3://bkt/k/", "s3://bkt/k/", nullptr},
    {"s3://bkt/a//k", "", "s3://bkt/a//k", "s3://bkt/a//k", nullptr},
    {"s3://bkt/../k", "", "s3://bkt/../k", "s3://bkt/../k", nullptr},
    {"s3://bkt/k?token=C4n4ry", "", "s3://bkt/k", "s3://bkt/k?token=***", nullptr},
    {"s3://bkt/k?endpoint=https://u:C4n4ry@h", "", "s3://bkt/k", nullptr, nullptr},
    // of the web, and of this machine
    {"https://u:C4n4ry@h/k?sig=C4n4ry", nullptr, "https://***@h/k?sig=***",
        "https://***@h/k?sig=***", "https://h:443/k"},
    {"/a/b", nullptr, "/a/b", "/a/b", ""},
};

}  // namespace

TEST_SUITE("store sources") {
  TEST_CASE("what may be written, and what is seen of it") {
    for (const row& one : rows) {
      CAPTURE(one.given);
      CHECK(places::shown(one.given) == one.shown);
      CHECK_FALSE(strings::contains(places::shown(one.given), "C4n4ry"));
      if (one.kept) CHECK(places::kept(one.given) == one.kept);
      if (one.identity) CHECK(places::identity_of(one.given) == one.identity);
      if (!one.key) continue;
      result_of<places::place> read = places::parse_object(one.given);
      CHECK(read.ok() == (*one.key != '\0'));
      if (read.ok()) CHECK(read->prefix == one.key);
      CHECK_FALSE(strings::contains(read.why().text, "C4n4ry"));
    }
  }

  TEST_CASE("what a receipt keeps means the same object, and is kept as it is") {
    for (const row& one : rows) {
      if (!one.key || *one.key == '\0') continue;
      CAPTURE(one.given);
      const string kept = places::kept(one.given);
      CHECK(places::kept(kept) == kept);
      CHECK(hash::of_address(kept) == hash::of_address(one.given));
      CHECK(strings::printable(kept) == kept);
      CHECK(kept.find(' ') == string::npos);
      result_of<places::place> given = places::parse_object(one.given);
      result_of<places::place> read = places::parse_object(kept);
      REQUIRE(given.ok());
      REQUIRE(read.ok());
      CHECK(read->prefix == given->prefix);
      CHECK(read->endpoint == given->endpoint);
      CHECK(read->region == given->region);
      CHECK(read->how == given->how);
      CHECK(read->is_insecure == given->is_insecure);
    }
  }
}
