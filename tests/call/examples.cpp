// The examples that people copy, as programs of their own, against an origin on this machine. What a
// large library would do is done by tests/stand_in.
#include "children.hpp"

#if !defined(VQCACHE_EXAMPLES_DIR)
#define VQCACHE_EXAMPLES_DIR "."
#endif

namespace {

using namespace children;

struct ended {
  int code = -1;  // -N: by signal N; -1 after a minute, too
  std::string out, errors;
};

// A directory that an origin serves, and one where the programs are started.
class stage {
  scratch at_{};

 public:
  fs::path origin_files = at_.fresh(), home = at_.fresh();

  void start(program& one, const std::string& example, const std::vector<std::string>& words,
      const fs::path& out, const environment& more = {}) const {
    std::vector<std::string> all = {
        (fs::path(VQCACHE_EXAMPLES_DIR) / ("vqcache_example_" + example)).string()};
    REQUIRE_MESSAGE(fs::exists(all[0]), all[0], " was not built");
    all.insert(all.end(), words.begin(), words.end());
    one.start(all, clean(more), out, out.string() + ".errors", home);
  }

  ended run(const std::string& example, const std::vector<std::string>& words,
      const environment& more = {}) {
    const fs::path out = at_.fresh() / "out";
    program one;
    start(one, example, words, out, more);
    const int state = one.wait(60);
    const int code = WIFEXITED(state) ? WEXITSTATUS(state) : -WTERMSIG(state);
    return {state == -1 ? -1 : code, slurp(out), slurp(out.string() + ".errors")};
  }

  // no server answers there
  static std::string dead() { return "http://127.0.0.1:1"; }
};

std::string weights() {
  return v1().ckpt;
}

}  // namespace

TEST_SUITE_BEGIN("examples");

TEST_CASE("pair_libtorch loads what it has downloaded, and a second time without an origin") {
  stage here;
  write_file(here.origin_files / "model.yaml", v1().yaml);
  write_file(here.origin_files / "last.ckpt", weights());
  std::string first;
  {
    const support::server origin = support::plain(here.origin_files);
    const ended cold = here.run("pair_libtorch", {origin.url("")});
    CHECK_MESSAGE(cold.code == 0, cold.errors);
    first = cold.out;
  }
  const std::string line = v1().yaml.substr(0, v1().yaml.find('\n'));
  CHECK(has(first, "the config begins with: " + line + "\n"));
  CHECK(has(first, "loaded my_vqgan.ckpt\n"));
  CHECK(slurp(here.home / "persistent/models/my_vqgan/my_vqgan.ckpt") == weights());

  fs::remove_all(here.home / "content");  // the fast disk was wiped, and the origin is gone
  const ended again = here.run("pair_libtorch", {stage::dead()});
  CHECK_MESSAGE(again.code == 0, again.errors);
  CHECK(has(again.out, "is available in the cache"));

  stage other;
  const ended failed = other.run("pair_libtorch", {stage::dead()});
  CHECK(failed.code == 1);
  CHECK(has(failed.errors, "model 'my_vqgan'"));
}

TEST_CASE("onnx_external_data has both files side by side") {
  stage here;
  const std::string data(200000, '\x01');
  write_file(here.origin_files / "model.onnx", "\x08\x07" + data);
  write_file(here.origin_files / "model.onnx_data", data);
  const support::server origin = support::plain(here.origin_files);
  const ended ran = here.run("onnx_external_data", {origin.url("")});
  CHECK_MESSAGE(ran.code == 0, ran.errors);
  CHECK(has(ran.out, "model.onnx has 1 inputs\n"));
  CHECK(slurp(here.home / "content/models/my_network/model.onnx_data") == data);

  fs::remove(here.home / "content/models/my_network/model.onnx_data");
  CHECK(here.run("onnx_external_data", {stage::dead()}).code == 0);  // restored

  stage other;
  fs::remove(here.origin_files / "model.onnx_data");
  const ended half = other.run("onnx_external_data", {origin.url("")});
  CHECK(half.code == 1);
  CHECK(has(half.errors, "model.onnx_data"));
  CHECK_FALSE(fs::exists(other.home / "content/models/my_network/model.onnx"));
}

TEST_CASE("safetensors tells what is in the file") {
  stage here;
  const std::string header = R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                             R"("b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}})";
  const std::string length = {static_cast<char>(header.size()), 0, 0, 0, 0, 0, 0, 0};
  write_file(here.origin_files / "model.safetensors", length + header + std::string(12, '\0'));
  const support::server origin = support::plain(here.origin_files);
  const ended ran = here.run("safetensors", {origin.url("")});
  CHECK_MESSAGE(ran.code == 0, ran.errors);
  CHECK(has(ran.out, "2 tensors: " + header + "\n"));

  stage other;
  write_file(here.origin_files / "model.safetensors", std::string(5000, '\xff'));
  const ended bad = other.run("safetensors", {origin.url("")});
  CHECK(bad.code == 1);
  CHECK(has(bad.errors, "is no safetensors file"));
}

