/* A machine that has a bad moment: of the calls that VQT_FAULT names ("open 24 3": the third open
   fails with errno 24), one on a file below VQT_WHERE fails, once, and says so in VQT_WHERE/fired.
   call/passing_faults.cpp builds this and loads it with LD_PRELOAD. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int seen = 0;
static char ours[1024]; /* descriptors of files below VQT_WHERE */

static int next_open(const char* path, int flags, int mode) {
  static int (*next)(const char*, int, ...) = 0;
  if (!next) next = (int (*)(const char*, int, ...))dlsym(RTLD_NEXT, "open64");
  return next(path, flags, mode);
}

static int below(const char* path) {
  const char* const where = getenv("VQT_WHERE");
  return where && strncmp(path, where, strlen(where)) == 0
      && (strstr(path, "/local") || strstr(path, "/cache"));
}

static int fails(const char* call) {
  char name[16], text[1100];
  int error = 0, which = 0;
  const char* const rule = getenv("VQT_FAULT");
  if (!rule || sscanf(rule, "%15s %d %d", name, &error, &which) != 3) return 0;
  if (strcmp(name, call) != 0 || __sync_add_and_fetch(&seen, 1) != which) return 0;
  snprintf(text, sizeof text, "%s/fired", getenv("VQT_WHERE"));
  const int fd = next_open(text, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd >= 0) close(fd);
  errno = error;
  return 1;
}

int open64(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const int mode = flags & O_CREAT ? va_arg(more, int) : 0;
  va_end(more);
  const int counts = below(path);
  if (counts && fails("open")) return -1;
  const int fd = next_open(path, flags, mode);
  if (fd >= 0 && fd < (int)sizeof ours) ours[fd] = (char)counts;
  return fd;
}

/* as std::filesystem opens a directory, in one way or the other */
DIR* opendir(const char* path) {
  static DIR* (*next)(const char*) = 0;
  if (!next) next = (DIR * (*)(const char*)) dlsym(RTLD_NEXT, "opendir");
  return below(path) && fails("opendir") ? 0 : next(path);
}

static int next_openat(const char* name, int at, const char* path, int flags, int mode) {
  int (*const next)(int, const char*, int, ...) =
      (int (*)(int, const char*, int, ...))dlsym(RTLD_NEXT, name);
  return below(path) && fails("opendir") ? -1 : next(at, path, flags, mode);
}

int openat(int at, const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const int mode = flags & O_CREAT ? va_arg(more, int) : 0;
  va_end(more);
  return next_openat("openat", at, path, flags, mode);
}

int openat64(int at, const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const int mode = flags & O_CREAT ? va_arg(more, int) : 0;
  va_end(more);
  return next_openat("openat64", at, path, flags, mode);
}

int rename(const char* from, const char* to) {
  static int (*next)(const char*, const char*) = 0;
  if (!next) next = (int (*)(const char*, const char*))dlsym(RTLD_NEXT, "rename");
  return below(from) && fails("rename") ? -1 : next(from, to);
}

ssize_t pwrite64(int fd, const void* from, size_t n, off64_t at) {
  static ssize_t (*next)(int, const void*, size_t, off64_t) = 0;
  if (!next) next = (ssize_t(*)(int, const void*, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
  const int counts = fd >= 0 && fd < (int)sizeof ours && ours[fd];
  return counts && fails("write") ? -1 : next(fd, from, n, at);
}
