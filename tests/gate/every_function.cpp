// Uses every public function of the header, so that the gate compiles all of it. It also runs: from
// file:// to both tiers, from the cache, a hit, an error, remove. No network, no test framework.
// The gate compiles it several times into one program and renames use_every_function for that.

#include "vqcache.hpp"

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <initializer_list>
#include <ostream>
#include <streambuf>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

int use_every_function(const char* directory);

namespace {

bool put(const std::filesystem::path& path, std::string_view bytes) {
  std::FILE* f = std::fopen(path.string().c_str(), "wb");
  if (!f) return false;
  const bool written = std::fwrite(bytes.data(), 1, bytes.size(), f) == bytes.size();
  return std::fclose(f) == 0 && written;
}

std::string get(const std::filesystem::path& path) {
  std::string out;
  std::FILE* f = std::fopen(path.string().c_str(), "rb");
  if (!f) return out;
  char block[4096];
  for (std::size_t n = 1; n > 0; out.append(block, n))
    n = std::fread(block, 1, sizeof block, f);
  std::fclose(f);
  return out;
}

// A stream that keeps what is written, without <sstream>.
class keeper final : public std::streambuf {
 public:
  std::string text{};

 protected:
  int_type overflow(int_type c) override {
    text.push_back(traits_type::to_char_type(c));
    return c;
  }

  std::streamsize xsputn(const char* s, std::streamsize n) override {
    text.append(s, static_cast<std::size_t>(n));
    return n;
  }
};

int failed(int line, const std::string& why) {
  std::fprintf(stderr, "every_function.cpp:%d: %s\n", line, why.c_str());
  return 1;
}

const char yaml[] =
    "model:\n  base_learning_rate: 4.5e-06\n  target: taming.models.vqgan.VQModel\n";

}  // namespace

