// pthread_cancel is held back during a call: the call ends as it would have, and then the thread.
#include <doctest/doctest.h>

#include "world.hpp"

#include <pthread.h>

#include <atomic>

using namespace world;

namespace {

struct attempt {  // a thread that makes a call and is cancelled meanwhile
  std::function<void(attempt&)> call;
  std::atomic<bool> inside{false}, cancelled{false}, returned{false}, went_on{false};
  std::string said{};

  // called by a callback: the thread is cancelled, and comes to places where that would act
  void be_cancelled() {
    if (inside.exchange(true)) return;
    for (int i = 0; i < 10000 && !cancelled; ++i)
      ::usleep(1000);
    ::usleep(1000);
    ::pthread_testcancel();
  }

  static void* run(void* self) {
    auto& me = *static_cast<attempt*>(self);
    me.call(me);
    me.returned = true;
    ::pthread_testcancel();
    me.went_on = true;
    return nullptr;
  }

  std::string happens() {  // in a process of its own: it may be ended
    return in_child([this]() -> std::string {
      ::alarm(60);
      pthread_t id{};
      void* end = nullptr;
      if (::pthread_create(&id, nullptr, &run, this) != 0) return "no thread";
      for (int i = 0; i < 20000 && !inside; ++i)
        ::usleep(1000);
      ::pthread_cancel(id);
      cancelled = true;
      ::pthread_join(id, &end);
      return said + (returned ? ", returned" : ", did not return")
          + (end == PTHREAD_CANCELED ? ", then cancelled" : ", not cancelled")
          + (went_on ? ", went on" : "");
    });
  }
};

}  // namespace

TEST_SUITE("cancellation") {
  TEST_CASE("a thread that is cancelled during a call ends after it, and the call is whole") {
    for (const std::string during : {"on_message", "on_progress", "options::fetch"})
      for (const bool throwing : {false, true}) {
        CAPTURE(during);
        CAPTURE(throwing);
        place w;
        attempt a{[&](attempt& me) {
          vqcache::options o = w.options();
          if (during == "on_message")
            o.on_message = [&me](const std::string&) {
              me.be_cancelled();
            };
          if (during == "on_progress")
            o.on_progress = [&me](const vqcache::progress&) {
              return me.be_cancelled(), true;
            };
          if (during == "options::fetch")
            o.fetch = [&me, f = o.fetch](const vqcache::request& q, vqcache::response& r) {
              me.be_cancelled();
              f(q, r);
            };
          if (throwing) {
            me.said = vqcache::download_vqgan_model("m", config_url, checkpoint_url, o).name;
            return;
          }
          const auto r = vqcache::try_download_vqgan_model("m", config_url, checkpoint_url, o);
          me.said = r.ok() ? r.model.name : r.error.what();
        }};
        CHECK(a.happens() == "m, returned, then cancelled");
        CHECK(w.local_is("m"));
        CHECK(w.cache_is("m"));
        CHECK(w.litter().empty());
      }
  }

  TEST_CASE("the same in a restore, in a removal and in notebook_options") {
    place w;
    REQUIRE(w.call("m").ok());
    w.wipe_local();
    const auto stops = [&w](attempt& me) {
      vqcache::options o = w.options();
      o.on_message = [&me](const std::string&) {
        me.be_cancelled();
      };
      return o;
    };
    attempt restore{[&](attempt& me) {
      const auto r = vqcache::try_download_vqgan_model("m", stops(me));
      me.said = r.ok() ? r.model.name : r.error.what();
    }};
    CHECK(restore.happens() == "m, returned, then cancelled");
    CHECK(w.local_is("m"));

    attempt notebook{[&](attempt& me) {
      const vqcache::options o = vqcache::notebook_options(stops(me));
      me.said = o.local_dir == w.local ? "options" : "other options";
    }};
    CHECK(notebook.happens() == "options, returned, then cancelled");

    INFO("a removal that waits for another call");
    const int lock = ::open((w.local / ".m.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    REQUIRE(::flock(lock, LOCK_EX) == 0);
    attempt removal{[&](attempt& me) {
      vqcache::options o = stops(me);
      o.stall_seconds = 1;
      const vqcache::error e = vqcache::try_remove("m", o);
      me.said = e.code() ? e.what() : "removed";
    }};
    CHECK(removal.happens() == "removed, returned, then cancelled");
    ::close(lock);
    CHECK_FALSE(fs::exists(w.local / "m.ckpt"));
  }

  TEST_CASE("how a thread takes its cancellation is as it was, after every call") {
    for (const int before : {PTHREAD_CANCEL_ENABLE, PTHREAD_CANCEL_DISABLE}) {
      place w;
      int own = 0, now = -1, during = -1;
      ::pthread_setcancelstate(before, &own);
      vqcache::options o = w.options();
      o.on_message = [&during](const std::string&) {
        ::pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &during);
        ::pthread_setcancelstate(during, nullptr);
      };
      CHECK(w.call_with(o, "m").ok());
      ::pthread_setcancelstate(own, &now);
      CHECK(now == before);
      CHECK(during == PTHREAD_CANCEL_DISABLE);
    }
  }
}
