// Bytes already fetched are not lost: a cut, a kill or a cancel leaves a partial that the next try or
// call continues, if it is provably of the same file; else it goes, and that is said.
#include "children.hpp"
#include "world.hpp"

#include <unistd.h>

namespace {

using namespace children;
using vqcache::errc;

struct home {  // one model's two directories, and calls for it
  scratch at;
  std::string by, key;
  vqcache::source checkpoint{};
  std::string path;  // of the checkpoint on the server, with its query

  explicit home(
      const std::string& transport, const std::string& behaviour, const std::string& query = "")
      : by(transport),
        key((at / "x").parent_path().filename().string()) {
    path = "/" + behaviour + "/" + key + "/last.ckpt" + query;
    checkpoint = hostile().url(path);
  }

  plan call() {
    plan p = call_of(at.fresh(), by, hostile().url("/good/" + key + "/model.yaml"), checkpoint);
    p.opts.local_dir = local(), p.opts.cache_dir = at / "cache", p.opts.max_bytes = 64 << 20;
    p.opts.connections = 1;
    return p;
  }

  fs::path local() const { return at / "local"; }

  fs::path part() const {  // of the checkpoint; empty: there is none
    const std::string n = first_name(local(), ".m.ckpt.", ".part");
    return n.empty() ? fs::path() : local() / n;
  }

  fs::path record() const { return fs::path(part()).replace_extension(".record"); }

  std::uint64_t size() const {
    std::error_code e;
    const std::uint64_t n = fs::file_size(part(), e);
    return e ? 0 : n;
  }

  std::vector<support::seen> requests() const { return hostile().log(path); }

  void is_right(const std::string& ckpt) const {
    CHECK(slurp(local() / "m.ckpt") == ckpt);
    CHECK(slurp(at / "cache" / "m" / "m.ckpt") == ckpt);
    for (const fs::path& dir : {local(), at / "cache" / "m"})
      for (const std::string& n : names_in(dir))
        CHECK_MESSAGE((!has(n, ".part") && !has(n, ".record")), n, " is left");
  }

  // a first call that ends with half of the checkpoint on the disk
  outcome half_a_call() {
    const outcome o = children::call(call());
    CHECK_FALSE(o.ok());
    REQUIRE(!part().empty());
    CHECK_MESSAGE(has(o.what, " bytes of m.ckpt are kept for the next call"), o.what);
    CHECK(size() == 150000);
    return o;
  }
};

// half of the checkpoint, then 503 until three tries for the rest and one for all of it gained
// nothing, then what is asked for
const std::string half_then_503 = "?n=4&after=0";

std::vector<std::pair<std::string, bool>> with_both(const std::vector<std::string>& names) {
  std::vector<std::pair<std::string, bool>> all;
  for (const std::string& name : names)
    for (const bool is_so : {true, false})
      all.emplace_back(name, is_so);
  return all;
}

std::string range_of(const support::seen& s) {
  return s.has("range") ? s.headers.at("range") : "";
}

}  // namespace

TEST_SUITE_BEGIN("resume");

TEST_CASE("a killed call is continued by the next one, from where the disk has it") {
  // the first process of many containers waits for nobody: there it stays in the list for ever
  for (const auto& [by, is_waited_for] : with_both(transports())) {
    CAPTURE(by);
    CAPTURE(is_waited_for);
    home h(by, "good", "?size=6000000&rate=4000000");
    child c(h.call());
    REQUIRE(wait_until([&] { return h.size() >= 2 << 20; }));
    if (is_waited_for) {
      c.end();
    } else {
      c.signal(SIGKILL);
      siginfo_t seen{};
      REQUIRE(::waitid(P_PID, id_t(c.pid()), &seen, WEXITED | WNOWAIT) == 0);
    }
    const std::uint64_t kept = h.size();
    const outcome o = children::call(h.call());
    CHECK_MESSAGE(o.ok(), describe(o));
    const auto asked = h.requests();
    REQUIRE(asked.size() == 2);
    CHECK(range_of(asked[1]) == "bytes=" + std::to_string(kept) + "-");
    CHECK(asked[1].status == 206);
    CHECK(asked[1].body == 6000000 - kept);
    h.is_right(get("/good/reference/last.ckpt?size=6000000"));
  }
}

