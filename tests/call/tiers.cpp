// One tier or more: no copy, places that are only read, one directory for both, and the cache folder
// of a user.
#include <doctest/doctest.h>

#include "world.hpp"

using namespace world;
using vqcache::errc;
using vqcache::origin;

namespace {

struct team : place {  // a directory of somebody else, which holds a model
  fs::path shelf = root.at / "shelf";

  // As the cache of another machine, with its receipt, or as it lies there without one.
  void lay(const std::string& name, bool with_receipt) {
    place other;
    REQUIRE(other.call(name).ok());
    fs::create_directories(shelf);
    fs::copy(other.cache / name, shelf / name, fs::copy_options::recursive);
    if (!with_receipt) {
      fs::remove(shelf / name / (name + ".sha256"));
    }
  }

  vqcache::options looking() {
    vqcache::options o = options();
    o.also_look_in = {root.at / "nothing", shelf};
    return o;
  }
};

}  // namespace

TEST_SUITE("tiers") {
  TEST_CASE("without a persistent tier nothing is copied, and that is said by cached alone") {
    place w;
    vqcache::options o = w.options();
    o.keep_copy = false;
    auto r = w.call_with(o, "m");
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(!r.model.cached);
    CHECK(r.model.from == origin::network);
    CHECK(w.said == lines{"The model (m) was not found, downloading."});
    CHECK(!fs::exists(w.cache));

    r = w.call_with(o, "m");
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(!r.model.cached);
    CHECK(r.model.from == origin::local);
    CHECK(w.said == lines{"The model (m) is already available locally."});

    r = w.call("m");  // a copy after all
    CHECK(r.model.cached);
    CHECK(w.asked.empty());
    CHECK(w.cache_is("m", config(), checkpoint()));

    w.wipe_local();
    w.origin_dies();
    r = w.call_with(o, "m");  // and no look at it
    CHECK(!r.ok());
    CHECK_MESSAGE(why(r).find(w.cache.string()) == std::string::npos, why(r));
  }

  TEST_CASE("one directory for both tiers is one tier, said, and an old copy below serves") {
    place w;
    vqcache::options o = w.options();
    o.cache_dir = w.local / ".." / "local" / "";
    auto r = w.call_with(o, "m");
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(!r.model.cached);
    CHECK(w.heard("is that of the cache, too"));
    CHECK(tree(w.local) == lines{".m.lock", "m.ckpt", "m.sha256", "m.yaml"});
    CHECK(w.call_with(o, "m").ok());
    CHECK(!w.heard("is that of the cache, too"));

    place before;  // an earlier version kept its copy there
    REQUIRE(before.call("m").ok());
    w.wipe_local();
    w.origin_dies();
    fs::create_directories(w.local);
    fs::copy(before.cache / "m", w.local / "m", fs::copy_options::recursive);
    const auto copy = contents(w.local / "m");
    r = w.call_with(o, "m");
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(r.model.from == origin::cache);
    CHECK(w.local_is("m", config(), checkpoint()));
    CHECK(contents(w.local / "m") == copy);
  }

  TEST_CASE("more places are looked into in order, read, and never written") {
    for (const bool with_receipt : {true, false}) {
      CAPTURE(with_receipt);
      team w;
      w.lay("m", with_receipt);
      w.origin_dies();
      const auto before = contents(w.shelf);
      auto r = w.call_with(w.looking(), "m");
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(r.model.from == origin::cache);
      CHECK(r.model.cached);  // in our own cache
      CHECK(w.asked.empty());
      CHECK(w.local_is("m", config(), checkpoint()));
      CHECK(w.cache_is("m", config(), checkpoint()));
      CHECK(contents(w.shelf) == before);
      CHECK(!fs::exists(w.root.at / "nothing"));

      vqcache::remove("m", w.looking());
      CHECK(contents(w.shelf) == before);
      CHECK(tree(w.local).empty());
    }
  }

  TEST_CASE("our own cache is asked before other places, and these before the web") {
    team w;
    w.lay("m", true);
    auto r = w.call_with(w.looking(), "m");
    REQUIRE(r.ok());
    CHECK(w.asked.empty());
    write(w.shelf / "m/m.ckpt", flipped(checkpoint(), 7));  // which is not looked at now
    w.wipe_local();
    w.origin_dies();
    r = w.call_with(w.looking(), "m");
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(w.local_is("m", config(), checkpoint()));
  }

  TEST_CASE("what is damaged in such a place stays there, is said, and the web serves") {
    team w;
    w.lay("m", true);
    write(w.shelf / "m/m.ckpt", flipped(checkpoint(), 7));
    const auto before = contents(w.shelf);
    const auto r = w.call_with(w.looking(), "m");
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(r.model.from == origin::network);
    CHECK(w.heard("is damaged"));
    CHECK(contents(w.shelf) == before);
    CHECK(w.local_is("m", config(), checkpoint()));
  }

  TEST_CASE("one tier and other places: a restore by name alone") {
    team w;
    w.lay("m", true);
    w.origin_dies();
    vqcache::options o = w.looking();
    o.keep_copy = false;
    const auto r = vqcache::try_restore_model("m", o);
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(!r.model.cached);
    CHECK(w.local_is("m", config(), checkpoint()));
    CHECK(!fs::exists(w.cache));
    const auto none = vqcache::try_restore_model("n", o);
    CHECK(none.error.code() == errc::unknown_model);
    CHECK(why(none).find("shelf") != std::string::npos);
  }

  TEST_CASE("an application's models lie in its user's cache folder") {
    const folder home;
    const environment at_home("HOME", home.at.string());
    const environment caches("XDG_CACHE_HOME", (home.at / "caches").string());
    CHECK(vqcache::user_options("app").local_dir == home.at / "caches/app");
    CHECK(!vqcache::user_options("app").keep_copy);
    CHECK(vqcache::user_options("My App/../1").local_dir == home.at / "caches/My_App_.._1");
    CHECK(vqcache::user_options("").local_dir.parent_path() == home.at / "caches");
    CHECK(vqcache::user_options("..").local_dir.parent_path() == home.at / "caches");

    {
      const environment relative("XDG_CACHE_HOME", "caches");  // to be ignored, says the standard
      CHECK(vqcache::user_options("app").local_dir == home.at / ".cache/app");
    }

    place w;
    vqcache::options o = vqcache::user_options("app");
    const vqcache::options all = w.options();
    o.fetch = all.fetch;
    o.on_message = all.on_message;
    const auto r = w.call_with(o, "m");
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(tree(home.at)
        == lines{"caches/", "caches/app/", "caches/app/.m.lock", "caches/app/m.ckpt",
            "caches/app/m.sha256", "caches/app/m.yaml"});
  }
}
