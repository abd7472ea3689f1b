// vqcache.cpp: vqcache.hpp on the command line. `vqcache --help` tells how.
//   g++ -std=c++17 -I. examples/vqcache.cpp -o vqcache
#include "vqcache.hpp"

#include <cctype>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>
#ifdef _WIN32
#include <io.h>
#else
#include <unistd.h>
#endif

namespace {

constexpr int success = 0, failure = 1, misuse = 2;

const char* const help = R"(
usage: vqcache [options] NAME                             a published model, or one held already
       vqcache [options] NAME CONFIG_URL CHECKPOINT_URL   any model
       vqcache [options] CONFIG_URL CHECKPOINT_URL        the same, under a name made of the URLs
       vqcache [options] --remove NAME                    delete it from both directories
       vqcache --list | --help | --version

Puts the model into the local directory and keeps a copy in the cache directory, which serves when
the local one was wiped or the origin is gone. Prints two lines to standard output, the absolute
paths of the config and the checkpoint; everything else goes to standard error.
A URL is http://, https://, file:// or a path; "URL#sha256=HEX" is held to that digest.

  --name NAME       the name for the form with two URLs
  --local DIR       default: $VQCACHE_LOCAL_DIR, else content/models
  --cache DIR       default: $VQCACHE_CACHE_DIR, else content/cache/models
  --no-create-dirs  a missing directory is an error
  --offline         use no network; a model that neither directory holds is then an error
  --transport X     libcurl or curl; default: libcurl where it can be loaded, else the program curl
  --header H        "Name: value", sent with both URLs and to their hosts only; may be repeated;
                    --header @FILE reads one a line, which keeps secrets out of the process list
  --quiet           no messages and no progress on standard error; errors are still told
  --                what follows is no option

exit status: 0 done, 1 the model could not be had or removed, 2 wrong usage
)";

// What the library's texts call by its own names, in the words of this tool; longer phrases first.
struct phrase {
  const char* of_library;
  const char* of_tool;
};

constexpr phrase phrases[] = {
    {"a pin, source::sha256, overrules", "URL#sha256=HEX overrules"},
    {"source::sha256 overrules", "URL#sha256=HEX overrules"},
    {", or source::sha256", ""},
    {"a pin goes to source::sha256", "a pin goes behind the URL: URL#sha256=HEX"},
    {"(source::headers)", "(--header)"},
    {" of source::size or options::max_bytes", " that are allowed"},
    {", or set options::fetch", ""},
    {"; options::fetch can serve others", ""},
    {"or set options::create_dirs", "or leave --no-create-dirs away"},
    {"options::local_dir", "--local"},
    {"options::cache_dir", "--cache"},
    {"options::transport", "--transport"},
    {"options::offline", "--offline"},
    {"vqcache::remove", "vqcache --remove NAME"},
    // what this tool never sets
    {"options::connections", "the number of connections"},
    {"options::connect_seconds", "the time to connect"},
    {"options::stall_seconds", "the time of silence"},
    {"options::fetch", "the transport"},
    {"on_message", "the output of messages"},
    {"on_progress", "the output of progress"},
};

std::string in_our_words(std::string text) {
  for (const phrase& one : phrases) {
    const std::string theirs = one.of_library, ours = one.of_tool;
    std::size_t at = text.find(theirs);
    while (at != std::string::npos) {
      text.replace(at, theirs.size(), ours);
      at = text.find(theirs, at + ours.size());
    }
  }
  return text;
}

int wrong(const std::string& why) {
  std::fprintf(stderr, "vqcache: %s; see vqcache --help\n", why.c_str());
  return misuse;
}

bool terminal() {
#ifdef _WIN32
  return _isatty(_fileno(stderr)) != 0;
#else
  return isatty(2) != 0;
#endif
}

std::string sized(std::uint64_t bytes) {
  char text[40];
  if (bytes < 100000)
    std::snprintf(text, sizeof text, "%.1f kB", static_cast<double>(bytes) / 1e3);
  else
    std::snprintf(text, sizeof text, "%.1f MB", static_cast<double>(bytes) / 1e6);
  return text;
}

void tell(const std::string& said) {  // on a terminal over the progress that may stand there
  std::string line = in_our_words(said);
  if (terminal() && line.size() < 79) line.resize(79, ' ');
  std::fprintf(stderr, "%s\n", line.c_str());
}

int report(const vqcache::error& e) {
  if (!e.code()) return success;
  tell(std::string("vqcache: ") + e.what());
  if (e.code() == vqcache::errc::interrupted) {  // whoever started us is to see what ended us
    std::signal(SIGINT, SIG_DFL);
    std::raise(SIGINT);
  }
  return e.code() == vqcache::errc::invalid_argument ? misuse : failure;
}

bool is_url(const std::string& s) {
  return s.find("://") != std::string::npos;
}

// The checkpoint's file name, and a digest of both URLs, because half of all checkpoints are called
// last.ckpt and a name stands for one model for ever. What follows # does not count.
std::string name_from(const std::string& config, const std::string& checkpoint) {
  std::uint32_t digest = 2166136261u;  // FNV-1a
  for (const std::string* url : {&config, &checkpoint})
    for (const char c : url->substr(0, url->find('#')) + "\n")
      digest = (digest ^ static_cast<unsigned char>(c)) * 16777619u;
  std::string from = checkpoint.substr(0, checkpoint.find('#'));
  for (const char* escape : {"%2F", "%2f"})
    for (std::size_t at; (at = from.find(escape)) != std::string::npos;)
      from.replace(at, 3, "/");
  const std::size_t suffix = from.rfind(".ckpt");
  if (suffix != std::string::npos)
    from.resize(suffix);
  else if (is_url(from))
    from.resize(std::min(from.find_first_of("?"), from.size()));
  from.erase(0, from.find_last_of("/\\=:") + 1);
  std::string name;
  for (const char c : from)
    if (std::isalnum(static_cast<unsigned char>(c)) || std::strchr("._-", c)) name += c;
  name.erase(0, name.find_first_not_of("._-"));
  char tail[16];
  std::snprintf(tail, sizeof tail, "-%08x", static_cast<unsigned>(digest));
  return (name.empty() ? "model" : name.substr(0, 60)) + tail;
}

