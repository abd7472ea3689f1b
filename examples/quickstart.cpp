#include <cstdio>
#include "vqcache.hpp"

int main() {
  std::string u = "https://heibox.uni-heidelberg.de/d/8088892a516d4e3baf92/files/?dl=1&p=";
  const vqcache::result got = vqcache::try_download_vqgan_model(
      "vqgan_imagenet_f16_1024", u + "%2Fconfigs%2Fmodel.yaml", u + "%2Fckpts%2Flast.ckpt");
  if (!got) {
    std::fprintf(stderr, "%s\n", got.error.what());
    return 1;
  }
  std::printf("%s is in %s\n", got->name.c_str(), got->checkpoint.string().c_str());
}
