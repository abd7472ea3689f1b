// The names that a set of files owns in each tier, as tables: what a set may be called and hold,
// where its files lie, and which two sets cannot stand beside each other. Pure functions of
// vqcache::detail: no disk is needed.
#include "vqcache.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace {

namespace tier = vqcache::detail::tier;
using tier::layout;
using vqcache::errc;
using names = vqcache::detail::list<std::string>;

struct layout_row {
  const char* title;
  const char* set;
  names files;
  layout how;
  names local, lasting;
  const char *local_receipt, *lasting_receipt;
};

const layout_row layouts[] = {
    {"the pair", "m", {"m.yaml", "m.ckpt"}, layout::flat, {"m.yaml", "m.ckpt"},
        {"m/m.yaml", "m/m.ckpt"}, "m.sha256", "m/m.sha256"},
    {"a pair with dots in its name", "m.v1", {"m.v1.yaml", "m.v1.ckpt"}, layout::flat,
        {"m.v1.yaml", "m.v1.ckpt"}, {"m.v1/m.v1.yaml", "m.v1/m.v1.ckpt"}, "m.v1.sha256",
        "m.v1/m.v1.sha256"},
    {"a set of three, one in a folder", "net", {"config.json", "onnx/model.onnx", "vocab.txt"},
        layout::folder, {"net/config.json", "net/onnx/model.onnx", "net/vocab.txt"},
        {"net/config.json", "net/onnx/model.onnx", "net/vocab.txt"}, "net.sha256",
        "net/net.sha256"},
    {"one file, called like its set", "clip.pt", {"clip.pt"}, layout::flat, {"clip.pt"},
        {"clip.pt/clip.pt"}, "clip.pt.sha256", "clip.pt/clip.pt.sha256"},
    {"one file, called otherwise", "clip", {"weights.pt"}, layout::folder, {"clip/weights.pt"},
        {"clip/weights.pt"}, "clip.sha256", "clip/clip.sha256"},
};

const std::string longest(100, 'm');

struct odd_row {
  const char* title;
  std::string set;
  names files;
  const char* says;  // a part of the error; empty: it may be
};

const odd_row odds[] = {
    {"nothing odd", "m", {"a.bin", "b/c.bin", "b/d.bin"}, ""},
    {"no files", "m", {}, "at least one file"},
    {"no name", "", {"a"}, "it is empty"},
    {"a name with a slash", "a/b", {"a"}, "only letters"},
    {"a hidden name", ".m", {"a"}, "begins with"},
    {"a device", "con", {"a"}, "device"},
    {"an empty file", "m", {""}, "it is empty"},
    {"the parent", "m", {"../a"}, "its part '..': it begins with"},
    {"itself", "m", {"./a"}, "its part '.'"},
    {"an absolute path", "m", {"/a"}, "its part '': it is empty"},
    {"two slashes", "m", {"a//b"}, "its part '': it is empty"},
    {"a slash at the end", "m", {"a/"}, "its part '': it is empty"},
    {"a backslash", "m", {"a\\b"}, "only letters"},
    {"a drive", "m", {"c:a"}, "only letters"},
    {"a device in a folder", "m", {"a/nul.bin"}, "its part 'nul.bin': Windows"},
    {"a part that is too long", "m", {"a/" + std::string(101, 'x')}, "101 bytes"},
    {"as long as may be", "m", {"a/" + std::string(100, 'x')}, ""},
    {"the longest name, with an extension", longest, {longest + ".yaml", longest + ".ckpt"}, ""},
    {"a longer name", longest + "m", {"a"}, "101 bytes"},
    {"a control character", "m", {"a\nb"}, "only letters"},
    {"the set's receipt", "m", {"m.sha256"}, "of its own"},
    {"another receipt, in capitals", "m", {"a/b.SHA256"}, "of its own"},
    {"a partial", "m", {".a.0123456789abcdef.part"}, "of its own"},
    {"its journal", "m", {".a.0123456789abcdef.record"}, "of its own"},
    {"a lock", "m", {".m.lock"}, "of its own"},
    {"a lease", "m", {"a/.m.lease.3"}, "of its own"},
    {"what is put aside", "m", {"a.corrupt-0123abcd"}, "of its own"},
    {"the same in capitals", "m", {"a.CORRUPT-0123ABCD"}, "of its own"},
    {"not quite put aside", "m", {"a.corrupt-0123abc", "a.corrupt-0123abcde", "corrupt-12345678"},
        ""},
    {"visible names of that kind", "m", {"a.part", "a.record", "a.lock", "a.lease.1"}, ""},
    {"a receipt's name inside of another", "m", {"a.sha256.txt"}, ""},
    {"one file twice", "m", {"a.bin", "a.bin"}, "'a.bin' is given twice"},
    {"twice but for case", "m", {"a.bin", "b", "A.Bin"}, "'a.bin' and 'A.Bin'"},
    {"a file that is a folder too", "m", {"a", "A/b"}, "'a' and 'A/b'"},
    {"the other way round", "m", {"x/a/b", "x/a"}, "'x/a/b' and 'x/a'"},
    {"only alike", "m", {"a", "ab/c", "a.b"}, ""},
};

