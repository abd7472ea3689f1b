// Two pure functions of the transfer, as tables: what the head of an answer asks of us, and what
// follows a try that failed. They use vqcache::detail: no server is needed to read or to test them.
#include "vqcache.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace {

namespace policy = vqcache::detail::policy;
namespace http = vqcache::detail::http;
using policy::answer_kind;
using policy::next_step;
using policy::ranges;
using vqcache::errc;

const char* name_of(answer_kind k) {
  constexpr const char* names[] = {"part", "whole", "complete", "redirect", "error_page", "odd"};
  return names[static_cast<int>(k)];
}

const char* name_of(next_step s) {
  constexpr const char* names[] = {"try_again", "whole_file", "take_turns", "next_source", "stop"};
  return names[static_cast<int>(s)];
}

constexpr std::uint64_t untold = ~std::uint64_t{0};

struct head_row {
  const char* title;
  int code;
  const char* range;     // Content-Range; empty: none
  std::uint64_t length;  // Content-Length; untold: none
  const char* validator;
  bool asked_part;
  std::uint64_t first;  // of the part
  bool siblings;
  std::uint64_t size, total;  // on the disk
  const char* known;
  bool pinned;
  answer_kind want;
  bool changed;
  std::uint64_t end;
};

// on the disk: 150 of 300 bytes, "v1"; 150 of nobody knows how many; and nothing at all
#define HAVE 150, 300, "\"v1\"", false
#define PINNED 150, 300, "\"v1\"", true
#define UNTOLD 150, 0, "\"v1\"", false
#define NOTHING 0, 0, "", false

