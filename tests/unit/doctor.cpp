// What is said of what was measured: pure functions of vqcache::detail::doctor. Nothing is looked at
// here; what is measured, tests/call/doctor.cpp asks through the public function.
#include "vqcache.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <map>
#include <string>

namespace {

namespace d = vqcache::detail::doctor;
namespace os = vqcache::detail::os;
using std::string;
using vqcache::severity;

constexpr std::uint64_t gib = std::uint64_t{1} << 30;

d::place directory(d::role as, const string& file_system = "ext4") {
  d::place one;
  one.as = as;
  one.about = "here";
  one.at = "/models";
  one.is = d::place::presence::directory;
  one.file_system = file_system;
  one.device = 7;
  one.room.capacity = 100 * gib;
  one.room.available = 50 * gib;
  one.room.largest = os::unknown;
  return one;
}

d::abilities all_right() {
  d::abilities can;
  can.replaces = true;
  can.locks_exclude = true;
  return can;
}

// the only finding that has this in it
vqcache::finding the(const d::findings& all, const string& part) {
  vqcache::finding found;
  int count = 0;
  string said;
  for (const vqcache::finding& one : all) {
    said += one.said + "\n";
    if (one.said.find(part) == string::npos) continue;
    found = one;
    ++count;
  }
  CHECK_MESSAGE(count == 1, part, " in ", said);
  return found;
}

bool has_any(const d::findings& all, severity how) {
  for (const vqcache::finding& one : all) {
    if (one.how == how) return true;
  }
  return false;
}

std::map<string, string> set_variables;

string value_of(const char* name) {
  return set_variables[name];
}

struct transport_row {
  d::transport_facts::kind is;
  const char* version;
  severity how;
  const char* said;
};

using kind = d::transport_facts::kind;

const transport_row transports[] = {
    {kind::library, "libcurl/8.5.0 OpenSSL/3.0.13 zlib/1.3", severity::information,
        "libcurl: libcurl/8.5.0 OpenSSL/3.0.13"},
    {kind::library, "libcurl/7.64.1 (SecureTransport) LibreSSL/2.8.3", severity::information,
        "libcurl: "},
    {kind::library, "libcurl/8.5.0 zlib/1.3", severity::warning, "names no TLS library"},
    {kind::library, "", severity::information, "tells no version"},
    {kind::program, "curl 8.5.0 (x86_64-pc-linux-gnu) libcurl/8.5.0 GnuTLS/3.8",
        severity::information, "the program curl: curl 8.5.0"},
    {kind::program, "curl 8.13.0 (Windows) libcurl/8.13.0 Schannel zlib", severity::information,
        "the program curl: "},
    {kind::program, "curl 7.55.0 (x) libcurl/7.55.0 OpenSSL/1.0", severity::information, "7.55.0"},
    {kind::program, "curl 7.54.1 (x) libcurl/7.54.1 OpenSSL/1.0", severity::failure,
        "older than 7.55"},
    {kind::program, "curl 6.99.0 (x) OpenSSL", severity::failure, "older than 7.55"},
    {kind::program, "curl 10.0.0 (x) OpenSSL", severity::information, "curl 10.0.0"},
    {kind::program, "curl of a vendor, with OpenSSL", severity::information, "of a vendor"},
    {kind::users, "", severity::information, "options::fetch"},
};

struct step_row {
  const char* what;
  int d::abilities::* failing;
  const char* said;
};

const step_row steps[] = {
    {"list", &d::abilities::reading, "it cannot be listed"},
    {"write", &d::abilities::making, "no file can be written"},
    {"rename", &d::abilities::renaming, "rename does not replace a file"},
    {"fsync", &d::abilities::syncing, "fsync fails"},
    {"fsync of the directory", &d::abilities::syncing_directory, "fsync fails"},
    {"remove", &d::abilities::removing, "cannot be removed"},
};

}  // namespace

TEST_SUITE_BEGIN("doctor");

