// onnx_external_data.cpp: a model for ONNX Runtime whose weights lie in a second file.
//   onnx_external_data [ORIGIN]      ORIGIN has model.onnx and model.onnx_data
// Both files are one set: they come, are copied, restored and removed together, and they lie side
// by side under the names that model.onnx refers to.
#include <onnxruntime_cxx_api.h>

#include <cstdio>
#include <string>

#include "vqcache.hpp"

int main(int argc, char** argv) {
  const std::string origin = argc > 1 ? argv[1] : "https://example.org/models";

  vqcache::options opts;
  opts.on_progress = vqcache::progress_line{stderr};
  const vqcache::result got = vqcache::try_download_model("my_network",
      {
          {"model.onnx", origin + "/model.onnx"},
          {"model.onnx_data", origin + "/model.onnx_data"},
      },
      opts);
  if (!got) {
    std::fprintf(stderr, "%s\n", got.error.what());
    return 1;
  }

  // The files come back in the order that they were asked for. ONNX Runtime finds the second one by
  // itself, beside the first.
  const std::filesystem::path& graph = got->files[0];
  Ort::Env environment(ORT_LOGGING_LEVEL_WARNING, "example");
  try {
    // c_str() of a path is what ONNX Runtime takes, on Windows too
    const Ort::Session session(environment, graph.c_str(), Ort::SessionOptions{});
    std::printf("%s has %zu inputs\n", graph.filename().string().c_str(), session.GetInputCount());
  } catch (const Ort::Exception& e) {
    std::fprintf(stderr, "ONNX Runtime cannot load it: %s\n", e.what());
    return 1;
  }
  return 0;
}
