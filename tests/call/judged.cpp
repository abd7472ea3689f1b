// What no receipt and no pin vouches for is judged by its look: of a download, and of what some
// other tool left in either tier, of either file. One rule for all of them.
#include <doctest/doctest.h>

#include "world.hpp"

using namespace world;
using vqcache::errc;
using vqcache::origin;
using vqcache::source;

namespace {

struct thing {
  std::string what, file, bytes;
};

const std::string slow_down = "Too many requests. Please slow down.\n";
const std::string page = "<!DOCTYPE html><html><title>Quota exceeded</title></html>\n";

std::vector<thing> bad_things() {
  std::vector<thing> all = {{"a cut archive", "m.ckpt", checkpoint().substr(0, 50000)},
      {"remarks alone", "m.yaml", "# this was a config\n"},
      {"binary data", "m.yaml", std::string(100, '\0')}};
  for (const std::string file : {"m.yaml", "m.ckpt"})
    for (const auto& [what, bytes] :
        std::map<std::string, std::string>{{"an empty file", ""}, {"a page", page},
            {"an error text", slow_down}, {"a JSON answer", "{\"error\":\"x\"}"}})
      all.push_back({what, file, bytes});
  return all;
}

std::vector<thing> good_things() {
  return {{"a zip archive padded to a block", "m.ckpt", checkpoint() + std::string(512, '\0')},
      {"a .tar.gz", "m.ckpt", "\x1f\x8b\x08" + std::string(7, '\0') + checkpoint(3000, 9)},
      {"a short pickle", "m.ckpt", "\x80\x02}q" + std::string(1, '\0') + "."},
      {"safetensors", "m.ckpt", number(16, 8) + "{\"__m__\":{\"a\":1}}" + std::string(9, '\1')},
      {"a merge key", "m.yaml", "<<: {a: 1}\nmodel:\n  target: x\n"},
      {"JSON with a status", "m.yaml", "{\"_class_name\":\"VQModel\",\"status\":\"stable\"}"},
      {"one key", "m.yaml", "embed_dim: 256"}};
}

const std::string& url_of(const std::string& file) {
  return file == "m.yaml" ? config_url : checkpoint_url;
}

std::vector<std::string> put_aside(const place& w) {
  return matching(w.root.at, ".corrupt-");
}

// the pair of another tool, without a receipt, of which one file is this
void leave(const fs::path& at, const thing& one) {
  prime(at, "m");
  write(at / one.file, one.bytes);
}

vqcache::result call_pinned(place& w, const thing& one) {
  const source pin = url_of(one.file) + "#sha256=" + sha256(one.bytes);
  return one.file == "m.yaml" ? w.call("m", pin) : w.call("m", config_url, pin);
}

}  // namespace

