// The room >>ranges: a set of byte ranges against a bitmap, over many random sequences, and which
// bytes of an unfinished file are missing.
#include "vqcache.hpp"

#include <doctest/doctest.h>

#include <bitset>
#include <cstdint>
#include <string>

namespace ranges = vqcache::detail::ranges;
using ranges::byte_range;
using ranges::range_set;

namespace {

using bits = std::bitset<64>;

struct sequence {  // of numbers that are the same in every run
  std::uint64_t state;

  std::uint64_t below(std::uint64_t bound) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    return (state >> 33) % bound;
  }
};

void put(bits& all, byte_range r, bool value) {
  for (std::uint64_t i = r.at; i < r.end && i < 64; ++i)
    all[i] = value;
}

std::string drawn(const bits& all) {
  std::string s;
  for (std::size_t i = 0; i < 64; ++i)
    s += all[i] ? '#' : '.';
  return s;
}

std::string shown(const range_set& set) {
  std::string s;
  for (const byte_range& r : set.all())
    s += std::to_string(r.at) + "-" + (r.end == ranges::endless ? "" : std::to_string(r.end)) + " ";
  return s;
}

std::string drawn(const range_set& set) {
  bits all;
  for (const byte_range& r : set.all())
    put(all, r, true);
  return drawn(all);
}

bool is_in_order(const range_set& set) {  // and no range is empty, overlaps or touches another
  std::uint64_t end = 0;
  bool first = true;
  for (const byte_range& r : set.all()) {
    if (r.at >= r.end || (!first && r.at <= end)) return false;
    end = r.end;
    first = false;
  }
  return true;
}

std::uint64_t first_of(const bits& all) {
  for (std::uint64_t i = 0; i < 64; ++i)
    if (all[i]) return i;
  return ranges::endless;
}

}  // namespace

TEST_SUITE("unit ranges") {
  TEST_CASE("a set is what a bitmap of 64 positions is, whatever is added and removed") {
    for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
      sequence random{seed};
      range_set set;
      bits expected;

      for (int step = 0; step < 40; ++step) {
        const std::uint64_t a = random.below(65), b = random.below(65);
        const byte_range r{a, b};  // of half of them the end comes first: they are empty
        const bool is_more = random.below(2) == 0;
        if (is_more)
          set.add(r);
        else
          set.remove(r);
        put(expected, r, is_more);

        const bool is_right = is_in_order(set) && drawn(set) == drawn(expected)
            && set.total() == expected.count() && set.is_empty() == expected.none()
            && set.first_gap() == first_of(expected);
        if (is_right) continue;
        CAPTURE(seed);
        CAPTURE(step);
        CAPTURE(shown(set));
        CHECK_MESSAGE(
            drawn(set) == drawn(expected), "after ", is_more ? "add " : "remove ", a, "-", b);
        CHECK(is_in_order(set));
        CHECK(set.total() == expected.count());
        REQUIRE(is_right);
      }
    }
  }

  TEST_CASE("a set overlaps with what has a byte in it, and not with what only touches it") {
    for (std::uint64_t seed = 1; seed <= 400; ++seed) {
      sequence random{seed};
      range_set set;
      bits expected;
      for (int i = 0; i < 4; ++i) {
        const std::uint64_t at = random.below(60);
        const byte_range r{at, at + random.below(9)};
        set.add(r);
        put(expected, r, true);
      }
      for (std::uint64_t at = 0; at < 64; ++at)
        for (std::uint64_t end = at; end <= 64; ++end) {
          bits asked;
          put(asked, {at, end}, true);
          REQUIRE(set.overlaps({at, end}) == (asked & expected).any());
        }
    }
  }

  TEST_CASE("a set reaches as far as a file of unknown length, and ranges that touch are one") {
    range_set set(byte_range{0, ranges::endless});
    CHECK(set.total() == ranges::endless);
    CHECK(set.first_gap() == 0);

    set.remove({0, 10});
    set.remove({20, 30});
    CHECK(shown(set) == "10-20 30- ");
    CHECK(set.total() == ranges::endless - 20);
    set.add({20, 25});
    CHECK(shown(set) == "10-25 30- ");
    set.add({25, 30});
    CHECK(shown(set) == "10- ");
    set.remove({5, ranges::endless});
    CHECK(set.is_empty());
    CHECK(set.first_gap() == ranges::endless);

    const range_set several({{5, 9}, {9, 9}, {9, 12}, {20, 20}, {30, 31}});
    CHECK(shown(several) == "5-12 30-31 ");
    range_set cleared(several);
    cleared.clear();
    CHECK(cleared.is_empty());
  }

  TEST_CASE("after reserve() neither adding nor removing moves the ranges") {
    range_set set;
    set.reserve(40);
    set.add({0, 1000});
    const byte_range* const place = set.all().data();
    for (std::uint64_t i = 0; i < 33; ++i)
      set.remove({i * 20 + 5, i * 20 + 10});
    CHECK(set.all().size() == 34);
    CHECK(set.all().data() == place);
  }

  TEST_CASE("what is missing of a file: what was told below its size, and all behind it") {
    struct row {
      vqcache::detail::formats::ranges told;
      std::uint64_t size, total;
      const char* expected;
    };

    const std::uint64_t endless = ranges::endless;
    const row rows[] = {
        {{}, 0, 0, "0- "},
        {{}, 0, 100, "0-100 "},
        {{}, 40, 100, "40-100 "},
        {{}, 40, 0, "40- "},
        {{}, 100, 100, ""},
        {{}, 120, 100, ""},                      // longer than it is to be
        {{{10, 20}}, 40, 100, "10-20 40-100 "},  // a gap, and the end
        {{{10, 20}, {40, 100}}, 40, 100, "10-20 40-100 "},
        {{{10, 20}, {30, 100}}, 40, 100, "10-20 30-100 "},
        {{{10, 20}, {30, 100}}, 100, 100, "10-20 30-100 "},
        {{{10, 20}, {60, 70}}, 40, 100, "10-20 40-100 "},  // nothing behind its end can be there
        {{{10, 20}, {60, endless}}, 80, 0, "10-20 60- "},
        {{{0, endless}}, 40, 100, "0-100 "},
        {{{0, endless}}, 40, 0, "0- "},
        {{{100, 100}}, 100, 100, ""},
        {{{100, 100}}, 60, 100, "60-100 "},
        {{{40, 100}}, 120, 100, "40-100 "},
    };
    for (const row& r : rows) {
      CAPTURE(r.size);
      CAPTURE(r.total);
      CHECK(shown(ranges::gaps_within(r.told, r.size, r.total)) == r.expected);
    }
  }
}