TEST_CASE("a 503 never touches a partial, and what a failed call has is kept for the next") {
  for (const std::string& by : transports()) {
    CAPTURE(by);
    home h(by, "resume_503", half_then_503);
    const outcome first = h.half_a_call();
    CHECK(first.code == static_cast<int>(errc::http_status));
    const outcome o = children::call(h.call());
    CHECK_MESSAGE(o.ok(), describe(o));
    const auto asked = h.requests();
    REQUIRE(asked.size() == 6);
    CHECK(range_of(asked[0]).empty());
    for (const std::size_t i : {1U, 2U, 3U, 5U})
      CHECK(range_of(asked[i]) == "bytes=150000-");
    CHECK(range_of(asked[4]).empty());  // the way out of a server that refuses parts alone
    CHECK(asked[5].headers.at("if-range") == "\"v1\"");
    CHECK(asked[5].body == 150000);
    h.is_right(v1().ckpt);
  }
}

TEST_CASE(
    "tries that gain bytes do not count: a server that cuts every answer is followed to the end") {
  for (const std::string& by : transports()) {
    CAPTURE(by);
    home h(by, "cut_then_resume", "?at=30000");
    const outcome o = children::call(h.call());
    CHECK_MESSAGE(o.ok(), describe(o));
    CHECK(h.requests().size() >= 10);
    h.is_right(v1().ckpt);
  }
}

TEST_CASE("tries that gain nothing are three, and the error says so") {
  std::vector<job> jobs;
  for (const std::string& by : transports()) {
    const auto h = std::make_shared<home>(by, "cut_without_gain");
    jobs.push_back({by, h->call(), [h](const outcome& o) {
                      CHECK_FALSE(o.ok());
                      CHECK_MESSAGE(has(o.what, " tries)"), o.what);
                      CHECK(h->requests().size() <= 5);
                    }});
  }
  run_all(jobs);
}

TEST_CASE("a file that changed meanwhile is fetched from its start, and the loss is announced") {
  for (const std::string& by : transports())
    for (const std::string behaviour : {"changed_midway", "changed_midway_no_if_range"}) {
      CAPTURE(by);
      CAPTURE(behaviour);
      home h(by, behaviour);
      const outcome o = children::call(h.call());
      CHECK_MESSAGE(o.ok(), describe(o));
      CHECK_MESSAGE(has(o.said(), "Discarded 150000 bytes of m.ckpt"), o.said());
      CHECK_MESSAGE(!has(o.said(), "gives no parts"), o.said());
      CHECK(slurp(h.local() / "m.ckpt") != v1().ckpt);
      CHECK(slurp(h.local() / "m.ckpt").size() == v1().ckpt.size());
      CHECK(slurp(h.local() / "m.ckpt").substr(1000, 1000)
          != v1().ckpt.substr(1000, 1000));  // nothing of the first half stayed
    }
}

TEST_CASE(
    "a server that gives no parts is said to give none: that its file begins anew is no fault") {
  std::vector<job> jobs;
  for (const std::string& by : transports()) {
    const auto h = std::make_shared<home>(by, "range_ignored");
    jobs.push_back({by, h->call(), [h](const outcome& o) {
                      CHECK_MESSAGE(o.ok(), describe(o));
                      CHECK_MESSAGE(has(o.said(),
                                        "Discarded 150000 bytes of m.ckpt: this server gives no "
                                        "parts of a file, which came from its start"),
                          o.said());
                      h->is_right(v1().ckpt);
                    }});
  }
  run_all(jobs);
}

TEST_CASE("without a validator and a pin nothing is continued: two versions could be mixed") {
  for (const std::string& by : transports()) {
    CAPTURE(by);
    home h(by, "changed_midway_no_etag");
    const outcome o = children::call(h.call());
    CHECK_MESSAGE(o.ok(), describe(o));
    for (const auto& s : h.requests())
      CHECK(range_of(s).empty());
    CHECK_MESSAGE(
        has(o.said(), "Discarded 150000 bytes of m.ckpt: it cannot be continued"), o.said());
  }
}

TEST_CASE("with a pin a partial is continued from another mirror") {
  std::vector<job> jobs;
  for (const std::string& by : transports()) {
    const auto h = std::make_shared<home>(by, "cut_without_gain");
    const std::string mirror = "/good/" + h->key + "-mirror/last.ckpt";
    h->checkpoint =
        vqcache::source(std::vector<std::string>{hostile().url(h->path), hostile().url(mirror)},
            support::sha256(v1().ckpt));
    jobs.push_back(
        {by, h->call(), [h, mirror](const outcome& o) {
           CHECK_MESSAGE(o.ok(), describe(o));
           const auto asked = hostile().log(mirror);
           REQUIRE(asked.size() == 1);
           CHECK(range_of(asked[0]) == "bytes=84464-");  // 64 KiB are compared with what is here
           CHECK_FALSE(asked[0].has("if-range"));        // the validator is another server's
           h->is_right(v1().ckpt);
         }});
  }
  run_all(jobs);
}

