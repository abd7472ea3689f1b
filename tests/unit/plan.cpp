// What a call does with each file, as a table: the request and what the tiers hold, and the plan.
// A pure function of vqcache::detail: no disk, server or thread is needed.
#include "vqcache.hpp"

#include <doctest/doctest.h>

#include <iterator>
#include <string>
#include <vector>

namespace {

namespace plan = vqcache::detail::plan;
namespace formats = vqcache::detail::formats;
namespace sniff = vqcache::detail::sniff;
namespace tier = vqcache::detail::tier;
using plan::authority;
using plan::copy_step;
using plan::local_step;
using plan::obstacle;
using presence = tier::stored_file::presence;
using vqcache::errc;

const std::string right(64, 'a'), other(64, 'b');
constexpr std::uint64_t size_of_right = 1000;

vqcache::detail::status failure(errc code, const char* what) {
  return {code, what, {}, {}};
}

// One file of one tier:
//   R whole, its receipt says so       n whole, no receipt           S another size than its receipt's
//   O another model, its receipt fits  N another size, no receipt    U whole, its receipt: unverified
//   P a page by its look, no receipt   C cut receipt: another size, no digest
//   E cannot be judged by its look     Z whole, its receipt tells no size
//   D a directory                      - absent                      x absent, but in the receipt
//   Q another model's receipt, which does not fit
//   ? it cannot be told
tier::stored_file file_of(char state, const std::string& name) {
  tier::stored_file f;
  f.name = name;
  f.is = presence::regular;
  f.size = size_of_right;
  f.said.file = name;
  const bool has_receipt = std::string("RSOQUZx").find(state) != std::string::npos;
  if (has_receipt) f.said.sha256 = state == 'O' || state == 'Q' ? other : right;
  if (has_receipt && state != 'Z') f.said.size = size_of_right;
  if (std::string("SNCQ").find(state) != std::string::npos) f.size = 500;
  if (state == 'O') f.size = f.said.size = 2000;
  if (state == 'C') f.said.size = size_of_right;
  if (state == 'U') f.said.unverified = true;
  if (state == 'P') f.look = failure(errc::not_the_file, "it is a page");
  if (state == 'E') f.look = failure(errc::io, "cannot read");
  if (state == 'D') f.is = presence::something_else;
  if (state == '-' || state == 'x') f.is = presence::absent;
  if (state == '?') f.is = presence::unknown;
  if (!f.is_regular()) f.size = 0;
  return f;
}

bool take(std::string& from, const std::string& word) {
  const std::size_t at = from.find(word);
  if (at == std::string::npos) return false;
  from.erase(at, word.size());
  return true;
}

// "RR", and before it: taken (by a name that differs in case), unread (its receipt cannot be)
tier::inventory inventory_of(std::string states) {
  tier::inventory all;
  if (take(states, "taken ")) all.taken = failure(errc::name_taken, "taken");
  if (take(states, "unread ")) all.receipt_problem = failure(errc::io, "cannot read the receipt");
  for (std::size_t i = 0; i < states.size(); ++i)
    all.files.push_back(file_of(states[i], std::string(1, static_cast<char>('a' + i))));
  for (const tier::stored_file& f : all.files)
    all.has_receipt = all.has_receipt || f.has_receipt();
  return all;
}

using tiers = std::vector<const char*>;

struct row {
  const char* title;
  const char* request;  // pin, wrong pin, offline, no URL, local URL, sized, digest (a catalogue's)
  const char* local;
  tiers lasting;     // readonly: as inventory_of(), of a tier that is not written
  const char* want;  // as shown() below
};

plan::wanted_file wanted_of(const std::string& request, const std::string& name) {
  const auto has = [&request](const char* word) {
    return request.find(word) != std::string::npos;
  };
  plan::wanted_file w;
  w.name = name;
  if (!has("no URL")) w.from.urls = {has("local URL") ? "file:///x" : "https://x/y"};
  if (has("pin")) w.pin = has("wrong pin") ? other : right;
  if (has("pin") || has("digest")) w.from.sha256 = w.pin.empty() ? right : w.pin;
  if (has("sized")) w.from.size = size_of_right;
  return w;
}

plan::situation situation_of(const row& r) {
  plan::situation now;
  now.local = inventory_of(r.local);
  for (const tier::stored_file& f : now.local.files)
    now.wanted.push_back(wanted_of(r.request, f.name));
  now.facts.resize(now.wanted.size());
  for (std::string states : r.lasting) {
    plan::lasting_tier one;
    one.can = {!take(states, "readonly "), true, true, true, true};
    one.has = inventory_of(states);
    now.lasting.push_back(one);
    for (plan::file_facts& known : now.facts)
      known.copies.push_back({});
  }
  now.is_offline = std::string(r.request).find("offline") != std::string::npos;
  return now;
}

std::string shown(const plan::hindrance& h, const char* what) {
  constexpr const char* names[] = {"none", "name_taken", "receipt_unreadable", "file_unknown",
      "not_a_file", "not_judged", "another_model", "not_writable", "offline", "no_source"};
  if (!h) return {};
  const std::string place = h.place == plan::in_local ? "local" : std::to_string(h.place);
  return std::string(" ") + what + ":" + names[static_cast<int>(h.is)] + "@" + place;
}

// K kept (u: nothing vouches for it), V verified (by whom), R restored (from which tiers, !: it
// can be told that this one cannot serve), D downloaded; ~: what stands is not used, and makes way.
std::string shown(const plan::file_plan& f) {
  constexpr const char* who[] = {"nobody", "pin", "local", "lasting"};
  std::string s;
  switch (f.local) {
    case local_step::keep: s = f.is_unvouched ? "Ku" : "K"; break;
    case local_step::verify:
      s = std::string("V(") + who[static_cast<int>(f.expected.by)] + ")";
      break;
    case local_step::restore: s = "R"; break;
    case local_step::download: s = "D"; break;
  }
  for (const plan::restorable& from : f.sources)
    s += std::to_string(from.place) + (from.is_unreadable ? "?" : from.fault.ok() ? "" : "!");
  return s + (f.local_wrong.empty() ? "" : "~");
}

// Then for each lasting tier: k kept, v verified, s stored, r repaired, - left alone; =: complete.
std::string shown(const plan::call_plan& p) {
  std::string s;
  for (const plan::file_plan& f : p.files)
    s += (s.empty() ? "" : " ") + shown(f);
  for (const plan::tier_plan& t : p.copies) {
    s += " | ";
    for (const plan::copy_plan& c : t.files)
      s += "kvsr-"[static_cast<int>(c.step)];
    s += (t.is_complete ? "=" : "") + shown(t.in_way, "way");
  }
  return s + shown(p.refused, "refused") + shown(p.blocked, "blocked")
      + shown(p.unreachable, "unreachable");
}

const row rows[] = {
    // hits
    {"both tiers hold it whole", "", "RR", {"RR"}, "K K | kk="},
    {"three files, all whole", "", "RRR", {"RRR"}, "K K K | kkk="},
    {"a pin that fits the receipts", "pin", "RR", {"RR"}, "K K | kk="},
    {"both without receipts, a notebook's", "", "nn", {"nn"}, "Ku Ku | kk="},
    {"local receipts, none in the cache", "", "RR", {"nn"}, "K K | vv"},
    {"no local receipt, one in the cache of that size", "", "nn", {"RR"},
        "V(lasting) V(lasting) | kk"},
    {"no local receipt, the cache's tells no size", "", "nn", {"ZZ"}, "Ku Ku | kk="},
    {"a local receipt that is unverified", "", "UU", {"UU"}, "Ku Ku | kk="},
    {"no lasting tier at all", "", "RR", {}, "K K"},
    // the cache lacks something
    {"nothing is in the cache", "", "RR", {"--"}, "K K | ss"},
    {"one file is missing there", "", "RR", {"R-"}, "K K | ks"},
    {"the third file is missing there", "", "RRR", {"RR-"}, "K K K | kks"},
    {"a copy has another size than its receipt", "", "RR", {"RS"}, "K K | kr"},
    {"a copy has another size, and no receipt", "", "RR", {"RN"}, "K K | kr"},
    {"a copy is a directory", "", "RR", {"RD"}, "K K | kr"},
    {"a copy that is a page, nobody vouches for either", "", "nn", {"nP"}, "Ku Ku | vv"},
    {"the cache holds another model", "", "RR", {"RO"}, "K K | -- way:another_model@0"},
    {"another model, and the local files have no receipt", "", "nn", {"RO"},
        "V(lasting) Ku | -- way:another_model@0"},
    {"another model there, but its receipt does not fit it", "", "RR", {"RQ"}, "K K | kr"},
    {"the cache is read-only and empty", "", "RR", {"readonly --"}, "K K | -- way:not_writable@0"},
    {"the cache is read-only and complete", "", "RR", {"readonly RR"}, "K K | kk="},
    {"the cache's receipt cannot be read", "", "RR", {"unread nn"},
        "K K | -- way:receipt_unreadable@0"},
    {"it cannot be told what stands in the cache", "", "RR", {"R?"}, "K K | ks"},
    {"the cache holds a name that differs in case", "", "RR", {"taken --"},
        "K K | -- way:name_taken@0"},
    // nothing local
    {"all is to be restored", "", "--", {"RR"}, "R0 R0 | kk"},
    {"three files to be restored", "", "---", {"RRR"}, "R0 R0 R0 | kkk"},
    {"restored without receipts", "", "--", {"nn"}, "R0 R0 | kk"},
    {"offline, and the cache serves", "offline", "--", {"RR"}, "R0 R0 | kk"},
    {"no URL, and the cache serves", "no URL", "--", {"RR"}, "R0 R0 | kk"},
    {"read-only, and the cache serves", "", "--", {"readonly RR"}, "R0 R0 | -- way:not_writable@0"},
    {"a lost receipt yields to the cache's", "", "xx", {"RR"}, "R0 R0 | kk"},
    {"only the cache's size tells that it is damaged", "", "--", {"RS"}, "R0 R0! | kr"},
    {"a copy is a page", "", "--", {"nP"}, "R0 R0! | kr"},
    {"the cache's receipt cannot be read", "", "--", {"unread nn"},
        "R0? R0? | -- way:receipt_unreadable@0"},
    {"the same with a pin", "pin", "--", {"unread nn"}, "R0 R0 | -- way:receipt_unreadable@0"},
    {"it cannot be told what stands in the cache", "", "--", {"R?"}, "R0 D | ks"},
    {"a copy is a directory", "", "--", {"RD"}, "R0 D0 | kr"},
    {"nothing anywhere", "", "--", {"--"}, "D D | ss"},
    {"nothing anywhere, offline", "offline", "--", {"--"}, "D D | ss unreachable:offline@local"},
    {"offline, but the source is a file", "offline local URL", "--", {"--"}, "D D | ss"},
    {"nothing anywhere, and no URL", "no URL", "--", {"--"},
        "D D | ss unreachable:no_source@local"},
    {"offline, and no URL", "offline no URL", "--", {"--"}, "D D | ss unreachable:no_source@local"},
    {"nothing anywhere, no lasting tier", "", "--", {}, "D D"},
    {"half is in the cache", "", "--", {"R-"}, "R0 D | ks"},
    {"half is in the cache, offline", "offline", "--", {"R-"},
        "R0 D | ks unreachable:offline@local"},
    {"a pin, and the cache's receipt fits it", "pin", "--", {"RR"}, "R0 R0 | kk"},
    {"a pin, and the cache holds another model", "pin", "--", {"OO"}, "R0 R0 | kk"},
    {"a name that differs in case, in the cache", "", "--", {"taken RR"},
        "R0 R0 | -- way:name_taken@0 refused:name_taken@0"},
    // one file of the local tier
    {"one is missing", "", "R-", {"RR"}, "K R0 | kk"},
    {"one is missing, the cache is empty", "", "R-", {"--"}, "K D | ss"},
    {"the second of three is missing", "", "R-R", {"RRR"}, "K R0 K | kkk"},
    {"another size than its receipt", "", "RS", {"RR"}, "K V(local) | kk"},
    {"another size, and no receipt; the cache has none", "", "nN", {"--"}, "Ku Ku | ss"},
    {"another size than the cache's", "", "nN", {"RR"}, "V(lasting) Ku | -- way:another_model@0"},
    {"a receipt that was cut", "", "RC", {"--"}, "K D~ | ss"},
    {"a page without a receipt", "", "nP", {"--"}, "Ku D~ | ss"},
    {"a page without a receipt, the cache vouches", "", "nP", {"nR"}, "Ku V(lasting) | vk"},
    {"it cannot be judged", "", "nE", {"--"}, "Ku D~ | ss blocked:not_judged@local"},
    {"a directory stands there", "", "RD", {"RR"}, "K R0 | kk blocked:not_a_file@local"},
    {"it cannot be told what stands there", "", "R?", {"RR"},
        "K R0 | kk blocked:file_unknown@local"},
    {"the local receipt cannot be read", "", "unread nn", {"RR"},
        "V(lasting) V(lasting) | kk blocked:receipt_unreadable@local"},
    {"a name that differs in case", "", "taken RR", {"RR"}, "K K | kk= refused:name_taken@local"},
    // pins
    {"a pin, and no receipts", "pin", "nn", {"--"}, "V(pin) V(pin) | ss"},
    {"a pin, and only the cache has receipts", "pin", "nn", {"RR"}, "V(pin) V(pin) | kk"},
    {"a pin that fits no receipt", "wrong pin", "RR", {"RR"}, "V(pin) V(pin) | kk"},
    {"a pin, and the local receipt is another model's", "pin", "RO", {"--"}, "K V(pin) | ss"},
    {"a pin, and an unverified receipt that fits", "pin", "UU", {"UU"}, "K K | kk="},
    {"a pin, and half is another model's in the cache", "pin", "R-", {"RO"}, "K R0 | kk"},
    {"a catalogue's digest binds no tier", "digest", "nn", {"nn"}, "Ku Ku | kk="},
    // a size or a digest that is not known yet
    {"the source tells a size", "sized", "--", {"--"}, "D D | ss"},
    {"neither tells a size", "", "--", {"ZZ"}, "R0 R0 | kk"},
    {"the local receipt tells no size", "", "ZZ", {"--"}, "K K | ss"},
    {"and the cache has files without a receipt", "", "ZZ", {"nn"}, "K K | vv"},
    // several lasting tiers
    {"the first one serves", "", "--", {"RR", "RR"}, "R01 R01 | kk | kk"},
    {"the first one lacks a file", "", "--", {"R-", "RR"}, "R01 R1 | ks | kk"},
    {"the first is damaged by its size", "", "--", {"RS", "RR"}, "R01 R0!1 | kr | kk"},
    {"the first cannot be read", "", "--", {"unread nn", "RR"},
        "R0?1 R0?1 | -- way:receipt_unreadable@0 | kk"},
    {"the first is read-only, the second lacks it", "", "RR", {"readonly --", "--"},
        "K K | -- way:not_writable@0 | ss"},
    {"the first lacks it, the second is complete", "", "RR", {"--", "RR"}, "K K | ss | kk="},
    {"the first is another model's", "", "RR", {"OO", "--"}, "K K | -- way:another_model@0 | ss"},
    {"the second lends its receipt", "", "nn", {"nn", "RR"}, "V(lasting) V(lasting) | kk | kk"},
    {"downloaded, and stored in each that lacks it", "", "--", {"--", "readonly --"},
        "D D | ss | -- way:not_writable@1"},
};

// the same, after this call has read something of the first file
struct read_row {
  const char* title;
  const char* request;
  const char* local;
  tiers lasting;
  void (*learn)(plan::file_facts& known);
  const char* want;
};

using known_facts = plan::file_facts;

const read_row read_rows[] = {
    {"hashed, and right", "pin", "nR", {"RR"}, [](known_facts& f) { f.is_right = true; },
        "K K | kk="},
    {"hashed, and wrong, without a receipt", "", "nR", {"RR"},
        [](known_facts& f) { f.wrong = "its SHA-256 is another"; }, "R0~ K | kk"},
    {"the same, and no tier has another", "pin", "nR", {"-R"},
        [](known_facts& f) { f.wrong = "its SHA-256 is another"; }, "D~ K | sk"},
    {"the same, offline", "offline pin", "nR", {"-R"},
        [](known_facts& f) { f.wrong = "its SHA-256 is another"; },
        "D~ K | sk unreachable:offline@local"},
    {"a copy could not be restored", "", "-R", {"RR"},
        [](known_facts& f) { f.copies[0].serves = plan::copy_facts::service::in_vain; },
        "D K | kk"},
    {"the copy of the first tier could not be restored", "", "-R", {"RR", "RR"},
        [](known_facts& f) { f.copies[0].serves = plan::copy_facts::service::in_vain; },
        "R1 K | kk | kk"},
    {"a copy could not be restored, offline", "offline", "-R", {"RR"},
        [](known_facts& f) { f.copies[0].serves = plan::copy_facts::service::in_vain; },
        "D K | kk unreachable:offline@local"},
    {"a copy was read, and is the same", "", "RR", {"RR"},
        [](known_facts& f) { f.copies[0].digest = right; }, "K K | kk="},
    {"a copy was read, and is another", "", "RR", {"RR"},
        [](known_facts& f) { f.copies[0].digest = other; }, "K K | rk"},
    {"a copy cannot be read", "", "RR", {"RR"},
        [](known_facts& f) { f.copies[0].digest = std::string(); }, "K K | rk"},
    {"a copy without a receipt was read, and is the same", "", "RR", {"nR"},
        [](known_facts& f) { f.copies[0].digest = right; }, "K K | kk"},
    {"a copy without a receipt was read, and is another", "", "RR", {"nR"},
        [](known_facts& f) { f.copies[0].digest = other; }, "K K | rk"},
    {"a local file without a receipt was hashed", "", "nR", {"NR"},
        [](known_facts& f) { f.digest = right; }, "Ku K | rk"},
    {"both were hashed, and are the same", "", "nR", {"n-"},
        [](known_facts& f) {
          f.digest = right;
          f.copies[0].digest = right;
        },
        "Ku K | ks"},
};

struct place_row {
  const char* title;
  const char* request;
  const char* local;
  tiers lasting;
  const char *missing, *suspects;
};

const place_row place_rows[] = {
    {"a hit", "pin", "RR", {"RR"}, "", ""},
    {"a hit without its copy", "", "RR", {"x-"}, "", ""},
    {"nothing is known", "", "-R", {"-R"}, "", ""},
    {"in the local receipt", "", "xR", {"-R"}, "local", ""},
    {"in both receipts", "", "xR", {"xR"}, "local 0", ""},
    {"a pin tells of both", "pin", "-R", {"-R", "RR"}, "local 0", ""},
    {"what stands is not missing", "pin", "n-", {"R-"}, "", ""},
    {"what cannot be told is not missing", "pin", "?-", {"?-"}, "", ""},
    {"the pin fits neither", "wrong pin", "RR", {"RR", "OR"}, "", "local 0"},
    {"another model's copy", "pin", "-R", {"OR"}, "local", "0"},
    {"an unverified receipt binds nobody", "wrong pin", "UR", {"UR"}, "", ""},
    {"a receipt that does not fit", "pin", "QR", {"QR"}, "", ""},
    {"without a pin there is no doubt", "", "-R", {"OR"}, "", ""},
};

std::string shown(const vqcache::detail::list<std::size_t>& places) {
  std::string s;
  for (const std::size_t place : places)
    s += (s.empty() ? "" : " ") + (place == plan::in_local ? "local" : std::to_string(place));
  return s;
}

struct demand_row {
  const char* title;
  const char* request;
  const char* local;
  tiers lasting;
  authority by;
  std::string sha256;
  bool is_verified;
  std::uint64_t size;
  std::string of_download;
};

const demand_row demand_rows[] = {
    {"nobody", "", "--", {"--"}, authority::nobody, "", false, 0, ""},
    {"the catalogue, for a download alone", "sized digest", "--", {"--"}, authority::nobody, "",
        false, 0, right},
    {"the pin", "pin", "OO", {"RR"}, authority::pin, right, true, 0, right},
    {"the local receipt", "", "xR", {"OO"}, authority::local_receipt, right, true, size_of_right,
        right},
    {"the cache's, where no local file is left", "", "xx", {"OO"}, authority::lasting_receipt,
        other, true, 2000, other},
    {"the local one, where the cache has none", "", "xx", {"--"}, authority::local_receipt, right,
        true, size_of_right, right},
    {"the cache's", "", "-R", {"OO"}, authority::lasting_receipt, other, true, 2000, other},
    {"the first that speaks", "", "--", {"n-", "R-", "O-"}, authority::lasting_receipt, right, true,
        size_of_right, right},
    {"an unverified one binds no download", "", "UR", {"--"}, authority::local_receipt, right,
        false, size_of_right, ""},
    {"but the catalogue does", "sized digest", "UR", {"--"}, authority::local_receipt, right, false,
        size_of_right, right},
    {"a receipt without a size", "", "ZR", {"--"}, authority::local_receipt, right, true, 0, right},
    {"a receipt that was cut says nothing", "", "CR", {"--"}, authority::nobody, "", false, 0, ""},
};

}  // namespace

