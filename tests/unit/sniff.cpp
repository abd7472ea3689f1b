// The room >>sniff: what a file is by its first and last bytes, where no digest tells: tables of
// good and bad ones.
#include <doctest/doctest.h>

#include "world.hpp"

namespace sniff = vqcache::detail::sniff;

namespace {

// as far as its head shows, while more may come
std::string sniffed(bool config, const std::string& head, const std::string& type = "") {
  return sniff::not_the_file({config ? sniff::kind::text : sniff::kind::binary, head, 0, type});
}

// of a whole file; empty: it is taken
std::string judged(sniff::kind want, const std::string& head, const std::string& type = "") {
  return sniff::not_the_file({want, head, head.size(), type});
}

std::string as_config(const std::string& head) {
  return judged(sniff::kind::text, head);
}

std::string as_checkpoint(const std::string& head) {
  return judged(sniff::kind::binary, head);
}

std::string bytes(std::initializer_list<int> values) {
  std::string s;
  for (int v : values)
    s += static_cast<char>(v);
  return s;
}

std::string garbage(unsigned seed, std::size_t n) {  // the same on every run
  std::string s;
  std::uint32_t x = seed;
  for (; s.size() < n; x = x * 1664525 + 1013904223)
    s += static_cast<char>(x >> 24);
  return s;
}

}  // namespace

