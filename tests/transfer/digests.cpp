// What a server declares itself of the SHA-256 of its file: the file is held to it, the receipt says
// so, and a partial is continued by it, from whichever server declares the same.
#include "children.hpp"
#include "world.hpp"

namespace {

using namespace children;
using vqcache::errc;

const std::string cut = "&n=2";  // half of the file, then 404 for the rest and for the whole

std::string right_digest() {
  return hostile().fact("ckpt");
}

std::string other_digest() {
  return hostile().sha256_of("/declares/last.ckpt", "other");
}

struct home {  // one model's two directories, and calls for it
  scratch at;
  std::string by, key;

  explicit home(const std::string& transport)
      : by(transport),
        key((at / "x").parent_path().filename().string()) {}

  std::string path(const std::string& behaviour, const std::string& query) const {
    return "/" + behaviour + "/" + key + "/last.ckpt?" + query;
  }

  plan call(const vqcache::source& checkpoint) {
    plan p = call_of(at.fresh(), by, hostile().url("/good/" + key + "/model.yaml"), checkpoint);
    p.opts.local_dir = local(), p.opts.cache_dir = at / "cache";
    p.opts.connections = 1;
    return p;
  }

  plan call(const std::string& path) { return call(vqcache::source(hostile().url(path))); }

  fs::path local() const { return at / "local"; }

  std::string part() const { return first_name(local(), ".m.ckpt.", ".part"); }

  std::uint64_t part_size() const { return part().empty() ? 0 : fs::file_size(local() / part()); }

  std::string receipt() const { return slurp(local() / "m.sha256"); }

  bool is_right() const {
    return slurp(local() / "m.ckpt") == v1().ckpt && slurp(at / "cache/m/m.ckpt") == v1().ckpt;
  }

  // A first call that ends with half of the checkpoint on the disk.
  void half_a_call(const std::string& path) {
    const outcome o = children::call(call(path));
    CHECK_MESSAGE(o.failed(errc::http_status), describe(o));
    REQUIRE(part_size() == 150000);
  }
};

std::string range_of(const support::seen& s) {
  return s.has("range") ? s.headers.at("range") : "";
}

std::string line_of(const std::string& header) {  // of the receipt
  return "# declared " + right_digest() + " 127.0.0.1 " + header + " m.ckpt\n";
}

}  // namespace

TEST_SUITE_BEGIN("transport digests");

TEST_CASE("the digest that a server declares holds, and the receipts say so") {
  struct row {
    std::string behaviour, query, header;
  };

  for (const std::string& by : transports()) {
    for (const row& r :
        {row{"declares", "repr=right", "repr-digest"}, row{"declares", "digest=right", "digest"},
            row{"declares", "amz=right", "x-amz-checksum-sha256"},
            row{"declares", "link=right", "x-linked-etag"},
            row{"links", "hub=right", "x-linked-etag"},
            row{"links", "hub=right&repr=right", "x-linked-etag"}}) {
      CAPTURE(by);
      CAPTURE(r.query);
      home h(by);
      const outcome o = call(h.call(h.path(r.behaviour, r.query)));
      CHECK_MESSAGE(o.ok(), describe(o));
      CHECK(h.is_right());
      CHECK_MESSAGE(has(h.receipt(), line_of(r.header)), h.receipt());
      CHECK(has(slurp(h.at / "cache/m/m.sha256"), line_of(r.header)));
      const auto checked = support::run(
          "cd " + support::quoted(h.local().string()) + " && sha256sum -c --quiet m.sha256");
      CHECK_MESSAGE(checked.code == 0, checked.output);

      fs::remove_all(h.local());  // and so does the one that is written when it is restored
      const outcome again = call(h.call(h.path(r.behaviour, r.query)));
      CHECK_MESSAGE(again.ok(), describe(again));
      CHECK(has(h.receipt(), line_of(r.header)));
    }
  }
}

TEST_CASE("bytes that are not those that were declared get no name; another source is tried") {
  for (const std::string& by : transports()) {
    for (const std::string where :
        {"declares/repr", "declares/digest", "declares/amz", "declares/link", "links/hub"}) {
      CAPTURE(by);
      CAPTURE(where);
      home h(by);
      const std::size_t slash = where.find('/');
      const std::string path = h.path(where.substr(0, slash), where.substr(slash + 1) + "=wrong");
      const outcome o = call(h.call(path));
      CHECK_MESSAGE(o.failed(errc::hash_mismatch), describe(o));
      CHECK(has(o.what, "declared the SHA-256 " + other_digest()));
      CHECK(has(o.what, right_digest()));
      CHECK_FALSE(fs::exists(h.local() / "m.ckpt"));
      CHECK(has(o.said(), "Discarded 300000 bytes of m.ckpt: its server declared"));

      const outcome next = call(h.call(vqcache::source(
          std::vector<std::string>{hostile().url(path), hostile().url(h.path("good", ""))}, "")));
      CHECK_MESSAGE(next.ok(), describe(next));
      CHECK(h.is_right());
      CHECK_FALSE(has(h.receipt(), "# declared"));
    }
  }
}

