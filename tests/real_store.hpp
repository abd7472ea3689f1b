// A real store or WebDAV server, as tests/servers/stores.py starts it: its head has the names, and
// how they are had. Include it after vqcache.hpp and doctest.
#ifndef VQCACHE_TESTS_REAL_STORE_HPP
#define VQCACHE_TESTS_REAL_STORE_HPP

#include "store_server.hpp"

namespace support {

struct kept_object {  // as the store lists it
  std::string key{};
  std::uint64_t size = 0;
};

class real_store : public server {
 public:
  // Where it cannot be had, runs() is false, and standard error has the reason. Ceph, which starts
  // three programs, has half a minute's work on a busy machine.
  explicit real_store(const std::string& name) : server("stores.py", {name}, 300), name_(name) {}

  const std::string& name() const { return name_; }

  bool is_bucket() const { return fact("kind") == "s3"; }

  // What cache_dir is, below this prefix; without any key, but for WebDAV's user.
  std::string directory(const std::string& prefix) const {
    const std::string host = "127.0.0.1:" + fact("http");
    if (is_bucket())
      return "s3://" + fact("bucket") + "/" + prefix + "?endpoint=http://" + host
          + "&region=" + fact("region");
    return "http://" + fact("user") + ":" + fact("password") + "@" + host + "/" + prefix;
  }

  // Keys are below the bucket, or below the server's root.
  void put(const std::string& key, const std::string& bytes) const { ask("PUT", key, bytes); }

  bool holds(const std::string& key) const { return ask("GET", key).status == 200; }

  std::string bytes_of(const std::string& key) const { return ask("GET", key).body; }

  void remove(const std::string& key) const { ask("DELETE", key); }

  std::vector<kept_object> objects(const std::string& prefix = "") const {
    std::vector<kept_object> all;
    std::istringstream in(ask("GET", "?list=" + store_server::encoded(prefix)).body);
    for (std::string line; std::getline(in, line);) {
      const std::size_t tab = line.find('\t');
      all.push_back({line.substr(tab + 1), std::strtoull(line.c_str(), nullptr, 10)});
    }
    return all;
  }

  std::vector<std::string> uploads(const std::string& prefix = "") const {  // unfinished
    std::vector<std::string> all;
    std::istringstream in(ask("GET", "?uploads=" + store_server::encoded(prefix)).body);
    for (std::string line; std::getline(in, line);)
      all.push_back(line);
    return all;
  }

 private:
  struct answer {
    int status = 0;
    std::string body{};
  };

  answer ask(
      const std::string& method, const std::string& target, const std::string& body = "") const {
    const bool is_question = target.rfind('?', 0) == 0;
    const std::string path = is_question ? target : store_server::encoded(target);
    const std::string said = exchange(port("control"),
        method + " /" + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: "
            + std::to_string(body.size()) + "\r\n\r\n" + body);
    const std::size_t end = said.find("\r\n\r\n");
    const answer got{end == std::string::npos ? 0 : std::atoi(said.c_str() + 9),
        end == std::string::npos ? std::string() : said.substr(end + 4)};
    if (got.status != 200 && got.status != 404)
      broken(name_ + ": " + method + " " + target + ": " + said.substr(0, 500));
    return got;
  }

  std::string name_;
};

// The environment of a call that uses such a store, while it lives. No machine is asked for keys.
class store_keys {
 public:
  explicit store_keys(const server& of)
      : id_("AWS_ACCESS_KEY_ID", of.fact("key")),
        secret_("AWS_SECRET_ACCESS_KEY", of.fact("secret")) {}

 private:
  env_guard id_, secret_;
  env_guard token_{"AWS_SESSION_TOKEN", nullptr};
  env_guard profile_{"AWS_PROFILE", nullptr};
  env_guard endpoint_{"AWS_ENDPOINT_URL_S3", nullptr};
  env_guard any_endpoint_{"AWS_ENDPOINT_URL", nullptr};
  env_guard config_{"AWS_CONFIG_FILE", "/nonexistent"};
  env_guard credentials_{"AWS_SHARED_CREDENTIALS_FILE", "/nonexistent"};
  env_guard no_machine_{"AWS_EC2_METADATA_DISABLED", "true"};
};

}  // namespace support

#endif  // VQCACHE_TESTS_REAL_STORE_HPP
