// demo.cpp: the whole story of vqcache.hpp, without a network. It makes a model (a VQGAN's YAML and
// a checkpoint in PyTorch's zip layout), is itself the origin on 127.0.0.1 that serves it, and
// checks after each step that the outcome is right. Exit status 0: every check held.
//   g++ -std=c++17 -I. examples/demo.cpp -o demo && ./demo          (needs POSIX sockets)
#include "vqcache.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <csignal>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <list>
#include <string>
#include <thread>
#include <vector>

namespace fs = std::filesystem;

namespace {

// ---- the model ----

const char* const yaml = R"(model:
  base_learning_rate: 4.5e-06
  target: taming.models.vqgan.VQModel
  params:
    embed_dim: 1024
    n_embed: 16384
    ddconfig:
      double_z: false
      z_channels: 1024
      resolution: 256
      in_channels: 3
      out_ch: 3
      ch: 128
      ch_mult: [1, 1, 2, 2, 4]
      num_res_blocks: 2
      attn_resolutions: [16]
      dropout: 0.0
    lossconfig:
      target: taming.modules.losses.vqperceptual.DummyLoss
)";

std::uint32_t crc32(const std::string& data) {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t c = i;
    for (int k = 0; k < 8; ++k)
      c = (c >> 1) ^ ((c & 1) ? 0xEDB88320u : 0u);
    table[i] = c;
  }
  std::uint32_t c = 0xFFFFFFFFu;
  for (const char b : data)
    c = table[(c ^ static_cast<unsigned char>(b)) & 255u] ^ (c >> 8);
  return ~c;
}

std::string little(std::uint64_t value, int bytes) {
  std::string s;
  for (int i = 0; i < bytes; ++i)
    s += static_cast<char>((value >> (8 * i)) & 255u);
  return s;
}

// A zip as torch.save writes it: entries stored, not compressed, bytes of each at a multiple of 64.
class zip {
 public:
  void add(const std::string& name, const std::string& data) {
    const std::size_t at = bytes_.size();
    const std::size_t pad = (64 - (at + 30 + name.size() + 4) % 64) % 64;
    const std::string facts = little(0, 2) + little(0, 2) + little(0, 2) + little(0x21, 2)
        + little(crc32(data), 4) + little(data.size(), 4) + little(data.size(), 4)
        + little(name.size(), 2);  // flags, stored, time, date, checksum, sizes, length of the name
    bytes_ += "PK\3\4" + little(20, 2) + facts + little(pad + 4, 2) + name + "FB" + little(pad, 2)
        + std::string(pad, 'Z') + data;
    directory_ += "PK\1\2" + little(20, 2) + little(20, 2) + facts + little(0, 2) + little(0, 2)
        + little(0, 2) + little(0, 2) + little(0, 4) + little(at, 4) + name;
    ++entries_;
  }

  std::string finish() {
    const std::size_t at = bytes_.size();
    return std::move(bytes_) + directory_ + "PK\5\6" + little(0, 4) + little(entries_, 2)
        + little(entries_, 2) + little(directory_.size(), 4) + little(at, 4) + little(0, 2);
  }

 private:
  std::string bytes_, directory_;
  unsigned entries_ = 0;
};

// {"state_dict": {"quantize.embedding.weight": a float tensor of 16384 x 1024}} as a pickle
std::string pickle() {
  const auto word = [](const std::string& s) {
    return "X" + little(s.size(), 4) + s;
  };
  return "\x80\2}" + word("state_dict") + "}" + word("quantize.embedding.weight")
      + "ctorch._utils\n_rebuild_tensor_v2\n((" + word("storage") + "ctorch\nFloatStorage\n"
      + word("0") + word("cpu") + "J" + little(16384 * 1024, 4) + "tQK" + std::string(1, '\0') + "M"
      + little(16384, 2) + "M" + little(1024, 2) + "\x86M" + little(1024, 2) + "K\1\x86\x89"
      + "ccollections\nOrderedDict\n)RtRss.";
}

std::string checkpoint() {
  std::string weights(std::size_t{64} << 20, '\0');
  std::uint64_t state = 88172645463325252u;  // xorshift: the same model at every run
  for (std::size_t i = 0; i < weights.size(); i += 4) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    const float value = static_cast<float>(state >> 40) / 16777216.0f - 0.5f;
    std::memcpy(&weights[i], &value, 4);
  }
  zip z;
  z.add("archive/data.pkl", pickle());
  z.add("archive/byteorder", "little");
  z.add("archive/data/0", weights);
  z.add("archive/version", "3\n");
  return z.finish();
}

// ---- the origin: a small web server on 127.0.0.1, one thread for all its connections ----

class origin {
 public:
  origin(std::string config, std::string weights)
      : config_(std::move(config)),
        weights_(std::move(weights)) {}

  ~origin() { stop(); }

  std::atomic<int> requests{0};

