// cancel.cpp: the download on one thread, progress and a way to stop it on another one.
//   cancel [ORIGIN [SECONDS]]      ORIGIN has weights.bin; after SECONDS (10) it is cancelled
// Callbacks come on the thread that calls the library. All that the two threads share is atomic.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "vqcache.hpp"

namespace {

struct shared_state {
  std::atomic<std::uint64_t> done{0}, total{0};  // bytes
  std::atomic<bool> is_cancelled{false}, has_ended{false};
};

vqcache::result download(const std::string& origin, shared_state& state) {
  vqcache::options opts;
  opts.on_progress = [&state](const vqcache::progress& p) {  // at most twice a second
    state.done = p.done;
    state.total = p.total;
    return !state.is_cancelled;  // false ends the call, with errc::cancelled
  };
  return vqcache::try_download_file("weights.bin", origin + "/weights.bin", opts);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string origin = argc > 1 ? argv[1] : "https://example.org/models";
  const std::chrono::seconds limit(argc > 2 ? std::atoi(argv[2]) : 10);

  shared_state state;
  vqcache::result got;
  std::thread worker([&] {
    got = download(origin, state);
    state.has_ended = true;
  });

  std::uint64_t told = 0;
  const auto start = std::chrono::steady_clock::now();
  while (!state.has_ended) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    state.is_cancelled = std::chrono::steady_clock::now() - start > limit;
    if (state.done == told) continue;

    told = state.done;
    std::fprintf(stderr, "\r%llu of %llu bytes ", static_cast<unsigned long long>(told),
        static_cast<unsigned long long>(state.total));
  }
  worker.join();  // from here on `got` is ours alone

  if (got.error.code() == vqcache::errc::cancelled) {
    std::printf("cancelled; the next run goes on from here: %s\n", got.error.what());
    return 2;
  }
  std::printf("%s\n", got ? got->files[0].string().c_str() : got.error.what());
  return got ? 0 : 1;
}
