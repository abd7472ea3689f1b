// How long a request to a store may take, and what the transports make of one that sends something:
// pure functions of >>transport and >>dialogue.
#include "vqcache.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace t = vqcache::detail::transport;
namespace d = vqcache::detail::dialogue;

namespace {

using strings = vqcache::detail::list<std::string>;

t::transfer_request request(const std::string& method, std::string_view body = {}) {
  t::transfer_request asked;
  asked.url = "http://h/p";
  asked.method = method;
  if (!body.empty()) asked.body = t::outgoing::of(body);
  return asked;
}

bool has(const strings& all, const std::string& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

}  // namespace

TEST_SUITE_BEGIN("unit dialogue");

TEST_CASE("what has to move in which time follows from the state of a request") {
  struct row {
    d::state now;
    unsigned connect, stall;
    std::uint64_t sent;
    unsigned limit;
    const char* method = "PUT";
  };

  static const row rows[] = {{d::state::sending, 20, 30, 0, 50},
      {d::state::sending, 20, 30, 131072, 50}, {d::state::sending, 20, 30, 131073, 30},
      {d::state::waiting, 20, 30, 0, 110}, {d::state::waiting, 1, 1, 1000, 4},
      {d::state::waiting, 20, 30, 0, 110, "POST"}, {d::state::waiting, 20, 30, 0, 110, "MOVE"},
      {d::state::waiting, 20, 30, 0, 50, "GET"}, {d::state::waiting, 20, 30, 0, 50, "HEAD"},
      {d::state::receiving, 20, 30, 0, 30}, {d::state::sending, 20, 0, 0, 0},
      {d::state::waiting, 20, 0, 0, 0}, {d::state::receiving, 20, 0, 0, 0},
      {d::state::waiting, 2147483, 2147483, 0, 2147483}};
  for (const row& r : rows) {
    t::transfer_request asked;
    asked.connect_seconds = r.connect;
    asked.stall_seconds = r.stall;
    asked.method = r.method;
    CHECK(d::patience(r.now, asked, r.sent) == r.limit);
  }
}

TEST_CASE("curl adds no type, waits for no 100, and always tells a length") {
  CHECK(t::lines_for_curl(request("GET")) == strings{"Accept:"});
  CHECK(t::lines_for_curl(request("DELETE")) == strings{"Accept:"});
  CHECK(t::lines_for_curl(request("PUT")) == strings{"Accept:", "Content-Length: 0"});
  CHECK(t::lines_for_curl(request("POST")) == strings{"Accept:", "Content-Length: 0"});
  CHECK(t::lines_for_curl(request("PUT", "x")) == strings{"Accept:", "Expect:", "Content-Type:"});

  t::transfer_request asked = request("POST", "x");
  asked.headers = {"content-type: text/xml", "accept: */*"};
  CHECK(t::lines_for_curl(asked) == strings{"Expect:"});
}

TEST_CASE("the program gets its method by arguments, and all else through a pipe") {
  t::transfer_request asked = request("PUT", "four");
  asked.url = "http://h/C4n4ry\"\\";
  asked.headers = {"Authorization: C4n4ry"};
  asked.path = t::path_form::dots_go_out;
  const strings arguments = t::program_arguments(asked);
  for (const char* word : {"-X", "PUT", "-T", "-", "/dev/fd/3", "--path-as-is"})
    CHECK_MESSAGE(has(arguments, word), word);
  for (const std::string& word : arguments)
    CHECK(word.find("C4n4ry") == std::string::npos);

  const std::string input = t::program_input(asked);
  for (const char* line :
      {"url = \"http://h/C4n4ry\\\"\\\\\"\n", "header = \"Content-Length: 4\"\n",
          "header = \"Transfer-Encoding:\"\n", "header = \"Authorization: C4n4ry\"\n"})
    CHECK_MESSAGE(input.find(line) != std::string::npos, line);

  CHECK(has(t::program_arguments(request("HEAD")), "-I"));
  const strings get = t::program_arguments(request("GET"));
  for (const char* word : {"-X", "-T", "-I", "--path-as-is"})
    CHECK_MESSAGE(!has(get, word), word);
}

TEST_CASE("only a request that means the same twice may go out over a kept connection") {
  for (const char* method : {"GET", "HEAD", "PUT", "DELETE"})
    CHECK_MESSAGE(t::may_arrive_twice(method), method);
  for (const char* method : {"POST", "MKCOL", "MOVE", "PROPFIND"})
    CHECK_MESSAGE(!t::may_arrive_twice(method), method);
}

TEST_CASE("what goes out is read in blocks, and again from any place") {
  t::outgoing_reader reader(t::outgoing::of("0123456789"));
  char block[4];
  std::string all;
  while (!reader.is_at_end()) {
    auto came = reader.read(block, sizeof block);
    REQUIRE(came.ok());
    all.append(block, *came);
  }
  CHECK(all == "0123456789");
  CHECK(*reader.read(block, sizeof block) == 0);
  CHECK(!reader.go_to(11));
  CHECK(reader.go_to(7));
  CHECK(*reader.read(block, sizeof block) == 3);
  CHECK(std::string(block, 3) == "789");
}

TEST_SUITE_END();
