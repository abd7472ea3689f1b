// notebook_options(): where a platform has its fast and its lasting disk. Environments are faked, and
// so is the root directory; what a platform sets and mounts is what each documents of itself.
#include <doctest/doctest.h>

#include "world.hpp"

using namespace world;

namespace {

struct machine {
  folder root{};
  std::string at = root.at.string();
  std::vector<std::string> said{};
  std::vector<std::unique_ptr<environment>> variables{};

  machine() {  // a plain one, whatever runs this test
    for (const char* name : {"COLAB_RELEASE_TAG", "TBE_RUNTIME_ADDR", "COLAB_GPU", "VERTEX_PRODUCT",
             "KAGGLE_KERNEL_RUN_TYPE", "KAGGLE_USER_SECRETS_TOKEN", "KAGGLE_DATA_PROXY_TOKEN",
             "PAPERSPACE_NOTEBOOK_REPO_ID", "PAPERSPACE_CLUSTER_ID", "PAPERSPACE_FQDN",
             "SAGEMAKER_INTERNAL_IMAGE_URI", "LIGHTNING_CLOUDSPACE_HOST",
             "LIGHTNING_CLOUD_PROJECT_ID", "BINDER_REPO_URL", "BINDER_REF_URL",
             "BINDER_LAUNCH_HOST", "SPACE_ID", "VQCACHE_LOCAL_DIR", "VQCACHE_CACHE_DIR"})
      variables.push_back(std::make_unique<environment>(name, nullptr));
    mounts("overlay / overlay rw 0 0\n");
  }

  void set(const std::string& name, const std::string& value) {
    variables.push_back(std::make_unique<environment>(name, value));
  }

  void add(const std::string& directory) { fs::create_directories(at + directory); }

  void mounts(const std::string& lines) { write(at + "/proc/self/mounts", lines); }

  vqcache::options ask(vqcache::options o = {}) {
    said.clear();
    o.on_message = [this](const std::string& line) {
      said.push_back(line);
    };
    return vqcache::detail::notebook::choose(o, at);
  }

  std::string line() const { return said.size() == 1 ? said[0] : "not one line"; }

  // a path below the root, as a platform has it; elsewhere: as it is
  std::string inner(const fs::path& p) const {
    const std::string s = p.string();
    return s.compare(0, at.size(), at) == 0 ? s.substr(at.size()) : s;
  }
};

struct platform {
  std::string name;
  std::vector<std::string> signs;        // NAME=VALUE, or a directory
  std::vector<std::string> directories;  // that stand there
  std::string local, cache;
  bool lasts;
};

const std::vector<platform> platforms = {
    {"Colab",
        {"COLAB_RELEASE_TAG=r", "TBE_RUNTIME_ADDR=1.2.3.4:5", "COLAB_GPU=0", "/var/colab/hostname"},
        {"/content"}, "/content/models", "/content/cache/models", false},
    {"Colab Enterprise", {"VERTEX_PRODUCT=COLAB_ENTERPRISE"}, {"/content"}, "/content/models",
        "/content/cache/models", false},
    {"Kaggle",
        {"KAGGLE_KERNEL_RUN_TYPE=Interactive", "KAGGLE_USER_SECRETS_TOKEN=x",
            "KAGGLE_DATA_PROXY_TOKEN=x"},
        {"/kaggle/working", "/kaggle/input/notes", "/kaggle/input/saved/cache/models"},
        "/kaggle/temp/models", "/kaggle/working/cache/models", true},
    {"Paperspace",
        {"PAPERSPACE_NOTEBOOK_REPO_ID=r", "PAPERSPACE_CLUSTER_ID=c", "PAPERSPACE_FQDN=f"},
        {"/storage", "/notebooks"}, "/tmp/models", "/storage/cache/models", true},
    {"Paperspace", {"PAPERSPACE_FQDN=f"}, {"/notebooks"}, "/tmp/models", "/notebooks/cache/models",
        true},
    {"SageMaker Studio Lab", {"SAGEMAKER_INTERNAL_IMAGE_URI=i", "/home/studio-lab-user"},
        {"/home/studio-lab-user"}, "/tmp/models", "/home/studio-lab-user/cache/models", true},
    {"Lightning Studio",
        {"LIGHTNING_CLOUDSPACE_HOST=h", "LIGHTNING_CLOUD_PROJECT_ID=p", "/teamspace"},
        {"/teamspace/studios/this_studio"}, "/tmp/models",
        "/teamspace/studios/this_studio/cache/models", true},
    {"Hugging Face Spaces", {"SPACE_ID=me/space"}, {"/data"}, "/tmp/models", "/data/cache/models",
        true},
    {"Hugging Face Spaces", {"SPACE_ID=me/space"}, {}, "/tmp/models", "/tmp/cache/models", false},
    {"Binder", {"BINDER_REPO_URL=u", "BINDER_REF_URL=u", "BINDER_LAUNCH_HOST=h"}, {}, "/tmp/models",
        "/tmp/cache/models", false}};

const std::string nothing = "nothing here outlasts the session";

}  // namespace