TEST_CASE("one odd answer to the request for the rest costs nothing of what is here") {
  std::vector<job> jobs;
  for (const std::string& by : transports())
    for (const std::string odd :
        {"204", "304", "403", "500", "ftp", "expired", "page", "untyped", "reset", "silent"})
      for (const bool pinned : {false, true}) {
        const auto h = std::make_shared<home>(by, "odd_once", "?odd=" + odd);
        if (pinned) h->checkpoint.sha256 = support::sha256(v1().ckpt);
        plan p = h->call();
        if (odd == "silent") p.opts.stall_seconds = 2;
        jobs.push_back({by + ", " + odd + (pinned ? ", pinned" : ""), p, [h](const outcome& o) {
                          CHECK_MESSAGE(o.ok(), describe(o));
                          CHECK_MESSAGE(!has(o.said(), "Discarded"), o.said());
                          std::uint64_t sent = 0;
                          for (const auto& s : h->requests())
                            sent += s.body;
                          CHECK_MESSAGE(sent < 301000, sent);
                          h->is_right(v1().ckpt);
                        }});
      }
  run_all(jobs, 8);
}

TEST_CASE("a part whose ETag or date is another's is of another version, whatever its kind") {
  for (const std::string& by : transports())
    for (const std::string kind : {"weak", "date"}) {
      CAPTURE(by);
      CAPTURE(kind);
      home h(by, "other_version", "?kind=" + kind);
      const outcome o = children::call(h.call());
      const std::string got = slurp(h.local() / "m.ckpt");
      CHECK_MESSAGE((got.empty() || got == v1().ckpt), "two versions are mixed: ", describe(o));
    }
}

TEST_CASE("a part that leaves out one of two marks is not another version for that") {
  for (const std::string& by : transports()) {
    CAPTURE(by);
    home h(by, "one_mark_only");
    const outcome o = children::call(h.call());
    CHECK_MESSAGE(o.ok(), describe(o));
    CHECK_MESSAGE(!has(o.said(), "Discarded"), o.said());
    h.is_right(v1().ckpt);
  }
}

TEST_CASE("a mirror's page in place of the rest does not cost what another mirror brought") {
  std::vector<job> jobs;
  for (const std::string& by : transports()) {
    const auto h = std::make_shared<home>(by, "cut_without_gain");
    const std::string page = "/html_login/" + h->key + "-page/last.ckpt",
                      good = "/good/" + h->key + "-good/last.ckpt";
    h->checkpoint = vqcache::source(
        std::vector<std::string>{hostile().url(h->path), hostile().url(page), hostile().url(good)},
        support::sha256(v1().ckpt));
    jobs.push_back({by, h->call(), [h, good](const outcome& o) {
                      CHECK_MESSAGE(o.ok(), describe(o));
                      REQUIRE(hostile().log(good).size() == 1);
                      CHECK(range_of(hostile().log(good)[0]) == "bytes=84464-");
                      h->is_right(v1().ckpt);
                    }});
  }
  run_all(jobs);
}

TEST_CASE("what a full disk has of a file stays for the next call") {
  const scratch at;
  const std::string all = v1().ckpt;
  vqcache::options o;
  o.local_dir = at / "local", o.cache_dir = at / "cache", o.on_message = nullptr;
  o.transport = "curl";
  home h("curl", "good");
  const auto limited = [&](rlim_t most) {
    return world::in_child([&]() -> std::string {
      const rlimit small{most, most};
      ::signal(SIGXFSZ, SIG_IGN);
      if (most && ::setrlimit(RLIMIT_FSIZE, &small) != 0) return "cannot set a limit";
      // no size is told, so that it is the write that fails
      const auto r = vqcache::try_download_vqgan_model("m", hostile().url("/good/full/model.yaml"),
          hostile().url("/chunked_etag/full/last.ckpt?size=3000000"), o);
      return r.error.what();
    });
  };
  const std::string full = limited(2000000);
  CHECK_MESSAGE(has(full, "bytes of m.ckpt are kept for the next call"), full);
  CHECK(limited(0) == "no error");
  const auto asked = hostile().log("/chunked_etag/full/last.ckpt?size=3000000");
  REQUIRE(asked.size() == 2);
  CHECK(range_of(asked[1]).size() > 6);
}