TEST_SUITE("plan") {
  TEST_CASE("what is done with each file, by what the tiers hold") {
    for (const row& r : rows) {
      INFO(r.title);
      CHECK(shown(plan::plan(situation_of(r))) == r.want);
    }
    CHECK(std::size(rows) >= 40);
  }

  TEST_CASE("what this call has read changes the plan") {
    for (const read_row& r : read_rows) {
      INFO(r.title);
      plan::situation now = situation_of({r.title, r.request, r.local, r.lasting, ""});
      r.learn(now.facts[0]);
      CHECK(shown(plan::plan(now)) == r.want);
    }
  }

  TEST_CASE("where a file is looked for that was put aside, and which may be another model's") {
    for (const place_row& r : place_rows) {
      INFO(r.title);
      const plan::situation now = situation_of({r.title, r.request, r.local, r.lasting, ""});
      const plan::file_plan first = plan::plan(now).files[0];
      CHECK(shown(first.missing) == r.missing);
      CHECK(shown(first.suspects) == r.suspects);
    }
  }

  TEST_CASE("what bytes have to be, who says so, and how many they are once that is known") {
    for (const demand_row& r : demand_rows) {
      INFO(r.title);
      const plan::situation now = situation_of({r.title, r.request, r.local, r.lasting, ""});
      const plan::expectation kept = plan::expected_of(now, 0);
      CHECK(kept.by == r.by);
      CHECK(kept.sha256 == r.sha256);
      CHECK(kept.is_verified == r.is_verified);
      CHECK(kept.size.value_or(0) == r.size);
      const plan::expectation loaded = plan::expected_of_download(now, 0);
      CHECK(loaded.sha256 == r.of_download);
      CHECK(loaded.size.has_value() == (std::string(r.request).find("sized") == 0));
    }
    const plan::situation two = situation_of({"", "", "-", {"R", "O"}, ""});
    CHECK(plan::expected_of(two, 0).sha256 == right);
    CHECK(plan::expected_of(two, 0, 1).sha256 == other);  // that of the copy which is restored
  }

  TEST_CASE("only what nothing else tells about is judged by its look") {
    const auto is_judged = [](const char* request, const char* local, tiers lasting,
                               std::size_t place) {
      return plan::has_to_be_judged(situation_of({"", request, local, lasting, ""}), 0, place);
    };
    CHECK(is_judged("", "n", {"n"}, plan::in_local));
    CHECK(is_judged("", "n", {"n"}, 0));
    CHECK(is_judged("", "-", {"n"}, 0));
    CHECK(is_judged("", "C", {"-"}, plan::in_local));
    CHECK_FALSE(is_judged("pin", "n", {"n"}, plan::in_local));
    CHECK_FALSE(is_judged("pin", "n", {"n"}, 0));
    CHECK_FALSE(is_judged("", "R", {"n"}, plan::in_local));
    CHECK_FALSE(is_judged("", "R", {"n"}, 0));
    CHECK_FALSE(is_judged("", "n", {"R"}, plan::in_local));  // it is held to the copy's receipt
    CHECK_FALSE(is_judged("", "n", {"R"}, 0));
    CHECK_FALSE(is_judged("", "-", {"-"}, plan::in_local));
    CHECK_FALSE(is_judged("", "D", {"D"}, 0));
    plan::situation hashed = situation_of({"", "", "n", {"-"}, ""});
    hashed.facts[0].is_right = true;
    CHECK_FALSE(plan::has_to_be_judged(hashed, 0, plan::in_local));
  }

  TEST_CASE("a local file makes room only for a copy that is as its receipts say") {
    struct room_row {
      const char *local, *copy;  // as file_of()
      const char* read;          // of the copy, and of the local file: r right, o other, - not read
      const char* why;           // empty: it may go
    };

    for (const room_row& r : {room_row{"R", "R", "--", ""}, room_row{"R", "R", "r-", ""},
             room_row{"R", "R", "o-", "is damaged: its SHA-256 is"}, room_row{"U", "U", "r-", ""},
             room_row{"Z", "Z", "r-", ""}, room_row{"S", "R", "r-", ""},
             room_row{"R", "-", "--", "there is no copy"},
             room_row{"R", "x", "--", "there is no copy"},
             room_row{"R", "D", "--", "there is no copy"},
             room_row{"R", "?", "--", "there is no copy"},
             room_row{"R", "S", "--", "has 500 bytes, its receipt says 1000"},
             room_row{"R", "C", "--", "has 500 bytes, its receipt says 1000"},
             room_row{"R", "n", "--", "no receipt speaks of the copy"},
             room_row{"R", "O", "--", "another a than the local receipt tells"},
             room_row{"R", "unread R", "--", "cannot read the receipt"},
             room_row{"n", "n", "--", ""}, room_row{"n", "n", "rr", ""},
             room_row{"n", "n", "oo", ""}, room_row{"n", "n", "ro", "differs from its copy"},
             room_row{"n", "N", "--", "differs from its copy"}, room_row{"n", "R", "rr", ""},
             room_row{"n", "R", "ro", "differs from its copy"},
             room_row{"n", "R", "oo", "is damaged"}, room_row{"-", "-", "--", ""},
             room_row{"-", "R", "--", ""}, room_row{"x", "R", "--", ""},
             room_row{"x", "-", "--", "the local receipt alone"},
             room_row{"D", "R", "--", "is not a regular file"},
             room_row{"?", "R", "--", "it cannot be told"}}) {
      CAPTURE(r.local);
      CAPTURE(r.copy);
      CAPTURE(r.read);
      plan::situation now = situation_of({"", "", r.local, {r.copy}, ""});
      if (r.read[0] != '-') now.facts[0].copies[0].digest = r.read[0] == 'r' ? right : other;
      if (r.read[1] != '-') now.facts[0].digest = r.read[1] == 'r' ? right : other;
      const std::string why = plan::reason_to_stay(now, 0, 0);
      CHECK_MESSAGE(why.empty() == !*r.why, why);
      CHECK_MESSAGE(why.find(r.why) != std::string::npos, why);
    }
  }

  TEST_CASE("a copy is doubted where neither it nor the local file has a receipt") {
    for (const char* local : {"n", "R"})
      for (const char* copy : {"N", "S"}) {
        plan::situation now = situation_of({"", "", local, {copy}, ""});
        const plan::copy_plan c = plan::plan_copy(now, 0, 0);
        INFO(local, copy);
        CHECK(c.step == copy_step::repair);
        CHECK(c.is_doubted == (local[0] == 'n' && copy[0] == 'N'));
      }
  }

  TEST_CASE("a part of a set is left out where other machines store and nothing vouches for it") {
    struct part_row {
      const char* request;
      const char* local;
      const char* copy;
      bool is_remote;
      const char* want;  // the files that are left out
    };

    for (const part_row& r : {part_row{"", "--", "n-", true, "a"},
             part_row{"", "--", "-n", true, "b"}, part_row{"", "---", "n-n", true, "ac"},
             part_row{"", "-n", "n-", true, ""}, part_row{"", "--", "n-", false, ""},
             part_row{"", "--", "nn", true, ""}, part_row{"", "--", "R-", true, ""},
             part_row{"", "--", "Rx", true, ""}, part_row{"", "--", "--", true, ""},
             part_row{"", "--", "D-", true, ""}, part_row{"", "x-", "n-", true, ""},
             part_row{"pin", "--", "n-", true, ""}, part_row{"digest", "--", "n-", true, "a"},
             part_row{"offline", "--", "n-", true, ""}, part_row{"no URL", "--", "n-", true, ""}}) {
      CAPTURE(r.request);
      CAPTURE(r.local);
      CAPTURE(r.copy);
      plan::situation now = situation_of({"", r.request, r.local, {r.copy}, ""});
      now.lasting[0].can.is_remote = r.is_remote;
      const plan::call_plan all = plan::plan(now);
      std::string left_out;
      for (std::size_t file = 0; file < now.wanted.size(); ++file)
        if (plan::may_be_of_another_set(now, all, file, 0)) left_out += now.wanted[file].name;
      CHECK(left_out == r.want);
    }
  }
}
