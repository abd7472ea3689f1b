// What the tests of several rooms share: files of this machine, and limits of this process.
#ifndef VQCACHE_TESTS_UNIT_SHARED_HPP
#define VQCACHE_TESTS_UNIT_SHARED_HPP

#include "vqcache.hpp"

#include <doctest/doctest.h>

#include <sys/resource.h>

#include <cstdint>
#include <filesystem>
#include <string>

namespace shared {

namespace os = vqcache::detail::os;

inline std::string some_bytes(std::size_t size) {  // the same for one size
  std::string s(size, '\0');
  std::uint64_t x = size + 1;
  for (char& c : s) {
    x = x * 6364136223846793005U + 1442695040888963407U;
    c = static_cast<char>(x >> 56);
  }
  return s;
}

inline os::file opened(const std::filesystem::path& path, os::mode how = os::mode::read) {
  os::file file;
  REQUIRE(os::open(path, how, file) == 0);
  return file;
}

inline std::string contents(const std::filesystem::path& path) {  // much faster than a stream
  std::string s(std::size_t(std::filesystem::file_size(path)), '\0');
  std::size_t got = 0;
  const os::file file = opened(path);
  REQUIRE(os::read_at(file, 0, s.data(), s.size(), got) == 0);
  return s;
}

class resource_limit {  // of this process, while one lives: setrlimit(2)
 public:
  using kind = decltype(RLIMIT_FSIZE);  // an enum with glibc, an int elsewhere

  resource_limit(kind of, std::uint64_t most) : of_(of) {
    REQUIRE(::getrlimit(of_, &before_) == 0);
    const rlimit now{most, before_.rlim_max};
    REQUIRE(::setrlimit(of_, &now) == 0);
  }

  resource_limit(const resource_limit&) = delete;
  resource_limit& operator=(const resource_limit&) = delete;

  ~resource_limit() { (void)::setrlimit(of_, &before_); }

 private:
  kind of_;
  rlimit before_{};
};

}  // namespace shared

#endif
