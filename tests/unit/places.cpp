// Where a tier is: what may be written there, and what is told to who writes something else.
#include <doctest/doctest.h>

#include "vqcache.hpp"

using namespace vqcache::detail;
using places::addressing;
using places::kind;

TEST_SUITE("places") {
  TEST_CASE("a directory is what is neither a bucket nor a web address") {
    for (const char* given :
        {"/a/b", "a", "~/x", "C:\\a", "s3:/a", "s3", "ftp://h/a", "https:/a"}) {
      CAPTURE(given);
      CHECK(places::kind_of(given) == kind::directory);
    }
  }

  TEST_CASE("a bucket, its prefix, and the words behind it") {
    const struct {
      const char *given, *bucket, *prefix, *endpoint, *region, *profile;
      addressing how;
    } rows[] = {
        {"s3://team-models", "team-models", "", "", "", "", addressing::automatic},
        {"s3://team-models/", "team-models", "", "", "", "", addressing::automatic},
        {"S3://b.c/vq/models/", "b.c", "vq/models", "", "", "", addressing::automatic},
        {"s3://bkt/p?region=eu-west-1&profile=ml", "bkt", "p", "", "eu-west-1", "ml",
            addressing::automatic},
        {"s3://bkt/a b?addressing=path", "", "", "", "", "", addressing::path},
        {"s3://bkt/p?endpoint=https://minio.example:9000", "bkt", "p", "https://minio.example:9000",
            "", "", addressing::automatic},
        {"s3://bkt/p?endpoint=https%3A%2F%2Fh&addressing=virtual", "bkt", "p", "https://h", "", "",
            addressing::virtual_host},
        {"s3://bkt?endpoint=http://127.0.0.1:9000&addressing=auto", "bkt", "",
            "http://127.0.0.1:9000", "", "", addressing::automatic},
        {"s3://bkt?endpoint=http://store.lan&insecure=1", "bkt", "", "http://store.lan", "", "",
            addressing::automatic},
    };

    for (const auto& one : rows) {
      CAPTURE(one.given);
      result_of<places::place> read = places::parse(one.given);
      if (*one.bucket == '\0') {  // a blank in a prefix
        CHECK_FALSE(read.ok());
        continue;
      }
      REQUIRE_MESSAGE(read.ok(), read.why().text);
      CHECK(read->is == kind::bucket);
      CHECK(read->bucket == one.bucket);
      CHECK(read->prefix == one.prefix);
      CHECK(read->endpoint == one.endpoint);
      CHECK(read->region == one.region);
      CHECK(read->profile == one.profile);
      CHECK(read->how == one.how);
    }
  }

  TEST_CASE("a web address, with its user and without a / at its end") {
    const struct {
      const char *given, *url;
    } rows[] = {
        {"https://cloud.example/dav/models/", "https://cloud.example/dav/models"},
        {"https://u:p@cloud.example/dav", "https://u:p@cloud.example/dav"},
        {"https://cloud.example", "https://cloud.example"},
        {"http://localhost:8080/m", "http://localhost:8080/m"},
        {"http://nas.lan/m?insecure=1", "http://nas.lan/m"},
    };

    for (const auto& one : rows) {
      CAPTURE(one.given);
      result_of<places::place> read = places::parse(one.given);
      REQUIRE_MESSAGE(read.ok(), read.why().text);
      CHECK(read->is == kind::web);
      CHECK(read->url == one.url);
    }
  }

  TEST_CASE("what cannot be meant is told, with what to write, and without its secrets") {
    const struct {
      const char *given, *says;
    } rows[] = {
        {"s3://", "s3://BUCKET/PREFIX"},
        {"s3:///p", "s3://BUCKET/PREFIX"},
        {"s3://a/p", "'a' for a bucket, and the name of one has 3 to 255 letters"},
        {"s3://-bkt/p", "s3://BUCKET/PREFIX"},
        {"s3://b k t/p", "whose name holds more than letters"},
        {"s3://store.lan:9000/bkt/p", "endpoint=https://HOST:PORT goes behind the ?"},
        {"s3://KEY:C4n4ry@bkt/p", "AWS_ACCESS_KEY_ID"},
        {"s3://bkt//p", "prefix"},
        {"s3://bkt/a/../b", "prefix"},
        {"s3://bkt/p?regoin=x", "known are endpoint region profile addressing insecure"},
        {"s3://bkt/p&region=x", "has '&region=' in its path: was ? meant"},
        {"s3://bkt/a&b/c&endpoint=https://h", "has '&endpoint=' in its path"},
        {"s3://bkt/p&a=b&insecure=1", "has '&insecure=' in its path"},
        {"s3://bkt&profile=x", "has '&profile=' in its path: was ? meant"},
        {"s3://bkt/p?secret=C4n4ry", "the word 'secret'"},
        {"s3://bkt/p?region=a&region=b", "has region= twice"},
        {"s3://bkt/p?region=", "region= without a value"},
        {"s3://bkt/p?region", "has region behind its ? without =VALUE"},
        {"s3://bkt/p?C4n4ry", "has a word behind its ?"},
        {"s3://bkt/p?addressing=host", "path, virtual and auto"},
        {"s3://bkt/p?endpoint=store.lan", "https://HOST:PORT"},
        {"s3://bkt/p?endpoint=https://h/path", "https://HOST:PORT"},
        {"s3://bkt/p?endpoint=https://u:C4n4ry@h", "https://HOST:PORT"},
        {"s3://bkt/p?endpoint=http://store.lan", "insecure=1"},
        {"s3://bkt/p?endpoint=http://store.lan&insecure=yes", "write insecure=1"},
        {"s3://bkt/p?endpoint=http://127.evil.example", "insecure=1"},
        {"http://nas.lan/m", "insecure=1"},
        {"https://", "is no URL"},
        {"https://[::1/dav", "is no URL"},
        {"https://store]/dav", "is no URL"},
        {"https://h/m?token=C4n4ry", "the word 'token'"},
    };

    for (const auto& one : rows) {
      CAPTURE(one.given);
      result_of<places::place> read = places::parse(one.given);
      REQUIRE_FALSE(read.ok());
      CHECK(read.why().code == vqcache::errc::invalid_argument);
      CHECK_MESSAGE(strings::contains(read.why().text, one.says), read.why().text);
      CHECK_FALSE(strings::contains(read.why().text, "C4n4ry"));
      CHECK_FALSE(strings::contains(places::shown(one.given), "C4n4ry"));
    }
  }
}
