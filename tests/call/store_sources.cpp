// s3://BUCKET/KEY as a source, over each transport: what is asked, with whose signature, and what
// people and receipts are told of it. And the login of a WebDAV server that a netrc tells.
#include <doctest/doctest.h>

#include "world.hpp"
// after it
#include "store_server.hpp"

using namespace world;
using support::store;
using vqcache::errc;
using vqcache::origin;

namespace {

constexpr std::size_t large = 24 << 20;

// The files of a model in the bucket of this process.
struct bucket_world : place {
  explicit bucket_world(const std::string& over, std::size_t size = 300000) : transport(over) {
    store().clear();
    store().control("release");
    store().control("region?is=" + store().fact("region"));
    store().control("clock?off=0");
    store().control("put?key=" + support::store_server::encoded(key("yaml"))
        + "&text=" + support::store_server::encoded(config()));
    store().control("put?key=" + support::store_server::encoded(key("ckpt"))
        + "&seed=7&size=" + std::to_string(size));
    checkpoint_bytes = store().bytes_of(key("ckpt"));
    store().forget_requests();
  }

  std::string transport, checkpoint_bytes{};
  environment id{"AWS_ACCESS_KEY_ID", store().fact("key")};
  environment secret{"AWS_SECRET_ACCESS_KEY", store().fact("secret")};
  environment home{"HOME", root.at.c_str()};
  environment no_machine{"AWS_EC2_METADATA_DISABLED", "true"};

  static std::string key(const std::string& kind) { return "/bucket/models/v1/m." + kind; }

  static std::string endpoint() {
    return "?endpoint=http://127.0.0.1:" + store().fact("plain")
        + "&region=" + store().fact("region");
  }

  static std::string url(const std::string& kind, const std::string& behind = endpoint()) {
    return "s3:/" + key(kind) + behind;
  }

  vqcache::options over_network() {
    vqcache::options o = options();
    o.fetch = nullptr;
    o.transport = transport;
    return o;
  }

  vqcache::result bring(const vqcache::source& c, const vqcache::source& k) {
    return call_with(over_network(), "m", c, k);
  }

  vqcache::result bring() { return bring(url("yaml"), url("ckpt")); }

  bool is_here() const { return local_is("m", config(), checkpoint_bytes); }
};

void over_both(const std::function<void(const std::string&)>& act) {
  for (const char* const transport : {"libcurl", "curl"}) {
    INFO(transport);
    act(transport);
  }
}

// Everything that anybody could read.
std::string shown_by(const place& w, const vqcache::result& r) {
  std::string all = w.all_said() + why(r);
  for (const auto& one : contents(w.root.at))
    if (one.first.find(".ckpt") == std::string::npos || one.second.size() < 100000)
      all += one.first + "\n" + one.second + "\n";
  return all;
}

void holds_no_secret(const std::string& text) {
  for (const std::string& secret : {store().fact("secret"), store().fact("password"),
           std::string("Signature="), std::string("Credential=")})
    CHECK_MESSAGE(text.find(secret) == std::string::npos, text);
}

std::string line_of(const std::string& receipt, const std::string& front, const std::string& file) {
  std::istringstream in(receipt);
  for (std::string line; std::getline(in, line);)
    if (line.find(front) == 0 && line.rfind(file) == line.size() - file.size()) return line;
  return "";
}

}  // namespace

