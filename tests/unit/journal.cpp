// The room >>journal: what stands beside an unfinished file, and what a later call makes of it.
#include "vqcache.hpp"

#include "support.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <thread>

namespace d = vqcache::detail;
namespace journal = d::journal;
namespace os = d::os;
namespace formats = d::formats;
using d::ranges::endless;
using d::ranges::range_set;

namespace {

namespace fs = std::filesystem;

const std::string pin(64, 'a'), other_pin(64, 'b'), url(64, 'c'), other_url(64, 'd');
const std::string tag = "\"v1\"";

std::string shown(const range_set& set) {
  std::string s;
  for (const auto& r : set.all())
    s += std::to_string(r.at) + "-" + (r.end == endless ? "" : std::to_string(r.end)) + " ";
  return s;
}

std::vector<std::string> lines_of(const std::string& content) {
  std::vector<std::string> lines;
  std::istringstream in(content);
  for (std::string line; std::getline(in, line);)
    lines.push_back(line.substr(0, line.find_last_not_of(' ') + 1));
  return lines;
}

// of a dead owner: no process has this number
journal::unfinished one_of(os::fate fate, std::uint64_t size, const std::string& record) {
  journal::unfinished found;
  found.fate = fate;
  found.size = size;
  found.bytes = size;
  found.record = formats::read_record(record);
  return found;
}

}  // namespace

