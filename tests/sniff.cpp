// What a file is by its first and last bytes, where no digest tells: tables of good and bad ones.
#include <doctest/doctest.h>

#include "world.hpp"

namespace t = vqcache::detail::text;

namespace {

// of a whole file; empty: it is taken
std::string judged(t::kind want, const std::string& head, const std::string& type = "") {
  return t::not_the_file(want, head, type, head.size());
}

std::string as_config(const std::string& head) {
  return judged(t::kind::text, head);
}

std::string as_checkpoint(const std::string& head) {
  return judged(t::kind::binary, head);
}

std::string bytes(std::initializer_list<int> values) {
  std::string s;
  for (int v : values)
    s += static_cast<char>(v);
  return s;
}

}  // namespace

TEST_SUITE("sniff") {
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
      CHECK(t::not_the_file(t::kind::text, c.substr(0, 16384), "", c.size()) == "");
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
    CHECK(t::not_the_file(t::kind::binary, "GGUF", "") == "");
    CHECK(t::not_the_file(t::kind::text, "mod", "") == "");
  }

  TEST_CASE("a zip archive may be filled up behind its end record") {
    const std::string k = world::checkpoint(500);
    for (const std::string& padding : {std::string(1, '\0'), std::string(512, '\0'),
             std::string(60000, '\0'), std::string("\r\n"), std::string(4, '\xff')})
      CHECK(t::zip_has_end(k + padding));
    CHECK(t::zip_has_end(
        k.substr(0, k.size() - 2) + world::number(3, 2) + "abc" + std::string(9, '\0')));
    CHECK_FALSE(t::zip_has_end(k + "x"));
    CHECK_FALSE(t::zip_has_end(k + k.substr(0, 100)));
    CHECK_FALSE(t::zip_has_end(k.substr(0, k.size() - 22) + std::string(512, '\0')));
  }
}
