// explain: what a call for a name would do, and why. Nothing is changed by asking, nothing is said,
// and what it tells is what a call then does.
#include <doctest/doctest.h>

#include "world.hpp"

using namespace world;
using vqcache::errc;

namespace {

const std::string& base = net_base;

// names, sizes, times and bytes of everything below
std::map<std::string, std::string> all_of(const fs::path& p) {
  std::map<std::string, std::string> all = contents(p);
  for (auto& one : all) {
    struct stat s{};
    REQUIRE(::lstat((p / one.first).c_str(), &s) == 0);
    one.second += " " + std::to_string(s.st_mtim.tv_sec) + "." + std::to_string(s.st_mtim.tv_nsec);
  }
  return all;
}

struct shelf : place {
  shelf() { serve_net(); }

  void bring_net() {
    const auto r = place::bring_net(options());
    REQUIRE_MESSAGE(r.ok(), why(r));
  }

  vqcache::explanation explained(const std::string& name, const vqcache::options& o) {
    forget();
    const auto before = all_of(root.at);
    const auto found = vqcache::try_explain(name, o);
    CHECK_MESSAGE(found.ok(), found.error.what());
    CHECK(all_of(root.at) == before);
    CHECK(said.empty());
    CHECK(!found->summary.empty());
    for (const vqcache::explained_file& one : found->files) {
      CHECK(one.path.is_absolute());
      CHECK(!one.why.empty());
    }
    return found.value;
  }

  vqcache::explanation explained(const std::string& name) { return explained(name, options()); }
};

lines steps(const vqcache::explanation& e) {
  lines all;
  for (const vqcache::explained_file& one : e.files) {
    all.push_back(one.step);
  }
  return all;
}

std::string text(const vqcache::explained_file& one) {
  std::string all;
  for (const std::string& line : one.why) {
    all += line + "\n";
  }
  return all;
}

void check_told(const vqcache::explained_file& one, const std::string& part) {
  CHECK_MESSAGE(has(text(one), part), text(one));
}

}  // namespace

