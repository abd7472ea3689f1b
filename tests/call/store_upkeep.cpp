// Upkeep where the persistent tier is a bucket or a WebDAV server: listed, read, mended, removed, made
// room for, explained and examined. The store is our own, which misbehaves when it is told to.
#include <doctest/doctest.h>

#include "stored_place.hpp"

using namespace world;
using support::store;
using vqcache::condition;
using vqcache::errc;
using vqcache::origin;
using vqcache::severity;

namespace {

struct shelf : stored_place {
  explicit shelf(kind of) : stored_place(of, "upkeep") { serve_net(); }

  vqcache::options with_store() {
    vqcache::options o = stored_place::with_store();
    o.stall_seconds = 5;
    return o;
  }

  void bring(const std::string& name = "m") {
    const auto r =
        vqcache::try_download_vqgan_model(name, config_url, checkpoint_url, with_store());
    REQUIRE_MESSAGE(r.ok(), why(r));
    REQUIRE(r.model.cached);
    start_anew();
  }

  void bring_net() {
    const auto r = place::bring_net(with_store());
    REQUIRE_MESSAGE(r.ok(), why(r));
    REQUIRE(r.model.cached);
    start_anew();
  }

  void start_anew() {
    forget();
    store().forget_requests();
  }

  std::vector<vqcache::held_model> list() {
    start_anew();
    const auto found = vqcache::try_list_models(with_store());
    REQUIRE_MESSAGE(found.ok(), found.error.what());
    return found.value;
  }

  vqcache::verification verified(const std::string& name = "m") {
    start_anew();
    const auto found = vqcache::try_verify_model(name, with_store());
    REQUIRE_MESSAGE(found.ok(), found.error.what());
    CHECK(asked.empty());
    return found.value;
  }

  int requests_of(const std::string& method) const {
    int count = 0;
    for (const auto& one : store().log())
      count += one.method == method ? 1 : 0;
    return count;
  }
};

std::string joined(const lines& all) {
  std::string text;
  for (const std::string& one : all)
    text += one + "\n";
  return text;
}

std::string shown(const std::vector<vqcache::finding>& all) {
  const char* const words[] = {"", "warning: ", "failure: "};
  std::string text;
  for (const auto& one : all) {
    text += words[static_cast<int>(one.how)] + one.about + ": " + one.said;
    text += one.advice.empty() ? "\n" : "; " + one.advice + "\n";
  }
  return text;
}

}  // namespace