TEST_SUITE("platforms") {
  TEST_CASE("every platform is known by each of its signs, and the message says which and why") {
    for (const platform& p : platforms)
      for (const std::string& sign : p.signs) {
        machine m;
        CAPTURE(p.name);
        CAPTURE(sign);
        for (const std::string& d : p.directories)
          m.add(d);
        const std::size_t is = sign.find('=');
        if (is == std::string::npos)
          m.add(sign);
        else
          m.set(sign.substr(0, is), sign.substr(is + 1));
        const vqcache::options o = m.ask();
        CHECK(m.inner(o.local_dir) == p.local);
        CHECK(m.inner(o.cache_dir) == p.cache);
        const std::string shown =
            sign.substr(0, sign == "VERTEX_PRODUCT=COLAB_ENTERPRISE" ? sign.npos : is);
        CHECK_MESSAGE(has(m.line(),
                          p.name + " (" + shown + "): models go to '" + m.at + p.local
                              + "', copies to '" + m.at + p.cache + "'"),
            m.line());
        CHECK_MESSAGE(has(m.line(), nothing) != p.lasts, m.line());
      }
  }
  TEST_CASE("a variable tells more than a path, and a value that is another one tells nothing") {
    machine m;
    m.add("/teamspace/studios/this_studio");
    m.set("VERTEX_PRODUCT", "WORKBENCH_INSTANCE");
    m.ask();
    CHECK(has(m.line(), "Lightning Studio (/teamspace)"));
    m.set("BINDER_REPO_URL", "u");
    m.ask();
    CHECK(has(m.line(), "Binder (BINDER_REPO_URL)"));
    machine other;  // a path of an earlier row of the table, a variable of a later one
    other.add("/var/colab/hostname");
    other.set("LIGHTNING_CLOUD_PROJECT_ID", "p");
    other.ask();
    CHECK(has(other.line(), "Lightning Studio (LIGHTNING_CLOUD_PROJECT_ID)"));
  }
  TEST_CASE("on Colab a mounted Drive is the lasting disk, wherever it is mounted") {
    for (const std::string where : {"/content/drive", "/gdrive"})
      for (const std::string folder : {"/MyDrive", "/My Drive"}) {
        machine m;
        m.set("COLAB_RELEASE_TAG", "r");
        m.add("/content");
        m.add(where + folder);
        m.mounts("overlay / overlay rw 0 0\ndrive " + where + " fuse.drive rw,nosuid 0 0\n");
        const vqcache::options o = m.ask();
        CHECK(m.inner(o.cache_dir) == where + folder + "/cache/models");
        CHECK(m.inner(o.local_dir) == "/content/models");
        CHECK_FALSE(has(m.line(), nothing));
      }
  }
  TEST_CASE("a directory where Drive would be mounted is no Drive, and that is said") {
    machine m;
    m.set("COLAB_RELEASE_TAG", "r");
    m.add("/content/drive/MyDrive");
    const vqcache::options o = m.ask();
    CHECK(m.inner(o.cache_dir) == "/content/cache/models");
    CHECK_MESSAGE(has(m.line(), nothing + ": mount Google Drive"), m.line());
  }
  TEST_CASE(
      "a disk that nobody may write does not last, unless it holds a cache: then it is read") {
    if (lacks(part::users)) return;
    const std::string said = unprivileged([]() -> std::string {
      machine m;
      m.set("SPACE_ID", "me/space");
      m.add("/data");
      m.add("/data/deep/cache");
      fs::permissions(m.at + "/data", fs::perms(0555));
      if (m.inner(m.ask().cache_dir) != "/tmp/cache/models") return m.line();
      if (!has(m.line(), nothing + ": attach storage")) return m.line();
      return "right";
    });
    CHECK_MESSAGE(said == "right", said);
  }
  TEST_CASE("on a plain machine nothing is chosen, and the defaults are named") {
    machine m;
    const working_directory here(m.at);
    vqcache::options o = m.ask();
    CHECK(o.local_dir.empty());
    CHECK(o.cache_dir.empty());
    CHECK_MESSAGE(has(m.line(), "No notebook platform is known here: models go to "), m.line());
    CHECK(has(m.line(), "/content/models', copies to "));
    CHECK(has(m.line(), "/content/cache/models'."));
  }
  TEST_CASE("what the caller or the variables say stays, and the rest of the options too") {
    machine m;
    m.set("COLAB_RELEASE_TAG", "r");
    m.add("/content");
    vqcache::options given;
    given.local_dir = "/x/fast";
    given.connections = 7;
    vqcache::options o = m.ask(given);
    CHECK(o.local_dir == "/x/fast");
    CHECK(m.inner(o.cache_dir) == "/content/cache/models");
    CHECK(o.connections == 7);
    CHECK(has(m.line(), "models go to '/x/fast'"));
    m.set("VQCACHE_LOCAL_DIR", "/y/fast");
    m.set("VQCACHE_CACHE_DIR", "/y/slow");
    o = m.ask();
    CHECK(o.local_dir.empty());  // the call itself looks at the variables
    CHECK(o.cache_dir.empty());
    CHECK(has(m.line(), "models go to '/y/fast', copies to '/y/slow'."));
    given.on_message = nullptr;
    CHECK(printed([&] { (void)vqcache::notebook_options(given); }).empty());
  }
  TEST_CASE("the options work: what one session kept on the lasting disk serves the next one") {
    place w;
    machine m;
    m.set("PAPERSPACE_FQDN", "f");
    m.add("/storage");
    vqcache::options o = m.ask();
    const vqcache::options with = w.options();
    o.fetch = with.fetch, o.on_message = with.on_message;
    REQUIRE(w.call_with(o, "m").ok());
    fs::remove_all(m.at + "/tmp");
    w.origin_dies();
    const vqcache::result again = w.call_with(o, "m");
    REQUIRE_MESSAGE(again.ok(), why(again));
    CHECK(again.model.from == vqcache::origin::cache);
    CHECK(read(m.at + "/tmp/models/m.ckpt") == checkpoint());
  }
  TEST_CASE("Kaggle's inputs are looked in wherever they are mounted, and nothing else is") {
    machine k;
    k.set("KAGGLE_KERNEL_RUN_TYPE", "Batch");
    for (const char* directory :
        {"/kaggle/working", "/kaggle/input/pictures", "/kaggle/input/b/cache/models",
            "/kaggle/input/a/cache/models", "/kaggle/input/notebooks/ann/saved/cache/models",
            "/kaggle/input/notebooks/ann/other/cache",
            "/kaggle/input/datasets/bob/set/cache/models",
            "/kaggle/input/pictures/deep/er/cache/models"})
      k.add(directory);
    std::vector<std::string> looked_in;
    for (const fs::path& p : k.ask().also_look_in)
      looked_in.push_back(k.inner(p));
    const std::vector<std::string> right{"/kaggle/input/a/cache/models",
        "/kaggle/input/b/cache/models", "/kaggle/input/notebooks/ann/saved/cache/models",
        "/kaggle/input/datasets/bob/set/cache/models"};
    CHECK(looked_in == right);
    CHECK_MESSAGE(
        has(k.line(), "; also looked in is '" + k.at + "/kaggle/input/a/cache/models'"), k.line());
    CHECK_MESSAGE(has(k.line(), "copies last once this version is saved"), k.line());
    vqcache::options own;
    own.cache_dir = "/x/slow";
    CHECK(k.ask(own).also_look_in.empty());
  }
  TEST_CASE("what one version on Kaggle brings, every later one has, without a network") {
    if (lacks(part::users)) return;
    const std::string said = unprivileged([]() -> std::string {
      place w;
      const vqcache::options with = w.options();
      const auto version = [&](machine& m, const std::vector<std::string>& wanted) -> std::string {
        m.set("KAGGLE_KERNEL_RUN_TYPE", "Batch");
        m.add("/kaggle/working");
        const auto before = contents(m.at + "/kaggle/input");
        vqcache::options o = m.ask();
        o.fetch = with.fetch, o.on_message = with.on_message;
        for (const std::string& name : wanted) {
          const vqcache::result r = w.call_with(o, name);
          if (!r.ok()) return why(r);
          if (!r.model.cached) return name + " is not cached";
          if (read(m.at + "/kaggle/temp/models/" + name + ".ckpt") != checkpoint())
            return "other bytes";
        }
        return contents(m.at + "/kaggle/input") == before ? "" : "an input was written";
      };
      const auto add_output = [](const machine& of, machine& to) {
        const std::string input = to.at + "/kaggle/input/notebooks/ann/saved";
        fs::create_directories(input);
        fs::copy(of.at + "/kaggle/working", input, fs::copy_options::recursive);
        for (const auto& one : fs::recursive_directory_iterator(input))
          fs::permissions(one.path(), fs::perms(one.is_directory() ? 0555 : 0444));
        return input;
      };
      const auto release = [](const std::string& input) {  // so that it can be removed
        for (const auto& one : fs::recursive_directory_iterator(input))
          if (one.is_directory()) fs::permissions(one.path(), fs::perms(0755));
      };
      std::string bad;
      std::string at_second, at_third;
      {
        machine first;
        bad = version(first, {"m"});
        if (!bad.empty()) return "first: " + bad;
        machine second;
        at_second = add_output(first, second);
        bad = version(second, {"m", "new"});  // one from the input, one from the origin
        if (bad.empty()) {
          machine third;
          at_third = add_output(second, third);
          w.origin_dies();
          bad = version(third, {"m", "new"});
          if (!bad.empty()) bad = "third: " + bad;
          release(at_third);
        } else {
          bad = "second: " + bad;
        }
        release(at_second);
      }
      return bad.empty() ? "right" : bad;
    });
    CHECK_MESSAGE(said == "right", said);
  }
}
