// What is only advice, or only known on some file systems, decides nothing: a size that a mount does
// not tell, early write-back and copying by the kernel that a sandbox refuses, a directory that
// cannot be opened to be synced.

#include "vqcache.hpp"

#include "world.hpp"

#include <doctest/doctest.h>

#include <sys/prctl.h>
#include <sys/syscall.h>

#if defined(__linux__)
#include <linux/filter.h>
#include <linux/seccomp.h>
#endif

#include <cerrno>
#include <cstddef>
#include <string>
#include <vector>

using namespace world;
using vqcache::errc;
using vqcache::source;

namespace {

// The slices that are written back early have 8 MiB.
constexpr std::size_t several_slices = 20'000'000;

// A file system that answers statfs with zeros, as many mounts of clouds do: ramfs has no size.
class ramfs {
 public:
  explicit ramfs(const fs::path& at) : at_(at) {
    fs::create_directories(at);
    mounted_ = ::mount("ramfs", at.c_str(), "ramfs", 0, "mode=0777") == 0;
  }

  ramfs(const ramfs&) = delete;
  ramfs& operator=(const ramfs&) = delete;

  ~ramfs() {
    if (mounted_) ::umount2(at_.c_str(), MNT_DETACH);
  }

  bool mounted() const { return mounted_; }

 private:
  fs::path at_;
  bool mounted_ = false;
};

// From here on this system call fails with e in this process, and in the threads that it starts.
bool refuse(long call, int e) {
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(e)),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program = {4, filter};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
      && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

// A cold call and a restore; empty when all went well.
std::string bring_and_restore(place& w) {
  vqcache::result r = w.call("m");
  if (!r.ok()) return "cold: " + why(r);
  if (!r.model.cached) return "cold: not cached: " + w.all_said();

  fs::remove(w.in_local("m.yaml"));
  fs::remove(w.in_local("m.ckpt"));
  r = w.call("m");
  if (!r.ok()) return "restore: " + why(r);
  return r.model.from == vqcache::origin::cache ? "" : "restore: not from the cache";
}

std::string with_refusal(place& w, long call, int e) {
  return in_child(
      [&] { return refuse(call, e) ? bring_and_restore(w) : std::string("no seccomp here"); });
}

}  // namespace

TEST_SUITE_BEGIN("advice");

TEST_CASE("a file system that tells no size is not a full one") {
  place w;
  const ramfs unsized(w.root.at / "unsized");
  if (!unsized.mounted()) return skipped("ramfs cannot be mounted here");

  // both tiers, and each of them alone
  for (const int which : {3, 1, 2}) {
    CAPTURE(which);
    const std::string sub = std::to_string(which);
    w.local = w.root.at / ((which & 1) != 0 ? "unsized" : "sized") / sub / "local";
    w.cache = w.root.at / ((which & 2) != 0 ? "unsized" : "sized") / sub / "cache";
    w.serve(checkpoint_url, {checkpoint(3'000'000)});
    CHECK(bring_and_restore(w) == "");
    CHECK(w.litter().empty());
  }

  // what is known there still counts
  w.local = w.root.at / "unsized" / "limited";
  const std::string said = in_child([&w]() -> std::string {
    const rlimit limit = {1'000'000, 1'000'000};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return "no limit";
    const vqcache::result r = w.call("n");
    const bool is_told =
        r.error.code() == errc::no_space && has(why(r), "(ulimit -f)") && !has(why(r), "free some");
    return is_told ? "" : why(r);
  });
  CHECK(said == "");
}

TEST_CASE("a file system without a limit of its own is not a full one") {
  place w;
  const tmpfs boundless(w.root.at / "boundless", "0");
  if (!boundless.mounted()) return skipped("tmpfs cannot be mounted here");

  w.local = w.root.at / "boundless" / "local";
  CHECK(bring_and_restore(w) == "");
}

#if defined(__linux__) && defined(SYS_sync_file_range)

