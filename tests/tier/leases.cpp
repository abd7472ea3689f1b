// Leases in a directory: what stands there, and that of many processes one makes it.
#include "vqcache.hpp"

#include "support.hpp"

#include <doctest/doctest.h>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

namespace d = vqcache::detail;
namespace os = d::os;
namespace lease = d::lease;
namespace fs = std::filesystem;
using lease::directory_board;
using lease::outcome;

namespace {

const std::string me(32, 'a'), other(32, 'b');

std::string text_of(const std::string& owner, std::uint64_t write) {
  lease::held mine{1, owner, 60, write};
  return mine.next_text(0, 0);
}

std::vector<std::string> names_in(const fs::path& directory) {
  std::vector<std::string> names = vqcache::detail::containers::to_vector(os::list(directory, ""));
  std::sort(names.begin(), names.end());
  return names;
}

// Forks that all call f(i) at the same moment; which of them gave true.
template <class F>
std::vector<int> race(int processes, const F& f) {
  int gate[2];
  REQUIRE(::pipe(gate) == 0);
  std::vector<pid_t> all;
  for (int i = 0; i < processes; ++i) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      char none;
      (void)::close(gate[1]);
      (void)!::read(gate[0], &none, 1);  // until the gate is closed
      ::_exit(f(i) ? 0 : 1);
    }
    all.push_back(pid);
  }
  (void)::close(gate[0]);
  (void)::close(gate[1]);

  std::vector<int> winners;
  for (int i = 0; i < processes; ++i) {
    int how = 0;
    REQUIRE(::waitpid(all[std::size_t(i)], &how, 0) == all[std::size_t(i)]);
    REQUIRE(WIFEXITED(how));
    if (WEXITSTATUS(how) == 0) {
      winners.push_back(i);
    }
  }
  return winners;
}

}  // namespace

