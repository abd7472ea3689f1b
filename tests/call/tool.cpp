// The command-line tool of examples/ speaks its own words: no name of the library's gets into what it
// prints, neither of today's errors nor of one that a later version of the header adds.
#include "children.hpp"

#include <cctype>
#include <set>

int tool_main(int argc, char** argv);
#define main tool_main
#include "examples/vqcache.cpp"
#undef main

namespace {

using namespace children;

struct printed {
  int code = -1;
  std::string out, errors;
};

printed tool(const std::vector<std::string>& words, const environment& more = {}) {
  scratch home;
  const fs::path out = home / "out", errors = home / "errors";
  std::cout.flush();
  std::fflush(nullptr);
  const pid_t pid = ::fork();
  if (pid == 0) {
    redirect(1, out);
    redirect(2, errors);
    set(clean(more));
    if (::chdir(home.fresh().c_str()) != 0) ::_exit(121);
    std::vector<std::string> all = {"vqcache"};
    all.insert(all.end(), words.begin(), words.end());
    std::vector<char*> argv;
    for (std::string& word : all)
      argv.push_back(&word[0]);
    const int code = tool_main(static_cast<int>(argv.size()), argv.data());
    std::fflush(nullptr);
    ::_exit(code);
  }
  int state = 0;
  ::waitpid(pid, &state, 0);
  return {WIFEXITED(state) ? WEXITSTATUS(state) : -1, slurp(out), slurp(errors)};
}

// ---- the header as a text: its string literals, those beside each other as one

std::vector<std::string> literals_of(const std::string& code) {
  std::vector<std::string> all;
  bool is_open = false;  // the next one continues the last
  for (std::size_t at = 0; at < code.size();) {
    if (code.compare(at, 2, "//") == 0 || code[at] == '#') {  // a comment, or a directive
      at = (std::min)(code.find('\n', at), code.size());
      continue;
    }
    if (code[at] == '\'') {
      at = code.find('\'', at + (code[at + 1] == '\\' ? 3 : 2)) + 1;
      is_open = false;
      continue;
    }
    if (code[at] != '"') {
      is_open = is_open && std::isspace(static_cast<unsigned char>(code[at]));
      ++at;
      continue;
    }
    std::size_t end = at + 1;
    while (code[end] != '"')
      end += code[end] == '\\' ? 2U : 1U;
    if (!is_open) all.emplace_back();
    all.back() += code.substr(at + 1, end - at - 1);
    is_open = true;
    at = end + 1;
  }
  return all;
}

bool is_of_name(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
}

std::vector<std::string> names_in_text(const std::string& text) {
  std::vector<std::string> all;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at;
    while (end < text.size() && is_of_name(text[end]))
      ++end;
    if (end > at) all.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return all;
}

std::string header() {
  return slurp(tests_dir().parent_path() / "vqcache.hpp");
}

// What only a programmer calls so: names of the public part with an underscore, but for the
// standard's (error_code).
std::set<std::string> names_of_library() {
  const std::string all = header();
  const std::size_t begin = all.find(">>api ===="), end = all.find("==== border ====");
  std::string code;
  for (std::size_t at = begin; at < end;) {
    const std::size_t line_end = all.find('\n', at);
    const std::string line = all.substr(at, line_end - at);
    code += line.substr(0, line.find("//")) + "\n";
    at = line_end + 1;
  }
  std::set<std::string> names;
  for (const std::string& name : names_in_text(code))
    if (has(name, "_") && name.back() != '_' && !has(name, "VQCACHE") && !has(name, "error_"))
      names.insert(name);
  return names;
}

// The first word of the library in a text that people read, or nothing.
std::string library_word(const std::string& text, const std::set<std::string>& names) {
  for (const std::string space : {"vqcache::", "options::", "source::", "errc::", "model::"})
    if (has(text, space)) return space;
  for (const std::string& name : names_in_text(text))
    if (names.count(name) > 0) return name;
  return {};
}

bool is_sentence(const std::string& literal) {  // and not a name that code asks for
  return has(literal, " ") || has(literal, "::") || has(literal, "on_");
}

}  // namespace

TEST_SUITE_BEGIN("tool");

TEST_CASE("every word of the library in a text of the header has a word of the tool") {
  const std::set<std::string> names = names_of_library();
  for (const char* name : {"on_progress", "create_dirs", "max_bytes", "local_dir"})
    CHECK_MESSAGE(names.count(name) == 1, name, " is among the public names, or nothing is seen");

  const std::vector<std::string> all = literals_of(header());
  CHECK(all.size() > 500);
  int found = 0;
  for (const std::string& literal : all) {
    if (!is_sentence(literal) || library_word(literal, names).empty()) continue;
    ++found;
    const std::string said = in_our_words(literal);
    const std::string left = library_word(said, names);
    CHECK_MESSAGE(left.empty(), left, " stays in what the tool says: ", said);
  }
  CHECK(found >= 20);
}

