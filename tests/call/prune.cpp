// prune: the local tier makes room. A local file goes only after its copy was read in this call and
// is right, and what cannot go is told.
#include <doctest/doctest.h>

#include "world.hpp"

using namespace world;
using vqcache::errc;

namespace {

const std::string& base = net_base;

struct shelf : place {
  shelf() {
    serve_net();
    serve(base + "flat", {checkpoint(30000, 4)});
  }

  void bring_net(const vqcache::options& o) {
    const auto r = place::bring_net(o);
    REQUIRE_MESSAGE(r.ok(), why(r));
  }

  void bring_net() { bring_net(options()); }

  vqcache::pruning pruned(std::uint64_t most, bool is_dry_run = false) {
    forget();
    const auto found = vqcache::try_prune(most, is_dry_run, options());
    CHECK_MESSAGE(found.ok(), found.error.what());
    CHECK(asked.empty());
    return found.value;
  }
};

// as if it had been used so many days ago, and not since
void use(const fs::path& receipt, int days_ago) {
  const std::time_t then = std::time(nullptr) - days_ago * 86400;
  const timespec times[2] = {{then, 0}, {then, 0}};
  REQUIRE(::utimensat(AT_FDCWD, receipt.c_str(), times, 0) == 0);
}

lines names(const vqcache::pruning& p) {  // "m" stays, "-m" goes
  lines all;
  for (const vqcache::pruned_model& one : p.models) {
    CHECK(!one.why.empty());
    all.push_back((one.is_removed ? "-" : "") + one.name);
  }
  return all;
}

std::uint64_t size_of(const fs::path& directory) {  // of files, but for receipts and locks
  std::uint64_t bytes = 0;
  for (const std::string& name : tree(directory)) {
    const fs::path file = directory / name;
    if (fs::is_regular_file(file) && file.extension() != ".sha256") bytes += fs::file_size(file);
  }
  return bytes;
}

}  // namespace

