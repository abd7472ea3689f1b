// Promise 4: nothing is trusted because it exists. Pins, receipts, damage, and the content
// sentinel.
#include <doctest/doctest.h>

#include "world.hpp"

#include <sys/resource.h>

using namespace world;
using vqcache::errc;
using vqcache::origin;
using vqcache::source;

namespace {

const std::string good_config = sha256(config());
const std::string good_checkpoint = sha256(checkpoint());
const std::string other_digest(64, 'a');

source pinned(const std::string& url, const std::string& digest) {
  return source(url + "#sha256=" + digest);
}

int sha256sum_says(const fs::path& folder, const std::string& receipt) {
  int code = -1;
  run("cd '" + folder.string() + "' && sha256sum -c --strict --status '" + receipt + "' 2>&1",
      &code);
  return code;
}

// the receipt's line that begins so and ends in the file
bool has_line(const std::string& receipt, const std::string& begin, const std::string& end) {
  std::istringstream in(receipt);
  for (std::string line; std::getline(in, line);)
    if (line.rfind(begin, 0) == 0 && line.size() >= end.size()
        && line.substr(line.size() - end.size()) == end)
      return true;
  return false;
}

lines corrupt(const place& w) {
  return matching(w.root.at, ".corrupt-");
}

bool is_corrupt_name(const std::string& entry, const std::string& file) {
  const std::string begin = file + ".corrupt-";
  const std::string name = fs::path(entry).filename().string();
  return name.size() == begin.size() + 8 && name.rfind(begin, 0) == 0
      && name.find_first_not_of("0123456789abcdef", begin.size()) == std::string::npos;
}

}  // namespace

