// subject: what the fault sweep runs. It makes ONE call of the library and says how that went.
//
//   subject TRANSPORT LOCAL CACHE CONFIG_URL CHECKPOINT_URL [CONNECTIONS [PIN PIN]]
//   subject set[-TRANSPORT] LOCAL CACHE URL FILE...
//   subject prune|verify|repair LOCAL CACHE
//
// TRANSPORT: fetch (a callback of ours over a plain socket), libcurl or curl. The pins are the
// SHA-256 of the config and the checkpoint. set: the call is that of vqcache::download_model, each
// file is at URL followed by its name; prune, verify, repair: of vqcache::try_prune(),
// try_verify_model() and try_repair_model(). All of these use our fetch, but for set-libcurl and
// set-curl.
// Standard output: "message: ..." for each message, then "from=local|cache|network cached=0|1"; of
// verify and repair "checked local|cache CONDITION FILE: WHY" for each file, then "ok=0|1".
// Standard error: "error: ..." and "code: N no_space=0|1". Exit 0: the call returned; 1: it threw a
// vqcache::error; 3: it threw anything else, which no fault may cause.
#include "vqcache.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

class socket_fd {
 public:
  socket_fd() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}

  ~socket_fd() {
    if (fd_ >= 0) ::close(fd_);
  }

  socket_fd(const socket_fd&) = delete;
  socket_fd& operator=(const socket_fd&) = delete;

  int get() const { return fd_; }

 private:
  int fd_;
};

ssize_t receive(int fd, char* to, std::size_t size) {
  for (;;) {
    const ssize_t n = ::recv(fd, to, size, 0);
    if (n >= 0 || errno != EINTR) return n;
  }
}

bool send_all(int fd, const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = ::send(fd, text.data() + done, text.size() - done, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    done += static_cast<std::size_t>(n);
  }
  return true;
}

// The simplest honest fetcher: HTTP/1.0, one connection a request, every failure told.
void fetch(const vqcache::request& ask, vqcache::response& out) {
  const std::string start = "http://127.0.0.1:";
  if (ask.url.compare(0, start.size(), start) != 0) return out.fail("not our origin");
  const std::size_t slash = ask.url.find('/', start.size());
  const int port = std::atoi(ask.url.c_str() + start.size());

  socket_fd s;
  if (s.get() < 0) return out.fail(std::string("socket: ") + std::strerror(errno));
  const timeval limit{3, 0};
  if (::setsockopt(s.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0)
    return out.fail(std::string("setsockopt: ") + std::strerror(errno));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(port));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(s.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0)
    return out.fail(std::string("connect: ") + std::strerror(errno));

  std::string head = "GET " + ask.url.substr(slash) + " HTTP/1.0\r\nHost: 127.0.0.1\r\n";
  bool ranged = false;
  for (const std::string& h : ask.headers) {
    ranged = ranged || h.compare(0, 6, "Range:") == 0;
    head += h + "\r\n";
  }
  if (!ranged && (ask.offset != 0 || ask.length != 0)) {
    head += "Range: bytes=" + std::to_string(ask.offset) + "-";
    if (ask.length != 0) head += std::to_string(ask.offset + ask.length - 1);
    head += "\r\n";
  }
  if (!send_all(s.get(), head + "\r\n"))
    return out.fail(std::string("send: ") + std::strerror(errno));

  static char block[65536];
  std::string got;
  std::size_t body = std::string::npos;
  // small pieces here, so that a short body comes in several calls that can fail
  while ((body = got.find("\r\n\r\n")) == std::string::npos) {
    const ssize_t n = receive(s.get(), block, 200);
    if (n < 0) return out.fail(std::string("recv: ") + std::strerror(errno));
    if (n == 0) return out.fail("the connection ended inside the header");
    got.append(block, static_cast<std::size_t>(n));
  }
  out.status(std::atoi(got.c_str() + got.find(' ')));
  for (std::size_t at = got.find("\r\n") + 2; at < body;) {
    const std::size_t end = got.find("\r\n", at), colon = got.find(": ", at);
    out.header(got.substr(at, colon - at), got.substr(colon + 2, end - colon - 2));
    at = end + 2;
  }
  if (got.size() > body + 4 && !out.write(got.data() + body + 4, got.size() - body - 4)) return;
  for (;;) {  // how much has to come is the library's to judge
    const ssize_t n = receive(s.get(), block, sizeof block);
    if (n < 0) return out.fail(std::string("recv: ") + std::strerror(errno));
    if (n == 0) return;
    if (!out.write(block, static_cast<std::size_t>(n))) return;
  }
}

