// What every tier promises (>>tier in the header), asked of a directory and of a tier that has
// neither paths nor renames. Then the same calls with each of the two as the lasting tier.
#include "tier/memory_tier.hpp"

#include "world.hpp"

#include <doctest/doctest.h>

namespace {

using namespace world;
namespace detail = vqcache::detail;
namespace plan = vqcache::detail::plan;
namespace seam = vqcache::detail::tier;
namespace partial = vqcache::detail::partial;
namespace formats = vqcache::detail::formats;
namespace sniff = vqcache::detail::sniff;
using detail::status;
using seam::stored_file;
using vqcache::errc;
using presence = stored_file::presence;

const std::vector<std::string> names{"m.one", "m.two", "m.three"};

std::string sha_of(const std::string& bytes) {
  return detail::hash::of(bytes);
}

formats::entry entry_of(const std::string& name, const std::string& bytes) {
  formats::entry e;
  e.file = name;
  e.sha256 = sha_of(bytes);
  e.size = bytes.size();
  return e;
}

// A place where tiers can be opened again and again, as calls do.
class shop {
 public:
  virtual ~shop() = default;
  virtual detail::box<seam::tier> open() = 0;
  virtual void damage(const std::string& name, const std::string& bytes) = 0;  // not by a tier
};

class directory_shop final : public shop {
 public:
  explicit directory_shop(bool is_own_folder) : is_own_folder_(is_own_folder) {}

  detail::box<seam::tier> open() override {
    const auto how = is_own_folder_ ? detail::os::mode::read : detail::os::mode::link;
    return detail::box<seam::directory_tier>(new seam::directory_tier(
        seam::directory_tier::where{root_.at / "m", is_own_folder_, how, true}, "m", names,
        seam::layout::flat));
  }

  void damage(const std::string& name, const std::string& bytes) override {
    write(root_.at / "m" / name, bytes);
  }

 private:
  folder root_{};
  bool is_own_folder_;
};

class memory_shop final : public shop {
 public:
  explicit memory_shop(bool keeps) { in_.keeps_damaged = keeps; }

  detail::box<seam::tier> open() override {
    return detail::box<in_memory::memory_tier>(new in_memory::memory_tier(in_, names));
  }

  void damage(const std::string& name, const std::string& bytes) override {
    in_.files[name] = bytes;
  }

 private:
  in_memory::storage in_{};
};

struct kind_of_tier {
  const char* title;
  std::unique_ptr<shop> (*make)();
};

const kind_of_tier kinds[] = {
    {"a directory that several sets share",
        [] {
          return std::unique_ptr<shop>(new directory_shop(false));
        }},
    {"a directory of one set",
        [] {
          return std::unique_ptr<shop>(new directory_shop(true));
        }},
    {"a memory",
        [] {
          return std::unique_ptr<shop>(new memory_shop(true));
        }},
    {"a memory that keeps nothing damaged",
        [] {
          return std::unique_ptr<shop>(new memory_shop(false));
        }},
};

// The case with an empty place of each kind, one after the other.
void on_every_kind(const std::function<void(shop&)>& act) {
  for (const kind_of_tier& kind : kinds) {
    INFO(kind.title);
    const std::unique_ptr<shop> in = kind.make();
    act(*in);
  }
}

// What a call is to the steps of a tier: who is told, and may stop.
struct listener {
  vqcache::options opts{};
  std::vector<std::string> said{};
  detail::caller who{opts, "m"};

