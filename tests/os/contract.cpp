// What >>os and >>process promise of every system, tried on this one: the same file runs on POSIX and,
// built by tests/windows/run.sh, on Windows. It needs nothing but the library and doctest; what only
// POSIX has is in tests/os/posix.cpp.
#include "vqcache.hpp"

#include <doctest/doctest.h>

#include <array>
#include <csignal>
#include <set>

#if !defined(VQCACHE_OS_CHILD)
#define VQCACHE_OS_CHILD "vqcache_os_child"  // of PATH, or of System32
#endif

namespace os = vqcache::detail::os;
namespace process = vqcache::detail::process;
namespace fs = std::filesystem;

namespace {

#if defined(_WIN32)
constexpr bool is_windows = true;

void set_variable(const std::string& name, const std::string& utf8) {
  const std::wstring wide_name(name.begin(), name.end());
  REQUIRE(::_wputenv_s(wide_name.c_str(), os::to_path(utf8).c_str()) == 0);
}

const char* const home_variable = "USERPROFILE";
#else
constexpr bool is_windows = false;

void set_variable(const std::string& name, const std::string& utf8) {
  REQUIRE(::setenv(name.c_str(), utf8.c_str(), 1) == 0);
}

const char* const home_variable = "HOME";
#endif

const std::string unicode = u8"\u00fcber \u65e5\u672c";  // what no code page of one byte can say

class scratch {  // a directory of its own
 public:
  scratch() : path_(fs::temp_directory_path() / ("vqcache_os_" + os::unique())) {
    fs::create_directories(path_);
  }

  scratch(const scratch&) = delete;

  ~scratch() {
    std::error_code e;
    fs::remove_all(path_, e);
  }

  const fs::path& path() const { return path_; }

  fs::path operator/(const std::string& utf8) const { return path_ / os::to_path(utf8); }

 private:
  fs::path path_;
};

os::file opened(const fs::path& path, os::mode how) {
  os::file f;
  REQUIRE(os::open(path, how, f) == 0);
  REQUIRE(f.is_open());
  return f;
}

void put(const fs::path& path, const std::string& bytes) {
  os::file f = opened(path, os::mode::create);
  REQUIRE(os::write_at(f, 0, bytes) == 0);
  REQUIRE(f.close() == 0);
}

std::string get(const os::file& f, std::uint64_t at, std::size_t size) {
  std::string bytes(size, '\0');
  std::size_t got = 0;
  CHECK(os::read_at(f, at, &bytes[0], size, got) == 0);
  bytes.resize(got);
  return bytes;
}

std::string get(const fs::path& path) {
  return get(opened(path, os::mode::read), 0, 1 << 20);
}

int opens(const fs::path& path, os::mode how) {
  os::file f;
  const int error = os::open(path, how, f);
  CHECK(f.is_open() == (error == 0));
  return error;
}

bool can_link(const fs::path& to, const fs::path& link) {
  std::error_code e;
  fs::create_symlink(to, link, e);
  return !e;
}

double since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

struct task {  // of a thread
  std::function<void()> act{};

  void loop() { act(); }
};

int handled = 0;

void handle(int) {
  ++handled;
}

}  // namespace

