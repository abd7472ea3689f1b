// The story of the design with a bucket or a WebDAV server as the lasting tier: the same calls, and
// what only such a tier can do to them. The store is our own, which misbehaves when it is told to.
#include <doctest/doctest.h>

#include <chrono>
#include <thread>

#include "stored_place.hpp"

using namespace world;
using support::store;
using vqcache::errc;
using vqcache::origin;

namespace {

struct remote_place : stored_place {
  explicit remote_place(kind of) : stored_place(of, "team", "/m") {}

  vqcache::result bring() {
    forget();
    return vqcache::try_download_vqgan_model("m", config_url, checkpoint_url, with_store());
  }

  void wipe_store() const { take("*"); }

  bool holds_all() const { return bytes("m.yaml") == config() && bytes("m.ckpt") == checkpoint(); }

  bool has_said(const std::string& part) const {
    for (const std::string& line : said)
      if (line.find(part) != std::string::npos) return true;
    return false;
  }

  int asked_store() const { return static_cast<int>(store().log().size()); }
};

}  // namespace

TEST_SUITE("stores") {
  TEST_CASE(
      "the story: downloaded and stored; a hit; wiped and the origin gone, the store serves") {
    on_both([](remote_place& w) {
      auto r = w.bring();
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(w.said == lines{"The model (m) was not found, downloading and caching."});
      CHECK(r.model.cached);
      CHECK(w.local_is("m"));
      CHECK(w.holds_all());
      CHECK(w.bytes("m.sha256").find(sha256(checkpoint()) + "  m.ckpt\n") != std::string::npos);

      store().forget_requests();
      w.origin_dies();
      r = w.bring();
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(w.said == lines{"The model (m) is already available locally."});
      CHECK(r.model.cached);
      CHECK(w.asked_store() == 0);  // the local receipt tells

      w.wipe_local();
      r = w.bring();
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(w.said == lines{"The model (m) is available in the cache, copying locally."});
      CHECK(r.model.from == origin::cache);
      CHECK(r.model.cached);
      CHECK(w.asked.empty());
      CHECK(w.local_is("m"));
      CHECK(w.saw(vqcache::phase::restoring, "m.ckpt"));
    });
  }

  TEST_CASE(
      "a store that was emptied is noticed by the first call that asks it, and stored again") {
    on_both([](remote_place& w) {
      REQUIRE(w.bring().ok());
      w.wipe_store();
      auto o = w.with_store();
      o.recheck_copy = 0;
      w.forget();
      const auto r = vqcache::try_download_vqgan_model("m", config_url, checkpoint_url, o);
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(r.model.from == origin::local);
      CHECK(r.model.cached);
      CHECK(w.holds_all());
    });
  }

  TEST_CASE("a store that is away, full, read-only or says no costs no call its local files") {
    for (const char* rule : {"way=forbidden", "way=read_only", "way=full", "way=reset",
             "way=error&code=500", "way=captive"}) {
      on_both([rule](remote_place& w) {
        CAPTURE(rule);
        store().rule(rule);
        auto r = w.bring();
        REQUIRE_MESSAGE(r.ok(), why(r));
        CHECK(w.local_is("m"));
        CHECK_FALSE(r.model.cached);
        CHECK(w.has_said("is complete locally, but not in the cache"));
        const bool says_no = std::string(rule) == "way=read_only";  // which is told once
        CHECK_FALSE((says_no && w.has_said("whether another machine is bringing")));

        store().clear();
        r = w.bring();
        REQUIRE_MESSAGE(r.ok(), why(r));
        CHECK(r.model.cached);
        CHECK(w.holds_all());
      });
    }
  }

  TEST_CASE("a receipt does not stay over a file that the store did not keep as it was sent") {
    for (const char* rule : {"way=forgets&path=*m.ckpt*", "way=stores_half&path=*m.ckpt*"}) {
      CAPTURE(rule);
      remote_place w(remote_place::kind::bucket);
      store().rule(rule);
      auto r = w.bring();
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(w.local_is("m"));
      CHECK_FALSE(r.model.cached);
      CHECK(w.bytes("m.sha256") == "absent");

      store().clear();
      r = w.bring();
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(r.model.cached);
      CHECK(w.holds_all());
    }
  }

  TEST_CASE("a proxy that lies about what is there costs a store that is whole nothing") {
    remote_place w(remote_place::kind::bucket);
    REQUIRE(w.bring().ok());
    store().rule("way=captive&method=HEAD");
    auto o = w.with_store();
    o.recheck_copy = 0;
    w.forget();
    const auto r = vqcache::try_download_vqgan_model("m", config_url, checkpoint_url, o);
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK_FALSE(r.model.cached);
    CHECK(w.holds_all());
    CHECK(w.bytes("m.sha256").find("  m.ckpt") != std::string::npos);
  }

  TEST_CASE("a lost answer to a move is looked for") {
    for (const char* rule : {"way=lost&method=MOVE&times=1&path=*.ckpt*",
             "way=lost_reset&method=MOVE&times=1&path=*.yaml*",
             "way=answers&code=500&method=MOVE&times=1&path=*.ckpt*"}) {
      CAPTURE(rule);
      remote_place w(remote_place::kind::web);
      store().rule(rule);
      const auto r = w.bring();
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(r.model.cached);
      CHECK(w.holds_all());
    }
  }

  TEST_CASE("a store that keeps half of all it is sent delays no call by its leases") {
    on_both([](remote_place& w) {
      store().rule("way=stores_half");
      const auto begun = std::chrono::steady_clock::now();
      const auto r = w.bring();
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(w.local_is("m"));
      CHECK_FALSE(r.model.cached);
      CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(30));
    });
  }

  TEST_CASE("no key, signature or password is seen by anybody but the store") {
    on_both([](remote_place& w) {
      store().rule("way=error&code=403&body=echo");
      const auto r = w.bring();
      REQUIRE(r.ok());
      std::string all = read(w.local / "m.sha256");
      for (const std::string& line : w.said)
        all += line + "\n";
      CHECK(all.find(store().fact("secret")) == std::string::npos);
      CHECK(all.find(store().fact("password")) == std::string::npos);
      CHECK(all.find("Signature=") == std::string::npos);
    });
  }

  TEST_CASE("a large file goes to a bucket in parts, and comes back whole") {
    remote_place w(remote_place::kind::bucket);
    const std::string large = checkpoint(110'000'000, 7);
    w.serve(checkpoint_url, {large});
    auto r = w.bring();
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(r.model.cached);
    int parts = 0;
    for (const support::store_request& one : store().log("*m.ckpt"))
      parts += one.path.find("partNumber=") != std::string::npos ? 1 : 0;
    CHECK(parts == 7);
    CHECK(w.saw(vqcache::phase::storing, "m.ckpt"));
    CHECK_FALSE(has(store().control("uploads"), w.prefix + "/"));

    w.wipe_local();
    w.origin_dies();
    r = w.bring();
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(read(w.in_local("m.ckpt")) == large);
    CHECK(w.saw(vqcache::phase::restoring, "m.ckpt"));
  }

  TEST_CASE("a set of many files is stored, and restored side by side") {
    on_both([](remote_place& w) {
      std::vector<vqcache::named_source> files;
      for (int i = 0; i < 12; ++i) {
        const std::string name = "part/" + std::to_string(i) + ".bin";
        w.serve("http://origin.test/" + name, {checkpoint(20000, unsigned(i))});
        files.push_back({name, "http://origin.test/" + name});
      }
      auto r = vqcache::try_download_model("m", files, w.with_store());
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(r.model.cached);
      w.wipe_local();
      w.origin_dies();
      r = vqcache::try_restore_model("m", w.with_store());
      REQUIRE_MESSAGE(r.ok(), why(r));
      for (int i = 0; i < 12; ++i)
        CHECK(read(w.local / "m" / files[std::size_t(i)].file) == checkpoint(20000, unsigned(i)));
    });
  }

  TEST_CASE("a restore that was cut goes on where it was") {
    on_both([](remote_place& w) {
      const std::string large = checkpoint(3'000'000, 3);
      w.serve(checkpoint_url, {large});
      REQUIRE(w.bring().ok());
      w.wipe_local();
      w.origin_dies();
      store().rule("way=cut&at=1000000&times=1&method=GET&path=*m.ckpt");
      const auto r = w.bring();
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(read(w.in_local("m.ckpt")) == large);
      bool has_range = false;
      for (const support::store_request& one : store().log("*m.ckpt"))
        has_range = has_range || one.headers.count("range") != 0;
      CHECK(has_range);
    });
  }

  TEST_CASE("without an origin the error tells what the store says, which may hold the model") {
    for (const char* rule : {"way=forbidden", "way=reset", "way=error&code=500"}) {
      on_both([rule](remote_place& w) {
        CAPTURE(rule);
        REQUIRE(w.bring().ok());
        w.wipe_local();
        w.origin_dies();
        store().rule(rule);
        const auto r = w.bring();
        REQUIRE_FALSE(r.ok());
        const std::string text = r.error.what();
        CHECK_MESSAGE(text.find("/m' holds is not known: ") != std::string::npos, text);
        CHECK(w.has_said("The cache cannot be read: "));

        store().clear();
        CHECK(w.bring().ok());
      });
    }
  }

  TEST_CASE("a copy whose bytes are not those of its receipt is called so, and is replaced") {
    on_both([](remote_place& w) {
      REQUIRE(w.bring().ok());
      w.wipe_local();
      store().rule("way=flip&at=9&method=GET&path=*m.ckpt");
      const auto r = w.bring();
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(r.model.from == origin::network);
      CHECK(w.local_is("m"));
      CHECK(w.has_said("m.ckpt' is not right as it was read here ("));
      for (const std::string& line : w.said) {
        CHECK_MESSAGE(line.find("cannot be read") == std::string::npos, line);
        CHECK_MESSAGE(line.find("vqcache::remove") == std::string::npos, line);
      }
      int written = 0;
      for (const support::store_request& one : store().log("*m.ckpt*"))
        written += one.method == "PUT" ? 1 : 0;
      CHECK(written == 2);  // when it was stored first, and now

      store().clear();
      w.wipe_local();
      w.origin_dies();
      CHECK(w.bring().ok());
    });
  }

  TEST_CASE("a receipt without its file is as none, and is told with what the store says") {
    for (const char* rule : {"way=forbidden&method=HEAD&path=*m.ckpt", "delete"}) {
      on_both([rule](remote_place& w) {
        CAPTURE(rule);
        REQUIRE(w.bring().ok());
        w.wipe_local();
        w.origin_dies();
        const bool is_gone = std::string(rule) == "delete";
        if (is_gone)
          store().control("delete?key=" + support::store_server::encoded(w.key("m.ckpt")) + w.on());
        else
          store().rule(rule);
        REQUIRE_FALSE(w.bring().ok());
        CHECK(
            w.has_said("The cached m.ckpt is not used: its receipt speaks of it, and it is not "
                       "there"));
        CHECK(w.has_said("not there: '") != is_gone);
        CHECK(w.has_said("HTTP 403") != is_gone);
      });
    }
  }

  TEST_CASE("a store that says nothing is told of while it is waited for, once and not for long") {
    on_both([](remote_place& w) {
      store().rule("way=hang");
      auto o = w.with_store();
      o.connect_seconds = 2;
      o.stall_seconds = 2;
      const auto r = vqcache::try_download_vqgan_model("m", config_url, checkpoint_url, o);
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(w.local_is("m"));
      CHECK_FALSE(r.model.cached);
      REQUIRE(!w.said.empty());
      const std::string told = "/m/m.sha256' has said nothing for 2 s; it is waited for up to 4 s.";
      CHECK_MESSAGE(w.has_said(told), w.said[0]);
      CHECK(w.asked_store() == 1);
    });
  }

  TEST_CASE("of what a store says without end the beginning is told") {
    on_both([](remote_place& w) {
      REQUIRE(w.bring().ok());
      w.wipe_local();
      w.origin_dies();
      store().rule("way=error&code=403&body=long");
      const auto r = w.bring();
      REQUIRE_FALSE(r.ok());
      const std::string text = r.error.what();
      CHECK_MESSAGE(text.find("mmmm") != std::string::npos, text);
      CHECK_MESSAGE(text.find(std::string(500, 'm')) == std::string::npos, text);
    });
  }

  TEST_CASE("a store that is said wrongly is told so, and no directory is made instead") {
    const std::pair<const char*, const char*> rows[] = {{"s3:/bucket/vq", "s3://BUCKET/PREFIX"},
        {"gs://bucket/vq", "is a URL of another kind"},
        {"s3://bucket/vq?endpoint", "has endpoint behind its ? without =VALUE"}};
    for (const auto& row : rows) {
      CAPTURE(row.first);
      place w;
      auto o = w.options();
      o.cache_dir = row.first;
      const auto r = w.call_with(o, "m");
      CHECK(r.error.code() == errc::invalid_argument);
      CHECK(std::string(r.error.what()).find(row.second) != std::string::npos);
    }
  }
}

