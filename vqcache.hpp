// ==== >>manual ==== vqcache.hpp: a model on the fast local disk, and a copy on the disk that stays
//
// download_vqgan_model() puts a model (a config and a checkpoint) on the local disk and keeps a
// copy on slow persistent storage. When the local disk was wiped, or the origin has vanished from
// the web, the copy serves. Under a final name stands the whole and right file or nothing, after
// any error, signal, kill or power cut. Version 0.1.0, C++17, this one file, nothing to link.
// SPDX-License-Identifier: MIT (the text is at the end)
//
//   #include "vqcache.hpp"
//   #include <cstdio>
//   int main() {
//     std::string u = "https://heibox.uni-heidelberg.de/d/8088892a516d4e3baf92/files/?dl=1&p=";
//     const vqcache::model m = vqcache::download_vqgan_model("vqgan_imagenet_f16_1024",
//         u + "%2Fconfigs%2Fmodel.yaml", u + "%2Fckpts%2Flast.ckpt");
//     std::printf("%s is in %s\n", m.name.c_str(), m.checkpoint.string().c_str());
//   }
//
// What a call does
//   both files are local      nothing is transferred; only names, sizes and receipts are looked at
//   else both in the cache    they are copied to the local disk, their digests checked on the way
//   else                      what is missing is downloaded, checked, published, and then cached
// A model stays valid until a person removes it: vqcache::remove. A damaged copy in the cache is
// put aside as FILE.corrupt-XXXXXXXX and brought again. A cache that is full, read-only or gone
// never fails a call whose local pair is complete: model.cached is false, and a message says why.
//
// Trust. A checkpoint is a pickle: loading one that nobody vouches for runs a stranger's program. A
// pin ("URL#sha256=HEX" or source::sha256) is the safe way. Without one the first download is
// trusted, and its digest, kept in the receipt, binds every later restore and download.
//
// Files. LOCAL/NAME.yaml, .ckpt and CACHE/NAME/NAME.yaml, .ckpt; beside them, written last, a
// receipt NAME.sha256 that `sha256sum -c` reads. Unfinished: .FILE.XXXXXXXXXXXXXXXX.part, and
// .record for its owner. LOCAL/.NAME.lock only saves a second download.
//
// Transport: options::fetch; else libcurl, loaded when first needed; else the program curl, without
// a shell. Proxies and CA files come from the environment, as for curl. TLS is always verified. Of
// redirects at most 20, to http and https only, never from https down; credentials and custom
// headers stay with their host.
//
// Environment: VQCACHE_LOCAL_DIR, VQCACHE_CACHE_DIR, VQCACHE_OFFLINE=1,
// VQCACHE_TRANSPORT=libcurl|curl.
// Threads: any function from any thread at once; callbacks and output on the calling thread only.
// A download that was cut, cancelled or killed is continued by the next try or call, if the server
// has a validator (ETag, Last-Modified) or a digest is known; else the bytes go, and that is said.
// Limits: a cache whose system calls never return blocks the call; links in the cache are not
// followed, for another user could aim them at a secret.
//
// Rooms, in the order of the file, each using only those above it: config, api, error, text,
// catalog, os, hash, stage, curl, transfer, tier, cache, notebook, public, undef. The line that
// opens a room says what belongs there.

// ==== >>config ==== macros: the version, and the switches with their defaults ====

#if defined(VQCACHE_HPP) && VQCACHE_HPP != 100
#error "two versions of vqcache.hpp in one translation unit: include only one of them"
#endif
#ifndef VQCACHE_HPP
#define VQCACHE_HPP 100  // major * 10000 + minor * 100 + patch
#define VQCACHE_VERSION_MAJOR 0
#define VQCACHE_VERSION_MINOR 1
#define VQCACHE_VERSION_PATCH 0

// 1: compile against <curl/curl.h> and link libcurl yourself (static or notarised programs).
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

// Below the border every function is a template: an including unit only pays for reading it.
#define VQCACHE_LAZY_ template <class = void> inline

// for a step that gives a status: its failure is this function's
#define VQCACHE_NEED_(step) \
  if (vqcache::detail::error::status need_ = (step); !need_.ok()) return need_

// The version and every switch that changes code are part of all names: a mismatch does not link.
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
#include <charconv>
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
// options::fetch, any scheme. A malformed pin, or two different ones, is an error of the call.
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

// A user's transport, called on the calling thread, one request at a time. It fills the response:
// status and headers first (without status() the body is whole, as with 200), then the bytes.
struct request {
  std::string url;
  std::vector<std::string> headers;      // "Name: value"
  std::uint64_t offset = 0, length = 0;  // bytes wanted; 0 and 0: the whole file
};
namespace detail {
struct reply {  // what a response tells, and whom
  void* to;
  void (*status)(void* to, int code);
  void (*header)(void* to, std::string_view name, std::string_view value);
  bool (*write)(void* to, const void* data, std::size_t size);
  void (*fail)(void* to, std::string why);
};
}  // namespace detail
class response {
 public:
  void status(int code) { to_->status(to_->to, code); }
  void header(std::string_view name, std::string_view value) { to_->header(to_->to, name, value); }
  // false: stop, no more is wanted
  bool write(const void* data, std::size_t size) { return to_->write(to_->to, data, size); }
  void fail(std::string why) { to_->fail(to_->to, std::move(why)); }
  explicit response(const detail::reply& to) : to_(&to) {}
 private:
  const detail::reply* to_;
};
using fetcher = std::function<void(const request&, response&)>;

inline void print_message(const std::string& line);  // the line to standard output, at once

// clang-format off
struct options {
  unsigned connections = 4;      // at most, per file, 1 to 16; one is used so far
  bool create_dirs = true;       // false: a missing directory is an error
  bool offline = false;          // only the two tiers and local sources; also VQCACHE_OFFLINE=1
  // empty: VQCACHE_LOCAL_DIR, VQCACHE_CACHE_DIR, else content/models, content/cache/models; ~: home
  std::filesystem::path local_dir{}, cache_dir{};
  fetcher fetch{};               // empty: libcurl, else the program curl
  std::function<void(const std::string&)> on_message = print_message;  // empty: silence
  // at most twice a second, plus first and last; false cancels
  std::function<bool(const progress&)> on_progress{};
  std::string transport{};       // "libcurl" or "curl": only that one; also VQCACHE_TRANSPORT
  std::uint64_t max_bytes = std::uint64_t{64} << 30;  // of a file whose size nobody tells
  unsigned connect_seconds = 20; // to connect
  unsigned stall_seconds = 30;   // what gains under 64 KiB in this time has failed
};

enum class errc {        // stable names; last the std::errc that each equals
  invalid_argument = 1,  // a malformed name, URL, pin, header or option: invalid_argument
  unknown_model,         // no tier holds it, no URL is known: no_such_file_or_directory
  name_taken,            // another model stands under this name: file_exists
  directory_missing,     // and create_dirs is false: no_such_file_or_directory
  permission_denied,     // by the operating system: permission_denied
  no_space,              // on the disk, in a quota, under a size limit: no_space_on_device
  offline,               // a download would be needed: network_down
  no_transport,          // neither libcurl nor curl: function_not_supported
  connection,            // the look-up, the connecting or the connection: connection_aborted
  tls,                   // the server's certificate or handshake: connection_refused
  http_status,           // an error or nonsense from the server: protocol_error
  not_the_file,          // a page, an error text, the other file of the pair: bad_message
  truncated,             // fewer bytes than announced: message_size
  hash_mismatch,         // not what the pin or the receipt demands: illegal_byte_sequence
  callback,              // one of your callbacks failed: operation_not_permitted
  cancelled,             // by on_progress: operation_canceled
  interrupted,           // reserved for an interrupt guard, not yet raised: interrupted
  timed_out,             // timed_out
  io                     // any other failure of a file operation: io_error
};
// clang-format on
inline const std::error_category& error_category() noexcept;
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
  const char* what() const noexcept override { return text_.what(); }  // complete by itself
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
// Without sources: the two tiers, then the catalogue. The try_ forms never throw.
inline result try_download_vqgan_model(const std::string& name, const source& config,
    const source& checkpoint, const options& opts = {});
inline result try_download_vqgan_model(const std::string& name, const options& opts = {});
inline error try_remove(const std::string& name, const options& opts = {});
#if VQCACHE_EXCEPTIONS_
inline model download_vqgan_model(const std::string& name, const source& config,
    const source& checkpoint, const options& opts = {});
inline model download_vqgan_model(const std::string& name, const options& opts = {});
// both tiers: files, receipts, partials, what was put aside
inline void remove(const std::string& name, const options& opts = {});
#endif

struct known_model {
  std::string name;
  std::vector<std::string> aliases;
  source config, checkpoint;
};
inline std::vector<known_model> known_models();  // the catalogue

// ==== border ==== nothing below is for users, and nothing below is declared ahead ====

namespace detail {
// ==== >>error ==== makes or names an error; holds the only throw ====

using std::size_t;
using std::string;
using std::uint64_t;
using std::vector;
using view = std::string_view;
namespace fs = std::filesystem;
inline constexpr size_t npos = string::npos;

namespace error {
// A type that is known only when a member of the template is instantiated, so that a unit that only
// includes the header does not look up what such members do.
template <class, class T> struct later {
  using type = T;
};
template <class Lazy, class T> using late = typename later<Lazy, T>::type;

// one text of many parts; a path comes quoted
template <class... A> inline string join(const A&... parts) {
  string s;
  const auto add = [&s](const auto& part) {
    using type = std::decay_t<decltype(part)>;
    if constexpr (std::is_same_v<type, fs::path>) {
      const auto utf8 = part.u8string();  // path::string() may throw on Windows
      s += "'" + string(utf8.begin(), utf8.end()) + "'";
    } else if constexpr (std::is_integral_v<type>) {
      s += std::to_string(part);
    } else {
      s += part;
    }
  };
  (add(parts), ...);
  return s;
}

// Errors are values: a status is success, or a code, its text, and what lies behind it.
struct [[nodiscard]] status {
  errc code{};
  string text{};                // complete: what, which, why, what to do
  std::error_code cause{};      // of the operating system
  std::exception_ptr thrown{};  // by a callback
  bool ok() const { return code == errc{}; }
};
template <class... A> inline status fail(errc code, const A&... text) {
  return {code, join(text...), {}, nullptr};
}
// of an errno value, 0: success. doing: "write" and such
VQCACHE_LAZY_ status system(int e, const char* doing, const fs::path& which) {
#ifdef EDQUOT
  const bool full = e == ENOSPC || e == EFBIG || e == EDQUOT;
#else
  const bool full = e == ENOSPC || e == EFBIG;
#endif
  const bool denied = e == EACCES || e == EPERM || e == EROFS;
  if (e == 0) return {};
  status s = fail(full ? errc::no_space
          : denied     ? errc::permission_denied
                       : errc::io,
      "cannot ", doing, " ", which, ": ", std::generic_category().message(e),
      full         ? "; free some space there, or choose another directory"
          : denied ? "; check its permissions, or choose another directory"
                   : "");
  s.cause = std::error_code(e, std::generic_category());
  return s;
}
VQCACHE_LAZY_ vqcache::error to_error(const status& s) {
  return s.ok() ? vqcache::error() : vqcache::error(s.code, s.text, s.cause);
}
#if VQCACHE_EXCEPTIONS_
VQCACHE_LAZY_ void raise(const status& s) {
  if (s.thrown) std::rethrow_exception(s.thrown);
  if (!s.ok()) throw to_error(s);
}
#endif

// runs f, which may call back or allocate; what it throws becomes a status
template <class F> inline status guard([[maybe_unused]] const char* who, const F& f) {
  status s;
  VQCACHE_TRY_ { f(); }
  VQCACHE_CATCH_(...) {
#if VQCACHE_EXCEPTIONS_
    s = fail(errc::callback, who, " threw an exception");
    s.thrown = std::current_exception();
    try {
      std::rethrow_exception(s.thrown);
    } catch (const std::exception& e) { s.text += join(": ", e.what()); } catch (...) {
      s.text += " that is no std::exception";
    }
#endif
  }
  return s;
}

// The caller, as the rooms below see it: everything that is said or asked goes through here, on the
// calling thread. The first callback that throws or cancels ends the call: stop() tells that.
template <class Lazy> class basic_caller {
  using clock = late<Lazy, std::chrono::steady_clock>;
 public:
  enum class at { first, middle, last };  // of the steps of one transfer or wait
  basic_caller(const options& opts, const string& model) : opts_(&opts), name_(model) {}
  const options& opts() const { return *opts_; }
  const string& name() const { return name_; }
  const status& stop() const { return stop_; }
  bool stopped() const { return !stop_.ok(); }
  void stop_with(const status& s) {
    if (!stopped()) stop_ = s;
  }
  void go_on() {  // what was cancelled was not needed
    if (stop_.code == errc::cancelled) stop_ = status();
  }
  template <class... A> void say(const A&... line) {
    if (opts_->on_message && !stopped())
      stop_with(guard("on_message", [&] { opts_->on_message(join(line...)); }));
  }
  bool step(phase what, const string& file, uint64_t done, uint64_t total, at where) {
    const auto now = clock::now();
    if (stopped() || !opts_->on_progress) return !stopped();
    if (where == at::first) began_ = now;
    if (where == at::first) base_ = done;
    if (where == at::middle && now - told_ < std::chrono::milliseconds(500)) return true;
    told_ = now;
    progress p{name_, file, what, done, total, 0, -1};
    const double seconds = std::chrono::duration<double>(now - began_).count();
    if (seconds > 0 && done >= base_) p.bytes_per_second = double(done - base_) / seconds;
    if (total >= done && total > 0 && p.bytes_per_second > 0)
      p.seconds_left = double(total - done) / p.bytes_per_second;
    bool wanted = true;
    stop_with(guard("on_progress", [&] { wanted = opts_->on_progress(p); }));
    if (!wanted)
      stop_with(fail(errc::cancelled, "model '", name_, "': on_progress cancelled at ", file));
    return !stopped();
  }
 private:
  const options* opts_;
  string name_;
  status stop_{};
  typename clock::time_point began_{}, told_{};
  uint64_t base_ = 0;
};
using caller = basic_caller<void>;

template <class> class basic_category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "vqcache"; }
  string message(int code) const override { return row(code).text; }
  std::error_condition default_error_condition(int code) const noexcept override {
    return std::make_error_condition(row(code).condition);
  }
 private:
  struct entry {
    const char* text;
    std::errc condition;
  };
  static entry row(int code) noexcept {  // in the order of errc
    using is = std::errc;
    static constexpr entry rows[] = {{"no error", is{}}, {"invalid argument", is::invalid_argument},
        {"unknown model", is::no_such_file_or_directory},
        {"another model has this name", is::file_exists},
        {"directory not found", is::no_such_file_or_directory},
        {"permission denied", is::permission_denied}, {"no space left", is::no_space_on_device},
        {"offline", is::network_down}, {"no transport", is::function_not_supported},
        {"connection failed", is::connection_aborted}, {"TLS failed", is::connection_refused},
        {"HTTP error", is::protocol_error}, {"not the file", is::bad_message},
        {"truncated", is::message_size}, {"digest mismatch", is::illegal_byte_sequence},
        {"a callback failed", is::operation_not_permitted}, {"cancelled", is::operation_canceled},
        {"interrupted", is::interrupted}, {"timed out", is::timed_out},
        {"input/output error", is::io_error}};
    return rows[code > 0 && code < 20 ? code : 0];
  }
};
}  // namespace error
using error::caller;
using error::fail;
using error::status;

// ==== >>text ==== bytes into meaning, without disk or network ====

namespace text {
VQCACHE_LAZY_ char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
VQCACHE_LAZY_ string lower(view s) {
  string r(s);
  for (char& c : r) c = lower(c);
  return r;
}
VQCACHE_LAZY_ bool has(view s, view part) { return s.find(part) != npos; }
VQCACHE_LAZY_ bool starts(view s, view with) { return s.substr(0, with.size()) == with; }
VQCACHE_LAZY_ bool ends(view s, view with) {
  return s.size() >= with.size() && s.substr(s.size() - with.size()) == with;
}
VQCACHE_LAZY_ view trim(view s) {
  const size_t first = s.find_first_not_of(" \t"), last = s.find_last_not_of(" \t\r\n");
  return last == npos ? view() : s.substr(first, last + 1 - first);
}
VQCACHE_LAZY_ view take(view& s, char end) {  // what stands before the next `end`, off the front
  const view head = s.substr(0, s.find(end));
  s.remove_prefix((std::min)(head.size() + 1, s.size()));
  return head;
}
VQCACHE_LAZY_ vector<string> words(view s) {
  vector<string> r;
  while (!s.empty()) r.emplace_back(take(s, ' '));
  return r;
}
// digits only and no overflow: what a server sends is not trusted to be a number
VQCACHE_LAZY_ bool to_number(view s, uint64_t& out) {
  uint64_t n = 0;
  const std::from_chars_result r = std::from_chars(s.data(), s.data() + s.size(), n);
  if (s.empty() || r.ec != std::errc() || r.ptr != s.data() + s.size()) return false;
  out = n;
  return true;
}
VQCACHE_LAZY_ bool is_digest(view s) {
  return s.size() == 64 && s.find_first_not_of("0123456789abcdefABCDEF") == npos;
}
VQCACHE_LAZY_ string hex(uint64_t n, size_t digits) {
  string s(digits, '0');
  for (size_t i = digits; i-- > 0; n >>= 4) s[i] = "0123456789abcdef"[n & 15];
  return s;
}
VQCACHE_LAZY_ bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }
VQCACHE_LAZY_ string printable(view s) {
  string r(s);
  for (char& c : r) c = is_control(c) ? '?' : c;
  return r;
}

// ---- names: empty, or why this is no model's name; refused everywhere, so that a cache can move
VQCACHE_LAZY_ string name_problem(view name) {
  const view letters = "abcdefghijklmnopqrstuvwxyz", more = "0123456789._-";
  if (name.empty()) return "it is empty";
  if (name.size() > 100)
    return error::join("it has ", name.size(), " bytes, at most 100 are allowed");
  for (char c : name)
    if (letters.find(lower(c)) == npos && more.find(c) == npos)
      return "only letters, digits and . _ - are allowed";
  if (name[0] == '.' || name[0] == '-') return "it begins with . or -";
  if (name.back() == '.') return "it ends in .";
  const string stem = lower(name.substr(0, name.find('.')));
  const bool port = stem.size() == 4 && stem[3] >= '0' && stem[3] <= '9' &&
      (starts(stem, "com") || starts(stem, "lpt"));
  return port || has(" con prn aux nul ", " " + stem + " ") ? "Windows keeps this name for a device"
                                                            : "";
}
// whether few letters must change to make one of the other (Levenshtein), or b has all of a
VQCACHE_LAZY_ bool alike(view a, view b) {
  vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0]++;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0U : 1U);
      diagonal = row[j];
      row[j] = (std::min)(replaced, (std::min)(row[j], row[j - 1]) + 1);
    }
  }
  return has(b, a) || row[b.size()] <= 2 + a.size() / 6;
}

