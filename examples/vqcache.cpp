// vqcache.cpp: vqcache.hpp on the command line. `vqcache help` tells how.
//   g++ -std=c++17 -I. examples/vqcache.cpp -o vqcache
//
// What it does is a public function of the header; here stand words, tables and JSON. From the top:
// what a command gives back, the JSON writer, what goes to a terminal, what was asked (the tables of
// options and of commands are below), and a function for each command.
#include "vqcache.hpp"

#include <algorithm>
#include <cctype>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <optional>
#include <string>
#include <utility>
#include <vector>
#ifdef _WIN32
#include <io.h>
#else
#include <sys/ioctl.h>
#include <unistd.h>
#endif

namespace {

constexpr int success = 0, failure = 1, misuse = 2;

// ---- the words of this tool ---------------------------------------------------------------------

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
    {"that source::size tells", "that are known of it"},
    {"that options::max_bytes allows; set it higher, or to 0 for no limit", "that this tool takes"},
    {", or set options::fetch", ""},
    {"; options::fetch can serve others", ""},
    {"or set options::create_dirs", "or leave --no-create-dirs away"},
    {"options::create_dirs is false", "--no-create-dirs is given"},
    {"(options::keep_copy is false then)", "(--no-copy)"},
    {"list_models() tells", "vqcache list tells"},
    {" (options::recheck_copy)", ""},
    {"or set options::keep_copy to false", "or give --no-copy"},
    {"options::keep_copy is false", "--no-copy is given"},
    {"(options::keep_copy)", "(--no-copy)"},
    {"options::also_look_in", "--also"},
    {"also_look_in", "--also"},  // of the doctor
    {"errc::name_taken is told", "the second one is refused"},
    {"repair_model mends", "vqcache repair NAME mends"},
    {"vqcache::repair_model may", "vqcache repair NAME may"},
    {"options::local_dir", "--local"},
    {"options::cache_dir", "--cache"},
    {"options::transport", "--transport"},
    {"options::offline", "--offline"},
    {"options::connections", "--connections"},
    {"are the URLs of config and checkpoint swapped?",
        "two URLs are a VQGAN's config and its checkpoint, in this order, and no mirrors: are they "
        "swapped?"},
    {"options::max_bytes_per_second", "--limit-rate"},
    {"vqcache::remove", "vqcache remove NAME"},
    {"local_dir", "--local"},  // of the doctor
    {"cache_dir", "--cache"},
    // what this tool never sets
    {"options::connect_seconds", "the time to connect"},
    {"options::stall_seconds", "the time of silence"},
    {"options::fetch", "the transport"},
    {"on_message", "the output of messages"},
    {"on_progress", "the output of progress"},
};

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  std::size_t at = text.find(what);
  while (at != std::string::npos) {
    text.replace(at, what.size(), by);
    at = text.find(what, at + by.size());
  }
  return text;
}

std::string in_our_words(std::string text) {
  for (const phrase& one : phrases) {
    text = replaced(std::move(text), one.of_library, one.of_tool);
  }
  return text;
}

const char* name_of(vqcache::errc code) {
  static constexpr const char* names[] = {"none", "invalid_argument", "unknown_model", "name_taken",
      "directory_missing", "permission_denied", "no_space", "offline", "no_transport", "connection",
      "tls", "http_status", "not_the_file", "truncated", "hash_mismatch", "callback", "cancelled",
      "interrupted", "timed_out", "io"};
  static_assert(sizeof names / sizeof *names == static_cast<int>(vqcache::errc::io) + 1, "a name");
  return names[static_cast<int>(code)];
}

const char* name_of(vqcache::origin where) {
  static constexpr const char* names[] = {"local", "cache", "network"};
  return names[static_cast<int>(where)];
}

const char* name_of(vqcache::severity how) {
  static constexpr const char* names[] = {"information", "warning", "failure"};
  return names[static_cast<int>(how)];
}

const char* name_of(vqcache::condition is) {
  static constexpr const char* names[] = {"right", "missing", "damaged", "unreadable", "unvouched"};
  return names[static_cast<int>(is)];
}

std::string decimal(double value, const char* unit) {
  char text[40];
  std::snprintf(text, sizeof text, "%.1f %s", value, unit);
  return text;
}

std::string sized(std::uint64_t bytes) {
  const auto value = static_cast<double>(bytes);
  if (bytes < 1000) return std::to_string(bytes) + " B";
  if (value < 1e5) return decimal(value / 1e3, "kB");
  return value < 1e10 ? decimal(value / 1e6, "MB") : decimal(value / 1e9, "GB");
}

// 100, 500M, 1.5GB, 20GiB
struct unit {
  const char* name;
  double bytes;
};

constexpr unit units[] = {{"", 1}, {"k", 1e3}, {"K", 1e3}, {"M", 1e6}, {"G", 1e9}, {"T", 1e12},
    {"Ki", 1024.0}, {"Mi", 1048576.0}, {"Gi", 1073741824.0}, {"Ti", 1099511627776.0}};

std::optional<std::uint64_t> read_size(const std::string& text) {  // nothing: it is none
  const std::size_t end = (std::min)(text.find_first_not_of("0123456789."), text.size());
  const std::string number = text.substr(0, end);
  std::string called = text.substr(end);
  if (!called.empty() && called.back() == 'B') {
    called.pop_back();
  }

  const bool has_digit = number.find_first_not_of('.') != std::string::npos;
  const bool is_number = has_digit && number.find('.') == number.rfind('.');
  for (const unit& one : units) {
    if (!is_number || called != one.name) continue;
    const double bytes = std::strtod(number.c_str(), nullptr) * one.bytes;
    constexpr double too_many = 1.8e19;
    if (bytes < too_many) return static_cast<std::uint64_t>(bytes);
  }
  return {};
}

std::string date(std::int64_t seconds, const char* format) {  // UTC; empty: never
  const std::time_t then = static_cast<std::time_t>(seconds);
  const std::tm* const parts = seconds > 0 ? std::gmtime(&then) : nullptr;
  char text[40] = "";
  if (parts) {
    std::strftime(text, sizeof text, format, parts);
  }
  return text;
}

std::string padded(std::string text, std::size_t width) {
  text.resize((std::max)(text.size(), width), ' ');
  return text;
}

// How many letters have to be put in, taken out or exchanged to make one word of the other.
std::size_t distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) {
    row[j] = j;
  }

  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t exchanged = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = (std::min)(exchanged, (std::min)(row[j], row[j - 1]) + 1);
    }
  }
  return row[b.size()];
}

// The name in a table that is most like the word; empty: none is.
template <class Table>
std::string nearest(const Table& table, const std::string& word) {
  std::string found;
  std::size_t best = (std::min)(std::size_t{3}, word.size() / 2 + 1);  // this far is not alike
  for (const auto& one : table) {
    const std::size_t far = distance(word, one.name);
    if (far < best) {
      best = far;
      found = one.name;
    }
  }
  return found;
}

// A question ends with its own mark: what follows is a sentence then.
std::string followed(const std::string& text, std::string more) {
  if (text.empty() || text.back() != '?') return text + "; " + more;
  more[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(more[0])));
  return text + " " + more;
}

// "TEXT; did you mean ALIKE?", or the text alone where nothing is alike.
std::string with_question(const std::string& text, const std::string& alike) {
  return alike.empty() ? text : followed(text, "did you mean " + alike + "?");
}

// ---- JSON: a writer -----------------------------------------------------------------------------

