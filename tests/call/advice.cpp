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
    return r.error.code() == errc::no_space ? "" : why(r);
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

TEST_SUITE_END();