TEST_SUITE("store upkeep") {
  TEST_CASE("a list tells what is held here, what is in the store alone, and nothing else") {
    on_both([](shelf& w) {
      CHECK(w.list().empty());
      CHECK(w.said.empty());
      w.bring();
      w.bring_net();
      w.put("somebody else's/file", "x");
      w.put("note.txt", "x");
      w.wipe_local();
      w.bring();
      w.put("m/m.ckpt", "short");

      const auto all = w.list();
      REQUIRE(all.size() == 2);
      CHECK(w.said == lines{});
      CHECK(all[0].name == "m");
      CHECK(all[0].is_local());
      CHECK(all[0].files[0].is_cached);
      CHECK_FALSE(all[0].files[1].is_cached);  // of another size than its receipt tells
      CHECK(all[1].name == "net");
      CHECK_FALSE(all[1].is_local());
      CHECK(all[1].is_cached());
      CHECK(all[1].stored.size() == 20);
      REQUIRE(all[1].files.size() == 2);
      CHECK(all[1].files[1].file == "onnx/model.onnx");
      CHECK(all[1].files[1].size == w.pages.at(net_base + "model.onnx").body.size());
      CHECK(w.requests_of("PUT") == 0);
      CHECK(w.requests_of("DELETE") == 0);
    });
  }

  TEST_CASE("a list of a store that is away or lists nothing holds what is here, and says so") {
    on_both([](shelf& w) {
      w.bring();
      const std::string only =
          w.is == shelf::kind::bucket ? "&query=list-type" : "&method=PROPFIND";
      for (const char* way : {"way=forbidden", "way=error&code=405", "way=error&code=501",
               "way=captive", "way=error&code=207&body=bomb"}) {
        INFO(std::string(way));
        w.start_anew();
        store().clear();
        store().rule(way + only);
        const auto all = vqcache::try_list_models(w.with_store()).value;
        REQUIRE(all.size() == 1);
        CHECK(all[0].is_cached());  // asked for by its name
        CHECK_MESSAGE(w.said.size() == 1, w.all_said());
        CHECK(w.heard("only the models that are held locally can be told"));
      }

      for (const char* rule : {"way=reset", "way=captive", "way=error&code=200&body=bomb",
               "way=error&code=200&body=garbage"}) {
        INFO(std::string(rule));
        w.start_anew();
        store().clear();
        store().rule(rule);
        const auto all = vqcache::try_list_models(w.with_store()).value;
        REQUIRE(all.size() == 1);
        CHECK(all[0].is_local());
        CHECK(w.said.size() == 1);
      }
      store().clear();
    });
  }

  TEST_CASE("a long list of a bucket goes on behind its first page") {
    shelf w(shelf::kind::bucket);
    w.bring("z");
    for (int i = 0; i < 1001; ++i)
      w.put("a" + std::to_string(i) + "/file", "x");
    w.wipe_local();
    const auto all = w.list();
    REQUIRE(all.size() == 1);
    CHECK(all[0].name == "z");
    CHECK(all[0].is_cached());
    CHECK(w.said.empty());
    int pages = 0;
    for (const auto& one : store().log())
      pages += has(one.path, "list-type=2") ? 1 : 0;
    CHECK(pages == 2);
  }

  TEST_CASE("verify reads every byte of the store, and repair mends it") {
    struct row {
      const char* what;
      void (*act)(shelf&);
      lines is;
    };

    const row rows[] = {
        {"other bytes", [](shelf& w) { w.put("m/m.yaml", flipped(config(), 5)); },
            {"cache m.yaml damaged"}},
        {"short", [](shelf& w) { w.put("m/m.yaml", config().substr(3)); },
            {"cache m.yaml damaged"}},
        {"missing", [](shelf& w) { w.take("m/m.ckpt"); }, {"cache m.ckpt missing"}},
        {"no receipt", [](shelf& w) { w.take("m/m.sha256"); },
            {"cache m.yaml unvouched", "cache m.ckpt unvouched"}},
        {"a receipt of other bytes",
            [](shelf& w) {
              w.put("m/m.sha256", sha256("x") + "  m.yaml\n" + sha256(checkpoint()) + "  m.ckpt\n");
            },
            {"cache m.yaml damaged"}},
    };
    on_both([&rows](shelf& w) {
      w.bring();
      CHECK(w.verified().ok());
      CHECK(store().count(w.key("m/m.ckpt"), "GET") == 1);
      CHECK(store().count(w.key("m/m.yaml"), "GET") == 1);
      for (const row& one : rows) {
        INFO(std::string(one.what));
        one.act(w);
        const auto found = w.verified();
        CHECK(joined(wrong(found)) == joined(one.is));
        bool has_path = false;
        for (const auto& file : found.files) {
          const std::string path = file.path.string();
          has_path = has_path || (file.where == origin::cache && has(path, w.prefix + "/m/m.ckpt"));
          CHECK_FALSE(has(path, store().fact("password")));
        }
        CHECK(has_path);

        w.start_anew();
        const auto mended = vqcache::try_repair_model("m", w.with_store());
        REQUIRE_MESSAGE(mended.ok(), mended.error.what());
        CHECK_MESSAGE(joined(wrong(mended.value)) == "", w.all_said());
        CHECK(w.bytes("m/m.yaml") == config());
        CHECK(w.bytes("m/m.ckpt") == checkpoint());
        CHECK(w.asked.empty());
      }
    });
  }

  TEST_CASE("a store that is away, or lets nobody read, is unreadable; the local files are read") {
    on_both([](shelf& w) {
      w.bring();
      w.start_anew();
      for (const char* rule : {"way=forbidden", "way=reset"}) {
        INFO(std::string(rule));
        store().clear();
        store().rule(rule);
        const auto found = vqcache::try_verify_model("m", w.with_store());
        REQUIRE_MESSAGE(found.ok(), found.error.what());
        CHECK(wrong(found.value) == lines{"cache m.yaml unreadable", "cache m.ckpt unreadable"});

        const auto mended = vqcache::try_repair_model("m", w.with_store());
        REQUIRE_MESSAGE(mended.ok(), mended.error.what());
        CHECK_FALSE(mended->ok());
        CHECK(w.local_is("m"));
        CHECK_FALSE(has(w.all_said(), store().fact("secret")));
      }
      store().clear();
    });
  }

  TEST_CASE("both are damaged: repair brings them from the origin") {
    on_both([](shelf& w) {
      w.bring();
      w.put("m/m.yaml", flipped(config(), 7));
      write(w.local / "m.yaml", flipped(config(), 9));
      w.start_anew();
      const auto mended = vqcache::try_repair_model("m", w.with_store());
      REQUIRE_MESSAGE(mended.ok(), mended.error.what());
      CHECK(wrong(mended.value) == lines{});
      CHECK(w.asked == lines{config_url});
      CHECK(w.bytes("m/m.yaml") == config());
    });
  }

  TEST_CASE("remove takes everything of a model, and nothing else") {
    on_both([](shelf& w) {
      w.bring();
      w.bring("other");
      w.put("m/.m.ckpt.0123456789abcdef.part", "what was not finished");
      w.put("m/.m.lease.1", "of one that died");
      w.put("m/.m.lease.2", "of another one");
      if (w.is == shelf::kind::web) w.put("m/readme.txt", "somebody else's");
      w.start_anew();
      auto problem = vqcache::try_remove("m", w.with_store());
      CHECK_MESSAGE(!problem.code(), problem.what());
      CHECK_FALSE(fs::exists(w.local / "m.ckpt"));
      const lines others{"other/other.ckpt", "other/other.sha256", "other/other.yaml"};
      lines left = w.held_there();
      std::sort(left.begin(), left.end());
      lines expected = others;
      if (w.is == shelf::kind::web) expected.insert(expected.begin(), "m/readme.txt");
      if (w.is == shelf::kind::bucket)
        expected.insert(expected.begin(), "m/.m.ckpt.0123456789abcdef.part");
      CHECK(left == expected);  // no partial of ours has a name in a bucket

      problem = vqcache::try_remove("other", w.with_store());
      CHECK_MESSAGE(!problem.code(), problem.what());
      if (w.is == shelf::kind::web) {
        CHECK(w.held_there() == lines{"m/readme.txt"});
      }
    });
  }

  TEST_CASE(
      "remove goes on with nothing where the store is away, and says what stands where it "
      "refuses") {
    on_both([](shelf& w) {
      w.bring();
      store().rule("way=reset");
      auto problem = vqcache::try_remove("m", w.with_store());
      CHECK(problem.code());
      CHECK(has(problem.what(), "nothing was removed"));
      CHECK(w.local_is("m"));

      store().clear();
      store().rule("way=forbidden&method=DELETE");
      problem = vqcache::try_remove("m", w.with_store());
      CHECK(problem.code() == errc::permission_denied);
      CHECK(has(problem.what(), "nothing of it was removed there"));
      CHECK(has(problem.what(), "its local files are gone"));
      CHECK(w.bytes("m/m.ckpt") == checkpoint());
      CHECK(w.bytes("m/m.sha256") != "absent");

      store().clear();
      store().rule("way=forbidden&method=DELETE&skip=1");
      problem = vqcache::try_remove("m", w.with_store());
      CHECK(problem.code() == errc::permission_denied);
      CHECK(has(problem.what(), "its receipt is gone"));
      CHECK(w.bytes("m/m.sha256") == "absent");

      store().clear();
      problem = vqcache::try_remove("m", w.with_store());
      CHECK_MESSAGE(!problem.code(), problem.what());
      CHECK(w.held_there().empty());
    });
  }

  TEST_CASE("what is only looked into is neither listed nor removed") {
    on_both([](shelf& w) {
      w.bring();
      auto o = w.options();
      o.also_look_in.emplace_back(w.where());
      w.start_anew();
      const auto problem = vqcache::try_remove("m", o);
      CHECK_MESSAGE(!problem.code(), problem.what());
      CHECK(w.bytes("m/m.ckpt") == checkpoint());
      CHECK(w.bytes("m/m.sha256") != "absent");
      CHECK(w.requests_of("DELETE") == 0);
    });
  }

  TEST_CASE("prune reads the copy in the store before local files go") {
    on_both([](shelf& w) {
      w.bring();
      w.put("m/m.yaml", flipped(config(), 7));
      w.start_anew();
      auto pruned = vqcache::try_prune(0, false, w.with_store());
      REQUIRE_MESSAGE(pruned.ok(), pruned.error.what());
      REQUIRE(pruned->models.size() == 1);
      CHECK_FALSE(pruned->models[0].is_removed);
      CHECK(w.local_is("m"));

      store().rule("way=reset");
      pruned = vqcache::try_prune(0, false, w.with_store());
      REQUIRE_MESSAGE(pruned.ok(), pruned.error.what());
      CHECK_FALSE(pruned->models[0].is_removed);
      CHECK(w.local_is("m"));

      store().clear();
      w.put("m/m.yaml", config());
      w.start_anew();
      pruned = vqcache::try_prune(0, false, w.with_store());
      REQUIRE_MESSAGE(pruned.ok(), pruned.error.what());
      CHECK_MESSAGE(pruned->models[0].is_removed, pruned->models[0].why);
      CHECK(has(pruned->models[0].why, "was read, and is right"));
      CHECK_FALSE(fs::exists(w.local / "m.ckpt"));
      CHECK(w.bytes("m/m.ckpt") == checkpoint());
      CHECK(w.requests_of("PUT") == 0);
    });
  }

  TEST_CASE("explain asks a store only where a call would, says which, and says nothing aloud") {
    on_both([](shelf& w) {
      w.bring();
      auto told = vqcache::try_explain("m", w.with_store());
      REQUIRE_MESSAGE(told.ok(), told.error.what());
      CHECK(told->is_hit);
      CHECK(store().log().empty());
      std::string all;
      for (const std::string& line : told->files[0].why)
        all += line + "\n";
      CHECK(has(all, "was not asked: the local receipt says that it was seen there 20"));
      CHECK_FALSE_MESSAGE(has(all, w.prefix + "/m/m.yaml' has "), all);

      auto o = w.with_store();
      o.recheck_copy = 0;
      told = vqcache::try_explain("m", o);
      REQUIRE(told.ok());
      CHECK(told->is_hit);
      CHECK_FALSE(store().log().empty());
      all.clear();
      for (const std::string& line : told->files[0].why)
        all += line + "\n";
      CHECK(has(all, w.prefix + "/m' was asked"));

      store().rule("way=hang");
      told = vqcache::try_explain("m", o);
      REQUIRE(told.ok());
      CHECK(told->is_hit);
      all.clear();
      for (const std::string& line : told->files[0].why)
        all += line + "\n";
      CHECK_MESSAGE(has(all, "has not answered: the local receipt says"), all);
      CHECK(w.said.empty());
      store().clear();

      w.wipe_local();
      w.start_anew();
      told = vqcache::try_explain("m", w.with_store());
      REQUIRE(told.ok());
      CHECK(told->files[0].step == "restore");
      store().rule("way=reset");
      told = vqcache::try_explain("m", w.with_store());
      CHECK(w.said.empty());
      CHECK(w.requests_of("PUT") == 0);
      store().clear();
    });
  }

  TEST_CASE("of a store that could not be asked, nobody says that it does not hold a model") {
    on_both([](shelf& w) {
      w.bring();
      w.wipe_local();
      auto lent = w.with_store();
      lent.also_look_in = {lent.cache_dir};
      lent.keep_copy = false;
      for (const auto& o : {w.with_store(), lent}) {
        w.start_anew();
        store().rule("way=reset");
        const auto told = vqcache::try_explain("m", o);
        REQUIRE_FALSE(told.ok());
        const std::string all = told.error.what();
        CHECK_MESSAGE(has(all, " does not hold the files of m"), all);
        CHECK_MESSAGE(has(all, " holds is not known: "), all);
        CHECK_FALSE(has(all, " nor "));
        store().clear();
      }
    });
  }

  TEST_CASE("of a file that a silent store may hold, it is told that this is not known") {
    on_both([](shelf& w) {
      w.bring();
      REQUIRE(fs::remove(w.in_local("m.ckpt")));
      w.start_anew();
      store().rule("way=reset");
      const auto told = vqcache::try_explain("m", w.with_store());
      REQUIRE_MESSAGE(told.ok(), told.error.what());
      std::string all;
      for (const std::string& line : told->files[1].why)
        all += line + "\n";
      CHECK_MESSAGE(has(all, "it is not known whether a tier holds it"), all);
      CHECK_FALSE(has(all, "no tier holds it"));
      const auto first = all.find("the connection failed");
      CHECK_MESSAGE(first == all.rfind("the connection failed"), all);
      CHECK_MESSAGE(has(all, "' was asked, and did not tell\n"), all);
      const bool names_endpoint =
          has(all, "': at http://127.0.0.1:" + store().fact("plain") + ": the ");
      CHECK_MESSAGE(names_endpoint == (w.is == stored_place::kind::bucket), all);
      store().clear();
    });
  }

  TEST_CASE("doctor measures a store, tells where the keys are from, and leaves nothing") {
    on_both([](shelf& w) {
      w.bring();
      const lines before = w.held_there();
      w.start_anew();
      const auto found = vqcache::try_doctor(w.with_store());
      REQUIRE_MESSAGE(found.ok(), found.error.what());
      const std::string all = shown(found.value);
      CAPTURE(all);
      CHECK(w.said.empty());
      CHECK(w.held_there() == before);
      CHECK(has(all, "cache_dir: it creates what is not there, and nothing else"));
      CHECK(has(all, "cache_dir: it can be listed"));
      CHECK(has(all, "cache_dir: 1 MiB is written with "));
      CHECK(has(all, "cache_dir: its clock goes as that of this machine"));
      CHECK(has(all, " ms\n"));
      CHECK_FALSE(has(all, "is not there, and cannot be made"));
      CHECK_FALSE(has(all, store().fact("secret")));
      CHECK_FALSE(has(all, store().fact("password")));
      CHECK_FALSE(has(all, "warning: cache_dir"));
      if (w.is == shelf::kind::bucket) {
        CHECK(has(all, "keys are from"));
        CHECK(has(all, "at http://127.0.0.1:" + store().fact("plain")));
        CHECK(has(all, store().fact("region")));
      }
    });
  }

  TEST_CASE("doctor says of a store what is wrong with it") {
    struct row {
      const char* rule;
      const char* said;
    };

    const row rows[] = {{"way=conditions_ignored", "it ignores the condition"},
        {"way=read_only", "warning: cache_dir: nothing can be written: "},
        {"way=full", "warning: cache_dir: nothing can be written: "},
        {"way=reset", "warning: cache_dir: "},
        {"way=forbidden&method=DELETE", "warning: cache_dir: what was written for this cannot be "},
        {"way=flip&at=9&method=GET", "warning: cache_dir: what was read is not what was written"}};
    on_both([&rows](shelf& w) {
      w.bring();
      for (const row& one : rows) {
        INFO(std::string(one.rule));
        store().clear();
        store().rule(one.rule);
        const auto found = vqcache::try_doctor(w.with_store());
        REQUIRE_MESSAGE(found.ok(), found.error.what());
        const std::string all = shown(found.value);
        CHECK_MESSAGE(has(all, one.said), all);
        for (const auto& finding : found.value)
          CHECK((finding.how == severity::information || !finding.advice.empty()));
      }
      store().clear();
    });
  }

  TEST_CASE("doctor makes no folder; the first call does, also where each has to end in a slash") {
    shelf w(shelf::kind::web);
    const std::pair<const char*, const char*> rows[] = {
        {"", "it is not there; the first call makes it"},
        {"way=error&code=405&method=PROPFIND",
            "the server lists nothing (HTTP 405); the first call tells whether it takes files"}};
    for (const auto& [rule, said] : rows) {
      INFO(std::string(rule));
      w.start_anew();  // which clears the rules of before
      store().rule("way=mkcol_needs_slash");
      if (*rule != '\0') store().rule(rule);
      const auto found = vqcache::try_doctor(w.with_store());
      REQUIRE_MESSAGE(found.ok(), found.error.what());
      CHECK_MESSAGE(has(shown(found.value), said), shown(found.value));
      CHECK(w.requests_of("PUT") == 0);
      CHECK(w.requests_of("MKCOL") == 0);
    }
    w.bring();
    CHECK(w.bytes("m/m.ckpt") == checkpoint());
    store().clear();
  }

  TEST_CASE("doctor only reads what is only read, and a clock that is off is told") {
    on_both([](shelf& w) {
      w.bring();
      auto o = w.options();
      o.also_look_in.emplace_back(w.where());
      w.start_anew();
      auto found = vqcache::try_doctor(o);
      REQUIRE_MESSAGE(found.ok(), found.error.what());
      CHECK(has(shown(found.value), "also_look_in: it can be listed"));
      CHECK(w.requests_of("PUT") == 0);
      CHECK(w.requests_of("DELETE") == 0);

      store().control("clock?off=3600");
      found = vqcache::try_doctor(w.with_store());
      store().control("clock?off=0");
      REQUIRE_MESSAGE(found.ok(), found.error.what());
      CHECK_MESSAGE(has(shown(found.value), "s ahead of that of this machine"), shown(found.value));
    });
  }
}