// The documents and their fields, as `vqcache help json` prints them. They stay; new ones may come.
const char* const json_help = R"(
With --json one document goes to standard output, also after an error. Sizes are in bytes, times in
UTC. What failed as a whole is {"error": ERROR}; where some models failed, "error" is the first.

  ERROR        {"code", "text"}: the code is "usage", or the library's: invalid_argument,
               unknown_model, name_taken, directory_missing, permission_denied, no_space, offline,
               no_transport, connection, tls, http_status, not_the_file, truncated, hash_mismatch,
               callback, cancelled, interrupted, timed_out, io; or "no_copy", of --require-copy
  get          {"name", "from": "local" | "cache" | "network", "is_cached", "files": [PATH],
               "config", "checkpoint"}: the last two of a pair alone
  list         {"models": [{"name", "size", "is_local", "is_cached", "stored", "last_used",
               "files": [{"file", "size", "sha256", "is_local", "is_cached"}]}]}
  known        {"models": [{"name", "aliases": [NAME], "config": SOURCE, "checkpoint": SOURCE}]}
  SOURCE       {"urls": [URL], "sha256", "size"}: "" and 0 are not known
  where        {"name", "files": [PATH]}
  verify       {"models": [{"name", "is_right", "files": [{"file", "where": "local" | "cache",
  and repair   "path", "condition": "right" | "missing" | "damaged" | "unreadable" | "unvouched",
               "why"}]}], "error"}; a model may have "error" in place of the last two
  remove       {"models": [{"name", "is_removed", "error"}], "error"}
  prune        {"models": [{"name", "size", "is_removed", "why"}], "freed", "left", "is_dry_run"};
               in a dry run what would be removed, and freed
  explain      {"name", "is_hit", "summary", "files": [{"file", "path", "step", "why": [TEXT]}]}
  doctor       {"findings": [{"about", "severity": "information" | "warning" | "failure", "said",
               "advice"}]}
  completions  {"script"}
  help         {"help"}
  version      {"version"}
)";

// How the UTF-8 characters begin that are longer than a byte: RFC 3629, section 4.
struct utf8_row {
  unsigned first, last;      // of the first byte
  unsigned lowest, highest;  // of the second one
  std::size_t length;
};

