// fetching.hpp: a user's transport, as a program that has an HTTP client of its own would give it.
//
// The third implementation of the library's transport: HTTP/1.1 over plain sockets, one connection
// for each request. It does what options::fetch asks of such a function and no more: it sends the
// headers it is given and asks for the range, tells the status and the headers as they came, and
// gives the bytes of the body. What the bytes are worth, where a redirect leads, and whether a
// length that was told is reached, is for the library to say. What only a client can see (no
// answer, a head that is none, chunks that are none) it tells with fail().
//
// It speaks neither TLS nor to a proxy.
#ifndef VQCACHE_TESTS_TRANSFER_FETCHING_HPP
#define VQCACHE_TESTS_TRANSFER_FETCHING_HPP

#include "vqcache.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support.hpp"

namespace fetching {

using support::lower;

struct limits {  // of time, in seconds; 0 is none
  unsigned to_connect = 10;
  unsigned of_silence = 10;
};

// Why there is no answer, or no more of it.
struct failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// ---- text

inline std::string trimmed(const std::string& s) {
  const std::size_t first = s.find_first_not_of(" \t");
  if (first == std::string::npos) return {};
  return s.substr(first, s.find_last_not_of(" \t") + 1 - first);
}

inline bool is_digits(const std::string& s) {
  return !s.empty() && s.find_first_not_of("0123456789") == std::string::npos;
}

// A value of a header with one of these is to be refused (RFC 9110, 5.5).
inline bool has_nul_or_cr(const std::string& s) {
  return s.find_first_of(std::string("\0\r", 2)) != std::string::npos;
}

inline bool is_token(const std::string& s) {  // RFC 9110, 5.6.2: what the name of a header may be
  const char* const others = "!#$%&'*+-.^_`|~";
  for (const char c : s)
    if (!std::isalnum(static_cast<unsigned char>(c)) && (c == 0 || !std::strchr(others, c)))
      return false;
  return !s.empty();
}

// ---- the request

struct address {
  std::string host, port = "80", target = "/";
  std::string user;       // "name:password", if the URL logs in
  std::string authority;  // host and port as they stand in the URL
};

inline std::string percent_decoded(const std::string& s) {
  std::string out;
  for (std::size_t i = 0; i < s.size(); ++i) {
    const bool is_byte = s[i] == '%' && i + 2 < s.size()
        && std::isxdigit(static_cast<unsigned char>(s[i + 1]))
        && std::isxdigit(static_cast<unsigned char>(s[i + 2]));
    out += is_byte ? static_cast<char>(std::stoi(s.substr(i + 1, 2), nullptr, 16)) : s[i];
    i += is_byte ? 2 : 0;
  }
  return out;
}

inline std::string base64(const std::string& bytes) {  // RFC 4648, 4
  const char* const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t three = 0;
    for (std::size_t k = i; k < i + 3; ++k)
      three = three << 8 | (k < bytes.size() ? static_cast<unsigned char>(bytes[k]) : 0U);
    for (int shift = 18; shift >= 0; shift -= 6)
      out += digits[three >> shift & 63];
  }

  const std::size_t missing = (3 - bytes.size() % 3) % 3;
  return out.replace(out.size() - missing, missing, missing, '=');
}

// The path of a URL without "." and ".." (RFC 3986, 5.2.4): an address behind a redirect comes with
// those that its server wrote. A query has none.
inline std::string without_dots(const std::string& target) {
  const std::size_t query = (std::min)(target.find('?'), target.size());
  std::vector<std::string> kept;
  bool is_folder = false;
  for (std::size_t at = 1; at <= query;) {
    const std::size_t slash = (std::min)(target.find('/', at), query);
    const std::string segment = target.substr(at, slash - at);
    is_folder = segment == "." || segment == "..";
    if (!is_folder) kept.push_back(segment);
    if (segment == ".." && !kept.empty()) kept.pop_back();
    at = slash + 1;
  }

  std::string path;
  for (const std::string& segment : kept)
    path += "/" + segment;
  return path + (is_folder ? "/" : "") + target.substr(query);
}