TEST_CASE("every phrase of the tool's table stands in the header, and is translated by its row") {
  const std::vector<std::string> all = literals_of(header());
  for (const phrase& one : phrases) {
    CAPTURE(one.of_library);
    bool stands = false;
    for (const std::string& literal : all)
      stands = stands || has(literal, one.of_library);
    CHECK(stands);
    CHECK(in_our_words(std::string("<") + one.of_library + ">")
        == std::string("<") + one.of_tool + ">");
  }
  CHECK(in_our_words("no such word") == "no such word");
  CHECK(in_our_words("options::offline, options::offline") == "--offline, --offline");
}

TEST_CASE("what the tool prints of an error names its own options and commands") {
  const std::string config = "model:\n  base_learning_rate: 4.5e-06\n  target: a.b.VQModel\n";
  scratch home;
  const std::string yaml = (home / "m.yaml").string(), page = (home / "page.ckpt").string();
  write_file(yaml, config);
  write_file(page, "<html><body>Sign in</body></html>");
  write_file(home / "has/m.yaml", config);
  write_file(home / "has/m.ckpt", "<html><body>Sign in</body></html>");
  const small_server denies([](const std::string&) {
    return std::string("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
  });
  const std::string good = v1().ckpt, kept = (home / "good.ckpt").string();
  write_file(kept, good);
  const std::string held = (home / "held").string();
  REQUIRE(tool({"--local", held, "--cache", held + "2", "m", yaml, kept}).code == 0);

  const std::string none = (home / "none").string(), pinned = yaml + "#sha256=";

  const struct {
    std::vector<std::string> words;
    int code;
    std::vector<std::string> said;
    environment env;
  } cases[] = {
      {{"--local", "$HOME/m", "m", yaml, kept}, 2, {"--local names a variable"}, {}},
      {{"--cache", "ftp://b/p", "m", yaml, kept}, 2, {"--cache is a URL"}, {}},
      {{"--local", "~/m", "m", yaml, kept}, 2, {"--local begins with ~"}, {{"HOME", ""}}},
      {{"--cache", "~/m", "m", yaml, kept}, 2, {"--cache begins with ~"}, {{"HOME", ""}}},
      {{"--transport", "pigeon", "m", yaml, kept}, 2, {"--transport is 'pigeon'"}, {}},
      {{"--local", none, "--no-create-dirs", "m", yaml, kept}, 1,
          {"Directory not found", "create it, or leave --no-create-dirs away"}, {}},
      {{"--offline", "m", yaml, "http://127.0.0.1:1/k"}, 1,
          {"--offline makes the call offline; call once without that option to download them, or "
           "put them there"},
          {}},
      {{"m", yaml, "ftp://127.0.0.1/k"}, 2, {"has no scheme http, https, s3, hf or file"}, {}},
      {{"m", yaml, std::string(64, 'a')}, 2, {"a pin goes behind the URL: URL#sha256=HEX"}, {}},
      {{"m", yaml, denies.url("/k")}, 1, {"401", "it needs credentials (--header)"}, {}},
      {{"m", yaml, page}, 1, {"HTML page", "#sha256=", " behind it"}, {}},
      {{"--transport", "curl", "m", yaml, "http://127.0.0.1:1/k"}, 1, {"install curl or libcurl"},
          {{"PATH", "/nowhere"}}},
      {{"--local", (home / "has").string(), "m", yaml, page}, 1, {"URL#sha256=HEX overrules"}, {}},
      {{"--local", held, "--cache", held + "2", "m", yaml,
           kept + "#sha256=" + std::string(64, 'b')},
          1, {"vqcache remove NAME"}, {}},
      {{"--remove", "a/b"}, 2, {"letters, digits"}, {}},
      {{"nobody"}, 1, {"known are", "or give its URLs"}, {}},
  };

  const std::set<std::string> names = names_of_library();
  for (const auto& one : cases) {
    INFO(joined(one.words));
    const printed p = tool(one.words, one.env);
    INFO(p.errors);
    CHECK(p.code == one.code);
    CHECK(p.out.empty());
    for (const std::string& part : one.said)
      CHECK_MESSAGE(has(p.errors, part), "it must say ", part);
    CHECK(library_word(p.errors, names) == "");
    CHECK_FALSE(has(p.errors, ", or set ;"));
  }
}

TEST_SUITE_END();
