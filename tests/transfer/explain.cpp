// explain over the network: each URL is asked for one byte, over every transport, and tells how it
// answered or why it failed. What is here stays as it is.
#include "children.hpp"

namespace {

using namespace children;

// A model that a receipt knows the origin of, and nothing else is left of.
vqcache::options with_receipt(const scratch& home, const std::string& url, const std::string& by) {
  vqcache::options o;
  o.local_dir = home / "local";
  o.cache_dir = home / "cache";
  o.transport = by;
  o.connect_seconds = 5;
  o.stall_seconds = 5;
  o.on_message = nullptr;
  const std::string digest(64, 'a');
  write_file(home / "local/one.bin.sha256",
      "# vqcache 0.2.0 2026-11-30T08:15:00Z\n# origin " + url + " one.bin\n" + digest
          + "  one.bin\n");
  return o;
}

std::string told(const scratch& home, const std::string& url, const std::string& by) {
  const auto found = vqcache::try_explain("one.bin", with_receipt(home, url, by));
  if (!found) return found.error.what();
  std::string all = found->summary + "\n";
  for (const vqcache::explained_file& one : found->files) {
    all += one.file + " " + one.step + "\n";
    for (const std::string& line : one.why) {
      all += line + "\n";
    }
  }
  return all;
}

}  // namespace

TEST_SUITE_BEGIN("transport explain");

TEST_CASE("a server is asked for one byte, and its answer is told") {
  if (not_over_fetch("it is told no header of ours")) return;
  for (const std::string& by : transports()) {
    CAPTURE(by);
    const scratch home;
    hostile().reset();
    const std::string path = "/good/explain/one.ckpt";
    const std::string text = told(home, hostile().url(path), by);
    CHECK_MESSAGE(has(text, "one.bin download\n"), text);
    CHECK_MESSAGE(has(text, "' answered HTTP 206, 300000 bytes"), text);
    const auto seen = hostile().log(path);
    REQUIRE(seen.size() == 1);
    CHECK(seen[0].headers.at("range") == "bytes=0-0");
    CHECK(seen[0].body <= 1);
    CHECK_FALSE(fs::exists(home / "cache"));
  }
}

TEST_CASE("an error of the server, a dead port and a name that is none are told") {
  if (not_over_fetch("its failures are its own")) return;
  for (const std::string& by : transports()) {
    CAPTURE(by);
    const scratch home;
    std::string text = told(home, hostile().url("/gone_404_body/explain/one.ckpt"), by);
    CHECK_MESSAGE(has(text, "answered HTTP 404"), text);
    text = told(home, "http://127.0.0.1:1/one.ckpt", by);
    CHECK_MESSAGE(has(text, "'http://127.0.0.1:1/one.ckpt' failed: "), text);
    text = told(home, "http://nowhere.invalid/one.ckpt", by);
    CHECK_MESSAGE(has(text, "failed: "), text);
    text = told(home, hostile().url("/good/explain/x.ckpt", "self"), by);
    CHECK_MESSAGE(has(text, "failed: "), text);
  }
}

TEST_SUITE_END();