TEST_SUITE("store sources") {
  TEST_CASE("both files come from a bucket, and what people and receipts see is s3://") {
    over_both([](const std::string& transport) {
      bucket_world w(transport);
      auto r = w.bring();
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(r.model.from == origin::network);
      CHECK(w.is_here());
      for (const auto& one : store().log("/bucket/*"))
        CHECK(one.verdict == "ok");

      const std::string receipt = read(w.local / "m.sha256");
      CHECK(line_of(receipt, "# origin ", "m.ckpt") == "# origin " + w.url("ckpt") + " m.ckpt");
      holds_no_secret(shown_by(w, r));

      // by name, from what the receipt says
      fs::remove(w.local / "m.ckpt");
      w.wipe_cache();
      w.forget();
      r = vqcache::try_download_vqgan_model("m", w.over_network());
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(r.model.from == origin::network);
      CHECK(w.is_here());

      // and to mend it
      write(w.local / "m.ckpt", flipped(w.checkpoint_bytes, 1000));
      w.wipe_cache();
      auto o = w.over_network();
      o.keep_copy = false;
      CHECK(vqcache::repair_model("m", o).ok());
      CHECK(w.is_here());
    });
  }

  TEST_CASE("mirrors of several kinds: each is asked in its own way, and headers stay at home") {
    over_both([](const std::string& transport) {
      bucket_world w(transport);
      const std::string unsigned_url = "http://127.0.0.1:" + store().fact("plain") + w.key("ckpt");
      vqcache::source mixed({unsigned_url, w.url("ckpt")});
      mixed.headers = {"X-Canary: of-the-first-host"};
      auto r = w.bring(w.url("yaml"), mixed);
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(w.is_here());
      CHECK(w.heard("The source " + unsigned_url + " of m.ckpt has failed: "));
      for (const auto& one : store().log(w.key("ckpt")))
        CHECK(one.has("x-canary") != one.has("authorization"));

      bucket_world other(transport);
      const std::string file = (other.root.at / "here.ckpt").string();
      write(file, other.checkpoint_bytes);
      r = other.bring(other.url("yaml"),
          vqcache::source({"s3://bucket/models/none.ckpt" + other.endpoint(), file}));
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(other.is_here());
      CHECK(
          other.heard("The source s3://bucket/models/none.ckpt of m.ckpt has failed: HTTP 404: "
                      "the bucket has no such object"));
    });
  }

  TEST_CASE("the region and the clock are learnt from the store") {
    over_both([](const std::string& transport) {
      bucket_world w(transport);
      store().control("region?is=eu-north-7");
      store().control("clock?off=3600");
      const std::string plain = "?endpoint=http://127.0.0.1:" + store().fact("plain");
      const auto r = w.bring(w.url("yaml", plain), w.url("ckpt", plain));
      store().control("region?is=" + store().fact("region"));
      store().control("clock?off=0");
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(w.is_here());
      CHECK(w.heard("The clock of this machine is "));
      int refused = 0;
      for (const auto& one : store().log("/bucket/*"))
        refused += one.verdict == "ok" ? 0 : 1;
      CHECK(refused <= 3);  // of the first file: what it has taught holds for the second
    });
  }

  TEST_CASE("what is wrong is told in one clear text each, and the next source is taken") {
    over_both([](const std::string& transport) {
      const struct {
        const char *address, *rule, *id, *said;
      } rows[] = {
          {"s3://bucket/none.ckpt", "", "",
              "HTTP 404: the bucket has no such object; mend its key"},
          {"s3://nobucket/m.ckpt", "", "", "there is no such bucket: create it, or mend its name"},
          {"s3://bucket/models/v1/m.ckpt", "way=forbidden", "",
              "check who may do that there (the keys are from AWS_ACCESS_KEY_ID)"},
          {"s3://bucket/models/v1/m.ckpt", "", "none",
              "no keys for the bucket 'bucket' were found"},
      };
      for (const auto& one : rows) {
        CAPTURE(one.said);
        bucket_world w(transport);
        if (*one.rule != '\0') store().rule(one.rule);
        const bool has_keys = std::string(one.id) != "none";
        const environment id("AWS_ACCESS_KEY_ID", has_keys ? store().fact("key").c_str() : nullptr);
        const environment secret(
            "AWS_SECRET_ACCESS_KEY", has_keys ? store().fact("secret").c_str() : nullptr);
        const std::string yaml = (w.root.at / "here.yaml").string();
        write(yaml, config());
        auto r = w.bring(yaml, one.address + w.endpoint());
        REQUIRE_FALSE(r.ok());
        const std::string told = why(r);
        const std::string front = "cannot bring m.ckpt from '" + std::string(one.address) + "': ";
        CHECK_MESSAGE(told.find(front) != std::string::npos, told);
        CHECK_MESSAGE(told.find(one.said) != std::string::npos, told);
        CHECK_MESSAGE(
            told.find("s3://", told.find(front) + front.size()) == std::string::npos, told);
        holds_no_secret(shown_by(w, r));

        const std::string file = (w.root.at / "here.ckpt").string();
        write(file, w.checkpoint_bytes);
        r = w.bring(yaml, vqcache::source({one.address + w.endpoint(), file}));
        CHECK_MESSAGE(r.ok(), why(r));
      }
    });
  }

  TEST_CASE("keys in an address, and what names no object, is an error before anything is asked") {
    const struct {
      const char *address, *said;
    } rows[] = {
        {"s3://AKIAX:C4n4ry@bucket/m.ckpt", "holds keys: they belong in AWS_ACCESS_KEY_ID"},
        {"s3://AKIAX:123/C4n4ry@bucket/m.ckpt", "a host or keys where its bucket belongs"},
        {"s3://bucket", "names no object"},
        {"s3://bucket/folder/", "names no object"},
        {"s3://bucket/m.ckpt?key=x", "has the word 'key' behind its ?"},
        {"s3://bucket/m.ckpt?endpoint=http://store.lan", "would speak plain http with store.lan"},
    };

    for (const auto& one : rows) {
      CAPTURE(one.address);
      bucket_world w("");
      const auto r = w.bring(config_url, one.address);
      REQUIRE_FALSE(r.ok());
      CHECK(r.error.code() == errc::invalid_argument);
      CHECK_MESSAGE(why(r).find(one.said) != std::string::npos, why(r));
      CHECK(why(r).find("C4n4ry") == std::string::npos);
      CHECK(store().log().empty());
    }
  }

  TEST_CASE("several connections, each request signed anew; what was cut is continued") {
    over_both([](const std::string& transport) {
      bucket_world w(transport, large);
      store().rule("way=slow&rate=4000000&method=GET&path=" + w.key("ckpt"));
      bool is_to_stop = true;
      w.watch = [&is_to_stop](const vqcache::progress& p) {
        return !is_to_stop || p.file != "m.ckpt" || p.done < large / 4;
      };
      auto r = w.bring();
      REQUIRE_FALSE(r.ok());
      CHECK(r.error.code() == errc::cancelled);
      CHECK(why(r).find("are kept for the next call") != std::string::npos);

      is_to_stop = false;
      r = w.bring();
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(w.heard("Continuing m.ckpt at byte "));
      CHECK(w.is_here());

      std::size_t parts = 0;
      std::uint64_t bytes = 0;
      for (const auto& one : store().log(w.key("ckpt"))) {
        CHECK(one.verdict == "ok");
        parts += one.status == 206 && one.body > 1 ? 1 : 0;
        bytes += one.body;
      }
      CHECK(parts >= 3);
      CHECK(bytes < large + large / 2);
      holds_no_secret(shown_by(w, r));
    });
  }

  TEST_CASE("a redirect to another host gets no signature") {
    over_both([](const std::string& transport) {
      bucket_world w(transport);
      store().rule("way=redirect&skip=1&method=GET&path=" + w.key("ckpt"));
      const auto r = w.bring();
      CHECK_FALSE(r.ok());
      int asked = 0;
      for (const auto& one : store().log()) {
        if (one.port != "other") continue;
        ++asked;
        CHECK_FALSE(one.has("authorization"));
        CHECK_FALSE(one.has("x-amz-date"));
      }
      CHECK(asked > 0);
    });
  }

  TEST_CASE("a store that echoes what it got tells nobody a signature") {
    over_both([](const std::string& transport) {
      for (const char* const skip : {"0", "1"}) {
        bucket_world w(transport);
        store().rule("way=error&code=400&name=Bad&body=echo&skip=" + std::string(skip)
            + "&path=" + w.key("ckpt"));
        const auto r = w.bring();
        REQUIRE_FALSE(r.ok());
        holds_no_secret(shown_by(w, r));
      }
    });
  }

  TEST_CASE("a signature and a token that come back without their names are told to nobody") {
    over_both([](const std::string& transport) {
      const std::string token = "c4n4ry+of/the-session==";
      const environment given("AWS_SESSION_TOKEN", token);
      const std::string id = support::store_server::encoded(store().fact("key"));
      const std::string secret = support::store_server::encoded(store().fact("secret"));
      for (const char* const skip : {"0", "1", "tier"}) {
        CAPTURE(skip);
        bucket_world w(transport);
        store().control("key?id=" + id + "&secret=" + secret
            + "&token=" + support::store_server::encoded(token));
        const bool is_tier = std::string(skip) == "tier";
        store().rule("way=error&code=400&name=Bad&body=bare"
            + (is_tier ? std::string("&path=/bucket/kept/*")
                       : "&skip=" + std::string(skip) + "&path=" + w.key("ckpt")));
        auto o = w.over_network();
        if (is_tier) o.cache_dir = "s3://bucket/kept" + w.endpoint();
        const auto r = w.call_with(o, "m", w.url("yaml"), w.url("ckpt"));
        CHECK(r.ok() == is_tier);
        store().control("key?id=" + id + "&secret=" + secret);

        const std::string all = shown_by(w, r);
        int signatures = 0;
        for (const auto& one : store().log()) {
          const auto line = one.headers.find("authorization");
          if (line == one.headers.end()) continue;
          ++signatures;
          CHECK(all.find(line->second.substr(line->second.rfind('=') + 1)) == std::string::npos);
          CHECK(one.headers.at("x-amz-security-token") == token);
        }
        CHECK(signatures > 1);
        CHECK_MESSAGE(all.find("*** and ***") != std::string::npos, all);
        CHECK_MESSAGE(all.find("c4n4ry") == std::string::npos, all);
        holds_no_secret(all);
      }
    });
  }

  TEST_CASE("offline, pins, limits and explain are as of any other source") {
    over_both([](const std::string& transport) {
      bucket_world w(transport);
      auto o = w.over_network();
      o.offline = true;
      auto r = w.call_with(o, "m", w.url("yaml"), w.url("ckpt"));
      CHECK(r.error.code() == errc::offline);
      CHECK(store().log().empty());

      r = w.bring(w.url("yaml"), w.url("ckpt") + "#sha256=" + std::string(64, '1'));
      CHECK(r.error.code() == errc::hash_mismatch);

      o = w.over_network();
      o.max_bytes = 1000;
      r = w.call_with(o, "m", w.url("yaml"), w.url("ckpt"));
      CHECK(r.error.code() == errc::not_the_file);

      r = w.bring(w.url("yaml"), w.url("ckpt") + "#sha256=" + sha256(w.checkpoint_bytes));
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(w.is_here());

      w.wipe_local();
      w.wipe_cache();
      REQUIRE(w.bring().ok());
      fs::remove(w.local / "m.ckpt");
      w.wipe_cache();
      const auto told = vqcache::explain("m", w.over_network());
      std::string all;
      for (const auto& file : told.files)
        for (const std::string& line : file.why)
          all += line + "\n";
      CHECK_MESSAGE(all.find("'s3://bucket/models/v1/m.ckpt' answered HTTP 206, "
                        + std::to_string(w.checkpoint_bytes.size()) + " bytes")
              != std::string::npos,
          all);
      holds_no_secret(all);
    });
  }

  TEST_CASE("the address of another object under the same name is told") {
    bucket_world w("libcurl");
    REQUIRE(w.bring().ok());
    const std::string plain = "?endpoint=http://127.0.0.1:" + store().fact("plain");
    auto r = w.bring(w.url("yaml", plain), w.url("ckpt", plain));  // the same, asked otherwise
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK_FALSE(w.heard("came from"));
    r = w.bring(w.url("yaml"), "s3://bucket/models/v2/m.ckpt" + w.endpoint());
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(
        w.heard("The stored m.ckpt came from s3://bucket/models/v1/m.ckpt, not from "
                "s3://bucket/models/v2/m.ckpt; it is served as it is."));
  }

  TEST_CASE("options::fetch gets an address as it is") {
    bucket_world w("");
    w.serve("s3://any/thing", {checkpoint()});
    const auto r = w.call("m", config_url, "s3://any/thing");
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(w.asked.back() == "s3://any/thing");
    CHECK(store().log().empty());
  }
}