const head_row heads[] = {
    // a plain request, nothing here
    {"the file", 200, "", 300, "\"v1\"", false, 0, false, NOTHING, answer_kind::whole, false, 300},
    {"the file, length untold", 200, "", untold, "", false, 0, false, NOTHING, answer_kind::whole,
        false, 0},
    {"200 with a range that covers all", 200, "bytes 0-299/300", 300, "", false, 0, false, NOTHING,
        answer_kind::whole, false, 300},
    {"the same without a length", 200, "bytes 0-299/300", untold, "", false, 0, false, NOTHING,
        answer_kind::whole, false, 300},
    {"200 with the second half", 200, "bytes 150-299/300", 150, "", false, 0, false, NOTHING,
        answer_kind::odd, false, 0},
    {"200 with the first half", 200, "bytes 0-149/300", 150, "", false, 0, false, NOTHING,
        answer_kind::odd, false, 0},
    {"200, range and length differ", 200, "bytes 0-299/300", 299, "", false, 0, false, NOTHING,
        answer_kind::odd, false, 0},
    {"200 with a range of no total", 200, "bytes 0-299/*", 300, "", false, 0, false, NOTHING,
        answer_kind::whole, false, 300},
    {"the same without a length", 200, "bytes 0-299/*", untold, "", false, 0, false, NOTHING,
        answer_kind::odd, false, 0},
    {"206 with a range of no total", 206, "bytes 0-299/*", 300, "", false, 0, false, NOTHING,
        answer_kind::odd, false, 0},
    {"200 with a range nobody can read", 200, "pages 1-2/3", 300, "", false, 0, false, NOTHING,
        answer_kind::whole, false, 300},
    {"206 with all of it", 206, "bytes 0-299/300", 300, "", false, 0, false, NOTHING,
        answer_kind::whole, false, 300},
    {"206 with a piece", 206, "bytes 0-99/300", 100, "", false, 0, false, NOTHING, answer_kind::odd,
        false, 0},
    {"206 without a range", 206, "", 300, "", false, 0, false, NOTHING, answer_kind::odd, false, 0},
    {"204", 204, "", untold, "", false, 0, false, NOTHING, answer_kind::odd, false, 0},
    {"304", 304, "", untold, "", false, 0, false, NOTHING, answer_kind::odd, false, 0},
    {"202", 202, "", 10, "", false, 0, false, NOTHING, answer_kind::odd, false, 0},
    {"302", 302, "", 0, "", false, 0, false, NOTHING, answer_kind::redirect, false, 0},
    {"308", 308, "", 0, "", false, 0, false, NOTHING, answer_kind::redirect, false, 0},
    {"300 is none to follow", 300, "", 0, "", false, 0, false, NOTHING, answer_kind::odd, false, 0},
    {"404", 404, "", 9, "", false, 0, false, NOTHING, answer_kind::error_page, false, 0},
    {"503", 503, "", 9, "", false, 0, false, NOTHING, answer_kind::error_page, false, 0},
    {"416 to a plain request", 416, "bytes */0", 0, "", false, 0, false, NOTHING,
        answer_kind::error_page, false, 0},

    // the rest is asked for
    {"the rest", 206, "bytes 150-299/300", 150, "\"v1\"", true, 150, false, HAVE, answer_kind::part,
        false, 300},
    {"the rest, no length", 206, "bytes 150-299/300", untold, "\"v1\"", true, 150, false, HAVE,
        answer_kind::part, false, 300},
    {"the rest, no mark", 206, "bytes 150-299/300", 150, "", true, 150, false, HAVE,
        answer_kind::part, false, 300},
    {"the rest, the mark now weak", 206, "bytes 150-299/300", 150, "W/\"v1\"", true, 150, false,
        HAVE, answer_kind::part, false, 300},
    {"some of the rest", 206, "bytes 150-199/300", 50, "\"v1\"", true, 150, false, HAVE,
        answer_kind::part, false, 200},
    {"the rest, total untold", 206, "bytes 150-299/*", 150, "\"v1\"", true, 150, false, HAVE,
        answer_kind::part, false, 300},
    {"beyond the total that is known", 206, "bytes 150-399/*", 250, "\"v1\"", true, 150, false,
        HAVE, answer_kind::odd, false, 0},
    {"another place", 206, "bytes 100-299/300", 200, "\"v1\"", true, 150, false, HAVE,
        answer_kind::odd, false, 0},
    {"length and range differ", 206, "bytes 150-299/300", 151, "\"v1\"", true, 150, false, HAVE,
        answer_kind::odd, false, 0},
    {"no range", 206, "", 150, "\"v1\"", true, 150, false, HAVE, answer_kind::odd, false, 0},
    {"another total", 206, "bytes 150-399/400", 250, "\"v1\"", true, 150, false, HAVE,
        answer_kind::odd, true, 0},
    {"another mark", 206, "bytes 150-299/300", 150, "\"v2\"", true, 150, false, HAVE,
        answer_kind::odd, true, 0},
    {"all of it under 206", 206, "bytes 0-299/300", 300, "\"v1\"", true, 150, false, HAVE,
        answer_kind::whole, false, 300},
    {"all of it under 200", 200, "", 300, "\"v1\"", true, 150, false, HAVE, answer_kind::whole,
        false, 300},
    {"all of another version", 200, "", 400, "\"v2\"", true, 150, false, HAVE, answer_kind::whole,
        false, 400},
    {"all of another length under 206, one mark", 206, "bytes 0-149/150", 150, "\"v1\"", true, 150,
        false, HAVE, answer_kind::odd, false, 0},
    {"all of another length under 206, no mark", 206, "bytes 0-149/150", 150, "", true, 150, false,
        HAVE, answer_kind::odd, false, 0},
    {"all of another length under 200, no mark", 200, "", 150, "", true, 150, false, HAVE,
        answer_kind::odd, false, 0},
    {"all of another length under 200, now weak", 200, "", 150, "W/\"v1\"", true, 150, false, HAVE,
        answer_kind::odd, false, 0},
    {"the part under 200", 200, "bytes 150-299/300", 150, "\"v1\"", true, 150, false, HAVE,
        answer_kind::odd, false, 0},
    {"the part under 200, no range", 200, "", 150, "\"v1\"", true, 150, false, HAVE,
        answer_kind::odd, false, 0},
    {"the same, pinned", 200, "", 150, "\"v1\"", true, 150, false, PINNED, answer_kind::odd, false,
        0},
    {"200, and the length was never told", 200, "", 150, "\"v1\"", true, 150, false, UNTOLD,
        answer_kind::odd, false, 0},
    {"the same in chunks", 200, "", untold, "\"v1\"", true, 150, false, UNTOLD, answer_kind::odd,
        false, 0},
    {"the same, with a range of all", 200, "bytes 0-299/300", 300, "\"v1\"", true, 150, false,
        UNTOLD, answer_kind::whole, false, 300},
    {"the same, with a range of the part", 200, "bytes 150-299/300", 150, "\"v1\"", true, 150,
        false, UNTOLD, answer_kind::odd, false, 0},
    {"the same of another version", 200, "", 150, "\"v2\"", true, 150, false, UNTOLD,
        answer_kind::whole, false, 150},
    {"the same to a plain request", 200, "", 300, "\"v1\"", false, 0, false, UNTOLD,
        answer_kind::whole, false, 300},
    {"200 and a range nobody can read", 200, "pages 1-2/3", 300, "\"v1\"", true, 150, false, HAVE,
        answer_kind::odd, false, 0},
    {"another mark and another length", 200, "", 150, "\"v2\"", true, 150, false, HAVE,
        answer_kind::whole, false, 150},
    {"nothing is left", 416, "bytes */150", 0, "", true, 150, false, 150, 0, "\"v1\"", false,
        answer_kind::complete, false, 150},
    {"nothing is left, but more was told", 416, "bytes */150", 0, "", true, 150, false, HAVE,
        answer_kind::error_page, false, 0},
    {"nothing is left of another version", 416, "bytes */150", 0, "\"v2\"", true, 150, false, 150,
        0, "\"v1\"", false, answer_kind::error_page, false, 0},
    {"416 with another total", 416, "bytes */300", 0, "", true, 150, false, HAVE,
        answer_kind::error_page, false, 0},

    // the whole is asked for beside what is here
    {"the whole", 200, "", 300, "\"v1\"", false, 0, false, HAVE, answer_kind::whole, false, 300},
    {"one mark, two lengths", 200, "", 150, "\"v1\"", false, 0, false, HAVE, answer_kind::odd,
        false, 0},
    {"one mark now weak, two lengths", 200, "", 150, "W/\"v1\"", false, 0, false, HAVE,
        answer_kind::odd, false, 0},
    {"no mark, another length", 200, "", 150, "", false, 0, false, HAVE, answer_kind::whole, false,
        150},
    {"the same, but a pin decides", 200, "", 150, "\"v1\"", false, 0, false, PINNED,
        answer_kind::whole, false, 150},

    // one of several connections
    {"a part of several", 206, "bytes 200-249/300", 50, "\"v1\"", true, 200, true, HAVE,
        answer_kind::part, false, 250},
    {"all of it for a part of several", 200, "", 300, "\"v1\"", true, 200, true, HAVE,
        answer_kind::odd, false, 0},
    {"the same of another version", 200, "", 300, "\"v2\"", true, 200, true, HAVE, answer_kind::odd,
        true, 0},
    {"all of it under 206 for a part of several", 206, "bytes 0-299/300", 300, "\"v1\"", true, 200,
        true, HAVE, answer_kind::odd, false, 0},
};
#undef HAVE
#undef PINNED
#undef UNTOLD
#undef NOTHING

