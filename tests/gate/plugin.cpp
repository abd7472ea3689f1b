// The header inside a shared library; plugin_host.cpp loads it. With PLUGIN_WORKS the library also
// brings, restores and serves a model, which takes a compiler ten times as long.

#include "vqcache.hpp"

#include <filesystem>
#include <string>
#include <system_error>

#define PLUGIN extern "C" __attribute__((visibility("default")))

PLUGIN void plugin_code(std::error_code& code) {
  code = vqcache::errc::name_taken;
}

PLUGIN void plugin_condition(std::error_condition& condition) {
  condition = std::error_condition(int(vqcache::errc::name_taken), vqcache::error_category());
}

PLUGIN bool plugin_knows(const std::error_code& code) {
  return code == vqcache::errc::name_taken;
}

PLUGIN void plugin_throws() {
  throw vqcache::error(vqcache::errc::name_taken, "thrown in the plugin", {});
}

PLUGIN int plugin_models() {
  return int(vqcache::known_models().size());
}

#ifdef PLUGIN_WORKS

namespace {

vqcache::options options_in(const std::filesystem::path& directory) {
  vqcache::options o;
  o.local_dir = directory / "local";
  o.cache_dir = directory / "cache";
  o.on_message = nullptr;
  o.catch_interrupt = true;
  return o;
}

vqcache::fetcher origin() {
  return [](const vqcache::request& asked, vqcache::response& out) {
    std::string body = "model:\n  target: x\n";
    if (asked.url.find("yaml") == std::string::npos) body = "\x80\x02" + std::string(3000000, 'x');
    out.status(200);
    if (!out.write(body.data(), body.size())) out.fail("stopped");
  };
}

}  // namespace

// 0, or the number of the step that went wrong.
PLUGIN int plugin_work(const char* directory) {
  const std::filesystem::path at = directory;
  std::filesystem::remove_all(at);
  vqcache::options o = options_in(at);
  o.fetch = origin();
  const auto call = [&o] {
    return vqcache::try_download_vqgan_model("m", "mine://x/a.yaml", "mine://x/b.ckpt", o);
  };

  vqcache::result r = call();
  if (!r.ok() || r.model.from != vqcache::origin::network || !r.model.cached) return 1;

  r = call();
  if (!r.ok() || r.model.from != vqcache::origin::local) return 2;

  std::filesystem::remove_all(o.local_dir);
  r = call();
  if (!r.ok() || r.model.from != vqcache::origin::cache) return 3;

  // the library's own transport: libcurl is loaded, or the program started; nobody listens there
  o.fetch = nullptr;
  r = vqcache::try_download_vqgan_model("n", "http://127.0.0.1:1/a", "http://127.0.0.1:1/b", o);
  if (r.error.code() != vqcache::errc::connection) return 4;

  r = vqcache::try_download_vqgan_model("../n", "http://127.0.0.1:1/a", "http://127.0.0.1:1/b", o);
  if (r.error.code() != vqcache::errc::invalid_argument) return 5;

  return vqcache::try_remove("m", o).code() ? 6 : 0;
}

#endif
