// What is held, and looking after it: list, verify, repair. Nothing is lost, nothing is said to be
// right that is not, and what cannot be mended is told.
#include <doctest/doctest.h>

#include "world.hpp"

using namespace world;
using vqcache::condition;
using vqcache::errc;
using vqcache::origin;

namespace {

const std::string& base = net_base;

struct shelf : place {
  shelf() { serve_net(); }

  void bring_net() {
    const auto r = place::bring_net(options());
    REQUIRE_MESSAGE(r.ok(), why(r));
  }

  std::vector<vqcache::held_model> list() {
    const auto found = vqcache::try_list_models(options());
    REQUIRE_MESSAGE(found.ok(), found.error.what());
    return found.value;
  }

  vqcache::verification verified(const std::string& name) {
    forget();
    const auto found = vqcache::try_verify_model(name, options());
    REQUIRE_MESSAGE(found.ok(), found.error.what());
    CHECK(asked.empty());
    return found.value;
  }
};

}  // namespace

TEST_SUITE("upkeep") {
  TEST_CASE("a list tells what each tier holds, by names, sizes and receipts") {
    shelf w;
    CHECK(w.list().empty());
    CHECK(!fs::exists(w.local));

    REQUIRE(w.call("m").ok());
    w.bring_net();
    auto all = w.list();
    REQUIRE(all.size() == 2);
    CHECK(all[0].name == "m");
    CHECK(all[1].name == "net");
    for (const vqcache::held_model& one : all) {
      CHECK(one.is_local());
      CHECK(one.is_cached());
      CHECK(one.stored.size() == 20);
      CHECK(one.last_used > 1600000000);
    }
    REQUIRE(all[1].files.size() == 2);
    CHECK(all[1].files[1].file == "onnx/model.onnx");
    CHECK(all[1].files[1].size == checkpoint(50000, 3).size());
    CHECK(all[1].files[1].sha256 == sha256(checkpoint(50000, 3)));

    fs::remove(w.local / "net/config.json");
    fs::resize_file(w.cache / "m/m.ckpt", 5);
    all = w.list();
    CHECK(!all[1].files[0].is_local);
    CHECK(all[1].files[1].is_local);
    CHECK(all[1].is_cached());
    CHECK(!all[0].is_cached());

    w.wipe_local();
    all = w.list();
    REQUIRE(all.size() == 2);
    CHECK(!all[1].is_local());
    CHECK(all[1].is_cached());
    CHECK(all[1].last_used == 0);
  }

  TEST_CASE("a list knows what a notebook has left, and leaves what is nobody's alone") {
    shelf w;
    write(w.local / "seed.yaml", config());
    write(w.local / "seed.ckpt", checkpoint());
    write(w.local / "alone.ckpt", checkpoint());
    write(w.local / "notes.txt", "a person's");
    write(w.local / ".hidden.sha256", "");
    write(w.cache / "old/old.yaml", config());
    write(w.cache / "old/old.ckpt", checkpoint());
    write(w.cache / "else/other.bin", "somebody's");
    write(w.cache / "file", "in the place of a folder");
    const auto before = contents(w.root.at);
    const auto all = w.list();
    REQUIRE(all.size() == 2);
    CHECK(all[0].name == "old");
    CHECK(all[0].is_cached());
    CHECK(all[0].stored.empty());
    CHECK(all[1].name == "seed");
    CHECK(all[1].is_local());
    CHECK(all[1].files[0].sha256.empty());
    CHECK(contents(w.root.at) == before);
  }

  TEST_CASE("verify reads every byte of both tiers, and changes nothing") {
    shelf w;
    w.bring_net();
    auto v = w.verified("net");
    CHECK(v.ok());
    CHECK(v.is_whole(origin::local));
    CHECK(v.is_whole(origin::cache));
    CHECK(v.files.size() == 4);
    CHECK(w.saw(vqcache::phase::verifying));

    write(w.local / "net/onnx/model.onnx", flipped(checkpoint(50000, 3), 40000));
    write(w.cache / "net/config.json", "{\"layers\": 5}");
    const auto before = contents(w.root.at);
    v = w.verified("net");
    CHECK(!v.ok());
    CHECK(wrong(v) == lines{"local onnx/model.onnx damaged", "cache config.json damaged"});
    CHECK(contents(w.root.at) == before);

    fs::resize_file(w.cache / "net/config.json", 2);
    fs::remove(w.local / "net/config.json");
    v = w.verified("net");
    CHECK(wrong(v)
        == lines{"local config.json missing", "local onnx/model.onnx damaged",
            "cache config.json damaged"});

    w.wipe_local();
    write(w.cache / "net/config.json", "{\"layers\": 4}");
    v = w.verified("net");
    CHECK(v.ok());  // it can be restored
    CHECK(!v.is_whole(origin::local));
    CHECK(v.is_whole(origin::cache));
  }

  TEST_CASE("verify can be cancelled, and tells what there is none of") {
    shelf w;
    w.bring_net();
    w.watch = [](const vqcache::progress& p) {
      return p.phase != vqcache::phase::verifying;
    };
    const auto stopped = vqcache::try_verify_model("net", w.options());
    CHECK(stopped.error.code() == errc::cancelled);
    CHECK(vqcache::try_verify_model("nothing", w.options()).error.code() == errc::unknown_model);
    CHECK(vqcache::try_verify_model("../x", w.options()).error.code() == errc::invalid_argument);
    CHECK(tree(w.local).size() == 6);
  }

  TEST_CASE("repair mends each tier from the other, without the origin") {
    for (const std::string s : {"local", "cache", "one each", "wiped", "nothing"}) {
      CAPTURE(s);
      shelf w;
      w.bring_net();
      w.origin_dies();
      const std::string good = checkpoint(50000, 3), bad = flipped(good, 40000);
      if (s == "local" || s == "one each") write(w.local / "net/onnx/model.onnx", bad);
      if (s == "cache") write(w.cache / "net/onnx/model.onnx", bad);
      if (s == "one each") write(w.cache / "net/config.json", "{\"layers\": 5}");
      if (s == "wiped") w.wipe_local();
      const auto before = contents(w.root.at);
      const auto found = vqcache::try_repair_model("net", w.options());
      REQUIRE_MESSAGE(found.ok(), found.error.what());
      CHECK(found->ok());
      CHECK(found->is_whole(origin::local));
      CHECK(found->is_whole(origin::cache));
      CHECK((read(w.local / "net/onnx/model.onnx") == good));
      CHECK((read(w.cache / "net/onnx/model.onnx") == good));
      const std::size_t aside = s == "one each" ? 2 : s == "local" || s == "cache" ? 1 : 0;
      CHECK(matching(w.root.at, ".corrupt-").size() == aside);
      if (s == "nothing") CHECK(contents(w.root.at) == before);
    }
  }

  TEST_CASE("what is damaged in both tiers comes from where its receipt says, or is told") {
    for (const bool is_there : {true, false}) {
      CAPTURE(is_there);
      shelf w;
      w.bring_net();
      const std::string good = checkpoint(50000, 3);
      write(w.local / "net/onnx/model.onnx", flipped(good, 40000));
      write(w.cache / "net/onnx/model.onnx", flipped(good, 30000));
      if (!is_there) w.origin_dies();
      w.forget();
      const auto found = vqcache::try_repair_model("net", w.options());
      CHECK(found.ok() == is_there);
      CHECK(w.asked == lines{base + "model.onnx"});
      if (is_there) {
        CHECK(found->ok());
        CHECK((read(w.cache / "net/onnx/model.onnx") == good));
      } else {
        const std::string what = found.error.what();
        CHECK_MESSAGE(what.find("onnx/model.onnx") != std::string::npos, what);
        CHECK((read(w.local / "net/onnx/model.onnx") == flipped(good, 40000)));
      }
      CHECK((read(w.local / "net/config.json") == "{\"layers\": 4}"));
    }
  }

  // explain says the same: the receipts know where the files came from
  TEST_CASE("by name alone what no tier has right comes from where its receipt says") {
    for (const bool is_damaged : {true, false}) {
      CAPTURE(is_damaged);
      shelf w;
      REQUIRE(w.call("mine").ok());
      w.wipe_local();
      const fs::path copy = w.cache / "mine/mine.ckpt";
      if (is_damaged) {
        write(copy, flipped(checkpoint(), 99));
      } else {
        fs::remove(copy);
      }
      const auto why = vqcache::try_explain("mine", w.options());
      REQUIRE_MESSAGE(why.ok(), why.error.what());

      w.forget();
      const vqcache::result r = vqcache::try_download_vqgan_model("mine", w.options());
      CHECK_MESSAGE(r.ok(), world::why(r));
      CHECK(w.asked.back() == checkpoint_url);
      CHECK(w.local_is("mine", config(), checkpoint()));
      CHECK(read(copy) == checkpoint());
    }

    shelf w;  // other bytes than the receipt's are not taken for them
    REQUIRE(w.call("mine").ok());
    w.wipe_local();
    fs::remove(w.cache / "mine/mine.ckpt");
    w.serve(checkpoint_url, {checkpoint(50000, 4)});
    const auto other = vqcache::try_download_vqgan_model("mine", w.options());
    CHECK(other.error.code() == errc::hash_mismatch);
    CHECK_MESSAGE(has(other.error.what(), "remove the model"), other.error.what());
  }

  TEST_CASE("a restore downloads nothing, and says what does") {
    shelf w;
    w.bring_net();
    w.wipe_local();
    write(w.cache / "net/onnx/model.onnx", flipped(checkpoint(50000, 3), 9));
    w.forget();
    const auto r = vqcache::try_restore_model("net", w.options());
    CHECK(r.error.code() == errc::unknown_model);
    CHECK_MESSAGE(has(r.error.what(), "repair_model may know"), r.error.what());
    CHECK(w.asked.empty());
  }

  TEST_CASE("an origin that has changed does not mend") {
    shelf w;
    w.bring_net();
    const std::string bad = flipped(checkpoint(50000, 3), 9);
    write(w.local / "net/onnx/model.onnx", bad);
    write(w.cache / "net/onnx/model.onnx", bad);
    w.serve(base + "model.onnx", {checkpoint(50000, 4)});
    const auto found = vqcache::try_repair_model("net", w.options());
    CHECK(found.error.code() == errc::hash_mismatch);
    CHECK((read(w.local / "net/onnx/model.onnx") == bad));
  }

  TEST_CASE("one tier alone is verified and repaired as well") {
    shelf w;
    vqcache::options o = w.options();
    o.keep_copy = false;
    REQUIRE(w.call_with(o, "m").ok());
    auto v = vqcache::try_verify_model("m", o);
    CHECK(v->ok());
    CHECK(v->files.size() == 2);
    CHECK(!v->is_whole(origin::cache));
    write(w.local / "m.ckpt", flipped(checkpoint(), 99));
    CHECK(!vqcache::try_verify_model("m", o)->ok());
    v = vqcache::try_repair_model("m", o);
    REQUIRE_MESSAGE(v.ok(), v.error.what());
    CHECK(v->ok());
    CHECK(!fs::exists(w.cache));
    const auto all = vqcache::try_list_models(o);
    REQUIRE(all->size() == 1);
    CHECK(!all.value[0].is_cached());
  }

#if defined(__cpp_exceptions)
  TEST_CASE("the throwing forms do the same") {
    shelf w;
    REQUIRE(w.call("m").ok());
    CHECK(vqcache::list_models(w.options()).size() == 1);
    CHECK(vqcache::verify_model("m", w.options()).ok());
    CHECK(vqcache::repair_model("m", w.options()).ok());
    CHECK_THROWS_AS(vqcache::verify_model("n", w.options()), vqcache::error);
    CHECK_THROWS_AS(vqcache::repair_model("n", w.options()), vqcache::error);
  }
#endif
}
