// A process that is killed while it brings a file from a store: the next one goes on where it was,
// with the condition that the object is still the same.
#include <doctest/doctest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>

#include "stored_place.hpp"

using namespace world;
using support::store;
using vqcache::origin;

namespace {

constexpr std::size_t large = 24 << 20, enough = 6 << 20;

// Until a file of that end has so many bytes on the disk, or a minute has passed.
bool wait_for_bytes(const fs::path& in, const std::string& end, std::uintmax_t bytes) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (std::chrono::steady_clock::now() < until) {
    for (const std::string& name : matching(in, end)) {
      struct stat is{};
      const bool is_there = ::stat((in / name).c_str(), &is) == 0;
      if (is_there && std::uintmax_t(is.st_blocks) * 512 >= bytes) return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

// Calls in a process that is killed once there are bytes enough; whether it was.
bool kill_amid(const fs::path& local, const std::function<void()>& call) {
  std::cout.flush();
  const pid_t pid = ::fork();
  if (pid == 0) {
    call();
    ::_exit(0);
  }
  const bool has_come = wait_for_bytes(local, ".part", enough);
  ::kill(pid, SIGKILL);
  int how = 0;
  ::waitpid(pid, &how, 0);
  return has_come && WIFSIGNALED(how);
}

struct resumed {
  int ranges = 0, conditions = 0, refused = 0;
  std::uint64_t bytes = 0;
};

resumed asked_of(const std::string& keys) {
  resumed all;
  for (const auto& one : store().log(keys)) {
    if (one.method != "GET") continue;
    const bool is_part = one.status == 206 && one.body > 1;
    all.ranges += is_part;
    all.conditions += is_part && (one.has("if-match") || one.has("if-range"));
    all.refused += one.verdict != "ok";
    all.bytes += one.body;
  }
  return all;
}

struct mortal : stored_place {
  mortal(kind of, const std::string& by) : stored_place(of, "kills"), transport(by) {
    store().control("clock?off=0");
  }

  std::string transport;

  vqcache::options over_network() {
    vqcache::options o = options();
    o.transport = transport;
    o.connections = 1;
    return o;
  }

  void slow_down() const { store().rule("way=slow&rate=8000000&method=GET&path=*m.ckpt"); }

  void is_continued(const vqcache::result& r, const std::string& bytes) {
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK_MESSAGE(heard("Continuing m.ckpt at byte "), all_said());
    CHECK(read(in_local("m.ckpt")) == bytes);
    const resumed all = asked_of("*m.ckpt");
    CHECK(all.ranges >= 1);
    CHECK(all.conditions == all.ranges);
    CHECK(all.refused == 0);
    CHECK(all.bytes < bytes.size() - enough / 2);
    CHECK(litter().empty());
  }
};

}  // namespace

TEST_SUITE("killed amid a store") {
  TEST_CASE("a restore goes on in the next process, from a bucket and from a WebDAV server") {
    for (const auto kind : {mortal::kind::bucket, mortal::kind::web}) {
      for (const char* const transport : {"libcurl", "curl"}) {
        INFO(std::string(kind == mortal::kind::bucket ? "a bucket, " : "WebDAV, "), transport);
        mortal w(kind, transport);
        const std::string bytes = checkpoint(large, 5);
        w.serve(checkpoint_url, {bytes});
        auto o = w.over_network();
        o.cache_dir = w.where();
        auto r = w.call_with(o, "m");
        REQUIRE_MESSAGE(r.ok(), why(r));
        REQUIRE(r.model.cached);

        w.wipe_local();
        w.origin_dies();
        w.slow_down();
        CHECK(kill_amid(w.local, [&] { (void)w.call_with(o, "m"); }));
        store().clear();
        store().wait_done();
        store().forget_requests();
        r = w.call_with(o, "m");
        w.is_continued(r, bytes);
        CHECK(r.model.from == origin::cache);
        CHECK(r.model.cached);
      }
    }
  }

  TEST_CASE("a download from s3:// goes on in the next process; another object begins anew") {
    for (const char* const transport : {"libcurl", "curl"}) {
      for (const bool is_replaced : {false, true}) {
        CAPTURE(transport);
        CAPTURE(is_replaced);
        mortal w(mortal::kind::bucket, transport);
        const std::string key = "/bucket/" + w.prefix + "/m.ckpt";
        const auto put = [&key](const char* seed) {
          store().control("put?key=" + key + "&seed=" + seed + "&size=" + std::to_string(large));
          return store().bytes_of(key);
        };
        std::string bytes = put("5");
        auto o = w.over_network();
        o.fetch = nullptr;
        const std::string yaml = (w.root.at / "here.yaml").string();
        write(yaml, config());
        const std::string url = "s3:/" + key + "?endpoint=http://127.0.0.1:" + store().fact("plain")
            + "&region=" + store().fact("region");

        w.slow_down();
        CHECK(kill_amid(w.local, [&] { (void)w.call_with(o, "m", yaml, url); }));
        store().clear();
        store().wait_done();
        if (is_replaced) bytes = put("6");
        store().forget_requests();
        const auto r = w.call_with(o, "m", yaml, url);
        if (!is_replaced) {
          w.is_continued(r, bytes);
          continue;
        }
        REQUIRE_MESSAGE(r.ok(), why(r));
        CHECK(read(w.in_local("m.ckpt")) == bytes);
        CHECK(w.litter().empty());
      }
    }
  }
}