TEST_CASE("a sandbox may refuse to write back early: fsync follows, and decides") {
  place w;
  w.serve(checkpoint_url, {checkpoint(several_slices)});
  for (const int e : {EPERM, EACCES, EOPNOTSUPP, ENOSYS, EINVAL}) {
    CAPTURE(e);
    const std::string said = with_refusal(w, SYS_sync_file_range, e);
    if (said == "no seccomp here") return skipped(said);
    CHECK(said == "");
    w.wipe_local();
    w.wipe_cache();
  }

  // bytes that are lost are told there, and not again
  const std::string lost = with_refusal(w, SYS_sync_file_range, EIO);
  CHECK(has(lost, "cold: "));
  CHECK(has(lost, "sync"));
}

TEST_CASE("a sandbox may refuse that the kernel copies") {
  place w;
  w.serve(checkpoint_url, {checkpoint(several_slices)});
  for (const int e : {EPERM, EACCES, EOPNOTSUPP, ENOSYS, EXDEV, EINVAL}) {
    CAPTURE(e);
    const std::string said = with_refusal(w, SYS_copy_file_range, e);
    if (said == "no seccomp here") return skipped(said);
    CHECK(said == "");
    w.wipe_local();
    w.wipe_cache();
  }
}

#endif

TEST_CASE("a directory that may be entered and written, but not read, need not be synced") {
  if (lacks(part::users)) return;
  place w;
  fs::permissions(w.root.at, fs::perms(0777));
  for (const bool itself : {false, true}) {  // the two directories, or only what they stand in
    CAPTURE(itself);
    const fs::path drop = w.root.at / (itself ? "own" : "parent");
    const std::string said = unprivileged([&]() -> std::string {
      std::error_code e;
      w.local = itself ? drop : drop / "local";
      w.cache = itself ? drop / "cache" : drop / "deep" / "cache";
      fs::create_directory(drop);
      ::chmod(drop.c_str(), 01333);  // as a drop box: w and x, no r
      if (fs::directory_iterator(drop, e) != fs::directory_iterator()) return "it can be read";

      const std::string bad = bring_and_restore(w);
      ::chmod(drop.c_str(), 0777);
      return bad;
    });
    CHECK(said == "");
    CHECK(w.litter().empty());
  }
}

// ---- what people read

// Whether it is UTF-8 without control characters: what a person may be shown.
bool is_readable(const std::string& text) {
  const auto byte = [&text](std::size_t at) {
    return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U;
  };
  for (std::size_t at = 0; at < text.size();) {
    const unsigned first = byte(at);
    const std::size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    const bool is_control = first < 0x20 || first == 0x7f || (first == 0xc2 && byte(at + 1) < 0xa0);
    if (is_control || (first >= 0x80 && first < 0xc2) || first > 0xf4) return false;

    for (std::size_t i = 1; i < length; ++i) {
      if ((byte(at + i) & 0xc0) != 0x80) return false;
    }
    at += length;
  }
  return true;
}

void check_readable(const place& w, const vqcache::result& r, const std::string& title) {
  CAPTURE(title);
  const std::string what = r.error.what();
  CHECK_MESSAGE(is_readable(what), what);
  for (const std::string& line : w.said)
    CHECK_MESSAGE(is_readable(line), line);
}

TEST_CASE("nothing that people read holds control bytes or what is no UTF-8") {
  const std::string odd = "a\x1b[31m\n\xff\xc2\x9b\x7f";
  place w;
  w.local = w.root.at / (odd + "local");
  w.cache = w.root.at / (odd + "cache");
  const auto check = [&](const std::string& title, bool is_good, const vqcache::result& r) {
    CHECK_MESSAGE(r.ok() == is_good, title, ": ", why(r));
    check_readable(w, r, title);
  };

  check("cold", true, w.call("m"));
  write(w.in_cache("m", "m.ckpt"), "damaged");
  w.wipe_local();
  check("a damaged copy", true, w.call("m"));
  CHECK(w.heard("a?[31m??"));  // the directory is named
  w.wipe_cache();
  write(w.cache, "a file in its place");
  check("no cache", true, w.call("m"));
  CHECK(w.heard("a?[31m??"));

  vqcache::options o = w.options();
  check("unknown", false, w.call_by_name(odd));
  check("a name", false, w.call(odd));
  check("another name", false, w.call_by_name("nobody"));
  check("a path", false, w.call("n", config_url, "/nowhere/" + odd));
  check("an address", false, w.call("n", config_url, "http://h\xff/" + odd));
  check("an address that fails", false, w.call("n", config_url, "http://h/\xff\xfe"));
  check("a pin", false, w.call("n", config_url, checkpoint_url + "#sha256=\xff\x1b"));
  check("a header", false, w.call("n", config_url, source({checkpoint_url}, "", {odd})));
  o.fetch = nullptr;
  o.transport = odd;
  check("a transport", false, w.call_with(o, "n"));
  o = w.options();
  o.local_dir = "~" + odd;
  check("a directory", false, w.call_with(o, "n"));
  o.local_dir = w.local / odd;
  o.create_dirs = false;
  check("a missing directory", false, w.call_with(o, "n"));
  o = w.options();
  o.fetch = [&](const vqcache::request&, vqcache::response&) {
    throw std::runtime_error(odd);
  };
  check("an exception", false, w.call_with(o, "n"));

  std::vector<std::string> said;
  const environment here("KAGGLE_KERNEL_RUN_TYPE", "Interactive");
  o = w.options();
  o.on_message = [&](const std::string& line) {
    said.push_back(line);
  };
  (void)vqcache::notebook_options(o);
  REQUIRE(said.size() == 1);
  CHECK(is_readable(said[0]));
}

