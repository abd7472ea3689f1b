// drivefs.cpp: a directory, the cloud, seen through FUSE as a mounted cloud drive shows it.
//   drivefs CLOUD MOUNTPOINT [RULE=VALUE]...      (in the foreground, until it is unmounted)
// There are no locks, no links, no modes and no times; O_EXCL means nothing, fsync uploads nothing,
// a directory cannot be synced. A mount is a session, and further rules may hold in it:
//   change=ERROR    everything that would change the drive fails; ERROR is a name: EIO
//   close=ERROR     so does closing what was written to, of which only the first half arrives
//   fsync=ERROR     the same of fsync
//   quota=BYTES     writing fails with EDQUOT after so many bytes
//   bad=OFFSET      writing there fails with EIO
//   space=none      nothing is free
//   unlink=ERROR    a file stays
//   rename=ERROR    a file keeps its name, or with EEXIST does so where the new name is taken
//   rename=copy     is one, under the new name from its first byte on
//   rename=done     is done, but EIO is told
//   open=ERROR      opening for reading fails: the name is listed, its content elsewhere
//   read=ERROR      reading fails
//   flip=OFFSET     the byte there is read wrong
//   size=none       what was written in this session is shown as empty
//   delay=MS        each look at a name takes so long
//   dies=N          the daemon is killed after N operations: ENOTCONN from then on
//   upload=FATE     what the next session finds of each file written in this one: lost: nothing;
//                   empty: no byte; half: its first half; late: no byte, and all of them when that
//                   session ends; twin: "NAME (1).EXT" in its place
//   case=ignore     names that differ in case only are one name; the first one given is listed
//   of=BYTES        that is the fate of files of at least so many only
#define FUSE_USE_VERSION 31
#include <fuse.h>

#include <dirent.h>
#include <fcntl.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <utility>

