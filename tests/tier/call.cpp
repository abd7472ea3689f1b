// A call over other tiers than the two directories of the options, and over another number of files
// than two: a set of three, with a memory as the lasting tier, or with several lasting tiers.
#include "tier/memory_tier.hpp"

#include "world.hpp"

#include <doctest/doctest.h>

namespace {

using namespace world;
namespace call = vqcache::detail::call;
namespace plan = vqcache::detail::plan;
namespace seam = vqcache::detail::tier;
namespace formats = vqcache::detail::formats;
namespace sniff = vqcache::detail::sniff;
using vqcache::errc;
using vqcache::origin;

const vqcache::detail::list<std::string> names{"net.one", "net.two", "net.three"};

std::string bytes_of(std::size_t file) {
  return checkpoint(20000 + 1000 * file, unsigned(file + 1));
}

std::string url_of(std::size_t file) {
  return "http://origin.test/" + names[file];
}

struct outcome {
  vqcache::detail::status s{};
  origin from = origin::local;
  bool is_cached = false;
};

// The local tier is a directory; the lasting ones are memories, in this order, and then perhaps a
// directory.
class bench {
 public:
  explicit bench(std::size_t memories = 1, bool has_directory = false)
      : stores(memories),
        has_directory_(has_directory) {
    for (std::size_t i = 0; i < names.size(); ++i)
      w.serve(url_of(i), {bytes_of(i)});
  }

  place w{};
  std::vector<in_memory::storage> stores;

  outcome run() {
    const vqcache::options opts = prepared();
    call::call one(opts);
    begin(one);
    for (std::size_t i = 0; i < names.size(); ++i)
      REQUIRE(one.take_source(i, url_of(i), names[i], false).ok());
    outcome o;
    o.s = one.download();
    o.from = one.from();
    o.is_cached = one.is_cached();
    CHECK(one.size() == names.size());
    return o;
  }

  vqcache::detail::status remove() {
    const vqcache::options opts = prepared();
    call::call one(opts);
    begin(one);
    return one.remove();
  }

  bool local_is_whole() const {
    for (std::size_t i = 0; i < names.size(); ++i)
      if (read(w.local / names[i]) != bytes_of(i)) return false;
    return true;
  }

  bool store_is_whole(std::size_t which = 0) const {
    for (std::size_t i = 0; i < names.size(); ++i) {
      const auto found = stores[which].files.find(names[i]);
      if (found == stores[which].files.end() || found->second != bytes_of(i)) return false;
    }
    return has(stores[which].receipt, names[2]) && stores[which].under_way == 0;
  }

 private:
  vqcache::options prepared() {
    w.forget();
    return w.options();
  }

  void begin(call::call& one) {
    vqcache::detail::list<plan::wanted_file> files(names.size());
    for (std::size_t i = 0; i < names.size(); ++i)
      files[i].name = names[i];
    using seam::directory_tier;
    call::tiers lasting;
    for (in_memory::storage& in : stores)
      lasting.push_back(
          vqcache::detail::box<in_memory::memory_tier>(new in_memory::memory_tier(in, names)));
    if (has_directory_)
      lasting.push_back(vqcache::detail::box<directory_tier>(new directory_tier(
          directory_tier::where{w.cache / "net", true, vqcache::detail::os::mode::read, true},
          "net", names, seam::layout::flat)));
    one.begin("net", files,
        vqcache::detail::box<directory_tier>(new directory_tier(
            directory_tier::where{w.local, false, vqcache::detail::os::mode::link, true}, "net",
            names, seam::layout::flat)),
        std::move(lasting));
  }

  bool has_directory_;
};

}  // namespace

