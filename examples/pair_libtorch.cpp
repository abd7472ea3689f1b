// pair_libtorch.cpp: a config and a checkpoint that belong together, loaded with LibTorch.
//   pair_libtorch [ORIGIN]      ORIGIN has model.yaml and last.ckpt
// Run it twice: the second time nothing is downloaded.
#include <torch/script.h>

#include <cstdio>
#include <fstream>
#include <string>

#include "vqcache.hpp"

int main(int argc, char** argv) {
  const std::string origin = argc > 1 ? argv[1] : "https://example.org/models";

  vqcache::options opts;
  opts.cache_dir = "persistent/models";  // on the disk that stays; local_dir is the fast one
  opts.on_progress = vqcache::progress_line{stderr};

  // A checkpoint can run code when it is loaded. Where you know the SHA-256 of the right one, say
  // so: origin + "/last.ckpt#sha256=...", and no other file gets through.
  const vqcache::result got = vqcache::try_download_vqgan_model(
      "my_vqgan", origin + "/model.yaml", origin + "/last.ckpt", opts);
  if (!got) {
    std::fprintf(stderr, "%s\n", got.error.what());
    return 1;
  }

  std::string first_line;  // of the config: any YAML library reads it from this path
  std::ifstream config(got->config);
  std::getline(config, first_line);
  std::printf("the config begins with: %s\n", first_line.c_str());

  try {
    torch::jit::script::Module network = torch::jit::load(got->checkpoint.string());
    network.eval();
    std::printf("loaded %s\n", got->checkpoint.filename().string().c_str());
  } catch (const c10::Error& e) {
    std::fprintf(stderr, "LibTorch cannot load it: %s\n", e.what());
    return 1;
  }
  return 0;
}
