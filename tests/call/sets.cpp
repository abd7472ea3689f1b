// Any set of files: what it owns, that it is published, kept, restored, repaired and removed as one,
// and that no set takes what another one owns.
#include <doctest/doctest.h>

#include "world.hpp"

using namespace world;
using vqcache::errc;
using vqcache::named_source;

namespace {

const std::string base = "http://origin.test/net/";

// The bytes of weights: they are no text.
std::string weights(std::size_t size, unsigned fill) {
  return checkpoint(size, fill);
}

struct net : place {
  net() {
    serve(base + "config.json", {"{\"layers\": 4, \"width\": 64}"});
    serve(base + "model.onnx", {weights(50000, 1)});
    serve(base + "model.onnx_data", {weights(90000, 2)});
    serve(base + "README.html", {"<!DOCTYPE html><html>about this net</html>"});
  }

  static std::vector<named_source> files() {
    return {{"config.json", base + "config.json"}, {"onnx/model.onnx", base + "model.onnx"},
        {"onnx/model.onnx_data", base + "model.onnx_data"}};
  }

  vqcache::result bring(const std::string& name = "net") { return bring_these(name, files()); }

  vqcache::result bring_these(const std::string& name, const std::vector<named_source>& these) {
    forget();
    return vqcache::try_download_model(name, these, options());
  }

  vqcache::result restore(const std::string& name = "net") {
    forget();
    return vqcache::try_restore_model(name, options());
  }

  // The three files stand whole in a directory.
  bool is_whole_in(const fs::path& folder) const {
    return read(folder / "config.json") == body("config.json")
        && read(folder / "onnx/model.onnx") == body("model.onnx")
        && read(folder / "onnx/model.onnx_data") == body("model.onnx_data");
  }

  std::string body(const std::string& name) const {
    static const net untouched;
    return untouched.pages.at(base + name).body;
  }

  // sha256sum itself finds the receipt right, run where it stands.
  bool receipt_holds(const fs::path& directory, const std::string& receipt) const {
    int code = -1;
    run("cd " + quoted(directory) + " && sha256sum -c --strict " + receipt, &code);
    return code == 0;
  }
};

}  // namespace

