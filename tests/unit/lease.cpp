// The room >>lease: what stands in a lease, who is taken for alive, the contest, and the beat. The
// simulation runs contests on a clock of its own, against a board that loses and lies.
#include "vqcache.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <queue>
#include <string>
#include <thread>
#include <vector>

namespace d = vqcache::detail;
namespace lease = d::lease;
using d::status;
using lease::creation;
using lease::decision;
using lease::outcome;
using lease::reading;
using next = lease::contest::next;
using lease::tenure;

namespace {

using time_point = d::clock::time_point;

const std::string me(32, 'a'), other(32, 'b');

time_point at(double seconds) {
  return time_point(
      std::chrono::duration_cast<d::clock::duration>(std::chrono::duration<double>(seconds)));
}

d::clock::duration s(double seconds) {
  return at(seconds).time_since_epoch();
}

std::string text_of(const std::string& owner, std::uint64_t write, std::uint64_t done = 0,
    bool is_over = false, unsigned ttl = 60) {
  lease::note one;
  one.owner = owner;
  one.write = write;
  one.done = done;
  one.ttl = ttl;
  one.is_over = is_over;
  return lease::write_note(one);
}

status broken() {
  return d::fail(vqcache::errc::connection, {"the board is away"});
}

// A board in memory. Each request asks `fate` what becomes of it.
enum class fate { normal, lost, answer_lost };

class memory_board final : public lease::board {
 public:
  std::map<std::uint64_t, std::string> all{};
  std::function<fate()> next_fate = [] {
    return fate::normal;
  };
  std::function<bool(std::uint64_t)> overlooks = [](std::uint64_t) {
    return false;
  };
  std::function<void(std::uint64_t)> overtakes{};  // just before one is created
  bool cannot_create = false;
  int looks = 0, creates = 0, renews = 0;

  reading look(std::uint64_t number) override {
    ++looks;
    if (next_fate() != fate::normal) return {broken(), false, {}};
    const auto found = all.find(number);
    if (found == all.end()) return {{}, false, {}};
    return {{}, true, found->second};
  }

  creation create(std::uint64_t number, const std::string& text) override {
    ++creates;
    if (cannot_create) return {outcome::no_conditions, broken()};
    const fate what = next_fate();
    if (what == fate::lost) return {outcome::unknown, broken()};
    if (overtakes) overtakes(number);
    const bool is_there = all.count(number) > 0 && !overlooks(number);
    if (!is_there) {
      all[number] = text;
    }
    if (what == fate::answer_lost) return {outcome::unknown, broken()};
    return {is_there ? outcome::exists : outcome::created, {}};
  }

  status renew(std::uint64_t number, const std::string& text) override {
    ++renews;
    const fate what = next_fate();
    if (what != fate::lost) {
      all[number] = text;
    }
    return what == fate::normal ? status() : broken();
  }

  void remove(std::uint64_t number) override {
    if (next_fate() != fate::lost) {
      all.erase(number);
    }
  }
};

}  // namespace

