/* A kernel whose copy lies: copy_file_range says yes, and a page of what it wrote is zeros, as two
   file systems did. With VQT_LYING_READER=N the N-th descriptor that reads an unfinished local
   checkpoint gets one byte wrong. call/copied.cpp builds this and loads it with LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static int readers = 0, lying = -1;

ssize_t copy_file_range(int from, off_t* in, int to, off_t* out, size_t n, unsigned flags) {
  static const char zeros[4096];
  const off_t at = out ? *out : 0;
  const ssize_t k = syscall(SYS_copy_file_range, from, in, to, out, n, flags);
  if (k > 8192 && pwrite(to, zeros, sizeof zeros, at + 4096) < 0) return -1;
  return k;
}

int open64(const char* path, int flags, ...) {
  static int (*next)(const char*, int, ...) = 0;
  va_list more;
  va_start(more, flags);
  const int mode = flags & O_CREAT ? va_arg(more, int) : 0;
  va_end(more);
  if (!next) next = (int (*)(const char*, int, ...))dlsym(RTLD_NEXT, "open64");
  const int fd = next(path, flags, mode);
  const char* const which = getenv("VQT_LYING_READER");
  const int reads = (flags & O_ACCMODE) == O_RDONLY && strstr(path, "/local/.m.ckpt.") != 0;
  if (fd >= 0 && fd == lying) lying = -1;
  if (which && fd >= 0 && reads && __sync_add_and_fetch(&readers, 1) == atoi(which)) lying = fd;
  return fd;
}

ssize_t pread64(int fd, void* to, size_t n, off64_t at) {
  static ssize_t (*next)(int, void*, size_t, off64_t) = 0;
  if (!next) next = (ssize_t(*)(int, void*, size_t, off64_t))dlsym(RTLD_NEXT, "pread64");
  const ssize_t got = next(fd, to, n, at);
  const off64_t wrong = 2000000;
  if (fd == lying && got > 0 && at <= wrong && wrong < at + got) ((char*)to)[wrong - at] ^= 1;
  return got;
}
