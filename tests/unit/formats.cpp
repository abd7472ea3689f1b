// The room >>formats: receipts and records, as they are written and as any bytes are read.
#include <doctest/doctest.h>

#include "world.hpp"

namespace formats = vqcache::detail::formats;

namespace {

std::string garbage(unsigned seed, std::size_t n) {  // the same on every run
  std::string s;
  std::uint32_t x = seed;
  for (; s.size() < n; x = x * 1664525 + 1013904223)
    s += static_cast<char>(x >> 24);
  return s;
}

std::string text_of(const formats::ranges& all) {
  std::string text;
  for (const formats::range& one : all)
    text += std::to_string(one.at) + "-"
        + (one.end == formats::endless ? "" : std::to_string(one.end)) + " ";
  return text;
}

}  // namespace

TEST_SUITE("formats") {
  TEST_CASE("a receipt that was written is read back as it was") {
    formats::receipt r(2);
    r[0].file = "m.yaml", r[0].sha256 = std::string(64, 'a'), r[0].size = 692;
    r[0].origin = "https://h/files/?p=***&dl=***", r[0].etag = "W/\"a b\"",
    r[0].address = "0123456789abcdef";
    r[1].file = "m.ckpt", r[1].sha256 = std::string(64, 'b'), r[1].size = UINT64_MAX;
    r[1].unverified = true;
    const std::string s = formats::write_receipt(r, "2026-11-23T19:00:00Z");
    const formats::receipt back = formats::read_receipt(s);
    REQUIRE(back.size() == 2);
    for (std::size_t i = 0; i < 2; ++i) {
      CHECK(back[i].file == r[i].file);
      CHECK(back[i].sha256 == r[i].sha256);
      CHECK(back[i].size == r[i].size);
      CHECK(back[i].origin == r[i].origin);
      CHECK(back[i].address == r[i].address);
      CHECK(back[i].etag == r[i].etag);
      CHECK(back[i].unverified == r[i].unverified);
    }
    CHECK(s.find("2026-11-23") != std::string::npos);
  }

  TEST_CASE("no value can add a line to a receipt") {
    formats::receipt r(1);
    r[0].file = "m.ckpt", r[0].sha256 = std::string(64, 'a');
    r[0].origin = "http://h/\n" + std::string(64, 'b') + "  m.ckpt\n";
    r[0].etag = "x\r\n# unverified m.ckpt";
    const formats::receipt back = formats::read_receipt(formats::write_receipt(r, ""));
    REQUIRE(back.size() == 1);
    CHECK(back[0].sha256 == std::string(64, 'a'));
    CHECK_FALSE(back[0].unverified);
  }

  TEST_CASE("the first line of a file counts, facts may stand before or after it") {
    const std::string a(64, 'a'), b(64, 'b');
    const formats::receipt r = formats::read_receipt(
        a + "  m.ckpt\n" + b + "  m.ckpt\n# size 12 m.ckpt\n# unverified n.ckpt\n");
    REQUIRE(r.size() == 1);
    CHECK(r[0].sha256 == a);
    CHECK(r[0].size == 12);
    CHECK_FALSE(r[0].unverified);
    CHECK(formats::find(r, "m.ckpt") == &r[0]);
    CHECK(formats::find(r, "n.ckpt") == nullptr);
    CHECK(formats::read_receipt("# size -12 m.ckpt\n" + a + "  m.ckpt\n")[0].size == 0);
    CHECK(formats::read_receipt("# size 99999999999999999999 m.ckpt\n" + a + "  m.ckpt\n")[0].size
        == 0);
  }

  TEST_CASE("a receipt of garbage is read without harm, and tells nothing about the files") {
    for (unsigned seed = 1; seed <= 300; ++seed) {
      std::string s = garbage(seed, seed * 7);
      const formats::receipt r = formats::read_receipt(s);
      CHECK(formats::find(r, "m.ckpt") == nullptr);
      for (std::size_t at = 0; at + 1 < s.size(); at += 11)
        s[at] = "# \n"[at % 3];  // half a receipt
      CHECK(formats::find(formats::read_receipt(s), "m.ckpt") == nullptr);
    }
    for (const std::string& odd : {std::string("#"), std::string("# "), std::string("#  "),
             std::string("# x"), std::string("# size"), std::string("# size "),
             std::string("\n\n\n"), std::string("\r\n"), std::string(64, 'a'),
             std::string(64, 'a') + " ", std::string(64, 'a') + "  ",
             std::string(65, 'a') + " m.ckpt", std::string(1000, '#'), std::string(1000, ' ')}) {
      CAPTURE(odd);
      CHECK(formats::read_receipt(odd).empty());
    }
  }

  TEST_CASE("any cut of a receipt is read, and a cut digest is none") {
    const std::string a(64, 'a');
    const std::string s = "# size 5 m.ckpt\n" + a + "  m.ckpt\n";
    for (std::size_t n = 0; n + 2 < s.size(); ++n) {
      const formats::receipt r = formats::read_receipt(s.substr(0, n));
      CAPTURE(n);
      const formats::entry* const e = formats::find(r, "m.ckpt");
      CHECK((!e || e->sha256.empty()));
      CHECK((e != nullptr) == (n >= 15));  // the size may be known without the digest
    }
    CHECK(formats::find(formats::read_receipt(s), "m.ckpt")->sha256 == a);
  }

  // ---- what 0.1.0 wrote is read for ever

  TEST_CASE("a receipt that 0.1.0 wrote") {
    const formats::receipt all = formats::read_receipt(
        "# vqcache 0.1.0 2026-11-23T19:00:00Z\n"
        "# size 692 vqgan_imagenet_f16_16384.yaml\n"
        "# origin https://heibox.uni-heidelberg.de/d/a7530b/files/?p=***&dl=*** "
        "vqgan_imagenet_f16_16384.yaml\n"
        "# etag W/\"5f3c 2b4\" vqgan_imagenet_f16_16384.yaml\n"
        "# size 980092370 vqgan_imagenet_f16_16384.ckpt\n"
        "# unverified vqgan_imagenet_f16_16384.ckpt\n"
        "00e2c6189926f1d89ecfef73e9598db77981c1982f0555fbade963ffd16143c7"
        "  vqgan_imagenet_f16_16384.yaml\n"
        "845a68805098cb666420d5db93df53f3a3b6dd443e6dd85c05759c5b998cd663"
        "  vqgan_imagenet_f16_16384.ckpt\n");
    REQUIRE(all.size() == 2);
    CHECK(all[0].file == "vqgan_imagenet_f16_16384.yaml");
    CHECK(all[0].sha256 == "00e2c6189926f1d89ecfef73e9598db77981c1982f0555fbade963ffd16143c7");
    CHECK(all[0].size == 692);
    CHECK(all[0].origin == "https://heibox.uni-heidelberg.de/d/a7530b/files/?p=***&dl=***");
    CHECK(all[0].etag == "W/\"5f3c 2b4\"");
    CHECK_FALSE(all[0].unverified);
    CHECK(all[1].file == "vqgan_imagenet_f16_16384.ckpt");
    CHECK(all[1].sha256 == "845a68805098cb666420d5db93df53f3a3b6dd443e6dd85c05759c5b998cd663");
    CHECK(all[1].size == 980092370);
    CHECK(all[1].origin == "");
    CHECK(all[1].etag == "");
    CHECK(all[1].unverified);
  }

  TEST_CASE("a record that 0.1.0 wrote, of a call that was killed and of one that gave up") {
    const std::string pin(64, 'd'), url(64, '7');
    const auto padded = [](const std::string& line) {
      return line + std::string(1360 - line.size(), ' ') + "\n";
    };
    const std::string killed =
        "host/pid:[4026531836] 0f0e0d0c-0b0a-4908-8706-050403020100 4711 99\n"
        "url "
        + url + "\npin " + pin + "\nvalidator \"5f3c-2b4\"\ntotal 980092370\n" + "todo "
        + padded("1048576-33554432 67108864-980092370 ") + "safe "
        + padded("524288-33554432 67108864-980092370 ");
    const formats::record left = formats::read_record(killed);
    CHECK(left.owner == "host/pid:[4026531836] 0f0e0d0c-0b0a-4908-8706-050403020100 4711 99");
    CHECK(left.id.url == url);
    CHECK(left.id.pin == pin);
    CHECK(left.id.validator == "\"5f3c-2b4\"");
    CHECK(left.id.total == 980092370);
    CHECK(left.id.usable());
    CHECK(text_of(left.todo) == "1048576-33554432 67108864-980092370 ");
    CHECK(text_of(left.safe) == "524288-33554432 67108864-980092370 ");
    CHECK_FALSE(left.released);
    CHECK(vqcache::detail::ranges::range_set(left.todo).total() == 945489362);

    const formats::record given_up = formats::read_record("host/pid:[1] boot 5 6\nurl " + url
        + "\nvalidator v\ntotal 0\nsafe " + padded("64-") + "released\n");
    CHECK(given_up.id.pin == "");
    CHECK(given_up.id.total == 0);
    CHECK(given_up.todo.empty());
    CHECK(text_of(given_up.safe) == "64- ");
    CHECK(given_up.released);
  }

  TEST_CASE("a line of ranges is written as 0.1.0 wrote it, and over the one before") {
    const std::string line = formats::write_ranges({{10, 20}, {50, formats::endless}});
    CHECK(line == "10-20 50- " + std::string(1350, ' '));
    CHECK(text_of(formats::read_ranges(line)) == "10-20 50- ");
    CHECK(formats::write_ranges({}) == std::string(1360, ' '));
    CHECK(formats::read_ranges(" ").empty());
  }

  TEST_CASE("ranges that are malformed, or stand in no order, are all of the file") {
    for (const std::string bad :
        {"x", "-5", "5-x", "5-4", "10-20 15-30", "10- 20-30", "1-2-3", "5 x"})
      CHECK_MESSAGE(text_of(formats::read_ranges(bad)) == "0- ", bad);
    CHECK(text_of(formats::read_ranges("5")) == "5- ");
    CHECK(text_of(formats::read_ranges("5-5 5-9")) == "5-5 5-9 ");
  }

  TEST_CASE("a record whose ranges reach beyond the file, or that was cut") {
    CHECK(text_of(formats::read_record("o\ntotal 50\ntodo 10-90\n").todo) == "10-50 ");
    CHECK(text_of(formats::read_record("o\ntotal 50\ntodo 60-90\n").todo) == "0-50 ");
    CHECK(text_of(formats::read_record("o\ntotal 50\n").safe) == "0-50 ");
    CHECK(formats::read_record("o\ntotal 50").id.total == 0);
    CHECK(formats::read_record("o\npin short\n").id.pin == "");
    CHECK(formats::read_record("").owner == "");
  }
}