TEST_SUITE("leases in a directory") {
  TEST_CASE("made, looked at, renewed, removed") {
    support::temp_dir at;
    directory_board board(at / "net", "net");
    CHECK_FALSE(board.look(1).is_there);
    CHECK(board.look(1).problem.ok());  // though there is no directory yet

    CHECK(board.create(1, text_of(me, 1)).what == outcome::created);
    CHECK(board.create(1, text_of(other, 1)).what == outcome::exists);
    CHECK(board.look(1).is_there);
    CHECK(board.look(1).text == text_of(me, 1));
    CHECK_FALSE(board.look(2).is_there);
    CHECK(board.create(12, text_of(me, 1)).what == outcome::created);
    CHECK_FALSE(board.look(2).is_there);

    CHECK(board.renew(1, text_of(me, 2)).ok());
    CHECK(board.look(1).text == text_of(me, 2));
    CHECK(names_in(at / "net") == std::vector<std::string>{".net.lease.1", ".net.lease.12"});

    board.remove(1);
    board.remove(12);
    board.remove(12);
    CHECK(names_in(at / "net").empty());
  }

  TEST_CASE("what is there in its place is left alone, and read with a limit") {
    support::temp_dir at;
    directory_board board(at.path(), "net");
    support::write_file(at / ".net.lease.1", std::string(1 << 20, 'x'));
    CHECK(board.look(1).is_there);
    CHECK(board.look(1).text.size() <= 4096);
    CHECK(board.create(1, text_of(me, 1)).what == outcome::exists);

    support::write_file(at / ".net.lease.2", "");
    CHECK(board.look(2).is_there);

    fs::create_symlink(at / "away", at / ".net.lease.3");
    CHECK(board.create(3, text_of(me, 1)).what == outcome::exists);
    CHECK_FALSE(fs::exists(at / "away"));
    CHECK_FALSE(board.look(3).problem.ok());  // what cannot be read is not "absent"

    CHECK(names_in(at.path()).size() == 3);
  }

  TEST_CASE("a directory that cannot be written says so, and leaves nothing") {
    if (::geteuid() == 0) {
      support::temp_dir at;
      support::write_file(at / "net", "a file");
      directory_board board(at / "net", "net");
      const lease::creation made = board.create(1, text_of(me, 1));
      CHECK(made.what == outcome::failed);
      CHECK_FALSE(made.why.text.empty());
      CHECK_FALSE(board.renew(1, text_of(me, 2)).ok());
      return;
    }
    support::temp_dir at;
    REQUIRE(::chmod((at / "").c_str(), 0555) == 0);
    directory_board board(at.path(), "net");
    CHECK(board.create(1, text_of(me, 1)).what == outcome::failed);
    CHECK_FALSE(board.renew(1, text_of(me, 2)).ok());
    REQUIRE(::chmod((at / "").c_str(), 0755) == 0);
    CHECK(names_in(at.path()).empty());
  }

  TEST_CASE("of twenty processes exactly one makes it, thirty times, and all see it whole") {
    support::temp_dir at;
    for (std::uint64_t round = 1; round <= 30; ++round) {
      CAPTURE(round);
      const std::vector<int> winners = race(20, [&](int i) {
        directory_board board(at / "net", "net");
        const std::string mine = text_of(other, std::uint64_t(i));
        return board.create(round, mine).what == outcome::created;
      });
      REQUIRE(winners.size() == 1);
      directory_board board(at / "net", "net");
      CHECK(board.look(round).text == text_of(other, std::uint64_t(winners[0])));
    }
    CHECK(names_in(at / "net").size() == 30);  // nothing temporary stays
  }

  TEST_CASE("the ways to make it that other file systems need: exactly one, too") {
    support::temp_dir at;
    for (int round = 0; round < 10; ++round) {
      CAPTURE(round);
      const fs::path to = at / std::to_string(round);
      const std::vector<int> winners = race(20, [&](int i) {
        const fs::path from = at / ("from-" + std::to_string(i));
        support::write_file(from, std::to_string(i));
        const int problem = os::rename_by_link(from, to);
        if (problem != 0) {
          (void)os::unlink(from);
        }
        return problem == 0;
      });
      REQUIRE(winners.size() == 1);
      std::string text;
      CHECK(os::read_text(to, text) == 0);
      CHECK(text == std::to_string(winners[0]));
    }
    CHECK(names_in(at.path()).size() == 10);
  }

  TEST_CASE("a lease is seen whole while it is renewed") {
    support::temp_dir at;
    directory_board writer(at.path(), "net"), reader(at.path(), "net");
    REQUIRE(writer.create(1, text_of(me, 1)).what == outcome::created);
    std::atomic<bool> is_done{false};
    std::thread beside([&] {
      for (std::uint64_t i = 2; i < 500; ++i) {
        (void)writer.renew(1, text_of(me, i)).ok();
      }
      is_done = true;
    });

    int looks = 0, odd = 0;
    while (!is_done) {
      const lease::reading seen = reader.look(1);
      ++looks;
      odd += !seen.problem.ok() || !seen.is_there || !lease::read_note(seen.text);
    }
    beside.join();
    CHECK(looks > 0);
    CHECK(odd == 0);
    CHECK(names_in(at.path()).size() == 1);
  }

  TEST_CASE("processes that contend: one holds, and when it is killed one of the others does") {
    support::temp_dir at;
    support::temp_dir log;
    const std::vector<int> all = race(8, [&](int i) {
      directory_board board(at / "net", "net");
      lease::contest one(board, lease::times_of(1), lease::new_owner());
      const auto until = d::clock::now() + std::chrono::seconds(60);
      while (d::clock::now() < until && !fs::exists(at / "receipt")) {
        const lease::contest::advice told = one.step(d::clock::now());
        if (told.what == lease::contest::next::wait) {
          std::this_thread::sleep_until(told.when);
        }
        if (told.what == lease::contest::next::go_without) return false;
        if (told.what != lease::contest::next::hold) continue;

        support::write_file(log / ("held-" + std::to_string(i)), "");
        const bool is_first = names_in(log.path()).size() == 1;
        lease::keeper beating(board, one.mine(), lease::times_of(1));
        if (!beating.start()) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(1500));
        if (is_first) ::_exit(1);  // its lease stays
        if (beating.is_lost()) return false;
        const lease::held mine = beating.stop();
        support::write_file(at / "receipt", "");
        lease::remove_up_to(board, mine.number);
      }
      return fs::exists(at / "receipt");
    });
    CHECK(all.size() == 7);
    CHECK(names_in(log.path()).size() == 2);
    CHECK(names_in(at / "net").empty());
  }
}

TEST_SUITE("rename_new") {
  TEST_CASE("it takes a free name, and no other") {
    support::temp_dir at;
    support::write_file(at / "one", "1");
    support::write_file(at / "two", "2");
    CHECK(os::rename_new(at / "one", at / "two") == EEXIST);
    CHECK(os::rename_new(at / "one", at / "three") == 0);
    CHECK(os::rename_new(at / "absent", at / "four") == ENOENT);
    CHECK(os::rename_new(at / "three", at / "none" / "four") == ENOENT);
    fs::create_symlink("nowhere", at / "link");
    CHECK(os::rename_new(at / "three", at / "link") == EEXIST);
    CHECK(names_in(at.path()) == std::vector<std::string>{"link", "three", "two"});
  }
}