TEST_SUITE("lease") {
  TEST_CASE("the TTL of the environment counts from 1 to 3600") {
    const struct {
      const char* told;
      unsigned want;
    } rows[] = {{"", 60}, {"1", 1}, {"3", 3}, {"3600", 3600}, {"3601", 60}, {"0", 60}, {"-1", 60},
        {"3s", 60}, {" 3", 60}, {"1e2", 60}, {"99999999999999999999999", 60}};

    for (const auto& one : rows) {
      CAPTURE(one.told);
      CHECK(lease::ttl_of(one.told) == one.want);
    }

    REQUIRE(::setenv("VQCACHE_LEASE_SECONDS", "3", 1) == 0);
    CHECK(lease::usual_times().ttl == 3);
    REQUIRE(::unsetenv("VQCACHE_LEASE_SECONDS") == 0);
    CHECK(lease::usual_times().ttl == 60);

    const lease::times usual = lease::times_of(60);
    CHECK(usual.beat == s(10));
    CHECK(usual.first_look == s(5));
    CHECK(usual.longest_look == s(15));
    CHECK(lease::times_of(3).beat == s(0.5));
  }

  TEST_CASE("what is written is read again") {
    lease::note one;
    one.owner = me;
    one.write = 7;
    one.done = 1234567890123;
    one.total = 2234567890123;
    one.ttl = 3;
    const d::optional<lease::note> read = lease::read_note(lease::write_note(one));
    REQUIRE(read);
    CHECK(read->owner == me);
    CHECK(read->write == 7);
    CHECK(read->done == one.done);
    CHECK(read->total == one.total);
    CHECK(read->ttl == 3);
    CHECK_FALSE(read->is_over);

    one.is_over = true;
    one.total = 0;
    const std::string text = lease::write_note(one);
    CHECK(text.find("total") == std::string::npos);
    CHECK(lease::read_note(text)->is_over);
    CHECK(text.size() < 200);
  }

  TEST_CASE("a lease that is none, or hostile, says nothing wrong") {
    const std::string front = "# vqcache lease 1\n", owned = front + "owner " + me + "\n";

    const struct {
      std::string text;
      bool is_note;
      std::uint64_t done;
      unsigned ttl;
    } rows[] = {
        {"", false, 0, 0},
        {"\n", false, 0, 0},
        {"<html>", false, 0, 0},
        {"# vqcache lease 2\nowner " + me + "\n", false, 0, 0},
        {"# vqcache lease 10\nowner " + me + "\n", false, 0, 0},
        {front, false, 0, 0},
        {front + "owner \n", false, 0, 0},
        {front + "owner " + std::string(65, 'a') + "\n", false, 0, 0},
        {front + "owner \x1b[31m\n", false, 0, 0},
        {front + "owner /../x\n", false, 0, 0},
        {owned, true, 0, 60},
        {owned + "done 5\n", true, 5, 60},
        {owned + "done 5", true, 5, 60},
        {owned + "done -5\n", true, 0, 60},
        {owned + "done 99999999999999999999\n", true, 0, 60},
        {owned + "done\nttl\ntotal\n\n\n", true, 0, 60},
        {owned + "ttl 0\n", true, 0, 60},
        {owned + "ttl 3601\n", true, 0, 60},
        {owned + "ttl 4294967297\n", true, 0, 60},
        {owned + "ttl 3600\n", true, 0, 3600},
        {owned + "later word\ndone 8\n", true, 8, 60},
        {owned + std::string(lease::most_text, 'x'), false, 0, 0},
        {std::string(1 << 20, '\0'), false, 0, 0},
    };

    for (const auto& one : rows) {
      CAPTURE(one.text.substr(0, 200));
      const d::optional<lease::note> read = lease::read_note(one.text);
      CHECK(read.has_value() == one.is_note);
      if (read) {
        CHECK(read->owner == me);
        CHECK(read->done == one.done);
        CHECK(read->ttl == one.ttl);
      }
    }
  }

  TEST_CASE("no two texts of an owner are equal, and no two owners") {
    lease::held mine{1, me, 60, 0};
    CHECK(mine.next_text(5, 9) != mine.next_text(5, 9));

    const std::string one = lease::new_owner(), two = lease::new_owner();
    CHECK(one != two);
    CHECK(one.size() == 32);
    CHECK(lease::is_owner(one));
  }

  TEST_CASE("names of leases") {
    CHECK(lease::name_of("net", 12) == ".net.lease.12");

    const struct {
      const char* name;
      std::uint64_t want;  // 0: none
    } rows[] = {{".net.lease.12", 12}, {".net.lease.1", 1}, {".net.lease.", 0}, {".net.lease.x", 0},
        {".net.lease.01", 0}, {".net.lease.1.0123456789abcdef.part", 0}, {"net.lease.1", 0},
        {".nets.lease.1", 0}, {".net.lease.-1", 0}, {".net.lease.99999999999999999999", 0}};

    for (const auto& one : rows) {
      CAPTURE(one.name);
      CHECK(lease::number_of("net", one.name).value_or(0) == one.want);
    }
  }

  TEST_CASE("the newest is found from wherever the search begins, with few looks") {
    for (const std::uint64_t newest : {0, 1, 2, 3, 4, 7, 8, 9, 100, 1000, 4097}) {
      for (const std::uint64_t from : {0, 1, 2, 3, 5, 8, 99, 1000, 5000}) {
        CAPTURE(newest);
        CAPTURE(from);
        lease::search so_far = lease::search_from(from);
        int looks = 0;
        for (std::uint64_t n = lease::next_probe(so_far); n != 0; n = lease::next_probe(so_far)) {
          so_far = lease::after_probe(so_far, n, n <= newest);
          ++looks;
          REQUIRE(looks < 40);
        }
        CHECK(so_far.there == newest);
        if (from == newest) {
          CHECK(looks <= 2);
        }
      }
    }
  }

  TEST_CASE("what is seen of a lease, look by look") {
    lease::observed seen;
    seen = lease::observe(seen, 1, text_of(other, 1), at(0));
    CHECK(seen.unchanged == s(0));
    seen = lease::observe(seen, 1, text_of(other, 1), at(20));
    CHECK(seen.unchanged == s(20));
    CHECK(seen.stalled == s(20));

    SUBCASE("a beat begins anew, and a byte does so for its progress") {
      seen = lease::observe(seen, 1, text_of(other, 2), at(30));
      CHECK(seen.unchanged == s(0));
      CHECK(seen.stalled == s(30));
      seen = lease::observe(seen, 1, text_of(other, 3, 1), at(40));
      CHECK(seen.stalled == s(0));
      seen = lease::observe(seen, 1, text_of(other, 4, 1), at(50));
      CHECK(seen.stalled == s(10));
    }

    SUBCASE("who was stopped for an hour has not looked for an hour") {
      seen = lease::observe(seen, 1, text_of(other, 1), at(3620));
      CHECK(seen.unchanged == s(50));
      CHECK(lease::decide(seen, me, 0) == decision::wait);
      seen = lease::observe(seen, 1, text_of(other, 1), at(3630));
      CHECK(lease::decide(seen, me, 0) == decision::take);
    }

    SUBCASE("another number and another owner are another lease") {
      CHECK(lease::observe(seen, 2, text_of(other, 1), at(30)).unchanged == s(0));
      CHECK(lease::observe(seen, 1, text_of(me, 1), at(30)).unchanged == s(0));
    }

    SUBCASE("one that nobody can read lives while it changes") {
      seen = lease::observe(seen, 1, "x", at(30));
      CHECK(seen.unchanged == s(0));
      seen = lease::observe(seen, 1, "y", at(50));
      CHECK(seen.unchanged == s(0));
      seen = lease::observe(seen, 1, "y", at(80));
      seen = lease::observe(seen, 1, "y", at(110));
      CHECK(lease::decide(seen, me, 0) == decision::take);
    }
  }

  TEST_CASE("what follows from what is seen") {
    const struct {
      std::uint64_t number;
      std::string text;
      double unchanged, stalled;
      unsigned stalls;
      decision want;
    } rows[] = {
        {0, "", 0, 0, 0, decision::take},
        {1, text_of(other, 1), 0, 0, 0, decision::wait},
        {1, text_of(other, 1), 59.9, 0, 0, decision::wait},
        {1, text_of(other, 1), 60, 0, 0, decision::take},
        {1, text_of(other, 1, 0, false, 3), 2.9, 0, 0, decision::wait},
        {1, text_of(other, 1, 0, false, 3), 3, 0, 0, decision::take},
        {1, text_of(other, 1, 0, false, 600), 60, 0, 0, decision::wait},
        {7, text_of(other, 1, 0, true), 0, 0, 0, decision::take},
        {7, text_of(me, 1, 0, true), 0, 0, 0, decision::take},
        {7, text_of(me, 1), 0, 0, 0, decision::mine},
        {7, text_of(me, 1), 100, 0, 0, decision::mine},
        {1, "garbage", 0, 0, 0, decision::wait},
        {1, "garbage", 60, 0, 0, decision::take},
        {1, "", 59, 0, 0, decision::wait},
        {1, "", 60, 0, 0, decision::take},
        {1, text_of(other, 1), 5, 179, 0, decision::wait},
        {1, text_of(other, 1), 5, 180, 0, decision::take},
        {1, text_of(other, 1), 5, 180, 1, decision::take},
        {1, text_of(other, 1), 5, 179, 2, decision::wait},
        {1, text_of(other, 1), 5, 180, 2, decision::go_without},
    };

    for (const auto& one : rows) {
      CAPTURE(one.text);
      CAPTURE(one.unchanged);
      CAPTURE(one.stalled);
      lease::observed seen;
      seen.number = one.number;
      seen.text = one.text;
      seen.said = lease::read_note(one.text);
      seen.unchanged = s(one.unchanged);
      seen.stalled = s(one.stalled);
      CHECK(lease::decide(seen, me, one.stalls) == one.want);
    }
  }

  TEST_CASE("what stands where a lease was made") {
    const std::string mine = text_of(me, 1), half = mine.substr(0, mine.size() / 2);

    const struct {
      bool is_there;
      std::string text, taken;
      lease::standing want;
    } rows[] = {
        {false, "", mine, lease::standing::gone},
        {true, mine, mine, lease::standing::mine},
        {true, text_of(me, 2), mine, lease::standing::mine},
        {true, mine, "", lease::standing::mine},
        {true, text_of(other, 1), mine, lease::standing::anothers},
        {true, text_of(other, 1), "", lease::standing::anothers},
        {true, half, mine, lease::standing::spoilt},
        {true, "", mine, lease::standing::spoilt},
        {true, "garbage", mine, lease::standing::spoilt},
        {true, half, "", lease::standing::anothers},  // the answer was lost: it may be another's
        {true, "garbage", "", lease::standing::anothers},
    };

    for (const auto& one : rows) {
      CAPTURE(one.text);
      CAPTURE(one.taken);
      CHECK(lease::standing_of({{}, one.is_there, one.text}, me, one.taken) == one.want);
    }
  }

  TEST_CASE("looks become rarer, and do not come all at once") {
    const lease::times usual = lease::times_of(60);
    CHECK(lease::pause_of(usual, 0, 0) == s(2.5));
    CHECK(lease::pause_of(usual, 0, 512) == s(5));
    CHECK(lease::pause_of(usual, 100, 512) == s(15));
    CHECK(lease::pause_of(usual, 1000000, 1023) < s(22.5));
    CHECK(lease::pause_of(usual, 1, 512) > lease::pause_of(usual, 0, 512));
    CHECK(lease::pause_of(lease::times_of(3), 0, 512) == s(0.25));
  }

  TEST_CASE("which old leases go, in which order") {
    using numbers = std::vector<std::uint64_t>;

    const struct {
      std::vector<lease::aged> all;
      numbers want;
    } rows[] = {
        {{}, {}},
        {{{1, true}}, {1}},
        {{{1, false}}, {}},
        {{{1, true}, {3, true}, {2, true}}, {3, 2, 1}},
        {{{1, true}, {2, true}, {3, false}}, {}},  // the numbers up to a living one are needed
        {{{1, false}, {2, true}, {3, true}}, {3, 2}},
        {{{9, true}, {10, true}}, {10, 9}},
    };

    for (const auto& one : rows) {
      d::list<lease::aged> given;
      for (const lease::aged& each : one.all) {
        given.push_back(each);
      }
      numbers got;
      for (const std::uint64_t number : lease::removable(given)) {
        got.push_back(number);
      }
      CHECK(got == one.want);
    }
  }
}

