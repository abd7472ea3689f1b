// A small world for one test: two directories, an origin in memory, and everything the caller was
// told. Real servers are in support.hpp.
#ifndef VQCACHE_TESTS_WORLD_HPP
#define VQCACHE_TESTS_WORLD_HPP

#include "vqcache.hpp"

#include "support.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <map>
#include <sstream>
#include <thread>

namespace world {

namespace fs = std::filesystem;

// ---- files

inline std::string read(const fs::path& p) {  // "" when it is not there
  std::ifstream in(p, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

using support::lacks;
using support::part;
using support::quoted;
using support::skipped;

inline void write(const fs::path& p, const std::string& content) {
  support::write_file(p, content);
}

// every entry below p as a relative path, sorted, a directory with a slash behind it
inline std::vector<std::string> tree(const fs::path& p) {
  std::vector<std::string> all;
  std::error_code e;
  for (fs::recursive_directory_iterator i(p, e), end; !e && i != end; i.increment(e))
    all.push_back(
        fs::relative(i->path(), p).string() + (i->is_directory() && !i->is_symlink() ? "/" : ""));
  std::sort(all.begin(), all.end());
  return all;
}

// the same with what the files hold, to say that nothing at all has changed
inline std::map<std::string, std::string> contents(const fs::path& p) {
  std::map<std::string, std::string> all;
  for (const std::string& name : tree(p))
    all[name] = fs::is_regular_file(p / name) ? read(p / name) : "";
  return all;
}

inline std::vector<std::string> matching(const fs::path& p, const std::string& part) {
  std::vector<std::string> some;
  for (const std::string& name : tree(p))
    if (name.find(part) != std::string::npos) some.push_back(name);
  return some;
}

struct folder {  // a directory that others may enter, and that goes with its object
  support::temp_dir owner{};
  fs::path at = owner.path();

  folder() { fs::permissions(at, fs::perms(0755)); }
};

// ---- programs and processes

// its output and what it said on standard error; the exit code in *code
inline std::string run(const std::string& command, int* code = nullptr) {
  const support::ran r = support::run(command);
  if (code) *code = r.code;
  return r.output;
}

// by a program that is not ours
inline std::string sha256(const std::string& bytes) {
  static std::map<std::string, std::string> known;
  std::string& digest = known[bytes];
  if (digest.empty()) digest = support::sha256(bytes);
  return digest;
}

// f in a child process, which may change its user, its limits or its mounts; what f returns
inline std::string in_child(const std::function<std::string()>& f) {
  int ends[2];
  if (::pipe(ends) != 0) return "pipe failed";
  std::cout.flush();
  std::fflush(nullptr);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::close(ends[0]);
    std::string said;
    try {
      said = f();
    } catch (const std::exception& e) {
      said = std::string("exception: ") + e.what();
    }
    for (std::size_t done = 0; done < said.size();) {
      const ssize_t n = ::write(ends[1], said.data() + done, said.size() - done);
      if (n <= 0) break;
      done += static_cast<std::size_t>(n);
    }
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string out;
  char text[4096];
  for (ssize_t n = 1; n > 0;)
    if ((n = ::read(ends[0], text, sizeof text)) > 0) out.append(text, static_cast<std::size_t>(n));
  ::close(ends[0]);
  int state = 0;
  ::waitpid(pid, &state, 0);
  return WIFEXITED(state) ? out : "the child died";
}

// f as somebody whom permissions bind, which is not root
inline std::string unprivileged(const std::function<std::string()>& f) {
  return in_child([&]() -> std::string {
    if (::geteuid() == 0
        && (::setgroups(0, nullptr) != 0 || ::setgid(65534) != 0 || ::setuid(65534) != 0))
      return "cannot change the user";
    return f();
  });
}

using environment = support::env_guard;  // a variable of the environment, for a while

class working_directory {
 public:
  explicit working_directory(const fs::path& p) : old_(fs::current_path()) { fs::current_path(p); }

  working_directory(const working_directory&) = delete;
  working_directory& operator=(const working_directory&) = delete;

  ~working_directory() { fs::current_path(old_); }

 private:
  fs::path old_;
};

class tmpfs {  // a file system of a given size; mounted() is false where that is not allowed
 public:
  tmpfs(const fs::path& at, const std::string& size) : at_(at) {
    fs::create_directories(at);
    mounted_ = ::mount("tmpfs", at.c_str(), "tmpfs", 0, ("mode=0777,size=" + size).c_str()) == 0;
  }

  tmpfs(const tmpfs&) = delete;
  tmpfs& operator=(const tmpfs&) = delete;

  ~tmpfs() {
    if (mounted_) ::umount2(at_.c_str(), MNT_DETACH);
  }

  bool mounted() const { return mounted_; }

 private:
  fs::path at_;
  bool mounted_ = false;
};

// what a function prints on standard output and standard error
inline std::string printed(const std::function<void()>& f) {
  const folder temporary;
  const std::string file = (temporary.at / "out").string();
  std::cout.flush();
  std::fflush(nullptr);
  const int out = ::dup(1), err = ::dup(2);
  const int to = ::open(file.c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
  ::dup2(to, 1), ::dup2(to, 2), ::close(to);
  f();
  std::cout.flush();
  std::fflush(nullptr);
  ::dup2(out, 1), ::dup2(err, 2), ::close(out), ::close(err);
  return read(file);
}

// ---- a model: a config as they are published, a checkpoint as torch.save() writes one

inline std::string config(const std::string& remark = "") {
  return "model:\n  base_learning_rate: 4.5e-06\n  target: taming.models.vqgan.VQModel\n"
         "  params:\n    embed_dim: 256\n    n_embed: 1024\n"
      + (remark.empty() ? "" : "# " + remark + "\n");
}

inline std::string number(std::uint64_t n, int bytes) {  // little-endian
  std::string s;
  for (int i = 0; i < bytes; ++i)
    s += static_cast<char>(n >> (8 * i) & 255);
  return s;
}

// a zip archive that holds one stored file of n bytes; fill tells one checkpoint from another
inline std::string checkpoint(std::size_t n = 100000, unsigned fill = 1) {
  std::string data = "\x80\x02}q";
  std::uint32_t x = fill, crc = 0xffffffff;
  while (data.size() < n)
    x = x * 1664525 + 1013904223, data += static_cast<char>(x >> 24);
  for (char c : data) {
    crc ^= static_cast<unsigned char>(c);
    for (int k = 0; k < 8; ++k)
      crc = crc >> 1 ^ (crc & 1 ? 0xedb88320U : 0);
  }
  const std::string name = "archive/data.pkl";
  const std::string facts = number(0, 2) + number(0, 2) + number(0, 4) + number(~crc, 4)
      + number(data.size(), 4) + number(data.size(), 4) + number(name.size(), 2) + number(0, 2);
  const std::string local = "PK\x03\x04" + number(20, 2) + facts + name + data;
  const std::string central = "PK\x01\x02" + number(20, 2) + number(20, 2) + facts + number(0, 2)
      + number(0, 2) + number(0, 2) + number(0, 4) + number(0, 4) + name;
  return local + central + "PK\x05\x06" + number(0, 4) + number(1, 2) + number(1, 2)
      + number(central.size(), 4) + number(local.size(), 4) + number(0, 2);
}

inline std::string flipped(std::string bytes, std::size_t at) {
  bytes[at] = static_cast<char>(bytes[at] ^ 1);
  return bytes;
}

// ---- the world

struct page {  // what the origin answers
  std::string body;
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers{};
};

inline const std::string config_url = "http://origin.test/model.yaml";
inline const std::string checkpoint_url = "http://origin.test/last.ckpt";
inline const std::string net_base = "http://origin.test/net/";  // of a set of other files

class place {
 public:
  place() : local(root.at / "local"), cache(root.at / "cache") {
    serve(config_url, {config()});
    serve(checkpoint_url, {checkpoint()});
  }

  folder root{};
  fs::path local, cache;
  std::map<std::string, page> pages{};
  std::vector<std::string> asked{}, said{};  // URLs in order; lines in order
  std::vector<vqcache::request> requests{};
  std::vector<vqcache::progress> seen{};
  std::function<bool(const vqcache::progress&)> watch{};

  void serve(const std::string& url, page p) { pages[url] = std::move(p); }

  void serve_net() {
    serve(net_base + "config.json", {"{\"layers\": 4}"});
    serve(net_base + "model.onnx", {checkpoint(50000, 3)});
  }

  void origin_dies() { pages.clear(); }

  vqcache::options options() {
    vqcache::options o;
    o.local_dir = local, o.cache_dir = cache;
    o.on_message = [this](const std::string& line) {
      said.push_back(line);
    };
    o.on_progress = [this](const vqcache::progress& p) {
      seen.push_back(p);
      return !watch || watch(p);
    };
    o.fetch = [this](const vqcache::request& q, vqcache::response& r) {
      asked.push_back(q.url);
      requests.push_back(q);
      const auto found = pages.find(q.url);
      if (found == pages.end()) {  // a permanent answer: a test need not wait for other tries
        r.status(404);
        const std::string words = "no such page";
        r.write(words.data(), words.size());
        return;
      }
      const page& p = found->second;
      r.status(p.status);
      for (const auto& h : p.headers)
        r.header(h.first, h.second);
      for (std::size_t at = 0; at < p.body.size(); at += 40000)
        if (!r.write(p.body.data() + at, (std::min)(p.body.size() - at, std::size_t{40000})))
          return;
      if (p.body.empty()) r.write("", 0);
    };
    return o;
  }

  vqcache::result bring_net(const vqcache::options& with) {
    return vqcache::try_download_model("net",
        {{"config.json", net_base + "config.json"}, {"onnx/model.onnx", net_base + "model.onnx"}},
        with);
  }

  // one call, with what was said, asked and seen in it alone
  vqcache::result call(const std::string& name, const vqcache::source& c = config_url,
      const vqcache::source& k = checkpoint_url) {
    return call_with(options(), name, c, k);
  }

  vqcache::result call_with(const vqcache::options& o, const std::string& name,
      const vqcache::source& c = config_url, const vqcache::source& k = checkpoint_url) {
    forget();
    return vqcache::try_download_vqgan_model(name, c, k, o);
  }

  vqcache::result call_by_name(const std::string& name) {
    forget();
    return vqcache::try_download_vqgan_model(name, options());
  }

  void forget() { asked.clear(), said.clear(), requests.clear(), seen.clear(); }

  void wipe_local() { fs::remove_all(local); }

  void wipe_cache() { fs::remove_all(cache); }

  fs::path in_local(const std::string& file) const { return local / file; }

  fs::path in_cache(const std::string& name, const std::string& file) const {
    return cache / name / file;
  }

  bool saw(vqcache::phase what, const std::string& file = "") const {
    for (const vqcache::progress& p : seen)
      if (p.phase == what && (file.empty() || p.file == file)) return true;
    return false;
  }

  bool heard(const std::string& part) const {
    for (const std::string& line : said)
      if (line.find(part) != std::string::npos) return true;
    return false;
  }

  std::string all_said() const {
    std::string s;
    for (const std::string& line : said)
      s += line + "\n";
    return s;
  }

  // both files stand locally with these bytes
  bool local_is(const std::string& name, const std::string& c = config(),
      const std::string& k = checkpoint()) const {
    return read(local / (name + ".yaml")) == c && read(local / (name + ".ckpt")) == k;
  }

  bool cache_is(const std::string& name, const std::string& c = config(),
      const std::string& k = checkpoint()) const {
    return read(cache / name / (name + ".yaml")) == c && read(cache / name / (name + ".ckpt")) == k;
  }

  // nothing unfinished is left in either directory
  std::vector<std::string> litter() const {
    std::vector<std::string> all = matching(root.at, ".part"), more = matching(root.at, ".record");
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
};

inline std::string hit_line(const std::string& name) {
  return "The model (" + name + ") is already available locally.";
}

inline std::string restore_line(const std::string& name) {
  return "The model (" + name + ") is available in the cache, copying locally.";
}

inline std::string download_line(const std::string& name) {
  return "The model (" + name + ") was not found, downloading and caching.";
}

using lines = std::vector<std::string>;

inline std::string why(const vqcache::result& r) {
  return r.error.what();
}

inline bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// a receipt as a program of the past or a person may have written it
inline void write_receipt(const fs::path& at, const std::string& name, const std::string& c,
    const std::string& k, const std::string& remarks = "") {
  write(at / (name + ".sha256"),
      remarks + sha256(c) + "  " + name + ".yaml\n" + sha256(k) + "  " + name + ".ckpt\n");
}

inline void prime(const fs::path& at, const std::string& name, const std::string& c = config(),
    const std::string& k = checkpoint()) {  // as the seed does: no receipt
  write(at / (name + ".yaml"), c);
  write(at / (name + ".ckpt"), k);
}

// "local m.ckpt damaged", for each file that is not right
inline lines wrong(const vqcache::verification& v) {
  const std::map<vqcache::condition, std::string> words = {{vqcache::condition::missing, "missing"},
      {vqcache::condition::damaged, "damaged"}, {vqcache::condition::unreadable, "unreadable"},
      {vqcache::condition::unvouched, "unvouched"}};
  lines all;
  for (const vqcache::checked_file& one : v.files) {
    const bool is_right = one.is == vqcache::condition::right;
    const std::string where = one.where == vqcache::origin::local ? "local " : "cache ";
    if (one.why.empty() != is_right) {
      all.push_back(where + one.file + (is_right ? " right, with a reason" : " without a reason"));
    }
    if (!is_right) {
      all.push_back(where + one.file + " " + words.at(one.is));
    }
  }
  return all;
}

}  // namespace world

#endif
