// What a caller gives is judged when the call begins: options, sources, and variables of the
// environment. What is wrong is errc::invalid_argument that names it, before anything is asked for
// or made.
#include <doctest/doctest.h>

#include "world.hpp"

#include <sys/stat.h>

using namespace world;
using vqcache::errc;
using vqcache::options;
using vqcache::source;

namespace {

struct change {  // of the options, and whether a call may go on with it
  std::string what;
  void (*make)(options&);
  std::string refused_with{};  // empty: it is good
};

const std::vector<change> changes = {
    {"no connection", [](options& o) { o.connections = 0; }, "options::connections"},
    {"one connection",
        [](options& o) {
          o.connections = 1;
        }},
    {"sixteen connections",
        [](options& o) {
          o.connections = 16;
        }},
    {"seventeen connections", [](options& o) { o.connections = 17; }, "options::connections"},
    {"a negative count", [](options& o) { o.connections = unsigned(-1); },
        "options::connections is 4294967295, which is what -1 becomes; it may be 1 to 16"},
    {"no limit for connecting",
        [](options& o) {
          o.connect_seconds = 0;
        }},
    {"the longest time to connect",
        [](options& o) {
          o.connect_seconds = 2147483;
        }},
    {"more seconds than milliseconds can be counted",
        [](options& o) { o.connect_seconds = 2147484; }, "options::connect_seconds"},
    {"a negative time", [](options& o) { o.connect_seconds = unsigned(-1); },
        "options::connect_seconds is 4294967295, which is what -1 becomes; it may be up to "
        "2147483"},
    {"no stall",
        [](options& o) {
          o.stall_seconds = 0;
        }},
    {"the longest stall",
        [](options& o) {
          o.stall_seconds = 2147483;
        }},
    {"a longer one", [](options& o) { o.stall_seconds = 2147484; },
        "options::stall_seconds is 2147484; it may be up to 2147483, and 0 is no limit"},
    {"a negative one", [](options& o) { o.stall_seconds = unsigned(-30); },
        "options::stall_seconds is 4294967266, which is what -30 becomes; it may be up to 2147483"},
    {"no limit of bytes",
        [](options& o) {
          o.max_bytes = 0;
        }},
    {"the largest limit",
        [](options& o) {
          o.max_bytes = ~std::uint64_t{0};
        }},
    {"a transport",
        [](options& o) {
          o.transport = "curl";
        }},
    {"an unknown transport", [](options& o) { o.transport = "pigeon\n"; },
        "options::transport is 'pigeon?'"},
    {"a directory with a NUL byte",
        [](options& o) { o.local_dir = o.local_dir.string() + std::string(1, '\0') + "x"; },
        "options::local_dir"},
    {"a limit of bytes per second",
        [](options& o) {
          o.max_bytes_per_second = ~std::uint64_t{0} >> 1;
        }},
    {"a negative one", [](options& o) { o.max_bytes_per_second = std::uint64_t(-1); },
        "options::max_bytes_per_second is 18446744073709551615, which is what -1 becomes; it may "
        "be up to 9223372036854775807, and 0 is no limit"},
    {"a place to look in that does not exist",
        [](options& o) {
          o.also_look_in = {o.local_dir / "nothing"};
        }},
    {"an empty place to look in", [](options& o) { o.also_look_in = {o.local_dir, ""}; },
        "options::also_look_in[1] is empty"},
    {"a variable as a place to look in", [](options& o) { o.also_look_in = {"$SHELF/models"}; },
        "options::also_look_in[0] names a variable, which nobody replaces here; write the path "
        "itself: '$SHELF/models'"},
    {"a URL as a place to look in", [](options& o) { o.also_look_in = {"ftp://h/models"}; },
        "options::also_look_in[0] is a URL"},
    {"a place to look in with a NUL byte",
        [](options& o) { o.also_look_in = {o.local_dir.string() + std::string(1, '\0') + "x"}; },
        "options::also_look_in[0] has a NUL byte"},
    {"another", [](options& o) { o.cache_dir = o.cache_dir.string() + std::string(1, '\0'); },
        "options::cache_dir"}};

// both files are paths: no transport would notice anything
struct with_paths : place {
  std::string config_path = (root.at / "site/model.yaml").string(),
              checkpoint_path = (root.at / "site/last.ckpt").string();