TEST_CASE("a pin or a receipt overrules: what declares another digest is not brought") {
  for (const std::string& by : transports()) {
    CAPTURE(by);
    home h(by);
    const std::string wrong = h.path("links", "hub=wrong"), good = h.path("good", "");
    vqcache::source pinned(hostile().url(wrong));
    pinned.sha256 = right_digest();  // and it would send these bytes
    const outcome o = call(h.call(pinned));
    CHECK_MESSAGE(o.failed(errc::hash_mismatch), describe(o));
    CHECK(has(o.what, "declares the SHA-256 " + other_digest()));
    CHECK(has(o.what, "but the pin says " + right_digest()));
    CHECK(has(o.what, "look where the pin came from"));
    CHECK(hostile().log(h.path("links", "hub=wrong")).size() == 1);  // once is enough
    CHECK(first_name(h.local(), ".m.ckpt.", "").empty());

    pinned = vqcache::source(
        std::vector<std::string>{hostile().url(wrong), hostile().url(good)}, right_digest());
    const outcome next = call(h.call(pinned));
    CHECK_MESSAGE(next.ok(), describe(next));
    CHECK(h.is_right());

    fs::remove(h.local() / "m.ckpt");
    fs::remove_all(h.at / "cache");
    const outcome bound = call(h.call(wrong));
    CHECK_MESSAGE(bound.failed(errc::hash_mismatch), describe(bound));
    CHECK(has(bound.what, "but the local receipt says " + right_digest()));
  }
}

TEST_CASE("what is here stays when a server declares another digest than the pin") {
  if (not_over_fetch("what an earlier call left is not continued")) return;
  for (const std::string& by : transports()) {
    CAPTURE(by);
    home h(by);
    h.half_a_call(h.path("declares", "repr=right" + cut));
    vqcache::source pinned(hostile().url(h.path("links", "hub=wrong")));
    pinned.sha256 = right_digest();
    const outcome o = call(h.call(pinned));
    CHECK_MESSAGE(o.failed(errc::hash_mismatch), describe(o));
    CHECK(h.part_size() == 150000);
    CHECK_FALSE(has(o.said(), "Discarded"));
  }
}

TEST_CASE("a partial is continued by its declared digest, whatever the ETags are") {
  if (not_over_fetch("what an earlier call left is not continued")) return;
  for (const std::string& by : transports()) {
    for (const std::string query : {"repr=right", "repr=right&tag=own", "link=right&tag=own"}) {
      for (const bool by_pin : {false, true}) {
        CAPTURE(by);
        CAPTURE(query);
        CAPTURE(by_pin);
        home h(by);
        const std::string path = h.path("declares", query + cut);
        h.half_a_call(path);
        vqcache::source later(hostile().url(path));
        if (by_pin) later.sha256 = right_digest();
        const outcome o = call(h.call(later));
        CHECK_MESSAGE(o.ok(), describe(o));
        CHECK(h.is_right());
        const auto asked = hostile().log(path);
        REQUIRE(asked.size() == 4);
        CHECK(range_of(asked[3]) == "bytes=84464-");  // 64 KiB are compared
        CHECK_FALSE(asked[3].has("if-range"));
        CHECK_FALSE(has(o.said(), "Discarded"));
        CHECK(has(h.receipt(), "# declared " + right_digest()));
      }
    }
  }
}

TEST_CASE(
    "the server behind a hub may have no mark at all: a later call continues by the hub's word") {
  if (not_over_fetch("what an earlier call left is not continued")) return;
  for (const std::string& by : transports()) {
    CAPTURE(by);
    home h(by);
    h.half_a_call(h.path("links", "hub=right" + cut));
    const outcome o = call(h.call(h.path("links", "hub=right" + cut)));
    CHECK_MESSAGE(o.ok(), describe(o));
    CHECK(h.is_right());
    const auto asked = hostile().log("/declares/" + h.key + "/last.ckpt");
    REQUIRE(!asked.empty());
    CHECK(range_of(asked.back()) == "bytes=84464-");
  }
}

TEST_CASE(
    "a mirror that declares the same continues a partial; one that does not brings the whole") {
  if (not_over_fetch("what an earlier call left is not continued")) return;

  struct row {
    std::string mirror, query;
    bool continues;
  };

  for (const std::string& by : transports()) {
    for (const row& r : {row{"declares", "digest=right", true}, row{"links", "hub=right", true},
             row{"good", "", false}, row{"no_ranges", "", false}}) {
      CAPTURE(by);
      CAPTURE(r.mirror);
      home h(by);
      h.half_a_call(h.path("declares", "repr=right" + cut));
      const std::string mirror = "/" + r.mirror + "/" + h.key + "-mirror/last.ckpt?" + r.query;
      const outcome o = call(h.call(mirror));
      CHECK_MESSAGE(o.ok(), describe(o));
      CHECK(h.is_right());
      CHECK(h.part().empty());
      const std::string served = r.mirror == "links" ? "declares" : r.mirror;
      std::uint64_t sent = 0;
      for (const auto& s : hostile().log("/" + served + "/" + h.key + "-mirror/last.ckpt"))
        sent += s.status == 200 ? s.body : 0;
      CHECK((sent == 0) == r.continues);
    }
  }
}

