// A program that includes the header and loads libraries that include it too:
//   plugin_host LIBRARY [DIRECTORY]    with DIRECTORY the library's plugin_work is called there
// It opens and closes the library ten times (and works in it three times). What it prints ends in "unloaded" or "stays loaded".

#include "vqcache.hpp"

#include <dlfcn.h>
#include <signal.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string>
#include <system_error>

using vqcache::errc;

static int failures = 0;

static void expect(bool holds, int line, const char* what) {
  if (holds) return;
  ++failures;
  std::printf("plugin_host.cpp:%d: %s\n", line, what);
}

#define EXPECT(...) expect((__VA_ARGS__), __LINE__, #__VA_ARGS__)

template <class F>
static F* find(void* library, const char* name) {
  return reinterpret_cast<F*>(::dlsym(library, name));
}

static void compare_codes(void* library) {
  std::error_code code;
  find<void(std::error_code&)>(library, "plugin_code")(code);
  EXPECT(code == errc::name_taken);
  EXPECT(errc::name_taken == code);
  EXPECT(!(code == errc::io) && !(errc::io == code));
  EXPECT(code != errc::io && errc::io != code);
  EXPECT(!(code != errc::name_taken) && !(errc::name_taken != code));
  EXPECT(code == std::errc::file_exists && std::errc::file_exists == code);
  EXPECT(code != std::errc::io_error);
  EXPECT(code.message() == make_error_code(errc::name_taken).message());

  // of this program's category, and of the library's, in the other's hands
  const std::error_condition ours(int(errc::name_taken), vqcache::error_category());
  std::error_condition theirs;
  find<void(std::error_condition&)>(library, "plugin_condition")(theirs);
  EXPECT(code == ours && make_error_code(errc::name_taken) == theirs);
  EXPECT(code != std::error_condition(int(errc::io), vqcache::error_category()));

  const auto knows = find<bool(const std::error_code&)>(library, "plugin_knows");
  EXPECT(knows(errc::name_taken) && !knows(errc::io));
  EXPECT(!knows(std::error_code(int(errc::name_taken), std::generic_category())));
}

static void catch_errors(void* library) {
  const auto throws = find<void()>(library, "plugin_throws");
  bool caught = false;
  try {
    throws();
  } catch (const vqcache::error& e) {
    caught = e.code() == errc::name_taken && std::strcmp(e.what(), "thrown in the plugin") == 0;
  } catch (...) {}
  EXPECT(caught);

  caught = false;
  try {
    throws();
  } catch (const std::system_error& e) {
    caught = e.code() == errc::name_taken;
  }
  EXPECT(caught);
}

static void look_for_traces() {
  struct sigaction now{};
  EXPECT(::sigaction(SIGINT, nullptr, &now) == 0 && now.sa_handler == SIG_DFL);
#if defined(__linux__)
  int threads = 0;
  std::error_code none;  // of /proc, in a chroot perhaps
  for (const auto& one : std::filesystem::directory_iterator("/proc/self/task", none))
    threads += one.exists() ? 1 : 0;
  EXPECT(none || threads == 1);
#endif
}

int main(int argc, char** argv) {
  if (argc < 2) return 2;

  for (int round = 0; round < 10 && failures == 0; ++round) {
    void* const library = ::dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (!library) return std::printf("%s\n", ::dlerror()), 1;
    EXPECT(find<int()>(library, "plugin_models")() > 0);
    compare_codes(library);
    catch_errors(library);

    if (argc > 2 && round < 3) {
      const int step = find<int(const char*)>(library, "plugin_work")(argv[2]);
      if (step != 0) std::printf("step %d of plugin_work\n", step);
      EXPECT(step == 0);
    }

    EXPECT(::dlclose(library) == 0);
    look_for_traces();
  }

  const bool stays = ::dlopen(argv[1], RTLD_NOW | RTLD_NOLOAD) != nullptr;
  std::printf("%s\n", stays ? "stays loaded" : "unloaded");
  return failures == 0 ? 0 : 1;
}
