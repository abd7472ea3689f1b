// The room >>worker: a thread that reads behind a writer. Its states, what ends it, and that every
// byte is taken once and in order.
#include "vqcache.hpp"

#include "support.hpp"
#include "unit/shared.hpp"

#include <doctest/doctest.h>

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace d = vqcache::detail;
namespace os = d::os;
namespace worker = d::worker;
using state = worker::digest_worker::state;
using d::status;
using shared::opened;
using shared::some_bytes;

namespace {

namespace fs = std::filesystem;

struct reading {  // of one file, by one worker
  support::temp_dir at{};
  fs::path path;
  std::string written;
  std::string taken{};  // by the thread
  int ends = 0;
  worker::digest_worker of{};

  explicit reading(const std::string& content) : path(at / "file"), written(content) {
    support::write_file(path, content);
  }

  status take(std::string_view bytes) {
    taken += bytes;
    ends += bytes.empty();
    return {};
  }

  status start(std::uint64_t from = 0) {
    return of.start(opened(path), path, from, [this](std::string_view b) { return take(b); });
  }

  status start_with(worker::digest_worker::taker f) {
    return of.start(opened(path), path, 0, std::move(f));
  }

  status finish() {
    return of.finish(written.size(), [](std::uint64_t) { return status(); });
  }

