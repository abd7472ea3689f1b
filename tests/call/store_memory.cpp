// What a process takes for an upload of parts: no more than was promised, however slow the store.
#include "children.hpp"

#include "store_server.hpp"

namespace {

using namespace children;
using support::store;

constexpr std::uintmax_t size_of_file = 300'000'000;
constexpr long promised_kib = 32 << 10;

// Without VQT_SOURCE nothing is called: that is the bare program.
int store_and_measure() {
  const fs::path where = std::getenv("VQT_WHERE");
  outcome o;
  o.code = 0;
  if (const char* const from = std::getenv("VQT_SOURCE")) {
    vqcache::options with;
    with.local_dir = where / "local";
    with.cache_dir = std::getenv("VQT_STORE");
    with.stall_seconds = 60;
    with.on_message = [&o](const std::string& line) {
      o.messages.push_back(line);
    };
    const auto r = vqcache::try_download_model("big", {{"big.bin", from}}, with);
    o.code = r.error.code().value();
    o.what = r.ok() ? "" : r.error.what();
    o.cached = r.ok() && r.model.cached;
  }
  o.note = std::to_string(peak_kib());
  save(o, where / "outcome");
  return 0;
}

const role measured("measured upload", store_and_measure);

outcome measure(const fs::path& where, const std::string& to, const std::string& source) {
  program p;
  p.start({self()},
      clean({{"VQCACHE_TEST_ROLE", "measured upload"}, {"VQT_WHERE", where.string()},
          {"VQT_STORE", to}, {"VQT_SOURCE", source}, {"HOME", where.string()},
          {"AWS_ACCESS_KEY_ID", store().fact("key")},
          {"AWS_SECRET_ACCESS_KEY", store().fact("secret")}}),
      where / "noise", where / "noise", where);
  (void)p.wait(400);
  outcome o = load(where / "outcome");
  o.noise = slurp(where / "noise");
  return o;
}

}  // namespace

TEST_SUITE("memory of an upload") {
  TEST_CASE("300 MB go to a store in parts, in under 32 MiB beyond the bare program") {
    if (lacks(part::proc)) return;  // which tells what a program has taken
    if (sanitized) return skipped("a sanitizer's own memory is not the library's");
    scratch home;
    const fs::path big = home / "big.bin";
    write_file(big, "weights");
    fs::resize_file(big, size_of_file);  // sparse
    const outcome bare = measure(home.fresh(), "", "");
    REQUIRE_MESSAGE(bare.finished, bare.noise);
    const long least = std::stol(bare.note);
    REQUIRE(least > 0);

    for (const char* const rule : {"", "way=slow_upload&rate=12000000&query=partNumber"}) {
      CAPTURE(rule);
      store().reset();
      if (*rule != '\0') store().rule(rule);
      const std::string to =
          "s3://bucket/memory?endpoint=http://127.0.0.1:" + store().fact("plain");
      const outcome o = measure(home.fresh(), to, big.string());
      REQUIRE_MESSAGE(o.ok(), describe(o));
      CHECK_MESSAGE(o.cached, o.said());
      int parts = 0;
      for (const auto& one : store().log("/bucket/memory/big/*"))
        parts += has(one.path, "partNumber=") && one.status == 200;
      CHECK(parts == 18);
      CHECK(store().objects("/bucket/memory/big/big.bin").size() == 1);
      const long taken = std::stol(o.note) - least;
      CHECK_MESSAGE(taken < promised_kib, taken, " KiB beyond the bare program");
    }
    store().reset();
  }
}