TEST_SUITE("unit journal") {
  TEST_CASE("its lines are added once, and those that change are written over in place") {
    const support::temp_dir at;
    const fs::path path = at / ".m.ckpt.0123456789abcdef.record";
    journal::journal_file of;
    REQUIRE(of.create(path, at / "m.ckpt").ok());
    CHECK(support::read_file(path) == os::owner() + "\n");
    CHECK_FALSE(of.is_described());
    CHECK_FALSE(of.has_todo());

    REQUIRE(of.describe({pin, url, tag, 1000}) == 0);
    CHECK(of.is_described());
    const std::string described = support::read_file(path);
    CHECK(lines_of(described)
        == std::vector<std::string>{lines_of(os::owner())[0], "url " + url, "pin " + pin,
            "validator " + tag, "total 1000"});

    // while the end of the file alone is missing its size tells that
    range_set missing({10, 1000});
    CHECK(of.note_missing(missing) == 0);
    CHECK(support::read_file(path) == described);
    CHECK(of.missing().substr(0, 8) == "10-1000 ");

    missing.remove({100, 200});
    CHECK(of.note_gaps(missing) == 0);
    CHECK(of.has_todo());
    const std::size_t size = support::read_file(path).size();
    of.note_safe(of.missing());
    const std::size_t size_with_safe = support::read_file(path).size();
    CHECK(size_with_safe > size);
    for (std::uint64_t i = 0; i < 30; ++i) {
      missing.remove({300 + i * 20, 310 + i * 20});
      CHECK(of.note_missing(missing) == 0);
    }
    of.note_safe(of.missing());
    missing.remove({0, 1000});
    missing.add({990, 1000});
    CHECK(of.note_missing(missing) == 0);
    CHECK_MESSAGE(support::read_file(path).size() == size_with_safe, "it does not grow");
    CHECK(of.note_released() == 0);

    const formats::record read = formats::read_record(support::read_file(path));
    CHECK(read.owner == lines_of(os::owner())[0]);
    CHECK(read.id.pin == pin);
    CHECK(read.id.total == 1000);
    CHECK(shown(range_set(read.todo)) == "990-1000 ");
    CHECK(range_set(read.safe).all().size() == 32);
    CHECK(read.released);

    of.leave();
    CHECK(fs::exists(path));
    of.remove();
    CHECK_MESSAGE(fs::exists(path), "it is another call's now");
  }

  TEST_CASE("a line that has become too long for its place goes to the end, and counts") {
    const support::temp_dir at;
    journal::journal_file of;
    REQUIRE(of.create(at / "r", at / "m").ok());
    REQUIRE(of.describe({pin, url, "", 0}) == 0);
    range_set missing({0, endless});
    REQUIRE(of.note_gaps(missing) == 0);
    of.note_safe(of.missing());
    const std::uint64_t far = std::uint64_t{1} << 62;
    for (std::uint64_t i = 0; i < 60; ++i)
      missing.remove({far + i * 10, far + i * 10 + 5});
    REQUIRE(of.note_missing(missing) == 0);
    const formats::record read = formats::read_record(support::read_file(at / "r"));
    CHECK(shown(range_set(read.todo)) == shown(missing));
    CHECK(shown(range_set(read.safe)) == "0- ");
    of.remove();
    CHECK_FALSE(fs::exists(at / "r"));
  }

  TEST_CASE("nothing is made where a name is taken, and nothing of others is removed") {
    const support::temp_dir at;
    support::write_file(at / "r", "somebody's");
    journal::journal_file of;
    const d::status s = of.create(at / "r", at / "m.ckpt");
    CHECK(s.cause == std::errc::file_exists);
    CHECK_MESSAGE(s.text.find("m.ckpt") != std::string::npos, s.text);
    of.remove();
    CHECK(support::read_file(at / "r") == "somebody's");
  }

  TEST_CASE("one thread tells what is missing while another tells what is safe") {
    const support::temp_dir at;
    journal::journal_file of;
    REQUIRE(of.create(at / "r", at / "m").ok());
    REQUIRE(of.describe({pin, url, "", 100000}) == 0);
    range_set missing({0, 100000});
    REQUIRE(of.note_gaps(missing) == 0);
    std::thread other([&of] {
      for (int i = 0; i < 200; ++i)
        of.note_safe(of.missing());
    });
    for (std::uint64_t i = 1; i <= 500; ++i) {
      missing.remove({i * 100, i * 100 + 100});
      (void)of.note_missing(missing);
    }
    other.join();
    of.note_safe(of.missing());
    const formats::record read = formats::read_record(support::read_file(at / "r"));
    CHECK(shown(range_set(read.todo)) == shown(missing));
    CHECK(shown(range_set(read.safe)) == shown(missing));
    CHECK(lines_of(support::read_file(at / "r")).size() == 6);
    of.remove();
  }

  TEST_CASE("which bytes of an unfinished file are to come") {
    const std::string head = "host/ns boot 1 2\nurl " + url + "\nvalidator " + tag + "\n";
    const std::string told = head + "total 1000\ntodo 100-200 600-1000 \nsafe 50-1000 \n";

    struct row {
      const char* what;
      os::fate owner;
      std::uint64_t size;
      std::string record, pin;
      const char* gaps;
    };

    const row rows[] = {
        {"a dead owner's bytes are all there", os::fate::gone, 700, told, "", "100-200 600-1000 "},
        {"a living owner's, too", os::fate::alive, 700, told, "", "100-200 600-1000 "},
        {"after a restart only the synced ones are", os::fate::restarted, 700, told, "",
            "50-1000 "},
        {"so with an owner that nobody knows", os::fate::unknown, 700, told, "", "50-1000 "},
        {"a pin will tell", os::fate::restarted, 700, told, pin, "100-200 600-1000 "},
        {"without a line the size tells", os::fate::gone, 700, head + "total 1000\n", "",
            "700-1000 "},
        {"without one of what is safe nothing is", os::fate::restarted, 700, head + "total 1000\n",
            "", "0-1000 "},
        {"a file that became shorter", os::fate::gone, 150, told, "", "100-1000 "},
        {"of unknown length", os::fate::gone, 700, head + "total 0\n", "", "700- "},
        {"half a line tells nothing", os::fate::gone, 700, head + "total 1000\ntodo 1-2", "",
            "700-1000 "},
        {"an odd line means the whole file", os::fate::gone, 700, head + "total 1000\ntodo 5-3 \n",
            "", "0-1000 "},
        {"nothing is to come", os::fate::gone, 1000, head + "total 1000\n", "", ""},
    };
    for (const row& r : rows) {
      CAPTURE(r.what);
      const journal::unfinished found = one_of(r.owner, r.size, r.record);
      CHECK(shown(journal::gaps_of(found, {r.pin, url, tag, 0})) == r.gaps);
    }
  }

  TEST_CASE("which unfinished file is continued: one of the same file, nobody's, with bytes") {
    const std::string owner = "host/ns boot 1 2\n", end = "total 1000\nsafe 0-1000 \n";
    const std::string mine = owner + "url " + url + "\nvalidator " + tag + "\n" + end;
    const std::string pinned = owner + "url " + url + "\npin " + pin + "\n" + end;

    struct row {
      const char* what;
      os::fate owner;
      std::uint64_t size;
      std::string record, wanted_pin, wanted_url;
      bool is_continued;
    };

    const row rows[] = {
        {"a dead owner's", os::fate::gone, 10, mine, "", url, true},
        {"a living owner's", os::fate::alive, 10, mine, "", url, false},
        {"an unknown owner's", os::fate::unknown, 10, mine, "", url, false},
        {"a living owner's who has released it", os::fate::alive, 10, mine + "released\n", "", url,
            true},
        {"of another URL", os::fate::gone, 10, mine, "", other_url, false},
        {"with nothing in it", os::fate::gone, 0, mine, "", url, false},
        {"of before a restart, not synced", os::fate::restarted, 10, mine, "", url, false},
        {"of before a restart, which a pin will judge", os::fate::restarted, 10, mine, pin, url,
            true},
        {"without a validator", os::fate::gone, 10, pinned, "", url, false},
        {"without a validator, with a pin", os::fate::gone, 10, pinned, pin, url, true},
        {"of another URL, with the same pin", os::fate::gone, 10, pinned, pin, other_url, true},
        {"of another URL, with another pin", os::fate::gone, 10, pinned, other_pin, other_url,
            false},
        {"of the same URL, with another pin", os::fate::gone, 10, pinned, other_pin, url, true},
        {"that says nothing of its file", os::fate::gone, 10, owner, "", "", false},
    };
    for (const row& r : rows) {
      CAPTURE(r.what);
      const journal::unfinished found = one_of(r.owner, r.size, r.record);
      CHECK(journal::is_to_continue(found, {r.wanted_pin, r.wanted_url, "", 0}) == r.is_continued);
    }
  }

  TEST_CASE("what 0.1.0 has left is found: the largest first, with what has come of it") {
    const support::temp_dir at;
    const auto leave = [&at](const std::string& digits, std::size_t size, const std::string& todo) {
      const std::string base = ".m.ckpt." + digits;
      support::write_file(at / (base + ".part"), std::string(size, 'x'));
      support::write_file(at / (base + ".record"),
          "host/pid:[4026531836] 5c0b0f5e-boot 4711 123456\nurl " + url + "\npin " + pin
              + "\nvalidator " + tag + "\ntotal 1000\n"
              + (todo.empty() ? "" : "todo " + todo + std::string(1360 - todo.size(), ' ') + "\n")
              + "safe 0-1000 " + std::string(1352, ' ') + "\nreleased\n");
    };
    leave("00000001aaaaaaaa", 300, "");
    leave("00000002aaaaaaaa", 900, "0-500 900-1000 ");
    leave("00000003aaaaaaaa", 500, "");
    leave("0000000g00000000", 999, "");                                // no name of ours
    support::write_file(at / ".m.ckpt.00000004aaaaaaaa.part", "xyz");  // without a record
    support::write_file(at / ".m.ckpt2.00000004aaaaaaaa.record", "another file's");

    const journal::beginnings found = journal::beginnings_of(at / "m.ckpt");
    CHECK(found.problem == 0);
    REQUIRE(found.all.size() == 3);
    CHECK(found.all[0].bytes == 500);
    CHECK(found.all[0].base.filename() == ".m.ckpt.00000003aaaaaaaa");
    CHECK(found.all[1].bytes == 400);
    CHECK(found.all[1].size == 900);
    CHECK(found.all[2].bytes == 300);
    for (const journal::unfinished& one : found.all) {
      CHECK(one.record.released);
      CHECK(one.record.id.pin == pin);
      CHECK(one.fate == os::fate::unknown);  // of another host
      CHECK(journal::is_to_continue(one, {pin, url, "", 0}));
    }
    CHECK(journal::beginnings_of(at / "no" / "m.ckpt").problem == ENOENT);
  }
}