TEST_SUITE("sniff") {
  TEST_CASE("a page is told by its look, in the words that a person would see") {
    CHECK(sniffed(false, "<!doctype html><title>x</title>").find("HTML page") != std::string::npos);
    CHECK(sniffed(true, "\n\n  <HTML><BODY>Sign in").find("\"Sign in\"") != std::string::npos);
    CHECK(sniffed(false, "<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>")
              .find("NoSuchKey")
        != std::string::npos);
    CHECK(sniffed(false, "<?xml version='1.0'?><Error/>").find("XML") != std::string::npos);
    const std::string script =
        "<html><script>if (a < b) { c(\"</div>\"); }</script><style>a{}</style>See here</html>";
    CHECK(sniffed(true, script).find("\"See here\"") != std::string::npos);
    CHECK(sniffed(true, "<html>" + std::string(100000, 'x')).size() < 400);
    CHECK(sniffed(true, "<html><script>" + std::string(1000, 'x')).size() < 400);
    CHECK(sniffed(true, "<").size() > 0);
    CHECK(sniffed(true, "<html\x1b[31m>\x07 a\x7f").find('\x1b') == std::string::npos);
  }

  TEST_CASE("a server's error in JSON is not the file, whichever key comes first") {
    for (const std::string& s : {std::string("{\"success\": false, \"error\": \"Not Found\"}"),
             std::string("{\"error_msg\": \"Link does not exist.\"}"),
             std::string("{\"statusCode\":404,\"message\":\"Not found\"}"),
             std::string("{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404}"),
             std::string("[{\"error\":\"x\"}]"), std::string("{\"result\":\"error\"}")})
      for (const bool config : {true, false})
        CHECK_MESSAGE(world::has(sniffed(config, s), "a JSON answer"), s);
    CHECK(sniffed(true, "{\"status\": 1, \"model\": {\"target\": \"x\"}}") == "");
    CHECK(world::has(sniffed(true, "Link does not exist.", "text/html"), "an HTML page"));
  }

  TEST_CASE("real configs and checkpoints are the file") {
    for (const std::string& c : {world::config(), std::string("# a remark\n") + world::config(),
             "\xEF\xBB\xBF" + world::config(), "---\r\n" + world::config(),
             std::string("{\"model\": {\"target\": \"x\"}}"), std::string("a: 1"),
             std::string("model: {target: \"<html>\"}")})
      CHECK_MESSAGE(sniffed(true, c) == "", sniffed(true, c));
    for (const std::string& k : {world::checkpoint(2000), std::string("\x80\x02}q\0", 5),
             std::string("\x80\x04\x95"), std::string("\0\0\0\0", 4), garbage(3, 9000),
             std::string("x"), std::string("ustar\0", 6), std::string("\x93NUMPY"),
             std::string("{\"format\":\"pt\",\"error_bound\":1}")})
      CHECK_MESSAGE(sniffed(false, k) == "", sniffed(false, k));
    CHECK(sniffed(true, world::config(), "text/html") == "");
    CHECK(sniffed(false, world::checkpoint(2000), "text/html") == "");
  }

  TEST_CASE("the sentinel takes any bytes") {
    for (unsigned seed = 1; seed <= 200; ++seed) {
      const std::string s = garbage(seed, seed % 97 + 1);
      for (const std::string& begin : {std::string(), std::string("<"), std::string("<!--"),
               std::string("<html><script>"), std::string("<style"), std::string("{\""),
               std::string("{"), std::string("PK\x03\x04"), std::string("version https://git-lfs"),
               std::string("\xEF\xBB\xBF")}) {
        CHECK(sniffed(true, begin + s).size() < 1000);
        CHECK(sniffed(false, begin + s, "text/html").size() < 1000);
      }
    }
  }

  TEST_CASE("a zip archive ends in a record that names the length of its comment") {
    const std::string k = world::checkpoint(500);
    CHECK(sniff::zip_has_end(k));
    CHECK(sniff::zip_has_end(k.substr(0, k.size() - 2) + world::number(3, 2) + "abc"));
    CHECK(sniff::zip_has_end(
        k.substr(0, k.size() - 2) + world::number(65535, 2) + std::string(65535, 'c')));
    // a comment that looks like an end record itself
    CHECK(sniff::zip_has_end(
        k.substr(0, k.size() - 2) + world::number(26, 2) + "PK\x05\x06" + std::string(22, 'z')));
    CHECK_FALSE(sniff::zip_has_end(""));
    CHECK_FALSE(sniff::zip_has_end("PK\x05\x06"));
    for (std::size_t n = 1; n <= 22; ++n)
      CHECK_FALSE(sniff::zip_has_end(k.substr(0, k.size() - n)));
    CHECK_FALSE(sniff::zip_has_end(k + "x"));
  }

  TEST_CASE("a config is text with at least one mapping key, in every style of YAML") {
    const std::vector<std::string> good = {"a: 1", "a:", "a:\n  - 1\n", "a:\t1\n",
        "a b c: 1\nd: 2\n", "a-b_c.d: 1", "\"a b\": 1", "'it''s': 1", "\"a\\\"b\" : 1",
        "? a\n: 1\n", "<<: *base\nb: 1\n", "<<: {a: 1}\nmodel:\n  target: x\n", "<< : *x\n",
        "{a: 1}", "{\"a\": 1}", "{\"a\":1}", "{ 'a' : [1, 2] }", "[{a: 1}]", "- a: 1\n",
        "- - a: 1\n", "-\n  a: 1\n", "- 1\n- b: 2\n", "- {a: 1}\n", "--- {a: 1}\n", "---\na: 1\n",
        "--- # a remark\na: 1\n", "%YAML 1.2\n---\na: 1\n",
        "# remarks: first\n\n\n  # and more\na: 1\n", "!!map {a: 1}", "&x\na: *x\n",
        "--- !x\na: 1\n", "\xEF\xBB\xBF# mark\r\na: 1\r\n", "a: 1\rb: 2\r", "\xC3\xA4: 1",
        "http://x: 1\n", "12: 30\n", "null: 1", "a: http://x.test/y\n", "a: 'it''s: so'\n",
        "learning rate: 1\nsteps: 2\n",
        "{\"_class_name\":\"VQModel\",\"act_fn\":\"silu\",\"status\":\"stable\"}",
        "{\"status\": 1, \"model\": {\"target\": \"x\"}}",
        "{\"code\": {\"size\": 8192}, \"dim\": 2}",
        "{\"training\": {\"error\": \"l2\"}, \"message\": \"x\"}", "error_bound: 0.1\n",
        "status: stable\ndim: 3\n", "message: hello\nembed_dim: 256\n", "title: x\ntype: y\n",
        "data:\n  params: {}\n", "{\"detail\": \"fine\", \"n_embed\": 1024}",
        "base_learning_rate: 4.5e-06\n" + std::string(20000, '#'), world::config(),
        std::string(20000, '#') + "\n" + world::config()};
    for (const std::string& c : good) {
      CAPTURE(c);
      CHECK(as_config(c) == "");
      CHECK(sniff::not_the_file({sniff::kind::text, c.substr(0, 16384), c.size(), ""}) == "");
    }
    const std::vector<std::string> bad = {"", " \n\t\n", "Too many requests. Please slow down.\n",
        "Not Found", "Link does not exist.", "404 page not found\n", "x", "# only a remark\n",
        "- 1\n- 2\n", "[1, 2]", "{}", "[]", "\"a quoted answer\"", "'a'", "---\n", "--- text\n",
        "See https://example.test/help for more.\n", "Dear user,\nyour quota: is used up\n",
        "Error: too many requests\n", "error: rate limited", "ERROR : no\n",
        "Message: come back later\n", "Rate limit exceeded: try again in 30 s\n",
        "Forbidden: no access", "detail: Not found.\n", "status: 404\nerror: Not Found\n",
        "status: 429\nmessage: slow down\n", "{\"error\": \"x\"}",
        "{\"errors\": [{\"status\": 404}], \"meta\": 1}", "{\"message\":\"Not Found\"}",
        "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404}",
        "{\"detail\":\"Not found.\"}", "{\"statusCode\":404,\"message\":\"Not found\"}",
        "[{\"error\":\"x\"}]", "{\"result\":\"error\"}", "{\"success\": false, \"msg\": \"gone\"}",
        "{\"ok\":false,\"error\":{\"code\":5}}", "<html>x: 1</html>", "<?xml version='1.0'?>",
        "<a: 1>", "<<EOF\n", "a: 1" + std::string(1, '\0'), bytes({0x80, 2, '}', 'q'}),
        "PK\x03\x04", bytes({0x1f, 0x8b, 8, 0, 0}),
        "version https://git-lfs.github.com/spec/v1\noid sha256:" + std::string(64, '4')
            + "\nsize 9\n",
        "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 5\r\n\r\nwait"};
    for (const std::string& c : bad) {
      CAPTURE(c);
      CHECK(as_config(c) != "");
    }
  }

  TEST_CASE("a checkpoint is no short text, and nothing else is held against it") {
    const std::string gzip = bytes({0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3, 'K', 4, 0});
    const std::vector<std::string> good = {world::checkpoint(2000),
        bytes({0x80, 2, '}', 'q', 0, '.'}), bytes({0x80, 4, 0x95}), gzip,
        world::number(16, 8) + "{\"a\":{\"b\":1}}  ", "GGUF\x03" + std::string(9, '\0'),
        std::string(257, 'a') + "ustar" + std::string(7, '\0'), bytes({1}), bytes({0xff, 0xfe}),
        "\x89HDF\r\n\x1a\n", std::string(4, '\0'), "\x93NUMPY\x01", bytes({0xc3}),
        bytes({'<', 'a', 0, 0, 0, 0, 0, 0}) + "{\"a\":{}}", bytes({0xe4, 'a'}),
        "\x80" + std::string(3000, '1'), std::string(4096, 'x'),
        "{\"metadata\": \"" + std::string(5000, 'x') + "\"}", "BZh91AY&SY\x01",
        bytes({0xfd, '7', 'z', 'X', 'Z', 0}), bytes({0x28, 0xb5, 0x2f, 0xfd})};
    for (const std::string& k : good) {
      CAPTURE(k);
      CHECK(as_checkpoint(k) == "");
    }
    const std::vector<std::string> bad = {"", " \n", "Too many requests. Please slow down.\n", "x",
        "Zu viele Anfragen f\xfcr heute\n", "Zu viele Anfragen f\xC3\xBCr heute\n",
        "\x1b[31mno\x1b[0m\n", "a: 1", std::string(4095, 'x'), "{\"any\": \"json\"}",
        "{\"error\": \"" + std::string(6000, 'x') + "\"}", world::config(),
        "<!DOCTYPE html><title>Quota exceeded</title>", "<?xml version='1.0'?><Error/>",
        "version https://git-lfs.github.com/spec/v1\noid sha256:" + std::string(64, '4')
            + "\nsize 9\n"};
    for (const std::string& k : bad) {
      CAPTURE(k);
      CHECK(as_checkpoint(k) != "");
    }
    INFO("while more may come, a short text is no verdict");
    CHECK(sniffed(false, "GGUF") == "");
    CHECK(sniffed(true, "mod") == "");
  }

  TEST_CASE("a zip archive may be filled up behind its end record") {
    const std::string k = world::checkpoint(500);
    for (const std::string& padding : {std::string(1, '\0'), std::string(512, '\0'),
             std::string(60000, '\0'), std::string("\r\n"), std::string(4, '\xff')})
      CHECK(sniff::zip_has_end(k + padding));
    CHECK(sniff::zip_has_end(
        k.substr(0, k.size() - 2) + world::number(3, 2) + "abc" + std::string(9, '\0')));
    CHECK_FALSE(sniff::zip_has_end(k + "x"));
    CHECK_FALSE(sniff::zip_has_end(k + k.substr(0, 100)));
    CHECK_FALSE(sniff::zip_has_end(k.substr(0, k.size() - 22) + std::string(512, '\0')));
  }
}