TEST_SUITE("explain") {
  TEST_CASE("a hit is told as one, of every kind of set, and no URL is asked") {
    shelf w;
    REQUIRE(w.call("m").ok());
    w.bring_net();
    REQUIRE(vqcache::try_download_file("flat.bin", base + "model.onnx", w.options()).ok());
    for (const std::string name : {"m", "net", "flat.bin"}) {
      CAPTURE(name);
      const auto e = w.explained(name);
      CHECK(e.name == name);
      CHECK(e.is_hit);
      CHECK(has(e.summary, "hit"));
      CHECK(w.asked.empty());
      for (const vqcache::explained_file& one : e.files) {
        CHECK(one.step == "use");
        CHECK(fs::exists(one.path));
        check_told(one, "as its receipt says");
      }
    }
    CHECK(w.explained("net").files[1].file == "onnx/model.onnx");
  }

  TEST_CASE("a call by name does what is told where the receipts alone are left, of every kind") {
    shelf w;
    REQUIRE(w.call("m").ok());
    w.bring_net();
    REQUIRE(vqcache::try_download_file("flat.bin", base + "model.onnx", w.options()).ok());
    for (const std::string name : {"m", "net", "flat.bin"}) {
      CAPTURE(name);
      for (const fs::path& tier : {w.local, w.cache}) {
        for (const fs::path& entry : fs::recursive_directory_iterator(tier)) {
          if (fs::is_regular_file(entry) && entry.extension() != ".sha256") fs::remove(entry);
        }
      }
      const auto e = w.explained(name);
      CHECK(e.files[0].step == "download");
      const auto r = w.call_by_name(name);
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(r.model.name == name);
      CHECK(r.model.files.size() == e.files.size());
      CHECK(r.model.config.empty() == (name != "m"));
      CHECK(r.model.from == vqcache::origin::network);
      CHECK(w.explained(name).is_hit);
      CHECK(w.call_by_name(name).model.from == vqcache::origin::local);
    }
  }

  TEST_CASE("a URL with a secret in it is not known: told, and by repair, with what to do") {
    shelf w;
    const std::string url = base + "model.onnx";
    for (const std::string query : {"?download=true", "?file=model.onnx", "?code=c4n4ry"}) {
      CAPTURE(query);
      const bool is_secret = has(query, "c4n4ry");
      w.serve(url + query, {checkpoint(50000, 3)});
      REQUIRE(vqcache::try_download_file("flat.bin", url + query, w.options()).ok());
      fs::remove(w.local / "flat.bin");
      fs::remove_all(w.cache);
      const auto e = w.explained("flat.bin");
      const auto r = vqcache::try_repair_model("flat.bin", w.options());
      CHECK_MESSAGE(bool(r) == !is_secret, r.error.what());
      if (is_secret) {
        check_told(e.files[0], "*** was a secret; give the URL again");
        CHECK_MESSAGE(has(r.error.what(), "code=***"), r.error.what());
        CHECK_MESSAGE(has(r.error.what(), "a secret; give the URL again"), r.error.what());
        CHECK(e.files[0].step == "fail");
      }
      REQUIRE(vqcache::try_remove("flat.bin", w.options()).code() == std::error_code());
    }
  }

  TEST_CASE("a notebook's pair is used, and its copy told") {
    shelf w;
    prime(w.local, "seed");
    auto e = w.explained("seed");
    CHECK(!e.is_hit);
    CHECK(steps(e) == lines{"use", "use"});
    check_told(e.files[1], "no receipt speaks of it");
    check_told(e.files[1], "is to be made: it is missing there");
    CHECK(has(e.summary, "a copy is to be made"));
    prime(w.cache / "seed", "seed");
    CHECK(w.explained("seed").is_hit);
    w.wipe_local();
    CHECK(steps(w.explained("seed")) == lines{"restore", "restore"});
    CHECK(w.call_by_name("seed").model.from == vqcache::origin::cache);
  }

  TEST_CASE("what it tells is what a call does") {
    struct row {
      const char* what;
      lines steps;
      const char* told;  // of the second file
    };

    for (const row& one : {row{"wiped", {"restore", "restore"}, "a lasting tier holds it"},
             row{"one gone", {"use", "restore"}, "m.ckpt' is not there"},
             row{"cut", {"use", "hash"}, "and its receipt says "},
             row{"no local receipt", {"hash", "hash"}, "no receipt speaks of it"},
             row{"both gone", {"use", "download"}, "no tier holds it"},
             row{"copy cut", {"restore", "download"}, "cannot be used: it has 7 bytes"}}) {
      const std::string s = one.what;
      CAPTURE(s);
      shelf w;
      REQUIRE(w.call("m").ok());
      if (s == "wiped" || s == "copy cut") w.wipe_local();
      if (s == "one gone" || s == "both gone") fs::remove(w.local / "m.ckpt");
      if (s == "both gone") fs::remove(w.cache / "m/m.ckpt");
      if (s == "cut") fs::resize_file(w.local / "m.ckpt", 7);
      if (s == "no local receipt") fs::remove(w.local / "m.sha256");
      if (s == "copy cut") fs::resize_file(w.cache / "m/m.ckpt", 7);
      const auto e = w.explained("m");
      CHECK(!e.is_hit);
      CHECK(steps(e) == one.steps);
      check_told(e.files[1], one.told);
      const bool is_asked = one.steps[1] == "download";
      CHECK(w.asked == (is_asked ? lines{checkpoint_url} : lines{}));
      if (is_asked) check_told(e.files[1], "'" + checkpoint_url + "' answered HTTP 200");

      REQUIRE(w.call("m").ok());
      const lines wanted = is_asked ? lines{checkpoint_url} : lines{};
      CHECK(w.asked == wanted);
      CHECK(w.explained("m").is_hit);
    }
  }

  TEST_CASE("each URL tells how it failed, and its secrets stay secret") {
    shelf w;
    const std::string url = "http://user:hunter2@origin.test/net/model.onnx";
    w.serve("http://user:hunter2@origin.test/net/model.onnx", {checkpoint(50000, 3)});
    REQUIRE(vqcache::try_download_file("secret.bin", url, w.options()).ok());
    w.bring_net();
    w.wipe_local();
    fs::remove(w.cache / "net/onnx/model.onnx");
    fs::remove(w.cache / "secret.bin/secret.bin");
    w.pages.erase(base + "model.onnx");
    auto e = w.explained("net");
    CHECK(steps(e) == lines{"restore", "download"});
    check_told(e.files[1], "answered HTTP 404");
    check_told(e.files[1], "is not there any more");
    w.serve(base + "model.onnx", {"", 302, {{"Location", "http://other.test/x"}}});
    w.serve("http://other.test/x", {"busy", 503});
    e = w.explained("net");
    CHECK(w.asked == lines{base + "model.onnx", "http://other.test/x"});
    check_told(e.files[1], "answered HTTP 503, after 1 redirects, from other.test");

    write(w.local / "hand.sha256",
        "# origin http://origin.test/hand?key=hunter2 hand\n" + sha256("x") + "  hand\n");
    e = w.explained("hand");
    CHECK(w.asked == lines{"http://origin.test/hand?key=hunter2"});
    check_told(e.files[0], "'http://origin.test/hand?key=***' answered HTTP 404");
    CHECK_MESSAGE(!has(text(e.files[0]), "hunter2"), text(e.files[0]));

    e = w.explained("secret.bin");
    for (const vqcache::explained_file& one : e.files) {
      CHECK_MESSAGE(!has(text(one), "hunter2"), text(one));
    }
  }

  TEST_CASE("offline no URL is asked, and the step fails as the call does") {
    shelf w;
    w.bring_net();
    fs::remove(w.local / "net/onnx/model.onnx");
    fs::remove(w.cache / "net/onnx/model.onnx");
    vqcache::options o = w.options();
    o.offline = true;
    const auto e = w.explained("net", o);
    CHECK(steps(e) == lines{"use", "fail"});
    CHECK(w.asked.empty());
    check_told(e.files[1], "options::offline");
    check_told(e.files[1], "was not asked");
    CHECK(vqcache::try_restore_model("net", o).error.code() == errc::unknown_model);
  }

  TEST_CASE(
      "of a published name the catalogue's sources are asked; of no other there is anything") {
    shelf w;
    const vqcache::known_model known = vqcache::known_models().at(0);
    auto e = w.explained(known.name);
    CHECK(e.name == known.name);
    CHECK(steps(e) == lines{"download", "download"});
    CHECK(!w.asked.empty());
    check_told(e.files[0], "answered HTTP 404");
    CHECK(!fs::exists(w.local));
    CHECK(!fs::exists(w.cache));
    REQUIRE(!known.aliases.empty());
    e = w.explained(known.aliases[0]);
    CHECK(e.name == known.name);
    write(w.local / (known.aliases[0] + ".yaml"), config());  // half of a pair counts for none
    e = w.explained(known.aliases[0]);
    CHECK(e.name == known.name);
    CHECK(steps(e) == lines{"download", "download"});
    fs::remove_all(w.local);

    const auto nothing = vqcache::try_explain("nothing", w.options());
    CHECK(nothing.error.code() == errc::unknown_model);
    CHECK(std::string(nothing.error.what()) == why(w.call_by_name("nothing")));
    CHECK(vqcache::try_explain("../x", w.options()).error.code() == errc::invalid_argument);
    vqcache::options o = w.options();
    o.connections = 0;
    CHECK(vqcache::try_explain("m", o).error.code() == errc::invalid_argument);
  }

  TEST_CASE("other places to look in are told, and a cache that cannot be written") {
    shelf w;
    REQUIRE(w.call("m").ok());
    fs::rename(w.cache, w.root.at / "team");
    w.wipe_local();
    vqcache::options o = w.options();
    o.also_look_in = {w.root.at / "none", w.root.at / "team"};
    auto e = w.explained("m", o);
    CHECK(steps(e) == lines{"restore", "restore"});
    check_told(e.files[1], "team/m/m.ckpt' has");
    check_told(e.files[1], "none/m/m.ckpt' is not there");
    o.keep_copy = false;
    REQUIRE(w.call_with(o, "m").ok());
    e = w.explained("m", o);
    CHECK(e.is_hit);
    check_told(e.files[0], "no copy is kept");

    // another file of that name: what the local receipt tells apart
    shelf x;
    REQUIRE(x.call("m").ok());
    x.wipe_local();
    fs::create_directories(x.local / "m.ckpt");
    e = x.explained("m");
    CHECK(steps(e) == lines{"fail", "fail"});
    check_told(e.files[1], "is not a regular file; move it");
    CHECK(!x.call("m").ok());
  }

  TEST_CASE("it can be cancelled while a URL is asked") {
    shelf w;
    w.bring_net();
    w.wipe_local();
    fs::remove(w.cache / "net/config.json");
    vqcache::options o = w.options();
    o.fetch = [](const vqcache::request&, vqcache::response&) {
      throw std::runtime_error("of the callback");
    };
    const auto found = vqcache::try_explain("net", o);
    CHECK(found.error.code() == errc::callback);
  }

#if defined(__cpp_exceptions)
  TEST_CASE("the throwing form does the same") {
    shelf w;
    REQUIRE(w.call("m").ok());
    CHECK(vqcache::explain("m", w.options()).is_hit);
    CHECK_THROWS_AS(vqcache::explain("n", w.options()), vqcache::error);
  }
#endif
}
