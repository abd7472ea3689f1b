// faultrun: run a command, stop at the Nth matching system call (counted over ALL its threads and
// children) and inject a fault there. x86_64 Linux, C++17, no dependencies: seccomp (RET_TRACE)
// and ptrace, so only the calls of interest are slowed down.
//
//   faultrun [--calls a,b] [--under DIR]... [--path GLOB] [--sockets] [--process] [--no-sleep]
//            [--trace FILE] [--report FILE] [--at N [--sticky] --act ACT] -- command args...
//
//   --calls a,b   only these calls (default: every call of the table below)
//   --under DIR   calls on paths or descriptors below DIR; may be given more than once
//   --sockets     calls on sockets too, and those that make them
//   --process     calls that make, feed and await a process or a thread too; calls on pipes too
//   --path GLOB   of all these, only the calls one of whose paths matches (fnmatch; a descriptor's
//                 path is what /proc says, such as "socket:[123]")
//   --no-sleep    nanosleep and clock_nanosleep return at once: back-off costs no time
//   --trace FILE  every counted call: number, name, paths, the six arguments, the flags of the
//                 descriptor (octal, as in fdinfo) or of the open call; fields are split by tabs
//   --report FILE every call that was tampered with, in the same form
//   --act         error:EIO   skip the call, it fails with that errno (a close is done all the
//                             same, as Linux does it: only its result is replaced)
//                 ret:V       skip the call, it returns V
//                 short:K     shrink the length to K: a TRUE short read or write
//                 kill        SIGKILL to everything before the call; kill-after: after it
//                 kill-main   SIGKILL to the command alone, before the call; its children live on
//                 kill-child  SIGKILL to the process that makes the call, if it is not the command
//                 delay:MS    wait before the call
//   --sticky      from the Nth call on
// Exit status: that of the command; 128+sig when a signal ended it; 125 when faultrun cannot work.
// Not seen: io_uring, stores through a shared mapping, programs of another architecture.
#include <fcntl.h>
#include <fnmatch.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <vector>

#ifndef __x86_64__
#error "faultrun knows the registers of x86_64 only"
#endif

using std::string;

// ---- which calls, and where their arguments are ------------------------------------------------

enum class kind { file, net, process, wait };  // wait: net or process, whichever is asked for

struct call {
  const char* name;
  int nr;
  kind what;
  int fd;                        // index of the descriptor argument, -1 = none
  int dfd1, path1, dfd2, path2;  // directory descriptors and paths; a dfd of -2 means AT_FDCWD
  int len;                       // the length argument that `short:` shrinks, -1 = none
};

#define ON_FD(name) {#name, SYS_##name, kind::file, 0, -1, -1, -1, -1, -1}
#define ON_FD_LEN(name, len) {#name, SYS_##name, kind::file, 0, -1, -1, -1, -1, len}
#define ON_PATH(name) {#name, SYS_##name, kind::file, -1, -2, 0, -1, -1, -1}
#define ON_PATH_AT(name) {#name, SYS_##name, kind::file, -1, 0, 1, -1, -1, -1}
#define ON_TWO(name) {#name, SYS_##name, kind::file, -1, -2, 0, -2, 1, -1}
#define ON_TWO_AT(name) {#name, SYS_##name, kind::file, -1, 0, 1, 2, 3, -1}
#define ON(what, name) {#name, SYS_##name, kind::what, -1, -1, -1, -1, -1, -1}

