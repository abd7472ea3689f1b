// application.cpp: a program with a user, who knows nothing of models, caches and URLs.
//   application [ORIGIN]      ORIGIN has voice.bin
// The model goes into the user's own cache folder, once, and errors are told in the program's words.
#include <cstdio>
#include <string>

#include "vqcache.hpp"

namespace {

// What to tell the user. what() is for the log: it says which file, which URL, and why.
const char* advice_for(const vqcache::error& e) {
  if (e.code() == vqcache::errc::no_space) return "Your disk is full. Free some space, then retry.";
  if (e.code() == vqcache::errc::permission_denied) return "The cache folder cannot be written.";
  if (e.code() == vqcache::errc::hash_mismatch) return "The file is not ours. Update this program.";
  if (e.code() == vqcache::errc::cancelled) return "Stopped. What has come is kept.";

  const bool is_network = e.code() == vqcache::errc::connection || e.code() == vqcache::errc::tls
      || e.code() == vqcache::errc::timed_out || e.code() == vqcache::errc::offline;
  if (is_network) return "There is no connection. Check your network, then retry.";
  return "The voice could not be set up.";
}

bool show(const vqcache::progress& p) {  // a window would move its bar here
  if (p.total > 0) {
    std::fprintf(stderr, "\rSetting up the voice: %d %%", static_cast<int>(p.done * 100 / p.total));
  }
  return true;  // false would cancel
}

}  // namespace

int main(int argc, char** argv) {
  const std::string origin = argc > 1 ? argv[1] : "https://example.org/models";

  // One directory: ~/.cache/my_app, ~/Library/Caches/my_app or %LOCALAPPDATA%\my_app
  vqcache::options opts = vqcache::user_options("my_app");
  opts.on_message = nullptr;  // the user need not read what the library does
  opts.on_progress = show;

  const vqcache::result got = vqcache::try_download_file("voice.bin", origin + "/voice.bin", opts);
  if (!got) {
    std::printf("%s\n", advice_for(got.error));
    std::fprintf(stderr, "my_app: %s\n", got.error.what());
    return 1;
  }
  std::printf("The voice is ready: %s\n", got->files[0].string().c_str());
  return 0;
}
