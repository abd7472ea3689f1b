#include <cstdio>
#include "vqcache.hpp"

int main() try {
  std::string u = "https://heibox.uni-heidelberg.de/d/8088892a516d4e3baf92/files/?dl=1&p=";
  const vqcache::model m = vqcache::download_vqgan_model(
      "vqgan_imagenet_f16_1024", u + "%2Fconfigs%2Fmodel.yaml", u + "%2Fckpts%2Flast.ckpt");
  std::printf("%s is in %s\n", m.name.c_str(), m.checkpoint.string().c_str());
} catch (const vqcache::error& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