constexpr utf8_row utf8_rows[] = {{0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
    {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
    {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};

bool is_between(unsigned low, unsigned byte, unsigned high) {
  return low <= byte && byte <= high;
}

// The bytes of the character that begins at text[at], or 0: there is none.
std::size_t length_of_character(const std::string& text, std::size_t at) {
  const auto byte = [&](std::size_t i) -> unsigned {
    return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0U;
  };
  if (byte(0) < 0x80) return 1;

  for (const utf8_row& row : utf8_rows) {
    if (!is_between(row.first, byte(0), row.last)) continue;
    bool is_whole = is_between(row.lowest, byte(1), row.highest);
    for (std::size_t i = 2; i < row.length; ++i) {
      is_whole = is_whole && is_between(0x80, byte(i), 0xbf);
    }
    return is_whole ? row.length : 0;
  }
  return 0;
}

std::string escaped(char c) {
  switch (c) {
    case '"': return "\\\"";
    case '\\': return "\\\\";
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    default: break;
  }

  const unsigned code = static_cast<unsigned char>(c);
  if (code >= 0x20 && code != 0x7f) return std::string(1, c);
  char text[8];
  std::snprintf(text, sizeof text, "\\u%04x", code);
  return text;
}

// What is no UTF-8 becomes the character for that, U+FFFD.
std::string json_text(const std::string& text) {
  std::string all = "\"";
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = length_of_character(text, at);
    if (length == 1) {
      all += escaped(text[at]);
    } else {
      all += length > 0 ? text.substr(at, length) : "\xef\xbf\xbd";
    }
    at += (std::max)(length, std::size_t{1});
  }
  return all + "\"";
}

struct json {  // a value, written
  std::string text;

  json(const std::string& value) : text(json_text(value)) {}

  json(const char* value) : text(json_text(value)) {}

  json(bool value) : text(value ? "true" : "false") {}

  json(std::uint64_t value) : text(std::to_string(value)) {}

  json(const std::filesystem::path& value) {
    const auto bytes = value.u8string();
    text = json_text(std::string(bytes.begin(), bytes.end()));
  }
};

using fields = std::vector<std::pair<const char*, json>>;

json object(const fields& all) {
  json made("");
  made.text = "{";
  for (const auto& one : all) {
    made.text += (made.text.size() > 1 ? ", " : "") + json_text(one.first) + ": " + one.second.text;
  }
  made.text += "}";
  return made;
}

template <class List, class Each>
json array(const List& all, const Each& each) {
  json made("");
  made.text = "[";
  for (const auto& one : all) {
    made.text += (made.text.size() > 1 ? ", " : "") + json(each(one)).text;
  }
  made.text += "]";
  return made;
}

template <class List>
json array(const List& all) {
  return array(all, [](const typename List::value_type& one) { return json(one); });
}

// ---- the terminal, where standard error is one --------------------------------------------------

bool is_terminal(std::FILE* stream) {
#ifdef _WIN32
  return _isatty(_fileno(stream)) != 0;
#else
  return isatty(fileno(stream)) != 0;
#endif
}

bool has_colours(std::FILE* stream) {
#ifdef _WIN32
  (void)stream;  // an older console would print the codes
  return false;
#else
  const char* const unwanted = std::getenv("NO_COLOR");  // https://no-color.org
  const char* const kind = std::getenv("TERM");
  const bool is_dumb = !kind || std::strcmp(kind, "dumb") == 0;
  return is_terminal(stream) && !is_dumb && (!unwanted || !*unwanted);
#endif
}

std::string coloured(const std::string& text, vqcache::severity how, std::FILE* stream) {
  if (how == vqcache::severity::information || !has_colours(stream)) return text;
  const std::string start = how == vqcache::severity::warning ? "\033[33m" : "\033[31m";
  return start + text + "\033[0m";
}

std::size_t columns() {
#ifndef _WIN32
  winsize size{};
  if (ioctl(2, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
#endif
  const char* const told = std::getenv("COLUMNS");
  const int number = told ? std::atoi(told) : 0;
  return number > 0 ? static_cast<std::size_t>(number) : 80;
}

const char* name_of(vqcache::phase what) {
  static constexpr const char* names[] = {
      "awaiting", "downloading", "restoring", "storing", "checking"};
  return names[static_cast<int>(what)];
}

std::string bar(const vqcache::progress& p, std::size_t width) {
  const double part = static_cast<double>(p.done) / static_cast<double>(p.total);
  const auto done = static_cast<std::size_t>(static_cast<double>(width) * (std::min)(part, 1.0));
  return "[" + std::string(done, '#') + std::string(width - done, '.') + "] ";
}

// What there is room for: the file and how far it is, then the rate, then a bar.
std::string progress_text(const vqcache::progress& p, std::size_t width) {
  constexpr std::size_t shortest = 10, longest = 40;  // of a bar
  const std::string head = std::string(name_of(p.phase)) + " " + p.file + " ";
  std::string facts = sized(p.done);
  if (p.total > 0) {
    facts = std::to_string(p.done * 100 / p.total) + "% of " + sized(p.total);
  }

  std::string rate;
  if (p.seconds_left >= 0) {
    const auto left = static_cast<std::uint64_t>(p.seconds_left);
    rate = ", " + sized(static_cast<std::uint64_t>(p.bytes_per_second)) + "/s, "
        + std::to_string(left) + " s left";
  }
  if (head.size() + facts.size() + rate.size() <= width) {
    facts += rate;
  }

  const std::size_t used = head.size() + facts.size() + std::strlen("[] ");
  const bool has_room = p.total > 0 && used + shortest <= width;
  const std::string drawn = has_room ? bar(p, (std::min)(width - used, longest)) : std::string();
  return (head + drawn + facts).substr(0, width);
}

bool show_progress(const vqcache::progress& p) {
  const std::size_t width = columns() - 1;  // some terminals wrap a line that is full
  const bool is_last = p.total > 0 && p.done >= p.total;
  const std::string text = padded(progress_text(p, width), width);
  std::fprintf(stderr, "\r%s%s", text.c_str(), is_last ? "\n" : "\r");
  std::fflush(stderr);
  return true;
}

void tell(const vqcache::message& said) {  // over the progress that may stand there
  std::string line = in_our_words(said);
  if (is_terminal(stderr)) {
    line = padded(line, columns() - 1);
  }
  line = coloured(line, said.how, stderr);
  std::fprintf(stderr, "%s\n", line.c_str());
}

// ---- what a command gives back ------------------------------------------------------------------

struct outcome {
  int status = success;
  std::string text{};       // for standard output; or the document in its place
  fields document{};        // with --json
  std::string complaint{};  // for standard error; the document has it too
  bool is_interrupted = false;
};

outcome misused(const std::string& why) {
  outcome one;
  one.status = misuse;
  one.complaint = followed(why, "see vqcache help");
  one.document = {
      {"error", object({{"code", "usage"}, {"text", why}})},
  };
  return one;
}

json described(const vqcache::error& e) {
  const auto code = static_cast<vqcache::errc>(e.code().value());
  return object({{"code", name_of(code)}, {"text", in_our_words(e.what())}});
}

int status_of(const vqcache::error& e) {
  if (!e.code()) return success;
  return e.code() == vqcache::errc::invalid_argument ? misuse : failure;
}

outcome failed(const vqcache::error& e) {
  outcome one;
  one.status = status_of(e);
  one.complaint = e.what();
  one.document = {{"error", described(e)}};
  one.is_interrupted = e.code() == vqcache::errc::interrupted;
  return one;
}

// One of several models failed: the others have their turn, but after Ctrl-C.
void note_failure(outcome& all, const vqcache::error& e) {
  const outcome one = failed(e);
  const bool is_first = all.complaint.empty();
  all.status = (std::max)(all.status, one.status);
  all.is_interrupted = one.is_interrupted;
  all.complaint += (is_first ? "" : "\n") + one.complaint;
}

void add_first_error(outcome& all, const vqcache::error& e) {
  if (e.code()) {
    all.document.emplace_back("error", described(e));
  }
}

// ---- what was asked -----------------------------------------------------------------------------

struct command;

struct invocation {
  std::string problem{};  // why it cannot be done, if anything is wrong with the words
  const command* what = nullptr;
  bool is_old_form = false;  // without a command: what is to be got
  std::vector<std::string> words{};
  std::vector<const char*> given{};  // the names of its options
  std::vector<std::string> headers{};
  std::string chosen_name{};
  bool is_quiet = false, is_verbose = false, is_json = false, is_all = false, is_dry_run = false;
  bool needs_copy = false;
  vqcache::options opts{};
};

void say(const invocation& a, const std::string& line) {
  if (!a.is_quiet) {
    tell(line);
  }
}

struct command {
  const char* name;
  const char* takes;        // the words after it, as the help shows them
  std::size_t least, most;  // how many
  const char* completes;    // which names a shell offers: "", held, known (or held), shell
  const char* meaning;
  outcome (*act)(const invocation&);
};

constexpr std::size_t any_number = 1000000;

bool is_url(const std::string& s) {
  return s.find("://") != std::string::npos;
}

bool is_place(const std::string& s) {  // a URL, or a path that looks like one
  return is_url(s) || s.find_first_of("/\\.") != std::string::npos;
}

// ---- get ----------------------------------------------------------------------------------------

// The checkpoint's file name, and a digest of both URLs, because half of all checkpoints are called
// last.ckpt and a name stands for one model for ever. What follows # does not count.
std::uint32_t digest_of(const std::string& config, const std::string& checkpoint) {
  std::uint32_t digest = 2166136261U;  // FNV-1a
  for (const std::string* url : {&config, &checkpoint}) {
    for (const char c : url->substr(0, url->find('#')) + "\n") {
      digest = (digest ^ static_cast<unsigned char>(c)) * 16777619U;
    }
  }
  return digest;
}

std::string file_of(const std::string& url) {  // without its extension
  std::string from = url.substr(0, url.find('#'));
  from = replaced(replaced(std::move(from), "%2F", "/"), "%2f", "/");
  const std::size_t suffix = from.rfind(".ckpt");
  if (suffix != std::string::npos) {
    from.resize(suffix);
  } else if (is_url(from)) {
    from.resize((std::min)(from.find('?'), from.size()));
  }
  from.erase(0, from.find_last_of("/\\=:") + 1);
  return from;
}

const std::string letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

std::string name_from(const std::string& config, const std::string& checkpoint) {
  std::string name;
  for (const char c : file_of(checkpoint)) {
    if ((letters + "._-").find(c) != std::string::npos) {
      name += c;
    }
  }
  name.erase(0, name.find_first_not_of("._-"));

  char tail[16];
  std::snprintf(tail, sizeof tail, "-%08x", static_cast<unsigned>(digest_of(config, checkpoint)));
  return (name.empty() ? "model" : name.substr(0, 60)) + tail;
}

// FILE=URL; a FILE is of the letters of names and /, so that ./a=b and http://a/?b=c are places
std::size_t end_of_file_name(const std::string& word) {
  const std::size_t end = word.find_first_not_of(letters + "._-/");
  const bool is_name = letters.find(word[0]) != std::string::npos || word[0] == '_';
  return is_name && end != std::string::npos && word[end] == '=' ? end : std::string::npos;
}

enum class form { name_alone, file, pair, set };

struct wanted {
  std::string problem{};  // what is wrong with the words, if anything
  form how = form::name_alone;
  std::string name{};
  std::vector<std::string> urls{}, files{};
};

const char* const name_is_for_pairs = "--name is for the form with two URLs";

wanted wanted_set(const invocation& a) {
  wanted all;
  all.how = form::set;
  all.name = a.words[0];
  all.problem = a.chosen_name.empty() ? "" : name_is_for_pairs;
  for (std::size_t i = 1; i < a.words.size(); ++i) {
    const std::string& word = a.words[i];
    const std::size_t end = end_of_file_name(word);
    if (end == std::string::npos) {
      all.problem = "'" + word + "' is not of the form FILE=URL, as the others are";
      return all;
    }
    all.files.push_back(word.substr(0, end));
    all.urls.push_back(word.substr(end + 1));
  }
  return all;
}

std::string nearest_command(const std::string& word);  // empty: none is like it

// CONFIG_URL CHECKPOINT_URL, under a name that was given, or is made.
wanted nameless_pair(const invocation& a) {
  wanted all;
  all.how = form::pair;
  all.name = a.chosen_name;
  all.urls = a.words;
  if (!all.name.empty()) return all;

  if (!is_place(a.words[0])) {
    const std::string alike = a.is_old_form ? nearest_command(a.words[0]) : "";
    const std::string is_no = "'" + a.words[0] + "' is no ";
    all.problem = alike.empty() ? is_no + "URL and no path; a name needs both URLs after it"
                                : with_question(is_no + "command", alike);
    return all;
  }
  all.name = name_from(a.words[0], a.words[1]);
  say(a, "The model is called " + all.name + " here.");
  return all;
}

std::string problem_of_count(const invocation& a) {
  const std::size_t count = a.words.size();
  if (count != 2 && !a.chosen_name.empty()) return name_is_for_pairs;
  if (count > 3) return "too many arguments";
  if (count > 1) return {};
  if (!a.headers.empty()) return "--header is for the forms with URLs";
  if (!is_url(a.words[0])) return {};
  return "a URL alone has no name: vqcache get NAME URL; or the other URL is missing";
}

wanted what_is_wanted(const invocation& a) {
  const std::vector<std::string>& words = a.words;
  const bool has_files = words.size() > 1 && end_of_file_name(words[1]) != std::string::npos;
  if (has_files && !a.is_old_form) return wanted_set(a);

  wanted all;
  all.problem = problem_of_count(a);
  if (!all.problem.empty()) return all;

  const bool may_lack_name = a.is_old_form || !a.chosen_name.empty() || is_url(words[0]);
  if (words.size() == 2 && may_lack_name) return nameless_pair(a);

  constexpr form by_count[] = {form::name_alone, form::file, form::pair};
  all.how = by_count[words.size() - 1];
  all.name = words[0];
  all.urls.assign(words.begin() + 1, words.end());
  return all;
}

vqcache::source source_of(const invocation& a, const std::string& url) {
  return vqcache::source({url}, {}, a.headers);
}

// By the local directory alone: no cache is asked, and nothing is said.
std::vector<vqcache::held_model> held_here(const vqcache::options& opts) {
  vqcache::options own = opts;
  own.keep_copy = false;
  own.also_look_in.clear();
  own.on_message = nullptr;
  return vqcache::try_list_models(own).value;
}

bool is_here(const std::string& name, const vqcache::options& opts) {  // all of it
  for (const vqcache::held_model& one : held_here(opts)) {
    if (one.name == name) return one.is_local();
  }
  return false;
}

// A published model, or one that is held: a pair needs no receipt, any other set has one. What is
// here is found by its receipt, so that a store is not asked for nothing.
vqcache::result bring_by_name(const std::string& name, const vqcache::options& opts) {
  if (is_here(name, opts)) {
    vqcache::result held = vqcache::try_restore_model(name, opts);
    if (held) return held;
  }

  const vqcache::result pair = vqcache::try_download_vqgan_model(name, opts);
  if (pair.error.code() != vqcache::errc::unknown_model) return pair;

  const vqcache::result any = vqcache::try_restore_model(name, opts);
  return any.error.code() == vqcache::errc::unknown_model ? pair : any;
}

vqcache::result bring(const invocation& a, const wanted& all) {
  std::vector<vqcache::source> from;
  for (const std::string& url : all.urls) {
    from.push_back(source_of(a, url));
  }

  switch (all.how) {
    case form::name_alone: return bring_by_name(all.name, a.opts);
    case form::file: return vqcache::try_download_file(all.name, from[0], a.opts);
    case form::pair: return vqcache::try_download_vqgan_model(all.name, from[0], from[1], a.opts);
    case form::set: break;
  }
  std::vector<vqcache::named_source> files;
  for (std::size_t i = 0; i < from.size(); ++i) {
    files.push_back({all.files[i], from[i]});
  }
  return vqcache::try_download_model(all.name, files, a.opts);
}

// The files are here, and whoever gave --require-copy wants to know that nothing else holds them.
void demand_copy(outcome& one, const std::string& name) {
  const std::string why = "model '" + name
      + "': it is complete here, and no copy is kept, which --require-copy demands; the message "
        "before tells why, and vqcache doctor looks closer";
  one.status = failure;
  one.complaint = why;
  one.document.emplace_back("error", object({{"code", "no_copy"}, {"text", why}}));
}

outcome get(const invocation& a) {
  if (a.needs_copy && !a.opts.keep_copy) {
    return misused("--require-copy and --no-copy contradict each other");
  }
  const wanted all = what_is_wanted(a);
  if (!all.problem.empty()) return misused(all.problem);

  const vqcache::result got = bring(a, all);
  if (!got) {
    const std::string alike = a.is_old_form ? nearest_command(all.name) : "";
    const bool is_unknown = got.error.code() == vqcache::errc::unknown_model;
    if (alike.empty() || !is_unknown) return failed(got.error);
    return failed(vqcache::error(vqcache::errc::unknown_model,
        with_question(
            "'" + all.name + "' is no command, and no model of this name is known or held",
            "the command " + alike),
        {}));
  }

  outcome one;
  for (const std::filesystem::path& file : got.model.files) {
    one.text += file.string() + "\n";
  }
  one.document = {
      {"name", got.model.name},
      {"from", name_of(got.model.from)},
      {"is_cached", got.model.cached},
      {"files", array(got.model.files)},
  };
  if (!got.model.config.empty()) {
    one.document.emplace_back("config", got.model.config);
    one.document.emplace_back("checkpoint", got.model.checkpoint);
  }
  if (a.is_verbose) {
    say(a,
        std::string("It came from: ") + name_of(got.model.from)
            + "; the cache has it: " + (got.model.cached ? "yes" : "no") + ".");
  }
  if (a.needs_copy && !got.model.cached) {
    demand_copy(one, got.model.name);
  }
  return one;
}

// ---- what is held, and what is known ------------------------------------------------------------

std::uint64_t size_of(const vqcache::held_model& model) {
  std::uint64_t all = 0;
  for (const vqcache::held_file& file : model.files) {
    all += file.size;
  }
  return all;
}

json described(const vqcache::held_file& file) {
  return object({
      {"file", file.file},
      {"size", file.size},
      {"sha256", file.sha256},
      {"is_local", file.is_local},
      {"is_cached", file.is_cached},
  });
}

json described(const vqcache::held_model& model) {
  const auto each = [](const vqcache::held_file& file) {
    return described(file);
  };
  return object({
      {"name", model.name},
      {"size", size_of(model)},
      {"is_local", model.is_local()},
      {"is_cached", model.is_cached()},
      {"stored", model.stored},
      {"last_used", date(model.last_used, "%Y-%m-%dT%H:%M:%SZ")},
      {"files", array(model.files, each)},
  });
}

const char* tiers_of(bool is_local, bool is_cached) {
  if (is_local && is_cached) return "local, cache";
  if (is_local) return "local";
  return is_cached ? "cache" : "incomplete";
}

std::string row_of(const vqcache::held_model& model, std::size_t width) {
  const std::string used = date(model.last_used, "%Y-%m-%d %H:%M");
  const std::string size = sized(size_of(model));
  return padded(model.name, width) + padded("", 11 - (std::min)(size.size(), std::size_t{11}))
      + size + "  " + padded(tiers_of(model.is_local(), model.is_cached()), 13)
      + (used.empty() ? "-" : used) + "\n";
}

std::string row_of(const vqcache::held_file& file) {
  return "    " + (file.sha256.empty() ? std::string(64, '-') : file.sha256) + "  " + file.file
      + " (" + tiers_of(file.is_local, file.is_cached) + ")\n";
}

template <class Models>
std::size_t longest_name(const Models& all) {
  std::size_t width = std::strlen("NAME");
  for (const auto& one : all) {
    width = (std::max)(width, one.name.size());
  }
  return width;
}

template <class Models>
std::string names_alone(const Models& all) {
  std::string text;
  for (const auto& one : all) {
    text += one.name + "\n";
  }
  return text;
}

outcome list(const invocation& a) {
  const auto held = vqcache::try_list_models(a.opts);
  if (!held) return failed(held.error);

  outcome one;
  const auto each = [](const vqcache::held_model& model) {
    return described(model);
  };
  one.document = {{"models", array(held.value, each)}};
  if (a.is_quiet) {
    one.text = names_alone(held.value);
    return one;
  }

  const std::size_t width = longest_name(held.value);
  one.text = padded("NAME", width) + "       SIZE  HELD IN      LAST USED (UTC)\n";
  for (const vqcache::held_model& model : held.value) {
    one.text += row_of(model, width);
    for (const vqcache::held_file& file : model.files) {
      one.text += a.is_verbose ? row_of(file) : std::string();
    }
  }
  return one;
}

json described(const vqcache::source& from) {
  return object({
      {"urls", array(from.urls)},
      {"sha256", from.sha256},
      {"size", from.size},
  });
}

json described(const vqcache::known_model& model) {
  return object({
      {"name", model.name},
      {"aliases", array(model.aliases)},
      {"config", described(model.config)},
      {"checkpoint", described(model.checkpoint)},
  });
}

const char* pins_of(const vqcache::known_model& model) {
  const bool has_config = !model.config.sha256.empty();
  const bool has_checkpoint = !model.checkpoint.sha256.empty();
  if (has_config && has_checkpoint) return "yes";
  if (has_config) return "config";
  return has_checkpoint ? "ckpt" : "no";
}

std::string row_of(const vqcache::known_model& model) {
  std::string aliases;
  for (const std::string& alias : model.aliases) {
    aliases += (aliases.empty() ? "" : " ") + alias;
  }
  const std::string size = model.checkpoint.size > 0 ? sized(model.checkpoint.size) : "?";
  return padded(model.name, 26) + padded("", 10 - (std::min)(size.size(), std::size_t{10})) + size
      + "  " + padded(pins_of(model), 9) + " " + aliases + "\n";
}

outcome known(const invocation& a) {
  const std::vector<vqcache::known_model> all = vqcache::known_models();
  outcome one;
  const auto each = [](const vqcache::known_model& model) {
    return described(model);
  };
  one.document = {{"models", array(all, each)}};
  if (a.is_quiet) {
    one.text = names_alone(all);
    return one;
  }

  one.text = padded("NAME", 26) + "      SIZE  PINNED    ALSO KNOWN AS\n";
  for (const vqcache::known_model& model : all) {
    one.text += row_of(model);
  }
  return one;
}

// The directories as the library finds them, for what is said of them.
std::string place_of(const vqcache::options& opts, vqcache::origin tier) {
  const bool is_local = tier == vqcache::origin::local;
  const std::filesystem::path& given = is_local ? opts.local_dir : opts.cache_dir;
  const char* const set = std::getenv(is_local ? "VQCACHE_LOCAL_DIR" : "VQCACHE_CACHE_DIR");
  std::string place = given.string();
  if (place.empty()) {
    place = set ? set : "";
  }
  if (place.empty()) {
    place = is_local ? "content/models" : "content/cache/models";
  }
  if (!is_url(place)) {
    std::error_code failed;
    const auto whole = std::filesystem::absolute(place, failed);
    return place[0] == '~' || failed ? place : whole.string();
  }

  place.resize((std::min)(place.find('?'), place.size()));  // how to reach it is not what it is
  const std::size_t host = place.find("://") + 3;
  const std::size_t user = place.substr(host, place.find('/', host) - host).rfind('@');
  return user == std::string::npos ? place : place.erase(host, user + 1);  // may be a password
}

// Whether a directory holds the copy; a store is not asked.
bool has_copy(const std::string& name, const vqcache::options& opts) {
  vqcache::options both = opts;
  both.on_message = nullptr;
  if (!both.keep_copy || is_url(place_of(both, vqcache::origin::cache))) return false;
  const auto held = vqcache::try_list_models(both);
  if (!held) return false;
  return std::any_of(held->begin(), held->end(),
      [&](const vqcache::held_model& one) { return one.name == name && one.is_cached(); });
}

std::string not_here(const std::string& name, const vqcache::options& opts) {
  const std::string said = "The local directory " + place_of(opts, vqcache::origin::local)
      + " does not hold a complete model called " + name + "; ";
  if (!has_copy(name, opts)) return said + "vqcache get brings it, vqcache list tells what is held";
  return said + "the copy in " + place_of(opts, vqcache::origin::cache) + " has it: vqcache get "
      + name + " brings it";
}

// Local files that a call finds as they are: it brings nothing, and says nothing.
outcome where(const invocation& a) {
  const std::string& name = a.words[0];
  vqcache::options opts = a.opts;
  opts.offline = true;
  opts.keep_copy = false;
  opts.on_message = nullptr;
  opts.on_progress = nullptr;
  vqcache::result found;
  if (is_here(name, opts)) {
    found = bring_by_name(name, opts);
  } else {
    const std::string alike = nearest(held_here(opts), name);
    const bool is_other = !alike.empty() && alike != name;
    found.error = vqcache::error(vqcache::errc::unknown_model,
        with_question(not_here(name, a.opts), is_other ? "'" + alike + "'" : ""), {});
  }
  if (!found) return failed(found.error);

  outcome one;
  one.document = {{"name", name}, {"files", array(found.model.files)}};
  for (const std::filesystem::path& file : found.model.files) {
    one.text += file.string() + "\n";
  }
  return one;
}

// ---- verify, repair, remove ---------------------------------------------------------------------

json described(const vqcache::checked_file& file) {
  return object({
      {"file", file.file},
      {"where", name_of(file.where)},
      {"path", file.path},
      {"condition", name_of(file.is)},
      {"why", in_our_words(file.why)},
  });
}

json described(const vqcache::verification& found) {
  const auto each = [](const vqcache::checked_file& file) {
    return described(file);
  };
  return object(
      {{"name", found.name}, {"is_right", found.ok()}, {"files", array(found.files, each)}});
}

// What could not be read, as in a store that is away, may well be right.
const char* headline_of(const vqcache::verification& found) {
  if (found.ok()) return ": right\n";

  for (const vqcache::checked_file& file : found.files) {
    const bool is_wrong =
        file.is == vqcache::condition::damaged || file.is == vqcache::condition::unvouched;
    if (is_wrong) return ": not right\n";
  }
  for (const vqcache::checked_file& file : found.files) {
    if (file.is == vqcache::condition::unreadable) {
      return ": not known, since not all could be read\n";
    }
  }
  return ": not right\n";
}

std::string rows_of(const vqcache::verification& found, bool is_verbose) {
  std::string text = found.name + headline_of(found);
  for (const vqcache::checked_file& file : found.files) {
    if (file.is == vqcache::condition::right && !is_verbose) continue;
    const std::string why = in_our_words(file.why);
    text += std::string("    ") + name_of(file.is) + ": " + file.path.string()
        + (why.empty() ? "" : " (" + why + ")") + "\n";
  }
  return text;
}

using examination = vqcache::answer<vqcache::verification> (*)(
    const std::string&, const vqcache::options&);

outcome examine(const invocation& a, const std::vector<std::string>& names, examination function) {
  outcome all;
  vqcache::error first;
  std::vector<json> models;
  for (const std::string& name : names) {
    if (all.is_interrupted) break;
    const auto found = function(name, a.opts);
    if (!found) {
      first = first.code() ? first : found.error;
      note_failure(all, found.error);
      models.push_back(object({{"name", name}, {"error", described(found.error)}}));
      continue;
    }

    models.push_back(described(found.value));
    all.status = (std::max)(all.status, found->ok() ? success : failure);
    if (!a.is_quiet || !found->ok()) {
      all.text += rows_of(found.value, a.is_verbose);
    }
  }
  all.document = {{"models", array(models)}};
  add_first_error(all, first);
  return all;
}

// Those that are named, or with --all each that is held.
outcome examine_each(const invocation& a, examination function) {
  if (a.is_all == !a.words.empty()) {
    return misused(std::string(a.what->name) + " takes names, or --all");
  }
  if (!a.is_all) return examine(a, a.words, function);

  const auto held = vqcache::try_list_models(a.opts);
  if (!held) return failed(held.error);
  std::vector<std::string> names;
  for (const vqcache::held_model& one : held.value) {
    names.push_back(one.name);
  }
  return examine(a, names, function);
}

outcome verify(const invocation& a) {
  return examine_each(a, vqcache::try_verify_model);
}

outcome repair(const invocation& a) {
  return examine_each(a, vqcache::try_repair_model);
}

// What the library warns of where it has found nothing to remove: for `rm` and for us an error.
constexpr const char* nothing_is_held = "Nothing is held of a model called ";

vqcache::error remove_one(const invocation& a, const std::string& name) {
  std::string missing;
  vqcache::options opts = a.opts;
  opts.on_message = [&](const vqcache::message& said) {
    if (said.rfind(nothing_is_held, 0) == 0) {
      missing = said;
    } else if (a.opts.on_message) {
      a.opts.on_message(said);
    }
  };
  const vqcache::error e = vqcache::try_remove(name, opts);
  if (e.code() || missing.empty()) return e;

  if (missing.back() == '.') {
    missing.pop_back();
  }
  return vqcache::error(vqcache::errc::unknown_model, missing, {});
}

// Each place that it is gone from, and the one that it stays in.
std::string removed_line(const std::string& name, const vqcache::options& opts) {
  const std::string here = place_of(opts, vqcache::origin::local);
  const std::string copy = place_of(opts, vqcache::origin::cache);
  if (opts.keep_copy) return name + ": removed here (" + here + ") and from " + copy + ".";
  return name + ": the local files are gone (" + here + "); a copy in " + copy + " stays.";
}

outcome remove_each(const invocation& a) {
  outcome all;
  vqcache::error first;
  std::vector<json> models;
  for (const std::string& name : a.words) {
    if (all.is_interrupted) break;
    const vqcache::error e = remove_one(a, name);
    fields one = {{"name", name}, {"is_removed", !e.code()}};
    if (e.code()) {
      first = first.code() ? first : e;
      note_failure(all, e);
      one.emplace_back("error", described(e));
    } else {
      say(a, removed_line(name, a.opts));
    }
    models.push_back(object(one));
  }
  all.document = {{"models", array(models)}};
  add_first_error(all, first);
  return all;
}

// ---- prune, explain, doctor ---------------------------------------------------------------------

json described(const vqcache::pruned_model& model) {
  return object({
      {"name", model.name},
      {"size", model.bytes},
      {"is_removed", model.is_removed},
      {"why", in_our_words(model.why)},
  });
}

std::string row_of(const vqcache::pruned_model& model, bool is_dry_run) {
  const char* const removed = is_dry_run ? "would remove" : "removed";
  const std::string why = in_our_words(model.why);
  return padded(model.is_removed ? removed : "kept", 14) + model.name + ", " + sized(model.bytes)
      + (why.empty() ? "" : ": " + why) + "\n";
}

outcome prune(const invocation& a) {
  const auto most = read_size(a.words[0]);
  if (!most) return misused("'" + a.words[0] + "' is no size, as 20G or 500M or 1.5GB or 0 is one");
  const auto pruned = vqcache::try_prune(*most, a.is_dry_run, a.opts);
  if (!pruned) return failed(pruned.error);

  outcome one;
  const auto each = [](const vqcache::pruned_model& model) {
    return described(model);
  };
  one.document = {
      {"models", array(pruned->models, each)},
      {"freed", pruned->freed},
      {"left", pruned->left},
      {"is_dry_run", a.is_dry_run},
  };
  if (a.is_quiet) return one;

  for (const vqcache::pruned_model& model : pruned->models) {
    one.text += row_of(model, a.is_dry_run);
  }
  one.text += (a.is_dry_run ? "would free " : "freed ") + sized(pruned->freed) + ", left "
      + sized(pruned->left) + "\n";
  return one;
}

json described(const vqcache::explained_file& file) {
  return object({
      {"file", file.file},
      {"path", file.path},
      {"step", in_our_words(file.step)},
      {"why", array(file.why, in_our_words)},
  });
}

outcome explain(const invocation& a) {
  const auto found = vqcache::try_explain(a.words[0], a.opts);
  if (!found) return failed(found.error);

  outcome one;
  const auto each = [](const vqcache::explained_file& file) {
    return described(file);
  };
  one.document = {
      {"name", found->name},
      {"is_hit", found->is_hit},
      {"summary", in_our_words(found->summary)},
      {"files", array(found->files, each)},
  };
  one.text = in_our_words(found->summary) + "\n";
  for (const vqcache::explained_file& file : found->files) {
    one.text += file.file + ": " + in_our_words(file.step) + "\n    " + file.path.string() + "\n";
    for (const std::string& why : file.why) {
      one.text += "    " + in_our_words(why) + "\n";
    }
  }
  return one;
}

json described(const vqcache::finding& one) {
  return object({
      {"about", one.about},
      {"severity", name_of(one.how)},
      {"said", in_our_words(one.said)},
      {"advice", in_our_words(one.advice)},
  });
}

std::string row_of(const vqcache::finding& one) {
  const bool is_fine = one.how == vqcache::severity::information;
  const std::string how = is_fine ? std::string() : std::string(name_of(one.how)) + ": ";
  const std::string said = how + in_our_words(one.about + ": " + one.said);
  const std::string advice = one.advice.empty() ? "" : "    " + in_our_words(one.advice) + "\n";
  return coloured(said, one.how, stdout) + "\n" + advice;
}

outcome doctor(const invocation& a) {
  const auto found = vqcache::try_doctor(a.opts);
  if (!found) return failed(found.error);

  outcome all;
  const auto each = [](const vqcache::finding& one) {
    return described(one);
  };
  all.document = {{"findings", array(found.value, each)}};
  for (const vqcache::finding& one : found.value) {
    const bool is_failure = one.how == vqcache::severity::failure;
    const bool is_told = !a.is_quiet || one.how != vqcache::severity::information;
    all.status = is_failure ? failure : all.status;
    all.text += is_told ? row_of(one) : std::string();
  }
  return all;
}

// ---- the tables of commands and of options ------------------------------------------------------

outcome completions(const invocation& a);
outcome help(const invocation& a);

outcome version(const invocation& a) {
  (void)a;
  const std::string number = std::to_string(VQCACHE_VERSION_MAJOR) + "."
      + std::to_string(VQCACHE_VERSION_MINOR) + "." + std::to_string(VQCACHE_VERSION_PATCH);
  outcome one;
  one.text = "vqcache " + number + "\n";
  one.document = {{"version", number}};
  return one;
}

constexpr command commands[] = {
    {"get", "NAME [URL...]", 1, any_number, "known", "bring a model, or find it here", get},
    {"list", "", 0, 0, "", "what both directories hold; -q: names alone; -v: each file", list},
    {"known", "", 0, 0, "", "published models, which need no URL; -q: names alone", known},
    {"where", "NAME", 1, 1, "held", "the local files, a line each, if all are here", where},
    {"verify", "NAME... | --all", 0, any_number, "held", "read every byte of both directories",
        verify},
    {"repair", "NAME... | --all", 0, any_number, "held", "bring again what is not right", repair},
    {"remove", "NAME...", 1, any_number, "held",
        "delete it here, and the copy that all share; --no-copy: here alone", remove_each},
    {"prune", "SIZE", 1, 1, "", "delete local files that have a copy, oldest first, down to SIZE",
        prune},
    {"explain", "NAME", 1, 1, "known", "what get would do with each file, and why", explain},
    {"doctor", "", 0, 0, "", "the transport, the directories, and what to mend; -q: that alone",
        doctor},
    {"completions", "bash | zsh", 1, 1, "shell", "a script: source <(vqcache completions bash)",
        completions},
    {"help", "[json]", 0, 1, "", "this text, or the fields of --json", help},
    {"version", "", 0, 0, "", "the version of the library", version},
};

// What other tools call what ours do.
struct foreign_word {
  const char* name;
  const char* ours;
};

constexpr foreign_word foreign_words[] = {{"delete", "remove"}, {"del", "remove"}, {"rm", "remove"},
    {"uninstall", "remove"}, {"ls", "list"}, {"download", "get"}, {"fetch", "get"}, {"pull", "get"},
    {"install", "get"}, {"status", "verify or doctor"}, {"check", "verify or doctor"}};

const char* of_other_tools(const std::string& word) {
  for (const foreign_word& one : foreign_words) {
    if (word == one.name) return one.ours;
  }
  return nullptr;
}

std::string nearest_command(const std::string& word) {
  const char* const ours = of_other_tools(word);
  return ours ? ours : nearest(commands, word);
}

const command* command_called(const std::string& name) {
  for (const command& one : commands) {
    if (name == one.name) return &one;
  }
  return nullptr;
}

void read_headers(invocation& a, const std::string& argument) {
  if (argument[0] != '@') {
    a.headers.push_back(argument);
    return;
  }

  std::ifstream file(argument.substr(1));
  if (!file) {
    a.problem = "cannot read " + argument.substr(1);
  }
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && line.back() == '\r') {
      line.pop_back();
    }
    if (!line.empty()) {
      a.headers.push_back(line);
    }
  }
}

void read_connections(invocation& a, const std::string& value) {
  if (value.size() > 6 || value.find_first_not_of("0123456789") != std::string::npos) {
    a.problem = "--connections wants a number, not '" + value + "'";
  }
  a.opts.connections = static_cast<unsigned>(std::atoi(value.c_str()));
}

void read_rate(invocation& a, const std::string& value) {
  const auto rate = read_size(value);
  if (!rate) {
    a.problem = "--limit-rate wants bytes per second, as 2M is, not '" + value + "'";
  }
  a.opts.max_bytes_per_second = rate.value_or(0);
}

struct option {
  const char* name;
  const char* letter;   // its short form, or ""
  const char* value;    // what follows it, or ""
  const char* only_of;  // the commands that it is for, "a, b", or "": any
  const char* meaning;
  void (*take)(invocation&, const std::string& value);
};

// What moves bytes, or tells how they would move.
constexpr const char* of_transfers = "get, verify, repair, explain, doctor";

constexpr option options[] = {
    {"--local", "", "DIR", "", "default: $VQCACHE_LOCAL_DIR, else content/models",
        [](invocation& a, const std::string& value) {
          a.opts.local_dir = value;
        }},
    {"--cache", "", "DIR", "",
        "or s3://..., https://...; $VQCACHE_CACHE_DIR, else content/cache/models",
        [](invocation& a, const std::string& value) {
          a.opts.cache_dir = value;
        }},
    {"--also", "", "DIR", "", "a further cache to restore from, only read; may be repeated",
        [](invocation& a, const std::string& value) {
          a.opts.also_look_in.emplace_back(value);
        }},
    {"--no-copy", "", "", "", "keep no copy: the cache directory is not used",
        [](invocation& a, const std::string&) {
          a.opts.keep_copy = false;
        }},
    {"--require-copy", "", "", "get", "without a copy in the cache it ends with 1",
        [](invocation& a, const std::string&) {
          a.needs_copy = true;
          a.opts.recheck_copy = 0;  // a hit believes what the store said within a day
        }},
    {"--shared", "", "", "get", "several machines write the cache directory: one asks the origin",
        [](invocation& a, const std::string&) {
          a.opts.shared = true;
        }},
    {"--no-create-dirs", "", "", "", "a missing directory is an error",
        [](invocation& a, const std::string&) {
          a.opts.create_dirs = false;
        }},
    {"--offline", "", "", "",
        "ask no origin; what no directory and no store of yours holds is an error",
        [](invocation& a, const std::string&) {
          a.opts.offline = true;
        }},
    {"--transport", "", "X", "",
        "libcurl or curl; default: libcurl where it can be loaded, else curl",
        [](invocation& a, const std::string& value) {
          a.opts.transport = value;
        }},
    {"--connections", "", "N", of_transfers, "at most, for each file, 1 to 16; default: 4",
        read_connections},
    {"--limit-rate", "", "RATE", of_transfers,
        "bytes per second, of all connections: 500k, 2M; 0: no limit", read_rate},
    {"--dry-run", "", "", "prune", "delete nothing; say what would be",
        [](invocation& a, const std::string&) {
          a.is_dry_run = true;
        }},
    {"--header", "", "H", "get",
        "\"Name: value\" for the hosts of the URLs; may be repeated; @FILE: one a line",
        read_headers},
    {"--name", "", "NAME", "get", "the name for the form with two URLs",
        [](invocation& a, const std::string& value) {
          a.chosen_name = value;
        }},
    {"--all", "", "", "verify, repair", "every model that is held",
        [](invocation& a, const std::string&) {
          a.is_all = true;
        }},
    {"--json", "", "", "", "a document for programs on standard output: vqcache help json",
        [](invocation& a, const std::string&) {
          a.is_json = true;
        }},
    {"--quiet", "-q", "", "", "no messages and no progress; errors are still told",
        [](invocation& a, const std::string&) {
          a.is_quiet = true;
        }},
    {"--verbose", "-v", "", "", "tell more",
        [](invocation& a, const std::string&) {
          a.is_verbose = true;
        }},
};

// Of the tool before it had commands; what follows the first three is not looked at.
struct old_option {
  const char* name;
  const char* letter;
  const char* command;
};

constexpr old_option old_options[] = {
    {"--help", "-h", "help"}, {"--version", "", "version"}, {"--list", "", "known"}};

const option* option_called(const std::string& name) {
  for (const option& one : options) {
    if (name == one.name || (*one.letter && name == one.letter)) return &one;
  }
  return nullptr;
}

// ---- reading the arguments ----------------------------------------------------------------------

class reader {
 public:
  explicit reader(std::vector<std::string> arguments) : arguments_(std::move(arguments)) {
    const auto end = std::find(arguments_.begin(), arguments_.end(), "--");
    all_.is_json = std::find(arguments_.begin(), end, "--json") != end;  // for any problem, too
  }

  invocation read() {
    for (; next_ < arguments_.size() && !is_done(); ++next_) {
      read_one(arguments_[next_]);
    }
    if (all_.problem.empty() && !all_.what) {
      choose_command();
    }
    if (all_.problem.empty()) {
      all_.problem = problem_of_words();
    }
    return all_;
  }

 private:
  bool is_done() const { return is_told_ || !all_.problem.empty(); }

  void read_one(const std::string& word) {
    const bool is_option = !are_words_alone_ && word.size() > 1 && word[0] == '-';
    if (is_option && word == "--") {
      are_words_alone_ = true;
      is_literal_ = all_.words.empty();
    } else if (is_option) {
      read_option(word);
    } else {
      all_.words.push_back(word);
    }
  }

  void read_option(const std::string& word) {
    for (const old_option& one : old_options) {
      if (word != one.name && word != one.letter) continue;
      all_.what = command_called(one.command);
      all_.words.clear();
      is_told_ = true;
      return;
    }

    const std::size_t equals = word.find('=');  // --local DIR or --local=DIR
    const std::string name = word.substr(0, equals);
    if (name == "--remove") {
      all_.what = command_called("remove");
      removed_ = value_of(word, equals);
      return;
    }
    const option* const one = option_called(name);
    if (!one) {
      all_.problem = with_question("unknown option " + name, nearest(options, name));
      return;
    }

    const bool has_value = *one->value != 0;
    if (!has_value && equals != std::string::npos) {
      all_.problem = name + " takes no value";
      return;
    }
    const std::string value = has_value ? value_of(word, equals) : std::string();
    if (!all_.problem.empty()) return;
    one->take(all_, value);
    all_.given.push_back(one->name);
  }

  std::string value_of(const std::string& word, std::size_t equals) {
    std::string value;
    if (equals != std::string::npos) {
      value = word.substr(equals + 1);
    } else if (next_ + 1 < arguments_.size()) {
      ++next_;
      value = arguments_[next_];
    }
    if (value.empty()) {
      all_.problem = word.substr(0, equals) + " needs a value";
    }
    return value;
  }

  // The first word, or else all words are what is to be got, as before there were commands.
  void choose_command() {
    std::vector<std::string>& words = all_.words;
    if (words.empty()) {
      all_.problem = "no command and no model named";
      return;
    }

    all_.what = is_literal_ ? nullptr : command_called(words[0]);
    if (all_.what) {
      words.erase(words.begin());
      return;
    }
    all_.is_old_form = true;
    all_.what = command_called("get");
    all_.problem = problem_of_first_word();
  }

  // NAME FILE=URL...: a set, which is of the command get alone. A path may have such a name, too.
  bool lacks_get() const {
    const std::vector<std::string>& words = all_.words;
    for (std::size_t i = 1; i < words.size(); ++i) {
      std::error_code unknown;
      if (end_of_file_name(words[i]) == std::string::npos) return false;
      if (std::filesystem::exists(words[i], unknown)) return false;
    }
    return words.size() > 1;
  }

  std::string problem_of_first_word() const {
    const std::vector<std::string>& words = all_.words;
    if (lacks_get()) {
      return "the command get is missing: vqcache get " + words[0] + " FILE=URL...";
    }

    const std::string alike = is_literal_ ? "" : nearest_command(words[0]);
    const bool may_be_name = words.size() == 1 && problem_of_options().empty();
    const bool has_places =
        words.size() > 1 && std::any_of(words.begin() + 1, words.end(), is_place);
    const bool is_foreign = of_other_tools(words[0]) != nullptr;  // `rm a.pt b.pt` gets nothing
    const bool may_be_got = words.size() <= 3 && !is_foreign && (has_places || alike.empty());
    if (may_be_name || may_be_got || is_literal_) return {};
    return with_question("unknown command '" + words[0] + "'", alike);
  }

  std::string problem_of_options() const {
    for (const char* name : all_.given) {
      const std::string only_of = option_called(name)->only_of;
      const std::string asked = std::string(", ") + all_.what->name + ",";
      const bool is_for_it = (", " + only_of + ",").find(asked) != std::string::npos;
      if (!only_of.empty() && !is_for_it) return std::string(name) + " is for " + only_of;
    }
    return {};
  }

  std::string problem_of_words() {
    std::vector<std::string>& words = all_.words;
    if (!removed_.empty()) {
      if (!words.empty()) return "--remove takes one name and nothing else";
      words = {removed_};
    }

    const std::string name = all_.what->name;
    if (words.size() < all_.what->least) return name + " needs " + all_.what->takes;
    if (words.size() > all_.what->most) return "too many arguments for " + name;
    return problem_of_options();
  }

  std::vector<std::string> arguments_;
  std::size_t next_ = 0;
  invocation all_{};
  std::string removed_{};         // by --remove
  bool is_told_ = false;          // --help and the like: the rest does not count
  bool are_words_alone_ = false;  // after --
  bool is_literal_ = false;       // the first word came after it: no command
};

// ---- help and completions -----------------------------------------------------------------------

const char* const help_of_get = R"(
What get takes:
  get NAME                              a published model, or one that is held
  get NAME URL                          a file, which is called NAME
  get NAME CONFIG_URL CHECKPOINT_URL    a VQGAN
  get NAME FILE=URL...                  any set of files; a FILE may have folders: onnx/model.onnx
  get CONFIG_URL CHECKPOINT_URL         a VQGAN, under a name made of the URLs, or that of --name
The word get may be left out of the first, the third and the last. A URL is http://, https://,
file://, s3://BUCKET/KEY, hf://ORG/REPO[@REVISION]/PATH or a path; "URL#sha256=HEX" is held to that
digest. Two URLs are a VQGAN's config and its checkpoint, in this order; a mirror cannot be given.

It puts the model into the local directory and keeps a copy in the cache directory, which serves
when the local one was wiped or the origin is gone. The absolute paths of the files go to standard
output, a line each; messages and progress go to standard error.
)";

const char* const help_end = R"(
  --                what follows is no option, and no command
Also: --help, --version, --list (which is known), --remove NAME.

A SIZE is in bytes, or of k, M, G, T (of 1000), or KiB, MiB, GiB, TiB.

exit status: 0 done; 1 it could not be done, a model is not right, or is not here, or doctor found a
failure; 2 wrong usage.
After Ctrl-C it ends by that signal, and what came is kept for the next call.
)";

