// The program that contract.cpp starts. Its arguments say what it does, one after the other:
//   say TEXT, complain TEXT   writes it to standard output, or error
//   echo                      copies standard input to standard output
//   close                     closes standard output and error
//   sleep MS
//   exit CODE                 ends it; without: 0
//   arguments ...             writes all that follow, each with its length before it
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#if defined(_WIN32)
#include <fcntl.h>
#include <io.h>
#include <windows.h>
// after it
#include <shellapi.h>
#endif

namespace {

#if defined(_WIN32)
std::string utf8(const wchar_t* wide) {
  const int size = ::WideCharToMultiByte(CP_UTF8, 0, wide, -1, nullptr, 0, nullptr, nullptr);
  std::string text(static_cast<std::size_t>(size), '\0');
  ::WideCharToMultiByte(CP_UTF8, 0, wide, -1, &text[0], size, nullptr, nullptr);
  text.pop_back();
  return text;
}

// As Windows takes the line apart; what is ASCII the C library has to see in the same way.
std::vector<std::string> arguments(int argc, char** argv) {
  int count = 0;
  wchar_t** const wide = ::CommandLineToArgvW(::GetCommandLineW(), &count);
  std::vector<std::string> all;
  for (int i = 0; i < count; ++i) {
    std::string one = utf8(wide[i]);
    bool is_ascii = true;
    for (const char c : one)
      is_ascii = is_ascii && static_cast<unsigned char>(c) < 0x80;
    const bool is_same = i < argc && one == argv[i];
    if (is_ascii && !is_same) one += " (the C library has it otherwise)";
    all.push_back(one);
  }
  ::LocalFree(wide);
  return all;
}

void use_binary_streams() {
  for (const int stream : {0, 1, 2})
    (void)::_setmode(stream, _O_BINARY);
}

void close_streams() {
  std::fclose(stdout);
  std::fclose(stderr);
  // where the C library has its own handles for them
  (void)::CloseHandle(::GetStdHandle(STD_OUTPUT_HANDLE));
  (void)::CloseHandle(::GetStdHandle(STD_ERROR_HANDLE));
}
#else
std::vector<std::string> arguments(int argc, char** argv) {
  return std::vector<std::string>(argv, argv + argc);
}

void use_binary_streams() {
}

void close_streams() {
  std::fclose(stdout);
  std::fclose(stderr);
}
#endif

void put(const std::string& text, std::FILE* to) {
  std::fwrite(text.data(), 1, text.size(), to);
  std::fflush(to);
}

void echo() {
  char block[4096];
  for (;;) {
    const std::size_t got = std::fread(block, 1, sizeof block, stdin);
    if (got == 0) return;
    put(std::string(block, got), stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  use_binary_streams();
  const std::vector<std::string> words = arguments(argc, argv);
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string& what = words[i];
    if (what == "echo") {
      echo();
      continue;
    }
    if (what == "close") {
      close_streams();
      continue;
    }
    if (what == "arguments") {
      for (std::size_t k = i + 1; k < words.size(); ++k)
        put(std::to_string(words[k].size()) + ":" + words[k] + ";", stdout);
      return 0;
    }

    const std::string with = i + 1 < words.size() ? words[++i] : "";
    if (what == "say") put(with, stdout);
    if (what == "complain") put(with, stderr);
    if (what == "sleep") std::this_thread::sleep_for(std::chrono::milliseconds(std::stoi(with)));
    if (what == "exit") return std::stoi(with);
  }
  return 0;
}
