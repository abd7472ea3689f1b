// The commands of examples/vqcache.cpp: what each prints, as text and as JSON, and what it ends with.
// The documents are read by a parser that is not ours, Python's. tool.cpp is about its words.
#include "children.hpp"
// after it
#include "store_server.hpp"

#include <sys/ioctl.h>

int commands_main(int argc, char** argv);
#define main commands_main
#include "examples/vqcache.cpp"
#undef main

namespace {

using namespace children;

struct printed {
  int code = -1;
  std::string out, errors;
};

// A directory to work in, with a config, a checkpoint and what the tool has made there.
class workplace {
 public:
  workplace() {
    write_file(at_ / "c.yaml", config());
    write_file(at_ / "k.ckpt", v1().ckpt);
  }

  static std::string config() {
    return "model:\n  base_learning_rate: 4.5e-06\n  target: a.b.VQModel\n";
  }

  fs::path operator/(const std::string& file) const { return at_ / file; }

  printed tool(const std::vector<std::string>& words, const environment& more = {},
      const std::function<void()>& also = {}) const {
    const fs::path out = at_ / "out", errors = at_ / "errors";
    fs::remove(out);
    fs::remove(errors);
    const int code = start(words, more, [&] {
      redirect(1, out);
      redirect(2, errors);
      if (also) also();
    });
    return {code, slurp(out), slurp(errors)};
  }

  // The same with a terminal as standard error: what comes there.
  std::string on_terminal(int columns, const std::vector<std::string>& words,
      const environment& more = {}, const std::function<void()>& also = {}) const {
    const int master = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0 || ::grantpt(master) != 0 || ::unlockpt(master) != 0) return {};
    const int slave = ::open(::ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    winsize size{};
    size.ws_col = static_cast<unsigned short>(columns);
    ::ioctl(slave, TIOCSWINSZ, &size);

    std::string all;
    std::thread reads([&] {
      char block[4096];
      for (ssize_t n = 1; n > 0;) {
        n = ::read(master, block, sizeof block);
        all.append(block, static_cast<std::size_t>((std::max)(n, ssize_t{0})));
      }
    });
    start(words, more, [&] {
      redirect(1, "/dev/null");
      ::dup2(slave, 2);
      if (also) also();
    });
    ::close(slave);
    reads.join();
    ::close(master);
    return all;
  }

 private:
  int start(const std::vector<std::string>& words, const environment& more,
      const std::function<void()>& prepare) const {
    std::cout.flush();
    std::fflush(nullptr);
    const pid_t pid = ::fork();
    if (pid == 0) {
      prepare();
      set(clean(more));
      if (::chdir(at_.path().c_str()) != 0) ::_exit(121);
      std::vector<std::string> all = {"vqcache"};
      all.insert(all.end(), words.begin(), words.end());
      std::vector<char*> argv;
      for (std::string& word : all)
        argv.push_back(&word[0]);
      const int code = commands_main(static_cast<int>(argv.size()), argv.data());
      std::fflush(nullptr);
      ::_exit(code);
    }
    int state = 0;
    ::waitpid(pid, &state, 0);
    return WIFEXITED(state) ? WEXITSTATUS(state) : -WTERMSIG(state);
  }

  scratch at_{};
};

// What a Python expression over the document d prints; "no JSON: ..." if it is none.
std::string from_json(const std::string& document, const std::string& expression) {
  const support::temp_dir at;
  write_file(at / "document", document);
  write_file(at / "ask.py",
      "import json, sys\n"
      "def keys(x):\n"
      "    if isinstance(x, dict):\n"
      "        return set(x) | set().union(*map(keys, x.values()))\n"
      "    return set().union(*map(keys, x)) if isinstance(x, list) else set()\n"
      "try:\n"
      "    d = json.loads(open(sys.argv[1], 'rb').read().decode('utf-8'))\n"
      "    print(eval(sys.argv[2]), end='')\n"
      "except Exception as e:\n"
      "    print('no JSON:', repr(e), end='')\n");
  return support::run("PYTHONIOENCODING=utf-8 python3 " + support::quoted((at / "ask.py").string())
      + " " + support::quoted((at / "document").string()) + " " + support::quoted(expression))
      .output;
}

void damage(const fs::path& file) {
  std::string bytes = slurp(file);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  write_file(file, bytes);
}

}  // namespace

TEST_SUITE_BEGIN("tool commands");

