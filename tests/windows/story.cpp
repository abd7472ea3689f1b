// The core story on Windows, for wine: no test framework, one line for each thing that holds.
//   story.exe BASE_URL DEAD_URL    in an empty working directory; BASE_URL serves served.yaml and
//                                  served.ckpt, nobody listens at DEAD_URL

#include "vqcache.hpp"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

namespace fs = std::filesystem;

static int failures = 0;
static int checks = 0;

static void expect(bool holds, int line, const char* what, const std::string& detail = {}) {
  ++checks;
  if (holds) return;
  ++failures;
  std::printf(
      "failed: story.cpp:%d: %s%s%s\n", line, what, detail.empty() ? "" : ": ", detail.c_str());
}

#define EXPECT(...) expect((__VA_ARGS__), __LINE__, #__VA_ARGS__)
#define EXPECT_OK(r) expect((r).ok(), __LINE__, #r, (r).error.what())
#define EXPECT_CODE(r, wanted)                                                          \
  expect((r).error.code() == vqcache::make_error_code(vqcache::errc::wanted), __LINE__, \
      #r " is " #wanted, (r).error.code().message() + ": " + (r).error.what())

static bool put(const fs::path& path, const std::string& bytes) {
  std::FILE* f = ::_wfopen(path.c_str(), L"wb");
  if (!f) return false;
  const bool written = std::fwrite(bytes.data(), 1, bytes.size(), f) == bytes.size();
  return std::fclose(f) == 0 && written;
}

static std::string get(const fs::path& path) {
  std::string out;
  std::FILE* f = ::_wfopen(path.c_str(), L"rb");
  if (!f) return "(cannot read)";
  char block[65536];
  for (std::size_t n; (n = std::fread(block, 1, sizeof block, f)) > 0;)
    out.append(block, n);
  std::fclose(f);
  return out;
}

static bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

static std::vector<std::string> names_in(const fs::path& directory) {
  std::vector<std::string> out;
  std::error_code none;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, none))
    out.push_back(entry.path().filename().string());
  return out;
}

static int count_with(const fs::path& directory, const std::string& part) {
  int n = 0;
  for (const std::string& name : names_in(directory))
    n += has(name, part) ? 1 : 0;
  return n;
}

// The file's lines as sha256sum writes them: 64 hex digits, two spaces, the name.
static bool receipt_lists(const std::string& receipt, const std::string& name) {
  const std::size_t at = receipt.find("  " + name + "\n");
  if (at == std::string::npos || at < 64) return false;
  for (std::size_t i = at - 64; i < at; ++i)
    if (!has("0123456789abcdef", std::string(1, receipt[i]))) return false;
  return at == 64 || receipt[at - 65] == '\n';
}

// What no code page of one byte can say, in a variable.
static void environment_has_umlauts(const fs::path& top, const vqcache::options& like) {
  const fs::path wanted = top / L"\u00fcber \u65e5\u672c";
  vqcache::options o = like;
  o.local_dir.clear();
  EXPECT(::_wputenv_s(L"VQCACHE_LOCAL_DIR", wanted.c_str()) == 0);
  const vqcache::result r =
      vqcache::try_download_vqgan_model("umlauts", "mine://x/a.yaml", "mine://x/b.ckpt", o);
  EXPECT(::_wputenv_s(L"VQCACHE_LOCAL_DIR", L"") == 0);
  EXPECT_OK(r);
  EXPECT(fs::exists(wanted / "umlauts.ckpt"));
  EXPECT(r.model.checkpoint == wanted / "umlauts.ckpt");
}

// A program that is there and does not start is told from one that is not there.
static void curl_does_not_start(const std::string& base, vqcache::options o) {
  o.transport = "curl";
  const fs::path place = fs::path(std::getenv("SystemRoot")) / "System32";
  const fs::path curl = place / "curl.exe", away = place / "curl.away";
  const auto call = [&] {
    return vqcache::try_download_vqgan_model(
        "does_not_start", base + "/served.yaml", base + "/served.ckpt", o);
  };
  const std::string missing = "No such file";

  fs::rename(curl, away);
  vqcache::result r = call();
  EXPECT_CODE(r, no_transport);
  EXPECT(has(r.error.what(), missing) && has(r.error.what(), "install curl"));

  EXPECT(put(curl, "this is no program\n"));
  r = call();
  EXPECT_CODE(r, no_transport);
  EXPECT(has(r.error.what(), "cannot be started") && !has(r.error.what(), missing));

  fs::remove(curl);
  fs::rename(away, curl);
}

