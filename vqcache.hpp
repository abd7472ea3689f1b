// ==== >>manual ==== vqcache.hpp: a model on the fast local disk, and a copy on the disk that stays
//
// download_vqgan_model() brings a model (a config and a checkpoint) and copies it. When the local
// disk was wiped, or the origin has vanished from the web, the copy serves. Under a final name is
// the whole and right file or nothing, after any error, signal, kill or power cut. Version 0.2.0.
// SPDX-License-Identifier: MIT (what that says is at the end)
//   #include "vqcache.hpp"
//   #include <cstdio>
//   int main() {
//     std::string u = "https://heibox.uni-heidelberg.de/d/8088892a516d4e3baf92/files/?dl=1&p=";
//     const vqcache::model m = vqcache::download_vqgan_model("vqgan_imagenet_f16_1024",
//         u + "%2Fconfigs%2Fmodel.yaml", u + "%2Fckpts%2Flast.ckpt");
//     std::printf("%s is in %s\n", m.name.c_str(), m.checkpoint.string().c_str());
//   }
// A model stays valid until a person removes it: vqcache::remove. A cache that is full, read-only
// or gone fails no call whose local pair is complete: model.cached is false. A checkpoint is a
// pickle: loading a wrong one runs a stranger's program. A pin ("URL#sha256=HEX", source::sha256)
// is safe, else the first download is trusted and binds every later one. All else: README.md.
// Rooms, each using only those above it: config, api, error, text, catalog, os, hash, stage, curl,
// transfer, tier, plan, call, notebook, public, undef. The line that opens one says what belongs
// there.
// ==== >>config ==== macros: the version, and the switches with their defaults ====
#ifndef VQCACHE_HPP
#define VQCACHE_HPP 200  // major * 10000 + minor * 100 + patch
#define VQCACHE_VERSION_MAJOR 0
#define VQCACHE_VERSION_MINOR 2
#define VQCACHE_VERSION_PATCH 0
#ifndef VQCACHE_USE_LIBCURL  // 1: compile against <curl/curl.h> and link libcurl yourself
#define VQCACHE_USE_LIBCURL 0
#endif
#ifndef VQCACHE_HEADER_ONLY    // 0: declarations alone, but in the one .cpp that defines
#define VQCACHE_HEADER_ONLY 1  // VQCACHE_IMPLEMENTATION before its first include of this file
#endif
#if VQCACHE_HEADER_ONLY || defined(VQCACHE_IMPLEMENTATION)
#define VQCACHE_HAS_BODIES 1
#else
#define VQCACHE_HAS_BODIES 0
#endif
#if !defined(VQCACHE_INTERPRETED) && (defined(__CLING__) || defined(__CLANG_REPL__))
#define VQCACHE_INTERPRETED 1  // output goes through std::cout, which is what a notebook shows
#elif !defined(VQCACHE_INTERPRETED)
#define VQCACHE_INTERPRETED 0
#endif
#if defined(__cpp_exceptions) || defined(_CPPUNWIND)
#define VQCACHE_EXCEPTIONS_ 1
#else
#define VQCACHE_EXCEPTIONS_ 0
#endif
// What one library throws another one has to recognise, whatever -fvisibility hides in them.
#if defined(__GNUC__) && !defined(_WIN32)
#define VQCACHE_SEEN_ __attribute__((visibility("default")))
#else
#define VQCACHE_SEEN_
#endif
// Units with and without the bodies link: where a unit has them, each is one that the linker may
// find several times (a strong one would collide with an inline one on Windows).
#if VQCACHE_HEADER_ONLY
#define VQCACHE_API_ inline
#elif !VQCACHE_HAS_BODIES
#define VQCACHE_API_
#elif defined(__GNUC__)
#define VQCACHE_API_ __attribute__((used)) inline
#else
#define VQCACHE_API_
#endif
// The version and what changes the interface are part of all names: a mismatch does not link.
#define VQCACHE_TAG_(exceptions, linked) v0_2_0_exceptions##exceptions##_linked##linked
#define VQCACHE_TAG_OF_(exceptions, linked) VQCACHE_TAG_(exceptions, linked)
#define VQCACHE_ABI_ VQCACHE_TAG_OF_(VQCACHE_EXCEPTIONS_, VQCACHE_USE_LIBCURL)
#define VQCACHE_NEED_(step) /* that gives a status: its failure is this function's */ \
  if (vqcache::detail::error::status need_ = (step); !need_.ok()) return need_
// ==== >>api ==== names a user may type ====
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <ostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace vqcache {
inline namespace VQCACHE_ABI_ {
enum class origin { local, cache, network };  // where this call found the files

// Where one file comes from: http://, https://, file://, a path; with options::fetch any scheme.
struct source {
  std::vector<std::string> urls;  // tried in order; the first is the origin, the others are mirrors
  std::string sha256;             // 64 hex digits, or empty: trust on first use
  std::vector<std::string> headers;  // "Name: value", for the host of urls[0] only
  std::uint64_t size = 0;            // bytes; 0: not known
  source() = default;

  source(const char* url) : urls{given(url)} {}  // "URL#sha256=HEX" carries the pin

  source(const std::string& url) : urls{url} {}

  source(std::initializer_list<const char*> mirrors) {
    for (const char* url : mirrors)
      urls.push_back(given(url));
  }

  explicit source(std::vector<std::string> u, std::string d = {}, std::vector<std::string> h = {})
      : urls(std::move(u)),
        sha256(std::move(d)),
        headers(std::move(h)) {}

 private:
  // A null pointer, of an unset variable perhaps, is told inside the call: as what no URL can be.
  static std::string given(const char* url) {
    return url ? std::string(url) : std::string(1, '\0');
  }
};

struct model {                               // what a call returns
  std::string name;                          // canonical: an alias of a published model is resolved
  std::filesystem::path config, checkpoint;  // the local files, absolute
  vqcache::origin from = vqcache::origin::local;
  bool cached = false;  // the persistent copy is complete, with the local receipt's digests
};

inline std::ostream& operator<<(std::ostream& out, const model& m) {
  return out << m.name;
}
enum class phase { waiting, downloading, restoring, storing, verifying };

struct progress {
  std::string name, file;  // the model, and the file as it is called on disk
  vqcache::phase phase = vqcache::phase::waiting;
  std::uint64_t done = 0, total = 0;               // bytes; total 0: not known
  double bytes_per_second = 0, seconds_left = -1;  // -1: not known
};

// A user's transport fills the response: status and headers, if any (else 200), then the bytes.
struct request {
  std::string url;
  std::vector<std::string> headers;      // "Name: value"
  std::uint64_t offset = 0, length = 0;  // bytes wanted; length 0: to the end
};

class response {
 public:
  virtual void status(int code) = 0;
  virtual void header(std::string_view name, std::string_view value) = 0;
  virtual bool write(const void* data, std::size_t size) = 0;  // false: stop, no more is wanted
  virtual void fail(std::string why) = 0;

 protected:
  ~response() = default;
};

using fetcher = std::function<void(const request&, response&)>;
VQCACHE_API_ void print_message(const std::string& line);  // the line to standard output, at once

// A ready on_progress. On a terminal one line over itself, else one per 10 % of what has over 1 MB.
struct progress_line {
  std::FILE* to = stdout;
  std::string last{};  // what it has told
  bool operator()(const progress& p);
};

struct options {
  unsigned connections = 4;  // at most, per file, 1 to 16; for servers that honour ranges
  bool create_dirs = true;   // false: a missing directory is an error
  bool offline = false;      // only the two tiers and local sources; also VQCACHE_OFFLINE=1
  // empty: VQCACHE_LOCAL_DIR, VQCACHE_CACHE_DIR, else content/models, content/cache/models; ~: home
  std::filesystem::path local_dir{}, cache_dir{};
  fetcher fetch{};  // empty: libcurl, else the program curl
  std::function<void(const std::string&)> on_message = print_message;  // empty: silence
  std::function<bool(const progress&)> on_progress{};  // at most 2/s, and both ends; false cancels
  std::string transport{};  // "libcurl" or "curl": only that one; also VQCACHE_TRANSPORT
  // of these 0 is no limit
  std::uint64_t max_bytes = std::uint64_t{64} << 30;  // of a file, unless source::size tells
  unsigned connect_seconds = 20;                      // to connect, up to 2147483
  unsigned stall_seconds = 30;  // what gains under 64 KiB in this time has failed; up to 2147483
  // SIGINT (Ctrl-C, a notebook's stop button) ends the call with errc::interrupted, not the program
  bool catch_interrupt = VQCACHE_INTERPRETED != 0;
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
  interrupted,           // SIGINT, with options::catch_interrupt: interrupted
  timed_out,             // timed_out
  io                     // any other failure of a file operation: io_error
};
}  // namespace VQCACHE_ABI_
}  // namespace vqcache

template <>
struct std::is_error_code_enum<vqcache::errc> : std::true_type {};  // before any ==

namespace vqcache {
inline namespace VQCACHE_ABI_ {
VQCACHE_API_ const std::error_category& error_category() noexcept;
VQCACHE_API_ std::error_code make_error_code(errc e) noexcept;

// A library that hides its symbols has a category object of its own, and std::error_code compares
// these by their addresses. So `e.code() == errc::x` goes by the name and the value. Two objects of
// std::error_code, of two libraries, are compared as the standard does it, by address.
inline bool operator==(const std::error_code& code, errc e) noexcept {
  return code.value() == static_cast<int>(e) && std::strcmp(code.category().name(), "vqcache") == 0;
}

inline bool operator==(errc e, const std::error_code& code) noexcept {
  return code == e;
}

inline bool operator!=(const std::error_code& code, errc e) noexcept {
  return !(code == e);
}

inline bool operator!=(errc e, const std::error_code& code) noexcept {
  return !(code == e);
}

class VQCACHE_SEEN_ error : public std::system_error {
 public:
  error() : std::system_error(std::error_code()), text_("no error") {}

  error(errc code, const std::string& text, std::error_code why)
      : std::system_error(make_error_code(code)),
        text_(text),
        cause_(why) {}

  const char* what() const noexcept override {  // complete by itself
    const char* const text = text_.what();
    return *text || cause_ != std::errc::not_enough_memory ? text : "out of memory";
  }

  std::error_code cause() const noexcept { return cause_; }  // of the operating system, if any
 private:
  std::runtime_error text_;  // for its copy, which cannot throw
  std::error_code cause_;
};

struct result {
  vqcache::model model;
  vqcache::error error;

  bool ok() const noexcept { return !error.code(); }

  explicit operator bool() const noexcept { return ok(); }
};

// The name is 1 to 100 of A-Z a-z 0-9 . _ - (not first . or -, not last ., no Windows device name).
// Without sources: the two tiers, then the catalogue. The try_ forms never throw.
VQCACHE_API_ result try_download_vqgan_model(const std::string& name, const source& config,
    const source& checkpoint, const options& opts = {});
VQCACHE_API_ result try_download_vqgan_model(const std::string& name, const options& opts = {});
VQCACHE_API_ error try_remove(const std::string& name, const options& opts = {});
#if VQCACHE_EXCEPTIONS_
VQCACHE_API_ model download_vqgan_model(const std::string& name, const source& config,
    const source& checkpoint, const options& opts = {});
VQCACHE_API_ model download_vqgan_model(const std::string& name, const options& opts = {});
VQCACHE_API_ void remove(
    const std::string& name, const options& opts = {});  // all of it, both tiers
#endif
struct known_model {
  std::string name;
  std::vector<std::string> aliases;
  source config, checkpoint;
};

VQCACHE_API_ std::vector<known_model> known_models();  // the catalogue
// Sets local_dir and cache_dir, unless they or their variables are set, to where the platform of a
// notebook has its fast and its lasting disk; on_message is told which, why, and if nothing lasts.
VQCACHE_API_ options notebook_options(options opts = {});
}  // namespace VQCACHE_ABI_
}  // namespace vqcache
#if VQCACHE_HAS_BODIES
// ==== border ==== nothing below is for users, and nothing below is declared ahead ====
// ==== >>error ==== makes or names an error; holds the only throw ====
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#if VQCACHE_INTERPRETED
#include <iostream>
#endif
#if VQCACHE_USE_LIBCURL
#include <curl/curl.h>
#endif
namespace vqcache {
inline namespace VQCACHE_ABI_ {
namespace detail {
using std::size_t, std::string, std::uint64_t, std::vector;
using view = std::string_view;
namespace fs = std::filesystem;
inline constexpr size_t npos = string::npos;

namespace error {
inline string shown(const fs::path& p) {
  const auto utf8 = p.u8string();  // path::string() may throw on Windows
  return string(utf8.begin(), utf8.end());
}

// One part of a text: it looks at what it was made from, which lives until the text is made.
class piece {
 public:
  piece(const char* text) : text_(text) {}

  piece(view text) : text_(text) {}

  piece(const string& text) : text_(text) {}

  piece(const fs::path& path) : made_("'" + shown(path) + "'"), text_(made_) {}

  piece(int number) : piece(static_cast<long long>(number)) {}

  piece(long number) : piece(static_cast<long long>(number)) {}

  piece(long long number) : made_(std::to_string(number)), text_(made_) {}

  piece(unsigned number) : piece(static_cast<unsigned long long>(number)) {}

  piece(unsigned long number) : piece(static_cast<unsigned long long>(number)) {}

  piece(unsigned long long number) : made_(std::to_string(number)), text_(made_) {}

  piece(piece&&) = delete;

  view text() const { return text_; }

 private:
  string made_{};
  view text_;
};

// Not a template over its parts: each mixture of their types would be one more function to compile.
inline string join(std::initializer_list<piece> parts) {
  string all;
  for (const piece& part : parts)
    all += part.text();
  return all;
}

struct [[nodiscard]] status {  // errors are values: this is success, or what failed
  errc code{};
  string text{};                // complete: what, which, why, what to do
  std::error_code cause{};      // of the operating system
  std::exception_ptr thrown{};  // by a callback

  bool ok() const { return code == errc{}; }
};

inline status fail(errc code, std::initializer_list<piece> parts) {
  return {code, join(parts), {}, {}};
}

inline status system(int e, const char* doing, const fs::path& which) {
  if (e == 0) return {};  // e: of errno; doing: "write" and such
  const std::error_code cause(e, std::generic_category());
#ifdef EDQUOT
  if (e == EDQUOT) e = ENOSPC;
#endif
  const bool full = e == ENOSPC || e == EFBIG, denied = e == EACCES || e == EPERM || e == EROFS;
  errc code = errc::io;
  const char* advice = "";
  if (full) {
    code = errc::no_space;
    advice = "; free some space there, or choose another directory";
  } else if (denied) {
    code = errc::permission_denied;
    advice = "; check its permissions, or choose another directory";
  }
  return {code, join({"cannot ", doing, " ", which, ": ", cause.message(), advice}), cause, {}};
}

// A fault of this machine that says nothing of the bytes on its disk, and may be over in a moment:
// no descriptor, no memory, a scanner that holds a file.
inline bool is_passing(int e) {
  constexpr int all[] = {EMFILE, ENFILE, ENOMEM, EAGAIN, EINTR, EBUSY, EACCES, EPERM, EROFS};
  return std::find(std::begin(all), std::end(all), e) != std::end(all);
}

inline bool is_passing(const status& s) {
  return s.cause && is_passing(s.cause.default_error_condition().value());
}

// Nothing but these functions stops an exception: where one may not pass (a thread, a destructor, a
// callback of C), and where a call ends. None of them throws, whatever the memory is like.
template <class F>
inline bool attempt(const F& f) noexcept {
#if VQCACHE_EXCEPTIONS_
  try {
    f();
  } catch (...) {
    return false;
  }
#else
  f();
#endif
  return true;
}

// short enough for every standard library to keep it in the string itself
inline constexpr const char* no_memory = "out of memory";

inline status out_of_memory() noexcept {
  status s{errc::io, {}, std::make_error_code(std::errc::not_enough_memory), {}};
  (void)attempt([&s] { s.text = no_memory; });
  return s;
}

// a failure of this machine and moment, which tells nothing about a file and may pass
inline bool may_pass(const status& s) {
  return s.cause == std::errc::not_enough_memory || s.cause == std::errc::too_many_files_open
      || s.cause == std::errc::too_many_files_open_in_system;
}

// of an exception that is not a callback's
inline status unexpected(const char* what, std::error_code cause) noexcept {
  status s{errc::io, {}, cause, {}};
  const bool told = attempt([&] { s.text = join({"it failed inside (", what, ")"}); });
  return told ? s : out_of_memory();
}

// What our own f() returns. An exception becomes a failure of this machine: it has a cause, so that
// nobody takes it for a damaged file.
template <class F>
inline status contain(const F& f) noexcept {
#if VQCACHE_EXCEPTIONS_
  const auto odd = std::make_error_code(std::errc::state_not_recoverable);
  try {
    return f();
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  } catch (const std::system_error& e) {
    return unexpected(e.what(), e.code());
  } catch (const std::exception& e) {
    return unexpected(e.what(), odd);
  } catch (...) {
    return unexpected("an exception that is no std::exception", odd);
  }
#else
  return f();
#endif
}

// Calls a user's callback. What it throws is kept, for the throwing form to pass on.
inline status thrown_by(const char* who, const char* how, const char* what) noexcept {
  status s{errc::callback, {}, {}, std::current_exception()};
  if (!attempt([&] { s.text = join({who, " threw an exception", how, what}); }))
    (void)attempt([&s] { s.text = "callback failed"; });  // short, as above
  return s;
}

template <class F>
inline status guard([[maybe_unused]] const char* who, const F& f) noexcept {
#if VQCACHE_EXCEPTIONS_
  try {
    f();
  } catch (const std::exception& e) {
    return thrown_by(who, ": ", e.what());
  } catch (...) {
    return thrown_by(who, " that is no std::exception", "");
  }
#else
  f();
#endif
  return {};
}

// Making an error allocates, copying one cannot fail: these are made while there is memory.
struct ready_errors {
  vqcache::error none{};
  vqcache::error out_of_memory{
      errc::io, no_memory, std::make_error_code(std::errc::not_enough_memory)};
};

inline const ready_errors& ready() {  // made once, never destroyed
  static const ready_errors& only = *new ready_errors;
  return only;
}

// And if there was none from the start: an empty text needs none in libstdc++. For this moment the
// category gives empty texts, so many threads are about it.
inline std::atomic<int>& wordless() {
  static std::atomic<int> threads{0};
  return threads;
}

inline vqcache::error bare_error() {
  struct moment {
    moment() { ++wordless(); }

    ~moment() { --wordless(); }
  };

  const moment without_words;
  return vqcache::error(errc::io, {}, std::make_error_code(std::errc::not_enough_memory));
}

inline vqcache::error to_error(const status& s) {
  if (s.ok()) return ready().none;  // contained() has made it
#if VQCACHE_EXCEPTIONS_
  try {
    return vqcache::error(s.code, s.text, s.cause);
  } catch (const std::bad_alloc&) {}
  try {
    return ready().out_of_memory;
  } catch (const std::bad_alloc&) {
    return bare_error();
  }
#else
  return vqcache::error(s.code, s.text, s.cause);
#endif
}
#if VQCACHE_EXCEPTIONS_
inline void raise(const status& s) {
  if (s.thrown) std::rethrow_exception(s.thrown);
  if (!s.ok()) throw to_error(s);
}
#endif
using clock = std::chrono::steady_clock;

class caller {  // the first callback that throws or cancels ends it
 public:
  caller(const options& opts, const string& model) : opts_(&opts), name_(model) {}

  const options& opts() const { return *opts_; }

  const status& stop() const { return stop_; }

  bool stopped() const { return !stop_.ok(); }

  void stop_with(status s) {  // the first one counts
    if (!stopped()) stop_ = std::move(s);
  }

  void go_on() { stop_ = stop_.code == errc::cancelled ? status() : stop_; }  // all is there

  void say(std::initializer_list<piece> line) {
    if (!opts_->on_message || stopped()) return;
    const string text = join(line);
    stop_with(guard("on_message", [&] { opts_->on_message(text); }));
  }

  // false: the call is to end. done == total: the last step of this phase of this file.
  bool step(phase what, const string& file, uint64_t done, uint64_t total) {
    if (interrupted_ && !stopped() && interrupted_())
      stop_with(fail(errc::interrupted, {"interrupted at ", file}));
    if (stopped() || !opts_->on_progress) return !stopped();
    const auto now = clock::now();
    auto m = std::find_if(meters_.begin(), meters_.end(),
        [&](const meter& one) { return one.what == what && one.file == file; });
    const bool first = m == meters_.end(), last = total > 0 && done == total;
    if (first) m = meters_.insert(m, {what, file, now, done, false});
    if (done < m->base) m->base = done, m->began = now;
    if (!first && (last ? m->ended : now - told_ < std::chrono::milliseconds(500))) return true;
    m->ended = last, told_ = now;
    const double seconds = std::chrono::duration<double>(now - m->began).count();
    const double rate = seconds > 0 ? double(done - m->base) / seconds : 0;
    const double left = total >= done && total > 0 && rate > 0 ? double(total - done) / rate : -1;
    const progress told{name_, file, what, done, total, rate, left};
    bool wanted = true;
    stop_with(guard("on_progress", [&] { wanted = opts_->on_progress(told); }));
    if (!wanted) stop_with(fail(errc::cancelled, {"on_progress cancelled at ", file}));
    return !stopped();
  }

  void watch(std::function<bool()> f) { interrupted_ = std::move(f); }

 private:
  struct meter {  // of one phase of one file
    phase what;
    string file;
    clock::time_point began;
    uint64_t base;
    bool ended;
  };

  const options* opts_;
  string name_;
  status stop_{};
  vector<meter> meters_{};
  clock::time_point told_{};
  std::function<bool()> interrupted_{};
};

class category_of_errc final : public std::error_category {
 public:
  const char* name() const noexcept override { return "vqcache"; }

  string message(int code) const override { return wordless() > 0 ? "" : row(code).first; }

  std::error_condition default_error_condition(int code) const noexcept override {
    return std::make_error_condition(row(code).second);
  }

  // By names, not by addresses: of these objects, and of the standard's with a static libstdc++,
  // a process may have one in each library.
  bool equivalent(int code, const std::error_condition& c) const noexcept override {
    if (is_called(c.category(), name())) return c.value() == code;

    const std::error_condition ours = default_error_condition(code);
    return c.value() == ours.value() && is_called(c.category(), ours.category().name());
  }

  bool equivalent(const std::error_code& code, int value) const noexcept override {
    return code.value() == value && is_called(code.category(), name());
  }

 private:
  static bool is_called(const std::error_category& one, const char* name) noexcept {
    return std::strcmp(one.name(), name) == 0;
  }

  using is = std::errc;

  static std::pair<const char*, is> row(int code) noexcept {  // in the order of errc
    static constexpr std::pair<const char*, is> rows[] = {{"no error", is{}},
        {"invalid argument", is::invalid_argument},
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

// Never destroyed, since errors may outlive everything else, and never on the heap, where each
// library that is opened and closed would leave one.
inline const std::error_category& category() noexcept {
  alignas(category_of_errc) static unsigned char place[sizeof(category_of_errc)];
  static const std::error_category* const only =
      ::new (static_cast<void*>(&place[0])) category_of_errc;
  return *only;
}
}  // namespace error

using error::caller, error::clock, error::fail, error::join, error::status;

// ==== >>text ==== bytes into meaning, without disk or network ====
namespace text {
inline string lower(view s) {
  string r(s);
  for (char& c : r)
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return r;
}

inline string upper(view s) {
  string r(s);
  for (char& c : r)
    c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return r;
}

inline bool has(view s, view part) {
  return s.find(part) != npos;
}

inline bool only(view s, view these) {
  return s.find_first_not_of(these) == npos;
}

inline bool starts(view s, view with) {
  return s.substr(0, with.size()) == with;
}

inline bool ends(view s, view e) {
  return has(s, e) && s.rfind(e) == s.size() - e.size();
}

inline view trim(view s) {
  const size_t first = s.find_first_not_of(" \t"), last = s.find_last_not_of(" \t\r\n");
  return last == npos ? view() : s.substr(first, last + 1 - first);
}

// of a switch in the environment: 0, false, no, off and nothing mean no, anything else means yes
inline bool means_yes(view value) {
  const string word = lower(trim(value));
  return !word.empty() && word != "0" && word != "false" && word != "no" && word != "off";
}

inline view take(view& s, char end) {  // what stands before the next `end`, off the front
  const view head = s.substr(0, s.find(end));
  s.remove_prefix((std::min)(head.size() + 1, s.size()));
  return head;
}

inline vector<string> words(view s, char end = ' ') {
  vector<string> r;
  while (!s.empty())
    r.emplace_back(take(s, end));
  return r;
}

inline bool to_number(view s, uint64_t& out, int base = 10) {  // digits only, no overflow
  uint64_t n = 0;
  const auto [end, problem] = std::from_chars(s.data(), s.data() + s.size(), n, base);
  const bool good = problem == std::errc() && end == s.data() + s.size();
  if (good) out = n;
  return good;
}

inline constexpr const char* hex_digits = "0123456789abcdef";

inline bool is_digest(view s) {
  return s.size() == 64 && only(lower(s), hex_digits);
}

inline string hex(uint64_t n, size_t digits) {
  string s(digits, '0');
  for (size_t i = digits; i-- > 0; n >>= 4)
    s[i] = hex_digits[n & 15];
  return s;
}

inline bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

inline string printable(view s) {
  string r(s);
  for (char& c : r)
    c = is_control(c) ? '?' : c;
  return r;
}

// Of two-byte to four-byte characters: their first bytes, and what their second bytes may be, which
// excludes overlong forms and surrogates (RFC 3629, section 4).
inline constexpr struct utf8_row {
  unsigned first, last, least, most;
  size_t bytes;
} utf8_rows[] = {{0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
    {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
    {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};

inline size_t utf8_length(view s) {  // of the character at the front; 0: there is none
  const auto byte = [&s](size_t i) {
    return unsigned{static_cast<unsigned char>(s[i])};
  };
  if (s.empty()) return 0;
  if (byte(0) < 0x80) return 1;

  for (const auto& row : utf8_rows) {
    if (byte(0) < row.first || byte(0) > row.last) continue;
    if (s.size() < row.bytes || byte(1) < row.least || byte(1) > row.most) return 0;
    for (size_t i = 2; i < row.bytes; ++i)
      if ((byte(i) & 0xc0) != 0x80) return 0;
    return row.bytes;
  }
  return 0;
}

// Bytes of others as a text for people: UTF-8 without control characters, each wrong byte a '?',
// and cut where a character ends.
inline string readable(view s, size_t most = npos) {
  string out;

  while (!s.empty()) {
    const size_t n = utf8_length(s), step = (std::max)(n, size_t{1});
    const bool high_control = n == 2 && s[0] == '\xc2' && (s[1] & 0x60) == 0;  // U+0080 to U+009F
    const bool wrong = n == 0 || high_control || is_control(s[0]);
    const view character = wrong ? view("?") : s.substr(0, n);
    if (out.size() + character.size() > most) break;
    out += character;
    s.remove_prefix(step);
  }
  return out;
}

inline string name_problem(view name) {  // or empty; everywhere, for a cache that moves
  string stem = lower(name.substr(0, name.find('.')));
  if (stem.size() == 4 && only(stem.substr(3), "0123456789")) stem[3] = '#';
  const bool device = has(" con prn aux nul com# lpt# ", join({" ", stem, " "}));
  const bool odd = !only(lower(name), "abcdefghijklmnopqrstuvwxyz0123456789._-");
  return name.size() > 100 ? join({"it has ", name.size(), " bytes, at most 100 are allowed"})
      : name.empty()       ? "it is empty"
      : odd                ? "only letters, digits and . _ - are allowed"
      : starts(name, ".") || name[0] == '-' ? "it begins with . or -"
      : name.back() == '.'                  ? "it ends in ."
      : device                              ? "Windows keeps this name for a device"
                                            : "";
}

// b has all of a, or they differ in one short stretch
inline bool alike(view a, view b) {
  const auto front = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin();
  const auto back = std::mismatch(a.rbegin(), a.rend(), b.rbegin(), b.rend()).first - a.rbegin();
  return has(b, a) || size_t(front + back) + 2 + a.size() / 6 >= (std::max)(a.size(), b.size());
}

struct url {                              // RFC 3986, as far as http needs it
  string scheme, user, host, port, path;  // path with its query; never a fragment

  string origin() const {
    const char* usual = scheme == "https" ? "443" : "80";
    return join({scheme, "://", lower(host), ":", port.empty() ? usual : port});
  }

  string whole() const {
    const char *at = user.empty() ? "" : "@", *colon = port.empty() ? "" : ":";
    return join({scheme, "://", user, at, host, colon, port, path});
  }
};

inline bool has_scheme(view s) {
  return has(s, "://");
}

inline bool is_http(const url& u) {
  return u.scheme == "http" || u.scheme == "https";
}

inline size_t odd_byte(view s) {  // where a byte that no URL has stands
  for (size_t i = 0; i < s.size(); ++i)
    if (is_control(s[i]) || has(" \"\\", {&s[i], 1})) return i;
  return npos;
}

inline bool parse_url(view s, url& out) {
  url u;
  u.scheme = lower(take(s, ':'));
  if (!starts(s, "//") || odd_byte(s) != npos) return false;
  s = s.substr(2, s.find('#') - 2);
  view authority = s.substr(0, s.find_first_of("/?"));
  u.path = s.substr(authority.size());
  if (!starts(u.path, "/")) u.path.insert(0, "/");
  const size_t host = authority.rfind('@') + 1;  // 0: no user
  u.user = authority.substr(0, host - (host > 0));
  authority.remove_prefix(host);
  const size_t port = authority.find(':', authority.rfind(']') + 1);  // not in an IPv6 address
  u.host = authority.substr(0, port);
  if (port != npos) u.port = authority.substr(port + 1);
  uint64_t number = 1;
  const bool good = (u.port.empty() || to_number(u.port, number)) && number > 0 && number < 65536
      && !u.scheme.empty() && only(u.scheme, "abcdefghijklmnopqrstuvwxyz0123456789+.-")
      && (!u.host.empty() || u.scheme == "file");
  if (good) out = std::move(u);
  return good;
}

inline string redact(view s) {  // user info and query values become ***, the fragment goes
  if (!has_scheme(s)) return string(s);
  url u;
  if (!parse_url(s, u)) return "***://*** (malformed)";  // anything in it may be a secret
  if (!u.user.empty()) u.user = "***";
  view query = u.path;
  string out(take(query, '?'));
  for (const view p : words(query, '&'))
    out += join({has(out, "?") ? "&" : "?", p.substr(0, p.find('=') + 1), p.empty() ? "" : "***"});
  u.path = out;
  return u.whole();
}

// What a path or a query may not hold is percent-encoded, byte by byte as browsers do. Control
// characters stay, and are refused.
inline string percent_encoded(view s) {
  string out;

  for (const char c : s) {
    const unsigned byte = static_cast<unsigned char>(c);
    const bool odd = byte > 0x7f || has(" \"\\", {&c, 1});
    out += odd ? join({"%", upper(hex(byte, 2))}) : string(1, c);
  }
  return out;
}

// A Location as a URL, except in its host, where that would mean another one.
inline string escaped(view location) {
  const size_t colon = location.find(':');
  const bool absolute = colon < location.find_first_of("/?");
  const view behind = location.substr(absolute ? colon + 1 : 0);
  const size_t authority = starts(behind, "//") ? location.size() - behind.size() + 2 : 0;
  const size_t found = authority > 0 ? location.find_first_of("/?", authority) : 0;
  const size_t path = (std::min)(found, location.size());

  return join({location.substr(0, path), percent_encoded(location.substr(path))});
}

// Where a Location leads, its dots left to the transport; false: nowhere. It brings no user info.
inline bool resolve(const url& base, view location, url& out) {
  const string usable = escaped(location.substr(0, location.find('#')));
  location = usable;
  const bool absolute = location.find(':') < location.find_first_of("/?");
  const string path = base.path.substr(0, base.path.find('?'));
  url u = base;
  if (starts(location, "/"))
    u.path = location;
  else if (starts(location, "?"))
    u.path = join({path, location});
  else if (!location.empty())
    u.path = join({path.substr(0, path.rfind('/') + 1), location});
  const string target = starts(location, "//") ? join({base.scheme, ":", location}) : u.whole();
  if (!parse_url(absolute ? location : view(target), out)) return false;
  out.path = percent_encoded(out.path);  // of the base too
  out.user = out.origin() == base.origin() ? base.user : string();
  return true;
}

inline string unescaped(view s) {  // %20 and its like
  string out;
  for (uint64_t byte = 0; !s.empty(); s.remove_prefix(1)) {
    const bool escape = s[0] == '%' && s.size() > 2 && to_number(s.substr(1, 2), byte, 16);
    out += escape ? static_cast<char>(byte) : s[0];
    s.remove_prefix(escape ? 2 : 0);
  }
  return out;
}

inline string local_path(view s) {  // of a path or a file:// URL; empty: it is neither
  if (!has_scheme(s)) return string(s);
  if (lower(s.substr(0, 7)) != "file://") return {};
  const string out = unescaped(s.substr(lower(s.substr(7, 10)) == "localhost/" ? 16 : 7));
  const bool drive = out.size() > 2 && out[0] == '/' && out[2] == ':';  // file:///C:/folder
  return drive ? out.substr(1) : out;
}

inline view split_pin(view& address) {  // "URL#sha256=HEX"; any other fragment is dropped
  size_t at = address.find("#sha256=");
  const bool other = at == npos && has_scheme(address);
  if (other) at = address.find('#');
  const view pin = at == npos ? view() : address.substr(at + (other ? 1 : 8));
  address = address.substr(0, at);
  const bool meant = starts(lower(pin), "sha") && pin.find_first_of("0123456789") < 5;
  if (other && !meant) return {};  // a misspelt pin is not to be overlooked
  return at != npos && pin.empty() ? "(nothing)" : pin;
}

// What a server repeats of user info, query and headers, decoded or cut by a quotation, is ***.
inline string scrub(string said, view address, const vector<string>& headers) {
  url u;
  (void)parse_url(address, u);
  view user = u.user, query = u.path;
  vector<string> secrets{string(take(user, ':')), string(user)};
  take(query, '?');
  for (const string& pair : words(query, '&'))
    secrets.push_back(pair.substr(pair.find('=') + 1));
  for (view value : headers) {
    take(value, ':');
    for (const string& word : words(trim(value))) {
      secrets.emplace_back(trim(word));
      const view pair = trim(view(word).substr(0, word.find(';')));  // of a cookie
      secrets.emplace_back(pair);
      secrets.emplace_back(pair.substr((std::min)(pair.find('='), pair.size() - 1) + 1));
    }
  }
  for (size_t i = 0, n = secrets.size(); i < n; ++i)
    secrets.push_back(unescaped(secrets[i]));
  for (size_t i = 0, n = secrets.size(); i < n; ++i)
    secrets.push_back(readable(secrets[i]));
  std::sort(secrets.begin(), secrets.end(), [](auto& a, auto& b) { return a.size() > b.size(); });
  const auto hide = [&said](const string& part, size_t n) {
    for (size_t i = 0; n > 3 && (i = said.find(part, i)) != npos; i += 3)
      said.replace(i, n, "***");
  };
  for (const string& s : secrets)
    hide(s, s.size());  // the longest first: one may hold another
  for (const string& s : secrets)
    for (size_t n = s.size(); n-- > 4;)
      hide(s.substr(0, n) + '"', n);
  for (size_t at = 0, from = 0; (at = said.find('@', at)) != npos; at = from + 4) {
    from = said.find_last_of(" /'\"(", at) + 1;  // user info, of a proxy perhaps
    said.replace(from, at - from, "***");
  }
  for (const char* scheme : {"asic ", "earer "})
    if (const size_t at = said.find(scheme), from = said.find(' ', at) + 1; at != npos)
      said.replace(from, said.find_first_of(" \"", from) - from, "***");
  return readable(said);
}

struct header {
  string name, value;  // the name in lower case
};

using headers = vector<header>;

inline bool parse_header(view line, header& out) {
  const size_t colon = line.find(':');
  for (char c : trim(line))
    if (is_control(c) && c != '\t') return false;
  if (colon == 0 || colon == npos) return false;
  out = {lower(line.substr(0, colon)), string(trim(line.substr(colon + 1)))};
  return only(out.name, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz");
}
enum class reading { good, ignored, improper };

// A line that is no header is overlooked, as by curl and browsers, unless it has a control
// character, or is one that tells of the body but for the white space before its colon.
inline reading read_header(view line, header& out) {
  if (parse_header(line, out)) return reading::good;

  const char* weighty =
      " transfer-encoding content-length content-encoding content-range location ";
  const auto bad = [](char c) {
    return is_control(c) && c != '\t';
  };
  const string name = lower(trim(line.substr(0, line.find(':'))));
  const bool control = std::any_of(line.begin(), line.end(), bad);
  const bool weighs = has(line, ":") && has(weighty, join({" ", name, " "}));
  return control || weighs ? reading::improper : reading::ignored;
}

// Appends a line that continues a header (RFC 9112 5.2), as one space. false: there is nothing to
// continue; or it is an address that has begun, which no honest server folds.
inline bool unfold(string& header_line, view continuation) {
  const view value = trim(view(header_line).substr((std::min)(header_line.size(), size_t{9})));
  const bool address = starts(lower(header_line), "location:") && !value.empty();
  const view more = trim(continuation);

  if (header_line.empty() || (address && !more.empty())) return false;
  if (!more.empty()) header_line += join({" ", more});
  return true;
}

inline int status_code(view line) {  // of "HTTP/1.1 200 OK"; 0: it is no such line
  uint64_t code = 0;
  const bool http = starts(take(line, ' '), "HTTP/");
  const bool number = to_number(line.substr(0, 3), code) && code > 99 && code < 600;
  const bool ends_there = line.size() == 3 || (line.size() > 3 && line[3] == ' ');
  return http && number && ends_there ? int(code) : 0;
}

inline string find(const headers& all, view name) {  // empty: there is none
  for (const header& h : all)
    if (h.name == name && !h.value.empty()) return h.value;
  return {};
}

inline string name_of(view line) {
  return lower(trim(line.substr(0, line.find(':'))));
}

// Headers that belong to the transfer itself: with another's value no answer would be understood.
inline bool is_reserved(view name, view value) {
  const char* all = " range if-range te transfer-encoding content-length accept-encoding ";
  const bool harmless = name == "accept-encoding" && lower(trim(value)) == "identity";
  return has(all, join({" ", name, " "})) && !harmless;
}

// Ours, and the user's, of which each takes the place of ours of the same name.
inline vector<string> request_headers(const vector<string>& ours, const vector<string>& users) {
  vector<string> all;

  for (const string& line : ours) {
    const auto same = [&line](const string& one) {
      return name_of(one) == name_of(line);
    };
    if (std::none_of(users.begin(), users.end(), same)) all.push_back(line);
  }
  all.insert(all.end(), users.begin(), users.end());
  return all;
}

// The members of a list in all lines of this name, in lower case, without their parameters.
inline vector<string> list_of(const headers& all, view name) {
  vector<string> members;

  for (const header& h : all) {
    if (h.name != name) continue;
    for (view member : words(h.value, ',')) {
      const string token = lower(trim(take(member, ';')));
      if (!token.empty()) members.push_back(token);
    }
  }
  return members;
}

// Codings that change bytes: those of the registry (RFC 9110 8.4.1) and their old names. What else
// stands in a Content-Encoding ("aws-chunked", "none", "utf-8") is a server's mistake about it.
inline constexpr const char* codings =
    " gzip x-gzip compress x-compress deflate br zstd dcb dcz sdch exi aes128gcm pack200-gzip ";

inline string foreign_coding(const vector<string>& content) {  // or empty
  for (const string& one : content)
    if (has(codings, join({" ", one, " "}))) return one;
  return {};
}

// The transfer coding that nobody asked for, or empty. "identity", which RFC 9112 has removed, is
// none. What a transport unpacks has another length than what it counts, so only chunked is good.
inline string foreign_transfer(const vector<string>& transfer) {
  bool chunked = false;

  for (const string& one : transfer) {
    const bool again = one == "chunked" && chunked;
    if (again || (one != "chunked" && one != "identity")) return again ? "chunked twice" : one;
    chunked = chunked || one == "chunked";
  }
  return {};
}

inline string coding_problem(const headers& all) {  // of the answer, or empty
  const string content = foreign_coding(list_of(all, "content-encoding"));
  const string transfer = foreign_transfer(list_of(all, "transfer-encoding"));

  if (!transfer.empty())
    return join({"the server used the transfer coding ", transfer, ", and only chunked was asked"});
  if (!content.empty())
    return join({"the server encoded the file (", content, ") though identity was asked"});
  return {};
}

// false: two lengths, or one that is no number. without one: known stays false
inline bool content_length(const headers& all, bool& known, uint64_t& length) {
  bool chunked = false;  // RFC 9112 6.3: it overrides, in whichever line it stands
  known = false;

  for (const header& h : all) {
    chunked = chunked || (h.name == "transfer-encoding" && has(lower(h.value), "chunked"));
    if (h.name != "content-length") continue;
    if (h.value.empty() || ends(h.value, ",")) return false;
    for (const string& one : words(h.value, ',')) {  // a proxy may join two lines (RFC 9110 8.6)
      const uint64_t before = length;
      if (!to_number(trim(one), length) || (known && length != before)) return false;
      known = true;
    }
  }
  known = known && !chunked;
  return true;
}

// What a Content-Range tells (RFC 9110 14.4): "bytes FIRST-LAST/TOTAL", or "bytes FIRST-LAST/*" of
// a server that does not know the total, or "bytes */TOTAL", which serves nothing.
struct content_range {
  uint64_t first = 0, last = 0;   // of an unsatisfied one both are 0
  std::optional<uint64_t> total;  // none: the end of this part may not be the file's
  bool unsatisfied = false;

  uint64_t size() const { return unsatisfied ? 0 : last - first + 1; }

  bool whole() const { return !unsatisfied && first == 0 && total && *total == last + 1; }
};

using maybe_range = std::optional<content_range>;

inline maybe_range parse_content_range(view s) {
  s = trim(s);
  const bool in_bytes = lower(take(s, ' ')) == "bytes";
  const view span = trim(take(s, '/')), size = trim(s);
  content_range r;
  uint64_t total = 0;
  const bool sized = to_number(size, total);

  if (!in_bytes || (!sized && size != "*")) return {};
  if (sized) r.total = total;
  r.unsatisfied = span == "*";
  if (r.unsatisfied) return sized ? maybe_range(r) : maybe_range();

  view rest = span;
  const view first = trim(take(rest, '-')), last = trim(rest);
  const bool numbers = to_number(first, r.first) && to_number(last, r.last);
  if (!numbers || r.first > r.last || r.last >= (sized ? total : ~uint64_t{0})) return {};
  return r;
}

// of all the lines of an answer; none: there is none, it is malformed, or two contradict each other
inline maybe_range find_content_range(const headers& all) {
  maybe_range found;
  string text;

  for (const header& h : all) {
    if (h.name != "content-range" || h.value.empty()) continue;
    if (found && h.value != text) return {};
    found = parse_content_range(h.value);
    if (!found) return {};
    text = h.value;
  }
  return found;
}

struct date {  // and time, in UTC
  uint64_t year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
};

inline uint64_t since_1970(const date& d) {  // seconds; a day that no month has flows over
  const uint64_t y = d.month < 3 ? d.year - 1 : d.year;
  const uint64_t months = (d.month + 9) % 12;  // since March, so that a leap day comes last
  const uint64_t leap = y / 4 - y / 100 + y / 400;
  const uint64_t days = y * 365 + leap + (months * 153 + 2) / 5 + d.day - 719469;
  return days * 86400 + d.hour * 3600 + d.minute * 60 + d.second;
}

inline uint64_t month_of(view name) {  // 1 to 12; 0: it is none
  const size_t at =
      view(" Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec ").find(join({" ", name, " "}));
  return name.size() == 3 && at != npos ? at / 4 + 1 : 0;
}

inline bool between(view s, uint64_t least, uint64_t most, uint64_t& out) {
  return to_number(s, out) && out >= least && out <= most;
}

inline bool time_of_day(view s, date& d) {  // "08:49:37"; a leap second is one
  const view hour = take(s, ':'), minute = take(s, ':');
  return between(hour, 0, 23, d.hour) && between(minute, 0, 59, d.minute)
      && between(s, 0, 60, d.second);
}

// A year of two digits: not more than 50 years ahead (RFC 9110 5.6.7).
inline uint64_t full_year(uint64_t two_digits, uint64_t this_year) {
  const uint64_t latest = this_year + 50;
  return latest - (latest - two_digits) % 100;
}

using maybe_time = std::optional<uint64_t>;

inline uint64_t this_moment() {
  return uint64_t(std::time(nullptr));
}

// The three forms of RFC 9110 5.6.7, as seconds since 1970. Cookies write a fourth, the first with
// dashes. `now` is for the second, whose year has two digits.
//   Sun, 06 Nov 1994 08:49:37 GMT     Sunday, 06-Nov-94 08:49:37 GMT     Sun Nov  6 08:49:37 1994
inline maybe_time http_date(view text, uint64_t now = this_moment()) {
  const view days =
      " Mon Tue Wed Thu Fri Sat Sun "
      "Monday Tuesday Wednesday Thursday Friday Saturday Sunday ";
  const bool comma = has(text, ",");
  string rest(text);
  date d;

  const string weekday(text.substr(0, text.find_first_of(", ")));
  rest.erase(0, weekday.size() + (comma ? 1 : 0));
  if (comma)
    std::replace(rest.begin(), rest.end(), '-', ' ');
  else if (view(rest).substr((std::min)(rest.size(), size_t{4}), 2) == "  ")
    rest.erase(4, 1);
  if (weekday.empty() || !has(days, join({" ", weekday, " "})) || !starts(rest, " ")) return {};

  const vector<string> part = words(view(rest).substr(1));
  if (part.size() != (comma ? 5 : 4) || (comma && part[4] != "GMT")) return {};

  const string &day = part[comma ? 0 : 1], &year = part[comma ? 2 : 3];
  d.month = month_of(part[comma ? 1 : 0]);
  const bool good = between(day, 1, 31, d.day) && d.month > 0 && time_of_day(part[comma ? 3 : 2], d)
      && to_number(year, d.year);
  if (comma && year.size() == 2) d.year = full_year(d.year, 1970 + now / 31556952);  // a mean year
  if (!good || d.year < 1970 || d.year > 9999) return {};
  return since_1970(d);
}

inline bool is_date(view s) {
  return http_date(s).has_value();
}

inline unsigned retry_after(view after, view date) {  // in seconds; 0: there is none
  uint64_t seconds = 0;

  if (!to_number(after, seconds)) {
    const maybe_time then = http_date(after), now = http_date(date);
    seconds = then && now && *then > *now ? *then - *now : 0;
  }
  return unsigned((std::min)(seconds, uint64_t{1} << 30));
}

// The ETag unless weak (Seafile's has no quotes), else a date a minute old (RFC 9110 8.8.2.2).
inline string validator(const headers& all) {
  const string tag = find(all, "etag"), date = find(all, "last-modified");
  if (!tag.empty() && !starts(tag, "W/")) return printable(tag);

  const maybe_time then = http_date(date);
  const maybe_time sent = http_date(find(all, "date"));
  return then && sent && *sent >= *then + 60 ? date : string();
}

// What a redirect's Set-Cookie left, for the rest of that chain of redirects and no longer
// (RFC 6265). Values are secrets of the server's.
struct cookie {
  string name{}, value{};
  string host{}, port{};    // whose it is; a host on another port may be another's
  string path{};            // where it is sent to, and below
  bool subdomains = false;  // of host too
  bool secure = false;      // over https only
};

using cookies = vector<cookie>;

// more than any login needs (browsers keep 50 of 4096 bytes for a host, RFC 6265 6.1)
enum : size_t { most_cookies = 50, cookie_size = 4096, cookies_size = 16384 };

inline string own_port(const url& u) {  // empty: the usual one of its scheme
  const char* usual = u.scheme == "https" ? "443" : "80";
  return u.port == usual ? string() : u.port;
}

inline string bare_path(const url& u) {
  return u.path.substr(0, u.path.find('?'));
}

inline bool below(view host, view domain) {
  return ends(host, join({".", domain}));
}

// A host may share a cookie with its siblings, but not with all of a registry: without the list of
// public suffixes that is a domain of two labels or more, and of three below those like "co.uk".
inline bool may_share(view host, view domain) {
  const size_t dot = domain.rfind('.');
  const bool address = has(host, ":") || only(host, "0123456789.");
  if (address || dot == npos || dot == 0) return false;

  const view name = domain.substr(0, dot), top = domain.substr(dot + 1);
  const bool registry = !has(name, ".") && name.size() <= 3 && top.size() == 2;
  return !registry && (host == domain || below(host, domain));
}

// "/a" covers "/a" and "/a/b", not "/ab" (RFC 6265 5.1.4)
inline bool covers(view folder, view path) {
  if (!starts(path, folder)) return false;
  return path.size() == folder.size() || ends(folder, "/") || path[folder.size()] == '/';
}

inline bool has_gone(view age, view expires, uint64_t now) {  // Max-Age wins
  uint64_t seconds = 0;
  if (!age.empty()) return starts(age, "-") || (to_number(age, seconds) && seconds == 0);
  const maybe_time then = http_date(expires, now);
  return then && *then <= now;
}

struct cookie_attributes {
  string domain{}, path{}, age{}, expires{};
  bool secure = false;
};

inline cookie_attributes attributes_of(view rest) {  // what stands behind the first ';'
  cookie_attributes a;

  for (view one : words(rest, ';')) {
    const string key = lower(trim(take(one, '=')));
    const view value = trim(one);
    if (key == "domain") a.domain = lower(value.substr(starts(value, ".") ? 1 : 0));
    if (key == "path") a.path = value;
    if (key == "max-age") a.age = value;
    if (key == "expires") a.expires = value;
    if (key == "secure") a.secure = true;
  }
  return a;
}

// Takes one Set-Cookie of an answer from `at`; what is malformed or not for that host is nothing.
inline void take_cookie(cookies& jar, const url& at, view line, uint64_t now = this_moment()) {
  if (line.size() > cookie_size || has(line, "\t")) return;

  view pair = take(line, ';');
  const bool named = has(pair, "=");
  const string name(trim(take(pair, '='))), host = lower(at.host), path = bare_path(at);
  const cookie_attributes a = attributes_of(line);
  const bool shared = !a.domain.empty() && may_share(host, a.domain);
  if (!named || name.empty() || (a.secure && at.scheme != "https")) return;
  if (!a.domain.empty() && a.domain != host && !shared) return;

  cookie c;
  c.name = name;
  c.value = trim(pair);
  c.host = shared ? a.domain : host;
  c.port = own_port(at);
  c.path = starts(a.path, "/") ? a.path : path.substr(0, (std::max)(path.rfind('/'), size_t{1}));
  c.subdomains = shared;
  c.secure = a.secure;

  const auto same = [&c](const cookie& o) {
    return o.name == c.name && o.host == c.host && o.port == c.port && o.path == c.path;
  };
  jar.erase(std::remove_if(jar.begin(), jar.end(), same), jar.end());
  if (has_gone(a.age, a.expires, now) || jar.size() >= most_cookies) return;
  jar.push_back(std::move(c));
}

inline bool goes_to(const cookie& c, const url& to) {
  const string host = lower(to.host);
  const bool its_host = c.host == host || (c.subdomains && below(host, c.host));
  const bool open = !c.secure || to.scheme == "https";
  return its_host && open && c.port == own_port(to) && covers(c.path, bare_path(to));
}

// The headers of a request to `to`, with the jar's cookies behind the user's own in one Cookie. A
// server that sets a name anew means its own value.
inline vector<string> with_cookies(const vector<string>& lines, const cookies& jar, const url& to) {
  vector<const cookie*> fit;
  vector<string> all;
  string sent;

  const auto goes_first = [](const cookie* a, const cookie* b) {
    return a->path.size() > b->path.size();
  };
  for (const cookie& c : jar)
    if (goes_to(c, to)) fit.insert(std::upper_bound(fit.begin(), fit.end(), &c, goes_first), &c);
  if (fit.empty()) return lines;

  const auto add = [&sent](view pair) {
    const string separated = join({sent.empty() ? "" : "; ", pair});
    if (sent.size() + separated.size() <= cookies_size) sent += separated;
  };
  const auto is_new = [&fit](view name) {
    return std::any_of(fit.begin(), fit.end(), [name](auto c) { return c->name == name; });
  };
  for (const string& line : lines) {
    if (name_of(line) != "cookie") {
      all.push_back(line);
      continue;
    }
    for (const string& pair : words(view(line).substr(line.find(':') + 1), ';'))
      if (!is_new(trim(view(pair).substr(0, pair.find('='))))) add(trim(pair));
  }
  for (const cookie* c : fit)
    add(join({c->name, "=", c->value}));
  all.push_back("Cookie: " + sent);
  return all;
}

// what scrub() has to hide: the user's headers, and what servers gave
inline vector<string> secret_lines(const vector<string>& lines, const cookies& jar) {
  vector<string> all = lines;
  for (const cookie& c : jar)
    all.push_back(join({"Cookie: ", c.name, "=", c.value}));
  return all;
}

struct entry {  // of a receipt, in the format of sha256sum
  string file{}, sha256{}, origin{}, etag{};
  uint64_t size = 0;  // 0: not told
  bool unverified = false;
};

using receipt = vector<entry>;

inline const entry* find(const receipt& r, view file) {
  for (const entry& e : r)
    if (e.file == file) return &e;
  return nullptr;
}

inline string write_receipt(const receipt& r, const string& date) {
  string s = join({"# vqcache 0.2.0 ", date, "\n"}), sums;
  for (const entry& e : r) {
    if (e.size != 0) s += join({"# size ", e.size, " ", e.file, "\n"});
    if (!e.origin.empty()) s += join({"# origin ", printable(e.origin), " ", e.file, "\n"});
    if (!e.etag.empty()) s += join({"# etag ", printable(e.etag), " ", e.file, "\n"});
    if (e.unverified) s += join({"# unverified ", e.file, "\n"});
    sums += join({e.sha256, "  ", e.file, "\n"});
  }
  return s + sums;
}

inline receipt read_receipt(view s) {  // "DIGEST  FILE"; facts: "# KEY VALUE FILE"
  receipt r;
  for (const bool facts : {false, true})
    for (view rest = s; !rest.empty();) {
      view line = trim(take(rest, '\n'));
      const view digest = line.substr(0, 64);
      const bool sum = is_digest(digest) && line.substr(64, 1) == " ";
      const view file = line.substr((std::min)(line.size(), sum ? 66 : line.rfind(' ') + 1));
      line.remove_suffix(file.size());
      const bool fact = take(line, ' ') == "#";
      const view key = take(line, ' '), value = line.substr(0, line.rfind(' '));
      auto e = std::find_if(r.begin(), r.end(), [&](const entry& one) { return one.file == file; });
      const bool makes = sum || key == "size";  // a receipt that was cut may lack a digest
      if (file.empty() || !(facts ? fact : sum) || (e == r.end() && !makes)) continue;
      if (e == r.end()) e = r.insert(e, {string(file)});
      if (sum && e->sha256.empty()) e->sha256 = lower(digest);
      if (key == "size") to_number(value, e->size);
      if (key == "origin") e->origin = value;
      if (key == "etag") e->etag = value;
      if (key == "unverified") e->unverified = true;
    }
  return r;
}

enum : uint64_t { endless = ~uint64_t{0} };

struct range {
  uint64_t at = 0, end = endless;
};

using ranges = vector<range>;

// Which file an unfinished one is to become: without a digest or a validator none is continued.
struct identity {
  string pin{};        // the digest of the whole file
  string url{};        // the SHA-256 of its URL, which may itself hold secrets
  string validator{};  // of the server's file
  uint64_t total = 0;  // bytes, 0: not known

  bool usable() const { return !pin.empty() || !validator.empty(); }
};

struct record {  // beside an unfinished file: whose, of what, what is to come
  string owner{};
  identity id{};
  ranges todo{};          // what has not come; empty: what the file's size lacks
  ranges safe{};          // what a power cut may have taken, or has not come
  bool released = false;  // by a call that ended without the whole file
};

inline string write_ranges(const ranges& all) {  // "10-20 50-", padded
  string s;
  for (const range& r : all)
    s += join({r.at, "-", r.end == endless ? "" : join({r.end}), " "});
  s.resize((std::max)(s.size(), size_t{1360}), ' ');  // to be written over
  return s;
}

inline ranges read_ranges(view s) {  // malformed: the whole file
  ranges all;
  for (s = trim(s); !s.empty();) {
    view one = take(s, ' ');
    range r;
    if (!to_number(take(one, '-'), r.at) || (!one.empty() && !to_number(one, r.end)) || r.end < r.at
        || (!all.empty() && r.at < all.back().end))
      return {range()};
    all.push_back(r);
  }
  return all;
}

inline uint64_t sum(const ranges& all) {
  uint64_t n = 0;
  for (const range& r : all)
    n += r.end - r.at;
  return n;
}

inline ranges within(const ranges& gaps, uint64_t size, uint64_t total) {
  ranges r;  // the gaps of a file of `size` bytes that is to have `total` (0: not known)
  for (const range& g : gaps)
    if (g.at < size) r.push_back({g.at, (std::min)(g.end, size)});
  if (r.empty() || r.back().end < size) r.push_back({size, size});
  r.back().end = total ? total : uint64_t{endless};
  if (r.back().at >= r.back().end) r.pop_back();
  return r;
}

inline record read_record(view s) {
  record r{string(trim(take(s, '\n'))), {}, {}, {range()}, false};
  while (has(s, "\n")) {  // a line without its end is not whole
    view line = take(s, '\n');
    const view key = take(line, ' ');
    if (key == "pin" && is_digest(line)) r.id.pin = line;
    if (key == "url") r.id.url = line;
    if (key == "validator") r.id.validator = line;
    if (key == "total") to_number(line, r.id.total);
    if (key == "todo") r.todo = read_ranges(line);
    if (key == "safe") r.safe = read_ranges(line);
    if (key == "released") r.released = true;
  }
  for (ranges* list : {&r.todo, &r.safe}) {  // nothing may reach beyond the file
    if (r.id.total == 0 || list->empty()) continue;
    if (list->back().at > r.id.total) *list = {range()};
    list->back().end = (std::min)(list->back().end, r.id.total);
  }
  return r;
}
enum class kind { text, binary };  // a config, a checkpoint

inline string first_words(view page) {  // a person would see: no tags, scripts, styles
  const string low = lower(page);
  string out;
  for (size_t i = 0; i < page.size() && out.size() < 164; ++i) {  // more than is shown
    const bool tag = page[i] == '<', space = tag || static_cast<unsigned char>(page[i]) <= 0x20;
    if (space && !out.empty() && out.back() != ' ') out += ' ';
    if (!space && !is_control(page[i])) out += page[i];
    if (!tag) continue;
    for (const string hidden : {"script", "style"})
      if (low.compare(i + 1, hidden.size(), hidden) == 0) i = low.find(join({"</", hidden}), i);
    if ((i = low.find('>', i)) == npos) break;
  }
  return join({"\"", trim(readable(out, 160)), "\""});
}

// ---- what a file is by its first and last bytes, where no digest tells

inline constexpr size_t short_text = 4096;  // bytes; no checkpoint is so short and all text

// A file as far as it was looked at. size: of the whole file; 0: more may come than the head has.
struct specimen {
  kind want = kind::binary;
  view head{};
  uint64_t size = 0;
  view content_type{};

  bool is_whole() const { return size != 0 && size == head.size(); }
};

// For a person: UTF-8, or an older encoding in which most is ASCII, and nothing that moves a cursor
// or that only binary data has. A first byte that is no character is a mark of some format.
inline bool is_readable_text(view s) {
  constexpr size_t shortest = 12;  // in an older encoding; fewer bytes may be anything
  size_t strange = 0;
  view rest = s;
  while (!rest.empty()) {
    if (is_control(rest[0]) && !has("\b\t\n\v\f\r\x1b", {rest.data(), 1})) return false;
    const size_t n = utf8_length(rest);
    strange += n == 0 ? 1 : 0;
    rest.remove_prefix((std::max)(n, size_t{1}));
  }
  const bool is_older = utf8_length(s) > 0 && s.size() >= shortest && strange * 4 <= s.size();
  return strange == 0 || is_older;
}

// Behind the closing quotation mark of a string that s begins with; npos: it does not end here.
inline size_t end_of_quoted(view s) {
  const char mark = s[0];
  for (size_t i = 1; i < s.size(); ++i) {
    const bool escaped = mark == '"' ? s[i] == '\\' : starts(s.substr(i), "''");
    if (escaped)
      ++i;
    else if (s[i] == mark)
      return i + 1;
  }
  return npos;
}

inline view without_blanks(view s) {  // at its front
  s.remove_prefix((std::min)(s.find_first_not_of(" \t\n\v\f\r"), s.size()));
  return s;
}

// The keys of the outermost mappings of JSON or of YAML's flow style ({a: 1, "b": [2]}).
inline vector<string> flow_keys(view s) {
  vector<string> keys;
  string word;
  size_t depth = 0, outermost = npos;

  while (!s.empty()) {
    const char c = s[0];
    const bool quoted = (c == '"' || c == '\'') && trim(word).empty();  // not that of "don't"
    const size_t n = quoted ? end_of_quoted(s) : 1;
    if (n == npos) break;

    if (c == '{') outermost = (std::min)(outermost, depth);
    if (c == '{' || c == '[') ++depth;
    if ((c == '}' || c == ']') && depth > 0) --depth;
    const bool ends_key = c == ':' && outermost != npos && depth == outermost + 1;
    if (ends_key && !trim(word).empty()) keys.emplace_back(trim(word));

    if (quoted)
      word = s.substr(1, n - 2);
    else if (has("{}[],:", {&c, 1}))
      word.clear();
    else
      word += c == '\n' || c == '\r' ? ' ' : c;
    s.remove_prefix(n);
  }
  return keys;
}

// The key that a line of YAML's block style begins with; empty: none.
inline string block_key(view line) {
  if (line.empty() || has("#%@`{}[],|>", line.substr(0, 1))) return {};
  if (starts(line, "? ")) return "?";  // a key of several lines

  const bool quoted = line[0] == '"' || line[0] == '\'';
  size_t colon = quoted ? end_of_quoted(line) : line.find(':');
  if (colon == npos) return {};
  if (quoted) colon += (std::min)(line.substr(colon).find_first_not_of(' '), line.size() - colon);

  const auto ends_key = [line](size_t at) {
    return at < line.size() && line[at] == ':'
        && (at + 1 == line.size() || has(" \t", line.substr(at + 1, 1)));
  };
  while (!quoted && colon != npos && !ends_key(colon))
    colon = line.find(':', colon + 1);
  if (colon == npos || !ends_key(colon)) return {};

  const view key = trim(line.substr(0, colon));
  const bool remark = !quoted && has(key, " #");
  return remark ? string() : string(quoted ? key.substr(1, key.size() - 2) : key);
}

struct mapping {                                  // what a text says of itself as YAML
  vector<string> keys{};                          // of the outermost mapping
  size_t lines = 0;                               // that are neither empty nor remarks
  bool in_flow_style = false, in_quotes = false;  // the first key

  bool has_only_remarks() const { return lines == 0; }

  // "Rate limit exceeded: come back later" is YAML, too; a config of one line has no such key
  bool is_prose() const {
    const bool plain = !in_flow_style && !in_quotes;
    return plain && lines == 1 && keys.size() == 1 && has(keys[0], " ");
  }
};

// In a text in block style the first line has a key, or the text is no mapping (YAML 1.2.2, 8.2.2).
// In a list ("- a: 1") any line may have one.
inline mapping read_mapping(view s) {
  mapping found;
  bool listed = false;
  s.remove_prefix(starts(s, "\xEF\xBB\xBF") ? 3 : 0);

  while (!s.empty()) {
    const view rest = s;
    view line = s.substr(0, s.find_first_of("\r\n"));
    s.remove_prefix((std::min)(line.size() + 1, s.size()));
    const bool is_outer = !line.empty() && !has(" \t", line.substr(0, 1));
    line = without_blanks(line);

    // what may stand before a document and its first node: a directive, ---, a tag, an anchor
    if (starts(line, "%") || starts(line, "...")) continue;
    if (starts(line, "---")) line = without_blanks(line.substr(3));
    while (starts(line, "!") || starts(line, "&")) {
      line = without_blanks(line.substr((std::min)(line.find_first_of(" \t"), line.size())));
    }
    if (line.empty() || line[0] == '#') continue;

    const bool first = found.lines++ == 0;
    if (first && (line[0] == '{' || line[0] == '[')) {
      found.in_flow_style = true;
      found.keys = flow_keys(rest.substr(size_t(line.data() - rest.data())));
      return found;
    }
    const bool is_entry = line == "-" || starts(line, "- ");
    listed = listed || (first && is_entry);
    while (starts(line, "- "))
      line = without_blanks(line.substr(2));

    string key = block_key(line);
    found.in_quotes = found.in_quotes || (first && has("\"'", line.substr(0, 1)));
    if (key.empty() && listed && starts(line, "{") && !flow_keys(line).empty()) key = "{";
    if (first && key.empty() && !listed) return found;
    if (!key.empty() && (first || is_outer || listed)) found.keys.push_back(std::move(key));
  }
  return found;
}

// Whether these keys, all of them, are those of a server that says what went wrong.
inline bool are_of_an_answer(const vector<string>& keys) {
  constexpr const char* telling =
      " error errors error_msg error_message error_code error_description errormessage errorcode"
      " errmsg err exception failure fault forbidden unauthorized denied sorry note notice warning"
      " fatal message messages msg detail details reason code status statuscode status_code result"
      " success ok ";
  constexpr const char* beside =
      " type title instance path timestamp url documentation_url data id request_id requestid"
      " x-request-id trace_id host help info ";
  bool tells = false;
  for (const string& key : keys) {
    const string word = join({" ", lower(key), " "});
    if (!has(telling, word) && !has(beside, word)) return false;
    tells = tells || has(telling, word);
  }
  return tells;
}

// Names of which one alone is enough, where there are few: a tokenizer's config may say how it
// takes "errors", among much else.
inline bool has_key_of_an_error(const vector<string>& keys) {
  if (keys.size() > 3) return false;
  constexpr const char* sure = " error errors error_msg error_message errormessage errmsg ";
  return std::any_of(keys.begin(), keys.end(),
      [](const string& key) { return has(sure, join({" ", lower(key), " "})); });
}

// Why a text is no config; empty: it may be one.
inline string not_a_config(const specimen& seen) {
  const auto says = [&seen] {
    return "that says " + first_words(seen.head.substr(0, 400));
  };
  if (has(seen.head, "\nmodel:")) return {};  // whatever stands before it
  if (seen.size == 0) return {};              // the rest of its first line may be to come

  const mapping m = read_mapping(seen.head);
  if (m.has_only_remarks()) return seen.is_whole() ? "remarks alone " + says() : string();
  if (m.keys.empty()) return "a text without a single key " + says();

  const bool answer = m.is_prose() || are_of_an_answer(m.keys);
  return seen.is_whole() && answer ? "an error text " + says() : string();
}

inline bool has_model(view s) {  // as the config of a VQGAN has
  const string low = lower(s.substr(0, 1024));
  return s.find('\0') == npos && has("\n" + low, "\nmodel:") && has(low, "target:");
}

// Which page or answer of a server these bytes are, from the first that is no white space on.
inline string page_or_answer(const specimen& seen, view s) {
  const string low = lower(s.substr(0, 1024));
  const auto says = [s](size_t n) {
    return "that says " + first_words(s.substr(0, n));
  };
  const bool nul = has(seen.head, {"", 1}), html = has(lower(seen.content_type), "text/html");
  const bool merge = seen.want == kind::text && starts(s, "<<")
      && starts(without_blanks(s.substr(2)), ":");  // YAML's key for what another mapping has

  bool page = html || starts(low, "<!doctype html");
  for (const char* tag : {"<html", "<body", "<head"})
    page = page || has(low, tag);
  if (s[0] == '<' && page) return "an HTML page (a login, quota or error page?) " + says(npos);
  // a safetensors file begins with a number of 8 bytes, which may look like a tag
  const bool number = has(seen.head.substr(0, 8), {"", 1});
  if (s[0] == '<' && !merge && !number) return "an XML document " + says(npos);
  if (starts(s, "version https://git-lfs"))
    return join({"a git-lfs pointer, not the file it points to (", first_words(s.substr(0, 60)),
        "): use the URL of the raw or resolved file"});

  const bool json = !nul && only(s.substr(0, 1), "{[");
  const vector<string> keys = json ? flow_keys(s) : vector<string>();
  const bool config = std::find(keys.begin(), keys.end(), "model") != keys.end();
  if (!config && (are_of_an_answer(keys) || has_key_of_an_error(keys)))
    return "a JSON answer " + says(400);

  return html && !nul && !has_model(s) ? "an HTML page " + says(npos) : string();
}

// Which file it is instead of the config (want: text) or of the checkpoint.
inline string other_of_the_pair(kind want, view head, view s) {
  if (want == kind::binary)
    return has_model(s) ? join({"a config (", first_words(s.substr(0, 60)), ")"}) : string();
  if (starts(head, "PK\x03\x04")) return "a zip archive, as checkpoints are";
  if (starts(head, "\x1f\x8b")) return "gzip-compressed data";
  if (starts(head, "\x80")) return "a pickle, as checkpoints are";
  return has(head, {"", 1}) ? "binary data (it has NUL bytes)" : "";
}

// Why it is not the file that is wanted, as far as its head shows; empty: it may be.
inline string not_the_file(const specimen& seen) {
  const view head = seen.head;
  if (head.empty()) return "an empty file";  // no answer: it may be the file
  const view s = without_blanks(head.substr(starts(head, "\xEF\xBB\xBF") ? 3 : 0));
  if (s.empty()) return "nothing but white space";

  if (string what = page_or_answer(seen, s); !what.empty()) return what;
  if (const string what = other_of_the_pair(seen.want, head, s); !what.empty())
    return what + "; are the URLs of config and checkpoint swapped?";
  if (seen.want == kind::text) return not_a_config(seen);

  const bool short_one = seen.is_whole() && seen.size < short_text && is_readable_text(head);
  return short_one ? "a short text that says " + first_words(s.substr(0, 400)) : string();
}

inline string not_the_file(kind want, view head, view content_type, uint64_t size = 0) {
  return not_the_file(specimen{want, head, size, content_type});
}

// Whether the end record of a zip archive is there: it names its own length (APPNOTE 4.3.16). Some
// stores fill the last block up; what unpacks looks for the record, and so do we.
inline bool zip_has_end(view tail) {
  constexpr size_t record_size = 22;
  constexpr view padding("\0 \t\r\n\x1a\xff", 7);
  for (size_t at = tail.size(); at > 0;) {
    at = tail.rfind("PK\x05\x06", at - 1);
    if (at == npos) return false;
    if (at + record_size > tail.size()) continue;

    const auto byte = [&](size_t i) {
      return size_t{static_cast<unsigned char>(tail[at + i])};
    };
    const size_t end = at + record_size + (byte(20) | byte(21) << 8);
    if (end <= tail.size() && only(tail.substr(end), padding)) return true;
  }
  return false;
}
}  // namespace text

// ==== >>catalog ==== published models: names, aliases, URLs, digests, sizes ====
namespace catalog {
// Facts of public sources; "" and 0: unknown. The first place is the origin; mirrors need a digest.
// In a place, `parts` replaces its first column by the second (config) or third (checkpoint).
// clang-format off
inline constexpr const char* parts[][3] = {
  {"heibox:", "https://heibox.uni-heidelberg.de/d/"}, {"*", "yaml", "ckpt"},
  {"pixray:", "https://github.com/pixray/pixray/releases/download/v1.7.1/vqgan_"},
  {"somnai", "hf:Somnai/pytti-vqgan-checkpoints/resolve/debc22c8f285c7734980c464ff992d335dde6e9a"},
  {"pytti:", "hf:pxlpshr/pytti-models/resolve/main/vqgan/"}, {"hf:", "https://huggingface.co/"},
  {"|", "/files/?p=%2F#&dl=1"}, {"#", "configs%2Fmodel.yaml", "ckpts%2Flast.ckpt"},
  {"@", "configs%2F2020-11-09T13-31-51-project.yaml", "checkpoints%2Flast.ckpt"}};
inline constexpr struct row {  // [0]: of the config, [1]: of the checkpoint
  const char *name, *aliases, *places, *sha256[2]; uint64_t size[2]; } all[] = {
  {"vqgan_imagenet_f16_16384", "imagenet_f16_16384 imagenet_16384 vqgan16 imagenet",
   "heibox:a7530b09fed84f80a887| somnai/imagenet/imagenet.* pytti:imagenet.*",
   {"00e2c6189926f1d89ecfef73e9598db77981c1982f0555fbade963ffd16143c7",
    "845a68805098cb666420d5db93df53f3a3b6dd443e6dd85c05759c5b998cd663"}, {692, 980092370}},
  {"vqgan_imagenet_f16_1024", "imagenet_f16_1024 imagenet_1024 imagenet_vqgan imagenet",
   "heibox:8088892a516d4e3baf92|",
   {"cbd6fa371d07bf5bb960e32186e6e81356accbefdcc722bf94583b6a98bda00c", ""}, {645, 957954257}},
  {"vqgan_gumbel_f8_8192", "gumbel_f8_8192 gumbel_8192 openimages openimages_f16_8192",
   "heibox:2e5662443a6b4307b470| somnai/openimages/openimages.* pytti:openimages.*",
   {"91110bab325067b37f85d1e75895a837d59c292bae4f3097f80c518714d5caff",
    "5cd6c74810ab97e00e942c25403f73afc081e8b19987b31ec0d9ff5b68e7ab14"}, {745, 376581823}},
  {"wikiart_16384", "vqgan_wikiart_16384 wikiart_f16_16384_8145600 wikiart_16384m wikiart",
   "pixray:wikiart_16384.* somnai/wikiart/wikiart.* pytti:wikiart.*",
   {"6e78241d2828ff35b8381839ce249c24a6c468ed429760d33a25e98e7f24499a",
    "bd08bb46301f98be1712bb2be9f8868cea30b53137cd985d4d6e8da8b3e02c36"}, {920, 1005327541}},
  {"wikiart_1024", "vqgan_wikiart_1024 vqgan_wikiart_f16_1024 wikiart_1024m wikiart",
   "pixray:wikiart_1024.*", {"", ""}, {0, 0}},
  {"sflckr", "sflickr s-flckr 2020-11-09T13-31-51_sflckr",
   "heibox:73487ab6e5314cb5adba/files/?p=%2F@&dl=1 somnai/sflickr/sflickr.* pytti:sflckr.*",
   {"c27f012996f3f1f02580f063be47fd60bdd8528efb04d7318b2cbe8a86505b1b",
    "8a8adea3da8dab412675772831370dd948e0aa97bb11a9488a2f328b58dbc929"}, {1603, 4263525412}},
  {"coco_first_stage", "coco_1stage coco_vqgan lstage coco",
   "https://batbot.ai/models/VQGAN/coco_first_stage.* somnai/coco/coco.* pytti:coco_first_stage.*",
   {"17d0c2d9fda59eccade2a6070d833804b759dc817da42c2268be8cf1eb047676",
    "106cc20fde571df14afc4349d62218d8213cf47177c682ecaa78a8c28b12f9de"}, {458, 296030214}},
  {"coco_transformer", "vqgan_coco_f16_8192 coco", "https://dl.nmkd.de/ai/clip/coco/coco.*",
   {"", ""}, {0, 0}},
  {"faceshq_transformer", "faceshq vqgan_faceshq_f16_1024", "somnai/faceshq/faceshq.*",
   {"726ca97fb266c3c744f26e5aba2e579a51e310eee711a15f22224031dfdd57e2",
    "3274bba51bd565c90990bbcf7bb5dad0b9b95a6a77011980afc4c3cfc4d1cad1"}, {0, 0}}};

// clang-format on

inline source sources(const row& r, bool config) {
  const size_t i = config ? 0 : 1;
  source s({}, r.sha256[i]);
  s.size = r.size[i];
  for (string& url : s.urls = text::words(r.places))
    for (const auto& part : parts)
      if (const size_t at = url.find(part[0]); at != npos)
        url.replace(at, std::strlen(part[0]), part[2] ? part[1 + i] : part[1]);
  return s;
}

inline vector<const row*> find(const string& name) {
  vector<const row*> by_alias;  // several: an ambiguous one
  for (const row& r : all) {
    if (name == r.name) return {&r};
    if (text::has(text::lower(join({" ", r.aliases, " "})), join({" ", text::lower(name), " "})))
      by_alias.push_back(&r);
  }
  return by_alias;
}

using models = vector<known_model>;

inline models known() {
  models of_all;
  for (const row& r : all)
    of_all.push_back({r.name, text::words(r.aliases), sources(r, true), sources(r, false)});
  return of_all;
}
}  // namespace catalog

// ==== >>os ==== asks the operating system; the only room that knows which system this is ====
// Every function gives 0 or an errno value unless it says otherwise.
}  // namespace detail
}  // namespace VQCACHE_ABI_
}  // namespace vqcache

#include <fcntl.h>
#include <signal.h>
#if defined(_WIN32)
#include <io.h>
#include <process.h>
// as <windows.h> declares them, which would bring 18,000 macros; the rest is found by these
struct HINSTANCE__;
extern "C" {
__declspec(dllimport) std::intptr_t(
    __stdcall* __stdcall GetProcAddress(HINSTANCE__*, const char*))();
__declspec(dllimport) HINSTANCE__* __stdcall LoadLibraryExA(const char*, void*, unsigned long);
__declspec(dllimport) unsigned long __stdcall GetLastError();
}
#define VQCACHE_OS_(windows, others) windows
#else
// ROOT brings a glibc of its own, which may be older than these headers: it lacks two attributes
#if defined(__CLING__) && !defined(__attr_dealloc)
#define __attr_dealloc(function, argument)
#include <dirent.h>
#undef __attr_dealloc
#endif
#if defined(__CLING__) && !defined(__fortified_attr_access)
#define __fortified_attr_access(access, to, size)
#include <poll.h>
#undef __fortified_attr_access
#endif
#include <dirent.h>
#include <dlfcn.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#if defined(__APPLE__)
#include <crt_externs.h>
#elif defined(__linux__)
#include <sys/ioctl.h>
#include <sys/vfs.h>
#endif
#define VQCACHE_OS_(windows, others) others
#endif
#if defined(__GLIBC__)  // where the plain names may have offsets of 32 bits
#define VQCACHE_64_(name) ::name##64
#else
#define VQCACHE_64_(name) ::name
#endif
namespace vqcache {
inline namespace VQCACHE_ABI_ {
namespace detail {
namespace os {
using error::shown;

inline fs::path to_path(const string& utf8) {
#if defined(_WIN32) && defined(__cpp_char8_t)
  return fs::path(std::u8string(utf8.begin(), utf8.end()));
#else
  return VQCACHE_OS_(fs::u8path(utf8), utf8);
#endif
}

inline int value(const std::error_code& e) {  // as errno has it
  const std::error_condition c = e.default_error_condition();
#if defined(_WIN32)
  if (c.category() != std::generic_category()) return EIO;  // a number of Windows is no errno
#endif
  return c.value();  // also one that std::errc has no name for: EDQUOT, ESTALE
}

inline bool is_terminal(std::FILE* f) {
  return VQCACHE_OS_(::_isatty(::_fileno(f)), ::isatty(::fileno(f))) != 0;
}

inline void print(const string& text, std::FILE* to) {
#if VQCACHE_INTERPRETED
  if (to == stdout) return (void)(std::cout << text << std::flush);
#endif
  std::fwrite(text.data(), 1, text.size(), to);
  std::fflush(to);
}

inline void print_line(const string& text) {  // in one piece, and without memory
#if VQCACHE_INTERPRETED
  std::cout << text << '\n' << std::flush;
#else
  std::printf("%.*s\n", int((std::min)(text.size(), size_t{1} << 20)), text.c_str());
  std::fflush(stdout);
#endif
}

inline constexpr const char* libcurl_names[] = {
#if defined(_WIN32)
    "libcurl-x64.dll", "libcurl.dll", "libcurl-4.dll"};
#elif defined(__APPLE__)  // never a bare name: dlopen would look in the working directory
    "/usr/lib/libcurl.4.dylib", "@rpath/libcurl.4.dylib"};
#else
    "libcurl.so.4", "libcurl-gnutls.so.4", "libcurl-nss.so.4"};
#endif
template <class R, class... A>
inline R call(void* f, A... a) {  // a function found at run time
  return reinterpret_cast<R (*)(A...)>(f)(a...);
}

inline void* load(const char* name) {  // Windows: of the program, added, of the system
  return VQCACHE_OS_(::LoadLibraryExA(name, nullptr, 0xe00), ::dlopen(name, RTLD_NOW | RTLD_LOCAL));
}

inline void* symbol(void* library, const char* name) {  // null: what the process has already
  return VQCACHE_OS_(
      reinterpret_cast<void*>(::GetProcAddress(static_cast<HINSTANCE__*>(library), name)),
      ::dlsym(library ? library : RTLD_DEFAULT, name));
}
#if defined(_WIN32)
template <class R = int, class... A>
inline R win(const char* name, A... a) {  // of Windows itself
  static void* const kernel = load("kernel32.dll");
  return reinterpret_cast<R(__stdcall*)(A...)>(symbol(kernel, name))(a...);
}

inline void* handle(int fd) {
  return reinterpret_cast<void*>(::_get_osfhandle(fd));
}

// Of what <winerror.h> names, what the standard library has no errno for. A program that is there
// and does not start is not to look like one that is not there.
inline int errno_of(unsigned long windows) {
  enum : unsigned long {
    bad_exe_format = 193,
    exe_machine_type_mismatch = 216,
    virus_infected = 225,
    virus_deleted = 226,
    elevation_required = 740,
    access_disabled_by_policy = 1260,
    no_system_resources = 1450,
    commitment_limit = 1455
  };

  switch (windows) {
    case bad_exe_format:
    case exe_machine_type_mismatch: return ENOEXEC;
    case virus_infected:
    case virus_deleted:
    case elevation_required:
    case access_disabled_by_policy: return EACCES;
    case no_system_resources:
    case commitment_limit: return ENOMEM;
    default: return value({int(windows), std::system_category()});
  }
}

inline int last_error() {
  return errno_of(::GetLastError());
}

template <class T>
inline long at_once(int fd, T* data, size_t n, std::int64_t at) {
  const char* const what = std::is_const_v<T> ? "WriteFile" : "ReadFile";
  std::int64_t place[4] = {}, done = 0;
  place[sizeof(void*) / 4] = at;  // OVERLAPPED: after two pointers
  if (win(what, handle(fd), data, static_cast<unsigned long>(n), &done, &place[0])
      || ::GetLastError() == 38)  // the end of the file
    return long(done);
  return errno = last_error(), -1;
}

// In UTF-8, which to_path() takes: getenv has what the code page of the machine leaves of it.
inline string env(const char* name) {
  const std::wstring wide(name, name + std::strlen(name));  // our names are ASCII
  const wchar_t* const value = ::_wgetenv(wide.c_str());
  if (!value || !*value) return {};

  constexpr unsigned utf8 = 65001;  // CP_UTF8
  const auto convert = [value](char* to, int size) {
    return win<int>("WideCharToMultiByte", utf8, 0UL, value, -1, to, size, nullptr, nullptr);
  };
  const int size = convert(nullptr, 0);  // with its final zero
  string text(size_t(size > 0 ? size : 1), '\0');
  convert(&text[0], size);
  text.pop_back();
  return text;
}
#else
inline string env(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}
#endif
struct pinned {  // what stays where it was made
  pinned() = default;
  pinned(pinned&&) = delete;
};

inline constexpr bool renames_open_files = VQCACHE_OS_(false, true);

class file {  // a descriptor that closes itself; close() tells what only closing can tell
 public:
  explicit file(int fd = -1) : fd_(fd) {}

  file(file&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

  file& operator=(file&& o) noexcept {
    std::swap(fd_, o.fd_);
    return *this;
  }

  ~file() { (void)close(); }

  int fd() const { return fd_; }

  int close() {  // after EINTR it is closed, or being closed
    const int fd = std::exchange(fd_, -1);
    return fd < 0 || VQCACHE_OS_(::_close, ::close)(fd) == 0 || errno == EINTR ? 0 : errno;
  }

 private:
  int fd_;
};

template <class F>
inline auto again(const F& step) {  // for as long as signals break it off
  auto got = step();
  while (got < 0 && errno == EINTR)
    got = step();
  return got;
}

// 0 to 2 may be closed: what the program prints then is not to get into a file or pipe of ours.
inline file above_standard_streams(file f) {
#if defined(_WIN32)
  return f;
#else
  if (f.fd() < 0 || f.fd() > 2) return f;
  return file(::fcntl(f.fd(), F_DUPFD_CLOEXEC, 3));
#endif
}

// Holds the numbers of closed standard streams, so that nothing made meanwhile is one of them, not
// even for the moment until it is lifted.
class standard_places : pinned {
 public:
  standard_places() {
    for (file& place : held_) {
      if (!may_be_closed()) return;
      file next(VQCACHE_OS_(
          ::_open("NUL", _O_RDWR | _O_NOINHERIT), ::open("/dev/null", O_RDWR | O_CLOEXEC)));
      if (next.fd() < 0 || next.fd() > 2) return;  // none is closed
      place = std::move(next);
    }
  }

 private:
  static bool may_be_closed() {  // Windows ends a program that asks about a closed one
#if defined(_WIN32)
    return true;
#else
    for (int fd : {0, 1, 2})
      if (::fcntl(fd, F_GETFD) < 0) return true;
    return false;
#endif
  }

  file held_[3];
};
// link: follows a symbolic link. create: new, with the rights that its directory gives to any file
enum class mode { read, link, create, lock, update };

inline int open(const fs::path& p, mode how, file& out) {
  constexpr int plain = VQCACHE_OS_(_O_BINARY | _O_NOINHERIT, O_CLOEXEC | O_NONBLOCK),
                here = plain | VQCACHE_OS_(0, O_NOFOLLOW);  // O_NONBLOCK: for a FIFO in its place
  static constexpr int flags[] = {O_RDONLY | here, O_RDONLY | plain,
      O_RDWR | here | O_CREAT | O_EXCL, O_RDWR | here | O_CREAT, O_RDWR | here};
  const int way = flags[size_t(how)], perm = VQCACHE_OS_(0600, 0666);
  std::optional<standard_places> held;
  if (how != mode::read && how != mode::link) held.emplace();
  out = file(again([&] { return VQCACHE_OS_(::_wopen, VQCACHE_64_(open))(p.c_str(), way, perm); }));
  out = above_standard_streams(std::move(out));
  return out.fd() < 0 ? errno : 0;
}

// n bytes at a place, in as many steps as it takes; threads can share f. Fewer: EIO, or told by got
template <class F, class T>
inline int in_steps(const F& step, file& f, uint64_t at, T* data, size_t n, size_t* got) {
  size_t done = 0;
  for (long k = 1; done < n && k > 0; done += size_t(k)) {
    const size_t size = (std::min)(n - done, size_t{1} << 30);
    const auto to = std::int64_t(at + done);
    k = again([&] { return step(f.fd(), data + done, size, to); });
    if (k < 0) return errno;
  }
  if (got) *got = done;
  return got || done == n ? 0 : EIO;
}

inline int read_at(file& f, uint64_t at, char* to, size_t n, size_t& got) {
  got = 0;  // less than n: the end
  return in_steps(VQCACHE_OS_(at_once<char>, VQCACHE_64_(pread)), f, at, to, n, &got);
}

inline int write_at(file& f, uint64_t at, view bytes) {
  return in_steps(VQCACHE_OS_(at_once<const char>, VQCACHE_64_(pwrite)), f, at, bytes.data(),
      bytes.size(), nullptr);
}

// EINTR says that nothing was tried; after any other failure the kernel may have dropped the pages
inline int sync(file& f) {
#if defined(F_FULLFSYNC)
  if (::fcntl(f.fd(), F_FULLFSYNC) == 0) return 0;  // fsync leaves them in the disk's own cache
#endif
  return again([&] { return VQCACHE_OS_(::_commit, ::fsync)(f.fd()); }) < 0 ? errno : 0;
}

// A file system or a sandbox that knows no such call, or does not allow it, has lost no byte by
// that. For what is only advice it is no failure; EIO, ENOSPC and their like are one everywhere.
inline bool is_refusal(int e) {
  if (e == EPERM || e == EACCES) return true;
  if (e == EINVAL || e == ENOSYS || e == ESPIPE) return true;
  return e == ENOTSUP || e == EOPNOTSUPP;
}

// A directory that may be entered and written but not read (mode 1733) cannot be opened for this.
inline int sync_directory(const fs::path& p) {
  if (VQCACHE_OS_(true, false)) return 0;  // MOVEFILE_WRITE_THROUGH did it

  file f;
  int e = open(p, mode::link, f);
  if (e == 0) e = sync(f);
  return is_refusal(e) ? 0 : e;
}

inline int read_text(const fs::path& p, string& out, mode how = mode::read) {
  file f;  // at most 64 KiB
  size_t got = 0;
  int e = open(p, how, f);
  for (out.clear(); e == 0 && got == out.size() && got < 65536;) {  // mostly it is little
    out.resize(out.empty() ? 4096 : 65536);
    e = read_at(f, 0, &out[0], out.size(), got);
  }
  out.resize(got);
  return e;
}

inline void sleep_ms(int ms) {
  [[maybe_unused]] const ::timespec time{ms / 1000, ms % 1000 * 1000000L};
  VQCACHE_OS_(win<void>("Sleep", ms), ::nanosleep(&time, nullptr));
}

inline int try_lock(file& f) {  // EWOULDBLOCK: another has it; 2: _LK_NBLCK
  return VQCACHE_OS_(::_locking(f.fd(), 2, 1) == 0 ? 0 : EWOULDBLOCK,
      again([&] { return ::flock(f.fd(), LOCK_EX | LOCK_NB); }) == 0 ? 0 : errno);
}

inline int rename(const fs::path& from, const fs::path& to) {
  for (int wait = 1;; wait *= 2) {
    if (VQCACHE_OS_(win("MoveFileExW", from.c_str(), to.c_str(), 1 | 8),
            ::rename(from.c_str(), to.c_str()) == 0))
      return 0;
    const int e = VQCACHE_OS_(last_error(), errno);
    if (renames_open_files || (e != EACCES && e != EBUSY) || wait > 1024) return e;
    sleep_ms(wait);  // a scanner or a reader holds it: that passes within 2 s
  }
}
enum class fate { alive, gone, restarted, unknown };  // of a process; restarted: of its machine
using child = VQCACHE_OS_(void*, pid_t);
#if defined(_WIN32)
inline string owner(const string& = "") {
  return "windows";
}

struct quiet_signals {  // there are none

  explicit quiet_signals(bool = false) {}
};

struct held_cancel {  // nobody can

  held_cancel() {}
};

struct watch {  // as pollfd
  int fd;
  short events, revents;
};

inline int poll(watch* all, size_t count, int ms) {  // of our pipes alone
  for (int ready = 0, waited = 0;; waited += 5) {
    for (watch* w = all; w != all + count; ++w) {
      unsigned long n = 0;
      const bool open =
          w->fd < 0 || win("PeekNamedPipe", handle(w->fd), nullptr, 0, nullptr, &n, nullptr) != 0;
      ready += w->revents = n > 0 || !open;
    }
    if (ready > 0 || waited >= ms) return ready;
    sleep_ms(5);
  }
}

// What CreateProcess passes on: these handles, and none of another pipe that happens to be there. A
// program that another thread starts at this moment would else hold the ends of our pipes, and we
// would never see their end.
class handle_list : pinned {  // a PROC_THREAD_ATTRIBUTE_LIST
 public:
  ~handle_list() {
    if (ready_) win<void>("DeleteProcThreadAttributeList", get());
  }

  void* get() { return bytes_.data(); }

  int set(void* (&handles)[3]) {                         // which have to outlive it
    constexpr std::uintptr_t list_of_handles = 0x20002;  // PROC_THREAD_ATTRIBUTE_HANDLE_LIST
    size_t size = 0;
    (void)win("InitializeProcThreadAttributeList", nullptr, 1UL, 0UL, &size);  // asks for the size
    bytes_.resize(size);
    ready_ = win("InitializeProcThreadAttributeList", get(), 1UL, 0UL, &size) != 0;
    if (!ready_) return last_error();

    const int done = win("UpdateProcThreadAttribute", get(), 0UL, list_of_handles,
        static_cast<void*>(&handles[0]), sizeof handles, nullptr, nullptr);
    return done != 0 ? 0 : last_error();
  }

 private:
  vector<char> bytes_{};
  bool ready_ = false;
};

class inheritable : pinned {  // while it lives
 public:
  explicit inheritable(void* (&handles)[3]) : handles_(handles) { set(inherit); }

  ~inheritable() { set(0); }

 private:
  static constexpr unsigned long inherit = 1;  // HANDLE_FLAG_INHERIT

  void set(unsigned long to) {
    for (void* one : handles_)
      win("SetHandleInformation", one, inherit, to);
  }

  void* (&handles_)[3];
};

struct startup {  // STARTUPINFOEXW
  unsigned long size;
  void* names[3];
  unsigned long numbers[7], flags;
  void *window, *reserved, *ends[3], *list;
};

struct started {  // PROCESS_INFORMATION
  void *process, *thread;
  unsigned long numbers[2];
};

// Starts a program of System32 with these standard streams and no other handle of ours. 0, or an
// errno value; then nothing runs, and `made` is as it was.
inline int spawn(const vector<string>& argv, const file (&ends)[3], child& made) {
  constexpr unsigned long use_ends = 0x100;               // STARTF_USESTDHANDLES
  constexpr unsigned long no_window = 0x08000000;         // CREATE_NO_WINDOW
  constexpr unsigned long extended_startup = 0x00080000;  // EXTENDED_STARTUPINFO_PRESENT
  constexpr unsigned long longest = 260;                  // MAX_PATH

  wchar_t system[longest] = L"";
  if (win<unsigned>("GetSystemDirectoryW", &system[0], longest) == 0) return last_error();
  const std::wstring program = system + (L"\\" + to_path(argv[0]).wstring()) + L".exe";
  std::wstring line;
  for (const string& a : argv) {
    if (!line.empty()) line += L' ';
    line += L"\"" + to_path(a).wstring() + L"\"";
  }

  startup how{sizeof how, {}, {}, use_ends, nullptr, nullptr, {}, nullptr};
  for (size_t i = 0; i < 3; ++i)
    how.ends[i] = handle(ends[i].fd());
  handle_list only;
  if (const int e = only.set(how.ends)) return e;
  how.list = only.get();

  started created{};
  const inheritable now(how.ends);
  if (!win("CreateProcessW", program.c_str(), &line[0], nullptr, nullptr, 1,
          no_window | extended_startup, nullptr, nullptr, &how, &created))
    return last_error();

  win("CloseHandle", created.thread);
  made = created.process;
  return 0;
}

// The exit code of a program that ends within so many milliseconds; -1: however long that takes.
inline std::optional<int> ended_within(child c, int ms) {
  int code = 1;
  if (win<unsigned long>("WaitForSingleObject", c, ms) != 0) return std::nullopt;
  win("GetExitCodeProcess", c, &code);
  return code;
}

inline void kill(child c) {
  win("TerminateProcess", c, 1U);
}

inline void forget(child c) {
  win("CloseHandle", c);
}
#else                     // POSIX
// Who owns an unfinished file: a host is a name and a process namespace, since containers share
// disks and process numbers; the start time tells a process from a later one of the same number.
inline string owner(const string& pid = std::to_string(::getpid())) {
  char host[256] = "";
  string boot, stat;
  std::error_code none;
  (void)::gethostname(host, sizeof host - 1);
  (void)read_text("/proc/sys/kernel/random/boot_id", boot);
  (void)read_text("/proc/" + pid + "/stat", stat);
  view rest = stat.erase(0, stat.rfind(')') + 1);
  for (int i = 0; i < 20; ++i)
    text::take(rest, ' ');  // the start is field 22 of proc(5)
  return join({host, "/", shown(fs::read_symlink("/proc/self/ns/pid", none)), " ", text::trim(boot),
      " ", pid, " ", text::take(rest, ' ')});
}

// While one lives, writing to a peer that is gone (libcurl with an older OpenSSL does), or beyond
// the limit of file sizes, is an error and not the end of the program. all: no signal comes here.
class quiet_signals : pinned {
 public:
  explicit quiet_signals(bool all = false) {
    sigset_t set;
    (void)(all ? sigfillset(&set) : sigemptyset(&set));
    for (int s : {SIGPIPE, SIGXFSZ})
      sigaddset(&set, s);
    ::sigpending(&pending_);
    ::sigprocmask(SIG_BLOCK, &set, &before_);  // as pthread_sigmask, which not every libc has
  }

  ~quiet_signals() {
    sigset_t now, one;
    ::sigpending(&now);
    for (int s : {SIGPIPE, SIGXFSZ}) {
      sigemptyset(&one);
      sigaddset(&one, s);
      if (sigismember(&now, s) > sigismember(&pending_, s)) ::sigwait(&one, &s);
    }
    ::sigprocmask(SIG_SETMASK, &before_, nullptr);
  }

 private:
  sigset_t pending_, before_;
};

// While one lives pthread_cancel() is held back: unwinding for it, which no handler of exceptions
// may end, would go through them, and through noexcept functions. It acts at the thread's next
// cancellation point after.
class held_cancel : pinned {
 public:
#if defined(__ANDROID__)  // has no cancellation
  held_cancel() {}
#else
  held_cancel() { (void)::pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before_); }

  ~held_cancel() { (void)::pthread_setcancelstate(before_, nullptr); }

 private:
  int before_ = 0;
#endif
};
#if defined(__APPLE__)
inline int pipe2(int* ends, int) {
  return ::pipe(ends) || ::fcntl(ends[0], F_SETFD, 1) || ::fcntl(ends[1], F_SETFD, 1) ? -1 : 0;
}

inline char** environment() {
  return *_NSGetEnviron();
}
#else
inline char** environment() {
  return ::environ;
}
#endif
using watch = pollfd;

// What posix_spawn is told; each step gives 0 or an errno value.
class spawn_orders : pinned {
 public:
  ~spawn_orders() {
    if (has_actions_) posix_spawn_file_actions_destroy(&actions_);
    if (has_attributes_) posix_spawnattr_destroy(&attributes_);
  }

  const posix_spawn_file_actions_t* actions() const { return &actions_; }

  const posix_spawnattr_t* attributes() const { return &attributes_; }

  int give(const file (&ends)[3]) {  // as standard input, output and error
    int e = posix_spawn_file_actions_init(&actions_);
    has_actions_ = e == 0;
    for (int i = 0; i < 3 && e == 0; ++i)
      e = posix_spawn_file_actions_adddup2(&actions_, ends[i].fd(), i);
    return e;
  }

  // quiet_signals blocks some in this thread, and the program may ignore them: the new program is
  // to meet them as one that a shell has started.
  int reset_signals() {
    int e = posix_spawnattr_init(&attributes_);
    has_attributes_ = e == 0;
    if (e != 0) return e;

    sigset_t none, quiet;
    (void)sigemptyset(&none);
    (void)sigemptyset(&quiet);
    (void)sigaddset(&quiet, SIGPIPE);
    (void)sigaddset(&quiet, SIGXFSZ);
    e = posix_spawnattr_setsigmask(&attributes_, &none);
    if (e == 0) e = posix_spawnattr_setsigdefault(&attributes_, &quiet);
    if (e != 0) return e;
    int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
#if defined(POSIX_SPAWN_CLOEXEC_DEFAULT)  // Apple: pipe() there knows no O_CLOEXEC
    flags |= POSIX_SPAWN_CLOEXEC_DEFAULT;
#endif
    return posix_spawnattr_setflags(&attributes_, static_cast<short>(flags));
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
  bool has_actions_ = false, has_attributes_ = false;
};

// Starts a program of PATH with these standard streams and no other file of ours. 0, or an errno
// value; then nothing runs, and `made` is as it was.
inline int spawn(const vector<string>& argv, const file (&ends)[3], child& made) {
  vector<char*> args;
  for (const string& a : argv)
    args.push_back(const_cast<char*>(a.c_str()));
  args.push_back(nullptr);

  spawn_orders orders;
  int e = orders.give(ends);
  if (e == 0) e = orders.reset_signals();
  if (e != 0) return e;

  pid_t pid = -1;  // after a failure POSIX says nothing about it
  e = ::posix_spawnp(
      &pid, args[0], orders.actions(), orders.attributes(), args.data(), environment());
  if (e == 0) made = pid;
  return e;
}

// The exit code of a program that ends within so many milliseconds; -1: a signal ended it, or
// somebody else has waited for it.
inline std::optional<int> ended_within(child c, int ms) {
  const auto until = clock::now() + std::chrono::milliseconds(ms);
  for (int pause = 1;; pause = (std::min)(2 * pause, 50)) {
    int state = 0;
    const pid_t got = again([&] { return ::waitpid(c, &state, WNOHANG); });
    if (got == c) return WIFEXITED(state) ? WEXITSTATUS(state) : -1;
    if (got < 0) return -1;
    if (clock::now() >= until) return std::nullopt;
    sleep_ms(pause);
  }
}

inline void kill(child c) {
  (void)::kill(c, SIGKILL);
}

inline void forget(child) {
}
#endif                                       // POSIX
inline fate owner_fate(const string& who) {  // Windows keeps the file while it is open
  const string mine = owner();
  view theirs = who, ours = mine;
  if (text::take(theirs, ' ') != text::take(ours, ' ')) return fate::unknown;
  const view boot = text::take(theirs, ' '), now_boot = text::take(ours, ' ');
  if (boot != now_boot) {  // without one it could not be read, for want of a descriptor perhaps
    const bool told = !boot.empty() && !now_boot.empty();
    return told ? fate::restarted : fate::unknown;
  }
  const string pid(text::take(theirs, ' ')), now = owner(pid);
  const bool none = VQCACHE_OS_(true, ::kill(std::atoi(pid.c_str()), 0) != 0 && errno == ESRCH);
  return !none && (theirs.empty() || now.back() == ' ' || now == who) ? fate::alive : fate::gone;
}

// sync_slice: begins to write a part back, or waits for that; nothing lasts by it, but an error is
// told here and not again. copy_some: by the kernel or by a server; what that wrote has to be read
// again (two reports of zeros in it). 0: read and write. clone: all of a file by sharing its
// blocks, which needs no room; false: the file system cannot.
#if defined(__linux__) && !defined(__ANDROID__)
inline int sync_slice(file& f, uint64_t from, uint64_t n, bool wait = false) {
  const auto at = std::int64_t(from), size = std::int64_t(n);
  if (again([&] { return ::sync_file_range(f.fd(), at, size, wait ? 7U : 2U); }) == 0) return 0;
  return is_refusal(errno) ? 0 : errno;
}

inline bool clone(const file& from, file& to) {
  constexpr auto ficlone = _IOW(0x94, 9, int);  // of linux/fs.h: ioctl_ficlonerange(2)
  return again([&] { return ::ioctl(to.fd(), ficlone, from.fd()); }) == 0;
}

inline size_t copy_some(const file& from, file& to, uint64_t at, size_t n) {
  std::int64_t in = std::int64_t(at), out = in;
  const auto k = again([&] { return ::copy_file_range(from.fd(), &in, to.fd(), &out, n, 0); });
  return k > 0 ? size_t(k) : 0;
}
#else
inline int sync_slice(file&, uint64_t, uint64_t, bool = false) {
  return 0;
}

inline bool clone(const file&, file&) {
  return false;
}

inline size_t copy_some(const file&, file&, uint64_t, size_t) {
  return 0;
}
#endif
struct info {
  bool exists = false, regular = false, directory = false;
  uint64_t size = 0;
  int problem = 0;  // when it could not even be told whether it exists
};

inline info look(const fs::path& p, bool follow = true) {  // a regular file costs one call
  std::error_code e;
  if (!follow && fs::is_symlink(fs::symlink_status(p, e))) return {};
  const uint64_t size = fs::file_size(p, e);
  if (!e) return {true, true, false, size, 0};
  const fs::file_status s = fs::status(p, e);
  return {fs::exists(s), false, fs::is_directory(s), 0, fs::status_known(s) ? 0 : value(e)};
}

inline bool older_than_a_day(const fs::path& p) {
  std::error_code e;
  const fs::file_time_type then = fs::last_write_time(p, e);
  return !e && decltype(then)::clock::now() - then > std::chrono::hours(24);
}

inline bool read_only(const fs::path& p) {
  return VQCACHE_OS_(::_waccess, ::access)(p.c_str(), 2) && (errno == EACCES || errno == EROFS);
}

inline constexpr uint64_t unknown = ~uint64_t{0};  // as std::filesystem::space has it

struct disk : fs::space_info {  // unknown: each of its sizes
  uint64_t largest;             // file that can be there
};

// Many mounts of a cloud answer with zeros. No disk has a capacity of zero: it is not known.
inline fs::space_info as_told(const fs::space_info& told) {
  if (told.capacity != 0) return told;
  return {unknown, unknown, unknown};
}

inline bool may_be_one(const disk& a, const disk& b) {  // a doubt counts as yes
  return a.capacity == b.capacity || a.capacity == unknown || b.capacity == unknown;
}

inline disk disk_of(const fs::path& directory) {
  std::error_code e;
  disk d{as_told(fs::space(directory, e)), unknown};
#if !defined(_WIN32)
  struct rlimit top{};
  if (!::getrlimit(RLIMIT_FSIZE, &top) && top.rlim_cur != RLIM_INFINITY) d.largest = top.rlim_cur;
#endif
#if defined(__linux__)
  struct statfs fat{};
  if (::statfs(directory.c_str(), &fat) == 0 && fat.f_type == 0x4d44)
    d.largest = (std::min)(d.largest, uint64_t{0xffffffff});
#endif
  return d;
}

inline int unlink(const fs::path& p) {  // what is not there is no failure
  std::error_code e;
  return (void)fs::remove(p, e), value(e);
}

inline int make_directories(const fs::path& p) {  // what is missing, each level made to last
  if (const info i = look(p); i.exists) return i.directory ? 0 : ENOTDIR;
  const fs::path parent = p.parent_path();
  if (const int e = parent == p ? ENOENT : make_directories(parent)) return e;
  std::error_code e;
  fs::create_directory(p, e);
  if (look(p).directory) return sync_directory(parent);
  return e ? value(e) : ENOTDIR;
}

// Without fs::directory_iterator: that of libstdc++ ends the program when an allocation fails.
inline vector<string> list(
    const fs::path& directory, const string& prefix, int* problem = nullptr) {
  vector<string> names;
#if defined(_WIN32)
  struct searching {
    std::intptr_t handle;

    ~searching() { (void)::_findclose(handle); }
  };

  _wfinddata_t found;
  const searching all{::_wfindfirst((directory / L"*").c_str(), &found)};
  if (problem) *problem = all.handle == -1 ? errno : 0;
  for (int e = all.handle == -1 ? -1 : 0; e == 0; e = ::_wfindnext(all.handle, &found)) {
    const string name = shown(fs::path(found.name));
#else
  struct closing {
    void operator()(::DIR* d) const { (void)::closedir(d); }
  };

  std::unique_ptr<::DIR, closing> all;
  do {
    errno = 0;
    all.reset(::opendir(directory.c_str()));
  } while (!all && errno == EINTR);
  if (problem) *problem = all ? 0 : errno;

  const auto next = [&all] {
    decltype(VQCACHE_64_(readdir)(all.get())) found = nullptr;
    do {
      errno = 0;  // which readdir sets only when it fails
      found = all ? VQCACHE_64_(readdir)(all.get()) : nullptr;
    } while (!found && errno == EINTR);
    return found;
  };
  while (const auto* found = next()) {
    const string name = found->d_name;
#endif
    if (name != "." && name != ".." && text::starts(name, prefix)) names.push_back(name);
  }
#if !defined(_WIN32)
  if (problem && all) *problem = errno;
#endif
  return names;
}

inline fs::path resolved(fs::path p) {  // absolute, ~ is home; empty: there is none
  const string s = shown(p);
  std::error_code e;
  if (s == "~" || text::starts(s, "~/")) {
    const auto* home = VQCACHE_OS_(::_wgetenv(L"USERPROFILE"), std::getenv("HOME"));
    if (!home || !*home) return {};
    p = fs::path(home) += to_path(s.substr(1));
  }
  return fs::absolute(p, e).lexically_normal();
}

inline string date() {
  const std::time_t now = std::time(nullptr);
  std::tm t{};
  char text[32];
  VQCACHE_OS_(::gmtime_s(&t, &now), ::gmtime_r(&now, &t));
  return string(text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &t));
}

inline string unique() {  // 16 hex digits: the process, and what no other call there has
  static std::atomic<unsigned> count{0};
  const auto now = std::chrono::system_clock::now().time_since_epoch().count();
  const auto pid = unsigned(VQCACHE_OS_(::_getpid, ::getpid)());
  return text::hex(pid, 8) + text::hex(std::hash<string>()(join({now, " ", ++count})), 8);
}

class thread : pinned {  // joined by its owner; that it cannot start is a value
 public:
  ~thread() { join(); }

  bool running() const { return running_; }  // started, and not joined yet

  template <class T>
  int start(T* with) {              // whose loop() it calls, which throws nothing
    const quiet_signals all(true);  // signals are for the threads of the program
    running_ = VQCACHE_OS_((id_ = ::_beginthreadex(nullptr, 0, &enter<T>, with, 0, nullptr)) != 0,
        (errno = ::pthread_create(&id_, nullptr, &enter<T>, with)) == 0);
    return running_ ? 0 : errno;
  }

  void join() {
    if (!std::exchange(running_, false)) return;
#if defined(_WIN32)
    (void)ended_within(reinterpret_cast<child>(id_), -1);
    forget(reinterpret_cast<child>(id_));
#else
    ::pthread_join(id_, nullptr);
#endif
  }

 private:
  template <class T>
  static VQCACHE_OS_(unsigned __stdcall, void*) enter(void* with) {
    static_cast<T*>(with)->loop();
    return VQCACHE_OS_(0U, nullptr);
  }

  VQCACHE_OS_(std::uintptr_t, pthread_t) id_ {};
  bool running_ = false;
};

class interrupt_guard : pinned {  // while one lives, Ctrl-C is counted and ends nothing

  static auto& all() {
    static struct {  // for all guards of the process
      std::atomic<int> hits{0}, guards{0};
      std::mutex turn{};
      VQCACHE_OS_(decltype(::signal(0, nullptr)), struct sigaction) before {};
    } one;

    return one;
  }

 public:
  explicit interrupt_guard(bool wanted) : wanted_(wanted), before_(all().hits) { change(wanted); }

  ~interrupt_guard() { change(-wanted_); }

  bool hit() const { return wanted_ && all().hits != before_; }

 private:
  static void on_interrupt(int) {
    ++all().hits;
    VQCACHE_OS_(if (all().guards > 0)::signal(SIGINT, &on_interrupt), );  // one call uses it up
  }

  static void change(int by) {  // the first one takes the signal, the last one gives it back
    if (by == 0) return;

    const std::lock_guard<std::mutex> turn(all().turn);
    const int guards = all().guards += by;
    if (guards == 0) give_back();
    if (guards == by) take();
  }
#if defined(_WIN32)
  static void take() {
    all().before = ::signal(SIGINT, &on_interrupt);
    if (all().before == SIG_IGN) ::signal(SIGINT, SIG_IGN);
  }

  static void give_back() { ::signal(SIGINT, all().before); }
#else
  static void take() {
    ::sigaction(SIGINT, nullptr, &all().before);
    if (::signal(SIGINT, &on_interrupt) == SIG_IGN) {
      ::sigaction(SIGINT, &all().before, nullptr);
      return;
    }

    struct sigaction ours{};
    ::sigaction(SIGINT, nullptr, &ours);
    ours.sa_flags &= ~SA_RESTART;  // signal() sets it, and a poll is to be broken off
    ::sigaction(SIGINT, &ours, nullptr);
  }

  // A handler that the program has set meanwhile is its own business, and stays as it is. Which one
  // is set is asked of signal(): sa_handler is a macro of its own name, of which clang warns.
  static void give_back() {
    struct sigaction now{};
    ::sigaction(SIGINT, nullptr, &now);
    const bool is_ours = ::signal(SIGINT, &on_interrupt) == &on_interrupt;
    ::sigaction(SIGINT, is_ours ? &all().before : &now, nullptr);
  }
#endif
  int wanted_, before_;
};

class process {  // a program of PATH (Windows: System32), no shell
 public:
  ~process() { (void)finish(true); }

  // ENOENT: it is not there; E2BIG: the input is more than a pipe holds, mostly 64 KiB
  int start(const vector<string>& argv, const string& input) {
    file ends[3], in;
    int e = make_pipes(ends, in);
    if (e == 0) e = VQCACHE_OS_(0, ::fcntl(in.fd(), F_SETFL, O_NONBLOCK) < 0 ? errno : 0);
    if (e != 0) return e;
    // nobody reads yet: where a full pipe cannot say so, more than it holds would wait for ever
    if (VQCACHE_OS_(input.size() > pipe_room, false)) return E2BIG;

    const auto put = [](int fd, const char* data, size_t n, std::int64_t) {
      return VQCACHE_OS_(::_write, ::write)(fd, data, unsigned(n));
    };
    if (in_steps(put, in, 0, input.data(), input.size(), nullptr) != 0) return E2BIG;

    return spawn(argv, ends, child_);
  }

  static void wait(const vector<process*>& several, int ms) {  // or until one has news
    vector<watch> w;
    for (const process* p : several)
      for (const file* f : {&p->out_, &p->err_})
        w.push_back({f->fd(), VQCACHE_OS_(0, POLLIN), 0});
    const bool broken = poll(w.data(), w.size(), ms) < 0 && errno != EINTR;
    const watch* seen = w.data();
    for (process* p : several) {
      p->ready_ = seen++->revents || broken;
      if (seen++->revents) p->drain();
      if (broken) p->stop();
    }
  }

  long read(char* to, size_t n) {  // once after wait(): bytes, 0: the end, -1: nothing yet
    if (!std::exchange(ready_, false)) return -1;
    const long got = read(out_, to, unsigned(n));
    if (got < 0) stop();
    return (std::max)(got, 0L);
  }

  int finish(bool now) {  // the exit code, or -1
    if (!child_) return -1;

    out_.close();  // one that still writes there is to end
    for (int i = 0; !now && err_.fd() >= 0; now = ++i > 20)
      wait({this}, 100);  // its last words

    // One may close its pipes and live on, or be stuck in the kernel where no signal reaches it.
    std::optional<int> code;
    if (!now) code = ended_within(child_, patience);
    if (!code) {
      stop();
      code = ended_within(child_, patience);
    }
    forget(std::exchange(child_, child()));
    return code.value_or(-1);
  }

  const string& errors() const { return errors_; }

 private:
  enum : int { patience = 5000 };  // ms: a loaded machine takes its time to end a program

  enum : unsigned { pipe_room = 1 << 20 };  // of Windows' pipes, which we choose

  static int pipe(file& reading, file& writing) {
    int p[2] = {-1, -1};
    if (VQCACHE_OS_(::_pipe(p, pipe_room, _O_BINARY | _O_NOINHERIT), pipe2(p, O_CLOEXEC)) != 0)
      return errno;

    file both[2] = {file(p[0]), file(p[1])};
    reading = above_standard_streams(std::move(both[0]));
    writing = above_standard_streams(std::move(both[1]));
    return reading.fd() < 0 || writing.fd() < 0 ? errno : 0;
  }

  int make_pipes(file (&ends)[3], file& in) {
    const standard_places held;
    int e = pipe(ends[0], in);
    if (e == 0) e = pipe(out_, ends[1]);
    if (e == 0) e = pipe(err_, ends[2]);
    return e;
  }

  static long read(const file& f, char* to, unsigned n) {
    return again([&] { return VQCACHE_OS_(::_read, ::read)(f.fd(), to, n); });
  }

  void stop() {  // no end of it may look like success
    if (child_) kill(child_);
  }

  void drain() {
    char text[16384];
    const long n = read(err_, text, sizeof text);
    if (n > 0 && errors_.size() < 4096) errors_.append(text, size_t(n));
    if (n <= 0) err_.close();
  }

  file out_, err_;
  child child_{};
  bool ready_ = false;
  string errors_;
};
}  // namespace os

#undef VQCACHE_OS_
#undef VQCACHE_64_

// ==== >>hash ==== computes a digest: the system's library where there is one, else portable ====
namespace hash {
struct engine {  // functions that begin, add, end and, of BCrypt, free; all null: the portable code
  void* f[4] = {};

  bool windows() const { return f[3] != nullptr; }
};

inline const engine& system_engine() {  // loaded at the first digest, never unloaded
  static const engine found = [] {
    static constexpr const char* all[][5] = {
        {"libcrypto.so.3", "SHA256_Init", "SHA256_Update", "SHA256_Final"},
        {"libcrypto.so.1.1", "SHA256_Init", "SHA256_Update", "SHA256_Final"},
        {"", "CC_SHA256_Init", "CC_SHA256_Update", "CC_SHA256_Final"},  // in the process
        {sizeof(void*) == 8 ? "bcrypt.dll" : "",                        // 32 bits call otherwise
            "BCryptCreateHash", "BCryptHashData", "BCryptFinishHash", "BCryptDestroyHash"}};
    for (const auto& names : all) {
      engine e;
      void* const library = *names[0] ? os::load(names[0]) : nullptr;
      bool good = library || !*names[0];
      for (size_t i = 0; i < 4 && good && names[i + 1]; ++i)
        good = (e.f[i] = os::symbol(library, names[i + 1])) != nullptr;
      if (good) return e;
    }
    return engine();
  }();
  return found;
}

inline constexpr uint64_t round_constants[32] = {  // two in each
    0x428a2f9871374491, 0xb5c0fbcfe9b5dba5, 0x3956c25b59f111f1, 0x923f82a4ab1c5ed5,
    0xd807aa9812835b01, 0x243185be550c7dc3, 0x72be5d7480deb1fe, 0x9bdc06a7c19bf174,
    0xe49b69c1efbe4786, 0x0fc19dc6240ca1cc, 0x2de92c6f4a7484aa, 0x5cb0a9dc76f988da,
    0x983e5152a831c66d, 0xb00327c8bf597fc7, 0xc6e00bf3d5a79147, 0x06ca635114292967,
    0x27b70a852e1b2138, 0x4d2c6dfc53380d13, 0x650a7354766a0abb, 0x81c2c92e92722c85,
    0xa2bfe8a1a81a664b, 0xc24b8b70c76c51a3, 0xd192e819d6990624, 0xf40e3585106aa070,
    0x19a4c1161e376c08, 0x2748774c34b0bcb5, 0x391c0cb34ed8aa4a, 0x5b9cca4f682e6ff3,
    0x748f82ee78a5636f, 0x84c878148cc70208, 0x90befffaa4506ceb, 0xbef9a3f7c67178f2};

class sha256 : os::pinned {  // FIPS 180-4
 public:
  explicit sha256(bool system = true) : system_(system) {}

  ~sha256() { drop(); }

  sha256& start() {
    const std::uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f,
        0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    std::memcpy(state_, initial, sizeof state_);
    length_ = 0;
    failed_ = false;
    drop();
    e_ = system_ ? system_engine() : engine();
    void* const none = nullptr;
    void* const algorithm = reinterpret_cast<void*>(0x41);  // BCRYPT_SHA256_ALG_HANDLE
    if (e_.windows() ? os::call<long>(e_.f[0], algorithm, &handle_, none, 0UL, none, 0UL, 0UL) != 0
                     : e_.f[0] && os::call<int>(e_.f[0], &context_[0]) != 1)
      e_ = engine();
    return *this;
  }

  sha256& update(const char* data, size_t n) {  // blocks are small: some take 32 bits of n
    if (e_.windows())
      failed_ |= os::call<long>(e_.f[1], handle_, data, std::uint32_t(n), 0UL) != 0;
    else if (e_.f[1])
      failed_ |= os::call<int>(e_.f[1], &context_[0], data, n) != 1;
    else
      for (const char* p = data; p != data + n; ++p)
        add(static_cast<unsigned char>(*p));
    return *this;
  }

  string hex() {  // ends it; empty: the system's library failed
    unsigned char out[32] = {};
    if (e_.windows())
      failed_ |= os::call<long>(e_.f[2], handle_, &out[0], 32UL, 0UL) != 0;
    else if (e_.f[2])
      failed_ |= os::call<int>(e_.f[2], &out[0], &context_[0]) != 1;
    else {  // one bit, zeros, and the length in bits
      const uint64_t bits = length_ * 8;
      for (add(0x80); length_ % 64 != 56;)
        add(0);
      for (int i = 56; i >= 0; i -= 8)
        add(static_cast<unsigned char>(bits >> i));
      for (size_t i = 0; i < 32; ++i)
        out[i] = std::uint8_t(state_[i / 4] >> (24 - i % 4 * 8));
    }
    string s;
    for (unsigned char byte : out)
      s += text::hex(byte, 2);
    return failed_ ? string() : s;
  }

 private:
  void drop() {
    if (handle_) os::call<long>(e_.f[3], std::exchange(handle_, nullptr));
  }

  static std::uint32_t rot(std::uint32_t x, int n) { return x >> n | x << (32 - n); }

  void add(unsigned char byte) {
    std::uint32_t& word = block_[length_ / 4 % 16];
    word = word << 8 | byte;
    if (++length_ % 64 == 0) compress();
  }

  void compress() {
    std::uint32_t w[64], v[8];
    std::memcpy(w, block_, sizeof block_);
    std::memcpy(v, state_, sizeof v);
    for (size_t i = 0; i < 64; ++i) {
      if (i > 15)
        w[i] = w[i - 16] + w[i - 7] + (rot(w[i - 15], 7) ^ rot(w[i - 15], 18) ^ w[i - 15] >> 3)
            + (rot(w[i - 2], 17) ^ rot(w[i - 2], 19) ^ w[i - 2] >> 10);
      const auto k = std::uint32_t(round_constants[i / 2] >> (i % 2 ? 0 : 32)), a = v[0], e = v[4];
      const auto s = rot(e, 6) ^ rot(e, 11) ^ rot(e, 25), r = rot(a, 2) ^ rot(a, 13) ^ rot(a, 22);
      const auto t = v[7] + s + ((e & v[5]) ^ (~e & v[6])) + k + w[i];
      std::memmove(v + 1, v, 7 * sizeof v[0]);
      v[4] += t;
      v[0] = t + r + ((a & v[2]) ^ (a & v[3]) ^ (v[2] & v[3]));
    }
    for (size_t i = 0; i < 8; ++i)
      state_[i] += v[i];
  }

  engine e_;
  bool system_, failed_ = false;
  void* handle_ = nullptr;                      // BCrypt's
  alignas(8) unsigned char context_[128] = {};  // of libcrypto, 112 bytes, or CommonCrypto, 104
  uint64_t length_ = 0;
  std::uint32_t state_[8] = {}, block_[16] = {};
};

inline string of(view s) {
  return sha256().start().update(s.data(), s.size()).hex();
}
}  // namespace hash

// ==== >>stage ==== a file that is not finished: partial, record, verification, publication ====
namespace stage {  // a final name comes by publish() alone, after a good seal()

enum : size_t { block_size = 1 << 18, head_size = 16384, zip_tail = 65557 };

enum : uint64_t {
  config_limit = 16 << 20,
  slice = 8 << 20,        // of write-back: what a cancelled call may have to wait for
  sync_every = 64 << 20,  // what a power cut may take
  thread_from = 1 << 20   // smaller files are not worth a thread
};

inline size_t smaller(uint64_t a, uint64_t b) {
  return size_t((std::min)(a, b));
}

struct demand {  // what bytes must be to get a final name
  text::kind kind = text::kind::binary;
  string sha256{};                   // empty: not known; then the content is looked at instead
  const char* bound_by = "the pin";  // who says so
  bool verified = false;             // and may be believed of a download, too
  bool doubted = false;              // the content is looked at in any case
  uint64_t size = 0;                 // 0: not known
  string type{};                     // Content-Type, a hint for the sentinel
};

// The least progress: 64 KiB in some seconds. Only time in which somebody looked counts: a program
// that was stopped (Ctrl-Z, a debugger) did not read, which is no fault of the server.
struct pace {
  unsigned limit = 0;  // seconds; 0: none
  uint64_t base = 0;
  unsigned least = 65536;
  using clock_type = clock;
  typename clock_type::time_point seen = clock_type::now();
  typename clock_type::duration waited{};  // since the last gain

  double seconds() const { return std::chrono::duration<double>(waited).count(); }

  bool stalled(uint64_t done) {
    // between two looks there are milliseconds, or one block of a slow disk
    const typename clock_type::duration longest = std::chrono::seconds(1);
    const auto now = clock_type::now();
    waited += (std::min)(now - seen, longest);
    seen = now;

    if (done >= base && done - base < least) return limit != 0 && seconds() > limit;
    base = done;
    waited = {};
    return false;
  }
};

struct watch {  // of a reading that may be stopped and has to gain
  caller& who;
  phase what;
  const fs::path& of;
  string name;
  pace speed{who.opts().stall_seconds};

  status step(uint64_t done, uint64_t size) {
    if (!who.step(what, name, done, size)) return who.stop();
    if (!speed.stalled(done)) return {};
    return fail(errc::timed_out,
        {"reading ", of, ", or writing its copy, gained under 64 KiB in ", speed.limit, " s"});
  }
};

// Reads a file behind its writer, on a thread, or if none starts in wait(); n = 0: that was all
class follower : os::pinned {
 public:
  using taker = std::function<status(const char* data, size_t n)>;

  ~follower() { (void)stop(); }

  std::atomic<uint64_t> limit{0}, done{0};  // bytes that can be read; that were taken
  std::atomic<bool> stopping{false};
  os::file file{};

  bool started() const { return file.fd() >= 0; }

  void start(os::file from, const fs::path& path, taker take) {
    file = std::move(from);
    path_ = path;
    take_ = std::move(take);
    (void)thread_.start(this);
  }

  bool wait(uint64_t size) {  // no more will come than that; false: it is through, or has failed
    limit = size;
    ended_ = true;
    if (over_ || !started()) return false;
    if (thread_.running())
      os::sleep_ms(2);
    else
      over_ = !work();
    return !over_;
  }

  void loop() noexcept {  // of its thread
    status s = error::contain([this] { return keep_up(); });
    if (!s.ok()) problem_ = std::move(s);
    over_ = true;
  }

  status stop() {
    stopping = true;
    thread_.join();
    (void)file.close();
    stopping = ended_ = over_ = false;
    limit = done = 0;
    return std::exchange(problem_, status());
  }

 private:
  status keep_up() {
    for (int idle = 0; !stopping;) {
      const bool ended = ended_;
      if (work())
        idle = 0;
      else if (ended || !problem_.ok())
        break;
      else
        os::sleep_ms(++idle < 50 ? 1 : 10);
    }
    return {};
  }

  bool work() {  // one block; false: there is none, or it failed
    const uint64_t from = done, upto = limit;
    if (from >= upto && !ended_) return false;

    size_t got = 0;
    problem_ = take_block(from, smaller(block_size, upto - from), got);
    done = from + got;
    return got > 0 && problem_.ok();
  }

  status take_block(uint64_t from, size_t n, size_t& got) {
    block_.resize(block_size);
    if (n > 0)
      VQCACHE_NEED_(error::system(os::read_at(file, from, &block_[0], n, got), "read", path_));
    if (got < n) return fail(errc::io, {path_, " became shorter"});
    return take_(block_.data(), got);
  }

  os::thread thread_;
  fs::path path_{};
  taker take_{};
  string block_{};
  status problem_{};
  std::atomic<bool> ended_{false}, over_{false};
};

// the names in a directory that are `before`, `digits` hex digits, and one of `after`
inline vector<string> numbered(const fs::path& at, const string& before, size_t digits,
    const vector<string>& after, int* problem = nullptr) {
  vector<string> names;
  const vector<string> listed = os::list(at, before, problem);
  for (const string& end : after)
    for (const string& n : listed)
      if (n.size() == before.size() + digits + end.size() && text::ends(n, end)
          && n.find_first_not_of(text::hex_digits, before.size()) >= before.size() + digits)
        names.push_back(n);
  return names;
}

struct looks {  // what a file is to look like where no digest tells
  text::kind kind = text::kind::binary;
  uint64_t size = 0;
  view content_type{};
};

// Looks at its head and its tail alone. not_the_file or truncated: it is no such file.
inline status judge(os::file& file, const fs::path& path, const looks& as) {
  size_t got = 0;
  string head(smaller(as.size, head_size), '\0');
  VQCACHE_NEED_(error::system(os::read_at(file, 0, &head[0], head.size(), got), "read", path));
  head.resize(got);
  const string what = text::not_the_file({as.kind, head, as.size, as.content_type});
  if (!what.empty()) return fail(errc::not_the_file, {"it is ", what});
  if (!text::starts(head, "PK\x03\x04")) return {};

  string tail(smaller(as.size, zip_tail), '\0');
  const uint64_t at = as.size - tail.size();
  VQCACHE_NEED_(error::system(os::read_at(file, at, &tail[0], tail.size(), got), "read", path));
  if (text::zip_has_end(tail)) return {};
  return fail(errc::truncated,
      {"it is a zip archive without its end: it is truncated, or something else stands behind it"});
}

struct found {  // an unfinished file, by its name without .part and .record
  text::record record{};
  os::fate fate = os::fate::unknown;
  uint64_t size = 0, bytes = 0;  // of the file; of what has come
  int problem = 0;               // its record is there, and cannot be read
};

inline found find(const fs::path& base) {
  found f;
  uint64_t pid = 0;
  string content, name = os::shown(base.filename()), digits = name.substr(name.rfind('.') + 1, 8);
  const os::info part = os::look(fs::path(base) += ".part", false);
  f.size = f.bytes = part.size;
  const int e = os::read_text(fs::path(base) += ".record", content);
  f.problem = e == ENOENT ? part.problem : e;
  if (e != 0) return f;
  f.record = text::read_record(content);
  // empty: its process was killed before it could say more than the name does
  if (content.empty() && !part.exists && text::to_number(digits, pid, 16))
    f.record.owner = os::owner(join({pid}));
  f.fate = os::owner_fate(f.record.owner);
  if (!f.record.todo.empty()) f.bytes = f.record.id.total - text::sum(f.record.todo);
  return f;
}
// When the bytes of a partial are hashed: behind the writing, from the file; or as write() is given
// them, in order.
enum class hashing { behind, as_given };

class partial : os::pinned {
 public:
  struct run {  // a part of the file that has not come yet; taken: somebody is bringing it
    uint64_t at = 0, end = text::endless;
    bool taken = false;
    string held{};  // has come, and waits to be written at `at`

    uint64_t next() const { return at + held.size(); }

    uint64_t left() const { return end > next() ? end - next() : 0; }
  };

  string sha256;  // once it is sealed
  bool begun = false;
  bool has_end_mark = false;          // seal() has seen that the content tells its own end
  bool has_digest = false;            // that will judge it, whatever it looks like
  bool ends_with_connection = false;  // neither length nor chunks: a cut could not be seen
  os::file file;
  text::identity id;
  vector<run> runs;

  ~partial() { release(); }

  // a private file, after a record of whose it is
  status begin(const fs::path& final_path, text::kind kind, hashing when = hashing::behind) {
    VQCACHE_NEED_(own(final_path, kind));
    hashing_ = when;
    VQCACHE_NEED_(lost("create", os::open(named(".part"), os::mode::create, file)));
    begun = true;
    runs.assign(1, run());
    return {};
  }

  int keep_as(const text::identity& as) {  // from now on a later call may continue it
    id = as;
    if (id.total && runs[0].end == text::endless) runs[0].end = id.total;
    return describe();
  }

  // Continues what an earlier call left of the same file; begun tells whether there was such. Its
  // bytes are hashed again; what was not synced when the machine went down counts only with a pin.
  status resume(const fs::path& final_path, const text::identity& want, text::kind kind) {
    const fs::path at = final_path.parent_path();
    const string name = os::shown(final_path.filename());
    int problem = 0;
    const auto records = numbered(at, join({".", name, "."}), 16, {".record"}, &problem);
    if (error::is_passing(problem)) return error::system(problem, "look into", at);

    vector<std::pair<fs::path, found>> all;  // of two beginnings the larger first
    for (const string& record : records) {
      const fs::path old = at / record.substr(0, record.size() - 7);
      all.emplace_back(old, find(old));
    }
    std::sort(all.begin(), all.end(),
        [](const auto& a, const auto& b) { return a.second.bytes > b.second.bytes; });

    for (const auto& [old, f] : all) {
      status s = error::system(error::is_passing(f.problem) ? f.problem : 0, "read", old);
      if (s.ok() && is_to_continue(f, want)) s = claim(old, f, final_path, want, kind);
      if (s.ok() && begun) return s;
      drop();
      if (s.ok()) continue;  // another's, or another call was faster
      s.text += join({"; what an earlier call brought of ", name, " (", f.size,
          " bytes) stays for the next one"});
      return s;
    }
    return {};
  }

  status write(const char* data, size_t n, size_t to = 0) {
    run& r = runs[to];
    if (kind_ == text::kind::text && !has_digest && r.next() + n > config_limit)
      return fail(errc::not_the_file,
          {"over 16 MiB, which no config has; are the URLs swapped? (source::sha256 overrules)"});
    if (hashing_ == hashing::as_given) absorb(data, n);
    r.held.append(data, n);
    return r.held.size() < block_size && r.left() > 0 ? status() : flush(r);
  }

  bool agrees(uint64_t at, const char* data, size_t n) {  // what stands there, if any
    string there(n, '\0');
    size_t got = 0;
    for (auto& r : runs)
      if (r.at < at + n && at < r.end)  // it has not come, or waits to be written
        return at < r.at || at + n > r.next() || !r.held.compare(size_t(at - r.at), n, data, n);
    return os::read_at(file, at, &there[0], n, got) != 0 || there.compare(0, got, data, got) == 0;
  }

  // For one of so many connections: what waits, in order and in parts (all up to the first gap is
  // hashed and copied meanwhile), then half of the largest under way. npos: that is under `least`
  size_t spare_run(size_t connections, uint64_t least) {
    size_t first = npos, big = 0;
    const uint64_t even = (id.total - size()) / 4 / connections,
                   part = connections > 1 ? (std::max)(even, uint64_t{32} << 20) : text::endless;
    for (size_t i = 0; i < runs.size(); ++i)  // of before there were so many connections
      if (runs[i].taken && runs[i].left() / 2 > part) (void)cut(i, part);
    for (size_t i = 0; i < runs.size(); ++i) {
      const run& r = runs[i];
      if (r.left() > runs[big].left()) big = i;
      if (!r.taken && r.left() > 0 && (first == npos || r.at < runs[first].at)) first = i;
    }
    if (first == npos && runs[big].left() / 2 > least) first = cut(big, runs[big].left() / 2);
    if (first != npos && runs[first].left() / 2 > part) (void)cut(first, part);
    tell_gaps();
    return first;
  }

  size_t next_run(size_t which) const {  // where `which` ends, if nothing of it has come; or npos
    for (size_t i = 0; i < runs.size(); ++i)
      if (i != which && runs[i].at == runs[which].end && runs[i].left() > 0 && runs[i].held.empty())
        return i;
    return npos;
  }

  void give_back(size_t which, bool join) {  // by a connection; join: to the part before it
    run& r = runs[which];
    r.taken = false;
    for (run& before : runs)
      if (join && r.held.empty() && before.taken && before.end == r.at) before.end = r.at = r.end;
  }

  void give_back_all() noexcept {
    for (run& r : runs)
      r.taken = false;
  }

  status flush(run& r) {
    const size_t n = r.held.size();
    if (n == 0) return {};
    const bool behind = hashing_ == hashing::behind;
    const bool unread = !behind_.started() && behind_.done == r.at && r.at + n < thread_from;
    if (behind && unread) absorb(r.held.data(), n);  // no need to read it back
    VQCACHE_NEED_(put_down(r));
    if (unread)
      behind_.done = r.at;
    else if (behind)
      (void)follow_itself();  // if it fails, seal() tries again
    const uint64_t full = r.at / slice * slice, before = (r.at - n) / slice * slice;
    if (!behind && full > before)  // where a follower is, it begins the writing back
      VQCACHE_NEED_(lost("sync", os::sync_slice(file, before, full - before)));
    tell_gaps();
    behind_.limit = front();
    return {};
  }

  uint64_t front() const {  // bytes from the start without a gap, on the disk
    uint64_t first = end();
    for (const run& r : runs)
      if (r.at < r.end) first = (std::min)(first, r.at);
    return first;
  }

  bool whole() const { return begun && size() == end(); }

  void end_here() { runs[0].end = runs[0].next(); }  // of a file whose length nobody told

  void hash_as_given() { hashing_ = hashing::as_given; }  // as long as nothing has come

  void arrived(uint64_t upto) {  // not by write()
    runs[0].at = upto;
    (void)follow_itself();  // if it fails, seal() tries again
    behind_.limit = upto;
  }

  // Hashes what has come, on another thread; from: this file, or the one that it is a clone of.
  void follow(os::file from, const fs::path& path) {
    behind_.limit = front();
    behind_.start(std::move(from), path, [this](const char* data, size_t n) {
      const uint64_t done = behind_.done + n, at = done / slice * slice;
      absorb(data, n);
      if (at > behind_.done) VQCACHE_NEED_(lost("sync", os::sync_slice(file, at - slice, slice)));
      return n > 0 && id.usable() && done - synced_ >= sync_every ? make_safe(done) : status();
    });
  }

  status seal(const demand& d, caller* who = nullptr) {
    const status s = check_and_sync(d, who);
    if (broken_.ok() && is_of_disk(s)) broken_ = s;
    return s;
  }

  status publish() {  // the final name, at one moment; the directory is synced by the caller
    VQCACHE_NEED_(lost("rename to", os::rename(named(".part"), final_)));
    begun = false;
    drop();
    return {};
  }

  void drop() {
    (void)behind_.stop();
    (void)file.close(), (void)record_.close();
    if (begun) (void)os::unlink(part_path_);
    if (recorded_) (void)os::unlink(record_path_);
    hashing_ = hashing::behind;
    begun = recorded_ = has_nul_ = split_ = has_end_mark = is_described_ = false;
    ends_with_connection = has_digest = false;
    size_ = synced_ = record_size_ = todo_at_ = safe_at_ = 0;
    id = text::identity();
    (void)runs.clear(), (void)sha256.clear(), broken_ = status();
  }

  // To a later call, if one can continue it: how many bytes. What the disk may have lost is not.
  // Destructors call it, so that it does without memory; gaps that cannot be told are told as they
  // were, which only asks for more bytes.
  uint64_t release() noexcept {
    const status behind = behind_.stop();
    for (run& r : runs)
      if (file.fd() >= 0 && !error::contain([&] { return put_down(r); }).ok()) r.held.clear();

    const bool full = broken_.code == errc::no_space;  // the rest is there
    const bool spoilt = (is_of_disk(broken_) && !full) || is_of_disk(behind);
    const uint64_t bytes = begun && id.usable() && !spoilt ? size() : 0;
    if (bytes > 0 && !is_described_) (void)error::attempt([this] { (void)describe(); });

    const bool keeps = bytes > 0 && is_described_;
    if (keeps) {
      (void)error::attempt([this] { (void)tell_gaps(); });
      (void)error::attempt([this] { (void)note("released"); });  // else free when we have ended
      begun = recorded_ = false;
    }
    drop();
    return keeps ? bytes : 0;
  }

  uint64_t size() const {  // bytes that have come
    uint64_t n = end();
    for (const run& r : runs)
      n -= r.left();
    return n;
  }

  bool begins_as_page(view content_type) {  // or nothing is on the disk yet, or readable
    string head(smaller(front(), head_size), '\0');
    size_t got = 0;
    const bool can_read = !head.empty() && os::read_at(file, 0, &head[0], head.size(), got) == 0;
    return !can_read || !text::not_the_file(kind_, view(head).substr(0, got), content_type).empty();
  }

  const fs::path& final_path() const { return final_; }

  fs::path named(const char* suffix) const { return fs::path(base_) += suffix; }

 private:
  uint64_t end() const {
    uint64_t n = id.total;
    for (const run& r : runs)
      n = (std::max)(n, r.end);
    return n;
  }

  size_t cut(size_t which, uint64_t keep) {  // the rest becomes another run; npos: no more can be
    size_t rest = 0;
    while (rest < runs.size() && (runs[rest].taken || runs[rest].left() > 0))
      ++rest;
    if (rest >= 32) return npos;
    if (rest == runs.size()) runs.emplace_back();
    runs[rest].at = runs[which].next() + keep;
    runs[rest].end = std::exchange(runs[which].end, runs[rest].at);
    split_ = true;
    return rest;
  }

  // Whether a failure tells that the disk may not hold what was written to it.
  static bool is_of_disk(const status& s) { return s.cause && !error::is_passing(s); }

  status check_and_sync(const demand& d, caller* who) {
    for (run& r : runs)
      VQCACHE_NEED_(broken_.ok() ? flush(r) : broken_);
    std::error_code e;
    size_ = front();
    if (split_ && os::look(named(".part")).size > size_) fs::resize_file(named(".part"), size_, e);
    VQCACHE_NEED_(lost("shorten", os::value(e)));
    const string name = os::shown(final_.filename());
    const auto step = [&](uint64_t done) {
      return !who || size_ < slice || who->step(phase::verifying, name, done, size_);
    };
    const bool unread = hashing_ == hashing::behind && behind_.done < size_;
    if (unread) VQCACHE_NEED_(follow_itself());
    while (behind_.wait(size_))
      if (!step(behind_.done)) return who->stop();
    VQCACHE_NEED_(behind_.stop());
    sha256 = sha_.hex();
    if (sha256.empty()) return fail(errc::io, {"the system's SHA-256 failed"});
    if (d.doubted || d.sha256 != sha256) VQCACHE_NEED_(inspect(d));
    for (uint64_t at = 0; at + slice < size_; at += slice) {
      VQCACHE_NEED_(lost("sync", os::sync_slice(file, at, slice, true)));
      if (!step(size_)) return who->stop();
    }
    VQCACHE_NEED_(lost("sync", os::sync(file)));
    return lost("close", file.close());
  }

  int describe() {  // into the record: which file it is to become
    if (!id.usable()) return 0;
    const int e = note(join({"url ", id.url, id.pin.empty() ? "" : "\npin ", id.pin,
        id.validator.empty() ? "" : "\nvalidator ", id.validator, "\ntotal ", id.total}));
    is_described_ = e == 0;
    return e;
  }

  // What is to come of an unfinished file.
  static text::ranges gaps_of(const found& f, const text::identity& want) {
    const bool lost = f.fate == os::fate::restarted || f.fate == os::fate::unknown;
    const text::ranges& told = lost && want.pin.empty() ? f.record.safe : f.record.todo;
    return text::within(told, f.size, f.record.id.total);
  }

  // Whether it is of the wanted file, nobody's, and has something of it.
  static bool is_to_continue(const found& f, const text::identity& want) {
    const text::identity& its = f.record.id;
    const bool same_url = its.url == want.url;
    const bool same =
        want.pin.empty() ? same_url && !its.validator.empty() : same_url || its.pin == want.pin;
    const bool gone = f.fate == os::fate::gone || f.fate == os::fate::restarted;
    const uint64_t end = its.total ? its.total : uint64_t{text::endless};
    return same && (f.record.released || gone) && text::sum(gaps_of(f, want)) != end;
  }

  // Makes it ours: begun, unless another call was faster. The new record is complete before the
  // file gets its name, and the old one goes last: whatever fails, one of the two tells of it.
  status claim(const fs::path& old, const found& f, const fs::path& final_path,
      const text::identity& want, text::kind kind) {
    const text::identity& its = f.record.id;
    const text::ranges gaps = gaps_of(f, want);
    const fs::path part = fs::path(old) += ".part", record = fs::path(old) += ".record";
    VQCACHE_NEED_(own(final_path, kind));
    runs.assign(gaps.empty() ? 1 : 0, run{f.size, f.size, false, {}});
    for (const text::range& g : gaps)
      runs.push_back({g.at, g.end, false, {}});
    split_ = text::sum(gaps) + f.size != (its.total ? its.total : uint64_t{text::endless});
    VQCACHE_NEED_(lost("write", keep_as({want.pin, its.url, its.validator, its.total})));
    VQCACHE_NEED_(lost("write", tell_gaps()));

    const int taken = os::rename(part, part_path_);
    if (taken == ENOENT) return {};
    VQCACHE_NEED_(error::system(taken, "rename", part));
    // from here until it has begun nothing needs memory: it would be nobody's
    const int opened = os::open(part_path_, os::mode::update, file);
    if (opened != 0) {
      const bool is_back = os::rename(part_path_, part) == 0;
      if (!is_back) (void)note("released");
      recorded_ = is_back;  // else it stays under the new name, and so does its record
      return lost("open", opened);
    }
    begun = true;
    (void)os::unlink(record);
    return {};
  }

  status own(const fs::path& final_path, text::kind kind) {  // a name nobody else has, a record
    drop();
    final_ = final_path;
    kind_ = kind;
    base_ = final_.parent_path() / join({".", os::shown(final_.filename()), ".", os::unique()});
    part_path_ = named(".part");
    record_path_ = named(".record");
    const string who = os::owner();  // before: a record is to be empty for no longer than it must
    VQCACHE_NEED_(lost("create", os::open(named(".record"), os::mode::create, record_)));
    recorded_ = true;
    sha_.start();
    return lost("write", note(who));
  }

  // a line of the record: at its end, or over the one of the same kind (at: where that is)
  int note(const string& line, uint64_t* at = nullptr) {
    const string text = line + "\n";  // first: without memory nothing has changed
    const std::lock_guard<std::mutex> one(lock_);
    const uint64_t where = at && *at ? *at : record_size_;
    const int e = os::write_at(record_, where, text);
    if (e != 0) return e;  // the next line takes its place
    if (at) *at = where;
    record_size_ = (std::max)(record_size_, where + text.size());
    return 0;
  }

  int tell_gaps() {  // in a line of fixed length: it is written again and again
    if (!id.usable()) return 0;
    text::ranges gaps;
    for (const run& r : runs)
      if (r.at < r.end) gaps.push_back({r.at, r.end});
    std::sort(gaps.begin(), gaps.end(), [](auto& a, auto& b) { return a.at < b.at; });
    string line = text::write_ranges(gaps);
    const int e = split_ ? note("todo " + line, &todo_at_) : 0;
    const std::lock_guard<std::mutex> one(lock_);
    gaps_ = std::move(line);
    return e;
  }

  status put_down(run& r) {  // after a failure nothing is tried again
    if (broken_.ok()) broken_ = lost("write", os::write_at(file, r.at, r.held));
    VQCACHE_NEED_(broken_);
    r.at += r.held.size();
    r.held.clear();
    return {};
  }

  status follow_itself() {
    os::file from;
    if (behind_.started()) return {};
    VQCACHE_NEED_(lost("open", os::open(named(".part"), os::mode::read, from)));
    return (void)follow(std::move(from), final_), status();
  }

  void absorb(const char* data, size_t n) {
    sha_.update(data, n);
    has_nul_ = has_nul_ || (kind_ == text::kind::text && std::memchr(data, 0, n));
  }

  status make_safe(uint64_t done) {  // against a power cut; on the follower's thread
    string line = "safe ";
    {
      const std::lock_guard<std::mutex> one(lock_);
      line += gaps_;
    }
    for (uint64_t at = synced_; at < done; at += slice) {
      if (behind_.stopping) return {};
      VQCACHE_NEED_(lost("sync", os::sync_slice(file, at, slice, true)));
    }
    VQCACHE_NEED_(lost("sync", os::sync(file)));
    if (synced_ == 0) VQCACHE_NEED_(lost("sync", os::sync_directory(final_.parent_path())));
    synced_ = done;
    if (note(line, &safe_at_) == 0) (void)os::sync(record_);
    return {};
  }

  status inspect(const demand& d) {  // bytes that no digest vouches for
    status s = judge(file, final_, {d.kind, size_, d.type});
    if (s.ok() && has_nul_) s = fail(errc::not_the_file, {"it has NUL bytes, which no config has"});
    if (!s.ok() && !s.cause && d.sha256.empty())
      s.text += join({"; if it is what you want, a pin says so: #sha256=", sha256,
          " behind its URL, or source::sha256"});
    VQCACHE_NEED_(s);

    if (d.size != 0 && size_ != d.size)
      return fail(size_ < d.size ? errc::truncated : errc::not_the_file,
          {"it has ", size_, " bytes instead of ", d.size});
    has_end_mark = begins_as_zip();
    if (d.sha256.empty() || d.sha256 == sha256) return {};
    return fail(
        errc::hash_mismatch, {"its SHA-256 is ", sha256, ", but ", d.bound_by, " says ", d.sha256});
  }

  bool begins_as_zip() {
    char mark[4] = {};
    size_t got = 0;
    return os::read_at(file, 0, &mark[0], sizeof mark, got) == 0
        && view(mark, got) == view("PK\x03\x04", 4);
  }

  status lost(const char* doing, int e) const { return error::system(e, doing, final_); }

  fs::path final_, base_;
  fs::path part_path_, record_path_;  // for drop(), which does without memory
  text::kind kind_ = text::kind::binary;
  os::file record_;
  hash::sha256 sha_{};
  std::mutex lock_;  // of the record and gaps_
  status broken_{};
  string gaps_;
  uint64_t size_ = 0, synced_ = 0, record_size_ = 0, todo_at_ = 0, safe_at_ = 0;
  bool recorded_ = false, has_nul_ = false, split_ = false, is_described_ = false;
  hashing hashing_ = hashing::behind;
  follower behind_;  // the digest, on its thread: the first member to go
};

inline status open(const fs::path& p, os::mode how, os::file& in, uint64_t& size) {
  const os::info i = os::look(p, how == os::mode::link);
  size = i.size;
  if (!i.regular) return fail(errc::io, {p, i.exists ? " is not a regular file" : " is not there"});
  return error::system(os::open(p, how, in), "open", p);
}

inline status judge(const fs::path& p, os::mode how, text::kind kind) {
  os::file in;
  uint64_t size = 0;
  VQCACHE_NEED_(open(p, how, in, size));
  return judge(in, p, {kind, size, {}});
}

// whether a file of so many bytes, of which some are there, can be written
inline status has_room(const fs::path& at, uint64_t total, uint64_t have) {
  const uint64_t need = total - (std::min)(have, total);
  const os::disk disk = os::disk_of(at);
  const bool may = total <= disk.largest;
  if (may && need <= disk.available) return {};
  return {errc::no_space,
      join({"it needs ", may ? need : total, may ? " bytes more, but " : " bytes, but ", at,
          may ? " has room for " : " takes files of at most ", may ? disk.available : disk.largest,
          "; free some space there, or choose another directory"}),
      std::make_error_code(std::errc::no_space_on_device), {}};
}

// By the kernel, all at once: of a file that shares its blocks the source is hashed, which is in
// memory perhaps; `in` is closed behind it. done: whether the file system can do that.
inline status clone(const fs::path& from, os::file& in, uint64_t size, partial& to, bool& done) {
  done = size >= thread_from && os::clone(in, to.file);
  if (!done) return {};
  if (os::look(to.named(".part"), false).size != size)
    return fail(errc::io, {from, " is being written to while it is copied"});
  to.follow(std::move(in), from);
  to.arrived(size);
  return {};
}

// A whole file into a partial that has begun. at_source: it is the reading that failed. by_kernel:
// if given, copy_file_range may copy, and it is told whether it did: the new file is hashed then,
// which only a digest that is known can judge.
inline status copy(const fs::path& from, os::mode how, partial& to, caller& who, phase what,
    bool& at_source, bool* by_kernel = nullptr) {
  os::file in;
  string block;
  uint64_t size = 0;
  bool cloned = false;
  at_source = true;
  VQCACHE_NEED_(open(from, how, in, size));
  VQCACHE_NEED_(clone(from, in, size, to, cloned));
  at_source = false;
  if (!cloned) VQCACHE_NEED_(has_room(to.final_path().parent_path(), size, 0));

  watch seen{who, what, from, os::shown(to.final_path().filename())};
  bool by_system = by_kernel && size >= thread_from;
  uint64_t done = cloned ? size : 0;
  for (size_t got = 1; got > 0 && !cloned; done += got) {
    VQCACHE_NEED_(seen.step(done, size));
    const size_t most = smaller(slice / 4, size - (std::min)(done, size));
    got = by_system ? os::copy_some(in, to.file, done, most) : 0;
    by_system = got > 0;
    if (!by_system && done == 0) to.hash_as_given();  // to read it again may cost another transfer
    if (by_system) {
      to.arrived(done + got);
      *by_kernel = true;
      continue;
    }
    block.resize(block_size);
    at_source = true;
    VQCACHE_NEED_(error::system(os::read_at(in, done, &block[0], block.size(), got), "read", from));
    at_source = false;
    VQCACHE_NEED_(to.write(block.data(), got));
  }
  to.end_here();
  return seen.step(done, done);
}

// The same, sealed. That the kernel copied other bytes than there were is no damage of the source.
inline status copy_and_seal(const fs::path& from, os::mode how, partial& to, caller& who,
    phase what, const demand& want, bool& at_source) {
  bool by_kernel = false;
  bool* const may = want.sha256.empty() ? nullptr : &by_kernel;
  const fs::path final_path = to.final_path();

  status s = copy(from, how, to, who, what, at_source, may);
  if (s.ok()) s = to.seal(want, &who);
  if (s.ok() || s.cause || who.stopped() || at_source || !by_kernel) return s;

  VQCACHE_NEED_(to.begin(final_path, want.kind));
  VQCACHE_NEED_(copy(from, how, to, who, what, at_source));
  return to.seal(want, &who);
}

inline status digest(const fs::path& p, os::mode how, caller& who, string& out) {
  hash::sha256 sha;
  follower reader;
  os::file in;
  uint64_t size = 0;
  sha.start();
  VQCACHE_NEED_(open(p, how, in, size));
  watch seen{who, phase::verifying, p, os::shown(p.filename())};
  reader.start(std::move(in), p,
      [&sha](const char* data, size_t n) { return (void)sha.update(data, n), status(); });
  while (reader.wait(size))
    VQCACHE_NEED_(seen.step(reader.done, size));
  VQCACHE_NEED_(reader.stop());
  VQCACHE_NEED_(seen.step(size, size));
  out = sha.hex();
  return out.empty() ? fail(errc::io, {"the system's SHA-256 failed"}) : status();
}

// The copy for the other tier, made while the file arrives, at its own speed, on its own thread.
class copying {
  fs::path final_, from_{};
  text::kind kind_;

 public:
  partial to{};
  string sha256{};    // of what was copied, once that is known
  follower behind{};  // its thread uses the others: the first member to go

  copying(fs::path p, text::kind k) : final_(std::move(p)), kind_(k) {}

  bool fits(uint64_t size, const fs::path& local, uint64_t needed_there) const {
    fs::path at = final_.parent_path();
    while (!os::look(at).exists && at != at.parent_path())
      at = at.parent_path();

    const bool shared = os::may_be_one(os::disk_of(at), os::disk_of(local));
    return has_room(at, size + (shared ? needed_there : 0), 0).ok();
  }

  void follow(const partial& from) {
    const fs::path now = from.begun ? from.named(".part") : fs::path();
    if (now != from_) (void)behind.stop(), (void)to.drop(), from_.clear();  // it began anew
    if (now.empty() || from.front() < thread_from || !os::renames_open_files) return;
    os::file in;
    if (std::exchange(from_, now) != now && os::open(now, os::mode::read, in) == 0)
      behind.start(std::move(in), now, [this](const char* d, size_t n) { return take(d, n); });
    behind.limit = from.front();
  }

  status wait(uint64_t size, caller& who) {  // until it is complete and synced
    watch seen{who, phase::storing, final_, os::shown(final_.filename())};
    while (behind.wait(size))
      VQCACHE_NEED_(seen.step(behind.done, size));
    VQCACHE_NEED_(behind.stop());
    VQCACHE_NEED_(to.seal({kind_, sha256, "the local receipt", true}));
    return seen.step(size, size);
  }

 private:
  status take(const char* data, size_t n) {
    const fs::path at = final_.parent_path();
    if (!to.begun) {
      VQCACHE_NEED_(error::system(os::make_directories(at), "create", at));
      VQCACHE_NEED_(to.begin(final_, kind_, hashing::as_given));
      to.has_digest = true;  // that of the file which it copies
    }
    const uint64_t before = to.front() / slice;
    VQCACHE_NEED_(to.write(data, n));
    if (n == 0) to.end_here();
    if (before == to.front() / slice) return {};  // else: no long sync at the end
    return error::system(os::sync_slice(to.file, before * slice, slice, true), "sync", final_);
  }
};
}  // namespace stage

// ==== >>curl ==== talks to libcurl or to the program curl: one request, one answer ====
namespace curl {  // nothing is followed, retried or judged here but the form of an answer

struct exchange {
  string url;
  vector<string> headers;
  unsigned connect_seconds, stall_seconds;
};

// Who gets an answer. false: stop. on_end() is the last, and may neither start nor stop anything.
class receiver : os::pinned {
 public:
  virtual bool on_head(int code, const text::headers& headers) = 0;
  virtual bool on_body(const char* data, size_t size) = 0;
  virtual void on_end(status s) noexcept = 0;

 protected:
  ~receiver() = default;
};

inline constexpr const char* agent = "vqcache/0.2.0";

inline status not_http() {
  return fail(errc::http_status, {"the answer is not proper HTTP"});
}

inline status cut_head() {  // what came was proper as far as it went
  return fail(errc::truncated, {"the connection ended before the header of the answer did"});
}

// an exit of the program or a result of libcurl, which are alike (libcurl-errors(3)), in its words
inline status judge(int code, const string& words) {
  const string number = join({" ", code, " "}),
               why = join({" (", words.empty() ? join({"curl error ", code}) : words, ")"});
  if (code == 0) return {};
  if (code == 18) return fail(errc::truncated, {"the connection ended before the file did", why});
  if (code == 28)
    return fail(errc::timed_out,
        {text::has(words, "too slow") ? "nothing came for too long" : "no connection in time",
            why});
  if (text::has(" 1 8 43 ", number))
    return fail(errc::http_status, {"the answer is not proper HTTP", why});
  if (code == 61)  // newer ones look at Transfer-Encoding before the head's end
    return fail(errc::http_status, {"the server used a coding that nobody asked for", why});
  if (text::has(" 35 51 53 54 58 59 60 64 66 77 80 82 83 90 91 ", number))
    return fail(errc::tls,
        {"no trustworthy TLS connection", why,
            "; check the clock, and SSL_CERT_FILE or CURL_CA_BUNDLE if a private authority signs"});
  return fail(errc::connection,
      {"the connection failed", why, "; check the URL, the network and the proxy variables"});
}

// the functions of libcurl, which has kept its ABI, and the numbers of its options, since 7.16
#define VQCACHE_CURL_(X)                                                           \
  X(global_init), X(easy_init), X(easy_setopt), X(easy_cleanup), X(easy_strerror), \
      X(slist_append), X(slist_free_all), X(multi_init), X(multi_add_handle),      \
      X(multi_remove_handle), X(multi_perform), X(multi_wait), X(multi_info_read), \
      X(multi_cleanup)
#define VQCACHE_NAME_(name) name
#if VQCACHE_USE_LIBCURL
#define VQCACHE_BIND_(name) reinterpret_cast<void*>(&::curl_##name)
#else
#define VQCACHE_BIND_(name) os::symbol(from, "curl_" #name)
#endif
enum function { VQCACHE_CURL_(VQCACHE_NAME_), functions };

struct library {
  void* f[functions];

  bool whole() const { return std::find(f, f + functions, nullptr) == f + functions; }
};

inline library bind([[maybe_unused]] void* from) {
  return {{VQCACHE_CURL_(VQCACHE_BIND_)}};
}

#undef VQCACHE_CURL_
#undef VQCACHE_NAME_
#undef VQCACHE_BIND_

struct message {  // CURLMsg
  int msg;
  void* easy;
  int result;
};

// null: there is none. It is loaded at the first need, to stay; where that failed, for want of a
// descriptor perhaps, it is tried again at the next need.
inline void* const* libcurl() {
  static library found{};
  static std::atomic<bool> usable{false};
  static std::mutex turn;
  if (usable) return found.f;

  const std::lock_guard<std::mutex> one(turn);
  if (usable) return found.f;
  // what the process has comes first: a second copy would be bound to the symbols of the first
  found = bind(nullptr);
  for (const char* name : os::libcurl_names)
    if (void* from = found.whole() ? nullptr : os::load(name)) found = bind(from);

  const bool works = found.whole() && os::call<int>(found.f[global_init], 3L) == 0;
  usable = works;
  return works ? found.f : nullptr;
}

template <class R, class... A>
inline R call(function f, A... a) {
  return os::call<R>(libcurl()[f], a...);
}

// After how many seconds of silence the program curl is to give up by itself, so that it does not
// outlive for long a caller that was killed; 0: never. What is too slow is for us to decide: the
// first answer may take connect_seconds and three times stall_seconds, and this is far beyond.
inline unsigned silence_limit(const exchange& x) {
  constexpr uint64_t most = 2147483;         // curl counts it in milliseconds, in a long
  constexpr uint64_t connect_of_curl = 300;  // what curl takes for no limit
  if (x.stall_seconds == 0) return 0;

  const uint64_t connect = x.connect_seconds == 0 ? connect_of_curl : x.connect_seconds;
  return unsigned((std::min)(connect + 6 * uint64_t{x.stall_seconds}, most));
}

inline vector<string> program_arguments(const exchange& x, const string& mark) {
  vector<string> all = {"curl", "-q", "-g", "-s", "-S", "-i", "-N", "--proto", "=http,https",
      "--http1.1", "--suppress-connect-headers", "--connect-timeout",
      std::to_string(x.connect_seconds), "-w", mark + "%{size_download}", "-K", "-"};
  const unsigned silence = silence_limit(x);
  if (silence == 0) return all;

  for (const string& word :
      {string("--speed-limit"), string("1"), string("--speed-time"), std::to_string(silence)})
    all.push_back(word);
  return all;
}

inline status cannot_start(int e) {  // e: of errno
  const bool passing = e == EMFILE || e == ENFILE || e == EAGAIN || e == ENOMEM;
  const char* advice = "install curl or libcurl, or set options::fetch";
  if (passing) advice = "this machine has used something up; try again later";
  if (e == EACCES || e == EPERM || e == ENOEXEC)
    advice = "see what file that is and who may run it, install libcurl, or set options::fetch";
  if (e == E2BIG) advice = "its URL and headers, or the environment, are too long; install libcurl";
  const errc code = passing ? errc::connection : errc::no_transport;
  return fail(code,
      {"the program curl cannot be started (", std::generic_category().message(e), "): ", advice});
}

class link : os::pinned {  // one exchange under way
 public:
  receiver* to;
  bool over = false;     // nothing more comes
  void* easy = nullptr;  // of libcurl
  os::process process{};

  explicit link(receiver& r) : to(&r) {}

  ~link() {
    if (easy) (void)call<int>(multi_remove_handle, multi_, easy), call<void>(easy_cleanup, easy);
    if (list_) call<void>(slist_free_all, list_);
  }

  status start(const exchange& x, void* multi) {
    multi_ = multi;
    bool good = (easy = call<void*>(easy_init)) != nullptr;
    // variadic in name and in fact: Apple's arm64 passes such arguments on the stack
    const auto setopt = reinterpret_cast<int (*)(void*, int, ...)>(libcurl()[easy_setopt]);
    const auto set = [&](int option, auto value) {
      return setopt(easy, option, value) == 0;
    };
    for (const string& h : x.headers)
      good = good && (list_ = call<void*>(slist_append, list_, h.c_str())) != nullptr;
    // the variables that the program curl obeys, and libcurl does not
    const string dir = os::env("SSL_CERT_DIR"), own = os::env("CURL_CA_BUNDLE"),
                 bundle = own.empty() ? os::env("SSL_CERT_FILE") : own;
    good = good && set(10002, x.url.c_str())
        && set(181, 3L) /* http and https only */ && set(64, 1L)
        && set(81, 2L) /* verify peer and host */ && set(99, 1L) /* no signals */
        && set(84, 2L) /* HTTP/1.1 */ && set(78, long(x.connect_seconds)) && set(10010, &words_[0])
        && set(10018, agent) && set(10023, list_) && set(20011, &on_body) && set(10001, this)
        && set(20079, &on_line) && set(10029, this)
        && (bundle.empty() || set(10065, bundle.c_str()))
        && (dir.empty() || set(10097, dir.c_str()));
    (void)set(98, 262144L);  // the buffer; libcurl clamps it
    (void)set(265, 1L);      // no headers of the proxy's CONNECT
    if (good && call<int>(multi_add_handle, multi_, easy) == 0) return {};
    return fail(errc::no_transport,
        {"this libcurl refuses an option that safety needs; ",
            "VQCACHE_TRANSPORT=curl uses the program"});
  }

  void ended(int e) {  // libcurl is done with it, and says so
    status s = judge(e, words_[0] ? words_ : call<const char*>(easy_strerror, e));
    end(s.ok() && !headed_ ? cut_head() : std::move(s));
  }

  // The URL and every secret go to the program's standard input, where ps does not look; what
  // safety needs is in its arguments: curl before 8.7 ignores unknown words of a file.
  status start(const exchange& x) {
    string config = join({"url = \"", x.url, "\"\nuser-agent = \"", agent, "\"\n"});
    for (const string& h : x.headers) {
      config += "header = \"";
      for (char c : h)
        config += (c == '"' || c == '\\' ? "\\" : "") + string(1, c);
      config += "\"\n";
    }
    const int e = process.start(program_arguments(x, string(mark)), config);
    return e == 0 ? status() : cannot_start(e);
  }

  void pull() {  // what it has written
    block_.resize(262144);
    const long n = process.read(&block_[0], block_.size());
    (void)guarded(0, [&] {
      if (n == 0) end(conclude());
      return n < 0 || (n > 0 && feed({block_.data(), size_t(n)}));
    });
  }

 private:
  // The last line tells that curl came to its end, and where the body ends and trailers begin. It
  // begins no line: the empty one before it would look like the end of a head that was cut.
  static constexpr view mark = "vqcache ";

  bool feed(view data) {
    held_ += data;
    view rest = held_;
    while (!headed_ && text::has(rest, "\n"))
      if (!line(text::take(rest, '\n'))) return false;
    held_.erase(0, held_.size() - rest.size());
    if (!headed_ && held_.size() > head_limit) end(not_http());
    const size_t keep = text::find(headers_, "transfer-encoding").empty() ? 64 : 131072;
    return !headed_ || held_.size() <= keep || give(held_.size() - keep);
  }

  bool give(size_t n) {
    const bool wanted = n == 0 || to->on_body(held_.data(), n);
    held_.erase(0, n);
    given_ += n;
    return wanted;
  }

  status conclude() {
    int code = process.finish(false);
    view errors = process.errors();
    const string words(text::trim(text::readable(text::take(errors, '\n'))));
    uint64_t size = 0;
    if (code < 0 && text::starts(words, "curl: (")) code = std::atoi(&words[7]);  // not reaped
    if (code == 127 && !headed_) return fail(errc::no_transport, {"curl cannot be run: ", words});
    const size_t at = held_.rfind(mark);
    const bool full = at != npos && text::to_number(view(held_).substr(at + mark.size()), size)
        && size >= given_ && size - given_ <= at;
    if (headed_ && !give(full ? size - given_ : 0)) return {};
    VQCACHE_NEED_(judge((std::max)(code, 0), words));
    if (!headed_) return cut_head();
    return full ? status() : fail(errc::truncated, {"the program curl ended before the file did"});
  }

  void end(status s) noexcept {
    if (!std::exchange(over, true)) to->on_end(std::move(s));
  }

  // Interim answers (1xx) are skipped, and all is bounded: curl before 8.4 is not (CVE-2023-38039).
  enum : size_t { head_limit = 256 * 1024 };

  // A header waits for the next line, which may continue it.
  bool line(view s) {
    head_size_ += s.size();
    const bool within_limit = head_size_ <= head_limit;
    if (!within_limit || !take_line(s)) end(not_http());
    return !over && (!headed_ || to->on_head(code_, headers_));
  }

  bool take_line(view s) {  // false: no proper HTTP
    const bool continues = text::starts(s, " ") || text::starts(s, "\t");
    if (continues) return text::unfold(pending_, s);

    if (!pending_.empty()) {
      text::header h;
      const text::reading read = text::read_header(pending_, h);
      pending_.clear();
      if (read == text::reading::improper) return false;
      if (read == text::reading::good) headers_.push_back(std::move(h));
    }
    s = text::trim(s);
    if (!s.empty() && code_ != 0)
      pending_ = s;
    else if (!s.empty())
      code_ = text::status_code(s);
    else
      end_head();
    return code_ != 0 || s.empty();
  }

  void end_head() {  // of an answer, or of an interim one (1xx), which is forgotten
    headed_ = code_ >= 200;
    if (headed_) return;
    headers_.clear();
    code_ = 0;
  }

  template <class F>
  size_t guarded(size_t n, const F& f) noexcept {  // for a callback of libcurl
    bool wanted = true;
    status s = error::contain([&] {
      wanted = f();
      return status();
    });
    if (!s.ok() || !wanted) end(std::move(s));
    return over ? 0 : n;
  }

  static size_t on_line(char* data, size_t size, size_t n, void* self) noexcept {
    auto& me = *static_cast<link*>(self);  // after the head: trailers of a chunked body
    return me.guarded(size * n, [&] { return me.headed_ || me.line({data, size * n}); });
  }

  static size_t on_body(char* data, size_t size, size_t n, void* self) noexcept {
    auto& me = *static_cast<link*>(self);
    return me.guarded(size * n, [&] {
      if (!me.headed_) me.end(not_http());
      return !me.over && me.to->on_body(data, size * n);
    });
  }

  void *multi_ = nullptr, *list_ = nullptr;
  int code_ = 0;
  bool headed_ = false;  // the header has come
  text::headers headers_{};
  string pending_{};         // a header line that the next may continue
  string block_{}, held_{};  // of what the program writes: one reading; what is not told yet
  uint64_t head_size_ = 0, given_ = 0;
  char words_[256] = "";
};

class pump : os::pinned {  // several at once, on the calling thread
 public:
  explicit pump(string by) : by_(std::move(by)) {}  // "libcurl", "curl", or the first that is there

  ~pump() {
    links_.clear();
    if (multi_) call<int>(multi_cleanup, multi_);
  }

  void start(const exchange& x, receiver& to) {
    auto one = std::make_unique<link>(to);
    if (!multi_ && by_ != "curl" && libcurl()) multi_ = call<void*>(multi_init);
    if (!multi_ && by_ == "libcurl")
      return to.on_end(fail(errc::no_transport,
          {"libcurl cannot be loaded, and options::transport or VQCACHE_TRANSPORT wants it alone; "
           "install it, or set options::fetch"}));
    const status s = multi_ ? one->start(x, multi_) : one->start(x);
    if (s.ok())
      links_.push_back(std::move(one));
    else
      to.on_end(s);
  }

  void stop(receiver& to) {  // it is told nothing more
    drop([&](auto& one) { return one->to == &to; });
  }

  void run(int ms) {  // brings what has come, or comes within so many milliseconds
    if (links_.empty()) return os::sleep_ms(ms);
    if (multi_) {
      int running = 0, queued = 0;
      (void)call<int>(multi_perform, multi_, &running);
      for (message* m; (m = call<message*>(multi_info_read, multi_, &queued)); ms = 0)
        for (const auto& one : links_)
          if (one->easy == m->easy) one->ended(m->result);
      if (call<int>(multi_wait, multi_, nullptr, 0U, ms, nullptr) != 0) os::sleep_ms(ms);
    } else {
      vector<os::process*> all;
      for (const auto& one : links_)
        all.push_back(&one->process);
      os::process::wait(all, ms);
      for (const auto& one : links_)
        one->pull();
    }
    drop([](const auto& one) { return one->over; });
  }

 private:
  template <class Is>
  void drop(const Is& is) {
    links_.erase(std::remove_if(links_.begin(), links_.end(), is), links_.end());
  }

  string by_;
  void* multi_ = nullptr;  // of libcurl; null: over the program
  vector<std::unique_ptr<link>> links_{};
};
}  // namespace curl

// ==== >>transfer ==== decides how to get bytes: sources, mirrors, redirects, tries, limits ====
namespace transfer {
// What a user's fetcher says. It stands between our code and ours: no exception of ours passes
// through the user's function, which might take it for its own.
struct answer final : response {
  curl::receiver* to;
  int code = 0;
  text::headers headers{};
  bool head_done = false, stopped = false;
  string failure{}, misuse{};
  detail::status broken{};  // of our own code

  explicit answer(curl::receiver* receiver) : to(receiver) {}

  void end_head() {
    if (!std::exchange(head_done, true)) stopped = !to->on_head(code ? code : 200, headers);
  }

  void status(int told) override {
    inside([&] {
      if (head_done) misuse = "status() after write()";
      code = told;
    });
  }

  void header(view name, view value) override {
    inside([&] {
      text::header h;
      if (head_done)
        misuse = "header() after write()";
      else if (text::parse_header(join({name, ":", value}), h))
        headers.push_back(h);
      else
        misuse = "a header has control characters or no name";
    });
  }

  bool write(const void* data, size_t size) override {
    inside([&] {
      end_head();
      if (!stopped && size > 0) stopped = !to->on_body(static_cast<const char*>(data), size);
    });
    return !stopped && misuse.empty() && broken.ok();
  }

  void fail(string why) override {
    inside([&] { failure = why.empty() ? "nothing" : std::move(why); });
  }

 private:
  template <class F>
  void inside(const F& f) {
    if (!broken.ok()) return;
    broken = error::contain([&f] {
      f();
      return detail::status();
    });
  }
};

// What the caller gave is checked before anything is done with it. 0 seconds and 0 bytes: no limit.
inline constexpr unsigned most_connections = 16;
// Both transports count milliseconds in 31 bits (CURLOPT_CONNECTTIMEOUT(3), curl(1)).
inline constexpr unsigned most_seconds = 2147483;
inline constexpr uint64_t largest_file = (uint64_t{1} << 63) - 1;  // of any file: off_t has a sign
inline constexpr view null_pointer{"\0", 1};                       // as source::given() records it

// without a limit libcurl would take its own, 300 s
inline unsigned connect_limit(const options& o) {
  return o.connect_seconds == 0 ? most_seconds : o.connect_seconds;
}

inline uint64_t most_bytes(const source& s, const options& o) {  // of one file
  if (s.size != 0) return s.size;
  return o.max_bytes == 0 ? uint64_t{text::endless} : o.max_bytes;
}

inline string wanted_transport(const options& o) {
  return o.transport.empty() ? os::env("VQCACHE_TRANSPORT") : o.transport;
}

inline status check_transport(const string& name, const char* given_by) {
  if (name.empty() || name == "libcurl" || name == "curl") return {};
  return fail(errc::invalid_argument,
      {given_by, " is '", text::printable(name), "'; known are libcurl and curl"});
}

inline status check_options(const options& o) {  // what may be wrong in any call
  const auto bad = [](std::initializer_list<error::piece> why) {
    return fail(errc::invalid_argument, why);
  };
  const auto has_nul = [](const fs::path& p) {
    return p.native().find(fs::path::value_type()) != npos;
  };

  if (o.connections == 0 || o.connections > most_connections)
    return bad({"options::connections is ", o.connections, "; it may be 1 to ", most_connections});
  if (o.connect_seconds > most_seconds)
    return bad({"options::connect_seconds is ", o.connect_seconds, "; it may be up to ",
        most_seconds, ", and 0 is no limit"});
  if (o.stall_seconds > most_seconds)
    return bad({"options::stall_seconds is ", o.stall_seconds, "; it may be up to ", most_seconds,
        ", and 0 is no limit"});

  if (has_nul(o.local_dir)) return bad({"options::local_dir has a NUL byte"});
  if (has_nul(o.cache_dir)) return bad({"options::cache_dir has a NUL byte"});
  return check_transport(o.transport, "options::transport");
}

// of a call that may download, with what the environment says where the options say nothing
inline status check_call(const options& o) {
  VQCACHE_NEED_(check_options(o));
  if (o.fetch) return {};
  return check_transport(wanted_transport(o), "the environment variable VQCACHE_TRANSPORT");
}

// why a path or a URL without its pin cannot be asked for, or empty; by_user: over options::fetch
inline string url_problem(view url, bool by_user) {
  const string path = text::local_path(url);
  if (!path.empty()) {
    const string kind = text::lower(url.substr(0, 6));
    const bool relative = text::has_scheme(url) && path[0] != '/' && path.substr(1, 1) != ":";
    if (relative || path.find('\0') != npos) return "names no file of this machine";
    if (kind == "http:/" || kind == "https:")
      return "would be a path of this machine; did you mean http:// or https://?";
    return {};
  }

  if (const size_t odd = text::odd_byte(url); odd != npos)
    return join(
        {"is no URL: byte ", odd + 1, " must be percent-encoded (it is a space, a quote, ...)"});
  text::url u;
  if (!text::parse_url(url, u)) return "is no URL: it has no host, or a wrong port";
  if (!by_user && !text::is_http(u))
    return "has no scheme http, https or file; options::fetch can serve others";
  return {};
}

// out: the source with bare URLs and one pin in lower case, every word harmless to a transport
inline status examine(const source& s, const string& role, const options& o, source& out) {
  const auto bad = [&role](std::initializer_list<error::piece> why) {
    return fail(errc::invalid_argument, {"the source of the ", role, ": ", join(why)});
  };
  out = source(vector<string>(), text::lower(s.sha256), s.headers);
  out.size = s.size;
  string& pin = out.sha256;

  if (!pin.empty() && !text::is_digest(pin))
    return bad({"sha256 is '", text::printable(s.sha256), "', not 64 hex digits"});
  if (s.size > largest_file) return bad({"size is ", s.size, "; no file can have so many bytes"});
  if (s.urls.empty()) return bad({"no URL is given"});

  for (view url : s.urls) {
    if (url == null_pointer)
      return bad({"a null pointer was given as URL ", out.urls.size() + 1,
          "; is an environment variable unset?"});
    const string also = text::lower(text::split_pin(url));
    const string name = "'" + text::redact(text::printable(url)) + "'";
    if (!also.empty() && !text::is_digest(also))
      return bad({"#sha256= of ", name, " is '", text::printable(also), "', not 64 hex digits"});
    if (!also.empty() && !pin.empty() && also != pin)
      return bad({"two different SHA-256 are given, ", pin, " and ", also});
    if (!also.empty()) pin = also;

    if (text::is_digest(url)) return bad({name, " is no URL; a pin goes to source::sha256"});
    if (url.empty() || url.find('\0') != npos) return bad({"a URL is empty or has a NUL byte"});
    if (const string why = url_problem(url, bool(o.fetch)); !why.empty())
      return bad({name, " ", why});
    out.urls.emplace_back(url);
  }

  text::header parsed;
  for (size_t i = 0; i < s.headers.size(); ++i) {
    if (s.headers[i].find_first_of("\r\n") != npos || !text::parse_header(s.headers[i], parsed))
      return bad({"header ", i + 1, " is not 'Name: value' without control characters"});
    if (text::is_reserved(parsed.name, parsed.value))
      return bad({"header ", i + 1, " is ", parsed.name,
          ", which the transfer sets itself; a file is asked for in parts and without codings"});
  }
  return {};
}
// What the head of an answer asks of us: a pure function of the head, of what was asked and of what
// is here already. An answer is believed for what its marks prove together, never for its status
// code alone (RFC 9110 8.8.1, 14.4): marks that contradict each other make an odd answer.
enum class answer_kind {
  part,        // it continues the file where that was asked
  whole,       // the file from its first byte
  complete,    // 416: what is here is all there is
  redirect,    // its Location has the file
  error_page,  // words for a person
  odd          // nothing that can be used; what is on the disk stays
};

struct asked {
  bool range = false;         // for a part; else for the whole file
  uint64_t first = 0;         // the first byte of the part
  bool has_siblings = false;  // other connections bring other parts at the same time
};

struct on_disk {
  uint64_t size = 0;    // bytes that have come
  uint64_t total = 0;   // bytes that there will be; 0: not known
  string validator{};   // of this server: an ETag, or a date that is as good; empty: none
  bool pinned = false;  // a digest will decide
};

struct answer_head {
  int code = 0;
  text::maybe_range range{};
  bool names_range = false;          // a Content-Range is there, even if it cannot be read
  std::optional<uint64_t> length{};  // none: not told, or chunked
  string validator{};                // of the same sort as on_disk::validator; empty: none
};

struct verdict {
  answer_kind kind = answer_kind::odd;
  string why{};              // of an odd one
  bool has_changed = false;  // another version of the file than what is here
  bool is_unmarked = false;  // odd, but nothing says of which file it is: a page perhaps
  uint64_t end = 0;          // one behind the last byte of the answer; 0: not known
  uint64_t total = 0;        // of the file; 0: not known
};

inline bool is_redirect(int code) {
  return code == 301 || code == 302 || code == 303 || code == 307 || code == 308;
}

inline verdict odd(const string& why, bool has_changed = false) {
  return {answer_kind::odd, why, has_changed, false, 0, 0};
}

// A mark that is missing contradicts nothing; a server may call its ETag weak the second time.
inline bool is_same_version(const answer_head& head, const on_disk& have) {
  const string &its = head.validator, &known = have.validator;
  return its.empty() || known.empty() || its == known || its == "W/" + known;
}

// All of the file, under 200 or 206. total: by this answer; 0: not told. One mark with two lengths
// proves neither; of a server without marks the plain request will tell.
inline verdict judge_all(
    const answer_head& head, const asked& want, const on_disk& have, uint64_t total) {
  const bool is_same = is_same_version(head, have);
  const bool has_same_mark = is_same && !head.validator.empty() && !have.validator.empty();
  const bool is_doubtful = want.range ? is_same : has_same_mark && !have.pinned;
  if (is_doubtful && have.total != 0 && total != 0 && total != have.total) {
    verdict v = odd(join({"the server gives one ETag or date to two lengths, ", have.total, " and ",
        total, " bytes; vqcache::remove takes what is here away, a pin would decide"}));
    if (!has_same_mark) v = odd("an answer of another length than the file has");
    v.is_unmarked = !has_same_mark;
    return v;
  }
  if (want.has_siblings) return odd("the server sends all of the file for a part of it", !is_same);

  // a length that is not told is the one that came with the same mark before
  const bool is_known = has_same_mark && !have.pinned && total == 0;
  return {answer_kind::whole, {}, false, false, total, is_known ? have.total : total};
}

inline verdict judge_part(const answer_head& head, const asked& want, const on_disk& have) {
  const char* const elsewhere = want.range
      ? "the server does not continue the file where it ended"
      : "HTTP 206 for the file: a part of it, which nobody asked for";
  if (!head.range || head.range->unsatisfied) return odd(elsewhere);
  const text::content_range& range = *head.range;
  if (head.length && *head.length != range.size()) return odd(elsewhere);

  const bool continues = want.range && range.first == want.first;
  if (!continues && range.whole()) return judge_all(head, want, have, *range.total);
  if (!continues) return odd(elsewhere);

  const bool other_total = range.total && have.total != 0 && *range.total != have.total;
  if (other_total || !is_same_version(head, have)) return odd(elsewhere, true);
  const uint64_t total = range.total ? *range.total : have.total;
  if (total != 0 && range.last >= total) return odd(elsewhere);
  return {answer_kind::part, {}, false, false, range.last + 1, total};
}

// Some hosts answer the request for a part by 200 and send that part alone; others name the range
// that all of the file is.
inline verdict judge_200(const answer_head& head, const asked& want, const on_disk& have) {
  const uint64_t length = head.length ? *head.length : 0;
  if (!head.names_range || (!head.range && !want.range)) return judge_all(head, want, have, length);

  const bool fits = head.range && head.range->first == 0 && !head.range->unsatisfied
      && (!head.length || length == head.range->size());
  const bool is_all = fits && (head.range->whole() || (head.length && !head.range->total));
  if (!is_all) return odd("the server says 200, but its Content-Range does not cover the file");
  return judge_all(head, want, have, head.range->size());
}

inline verdict judge_head(const answer_head& head, const asked& want, const on_disk& have) {
  const bool at_end = head.code == 416 && want.range && head.range && head.range->total
      && *head.range->total == have.size && (have.total == 0 || have.total == have.size)
      && is_same_version(head, have);
  if (at_end) return {answer_kind::complete, {}, false, false, have.size, have.size};
  if (head.code >= 400) return {answer_kind::error_page, {}, false, false, 0, 0};
  if (is_redirect(head.code)) return {answer_kind::redirect, {}, false, false, 0, 0};
  if (head.code == 206) return judge_part(head, want, have);
  if (head.code == 200) return judge_200(head, want, have);
  return odd(join({"HTTP ", head.code, " for the file"}));
}
// What follows a try that failed: a pure function. What a URL's tries have in common is in `tries`.
enum class next_step {
  try_again,    // the rest, after a pause
  whole_file,   // without a range, beside what is here: ranges do not work, or the file changed
  take_turns,   // when the other file of the same host is no longer under way
  next_source,  // this URL is given up
  stop          // no URL can help
};
enum class ranges { unknown, honoured };  // by the server of this URL

struct attempt {
  errc failure = errc::io;
  int code = 0;                // of the last answer; 0: none came
  bool is_ours = false;        // this machine failed, or the user's part of the work
  bool is_local = false;       // a path, not a URL
  bool is_wrong = false;       // all came, and it is not the file
  bool is_mixed = false;       // of several answers, so that one alone may be right
  bool is_odd = false;         // see answer_kind::odd
  bool is_unmarked = false;    // see verdict
  bool has_changed = false;    // since what is here came
  bool wanted_rest = false;    // a part was asked for
  bool gained = false;         // more is here than before
  bool denied = false;         // 401 or 403 of the first host, and there is another source
  bool host_is_taken = false;  // the other file comes from there at this moment
  bool had_turn = false;       // it has ended since
  unsigned wait = 0;           // seconds that the server asks for
  int tries = 1;               // of this URL
  int fruitless = 0;           // of them the last that gained nothing
  ranges parts = ranges::unknown;
};

enum : unsigned { longest_wait = 120 };  // seconds of Retry-After that are obeyed

enum : int { most_tries = 1000, fruitless_tries = 3 };  // of a URL; of them in a row without gain

inline bool is_busy(int code) {
  return code == 202 || code == 408 || code == 429 || code >= 500;
}

inline bool is_gone(int code) {
  return code == 404 || code == 410;
}

inline bool is_of_network(errc e) {
  return e == errc::connection || e == errc::truncated || e == errc::timed_out;
}

inline bool passes(const attempt& a) {  // a cut, or a server that has no time now
  const bool answered_busy = is_busy(a.code) && a.failure == errc::http_status;
  return answered_busy || (!a.is_odd && is_of_network(a.failure));
}

// A request for the rest that failed for good. Where no part was ever served the way out is to ask
// for the whole file: a server or proxy may answer that alone, whatever it says to a part.
inline next_step after_a_part(const attempt& a) {
  if (a.has_changed) return next_step::whole_file;
  if (a.gained) return next_step::next_source;

  const bool is_file = a.code == 200 || a.code == 206;
  const bool contradicts = a.code == 416 || (a.is_odd && !a.is_unmarked && is_file);
  const bool is_proven = a.parts == ranges::honoured;
  if (contradicts && !is_proven) return next_step::whole_file;

  const bool may_pass = a.code != 0 && !is_busy(a.code) && !is_gone(a.code) && !a.denied;
  if (may_pass && a.fruitless < 2) return next_step::try_again;
  if (contradicts) return next_step::whole_file;

  const bool was_refused = a.code != 0 || a.failure == errc::timed_out;
  return was_refused && !is_proven ? next_step::whole_file : next_step::next_source;
}

inline next_step decide(const attempt& a) {
  if (a.is_ours) return next_step::stop;
  if (a.is_local || a.tries >= most_tries) return next_step::next_source;
  if (a.is_wrong && a.is_mixed && a.fruitless < fruitless_tries) return next_step::try_again;
  if (a.is_wrong) return next_step::next_source;

  // a host may give one connection to a client: no refusal is final while another has it
  const bool refused =
      a.code == 0 ? is_of_network(a.failure) : is_busy(a.code) || a.code == 401 || a.code == 403;
  if (refused && !a.gained && a.host_is_taken) return next_step::take_turns;
  const bool unproven = a.wanted_rest && !a.gained && a.parts != ranges::honoured;
  if (a.wait > longest_wait) return unproven ? next_step::whole_file : next_step::next_source;

  if (passes(a) && a.fruitless < fruitless_tries) return next_step::try_again;
  if (refused && a.had_turn && a.fruitless < 2) return next_step::try_again;
  return a.wanted_rest ? after_a_part(a) : next_step::next_source;
}

struct target {
  size_t item;  // of the call
  const source* from;
  stage::demand want;
  fs::path final_path;
  stage::copying* copy = nullptr;  // for the other tier, or none
  std::unique_ptr<stage::partial> to = std::make_unique<stage::partial>();
  string got{}, etag{};     // the URL that served it, redacted; of the answer
  bool is_unsized = false;  // nobody told how long it is: a cut could not be seen
};

struct outcome {  // of one connection, over its redirects
  int hops = 0;
  bool ranged = false;             // a part was asked for
  uint64_t first = 0, gained = 0;  // the first byte that is wanted; bytes that came
  string host{};                   // of the last hop
  // what follows is of one answer alone
  int code = 0;
  bool is_odd = false, has_changed = false;  // see verdict
  bool is_unmarked = false;
  bool host_was_taken = false;  // by another file of the call, at some moment
  unsigned wait = 0;            // seconds the server asks for before the next try
};

// One file, from the first URL that serves it right, over as many connections as pay. work() is
// called again and again; it waits only for a user's transport, a local source and the last sync.
class job : os::pinned {
 public:
  using jobs = vector<std::unique_ptr<job>>;

  job(target& t, caller& w, curl::pump& p, const jobs& all)
      : t_(t),
        who_(&w),
        pump_(&p),
        all_(&all) {}

  ~job() { hang_up(); }

  bool over = false;
  status result{};

  void work() {
    if (url_.empty()) next_url();
    hang_up_abandoned();
    for (auto& l : lanes_)
      l->host_was_taken = l->host_was_taken || is_taken(l->host);

    for (size_t i = 0; i < lanes_.size() && !over; ++i) {
      if (!lanes_[i]->over) continue;
      auto ended = std::move(lanes_[i]);
      lanes_.erase(lanes_.begin() + std::ptrdiff_t(i));
      settle(std::move(ended));
      i = npos;  // the list has changed
    }

    if (t_.copy && !over) t_.copy->follow(*t_.to);
    if (over || who_->stopped()) return;
    if (!lanes_.empty())
      widen();
    else if (may_begin() && !turn_of_.empty())
      end_turn();
    else if (may_begin())
      begin_try();
    (void)tell();
  }

  int idle_ms() const {  // for so long nothing can be done but wait for bytes
    bool busy = lanes_.empty() && may_begin();
    for (const auto& l : lanes_)
      busy = busy || l->over;
    return busy && !over ? 0 : 50;
  }

  status kept(status s) {  // what a failed call leaves to a later one
    hang_up();
    keep_the_larger();
    const uint64_t had = t_.to->size(), size = t_.to->release();
    if (size > 0)
      s.text += join({"; ", size, " bytes of ", file_, " are kept for the next call"});
    else if (had > 65536)
      s.text += join({"; ", had, " bytes of ", file_, " cannot be continued"});
    return s;
  }

 private:
  struct lane final : curl::receiver, outcome {  // one connection, through its redirects
    job* of;
    size_t run;
    bool is_abandoned = false;  // another connection brings its part
    text::url at{};
    bool at_home = true;  // until a redirect leaves it
    text::cookies jar{};
    stage::pace speed{0};
    status result{};
    unsigned number = 0;                    // of the answer, in this job
    uint64_t next = 0, upto = 0, more = 0;  // next byte; answer's end; to be compared
    bool over = false;
    bool sized = false;      // upto is known
    bool all_there = false;  // 416: nothing more is to come
    bool fresh = false;      // the whole file is to come; what is here is untouched so far
    bool done = false;       // no more of the answer is wanted
    uint64_t total = 0;      // of the file, by this answer
    string location{}, excerpt{}, mark{};

    lane(job* job, size_t which) : of(job), run(which) {}

    void ask(const string& url) {
      const options& o = of->who_->opts();
      const text::identity& id = of->t_.to->id;
      const vector<string>& own = of->t_.from->headers;
      const string known = of->validator();
      const bool strong = text::starts(known, "\"") || text::is_date(known);
      const vector<string> ours{"Accept: */*", "Accept-Encoding: identity"};
      const vector<string> users = at_home ? own : vector<string>();
      const vector<string> lines = text::request_headers(ours, users);

      forget_answer();
      curl::exchange x{url, text::with_cookies(lines, jar, at), connect_limit(o), o.stall_seconds};
      more = ranged && !strong && !o.fetch ? uint64_t{65536} : 0;
      next = first - (std::min)(first, more);
      if (more > 0) (void)of->t_.to->flush(of->t_.to->runs[run]);  // to be compared

      if (ranged && !o.fetch) {
        const uint64_t end = of->t_.to->runs[run].end;
        x.headers.push_back(join({"Range: bytes=", next, "-",
            end < id.total ? std::to_string((std::min)(end + more, id.total) - 1) : ""}));
        if (strong) x.headers.push_back("If-Range: " + known);
      }
      speed = stage::pace{o.stall_seconds, gained};
      if (o.fetch)
        of->by_user(x, *this);
      else
        of->pump_->start(x, *this);
    }

    // What the answer of an earlier hop said is nothing that holds for the next one.
    void forget_answer() {
      number = ++of->answers_;
      host = text::lower(at.host);
      host_was_taken = of->is_taken(host);
      code = 0;
      is_odd = has_changed = is_unmarked = false;
      wait = 0;
      over = sized = all_there = fresh = done = false;
      upto = total = 0;
      location.clear();
      excerpt.clear();
      mark.clear();
      result = status();
    }

    bool on_head(int status_code, const text::headers& headers) override {
      code = status_code;
      if (is_abandoned) return false;
      if (is_redirect(code)) return leave_for(headers);

      const string retry = find(headers, "retry-after"), date = find(headers, "date");
      if (code >= 400 || code == 202) wait = text::retry_after(retry, date);
      const string coding = text::coding_problem(headers);
      if (code < 400 && !coding.empty()) return refuse({coding});
      if (!text::content_length(headers, sized, upto) && code < 400)
        return refuse({"its Content-Length is malformed or given twice"});

      const string known = of->validator();
      const asked want{ranged, next, of->lanes_.size() > 1};
      const verdict v = judge_head(head_of(headers, known), want, of->on_disk_now(known));
      mark = text::validator(headers);
      sized = v.end > 0;
      upto = v.end;
      total = v.total;
      has_changed = v.has_changed;
      is_unmarked = v.is_unmarked;
      switch (v.kind) {
        case answer_kind::error_page: return true;  // its words are wanted
        case answer_kind::redirect: return false;
        case answer_kind::complete: return nothing_is_left();
        case answer_kind::odd: is_odd = true; return refuse({v.why});
        case answer_kind::part: note_kind(headers); return begin_part();
        case answer_kind::whole: note_kind(headers); return begin_whole();
      }
      return false;
    }

    bool nothing_is_left() {
      all_there = true;
      of->t_.to->ends_with_connection = false;  // its length has been told
      return false;
    }

    bool leave_for(const text::headers& headers) {  // another address
      for (const text::header& h : headers)
        if (h.name == "set-cookie") text::take_cookie(jar, at, h.value);
      location = find(headers, "location");
      if (location.empty()) (void)refuse({"HTTP ", code, " without a Location"});
      return false;
    }

    answer_head head_of(const text::headers& headers, const string& known) {
      answer_head head;
      head.code = code;
      head.range = text::find_content_range(headers);
      head.names_range = !find(headers, "content-range").empty();
      if (sized) head.length = upto;
      head.validator =
          text::printable(find(headers, text::is_date(known) ? "last-modified" : "etag"));

      const string coding = text::lower(find(headers, "transfer-encoding"));
      of->is_chunked_ = !sized && text::has(coding, "chunked");
      if (find(headers, "accept-ranges") == "none") of->limit_ = 1;
      return head;
    }

    void note_kind(const text::headers& headers) {
      of->t_.want.type = text::printable(find(headers, "content-type"));
      of->t_.etag = text::printable(find(headers, "etag"));
    }

    bool begin_part() {
      stage::partial& to = *of->t_.to;
      if (!to.id.total && total > 0) to.runs[run].end = total;
      if (total > 0) to.ends_with_connection = false;
      return fits(to.size());
    }

    bool begin_whole() {
      next = 0;
      if (!sized && of->is_unvouched() && of->prefers_another()) {
        is_odd = true;
        return refuse({"it tells no length, so that a cut could not be seen; another source may"});
      }
      fresh = true;
      // what is here may have to stay: it is to be on the disk before the room there is looked at
      for (auto& r : of->t_.to->runs)
        if (of->t_.to->begun && !good(of->t_.to->flush(r))) return false;
      return fits(0);
    }

    bool fits(uint64_t have) {  // on the disk, and under the limits
      if (total > of->most())
        return good(fail(errc::not_the_file,
            {"it has ", total, " bytes, more than the ", of->most(),
                " of source::size or options::max_bytes"}));
      const fs::path here = of->t_.final_path.parent_path();
      stage::copying*& copy = of->t_.copy;  // one that would not fit is not begun
      if (copy && !copy->fits(total, here, total - (std::min)(have, total))) copy = nullptr;

      status room = stage::has_room(here, total, have);
      const uint64_t held = fresh ? of->t_.to->size() : 0;
      if (!room.ok() && held > 0)
        room.text += join({", or remove the ", held, " bytes of ", of->file_,
            " that an earlier try left there (vqcache::remove)"});
      return good(room);
    }

    bool on_body(const char* data, size_t n) override {
      if (is_abandoned) return false;
      if (code >= 400) {
        excerpt.append(data, (std::min)(n, stage::head_size - excerpt.size()));
        return excerpt.size() < stage::head_size;
      }
      if (fresh && !good(begin_file())) return false;
      if (sized) n = stage::smaller(n, upto - next);  // what follows belongs to no file
      if (n > of->most() - (std::min)(next, of->most()))
        return good(
            fail(errc::not_the_file, {"it has more than ", of->most(), " bytes, max_bytes"}));

      while (n > 0 && !done) {
        const size_t taken = take(data, n);
        if (!result.ok()) return false;
        data += taken;
        n -= taken;
      }
      of->drop_the_smaller();
      return !done && (!of->who_->opts().fetch || of->tell());
    }

    // The whole file begins: beside what is here, which stays until this is worth more.
    status begin_file() {
      fresh = false;
      next = first = run = 0;
      of->set_aside();
      stage::partial& to = *of->t_.to;
      VQCACHE_NEED_(to.begin(of->t_.final_path, of->t_.want.kind));
      to.has_digest = !of->t_.want.sha256.empty();
      to.keep_as({of->t_.want.sha256, of->id_.url, mark, total});
      to.runs[run].taken = true;
      to.ends_with_connection = !sized && of->ends_unseen();
      return {};
    }

    // Some of the n bytes: written, or compared with what is here. result tells a failure.
    size_t take(const char* data, size_t n) {
      stage::partial& to = *of->t_.to;
      const uint64_t end = to.runs[run].end;
      const bool is_new = next >= first && next < end;
      uint64_t until = next < first ? first : (std::max)(next, last_wanted());
      if (is_new) until = end;

      const size_t k = stage::smaller(n, until - next);
      if (is_new) {
        if (!good(to.write(data, k, run))) return 0;
        of->came_from(number);
        gained += k;
      } else if (!to.agrees(next, data, k)) {  // it is here already
        has_changed = true;
        (void)refuse({"the file has changed at the server"});
        return 0;
      }
      next += k;
      if (!sized && next == total && n > k) {  // the length that came with the same mark before
        has_changed = true;
        (void)refuse({"the file has more bytes than before under the same ETag or date"});
      }
      if (next == end && next < upto) of->take_over(*this);
      done = next >= last_wanted() && (next < upto || n > k);
      return k;
    }

    uint64_t last_wanted() const {  // one behind it, with what is to be compared
      const uint64_t end = of->t_.to->runs[run].end;
      return end == text::endless ? end : end + more;
    }

    void on_end(status s) noexcept override {
      if (result.ok() && !done) result = std::move(s);
      over = true;
    }

    bool refuse(std::initializer_list<error::piece> why) {
      return good(fail(errc::http_status, why));
    }

    bool good(const status& s) {
      if (result.ok()) result = s;
      return s.ok();
    }
  };

  void next_url() {
    if (untried_.empty()) {  // those that tell no length, in the end
      untried_ = std::exchange(unsized_, {});
      takes_unsized_ = true;
    }
    url_ = untried_.front();
    untried_.erase(untried_.begin());
    t_.got = text::redact(url_);
    path_ = text::local_path(url_);
    id_ = {t_.want.sha256, hash::of(url_), {}, 0};
    best_ = 0;
    tries_ = fruitless_ = lost_ = 0;
    statuses_ = asks_whole_ = tells_no_length_ = had_turn_ = false;
    ranges_ = ranges::unknown;
    limit_ = who_->opts().fetch ? 1 : who_->opts().connections;
    not_before_ = clock::now();
  }

  bool may_begin() const {
    return clock::now() >= not_before_ && (turn_of_.empty() || !is_taken(turn_of_));
  }

  bool is_taken(const string& host, bool and_answers = false) const {  // by another file
    for (const auto& other : *all_) {
      if (other.get() == this || other->over) continue;
      for (const auto& l : other->lanes_)
        if (l->host == host && (l->code != 0 || !and_answers)) return true;
    }
    return false;
  }

  void begin_try() {
    const bool by_user = static_cast<bool>(who_->opts().fetch);
    ++tries_;
    at_source_ = judged_ = started_over_ = false;
    if (!path_.empty()) return copy_local();

    stage::partial& to = *t_.to;
    if (!to.begun && !by_user) {
      const status s = to.resume(t_.final_path, id_, t_.want.kind);
      if (!s.ok()) return failed(s);
      is_mixed_ = to.size() > 0;
    }
    // a user's transport is asked for ranges only when it tells statuses
    if (to.begun && (!to.id.usable() || (by_user && !statuses_))) {
      started_over_ = to.size() > 0;
      discard("it cannot be continued");
    }
    if (tries_ == 1 && to.size()) who_->say({"Continuing ", file_, " at byte ", to.size(), "."});
    if (to.whole()) return finish();
    wide_ = 1;
    const size_t run = to.begun ? to.spare_run(1, text::endless) : 0;
    if (run == npos) return failed(fail(errc::io, {"its unfinished parts contradict each other"}));
    if (tell()) add_lane(run);
  }

  void copy_local() {
    const status s = copied_local();
    if (s.ok())
      finish();
    else
      failed(s);
  }

  status copied_local() {  // a path or a file:// URL: the limits of a download hold for it, too
    const fs::path at = os::resolved(os::to_path(path_));
    const auto too_large = [this](uint64_t size) {
      return fail(errc::not_the_file,
          {"it has ", size, " bytes, more than the ", most(),
              " of source::size or options::max_bytes"});
    };

    if (const os::info i = os::look(at); i.size > most()) return too_large(i.size);
    VQCACHE_NEED_(t_.to->begin(t_.final_path, t_.want.kind));
    t_.to->has_digest = !t_.want.sha256.empty();
    VQCACHE_NEED_(stage::copy(at, os::mode::link, *t_.to, *who_, phase::downloading, at_source_));
    return t_.to->size() > most() ? too_large(t_.to->size()) : status();  // it grew meanwhile
  }

  void add_lane(size_t run) {
    lanes_.push_back(std::make_unique<lane>(this, run));
    lane& l = *lanes_.back();
    if (t_.to->begun) {
      l.first = asks_whole_ ? 0 : t_.to->runs[run].next();
      l.ranged = !asks_whole_ && (t_.to->size() > 0 || lanes_.size() > 1);
      t_.to->runs[run].taken = true;
    }
    text::url home;  // headers are for the host of the first URL
    (void)text::parse_url(url_, l.at);
    (void)text::parse_url(t_.from->urls[0], home);
    home_ = home.origin();
    l.at_home = l.at.origin() == home_;
    l.ask(url_);
  }

  // While more than a second is left, and the last new connections brought more, as many again.
  void widen() {
    const auto now = clock::now();
    const text::identity& id = t_.to->id;
    const uint64_t size = t_.to->size();
    const bool may = limit_ > 1 && id.usable() && id.total && !asks_whole_ && !lanes_[0]->fresh;
    const bool steady = end_stalled() && may;  // all have answered
    const double seconds = std::chrono::duration<double>(now - mark_).count(),
                 rate = double(size - (std::min)(before_, size)) / seconds,
                 left = rate > 0 ? double(id.total - size) / rate : 60;
    const bool pays = steady && seconds > 0.1 && (wide_ < 4 || rate > 1.15 * rate_ || seconds > 2);
    if (pays && left > 1) wide_ = (std::min)(limit_, 2 * wide_);
    if (pays) rate_ = rate;
    if (!steady || pays) {
      mark_ = now;
      before_ = size;
    }
    while (may && lanes_.size() < wide_) {
      const size_t run = t_.to->spare_run(wide_, uint64_t((std::max)(rate_ / wide_ / 2, 1e6)));
      if (run == npos) return;
      add_lane(run);
    }
  }

  // Ends the connections that gain too little; whether all the others have answered.
  bool end_stalled() {
    const unsigned limit = who_->opts().stall_seconds,
                   grace = connect_limit(who_->opts()) + (lanes_.size() > 1 ? 1 : 3) * limit;
    bool all_answered = true;
    for (auto& l : lanes_) {
      all_answered = all_answered && l->code != 0 && !l->over;
      if (l->over || !l->speed.stalled(l->gained)) continue;
      // connecting has its own limit, and a server may think before it answers
      if (l->code == 0 && l->speed.seconds() < grace) continue;
      pump_->stop(*l);
      l->on_end(fail(errc::timed_out, {"it gained under 64 KiB in ", limit, " s"}));
    }
    return all_answered;
  }

  // A connection whose part is full, while nothing has come of the next one and no answer has shown
  // yet that this server serves parts: it goes on, and nobody else is waited for.
  void take_over(const lane& mine) {
    if (ranges_ == ranges::honoured) return;
    const size_t which = t_.to->next_run(mine.run);
    if (which == npos) return;
    for (auto& l : lanes_) {
      if (l->run != which || l->is_abandoned || l.get() == &mine) continue;
      if (l->code != 0) return;
      l->is_abandoned = true;
      limit_ = 1;
    }
    t_.to->give_back(which, true);
  }

  void hang_up_abandoned() {
    const auto is_abandoned = [this](const auto& l) {
      if (l->is_abandoned) pump_->stop(*l);
      return l->is_abandoned;
    };
    lanes_.erase(std::remove_if(lanes_.begin(), lanes_.end(), is_abandoned), lanes_.end());
  }

  void settle(std::unique_ptr<lane> ended) {
    stage::partial& to = *t_.to;
    lane& l = *ended;
    status s = l.result;
    if (s.ok() && !l.location.empty()) {
      s = redirected(l);
      if (s.ok()) {
        lanes_.push_back(std::move(ended));
        return l.ask(l.at.whole());
      }
    } else {
      s = ending(l, s);
    }
    const vector<string> secrets = text::secret_lines(t_.from->headers, l.jar);
    s.text = text::scrub(s.text, l.at.whole(), secrets);
    if (l.code == 206 && (l.result.ok() || l.gained >= 65536)) ranges_ = ranges::honoured;
    if (to.begun && l.run < to.runs.size()) to.give_back(l.run, l.code >= 200 && l.gained == 0);
    if (l.has_changed) {
      hang_up();
      limit_ = 1;  // its parts may come from different machines
      if (l.gained > 0) discard("it has changed at the server; bytes of both versions are here");
    }
    if (who_->stopped()) return;
    if (s.ok() && (to.whole() || l.all_there)) return finish(l);
    if (s.cause || s.code == errc::no_space) hang_up();
    if (lanes_.empty() && (!s.ok() || l.gained == 0 || tries_ >= most_tries))
      return failed(s.ok() ? fail(errc::truncated, {"nothing came"}) : s, l);
    if (l.gained < (s.code == errc::timed_out ? 65536U : 1U)
        && (s.code == errc::timed_out || s.code == errc::http_status || ++lost_ > 2)) {
      wide_ = l.code >= 429 ? 1 : unsigned(lanes_.size());
      limit_ = wide_;
    }
  }

  status ending(const lane& l, const status& s) {  // of an answer that led nowhere else
    stage::partial& to = *t_.to;
    if (l.code >= 400 && !l.all_there && (s.ok() || s.code == errc::truncated)) {
      const bool is_denied = l.code == 401 || l.code == 403;
      const char* hint = "";
      if (is_denied) hint = "; it needs credentials (source::headers), or has expired";
      if (is_gone(l.code)) hint = "; the file is not there any more, or the URL is mistyped";
      return fail(errc::http_status,
          {"the server answered HTTP ", l.code,
              l.excerpt.empty() ? string() : " " + text::first_words(l.excerpt), hint});
    }
    if (!s.ok() || l.all_there) return s;
    if (l.sized && l.next < l.upto && !l.done)
      return fail(
          errc::truncated, {"the connection ended after ", l.next, " of ", l.upto, " bytes"});
    if (!to.begun || l.fresh) return fail(errc::not_the_file, {"it is an empty file"});
    if (l.upto == 0 && to.id.total != 0 && l.next != to.id.total)
      return fail(errc::truncated,
          {"the answer ended after ", l.next, " bytes, but the file had ", to.id.total,
              " under the same ETag or date before"});
    if (l.upto == 0) to.end_here();
    return s;
  }

  status redirected(lane& l) {
    text::url next;
    const string& to = l.location;
    const string target = text::readable(
        text::has_scheme(to) ? text::redact(to) : to.substr(0, to.find_first_of(":?")));
    if (l.hops++ == 20) return fail(errc::http_status, {"it redirects more than 20 times"});
    const bool good = text::resolve(l.at, to, next) && text::is_http(next);
    if (!good || (l.at.scheme == "https" && next.scheme == "http"))
      return fail(errc::http_status,
          {"it redirects ", good ? "from https down to '" : "to '", target,
              good ? "', which anybody on the way could change" : "' (neither http nor https)"});
    l.at = next;
    l.at_home = l.at_home && next.origin() == home_;
    return {};
  }

  void finish(const outcome& o = outcome()) {
    const uint64_t size = t_.to->size();
    hang_up();
    if (t_.copy) t_.copy->follow(*t_.to);
    if (!who_->step(phase::downloading, file_, size, size)) return;
    judged_ = true;
    const status s = t_.to->seal(t_.want, who_);
    if (may_be_cut(s)) return continue_cut(s, o);
    if (!s.ok()) return failed(s, o);

    over = true;
    t_.is_unsized = t_.to->ends_with_connection && !t_.to->has_end_mark && t_.want.sha256.empty()
        && t_.want.size == 0;
    if (kept_) drop_kept("the whole file came beside it");
  }

  // The end of the connection was taken for the end of the file, and a digest or size says that it
  // was not: once, what came is continued, for the connection may have been cut.
  bool may_be_cut(const status& s) const {
    const bool is_short = s.code == errc::hash_mismatch || s.code == errc::truncated;
    return is_short && t_.to->ends_with_connection && t_.to->id.usable() && !cut_was_tried_;
  }

  void continue_cut(status s, const outcome& o) {
    cut_was_tried_ = true;
    judged_ = false;
    (void)t_.to->release();  // the next try takes it up, and hashes it from its start
    s.code = errc::truncated;
    s.text = "the connection may have ended before the file did: " + s.text;
    failed(s, o);
  }

  void failed(status s, const outcome& o = outcome()) {
    if (who_->stopped()) return;
    const auto is = [&s](auto... code) {
      return ((s.code == code) || ...);
    };
    attempt a = attempt_of(s, o);
    const bool was_mixed = std::exchange(is_mixed_, a.is_wrong ? false : is_mixed_);
    a.is_mixed = was_mixed;
    if (a.is_wrong && a.is_mixed) limit_ = 1;
    clear_away(s, a, o);
    if (a.is_ours) {
      s.text = join({file_, ": ", s.text});
      return end(s);
    }

    const uint64_t size = t_.to->size();
    const uint64_t least = is(errc::timed_out) ? 65536 : 1;  // gain that was worth it
    const bool gained = size >= best_ + least;
    const int fruitless_before = fruitless_;
    // what is won by starting over costs the server all that came before once more
    fruitless_ = gained && !started_over_ ? 0 : fruitless_ + 1;
    best_ = gained ? size : best_;
    a.fruitless = fruitless_;
    const next_step next = decide(a);
    asks_whole_ = next == next_step::whole_file;
    if (next == next_step::take_turns) fruitless_ = fruitless_before;  // it was no try of its own
    switch (next) {
      case next_step::try_again:
      case next_step::whole_file: return pause(a, o, gained);
      case next_step::take_turns: return take_turns(o);
      case next_step::next_source: return give_up_source(s, a, o);
      case next_step::stop: return end(s);
    }
  }

  attempt attempt_of(const status& s, const outcome& o) const {
    const auto is = [&s](auto... code) {
      return ((s.code == code) || ...);
    };
    attempt a;
    a.failure = s.code;
    a.code = o.code;
    a.is_ours = ((s.cause || is(errc::no_space)) && !at_source_)
        || is(errc::invalid_argument, errc::no_transport, errc::callback);
    a.is_local = !path_.empty();
    a.wanted_rest = o.ranged;
    // a page in place of the rest says nothing of the file
    const bool is_page = a.wanted_rest && kept_ && is(errc::not_the_file);
    a.is_wrong = judged_ && !s.cause && !is_page
        && is(errc::not_the_file, errc::truncated, errc::hash_mismatch);
    a.is_odd = o.is_odd;
    a.is_unmarked = o.is_unmarked;
    a.has_changed = o.has_changed;
    a.gained = o.gained >= (is(errc::timed_out) ? 65536U : 1U) && !is_page;
    a.denied = o.hops == 0 && (o.code == 401 || o.code == 403) && !untried_.empty();
    // without any answer only another file that gets one shows that the host lives
    if (o.code == 0)
      a.host_is_taken = is_taken(o.host, true);
    else
      a.host_is_taken = is_taken(o.host) || (o.host_was_taken && !had_turn_);
    a.had_turn = had_turn_;
    a.wait = o.wait;
    a.tries = tries_;
    a.parts = ranges_;
    return a;
  }

  // What a failed try leaves: wrong bytes go, and of two beginnings the larger one stays. A fault
  // of this machine takes nothing away.
  void clear_away(const status& s, const attempt& a, const outcome& o) {
    const bool is_useless = s.code == errc::not_the_file && (judged_ || o.gained > 0);
    if (is_useless)
      t_.to->drop();
    else if (a.is_wrong)
      discard(s.text);
    keep_the_larger();
  }

  void pause(const attempt& a, const outcome& o, bool gained) {
    const uint64_t ms = (50 + std::hash<string>()(os::unique()) % 50) * 5 << fruitless_;
    const bool at_once = (gained || asks_whole_) && !is_busy(a.code);
    wait_at_least(o.wait > longest_wait ? 0 : o.wait, at_once ? 0 : ms);
  }

  void take_turns(const outcome& o) {
    turn_of_ = o.host;
    limit_ = 1;
    who_->say({"The server of ", file_, " refuses another connection; it waits for its turn."});
    wait_at_least(o.wait > longest_wait ? 0 : o.wait, 0);
  }

  void wait_at_least(unsigned seconds, uint64_t ms) {  // as the server asks; as we think best
    const uint64_t pause = (std::max)(seconds * uint64_t{1000}, ms);
    not_before_ = clock::now() + std::chrono::milliseconds(pause);
    if (seconds > 0)
      who_->say({"The server of ", file_, " asks to wait ", seconds, " s until the next try."});
  }

  void end_turn() {  // a server takes a moment to see that the other connection has ended
    turn_of_.clear();
    had_turn_ = true;
    not_before_ = clock::now() + std::chrono::milliseconds(300);
  }

  void give_up_source(status s, const attempt& a, const outcome& o) {
    const auto is = [&s](auto... code) {
      return ((s.code == code) || ...);
    };
    const uint64_t size = t_.to->size();
    if (a.code == 0 && (is_of_network(s.code) || is(errc::tls))) ask_dead_host_last();
    if (t_.want.sha256.empty()) s = kept(s);  // another server's file may be another
    tried_ += join({tried_.empty() ? "'" : "; then '", text::readable(t_.got),
        "': ", text::scrub(s.text, url_, t_.from->headers),
        tries_ > 1 ? join({" (", tries_, " tries)"}) : "",
        o.wait > longest_wait ? join({"; it asks to come back in ", o.wait, " s"}) : "",
        t_.to->begun && !untried_.empty() ? join({"; ", size, " bytes are here"}) : ""});
    if (tells_no_length_) unsized_.push_back(url_);
    if (!untried_.empty() || !unsized_.empty()) return next_url();
    if (is(errc::hash_mismatch))
      tried_ += "; for these bytes change the pin, or remove the model (vqcache::remove)";
    s.text = join({"cannot bring ", file_, " from ", tried_});
    end(s);
  }

  void ask_dead_host_last() {
    text::url here, there;
    if (!text::parse_url(url_, here)) return;
    auto other = untried_.begin();
    for (size_t n = untried_.size(); n-- > 0;)
      if (!text::parse_url(*other, there) || there.origin() != here.origin())
        ++other;
      else
        std::rotate(other, other + 1, untried_.end());
  }

  void end(const status& s) {
    over = true;
    result = kept(s);
  }

  void hang_up() {
    for (auto& l : lanes_)
      pump_->stop(*l);
    lanes_.clear();
    t_.to->give_back_all();
  }

  void by_user(const curl::exchange& x, lane& l) {
    const request q{x.url, x.headers, l.first, 0};
    answer r(&l);
    status s;
    who_->stop_with(error::guard("options::fetch", [&] { who_->opts().fetch(q, r); }));
    statuses_ = statuses_ || r.code != 0;
    if (r.failure.empty() && !r.head_done && r.code == 0)
      r.misuse += "it returned without status, write or fail";
    if (!r.broken.ok())
      s = r.broken;
    else if (!r.misuse.empty())
      s = fail(errc::callback, {"options::fetch is used wrongly: ", r.misuse});
    else if (!r.failure.empty())
      s = fail(errc::connection, {"options::fetch says: ", text::readable(r.failure)});
    else
      r.end_head();
    l.on_end(std::move(s));
  }

  // ---- two beginnings of the file: what is here stays until the new one is worth more
  void set_aside() {
    started_over_ = started_over_ || t_.to->size() > 0;
    if (t_.to->size() > 0 && !kept_) {
      t_.to->give_back_all();  // nobody brings them meanwhile
      kept_ = std::exchange(t_.to, std::make_unique<stage::partial>());
      kept_is_mixed_ = is_mixed_;
    } else {
      discard("the server sends the file from its start");
    }
    author_ = 0;
    is_mixed_ = false;
  }

  bool is_worth_more() {  // the new beginning, than the one that was kept
    return kept_ && t_.to->begun && t_.to->id.usable() && t_.to->size() > kept_->size()
        && !t_.to->begins_as_page(t_.want.type);
  }

  void drop_the_smaller() {  // while bytes arrive
    if (is_worth_more()) drop_kept("the file comes from its start, and more of it is here");
  }

  void keep_the_larger() {  // when they have ended
    if (!kept_) return;
    if (is_worth_more()) return drop_kept("more of the file came beside it");
    if (t_.to->size() > 0) discard("what an earlier try brought is more");
    t_.to = std::move(kept_);
    is_mixed_ = kept_is_mixed_;
  }

  void drop_kept(const string& why) {
    t_.to.swap(kept_);
    discard(why);
    t_.to.swap(kept_);
    kept_ = nullptr;
  }

  void discard(const string& why) {
    const uint64_t size = t_.to->size();
    t_.to->drop();
    if (size > 0) who_->say({"Discarded ", size, " bytes of ", file_, ": ", why, "."});
  }

  void came_from(unsigned answer) {  // bytes of several answers may not fit together
    if (author_ == 0) author_ = answer;
    is_mixed_ = is_mixed_ || author_ != answer;
  }

  // ---- a body without length and chunks: its end proves nothing
  bool ends_unseen() const { return !is_chunked_ && !who_->opts().fetch; }

  bool is_unvouched() const { return ends_unseen() && t_.want.sha256.empty() && t_.want.size == 0; }

  bool prefers_another() {  // to a source that tells no length; that one is asked again at the end
    tells_no_length_ = !takes_unsized_ && !untried_.empty();
    return tells_no_length_;
  }

  on_disk on_disk_now(const string& known) const {
    return {t_.to->size(), t_.to->id.total, known, !t_.want.sha256.empty()};
  }

  string validator() const {  // of this server; another's says nothing
    return t_.to->id.url == id_.url ? t_.to->id.validator : string();
  }

  bool tell() {
    const uint64_t total = t_.to->id.total ? t_.to->id.total : t_.from->size;
    return who_->step(phase::downloading, file_, t_.to->size(), total);
  }

  uint64_t most() const { return most_bytes(*t_.from, who_->opts()); }

  target& t_;
  caller* who_;
  curl::pump* pump_;
  const jobs* all_;  // of the call: those of one host take turns where it wants that
  string file_ = os::shown(t_.final_path.filename());
  vector<string> untried_ = t_.from->urls, unsized_{};
  string url_{}, path_{}, tried_{}, home_{};
  string turn_of_{};  // the host on which another file of the call has to end first
  text::identity id_{};
  std::unique_ptr<stage::partial> kept_{};  // an earlier beginning of the file
  vector<std::unique_ptr<lane>> lanes_{};
  clock::time_point not_before_{}, mark_{};
  uint64_t best_ = 0, before_ = 0;  // of size(): at the last gain; at mark_
  double rate_ = 0;
  unsigned limit_ = 1, wide_ = 1;             // connections: at most; now
  unsigned answers_ = 0, author_ = 0;         // so far; the one whose bytes are here, 0: none
  int tries_ = 0, fruitless_ = 0, lost_ = 0;  // lost_: connections that brought nothing
  ranges ranges_ = ranges::unknown;
  bool judged_ = false, at_source_ = false, statuses_ = false, had_turn_ = false;
  bool asks_whole_ = false;    // the next request asks for no part
  bool started_over_ = false;  // this try: bytes that came before came, or are to come, once more
  bool is_mixed_ = false, kept_is_mixed_ = false;  // of bytes of several answers
  bool is_chunked_ = false, tells_no_length_ = false, takes_unsized_ = false;
  bool cut_was_tried_ = false;
};

// All of them at the same time, but for a user's transport; the first that fails ends the others.
inline status fetch(vector<target>& targets, caller& who) {
  const options& o = who.opts();
  curl::pump pump(wanted_transport(o));
  vector<std::unique_ptr<job>> jobs;
  for (target& t : targets)
    jobs.push_back(std::make_unique<job>(t, who, pump, jobs));
  status s;
  for (bool more = true; more && s.ok();) {
    int ms = 50;
    more = false;
    for (size_t i = 0; i < jobs.size() && s.ok() && !(o.fetch && more); ++i) {
      jobs[i]->work();
      s = who.stopped() ? who.stop() : jobs[i]->result;
      more = more || !jobs[i]->over;
      ms = (std::min)(ms, jobs[i]->idle_ms());
    }
    if (more && s.ok()) pump.run(ms);
  }
  for (const auto& j : jobs)
    if (!s.ok()) s = j->kept(s);
  return s;
}
}  // namespace transfer

// ==== >>tier ==== where finished files lie: the interface, and a directory as one ====
// Belongs here: which names a set of files owns, what a tier holds, how a file gets there and away
// from there. What is to be done with it is >>plan's to say. Under a final name is the whole file
// or nothing, and a receipt speaks of what stands.
namespace tier {
// ---- the names that a set of files owns in each tier, decided before anything is touched

// flat: the files lie beside those of other sets, as the pair of a VQGAN does, and a set of one
// file that is called like the set. folder: in a directory that is called like the set.
enum class layout { flat, folder };

inline layout layout_of(const string& set, const vector<string>& files) {
  return files.size() == 1 && files[0] == set ? layout::flat : layout::folder;
}

struct owned {           // in one tier: paths relative to its directory, with / between the parts
  vector<string> files;  // in the order of the set
  string receipt;
};

struct owned_paths {
  string set;
  layout how = layout::folder;
  owned local, lasting;
  status problem;  // errc::invalid_argument: what the set may not be called, or may not hold
};

// What the library calls its own files: no file of a set may look like one.
inline bool is_reserved(std::string_view file) {
  const string name = text::lower(file.substr(file.rfind('/') + 1));
  const bool is_hidden = text::starts(name, ".");
  const bool is_temporary = text::ends(name, ".part") || text::ends(name, ".record")
      || text::ends(name, ".lock") || text::has(name, ".lease.");

  constexpr std::string_view mark = ".corrupt-";
  constexpr size_t digits = 8;
  const size_t at = name.rfind(mark);
  const bool is_aside = at != npos && name.size() == at + mark.size() + digits
      && text::only(std::string_view(name).substr(at + mark.size()), text::hex_digits);

  return text::ends(name, ".sha256") || (is_hidden && is_temporary) || is_aside;
}

// Whether one file system can hold both: it cannot where one is the other, or a folder of the
// other. Case does not count: some file systems (macOS, Windows, some mounts) ignore it.
inline bool is_one_path(const string& a, const string& b) {
  const string one = text::lower(a), other = text::lower(b);
  return one == other || text::starts(one, other + "/") || text::starts(other, one + "/");
}

// Each part is held to the rule of names, which gives the set its length: what follows the set's
// own name comes on top of that.
inline string file_problem(const string& set, const string& file) {  // or empty
  if (is_reserved(file)) return "the library calls files of its own like that";

  for (size_t begin = 0; begin <= file.size();) {
    const size_t end = (std::min)(file.find('/', begin), file.size());
    const string part = file.substr(begin, end - begin);
    const bool extends = text::starts(part, set + ".");
    const string why = text::name_problem(extends ? "x" + part.substr(set.size()) : part);
    const bool is_all = part.size() == file.size();
    if (!why.empty() && is_all) return why;
    if (!why.empty()) return join({"its part '", text::printable(part), "': ", why});
    begin = end + 1;
  }
  return {};
}

inline status set_problem(const string& set, const vector<string>& files) {
  const string why = text::name_problem(set);
  if (!why.empty()) return fail(errc::invalid_argument, {"this name cannot be used: ", why});
  if (files.empty()) return fail(errc::invalid_argument, {"a set needs at least one file"});

  for (size_t i = 0; i < files.size(); ++i) {
    const string name = "'" + text::printable(files[i]) + "'";
    const string odd = file_problem(set, files[i]);
    if (!odd.empty()) return fail(errc::invalid_argument, {"the file ", name, ": ", odd});

    for (size_t before = 0; before < i; ++before)
      if (is_one_path(files[before], files[i]))
        return fail(errc::invalid_argument,
            {"the files '", files[before], "' and ", name,
                " cannot both be: some file systems take them for one"});
  }
  return {};
}

// Pure: what stands on a disk does not count.
inline owned_paths paths_of(const string& set, const vector<string>& files, layout how) {
  owned_paths all;
  all.set = set;
  all.how = how;
  all.problem = set_problem(set, files);
  if (!all.problem.ok()) return all;

  for (const string& file : files) {
    const string inside = join({set, "/", file});
    all.local.files.push_back(how == layout::flat ? file : inside);
    all.lasting.files.push_back(inside);
  }
  all.local.receipt = set + ".sha256";
  all.lasting.receipt = join({set, "/", set, ".sha256"});
  return all;
}

inline const string* common_path(const owned& ours, const owned& theirs) {  // ours; null: none
  vector<const string*> others{&theirs.receipt};
  for (const string& file : theirs.files)
    others.push_back(&file);

  for (const string* other : others) {
    if (is_one_path(ours.receipt, *other)) return &ours.receipt;
    for (const string& file : ours.files)
      if (is_one_path(file, *other)) return &file;
  }
  return nullptr;
}

// errc::name_taken: the two sets cannot stand beside each other. The same set, which may have got
// or lost files meanwhile, is no other one.
inline status clash(const owned_paths& ours, const owned_paths& other) {
  if (ours.set == other.set && ours.how == other.how) return {};

  const string* path = common_path(ours.local, other.local);
  if (!path) path = common_path(ours.lasting, other.lasting);
  if (!path) return {};
  return fail(errc::name_taken,
      {"'", *path, "' belongs to the model '", other.set, "'; use another name for '", ours.set,
          "', or remove that model"});
}

// ---- what a tier holds, as values: that is all that a plan is made from

// A file as its tier has it, told by its name, its size and the tier's receipt. It was not read,
// but for the look of what no receipt speaks of.
struct stored_file {
  enum class presence { absent, regular, something_else, unknown };

  string name;
  presence is = presence::absent;
  uint64_t size = 0;
  int problem = 0;     // of presence::unknown: why it cannot be told, a value of errno
  text::entry said{};  // by the receipt: a digest or none, a size or 0
  status look{};       // where judge() was asked: whether it may be such a file

  bool is_absent() const { return is == presence::absent; }

  bool is_regular() const { return is == presence::regular; }

  bool stands() const { return is_regular() || is == presence::something_else; }

  // A receipt that was cut may tell a size, and lack the digest.
  bool has_receipt() const { return !said.sha256.empty(); }

  bool is_vouched_for() const { return has_receipt() && !said.unverified; }

  bool fits_receipt() const { return is_regular() && (said.size == 0 || said.size == size); }

  bool is_said_to_be(const string& sha256) const { return has_receipt() && said.sha256 == sha256; }

  bool is_no_such_file() const {
    return look.code == errc::not_the_file || look.code == errc::truncated;
  }
};

struct inventory {
  vector<stored_file> files{};  // in the order of the set
  bool has_receipt = false;     // of whatever files
  status receipt_problem{};     // there may be a receipt, but it cannot be read
  status taken{};               // another model stands there under a name that differs in case only
};

struct abilities {
  bool is_writable = false;
  bool has_paths = false;      // a file can be opened by its path: users get one, blocks are shared
  bool keeps_damaged = false;  // what is set aside can be taken back
  bool can_be_listed = false;  // for other sets than the one that it was opened for
  bool continues_uploads = false;  // bytes that a sink took are there for the next call
};

// ---- a tier: where the files of one set lie

struct block {
  status problem{};
  std::string_view bytes{};  // valid until the next call; empty: the end
};

struct digest_of_file {
  status problem{};
  string sha256{};
};

struct file_place {  // of a tier that has paths
  fs::path path{};
  os::mode how = os::mode::read;  // link: links are followed
};

// Reads a stored file, from any offset.
class byte_source : os::pinned {
 public:
  virtual ~byte_source() = default;

  virtual block read_at(uint64_t offset, size_t most) = 0;
};

// Takes a file in order. Until its tier commits it nothing stands under its name; where it is not
// committed, nothing of it is left but what a later call can continue.
class byte_sink : os::pinned {
 public:
  virtual ~byte_sink() = default;

  virtual status write(std::string_view bytes) = 0;

  // All has come: it is held to what it has to be, and safe from a power cut when this succeeds.
  virtual status seal(const stage::demand& want, caller* who) = 0;

  virtual status publish() = 0;  // for commit() of its tier alone

  virtual bool is_open() const = 0;  // something is to be published

  virtual const string& sha256() const = 0;  // once it is sealed

  virtual uint64_t size() const = 0;  // bytes that have come

  // The unfinished file itself, where its tier has paths: then the kernel may copy into it, and a
  // worker's thread may write to it. Else null, and write() is called on the calling thread.
  virtual stage::partial* as_file() { return nullptr; }
};

using sinks = vector<byte_sink*>;

struct opened {
  status problem{};
  std::unique_ptr<byte_source> source{};
};

struct arriving {  // a file that is to be written
  string name;
  text::kind kind;
  std::optional<uint64_t> size{};  // once it is known: a store without room may say so at once
  bool has_digest = false;         // that will judge it, whatever it looks like
};

struct begun {
  status problem{};
  std::unique_ptr<byte_sink> sink{};
};

struct put_aside {
  status problem{};
  string name{};  // that it has now; empty: its bytes are lost
};

// What a tier has to do; tests/tier/contract.cpp asks each of them for it. It is opened for one
// set; names are those of the set's files. Nothing here trusts a lock, a condition or a listing:
// whoever reads a file holds it to its digest.
//
// An object store has no paths, no rename and no set_aside that keeps bytes; its sink is an upload
// of parts, its commit completes them and then creates the receipt on the condition that there is
// none. A condition that fails because of an equal receipt is success.
class tier : os::pinned {
 public:
  virtual ~tier() = default;

  virtual string description() const = 0;                       // for messages, quoted
  virtual string description_of(const string& name) const = 0;  // of one file

  virtual abilities can() const = 0;

  virtual file_place place_of(const string&) const { return {}; }  // of a tier that has paths

  // Names, sizes and the receipt, with the fewest questions: a hit asks nothing else.
  virtual inventory inspect() = 0;

  // What has no receipt is judged by its head and tail: errc::not_the_file or truncated, or a
  // failure to read. Nothing that a receipt speaks of is judged.
  virtual status judge(const stored_file& file, text::kind kind) = 0;

  virtual opened read(const string& name) = 0;

  virtual begun write(const arriving& file) = 0;

  // All files, then the receipt. A crash leaves each name whole or absent, and no receipt that
  // lies: one that would goes first.
  virtual status commit(const sinks& files, const text::receipt& now) = 0;

  virtual status renew_receipt(const text::receipt& now) = 0;  // of files that stay as they are

  // What is damaged loses its name, and is kept under another one, so that nothing is lost, if
  // the tier can do that. What was put aside earlier goes, but only after it was hashed: what is
  // one of the known digests after all stays.
  virtual put_aside set_aside(
      const stored_file& file, const string& why, const vector<string>& known, caller& who) = 0;

  // What was put aside may be right: a drive shows odd bytes for a while. The name of one that has
  // this digest, but for `except`; empty: there is none.
  virtual string find_aside(
      const stored_file& file, const string& sha256, const string& except, caller& who) = 0;

  virtual bool give_back(const stored_file& file, const string& aside, caller& who) = 0;

  virtual status remove() = 0;  // the receipt first, then the files, then all that is left of them

  virtual bool has_leftovers() = 0;  // what is unfinished, or was put aside

  virtual uint64_t bytes_under_way() = 0;  // that some call has brought of unfinished files

  enum class leftovers { useless, all };

  // Removes what a killed process left. Only what is nobody's goes: its owner is provably gone, or
  // cannot be told and a day has passed.
  virtual void sweep(caller& who, leftovers which) = 0;

  virtual status may_stand() const = 0;  // errc::directory_missing: what it lies in is not there

  virtual status may_write() const = 0;

  virtual status make_ready() = 0;  // for write()

  virtual status room_for(uint64_t bytes) const = 0;
};

// ---- a directory as a tier

// An unfinished file of a directory: its own, or one that a transfer or a copy has filled.
class directory_sink final : public byte_sink {
 public:
  explicit directory_sink(std::unique_ptr<stage::partial> file)
      : own_(std::move(file)),
        file_(own_.get()) {}

  explicit directory_sink(stage::partial& file) : file_(&file) {}

  status write(std::string_view bytes) override { return file_->write(bytes.data(), bytes.size()); }

  status seal(const stage::demand& want, caller* who) override {
    if (!file_->whole()) file_->end_here();
    return file_->seal(want, who);
  }

  status publish() override { return file_->publish(); }

  bool is_open() const override { return file_->begun; }

  const string& sha256() const override { return file_->sha256; }

  uint64_t size() const override { return file_->size(); }

  stage::partial* as_file() override { return file_; }

 private:
  std::unique_ptr<stage::partial> own_{};
  stage::partial* file_;
};

class directory_source final : public byte_source {
 public:
  directory_source(os::file file, fs::path path) : file_(std::move(file)), path_(std::move(path)) {}

  block read_at(uint64_t offset, size_t most) override {
    size_t got = 0;
    buffer_.resize(most);
    status problem = error::system(
        most == 0 ? 0 : os::read_at(file_, offset, &buffer_[0], most, got), "read", path_);
    return {std::move(problem), std::string_view(buffer_).substr(0, got)};
  }

 private:
  os::file file_;
  fs::path path_;
  string buffer_{};
};

class directory_tier final : public tier {
 public:
  struct where {
    fs::path at;         // of the files
    bool is_own_folder;  // nothing but this set is in it
    os::mode how;        // link: links are followed
    bool may_be_made;    // directories that are missing
  };

  directory_tier(where place, vector<string> names, string receipt)
      : at_(std::move(place.at)),
        is_own_folder_(place.is_own_folder),
        how_(place.how),
        may_be_made_(place.may_be_made),
        names_(std::move(names)),
        receipt_name_(std::move(receipt)) {}

  const fs::path& at() const { return at_; }

  fs::path root() const { return is_own_folder_ ? at_.parent_path() : at_; }

  string description() const override { return join({at_}); }

  string description_of(const string& name) const override { return join({at_ / name}); }

  abilities can() const override { return {true, true, true, true, true}; }

  file_place place_of(const string& name) const override { return {at_ / name, how_}; }

  inventory inspect() override {
    inventory all;
    string content;  // empty: there is none
    int problem = os::read_text(at_ / receipt_name_, content, how_);
    if (problem == ENOENT || problem == ENOTDIR) problem = 0;
    all.receipt_problem = error::system(problem, "read", at_ / receipt_name_);
    receipt_ = text::read_receipt(content);
    all.has_receipt = !receipt_.empty();
    for (const string& name : names_)
      all.files.push_back(look_at(name));
    if (!speaks_of_all()) all.taken = is_taken();
    return all;
  }

  status judge(const stored_file& file, text::kind kind) override {
    if (!file.is_regular() || file.has_receipt()) return {};
    return stage::judge(at_ / file.name, how_, kind);
  }

  opened read(const string& name) override {
    os::file in;
    uint64_t size = 0;
    const fs::path path = at_ / name;
    status problem = stage::open(path, how_, in, size);
    if (!problem.ok()) return {std::move(problem), nullptr};
    return {{}, std::make_unique<directory_source>(std::move(in), path)};
  }

  begun write(const arriving& file) override {
    auto part = std::make_unique<stage::partial>();
    status problem = part->begin(at_ / file.name, file.kind);
    part->has_digest = file.has_digest;
    return {std::move(problem), std::make_unique<directory_sink>(std::move(part))};
  }

  status commit(const sinks& files, const text::receipt& now) override {
    for (const text::entry& old : receipt_) {
      const text::entry* same = text::find(now, old.file);
      if (!same || same->sha256 != old.sha256) VQCACHE_NEED_(remove_file(receipt_name_));
    }
    for (byte_sink* file : files)
      if (file->is_open()) VQCACHE_NEED_(file->publish());
    VQCACHE_NEED_(sync());
    return renew_receipt(now);
  }

  status renew_receipt(const text::receipt& now) override {
    const string content = text::write_receipt(now, os::date());
    stage::partial p;
    VQCACHE_NEED_(p.begin(at_ / receipt_name_, text::kind::binary));
    VQCACHE_NEED_(p.write(content.data(), content.size()));
    p.end_here();
    VQCACHE_NEED_(p.seal({text::kind::binary, hash::of(content), "its writer", true}));
    VQCACHE_NEED_(p.publish());
    return sync();
  }

  put_aside set_aside(const stored_file& file, const string& why, const vector<string>& known,
      caller& who) override {
    const fs::path path = at_ / file.name;
    const string aside = aside_prefix(file.name) + os::unique().substr(8);
    status problem = error::system(os::rename(path, at_ / aside), "put aside the damaged", path);
    if (!problem.ok()) return {std::move(problem), {}};
    who.say({"The file ", path, " is damaged (", why, "); it was put aside as ", aside, "."});

    for (const string& name : asides_of(file.name))
      if (name != aside && is_none_of(known, at_ / name, who)) (void)os::unlink(at_ / name);
    return {{}, aside};
  }

  string find_aside(
      const stored_file& file, const string& sha256, const string& except, caller& who) override {
    string its;
    for (const string& name : asides_of(file.name)) {
      const fs::path path = at_ / name;
      const uint64_t told = file.said.size;
      const bool may_be = name != except && (told == 0 || os::look(path, false).size == told);
      if (may_be && stage::digest(path, how_, who, its).ok() && its == sha256) return name;
    }
    return {};
  }

  bool give_back(const stored_file& file, const string& aside, caller& who) override {
    const fs::path path = at_ / file.name;
    if (os::look(path).exists || os::rename(at_ / aside, path) != 0) return false;
    who.say({"The file ", aside, " is right after all; it is ", path, " again."});
    return true;
  }

  status remove() override {
    VQCACHE_NEED_(remove_file(receipt_name_));  // first: none is to be without its model
    for (const string& name : names_)
      VQCACHE_NEED_(remove_file(name));
    for (const string& name : leftovers_here())
      VQCACHE_NEED_(remove_file(name));
    if (os::look(at_).directory) VQCACHE_NEED_(sync());
    if (is_own_folder_) (void)os::unlink(at_);  // if it holds nothing else
    return {};
  }

  bool has_leftovers() override { return !leftovers_here().empty(); }

  uint64_t bytes_under_way() override {
    uint64_t bytes = 0;
    for (const string& name : leftovers_here())
      if (text::ends(name, part_end)) bytes += stage::find(at_ / fs::path(name).stem()).bytes;
    return bytes;
  }

  void sweep(caller& who, leftovers which) override {
    for (const string& name : leftovers_here()) {
      const bool is_part = text::ends(name, part_end);
      if (!is_part && !text::ends(name, record_end)) continue;

      const fs::path path = at_ / name, base = at_ / path.stem();
      const stage::found unfinished = stage::find(base);
      if (!is_nobodys(unfinished, path, which)) continue;
      // a record goes with its partial
      if (!is_part && os::look(fs::path(base) += part_end, false).exists) continue;
      if (os::unlink(path) != 0 || !is_part) continue;

      (void)os::unlink(fs::path(base) += record_end);
      if (unfinished.bytes == 0) continue;
      who.say({"Removed a partial of ", name.substr(1, name.size() - around_part), " (",
          unfinished.bytes, " bytes) that an earlier call left in ", at_, "."});
    }
  }

  status may_stand() const override {
    if (may_be_made_ || os::look(root()).directory) return {};
    return fail(errc::directory_missing,
        {"Directory not found: ", root(), "; create it, or set options::create_dirs"});
  }

  status may_write() const override {
    VQCACHE_NEED_(may_stand());
    if (!os::read_only(at_)) return {};
    return fail(errc::permission_denied, {at_, " cannot be written"});
  }

  status make_ready() override { return error::system(os::make_directories(at_), "create", at_); }

  status room_for(uint64_t bytes) const override { return stage::has_room(at_, bytes, 0); }

 private:
  static constexpr const char* part_end = ".part";
  static constexpr const char* record_end = ".record";
  static constexpr size_t unique_digits = 16, aside_digits = 8;
  static constexpr size_t around_part = 1 + 1 + unique_digits + 5;  // ".NAME.UNIQUE.part"

  stored_file look_at(const string& name) const {
    using presence = stored_file::presence;
    const os::info found = os::look(at_ / name, how_ == os::mode::link);
    stored_file file;
    file.name = name;
    file.size = found.size;
    file.problem = found.problem;
    if (found.regular)
      file.is = presence::regular;
    else if (found.exists)
      file.is = presence::something_else;
    else if (found.problem != 0)
      file.is = presence::unknown;
    if (const text::entry* said = text::find(receipt_, name)) file.said = *said;
    return file;
  }

  // Then no listing has to tell whose the files are.
  bool speaks_of_all() const {
    return std::all_of(names_.begin(), names_.end(),
        [this](const string& name) { return text::find(receipt_, name) != nullptr; });
  }

  // A model whose name differs in case only is another one, and left alone.
  status is_taken() const {
    const fs::path other = other_spelling();
    if (other.empty()) return {};
    if (other == at_ || other == at_.parent_path())
      return fail(errc::name_taken,
          {"it cannot be told which model stands there: ", other,
              " takes names that differ in case for one, and cannot be listed; check its ",
              "permissions"});
    const size_t end = receipt_name_.rfind('.');
    return fail(errc::name_taken,
        {"another model stands there: this file system takes ", receipt_name_.substr(0, end),
            " and ", other,
            " for one name; use another name, or remove that model (vqcache::remove)"});
  }

  // What stands here under another spelling of our names, where the file system takes the two for
  // one (macOS, Windows, some mounts): the listing shows the name that was given.
  // A folder: it cannot be told, since it ignores case and cannot be listed. Else empty.
  fs::path other_spelling() const {
    fs::path found;
    if (is_own_folder_ && os::look(at_).exists)
      found = spelling_in(at_.parent_path(), os::shown(at_.filename()));
    if (found.empty() && os::look(at_ / receipt_name_, false).exists)
      found = spelling_in(at_, receipt_name_);
    for (const string& name : names_)
      if (found.empty() && os::look(at_ / name, false).exists) found = spelling_in(at_, name);
    return found;
  }

  static fs::path spelling_in(const fs::path& folder, const string& wanted) {
    int problem = 0;
    const vector<string> all = os::list(folder, "", &problem);
    if (std::find(all.begin(), all.end(), wanted) != all.end()) return {};
    for (const string& name : all)
      if (text::lower(name) == text::lower(wanted)) return folder / name;
    return problem != 0 && ignores_case(folder, wanted) ? folder : fs::path();
  }

  static bool ignores_case(const fs::path& folder, const string& name) {
    string other = name == text::lower(name) ? text::upper(name) : text::lower(name);
    std::error_code e;
    return other != name && fs::equivalent(folder / name, folder / other, e);
  }

  vector<string> leftovers_here() const {  // what is unfinished or was put aside
    vector<string> all;
    add_leftovers_of(receipt_name_, all);
    for (const string& name : names_)
      add_leftovers_of(name, all);
    return all;
  }

  void add_leftovers_of(const string& name, vector<string>& all) const {
    for (const string& one :
        stage::numbered(at_, "." + name + ".", unique_digits, {part_end, record_end}))
      all.push_back(one);
    for (const string& one : asides_of(name))
      all.push_back(one);
  }

  static bool is_nobodys(const stage::found& unfinished, const fs::path& path, leftovers which) {
    if (unfinished.problem != 0) return false;  // whose it is cannot be told at this moment
    const os::fate fate = unfinished.fate;
    if (fate == os::fate::unknown && os::older_than_a_day(path)) return true;
    if (unfinished.record.released) return which == leftovers::all;
    const bool is_gone = fate == os::fate::gone || fate == os::fate::restarted;
    return is_gone && (which == leftovers::all || !unfinished.record.id.usable());
  }

  static string aside_prefix(const string& name) { return name + ".corrupt-"; }

  vector<string> asides_of(const string& name) const {
    return stage::numbered(at_, aside_prefix(name), aside_digits, {""});
  }

  bool is_none_of(const vector<string>& known, const fs::path& path, caller& who) const {
    string sha256;  // what cannot be read stays
    if (known.empty()) return true;
    return stage::digest(path, how_, who, sha256).ok()
        && std::find(known.begin(), known.end(), sha256) == known.end();
  }

  status sync() const { return error::system(os::sync_directory(at_), "sync", at_); }

  status remove_file(const string& name) const {
    return error::system(os::unlink(at_ / name), "remove", at_ / name);
  }

  fs::path at_;
  bool is_own_folder_;
  os::mode how_;
  bool may_be_made_;
  vector<string> names_;
  string receipt_name_;
  text::receipt receipt_{};  // as inspect() has read it
};

// ---- from one tier to another

struct copied {
  status problem{};
  bool is_of_source = false;  // it is the reading that failed
};

inline digest_of_file digest_of(tier& in, const stored_file& file, caller& who) {
  digest_of_file result;
  if (in.can().has_paths) {
    const file_place place = in.place_of(file.name);
    result.problem = stage::digest(place.path, place.how, who, result.sha256);
    return result;
  }

  opened file_in = in.read(file.name);
  result.problem = std::move(file_in.problem);
  if (!result.problem.ok()) return result;

  hash::sha256 sha;
  sha.start();
  uint64_t done = 0;
  for (bool is_at_end = false; !is_at_end;) {
    const block next = file_in.source->read_at(done, stage::block_size);
    result.problem = next.problem;
    if (!who.step(phase::verifying, file.name, done, file.size)) result.problem = who.stop();
    if (!result.problem.ok()) return result;
    sha.update(next.bytes.data(), next.bytes.size());
    done += next.bytes.size();
    is_at_end = next.bytes.empty();
  }
  result.sha256 = sha.hex();
  if (result.sha256.empty()) result.problem = fail(errc::io, {"the system's SHA-256 failed"});
  return result;
}

// Byte by byte through this thread, where one of the two has no paths.
inline copied pass_on(tier& from, const stored_file& file, byte_sink& to, caller& who, phase what) {
  opened in = from.read(file.name);
  if (!in.problem.ok()) return {std::move(in.problem), true};

  stage::pace speed{who.opts().stall_seconds};
  uint64_t done = 0;
  for (bool is_at_end = false; !is_at_end;) {
    const block next = in.source->read_at(done, stage::block_size);
    if (!next.problem.ok()) return {next.problem, true};
    status written = to.write(next.bytes);
    if (!written.ok()) return {std::move(written), false};
    done += next.bytes.size();
    is_at_end = next.bytes.empty();
    if (!who.step(what, file.name, done, file.size)) return {who.stop(), false};
    if (speed.stalled(done))
      return {fail(errc::timed_out,
                  {"copying ", file.name, " gained under 64 KiB in ", speed.limit, " s"}),
          false};
  }
  return {};
}

// A whole file into an open sink, sealed: held to what it has to be, and safe on the disk.
inline copied copy_and_seal(tier& from, const stored_file& file, byte_sink& to, caller& who,
    phase what, const stage::demand& want) {
  copied result;
  if (stage::partial* part = to.as_file(); part && from.can().has_paths) {
    const file_place place = from.place_of(file.name);
    result.problem =
        stage::copy_and_seal(place.path, place.how, *part, who, what, want, result.is_of_source);
    return result;
  }
  result = pass_on(from, file, to, who, what);
  if (result.problem.ok()) result.problem = to.seal(want, &who);
  return result;
}
}  // namespace tier

// ==== >>plan ==== what a call does with each file, as a pure function ====
// Belongs here: every decision that follows from the request, from what the tiers hold, and from
// what this call has read of that. Nothing here asks a disk, a server or a clock: a table tests it,
// tests/unit/plan.cpp. What is done about it, and said, is >>call's.
namespace plan {
struct wanted_file {  // of any number
  string name{};
  text::kind kind = text::kind::binary;
  source from{};  // from.sha256: what a download is held to
  string pin{};   // the caller's: what stands in a tier is held to it too
};

// What this call has found out by reading, which names, sizes and receipts do not tell.
struct copy_facts {                // of a file in one lasting tier
  std::optional<string> digest{};  // it was read to its end; empty: it cannot be read
  bool is_unusable = false;        // it was to be restored, and could not be
};

struct file_facts {
  bool is_right = false;        // the local file was hashed: it is what it has to be
  string digest{};              // of the local file, where it has no receipt, for one
  string wrong{};               // why the local file, which stands, is not used
  vector<copy_facts> copies{};  // in the order of the lasting tiers
};

struct lasting_tier {
  tier::abilities can{};
  tier::inventory has{};
};

struct situation {
  vector<wanted_file> wanted{};
  vector<file_facts> facts{};  // as many
  tier::inventory local{};
  vector<lasting_tier> lasting{};  // in the order in which they are asked
  bool is_offline = false;
};

enum class authority { nobody, pin, local_receipt, lasting_receipt };

struct expectation {  // what bytes have to be
  string sha256{};    // empty: nobody knows
  authority by = authority::nobody;
  bool is_verified = false;        // it may be believed of a download, too
  std::optional<uint64_t> size{};  // once it is known
};

enum class local_step { keep, verify, restore, download };
enum class copy_step { keep, verify, store, repair, leave_alone };

// Why nothing can be done, for the one who writes the message.
enum class obstacle {
  none,
  name_taken,          // by a name that differs in case only
  receipt_unreadable,  // so nothing is known of the files
  file_unknown,        // it cannot be told what stands there
  not_a_file,
  not_judged,  // its head and tail cannot be read
  another_model,
  not_writable,
  offline,
  no_source,  // no URL is known
};

inline constexpr size_t in_local = npos;  // a place; else the number of a lasting tier

struct hindrance {
  obstacle is = obstacle::none;
  size_t place = in_local;
  size_t file = 0;

  explicit operator bool() const { return is != obstacle::none; }
};

struct restorable {  // a copy that may serve
  size_t place = 0;
  status fault{};              // what already tells that it cannot be used
  bool is_unreadable = false;  // that is the tier's fault, and no damage
};

struct file_plan {
  local_step local = local_step::keep;
  const char* reason = "";
  expectation expected{};        // of verify, restore and download
  vector<restorable> sources{};  // of restore and download, in order
  vector<size_t> suspects{};     // places whose file, if it fits its receipt, is another model's
  vector<size_t> missing{};      // places where what was put aside may be right after all
  string local_wrong{};          // why the local file is not used: it makes way for the new one
  bool is_unvouched = false;     // it is kept, and nothing vouches for it
};

struct copy_plan {
  copy_step step = copy_step::keep;
  const char* reason = "";
  bool is_doubted = false;  // either of the two may be the whole one: it is looked at in any case
};

struct tier_plan {  // of one lasting tier
  hindrance in_way{};
  vector<copy_plan> files{};
  bool is_complete = false;  // else its receipt is to be written, even where all files stay
};

struct call_plan {
  vector<file_plan> files{};
  vector<tier_plan> copies{};
  hindrance refused{};      // at once
  hindrance blocked{};      // once suspects and missing were seen to
  hindrance unreachable{};  // what no tier has may not be, or cannot be, downloaded

  bool keeps_all() const {
    return std::all_of(files.begin(), files.end(),
        [](const file_plan& one) { return one.local == local_step::keep; });
  }

  bool verifies_any() const {
    return std::any_of(files.begin(), files.end(),
        [](const file_plan& one) { return one.local == local_step::verify; });
  }

  bool downloads_any() const {
    return std::any_of(files.begin(), files.end(),
        [](const file_plan& one) { return one.local == local_step::download; });
  }
};

// ---- of one file

inline const tier::stored_file& local_of(const situation& now, size_t file) {
  return now.local.files[file];
}

inline const tier::stored_file& copy_of(const situation& now, size_t file, size_t place) {
  return place == in_local ? local_of(now, file) : now.lasting[place].has.files[file];
}

inline bool is_pinned(const situation& now, size_t file) {
  return !now.wanted[file].pin.empty();
}

// The first lasting tier whose receipt speaks of it, or null.
inline const tier::stored_file* first_with_receipt(const situation& now, size_t file) {
  for (const lasting_tier& one : now.lasting)
    if (one.has.files[file].has_receipt()) return &one.has.files[file];
  return nullptr;
}

// A local file without a receipt of its own that has the size of a copy with one is held to that.
inline bool is_lent_a_receipt(const situation& now, size_t file) {
  const tier::stored_file& local = local_of(now, file);
  if (local.has_receipt()) return false;
  return std::any_of(now.lasting.begin(), now.lasting.end(), [&](const lasting_tier& one) {
    const tier::stored_file& copy = one.has.files[file];
    return copy.is_vouched_for() && copy.said.size != 0 && copy.said.size == local.size;
  });
}

// What nothing else tells about is judged by its look, as a download is.
inline bool has_to_be_judged(const situation& now, size_t file, size_t place) {
  if (is_pinned(now, file)) return false;
  const tier::stored_file& one = copy_of(now, file, place);
  if (!one.is_regular() || one.has_receipt() || local_of(now, file).has_receipt()) return false;
  return place != in_local || (!now.facts[file].is_right && !is_lent_a_receipt(now, file));
}

inline bool is_good(const situation& now, size_t file) {
  const tier::stored_file& local = local_of(now, file);
  const file_facts& known = now.facts[file];
  if (!local.fits_receipt() || !now.local.receipt_problem.ok()) return false;
  if (!known.wrong.empty()) return false;
  if (known.is_right) return true;

  const string& pin = now.wanted[file].pin;
  const bool fits_pin = pin.empty() || local.is_said_to_be(pin);
  return fits_pin && local.look.ok() && !is_lent_a_receipt(now, file);
}

// What the bytes have to be: the pin's, else what the receipt here says, else that of a copy.
// place: the copy that is to be restored, whose own receipt counts before another tier's.
inline expectation expected_of(const situation& now, size_t file, size_t place = in_local) {
  const string& pin = now.wanted[file].pin;
  if (!pin.empty()) return {pin, authority::pin, true, {}};

  const tier::stored_file& local = local_of(now, file);
  const tier::stored_file* copy = first_with_receipt(now, file);
  if (place != in_local && copy_of(now, file, place).has_receipt())
    copy = &copy_of(now, file, place);

  // a receipt that is all that is left of the local files yields to that of the copies
  const bool is_alone = std::none_of(now.local.files.begin(), now.local.files.end(),
      [](const tier::stored_file& one) { return one.is_regular(); });
  const bool is_local = local.has_receipt() && !(is_alone && copy);
  if (!is_local && !copy) return {};

  const text::entry& said = is_local ? local.said : copy->said;
  const authority by = is_local ? authority::local_receipt : authority::lasting_receipt;
  expectation want{said.sha256, by, !said.unverified, {}};
  if (said.size != 0) want.size = said.size;
  return want;
}

inline expectation expected_of_download(const situation& now, size_t file) {
  const source& from = now.wanted[file].from;
  expectation want = expected_of(now, file);
  if (!want.is_verified) want = {from.sha256, authority::nobody, false, {}};
  want.size.reset();
  if (from.size != 0) want.size = from.size;
  return want;
}

inline restorable restorable_of(const situation& now, size_t file, size_t place) {
  const lasting_tier& in = now.lasting[place];
  const tier::stored_file& copy = in.has.files[file];
  if (copy.is_regular() && !copy.fits_receipt())
    return {place,
        fail(errc::truncated, {"it has ", copy.size, " bytes, its receipt says ", copy.said.size}),
        false};
  if (!is_pinned(now, file) && !in.has.receipt_problem.ok())
    return {place, in.has.receipt_problem, true};
  if (copy.is_no_such_file()) return {place, copy.look, false};
  return {place, {}, false};
}

// The digest that a file which is missing at a place has to have there; empty: nobody knows.
inline const string& digest_in(const situation& now, size_t file, size_t place) {
  const string& pin = now.wanted[file].pin;
  const tier::stored_file& one = copy_of(now, file, place);
  return pin.empty() && one.has_receipt() ? one.said.sha256 : pin;
}

inline string why_not_used(const situation& now, size_t file) {
  const tier::stored_file& local = local_of(now, file);
  if (!now.facts[file].wrong.empty()) return now.facts[file].wrong;
  if (!local.look.ok()) return local.look.text;
  return join({"it has ", local.size, " bytes, its receipt says ", local.said.size});
}

inline void add_places(const situation& now, size_t file, file_plan& to) {
  const string& pin = now.wanted[file].pin;
  for (size_t n = 0; n <= now.lasting.size(); ++n) {
    const size_t place = n == 0 ? in_local : n - 1;
    const tier::stored_file& one = copy_of(now, file, place);
    if (!pin.empty() && one.is_vouched_for() && !one.is_said_to_be(pin) && one.fits_receipt())
      to.suspects.push_back(place);
    if (one.is_absent() && !digest_in(now, file, place).empty()) to.missing.push_back(place);
  }
}

inline file_plan plan_to_keep(const situation& now, size_t file) {
  const tier::stored_file& local = local_of(now, file);
  const bool is_proven = now.facts[file].is_right || local.is_vouched_for();
  file_plan to;
  to.is_unvouched = !is_proven && !local.is_said_to_be(now.wanted[file].pin);
  to.reason = to.is_unvouched ? "it stands, and nothing speaks against it" : "it stands";
  return to;
}

// From the lasting tiers, in their order, or else from the web.
inline void plan_to_bring(const situation& now, size_t file, file_plan& to) {
  bool is_held = false;
  for (size_t place = 0; place < now.lasting.size(); ++place) {
    const tier::stored_file& copy = now.lasting[place].has.files[file];
    if (!copy.stands() || now.facts[file].copies[place].is_unusable) continue;
    to.sources.push_back(restorable_of(now, file, place));
    is_held = is_held || copy.is_regular();
  }
  to.local = is_held ? local_step::restore : local_step::download;
  to.reason = is_held ? "a lasting tier holds it" : "no tier holds it";
  if (!is_held) to.expected = expected_of_download(now, file);
}

inline file_plan plan_file(const situation& now, size_t file) {
  if (is_good(now, file)) return plan_to_keep(now, file);

  file_plan to;
  add_places(now, file, to);
  to.expected = expected_of(now, file);
  const bool stands = local_of(now, file).is_regular();
  if (stands && now.facts[file].wrong.empty() && !to.expected.sha256.empty()) {
    to.local = local_step::verify;
    to.reason = "it stands, and its digest is to tell whether it is right";
    return to;
  }
  if (stands) to.local_wrong = why_not_used(now, file);
  plan_to_bring(now, file, to);
  return to;
}

// ---- of one copy

// As far as names, sizes, receipts, and what was read, tell: it is what the local file is.
inline bool is_stored(const situation& now, size_t file, size_t place) {
  const tier::inventory& in = now.lasting[place].has;
  const tier::stored_file &local = local_of(now, file), &copy = in.files[file];
  const std::optional<string>& read = now.facts[file].copies[place].digest;
  if (!copy.is_regular() || copy.size != local.size || !in.receipt_problem.ok()) return false;
  if (copy.is_no_such_file()) return false;
  if (!local.has_receipt()) return copy.fits_receipt();
  return copy.is_said_to_be(local.said.sha256) && (!read || local.is_said_to_be(*read));
}

// Its receipt fits it, and it is not what the local file is.
inline bool is_of_another_model(const situation& now, size_t file, size_t place) {
  const tier::stored_file &local = local_of(now, file), &copy = copy_of(now, file, place);
  if (!copy.is_vouched_for() || !copy.fits_receipt()) return false;
  if (local.has_receipt()) return !copy.is_said_to_be(local.said.sha256);
  return copy.said.size != 0 && copy.size != local.size;
}

inline copy_plan plan_copy_that_was_read(const string& read, const string& ours, bool is_doubted) {
  if (read == ours) return {copy_step::keep, "it was read, and is the same", false};
  if (read.empty()) return {copy_step::repair, "it cannot be read", is_doubted};
  return {copy_step::repair, "it was read, and is another", is_doubted};
}

// The receipt that is to be written speaks of this copy too: what is not known is hashed.
inline copy_plan plan_copy(const situation& now, size_t file, size_t place) {
  const tier::stored_file &local = local_of(now, file), &copy = copy_of(now, file, place);
  const file_facts& known = now.facts[file];
  const string& ours = local.has_receipt() ? local.said.sha256 : known.digest;
  const bool is_doubted = copy.is_regular() && !copy.has_receipt() && !local.has_receipt();

  if (!copy.stands()) return {copy_step::store, "it is missing there", false};
  if (!copy.is_regular()) return {copy_step::repair, "what stands there is no file", false};
  if (copy.size != local.size) return {copy_step::repair, "its size differs", is_doubted};
  if (ours.empty()) return {copy_step::verify, "nobody knows the digest of either", is_doubted};

  const std::optional<string>& read = known.copies[place].digest;
  if (read) return plan_copy_that_was_read(*read, ours, is_doubted);
  if (copy.is_said_to_be(ours)) return {copy_step::keep, "its receipt says so", false};
  return {copy_step::verify, "its size fits, and its digest is not known", is_doubted};
}

// While the local file is still to come: the copy that it comes from stays, and what fits it.
inline copy_plan plan_copy_of_missing(
    const situation& now, const file_plan& plan, size_t file, size_t place) {
  const tier::stored_file& copy = copy_of(now, file, place);
  if (!copy.stands()) return {copy_step::store, "it is missing there", false};
  if (plan.local == local_step::verify)
    return {copy_step::keep, "the local file is to be verified first", false};

  const auto source = std::find_if(plan.sources.begin(), plan.sources.end(),
      [](const restorable& one) { return one.fault.ok(); });
  const bool is_source =
      plan.local == local_step::restore && source != plan.sources.end() && source->place == place;
  if (is_source) return {copy_step::keep, "the local file comes from there", false};

  const string& want = plan.expected.sha256;
  if (!want.empty() && copy.fits_receipt() && copy.is_said_to_be(want))
    return {copy_step::keep, "its receipt says that it is what comes", false};
  return {copy_step::repair, "it is not known to be what comes", false};
}

inline hindrance hindrance_of(const situation& now, size_t place, bool is_complete) {
  const lasting_tier& in = now.lasting[place];
  if (!in.has.taken.ok()) return {obstacle::name_taken, place, 0};
  if (is_complete) return {};
  if (!in.can.is_writable) return {obstacle::not_writable, place, 0};
  if (!in.has.receipt_problem.ok()) return {obstacle::receipt_unreadable, place, 0};

  for (size_t file = 0; file < now.wanted.size(); ++file)
    if (is_good(now, file) && is_of_another_model(now, file, place))
      return {obstacle::another_model, place, file};
  return {};
}

inline tier_plan plan_tier(const situation& now, const vector<file_plan>& files, size_t place) {
  bool is_stored_whole = true;
  for (size_t file = 0; file < files.size(); ++file)
    is_stored_whole =
        is_stored_whole && files[file].local == local_step::keep && is_stored(now, file, place);

  tier_plan to;
  to.in_way = hindrance_of(now, place, is_stored_whole);
  to.is_complete = is_stored_whole && !to.in_way;
  for (size_t file = 0; file < files.size(); ++file) {
    copy_plan one{copy_step::keep, "it is the same", false};
    if (to.in_way)
      one = {copy_step::leave_alone, "this tier is not to be written", false};
    else if (files[file].local != local_step::keep)
      one = plan_copy_of_missing(now, files[file], file, place);
    else if (!is_stored_whole)
      one = plan_copy(now, file, place);
    to.files.push_back(one);
  }
  return to;
}

// ---- of all of them

inline hindrance refusal_of(const situation& now, const call_plan& plan) {
  if (!now.local.taken.ok()) return {obstacle::name_taken, in_local, 0};
  if (plan.keeps_all()) return {};
  for (size_t place = 0; place < now.lasting.size(); ++place)
    if (!now.lasting[place].has.taken.ok()) return {obstacle::name_taken, place, 0};
  return {};
}

inline hindrance blockade_of(const situation& now, const call_plan& plan) {
  if (plan.keeps_all()) return {};
  if (!now.local.receipt_problem.ok()) return {obstacle::receipt_unreadable, in_local, 0};

  for (size_t file = 0; file < plan.files.size(); ++file) {
    const tier::stored_file& local = local_of(now, file);
    if (local.is == tier::stored_file::presence::unknown)
      return {obstacle::file_unknown, in_local, file};
    if (local.stands() && !local.is_regular()) return {obstacle::not_a_file, in_local, file};
    const bool is_read_in_vain = !local.look.ok() && !local.is_no_such_file();
    const bool is_left = !plan.files[file].local_wrong.empty() && now.facts[file].wrong.empty();
    if (is_left && is_read_in_vain) return {obstacle::not_judged, in_local, file};
  }
  return {};
}

inline hindrance reach_of(const situation& now, const call_plan& plan) {
  hindrance worst;
  for (size_t file = 0; file < plan.files.size(); ++file) {
    if (plan.files[file].local != local_step::download) continue;
    const vector<string>& urls = now.wanted[file].from.urls;
    if (urls.empty()) return {obstacle::no_source, in_local, file};
    const bool is_remote = std::any_of(
        urls.begin(), urls.end(), [](const string& url) { return text::local_path(url).empty(); });
    if (!worst && now.is_offline && is_remote) worst = {obstacle::offline, in_local, file};
  }
  return worst;
}

// Steps that read or write follow in this order: refused, missing, suspects, blocked, verify; then
// unreachable, restore, download; then the copies. After each that changes what the tiers hold, or
// what is known of it, the plan is made anew.
inline call_plan plan(const situation& now) {
  call_plan to;
  for (size_t file = 0; file < now.wanted.size(); ++file)
    to.files.push_back(plan_file(now, file));
  for (size_t place = 0; place < now.lasting.size(); ++place)
    to.copies.push_back(plan_tier(now, to.files, place));
  to.refused = refusal_of(now, to);
  to.blocked = blockade_of(now, to);
  to.unreachable = reach_of(now, to);
  return to;
}
}  // namespace plan

// ==== >>call ==== one public call: inspect, plan, carry out ====
// Belongs here: the order of the steps of a call, what is done for each step of a plan, and what
// is said of it. What is to be done is decided in >>plan, how a tier does it is >>tier's, and how
// bytes come from the web >>transfer's. A set has any number of files.
namespace call {
inline fs::path directory(const options& o, bool local) {  // empty: ~ without a home
  const fs::path& given = local ? o.local_dir : o.cache_dir;
  string way = os::env(local ? "VQCACHE_LOCAL_DIR" : "VQCACHE_CACHE_DIR");
  if (way.empty()) way = local ? "content/models" : "content/cache/models";
  return os::resolved(given.empty() ? os::to_path(way) : given);
}

inline constexpr uint64_t told_from = uint64_t{64} << 20;  // bytes whose storing is announced
inline constexpr int most_rounds = 3;  // storing may find that the local file is damaged

struct arrival {                            // a file on its way to the local tier
  std::unique_ptr<tier::byte_sink> sink{};  // null: it is there, and stays
  text::entry entry{};                      // what the receipt will say of it
  bool is_here = false;
};

struct unused_copy {  // of a lasting tier
  string why{};       // it stands all the same
  string aside{};     // the name under which it was put aside
};

struct mirror {  // a copy that is made while its file arrives
  size_t place = 0;
  std::shared_ptr<stage::copying> copy{};
};

struct stored {
  status problem{};
  bool is_local_damaged = false;  // a local file was not what its receipt says
};

using tiers = vector<std::unique_ptr<tier::tier>>;

class call {
 public:
  explicit call(const options& opts) : who_(opts, string()) {}

  // ---- before: which set it is, and where its files lie

  // The tiers of the options, for a set of files; the lasting one comes last.
  status open(const string& name, const vector<plan::wanted_file>& files, tier::layout how) {
    vector<string> names;
    for (const plan::wanted_file& file : files)
      names.push_back(file.name);
    const tier::owned_paths paths = tier::paths_of(name, names, how);
    VQCACHE_NEED_(paths.problem);

    const options& o = who_.opts();
    const fs::path fast = directory(o, true), slow = directory(o, false);
    if (fast.empty()) return homeless(o.local_dir, "options::local_dir", "VQCACHE_LOCAL_DIR");
    if (slow.empty()) return homeless(o.cache_dir, "options::cache_dir", "VQCACHE_CACHE_DIR");

    using directory_tier = tier::directory_tier;
    const string receipt = paths.local.receipt;
    auto local = std::make_unique<directory_tier>(
        directory_tier::where{fast, false, os::mode::link, o.create_dirs}, names, receipt);
    tiers lasting;
    lasting.push_back(std::make_unique<directory_tier>(
        directory_tier::where{slow / name, true, os::mode::read, o.create_dirs}, names, receipt));
    begin(name, files, std::move(local), std::move(lasting));
    return {};
  }

  void begin(const string& name, const vector<plan::wanted_file>& files,
      std::unique_ptr<tier::directory_tier> local, tiers lasting) {
    name_ = name;
    who_ = caller(who_.opts(), name);
    local_ = std::move(local);
    lasting_ = std::move(lasting);
    mirrors_.resize(files.size());

    now_ = plan::situation();
    now_.wanted = files;
    now_.facts.resize(files.size());
    for (plan::file_facts& known : now_.facts)
      known.copies.resize(lasting_.size());
    now_.is_offline = !offline_by().empty();
  }

  // role: what an error calls the file. is_pin: a digest of the source binds the tiers, too.
  status take_source(size_t file, const source& from, const string& role, bool is_pin) {
    plan::wanted_file& wanted = now_.wanted[file];
    VQCACHE_NEED_(transfer::examine(from, role, who_.opts(), wanted.from));
    if (is_pin) wanted.pin = wanted.from.sha256;
    return {};
  }

  // How many of the files some tier has.
  size_t count_held() {
    look_into_tiers();
    size_t count = 0;
    for (size_t file = 0; file < size(); ++file) {
      const auto is_in = [this, file](const plan::lasting_tier& one) {
        return one.has.files[file].is_regular();
      };
      const bool is_held = plan::local_of(now_, file).is_regular()
          || std::any_of(now_.lasting.begin(), now_.lasting.end(), is_in);
      if (is_held) ++count;
    }
    return count;
  }

  bool has_leftovers() {
    return local_->has_leftovers()
        || std::any_of(
            lasting_.begin(), lasting_.end(), [](const auto& one) { return one->has_leftovers(); });
  }

  // ---- the call

  status download() {
    inspect();
    if (plan_.refused.place == plan::in_local) VQCACHE_NEED_(failure_of(plan_.refused));
    if (plan_.keeps_all() && is_served()) return who_.stop();

    VQCACHE_NEED_(local_->may_stand());
    for (const auto& one : lasting_)
      VQCACHE_NEED_(one->may_stand());
    VQCACHE_NEED_(local_->make_ready());
    const os::quiet_signals quiet;
    const os::interrupt_guard guard(who_.opts().catch_interrupt);
    who_.watch([&guard] { return guard.hit(); });
    wait_for_others();
    return bring_and_store();
  }

  status remove() {
    inspect();
    VQCACHE_NEED_(now_.local.taken);
    for (const plan::lasting_tier& one : now_.lasting)
      VQCACHE_NEED_(one.has.taken);

    wait_for_others();
    VQCACHE_NEED_(local_->remove());
    for (const auto& one : lasting_)
      VQCACHE_NEED_(one->remove());
    (void)os::unlink(lock_path());
    return who_.stop();
  }

  // ---- afterwards

  const string& name() const { return name_; }

  size_t size() const { return now_.wanted.size(); }

  fs::path local_path(size_t file) const { return local_->place_of(now_.wanted[file].name).path; }

  fs::path local_root() const { return local_->root(); }

  fs::path lasting_root() const { return directory(who_.opts(), false); }

  origin from() const { return from_; }

  bool is_cached() const { return is_cached_; }

 private:
  static status homeless(const fs::path& option, const char* member, const char* variable) {
    return fail(errc::invalid_argument,
        {option.empty() ? variable : member, " begins with ~, but there is no home directory"});
  }

  string offline_by() const {  // what forbids to download, or empty
    if (who_.opts().offline) return "options::offline";
    return text::means_yes(os::env("VQCACHE_OFFLINE")) ? "the variable VQCACHE_OFFLINE" : "";
  }

  // ---- inspect

  void look_into_tiers() {
    now_.local = local_->inspect();
    now_.lasting.resize(lasting_.size());
    for (size_t place = 0; place < lasting_.size(); ++place) {
      now_.lasting[place].can = lasting_[place]->can();
      now_.lasting[place].has = lasting_[place]->inspect();
    }
  }

  void inspect() {
    look_into_tiers();
    for (size_t file = 0; file < size(); ++file) {
      judge(file, plan::in_local);
      for (size_t place = 0; place < lasting_.size(); ++place)
        judge(file, place);
    }
    plan_ = plan::plan(now_);
  }

  void judge(size_t file, size_t place) {
    if (!plan::has_to_be_judged(now_, file, place)) return;
    tier::stored_file& one = file_in(file, place);
    one.look = tier_of(place).judge(one, now_.wanted[file].kind);
    if (one.is_no_such_file()) one.look.text += " (a pin, source::sha256, overrules that)";
  }

  tier::tier& tier_of(size_t place) {
    if (place == plan::in_local) return *local_;
    return *lasting_[place];
  }

  const tier::tier& tier_of(size_t place) const {
    if (place == plan::in_local) return *local_;
    return *lasting_[place];
  }

  tier::stored_file& file_in(size_t file, size_t place) {
    if (place == plan::in_local) return now_.local.files[file];
    return now_.lasting[place].has.files[file];
  }

  string shown(size_t file, size_t place) const {
    return tier_of(place).description_of(now_.wanted[file].name);
  }

  const tier::inventory& inventory_of(size_t place) const {
    return place == plan::in_local ? now_.local : now_.lasting[place].has;
  }

  // ---- what people are told

  // What an obstacle that ends the call, or keeps a copy from being made, is called.
  status failure_of(const plan::hindrance& one) const {
    using plan::obstacle;
    const tier::stored_file* file =
        one.is == obstacle::none ? nullptr : &plan::copy_of(now_, one.file, one.place);
    switch (one.is) {
      case obstacle::none: return {};
      case obstacle::name_taken: return inventory_of(one.place).taken;
      case obstacle::receipt_unreadable: return inventory_of(one.place).receipt_problem;
      case obstacle::file_unknown:
        return error::system(
            file->problem, "look at", tier_of(one.place).place_of(file->name).path);
      case obstacle::not_a_file:
        return fail(errc::io, {shown(one.file, one.place), " is not a regular file; move it"});
      case obstacle::not_judged: return file->look;
      case obstacle::another_model:
        return fail(errc::name_taken,
            {"another model is there (", shown(one.file, one.place), "); it is left alone"});
      case obstacle::not_writable: return tier_of(one.place).may_write();
      case obstacle::offline: return unreachable(true);
      case obstacle::no_source: return unreachable(false);
    }
    return {};
  }

  status unreachable(bool is_known) const {
    string missing, all;
    for (size_t file = 0; file < size(); ++file)
      if (plan_.files[file].local == plan::local_step::download)
        missing += join({missing.empty() ? "" : ", ", now_.wanted[file].name});
    for (const auto& one : lasting_)
      all += join({all.empty() ? "" : ", ", one->description()});

    const string in = join(
        {"there is no ", missing, " in ", local_->description(), " and none to be used in ", all});
    if (!is_known) return fail(errc::unknown_model, {in, lost_, ", and no URL for it is known"});
    return fail(errc::offline,
        {in, lost_, ", and ", offline_by(),
            " makes the call offline; put it there, or call once without"});
  }

  void tell_unverified(size_t file) {
    who_.say({"Nothing vouches for ", now_.wanted[file].name,
        ": it is served unverified, as it was found."});
  }

  void tell_not_cached(const status& why) {
    who_.say(
        {"The model (", name_, ") is complete locally, but not in the cache: ", why.text, "."});
  }

  void tell_origin(size_t file, const text::entry& said) {  // other URLs than stored, and no pin
    const plan::wanted_file& wanted = now_.wanted[file];
    const vector<string>& urls = wanted.from.urls;
    if (said.origin.empty() || !wanted.pin.empty() || urls.empty()) return;
    for (const string& url : urls)
      if (text::printable(text::redact(url)) == said.origin) return;
    who_.say({"The stored ", wanted.name, " came from ", said.origin, ", not from ",
        text::redact(urls[0]), "."});
  }

  static const char* shown(plan::authority by) {
    switch (by) {
      case plan::authority::nobody:
      case plan::authority::pin: break;
      case plan::authority::local_receipt: return "the local receipt";
      case plan::authority::lasting_receipt: return "the receipt in the cache";
    }
    return "the pin";
  }

  stage::demand demand_of(size_t file, const plan::expectation& want) const {
    stage::demand d{now_.wanted[file].kind, want.sha256};
    d.bound_by = shown(want.by);
    d.verified = want.is_verified;
    return d;
  }

  // ---- a local set that is whole

  // Whether the call can end: the copies are whole too, or none can be made, which is said.
  bool is_served() {
    announce();
    bool has_all = true, is_settled = true;
    for (size_t place = 0; place < lasting_.size(); ++place) {
      ask_whether_writable(place);
      const plan::tier_plan& copies = plan_.copies[place];
      const bool is_hopeless = cannot_be_written(copies);
      if (is_hopeless) tell_not_cached(failure_of(copies.in_way));
      has_all = has_all && copies.is_complete;
      is_settled = is_settled && (copies.is_complete || is_hopeless);
    }
    is_cached_ = has_all;
    return is_settled;
  }

  static bool cannot_be_written(const plan::tier_plan& copies) {
    const plan::obstacle in_way = copies.in_way.is;
    return in_way == plan::obstacle::name_taken || in_way == plan::obstacle::not_writable;
  }

  void announce() {
    if (std::exchange(is_announced_, true)) return;
    who_.say({"The model (", name_, ") is already available locally."});
    for (size_t file = 0; file < size(); ++file)
      tell_origin(file, plan::local_of(now_, file).said);
    for (size_t file = 0; file < size(); ++file)
      if (plan_.files[file].is_unvouched) tell_unverified(file);
  }

  // It is asked only where something is to be written: a hit costs nothing.
  void ask_whether_writable(size_t place) {
    if (plan_.copies[place].is_complete || !now_.lasting[place].has.taken.ok()) return;
    now_.lasting[place].can.is_writable = tier_of(place).may_write().ok();
    plan_ = plan::plan(now_);
  }

  // ---- other calls

  fs::path lock_path() const { return local_->at() / join({".", name_, ".lock"}); }

  // It saves a second download and nothing rests on it: every doubt ends in going on without it.
  void wait_for_others() {
    if (os::open(lock_path(), os::mode::lock, lock_) != 0) return;
    constexpr int looks_at_every = 10, pause_ms = 20;
    constexpr unsigned default_limit = 30;  // going on without it costs little
    const unsigned limit = who_.opts().stall_seconds;
    stage::pace growth{limit == 0 ? default_limit : limit, 0, 1};
    uint64_t seen = 0;  // bytes that some call has brought so far
    for (int waits = 0;; ++waits) {
      if (os::try_lock(lock_) != EWOULDBLOCK) return;
      if (waits == 0)
        who_.say({"Waiting for another call that is bringing the model (", name_, ")."});
      if (waits % looks_at_every == 0) seen = bytes_under_way();
      if (growth.stalled(seen)) return who_.say({"The other call stalls; going on without it."});
      if (!who_.step(phase::waiting, now_.wanted.back().name, seen, 0)) return;
      os::sleep_ms(pause_ms);
    }
  }

  uint64_t bytes_under_way() {
    uint64_t bytes = local_->bytes_under_way();
    for (const auto& one : lasting_)
      bytes += one->bytes_under_way();
    return bytes;
  }

  // ---- the steps of a plan

  status bring_and_store() {
    bool again = true;
    for (int round = 0; again && round < most_rounds && !who_.stopped(); ++round) {
      inspect();
      VQCACHE_NEED_(failure_of(plan_.refused));
      sweep_others();
      if (!plan_.keeps_all()) VQCACHE_NEED_(settle());
      if (plan_.verifies_any()) continue;  // a file has changed meanwhile
      if (!plan_.keeps_all()) VQCACHE_NEED_(bring());
      local_->sweep(who_, tier::tier::leftovers::all);

      again = false;
      if (is_served() || who_.stopped()) break;
      again = store_all();
    }
    if (who_.stopped() || !again) return who_.stop();
    return fail(errc::hash_mismatch, {"its local files change while being read"});
  }

  void sweep_others() {
    using leftovers = tier::tier::leftovers;
    local_->sweep(who_, leftovers::useless);
    for (const auto& one : lasting_)
      one->sweep(who_, leftovers::all);
  }

  // Settles by reading what names and sizes leave open.
  status settle() {
    lost_.clear();
    take_back_missing();
    if (plan_.keeps_all()) return {};
    VQCACHE_NEED_(look_for_other_model());
    VQCACHE_NEED_(failure_of(plan_.blocked));
    VQCACHE_NEED_(verify_local_files());
    inspect();
    for (size_t file = 0; file < size(); ++file)
      if (const string& why = plan_.files[file].local_wrong; !why.empty())
        lost_ += join({"; ", shown(file, plan::in_local), " is left as it is: ", why});
    take_back_missing();
    return {};
  }

  // What was put aside gets its name again, if it is what is missing after all.
  void take_back_missing() {
    bool has_news = false;
    for (size_t file = 0; file < size(); ++file)
      for (const size_t place : plan_.files[file].missing)
        has_news = take_back(file, place, plan::digest_in(now_, file, place), string()) || has_news;
    if (has_news) inspect();
  }

  // except: the name of what was put aside a moment ago.
  bool take_back(size_t file, size_t place, const string& sha256, const string& except) {
    const tier::stored_file& one = file_in(file, place);
    const string aside = tier_of(place).find_aside(one, sha256, except, who_);
    return !aside.empty() && tier_of(place).give_back(one, aside, who_);
  }

  // What fits its own receipt, and not the pin, is another model: nothing of it is touched.
  status look_for_other_model() {
    for (size_t file = 0; file < size(); ++file)
      for (const size_t place : plan_.files[file].suspects) {
        const tier::digest_of_file read =
            tier::digest_of(tier_of(place), file_in(file, place), who_);
        if (error::may_pass(read.problem)) return read.problem;  // then nothing is known of it
        if (!read.problem.ok() || !file_in(file, place).is_said_to_be(read.sha256)) continue;
        return fail(errc::name_taken,
            {"another model stands under this name: ", shown(file, place),
                " fits its receipt, but not the pin ", now_.wanted[file].pin,
                "; use another name, or remove ", list_of_files(), " from ", local_->description(),
                ", and ", list_of_lasting(), " (by vqcache::remove)"});
      }
    return {};
  }

  string list_of_files() const {  // "m.yaml, .ckpt and .sha256"
    string list = now_.wanted[0].name;
    for (size_t file = 1; file < size(); ++file) {
      const string& one = now_.wanted[file].name;
      list += ", " + (text::starts(one, name_ + ".") ? one.substr(name_.size()) : one);
    }
    return list + " and .sha256";
  }

  string list_of_lasting() const {
    string list;
    for (const auto& one : lasting_)
      list += join({list.empty() ? "" : ", ", one->description()});
    return list;
  }

  status verify_local_files() {
    text::receipt now;
    bool has_news = false;
    for (size_t file = 0; file < size(); ++file) {
      text::entry entry = plan::local_of(now_, file).said;
      if (plan_.files[file].local == plan::local_step::verify) {
        VQCACHE_NEED_(verify(file));
        if (now_.facts[file].is_right) entry = entry_of_verified(file);
        has_news = has_news || now_.facts[file].is_right;
      }
      if (!entry.sha256.empty()) now.push_back(std::move(entry));
    }
    const status kept = has_news ? local_->renew_receipt(now) : status();
    return now_.local.has_receipt ? kept : status();
  }

  status verify(size_t file) {
    const plan::expectation want = plan_.files[file].expected;
    const tier::stored_file& local = plan::local_of(now_, file);
    plan::file_facts& known = now_.facts[file];
    if (want.by == plan::authority::pin || local.has_receipt())
      who_.say({"Checking ", local.name, " against ", shown(want.by), "."});

    const tier::digest_of_file read = tier::digest_of(*local_, local, who_);
    VQCACHE_NEED_(read.problem);
    known.digest = read.sha256;
    known.is_right = read.sha256 == want.sha256;
    if (known.is_right) return {};

    const string why = join({"its SHA-256 is ", read.sha256, ", not ", want.sha256});
    if (local.is_vouched_for()) return set_aside(file, plan::in_local, why).problem;
    known.wrong = why;  // a pin may be mistyped: it stands until its place is taken
    return {};
  }

  text::entry entry_of_verified(size_t file) const {
    const tier::stored_file& local = plan::local_of(now_, file);
    const tier::stored_file* copy = plan::first_with_receipt(now_, file);
    const string& sha256 = now_.facts[file].digest;
    const bool is_of_copy = !local.has_receipt() && copy && copy->is_said_to_be(sha256);
    const text::entry& said = is_of_copy ? copy->said : local.said;
    const bool is_unverified = !plan_.files[file].expected.is_verified;
    return {local.name, sha256, said.origin, said.etag, local.size, is_unverified};
  }

  // also: the digest of what takes its place
  tier::put_aside set_aside(
      size_t file, size_t place, const string& why, const string& also = string()) {
    vector<string> known;
    const auto add = [&known](const string& sha256) {
      if (!sha256.empty()) known.push_back(sha256);
    };
    add(now_.wanted[file].pin);
    add(plan::local_of(now_, file).said.sha256);
    for (const plan::lasting_tier& one : now_.lasting)
      add(one.has.files[file].said.sha256);
    add(also);
    return tier_of(place).set_aside(file_in(file, place), why, known, who_);
  }

  // ---- bring: what is missing, all of it before any gets its name

  using arrivals = vector<arrival>;

  status bring() {
    for (plan::file_facts& known : now_.facts)
      for (plan::copy_facts& copy : known.copies)
        copy.is_unusable = false;
    plan_ = plan::plan(now_);
    VQCACHE_NEED_(failure_of(plan_.unreachable));

    const bool is_all_held = !plan_.downloads_any();
    who_.say({"The model (", name_,
        is_all_held ? ") is available in the cache, copying locally."
                    : ") was not found, downloading and caching."});
    is_announced_ = true;

    arrivals files(size());
    for (size_t file = 0; file < size(); ++file)
      VQCACHE_NEED_(gather(file, is_all_held, files[file]));
    VQCACHE_NEED_(failure_of(plan_.unreachable));
    VQCACHE_NEED_(fetch(files, is_all_held));

    inspect();
    // where the lock lies, another call may have been faster: its set stands, ours goes
    if (!has_all_with_receipts()) VQCACHE_NEED_(publish(files));
    inspect();
    return {};
  }

  // What a tier has of it: it is kept, or restored.
  status gather(size_t file, bool is_all_held, arrival& to) {
    const plan::file_plan now = plan_.files[file];
    to.entry.file = now_.wanted[file].name;
    mirrors_[file] = mirror();
    if (is_all_held)
      if (const tier::stored_file* copy = plan::first_with_receipt(now_, file))
        tell_origin(file, copy->said);

    if (now.local == plan::local_step::keep) {
      if (now.is_unvouched) tell_unverified(file);
      to.is_here = true;
      return vouch(file, to.entry);
    }
    for (const plan::restorable& copy : now.sources) {
      VQCACHE_NEED_(restore(file, copy, to));
      if (to.is_here) return {};
      now_.facts[file].copies[copy.place].is_unusable = true;
    }
    plan_ = plan::plan(now_);
    return {};
  }

  // What a receipt says of a file that had none.
  status vouch(size_t file, text::entry& entry) {
    const tier::stored_file& local = plan::local_of(now_, file);
    if (local.has_receipt()) {
      entry = local.said;
      return {};
    }
    tier::digest_of_file read = tier::digest_of(*local_, local, who_);
    VQCACHE_NEED_(read.problem);
    now_.facts[file].digest = read.sha256;
    entry = {local.name, std::move(read.sha256), {}, {}, local.size, true};
    return {};
  }

  status restore(size_t file, const plan::restorable& copy, arrival& to) {
    unused_copy unused;
    VQCACHE_NEED_(restore_once(file, copy, to, unused));
    const string sha256 = plan::expected_of(now_, file, copy.place).sha256;
    if (to.is_here || sha256.empty() || who_.stopped()) return who_.stop();

    // what was put aside may be right: then what stands in its place makes way
    tier::tier& in = tier_of(copy.place);
    const bool stands = !unused.why.empty();
    if (stands && !in.find_aside(file_in(file, copy.place), sha256, string(), who_).empty()) {
      tier::put_aside moved = set_aside(file, copy.place, unused.why, sha256);
      VQCACHE_NEED_(moved.problem);
      unused.aside = std::move(moved.name);
    }
    if (unused.aside.empty() || !take_back(file, copy.place, sha256, unused.aside))
      return who_.stop();

    now_.lasting[copy.place].has = in.inspect();
    return restore_once(file, plan::restorable_of(now_, file, copy.place), to, unused);
  }

  // Its problem is one of the local disk, or the end of the call; what is wrong with the copy is
  // said, and noted.
  status restore_once(size_t file, const plan::restorable& copy, arrival& to, unused_copy& unused) {
    const plan::expectation want = plan::expected_of(now_, file, copy.place);
    const tier::stored_file& there = file_in(file, copy.place);
    tier::copied result{copy.fault, copy.is_unreadable};
    unused = unused_copy();
    to.sink = nullptr;
    if (copy.fault.ok()) {
      tier::begun begun = begin_local(file, want);
      VQCACHE_NEED_(begun.problem);
      to.sink = std::move(begun.sink);
      result = tier::copy_and_seal(
          tier_of(copy.place), there, *to.sink, who_, phase::restoring, demand_of(file, want));
      if (who_.stopped()) return who_.stop();
    }

    const bool is_slow = result.problem.code == errc::timed_out;
    const bool is_unreadable = result.is_of_source || is_slow;
    if (copy.fault.ok() && result.problem.cause && !is_unreadable) return result.problem;

    note_what_was_read(file, copy.place, to, is_unreadable && !is_slow);
    to.is_here = result.problem.ok();
    if (!to.is_here)
      return leave_unused(file, copy.place, result.problem, is_unreadable, to, unused);

    if (there.has_receipt()) to.entry = there.said;
    to.entry.file = there.name;
    to.entry.sha256 = to.sink->sha256();
    to.entry.size = to.sink->size();
    to.entry.unverified = !want.is_verified;
    if (to.entry.unverified) tell_unverified(file);
    return {};
  }

  tier::begun begin_local(size_t file, const plan::expectation& want) {
    const plan::wanted_file& wanted = now_.wanted[file];
    return local_->write({wanted.name, wanted.kind, want.size, !want.sha256.empty()});
  }

  void note_what_was_read(size_t file, size_t place, const arrival& to, bool is_unreadable) {
    std::optional<string>& digest = now_.facts[file].copies[place].digest;
    digest.reset();
    if (is_unreadable)
      digest = string();
    else if (to.sink && !to.sink->sha256().empty())
      digest = to.sink->sha256();
  }

  status leave_unused(size_t file, size_t place, const status& why, bool is_unreadable, arrival& to,
      unused_copy& unused) {
    const tier::stored_file& there = file_in(file, place);
    const std::optional<string>& read = now_.facts[file].copies[place].digest;
    to.sink = nullptr;  // first of all: its bytes are of no use
    // not damaged, but another model's
    const bool is_of_another = there.is_vouched_for() && read && there.is_said_to_be(*read);
    if (is_of_another) {
      who_.say({"The cache holds another ", there.name, " than the local receipt; it stays."});
      return {};
    }

    lost_ +=
        join({"; the copy in ", tier_of(place).description(), " could not be used: ", why.text});
    if (!there.is_vouched_for() && is_judged(why)) {  // it stands till it is replaced
      unused.why = why.text;
      who_.say({"The cached ", there.name, " is not used: ", why.text, "."});
      return {};
    }
    if (is_unreadable || !now_.lasting[place].has.receipt_problem.ok()) {
      who_.say({"The cache cannot be read: ", why.text, "."});
      return {};
    }
    tier::put_aside moved = set_aside(file, place, why.text);
    unused.aside = std::move(moved.name);
    if (!moved.problem.ok())
      who_.say({"The cached ", there.name, " is damaged (", why.text,
          "), but stays: ", moved.problem.text, "."});
    return {};
  }

  static bool is_judged(const status& why) {  // by its bytes
    const bool is_of_bytes = why.code == errc::hash_mismatch || why.code == errc::not_the_file
        || why.code == errc::truncated;
    return is_of_bytes && !why.cause;
  }

  // ---- download

  status fetch(arrivals& files, bool was_all_held) {
    vector<transfer::target> targets;
    for (size_t file = 0; file < size(); ++file)
      if (!files[file].is_here) targets.push_back(target_of(file));
    if (was_all_held && !targets.empty())
      who_.say({"It could not be restored whole, downloading."});
    from_ = targets.empty() ? origin::cache : origin::network;

    status brought = transfer::fetch(targets, who_);
    if (!brought.ok()) brought.text += lost_;
    VQCACHE_NEED_(brought);
    for (transfer::target& one : targets)
      take(one, files[one.item]);
    return {};
  }

  transfer::target target_of(size_t file) {
    const plan::wanted_file& wanted = now_.wanted[file];
    const plan::expectation expected = plan::expected_of_download(now_, file);
    stage::demand want = demand_of(file, expected);
    want.size = expected.size.value_or(0);
    mirrors_[file] = mirror_of(file);
    return {file, &wanted.from, want, local_path(file), mirrors_[file].copy.get()};
  }

  // The first lasting tier that lacks the file gets its copy while the file arrives, if the kernel
  // and a thread can write there.
  mirror mirror_of(size_t file) const {
    for (size_t place = 0; place < lasting_.size(); ++place) {
      const bool lacks = plan_.copies[place].files[file].step == plan::copy_step::store;
      const bool may_be_read = now_.lasting[place].has.receipt_problem.ok();
      if (!lacks || !may_be_read || !now_.lasting[place].can.has_paths) continue;
      const plan::wanted_file& wanted = now_.wanted[file];
      const fs::path path = tier_of(place).place_of(wanted.name).path;
      return {place, std::make_shared<stage::copying>(path, wanted.kind)};
    }
    return {};
  }

  void take(transfer::target& one, arrival& to) {
    text::entry& entry = to.entry;
    entry = {entry.file, one.to->sha256, one.got, one.etag, one.to->size(), one.is_unsized};
    if (one.is_unsized)
      who_.say({"Nothing vouches for the end of ", entry.file, ": ", one.got, " told no length."});
    if (one.copy) one.copy->sha256 = entry.sha256;
    to.sink = std::make_unique<tier::directory_sink>(std::move(one.to));
    to.is_here = true;
  }

  bool has_all_with_receipts() const {
    return plan_.keeps_all()
        && std::all_of(now_.local.files.begin(), now_.local.files.end(),
            [](const tier::stored_file& one) { return one.has_receipt(); });
  }

  status publish(arrivals& files) {
    tier::sinks sinks;
    text::receipt now;
    for (size_t file = 0; file < size(); ++file) {
      VQCACHE_NEED_(make_way(file, files[file]));
      now.push_back(files[file].entry);
      if (files[file].sink) sinks.push_back(files[file].sink.get());
    }
    status published = local_->commit(sinks, now);
    if (!published.ok()) published.text += keep_for_next_call(files);
    return published;
  }

  // What stands under the name and is no such file is put aside when its replacement is complete.
  status make_way(size_t file, const arrival& by) {
    const tier::stored_file& local = plan::local_of(now_, file);
    const bool is_good = plan_.files[file].local == plan::local_step::keep;
    if (is_good || !by.sink || !local.is_regular()) return {};
    const string why = plan_.files[file].local_wrong;
    now_.facts[file].wrong.clear();
    return set_aside(file, plan::in_local, why, by.sink->sha256()).problem;
  }

  static string keep_for_next_call(arrivals& files) {
    string kept;
    for (arrival& one : files) {
      stage::partial* part = one.sink ? one.sink->as_file() : nullptr;
      const uint64_t size = part ? part->release() : 0;
      if (size > 0)
        kept += join({"; ", size, " bytes of ", one.entry.file, " are kept for the next call"});
    }
    return kept;
  }

  // ---- store

  // true: a local file was damaged, and all is to be done again.
  bool store_all() {
    bool is_all_stored = true;
    for (size_t place = 0; place < lasting_.size(); ++place) {
      if (plan_.copies[place].is_complete) continue;
      if (cannot_be_written(plan_.copies[place])) {
        is_all_stored = false;
        continue;
      }
      stored result;
      const status s = error::contain([&] {
        result = store(place);
        return result.problem;
      });
      is_cached_ = s.ok();
      if (result.is_local_damaged) return true;
      is_all_stored = is_all_stored && is_cached_;
      if (is_cached_) continue;
      who_.go_on();  // the local files are complete: no error
      tell_not_cached(s);
    }
    is_cached_ = is_all_stored;
    return false;
  }

  struct shipment {                           // to one lasting tier
    std::unique_ptr<tier::byte_sink> sink{};  // null: what is there stays
    text::entry entry{};
  };

  stored store(size_t place) {
    stored result{failure_of(plan_.copies[place].in_way), false};
    if (!result.problem.ok()) return result;
    tell_storing(place);
    result.problem = tier_of(place).make_ready();

    vector<shipment> files(size());
    for (size_t file = 0; file < size() && result.problem.ok(); ++file)
      result = store_file(file, place, files[file]);
    if (result.problem.ok()) result.problem = commit(place, files);
    return result;
  }

  void tell_storing(size_t place) {
    uint64_t bytes = 0;
    for (size_t file = 0; file < size(); ++file)
      if (!plan::is_stored(now_, file, place)) bytes += plan::local_of(now_, file).size;
    if (bytes >= told_from)
      who_.say({"The model (", name_, ") is ready locally; storing it in the cache."});
  }

  // What stands there stays if it is the same: as read a moment ago, by its receipt, or hashed.
  stored store_file(size_t file, size_t place, shipment& to) {
    status vouched = vouch(file, to.entry);
    if (!vouched.ok()) return {std::move(vouched), false};

    plan::copy_plan now = plan::plan_copy(now_, file, place);
    if (now.step == plan::copy_step::verify) {
      const tier::digest_of_file read = tier::digest_of(tier_of(place), file_in(file, place), who_);
      if (!read.problem.ok()) return {read.problem, false};
      now_.facts[file].copies[place].digest = read.sha256;
      now = plan::plan_copy(now_, file, place);
    }
    if (now.step == plan::copy_step::keep) return {};
    if (is_mirrored(file, place, to.entry.sha256)) return {finish_mirror(file, to), false};
    return copy_local_file(file, place, now.is_doubted, to);
  }

  bool is_mirrored(size_t file, size_t place, const string& sha256) const {
    const mirror& one = mirrors_[file];
    return one.copy && one.place == place && one.copy->behind.started()
        && one.copy->sha256 == sha256;
  }

  status finish_mirror(size_t file, shipment& to) {
    stage::copying& copy = *mirrors_[file].copy;
    to.sink = std::make_unique<tier::directory_sink>(copy.to);
    return copy.wait(plan::local_of(now_, file).size, who_);
  }

  stored copy_local_file(size_t file, size_t place, bool is_doubted, shipment& to) {
    const plan::wanted_file& wanted = now_.wanted[file];
    const tier::stored_file& local = plan::local_of(now_, file);
    tier::tier& lasting = tier_of(place);
    // where the kernel copies, stage::copy_and_seal() asks for itself
    status ready = now_.lasting[place].can.has_paths ? status() : lasting.room_for(local.size);
    if (!ready.ok()) return {std::move(ready), false};
    tier::begun begun = lasting.write({wanted.name, wanted.kind, local.size, true});
    if (!begun.problem.ok()) return {std::move(begun.problem), false};
    to.sink = std::move(begun.sink);

    const stage::demand want{wanted.kind, to.entry.sha256, "the local receipt", true, is_doubted};
    stored result{
        tier::copy_and_seal(*local_, local, *to.sink, who_, phase::storing, want).problem, false};
    result.is_local_damaged = is_judged(result.problem) && local.has_receipt();
    if (result.is_local_damaged) {
      status moved = set_aside(file, plan::in_local, result.problem.text).problem;
      if (!moved.ok()) result.problem = std::move(moved);
    }
    if (is_doubted && !result.problem.ok())
      result.problem.text = join({shown(file, plan::in_local), " differs from ", shown(file, place),
          ", and ", result.problem.text});
    return result;
  }

  status commit(size_t place, const vector<shipment>& files) {
    tier::sinks sinks;
    text::receipt now;
    for (size_t file = 0; file < size(); ++file) {
      const shipment& one = files[file];
      now.push_back(one.entry);
      if (!one.sink) continue;
      sinks.push_back(one.sink.get());
      if (!file_in(file, place).stands()) continue;
      VQCACHE_NEED_(
          set_aside(file, place, "it is not the local file, or not readable", one.entry.sha256)
              .problem);
    }
    VQCACHE_NEED_(tier_of(place).commit(sinks, now));

    // a notebook's files get their receipt, if they can, when they are hashed anyway
    const vector<tier::stored_file>& local = now_.local.files;
    const bool has_all = std::all_of(
        local.begin(), local.end(), [](const tier::stored_file& one) { return one.has_receipt(); });
    if (!has_all) (void)local_->renew_receipt(now);
    return {};
  }

  caller who_;
  string name_{};
  std::unique_ptr<tier::directory_tier> local_{};  // a user gets its paths
  tiers lasting_{};
  plan::situation now_{};
  plan::call_plan plan_{};
  vector<mirror> mirrors_{};  // of each file
  os::file lock_{};
  string lost_{};  // what an error says of a copy that could not be used
  origin from_ = origin::local;
  bool is_cached_ = false, is_announced_ = false;
};

// The whole of a call: every error says which model it is about, also one of an exception
template <class F>
inline status contained(const string& name, const F& f) noexcept {
  const os::held_cancel until_the_end;
  status s = error::contain([&f] {
    (void)error::ready();  // while there is memory
    return f();
  });
  if (s.ok()) return s;
  (void)error::attempt(
      [&] { s.text = join({"model '", text::printable(name.substr(0, 120)), "': ", s.text}); });
  return s;
}
}  // namespace call

// ==== >>notebook ==== knows where a platform has its fast and its lasting disk ====
namespace notebook {
// As each documents itself. Signs: variables, with any value or this one, and paths. The first
// lasting place that holds a cache, or can be written, is taken; PLACE/*: what in it holds one.
// clang-format off
inline constexpr struct platform { const char *name, *signs, *fast, *lasting, *advice; } all[] = {
  {"Kaggle", "KAGGLE_KERNEL_RUN_TYPE KAGGLE_USER_SECRETS_TOKEN KAGGLE_DATA_PROXY_TOKEN",
   "/kaggle/working", "/kaggle/input/*", "save a version, and add its output as an input"},
  {"Paperspace", "PAPERSPACE_NOTEBOOK_REPO_ID PAPERSPACE_CLUSTER_ID PAPERSPACE_FQDN", "/tmp",
   "/storage /notebooks", "there is neither /storage nor /notebooks"},
  {"Hugging Face Spaces", "SPACE_ID", "/tmp", "/data", "attach storage as /data"},
  {"Binder", "BINDER_REPO_URL BINDER_REF_URL BINDER_LAUNCH_HOST", "/tmp", "", "Binder has no disk"},
  {"Colab Enterprise", "VERTEX_PRODUCT=COLAB_ENTERPRISE", "/content", "", "it cannot mount Drive"},
  {"Colab", "COLAB_RELEASE_TAG TBE_RUNTIME_ADDR COLAB_GPU /var/colab/hostname", "/content", "",
   "mount Google Drive (drive.mount in a Python cell), then ask again"},
  {"Lightning Studio", "LIGHTNING_CLOUDSPACE_HOST LIGHTNING_CLOUD_PROJECT_ID /teamspace", "/tmp",
   "/teamspace/studios/this_studio", "there is no studio"},
  {"SageMaker Studio Lab", "SAGEMAKER_INTERNAL_IMAGE_URI /home/studio-lab-user", "/tmp",
   "/home/studio-lab-user", "there is no home directory"}};

// clang-format on

inline string lasting(const platform& p, const string& root) {  // empty: there is none
  vector<string> places = text::words(p.lasting);
  string mounts;
  (void)os::read_text(root + "/proc/self/mounts", mounts);
  for (const string& line : text::words(mounts, '\n'))  // DEVICE PLACE fuse.drive ...
    if (const size_t end = line.find(" fuse.drive "), at = line.find(' ') + 1; end != npos)
      for (auto in : {"/MyDrive", "/My Drive"})
        places.push_back(line.substr(at, end - at) + in);
  for (const string& place : places) {
    const string d = root + place, in = d.substr(0, d.size() - 1);
    if (os::look(d + "/cache/models").directory || (os::look(d).directory && !os::read_only(d)))
      return d;
    for (const string& n : d.back() == '*' ? os::list(in, "") : vector<string>())
      if (os::look(in + n + "/cache/models").directory) return in + n;  // read, never written
  }
  return {};
}

inline options choose(options o, const string& root) {  // root: in the place of /
  const os::held_cancel until_the_end;
  string sign, note;
  const platform* p = nullptr;
  for (const bool path : {false, true})  // paths last: they may be anybody's
    for (const platform& one : all)
      for (const string& s : text::words(p ? "" : one.signs)) {
        view value = s;
        const string is = os::env(string(text::take(value, '=')).c_str());
        const bool set = !is.empty() && (value.empty() || is == value);
        const bool there = path && s[0] == '/' && os::look(root + s).exists;
        if (path ? !there : !set) continue;
        p = &one;
        sign = s;
      }
  const string fast = p ? root + p->fast : "", slow = p ? lasting(*p, root) : "";
  if (p && o.local_dir.empty() && os::env("VQCACHE_LOCAL_DIR").empty())
    o.local_dir = os::to_path(fast + "/models");
  if (p && o.cache_dir.empty() && os::env("VQCACHE_CACHE_DIR").empty()) {
    o.cache_dir = os::to_path((slow.empty() ? fast : slow) + "/cache/models");
    note = slow.empty() ? join({"; nothing here outlasts the session: ", p->advice}) : "";
    if (os::read_only(o.cache_dir)) note = ", which is only read: keep it added in later versions";
  }
  if (o.on_message)
    o.on_message(join({p ? join({p->name, " (", sign, ")"}) : "No notebook platform is known here",
        ": models go to ", call::directory(o, true), ", copies to ", call::directory(o, false),
        note, "."}));
  return o;
}
}  // namespace notebook
}  // namespace detail

// ==== >>public ==== thin bodies of the public functions ====
namespace detail {
// What makes a set of files a VQGAN: a config and a checkpoint, in this order. Only the catalogue
// and what stands here know of that.
namespace vqgan {
inline vector<plan::wanted_file> files_of(const string& name) {
  vector<plan::wanted_file> files(2);
  files[0].name = name + ".yaml";
  files[0].kind = text::kind::text;
  files[1].name = name + ".ckpt";
  return files;
}

inline constexpr const char* roles[] = {"config", "checkpoint"};

using rows = vector<const catalog::row*>;

inline status open(call::call& one, const string& name) {
  return one.open(name, files_of(name), tier::layout::flat);
}

// The names of the catalogue that are like this one, or else are not.
inline string listed(const string& name, bool is_alike) {
  string list;
  for (const catalog::row& row : catalog::all) {
    const vector<string> names = text::words(text::lower(join({row.name, " ", row.aliases})));
    const bool is_like_one = std::any_of(names.begin(), names.end(),
        [&name](const string& one) { return text::alike(text::lower(name), one); });
    if (is_like_one == is_alike) list += join({list.empty() ? "" : ", ", row.name});
  }
  return list;
}

inline string hint(const string& name, const rows& meant) {
  string candidates;
  for (const catalog::row* row : meant)
    candidates += join({candidates.empty() ? "" : " or ", row->name});
  if (!meant.empty()) return ", and the name is ambiguous: say " + candidates;

  const string alike = listed(name, true), others = listed(name, false);
  const string unlisted = ", and the catalogue does not list it; ";
  return alike.empty() ? unlisted + "known are " + others
                       : unlisted + "did you mean " + alike + "?";
}

inline status unknown(const call::call& one, const rows& meant) {
  return fail(errc::unknown_model,
      {"neither ", one.local_root(), " nor ", one.lasting_root(), " holds both files of ",
          one.name(), hint(one.name(), meant), "; or give its URLs"});
}

inline status take_given(call::call& one, const source* const given[2]) {
  for (size_t file = 0; file < 2; ++file)
    VQCACHE_NEED_(one.take_source(file, *given[file], roles[file], true));
  return {};
}

inline status take_listed(call::call& one, const catalog::row& row) {
  for (size_t file = 0; file < 2; ++file)
    VQCACHE_NEED_(one.take_source(
        file, catalog::sources(row, file == 0), files_of(one.name())[file].name, false));
  return {};
}

// Without sources: what a tier holds under this very name, else what the catalogue knows it as.
inline status find(call::call& one, const string& called) {
  const rows meant = catalog::find(called);
  const bool is_listed = meant.size() == 1;
  if (one.count_held() < one.size()) {
    if (!is_listed) return unknown(one, meant);
    VQCACHE_NEED_(open(one, meant[0]->name));
  }
  return is_listed ? take_listed(one, *meant[0]) : status();
}

inline status bring(
    const string& called, const source* const given[2], const options& opts, model& found) {
  call::call one(opts);
  VQCACHE_NEED_(transfer::check_call(opts));
  VQCACHE_NEED_(open(one, called));
  VQCACHE_NEED_(given[0] ? take_given(one, given) : find(one, called));
  VQCACHE_NEED_(one.download());
  found = {one.name(), one.local_path(0), one.local_path(1), one.from(), one.is_cached()};
  return {};
}

inline status download(const string& name, const source* config, const source* checkpoint,
    const options& opts, model& found) {
  const source* const given[2] = {config, checkpoint};
  return call::contained(name, [&] { return bring(name, given, opts, found); });
}

inline status remove(const string& name, const options& opts) {
  return call::contained(name, [&]() -> status {
    call::call one(opts);
    VQCACHE_NEED_(transfer::check_options(opts));
    VQCACHE_NEED_(open(one, name));
    const rows meant = catalog::find(name);
    const bool has_nothing = one.count_held() == 0 && !one.has_leftovers();
    if (meant.size() == 1 && has_nothing) VQCACHE_NEED_(open(one, meant[0]->name));
    return one.remove();
  });
}
}  // namespace vqgan
}  // namespace detail

VQCACHE_API_ void print_message(const std::string& line) {
  detail::os::print_line(line);
}

VQCACHE_API_ bool progress_line::operator()(const progress& p) {
  constexpr const char* doing[] = {"awaiting", "downloading", "restoring", "storing", "checking"};
  const auto mb = [](std::uint64_t n) {
    return detail::join({n / 10, ".", n % 10, " MB"});
  };
  const bool live = detail::os::is_terminal(to) || (VQCACHE_INTERPRETED && to == stdout);
  const auto percent = p.total > 0 ? int(100.0 * double(p.done) / double(p.total)) : 0;
  std::string line = detail::join({doing[int(p.phase)], " ", p.file, " "});
  const std::string now = detail::join({line, percent / 10});
  if (!live && (p.total < 1000000 || now == last)) return true;
  last = now;
  line +=
      p.total > 0 ? detail::join({percent, "% of ", mb(p.total / 100000)}) : mb(p.done / 100000);
  if (p.seconds_left >= 0)
    line += detail::join({", ", mb(std::uint64_t(p.bytes_per_second / 1e5)), "/s, ",
        std::uint64_t(p.seconds_left), " s left"});
  if (live) line.insert(0, "\r").resize((std::max)(line.size(), std::size_t{79}), ' ');
  detail::os::print(line + (live && (p.total == 0 || p.done < p.total) ? "\r" : "\n"), to);
  return true;
}

VQCACHE_API_ const std::error_category& error_category() noexcept {
  return detail::error::category();
}

VQCACHE_API_ std::error_code make_error_code(errc e) noexcept {
  return {static_cast<int>(e), error_category()};
}

VQCACHE_API_ result try_download_vqgan_model(
    const std::string& name, const source& config, const source& checkpoint, const options& opts) {
  model found;
  const detail::status s = detail::vqgan::download(name, &config, &checkpoint, opts, found);
  return {std::move(found), detail::error::to_error(s)};
}

VQCACHE_API_ result try_download_vqgan_model(const std::string& name, const options& opts) {
  model found;
  const detail::status s = detail::vqgan::download(name, nullptr, nullptr, opts, found);
  return {std::move(found), detail::error::to_error(s)};
}

VQCACHE_API_ error try_remove(const std::string& name, const options& opts) {
  return detail::error::to_error(detail::vqgan::remove(name, opts));
}
#if VQCACHE_EXCEPTIONS_
VQCACHE_API_ model download_vqgan_model(
    const std::string& name, const source& config, const source& checkpoint, const options& opts) {
  model found;
  detail::error::raise(detail::vqgan::download(name, &config, &checkpoint, opts, found));
  return found;
}

VQCACHE_API_ model download_vqgan_model(const std::string& name, const options& opts) {
  model found;
  detail::error::raise(detail::vqgan::download(name, nullptr, nullptr, opts, found));
  return found;
}

VQCACHE_API_ void remove(const std::string& name, const options& opts) {
  detail::error::raise(detail::vqgan::remove(name, opts));
}
#endif
VQCACHE_API_ std::vector<known_model> known_models() {
  return detail::catalog::known();
}

VQCACHE_API_ options notebook_options(options opts) {
  return detail::notebook::choose(std::move(opts), "");
}
}  // namespace VQCACHE_ABI_
}  // namespace vqcache
#endif  // VQCACHE_HAS_BODIES
// ==== >>undef ==== removes internal macros; the licence text ====
#undef VQCACHE_EXCEPTIONS_
#undef VQCACHE_SEEN_
#undef VQCACHE_TAG_
#undef VQCACHE_TAG_OF_
#undef VQCACHE_NEED_
#undef VQCACHE_API_
#undef VQCACHE_ABI_
#elif VQCACHE_HPP != 200
#error "two versions of vqcache.hpp in one translation unit: include only one of them"
#elif defined(VQCACHE_IMPLEMENTATION) && !VQCACHE_HAS_BODIES
#error "define VQCACHE_IMPLEMENTATION before the first include of vqcache.hpp in this .cpp"
#endif  // VQCACHE_HPP
// Copyright (c) 2026 The vqcache authors. MIT License: use, copy, change and sell it, with this
// notice and without warranty of any kind. In full: https://spdx.org/licenses/MIT.html.
