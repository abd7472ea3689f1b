// What failed and killed calls leave in a bucket, on a WebDAV server or in a directory that hosts
// share: what of it goes, when, and by whose clock. The store is our own.
#include <doctest/doctest.h>

#include "stored_place.hpp"

using namespace world;
using support::store;

namespace {

constexpr const char* const of_file = "m/.m.ckpt.0123456789abcdef.part";
constexpr const char* const of_receipt = "m/.m.sha256.0123456789abcdef.part";
constexpr const char* const of_lease = "m/.m.lease.2.0123456789abcdef.part";
constexpr const char* const probe = ".vqcache-doctor-0123456789abcdef";

constexpr int old = 86460;   // seconds
constexpr int young = 3600;  // the beginning of a call is not its end

struct littered : stored_place {
  explicit littered(kind of) : stored_place(of, "litter") {
    store().control("clock?off=0");
    store().control("page?most=1000");
  }

  ~littered() {
    store().control("clock?off=0");
    store().control("page?most=1000");
  }

  vqcache::result bring(const std::string& name = "m") {
    forget();
    return vqcache::try_download_vqgan_model(name, config_url, checkpoint_url, with_store());
  }

  void age(const std::string& file, int seconds) const {
    ask("age", file, "&s=" + std::to_string(seconds));
  }

  void leave(const std::string& file, int seconds) const {
    put(file, "x");
    age(file, seconds);
  }

  void leave_uploads(const std::string& file, int count, int seconds) const {
    store().control(
        "upload?key=" + support::store_server::encoded(key(file)) + "&n=" + std::to_string(count));
    age(file, seconds);
  }

  lines left() const {  // keys below the place, but for the files of a set and their receipt
    lines all;
    for (const std::string& name : held_there()) {
      if (has(name, "/.") || name[0] == '.') all.push_back(name);
    }
    return all;
  }

  lines uploads() const {  // keys below the place, as often as they are there
    lines all;
    std::istringstream in(store().control("uploads"));
    for (std::string line; std::getline(in, line);) {
      const std::size_t at = line.find(prefix + "/");
      if (at == std::string::npos) continue;
      const std::size_t from = at + prefix.size() + 1;
      all.push_back(line.substr(from, line.find('\t') - from));
    }
    return all;
  }

  int lists() const {
    int count = 0;
    for (const auto& one : store().log())
      count +=
          one.method == "PROPFIND" || has(one.path, "list-type=2") || has(one.path, "uploads=");
    return count;
  }
};

}  // namespace