// ---- URLs (RFC 3986, as far as http needs it)
struct url {
  string scheme, user, host, port, path;  // path with its query; never a fragment
  string origin() const {
    const string usual = scheme == "https" ? "443" : "80";
    return scheme + "://" + lower(host) + ":" + (port.empty() ? usual : port);
  }
  string whole() const {
    return scheme + "://" + (user.empty() ? "" : user + "@") + host +
        (port.empty() ? "" : ":" + port) + path;
  }
};
VQCACHE_LAZY_ bool has_scheme(view s) { return has(s, "://"); }
VQCACHE_LAZY_ bool is_http(const url& u) { return u.scheme == "http" || u.scheme == "https"; }
VQCACHE_LAZY_ size_t odd_byte(view s) {  // where a byte that no URL has stands
  for (size_t i = 0; i < s.size(); ++i)
    if (is_control(s[i]) || s[i] == ' ' || s[i] == '"' || s[i] == '\\') return i;
  return npos;
}
VQCACHE_LAZY_ bool parse_url(view s, url& out) {
  const size_t colon = s.find("://");
  if (colon == 0 || colon == npos || odd_byte(s) != npos) return false;
  url u;
  u.scheme = lower(s.substr(0, colon));
  if (u.scheme.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789+.-") != npos) return false;
  s = s.substr(colon + 3);
  s = s.substr(0, s.find('#'));
  view authority = s.substr(0, s.find_first_of("/?"));
  u.path = s.substr(authority.size());
  if (u.path.empty() || u.path[0] == '?') u.path.insert(0, "/");
  if (const size_t at = authority.rfind('@'); at != npos) {
    u.user = authority.substr(0, at);
    authority.remove_prefix(at + 1);
  }
  const size_t bracket = authority.rfind(']');  // of an IPv6 address
  const size_t port = authority.find(':', bracket == npos ? 0 : bracket);
  u.host = authority.substr(0, port);
  if (port != npos) u.port = authority.substr(port + 1);
  uint64_t number = 1;
  if (!u.port.empty() && !to_number(u.port, number)) return false;
  if (number == 0 || number > 65535 || (u.host.empty() && u.scheme != "file")) return false;
  out = std::move(u);
  return true;
}
// the form that people read: user info and query values become ***, the fragment goes
VQCACHE_LAZY_ string redact(view s) {
  if (!has_scheme(s)) return string(s);
  url u;
  if (!parse_url(s, u)) return string(s.substr(0, s.find("://"))) + "://*** (malformed)";
  if (!u.user.empty()) u.user = "***";
  view query = u.path;
  string shown(take(query, '?'));
  for (char separator = '?'; !query.empty(); separator = '&') {
    const view pair = take(query, '&');
    const size_t equals = pair.find('=');
    shown += separator + string(pair.substr(0, equals == npos ? 0 : equals + 1));
    if (!pair.empty()) shown += "***";
  }
  u.path = shown;
  return u.whole();
}
VQCACHE_LAZY_ string without_dots(view path) {  // RFC 3986 5.2.4
  const size_t mark = (std::min)(path.find('?'), path.size());
  view rest = path.substr(1, mark - 1);
  string out;
  for (bool more = true; more;) {
    more = has(rest, "/");
    const view segment = take(rest, '/');
    if (segment == "..") out.erase((std::min)(out.rfind('/'), out.size()));
    if (segment != "." && segment != "..") out += "/" + string(segment);
    else if (!more) out += "/";
  }
  return out + string(path.substr(mark));
}
// Where a Location leads; false: nowhere. Its user info is dropped, that of the same origin kept.
VQCACHE_LAZY_ bool resolve(const url& base, view location, url& out) {
  location = location.substr(0, location.find('#'));
  const size_t colon = location.find(':');
  string target(location), path = base.path.substr(0, base.path.find('?'));
  if (starts(location, "//")) {
    target.insert(0, base.scheme + ":");
  } else if (colon == npos || colon > location.find_first_of("/?")) {  // relative
    if (location.empty()) path = base.path;
    else if (location[0] == '/') path = location;
    else if (location[0] == '?') path += location;
    else path = path.substr(0, path.rfind('/') + 1) + target;
    target = base.scheme + "://" + base.host + (base.port.empty() ? "" : ":" + base.port) + path;
  }
  url u;
  if (!parse_url(target, u)) return false;
  u.path = without_dots(u.path);
  u.user = u.origin() == base.origin() ? base.user : string();
  out = std::move(u);
  return true;
}
VQCACHE_LAZY_ string unescaped(view s) {  // %20 and its like
  string out;
  for (size_t i = 0; i < s.size(); ++i) {
    unsigned byte = 0;
    const std::from_chars_result r =
        std::from_chars(s.data() + i + 1, s.data() + (std::min)(i + 3, s.size()), byte, 16);
    const bool escape = s[i] == '%' && i + 2 < s.size() && r.ptr == s.data() + i + 3;
    out += escape ? static_cast<char>(byte) : s[i];
    i += escape ? 2 : 0;
  }
  return out;
}
// a local path or file:// URL as a path; empty: it is neither
VQCACHE_LAZY_ string local_path(view s) {
  if (!has_scheme(s)) return string(s);
  if (lower(s.substr(0, 7)) != "file://") return {};
  s.remove_prefix(lower(s.substr(7, 10)) == "localhost/" ? 16 : 7);
  const string out = unescaped(s);
  const bool drive = out.size() > 2 && out[0] == '/' && out[2] == ':';  // file:///C:/folder
  return drive ? out.substr(1) : out;
}
// splits "URL#sha256=HEX"; any other fragment of a URL says nothing to a server and is dropped
VQCACHE_LAZY_ view split_pin(view& address) {
  const size_t hash = address.rfind("#sha256=");
  const view pin = hash == npos ? view() : address.substr(hash + 8);
  address = address.substr(0, hash);
  if (hash == npos && has_scheme(address)) address = address.substr(0, address.find('#'));
  return hash != npos && pin.empty() ? "(nothing)" : pin;
}
// A server may repeat in its words what it was sent: user info, query values and header values, as
// they are, percent-decoded, in Base64, or cut at the end of a quotation, become ***.
VQCACHE_LAZY_ string scrub(string words, view address, const vector<string>& headers) {
  vector<string> secrets;
  url u;
  if (parse_url(address, u)) {
    view user = u.user, query = u.path;
    secrets.emplace_back(take(user, ':'));
    secrets.emplace_back(user);
    for (take(query, '?'); !query.empty();) {
      view value = take(query, '&');
      take(value, '=');
      secrets.emplace_back(value);
    }
  }
  for (view value : headers) {
    take(value, ':');
    for (value = trim(value); !value.empty();) secrets.emplace_back(take(value, ' '));
  }
  const auto hide = [&words](size_t from, size_t to) {
    words.replace(from, (std::min)(to, words.size()) - from, "***");
    return from + 3;
  };
  for (size_t at = 0; (at = words.find('@', at)) != npos;)  // user info, of a proxy perhaps
    at = hide(words.find_last_of(" /'\"(", at) + 1, at) + 1;
  for (const char* scheme : {"asic ", "earer "})
    if (const size_t at = words.find(scheme); at != npos)
      hide(words.find(' ', at) + 1, words.find_first_of(" \"", words.find(' ', at) + 1));
  for (size_t i = 0, n = secrets.size(); i < n; ++i) secrets.push_back(unescaped(secrets[i]));
  for (const string& secret : secrets) {
    if (secret.size() < 4) continue;
    for (size_t at = 0; (at = words.find(secret, at)) != npos;) at = hide(at, at + secret.size());
    for (size_t n = secret.size() - 1; n > 3; --n)
      if (const size_t at = words.find(secret.substr(0, n) + '"'); at != npos) hide(at, at + n);
  }
  return words;
}

// ---- header lines
struct header {
  string name, value;  // the name in lower case
};
VQCACHE_LAZY_ bool parse_header(view line, header& out) {
  const size_t colon = line.find(':');
  for (char c : trim(line))
    if (is_control(c) && c != '\t') return false;
  if (colon == 0 || colon == npos) return false;
  out.name = lower(line.substr(0, colon));
  out.value = trim(line.substr(colon + 1));
  return out.name.find_first_not_of("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz") == npos;
}
VQCACHE_LAZY_ const string* find(const vector<header>& headers, view name) {
  for (const header& h : headers)
    if (h.name == name) return &h.value;
  return nullptr;
}
// false: two lengths, or one that is no number. without one: known stays false
VQCACHE_LAZY_ bool content_length(const vector<header>& headers, bool& known, uint64_t& length) {
  known = false;
  for (const header& h : headers) {
    if (h.name != "content-length") continue;
    uint64_t n = 0;
    if (!to_number(h.value, n) || (known && n != length)) return false;
    known = true;
    length = n;
  }
  const string* coding = find(headers, "transfer-encoding");  // RFC 9112 6.3: it overrides
  known = known && !(coding && has(lower(*coding), "chunked"));
  return true;
}

// "bytes FIRST-LAST/TOTAL"; of "bytes */TOTAL" first and last are TOTAL
VQCACHE_LAZY_ bool content_range(view s, uint64_t& first, uint64_t& last, uint64_t& total) {
  const bool bytes = lower(take(s, ' ')) == "bytes";
  view span = take(s, '/');
  if (!bytes || !to_number(s, total)) return false;
  first = last = total;
  const view from = take(span, '-');
  return from == "*" ||
      (to_number(from, first) && to_number(span, last) && first <= last && last < total);
}
// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 5.6.7) as seconds since 1970
VQCACHE_LAZY_ bool http_date(view s, uint64_t& out) {
  take(s, ' ');
  uint64_t day = 0, year = 0, h = 0, m = 0, sec = 0;
  const bool has_day = to_number(take(s, ' '), day);
  const size_t month = string("JanFebMarAprMayJunJulAugSepOctNovDec").find(take(s, ' ')) / 3 + 1;
  if (!has_day || month > 12 || !to_number(take(s, ' '), year) || !to_number(take(s, ':'), h) ||
      !to_number(take(s, ':'), m) || !to_number(take(s, ' '), sec) || s != "GMT" || year < 1970)
    return false;
  const uint64_t y = month < 3 ? year - 1 : year, months = (month + 9) % 12;  // since March
  out = (y * 365 + y / 4 - y / 100 + y / 400 + (months * 153 + 2) / 5 + day - 719469) * 86400 +
      h * 3600 + m * 60 + sec;
  return true;
}
// What tells that a file is still the same: its ETag, unless weak; else its date, if a minute older
// than the answer (RFC 9110 8.8.2.2). Seafile sends ETags without quotes, and dates of now.
VQCACHE_LAZY_ string validator(const vector<header>& headers) {
  const string *tag = find(headers, "etag"), *date = find(headers, "last-modified"),
               *now = find(headers, "date");
  uint64_t then = 0, sent = 0;
  if (tag && !tag->empty() && !starts(*tag, "W/")) return printable(*tag);
  const bool old =
      date && now && http_date(*date, then) && http_date(*now, sent) && sent >= then + 60;
  return old ? *date : string();
}

// ---- receipts, in the format of sha256sum
struct entry {
  string file{}, sha256{}, origin{}, etag{};
  uint64_t size = 0;  // 0: not told
  bool unverified = false;
};
using receipt = vector<entry>;

VQCACHE_LAZY_ const entry* find(const receipt& r, view file) {
  for (const entry& e : r)
    if (e.file == file) return &e;
  return nullptr;
}
VQCACHE_LAZY_ string write_receipt(const receipt& r, const string& date) {
  string s = "# vqcache 0.1.0 " + date + "\n", sums;
  for (const entry& e : r) {
    if (e.size != 0) s += error::join("# size ", e.size, " ", e.file, "\n");
    if (!e.origin.empty()) s += "# origin " + printable(e.origin) + " " + e.file + "\n";
    if (!e.etag.empty()) s += "# etag " + printable(e.etag) + " " + e.file + "\n";
    if (e.unverified) s += "# unverified " + e.file + "\n";
    sums += e.sha256 + "  " + e.file + "\n";
  }
  return s + sums;
}
VQCACHE_LAZY_ receipt read_receipt(view s) {
  receipt r;
  const auto of = [&r](view file) -> entry& {
    for (entry& e : r)
      if (e.file == file) return e;
    r.emplace_back();
    r.back().file = file;
    return r.back();
  };
  while (!s.empty()) {
    const view line = trim(take(s, '\n'));
    const size_t space = line.rfind(' ');
    if (starts(line, "# ") && space > 1) {
      entry& e = of(line.substr(space + 1));
      view value = line.substr(2, space - 2);
      const view key = take(value, ' ');
      if (key == "size") to_number(value, e.size);
      if (key == "origin") e.origin = value;
      if (key == "etag") e.etag = value;
      if (key == "unverified") e.unverified = true;
    } else if (line.size() > 66 && is_digest(line.substr(0, 64)) && line[64] == ' ') {
      entry& e = of(line.substr(66));
      if (e.sha256.empty()) e.sha256 = lower(line.substr(0, 64));
    }
  }
  receipt whole;
  for (entry& e : r)
    if (!e.sha256.empty()) whole.push_back(std::move(e));
  return whole;
}

// ---- the content sentinel: what was served in place of the file is told from its first bytes
enum class kind { text, binary };  // a config, a checkpoint

// the words a person would see: tags, scripts and styles removed, white space collapsed
VQCACHE_LAZY_ string first_words(view page) {
  string out;
  const string lowered = lower(page);
  for (size_t i = 0; i < page.size() && out.size() < 160; ++i) {
    const bool tag = page[i] == '<', space = tag || static_cast<unsigned char>(page[i]) <= 0x20;
    for (const char* hidden : {"script", "style"})
      if (tag && starts(view(lowered).substr((std::min)(i, page.size() - 1) + 1), hidden))
        i = lowered.find(string("</") + hidden, i);
    if (tag) i = page.find('>', i);
    if (space && !out.empty() && out.back() != ' ') out += ' ';
    if (!space && page[i] != 0x7f) out += page[i];
    if (i == npos) break;
  }
  return "\"" + string(trim(out)) + "\"";
}
// empty, or what the bytes are instead of the file; head: up to 16 KiB from its start
VQCACHE_LAZY_ string not_the_file(kind want, view head, view content_type) {
  if (head.empty()) return "an empty file";
  view s = head.substr(starts(head, "\xEF\xBB\xBF") ? 3 : 0);
  s.remove_prefix((std::min)(s.find_first_not_of(" \t\n\v\f\r"), s.size()));
  if (s.empty()) return "nothing but white space";
  const string low = lower(s.substr(0, 1024));
  const bool html = has(lower(content_type), "text/html");
  if (s[0] == '<') {
    const bool page = html || starts(low, "<!doctype html") || has(low, "<html") ||
        has(low, "<body") || has(low, "<head");
    return (page ? "an HTML page (a login, quota or error page?) that says "
                 : "an XML document that says ") +
        first_words(s);
  }
  if (starts(head, "\x1f\x8b")) return "gzip-compressed data";
  if (starts(s, "version https://git-lfs"))
    return "a git-lfs pointer, not the file it points to (" + first_words(s.substr(0, 60)) +
        "): use the URL of the raw or resolved file";
  if (s[0] == '{') {
    view rest = low;
    take(rest, '"');
    const string key = " " + string(take(rest, '"')) + " ";
    if (!rest.empty() && has(" error errors message msg detail code status error_code ", key))
      return "a JSON answer that says " + first_words(s.substr(0, 400));
  }
  if (html && has(low, "</")) return "an HTML page that says " + first_words(s);
  const bool nul = head.find('\0') != npos;
  string what;
  if (want == kind::text && starts(head, "PK\x03\x04")) what = "a zip archive, as checkpoints are";
  else if (want == kind::text && head[0] == '\x80') what = "a pickle, as checkpoints are";
  else if (want == kind::text && nul) what = "binary data (it has NUL bytes)";
  else if (want == kind::binary && !nul && has("\n" + low, "\nmodel:") && has(low, "target:"))
    what = "a config (" + first_words(s.substr(0, 60)) + ")";
  return what.empty() ? what : what + "; are the URLs of config and checkpoint swapped?";
}
// a zip archive ends in a record that names its own length (APPNOTE 4.3.16); tail: 65,557 bytes
VQCACHE_LAZY_ bool zip_has_end(view tail) {
  for (size_t at = tail.rfind("PK\x05\x06"); at != npos; at = tail.rfind("PK\x05\x06", at - 1)) {
    const auto byte = [&](size_t i) { return size_t{static_cast<unsigned char>(tail[at + i])}; };
    if (at + 22 <= tail.size() && at + 22 + (byte(20) | byte(21) << 8) == tail.size()) return true;
    if (at == 0) break;
  }
  return false;
}
}  // namespace text

// ==== >>catalog ==== published models: names, aliases, URLs, digests, sizes ====

