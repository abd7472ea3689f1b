// The room >>strings: numbers, digests and what people read.
#include <doctest/doctest.h>

#include "world.hpp"

#include <algorithm>

namespace strings = vqcache::detail::strings;

TEST_SUITE("strings") {
  TEST_CASE("a number is digits alone, and fits into 64 bits") {
    const std::vector<std::pair<std::string, std::uint64_t>> good = {{"0", 0}, {"7", 7}, {"007", 7},
        {"980092370", 980092370}, {"4263525412", 4263525412}, {"18446744073709551615", UINT64_MAX}};
    for (const auto& g : good) {
      CHECK(strings::parse_number(g.first) == g.second);
    }
    for (const std::string bad :
        {"", " 1", "1 ", "+1", "-1", "1.0", "1e3", "0x1", "1,2", "18446744073709551616",
            "18446744073709551626", "99999999999999999999999", "184467440737095516150"}) {
      CAPTURE(bad);
      CHECK_FALSE(strings::parse_number(bad));
    }
  }

  TEST_CASE("a number of another base") {
    CHECK(strings::parse_number("fF", 16) == 255U);
    CHECK(strings::parse_number("0000002a", 16) == 42U);
    for (const std::string bad : {"", "g", "0x1", "-1", "+1", "1ffffffffffffffff"})
      CHECK_MESSAGE(!strings::parse_number(bad, 16), bad);
  }

  TEST_CASE("a sort takes any number, and equals stay in their order") {
    std::vector<std::string> names;
    for (unsigned i = 0; i < 100; ++i) {
      auto sorted = vqcache::detail::containers::to_list(names);
      strings::sort(sorted);
      std::vector<std::string> expected = names;
      std::sort(expected.begin(), expected.end());
      CHECK(vqcache::detail::containers::to_vector(sorted) == expected);

      vqcache::detail::containers::sort(
          sorted, [](const auto& a, const auto& b) { return a.size() < b.size(); });
      std::stable_sort(expected.begin(), expected.end(),
          [](const auto& a, const auto& b) { return a.size() < b.size(); });
      CHECK(vqcache::detail::containers::to_vector(sorted) == expected);
      names.push_back(std::to_string(i * 7919 % 1009));
    }
  }

  TEST_CASE("sorted once: in order, and none twice") {
    using texts = vqcache::detail::list<std::string>;
    CHECK(strings::sorted_once(texts{}) == texts{});
    CHECK(strings::sorted_once(texts{"b"}) == texts{"b"});
    CHECK(strings::sorted_once(texts{"b", "a", "b", "", "a"}) == texts{"", "a", "b"});
    CHECK_FALSE(texts{"a"} == texts{"a", "b"});
    CHECK_FALSE(texts{"a", "b"} == texts{"a"});
    CHECK_FALSE(texts{"a", "b"} == texts{"a", "c"});
  }

  TEST_CASE("a digest is 64 hex digits") {
    CHECK(strings::is_digest(std::string(64, 'a')));
    CHECK(strings::is_digest("0123456789abcdefABCDEF0123456789abcdefABCDEF01234567890123456789"));
    for (const std::string& bad : {std::string(), std::string(63, 'a'), std::string(65, 'a'),
             std::string(64, 'g'), std::string(63, 'a') + " ", std::string(63, 'a') + "\n"})
      CHECK_FALSE(strings::is_digest(bad));
  }

  TEST_CASE("words, and what stands around them") {
    const auto pieces = [](const std::string& text, char end) {
      std::string all;
      for (const std::string& one : strings::words(text, end))
        all += one + "|";
      return all;
    };
    CHECK(pieces("", ' ') == "");
    CHECK(pieces("a", ' ') == "a|");
    CHECK(pieces("a b", ' ') == "a|b|");
    CHECK(pieces(" a  b ", ' ') == "|a||b|");
    CHECK(pieces("a,b", ',') == "a|b|");

    std::string_view rest = "a=b=c";
    CHECK(strings::take(rest, '=') == "a");
    CHECK(strings::take(rest, '=') == "b");
    CHECK(strings::take(rest, '=') == "c");
    CHECK(rest.empty());
    CHECK(strings::take(rest, '=').empty());

    CHECK(strings::trim(" \t a b \r\n") == "a b");
    CHECK(strings::trim(" \t ") == "");
    CHECK(strings::ends_with("m.part", ".part"));
    CHECK_FALSE(strings::ends_with("part", ".part"));
    CHECK_FALSE(strings::ends_with(".part.x", ".part"));
    CHECK(strings::is_one_of(" a b ", "b"));
    CHECK_FALSE(strings::is_one_of(" ab c ", "b"));
    CHECK_FALSE(strings::is_one_of(" a b ", "a b"));
  }

  TEST_CASE("which value of a switch means yes") {
    for (const std::string no : {"", " ", "0", "false", "No", "OFF", " off "})
      CHECK_MESSAGE(!strings::means_yes(no), no);
    for (const std::string yes : {"1", "true", "yes", "on", "00", "nope"})
      CHECK_MESSAGE(strings::means_yes(yes), yes);
  }

  TEST_CASE("a name of a model, and what is wrong with one") {
    for (const std::string good : {"m", "M.yaml", "a-b_c.9", "console", "com", "com10"})
      CHECK_MESSAGE(strings::name_problem(good) == "", good);
    for (const std::string bad :
        {"", "a/b", "a b", ".m", "-m", "m.", "con", "CON.x", "Lpt1", "com0"})
      CHECK_MESSAGE(strings::name_problem(bad) != "", bad);
    CHECK(strings::name_problem(std::string(100, 'x')) == "");
    CHECK(strings::name_problem(std::string(101, 'x'))
        == "it has 101 bytes, at most 100 are allowed");
  }

  TEST_CASE("names that are alike") {
    CHECK(strings::are_alike("imagenet", "vqgan_imagenet"));
    CHECK(strings::are_alike("sflkr", "sflckr"));
    CHECK(strings::are_alike("vqgan_imagenet_f16_1634", "vqgan_imagenet_f16_16384"));
    CHECK_FALSE(strings::are_alike("zzzzzzzz", "sflckr"));
    CHECK_FALSE(strings::are_alike("r", "sflckr"));
    CHECK_FALSE(strings::are_alike("m", "n"));  // short ones differ in all too little
    CHECK_FALSE(strings::are_alike("ab", "xy"));
  }

  TEST_CASE("bytes of others become UTF-8 without control characters, cut at a character") {
    const auto shown = [](const std::string& s, std::size_t most = std::string::npos) {
      return strings::readable(s, most);
    };
    for (const std::string good : {"", "abc", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
             "\xed\x9f\xbf", "\xee\x80\x80", "\xf4\x8f\xbf\xbf", "\xc2\xa0"})
      CHECK(shown(good) == good);
    const std::vector<std::pair<std::string, std::string>> table{{"a\xff"
                                                                  "b",
                                                                     "a?b"},
        {"\xc3", "?"}, {"\xc3(", "?("}, {"\xe2\x82", "??"}, {"\xc0\x80", "??"},
        {"\xe0\x9f\xbf", "???"}, {"\xed\xa0\x80", "???"}, {"\xf4\x90\x80\x80", "????"},
        {"\xf0\x8f\x80\x80", "????"}, {"\xf5", "?"}, {"\x80", "?"}, {"a\nb\x1b[0m\x7f", "a?b?[0m?"},
        {"\xc2\x9b", "?"}, {"\xc2\x80", "?"}, {"caf\xe9 \xc3\xa9", "caf? \xc3\xa9"}};
    for (const auto& [from, to] : table)
      CHECK(shown(from) == to);
    CHECK(shown("a\xc3\xa4"
                "b",
              2)
        == "a");
    CHECK(shown("a\xc3\xa4"
                "b",
              3)
        == "a\xc3\xa4");
    CHECK(shown("\xe2\x82\xac\xe2\x82\xac", 5) == "\xe2\x82\xac");
    CHECK(shown("abc", 0) == "");
  }
}
