// What every tier promises (>>tier in the header), asked of a directory and of a tier that has
// neither paths nor renames.
#include "tier/contract.hpp"

#include "tier/memory_tier.hpp"

#include "world.hpp"

#include <doctest/doctest.h>

#include <exception>

const vqcache::detail::list<std::string> contract::names{"m.one", "m.two", "m.three"};

namespace {

using contract::kind_of_tier;
using contract::names;
using contract::shop;

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
    (name == "m.sha256" ? in_.receipt : in_.files[name]) = bytes;
  }

 private:
  in_memory::storage in_{};
};

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
  const status is_ready = to->make_ready();
  REQUIRE_MESSAGE(is_ready.ok(), is_ready.text);
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

// an empty tier holds nothing, and says so
void holds_nothing(shop& in) {
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
}

// what is committed stands whole, for every later call
void stands_whole(shop& in) {
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
}

// until it is committed nothing stands under a name, and what is dropped is gone
void nothing_before_the_commit(shop& in) {
  const auto t = in.open();
  REQUIRE(t->make_ready().ok());
  {
    const auto sink = sealed(*t, names[0], first);
    CHECK(sink->is_open());
    CHECK(sink->size() == first.size());
    CHECK(sink->sha256() == sha_of(first));
    CHECK(file_in(*t).is == presence::absent);
    CHECK(t->has_leftovers() == in.can().shows_unfinished);
  }
  CHECK(file_in(*t).is == presence::absent);
  CHECK_FALSE(t->has_leftovers());
}

// bytes that are not what they have to be are not sealed
void seals_only_what_is_right(shop& in) {
  const auto t = in.open();
  REQUIRE(t->make_ready().ok());
  const seam::begun begun = t->write({names[0], sniff::kind::binary, first.size(), true});
  REQUIRE(begun.problem.ok());
  REQUIRE(begun.sink->write(flipped(first, 99)).ok());
  const status s = begun.sink->seal(held_to(first), nullptr);
  CHECK(s.code == errc::hash_mismatch);
  CHECK(s.text.find(sha_of(first)) != std::string::npos);
  CHECK(begun.sink->sha256() == sha_of(flipped(first, 99)));
}

// a size need not be known before the end, and a digest need not be known at all
void needs_no_size_and_no_digest(shop& in) {
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
}

// a second commit replaces what it brings, and leaves the rest
void replaces_what_it_brings(shop& in) {
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
}

// two calls that bring the same file do not mix: one of them stands, whole
void does_not_mix(shop& in) {
  const auto one = in.open(), two = in.open();
  REQUIRE(one->make_ready().ok());
  (void)one->inspect();
  (void)two->inspect();
  const auto ours = sealed(*one, names[0], first), theirs = sealed(*two, names[0], second);
  REQUIRE(one->commit({ours.get()}, {entry_of(names[0], first)}).ok());
  const bool is_taken = two->commit({theirs.get()}, {entry_of(names[0], second)}).ok();
  if (in.can().last_commit_wins) CHECK(is_taken);

  const std::string& stands = is_taken ? second : first;
  CHECK(bytes_in(*one, names[0]) == stands);
  CHECK(file_in(*one).is_said_to_be(sha_of(stands)));
}

// a call that dies while it commits leaves no receipt that lies
void dies_without_a_lie(shop& in) {
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
}

// a receipt that goes on being true stays where a commit fails
void keeps_a_true_receipt(shop& in) {
  store(in, {{names[0], first}});
  const auto t = in.open();
  (void)t->inspect();
  dying_sink dies;
  const formats::receipt now{entry_of(names[0], first), entry_of(names[1], second)};
  CHECK_FALSE(t->commit({&dies}, now).ok());
  CHECK(file_in(*t).is_said_to_be(sha_of(first)));
}

// a receipt comes to files that stand already
void takes_a_receipt(shop& in) {
  store(in, {{names[0], first}});
  in.damage(names[1], second);
  const auto t = in.open();
  CHECK_FALSE(file_in(*t, 1).has_receipt());
  CHECK(t->renew_receipt({entry_of(names[0], first), entry_of(names[1], second)}).ok());
  CHECK(file_in(*t, 0).is_said_to_be(sha_of(first)));
  CHECK(file_in(*t, 1).is_said_to_be(sha_of(second)));
  CHECK(bytes_in(*t, names[1]) == second);
}

// what is no receipt is as if there were none, and a commit replaces it
void replaces_what_is_no_receipt(shop& in) {
  for (const char* page : {"<!DOCTYPE html><html><body>please sign in</body></html>", "\n"}) {
    in.damage("m.sha256", page);
    const auto t = in.open();
    const seam::inventory all = t->inspect();
    CHECK(all.receipt_problem.ok());
    CHECK(all.taken.ok());
    CHECK_FALSE(all.files[0].has_receipt());

    store(in, {{names[0], first}});
    CHECK(file_in(*in.open()).is_said_to_be(sha_of(first)));
  }
}

