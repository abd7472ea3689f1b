// max_bytes_per_second, over each transport: what comes from the network does not come sooner, and
// nothing else suffers: progress, cancelling, the limit of silence, local files.
#include "children.hpp"
#include "world.hpp"

namespace {

using namespace children;
using vqcache::errc;

struct slowed {  // one model whose checkpoint is on a server
  scratch at;
  std::string path, reference;
  plan p;

  slowed(const std::string& by, std::uint64_t limit, unsigned bytes, const std::string& query = "")
      : p() {
    const std::string key = (at / "x").parent_path().filename().string(),
                      size = "?size=" + std::to_string(bytes);
    path = "/good/" + key + "/last.ckpt" + size + query;
    reference = "/good/reference/last.ckpt" + size;
    p = call_of(at.fresh(), by, hostile().url("/good/" + key + "/model.yaml"), hostile().url(path));
    p.opts.max_bytes_per_second = limit;
    p.opts.max_bytes = 64 << 20;
    p.opts.connections = 4;
  }

  bool is_right() const {
    const std::string all = get(reference);
    return slurp(p.opts.local_dir / "m.ckpt") == all
        && slurp(p.opts.cache_dir / "m" / "m.ckpt") == all;
  }
};

}  // namespace

TEST_SUITE_BEGIN("transport rate");

TEST_CASE(
    "3 MB at 1 MB/s take 2.7 s at least, and one connection, since more would bring nothing") {
  std::vector<job> jobs;
  for (const std::string& by : transports()) {
    const auto h = std::make_shared<slowed>(by, 1000000, 3000000);
    jobs.push_back({by, h->p, [h](const outcome& o) {
                      CHECK_MESSAGE(o.ok(), describe(o));
                      CHECK(h->is_right());
                      CHECK(o.took >= 2.7);
                      CHECK(hostile().log(h->path).size() == 1);
                    }});
  }
  run_all(jobs);
}

TEST_CASE("the limit is that of all connections together") {
  std::vector<job> jobs;
  for (const std::string& by : transports()) {
    const auto h = std::make_shared<slowed>(by, 2000000, 8000000, "&rate=700000");
    const bool is_fetch = by == by_fetch;  // which has one connection
    jobs.push_back({by, h->p, [h, is_fetch](const outcome& o) {
                      CHECK_MESSAGE(o.ok(), describe(o));
                      CHECK(h->is_right());
                      CHECK(o.took >= 3.6);
                      CHECK((hostile().log(h->path).size() > 1 || is_fetch));
                    }});
  }
  run_all(jobs);
}

TEST_CASE("what we hold back ourselves is no stall of the server") {
  std::vector<job> jobs;
  for (const std::string& by : transports()) {
    const auto h = std::make_shared<slowed>(by, 20000, 80000);
    h->p.opts.connections = 1;
    h->p.opts.stall_seconds = 2;  // in which 64 KiB can not come
    jobs.push_back({by, h->p, [h](const outcome& o) {
                      CHECK_MESSAGE(o.ok(), describe(o));
                      CHECK(h->is_right());
                      CHECK(o.took >= 3.6);
                      CHECK(hostile().log(h->path).size() == 1);
                    }});
  }
  run_all(jobs);
}

TEST_CASE("progress goes on meanwhile, and can cancel") {
  std::vector<job> jobs;
  for (const std::string& by : transports()) {
    const auto h = std::make_shared<slowed>(by, 10000, 1000000);
    const auto steps = std::make_shared<int>(0);
    h->p.opts.on_progress = [steps](const vqcache::progress& p) {
      return p.file != "m.ckpt" || ++*steps < 4;
    };
    jobs.push_back({by, h->p, [](const outcome& o) {
                      CHECK_MESSAGE(o.failed(errc::cancelled), describe(o));
                      CHECK(o.took < 30);  // of 100
                    }});
  }
  run_all(jobs);
}

TEST_CASE("a local source, its copy and restoring it are not slowed") {
  world::place w;
  const fs::path at = w.root.at / "mine.ckpt";
  world::write(at, world::checkpoint(3000000));
  vqcache::options o = w.options();
  o.max_bytes_per_second = 10000;
  const auto began = std::chrono::steady_clock::now();
  auto r = w.call_with(o, "m", world::config_url, at.string());
  REQUIRE_MESSAGE(r.ok(), r.error.what());
  w.wipe_local();
  r = w.call_with(o, "m", world::config_url, at.string());
  REQUIRE_MESSAGE(r.ok(), r.error.what());
  CHECK(r.model.from == vqcache::origin::cache);
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(60));  // of 900
}

TEST_SUITE_END();
