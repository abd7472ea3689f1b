// Bytes that are here are never lost to an answer that contradicts itself, and nothing is given up on
// an assumption: where the rest cannot be had, the whole comes beside it (a second partial).
#include "children.hpp"
#include "world.hpp"

namespace {

using namespace children;
using vqcache::errc;

// one model of the hostile server, with a folder of its own there and here
struct home {
  scratch at;
  std::string by, key, path;
  vqcache::source checkpoint{};

  home(const std::string& transport, const std::string& behaviour, const std::string& query = "")
      : by(transport),
        key((at / "x").parent_path().filename().string()) {
    path = "/" + behaviour + "/" + key + "/last.ckpt" + query;
    checkpoint = hostile().url(path);
  }

  plan call() {
    plan p = call_of(at.fresh(), by, hostile().url("/good/" + key + "/model.yaml"), checkpoint);
    p.opts.local_dir = local();
    p.opts.cache_dir = at / "cache";
    p.opts.connections = 1;
    return p;
  }

  fs::path local() const { return at / "local"; }

  std::vector<std::string> parts() const {  // the unfinished checkpoints
    std::vector<std::string> all;
    for (const std::string& n : names_in(local()))
      if (has(n, ".m.ckpt.") && has(n, ".part")) all.push_back(n);
    return all;
  }

  std::uint64_t kept() const {
    std::error_code e;
    const std::uint64_t n = parts().size() == 1 ? fs::file_size(local() / parts()[0], e) : 0;
    return e ? 0 : n;
  }

  std::vector<support::seen> requests() const { return hostile().log(path); }

  void is_right(const std::string& ckpt = v1().ckpt) const {
    CHECK(slurp(local() / "m.ckpt") == ckpt);
    CHECK(slurp(at / "cache" / "m" / "m.ckpt") == ckpt);
    CHECK(parts().empty());
  }
};

std::string range_of(const support::seen& s) {
  return s.has("range") ? s.headers.at("range") : "";
}

std::string receipt_of(const fs::path& directory) {
  return slurp(directory / "m.sha256");
}

}  // namespace

TEST_SUITE_BEGIN("way out");

TEST_CASE("a part under 200 is no file: the whole is asked for beside what is here") {
  std::vector<job> jobs;
  for (const std::string& by : transports())
    for (const std::string query : {"", "?range=0"})
      for (const bool pinned : {false, true}) {
        const auto h = std::make_shared<home>(by, "part_under_200", query);
        if (pinned) h->checkpoint.sha256 = support::sha256(v1().ckpt);
        jobs.push_back({by + query + (pinned ? ", pinned" : ""), h->call(), [h](const outcome& o) {
                          CHECK_MESSAGE(o.ok(), describe(o));
                          h->is_right();
                          const auto asked = h->requests();
                          REQUIRE(asked.size() == 3);
                          CHECK(has(range_of(asked[1]), "bytes="));
                          CHECK(range_of(asked[2]).empty());
                        }});
      }
  run_all(jobs);
}

TEST_CASE("one ETag with two lengths proves neither: an error, and what is here stays") {
  for (const std::string& by : transports())
    for (const std::string as : {"200", "206", "chunked"}) {
      CAPTURE(by);
      CAPTURE(as);
      home h(by, "half_for_ever", "?as=" + as);
      const outcome o = call(h.call());
      CHECK_FALSE(o.ok());
      if (as == "chunked")
        CHECK_MESSAGE(has(o.what, "the file had 300000 under the same ETag"), o.what);
      else
        CHECK_MESSAGE(has(o.what, "two lengths, 300000 and 150000 bytes"), o.what);
      CHECK_MESSAGE(has(o.what, "150000 bytes of m.ckpt are kept"), o.what);
      CHECK_FALSE(fs::exists(h.local() / "m.ckpt"));
      CHECK_FALSE(fs::exists(h.at / "cache" / "m" / "m.ckpt"));
      CHECK(h.kept() == 150000);
    }
}

TEST_CASE("what speaks of another version ends nothing and continues nothing") {
  for (const std::string& by : transports()) {
    CAPTURE(by);
    home ended(by, "end_of_another");  // half of the file is not all of it for a 416 of another
    CHECK_MESSAGE(call(ended.call()).ok(), "416");
    ended.is_right();

    home parts(by, "part_of_another", "?size=5000000&rate=2500000");  // of several connections
    plan p = parts.call();
    p.opts.connections = 4;
    const outcome o = call(p);
    CHECK_MESSAGE(o.ok(), describe(o));
    parts.is_right(get("/good/reference/last.ckpt?size=5000000"));
    CHECK_MESSAGE(parts.requests().size() > 1, "this test has to see a second connection");
  }
}