namespace catalog {
struct row {
  const char *name, *aliases;  // an alias of two rows is ambiguous and never resolved
  const char* places;          // the origin first, mirrors only where a digest pins them
  const char* config_sha256;   // "": unknown, as is a size of 0
  uint64_t config_size;
  const char* checkpoint_sha256;
  uint64_t checkpoint_size;
};
// Facts that public sources agree on; no URL was tried from where this was made. A place stands for
// two URLs: | is configs%2Fmodel.yaml or ckpts%2Flast.ckpt, * is yaml or ckpt; d: a heiBOX share,
// s: and x: rescue mirrors, p: r: e: releases of pixray, mehdidc and Eleiber on GitHub.
template <class = void> struct models {
  // clang-format off
  static constexpr row all[] = {
  {"vqgan_imagenet_f16_16384", "imagenet_f16_16384 imagenet_16384 vqgan16 imagenet",
   "d:a7530b09fed84f80a887/| s:imagenet/imagenet.* x:imagenet.* r:*",
   "00e2c6189926f1d89ecfef73e9598db77981c1982f0555fbade963ffd16143c7", 692,
   "845a68805098cb666420d5db93df53f3a3b6dd443e6dd85c05759c5b998cd663", 980092370},
  {"vqgan_imagenet_f16_1024", "imagenet_f16_1024 imagenet_1024 imagenet_vqgan imagenet",
   "d:8088892a516d4e3baf92/|",
   "cbd6fa371d07bf5bb960e32186e6e81356accbefdcc722bf94583b6a98bda00c", 645, "", 957954257},
  {"vqgan_gumbel_f8_8192", "gumbel_f8_8192 gumbel_8192 openimages openimages_f16_8192",
   "d:2e5662443a6b4307b470/| s:openimages/openimages.* x:openimages.*",
   "91110bab325067b37f85d1e75895a837d59c292bae4f3097f80c518714d5caff", 745,
   "5cd6c74810ab97e00e942c25403f73afc081e8b19987b31ec0d9ff5b68e7ab14", 376581823},
  {"wikiart_16384", "vqgan_wikiart_16384 wikiart_f16_16384_8145600 wikiart_16384m wikiart",
   "p:wikiart_16384.* s:wikiart/wikiart.* x:wikiart.* e:wikiart_16384.*",
   "6e78241d2828ff35b8381839ce249c24a6c468ed429760d33a25e98e7f24499a", 920,
   "bd08bb46301f98be1712bb2be9f8868cea30b53137cd985d4d6e8da8b3e02c36", 1005327541},
  {"wikiart_1024", "vqgan_wikiart_1024 vqgan_wikiart_f16_1024 wikiart_1024m wikiart",
   "p:wikiart_1024.*", "", 0, "", 0},
  {"sflckr", "sflickr s-flckr 2020-11-09T13-31-51_sflckr",
   "d:73487ab6e5314cb5adba/configs%2F2020-11-09T13-31-51-project.yaml;checkpoints%2Flast.ckpt "
   "s:sflickr/sflickr.* x:sflckr.*",
   "c27f012996f3f1f02580f063be47fd60bdd8528efb04d7318b2cbe8a86505b1b", 1603,
   "8a8adea3da8dab412675772831370dd948e0aa97bb11a9488a2f328b58dbc929", 4263525412},
  {"coco_first_stage", "coco_1stage coco_vqgan lstage coco",
   "https://batbot.ai/models/VQGAN/coco_first_stage.* s:coco/coco.* x:coco_first_stage.*",
   "17d0c2d9fda59eccade2a6070d833804b759dc817da42c2268be8cf1eb047676", 458,
   "106cc20fde571df14afc4349d62218d8213cf47177c682ecaa78a8c28b12f9de", 296030214},
  {"coco_transformer", "vqgan_coco_f16_8192 coco", "https://dl.nmkd.de/ai/clip/coco/coco.*",
   "", 0, "", 0},
  {"faceshq_transformer", "faceshq vqgan_faceshq_f16_1024", "s:faceshq/faceshq.*",
   "726ca97fb266c3c744f26e5aba2e579a51e310eee711a15f22224031dfdd57e2", 0,
   "3274bba51bd565c90990bbcf7bb5dad0b9b95a6a77011980afc4c3cfc4d1cad1", 0}};
  // clang-format on
};
VQCACHE_LAZY_ string url(view place, bool config) {
  const string git = "https://github.com/", hub = "https://huggingface.co/";
  const char key = text::starts(place, "http") ? ' ' : place[0];
  string s(place.substr(key == ' ' ? 0 : 2)), share;
  const auto replace = [&s](view what, view with) {
    if (const size_t at = s.find(what); at != npos) s.replace(at, what.size(), with);
  };
  replace("*", config ? "yaml" : "ckpt");
  replace("|", config ? "configs%2Fmodel.yaml" : "ckpts%2Flast.ckpt");
  if (const size_t slash = s.find('/'), other = s.find(';'); other != npos)
    s = config ? s.substr(0, other) : s.substr(0, slash + 1) + s.substr(other + 1);
  replace("/", key == 'd' ? "/files/?p=%2F" : "/");
  const string from[][2] = {{"d", "https://heibox.uni-heidelberg.de/d/"},
      {"p", git + "pixray/pixray/releases/download/v1.7.1/vqgan_"},
      {"e", git + "Eleiber/VQGAN-Mirrors/releases/download/0.0.1/"},
      {"r",
          git + "mehdidc/feed_forward_vqgan_clip/releases/download/0.1/vqgan_imagenet_f16_16384."},
      {"x", hub + "pxlpshr/pytti-models/resolve/main/vqgan/"},
      {"s",
          hub +
              "Somnai/pytti-vqgan-checkpoints/resolve/debc22c8f285c7734980c464ff992d335dde6e9a/"}};
  for (const string(&base)[2] : from)
    if (key == base[0][0]) s.insert(0, base[1]);
  return key == 'd' ? s + "&dl=1" : s;
}
VQCACHE_LAZY_ source sources(const row& r, bool config) {
  source s;
  for (const string& place : text::words(r.places)) s.urls.push_back(url(place, config));
  s.sha256 = config ? r.config_sha256 : r.checkpoint_sha256;
  s.size = config ? r.config_size : r.checkpoint_size;
  return s;
}
// the rows a name may mean: one by its canonical name; by an alias one or, if ambiguous, several
VQCACHE_LAZY_ vector<const row*> find(const string& name) {
  vector<const row*> by_alias;
  for (const row& r : models<>::all) {
    if (name == r.name) return {&r};
    for (const string& alias : text::words(r.aliases))
      if (text::lower(alias) == text::lower(name)) by_alias.push_back(&r);
  }
  return by_alias;
}
VQCACHE_LAZY_ vector<known_model> known() {
  vector<known_model> all;
  for (const row& r : models<>::all)
    all.push_back({r.name, text::words(r.aliases), sources(r, true), sources(r, false)});
  return all;
}
}  // namespace catalog

// ==== >>os ==== asks the operating system; the only room that knows which system this is ====
// Every function gives 0 or an errno value unless it says otherwise.
}  // namespace detail
}  // namespace VQCACHE_ABI_
}  // namespace vqcache
#include <fcntl.h>
#include <sys/stat.h>
#if defined(_WIN32)
#include <io.h>
#include <share.h>
#include <sys/locking.h>
// declared as <windows.h> does, which would bring 18,000 macros
struct HINSTANCE__;
struct _SECURITY_ATTRIBUTES;
struct _STARTUPINFOW;
struct _PROCESS_INFORMATION;
#if defined(_WIN64)
#define VQCACHE_FARPROC_ \
  long long(__stdcall * __stdcall GetProcAddress(HINSTANCE__*, const char*))()
#else
#define VQCACHE_FARPROC_ int(__stdcall * __stdcall GetProcAddress(HINSTANCE__*, const char*))()
#endif
#define VQCACHE_API_(type) __declspec(dllimport) type __stdcall
extern "C" {
__declspec(dllimport) VQCACHE_FARPROC_;
VQCACHE_API_(HINSTANCE__*) LoadLibraryExW(const wchar_t*, void*, unsigned long);
VQCACHE_API_(unsigned long) GetLastError();
VQCACHE_API_(unsigned long) GetCurrentProcessId();
VQCACHE_API_(int) MoveFileExW(const wchar_t*, const wchar_t*, unsigned long);
VQCACHE_API_(int) CloseHandle(void*);
VQCACHE_API_(int) SetHandleInformation(void*, unsigned long, unsigned long);
VQCACHE_API_(int)
PeekNamedPipe(void*, void*, unsigned long, unsigned long*, unsigned long*, unsigned long*);
VQCACHE_API_(int)
CreateProcessW(const wchar_t*, wchar_t*, _SECURITY_ATTRIBUTES*, _SECURITY_ATTRIBUTES*, int,
    unsigned long, void*, const wchar_t*, _STARTUPINFOW*, _PROCESS_INFORMATION*);
VQCACHE_API_(unsigned long) WaitForSingleObject(void*, unsigned long);
VQCACHE_API_(int) GetExitCodeProcess(void*, unsigned long*);
VQCACHE_API_(int) TerminateProcess(void*, unsigned int);
}
#undef VQCACHE_API_
#undef VQCACHE_FARPROC_
#else
#include <dlfcn.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>
#if defined(__APPLE__)
#include <crt_externs.h>
#endif
#endif
#if defined(__GLIBC__) && __GLIBC__ == 2 && __GLIBC_MINOR__ < 34
// dlopen is in libdl there: without -ldl it is null; the program curl and portable digests serve
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

VQCACHE_LAZY_ string shown(const fs::path& p) {
  const auto utf8 = p.u8string();
  return string(utf8.begin(), utf8.end());
}
VQCACHE_LAZY_ string env(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}
VQCACHE_LAZY_ void sleep_ms(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }
VQCACHE_LAZY_ int value(const std::error_code& e) { return e.default_error_condition().value(); }

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
#if defined(_WIN32)
    return fd < 0 || ::_close(fd) == 0 ? 0 : errno;
#else  // after EINTR it is closed, or being closed
    return fd < 0 || ::close(fd) == 0 || errno == EINTR ? 0 : errno;
#endif
  }
 private:
  int fd_ = -1;
};
// link: follows a symbolic link. create: new, 0666 & ~umask, with the group and the rules of its
// directory, as the files of every program
enum class mode { read, link, create, lock, update };
// of the process that owns an unfinished file; restarted: it went with the machine
enum class fate { alive, gone, restarted, unknown };

#if defined(_WIN32)
VQCACHE_LAZY_ fs::path to_path(const string& utf8) {
#if defined(__cpp_char8_t)
  return fs::path(std::u8string(utf8.begin(), utf8.end()));
#else
  return fs::u8path(utf8);
#endif
}
VQCACHE_LAZY_ int open(const fs::path& p, mode how, file& out) {
  const int flags = how == mode::create ? _O_RDWR | _O_CREAT | _O_EXCL
      : how == mode::lock               ? _O_RDWR | _O_CREAT
      : how == mode::update             ? _O_RDWR
                                        : _O_RDONLY;
  int fd = -1;
  const int e = ::_wsopen_s(
      &fd, p.c_str(), flags | _O_BINARY | _O_NOINHERIT, _SH_DENYNO, _S_IREAD | _S_IWRITE);
  if (e == 0) out.reset(fd);
  return e;
}
VQCACHE_LAZY_ long read_once(int fd, char* to, size_t n) {
  return ::_read(fd, to, static_cast<unsigned>(n));
}
VQCACHE_LAZY_ long write_once(int fd, const char* from, size_t n) {
  return ::_write(fd, from, static_cast<unsigned>(n));
}
VQCACHE_LAZY_ bool seek_to(int fd, uint64_t at) {
  return ::_lseeki64(fd, static_cast<long long>(at), SEEK_SET) >= 0;
}
VQCACHE_LAZY_ int sync(file& f) { return ::_commit(f.fd()) == 0 ? 0 : errno; }
VQCACHE_LAZY_ int sync_directory(const fs::path&) { return 0; }  // MOVEFILE_WRITE_THROUGH did it
VQCACHE_LAZY_ int rename(const fs::path& from, const fs::path& to) {
  for (int wait = 1;; wait *= 2) {  // a scanner or a reader holds it: that passes within 2 s
    if (::MoveFileExW(from.c_str(), to.c_str(), 1 | 8))
      return 0;  // REPLACE_EXISTING, WRITE_THROUGH
    const unsigned long e = ::GetLastError();
    const bool busy = e == 5 || e == 32 || e == 33;  // access denied, sharing and lock violation
    if (!busy) return value(std::error_code(static_cast<int>(e), std::system_category()));
    if (wait > 1024) return EACCES;
    sleep_ms(wait);
  }
}
VQCACHE_LAZY_ int try_lock(file& f) {
  return ::_locking(f.fd(), _LK_NBLCK, 1) == 0 ? 0 : EWOULDBLOCK;
}
VQCACHE_LAZY_ bool read_only(const fs::path& p) {
  return ::_waccess(p.c_str(), 2) != 0 && errno == EACCES;
}
VQCACHE_LAZY_ uint64_t process_id() { return ::GetCurrentProcessId(); }
VQCACHE_LAZY_ string owner() { return "windows"; }
VQCACHE_LAZY_ fate owner_fate(const string& who) {  // unlink() fails while it is open
  return who == owner() ? fate::gone : fate::unknown;
}
VQCACHE_LAZY_ fs::path home() {
  return ::_wgetenv(L"USERPROFILE") ? ::_wgetenv(L"USERPROFILE") : L"";
}
VQCACHE_LAZY_ bool utc(std::time_t now, std::tm& out) { return ::gmtime_s(&out, &now) == 0; }
VQCACHE_LAZY_ const char* const* libcurl_names() {
  static constexpr const char* names[] = {
      "libcurl-x64.dll", "libcurl.dll", "libcurl-4.dll", nullptr};
  return names;
}
// from the program's, its added and the system's directories
VQCACHE_LAZY_ void* load(const char* name) {
  const std::wstring wide(name, name + std::strlen(name));
  return ::LoadLibraryExW(wide.c_str(), nullptr, 0x200 | 0x400 | 0x800);
}
VQCACHE_LAZY_ void* symbol(void* library, const char* name) {
  if (!library) return nullptr;
  return reinterpret_cast<void*>(::GetProcAddress(static_cast<HINSTANCE__*>(library), name));
}
class [[maybe_unused]] quiet_pipes {};  // there is no SIGPIPE

template <class> class basic_process {  // a program of the system directory, without a shell
 public:
  basic_process() = default;
  basic_process(const basic_process&) = delete;
  basic_process& operator=(const basic_process&) = delete;
  ~basic_process() { (void)finish(true); }
  int start(const vector<string>& argv, const string& input) {
    file theirs_in, theirs_out, ours_in;
    if (int e = pipe(theirs_in, ours_in, input.size() + 4096)) return e;
    if (int e = pipe(out_, theirs_out, 1 << 20)) return e;
    startup si{};
    si.cb = sizeof si;
    si.flags = 0x100;  // the three handles count
    si.in = handle(theirs_in);
    si.out = handle(theirs_out);
    for (void* h : {si.in, si.out}) ::SetHandleInformation(h, 1, 1);
    const wchar_t* root = ::_wgetenv(L"SystemRoot");
    const std::wstring program = std::wstring(root ? root : L"C:\\Windows") + L"\\System32\\" +
        std::wstring(argv[0].begin(), argv[0].end()) + L".exe";
    std::wstring line;
    for (const string& a : argv)
      line += (line.empty() ? L"\"" : L" \"") + std::wstring(a.begin(), a.end()) + L"\"";
    created pi{};
    if (!::CreateProcessW(program.c_str(), &line[0], nullptr, nullptr, 1, 0x08000000, nullptr,
            nullptr, reinterpret_cast<_STARTUPINFOW*>(&si),
            reinterpret_cast<_PROCESS_INFORMATION*>(&pi)))
      return ENOENT;
    ::CloseHandle(pi.thread);
    handle_ = pi.process;
    (void)write_once(ours_in.fd(), input.data(), input.size());  // the pipe has room for all of it
    return 0;
  }
  long read(char* to, size_t n, int ms) {  // bytes, 0: the end, -1: nothing within ms
    for (int waited = 0;; waited += 5) {
      unsigned long ready = 0;
      if (!::PeekNamedPipe(handle(out_), nullptr, 0, nullptr, &ready, nullptr)) return 0;
      if (ready) return (std::max)(read_once(out_.fd(), to, n), 0L);
      if (waited >= ms) return -1;
      sleep_ms(5);
    }
  }
  int finish(bool kill) {  // the exit code
    if (!handle_) return -1;
    if (kill) ::TerminateProcess(handle_, 1);
    unsigned long code = 1;
    ::WaitForSingleObject(handle_, 0xffffffff);
    ::GetExitCodeProcess(handle_, &code);
    ::CloseHandle(std::exchange(handle_, nullptr));
    return static_cast<int>(code);
  }
  string errors() const { return {}; }
 private:
  struct startup {  // STARTUPINFOW
    unsigned long cb;
    wchar_t *reserved, *desktop, *title;
    unsigned long x, y, width, height, columns, rows, fill, flags;
    unsigned short show, more;
    unsigned char* data;
    void *in, *out, *err;
  };
  struct created {  // PROCESS_INFORMATION
    void *process, *thread;
    unsigned long process_id, thread_id;
  };
  static void* handle(const file& f) { return reinterpret_cast<void*>(::_get_osfhandle(f.fd())); }
  static int pipe(file& reading, file& writing, size_t room) {
    int ends[2] = {-1, -1};
    if (::_pipe(ends, static_cast<unsigned>(room), _O_BINARY | _O_NOINHERIT) != 0) return errno;
    reading.reset(ends[0]);
    writing.reset(ends[1]);
    return 0;
  }
  file out_;
  void* handle_ = nullptr;
};

#else  // POSIX
VQCACHE_LAZY_ fs::path to_path(const string& utf8) { return utf8; }
VQCACHE_LAZY_ int open(const fs::path& p, mode how, file& out) {
#if defined(O_LARGEFILE)
  const int always = O_CLOEXEC | O_LARGEFILE;
#else
  const int always = O_CLOEXEC;
#endif
  const int flags = how == mode::create ? O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW
      : how == mode::lock               ? O_RDWR | O_CREAT | O_NOFOLLOW
      : how == mode::update             ? O_RDWR | O_NOFOLLOW
      : how == mode::link               ? O_RDONLY | O_NONBLOCK
                                        : O_RDONLY | O_NONBLOCK | O_NOFOLLOW;
  int fd = -1;
  do {  // O_NONBLOCK: a FIFO in the place of a file must not block
    fd = ::open(p.c_str(), flags | always, 0666);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) return errno;
  out.reset(fd);
  return 0;
}
VQCACHE_LAZY_ long read_once(int fd, char* to, size_t n) { return ::read(fd, to, n); }
VQCACHE_LAZY_ long write_once(int fd, const char* from, size_t n) { return ::write(fd, from, n); }
VQCACHE_LAZY_ bool seek_to(int fd, uint64_t at) {
#if defined(__GLIBC__)
  return ::lseek64(fd, static_cast<off64_t>(at), SEEK_SET) >= 0;
#else
  return ::lseek(fd, static_cast<off_t>(at), SEEK_SET) >= 0;
#endif
}
// EINTR says that nothing was tried; after any other failure the kernel may have dropped the pages
VQCACHE_LAZY_ int sync(file& f) {
  for (;;) {
#if defined(F_FULLFSYNC)
    if (::fcntl(f.fd(), F_FULLFSYNC) == 0) return 0;  // fsync leaves them in the disk's own cache
#endif
    if (::fsync(f.fd()) == 0) return 0;
    if (errno != EINTR) return errno;
  }
}
VQCACHE_LAZY_ int sync_directory(const fs::path& p) {
  file f;
  if (int e = open(p, mode::link, f)) return e;
  const int e = sync(f);
  return e == EINVAL || e == ENOTSUP || e == ENOSYS ? 0 : e;  // a file system without it
}
VQCACHE_LAZY_ int rename(const fs::path& from, const fs::path& to) {
  return ::rename(from.c_str(), to.c_str()) == 0 ? 0 : errno;
}
VQCACHE_LAZY_ int try_lock(file& f) {
  while (::flock(f.fd(), LOCK_EX | LOCK_NB) != 0)
    if (errno != EINTR) return errno;
  return 0;
}
VQCACHE_LAZY_ bool read_only(const fs::path& p) {
  return ::access(p.c_str(), W_OK) != 0 && (errno == EACCES || errno == EROFS);
}
VQCACHE_LAZY_ uint64_t process_id() { return static_cast<uint64_t>(::getpid()); }
VQCACHE_LAZY_ fs::path home() { return env("HOME"); }
VQCACHE_LAZY_ bool utc(std::time_t now, std::tm& out) { return ::gmtime_r(&now, &out) != nullptr; }
VQCACHE_LAZY_ const char* const* libcurl_names() {
#if defined(__APPLE__)  // never a bare name: dlopen would look in the working directory
  static constexpr const char* names[] = {
      "/usr/lib/libcurl.4.dylib", "@rpath/libcurl.4.dylib", nullptr};
#else
  static constexpr const char* names[] = {
      "libcurl.so.4", "libcurl-gnutls.so.4", "libcurl-nss.so.4", nullptr};
#endif
  return names;
}
VQCACHE_LAZY_ void* load(const char* name) {
#if defined(VQCACHE_WEAK_DL_)
  if (!dlopen) return nullptr;
#endif
  return ::dlopen(name, RTLD_NOW | RTLD_LOCAL);
}
VQCACHE_LAZY_ void* symbol(void* library, const char* name) {  // null: what the process has already
#if defined(VQCACHE_WEAK_DL_)
  if (!dlsym) return nullptr;
#endif
  return ::dlsym(library ? library : RTLD_DEFAULT, name);
}