std::string row(const std::string& left, const std::string& right, std::size_t width) {
  return "  " + padded(left, width) + "  " + right + "\n";
}

std::string help_text() {
  std::string all = "usage: vqcache [options] COMMAND ...\n\n";
  for (const command& one : commands) {
    all += row(std::string(one.name) + " " + one.takes, one.meaning, 24);
  }
  all += help_of_get;
  all += "\nOptions, before or after the command:\n";
  for (const option& one : options) {
    const std::string letter = *one.letter ? std::string(one.letter) + ", " : std::string();
    all += row(letter + one.name + (*one.value ? " " : "") + one.value, one.meaning, 16);
  }
  return all + (help_end + 1);
}

outcome help(const invocation& a) {
  const bool is_of_json = !a.words.empty() && a.words[0] == "json";
  if (!a.words.empty() && !is_of_json) return misused("help takes nothing, or the word json");
  outcome one;
  one.text = is_of_json ? std::string(json_help + 1) : help_text();
  one.document = {{"help", one.text}};
  return one;
}

const char* const bash_script = R"sh(
_vqcache() {
  local tool=${COMP_WORDS[0]} word=${COMP_WORDS[COMP_CWORD]} command='' offered='' i
  case ${COMP_WORDS[COMP_CWORD - 1]} in
    --local | --cache | --also) COMPREPLY=($(compgen -d -- "$word")); return ;;
    --transport) COMPREPLY=($(compgen -W 'libcurl curl' -- "$word")); return ;;
    @WITH_VALUE@) return ;;
  esac
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case ${COMP_WORDS[i]} in
      @WITH_VALUE@) ((++i)) ;;
      -*) ;;
      *) command=${COMP_WORDS[i]}; break ;;
    esac
  done
  case $command in
    '') offered='@COMMANDS@' ;;
    @KNOWN@) offered="$("$tool" list -q 2>/dev/null) $("$tool" known -q 2>/dev/null)" ;;
    @HELD@) offered=$("$tool" list -q 2>/dev/null) ;;
    @SHELL@) offered='bash zsh' ;;
  esac
  if [[ $word == -* ]]; then offered='@OPTIONS@'; fi
  COMPREPLY=($(compgen -W "$offered" -- "$word"))
}
complete -o default -F _vqcache vqcache
)sh";