#define EXPECT(condition) \
  if (!(condition)) return failed(__LINE__, #condition)

int use_every_function(const char* directory) {
  namespace fs = std::filesystem;
  static int runs = 0;
  const fs::path top = fs::path(directory)
      / ("run" + std::to_string(++runs) + "_" + std::to_string(sizeof(vqcache::options)));
  fs::create_directories(top);
  std::string checkpoint("\x80\x02stand-in for a checkpoint", 26);
  checkpoint.append(100000, '\x5a');
  EXPECT(put(top / "c.yaml", yaml));
  EXPECT(put(top / "k.ckpt", checkpoint));

  vqcache::options opt;
  opt.local_dir = top / "local";
  opt.cache_dir = top / "cache";
  std::vector<std::string> messages;
  opt.on_message = [&messages](const std::string& line) {
    messages.push_back(line);
  };
  opt.on_progress = [](const vqcache::progress& p) {
    return p.done <= p.total || p.total == 0;
  };
  const vqcache::source config((top / "c.yaml").string());
  const vqcache::source both{"https://origin.invalid/k.ckpt", "https://mirror.invalid/k.ckpt"};
  const vqcache::source list(std::vector<std::string>{"file://" + (top / "k.ckpt").string()});
  EXPECT(both.urls.size() == 2 && vqcache::source("a#b").urls.size() == 1);
  EXPECT(vqcache::source().urls.empty());

  vqcache::result r = vqcache::try_download_vqgan_model("every", config, list, opt);
  if (!r) return failed(__LINE__, r.error.what());
  EXPECT(r.model.from == vqcache::origin::network && r.model.cached);
  EXPECT(get(r.model.checkpoint) == checkpoint && get(r.model.config) == yaml);
  keeper kept;
  std::ostream out(&kept);
  out << r.model;
  EXPECT(kept.text == "every");

  fs::remove_all(opt.local_dir);
  fs::remove(top / "k.ckpt");
  r = vqcache::try_download_vqgan_model("every", opt);
  if (!r) return failed(__LINE__, r.error.what());
  EXPECT(r.model.from == vqcache::origin::cache && get(r.model.checkpoint) == checkpoint);
  r = vqcache::try_download_vqgan_model("every", opt);
  EXPECT(r.ok() && r.model.from == vqcache::origin::local);
  EXPECT(messages.size() >= 3);
  EXPECT(messages.back() == "The model (every) is already available locally.");

  // a fetch callback: the whole of request and response
  opt.fetch = [&checkpoint](const vqcache::request& q, vqcache::response& answer) {
    const bool is_config = q.url.find("yaml") != std::string::npos;
    if (q.url.find("absent") != std::string::npos) return answer.fail("no such thing");
    answer.status(200);
    const std::string body = is_config ? std::string(yaml) : checkpoint;
    answer.header("Content-Length", std::to_string(body.size()));
    if (!answer.write(body.data(), body.size())) return;
  };
  r = vqcache::try_download_vqgan_model("fetched", "mine://x/model.yaml", "mine://x/last", opt);
  if (!r) return failed(__LINE__, r.error.what());
  EXPECT(r.model.from == vqcache::origin::network && get(r.model.checkpoint) == checkpoint);

  // errors
  r = vqcache::try_download_vqgan_model("../escape", config, list, opt);
  EXPECT(!r && r.error.code() == vqcache::make_error_code(vqcache::errc::invalid_argument));
  EXPECT(r.error.code().category() == vqcache::error_category());
  EXPECT(std::strlen(vqcache::error_category().name()) > 0);
  EXPECT(!r.error.code().message().empty() && std::strlen(r.error.what()) > 0);
#if defined(__cpp_exceptions)
  try {
    const vqcache::model m = vqcache::download_vqgan_model("fetched", config, list, opt);
    EXPECT(m.from == vqcache::origin::local);
    EXPECT(vqcache::download_vqgan_model("every", opt).name == "every");
    vqcache::remove("fetched", opt);
    EXPECT(!fs::exists(m.checkpoint));
    vqcache::download_vqgan_model("fetched", "mine://x/absent.yaml", "mine://x/absent", opt);
    return failed(__LINE__, "no error was thrown");
  } catch (const vqcache::error& e) {
    EXPECT(std::strlen(e.what()) > 0 && e.code());
  }
#endif
  EXPECT(!vqcache::try_remove("every", opt).code());
  EXPECT(!fs::exists(opt.cache_dir / "every"));

  // any set of files, and looking after it
  const std::vector<vqcache::named_source> files = {
      {"config.yaml", "mine://x/model.yaml"}, {"weights/last.bin", "mine://x/last"}};
  r = vqcache::try_download_model("net", files, opt);
  if (!r) return failed(__LINE__, r.error.what());
  EXPECT(r->files.size() == 2 && get(r->files[1]) == checkpoint);
  r = vqcache::try_download_file("one.bin", "mine://x/one", opt);
  EXPECT(r.ok() && r->files.size() == 1);
  EXPECT(vqcache::try_restore_model("net", opt)->files.size() == 2);
  const auto held = vqcache::try_list_models(opt);
  EXPECT(held.ok() && held->size() >= 2);
  for (const vqcache::held_model& one : *held.operator->()) {
    EXPECT(one.is_local() || one.is_cached());
  }
  EXPECT(vqcache::try_verify_model("net", opt)->ok());
  EXPECT(put(r->files[0], "damaged"));
  EXPECT(!vqcache::try_verify_model("one.bin", opt)->ok());
  EXPECT(vqcache::try_repair_model("one.bin", opt)->ok());
  const auto told = vqcache::try_explain("net", opt);
  EXPECT(told.ok() && told->is_hit && !told->summary.empty() && told->name == "net");
  for (const vqcache::explained_file& one : told->files) {
    EXPECT(one.step == "use" && !one.why.empty() && !one.file.empty() && fs::exists(one.path));
  }
  const auto room = vqcache::try_prune(0, true, opt);
  EXPECT(room.ok() && room->left == 0 && room->freed > 0);
  for (const vqcache::pruned_model& one : room->models) {
    EXPECT(one.is_removed && one.bytes > 0 && !one.why.empty());
  }
  const auto findings = vqcache::try_doctor(opt);
  EXPECT(findings.ok() && !findings->empty());
  for (const vqcache::finding& one : *findings.operator->()) {
    EXPECT(!one.about.empty() && !one.said.empty());
    EXPECT(one.how == vqcache::severity::information || !one.advice.empty());
  }
  EXPECT(vqcache::source(top / "c.yaml").urls[0].find("file://") == 0);
  EXPECT(vqcache::source(std::string_view("a")).urls[0] == "a");
  EXPECT(!vqcache::user_options("app").keep_copy);
#if defined(__cpp_exceptions)
  EXPECT(vqcache::download_model("net", files, opt).cached);
  EXPECT(vqcache::download_file("one.bin", "mine://x/one", opt).cached);
  EXPECT(vqcache::restore_model("net", opt).cached && r.value().cached);
  EXPECT(vqcache::list_models(opt).size() == held->size());
  EXPECT(vqcache::verify_model("net", opt).is_whole(vqcache::origin::cache));
  EXPECT(vqcache::repair_model("net", opt).ok());
  EXPECT(vqcache::explain("net", opt).is_hit);
  EXPECT(vqcache::prune(0, false, opt).freed > 0 && !fs::exists(r->files[0]));
  EXPECT(!vqcache::doctor(opt).empty());
#endif
  for (const vqcache::known_model& known : vqcache::known_models())
    EXPECT(!known.name.empty());
  const vqcache::options defaults;
  EXPECT(defaults.connections == 4 && defaults.create_dirs && !defaults.offline);
  return 0;
}