TEST_CASE("an address that was written wrongly is answered with what is wrong in it") {
  const struct {
    const char* given;
    errc code;
    const char* said;
  } rows[] = {
      {"www.host.org/k.ckpt", errc::io, "if it is an address, write https:// before it"},
      {"https:/host.org/k.ckpt", errc::invalid_argument, "did you mean http:// or https://?"},
      {"\"http://origin.test/k\"", errc::invalid_argument, "begins with a quote"},
      {" http://origin.test/k", errc::invalid_argument, "begins with white space"},
      {"http://origin.test/k\n", errc::invalid_argument, "ends with the end of a line"},
      {"http://origin.test/a k", errc::invalid_argument, "must be percent-encoded"},
      {"$HOME/k.ckpt", errc::io, "names a variable"},
      {"~ann/k.ckpt", errc::io, "begins with ~ and a user's name"},
      {"https://github.com/o/r/blob/main/k.ckpt", errc::http_status,
          "itself is at https://github.com/o/r/raw/main/k.ckpt"},
      {"https://drive.google.com/file/d/abcDEF/view", errc::http_status,
          "https://drive.usercontent.google.com/download?export=download"},
      {"https://www.dropbox.com/s/x/k.ckpt?dl=0", errc::http_status, "the same with dl=1"},
  };

  place w;
  vqcache::options o = w.options();
  for (const auto& row : rows) {
    CAPTURE(row.given);
    const vqcache::result r = w.call_with(o, "m", config_url, row.given);
    CHECK_MESSAGE(r.error.code() == row.code, why(r));
    CHECK_MESSAGE(has(why(r), row.said), why(r));
  }
}

// ---- places that are not there

TEST_CASE("a local directory behind a link that leads nowhere: which link, whither, what to do") {
  for (const std::string below : {"", "deep/models"}) {
    for (const bool may_create : {true, false}) {
      CAPTURE(below);
      CAPTURE(may_create);
      place w;
      const fs::path link = w.root.at / "disk", gone = w.root.at / "not-mounted";
      fs::create_directory_symlink(gone, link);
      w.local = below.empty() ? link : link / below;
      vqcache::options o = w.options();
      o.create_dirs = may_create;
      fs::create_directories(w.cache);
      const vqcache::result r = w.call_with(o, "m");
      CHECK(r.error.code() == (may_create ? errc::io : errc::directory_missing));
      const std::string said = "'" + link.string() + "' is a link to '" + gone.string()
          + "', which is not there; mount or create that, or remove the link";
      CHECK_MESSAGE(has(why(r), said), why(r));
      CHECK_MESSAGE(has(why(r), w.local.string()), why(r));
      CHECK_FALSE(has(why(r), "create_dirs"));
      CHECK_FALSE(fs::exists(gone));  // it may be a disk that is not mounted

      fs::create_directory(gone);
      CHECK_MESSAGE(w.call("m").ok(), "what it says helps");
    }
  }
}