TEST_SUITE("leftovers") {
  TEST_CASE("a call that is no hit removes what is a day old, by the clock of the store") {
    for (const int ahead : {0, 172800, -172800}) {
      CAPTURE(ahead);
      on_both([ahead](littered& w) {
        store().control("clock?off=" + std::to_string(ahead));
        const bool is_web = w.is == littered::kind::web;
        if (is_web) {
          w.leave(of_file, old);
          w.leave(of_receipt, old);
          w.leave(of_lease, old);
          w.leave("m/.m.yaml.0123456789abcdef.part", young);
        }
        w.leave("m/.m.lease.1", old);
        w.leave("m/.m.lease.2", old);
        w.leave("m/.note.lease.1", old);
        w.leave("other/.other.lease.1", old);
        w.leave_uploads("m/m.ckpt", 2, old);
        w.leave_uploads("m/m.yaml", 1, young);
        w.leave_uploads("m/else", 1, old);
        w.leave_uploads("other/other.ckpt", 1, old);

        const auto r = w.bring();
        REQUIRE_MESSAGE(r.ok(), why(r));
        CHECK(r.model.cached);
        lines stays{"m/.note.lease.1", "other/.other.lease.1"};
        if (is_web) stays.insert(stays.begin(), "m/.m.yaml.0123456789abcdef.part");
        CHECK(w.left() == stays);
        if (!is_web) {
          lines begun = w.uploads();
          std::sort(begun.begin(), begun.end());
          CHECK(begun == lines{"m/else", "m/m.yaml", "other/other.ckpt"});
          CHECK(w.lists() == 2);
        }

        store().forget_requests();
        REQUIRE(w.bring().ok());
        CHECK(store().log().empty());  // a hit
      });
    }
  }

  TEST_CASE("a restore sweeps, too; what is young stays, and so does what is only read") {
    on_both([](littered& w) {
      REQUIRE(w.bring().ok());
      w.wipe_local();
      w.origin_dies();
      w.leave("m/.m.lease.1", old);
      w.leave("m/.m.lease.2", young);       // it lives, perhaps: the numbers below it have to stay
      w.leave_uploads("m/m.ckpt", 1, old);  // of its holder
      const std::size_t begun = w.uploads().size();
      REQUIRE(begun == (w.is == littered::kind::bucket ? 1 : 0));
      auto r = w.bring();
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(w.left().size() == 2);
      CHECK(w.uploads().size() == begun);

      w.age("m/.m.lease.2", old);
      w.wipe_local();
      auto o = w.options();
      o.also_look_in.emplace_back(w.where());
      r = vqcache::try_download_vqgan_model("m", o);
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(w.left().size() == 2);
      CHECK(w.uploads().size() == begun);

      w.wipe_local();
      r = w.bring();
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(w.left().empty());
      if (w.is == littered::kind::bucket) CHECK(w.uploads().empty());
    });
  }

  TEST_CASE("lists go on behind their first page, and a call removes a hundred") {
    littered w(littered::kind::bucket);
    store().control("page?most=7");
    w.leave_uploads("m/m.ckpt", 20, old);
    for (int i = 1; i <= 20; ++i)
      w.leave("m/.m.lease." + std::to_string(i), old);
    REQUIRE(w.bring().ok());
    CHECK(w.uploads().empty());
    CHECK(w.left().empty());

    w.wipe_local();
    w.leave_uploads("m/m.ckpt", 130, old);
    REQUIRE(w.bring().ok());
    CHECK(w.uploads().size() == 30);
    const auto problem = vqcache::try_remove("m", w.with_store());
    CHECK_MESSAGE(!problem.code(), problem.what());
    CHECK(w.uploads().empty());
  }

  TEST_CASE("remove takes all of a model at once, however old it is") {
    on_both([](littered& w) {
      REQUIRE(w.bring().ok());
      store().control("page?most=7");
      for (const int number : {1, 2, 4})  // with a hole
        w.leave("m/.m.lease." + std::to_string(number), 0);
      if (w.is == littered::kind::web) {
        w.leave(of_file, 0);
        w.leave(of_receipt, 0);
        w.leave(of_lease, 0);
      }
      w.leave("other/.other.lease.1", old);
      w.leave_uploads("m/m.ckpt", 20, 0);
      const auto problem = vqcache::try_remove("m", w.with_store());
      CHECK_MESSAGE(!problem.code(), problem.what());
      CHECK(w.left() == lines{"other/.other.lease.1"});
      if (w.is == littered::kind::bucket) CHECK(w.uploads().empty());
    });
  }

  TEST_CASE("a store that lists nothing costs no call anything, and remove finds the leases") {
    on_both([](littered& w) {
      const std::string only =
          w.is == littered::kind::bucket ? "&query=list-type" : "&method=PROPFIND";
      for (const char* way : {"way=forbidden", "way=captive", "way=error&code=501",
               "way=error&code=200&body=bomb", "way=reset"}) {
        CAPTURE(way);
        store().clear();
        store().rule(way + only);
        w.wipe_local();
        auto r = w.bring();
        REQUIRE_MESSAGE(r.ok(), why(r));
        CHECK(r.model.cached);
        w.leave("m/.m.lease.1", old);
        w.leave("m/.m.lease.2", old);
        const auto problem = vqcache::try_remove("m", w.with_store());
        CHECK_MESSAGE(!problem.code(), problem.what());
        CHECK(w.left().empty());
      }
    });
  }

  TEST_CASE("a killed doctor's objects go with the next doctor after a day") {
    on_both([](littered& w) {
      REQUIRE(w.bring().ok());
      const std::string younger = ".vqcache-doctor-0123456789abcdee";
      w.leave(probe, old);
      w.leave(younger, young);
      w.leave(".vqcache-doctor-of-mine", old);
      const auto found = vqcache::try_doctor(w.with_store());
      REQUIRE_MESSAGE(found.ok(), found.error.what());
      CHECK(w.left() == lines{younger, ".vqcache-doctor-of-mine"});
    });
  }

  TEST_CASE("a directory that hosts share: old leases go with a call, all with remove") {
    place w;
    auto o = w.options();
    o.shared = true;
    REQUIRE(w.call_with(o, "m").ok());
    const auto leave = [&w](const std::string& name, bool is_old) {
      const fs::path at = w.in_cache("m", name);
      write(at, "x");
      if (is_old)
        fs::last_write_time(at, fs::file_time_type::clock::now() - std::chrono::hours(25));
    };
    const auto leases = [&w] {
      return matching(w.cache / "m", ".lease.");
    };
    const std::string beside = ".m.lease.3.0123456789abcdef.part";
    leave(".m.lease.1", true);
    leave(".m.lease.2", false);
    leave(beside, true);
    leave(".ms.lease.1", true);
    w.wipe_local();
    REQUIRE(w.call_with(o, "m").ok());
    CHECK(leases() == lines{".m.lease.1", ".m.lease.2", ".ms.lease.1"});

    leave(".m.lease.2", true);
    w.wipe_local();
    REQUIRE(w.call_with(o, "m").ok());
    CHECK(leases() == lines{".ms.lease.1"});

    leave(".m.lease.4", false);
    leave(beside, false);
    fs::remove(w.in_cache("m", ".ms.lease.1"));
    const auto problem = vqcache::try_remove("m", o);
    CHECK_MESSAGE(!problem.code(), problem.what());
    CHECK_FALSE(fs::exists(w.cache / "m"));
  }
}
