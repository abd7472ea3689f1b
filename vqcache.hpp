// ==== >>manual ==== vqcache.hpp: a model on the fast local disk, and a copy on the disk that stays
// ====
//
// download_vqgan_model() puts a model (a config and a checkpoint) on the local disk and keeps a
// copy on slow persistent storage. When the local disk was wiped, or the origin has vanished from
// the web, the copy serves. Under a final name stands the whole and right file or nothing, after
// any error, signal, kill or power cut. Version 0.1.0. C++17, this one file, nothing to link.
// SPDX-License-Identifier: MIT (text at the end)
//
//   #include <iostream>
//   #include "vqcache.hpp"
//   int main() {
//     const std::string share =
//     "https://heibox.uni-heidelberg.de/d/8088892a516d4e3baf92/files/?dl=1&p=%2F"; std::cout <<
//     vqcache::download_vqgan_model(
//         "vqgan_imagenet_f16_1024", share + "configs%2Fmodel.yaml", share + "ckpts%2Flast.ckpt")
//         << '\n';
//     return 0;
//   }
//
// What a call does
//   both files local            nothing is transferred, and nothing but their names and receipts is
//   looked at else both in the cache      copied to the local disk, their digests checked on the
//   way else                        downloaded (what is missing), checked, published, then copied
//   to the cache
// A model stays valid until a person removes it (vqcache::remove). A damaged copy in the cache is
// put aside as FILE.corrupt-XXXXXXXX and brought again. A cache that is full, read-only or gone
// never fails a call whose local pair is complete: model.cached is false and a message says why.
//
// Trust. A checkpoint is a pickle, so loading one that nobody vouches for is running a stranger's
// program. A pin
// ("URL#sha256=HEX" or source::sha256) is the safe way; without one the first download is trusted
// and its digest, kept in the receipt, binds every later restore and download.
//
// Files. LOCAL/NAME.yaml LOCAL/NAME.ckpt CACHE/NAME/NAME.yaml CACHE/NAME/NAME.ckpt; in each tier a
// receipt NAME.sha256 that `sha256sum -c` reads, written last. Unfinished files are
// .FILE.XXXXXXXXXXXXXXXX.part with a .record of their owner; LOCAL/.NAME.lock only saves a second
// download. Nothing else is ever created.
//
// Transport: options::fetch; else libcurl, loaded when it is first needed; else the program curl,
// run without a shell. Proxies and CA files come from the environment as for curl. TLS is always
// verified, redirects are ours: http and https only, never from https down, at most 20; credentials
// and custom headers stay with their host.
//
// Environment: VQCACHE_LOCAL_DIR, VQCACHE_CACHE_DIR, VQCACHE_OFFLINE=1,
// VQCACHE_TRANSPORT=libcurl|curl. Threads: every function may be called from any thread; callbacks
// and output stay on the calling thread. Limits: not for Windows before 10; a cache whose system
// calls never return blocks the call; partial downloads are not continued yet; symbolic links in
// the cache are not followed (another user could aim them at a secret).
//
// Rooms, in the order of the file; each may use only those above it, and each answers one question:
//   manual   prose that a user needs             os        what is asked of the operating system
//   config   macros and their defaults           hash      computes a digest
//   api      names a user may type               stage     a file that is not finished
//   (border: nothing below is for users)         curl      talks to libcurl or to the program curl
//   error    makes or names an error             transfer  decides how to get bytes
//   text     bytes into meaning, no I/O          tier      finds, restores or stores a finished
//   file catalog  published models                    cache     the story itself, in plain steps
//   notebook the platform's disks                public    thin bodies of the public functions;
//   undef

// ==== >>config ==== macros: the version, and the switches with their defaults ====

#if defined(VQCACHE_HPP) && VQCACHE_HPP != 100
#error "two versions of vqcache.hpp in one translation unit: include only one of them"
#endif
#ifndef VQCACHE_HPP
#define VQCACHE_HPP 100  // major * 10000 + minor * 100 + patch
#define VQCACHE_VERSION_MAJOR 0
#define VQCACHE_VERSION_MINOR 1
#define VQCACHE_VERSION_PATCH 0

// 1: compile against <curl/curl.h> and link libcurl yourself (static builds, notarised
// applications).
#ifndef VQCACHE_USE_LIBCURL
#define VQCACHE_USE_LIBCURL 0
#endif

// 1: this is a C++ interpreter; output then goes through std::cout, which is what a notebook shows.
#ifndef VQCACHE_INTERPRETED
#if defined(__CLING__) || defined(__CLANG_REPL__)
#define VQCACHE_INTERPRETED 1
#else
#define VQCACHE_INTERPRETED 0
#endif
#endif

#if defined(__cpp_exceptions) || defined(__EXCEPTIONS) || defined(_CPPUNWIND)
#define VQCACHE_EXCEPTIONS_ 1
#define VQCACHE_TRY_ try
#define VQCACHE_CATCH_(what) catch (what)
#else
#define VQCACHE_EXCEPTIONS_ 0
#define VQCACHE_TRY_ if (true)
#define VQCACHE_CATCH_(what) else
#endif

// The version and every switch that changes code are part of all names, so that a mismatch fails to
// link.
#if VQCACHE_EXCEPTIONS_ && !VQCACHE_USE_LIBCURL
#define VQCACHE_ABI_ v0_1_0
#elif VQCACHE_EXCEPTIONS_
#define VQCACHE_ABI_ v0_1_0_linked
#elif !VQCACHE_USE_LIBCURL
#define VQCACHE_ABI_ v0_1_0_noexcept
#else
#define VQCACHE_ABI_ v0_1_0_noexcept_linked
#endif

// ==== >>api ==== names a user may type ====

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <exception>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <memory>
#include <ostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>
#if VQCACHE_INTERPRETED
#include <iostream>
#endif
#if VQCACHE_USE_LIBCURL
#include <curl/curl.h>
#endif

namespace vqcache {
inline namespace VQCACHE_ABI_ {

enum class origin { local, cache, network };  // where this call found the files

// Where one file comes from. An URL is http://, https://, file://, a path of this machine, or, with
// options::fetch, any scheme. A pin that is not 64 hex digits, or two different pins, is an error
// of the call.
struct source {
  std::vector<std::string> urls;  // tried in order; the first is the origin, the others are mirrors
  std::string sha256;             // 64 hex digits, or empty: trust on first use
  std::vector<std::string> headers;  // "Name: value", for the host of urls[0] only
  std::uint64_t size = 0;            // bytes; 0: not known

  source() = default;
  source(const char* url) : urls{url} {}  // "URL#sha256=HEX" carries the pin
  source(const std::string& url) : urls{url} {}
  source(std::initializer_list<const char*> mirrors) : urls(mirrors.begin(), mirrors.end()) {}
  explicit source(std::vector<std::string> mirrors, std::string digest = {},
      std::vector<std::string> extra_headers = {})
      : urls(std::move(mirrors)), sha256(std::move(digest)), headers(std::move(extra_headers)) {}
};

struct model {                               // what a call returns
  std::string name;                          // canonical: an alias of a published model is resolved
  std::filesystem::path config, checkpoint;  // the local files, absolute
  vqcache::origin from = vqcache::origin::local;
  bool cached = false;  // the persistent copy is complete, with the local receipt's digests
};
inline std::ostream& operator<<(std::ostream& out, const model& m) { return out << m.name; }

enum class phase { waiting, downloading, restoring, storing, verifying };
struct progress {
  std::string name, file;  // the model, and the file as it is called on disk
  vqcache::phase phase = vqcache::phase::waiting;
  std::uint64_t done = 0, total = 0;               // bytes; total 0: not known
  double bytes_per_second = 0, seconds_left = -1;  // -1: not known
};

// A user's transport. It is called on the calling thread, one request at a time, and fills the
// response: status and headers first (without status() the body is taken as whole, as with 200),
// then the bytes.
struct request {
  std::string url;
  std::vector<std::string> headers;      // "Name: value"
  std::uint64_t offset = 0, length = 0;  // bytes wanted; 0 and 0: the whole file
};
namespace detail {
namespace transfer {
struct reply;
}
}  // namespace detail
class response {
 public:
  void status(int code);
  void header(std::string_view name, std::string_view value);
  bool write(const void* data, std::size_t size);  // false: stop, no more is wanted
  void fail(std::string why);
  explicit response(detail::transfer::reply& to) : to_(&to) {}
 private:
  detail::transfer::reply* to_;
};
using fetcher = std::function<void(const request&, response&)>;

void print_message(const std::string& line);  // the line to standard output, at once

struct options {
  unsigned connections = 4;  // at most, per file; 1 to 16 (one is used so far)
  bool create_dirs = true;   // false: a missing directory is an error
  bool offline = false;      // only the two tiers and local sources; also VQCACHE_OFFLINE=1
  std::filesystem::path local_dir{},
      cache_dir{};  // empty: VQCACHE_LOCAL_DIR and VQCACHE_CACHE_DIR, else
                    // content/models and content/cache/models here; ~ is the home
  fetcher fetch{};  // empty: libcurl, else the program curl
  std::function<void(const std::string&)> on_message = print_message;  // empty: silence
  std::function<bool(const progress&)>
      on_progress{};        // at most twice a second, plus first and last; false cancels
  std::string transport{};  // "libcurl" or "curl": that one; also VQCACHE_TRANSPORT
  std::uint64_t max_bytes = std::uint64_t{64} << 30;  // of a file whose size nobody tells
  unsigned connect_seconds = 20;                      // to connect
  unsigned stall_seconds = 30;  // a transfer that gains under 64 KiB in this time has failed
};

enum class errc {  // stable names; the condition that each equals stands behind it
  invalid_argument =
      1,          // a name, URL, pin, header or option is malformed: std::errc::invalid_argument
  unknown_model,  // no tier holds the name and the catalogue does not list it:
                  // no_such_file_or_directory
  name_taken,     // another model stands under this name: file_exists
  directory_missing,  // and create_dirs is false: no_such_file_or_directory
  permission_denied,  // permission_denied
  no_space,           // the disk, a quota or a file-size limit is exhausted: no_space_on_device
  offline,            // a download would be needed: network_down
  no_transport,       // neither libcurl nor curl: function_not_supported
  connection,         // name look-up, connecting, or the connection broke: connection_aborted
  tls,                // the server's certificate or handshake: connection_refused
  http_status,        // the server answered with an error or nonsense: protocol_error
  not_the_file,       // a page, an error text or the other file of the pair: bad_message
  truncated,          // fewer bytes than announced: message_size
  hash_mismatch,      // other bytes than the pin or the receipt demands: illegal_byte_sequence
  callback,           // one of your callbacks failed: operation_not_permitted
  cancelled,          // on_progress said so: operation_canceled
  interrupted,        // interrupted
  timed_out,          // timed_out
  io                  // the operating system refused a file operation: io_error
};
const std::error_category& error_category() noexcept;
inline std::error_code make_error_code(errc e) noexcept {
  return {static_cast<int>(e), error_category()};
}

#if defined(__clang__)
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wweak-vtables"  // a header has no file of its own for the vtable
#endif
class error : public std::system_error {
 public:
  error() : std::system_error(std::error_code()), text_("no error") {}
  error(errc code, const std::string& text, std::error_code why)
      : std::system_error(make_error_code(code)), text_(text), cause_(why) {}
  const char* what() const noexcept override {
    return text_.what();
  }  // complete: what, which, why, what to do
  std::error_code cause() const noexcept { return cause_; }  // of the operating system, if any
 private:
  std::runtime_error text_;  // for its copy, which cannot throw
  std::error_code cause_;
};
#if defined(__clang__)
#pragma clang diagnostic pop
#endif

struct result {
  vqcache::model model;
  vqcache::error error;
  bool ok() const noexcept { return !error.code(); }
  explicit operator bool() const noexcept { return ok(); }
};

// The name is 1 to 100 of A-Z a-z 0-9 . _ - (not first . or -, not last ., no Windows device name).
// The second form looks in the two tiers first, then in the catalogue of published models. The try_
// forms never throw.
result try_download_vqgan_model(const std::string& name, const source& config,
    const source& checkpoint, const options& opts = {});
result try_download_vqgan_model(const std::string& name, const options& opts = {});
error try_remove(const std::string& name, const options& opts = {});
#if VQCACHE_EXCEPTIONS_
model download_vqgan_model(const std::string& name, const source& config, const source& checkpoint,
    const options& opts = {});
model download_vqgan_model(const std::string& name, const options& opts = {});
void remove(const std::string& name,
    const options& opts = {});  // both tiers: files, receipts, partials, put-aside
#endif

struct known_model {
  std::string name;
  std::vector<std::string> aliases;
  source config, checkpoint;
};
std::vector<known_model> known_models();  // the catalogue; no URL in it was tried when this version
                                          // was made

// ======== border: nothing below is for users; nothing below is declared ahead, so that a room uses
// rooms above ========

namespace detail {

// ==== >>error ==== makes or names an error; the only throw, and what a callback does to a call
// ====

namespace error {

// errors are values here: a status is success, or code, text, and what lies behind it
struct [[nodiscard]] status {
  errc code{};
  std::string text{};           // complete: what, which, why, what to do
  std::error_code cause{};      // of the operating system
  std::exception_ptr thrown{};  // by a callback
  bool ok() const { return code == errc{}; }
};

inline status fail(errc code, std::string text) {
  status s;
  s.code = code;
  s.text = std::move(text);
  return s;
}

inline bool means_full(int e) {
#ifdef EDQUOT
  if (e == EDQUOT) return true;
#endif
  return e == ENOSPC || e == EFBIG;
}

// what: "cannot write" and such; which: a path or program, ready to print
inline status from_system(const std::string& what, const std::string& which, int e) {
  const bool denied = e == EACCES || e == EPERM || e == EROFS;
  status s = fail(means_full(e) ? errc::no_space
          : denied              ? errc::permission_denied
                                : errc::io,
      what + " '" + which + "': " + std::generic_category().message(e) +
          (means_full(e)   ? "; free some space there, or choose another directory"
                  : denied ? "; check its permissions, or choose another directory"
                           : ""));
  s.cause = std::error_code(e, std::generic_category());
  return s;
}

inline vqcache::error to_error(const status& s) {
  return s.ok() ? vqcache::error() : vqcache::error(s.code, s.text, s.cause);
}

#if VQCACHE_EXCEPTIONS_
inline void raise(const status& s) {
  if (s.thrown) std::rethrow_exception(s.thrown);
  if (!s.ok()) throw to_error(s);
}
#endif

// Runs f, which may call back or allocate. What it throws becomes a status.
template <class F> inline status guard(const char* who, const F& f) {
  status s;
  VQCACHE_TRY_ { f(); }
  VQCACHE_CATCH_(...) {
#if VQCACHE_EXCEPTIONS_
    s = fail(errc::callback, std::string(who) + " threw an exception");
    s.thrown = std::current_exception();
    try {
      std::rethrow_exception(s.thrown);
    } catch (const std::exception& e) { s.text += std::string(": ") + e.what(); } catch (...) {
      s.text += " that is no std::exception";
    }
#endif
  }
  return s;
}

// The caller as the rooms below see it: everything that is said or asked goes through here, on the
// calling thread. The first callback that throws or cancels ends the call: stop() says so from then
// on.
class caller {
 public:
  caller(const options& opts, const std::string& model_name) : opts_(&opts), name_(model_name) {}
  const options& opts() const { return *opts_; }
  const std::string& name() const { return name_; }
  const status& stop() const { return stop_; }
  bool stopped() const { return !stop_.ok(); }
  void go_on() {  // after a cancelled step whose work is not needed
    if (stop_.code == errc::cancelled) stop_ = status();
  }
  void stop_with(status s) {
    if (!stopped()) stop_ = std::move(s);
  }
  void say(const std::string& line) {
    if (!opts_->on_message || stopped()) return;
    stop_with(guard("on_message", [&] { opts_->on_message(line); }));
  }
  // one step of a transfer or a wait; at: its first, a middle or its last. false: the call must end
  enum class at { first, middle, last };
  bool step(
      phase what, const std::string& file, std::uint64_t done, std::uint64_t total, at where) {
    if (stopped()) return false;
    if (!opts_->on_progress) return true;
    const auto now = std::chrono::steady_clock::now();
    if (where == at::first) began_ = now, base_ = done;
    if (where == at::middle && now - told_ < std::chrono::milliseconds(500)) return true;
    told_ = now;
    progress p;
    p.name = name_, p.file = file, p.phase = what, p.done = done, p.total = total;
    const double seconds = std::chrono::duration<double>(now - began_).count();
    if (seconds > 0 && done >= base_)
      p.bytes_per_second = static_cast<double>(done - base_) / seconds;
    if (total >= done && total != 0 && p.bytes_per_second > 0)
      p.seconds_left = static_cast<double>(total - done) / p.bytes_per_second;
    bool go_on = true;
    stop_with(guard("on_progress", [&] { go_on = opts_->on_progress(p); }));
    if (!go_on)
      stop_with(
          fail(errc::cancelled, "model '" + name_ + "': cancelled by on_progress at " + file));
    return !stopped();
  }

 private:
  const options* opts_;
  std::string name_;
  status stop_{};
  std::chrono::steady_clock::time_point began_{}, told_{};
  std::uint64_t base_ = 0;
};

#if defined(__clang__)
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wweak-vtables"
#endif
class category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "vqcache"; }
  std::string message(int code) const override { return row(code).text; }
  std::error_condition default_error_condition(int code) const noexcept override {
    return std::make_error_condition(row(code).condition);
  }

 private:
  struct entry {
    const char* text;
    std::errc condition;
  };
  static entry row(int code) noexcept {  // in the order of errc
    static constexpr entry rows[] = {{"no error", std::errc{}},
        {"invalid argument", std::errc::invalid_argument},
        {"unknown model", std::errc::no_such_file_or_directory},
        {"another model has this name", std::errc::file_exists},
        {"directory not found", std::errc::no_such_file_or_directory},
        {"permission denied", std::errc::permission_denied},
        {"no space left", std::errc::no_space_on_device}, {"offline", std::errc::network_down},
        {"no transport", std::errc::function_not_supported},
        {"connection failed", std::errc::connection_aborted},
        {"TLS failed", std::errc::connection_refused}, {"HTTP error", std::errc::protocol_error},
        {"not the file", std::errc::bad_message}, {"truncated", std::errc::message_size},
        {"digest mismatch", std::errc::illegal_byte_sequence},
        {"a callback failed", std::errc::operation_not_permitted},
        {"cancelled", std::errc::operation_canceled}, {"interrupted", std::errc::interrupted},
        {"timed out", std::errc::timed_out}, {"input/output error", std::errc::io_error}};
    return rows[code > 0 && code < 20 ? code : 0];
  }
};
#if defined(__clang__)
#pragma clang diagnostic pop
#endif

}  // namespace error

using error::caller;
using error::fail;
using error::status;

// ==== >>text ==== bytes into meaning, without disk or network ====

namespace text {

inline char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
inline std::string lower(std::string_view s) {
  std::string r(s);
  for (char& c : r) c = lower(c);
  return r;
}
inline bool starts(std::string_view s, std::string_view with) {
  return s.substr(0, with.size()) == with;
}
inline bool ends(std::string_view s, std::string_view with) {
  return s.size() >= with.size() && s.substr(s.size() - with.size()) == with;
}
inline std::string_view trim(std::string_view s) {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (
      !s.empty() && (s.back() == ' ' || s.back() == '\t' || s.back() == '\r' || s.back() == '\n'))
    s.remove_suffix(1);
  return s;
}
// takes what stands before the next `end` off the front of s
inline std::string_view take(std::string_view& s, char end) {
  const std::size_t n = (std::min)(s.find(end), s.size());
  const std::string_view head = s.substr(0, n);
  s.remove_prefix((std::min)(n + 1, s.size()));
  return head;
}
// digits only and no overflow: what a server sends is not trusted to be a number
inline bool to_number(std::string_view s, std::uint64_t& out) {
  if (s.empty()) return false;
  std::uint64_t n = 0;
  for (char c : s) {
    if (c < '0' || c > '9') return false;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (n > (UINT64_MAX - digit) / 10) return false;
    n = n * 10 + digit;
  }
  out = n;
  return true;
}
inline bool is_digest(std::string_view s) {
  return s.size() == 64 && s.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}
inline std::string hex(std::uint64_t n, std::size_t digits) {
  std::string s(digits, '0');
  for (std::size_t i = digits; i-- > 0; n >>= 4) s[i] = "0123456789abcdef"[n & 15];
  return s;
}
inline std::string quoted(std::string_view s) { return "'" + std::string(s) + "'"; }
inline bool has_control(std::string_view s) {
  for (char c : s)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return true;
  return false;
}

// ---- names: empty, or why this cannot be a model's name. Refused on every system, so that a cache
// can move.
inline std::string name_problem(std::string_view name) {
  if (name.empty()) return "it is empty";
  if (name.size() > 100)
    return "it has " + std::to_string(name.size()) + " bytes, at most 100 are allowed";
  for (char c : name)
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
            c == '_' || c == '-'))
      return "only letters, digits and . _ - are allowed";
  if (name.front() == '.' || name.front() == '-') return "it begins with . or -";
  if (name.back() == '.') return "it ends in .";
  const std::string stem = lower(name.substr(0, name.find('.')));
  bool device = stem == "con" || stem == "prn" || stem == "aux" || stem == "nul";
  device = device ||
      (stem.size() == 4 && (starts(stem, "com") || starts(stem, "lpt")) && stem[3] >= '0' &&
          stem[3] <= '9');
  return device ? "Windows keeps this name for a device" : std::string();
}