// clang-format off
static const call table[] = {
    ON_PATH(open), ON_PATH_AT(openat), ON_PATH_AT(openat2), ON_PATH(creat),
    ON_FD_LEN(read, 2), ON_FD_LEN(pread64, 2), ON_FD(readv), ON_FD(preadv),
    ON_FD_LEN(write, 2), ON_FD_LEN(pwrite64, 2), ON_FD(writev), ON_FD(pwritev),
    ON_FD(fsync), ON_FD(fdatasync), ON_FD(syncfs), ON_FD(sync_file_range), ON_FD(close),
    ON_FD(ftruncate), ON_FD(fallocate), ON_FD(fadvise64), ON_FD(lseek), ON_FD(flock), ON_FD(fcntl),
    ON_FD(fchmod), ON_FD(fstat), ON_FD(fstatfs), ON_FD(getdents64), ON_FD(ioctl), ON_FD(futimesat),
    {"mmap", SYS_mmap, kind::file, 4, -1, -1, -1, -1, -1},
    {"copy_file_range", SYS_copy_file_range, kind::file, 2, -1, -1, -1, -1, 4},
    {"splice", SYS_splice, kind::file, 2, -1, -1, -1, -1, 4},
    ON_FD_LEN(sendfile, 3),
    ON_TWO(rename), ON_TWO_AT(renameat), ON_TWO_AT(renameat2), ON_TWO(link), ON_TWO_AT(linkat),
    {"symlink", SYS_symlink, kind::file, -1, -1, -1, -2, 1, -1},
    {"symlinkat", SYS_symlinkat, kind::file, -1, -1, -1, 1, 2, -1},
    ON_PATH(unlink), ON_PATH_AT(unlinkat), ON_PATH(rmdir), ON_PATH(mkdir), ON_PATH_AT(mkdirat),
    ON_PATH(chmod), ON_PATH_AT(fchmodat), ON_PATH(truncate), ON_PATH_AT(utimensat),
    ON_PATH(stat), ON_PATH(lstat), ON_PATH_AT(newfstatat), ON_PATH_AT(statx), ON_PATH(access),
    ON_PATH_AT(faccessat), ON_PATH_AT(faccessat2), ON_PATH(statfs), ON_PATH(readlink),
    ON_PATH_AT(readlinkat),
    ON(net, socket), ON(net, socketpair), ON_FD(connect), ON_FD(getsockopt), ON_FD(setsockopt),
    ON_FD_LEN(recvfrom, 2), ON_FD(recvmsg), ON_FD_LEN(sendto, 2), ON_FD(sendmsg), ON_FD(shutdown),
    ON(wait, poll), ON(wait, ppoll), ON(wait, select), ON(wait, pselect6), ON(wait, epoll_wait),
    ON(process, pipe), ON(process, pipe2), ON(process, dup), ON(process, dup2), ON(process, dup3),
    ON(process, fork), ON(process, vfork), ON(process, clone), ON(process, clone3),
    ON(process, execve), ON(process, wait4), ON(process, waitid), ON(process, kill),
    ON(process, eventfd2), ON(process, getrandom),
};
// clang-format on

static const std::map<string, int> errnos = {
#define E(x) {#x, x}
    E(EIO), E(ENOSPC), E(EDQUOT), E(EFBIG), E(EACCES), E(EPERM), E(EROFS), E(EMFILE), E(ENFILE),
    E(EINTR), E(EAGAIN), E(ENOENT), E(EEXIST), E(EXDEV), E(ENOSYS), E(EOPNOTSUPP), E(EINVAL),
    E(ENOLCK), E(ESTALE), E(EBUSY), E(ETXTBSY), E(ENOMEM), E(ENOTCONN), E(ECONNRESET), E(ENODEV),
    E(ECONNREFUSED), E(ETIMEDOUT), E(EPIPE), E(ENETUNREACH), E(EHOSTUNREACH), E(EMLINK), E(ELOOP),
    E(ENAMETOOLONG), E(ENOTEMPTY), E(EISDIR), E(EDEADLK), E(ECHILD), E(ENOTTY)
#undef E
};

// ---- settings and state ------------------------------------------------------------------------

static std::map<int, const call*> wanted;  // by call number
static std::vector<string> under;
static string act = "none", glob;
static bool sockets = false, process = false, no_sleep = false, sticky = false;
static long at = 0, seq = 0;
static FILE *trace_file = nullptr, *report_file = nullptr;
static std::set<pid_t> tracees;
static pid_t main_child = 0;

static bool starts(const string& s, const char* with) {
  return s.rfind(with, 0) == 0;
}

// ---- looking into the traced process -----------------------------------------------------------

