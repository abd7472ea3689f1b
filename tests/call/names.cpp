// Promise 10: nothing leaves the two directories; and the catalogue of published models.
#include <doctest/doctest.h>

#include "world.hpp"

using namespace world;
using vqcache::errc;

namespace {

// a fact as public sources state it, copied by hand; an empty digest or a size of 0: nobody states
// it
struct fact {
  std::string name, config_origin, config_sha256;
  std::uint64_t config_size;
  std::string checkpoint_origin, checkpoint_sha256;
  std::uint64_t checkpoint_size;
};

const std::string heibox = "https://heibox.uni-heidelberg.de/d/";
const std::vector<fact> facts = {
    {"vqgan_imagenet_f16_16384",
        heibox + "a7530b09fed84f80a887/files/?p=%2Fconfigs%2Fmodel.yaml&dl=1",
        "00e2c6189926f1d89ecfef73e9598db77981c1982f0555fbade963ffd16143c7", 692,
        heibox + "a7530b09fed84f80a887/files/?p=%2Fckpts%2Flast.ckpt&dl=1",
        "845a68805098cb666420d5db93df53f3a3b6dd443e6dd85c05759c5b998cd663", 980092370},
    {"vqgan_imagenet_f16_1024",
        heibox + "8088892a516d4e3baf92/files/?p=%2Fconfigs%2Fmodel.yaml&dl=1",
        "cbd6fa371d07bf5bb960e32186e6e81356accbefdcc722bf94583b6a98bda00c", 645,
        heibox + "8088892a516d4e3baf92/files/?p=%2Fckpts%2Flast.ckpt&dl=1", "", 957954257},
    {"vqgan_gumbel_f8_8192", heibox + "2e5662443a6b4307b470/files/?p=%2Fconfigs%2Fmodel.yaml&dl=1",
        "91110bab325067b37f85d1e75895a837d59c292bae4f3097f80c518714d5caff", 745,
        heibox + "2e5662443a6b4307b470/files/?p=%2Fckpts%2Flast.ckpt&dl=1",
        "5cd6c74810ab97e00e942c25403f73afc081e8b19987b31ec0d9ff5b68e7ab14", 376581823},
    {"wikiart_16384",
        "https://github.com/pixray/pixray/releases/download/v1.7.1/vqgan_wikiart_16384.yaml",
        "6e78241d2828ff35b8381839ce249c24a6c468ed429760d33a25e98e7f24499a", 920,
        "https://github.com/pixray/pixray/releases/download/v1.7.1/vqgan_wikiart_16384.ckpt",
        "bd08bb46301f98be1712bb2be9f8868cea30b53137cd985d4d6e8da8b3e02c36", 1005327541},
    {"sflckr",
        heibox + "73487ab6e5314cb5adba/files/?p=%2Fconfigs%2F2020-11-09T13-31-51-project.yaml&dl=1",
        "c27f012996f3f1f02580f063be47fd60bdd8528efb04d7318b2cbe8a86505b1b", 1603,
        heibox + "73487ab6e5314cb5adba/files/?p=%2Fcheckpoints%2Flast.ckpt&dl=1",
        "8a8adea3da8dab412675772831370dd948e0aa97bb11a9488a2f328b58dbc929", 4263525412},
    {"coco_first_stage", "https://batbot.ai/models/VQGAN/coco_first_stage.yaml",
        "17d0c2d9fda59eccade2a6070d833804b759dc817da42c2268be8cf1eb047676", 458,
        "https://batbot.ai/models/VQGAN/coco_first_stage.ckpt",
        "106cc20fde571df14afc4349d62218d8213cf47177c682ecaa78a8c28b12f9de", 296030214},
};

const vqcache::known_model* find(
    const std::vector<vqcache::known_model>& all, const std::string& name) {
  for (const auto& m : all)
    if (m.name == name) return &m;
  return nullptr;
}

}  // namespace