TEST_CASE("of a machine that went down only synced bytes are believed") {
  for (const std::string synced : {"", "safe 100000-300000\n", "safe \n"}) {
    CAPTURE(synced);
    home h("libcurl", "resume_503", half_then_503);
    h.half_a_call();
    std::string text = slurp(h.record());
    const std::size_t boot = text.find(' ') + 1;
    text.replace(boot, text.find(' ', boot) - boot, "another-boot");
    write_file(h.record(), text + synced);
    const outcome o = children::call(h.call());
    CHECK_MESSAGE(o.ok(), describe(o));
    const auto asked = h.requests();
    CHECK(range_of(asked.back())
        == (synced.empty()              ? ""
                : has(synced, "100000") ? "bytes=100000-"
                                        : "bytes=150000-"));
    if (synced.empty())
      CHECK_MESSAGE(has(o.said(), "Removed a partial of m.ckpt (150000"), o.said());
    h.is_right(v1().ckpt);
  }
}

TEST_CASE("a partial that was changed on the disk does not get the name that a pin guards") {
  for (const std::string& by : transports()) {
    CAPTURE(by);
    home h(by, "resume_503", half_then_503);
    h.checkpoint.sha256 = support::sha256(v1().ckpt);
    h.half_a_call();
    std::string bytes = slurp(h.part());
    bytes[70000] = static_cast<char>(bytes[70000] ^ 1);
    write_file(h.part(), bytes);
    const outcome o = children::call(h.call());
    CHECK_MESSAGE(o.ok(), describe(o));
    CHECK_MESSAGE(has(o.said(), "Discarded 300000 bytes of m.ckpt: its SHA-256 is"), o.said());
    h.is_right(v1().ckpt);
  }
}

TEST_CASE("another URL's partial is not continued without a pin, and goes when the file is there") {
  home h("libcurl", "resume_503", half_then_503);
  h.half_a_call();
  const std::string elsewhere = "/good/" + h.key + "-elsewhere/last.ckpt";
  h.checkpoint = hostile().url(elsewhere);
  const outcome o = children::call(h.call());
  CHECK_MESSAGE(o.ok(), describe(o));
  CHECK(range_of(hostile().log(elsewhere).at(0)).empty());
  CHECK_MESSAGE(has(o.said(), "Removed a partial of m.ckpt (150000 bytes)"), o.said());
  h.is_right(v1().ckpt);
}

TEST_CASE("a cancelled call keeps what it has") {
  for (const std::string& by : transports()) {
    CAPTURE(by);
    home h(by, "good", "?size=3000000&rate=1500000");
    plan p = h.call();
    p.opts.on_progress = [](const vqcache::progress& now) {
      return now.phase != vqcache::phase::downloading || now.file != "m.ckpt" || now.done < 1200000;
    };
    const outcome first = children::call(p);
    CHECK(first.code == static_cast<int>(errc::cancelled));
    CHECK_MESSAGE(has(first.what, "are kept for the next call"), first.what);
    const std::uint64_t kept = h.size();
    CHECK(kept >= 1200000);
    const outcome o = children::call(h.call());
    CHECK_MESSAGE(o.ok(), describe(o));
    CHECK(range_of(h.requests().at(1)) == "bytes=" + std::to_string(kept) + "-");
    h.is_right(get("/good/reference/last.ckpt?size=3000000"));
  }
}

TEST_CASE("the record names the URL by its digest: no secret is written to the disk") {
  home h("libcurl", "resume_503", half_then_503 + "&token=canary-4711");
  h.half_a_call();
  const std::string text = slurp(h.record());
  CHECK(has(text, "\nurl " + support::sha256(hostile().url(h.path)) + "\n"));
  CHECK_FALSE(has(text, "canary"));
  CHECK(has(text, "\nvalidator \"v1\"\n"));
}

TEST_CASE("remove takes partials too") {
  home h("libcurl", "resume_503", half_then_503);
  h.half_a_call();
  vqcache::options o;
  o.local_dir = h.local(), o.cache_dir = h.at / "cache";
  CHECK_FALSE(vqcache::try_remove("m", o).code());
  CHECK(h.part().empty());
  CHECK(names_in(h.local()).empty());
}