static string read_string(pid_t p, unsigned long addr) {
  string s;
  if (!addr) return s;
  char b[64];
  while (s.size() < 4096) {
    iovec local{b, sizeof b}, remote{reinterpret_cast<void*>(addr + s.size()), sizeof b};
    ssize_t n = process_vm_readv(p, &local, 1, &remote, 1, 0);
    if (n <= 0) {  // the string may end just before an unmapped page
      remote.iov_len = 1;
      n = process_vm_readv(p, &local, 1, &remote, 1, 0);
      if (n <= 0) break;
    }
    const size_t k = strnlen(b, static_cast<size_t>(n));
    s.append(b, k);
    if (k < static_cast<size_t>(n)) break;
  }
  return s;
}

static string link_target(const string& path) {
  char b[4096];
  const ssize_t n = readlink(path.c_str(), b, sizeof b);
  return n < 0 ? string() : string(b, static_cast<size_t>(n));
}

static string fd_path(pid_t p, long fd) {
  return link_target("/proc/" + std::to_string(p) + "/fd/" + std::to_string(static_cast<int>(fd)));
}

static string absolute(pid_t p, long dfd, const string& s) {
  if (!s.empty() && s[0] == '/') return s;
  const bool cwd = static_cast<int>(dfd) == AT_FDCWD;
  const string d = cwd ? link_target("/proc/" + std::to_string(p) + "/cwd") : fd_path(p, dfd);
  return s.empty() ? d : d + "/" + s;
}

static bool below(const string& path) {
  for (auto& u : under) {
    if (path.compare(0, u.size(), u) != 0) continue;
    if (path.size() == u.size() || path[u.size()] == '/' || path[u.size()] == ' ') return true;
  }
  return under.empty() && !sockets && !process;
}

static bool watched(const string& path) {
  return below(path) || (sockets && starts(path, "socket:")) || (process && starts(path, "pipe:"));
}

static void kill_all() {
  for (auto p : tracees)
    kill(p, SIGKILL);
}

// ---- the child: install the filter, become the command -----------------------------------------

[[noreturn]] static void become(char** argv) {
  std::vector<sock_filter> f;
  auto op = [&](int code, unsigned k) {
    f.push_back(sock_filter{static_cast<unsigned short>(code), 0, 0, k});
  };
  auto when = [&](int nr, unsigned then) {
    f.push_back(sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 0, 1, static_cast<unsigned>(nr)});
    op(BPF_RET | BPF_K, then);
  };
  op(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch));
  f.push_back(sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 1, 0, AUDIT_ARCH_X86_64});
  op(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  op(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr));
  for (auto& w : wanted)
    when(w.first, SECCOMP_RET_TRACE);
  if (no_sleep) {
    when(SYS_nanosleep, SECCOMP_RET_ERRNO);  // "errno 0": the call returns 0 and does nothing
    when(SYS_clock_nanosleep, SECCOMP_RET_ERRNO);
  }
  op(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  sock_fprog prog{static_cast<unsigned short>(f.size()), f.data()};
  if (ptrace(PTRACE_TRACEME, 0, 0, 0)) {
    perror("faultrun: ptrace");
    _exit(125);
  }
  raise(SIGSTOP);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog)) {
    perror("faultrun: seccomp");
    _exit(125);
  }
  execvp(argv[0], argv);
  perror("faultrun: exec");
  _exit(127);
}

// ---- one stopped system call: does it count, and is it the one? --------------------------------

enum class step { go_on, killed, wait_for_exit, replace_result };
static std::map<pid_t, long> results;  // by thread: what the call that it is in has to return

static unsigned long flags_of(pid_t p, const call& c, const unsigned long* a) {
  if (c.nr == SYS_open) return a[1];
  if (c.nr == SYS_openat) return a[2];
  if (c.fd < 0) return 0;
  const string path =
      "/proc/" + std::to_string(p) + "/fdinfo/" + std::to_string(static_cast<int>(a[c.fd]));
  unsigned long flags = 0;
  if (FILE* f = fopen(path.c_str(), "re")) {
    if (fscanf(f, "pos: %*d flags: %lo", &flags) != 1) flags = 0;
    fclose(f);
  }
  return flags;
}

static void note(
    FILE* out, const call& c, const string& p1, const string& p2, const unsigned long* a, pid_t p) {
  if (!out) return;
  fprintf(out, "%ld\t%s\t%s\t%s\t%lx,%lx,%lx,%lx,%lx,%lx\t%lo\n", seq, c.name, p1.c_str(),
      p2.c_str(), a[0], a[1], a[2], a[3], a[4], a[5], flags_of(p, c, a));
  fflush(out);
}

