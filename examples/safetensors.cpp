// safetensors.cpp: one file, and a look at what is in it without any library.
//   safetensors [ORIGIN]      ORIGIN has model.safetensors
// The format: 8 bytes, a little-endian number N; N bytes of JSON, which name each tensor, its type,
// its shape and where its bytes are; then these bytes. https://huggingface.co/docs/safetensors
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>

#include "vqcache.hpp"

namespace {

// The JSON, or nothing: it is no such file.
std::string header_of(const std::filesystem::path& path) {
  constexpr std::uint64_t longest = 100000000;  // bytes; the format allows no more
  std::ifstream file(path, std::ios::binary);
  unsigned char bytes[8] = {};
  file.read(reinterpret_cast<char*>(bytes), sizeof bytes);

  std::uint64_t length = 0;
  for (int i = 7; i >= 0; --i) {
    length = length * 256 + bytes[i];
  }
  if (!file || length > longest) return {};

  std::string header(static_cast<std::size_t>(length), '\0');
  file.read(&header[0], static_cast<std::streamsize>(length));
  return file ? header : std::string();
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++found;
  }
  return found;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string origin = argc > 1 ? argv[1] : "https://example.org/models";

  const vqcache::result got =
      vqcache::try_download_file("model.safetensors", origin + "/model.safetensors");
  if (!got) {
    std::fprintf(stderr, "%s\n", got.error.what());
    return 1;
  }

  const std::string header = header_of(got->files[0]);
  if (header.empty()) {
    std::fprintf(stderr, "%s is no safetensors file\n", got->files[0].string().c_str());
    return 1;
  }
  std::printf("%zu tensors: %.200s\n", count(header, "\"dtype\""), header.c_str());
  return 0;
}