TEST_SUITE("os contract") {
  TEST_CASE("names are UTF-8 in, and UTF-8 out") {
    const scratch top;
    put(top / unicode, "x");
    CHECK(os::shown(os::to_path(unicode)) == unicode);
    vqcache::detail::list<std::string> names;
    CHECK(os::list_names(top.path(), "", names) == 0);
    REQUIRE(names.size() == 1);
    CHECK(names[0] == unicode);
    CHECK(get(top / names[0]) == "x");
  }

  TEST_CASE("a variable is UTF-8, and empty where it is not set") {
    set_variable("VQCACHE_OS_TEST", unicode);
    CHECK(os::env("VQCACHE_OS_TEST") == unicode);
    set_variable("VQCACHE_OS_TEST", "");
    CHECK(os::env("VQCACHE_OS_TEST").empty());
    CHECK(os::env("VQCACHE_OS_TEST_THAT_NOBODY_SETS").empty());

    set_variable("VQCACHE_OS_TEST", unicode);
    CHECK(os::variables("VQCACHE_OS_T") == vqcache::detail::list<std::string>{"VQCACHE_OS_TEST"});
    CHECK(os::variables("VQCACHE_OS_TEST_THAT_NOBODY_SETS").empty());
  }

  TEST_CASE("home is what the variable of the system says") {
    const std::string before = os::env(home_variable);
    const scratch top;
    set_variable(home_variable, os::shown(top / unicode));
    CHECK(os::home_directory() == (top / unicode));
    CHECK(os::resolved("~") == (top / unicode).lexically_normal());
    CHECK(os::resolved("~/a/../b") == (top / unicode / "b").lexically_normal());
    CHECK(os::resolved("~other") == fs::current_path() / "~other");
    set_variable(home_variable, "");
    CHECK(os::home_directory().empty());
    CHECK(os::resolved("~/a").empty());
    set_variable(home_variable, before);
  }

  TEST_CASE("errors of the standard library have their errno values") {
    CHECK(os::value({}) == 0);
    CHECK(os::value(std::make_error_code(std::errc::permission_denied)) == EACCES);
    CHECK(os::value({ENOSPC, std::generic_category()}) == ENOSPC);
    std::error_code e;
    (void)fs::file_size("there is no such file", e);
    CHECK(os::value(e) == ENOENT);
    const int odd = 12345678;  // no number of Windows
    if (is_windows) CHECK(os::value({odd, std::system_category()}) == EIO);
  }

  TEST_CASE("time is told in UTC, and sleeping takes its time") {
    const std::tm then = os::utc(1700000000);  // 2023-11-14 22:13:20
    CHECK(then.tm_year == 123);
    CHECK(then.tm_mon == 10);
    CHECK(then.tm_mday == 14);
    CHECK(then.tm_hour == 22);
    CHECK(then.tm_min == 13);
    CHECK(then.tm_sec == 20);
    CHECK(os::date().size() == std::string("2023-11-14T22:13:20Z").size());

    const auto start = std::chrono::steady_clock::now();
    os::sleep_ms(120);
    CHECK(since(start) > 0.1);
    CHECK(since(start) < 10);
  }

  TEST_CASE("a file is no terminal") {
    const scratch top;
    const std::string name = (top / "f").string();
    std::FILE* const f = std::fopen(name.c_str(), "w");
    REQUIRE(f);
    CHECK_FALSE(os::is_terminal(f));
    std::fclose(f);
  }

  TEST_CASE("libraries and their functions, and those that are not there") {
    CHECK(os::load("vqcache-there-is-no-such.library") == nullptr);
    CHECK(os::symbol(nullptr, "vqcache_there_is_no_such_function") == nullptr);
    if (is_windows) {
      void* const kernel = os::load("kernel32.dll");
      REQUIRE(kernel);
      CHECK(os::symbol(kernel, "Sleep") != nullptr);
      CHECK(os::symbol(kernel, "vqcache_there_is_no_such_function") == nullptr);
    } else {
      CHECK(os::symbol(nullptr, "strlen") != nullptr);
    }
  }

  TEST_CASE("create makes a new file or none, and says that the name is taken") {
    const scratch top;
    CHECK(opens(top / "f", os::mode::create) == 0);
    CHECK(opens(top / "f", os::mode::create) == EEXIST);
    CHECK(opens(top / "absent" / "f", os::mode::create) == ENOENT);
    fs::create_directory(top / "d");
    CHECK(opens(top / "d", os::mode::create) == EEXIST);
    if (can_link(top / "nowhere", top / "link")) {
      CHECK(opens(top / "link", os::mode::create) == EEXIST);
      CHECK_FALSE(fs::exists(top / "nowhere"));
    }
  }

  TEST_CASE("only create and lock make a file") {
    const scratch top;
    for (const os::mode how : {os::mode::read, os::mode::link, os::mode::update}) {
      CHECK(opens(top / "f", how) == ENOENT);
      CHECK_FALSE(fs::exists(top / "f"));
    }
    CHECK(opens(top / "f", os::mode::lock) == 0);
    CHECK(fs::exists(top / "f"));
  }

  TEST_CASE("no mode but create takes what is there away, and reading writes nothing") {
    const scratch top;
    put(top / "f", "before");
    for (const os::mode how : {os::mode::lock, os::mode::update}) {
      os::file f = opened(top / "f", how);
      CHECK(get(f, 0, 100) == "before");
      CHECK(os::write_at(f, 0, "B") == 0);
      CHECK(get(f, 0, 100) == "Before");
      CHECK(os::write_at(f, 0, "b") == 0);
    }
    for (const os::mode how : {os::mode::read, os::mode::link}) {
      os::file f = opened(top / "f", how);
      CHECK(get(f, 0, 100) == "before");
      CHECK(os::write_at(f, 0, "x") != 0);
    }
    CHECK(get(top / "f") == "before");
  }

  TEST_CASE("a symbolic link is followed by one mode alone") {
    const scratch top;
    put(top / "f", "x");
    if (is_windows || !can_link(top / "f", top / "link")) return;
    CHECK(opens(top / "link", os::mode::link) == 0);
    for (const os::mode how : {os::mode::read, os::mode::lock, os::mode::update})
      CHECK(opens(top / "link", how) == ELOOP);
    CHECK(os::look(top / "link").regular);
    CHECK_FALSE(os::look(top / "link", false).exists);
  }

  TEST_CASE("a failure to open closes what was there, and a file closes once") {
    const scratch top;
    os::file f = opened(top / "f", os::mode::create);
    CHECK(os::open(top / "absent", os::mode::read, f) == ENOENT);
    CHECK_FALSE(f.is_open());
    CHECK(f.close() == 0);

    os::file from = opened(top / "f", os::mode::read), to;
    to = std::move(from);
    CHECK(to.is_open());
    CHECK(to.close() == 0);
    CHECK_FALSE(to.is_open());
    CHECK(to.close() == 0);
  }

  TEST_CASE("bytes stay as they are, and are where they were written, beyond 4 GiB too") {
    const scratch top;
    const std::string bytes("\r\n\x1a\0\n\xff", 6);  // a text mode would change them
    const std::uint64_t far = (std::uint64_t{5} << 30) + 7;
    os::file f = opened(top / "f", os::mode::create);
    CHECK(os::write_at(f, far, bytes) == 0);
    CHECK(os::write_at(f, 2, bytes) == 0);
    CHECK(get(f, far, bytes.size()) == bytes);
    CHECK(get(f, 0, 8) == std::string(2, '\0') + bytes);
    CHECK(get(f, far + 4, 100) == bytes.substr(4));  // the end, and no error
    CHECK(get(f, far + 6, 100).empty());
    CHECK(get(f, far * 2, 100).empty());
    CHECK(os::look(top / "f").size == far + bytes.size());
    CHECK(os::write_at(f, 0, "") == 0);
  }

  TEST_CASE("threads can share a file") {
    const scratch top;
    constexpr unsigned count = 4;
    os::file f = opened(top / "f", os::mode::create);
    std::array<int, count> wrong{};
    std::array<task, count> tasks;
    std::array<os::thread, count> threads;
    for (unsigned i = 0; i < count; ++i) {
      tasks[i].act = [&f, &bad = wrong[i], i] {
        for (std::uint64_t k = i; k < 200; k += count) {
          const std::string block(5000, static_cast<char>(k % 251));
          std::string back(block.size(), '\0');
          std::size_t got = 0;
          const bool is_put = os::write_at(f, k * 5000, block) == 0;
          const bool is_got = os::read_at(f, k * 5000, &back[0], back.size(), got) == 0;
          if (!is_put || !is_got || back != block) ++bad;
        }
      };
      REQUIRE(threads[i].start(&tasks[i]) == 0);
    }
    for (os::thread& one : threads)
      one.join();
    CHECK(wrong == std::array<int, count>{});
  }

  TEST_CASE("a small text is read whole, and of a large one the first 64 KiB") {
    const scratch top;
    std::string content, got = "of before";
    for (int i = 0; content.size() < 70000; ++i)
      content += std::to_string(i);
    for (const std::size_t size : {0, 1, 4095, 4096, 4097, 65535, 65536, 65537, 70000}) {
      CAPTURE(size);
      const fs::path path = top / std::to_string(size);
      put(path, content.substr(0, size));
      CHECK(os::read_text(path, got) == 0);
      CHECK(got == content.substr(0, (std::min)(size, std::size_t{65536})));
    }
    CHECK(os::read_text(top / "absent", got) == ENOENT);
    CHECK(got.empty());
  }

  TEST_CASE("what was written can be synced, as a whole, in parts, and its directory") {
    const scratch top;
    os::file f = opened(top / "f", os::mode::create);
    CHECK(os::write_at(f, 0, std::string(1 << 20, 'x')) == 0);
    CHECK(os::sync_slice(f, 0, 1 << 19) == 0);
    CHECK(os::sync_slice(f, 0, 1 << 19, true) == 0);
    CHECK(os::sync(f) == 0);
    CHECK(os::sync_directory(top.path()) == 0);
    CHECK(f.close() == 0);
  }

  TEST_CASE("what the system copies is what was there, or nothing") {
    const scratch top;
    const std::string content(300000, 'c');
    put(top / "from", content);
    const os::file from = opened(top / "from", os::mode::read);
    os::file to = opened(top / "to", os::mode::create);
    std::uint64_t at = 0;
    for (std::size_t got = 1; got > 0; at += got)
      got = os::copy_some(from, to, at, 100000);
    CHECK((at == 0 || at == content.size()));
    CHECK(get(to, 0, content.size()) == content.substr(0, static_cast<std::size_t>(at)));

    os::file twin = opened(top / "twin", os::mode::create);
    if (os::clone(from, twin)) CHECK(get(twin, 0, content.size() + 1) == content);
  }

  TEST_CASE("a device is told by a number, and what is not there has none") {
    const scratch top;
    put(top / "f", "f");
    const auto of_directory = os::device_of(top.path());
    REQUIRE(of_directory.has_value());
    CHECK(os::device_of(top / "f") == of_directory);
    CHECK_FALSE(os::device_of(top / "absent").has_value());
    CHECK(os::file_system_of(top / "absent").empty());
    CHECK(os::file_system_of(top.path()) == os::file_system_of(top.path()));
  }

  TEST_CASE("rename takes the place of what has the name") {
    const scratch top;
    put(top / "old", "old");
    put(top / "new", "new");
    CHECK(os::rename(top / "new", top / "old") == 0);
    CHECK(get(top / "old") == "new");
    CHECK_FALSE(fs::exists(top / "new"));
    CHECK(os::rename(top / "old", top / unicode) == 0);
    CHECK(get(top / unicode) == "new");
    CHECK(os::rename(top / "absent", top / unicode) == ENOENT);
    CHECK(get(top / unicode) == "new");
    CHECK(os::rename(top / unicode, top / "absent" / "f") == ENOENT);
    CHECK(get(top / unicode) == "new");
  }

  TEST_CASE("rename_new takes a free name, and no other") {
    const scratch top;
    put(top / "one", "1");
    put(top / "two", "2");
    CHECK(os::rename_new(top / "one", top / "two") == EEXIST);
    CHECK(get(top / "two") == "2");
    CHECK(os::rename_new(top / "one", top / unicode) == 0);
    CHECK(get(top / unicode) == "1");
    CHECK_FALSE(os::look(top / "one").exists);
    CHECK(os::rename_new(top / "absent", top / "three") == ENOENT);
  }

  TEST_CASE("an open file is renamed, or stays and says so after 2 s") {
    const scratch top;
    put(top / "new", "new");
    put(top / "old", "old");
    const os::file held = opened(top / "new", os::mode::update);
    const auto start = std::chrono::steady_clock::now();
    const int error = os::rename(top / "new", top / "old");
    CHECK((error == 0) == os::renames_open_files);
    if (error != 0) {
      CHECK((error == EACCES || error == EBUSY));
      CHECK(since(start) > 1.5);
      CHECK(get(top / "new") == "new");
      CHECK(get(top / "old") == "old");
    } else {
      CHECK(get(top / "old") == "new");
    }
  }

  TEST_CASE("a rename waits for a reader that soon is done") {
    const scratch top;
    put(top / "new", "new");
    put(top / "old", "old");
    os::file held = opened(top / "old", os::mode::read);
    task one{[&held] {
      os::sleep_ms(300);
      held.close();
    }};
    os::thread t;
    REQUIRE(t.start(&one) == 0);
    CHECK(os::rename(top / "new", top / "old") == 0);
    t.join();
    CHECK(get(top / "old") == "new");
  }

  TEST_CASE("one has the lock, and gives it back by closing the file") {
    const scratch top;
    os::file one = opened(top / "lock", os::mode::lock),
             other = opened(top / "lock", os::mode::lock);
    CHECK(os::try_lock(one) == 0);
    CHECK(os::try_lock(other) == EWOULDBLOCK);
    CHECK(os::try_lock(other) == EWOULDBLOCK);
    CHECK(one.close() == 0);
    CHECK(os::try_lock(other) == 0);
  }

  TEST_CASE("names in a directory, by how they begin") {
    const scratch top;
    for (const char* name : {"a1", "a2", ".a3", "b1"})
      put(top / name, "");
    fs::create_directory(top / "a4");
    vqcache::detail::list<std::string> names{"kept"};
    CHECK(os::list_names(top.path(), "a", names) == 0);
    CHECK(std::set<std::string>(names.begin(), names.end())
        == std::set<std::string>{"kept", "a1", "a2", "a4"});
    int problem = 1;
    CHECK(os::list(top.path(), "", &problem).size() == 5);
    CHECK(problem == 0);
    CHECK(os::list(top / "a4", "", &problem).empty());
    CHECK(problem == 0);
    CHECK(os::list(top / "absent", "", &problem).empty());
    CHECK(problem == ENOENT);
  }

  TEST_CASE("what a name leads to") {
    const scratch top;
    put(top / "f", "12345");
    const os::info file = os::look(top / "f"), folder = os::look(top.path()),
                   absent = os::look(top / "absent");
    CHECK((file.exists && file.regular && !file.directory));
    CHECK(file.size == 5);
    CHECK((folder.exists && folder.directory && !folder.regular));
    CHECK((!absent.exists && absent.problem == 0));
    CHECK(os::unlink(top / "f") == 0);
    CHECK(os::unlink(top / "f") == 0);
    CHECK_FALSE(os::look(top / "f").exists);
    CHECK(os::make_directories(top / "x" / "y" / unicode) == 0);
    CHECK(os::look(top / "x" / "y" / unicode).directory);
    put(top / "f", "");
    CHECK(os::make_directories(top / "f" / "y") == ENOTDIR);
    CHECK_FALSE(os::older_than_a_day(top / "f"));
    fs::last_write_time(top / "f", fs::file_time_type::clock::now() - std::chrono::hours(25));
    CHECK(os::older_than_a_day(top / "f"));
  }

  TEST_CASE("what may not be written is told apart from what is not there") {
    const scratch top;
    put(top / "f", "x");
    CHECK_FALSE(os::read_only(top / "f"));
    CHECK_FALSE(os::read_only(top / "absent"));
    fs::permissions(
        top / "f", fs::perms::owner_read | fs::perms::group_read | fs::perms::others_read);
    const bool is_denied = opens(top / "f", os::mode::update) == EACCES;
    // root of POSIX may write it; under wine it opens the file, too, which still says that it may not
    if (is_denied || !is_windows) CHECK(os::read_only(top / "f") == is_denied);
    fs::permissions(top / "f", fs::perms::owner_all);
  }

  TEST_CASE("a disk has a size, and files on it a limit") {
    const scratch top;
    const os::disk here = os::disk_of(top.path());
    CHECK(here.capacity > 0);
    CHECK(os::may_be_one(here, os::disk_of(top.path())));
    CHECK(here.largest == os::largest_file(top.path()));
    CHECK(here.largest > 1000000);
  }

  TEST_CASE("the null device can be opened, and no file takes the place of a standard stream") {
    os::file device = os::open_null_device();
    CHECK(device.is_open());
    const scratch top;
    const os::standard_places held;
    CHECK(opened(top / "f", os::mode::create).descriptor() > 2);
  }

  TEST_CASE("a process knows itself, and no other takes its names") {
    CHECK(os::process_number() != 0);
    CHECK(os::owner(std::to_string(os::process_number())) == os::owner());
    CHECK(os::owner_fate(os::owner()) == (is_windows ? os::fate::gone : os::fate::alive));
    CHECK(os::may_run(std::to_string(os::process_number())) == !is_windows);
    CHECK(os::owner_fate("another machine 1 2") == os::fate::unknown);

    std::set<std::string> names;
    for (int i = 0; i < 1000; ++i)
      names.insert(os::unique());
    CHECK(names.size() == 1000);
    CHECK(names.begin()->size() == 16);
  }

  TEST_CASE("a thread runs beside its owner and is joined once") {
    std::atomic<int> steps{0};
    task one{[&steps] {
      while (steps == 0)
        os::sleep_ms(1);
      ++steps;
    }};
    os::thread t;
    CHECK_FALSE(t.running());
    REQUIRE(t.start(&one) == 0);
    CHECK(t.running());
    ++steps;
    t.join();
    CHECK_FALSE(t.running());
    CHECK(steps == 2);
    t.join();  // once more is harmless
    REQUIRE(t.start(&one) == 0);
    t.join();  // and it can be started again
    CHECK(steps == 3);

    {
      os::thread other;
      REQUIRE(other.start(&one) == 0);
    }
    CHECK(steps == 4);  // its destructor has joined it
  }

  TEST_CASE("signals and cancellation can be held back, one guard in another") {
    const os::quiet_signals quiet;
    const os::held_cancel held;
    {
      const os::quiet_signals more;
      const os::held_cancel longer;
    }
    const scratch top;
    put(top / "f", "x");
  }

  TEST_CASE("an interrupt is counted while a guard lives, and the program's handler comes back") {
    const auto before = std::signal(SIGINT, &handle);
    handled = 0;
    {
      const os::interrupt_guard outer(true), unwanted(false);
      CHECK_FALSE(outer.hit());
      std::raise(SIGINT);
      CHECK(outer.hit());
      CHECK_FALSE(unwanted.hit());
      const os::interrupt_guard inner(true);
      CHECK_FALSE(inner.hit());  // that was before it
      std::raise(SIGINT);        // and the next one comes, too
      CHECK(inner.hit());
    }
    CHECK(handled == 0);
    CHECK((std::signal(SIGINT, SIG_IGN) == &handle));
    {
      const os::interrupt_guard guard(true);
      std::raise(SIGINT);
      CHECK_FALSE(guard.hit());
    }
    CHECK((std::signal(SIGINT, SIG_DFL) == SIG_IGN));
    {
      const os::interrupt_guard guard(true);
      std::signal(SIGINT, &handle);  // the program's own business
    }
    CHECK((std::signal(SIGINT, before) == &handle));
  }
}

