// The system room: what the rooms above it may rely on, tried on the real system.
#include "children.hpp"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <array>
#include <atomic>
#include <memory>

using namespace children;
namespace os = vqcache::detail::os;
namespace process = vqcache::detail::process;

namespace {

// what a test does to the whole process it does in a child: 0, or the line that did not hold
int in_child(const std::function<int()>& act) {
  std::cout.flush();
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(act());
  int state = 0;
  ::waitpid(pid, &state, 0);
  return WIFEXITED(state) ? WEXITSTATUS(state) : 1000 + WTERMSIG(state);
}

#define HOLDS(condition) \
  if (!(condition)) return __LINE__ % 251 + 1

struct task {  // of a thread
  std::function<void()> act{};

  void loop() { act(); }
};

os::file opened(const fs::path& p, os::mode how) {
  os::file f;
  REQUIRE(os::open(p, how, f) == 0);
  return f;
}

std::string all_of(os::file& f, std::uint64_t at, std::size_t n) {
  std::string s(n, '\0');
  std::size_t got = 0;
  CHECK(os::read_at(f, at, &s[0], n, got) == 0);
  s.resize(got);
  return s;
}

bool blocked(int number) {
  sigset_t now;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &now);
  return sigismember(&now, number) == 1;
}

void (*disposition(int number))(int) {
  struct sigaction now{};
  ::sigaction(number, nullptr, &now);
  return now.sa_handler;
}

void seen(int) {
}

}  // namespace

