// The room >>error: a value, or why there is none.
#include "vqcache.hpp"

#include <doctest/doctest.h>

namespace error = vqcache::detail::error;

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
}