TEST_CASE("application keeps its file in the user's cache folder, and speaks to the user") {
  stage here;
  write_file(here.origin_files / "voice.bin", weights());
  const support::server origin = support::plain(here.origin_files);
  const environment user = {{"XDG_CACHE_HOME", (here.home / "of user").string()}};
  const ended ran = here.run("application", {origin.url("")}, user);
  CHECK_MESSAGE(ran.code == 0, ran.errors);
  const std::string file = (here.home / "of user/my_app/voice.bin").string();
  CHECK(ran.out == "The voice is ready: " + file + "\n");
  CHECK(slurp(file) == weights());
  CHECK(has(ran.errors, "Setting up the voice: 100 %"));
  CHECK(here.run("application", {stage::dead()}, user).code == 0);
  CHECK(names_in(here.home) == std::vector<std::string>{"of user"});

  stage other;
  const ended failed =
      other.run("application", {stage::dead()}, {{"XDG_CACHE_HOME", (other.home / "x").string()}});
  CHECK(failed.code == 1);
  CHECK(failed.out == "There is no connection. Check your network, then retry.\n");
  CHECK(has(failed.errors, "my_app: "));
}

TEST_CASE("cancel ends a download that another thread is in, and the next run goes on") {
  stage here;
  const std::string path = "/hold_body/example_cancel";
  const std::string origin = hostile().url(path);
  const ended cancelled = here.run("cancel", {origin, "1"});
  CHECK_MESSAGE(cancelled.code == 2, cancelled.out, cancelled.errors);
  CHECK(has(cancelled.out, "cancelled; the next run goes on from here: "));
  CHECK(has(cancelled.errors, " of " + std::to_string(weights().size()) + " bytes"));
  CHECK_FALSE(fs::exists(here.home / "content/models/weights.bin"));

  hostile().release(path + "/weights.bin");
  const ended whole = here.run("cancel", {origin, "50"});
  CHECK_MESSAGE(whole.code == 0, whole.out, whole.errors);
  CHECK(has(whole.out, "Continuing weights.bin at byte "));
  CHECK(slurp(here.home / "content/models/weights.bin") == weights());
}

TEST_CASE("own_transport reads an archive, and says what is not in it") {
  if (find_in_path("tar").empty()) return skipped("no tar here");
  stage here;
  write_file(here.origin_files / "notes.txt", std::string(700, 'n'));
  write_file(here.origin_files / "model.yaml", v1().yaml);
  write_file(here.origin_files / "last.ckpt", weights());
  const std::string archive = (here.home / "a.tar").string();
  const std::string tar = "tar --format=ustar -C " + support::quoted(here.origin_files.string())
      + " -cf " + support::quoted(archive);
  REQUIRE(support::run(tar + " notes.txt model.yaml last.ckpt").code == 0);
  const ended ran = here.run("own_transport", {archive});
  CHECK_MESSAGE(ran.code == 0, ran.errors);
  CHECK(has(ran.out, (here.home / "content/models/shipped.ckpt").string() + "\n"));
  CHECK(slurp(here.home / "content/models/shipped.yaml") == v1().yaml);
  CHECK(slurp(here.home / "content/models/shipped.ckpt") == weights());

  stage other;
  REQUIRE(support::run(tar + " model.yaml").code == 0);
  const ended missing = other.run("own_transport", {archive});
  CHECK(missing.code == 1);
  CHECK(has(missing.errors, "404"));
  const ended nothing = other.run("own_transport", {"nowhere.tar"});
  CHECK(nothing.code == 1);
  CHECK(has(nothing.errors, "cannot read nowhere.tar"));
}

TEST_CASE("cluster: of four processes on one directory one downloads, the others find the file") {
  stage here;
  const std::string path = "/hold_body/example_cluster";
  program all[4];
  const auto out = [&](int i) {
    return here.home / ("out" + std::to_string(i));
  };
  for (int i = 0; i < 4; ++i)
    here.start(all[i], "cluster", {hostile().url(path), "shared"}, out(i));
  const auto waiting = [&] {  // but for the one that downloads
    int count = 0;
    for (int i = 0; i < 4; ++i)
      count += has(slurp(out(i)), "Waiting for another call") ? 1 : 0;
    return count == 3;
  };
  CHECK(wait_until(waiting, 30));
  hostile().release(path + "/weights.bin");

  int downloaded = 0, found = 0;
  for (int i = 0; i < 4; ++i) {
    const int state = all[i].wait(60);
    const std::string text = slurp(out(i));
    CHECK_MESSAGE((WIFEXITED(state) && WEXITSTATUS(state) == 0), text);
    downloaded += has(text, "downloaded it: ") ? 1 : 0;
    found += has(text, "found it: ") ? 1 : 0;
  }
  CHECK(downloaded == 1);
  CHECK(found == 3);
  CHECK(slurp(here.home / "shared/weights.bin") == weights());

  int whole = 0;  // requests for the file from its beginning
  for (const support::seen& one : hostile().log(path + "/weights.bin"))
    whole += one.has("range") ? 0 : 1;
  CHECK(whole == 1);
}

TEST_SUITE_END();
