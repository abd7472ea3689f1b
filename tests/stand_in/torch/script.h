// Stands in for LibTorch's <torch/script.h>: what examples/pair_libtorch.cpp calls, with the same
// signatures. A file is loaded if it is a zip archive, as torch.save() and TorchScript write.
#ifndef VQCACHE_STAND_IN_TORCH_SCRIPT_H
#define VQCACHE_STAND_IN_TORCH_SCRIPT_H

#include <fstream>
#include <stdexcept>
#include <string>

namespace c10 {

class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace c10

namespace torch {
namespace jit {
namespace script {

class Module {
 public:
  void eval() {}
};

}  // namespace script

inline script::Module load(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  char start[2] = {};
  file.read(start, 2);
  if (!file || start[0] != 'P' || start[1] != 'K') throw c10::Error("no archive: " + path);
  return {};
}

}  // namespace jit
}  // namespace torch

#endif