// how many letters must change to make one of the other (Levenshtein)
inline std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0U : 1U);
      diagonal = row[j];
      row[j] = (std::min)({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

// ---- URLs (RFC 3986, as far as http needs it)
struct url {
  std::string scheme, user, host, port, path;  // path with its query; never a fragment
  std::string origin() const {
    return scheme + "://" + host + ":" + (!port.empty() ? port : scheme == "https" ? "443" : "80");
  }
  std::string whole() const {
    return scheme + "://" + (user.empty() ? "" : user + "@") + host +
        (port.empty() ? "" : ":" + port) + path;
  }
};

inline bool has_scheme(std::string_view s) { return s.find("://") != std::string_view::npos; }
inline bool is_http(const url& u) { return u.scheme == "http" || u.scheme == "https"; }

inline bool parse_url(std::string_view s, url& out) {
  for (char c : s)
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f || c == '"' || c == '\\') return false;
  const std::size_t colon = s.find("://");
  if (colon == 0 || colon == std::string_view::npos) return false;
  url u;
  u.scheme = lower(s.substr(0, colon));
  if (u.scheme.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789+.-") != std::string::npos)
    return false;
  s = s.substr(colon + 3);
  s = s.substr(0, s.find('#'));
  std::string_view authority = s.substr(0, s.find_first_of("/?"));
  u.path = s.substr(authority.size());
  if (u.path.empty() || u.path[0] == '?') u.path.insert(0, "/");
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    u.user = authority.substr(0, at);
    authority.remove_prefix(at + 1);
  }
  const std::size_t bracket = authority.rfind(']');
  const std::size_t port = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  u.host = lower(authority.substr(0, port));
  if (port != std::string_view::npos) u.port = authority.substr(port + 1);
  std::uint64_t number = 0;
  if (!u.port.empty() && (!to_number(u.port, number) || number == 0 || number > 65535))
    return false;
  if (u.host.empty() && u.scheme != "file") return false;
  out = std::move(u);
  return true;
}

// the form that people read: user info and query values become ***, the fragment goes
inline std::string redact(std::string_view s) {
  if (!has_scheme(s)) return std::string(s);
  url u;
  if (!parse_url(s, u)) return std::string(s.substr(0, s.find("://"))) + "://*** (malformed)";
  if (!u.user.empty()) u.user = "***";
  const std::size_t mark = u.path.find('?');
  if (mark == std::string::npos) return u.whole();
  std::string_view query = std::string_view(u.path).substr(mark + 1);
  std::string shown = u.path.substr(0, mark);
  for (char separator = '?'; !query.empty(); separator = '&') {
    std::string_view pair = take(query, '&');
    const std::size_t equals = pair.find('=');
    shown += separator;
    if (equals != std::string_view::npos) shown += std::string(pair.substr(0, equals)) + "=";
    if (!pair.empty()) shown += "***";
  }
  u.path = shown;
  return u.whole();
}

// Where a Location leads; false: nowhere. Its user info is dropped, that of the same origin kept;
// its dot segments are left to curl.
inline bool resolve(const url& base, std::string_view location, url& out) {
  location = location.substr(0, location.find('#'));
  const std::size_t colon = location.find(':');
  const bool absolute = colon != std::string_view::npos && colon < location.find_first_of("/?");
  std::string target;
  if (absolute) {
    target = location;
  } else if (starts(location, "//")) {
    target = base.scheme + ":" + std::string(location);
  } else {
    std::string path = base.path.substr(0, base.path.find('?'));
    if (location.empty()) path = base.path;
    else if (location[0] == '/') path = location;
    else if (location[0] == '?') path += location;
    else path = path.substr(0, path.rfind('/') + 1) + std::string(location);
    target = base.origin() + path;
  }
  url u;
  if (!parse_url(target, u)) return false;
  u.user = u.origin() == base.origin() ? base.user : std::string();
  out = std::move(u);
  return true;
}

// a local path or file:// URL as a path; empty: it is neither
inline std::string local_path(std::string_view s) {
  if (!has_scheme(s)) return std::string(s);
  if (lower(s.substr(0, 7)) != "file://") return {};
  s.remove_prefix(7);
  if (lower(s.substr(0, 10)) == "localhost/") s.remove_prefix(9);
  std::string out;
  for (std::size_t i = 0; i < s.size(); ++i) {
    const auto nibble = [&](std::size_t at) {
      return at < s.size() ? std::string_view("0123456789abcdef").find(lower(s[at]))
                           : std::string_view::npos;
    };
    if (s[i] == '%' && nibble(i + 1) < 16 && nibble(i + 2) < 16) {
      out += static_cast<char>(nibble(i + 1) * 16 + nibble(i + 2));
      i += 2;
    } else {
      out += s[i];
    }
  }
  const bool drive = out.size() > 2 && out[0] == '/' && out[2] == ':';  // file:///C:/folder
  return drive ? out.substr(1) : out;
}

// splits "URL#sha256=HEX"; any other fragment of a URL says nothing to a server and is dropped
inline std::string_view split_pin(std::string_view& address) {
  const std::size_t hash = address.rfind("#sha256=");
  std::string_view pin;
  if (hash != std::string_view::npos) {
    pin = address.substr(hash + 8);
    if (pin.empty()) pin = "(nothing)";
    address = address.substr(0, hash);
  } else if (has_scheme(address)) {
    address = address.substr(0, address.find('#'));
  }
  return pin;
}

// ---- header lines
struct header {
  std::string name, value;  // the name in lower case
};
inline bool parse_header(std::string_view line, header& out) {
  const std::size_t colon = line.find(':');
  if (colon == 0 || colon == std::string_view::npos || has_control(trim(line))) return false;
  out.name = lower(line.substr(0, colon));
  out.value = trim(line.substr(colon + 1));
  return out.name.find_first_not_of("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz") ==
      std::string::npos;
}
inline const std::string* find(const std::vector<header>& headers, std::string_view name) {
  for (const header& h : headers)
    if (h.name == name) return &h.value;
  return nullptr;
}
// false: two lengths, or one that is no number. without one: known stays false
inline bool content_length(const std::vector<header>& headers, bool& known, std::uint64_t& length) {
  known = false;
  for (const header& h : headers) {
    if (h.name != "content-length") continue;
    std::uint64_t n = 0;
    if (!to_number(h.value, n) || (known && n != length)) return false;
    known = true, length = n;
  }
  if (const std::string* coding = find(headers, "transfer-encoding"))
    if (lower(*coding).find("chunked") != std::string::npos)
      known = false;  // RFC 9112 6.3: it overrides
  return true;
}

// ---- receipts, in the format of sha256sum
struct entry {
  std::string file, sha256, origin, etag;
  std::uint64_t size = 0;
  bool sized = false, unverified = false;
};
using receipt = std::vector<entry>;

inline const entry* find(const receipt& r, std::string_view file) {
  for (const entry& e : r)
    if (e.file == file) return &e;
  return nullptr;
}
inline std::string printable(std::string_view s) {
  std::string r(s);
  for (char& c : r)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  return r;
}
inline std::string write_receipt(const receipt& r, const std::string& date) {
  std::string s = "# vqcache 0.1.0 " + date + "\n", sums;
  for (const entry& e : r) {
    if (e.sized) s += "# size " + std::to_string(e.size) + " " + e.file + "\n";
    if (!e.origin.empty()) s += "# origin " + printable(e.origin) + " " + e.file + "\n";
    if (!e.etag.empty()) s += "# etag " + printable(e.etag) + " " + e.file + "\n";
    if (e.unverified) s += "# unverified " + e.file + "\n";
    sums += e.sha256 + "  " + e.file + "\n";
  }
  return s + sums;
}
inline receipt read_receipt(std::string_view s) {
  receipt r;
  std::vector<entry> facts;
  while (!s.empty()) {
    std::string_view line = trim(take(s, '\n'));
    if (starts(line, "# ")) {
      const std::size_t space = line.rfind(' ');
      const std::string_view file = line.substr(space + 1);
      std::string_view value = line.substr(2, space < 2 ? 0 : space - 2);
      const std::string_view key = take(value, ' ');
      auto f =
          std::find_if(facts.begin(), facts.end(), [&](const entry& e) { return e.file == file; });
      if (f == facts.end()) f = facts.insert(facts.end(), entry()), f->file = file;
      if (key == "size") f->sized = to_number(value, f->size);
      if (key == "origin") f->origin = value;
      if (key == "etag") f->etag = value;
      if (key == "unverified") f->unverified = true;
    } else if (line.size() > 66 && is_digest(line.substr(0, 64)) && line[64] == ' ') {
      entry e;
      e.sha256 = lower(line.substr(0, 64));
      e.file = line.substr(66);
      if (!find(r, e.file)) r.push_back(std::move(e));
    }
  }
  for (entry& e : r)
    if (const entry* f = find(facts, e.file)) {
      const std::string digest = e.sha256;
      e = *f;
      e.sha256 = digest;
    }
  return r;
}

// ---- the content sentinel: what was served in place of the file is told from its first bytes
enum class kind { text, binary };  // a config, a checkpoint

// the words a person would see: tags, scripts and styles removed, white space collapsed
inline std::string first_words(std::string_view page) {
  std::string out;
  const std::string small = lower(page);
  for (std::size_t i = 0; i < page.size() && out.size() < 160; ++i) {
    if (page[i] == '<') {
      for (const char* hidden : {"script", "style"})
        if (starts(std::string_view(small).substr(i + 1), hidden))
          i = (std::min)(small.find(std::string("</") + hidden, i), page.size());
      i = (std::min)(page.find('>', i), page.size());
      if (!out.empty() && out.back() != ' ') out += ' ';
    } else if (static_cast<unsigned char>(page[i]) <= 0x20) {
      if (!out.empty() && out.back() != ' ') out += ' ';
    } else if (page[i] != 0x7f) {
      out += page[i];
    }
  }
  return "\"" + std::string(trim(out)) + "\"";
}

// empty, or what the bytes are instead of the file; head: up to 16 KiB from its start
inline std::string not_the_file(kind want, std::string_view head, std::string_view content_type) {
  if (head.empty()) return "an empty file";
  std::string_view s = starts(head, "\xEF\xBB\xBF") ? head.substr(3) : head;
  while (!s.empty() && (s.front() == ' ' || (s.front() >= '\t' && s.front() <= '\r')))
    s.remove_prefix(1);
  if (s.empty()) return "nothing but white space";
  const std::string small = lower(s.substr(0, 1024));
  const bool html_type = lower(content_type).find("text/html") != std::string::npos;
  if (s[0] == '<') {
    const bool page = html_type || starts(small, "<!doctype html") ||
        small.find("<html") != std::string::npos || small.find("<body") != std::string::npos ||
        small.find("<head") != std::string::npos;
    return (page ? "an HTML page (a login, quota or error page?) that says "
                 : "an XML document that says ") +
        first_words(s);
  }
  if (starts(s, "version https://git-lfs"))
    return "a git-lfs pointer, not the file it points to (" + first_words(s.substr(0, 60)) +
        "): use the URL of the raw or resolved file";
  if (s[0] == '{') {
    const std::size_t quote = small.find('"'), end = small.find('"', quote + 1);
    const std::string key =
        end == std::string::npos ? "" : small.substr(quote + 1, end - quote - 1);
    for (const char* word :
        {"error", "errors", "message", "msg", "detail", "code", "status", "error_code"})
      if (key == word) return "a JSON answer that says " + first_words(s.substr(0, 400));
  }
  if (html_type && small.find("</") != std::string::npos)
    return "an HTML page that says " + first_words(s);
  const bool zip = starts(head, "PK\x03\x04"), has_nul = head.find('\0') != std::string_view::npos;
  const char* swapped = "; are the URLs of config and checkpoint swapped?";
  if (want == kind::text) {
    if (zip) return std::string("a zip archive, as checkpoints are") + swapped;
    if (head[0] == '\x80') return std::string("a pickle, as checkpoints are") + swapped;
    if (has_nul) return std::string("binary data (it has NUL bytes)") + swapped;
  } else if (!has_nul && (starts(small, "model:") || small.find("\nmodel:") != std::string::npos) &&
      small.find("target:") != std::string::npos) {
    return "a config (" + first_words(s.substr(0, 60)) + ")" + swapped;
  }
  return {};
}

// a zip archive ends in a record that names its own length (APPNOTE 4.3.16); tail: the last 65,557
// bytes or all
inline bool zip_has_end(std::string_view tail) {
  for (std::size_t at = tail.rfind("PK\x05\x06"); at != std::string_view::npos;
      at = at == 0 ? std::string_view::npos : tail.rfind("PK\x05\x06", at - 1)) {
    if (at + 22 > tail.size()) continue;
    const auto byte = [&](std::size_t i) {
      return static_cast<unsigned>(static_cast<unsigned char>(tail[at + i]));
    };
    if (at + 22 + (byte(20) | byte(21) << 8) == tail.size()) return true;
  }
  return false;
}

}  // namespace text

// ==== >>catalog ==== published models: names, aliases, URLs, sizes, digests ====