// ---- one contest, step by step
namespace {

struct run {
  memory_board board{};
  lease::contest one{board, lease::times_of(60), me};
  double now = 0;

  next until_it_asks() {  // steps until it waits, holds or goes without
    lease::contest::advice told = one.step(at(now));
    for (int i = 0; told.what == next::again; ++i) {
      REQUIRE(i < 100);
      told = one.step(at(now));
    }
    if (told.what == next::wait) {
      CHECK(told.when > at(now));
      CHECK(told.when <= at(now + 22.5));
    }
    return told.what;
  }

  next after(double seconds) {
    now += seconds;
    return until_it_asks();
  }
};

}  // namespace

TEST_SUITE("lease: a contest") {
  TEST_CASE("where there is none it takes the first") {
    run r;
    CHECK(r.until_it_asks() == next::hold);
    CHECK(r.one.mine().number == 1);
    CHECK(lease::read_note(r.board.all[1])->owner == me);
  }

  TEST_CASE("it waits for one that lives, tells its progress, and takes over when that dies") {
    run r;
    for (std::uint64_t i = 1; i <= 20; ++i) {
      r.board.all[1] = text_of(other, i, i * 100);
      CHECK(r.after(23) == next::wait);
      CHECK(r.one.seen().said->done == i * 100);
    }
    int looks = 0;
    while (r.after(23) == next::wait) {
      ++looks;
    }
    CHECK(looks == 2);  // at 23 and 46 s; at 69 s it is dead
    CHECK(r.one.current() == lease::contest::state::holding);
    CHECK(r.one.mine().number == 2);
    CHECK(r.board.all.size() == 2);
  }

  TEST_CASE("what was read before a failure is no younger for it") {
    run r;
    r.board.all[1] = text_of(other, 1);
    CHECK(r.until_it_asks() == next::wait);
    int asked = 0;
    r.board.next_fate = [&asked] {
      return ++asked == 2 ? fate::lost : fate::normal;
    };
    CHECK(r.after(23) == next::wait);  // the lease was read, and whether one follows was not
    CHECK(r.after(23) == next::wait);
    CHECK(r.one.seen().unchanged == s(23));
  }

  TEST_CASE("one that is over is followed at once") {
    run r;
    r.board.all[1] = text_of(other, 1);
    r.board.all[2] = text_of(other, 9, 5, true);
    CHECK(r.until_it_asks() == next::hold);
    CHECK(r.one.mine().number == 3);
  }

  TEST_CASE("a lost answer: the lease is there, and its own") {
    run r;
    int asked = 0;
    r.board.next_fate = [&asked] {
      return ++asked == 2 ? fate::answer_lost : fate::normal;
    };
    CHECK(r.until_it_asks() == next::hold);
    CHECK(r.board.creates == 1);
    CHECK(r.one.mine().number == 1);
  }

  TEST_CASE("a lost request is made again") {
    run r;
    int asked = 0;
    r.board.next_fate = [&asked] {
      return ++asked == 2 ? fate::lost : fate::normal;
    };
    CHECK(r.until_it_asks() == next::wait);
    CHECK(r.after(23) == next::hold);
    CHECK(r.board.creates == 2);
  }

  TEST_CASE("a board that is away, or cannot create, is gone without") {
    run r;
    SUBCASE("away") {
      r.board.next_fate = [] {
        return fate::lost;
      };
      int rounds = 1;
      while (r.after(8) == next::wait) {
        ++rounds;
      }
      CHECK(rounds == 6);
      CHECK_FALSE(r.one.why().ok());
    }
    SUBCASE("without conditions") {
      r.board.cannot_create = true;
      CHECK(r.until_it_asks() == next::go_without);
      CHECK(r.board.creates == 1);
    }
    CHECK(r.one.current() == lease::contest::state::without);
  }

  TEST_CASE("a board that keeps half of a lease is gone without, and keeps none") {
    struct halving : lease::board {
      std::map<std::uint64_t, std::string> all{};

      reading look(std::uint64_t number) override {
        return {{}, all.count(number) > 0, all.count(number) > 0 ? all[number] : std::string()};
      }

      creation create(std::uint64_t number, const std::string& text) override {
        all[number] = text.substr(0, text.size() / 2);
        return {outcome::created, {}};
      }

      status renew(std::uint64_t, const std::string&) override { return {}; }

      void remove(std::uint64_t number) override { all.erase(number); }
    } board;

    lease::contest one(board, lease::times_of(60), me);
    int steps = 0;
    while (one.step(at(0)).what == next::again) {
      REQUIRE(++steps < 100);
    }
    CHECK(one.current() == lease::contest::state::without);
    CHECK_FALSE(one.why().ok());
    CHECK(board.all.empty());
  }

  TEST_CASE("a board that says everything is there ends, too") {
    struct full : lease::board {
      reading look(std::uint64_t) override { return {{}, true, text_of(other, 1, 0, true)}; }

      creation create(std::uint64_t, const std::string&) override { return {outcome::exists, {}}; }

      status renew(std::uint64_t, const std::string&) override { return {}; }

      void remove(std::uint64_t) override {}
    } board;

    lease::contest one(board, lease::times_of(60), me);
    int steps = 0;
    while (one.step(at(0)).what == next::again) {
      REQUIRE(++steps < 100);
    }
    CHECK(one.current() == lease::contest::state::without);
  }

  TEST_CASE("a board that makes none and says there is one ends, too") {
    struct empty : lease::board {
      reading look(std::uint64_t) override { return {}; }

      creation create(std::uint64_t, const std::string&) override { return {outcome::exists, {}}; }

      status renew(std::uint64_t, const std::string&) override { return {}; }

      void remove(std::uint64_t) override {}
    } board;

    lease::contest one(board, lease::times_of(60), me);
    int steps = 0;
    while (one.step(at(0)).what == next::again) {
      REQUIRE(++steps < 100);
    }
    CHECK(one.current() == lease::contest::state::without);
  }

  TEST_CASE("a holder that beats and gains nothing is taken over from; the third is gone without") {
    run r;
    std::uint64_t write = 0;
    std::uint64_t number = 1;
    r.board.overtakes = [&](std::uint64_t made) {  // by one that stalls, too
      number = made;
      r.board.all[made] = text_of(other, ++write);
    };
    r.board.all[number] = text_of(other, ++write);
    for (const std::uint64_t is : {1, 2, 3}) {
      CHECK(number == is);
      double waited = 0;
      next what = r.until_it_asks();
      while (what == next::wait && number == is) {
        r.board.all[number] = text_of(other, ++write);
        what = r.after(23);
        waited += 23;
        REQUIRE(waited < 400);
      }
      CHECK(waited >= 180);
      CHECK(what == (is < 3 ? next::wait : next::go_without));
    }
    CHECK(r.board.creates == 2);
  }

  TEST_CASE("a beat sees that the lease was overwritten, and writes nothing") {
    run r;
    r.board.overlooks = [](std::uint64_t) {
      return true;
    };
    lease::contest second(r.board, lease::times_of(60), other);
    CHECK(second.step(at(0)).what == next::again);  // looks: none
    CHECK(r.until_it_asks() == next::hold);
    CHECK(second.step(at(0)).what == next::again);  // creates over it
    CHECK(second.step(at(0)).what == next::hold);

    lease::held mine = r.one.mine();
    CHECK(lease::beat(r.board, mine, 0, 0) == tenure::lost);
    CHECK(r.board.renews == 0);
  }

  TEST_CASE("a lease that was taken away is not brought back by a late beat") {
    run r;
    CHECK(r.until_it_asks() == next::hold);
    r.board.all.clear();
    lease::held mine = r.one.mine();
    CHECK(lease::beat(r.board, mine, 0, 0) == tenure::lost);
    CHECK(r.board.all.empty());
  }

  TEST_CASE("a beat renews, and is made again where its answer is lost") {
    run r;
    REQUIRE(r.until_it_asks() == next::hold);
    lease::held mine = r.one.mine();
    const std::string before = r.board.all[1];
    CHECK(lease::beat(r.board, mine, 5, 9) == tenure::kept);
    CHECK(r.board.all[1] != before);
    CHECK(lease::read_note(r.board.all[1])->done == 5);
    CHECK(lease::read_note(r.board.all[1])->total == 9);

    r.board.renews = 0;
    int asked = 0;
    r.board.next_fate = [&asked] {
      return ++asked == 2 ? fate::lost : fate::normal;
    };
    CHECK(lease::beat(r.board, mine, 6, 9) == tenure::kept);
    CHECK(r.board.renews == 2);
    CHECK(lease::read_note(r.board.all[1])->done == 6);

    r.board.next_fate = [] {
      return fate::lost;
    };  // what cannot be told changes nothing
    CHECK(lease::beat(r.board, mine, 7, 9) == tenure::kept);
  }

  TEST_CASE("who has failed says so; who has published removes the newest first") {
    run r;
    r.board.all[1] = text_of(other, 1, 0, true);
    REQUIRE(r.until_it_asks() == next::hold);
    lease::held mine = r.one.mine();
    lease::release(r.board, mine);
    CHECK(lease::read_note(r.board.all[2])->is_over);

    int removed = 0;  // then it dies
    r.board.next_fate = [&removed] {
      return ++removed > 1 ? fate::lost : fate::normal;
    };
    lease::remove_up_to(r.board, 2);
    CHECK(r.board.all.size() == 1);
    CHECK(r.board.all.count(1) == 1);

    r.board.next_fate = [] {
      return fate::normal;
    };
    lease::remove_up_to(r.board, 2);
    CHECK(r.board.all.empty());
  }
}

