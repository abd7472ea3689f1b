// One machine of a cluster (run.py starts many): a call for the set m, and lines about it.
//   node CONFIG_URL CHECKPOINT_URL       directories by VQCACHE_LOCAL_DIR and VQCACHE_CACHE_DIR
// It prints, a line each, with fields behind a tab:
//   downloading FILE                     bytes of it have come from the origin
//   said TEXT                            what a person would read
//   done FROM CACHED BYTES MILLISECONDS  bytes from the origin; or
//   failed TEXT
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

#include "vqcache.hpp"

namespace {

void tell(const std::string& word, const std::string& text = "") {
  std::printf("%s\t%s\n", word.c_str(), text.c_str());
  std::fflush(stdout);
}

const char* word_of(vqcache::origin from) {
  switch (from) {
    case vqcache::origin::local: return "local";
    case vqcache::origin::cache: return "cache";
    case vqcache::origin::network: break;
  }
  return "network";
}

// What came from the origin, by what the call says of its progress.
class downloads {
 public:
  void see(const vqcache::progress& now) {
    if (now.phase != vqcache::phase::downloading || now.done == 0) return;
    std::uint64_t& most = bytes_[now.file];
    if (most == 0) tell("downloading", now.file);
    most = (std::max)(most, now.done);
  }

  std::uint64_t bytes() const {
    std::uint64_t all = 0;
    for (const auto& one : bytes_) {
      all += one.second;
    }
    return all;
  }

 private:
  std::map<std::string, std::uint64_t> bytes_{};
};

// A header of before options::shared has none to set.
template <class Options>
auto share(Options& opts, bool is_shared, int) -> decltype(void(opts.shared = is_shared)) {
  opts.shared = is_shared;
}

template <class Options>
void share(Options&, bool, long) {
}

bool is_shared() {  // the directory is one that hosts share
  const char* const said = std::getenv("VQCACHE_NODE_SHARED");
  return said && std::strcmp(said, "1") == 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const auto begun = std::chrono::steady_clock::now();
  downloads seen;
  vqcache::options opts;
  opts.connections = 1;  // the origin counts requests
  opts.on_message = [](const vqcache::message& line) {
    tell("said", line);
  };
  opts.on_progress = [&seen](const vqcache::progress& now) {
    seen.see(now);
    return true;
  };
  share(opts, is_shared(), 0);

  const vqcache::result got =
      vqcache::try_download_model("m", {{"m.ckpt", argv[2]}, {"m.yaml", argv[1]}}, opts);
  if (!got) {
    tell("failed", got.error.what());
    return 1;
  }

  using milliseconds = std::chrono::milliseconds;
  const auto took =
      std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begun);
  tell("done",
      std::string(word_of(got->from)) + "\t" + (got->cached ? "cached" : "not cached") + "\t"
          + std::to_string(seen.bytes()) + "\t" + std::to_string(took.count()));
  return 0;
}