// only a file without a receipt is judged by its look
void judges_without_a_receipt(shop& in) {
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
}

// what is set aside loses its name; where it is kept it can have it again
void sets_aside(shop& in) {
  store(in, {{names[0], first}});
  const auto t = in.open();
  listener l;
  const seam::put_aside moved = t->set_aside(file_in(*t), "a test says so", {}, l.who);
  CHECK(moved.problem.ok());
  REQUIRE(l.said.size() == 1);
  CHECK(l.said[0].find("a test says so") != std::string::npos);
  if (t->can().is_remote) {  // other machines may read it well: it stands until it is replaced
    CHECK(moved.name.empty());
    CHECK(bytes_in(*t, names[0]) == first);
    CHECK_FALSE(t->has_leftovers());
    return;
  }

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
}

// of what was set aside earlier the known digests stay, and nothing takes a place
void keeps_known_digests(shop& in) {
  const auto t = in.open();
  REQUIRE(t->make_ready().ok());
  if (!t->can().keeps_damaged) return;
  listener l;
  const vqcache::detail::list<std::string> known{sha_of(second)};
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
}

// remove leaves nothing of the set
void removes_all(shop& in) {
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
}

// nothing that lives is swept
void sweeps_nothing_that_lives(shop& in) {
  store(in, {{names[0], first}});
  const auto t = in.open();
  listener l;
  const auto sink = sealed(*t, names[1], second);
  for (const auto which : {seam::tier::leftovers::useless, seam::tier::leftovers::all})
    t->sweep(l.who, which);
  CHECK(l.said.empty());
  (void)t->inspect();
  REQUIRE(t->commit({sink.get()}, {entry_of(names[0], first), entry_of(names[1], second)}).ok());
  CHECK(bytes_in(*t, names[0]) == first);
  CHECK(bytes_in(*t, names[1]) == second);
}

// room and permission are told before bytes come
void tells_room_and_permission(shop& in) {
  const auto t = in.open();
  CHECK(t->may_stand().ok());
  CHECK(t->may_write().ok());
  REQUIRE(t->make_ready().ok());
  CHECK(t->can().is_writable);
  CHECK(t->room_for(1).ok());
  const status too_much = t->room_for(std::uint64_t{1} << 62);
  CHECK((too_much.code == errc::no_space || (too_much.ok() && !in.can().tells_room)));
}

// a lease is made by one, also where nothing stands yet, and goes without a trace
void makes_a_lease_once(shop& in) {
  namespace lease = vqcache::detail::lease;
  const auto t = in.open(), other = in.open();
  const auto ours = t->board(), theirs = other->board();
  if (!ours) return;

  const auto text = [](char owner, std::uint64_t write) {
    return lease::write_note({std::string(32, owner), write, 0, 0, 60, false});
  };
  CHECK_FALSE(ours->look(1).is_there);
  const lease::creation made = ours->create(1, text('a', 1));
  if (!in.can().keeps_conditions && made.what == lease::outcome::no_conditions) return;
  REQUIRE_MESSAGE(made.what == lease::outcome::created, made.why.text);
  CHECK(theirs->look(1).text == text('a', 1));

  if (in.can().keeps_conditions)
    CHECK(theirs->create(1, text('b', 1)).what == lease::outcome::exists);
  CHECK(theirs->create(2, text('b', 2)).what == lease::outcome::created);
  CHECK(ours->renew(1, text('a', 2)).ok());
  CHECK(theirs->look(1).text == text('a', 2));
  CHECK(file_in(*t).is == presence::absent);

  for (const std::uint64_t number : {2u, 1u})
    ours->remove(number);
  CHECK_FALSE(theirs->look(1).is_there);
  CHECK_FALSE(theirs->look(2).is_there);
}

struct promise {
  const char* title;
  void (*ask)(shop&);
};

