// Several connections: as many as pay and no more than allowed, and never a wrong byte; one where the
// server does not honour ranges, or nothing would tell that its parts belong together.
#include "children.hpp"
#include "world.hpp"

#include <unistd.h>

#include <atomic>

namespace {

using namespace children;
using vqcache::errc;

struct home {  // one model whose checkpoint comes slowly over each connection
  scratch at;
  std::string by, path, reference;
  plan p;

  explicit home(const std::string& transport, const std::string& behaviour, unsigned connections,
      const std::string& query = "", unsigned megabytes = 8)
      : by(transport),
        p() {
    const std::string key = (at / "x").parent_path().filename().string(),
                      size = "?size=" + std::to_string(megabytes * 1000000);
    path = "/" + behaviour + "/" + key + "/last.ckpt" + size + "&rate=2000000" + query;
    reference = "/good/reference/last.ckpt" + size;
    p = call_of(at.fresh(), by, hostile().url("/good/" + key + "/model.yaml"), hostile().url(path));
    p.opts.max_bytes = 64 << 20, p.opts.connections = connections;
  }

  fs::path local() const { return p.opts.local_dir; }

  std::vector<support::seen> requests() const { return hostile().log(path); }

  bool is_right() const {
    const std::string all = get(reference);
    return slurp(local() / "m.ckpt") == all && slurp(p.opts.cache_dir / "m" / "m.ckpt") == all;
  }

  std::string record() const {
    const std::string n = first_name(local(), ".m.ckpt.", ".record");
    return n.empty() ? n : slurp(local() / n);
  }
};

std::uint64_t bytes(const std::vector<support::seen>& all) {
  std::uint64_t n = 0;
  for (const auto& s : all)
    n += s.body;
  return n;
}

}  // namespace

TEST_SUITE_BEGIN("parallel");

TEST_CASE(
    "a server that limits each connection is asked for several parts, and the file is right") {
  for (const std::string& by : transports())
    for (const unsigned n : {2U, 4U, 16U}) {
      CAPTURE(by);
      CAPTURE(n);
      home h(by, "good", n, "", n == 16 ? 40 : 8);
      const outcome o = call(h.p);
      CHECK_MESSAGE(o.ok(), describe(o));
      CHECK(h.is_right());
      const auto asked = h.requests();
      REQUIRE(asked.size() >= (std::min)(n, 9U));  // no more than pay
      CHECK_FALSE(asked[0].has("range"));          // nothing is known before the first answer
      for (std::size_t i = 1; i < asked.size(); ++i) {
        CHECK(asked[i].has("range"));
        CHECK(asked[i].headers.at("if-range") == "\"v1\"");
      }
    }
}

TEST_CASE("no more connections than allowed are open at once, and one means one") {
  for (const std::string& by : transports()) {
    CAPTURE(by);
    home four(by, "few_connections", 4, "&n=4");
    CHECK(call(four.p).ok());
    CHECK(four.is_right());
    for (const auto& s : four.requests())
      CHECK(s.status != 429);
    home one(by, "good", 1, "", 3);
    CHECK(call(one.p).ok());
    CHECK(one.is_right());
    CHECK(one.requests().size() == 1);
  }
}

TEST_CASE("a server that does not like many connections gets one again, and nothing is lost") {
  for (const std::string& by : transports()) {
    CAPTURE(by);
    home h(by, "few_connections", 16, "&n=2");
    const outcome o = call(h.p);
    CHECK_MESSAGE(o.ok(), describe(o));
    CHECK(h.is_right());
    bool refused = false;
    for (const auto& s : h.requests())
      refused = refused || s.status == 429;
    CHECK_MESSAGE(refused, "this test has to see a refusal");
    CHECK(bytes(h.requests()) < 12000000);
  }
}

TEST_CASE("a server that does not honour ranges sends the file once, whatever was tried") {
  std::vector<job> jobs;
  for (const std::string& by : transports())
    for (const std::string behaviour : {"unranged", "ranges_none"}) {
      const auto h = std::make_shared<home>(by, behaviour, 4, "", 6);
      jobs.push_back({by + ", " + behaviour, h->p, [h, behaviour](const outcome& o) {
                        CHECK_MESSAGE(o.ok(), describe(o));
                        CHECK(h->is_right());
                        CHECK_MESSAGE(!has(o.said(), "Discarded"), o.said());
                        const auto asked = h->requests();
                        CHECK(bytes(asked) < 7000000);
                        if (behaviour == "ranges_none")
                          CHECK(asked.size() == 1);  // it has said so
                        else
                          CHECK_MESSAGE(asked.size() > 1, "this test has to see a try");
                      }});
    }
  run_all(jobs);
}