TEST_CASE("get takes a pair, a file, any set, and a name; the old forms do as they did") {
  const workplace here;
  const std::string at = (here / "content/models/").string();

  const struct {
    std::vector<std::string> words;
    std::string out;
  } cases[] = {
      {{"get", "m", "./c.yaml", "./k.ckpt"}, at + "m.yaml\n" + at + "m.ckpt\n"},
      {{"m"}, at + "m.yaml\n" + at + "m.ckpt\n"},
      {{"get", "--offline", "m"}, at + "m.yaml\n" + at + "m.ckpt\n"},
      {{"old", "c.yaml", "k.ckpt"}, at + "old.yaml\n" + at + "old.ckpt\n"},
      {{"--name", "chosen", "c.yaml", "k.ckpt"}, at + "chosen.yaml\n" + at + "chosen.ckpt\n"},
      {{"get", "one.ckpt", "k.ckpt"}, at + "one.ckpt\n"},
      {{"get", "one.ckpt"}, at + "one.ckpt\n"},
      {{"get", "net", "a.yaml=c.yaml", "w/k.ckpt=k.ckpt"},
          at + "net/a.yaml\n" + at + "net/w/k.ckpt\n"},
      {{"net"}, at + "net/a.yaml\n" + at + "net/w/k.ckpt\n"},
      {{"--", "list", "c.yaml", "k.ckpt"}, at + "list.yaml\n" + at + "list.ckpt\n"},
      {{"get", "list"}, at + "list.yaml\n" + at + "list.ckpt\n"},
  };

  for (const auto& one : cases) {
    INFO(joined(one.words));
    const printed p = here.tool(one.words);
    INFO(p.errors);
    CHECK(p.code == 0);
    CHECK(p.out == one.out);
  }
  CHECK(slurp(here / "content/models/net/w/k.ckpt") == v1().ckpt);

  const printed made = here.tool({"c.yaml", "k.ckpt"});
  CHECK(has(made.errors, "The model is called k-"));
  CHECK(has(made.out, at + "k-"));
  const printed same = here.tool({"get", "file://" + (here / "c.yaml").string(), "k.ckpt"});
  CHECK(has(same.errors, "The model is called k-"));
}

TEST_CASE("wrong usage ends with 2, says why, and prints nothing") {
  const workplace here;

  const struct {
    std::vector<std::string> words;
    std::string said;
  } cases[] = {
      {{}, "no command and no model named"},
      {{"lsit", "x"}, "unknown command 'lsit'; did you mean list?"},
      {{"vrify", "--all"}, "unknown command 'vrify'; did you mean verify?"},
      {{"verfy", "clip.pt"}, "'verfy' is no command; did you mean verify?"},
      {{"repare", "a", "b", "c", "d"}, "unknown command 'repare'; did you mean repair?"},
      {{"a", "b", "c", "d"}, "unknown command 'a'"},
      {{"a", "b"}, "'a' is no URL and no path"},
      {{"http://127.0.0.1/x"}, "a URL alone has no name"},
      {{"get", "a", "f=c.yaml", "k.ckpt"}, "'k.ckpt' is not of the form FILE=URL"},
      {{"get", "a", "b", "c", "d"}, "too many arguments"},
      {{"list", "x"}, "too many arguments for list"},
      {{"where"}, "where needs NAME"},
      {{"verify"}, "verify takes names, or --all"},
      {{"verify", "x", "--all"}, "verify takes names, or --all"},
      {{"repair"}, "repair takes names, or --all"},
      {{"remove", "x", "--all"}, "--all is for verify, repair"},
      {{"net", "f=http://127.0.0.1/f"}, "the command get is missing: vqcache get net FILE=URL..."},
      {{"net", "f=c.yaml", "g=c.yaml", "h=c.yaml", "i=c.yaml"}, "the command get is missing"},
      {{"remove", "x", "--dry-run"}, "--dry-run is for prune"},
      {{"prune", "much"}, "'much' is no size"},
      {{"prune"}, "prune needs SIZE"},
      {{"--limit-rate", "fast", "m"}, "--limit-rate wants bytes per second, as 2M is, not 'fast'"},
      {{"--name", "x", "m", "c.yaml", "k.ckpt"}, "--name is for the form with two URLs"},
      {{"--name", "x", "get", "m", "f=c.yaml"}, "--name is for the form with two URLs"},
      {{"--header", "A: b", "m"}, "--header is for the forms with URLs"},
      {{"--header", "@nowhere", "m", "c.yaml", "k.ckpt"}, "cannot read nowhere"},
      {{"--quite", "m"}, "unknown option --quite; did you mean --quiet?"},
      {{"--xyzzy", "m"}, "unknown option --xyzzy"},
      {{"--offline=yes", "m"}, "--offline takes no value"},
      {{"m", "--local"}, "--local needs a value"},
      {{"--connections", "many", "m"}, "--connections wants a number"},
      {{"--connections", "99", "m"}, "--connections is 99; it may be 1 to 16"},
      {{"--remove", "m", "n"}, "--remove takes one name and nothing else"},
      {{"completions", "fish"}, "completions are for bash and for zsh"},
      {{"m", "--require-copy", "--no-copy"}, "--require-copy and --no-copy contradict"},
      {{"list", "--require-copy"}, "--require-copy is for get"},
      {{"list", "--shared"}, "--shared is for get"},
      {{"list", "--connections", "5"}, "--connections is for get, verify, repair"},
      {{"remove", "x", "--limit-rate", "2M"}, "--limit-rate is for get, verify, repair"},
      {{"get", "x", "--dry-run"}, "--dry-run is for prune"},
      {{"delete", "x"}, "unknown command 'delete'; did you mean remove?"},
      {{"rm", "x.pt", "y.pt"}, "unknown command 'rm'; did you mean remove?"},
      {{"pull", "c.yaml", "k.ckpt"}, "unknown command 'pull'; did you mean get?"},
      {{"status", "--all"}, "unknown command 'status'; did you mean verify or doctor?"},
  };

  for (const auto& one : cases) {
    INFO(joined(one.words));
    const printed p = here.tool(one.words);
    CHECK(p.code == 2);
    CHECK(p.out.empty());
    CHECK_MESSAGE(has(p.errors, one.said), p.errors);

    std::vector<std::string> words = one.words;
    words.insert(words.begin(), "--json");
    const printed document = here.tool(words);
    CHECK(document.code == 2);
    CHECK(document.errors.empty());
    CHECK(has("usage invalid_argument", from_json(document.out, "d['error']['code']")));
    CHECK(has(from_json(document.out, "d['error']['text']"), one.said));
  }
  CHECK_FALSE(fs::exists(here / "content"));
}