TEST_SUITE("integrity") {
  // ---- pins

  TEST_CASE("a pin that fits is accepted in every form") {
    std::string upper = good_checkpoint;
    for (char& c : upper)
      c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    source twice = pinned(checkpoint_url, good_checkpoint);
    twice.sha256 = upper;
    const std::vector<source> forms = {source({checkpoint_url}, good_checkpoint),
        pinned(checkpoint_url, good_checkpoint), pinned(checkpoint_url, upper), twice,
        source(
            std::vector<std::string>{"http://dead.test/x", checkpoint_url + "#sha256=" + upper})};
    for (const source& s : forms) {
      place w;
      const auto r = w.call("m", pinned(config_url, good_config), s);
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(w.local_is("m"));
      for (const std::string& url : w.asked)
        CHECK_FALSE(has(url, "#"));
    }
  }

  TEST_CASE("bytes that do not fit the pin are never published, and both digests are named") {
    for (const bool first : {true, false}) {
      CAPTURE(first);
      place w;
      const auto r = w.call("m", first ? pinned(config_url, other_digest) : source(config_url),
          first ? source(checkpoint_url) : pinned(checkpoint_url, other_digest));
      CHECK(r.error.code() == errc::hash_mismatch);
      CHECK(has(r.error.what(), other_digest));
      CHECK(has(r.error.what(), first ? good_config : good_checkpoint));
      CHECK(has(r.error.what(), first ? config_url : checkpoint_url));
      CHECK(has(r.error.what(), "pin"));
      CHECK(matching(w.root.at, ".yaml").empty());
      CHECK(matching(w.root.at, ".ckpt").empty());
    }
  }

  TEST_CASE("a mirror with other bytes than the pin is passed over for one that fits") {
    place w;
    w.serve("http://wrong.test/k", {checkpoint(100000, 9)});
    const auto r =
        w.call("m", config_url, source({"http://wrong.test/k", checkpoint_url}, good_checkpoint));
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(w.local_is("m"));
    CHECK(has_line(read(w.local / "m.sha256"), "# origin " + checkpoint_url, "m.ckpt"));
  }

  TEST_CASE(
      "a malformed pin, or two that contradict each other, is an error before anything is done") {
    source both = pinned(checkpoint_url, good_checkpoint);
    both.sha256 = other_digest;
    source empty_list;
    const std::vector<std::pair<source, std::string>> bad = {
        {source({checkpoint_url}, "abc"), "64 hex digits"},
        {source({checkpoint_url}, std::string(63, 'a') + "g"), "64 hex digits"},
        {source({checkpoint_url}, std::string(65, 'a')), "64 hex digits"},
        {pinned(checkpoint_url, ""), "64 hex digits"},
        {pinned(checkpoint_url, std::string(64, 'z')), "64 hex digits"},
        {pinned(checkpoint_url, good_checkpoint + "&x=1"), "64 hex digits"},
        {both, "two different"},
        {source(std::vector<std::string>{checkpoint_url + "#sha256=" + good_checkpoint,
             "http://mirror.test/k#sha256=" + other_digest}),
            "two different"},
        {empty_list, "no URL"},
        {source(""), "empty"},
    };
    for (const auto& b : bad)
      for (const bool as_config : {true, false}) {
        CAPTURE(b.second);
        place w;
        const auto r =
            as_config ? w.call("m", b.first, checkpoint_url) : w.call("m", config_url, b.first);
        CHECK(r.error.code() == errc::invalid_argument);
        CHECK_MESSAGE(has(r.error.what(), b.second), why(r));
        CHECK(has(r.error.what(), as_config ? "config" : "checkpoint"));
        CHECK(w.asked.empty());
        CHECK(tree(w.root.at).empty());
      }
  }

  TEST_CASE("source::size that the origin does not keep is an error that says both sizes") {
    const std::size_t real = checkpoint().size();
    for (const std::size_t said : {real - 1, real + 1}) {
      CAPTURE(said);
      place w;
      source k(checkpoint_url);
      k.size = said;
      const auto r = w.call("m", config_url, k);
      CHECK((r.error.code() == errc::truncated || r.error.code() == errc::not_the_file));
      CHECK(has(r.error.what(), std::to_string(said)));
      CHECK(matching(w.root.at, "m.ckpt").empty());
    }
    place w;
    source k(checkpoint_url);
    k.size = real;
    CHECK(w.call("m", config_url, k).ok());
  }

  // ---- receipts

  TEST_CASE("both tiers get a receipt that sha256sum checks, with sizes, origins and ETags") {
    place w;
    w.pages[checkpoint_url].headers = {{"ETag", "\"v1-of it\""}};
    REQUIRE(w.call("m").ok());
    CHECK(sha256sum_says(w.local, "m.sha256") == 0);
    CHECK(sha256sum_says(w.cache / "m", "m.sha256") == 0);
    for (const fs::path& p : {w.local / "m.sha256", w.cache / "m/m.sha256"}) {
      const std::string r = read(p);
      CAPTURE(r);
      CHECK(has(r, good_config + "  m.yaml\n"));
      CHECK(has(r, good_checkpoint + "  m.ckpt\n"));
      CHECK(r.rfind("# vqcache ", 0) == 0);
      CHECK(has_line(r, "# size " + std::to_string(checkpoint().size()), " m.ckpt"));
      CHECK(has_line(r, "# size " + std::to_string(config().size()), " m.yaml"));
      CHECK(has_line(r, "# origin " + config_url, " m.yaml"));
      CHECK(has_line(r, "# etag \"v1-of it\"", " m.ckpt"));
      CHECK_FALSE(has(r, "unverified"));
    }
    INFO("and it says no to a file that changed");
    write(w.cache / "m/m.ckpt", flipped(checkpoint(), 70000));
    CHECK(sha256sum_says(w.cache / "m", "m.sha256") != 0);
  }

  TEST_CASE("a receipt holds no secret of the URL it came from") {
    place w;
    const std::string secret = "http://user:hunter2@origin.test/k?token=hunter2&p=hunter2#hunter2";
    w.serve("http://user:hunter2@origin.test/k?token=hunter2&p=hunter2", {checkpoint()});
    const auto r = w.call("m", config_url, secret);
    REQUIRE_MESSAGE(r.ok(), why(r));
    for (const auto& file : contents(w.root.at))
      if (!has(file.first, ".ckpt")) CHECK_MESSAGE(!has(file.second, "hunter2"), file.first);
    CHECK(has(read(w.local / "m.sha256"), "origin.test/k?token=***&p=***"));
    CHECK_FALSE(has(w.all_said(), "hunter2"));
  }

  TEST_CASE("receipts edited by hand are understood: comments, CRLF, upper case, binary marks") {
    std::string upper = good_checkpoint;
    for (char& c : upper)
      c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    const std::vector<std::string> forms = {
        "# a remark of mine\n\n" + good_config + "  m.yaml\n#\n" + upper + "  m.ckpt\n",
        good_checkpoint + " *m.ckpt\n" + good_config + " *m.yaml\n",
        good_config + "  m.yaml\r\n" + good_checkpoint + "  m.ckpt\r\n",
        good_config + "  m.yaml\n" + good_checkpoint + "  m.ckpt",
        "# unverified other.ckpt\n# size 17 other.ckpt\n" + good_config + "  m.yaml\n"
            + other_digest + "  other.ckpt\n" + good_checkpoint + "  m.ckpt\n"};
    for (const std::string& form : forms) {
      CAPTURE(form);
      place w;
      prime(w.cache / "m", "m");
      write(w.cache / "m/m.sha256", form);
      w.origin_dies();
      const auto r = w.call("m");
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(w.local_is("m"));
      CHECK_FALSE(w.heard("unverified"));
      INFO("and binds: damage is seen");
      w.wipe_local();
      write(w.cache / "m/m.sha256", form);
      write(w.cache / "m/m.ckpt", flipped(checkpoint(), 500));
      CHECK_FALSE(w.call("m").ok());
      CHECK(w.heard("damaged"));
    }
  }

  TEST_CASE("a receipt of garbage is no receipt: the pair is served as unverified") {
    for (const std::string& form : {std::string("hello\n"), std::string(70000, 'x'), std::string(),
             std::string(200, '\0'), good_config.substr(1) + "  m.yaml\n",
             good_config + "m.yaml\n" + good_checkpoint + "\n"}) {
      place w;
      prime(w.cache / "m", "m");
      write(w.cache / "m/m.sha256", form);
      w.origin_dies();
      const auto r = w.call("m");
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(w.local_is("m"));
      CHECK(w.heard("unverified"));
    }
  }

  TEST_CASE("a receipt of which only the front is left still shows that a file beside it was cut") {
    for (const bool in_cache : {true, false}) {
      CAPTURE(in_cache);
      place w;
      REQUIRE(w.call("m").ok());
      const fs::path at = in_cache ? w.cache / "m" : w.local;
      const std::string receipt = read(at / "m.sha256");
      const std::size_t sums = receipt.find(sha256(config()));
      REQUIRE(receipt.find("# size ") < sums);
      write(at / "m.sha256", receipt.substr(0, sums));  // no digest
      write(at / "m.yaml", config().substr(0, config().size() / 2));
      if (in_cache) w.wipe_local();
      const vqcache::result r = w.call("m");
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK_MESSAGE(w.local_is("m"), w.all_said());
      CHECK_MESSAGE(w.cache_is("m"), w.all_said());
      CHECK(r.model.cached);
      CHECK(read(at / "m.sha256").find(sha256(config())) != std::string::npos);
    }
  }
  TEST_CASE("a local receipt edited by hand: a size that differs is settled by hashing, once") {
    place w;
    REQUIRE(w.call("m").ok());
    std::string r = read(w.local / "m.sha256");
    const std::string right = "# size " + std::to_string(checkpoint().size());
    REQUIRE(has(r, right));
    write(w.local / "m.sha256", r.replace(r.find(right), right.size(), "# size 17"));
    w.origin_dies();
    CHECK(w.call("m").ok());
    CHECK(w.saw(vqcache::phase::verifying, "m.ckpt"));
    CHECK(w.local_is("m"));
    CHECK(corrupt(w).empty());
    CHECK(w.call("m").ok());
    CHECK_FALSE(w.saw(vqcache::phase::verifying));
  }

  TEST_CASE("a local file that is not what its receipt says is put aside and brought again") {
    for (const bool from_cache : {true, false}) {
      CAPTURE(from_cache);
      place w;
      REQUIRE(w.call("m").ok());
      if (from_cache)
        w.origin_dies();
      else
        w.wipe_cache();
      fs::resize_file(w.local / "m.ckpt", 5000);
      const auto r = w.call("m");
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(w.local_is("m"));
      CHECK(w.heard("damaged"));
      REQUIRE(corrupt(w).size() == 1);
      CHECK(is_corrupt_name(corrupt(w)[0], "m.ckpt"));
      CHECK(fs::file_size(w.root.at / corrupt(w)[0]) == 5000);
    }
  }

  TEST_CASE(
      "the local pair is read before it is stored: damage found there is repaired, not copied") {
    place w;
    REQUIRE(w.call("m").ok());
    w.wipe_cache();
    write(w.local / "m.ckpt", flipped(checkpoint(), 60000));  // the same size: names tell nothing
    const auto r = w.call("m");
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(w.local_is("m"));
    CHECK(w.cache_is("m"));
    CHECK(w.heard("damaged"));
    CHECK(w.asked == lines{checkpoint_url});
  }

  TEST_CASE("a damaged local file without a reachable origin is never stored in the cache") {
    place w;
    REQUIRE(w.call("m").ok());
    w.wipe_cache();
    w.origin_dies();
    write(w.local / "m.ckpt", flipped(checkpoint(), 60000));
    (void)w.call("m");
    CHECK_FALSE(fs::exists(w.cache / "m/m.ckpt"));
  }

  // ---- damage in the cache

  TEST_CASE(
      "a damaged cached copy is put aside, the origin asked for it alone, the cache repaired") {
    const std::vector<std::pair<std::string, std::function<std::string(const std::string&)>>>
        kinds = {{"one bit at the start",
                     [](const std::string& s) {
                       return flipped(s, 0);
                     }},
            {"one bit in the middle",
                [](const std::string& s) {
                  return flipped(s, s.size() / 2);
                }},
            {"one bit at the end",
                [](const std::string& s) {
                  return flipped(s, s.size() - 1);
                }},
            {"shorter",
                [](const std::string& s) {
                  return s.substr(0, s.size() - 1);
                }},
            {"longer",
                [](const std::string& s) {
                  return s + "x";
                }},
            {"empty",
                [](const std::string&) {
                  return std::string();
                }},
            {"zeros", [](const std::string& s) {
               return std::string(s.size(), '\0');
             }}};
    for (const auto& kind : kinds)
      for (const std::string& file : {std::string("m.yaml"), std::string("m.ckpt")}) {
        CAPTURE(kind.first);
        CAPTURE(file);
        place w;
        REQUIRE(w.call("m").ok());
        const std::string bad = kind.second(read(w.cache / "m" / file));
        write(w.cache / "m" / file, bad);
        w.wipe_local();
        const auto r = w.call("m");
        REQUIRE_MESSAGE(r.ok(), why(r));
        CHECK(w.asked == lines{file == "m.yaml" ? config_url : checkpoint_url});
        CHECK(r.model.from == origin::network);
        CHECK(r.model.cached);
        CHECK(w.local_is("m"));
        CHECK(w.cache_is("m"));
        CHECK(sha256sum_says(w.cache / "m", "m.sha256") == 0);
        REQUIRE(corrupt(w).size() == 1);
        CHECK(is_corrupt_name(corrupt(w)[0], file));
        CHECK(read(w.root.at / corrupt(w)[0]) == bad);
        CHECK(w.heard("damaged"));
        CHECK(w.heard(fs::path(corrupt(w)[0]).filename().string()));
      }
  }

  TEST_CASE("of the put-aside copies of a file at most one is kept, the newest") {
    place w;
    REQUIRE(w.call("m").ok());
    for (const std::size_t at : {std::size_t{100}, std::size_t{200}, std::size_t{300}}) {
      write(w.cache / "m/m.ckpt", flipped(checkpoint(), at));
      w.wipe_local();
      REQUIRE(w.call("m").ok());
      REQUIRE(corrupt(w).size() == 1);
      CHECK(read(w.root.at / corrupt(w)[0]) == flipped(checkpoint(), at));
    }
    INFO("a put-aside config is another file's");
    write(w.cache / "m/m.yaml", flipped(config(), 5));
    w.wipe_local();
    REQUIRE(w.call("m").ok());
    CHECK(corrupt(w).size() == 2);
  }

  // a drive shows no bytes, or wrong ones, for a while (facts of cloud drives)
  TEST_CASE("a copy that was put aside serves again when it turns out to be right") {
    for (const std::string& shown : {std::string(), flipped(checkpoint(), 100)}) {
      place w;
      REQUIRE(w.call("m").ok());
      write(w.cache / "m/m.ckpt", shown);
      w.wipe_local();
      w.origin_dies();
      CHECK_FALSE(w.call("m").ok());
      REQUIRE(corrupt(w).size() == 1);
      write(w.root.at / corrupt(w)[0], checkpoint());
      const auto r = w.call("m");
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(r.model.from == origin::cache);
      CHECK(r.model.cached);
      CHECK(w.local_is("m"));
      CHECK(w.cache_is("m"));
      CHECK(corrupt(w).empty());
    }
  }

  TEST_CASE("what was put aside gets its name again only if it is what the receipt says") {
    const std::string aside = "m/m.ckpt.corrupt-0000000", b = checkpoint(100000, 7);
    for (const std::string s :
        {"bad, and the call is offline", "cancelled", "one of several", "another model's pin"}) {
      CAPTURE(s);
      place w;
      REQUIRE(w.call("m").ok());
      w.wipe_local();
      fs::remove(w.cache / "m/m.ckpt");
      const bool several = s == "one of several", good = s == "another model's pin";
      for (int i = 0; i < (several ? 4 : 1); ++i)
        write(w.cache / (aside + std::to_string(i)),
            good || (several && i == 2) ? checkpoint() : flipped(checkpoint(), 100));
      auto o = w.options();
      o.offline = s == "bad, and the call is offline";
      if (o.offline) fs::remove(w.cache / "m/m.yaml");
      if (s == "cancelled")
        w.watch = [](const auto& p) {
          return p.phase == vqcache::phase::waiting;
        };
      if (several) w.origin_dies();
      if (good) w.serve(checkpoint_url, {b});
      const auto r = w.call_with(
          o, "m", config_url, good ? pinned(checkpoint_url, sha256(b)) : source(checkpoint_url));
      CHECK_MESSAGE(r.ok() == (several || good), why(r));
      const std::string stands = read(w.cache / "m/m.ckpt");
      CHECK(stands == (several ? checkpoint() : good ? b : ""));
      CHECK(fs::exists(w.cache / "m/m.ckpt") == (several || good));
      if (good) CHECK(r.model.cached);
    }
  }

  TEST_CASE("with a receipt that cannot be read no cached file is damaged, whatever the pin says") {
    const std::string b = checkpoint(120000, 7);
    place w;
    REQUIRE(w.call("m").ok());
    w.wipe_local();
    fs::remove(w.cache / "m/m.sha256");
    fs::create_directory(w.cache / "m/m.sha256");
    w.serve(checkpoint_url, {b});
    const auto r = w.call("m", config_url, pinned(checkpoint_url, sha256(b)));
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(w.local_is("m", config(), b));
    CHECK(w.cache_is("m"));
    CHECK(corrupt(w).empty());
  }

  TEST_CASE("the same file that somebody else stored meanwhile is neither damaged nor put aside") {
    const std::string big = checkpoint(3 << 20);
    place w;
    w.serve(checkpoint_url, {big});
    auto o = w.options();
    o.fetch = [&, plain = o.fetch](const vqcache::request& q, vqcache::response& a) {
      plain(q, a);
      if (q.url == checkpoint_url) prime(w.cache / "m", "m", config(), big);
    };
    const auto r = w.call_with(o, "m");
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(r.model.cached);
    CHECK(corrupt(w).empty());
    CHECK_FALSE(w.heard("damaged"));
  }

  TEST_CASE("a pin vouches for a cached file whose receipt cannot be read") {
    place w;
    REQUIRE(w.call("m").ok());
    w.wipe_local();
    w.origin_dies();
    fs::remove(w.cache / "m/m.sha256");
    fs::create_directory(w.cache / "m/m.sha256");
    CHECK_FALSE(w.call("m").ok());
    const auto r =
        w.call("m", pinned(config_url, good_config), pinned(checkpoint_url, good_checkpoint));
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(w.local_is("m"));
  }

  TEST_CASE("of two files without receipts, a cut one does not take the place of a whole one") {
    const std::string cut = checkpoint().substr(0, 50000);
    for (const bool here : {true, false}) {
      CAPTURE(here);
      place w;
      prime(w.local, "m", config(), here ? cut : checkpoint());
      prime(w.cache / "m", "m", config(), here ? checkpoint() : cut);
      const auto r = w.call("m");
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(r.model.cached);
      CHECK(r.model.from == (here ? origin::cache : origin::local));
      CHECK(w.local_is("m"));
      CHECK(w.cache_is("m"));
      REQUIRE(corrupt(w).size() == 1);
      CHECK(read(w.root.at / corrupt(w)[0]) == cut);
      if (here) CHECK_MESSAGE(w.heard("zip archive without its end"), w.all_said());
      if (here) CHECK_MESSAGE(w.heard((w.local / "m.ckpt").string()), w.all_said());
    }
  }

  TEST_CASE("what stands in the cache is put aside only when all is there to replace it") {
    place w;
    prime(w.local, "m");
    prime(w.cache / "m", "m", config() + "# other", checkpoint(60000, 3));
    const std::string before = in_child([&]() -> std::string {
      const rlimit small{80000, 80000};  // the config can be stored, the checkpoint cannot
      if (::setrlimit(RLIMIT_FSIZE, &small) != 0) return "cannot set a limit";
      const auto r = w.call("m");
      return r.ok() && !r.model.cached ? w.all_said() : "";
    });
    CHECK_MESSAGE(has(before, "takes files of at most 80000"), before);
    CHECK(corrupt(w).empty());
    CHECK(w.cache_is("m", config() + "# other", checkpoint(60000, 3)));
  }

  TEST_CASE("a pin among the URLs is not taken for a mirror") {
    place w;
    const auto r = w.call("m", config_url, source{checkpoint_url.c_str(), other_digest.c_str()});
    CHECK(r.error.code() == errc::invalid_argument);
    CHECK_MESSAGE(has(r.error.what(), "source::sha256"), r.error.what());
    CHECK(w.asked.empty());
  }

  TEST_CASE(
      "a damaged cached copy with a dead origin is an error; it heals when the origin is back") {
    place w;
    REQUIRE(w.call("m").ok());
    write(w.cache / "m/m.ckpt", flipped(checkpoint(), 100));
    w.wipe_local();
    w.origin_dies();
    const auto r = w.call("m");
    CHECK(r.error.code() == errc::http_status);
    CHECK(has(r.error.what(), "m.ckpt"));
    CHECK_FALSE(fs::exists(w.local / "m.ckpt"));
    CHECK(corrupt(w).size() == 1);
    CHECK(read(w.cache / "m/m.yaml") == config());
    w.serve(checkpoint_url, {checkpoint()});
    const auto again = w.call("m");
    REQUIRE_MESSAGE(again.ok(), why(again));
    CHECK(w.asked == lines{checkpoint_url});
    CHECK(w.cache_is("m"));
  }

  TEST_CASE("no damaged byte gets a local final name, not even for a moment") {
    place w;
    REQUIRE(w.call("m").ok());
    w.wipe_local();
    write(w.cache / "m/m.ckpt", flipped(checkpoint(), 100));
    bool never = true;
    std::size_t looks = 0;
    w.watch = [&](const vqcache::progress&) {
      ++looks;
      never =
          never && (!fs::exists(w.local / "m.ckpt") || read(w.local / "m.ckpt") == checkpoint());
      return true;
    };
    REQUIRE(w.call("m").ok());
    CHECK(never);
    CHECK(looks >= 4);
  }

  // ---- another model under the name

  TEST_CASE("a pin that is given twice or misspelt is an error, not overlooked") {
    place w;
    const std::string a(64, 'a'), b = support::sha256(checkpoint());
    for (const std::string& odd : {"#sha256=" + a + "#sha256=" + b, "#SHA256=" + b, "#sha256:" + b,
             "#sha-256=" + b, "#sha512=" + b, std::string("#sha1=abc")}) {
      CAPTURE(odd);
      const auto r = w.call("m", source(config_url), source(checkpoint_url + odd));
      CHECK(r.error.code() == errc::invalid_argument);
      CHECK_MESSAGE(has(r.error.what(), "64 hex digits"), r.error.what());
      const bool is_of_sha256 = has(odd, "#sha256=");
      CHECK_MESSAGE((is_of_sha256 || has(r.error.what(), "ends in '#sha")), r.error.what());
    }
    CHECK(w.call("m", source(config_url), source(checkpoint_url + std::string("#part"))).ok());
  }

  TEST_CASE(
      "a file that fits its receipt but not the pin is another model: told, and nothing touched") {
    for (const std::string s : {"local", "cache", "both"})
      for (const bool by_config : {true, false}) {
        CAPTURE(s);
        CAPTURE(by_config);
        place w;
        REQUIRE(w.call("m").ok());
        if (s == "local") w.wipe_cache();
        if (s == "cache") w.wipe_local(), fs::create_directories(w.local);
        auto before = contents(w.root.at);
        const auto r =
            w.call("m", by_config ? pinned(config_url, other_digest) : source(config_url),
                by_config ? source(checkpoint_url) : pinned(checkpoint_url, other_digest));
        CHECK(r.error.code() == errc::name_taken);
        CHECK(r.error.code() == std::errc::file_exists);
        const std::string what = r.error.what();
        CAPTURE(what);
        CHECK(has(what, "'m'"));
        CHECK(has(what, other_digest));
        CHECK(has(what, "m.yaml, m.ckpt and m.sha256 from '" + w.local.string() + "'"));
        CHECK(has(what, (w.cache / "m").string()));
        CHECK(has(what, "remove"));
        CHECK(w.asked.empty());
        auto after = contents(w.root.at);
        before.erase("local/.m.lock"), after.erase("local/.m.lock");
        CHECK(before == after);
      }
  }

  TEST_CASE(
      "another model is another model even when its other file is damaged: nothing is touched") {
    for (const bool in_cache : {true, false}) {
      CAPTURE(in_cache);
      place w;
      REQUIRE(w.call("m").ok());
      if (in_cache)
        w.wipe_local(), fs::create_directories(w.local);
      else
        w.wipe_cache();
      write((in_cache ? w.cache / "m" : w.local) / "m.yaml", flipped(config(), 30));
      w.serve(config_url, {config("B")});
      w.serve(checkpoint_url, {checkpoint(100000, 2)});
      auto before = contents(w.root.at);
      const auto r = w.call("m", pinned(config_url, sha256(config("B"))),
          pinned(checkpoint_url, sha256(checkpoint(100000, 2))));
      CHECK(r.error.code() == errc::name_taken);
      auto after = contents(w.root.at);
      before.erase("local/.m.lock"), after.erase("local/.m.lock");
      CHECK(before == after);
    }
  }

  TEST_CASE("the caller's pin wins over a receipt that somebody made to fit a poisoned cache") {
    place w;
    prime(w.cache / "m", "m", config(), checkpoint(100000, 66));
    write_receipt(w.cache / "m", "m", config(), checkpoint(100000, 66));
    const auto r =
        w.call("m", pinned(config_url, good_config), pinned(checkpoint_url, good_checkpoint));
    CHECK(r.error.code() == errc::name_taken);
    CHECK_FALSE(fs::exists(w.local / "m.ckpt"));
    CHECK_FALSE(fs::exists(w.local / "m.yaml"));
  }

  TEST_CASE("without a receipt, or with an unverified one, what does not fit the pin is damage") {
    for (const bool local : {true, false})
      for (const bool unverified : {true, false}) {
        CAPTURE(local);
        CAPTURE(unverified);
        place w;
        const fs::path at = local ? w.local : w.cache / "m";
        prime(at, "m", config(), checkpoint(100000, 5));
        if (unverified)
          write_receipt(at, "m", config(), checkpoint(100000, 5),
              "# unverified m.yaml\n# unverified m.ckpt\n");
        const auto r =
            w.call("m", pinned(config_url, good_config), pinned(checkpoint_url, good_checkpoint));
        REQUIRE_MESSAGE(r.ok(), why(r));
        CHECK(w.asked == lines{checkpoint_url});
        CHECK(w.local_is("m"));
        CHECK(w.cache_is("m"));
        REQUIRE(corrupt(w).size() == 1);
        CHECK(read(w.root.at / corrupt(w)[0]) == checkpoint(100000, 5));
        CHECK_FALSE(has(read(w.local / "m.sha256"), "unverified m.ckpt"));
      }
  }

  TEST_CASE("a pin on a local pair without a receipt hashes it once, and vouches from then on") {
    place w;
    prime(w.local, "m");
    prime(w.cache / "m", "m");
    w.origin_dies();
    const source c = pinned(config_url, good_config), k = pinned(checkpoint_url, good_checkpoint);
    const auto r = w.call("m", c, k);
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(w.saw(vqcache::phase::verifying, "m.ckpt"));
    CHECK(r.model.from == origin::local);
    CHECK(r.model.cached);
    CHECK_FALSE(w.heard("unverified"));
    CHECK(corrupt(w).empty());
    CHECK(sha256sum_says(w.local, "m.sha256") == 0);
    CHECK(sha256sum_says(w.cache / "m", "m.sha256") == 0);
    REQUIRE(w.call("m", c, k).ok());
    CHECK(w.said == lines{hit_line("m")});
    CHECK(w.seen.empty());
  }

  TEST_CASE("what was trusted on first use is held to from then on: a changed origin is refused") {
    for (const std::string s : {"both local files", "one local file and the cache",
             "a damaged cache", "a cache damaged as a whole"}) {
      CAPTURE(s);
      place w;
      REQUIRE(w.call("m").ok());
      if (s == "both local files")
        fs::remove(w.local / "m.yaml"), fs::remove(w.local / "m.ckpt"), w.wipe_cache();
      if (s == "one local file and the cache") fs::remove(w.local / "m.ckpt"), w.wipe_cache();
      if (s == "a damaged cache")
        w.wipe_local(), write(w.cache / "m/m.ckpt", flipped(checkpoint(), 77));
      if (s == "a cache damaged as a whole") {
        w.wipe_local();
        write(w.cache / "m/m.yaml", flipped(config(), 7));
        write(w.cache / "m/m.ckpt", flipped(checkpoint(), 77));
      }
      w.serve(checkpoint_url, {checkpoint(100000, 4)});
      for (const int turn : {1, 2}) {  // asking again changes nothing
        CAPTURE(turn);
        const auto r = w.call("m");
        CHECK(r.error.code() == errc::hash_mismatch);
        CHECK(has(r.error.what(), "receipt"));
        CHECK(has(r.error.what(), good_checkpoint));
        CHECK(has(r.error.what(), checkpoint_url));
      }
      CHECK_FALSE(fs::exists(w.local / "m.ckpt"));
      INFO("the right bytes are still welcome");
      w.serve(checkpoint_url, {checkpoint()});
      CHECK(w.call("m").ok());
      CHECK(w.local_is("m"));
    }
  }

  TEST_CASE("an unverified receipt does not bind later downloads") {
    place w;
    prime(w.local, "m", config(), checkpoint(100000, 3));
    REQUIRE(w.call("m").ok());
    REQUIRE(has(read(w.local / "m.sha256"), "unverified m.ckpt"));
    w.wipe_cache();
    fs::remove(w.local / "m.ckpt");
    const auto r = w.call("m");
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(w.local_is("m"));
  }

  TEST_CASE("a receipt that is not verified still shows damage on restore") {
    place w;
    prime(w.cache / "m", "m");
    REQUIRE(w.call("m").ok());
    REQUIRE(has(read(w.cache / "m/m.sha256"), "unverified m.ckpt"));
    w.wipe_local();
    write(w.cache / "m/m.ckpt", flipped(checkpoint(), 1000));
    const auto r = w.call("m");
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(w.heard("damaged"));
    CHECK(w.local_is("m"));
  }

  TEST_CASE("a config and a checkpoint of two versions are never paired by a restore") {
    place w;  // the cached config changed together with nothing else
    REQUIRE(w.call("m").ok());
    w.wipe_local();
    write(w.cache / "m/m.yaml", config("of another version"));
    w.origin_dies();
    CHECK_FALSE(w.call("m").ok());
    CHECK_FALSE(fs::exists(w.local / "m.yaml"));
    CHECK_FALSE(fs::exists(w.local / "m.ckpt"));
  }

  // ---- other URLs

  TEST_CASE("other URLs without a pin are served what is stored, and told where it came from") {
    for (const bool wiped : {false, true}) {
      CAPTURE(wiped);
      place w;
      REQUIRE(w.call("m").ok());
      if (wiped) w.wipe_local();
      const auto r = w.call("m", "http://else.test/c.yaml", "http://else.test/k.ckpt?sig=hunter2");
      REQUIRE_MESSAGE(r.ok(), why(r));
      CHECK(w.asked.empty());
      CHECK(w.heard(config_url));
      CHECK(w.heard(checkpoint_url));
      CHECK(w.heard("http://else.test/k.ckpt"));
      CHECK_FALSE(has(w.all_said(), "hunter2"));
      INFO("not so with the URLs of the first call, a mirror list that has it, or a pin");
      w.call("m");
      CHECK(w.said.size() == 1);
      w.call("m", config_url, source{"http://mirror.test/k", checkpoint_url.c_str()});
      CHECK(w.said.size() == 1);
      w.call("m", pinned("http://else.test/c", good_config),
          pinned("http://else.test/k", good_checkpoint));
      CHECK(w.said.size() == 1);
    }
  }

  TEST_CASE(
      "the part of a query that names a file tells two models apart, also by an old receipt") {
    const auto share = [](const std::string& file) {
      return "http://origin.test/files/?dl=1&p=%2F" + file;
    };
    place w;
    w.serve(share("c.yaml"), {config()});
    w.serve(share("k.ckpt"), {checkpoint()});
    REQUIRE(w.call("m", share("c.yaml"), share("k.ckpt")).ok());
    const std::string receipt = read(w.local / "m.sha256");
    CHECK(has(receipt, "# origin " + share("k.ckpt") + " m.ckpt"));
    CHECK(w.call("m", share("c.yaml"), share("k.ckpt")).ok());
    CHECK(w.said.size() == 1);
    CHECK(w.call("m", share("c.yaml"), share("other.ckpt")).ok());
    CHECK(w.heard("m.ckpt came from " + share("k.ckpt") + ", not from " + share("other.ckpt")));

    INFO("0.1.0 showed no value at all");
    std::string old = receipt;
    for (const std::string value : {"=1&", "=%2Fc.yaml", "=%2Fk.ckpt"})
      for (std::size_t at = 0; (at = old.find(value)) != std::string::npos;)
        old.replace(at, value.size(), value.back() == '&' ? "=***&" : "=***");
    REQUIRE(has(old, "?dl=***&p=*** m.ckpt"));
    write(w.local / "m.sha256", old);
    REQUIRE(w.call("m", share("c.yaml"), share("k.ckpt")).ok());
    CHECK_FALSE(w.heard("came from"));
  }

  // ---- the content sentinel

  TEST_CASE("what is not the file is refused, in the words that the origin sent") {
    const std::string page =
        "<!DOCTYPE html>\n<html><head><title>Library</title><style>p{color:red}</style>"
        "<script>var x = \"no\";</script></head>\n<body><p class=\"error\">Link does "
        "not exist.</p></body></html>";
    const std::string pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:"
        + std::string(64, '4') + "\nsize 980092370\n";
    const std::string xml =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>AccessDenied</Code>"
        "<Message>Access Denied</Message></Error>";

    struct {
      std::string what, body, words;
    } cases[] = {{"a page", page, "Link does not exist."},
        {"a page after a byte order mark and blank lines", "\xEF\xBB\xBF\r\n \t" + page,
            "Link does not exist."},
        {"a page that is a script as far as is looked", "<html><script>" + std::string(20000, 'x'),
            "HTML page"},
        {"a fragment of a page", "<div>Quota exceeded</div><body>", "Quota exceeded"},
        {"a git-lfs pointer", pointer, "git-lfs"}, {"an XML error", xml, "Access Denied"},
        {"a JSON error", "{\"error\": \"Repository not found\"}", "Repository not found"},
        {"a JSON message", "  {\n \"message\" : \"Not Found\", \"status\": \"404\"}", "Not Found"},
        {"an empty file", "", "empty"}, {"white space", " \r\n\t\n", "white space"}};

    for (const auto& c : cases)
      for (const bool as_config : {true, false})
        for (const bool with_pin : {true, false}) {
          CAPTURE(c.what);
          CAPTURE(as_config);
          CAPTURE(with_pin);
          place w;
          const std::string& url = as_config ? config_url : checkpoint_url;
          w.serve(url, {c.body});
          const source bad = with_pin ? pinned(url, other_digest) : source(url);
          const auto r = as_config ? w.call("m", bad) : w.call("m", config_url, bad);
          CHECK(r.error.code() == errc::not_the_file);
          CHECK_MESSAGE(has(r.error.what(), c.words), why(r));
          CHECK(has(r.error.what(), url));
          CHECK_FALSE(has(r.error.what(), "color:red"));
          CHECK_FALSE(has(r.error.what(), "var x"));
          CHECK(matching(w.root.at, ".ckpt").empty());
          CHECK(matching(w.root.at, ".yaml").empty());
        }
  }

  TEST_CASE("HTML by its Content-Type is refused, and the type alone refuses nothing") {
    place w;
    w.serve(checkpoint_url,
        {"Too many users have viewed this file. <a>Sign in</a>", 200,
            {{"Content-Type", "text/html; charset=utf-8"}}});
    CHECK(w.call("m").error.code() == errc::not_the_file);
    w.serve(checkpoint_url, {checkpoint(), 200, {{"Content-Type", "text/html"}}});
    w.pages[config_url].headers = {{"Content-Type", "text/html"}};
    const auto r = w.call("m");
    CHECK_MESSAGE(r.ok(), why(r));
  }

  TEST_CASE("swapped URLs of config and checkpoint are named as swapped, both ways") {
    for (const std::string& k : {checkpoint(), "\x80\x02}q" + std::string(5000, 'x')}) {
      place w;
      w.serve(checkpoint_url, {k});
      const auto r = w.call("m", checkpoint_url, config_url);
      CHECK(r.error.code() == errc::not_the_file);
      CHECK(has(r.error.what(), "swapped"));
      CHECK(has(r.error.what(), "m.yaml"));
    }
    place w;
    const auto r = w.call("m", config_url, config_url);
    CHECK(r.error.code() == errc::not_the_file);
    CHECK(has(r.error.what(), "swapped"));
    CHECK(has(r.error.what(), "m.ckpt"));
  }

  TEST_CASE("a checkpoint that begins as a zip archive and has no end record is truncated") {
    place w;
    const std::string k = checkpoint();
    for (const std::string& cut : {k.substr(0, k.size() - 1), k.substr(0, 50000)}) {
      w.serve(checkpoint_url, {cut});
      const auto r = w.call("m");
      CHECK(r.error.code() == errc::truncated);
      CHECK(has(r.error.what(), "zip"));
      CHECK_FALSE(fs::exists(w.local / "m.ckpt"));
    }
    INFO("an end record with a comment is an end record");
    std::string commented = k.substr(0, k.size() - 2) + number(5, 2) + "hello";
    w.serve(checkpoint_url, {commented});
    const auto r = w.call("m");
    CHECK_MESSAGE(r.ok(), why(r));
  }

  TEST_CASE("a config with NUL bytes is no config, wherever they stand") {
    for (const std::size_t at : {std::size_t{10}, std::size_t{200000}}) {
      CAPTURE(at);
      place w;
      std::string c = config() + std::string(300000, '#');
      c[at] = '\0';
      w.serve(config_url, {c});
      const auto r = w.call("m");
      CHECK(r.error.code() == errc::not_the_file);
      CHECK(has(r.error.what(), "NUL"));
    }
  }

  TEST_CASE("a config of over 16 MiB is no config") {
    place w;
    w.serve(config_url, {config() + std::string(std::size_t{16} << 20, '#')});
    CHECK(w.call("m").error.code() == errc::not_the_file);
    CHECK_FALSE(fs::exists(w.local / "m.yaml"));
  }

  TEST_CASE(
      "formats that we do not know pass: binary files, legacy pickles, text without a model") {
    for (const std::string& k :
        {std::string("\x80\x02\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19.", 15) + std::string(3000, '\1'),
            std::string("\0\1\2\3", 4) + std::string(100, 'z'),
            std::string("\x89HDF\r\n\x1a\n") + std::string(100, '\0'), std::string("\1"),
            std::string("GGUF") + std::string(50, '\3'),
            number(32, 8) + "{\"__metadata__\":{\"format\":\"pt\"}}"}) {
      place w;
      w.serve(checkpoint_url, {k});
      const auto r = w.call("m");
      CHECK_MESSAGE(r.ok(), why(r));
      CHECK(read(w.local / "m.ckpt") == k);
    }
  }

  TEST_CASE("a pin that fits overrules the sentinel") {
    place w;
    const std::string odd = "<html>truly a checkpoint</html>";
    w.serve(checkpoint_url, {odd});
    const auto r = w.call("m", config_url, pinned(checkpoint_url, sha256(odd)));
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(read(w.local / "m.ckpt") == odd);
  }

  TEST_CASE("what a past program left in the cache is looked at too: a page there is damage") {
    place w;
    prime(w.cache / "m", "m", config(), "<html><body>Link does not exist.</body></html>");
    const auto r = w.call("m");
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(w.asked == lines{checkpoint_url});
    CHECK(w.local_is("m"));
    CHECK(w.cache_is("m"));
  }
}
