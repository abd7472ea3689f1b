// What on_message may be, and how much each message matters.
#include <doctest/doctest.h>

#include <iostream>
#include <string_view>

#include "world.hpp"

using namespace world;
using vqcache::message;
using vqcache::severity;

namespace {

lines heard_by_function;

void hear(const std::string& line) {
  heard_by_function.push_back(line);
}

void hear_message(const message& line) {
  heard_by_function.push_back(line);
}

struct with_severity {
  std::vector<message> all{};

  void listen_to(vqcache::options& o) {
    o.on_message = [this](const message& one) {
      all.push_back(one);
    };
  }

  // The severities of the lines that have this part, one letter each.
  std::string of(const std::string& part) const {
    std::string letters;
    for (const message& one : all) {
      if (one.find(part) == std::string::npos) continue;
      letters += one.how == severity::information ? 'i' : one.how == severity::warning ? 'w' : 'f';
    }
    return letters;
  }
};

}  // namespace

TEST_SUITE("messages") {
  TEST_CASE("on_message takes whatever took a string before there were severities") {
    vqcache::options o;
    lines heard;
    const auto keep = [&heard](std::string line) {
      heard.push_back(std::move(line));
    };
    const auto send = [&o] {
      const std::string text = "a string";
      o.on_message("a literal");
      o.on_message(text);
      o.on_message(std::string("a temporary"));
      o.on_message({"a literal in braces"});
    };
    const lines all = {"a literal", "a string", "a temporary", "a literal in braces"};

    o.on_message = [&heard](const std::string& line) {
      heard.push_back(line);
    };
    send();
    CHECK(std::exchange(heard, {}) == all);

    o.on_message = keep;
    send();
    CHECK(std::exchange(heard, {}) == all);

    o.on_message = [&heard](auto&& line) {
      heard.push_back(line);
    };
    send();
    CHECK(std::exchange(heard, {}) == all);

    o.on_message = [&heard](const auto& line) {
      const std::string text = line;
      heard.push_back(text.empty() || line == "" ? "" : (line + "").substr(0, line.size()));
    };
    send();
    CHECK(std::exchange(heard, {}) == all);

    o.on_message = [&heard](auto line) {
      std::ostream quiet(nullptr);
      quiet << line << '\n';
      heard.push_back(line);
    };
    send();
    CHECK(std::exchange(heard, {}) == all);

    o.on_message = [&heard](std::string_view line) {
      heard.emplace_back(line);
    };
    send();
    CHECK(std::exchange(heard, {}) == all);

    o.on_message = hear;
    send();
    CHECK(std::exchange(heard_by_function, {}) == all);

    o.on_message = &hear_message;
    send();
    CHECK(std::exchange(heard_by_function, {}) == all);

    const std::function<void(const std::string&)> before = hear;
    o.on_message = before;
    send();
    CHECK(std::exchange(heard_by_function, {}) == all);

    const std::function<void(const std::string&)> after = o.on_message;
    after("back");
    CHECK(heard_by_function == lines{"back"});

    o.on_message = vqcache::print_message;
    o.on_message = nullptr;
    CHECK(!o.on_message);
  }

  TEST_CASE("a message is information, unless it is made to be more") {
    CHECK(message().how == severity::information);
    CHECK(message("a").how == severity::information);
    CHECK(message(std::string("a")).how == severity::information);
    CHECK(message("a", severity::failure).how == severity::failure);
    CHECK(message("a", severity::failure) == "a");
  }

  TEST_CASE("how a call goes on is information") {
    place w;
    with_severity told;
    vqcache::options o = w.options();
    told.listen_to(o);
    REQUIRE(w.call_with(o, "m").ok());
    REQUIRE(w.call_with(o, "m").ok());
    w.wipe_local();
    REQUIRE(w.call_with(o, "m").ok());
    CHECK(told.all.size() == 3);
    CHECK(told.of("The model (m) ") == "iii");
  }

  TEST_CASE("a cache that takes no copy is a warning, and so is what is put aside") {
    place w;
    with_severity told;
    vqcache::options o = w.options();
    told.listen_to(o);
    write(w.cache, "a file in the place of the directory");
    REQUIRE(w.call_with(o, "m").ok());
    CHECK(told.of("but not in the cache") == "w");

    fs::remove(w.cache);
    REQUIRE(w.call_with(o, "m").ok());
    w.wipe_local();
    write(w.in_cache("m", "m.ckpt"), flipped(checkpoint(), 5000));
    REQUIRE(w.call_with(o, "m").ok());
    CHECK(told.of("it was put aside as") == "w");
    CHECK(told.of("It could not be restored whole") == "f");
  }

  TEST_CASE("what is served unverified, and another address, are warnings") {
    place w;
    with_severity told;
    vqcache::options o = w.options();
    told.listen_to(o);
    fs::create_directories(w.local);
    write(w.in_local("m.yaml"), config());
    write(w.in_local("m.ckpt"), checkpoint());
    REQUIRE(w.call_with(o, "m").ok());
    CHECK(told.of("Nothing vouches for") == "ww");

    REQUIRE(w.call_with(o, "n").ok());
    w.serve("http://origin.test/other.ckpt", {checkpoint()});
    REQUIRE(w.call_with(o, "n", config_url, "http://origin.test/other.ckpt").ok());
    CHECK(told.of("came from") == "w");
  }

  TEST_CASE("a source that fails is a failure, which tells why, and the next one serves") {
    place w;
    with_severity told;
    vqcache::options o = w.options();
    told.listen_to(o);
    const vqcache::source two({"http://gone.test/last.ckpt?token=hidden", checkpoint_url.c_str()});
    REQUIRE(w.call_with(o, "m", config_url, two).ok());
    REQUIRE(told.of("has failed") == "f");
    const std::string line = told.all.back();
    CHECK_MESSAGE(
        line.find("The source http://gone.test/last.ckpt?token=*** of m.ckpt has failed: ") == 0,
        line);
    CHECK_MESSAGE(line.find("404") != std::string::npos, line);
    CHECK_MESSAGE(line.find("; taking the next one.") != std::string::npos, line);
    CHECK(line.find("hidden") == std::string::npos);
  }
}