TEST_CASE("of a transport its version is told, and what is wrong with it") {
  for (const transport_row& row : transports) {
    CAPTURE(row.version);
    d::transport_facts facts;
    facts.is = row.is;
    facts.version = row.version;
    d::findings all;
    d::say_transport(all, facts);
    REQUIRE(all.size() == 1);
    CHECK(all[0].about == "transport");
    CHECK(all[0].how == row.how);
    CHECK_MESSAGE(all[0].said.find(row.said) != string::npos, all[0].said);
    CHECK(all[0].advice.empty() == (row.how == severity::information));
  }
}

TEST_CASE("each step that fails in a directory is a failure there, and a warning in the cache") {
  for (const d::role as : {d::role::local, d::role::lasting}) {
    d::findings good;
    d::say_abilities(good, directory(as), all_right());
    CHECK(good.size() == 7);
    CHECK_FALSE(has_any(good, severity::warning));
    CHECK_FALSE(has_any(good, severity::failure));

    for (const step_row& row : steps) {
      CAPTURE(row.what);
      d::abilities can = all_right();
      can.*row.failing = ENOSPC;
      d::findings all;
      d::say_abilities(all, directory(as), can);
      const vqcache::finding one = the(all, row.said);
      CHECK(one.how == (as == d::role::local ? severity::failure : severity::warning));
      CHECK(one.about == "here");
      CHECK(one.said.find(": ") != string::npos);
      CHECK(one.advice.find("free some space") == 0);
    }
  }
}

TEST_CASE("what could not be tried is not told") {
  d::abilities can;
  can.making = EROFS;
  d::findings all;
  d::say_abilities(all, directory(d::role::local), can);
  CHECK(all.size() == 2);
}

TEST_CASE("a rename that says yes and does nothing is none") {
  d::abilities can = all_right();
  can.replaces = false;
  d::findings all;
  d::say_abilities(all, directory(d::role::local), can);
  CHECK(the(all, "rename does not replace a file").how == severity::failure);
}

TEST_CASE("locks that do not lock are a warning where they are used") {
  d::abilities lies = all_right();
  lies.locks_exclude = false;
  d::abilities fails = lies;
  fails.locking = ENOLCK;

  d::findings all;
  d::say_locks(all, directory(d::role::local), lies);
  d::say_locks(all, directory(d::role::local), fails);
  REQUIRE(all.size() == 2);
  for (const vqcache::finding& one : all) {
    CHECK(one.how == severity::warning);
    CHECK(one.said.find("flock") == 0);
    CHECK(one.advice.find("download the same model twice") != string::npos);
  }

  all.clear();
  d::say_locks(all, directory(d::role::lasting), lies);
  CHECK(all[0].how == severity::information);
}

TEST_CASE("a clone and the case of names are told as they are") {
  d::abilities can = all_right();
  can.shares_blocks = true;
  can.ignores_case = true;
  d::findings all;
  d::say_abilities(all, directory(d::role::local), can);
  CHECK(the(all, "can share blocks").how == severity::information);
  CHECK(the(all, "in case alone are one").advice.find("name_taken") != string::npos);
}

TEST_CASE("free space is told in GB and per cent, and little of it is warned of") {
  struct row {
    std::uint64_t available, capacity, largest;
    std::vector<severity> how;
    const char* said;
  };

  const severity good = severity::information, bad = severity::warning;
  const std::uint64_t any = os::unknown;
  const row rows[] = {
      {50 * gib, 100 * gib, any, {good}, "53.6 GB of 107.3 GB are free (50 %)"},
      {2 * gib, 100 * gib, any, {good}, "(2 %)"},
      {2 * gib - 1, 100 * gib, any, {bad}, "2.1 GB of 107.3 GB"},
      {0, 100 * gib, any, {bad}, "0.0 GB of 107.3 GB are free (0 %)"},
      {0, 0, any, {bad}, "(0 %)"},
      {500, 500, any, {bad}, "(100 %)"},
      {any, any, any, {good}, "not told"},
      {50 * gib, 100 * gib, 4 * gib - 1, {good, bad}, "(50 %)"},
  };
  for (const row& one : rows) {
    CAPTURE(one.said);
    d::place at = directory(d::role::local);
    at.room.available = one.available;
    at.room.capacity = one.capacity;
    at.room.largest = one.largest;
    d::findings all;
    d::say_room(all, at);
    REQUIRE(all.size() == one.how.size());
    CHECK_MESSAGE(all[0].said.find(one.said) != string::npos, all[0].said);
    for (std::size_t i = 0; i < all.size(); ++i) {
      CHECK(all[i].how == one.how[i]);
      CHECK(all[i].advice.empty() == (one.how[i] == good));
    }
  }
}