const char* const zsh_script = R"sh(
#compdef vqcache
_vqcache() {
  local tool=$words[1] command='' i
  local -a offered
  case $words[CURRENT-1] in
    --local | --cache | --also) _files -/; return ;;
    --transport) compadd libcurl curl; return ;;
    @WITH_VALUE@) return ;;
  esac
  for ((i = 2; i < CURRENT; ++i)); do
    case $words[i] in
      @WITH_VALUE@) ((++i)) ;;
      -*) ;;
      *) command=$words[i]; break ;;
    esac
  done
  case $command in
    '') offered=(@COMMANDS@) ;;
    @KNOWN@) offered=(${(f)"$($tool list -q 2>/dev/null; $tool known -q 2>/dev/null)"}) ;;
    @HELD@) offered=(${(f)"$($tool list -q 2>/dev/null)"}) ;;
    @SHELL@) offered=(bash zsh) ;;
  esac
  if [[ $PREFIX == -* ]]; then offered=(@OPTIONS@); fi
  compadd -- $offered
  [[ -z $command ]] || _files
}
if [[ $funcstack[1] == _vqcache ]]; then _vqcache "$@"; else compdef _vqcache vqcache; fi
)sh";

std::string commands_that_complete(const std::string& what, const char* between) {
  std::string all;
  for (const command& one : commands) {
    if (!what.empty() && what != one.completes) continue;
    all += (all.empty() ? "" : between) + std::string(one.name);
  }
  return all;
}

