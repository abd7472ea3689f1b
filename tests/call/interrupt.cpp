// How a call is left before its end: by SIGINT, if it was asked to look, or by on_progress. It ends
// soon wherever it is, keeps what it has, and leaves the program as it was: with the handler that the
// program had, or has set meanwhile.
#include "children.hpp"
#include "world.hpp"

namespace {

using namespace children;
using vqcache::errc;

// five times what is promised; VQCACHE_TESTS_BUSY: the machine does other things, too
const double soon = sanitized || std::getenv("VQCACHE_TESTS_BUSY") != nullptr ? 2.5 : 0.5;

struct place {
  std::string what;
  plan call;
  std::function<bool()> there;  // it has come to that place
  std::vector<child> others{};  // that the place needs
};

struct site {  // of one model, with the calls for it
  scratch home;
  std::string key = (home / "x").parent_path().filename().string();

  plan caller(const std::string& by, const std::string& behaviour, const std::string& query = "") {
    plan p = call_of(home.fresh(), by, hostile().url("/good/" + key + "/model.yaml"),
        hostile().url(path(behaviour) + query));
    p.opts.local_dir = home / "local", p.opts.cache_dir = home / "cache";
    p.opts.connections = 1, p.opts.max_bytes = std::uint64_t{4} << 30;
    return p;
  }

  std::string path(const std::string& behaviour) const {
    return "/" + behaviour + "/" + key + "/last.ckpt";
  }

  fs::path part() const {
    const std::string n = first_name(home / "local", ".m.ckpt.", ".part");
    return n.empty() ? fs::path() : home / "local" / n;
  }