TEST_CASE("in one call, too, a mirror that declares the same continues what another one brought") {
  for (const std::string& by : transports()) {
    CAPTURE(by);
    home h(by);
    const std::string first = h.path("declares", "repr=right" + cut);
    const std::string mirror = "/declares/" + h.key + "-mirror/last.ckpt?link=right";
    const outcome o = call(h.call(vqcache::source(
        std::vector<std::string>{hostile().url(first), hostile().url(mirror)}, "")));
    CHECK_MESSAGE(o.ok(), describe(o));
    CHECK(h.is_right());
    const auto asked = hostile().log(mirror);
    REQUIRE(asked.size() == 1);
    CHECK(asked[0].status == 206);
  }
}

TEST_CASE("a declared digest that has changed is another file, which is brought anew") {
  if (not_over_fetch("what an earlier call left is not continued")) return;
  for (const std::string& by : transports()) {
    CAPTURE(by);
    home h(by);
    const std::string mirror = "/declares/" + h.key + "-mirror/last.ckpt?repr=wrong";
    h.half_a_call(h.path("declares", "repr=right" + cut));
    const outcome o = call(h.call(mirror));
    CHECK_MESSAGE(o.failed(errc::hash_mismatch), describe(o));  // it declares what it does not send
    REQUIRE_FALSE(hostile().log(mirror).empty());
    CHECK(range_of(hostile().log(mirror).back()).empty());
    CHECK(h.part_size() == 150000);  // of the first one, which nobody has contradicted
  }
}

TEST_CASE("of two digests that contradict each other neither is believed, which is said") {
  for (const std::string& by : transports()) {
    for (const std::string where :
        {"declares/repr=right&digest=wrong", "links/hub=wrong&repr=right"}) {
      CAPTURE(by);
      CAPTURE(where);
      home h(by);
      const std::size_t slash = where.find('/');
      const outcome o = call(h.call(h.path(where.substr(0, slash), where.substr(slash + 1))));
      CHECK_MESSAGE(o.ok(), describe(o));
      CHECK(h.is_right());
      CHECK_MESSAGE(has(o.said(), "The servers of m.ckpt contradict each other"), o.said());
      CHECK_FALSE(has(h.receipt(), "# declared"));
    }
  }
}

TEST_CASE("a page that has a digest is a page") {
  for (const std::string& by : transports()) {
    CAPTURE(by);
    home h(by);
    const outcome o = call(h.call(h.path("declares_page", "")));
    CHECK_MESSAGE(o.failed(errc::not_the_file), describe(o));
  }
}

TEST_CASE("a body whose end nobody tells is verified by its declared digest") {
  for (const std::string& by : transports()) {
    for (const bool declared : {false, true}) {
      CAPTURE(by);
      CAPTURE(declared);
      home h(by);
      const std::string query = std::string("unsized=1") + (declared ? "&repr=right" : "");
      const plan p =
          call_of(h.at.fresh(), by, hostile().url("/declares/" + h.key + "/model.yaml?" + query),
              hostile().url("/good/" + h.key + "/last.ckpt"));
      const outcome o = call(p);
      CHECK_MESSAGE(o.ok(), describe(o));
      const std::string receipt = slurp(p.opts.local_dir / "m.sha256");
      if (by != by_fetch) CHECK(has(receipt, "# unverified m.yaml") == !declared);
      CHECK(has(receipt, "# declared") == declared);
    }
  }
}

TEST_CASE("a file of the hub is held to the digest that the hub tells where it redirects") {
  if (not_over_fetch("it gets addresses of the hub as they are")) return;
  for (const std::string& by : transports()) {
    for (const bool is_right : {true, false}) {
      CAPTURE(by);
      CAPTURE(is_right);
      const scratch at;
      plan p =
          call_of(at.path(), by, hostile().url("/good/hub/model.yaml"), "hf://org/net/last.ckpt");
      // the address is the hub's: what it tells is in its path
      p.env["HF_ENDPOINT"] = hostile().url(is_right ? "/links" : "/hugging_face_lies");
      p.env["HF_HOME"] = (at / "hf").string();
      for (const char* unset : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN_PATH",
               "HF_TOKEN", "HF_HUB_DISABLE_IMPLICIT_TOKEN"})
        p.env[unset] = "";
      const outcome o = call(p);
      CHECK_MESSAGE((is_right ? o.ok() : o.failed(errc::hash_mismatch)), describe(o));
      CHECK(has(slurp(p.opts.local_dir / "m.sha256"), line_of("x-linked-etag")) == is_right);
      if (!is_right) CHECK(has(o.what, "declared the SHA-256 " + std::string(64, '0')));
    }
  }
}

TEST_SUITE_END();