  listener() {
    opts.on_message = [this](const std::string& line) {
      said.push_back(line);
    };
  }
};

const partial::demand anything{};

partial::demand held_to(const std::string& bytes) {
  partial::demand want;
  want.sha256 = sha_of(bytes);
  return want;
}

// An open, sealed sink with these bytes, given in two pieces.
detail::box<seam::byte_sink> sealed(
    seam::tier& in, const std::string& name, const std::string& bytes) {
  seam::begun begun = in.write({name, sniff::kind::binary, {}, true});
  REQUIRE_MESSAGE(begun.problem.ok(), begun.problem.text);
  const std::string_view all = bytes;
  CHECK(begun.sink->write(all.substr(0, all.size() / 2)).ok());
  CHECK(begun.sink->write(all.substr(all.size() / 2)).ok());
  const status s = begun.sink->seal(held_to(bytes), nullptr);
  CHECK_MESSAGE(s.ok(), s.text);
  return std::move(begun.sink);
}

void store(shop& in, const std::vector<std::pair<std::string, std::string>>& files) {
  const auto to = in.open();
  REQUIRE(to->make_ready().ok());
  (void)to->inspect();
  std::vector<detail::box<seam::byte_sink>> open;
  seam::sinks sinks;
  formats::receipt now;
  for (const auto& [name, bytes] : files) {
    open.push_back(sealed(*to, name, bytes));
    sinks.push_back(open.back().get());
    now.push_back(entry_of(name, bytes));
  }
  const status s = to->commit(sinks, now);
  REQUIRE_MESSAGE(s.ok(), s.text);
}

std::string bytes_in(seam::tier& in, const std::string& name) {
  const seam::opened file = in.read(name);
  if (!file.problem.ok()) return "cannot be read: " + file.problem.text;
  std::string all;
  for (bool is_at_end = false; !is_at_end;) {
    const seam::block next = file.source->read_at(all.size(), 3000);
    CHECK(next.problem.ok());
    all += next.bytes;
    is_at_end = next.bytes.empty();
  }
  return all;
}

stored_file file_in(seam::tier& in, std::size_t which = 0) {
  return in.inspect().files[which];
}

// A sink whose tier cannot give it its name: the moment at which a call dies.
class dying_sink final : public seam::byte_sink {
 public:
  status write(std::string_view) override { return {}; }

  status seal(const partial::demand&, detail::caller*) override { return {}; }

  status publish() override { return detail::fail(errc::io, {"died"}); }

  bool is_open() const override { return true; }

  const std::string& sha256() const override { return none_; }

  std::uint64_t size() const override { return 0; }

 private:
  std::string none_{};
};

const std::string first = checkpoint(70000, 1), second = checkpoint(5000, 2),
                  third = checkpoint(100, 3);

}  // namespace