  bool becomes(state wanted) const {  // within ten seconds
    for (int i = 0; i < 10000 && of.current() != wanted; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return of.current() == wanted;
  }
};

status a_failure() {
  return d::fail(vqcache::errc::io, {"the taker does not want it"});
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool has_own_memory = true;  // a sanitizer's
#elif defined(__linux__)
constexpr bool has_own_memory = false;
#else
constexpr bool has_own_memory = true;
#endif

class little_memory {  // while one lives no more than so many bytes can be mapped
 public:
  explicit little_memory(std::uint64_t more) : limit_(RLIMIT_AS, mapped() + more) {}

 private:
  static std::uint64_t mapped() {
    std::uint64_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;  // whoever makes one asks for /proc first
    return pages * 4096;
  }

  shared::resource_limit limit_;
};

class waiting_threads {  // as many as can be had: the C library keeps the stacks of earlier ones
 public:
  waiting_threads() {
    for (pthread_t id{}; all_.size() < 1000; all_.push_back(id))
      if (::pthread_create(&id, nullptr, &wait, &may_end_) != 0) break;
  }

  waiting_threads(const waiting_threads&) = delete;
  waiting_threads& operator=(const waiting_threads&) = delete;

  ~waiting_threads() {
    may_end_ = true;
    for (const pthread_t id : all_)
      (void)::pthread_join(id, nullptr);
  }

 private:
  static void* wait(void* may_end) {
    while (!*static_cast<std::atomic<bool>*>(may_end))
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return nullptr;
  }

  std::atomic<bool> may_end_{false};
  std::vector<pthread_t> all_{};
};

constexpr std::size_t three_megabytes = 3 << 20;

}  // namespace

TEST_SUITE("unit worker") {
  TEST_CASE("it is idle, runs, drains, and is idle again; the end is told once") {
    reading r(some_bytes(three_megabytes + 7));
    CHECK(r.of.current() == state::idle);
    CHECK_FALSE(r.of.is_started());
    CHECK_MESSAGE(r.finish().ok(), "of one that was not started nothing is asked");

    REQUIRE(r.start().ok());
    CHECK(r.of.current() == state::running);
    CHECK(r.of.is_started());
    r.of.may_read_until(r.written.size());
    CHECK(r.of.current() == state::running);

    CHECK(r.finish().ok());
    CHECK(r.of.current() == state::idle);
    CHECK(r.taken == r.written);
    CHECK(r.ends == 1);
  }

  TEST_CASE("nothing is read beyond what may be, and a start in the middle is one") {
    reading r(some_bytes(three_megabytes));
    REQUIRE(r.start(1000).ok());
    CHECK(r.of.done() == 1000);
    r.of.may_read_until(2 << 20);
    for (int i = 0; i < 10000 && r.of.done() < (1 << 20); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    CHECK(r.of.done() >= 1 << 20);
    CHECK(r.of.done() <= 2 << 20);
    r.of.may_read_until(1 << 20);  // what has been allowed stays so

    CHECK(r.finish().ok());
    CHECK(r.taken == r.written.substr(1000));
    CHECK(r.ends == 1);
  }

  TEST_CASE("behind a writer no byte is skipped or read twice") {
    for (const std::size_t size :
        {std::size_t{0}, std::size_t{1}, std::size_t{1} << 18, (std::size_t{5} << 20) + 12345}) {
      CAPTURE(size);
      const std::string all = some_bytes(size);
      reading r("");
      r.written = all;
      os::file file;
      REQUIRE(os::open(r.path, os::mode::update, file) == 0);
      REQUIRE(r.start().ok());

      std::uint64_t x = size;
      for (std::size_t at = 0; at < size;) {
        x = x * 1103515245 + 12345;
        const std::size_t n = (std::min)(size - at, std::size_t{1} + (x >> 16) % 400000);
        REQUIRE(os::write_at(file, at, std::string_view(all).substr(at, n)) == 0);
        at += n;
        r.of.may_read_until(at);
        if (x % 7 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
      CHECK(r.finish().ok());
      CHECK(r.taken == all);
      CHECK(r.ends == 1);
    }
  }

  TEST_CASE("a taker that fails ends it, and finish() says with what") {
    reading r(some_bytes(three_megabytes));
    REQUIRE(r.start_with([](std::string_view) { return a_failure(); }).ok());
    r.of.may_read_until(r.written.size());
    CHECK(r.becomes(state::failed));
    CHECK(r.of.is_started());
    CHECK(r.of.done() == 0);

    const status s = r.finish();
    CHECK(s.text == "the taker does not want it");
    CHECK(r.of.current() == state::idle);
    CHECK_MESSAGE(r.of.stop().ok(), "it is told once");
  }

  TEST_CASE("no exception of a taker leaves the thread: neither one of memory nor another") {
    reading r(some_bytes(three_megabytes));
    REQUIRE(r.start_with([](std::string_view) -> status { throw std::bad_alloc(); }).ok());
    r.of.may_read_until(r.written.size());
    status s = r.finish();
    CHECK(s.cause == std::errc::not_enough_memory);
    CHECK(s.text == "out of memory");

    REQUIRE(r.start_with([](std::string_view) -> status { throw std::runtime_error("odd"); }).ok());
    s = r.finish();  // while draining
    CHECK(s.code == vqcache::errc::io);
    CHECK(s.cause);
    CHECK_MESSAGE(s.text.find("odd") != std::string::npos, s.text);

    REQUIRE(r.start_with([](std::string_view) -> status { throw 7; }).ok());
    r.of.may_read_until(r.written.size());
    CHECK(r.becomes(state::failed));
    CHECK_FALSE(r.of.stop().ok());
  }

  TEST_CASE("it can be stopped in each state, and started again") {
    reading r(some_bytes(three_megabytes));
    std::atomic<bool> may_go_on{false};
    std::atomic<int> blocks{0};
    const auto slow = [&](std::string_view) {
      ++blocks;
      while (!may_go_on)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      return status();
    };
    const auto wait_for_block = [&blocks] {
      for (int i = 0; i < 10000 && blocks == 0; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    };
    CHECK(r.of.stop().ok());  // idle

    REQUIRE(r.start().ok());  // running, with nothing to do
    CHECK(r.of.stop().ok());
    CHECK(r.taken.empty());
    CHECK(r.of.done() == 0);

    REQUIRE(r.start_with(slow).ok());  // running, within a block
    r.of.may_read_until(r.written.size());
    wait_for_block();
    may_go_on = true;
    CHECK(r.of.stop().ok());
    CHECK(r.of.current() == state::idle);

    blocks = 0;
    may_go_on = false;
    REQUIRE(r.start_with(slow).ok());  // draining: whose step wants no more
    const status told = r.of.finish(r.written.size(), [&](std::uint64_t) {
      wait_for_block();
      return a_failure();
    });
    CHECK(told.text == "the taker does not want it");
    CHECK(r.of.current() == state::draining);
    may_go_on = true;
    CHECK(r.of.stop().ok());

    may_go_on = false;
    REQUIRE(r.start_with(slow).ok());  // finished
    (void)r.of.finish(r.written.size(), [&](std::uint64_t) {
      may_go_on = true;
      CHECK(r.becomes(state::finished));
      return a_failure();
    });
    CHECK(r.of.current() == state::finished);
    CHECK(r.of.stop().ok());

    REQUIRE(r.start_with([](std::string_view) { return a_failure(); }).ok());  // failed
    r.of.may_read_until(r.written.size());
    CHECK(r.becomes(state::failed));
    CHECK_FALSE(r.of.stop().ok());

    r.taken.clear();
    REQUIRE(r.start().ok());
    CHECK(r.finish().ok());
    CHECK(r.taken == r.written);
  }

  TEST_CASE("what fails in the block that was under way when it was stopped is told") {
    reading r(some_bytes(three_megabytes));
    std::atomic<bool> is_in_block{false};
    REQUIRE(
        r.start_with([&](std::string_view) {
           is_in_block = true;
           while (r.of.is_started())
             std::this_thread::sleep_for(std::chrono::milliseconds(1));
           return a_failure();
         }).ok());
    r.of.may_read_until(r.written.size());
    while (!is_in_block)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    CHECK_FALSE(r.of.stop().ok());
    CHECK(r.of.current() == state::idle);
  }

  TEST_CASE("the caller is asked several times a second, however slow a block is") {
    reading r(some_bytes(1000));
    std::atomic<bool> is_over{false};
    int asked = 0;
    REQUIRE(
        r.start_with([&is_over](std::string_view) {
           while (!is_over)
             std::this_thread::sleep_for(std::chrono::milliseconds(1));
           return status();
         }).ok());
    const auto began = std::chrono::steady_clock::now();
    const status s = r.of.finish(1000, [&](std::uint64_t) {
      is_over = ++asked == 5;
      return status();
    });
    CHECK(s.ok());
    CHECK(asked >= 5);
    CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(3));  // 0.25
  }

  TEST_CASE("the caller's wish to end is what finish() returns, and soon") {
    reading r(some_bytes(1000));
    std::atomic<bool> is_over{false};
    REQUIRE(
        r.start_with([&is_over](std::string_view) {
           while (!is_over)
             std::this_thread::sleep_for(std::chrono::milliseconds(1));
           return status();
         }).ok());
    const auto began = std::chrono::steady_clock::now();
    const status s = r.of.finish(1000, [&](std::uint64_t) {
      const bool wants = std::chrono::steady_clock::now() - began < std::chrono::milliseconds(200);
      return wants ? status() : a_failure();
    });
    const auto took = std::chrono::steady_clock::now() - began;
    CHECK_FALSE(s.ok());
    CHECK(took < std::chrono::seconds(3));  // 0.25
    is_over = true;
  }

  TEST_CASE("a file that became shorter is a failure, and no byte is made up") {
    reading r(some_bytes(three_megabytes));
    REQUIRE(r.start().ok());
    const status s = r.of.finish(r.written.size() + 1, [](std::uint64_t) { return status(); });
    CHECK_MESSAGE(s.text.find("became shorter") != std::string::npos, s.text);
    CHECK(r.written.compare(0, r.taken.size(), r.taken) == 0);
    CHECK(r.ends == 0);
  }

  TEST_CASE("without memory for its block it does not start, and that is a failure like others") {
    if (has_own_memory || support::lacks(support::part::proc)) return;
    // what malloc holds back could serve once
    const std::unique_ptr<char[]> some(new char[1 << 20]);
    reading r(some_bytes(three_megabytes));
    status s;
    {
      os::file file = opened(r.path);
      std::vector<std::unique_ptr<char[]>> taken;
      taken.reserve(1000);
      const little_memory none(0);
      for (char* more = nullptr; taken.size() < 1000; taken.emplace_back(more)) {
        more = new (std::nothrow) char[worker::block_size];
        if (!more) break;
      }
      s = r.of.start(std::move(file), r.path, 0, nullptr);
    }
    CHECK(s.cause == std::errc::not_enough_memory);
    CHECK(r.of.current() == state::idle);
    REQUIRE(r.start().ok());
    CHECK(r.finish().ok());
    CHECK(r.taken == r.written);
  }

  TEST_CASE("where no thread can be had, finish() reads") {
    if (has_own_memory || support::lacks(support::part::proc)) return;
    reading r(some_bytes(three_megabytes + 5));
    rlimit stack{};
    REQUIRE(::getrlimit(RLIMIT_STACK, &stack) == 0);
    if (stack.rlim_cur == RLIM_INFINITY || stack.rlim_cur < (4 << 20)) return;

    int asked = 0;
    const auto me = std::this_thread::get_id();
    bool is_mine = true;
    {
      const little_memory no_stack(2 << 20);
      const waiting_threads all_old_stacks;
      REQUIRE(
          r.start_with([&](std::string_view bytes) {
             is_mine = is_mine && std::this_thread::get_id() == me;
             return r.take(bytes);
           }).ok());
    }
    r.of.may_read_until(r.written.size());
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    CHECK(r.of.done() == 0);
    const status s = r.of.finish(r.written.size(), [&asked](std::uint64_t) {
      ++asked;
      return status();
    });
    CHECK(s.ok());
    CHECK(is_mine);
    CHECK(asked > 10);  // before each block
    CHECK(r.taken == r.written);
    CHECK(r.ends == 1);
  }

  TEST_CASE("one that goes away while its thread reads waits for it") {
    for (int i = 0; i < 20; ++i) {
      reading r(some_bytes(three_megabytes));
      REQUIRE(r.start().ok());
      r.of.may_read_until(r.written.size());
    }
  }

  TEST_CASE("a pace is lost when too little comes while somebody looks") {
    worker::pace none{0, 0};
    CHECK_FALSE(none.stalled(0));

    worker::pace one{1, 0};
    CHECK_FALSE(one.stalled(0));
    one.waited = std::chrono::seconds(2);
    CHECK(one.stalled(65535));
    CHECK_FALSE(one.stalled(65536));  // that was enough
    CHECK(one.waited == std::chrono::steady_clock::duration());
    CHECK(one.base == 65536);
    CHECK_MESSAGE(!one.stalled(10), "it began anew");
    CHECK(one.base == 10);

    one.seen -= std::chrono::hours(3);  // a program that was stopped looked at nothing
    CHECK_FALSE(one.stalled(10));
    CHECK(one.waited <= std::chrono::milliseconds(1500));
  }
}