inline address parse(const std::string& url) {
  const std::string scheme = "http://";
  if (lower(url.substr(0, scheme.size())) != scheme)
    throw failure("this client speaks http and nothing else");

  const std::string rest = url.substr(scheme.size());
  const std::size_t path = (std::min)(rest.find_first_of("/?#"), rest.size());
  address a;
  a.authority = rest.substr(0, path);
  a.target = rest.substr(path, rest.find('#') - path);
  if (a.target.empty() || a.target[0] != '/') a.target.insert(0, 1, '/');
  a.target = without_dots(a.target);

  const std::size_t login = a.authority.rfind('@');
  if (login != std::string::npos) {
    a.user = percent_decoded(a.authority.substr(0, login));
    if (a.user.find(':') == std::string::npos) a.user += ":";
    a.authority.erase(0, login + 1);
  }

  std::string host = a.authority;
  const bool is_ipv6 = !host.empty() && host[0] == '[';
  const std::size_t colon = host.find(':', is_ipv6 ? host.find(']') : 0);
  if (colon != std::string::npos) {
    a.port = host.substr(colon + 1);
    host.resize(colon);
  }
  a.host = is_ipv6 ? host.substr(1, host.size() - 2) : host;
  return a;
}

inline std::string head_of(const vqcache::request& asked, const address& to) {
  std::string head = "GET " + to.target + " HTTP/1.1\r\n";
  bool names_agent = false;
  bool names_host = false;
  bool logs_in = false;
  for (const std::string& line : asked.headers) {
    const std::string name = lower(line.substr(0, line.find(':')));
    names_agent = names_agent || name == "user-agent";
    names_host = names_host || name == "host";
    logs_in = logs_in || name == "authorization";
    head += line + "\r\n";
  }
  if (!names_host) head += "Host: " + to.authority + "\r\n";
  if (!logs_in && !to.user.empty()) head += "Authorization: Basic " + base64(to.user) + "\r\n";
  if (!names_agent) head += "User-Agent: fetching/1\r\n";

  if (asked.offset > 0 || asked.length > 0) {
    head += "Range: bytes=" + std::to_string(asked.offset) + "-";
    if (asked.length > 0) head += std::to_string(asked.offset + asked.length - 1);
    head += "\r\n";
  }
  return head + "Connection: close\r\n\r\n";
}

// ---- the connection

class connection {
 public:
  using clock = std::chrono::steady_clock;

  connection(const address& to, const limits& allowed) : allowed_(allowed) {
    addrinfo wanted{};
    wanted.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    // RFC 6761, section 6.3: a machine without /etc/hosts knows no such name
    const std::string host = to.host == "localhost" ? "127.0.0.1" : to.host;
    const int error = ::getaddrinfo(host.c_str(), to.port.c_str(), &wanted, &found);
    if (error != 0) throw failure("no address for " + to.host + ": " + ::gai_strerror(error));

    std::string why;
    for (const addrinfo* one = found; one && fd_ < 0; one = one->ai_next)
      why = try_one(*one);
    ::freeaddrinfo(found);
    if (fd_ < 0) throw failure("cannot connect to " + to.authority + ": " + why);
  }

  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;

  ~connection() {
    if (fd_ >= 0) ::close(fd_);
  }