namespace {

struct pipes {  // of a program, and our ends
  os::file streams[3], to_input, output, errors;

  pipes() {
    REQUIRE(process::make_pipe(streams[0], to_input) == 0);
    REQUIRE(process::make_pipe(output, streams[1]) == 0);
    REQUIRE(process::make_pipe(errors, streams[2]) == 0);
  }

  void keep_ours() {
    for (os::file& one : streams)
      one.close();
    to_input.close();
  }
};

vqcache::detail::list<std::string> program(vqcache::detail::list<std::string> arguments) {
  arguments.insert_at(0, VQCACHE_OS_CHILD);
  return arguments;
}

process::process_id start(const vqcache::detail::list<std::string>& arguments, pipes& with) {
  process::process_id id = process::process_id::none;
  REQUIRE(process::spawn(program(arguments), with.streams, id) == 0);
  REQUIRE(id != process::process_id::none);
  with.keep_ours();
  return id;
}

int end_of(process::process_id id) {
  const auto code = process::ended_within(id, 20000);
  REQUIRE(code.has_value());
  process::forget(id);
  return *code;
}

std::string all_of(const os::file& pipe) {
  std::string text;
  char block[1000];
  for (;;) {
    const long got = process::read_pipe(pipe, block, sizeof block);
    REQUIRE(got >= 0);
    if (got == 0) return text;
    text.append(block, static_cast<std::size_t>(got));
  }
}

std::string said_by(process::child& one) {  // to its end
  std::string text;
  const auto start = std::chrono::steady_clock::now();
  while (since(start) < 20) {
    process::child::wait({&one}, 1000);
    char block[1000];
    const long got = one.read(block, sizeof block);
    if (got == 0) return text;
    if (got > 0) text.append(block, static_cast<std::size_t>(got));
  }
  return text + " (and it goes on)";
}

}  // namespace

