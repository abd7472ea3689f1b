// The program of every consumer: it lists the catalogue and brings a file from this disk, without a
// network, through both tiers. What it prints is what run.sh expects.

#include <cstdio>
#include <filesystem>
#include <string>

#ifdef APP_IMPORTS
import vqcache;
#else
#include "vqcache.hpp"
#endif

int main(int argc, char** argv) {
  const std::filesystem::path place = argc > 1 ? argv[1] : "app-files";
  std::filesystem::create_directories(place);
  const std::filesystem::path origin = place / "origin.txt";
  if (std::FILE* file = std::fopen(origin.string().c_str(), "wb")) {
    std::fputs("a few words", file);
    std::fclose(file);
  }

  vqcache::options o;
  o.local_dir = place / "local";
  o.cache_dir = place / "cache";
  o.offline = true;
  o.on_message = {};
  const vqcache::result got = vqcache::try_download_file("small.txt", origin, o);
  if (!got) {
    std::fprintf(stderr, "%s\n", got.error.what());
    return 1;
  }

  const bool is_there = got->cached && std::filesystem::exists(place / "local" / "small.txt");
  const vqcache::result nothing = vqcache::try_restore_model("nobody_has_it", o);
  const bool is_told = !nothing && nothing.error.code() == vqcache::errc::unknown_model;
  std::printf("the catalogue %s, the file %s, the error %s\n",
      vqcache::known_models().empty() ? "is empty" : "has models",
      is_there ? "is there" : "is missing", is_told ? "is told" : "is wrong");
}