bool read_headers(const std::string& argument, std::vector<std::string>& to) {
  if (argument.empty() || argument[0] != '@') return to.push_back(argument), true;
  std::ifstream file(argument.substr(1));
  if (!file) return false;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty()) to.push_back(line);
  }
  return true;
}

int list() {
  std::printf("%-26s %9s  %-9s %s\n", "NAME", "SIZE", "PINNED", "ALSO KNOWN AS");
  for (const vqcache::known_model& m : vqcache::known_models()) {
    std::string aliases;
    for (const std::string& a : m.aliases)
      aliases += (aliases.empty() ? "" : " ") + a;
    const bool config = !m.config.sha256.empty(), checkpoint = !m.checkpoint.sha256.empty();
    std::printf("%-26s %9s  %-9s %s\n", m.name.c_str(),
        m.checkpoint.size ? sized(m.checkpoint.size).c_str() : "?",
        config && checkpoint ? "yes"
            : config         ? "config"
            : checkpoint     ? "ckpt"
                             : "no",
        aliases.c_str());
  }
  return success;
}

int run(const std::vector<std::string>& arguments) {
  vqcache::options opts;
  std::vector<std::string> words, headers;
  std::string chosen, removed;
  bool quiet = false, removing = false, named = false, options_end = false;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    std::string word = arguments[i];
    if (options_end || word.size() < 2 || word[0] != '-') {
      words.push_back(word);
      continue;
    }
    if (word == "--")
      options_end = true;
    else if (word == "--help" || word == "-h")
      return std::fputs(help + 1, stdout), success;
    else if (word == "--list")
      return list();
    else if (word == "--version") {
      std::printf("vqcache %d.%d.%d\n", VQCACHE_VERSION_MAJOR, VQCACHE_VERSION_MINOR,
          VQCACHE_VERSION_PATCH);
      return success;
    } else if (word == "--offline")
      opts.offline = true;
    else if (word == "--no-create-dirs")
      opts.create_dirs = false;
    else if (word == "--quiet")
      quiet = true;
    else {  // the options with a value: --local DIR or --local=DIR
      const std::size_t equals = word.find('=');
      std::string value;
      if (equals != std::string::npos) value = word.substr(equals + 1), word.resize(equals);
      bool known = false;
      for (const char* o : {"--name", "--local", "--cache", "--transport", "--header", "--remove"})
        known = known || word == o;
      if (!known) return wrong("unknown option " + word);
      if (equals == std::string::npos) {
        if (++i == arguments.size()) return wrong(word + " needs a value");
        value = arguments[i];
      }
      if (value.empty()) return wrong(word + " needs a value");
      if (word == "--name")
        chosen = value, named = true;
      else if (word == "--local")
        opts.local_dir = value;
      else if (word == "--cache")
        opts.cache_dir = value;
      else if (word == "--transport")
        opts.transport = value;
      else if (word == "--remove")
        removed = value, removing = true;
      else if (!read_headers(value, headers))
        return wrong("cannot read " + value.substr(1));
    }
  }
  opts.catch_interrupt = true;
  opts.on_message = nullptr;
  if (!quiet) opts.on_message = tell, opts.on_progress = vqcache::progress_line{stderr};

  if (removing) {
    if (!words.empty()) return wrong("--remove takes one name and nothing else");
    const vqcache::error e = vqcache::try_remove(removed, opts);
    if (!e.code() && !quiet)
      std::fprintf(stderr, "Neither directory holds a model called %s now.\n", removed.c_str());
    return report(e);
  }
  if (words.empty() || words.size() > 3)
    return wrong(words.empty() ? "no model named" : "too many arguments");
  if (named && words.size() != 2) return wrong("--name is for the form with two URLs");
  if (!headers.empty() && words.size() == 1) return wrong("--header is for the forms with URLs");
  if (words.size() == 1 && is_url(words[0])) return wrong("the checkpoint's URL is missing");
  vqcache::result got;
  if (words.size() == 1) {
    got = vqcache::try_download_vqgan_model(words[0], opts);
  } else {
    const std::string& config = words[words.size() - 2];
    const std::string& checkpoint = words.back();
    if (words.size() == 2 && !named) {
      if (!is_url(config) && config.find_first_of("/\\.") == std::string::npos)
        return wrong("'" + config + "' is no URL and no path; a name needs both URLs after it");
      chosen = name_from(config, checkpoint);
      if (!quiet) std::fprintf(stderr, "The model is called %s here.\n", chosen.c_str());
    }
    got = vqcache::try_download_vqgan_model(words.size() == 3 ? words[0] : chosen,
        vqcache::source({config}, {}, headers), vqcache::source({checkpoint}, {}, headers), opts);
  }
  if (!got) return report(got.error);
  std::printf("%s\n%s\n", got.model.config.string().c_str(), got.model.checkpoint.string().c_str());
  if (std::fflush(stdout) != 0) return std::fputs("vqcache: cannot write\n", stderr), failure;
  return success;
}

}  // namespace

int main(int argc, char** argv) {
  return run(std::vector<std::string>(argv + 1, argv + argc));
}