// Who owns an unfinished file: a host is a name and a process namespace, since containers share
// disks and process numbers; the start time tells a process from a later one of the same number.
VQCACHE_LAZY_ string first_kilobyte(const string& path) {
  file f;
  char text[1024];
  const long n = open(path, mode::link, f) == 0 ? read_once(f.fd(), text, sizeof text) : 0;
  return string(text, static_cast<size_t>((std::max)(n, 0L)));
}
VQCACHE_LAZY_ string started(const string& pid) {  // field 22 of proc(5) stat; "" where is none
  const string s = first_kilobyte("/proc/" + pid + "/stat");
  view rest = view(s).substr((std::min)(s.rfind(')'), s.size()));
  for (int i = 0; i < 20; ++i) text::take(rest, ' ');
  return string(text::take(rest, ' '));
}
VQCACHE_LAZY_ string owner() {
  char host[256] = "";
  std::error_code none;
  (void)::gethostname(host, sizeof host - 1);
  return error::join(host, "/", shown(fs::read_symlink("/proc/self/ns/pid", none)), " ",
      text::trim(first_kilobyte("/proc/sys/kernel/random/boot_id")), " ", process_id(), " ",
      started("self"));
}
VQCACHE_LAZY_ fate owner_fate(const string& who) {
  const string mine = owner();
  view theirs = who, ours = mine;
  if (text::take(theirs, ' ') != text::take(ours, ' ')) return fate::unknown;
  if (text::take(theirs, ' ') != text::take(ours, ' ')) return fate::restarted;
  const string pid(text::take(theirs, ' '));
  uint64_t number = 0;
  if (!text::to_number(pid, number) || number == 0 || number > 0x7fffffff) return fate::unknown;
  if (::kill(static_cast<pid_t>(number), 0) != 0 && errno == ESRCH) return fate::gone;
  return theirs.empty() || started(pid) == theirs ? fate::alive : fate::gone;
}

// A peer that is gone must be an error of write(), not the death of the program: our pipe to curl,
// and libcurl with an older OpenSSL, raise SIGPIPE. Blocked here; one raised meanwhile is eaten.
class quiet_pipes {
 public:
  quiet_pipes() : was_pending_(pending()) {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  quiet_pipes(const quiet_pipes&) = delete;
  quiet_pipes& operator=(const quiet_pipes&) = delete;
  ~quiet_pipes() {
    int got = 0;
    if (!was_pending_ && pending()) sigwait(&pipe_, &got);
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
 private:
  static bool pending() {
    sigset_t now;
    sigemptyset(&now);
    return sigpending(&now) == 0 && sigismember(&now, SIGPIPE) == 1;
  }
  sigset_t pipe_, before_;
  bool was_pending_;
};

template <class> class basic_process {  // a program found in PATH, without a shell
 public:
  basic_process() = default;
  basic_process(const basic_process&) = delete;
  basic_process& operator=(const basic_process&) = delete;
  ~basic_process() { (void)finish(true); }
  int start(const vector<string>& argv, const string& input) {  // ENOENT: not there
    file in, out, err;
    int e = 0;
    if ((e = pipe(in, in_)) != 0 || (e = pipe(out_, out)) != 0 || (e = pipe(err_, err)) != 0)
      return e;
    if (::fcntl(in_.fd(), F_SETFL, O_NONBLOCK) != 0) return errno;
    vector<char*> args;
    for (const string& a : argv) args.push_back(const_cast<char*>(a.c_str()));
    args.push_back(nullptr);
#if defined(__APPLE__)
    char** environment = *_NSGetEnviron();
#else
    char** environment = ::environ;
#endif
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t group;  // its own, so that a terminal's Ctrl-C is ours to handle
    if ((e = posix_spawn_file_actions_init(&actions)) != 0) return e;
    if ((e = posix_spawnattr_init(&group)) == 0) {
      if ((e = posix_spawn_file_actions_adddup2(&actions, in.fd(), 0)) == 0 &&
          (e = posix_spawn_file_actions_adddup2(&actions, out.fd(), 1)) == 0 &&
          (e = posix_spawn_file_actions_adddup2(&actions, err.fd(), 2)) == 0 &&
          (e = posix_spawnattr_setflags(&group, POSIX_SPAWN_SETPGROUP)) == 0)
        e = ::posix_spawnp(&pid_, args[0], &actions, &group, args.data(), environment);
      posix_spawnattr_destroy(&group);
    }
    posix_spawn_file_actions_destroy(&actions);
    if (e != 0) pid_ = -1;
    input_ = input;
    return e;
  }
  long read(char* to, size_t n, int ms) {  // bytes, 0: the end, -1: nothing within ms
    for (;;) {
      pollfd fds[3] = {{out_.fd(), POLLIN, 0}, {err_.fd(), POLLIN, 0}, {in_.fd(), POLLOUT, 0}};
      const int ready = ::poll(fds, 3, ms);
      if (ready == 0 || (ready < 0 && errno == EINTR)) return -1;
      if (ready < 0) return broken();
      if (fds[2].revents) feed();
      if (fds[1].revents) drain();
      if (!fds[0].revents) continue;
      const long got = read_once(out_.fd(), to, n);
      if (got >= 0) return got;
      if (errno != EINTR) return broken();
    }
  }
  int finish(bool kill) {
    if (pid_ <= 0) return -1;
    out_.close();  // one that still writes there is to end
    for (int waits = 0; !kill && err_.fd() >= 0; kill = waits > 20) {  // its last words, for 2 s
      pollfd last{err_.fd(), POLLIN, 0};
      if (::poll(&last, 1, 100) > 0) drain();
      else ++waits;
    }
    if (kill) ::kill(pid_, SIGKILL);
    int state = 0;
    pid_t got = -1;
    do { got = ::waitpid(pid_, &state, 0); } while (got < 0 && errno == EINTR);
    const bool exited = got == std::exchange(pid_, -1) && WIFEXITED(state);
    return exited ? WEXITSTATUS(state) : -1;
  }
  const string& errors() const { return errors_; }
 private:
  static int pipe(file& reading, file& writing) {
    int ends[2] = {-1, -1};
#if defined(__APPLE__)
    if (::pipe(ends) != 0) return errno;
#else
    if (::pipe2(ends, O_CLOEXEC) != 0) return errno;
#endif
    reading.reset(ends[0]);
    writing.reset(ends[1]);
    for (file* end : {&reading, &writing}) {  // above 2, so that dup2 to 0, 1, 2 meets none of ours
      const int fd = ::fcntl(end->fd(), F_DUPFD_CLOEXEC, 3);
      if (fd < 0) return errno;
      end->reset(fd);
    }
    return 0;
  }
  long broken() {  // what it writes cannot be had: no end of it may look like success
    ::kill(pid_, SIGKILL);
    return 0;
  }
  void feed() {
    const long n = write_once(in_.fd(), input_.data(), input_.size());
    if (n > 0) input_.erase(0, static_cast<size_t>(n));
    if (input_.empty() || (n < 0 && errno != EAGAIN && errno != EINTR)) in_.close();
  }
  void drain() {
    char text[1024];
    const long n = read_once(err_.fd(), text, sizeof text);
    if (n > 0 && errors_.size() < 4096) errors_.append(text, static_cast<size_t>(n));
    if (n == 0 || (n < 0 && errno != EINTR)) err_.close();
  }
  file in_, out_, err_;
  pid_t pid_ = -1;
  string input_, errors_;
};
#endif  // POSIX

// ---- the same on every system

using process = basic_process<void>;
template <class R, class... A> inline R call(void* f, A... a) {  // a function found at run time
  return reinterpret_cast<R (*)(A...)>(f)(a...);
}
struct info {
  bool exists = false, regular = false, directory = false;
  uint64_t size = 0;
  int problem = 0;  // when it could not even be told whether it exists
};
VQCACHE_LAZY_ info look(const fs::path& p, bool follow = true) {  // a regular file costs one call
  std::error_code e;
  info i;
  if (!follow && fs::is_symlink(fs::symlink_status(p, e))) return i;
  const uint64_t size = fs::file_size(p, e);
  i.exists = i.regular = !e;
  if (i.regular) i.size = size;
  if (i.regular) return i;
  const fs::file_status s = fs::status(p, e);
  i.exists = fs::exists(s);
  i.directory = fs::is_directory(s);
  if (!i.exists && s.type() != fs::file_type::not_found) i.problem = value(e);
  return i;
}
VQCACHE_LAZY_ bool older_than_a_day(const fs::path& p) {
  std::error_code e;
  const fs::file_time_type t = fs::last_write_time(p, e);
  const auto age =
      fs::file_time_type::clock::now().time_since_epoch().count() - t.time_since_epoch().count();
  return !e && age / fs::file_time_type::period::den * fs::file_time_type::period::num > 86400;
}
VQCACHE_LAZY_ uint64_t room(
    const fs::path& p) {  // bytes that this user may still write; all ones: unknown
  std::error_code e;
  return fs::space(p, e).available;
}
VQCACHE_LAZY_ int unlink(const fs::path& p) {  // what is not there is no failure
  std::error_code e;
  fs::remove(p, e);
  return value(e);
}
VQCACHE_LAZY_ int read_some(file& f, char* to, size_t n, size_t& got) {
  long k = -1;
  do { k = read_once(f.fd(), to, n); } while (k < 0 && errno == EINTR);
  got = k > 0 ? static_cast<size_t>(k) : 0;
  return k < 0 ? errno : 0;
}
VQCACHE_LAZY_ int write_all(file& f, const char* from, size_t n) {
  while (n > 0) {
    const long k = write_once(f.fd(), from, n);
    if (k < 0 && errno == EINTR) continue;
    if (k <= 0) return k < 0 ? errno : EIO;
    from += k;
    n -= static_cast<size_t>(k);
  }
  return 0;
}
VQCACHE_LAZY_ int read_text(const fs::path& p, string& out) {  // at most 64 KiB
  file f;
  char text[4096];
  if (int e = open(p, mode::read, f)) return e;
  out.clear();
  for (size_t got = 1; got > 0 && out.size() < 65536; out.append(text, got))
    if (int e = read_some(f, text, sizeof text, got)) return e;
  return 0;
}
VQCACHE_LAZY_ string date() {
  std::tm t{};
  char text[32] = "";
  const bool good =
      utc(std::time(nullptr), t) && std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &t) > 0;
  return good ? text : "-";
}
VQCACHE_LAZY_ string unique() {  // 16 hex digits, different in every process and call
  static std::atomic<uint64_t> count{0};
  auto n = static_cast<uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
  n ^= process_id() << 40 ^ (count.fetch_add(1) + 1) << 20;
  for (int i = 0; i < 3; ++i) n = (n ^ n >> 29) * 0xbf58476d1ce4e5b9U;  // splitmix64
  return text::hex(n ^ n >> 32, 16);
}
VQCACHE_LAZY_ int make_directories(const fs::path& p) {  // what is missing, each level made to last
  const info there = look(p);
  if (there.directory) return 0;
  if (there.exists || there.problem) return there.exists ? ENOTDIR : there.problem;
  const fs::path parent = p.parent_path();
  if (!parent.empty() && parent != p)
    if (int e = make_directories(parent)) return e;
  std::error_code e;
  fs::create_directory(p, e);
  return e && !look(p).directory ? value(e) : sync_directory(parent);
}
VQCACHE_LAZY_ vector<string> list(const fs::path& directory, const string& prefix) {
  vector<string> names;
  std::error_code e;
  for (fs::directory_iterator i(directory, e), end; !e && i != end; i.increment(e))
    if (const string name = shown(i->path().filename()); text::starts(name, prefix))
      names.push_back(name);
  return names;
}
VQCACHE_LAZY_ fs::path resolved(const fs::path& p) {  // absolute, ~ is home; empty: there is none
  fs::path r = p;
  const string s = shown(p);
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

// ==== >>hash ==== computes a digest: the system's library where there is one, else portable ====

namespace hash {
struct engine {  // functions of libcrypto, CommonCrypto or BCrypt, in the order of use
  enum { none, libcrypto, common_crypto, bcrypt } which = none;
  void* f[6] = {};
};
VQCACHE_LAZY_ const engine& system_engine() {  // loaded at the first digest, never unloaded
  static const engine found = [] {
    static constexpr const char* names[3][6] = {
        {"EVP_MD_CTX_new", "EVP_sha256", "EVP_DigestInit_ex", "EVP_DigestUpdate",
            "EVP_DigestFinal_ex", "EVP_MD_CTX_free"},
        {"CC_SHA256_Init", "CC_SHA256_Update", "CC_SHA256_Final"},
        {"BCryptOpenAlgorithmProvider", "BCryptCreateHash", "BCryptHashData", "BCryptFinishHash",
            "BCryptDestroyHash"}};
    for (const char* library : {"libcrypto.so.3", "libcrypto.so.1.1", "", "bcrypt.dll"}) {
      engine e;  // "": in the process
      e.which = !*library   ? engine::common_crypto
          : *library == 'l' ? engine::libcrypto
                            : engine::bcrypt;
      if (e.which == engine::bcrypt && sizeof(void*) != 8) break;  // 32 bits call otherwise
      void* from = *library ? os::load(library) : nullptr;
      bool all = from || !*library;
      for (size_t i = 0; i < 6 && all && names[e.which - 1][i]; ++i) {
        e.f[i] = os::symbol(from, names[e.which - 1][i]);
        all = e.f[i] != nullptr;
      }
      if (all) return e;
    }
    return engine();
  }();
  return found;
}

template <class> class basic_sha256 {  // FIPS 180-4
 public:
  explicit basic_sha256(bool system = true) : system_(system) {}
  basic_sha256(const basic_sha256&) = delete;
  basic_sha256& operator=(const basic_sha256&) = delete;
  ~basic_sha256() { drop(); }
  void start() {
    drop();
    e_ = system_ ? system_engine() : engine();
    length_ = 0;
    const std::uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
        0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    std::memcpy(state_, initial, sizeof state_);
    void* null = nullptr;
    bool good = true;
    if (e_.which == engine::libcrypto) {
      context_ = os::call<void*>(e_.f[0]);
      good =
          context_ && os::call<int>(e_.f[2], context_, os::call<const void*>(e_.f[1]), null) == 1;
    } else if (e_.which == engine::bcrypt) {
      void* algorithm = nullptr;  // the process keeps it
      good = os::call<long>(e_.f[0], &algorithm, L"SHA256", null, 0UL) == 0 &&
          os::call<long>(e_.f[1], algorithm, &context_, null, 0UL, null, 0UL, 0UL) == 0;
    } else if (e_.which == engine::common_crypto) {
      os::call<int>(e_.f[0], &block_[0]);
    }
    if (!good) drop();
  }
  void update(const char* data, size_t n) {
    const auto n32 = static_cast<unsigned>(n);  // our blocks are small
    if (e_.which == engine::libcrypto) failed_ |= os::call<int>(e_.f[3], context_, data, n) != 1;
    else if (e_.which == engine::bcrypt)
      failed_ |= os::call<long>(e_.f[2], context_, data, n32, 0U) != 0;
    else if (e_.which == engine::common_crypto) os::call<int>(e_.f[1], &block_[0], data, n32);
    else add(reinterpret_cast<const unsigned char*>(data), n);
  }
  string hex() {  // ends it; empty: the system's library failed
    unsigned char out[32] = {};
    void* null = nullptr;
    if (e_.which == engine::libcrypto)
      failed_ |= os::call<int>(e_.f[4], context_, &out[0], null) != 1;
    else if (e_.which == engine::bcrypt)
      failed_ |= os::call<long>(e_.f[3], context_, &out[0], 32U, 0U) != 0;
    else if (e_.which == engine::common_crypto) os::call<int>(e_.f[2], &out[0], &block_[0]);
    else finish(out);
    string s;
    for (unsigned char byte : out) s += text::hex(byte, 2);
    return failed_ ? string() : s;
  }
 private:
  void drop() {
    if (context_ && e_.which == engine::libcrypto) os::call<void>(e_.f[5], context_);
    if (context_ && e_.which == engine::bcrypt) os::call<long>(e_.f[4], context_);
    context_ = nullptr;
    e_ = engine();
  }
  static std::uint32_t turn(std::uint32_t x, int n) { return x >> n | x << (32 - n); }
  void add(const unsigned char* p, size_t n) {
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
    std::uint32_t w[64] = {}, v[8];
    for (size_t i = 0; i < 64; ++i) w[i / 4] = w[i / 4] << 8 | block_[i];
    for (size_t i = 16; i < 64; ++i) {
      const std::uint32_t x = w[i - 15], y = w[i - 2];
      w[i] = w[i - 16] + (turn(x, 7) ^ turn(x, 18) ^ x >> 3) + w[i - 7] +
          (turn(y, 17) ^ turn(y, 19) ^ y >> 10);
    }
    std::memcpy(v, state_, sizeof v);
    for (size_t i = 0; i < 64; ++i) {
      const std::uint32_t a = v[0], e = v[4];
      const std::uint32_t t = v[7] + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) +
          ((e & v[5]) ^ (~e & v[6])) + k[i] + w[i];
      const std::uint32_t u =
          (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));
      std::memmove(v + 1, v, 7 * sizeof v[0]);
      v[4] += t;
      v[0] = t + u;
    }
    for (size_t i = 0; i < 8; ++i) state_[i] += v[i];
  }
  void finish(unsigned char* out) {
    const uint64_t bits = length_ * 8;
    unsigned char end[72] = {0x80};  // one bit, zeros, and the length in bits
    const size_t zeros = (119 - length_ % 64) % 64;
    for (size_t i = 0; i < 8; ++i)
      end[1 + zeros + i] = static_cast<unsigned char>(bits >> (56 - 8 * i));
    add(end, 9 + zeros);
    for (size_t i = 0; i < 32; ++i)
      out[i] = static_cast<unsigned char>(state_[i / 4] >> (24 - 8 * (i % 4)));
  }
  engine e_;
  void* context_ = nullptr;
  bool system_, failed_ = false;
  uint64_t length_ = 0;
  std::uint32_t state_[8] = {};
  alignas(8) unsigned char block_[128] = {};  // the block, or CommonCrypto's context of 104 bytes
};
using sha256 = basic_sha256<void>;
VQCACHE_LAZY_ string of(view s) {
  sha256 sha;
  sha.start();
  sha.update(s.data(), s.size());
  return sha.hex();
}
}  // namespace hash

// ==== >>stage ==== a file that is not finished: partial, record, verification, publication ====
// Nothing gets its final name but by publish(), and publish() follows only a good seal().