  bool start() {  // at the same port each time
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    const int on = 1;
    setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port_);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    sockaddr* const any = reinterpret_cast<sockaddr*>(&at);
    if (bind(listener_, any, size) || listen(listener_, 64) || getsockname(listener_, any, &size))
      return std::perror("cannot serve on 127.0.0.1"), close(listener_), listener_ = -1, false;
    fcntl(listener_, F_SETFD, FD_CLOEXEC);
    fcntl(listener_, F_SETFL, O_NONBLOCK);
    port_ = ntohs(at.sin_port);
    running_ = true;
    thread_ = std::thread([this] { serve(); });
    return true;
  }

  void stop() {
    running_ = false;
    if (thread_.joinable()) thread_.join();
    if (listener_ >= 0) close(listener_);
    listener_ = -1;
  }

  std::string url(const std::string& file) const {
    return "http://127.0.0.1:" + std::to_string(port_) + "/" + file;
  }

 private:
  struct client {
    int fd;
    std::string in, head;
    const char* body = nullptr;
    std::size_t left = 0;
  };

  void serve() {
    std::list<client> clients;
    while (running_) {
      std::vector<pollfd> wait{{listener_, POLLIN, 0}};
      for (const client& c : clients)
        wait.push_back({c.fd, static_cast<short>(c.head.empty() && !c.left ? POLLIN : POLLOUT), 0});
      poll(wait.data(), static_cast<nfds_t>(wait.size()), 20);
      std::size_t i = 1;
      for (auto c = clients.begin(); c != clients.end(); ++i) {
        if (wait[i].revents == 0 || move(*c))
          ++c;
        else
          close(c->fd), c = clients.erase(c);
      }
      if (wait[0].revents)
        for (int fd; (fd = accept(listener_, nullptr, nullptr)) >= 0;) {
          fcntl(fd, F_SETFD, FD_CLOEXEC);
          fcntl(fd, F_SETFL, O_NONBLOCK);
          clients.push_back({fd, {}, {}, nullptr, 0});
        }
    }
    for (const client& c : clients)
      close(c.fd);
  }

  bool move(client& c) {  // false: this connection is done
    if (c.head.empty() && !c.left) {
      char block[4096];
      const ssize_t n = recv(c.fd, block, sizeof block, 0);
      if (n <= 0 || c.in.size() > 65536) return n < 0 && errno == EAGAIN;
      c.in.append(block, static_cast<std::size_t>(n));
      if (c.in.find("\r\n\r\n") != std::string::npos) answer(c);
      return true;
    }
    const bool head = !c.head.empty();
    const ssize_t n = send(c.fd, head ? c.head.data() : c.body, head ? c.head.size() : c.left, 0);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    if (head)
      c.head.erase(0, static_cast<std::size_t>(n));
    else
      c.body += n, c.left -= static_cast<std::size_t>(n);
    return !c.head.empty() || c.left > 0;
  }

  void answer(client& c) {
    ++requests;
    const std::string path = c.in.substr(0, c.in.find("\r\n"));
    const std::string* file = path.find("/model.yaml ") != std::string::npos ? &config_
        : path.find("/model.ckpt ") != std::string::npos                     ? &weights_
                                                                             : nullptr;
    std::size_t from = 0, to = file ? file->size() : 0;  // a range, for who asks for one
    std::string lower;
    for (const char b : c.in)
      lower += b >= 'A' && b <= 'Z' ? static_cast<char>(b + 32) : b;
    const std::size_t range = lower.find("\r\nrange: bytes=");
    if (file && range != std::string::npos) {
      char* end = &lower[range + 15];
      from = std::strtoull(end, &end, 10);
      if (*end == '-' && end[1] >= '0' && end[1] <= '9')
        to = (std::min)(to, static_cast<std::size_t>(std::strtoull(end + 1, nullptr, 10)) + 1);
    }
    if (!file || from >= to) {
      c.head = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
      return;
    }
    const bool part = range != std::string::npos;
    c.head = part ? "HTTP/1.1 206 Partial Content\r\n" : "HTTP/1.1 200 OK\r\n";
    if (part)
      c.head += "Content-Range: bytes " + std::to_string(from) + "-" + std::to_string(to - 1) + "/"
          + std::to_string(file->size()) + "\r\n";
    c.head += "Accept-Ranges: bytes\r\nETag: \"demo-1\"\r\nConnection: close\r\nContent-Length: "
        + std::to_string(to - from) + "\r\n\r\n";
    c.body = file->data() + from;
    c.left = path.compare(0, 5, "HEAD ") == 0 ? 0 : to - from;
  }

  std::string config_, weights_;
  std::uint16_t port_ = 0;
  int listener_ = -1;
  std::atomic<bool> running_{false};
  std::thread thread_;
};

// ---- the story ----

fs::path made;  // the demo's own directory; main removes it