// What follows; each row says what is different from a first try that was cut with nothing gained.
policy::attempt cut() {
  policy::attempt a;
  a.failure = errc::truncated;
  a.code = 200;
  a.fruitless = 1;
  return a;
}

template <class F>
policy::attempt but(const F& change) {
  policy::attempt a = cut();
  change(a);
  return a;
}

template <class F>
policy::attempt answered(int code, const F& change) {
  policy::attempt a = cut();
  a.failure = errc::http_status;
  a.code = code;
  change(a);
  return a;
}

template <class F>
policy::attempt for_the_rest(int code, const F& change) {
  return answered(code, [&](policy::attempt& a) {
    a.wanted_rest = true;
    change(a);
  });
}

using changed = policy::attempt&;

struct step_row {
  const char* title;
  policy::attempt made;
  next_step want;
};

std::vector<step_row> steps() {
  const auto nothing = [](changed) {
  };
  const auto thrice = [](changed a) {
    a.fruitless = 3;
  };
  const auto twice = [](changed a) {
    a.fruitless = 2;
  };
  const auto served = [](changed a) {
    a.parts = ranges::honoured, a.fruitless = 3;
  };
  const auto taken = [](changed a) {
    a.host_is_taken = true;
  };
  const auto odd = [](changed a) {
    a.is_odd = true;
  };
  return {
      {"cut", cut(), next_step::try_again},
      {"cut twice", but(twice), next_step::try_again},
      {"cut three times", but(thrice), next_step::next_source},
      {"stalled", but([](changed a) { a.failure = errc::timed_out; }), next_step::try_again},
      {"no connection", but([](changed a) { a.failure = errc::connection, a.code = 0; }),
          next_step::try_again},
      {"TLS", but([](changed a) { a.failure = errc::tls, a.code = 0; }), next_step::next_source},
      {"a full disk", but([](changed a) { a.failure = errc::no_space, a.is_ours = true; }),
          next_step::stop},
      {"a local file", but([](changed a) { a.is_local = true; }), next_step::next_source},
      {"a thousand tries", but([](changed a) { a.tries = 1000; }), next_step::next_source},

      {"503", answered(503, nothing), next_step::try_again},
      {"202, which is odd, too", answered(202, odd), next_step::try_again},
      {"408", answered(408, nothing), next_step::try_again},
      {"429", answered(429, nothing), next_step::try_again},
      {"503 three times", answered(503, thrice), next_step::next_source},
      {"503, in two minutes", answered(503, [](changed a) { a.wait = 120; }), next_step::try_again},
      {"503, tomorrow", answered(503, [](changed a) { a.wait = 121; }), next_step::next_source},
      {"401", answered(401, nothing), next_step::next_source},
      {"403", answered(403, nothing), next_step::next_source},
      {"404", answered(404, nothing), next_step::next_source},
      {"410", answered(410, nothing), next_step::next_source},
      {"204", answered(204, odd), next_step::next_source},
      {"marks that contradict each other", answered(200, odd), next_step::next_source},

      {"wrong bytes of one answer", but([](changed a) { a.is_wrong = true; }),
          next_step::next_source},
      {"wrong bytes of several", but([](changed a) { a.is_wrong = a.is_mixed = true; }),
          next_step::try_again},
      {"wrong bytes of several, again and again",
          but([](changed a) { a.is_wrong = a.is_mixed = true, a.fruitless = 3; }),
          next_step::next_source},

      {"the host is taken: 503", answered(503, taken), next_step::take_turns},
      {"the host is taken: 429", answered(429, taken), next_step::take_turns},
      {"the host is taken: 403", answered(403, taken), next_step::take_turns},
      {"the host is taken: refused",
          but([](changed a) { a.failure = errc::connection, a.code = 0, a.host_is_taken = true; }),
          next_step::take_turns},
      {"the host is taken, come back tomorrow",
          answered(503, [](changed a) { a.host_is_taken = true, a.wait = 9999; }),
          next_step::take_turns},
      {"the host is taken: 404 is of the file", answered(404, taken), next_step::next_source},
      {"the host is taken, but it was a cut", but(taken), next_step::try_again},
      {"403 just after a turn", answered(403, [](changed a) { a.had_turn = true; }),
          next_step::try_again},

      {"403 some time after a turn",
          answered(403, [](changed a) { a.had_turn = true, a.fruitless = 2; }),
          next_step::next_source},

      {"a part: 503", for_the_rest(503, nothing), next_step::try_again},
      {"a part: 503, tomorrow", for_the_rest(503, [](changed a) { a.wait = 9999; }),
          next_step::whole_file},
      {"a part: 503, tomorrow, where parts are served",
          for_the_rest(503, [](changed a) { a.wait = 9999, a.parts = ranges::honoured; }),
          next_step::next_source},
      {"a part: 503 three times", for_the_rest(503, thrice), next_step::whole_file},
      {"a part: 429 three times", for_the_rest(429, thrice), next_step::whole_file},
      {"a part: 404", for_the_rest(404, nothing), next_step::whole_file},
      {"a part: 410", for_the_rest(410, nothing), next_step::whole_file},
      {"a part: 404 where parts are served", for_the_rest(404, served), next_step::next_source},
      {"a part: 503 where parts are served", for_the_rest(503, served), next_step::next_source},
      {"a part: 403", for_the_rest(403, nothing), next_step::try_again},
      {"a part: 403 twice", for_the_rest(403, twice), next_step::whole_file},
      {"a part: 403, another source is there",
          for_the_rest(403, [](changed a) { a.denied = true; }), next_step::whole_file},
      {"a part: 416", for_the_rest(416, nothing), next_step::whole_file},
      {"a part: an odd 206", for_the_rest(206, odd), next_step::whole_file},
      {"a part: an odd 200", for_the_rest(200, odd), next_step::whole_file},
      {"a part: an odd 204", for_the_rest(204, odd), next_step::try_again},
      {"a part: an odd 204, twice",
          for_the_rest(204, [](changed a) { a.is_odd = true, a.fruitless = 2; }),
          next_step::whole_file},
      {"a part: an odd 206 where parts are served",
          for_the_rest(206, [](changed a) { a.is_odd = true, a.parts = ranges::honoured; }),
          next_step::try_again},
      {"a part: the file has changed",
          for_the_rest(206, [](changed a) { a.is_odd = a.has_changed = true; }),
          next_step::whole_file},
      {"a part: stalled three times",
          for_the_rest(0, [](changed a) { a.failure = errc::timed_out, a.fruitless = 3; }),
          next_step::whole_file},
      {"a part: nobody there, three times",
          for_the_rest(0, [](changed a) { a.failure = errc::connection, a.fruitless = 3; }),
          next_step::next_source},
  };
}

}  // namespace