TEST_CASE("what is here by its name asks no store") {
  const workplace here;
  const support::store_server& store = support::store();
  store.reset();
  const environment with = {{"AWS_ACCESS_KEY_ID", store.fact("key")},
      {"AWS_SECRET_ACCESS_KEY", store.fact("secret")},
      {"VQCACHE_CACHE_DIR", "s3://bucket/tool?endpoint=http://127.0.0.1:" + store.fact("plain")}};
  const printed one = here.tool({"--require-copy", "get", "one.ckpt", "k.ckpt"}, with);
  REQUIRE_MESSAGE(one.code == 0, one.errors);
  REQUIRE(here.tool({"--require-copy", "m", "c.yaml", "k.ckpt"}, with).code == 0);

  const std::size_t asked = store.log().size();
  CHECK(asked > 0);
  for (const char* name : {"one.ckpt", "m"}) {
    CHECK(here.tool({"get", name}, with).code == 0);
    CHECK(here.tool({"where", name}, with).code == 0);
  }
  CHECK(here.tool({"where", "nothing"}, with).code == 1);
  CHECK(store.log().size() == asked);
  store.reset();
}

TEST_CASE("whoever requires a copy is told with 1 where none is kept, and has the files") {
  const workplace here;
  write_file(here / "a_file", "no directory");
  const std::vector<std::string> words{
      "--require-copy", "--cache", "a_file", "m", "./c.yaml", "./k.ckpt"};
  const printed without = here.tool(words);
  CHECK(without.code == 1);
  CHECK_MESSAGE(
      has(without.errors, "no copy is kept, which --require-copy demands"), without.errors);
  CHECK(has(without.out, "m.ckpt\n"));

  const printed document = here.tool({"--json", "--require-copy", "--cache", "a_file", "m"});
  CHECK(document.code == 1);
  CHECK(from_json(document.out, "d['error']['code']") == "no_copy");
  CHECK(here.tool({"--cache", "a_file", "m"}).code == 0);
  CHECK(here.tool({"--require-copy", "m", "./c.yaml", "./k.ckpt"}).code == 0);
}

TEST_CASE("a name that nobody knows, and that is like a command, is answered with that") {
  const workplace here;
  const printed p = here.tool({"lst"});
  CHECK(p.code == 1);
  CHECK(has(p.errors, "did you mean the command list?"));
  CHECK_FALSE(has(p.errors, "vqgan"));  // no list of what else there is
  CHECK(has(here.tool({"ls"}).errors, "did you mean the command list?"));
  CHECK_FALSE(has(here.tool({"get", "lst"}).errors, "the command"));
}

