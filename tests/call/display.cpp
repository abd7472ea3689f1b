// examples/vqcache_display.hpp: what a notebook's kernel is given to show. The kernel is
// tests/stand_in.
#include <doctest/doctest.h>

#include "world.hpp"

#if __has_include(<nlohmann/json.hpp>)
#include "examples/vqcache_display.hpp"
#include "examples/vqcache_display.hpp"  // a notebook's cell may be run again

#include <initializer_list>
#include <utility>

namespace {

using namespace world;

vqcache::progress at(const char* file, std::uint64_t done, std::uint64_t total, double rate = 0,
    double left = -1, vqcache::phase what = vqcache::phase::downloading) {
  return {"m", file, what, done, total, rate, left};
}

vqcache::model some_model() {
  vqcache::model m;
  m.name = "m";
  m.config = "/models/m.yaml";
  m.checkpoint = "/models/m.ckpt";
  return m;
}

std::string plain(const xcpp::message& m) {
  return m.data.at("text/plain").get<std::string>();
}

std::string html(const xcpp::message& m) {
  return m.data.at("text/html").get<std::string>();
}

template <class T>
xcpp::message displayed(const T& value) {
  xcpp::messages().clear();
  xcpp::display(value);
  REQUIRE(xcpp::messages().size() == 1);
  return xcpp::messages().back();
}

// what a new bar shows after these reports, the last message last
std::vector<xcpp::message> reported(std::initializer_list<vqcache::progress> all) {
  xcpp::messages().clear();
  vqcache::progress_bar bar;
  for (const auto& p : all)
    CHECK(bar(p));
  REQUIRE(xcpp::messages().size() == all.size());
  return xcpp::messages();
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (auto i = text.find(part); i != std::string::npos; i = text.find(part, i + part.size()))
    ++n;
  return n;
}

}  // namespace

