// Sources that are paths or file:// URLs.
#include <doctest/doctest.h>

#include "world.hpp"

using namespace world;
using vqcache::errc;
using vqcache::source;

namespace {

// a folder with the pair under names that need escapes, and a world whose network answers nothing
struct site : place {
  site() {
    pages.clear();
    write(root.at / "site/model config.yaml", config());
    write(root.at / "site/last#1%.ckpt", checkpoint());
  }

  std::string path(const std::string& file) const { return (root.at / "site" / file).string(); }

  std::string url(const std::string& file) const { return "file://" + path(file); }
};

}  // namespace

TEST_SUITE("local sources") {
  TEST_CASE("plain paths serve as sources, without any transport, even offline") {
    site w;
    const environment path("PATH", "/nowhere"), program("VQCACHE_TRANSPORT", "curl");
    auto o = w.options();
    o.fetch = nullptr, o.offline = true;
    const auto r = w.call_with(o, "m", w.path("model config.yaml"), w.path("last#1%.ckpt"));
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(w.local_is("m"));
    CHECK(w.cache_is("m"));
    CHECK(r.model.from == vqcache::origin::network);
    CHECK(r.model.cached);
    INFO("the sources stay what they were");
    CHECK(read(w.path("model config.yaml")) == config());
  }

  TEST_CASE("file:// URLs serve, their percent-encoding is decoded") {
    for (const std::string host : {"", "localhost", "LocalHost"}) {
      CAPTURE(host);
      site w;
      const std::string base = "file://" + host + w.root.at.string() + "/site/";
      const auto r = w.call("m", base + "model%20config.yaml", base + "la%73t%231%25.ckpt");
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(w.local_is("m"));
      CHECK(w.asked.empty());
    }
    site w;
    const auto r = w.call("m", "FILE://" + w.path("model%20config.yaml"), w.path("last#1%.ckpt"));
    CHECK_MESSAGE(r.ok(), why(r));
  }

  TEST_CASE("a file:// URL of another machine is refused, not read as a path") {
    site w;
    const working_directory here(w.root.at);
    write(w.root.at / "server/share/k.ckpt", checkpoint());
    const auto r = w.call("m", w.path("model config.yaml"), "file://server/share/k.ckpt");
    CHECK_FALSE(r.ok());
    CHECK_FALSE(fs::exists(w.local / "m.ckpt"));
  }

  TEST_CASE("an encoded NUL does not cut a path short") {
    site w;
    write(w.path("k.ckpt"), checkpoint());
    const auto r = w.call("m", w.path("model config.yaml"), w.url("k.ckpt%00.txt"));
    CHECK_FALSE(r.ok());
    CHECK_FALSE(fs::exists(w.local / "m.ckpt"));
  }

  TEST_CASE("relative paths are of the working directory, and ~ is the home directory") {
    site w;
    const working_directory here(w.root.at / "site");
    const environment home("HOME", w.root.at.c_str());
    const auto r = w.call("m", "model config.yaml", "~/site/last#1%.ckpt");
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(w.local_is("m"));
    const auto dots = w.call("n", "./model config.yaml", "../site/last#1%.ckpt");
    CHECK_MESSAGE(dots.ok(), why(dots));
  }

  TEST_CASE("pins, sizes and mirrors hold for local sources as for others") {
    site w;
    const source k =
        source(std::vector<std::string>{w.path("not there.ckpt"), w.path("last#1%.ckpt")},
            sha256(checkpoint()));
    const auto r = w.call("m", w.path("model config.yaml") + "#sha256=" + sha256(config()), k);
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(w.local_is("m"));
    const auto wrong = w.call("n", w.path("model config.yaml"),
        w.path("last#1%.ckpt") + "#sha256=" + std::string(64, '0'));
    CHECK(wrong.error.code() == errc::hash_mismatch);
    source sized(w.path("last#1%.ckpt"));
    sized.size = 5;
    CHECK_FALSE(w.call("n", w.path("model config.yaml"), sized).ok());
    CHECK_FALSE(fs::exists(w.local / "n.ckpt"));
  }

  TEST_CASE("the sentinel looks at local sources too") {
    site w;
    const auto r = w.call("m", w.path("last#1%.ckpt"), w.path("model config.yaml"));
    CHECK(r.error.code() == errc::not_the_file);
    CHECK(has(r.error.what(), "swapped"));
  }

  TEST_CASE(
      "a file that is missing, a directory, a device and a dangling link are errors that say so") {
    site w;
    fs::create_directories(w.path("folder"));
    fs::create_symlink("nowhere", w.path("dangling"));
    for (const std::string& bad : {w.path("missing.ckpt"), w.url("missing.ckpt"), w.path("folder"),
             w.path("folder/"), w.url("folder"), std::string("/dev/null"), w.path("dangling"),
             w.path("last#1%.ckpt/x")}) {
      CAPTURE(bad);
      const auto r = w.call("m", w.path("model config.yaml"), bad);
      CHECK(r.error.code() == errc::io);
      CHECK(has(r.error.what(), bad.substr(bad.rfind('/') + 1)));
      CHECK(has(r.error.what(), "m.ckpt"));
      CHECK((has(r.error.what(), "is not there") || has(r.error.what(), "is not a regular file")));
      CHECK_FALSE(fs::exists(w.local / "m.ckpt"));
      CHECK(w.litter().empty());
    }
  }

  TEST_CASE("a link to a file is the file") {
    site w;
    fs::create_symlink("last#1%.ckpt", w.path("link.ckpt"));
    const auto r = w.call("m", w.path("model config.yaml"), w.path("link.ckpt"));
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK_FALSE(fs::is_symlink(w.local / "m.ckpt"));
    CHECK(w.local_is("m"));
  }

  TEST_CASE("a FIFO is refused at once: nothing waits for a writer") {
    site w;
    REQUIRE(::mkfifo(w.path("pipe").c_str(), 0666) == 0);
    const std::string said = in_child([&]() -> std::string {
      ::alarm(20);  // a call that blocked would be killed by it
      const auto r = w.call("m", w.path("model config.yaml"), w.path("pipe"));
      return r.ok() ? "ok" : r.error.what();
    });
    CHECK_MESSAGE(has(said, "is not a regular file"), said);
  }

  TEST_CASE("a file that may not be read is permission_denied, by its name") {
    if (lacks(part::users)) return;
    site w;
    fs::permissions(w.path("last#1%.ckpt"), fs::perms(0));
    fs::create_directories(w.local);
    fs::permissions(w.local, fs::perms(0777));
    const std::string said = unprivileged([&]() -> std::string {
      const auto r = w.call("m", w.path("model config.yaml"), w.path("last#1%.ckpt"));
      return (r.error.code() == errc::permission_denied ? "denied " : "other ")
          + std::string(r.error.what());
    });
    CHECK_MESSAGE(said.rfind("denied ", 0) == 0, said);
    CHECK(has(said, "last#1%.ckpt"));
  }

  TEST_CASE("a redirect never leads to a local file") {
    for (const std::string& to :
        {std::string("file:///etc/hostname"), std::string("FILE:///etc/hostname"),
            std::string("file:/etc/hostname"), std::string("/../../etc/hostname")}) {
      CAPTURE(to);
      site w;
      write(w.root.at / "site/secret", checkpoint());
      w.serve("http://origin.test/k", {"", 302, {{"Location", to}}});
      const auto r = w.call("m", w.path("model config.yaml"), "http://origin.test/k");
      CHECK(r.error.code() == errc::http_status);
      CHECK_FALSE(fs::exists(w.local / "m.ckpt"));
    }
    site w;
    w.serve("http://origin.test/k", {"", 302, {{"Location", w.url("last%231%25.ckpt")}}});
    const auto r = w.call("m", w.path("model config.yaml"), "http://origin.test/k");
    CHECK(r.error.code() == errc::http_status);
    CHECK(has(r.error.what(), "neither http nor https"));
    CHECK_FALSE(fs::exists(w.local / "m.ckpt"));
  }

  TEST_CASE("a model's own files as its source do no harm") {
    site w;
    prime(w.local, "m");
    const auto r = w.call("m", (w.local / "m.yaml").string(), (w.local / "m.ckpt").string());
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(w.local_is("m"));
    CHECK(w.cache_is("m"));
  }
}
