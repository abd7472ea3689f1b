// sets.cpp: a set of many small files, for bench.py. One line of JSON, as driver.cpp prints it.
//   sets URL COUNT LOCAL CACHE      COUNT files, URL0.bin and so on; no CACHE (-): one tier
#include "vqcache.hpp"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

namespace {

long peak() {  // of resident memory, in KiB
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmHWM:", 0) == 0) return std::atol(line.c_str() + 6);
  }
  return 0;
}

std::string json_text(const std::string& text) {
  std::string s = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      s += '\\';
    }
    s += static_cast<unsigned char>(c) < 32 ? ' ' : c;
  }
  return s + '"';
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) return 2;

  vqcache::options o;
  o.local_dir = argv[3];
  o.keep_copy = std::string(argv[4]) != "-";
  if (o.keep_copy) {
    o.cache_dir = argv[4];
  }
  o.on_message = nullptr;

  std::vector<vqcache::named_source> files;
  for (int i = 0; i < std::atoi(argv[2]); ++i) {
    const std::string name = std::to_string(i) + ".bin";
    files.push_back({name, argv[1] + name});
  }

  const vqcache::result r = vqcache::try_download_model("m", files, o);
  std::printf("{\"ok\": %s, \"cached\": %s, \"peak\": %ld, \"error\": %s, \"said\": \"\"}\n",
      r ? "true" : "false", r.model.cached ? "true" : "false", peak(),
      json_text(r.error.what()).c_str());
  return r ? 0 : 1;
}
