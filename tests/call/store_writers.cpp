// Two machines that store the same model at the same time, since no lease keeps them apart: one was
// paused for longer than its lease lives, and goes on in the middle of its commit. Whoever comes
// next gets one of the two sets, or none; never a part of each.
#include <doctest/doctest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "stored_place.hpp"

using namespace world;
using support::store;
using vqcache::origin;

namespace {

struct machine : stored_place {
  explicit machine(kind of) : stored_place(of, "writers", "/m") {}

  vqcache::result bring() {
    forget();
    return vqcache::try_download_vqgan_model("m", config_url, checkpoint_url, with_store());
  }
};

const std::string newer_config = config("newer");
const std::string newer_checkpoint = checkpoint(90000, 9);

const std::string both = "m.[yc]*";  // files, but not the receipt

struct pair_of_writers {
  explicit pair_of_writers(stored_place::kind of) : late(of), quick(of), next(of) {
    quick.prefix = late.prefix;
    next.prefix = late.prefix;
  }

  machine late, quick, next;
  bool is_held = false;

  void publish_anew(machine& origin_of) {
    origin_of.serve(config_url, {newer_config});
    origin_of.serve(checkpoint_url, {newer_checkpoint});
  }

  static bool come_to_hold(int requests) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < until) {
      int held = 0;
      for (const support::store_request& one : store().log()) {
        held += one.open && has(one.ways, "hold") ? 1 : 0;
      }
      if (held >= requests) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }

  // What the late one has sent of these files counts once the quick one is through.
  void interleave(const std::string& file, const std::string& rule) {
    store().rule("way=forbidden&method=PUT,MOVE&path=*.m.lease.*");
    if (!rule.empty()) store().rule(rule);
    const bool is_web = late.is == stored_place::kind::web;  // which moves one after the other
    const int requests = !is_web && file == both ? 2 : 1;
    const std::string held =
        is_web ? "method=MOVE&path=*/." + file + ".*" : "method=PUT&path=*/" + file;
    store().rule("way=hold&times=" + std::to_string(requests) + "&" + held);

    std::cout.flush();
    const pid_t paused = ::fork();  // of two threads one would wait for the other
    if (paused == 0) ::_exit(late.bring().ok() ? 0 : 1);

    is_held = come_to_hold(requests);
    const vqcache::result said_quick = quick.bring();
    store().release();
    int how = 0;
    ::waitpid(paused, &how, 0);

    CHECK(WIFEXITED(how));
    CHECK(WEXITSTATUS(how) == 0);
    CHECK_MESSAGE(said_quick.ok(), why(said_quick));
    store().clear();
  }

  bool is_whole(machine& of) const {
    return of.local_is("m") || of.local_is("m", newer_config, newer_checkpoint);
  }
};

const lines rules = {"", "way=conditions_ignored", "way=conditions_racy", "way=not_implemented"};

using action = std::function<void(pair_of_writers&, const std::string&, const std::string&)>;

void on_all(const lines& files, const action& act) {
  for (const auto kind : {stored_place::kind::bucket, stored_place::kind::web}) {
    for (const std::string& rule : rules) {
      for (const std::string& file : files) {
        INFO(std::string(kind == stored_place::kind::bucket ? "a bucket" : "WebDAV"));
        CAPTURE(rule);
        CAPTURE(file);
        pair_of_writers w(kind);
        act(w, file, rule);
        CHECK(w.is_held);
      }
    }
  }
}

}  // namespace

TEST_SUITE("two writers") {
  TEST_CASE("of the same bytes: the store has them, and serves them without the origin") {
    on_all({"m.yaml", "m.ckpt", "m.sha256"},
        [](pair_of_writers& w, const std::string& file, const std::string& rule) {
          w.interleave(file, rule);
          w.next.origin_dies();
          const auto r = w.next.bring();
          REQUIRE_MESSAGE(r.ok(), why(r));
          CHECK(r.model.from == origin::cache);
          CHECK(w.next.local_is("m"));
        });
  }

  TEST_CASE("of other bytes: the next one gets a whole set or none, and the one after it stores") {
    on_all({"m.yaml", "m.ckpt", both, "m.sha256"},
        [](pair_of_writers& w, const std::string& file, const std::string& rule) {
          w.publish_anew(w.quick);
          w.interleave(file, rule);
          CHECK(w.late.local_is("m"));
          CHECK(w.is_whole(w.quick));
          w.next.origin_dies();
          auto r = w.next.bring();
          if (r.ok()) {
            CHECK(w.is_whole(w.next));
          } else {
            CHECK_FALSE(fs::exists(w.next.in_local("m.sha256")));
          }

          w.next.wipe_local();
          w.publish_anew(w.next);
          r = w.next.bring();
          REQUIRE_MESSAGE(r.ok(), why(r));
          CHECK(w.is_whole(w.next));
          CHECK(r.model.cached);

          w.next.wipe_local();
          w.next.origin_dies();
          r = w.next.bring();
          REQUIRE_MESSAGE(r.ok(), why(r));
          CHECK(w.is_whole(w.next));
        });
  }

  TEST_CASE(
      "a part that nothing vouches for is not joined with newer bytes, and serves if none come") {
    for (const auto kind : {stored_place::kind::bucket, stored_place::kind::web}) {
      INFO(std::string(kind == stored_place::kind::bucket ? "a bucket" : "WebDAV"));
      machine w(kind);
      w.put("m.ckpt", checkpoint());
      w.serve(config_url, {newer_config});
      w.serve(checkpoint_url, {newer_checkpoint});
      auto r = w.bring();
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(w.local_is("m", newer_config, newer_checkpoint));
      CHECK(w.heard("m.ckpt is not used: nothing vouches for it"));
      CHECK(r.model.cached);

      machine late(kind);
      late.put("m.ckpt", checkpoint());
      late.serve(config_url, {newer_config});
      late.serve(checkpoint_url, {"<p>gone for good</p>", 404});
      r = late.bring();
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(read(late.local / "m.yaml") == newer_config);
      CHECK(read(late.local / "m.ckpt") == late.bytes("m.ckpt"));
      CHECK(late.heard("Nothing vouches for m.ckpt"));
    }
  }
}
