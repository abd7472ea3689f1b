// What every tier promises, asked of stores and WebDAV servers: of our own, which can be told to be
// as some of them are, and of a real one where VQCACHE_REAL_STORE names it (tests/stores/run.sh).
#include "tier/contract.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <utility>

// after vqcache.hpp
#include "real_store.hpp"

namespace {

namespace detail = vqcache::detail;
namespace stores = vqcache::detail::stores;
using contract::kind_of_tier;
using contract::names;
using contract::shop;
using vqcache::detail::objects::object_tier;

// A prefix that no other test uses, so that a store need not be emptied.
std::string new_prefix() {
  static int so_far = 0;
  return "contract-" + std::to_string(++so_far) + "/deep";
}

// What both kinds of servers share: each tier is opened as by a call of its own, which knows
// nothing of the store.
class remote_shop : public shop {
 public:
  detail::box<contract::seam::tier> open() override {
    auto at = detail::places::parse(where());
    if (!at.ok()) support::broken(where() + " " + at.why().text);
    stores::session fresh;
    fresh.at = *at;
    callers_.push_back(std::make_unique<caller>());
    clients_.push_back(
        std::make_unique<stores::client>(callers_.back()->opts, fresh, &callers_.back()->who));
    return detail::box<contract::seam::tier>(new object_tier(
        *clients_.back(), "m", names, contract::seam::layout::flat, object_tier::use::stored_to));
  }

  contract::abilities can() const override { return {false, false, false, keeps_conditions()}; }

  std::string litter() override {
    std::string all;
    for (const std::string& key : keys()) {
      const std::string file = key.substr(key.find(folder()) + folder().size());
      const bool is_ours = std::find(names.begin(), names.end(), file) != names.end();
      if (!is_ours && file != "m.sha256") all += key + "\n";
    }
    for (const std::string& key : uploads())
      all += "an upload of " + key + "\n";
    return all;
  }

 protected:
  std::string prefix_ = new_prefix();

  std::string folder() const { return prefix_ + "/m/"; }

  virtual std::string where() const = 0;
  virtual std::vector<std::string> keys() const = 0;  // of this prefix; with what goes before it

  virtual std::vector<std::string> uploads() const { return {}; }

  virtual bool keeps_conditions() const { return true; }

 private:
  struct caller {
    vqcache::options opts{};
    detail::caller who{opts, "m"};

    caller() { opts.on_message = nullptr; }
  };

  std::vector<std::unique_ptr<caller>> callers_{};  // of the clients
  std::vector<std::unique_ptr<stores::client>> clients_{};
};

// ---- our own

class own_shop : public remote_shop {
 public:
  explicit own_shop(const std::vector<std::string>& rules) {
    support::store().forget_requests();
    for (const std::string& rule : rules) {
      support::store().rule(rule);
      if (rule == ignores || rule == knows_none) keeps_conditions_ = false;
    }
  }

  ~own_shop() override { support::store().clear(); }

  static constexpr const char* ignores = "way=conditions_ignored";
  static constexpr const char* knows_none = "way=not_implemented";

 protected:
  bool keeps_conditions() const override { return keeps_conditions_; }

  static void put(const std::string& query, const std::string& bytes) {
    const std::string said = support::exchange(support::store().port("plain"),
        "POST /control/put?" + query + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        "Content-Length: " + std::to_string(bytes.size()) + "\r\n\r\n" + bytes);
    if (said.find(" 200 ") != 8) support::broken("store.py put nothing: " + said.substr(0, 300));
  }

  std::vector<std::string> keys_of(const std::string& start, const std::string& on) const {
    std::vector<std::string> all;
    for (const support::stored_object& one : support::store().objects(start + "/*", on))
      all.push_back(one.key);
    return all;
  }

 private:
  bool keeps_conditions_ = true;
};

class own_bucket final : public own_shop {
 public:
  using own_shop::own_shop;

  void damage(const std::string& name, const std::string& bytes) override {
    put("key=" + support::store_server::encoded(start() + "/m/" + name), bytes);
  }

 protected:
  std::string where() const override {
    return "s3://" + support::store().fact("bucket") + "/" + prefix_
        + "?endpoint=http://127.0.0.1:" + support::store().fact("plain");
  }

  std::vector<std::string> keys() const override { return keys_of(start(), ""); }

  std::vector<std::string> uploads() const override {
    std::vector<std::string> all;
    std::istringstream in(support::store().control("uploads"));
    for (std::string line; std::getline(in, line);)
      if (line.find(prefix_) != std::string::npos) all.push_back(line);
    return all;
  }

 private:
  std::string start() const { return "/" + support::store().fact("bucket") + "/" + prefix_; }

  support::store_keys keys_{support::store()};
};

class own_web final : public own_shop {
 public:
  using own_shop::own_shop;

  void damage(const std::string& name, const std::string& bytes) override {
    put("on=dav&key=" + support::store_server::encoded("/" + folder() + name), bytes);
  }

 protected:
  std::string where() const override {
    return "http://" + support::store().fact("user") + ":" + support::store().fact("password")
        + "@127.0.0.1:" + support::store().fact("dav") + "/" + prefix_;
  }

