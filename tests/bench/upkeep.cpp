// upkeep.cpp: what looking after held models costs, for bench.py. One line of JSON, as driver.cpp.
//   upkeep fill COUNT LOCAL CACHE    COUNT models of one small file each, in both tiers
//   upkeep list LOCAL CACHE          how many list_models() tells
//   upkeep bring NAME PATH LOCAL     one file, in one tier
//   upkeep verify NAME LOCAL         every byte of it
#include "vqcache.hpp"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

namespace {

int say(bool ok, std::size_t count, const char* error) {
  std::printf(
      "{\"ok\": %s, \"cached\": true, \"peak\": 0, \"count\": %zu, \"error\": \"%s\", "
      "\"said\": \"\"}\n",
      ok ? "true" : "false", count, error);
  return ok ? 0 : 1;
}

vqcache::options silent(const char* local, const char* cache) {
  vqcache::options o;
  o.on_message = nullptr;
  o.local_dir = local;
  o.keep_copy = cache != nullptr;
  if (cache) {
    o.cache_dir = cache;
  }
  return o;
}

int fill(int count, const vqcache::options& o) {
  const std::string origin = (o.local_dir / ".." / "origin.bin").string();
  std::ofstream(origin, std::ios::binary) << std::string(100, '\1');
  for (int i = 0; i < count; ++i) {
    const vqcache::result r =
        vqcache::try_download_file("model-" + std::to_string(i) + ".bin", origin, o);
    if (!r) return say(false, 0, r.error.what());
  }
  return say(true, static_cast<std::size_t>(count), "");
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 3 ? argv[1] : "";
  if (what == "fill") {
    return fill(std::atoi(argv[2]), silent(argv[3], argv[4]));
  }
  if (what == "list") {
    const auto all = vqcache::try_list_models(silent(argv[2], argv[3]));
    return say(all.ok(), all.value.size(), all.error.what());
  }
  if (what == "bring") {
    const vqcache::result r =
        vqcache::try_download_file(argv[2], argv[3], silent(argv[4], nullptr));
    return say(r.ok(), 1, r.error.what());
  }
  if (what == "verify") {
    const auto found = vqcache::try_verify_model(argv[2], silent(argv[3], nullptr));
    return say(found.ok() && found.value.ok(), 1, found.error.what());
  }
  return 2;
}