  void send(const std::string& bytes) {
    for (std::size_t done = 0; done < bytes.size();) {
      wait(POLLOUT, allowed_.of_silence);
      const ssize_t n = ::send(fd_, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
      if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (n < 0) throw failure(std::string("cannot send the request: ") + std::strerror(errno));
      done += static_cast<std::size_t>(n);
    }
  }

  // More bytes into the buffer; false: the server has closed the connection.
  bool fill() {
    for (;;) {
      wait(POLLIN, allowed_.of_silence);
      const std::size_t had = buffer_.size();
      buffer_.resize(had + block);
      const ssize_t n = ::recv(fd_, &buffer_[had], block, 0);
      const int error = errno;
      buffer_.resize(had + static_cast<std::size_t>((std::max)(n, ssize_t{0})));
      if (n >= 0) return n > 0;
      if (error != EAGAIN && error != EINTR)
        throw failure(std::string("the connection broke: ") + std::strerror(error));
    }
  }

  // A line without its end. None: the connection was closed before there was one.
  std::optional<std::string> line() {
    std::size_t end;
    while ((end = buffer_.find('\n')) == std::string::npos) {
      if (buffer_.size() > longest_head) throw failure("a line has no end");
      if (!fill()) return {};
    }
    std::string text = buffer_.substr(0, end);
    buffer_.erase(0, end + 1);
    if (!text.empty() && text.back() == '\r') text.pop_back();
    return text;
  }

  std::string take(std::size_t most) {  // of what is in the buffer
    std::string some = buffer_.substr(0, most);
    buffer_.erase(0, some.size());
    return some;
  }

  bool is_empty() const { return buffer_.empty(); }

  // The head has to come within the time of silence: one byte now and then is none.
  void expect_head() {
    if (allowed_.of_silence > 0)
      head_due_ = clock::now() + std::chrono::seconds(allowed_.of_silence);
  }

  void head_has_come() { head_due_.reset(); }

  static constexpr std::size_t longest_head = 300 * 1024;  // as libcurl has it

 private:
  static constexpr std::size_t block = 64 * 1024;

  std::string try_one(const addrinfo& to) {
    fd_ = ::socket(to.ai_family, to.ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, to.ai_protocol);
    if (fd_ < 0) return std::strerror(errno);

    int error = ::connect(fd_, to.ai_addr, to.ai_addrlen) == 0 ? 0 : errno;
    if (error == EINPROGRESS) error = connected();
    if (error == 0) return {};

    ::close(fd_);
    fd_ = -1;
    return std::strerror(error);
  }

  int connected() {  // the error of a connection under way, once it stands or fails
    if (!is_ready(POLLOUT, allowed_.to_connect)) return ETIMEDOUT;
    int error = 0;
    socklen_t size = sizeof error;
    return ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
  }

  bool is_ready(short events, unsigned seconds) {
    const auto due = clock::now() + std::chrono::seconds(seconds);
    for (;;) {
      int left = -1;
      if (seconds > 0) {
        const auto until = head_due_ ? (std::min)(due, *head_due_) : due;
        left = static_cast<int>(
            std::chrono::duration_cast<std::chrono::milliseconds>(until - clock::now()).count());
      }
      if (seconds > 0 && left <= 0) return false;
      pollfd one{fd_, events, 0};
      if (::poll(&one, 1, left) > 0) return true;
    }
  }

  void wait(short events, unsigned seconds) {
    if (!is_ready(events, seconds))
      throw failure("too little came within " + std::to_string(seconds) + " s");
  }

  limits allowed_;
  int fd_ = -1;
  std::string buffer_{};
  std::optional<clock::time_point> head_due_{};
};

// ---- the answer

struct head {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers{};

  std::vector<std::string> all(const std::string& name) const {  // the members of a list, in order
    std::vector<std::string> found;
    for (const auto& [key, value] : headers) {
      if (lower(key) != name) continue;
      for (std::size_t at = 0; at <= value.size();) {
        const std::size_t comma = (std::min)(value.find(',', at), value.size());
        found.push_back(trimmed(value.substr(at, comma - at)));
        at = comma + 1;
      }
    }
    return found;
  }

  bool is_chunked() const {
    const std::vector<std::string> codings = all("transfer-encoding");
    return !codings.empty() && lower(codings.back()) == "chunked";
  }