  std::vector<std::string> keys() const override { return keys_of("/" + prefix_, "dav"); }
};

template <class Shop>
kind_of_tier own(const std::string& title, const std::vector<std::string>& rules = {}) {
  return {title, [rules] {
            return std::unique_ptr<shop>(new Shop(rules));
          }};
}

// ---- a real one, which runs as long as this program

support::real_store& real() {
  static support::real_store one(std::getenv("VQCACHE_REAL_STORE"));
  return one;
}

class real_shop final : public remote_shop {
 public:
  void damage(const std::string& name, const std::string& bytes) override {
    real().put(folder() + name, bytes);
  }

 protected:
  std::string where() const override { return real().directory(prefix_); }

  std::vector<std::string> keys() const override {
    std::vector<std::string> all;
    for (const support::kept_object& one : real().objects(prefix_ + "/"))
      all.push_back(one.key);
    return all;
  }

  std::vector<std::string> uploads() const override { return real().uploads(prefix_ + "/"); }

 private:
  std::unique_ptr<support::store_keys> keys_{
      real().is_bucket() ? std::make_unique<support::store_keys>(real()) : nullptr};
};

bool is_real_store_named() {
  return std::getenv("VQCACHE_REAL_STORE") != nullptr;
}

// Not there: told, or a failure where nothing may be left out.
bool has_real_store() {
  if (real().runs()) return true;
  const char* const must = std::getenv("VQCACHE_NO_SKIP");
  if (must && std::string(must) == "1") FAIL(real().name() << " cannot be had");
  support::skipped(real().name() + " cannot be had");
  return false;
}

}  // namespace

TEST_SUITE("tier") {
  TEST_CASE("a bucket keeps what every tier promises") {
    contract::ask_promises(own<own_bucket>("a bucket"));
  }

  TEST_CASE("a bucket whose store ignores conditions keeps what every tier promises") {
    contract::ask_promises(own<own_bucket>("no conditions", {own_bucket::ignores}));
  }

  TEST_CASE("a bucket whose store knows no conditions keeps what every tier promises") {
    contract::ask_promises(own<own_bucket>("501", {own_bucket::knows_none}));
  }

  TEST_CASE("a bucket of a store as Ceph is keeps what every tier promises") {
    contract::ask_promises(
        own<own_bucket>("as Ceph", {"way=if_match_unquoted", "way=complete_conditions_ignored"}));
  }

  TEST_CASE("a WebDAV server keeps what every tier promises") {
    contract::ask_promises(own<own_web>("WebDAV"));
  }

  TEST_CASE("a WebDAV server as nginx is keeps what every tier promises") {
    contract::ask_promises(own<own_web>("as nginx",
        {"way=mkcol_needs_slash", "way=makes_parents&method=PUT", "way=no_etag&method=PUT"}));
  }

  TEST_CASE("a WebDAV server as Apache is keeps what every tier promises") {
    contract::ask_promises(own<own_web>("as Apache", {"way=wrong_etag&tag=W/%22weak%22"}));
  }

  TEST_CASE("a WebDAV server as rclone is keeps what every tier promises") {
    contract::ask_promises(own<own_web>("as rclone", {"way=mkcol_repeats", "way=half_kept"}));
  }

  TEST_CASE("a file goes from any tier to a store, and back") {
    for (const kind_of_tier& remote : {own<own_bucket>("a bucket"), own<own_web>("WebDAV")})
      for (const kind_of_tier& other : contract::kinds_at_hand()) {
        contract::copy_between(remote, other);
        contract::copy_between(other, remote);
      }
  }

  TEST_CASE("an answer that is cut is asked for again") {
    for (const char* cut : {"way=cut&at=0", "way=cut&at=0&reset=1", "way=cut&at=9"}) {
      CAPTURE(cut);
      own_bucket in({std::string(cut) + "&method=GET&path=*.sha256&times=1"});
      in.damage("m.sha256", std::string(64, 'a') + "  m.one\n");
      const contract::seam::inventory all = in.open()->inspect();
      CHECK_MESSAGE(all.receipt_problem.ok(), all.receipt_problem.text);
      CHECK(all.files[0].is_said_to_be(std::string(64, 'a')));
      CHECK(support::store().count("*.sha256", "GET") == 2);
    }
  }

  TEST_CASE("a large file goes to a store and back, and leaves nothing where it is dropped") {
    contract::copy_large(own<own_bucket>("a bucket"));
    contract::copy_large(own<own_web>("WebDAV"));
  }

  TEST_CASE("a real store keeps what every tier promises" * doctest::skip(!is_real_store_named())) {
    if (!has_real_store()) return;
    contract::ask_promises({real().name(), [] {
                              return std::unique_ptr<shop>(new real_shop);
                            }});
  }

  TEST_CASE("a file goes from any tier to a real store, and back"
      * doctest::skip(!is_real_store_named())) {
    if (!has_real_store()) return;
    const kind_of_tier remote{real().name(), [] {
                                return std::unique_ptr<shop>(new real_shop);
                              }};
    for (const kind_of_tier& other : contract::kinds_at_hand()) {
      contract::copy_between(remote, other);
      contract::copy_between(other, remote);
    }
    contract::copy_between(remote, remote);
    contract::copy_large(remote);
  }
}