bool same(const fs::path& file, const std::string& bytes) {
  std::ifstream in(file, std::ios::binary);
  std::string held(std::size_t{1} << 20, '\0');
  std::size_t at = 0;
  while (in.read(&held[0], static_cast<std::streamsize>(held.size())), in.gcount() > 0) {
    const auto n = static_cast<std::size_t>(in.gcount());
    if (bytes.compare(at, n, held, 0, n) != 0) return false;
    at += n;
  }
  return at == bytes.size();
}

int told(const char* what) {
  std::printf("   NOT as it should be: %s\n", what);
  return 1;
}

int story(const std::string& weights) {
  const fs::path local = made / "local", cache = made / "cache";
  const fs::path cached = cache / "demo" / "demo.ckpt";
  origin from(yaml, weights);
  if (!from.start()) return 1;

  vqcache::options opts;
  opts.local_dir = local, opts.cache_dir = cache;
  opts.on_message = [](const std::string& line) {
    std::printf("   %s\n", line.c_str());
  };
  int wrong = 0, step = 0, before = 0;
  vqcache::result got;
  const auto title = [&](const char* text) {
    std::printf("%d. %s\n", ++step, text);
    std::fflush(stdout);
  };
  const auto call = [&] {
    before = from.requests;
    const auto start = std::chrono::steady_clock::now();
    got = vqcache::try_download_vqgan_model(
        "demo", from.url("model.yaml"), from.url("model.ckpt"), opts);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    std::printf("   %s in %.6f s, %d requests to the origin\n", got ? "served" : "failed",
        took.count(), from.requests - before);
  };
  const auto expect = [&](vqcache::origin where, bool asked) {
    if (!got)
      wrong += told(got.error.what());
    else if (got.model.from != where)
      wrong += told("model.from says another origin");
    else if (!got.model.cached)
      wrong += told("model.cached is false");
    else if ((from.requests > before) != asked)
      wrong += told(asked ? "the origin was not asked" : "the origin was asked");
    else if (!same(got.model.config, yaml) || !same(got.model.checkpoint, weights))
      wrong += told("a local file is not the origin's");
    else if (!same(cached, weights))
      wrong += told("the cached file is not the origin's");
  };
  const auto wipe = [&] {
    fs::remove_all(local);
  };
  const auto damage = [&] {
    std::fstream file(cached, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(weights.size() / 2));
    file.write("damage", 6);
    if (!file.flush()) wrong += told("the cached file could not be damaged");
  };

  title("cold: the model is nowhere, it is downloaded and a copy is kept");
  call(), expect(vqcache::origin::network, true);
  title("hit: asked for again");
  call(), expect(vqcache::origin::local, false);
  title("the local disk is wiped: restored from the copy");
  wipe(), call(), expect(vqcache::origin::cache, false);
  title("the origin is gone, the local disk is wiped again: still served");
  from.stop(), wipe(), call(), expect(vqcache::origin::cache, false);
  title("the copy is damaged, the origin is back: found, put aside, repaired");
  if (!from.start()) return 1;
  wipe(), damage(), call(), expect(vqcache::origin::network, true);
  bool aside = false;
  for (const fs::directory_entry& e : fs::directory_iterator(cached.parent_path()))
    aside = aside || e.path().filename().string().find("demo.ckpt.corrupt-") == 0;
  if (!aside) wrong += told("the damaged copy was not put aside");
  title("the copy is damaged and the origin is gone: an error that says so, and no wrong file");
  from.stop(), wipe(), damage(), call();
  if (got)
    wrong += told("it reported success");
  else
    std::printf("   error: %s\n", got.error.what());
  if (!got && got.error.code() != vqcache::errc::connection) wrong += told("another kind of error");
  if (fs::exists(local / "demo.ckpt")) wrong += told("a file stands under the local name");
  title("the origin is back: the same call makes all well");
  if (!from.start()) return 1;
  call(), expect(vqcache::origin::network, true);
  return wrong;
}

}  // namespace

int main() {
  std::signal(SIGPIPE, SIG_IGN);  // the origin's clients may leave early
  for (const char* name : {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "VQCACHE_OFFLINE"})
    unsetenv(name);
  std::error_code why;
  std::string dir = (fs::temp_directory_path(why) / "vqcache-demo-XXXXXX").string();
  if (why || !mkdtemp(&dir[0]))
    return std::fprintf(stderr, "demo: cannot make a directory like %s\n", dir.c_str()), 1;
  made = dir;
  int wrong = 1;
  if (fs::space(made).available < (std::uint64_t{400} << 20)) {
    std::fprintf(stderr, "demo: needs 400 MB free in %s; set TMPDIR\n", dir.c_str());
  } else {
    std::printf("a model of 64 MB, in %s\n", dir.c_str());
    wrong = story(checkpoint());
    if (wrong)
      std::printf("%d checks failed\n", wrong);
    else
      std::printf("all as it should be\n");
  }
  fs::remove_all(made, why);
  return wrong ? 1 : 0;
}