TEST_CASE("a Retry-After is obeyed and announced; one beyond two minutes ends the tries") {
  home h("libcurl", "resume_503", "?n=1&after=2");
  const auto began = std::chrono::steady_clock::now();
  const outcome o = children::call(h.call());
  CHECK_MESSAGE(o.ok(), describe(o));
  CHECK(std::chrono::steady_clock::now() - began >= std::chrono::seconds(2));
  CHECK_MESSAGE(has(o.said(), "asks to wait 2 s"), o.said());
  home late("libcurl", "resume_503", "?n=9&after=86400");
  const outcome refused = children::call(late.call());
  CHECK_FALSE(refused.ok());
  CHECK_MESSAGE(has(refused.what, "it asks to come back in 86400 s"), refused.what);
  CHECK(late.requests().size() == 3);  // the last one asks for all of it, which may be served
}

TEST_CASE("a disk without room is told before the first byte: need, have and where") {
  for (const std::string& by : transports()) {
    CAPTURE(by);
    home h(by, "good");
    const world::tmpfs small(h.local(), "256k");
    if (!small.mounted()) return support::skipped("a small disk needs the right to mount a tmpfs");
    const outcome o = children::call(h.call());
    CHECK(o.code == static_cast<int>(errc::no_space));
    CHECK_MESSAGE(has(o.what, "it needs 300000 bytes more, but "), o.what);
    CHECK_MESSAGE(has(o.what, h.local().string() + "' has room for "), o.what);
    CHECK(h.requests().size() == 1);
    CHECK_FALSE(fs::exists(h.local() / "m.ckpt"));
  }
}

TEST_CASE(
    "downloads that are killed once, at any moment, cost the server little more than the file") {
  const std::uint64_t size = 12 << 20;
  const std::string right_bytes = get("/good/reference/last.ckpt?size=" + std::to_string(size));
  std::uint64_t sent = 0, worst = 0;
  const int rounds = 8;
  for (int round = 0; round < rounds; ++round) {
    const std::string by = transports()[static_cast<std::size_t>(round) % transports().size()];
    home h(by, "good", "?size=" + std::to_string(size) + "&rate=20000000");
    child c(h.call());
    (void)wait_until([&] { return h.size() > 0; });
    sleep_ms(round * 70);
    c.end();
    const outcome o = children::call(h.call());
    CHECK_MESSAGE(o.ok(), describe(o));
    h.is_right(right_bytes);
    std::uint64_t bytes = 0;
    for (const auto& s : h.requests())
      bytes += s.body;
    worst = (std::max)(worst, bytes);
    sent += bytes;
  }
  const auto times = [](std::uint64_t n) {
    return double(n) / double(size);
  };
  std::printf("killed once: the server sent %.3f times the file on average, %.3f at worst\n",
      times(sent) / rounds, times(worst));
  CHECK(times(sent) / rounds < 1.3);  // what is on its way in buffers is a fixed amount, some MB
}

TEST_CASE("a user's transport is asked for a range once it has told a status") {
  for (const bool tells : {true, false}) {
    CAPTURE(tells);
    scratch at;
    std::vector<std::uint64_t> asked;
    const std::string all = v1().ckpt;
    vqcache::options o;
    o.local_dir = at / "local", o.cache_dir = at / "cache", o.on_message = nullptr;
    o.fetch = [&](const vqcache::request& q, vqcache::response& r) {
      const std::string body = has(q.url, "yaml") ? v1().yaml : all;
      if (!has(q.url, "yaml")) asked.push_back(q.offset);
      if (tells) {
        r.status(q.offset ? 206 : 200);
        r.header("ETag", "\"e\"");
        if (q.offset)
          r.header("Content-Range",
              "bytes " + std::to_string(q.offset) + "-" + std::to_string(body.size() - 1) + "/"
                  + std::to_string(body.size()));
      }
      const bool cut = !has(q.url, "yaml") && asked.size() == 1;
      r.write(body.data() + q.offset, cut ? 100000 : body.size() - q.offset);
      if (cut) r.fail("the line went dead");
    };
    const auto r = vqcache::try_download_vqgan_model("m", "x://h/m.yaml", "x://h/m.ckpt", o);
    CHECK_MESSAGE(r.ok(), r.error.what());
    CHECK(asked == std::vector<std::uint64_t>{0, tells ? 100000U : 0U});
    CHECK(slurp(at / "local" / "m.ckpt") == all);
  }
}

TEST_SUITE_END();
