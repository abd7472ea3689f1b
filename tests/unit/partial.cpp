// The room >>partial: the unfinished file through its interface. No server: what connections do is
// played by taking leases and writing to them.
#include "vqcache.hpp"

#include "support.hpp"
#include "unit/shared.hpp"

#include <doctest/doctest.h>

#include <sys/stat.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace d = vqcache::detail;
namespace os = d::os;
namespace partial = d::partial;
namespace ranges = d::ranges;
namespace formats = d::formats;
namespace sniff = d::sniff;
using d::status;
using partial::partial_file;
using ranges::range_set;
using shared::contents;
using shared::some_bytes;
using support::first_name;
using support::names_in;
using vqcache::errc;

namespace {

namespace fs = std::filesystem;

const std::string url(64, 'c'), tag = "\"v1\"";
constexpr std::uint64_t megabyte = 1 << 20;

formats::identity identity_of(const std::string& all, const std::string& pin = "") {
  return {pin, url, tag, all.size()};
}

std::string_view part_of(const std::string& all, std::uint64_t at, std::uint64_t end) {
  return std::string_view(all).substr(std::size_t(at), std::size_t(end - at));
}

struct one_file {  // m.ckpt, on its way
  support::temp_dir folder{};
  fs::path path = folder / "m.ckpt", at = path.parent_path();
  std::string all;
  partial_file to{};

  explicit one_file(std::size_t size) : all(some_bytes(size)) {}

  void begin(const std::string& pin = "") {
    REQUIRE(to.create(path, {}).ok());
    REQUIRE(to.keep_as(identity_of(all, pin)) == 0);
  }

  status write(partial_file::lease& part, std::uint64_t until) {
    return to.write(part, part_of(all, part.next(), until));
  }

  fs::path part() const { return at / first_name(at, "", ".part"); }

  fs::path record() const { return at / first_name(at, "", ".record"); }

  range_set todo() const {  // what a later call would believe is to come
    const formats::record read = formats::read_record(contents(record()));
    return ranges::gaps_within(read.todo, fs::file_size(part()), all.size());
  }
};

class file_limit {  // of sizes, while one lives: what is beyond is no room
 public:
  explicit file_limit(std::uint64_t bytes) : limit_(RLIMIT_FSIZE, bytes) {}

 private:
  os::quiet_signals quiet_{};
  shared::resource_limit limit_;
};

// The dealing of a file that is never written: parts are said to have arrived, in the order in which
// a connection ends. One that is dealt is checked against a model of its own.
class dealing {
 public:
  dealing(std::uint64_t total, unsigned connections, unsigned seed)
      : total_(total),
        connections_(connections),
        random_(seed),
        missing_(ranges::byte_range{0, total}) {
    REQUIRE(to_.create(at_ / "m.ckpt", {}, partial::hashing::as_given).ok());
    REQUIRE(to_.keep_as({"", url, tag, total}) == 0);
    leases_.push_back(to_.take(1, ranges::endless));  // the first answer is the whole file
  }

  void play() {
    for (std::size_t wide = 1; to_.size() < total_;) {
      wide = (std::min)(std::size_t{connections_}, wide * 2);
      while (leases_.size() < wide && deal(wide)) {}
      REQUIRE_FALSE(leases_.empty());
      advance();
      check_disjoint();
      waiting_ = (std::max)(waiting_, to_.size() - to_.front());  // to be hashed
    }
  }

  std::uint64_t dealt() const { return dealt_; }

  std::uint64_t most_waiting() const { return waiting_; }

 private:
  bool deal(std::size_t wide) {
    partial_file::lease part = to_.take(wide, 1000000);
    if (!part.is_held()) return false;

    ++dealt_;
    const bool is_missing = ranges::size_of({part.begin(), part.end()}) > 0
        && missing_.overlaps({part.begin(), part.end()});
    CHECK(is_missing);
    range_set free = missing_;
    for (const auto& other : leases_)
      free.remove({other.begin(), other.end()});
    CHECK_MESSAGE(free.first_gap() == part.begin(), "nobody brings what stands before it");
    leases_.push_back(std::move(part));
    return true;
  }