static bool counts(pid_t p, const call& c, const unsigned long* a, string& p1, string& p2) {
  auto dir = [&](int index) {
    return index == -2 ? AT_FDCWD : static_cast<long>(a[index]);
  };
  if (c.nr == SYS_ioctl && a[1] != FICLONE && a[1] != FICLONERANGE) return false;
  if (c.fd >= 0) p1 = fd_path(p, static_cast<long>(a[c.fd]));
  if (c.path1 >= 0) p1 = absolute(p, dir(c.dfd1), read_string(p, a[c.path1]));
  if (c.path2 >= 0) p2 = absolute(p, dir(c.dfd2), read_string(p, a[c.path2]));
  bool match = false;
  if (c.what == kind::file) {
    match = watched(p1) || (c.path2 >= 0 && watched(p2));
  } else {
    const bool all = under.empty() && !sockets && !process;
    match = all || (c.what != kind::process && sockets) || (c.what != kind::net && process);
  }
  if (!match || glob.empty()) return match;
  return fnmatch(glob.c_str(), p1.c_str(), 0) == 0 || fnmatch(glob.c_str(), p2.c_str(), 0) == 0;
}

static step at_call(pid_t p) {
  user_regs_struct r;
  ptrace(PTRACE_GETREGS, p, 0, &r);
  const auto it = wanted.find(static_cast<int>(r.orig_rax));
  if (it == wanted.end()) return step::go_on;
  const call& c = *it->second;
  const unsigned long a[6] = {r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9};
  string p1, p2;
  if (!counts(p, c, a, p1, p2)) return step::go_on;

  seq++;
  note(trace_file, c, p1, p2, a, p);
  if (!at || !(seq == at || (sticky && seq > at))) return step::go_on;
  note(report_file, c, p1, p2, a, p);

  auto skip_with = [&](long value) {  // the kernel does not run the call, the program sees `value`
    r.orig_rax = static_cast<unsigned long long>(-1);
    r.rax = static_cast<unsigned long long>(value);
    ptrace(PTRACE_SETREGS, p, 0, &r);
  };
  if (starts(act, "error:")) {
    const auto e = errnos.find(act.substr(6));
    const long value = -(e == errnos.end() ? atoi(act.c_str() + 6) : e->second);
    if (c.nr == SYS_close) {
      results[p] = value;
      ptrace(PTRACE_SYSCALL, p, 0, 0);
      return step::replace_result;
    }
    skip_with(value);
  } else if (starts(act, "ret:")) {
    skip_with(atol(act.c_str() + 4));
  } else if (starts(act, "short:")) {
    const auto k = static_cast<unsigned long>(atol(act.c_str() + 6));
    if (c.len >= 0 && a[c.len] > k) {
      unsigned long long* reg[6] = {&r.rdi, &r.rsi, &r.rdx, &r.r10, &r.r8, &r.r9};
      *reg[c.len] = k;
      ptrace(PTRACE_SETREGS, p, 0, &r);
    }
  } else if (act == "kill") {
    skip_with(-EINTR);
    kill_all();
    return step::killed;
  } else if (act == "kill-main") {
    skip_with(-EINTR);
    kill(main_child, SIGKILL);
  } else if (act == "kill-child") {  // of a thread of the command the signal would hit the command
    const bool ours = p == main_child
        || link_target("/proc/" + std::to_string(p) + "/exe")
            == link_target("/proc/" + std::to_string(main_child) + "/exe");
    if (!ours) {
      skip_with(-EINTR);
      kill(p, SIGKILL);
    }
  } else if (act == "kill-after") {
    ptrace(PTRACE_SYSCALL, p, 0, 0);
    return step::wait_for_exit;
  } else if (starts(act, "delay:")) {
    const long ms = atol(act.c_str() + 6);
    timespec ts{ms / 1000, (ms % 1000) * 1000000};
    nanosleep(&ts, nullptr);
  }
  return step::go_on;
}

// ---- the tracer --------------------------------------------------------------------------------