TEST_SUITE("tier") {
  TEST_CASE("three files are brought, stored where there are no paths, and then a hit") {
    bench b;
    outcome o = b.run();
    REQUIRE_MESSAGE(o.s.ok(), o.s.text);
    CHECK(o.from == origin::network);
    CHECK(o.is_cached);
    CHECK(b.local_is_whole());
    CHECK(b.store_is_whole());
    CHECK(b.w.said == lines{download_line("net")});
    CHECK(b.w.litter().empty());

    o = b.run();
    CHECK(o.s.ok());
    CHECK(o.from == origin::local);
    CHECK(o.is_cached);
    CHECK(b.w.asked.empty());
    CHECK(b.w.said == lines{hit_line("net")});
  }

  TEST_CASE("after the local disk was wiped the store serves, though the origin is dead") {
    bench b;
    REQUIRE(b.run().s.ok());
    b.w.wipe_local();
    b.w.origin_dies();
    const outcome o = b.run();
    REQUIRE_MESSAGE(o.s.ok(), o.s.text);
    CHECK(o.from == origin::cache);
    CHECK(o.is_cached);
    CHECK(b.local_is_whole());
    CHECK(b.w.said == lines{restore_line("net")});
    CHECK(b.w.saw(vqcache::phase::restoring, names[2]));
  }

  TEST_CASE("one missing local file is restored, the others stay") {
    bench b;
    REQUIRE(b.run().s.ok());
    fs::remove(b.w.local / names[1]);
    const outcome o = b.run();
    REQUIRE_MESSAGE(o.s.ok(), o.s.text);
    CHECK(o.from == origin::cache);
    CHECK(b.local_is_whole());
    CHECK(b.w.asked.empty());
  }

  TEST_CASE("a damaged object is not served: its file comes from the web, and is stored again") {
    for (const bool keeps : {true, false}) {
      bench b;
      b.stores[0].keeps_damaged = keeps;
      REQUIRE(b.run().s.ok());
      b.w.wipe_local();
      b.stores[0].files[names[1]] = flipped(bytes_of(1), 77);
      const outcome o = b.run();
      REQUIRE_MESSAGE(o.s.ok(), o.s.text);
      CHECK(o.from == origin::network);
      CHECK(o.is_cached);
      CHECK(b.w.asked == lines{url_of(1)});
      CHECK(b.local_is_whole());
      CHECK(b.store_is_whole());
      CHECK(b.w.heard("is damaged"));
      CHECK(b.stores[0].asides.size() == (keeps ? 1U : 0U));
    }
  }

  TEST_CASE("what was set aside in the store serves, if it is right after all") {
    bench b;
    REQUIRE(b.run().s.ok());
    b.w.wipe_local();
    b.w.origin_dies();
    b.stores[0].asides[names[0] + ".corrupt-1"] = b.stores[0].files[names[0]];
    b.stores[0].files.erase(names[0]);
    const outcome o = b.run();
    REQUIRE_MESSAGE(o.s.ok(), o.s.text);
    CHECK(b.local_is_whole());
    CHECK(b.store_is_whole());
    CHECK(b.w.heard("right after all"));
  }

  TEST_CASE("a store that does not answer takes nothing away that another tier gives") {
    bench b;
    b.stores[0].is_down = true;
    outcome o = b.run();
    REQUIRE_MESSAGE(o.s.ok(), o.s.text);
    CHECK_FALSE(o.is_cached);
    CHECK(b.local_is_whole());
    CHECK(b.w.heard("complete locally, but not in the cache: the store does not answer"));

    o = b.run();  // a hit all the same
    CHECK(o.s.ok());
    CHECK(o.from == origin::local);
    CHECK_FALSE(o.is_cached);
    CHECK(b.w.asked.empty());

    b.stores[0].is_down = false;
    o = b.run();
    CHECK(o.s.ok());
    CHECK(o.is_cached);
    CHECK(b.store_is_whole());
    CHECK(b.w.asked.empty());
  }

  TEST_CASE("a store that is only read serves, and is not written") {
    bench b;
    REQUIRE(b.run().s.ok());
    b.stores[0].is_writable = false;
    b.stores[0].files.erase(names[2]);
    b.w.wipe_local();
    const outcome o = b.run();
    REQUIRE_MESSAGE(o.s.ok(), o.s.text);
    CHECK(b.local_is_whole());
    CHECK(b.w.asked == lines{url_of(2)});
    CHECK_FALSE(o.is_cached);
    CHECK(b.stores[0].files.count(names[2]) == 0);
    CHECK(b.w.heard("the memory cannot be written"));
  }

  TEST_CASE("a store that is full costs the copy, not the call") {
    bench b;
    b.stores[0].capacity = 20500;  // the first file alone
    const outcome o = b.run();
    REQUIRE_MESSAGE(o.s.ok(), o.s.text);
    CHECK_FALSE(o.is_cached);
    CHECK(b.local_is_whole());
    CHECK(b.stores[0].files.empty());  // all of them, or none
    CHECK(b.stores[0].under_way == 0);
    CHECK(b.w.heard("has room for"));
  }

  TEST_CASE("of several lasting tiers each gets its copy, and the first that can serves") {
    bench b(2, true);
    outcome o = b.run();
    REQUIRE_MESSAGE(o.s.ok(), o.s.text);
    CHECK(o.is_cached);
    CHECK(b.store_is_whole(0));
    CHECK(b.store_is_whole(1));
    CHECK(read(b.w.cache / "net" / names[2]) == bytes_of(2));
    CHECK(has(read(b.w.cache / "net" / "net.sha256"), names[2]));

    b.w.wipe_local();
    b.w.origin_dies();
    b.stores[0].is_down = true;
    b.stores[1].files[names[0]] = flipped(bytes_of(0), 5);
    o = b.run();
    REQUIRE_MESSAGE(o.s.ok(), o.s.text);
    CHECK(o.from == origin::cache);
    CHECK(b.local_is_whole());
    CHECK_FALSE(o.is_cached);  // the first is down
    CHECK(b.store_is_whole(1));

    b.stores[0].is_down = false;
    o = b.run();
    CHECK(o.s.ok());
    CHECK(o.is_cached);
  }

  TEST_CASE("remove takes the set from every tier") {
    bench b(1, true);
    REQUIRE(b.run().s.ok());
    CHECK(b.remove().ok());
    CHECK(b.stores[0].files.empty());
    CHECK(b.stores[0].receipt.empty());
    CHECK_FALSE(fs::exists(b.w.cache / "net"));
    CHECK(fs::is_empty(b.w.local));
  }
}