TEST_CASE("what remove says names the places, and which copy stays") {
  const workplace here;
  const std::string local = (here / "content/models").string();
  const std::string cache = (here / "content/cache/models").string();
  REQUIRE(here.tool({"get", "one.ckpt", "k.ckpt"}).code == 0);
  const printed kept = here.tool({"remove", "--no-copy", "one.ckpt"});
  CHECK(kept.code == 0);
  CHECK_MESSAGE(has(kept.errors, "files are gone (" + local + "); a copy in " + cache + " stays."),
      kept.errors);
  CHECK(here.tool({"--offline", "get", "one.ckpt"}).code == 0);

  const support::store_server& store = support::store();
  store.reset();
  const environment with = {{"AWS_ACCESS_KEY_ID", store.fact("key")},
      {"AWS_SECRET_ACCESS_KEY", store.fact("secret")},
      {"VQCACHE_CACHE_DIR", "s3://bucket/tool?endpoint=http://127.0.0.1:" + store.fact("plain")}};
  REQUIRE(here.tool({"get", "two.ckpt", "k.ckpt"}, with).code == 0);
  const printed removed = here.tool({"remove", "two.ckpt"}, with);
  CHECK(removed.code == 0);
  CHECK_MESSAGE(
      has(removed.errors, "two.ckpt: removed here (" + local + ") and from s3://bucket/tool."),
      removed.errors);
  store.reset();
}

TEST_CASE("two URLs that are no config and checkpoint are told from mirrors; sizes have a unit") {
  const workplace here;
  const printed p = here.tool({"get", "a.pt", "./k.ckpt", "./k.ckpt"});
  CHECK(p.code == 1);
  CHECK_MESSAGE(has(p.errors, "a VQGAN's config and its checkpoint, in this order"), p.errors);
  CHECK(sized(0) == "0 B");
  CHECK(sized(999) == "999 B");
  CHECK(sized(1000) == "1.0 kB");
  CHECK(reader({"get", "m", "--shared"}).read().opts.shared);
  CHECK(has(here.tool({"help"}).out, "s3://BUCKET/KEY"));
}

TEST_CASE("list, where, verify, repair and remove, as text") {
  const workplace here;
  REQUIRE(here.tool({"get", "m", "./c.yaml", "./k.ckpt"}).code == 0);
  REQUIRE(here.tool({"get", "net", "a.yaml=c.yaml", "k.ckpt=k.ckpt"}).code == 0);
  const std::string local = (here / "content/models").string();
  const std::string cache = (here / "content/cache/models").string();

  const printed listed = here.tool({"list"});
  CHECK(listed.code == 0);
  CHECK(has(listed.out, "NAME       SIZE  HELD IN      LAST USED (UTC)\nm   "));
  CHECK(has(listed.out, "local, cache"));
  CHECK(here.tool({"list", "-q"}).out == "m\nnet\n");
  CHECK(has(here.tool({"list", "-v"}).out, support::sha256(v1().ckpt) + "  m.ckpt (local, cache)"));

  fs::remove(here / "content/models/m.ckpt");
  CHECK(here.tool({"where", "net"}).out == local + "/net/a.yaml\n" + local + "/net/k.ckpt\n");
  const printed gone = here.tool({"where", "m"});
  CHECK(gone.code == 1);
  CHECK(gone.out.empty());
  CHECK(has(gone.errors, local + " does not hold a complete model called m; the copy in " + cache));
  CHECK(has(gone.errors, "vqcache get m brings it"));
  CHECK(has(here.tool({"where", "x"}).errors, "called x; vqcache get brings it"));
  CHECK_FALSE(fs::exists(here / "content/models/m.ckpt"));

  damage(here / "content/cache/models/net/k.ckpt");
  const printed verified = here.tool({"verify", "--all"});
  CHECK(verified.code == 1);
  CHECK(has(verified.out, "m: right\n    missing: " + local + "/m.ckpt"));
  CHECK(has(verified.out, "net: not right\n    damaged: " + cache + "/net/k.ckpt ("));
  CHECK(here.tool({"-q", "verify", "m"}).out.empty());
  CHECK(has(here.tool({"verify", "m", "-v"}).out, "right: " + cache + "/m/m.ckpt"));

  const printed repaired = here.tool({"repair", "net", "m"});
  CHECK(repaired.code == 0);
  CHECK(has(repaired.out, "net: right\n"));
  CHECK(here.tool({"verify", "--all", "-q"}).out.empty());
  damage(here / "content/models/net/k.ckpt");
  const printed all = here.tool({"repair", "--all"});
  CHECK(all.code == 0);
  CHECK(all.out == "m: right\nnet: right\n");
  CHECK(slurp(here / "content/models/net/k.ckpt") == v1().ckpt);
  CHECK(slurp(here / "content/cache/models/net/k.ckpt") == v1().ckpt);

  const printed some = here.tool({"verify", "nobody", "m"});
  CHECK(some.code == 1);
  CHECK(has(some.out, "m: right"));
  CHECK(has(some.errors, "model 'nobody'"));

  const printed removed = here.tool({"remove", "m", "net"});
  CHECK(removed.code == 0);
  CHECK(has(removed.errors, "net: removed here (" + local + ") and from " + cache + "."));
  CHECK(here.tool({"list", "-q"}).out.empty());
}