#ifdef __linux__
TEST_CASE("where the file system takes no directories, that is said, and what to do") {
  if (lacks(part::proc)) return;
  for (const char* const at : {"/proc/x", "/proc/x/deep"}) {
    CAPTURE(at);
    place w;
    w.local = at;
    const vqcache::result r = w.call("m");
    CHECK(r.error.code() == errc::io);
    CHECK_MESSAGE(has(why(r), "the file system there takes no directories; choose a"), why(r));
    CHECK_MESSAGE(has(why(r), at), why(r));
  }
}
#endif

TEST_CASE("a cache behind a link that leads nowhere is told, and fails no call") {
  for (const std::string below : {"", "deep/cache"}) {
    CAPTURE(below);
    place w;
    const fs::path link = w.root.at / "drive", gone = w.root.at / "not-mounted";
    fs::create_directory_symlink(gone, link);
    w.cache = below.empty() ? link : link / below;
    const vqcache::result cold = w.call("m");
    CHECK_MESSAGE(cold.ok(), why(cold));
    CHECK_FALSE(cold.model.cached);
    CHECK(w.local_is("m"));
    CHECK(w.heard("not in the cache"));
    CHECK(w.heard(
        "'" + link.string() + "' is a link to '" + gone.string() + "', which is not there"));
    CHECK_FALSE(fs::exists(gone));

    const vqcache::result hit = w.call("m");
    CHECK(hit.ok());
    CHECK_FALSE(hit.model.cached);
    CHECK(w.heard("mount or create that"));

    fs::create_directory(gone);
    CHECK(w.call("m").model.cached);
    CHECK_FALSE(vqcache::try_remove("m", w.options()).code());
  }
}

TEST_CASE("without a working directory a relative place is said to be relative") {
  place w;
  write(w.root.at / "k.ckpt", checkpoint());
  const auto in_removed = [&w](const std::function<std::string()>& f) {
    return in_child([&]() -> std::string {
      const fs::path here = w.root.at / "removed";
      fs::create_directory(here);
      fs::current_path(here);
      fs::remove(here);
      return f();
    });
  };
  const std::string relative =
      "it is relative, and the working directory is not there any more; "
      "cd to another one, or give an absolute path";

  for (const bool by_default : {true, false}) {
    CAPTURE(by_default);
    const std::string said = in_removed([&] {
      w.local = by_default ? "" : "fast/models";
      return why(w.call("m"));
    });
    CHECK_MESSAGE(has(said, relative), said);
    CHECK_MESSAGE(has(said, by_default ? "'content/models'" : "'fast/models'"), said);
    CHECK_FALSE(has(said, "home"));
  }

  INFO("a cache is told, and fails no call");
  const std::string cached = in_removed([&] {
    w.cache = "kept";
    const vqcache::result r = w.call("m");
    return (r.ok() ? "" : why(r)) + (r.model.cached ? "cached " : "") + w.all_said();
  });
  CHECK_MESSAGE(has(cached, "not in the cache: cannot use 'kept/m': " + relative), cached);
  CHECK(w.local_is("m"));

  INFO("nor does it fail a hit, a restore by name, or a removal of what is not there");
  CHECK(in_removed([&]() -> std::string {
    w.cache = "kept";
    const vqcache::result r = w.call_by_name("m");
    return r.ok() ? "" : why(r);
  }) == "");

  INFO("a source");
  const std::string source = in_removed([&] { return why(w.call("n", config_url, "k.ckpt")); });
  CHECK_MESSAGE(has(source, "from 'k.ckpt': " + relative), source);
}

TEST_CASE("a source behind a link that leads nowhere: which link, and whither") {
  place w;
  const fs::path link = w.root.at / "disk", gone = w.root.at / "not-mounted";
  fs::create_directory_symlink(gone, link);
  const vqcache::result r = w.call("m", config_url, (link / "k.ckpt").string());
  const std::string said = "'" + link.string() + "' is a link to '" + gone.string() + "', which is";
  CHECK_MESSAGE(has(why(r), said), why(r));
}

TEST_CASE("a source at ~ says so where there is no home") {
  place w;
  const environment home("HOME", nullptr);
  const vqcache::result r = w.call("m", config_url, "~/k.ckpt");
  CHECK_MESSAGE(has(why(r), "from '~/k.ckpt': there is no home directory"), why(r));
}

TEST_SUITE_END();