TEST_SUITE("judged") {
  TEST_CASE(
      "a text that is served with status 200 is no file, and the error says how a pin overrules") {
    for (const thing& one : bad_things()) {
      CAPTURE(one.what);
      CAPTURE(one.file);
      place w;
      w.serve(url_of(one.file), {one.bytes});
      const auto r = w.call("m");
      const bool cut = one.what == "a cut archive";
      CHECK(r.error.code() == (cut ? errc::truncated : errc::not_the_file));
      CHECK_FALSE(fs::exists(w.local / one.file));
      CHECK_FALSE(fs::exists(w.cache / "m" / one.file));
      if (one.bytes.empty()) continue;
      if (!cut) CHECK_MESSAGE(has(why(r), "#sha256="), why(r));
      if (!cut) CHECK_MESSAGE(has(why(r), sha256(one.bytes)), why(r));

      const auto again = call_pinned(w, one);
      REQUIRE_MESSAGE(again.ok(), why(again));
      CHECK(read(w.local / one.file) == one.bytes);
      CHECK(read(w.cache / "m" / one.file) == one.bytes);
    }
  }

  TEST_CASE("what is no such file gives way to the right one, when that is here, in either tier") {
    for (const bool in_local : {true, false})
      for (const thing& one : bad_things()) {
        CAPTURE(in_local);
        CAPTURE(one.what);
        CAPTURE(one.file);
        place w;
        const fs::path at = in_local ? w.local : w.cache / "m";
        leave(at, one);
        const auto watch = [&](const vqcache::progress& p) {  // until then it stands
          if (p.phase == vqcache::phase::downloading && p.done < p.total)
            CHECK(read(at / one.file) == one.bytes);
          return true;
        };
        w.watch = watch;
        const auto r = w.call("m");
        REQUIRE_MESSAGE(r.ok(), why(r));
        CHECK(w.asked == lines{url_of(one.file)});
        CHECK(w.local_is("m"));
        CHECK(w.cache_is("m"));
        CHECK(r.model.cached);
        REQUIRE_MESSAGE(put_aside(w).size() == 1, w.all_said());
        CHECK(read(w.root.at / put_aside(w)[0]) == one.bytes);
        CHECK(has(put_aside(w)[0], in_local ? "local/" : "cache/"));
      }
  }

  TEST_CASE("without a replacement the call fails, and what stands there is left as it is") {
    for (const bool in_local : {true, false})
      for (const bool offline : {true, false})
        for (const thing& one : bad_things()) {
          CAPTURE(in_local);
          CAPTURE(offline);
          CAPTURE(one.what);
          CAPTURE(one.file);
          place w;
          const fs::path at = in_local ? w.local : w.cache / "m";
          leave(at, one);
          const auto before = contents(at);
          w.origin_dies();
          auto o = w.options();
          o.offline = offline;
          const auto r = w.call_with(o, "m");
          REQUIRE_FALSE(r.ok());
          CHECK_MESSAGE(has(why(r), at.string()), why(r));
          auto after = contents(at);
          for (const char* ours : {".m.lock"})
            after.erase(ours);
          CHECK(after == before);
          CHECK_FALSE(fs::exists(w.cache / "m/m.sha256"));

          INFO("nor by its name alone");
          CHECK_FALSE(w.call_by_name("m").ok());
          CHECK(put_aside(w).empty());

          if (one.bytes.empty()) continue;
          INFO("a pin overrules");
          const auto pinned = call_pinned(w, one);
          CHECK_MESSAGE(pinned.ok(), why(pinned));
          CHECK(read(w.local / one.file) == one.bytes);
        }
  }

  TEST_CASE("the other tier's good file is served in its place") {
    for (const bool in_local : {true, false})
      for (const thing& one : bad_things()) {
        CAPTURE(in_local);
        CAPTURE(one.what);
        CAPTURE(one.file);
        place w;
        leave(in_local ? w.local : w.cache / "m", one);
        prime(in_local ? w.cache / "m" : w.local, "m");
        w.origin_dies();
        const auto r = w.call("m");
        REQUIRE_MESSAGE(r.ok(), why(r));
        CHECK(w.local_is("m"));
        CHECK(w.cache_is("m"));
        CHECK(r.model.cached);
      }
  }

  TEST_CASE("files that loaders take are taken, downloaded or found in either tier") {
    for (const thing& one : good_things())
      for (const std::string way : {"downloaded", "in the cache", "local"}) {
        CAPTURE(one.what);
        CAPTURE(way);
        place w;
        if (way == "downloaded")
          w.serve(url_of(one.file), {one.bytes});
        else
          leave(way == "local" ? w.local : w.cache / "m", one);
        const auto r = w.call("m");
        REQUIRE_MESSAGE(r.ok(), why(r));
        CHECK(read(w.local / one.file) == one.bytes);
        CHECK(read(w.cache / "m" / one.file) == one.bytes);
        CHECK(w.asked.size() == (way == "downloaded" ? 2U : 0U));
        CHECK(put_aside(w).empty());
        INFO("and a notebook's pair stays a hit");
        if (way == "local") fs::remove(w.local / "m.sha256");
        if (way == "local") fs::remove(w.cache / "m/m.sha256");
        const auto hit = w.call("m");
        CHECK(hit.model.from == origin::local);
        CHECK(w.asked.empty());
        CHECK_FALSE(w.saw(vqcache::phase::verifying));
        if (way == "local") CHECK(w.heard("Nothing vouches for m.ckpt"));
      }
  }

  TEST_CASE("what a receipt vouches for is not judged by its look") {
    place w;
    w.serve(checkpoint_url, {slow_down});
    const auto r = w.call("m", config_url, checkpoint_url + "#sha256=" + sha256(slow_down));
    REQUIRE_MESSAGE(r.ok(), why(r));
    w.origin_dies();
    for (const bool wipe : {false, true}) {
      if (wipe) w.wipe_local();
      const auto again = w.call("m");
      CHECK_MESSAGE(again.ok(), why(again));
      CHECK(read(w.local / "m.ckpt") == slow_down);
    }
  }

  TEST_CASE("a mistyped pin takes no file without a receipt from its name, in either tier") {
    const std::string mistyped = checkpoint_url + "#sha256=" + std::string(64, '0');
    for (const std::string holds : {"local", "cache", "both"}) {
      CAPTURE(holds);
      place w;
      if (holds != "cache") prime(w.local, "m");
      if (holds != "local") prime(w.cache / "m", "m");
      w.origin_dies();
      const auto r = w.call("m", config_url, mistyped);
      CHECK_FALSE(r.ok());
      CHECK(put_aside(w).empty());
      if (holds != "cache") CHECK(w.local_is("m"));
      if (holds != "local") CHECK(w.cache_is("m"));

      INFO("and the next call, without it, is served as ever");
      const auto again = w.call("m");
      CHECK_MESSAGE(again.ok(), why(again));
      CHECK(w.local_is("m"));
    }
  }

  TEST_CASE("a file that no pin fits makes way at the moment its replacement is complete") {
    place w;
    prime(w.local, "m", config(), checkpoint(5000, 7));
    const auto r = w.call("m", config_url, checkpoint_url + "#sha256=" + sha256(checkpoint()));
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(w.local_is("m"));
    CHECK(put_aside(w).size() == 1);
  }

  TEST_CASE("a pin overrules how large a config may be, of a download and of a store") {
    place w;
    const std::string large = config() + std::string(17 << 20, '\n') + "# end\n";
    w.serve(config_url, {large});
    const auto refused = w.call("m");
    CHECK(refused.error.code() == errc::not_the_file);
    CHECK_MESSAGE(has(why(refused), "source::sha256"), why(refused));

    const std::string pinned = config_url + "#sha256=" + sha256(large);
    const auto r = w.call("m", pinned);
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(r.model.cached);
    w.wipe_cache();
    const auto stored = w.call("m", pinned);
    CHECK_MESSAGE(stored.ok(), why(stored));
    CHECK(stored.model.cached);
    CHECK(put_aside(w).empty());
  }

  TEST_CASE("what is not used in a tier is told with what overrules that") {
    place w;
    write(w.cache / "m" / "m.yaml", config());
    write(w.cache / "m" / "m.ckpt", slow_down);
    w.origin_dies();
    const auto r = w.call("m");
    CHECK_FALSE(r.ok());
    CHECK_MESSAGE(has(why(r), "a pin, source::sha256, overrules that"), why(r));
  }
}