// ---- the beat, on a thread of its own
namespace {

class shared_board final : public lease::board {  // looked into by the test while a keeper beats
 public:
  reading look(std::uint64_t number) override {
    const std::lock_guard<std::mutex> one(mutex_);
    return inner_.look(number);
  }

  creation create(std::uint64_t number, const std::string& text) override {
    const std::lock_guard<std::mutex> one(mutex_);
    return inner_.create(number, text);
  }

  status renew(std::uint64_t number, const std::string& text) override {
    if (throws) throw std::bad_alloc();
    is_renewing = true;
    while (hangs && !is_given_up()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    if (is_given_up()) return broken();
    const std::lock_guard<std::mutex> one(mutex_);
    return inner_.renew(number, text);
  }

  void remove(std::uint64_t number) override {
    const std::lock_guard<std::mutex> one(mutex_);
    inner_.remove(number);
  }

  lease::note at(std::uint64_t number) { return *lease::read_note(look(number).text); }

  std::atomic<bool> hangs{false}, throws{false}, is_renewing{false};

 private:
  std::mutex mutex_{};
  memory_board inner_{};
};

template <class F>
bool comes_true(const F& f) {
  for (int i = 0; i < 2000; ++i) {
    if (f()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

struct holding {
  shared_board board{};
  lease::held mine{1, me, 60, 0};
  lease::times quick = lease::times_of(60);

  holding() {
    quick.beat = std::chrono::milliseconds(20);
    REQUIRE(board.create(1, mine.next_text(0, 0)).what == outcome::created);
  }
};

}  // namespace

TEST_SUITE("lease: a keeper") {
  TEST_CASE("it beats, and tells what it is told") {
    holding h;
    lease::keeper one(h.board, h.mine, h.quick);
    REQUIRE(one.start());
    one.tell(5, 9);
    CHECK(comes_true([&] { return h.board.at(1).done == 5; }));
    one.tell(7, 9);
    CHECK(comes_true([&] { return h.board.at(1).done == 7 && h.board.at(1).write > 2; }));
    CHECK_FALSE(one.is_lost());

    lease::held after = one.stop();
    CHECK(after.writes >= h.board.at(1).write);
    lease::release(h.board, after);  // the board is usable again
    CHECK(h.board.at(1).is_over);
  }

  TEST_CASE("it notices that another one has followed, and beats no more") {
    holding h;
    lease::keeper one(h.board, h.mine, h.quick);
    REQUIRE(one.start());
    REQUIRE(h.board.create(2, text_of(other, 1)).what == outcome::created);
    CHECK(comes_true([&] { return one.is_lost(); }));
    const std::uint64_t last = h.board.at(1).write;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    CHECK(h.board.at(1).write == last);
    (void)one.stop();
    CHECK(one.is_lost());
  }

  TEST_CASE("it notices that its lease is gone, and brings none back") {
    holding h;
    lease::keeper one(h.board, h.mine, h.quick);
    h.board.remove(1);
    REQUIRE(one.start());
    CHECK(comes_true([&] { return one.is_lost(); }));
    CHECK_FALSE(h.board.look(1).is_there);
  }

  TEST_CASE("it ends at once, though a beat is far, or hangs") {
    holding h;
    SUBCASE("far") {
      h.quick.beat = std::chrono::seconds(600);
    }
    SUBCASE("hangs") {
      h.board.hangs = true;
    }
    const auto start = d::clock::now();
    {
      lease::keeper one(h.board, h.mine, h.quick);
      REQUIRE(one.start());
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    CHECK(d::clock::now() - start < std::chrono::seconds(20));  // of 600
  }

  TEST_CASE("a write that is under way is waited for: later it would stand for ever") {
    holding h;
    h.board.hangs = true;
    lease::keeper one(h.board, h.mine, h.quick);
    REQUIRE(one.start());
    REQUIRE(comes_true([&] { return h.board.is_renewing.load(); }));
    std::thread slow([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
      h.board.hangs = false;
    });
    const lease::held after = one.stop();
    slow.join();
    CHECK(h.board.at(1).write == after.writes);
  }

  TEST_CASE("what a board throws ends neither the thread nor the program") {
    holding h;
    h.board.throws = true;
    lease::keeper one(h.board, h.mine, h.quick);
    REQUIRE(one.start());
    std::this_thread::sleep_for(std::chrono::milliseconds(60));
    h.board.throws = false;
    one.tell(3, 9);
    CHECK(comes_true([&] { return h.board.at(1).done == 3; }));
    CHECK_FALSE(one.is_lost());
  }

  TEST_CASE("one that was never started, or twice stopped, is no harm") {
    holding h;
    lease::keeper one(h.board, h.mine, h.quick);
    CHECK(one.stop().number == 1);
    (void)one.stop();
    CHECK_FALSE(h.board.is_given_up());
  }
}

// ---- the simulation: a hundred calls, one board, one clock
namespace {

struct conditions {
  double lost = 0, answer_lost = 0;  // of requests
  double overlooks = 0;              // for so many seconds it is not seen that one is there already
  int deaths = 0;                    // of the first holders, at 60 % of the download
  int pauses = 0;                    // of the next holders, for 200 s
  double arrival = 20;               // seconds in which all begin
};

struct told {
  int downloads = 0, finished = 0, without = 0, wrong = 0;
  double last = 0;
};

class world {
 public:
  static constexpr int nodes = 100;
  static constexpr double download = 300, restore = 20;

  world(const conditions& how, std::uint64_t seed) : how_(how), random_(seed) {
    board_.overlooks = [this](std::uint64_t number) {
      const bool is_new = made_.count(number) == 0;
      const double made = is_new ? now_ : made_[number];
      made_[number] = made;
      return now_ - made < how_.overlooks;
    };
    board_.next_fate = [this] {
      const double dice = chance();
      if (dice < how_.lost) return fate::lost;
      return dice < how_.lost + how_.answer_lost ? fate::answer_lost : fate::normal;
    };
    for (int i = 0; i < nodes; ++i) {
      const std::string owner = d::strings::hex(lease::next_random(random_), 16);
      all_.emplace_back(new node{board_, owner});
      later(chance() * how_.arrival, i);
    }
  }

  told go() {
    while (!queue_.empty() && now_ < 20000) {
      const event one = queue_.top();
      queue_.pop();
      now_ = one.when;
      step(*all_[std::size_t(one.who)], one.who);
    }
    result_.downloads = downloads_;
    return result_;
  }

  int died() const { return died_; }

 private:
  struct node {
    node(lease::board& board, const std::string& owner) : one(board, lease::times_of(60), owner) {}

    lease::contest one;
    lease::held mine{};
    bool is_downloading = false, has_lost = false;
    double done = 0, beaten = 0;
    bool dies = false, pauses = false;
    bool has_begun = false;
  };

  struct event {
    double when;
    int who;
    std::uint64_t order;

    bool operator<(const event& o) const {
      return when > o.when || (when == o.when && order > o.order);
    }
  };

  double chance() { return double(lease::next_random(random_) >> 11) / double(1ULL << 53); }

  void later(double pause, int who) { queue_.push({now_ + pause, who, ++order_}); }

  void finish() {
    ++result_.finished;
    result_.last = now_;
  }

  void begin(node& one) {
    one.is_downloading = true;
    one.beaten = now_;
    if (!one.has_begun) {
      one.has_begun = true;
      ++downloads_;
      one.dies = downloads_ <= how_.deaths;
      one.pauses = !one.dies && downloads_ <= how_.deaths + how_.pauses;
    }
  }

  void step(node& one, int who) {
    if (one.is_downloading) return go_on(one, who);
    if (has_receipt_) return finish();

    const lease::contest::advice told = one.one.step(at(now_));
    const double request = 0.02 + chance() * 0.1;
    switch (told.what) {
      case next::again: return later(request, who);
      case next::wait:
        return later(std::chrono::duration<double>(told.when - at(now_)).count(), who);
      case next::hold:
        one.mine = one.one.mine();
        begin(one);
        return later(5, who);
      case next::go_without:
        ++result_.without;
        begin(one);
        return later(5, who);
    }
  }

  void go_on(node& one, int who) {  // 5 s of it
    one.done += 5;
    if (one.dies && one.done >= 0.6 * download) {
      ++died_;
      return;
    }
    if (one.pauses && one.done >= 0.5 * download) {
      one.pauses = false;
      one.done -= 5;
      return later(200, who);
    }

    const bool holds = one.one.current() == lease::contest::state::holding && !one.has_lost;
    if (holds && now_ - one.beaten >= 10) {
      one.beaten = now_;
      const auto bytes = std::uint64_t(one.done * 1000);
      if (lease::beat(board_, one.mine, bytes, std::uint64_t(download * 1000)) == tenure::lost) {
        one.has_lost = true;  // it goes on for itself
      }
    }
    if (one.done < download) return later(5, who);

    if (!one.has_lost) {
      has_receipt_ = true;
    }
    if (holds && !one.has_lost) {
      lease::remove_up_to(board_, one.mine.number);
    }
    finish();
  }

  conditions how_;
  std::uint64_t random_, order_ = 0;
  memory_board board_{};
  std::map<std::uint64_t, double> made_{};
  std::vector<std::unique_ptr<node>> all_{};
  std::priority_queue<event> queue_{};
  double now_ = 0;
  bool has_receipt_ = false;
  int downloads_ = 0, died_ = 0;
  told result_{};
};

}  // namespace

TEST_SUITE("lease: a hundred contests") {
  TEST_CASE("all finish, and downloads are as few as can be") {
    const struct {
      std::string name;
      conditions how;
      int most;       // downloads, in each run
      double latest;  // when the last one is ready
    } rows[] = {
        {"calm", {}, 1, 330},
        {"all at once", {0, 0, 0, 0, 0, 0.1}, 1, 330},
        {"two holders die", {0, 0, 0, 2, 0}, 3, 800},
        {"one holder is paused", {0, 0, 0, 0, 1}, 2, 600},
        {"lost requests and answers", {0.05, 0.05, 0, 0, 0}, 2, 400},
        {"all of it", {0.05, 0.05, 0, 2, 1}, 6, 1500},
        {"conditions are not atomic", {0, 0, 0.1, 0, 0, 2}, 6, 600},
        {"conditions are ignored", {0, 0, 1e9, 0, 0}, 3, 600},
        {"ignored, all at once", {0, 0, 1e9, 0, 0, 0.1}, 60, 600},
        {"ignored, within two seconds", {0, 0, 1e9, 0, 0, 2}, 6, 600},
        {"ignored, and all of it", {0.05, 0.05, 1e9, 2, 1}, 12, 1500},
        {"most is lost", {0.3, 0.3, 0, 0, 0}, 90, 700},
        {"nothing comes through", {1, 0, 0, 0, 0}, 100, 400},
    };

    for (const auto& one : rows) {
      CAPTURE(one.name);
      for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        CAPTURE(seed);
        world all(one.how, seed);
        const told result = all.go();
        CHECK(result.finished == world::nodes - all.died());
        CHECK(result.downloads >= 1);
        CHECK(result.downloads <= one.most);
        CHECK(result.last <= one.latest);
      }
    }
  }
}