TEST_CASE("no part is dealt of what an answer is about to replace") {
  std::vector<job> jobs;
  for (const std::string& by : transports()) {
    const auto h = std::make_shared<home>(by, "late_body", 4, "", 16);
    jobs.push_back(
        {by, h->p, [h](const outcome& o) {
           CHECK_MESSAGE(o.ok(), describe(o));
           CHECK(slurp(h->local() / "m.ckpt") == get(h->path));  // by now it is the other version
         }});
  }
  run_all(jobs);
}

TEST_CASE("bytes that wait to be written stay where they belong when their part is refused") {
  std::vector<job> jobs;
  for (const std::string& by : transports())
    for (const bool pinned : {false, true}) {
      const auto h = std::make_shared<home>(by, "held_refused", 4, pinned ? "&pinned" : "", 12);
      if (pinned) h->p.checkpoint.sha256 = support::sha256(get(h->reference));
      jobs.push_back({by + (pinned ? ", pinned" : ""), h->p, [h](const outcome& o) {
                        CHECK_MESSAGE(o.ok(), describe(o));
                        CHECK(h->is_right());
                        CHECK_MESSAGE(!has(o.said(), "Discarded"), o.said());
                        bool seen = false;
                        for (const auto& s : h->requests())
                          seen = seen || s.status == 403;
                        CHECK_MESSAGE(seen, "this test has to see a refusal");
                      }});
    }
  run_all(jobs);
}

TEST_CASE("one part that is reset does not end the parallel download") {
  for (const std::string& by : transports()) {
    CAPTURE(by);
    home h(by, "reset_second", 4, "", 12);
    const outcome o = call(h.p);
    CHECK_MESSAGE(o.ok(), describe(o));
    CHECK(h.is_right());
    std::size_t parts = 0;
    for (const auto& s : h.requests())
      parts += s.status == 206 && s.body > 1000000;
    CHECK_MESSAGE(parts >= 2, parts);
    CHECK(bytes(h.requests()) < 13000000);
  }
}

TEST_CASE("whatever a server does to the parts, the right file comes of it") {
  const std::vector<std::string> all = {"seafile", "last_modified", "range_short", "range_ignored",
      "range_wrong_start", "range_wrong_total", "range_no_header", "range_multipart", "range_403",
      "range_416", "range_page", "range_gzip", "range_stalls", "range_mixed", "etag_per_node",
      "cut_then_resume", "retry_503", "cut_once"};
  std::vector<job> jobs;
  for (const std::string& by : transports())
    for (const std::string& behaviour : all) {
      const auto h = std::make_shared<home>(by, behaviour, 4, "", 5);
      if (behaviour == "range_stalls") h->p.opts.stall_seconds = 2;
      jobs.push_back({by + ", " + behaviour, h->p, [h](const outcome& o) {
                        CHECK_MESSAGE(o.ok(), describe(o));
                        CHECK(h->is_right());
                      }});
    }
  run_all(jobs, 8);
}

TEST_CASE("parts that lie are found by the pin, and the file comes over one connection") {
  for (const std::string& by : transports()) {
    CAPTURE(by);
    home h(by, "range_lying", 4, "", 5);
    h.p.checkpoint.sha256 = support::sha256(get(h.reference));
    const outcome o = call(h.p);
    CHECK_MESSAGE(o.ok(), describe(o));
    CHECK_MESSAGE(has(o.said(), "Discarded 5000000 bytes of m.ckpt: "), o.said());
    CHECK(h.is_right());
  }
}

TEST_CASE("without a validator and without a pin there is one connection") {
  std::vector<job> jobs;
  for (const std::string& by : transports())
    for (const std::string behaviour : {"no_etag", "weak_etag", "no_ranges"}) {
      const auto h = std::make_shared<home>(by, behaviour, 8, "", 3);
      jobs.push_back({by + ", " + behaviour, h->p, [h, behaviour](const outcome& o) {
                        CHECK_MESSAGE(o.ok(), describe(o));
                        CHECK(h->is_right());
                        CHECK(h->requests().size() <= (behaviour == "no_ranges" ? 2U : 1U));
                      }});
    }
  run_all(jobs);
}

