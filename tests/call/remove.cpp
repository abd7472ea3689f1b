// vqcache::remove: both tiers, receipts, partials, put-aside files; and nothing else.
#include <doctest/doctest.h>

#include "world.hpp"

using namespace world;
using vqcache::errc;

TEST_SUITE("remove") {
  TEST_CASE("remove leaves nothing of a model in either tier, and the next call brings it again") {
    place w;
    REQUIRE(w.call("m").ok());
    write(w.cache / "m/m.ckpt", flipped(checkpoint(), 5));
    fs::resize_file(w.local / "m.yaml", 3);
    fs::remove(w.local / "m.ckpt");
    REQUIRE(w.call("m").ok());
    REQUIRE(matching(w.root.at, ".corrupt-").size() == 2);
    write(w.local / ".m.ckpt.0123456789abcdef.part", "some bytes");
    write(w.local / ".m.ckpt.0123456789abcdef.record", "somebody");
    write(w.cache / "m/.m.yaml.0123456789abcdef.part", "some bytes");
    write(w.cache / "m/.m.sha256.0123456789abcdef.record", "somebody");
    w.forget();
    vqcache::remove("m", w.options());
    CHECK(tree(w.local).empty());
    CHECK(tree(w.cache).empty());
    CHECK(fs::is_directory(w.local));
    CHECK(fs::is_directory(w.cache));
    CHECK(w.said.empty());
    CHECK(w.call("m").ok());
    CHECK(w.asked.size() == 2);
  }

  TEST_CASE("removing is the only way to invalidate: afterwards a changed origin is taken") {
    place w;
    REQUIRE(w.call("m").ok());
    w.serve(checkpoint_url, {checkpoint(100000, 8)});
    vqcache::remove("m", w.options());
    const auto r = w.call("m");
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(w.local_is("m", config(), checkpoint(100000, 8)));
    CHECK(w.cache_is("m", config(), checkpoint(100000, 8)));
  }

  TEST_CASE("remove frees a name that was taken") {
    place w;
    REQUIRE(w.call("m").ok());
    w.serve(checkpoint_url, {checkpoint(100000, 8)});
    const vqcache::source k(checkpoint_url + "#sha256=" + sha256(checkpoint(100000, 8)));
    REQUIRE(w.call("m", config_url, k).error.code() == errc::name_taken);
    vqcache::remove("m", w.options());
    CHECK(w.call("m", config_url, k).ok());
  }

  TEST_CASE("remove takes nothing of another model, whatever its name begins with") {
    place w;
    const lines others = {
        "m2", "m.yaml", "m.ckpt", "m-", "m.sha256", "m.ckpt.corrupt-01234567", "M"};
    for (const std::string& name : others)
      REQUIRE(w.call(name).ok());
    // a download of m.yaml that is under way in another process
    write(w.local / ".m.yaml.yaml.0123456789abcdef.part", "some bytes");
    write(w.local / ".m.yaml.yaml.0123456789abcdef.record", "somebody");
    const auto before = contents(w.root.at);
    REQUIRE(w.call("m").ok());
    vqcache::remove("m", w.options());
    CHECK(contents(w.root.at) == before);
  }

  TEST_CASE("putting a damaged file aside takes nothing of another model either") {
    place w;
    const std::string other = "m.ckpt.corrupt-01234567";
    REQUIRE(w.call(other).ok());
    REQUIRE(w.call("m").ok());
    fs::resize_file(w.local / "m.ckpt", 10);
    REQUIRE(w.call("m").ok());
    CHECK(w.local_is("m"));
    CHECK(w.local_is(other));
  }

  TEST_CASE("what somebody else put into the model's folder stays") {
    place w;
    REQUIRE(w.call("m").ok());
    write(w.cache / "m/notes.txt", "mine");
    write(w.local / "m.txt", "mine");
    vqcache::remove("m", w.options());
    CHECK(tree(w.cache) == lines{"m/", "m/notes.txt"});
    CHECK(tree(w.local) == lines{"m.txt"});
  }

  TEST_CASE("removing what is not there is no error, and creates nothing") {
    place w;
    CHECK_FALSE(vqcache::try_remove("m", w.options()).code());
    CHECK(tree(w.root.at).empty());
    fs::create_directories(w.local);
    fs::create_directories(w.cache);
    CHECK_FALSE(vqcache::try_remove("m", w.options()).code());
    CHECK(tree(w.root.at) == lines{"cache/", "local/"});
  }

  TEST_CASE("that nothing is held is told as a warning, with a name that is like it") {
    place w;
    REQUIRE(w.call("vqgan-imagenet").ok());
    w.forget();
    vqcache::remove("vqgan-imagnet", w.options());
    REQUIRE(w.said.size() == 1);
    CHECK(w.said[0]
        == "Nothing is held of a model called vqgan-imagnet, so nothing was removed; did you mean "
           "'vqgan-imagenet'?");
    w.forget();
    vqcache::remove("nope", w.options());
    CHECK(w.said == lines{"Nothing is held of a model called nope, so nothing was removed."});

    write(w.local / ".nope.ckpt.0123456789abcdef.part", "some bytes");
    write(w.local / ".nope.ckpt.0123456789abcdef.record", "somebody");
    w.forget();
    vqcache::remove("nope", w.options());
    CHECK(w.said.empty());
    CHECK(matching(w.root.at, "nope").empty());
  }

  TEST_CASE("a model of the notebook is removed as well, from one tier or both") {
    for (const unsigned tiers : {1U, 2U, 3U}) {
      place w;
      if (tiers & 1) prime(w.local, "m");
      if (tiers & 2) prime(w.cache / "m", "m");
      vqcache::remove("m", w.options());
      CHECK(matching(w.root.at, "m.").empty());
    }
  }

  TEST_CASE("what cannot be removed is an error that names the file, in both forms") {
    if (lacks(part::users)) return;
    place w;
    REQUIRE(w.call("m").ok());
    fs::permissions(w.cache / "m", fs::perms(0555));
    fs::permissions(w.local, fs::perms(0777));
    const std::string said = unprivileged([&]() -> std::string {
      const auto e = vqcache::try_remove("m", w.options());
      std::string thrown = "nothing";
      try {
        vqcache::remove("m", w.options());
      } catch (const vqcache::error& x) {
        thrown = x.what();
      }
      return (e.code() == errc::permission_denied ? "denied " : "other ")
          + std::string(thrown == e.what() ? "" : "differs ") + e.what();
    });
    CHECK_MESSAGE(said.rfind("denied ", 0) == 0, said);
    CHECK_MESSAGE(said.find("differs") == std::string::npos, said);
    CHECK(has(said, "cannot remove"));
    CHECK(has(said, (w.cache / "m").string()));
    CHECK(w.cache_is("m"));
  }

  TEST_CASE("remove with an alias removes what a call with that alias brought") {
    place w;
    prime(w.cache / "sflckr", "sflckr");
    REQUIRE(w.call_by_name("s-flckr").model.name == "sflckr");
    vqcache::remove("s-flckr", w.options());
    CHECK(matching(w.root.at, "sflckr.").empty());
  }

  TEST_CASE("what stands under an alias is removed, not the model that the alias also means") {
    place w;
    prime(w.cache / "sflckr", "sflckr");
    write(w.cache / "s-flckr/s-flckr.ckpt.corrupt-01234567", "x");
    vqcache::remove("s-flckr", w.options());
    CHECK(w.cache_is("sflckr"));
    CHECK(matching(w.root.at, "s-flckr.").empty());
  }
}
