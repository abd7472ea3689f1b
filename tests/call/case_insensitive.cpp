// A file system that ignores case, as macOS and Windows have them: here the one of tests/drive,
// through FUSE. The name on the disk decides whose a file is.
#include "children.hpp"
#include "world.hpp"

namespace {

using namespace children;
using vqcache::errc;
using world::checkpoint;
using world::config;
using world::sha256;

// the drive's program; empty: it cannot be built, and why says what for
fs::path drivefs(std::string& why) {
  static const scratch built;
  const fs::path made = built / "drivefs";
  if (fs::exists(made)) return made;
  const std::string cxx = std::getenv("CXX") ? std::getenv("CXX") : "c++";
  const fs::path source = tests_dir() / "drive/drivefs.cpp";
  const std::string build = cxx + " -std=c++17 -O0 " + support::quoted(source.string()) + " -o "
      + made.string() + " $(pkg-config --cflags --libs fuse3) -pthread";
  if (run({"sh", "-c", build}, built / "log", 120)) return made;
  why = "the drive does not compile (Debian: libfuse3-dev): " + slurp(built / "log");
  return {};
}

class drive_mount {  // of a directory, until this object goes
 public:
  drive_mount() {
    why_ = support::why_missing(part::fuse);
    if (why_.empty()) why_ = support::why_missing(part::proc);  // which tells what is mounted
    if (!why_.empty()) return;
    if (find_in_path("fusermount3").empty()) why_ = "no fusermount3 (Debian: fuse3)";
    const fs::path program_of_it = why_.empty() ? drivefs(why_) : fs::path();
    if (!why_.empty()) return;
    fs::create_directories(home_ / "cloud");
    fs::create_directories(at());
    daemon_.start(
        {program_of_it.string(), (home_ / "cloud").string(), at().string(), "case=ignore"}, {},
        home_ / "log", home_ / "log");
    const std::string line = " " + at().string() + " fuse";
    if (!wait_until([&] { return has(slurp("/proc/self/mounts"), line); }, 10))
      why_ = "nothing can be mounted here: " + slurp(home_ / "log");
  }

  drive_mount(const drive_mount&) = delete;
  drive_mount& operator=(const drive_mount&) = delete;

  ~drive_mount() {
    if (why_.empty()) (void)run({"fusermount3", "-u", "-z", at().string()});
    (void)daemon_.wait(10);
  }

  const std::string& why() const { return why_; }

  fs::path at() const { return home_ / "mount"; }

 private:
  scratch home_{};
  program daemon_{};
  std::string why_{};
};

struct pair {
  std::string yaml, ckpt;
};

const pair small{config("small"), checkpoint(5000, 1)}, big{config("big"), checkpoint(6000, 2)};

struct tiers {
  fs::path at;
  scratch sources{};
  std::vector<std::string> said{};

  vqcache::options options() {
    vqcache::options o;
    o.local_dir = at / "local", o.cache_dir = at / "cache";
    o.on_message = [this](const std::string& line) {
      said.push_back(line);
    };
    return o;
  }

  vqcache::result call(const std::string& name, const pair& files, bool pinned = false) {
    said.clear();
    write_file(sources / "a.yaml", files.yaml);
    write_file(sources / "a.ckpt", files.ckpt);
    vqcache::source k((sources / "a.ckpt").string());
    if (pinned) k.sha256 = sha256(files.ckpt);
    return vqcache::try_download_vqgan_model(name, (sources / "a.yaml").string(), k, options());
  }
};

}  // namespace

TEST_SUITE_BEGIN("case insensitive");