TEST_SUITE("tier") {
  TEST_CASE("an empty tier holds nothing, and says so") {
    on_every_kind([](shop& in) {
      const auto t = in.open();
      const seam::inventory all = t->inspect();
      CHECK(all.receipt_problem.ok());
      CHECK(all.taken.ok());
      CHECK_FALSE(all.has_receipt);
      REQUIRE(all.files.size() == names.size());
      for (std::size_t i = 0; i < names.size(); ++i) {
        CHECK(all.files[i].name == names[i]);
        CHECK(all.files[i].is == presence::absent);
        CHECK_FALSE(all.files[i].has_receipt());
      }
      CHECK_FALSE(t->has_leftovers());
      CHECK(t->bytes_under_way() == 0);
      CHECK_FALSE(t->read(names[0]).problem.ok());
      CHECK(t->remove().ok());
      CHECK_FALSE(t->description().empty());
      CHECK(t->description_of(names[0]).find(names[0]) != std::string::npos);
    });
  }

  TEST_CASE("what is committed stands whole, for every later call") {
    on_every_kind([](shop& in) {
      store(in, {{names[0], first}, {names[1], second}});
      const auto t = in.open();
      const seam::inventory all = t->inspect();
      CHECK(all.has_receipt);
      CHECK(all.files[0].is == presence::regular);
      CHECK(all.files[0].size == first.size());
      CHECK(all.files[0].is_said_to_be(sha_of(first)));
      CHECK(all.files[0].fits_receipt());
      CHECK(all.files[1].is_vouched_for());
      CHECK(all.files[2].is == presence::absent);
      CHECK(bytes_in(*t, names[0]) == first);
      CHECK(bytes_in(*t, names[1]) == second);
      CHECK_FALSE(t->has_leftovers());

      const seam::opened file = t->read(names[0]);
      REQUIRE(file.problem.ok());
      CHECK(file.source->read_at(1000, 10).bytes == first.substr(1000, 10));
      CHECK(file.source->read_at(first.size() - 3, 10).bytes == first.substr(first.size() - 3));
      CHECK(file.source->read_at(first.size() + 5, 10).bytes.empty());
    });
  }

  TEST_CASE("until it is committed nothing stands under a name, and what is dropped is gone") {
    on_every_kind([](shop& in) {
      const auto t = in.open();
      REQUIRE(t->make_ready().ok());
      {
        const auto sink = sealed(*t, names[0], first);
        CHECK(sink->is_open());
        CHECK(sink->size() == first.size());
        CHECK(sink->sha256() == sha_of(first));
        CHECK(file_in(*t).is == presence::absent);
        CHECK(t->has_leftovers());
      }
      CHECK(file_in(*t).is == presence::absent);
      CHECK_FALSE(t->has_leftovers());
    });
  }

  TEST_CASE("bytes that are not what they have to be are not sealed") {
    on_every_kind([](shop& in) {
      const auto t = in.open();
      REQUIRE(t->make_ready().ok());
      const seam::begun begun = t->write({names[0], sniff::kind::binary, first.size(), true});
      REQUIRE(begun.problem.ok());
      REQUIRE(begun.sink->write(flipped(first, 99)).ok());
      const status s = begun.sink->seal(held_to(first), nullptr);
      CHECK(s.code == errc::hash_mismatch);
      CHECK(s.text.find(sha_of(first)) != std::string::npos);
      CHECK(begun.sink->sha256() == sha_of(flipped(first, 99)));
    });
  }

  TEST_CASE("a size need not be known before the end, and a digest need not be known at all") {
    on_every_kind([](shop& in) {
      const auto t = in.open();
      REQUIRE(t->make_ready().ok());
      const seam::begun begun = t->write({names[0], sniff::kind::binary, {}, false});
      REQUIRE(begun.problem.ok());
      for (std::size_t at = 0; at < first.size(); at += 7000)
        REQUIRE(begun.sink->write(std::string_view(first).substr(at, 7000)).ok());
      const status s = begun.sink->seal(anything, nullptr);
      CHECK_MESSAGE(s.ok(), s.text);
      CHECK(begun.sink->sha256() == sha_of(first));
      formats::entry e = entry_of(names[0], first);
      e.size = 0;
      e.unverified = true;
      REQUIRE(t->commit({begun.sink.get()}, {e}).ok());
      CHECK_FALSE(begun.sink->is_open());
      const stored_file now = file_in(*t);
      CHECK(now.size == first.size());
      CHECK(now.said.size == 0);
      CHECK(now.fits_receipt());
      CHECK(now.has_receipt());
      CHECK_FALSE(now.is_vouched_for());
    });
  }

  TEST_CASE("a second commit replaces what it brings, and leaves the rest") {
    on_every_kind([](shop& in) {
      store(in, {{names[0], first}, {names[1], second}});
      const auto t = in.open();
      (void)t->inspect();
      const auto sink = sealed(*t, names[1], third);
      const formats::receipt now{entry_of(names[0], first), entry_of(names[1], third)};
      REQUIRE(t->commit({sink.get()}, now).ok());
      CHECK(bytes_in(*t, names[0]) == first);
      CHECK(bytes_in(*t, names[1]) == third);
      CHECK(file_in(*t, 0).is_said_to_be(sha_of(first)));
      CHECK(file_in(*t, 1).is_said_to_be(sha_of(third)));
    });
  }

  TEST_CASE("two calls that bring the same file do not mix: one of them stands, whole") {
    on_every_kind([](shop& in) {
      const auto one = in.open(), two = in.open();
      REQUIRE(one->make_ready().ok());
      (void)one->inspect();
      (void)two->inspect();
      const auto ours = sealed(*one, names[0], first), theirs = sealed(*two, names[0], second);
      REQUIRE(one->commit({ours.get()}, {entry_of(names[0], first)}).ok());
      REQUIRE(two->commit({theirs.get()}, {entry_of(names[0], second)}).ok());
      CHECK(bytes_in(*one, names[0]) == second);
      CHECK(file_in(*one).is_said_to_be(sha_of(second)));
    });
  }

  TEST_CASE("a call that dies while it commits leaves no receipt that lies") {
    on_every_kind([](shop& in) {
      store(in, {{names[0], first}, {names[1], second}});
      const auto t = in.open();
      (void)t->inspect();
      const auto sink = sealed(*t, names[0], third);
      dying_sink dies;
      const formats::receipt now{entry_of(names[0], third), entry_of(names[1], first)};
      CHECK(t->commit({sink.get(), &dies}, now).text == "died");

      const seam::inventory left = in.open()->inspect();
      CHECK_FALSE(left.has_receipt);
      CHECK(bytes_in(*t, names[0]) == third);
      CHECK(bytes_in(*t, names[1]) == second);
    });
  }

  TEST_CASE("a receipt that goes on being true stays where a commit fails") {
    on_every_kind([](shop& in) {
      store(in, {{names[0], first}});
      const auto t = in.open();
      (void)t->inspect();
      dying_sink dies;
      const formats::receipt now{entry_of(names[0], first), entry_of(names[1], second)};
      CHECK_FALSE(t->commit({&dies}, now).ok());
      CHECK(file_in(*t).is_said_to_be(sha_of(first)));
    });
  }

  TEST_CASE("a receipt comes to files that stand already") {
    on_every_kind([](shop& in) {
      store(in, {{names[0], first}});
      in.damage(names[1], second);
      const auto t = in.open();
      CHECK_FALSE(file_in(*t, 1).has_receipt());
      CHECK(t->renew_receipt({entry_of(names[0], first), entry_of(names[1], second)}).ok());
      CHECK(file_in(*t, 0).is_said_to_be(sha_of(first)));
      CHECK(file_in(*t, 1).is_said_to_be(sha_of(second)));
      CHECK(bytes_in(*t, names[1]) == second);
    });
  }

  TEST_CASE("only a file without a receipt is judged by its look") {
    on_every_kind([](shop& in) {
      store(in, {{names[1], third}});
      in.damage(names[0], "<!DOCTYPE html><html><body>no such model</body></html>");
      const auto t = in.open();
      const seam::inventory all = t->inspect();
      CHECK(t->judge(all.files[0], sniff::kind::binary).code == errc::not_the_file);
      CHECK(t->judge(all.files[1], sniff::kind::binary).ok());
      CHECK(t->judge(all.files[2], sniff::kind::binary).ok());
      in.damage(names[1], "<!DOCTYPE html><html></html>");
      CHECK(t->judge(file_in(*t, 1), sniff::kind::binary).ok());
      CHECK_FALSE(file_in(*t, 1).fits_receipt());
    });
  }

  TEST_CASE("what is set aside loses its name; where it is kept it can have it again") {
    on_every_kind([](shop& in) {
      store(in, {{names[0], first}});
      const auto t = in.open();
      listener l;
      const seam::put_aside moved = t->set_aside(file_in(*t), "a test says so", {}, l.who);
      CHECK(moved.problem.ok());
      REQUIRE(l.said.size() == 1);
      CHECK(l.said[0].find("a test says so") != std::string::npos);
      CHECK(file_in(*t).is == presence::absent);
      CHECK(moved.name.empty() == !t->can().keeps_damaged);
      CHECK(t->has_leftovers() == t->can().keeps_damaged);
      if (!t->can().keeps_damaged) return;

      const stored_file gone = file_in(*t);
      CHECK(t->find_aside(gone, sha_of(second), "", l.who).empty());
      CHECK(t->find_aside(gone, sha_of(first), moved.name, l.who).empty());
      CHECK(t->find_aside(gone, sha_of(first), "", l.who) == moved.name);
      CHECK(t->give_back(gone, moved.name, l.who));
      CHECK(bytes_in(*t, names[0]) == first);
      CHECK_FALSE(t->has_leftovers());
    });
  }

  TEST_CASE("of what was set aside earlier the known digests stay, and nothing takes a place") {
    on_every_kind([](shop& in) {
      const auto t = in.open();
      REQUIRE(t->make_ready().ok());
      if (!t->can().keeps_damaged) return;
      listener l;
      const std::vector<std::string> known{sha_of(second)};
      for (const std::string& bytes : {first, second, third}) {
        in.damage(names[0], bytes);
        CHECK(t->set_aside(file_in(*t), "damaged", known, l.who).problem.ok());
      }
      const stored_file gone = file_in(*t);
      CHECK(t->find_aside(gone, sha_of(first), "", l.who).empty());
      const std::string kept = t->find_aside(gone, sha_of(second), "", l.who);
      CHECK_FALSE(kept.empty());
      CHECK_FALSE(t->find_aside(gone, sha_of(third), "", l.who).empty());
      in.damage(names[0], first);
      CHECK_FALSE(t->give_back(file_in(*t), kept, l.who));
      CHECK(bytes_in(*t, names[0]) == first);
    });
  }

  TEST_CASE("remove leaves nothing of the set") {
    on_every_kind([](shop& in) {
      store(in, {{names[0], first}, {names[1], second}, {names[2], third}});
      const auto t = in.open();
      listener l;
      (void)t->set_aside(file_in(*t), "damaged", {}, l.who);
      CHECK(t->remove().ok());
      const seam::inventory all = in.open()->inspect();
      CHECK_FALSE(all.has_receipt);
      for (const stored_file& file : all.files)
        CHECK(file.is == presence::absent);
      CHECK_FALSE(t->has_leftovers());
      CHECK(t->remove().ok());
    });
  }

  TEST_CASE("nothing that lives is swept") {
    on_every_kind([](shop& in) {
      store(in, {{names[0], first}});
      const auto t = in.open();
      listener l;
      const auto sink = sealed(*t, names[1], second);
      for (const auto which : {seam::tier::leftovers::useless, seam::tier::leftovers::all})
        t->sweep(l.who, which);
      CHECK(l.said.empty());
      (void)t->inspect();
      REQUIRE(
          t->commit({sink.get()}, {entry_of(names[0], first), entry_of(names[1], second)}).ok());
      CHECK(bytes_in(*t, names[0]) == first);
      CHECK(bytes_in(*t, names[1]) == second);
    });
  }

  TEST_CASE("room and permission are told before bytes come") {
    on_every_kind([](shop& in) {
      const auto t = in.open();
      CHECK(t->may_stand().ok());
      CHECK(t->may_write().ok());
      REQUIRE(t->make_ready().ok());
      CHECK(t->can().is_writable);
      CHECK(t->room_for(1).ok());
      CHECK(t->room_for(std::uint64_t{1} << 62).code == errc::no_space);
    });
  }

  TEST_CASE("a file goes from any tier to any other, held to what it has to be") {
    for (const kind_of_tier& from : kinds)
      for (const kind_of_tier& to : kinds) {
        INFO(from.title, " to ", to.title);
        const auto source = from.make(), target = to.make();
        store(*source, {{names[0], first}});
        const auto a = source->open(), b = target->open();
        REQUIRE(b->make_ready().ok());
        listener l;
        const seam::digest_of_file read = seam::digest_of(*a, file_in(*a), l.who);
        CHECK(read.problem.ok());
        CHECK(read.sha256 == sha_of(first));

        const auto copy = [&](const partial::demand& want) {
          const seam::begun begun = b->write({names[0], sniff::kind::binary, first.size(), true});
          REQUIRE(begun.problem.ok());
          const seam::copied done = seam::copy_and_seal(
              *a, file_in(*a), *begun.sink, l.who, vqcache::phase::storing, want);
          if (done.problem.ok()) CHECK(b->commit({begun.sink.get()}, {}).ok());
          return done;
        };
        CHECK(copy(held_to(second)).problem.code == errc::hash_mismatch);
        CHECK(file_in(*b).is == presence::absent);
        CHECK(copy(held_to(first)).problem.ok());
        CHECK(bytes_in(*b, names[0]) == first);

        CHECK(a->remove().ok());
        const seam::copied gone = copy(held_to(first));
        CHECK_FALSE(gone.problem.ok());
        CHECK(gone.is_of_source);
      }
  }
}
