// Checksums of blocks, as pure functions: XXH64 and the sums of a file's blocks (>>hash), their lines
// in a receipt (>>formats), and how few requests bring what is missing (>>ranges).
#include <doctest/doctest.h>

#include "vqcache.hpp"

#include <string>

namespace formats = vqcache::detail::formats;
namespace hash = vqcache::detail::hash;
namespace ranges = vqcache::detail::ranges;

namespace {

constexpr std::uint64_t block = 8 << 20;

std::uint64_t xxh64(const std::string& data, std::size_t piece = 1000) {
  hash::xxh64 sum;
  sum.start();
  for (std::size_t at = 0; at < data.size(); at += piece)
    sum.update(std::string_view(data).substr(at, piece));
  return sum.value();
}

std::string pattern(std::size_t n) {
  std::string s(n, '\0');
  std::uint32_t x = 7;
  for (char& c : s) {
    x = x * 1664525 + 1013904223;
    c = static_cast<char>(x >> 24);
  }
  return s;
}

std::vector<std::uint64_t> sums_of(std::string_view data, std::size_t piece) {
  hash::block_sums sums;
  sums.start();
  for (; !data.empty(); data.remove_prefix((std::min)(piece, data.size())))
    sums.update(data.substr(0, piece));
  std::vector<std::uint64_t> all;
  for (const std::uint64_t one : sums.all())
    all.push_back(one);
  return all;
}

formats::entry entry_of(const std::string& file, std::uint64_t blocks, std::uint64_t last = 1) {
  formats::entry one;
  one.file = file;
  one.sha256 = std::string(64, 'a');
  one.size = (blocks - 1) * block + last;
  for (std::uint64_t i = 0; i < blocks; ++i)
    one.blocks.push_back(i * 0x9e3779b97f4a7c15);
  return one;
}

formats::receipt receipt_of(const formats::entry& one) {
  formats::receipt all;
  all.push_back(one);
  return all;
}

bool has_blocks(const std::string& text, const std::string& file = "m.ckpt") {
  const formats::receipt all = formats::read_receipt(text);
  const formats::entry* one = formats::find(all, file);
  return one && formats::has_blocks(*one);
}

std::string text_of(const ranges::range_set& set) {
  std::string text;
  for (const ranges::byte_range& one : set.all())
    text += std::to_string(one.at) + "-" + std::to_string(one.end) + " ";
  return text;
}

}  // namespace