TEST_CASE("what nobody holds is not removed, which is told and ends with 1") {
  const workplace here;
  REQUIRE(here.tool({"get", "my-model", "./c.yaml", "./k.ckpt"}).code == 0);

  const printed p = here.tool({"remove", "nope"});
  CHECK(p.code == 1);
  CHECK(p.errors == "vqcache: Nothing is held of a model called nope, so nothing was removed\n");
  const printed quiet = here.tool({"--remove=my-modle", "--quiet"});
  CHECK(quiet.code == 1);
  CHECK(has(quiet.errors, "nothing was removed; did you mean 'my-model'?\n"));
  const printed document = here.tool({"--json", "remove", "nope"});
  CHECK(document.code == 1);
  CHECK(from_json(document.out,
            "d['models'][0]['is_removed'], d['models'][0]['error'] == d['error'],"
            " d['error']['code']")
      == "(False, True, 'unknown_model')");

  const printed where = here.tool({"where", "my-modle"});
  CHECK(where.code == 1);
  CHECK_MESSAGE(has(where.errors, "did you mean 'my-model'?\n"), where.errors);
  CHECK(here.tool({"--remove=my-model", "--quiet"}).errors.empty());
}

TEST_CASE("a text that ends in a question goes on as a new sentence") {
  const workplace here;
  REQUIRE(here.tool({"get", "lsts", "./c.yaml", "./k.ckpt"}).code == 0);
  CHECK(has(here.tool({"lsit", "x"}).errors, "did you mean list? See vqcache help\n"));
  CHECK(has(here.tool({"lst"}).errors, "; did you mean the command list?\n"));
  for (const std::vector<std::string>& words :
      {std::vector<std::string>{"lst"}, {"remove", "lst"}, {"get", "x", "http:/a/b"}}) {
    const std::string said = here.tool(words).errors;
    CHECK_MESSAGE(has(said, "?"), said);
    CHECK_MESSAGE(!has(said, "?."), said);
    CHECK_MESSAGE(!has(said, "?;"), said);
  }
}

TEST_CASE("prune frees what has a copy, and in a dry run nothing") {
  const workplace here;
  REQUIRE(here.tool({"get", "m", "./c.yaml", "./k.ckpt"}).code == 0);
  const printed tried = here.tool({"prune", "1k", "--dry-run"});
  CHECK(tried.code == 0);
  CHECK(has(tried.out, "would remove  m, "));
  CHECK(has(tried.out, "would free "));
  CHECK(slurp(here / "content/models/m.ckpt") == v1().ckpt);

  const printed enough = here.tool({"prune", "1GiB", "-q"});
  CHECK(enough.code == 0);
  CHECK(enough.out.empty());
  CHECK(slurp(here / "content/models/m.ckpt") == v1().ckpt);

  const printed pruned = here.tool({"prune", "0"});
  CHECK(pruned.code == 0);
  CHECK(has(pruned.out, "removed       m, "));
  CHECK_FALSE(fs::exists(here / "content/models/m.ckpt"));
  CHECK(slurp(here / "content/cache/models/m/m.ckpt") == v1().ckpt);
}

TEST_CASE("explain tells a hit from a miss; doctor ends with 1 where something has failed") {
  const workplace here;
  REQUIRE(here.tool({"get", "m", "./c.yaml", "./k.ckpt"}).code == 0);
  const printed hit = here.tool({"explain", "m"});
  CHECK(hit.code == 0);
  CHECK(has(hit.out, "m.ckpt: "));
  CHECK(here.tool({"explain", "a/b"}).code == 2);

  const printed told = here.tool({"doctor"});
  const printed document = here.tool({"doctor", "--json"});
  CHECK(told.code == document.code);
  CHECK(from_json(document.out, "int(any(f['severity'] == 'failure' for f in d['findings']))")
      == std::to_string(document.code));
  CHECK(from_json(document.out, "len(d['findings']) > 0") == "True");
  CHECK(told.out.size() > here.tool({"doctor", "-q"}).out.size());
}

