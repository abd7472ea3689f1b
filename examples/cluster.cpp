// cluster.cpp: many processes that need the same file on a directory which all of them see.
//   cluster [ORIGIN [DIRECTORY]]      ORIGIN has weights.bin
// Start it as often as you like, at the same time: one process downloads, the others wait for it and
// then read the same file. Nothing rests on the lock that they wait for: where a network's file
// system has none, some bytes come twice, and the file is as right and whole as ever.
#include <cstdio>
#include <string>

#include "vqcache.hpp"

namespace {

const char* how(const vqcache::model& m) {
  switch (m.from) {
    case vqcache::origin::local: return "found it";
    case vqcache::origin::cache: return "restored it";
    case vqcache::origin::network: break;
  }
  return "downloaded it";
}

}  // namespace

int main(int argc, char** argv) {
  const std::string origin = argc > 1 ? argv[1] : "https://example.org/models";

  vqcache::options opts;
  opts.local_dir = argc > 2 ? argv[2] : "shared/models";
  opts.keep_copy = false;   // the shared directory is the only one
  opts.stall_seconds = 60;  // the wait for a process whose bytes do not grow
  const vqcache::result got =
      vqcache::try_download_file("weights.bin", origin + "/weights.bin", opts);
  if (!got) {
    std::fprintf(stderr, "%s\n", got.error.what());
    return 1;
  }

  // Each process may map or read it now; nobody writes to a file that has its final name.
  std::printf("%s: %s\n", how(got.model), got->files[0].string().c_str());
  return 0;
}