TEST_SUITE("display") {
  TEST_CASE(
      "the kernel shows a model as a table, and its name and paths where there is only text") {
    const auto shown = displayed(some_model());
    CHECK(plain(shown) == "m\nconfig: /models/m.yaml\ncheckpoint: /models/m.ckpt");
    CHECK(html(shown) ==
        "<table><tr><th>name</th><td>m</td></tr>"
        "<tr><th>config</th><td>/models/m.yaml</td></tr>"
        "<tr><th>checkpoint</th><td>/models/m.ckpt</td></tr>"
        "<tr><th>came from</th><td>the local directory</td></tr>"
        "<tr><th>copy in the cache</th><td>no</td></tr></table>");
  }

  TEST_CASE("the table tells where the model came from and whether a copy is kept") {
    vqcache::model m = some_model();
    m.cached = true;
    CHECK(html(displayed(m)).find("copy in the cache</th><td>yes<") != std::string::npos);
    for (const auto& [from, word] : {std::pair(vqcache::origin::local, ">the local directory<"),
             std::pair(vqcache::origin::cache, ">the cache<"),
             std::pair(vqcache::origin::network, ">the network<")}) {
      m.from = from;
      CHECK(html(displayed(m)).find(word) != std::string::npos);
    }
  }

  TEST_CASE("no name and no path can become HTML") {
    const std::string bad = "<script>alert(\"1\" && '2')</script>";
    const std::string good =
        "&lt;script&gt;alert(&quot;1&quot; &amp;&amp; &#39;2&#39;)&lt;/script&gt;";
    vqcache::model m = some_model();
    m.name = m.config = m.checkpoint = bad;
    CHECK(count(html(displayed(m)), ">" + good + "<") == 3);
    CHECK(html(displayed(m)).find("<script") == std::string::npos);
    CHECK(plain(displayed(m)) == bad + "\nconfig: " + bad + "\ncheckpoint: " + bad);

    const auto bar = reported({at(bad.c_str(), 1, 2)}).back();
    CHECK(html(bar).find("<td>" + good + "</td>") != std::string::npos);
    CHECK(html(bar).find("<script") == std::string::npos);
    CHECK(plain(bar).find(bad) != std::string::npos);
  }

  TEST_CASE("a path that is not UTF-8 can be sent, and one that is stays as it is") {
    vqcache::model m = some_model();
    m.config = "/caf\xe9";
    m.checkpoint = "/caf\xc3\xa9";
    const auto shown = displayed(m);
    CHECK(shown.data.dump().find("caf") != std::string::npos);
    CHECK(plain(shown) == "m\nconfig: /caf\xef\xbf\xbd\ncheckpoint: /caf\xc3\xa9");
  }

  TEST_CASE("a bar appears with the first report, and every later one updates it in its place") {
    const auto all = reported({at("m.ckpt", 0, 9), at("m.ckpt", 4, 9), at("m.ckpt", 9, 9)});
    CHECK(!all[0].id.empty());
    CHECK(!all[0].update);
    CHECK(all[1].id == all[0].id);
    CHECK(all[1].update);
    CHECK(all[2].id == all[0].id);
    CHECK(all[2].update);
  }

  TEST_CASE("two bars are two displays") {
    xcpp::messages().clear();
    vqcache::progress_bar one, other;
    one(at("m.ckpt", 1, 9));
    other(at("m.ckpt", 2, 9));
    REQUIRE(xcpp::messages().size() == 2);
    CHECK(xcpp::messages()[0].id != xcpp::messages()[1].id);
    CHECK(!xcpp::messages()[1].update);
  }

  TEST_CASE("the copies of a bar are one display") {
    xcpp::messages().clear();
    vqcache::options o;
    o.on_progress = vqcache::progress_bar();
    const vqcache::options copied = o;
    o.on_progress(at("m.yaml", 1, 1));
    copied.on_progress(at("m.ckpt", 1, 9));
    REQUIRE(xcpp::messages().size() == 2);
    CHECK(xcpp::messages()[1].id == xcpp::messages()[0].id);
    CHECK(xcpp::messages()[1].update);
    CHECK(html(xcpp::messages()[1]).find("m.yaml") != std::string::npos);
  }

  TEST_CASE("a bar shows the phase, the file, the share, the rate and the time left") {
    const auto shown = reported({at("m.ckpt", 441000000, 980000000, 25e6, 21.9)}).back();
    CHECK(plain(shown) == "downloading m.ckpt 45% of 980.0 MB, 25.0 MB/s, 21 s left");
    CHECK(html(shown) ==
        "<table><tr><td>downloading</td><td>m.ckpt</td>"
        "<td><progress value=\"441000000\" max=\"980000000\"></progress></td>"
        "<td>45% of 980.0 MB, 25.0 MB/s, 21 s left</td></tr></table>");
    for (const auto& [what, word] : {std::pair(vqcache::phase::waiting, "awaiting m"),
             std::pair(vqcache::phase::restoring, "restoring m"),
             std::pair(vqcache::phase::storing, "storing m"),
             std::pair(vqcache::phase::verifying, "checking m")})
      CHECK(plain(reported({at("m", 1, 9, 0, -1, what)}).back()).find(word) == 0);
  }

  TEST_CASE("every file has one row, which shows its last report") {
    const auto all = reported({at("m.yaml", 1, 4), at("m.ckpt", 1, 5), at("m.yaml", 4, 4),
        at("m.yaml", 2, 4, 0, -1, vqcache::phase::storing)});
    CHECK(count(html(all[0]), "<tr>") == 1);
    CHECK(count(html(all[3]), "<tr>") == 2);
    CHECK(html(all[3]).find("<td>storing</td><td>m.yaml</td><td><progress value=\"2\" max=\"4\"")
        != std::string::npos);
    CHECK(html(all[3]).find("<td>m.ckpt</td><td><progress value=\"1\" max=\"5\"")
        != std::string::npos);
    CHECK(plain(all[1]).find("downloading m.ckpt 20%") == 0);
    CHECK(plain(all[3]).find("storing m.yaml 50%") == 0);
  }

  TEST_CASE("a size that nobody knows is no percentage") {
    const auto shown = reported({at("m.ckpt", 12345678, 0, 2e6)}).back();
    CHECK(plain(shown) == "downloading m.ckpt 12.3 MB, 2.0 MB/s");
    CHECK(html(shown).find("<progress></progress>") != std::string::npos);
    CHECK(plain(reported({at("m.ckpt", 0, 0)}).back()) == "downloading m.ckpt 0.0 MB");
  }

  TEST_CASE("numbers out of all proportion do no harm") {
    const auto shown = reported({at("m.ckpt", UINT64_MAX, 1, 1e300, 1e300)}).back();
    CHECK(plain(shown) ==
        "downloading m.ckpt 100% of 0.0 MB, 100000000000000000.0 MB/s, 1000000000000000000 s left");
  }

  TEST_CASE("a bar shows a call from its beginning to its end") {
    place w;
    xcpp::messages().clear();
    auto o = w.options();
    o.on_progress = vqcache::progress_bar();
    const vqcache::result got = w.call_with(o, "m");
    REQUIRE(got.ok());
    const auto all = xcpp::messages();
    REQUIRE(all.size() > 2);
    for (std::size_t i = 0; i < all.size(); ++i) {
      CHECK(all[i].id == all[0].id);
      CHECK(all[i].update == (i > 0));
    }
    CHECK(count(html(all.back()), ">m.yaml<") == 1);
    CHECK(count(html(all.back()), ">m.ckpt<") == 1);
    CHECK(count(html(all.back()), ">100% of ") == 2);
    CHECK(html(displayed(got.model)).find(">the network<") != std::string::npos);
  }
}

#else

TEST_SUITE("display") {
  TEST_CASE("the notebook display") {
    support::skipped("no <nlohmann/json.hpp> (Debian: nlohmann-json3-dev)");
  }
}

#endif