std::string names_of_options(bool with_value_alone, const char* between) {
  std::string all = with_value_alone ? "" : "--help";
  for (const option& one : options) {
    if (with_value_alone && !*one.value) continue;
    all += (all.empty() ? "" : between) + std::string(one.name);
  }
  return all;
}

outcome completions(const invocation& a) {
  const std::string& shell = a.words[0];
  if (shell != "bash" && shell != "zsh") return misused("completions are for bash and for zsh");

  std::string script = (shell == "bash" ? bash_script : zsh_script) + 1;
  script = replaced(script, "@WITH_VALUE@", names_of_options(true, " | "));
  script = replaced(script, "@OPTIONS@", names_of_options(false, " "));
  script = replaced(script, "@COMMANDS@", commands_that_complete("", " "));
  script = replaced(script, "@KNOWN@", commands_that_complete("known", " | "));
  script = replaced(script, "@HELD@", commands_that_complete("held", " | "));
  script = replaced(script, "@SHELL@", commands_that_complete("shell", " | "));
  outcome one;
  one.text = script;
  one.document = {{"script", script}};
  return one;
}

// ---- a run --------------------------------------------------------------------------------------

void set_output(invocation& a) {
  a.opts.catch_interrupt = true;
  a.opts.on_message = nullptr;
  if (a.is_quiet) return;

  a.opts.on_message = tell;
  if (is_terminal(stderr)) {
    a.opts.on_progress = show_progress;
  } else {
    a.opts.on_progress = vqcache::progress_line{stderr};
  }
}

void complain(const std::string& lines) {
  for (std::size_t at = 0; at <= lines.size();) {
    const std::size_t end = (std::min)(lines.find('\n', at), lines.size());
    vqcache::message line("vqcache: " + lines.substr(at, end - at));
    line.how = vqcache::severity::failure;
    tell(line);
    at = end + 1;
  }
}

int finish(const invocation& a, const outcome& all) {
  const std::string text = a.is_json ? object(all.document).text + "\n" : all.text;
  if (!a.is_json && !all.complaint.empty()) {
    complain(all.complaint);
  }
  std::fwrite(text.data(), 1, text.size(), stdout);
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    complain("cannot write");
    return failure;
  }

  if (all.is_interrupted) {  // whoever started us is to see what ended us
    std::signal(SIGINT, SIG_DFL);
    std::raise(SIGINT);
  }
  return all.status;
}

int run(const std::vector<std::string>& arguments) {
  invocation a = reader(arguments).read();
  if (!a.problem.empty()) return finish(a, misused(a.problem));
  set_output(a);
  return finish(a, a.what->act(a));
}

}  // namespace

int main(int argc, char** argv) {
  return run(std::vector<std::string>(argv + 1, argv + argc));
}
