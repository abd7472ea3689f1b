// A program that is fed while it runs (>>process): its standard input, and a fourth stream.
#if !defined(_WIN32)
#include "vqcache.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <vector>

namespace process = vqcache::detail::process;
namespace os = vqcache::detail::os;

namespace {

// what it says, fed with this in blocks
std::string said(process::child& one, const std::string& food) {
  std::string text;
  char block[65536];
  std::string_view left = food;
  for (int rounds = 0; rounds < 100000; ++rounds) {
    if (one.takes_food()) left.remove_prefix(one.feed(left.substr(0, 65536)));
    if (left.empty()) one.end_food();
    process::child::wait({&one}, 1000);
    const long got = one.read(block, sizeof block);
    if (got == 0) break;
    if (got > 0) text.append(block, static_cast<std::size_t>(got));
  }
  return text;
}

}  // namespace

TEST_SUITE_BEGIN("os fed");

TEST_CASE("a program reads what it is fed, and what stands in its fourth stream") {
  const os::quiet_signals quiet;
  const std::string food(1 << 20, 'f');
  process::child one;
  REQUIRE(one.start_fed({"sh", "-c", "cat /dev/fd/3; cat"}, "first ") == 0);
  CHECK(said(one, food) == "first " + food);
  CHECK(one.finish() == 0);
}

TEST_CASE("the fourth stream arrives, also where it is the fourth of ours") {
  constexpr int place = 3;
  const int before = ::fcntl(place, F_DUPFD_CLOEXEC, 20);  // of this program; -1: it is free
  os::file reading, writing, output, to_output;
  REQUIRE(process::make_pipe(reading, writing) == 0);
  REQUIRE(process::make_pipe(output, to_output) == 0);
  REQUIRE(process::fill_pipe(writing, "it is here") == 0);
  writing.close();
  const int source = ::fcntl(reading.descriptor(), F_DUPFD_CLOEXEC, 20);
  const int answers = ::fcntl(output.descriptor(), F_DUPFD_CLOEXEC, 20);
  const int said_to = ::fcntl(to_output.descriptor(), F_DUPFD_CLOEXEC, 20);
  reading.close();
  output.close();
  to_output.close();
  REQUIRE(::dup3(source, place, O_CLOEXEC) == place);
  ::close(source);

  process::process_id id = process::process_id::none;
  {
    os::file fourth(place), heard(answers);
    {
      os::file streams[3] = {os::file(::open("/dev/null", O_RDONLY | O_CLOEXEC)), os::file(said_to),
          os::file(::open("/dev/null", O_WRONLY | O_CLOEXEC))};
      REQUIRE(process::spawn({"sh", "-c", "cat /dev/fd/3"}, streams, id, &fourth) == 0);
    }
    CHECK(process::ended_within(id, 20000).value_or(-1) == 0);
    process::forget(id);
    char text[100];
    const long got = process::read_pipe(heard, text, sizeof text);
    CHECK(std::string(text, got > 0 ? static_cast<std::size_t>(got) : 0) == "it is here");
  }
  if (before < 0) return;
  ::dup2(before, place);
  ::close(before);
}

TEST_CASE("one that reads nothing takes what its pipe holds, and one that has ended nothing") {
  const os::quiet_signals quiet;
  process::child one;
  REQUIRE(one.start_fed({"sh", "-c", "exec <&-; echo closed; sleep 20"}, "") == 0);
  process::child::wait({&one}, 5000);
  const std::string food(1 << 20, 'f');
  std::size_t taken = 0;
  for (int n = 0; n < 200 && one.takes_food(); ++n) {
    taken += one.feed(food);
    os::sleep_ms(10);
  }
  CHECK(taken < food.size());
  CHECK(!one.takes_food());

  process::child deaf;
  REQUIRE(deaf.start_fed({"sleep", "20"}, "") == 0);
  const std::size_t first = deaf.feed(food);
  CHECK(first > 0);
  CHECK(first < food.size());
  CHECK(deaf.feed(food) == 0);
  CHECK(deaf.takes_food());
}

TEST_SUITE_END();
#endif
