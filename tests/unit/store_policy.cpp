// What an answer of a store means: measured of real ones where a name stands beside the row.
#include <doctest/doctest.h>

#include "vqcache.hpp"

using namespace vqcache::detail;
using store_policy::asked;
using store_policy::verdict;

TEST_SUITE("store policy") {
  TEST_CASE("each answer to each question has its one meaning") {
    const struct {
      asked what;
      int code;
      const char* error_code;
      verdict want;
    } rows[] = {
        {asked::read, 200, "", verdict::done},
        {asked::read, 206, "", verdict::done},
        {asked::read, 304, "", verdict::unchanged},
        {asked::read, 404, "NoSuchKey", verdict::absent},
        {asked::read, 404, "NoSuchBucket", verdict::no_bucket},
        {asked::read, 404, "XAdminUserNotFound", verdict::denied},  // versitygw
        {asked::read, 403, "InvalidAccessKeyId", verdict::denied},
        {asked::read, 403, "SignatureDoesNotMatch", verdict::denied},
        {asked::read, 403, "RequestTimeTooSkewed", verdict::wrong_clock},
        {asked::read, 403, "ExpiredToken", verdict::stale_keys},
        {asked::read, 400, "ExpiredToken", verdict::stale_keys},  // Amazon
        {asked::read, 400, "AuthorizationHeaderMalformed", verdict::other_region},
        {asked::read, 301, "PermanentRedirect", verdict::other_region},
        {asked::read, 307, "TemporaryRedirect", verdict::other_region},
        {asked::read, 412, "PreconditionFailed", verdict::changed},
        {asked::read, 416, "InvalidRange", verdict::changed},
        {asked::read, 500, "InternalError", verdict::again},
        {asked::read, 503, "SlowDown", verdict::again},
        {asked::read, 429, "", verdict::again},
        {asked::read, 599, "", verdict::again},
        {asked::read, 418, "", verdict::refused},
        {asked::read, 0, "", verdict::again},
        {asked::look, 404, "", verdict::absent},  // HEAD has no body
        {asked::look, 403, "", verdict::denied},
        {asked::write, 200, "", verdict::done},
        {asked::write, 201, "", verdict::done},  // WebDAV
        {asked::write, 0, "", verdict::again},
        {asked::write, 400, "XAmzContentSHA256Mismatch", verdict::again},
        {asked::write, 400, "BadDigest", verdict::again},
        {asked::write, 400, "EntityTooSmall", verdict::refused},
        {asked::write, 404, "", verdict::no_folder},  // rclone's WebDAV
        {asked::write, 404, "NoSuchBucket", verdict::no_bucket},
        {asked::write, 409, "", verdict::no_folder},  // Apache, lighttpd
        {asked::write, 405, "", verdict::read_only},  // a plain web server
        {asked::write, 501, "", verdict::read_only},  // Python's
        {asked::write, 413, "", verdict::full},
        {asked::write, 507, "", verdict::full},
        {asked::write, 403, "QuotaExceeded", verdict::full},
        {asked::write, 423, "", verdict::again},
        {asked::create, 200, "", verdict::done},
        {asked::create, 412, "PreconditionFailed", verdict::exists},
        {asked::create, 409, "ConditionalRequestConflict", verdict::again},  // Amazon
        {asked::create, 501, "NotImplemented", verdict::no_conditions},      // Backblaze
        {asked::create, 500, "InternalError", verdict::unknown},
        {asked::create, 503, "SlowDown", verdict::unknown},
        {asked::create, 0, "", verdict::unknown},
        {asked::complete, 200, "", verdict::done},
        {asked::complete, 200, "InternalError", verdict::unknown},
        {asked::complete, 404, "NoSuchUpload", verdict::unknown},  // MinIO, after a lost answer
        {asked::complete, 403, "AccessDenied", verdict::unknown},  // s3s-fs, the same
        {asked::complete, 500, "", verdict::unknown},              // s3rver, the same
        {asked::complete, 412, "", verdict::exists},
        {asked::complete, 0, "", verdict::unknown},
        {asked::complete, 400, "InvalidPart", verdict::refused},
        {asked::remove, 204, "", verdict::done},
        {asked::remove, 404, "NoSuchKey", verdict::done},
        {asked::remove, 403, "AccessDenied", verdict::denied},
        {asked::make_folder, 201, "", verdict::done},
        {asked::make_folder, 405, "", verdict::done},  // it is there
        {asked::make_folder, 409, "", verdict::no_folder},
        {asked::make_folder, 403, "", verdict::denied},
    };

    for (const auto& one : rows) {
      CAPTURE(int(one.what));
      CAPTURE(one.code);
      const string error_code = one.error_code;
      CAPTURE(error_code);
      CHECK(int(store_policy::judge(one.what, {one.code, error_code})) == int(one.want));
    }
  }

  // else two clients could take a lease, or a lost answer could be taken for another's success
  TEST_CASE("nothing that may have happened is taken for a failure") {
    for (const asked what : {asked::create, asked::complete})
      for (const int code : {0, 500, 502, 503, 504, 599}) {
        CAPTURE(code);
        CHECK(store_policy::judge(what, {code, ""}) == verdict::unknown);
      }
  }
}