TEST_SUITE("process contract") {
  TEST_CASE("a program's three streams are ours, and its exit code is told") {
    for (const int code : {0, 3, 255}) {
      pipes with;
      const auto id = start({"say", "out", "complain", "oh", "exit", std::to_string(code)}, with);
      CHECK(all_of(with.output) == "out");
      CHECK(all_of(with.errors) == "oh");
      CHECK(end_of(id) == code);
    }
  }

  TEST_CASE("arguments arrive as they are") {
    const vqcache::detail::list<std::string> odd = {"", " ", "a b", "tab\tand\nline", "\"",
        "\"quoted\"", "a\"b", "back\\slash", "back\\\\slashes", "\\", "\\\\", "at its end\\",
        "before\\\"quote", "before\\\\\"quote", "\\\\host\\share", "100%", "%PATH%", "^&|<>()",
        "$HOME `x` 'y'", "a=b", "-x", "/y", unicode};
    vqcache::detail::list<std::string> arguments{"arguments"};
    std::string wanted;
    for (const std::string& one : odd) {
      arguments.push_back(one);
      wanted += std::to_string(one.size()) + ":" + one + ";";
    }
    pipes with;
    const auto id = start(arguments, with);
    CHECK(all_of(with.output) == wanted);
    CHECK(end_of(id) == 0);
  }

  TEST_CASE("the input is there before the program, all of it or an error") {
    std::string input("\r\n\x1a\0\n\xff", 6);
    input.append(60000, 'i');
    pipes with;
    CHECK(process::fill_pipe(with.to_input, input) == 0);
    const auto id = start({"echo"}, with);
    CHECK(all_of(with.output) == input);
    CHECK(end_of(id) == 0);

    pipes unread;
    CHECK(process::fill_pipe(unread.to_input, "") == 0);
    CHECK(process::fill_pipe(unread.to_input, std::string(8 << 20, 'i')) == E2BIG);
  }

  TEST_CASE("a program that is not there does not start, and that changes nothing") {
    const process::process_id before{4711};
    process::process_id id = before;
    pipes with;
    CHECK(process::spawn({"vqcache_there_is_no_such_program"}, with.streams, id) == ENOENT);
    CHECK(id == before);
    if (!is_windows) {  // for Windows see tests/windows/story.cpp
      const scratch top;
      put(top / "no_program", "#!/bin/sh\n");
      CHECK(process::spawn({(top / "no_program").string()}, with.streams, id) == EACCES);
      CHECK(id == before);
    }
  }

  TEST_CASE("waiting for an end has a limit, and killing ends a program") {
    pipes with;
    const auto id = start({"sleep", "30000"}, with);
    const auto start = std::chrono::steady_clock::now();
    CHECK_FALSE(process::ended_within(id, 150).has_value());
    CHECK(since(start) > 0.1);
    CHECK(since(start) < 10);
    process::kill(id);
    CHECK(end_of(id) != 0);
    CHECK(since(start) < 20);
  }

  TEST_CASE("news of a pipe are bytes or its end, and waiting for them has a limit") {
    pipes with;
    const auto id = start({"sleep", "400", "say", "x", "sleep", "400"}, with);
    process::awaited both[] = {{with.output.descriptor(), true}, {-1, true}};
    CHECK(process::wait_for_news(both, 2, 50) == 0);
    CHECK_FALSE(both[0].has_news);
    CHECK_FALSE(both[1].has_news);  // below 0: nothing is awaited

    CHECK(process::wait_for_news(both, 2, 20000) == 0);
    CHECK(both[0].has_news);
    char c = 0;
    CHECK(process::read_pipe(with.output, &c, 1) == 1);
    CHECK(c == 'x');

    CHECK(process::wait_for_news(both, 2, 20000) == 0);
    CHECK(both[0].has_news);
    CHECK_FALSE(both[1].has_news);
    CHECK(process::read_pipe(with.output, &c, 1) == 0);
    CHECK(end_of(id) == 0);
  }

  TEST_CASE("a program has no file of ours but its streams") {
    os::file reading, writing;
    REQUIRE(process::make_pipe(reading, writing) == 0);
    pipes with;
    const auto id = start({"sleep", "30000"}, with);
    writing.close();
    process::awaited one{reading.descriptor(), false};
    CHECK(process::wait_for_news(&one, 1, 5000) == 0);
    CHECK(one.has_news);  // the end, though the program lives
    char c = 0;
    if (one.has_news) CHECK(process::read_pipe(reading, &c, 1) == 0);
    CHECK_FALSE(process::ended_within(id, 0).has_value());
    process::kill(id);
    (void)end_of(id);
  }

  TEST_CASE("an ended program is known to run no more") {
    pipes with;
    const auto id = start({"exit", "0"}, with);
    const std::string number = std::to_string(static_cast<std::intptr_t>(id));
    CHECK(end_of(id) == 0);
    if (!is_windows) CHECK_FALSE(os::may_run(number));
  }

  TEST_CASE("a child from its start to its end") {
    process::child one;
    CHECK(one.finish() == -1);  // not started
    REQUIRE(one.start(program({"complain", "oh", "echo", "exit", "7"}), "in") == 0);
    CHECK(said_by(one) == "in");
    char c = 0;
    CHECK(one.read(&c, 1) == -1);  // without wait() there is nothing
    CHECK(one.finish() == 7);
    CHECK(one.errors() == "oh");
    CHECK(one.finish() == -1);
  }

  TEST_CASE("a child that is abandoned ends now, and so does one that is forgotten") {
    const auto start = std::chrono::steady_clock::now();
    process::child one;
    REQUIRE(one.start(program({"sleep", "30000"}), "") == 0);
    CHECK(one.abandon() != 0);
    CHECK(one.abandon() == -1);
    {
      process::child other;
      REQUIRE(other.start(program({"sleep", "30000"}), "") == 0);
    }
    CHECK(since(start) < 15);
  }

  TEST_CASE("a child that closes its pipes and lives on is given its time, and no more") {
    const auto start = std::chrono::steady_clock::now();
    process::child one;
    REQUIRE(one.start(program({"close", "sleep", "60000"}), "") == 0);
    if (!is_windows) CHECK(said_by(one).empty());  // wine's conhost.exe holds them open
    CHECK(one.finish() != 0);
    CHECK(since(start) > 1.5);
    CHECK(since(start) < 40);
  }

  TEST_CASE("of several children the first that speaks is heard") {
    process::child slow, quick;
    REQUIRE(slow.start(program({"sleep", "30000", "say", "slow"}), "") == 0);
    REQUIRE(quick.start(program({"sleep", "200", "say", "quick", "sleep", "30000"}), "") == 0);
    const auto start = std::chrono::steady_clock::now();
    char block[100];
    long got = -1;
    while (got < 0 && since(start) < 20) {
      process::child::wait({&slow, &quick}, 5000);
      CHECK(slow.read(block, sizeof block) == -1);
      got = quick.read(block, sizeof block);
    }
    CHECK(got == 5);
    CHECK(since(start) < 15);
  }

  TEST_CASE("a child that cannot be started, or be given its input, says why") {
    process::child none, much;
    CHECK(none.start({"vqcache_there_is_no_such_program"}, "") == ENOENT);
    CHECK(none.finish() == -1);
    CHECK(much.start(program({"echo"}), std::string(8 << 20, 'i')) == E2BIG);
    CHECK(much.finish() == -1);
  }
}
