// What doctor() says of a store that was measured: a pure function.
#include "vqcache.hpp"

#include <doctest/doctest.h>

#include <string>

namespace {

namespace d = vqcache::detail::doctor;
using std::string;
using vqcache::errc;
using vqcache::severity;
using facts = d::store_facts;
using vqcache::detail::error::fail;

facts good() {
  facts one;
  one.shown = "s3://b/p";
  one.endpoint = "https://s3.test";
  one.region = "eu-1";
  one.keys_from = "AWS_ACCESS_KEY_ID";
  one.ahead = 0;
  one.latency = 7;
  one.was_written = true;
  one.are = facts::conditions::hold;
  one.put_ms = 100;
  one.get_ms = 50;
  return one;
}

string told(const facts& of, d::role as = d::role::lasting) {
  d::findings all;
  d::say_store(all, as, "here", of);
  string text;
  const char* const words[] = {"", "warning: ", "failure: "};
  for (const vqcache::finding& one : all) {
    CHECK(one.about == "here");
    CHECK((one.how == severity::information || !one.advice.empty()));
    text += words[static_cast<int>(one.how)] + one.said + " | " + one.advice + "\n";
  }
  return text;
}

struct row {
  const char* what;
  void (*change)(facts&);
  const char* said;  // a line of it
};

const row rows[] = {
    {"a bucket", [](facts&) {},
        "'s3://b/p' is a bucket at https://s3.test, signed for the region eu-1; its keys are from "
        "AWS_ACCESS_KEY_ID | \n"},
    {"a server", [](facts& f) { f.is_bucket = false; },
        "'s3://b/p' is a folder of a web server | \n"},
    {"rates", [](facts&) {}, "1 MiB is written with 10.4 MB/s, and read with 20.9 MB/s | \n"},
    {"no time at all", [](facts& f) { f.put_ms = 0; }, "1 MiB is written with 1048.5 MB/s"},
    {"latency", [](facts&) {}, "it answers in 7 ms | \n"},
    {"a clock that is right", [](facts& f) { f.ahead = -59; },
        "its clock goes as that of this machine | \n"},
    {"behind", [](facts& f) { f.ahead = -60; },
        "warning: its clock is 60 s behind that of this machine | set the clock that is wrong\n"},
    {"far ahead", [](facts& f) { f.ahead = 900; },
        "warning: its clock is 900 s ahead of that of this machine | set the clock that is wrong: "
        "stores refuse what is off by 15 minutes\n"},
    {"no clock", [](facts& f) { f.ahead.reset(); }, "its clock is not told | \n"},
    {"not listed", [](facts& f) { f.listing = fail(errc::http_status, {"HTTP 403"}); },
        "it cannot be listed: HTTP 403 | list_models() tells what is held here alone\n"},
    {"not written",
        [](facts& f) { f.writing = fail(errc::no_space, {"it is full; make room there"}); },
        "warning: nothing can be written: it is full | make room there\n"},
    {"without advice", [](facts& f) { f.writing = fail(errc::io, {"it does not work"}); },
        "warning: nothing can be written: it does not work | no copy is kept there"},
    {"damaged", [](facts& f) { f.gives_back = false; },
        "warning: what was read is not what was written a moment before | "},
    {"conditions", [](facts&) {}, "it creates what is not there, and nothing else | \n"},
    {"none", [](facts& f) { f.are = facts::conditions::are_ignored; },
        "it ignores the condition that there is none | two callers may download"},
    {"refused", [](facts& f) { f.are = facts::conditions::are_refused; },
        "it refuses the condition that there is none | two callers may download"},
    {"what stays", [](facts& f) { f.removing = fail(errc::http_status, {"'x' (HTTP 403)"}); },
        "warning: what was written for this cannot be removed: 'x' (HTTP 403) | remove it by hand"},
    {"not there", [](facts& f) { f.is_there = false; },
        "it is not there; the first call makes it | \n"},
    {"not there, nor a list",
        [](facts& f) {
          f.is_there = false;
          f.listing = fail(errc::http_status, {"the server lists nothing (HTTP 501)"});
        },
        "it is not there, and the server lists nothing (HTTP 501); the first call tells whether it "
        "takes files | a store or a WebDAV server is meant"},
};

}  // namespace

TEST_SUITE("doctor of stores") {
  TEST_CASE("each fact has its line, and what is wrong has advice") {
    for (const row& one : rows) {
      INFO(string(one.what));
      facts of = good();
      one.change(of);
      const string all = told(of);
      CHECK_MESSAGE(all.find(one.said) != string::npos, all);
    }
    CHECK(told(good()).find("warning") == string::npos);
  }

  TEST_CASE("of a store that does not answer, and of what is only read, no more is told") {
    facts dead = good();
    dead.problem = fail(errc::connection, {"nobody is there; check the address"});
    CHECK(told(dead) == "warning: nobody is there | check the address\n");

    const string lent = told(good(), d::role::lent);
    CHECK(lent.find("1 MiB") == string::npos);
    CHECK(lent.find("it can be listed") != string::npos);
    facts missing = good();
    missing.is_there = false;
    CHECK(told(missing, d::role::lent).find("warning: it is not there") != string::npos);
  }
}
