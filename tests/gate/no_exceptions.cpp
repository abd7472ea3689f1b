// Compiled with -fno-exceptions -fno-rtti: the try_ forms alone tell the whole story.

#include "vqcache.hpp"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#if defined(__cpp_exceptions) || defined(__cpp_rtti)
#error "compile this with -fno-exceptions -fno-rtti"
#endif

static bool put(const std::filesystem::path& path, const std::string& bytes) {
  std::FILE* f = std::fopen(path.string().c_str(), "wb");
  return f && std::fwrite(bytes.data(), 1, bytes.size(), f) == bytes.size() && !std::fclose(f);
}

static std::string get(const std::filesystem::path& path) {
  std::string out;
  if (std::FILE* f = std::fopen(path.string().c_str(), "rb")) {
    for (int c; (c = std::fgetc(f)) != EOF;)
      out += static_cast<char>(c);
    std::fclose(f);
  }
  return out;
}

static void expect(bool holds, int line, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "no_exceptions.cpp:%d: %s\n", line, what);
  std::exit(1);
}

#define EXPECT(condition) expect(condition, __LINE__, #condition)

int main(int argc, char** argv) {
  EXPECT(argc == 2);  // a directory to work in
  const std::filesystem::path top = argv[1];
  const std::string config = "model:\n  target: taming.models.vqgan.VQModel\n";
  const std::string checkpoint = "\x80\x02" + std::string(300000, 'k');
  EXPECT(put(top / "c.yaml", config) && put(top / "k.ckpt", checkpoint));
  const std::string from_config = "file://" + (top / "c.yaml").string();
  const std::string from_checkpoint = "file://" + (top / "k.ckpt").string();

  vqcache::options opt;
  opt.local_dir = top / "local";
  opt.cache_dir = top / "cache";
  opt.on_message = nullptr;

  vqcache::result r = vqcache::try_download_vqgan_model("m", from_config, from_checkpoint, opt);
  expect(r.ok(), __LINE__, r.error.what());
  EXPECT(r.model.from == vqcache::origin::network && r.model.cached);
  EXPECT(get(r.model.config) == config && get(r.model.checkpoint) == checkpoint);

  r = vqcache::try_download_vqgan_model("m", from_config, from_checkpoint, opt);
  EXPECT(r.ok() && r.model.from == vqcache::origin::local);

  std::filesystem::remove_all(opt.local_dir);
  std::filesystem::remove(top / "k.ckpt");
  r = vqcache::try_download_vqgan_model("m", opt);
  expect(r.ok(), __LINE__, r.error.what());
  EXPECT(r.model.from == vqcache::origin::cache && get(r.model.checkpoint) == checkpoint);

  r = vqcache::try_download_vqgan_model("gone", from_config, from_checkpoint, opt);
  EXPECT(!r.ok() && r.error.code() && *r.error.what());
  EXPECT(!std::filesystem::exists(opt.local_dir / "gone.ckpt"));
  r = vqcache::try_download_vqgan_model("", opt);
  EXPECT(!r && r.error.code() == vqcache::make_error_code(vqcache::errc::invalid_argument));
  EXPECT(vqcache::try_list_models(opt)->size() == 1);
  EXPECT(vqcache::try_verify_model("m", opt)->ok() && vqcache::try_repair_model("m", opt)->ok());
  EXPECT(vqcache::try_doctor(opt).ok() && !vqcache::try_doctor(opt)->empty());
  EXPECT(vqcache::try_restore_model("m", opt)->files.size() == 2);
  EXPECT(vqcache::try_download_model("s", {{"a.bin", from_config}}, opt).ok() == false);
  EXPECT(vqcache::try_download_file("c.yaml", from_config, opt).ok());
  EXPECT(vqcache::try_explain("m", opt)->is_hit);
  EXPECT(vqcache::try_prune(std::uint64_t{1} << 40, false, opt)->freed == 0);
  EXPECT(!vqcache::try_remove("m", opt).code());
  EXPECT(!std::filesystem::exists(opt.local_dir / "m.ckpt"));
  std::puts("download, hit, restore, error and remove without exceptions and rtti");
}
