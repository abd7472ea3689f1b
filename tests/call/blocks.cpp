// Checksums of blocks: repair fetches what is damaged, and not the whole file; and what a receipt
// says of blocks, or does not say, never decides what a file is.
#include <doctest/doctest.h>

#include "world.hpp"

using namespace world;
using vqcache::errc;
using vqcache::origin;

namespace {

constexpr std::size_t MiB = std::size_t{1} << 20;
constexpr std::size_t big = 40 * MiB + 12345;  // six blocks, the last of them short
constexpr std::size_t small = 17 * MiB;        // three blocks
const std::string file = "big.ckpt";

std::string bytes_of(const fs::path& at) {  // all at once: they are many
  std::error_code e;
  const std::uintmax_t size = fs::file_size(at, e);
  std::string bytes(e ? 0 : static_cast<std::size_t>(size), '\0');
  std::ifstream in(at, std::ios::binary);
  in.read(&bytes[0], static_cast<std::streamsize>(bytes.size()));
  return bytes;
}

// A model of one file, from a server of this machine that counts what it sends.
struct shelf : support::box {
  std::string behaviour, path, good;

  explicit shelf(const std::string& how = "good", std::size_t size = big) : behaviour(how) {
    const std::string key = dir.path().filename().string();
    path = "/" + how + "/" + key + "/size=" + std::to_string(size) + "/" + file;
  }

  fs::path here() const { return dir / "local" / file; }

  fs::path copy() const { return dir / "cache" / file / file; }

  fs::path receipt() const { return dir / "local" / (file + ".sha256"); }

  fs::path copied_receipt() const { return dir / "cache" / file / (file + ".sha256"); }

  void bring() {
    const auto r = vqcache::try_download_file(file, support::hostile().url(path), options());
    REQUIRE_MESSAGE(r.ok(), why(r));
    good = bytes_of(here());
    REQUIRE(good.size() >= 9);
    support::hostile().reset();
    messages.clear();
  }

  void flip(const fs::path& at, std::size_t place) const { write(at, flipped(good, place)); }

  void edit_receipts(const std::function<std::string(const std::string&)>& change) const {
    for (const fs::path& at : {receipt(), copied_receipt()})
      write(at, change(read(at)));
  }

  std::uint64_t fetched() const {
    std::uint64_t bytes = 0;
    for (const support::seen& one : support::hostile().log(path))
      bytes += one.body;
    return bytes;
  }

  void mend() { mend_with(options()); }

  void mend_with(const vqcache::options& o) {
    const auto found = vqcache::try_repair_model(file, o);
    REQUIRE_MESSAGE(found.ok(), found.error.what());
    CHECK(found->ok());
    is_right();
  }

  void is_right() const {
    CHECK((bytes_of(here()) == good));
    CHECK((bytes_of(copy()) == good));
    CHECK(matching(dir.path(), ".part").empty());
    CHECK(matching(dir.path(), ".record").empty());
    for (const fs::path& at : {receipt(), copied_receipt()})
      CHECK(lines_of_blocks(read(at)) == 1);
  }

  static std::size_t lines_of_blocks(const std::string& text) {
    std::size_t count = 0;
    for (std::size_t at = 0; (at = text.find("# blocks ", at)) != std::string::npos; ++at)
      ++count;
    return count;
  }
};

// The checksum of one block in a receipt's line becomes another.
std::string with_sum(const std::string& text, std::size_t block, const std::string& sum) {
  const std::size_t first = text.find("xxh64 8388608 0 ") + std::strlen("xxh64 8388608 0 ");
  return std::string(text).replace(first + 17 * block, 16, sum);
}

std::string sum_in(const std::string& text, std::size_t block) {
  const std::size_t first = text.find("xxh64 8388608 0 ") + std::strlen("xxh64 8388608 0 ");
  return text.substr(first + 17 * block, 16);
}

std::string without_blocks(const std::string& text) {
  std::istringstream in(text);
  std::string rest;
  for (std::string line; std::getline(in, line);)
    if (line.compare(0, 9, "# blocks ") != 0) rest += line + "\n";
  return rest;
}

}  // namespace