TEST_CASE("what is won by starting over counts as a try: the server is not asked for ever") {
  for (const std::string& by : transports()) {
    CAPTURE(by);
    home h(by, "cut_growing");
    const outcome o = call(h.call());
    CHECK(o.failed(errc::truncated));
    CHECK(h.requests().size() <= 6);
    CHECK(h.kept() > 75000);
  }
}

TEST_CASE("a page is worth less than any beginning of the file") {
  for (const std::string& by : transports())
    for (const bool pinned : {false, true}) {
      CAPTURE(by);
      CAPTURE(pinned);
      home h(by, "page_for_the_rest");
      if (pinned) h.checkpoint.sha256 = support::sha256(v1().ckpt);
      const outcome o = call(h.call());
      CHECK(o.failed(errc::not_the_file));
      CHECK_MESSAGE(has(o.what, "Sign in"), o.what);
      CHECK_MESSAGE(!has(o.said(), "Discarded"), o.said());
      CHECK(h.kept() == 75000);
    }
}

TEST_CASE("an end of the connection that a pin or a size shows to be early is a cut") {
  for (const std::string& by : transports())
    for (const bool pinned : {false, true}) {
      CAPTURE(by);
      CAPTURE(pinned);
      home h(by, "unsized_once");
      h.checkpoint.size = pinned ? 0 : v1().ckpt.size();
      if (pinned) h.checkpoint.sha256 = support::sha256(v1().ckpt);
      const outcome o = call(h.call());
      CHECK_MESSAGE(o.ok(), describe(o));
      CHECK_MESSAGE(!has(o.said(), "Nothing vouches"), o.said());
      h.is_right();
      const auto asked = h.requests();
      REQUIRE(asked.size() == 2);
      CHECK(range_of(asked[1]) == "bytes=150000-");
    }
}

TEST_CASE("an answer that holds all of the file is the file, whatever its code") {
  for (const std::string& by : transports())
    for (const std::string behaviour : {"whole_as_206", "whole_as_200"}) {
      CAPTURE(by);
      CAPTURE(behaviour);
      home h(by, behaviour);
      const outcome o = call(h.call());
      CHECK_MESSAGE(o.ok(), describe(o));
      CHECK(h.requests().size() == 1);
      h.is_right();
    }
}

TEST_CASE("a server that refuses every part serves the whole, in the same call") {
  std::vector<job> jobs;
  for (const std::string& by : transports())
    for (const std::string code :
        {"503", "500", "429", "404", "410", "403", "416", "503&after=3600"}) {
      const auto h = std::make_shared<home>(by, "parts_refused", "?code=" + code);
      jobs.push_back({by + ", " + code, h->call(), [h](const outcome& o) {
                        CHECK_MESSAGE(o.ok(), describe(o));
                        h->is_right();
                        const auto asked = h->requests();
                        CHECK(asked.size() <= 5);
                        CHECK(range_of(asked.back()).empty());
                      }});
    }
  run_all(jobs);
}

TEST_CASE("what an earlier call left is no obstacle either, where every part is refused") {
  for (const std::string& by : transports())
    for (const std::string code : {"503", "404"}) {
      CAPTURE(by);
      CAPTURE(code);
      home h(by, "parts_refused", "?code=" + code);
      plan first = h.call();
      first.opts.on_progress = [](const vqcache::progress& now) {
        return now.file != "m.ckpt" || now.done < 100000;
      };
      CHECK(call(first).failed(errc::cancelled));
      CHECK(h.kept() >= 100000);

      const outcome o = call(h.call());
      CHECK_MESSAGE(o.ok(), describe(o));
      h.is_right();
      const auto asked = h.requests();
      CHECK(asked.size() <= 8);
      CHECK(range_of(asked[1]) != "");
      CHECK(range_of(asked.back()).empty());
    }
}

TEST_CASE("where neither the rest nor the whole comes, the calls end and the larger part stays") {
  std::vector<job> jobs;
  for (const std::string& by : transports())
    for (const std::string code : {"503", "404"}) {
      const auto h = std::make_shared<home>(by, "parts_refused", "?cut=1&code=" + code);
      jobs.push_back({by + ", " + code, h->call(), [h](const outcome& o) {
                        CHECK_FALSE(o.ok());
                        CHECK_MESSAGE(has(o.what, "150000 bytes of m.ckpt are kept"), o.what);
                        CHECK(h->requests().size() <= 10);
                        CHECK(h->kept() == 150000);
                      }});
    }
  run_all(jobs);
}