namespace stage {
enum : size_t { block_size = 1 << 18, head_size = 16384, zip_tail = 65557 };
enum : uint64_t { config_limit = 16 << 20, sync_every = 64 << 20 };

struct demand {  // what bytes must be to get a final name
  text::kind kind = text::kind::binary;
  string sha256{};                   // empty: not known; then the content is looked at instead
  const char* bound_by = "the pin";  // who says so
  bool verified = false;             // and may be believed of a download, too
  uint64_t size = 0;                 // 0: not known
  string type{};                     // Content-Type, a hint for the sentinel
};

template <class Lazy> class basic_pace {  // the least progress that is one: 64 KiB in some seconds
  using clock = error::late<Lazy, std::chrono::steady_clock>;
 public:
  explicit basic_pace(unsigned seconds, uint64_t base = 0, unsigned least = 65536)
      : seconds_(seconds), least_(least), base_(base) {}
  bool stalled(uint64_t done) {
    if (done >= base_ && done - base_ < least_) return seconds() > seconds_;
    base_ = done;
    since_ = clock::now();
    return false;
  }
  double seconds() const {  // since the last progress
    return std::chrono::duration<double>(clock::now() - since_).count();
  }
 private:
  unsigned seconds_, least_;
  uint64_t base_;
  typename clock::time_point since_ = clock::now();
};
using pace = basic_pace<void>;

// Which file an unfinished one is to become. Without a digest or a validator none is continued: two
// versions of one length could not be told apart.
struct identity {
  string pin{};        // the digest of the whole file
  string url{};        // the SHA-256 of its URL, which may itself hold secrets
  string validator{};  // of the server's file
  uint64_t total = 0;  // bytes, 0: not known
  bool usable() const { return !pin.empty() || !validator.empty(); }
};

// gives a file to `take`, block by block; at_source: it is the reading that failed
template <class F> inline status read_file(const fs::path& from, os::mode how, caller& who,
    phase what, const string& name, bool& at_source, const F& take) {
  os::file in;
  string block(block_size, '\0');
  pace speed(who.opts().stall_seconds);
  const os::info i = os::look(from, how == os::mode::link);
  uint64_t done = 0;
  at_source = true;
  if (!i.regular)
    return fail(errc::io, from, i.exists ? " is not a regular file" : " is not there");
  VQCACHE_NEED_(error::system(os::open(from, how, in), "open", from));
  for (size_t got = 1; got > 0; done += got) {
    at_source = true;
    if (!who.step(what, name, done, i.size, done == 0 ? caller::at::first : caller::at::middle))
      return who.stop();
    VQCACHE_NEED_(error::system(os::read_some(in, &block[0], block.size(), got), "read", from));
    at_source = false;
    VQCACHE_NEED_(take(block.data(), got));
    if (got > 0 && speed.stalled(done + got))
      return fail(errc::timed_out, "reading ", from,
          ", or writing its copy, gained under 64 KiB in ", who.opts().stall_seconds, " s");
  }
  return who.step(what, name, done, i.size, caller::at::last) ? status() : who.stop();
}

// the names in a directory that are `before`, `digits` hex digits, and `after`
VQCACHE_LAZY_ vector<string> numbered(
    const fs::path& at, const string& before, size_t digits, const char* after) {
  vector<string> names;
  for (const string& n : os::list(at, before)) {
    const size_t end = n.find_first_not_of("0123456789abcdef", before.size());
    if ((std::min)(end, n.size()) == before.size() + digits && text::ends(n, after) &&
        n.size() == before.size() + digits + std::strlen(after))
      names.push_back(n);
  }
  return names;
}
// the temporary names of one final name
VQCACHE_LAZY_ vector<string> leftovers(const fs::path& at, const string& file) {
  vector<string> names = numbered(at, "." + file + ".", 16, ".part");
  for (const string& n : numbered(at, "." + file + ".", 16, ".record")) names.push_back(n);
  return names;
}
struct record {  // what stands in the record beside an unfinished file
  identity id{};
  uint64_t synced = 0;  // bytes that a power cut cannot take
  os::fate fate = os::fate::unknown;
  bool known = false, released = false;  // released: by a call that ended without the whole file
};
VQCACHE_LAZY_ record read_record(const fs::path& p) {
  record r;
  string content, owner;
  r.known = os::read_text(p, content) == 0 && !content.empty();
  view rest = content;
  owner = text::trim(text::take(rest, '\n'));
  while (text::has(rest, "\n")) {
    view line = text::take(rest, '\n');
    const view key = text::take(line, ' ');
    if (key == "pin") r.id.pin = line;
    if (key == "url") r.id.url = line;
    if (key == "validator") r.id.validator = line;
    if (key == "total") text::to_number(line, r.id.total);
    if (key == "synced") text::to_number(line, r.synced);
    if (key == "released") r.released = true;
  }
  if (r.known) r.fate = os::owner_fate(owner);
  return r;
}

template <class Lazy> class basic_partial {
 public:
  basic_partial() = default;
  basic_partial(const basic_partial&) = delete;
  basic_partial& operator=(const basic_partial&) = delete;
  ~basic_partial() { release(); }

  status begin(const fs::path& final_path) {  // a private file, after a record of whose it is
    VQCACHE_NEED_(own(final_path));
    VQCACHE_NEED_(lost("create", os::open(named(".part"), os::mode::create, file_)));
    begun_ = true;
    sha_.start();
    return {};
  }
  void keep_as(const identity& id) {  // from now on a later call may continue it
    id_ = id;
    if (!id.usable()) return;
    note(error::join("url ", id.url, id.pin.empty() ? "" : "\npin ", id.pin,
        id.validator.empty() ? "" : "\nvalidator ", id.validator, "\ntotal ", id.total));
  }
  // Continues what an earlier call left of the same file; begun() tells whether there was such. Its
  // bytes are hashed again; what was not synced when the machine went down counts only with a pin.
  status resume(const fs::path& final_path, const identity& want, text::kind kind, caller& who) {
    const fs::path at = final_path.parent_path();
    const string file = os::shown(final_path.filename());
    for (const string& name : numbered(at, "." + file + ".", 16, ".record")) {
      const fs::path old = at / name, old_part = at / (name.substr(0, name.size() - 6) + "part");
      const record r = read_record(old);
      const bool same = want.pin.empty() ? r.id.url == want.url && !r.id.validator.empty()
                                         : r.id.url == want.url || r.id.pin == want.pin;
      const bool lost = r.fate == os::fate::restarted || r.fate == os::fate::unknown;
      const bool free = r.released || r.fate == os::fate::gone || r.fate == os::fate::restarted;
      const uint64_t size = os::look(old_part, false).size;
      const uint64_t sound = lost && want.pin.empty() ? (std::min)(size, r.synced) : size;
      if (!same || !free || sound == 0) continue;
      // shortened while its record still tells how far it can be believed
      std::error_code e;
      if (sound < size) fs::resize_file(old_part, sound, e);
      if (e) continue;
      VQCACHE_NEED_(own(final_path));
      keep_as({want.pin, r.id.url, r.id.validator, r.id.total});
      if (os::rename(old_part, named(".part")) != 0) continue;  // another call was faster
      begun_ = true;
      (void)os::unlink(old);
      if (reread(kind, who).ok()) return {};
      if (who.stopped()) return who.stop();
      drop();
    }
    drop();
    return {};
  }
  status write(const char* data, size_t n, text::kind kind) {
    VQCACHE_NEED_(see(data, n, kind));
    buffer_.append(data, n);
    return buffer_.size() < block_size ? status() : flush();
  }
  // all that can be known about the bytes is checked here; then they are forced to the disk
  status seal(const demand& d) {
    VQCACHE_NEED_(flush());
    digest_ = sha_.hex();
    if (digest_.empty()) return fail(errc::io, "the system's SHA-256 failed");
    if (d.sha256 != digest_) VQCACHE_NEED_(inspect(d));
    VQCACHE_NEED_(lost("sync", os::sync(file_)));
    return lost("close", file_.close());
  }
  status publish() {  // the final name, at one moment; the directory is synced by the caller
    VQCACHE_NEED_(lost("rename to", os::rename(named(".part"), final_)));
    begun_ = false;
    drop();
    return {};
  }
  void drop() {
    (void)file_.close();
    (void)record_.close();
    if (begun_) (void)os::unlink(named(".part"));
    if (recorded_) (void)os::unlink(named(".record"));
    begun_ = recorded_ = has_nul_ = false;
    size_ = synced_ = 0;
    id_ = identity();
    for (string* s : {&buffer_, &head_, &digest_}) s->clear();
  }
  // left for a later call, if one can continue it; else it goes. How many bytes are left.
  uint64_t release() {
    const bool keeps = begun_ && id_.usable() && size_ > 0;
    if (keeps && flush().ok() && note("released")) begun_ = recorded_ = false;
    const uint64_t left = keeps && !begun_ ? size_ : 0;
    drop();
    return left;
  }
  bool begun() const { return begun_; }
  const string& sha256() const { return digest_; }
  uint64_t size() const { return size_; }
  const identity& id() const { return id_; }
  const fs::path& final_path() const { return final_; }
 private:
  status own(const fs::path& final_path) {  // a name nobody else has, and a record of its owner
    drop();
    final_ = final_path;
    base_ = final_.parent_path() / ("." + os::shown(final_.filename()) + "." + os::unique());
    const string who = os::owner() + "\n";
    VQCACHE_NEED_(lost("create", os::open(named(".record"), os::mode::create, record_)));
    recorded_ = true;
    return lost("write", os::write_all(record_, who.data(), who.size()));
  }
  bool note(const string& line) {
    return os::write_all(record_, (line + "\n").data(), line.size() + 1) == 0;
  }
  status see(const char* data, size_t n, text::kind kind) {
    head_.append(data, (std::min)(n, head_size - head_.size()));
    size_ += n;
    has_nul_ = has_nul_ || (kind == text::kind::text && std::memchr(data, 0, n));
    if (kind != text::kind::text || size_ <= config_limit) return {};
    return fail(
        errc::not_the_file, "it has over 16 MiB, which no config has; are the URLs swapped?");
  }
  status reread(text::kind kind, caller& who) {
    const fs::path p = named(".part");
    bool at_source = false;
    sha_.start();
    const auto take = [&](const char* data, size_t n) {
      sha_.update(data, n);
      return see(data, n, kind);
    };
    VQCACHE_NEED_(read_file(
        p, os::mode::read, who, phase::verifying, os::shown(final_.filename()), at_source, take));
    VQCACHE_NEED_(lost("open", os::open(p, os::mode::update, file_)));
    return lost("read", os::seek_to(file_.fd(), size_) ? 0 : errno);
  }
  status inspect(const demand& d) {  // bytes that no digest vouches for
    const string what = text::not_the_file(d.kind, head_, d.type);
    if (!what.empty()) return fail(errc::not_the_file, "it is ", what);
    if (has_nul_) return fail(errc::not_the_file, "it has NUL bytes, which no config has");
    if (d.size != 0 && size_ != d.size)
      return fail(size_ < d.size ? errc::truncated : errc::not_the_file, "it has ", size_,
          " bytes instead of ", d.size);
    if (text::starts(head_, "PK\x03\x04")) {
      string tail((std::min)(size_, uint64_t{zip_tail}), '\0');
      size_t have = 0, got = 1;
      int e = os::seek_to(file_.fd(), size_ - tail.size()) ? 0 : errno;
      for (; e == 0 && have < tail.size() && got > 0; have += got)
        e = os::read_some(file_, &tail[have], tail.size() - have, got);
      VQCACHE_NEED_(lost("read", e));
      if (have < tail.size() || !text::zip_has_end(tail))
        return fail(errc::truncated, "it is a zip archive without its end: it is truncated");
    }
    if (d.sha256.empty()) return {};
    return fail(errc::hash_mismatch, "its SHA-256 is ", digest_, ", but ", d.bound_by, " says ",
        d.sha256,
        "; if the new bytes are wanted, change the pin or remove the model (vqcache::remove)");
  }
  status flush() {
    if (buffer_.empty()) return {};
    sha_.update(buffer_.data(), buffer_.size());
    const int e = os::write_all(file_, buffer_.data(), buffer_.size());
    buffer_.clear();
    VQCACHE_NEED_(lost("write", e));
    if (!id_.usable() || size_ - synced_ < sync_every) return {};
    VQCACHE_NEED_(lost("sync", os::sync(file_)));
    if (synced_ == 0) (void)os::sync_directory(final_.parent_path());
    synced_ = size_;
    if (note(error::join("synced ", synced_))) (void)os::sync(record_);
    return {};
  }
  fs::path named(const char* suffix) const { return fs::path(base_) += suffix; }
  status lost(const char* doing, int e) const { return error::system(e, doing, final_); }

  error::late<Lazy, fs::path> final_, base_;
  os::file file_, record_;
  error::late<Lazy, hash::sha256> sha_{};
  error::late<Lazy, identity> id_;
  string buffer_, head_, digest_;
  uint64_t size_ = 0, synced_ = 0;
  bool begun_ = false, recorded_ = false, has_nul_ = false;
};
using partial = basic_partial<void>;

VQCACHE_LAZY_ status copy(const fs::path& from, os::mode how, partial& to, text::kind kind,
    caller& who, phase what, bool& at_source) {
  return read_file(from, how, who, what, os::shown(to.final_path().filename()), at_source,
      [&](const char* data, size_t n) { return to.write(data, n, kind); });
}
VQCACHE_LAZY_ status digest(const fs::path& p, os::mode how, caller& who, string& out) {
  hash::sha256 sha;
  bool at_source = false;
  sha.start();
  const auto take = [&sha](const char* data, size_t n) {
    sha.update(data, n);
    return status();
  };
  const string name = os::shown(p.filename());
  VQCACHE_NEED_(read_file(p, how, who, phase::verifying, name, at_source, take));
  out = sha.hex();
  return out.empty() ? fail(errc::io, "the system's SHA-256 failed") : status();
}
// a small file: written, synced and published, or an error
VQCACHE_LAZY_ status put(const fs::path& at, const string& content) {
  partial p;
  VQCACHE_NEED_(p.begin(at));
  VQCACHE_NEED_(p.write(content.data(), content.size(), text::kind::binary));
  VQCACHE_NEED_(p.seal(demand()));
  VQCACHE_NEED_(p.publish());
  return error::system(os::sync_directory(at.parent_path()), "sync", at.parent_path());
}

// Removes what a killed process left of one final name; what can be continued only if `all`. Only
// what is nobody's goes: its owner is provably gone, or cannot be told and a day has passed.
VQCACHE_LAZY_ void sweep(const fs::path& at, const string& file, caller& who, bool all) {
  for (const string& name : leftovers(at, file)) {
    const bool part = text::ends(name, ".part");
    const fs::path path = at / name, base = at / path.stem();
    const fs::path record_path = fs::path(base) += ".record";
    const uint64_t size = os::look(path, false).size;
    const record r = read_record(record_path);
    const bool old = r.fate == os::fate::unknown && os::older_than_a_day(path);
    const bool gone = r.fate == os::fate::gone || r.fate == os::fate::restarted;
    if (!old && !(r.released ? all : gone && (all || !r.id.usable()))) continue;
    if (!part && os::look(fs::path(base) += ".part", false).exists) continue;  // they go together
    if (os::unlink(path) != 0 || !part) continue;
    (void)os::unlink(record_path);
    if (size > 0)
      who.say("Removed a partial of ", file, " (", size, " bytes) that an earlier call left.");
  }
}
}  // namespace stage

// ==== >>curl ==== talks to libcurl or to the program curl: one request, one answer ====
// It follows nothing, retries nothing and judges nothing but the form of the answer.