struct set {
  const char* name;
  names files;
  layout how;
};

const set pair{"m", {"m.yaml", "m.ckpt"}, layout::flat};

struct clash_row {
  const char* title;
  set ours, other;
  const char* path;  // that both would own; empty: they can stand beside each other
};

const clash_row clashes[] = {
    {"the same set", pair, pair, ""},
    {"the same set with another file", {"n", {"a", "b"}, layout::folder},
        {"n", {"a"}, layout::folder}, ""},
    {"two pairs", pair, {"n", {"n.yaml", "n.ckpt"}, layout::flat}, ""},
    {"two sets with files of one name", {"n", {"a"}, layout::folder}, {"o", {"a"}, layout::folder},
        ""},
    {"a pair whose name begins like another", pair, {"m.v1", {"m.v1.yaml"}, layout::flat}, ""},
    {"a name that differs in case", {"M", {"M.yaml"}, layout::flat}, pair, "M.sha256"},
    {"a pair and a folder of one name", pair, {"m", {"x.onnx"}, layout::folder}, "m.sha256"},
    {"a file called like one of a pair", {"m.ckpt", {"m.ckpt"}, layout::flat}, pair, "m.ckpt"},
    {"the same in capitals", {"M.CKPT", {"M.CKPT"}, layout::flat}, pair, "M.CKPT"},
    {"a folder called like a file of a pair", {"m.ckpt", {"a"}, layout::folder}, pair, "m.ckpt/a"},
    {"a folder called like the receipt of a pair", {"m.sha256", {"a"}, layout::folder}, pair,
        "m.sha256/a"},
    {"a file called like a folder", {"n", {"n"}, layout::flat}, {"N", {"a"}, layout::folder},
        "n.sha256"},
    {"a pair whose file is called like the receipt of another", pair,
        {"m.sha256", {"m.sha256.yaml"}, layout::flat}, ""},
};

}  // namespace

TEST_SUITE("paths") {
  TEST_CASE("where the files of a set lie") {
    for (const layout_row& row : layouts) {
      INFO(row.title);
      const tier::owned_paths p = tier::paths_of(row.set, row.files, row.how);
      CHECK_MESSAGE(p.problem.ok(), p.problem.text);
      CHECK(p.local.files == row.local);
      CHECK(p.lasting.files == row.lasting);
      CHECK(p.local.receipt == row.local_receipt);
      CHECK(p.lasting.receipt == row.lasting_receipt);
    }
  }

  TEST_CASE("a set of one file that is called like the set lies flat, all others in a folder") {
    CHECK(tier::layout_of("a.pt", {"a.pt"}) == layout::flat);
    CHECK(tier::layout_of("a", {"a.pt"}) == layout::folder);
    CHECK(tier::layout_of("a", {"a", "b"}) == layout::folder);
  }

  TEST_CASE("what a set may not be called and may not hold") {
    for (const odd_row& row : odds) {
      INFO(row.title);
      for (const layout how : {layout::flat, layout::folder}) {
        const tier::owned_paths p = tier::paths_of(row.set, row.files, how);
        INFO(p.problem.text);
        CHECK(p.problem.ok() == std::string(row.says).empty());
        if (p.problem.ok()) continue;
        CHECK(p.problem.code == errc::invalid_argument);
        CHECK(p.problem.text.find(row.says) != std::string::npos);
        CHECK(p.local.files.empty());
      }
    }
  }

  TEST_CASE("two sets that would own one path are told from each other, whichever comes first") {
    for (const clash_row& row : clashes) {
      INFO(row.title);
      const auto paths = [](const set& s) {
        return tier::paths_of(s.name, s.files, s.how);
      };
      const tier::owned_paths ours = paths(row.ours), other = paths(row.other);
      REQUIRE(ours.problem.ok());
      REQUIRE(other.problem.ok());
      const auto found = tier::clash(ours, other);
      INFO(found.text);
      CHECK(found.ok() == std::string(row.path).empty());
      CHECK(tier::clash(other, ours).ok() == found.ok());
      if (found.ok()) continue;
      CHECK(found.code == errc::name_taken);
      CHECK(found.text.find("'" + std::string(row.path) + "'") == 0);
      CHECK(found.text.find("'" + std::string(row.other.name) + "'") != std::string::npos);
    }
  }
}
