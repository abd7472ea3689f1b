// suite.hpp: what the library does in a C++ interpreter, as one header that an interpreter includes.
// run.py makes the directory it is included in: there lie `copy/vqcache.hpp`, a copy of the header,
// and a server answers. A line for each guarantee, then "N passed, N failed".
#ifndef VQCACHE_TESTS_NOTEBOOKS_SUITE_HPP
#define VQCACHE_TESTS_NOTEBOOKS_SUITE_HPP

// twice, and a copy from another path: one definition
#include "copy/vqcache.hpp"
#include "vqcache.hpp"

#include <chrono>
#include <fstream>
#include <iostream>
#include <iterator>

namespace suite {

namespace fs = std::filesystem;
using vqcache::options;
using vqcache::result;
using vqcache::source;

struct counts {
  int passed = 0, failed = 0;
};

inline counts& count() {
  static counts all;
  return all;
}

inline void expect(bool good, const std::string& what, const std::string& seen = "") {
  good ? ++count().passed : ++count().failed;
  std::cout << (good ? "ok: " : "failed: ") << what;
  if (!good && !seen.empty()) std::cout << " [" << seen << "]";
  std::cout << std::endl;
}

inline bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

inline std::string slurp(const fs::path& p) {
  std::ifstream in(p.string().c_str(), std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
}

// What was said in the last call. A static of a function: the rule for state in interpreters.
inline std::string& said() {
  static std::string all;
  return all;
}

inline int& looks() {
  static int n = 0;
  return n;
}

inline void listen(const std::string& line) {
  said() += line + "\n";
}

inline bool look(const vqcache::progress& p) {
  return looks() += p.file == "m.ckpt", true;
}

inline options at(const std::string& place, const std::string& transport) {
  options o;
  o.local_dir = place + "/local";
  o.cache_dir = place + "/cache";
  o.transport = transport;
  o.on_message = listen;
  o.on_progress = look;
  return o;
}

inline result call(const options& o, const std::string& from) {
  said().clear();
  looks() = 0;
  return vqcache::try_download_vqgan_model(
      "m", source(from + "/model.yaml"), source(from + "/last.ckpt"), o);
}

// The story over one transport: cold, hit, the local disk wiped and the origin gone.
inline void story(const std::string& place, const options& o, const std::string& url) {
  const std::string right = slurp("site/last.ckpt"), dead = "http://127.0.0.1:9";
  result r = call(o, url);
  expect(r.ok() && r.model.from == vqcache::origin::network && r.model.cached,
      place + ": a cold call brings the pair", r.error.what());
  expect(has(said(), "The model (m) was not found, downloading and caching."),
      place + ": and says so", said());
  expect(looks() > 1, place + ": and shows progress");
  expect(!right.empty() && slurp(place + "/local/m.ckpt") == right
          && slurp(place + "/cache/m/m.ckpt") == right,
      place + ": both tiers have the origin's bytes");
  r = call(o, url);
  expect(r.ok() && r.model.from == vqcache::origin::local && r.model.cached,
      place + ": the next call is a hit", r.error.what());
  std::error_code none;
  fs::remove_all(place + "/local", none);
  r = call(o, dead);
  expect(
      r.ok() && r.model.from == vqcache::origin::cache && slurp(place + "/local/m.ckpt") == right,
      place + ": the copy serves when the origin is gone", r.error.what());
}

inline void fetch_file(const vqcache::request& q, vqcache::response& r) {
  const std::string bytes = slurp("site" + q.url.substr(q.url.rfind('/')));
  if (bytes.empty()) return r.fail("no such file");
  r.status(200);
  for (std::size_t i = 0; i < bytes.size(); i += 65536)
    if (!r.write(bytes.data() + i, (std::min)(bytes.size() - i, std::size_t{65536}))) return;
}

inline void errors(const std::string& url) {
  result r = call(at("bad", ""), url + "/nothing-here");
  expect(r.error.code() == vqcache::errc::http_status && has(r.error.what(), "model 'm'")
          && has(r.error.what(), "404"),
      "a bad URL is a value that tells model, URL and status", r.error.what());
  options o = at("bad", "");
  o.create_dirs = false;
  r = call(o, url);
  expect(r.error.code() == vqcache::errc::directory_missing
          && has(r.error.what(), "Directory not found"),
      "a missing directory is a value that names it", r.error.what());
  r = vqcache::try_download_vqgan_model("no/name", o);
  expect(r.error.code() == vqcache::errc::invalid_argument, "so is a name that cannot be one",
      r.error.what());
}
#if !defined(VQCACHE_SUITE_CATCHES_NOTHING)
inline void exceptions(const std::string& url) {
  std::string what;
  try {
    vqcache::download_vqgan_model("m", source(url + "/nothing-here/model.yaml"),
        source(url + "/nothing-here/last.ckpt"), at("thrown", ""));
  } catch (const vqcache::error& e) {
    what = e.what();
  }
  expect(has(what, "model 'm'") && has(what, "nothing-here") && has(what, "404"),
      "an exception carries the full text", what);
}
#endif
inline void platform() {
  ::setenv("BINDER_REPO_URL", "u", 1);
  options plain;
  plain.on_message = listen;
  said().clear();
  const options found = vqcache::notebook_options(plain);
  expect(!found.cache_dir.empty() && has(said(), "models go to '"),
      "notebook_options finds a platform", said());
  expect(vqcache::notebook_options(at("kept", "")).cache_dir == "kept/cache",
      "and keeps what is set", said());
  ::unsetenv("BINDER_REPO_URL");
}

#if VQCACHE_HAS_BODIES
// The system's library does the hashing: -O0 code of an interpreter would take seconds.
inline void hashing() {
  const bool by_system = vqcache::detail::hash::system_engine().add != nullptr;
  const std::string block(1 << 20, 'x');
  vqcache::detail::hash::sha256 sha;
  sha.start();
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 64; ++i)
    sha.update(block.data(), block.size());
  const std::string hex = sha.hex();
  const double took =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  expect(by_system, "the system's libcrypto hashes");
  expect(hex == "e20a69eca39368572e90b9135738a613838f954987a0b44b6220889c171cbb76",
      "64 MiB have a digest", hex);
  std::cout << "note: 64 MiB hashed at " << int(67.108864 / took) << " MB/s" << std::endl;
}
#endif

// Enough for a pipe or a message to be cut, if anything cuts: run.py looks for every line.
inline void output() {
  for (int i = 0; i < 300; ++i)
    vqcache::print_message("line " + std::to_string(i) + " " + std::string(60, '.'));
  vqcache::progress_line line;
  for (std::uint64_t i = 0; i <= 4; ++i)
    line({"m", "m.ckpt", vqcache::phase::downloading, i * 250000000, 1000000000, 25e6, 7});
}

inline int run(const std::string& url) {
  count() = counts();
  story("libcurl", at("libcurl", "libcurl"), url);
  story("curl", at("curl", "curl"), url);
  options own = at("own", "");
  own.fetch = fetch_file;
  story("own", own, url);
  errors(url);
#if defined(VQCACHE_SUITE_CATCHES_NOTHING)
  std::cout << "note: exceptions are not tried: this interpreter loses their handlers" << std::endl;
#else
  exceptions(url);
#endif
  platform();
#if VQCACHE_HAS_BODIES
  hashing();
#endif
  output();
  std::cout << count().passed << " passed, " << count().failed << " failed" << std::endl;
  return count().failed;
}

}  // namespace suite

#endif