// "NAME removed=0|1: WHY" for each model
int prune(const vqcache::options& with) {
  const auto done = vqcache::try_prune(0, false, with);
  for (const vqcache::pruned_model& one : done->models)
    std::printf("%s removed=%d: %s\n", one.name.c_str(), one.is_removed ? 1 : 0, one.why.c_str());
  if (!done) std::fprintf(stderr, "error: %s\n", done.error.what());
  return done ? 0 : 1;
}

const char* word(vqcache::condition is) {
  switch (is) {
    case vqcache::condition::right: return "right";
    case vqcache::condition::missing: return "missing";
    case vqcache::condition::damaged: return "damaged";
    case vqcache::condition::unreadable: return "unreadable";
    case vqcache::condition::unvouched: return "unvouched";
  }
  return "?";
}

const char* word(vqcache::origin from) {
  switch (from) {
    case vqcache::origin::local: return "local";
    case vqcache::origin::cache: return "cache";
    case vqcache::origin::network: return "network";
  }
  return "?";
}

int tell(const vqcache::answer<vqcache::verification>& found) {
  if (!found) {
    std::fprintf(stderr, "error: %s\n", found.error.what());
    return 1;
  }
  for (const vqcache::checked_file& one : found->files)
    std::printf(
        "checked %s %s %s: %s\n", word(one.where), word(one.is), one.file.c_str(), one.why.c_str());
  std::printf("ok=%d\n", found->ok() ? 1 : 0);
  return 0;
}

int tell(const vqcache::model& m) {
  std::printf("from=%s cached=%d\n", word(m.from), m.cached ? 1 : 0);
  return 0;
}

vqcache::model download_set(int argc, char** argv, const vqcache::options& with) {
  std::vector<vqcache::named_source> files;
  for (int i = 5; i < argc; ++i)
    files.push_back({argv[i], std::string(argv[4]) + argv[i]});
  return vqcache::download_model("sweep_model", files, with);
}

vqcache::model download_pair(int argc, char** argv, vqcache::options& with) {
  vqcache::source config = argv[4], checkpoint = argv[5];
  if (argc > 6) with.connections = static_cast<unsigned>(std::atoi(argv[6]));
  if (argc > 8) config.sha256 = argv[7], checkpoint.sha256 = argv[8];
  return vqcache::download_vqgan_model("sweep_model", config, checkpoint, with);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  const std::string what = argv[1];
  const bool is_upkeep = what == "prune" || what == "verify" || what == "repair";
  const bool is_set = what == "set" || what.compare(0, 4, "set-") == 0;
  if (!is_upkeep && argc < 6) return 2;
  vqcache::options with;
  with.local_dir = argv[2];
  with.cache_dir = argv[3];
  if (is_upkeep || what == "set" || what == "fetch")
    with.fetch = fetch;
  else
    with.transport = is_set ? what.substr(4) : what;
  with.connect_seconds = 5;
  with.stall_seconds = 5;
  with.on_message = [](const std::string& text) {
    std::printf("message: %s\n", text.c_str());
    std::fflush(stdout);
  };
  if (what == "prune") return prune(with);
  if (what == "verify") return tell(vqcache::try_verify_model("sweep_model", with));
  if (what == "repair") return tell(vqcache::try_repair_model("sweep_model", with));
  try {
    return tell(is_set ? download_set(argc, argv, with) : download_pair(argc, argv, with));
  } catch (const vqcache::error& e) {
    std::fprintf(stderr, "error: %s\ncode: %d no_space=%d\n", e.what(), e.code().value(),
        e.code() == std::errc::no_space_on_device ? 1 : 0);
    return 1;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "foreign: %s\n", e.what());
  } catch (...) {
    std::fprintf(stderr, "foreign: something unknown\n");
  }
  return 3;
}