namespace {

namespace fs = std::filesystem;

fs::path cloud;
std::map<std::string, std::string> rules;
std::set<std::string> fresh;  // what this session has written
long operations = 0, written = 0;

long number(const char* rule, long otherwise) {
  const auto found = rules.find(rule);
  return found == rules.end() ? otherwise : std::atol(found->second.c_str());
}

bool is(const char* rule, const char* value) {
  const auto found = rules.find(rule);
  return found != rules.end() && found->second == value;
}

int error_of(const char* rule) {  // as FUSE wants it: below 0; 0: none
  const auto found = rules.find(rule);
  for (int e = 1; found != rules.end() && e < 134; ++e)
    if (const char* const name = strerrorname_np(e); name && found->second == name) return -e;
  return 0;
}

bool is_one_name(const std::string& a, const std::string& b) {
  return a.size() == b.size() && strcasecmp(a.c_str(), b.c_str()) == 0;
}

fs::path below(const char* path) {
  if (!is("case", "ignore")) return cloud / (path + 1);
  fs::path at = cloud;
  for (const fs::path& wanted : fs::path(path + 1)) {
    fs::path found = at / wanted;
    std::error_code e;
    if (!fs::exists(fs::symlink_status(found)))
      for (const auto& i : fs::directory_iterator(at, e))
        if (is_one_name(i.path().filename(), wanted)) found = i.path();
    at = found;
  }
  return at;
}

int answer(long result) {
  return result < 0 ? -errno : static_cast<int>(result);
}

struct open_file {
  int fd;
  bool written;
};

open_file& opened(const fuse_file_info* info) {
  return *reinterpret_cast<open_file*>(info->fh);
}

// ---- operations

int do_getattr(const char* path, struct stat* s, fuse_file_info* info) {
  std::this_thread::sleep_for(std::chrono::milliseconds(number("delay", 0)));
  const int e = answer(info ? fstat(opened(info).fd, s) : lstat(below(path).c_str(), s));
  if (e == 0 && is("size", "none") && fresh.count(path)) s->st_size = 0;
  return e;
}

int do_mkdir(const char* path, mode_t mode) {
  const int e = error_of("change");
  return e ? e : answer(mkdir(below(path).c_str(), mode));
}

int do_rmdir(const char* path) {
  const int e = error_of("change");
  return e ? e : answer(rmdir(below(path).c_str()));
}

int do_unlink(const char* path) {
  for (const char* const rule : {"change", "unlink"})
    if (const int e = error_of(rule)) return e;
  fresh.erase(path);
  return answer(unlink(below(path).c_str()));
}

int do_rename(const char* from, const char* to, unsigned flags) {
  const fs::path source = below(from), target = below(to);
  if (flags) return -EINVAL;
  if (const int e = error_of("change")) return e;
  if (const int e = error_of("rename"); e && (e != -EEXIST || fs::exists(target))) return e;
  std::error_code e;
  if (is("rename", "copy") && fs::is_regular_file(source, e)) {
    fs::copy_file(source, target, fs::copy_options::overwrite_existing, e);
    if (!e) fs::remove(source, e);
  } else {
    fs::rename(source, target, e);
  }
  if (e) return -e.value();
  if (fresh.erase(from)) fresh.insert(to);
  return is("rename", "done") ? -EIO : 0;
}

int do_chmod(const char*, mode_t, fuse_file_info*) {
  return -EPERM;
}

int do_utimens(const char*, const timespec*, fuse_file_info*) {
  return -EPERM;
}

int do_link(const char*, const char*) {
  return -EPERM;
}

int do_symlink(const char*, const char*) {
  return -EPERM;
}

int do_flock(const char*, fuse_file_info*, int) {
  return -ENOTSUP;
}

int do_lock(const char*, fuse_file_info*, int, struct flock*) {
  return -ENOLCK;
}

int do_truncate(const char* path, off_t size, fuse_file_info* info) {
  if (const int e = error_of("change")) return e;
  return answer(info ? ftruncate(opened(info).fd, size) : truncate(below(path).c_str(), size));
}

int open_as(const char* path, int flags, mode_t mode, fuse_file_info* info) {
  const bool changes = (flags & O_ACCMODE) != O_RDONLY;
  if (const int e = error_of(changes ? "change" : "open")) return e;
  const int fd = open(below(path).c_str(), (flags & ~O_EXCL) | O_CLOEXEC, mode);
  if (fd < 0) return -errno;
  info->fh = reinterpret_cast<std::uint64_t>(new open_file{fd, false});
  if (changes) fresh.insert(path);
  return 0;
}

int do_open(const char* path, fuse_file_info* info) {
  return open_as(path, info->flags, 0, info);
}

int do_create(const char* path, mode_t mode, fuse_file_info* info) {
  return open_as(path, info->flags | O_CREAT, mode, info);
}

int do_read(const char*, char* to, std::size_t size, off_t at, fuse_file_info* info) {
  if (const int e = error_of("read")) return e;
  const ssize_t got = pread(opened(info).fd, to, size, at);
  const long flip = number("flip", -1);
  if (flip >= at && flip < at + got) to[flip - at] ^= 1;
  return answer(got);
}

int do_write(const char*, const char* from, std::size_t size, off_t at, fuse_file_info* info) {
  opened(info).written = true;
  const long bytes = static_cast<long>(size), quota = number("quota", -1), bad = number("bad", -1);
  if ((written += bytes) > quota && quota >= 0) return -EDQUOT;
  if (bad >= at && bad < at + bytes) return -EIO;
  return answer(pwrite(opened(info).fd, from, size, at));
}

int upload(const char* rule, fuse_file_info* info) {  // if the rule says so, it fails half-way
  const int e = error_of(rule);
  open_file& file = opened(info);
  struct stat s;
  if (!e || !std::exchange(file.written, false)) return 0;
  return fstat(file.fd, &s) == 0 && ftruncate(file.fd, s.st_size / 2) == 0 ? e : -errno;
}

int do_fsync(const char*, int, fuse_file_info* info) {
  return upload("fsync", info);
}

int do_flush(const char*, fuse_file_info* info) {
  return upload("close", info);
}

int do_release(const char*, fuse_file_info* info) {
  const int e = answer(close(opened(info).fd));
  delete &opened(info);
  return e;
}

int do_statfs(const char* path, struct statvfs* s) {
  const int e = answer(statvfs(below(path).c_str(), s));
  if (is("space", "none")) s->f_bavail = s->f_bfree = 0;
  return e;
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
  return -EINVAL;
}

// every operation is one of those that the daemon has left to live
template <auto Do, class... A>
int counted(A... a) {
  if (operations++ == number("dies", -1)) raise(SIGKILL);
  return Do(a...);
}

// ---- the end of a session: the upload that nobody waits for

fs::path twin(const fs::path& p) {
  return p.parent_path() / (p.stem().string() + " (1)" + p.extension().string());
}

fs::path waiting_for_upload() {
  return fs::path(cloud) += ".late";
}

void deliver() {  // what an earlier session wrote; a name that is in use again gets a twin
  std::error_code e;
  for (fs::recursive_directory_iterator i(waiting_for_upload(), e), end; !e && i != end; ++i) {
    const fs::path to = cloud / i->path().lexically_relative(waiting_for_upload());
    if (!i->is_regular_file() || !fs::exists(to.parent_path())) continue;
    fs::copy_file(i->path(), fs::exists(to) && fs::file_size(to) > 0 ? twin(to) : to,
        fs::copy_options::overwrite_existing);
  }
  fs::remove_all(waiting_for_upload());
}

void meets_its_fate(const std::string& path) {
  const fs::path file = below(path.c_str());
  if (!fs::exists(file) || fs::file_size(file) < static_cast<std::uintmax_t>(number("of", 0)))
    return;
  if (is("upload", "late")) {
    const fs::path copy = waiting_for_upload() / (path.c_str() + 1);
    fs::create_directories(copy.parent_path());
    fs::copy_file(file, copy);
  }
  if (is("upload", "lost")) fs::remove(file);
  if (is("upload", "twin")) fs::rename(file, twin(file));
  if (is("upload", "half")) fs::resize_file(file, fs::file_size(file) / 2);
  if (is("upload", "empty") || is("upload", "late")) fs::resize_file(file, 0);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return std::fputs("drivefs CLOUD MOUNTPOINT [RULE=VALUE]...\n", stderr), 2;
  cloud = argv[1];
  for (int i = 3; i < argc; ++i) {
    const std::string rule = argv[i];
    rules[rule.substr(0, rule.find('='))] = rule.substr(rule.find('=') + 1);
  }
  fuse_operations ops{};
  ops.getattr = counted<do_getattr>, ops.mkdir = counted<do_mkdir>, ops.rmdir = counted<do_rmdir>;
  ops.unlink = counted<do_unlink>, ops.rename = counted<do_rename>, ops.chmod = counted<do_chmod>;
  ops.utimens = counted<do_utimens>, ops.link = counted<do_link>, ops.symlink = counted<do_symlink>;
  ops.flock = counted<do_flock>, ops.lock = counted<do_lock>, ops.truncate = counted<do_truncate>;
  ops.open = counted<do_open>, ops.create = counted<do_create>, ops.read = counted<do_read>;
  ops.write = counted<do_write>, ops.fsync = counted<do_fsync>, ops.flush = counted<do_flush>;
  ops.release = counted<do_release>, ops.statfs = counted<do_statfs>;
  ops.readdir = counted<do_readdir>, ops.fsyncdir = counted<do_fsyncdir>;
  char foreground[] = "-f", one_thread[] = "-s";
  // the kernel knows nothing of two spellings of one name, and may remember neither
  char option[] = "-o", nothing[] = "entry_timeout=0,negative_timeout=0,attr_timeout=0";
  char* arguments[] = {argv[0], foreground, one_thread, argv[2], option, nothing, nullptr};
  const int status = fuse_main(is("case", "ignore") ? 6 : 4, arguments, &ops, nullptr);
  deliver();
  for (const std::string& path : fresh)
    meets_its_fate(path);
  return status;
}
