// The store of tests/servers/store.py: an S3 store, a WebDAV server and the services that hand out
// keys, which misbehave when they are told to. Its head has the words of rules and controls.
#ifndef VQCACHE_TESTS_STORE_SERVER_HPP
#define VQCACHE_TESTS_STORE_SERVER_HPP

#include "support.hpp"

namespace support {

struct stored_object {  // as the store has it
  std::string sha256{}, etag{}, key{};
  std::uint64_t size = 0;
};

struct store_request : seen {  // a request as the store saw it
  int number = 0;              // from 1
  std::string key{};           // /BUCKET/KEY, or the path of another service
  std::string verdict{};       // "ok", or the code that it was refused with
  bool had_effect = false;
  std::string ways{};  // what befell it, separated by commas
};

class store_server : public server {
 public:
  // arguments: "auto" (with certificates) or "-", then rules
  explicit store_server(std::vector<std::string> arguments = {})
      : server("store.py", std::move(arguments)) {}

  std::string control(const std::string& what, int* status = nullptr) const {
    return get(port("plain"), "/control/" + what, status);
  }

  static std::string encoded(const std::string& text) {
    const std::string plain = "/._-*~";
    std::string out;
    for (const char letter : text) {
      const auto byte = static_cast<unsigned char>(letter);
      char hex[4];
      std::snprintf(hex, sizeof hex, "%%%02X", byte);
      const bool stays = plain.find(letter) != std::string::npos || std::isalnum(byte);
      out += stays ? std::string(1, letter) : hex;
    }
    return out;
  }

  // "way=lost&nth=3": its number; a rule that the store does not take is a broken test
  int rule(const std::string& words) const {
    int status = 0;
    const std::string said = control("rule?" + words, &status);
    if (status != 200) broken("store.py takes no rule " + words + ": " + said);
    return std::atoi(said.c_str());
  }

  void clear() const { control("clear"); }

  void reset() const { control("reset"); }  // rules, log and objects

  void forget_requests() const { control("reset?keep=1"); }  // and the rules

  void put(const std::string& key, const std::string& text) const {
    control("put?key=" + encoded(key) + "&text=" + encoded(text));
  }

  bool holds(const std::string& key) const {
    int status = 0;
    control("get?key=" + encoded(key), &status);
    return status == 200;
  }

  std::string bytes_of(const std::string& key) const {
    int status = 0;
    const std::string said = control("get?key=" + encoded(key), &status);
    return status == 200 ? said : std::string();
  }

  // keys: a glob, "/bucket/prefix/*"; on: "" or "dav"
  std::vector<stored_object> objects(
      const std::string& keys = "*", const std::string& on = "") const {
    std::vector<stored_object> all;
    std::istringstream in(control("objects?key=" + encoded(keys) + "&on=" + on));
    for (std::string line; std::getline(in, line);) {
      std::istringstream fields(line);
      stored_object one;
      std::string size;
      for (std::string* field : {&one.sha256, &size, &one.etag, &one.key})
        std::getline(fields, *field, '\t');
      one.size = std::strtoull(size.c_str(), nullptr, 10);
      all.push_back(std::move(one));
    }
    return all;
  }

  int count(const std::string& keys = "*", const std::string& method = "") const {
    const std::string only = method.empty() ? method : "&method=" + method;
    return std::atoi(control("count?path=" + encoded(keys) + only).c_str());
  }

  // keys: a glob; in the order of their heads
  std::vector<store_request> log(const std::string& keys = "*") const {
    std::vector<store_request> all;
    std::istringstream in(control("log?text=1&path=" + encoded(keys)));
    for (std::string line; std::getline(in, line);) {
      if (line[0] == '\t') {
        const std::size_t colon = line.find(": ");
        all.back().headers[line.substr(1, colon - 1)] = line.substr(colon + 2);
      } else {
        all.push_back(request_of(line));
      }
    }
    return all;
  }

  bool wait(const std::string& keys, int n = 1) const {  // until n requests were seen; 20 s
    return control("wait?path=" + encoded(keys) + "&n=" + std::to_string(n)) == "ok\n";
  }

  bool wait_done(const std::string& keys = "*") const {  // until none is open; 20 s
    return control("done?path=" + encoded(keys)) == "ok\n";
  }

  void release() const { control("release"); }

 private:
  static store_request request_of(const std::string& line) {
    std::istringstream fields(line);
    store_request one;
    std::string id, status, body, open, effect, received;
    for (std::string* field : {&id, &one.port, &one.method, &one.path, &status, &body, &open,
             &one.key, &one.verdict, &effect, &received, &one.ways})
      std::getline(fields, *field, '\t');
    one.number = std::atoi(id.c_str());
    one.status = std::atoi(status.c_str());
    one.body = std::strtoull(body.c_str(), nullptr, 10);
    one.open = open == "1";
    one.had_effect = effect == "1";
    return one;
  }
};

// The one of this process, started when first asked for.
inline store_server& store() {
  static store_server one;
  return one;
}

}  // namespace support

#endif  // VQCACHE_TESTS_STORE_SERVER_HPP