  // None: not told, or told in a way that the library will not have.
  std::optional<std::uint64_t> length() const {
    const std::vector<std::string> told = all("content-length");
    if (told.empty() || !is_digits(told.front()) || told.front().size() > 18) return {};
    for (const std::string& one : told)
      if (one != told.front()) return {};
    return std::stoull(told.front());
  }
};

inline int status_of(const std::string& line) {
  const bool is_status = line.size() >= 12 && line.compare(0, 7, "HTTP/1.") == 0 && line[8] == ' '
      && is_digits(line.substr(9, 3)) && (line.size() == 12 || line[12] == ' ');
  if (!is_status) throw failure("what came is no answer of HTTP/1");
  return std::stoi(line.substr(9, 3));
}

inline std::string next_line_of_head(connection& from, std::size_t& size) {
  std::optional<std::string> line = from.line();
  if (!line) throw failure("the connection ended within the header");
  size += line->size() + 2;
  if (size > connection::longest_head) throw failure("the header is too long");
  return *line;
}

inline head read_head(connection& from) {
  std::size_t size = 0;
  for (;;) {
    head h;
    h.status = status_of(next_line_of_head(from, size));

    for (std::string line; !(line = next_line_of_head(from, size)).empty();) {
      const bool is_folded = line[0] == ' ' || line[0] == '\t';
      if (is_folded && h.headers.empty()) throw failure("a header begins with white space");
      if (is_folded) {  // RFC 9112, 5.2
        std::string& value = h.headers.back().second;
        value = trimmed(value + " " + trimmed(line));
        continue;
      }

      const std::size_t colon = (std::min)(line.find(':'), line.size());
      const std::string name = trimmed(line.substr(0, colon));
      const std::string value = colon < line.size() ? trimmed(line.substr(colon + 1)) : "";
      if (support::has_control_characters(name) || has_nul_or_cr(value))
        throw failure("a header has a control character");
      h.headers.emplace_back(name, value);
    }

    const bool is_interim = h.status < 200 && h.status != 101;
    if (!is_interim) return h;
  }
}

inline void tell(const head& h, vqcache::response& to) {
  to.status(h.status);
  for (const auto& [name, value] : h.headers)
    if (is_token(name)) to.header(name, value);  // other lines are no headers
}

// So many bytes of the body, or all until the connection ends. False: no more is wanted.
inline bool pass_on(connection& from, std::optional<std::uint64_t> size, vqcache::response& to) {
  while (!size || *size > 0) {
    if (from.is_empty() && !from.fill()) return true;
    const std::uint64_t most = size ? *size : connection::longest_head;
    const std::string some = from.take(
        static_cast<std::size_t>((std::min)(most, std::uint64_t{connection::longest_head})));
    if (!to.write(some.data(), some.size())) return false;
    if (size) *size -= some.size();
  }
  return true;
}

inline std::string next_line_of_chunks(connection& from) {
  std::optional<std::string> line = from.line();
  if (!line) throw failure("the connection ended within a chunk");
  return *line;
}

inline void pass_chunks_on(connection& from, vqcache::response& to) {  // RFC 9112, 7.1
  for (;;) {
    const std::string line = next_line_of_chunks(from);
    const std::string digits = trimmed(line.substr(0, line.find(';')));
    const bool is_size = !digits.empty() && digits.size() <= 15
        && digits.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
    if (!is_size) throw failure("a chunk has no size");

    const std::uint64_t size = std::stoull(digits, nullptr, 16);
    if (size == 0) break;
    if (from.is_empty() && !from.fill()) throw failure("the connection ended within a chunk");
    if (!pass_on(from, size, to)) return;
    if (!next_line_of_chunks(from).empty()) throw failure("a chunk is longer than its size");
  }

  while (!next_line_of_chunks(from).empty()) {}  // the trailers
}

// ---- the fetcher

inline void get(const vqcache::request& asked, vqcache::response& to, const limits& allowed) {
  try {
    const address at = parse(asked.url);
    connection by(at, allowed);
    by.expect_head();
    by.send(head_of(asked, at));
    const head h = read_head(by);
    by.head_has_come();
    tell(h, to);

    const bool has_body = h.status >= 200 && h.status != 204 && h.status != 304;
    const bool is_wanted = to.write("", 0);  // ends the head; a redirect has no use for its body
    if (!has_body || !is_wanted) return;
    if (h.is_chunked()) return pass_chunks_on(by, to);
    (void)pass_on(by, h.length(), to);  // what lacks of a length that was told, the library sees
  } catch (const failure& why) {
    to.fail(why.what());
  }
}

inline vqcache::fetcher client(const limits& allowed) {
  return [allowed](const vqcache::request& asked, vqcache::response& to) {
    get(asked, to, allowed);
  };
}

}  // namespace fetching

#endif