namespace curl {
struct exchange {
  string url;
  vector<string> headers;
  unsigned connect_seconds;
};
// Who gets the answer has on_head(code, headers), on_body(data, size) and on_wait(), called about
// ten times a second; each gives false to stop.

// Header lines as they arrive. Interim answers (1xx) are skipped, and all is bounded to 256 KiB: a
// server may send for ever, and curl before 8.4 has no limit (CVE-2023-38039).
template <class> class basic_head {
 public:
  bool ended() const { return ended_; }
  int code() const { return code_; }
  const vector<text::header>& headers() const { return headers_; }
  bool line(view s) {  // false: this is no HTTP
    bytes_ += s.size();
    const bool blank = text::trim(s).empty();
    // a line that continues another is obsolete, and a way to smuggle (RFC 9112 5.2)
    if (bytes_ > 256 * 1024 || (code_ != 0 && !blank && (s[0] == ' ' || s[0] == '\t')))
      return false;
    s = text::trim(s);
    text::header h;
    uint64_t n = 0;
    if (code_ == 0) {
      const view protocol = text::take(s, ' ');
      if (!text::starts(protocol, "HTTP/") || !text::to_number(s.substr(0, 3), n) || n < 100 ||
          n > 599 || (s.size() > 3 && s[3] != ' '))
        return false;
      code_ = static_cast<int>(n);
    } else if (!blank) {
      if (!text::parse_header(s, h)) return false;
      headers_.push_back(std::move(h));
    } else if (code_ < 200) {
      code_ = 0;
      headers_.clear();
    } else {
      ended_ = true;
    }
    return true;
  }
 private:
  size_t bytes_ = 0;
  int code_ = 0;
  bool ended_ = false;
  vector<text::header> headers_;
};
using head = basic_head<void>;

// of libcurl and the program alike (libcurl-errors(3)); why: curl's own words
VQCACHE_LAZY_ status judge(int code, const string& why) {
  const string words = why.empty() ? error::join("curl error ", code) : why;
  const auto one_of = [code](std::initializer_list<int> list) {
    return std::find(list.begin(), list.end(), code) != list.end();
  };
  if (code == 0) return {};
  if (code == 18)
    return fail(errc::truncated, "the connection ended before the file did (", words, ")");
  if (code == 28) return fail(errc::timed_out, "no connection in time (", words, ")");
  if (one_of({1, 8, 43, 52}))
    return fail(errc::http_status, "the answer is not proper HTTP (", words, ")");
  if (one_of({35, 51, 53, 54, 58, 59, 60, 64, 66, 77, 80, 82, 83, 90, 91}))
    return fail(errc::tls, "no trustworthy TLS connection (", words,
        "); check the clock, and SSL_CERT_FILE or CURL_CA_BUNDLE if a private authority signs");
  return fail(errc::connection, "the connection failed (", words,
      "); check the URL, the network and the proxy variables");
}
VQCACHE_LAZY_ status not_http() {
  return fail(errc::http_status, "the answer is not proper HTTP, or its header is endless");
}
VQCACHE_LAZY_ const char* agent() { return "vqcache/0.1.0"; }

// the functions of libcurl, which has kept its ABI, and the numbers of its options, since 7.16
#define VQCACHE_CURL_(X)                                                           \
  X(global_init), X(easy_init), X(easy_setopt), X(easy_cleanup), X(easy_strerror), \
      X(slist_append), X(slist_free_all), X(multi_init), X(multi_add_handle),      \
      X(multi_remove_handle), X(multi_perform), X(multi_wait), X(multi_info_read), \
      X(multi_cleanup)
#define VQCACHE_NAME_(name) name
enum function { VQCACHE_CURL_(VQCACHE_NAME_), functions };
#undef VQCACHE_NAME_
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
VQCACHE_LAZY_ const library& libcurl() {  // loaded when first needed, never unloaded
  static const library found = [] {
    library l;
#if VQCACHE_USE_LIBCURL
#define VQCACHE_NAME_(name) reinterpret_cast<void*>(&::curl_##name)
    void* const linked[] = {VQCACHE_CURL_(VQCACHE_NAME_)};
    std::copy(linked, linked + functions, l.f);
    const bool all = true;
#else
#define VQCACHE_NAME_(name) "curl_" #name
    static constexpr const char* names[] = {VQCACHE_CURL_(VQCACHE_NAME_)};
    const auto bind = [&l](void* from) {
      bool good = true;
      for (size_t i = 0; i < functions && good; ++i)
        good = (l.f[i] = os::symbol(from, names[i])) != nullptr;
      return good;
    };
    // what the process has comes first: a second copy would be bound to the symbols of the first
    bool all = bind(nullptr);
    for (const char* const* name = os::libcurl_names(); *name && !all; ++name)
      if (void* from = os::load(*name)) all = bind(from);
#endif
#undef VQCACHE_NAME_
#undef VQCACHE_CURL_
    l.usable = all && os::call<int>(l.f[global_init], 3L) == 0;
    return l;
  }();
  return found;
}

template <class Receiver> class by_library {  // one exchange over libcurl
 public:
  by_library(const exchange& x, Receiver& to) : x_(&x), to_(&to) {}
  status run() {
    const os::quiet_pipes quiet;
    void* const* f = libcurl().f;
    void *multi = os::call<void*>(f[multi_init]), *null = nullptr;
    easy_ = os::call<void*>(f[easy_init]);
    int running = 1, queued = 0;
    status s = multi && easy_ ? prepare() : fail(errc::connection, "libcurl cannot start");
    bool good = s.ok() && os::call<int>(f[multi_add_handle], multi, easy_) == 0;
    while (good && running && !stop_) {
      good = os::call<int>(f[multi_perform], multi, &running) == 0 &&
          (!running || os::call<int>(f[multi_wait], multi, null, 0U, 100, null) == 0);
      stop_ = stop_ || (running && !to_->on_wait());
    }
    if (s.ok() && !good) s = fail(errc::connection, "libcurl's transfer loop failed");
    const message* m =
        s.ok() && !stop_ ? os::call<message*>(f[multi_info_read], multi, &queued) : nullptr;
    const int e = m ? m->data.result : 0;
    if (e) s = judge(e, words_[0] ? words_ : os::call<const char*>(f[easy_strerror], e));
    if (multi && easy_) os::call<int>(f[multi_remove_handle], multi, easy_);
    if (easy_) os::call<void>(f[easy_cleanup], easy_);
    if (multi) os::call<int>(f[multi_cleanup], multi);
    os::call<void>(f[slist_free_all], list_);
    if (!problem_.ok() || stop_) return problem_;
    return s.ok() && !head_.ended() ? not_http() : s;
  }
 private:
  template <class T> bool set(int option, T value) {
    // variadic in name and in fact: Apple's arm64 passes such arguments on the stack
    return reinterpret_cast<int (*)(void*, int, ...)>(libcurl().f[easy_setopt])(
               easy_, option, value) == 0;
  }
  status prepare() {
    bool good = true;
    for (const string& h : x_->headers) {
      void* longer = os::call<void*>(libcurl().f[slist_append], list_, h.c_str());
      good = good && longer;
      list_ = longer ? longer : list_;
    }
    // the variables that the program curl obeys, and libcurl does not
    const string bundle =
        os::env(os::env("CURL_CA_BUNDLE").empty() ? "SSL_CERT_FILE" : "CURL_CA_BUNDLE");
    const string folder = os::env("SSL_CERT_DIR");
    good = good && set(10002, x_->url.c_str()) && set(181, 3L) /* http and https only */ &&
        set(52, 0L) /* no redirects */ && set(64, 1L) && set(81, 2L) /* verify peer and host */ &&
        set(51, 0L) /* no netrc */ && set(99, 1L) /* no signals */ && set(84, 2L) /* HTTP/1.1 */ &&
        set(78, static_cast<long>(x_->connect_seconds)) && set(10010, &words_[0]) &&
        set(10018, agent()) && set(10023, list_) && set(43, 1L) /* no meter */ &&
        set(20011, &on_body) && set(10001, this) && set(20079, &on_line) && set(10029, this) &&
        (bundle.empty() || set(10065, bundle.c_str())) &&
        (folder.empty() || set(10097, folder.c_str()));
    (void)set(98, 262144L);  // the buffer; libcurl clamps it
    (void)set(265, 1L);      // no headers of the proxy's CONNECT
    if (good) return {};
    return fail(errc::no_transport, "this libcurl refuses an option that safety needs; ",
        "VQCACHE_TRANSPORT=curl uses the program");
  }
  // no exception may cross libcurl
  template <class F> size_t guarded(size_t n, const F& f) {
    status s = error::guard("the transfer", f);
    if (!s.ok()) problem_ = s;
    return problem_.ok() && !stop_ ? n : 0;
  }
  static size_t on_line(char* data, size_t size, size_t n, void* self) {
    auto& me = *static_cast<by_library*>(self);
    if (me.head_.ended()) return size * n;  // trailers after a chunked body
    return me.guarded(size * n, [&] {
      if (!me.head_.line({data, size * n})) me.problem_ = not_http();
      else if (me.head_.ended()) me.stop_ = !me.to_->on_head(me.head_.code(), me.head_.headers());
    });
  }
  static size_t on_body(char* data, size_t size, size_t n, void* self) {
    auto& me = *static_cast<by_library*>(self);
    return me.guarded(size * n, [&] {
      if (!me.head_.ended()) me.problem_ = not_http();
      else me.stop_ = !me.to_->on_body(data, size * n);
    });
  }
  const exchange* x_;
  Receiver* to_;
  void *easy_ = nullptr, *list_ = nullptr;
  error::late<Receiver, head> head_;
  error::late<Receiver, status> problem_;
  bool stop_ = false;
  char words_[256] = "";
};

// One exchange over the program. The URL and every secret go to its standard input, where ps does
// not look; what safety needs is in its arguments: curl before 8.7 ignores unknown words of a file.
template <class Receiver> inline status by_program(const exchange& x, Receiver& to) {
  string config = error::join("url = \"", x.url, "\"\nuser-agent = \"", agent(), "\"\n");
  for (const string& h : x.headers) {
    config += "header = \"";
    for (char c : h) config += (c == '"' || c == '\\' ? "\\" : "") + string(1, c);
    config += "\"\n";
  }
  // the last line tells that curl came to its end, and where the body ends and trailers begin
  const string mark = "\nvqcache ";
  os::process p;
  const int e =
      p.start({"curl", "-q", "-g", "-s", "-S", "-i", "-N", "--proto", "=http,https", "--http1.1",
                  "--suppress-connect-headers", "--connect-timeout",
                  std::to_string(x.connect_seconds), "-w", mark + "%{size_download}", "-K", "-"},
          config);
  if (e)
    return fail(errc::no_transport, "the program curl cannot be started (",
        std::generic_category().message(e), "): install curl or libcurl, or set options::fetch");
  const os::quiet_pipes quiet;
  head h;
  string line, held, block(262144, '\0');
  uint64_t given = 0, size = 0;
  const auto give = [&](size_t n) {
    const bool wanted = n == 0 || to.on_body(held.data(), n);
    held.erase(0, n);
    given += n;
    return wanted;
  };
  for (long n = -1; n != 0;) {
    n = p.read(&block[0], block.size(), 100);
    if (!to.on_wait()) return {};
    view data(block.data(), static_cast<size_t>((std::max)(n, 0L)));
    while (!data.empty() && !h.ended()) {
      const bool whole = text::has(data, "\n");
      line += text::take(data, '\n');
      if (text::starts(line, mark.substr(1))) break;
      if (h.code() == 0 && whole && text::trim(line).empty()) continue;  // there was no answer
      if (whole ? !h.line(line) : line.size() > 256 * 1024) return not_http();
      if (whole) line.clear();
      if (h.ended() && !to.on_head(h.code(), h.headers())) return {};
    }
    if (h.ended()) held += data;
    if (held.size() > 131072 && !give(held.size() - 65536)) return {};  // the end may be trailers
  }
  int code = p.finish(false);
  view errors = p.errors(), first = text::take(errors, '\n');
  const size_t paren = first.find("curl: (");
  uint64_t said = 0;
  if (code <= 0 && paren != npos &&
      text::to_number(first.substr(paren + 7, first.find(')') - paren - 7), said))
    code = static_cast<int>((std::min)(said, uint64_t{255}));  // somebody else waited for it
  const string words(text::trim(text::printable(first)));
  if (code == 127 && !h.ended())
    return fail(errc::no_transport, "the program curl cannot be run (", words, ")");
  const size_t at = held.rfind(mark);
  const bool whole = at != npos && text::to_number(view(held).substr(at + mark.size()), size) &&
      size >= given && size - given <= at;
  if (h.ended() && !give(whole ? size - given : 0)) return {};
  VQCACHE_NEED_(judge((std::max)(code, 0), words));
  if (!h.ended()) return not_http();
  return whole ? status() : fail(errc::truncated, "the program curl ended before the file did");
}
}  // namespace curl

// ==== >>transfer ==== decides how to get bytes: sources, mirrors, redirects, tries, limits ====

namespace transfer {
template <class Receiver> struct answer {  // what a user's fetcher has said so far
  Receiver* to;
  int code = 0;
  vector<text::header> headers{};
  bool head_done = false, stopped = false;
  string failure{}, misuse{};
  void end_head() {
    if (!std::exchange(head_done, true)) stopped = !to->on_head(code ? code : 200, headers);
  }
  static void status(void* self, int code) {
    auto& me = *static_cast<answer*>(self);
    if (me.head_done) me.misuse = "status() after write()";
    me.code = code;
  }
  static void header(void* self, view name, view value) {
    auto& me = *static_cast<answer*>(self);
    text::header h;
    if (me.head_done) me.misuse = "header() after write()";
    else if (text::parse_header(error::join(name, ":", value), h)) me.headers.push_back(h);
    else me.misuse = "a header has control characters or no name";
  }
  static bool write(void* self, const void* data, size_t size) {
    auto& me = *static_cast<answer*>(self);
    me.end_head();
    if (!me.stopped && size > 0) me.stopped = !me.to->on_body(static_cast<const char*>(data), size);
    return !me.stopped && me.misuse.empty();
  }
  static void fail(void* self, string why) {
    static_cast<answer*>(self)->failure = why.empty() ? "nothing" : std::move(why);
  }
};

VQCACHE_LAZY_ string wanted_transport(const options& o) {
  return o.transport.empty() ? os::env("VQCACHE_TRANSPORT") : o.transport;
}
// out: the source with bare URLs and one pin in lower case, every word harmless to a transport
VQCACHE_LAZY_ status examine(
    const source& s, const string& role, const options& opts, source& out) {
  const auto bad = [&role](const auto&... why) {
    return fail(errc::invalid_argument, "the source of the ", role, ": ", why...);
  };
  const string by = wanted_transport(opts);
  string pin = text::lower(s.sha256);
  if (!pin.empty() && !text::is_digest(pin))
    return bad("sha256 is '", text::printable(s.sha256), "', not 64 hex digits");
  if (s.urls.empty()) return bad("no URL is given");
  for (view url : s.urls) {
    const string also = text::lower(text::split_pin(url)), path = text::local_path(url);
    const string name = "'" + text::redact(text::printable(url)) + "'";
    text::url u;
    if (!also.empty() && !text::is_digest(also))
      return bad("#sha256= of ", name, " is '", text::printable(also), "', not 64 hex digits");
    if (!also.empty() && !pin.empty() && also != pin)
      return bad("two different SHA-256 are given, ", pin, " and ", also);
    if (!also.empty()) pin = also;
    if (url.empty() || url.find('\0') != npos) return bad("a URL is empty or has a NUL byte");
    out.urls.emplace_back(url);
    if (!path.empty()) {
      const string kind = text::lower(url.substr(0, 6));
      const bool relative = text::has_scheme(url) && path[0] != '/' && path.substr(1, 1) != ":";
      if (relative || path.find('\0') != npos) return bad(name, " names no file of this machine");
      if (kind == "http:/" || kind == "https:")
        return bad(name, " would be a path of this machine; did you mean http:// or https://?");
      continue;
    }
    if (const size_t odd = text::odd_byte(url); odd != npos)
      return bad(name, " is no URL: byte ", odd + 1,
          " must be percent-encoded (it is a space, a quote, ...)");
    if (!text::parse_url(url, u)) return bad(name, " is no URL: it has no host, or a wrong port");
    if (opts.fetch) continue;
    if (!by.empty() && by != "libcurl" && by != "curl")
      return bad(
          "the transport '", text::printable(by), "' is unknown; known are libcurl and curl");
    if (!text::is_http(u))
      return bad(
          "the scheme of ", name, " is not http, https or file; options::fetch can serve others");
  }
  text::header parsed;
  for (size_t i = 0; i < s.headers.size(); ++i)
    if (s.headers[i].find_first_of("\r\n") != npos || !text::parse_header(s.headers[i], parsed))
      return bad("header ", i + 1, " is not 'Name: value' without control characters");
  out.sha256 = pin;
  out.headers = s.headers;
  out.size = s.size;
  return {};
}

template <class> class basic_download {  // one file from one URL, through redirects, to a partial
 public:
  string etag{};
  unsigned wait = 0;  // seconds the server asks for before the next try
  basic_download(const source& from, const string& url, stage::demand want, stage::partial& to,
      const fs::path& final_path, caller& who)
      : from_(&from), url_(url), want_(std::move(want)), to_(&to), final_(final_path), who_(&who),
        file_(os::shown(final_path.filename())), id_{want_.sha256, hash::of(url)} {}
  // one try: continues the partial, or what an earlier call left, if the server lets it
  status run() {
    text::url at, home, next;
    bool at_home = true;  // until a redirect leaves it
    wait = 0;
    if (!to_->begun() && !who_->opts().fetch)
      VQCACHE_NEED_(to_->resume(final_, id_, want_.kind, *who_));
    // a user's transport is asked for ranges only when it tells statuses
    if (to_->begun() && (!to_->id().usable() || (who_->opts().fetch && !told_status_)))
      discard("it cannot be continued");
    offset_ = plain_ ? 0 : to_->size();
    resumed_ = resumed_ || offset_ > 0;
    whole_ = judged_ = false;
    if (offset_ > 0 && offset_ == to_->id().total) return ended();
    (void)text::parse_url(url_, at);
    (void)text::parse_url(from_->urls[0], home);
    for (int hop = 0; hop <= 20; ++hop) {
      location_.clear();
      at_home = at_home && at.origin() == home.origin();
      status s = one(hop == 0 ? url_ : at.whole(), at_home);
      s.text = text::scrub(s.text, at.whole(), from_->headers);
      if (whole_) return ended();
      if (!s.ok()) return s;
      if (location_.empty()) return ended();
      const string shown = text::has_scheme(location_)
          ? text::redact(location_)
          : location_.substr(0, location_.find_first_of(":?"));
      const string target = "'" + text::printable(shown) + "'";
      if (!text::resolve(at, location_, next) || !text::is_http(next))
        return fail(
            errc::http_status, "it redirects to ", target, ", which is neither http nor https");
      if (at.scheme == "https" && next.scheme == "http")
        return fail(errc::http_status, "it redirects from https down to ", target,
            ", which anybody on the way could change");
      at = next;
    }
    return fail(errc::http_status, "it redirects more than 20 times");
  }
  // whether a later try may fare better; a partial that cannot be right is discarded
  bool may_pass(const status& s) {
    const bool net =
        s.code == errc::connection || s.code == errc::truncated || s.code == errc::timed_out;
    const bool busy = code_ == 202 || code_ == 408 || code_ == 429 || code_ >= 500;
    const bool gone = code_ == 401 || code_ == 404 || code_ == 410;
    const bool spoilt = judged_ && std::exchange(resumed_, false);  // by what was there before
    // a request for the rest that gained nothing: the next one asks for the whole file
    plain_ = offset_ > 0 && to_->size() < offset_ + least_gain(s) && !judged_ && !busy && !gone &&
        (code_ != 0 || s.code == errc::timed_out);
    if (s.code == errc::not_the_file) to_->drop();
    else if (judged_ || (s.cause && s.code != errc::no_space)) discard(s.text);
    return spoilt || plain_ || (!judged_ && (net || (busy && s.code == errc::http_status)));
  }

  static uint64_t least_gain(const status& s) {  // of a try that was worth it
    return s.code == errc::timed_out ? 65536 : 1;
  }

  // ---- what the transports call
  bool on_head(int code, const vector<text::header>& headers) {
    const auto value = [&headers](const char* name) {
      const string* v = text::find(headers, name);
      return v ? text::printable(*v) : string();
    };
    uint64_t first = 0, last = 0, total = 0, now = 0;
    const string mark = text::validator(headers), after = value("retry-after");
    const bool ranged = text::content_range(value("content-range"), first, last, total);
    code_ = code;
    if (text::to_number(after, now))
      wait = static_cast<unsigned>((std::min)(now, uint64_t{1} << 30));
    else if (text::http_date(after, total) && text::http_date(value("date"), now) && total > now)
      wait = static_cast<unsigned>((std::min)(total - now, uint64_t{1} << 30));
    whole_ = code == 416 && ranged && offset_ > 0 && total == offset_;
    if (code >= 400) return !whole_;  // its words are wanted
    if (code == 301 || code == 302 || code == 303 || code == 307 || code == 308) {
      location_ = value("location");
      return location_.empty() && refuse(errc::http_status, "HTTP ", code, " without a Location");
    }
    if (code != 200 && (code != 206 || offset_ == 0))
      return refuse(errc::http_status, "HTTP ", code, " instead of the file");
    const string coding = text::lower(value("content-encoding"));
    if (!coding.empty() && coding != "identity")
      return refuse(errc::http_status, "the server encoded the file (", coding,
          ") though identity was asked");
    if (!text::content_length(headers, sized_, expected_))
      return refuse(errc::http_status, "its Content-Length is malformed or given twice");
    if (code == 206) {
      const stage::identity& id = to_->id();
      const bool same = mark.empty() || validator().empty() || mark == validator();
      if (!ranged || first != offset_ || !same || (id.total && id.total != total) ||
          (sized_ && expected_ != last + 1 - first))
        return refuse(errc::http_status, "the server does not continue the file where it ended");
      sized_ = true;
      expected_ = total;
      upto_ = last + 1;
    } else {
      upto_ = sized_ ? expected_ : 0;
    }
    if (sized_ && expected_ > most())
      return refuse(errc::not_the_file, "it has ", expected_, " bytes, more than the ", most(),
          " of source::size or options::max_bytes");
    want_.type = value("content-type");
    etag = value("etag");
    if (code == 200 && to_->begun()) discard("the server sends the file from its start");
    const uint64_t room = os::room(final_.parent_path()), need = expected_ - to_->size();
    if (sized_ && need > room)
      return refuse(errc::no_space, "it needs ", need, " bytes more, but ", final_.parent_path(),
          " has room for ", room, "; free some space there, or choose another directory");
    if (code == 206) return true;
    resumed_ = false;
    if (!good(to_->begin(final_))) return false;
    to_->keep_as({id_.pin, id_.url, mark, upto_});
    return true;
  }
  bool on_body(const char* data, size_t n) {
    if (code_ >= 400) excerpt_.append(data, (std::min)(n, stage::head_size - excerpt_.size()));
    if (code_ >= 400) return excerpt_.size() < stage::head_size;
    // what follows the announced length belongs to no file
    if (sized_) n = static_cast<size_t>((std::min)(uint64_t{n}, upto_ - to_->size()));
    if (n > most() - to_->size())
      return refuse(errc::not_the_file, "it has more than ", most(), " bytes");
    return good(to_->write(data, n, want_.kind)) && on_wait();
  }
  bool on_wait() {
    const uint64_t done = to_->begun() ? to_->size() : 0;
    const uint64_t total = to_->begun() && sized_ ? expected_ : from_->size;
    const unsigned limit = who_->opts().stall_seconds;
    // connecting has its own limit, and a server may think before it answers
    const unsigned thought = code_ ? 0 : who_->opts().connect_seconds + 3 * limit;
    if (!who_->step(phase::downloading, file_, done, total, caller::at::middle)) return false;
    return !speed_.stalled(done) || speed_.seconds() < thought ||
        refuse(errc::timed_out, "it gained under 64 KiB in ", limit, " s");
  }
 private:
  status one(const string& url, bool at_home) {
    const options& o = who_->opts();
    vector<string> headers{"Accept: */*", "Accept-Encoding: identity"};
    if (at_home) headers.insert(headers.end(), from_->headers.begin(), from_->headers.end());
    const string mark = validator(), by = wanted_transport(o);
    if (offset_ > 0 && !o.fetch) {
      headers.push_back(error::join("Range: bytes=", offset_, "-"));
      if (text::starts(mark, "\"") || text::ends(mark, " GMT"))
        headers.push_back("If-Range: " + mark);
    }
    problem_ = status();
    code_ = 0;
    excerpt_.clear();
    speed_ = stage::pace(o.stall_seconds, offset_);
    if (!who_->step(phase::downloading, file_, offset_, from_->size, caller::at::first))
      return who_->stop();
    if (by == "libcurl" && !o.fetch && !curl::libcurl().usable)
      return fail(errc::no_transport,
          "libcurl is not installed: install it or the program curl, or set options::fetch");
    const curl::exchange x{url, headers, o.connect_seconds};
    status s = o.fetch ? by_user(x)
        : by == "curl" || !curl::libcurl().usable
        ? curl::by_program(x, *this)
        : curl::by_library<basic_download>(x, *this).run();
    if (who_->stopped()) return who_->stop();
    if (!problem_.ok()) return problem_;
    return code_ >= 400 && !whole_ && (s.ok() || s.code == errc::truncated) ? refused() : s;
  }
  status by_user(const curl::exchange& x) {
    const request q{x.url, x.headers, offset_, 0};
    using answer = transfer::answer<basic_download>;
    answer r{this};
    const reply to{&r, &answer::status, &answer::header, &answer::write, &answer::fail};
    response given(to);
    who_->stop_with(error::guard("options::fetch", [&] { who_->opts().fetch(q, given); }));
    if (who_->stopped()) return who_->stop();
    told_status_ = told_status_ || r.code != 0;
    if (r.failure.empty() && !r.head_done && r.code == 0)
      r.misuse += "it returned without status, write or fail";
    if (!r.misuse.empty())
      return fail(errc::callback, "options::fetch is used wrongly: ", r.misuse);
    if (!r.failure.empty())
      return fail(errc::connection, "options::fetch says: ", text::printable(r.failure));
    r.end_head();
    return {};
  }
  void discard(const string& why) {
    const uint64_t size = to_->size();
    to_->drop();
    if (size > 0) who_->say("Discarded ", size, " bytes of ", file_, ": ", why, ".");
  }
  string validator() const {  // of this server; another's says nothing
    return to_->id().url == id_.url ? to_->id().validator : string();
  }
  template <class... A> bool refuse(errc code, const A&... why) {
    problem_ = fail(code, why...);
    return false;
  }
  bool good(status s) {
    problem_ = std::move(s);
    return problem_.ok();
  }
  uint64_t most() const { return from_->size ? from_->size : who_->opts().max_bytes; }
  status refused() const {
    const string words = text::first_words(excerpt_);
    return fail(errc::http_status, "the server answered HTTP ", code_,
        words.size() > 2 ? " " + words : "",
        code_ == 401 || code_ == 403 ? "; it needs credentials (source::headers), or has expired"
            : code_ == 404 || code_ == 410
            ? "; the file is not there any more, or the URL is mistyped"
            : code_ == 429 ? "; the server asks to come back later"
                           : "");
  }
  status ended() {
    if (!to_->begun()) return fail(errc::http_status, "the server sent no file");
    const uint64_t size = to_->size();
    if (!whole_ && sized_ && size != expected_)
      return fail(
          errc::truncated, "the connection ended after ", size, " of ", expected_, " bytes");
    if (!who_->step(phase::downloading, file_, size, size, caller::at::last)) return who_->stop();
    judged_ = true;
    return to_->seal(want_);
  }

  const source* from_;
  string url_;
  stage::demand want_;
  stage::partial* to_;
  fs::path final_;
  caller* who_;
  string file_, location_{}, excerpt_{};
  stage::identity id_;
  status problem_{};
  stage::pace speed_{0};
  uint64_t offset_ = 0, expected_ = 0, upto_ = 0;  // upto_: where this answer ends
  bool sized_ = false, judged_ = false, told_status_ = false, resumed_ = false;
  bool whole_ = false, plain_ = false;  // the server says that there is no more; no range is asked
  int code_ = 0;
};
using download = basic_download<void>;

// what a failed try leaves to a later call
VQCACHE_LAZY_ status kept(status s, stage::partial& to, const string& file) {
  const uint64_t size = to.release();
  if (size > 0)
    s.text += error::join("; ", size, " bytes of ", file, " are kept for the next call");
  return s;
}
// From the first URL that serves right bytes; got: that URL, redacted. Tries that gained nothing
// count, three a URL; what cannot pass goes to the next URL at once, but for what no URL can mend.
VQCACHE_LAZY_ status fetch(const source& from, const stage::demand& want, stage::partial& to,
    const fs::path& final_path, caller& who, string& got, string& etag) {
  status last;
  string tried;
  const string file = os::shown(final_path.filename());
  for (const string& url : from.urls) {
    const string path = text::local_path(url);
    download d(from, url, want, to, final_path, who);
    uint64_t best = 0;
    int tries = 0;
    got = text::redact(url);
    for (int idle = 0; tries < 1000;) {
      bool at_source = false, again = false;
      ++tries;
      if (path.empty()) {
        last = d.run();
        etag = d.etag;
      } else {
        last = to.begin(final_path);
        if (last.ok())
          last = stage::copy(os::resolved(os::to_path(path)), os::mode::link, to, want.kind, who,
              phase::downloading, at_source);
        if (last.ok()) last = to.seal(want);
      }
      if (last.ok()) return last;
      if (who.stopped()) return kept(who.stop(), to, file);
      again = d.may_pass(last) && path.empty();
      const bool here = (last.cause || last.code == errc::no_space) && !at_source;  // the disk's
      if (here || last.code == errc::invalid_argument || last.code == errc::no_transport ||
          last.code == errc::callback) {
        last.text = error::join("model '", who.name(), "', ", file, ": ", last.text);
        return kept(last, to, file);
      }
      if (!again || d.wait > 120) break;
      if (to.size() >= best + download::least_gain(last)) {
        best = to.size();
        idle = 0;
        continue;
      }
      if (++idle == 3) break;
      if (d.wait > 1)
        who.say("The server of ", file, " asks to wait ", d.wait, " s before the next try.");
      // with jitter, so that many callers do not come back at once
      const size_t chance = std::hash<string>()(os::unique()) % 50;
      for (size_t ms = 0; ms < (std::max)(size_t{d.wait} * 1000, (50 + chance) * 5 << idle);
          ms += 50) {
        os::sleep_ms(50);
        if (!who.step(phase::downloading, file, to.size(), want.size, caller::at::middle))
          return kept(who.stop(), to, file);
      }
    }
    if (want.sha256.empty()) last = kept(last, to, file);
    tried += error::join(tried.empty() ? "'" : "; then '", got,
        "': ", text::scrub(last.text, url, from.headers),
        tries > 1 ? error::join(" (", tries, " tries)") : "",
        d.wait > 120 ? error::join("; it asks to come back in ", d.wait, " s") : "");
  }
  last.text = error::join("model '", who.name(), "': cannot bring ", file, " from ", tried);
  return kept(last, to, file);
}
}  // namespace transfer