TEST_SUITE("prune") {
  TEST_CASE("all that has a copy goes, and is restored by the next call") {
    shelf w;
    REQUIRE(w.call("m").ok());
    w.bring_net();
    REQUIRE(vqcache::try_download_file("flat.bin", base + "flat", w.options()).ok());
    prime(w.local, "seed");
    prime(w.cache / "seed", "seed");
    const auto copies = contents(w.cache);
    const std::uint64_t bytes = size_of(w.local);

    const auto p = w.pruned(0);
    CHECK(p.models.size() == 4);
    CHECK(p.freed == bytes);
    CHECK(p.left == 0);
    std::uint64_t sum = 0;
    for (const vqcache::pruned_model& one : p.models) {
      CHECK_MESSAGE(one.is_removed, one.why);
      sum += one.bytes;
    }
    CHECK(sum == bytes);
    CHECK(tree(w.local).empty());
    CHECK(contents(w.cache) == copies);
    CHECK(w.saw(vqcache::phase::verifying));

    w.origin_dies();
    CHECK(w.call_by_name("m").model.from == vqcache::origin::cache);
    CHECK(w.call_by_name("seed").ok());
    CHECK(vqcache::try_restore_model("net", w.options()).ok());
    CHECK((read(w.local / "net/onnx/model.onnx") == checkpoint(50000, 3)));
    CHECK(vqcache::try_restore_model("flat.bin", w.options()).ok());
    CHECK(w.local_is("m"));
  }

  TEST_CASE("the least recently used goes first, and no more than has to") {
    shelf w;
    for (const char* const name : {"a", "b", "c"}) {
      REQUIRE(w.call(name).ok());
    }
    use(w.local / "a.sha256", 3);
    use(w.local / "b.sha256", 9);
    use(w.local / "c.sha256", 6);
    prime(w.local, "seed");
    prime(w.cache / "seed", "seed");
    use(w.local / "seed.yaml", 8);
    use(w.local / "seed.ckpt", 7);
    const std::uint64_t each = config().size() + checkpoint().size();

    // looking is no use: the order stays what it was
    REQUIRE(vqcache::try_list_models(w.options()).ok());
    REQUIRE(vqcache::try_verify_model("b", w.options()).ok());
    CHECK(names(w.pruned(0, true)) == lines{"-b", "-seed", "-c", "-a"});

    CHECK(names(w.pruned(4 * each)) == lines{"b", "seed", "c", "a"});
    auto p = w.pruned(4 * each - 1);
    CHECK(names(p) == lines{"-b", "seed", "c", "a"});
    CHECK(p.freed == each);
    CHECK(p.left == 3 * each);

    // what cannot go makes the next one go
    fs::remove_all(w.cache / "seed");
    p = w.pruned(2 * each);
    CHECK(names(p) == lines{"seed", "-c", "a"});
    CHECK(p.left == 2 * each);
    CHECK(w.local_is("seed"));
    CHECK(w.local_is("a"));

    REQUIRE(w.call_by_name("c").ok());  // which is a use
    use(w.local / "seed.yaml", 1);
    use(w.local / "seed.ckpt", 1);
    CHECK(names(w.pruned(0)) == lines{"-a", "seed", "-c"});
  }

  TEST_CASE("a dry run reads no copy, changes nothing, and says so") {
    shelf w;
    REQUIRE(w.call("m").ok());
    w.bring_net();
    write(w.cache / "m/m.ckpt", flipped(checkpoint(), 500));
    fs::remove(w.cache / "net/config.json");
    const auto before = contents(w.root.at);
    const auto p = w.pruned(0, true);
    CHECK(names(p) == lines{"-m", "net"});
    CHECK(p.freed == p.models[0].bytes);
    CHECK(p.left == p.models[1].bytes);
    CHECK_MESSAGE(has(p.models[0].why, "not read"), p.models[0].why);
    CHECK_MESSAGE(has(p.models[1].why, "there is no copy of config.json"), p.models[1].why);
    CHECK(contents(w.root.at) == before);
    CHECK(!w.saw(vqcache::phase::verifying));
    CHECK(names(w.pruned(0)) == lines{"m", "net"});
    CHECK(contents(w.root.at) == before);
  }

  TEST_CASE("a model whose copy is not what it has to be stays, whole") {
    struct row {
      const char* what;
      const char* told;
    };

    for (const row& one : {row{"flipped", "is damaged"}, row{"cut", "its receipt says"},
             row{"gone", "there is no copy of onnx/model.onnx"},
             row{"without a receipt", "no receipt speaks of the copy"},
             row{"another", "another config.json than the local receipt tells"},
             row{"a link", "there is no copy of config.json"}}) {
      const std::string s = one.what;
      CAPTURE(s);
      shelf w;
      w.bring_net();
      REQUIRE(w.call("m").ok());
      const fs::path copy = w.cache / "net/onnx/model.onnx";
      if (s == "flipped") write(copy, flipped(checkpoint(50000, 3), 49000));
      if (s == "cut") fs::resize_file(copy, 1000);
      if (s == "gone") fs::remove(copy);
      if (s == "without a receipt") fs::remove(w.cache / "net/net.sha256");
      if (s == "a link") {
        fs::remove(w.cache / "net/config.json");
        fs::create_symlink(w.local / "net/config.json", w.cache / "net/config.json");
      }
      if (s == "another") {
        write(w.cache / "net/config.json", "{\"layers\": 5}");
        std::string receipt = read(w.cache / "net/net.sha256");
        const std::string old = sha256("{\"layers\": 4}");
        receipt.replace(receipt.find(old), 64, sha256("{\"layers\": 5}"));
        write(w.cache / "net/net.sha256", receipt);
      }
      const auto files = contents(w.local / "net"), copies = contents(w.cache);
      const std::string receipt = read(w.local / "net.sha256");

      const auto p = w.pruned(0);
      REQUIRE(p.models.size() == 2);
      const vqcache::pruned_model& net = p.models[p.models[0].name == "net" ? 0 : 1];
      CHECK(!net.is_removed);
      CHECK_MESSAGE(has(net.why, one.told), net.why);
      CHECK(p.left == net.bytes);
      CHECK(contents(w.local / "net") == files);
      CHECK(read(w.local / "net.sha256") == receipt);
      CHECK(contents(w.cache) == copies);
      CHECK(!fs::exists(w.local / "m.ckpt"));
      const bool is_mended_by_repair = s != "another";
      CHECK(has(net.why, "repair_model") == is_mended_by_repair);
      if (!is_mended_by_repair) continue;
      REQUIRE(vqcache::try_repair_model("net", w.options()).ok());
      CHECK(names(w.pruned(0)) == lines{"-net"});
    }
  }

  TEST_CASE("without receipts both files are read, and have to be equal") {
    for (const std::string s : {"equal", "flipped", "cut", "gone", "local receipt alone"}) {
      CAPTURE(s);
      shelf w;
      prime(w.local, "seed");
      prime(w.cache / "seed", "seed");
      if (s == "flipped") write(w.cache / "seed/seed.ckpt", flipped(checkpoint(), 99000));
      if (s == "cut") fs::resize_file(w.cache / "seed/seed.ckpt", 500);
      if (s == "gone") fs::remove(w.cache / "seed/seed.ckpt");
      if (s == "local receipt alone") {
        write_receipt(w.local, "seed", config(), checkpoint());
      }
      const bool goes = s == "equal";
      const auto copies = contents(w.cache);
      const auto p = w.pruned(0);
      CHECK(names(p) == lines{goes ? "-seed" : "seed"});
      CHECK(w.local_is("seed") == !goes);
      CHECK(contents(w.cache) == copies);
    }

    // a receipt of the copy binds: the local file has none, and is another
    shelf w;
    REQUIRE(w.call("m").ok());
    fs::remove(w.local / "m.sha256");
    write(w.local / "m.ckpt", flipped(checkpoint(), 800));
    const auto p = w.pruned(0);
    CHECK(names(p) == lines{"m"});
    CHECK_MESSAGE(has(p.models[0].why, "differs"), p.models[0].why);
    write(w.local / "m.ckpt", checkpoint());
    CHECK(names(w.pruned(0)) == lines{"-m"});
  }

  TEST_CASE("what has one tier alone stays: remove takes it") {
    for (const std::string s : {"keep_copy", "one directory", "one by a link", "also_look_in"}) {
      CAPTURE(s);
      shelf w;
      vqcache::options o = w.options();
      if (s == "keep_copy") o.keep_copy = false;
      if (s == "one directory") o.cache_dir = o.local_dir / "";
      if (s == "one by a link") {
        fs::create_directories(w.local);
        fs::create_directory_symlink(w.local, w.cache);
      }
      if (s == "also_look_in") {
        vqcache::options other = w.options();
        other.local_dir = w.root.at / "x";
        other.cache_dir = w.root.at / "team";
        w.bring_net(other);
        o.also_look_in = {w.root.at / "team"};
      }
      if (s != "one by a link") w.bring_net(o);
      if (s == "one by a link") {
        const auto r =
            vqcache::try_download_model("net", {{"config.json", base + "config.json"}}, o);
        REQUIRE_MESSAGE(r.ok(), why(r));
      }
      if (s == "also_look_in") w.wipe_cache();
      const auto before = contents(w.local);
      const auto p = vqcache::try_prune(0, false, o);
      REQUIRE(p.ok());
      CHECK(names(p.value) == lines{"net"});
      CHECK(p->freed == 0);
      CHECK(contents(w.local) == before);
    }
  }

  TEST_CASE("a link or a second name of the copy stays") {
    shelf w;
    REQUIRE(w.call("hard").ok());
    REQUIRE(w.call("soft").ok());
    for (const bool is_hard : {true, false}) {
      const std::string name = is_hard ? "hard" : "soft";
      const fs::path here = w.local / (name + ".ckpt"), there = w.cache / name / (name + ".ckpt");
      fs::remove(here);
      if (is_hard) fs::create_hard_link(there, here);
      if (is_hard) continue;
      write(w.root.at / "elsewhere.ckpt", checkpoint());
      fs::create_symlink(w.root.at / "elsewhere.ckpt", here);
    }
    const auto before = contents(w.root.at);
    const auto p = w.pruned(0);
    CHECK(names(p).size() == 2);
    CHECK(p.freed == 0);
    CHECK(contents(w.root.at) == before);
  }

  TEST_CASE("what another call works on stays, and so does what is unfinished") {
    shelf w;
    w.bring_net();
    const std::string part = "net/onnx/.model.onnx.0123456789abcdef.part";
    write(w.local / part, "some");
    write(w.local / "net/config.json.corrupt-01234567", "bad");
    {
      const int fd = ::open((w.local / ".net.lock").c_str(), O_RDWR | O_CREAT, 0600);
      REQUIRE(::flock(fd, LOCK_EX) == 0);
      const auto before = contents(w.root.at);
      const auto p = w.pruned(0);
      CHECK(names(p) == lines{"net"});
      CHECK_MESSAGE(has(p.models[0].why, "another call"), p.models[0].why);
      CHECK(contents(w.root.at) == before);
      CHECK(!w.saw(vqcache::phase::verifying));
      ::close(fd);
    }
    CHECK(names(w.pruned(0)) == lines{"-net"});
    CHECK(tree(w.local) == lines{"net/", "net/config.json.corrupt-01234567", "net/onnx/", part});
  }

  TEST_CASE("a file that the local receipt alone tells of keeps it") {
    shelf w;
    w.bring_net();
    fs::remove(w.local / "net/onnx/model.onnx");
    CHECK(names(w.pruned(0, true)) == lines{"-net"});
    std::string receipt = read(w.cache / "net/net.sha256");
    const std::string its = sha256(checkpoint(50000, 3)) + "  onnx/model.onnx\n";
    receipt.erase(receipt.find(its), its.size());
    write(w.cache / "net/net.sha256", receipt);
    const auto p = w.pruned(0);
    CHECK(names(p) == lines{"net"});
    CHECK_MESSAGE(has(p.models[0].why, "the local receipt alone"), p.models[0].why);
  }

  TEST_CASE("it can be cancelled: what went before is told") {
    shelf w;
    REQUIRE(w.call("a").ok());
    w.bring_net();
    use(w.local / "a.sha256", 5);
    w.watch = [](const vqcache::progress& p) {
      return p.name != "net";
    };
    w.forget();
    const auto p = vqcache::try_prune(0, false, w.options());
    CHECK(p.error.code() == errc::cancelled);
    CHECK_MESSAGE(has(p.error.what(), "net"), p.error.what());
    CHECK(names(p.value) == lines{"-a", "net"});
    CHECK(p->freed == p->models[0].bytes);
    CHECK(p->left == p->models[1].bytes);
    CHECK(!fs::exists(w.local / "a.ckpt"));
    CHECK(fs::exists(w.local / "net/onnx/model.onnx"));
    CHECK(fs::exists(w.local / "net.sha256"));
  }

  TEST_CASE("one that cannot be removed does not keep the others") {
    if (lacks(part::users)) return;
    shelf w;
    w.bring_net();
    REQUIRE(vqcache::try_download_file("flat.bin", base + "flat", w.options()).ok());
    for (const std::string& name : tree(w.root.at)) {
      fs::permissions(w.root.at / name, fs::perms(0777));
    }
    fs::permissions(w.root.at, fs::perms(0777));
    fs::permissions(w.cache / "net/onnx/model.onnx", fs::perms(0));
    const std::string said = unprivileged([&] {
      const auto p = w.pruned(0);
      std::string all;
      for (const vqcache::pruned_model& one : p.models) {
        all += one.name + (one.is_removed ? " goes\n" : ": " + one.why + "\n");
      }
      return all;
    });
    CHECK_MESSAGE(has(said, "flat.bin goes\n"), said);
    CHECK_MESSAGE(has(said, "net: cannot open "), said);
    CHECK(fs::exists(w.local / "net/config.json"));
    CHECK(!fs::exists(w.local / "flat.bin"));
  }

  TEST_CASE("wrong options are told, and there may be nothing at all") {
    shelf w;
    vqcache::options o = w.options();
    o.connections = 0;
    CHECK(vqcache::try_prune(0, false, o).error.code() == errc::invalid_argument);
    CHECK(w.pruned(0).models.empty());
    CHECK(!fs::exists(w.local));
  }

#if defined(__cpp_exceptions)
  TEST_CASE("the throwing form does the same") {
    shelf w;
    REQUIRE(w.call("m").ok());
    CHECK(vqcache::prune(0, true, w.options()).models.size() == 1);
    CHECK(vqcache::prune(0, false, w.options()).left == 0);
    vqcache::options o = w.options();
    o.connections = 99;
    CHECK_THROWS_AS(vqcache::prune(0, false, o), vqcache::error);
  }
#endif
}