  // All get on alike until one ends, but for one that a server treats worse now and then.
  void advance() {
    random_ = random_ * 1103515245 + 12345;
    const std::size_t slow = (random_ >> 16) % (2 * leases_.size());
    std::uint64_t step = 16 * megabyte;
    for (const auto& part : leases_)
      step = (std::min)(step, part.left());

    for (std::size_t i = 0; i < leases_.size(); ++i) {
      auto& part = leases_[i];
      const std::uint64_t gain = i == slow && part.left() > step ? step / 2 : step;
      missing_.remove({part.begin(), part.begin() + gain});
      to_.arrived(part, part.begin() + gain);
    }
    CHECK(to_.size() == total_ - missing_.total());
    CHECK(to_.front() == (std::min)(missing_.first_gap(), total_));
    for (std::size_t i = leases_.size(); i-- > 0;)
      if (leases_[i].left() == 0) leases_.erase(leases_.begin() + std::ptrdiff_t(i));
  }

  void check_disjoint() const {
    range_set taken;
    std::uint64_t sum = 0;
    for (const auto& part : leases_) {
      taken.add({part.begin(), part.end()});
      sum += part.end() - part.begin();
    }
    CHECK(taken.total() == sum);
    CHECK(leases_.size() <= 32);
  }

  support::temp_dir at_{};
  std::uint64_t total_;
  unsigned connections_;
  std::uint64_t random_;
  range_set missing_;
  partial_file to_{};
  std::vector<partial_file::lease> leases_{};
  std::uint64_t dealt_ = 0, waiting_ = 0;
};

}  // namespace