TEST_CASE("what does not outlast a restart or a container is no place for copies") {
  for (const char* const on : {"tmpfs", "ramfs", "overlay"}) {
    CAPTURE(on);
    d::findings all;
    d::say_presence(all, directory(d::role::lasting, on));
    d::say_presence(all, directory(d::role::local, on));
    REQUIRE(all.size() == 2);
    CHECK(all[0].how == severity::warning);
    CHECK(!all[0].advice.empty());
    CHECK(all[1].how == severity::information);
    CHECK(all[1].said.find(on) != string::npos);
  }
}

TEST_CASE("a directory that is not there is told with who makes it, or why nobody can") {
  d::place one = directory(d::role::local);
  one.is = d::place::presence::absent;
  d::findings all;
  d::say_presence(all, one);
  one.obstacle = "'/a; b' cannot be written; check its permissions";
  d::say_presence(all, one);
  one.may_be_made = false;
  d::say_presence(all, one);
  one.as = d::role::lent;
  d::say_presence(all, one);
  one.is = d::place::presence::unknown;
  one.problem = EACCES;
  d::say_presence(all, one);
  REQUIRE(all.size() == 5);
  CHECK(all[0].how == severity::information);
  CHECK(all[0].said.find("the first call makes it") != string::npos);
  CHECK(all[1].how == severity::failure);
  CHECK(all[1].said.find("cannot be made: '/a; b' cannot be written") != string::npos);
  CHECK(all[1].advice == "check its permissions");
  CHECK(all[2].how == severity::failure);
  CHECK(all[2].said.find("create_dirs is false") != string::npos);
  CHECK(all[3].how == severity::warning);
  CHECK(all[3].said.find("nothing is restored from it") != string::npos);
  CHECK(all[4].said.find("cannot be looked at") != string::npos);
}

TEST_CASE("whether a copy outlasts the disk follows from places, devices and clones") {
  using is = d::between;
  d::place local = directory(d::role::local), cache = directory(d::role::lasting);
  CHECK(d::relation(local, cache, false) == is::one_place);
  cache.at = "/models/";
  CHECK(d::relation(local, cache, false) == is::one_place);
  cache.at = "/copies";
  CHECK(d::relation(local, cache, false) == is::one_device);
  CHECK(d::relation(local, cache, true) == is::sharing_blocks);
  cache.device = 8;
  CHECK(d::relation(local, cache, false) == is::two_devices);
  CHECK(d::relation(local, cache, true) == is::sharing_blocks);  // subvolumes of btrfs
  cache.device.reset();
  CHECK(d::relation(local, cache, false) == is::unknown);

  for (const is one : {is::one_place, is::one_device, is::sharing_blocks}) {
    d::findings all;
    d::say_relation(all, one);
    CHECK(all.back().how == severity::warning);
    CHECK(!all.back().advice.empty());
  }
  d::findings all;
  d::say_relation(all, is::two_devices);
  d::say_relation(all, is::unknown);
  CHECK_FALSE(has_any(all, severity::warning));
}