// ---- a lease that is lost: another machine took this one for dead

namespace {

struct stalled : remote_place {
  explicit stalled(kind of) : remote_place(of) {}

  environment ttl{"VQCACHE_LEASE_SECONDS", "1"};
  const std::string other =
      "# vqcache lease 1\nowner " + std::string(32, 'b') + "\nwrite 1\ndone 5\nttl 1\n";
  const std::string newer_config = config("newer");
  std::string newer{};  // checkpoint
  bool was_seen = false;

  // Returns once our keeper has looked at the other's lease.
  void is_overtaken() {
    const std::string next = key(".m.lease.2");
    put(".m.lease.2", other);
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!was_seen && std::chrono::steady_clock::now() < until) {
      for (const support::store_request& one : store().log(next))
        was_seen = was_seen || (one.method == "GET" && one.status == 200 && !one.open);
    }
  }

  void other_publishes() {
    put("m.yaml", newer_config);
    ask("put", "m.ckpt", "&size=90000&seed=newer");
    newer = bytes("m.ckpt");
    put("m.sha256", receipt());
  }

  std::string receipt() const {
    return sha256(newer_config) + "  m.yaml\n" + sha256(newer) + "  m.ckpt\n";
  }

  // Half of the checkpoint comes, then this happens, then the rest comes.
  vqcache::result bring_while(const std::function<void()>& happens) {
    forget();
    vqcache::options o = with_store();
    const auto plain = o.fetch;
    o.fetch = [&happens, plain](const vqcache::request& q, vqcache::response& r) {
      if (q.url != checkpoint_url) return plain(q, r);
      const std::string all = checkpoint();
      r.status(200);
      r.write(all.data(), all.size() / 2);
      happens();
      r.write(all.data() + all.size() / 2, all.size() - all.size() / 2);
    };
    return vqcache::try_download_vqgan_model("m", config_url, checkpoint_url, o);
  }
};

}  // namespace