// ==== >>tier ==== finds, restores or stores a finished file ====

namespace tier {
VQCACHE_LAZY_ fs::path receipt_path(const fs::path& at, const string& name) {
  return at / (name + ".sha256");
}
// problem: it may be there, but cannot be read
VQCACHE_LAZY_ text::receipt receipt(const fs::path& at, const string& name, int& problem) {
  string content;
  problem = os::read_text(receipt_path(at, name), content);
  if (problem == ENOENT || problem == ENOTDIR) problem = 0;
  return problem ? text::receipt() : text::read_receipt(content);
}
// a damaged file is kept under another name, so that nothing is lost; of several only the newest
VQCACHE_LAZY_ status put_aside(const fs::path& p, const string& why, caller& who) {
  const string file = os::shown(p.filename()),
               aside = file + ".corrupt-" + os::unique().substr(0, 8);
  VQCACHE_NEED_(error::system(os::rename(p, p.parent_path() / aside), "put aside the damaged", p));
  for (const string& old : stage::numbered(p.parent_path(), file + ".corrupt-", 8, ""))
    if (old != aside) (void)os::unlink(p.parent_path() / old);
  who.say("The file ", p, " is damaged (", why, "); it was put aside as ", aside, ".");
  return {};
}
VQCACHE_LAZY_ status keep_receipt(const fs::path& at, const string& name, const text::receipt& r) {
  return stage::put(receipt_path(at, name), text::write_receipt(r, os::date()));
}
// Publishes sealed files as one: a receipt that would speak of others goes first, the new one comes
// last. A crash at any moment leaves each name whole or absent, and no receipt that lies.
VQCACHE_LAZY_ status publish(const fs::path& at, const string& name, vector<stage::partial>& files,
    const text::receipt& before, const text::receipt& now) {
  bool stale = false;
  for (const text::entry& e : before) {
    const text::entry* n = text::find(now, e.file);
    stale = stale || !n || n->sha256 != e.sha256;
  }
  if (stale) {
    const fs::path old = receipt_path(at, name);
    VQCACHE_NEED_(error::system(os::unlink(old), "remove", old));
    VQCACHE_NEED_(error::system(os::sync_directory(at), "sync", at));
  }
  for (stage::partial& p : files)
    if (p.begun()) VQCACHE_NEED_(p.publish());
  VQCACHE_NEED_(error::system(os::sync_directory(at), "sync", at));
  return keep_receipt(at, name, now);
}
}  // namespace tier

// ==== >>cache ==== the story itself, in plain steps ====