namespace catalog {

struct file {
  const char *urls,
      *sha256;  // the origin first, mirrors only where a digest pins them; "": nobody states it
  std::uint64_t size;  // 0: nobody states it
};
struct row {
  const char *name, *aliases;  // an alias of two rows is ambiguous and never resolved
  file config, checkpoint;
};

// Facts that public sources agree on; no URL was tried from where this was made. d: a file in a
// heiBOX share, s: and x: two rescue mirrors, g: GitHub
inline const std::vector<row>& models() {
  static const std::vector<row>& rows = *new std::vector<row>{
      {"vqgan_imagenet_f16_16384",
          "imagenet_f16_16384 imagenet_16384 imagenet-16384 vqgan-imagenet-f16-16384 vqgan16 imagenet",
          {"d:a7530b09fed84f80a887/configs%2Fmodel.yaml s:imagenet/imagenet.yaml x:imagenet.yaml "
           "g:mehdidc/feed_forward_vqgan_clip/releases/download/0.1/vqgan_imagenet_f16_16384.yaml",
              "00e2c6189926f1d89ecfef73e9598db77981c1982f0555fbade963ffd16143c7", 692},
          {"d:a7530b09fed84f80a887/ckpts%2Flast.ckpt s:imagenet/imagenet.ckpt x:imagenet.ckpt "
           "g:mehdidc/feed_forward_vqgan_clip/releases/download/0.1/vqgan_imagenet_f16_16384.ckpt",
              "845a68805098cb666420d5db93df53f3a3b6dd443e6dd85c05759c5b998cd663", 980092370}},
      {"vqgan_imagenet_f16_1024", "imagenet_f16_1024 imagenet_1024 imagenet_vqgan imagenet",
          {"d:8088892a516d4e3baf92/configs%2Fmodel.yaml",
              "cbd6fa371d07bf5bb960e32186e6e81356accbefdcc722bf94583b6a98bda00c", 645},
          {"d:8088892a516d4e3baf92/ckpts%2Flast.ckpt", "", 957954257}},
      {"vqgan_gumbel_f8_8192",
          "vqgan_gumbel_f8 gumbel_f8_8192 gumbel_8192 openimages openimages_gumbel_f8 openimages_f16_8192",
          {"d:2e5662443a6b4307b470/configs%2Fmodel.yaml s:openimages/openimages.yaml x:openimages.yaml "
           "g:ieee8023/latentshift/releases/download/weights/vqgan_gumbel_f8.yaml",
              "91110bab325067b37f85d1e75895a837d59c292bae4f3097f80c518714d5caff", 745},
          {"d:2e5662443a6b4307b470/ckpts%2Flast.ckpt s:openimages/openimages.ckpt x:openimages.ckpt "
           "g:ieee8023/latentshift/releases/download/weights/vqgan_gumbel_f8.ckpt",
              "5cd6c74810ab97e00e942c25403f73afc081e8b19987b31ec0d9ff5b68e7ab14", 376581823}},
      {"wikiart_16384", "vqgan_wikiart_16384 wikiart_f16_16384_8145600 wikiart_16384m wikiart",
          {"g:pixray/pixray/releases/download/v1.7.1/vqgan_wikiart_16384.yaml s:wikiart/wikiart.yaml "
           "x:wikiart.yaml g:Eleiber/VQGAN-Mirrors/releases/download/0.0.1/wikiart_16384.yaml",
              "6e78241d2828ff35b8381839ce249c24a6c468ed429760d33a25e98e7f24499a", 920},
          {"g:pixray/pixray/releases/download/v1.7.1/vqgan_wikiart_16384.ckpt s:wikiart/wikiart.ckpt "
           "x:wikiart.ckpt g:Eleiber/VQGAN-Mirrors/releases/download/0.0.1/wikiart_16384.ckpt",
              "bd08bb46301f98be1712bb2be9f8868cea30b53137cd985d4d6e8da8b3e02c36", 1005327541}},
      {"wikiart_1024", "vqgan_wikiart_1024 vqgan_wikiart_f16_1024 wikiart_1024m wikiart",
          {"g:pixray/pixray/releases/download/v1.7.1/vqgan_wikiart_1024.yaml", "", 0},
          {"g:pixray/pixray/releases/download/v1.7.1/vqgan_wikiart_1024.ckpt", "", 0}},
      {"sflckr", "sflickr s-flckr 2020-11-09T13-31-51_sflckr",
          {"d:73487ab6e5314cb5adba/configs%2F2020-11-09T13-31-51-project.yaml s:sflickr/sflickr.yaml "
           "x:sflckr.yaml",
              "c27f012996f3f1f02580f063be47fd60bdd8528efb04d7318b2cbe8a86505b1b", 1603},
          {"d:73487ab6e5314cb5adba/checkpoints%2Flast.ckpt s:sflickr/sflickr.ckpt x:sflckr.ckpt",
              "8a8adea3da8dab412675772831370dd948e0aa97bb11a9488a2f328b58dbc929", 4263525412}},
      {"coco_first_stage", "coco_1stage coco_vqgan lstage coco",
          {"https://batbot.ai/models/VQGAN/coco_first_stage.yaml s:coco/coco.yaml x:coco_first_stage.yaml",
              "17d0c2d9fda59eccade2a6070d833804b759dc817da42c2268be8cf1eb047676", 458},
          {"https://batbot.ai/models/VQGAN/coco_first_stage.ckpt s:coco/coco.ckpt x:coco_first_stage.ckpt",
              "106cc20fde571df14afc4349d62218d8213cf47177c682ecaa78a8c28b12f9de", 296030214}},
      {"coco_transformer", "vqgan_coco_f16_8192 2021-01-20T16-04-20_coco_transformer coco",
          {"https://dl.nmkd.de/ai/clip/coco/coco.yaml", "", 0},
          {"https://dl.nmkd.de/ai/clip/coco/coco.ckpt", "", 0}},
      {"faceshq_transformer", "faceshq vqgan_faceshq_f16_1024 2020-11-13T21-41-45_faceshq",
          {"s:faceshq/faceshq.yaml",
              "726ca97fb266c3c744f26e5aba2e579a51e310eee711a15f22224031dfdd57e2", 0},
          {"s:faceshq/faceshq.ckpt",
              "3274bba51bd565c90990bbcf7bb5dad0b9b95a6a77011980afc4c3cfc4d1cad1", 0}}};
  return rows;
}

inline std::vector<std::string> words(std::string_view s) {
  std::vector<std::string> r;
  while (!s.empty()) r.emplace_back(text::take(s, ' '));
  return r;
}
inline source sources(const file& f) {
  const auto spelled = [](const std::string& w) -> std::string {
    const std::string rest = w.substr(2);
    const std::size_t slash = rest.find('/');
    if (w[1] != ':') return w;
    if (w[0] == 'g') return "https://github.com/" + rest;
    if (w[0] == 'd')
      return "https://heibox.uni-heidelberg.de/d/" + rest.substr(0, slash) + "/files/?p=%2F" +
          rest.substr(slash + 1) + "&dl=1";
    if (w[0] == 'x')
      return "https://huggingface.co/pxlpshr/pytti-models/resolve/main/vqgan/" + rest;
    return "https://huggingface.co/Somnai/pytti-vqgan-checkpoints/resolve/debc22c8f285c7734980c464ff992d335dde6e9a/" +
        rest;
  };
  source s;
  for (const std::string& word : words(f.urls)) s.urls.push_back(spelled(word));
  s.sha256 = f.sha256, s.size = f.size;
  return s;
}
// the rows that a name may mean: by its canonical name one, by an alias one or, if ambiguous,
// several
inline std::vector<const row*> find(const std::string& name) {
  std::vector<const row*> by_alias;
  for (const row& r : models()) {
    if (name == r.name) return {&r};
    for (const std::string& alias : words(r.aliases))
      if (alias == text::lower(name)) by_alias.push_back(&r);
  }
  return by_alias;
}
// what an unknown name may have meant
inline std::string near(const std::string& name) {
  std::string close, all;
  for (const row& r : models()) {
    bool alike = false;
    for (const std::string& known : words(text::lower(std::string(r.name) + " " + r.aliases)))
      alike = alike || known.find(text::lower(name)) != std::string::npos ||
          text::distance(text::lower(name), known) <= 2 + name.size() / 6;
    if (alike) close += (close.empty() ? "" : ", ") + std::string(r.name);
    all += (all.empty() ? "" : ", ") + std::string(r.name);
  }
  return close.empty() ? "known are: " + all : "did you mean: " + close + "?";
}

}  // namespace catalog