TEST_CASE("sizes are of thousands, or with an i of 1024") {
  const std::pair<const char*, std::uint64_t> sizes[] = {{"0", 0}, {"100", 100}, {"500k", 500000},
      {"500K", 500000}, {"20G", 20000000000}, {"1.5GB", 1500000000}, {"2MiB", 2097152}, {"7B", 7},
      {"1T", 1000000000000}, {"1KiB", 1024}, {".5M", 500000}};
  for (const auto& one : sizes) {
    CAPTURE(one.first);
    CHECK(read_size(one.first).value_or(42) == one.second);
  }
  for (const char* bad :
      {"", ".", "G", "-1", "1.2.3", "1X", "1iB", "1GG", "1 G", "1e3", "99999999T"}) {
    CAPTURE(bad);
    CHECK_FALSE(read_size(bad));
  }
  CHECK(reader({"--limit-rate", "2M", "m"}).read().opts.max_bytes_per_second == 2000000);
}

TEST_CASE("what failed is red on a terminal, but for NO_COLOR, and nowhere else") {
  if (lacks(part::terminal)) return;
  const workplace here;
  const std::string red = "\033[31m";
  const std::vector<std::string> words = {"where", "nobody"};
  const environment terminal = {{"TERM", "xterm"}, {"NO_COLOR", ""}};
  const std::string all = here.on_terminal(80, words, terminal);
  CHECK(has(all, red + "vqcache: "));
  CHECK(has(all, "\033[0m"));
  CHECK_FALSE(has(here.on_terminal(80, words, {{"TERM", "xterm"}, {"NO_COLOR", "1"}}), "\033"));
  CHECK_FALSE(has(here.on_terminal(80, words, {{"TERM", "dumb"}, {"NO_COLOR", ""}}), "\033"));
  CHECK_FALSE(has(here.tool(words, terminal).errors, "\033"));
  CHECK(coloured("x", vqcache::severity::information, stderr) == "x");
}

TEST_CASE(
    "the catalogue, the version and the help are printed by commands and by the old options") {
  const workplace here;
  const std::string known = here.tool({"known"}).out;
  CHECK(known == here.tool({"--list"}).out);
  CHECK(has(known, "vqgan_imagenet_f16_1024"));
  CHECK(has(here.tool({"known", "-q"}).out, "vqgan_imagenet_f16_1024\n"));
  CHECK(here.tool({"version"}).out == here.tool({"--version"}).out);
  const std::string text = here.tool({"help"}).out;
  CHECK(text == here.tool({"x", "--help", "--no-such-option"}).out);
  CHECK(text == here.tool({"-h"}).out);
  for (const command& one : commands)
    CHECK_MESSAGE(has(text, std::string("\n  ") + one.name + " "), one.name);
  for (const option& one : options)
    CHECK_MESSAGE(has(text, one.name), one.name);
  for (const std::string status : {"0 done", "1 it could not", "2 wrong usage"})
    CHECK(has(text, status));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    CHECK_MESSAGE(line.size() <= 100, line);
}