namespace cache {
struct item {  // one file of the set that a model is
  string file;
  text::kind kind;
  source from{};             // from.sha256: what a download is held to
  string pin{};              // the caller's: what stands in a tier is held to it too
  os::info here{}, there{};  // in the two tiers, as see() found them
  const text::entry *mine = nullptr, *theirs = nullptr;  // what their receipts say
  bool bad = false;                                      // in the cache, and found damaged
  bool just_read = false;                                // from the cache, and found right
};
template <class Lazy> class basic_story {
 public:
  origin from = origin::local;
  bool cached = false;
  basic_story(caller& who, vector<item> items, fs::path local, const fs::path& cache)
      : who_(&who), name_(who.name()), items_(std::move(items)), local_dir_(std::move(local)),
        cache_dir_(cache / name_) {}

  status run() {
    see();
    if (all(&basic_story::good)) {
      announce_hit();
      cached = all(&basic_story::stored);
      if (cached || left_unwritten()) return who_->stop();
    }
    VQCACHE_NEED_(ready());
    lock();
    bool again = true;  // storing may find that the local file is damaged
    for (int round = 0; again && round < 3 && !who_->stopped(); ++round) {
      again = false;
      see();
      for (const string& f : names()) {
        stage::sweep(local_dir_, f, *who_, false);
        stage::sweep(cache_dir_, f, *who_, true);
      }
      if (!all(&basic_story::good)) VQCACHE_NEED_(foreign());
      VQCACHE_NEED_(settle());
      if (all(&basic_story::good)) announce_hit();
      else VQCACHE_NEED_(bring());
      for (const string& f : names()) stage::sweep(local_dir_, f, *who_, true);
      cached = all(&basic_story::stored);
      if (cached || !may_store_ || who_->stopped() || left_unwritten()) continue;
      const status s = store(again);
      cached = s.ok();
      if (cached || again) continue;
      who_->go_on();  // the local pair is complete: a cancelled or failed store is told, not thrown
      not_cached(s);
    }
    if (again && !who_->stopped())
      return fail(
          errc::hash_mismatch, "model '", name_, "': its local files change while they are read");
    return who_->stop();
  }

  // receipts first: a crash leaves a model without a receipt, not a receipt without its model
  status remove() {
    lock();
    for (const fs::path& at : {local_dir_, cache_dir_}) {
      vector<string> gone = names();
      for (const string& f : names()) {
        for (const string& n : stage::leftovers(at, f)) gone.push_back(n);
        for (const string& n : stage::numbered(at, f + ".corrupt-", 8, "")) gone.push_back(n);
      }
      for (const string& n : gone)
        VQCACHE_NEED_(error::system(os::unlink(at / n), "remove", at / n));
      if (os::look(at).directory) VQCACHE_NEED_(error::system(os::sync_directory(at), "sync", at));
    }
    (void)os::unlink(local_dir_ / lock_name());
    (void)os::unlink(cache_dir_);  // if it holds nothing else
    return who_->stop();
  }
 private:
  string lock_name() const { return "." + name_ + ".lock"; }
  vector<string> names() const {  // the final names of one tier
    vector<string> r{name_ + ".sha256"};
    for (const item& i : items_) r.push_back(i.file);
    return r;
  }
  bool all(bool (basic_story::*is)(const item&) const) const {
    for (const item& i : items_)
      if (!(this->*is)(i)) return false;
    return true;
  }
  void see() {
    local_ = tier::receipt(local_dir_, name_, local_problem_);
    cache_ = tier::receipt(cache_dir_, name_, cache_problem_);
    for (item& i : items_) {
      i.here = os::look(local_dir_ / i.file);
      i.there = os::look(cache_dir_ / i.file);
      i.mine = text::find(local_, i.file);
      i.theirs = text::find(cache_, i.file);
    }
  }
  // without a receipt of its own, a local file of the cached size is held to the cache's receipt
  static const text::entry* known(const item& i) {
    const text::entry* c = i.theirs;
    return i.mine || !c || c->unverified || !c->size || c->size != i.here.size ? i.mine : c;
  }
  bool good(const item& i) const {  // as far as names, sizes and receipts tell
    const bool fits = !i.mine || !i.mine->size || i.mine->size == i.here.size;
    const bool pinned = i.pin.empty() || (i.mine && i.mine->sha256 == i.pin);
    return i.here.regular && !local_problem_ && fits && pinned && i.mine == known(i);
  }
  bool stored(const item& i) const {
    if (!i.there.regular || i.there.size != i.here.size || cache_problem_ || i.bad) return false;
    if (i.mine) return i.theirs && i.mine->sha256 == i.theirs->sha256;
    return !i.theirs || !i.theirs->size || i.theirs->size == i.here.size;
  }
  bool stored_but_for_a_receipt(const item& i) const {
    return stored(i) || (i.there.regular && !i.theirs && i.there.size == i.here.size);
  }
  // a read-only cache that lacks nothing but a receipt: there is nothing to do, and no voucher
  bool left_unwritten() {
    if (!all(&basic_story::stored_but_for_a_receipt) || !os::read_only(cache_dir_)) return false;
    not_cached(fail(
        errc::permission_denied, "no receipt is there, and ", cache_dir_, " cannot be written"));
    return true;
  }

  void announce_hit() {
    if (std::exchange(announced_, true)) return;
    who_->say("The model (", name_, ") is already available locally.");
    for (const item& i : items_) tell_origin(i, i.mine);
    for (const item& i : items_)
      if (!i.mine || (i.mine->unverified && i.mine->sha256 != i.pin)) tell_unverified(i);
  }
  void tell_unverified(const item& i) {
    who_->say("Nothing vouches for ", i.file, ": it is served unverified, as it was found.");
  }
  void not_cached(const status& why) {
    who_->say("The model (", name_, ") is complete locally, but not in the cache: ", why.text, ".");
  }
  void tell_origin(const item& i, const text::entry* e) {  // other URLs than stored, and no pin
    bool same = !e || e->origin.empty() || !i.pin.empty() || i.from.urls.empty();
    for (const string& url : i.from.urls)
      same = same || text::printable(text::redact(url)) == e->origin;
    if (!same)
      who_->say("The stored ", i.file, " came from ", e->origin, ", not from ",
          text::redact(i.from.urls[0]), ".");
  }

  status ready() {  // the directories
    const fs::path cache = cache_dir_.parent_path();
    const auto missing = [](const fs::path& p) {
      return fail(errc::directory_missing, "Directory not found: ", p,
          "; create it, or set options::create_dirs");
    };
    if (who_->opts().create_dirs)
      return error::system(
          os::make_directories(local_dir_), "create the local directory", local_dir_);
    if (!os::look(local_dir_).directory) return missing(local_dir_);
    if (os::look(cache).directory) return {};
    if (!all(&basic_story::good)) return missing(cache);
    may_store_ = false;
    not_cached(missing(cache));
    return {};
  }

  uint64_t in_progress() const {  // bytes that some call has brought so far
    uint64_t n = 0;
    for (const fs::path& at : {local_dir_, cache_dir_})
      for (const item& i : items_)
        for (const string& part : stage::leftovers(at, i.file))
          n += os::look(at / part, false).size;
    return n;
  }
  // It saves a second download and nothing rests on it: every doubt ends in going on without it.
  void lock() {
    if (os::open(local_dir_ / lock_name(), os::mode::lock, lock_) != 0) return;
    uint64_t seen = 0;
    stage::pace growth(who_->opts().stall_seconds, 0, 1);
    for (int waits = 0;; ++waits) {
      const int e = os::try_lock(lock_);
      if (e != EWOULDBLOCK && e != EAGAIN) return;
      if (waits == 0)
        who_->say("Waiting for another call that is bringing the model (", name_, ").");
      if (waits % 10 == 0) seen = in_progress();
      if (growth.stalled(seen))
        return who_->say("The other call makes no progress; going on without it.");
      const auto at = waits ? caller::at::middle : caller::at::first;
      if (!who_->step(phase::waiting, items_.back().file, seen, 0, at)) return;
      os::sleep_ms(20);
    }
  }

  status taken(const item& i, const fs::path& where) const {
    return fail(errc::name_taken, "model '", name_,
        "': another model stands under this name: ", where, " fits its receipt, but not the pin ",
        i.pin, "; use another name, or remove ", local_dir_ / (name_ + ".*"), " and ", cache_dir_,
        " (vqcache::remove does)");
  }
  // files that fit their own receipts, but not the pins: then nothing is touched
  status foreign() {
    for (const item& i : items_)
      for (const bool in_cache : {false, true}) {
        const text::entry* e = in_cache ? i.theirs : i.mine;
        const os::info& f = in_cache ? i.there : i.here;
        const fs::path p = (in_cache ? cache_dir_ : local_dir_) / i.file;
        const bool other = !i.pin.empty() && e && !e->unverified && e->sha256 != i.pin;
        if (!other || !f.regular || (e->size && e->size != f.size)) continue;
        string sha;
        const status s = stage::digest(p, in_cache ? os::mode::read : os::mode::link, *who_, sha);
        if (who_->stopped()) return who_->stop();
        if (s.ok() && sha == e->sha256) return taken(i, p);
      }
    return {};
  }
  status settle() {  // local files of which names and sizes do not tell enough are hashed, once
    VQCACHE_NEED_(error::system(local_problem_, "read", tier::receipt_path(local_dir_, name_)));
    text::receipt now;
    bool news = false;
    for (item& i : items_) {
      const fs::path p = local_dir_ / i.file;
      const text::entry* e = known(i);
      const string bound = i.pin.empty() && e ? e->sha256 : i.pin;
      VQCACHE_NEED_(error::system(i.here.problem, "look at", p));
      if (i.here.exists && !i.here.regular)
        return fail(errc::io, p, " is not a regular file: move it away");
      text::entry fresh = e ? *e : text::entry();
      if (i.here.regular && !good(i)) {
        string sha;
        if (!i.pin.empty()) who_->say("Checking ", i.file, " against the pin.");
        else if (i.mine) who_->say("Checking ", i.file, " against its receipt.");
        VQCACHE_NEED_(stage::digest(p, os::mode::link, *who_, sha));
        if (sha == bound) {
          fresh = {i.file, sha, fresh.origin, fresh.etag, i.here.size,
              i.pin.empty() && fresh.unverified};
          news = true;
        } else {
          VQCACHE_NEED_(tier::put_aside(p, "its SHA-256 is " + sha, *who_));
          i.here = os::info();
        }
      }
      if (!fresh.sha256.empty()) now.push_back(fresh);
    }
    if (!news) return {};
    VQCACHE_NEED_(tier::keep_receipt(local_dir_, name_, now));
    see();
    return {};
  }

  status bring() {  // what is missing, all of it before any of it gets its name
    vector<stage::partial> parts(items_.size());
    text::receipt now;
    bool all_cached = true, theirs = true;
    for (const item& i : items_)
      if (!good(i) && !i.there.regular) {
        all_cached = false;
        VQCACHE_NEED_(reachable(i));
      }
    who_->say("The model (", name_,
        all_cached ? ") is available in the cache, copying locally."
                   : ") was not found, downloading and caching.");
    from = origin::cache;
    for (item& i : items_) {
      stage::partial& part = parts[now.size()];
      if (all_cached) tell_origin(i, i.theirs);
      text::entry e;
      i.just_read = false;
      if (good(i) && i.mine) {
        e = *i.mine;
      } else if (good(i)) {  // found without a receipt: the new one has to speak of both
        VQCACHE_NEED_(stage::digest(local_dir_ / i.file, os::mode::link, *who_, e.sha256));
        e.size = i.here.size;
        e.unverified = true;
      } else {
        if (i.there.exists) VQCACHE_NEED_(restore(i, part, e));
        if (!i.just_read) VQCACHE_NEED_(fetch(i, part, e));
        e.sha256 = part.sha256();
        e.size = part.size();
      }
      e.file = i.file;
      now.push_back(e);
    }
    // where the lock lies, another call may have been faster: its pair stands, ours goes
    see();
    for (const item& i : items_) theirs = theirs && i.here.regular && i.mine;
    if (theirs && all(&basic_story::good)) return {};
    VQCACHE_NEED_(tier::publish(local_dir_, name_, parts, local_, now));
    see();
    return {};
  }
  // of a missing file: the pin, else the receipt beside its local fellow, else that of the cache
  stage::demand binding(const item& i) const {
    bool fellow = false;
    for (const item& other : items_) fellow = fellow || other.here.regular;
    if (!i.pin.empty()) return {i.kind, i.pin, "the pin", true};
    if (i.mine && (fellow || !i.theirs))
      return {i.kind, i.mine->sha256, "the local receipt", !i.mine->unverified};
    if (!i.theirs) return {i.kind};
    return {i.kind, i.theirs->sha256, "the receipt in the cache", !i.theirs->unverified};
  }
  // from the cache, if what it holds can be used: then i.just_read, else a message says why not
  status restore(item& i, stage::partial& to, text::entry& e) {
    const fs::path p = cache_dir_ / i.file;
    const text::entry* c = i.theirs;
    const stage::demand want = binding(i);
    bool at_source = true;
    status s;
    if (!os::look(p, false).regular) {
      who_->say("The cached ", p, " is not a regular file; links in the cache are not followed.");
      return {};
    }
    if (cache_problem_) {
      s = error::system(cache_problem_, "read", tier::receipt_path(cache_dir_, name_));
    } else if (c && c->size && c->size != i.there.size) {
      at_source = false;
      s = fail(errc::truncated, "it has ", i.there.size, " bytes, its receipt says ", c->size);
    } else {
      VQCACHE_NEED_(to.begin(local_dir_ / i.file));
      s = stage::copy(p, os::mode::read, to, want.kind, *who_, phase::restoring, at_source);
      if (who_->stopped()) return who_->stop();
      if (s.ok()) s = to.seal(want);
      else if (s.code == errc::timed_out) at_source = true;
      if (s.cause && !at_source) return s;  // the local disk's failure
    }
    if (s.ok()) {
      i.just_read = true;
      e.unverified = !want.verified;
      if (c) e.origin = c->origin;
      if (c) e.etag = c->etag;
      if (e.unverified) tell_unverified(i);
      return {};
    }
    // not damaged, but another model's?
    const bool own = c && !c->unverified && to.sha256() == c->sha256;
    if (own && !i.pin.empty()) return taken(i, p);
    to.drop();
    i.bad = !own && !at_source;
    if (!own) lost_ = error::join("; the copy in ", cache_dir_, " could not be used: ", s.text);
    if (own)
      who_->say(
          "The cache holds another ", i.file, " than the local receipt names; it is left alone.");
    else if (at_source) who_->say("The cache cannot be read: ", s.text, ".");
    else if (status aside = tier::put_aside(p, s.text, *who_); !aside.ok())
      who_->say(
          "The cached ", i.file, " is damaged (", s.text, "), and it stays: ", aside.text, ".");
    return {};
  }
  status reachable(const item& wanted) const {  // whether a download may be tried at all
    const string flag = os::env("VQCACHE_OFFLINE");
    string missing;
    for (const item& i : items_)
      if (&i == &wanted || (!good(i) && !i.there.regular))
        missing += (missing.empty() ? "" : ", ") + i.file;
    const string nowhere = error::join("model '", name_, "': ", missing, " is neither in ",
        local_dir_, " nor usable in ", cache_dir_, lost_);
    bool remote = false;
    for (const string& url : wanted.from.urls) remote = remote || text::local_path(url).empty();
    if (wanted.from.urls.empty())
      return fail(errc::unknown_model, nowhere, ", and no URL for it is known");
    if (remote && (who_->opts().offline || (!flag.empty() && flag != "0")))
      return fail(errc::offline, nowhere,
          ", and the call is offline; put it there, or call once with a network");
    return {};
  }
  status fetch(const item& i, stage::partial& to, text::entry& e) {
    VQCACHE_NEED_(reachable(i));
    if (!lost_.empty()) who_->say("Downloading ", i.file, " instead.");
    stage::demand want = binding(i);
    if (!want.verified) want = {i.kind, i.from.sha256};
    want.size = i.from.size;
    from = origin::network;
    status s = transfer::fetch(i.from, want, to, local_dir_ / i.file, *who_, e.origin, e.etag);
    if (!s.ok()) s.text += lost_;
    return s;
  }

  // Copies the local pair to the cache; a failure is the caller's to tell. local_damaged: the local
  // file was not what its receipt says, and was put aside.
  status store(bool& local_damaged) {
    vector<stage::partial> parts(items_.size());
    text::receipt now;
    uint64_t bytes = 0;
    VQCACHE_NEED_(error::system(local_problem_, "read", tier::receipt_path(local_dir_, name_)));
    VQCACHE_NEED_(error::system(cache_problem_, "read", tier::receipt_path(cache_dir_, name_)));
    for (const item& i : items_) {
      const text::entry *l = i.mine, *c = i.theirs;
      const bool differs = c && (l ? l->sha256 != c->sha256 : c->size && c->size != i.here.size);
      if (i.there.regular && differs && !c->unverified && (!c->size || c->size == i.there.size))
        return fail(errc::name_taken, "another model stands there under this name (",
            cache_dir_ / i.file, "); it is left alone");
      bytes += stored(i) ? 0 : i.here.size;
    }
    if (bytes >= uint64_t{64} << 20)
      who_->say("The model (", name_, ") is ready locally; storing it in the cache.");
    VQCACHE_NEED_(error::system(os::make_directories(cache_dir_), "create", cache_dir_));
    for (const item& i : items_) {
      const fs::path p = cache_dir_ / i.file, ours = local_dir_ / i.file;
      stage::partial& part = parts[now.size()];
      text::entry e = i.mine ? *i.mine : text::entry();
      e.file = i.file;
      // what stands there stays if it is the same: by its receipt, as read a moment ago, or hashed
      const bool same_size = i.there.regular && i.there.size == i.here.size;
      if (same_size && !i.mine) {  // a receipt speaks of all files, or it is none
        VQCACHE_NEED_(stage::digest(ours, os::mode::link, *who_, e.sha256));
        e.size = i.here.size;
        e.unverified = true;
      }
      bool keep =
          same_size && !i.bad && (i.just_read || (i.theirs && i.theirs->sha256 == e.sha256));
      if (same_size && !keep && !i.bad) {
        string sha;
        VQCACHE_NEED_(stage::digest(p, os::mode::read, *who_, sha));
        keep = sha == e.sha256;
      }
      if (!keep) {
        const stage::demand want{i.kind, i.mine ? i.mine->sha256 : "", "the local receipt"};
        bool at_source = false;
        if (i.there.exists)
          VQCACHE_NEED_(tier::put_aside(p, "it differs from the local file", *who_));
        VQCACHE_NEED_(part.begin(p));
        VQCACHE_NEED_(
            stage::copy(ours, os::mode::link, part, want.kind, *who_, phase::storing, at_source));
        const status s = part.seal(want);
        if (!s.ok() && i.mine && !s.cause) {
          VQCACHE_NEED_(tier::put_aside(ours, s.text, *who_));
          local_damaged = true;
        }
        if (!s.ok()) return s;
        e.unverified = e.unverified || !i.mine;
        e.sha256 = part.sha256();
        e.size = part.size();
      }
      now.push_back(e);
    }
    VQCACHE_NEED_(tier::publish(cache_dir_, name_, parts, cache_, now));
    // a notebook's pair gets its receipt when it is hashed anyway
    return now.size() > local_.size() ? tier::keep_receipt(local_dir_, name_, now) : status();
  }

  error::late<Lazy, caller*> who_;
  string name_;
  error::late<Lazy, vector<item>> items_;
  error::late<Lazy, fs::path> local_dir_, cache_dir_;
  os::file lock_{};
  error::late<Lazy, text::receipt> local_{}, cache_{};
  int local_problem_ = 0, cache_problem_ = 0;  // of reading them
  string lost_{};  // what an error says of a copy in the cache that could not be used
  bool announced_ = false, may_store_ = true;
};
using story = basic_story<void>;

struct request {  // a call, checked
  string name{};
  fs::path local{}, cache{};
  vector<item> items{};
};
VQCACHE_LAZY_ status prepare(const string& name, const options& opts, request& out) {
  const auto choose = [](const fs::path& given, const char* variable, const char* seed) {
    const string value = os::env(variable);
    return os::resolved(!given.empty() ? given : os::to_path(value.empty() ? seed : value));
  };
  const string why = text::name_problem(name);
  if (!why.empty())
    return fail(errc::invalid_argument, "the model name '", text::printable(name.substr(0, 120)),
        "' cannot be used: ", why);
  out.name = name;
  out.local = choose(opts.local_dir, "VQCACHE_LOCAL_DIR", "content/models");
  out.cache = choose(opts.cache_dir, "VQCACHE_CACHE_DIR", "content/cache/models");
  out.items = {{name + ".yaml", text::kind::text}, {name + ".ckpt", text::kind::binary}};
  if (!out.local.empty() && !out.cache.empty()) return {};
  return fail(errc::invalid_argument, "a directory begins with ~, but there is no home directory");
}
VQCACHE_LAZY_ bool is_held(const request& r) {  // by one tier or the other, under this very name
  for (const item& i : r.items)
    if (!os::look(r.local / i.file).regular && !os::look(r.cache / r.name / i.file).regular)
      return false;
  return true;
}
// without sources: what a tier holds under this very name, else what the catalogue knows it as
VQCACHE_LAZY_ status find_sources(const options& opts, request& r) {
  const bool held = is_held(r);
  const vector<const catalog::row*> rows = catalog::find(r.name);
  if (rows.size() != 1 && !held) {
    string all, near_ones, several;
    const auto add = [](string& list, const char* name, const char* between) {
      list += (list.empty() ? "" : between) + string(name);
    };
    for (const catalog::row* row : rows) add(several, row->name, " or ");
    for (const catalog::row& row : catalog::models<>::all) {
      bool close = false;
      for (const string& word : text::words(error::join(row.name, " ", row.aliases)))
        close = close || text::alike(text::lower(r.name), text::lower(word));
      if (close) add(near_ones, row.name, ", ");
      add(all, row.name, ", ");
    }
    return fail(errc::unknown_model, "model '", r.name, "': it is neither in ", r.local, " nor in ",
        r.cache,
        !several.empty() ? ", and the name is ambiguous: say " + several
                         : ", and the catalogue does not list it; " +
                (near_ones.empty() ? "known are " + all : "did you mean " + near_ones + "?"),
        "; or give its URLs");
  }
  if (rows.size() != 1) return {};
  if (!held) VQCACHE_NEED_(prepare(rows[0]->name, opts, r));
  for (item& i : r.items) {
    const source known = catalog::sources(*rows[0], i.kind == text::kind::text);
    VQCACHE_NEED_(transfer::examine(known, i.file, opts, i.from));
  }
  return {};
}
VQCACHE_LAZY_ status call(const string& name, const source* config, const source* checkpoint,
    const options& opts, model& out) {
  request r;
  VQCACHE_NEED_(prepare(name, opts, r));
  if (config) {
    VQCACHE_NEED_(transfer::examine(*config, "config", opts, r.items[0].from));
    VQCACHE_NEED_(transfer::examine(*checkpoint, "checkpoint", opts, r.items[1].from));
    for (item& i : r.items) i.pin = i.from.sha256;
  } else {
    VQCACHE_NEED_(find_sources(opts, r));
  }
  caller who(opts, r.name);
  story tale(who, r.items, r.local, r.cache);
  VQCACHE_NEED_(tale.run());
  out = model{r.name, r.local / r.items[0].file, r.local / r.items[1].file, tale.from, tale.cached};
  return {};
}
VQCACHE_LAZY_ status remove(const string& name, const options& opts) {
  request r;
  bool held = false;
  VQCACHE_NEED_(prepare(name, opts, r));
  for (const item& i : r.items)
    held = held || os::look(r.local / i.file).exists || os::look(r.cache / r.name / i.file).exists;
  const vector<const catalog::row*> rows = catalog::find(name);
  if (!held && rows.size() == 1) VQCACHE_NEED_(prepare(rows[0]->name, opts, r));
  caller who(opts, r.name);
  return story(who, r.items, r.local, r.cache).remove();
}

// every error says which model it is about
VQCACHE_LAZY_ status named(status s, const string& name) {
  const string shown = "'" + text::printable(name.substr(0, 120)) + "'";
  if (!s.ok() && !text::has(s.text, shown)) s.text = error::join("model ", shown, ": ", s.text);
  return s;
}
// what an allocation or a file system throws is an error like others
template <class F> inline vqcache::error contained(const string& name, const F& f) {
  status inner, s = error::guard("the call", [&] { inner = f(); });
  if (!s.ok()) s.code = errc::io;
  return error::to_error(named(s.ok() ? inner : s, name));
}
VQCACHE_LAZY_ result contained_call(
    const string& name, const source* config, const source* checkpoint, const options& opts) {
  result r;
  r.error = contained(name, [&] { return call(name, config, checkpoint, opts, r.model); });
  return r;
}
VQCACHE_LAZY_ vqcache::error contained_remove(const string& name, const options& opts) {
  return contained(name, [&] { return cache::remove(name, opts); });
}
#if VQCACHE_EXCEPTIONS_
VQCACHE_LAZY_ model throwing_call(
    const string& name, const source* config, const source* checkpoint, const options& opts) {
  model m;
  error::raise(named(call(name, config, checkpoint, opts, m), name));
  return m;
}
#endif
}  // namespace cache

// ==== >>notebook ==== knows a notebook platform; empty until it does ====
}  // namespace detail

// ==== >>public ==== thin bodies of the public functions ====

inline const std::error_category& error_category() noexcept {
  using category = detail::error::basic_category<void>;
  static const category& only = *new category;  // never destroyed
  return only;
}

inline void print_message(const std::string& line) {
#if VQCACHE_INTERPRETED
  std::cout << line + "\n" << std::flush;
#else
  std::fwrite((line + "\n").data(), 1, line.size() + 1, stdout);
  std::fflush(stdout);
#endif
}

// Friends of a template: plain functions whose bodies are instantiated only where they are called.
template <class> struct bodies {
  friend inline result try_download_vqgan_model(const std::string& name, const source& config,
      const source& checkpoint, const options& opts) {
    return detail::cache::contained_call(name, &config, &checkpoint, opts);
  }
  friend inline result try_download_vqgan_model(const std::string& name, const options& opts) {
    return detail::cache::contained_call(name, nullptr, nullptr, opts);
  }
  friend inline error try_remove(const std::string& name, const options& opts) {
    return detail::cache::contained_remove(name, opts);
  }
#if VQCACHE_EXCEPTIONS_
  friend inline model download_vqgan_model(const std::string& name, const source& config,
      const source& checkpoint, const options& opts) {
    return detail::cache::throwing_call(name, &config, &checkpoint, opts);
  }
  friend inline model download_vqgan_model(const std::string& name, const options& opts) {
    return detail::cache::throwing_call(name, nullptr, nullptr, opts);
  }
  friend inline void remove(const std::string& name, const options& opts) {
    detail::error::raise(detail::cache::named(detail::cache::remove(name, opts), name));
  }
#endif
  friend inline std::vector<known_model> known_models() { return detail::catalog::known(); }
};
static_assert(sizeof(bodies<void>) > 0, "instantiated once, for its friends");
}  // namespace VQCACHE_ABI_
}  // namespace vqcache

template <> struct std::is_error_code_enum<vqcache::errc> : std::true_type {};

// ==== >>undef ==== removes internal macros; the licence text ====

#undef VQCACHE_EXCEPTIONS_
#undef VQCACHE_TRY_
#undef VQCACHE_CATCH_
#undef VQCACHE_LAZY_
#undef VQCACHE_NEED_
#undef VQCACHE_ABI_
#undef VQCACHE_WEAK_DL_

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