TEST_SUITE("blocks") {
  TEST_CASE("XXH64 is the published one") {
    CHECK(xxh64("") == 0xef46db3751d8e999);
    CHECK(xxh64("a") == 0xd24ec4f1a98c6e5b);
    CHECK(xxh64("abc") == 0x44bc2cf5ad770999);
    CHECK(xxh64("Nobody inspects the spammish repetition") == 0xfbcea83c8a378bf1);
    CHECK(xxh64("The quick brown fox jumps over the lazy dog") == 0x0b242d361fda71bc);
  }

  TEST_CASE("XXH64 is the same however the bytes are given") {
    for (const std::size_t size : {0, 1, 3, 4, 7, 8, 31, 32, 33, 63, 64, 65, 100, 1000}) {
      const std::string data = pattern(size);
      for (const std::size_t piece : {1, 2, 5, 31, 32, 33, 64, 999})
        CHECK(xxh64(data, piece) == xxh64(data));
    }
  }

  TEST_CASE("each block has its sum, and a file of one block none") {
    const std::string data = pattern(2 * block + 5);
    const std::string_view all = data;
    const std::vector<std::uint64_t> right = {xxh64(data.substr(0, block), block),
        xxh64(data.substr(block, block), block), xxh64(data.substr(2 * block), block)};
    CHECK(sums_of(all, 262144) == right);
    CHECK(sums_of(all, 3333333) == right);
    CHECK(sums_of(all, data.size()) == right);
    CHECK(sums_of(all.substr(0, 2 * block), 100000).size() == 2);
    CHECK(sums_of(all.substr(0, block + 1), 100000).size() == 2);
    CHECK(sums_of(all.substr(0, block), 100000).empty());
    CHECK(sums_of("", 1).empty());
  }

  TEST_CASE("blocks are read back as they were written, on as many lines as they need") {
    for (const std::uint64_t count : {2, 63, 64, 65, 128, 129, 8192}) {
      CAPTURE(count);
      const formats::entry one = entry_of("m.ckpt", count);
      const std::string text = formats::write_receipt(receipt_of(one), "2026-11-23T19:00:00Z");
      CHECK(text.find("\n# blocks xxh64 8388608 0 0000000000000000 9e3779b97f4a7c15 ")
          != std::string::npos);
      const formats::receipt back = formats::read_receipt(text);
      REQUIRE(back.size() == 1);
      CHECK(formats::has_blocks(back[0]));
      bool is_same = back[0].blocks.size() == count;
      for (std::size_t i = 0; is_same && i < count; ++i)
        is_same = back[0].blocks[i] == one.blocks[i];
      CHECK(is_same);
      for (std::size_t at = 0, end = 0; at < text.size(); at = end + 1) {
        end = text.find('\n', at);
        CHECK(end - at < 1200);
      }
      // with a cut, or without a line, there are none, and all else is as before
      CHECK(!has_blocks(text.substr(0, text.size() - 10)));
      CHECK(formats::read_receipt(text.substr(0, text.size() - 10))[0].sha256 == one.sha256);
    }
  }

  TEST_CASE("blocks that do not fit the size are not written, and not believed") {
    formats::entry one = entry_of("m.ckpt", 5);
    const std::string text = formats::write_receipt(receipt_of(one), "");
    const std::string rest = text.substr(text.find('\n', text.find("# size ")));  // but its size
    CHECK(has_blocks(text));
    CHECK(has_blocks("# size " + std::to_string(5 * block) + " m.ckpt\r" + rest));
    for (const std::uint64_t size :
        {std::uint64_t{0}, std::uint64_t{1}, 4 * block, 5 * block + 1, ~std::uint64_t{0}}) {
      one.size = size;
      CHECK(formats::write_receipt(receipt_of(one), "").find("# blocks") == std::string::npos);
      CHECK(!has_blocks("# size " + std::to_string(size) + " m.ckpt" + rest));
    }
    CHECK(!has_blocks(rest));
    CHECK(formats::count_of_blocks(~std::uint64_t{0}) == std::uint64_t{1} << 41);
  }

  TEST_CASE("odd lines of blocks tell nothing") {
    const std::string head = "# size 8388609 m.ckpt\n" + std::string(64, 'a') + "  m.ckpt\n";
    const std::string sums = "0123456789abcdef 0123456789ABCDEF";
    CHECK(has_blocks(head + "# blocks xxh64 8388608 0 " + sums + " m.ckpt\n"));
    CHECK(has_blocks(head + "# blocks xxh64 8388608 0 " + sums + " 0 m.ckpt\n"));  // all are there
    CHECK(
        has_blocks(head
            + "# blocks xxh64 8388608 0 0123456789abcdef m.ckpt\n# blocks xxh64 "
              "8388608 1 0123456789abcdef m.ckpt\n"));
    for (const std::string& odd : {"xxh64 8388608 1 " + sums, "xxh64 8388608 -0 " + sums,
             "xxh64 8388608  0 " + sums, "xxh64 8388609 0 " + sums, "xxh32 8388608 0 " + sums,
             "xxh64 8388608 0 " + sums + " 0123456789abcdef",
             std::string("xxh64 8388608 0 0123456789abcdef"),
             "xxh64 8388608 0 123456789abcdef 0" + sums, "xxh64 8388608 0 0123456789abcdeg " + sums,
             std::string("xxh64 8388608 0"), std::string("xxh64"), std::string(), "0 " + sums}) {
      CAPTURE(odd);
      CHECK(!has_blocks(head + "# blocks " + odd + " m.ckpt\n"));
      CHECK(!has_blocks(head + "# blocks " + odd + " m.ckpt"));
    }
    CHECK(!has_blocks(head + "# blocks xxh64 8388608 0 " + sums + " other.ckpt\n"));
    CHECK(
        formats::read_receipt(head + "# blocks xxh64 8388608 0 " + sums + " other\n").size() == 1);
  }

  TEST_CASE("the receipt of many large files is bounded: some go without blocks") {
    formats::receipt all;
    for (int i = 0; i < 12; ++i)
      all.push_back(entry_of("m" + std::to_string(i), 65536));  // half a TiB each
    const std::string text = formats::write_receipt(all, "");
    CHECK(text.size() <= formats::largest_receipt / 2);
    CHECK(has_blocks(text, "m0"));
    CHECK(!has_blocks(text, "m11"));
    CHECK(formats::read_receipt(text).size() == 12);
  }

  TEST_CASE("few requests for many gaps: the shortest stretches between are fetched too") {
    ranges::range_set gaps;
    for (const std::uint64_t at : {0, 20, 100, 110, 200})
      gaps.add({at, at + 5});
    gaps.join_to(5);
    CHECK(text_of(gaps) == "0-5 20-25 100-105 110-115 200-205 ");
    gaps.join_to(4);
    CHECK(text_of(gaps) == "0-5 20-25 100-115 200-205 ");
    gaps.join_to(2);
    CHECK(text_of(gaps) == "0-115 200-205 ");
    gaps.join_to(0);
    CHECK(text_of(gaps) == "0-205 ");
    gaps.clear();
    gaps.join_to(1);
    CHECK(gaps.is_empty());
  }
}