TEST_CASE("with --json each command prints one document, and its fields are those of help json") {
  const workplace here;
  const std::string local = (here / "content/models").string();
  std::vector<std::string> all;
  const auto ask = [&](std::vector<std::string> words, const std::string& expression) {
    words.emplace_back("--json");
    const printed p = here.tool(words);
    CHECK_MESSAGE(std::count(p.out.begin(), p.out.end(), '\n') == 1, p.out);
    all.push_back(p.out);
    return from_json(p.out, expression);
  };

  CHECK(ask({"get", "m", "./c.yaml", "./k.ckpt"},
            "d['name'], d['from'], d['is_cached'], d['config'] == d['files'][0], d['checkpoint']")
      == "('m', 'network', True, True, '" + local + "/m.ckpt')");
  CHECK(ask({"get", "net", "a.yaml=c.yaml", "k.ckpt=k.ckpt"}, "d['files'], 'config' in d")
      == "(['" + local + "/net/a.yaml', '" + local + "/net/k.ckpt'], False)");
  CHECK(ask({"list"},
            "[(m['name'], m['is_local'], m['is_cached'], len(m['files']),"
            " m['stored'][-1], m['last_used'][-1]) for m in d['models']]")
      == "[('m', True, True, 2, 'Z', 'Z'), ('net', True, True, 2, 'Z', 'Z')]");
  CHECK(ask({"list"}, "d['models'][0]['size'] == sum(f['size'] for f in d['models'][0]['files'])")
      == "True");
  CHECK(ask({"list"}, "d['models'][0]['files'][1]['sha256']") == support::sha256(v1().ckpt));
  CHECK(ask({"known"}, "len(d['models']) > 5, type(d['models'][0]['checkpoint']['size'])")
      == "(True, <class 'int'>)");
  CHECK(ask({"where", "m"}, "d['files'][0]") == local + "/m.yaml");
  CHECK(ask({"where", "n"}, "d['error']['code']") == "unknown_model");

  damage(here / "content/models/net/k.ckpt");
  CHECK(ask({"verify", "net", "m"}, "[(m['name'], m['is_right']) for m in d['models']]")
      == "[('net', False), ('m', True)]");
  CHECK(ask({"verify", "net"},
            "[(f['file'], f['where'], f['condition'], len(f['why']) > 0) for f in"
            " d['models'][0]['files']][1:3]")
      == "[('k.ckpt', 'local', 'damaged', True), ('a.yaml', 'cache', 'right', False)]");
  CHECK(ask({"verify", "gone", "m"}, "d['models'][0]['error'] == d['error'], d['error']['code']")
      == "(True, 'unknown_model')");
  CHECK(ask({"repair", "net"}, "d['models'][0]['is_right']") == "True");
  CHECK(ask({"explain", "m"}, "d['name'], d['is_hit'], len(d['files']), len(d['summary']) > 0")
      == "('m', True, 2, True)");
  CHECK(ask({"doctor"}, "len(d['findings']) > 0") == "True");
  CHECK(ask({"prune", "1k", "--dry-run"},
            "[m['is_removed'] for m in d['models'] if m['name'] == 'm'], d['is_dry_run'],"
            " d['freed'] > 0")
      == "([True], True, True)");
  CHECK(ask({"remove", "net", "a/b"}, "[(m['name'], m['is_removed']) for m in d['models']]")
      == "[('net', True), ('a/b', False)]");
  CHECK(ask({"completions", "bash"}, "'_vqcache' in d['script']") == "True");
  CHECK(ask({"help"}, "'usage' in d['help']") == "True");
  CHECK(ask({"version"}, "d['version'].count('.')") == "2");
  CHECK(ask({"nobody"}, "d['error']['code']") == "unknown_model");
  CHECK(ask({"get", "x", "c.yaml", "nowhere.ckpt"}, "d['error']['code']") == "io");

  const std::string documented = json_help;
  for (const std::string& document : all) {
    std::istringstream names(from_json(document, "' '.join(sorted(keys(d)))"));
    for (std::string name; names >> name;)
      CHECK_MESSAGE(has(documented, "\"" + name + "\""), name, " is a field, and not in help json");
  }
  for (const char* name : {"mandatory", "nonsense"})
    CHECK_FALSE(has(documented, std::string("\"") + name + "\""));
}

TEST_CASE("every error code has its own name, which help json lists") {
  for (int code = 1; code <= static_cast<int>(vqcache::errc::io); ++code) {
    const std::string name = name_of(static_cast<vqcache::errc>(code));
    CHECK(name == children::name_of(code));
    CHECK(has(json_help, name));
  }
}

TEST_CASE("text in JSON comes back as it was; what is no UTF-8 becomes U+FFFD") {
  std::string all;
  for (int c = 1; c < 128; ++c)
    all += static_cast<char>(c);
  const std::string wide = "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xed\x9f\xbf \xf4\x8f\xbf\xbf";
  CHECK(from_json(json_text(all), "d == ''.join(map(chr, range(1, 128)))") == "True");
  CHECK(from_json(json_text(wide), "d") == wide);
  CHECK(from_json(json_text(std::string("\0", 1)), "d == chr(0)") == "True");
  CHECK(json_text("\x7f") == "\"\\u007f\"");

  for (const char* bad :
      {"\xff", "\x80", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
          "\xf8\x88\x80\x80\x80", "\xc3", "\xe2\x82", "\xf0\x9f\x98", "\xc3("}) {
    const std::string text = std::string("<") + bad + ">";
    const std::string written = json_text(text);
    CHECK(support::is_utf8(written));
    CHECK(from_json(written, "d[0] + d[-1], chr(0xfffd) in d") == "('<>', True)");
  }
}

TEST_CASE("a line of progress is no wider than there is room, and has a bar where it fits") {
  vqcache::progress p;
  p.name = "m";
  p.file = "m.ckpt";
  p.phase = vqcache::phase::downloading;
  for (const std::uint64_t total : {std::uint64_t{0}, std::uint64_t{957954257}}) {
    p.total = total;
    p.done = 478977128;
    p.bytes_per_second = 1.2e7;
    p.seconds_left = total > 0 ? 39 : -1;
    for (std::size_t width = 0; width < 200; ++width)
      CHECK(progress_text(p, width).size() <= width);
  }
  CHECK(progress_text(p, 79)
      == "downloading m.ckpt [#########...........] 49% of 958.0 MB, 12.0 MB/s, 39 s left");
  CHECK(progress_text(p, 200).size() < 110);
  CHECK(progress_text(p, 40) == "downloading m.ckpt 49% of 958.0 MB");
  p.total = 0;
  CHECK(progress_text(p, 79) == "downloading m.ckpt 479.0 MB, 12.0 MB/s, 39 s left");
}