TEST_SUITE("sets") {
  TEST_CASE("a set of three files is brought, copied, found again, restored and removed as one") {
    net w;
    auto r = w.bring();
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(r.model.from == vqcache::origin::network);
    CHECK(r.model.cached);
    CHECK(r.model.name == "net");
    CHECK(r.model.config.empty());
    REQUIRE(r.model.files.size() == 3);
    CHECK(r.model.files[0] == w.local / "net/config.json");
    CHECK(r.model.files[2] == w.local / "net/onnx/model.onnx_data");
    CHECK(w.is_whole_in(w.local / "net"));
    CHECK(w.is_whole_in(w.cache / "net"));
    CHECK(w.receipt_holds(w.local, "net.sha256"));
    CHECK(w.receipt_holds(w.cache / "net", "net.sha256"));

    r = w.bring();
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(r.model.from == vqcache::origin::local);
    CHECK(r.model.cached);
    CHECK(w.asked.empty());

    w.origin_dies();
    w.wipe_local();
    r = w.bring();
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(r.model.from == vqcache::origin::cache);
    CHECK(w.asked.empty());
    CHECK(w.is_whole_in(w.local / "net"));
    CHECK(w.receipt_holds(w.local, "net.sha256"));

    vqcache::remove("net", w.options());
    CHECK(tree(w.local).empty());
    CHECK(tree(w.cache).empty());
  }

  TEST_CASE("a set of one file that is called like it lies flat") {
    net w;
    w.serve("http://origin.test/clip.pt", {weights(60000, 3)});
    auto r = vqcache::try_download_file("clip.pt", "http://origin.test/clip.pt", w.options());
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(r.model.files == std::vector<fs::path>{w.local / "clip.pt"});
    CHECK(tree(w.local) == lines{".clip.pt.lock", "clip.pt", "clip.pt.sha256"});
    CHECK(tree(w.cache) == lines{"clip.pt/", "clip.pt/clip.pt", "clip.pt/clip.pt.sha256"});

    w.wipe_local();
    w.origin_dies();
    r = w.restore("clip.pt");
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(r.model.files == std::vector<fs::path>{w.local / "clip.pt"});

    vqcache::remove("clip.pt", w.options());
    CHECK(tree(w.root.at) == lines{"cache/", "local/"});
  }

  TEST_CASE("what receipts hold is restored by name alone, a pair and a set") {
    net w;
    REQUIRE(w.bring().ok());
    REQUIRE(w.call("m").ok());
    w.origin_dies();
    w.wipe_local();

    auto r = w.restore();
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(r.model.from == vqcache::origin::cache);
    CHECK(r.model.files.size() == 3);
    CHECK(w.is_whole_in(w.local / "net"));

    r = w.restore("m");
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(w.local_is("m", config(), checkpoint()));
    CHECK(w.call("m").ok());

    r = w.restore("nothing");
    CHECK(r.error.code() == errc::unknown_model);
    CHECK(w.asked.empty());
    CHECK(w.restore("../m").error.code() == errc::invalid_argument);
  }

  TEST_CASE("files that are not asked for keep their place, and new ones join the set") {
    net w;
    const std::vector<named_source> all = net::files();
    REQUIRE(w.bring_these("net", {all[0], all[1]}).ok());
    auto r = w.bring_these("net", {all[2]});
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(w.asked == lines{base + "model.onnx_data"});
    CHECK(r.model.files.size() == 1);
    CHECK(w.receipt_holds(w.local, "net.sha256"));
    CHECK(w.receipt_holds(w.cache / "net", "net.sha256"));

    w.origin_dies();
    r = w.bring();
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(r.model.from == vqcache::origin::local);
    w.wipe_local();
    r = w.restore();
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(r.model.files.size() == 3);
    CHECK(w.is_whole_in(w.local / "net"));
  }

  TEST_CASE("a damaged file of a set is repaired from the other tier, the others stay") {
    net w;
    REQUIRE(w.bring().ok());
    w.origin_dies();
    fs::resize_file(w.local / "net/onnx/model.onnx", 3);
    auto r = w.bring();
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(w.is_whole_in(w.local / "net"));
    CHECK(matching(w.local, ".corrupt-").size() == 1);

    write(w.cache / "net/onnx/model.onnx_data", "something else");
    r = w.bring();
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(r.model.cached);
    CHECK(w.is_whole_in(w.cache / "net"));
    CHECK(matching(w.cache, ".corrupt-").size() == 1);

    vqcache::remove("net", w.options());
    CHECK(tree(w.root.at) == lines{"cache/", "local/"});
  }

  TEST_CASE("one file that cannot be had fails the set, and nothing of it gets a name") {
    net w;
    w.pages.erase(base + "model.onnx_data");
    const auto r = w.bring();
    CHECK(r.error.code() == errc::http_status);
    CHECK(w.heard("model.onnx_data") == false);
    CHECK(std::string(r.error.what()).find("onnx/model.onnx_data") != std::string::npos);
    CHECK(!fs::exists(w.local / "net/config.json"));
    CHECK(!fs::exists(w.local / "net.sha256"));
    CHECK(!fs::exists(w.cache / "net/net.sha256"));
  }

  // Small files are sealed beside the bringing of others: what is found of one is told of that one.
  TEST_CASE(
      "a fault of one small file among many is told of it, and the rest is not asked for again") {
    struct row {
      const char* title;
      std::string body, pin;
      errc want;
      const char* says;
    };

    const std::string right = "{\"part\": 17}", page = "<!DOCTYPE html><html>Sign in</html>";
    const row rows[] = {{"other bytes than its pin's", right, std::string(64, 'a'),
                            errc::hash_mismatch, "the pin says"},
        {"a page", page, "", errc::not_the_file, "HTML"},
        {"nothing at all", "", "", errc::not_the_file, ""}};
    for (const row& one : rows)
      for (const int at : {0, 17, 39}) {
        CAPTURE(one.title);
        CAPTURE(at);
        net w;
        std::vector<named_source> files;
        for (int i = 0; i < 40; ++i) {
          const std::string file = std::to_string(i) + ".json";
          w.serve(base + file, {"{\"part\": " + std::to_string(i) + "}"});
          files.push_back({file, base + file});
        }
        const std::string its = std::to_string(at) + ".json";
        const vqcache::source whole = files[std::size_t(at)].from;
        w.serve(base + its, {one.body});
        files[std::size_t(at)].from.sha256 = one.pin;

        const auto bad = w.bring_these("net", files);
        CHECK_MESSAGE(bad.error.code() == one.want, why(bad));
        CHECK_MESSAGE(why(bad).find(its) != std::string::npos, why(bad));
        CHECK_MESSAGE(why(bad).find(one.says) != std::string::npos, why(bad));
        CHECK(matching(w.local, ".sha256").empty());
        for (const std::string& there : tree(w.local)) {
          const bool has_final_name = fs::path(there).extension() == ".json";
          CHECK_MESSAGE(!has_final_name, there);
        }

        w.serve(base + its, {right});
        files[std::size_t(at)].from = whole;
        const auto good = w.bring_these("net", files);
        CHECK_MESSAGE(good.ok(), why(good));
        CHECK(read(w.local / "net" / its) == right);
        CHECK(w.receipt_holds(w.cache / "net", "net.sha256"));
      }
  }

  TEST_CASE("pages and error texts are refused by what a file is called") {
    struct row {
      const char* title;
      const char* file;
      std::string body;
      bool is_good;
    };

    const std::string page = "<!DOCTYPE html><html><body>Sign in</body></html>";
    const row rows[] = {{"a page for JSON", "config.json", page, false},
        {"a page for a file of no known kind", "merges", page, false},
        {"a page for weights", "model.safetensors", page, false},
        {"a page that is the file", "index.html", page, true},
        {"a text that holds tags", "notes.txt", page, true},
        {"an answer for JSON", "config.json", "{\"error\": \"not found\"}", false},
        {"JSON", "config.json", "{\"layers\": 2}", true},
        {"a list of words", "vocab.json", "[\"a\", \"b\"]", true},
        {"a short text", "merges", "a b", true},
        {"a short text for weights", "model.gguf", "Not Found", false},
        {"a pointer of git-lfs", "model.onnx_data",
            "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4\n", false},
        {"a pointer of git-lfs for a text", "vocab.txt",
            "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4\n", false},
        {"nothing", "config.json", "", false}};
    for (const row& one : rows) {
      CAPTURE(one.title);
      net w;
      w.serve(base + "it", {one.body});
      const auto r = w.bring_these("net", {{one.file, base + "it"}});
      CHECK_MESSAGE(r.ok() == one.is_good, why(r));
      if (!one.is_good) {
        CHECK(!fs::exists(w.local / "net" / one.file));
      }
    }
  }

  TEST_CASE("a set that may not be is told before anything is touched") {
    struct row {
      const char* title;
      std::vector<named_source> files;
      const char* says;
    };

    const std::string url = base + "config.json";
    const row rows[] = {{"no file", {}, "at least one file"},
        {"one name twice", {{"b", url}, {"a", url}, {"a", url}},
            "the file 'a' is given twice; each file needs a name of its own"},
        {"names that differ in case", {{"a", url}, {"A", url}},
            "the files 'a' and 'A' cannot both be: some file systems take them for one; give one "
            "of them another name"},
        {"a file and a folder", {{"a", url}, {"a-c", url}, {"a/b", url}},
            "the files 'a' and 'a/b' cannot both be: one would be a file and a folder; give one of "
            "them another name"},
        {"out of the directory", {{"../a", url}}, "'../a'"},
        {"a receipt", {{"b.sha256", url}}, "of its own"},
        {"no URL", {{"a", ""}}, "the source of 'a': URL 1, '', is empty"}};
    for (const row& one : rows) {
      CAPTURE(one.title);
      net w;
      const auto r = w.bring_these("net", one.files);
      CHECK(r.error.code() == errc::invalid_argument);
      CHECK_MESSAGE(why(r).find(one.says) != std::string::npos, why(r));
      CHECK(tree(w.root.at).empty());
    }
  }

  TEST_CASE("no set takes what another owns, and the other is named") {
    net w;
    REQUIRE(w.call("m").ok());
    const auto before = contents(w.root.at);
    const std::vector<named_source> json = {{"config.json", base + "config.json"}};

    auto r = w.bring_these("m", json);  // the pair of that name lies flat
    CHECK(r.error.code() == errc::name_taken);
    r = w.bring_these("m.ckpt", json);  // its folder would be the pair's checkpoint
    CHECK(r.error.code() == errc::name_taken);
    CHECK_MESSAGE(why(r).find("'m'") != std::string::npos, why(r));
    r = vqcache::try_download_file("m.yaml", base + "config.json", w.options());
    CHECK(r.error.code() == errc::name_taken);
    CHECK(contents(w.root.at) == before);

    REQUIRE(w.bring().ok());
    const auto with_net = contents(w.root.at);
    r = w.call("net");  // a pair where a set stands
    CHECK(r.error.code() == errc::name_taken);
    CHECK(contents(w.root.at) == with_net);
    w.wipe_local();
    r = w.call("net");  // only the copy is left to tell
    CHECK((r.error.code() == errc::name_taken || !r.model.cached));
    CHECK(w.is_whole_in(w.cache / "net"));
  }

  TEST_CASE("two files named as the pair are the pair") {
    net w;
    auto r = w.bring_these("m", {{"m.ckpt", checkpoint_url}, {"m.yaml", config_url}});
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(w.local_is("m", config(), checkpoint()));
    CHECK(r.model.files[0] == w.local / "m.ckpt");
    r = w.call("m");
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(r.model.from == vqcache::origin::local);
    CHECK(r.model.files == std::vector<fs::path>{r.model.config, r.model.checkpoint});
  }

  TEST_CASE("what an interrupted call has left of a set goes with remove") {
    net w;
    write(w.local / "net/onnx/.model.onnx.0123456789abcdef.part", "some bytes");
    write(w.local / "net/onnx/.model.onnx.0123456789abcdef.record", "somebody");
    write(w.cache / "net/.config.json.0123456789abcdef.part", "some bytes");
    vqcache::remove("net", w.options());
    CHECK(tree(w.root.at) == lines{"cache/", "local/"});

    REQUIRE(w.bring().ok());
    write(w.local / "net/mine.txt", "a person's own");
    write(w.local / "net/old/.gone.onnx.0123456789abcdef.part", "of an earlier set");
    vqcache::remove("net", w.options());
    CHECK(tree(w.local) == lines{"net/", "net/mine.txt"});
    CHECK(tree(w.cache).empty());
  }

  TEST_CASE("a pin binds a file of a set") {
    net w;
    std::vector<named_source> files = net::files();
    files[1].from.sha256 = sha256(w.body("model.onnx"));
    REQUIRE(w.bring_these("net", files).ok());
    files[1].from.sha256 = std::string(64, 'a');
    const auto r = w.bring_these("net", files);
    CHECK(r.error.code() == errc::name_taken);
    CHECK(w.is_whole_in(w.local / "net"));
  }

  TEST_CASE("a thousand files are one set, with a handful of descriptors") {
    net w;
    std::vector<named_source> files;
    for (int i = 0; i < 1000; ++i) {
      const std::string name = "part-" + std::to_string(i);
      w.serve(base + name, {"weights of " + name});
      files.push_back({"shards/" + name, base + name});
    }
    const std::string said = in_child([&]() -> std::string {
      rlimit few{};
      few.rlim_cur = few.rlim_max = 128;
      ::setrlimit(RLIMIT_NOFILE, &few);
      auto r = w.bring_these("net", files);
      if (!r.ok()) return why(r);
      w.wipe_local();
      w.origin_dies();
      r = w.bring_these("net", files);
      return r.ok() && r.model.cached ? "" : why(r);
    });
    CHECK(said == "");
    CHECK(read(w.local / "net/shards/part-999") == "weights of part-999");
    CHECK(w.receipt_holds(w.cache / "net", "net.sha256"));
  }

#if defined(__cpp_exceptions)
  TEST_CASE("the throwing forms return what the others do") {
    net w;
    CHECK(vqcache::download_model("net", net::files(), w.options()).files.size() == 3);
    CHECK(vqcache::restore_model("net", w.options()).files.size() == 3);
    CHECK_THROWS_AS(vqcache::download_model("net", {}, w.options()), vqcache::error);
    CHECK_THROWS_AS(vqcache::restore_model("other", w.options()), vqcache::error);
    CHECK(vqcache::download_file("config.json", base + "config.json", w.options()).cached);
  }
#endif
}
