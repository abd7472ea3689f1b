// The room >>error: a value, or why there is none.
#include "vqcache.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <climits>

namespace error = vqcache::detail::error;
using vqcache::errc;

namespace {

error::result_of<std::string> half_of(const std::string& text) {
  if (text.size() % 2 != 0)
    return error::fail(vqcache::errc::invalid_argument, {text, " has no half"});
  return text.substr(text.size() / 2);
}

}  // namespace

TEST_SUITE("error") {
  TEST_CASE("a result is a value, or a failure that says why") {
    error::result_of<std::string> good = half_of("abcd");
    REQUIRE(good.ok());
    CHECK(*good == "cd");
    CHECK(good->size() == 2);
    CHECK(good.why().ok());

    const error::result_of<std::string> bad = half_of("abc");
    CHECK_FALSE(bad.ok());
    CHECK(bad.why().code == vqcache::errc::invalid_argument);
    CHECK(bad.why().text == "abc has no half");
  }

  TEST_CASE("a text is joined from texts, paths and numbers of either sign") {
    const std::string word = "b";
    CHECK(error::join({"a", word, std::string_view("c")}) == "abc");
    CHECK(error::join({std::filesystem::path("a/b")}) == "'a/b'");
    CHECK(error::join({0, " ", -1, " ", 7U}) == "0 -1 7");
    CHECK(error::join({LLONG_MIN}) == std::to_string(LLONG_MIN));
    CHECK(error::join({ULLONG_MAX}) == std::to_string(ULLONG_MAX));
  }

  TEST_CASE("what the system refuses is told with what helps against that") {
    const struct {
      int e;
      errc code;
      const char* said;  // behind the system's own words; empty: nothing
    } rows[] = {
        {ENOSPC, errc::no_space, "free some space"},
        {EFBIG, errc::no_space, "raise the limit of this program (ulimit -f)"},
        {EACCES, errc::permission_denied, "check its permissions"},
        {EPERM, errc::permission_denied, "check its permissions"},
        {EROFS, errc::permission_denied, "nothing can be written there"},
        {EMFILE, errc::io, "ulimit -n"},
        {ENAMETOOLONG, errc::io, "a shorter path"},
        {ENOTDIR, errc::io, "a part of that path is a file"},
        {EIO, errc::io, ""},
        {ENOENT, errc::io, ""},
    };

    for (const auto& row : rows) {
      const error::status s = error::system(row.e, "open", "a/b");
      const std::string words = std::generic_category().message(row.e);
      CAPTURE(s.text);
      CHECK(s.code == row.code);
      CHECK(s.cause.value() == row.e);
      CHECK(s.text.find("cannot open 'a/b': " + words) == 0);
      CHECK(s.text.find(row.said) != std::string::npos);
      const bool is_bare = s.text == "cannot open 'a/b': " + words;
      CHECK(is_bare == (row.said[0] == '\0'));
    }
    CHECK(error::system(0, "open", "a/b").ok());
  }
}

TEST_CASE("of two marks that meet where texts are put together one stays") {
  const struct {
    const char *text, *becomes;
  } all[] = {
      {"", ""},
      {".", "."},
      {"?.", "?"},
      {"did you mean a?.", "did you mean a?"},
      {"is that it?; 'http://b'", "is that it? 'http://b'"},
      {"it said boom.; and", "it said boom; and"},
      {"it ends..", "it ends."},
      {"it goes on...", "it goes on..."},
      {"on...; more", "on...; more"},
      {"a?b=1;c=2", "a?b=1;c=2"},
      {"no!.", "no!"},
      {"whole.", "whole."},
      {"'a.'; b", "'a.'; b"},
      {"?.x", "?.x"},
  };

  for (const auto& one : all)
    CHECK(error::with_single_marks(one.text) == one.becomes);
}