TEST_CASE("on a terminal progress fits into it, or into COLUMNS; elsewhere there is none of it") {
  if (lacks(part::terminal)) return;
  const workplace here;

  const struct {
    int columns;
    environment env;
  } cases[] = {{46, {{"COLUMNS", "200"}}}, {0, {{"COLUMNS", "46"}}}};

  for (const auto& one : cases) {
    const std::string all =
        here.on_terminal(one.columns, {"get", "m", "./c.yaml", "./k.ckpt"}, one.env);
    here.tool({"remove", "m"});

    std::size_t found = 0;
    std::istringstream lines(replaced(all, "\r", "\n"));
    for (std::string line; std::getline(lines, line);) {
      if (line.compare(0, 12, "downloading ") != 0) continue;
      ++found;
      CHECK_MESSAGE(line.size() == 45, line);
    }
    CHECK(found > 0);
    CHECK(has(all, "[#"));
  }
  CHECK_FALSE(has(here.tool({"get", "m", "./c.yaml", "./k.ckpt"}).errors, "\r"));
  CHECK(here.on_terminal(80, {"-q", "get", "n", "./c.yaml", "./k.ckpt"}).empty());
}

TEST_CASE("a shell that has the completions completes commands, options, names and directories") {
  const workplace here;
  REQUIRE(here.tool({"get", "my_model", "./c.yaml", "./k.ckpt"}).code == 0);
  write_file(here / "bash.sh", here.tool({"completions", "bash"}).out);
  write_file(here / "zsh.sh", here.tool({"completions", "zsh"}).out);
  // in place of the tool, which is in this program
  write_file(here / "vqcache", "#!/bin/sh\n[ \"$1\" = list ] && echo my_model || echo vqgan_x\n");
  fs::permissions(here / "vqcache", fs::perms(0700));

  if (find_in_path("bash").empty()) {
    support::noted("no bash here: its completions were not tried");
  } else {
    const auto complete = [&](const std::string& words, int at) {
      const std::string script = "cd " + support::quoted((here / ".").string())
          + " && PATH=.:$PATH && source ./bash.sh && COMP_WORDS=(" + words
          + ") && COMP_CWORD=" + std::to_string(at) + " && _vqcache && echo \"${COMPREPLY[*]}\"";
      return support::run("bash -c " + support::quoted(script)).output;
    };
    CHECK(support::run("bash -n " + support::quoted((here / "bash.sh").string())).code == 0);
    CHECK(complete("vqcache ver", 1) == "verify version\n");
    CHECK(complete("vqcache where my", 2) == "my_model\n");
    CHECK(complete("vqcache --local x -q verify ''", 5) == "my_model\n");
    CHECK(complete("vqcache get ''", 2) == "my_model vqgan_x\n");
    CHECK(complete("vqcache get --no", 2) == "--no-copy --no-create-dirs\n");
    CHECK(complete("vqcache completions z", 2) == "zsh\n");
    CHECK(complete("vqcache --local con", 2) == "content\n");
    CHECK(complete("vqcache --transport c", 2) == "curl\n");
  }

  if (find_in_path("zsh").empty()) {
    support::noted("no zsh here: its completions were not tried");
  } else {
    CHECK(support::run("zsh -n " + support::quoted((here / "zsh.sh").string())).code == 0);
  }
}

TEST_CASE("Ctrl-C ends it by that signal, after it has told what is kept") {
  const workplace here;
  const std::string url = hostile().url("/hold_body/tool_interrupt/last.ckpt");
  const auto interrupts = [] {
    std::thread([] {
      sleep_ms(700);
      ::kill(::getpid(), SIGINT);
    }).detach();
  };
  const printed p = here.tool({"get", "m", "./c.yaml", url}, {}, interrupts);
  CHECK(p.code == -SIGINT);
  CHECK(has(p.errors, "interrupted"));
  CHECK(p.out.empty());
  const printed document = here.tool({"--json", "get", "m", "./c.yaml", url}, {}, interrupts);
  CHECK(document.code == -SIGINT);
  CHECK(from_json(document.out, "d['error']['code']") == "interrupted");
  hostile().release("/hold_body/tool_interrupt/last.ckpt");
}

TEST_CASE("output that cannot be written is an error") {
  if (lacks(part::terminal)) return;
  if (!fs::exists("/dev/full")) return skipped("no /dev/full here");
  const workplace here;
  const std::string said = here.on_terminal(80, {"known"}, {}, [] { redirect(1, "/dev/full"); });
  CHECK(has(said, "cannot write"));
}

TEST_SUITE_END();