TEST_SUITE("unit partial") {
  TEST_CASE("parts are dealt in order, each byte once, and what has come is nearly without a gap") {
    const std::uint64_t total = std::uint64_t{3} << 30, least = 32 * megabyte;
    for (const unsigned connections : {2U, 4U, 8U, 16U})
      for (unsigned seed = 1; seed <= 20; ++seed) {
        CAPTURE(connections);
        CAPTURE(seed);
        dealing one(total, connections, seed);
        one.play();
        CHECK(one.dealt() <= total / least + 2 * connections + 8);  // no more than it takes
        CHECK_MESSAGE(one.most_waiting() < total * 9 / 16, one.most_waiting());
      }
  }

  TEST_CASE("leases are disjoint, go back by themselves, and the largest under way is halved") {
    one_file f(8 * megabyte);
    f.begin();
    auto first = f.to.take(1, ranges::endless);
    REQUIRE(first.is_held());
    CHECK(first.begin() == 0);
    CHECK(first.end() == f.all.size());
    CHECK_FALSE(f.to.take(1, ranges::endless).is_held());  // all is somebody's
    REQUIRE(f.write(first, megabyte).ok());

    auto second = f.to.take(2, megabyte);
    REQUIRE(second.is_held());
    CHECK(first.end() == second.begin());
    CHECK(second.end() == f.all.size());
    CHECK(first.left() == second.left());
    CHECK_FALSE(f.to.take(2, 3 * megabyte).is_held());  // half of one is not worth it

    {
      const auto third = f.to.take(2, megabyte);
      REQUIRE(third.is_held());
      CHECK(third.begin() > first.next());
      CHECK((third.end() == second.begin() || third.end() == f.all.size()));
    }
    const auto again = f.to.take(2, megabyte);  // what has gone back comes first
    REQUIRE(again.is_held());
    CHECK((again.begin() == first.end() || again.begin() == second.end()));
  }

  TEST_CASE("there are never more parts than the journal's line has room for") {
    one_file f(16 * megabyte);
    f.begin();
    std::vector<partial_file::lease> all;
    all.reserve(100);
    for (int i = 0; i < 100; ++i) {
      auto part = f.to.take(16, 10);
      if (!part.is_held()) break;
      all.push_back(std::move(part));
      REQUIRE(f.write(all.back(), all.back().begin() + 5).ok());
      REQUIRE(f.to.write_back_all().ok());
    }
    CHECK(all.size() <= 32);
    CHECK(all.size() >= 16);
    CHECK(f.todo().all().size() <= 32);
    const std::string record = contents(f.record());
    CHECK(record.find('\n', record.find("todo ")) - record.find("todo ") == 5 + 1360);
  }

  TEST_CASE("the part that a connection gives up goes to the one before it") {
    one_file f(8 * megabyte);
    f.begin();
    auto first = f.to.take(1, ranges::endless);
    auto second = f.to.take(2, 1);
    REQUIRE(second.is_held());
    f.to.pass_on(second);
    CHECK_FALSE(second.is_held());
    CHECK(first.end() == f.all.size());

    second = f.to.take(2, 1);
    REQUIRE(second.is_held());
    f.to.take_what_follows(first);
    CHECK_MESSAGE(first.end() == second.begin(), "it is somebody's");
    second.give_back();
    f.to.take_what_follows(first);
    CHECK(first.end() == f.all.size());
    f.to.pass_on(second);  // which is nobody's any more
    CHECK(first.end() == f.all.size());
  }

  TEST_CASE("what a connection brought last is written when its lease goes back") {
    one_file f(3 * megabyte);
    f.begin();
    {
      auto part = f.to.take(1, ranges::endless);
      REQUIRE(f.write(part, 1000).ok());
      CHECK(f.to.size() == 1000);
      CHECK(f.to.front() == 0);  // it waits for more
    }
    CHECK(f.to.size() == 1000);
    CHECK(f.to.front() == 1000);
    CHECK(contents(f.part()) == f.all.substr(0, 1000));
  }

  TEST_CASE("a lease that outlives its file, or its file's contents, does no harm") {
    one_file f(megabyte);
    f.begin();
    auto part = f.to.take(1, ranges::endless);
    REQUIRE(f.write(part, 1000).ok());
    f.to.drop();
    CHECK_FALSE(part.is_held());
    part.give_back();
    CHECK(names_in(f.at).empty());

    f.begin();
    auto other = f.to.take(1, ranges::endless);
    CHECK(other.begin() == 0);
    part = std::move(other);
    CHECK(part.is_held());
    CHECK_FALSE(other.is_held());
    CHECK_FALSE(f.to.take(1, ranges::endless).is_held());
    auto gone = std::make_unique<partial_file>();
    REQUIRE(gone->create(f.at / "x", {}).ok());
    auto late = gone->take(1, ranges::endless);
    gone = nullptr;
    CHECK_FALSE(late.is_held());
  }

  TEST_CASE("bytes of several connections become one file, and the journal is right all the time") {
    for (unsigned seed = 1; seed <= 4; ++seed) {
      CAPTURE(seed);
      one_file f(6 * megabyte + 123);
      f.begin();
      std::vector<partial_file::lease> parts;
      parts.push_back(f.to.take(1, ranges::endless));
      std::uint64_t x = seed;
      while (!f.to.is_whole()) {
        x = x * 1103515245 + 12345;
        if (parts.size() < 4)
          if (auto more = f.to.take(4, 100000); more.is_held()) parts.push_back(std::move(more));
        REQUIRE_FALSE(parts.empty());
        auto& one = parts[(x >> 20) % parts.size()];
        const std::uint64_t n = (std::min)(one.left(), 1 + (x >> 12) % 300000);
        REQUIRE(f.to.agrees(one.begin(), part_of(f.all, one.begin(), one.next())));
        REQUIRE(f.write(one, one.next() + n).ok());
        const bool has_end = one.left() == 0;
        if (has_end) parts.erase(parts.begin() + (&one - parts.data()));

        // what the journal takes for written is right, byte by byte
        range_set there({0, fs::file_size(f.part())});
        const range_set todo = f.todo();
        for (const auto& gap : todo.all())
          there.remove(gap);
        const std::string now = contents(f.part());
        for (const auto& r : there.all())
          REQUIRE(part_of(now, r.at, r.end) == part_of(f.all, r.at, r.end));
      }
      const std::string sha = d::hash::of(f.all);
      REQUIRE(f.to.seal({sniff::kind::binary, sha}).ok());
      CHECK(f.to.sha256() == sha);
      CHECK(f.to.size() == f.all.size());
      REQUIRE(f.to.publish().ok());
      CHECK(contents(f.path) == f.all);
      CHECK(names_in(f.at) == std::vector<std::string>{"m.ckpt"});
    }
  }

  TEST_CASE("what stands there, what waits, and what has not come, compared with new bytes") {
    one_file f(megabyte);
    f.begin();
    auto part = f.to.take(1, ranges::endless);
    REQUIRE(f.write(part, 300000).ok());  // written at once
    REQUIRE(f.write(part, 301000).ok());  // these wait
    std::string other = f.all;
    for (char& c : other)
      ++c;
    for (const std::uint64_t at : {std::uint64_t{0}, std::uint64_t{299000}}) {
      CHECK(f.to.agrees(at, part_of(f.all, at, at + 1000)));
      CHECK_FALSE(f.to.agrees(at, part_of(other, at, at + 1000)));
    }
    CHECK(f.to.agrees(300000, part_of(f.all, 300000, 301000)));
    CHECK_FALSE(f.to.agrees(300000, part_of(other, 300000, 301000)));
    CHECK(f.to.agrees(500000, part_of(other, 500000, 501000)));  // nothing is there
  }

  TEST_CASE("nothing is written beyond the first gap before the journal can tell of it") {
    one_file f(8 * megabyte);
    f.begin();
    auto first = f.to.take(1, ranges::endless);
    {
      const file_limit no_room(fs::file_size(f.record()) + 100);
      CHECK_FALSE(f.to.take(2, 1).is_held());
    }
    const auto second = f.to.take(2, 1);
    REQUIRE(second.is_held());
    CHECK(contents(f.record()).find("\ntodo ") != std::string::npos);
  }

  TEST_CASE("after a failed write nothing is written, and nothing gets the name") {
    one_file f(2 * megabyte);
    f.begin();
    auto part = f.to.take(1, ranges::endless);
    REQUIRE(f.write(part, 300000).ok());
    status failed;
    {
      const file_limit no_room(400000);
      failed = f.write(part, megabyte);
    }
    CHECK(failed.code == errc::no_space);
    const auto size = fs::file_size(f.part());
    CHECK(f.to.write(part, "more").text == failed.text);
    CHECK(f.to.write_back(part).text == failed.text);
    CHECK(f.to.write_back_all().text == failed.text);
    CHECK(f.to.seal({}).text == failed.text);
    CHECK_FALSE(f.to.publish().ok());
    part.give_back();
    CHECK(fs::file_size(f.part()) == size);
    CHECK(f.to.is_begun());
    CHECK_FALSE(fs::exists(f.path));

    // what the disk has stays: it is full, not broken
    CHECK(f.to.release() == 300000);
    CHECK_FALSE(f.to.is_begun());
    partial_file later;
    REQUIRE(later.adopt(f.path, identity_of(f.all), {}).ok());
    REQUIRE(later.is_begun());
    CHECK(later.size() == size);  // with what the failed write has left, which is right, too
    CHECK(contents(f.part()) == f.all.substr(0, std::size_t(size)));
  }

  TEST_CASE("a name is given after a good seal() alone") {
    one_file f(1000);
    CHECK_FALSE(f.to.publish().ok());  // empty
    REQUIRE(f.to.create(f.path, {}).ok());
    REQUIRE(f.to.append(f.all).ok());
    CHECK_FALSE(f.to.publish().ok());  // writing
    CHECK_FALSE(fs::exists(f.path));
    f.to.end_here();

    const status bad = f.to.seal({sniff::kind::binary, std::string(64, '0'), "the pin"});
    CHECK(bad.code == errc::hash_mismatch);
    CHECK_FALSE(f.to.publish().ok());
    CHECK_FALSE(fs::exists(f.path));

    f.to.drop();
    REQUIRE(f.to.create(f.path, {}).ok());
    REQUIRE(f.to.append(f.all).ok());
    f.to.end_here();
    CHECK(f.to.is_whole());
    const std::string sha = d::hash::of(f.all);
    REQUIRE(f.to.seal({sniff::kind::binary, sha}).ok());
    CHECK(f.to.sha256() == sha);
    CHECK_FALSE(fs::exists(f.path));
    REQUIRE(f.to.publish().ok());
    CHECK(contents(f.path) == f.all);
    CHECK_FALSE(f.to.is_begun());
    CHECK(f.to.size() == 0);
    CHECK_FALSE(f.to.publish().ok());
  }

  TEST_CASE("the size that is asked for is held, and bytes beyond the end are cut") {
    one_file f(1000);
    REQUIRE(f.to.create(f.path, {}).ok());
    REQUIRE(f.to.append(f.all).ok());
    f.to.end_here();
    partial::demand want;
    want.size = 1001;
    CHECK(f.to.seal(want).code == errc::truncated);

    one_file g(2 * megabyte);
    support::write_file(g.at / ".m.ckpt.00000001aaaaaaaa.part", g.all + "and what came after it");
    support::write_file(g.at / ".m.ckpt.00000001aaaaaaaa.record",
        "elsewhere boot 1 2\nurl " + url + "\nvalidator " + tag + "\ntotal "
            + std::to_string(g.all.size()) + "\ntodo 100-200 \nsafe 100-200 \nreleased\n");
    REQUIRE(g.to.adopt(g.path, identity_of(g.all), {}).ok());
    auto part = g.to.take(1, ranges::endless);
    CHECK(part.begin() == 100);
    CHECK(part.end() == 200);
    REQUIRE(g.write(part, 200).ok());
    REQUIRE(g.to.is_whole());
    REQUIRE(g.to.seal({sniff::kind::binary, d::hash::of(g.all)}).ok());
    REQUIRE(g.to.publish().ok());
    CHECK(contents(g.path) == g.all);
  }

  TEST_CASE("release() keeps what a later call can continue, and nothing else") {
    struct row {
      const char* what;
      formats::identity as;
      std::size_t written;
      bool is_kept;
    };

    const std::string pin(64, 'a');
    const row rows[] = {
        {"with a validator", {"", url, tag, 2 * megabyte}, 300000, true},
        {"with a pin", {pin, url, "", 2 * megabyte}, 300000, true},
        {"of unknown length", {"", url, tag, 0}, 300000, true},
        {"what waits is written first", {"", url, tag, 0}, 5, true},
        {"without either", {"", url, "", 2 * megabyte}, 300000, false},
        {"nothing has come", {"", url, tag, 2 * megabyte}, 0, false},
    };
    for (const row& r : rows) {
      CAPTURE(r.what);
      one_file f(2 * megabyte);
      REQUIRE(f.to.create(f.path, {}).ok());
      (void)f.to.keep_as(r.as);
      auto part = f.to.take(1, ranges::endless);
      REQUIRE(f.write(part, r.written).ok());
      CHECK(f.to.release() == (r.is_kept ? r.written : 0));
      CHECK_FALSE(f.to.is_begun());
      CHECK_FALSE(part.is_held());
      if (!r.is_kept) {
        CHECK(names_in(f.at).empty());
        continue;
      }
      CHECK(names_in(f.at).size() == 2);
      CHECK(contents(f.part()) == f.all.substr(0, r.written));
      CHECK(formats::read_record(contents(f.record())).released);

      partial_file later;
      REQUIRE(later.adopt(f.path, r.as, {}).ok());
      REQUIRE(later.is_begun());
      CHECK(later.size() == r.written);
      CHECK(later.front() == r.written);
      CHECK(names_in(f.at).size() == 2);
      CHECK_FALSE(formats::read_record(contents(f.record())).released);
    }
  }

  TEST_CASE("a file with gaps is continued where they are, over several calls") {
    one_file f(6 * megabyte);
    f.begin();
    auto first = f.to.take(1, ranges::endless);
    auto second = f.to.take(2, 1);
    const std::uint64_t middle = second.begin();
    REQUIRE(f.write(first, 500000).ok());
    REQUIRE(f.write(second, middle + 400000).ok());
    CHECK(f.to.release() == 900000);
    CHECK_FALSE(first.is_held());

    partial_file next;
    REQUIRE(next.adopt(f.path, identity_of(f.all), {}).ok());
    CHECK(next.size() == 900000);
    CHECK(next.front() == 500000);
    auto gap = next.take(1, ranges::endless);
    CHECK(gap.begin() == 500000);
    CHECK(gap.end() == middle);
    REQUIRE(next.write(gap, part_of(f.all, gap.begin(), gap.end())).ok());
    CHECK(next.front() == middle + 400000);
    gap.give_back();
    CHECK(next.release() == middle + 400000);

    REQUIRE(f.to.adopt(f.path, identity_of(f.all), {}).ok());
    auto rest = f.to.take(1, ranges::endless);
    CHECK(rest.begin() == middle + 400000);
    REQUIRE(f.write(rest, f.all.size()).ok());
    REQUIRE(f.to.is_whole());
    REQUIRE(f.to.seal({sniff::kind::binary, d::hash::of(f.all)}).ok());
    REQUIRE(f.to.publish().ok());
    CHECK(contents(f.path) == f.all);
    CHECK(names_in(f.at) == std::vector<std::string>{"m.ckpt"});
  }

  TEST_CASE("a living call's file is not adopted") {
    one_file f(megabyte);
    f.begin();
    auto part = f.to.take(1, ranges::endless);
    REQUIRE(f.write(part, 300000).ok());
    partial_file other;
    REQUIRE(other.adopt(f.path, identity_of(f.all), {}).ok());
    CHECK_FALSE(other.is_begun());
    CHECK(names_in(f.at).size() == 2);
  }

  TEST_CASE("how the end of the file is known") {
    using partial::end_told_by;
    one_file f(1000);
    f.begin();
    CHECK(f.to.end_is_told_by() == end_told_by::length);
    f.to.tell_end_by(end_told_by::connection);
    REQUIRE(f.to.append(f.all).ok());
    f.to.end_here();
    REQUIRE(f.to.seal({}).ok());
    CHECK(f.to.end_is_told_by() == end_told_by::connection);  // nothing in it tells

    f.to.drop();
    CHECK(f.to.end_is_told_by() == end_told_by::length);
    const std::string empty_zip = std::string("PK\x03\x04", 4) + std::string(100, 'x')
        + std::string("PK\x05\x06", 4) + std::string(18, '\0');
    REQUIRE(f.to.create(f.path, {}).ok());
    f.to.tell_end_by(end_told_by::connection);
    REQUIRE(f.to.append(empty_zip).ok());
    f.to.end_here();
    const status s = f.to.seal({});
    CHECK_MESSAGE(s.ok(), s.text);
    CHECK(f.to.end_is_told_by() == end_told_by::content);

    f.to.drop();
    REQUIRE(f.to.create(f.path, {}).ok());
    f.to.tell_end_by(end_told_by::connection);
    f.to.learn_total(0);
    CHECK(f.to.end_is_told_by() == end_told_by::connection);
    f.to.learn_total(10);
    CHECK(f.to.end_is_told_by() == end_told_by::length);
    CHECK(f.to.take(1, ranges::endless).end() == 10);
  }

  TEST_CASE("a config is small and has no NUL bytes, but where a digest decides") {
    const std::string large = "a: 1\n" + std::string((16 << 20) + 1, ' ');
    one_file f(0);
    REQUIRE(f.to.create(f.path, {sniff::kind::text, partial::judged_by::look}).ok());
    CHECK(f.to.append(large).code == errc::not_the_file);
    REQUIRE(f.to.create(f.path, {sniff::kind::text, partial::judged_by::digest}).ok());
    CHECK(f.to.append(large).ok());

    const std::string odd = "a: 1\n" + std::string(70000, ' ') + std::string(1, '\0') + "b: 2\n";
    const std::string sha = d::hash::of(odd);
    for (const bool is_pinned : {false, true}) {
      REQUIRE(f.to.create(f.path, {sniff::kind::text, partial::judge_with(sha)}).ok());
      REQUIRE(f.to.append(odd).ok());
      f.to.end_here();
      const status s = f.to.seal({sniff::kind::text, is_pinned ? sha : std::string()});
      CHECK(s.ok() == is_pinned);
      if (!is_pinned) CHECK_MESSAGE(s.text.find("NUL") != std::string::npos, s.text);
    }
  }

  TEST_CASE("a file is private: new, no link, and readable as any other of its directory") {
    one_file f(10);
    const ::mode_t before = ::umask(022);
    f.begin();
    struct stat part{};
    REQUIRE(::stat(f.part().c_str(), &part) == 0);
    CHECK((part.st_mode & 0777) == 0644);
    (void)::umask(before);
    CHECK(first_name(f.at, "", ".part").substr(0, 8) == ".m.ckpt.");
  }

  TEST_CASE("small files are hashed as they are written, large ones behind, resumed ones again") {
    for (const std::size_t size : {std::size_t{1}, std::size_t{300000}, std::size_t{1048575},
             std::size_t{1048576}, std::size_t{3000000}}) {
      CAPTURE(size);
      one_file f(size);
      const std::string sha = d::hash::of(f.all);
      for (const auto when : {partial::hashing::behind, partial::hashing::as_given}) {
        REQUIRE(f.to.create(f.path, {}, when).ok());
        for (std::size_t at = 0; at < size; at += 100000)
          REQUIRE(f.to.append(std::string_view(f.all).substr(at, 100000)).ok());
        f.to.end_here();
        REQUIRE(f.to.seal({sniff::kind::binary, sha}).ok());
        REQUIRE(f.to.publish().ok());
        CHECK(contents(f.path) == f.all);
      }
    }
  }
}