  std::uint64_t size() const {
    std::error_code e;
    const std::uint64_t n = fs::file_size(part(), e);
    return e ? 0 : n;
  }
};

// every place where a call can stand for long
const std::vector<std::string> places = {"body", "header", "pause", "lock", "restore", "source"};

plan at_place(site& s, const std::string& what, const std::string& by, std::vector<child>& others,
    std::function<bool()>& there) {
  there = [&s] {
    return s.size() > 0;
  };
  if (what == "body") return s.caller(by, "stall_body", "?size=3000000&at=1500000");
  if (what == "header" || what == "pause") {
    const std::string behaviour = what == "header" ? "stall_header" : "retry_503";
    plan p = s.caller(by, behaviour, "?after=60");
    const fs::path said = p.where / "said";
    if (what == "header")
      there = [&s, behaviour] {
        return hostile().count(s.path(behaviour)) > 0;
      };
    else
      there = [said] {
        return has(slurp(said), "asks to wait");
      };
    return p;
  }
  if (what == "lock") {
    others.emplace_back(s.caller(by, "hold_body", "?size=3000000"));
    REQUIRE(wait_until([&s] { return s.size() > 0; }));
    plan p = s.caller(by, "good");
    const fs::path said = p.where / "said";
    there = [said] {
      return has(slurp(said), "Waiting for another call");
    };
    return p;
  }
  // a gigabyte and a half of nothing takes a second or more to be copied and hashed
  const fs::path at = what == "restore" ? s.home / "cache" / "m" : s.home / "origin";
  fs::create_directories(at);
  write_file(at / "m.yaml", v1().yaml);
  write_file(at / "m.ckpt", "\x80\x02");  // a pickle: an archive would lack its end
  fs::resize_file(at / "m.ckpt", std::uint64_t{3} << 29);
  plan p = s.caller(by, "good");
  if (what == "source")
    p.config = (at / "m.yaml").string(), p.checkpoint = (at / "m.ckpt").string();
  p.opts.max_bytes = std::uint64_t{1} << 40;  // which holds for local sources, too
  return p;
}

// ---- a handler of the program's own, set while a call has the signal

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

TEST_CASE("SIGINT ends a call soon, wherever it stands, and the program lives") {
  for (const std::string& by : transports())
    for (const std::string& what : places) {
      CAPTURE(by);
      CAPTURE(what);
      site s;
      std::vector<child> others;
      std::function<bool()> there;
      plan p = at_place(s, what, by, others, there);
      p.opts.catch_interrupt = true;
      child c(p.where, p.env, [p] {
        ::signal(SIGINT, SIG_DFL);  // not that of doctest
        outcome o = make(p);
        struct sigaction after{};
        ::sigaction(SIGINT, nullptr, &after);
        o.note = after.sa_handler == SIG_DFL ? "given back" : "kept";
        return o;
      });
      REQUIRE(wait_until(there));
      const auto start = std::chrono::steady_clock::now();
      c.signal(SIGINT);
      const outcome o = c.result();
      const double took = since(start);
      CHECK_MESSAGE(o.failed(errc::interrupted), describe(o));
      CHECK_MESSAGE(has(o.what, "interrupted at m."), o.what);
      CHECK_MESSAGE(took < soon, took, " s");
      CHECK_MESSAGE(o.disorder.empty(), o.disorder);
      CHECK(o.note == "given back");
    }
}

TEST_CASE("on_progress that says no ends a call soon, wherever it stands") {
  for (const std::string& by : transports())
    for (const std::string& what : places) {
      CAPTURE(by);
      CAPTURE(what);
      site s;
      std::vector<child> others;
      std::function<bool()> there;
      plan p = at_place(s, what, by, others, there);
      const fs::path when = p.where / "said";
      p.opts.on_progress = [there, when](const vqcache::progress&) {
        if (!there()) return true;
        std::ofstream(when, std::ios::app) << "no\n";
        return false;
      };
      child c(p);
      REQUIRE(wait_until([&c] { return has(c.said(), "no\n"); }));
      const auto start = std::chrono::steady_clock::now();
      const outcome o = c.result();
      const double took = since(start);
      CHECK_MESSAGE(o.failed(errc::cancelled), describe(o));
      CHECK_MESSAGE(took < soon, took, " s");
      CHECK_MESSAGE(o.disorder.empty(), o.disorder);
    }
}

TEST_CASE("an interrupted call says how much it keeps, and the next one goes on from there") {
  for (const std::string& by : transports()) {
    CAPTURE(by);
    site s;
    plan p = s.caller(by, "good", "?size=6000000&rate=4000000");
    p.opts.catch_interrupt = true;
    child c(p);
    REQUIRE(wait_until([&s] { return s.size() >= 2 << 20; }));
    c.signal(SIGINT);
    const outcome first = c.result();
    CHECK_MESSAGE(first.failed(errc::interrupted), describe(first));
    const std::uint64_t kept = s.size();
    CHECK_MESSAGE(
        has(first.what, std::to_string(kept) + " bytes of m.ckpt are kept for the next call"),
        first.what);
    const outcome o = call(s.caller(by, "good", "?size=6000000&rate=4000000"));
    CHECK_MESSAGE(o.ok(), describe(o));
    const auto asked = hostile().log(s.path("good"));
    REQUIRE(asked.size() == 2);
    CHECK(asked[1].headers.at("range") == "bytes=" + std::to_string(kept) + "-");
    CHECK(asked[1].body == 6000000 - kept);
    CHECK(slurp(s.home / "local" / "m.ckpt") == get("/good/reference/last.ckpt?size=6000000"));
  }
}

TEST_CASE(
    "one SIGINT ends all calls of the process, each with its bytes, and the handler is given "
    "back") {
  site a, b;  // two models in two threads
  plan p = a.caller("libcurl", "good", "?size=6000000&rate=2000000"),
       q = b.caller("curl", "good", "?size=6000000&rate=2000000");
  p.opts.catch_interrupt = q.opts.catch_interrupt = true;
  p.opts.on_message = q.opts.on_message = nullptr;
  child c(p.where, p.env, [p, q] {
    ::signal(SIGINT, SIG_DFL);
    const auto end = [](const plan& one, vqcache::result& r) {
      r = vqcache::try_download_vqgan_model("m", one.config, one.checkpoint, one.opts);
    };
    vqcache::result first, second;
    std::thread beside([&] { end(q, second); });
    end(p, first);
    beside.join();
    outcome o;
    o.finished = true;
    o.code = first.error.code().value();
    o.what = std::string(first.error.what()) + "\n" + second.error.what();
    struct sigaction after{};
    ::sigaction(SIGINT, nullptr, &after);
    o.note = after.sa_handler == SIG_DFL ? "given back" : "kept";
    return o;
  });
  REQUIRE(wait_until([&] { return a.size() > 500000 && b.size() > 500000; }));
  c.signal(SIGINT);
  const outcome o = c.result();
  CHECK_MESSAGE(o.failed(errc::interrupted), describe(o));
  for (const site* s : {&a, &b}) {
    const std::string kept = std::to_string(s->size()) + " bytes of m.ckpt are kept";
    CHECK(s->size() > 500000);
    CHECK_MESSAGE(has(o.what, kept), kept, " in ", o.what);
  }
  CHECK(o.note == "given back");
  CHECK(call(a.caller("libcurl", "good", "?size=6000000")).ok());
  CHECK(call(b.caller("curl", "good", "?size=6000000")).ok());
}

TEST_CASE("a program that did not ask for it is ended by SIGINT as ever, and nothing is lost") {
  site s;
  const plan p = s.caller("libcurl", "good", "?size=6000000&rate=4000000");
  child c(p.where, p.env, [p] {
    ::signal(SIGINT, SIG_DFL);
    return make(p);
  });
  REQUIRE(wait_until([&s] { return s.size() >= 2 << 20; }));
  c.signal(SIGINT);
  const outcome first = c.result();
  CHECK_FALSE(first.finished);
  const std::uint64_t kept = s.size();
  REQUIRE(kept >= 2 << 20);
  const outcome o = call(s.caller("libcurl", "good", "?size=6000000&rate=4000000"));
  CHECK_MESSAGE(o.ok(), describe(o));
  CHECK(hostile().log(s.path("good")).at(1).body == 6000000 - kept);
}

TEST_CASE("a user's transport is told to stop, too, and its progress is shown") {
  for (const bool by_signal : {true, false}) {
    CAPTURE(by_signal);
    site s;
    plan p = s.caller("", "good");
    p.opts.catch_interrupt = by_signal;
    p.opts.fetch = [](const vqcache::request& q, vqcache::response& r) {
      if (has(q.url, ".yaml")) return (void)r.write(v1().yaml.data(), v1().yaml.size());
      r.status(200);
      r.header("Content-Length", "100000000");
      const std::string block(100000, 'x');
      for (int i = 0; i < 1000 && r.write(block.data(), block.size()); ++i)
        sleep_ms(10);
    };
    int looks = 0;
    p.opts.on_progress = [&looks, by_signal](const vqcache::progress& now) {
      looks += now.file == "m.ckpt" && now.done > 0 && now.total == 100000000;
      return by_signal || looks < 2;
    };
    child c(p.where, p.env, [p, &looks] {
      outcome o = make(p);
      o.note = std::to_string(looks);
      return o;
    });
    REQUIRE(wait_until([&s] { return s.size() > 0; }));
    sleep_ms(700);
    if (by_signal) c.signal(SIGINT);
    const outcome o = c.result();
    CHECK_MESSAGE(o.failed(by_signal ? errc::interrupted : errc::cancelled), describe(o));
    CHECK(o.took < 8);  // of ten
    CHECK(std::stoi(o.note) >= 1);
  }
}

TEST_CASE("a handler that is set during a call stays, with its flags") {
  for (const bool nested : {false, true}) {  // with another call that begins and ends meanwhile
    CAPTURE(nested);
    world::place w;
    const std::string said = world::in_child([&]() -> std::string {
      vqcache::options o = w.options(), inner = w.options();
      o.catch_interrupt = inner.catch_interrupt = true;
      bool first = true;
      o.on_message = [&](const std::string&) {
        if (!std::exchange(first, false)) return;
        set_own_handler();
        if (nested) (void)w.call_with(inner, "inner");
      };
      const vqcache::result r = w.call_with(o, "outer");
      return r.ok() && !first ? look_for_own_handler() : "the call failed: " + world::why(r);
    });
    CHECK(said == "");
  }
}

TEST_CASE("a handler that was set before a call comes back, with its flags") {
  world::place w;
  const std::string said = world::in_child([&]() -> std::string {
    set_own_handler();
    vqcache::options o = w.options();
    o.catch_interrupt = true;
    const vqcache::result r = w.call_with(o, "m");
    return r.ok() ? look_for_own_handler() : "the call failed: " + world::why(r);
  });
  CHECK(said == "");
}

TEST_SUITE_END();