TEST_SUITE("names") {
  TEST_CASE("a hostile name is refused with the reason, and nothing is created, asked or said") {
    const std::vector<std::string> hostile = {"", ".", "..", "../m", "../../etc/passwd",
        "/etc/passwd", "a/b", "a\\b", "..\\m", "C:m", "C:\\m", "//server/share", "~", "~/m", "-",
        "-o", "--output=x", ".hidden", "m.", "m..", "m ", " m", "m\n", "m\r", "m\t",
        std::string("m\0n", 3), "a b", "a*", "a?", "a<b", "a>b", "a|b", "a\"b", "a'b", "a$b",
        "$(id)", "`id`", "a;b", "a&b", "a%2fb", "%2e%2e", "a#b", "a@b", "a:b", "a,b", "a=b", "a+b",
        "{a,b}", "[a]", "m\x7f", "m\x1b[31m", "mod\xc3\xa8le", "mode\xcc\x80le", "\xff\xfe",
        "\xe2\x80\xae"
        "m",
        std::string(101, 'a'), std::string(100000, 'a'), "con", "CON", "Con.yaml", "prn", "aux",
        "AUX.tar.gz", "nul", "nul.ckpt", "com0", "com1", "COM9", "lpt1", "LPT9.x", "lpt0", "CONIN$",
        "CONOUT$", "CLOCK$"};
    for (const std::string& name : hostile) {
      CAPTURE(name.substr(0, 130));
      place w;
      w.local = w.root.at / "a/local", w.cache = w.root.at / "a/cache";
      fs::create_directories(w.local);
      fs::create_directories(w.cache);
      const auto before = tree(w.root.at);
      for (const int form : {1, 2, 3}) {
        const std::string what = form == 1 ? w.call(name).error.what()
            : form == 2                    ? w.call_by_name(name).error.what()
                                           : vqcache::try_remove(name, w.options()).what();
        const auto code = form == 1 ? w.call(name).error.code()
            : form == 2             ? w.call_by_name(name).error.code()
                                    : vqcache::try_remove(name, w.options()).code();
        CHECK(code == errc::invalid_argument);
        CHECK_MESSAGE(has(what, "name"), what);
        CHECK_MESSAGE(has(what, "cannot be used: "), what);
        CHECK(what.size() < 600);
        for (char c : what)
          CHECK(static_cast<unsigned char>(c) >= 0x20);
        CHECK(w.asked.empty());
        CHECK(w.said.empty());
        CHECK(tree(w.root.at) == before);
      }
    }
  }

  TEST_CASE("an odd name that harms nobody is accepted as it stands") {
    for (const std::string name : {"m", "M", "0", "_", "a.b", "a..b", "a-", "a_", "console", "con1",
             "com", "com10", "lpt", "nulls", "auxiliary", "com1_", "2020-11-09T13-31-51_sflckr",
             "m.yaml", "m.ckpt", "m.sha256"}) {
      CAPTURE(name);
      place w;
      const auto r = w.call(name);
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(r.model.name == name);
      CHECK(w.local_is(name));
      CHECK(w.cache_is(name));
    }
    place w;
    const std::string longest(100, 'x');
    CHECK(w.call(longest).ok());
    CHECK(w.cache_is(longest));
  }

  TEST_CASE("models whose names begin alike live side by side") {
    place w;
    const lines all = {"m", "m.yaml", "m.ckpt", "m.sha256", "m2", "M"};
    for (std::size_t i = 0; i < all.size(); ++i) {
      w.serve(config_url, {config(all[i])});
      w.serve(checkpoint_url, {checkpoint(1000, static_cast<unsigned>(i + 1))});
      REQUIRE(w.call(all[i]).ok());
      CHECK(w.asked.size() == 2);
    }
    for (std::size_t i = 0; i < all.size(); ++i) {
      CAPTURE(all[i]);
      CHECK(w.local_is(all[i], config(all[i]), checkpoint(1000, static_cast<unsigned>(i + 1))));
      CHECK(w.cache_is(all[i], config(all[i]), checkpoint(1000, static_cast<unsigned>(i + 1))));
      CHECK(w.call(all[i]).model.from == vqcache::origin::local);
    }
  }

  // ---- the catalogue

  TEST_CASE("the catalogue states the origins, sizes and digests that public sources state") {
    const auto all = vqcache::known_models();
    CHECK(all.size() >= 8);
    CHECK(all.size() <= 12);
    for (const fact& f : facts) {
      CAPTURE(f.name);
      const auto* m = find(all, f.name);
      REQUIRE(m);
      REQUIRE(!m->config.urls.empty());
      REQUIRE(!m->checkpoint.urls.empty());
      CHECK(m->config.urls[0] == f.config_origin);
      CHECK(m->config.sha256 == f.config_sha256);
      CHECK(m->config.size == f.config_size);
      CHECK(m->checkpoint.urls[0] == f.checkpoint_origin);
      CHECK(m->checkpoint.sha256 == f.checkpoint_sha256);
      CHECK(m->checkpoint.size == f.checkpoint_size);
    }
    const auto* faces = find(all, "faceshq_transformer");
    REQUIRE(faces);
    CHECK(
        faces->config.sha256 == "726ca97fb266c3c744f26e5aba2e579a51e310eee711a15f22224031dfdd57e2");
    CHECK(faces->checkpoint.sha256
        == "3274bba51bd565c90990bbcf7bb5dad0b9b95a6a77011980afc4c3cfc4d1cad1");
  }

  TEST_CASE("a mirror stands in the catalogue only where a digest pins the file") {
    for (const auto& m : vqcache::known_models())
      for (const vqcache::source* s : {&m.config, &m.checkpoint}) {
        CAPTURE(m.name);
        CHECK_FALSE(s->urls.empty());
        if (s->sha256.empty())
          CHECK(s->urls.size() == 1);
        else
          CHECK(s->sha256.size() == 64);
        CHECK(s->sha256.find_first_not_of("0123456789abcdef") == std::string::npos);
        CHECK(s->headers.empty());
        std::vector<std::string> sorted = s->urls;
        std::sort(sorted.begin(), sorted.end());
        CHECK(std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end());
        for (const std::string& url : s->urls) {
          CAPTURE(url);
          CHECK(url.rfind("https://", 0) == 0);
          CHECK_FALSE(has(url, " "));
          CHECK_FALSE(has(url, "#"));
          for (const char* dead : {"mirror.io.community", "eaidata.bmk.sh", "k00.fr", "_slim"})
            CHECK_FALSE(has(url, dead));
        }
      }
  }

  TEST_CASE("names in the catalogue are usable names, and no alias is another's canonical name") {
    const auto all = vqcache::known_models();
    const auto is_usable = [](const std::string& name) {
      place w;
      return w.call(name).ok();
    };
    for (const auto& m : all) {
      CAPTURE(m.name);
      CHECK(is_usable(m.name));
      for (const std::string& alias : m.aliases) {
        CAPTURE(alias);
        CHECK(is_usable(alias));
        CHECK(find(all, alias) == nullptr);
      }
    }
  }

  TEST_CASE("an alias becomes the canonical name, in any case of letters") {
    const auto all = vqcache::known_models();
    std::map<std::string, std::size_t> rows;
    for (const auto& m : all)
      for (const std::string& alias : m.aliases)
        ++rows[alias];
    for (const char* known : {"vqgan16", "imagenet_16384", "imagenet_1024", "sflickr", "faceshq"})
      CHECK(rows[known] == 1);
    std::size_t tried = 0;
    for (const auto& m : all)
      for (std::string alias : m.aliases) {
        if (rows[alias] > 1) continue;
        if (++tried % 2 == 0)
          for (char& c : alias)
            c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
        CAPTURE(alias);
        place w;
        const auto r = w.call_by_name(alias);  // the origin in memory answers 404 to every URL
        CHECK(r.error.code() == errc::http_status);
        CHECK(w.asked == m.config.urls);
        CHECK(w.said[0] == download_line(m.name));  // then what is said of mirrors that failed
        CHECK(has(r.error.what(), m.name + ".yaml"));
      }
    CHECK(tried > 8);
  }

  TEST_CASE("an alias of a published model finds the canonical files that a tier holds") {
    place w;
    prime(w.cache / "vqgan_imagenet_f16_1024", "vqgan_imagenet_f16_1024");
    const auto r = w.call_by_name("imagenet_1024");
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(r.model.name == "vqgan_imagenet_f16_1024");
    CHECK(r.model.config == w.local / "vqgan_imagenet_f16_1024.yaml");
    CHECK(w.asked.empty());
  }

  TEST_CASE("the catalogue's digest holds what is downloaded by name") {
    place w;
    for (const auto& m : vqcache::known_models())
      if (m.name == "vqgan_imagenet_f16_1024")
        for (const std::string& url : m.config.urls)
          w.serve(url, {config()});
    const auto r = w.call_by_name("vqgan_imagenet_f16_1024");
    CHECK_FALSE(r.ok());
    CHECK(has(r.error.what(), "vqgan_imagenet_f16_1024.yaml"));
    CHECK_FALSE(fs::exists(w.local / "vqgan_imagenet_f16_1024.yaml"));
  }

  TEST_CASE("an ambiguous alias is refused, with the candidates, before anything is asked") {
    const std::vector<std::pair<std::string, lines>> ambiguous = {
        {"coco", {"coco_first_stage", "coco_transformer"}},
        {"imagenet", {"vqgan_imagenet_f16_1024", "vqgan_imagenet_f16_16384"}},
        {"wikiart", {"wikiart_1024", "wikiart_16384"}},
        {"COCO", {"coco_first_stage", "coco_transformer"}}};
    for (const auto& a : ambiguous) {
      CAPTURE(a.first);
      place w;
      const auto r = w.call_by_name(a.first);
      CHECK(r.error.code() == errc::unknown_model);
      CHECK(has(r.error.what(), "ambiguous"));
      for (const std::string& name : a.second)
        CHECK_MESSAGE(has(r.error.what(), name), why(r));
      CHECK(w.asked.empty());
      CHECK(tree(w.root.at).empty());
    }
  }

  TEST_CASE("a name that no tier holds and the catalogue does not list names the near ones") {
    const std::vector<std::pair<std::string, std::string>> near = {
        {"vqgan_imagenet_f16_1634", "vqgan_imagenet_f16_16384"}, {"sflkr", "sflckr"},
        {"faces_hq", "faceshq_transformer"}, {"gumbel_f8_8129", "vqgan_gumbel_f8_8192"}};
    for (const auto& n : near) {
      CAPTURE(n.first);
      place w;
      const auto r = w.call_by_name(n.first);
      CHECK(r.error.code() == errc::unknown_model);
      CHECK(has(r.error.what(), "'" + n.first + "'"));
      CHECK_MESSAGE(has(r.error.what(), n.second), why(r));
      std::size_t named = 0;  // the near ones, not the whole table
      for (const auto& m : vqcache::known_models())
        named += has(why(r), m.name);
      CHECK_MESSAGE(named <= 4, why(r));
      CHECK(has(r.error.what(), w.local.string()));
      CHECK(has(r.error.what(), w.cache.string()));
      CHECK(tree(w.root.at).empty());
    }
    place w;
    const auto r = w.call_by_name("zzzzzzzzzzzzzzzz");
    CHECK(r.error.code() == errc::unknown_model);
    for (const auto& m : vqcache::known_models())
      CHECK(has(r.error.what(), m.name));
  }

  TEST_CASE("a misspelt name of what is held is answered with that, by every call of a name") {
    using call = std::function<std::string(place&)>;
    const std::string wrong = "my-modle";
    const std::vector<std::pair<const char*, call>> calls = {
        {"download",
            [&](place& w) {
              return why(vqcache::try_download_vqgan_model(wrong, w.options()));
            }},
        {"restore",
            [&](place& w) {
              return why(vqcache::try_restore_model(wrong, w.options()));
            }},
        {"verify",
            [&](place& w) -> std::string {
              return vqcache::try_verify_model(wrong, w.options()).error.what();
            }},
        {"repair",
            [&](place& w) -> std::string {
              return vqcache::try_repair_model(wrong, w.options()).error.what();
            }},
        {"explain",
            [&](place& w) -> std::string {
              return vqcache::try_explain(wrong, w.options()).error.what();
            }},
    };
    for (const bool is_local : {true, false})
      for (const auto& one : calls) {
        CAPTURE(one.first);
        CAPTURE(is_local);
        place w;
        REQUIRE(w.call("my-model").ok());
        REQUIRE(w.call("else").ok());
        write(w.cache / "my-module/notes.txt", "a folder of somebody");
        if (!is_local) fs::remove_all(w.local);
        const std::string said = one.second(w);
        CHECK_MESSAGE(has(said, "did you mean 'my-model'?"), said);
        CHECK(said.back() == '?');

        fs::remove_all(w.local);
        fs::remove_all(w.cache);
        CHECK_FALSE(has(one.second(w), "did you mean"));
      }
  }

  TEST_CASE("by name alone, the tiers come first: any model that they hold, also under an alias") {
    for (const std::string name : {"my_own", "coco", "vqgan16", "sflckr"})
      for (const bool local : {true, false}) {
        CAPTURE(name);
        CAPTURE(local);
        place w;
        prime(local ? w.local : w.cache / name, name);
        const auto r = w.call_by_name(name);
        REQUIRE_MESSAGE(r.ok(), why(r));
        CHECK(r.model.name == name);
        CHECK(w.local_is(name));
        CHECK(w.asked.empty());
        CHECK(r.model.from == (local ? vqcache::origin::local : vqcache::origin::cache));
      }
  }

  TEST_CASE("by name alone, half a model in the tiers is no model") {
    place w;
    write(w.local / "my_own.yaml", config());
    const auto r = w.call_by_name("my_own");
    CHECK(r.error.code() == errc::unknown_model);
    CHECK(w.asked.empty());
    INFO("one half in each tier is one");
    write(w.cache / "my_own/my_own.ckpt", checkpoint());
    CHECK(w.call_by_name("my_own").ok());
    CHECK(w.local_is("my_own"));
  }

  TEST_CASE("by name alone, a damaged model that no origin can replace is an error that says so") {
    place w;
    REQUIRE(w.call("my_own").ok());
    w.wipe_local();
    write(w.cache / "my_own/my_own.ckpt", flipped(checkpoint(), 10));
    w.origin_dies();
    const auto r = w.call_by_name("my_own");
    CHECK(r.error.code() == errc::http_status);
    CHECK(has(r.error.what(), "my_own.ckpt"));
    CHECK_FALSE(fs::exists(w.local / "my_own.ckpt"));
    CHECK(w.heard("damaged"));
  }

  TEST_CASE("the table of the catalogue takes at most 90 lines of the header") {
    const fs::path header = support::tests_dir().parent_path() / "vqcache.hpp";
    std::istringstream in(read(header));
    const auto all = vqcache::known_models();
    const std::string first = "{\"" + all.front().name + "\"",
                      last = "{\"" + all.back().name + "\"";
    std::size_t number = 0, begin = 0, end = 0;
    for (std::string line; std::getline(in, line);) {
      ++number;
      if (begin == 0 && has(line, first)) begin = number;
      if (has(line, last)) end = number;
    }
    REQUIRE(begin > 0);
    REQUIRE(end > begin);
    CHECK(end + 8 - begin <= 90);  // the last row has a few lines
  }
}