TEST_SUITE_BEGIN("decisions");

TEST_CASE("what the head of an answer asks of us") {
  for (const head_row& r : heads) {
    CAPTURE(r.title);
    http::headers headers{{"content-range", r.range}, {"etag", r.validator}};
    if (r.length != untold) headers.push_back({"content-length", std::to_string(r.length)});
    const http::response_head head = http::read_head(r.code, headers);
    const policy::verdict v = policy::judge_head(
        head, {r.asked_part, r.first, r.siblings}, {r.size, r.total, r.known, r.pinned});
    CHECK(std::string(name_of(v.kind)) == name_of(r.want));
    CHECK(v.has_changed == r.changed);
    CHECK(v.end == r.end);
    CHECK((v.kind == answer_kind::odd) == !v.why.empty());
  }
}

TEST_CASE("what follows a try that failed") {
  for (const step_row& r : steps()) {
    CAPTURE(r.title);
    CHECK(std::string(name_of(policy::decide(r.made))) == name_of(r.want));
  }
}

TEST_CASE("what is advised about an error of the server") {
  using policy::credentials;

  const struct {
    int code;
    credentials theirs;
    const char* said;  // empty: nothing
  } rows[] = {
      {401, credentials::none, "it needs credentials"},
      {403, credentials::none, "has expired"},
      {401, credentials::sent, "do not suffice"},
      {403, credentials::sent, "has expired"},
      {401, credentials::kept_back, "not on to this one"},
      {403, credentials::kept_back, "not on to this one"},
      {404, credentials::none, "mistyped"},
      {404, credentials::kept_back, "mistyped"},
      {410, credentials::sent, "not there any more"},
      {500, credentials::none, ""},
      {503, credentials::kept_back, ""},
      {407, credentials::none, ""},
  };

  for (const auto& row : rows) {
    CAPTURE(row.code);
    const std::string told = policy::hint_about(row.code, row.theirs);
    CHECK_MESSAGE(told.empty() == (row.said[0] == '\0'), told);
    CHECK_MESSAGE(told.find(row.said) != std::string::npos, told);
  }
  for (const int code : {403, 407, 502, 503, 504})
    CHECK(policy::may_be_of_proxy(code));
  for (const int code : {200, 401, 404, 410, 429, 500, 501, 505})
    CHECK_FALSE(policy::may_be_of_proxy(code));
}

TEST_SUITE_END();