TEST_CASE(
    "where case is ignored, a name that differs in case only is taken, and nothing is touched") {
  const drive_mount drive;
  if (!drive.why().empty()) return skipped(drive.why());
  for (const std::string s : {"both tiers", "local alone", "cache alone", "no receipts",
           "receipts alone", "a folder in the cache alone"}) {
    CAPTURE(s);
    tiers t{drive.at() / sha256(s).substr(0, 8)};
    REQUIRE(t.call("model", small).ok());
    const fs::path local = t.at / "local", cache = t.at / "cache/model";
    if (s == "local alone") fs::remove_all(t.at / "cache");
    if (s == "cache alone" || s == "a folder in the cache alone") fs::remove_all(local);
    if (s == "no receipts")
      for (const fs::path& tier : {local, cache})
        fs::remove(tier / "model.sha256");
    if (s == "receipts alone" || s == "a folder in the cache alone")
      for (const fs::path& tier : {local, cache})
        for (const char* file : {"model.yaml", "model.ckpt"})
          fs::remove(tier / file);
    if (s == "a folder in the cache alone") fs::remove(cache / "model.sha256");
    const auto before = world::contents(t.at);
    for (const bool pinned : {false, true}) {
      CAPTURE(pinned);
      const auto r = t.call("Model", big, pinned);
      CHECK_MESSAGE(r.error.code() == errc::name_taken, world::why(r), joined(t.said));
      CHECK_MESSAGE(has(world::why(r), "model"), world::why(r));
      auto after = world::contents(t.at);
      for (auto i = after.begin(); i != after.end();)  // a lock, and the folder for it
        i = has(i->first, ".lock") || (i->first == "local/" && !before.count("local/"))
            ? after.erase(i)
            : std::next(i);
      auto expected = before;
      for (auto i = expected.begin(); i != expected.end();)
        i = has(i->first, ".lock") ? expected.erase(i) : std::next(i);
      CHECK(after == expected);
      const auto by_name = vqcache::try_download_vqgan_model("MODEL", t.options());
      CHECK_FALSE(by_name.ok());
      const vqcache::error removed = vqcache::try_remove("Model", t.options());
      CHECK_MESSAGE(removed.code() == errc::name_taken, removed.what());
    }
    INFO("the model itself is as it was");
    const auto own = t.call("model", small);
    CHECK_MESSAGE(own.ok(), world::why(own));
    CHECK(slurp(local / "model.ckpt") == small.ckpt);
    CHECK(slurp(cache / "model.ckpt") == small.ckpt);
    const vqcache::error removed = vqcache::try_remove("model", t.options());
    CHECK_MESSAGE(!removed.code(), removed.what());
    INFO("and its name is free then");
    const auto other = t.call("Model", big);
    CHECK_MESSAGE(other.ok(), world::why(other));
    CHECK(slurp(local / "Model.ckpt") == big.ckpt);
  }
}

TEST_CASE(
    "where case is ignored, a taken name in the cache fails no call whose local pair is whole") {
  const drive_mount drive;
  if (!drive.why().empty()) return skipped(drive.why());
  const world::folder fast;
  tiers t{drive.at() / "x"};
  REQUIRE(t.call("model", small).ok());
  for (const char* file : {"Model.yaml", "Model.ckpt"})
    write_file(fast.at / file, has(file, "yaml") ? big.yaml : big.ckpt);
  const auto before = world::contents(t.at / "cache");
  vqcache::options o = t.options();
  o.local_dir = fast.at;
  const auto r = vqcache::try_download_vqgan_model("Model", o);
  REQUIRE_MESSAGE(r.ok(), world::why(r));
  CHECK_FALSE(r.model.cached);
  CHECK(has(joined(t.said), "not in the cache"));
  CHECK(world::contents(t.at / "cache") == before);
}

TEST_CASE("the doctor tells where case is ignored, and leaves nothing") {
  const drive_mount drive;
  if (!drive.why().empty()) return skipped(drive.why());
  tiers t{drive.at() / "x"};
  for (const char* const tier : {"local", "cache"}) {
    fs::create_directories(t.at / tier);
  }
  const auto found = vqcache::try_doctor(t.options());
  REQUIRE_MESSAGE(found.ok(), found.error.what());
  int told = 0;
  for (const vqcache::finding& one : found.value) {
    if (!has(one.said, "names that differ in case alone are one")) continue;
    ++told;
    CHECK(one.how == vqcache::severity::information);
    CHECK(has(one.advice, "name_taken"));
  }
  CHECK(told == 2);
  CHECK(names_in(t.at / "local").empty());
  CHECK(names_in(t.at / "cache").empty());
}

TEST_CASE("where case counts, names that differ in case only are two models") {
  scratch home;
  tiers t{home / "x"};
  for (int round = 0; round < 2; ++round) {
    REQUIRE(t.call("model", small).ok());
    const auto r = t.call("Model", big);
    REQUIRE_MESSAGE(r.ok(), world::why(r));
    CHECK(slurp(t.at / "local/model.ckpt") == small.ckpt);
    CHECK(slurp(t.at / "local/Model.ckpt") == big.ckpt);
    for (const char* receipt : {"local/model.sha256", "local/Model.sha256"})
      fs::remove(t.at / receipt);
  }
  INFO("a receipt that a person renamed");
  fs::remove_all(t.at);
  REQUIRE(t.call("model", small).ok());
  for (const char* tail : {".yaml", ".ckpt", ".sha256"})
    fs::rename(
        t.at / ("local/model" + std::string(tail)), t.at / ("local/Model" + std::string(tail)));
  CHECK(t.call("Model", small).ok());
}

TEST_SUITE_END();
