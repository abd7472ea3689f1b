// driver.cpp: the program that bench.py measures. It uses nothing but the public API, prints one line
// of JSON, and exits with status 0 when the call gave what it should.
//   driver get NAME CONFIG CHECKPOINT LOCAL CACHE [CONNECTIONS [TRANSPORT]]    CACHE -: no copy is kept
//   driver hits N NAME LOCAL CACHE     N calls that find both files local, after one that is not counted
//   driver calls N NAME LOCAL CACHE    N times the bare system calls that such a call cannot do without
//   driver idle                        nothing: what the program itself needs of memory
#include "vqcache.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

namespace {

// the peak of resident memory, in KiB (Linux; 0 elsewhere)
long peak() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind("VmHWM:", 0) == 0) return std::atol(line.c_str() + 6);
  return 0;
}

std::string json_text(const std::string& text) {
  std::string s = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') s += '\\';
    s += static_cast<unsigned char>(c) < 32 ? ' ' : c;
  }
  return s + '"';
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

const char* text_of(vqcache::origin from) {
  return from == vqcache::origin::local ? "local"
      : from == vqcache::origin::cache  ? "cache"
                                        : "network";
}

vqcache::options silent(const char* local, const char* cache) {
  vqcache::options o;
  o.local_dir = local;
  o.keep_copy = std::string(cache) != "-";
  if (o.keep_copy) o.cache_dir = cache;
  o.on_message = nullptr;
  return o;
}

int get(int argc, char** argv) {
  vqcache::options o = silent(argv[5], argv[6]);
  if (argc > 7) o.connections = static_cast<unsigned>(std::atoi(argv[7]));
  if (argc > 8) o.transport = argv[8];
  std::string said;
  o.on_message = [&said](const std::string& line) {
    said += (said.empty() ? "" : " / ") + line;
  };
  const auto start = std::chrono::steady_clock::now();
  const vqcache::result r = vqcache::try_download_vqgan_model(argv[2], argv[3], argv[4], o);
  const double took = seconds_since(start);
  std::printf(
      "{\"ok\": %s, \"from\": \"%s\", \"cached\": %s, \"seconds\": %.6f, \"peak\": %ld, "
      "\"error\": %s, \"said\": %s}\n",
      r ? "true" : "false", text_of(r.model.from), r.model.cached ? "true" : "false", took, peak(),
      json_text(r.error.what()).c_str(), json_text(said).c_str());
  return r ? 0 : 1;
}

int hits(char** argv) {
  const int n = std::atoi(argv[2]);
  const std::string name = argv[3];
  const vqcache::options o = silent(argv[4], argv[5]);
  // the sources are strings of the usual length; a hit must not look at them
  const vqcache::source config("http://127.0.0.1:1/configs/model.yaml");
  const vqcache::source checkpoint("http://127.0.0.1:1/ckpts/last.ckpt");
  bool good = true;
  std::chrono::steady_clock::time_point start;
  for (int i = -1; i < n && good; ++i) {
    if (i == 0) start = std::chrono::steady_clock::now();
    const vqcache::result r = vqcache::try_download_vqgan_model(name, config, checkpoint, o);
    good = r && r.model.from == vqcache::origin::local && r.model.cached;
  }
  std::printf("{\"ok\": %s, \"seconds\": %.9f, \"peak\": %ld}\n", good ? "true" : "false",
      seconds_since(start) / n, peak());
  return good ? 0 : 1;
}

// What a hit must ask the system, and nothing else: that both local files stand there, what the local
// receipt says of them, that both copies stand there, and that the cache's receipt says the same.
// Sizes come from stat; a receipt is opened, read until its end and closed.
bool stands(const std::string& path) {
  struct stat s;
  return stat(path.c_str(), &s) == 0 && S_ISREG(s.st_mode);
}

bool read_receipt(const std::string& path) {
  char text[4096];
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool good = read(fd, text, sizeof text) > 0 && read(fd, text, 1) == 0;
  close(fd);
  return good;
}

int calls(char** argv) {
  const int n = std::atoi(argv[2]);
  const std::string local = std::string(argv[4]) + "/" + argv[3];
  const std::string cache = std::string(argv[5]) + "/" + argv[3] + "/" + argv[3];
  const std::string files[] = {local + ".yaml", local + ".ckpt", cache + ".yaml", cache + ".ckpt"};
  const std::string receipts[] = {local + ".sha256", cache + ".sha256"};
  bool good = true;
  std::chrono::steady_clock::time_point start;
  for (int i = -1; i < n; ++i) {
    if (i == 0) start = std::chrono::steady_clock::now();
    for (const std::string& file : files)
      good = stands(file) && good;
    for (const std::string& receipt : receipts)
      good = read_receipt(receipt) && good;
  }
  std::printf("{\"ok\": %s, \"seconds\": %.9f, \"calls\": 12, \"peak\": %ld}\n",
      good ? "true" : "false", seconds_since(start) / n, peak());
  return good ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "get" && argc > 6) return get(argc, argv);
  if (what == "hits" && argc > 5) return hits(argv);
  if (what == "calls" && argc > 5) return calls(argv);
  if (what == "idle") return std::printf("{\"ok\": true, \"peak\": %ld}\n", peak()) < 0;
  std::fputs("driver get|hits|calls|idle ...: see the head of driver.cpp\n", stderr);
  return 2;
}
