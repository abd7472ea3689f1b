// What the caller gave: which addresses and directories are refused, with what words, and what is said
// of an address that failed. Pure functions of >>checks.
#include "vqcache.hpp"

#include <doctest/doctest.h>

#include <string>

namespace c = vqcache::detail::checks;
using vqcache::errc;

namespace {

bool has(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

struct problem {
  const char* given;
  const char* said;  // empty: it is good
};

const problem addresses[] = {
    {"https://host/file", ""},
    {"http://user:pass@host:8080/a/b?c=d", ""},
    {"/a path/with blanks and 'quotes'", ""},
    {"relative/path", ""},
    {"file:///tmp/x", ""},
    {"file://localhost/tmp/x", ""},
    {"file://other/tmp/x", "names no file"},
    {"\"https://host/file\"", "begins with a quote"},
    {"'https://host/file'", "begins with a quote"},
    {"<https://host/file>", "begins with a quote or a bracket"},
    {"https://host/file\"", "ends with a quote"},
    {" https://host/file", "begins with white space"},
    {"\thttps://host/file", "begins with white space"},
    {"https://host/file ", "ends with white space"},
    {"https://host/file\n", "ends with the end of a line"},
    {"https://host/file\r\n", "ends with the end of a line"},
    {"https://host/a file", "byte 15 must be percent-encoded"},
    {"https://host/a\\b", "byte 15 must be percent-encoded"},
    {"https:///file", "no host"},
    {"https://host:port/file", "wrong port"},
    {"ftp://host/file", "no scheme http"},
    {"s3://bucket/key", ""},
    {"s3://bucket/a%20b", ""},  // taken as it stands
    {"s3://bucket", "names no object"},
    {"s3://bucket/folder/", "names no object"},
    {"s3://ID:SECRET@bucket/key", "holds keys"},
    {"s3://bucket/a b", "a byte that no path has"},
    {"s3://bucket/key?versionId=1", "has the word 'versionId'"},
    {"http:/host/file", "did you mean http://"},
    {"https:host/file", "did you mean http:// or https://"},
};

const problem directories[] = {
    {"", ""},
    {"models", ""},
    {"~", ""},
    {"~/models", ""},
    {"/data/$HOME", ""},
    {"a~b", ""},
    {"$HOME/models", "variable"},
    {"${HOME}/models", "variable"},
    {"%USERPROFILE%\\models", "variable"},
    {"~ann/models", "user's name"},
    {"s3://bucket/prefix", "is a URL"},
    {"https://host/dav", "is a URL"},
};

struct advice {
  const char* address;
  errc failure;
  const char* said;  // empty: nothing
};

const advice failed[] = {
    {"https://huggingface.co/org/repo/blob/main/a.ckpt", errc::not_the_file,
        "https://huggingface.co/org/repo/resolve/main/a.ckpt"},
    {"https://huggingface.co/datasets/o/r/blob/main/a", errc::not_the_file,
        "https://huggingface.co/datasets/o/r/resolve/main/a"},
    {"https://HuggingFace.co/org/repo/blob/main/a.ckpt", errc::http_status, "/resolve/main/"},
    {"https://huggingface.co/org/repo/resolve/main/a.ckpt", errc::not_the_file, ""},
    {"https://github.com/o/r/blob/main/a.yaml", errc::not_the_file,
        "https://github.com/o/r/raw/main/a.yaml"},
    {"https://github.com/o/r/releases/download/v1/a.ckpt", errc::not_the_file, ""},
    {"https://gitlab.com/o/r/-/blob/main/a.yaml", errc::not_the_file, "/-/raw/main/a.yaml"},
    {"https://user:secret@github.com/o/r/blob/x/y", errc::not_the_file, "***@github.com/o/r/raw"},
    {"https://drive.google.com/file/d/abcDEF/view?usp=sharing", errc::not_the_file,
        "drive.usercontent.google.com"},
    {"https://drive.google.com/uc?id=abcDEF", errc::not_the_file, "confirm=t&id=ID"},
    {"https://www.dropbox.com/s/x/model.ckpt?dl=0", errc::not_the_file, "dl=1"},
    {"https://www.dropbox.com/s/x/model.ckpt", errc::not_the_file, "dl=1"},
    {"https://www.dropbox.com/s/x/model.ckpt?dl=1", errc::not_the_file, ""},
    {"https://example.org/o/r/blob/main/a.yaml", errc::not_the_file, ""},
    {"https://huggingface.co/org/repo/blob/main/a.ckpt", errc::connection, ""},
    {"huggingface.co/org/repo/resolve/main/a", errc::io, "write https://"},
    {"www.host.org/file", errc::io, "write https://"},
    {"model.ckpt", errc::io, ""},
    {"folder/model.ckpt", errc::io, ""},
    {"../models/model.ckpt", errc::io, ""},
    {"/models.d/model.ckpt", errc::io, ""},
    {"$HOME/model.ckpt", errc::io, "variable"},
    {"~ann/model.ckpt", errc::io, "user's name"},
};

}  // namespace

TEST_SUITE_BEGIN("checks");

TEST_CASE("an address that cannot be asked for says why, and what to write") {
  for (const problem& row : addresses) {
    CAPTURE(row.given);
    const std::string why = c::url_problem(row.given, false);
    CHECK_MESSAGE(why.empty() == (row.said[0] == '\0'), why);
    CHECK_MESSAGE(has(why, row.said), why);
  }
  CHECK(c::url_problem("s3://bucket/key", true).empty());
}

TEST_CASE("a directory that only a shell could understand is refused") {
  for (const problem& row : directories) {
    CAPTURE(row.given);
    const std::string why = c::directory_problem(row.given);
    CHECK_MESSAGE(why.empty() == (row.said[0] == '\0'), why);
    CHECK_MESSAGE(has(why, row.said), why);
  }
}

TEST_CASE("of an address that failed is said what its giver may have meant") {
  for (const advice& row : failed) {
    CAPTURE(row.address);
    const std::string told = c::advice_about(row.address, row.failure);
    CHECK_MESSAGE(told.empty() == (row.said[0] == '\0'), told);
    CHECK_MESSAGE(has(told, row.said), told);
    CHECK_MESSAGE(!has(told, "secret"), told);
    CHECK_MESSAGE(!has(told, "abcDEF"), told);
  }
}

TEST_SUITE_END();
