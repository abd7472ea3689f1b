// Stands in for ONNX Runtime's <onnxruntime_cxx_api.h>: what examples/onnx_external_data.cpp calls,
// with the same signatures. As there, the file of weights has to lie beside the graph.
#ifndef VQCACHE_STAND_IN_ONNXRUNTIME_CXX_API_H
#define VQCACHE_STAND_IN_ONNXRUNTIME_CXX_API_H

#include <cstddef>
#include <fstream>
#include <stdexcept>
#include <string>

enum OrtLoggingLevel { ORT_LOGGING_LEVEL_WARNING = 2 };

namespace Ort {

class Exception : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class Env {
 public:
  Env(OrtLoggingLevel, const char*) {}
};

class SessionOptions {};

class Session {
 public:
  Session(const Env&, const char* path, const SessionOptions&) {
    const std::string graph = path;
    for (const std::string& file : {graph, graph + "_data"}) {
      if (!std::ifstream(file)) throw Exception("File doesn't exist: " + file);
    }
  }

  std::size_t GetInputCount() const { return 1; }
};

}  // namespace Ort

#endif
