// hf://ORG/REPO@REVISION/PATH, against a server in the place of the hub, and a cache as its own
// programs leave it: a token goes to the hub alone, and what Python has brought is not brought again.
#include "children.hpp"

namespace {

using namespace children;
using vqcache::errc;

const char* const token = "hf_C4n4ryT0ken";

// The cache of the hub's Python: blobs by their digest, and snapshots that link to them.
void keep(const fs::path& cache, const std::string& path, const std::string& bytes,
    const std::string& blob) {
  const fs::path folder = cache / "models--org--net";
  const fs::path link = folder / "snapshots" / "0123abc" / path;
  write_file(folder / "refs/main", "0123abc");
  write_file(folder / "blobs" / blob, bytes);
  fs::create_directories(link.parent_path());
  fs::create_symlink(fs::relative(folder / "blobs" / blob, link.parent_path()), link);
}

plan call_by_hub(const scratch& home, const std::string& by, const std::string& more = "") {
  plan p = call_of(home.path(), by, "hf://org/net/model.yaml", "hf://org/net/last.ckpt" + more);
  p.env["HF_ENDPOINT"] = hostile().url("/good/hub");
  p.env["HF_HOME"] = (home / "hf").string();
  p.env["HF_HUB_CACHE"] = "";
  p.env["HUGGINGFACE_HUB_CACHE"] = "";
  p.env["HF_TOKEN_PATH"] = "";
  p.env["HF_TOKEN"] = "";
  p.env["HF_HUB_DISABLE_IMPLICIT_TOKEN"] = "";
  return p;
}

const char* const on_web = "/good/hub/org/net/resolve/main/last.ckpt";

bool got_token() {
  bool all = !hostile().log(on_web).empty();
  for (const support::seen& s : hostile().log(on_web))
    all = all && s.has("authorization")
        && s.headers.at("authorization") == "Bearer " + std::string(token);
  return all;
}

}  // namespace

TEST_SUITE_BEGIN("transport hub");

TEST_CASE("a file of the hub is downloaded with the token of this user, which goes nowhere else") {
  if (not_over_fetch("it gets addresses of the hub as they are")) return;
  for (const std::string& by : transports()) {
    for (const std::string from : {"variable", "file", "its own file", "nowhere", "switched off"}) {
      CAPTURE(by);
      CAPTURE(from);
      const scratch home;
      plan p = call_by_hub(home, by);
      if (from == "variable" || from == "switched off") p.env["HF_TOKEN"] = token;
      if (from == "switched off") p.env["HF_HUB_DISABLE_IMPLICIT_TOKEN"] = "1";
      if (from == "file") write_file(home / "hf/token", std::string(token) + "\n");
      if (from == "its own file") {
        write_file(home / "secret", token);
        p.env["HF_TOKEN_PATH"] = (home / "secret").string();
      }
      hostile().reset();
      const outcome o = call(p);
      CHECK_MESSAGE(o.ok(), describe(o));
      CHECK(got_token() == (from != "nowhere" && from != "switched off"));
      CHECK_FALSE(has(slurp(home / "local/m.sha256"), token));
      CHECK_FALSE(has(o.said() + o.what + o.noise, token));
    }
  }
}

TEST_CASE("the token is for the hub alone: not for a mirror, and not behind a redirect") {
  if (not_over_fetch("it gets addresses of the hub as they are")) return;
  for (const std::string& by : transports()) {
    CAPTURE(by);
    const scratch home;
    plan p = call_by_hub(home, by);
    p.env["HF_TOKEN"] = token;
    p.env["HF_ENDPOINT"] = hostile().url("/gone_404_body");
    const std::string mirror = hostile().url("/good/mirror/last.ckpt", "other");
    p.config = hostile().url("/good/model.yaml");
    p.checkpoint = vqcache::source({"hf://org/net/last.ckpt", mirror.c_str()});
    hostile().reset();
    const outcome o = call(p);
    CHECK_MESSAGE(o.ok(), describe(o));
    REQUIRE_FALSE(hostile().log("/good/mirror/last.ckpt").empty());
    for (const support::seen& s : hostile().log("/good/mirror/last.ckpt"))
      CHECK_FALSE(s.has("authorization"));
  }
}

TEST_CASE("what Python has brought is taken from its cache by its digest, which is read only") {
  if (not_over_fetch("it gets addresses of the hub as they are")) return;
  const std::string ckpt = get(on_web), yaml = get("/good/hub/org/net/resolve/main/model.yaml");
  for (const std::string& by : transports()) {
    for (const std::string s : {"by revision", "by pin", "damaged", "another pin"}) {
      CAPTURE(by);
      CAPTURE(s);
      const scratch home;
      const fs::path cache = home / "hf/hub";
      const std::string digest = hostile().sha256_of(on_web);
      keep(cache, "last.ckpt", s == "damaged" ? ckpt.substr(1) : ckpt, digest);
      keep(cache, "model.yaml", yaml, std::string(40, 'a'));
      const std::string other = s == "another pin" ? std::string(64, 'b') : digest;
      const bool is_pinned = s == "by pin" || s == "another pin";
      plan p = call_by_hub(home, by, is_pinned ? "#sha256=" + other : "");
      hostile().reset();
      const outcome o = call(p);
      const bool is_asked = s == "damaged" || s == "another pin";
      CHECK_MESSAGE(o.ok() == (s != "another pin"), describe(o));
      CHECK(hostile().log(on_web).empty() == !is_asked);
      if (o.ok()) CHECK((slurp(home / "local/m.ckpt") == ckpt));
      CHECK((slurp(cache / "models--org--net/blobs" / digest)
          == (s == "damaged" ? ckpt.substr(1) : ckpt)));
    }
  }
}

TEST_CASE("an address of the hub that is none says what it has to be") {
  if (not_over_fetch("it gets addresses of the hub as they are")) return;
  const scratch home;
  plan p = call_by_hub(home, transports()[0]);
  p.checkpoint = "hf://net/last.ckpt";
  const outcome o = call(p);
  CHECK(o.failed(errc::invalid_argument));
  CHECK_MESSAGE(has(o.what, "hf://ORG/REPO[@REVISION]/PATH"), o.what);
}

TEST_SUITE_END();