TEST_SUITE("a lost lease") {
  TEST_CASE("the newer holder has published: what it stored stays as it is") {
    on_both([](stalled& w) {
      const auto r = w.bring_while([&w] {
        w.is_overtaken();
        w.other_publishes();
      });
      CHECK(w.was_seen);
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(w.bytes("m.sha256") == w.receipt());
      CHECK(w.bytes("m.yaml") == w.newer_config);
      CHECK(w.bytes("m.ckpt") == w.newer);
      CHECK((w.local_is("m") || w.local_is("m", w.newer_config, w.newer)));
      CHECK_FALSE(r.model.cached);
      CHECK_MESSAGE(w.has_said("is complete locally, but not in the cache"), w.all_said());
      CHECK(w.bytes(".m.lease.2") == w.other);
    });
  }

  TEST_CASE("the newer holder is at work: nothing is stored, and its lease is left alone") {
    on_both([](stalled& w) {
      auto r = w.bring_while([&w] { w.is_overtaken(); });
      CHECK(w.was_seen);
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(w.local_is("m"));
      CHECK_FALSE(r.model.cached);
      for (const char* const file : {"m.yaml", "m.ckpt", "m.sha256"})
        CHECK(w.bytes(file) == "absent");
      CHECK(w.bytes(".m.lease.2") == w.other);
      CHECK_FALSE(has(w.bytes(".m.lease.1"), "over"));
      CHECK_MESSAGE(w.has_said("another machine is storing it"), w.all_said());

      r = w.bring();  // the next one stores
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(r.model.cached);
      CHECK(w.holds_all());
    });
  }

  TEST_CASE("it is lost while a file is on its way into the store: no file gets its name") {
    stalled w(stalled::kind::web);
    store().rule("way=hold&method=PUT&path=*.m.ckpt.*");
    std::thread another([&w] {
      const bool has_come = store().wait("*/.m.ckpt.*");
      w.is_overtaken();
      w.was_seen = w.was_seen && has_come;
      store().release();
    });
    const auto r = w.bring();
    another.join();
    CHECK(w.was_seen);
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(w.local_is("m"));
    CHECK_FALSE(r.model.cached);
    for (const char* const file : {"m.yaml", "m.ckpt", "m.sha256"})
      CHECK(w.bytes(file) == "absent");
    CHECK(w.bytes(".m.lease.2") == w.other);
  }
}
