// A program that sets its own handler of SIGINT while a call has it keeps that handler.

#include "vqcache.hpp"

#include "world.hpp"

#include <doctest/doctest.h>

using namespace world;

namespace {

void own_handler(int) {
}

void set_own_handler() {
  struct sigaction own{};
  own.sa_handler = &own_handler;
  own.sa_flags = SA_RESTART;
  ::sigaction(SIGINT, &own, nullptr);
}

std::string look_for_own_handler() {
  struct sigaction now{};
  ::sigaction(SIGINT, nullptr, &now);
  if (now.sa_handler != &own_handler) return "the handler is another one";
  return (now.sa_flags & SA_RESTART) != 0 ? "" : "SA_RESTART is gone";
}

}  // namespace

TEST_SUITE_BEGIN("interrupt");

TEST_CASE("a handler that is set during a call stays, with its flags") {
  for (const bool nested : {false, true}) {  // with another call that begins and ends meanwhile
    CAPTURE(nested);
    place w;
    const std::string said = in_child([&]() -> std::string {
      vqcache::options o = w.options(), inner = w.options();
      o.catch_interrupt = inner.catch_interrupt = true;
      bool first = true;
      o.on_message = [&](const std::string&) {
        if (!std::exchange(first, false)) return;
        set_own_handler();
        if (nested) (void)w.call_with(inner, "inner");
      };
      const vqcache::result r = w.call_with(o, "outer");
      return r.ok() && !first ? look_for_own_handler() : "the call failed: " + why(r);
    });
    CHECK(said == "");
  }
}

TEST_CASE("a handler that was set before a call comes back, with its flags") {
  place w;
  const std::string said = in_child([&]() -> std::string {
    set_own_handler();
    vqcache::options o = w.options();
    o.catch_interrupt = true;
    const vqcache::result r = w.call_with(o, "m");
    return r.ok() ? look_for_own_handler() : "the call failed: " + why(r);
  });
  CHECK(said == "");
}

TEST_SUITE_END();