const promise promises[] = {
    {"an empty tier holds nothing, and says so", holds_nothing},
    {"what is committed stands whole, for every later call", stands_whole},
    {"until it is committed nothing stands under a name, and what is dropped is gone",
        nothing_before_the_commit},
    {"bytes that are not what they have to be are not sealed", seals_only_what_is_right},
    {"a size need not be known before the end, and a digest need not be known at all",
        needs_no_size_and_no_digest},
    {"a second commit replaces what it brings, and leaves the rest", replaces_what_it_brings},
    {"two calls that bring the same file do not mix: one of them stands, whole", does_not_mix},
    {"a call that dies while it commits leaves no receipt that lies", dies_without_a_lie},
    {"a receipt that goes on being true stays where a commit fails", keeps_a_true_receipt},
    {"a receipt comes to files that stand already", takes_a_receipt},
    {"what is no receipt is as if there were none, and a commit replaces it",
        replaces_what_is_no_receipt},
    {"only a file without a receipt is judged by its look", judges_without_a_receipt},
    {"what is set aside loses its name; where it is kept it can have it again", sets_aside},
    {"of what was set aside earlier the known digests stay, and nothing takes a place",
        keeps_known_digests},
    {"remove leaves nothing of the set", removes_all},
    {"nothing that lives is swept", sweeps_nothing_that_lives},
    {"a lease is made by one, also where nothing stands yet, and goes without a trace",
        makes_a_lease_once},
    {"room and permission are told before bytes come", tells_room_and_permission},
};

}  // namespace

void contract::ask_promises(const kind_of_tier& kind) {
  std::exception_ptr failed{};  // doctest comes back for subcases that it has seen alone
  for (const promise& one : promises) {
    SUBCASE(one.title) {
      INFO(kind.title);
      try {
        const std::unique_ptr<shop> in = kind.make();
        one.ask(*in);
        CHECK(in->litter() == "");
      } catch (...) {
        failed = std::current_exception();
      }
    }
  }
  if (failed) std::rethrow_exception(failed);
}

void contract::copy_between(const kind_of_tier& from, const kind_of_tier& to) {
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
    const seam::copied done =
        seam::copy_and_seal(*a, file_in(*a), *begun.sink, l.who, vqcache::phase::storing, want);
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

void contract::copy_large(const kind_of_tier& to) {
  INFO(to.title);
  std::string bytes(std::size_t{110} * 1000 * 1000, '\0');
  for (std::size_t at = 0; at + 8 < bytes.size(); at += 4096)
    std::memcpy(&bytes[at], &at, sizeof at);
  const auto here = kinds_at_hand()[1].make(), there = to.make(), back = kinds_at_hand()[1].make();
  store(*here, {{names[0], bytes}});
  const auto a = here->open(), b = there->open(), c = back->open();
  REQUIRE(b->make_ready().ok());
  REQUIRE(c->make_ready().ok());
  listener l;

  const auto copy = [&](seam::tier& from, seam::tier& into, const partial::demand& want) {
    const seam::begun begun = into.write({names[0], sniff::kind::binary, bytes.size(), true});
    REQUIRE(begun.problem.ok());
    status s =
        seam::copy_and_seal(from, file_in(from), *begun.sink, l.who, vqcache::phase::storing, want)
            .problem;
    if (s.ok()) s = into.commit({begun.sink.get()}, {entry_of(names[0], bytes)});
    return s;
  };
  CHECK(copy(*a, *b, held_to(second)).code == errc::hash_mismatch);
  CHECK(file_in(*b).is == presence::absent);
  CHECK(there->litter() == "");

  const status stored = copy(*a, *b, held_to(bytes));
  REQUIRE_MESSAGE(stored.ok(), stored.text);
  CHECK(file_in(*there->open()).size == bytes.size());
  const status restored = copy(*b, *c, held_to(bytes));
  CHECK_MESSAGE(restored.ok(), restored.text);
  CHECK(there->litter() == "");
  CHECK(b->remove().ok());
}

const std::vector<kind_of_tier>& contract::kinds_at_hand() {
  using made = std::unique_ptr<shop>;
  static const std::vector<kind_of_tier> all{
      {"a directory that several sets share",
          [] {
            return made(new directory_shop(false));
          }},
      {"a directory of one set",
          [] {
            return made(new directory_shop(true));
          }},
      {"a memory",
          [] {
            return made(new memory_shop(true));
          }},
      {"a memory that keeps nothing damaged",
          [] {
            return made(new memory_shop(false));
          }},
  };
  return all;
}

TEST_SUITE("tier") {
  TEST_CASE("a directory that several sets share keeps what every tier promises") {
    contract::ask_promises(contract::kinds_at_hand()[0]);
  }

  TEST_CASE("a directory of one set keeps what every tier promises") {
    contract::ask_promises(contract::kinds_at_hand()[1]);
  }

  TEST_CASE("a memory keeps what every tier promises") {
    contract::ask_promises(contract::kinds_at_hand()[2]);
  }

  TEST_CASE("a memory that keeps nothing damaged keeps what every tier promises") {
    contract::ask_promises(contract::kinds_at_hand()[3]);
  }

  TEST_CASE("a file goes from any tier to any other, held to what it has to be") {
    for (const kind_of_tier& from : contract::kinds_at_hand())
      for (const kind_of_tier& to : contract::kinds_at_hand())
        contract::copy_between(from, to);
  }
}
