// Two URLs that differ in what nobody may read are told apart, in a message, and nothing follows
// from it: what is held is served, nothing is downloaded, replaced or refused.
#include <doctest/doctest.h>

#include "world.hpp"

using namespace world;

namespace {

const std::string base = "http://origin.test/get?id=";

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

struct shop : place {  // which has files by an id that is not shown

  vqcache::result ask(const std::string& id, const std::string& pin = "") {
    vqcache::source from(base + id);
    from.sha256 = pin;
    return call("m", config_url, from);
  }

  void hold(const std::string& id) {
    serve(base + id, {checkpoint()});
    const auto r = ask(id);
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK_MESSAGE(said.size() == 1, all_said());
  }

  // The other address, which nobody is to be asked for.
  void is_told_apart(const std::string& id) {
    const std::string before = read(local / "m.sha256");
    const auto r = ask(id);
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(asked.empty());
    CHECK_MESSAGE(said.size() == 2, all_said());
    CHECK_MESSAGE(heard("The stored m.ckpt came from " + base + "***"), all_said());
    CHECK_MESSAGE(heard(", not from " + base + "***"), all_said());
    CHECK(heard("; it is served as it is."));
    CHECK(heard("another name, or vqcache::remove"));
    CHECK(!contains(all_said(), id));
    CHECK(local_is("m"));
    CHECK(cache_is("m"));
    CHECK((before.empty() || read(local / "m.sha256") == before));
  }
};

}  // namespace

TEST_SUITE("addresses") {
  TEST_CASE("an address that differs in a hidden value is told, on a hit and on a restore") {
    shop w;
    w.hold("first-file");
    w.is_told_apart("other-file");
    CHECK(w.heard("get?id=*** (in what is hidden they differ)"));
    CHECK(w.ask("first-file").ok());
    CHECK_MESSAGE(w.said.size() == 1, w.all_said());

    w.wipe_local();
    w.is_told_apart("other-file");
    w.wipe_cache();
    CHECK(w.ask("first-file").ok());  // stored again, and the digest goes along
    w.wipe_local();
    w.is_told_apart("other-file");
  }

  TEST_CASE("a signature or token that is another one each time is the same address") {
    shop w;
    w.hold("first-file&X-Amz-Signature=1111&token=aaaa");
    for (const std::string other : {"first-file&X-Amz-Signature=2222&token=bbbb", "first-file",
             "first-file&sig=3&Expires=99#part"}) {
      CAPTURE(other);
      CHECK(w.ask(other).ok());
      CHECK_MESSAGE(w.said.size() == 1, w.all_said());
    }
    w.is_told_apart("other-file");
  }

  TEST_CASE("a pin decides alone, and a list of mirrors that has the address is silent") {
    shop w;
    w.hold("first-file");
    CHECK(w.ask("other-file", support::sha256(checkpoint())).ok());
    CHECK_MESSAGE(w.said.size() == 1, w.all_said());

    const std::string first = base + "first-file";
    CHECK(w.call("m", config_url, vqcache::source({"http://mirror.test/k", first.c_str()})).ok());
    CHECK_MESSAGE(w.said.size() == 1, w.all_said());
  }

  TEST_CASE("the receipt has a digest and no value, and an old one without it is silent") {
    shop w;
    w.hold("first-file");
    const std::string receipt = read(w.local / "m.sha256");
    const std::string mark = "# address ";
    CHECK(!contains(receipt, "first-file"));
    CHECK(contains(receipt, " m.yaml\n"));

    std::string old;
    std::size_t lines_of_it = 0;
    for (std::size_t at = 0; at < receipt.size();) {
      const std::size_t end = receipt.find('\n', at) + 1;
      const std::string line = receipt.substr(at, end - at);
      at = end;
      if (line.compare(0, mark.size(), mark) != 0) {
        old += line;
        continue;
      }
      ++lines_of_it;
      CHECK(line.find(' ', mark.size()) == mark.size() + 16);
    }
    CHECK(lines_of_it == 2);

    write(w.local / "m.sha256", old);
    CHECK(w.ask("other-file").ok());
    CHECK_MESSAGE(w.said.size() == 1, w.all_said());
  }
}