TEST_SUITE("blocks") {
  TEST_CASE("one flipped byte in both tiers: one block is fetched") {
    for (const std::size_t at : {std::size_t{100}, 20 * MiB, big - 1}) {
      CAPTURE(at);
      shelf w;
      w.bring();
      const std::string before = read(w.receipt());
      CHECK(shelf::lines_of_blocks(before) == 1);
      w.flip(w.here(), at);
      w.flip(w.copy(), at);
      w.mend();
      CHECK(w.fetched() > 0);
      CHECK(w.fetched() <= 9 * MiB);
      CHECK_MESSAGE(
          w.said("Fetching 1 of 6 blocks of big.ckpt; the others are here."), w.all_said());
      CHECK(sum_in(read(w.receipt()), 3) == sum_in(before, 3));
      CHECK(without_blocks(read(w.receipt())).find("# origin http") != std::string::npos);
      CHECK(matching(w.dir.path(), ".corrupt-").size() == 2);
    }
  }

  TEST_CASE("two damaged copies give the whole file, where not both lack a block") {
    shelf w;
    w.bring();
    w.flip(w.here(), 3 * MiB);
    w.flip(w.copy(), 30 * MiB);
    w.mend();
    CHECK(support::hostile().log(w.path).empty());
    CHECK_MESSAGE(w.said("Damaged files hold all 6 blocks of big.ckpt between them; nothing of it "
                         "is fetched."),
        w.all_said());

    w.flip(w.here(), 3 * MiB);
    fs::resize_file(w.copy(), 39 * MiB);
    w.edit_receipts([&](const std::string& text) {  // nobody could be asked
      const std::size_t at = text.find("# origin ");
      return text.substr(0, at) + text.substr(text.find('\n', at) + 1);
    });
    w.flip(w.copy(), 39 * MiB);
    w.mend();
    CHECK(support::hostile().log(w.path).empty());
  }

  TEST_CASE("a place that is only read gives its blocks too") {
    shelf w;
    w.bring();
    const fs::path other = w.dir / "other" / file / file;
    write(other, flipped(w.good, 1));
    fs::copy_file(w.copied_receipt(), other.parent_path() / (file + ".sha256"));
    for (const fs::path& at : {w.here(), w.copy()})
      w.flip(at, 30 * MiB);
    vqcache::options o = w.options();
    o.also_look_in = {w.dir / "other"};
    w.mend_with(o);
    CHECK(support::hostile().log(w.path).empty());
    CHECK((bytes_of(other) == flipped(w.good, 1)));
  }

  TEST_CASE("a file that was cut, or has too much, gives the blocks that fit") {
    shelf w;
    w.bring();
    for (const fs::path& at : {w.here(), w.copy()})
      fs::resize_file(at, 35 * MiB);
    w.mend();
    CHECK(w.fetched() <= 9 * MiB);
    CHECK(w.said("Fetching 2 of 6 blocks"));

    support::hostile().reset();
    for (const fs::path& at : {w.here(), w.copy()})
      write(at, flipped(w.good, 9 * MiB) + "more");
    w.mend();
    CHECK(w.fetched() <= 9 * MiB);

    support::hostile().reset();
    w.messages.clear();
    write(w.here(), "");
    write(w.copy(), std::string(big, 'x'));
    w.mend();
    CHECK(w.fetched() >= big);
    CHECK(!w.said("Fetching"));
  }

  TEST_CASE("damage in many places: the good blocks between are not fetched") {
    shelf w;
    w.bring();
    std::string bad = w.good;
    for (const std::size_t block : {0, 2, 4})
      bad[block * 8 * MiB + 7] ^= 1;
    for (const fs::path& at : {w.here(), w.copy()})
      write(at, bad);
    w.mend();
    CHECK(w.said("Fetching 3 of 6 blocks"));
    CHECK(w.fetched() <= 25 * MiB);
  }

  TEST_CASE("a server without ranges sends the whole file") {
    for (const std::string how : {"no_ranges", "unranged"}) {
      CAPTURE(how);
      shelf w(how, small);
      w.bring();
      for (const fs::path& at : {w.here(), w.copy()})
        w.flip(at, 10 * MiB);
      w.mend();
      CHECK(w.fetched() >= small);
    }
  }

  TEST_CASE("a receipt without blocks stays valid") {
    shelf w;
    w.bring();
    w.edit_receipts(without_blocks);
    const std::string before = read(w.receipt());
    const auto hit = vqcache::try_download_file(file, support::hostile().url(w.path), w.options());
    REQUIRE(hit.ok());
    CHECK(hit->from == origin::local);
    CHECK(read(w.receipt()) == before);
    fs::remove(w.here());
    const auto restored = vqcache::try_restore_model(file, w.options());
    REQUIRE(restored.ok());
    CHECK(restored->from == origin::cache);
    CHECK(support::hostile().log(w.path).empty());

    for (const fs::path& at : {w.here(), w.copy()})
      w.flip(at, 20 * MiB);
    w.mend();  // from now on it has some
    CHECK(w.fetched() >= big);
  }

  TEST_CASE("a receipt that is written again keeps its blocks") {
    shelf w;
    w.bring();
    fs::remove(w.receipt());
    REQUIRE(vqcache::try_download_file(file, support::hostile().url(w.path), w.options()).ok());
    CHECK(shelf::lines_of_blocks(read(w.receipt())) == 1);
    fs::remove_all(w.dir / "cache");
    REQUIRE(vqcache::try_download_file(file, support::hostile().url(w.path), w.options()).ok());
    CHECK(shelf::lines_of_blocks(read(w.copied_receipt())) == 1);
    CHECK(support::hostile().log(w.path).empty());
  }

  TEST_CASE("checksums of blocks that are wrong mend nothing wrong") {
    SUBCASE("they fit the damaged file: the digest of all decides") {
      shelf w;
      w.bring();
      const std::string right = read(w.receipt());
      for (const fs::path& at : {w.here(), w.copy()})
        write(at, w.good.substr(0, 32 * MiB) + w.good.substr(0, 8 * MiB) + w.good.substr(40 * MiB));
      w.edit_receipts([](const std::string& t) { return with_sum(t, 4, sum_in(t, 0)); });
      w.mend();
      CHECK(w.fetched() >= big);
      CHECK_MESSAGE(w.said("The blocks of big.ckpt are right by their checksums, but its SHA-256"),
          w.all_said());
      CHECK(sum_in(read(w.receipt()), 4) == sum_in(right, 4));
    }
    SUBCASE("one fits its damaged block, and another one is damaged: all comes in the end") {
      shelf w;
      w.bring();
      std::string bad = w.good.substr(0, 32 * MiB) + w.good.substr(0, 8 * MiB);
      bad += w.good.substr(40 * MiB);
      bad = flipped(std::move(bad), 20 * MiB);
      for (const fs::path& at : {w.here(), w.copy()})
        write(at, bad);
      w.edit_receipts([](const std::string& t) { return with_sum(t, 4, sum_in(t, 0)); });
      w.mend();
      CHECK(w.fetched() >= big);
    }
    SUBCASE("they are of good blocks: these are fetched in vain") {
      shelf w;
      w.bring();
      for (const fs::path& at : {w.here(), w.copy()})
        w.flip(at, 20 * MiB);
      const std::string zeros(16, '0');
      w.edit_receipts([&](const std::string& t) { return with_sum(t, 1, zeros); });
      w.mend();
      CHECK(w.fetched() <= 17 * MiB);
      CHECK(w.said("Fetching 2 of 6 blocks"));
    }
    SUBCASE("they are garbage, too few or too many: all comes") {
      for (const std::string to : {"# blocks ", "# blocks md5 1 ", "# blocks xxh64 8388608 1 ",
               "# blocks xxh64 8388608 0 0000000000000000 ", "# blocks xxh64 4194304 0 "}) {
        CAPTURE(to);
        shelf w("good", small);
        w.bring();
        for (const fs::path& at : {w.here(), w.copy()})
          w.flip(at, 10 * MiB);
        w.edit_receipts([&](std::string t) {
          const std::string from = "# blocks xxh64 8388608 0 ";
          return t.replace(t.find(from), from.size(), to);
        });
        w.mend();
        CHECK(w.fetched() >= small);
      }
    }
  }

  TEST_CASE("a repair that is stopped loses nothing, and the next one goes on") {
    shelf w;
    w.bring();
    for (const fs::path& at : {w.here(), w.copy()})
      w.flip(at, 20 * MiB);
    vqcache::options o = w.options();
    o.on_progress = [](const vqcache::progress& p) {
      return p.phase != vqcache::phase::downloading;
    };
    CHECK(vqcache::try_repair_model(file, o).error.code() == errc::cancelled);
    CHECK((bytes_of(w.here()) == flipped(w.good, 20 * MiB)));
    CHECK(matching(w.dir.path(), ".corrupt-").size() == 1);

    o.on_progress = [](const vqcache::progress& p) {
      return p.phase != vqcache::phase::verifying || p.done < 30 * MiB;
    };
    CHECK(vqcache::try_repair_model(file, o).error.code() == errc::cancelled);
    w.mend();
    CHECK(w.fetched() <= 18 * MiB);
  }

  TEST_CASE("a transport of the caller's gets the whole file") {
    shelf w;
    w.bring();
    std::vector<std::string> asked;
    vqcache::options o = w.options();
    o.fetch = [&](const vqcache::request& q, vqcache::response& r) {
      asked.push_back(q.url);
      r.status(200);
      r.write(w.good.data(), w.good.size());
    };
    w.flip(w.here(), 3);
    w.flip(w.copy(), 30 * MiB);
    w.mend_with(o);
    CHECK(asked.empty());
    for (const fs::path& at : {w.here(), w.copy()})
      w.flip(at, 20 * MiB);
    w.mend_with(o);
    CHECK(asked.size() == 1);
  }

  TEST_CASE("a file of one block has no line of blocks, and each other one in a set has its own") {
    shelf w;
    const auto url = [&](std::size_t size, const std::string& name) {
      return support::hostile().url("/good/" + w.dir.path().filename().string()
          + "/size=" + std::to_string(size) + "/" + name);
    };
    const auto r = vqcache::try_download_model("set",
        {{"one.ckpt", url(8 * MiB, "one.ckpt")}, {"two.ckpt", url(8 * MiB + 1, "two.ckpt")},
            {"three.ckpt", url(17 * MiB, "three.ckpt")}},
        w.options());
    REQUIRE_MESSAGE(r.ok(), why(r));
    const std::string text = read(w.dir / "local/set.sha256");
    CHECK(shelf::lines_of_blocks(text) == 2);
    CHECK(text.find(" set/two.ckpt\n# blocks") != std::string::npos);
    CHECK(shelf::lines_of_blocks(read(w.dir / "cache/set/set.sha256")) == 2);
    int code = 1;
    run("cd " + quoted((w.dir / "local").string()) + " && sha256sum -c --strict set.sha256", &code);
    CHECK(code == 0);

    fs::remove_all(w.dir / "local");
    REQUIRE(vqcache::try_restore_model("set", w.options()).ok());
    CHECK(shelf::lines_of_blocks(read(w.dir / "local/set.sha256")) == 2);

    support::hostile().reset();
    const std::string good = bytes_of(w.dir / "local/set/three.ckpt");
    write(w.dir / "local/set/three.ckpt", flipped(good, 100));
    write(w.dir / "cache/set/three.ckpt", flipped(good, 200));
    const auto found = vqcache::try_repair_model("set", w.options());
    REQUIRE_MESSAGE(found.ok(), found.error.what());
    CHECK(found->ok());
    CHECK((bytes_of(w.dir / "cache/set/three.ckpt") == good));
    CHECK(w.said("Fetching 1 of 3 blocks of three.ckpt; the others are here."));
  }
}