  with_paths() {
    write(config_path, config());
    write(checkpoint_path, checkpoint());
  }
};

}  // namespace

TEST_SUITE("arguments") {
  // ---- options

  TEST_CASE("every option is checked when a call begins, whatever the call has to do") {
    for (const change& c : changes) {
      CAPTURE(c.what);
      for (const std::string state : {"nothing there", "a hit", "paths", "by name", "a removal"}) {
        CAPTURE(state);
        with_paths w;
        if (state == "a hit" || state == "a removal") REQUIRE(w.call("m").ok());
        w.forget();
        options o = w.options();
        if (state == "paths") o.fetch = nullptr;
        c.make(o);
        const auto before = contents(w.root.at);
        vqcache::error e;
        if (state == "a removal")
          e = vqcache::try_remove("m", o);
        else if (state == "by name")
          e = vqcache::try_download_vqgan_model("nobody", o).error;
        else if (state == "paths")
          e = w.call_with(o, "m", w.config_path, w.checkpoint_path).error;
        else
          e = w.call_with(o, "m").error;
        if (c.refused_with.empty()) {
          if (state == "by name")
            CHECK(e.code() == errc::unknown_model);
          else
            CHECK_MESSAGE(!e.code(), e.what());
          continue;
        }
        CHECK(e.code() == errc::invalid_argument);
        CHECK_MESSAGE(has(e.what(), c.refused_with), e.what());
        CHECK(w.asked.empty());
        CHECK(contents(w.root.at) == before);
      }
    }
  }

  TEST_CASE("the defaults, and the options of a notebook, are good") {
    place w;
    options o = options();
    o.local_dir = w.local, o.cache_dir = w.cache, o.on_message = nullptr;
    CHECK(vqcache::try_download_vqgan_model("nobody", o).error.code() == errc::unknown_model);
    CHECK_FALSE(vqcache::try_remove("nobody", vqcache::notebook_options(o)).code());
  }

  TEST_CASE("an unknown transport in the environment is named, where a transport is used") {
    with_paths w;
    const environment by("VQCACHE_TRANSPORT", "pigeon");
    options o = w.options();
    CHECK_MESSAGE(w.call_with(o, "fetched").ok(), "a callback needs no transport");
    o.fetch = nullptr;
    const auto r = w.call_with(o, "m", w.config_path, w.checkpoint_path);
    CHECK(r.error.code() == errc::invalid_argument);
    CHECK(has(r.error.what(), "VQCACHE_TRANSPORT is 'pigeon'"));
    CHECK_FALSE(has(r.error.what(), "options::transport"));
    CHECK_FALSE(vqcache::try_remove("m", o).code());
    INFO("the option wins");
    o.transport = "curl";
    CHECK(w.call_with(o, "m", w.config_path, w.checkpoint_path).ok());
  }

  TEST_CASE("a directory that begins with ~ names who gave it, when there is no home") {
    place w;
    const environment home("HOME", nullptr);
    const environment variable("VQCACHE_CACHE_DIR", "~/kept");
    options o = w.options();
    o.cache_dir.clear();
    const auto by_variable = w.call_with(o, "m");
    CHECK(by_variable.error.code() == errc::invalid_argument);
    CHECK(has(by_variable.error.what(), "VQCACHE_CACHE_DIR"));
    o = w.options();
    o.local_dir = "~/fast";
    const auto by_option = w.call_with(o, "m");
    CHECK(has(by_option.error.what(), "options::local_dir"));
  }

  // ---- 0 is no limit

  TEST_CASE(
      "a directory that only a shell could understand is refused, and nothing is made of it") {
    place w;
    options o = w.options();
    o.local_dir = "$HOME/models";
    const auto by_option = w.call_with(o, "m");
    CHECK(by_option.error.code() == errc::invalid_argument);
    CHECK(has(by_option.error.what(), "options::local_dir names a variable"));
    CHECK_FALSE(fs::exists("$HOME"));

    o = w.options();
    o.cache_dir.clear();
    const environment variable("VQCACHE_CACHE_DIR", "~nobody/kept");
    const auto by_variable = w.call_with(o, "m");
    CHECK(by_variable.error.code() == errc::invalid_argument);
    CHECK(has(by_variable.error.what(), "VQCACHE_CACHE_DIR begins with ~"));
    CHECK_FALSE(fs::exists("~nobody"));
  }

  TEST_CASE("the address of a page about a file is told as that, with the one of the file") {
    place w;
    options o = w.options();
    o.fetch = [](const vqcache::request&, vqcache::response& to) {
      const std::string page = "<!DOCTYPE html><html><body>model.yaml</body></html>";
      to.status(200);
      to.write(page.data(), page.size());
    };
    const auto r = vqcache::try_download_vqgan_model(
        "m", "https://huggingface.co/o/r/blob/main/m.yaml", "https://host/m.ckpt", o);
    CHECK(r.error.code() == errc::not_the_file);
    CHECK(has(r.error.what(), "https://huggingface.co/o/r/resolve/main/m.yaml"));
  }

  TEST_CASE("without a stall limit nothing stalls: from memory, from paths, from the cache") {
    with_paths w;
    options o = w.options();
    o.stall_seconds = 0, o.connect_seconds = 0, o.max_bytes = 0;
    CHECK_MESSAGE(w.call_with(o, "m").ok(), w.all_said());
    w.wipe_local();
    const auto restored = w.call_with(o, "m");
    CHECK_MESSAGE(restored.ok(), why(restored));
    w.wipe_cache();
    const auto stored = w.call_with(o, "m");
    CHECK_MESSAGE(stored.model.cached, w.all_said());
    const auto copied = w.call_with(o, "n", w.config_path, w.checkpoint_path);
    CHECK_MESSAGE(copied.ok(), why(copied));
    CHECK(copied.model.cached);
  }

  // ---- the limit of bytes

  TEST_CASE("max_bytes and source::size hold for paths and file:// as for downloads") {
    const std::uint64_t size = checkpoint().size();

    struct row {
      std::uint64_t max_bytes, told;
      bool good;
      errc code;
    };

    for (const row& r :
        {row{size, 0, true, {}}, row{size - 1, 0, false, errc::not_the_file}, row{0, 0, true, {}},
            row{5, size, true, {}}, row{5, size - 1, false, errc::not_the_file},
            row{5, size + 1, false, errc::truncated}, row{size + 9, 1, false, errc::not_the_file},
            row{size, ~std::uint64_t{0}, false, errc::invalid_argument}}) {
      CAPTURE(r.max_bytes);
      CAPTURE(r.told);
      for (const std::string from : {"memory", "path", "file://"}) {
        CAPTURE(from);
        with_paths w;
        options o = w.options();
        o.max_bytes = r.max_bytes;
        source c = config_url, k = checkpoint_url;
        if (from != "memory") {
          c = w.config_path, k = (from == "path" ? "" : from) + w.checkpoint_path;
          o.fetch = nullptr;
        }
        c.size = config().size(), k.size = r.told;
        const auto got = w.call_with(o, "m", c, k);
        if (r.good) {
          CHECK_MESSAGE(got.ok(), why(got));
          CHECK(w.local_is("m"));
          continue;
        }
        CHECK_MESSAGE(got.error.code() == r.code, why(got));
        CHECK_FALSE(fs::exists(w.local / "m.ckpt"));
        CHECK(w.litter().empty());
        const std::string limit = r.told == 0
            ? " bytes that options::max_bytes allows; set it higher, or to 0 for no limit"
            : " bytes that source::size tells; is that the file that is meant?";
        if (r.code == errc::not_the_file) CHECK_MESSAGE(has(why(got), limit), why(got));
      }
    }
  }

  TEST_CASE("a file of this machine that is too large is not read for that") {
    with_paths w;
    std::ofstream(w.checkpoint_path).close();
    fs::resize_file(w.checkpoint_path, std::uint64_t{1} << 40);  // sparse
    options o = w.options();
    o.fetch = nullptr;
    const auto began = std::chrono::steady_clock::now();
    const auto r = w.call_with(o, "m", w.config_path, w.checkpoint_path);
    CHECK(r.error.code() == errc::not_the_file);
    CHECK(has(why(r), "options::max_bytes"));
    CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(10));
  }

  // ---- a null pointer

  TEST_CASE("a null pointer for a source throws nowhere; the call says what it was given") {
    const char* const unset = std::getenv("VQCACHE_TEST_IS_NOT_SET");
    REQUIRE(unset == nullptr);

    struct row {
      source given;
      std::string place;
    };

    const std::vector<row> rows = {{source(unset), "URL 1"}, {source{unset}, "URL 1"},
        {source{nullptr}, "URL 1"}, {source{"http://a.test/k", unset}, "URL 2"},
        {source{unset, "http://a.test/k"}, "URL 1"},
        {source(std::initializer_list<const char*>{"http://a.test/k", "http://b.test/k", unset}),
            "URL 3"}};
    for (const row& r : rows) {
      CAPTURE(r.place);
      for (const bool checkpoint_is : {true, false}) {
        place w;
        const auto got =
            checkpoint_is ? w.call("m", config_url, r.given) : w.call("m", r.given, checkpoint_url);
        CHECK(got.error.code() == errc::invalid_argument);
        CHECK_MESSAGE(has(why(got), "null pointer was given as " + r.place), why(got));
        CHECK(has(why(got), checkpoint_is ? "checkpoint" : "config"));
        CHECK(has(why(got), "unset"));
        CHECK(w.asked.empty());
        CHECK_FALSE(fs::exists(w.local));
      }
    }
    place w;
    const auto implicit = vqcache::try_download_vqgan_model("m", unset, {nullptr}, w.options());
    CHECK(implicit.error.code() == errc::invalid_argument);
    CHECK_THROWS_AS(
        vqcache::download_vqgan_model("m", unset, checkpoint_url, w.options()), vqcache::error);
  }

  // ---- VQCACHE_OFFLINE

  TEST_CASE("VQCACHE_OFFLINE: 0, false, no, off and nothing mean no, anything else means yes") {
    struct row {
      const char* value;
      bool offline;
    };

    for (const row& r : {row{nullptr, false}, row{"", false}, row{"0", false}, row{"false", false},
             row{"False", false}, row{"FALSE", false}, row{"no", false}, row{"No", false},
             row{"off", false}, row{"OFF", false}, row{" off ", false}, row{"1", true},
             row{"true", true}, row{"yes", true}, row{"on", true}, row{"2", true},
             row{"offline", true}}) {
      CAPTURE(r.value ? r.value : "(not set)");
      place w;
      const environment flag("VQCACHE_OFFLINE", r.value);
      const auto got = w.call("m");
      CHECK(got.ok() == !r.offline);
      if (!r.offline) continue;
      CHECK(got.error.code() == errc::offline);
      CHECK(has(why(got),
          "and the variable VQCACHE_OFFLINE makes the call offline; unset that variable to "
          "download them, or put them there"));
      CHECK_FALSE(has(why(got), "options::offline"));
      CHECK(w.asked.empty());
    }
    place w;
    options o = w.options();
    o.offline = true;
    const auto by_option = w.call_with(o, "m");
    CHECK(by_option.error.code() == errc::offline);
    CHECK(has(why(by_option),
        "and options::offline makes the call offline; call once without that option to download "
        "them, or put them there"));
    CHECK_FALSE(has(why(by_option), "VQCACHE_OFFLINE"));
  }
}
