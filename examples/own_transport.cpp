// own_transport.cpp: files that come from a place which only your program can read. Here that is a
// tar archive that is shipped beside the program; it may be a database, or a protocol of your own.
//   own_transport ARCHIVE.tar      it has model.yaml and last.ckpt
// What the transport brings is held to pins, published whole, copied and restored as a download is.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "vqcache.hpp"

namespace {

// Moves to the file of this name and tells its size; -1: it is not there. An archive is a row of
// files, each a block of 512 bytes (the name at 0, the size at 124 in octal), then its bytes in
// such blocks.
std::int64_t find(std::ifstream& archive, const std::string& name) {
  constexpr std::int64_t block = 512;
  char head[block];
  while (archive.read(head, sizeof head) && head[0] != 0) {
    const std::string called = std::string(head, 100).c_str();  // up to the first zero
    const std::int64_t size = std::strtoll(std::string(head + 124, 12).c_str(), nullptr, 8);
    if (called == name) return size;
    archive.seekg((size + block - 1) / block * block, std::ios::cur);
  }
  return -1;
}

void answer_from(
    const std::string& path, const vqcache::request& wanted, vqcache::response& answer) {
  const std::string scheme = "tar://";
  std::ifstream archive(path, std::ios::binary);
  if (!archive) {
    answer.fail("cannot read " + path);
    return;
  }

  std::int64_t left = find(archive, wanted.url.substr(scheme.size()));
  answer.status(left < 0 ? 404 : 200);  // first the status and headers, then the bytes
  if (left < 0) return;
  answer.header("Content-Length", std::to_string(left));

  std::vector<char> bytes(1 << 16);
  while (left > 0) {
    archive.read(bytes.data(), (std::min)(left, static_cast<std::int64_t>(bytes.size())));
    const std::streamsize came = archive.gcount();
    const bool is_wanted = answer.write(bytes.data(), static_cast<std::size_t>(came));
    if (!is_wanted || came == 0) return;  // a short answer is an error, and told as one
    left -= came;
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string path = argc > 1 ? argv[1] : "models.tar";

  vqcache::options opts;
  opts.fetch = [path](const vqcache::request& wanted, vqcache::response& answer) {
    answer_from(path, wanted, answer);  // on the calling thread, one request at a time
  };
  const vqcache::result got =
      vqcache::try_download_vqgan_model("shipped", "tar://model.yaml", "tar://last.ckpt", opts);
  if (!got) {
    std::fprintf(stderr, "%s\n", got.error.what());
    return 1;
  }
  std::printf("%s\n%s\n", got->config.string().c_str(), got->checkpoint.string().c_str());
  return 0;
}