// Programs that are started at one moment inherit only what is theirs: a download is seen to be over
// while another one, started beside it, still waits for its server.
static void nobody_holds_the_pipes_of_another(const std::string& base, const fs::path& top) {
  constexpr int pairs = 4;
  std::atomic<int> ready{0}, quick{0}, held{0};
  std::vector<std::thread> fast, slow;
  const auto bring = [&](const std::string& name, const std::string& from) {
    vqcache::options o;
    o.local_dir = top / "beside" / name;
    o.cache_dir = top / "beside" / (name + " cache");
    o.on_message = nullptr;
    o.transport = "curl";
    o.stall_seconds = 60;
    const vqcache::source config(std::vector<std::string>{base + from + "/served.yaml"});
    ++ready;
    while (ready < 2 * pairs)
      std::this_thread::yield();
    const auto start = std::chrono::steady_clock::now();
    const vqcache::result r = vqcache::try_download_vqgan_model(name, config, "served.ckpt", o);
    if (!r.ok()) std::printf("  beside: %s\n", r.error.what());
    return r.ok() && std::chrono::steady_clock::now() - start < std::chrono::seconds(30);
  };
  for (int i = 0; i < pairs; ++i) {
    const std::string number = std::to_string(i);
    fast.emplace_back([&, number] { quick += bring("fast" + number, "") ? 1 : 0; });
    slow.emplace_back([&, number] { held += bring("slow" + number, "/held") ? 1 : 0; });
  }
  for (std::thread& one : fast)
    one.join();
  EXPECT(quick == pairs);
  EXPECT(held == 0);
  EXPECT(put("release", "now\n"));
  for (std::thread& one : slow)
    one.join();
  EXPECT(held == pairs);
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const std::string base = argv[1], dead = argv[2];
  const std::string config = "model:\r\n  target: taming.models.vqgan.VQModel\n";  // binary mode
  std::string checkpoint = "\x80\x02\x1a\r\n";  // a text mode would end or change these bytes
  for (int i = 0; i < 300000; ++i)
    checkpoint += static_cast<char>(i * 7 + i / 256);

  // a directory whose name is in no single-byte code page
  const fs::path top = fs::current_path() / fs::path(L"mod\u00e8les \u65e5\u672c");
  fs::create_directories(top);
  std::vector<std::string> said;
  int fetched = 0, steps = 0;
  bool origin_gone = false;
  vqcache::options opt;
  opt.local_dir = top / "local";
  opt.cache_dir = top / "cache";
  opt.on_message = [&](const std::string& line) {
    said.push_back(line);
  };
  opt.on_progress = [&](const vqcache::progress&) {
    return ++steps > 0;
  };
  opt.fetch = [&](const vqcache::request& q, vqcache::response& r) {
    ++fetched;
    if (origin_gone) return r.fail("the origin is gone");
    const std::string& body = has(q.url, "yaml") ? config : checkpoint;
    r.status(200);
    for (std::size_t at = 0; at < body.size(); at += 50000)
      if (!r.write(body.data() + at, std::min<std::size_t>(50000, body.size() - at))) return;
  };
  const auto call = [&](const std::string& name = "m") {
    said.clear();
    fetched = 0;
    return vqcache::try_download_vqgan_model(name, "mine://x/a.yaml", "mine://x/b.ckpt", opt);
  };
  const fs::path cached = opt.cache_dir / "m";

  // cold
  vqcache::result r = call();
  EXPECT_OK(r);
  EXPECT(r.model.from == vqcache::origin::network && r.model.cached && fetched == 2 && steps > 0);
  EXPECT(!said.empty() && said[0] == "The model (m) was not found, downloading and caching.");
  EXPECT(r.model.config.is_absolute() && get(r.model.config) == config);
  EXPECT(get(r.model.checkpoint) == checkpoint && r.model.checkpoint.filename() == "m.ckpt");
  EXPECT(get(cached / "m.yaml") == config && get(cached / "m.ckpt") == checkpoint);
  for (const fs::path& receipt : {opt.local_dir / "m.sha256", cached / "m.sha256"}) {
    const std::string text = get(receipt);
    EXPECT(receipt_lists(text, "m.yaml") && receipt_lists(text, "m.ckpt"));
    EXPECT(has(text, "# vqcache ") && !has(text, "\r"));
  }
  EXPECT(count_with(opt.local_dir, ".part") == 0 && count_with(cached, ".part") == 0);

  // hit
  r = call();
  EXPECT_OK(r);
  EXPECT(r.model.from == vqcache::origin::local && r.model.cached && fetched == 0);
  EXPECT(said.size() == 1 && said[0] == "The model (m) is already available locally.");

  // the local disk was wiped and the origin has gone
  origin_gone = true;
  fs::remove_all(opt.local_dir);
  r = call();
  EXPECT_OK(r);
  EXPECT(r.model.from == vqcache::origin::cache && fetched == 0);
  EXPECT(!said.empty() && said[0] == "The model (m) is available in the cache, copying locally.");
  EXPECT(get(r.model.checkpoint) == checkpoint && get(r.model.config) == config);

  // nothing has it: an error, and nothing under a final name
  r = call("other");
  EXPECT(!r.ok() && has(r.error.what(), "the origin is gone"));
  EXPECT(!fs::exists(opt.local_dir / "other.ckpt") && !fs::exists(opt.local_dir / "other.yaml"));

  // a damaged copy: without an origin an error, with one it is put aside and repaired
  std::string damaged = checkpoint;
  damaged[100000] = static_cast<char>(damaged[100000] ^ 1);
  fs::remove_all(opt.local_dir);
  EXPECT(put(cached / "m.ckpt", damaged));
  origin_gone = false;
  r = call();
  EXPECT_OK(r);
  EXPECT(get(r.model.checkpoint) == checkpoint && get(cached / "m.ckpt") == checkpoint);
  EXPECT(count_with(cached, "m.ckpt.corrupt-") == 1 && r.model.cached);

  // sources that are local: file:///C:/..., and a path with backslashes
  EXPECT(put(fs::current_path() / "a source.yaml", config));
  EXPECT(put(fs::current_path() / "b.ckpt", checkpoint));
  const std::string slashed = fs::current_path().generic_string();
  const fs::path native = (fs::current_path() / "b.ckpt").make_preferred();
  said.clear();
  fetched = 0;
  r = vqcache::try_download_vqgan_model(
      "from_files", "file:///" + slashed + "/a%20source.yaml", native.string(), opt);
  EXPECT_OK(r);
  EXPECT(fetched == 0 && get(r.model.checkpoint) == checkpoint && get(r.model.config) == config);

  // names that would leave the directories, or mean a device
  for (const char* name : {"../m", "..\\m", "C:m", "a/b", "m:stream", "nul", "CON", "aux.txt",
           "com1", "LPT9.x", "m.", " m", "", ".m", "-m", "m\n"}) {
    r = call(name);
    EXPECT_CODE(r, invalid_argument);
    EXPECT(fetched == 0);
  }
  EXPECT(!fs::exists(top / "m.ckpt") && !fs::exists(top / "m.yaml"));

  // a missing directory, an unknown name, no network wanted
  vqcache::options strict = opt;
  strict.local_dir = top / "not there";
  strict.create_dirs = false;
  r = vqcache::try_download_vqgan_model("m", "mine://x/a.yaml", "mine://x/b.ckpt", strict);
  EXPECT_CODE(r, directory_missing);
  EXPECT(!fs::exists(strict.local_dir));
  r = vqcache::try_download_vqgan_model("vqgan_imagenet_f16_16385", opt);
  EXPECT_CODE(r, unknown_model);
  EXPECT(has(r.error.what(), "vqgan_imagenet_f16_16384"));
  vqcache::options quiet = opt;
  quiet.offline = true;
  r = vqcache::try_download_vqgan_model("vqgan_imagenet_f16_16384", quiet);
  EXPECT_CODE(r, offline);
  EXPECT(!vqcache::known_models().empty());

#if defined(__cpp_exceptions)
  try {
    vqcache::download_vqgan_model("nul", opt);
    EXPECT(false && "no error was thrown");
  } catch (const vqcache::error& e) {
    EXPECT(e.code() == vqcache::errc::invalid_argument);
  }
#endif

  // four threads for one model
  fs::remove_all(opt.local_dir);
  fs::remove_all(opt.cache_dir);
  std::atomic<int> right{0}, asked{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      vqcache::options mine;
      mine.local_dir = opt.local_dir;
      mine.cache_dir = opt.cache_dir;
      mine.on_message = nullptr;
      mine.fetch = [&](const vqcache::request& q, vqcache::response& to) {
        ++asked;
        const std::string& body = has(q.url, "yaml") ? config : checkpoint;
        if (!to.write(body.data(), body.size())) to.fail("stopped");
      };
      const vqcache::result one =
          vqcache::try_download_vqgan_model("t", "mine://x/a.yaml", "mine://x/b.ckpt", mine);
      if (one.ok() && get(one.model.checkpoint) == checkpoint) ++right;
      if (!one.ok()) std::printf("  thread: %s\n", one.error.what());
    });
  for (std::thread& thread : threads)
    thread.join();
  EXPECT(right == 4 && asked == 2);

  // the program curl, through CreateProcess
  vqcache::options real;
  real.local_dir = top / "curl local";
  real.cache_dir = top / "curl cache";
  real.on_message = [&](const std::string& line) {
    said.push_back(line);
  };
  real.transport = "curl";
  said.clear();
  vqcache::source served_config(std::vector<std::string>{base + "/served.yaml"});
  vqcache::source served(std::vector<std::string>{base + "/served.ckpt?key=canary-query"}, {},
      {"Authorization: Bearer canary-header"});
  r = vqcache::try_download_vqgan_model("served", served_config, served, real);
  EXPECT_OK(r);
  EXPECT(r.model.from == vqcache::origin::network);
  EXPECT(get(r.model.checkpoint) == get("served.ckpt") && get("served.ckpt").size() > 1000000);
  EXPECT(get(r.model.config) == get("served.yaml"));
  const std::string receipt = get(real.local_dir / "served.sha256");
  EXPECT(has(receipt, "# origin ") && !has(receipt, "canary"));
  for (const std::string& line : said)
    EXPECT(!has(line, "canary"));
  const std::string log = get("curl.log");
  EXPECT(has(log, "header Authorization: Bearer canary-header"));
  for (std::size_t at = 0; (at = log.find("argument ", at)) != std::string::npos; ++at)
    EXPECT(!has(log.substr(at, log.find('\n', at) - at), "canary"));
  fs::remove_all(real.local_dir);
  r = vqcache::try_download_vqgan_model("served", real);
  EXPECT(r.ok() && r.model.from == vqcache::origin::cache);

  r = vqcache::try_download_vqgan_model(
      "absent", base + "/absent.yaml", base + "/absent.ckpt", real);
  EXPECT_CODE(r, http_status);
  EXPECT(has(r.error.what(), "404"));
  r = vqcache::try_download_vqgan_model("dead", dead + "/a.yaml", dead + "/b.ckpt", real);
  EXPECT_CODE(r, connection);
  EXPECT(!fs::exists(real.local_dir / "dead.ckpt"));
  real.transport = "libcurl";
  r = vqcache::try_download_vqgan_model("no_dll", served_config, served, real);
  EXPECT_CODE(r, no_transport);  // there is no libcurl.dll here
  real.transport.clear();        // and then the program serves
  r = vqcache::try_download_vqgan_model("by_itself", served_config, served, real);
  EXPECT_OK(r);

  environment_has_umlauts(top, opt);
  curl_does_not_start(base, real);
  nobody_holds_the_pipes_of_another(base, top);

  EXPECT(!vqcache::try_remove("served", real).code());
  EXPECT(!fs::exists(real.local_dir / "served.ckpt"));
  EXPECT(!fs::exists(real.cache_dir / "served"));
  std::printf("story: %d of %d checks hold\n", checks - failures, checks);
  return failures == 0 ? 0 : 1;
}
