// The libFuzzer program: VQCACHE_FUZZ=TARGET chooses, `list` names them, `seeds TARGET DIR` writes
// the inputs of corpus.txt there, a file each. An input that breaks a property is printed as a line
// of corpus.txt.
#include "targets.hpp"

#include <cstdio>
#include <cstring>

namespace {

const fuzz::target& chosen() {
  static const fuzz::target* const one = [] {
    const char* name = std::getenv("VQCACHE_FUZZ");
    for (const fuzz::target& t : fuzz::targets())
      if (name && std::strcmp(t.name, name) == 0) return &t;
    std::fprintf(stderr, "VQCACHE_FUZZ names no target\n");
    std::exit(2);
  }();
  return *one;
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  char** a = *argv;
  if (*argc == 2 && std::strcmp(a[1], "list") == 0) {
    for (const fuzz::target& t : fuzz::targets())
      std::printf("%s\n", t.name);
    std::exit(0);
  }
  if (*argc == 4 && std::strcmp(a[1], "seeds") == 0) {
    const std::filesystem::path to = a[3];
    int n = 0;
    for (const std::string& s : fuzz::corpus(VQCACHE_FUZZ_CORPUS, a[2]))
      std::ofstream(to / std::to_string(n++), std::ios::binary) << s;
    std::exit(n > 1 ? 0 : 1);  // a target without inputs is an oversight
  }
  (void)chosen();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  try {
    chosen().run(input);
  } catch (const fuzz::broken& b) {
    std::fprintf(stderr, "[%s]\n%s\nbroken: %s\n", chosen().name, fuzz::to_line(input).c_str(),
        fuzz::to_line(b.what).c_str());
    std::abort();
  }
  return 0;
}