// ---- WebDAV

namespace {

struct dav_world : place {
  explicit dav_world(const std::string& over) : transport(over) {
    static int count = 0;
    store().clear();
    store().control("release");
    store().forget_requests();
    prefix = "logins" + std::to_string(++count);
  }

  std::string transport, prefix{};
  environment home{"HOME", root.at.c_str()};

  std::string login() const {
    return "login " + store().fact("user") + "\n  password \"" + store().fact("password") + "\"\n";
  }

  vqcache::result bring() {
    vqcache::options o = options();
    o.cache_dir = "http://127.0.0.1:" + store().fact("dav") + "/" + prefix;
    o.transport = transport;
    return call_with(o, "m");
  }

  static int accepted(const std::string& port) {
    int count = 0;
    for (const auto& one : store().log())
      count += one.port == port && one.verdict == "ok" ? 1 : 0;
    return count;
  }
};

}  // namespace

TEST_SUITE("logins from a netrc") {
  TEST_CASE("stores and restores with the login of the host, which nobody else sees") {
    over_both([](const std::string& transport) {
      for (const bool is_named : {false, true}) {
        dav_world w(transport);
        const fs::path file = w.root.at / (is_named ? "logins" : ".netrc");
        write(
            file, "machine other.test login x password y\n# ours\nmachine 127.0.0.1 " + w.login());
        const environment netrc("NETRC", is_named ? file.c_str() : nullptr);

        auto r = w.bring();
        REQUIRE_MESSAGE(r.ok(), why(r));
        CHECK_MESSAGE(r.model.cached, w.all_said());
        fs::remove_all(w.local);
        w.origin_dies();
        r = w.bring();
        REQUIRE_MESSAGE(r.ok(), why(r));
        CHECK(r.model.from == origin::cache);
        CHECK(w.local_is("m"));
        fs::remove(file);
        holds_no_secret(shown_by(w, r));
      }
    });
  }

  TEST_CASE("a host that the file does not name gets none, and the error tells where it belongs") {
    over_both([](const std::string& transport) {
      dav_world w(transport);
      write(w.root.at / ".netrc", "machine other.test " + w.login());
      const auto r = w.bring();
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK_FALSE(r.model.cached);
      CHECK_MESSAGE(w.heard("or its login into ~/.netrc"), w.all_said());
      CHECK(dav_world::accepted("dav") == 0);
      for (const auto& one : store().log())
        CHECK_FALSE(one.has("authorization"));
    });
  }

  TEST_CASE("a redirect to another host gets no login, and an echo is not shown") {
    over_both([](const std::string& transport) {
      for (const char* const rule : {"way=redirect&method=GET", "way=error&code=403&body=echo"}) {
        CAPTURE(rule);
        dav_world w(transport);
        write(w.root.at / ".netrc", "default " + w.login());
        REQUIRE(w.bring().ok());
        fs::remove_all(w.local);
        store().forget_requests();
        store().rule(rule + std::string("&port=dav&path=*.ckpt"));
        const auto r = w.bring();
        REQUIRE_MESSAGE(r.ok(), why(r));  // the origin lives
        for (const auto& one : store().log())
          if (one.port != "dav") CHECK_FALSE(one.has("authorization"));
        fs::remove(w.root.at / ".netrc");
        holds_no_secret(shown_by(w, r));
      }
    });
  }
}
