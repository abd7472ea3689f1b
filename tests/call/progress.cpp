// The ready progress line: over itself on a terminal, a line for each tenth of a file in a log.
#include <doctest/doctest.h>

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "world.hpp"

namespace {

using namespace world;

vqcache::progress at(std::uint64_t done, std::uint64_t total, double rate = 0, double left = -1,
    const char* file = "m.ckpt", vqcache::phase what = vqcache::phase::downloading) {
  return {"m", file, what, done, total, rate, left};
}

// what the line writes to a plain file
std::string in_a_log(const std::vector<vqcache::progress>& all) {
  std::FILE* f = std::tmpfile();
  REQUIRE(f);
  vqcache::progress_line line{f};
  for (const auto& p : all)
    CHECK(line(p));
  std::rewind(f);
  std::string text(65536, '\0');
  text.resize(std::fread(&text[0], 1, text.size(), f));
  std::fclose(f);
  return text;
}

// and what it writes to a terminal, as its other end gets it (with \r\n for \n)
std::string on_a_terminal(const std::vector<vqcache::progress>& all) {
  const int master = ::posix_openpt(O_RDWR | O_NOCTTY);
  REQUIRE(master >= 0);
  REQUIRE(::grantpt(master) == 0);
  REQUIRE(::unlockpt(master) == 0);
  std::FILE* f = ::fdopen(::open(::ptsname(master), O_RDWR | O_NOCTTY), "w");
  REQUIRE(f);
  vqcache::progress_line line{f};
  for (const auto& p : all)
    CHECK(line(p));
  std::string text;
  char block[4096];
  pollfd news{master, POLLIN, 0};
  while (::poll(&news, 1, 500) > 0) {  // what was written takes its time through the kernel
    const ssize_t n = ::read(master, block, sizeof block);
    if (n <= 0) break;
    text.append(block, static_cast<std::size_t>(n));
  }
  std::fclose(f);
  ::close(master);
  return text;
}

}  // namespace

TEST_SUITE("progress") {
  TEST_CASE("in a log there is one line for each tenth of a file, and none for a small one") {
    std::vector<vqcache::progress> all;
    all.push_back(at(0, 300, 0, -1, "m.yaml"));
    all.push_back(at(300, 300, 0, -1, "m.yaml"));
    for (std::uint64_t i = 0; i <= 1000; ++i)
      all.push_back(at(i * 980000, 980000000, 25e6, 7));
    all.push_back(at(0, 980000000, 0, -1, "m.ckpt", vqcache::phase::storing));
    const std::string text = in_a_log(all);
    CHECK(std::count(text.begin(), text.end(), '\n') == 12);
    CHECK(text.find('\r') == std::string::npos);
    CHECK(text.find("m.yaml") == std::string::npos);
    CHECK(text.find("downloading m.ckpt 0% of 980.0 MB, 25.0 MB/s, 7 s left\n") == 0);
    CHECK(text.find("downloading m.ckpt 70% of 980.0 MB") != std::string::npos);
    CHECK(text.find("downloading m.ckpt 100% of 980.0 MB") != std::string::npos);
    CHECK(text.find("storing m.ckpt 0% of 980.0 MB\n") != std::string::npos);
  }

  TEST_CASE("on a terminal it is one line over itself, which ends with the file") {
    if (lacks(part::terminal)) return;
    const std::string text = on_a_terminal(
        {at(0, 980000000), at(98000000, 980000000, 20e6, 44.1), at(980000000, 980000000, 20e6, 0)});
    CHECK(text.find("\rdownloading m.ckpt 0% of 980.0 MB ") == 0);
    CHECK(text.find("\rdownloading m.ckpt 10% of 980.0 MB, 20.0 MB/s, 44 s left ")
        != std::string::npos);
    CHECK(std::count(text.begin(), text.end(), '\n') == 1);
    CHECK(text.back() == '\n');
    // each covers the one before, and leaves the cursor where the next thing said covers it
    std::size_t from = 0;
    for (int i = 0; i < 2; ++i) {
      const std::size_t end = text.find('\r', from + 1);
      REQUIRE(end != std::string::npos);
      CHECK(end - from == 79);
      CHECK(text[end + 1] == '\r');
      from = end + 1;
    }
  }

  TEST_CASE("a size that nobody knows is no percentage, and a long name does no harm") {
    CHECK(in_a_log({at(12345678, 0)}).empty());
    if (lacks(part::terminal)) return;
    CHECK(on_a_terminal({at(12345678, 0)}).find("\rdownloading m.ckpt 12.3 MB ") == 0);
    CHECK(on_a_terminal({at(0, 700)}).find("\rdownloading m.ckpt 0% of 700 B") == 0);
    CHECK(on_a_terminal({at(99999, 0)}).find("\rdownloading m.ckpt 99.9 kB ") == 0);
    const std::string name(300, 'n');
    const std::string text = on_a_terminal({at(5, 10, 1e15, 1e15, name.c_str())});
    CHECK(text.find(name) != std::string::npos);
  }

  TEST_CASE("it shows a call from its beginning to its end") {
    place w;
    std::FILE* f = std::tmpfile();
    REQUIRE(f);
    auto o = w.options();
    o.on_progress = vqcache::progress_line{f};
    const std::string big(3000000, 'x');
    w.pages[checkpoint_url].body = big;
    w.pages[checkpoint_url].headers = {{"Content-Length", std::to_string(big.size())}};
    CHECK(w.call_with(o, "m").ok());
    std::rewind(f);
    std::string text(65536, '\0');
    text.resize(std::fread(&text[0], 1, text.size(), f));
    std::fclose(f);
    for (const char* part : {"downloading m.ckpt 100% of 3.0 MB", "storing m.ckpt 100% of 3.0 MB"})
      CHECK_MESSAGE(text.find(part) != std::string::npos, text);
  }
}