TEST_CASE("of two beginnings that a killed call left the larger is continued, and both go") {
  for (const std::string& by : transports())
    for (const char other : {'0', 'f'}) {  // before and behind it in the directory
      CAPTURE(by);
      CAPTURE(other);
      home h(by, "resume_503", "?n=4&after=0");
      CHECK_FALSE(call(h.call()).ok());
      REQUIRE(h.kept() == 150000);
      const std::string name = h.parts()[0];
      const std::string base = name.substr(0, name.size() - 5);
      const std::string twin = base.substr(0, base.size() - 16) + std::string(16, other);
      write_file(h.local() / (twin + ".record"), slurp(h.local() / (base + ".record")));
      write_file(h.local() / (twin + ".part"), slurp(h.local() / name).substr(0, 50000));

      const outcome o = call(h.call());
      CHECK_MESSAGE(o.ok(), describe(o));
      CHECK(range_of(h.requests().back()) == "bytes=150000-");
      h.is_right();
    }
}

TEST_CASE("a disk without room for two beginnings keeps the first, and says what to remove") {
  for (const std::string& by : transports()) {
    CAPTURE(by);
    home h(by, "parts_refused", "?code=404");
    const world::tmpfs small(h.local(), "400k");
    if (!small.mounted()) return support::skipped("a small disk needs the right to mount a tmpfs");
    const outcome o = call(h.call());
    CHECK(o.failed(errc::no_space));
    CHECK_MESSAGE(has(o.what, "or remove the 150000 bytes of m.ckpt"), o.what);
    CHECK_MESSAGE(has(o.what, "150000 bytes of m.ckpt are kept"), o.what);
    CHECK(h.kept() == 150000);
  }
}

TEST_CASE("a body whose length nobody tells is unverified: said, noted, and not binding") {
  for (const std::string& by : transports())
    for (const std::string query : {"", "?cut=1"}) {
      CAPTURE(by);
      CAPTURE(query);
      home h(by, "good");
      plan p = h.call();
      // a config has no end of its own that could vouch for it
      p.config = hostile().url("/length_untold/" + h.key + "/model.yaml" + query);
      const outcome first = call(p);
      CHECK_MESSAGE(first.ok(), describe(first));
      CHECK_MESSAGE(has(first.said(), "Nothing vouches for the end of m.yaml"), first.said());
      for (const fs::path& tier : {h.local(), h.at / "cache" / "m"}) {
        CHECK(has(receipt_of(tier), "# unverified m.yaml\n"));
        CHECK_FALSE(has(receipt_of(tier), "# unverified m.ckpt\n"));
      }

      // the pair is asked for again, elsewhere: the first digest binds nobody
      fs::remove_all(h.local());
      fs::remove_all(h.at / "cache" / "m" / "m.yaml");
      p.where = h.at.fresh();
      p.config = hostile().url("/good/" + h.key + "/model.yaml");
      const outcome second = call(p);
      CHECK_MESSAGE(second.ok(), describe(second));
      CHECK(slurp(h.local() / "m.yaml") == v1().yaml);
      CHECK_FALSE(has(receipt_of(h.local()), "# unverified"));
    }
}

TEST_CASE("an archive tells its own end, and a pin or a size decides: nothing is unverified then") {
  for (const std::string& by : transports())
    for (const std::string what : {"archive", "pin", "size"}) {
      CAPTURE(by);
      CAPTURE(what);
      home h(by, "good");
      plan p = h.call();
      if (what == "archive")
        p.checkpoint = hostile().url("/length_untold/" + h.key + "/last.ckpt");
      else
        p.config = hostile().url("/length_untold/" + h.key + "/model.yaml");
      if (what == "pin") p.config.sha256 = support::sha256(v1().yaml);
      if (what == "size") p.config.size = v1().yaml.size();
      const outcome o = call(p);
      CHECK_MESSAGE(o.ok(), describe(o));
      CHECK_FALSE(has(o.said(), "Nothing vouches"));
      CHECK_FALSE(has(receipt_of(h.local()), "# unverified"));
    }
}