// ==== >>os ==== what is asked of the operating system; the only room that knows which system this
// is ==== Every function gives 0 or an errno value unless it says otherwise.

}  // namespace detail
}  // namespace VQCACHE_ABI_
}  // namespace vqcache
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#if defined(_WIN32)
#include <io.h>
#include <process.h>
#include <share.h>
#include <sys/locking.h>
// declared here as <windows.h> declares them, which would bring 18,000 macros
struct HINSTANCE__;
struct _SECURITY_ATTRIBUTES;
struct _STARTUPINFOW;
struct _PROCESS_INFORMATION;
struct _OVERLAPPED;
extern "C" {
__declspec(dllimport) HINSTANCE__* __stdcall LoadLibraryExW(const wchar_t*, void*, unsigned long);
#if defined(_WIN64)
__declspec(dllimport) long long(__stdcall* __stdcall GetProcAddress(HINSTANCE__*, const char*))();
#else
__declspec(dllimport) int(__stdcall* __stdcall GetProcAddress(HINSTANCE__*, const char*))();
#endif
__declspec(dllimport) unsigned long __stdcall GetLastError();
__declspec(dllimport) int __stdcall CloseHandle(void*);
__declspec(dllimport) int __stdcall CreatePipe(
    void**, void**, _SECURITY_ATTRIBUTES*, unsigned long);
__declspec(dllimport) int __stdcall SetHandleInformation(void*, unsigned long, unsigned long);
__declspec(dllimport) int __stdcall PeekNamedPipe(
    void*, void*, unsigned long, unsigned long*, unsigned long*, unsigned long*);
__declspec(dllimport) int __stdcall ReadFile(
    void*, void*, unsigned long, unsigned long*, _OVERLAPPED*);
__declspec(dllimport) int __stdcall WriteFile(
    void*, const void*, unsigned long, unsigned long*, _OVERLAPPED*);
__declspec(dllimport) int __stdcall CreateProcessW(const wchar_t*, wchar_t*, _SECURITY_ATTRIBUTES*,
    _SECURITY_ATTRIBUTES*, int, unsigned long, void*, const wchar_t*, _STARTUPINFOW*,
    _PROCESS_INFORMATION*);
__declspec(dllimport) unsigned long __stdcall WaitForSingleObject(void*, unsigned long);
__declspec(dllimport) int __stdcall GetExitCodeProcess(void*, unsigned long*);
__declspec(dllimport) int __stdcall TerminateProcess(void*, unsigned int);
__declspec(dllimport) unsigned long __stdcall GetCurrentProcessId();
__declspec(dllimport) int __stdcall MoveFileExW(const wchar_t*, const wchar_t*, unsigned long);
}
#else
#include <dlfcn.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#if defined(__APPLE__)
#include <crt_externs.h>
#endif
#endif
#if defined(__GLIBC__) && (__GLIBC__ < 2 || (__GLIBC__ == 2 && __GLIBC_MINOR__ < 34))
// before glibc 2.34 dlopen is in libdl: without -ldl it is null here and the program curl serves
#define VQCACHE_WEAK_DL_ 1
extern "C" {
extern __typeof__(dlopen) dlopen __attribute__((weak));
extern __typeof__(dlsym) dlsym __attribute__((weak));
}
#endif
namespace vqcache {
inline namespace VQCACHE_ABI_ {
namespace detail {
namespace os {

namespace fs = std::filesystem;

inline std::string shown(const fs::path& p) {  // UTF-8; path::string() may throw on Windows
  const auto u = p.u8string();
  return std::string(u.begin(), u.end());
}
inline fs::path to_path(const std::string& utf8) {
#if defined(_WIN32) && !defined(__cpp_char8_t)
  return fs::u8path(utf8);
#elif defined(_WIN32)
  return fs::path(std::u8string(utf8.begin(), utf8.end()));
#else
  return fs::path(utf8);
#endif
}
inline std::string env(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}
inline void sleep_ms(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

class file {  // a descriptor that closes itself; close() tells what only closing can tell
 public:
  file() = default;
  file(file&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  file& operator=(file&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~file() { (void)close(); }
  int fd() const { return fd_; }
  void reset(int fd) {
    (void)close();
    fd_ = fd;
  }
  int close() {
    const int fd = std::exchange(fd_, -1);
    if (fd < 0) return 0;
#if defined(_WIN32)
    return ::_close(fd) == 0 ? 0 : errno;
#else
    return ::close(fd) == 0 || errno == EINTR ? 0
                                              : errno;  // after EINTR it is closed, or being closed
#endif
  }

 private:
  int fd_ = -1;
};

struct info {
  bool exists = false, regular = false, directory = false;
  std::uint64_t size = 0;
  int problem = 0;  // errno, when it could not even be told whether it exists
};
inline int value(const std::error_code& e) { return e.default_error_condition().value(); }
inline info look(const fs::path& p, bool follow = true) {
  std::error_code e;
  const fs::file_status s = follow ? fs::status(p, e) : fs::symlink_status(p, e);
  info i;
  i.exists = fs::exists(s), i.regular = fs::is_regular_file(s), i.directory = fs::is_directory(s);
  if (!i.exists && s.type() != fs::file_type::not_found) i.problem = value(e);
  if (i.regular) i.size = fs::file_size(p, e);
  if (i.regular && e) i = info(), i.problem = value(e);
  return i;
}
inline bool older_than_a_day(const fs::path& p) {
  std::error_code e;
  const fs::file_time_type t = fs::last_write_time(p, e);
  return !e && fs::file_time_type::clock::now() - t > std::chrono::hours(24);
}
inline int unlink(const fs::path& p) {
  std::error_code e;
  fs::remove(p, e);
  return value(e);
}
// read_link follows a symbolic link. create: 0666 & ~umask, and with the group and the rules of its
// directory, as the files of every program
enum class mode { read, read_link, create, lock };

#if defined(_WIN32)

inline int open(const fs::path& p, mode how, file& out) {
  const int flags = how == mode::create ? _O_RDWR | _O_CREAT | _O_EXCL
      : how == mode::lock               ? _O_RDWR | _O_CREAT
                                        : _O_RDONLY;
  int fd = -1;
  const int e = ::_wsopen_s(
      &fd, p.c_str(), flags | _O_BINARY | _O_NOINHERIT, _SH_DENYNO, _S_IREAD | _S_IWRITE);
  if (e == 0) out.reset(fd);
  return e;
}
inline long read_once(int fd, char* to, std::size_t n) {
  return ::_read(fd, to, static_cast<unsigned>(n));
}
inline long write_once(int fd, const char* from, std::size_t n) {
  return ::_write(fd, from, static_cast<unsigned>(n));
}
inline int seek(file& f, std::uint64_t offset) {
  return ::_lseeki64(f.fd(), static_cast<long long>(offset), SEEK_SET) < 0 ? errno : 0;
}
inline int sync(file& f) { return ::_commit(f.fd()) == 0 ? 0 : errno; }
inline int sync_directory(const fs::path&) { return 0; }  // MOVEFILE_WRITE_THROUGH did it
inline int rename(const fs::path& from, const fs::path& to) {
  for (int wait = 1;;
      wait *= 2) {  // a virus scanner or a reader holds it: 5, 32 and 33 pass within 2 s
    if (::MoveFileExW(from.c_str(), to.c_str(), 1 | 8))
      return 0;  // REPLACE_EXISTING | WRITE_THROUGH
    const unsigned long e = ::GetLastError();
    const bool busy = e == 5 || e == 32 || e == 33;
    if (!busy || wait > 1024)
      return busy ? EACCES : e == 2 || e == 3 ? ENOENT : e == 112 || e == 39 ? ENOSPC : EIO;
    sleep_ms(wait);
  }
}
inline int try_lock(file& f) { return ::_locking(f.fd(), _LK_NBLCK, 1) == 0 ? 0 : EWOULDBLOCK; }
inline bool writable(const fs::path& p) { return ::_waccess(p.c_str(), 2) == 0; }
inline unsigned long process_id() { return ::GetCurrentProcessId(); }
inline std::string owner() { return "windows"; }
inline bool owner_gone(const std::string& who) {
  return who == owner();
}  // an open file cannot be unlinked
inline fs::path home() {
  return fs::path(::_wgetenv(L"USERPROFILE") ? ::_wgetenv(L"USERPROFILE") : L"");
}
inline void* load(const char* name) {
  const std::wstring wide(name, name + std::strlen(name));
  // APPLICATION_DIR | USER_DIRS | SYSTEM32: never the current directory, never PATH
  return ::LoadLibraryExW(wide.c_str(), nullptr, 0x200 | 0x400 | 0x800);
}
inline void* symbol(void* library, const char* name) {
  if (!library) return nullptr;
  return reinterpret_cast<void*>(::GetProcAddress(static_cast<HINSTANCE__*>(library), name));
}
class quiet_pipes {};  // there is no SIGPIPE

class process {  // a program run without a shell; its standard input, output and error are ours
 public:
  process() = default;
  process(const process&) = delete;
  process& operator=(const process&) = delete;
  ~process() { (void)finish(true); }
  // argv[0]: a program of the system directory
  int start(const std::vector<std::string>& argv, const std::string& input) {
    void *in = nullptr, *out = nullptr, *err = nullptr;
    security inherit{sizeof(security), nullptr, 1};
    auto* attributes = reinterpret_cast<_SECURITY_ATTRIBUTES*>(&inherit);
    const auto size = static_cast<unsigned long>(input.size() + 4096);
    const bool piped = ::CreatePipe(&in, &in_, attributes, size) &&
        ::CreatePipe(&out_, &out, attributes, 1 << 20) &&
        ::CreatePipe(&err_, &err, attributes, 1 << 16);
    for (void* ours : {in_, out_, err_})
      if (ours) ::SetHandleInformation(ours, 1, 0);
    const wchar_t* root = ::_wgetenv(L"SystemRoot");
    const std::wstring program = std::wstring(root ? root : L"C:\\Windows") + L"\\System32\\" +
        std::wstring(argv[0].begin(), argv[0].end()) + L".exe";
    std::wstring line;
    for (const std::string& a : argv)
      line += (line.empty() ? L"" : L" ") + std::wstring(a.begin(), a.end());
    startup si{};
    si.cb = sizeof si, si.flags = 0x100, si.in = in, si.out = out, si.err = err;
    created pi{};
    const bool ok = piped &&
        ::CreateProcessW(program.c_str(), &line[0], nullptr, nullptr, 1, 0x08000000, nullptr,
            nullptr, reinterpret_cast<_STARTUPINFOW*>(&si),
            reinterpret_cast<_PROCESS_INFORMATION*>(&pi));
    const int e = ok ? 0 : ENOENT;
    for (void* theirs : {in, out, err, pi.thread}) shut(theirs);
    handle_ = pi.process;
    unsigned long done = 0;  // the pipe has room for all of it
    if (ok)
      ::WriteFile(in_, input.data(), static_cast<unsigned long>(input.size()), &done, nullptr);
    shut(std::exchange(in_, nullptr));
    return e;
  }
  // bytes read, 0: the end, -1: nothing within ms
  long read(char* to, std::size_t n, int ms) {
    for (int waited = 0;; waited += 5) {
      drain();
      unsigned long ready = 0, got = 0;
      if (!::PeekNamedPipe(out_, nullptr, 0, nullptr, &ready, nullptr)) return 0;
      if (ready)
        return ::ReadFile(out_, to, static_cast<unsigned long>(n), &got, nullptr)
            ? static_cast<long>(got)
            : 0;
      if (waited >= ms) return -1;
      sleep_ms(5);
    }
  }
  int finish(bool kill) {
    if (!handle_) return -1;
    if (kill) ::TerminateProcess(handle_, 1);
    unsigned long code = 1;
    ::WaitForSingleObject(handle_, 0xffffffff);
    ::GetExitCodeProcess(handle_, &code);
    drain();
    for (void* h : {out_, err_, handle_}) shut(h);
    out_ = err_ = handle_ = nullptr;
    return static_cast<int>(code);
  }
  const std::string& errors() const { return errors_; }

 private:
  struct security {
    unsigned long size;
    void* descriptor;
    int inherit;
  };
  struct startup {
    unsigned long cb;
    wchar_t *reserved, *desktop, *title;
    unsigned long x, y, width, height, columns, rows, fill, flags;
    unsigned short show, more;
    unsigned char* data;
    void *in, *out, *err;
  };
  struct created {
    void *process, *thread;
    unsigned long process_id, thread_id;
  };
  static void shut(void* h) {
    if (h) ::CloseHandle(h);
  }
  void drain() {
    char text[1024];
    unsigned long ready = 0, got = 0;
    while (::PeekNamedPipe(err_, nullptr, 0, nullptr, &ready, nullptr) && ready &&
        ::ReadFile(err_, text, sizeof text, &got, nullptr) && got && errors_.size() < 4096)
      errors_.append(text, got);
  }
  void *in_ = nullptr, *out_ = nullptr, *err_ = nullptr, *handle_ = nullptr;
  std::string errors_;
};

#else  // POSIX

#if defined(O_LARGEFILE)
enum : int { large = O_LARGEFILE };
#else
enum : int { large = 0 };
#endif

// a FIFO in the place of a file must not block, hence O_NONBLOCK
inline int open(const fs::path& p, mode how, file& out) {
  const int flags = how == mode::create ? O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW
      : how == mode::lock               ? O_RDWR | O_CREAT | O_NOFOLLOW
      : how == mode::read_link          ? O_RDONLY | O_NONBLOCK
                                        : O_RDONLY | O_NONBLOCK | O_NOFOLLOW;
  int fd = -1;
  do fd = ::open(p.c_str(), flags | O_CLOEXEC | static_cast<int>(large), 0666);
  while (fd < 0 && errno == EINTR);
  if (fd < 0) return errno;
  out.reset(fd);
  return 0;
}
inline long read_once(int fd, char* to, std::size_t n) { return ::read(fd, to, n); }
inline long write_once(int fd, const char* from, std::size_t n) { return ::write(fd, from, n); }
inline int seek(file& f, std::uint64_t offset) {
#if defined(__GLIBC__)
  return ::lseek64(f.fd(), static_cast<off64_t>(offset), SEEK_SET) < 0 ? errno : 0;
#else
  return ::lseek(f.fd(), static_cast<off_t>(offset), SEEK_SET) < 0 ? errno : 0;
#endif
}
// EINTR says that nothing was tried; any other failure is final, the kernel may have dropped the
// pages
inline int sync(int fd) {
  for (;;) {
#if defined(F_FULLFSYNC)
    if (::fcntl(fd, F_FULLFSYNC) == 0)
      return 0;  // fsync leaves the bytes in the disk's cache there
#endif
    if (::fsync(fd) == 0) return 0;
    if (errno != EINTR) return errno;
  }
}
inline int sync(file& f) { return sync(f.fd()); }
inline int sync_directory(const fs::path& p) {
  int fd = -1;
  do fd = ::open(p.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  while (fd < 0 && errno == EINTR);
  if (fd < 0) return errno;
  file closes;
  closes.reset(fd);
  const int e = sync(fd);
  return e == EINVAL || e == ENOTSUP || e == ENOSYS ? 0 : e;  // a file system without it
}
inline int rename(const fs::path& from, const fs::path& to) {
  return ::rename(from.c_str(), to.c_str()) == 0 ? 0 : errno;
}
inline int try_lock(file& f) {
  for (;;) {
    if (::flock(f.fd(), LOCK_EX | LOCK_NB) == 0) return 0;
    if (errno != EINTR) return errno;
  }
}
inline bool writable(const fs::path& p) { return ::access(p.c_str(), W_OK) == 0; }
inline unsigned long process_id() { return static_cast<unsigned long>(::getpid()); }
inline fs::path home() { return fs::path(env("HOME")); }
inline void* load(const char* name) {
#if defined(VQCACHE_WEAK_DL_)
  if (!dlopen) return nullptr;
#endif
  return ::dlopen(name, RTLD_NOW | RTLD_LOCAL);
}
inline void* symbol(void* library, const char* name) {  // null: what the process has already
#if defined(VQCACHE_WEAK_DL_)
  if (!dlsym) return nullptr;
#endif
  return ::dlsym(library ? library : RTLD_DEFAULT, name);
}

// Who owns an unfinished file: a host is a name and a process namespace, since containers share
// both disks and process numbers; the start time tells a process from a later one of the same
// number.
inline std::string small_file(const std::string& path) {
  file f;
  char text[1024];
  if (open(path, mode::read_link, f) != 0) return {};
  const long n = read_once(f.fd(), text, sizeof text);
  return n > 0 ? std::string(text, static_cast<std::size_t>(n)) : std::string();
}
inline std::string started(
    const std::string& pid) {  // field 22 of proc(5) stat; empty where there is none
  std::string s = small_file("/proc/" + pid + "/stat");
  s.erase(0, (std::min)(s.rfind(')'), s.size()));
  std::string_view rest = s;
  for (int i = 0; i < 20; ++i) text::take(rest, ' ');
  return std::string(text::take(rest, ' '));
}
inline std::string owner() {
  char host[256] = "", space[64] = "";
  (void)::gethostname(host, sizeof host - 1);
  (void)!::readlink("/proc/self/ns/pid", space, sizeof space - 1);
  const std::string boot(text::trim(small_file("/proc/sys/kernel/random/boot_id")));
  const std::string pid = std::to_string(process_id());
  return std::string(host) + "/" + space + " " + boot + " " + pid + " " + started("self");
}
inline bool owner_gone(const std::string& who) {  // provably: false also means "cannot be told"
  const std::string mine = owner();
  std::string_view theirs = who, ours = mine;
  if (text::take(theirs, ' ') != text::take(ours, ' ')) return false;
  if (text::take(theirs, ' ') != text::take(ours, ' '))
    return true;  // the machine was started anew
  const std::string pid(text::take(theirs, ' '));
  std::uint64_t number = 0;
  if (!text::to_number(pid, number) || number == 0 || number > 0x7fffffff) return false;
  if (::kill(static_cast<pid_t>(number), 0) != 0) return errno == ESRCH;
  return !theirs.empty() && started(pid) != theirs;
}

// A peer that is gone must be an error of write(), not the death of the program: libcurl with an
// older OpenSSL, and our pipe to curl, would raise SIGPIPE. Blocked for this thread; one that was
// raised meanwhile is eaten.
class quiet_pipes {
 public:
  quiet_pipes() {
    sigset_t now;
    sigemptyset(&now);
    sigpending(&now);
    was_pending_ = sigismember(&now, SIGPIPE) == 1;
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  quiet_pipes(const quiet_pipes&) = delete;
  quiet_pipes& operator=(const quiet_pipes&) = delete;
  ~quiet_pipes() {
    sigset_t now;
    sigemptyset(&now);
    sigpending(&now);
    int got = 0;
    if (!was_pending_ && sigismember(&now, SIGPIPE) == 1) sigwait(&pipe_, &got);
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

 private:
  sigset_t pipe_, before_;
  bool was_pending_ = false;
};

class process {  // a program run without a shell; its standard input, output and error are ours
 public:
  process() = default;
  process(const process&) = delete;
  process& operator=(const process&) = delete;
  ~process() { (void)finish(true); }
  // argv[0] is looked for in PATH; ENOENT: it is not there
  int start(const std::vector<std::string>& argv, const std::string& input) {
    file in, out, err;
    int e = 0;
    if ((e = pipe(in, in_)) != 0 || (e = pipe(out_, out)) != 0 || (e = pipe(err_, err)) != 0)
      return e;
    if (::fcntl(in_.fd(), F_SETFL, O_NONBLOCK) != 0) return errno;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    if ((e = posix_spawn_file_actions_init(&actions)) != 0) return e;
    if ((e = posix_spawnattr_init(&attributes)) != 0)
      return posix_spawn_file_actions_destroy(&actions), e;
    std::vector<char*> args;
    for (const std::string& a : argv) args.push_back(const_cast<char*>(a.c_str()));
    args.push_back(nullptr);
#if defined(__APPLE__)
    char** environment = *_NSGetEnviron();
#else
    char** environment = ::environ;
#endif
    sigset_t none, pipe_signal;
    sigemptyset(&none);
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    if ((e = posix_spawn_file_actions_adddup2(&actions, in.fd(), 0)) == 0 &&
        (e = posix_spawn_file_actions_adddup2(&actions, out.fd(), 1)) == 0 &&
        (e = posix_spawn_file_actions_adddup2(&actions, err.fd(), 2)) == 0 &&
        (e = posix_spawnattr_setsigmask(&attributes, &none)) == 0 &&
        (e = posix_spawnattr_setsigdefault(&attributes, &pipe_signal)) == 0 &&
        (e = posix_spawnattr_setpgroup(&attributes, 0)) == 0 &&
        (e = posix_spawnattr_setflags(&attributes,
             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP)) == 0)
      e = ::posix_spawnp(&pid_, args[0], &actions, &attributes, args.data(), environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (e != 0) pid_ = -1;
    input_ = input;
    return e;
  }
  // bytes read, 0: the end, -1: nothing within ms
  long read(char* to, std::size_t n, int ms) {
    for (;;) {
      pollfd fds[3] = {{out_.fd(), POLLIN, 0}, {err_.fd(), POLLIN, 0}, {in_.fd(), POLLOUT, 0}};
      const int ready = ::poll(fds, 3, ms);
      if (ready == 0 || (ready < 0 && errno == EINTR)) return -1;
      if (ready < 0) return 0;
      if (fds[2].revents) feed();
      if (fds[1].revents) drain();
      if (!fds[0].revents) continue;
      const long got = read_once(out_.fd(), to, n);
      if (got >= 0 || errno != EINTR) return (std::max)(got, 0L);
    }
  }
  // the exit code, or -1: killed, or somebody else has waited for it
  int finish(bool kill) {
    if (pid_ <= 0) return -1;
    if (kill) ::kill(pid_, SIGKILL);
    else
      while (err_.fd() >= 0) drain();
    in_.close(), out_.close();
    int state = 0;
    pid_t got = 0;
    do got = ::waitpid(pid_, &state, 0);
    while (got < 0 && errno == EINTR);
    const bool exited = got == pid_ && WIFEXITED(state);
    pid_ = -1;
    return exited ? WEXITSTATUS(state) : -1;
  }
  const std::string& errors() const { return errors_; }

 private:
  static int pipe(file& reading, file& writing) {
    int ends[2] = {-1, -1};
#if defined(__APPLE__)
    if (::pipe(ends) != 0) return errno;
#else
    if (::pipe2(ends, O_CLOEXEC) != 0) return errno;
#endif
    file low[2];
    low[0].reset(ends[0]), low[1].reset(ends[1]);
    for (file* end : {&low[0], &low[1]}) {  // above 2, so that dup2 to 0, 1, 2 meets none of ours
      const int fd = ::fcntl(end->fd(), F_DUPFD_CLOEXEC, 3);
      if (fd < 0) return errno;
      end->reset(fd);
    }
    reading = std::move(low[0]), writing = std::move(low[1]);
    return 0;
  }
  void feed() {
    const long n = write_once(in_.fd(), input_.data(), input_.size());
    if (n > 0) input_.erase(0, static_cast<std::size_t>(n));
    if (input_.empty() || (n < 0 && errno != EAGAIN && errno != EINTR)) in_.close();
  }
  void drain() {
    char text[1024];
    const long n = read_once(err_.fd(), text, sizeof text);
    if (n > 0 && errors_.size() < 4096) errors_.append(text, static_cast<std::size_t>(n));
    if (n == 0 || (n < 0 && errno != EINTR)) err_.close();
  }
  file in_, out_, err_;
  pid_t pid_ = -1;
  std::string input_, errors_;
};

#endif  // POSIX

// ---- the same on every system, over the above

// calls a function that was found at run time
template <class R, class... A> inline R call(void* f, A... a) {
  return reinterpret_cast<R (*)(A...)>(f)(a...);
}

inline std::initializer_list<const char*> libcurl_names() {
#if defined(_WIN32)
  static constexpr std::initializer_list<const char*> names = {
      "libcurl-x64.dll", "libcurl.dll", "libcurl-4.dll"};
#elif defined(__APPLE__)  // never a bare name: dlopen would look in the working directory
  static constexpr std::initializer_list<const char*> names = {
      "/usr/lib/libcurl.4.dylib", "@rpath/libcurl.4.dylib"};
#else
  static constexpr std::initializer_list<const char*> names = {
      "libcurl.so.4", "libcurl-gnutls.so.4", "libcurl-nss.so.4"};
#endif
  return names;
}

inline int read_some(file& f, char* to, std::size_t n, std::size_t& got) {
  for (;;) {
    const long k = read_once(f.fd(), to, n);
    if (k < 0 && errno == EINTR) continue;
    got = k > 0 ? static_cast<std::size_t>(k) : 0;
    return k < 0 ? errno : 0;
  }
}
inline int write_all(file& f, const char* from, std::size_t n) {
  while (n > 0) {
    const long k = write_once(f.fd(), from, n);
    if (k < 0 && errno == EINTR) continue;
    if (k <= 0) return k < 0 ? errno : EIO;
    from += k, n -= static_cast<std::size_t>(k);
  }
  return 0;
}
inline int read_text(const fs::path& p, std::string& out) {  // at most 64 KiB
  file f;
  if (const int e = open(p, mode::read, f)) return e;
  out.clear();
  char text[4096];
  for (std::size_t got = 1; got > 0 && out.size() < 65536; out.append(text, got))
    if (const int e = read_some(f, text, sizeof text, got)) return e;
  return 0;
}
inline std::string date() {
  const std::time_t now = std::time(nullptr);
  std::tm t{};
  char text[32] = "";
#if defined(_WIN32)
  const bool known = ::gmtime_s(&t, &now) == 0;
#else
  const bool known = ::gmtime_r(&now, &t) != nullptr;
#endif
  return known && std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &t) ? text : "-";
}
inline std::string unique() {  // 16 hex digits, different in every process and call
  static std::atomic<std::uint64_t> count{0};
  auto n = static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
  n ^= static_cast<std::uint64_t>(process_id()) << 40 ^ (count.fetch_add(1) + 1) << 20;
  for (int i = 0; i < 3; ++i) n = (n ^ n >> 29) * 0xbf58476d1ce4e5b9U;  // splitmix64
  return text::hex(n ^ n >> 32, 16);
}
// makes what is missing of p, and makes each new level last
inline int make_directories(const fs::path& p) {
  const info there = look(p);
  if (there.directory) return 0;
  if (there.exists) return ENOTDIR;
  if (there.problem) return there.problem;
  const fs::path parent = p.parent_path();
  if (!parent.empty() && parent != p)
    if (const int e = make_directories(parent)) return e;
  std::error_code e;
  fs::create_directory(p, e);
  if (e && !look(p).directory) return value(e);
  return sync_directory(parent);
}
inline std::vector<std::string> list(const fs::path& directory, const std::string& prefix) {
  std::vector<std::string> names;
  std::error_code e;
  for (fs::directory_iterator i(directory, e), end; !e && i != end; i.increment(e)) {
    std::string name = shown(i->path().filename());
    if (text::starts(name, prefix)) names.push_back(std::move(name));
  }
  return names;
}
// absolute, and ~ is the home directory; empty: there is no home directory
inline fs::path resolved(const fs::path& p) {
  fs::path r = p;
  const std::string s = shown(p);
  if (s == "~" || text::starts(s, "~/")) {
    r = home();
    if (r.empty()) return {};
    if (s.size() > 2) r /= to_path(s.substr(2));
  }
  std::error_code e;
  r = fs::absolute(r, e);
  return e ? fs::path() : r.lexically_normal();
}

}  // namespace os

// ==== >>hash ==== computes a digest: the system's library where there is one, else portable C++
// ====

namespace hash {

struct engine {  // functions of libcrypto, CommonCrypto or BCrypt, in the order of use; loaded at
                 // the first digest
  enum { none, libcrypto, common_crypto, bcrypt } which = none;
  void* f[6] = {};
};
inline const engine& system_engine() {
  static const engine found = [] {
    static constexpr struct {
      const char *library, *names[6];
    } known[] = {{"libcrypto.so.3",
                     {"EVP_MD_CTX_new", "EVP_sha256", "EVP_DigestInit_ex", "EVP_DigestUpdate",
                         "EVP_DigestFinal_ex", "EVP_MD_CTX_free"}},
        {"libcrypto.so.1.1",
            {"EVP_MD_CTX_new", "EVP_sha256", "EVP_DigestInit_ex", "EVP_DigestUpdate",
                "EVP_DigestFinal_ex", "EVP_MD_CTX_free"}},
        {"",
            {"CC_SHA256_Init", "CC_SHA256_Update",
                "CC_SHA256_Final"}},  // in libSystem, which is always loaded
        {"bcrypt.dll",
            {"BCryptOpenAlgorithmProvider", "BCryptCreateHash", "BCryptHashData",
                "BCryptFinishHash", "BCryptDestroyHash"}}};
    engine e;
    for (const auto& k : known) {
      void* library = *k.library ? os::load(k.library) : nullptr;
      bool all = library || !*k.library;
      for (std::size_t i = 0; i < 6 && all && k.names[i]; ++i)
        all = (e.f[i] = os::symbol(library, k.names[i])) != nullptr;
      if (!all || (k.library[0] == 'b' && sizeof(void*) < 8))
        continue;  // 32-bit Windows calls it otherwise
      e.which = k.library[0] == 'l' ? engine::libcrypto
          : *k.library              ? engine::bcrypt
                                    : engine::common_crypto;
      return e;
    }
    return engine();
  }();
  return found;
}

class sha256 {  // FIPS 180-4
 public:
  explicit sha256(bool system = true) : e_(system ? system_engine() : engine()) {
    if (e_.which == engine::libcrypto) {
      context_ = os::call<void*>(e_.f[0]);
      if (!context_ ||
          os::call<int>(
              e_.f[2], context_, os::call<const void*>(e_.f[1]), static_cast<void*>(nullptr)) != 1)
        drop();
    } else if (e_.which == engine::bcrypt) {
      void* algorithm = nullptr;  // of the process; BCrypt keeps it
      if (os::call<long>(
              e_.f[0], &algorithm, L"SHA256", static_cast<const wchar_t*>(nullptr), 0UL) != 0 ||
          os::call<long>(e_.f[1], algorithm, &context_, static_cast<void*>(nullptr), 0UL,
              static_cast<void*>(nullptr), 0UL, 0UL) != 0)
        drop();
    } else if (e_.which == engine::common_crypto) {
      os::call<int>(e_.f[0], static_cast<void*>(block_));
    }
  }
  sha256(const sha256&) = delete;
  sha256& operator=(const sha256&) = delete;
  ~sha256() { drop(); }

  void update(const char* data, std::size_t n) {
    if (e_.which == engine::libcrypto)
      failed_ = os::call<int>(e_.f[3], context_, data, n) != 1 || failed_;
    else if (e_.which == engine::bcrypt)
      failed_ = os::call<long>(e_.f[2], context_, data, static_cast<unsigned long>(n), 0UL) != 0 ||
          failed_;
    else if (e_.which == engine::common_crypto)
      os::call<int>(e_.f[1], static_cast<void*>(block_), data, static_cast<unsigned>(n));
    else add(reinterpret_cast<const unsigned char*>(data), n);
  }
  std::string hex() {  // ends it; empty: the system's library failed
    unsigned char out[32] = {};
    if (e_.which == engine::libcrypto)
      failed_ = os::call<int>(
                    e_.f[4], context_, static_cast<void*>(out), static_cast<void*>(nullptr)) != 1 ||
          failed_;
    else if (e_.which == engine::bcrypt)
      failed_ =
          os::call<long>(e_.f[3], context_, static_cast<void*>(out), 32UL, 0UL) != 0 || failed_;
    else if (e_.which == engine::common_crypto)
      os::call<int>(e_.f[2], static_cast<void*>(out), static_cast<void*>(block_));
    else finish(out);
    std::string s;
    for (unsigned char byte : out) s += text::hex(byte, 2);
    return failed_ ? std::string() : s;
  }

 private:
  void drop() {
    if (context_ && e_.which == engine::libcrypto) os::call<void>(e_.f[5], context_);
    if (context_ && e_.which == engine::bcrypt) os::call<long>(e_.f[4], context_);
    context_ = nullptr;
    e_ = engine();
  }
  static std::uint32_t turn(std::uint32_t x, int n) { return x >> n | x << (32 - n); }
  void add(const unsigned char* p, std::size_t n) {
    for (; n > 0; --n) {
      block_[length_++ % 64] = *p++;
      if (length_ % 64 == 0) compress();
    }
  }
  void compress() {
    static constexpr std::uint32_t k[64] = {0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5,
        0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
        0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
        0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152,
        0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
        0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e,
        0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624,
        0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3,
        0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
        0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
    std::uint32_t w[64], v[8];
    for (std::size_t i = 0; i < 16; ++i) {
      w[i] = 0;
      for (std::size_t j = 0; j < 4; ++j) w[i] = w[i] << 8 | block_[4 * i + j];
    }
    for (std::size_t i = 16; i < 64; ++i) {
      const std::uint32_t x = w[i - 15], y = w[i - 2];
      w[i] = w[i - 16] + (turn(x, 7) ^ turn(x, 18) ^ x >> 3) + w[i - 7] +
          (turn(y, 17) ^ turn(y, 19) ^ y >> 10);
    }
    std::memcpy(v, state_, sizeof v);
    for (std::size_t i = 0; i < 64; ++i) {
      const std::uint32_t a = v[0], e = v[4];
      const std::uint32_t t = v[7] + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) +
          ((e & v[5]) ^ (~e & v[6])) + k[i] + w[i];
      const std::uint32_t u =
          (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));
      std::memmove(v + 1, v, 7 * sizeof v[0]);
      v[4] += t, v[0] = t + u;
    }
    for (std::size_t i = 0; i < 8; ++i) state_[i] += v[i];
  }
  void finish(unsigned char* out) {
    const std::uint64_t bits = length_ * 8;
    const unsigned char one = 0x80, zero = 0;
    add(&one, 1);
    while (length_ % 64 != 56) add(&zero, 1);
    for (int shift = 56; shift >= 0; shift -= 8) {
      const auto byte = static_cast<unsigned char>(bits >> shift);
      add(&byte, 1);
    }
    for (std::size_t i = 0; i < 32; ++i)
      out[i] = static_cast<unsigned char>(state_[i / 4] >> (24 - 8 * (i % 4)));
  }
  engine e_;
  void* context_ = nullptr;
  bool failed_ = false;
  std::uint64_t length_ = 0;
  std::uint32_t state_[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c,
      0x1f83d9ab, 0x5be0cd19};
  alignas(8) unsigned char block_[128] = {};  // the block, or CommonCrypto's context of 104 bytes
};

}  // namespace hash

// ==== >>stage ==== a file that is not finished: partial, record, verification, publication ====
// Invariant: nothing gets its final name but by publish(), and publish() is reached only through a
// good seal().

namespace stage {

enum : std::size_t { block_size = 1 << 20, head_size = 16384, zip_tail = 65557 };
enum : std::uint64_t { config_limit = 16 << 20 };

struct demand {  // what bytes must be, to get a final name
  text::kind kind = text::kind::binary;
  std::string sha256{};              // empty: not known; then the content is looked at instead
  const char* bound_by = "the pin";  // who says so
  std::uint64_t size = 0;            // 0: not known
  std::string type{};                // Content-Type, a hint for the sentinel
};

class pace {  // the least progress that is still progress: 64 KiB in a window of time
 public:
  explicit pace(unsigned seconds) : seconds_(seconds) {}
  bool stalled(std::uint64_t done) {
    const auto now = std::chrono::steady_clock::now();
    if (done - base_ < 65536 && done >= base_) return now - since_ > std::chrono::seconds(seconds_);
    base_ = done, since_ = now;
    return false;
  }

 private:
  unsigned seconds_;
  std::uint64_t base_ = 0;
  std::chrono::steady_clock::time_point since_ = std::chrono::steady_clock::now();
};

class partial {
 public:
  partial() = default;
  partial(partial&&) = default;
  partial& operator=(partial&&) = delete;
  ~partial() { drop(); }

  // a private file beside the final one, after a record that says whose it is
  status begin(const os::fs::path& final_path) {
    drop();
    final_ = final_path;
    const std::string base = "." + os::shown(final_.filename()) + "." + os::unique();
    record_ = final_.parent_path() / (base + ".record");
    os::file record;
    const std::string who = os::owner() + "\n";
    if (int e = os::open(record_, os::mode::create, record))
      return record_.clear(), lost("create", e);
    if (int e = os::write_all(record, who.data(), who.size())) return lost("write", e);
    if (int e = record.close()) return lost("write", e);
    part_ = final_.parent_path() / (base + ".part");
    if (int e = os::open(part_, os::mode::create, file_)) return part_.clear(), lost("create", e);
    buffer_ = std::make_unique<std::string>();
    sha_ = std::make_unique<hash::sha256>();
    return {};
  }
  status write(const char* data, std::size_t n, text::kind kind) {
    if (head_.size() < head_size) head_.append(data, (std::min)(n, head_size - head_.size()));
    size_ += n;
    if (kind == text::kind::text) {
      has_nul_ = has_nul_ || std::memchr(data, 0, n);
      if (size_ > config_limit)
        return fail(errc::not_the_file, "it has over 16 MiB, which no config has");
    }
    buffer_->append(data, n);
    return buffer_->size() < block_size ? status() : flush();
  }
  // everything that can be known about the bytes is checked here; then they are forced to the disk
  status seal(const demand& d) {
    if (status s = flush(); !s.ok()) return s;
    digest_ = sha_->hex();
    if (digest_.empty()) return fail(errc::io, "the system's SHA-256 failed");
    const bool right = !d.sha256.empty() && digest_ == d.sha256;
    if (!right) {
      const std::string what = text::not_the_file(d.kind, head_, d.type);
      if (!what.empty()) return fail(errc::not_the_file, "it is " + what);
      if (has_nul_) return fail(errc::not_the_file, "it has NUL bytes, which no config has");
      if (d.size != 0 && size_ != d.size)
        return fail(size_ < d.size ? errc::truncated : errc::not_the_file,
            "it has " + std::to_string(size_) + " bytes instead of " + std::to_string(d.size));
      if (text::starts(head_, "PK\x03\x04") && d.kind == text::kind::binary) {
        std::string tail((std::min)(size_, std::uint64_t{zip_tail}), '\0');
        std::size_t have = 0, got = 1;
        int e = os::seek(file_, size_ - tail.size());
        while (e == 0 && have < tail.size() && got > 0)
          e = os::read_some(file_, &tail[have], tail.size() - have, got), have += got;
        if (e) return lost("read", e);
        if (have < tail.size() || !text::zip_has_end(tail))
          return fail(errc::truncated, "it is a zip archive without its end: it is truncated");
      }
      if (!d.sha256.empty())
        return fail(errc::hash_mismatch,
            "its SHA-256 is " + digest_ + ", but " + d.bound_by + " says " + d.sha256);
    }
    if (int e = os::sync(file_)) return lost("sync", e);
    if (int e = file_.close()) return lost("close", e);
    return {};
  }
  // the final name, from one moment to the next; the directory is synced by the caller
  status publish() {
    if (int e = os::rename(part_, final_)) return lost("rename to", e);
    part_.clear();
    (void)os::unlink(record_);
    record_.clear();
    return {};
  }
  void drop() {
    (void)file_.close();
    if (!part_.empty()) (void)os::unlink(part_);
    if (!record_.empty()) (void)os::unlink(record_);
    part_.clear(), record_.clear(), head_.clear(), digest_.clear();
    size_ = 0, has_nul_ = false;
  }
  bool begun() const { return !part_.empty(); }
  const std::string& sha256() const { return digest_; }
  std::uint64_t size() const { return size_; }
  const os::fs::path& final_path() const { return final_; }

 private:
  status flush() {
    sha_->update(buffer_->data(), buffer_->size());
    const int e = os::write_all(file_, buffer_->data(), buffer_->size());
    buffer_->clear();
    return e ? lost("write", e) : status();
  }
  status lost(const char* what, int e) const {
    return error::from_system(std::string("cannot ") + what, os::shown(final_), e);
  }
  os::fs::path final_, part_, record_;
  os::file file_;
  std::unique_ptr<std::string> buffer_;
  std::unique_ptr<hash::sha256> sha_;
  std::string head_, digest_;
  std::uint64_t size_ = 0;
  bool has_nul_ = false;
};

// Fills a partial from a finished file. at_source: the reading failed, not the writing.
inline status copy(const os::fs::path& from, os::mode how, partial& to, text::kind kind,
    caller& who, phase what, bool& at_source) {
  os::file in;
  at_source = true;
  const std::string name = os::shown(to.final_path().filename());
  const os::info i = os::look(from, how == os::mode::read_link);
  if (!i.regular)
    return fail(errc::io,
        text::quoted(os::shown(from)) + (i.exists ? " is not a regular file" : " is not there"));
  if (int e = os::open(from, how, in)) return error::from_system("cannot open", os::shown(from), e);
  std::string block(block_size, '\0');
  pace speed(who.opts().stall_seconds);
  std::uint64_t done = 0;
  auto at = caller::at::first;
  for (std::size_t got = 1; got > 0; at = caller::at::middle) {
    if (!who.step(what, name, done, i.size, at)) return who.stop();
    if (int e = os::read_some(in, &block[0], block.size(), got))
      return error::from_system("cannot read", os::shown(from), e);
    at_source = false;
    if (status s = to.write(block.data(), got, kind); !s.ok()) return s;
    at_source = true, done += got;
    if (got > 0 && speed.stalled(done))
      return fail(errc::timed_out,
          "copying " + text::quoted(os::shown(from)) + " gained under 64 KiB in " +
              std::to_string(who.opts().stall_seconds) + " s");
  }
  at_source = false;
  return who.step(what, name, done, i.size, caller::at::last) ? status() : who.stop();
}

// a small file: written, synced and published, or an error
inline status put(const os::fs::path& at, const std::string& content) {
  partial p;
  demand d;
  if (status s = p.begin(at); !s.ok()) return s;
  if (status s = p.write(content.data(), content.size(), d.kind); !s.ok()) return s;
  if (status s = p.seal(d); !s.ok()) return s;
  if (status s = p.publish(); !s.ok()) return s;
  if (int e = os::sync_directory(at.parent_path()))
    return error::from_system("cannot sync", os::shown(at.parent_path()), e);
  return {};
}

// Removes what a killed process left of one final name. Only what is provably nobody's goes: the
// owner in the record is gone, or nobody knows the owner (another host's, a lost record) and a day
// has passed.
inline void sweep(const os::fs::path& directory, const std::string& file, caller& who) {
  const std::string prefix = "." + file + ".";
  for (const std::string& name : os::list(directory, prefix)) {
    const bool record = text::ends(name, ".record"), part = text::ends(name, ".part");
    const std::string base = name.substr(0, name.rfind('.'));
    if ((!record && !part) || base.size() != prefix.size() + 16) continue;
    std::string owner;
    const bool known = os::read_text(directory / (base + ".record"), owner) == 0 && !owner.empty();
    const os::info i = os::look(directory / name, false);
    const bool gone = known && os::owner_gone(std::string(text::trim(owner)));
    if (!gone && !os::older_than_a_day(directory / name)) continue;
    if (part && os::unlink(directory / name) == 0 && i.size > 0)
      who.say("Removed a partial of " + file + " (" + std::to_string(i.size) +
          " bytes) that a process left when it ended.");
    if (record && !os::look(directory / (base + ".part"), false).exists)
      (void)os::unlink(directory / name);
    else if (part) (void)os::unlink(directory / (base + ".record"));
  }
}

}  // namespace stage

// ==== >>curl ==== talks to libcurl (loaded at run time) or to the curl program: one request, one
// answer ==== A pump follows nothing, retries nothing and judges nothing but the form of the
// answer.

namespace curl {

struct exchange {
  std::string url;
  std::vector<std::string> headers;
  unsigned connect_seconds = 20;
  std::function<bool(int, const std::vector<text::header>&)> on_head;  // each gives false to stop
  std::function<bool(const char*, std::size_t)> on_body;
  std::function<bool()> on_wait;  // about ten times a second
};

// Header lines as they arrive. Interim answers (1xx) are skipped; everything is bounded, since a
// server may send for ever: 256 KiB in all (curl before 8.4 has no limit of its own,
// CVE-2023-38039).
class head {
 public:
  bool ended() const { return ended_; }
  int code() const { return code_; }
  const std::vector<text::header>& headers() const { return headers_; }
  bool line(std::string_view s) {  // false: this is no HTTP
    if ((bytes_ += s.size()) > 256 * 1024) return false;
    s = text::trim(s);
    text::header h;
    if (s.empty()) {
      if (code_ == 0) return false;
      ended_ = code_ >= 200;
      if (!ended_) code_ = 0, headers_.clear();
      return true;
    }
    if (code_ != 0) return text::parse_header(s, h) && (headers_.push_back(std::move(h)), true);
    std::uint64_t n = 0;
    if (!text::starts(s, "HTTP/")) return false;
    text::take(s, ' ');
    if (!text::to_number(s.substr(0, 3), n) || n < 100 || n > 599 || (s.size() > 3 && s[3] != ' '))
      return false;
    code_ = static_cast<int>(n);
    return true;
  }

 private:
  std::size_t bytes_ = 0;
  int code_ = 0;
  bool ended_ = false;
  std::vector<text::header> headers_;
};

// of libcurl and the program alike (libcurl-errors(3)); why: curl's own words
inline status judge(int code, const std::string& why) {
  const std::string words = why.empty() ? "curl error " + std::to_string(code) : why;
  switch (code) {
    case 0: return {};
    case 18:
      return fail(errc::truncated, "the connection ended before the file did (" + words + ")");
    case 28: return fail(errc::timed_out, "no connection in time (" + words + ")");
    case 35:
    case 51:
    case 53:
    case 54:
    case 58:
    case 59:
    case 60:
    case 64:
    case 66:
    case 77:
    case 80:
    case 82:
    case 83:
    case 90:
    case 91:
      return fail(errc::tls,
          "no trustworthy TLS connection (" + words +
              "); check the clock, and SSL_CERT_FILE or "
              "CURL_CA_BUNDLE if a private authority signs");
    case 1:
    case 8:
    case 43:
    case 52: return fail(errc::http_status, "the answer is not proper HTTP (" + words + ")");
    default: return fail(errc::connection, "the connection failed (" + words + ")");
  }
}
inline status not_http() {
  return fail(errc::http_status, "the answer is not proper HTTP, or its header is endless");
}

inline std::string agent() { return "vqcache/0.1.0"; }
inline std::string authorities() {  // the file of trusted certificates, as the curl program finds
                                    // it
  const std::string bundle = os::env("CURL_CA_BUNDLE");
  return bundle.empty() ? os::env("SSL_CERT_FILE") : bundle;
}

// The functions of libcurl, which has kept its ABI, and the numbers of its options, since 7.16.
enum function {
  global_init,
  easy_init,
  easy_setopt,
  easy_cleanup,
  easy_strerror,
  slist_append,
  slist_free_all,
  multi_init,
  multi_add_handle,
  multi_remove_handle,
  multi_perform,
  multi_wait,
  multi_info_read,
  multi_cleanup,
  functions
};
struct library {
  void* f[functions] = {};
  bool usable = false;
};
struct message {  // CURLMsg
  int msg;
  void* easy_handle;
  union {
    void* whatever;
    int result;
  } data;
};

inline const library& libcurl() {  // loaded at the first request that needs it, never unloaded
  static const library found = [] {
    library l;
#if VQCACHE_USE_LIBCURL
#define VQCACHE_CURL_(name) l.f[name] = reinterpret_cast<void*>(&::curl_##name)
    VQCACHE_CURL_(global_init), VQCACHE_CURL_(easy_init), VQCACHE_CURL_(easy_setopt);
    VQCACHE_CURL_(easy_cleanup), VQCACHE_CURL_(easy_strerror), VQCACHE_CURL_(slist_append);
    VQCACHE_CURL_(slist_free_all), VQCACHE_CURL_(multi_init), VQCACHE_CURL_(multi_add_handle);
    VQCACHE_CURL_(multi_remove_handle), VQCACHE_CURL_(multi_perform), VQCACHE_CURL_(multi_wait);
    VQCACHE_CURL_(multi_info_read), VQCACHE_CURL_(multi_cleanup);
#undef VQCACHE_CURL_
    const bool all = true;
#else
    static constexpr const char* names[] = {"global_init", "easy_init", "easy_setopt",
        "easy_cleanup", "easy_strerror", "slist_append", "slist_free_all", "multi_init",
        "multi_add_handle", "multi_remove_handle", "multi_perform", "multi_wait", "multi_info_read",
        "multi_cleanup"};
    const auto bind = [&](void* from) {
      for (std::size_t i = 0; i < functions; ++i)
        if (!(l.f[i] = os::symbol(from, (std::string("curl_") + names[i]).c_str()))) return false;
      return true;
    };
    // what the process has comes first: a second copy would be bound to the symbols of the first
    bool all = bind(nullptr);
    for (const char* name : os::libcurl_names())
      if (void* from = all ? nullptr : os::load(name)) all = bind(from);
#endif
    l.usable = all && os::call<int>(l.f[global_init], 3L) == 0;
    return l;
  }();
  return found;
}

class by_library {  // one exchange over libcurl
 public:
  explicit by_library(const exchange& x) : x_(&x) {}
  status run() {
    void* const* f = libcurl().f;
    const os::quiet_pipes quiet;
    easy_ = os::call<void*>(f[easy_init]);
    void* multi = os::call<void*>(f[multi_init]);
    status s = easy_ && multi ? prepare() : fail(errc::connection, "libcurl cannot start");
    if (s.ok() && os::call<int>(f[multi_add_handle], multi, easy_) != 0)
      s = fail(errc::connection, "libcurl cannot start");
    int running = s.ok() ? 1 : 0, queued = 0;
    while (running && s.ok() && !stop_) {
      const bool good = os::call<int>(f[multi_perform], multi, &running) == 0 &&
          (!running ||
              os::call<int>(f[multi_wait], multi, static_cast<void*>(nullptr), 0U, 100,
                  static_cast<int*>(nullptr)) == 0);
      if (!good) s = fail(errc::connection, "libcurl's transfer loop failed");
      if (running && !x_->on_wait()) stop_ = true;
    }
    if (const message* m =
            s.ok() && !stop_ ? os::call<message*>(f[multi_info_read], multi, &queued) : nullptr)
      s = m->data.result == 0
          ? status()
          : judge(m->data.result,
                *words_ ? words_ : os::call<const char*>(f[easy_strerror], m->data.result));
    if (!problem_.ok()) s = problem_;
    if (easy_ && multi) os::call<int>(f[multi_remove_handle], multi, easy_);
    if (easy_) os::call<void>(f[easy_cleanup], easy_);
    if (multi) os::call<int>(f[multi_cleanup], multi);
    os::call<void>(f[slist_free_all], list_);
    if (s.ok() && !stop_ && !head_.ended()) s = not_http();
    return stop_ && problem_.ok() ? status() : s;
  }

 private:
  template <class T> bool set(int option,
      T value) {  // variadic in name and fact: Apple's arm64 passes such arguments on the stack
    return reinterpret_cast<int (*)(void*, int, ...)>(libcurl().f[easy_setopt])(
               easy_, option, value) == 0;
  }
  status prepare() {
    for (const std::string& h : x_->headers) {
      void* longer = os::call<void*>(libcurl().f[slist_append], list_, h.c_str());
      if (!longer) return fail(errc::connection, "libcurl cannot take the header lines");
      list_ = longer;
    }
    const std::string bundle = authorities(), folder = os::env("SSL_CERT_DIR"), name = agent();
    const bool good = set(10002, x_->url.c_str()) && set(181, 3L) /* http and https only */ &&
        set(52, 0L) /* no redirects */ && set(64, 1L) && set(81, 2L) /* verify peer and host */ &&
        set(51, 0L) /* no netrc */ && set(99, 1L) /* no signals */ &&
        set(84, 2L) /* HTTP/1.1, as the program */ &&
        set(78, static_cast<long>(x_->connect_seconds)) && set(10010, &words_[0]) &&
        set(10018, name.c_str()) && set(10023, list_) && set(43, 1L) && set(20011, &on_body) &&
        set(10001, this) && set(20079, &on_line) && set(10029, this) &&
        (bundle.empty() || set(10065, bundle.c_str())) &&
        (folder.empty() || set(10097, folder.c_str()));
    (void)set(98, 262144L);  // the buffer; libcurl clamps it
    (void)set(265, 1L);      // no headers of the proxy's CONNECT
    return good
        ? status()
        : fail(errc::no_transport,
              "this libcurl refuses an option that safety needs; VQCACHE_TRANSPORT=curl uses the program");
  }
  static std::size_t on_line(char* data, std::size_t size, std::size_t n, void* self) {
    auto& me = *static_cast<by_library*>(self);
    if (me.head_.ended()) return size * n;  // trailers after a chunked body
    const status s = error::guard("header", [&] {
      if (!me.head_.line({data, size * n})) me.problem_ = not_http();
      else if (me.head_.ended()) me.stop_ = !me.x_->on_head(me.head_.code(), me.head_.headers());
    });
    if (!s.ok()) me.problem_ = s;
    return me.problem_.ok() && !me.stop_ ? size * n : 0;
  }
  static std::size_t on_body(char* data, std::size_t size, std::size_t n, void* self) {
    auto& me = *static_cast<by_library*>(self);
    if (!me.head_.ended()) me.problem_ = not_http();
    else if (status s = error::guard("body", [&] { me.stop_ = !me.x_->on_body(data, size * n); });
        !s.ok())
      me.problem_ = s;
    return me.problem_.ok() && !me.stop_ ? size * n : 0;
  }
  const exchange* x_;
  void *easy_ = nullptr, *list_ = nullptr;
  head head_;
  status problem_;
  bool stop_ = false;
  char words_[256] = "";
};

// One exchange over the program. The URL and every secret go to its standard input, where ps does
// not see them; what safety needs stands in its arguments, since unknown words of a configuration
// are ignored before curl 8.7.
inline status by_program(const exchange& x) {
  std::string config = "url = \"" + x.url + "\"\nuser-agent = \"" + agent() + "\"\n";
  for (const std::string& h : x.headers) {
    config += "header = \"";
    for (char c : h) config += (c == '"' || c == '\\' ? "\\" : "") + std::string(1, c);
    config += "\"\n";
  }
  const os::quiet_pipes quiet;
  os::process p;
  const int e = p.start({"curl", "-q", "-g", "-s", "-S", "-i", "-N", "--proto", "=http,https",
                            "--suppress-connect-headers", "--http1.1", "--connect-timeout",
                            std::to_string(x.connect_seconds), "-K", "-"},
      config);
  if (e)
    return fail(errc::no_transport,
        "the program curl cannot be started (" + std::generic_category().message(e) +
            "): install curl or libcurl, or set options::fetch");
  head h;
  std::string line, block(262144, '\0');
  for (;;) {
    const long n = p.read(&block[0], block.size(), 100);
    if (!x.on_wait()) return {};
    if (n == 0) break;
    std::string_view data(block.data(), static_cast<std::size_t>((std::max)(n, 0L)));
    while (!data.empty() && !h.ended()) {
      const std::size_t end = data.find('\n');
      line += data.substr(0, end);
      data.remove_prefix(end == std::string_view::npos ? data.size() : end + 1);
      if (line.size() > 256 * 1024) return not_http();
      if (end == std::string_view::npos) break;
      if (!h.line(line)) return not_http();
      line.clear();
      if (h.ended() && !x.on_head(h.code(), h.headers())) return {};
    }
    if (!data.empty() && !x.on_body(data.data(), data.size())) return {};
  }
  const int code = p.finish(false);
  std::string words(text::trim(text::printable(p.errors())));
  if (code == 127 && !h.ended())
    return fail(errc::no_transport, "the program curl cannot be run: " + words);
  if (status s = judge(code > 0 ? code : 0, words); !s.ok()) return s;
  return h.ended() ? status() : not_http();
}

}  // namespace curl

// ==== >>transfer ==== decides how to get bytes: sources, mirrors, redirects, tries, limits ====

namespace transfer {

struct reply {  // what a user's fetcher has said so far
  std::function<bool(int, const std::vector<text::header>&)> on_head;
  std::function<bool(const char*, std::size_t)> on_body;
  int code = 0;
  std::vector<text::header> headers{};
  bool head_done = false, stopped = false;
  std::string failure{}, misuse{};
  void end_head() {
    if (!std::exchange(head_done, true)) stopped = !on_head(code ? code : 200, headers);
  }
};

// the caller's source, checked: every word that will reach a transport is known to be harmless
struct checked {
  std::vector<std::string> urls{};  // without pins
  std::string pin{};
  std::vector<std::string> headers{};
  std::uint64_t size = 0;
};

inline status check(const source& s, const std::string& role, const options& opts, checked& out) {
  const auto bad = [&](const std::string& why) {
    return fail(errc::invalid_argument, "the source of the " + role + ": " + why);
  };
  std::string pin = text::lower(s.sha256);
  if (!pin.empty() && !text::is_digest(pin))
    return bad("sha256 is '" + text::printable(s.sha256) + "', not 64 hex digits");
  if (s.urls.empty()) return bad("no URL is given");
  for (const std::string& given : s.urls) {
    std::string_view url = given;
    const std::string in_url = text::lower(text::split_pin(url));
    const std::string name = text::quoted(text::redact(text::printable(url)));
    if (!in_url.empty() && !text::is_digest(in_url))
      return bad(
          "#sha256= of " + name + " is '" + text::printable(in_url) + "', not 64 hex digits");
    if (!in_url.empty() && !pin.empty() && in_url != pin)
      return bad("two different SHA-256 are given, " + pin + " and " + in_url);
    if (!in_url.empty()) pin = in_url;
    if (url.empty()) return bad("a URL is empty");
    text::url u;
    if (text::local_path(url).empty()) {
      if (!text::parse_url(url, u))
        return bad(
            name + " is not a URL (spaces, quotes and control characters must be percent-encoded)");
      if (!text::is_http(u) && !opts.fetch)
        return bad("the scheme of " + name +
            " is not http, https or file; options::fetch can serve others");
    } else if (url.find('\0') != std::string_view::npos) {
      return bad("a path has a NUL byte");
    }
    out.urls.emplace_back(url);
  }
  for (const std::string& h : s.headers) {
    text::header parsed;
    if (!text::parse_header(h, parsed))
      return bad("a header is not 'Name: value' without control characters");
  }
  out.pin = pin, out.headers = s.headers, out.size = s.size;
  return {};
}

class download {  // one file from one URL, through its redirects, into a partial
 public:
  download(const checked& from, stage::demand want, stage::partial& to,
      const os::fs::path& final_path, caller& who)
      : from_(&from),
        want_(std::move(want)),
        to_(&to),
        final_(final_path),
        who_(&who),
        file_(os::shown(final_path.filename())) {}

  std::string etag{};
  status run(const std::string& url) {
    text::url at, home;
    (void)text::parse_url(from_->urls[0], home);
    if (!text::parse_url(url, at)) return fail(errc::invalid_argument, "it is not a URL");
    for (int hop = 0; hop <= 20; ++hop) {
      location_.clear();
      if (status s = one(at, at.origin() == home.origin()); !s.ok()) return s;
      if (location_.empty())
        return to_->begun() ? check_length() : fail(errc::http_status, "the server sent no file");
      text::url next;
      if (!text::resolve(at, location_, next) || !text::is_http(next))
        return fail(errc::http_status,
            "it redirects to " + text::quoted(text::redact(text::printable(location_))) +
                ", which is neither http nor https");
      if (at.scheme == "https" && next.scheme == "http")
        return fail(errc::http_status,
            "it redirects from https down to " + text::quoted(text::redact(next.whole())) +
                ", which anybody on the way could change");
      at = next;
    }
    return fail(errc::http_status, "it redirects more than 20 times");
  }

 private:
  status one(const text::url& at, bool at_home) {
    problem_ = status(), expected_ = 0, length_known_ = false, excerpt_.clear(), code_ = 0;
    std::vector<std::string> headers{"Accept: */*", "Accept-Encoding: identity"};
    if (at_home) headers.insert(headers.end(), from_->headers.begin(), from_->headers.end());
    began_ = std::chrono::steady_clock::now();
    speed_ = stage::pace(who_->opts().stall_seconds);
    const auto head = [this](int code, const std::vector<text::header>& h) {
      return on_head(code, h);
    };
    const auto body = [this](const char* data, std::size_t n) { return on_body(data, n); };
    status s;
    if (!who_->step(phase::downloading, file_, 0, from_->size, caller::at::first))
      return who_->stop();
    if (who_->opts().fetch) {
      s = by_user(at.whole(), headers, head, body);
    } else {
      curl::exchange x{at.whole(), headers, who_->opts().connect_seconds, head, body,
          [this] { return on_wait(); }};
      std::string by =
          who_->opts().transport.empty() ? os::env("VQCACHE_TRANSPORT") : who_->opts().transport;
      if (by.empty()) by = curl::libcurl().usable ? "libcurl" : "curl";
      if (by != "libcurl" && by != "curl")
        return fail(errc::invalid_argument,
            "the transport " + text::quoted(text::printable(by)) +
                " is unknown; known are libcurl and curl");
      if (by == "libcurl" && !curl::libcurl().usable)
        return fail(errc::no_transport,
            "libcurl is not installed: install it or the program curl, or set options::fetch");
      s = by == "curl" ? curl::by_program(x) : curl::by_library(x).run();
    }
    if (who_->stopped()) return who_->stop();
    if (!problem_.ok()) return problem_;
    if (code_ >= 400 && (s.ok() || s.code == errc::truncated)) return refused();
    return s;
  }
  status by_user(const std::string& url, const std::vector<std::string>& headers,
      const std::function<bool(int, const std::vector<text::header>&)>& head,
      const std::function<bool(const char*, std::size_t)>& body) {
    request q;
    q.url = url, q.headers = headers;
    reply r{head, body};
    response answer(r);
    if (status s = error::guard("options::fetch", [&] { who_->opts().fetch(q, answer); });
        !s.ok()) {
      who_->stop_with(s);
      return s;
    }
    if (r.misuse.empty() && r.failure.empty() && !r.head_done && r.code == 0)
      r.misuse = "it returned without status, write or fail";
    if (!r.misuse.empty())
      return fail(errc::callback, "options::fetch is used wrongly: " + r.misuse);
    if (!r.failure.empty())
      return fail(errc::connection, "options::fetch says: " + text::printable(r.failure));
    r.end_head();
    return {};
  }
  bool refuse(status s) {
    problem_ = std::move(s);
    return false;
  }
  bool on_head(int code, const std::vector<text::header>& headers) {
    code_ = code;
    const std::string* where = text::find(headers, "location");
    if (code == 301 || code == 302 || code == 303 || code == 307 || code == 308) {
      if (!where || where->empty())
        return refuse(
            fail(errc::http_status, "HTTP " + std::to_string(code) + " without a Location"));
      location_ = *where;
      return false;
    }
    if (code >= 400) return true;  // its words are wanted
    if (code != 200)
      return refuse(
          fail(errc::http_status, "HTTP " + std::to_string(code) + " instead of the file"));
    if (const std::string* coding = text::find(headers, "content-encoding"))
      if (text::lower(*coding) != "identity" && !coding->empty())
        return refuse(fail(errc::http_status,
            "the server encoded the file (" + text::printable(*coding) +
                ") though identity was asked"));
    if (!text::content_length(headers, length_known_, expected_))
      return refuse(fail(errc::http_status, "its Content-Length is malformed or given twice"));
    const std::uint64_t most = from_->size ? from_->size : who_->opts().max_bytes;
    if (length_known_ && expected_ > most)
      return refuse(fail(errc::not_the_file,
          "it has " + std::to_string(expected_) + " bytes, but " + std::to_string(most) +
              (from_->size ? " are expected" : " are the most that options::max_bytes allows")));
    if (const std::string* type = text::find(headers, "content-type")) want_.type = *type;
    if (const std::string* tag = text::find(headers, "etag")) etag = *tag;
    if (status s = to_->begin(final_); !s.ok()) return refuse(s);
    return true;
  }
  bool on_body(const char* data, std::size_t n) {
    if (code_ >= 400) {
      excerpt_.append(data, (std::min)(n, stage::head_size - excerpt_.size()));
      return excerpt_.size() < stage::head_size;
    }
    // more than announced: what follows belongs to no file
    if (length_known_)
      n = static_cast<std::size_t>((std::min)(std::uint64_t{n}, expected_ - to_->size()));
    const std::uint64_t most = from_->size ? from_->size : who_->opts().max_bytes;
    if (n > most - to_->size())
      return refuse(
          fail(errc::not_the_file, "it has more than " + std::to_string(most) + " bytes"));
    if (n > 0)
      if (status s = to_->write(data, n, want_.kind); !s.ok()) return refuse(s);
    return on_wait();
  }
  bool on_wait() {
    const std::uint64_t done = to_->begun() ? to_->size() : 0;
    if (!who_->step(phase::downloading, file_, done, length_known_ ? expected_ : from_->size,
            caller::at::middle))
      return false;
    // connecting has its own limit, and a server may think before it answers
    const bool thinking = !to_->begun() &&
        std::chrono::steady_clock::now() - began_ <
            std::chrono::seconds(who_->opts().connect_seconds + 3 * who_->opts().stall_seconds);
    if (!speed_.stalled(done) || thinking) return true;
    return refuse(fail(errc::timed_out,
        "it gained under 64 KiB in " + std::to_string(who_->opts().stall_seconds) + " s"));
  }
  status refused() const {
    const char* hint = code_ == 401 || code_ == 403
        ? "; it needs credentials (source::headers) or has expired"
        : code_ == 404 || code_ == 410 ? "; the file is not there any more, or the URL is mistyped"
        : code_ == 429                 ? "; the server asks to come back later"
                                       : "";
    std::string words = text::first_words(excerpt_);
    return fail(errc::http_status,
        "the server answered HTTP " + std::to_string(code_) +
            (words.size() > 2 ? " " + words : "") + hint);
  }
  status check_length() const {
    if (length_known_ && to_->size() != expected_)
      return fail(errc::truncated,
          "the connection ended after " + std::to_string(to_->size()) + " of " +
              std::to_string(expected_) + " bytes");
    return {};
  }

  const checked* from_;
  stage::demand want_;
  stage::partial* to_;
  os::fs::path final_;
  caller* who_;
  std::string file_, location_, excerpt_;
  status problem_{};
  stage::pace speed_{30};
  std::chrono::steady_clock::time_point began_{};
  std::uint64_t expected_ = 0;
  bool length_known_ = false;
  int code_ = 0;

 public:
  const stage::demand& wanted() const { return want_; }
};

// One try of one URL: the bytes, judged. local: the failure is the local disk's or the caller's, so
// that no other URL can help.
inline status attempt(const checked& from, const std::string& url, const stage::demand& want,
    stage::partial& to, const os::fs::path& final_path, caller& who, std::string& etag) {
  const std::string path = text::local_path(url);
  if (path.empty()) {
    download d(from, want, to, final_path, who);
    if (status s = d.run(url); !s.ok()) return s;
    etag = d.etag;
    return to.seal(d.wanted());
  }
  bool at_source = false;
  const os::fs::path p = os::resolved(os::to_path(path));
  if (status s = to.begin(final_path); !s.ok()) return s;
  if (status s =
          stage::copy(p, os::mode::read_link, to, want.kind, who, phase::downloading, at_source);
      !s.ok())
    return s;
  return to.seal(want);
}

// from: where it may come from; got: the URL that served, redacted. Transient failures are tried
// three times in all; everything else goes to the next mirror at once, but for what no mirror can
// mend.
inline status fetch(const checked& from, const stage::demand& want, stage::partial& to,
    const os::fs::path& final_path, caller& who, std::string& got, std::string& etag) {
  status last;
  std::string tried;
  const std::string file = os::shown(final_path.filename());
  for (const std::string& url : from.urls) {
    const std::string name = text::redact(url);
    for (int round = 0;; ++round) {
      last = attempt(from, url, want, to, final_path, who, etag);
      if (last.ok()) return got = name, last;
      to.drop();
      if (who.stopped() || last.thrown) return who.stopped() ? who.stop() : last;
      const bool mine =
          last.cause && last.code != errc::connection && text::local_path(url).empty();
      if (mine || last.code == errc::invalid_argument || last.code == errc::no_transport) {
        last.text = "model '" + who.name() + "', " + file + ": " + last.text;
        return last;
      }
      const bool transient = last.code == errc::connection || last.code == errc::truncated ||
          last.code == errc::timed_out || last.text.find("HTTP 5") != std::string::npos ||
          last.text.find("HTTP 429") != std::string::npos;
      if (!transient || round == 2) break;
      for (int ms = 0; ms < 500 << round; ms += 100) {
        os::sleep_ms(100);
        if (!who.step(phase::downloading, file, 0, want.size, caller::at::middle))
          return who.stop();
      }
    }
    tried += (tried.empty() ? "" : "; then ") + text::quoted(name) + ": " + last.text;
  }
  last.text = "model '" + who.name() + "': cannot bring " + file + " from " + tried;
  return last;
}

}  // namespace transfer

// ==== >>tier ==== finds, restores or stores a finished file ====

namespace tier {

struct held {  // what one tier holds of a model, at one moment
  std::vector<os::info> files;
  text::receipt receipt;
};

inline os::fs::path receipt_path(const os::fs::path& at, const std::string& name) {
  return at / (name + ".sha256");
}

inline held look(
    const os::fs::path& at, const std::string& name, const std::vector<std::string>& files) {
  held h;
  std::string content;
  bool any = false;
  for (const std::string& f : files) {
    h.files.push_back(os::look(at / f));
    any = any || h.files.back().exists;
  }
  if (any && os::read_text(receipt_path(at, name), content) == 0)
    h.receipt = text::read_receipt(content);
  return h;
}

inline status digest(const os::fs::path& p, os::mode how, caller& who, std::string& out) {
  os::file f;
  hash::sha256 sha;
  std::string block(stage::block_size, '\0');
  const std::string name = os::shown(p.filename());
  const std::uint64_t size = os::look(p).size;
  std::uint64_t done = 0;
  if (int e = os::open(p, how, f)) return error::from_system("cannot open", os::shown(p), e);
  for (std::size_t got = 1; got > 0; done += got) {
    if (!who.step(
            phase::verifying, name, done, size, done == 0 ? caller::at::first : caller::at::middle))
      return who.stop();
    if (int e = os::read_some(f, &block[0], block.size(), got))
      return error::from_system("cannot read", os::shown(p), e);
    sha.update(block.data(), got);
  }
  if (!who.step(phase::verifying, name, done, size, caller::at::last)) return who.stop();
  out = sha.hex();
  return out.empty() ? fail(errc::io, "the system's SHA-256 failed") : status();
}

// A damaged file is kept under another name, so that nothing is lost; of several only the newest.
inline status put_aside(const os::fs::path& p, const std::string& why, caller& who) {
  const std::string file = os::shown(p.filename());
  const std::string aside = file + ".corrupt-" + os::unique().substr(0, 8);
  if (int e = os::rename(p, p.parent_path() / aside))
    return error::from_system("cannot put aside the damaged", os::shown(p), e);
  for (const std::string& old : os::list(p.parent_path(), file + ".corrupt-"))
    if (old != aside) (void)os::unlink(p.parent_path() / old);
  who.say("The file " + text::quoted(os::shown(p)) + " is damaged (" + why +
      "); it was put aside as " + aside + ".");
  return {};
}

// Publishes sealed files as one: a receipt that would speak of others goes first, the new one comes
// last. A crash at any moment leaves each name whole or absent, and no receipt that lies.
inline status publish(const os::fs::path& at, const std::string& name,
    std::vector<stage::partial>& files, const text::receipt& before, const text::receipt& now) {
  const os::fs::path receipt = receipt_path(at, name);
  bool stale = false, any = false;
  for (const text::entry& e : before) {
    const text::entry* n = text::find(now, e.file);
    stale = stale || !n || n->sha256 != e.sha256;
  }
  if (stale)
    if (int e = os::unlink(receipt))
      return error::from_system("cannot remove the old receipt", os::shown(receipt), e);
  if (int e = stale ? os::sync_directory(at) : 0)
    return error::from_system("cannot sync", os::shown(at), e);
  for (stage::partial& p : files) {
    if (!p.begun()) continue;
    if (status s = p.publish(); !s.ok()) return s;
    any = true;
  }
  if (int e = any ? os::sync_directory(at) : 0)
    return error::from_system("cannot sync", os::shown(at), e);
  return stage::put(receipt, text::write_receipt(now, os::date()));
}

}  // namespace tier

// ==== >>cache ==== the story itself, in plain steps ====

namespace cache {

struct item {  // one file of the set that a model is
  std::string file;
  text::kind kind;
  transfer::checked from{};
  std::string pin{};  // the caller's: what stands in a tier is held to it; from.pin: what a
                      // download is held to
};

class story {
 public:
  story(caller& who, std::vector<item> items, os::fs::path local, os::fs::path cache)
      : who_(&who),
        name_(who.name()),
        items_(std::move(items)),
        local_dir_(std::move(local)),
        cache_dir_(std::move(cache) / name_) {
    for (const item& i : items_) files_.push_back(i.file);
  }
  origin from = origin::local;
  bool cached = false;

  status run() {
    see();
    if (all_good()) {
      announce_hit();
      if (stored()) return cached = true, who_->stop();
    }
    if (status s = ready(); !s.ok()) return s;
    lock();
    if (who_->stopped()) return who_->stop();
    for (int round = 0; round < 3;
        ++round) {  // a second time when storing found the local file damaged
      see();
      for (const std::string& f : sweepable()) {
        stage::sweep(local_dir_, f, *who_);
        stage::sweep(cache_dir_, f, *who_);
      }
      if (status s = settle(); !s.ok()) return s;
      if (all_good()) announce_hit();
      else if (status s = bring(); !s.ok()) return s;
      if (who_->stopped()) return who_->stop();
      bool local_damaged = false;
      cached = stored();
      if (cached || !may_store_) return who_->stop();
      const status s = store(local_damaged);
      if (s.ok()) return cached = true, who_->stop();
      if (who_->stopped() && who_->stop().code != errc::cancelled) return who_->stop();
      if (local_damaged) continue;
      who_->go_on();  // the local pair is complete: a cancelled or failed store is told, not thrown
      who_->say(
          "The model (" + name_ + ") is complete locally, but not in the cache: " + s.text + ".");
      return who_->stop();
    }
    return fail(
        errc::hash_mismatch, "model '" + name_ + "': its local files change while they are read");
  }

  // receipts first: what stays after a crash is a model without a receipt, not a receipt without
  // its model
  status remove() {
    lock();
    for (const os::fs::path& at : {local_dir_, cache_dir_}) {
      std::vector<std::string> names{name_ + ".sha256"};
      names.insert(names.end(), files_.begin(), files_.end());
      for (const std::string& f : sweepable()) {
        for (const std::string& n : os::list(at, "." + f + "."))
          if (text::ends(n, ".part") || text::ends(n, ".record")) names.push_back(n);
        for (const std::string& n : os::list(at, f + ".corrupt-")) names.push_back(n);
      }
      for (const std::string& n : names)
        if (int e = os::unlink(at / n))
          return error::from_system("cannot remove", os::shown(at / n), e);
      if (int e = os::look(at).directory ? os::sync_directory(at) : 0)
        return error::from_system("cannot sync", os::shown(at), e);
    }
    (void)os::unlink(local_dir_ / lock_name());
    std::error_code ignored;  // it may hold what is not ours
    os::fs::remove(cache_dir_, ignored);
    return who_->stop();
  }

 private:
  enum class state { absent, good, doubtful };
  std::string lock_name() const { return "." + name_ + ".lock"; }
  std::vector<std::string> sweepable() const {
    std::vector<std::string> all = files_;
    all.push_back(name_ + ".sha256");
    return all;
  }
  void see() {
    local_ = tier::look(local_dir_, name_, files_);
    cache_ = tier::look(cache_dir_, name_, files_);
  }
  const text::entry* local_entry(std::size_t i) const {
    return text::find(local_.receipt, files_[i]);
  }
  const text::entry* cache_entry(std::size_t i) const {
    return text::find(cache_.receipt, files_[i]);
  }

  state local_state(std::size_t i) const {
    const os::info& f = local_.files[i];
    const text::entry* e = local_entry(i);
    if (!f.regular) return state::absent;
    const bool fits = !e || !e->sized || e->size == f.size;
    const bool pinned = items_[i].pin.empty() || (e && e->sha256 == items_[i].pin);
    return fits && pinned ? state::good : state::doubtful;
  }
  bool all_good() const {
    for (std::size_t i = 0; i < items_.size(); ++i)
      if (local_state(i) != state::good) return false;
    return true;
  }
  // the cached copy is there, as far as names, sizes and receipts tell
  bool stored(std::size_t i) const {
    const os::info &l = local_.files[i], &c = cache_.files[i];
    const text::entry *mine = local_entry(i), *theirs = cache_entry(i);
    if (!c.regular || c.size != l.size) return false;
    if (mine && theirs) return mine->sha256 == theirs->sha256;
    if (mine) return !os::writable(cache_dir_);  // a receipt is due, where one can be written
    return !theirs || !theirs->sized || theirs->size == l.size;
  }
  bool stored() const {
    for (std::size_t i = 0; i < items_.size(); ++i)
      if (!stored(i)) return false;
    return true;
  }

  void announce_hit() {
    if (std::exchange(announced_, true)) return;
    who_->say("The model (" + name_ + ") is already available locally.");
    tell_origin(local_.receipt);
    for (std::size_t i = 0; i < items_.size(); ++i)
      if (const text::entry* e = local_entry(i);
          !e || (e->unverified && e->sha256 != items_[i].pin))
        return who_->say(
            "Nothing vouches for " + files_[i] + ": it is served unverified, as it was found.");
  }
  // a name asked for with other URLs and no pin
  void tell_origin(const text::receipt& r) {
    for (const item& i : items_) {
      const text::entry* e = text::find(r, i.file);
      if (!e || e->origin.empty() || !i.pin.empty() || i.from.urls.empty()) continue;
      bool same = false;
      for (const std::string& url : i.from.urls)
        same = same || text::printable(text::redact(url)) == e->origin;
      if (!same)
        who_->say("The stored " + i.file + " came from " + e->origin + ", not from " +
            text::redact(i.from.urls[0]) + ".");
    }
  }

  status missing(const os::fs::path& directory) const {
    return fail(errc::directory_missing,
        "Directory not found: " + text::quoted(os::shown(directory)) +
            "; create it, or set options::create_dirs");
  }
  status ready() {  // the directories
    const bool complete = all_good(), create = who_->opts().create_dirs;
    if (!os::look(local_dir_).directory) {
      if (!create) return missing(local_dir_);
      if (int e = os::make_directories(local_dir_))
        return error::from_system("cannot create the local directory", os::shown(local_dir_), e);
    }
    if (!create && !os::look(cache_dir_.parent_path()).directory) {
      if (!complete) return missing(cache_dir_.parent_path());
      who_->say("The model (" + name_ + ") is complete locally, but not in the cache: " +
          missing(cache_dir_.parent_path()).text + ".");
      may_store_ = false;
    }
    return {};
  }

  std::uint64_t in_progress() const {  // bytes that some call has brought so far
    std::uint64_t n = 0;
    for (const os::fs::path& at : {local_dir_, cache_dir_})
      for (const std::string& f : os::list(at, "." + name_ + "."))
        if (text::ends(f, ".part")) n += os::look(at / f, false).size;
    return n;
  }
  // It saves a second download and nothing rests on it, so that every doubt ends in going on
  // without it.
  void lock() {
    if (os::open(local_dir_ / lock_name(), os::mode::lock, lock_) != 0) return;
    std::uint64_t seen = 0;
    auto since = std::chrono::steady_clock::now();
    for (int waits = 0;; ++waits) {
      const int e = os::try_lock(lock_);
      if (e != EWOULDBLOCK && e != EAGAIN) return;
      if (waits == 0)
        who_->say("Waiting for another call that is bringing the model (" + name_ + ").");
      if (const std::uint64_t now = waits % 10 == 0 ? in_progress() : seen; now != seen)
        seen = now, since = std::chrono::steady_clock::now();
      if (std::chrono::steady_clock::now() - since >
          std::chrono::seconds(who_->opts().stall_seconds))
        return who_->say("The other call makes no progress; going on without it.");
      if (!who_->step(phase::waiting, files_.back(), seen, 0,
              waits ? caller::at::middle : caller::at::first))
        return;
      os::sleep_ms(20);
    }
  }

  status taken(std::size_t i, const os::fs::path& where) const {
    return fail(errc::name_taken,
        "model '" + name_ + "': another model stands under this name: " +
            text::quoted(os::shown(where)) + " fits its receipt, but not the pin " + items_[i].pin +
            "; use another name, or remove '" + os::shown(local_dir_ / name_) + ".*' and '" +
            os::shown(cache_dir_) + "' (vqcache::remove does)");
  }
  // local files of which names and sizes do not tell enough are hashed once
  status settle() {
    bool news = false;
    text::receipt now = local_.receipt;
    for (std::size_t i = 0; i < items_.size(); ++i) {
      const os::info& f = local_.files[i];
      const os::fs::path p = local_dir_ / files_[i];
      if (f.problem || (f.exists && !f.regular))
        return f.problem
            ? error::from_system("cannot look at", os::shown(p), f.problem)
            : fail(errc::io, text::quoted(os::shown(p)) + " is not a regular file: move it away");
      if (local_state(i) != state::doubtful) continue;
      std::string sha;
      const text::entry* e = local_entry(i);
      const std::string& pin = items_[i].pin;
      who_->say(
          "Checking " + files_[i] + (pin.empty() ? " against its receipt." : " against the pin."));
      if (status s = tier::digest(p, os::mode::read_link, *who_, sha); !s.ok()) return s;
      if (sha == (pin.empty() ? e->sha256 : pin)) {
        text::entry fresh = e ? *e : text::entry();
        fresh.file = files_[i], fresh.sha256 = sha, fresh.size = f.size, fresh.sized = true,
        fresh.unverified = pin.empty() && fresh.unverified;
        now.erase(std::remove_if(now.begin(), now.end(),
                      [&](const text::entry& o) { return o.file == fresh.file; }),
            now.end());
        now.push_back(fresh);
        news = true;
        continue;
      }
      if (e && !e->unverified && sha == e->sha256) return taken(i, p);
      if (status s = tier::put_aside(p, "its SHA-256 is " + sha, *who_); !s.ok()) return s;
      local_.files[i] = os::info();
    }
    if (news) {
      if (status s = stage::put(
              tier::receipt_path(local_dir_, name_), text::write_receipt(now, os::date()));
          !s.ok())
        return s;
      local_.receipt = now;
    }
    return {};
  }

  // brings what is missing, all of it before any of it gets its name
  status bring() {
    const std::size_t n = items_.size();
    std::vector<stage::partial> parts(n);
    text::receipt now;
    bool all_cached = true;
    for (std::size_t i = 0; i < n; ++i)
      all_cached = all_cached && (local_state(i) == state::good || cache_.files[i].regular);
    who_->say("The model (" + name_ +
        (all_cached ? ") is available in the cache, copying locally."
                    : ") was not found, downloading and caching."));
    if (all_cached) tell_origin(cache_.receipt);
    from = origin::cache;
    for (std::size_t i = 0; i < n; ++i) {
      text::entry e;
      if (local_state(i) == state::good) {
        if (const text::entry* known = local_entry(i)) now.push_back(*known);
        continue;
      }
      e.file = files_[i];
      const demanded bound = binding(i);
      bool restored = false;
      if (cache_.files[i].exists)
        if (status s = restore(i, bound, parts[i], e, restored); !s.ok()) return s;
      if (!restored)
        if (status s = fetch(i, bound, parts[i], e); !s.ok()) return s;
      e.sha256 = parts[i].sha256(), e.size = parts[i].size(), e.sized = true;
      now.push_back(e);
    }
    // where the lock lies, another call may have been faster: its pair stands, ours goes
    const tier::held again = tier::look(local_dir_, name_, files_);
    bool theirs = true;
    for (std::size_t i = 0; i < n; ++i)
      theirs = theirs && again.files[i].regular && text::find(again.receipt, files_[i]);
    if (theirs) {
      see();
      if (all_good()) return {};
    }
    if (status s = tier::publish(local_dir_, name_, parts, again.receipt, now); !s.ok()) return s;
    see();
    return {};
  }

  // what binds a file that is missing: the pin, else the receipt of its local fellow, else the
  // cache's
  struct demanded {
    std::string sha256;
    const char* by = "the pin";
    bool verified = true;
  };
  demanded binding(std::size_t i) const {
    if (!items_[i].pin.empty()) return {items_[i].pin, "the pin", true};
    bool fellow = false;
    for (std::size_t j = 0; j < items_.size(); ++j) fellow = fellow || local_.files[j].regular;
    const text::entry *mine = local_entry(i), *theirs = cache_entry(i);
    if (mine && (fellow || !theirs)) return {mine->sha256, "the local receipt", !mine->unverified};
    if (theirs) return {theirs->sha256, "the receipt in the cache", !theirs->unverified};
    return {std::string(), "", false};
  }

  status restore(
      std::size_t i, const demanded& bound, stage::partial& to, text::entry& e, bool& restored) {
    const os::fs::path p = cache_dir_ / files_[i];
    const text::entry* c = cache_entry(i);
    const os::info& held = cache_.files[i];
    if (!os::look(p, false).regular)
      return who_->say("The cached " + text::quoted(os::shown(p)) +
                 " is not a regular file; links in the cache are not followed."),
             status();
    bool at_source = true;
    stage::demand want;
    want.kind = items_[i].kind;
    status s;
    if (c && c->sized && c->size != held.size) {
      s = fail(errc::truncated,
          "it has " + std::to_string(held.size) + " bytes, its receipt says " +
              std::to_string(c->size));
    } else {
      if (status b = to.begin(local_dir_ / files_[i]); !b.ok()) return b;
      s = stage::copy(p, os::mode::read, to, want.kind, *who_, phase::restoring, at_source);
      if (who_->stopped()) return who_->stop();
      if (!s.ok() && !at_source && s.cause) return s;  // the local disk's failure
      if (!s.ok() && s.cause) return unread(to, s);
      if (!s.ok() && s.code != errc::not_the_file) return unread(to, s);
      want.sha256 = bound.sha256, want.bound_by = bound.by;
      if (s.ok()) s = to.seal(want);
      if (s.cause) return s;
      if (s.ok()) {
        restored = true, e.unverified = !bound.verified;
        if (c) e.origin = c->origin, e.etag = c->etag;
        if (e.unverified)
          who_->say("Nothing vouches for " + files_[i] +
              " of the cache: it is served unverified, as it was found.");
        return {};
      }
      const bool own = c && !c->unverified && to.sha256() == c->sha256;
      if (own && !items_[i].pin.empty()) return taken(i, p);
      if (own)
        return who_->say("The cache holds another " + files_[i] +
                   " than the local receipt names; it is left alone."),
               to.drop(), status();
    }
    to.drop();
    if (status aside = tier::put_aside(p, s.text, *who_); !aside.ok())
      who_->say("The cached " + files_[i] + " is damaged (" + s.text + ") and " + aside.text + ".");
    cache_.files[i] = os::info();
    return {};
  }
  status unread(stage::partial& to, const status& why) {
    who_->say("The cache cannot be read: " + why.text + ".");
    to.drop();
    return {};
  }

  status fetch(std::size_t i, const demanded& bound, stage::partial& to, text::entry& e) {
    const item& it = items_[i];
    bool remote = it.from.urls.empty();
    for (const std::string& url : it.from.urls) remote = remote || text::local_path(url).empty();
    const std::string flag = os::env("VQCACHE_OFFLINE");
    if (it.from.urls.empty())
      return fail(errc::unknown_model,
          "model '" + name_ + "': " + files_[i] +
              " is neither in the local directory nor usable in the cache, and no URL for it is known");
    if (remote && (who_->opts().offline || (!flag.empty() && flag != "0")))
      return fail(errc::offline,
          "model '" + name_ + "': " + files_[i] + " is neither in " +
              text::quoted(os::shown(local_dir_)) + " nor usable in " +
              text::quoted(os::shown(cache_dir_)) +
              ", and the call is offline; put it there, or call once with a network");
    stage::demand want;
    want.kind = it.kind, want.size = it.from.size, want.sha256 = it.from.pin;
    if (bound.verified && !bound.sha256.empty())
      want.sha256 = bound.sha256, want.bound_by = bound.by;
    from = origin::network;
    return transfer::fetch(it.from, want, to, local_dir_ / files_[i], *who_, e.origin, e.etag);
  }

  // copies the local pair to the cache; any failure is the caller's to tell
  status store(bool& local_damaged) {
    const std::size_t n = items_.size();
    std::vector<stage::partial> parts(n);
    text::receipt now, mine;
    for (std::size_t i = 0; i < n; ++i) {
      const text::entry *l = local_entry(i), *c = cache_entry(i);
      const os::info& held = cache_.files[i];
      const bool differs =
          c && (l ? l->sha256 != c->sha256 : c->sized && c->size != local_.files[i].size);
      if (held.regular && differs && !c->unverified && (!c->sized || c->size == held.size))
        return fail(errc::name_taken,
            "another model stands there under this name (" +
                text::quoted(os::shown(cache_dir_ / files_[i])) + "); it is left alone");
    }
    if (int e = os::make_directories(cache_dir_))
      return error::from_system("cannot create", os::shown(cache_dir_), e);
    for (std::size_t i = 0; i < n; ++i) {
      const os::fs::path p = cache_dir_ / files_[i];
      text::entry e;
      if (const text::entry* l = local_entry(i)) e = *l;
      e.file = files_[i];
      std::string sha;
      const bool alike = cache_.files[i].regular && cache_.files[i].size == local_.files[i].size &&
          !e.sha256.empty();
      const bool known = alike && cache_entry(i) && cache_entry(i)->sha256 == e.sha256;
      if (alike && !known)
        if (status s = tier::digest(p, os::mode::read, *who_, sha); !s.ok()) return s;
      if (!known && (sha.empty() || sha != e.sha256)) {
        if (cache_.files[i].exists)
          if (status s = tier::put_aside(p, "it differs from the local file", *who_); !s.ok())
            return s;
        stage::demand want;
        want.kind = items_[i].kind, want.sha256 = e.sha256, want.bound_by = "the local receipt";
        bool at_source = false;
        if (status s = parts[i].begin(p); !s.ok()) return s;
        if (status s = stage::copy(local_dir_ / files_[i], os::mode::read_link, parts[i], want.kind,
                *who_, phase::storing, at_source);
            !s.ok())
          return s;
        if (status s = parts[i].seal(want); !s.ok()) {
          local_damaged = s.code == errc::hash_mismatch || (!e.sha256.empty() && !s.cause);
          if (local_damaged)
            if (status aside = tier::put_aside(local_dir_ / files_[i], s.text, *who_); !aside.ok())
              return local_damaged = false, aside;
          return s;
        }
        e.unverified = e.unverified || e.sha256.empty();
        e.sha256 = parts[i].sha256(), e.size = parts[i].size(), e.sized = true;
      }
      now.push_back(e);
    }
    if (status s = tier::publish(cache_dir_, name_, parts, cache_.receipt, now); !s.ok()) return s;
    if (local_.receipt.size() < n)  // a notebook's pair, hashed by now
      return stage::put(
          tier::receipt_path(local_dir_, name_), text::write_receipt(now, os::date()));
    return {};
  }

  caller* who_;
  std::string name_;
  std::vector<item> items_;
  std::vector<std::string> files_;
  os::fs::path local_dir_, cache_dir_;
  os::file lock_;
  tier::held local_, cache_;
  bool announced_ = false, may_store_ = true;
};

inline std::vector<item> pair(const std::string& name) {
  return {{name + ".yaml", text::kind::text}, {name + ".ckpt", text::kind::binary}};
}
struct places {
  os::fs::path local, cache;
};
inline status find_places(const options& o, places& out) {
  const auto choose = [](const os::fs::path& given, const char* variable, const char* seed) {
    const std::string value = os::env(variable);
    return os::resolved(!given.empty() ? given
            : !value.empty()           ? os::to_path(value)
                                       : os::fs::path(seed));
  };
  out.local = choose(o.local_dir, "VQCACHE_LOCAL_DIR", "content/models");
  out.cache = choose(o.cache_dir, "VQCACHE_CACHE_DIR", "content/cache/models");
  if (out.local.empty() || out.cache.empty())
    return fail(
        errc::invalid_argument, "a directory begins with ~, and there is no home directory");
  return {};
}

inline status usable_name(const std::string& name) {
  const std::string why = text::name_problem(name);
  return why.empty() ? status()
                     : fail(errc::invalid_argument,
                           "the model name " + text::quoted(text::printable(name.substr(0, 120))) +
                               " cannot be used: " + why);
}
// without sources: what a tier holds under this very name, else what the catalogue knows it as
inline status find_sources(
    const places& at, std::string& name, std::vector<item>& items, const options& opts) {
  items = pair(name);
  bool held = true;
  for (const item& i : items)
    held =
        held && (os::look(at.local / i.file).regular || os::look(at.cache / name / i.file).regular);
  const std::vector<const catalog::row*> rows = catalog::find(name);
  if (!held && rows.size() != 1) {
    std::string several;
    for (const catalog::row* r : rows)
      several += (several.empty() ? "" : " or ") + std::string(r->name);
    return fail(errc::unknown_model,
        "model '" + name + "': it is neither in " + text::quoted(os::shown(at.local)) + " nor in " +
            text::quoted(os::shown(at.cache)) +
            (rows.empty() ? ", and the catalogue does not list it; " + catalog::near(name) +
                        " (or give its URLs)"
                          : ", and the name is ambiguous: say " + several));
  }
  if (rows.size() == 1) {
    if (!held) name = rows[0]->name;
    items = pair(name);
    const catalog::file* facts[] = {&rows[0]->config, &rows[0]->checkpoint};
    for (std::size_t i = 0; i < items.size(); ++i)
      if (status s =
              transfer::check(catalog::sources(*facts[i]), items[i].file, opts, items[i].from);
          !s.ok())
        return s;
  }
  return {};
}
inline status given_sources(const std::string& name, const source& config, const source& checkpoint,
    std::vector<item>& items, const options& opts) {
  items = pair(name);
  const source* sources[] = {&config, &checkpoint};
  const char* roles[] = {"config", "checkpoint"};
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (status s = transfer::check(*sources[i], roles[i], opts, items[i].from); !s.ok()) return s;
    items[i].pin = items[i].from.pin;
  }
  return {};
}

// a call as a value: whatever happens is in the status
inline status call(std::string name, const source* config, const source* checkpoint,
    const options& opts, model& out) {
  places at;
  std::vector<item> items;
  if (status s = usable_name(name); !s.ok()) return s;
  if (status s = find_places(opts, at); !s.ok()) return s;
  if (status s = config ? given_sources(name, *config, *checkpoint, items, opts)
                        : find_sources(at, name, items, opts);
      !s.ok())
    return s;
  caller who(opts, name);
  story tale(who, items, at.local, at.cache);
  if (status s = tale.run(); !s.ok()) return s;
  out.name = name, out.config = at.local / items[0].file, out.checkpoint = at.local / items[1].file;
  out.from = tale.from, out.cached = tale.cached;
  return {};
}
inline status remove(const std::string& name, const options& opts) {
  places at;
  if (status s = usable_name(name); !s.ok()) return s;
  if (status s = find_places(opts, at); !s.ok()) return s;
  caller who(opts, name);
  return story(who, pair(name), at.local, at.cache).remove();
}

}  // namespace cache

// ==== >>notebook ==== knows a notebook platform; empty until it does ====

}  // namespace detail

// ==== >>public ==== thin bodies of the public functions ====

#if defined(__clang__)
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wexit-time-destructors"
#endif
inline const std::error_category& error_category() noexcept {
  static const detail::error::category only;
  return only;
}
#if defined(__clang__)
#pragma clang diagnostic pop
#endif

inline void print_message(const std::string& line) {
#if VQCACHE_INTERPRETED
  std::cout << line + "\n" << std::flush;
#else
  std::fwrite((line + "\n").data(), 1, line.size() + 1, stdout);
  std::fflush(stdout);
#endif
}

inline void response::status(int code) {
  if (to_->head_done) to_->misuse = "status() after write()";
  to_->code = code;
}
inline void response::header(std::string_view name, std::string_view value) {
  detail::text::header h;
  if (to_->head_done) to_->misuse = "header() after write()";
  else if (detail::text::parse_header(std::string(name) + ":" + std::string(value), h))
    to_->headers.push_back(h);
  else to_->misuse = "a header has control characters or no name";
}
inline bool response::write(const void* data, std::size_t size) {
  to_->end_head();
  if (!to_->stopped && size > 0) to_->stopped = !to_->on_body(static_cast<const char*>(data), size);
  return !to_->stopped && to_->misuse.empty();
}
inline void response::fail(std::string why) {
  to_->failure = why.empty() ? "nothing" : std::move(why);
}

namespace detail {
template <class F> inline error::status whole(
    const F& f) {  // what an allocation or a file system throws is an error like others
  error::status s, inner;
  s = error::guard("the call", [&] { inner = f(); });
  if (!s.ok()) s.code = errc::io;
  return s.ok() ? inner : s;
}
}  // namespace detail

inline result try_download_vqgan_model(
    const std::string& name, const source& config, const source& checkpoint, const options& opts) {
  result r;
  r.error = detail::error::to_error(detail::whole(
      [&] { return detail::cache::call(name, &config, &checkpoint, opts, r.model); }));
  return r;
}
inline result try_download_vqgan_model(const std::string& name, const options& opts) {
  result r;
  r.error = detail::error::to_error(
      detail::whole([&] { return detail::cache::call(name, nullptr, nullptr, opts, r.model); }));
  return r;
}
inline error try_remove(const std::string& name, const options& opts) {
  return detail::error::to_error(detail::whole([&] { return detail::cache::remove(name, opts); }));
}
#if VQCACHE_EXCEPTIONS_
inline model download_vqgan_model(
    const std::string& name, const source& config, const source& checkpoint, const options& opts) {
  model m;
  detail::error::raise(detail::cache::call(name, &config, &checkpoint, opts, m));
  return m;
}
inline model download_vqgan_model(const std::string& name, const options& opts) {
  model m;
  detail::error::raise(detail::cache::call(name, nullptr, nullptr, opts, m));
  return m;
}
inline void remove(const std::string& name, const options& opts) {
  detail::error::raise(detail::cache::remove(name, opts));
}
#endif

inline std::vector<known_model> known_models() {
  std::vector<known_model> all;
  for (const detail::catalog::row& r : detail::catalog::models())
    all.push_back({r.name, detail::catalog::words(r.aliases), detail::catalog::sources(r.config),
        detail::catalog::sources(r.checkpoint)});
  return all;
}

}  // namespace VQCACHE_ABI_
}  // namespace vqcache

template <> struct std::is_error_code_enum<vqcache::errc> : std::true_type {};

// ==== >>undef ==== removes internal macros; the licence text ====

#undef VQCACHE_EXCEPTIONS_
#undef VQCACHE_TRY_
#undef VQCACHE_CATCH_
#undef VQCACHE_ABI_

#endif  // VQCACHE_HPP

// MIT License. Copyright (c) 2026 The vqcache authors
//
// Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
// associated documentation files (the "Software"), to deal in the Software without restriction,
// including without limitation the rights to use, copy, modify, merge, publish, distribute,
// sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
// furnished to do so, subject to the following conditions:
//
// The above copyright notice and this permission notice shall be included in all copies or
// substantial portions of the Software.
//
// THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
// NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
// NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM,
// DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
// OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
