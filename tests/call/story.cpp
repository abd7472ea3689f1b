// The table of states of design 1, and promise 3: no tier can take away what another gives.
#include <doctest/doctest.h>

#include "world.hpp"

using namespace world;
using vqcache::errc;
using vqcache::origin;

namespace {

// the seed's own function; what it printed
std::string seed(const fs::path& content, const std::string& name, const std::string& config_from,
    const std::string& checkpoint_from) {
  int code = -1;
  const std::string out = run("python3 " + quoted((support::tests_dir() / "seed.py").string()) + " "
          + quoted(content.string()) + " " + name + " " + config_from + " " + checkpoint_from,
      &code);
  return code == 0 ? out : "failed: " + out;
}

std::string number_of(std::size_t n) {
  return std::to_string(n);
}

// what the cache is while the local pair is complete
struct damage {
  std::string what;
  std::function<void(place&)> make;
};

}  // namespace

TEST_SUITE("story") {
  TEST_CASE(
      "nothing is there: the model is downloaded, published and stored, in the seed's words") {
    place w;
    const auto r = w.call("m");
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(w.said == lines{"The model (m) was not found, downloading and caching."});
    CHECK(w.asked == lines{config_url, checkpoint_url});
    CHECK(r.model.from == origin::network);
    CHECK(r.model.cached);
    CHECK(w.local_is("m"));
    CHECK(w.cache_is("m"));
  }

  TEST_CASE("both files are local: nothing is transferred, in the seed's words") {
    place w;
    REQUIRE(w.call("m").ok());
    w.origin_dies();
    const auto before = contents(w.root.at);
    const auto r = w.call("m");
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(w.said == lines{"The model (m) is already available locally."});
    CHECK(w.asked.empty());
    CHECK(w.seen.empty());
    CHECK(r.model.from == origin::local);
    CHECK(r.model.cached);
    CHECK(contents(w.root.at) == before);
  }

  TEST_CASE(
      "the local disk was wiped and the origin is gone: the cache serves, in the seed's words") {
    place w;
    REQUIRE(w.call("m").ok());
    w.wipe_local();
    w.origin_dies();
    const auto r = w.call("m");
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(w.said == lines{"The model (m) is available in the cache, copying locally."});
    CHECK(w.asked.empty());
    CHECK(r.model.from == origin::cache);
    CHECK(r.model.cached);
    CHECK(w.local_is("m"));
    CHECK(w.saw(vqcache::phase::restoring, "m.ckpt"));
  }

  TEST_CASE("a cached model stays valid when its origin changes: nothing is invalidated") {
    place w;
    REQUIRE(w.call("m").ok());
    w.serve(config_url, {config("newer")});
    w.serve(checkpoint_url, {checkpoint(100000, 2)});
    CHECK(w.call("m").ok());
    CHECK(w.local_is("m"));
    w.wipe_local();
    CHECK(w.call("m").ok());
    CHECK(w.local_is("m"));
    CHECK(w.asked.empty());
  }

  TEST_CASE("the folders are the seed's, and hold nothing but the pair, a receipt and a lock") {
    place w;
    REQUIRE(w.call("m").ok());
    for (const std::string& name : tree(w.local))
      CHECK_MESSAGE(
          (name == "m.yaml" || name == "m.ckpt" || name == "m.sha256" || name == ".m.lock"), name);
    CHECK(tree(w.cache) == lines{"m/", "m/m.ckpt", "m/m.sha256", "m/m.yaml"});
  }

  TEST_CASE("without directories in the options the seed's are used, under the working directory") {
    place w;
    const environment no_local("VQCACHE_LOCAL_DIR", nullptr),
        no_cache("VQCACHE_CACHE_DIR", nullptr);
    const working_directory here(w.root.at);
    auto o = w.options();
    o.local_dir.clear(), o.cache_dir.clear();
    const auto r = w.call_with(o, "m");
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(r.model.checkpoint == w.root.at / "content/models/m.ckpt");
    CHECK(read(w.root.at / "content/models/m.yaml") == config());
    CHECK(read(w.root.at / "content/cache/models/m/m.ckpt") == checkpoint());
  }

  TEST_CASE("the environment names the directories, and the options win over it") {
    place w;
    const environment local("VQCACHE_LOCAL_DIR", (w.root.at / "fast").c_str());
    const environment cache("VQCACHE_CACHE_DIR", (w.root.at / "slow").c_str());
    auto o = w.options();
    o.local_dir.clear(), o.cache_dir.clear();
    REQUIRE(w.call_with(o, "m").ok());
    CHECK(fs::exists(w.root.at / "fast/m.ckpt"));
    CHECK(fs::exists(w.root.at / "slow/m/m.ckpt"));
    REQUIRE(w.call("n").ok());
    CHECK(fs::exists(w.local / "n.ckpt"));
    CHECK_FALSE(fs::exists(w.root.at / "fast/n.ckpt"));
  }

  TEST_CASE("~ in a directory is the home directory, and without one the call says so") {
    place w;
    const working_directory here(w.root.at);
    auto o = w.options();
    o.local_dir = "~/models", o.cache_dir = "~/kept/models";
    {
      const environment home("HOME", w.root.at.c_str());
      const auto r = w.call_with(o, "m");
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(r.model.config == w.root.at / "models/m.yaml");
      CHECK(fs::exists(w.root.at / "kept/models/m/m.ckpt"));
    }
    const environment homeless("HOME", nullptr);
    const auto r = w.call_with(o, "m");
    CHECK(r.error.code() == errc::invalid_argument);
    CHECK(has(r.error.what(), "home directory"));
    CHECK_FALSE(fs::exists("~"));
  }

  TEST_CASE("the model that a call returns has the name, absolute paths, and prints as its name") {
    place w;
    const working_directory here(w.root.at);
    auto o = w.options();
    o.local_dir = "one/../two/local", o.cache_dir = "two/cache";
    const auto r = w.call_with(o, "vqgan.f16-1024_a");
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(r.model.name == "vqgan.f16-1024_a");
    CHECK(r.model.config == w.root.at / "two/local/vqgan.f16-1024_a.yaml");
    CHECK(r.model.checkpoint == w.root.at / "two/local/vqgan.f16-1024_a.ckpt");
    CHECK(read(r.model.checkpoint) == checkpoint());
    std::ostringstream out;
    out << r.model << '!';
    CHECK(out.str() == "vqgan.f16-1024_a!");
    CHECK(static_cast<bool>(r));
    CHECK_FALSE(r.error.code());
  }

  TEST_CASE("the throwing form returns the model too") {
    place w;
    const vqcache::model m =
        vqcache::download_vqgan_model("m", config_url, checkpoint_url, w.options());
    CHECK(m.name == "m");
    CHECK(m.from == origin::network);
    CHECK(m.cached);
    CHECK(read(m.config) == config());
  }

  // ---- the notebook and we

  TEST_CASE("a cache that the seed's own function primed is served, and said to be unverified") {
    place w;
    const folder site;
    write(site.at / "c.yaml", config());
    write(site.at / "k.ckpt", checkpoint());
    const std::string from = "file://" + site.at.string();
    const fs::path content = w.root.at / "content";
    REQUIRE(seed(content, "m", from + "/c.yaml", from + "/k.ckpt") == download_line("m") + "\nm\n");
    w.local = content / "models", w.cache = content / "cache/models";
    w.origin_dies();
    {
      INFO("its local pair is a hit");
      const auto r = w.call("m");
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(w.said.at(0) == hit_line("m"));
      CHECK(w.heard("unverified"));
      CHECK(w.asked.empty());
    }
    fs::remove_all(w.local);
    {
      INFO("its cached pair is restored");
      const auto r = w.call("m");
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(w.said.at(0) == restore_line("m"));
      CHECK(w.heard("unverified"));
      CHECK(r.model.from == origin::cache);
      CHECK(w.local_is("m"));
    }
  }

  TEST_CASE("the seed's own function finds what we downloaded, and what we keep in the cache") {
    place w;
    const fs::path content = w.root.at / "content";
    w.local = content / "models", w.cache = content / "cache/models";
    REQUIRE(w.call("m").ok());
    CHECK(seed(content, "m", "file:///gone.yaml", "file:///gone.ckpt") == hit_line("m") + "\nm\n");
    w.wipe_local();
    CHECK(seed(content, "m", "file:///gone.yaml", "file:///gone.ckpt")
        == restore_line("m") + "\nm\n");
    CHECK(w.local_is("m"));
    INFO("what the seed restored from our cache is a hit for us again");
    CHECK(w.call("m").ok());
    CHECK(w.said.at(0) == hit_line("m"));
  }

  TEST_CASE(
      "a local pair of the seed that has no cached copy is stored, with receipts that say so") {
    place w;
    prime(w.local, "m");
    const auto r = w.call("m");
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(r.model.from == origin::local);
    CHECK(r.model.cached);
    CHECK(w.asked.empty());
    CHECK(w.cache_is("m"));
    CHECK(has(read(w.cache / "m/m.sha256"), "# unverified m.ckpt"));
    CHECK(has(read(w.local / "m.sha256"), "# unverified m.ckpt"));
    CHECK(w.call("m").ok());
    CHECK(w.heard("unverified"));
  }

  // ---- one file of the pair is missing

  TEST_CASE("one local file is missing and the cache holds the pair: only that file is restored") {
    for (const std::string gone : {"m.yaml", "m.ckpt"}) {
      CAPTURE(gone);
      place w;
      REQUIRE(w.call("m").ok());
      w.origin_dies();
      fs::remove(w.local / gone);
      const auto r = w.call("m");
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(w.said == lines{restore_line("m")});
      for (const auto& p : w.seen)
        CHECK(p.file == gone);
      CHECK(w.local_is("m"));
      CHECK(r.model.cached);
    }
  }

  TEST_CASE("one local file is missing and there is no cache: only that file is downloaded") {
    for (const bool first : {true, false}) {
      CAPTURE(first);
      place w;
      REQUIRE(w.call("m").ok());
      w.wipe_cache();
      fs::remove(w.local / (first ? "m.yaml" : "m.ckpt"));
      const auto r = w.call("m");
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(w.asked == lines{first ? config_url : checkpoint_url});
      CHECK(r.model.from == origin::network);
      CHECK(w.said.at(0) == download_line("m"));
      CHECK(w.local_is("m"));
      CHECK(w.cache_is("m"));
    }
  }

  TEST_CASE("each file comes from the nearest place that has it, and what lacks is stored") {
    // local and cached files, as bits: 1 the config, 2 the checkpoint
    for (unsigned local = 0; local < 4; ++local)
      for (unsigned cached = 0; cached < 4; ++cached)
        for (const bool receipts : {true, false}) {
          CAPTURE(local);
          CAPTURE(cached);
          CAPTURE(receipts);
          place w;
          REQUIRE(w.call("m").ok());
          for (unsigned bit : {1U, 2U}) {
            const std::string file = bit == 1 ? "m.yaml" : "m.ckpt";
            if (!(local & bit)) fs::remove(w.local / file);
            if (!(cached & bit)) fs::remove(w.cache / "m" / file);
          }
          if (!receipts) fs::remove(w.local / "m.sha256"), fs::remove(w.cache / "m/m.sha256");
          const auto r = w.call("m");
          REQUIRE_MESSAGE(r.ok(), why(r));
          lines wanted;
          for (unsigned bit : {1U, 2U})
            if (!((local | cached) & bit)) wanted.push_back(bit == 1 ? config_url : checkpoint_url);
          CHECK(w.asked == wanted);
          CHECK(r.model.from
              == (local == 3           ? origin::local
                      : wanted.empty() ? origin::cache
                                       : origin::network));
          CHECK(w.said.at(0)
              == (local == 3           ? hit_line("m")
                      : wanted.empty() ? restore_line("m")
                                       : download_line("m")));
          CHECK(w.local_is("m"));
          CHECK(w.cache_is("m"));
          CHECK(r.model.cached);
          CHECK(w.litter().empty());
          CHECK(matching(w.root.at, "corrupt").empty());
          INFO("and then it is a plain hit");
          REQUIRE(w.call("m").ok());
          CHECK(w.said.at(0) == hit_line("m"));
          CHECK_FALSE(w.saw(vqcache::phase::storing));
        }
  }

  // ---- the cached copy while the local pair is complete

  TEST_CASE("a local pair whose cached copy is missing or bad is stored again") {
    const std::vector<damage> kinds = {
        {"the cache is gone",
            [](place& w) {
              w.wipe_cache();
            }},
        {"the folder is empty",
            [](place& w) {
              fs::remove_all(w.cache / "m");
              fs::create_directories(w.cache / "m");
            }},
        {"no config",
            [](place& w) {
              fs::remove(w.cache / "m/m.yaml");
            }},
        {"no checkpoint",
            [](place& w) {
              fs::remove(w.cache / "m/m.ckpt");
            }},
        {"a truncated checkpoint",
            [](place& w) {
              fs::resize_file(w.cache / "m/m.ckpt", 1000);
            }},
        {"an empty config",
            [](place& w) {
              fs::resize_file(w.cache / "m/m.yaml", 0);
            }},
        {"a longer checkpoint",
            [](place& w) {
              write(w.cache / "m/m.ckpt", checkpoint() + "x");
            }},
        {"truncated, without a receipt",
            [](place& w) {
              fs::resize_file(w.cache / "m/m.ckpt", 1000);
              fs::remove(w.cache / "m/m.sha256");
            }},
        {"other bytes, without a receipt",
            [](place& w) {
              write(w.cache / "m/m.ckpt", flipped(checkpoint(), 5000));
              fs::remove(w.cache / "m/m.sha256");
            }},
        {"no receipt",
            [](place& w) {
              fs::remove(w.cache / "m/m.sha256");
            }},
        {"a receipt of nonsense",
            [](place& w) {
              write(w.cache / "m/m.sha256", std::string(300, '\7'));
            }},
    };
    for (const damage& d : kinds) {
      CAPTURE(d.what);
      place w;
      REQUIRE(w.call("m").ok());
      d.make(w);
      w.origin_dies();
      const auto r = w.call("m");
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(w.said.at(0) == hit_line("m"));
      CHECK(r.model.from == origin::local);
      CHECK(r.model.cached);
      CHECK(w.cache_is("m"));
      CHECK(w.local_is("m"));
      int code = -1;
      run("cd '" + (w.cache / "m").string() + "' && sha256sum -c --strict --status m.sha256",
          &code);
      CHECK(code == 0);
    }
  }

  TEST_CASE(
      "cached is never said of a copy that no receipt vouches for, where none can be written") {
    if (lacks(part::users)) return;
    // a model store that is only read, such as one a seed once filled; its bytes differ from ours
    place w;
    auto o = w.options();
    REQUIRE(w.call("m").ok());
    fs::remove(w.cache / "m/m.sha256");
    write(w.cache / "m/m.ckpt", flipped(checkpoint(), 5000));
    fs::permissions(w.cache / "m", fs::perms(0555));
    fs::permissions(w.local, fs::perms(0777));
    CHECK(unprivileged([&] {
      const auto r = w.call("m");
      return std::string(r.ok() ? "ok" : r.error.what()) + (r.model.cached ? ", cached" : "");
    }) == "ok");
  }

  // ---- create_dirs

  TEST_CASE(
      "create_dirs = false: a missing directory is the seed's error, unless the pair is local") {
    for (const bool local : {true, false})
      for (const bool cache : {true, false})
        for (const std::string s : {"nothing", "local", "cached", "one local file"}) {
          CAPTURE(local);
          CAPTURE(cache);
          CAPTURE(s);
          place w;
          if ((s == "local" || s == "one local file") && !local) continue;
          if (s == "cached" && !cache) continue;
          if (local) fs::create_directories(w.local);
          if (cache) fs::create_directories(w.cache);
          if (s == "local") prime(w.local, "m");
          if (s == "one local file") write(w.local / "m.yaml", config());
          if (s == "cached") prime(w.cache / "m", "m");
          auto o = w.options();
          o.create_dirs = false;
          const auto before = tree(w.root.at);
          const auto r = w.call_with(o, "m");
          if (local && cache) {
            REQUIRE_MESSAGE(r.ok(), why(r));
            CHECK(r.model.cached);
            CHECK(w.local_is("m"));
          } else if (s == "local") {
            REQUIRE_MESSAGE(r.ok(), why(r));
            CHECK_FALSE(r.model.cached);
            CHECK(w.said.at(0) == hit_line("m"));
            CHECK(w.heard(w.cache.string()));
            CHECK_FALSE(fs::exists(w.cache));
          } else {
            CHECK(r.error.code() == errc::directory_missing);
            CHECK(has(r.error.what(), "Directory not found"));
            CHECK(has(r.error.what(), (local ? w.cache : w.local).string()));
            CHECK(w.asked.empty());
            CHECK(tree(w.root.at) == before);
          }
        }
  }

  TEST_CASE("create_dirs makes every level that is missing") {
    place w;
    w.local = w.root.at / "a/b/c", w.cache = w.root.at / "d/e/f";
    const auto r = w.call("m");
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(fs::exists(w.root.at / "a/b/c/m.ckpt"));
    CHECK(fs::exists(w.root.at / "d/e/f/m/m.ckpt"));
  }

  // ---- a cache that cannot be used

  TEST_CASE("a cache that is read-only never fails a call whose local pair is complete") {
    if (lacks(part::users)) return;
    for (const bool folder_exists : {false, true}) {
      CAPTURE(folder_exists);
      place w;
      fs::create_directories(folder_exists ? w.cache / "m" : w.cache);
      fs::create_directories(w.local);
      fs::permissions(w.local, fs::perms(0777));
      fs::permissions(folder_exists ? w.cache / "m" : w.cache, fs::perms(0555));
      for (const bool hit : {false, true}) {
        CAPTURE(hit);
        CHECK(unprivileged([&]() -> std::string {
          const auto r = w.call("m");
          if (!r.ok()) return r.error.what();
          return std::string(r.model.cached ? "cached " : "") + (w.local_is("m") ? "complete " : "")
              + (w.said.at(0) == (hit ? hit_line("m") : download_line("m")) ? "announced " : "")
              + (w.heard("not in the cache") && w.heard(w.cache.string()) ? "told" : w.all_said());
        }) == "complete announced told");
      }
    }
  }

  TEST_CASE("a copy that no restore could use is not called one, and is made again") {
    if (lacks(part::users)) return;
    for (const bool link : {true, false}) {  // a symbolic link; a file that may not be read
      CAPTURE(link);
      place w;
      REQUIRE(w.call("m").ok());
      fs::permissions(w.cache / "m", fs::perms(0777));
      fs::permissions(w.root.at, fs::perms(0777));
      if (link) {
        fs::rename(w.cache / "m/m.ckpt", w.root.at / "elsewhere");
        fs::create_symlink(w.root.at / "elsewhere", w.cache / "m/m.ckpt");
        CHECK(w.call("m").model.cached);
        CHECK_FALSE(fs::is_symlink(w.cache / "m/m.ckpt"));
        w.wipe_local();
        w.origin_dies();
        CHECK(w.call("m").ok());
        continue;
      }
      w.wipe_local();
      fs::create_directories(w.local);
      fs::permissions(w.local, fs::perms(0777));
      fs::permissions(w.cache / "m/m.ckpt", fs::perms(0));
      CHECK(unprivileged([&]() -> std::string {
        const auto r = w.call("m");
        if (!r.ok()) return r.error.what();
        std::ifstream copy(w.cache / "m/m.ckpt");
        return std::string(r.model.cached ? "cached " : "") + (copy ? "readable " : "")
            + (w.heard("cannot be read") ? "told" : w.all_said());
      }) == "cached readable told");
    }
  }

  TEST_CASE("a local directory that cannot be written serves what stands there, pinned or not") {
    if (lacks(part::users)) return;
    place w;
    REQUIRE(w.call("m").ok());
    for (const fs::path& p : {w.local / "m.sha256", w.cache / "m/m.sha256"})
      fs::remove(p);
    fs::permissions(w.local, fs::perms(0555));
    fs::permissions(w.cache / "m", fs::perms(0777));
    // told here: a directory for temporary files may be root's alone
    const std::string config_pin = "#sha256=" + support::sha256(config());
    const std::string checkpoint_pin = "#sha256=" + support::sha256(checkpoint());
    CHECK(unprivileged([&]() -> std::string {
      const auto r = w.call("m", config_url + config_pin, checkpoint_url + checkpoint_pin);
      if (!r.ok()) return r.error.what();
      return std::string(r.model.cached ? "cached" : "")
          + (r.model.from == vqcache::origin::local ? " local" : "");
    }) == "cached local");
    INFO("and a notebook's pair is stored, though it gets no receipt");
    for (const auto& e : fs::directory_iterator(w.cache / "m"))
      fs::remove(e);
    CHECK(unprivileged([&]() -> std::string {
      const auto r = w.call("m");
      if (!r.ok()) return r.error.what();
      return std::string(r.model.cached ? "cached" : w.all_said());
    }) == "cached");
  }

  TEST_CASE("a local receipt may be a symbolic link, as the files may") {
    place w;
    REQUIRE(w.call("m").ok());
    for (const char* n : {"m.yaml", "m.ckpt", "m.sha256"}) {
      fs::rename(w.local / n, w.root.at / n);
      fs::create_symlink(w.root.at / n, w.local / n);
    }
    const auto r = w.call("m");
    CHECK_MESSAGE(r.ok(), why(r));
    CHECK(r.model.cached);
    CHECK(w.said == lines{hit_line("m")});
  }

  TEST_CASE("a notebook's file is said to be unverified when its fellow is brought, too") {
    place w;
    fs::create_directories(w.local);
    write(w.local / "m.yaml", config());
    REQUIRE(w.call("m").ok());
    CHECK(w.heard("Nothing vouches for m.yaml"));
  }

  TEST_CASE("a read-only cache restores, is believed, and is not written to") {
    if (lacks(part::users)) return;
    place w;
    REQUIRE(w.call("m").ok());
    w.origin_dies();
    w.wipe_local();
    fs::create_directories(w.local);
    fs::permissions(w.local, fs::perms(0777));
    for (const char* p : {"", "m"})
      fs::permissions(w.cache / p, fs::perms(0555));
    const auto before = contents(w.cache);
    CHECK(unprivileged([&]() -> std::string {
      const auto r = w.call("m");
      if (!r.ok()) return r.error.what();
      return std::string(r.model.cached ? "cached " : "") + (w.local_is("m") ? "complete " : "")
          + (w.said == lines{restore_line("m")} ? "announced" : w.all_said());
    }) == "cached complete announced");
    CHECK(contents(w.cache) == before);
  }

  TEST_CASE(
      "a damaged copy in a read-only cache is replaced by the origin's, though it must stay") {
    if (lacks(part::users)) return;
    place w;
    REQUIRE(w.call("m").ok());
    w.wipe_local();
    fs::create_directories(w.local);
    fs::permissions(w.local, fs::perms(0777));
    write(w.cache / "m/m.ckpt", flipped(checkpoint(), 5000));
    for (const char* p : {"", "m"})
      fs::permissions(w.cache / p, fs::perms(0555));
    CHECK(unprivileged([&]() -> std::string {
      const auto r = w.call("m");
      if (!r.ok()) return r.error.what();
      return std::string(w.local_is("m") ? "complete " : "")
          + (w.heard("damaged") ? "told" : w.all_said());
    }) == "complete told");
  }

  TEST_CASE("a cache that is full never fails a call whose local pair is complete") {
    place w;
    const tmpfs small(w.cache, "64k");
    if (!small.mounted()) return skipped("a full cache needs the right to mount a tmpfs");
    const auto r = w.call("m");
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK_FALSE(r.model.cached);
    CHECK(w.local_is("m"));
    CHECK(w.said.at(0) == download_line("m"));
    CHECK(w.heard("has room for"));
    CHECK(w.litter().empty());
    INFO("a later call tries again, and says so again");
    const auto again = w.call("m");
    CHECK(again.ok());
    CHECK_FALSE(again.model.cached);
    CHECK(w.heard("not in the cache"));
    INFO("once there is room it is stored");
    REQUIRE(::mount("tmpfs", w.cache.c_str(), "tmpfs", MS_REMOUNT, "size=4m") == 0);
    CHECK(w.call("m").model.cached);
    CHECK(w.cache_is("m"));
  }

  TEST_CASE("a local disk that is full fails the call, names the disk, and leaves no litter") {
    place w;
    const tmpfs small(w.local, "64k");
    if (!small.mounted()) return skipped("a full disk needs the right to mount a tmpfs");
    for (const bool restoring : {false, true}) {
      CAPTURE(restoring);
      if (restoring) prime(w.cache / "m", "m");
      const auto r = w.call("m");
      CHECK(r.error.code() == errc::no_space);
      CHECK(has(r.error.what(), w.local.string()));
      CHECK_FALSE(fs::exists(w.local / "m.ckpt"));
      CHECK_FALSE(fs::exists(w.local / "m.yaml"));
      CHECK(w.litter().empty());
      CHECK(matching(w.root.at, "corrupt").empty());
    }
    CHECK(w.cache_is("m"));
    INFO("once there is room it works");
    REQUIRE(::mount("tmpfs", w.local.c_str(), "tmpfs", MS_REMOUNT, "size=4m") == 0);
    CHECK(w.call("m").ok());
    CHECK(w.local_is("m"));
  }

  TEST_CASE("a local disk that is full to the last byte still serves what it holds") {
    place w;
    const tmpfs small(w.local, "256k");
    if (!small.mounted()) return skipped("a full disk needs the right to mount a tmpfs");
    REQUIRE(w.call("m").ok());
    std::ofstream(w.local / "filler") << std::string(1 << 20, 'x');
    fs::remove(w.local / ".m.lock");
    const auto r = w.call("m");
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(w.said == lines{hit_line("m")});
    INFO("and what must be stored anew is stored from it");
    w.wipe_cache();
    const auto again = w.call("m");
    REQUIRE_MESSAGE(again.ok(), why(again));
    CHECK(again.model.cached);
  }

  TEST_CASE("a cache that vanishes during the call never fails it") {
    for (const auto when : {vqcache::phase::downloading, vqcache::phase::storing}) {
      CAPTURE(static_cast<int>(when));
      place w;
      fs::create_directories(w.cache);
      w.watch = [&](const vqcache::progress& p) {
        if (p.phase == when) fs::remove_all(w.cache);
        return true;
      };
      const auto r = w.call("m");
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(w.local_is("m"));
      CHECK(r.model.cached == w.cache_is("m"));
      if (!r.model.cached) CHECK(w.heard("not in the cache"));
    }
  }

  TEST_CASE("a cache that vanishes while it restores leads to the origin or to the whole file") {
    place w;
    REQUIRE(w.call("m").ok());
    w.wipe_local();
    w.watch = [&](const vqcache::progress& p) {
      if (p.phase == vqcache::phase::restoring) fs::remove_all(w.cache);
      return true;
    };
    const auto r = w.call("m");
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(w.local_is("m"));
    CHECK(r.model.cached == w.cache_is("m"));
  }

  TEST_CASE("a cache that is a file, or holds one where a folder belongs, never fails the call") {
    for (const bool whole : {true, false}) {
      CAPTURE(whole);
      place w;
      write(whole ? w.cache : w.cache / "m", "I am a file\n");
      const auto r = w.call("m");
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(w.local_is("m"));
      CHECK_FALSE(r.model.cached);
      CHECK(w.heard("not in the cache"));
      CHECK(read(whole ? w.cache : w.cache / "m") == "I am a file\n");
    }
  }

  TEST_CASE("things in the cache that are no files are not served, and the origin is asked") {
    for (const std::string kind : {"directory", "dangling link", "link", "fifo"}) {
      CAPTURE(kind);
      place w;
      REQUIRE(w.call("m").ok());
      const fs::path p = w.cache / "m/m.ckpt";
      fs::remove(p);
      if (kind == "directory") fs::create_directories(p);
      if (kind == "dangling link") fs::create_symlink("nowhere", p);
      if (kind == "link")
        fs::create_symlink(w.root.at / "secret", p), write(w.root.at / "secret", checkpoint());
      if (kind == "fifo") REQUIRE(::mkfifo(p.c_str(), 0666) == 0);
      w.wipe_local();
      const auto r = w.call("m");
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(w.asked == lines{checkpoint_url});
      CHECK(w.local_is("m"));
    }
  }

  TEST_CASE(
      "a slow cache comes after the local pair: it is published and announced before storing") {
    place w;
    bool storing = false, complete = true;
    std::string heard;
    w.watch = [&](const vqcache::progress& p) {
      if (p.phase == vqcache::phase::storing && !std::exchange(storing, true)) {
        heard = w.all_said();
        complete = w.local_is("m") && fs::exists(w.local / "m.sha256");
      }
      return true;
    };
    REQUIRE(w.call("m").ok());
    CHECK(storing);
    CHECK(complete);
    CHECK(heard == download_line("m") + "\n");
  }

  TEST_CASE("a store that gains under 64 KiB in the window of time ends, and the call is good") {
    place w;
    w.serve(checkpoint_url, {checkpoint(30000)});
    auto o = w.options();
    o.stall_seconds = 1;
    w.watch = [](const vqcache::progress& p) {
      if (p.phase == vqcache::phase::storing && p.file == "m.ckpt")
        std::this_thread::sleep_for(std::chrono::milliseconds(1300));
      return true;
    };
    const auto began = std::chrono::steady_clock::now();
    const auto r = w.call_with(o, "m");
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK_FALSE(r.model.cached);
    CHECK(w.heard("64 KiB"));
    CHECK(w.local_is("m", config(), checkpoint(30000)));
    CHECK(w.litter().empty());
    CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(10));
  }

  TEST_CASE("cancelling the store is no failure: the local pair is complete") {
    place w;
    w.watch = [](const vqcache::progress& p) {
      return p.phase != vqcache::phase::storing;
    };
    const auto r = w.call("m");
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK_FALSE(r.model.cached);
    CHECK(w.local_is("m"));
    CHECK(w.heard("not in the cache"));
    CHECK(w.litter().empty());
    w.watch = nullptr;
    CHECK(w.call("m").model.cached);
  }

  TEST_CASE(
      "another model under the same name in the cache is left alone, and cached stays false") {
    place w;
    REQUIRE(w.call("m").ok());
    const auto theirs = contents(w.cache);
    w.wipe_local();
    w.cache = w.root.at / "elsewhere";
    w.serve(config_url, {config("another")});
    w.serve(checkpoint_url, {checkpoint(100000, 7)});
    REQUIRE(w.call("m").ok());
    w.cache = w.root.at / "cache";
    const auto r = w.call("m");
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK_FALSE(r.model.cached);
    CHECK(w.heard("another model"));
    CHECK(contents(w.cache) == theirs);
    CHECK(w.local_is("m", config("another"), checkpoint(100000, 7)));
  }

  // ---- offline

  TEST_CASE("offline, the tiers serve and nothing is asked; what lacks is an error that says so") {
    for (const bool by_environment : {false, true}) {
      CAPTURE(by_environment);
      place w;
      REQUIRE(w.call("m").ok());
      const environment flag("VQCACHE_OFFLINE", by_environment ? "1" : nullptr);
      auto o = w.options();
      o.offline = !by_environment;
      CHECK(w.call_with(o, "m").ok());
      w.wipe_local();
      CHECK(w.call_with(o, "m").ok());
      const auto r = w.call_with(o, "n");
      CHECK(r.error.code() == errc::offline);
      CHECK(has(r.error.what(), "'n'"));
      CHECK(has(r.error.what(), w.cache.string()));
      CHECK(w.asked.empty());
      CHECK(matching(w.root.at, "n.ckpt").empty());
      CHECK(matching(w.root.at, "n.yaml").empty());
    }
    place w;
    const environment off("VQCACHE_OFFLINE", "0");
    CHECK(w.call("m").ok());
  }

  // ---- what is printed

  TEST_CASE("the default callback prints the seed's line, and nothing else is printed") {
    place w;
    auto o = w.options();
    o.on_message = vqcache::options().on_message;
    const std::string cold = printed([&] { CHECK(w.call_with(o, "m").ok()); });
    CHECK(cold == download_line("m") + "\n");
    const std::string hit = printed([&] { CHECK(w.call_with(o, "m").ok()); });
    CHECK(hit == hit_line("m") + "\n");
    w.wipe_local();
    const std::string restored = printed([&] { CHECK(w.call_with(o, "m").ok()); });
    CHECK(restored == restore_line("m") + "\n");
  }

  TEST_CASE("an empty message callback is silence, whatever happens") {
    place w;
    auto o = w.options();
    o.on_message = nullptr, o.on_progress = nullptr;
    const std::string out = printed([&] {
      CHECK(w.call_with(o, "m").ok());
      CHECK(w.call_with(o, "m").ok());
      w.wipe_local();
      write(w.cache / "m/m.ckpt", flipped(checkpoint(), 4000));
      CHECK(w.call_with(o, "m").ok());
      CHECK_FALSE(w.call_with(o, "../m").ok());
      w.origin_dies();
      CHECK_FALSE(w.call_with(o, "n").ok());
      CHECK_FALSE(vqcache::try_remove("m", o).code());
    });
    CHECK(out == "");
  }

  TEST_CASE("with a message callback nothing goes to standard output or standard error") {
    place w;
    const std::string out = printed([&] {
      CHECK(w.call("m").ok());
      fs::resize_file(w.cache / "m/m.ckpt", 10);
      CHECK(w.call("m").ok());
    });
    CHECK(out == "");
    CHECK(w.said.size() > 1);
  }

  TEST_CASE("progress names the model, the file and the phase, begins at 0 and ends at the total") {
    place w;
    w.pages[checkpoint_url].headers = {{"Content-Length", number_of(checkpoint().size())}};
    REQUIRE(w.call("m").ok());
    std::map<std::string, std::vector<vqcache::progress>> by;
    for (const auto& p : w.seen) {
      CHECK(p.name == "m");
      by[number_of(static_cast<std::size_t>(p.phase)) + p.file].push_back(p);
    }
    const auto& down =
        by[number_of(static_cast<std::size_t>(vqcache::phase::downloading)) + "m.ckpt"];
    const auto& store = by[number_of(static_cast<std::size_t>(vqcache::phase::storing)) + "m.ckpt"];
    REQUIRE(!down.empty());
    REQUIRE(!store.empty());
    CHECK(down.front().done == 0);
    CHECK(store.front().done == 0);
    CHECK(store.back().done == checkpoint().size());
    CHECK(store.back().total == checkpoint().size());
    CHECK(down.back().done == checkpoint().size());
    CHECK(down.back().total == checkpoint().size());
  }

  TEST_CASE("under a final name stands the whole file or nothing, whenever somebody looks") {
    place w;
    const auto whole = [&] {
      for (const fs::path& p : {w.local / "m.yaml", w.cache / "m/m.yaml"})
        if (fs::exists(p) && read(p) != config()) return false;
      for (const fs::path& p : {w.local / "m.ckpt", w.cache / "m/m.ckpt"})
        if (fs::exists(p) && read(p) != checkpoint()) return false;
      return true;
    };
    bool always = true;
    std::size_t looks = 0;
    w.watch = [&](const vqcache::progress&) {
      return always = always && whole(), ++looks, true;
    };
    auto o = w.options();
    o.fetch = [&, inner = o.fetch](const vqcache::request& q, vqcache::response& r) {
      r.status(200);
      const std::string& body = w.pages[q.url].body;
      for (std::size_t at = 0; at < body.size(); at += 5000, ++looks) {
        r.write(body.data() + at, (std::min)(body.size() - at, std::size_t{5000}));
        always = always && whole();
      }
    };
    REQUIRE(w.call_with(o, "m").ok());
    w.wipe_local();
    REQUIRE(w.call_with(o, "m").ok());
    CHECK(always);
    CHECK(looks > 20);
  }
}
