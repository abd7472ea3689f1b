// slowfs.cpp: a directory seen through FUSE whose writes are slow, as a mounted cloud drive's are.
//   slowfs DIR BYTES_PER_SECOND MOUNTPOINT      (in the foreground, until it is unmounted)
// All writers share the rate. Reads and names are as fast as DIR's. No links, no fallocate.
#define FUSE_USE_VERSION 31
#include <fuse.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>

namespace {

using fuse_clock = std::chrono::steady_clock;
std::string root;
double rate = 0;
std::mutex gate;
fuse_clock::time_point next_free;

void pay_for(std::size_t bytes) {
  fuse_clock::time_point until;
  {
    const std::lock_guard<std::mutex> held(gate);
    const fuse_clock::time_point now = fuse_clock::now();
    if (next_free < now) next_free = now;
    next_free += std::chrono::duration_cast<fuse_clock::duration>(
        std::chrono::duration<double>(static_cast<double>(bytes) / rate));
    until = next_free;
  }
  std::this_thread::sleep_until(until);
}

std::string below(const char* path) {
  return root + path;
}

int answer(long result) {
  return result < 0 ? -errno : static_cast<int>(result);
}

int handle(const fuse_file_info* info) {
  return static_cast<int>(info->fh);
}

int do_getattr(const char* path, struct stat* s, fuse_file_info* info) {
  return answer(info ? fstat(handle(info), s) : lstat(below(path).c_str(), s));
}

int do_mkdir(const char* path, mode_t mode) {
  return answer(mkdir(below(path).c_str(), mode));
}

int do_unlink(const char* path) {
  return answer(unlink(below(path).c_str()));
}

int do_rmdir(const char* path) {
  return answer(rmdir(below(path).c_str()));
}

int do_rename(const char* from, const char* to, unsigned flags) {
  return flags ? -EINVAL : answer(rename(below(from).c_str(), below(to).c_str()));
}

int do_chmod(const char* path, mode_t mode, fuse_file_info*) {
  return answer(chmod(below(path).c_str(), mode));
}

int do_truncate(const char* path, off_t size, fuse_file_info* info) {
  return answer(info ? ftruncate(handle(info), size) : truncate(below(path).c_str(), size));
}

int do_utimens(const char* path, const timespec times[2], fuse_file_info*) {
  return answer(utimensat(AT_FDCWD, below(path).c_str(), times, AT_SYMLINK_NOFOLLOW));
}

int opened(int fd, fuse_file_info* info) {
  if (fd < 0) return -errno;
  info->fh = static_cast<std::uint64_t>(fd);
  return 0;
}

int do_open(const char* path, fuse_file_info* info) {
  return opened(open(below(path).c_str(), info->flags | O_CLOEXEC), info);
}

int do_create(const char* path, mode_t mode, fuse_file_info* info) {
  return opened(open(below(path).c_str(), info->flags | O_CREAT | O_CLOEXEC, mode), info);
}

int do_read(const char*, char* to, std::size_t size, off_t at, fuse_file_info* info) {
  return answer(pread(handle(info), to, size, at));
}

int do_write(const char*, const char* from, std::size_t size, off_t at, fuse_file_info* info) {
  pay_for(size);
  return answer(pwrite(handle(info), from, size, at));
}

int do_fsync(const char*, int data_only, fuse_file_info* info) {
  return answer(data_only ? fdatasync(handle(info)) : fsync(handle(info)));
}

int do_release(const char*, fuse_file_info* info) {
  return answer(close(handle(info)));
}

int do_statfs(const char* path, struct statvfs* s) {
  return answer(statvfs(below(path).c_str(), s));
}

int do_readdir(const char* path, void* buffer, fuse_fill_dir_t fill, off_t, fuse_file_info*,
    fuse_readdir_flags) {
  DIR* const d = opendir(below(path).c_str());
  if (!d) return -errno;
  while (const dirent* const e = readdir(d))
    fill(buffer, e->d_name, nullptr, 0, static_cast<fuse_fill_dir_flags>(0));
  return answer(closedir(d));
}

int do_fsyncdir(const char*, int, fuse_file_info*) {
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4 || (rate = std::atof(argv[2])) <= 0)
    return std::fputs("slowfs DIR BYTES_PER_SECOND MOUNTPOINT\n", stderr), 2;
  root = argv[1];
  fuse_operations ops{};
  ops.getattr = do_getattr, ops.mkdir = do_mkdir, ops.unlink = do_unlink, ops.rmdir = do_rmdir;
  ops.rename = do_rename, ops.chmod = do_chmod, ops.truncate = do_truncate;
  ops.utimens = do_utimens, ops.open = do_open, ops.create = do_create, ops.read = do_read;
  ops.write = do_write, ops.fsync = do_fsync, ops.release = do_release, ops.statfs = do_statfs;
  ops.readdir = do_readdir, ops.fsyncdir = do_fsyncdir;
  char foreground[] = "-f";
  char* arguments[] = {argv[0], foreground, argv[3], nullptr};
  return fuse_main(3, arguments, &ops, nullptr);
}