TEST_CASE("a source that tells a length is preferred to one that does not") {
  for (const std::string& by : transports()) {
    CAPTURE(by);
    home h(by, "good");
    plan p = h.call();
    const std::string untold = hostile().url("/length_untold/" + h.key + "/model.yaml?cut=1");
    const std::string good = hostile().url("/good/" + h.key + "/model.yaml");
    p.config = vqcache::source({untold, good});
    const outcome o = call(p);
    CHECK_MESSAGE(o.ok(), describe(o));
    CHECK(slurp(h.local() / "m.yaml") == v1().yaml);
    CHECK_FALSE(has(receipt_of(h.local()), "# unverified"));

    // with the other one gone, it is better than nothing
    home alone(by, "good");
    plan q = alone.call();
    q.config = vqcache::source({hostile().url("/length_untold/" + alone.key + "/model.yaml"),
        hostile().url("/gone_410/" + alone.key + "/model.yaml")});
    const outcome fallen_back = call(q);
    CHECK_MESSAGE(fallen_back.ok(), describe(fallen_back));
    CHECK(has(receipt_of(alone.local()), "# unverified m.yaml\n"));
  }
}

TEST_CASE("a host that lets a client have one connection serves one file after the other") {
  std::vector<job> jobs;
  for (const std::string& by : transports())
    for (const std::string code : {"503", "429", "403", "403&now=1"}) {
      const auto h = std::make_shared<home>(by, "one_client", "?rate=150000&refuse=" + code);
      plan p = h->call();
      p.opts.connections = 4;
      p.config = hostile().url(
          "/one_client/" + h->key + "/model.yaml?rate=2000&refuse=" + code);  // a third of a second
      jobs.push_back({by + ", " + code, p, [h](const outcome& o) {
                        CHECK_MESSAGE(o.ok(), describe(o));
                        h->is_right();
                        CHECK_MESSAGE(has(o.said(), "waits for its turn"), o.said());
                      }});
    }
  run_all(jobs);
}

TEST_CASE("a server with one thread and without ranges sends the file about once") {
  for (const std::string& by : transports()) {
    CAPTURE(by);
    home h(by, "one_thread", "?size=6000000&rate=2000000");
    plan p = h.call();
    p.opts.connections = 4;
    const outcome o = call(p);
    CHECK_MESSAGE(o.ok(), describe(o));
    CHECK_MESSAGE(!has(o.said(), "Discarded"), o.said());
    std::uint64_t whole_bodies = 0;
    for (const auto& s : h.requests())
      whole_bodies += s.body >= 3000000;
    CHECK(whole_bodies == 1);
    CHECK_MESSAGE(h.requests().size() > 1, "this test has to see a second connection");
    h.is_right(get("/good/reference/last.ckpt?size=6000000"));
  }
}

TEST_CASE("a wrong pin costs one download where one connection brought everything") {
  for (const std::string& by : transports()) {
    CAPTURE(by);
    // the second connection is tried and refused: it brings nothing
    home h(by, "unranged", "?size=5000000&rate=2500000");
    h.checkpoint.sha256 = std::string(64, '0');
    plan p = h.call();
    p.opts.connections = 4;
    const outcome o = call(p);
    CHECK(o.failed(errc::hash_mismatch));
    std::uint64_t whole_bodies = 0;
    for (const auto& s : h.requests())
      whole_bodies += s.body == 5000000;
    CHECK(whole_bodies == 1);
  }
}

TEST_CASE(
    "a Retry-After that came with a redirect does not delay what follows the next host's fault") {
  for (const std::string& by : transports()) {
    CAPTURE(by);
    home h(by, "redirect_waits");
    const outcome o = call(h.call());
    CHECK(o.failed(errc::connection));
    CHECK_MESSAGE(!has(o.said(), "asks to wait"), o.said());
    CHECK(o.took < 30);
  }
}

TEST_CASE("a program that was stopped finds no stalled server") {
  std::vector<std::unique_ptr<home>> homes;
  std::vector<child> calls;
  for (const std::string& by : transports()) {
    homes.push_back(std::make_unique<home>(by, "hold_body", "?at=100000"));
    plan p = homes.back()->call();
    p.opts.stall_seconds = 5;
    calls.emplace_back(p);
  }
  for (const auto& h : homes)
    REQUIRE(wait_until([&] { return !h->parts().empty(); }));
  for (const child& c : calls)
    c.signal(SIGSTOP);
  sleep_ms(6500);
  for (const child& c : calls)
    c.signal(SIGCONT);
  sleep_ms(300);  // whoever counts the time of the stop has given up by now

  for (std::size_t i = 0; i < calls.size(); ++i) {
    const home& h = *homes[i];
    hostile().release(h.path.substr(0, h.path.find('?')));
    const outcome o = calls[i].result();
    CHECK_MESSAGE(o.ok(), h.by, ": ", describe(o));
    CHECK(h.requests().size() == 1);
    h.is_right();
  }
}

TEST_SUITE_END();