TEST_CASE("proxies are told as they are taken, without their secrets") {
  struct row {
    std::map<string, string> set;
    severity how;
    const char* said;
  };

  const severity good = severity::information, bad = severity::warning;
  const row rows[] = {
      {{}, good, "https goes without a proxy"},
      {{}, good, "http goes without a proxy"},
      {{{"https_proxy", "http://p:3128"}}, good,
          "https goes through http://p:3128, by https_proxy"},
      {{{"https_proxy", "http://p:3128"}}, good, "http goes without a proxy"},
      {{{"all_proxy", "u:canary@p:1"}}, good, "http goes through http://***@p:1, by all_proxy"},
      {{{"all_proxy", "socks5h://u:canary@p:1"}}, good, "https goes through socks5h://***@p:1"},
      {{{"http_proxy", "u:can/canary@p:1"}}, bad, "the address in http_proxy is malformed"},
      {{{"http_proxy", "http://u:can?canary@p:1"}}, bad, "the address in http_proxy is malformed"},
      {{{"http_proxy", "http://u:can#canary@p:1"}}, bad, "the address in http_proxy is malformed"},
      {{{"HTTPS_PROXY", "p:1"}, {"no_proxy", "a.b, c"}}, good, "no_proxy exempts a.b, c"},
      {{{"http_proxy", "p:1"}, {"NO_PROXY", "*"}}, good, "http goes without a proxy"},
      {{{"HTTP_PROXY", "p:1"}}, bad, "HTTP_PROXY is not obeyed"},
  };
  for (const row& one : rows) {
    CAPTURE(one.said);
    set_variables = one.set;
    d::findings all;
    d::say_proxies(all, value_of);
    CHECK(the(all, one.said).how == one.how);
    for (const vqcache::finding& each : all) {
      CHECK(each.about == "proxy");
      CHECK(each.said.find("canary") == string::npos);
      CHECK(each.advice.empty() == (each.how == good));
    }
  }
  set_variables = {};
}

TEST_CASE("a variable that only looks like one of ours is told, with the one that was meant") {
  d::findings all;
  d::say_unknown_variables(all,
      {"VQCACHE_CACHE_DIR", "VQCACHE_LEASE_SECONDS", "VQCACHE_CACHEDIR", "VQCACHE_",
          "VQCACHE_XYZ"});
  REQUIRE(all.size() == 3);
  CHECK(all[0].said == "VQCACHE_CACHEDIR is set, and means nothing to this library");
  CHECK(all[0].advice == "did you mean VQCACHE_CACHE_DIR?");
  for (const std::size_t i : {1U, 2U}) {
    CHECK(all[i].how == vqcache::severity::warning);
    CHECK(all[i].advice.find("known are VQCACHE_LOCAL_DIR, VQCACHE_CACHE_DIR") == 0);
  }
}

TEST_CASE("of variables what they hold is told, but for secrets, and what outweighs them") {
  set_variables = {{"VQCACHE_LOCAL_DIR", "/l"}, {"VQCACHE_CACHE_DIR", "/c"},
      {"HF_TOKEN", "hf_canary"}, {"HF_ENDPOINT", "https://u:canary@hub.test?t=canary"},
      {"HF_HOME", "s3://canary:canary@x/y"}};
  vqcache::options o;
  o.local_dir = "/mine";
  d::findings all;
  d::say_variables(all, o, value_of);
  CHECK(all.size() == 5);
  CHECK(the(all, "VQCACHE_LOCAL_DIR is '/l'").said.find("options::local_dir") != string::npos);
  CHECK(the(all, "VQCACHE_CACHE_DIR").said == "VQCACHE_CACHE_DIR is '/c'");
  CHECK(the(all, "HF_TOKEN").said == "HF_TOKEN is set");
  CHECK(the(all, "HF_ENDPOINT").said.find("hub.test") != string::npos);
  for (const vqcache::finding& one : all) {
    CHECK_MESSAGE(one.said.find("canary") == string::npos, one.said);
  }
  set_variables = {};
}

TEST_CASE("the rate of the digest is told, and who is faster") {
  d::findings all;
  vqcache::detail::hash::engine by;
  d::say_hash(all, by, 180);
  by.kept_by = vqcache::detail::hash::engine::keeper::context;
  by.library = "libcrypto.so.3";
  d::say_hash(all, by, 1400);
  CHECK(all[0].said.find("own code, 180 MB/s") != string::npos);
  CHECK(all[0].advice.find("libcrypto") != string::npos);
  CHECK(all[1].said == "SHA-256 by libcrypto.so.3, 1400 MB/s");
  CHECK(all[1].advice.empty());
}

TEST_SUITE_END();