static int trace() {
  int st = 0;
  waitpid(main_child, &st, 0);
  if (!WIFSTOPPED(st)) return 125;  // it could not be traced, and has said why
  tracees.insert(main_child);
  const long opts = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK
      | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC | PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL;
  if (ptrace(PTRACE_SETOPTIONS, main_child, 0, opts)) {
    perror("faultrun: ptrace options");
    kill(main_child, SIGKILL);
    return 125;
  }
  ptrace(PTRACE_CONT, main_child, 0, 0);

  int code = 125;
  bool dead = false, execd = false;
  pid_t killer = 0;  // the tracee whose call must end before everything is killed (kill-after)
  std::set<pid_t> seen;
  while (!tracees.empty()) {
    const pid_t p = waitpid(-1, &st, __WALL);
    if (p < 0) {
      if (errno == EINTR) continue;
      break;
    }
    if (WIFEXITED(st) || WIFSIGNALED(st)) {
      tracees.erase(p);
      if (p == main_child) code = WIFEXITED(st) ? WEXITSTATUS(st) : 128 + WTERMSIG(st);
      continue;
    }
    if (!WIFSTOPPED(st)) continue;
    tracees.insert(p);
    const int sig = WSTOPSIG(st), event = st >> 16;
    long deliver = 0;
    if (dead) {
      kill(p, SIGKILL);
      continue;
    }
    if (sig == SIGTRAP && event == PTRACE_EVENT_EXEC) {
      execd = true;
    } else if (sig == (SIGTRAP | 0x80)) {  // system call exit, asked for by at_call
      if (const auto r = results.find(p); r != results.end()) {
        user_regs_struct regs;
        ptrace(PTRACE_GETREGS, p, 0, &regs);
        regs.rax = static_cast<unsigned long long>(r->second);
        ptrace(PTRACE_SETREGS, p, 0, &regs);
        results.erase(r);
      } else if (p == killer) {
        dead = true;
        kill_all();
        continue;
      }
    } else if (sig == SIGTRAP && event == PTRACE_EVENT_SECCOMP) {
      const step s = execd ? at_call(p) : step::go_on;
      if (s == step::killed) {
        dead = true;
        continue;
      }
      if (s == step::wait_for_exit) {
        killer = p;
        continue;
      }
      if (s == step::replace_result) continue;
    } else if (sig == SIGTRAP && event) {
      // fork and clone events: nothing to do
    } else if (sig == SIGSTOP && p != main_child) {
      if (!seen.insert(p).second) deliver = sig;  // a new tracee's first stop is not the program's
    } else {
      deliver = sig;
    }
    ptrace(PTRACE_CONT, p, 0, deliver);
  }
  return code;
}

int main(int argc, char** argv) {
  string calls;
  int i = 1;
  for (; i < argc; i++) {
    const string o = argv[i];
    auto next = [&] {
      if (i + 1 >= argc) exit(125);
      return string(argv[++i]);
    };
    if (o == "--") {
      i++;
      break;
    }
    if (o == "--calls")
      calls = "," + next() + ",";
    else if (o == "--under")
      under.push_back(next());
    else if (o == "--path")
      glob = next();
    else if (o == "--sockets")
      sockets = true;
    else if (o == "--process")
      process = true;
    else if (o == "--no-sleep")
      no_sleep = true;
    else if (o == "--trace")
      trace_file = fopen(next().c_str(), "we");
    else if (o == "--report")
      report_file = fopen(next().c_str(), "we");
    else if (o == "--at")
      at = atol(next().c_str());
    else if (o == "--sticky")
      sticky = true;
    else if (o == "--act")
      act = next();
    else {
      fprintf(stderr, "faultrun: bad option %s\n", argv[i]);
      return 125;
    }
  }
  if (i >= argc) {
    fprintf(stderr, "faultrun: no command\n");
    return 125;
  }
  for (auto& c : table)
    if (calls.empty() || calls.find(string(",") + c.name + ",") != string::npos) wanted[c.nr] = &c;
  main_child = fork();
  if (main_child < 0) {
    perror("faultrun: fork");
    return 125;
  }
  if (!main_child) become(argv + i);
  return trace();
}
