// An upload that follows its download: when it does, and when the local files come first.
#include "children.hpp"

#include "store_server.hpp"

namespace {

using namespace children;
using support::store;

constexpr std::uint64_t size_of_file = 110'000'000;

// How many parts the store had when nine tenths of the file had come.
int parts_sent_meanwhile(const fs::path& where, std::uint64_t bytes_per_second) {
  store().reset();
  vqcache::options with;
  with.local_dir = where / "local";
  with.cache_dir = "s3://bucket/following?endpoint=http://127.0.0.1:" + store().fact("plain");
  with.max_bytes_per_second = bytes_per_second;
  with.on_message = nullptr;
  int parts = -1;
  with.on_progress = [&](const vqcache::progress& p) {
    const bool is_late =
        p.phase == vqcache::phase::downloading && p.done > size_of_file / 10 * 9 && parts < 0;
    if (is_late) parts = std::atoi(store().control("count?path=*big.bin&method=PUT").c_str());
    return true;
  };
  const std::string from = hostile().url("/big/" + std::to_string(size_of_file) + "/big.bin");
  const auto r = vqcache::try_download_file("big.bin", from, with);
  REQUIRE_MESSAGE(r.ok(), r.error.what());
  CHECK(r.model.cached);
  CHECK(store().objects("/bucket/following/big.bin/big.bin").size() == 1);
  return parts;
}

}  // namespace

TEST_SUITE("following uploads") {
  TEST_CASE("a file that takes its time is sent while it comes; what comes at once has its turn") {
    scratch home;
    const support::env_guard id("AWS_ACCESS_KEY_ID", store().fact("key").c_str());
    const support::env_guard secret("AWS_SECRET_ACCESS_KEY", store().fact("secret").c_str());
    CHECK(parts_sent_meanwhile(home.fresh(), 20'000'000) > 0);
    store().reset();
  }
}