TEST_SUITE("system") {
  TEST_CASE("what is written at a place is read from there, beyond 4 GiB too") {
    const scratch top;
    os::file f = opened(top / "f", os::mode::create);
    const std::uint64_t far = (std::uint64_t{5} << 30) + 7;
    CHECK(os::write_at(f, far, "far") == 0);
    CHECK(os::write_at(f, 2, "near") == 0);
    CHECK(os::look(top / "f").size == far + 3);
    CHECK(all_of(f, far, 3) == "far");
    CHECK(all_of(f, 0, 6) == std::string("\0\0near", 6));
    CHECK(all_of(f, far + 1, 100) == "ar");  // the end of the file, and no error
    CHECK(all_of(f, far + 3, 10) == "");
    CHECK(::lseek(f.descriptor(), 0, SEEK_CUR) == 0);  // the descriptor stands where it stood
  }

  TEST_CASE("an error at a place is told, and so is a disk that takes less than all") {
    const scratch top;
    support::write_file(top / "f", "abc");
    os::file f = opened(top / "f", os::mode::read), none;
    std::size_t got = 9;
    char c = 0;
    CHECK(os::write_at(f, 0, "x") == EBADF);
    CHECK(os::read_at(none, 0, &c, 1, got) == EBADF);
    CHECK(got == 0);
    CHECK(in_child([&] {
      const rlimit small{4096, 4096};
      os::file out;
      const std::string block(8192, 'x');
      const os::quiet_signals quiet;
      HOLDS(::setrlimit(RLIMIT_FSIZE, &small) == 0);
      HOLDS(os::open(top / "out", os::mode::create, out) == 0);
      HOLDS(os::write_at(out, 0, block) == EFBIG);
      HOLDS(os::look(top / "out").size == 4096);
      return 0;
    }) == 0);
  }

  TEST_CASE("threads that share a descriptor do not meet") {
    const scratch top;
    os::file f = opened(top / "f", os::mode::create);
    std::array<int, 4> wrong{};
    std::array<task, 4> tasks;
    std::array<os::thread, 4> threads;
    for (unsigned i = 0; i < 4; ++i) {
      tasks[i].act = [&f, &bad = wrong[i], i] {
        for (std::uint64_t k = i; k < 400; k += 4) {
          const std::string block(10000, static_cast<char>(k % 251));
          std::string back(block.size(), '\0');
          std::size_t got = 0;
          bad += os::write_at(f, k * 10000, block) != 0;
          bad += os::read_at(f, k * 10000, &back[0], back.size(), got) != 0;
          bad += back != block;
        }
      };
      REQUIRE(threads[i].start(&tasks[i]) == 0);
    }
    for (os::thread& t : threads)
      t.join();
    for (int bad : wrong)
      CHECK(bad == 0);
    std::string wanted;
    for (unsigned k = 0; k < 400; ++k)
      wanted += std::string(10000, static_cast<char>(k % 251));
    CHECK(slurp(top / "f") == wanted);
  }

  TEST_CASE("a small text is read whole, whatever its size, and of a large one the first 64 KiB") {
    const scratch top;
    std::string content, got = "of before";
    for (int i = 0; content.size() < 70000; ++i)
      content += std::to_string(i);
    for (const std::size_t n : {0, 1, 4095, 4096, 4097, 65535, 65536, 65537, 70000}) {
      CAPTURE(n);
      support::write_file(top / "f", content.substr(0, n));
      CHECK(os::read_text(top / "f", got) == 0);
      CHECK(got == content.substr(0, (std::min)(n, std::size_t{65536})));
    }
    CHECK(os::read_text(top / "absent", got) == ENOENT);
    CHECK(got.empty());
  }

  TEST_CASE("a slice can be written back early, and where it cannot that is no error") {
    const scratch top;
    os::file f = opened(top / "f", os::mode::create);
    const std::string block(1 << 20, 'x');
    CHECK(os::write_at(f, 0, block) == 0);
    CHECK(os::sync_slice(f, 0, 1 << 19, true) == 0);
    CHECK(os::sync_slice(f, std::uint64_t{5} << 30, 1 << 19, true) == 0);
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    os::file reading(ends[0]), writing(ends[1]);
    CHECK(os::sync_slice(writing, 0, 1, false) == 0);
    os::file none;
    CHECK(os::sync_slice(none, 0, 1, true) == EBADF);
  }

  TEST_CASE(
      "a thread has every signal blocked, so that handlers run where the program wants them") {
    std::atomic<int> wrong{-1};
    task one{[&wrong] {
      int n = 0;
      for (int s : {SIGINT, SIGTERM, SIGPIPE, SIGXFSZ, SIGCHLD, SIGALRM, SIGUSR1})
        n += !blocked(s);
      wrong = n;
    }};
    os::thread t;
    CHECK(!t.running());
    REQUIRE(t.start(&one) == 0);
    CHECK(t.running());
    t.join();
    CHECK(!t.running());
    CHECK(wrong == 0);
    CHECK(!blocked(SIGINT));
    CHECK(!blocked(SIGPIPE));
    t.join();  // once more is harmless
    one.act = [&wrong] {
      wrong = 7;
    };
    REQUIRE(t.start(&one) == 0);
    t.join();  // and it can be started again
    CHECK(wrong == 7);
  }

  TEST_CASE("a thread is joined by its destructor") {
    std::atomic<bool> done{false};
    task one{[&done] {
      os::sleep_ms(50);
      done = true;
    }};
    {
      os::thread t;
      REQUIRE(t.start(&one) == 0);
    }
    CHECK(done);
  }

  TEST_CASE("a thread that cannot start is a value") {
    if (sanitized || ::getuid() != 0) return skipped("needs root and no sanitizer");
    if (lacks(part::users)) return;
    CHECK(in_child([] {
      const rlimit none{0, 0};
      HOLDS(::setrlimit(RLIMIT_NPROC, &none) == 0);
      HOLDS(::setgid(65534) == 0 && ::setuid(65534) == 0);  // root has no such limit
      task idle{[] {
      }};
      os::thread t;
      HOLDS(t.start(&idle) == EAGAIN);
      HOLDS(!t.running() && !blocked(SIGINT));
      return 0;
    }) == 0);
  }

  TEST_CASE("what the kernel copies is what was there, or nothing, which says to read and write") {
    const scratch top;
    std::string content;
    for (int i = 0; i < 100000; ++i)
      content += static_cast<char>(i % 251);
    support::write_file(top / "from", content);
    const os::file from = opened(top / "from", os::mode::read);
    os::file to = opened(top / "to", os::mode::create);
    std::uint64_t at = 0;
    for (std::size_t got = 1; got > 0; at += got)
      got = os::copy_some(from, to, at, 30000);
    CHECK((at == 0 || at == content.size()));
    CHECK(slurp(top / "to") == content.substr(0, static_cast<std::size_t>(at)));
  }

  TEST_CASE("the largest file possible is the limit of the process") {
    const scratch top;
    CHECK(in_child([&] {
      const rlimit small{123456, 123456};
      HOLDS(os::disk_of(top.path()).largest >= 0xffffffff);
      HOLDS(::setrlimit(RLIMIT_FSIZE, &small) == 0);
      HOLDS(os::disk_of(top.path()).largest == 123456);
      HOLDS(os::disk_of(top / "absent").largest == 123456);
      return 0;
    }) == 0);
  }

  TEST_CASE("a process that has ended does not run, though nobody has waited for it") {
    if (lacks(part::proc)) return;
    const pid_t ended = ::fork();
    if (ended == 0) ::_exit(0);
    REQUIRE(ended > 0);
    siginfo_t seen{};
    REQUIRE(::waitid(P_PID, id_t(ended), &seen, WEXITED | WNOWAIT) == 0);

    const std::string number = std::to_string(ended);
    CHECK_FALSE(os::may_run(number));
    CHECK(os::owner_fate(os::owner(number)) == os::fate::gone);
    CHECK(::waitpid(ended, nullptr, 0) == ended);
  }

  TEST_CASE("a file never takes the place of standard input, output or error") {
    const scratch top;
    CHECK(in_child([&] {
      for (int i = 0; i < 3; ++i)
        ::close(i);
      os::file made, read;
      HOLDS(os::open(top / "f", os::mode::create, made) == 0);
      HOLDS(os::open(top / "f", os::mode::read, read) == 0);
      HOLDS(
          made.descriptor() > 2 && read.descriptor() > 2 && made.descriptor() != read.descriptor());
      HOLDS((::fcntl(made.descriptor(), F_GETFD) & FD_CLOEXEC) != 0);
      HOLDS(::fcntl(0, F_GETFD) < 0 && ::fcntl(1, F_GETFD) < 0 && ::fcntl(2, F_GETFD) < 0);
      return 0;
    }) == 0);
  }

  TEST_CASE("two directories of one file system tell the same capacity, others do not") {
    const scratch top;
    const auto size = os::disk_of(top.path()).capacity;
    CHECK(os::disk_of(top.path() / "..").capacity == size);
    CHECK(os::disk_of("/proc").capacity != size);
    CHECK(os::disk_of(top / "absent").capacity == ~std::uint64_t{0});
  }

  TEST_CASE(
      "a file that grows beyond the limit is an error of write(), not the end of the program") {
    const scratch top;
    CHECK(in_child([&] {
      const rlimit small{1000, 1000};
      HOLDS(::setrlimit(RLIMIT_FSIZE, &small) == 0);
      os::file f;
      HOLDS(os::open(top / "f", os::mode::create, f) == 0);
      const std::string block(2000, 'x');
      {
        const os::quiet_signals quiet;
        HOLDS(os::write_at(f, 0, block) == EFBIG);
        const os::quiet_signals again;
        HOLDS(os::write_at(f, 0, block) == EFBIG);
      }
      HOLDS(!blocked(SIGXFSZ) && !blocked(SIGPIPE));
      return 0;
    }) == 0);
    CHECK(in_child([&] {  // and the test can fail
      const rlimit small{1000, 1000};
      HOLDS(::setrlimit(RLIMIT_FSIZE, &small) == 0);
      os::file f;
      HOLDS(os::open(top / "g", os::mode::create, f) == 0);
      const std::string block(2000, 'x');
      return os::write_at(f, 0, block);
    }) == 1000 + SIGXFSZ);
  }

  TEST_CASE(
      "a peer that is gone is an error of write(), and a signal that waited before still does") {
    CHECK(in_child([] {
      int ends[2];
      HOLDS(::pipe2(ends, O_CLOEXEC) == 0);
      os::file reading(ends[0]), writing(ends[1]);
      reading.close();
      {
        const os::quiet_signals quiet;
        HOLDS(::write(writing.descriptor(), "x", 1) < 0 && errno == EPIPE);
      }
      sigset_t pipe, now;
      sigemptyset(&pipe);
      sigaddset(&pipe, SIGPIPE);
      ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
      ::raise(SIGPIPE);
      {
        const os::quiet_signals quiet;
        HOLDS(::write(writing.descriptor(), "x", 1) < 0 && errno == EPIPE);
      }
      HOLDS(blocked(SIGPIPE));
      sigpending(&now);
      HOLDS(sigismember(&now, SIGPIPE) == 1);
      return 0;
    }) == 0);
  }

  TEST_CASE("an interrupt is counted while a guard lives, and what was set before comes back") {
    CHECK(in_child([] {
      ::signal(SIGINT, &seen);
      {
        const os::interrupt_guard outer(true);
        HOLDS(!outer.hit());
        ::raise(SIGINT);
        HOLDS(outer.hit());
        {
          const os::interrupt_guard inner(true), unwanted(false);
          HOLDS(!inner.hit());  // that was before it
          ::raise(SIGINT);
          HOLDS(inner.hit() && !unwanted.hit());
        }
        HOLDS(disposition(SIGINT) != &seen);
        ::raise(SIGINT);
      }
      HOLDS(disposition(SIGINT) == &seen);
      {
        const os::interrupt_guard unwanted(false);
        HOLDS(disposition(SIGINT) == &seen);
      }
      const os::interrupt_guard later(true);
      HOLDS(!later.hit());
      return 0;
    }) == 0);
  }

  TEST_CASE(
      "an interrupt that was ignored stays ignored, one that would kill kills again after it") {
    CHECK(in_child([] {
      ::signal(SIGINT, SIG_IGN);
      {
        const os::interrupt_guard guard(true), another(true);
        HOLDS(disposition(SIGINT) == SIG_IGN);
        ::raise(SIGINT);
        HOLDS(!guard.hit());
      }
      HOLDS(disposition(SIGINT) == SIG_IGN);
      return 0;
    }) == 0);
    CHECK(in_child([] {
      ::signal(SIGINT, SIG_DFL);
      {
        const os::interrupt_guard guard(true);
        ::raise(SIGINT);
        HOLDS(guard.hit());
      }
      ::raise(SIGINT);
      return 0;
    }) == 1000 + SIGINT);
  }

  TEST_CASE("an interrupt ends a system call that waits") {
    CHECK(in_child([] {
      ::signal(SIGINT, SIG_DFL);
      const os::interrupt_guard guard(true);
      int ends[2];
      HOLDS(::pipe2(ends, O_CLOEXEC) == 0);
      const pid_t me = ::getpid(), other = ::fork();
      if (other == 0) {
        sleep_ms(100);
        ::kill(me, SIGINT);
        ::_exit(0);
      }
      char c = 0;
      HOLDS(::read(ends[0], &c, 1) < 0 && errno == EINTR);
      HOLDS(guard.hit());
      ::waitpid(other, nullptr, 0);
      return 0;
    }) == 0);
  }

  TEST_CASE("guards of several threads see an interrupt, and the last one gives the signal back") {
    CHECK(in_child([] {
      ::signal(SIGINT, &seen);
      struct state {
        std::atomic<int> ready{0}, hits{0};
        std::atomic<bool> raised{false};
      } all;
      {
        task one{[&all] {
          for (int i = 0; i < 200; ++i)
            const os::interrupt_guard brief(true);
          const os::interrupt_guard guard(true);
          ++all.ready;
          while (!all.raised)
            os::sleep_ms(1);
          all.hits += guard.hit();
        }};
        std::array<os::thread, 4> threads;
        for (os::thread& t : threads)
          HOLDS(t.start(&one) == 0);
        while (all.ready < 4)
          os::sleep_ms(1);
        ::raise(SIGINT);
        all.raised = true;
      }
      HOLDS(all.hits == 4);
      HOLDS(disposition(SIGINT) == &seen);
      return 0;
    }) == 0);
  }

  TEST_CASE("whether standard output is a terminal") {
    CHECK(in_child([] {
      redirect(1, "/dev/null");
      return os::is_terminal(stdout) ? 1 : 0;
    }) == 0);
    if (lacks(part::terminal)) return;
    CHECK(in_child([] {
      const int master = ::posix_openpt(O_RDWR | O_NOCTTY);
      HOLDS(master >= 0 && ::grantpt(master) == 0 && ::unlockpt(master) == 0);
      redirect(1, ::ptsname(master));
      return os::is_terminal(stdout) ? 0 : 1;
    }) == 0);
  }

  TEST_CASE("reading from a program that has nothing to say does not wait") {
    process::child p;
    char block[100];
    REQUIRE(p.start({"sleep", "30"}, "") == 0);
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < 100; ++i)
      CHECK(p.read(block, sizeof block) == -1);
    CHECK(since(start) < 5);
    CHECK(p.abandon() == -1);
  }

  TEST_CASE("waiting for several programs ends with the first that speaks, or ends") {
    process::child slow, quick, brief;
    char block[100];
    REQUIRE(slow.start({"sh", "-c", "sleep 30; echo slow"}, "") == 0);
    REQUIRE(quick.start({"sh", "-c", "sleep 0.3; echo quick; sleep 30"}, "") == 0);
    const vqcache::detail::list<process::child*> both = {&slow, &quick};
    auto start = std::chrono::steady_clock::now();
    long got = -1;
    while (got < 0 && since(start) < 20) {
      process::child::wait(both, 5000);
      CHECK(slow.read(block, sizeof block) == -1);
      got = quick.read(block, sizeof block);
    }
    CHECK(std::string(block, static_cast<std::size_t>((std::max)(got, 0L))) == "quick\n");
    CHECK(since(start) < 15);

    start = std::chrono::steady_clock::now();
    process::child::wait(both, 200);  // nobody speaks
    CHECK(since(start) > 0.15);
    CHECK(since(start) < 15);

    REQUIRE(brief.start({"sh", "-c", "exit 3"}, "") == 0);
    const vqcache::detail::list<process::child*> all = {&slow, &quick, &brief};
    start = std::chrono::steady_clock::now();
    got = -1;
    while (got < 0 && since(start) < 20) {
      process::child::wait(all, 5000);
      got = brief.read(block, sizeof block);
    }
    CHECK(got == 0);
    CHECK(since(start) < 15);
    CHECK(brief.finish() == 3);
    slow.abandon();
    quick.abandon();
    start = std::chrono::steady_clock::now();
    process::child::wait(all, 100);  // none is left
    CHECK(since(start) < 15);
  }

  TEST_CASE(
      "while one program is waited for, all get their input and are relieved of their errors") {
    const std::string input(60000, 'i');
    process::child eater, talker;
    REQUIRE(eater.start({"sh", "-c", "echo $(wc -c)"}, input) == 0);
    REQUIRE(talker.start({"sh", "-c", "head -c 200000 /dev/zero >&2; echo told; exit 4"}, "") == 0);
    const vqcache::detail::list<process::child*> both = {&talker, &eater};
    std::string said[2];
    const auto start = std::chrono::steady_clock::now();
    for (bool open[2] = {true, true}; (open[0] || open[1]) && since(start) < 30;) {
      process::child::wait(both, 1000);
      for (int i = 0; i < 2; ++i) {
        char block[100];
        const long got = open[i] ? both[i]->read(block, sizeof block) : -1;
        if (got > 0) said[i].append(block, static_cast<std::size_t>(got));
        if (got == 0) open[i] = false;
      }
    }
    CHECK(said[0] == "told\n");
    CHECK(said[1] == "60000\n");
    CHECK(talker.errors().size() >= 4096);
    CHECK(talker.finish() == 4);
    CHECK(eater.finish() == 0);
  }

  TEST_CASE("what refuses a call is told from what lost bytes") {
    for (const int e : {EPERM, EACCES, EINVAL, ENOSYS, ESPIPE, ENOTSUP, EOPNOTSUPP})
      CHECK(os::is_refusal(e));
    for (const int e : {0, EIO, ENOSPC, EDQUOT, EFBIG, EROFS, ENOENT, EBADF, EMFILE, ENOMEM})
      CHECK_FALSE(os::is_refusal(e));
    // std::errc has no name for these
    for (const int e : {EDQUOT, ESTALE, EREMOTEIO})
      CHECK(os::value({e, std::system_category()}) == e);
  }
}