TEST_CASE("with a pin no validator is needed") {
  home h("libcurl", "no_etag", 4, "", 6);
  h.p.checkpoint.sha256 = support::sha256(get(h.reference));
  CHECK(call(h.p).ok());
  CHECK(h.is_right());
  CHECK(h.requests().size() > 1);
}

TEST_CASE("a user's transport is never asked for two things at once") {
  scratch at;
  std::atomic<int> inside{0};
  bool alone = true;
  const std::string ckpt = get("/good/reference/last.ckpt?size=5000000");
  vqcache::options o;
  o.local_dir = at / "local", o.cache_dir = at / "cache", o.on_message = nullptr;
  o.connections = 16;
  o.fetch = [&](const vqcache::request& q, vqcache::response& r) {
    alone = alone && ++inside == 1;
    const std::string& body = has(q.url, "yaml") ? v1().yaml : ckpt;
    r.status(200);
    r.header("ETag", "\"e\"");
    r.header("Content-Length", std::to_string(body.size()));
    for (std::size_t i = 0; i < body.size(); i += 500000) {
      r.write(body.data() + i, (std::min)(body.size() - i, std::size_t{500000}));
      sleep_ms(20);
    }
    --inside;
  };
  const auto r = vqcache::try_download_vqgan_model("m", "x://h/m.yaml", "x://h/m.ckpt", o);
  CHECK_MESSAGE(r.ok(), r.error.what());
  CHECK(alone);
  CHECK(slurp(at / "local" / "m.ckpt") == ckpt);
}

TEST_CASE("a call with several connections that is killed is continued in all its parts") {
  for (const std::string& by : transports()) {
    CAPTURE(by);
    home h(by, "good", 4);
    child c(h.p);
    REQUIRE(wait_until([&] { return has(h.record(), "todo ") && bytes(h.requests()) > 4000000; }));
    c.end();
    const std::string text = h.record();
    CHECK_MESSAGE(has(text, "todo "), text);
    const outcome o = call(h.p);
    CHECK_MESSAGE(o.ok(), describe(o));
    CHECK(h.is_right());
    // what is on its way in buffers is a fixed amount, some MB
    CHECK_MESSAGE(bytes(h.requests()) < 14000000, "sent: ", bytes(h.requests()));
    for (const std::string& n : names_in(h.local()))
      CHECK_MESSAGE((!has(n, ".part") && !has(n, ".record")), n, " is left");
  }
}

TEST_CASE("a call with several connections that is cancelled keeps all its parts") {
  for (const std::string& by : transports()) {
    CAPTURE(by);
    home h(by, "good", 4);
    plan p = h.p;
    p.opts.on_progress = [](const vqcache::progress& now) {
      return now.phase != vqcache::phase::downloading || now.done < 4000000;
    };
    const auto began = std::chrono::steady_clock::now();
    const outcome first = call(p);
    CHECK(first.code == static_cast<int>(errc::cancelled));
    CHECK_MESSAGE(has(first.what, "are kept for the next call"), first.what);
    CHECK(since(began) < 10);
    const outcome o = call(h.p);
    CHECK_MESSAGE(o.ok(), describe(o));
    CHECK(h.is_right());
    CHECK_MESSAGE(bytes(h.requests()) < 14000000, "sent: ", bytes(h.requests()));
  }
}

TEST_CASE("the copy in the cache is made while the file arrives") {
  home h("libcurl", "good", 1, "", 6);
  child c(h.p);
  CHECK(wait_until([&] {
    const fs::path cache = h.p.opts.cache_dir / "m";
    const std::string n = first_name(cache, ".m.ckpt.", ".part");
    std::error_code e;
    return !n.empty() && fs::file_size(cache / n, e) > 1000000 && !fs::exists(h.local() / "m.ckpt");
  }));
  CHECK(c.result().ok());
  CHECK(h.is_right());
}

TEST_CASE("config and checkpoint come at the same time") {
  scratch at;
  // neither is answered before both are asked for
  const std::string config = "/hold/both/model.yaml", checkpoint = "/hold/both/last.ckpt";
  plan p = call_of(at.fresh(), "libcurl", hostile().url(config), hostile().url(checkpoint));
  child c(p);
  CHECK(wait_until([&] { return hostile().count(config) + hostile().count(checkpoint) == 2; }));
  hostile().release(config);
  hostile().release(checkpoint);
  const outcome o = c.result();
  CHECK_MESSAGE(o.ok(), describe(o));
}

TEST_SUITE_END();
