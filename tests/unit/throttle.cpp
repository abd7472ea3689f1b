// The bucket of the room >>transport, from which all bytes of a call are taken, and the pace of
// >>worker, which excuses what it holds back. The time is made here.
#include "vqcache.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <thread>

namespace d = vqcache::detail;
using d::transport::throttle;
using std::chrono::milliseconds;

namespace {

const throttle::time_point start{std::chrono::hours(1)};

// How many bytes come in so many seconds, where a reader oversleeps by some milliseconds and a look
// takes one.
double brought(std::uint64_t limit, int seconds, int oversleeps, std::size_t at_once = 262144) {
  throttle bucket(limit, start);
  auto now = start;
  double bytes = 0;
  while (now < start + std::chrono::seconds(seconds)) {
    const int wait = bucket.wait(now);
    if (wait > 0) {
      now += milliseconds(wait + oversleeps);
      continue;
    }
    const std::size_t size = bucket.block(at_once);
    bucket.take(size, now);
    bytes += double(size);
  }
  return bytes;
}

}  // namespace

TEST_SUITE("throttle") {
  TEST_CASE("without a limit nothing waits, and blocks are as large as is asked") {
    throttle none(0, start);
    none.take(~std::uint64_t{0}, start);
    CHECK(none.wait(start) == 0);
    CHECK(none.block(12345678) == 12345678);
    CHECK(!none.has_limit());
    CHECK(!none.is_felt());
    CHECK(none.held() == throttle::duration());
  }

  TEST_CASE("what came beyond the limit is waited for") {
    struct row {
      std::uint64_t limit, bytes;
      int after;  // milliseconds
      int wait;   // and then
    };

    const row rows[] = {{1000, 0, 0, 0}, {1000, 100, 0, 101}, {1000, 100, 50, 51},
        {1000, 100, 100, 0}, {1000, 100, 5000, 0}, {1000, 100000, 0, 1000},
        {1000000, 1000000, 500, 501}, {1000000, 1, 0, 1}, {1, 1, 0, 1000}};
    for (const row& one : rows) {
      CAPTURE(one.limit);
      CAPTURE(one.bytes);
      CAPTURE(one.after);
      throttle bucket(one.limit, start);
      bucket.take(one.bytes, start);
      CHECK(bucket.wait(start + milliseconds(one.after)) == one.wait);
    }
  }

  TEST_CASE("within 5 % of the limit come in ten seconds, also where sleeping takes longer") {
    for (const std::uint64_t limit : {10000U, 1000000U, 100000000U})
      for (const int oversleeps : {0, 1, 10, 40}) {
        CAPTURE(limit);
        CAPTURE(oversleeps);
        const double share = brought(limit, 10, oversleeps) / double(limit) / 10;
        CHECK(share > 0.95);
        CHECK(share < 1.05);
      }
  }

  TEST_CASE("a pause saves up what comes in an eighth of a second and no more") {
    throttle bucket(1000, start);
    const auto later = start + std::chrono::minutes(1);
    CHECK(bucket.wait(later) == 0);
    bucket.take(225, later);
    CHECK(bucket.wait(later) == 101);
  }

  TEST_CASE("blocks are a sixteenth of a second, but 1 KiB at least") {
    CHECK(throttle(1600000, start).block(262144) == 100000);
    CHECK(throttle(1, start).block(262144) == 1024);
    CHECK(throttle(1, start).block(10) == 10);
    CHECK(throttle(~std::uint64_t{0}, start).block(262144) == 262144);
  }

  TEST_CASE("the limit is felt while less than half of what can be saved up is there") {
    throttle bucket(8000, start);
    CHECK(bucket.is_felt());  // nothing is known yet
    (void)bucket.wait(start + milliseconds(125));
    CHECK(!bucket.is_felt());
    bucket.take(600, start + milliseconds(125));
    CHECK(bucket.is_felt());
  }

  TEST_CASE("the time in debt is counted, and no other") {
    throttle bucket(1000, start);
    (void)bucket.wait(start + milliseconds(125));
    CHECK(bucket.held() == throttle::duration());
    bucket.take(325, start + milliseconds(125));
    (void)bucket.wait(start + milliseconds(200));
    CHECK(bucket.held() == milliseconds(75));
    (void)bucket.wait(start + milliseconds(9000));
    CHECK(bucket.held() == milliseconds(200));
  }

  TEST_CASE("a clock that goes back takes nothing away") {
    throttle bucket(1000, start);
    bucket.take(100, start);
    CHECK(bucket.wait(start - milliseconds(500)) == 101);
  }

  TEST_CASE("time in which we held the bytes back does not count for a stall") {
    d::worker::pace one{1}, other{1};
    // as if the last look had been some time ago
    one.seen -= milliseconds(900);
    other.seen -= milliseconds(900);
    CHECK(!one.stalled(0, milliseconds(900)));
    CHECK(!other.stalled(0));
    CHECK(one.waited < milliseconds(450));
    CHECK(other.waited >= milliseconds(900));
    other.waited = std::chrono::seconds(2);
    CHECK(other.stalled(0));

    // what is told after the look at which it passed counts as well, and nothing is saved up
    d::worker::pace late{1};
    late.seen -= milliseconds(900);
    CHECK(!late.stalled(0));
    CHECK(!late.stalled(0, milliseconds(900)));
    CHECK(late.waited < milliseconds(450));
    CHECK(!late.stalled(0, std::chrono::hours(1)));
    CHECK(late.waited == throttle::duration());
  }
}
