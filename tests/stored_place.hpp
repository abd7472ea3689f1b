// A place of world.hpp whose lasting tier is in the store of this process (store_server.hpp), by a
// bucket or by WebDAV. Each object has a prefix of its own, and keys by the environment. Files are named
// as below `folder` of the place.
#ifndef VQCACHE_TESTS_STORED_PLACE_HPP
#define VQCACHE_TESTS_STORED_PLACE_HPP

#include "world.hpp"
// after it
#include "store_server.hpp"

namespace world {

struct stored_place : place {
  enum class kind { bucket, web };

  stored_place(kind of, const std::string& team, const std::string& in = "") : is(of), folder(in) {
    static int count = 0;
    support::store().clear();
    support::store().control("release");
    support::store().forget_requests();
    prefix = team + std::to_string(++count) + "/vq";
  }

  kind is;
  std::string prefix, folder;
  environment id{"AWS_ACCESS_KEY_ID", support::store().fact("key").c_str()};
  environment secret{"AWS_SECRET_ACCESS_KEY", support::store().fact("secret").c_str()};
  environment home{"HOME", root.at.c_str()};

  std::string where() const {
    const support::store_server& it = support::store();
    if (is == kind::bucket)
      return "s3://" + it.fact("bucket") + "/" + prefix
          + "?endpoint=http://127.0.0.1:" + it.fact("plain");
    return "http://" + it.fact("user") + ":" + it.fact("password") + "@127.0.0.1:" + it.fact("dav")
        + "/" + prefix;
  }

  vqcache::options with_store() {
    vqcache::options o = options();
    o.cache_dir = where();
    return o;
  }

  std::string on() const { return is == kind::web ? "&on=dav" : ""; }

  std::string front() const {
    return is == kind::bucket ? "/" + support::store().fact("bucket") + "/" : std::string("/");
  }

  std::string key(const std::string& file) const { return front() + prefix + folder + "/" + file; }

  // "put" and the file, and more words behind it
  std::string ask(const std::string& what, const std::string& file, const std::string& more = "",
      int* status = nullptr) const {
    const std::string it = support::store_server::encoded(key(file));
    return support::store().control(what + "?key=" + it + on() + more, status);
  }

  bool has_it(const std::string& file) const {
    int status = 0;
    ask("get", file, "", &status);
    return status == 200;
  }

  std::string bytes(const std::string& file) const {
    int status = 0;
    const std::string said = ask("get", file, "", &status);
    return status == 200 ? said : "absent";
  }

  void put(const std::string& file, const std::string& text) const {
    ask("put", file, "&text=" + support::store_server::encoded(text));
  }

  void take(const std::string& file) const { ask("delete", file); }

  lines held_there() const {  // keys below the place
    lines all;
    for (const auto& one : support::store().objects(key("*"), is == kind::web ? "dav" : ""))
      all.push_back(one.key.substr(one.key.find(prefix + "/") + prefix.size() + 1));
    return all;
  }
};

template <class Place, class Act>
void on_both_of(const Act& act, void (Act::*)(Place&) const) {
  for (const auto kind : {stored_place::kind::bucket, stored_place::kind::web}) {
    INFO(std::string(kind == stored_place::kind::bucket ? "a bucket" : "WebDAV"));
    Place w(kind);
    act(w);
  }
}

// act: a lambda that takes the place, of whatever kind of place it asks for
template <class Act>
void on_both(const Act& act) {
  on_both_of(act, &Act::operator());
}

}  // namespace world

#endif  // VQCACHE_TESTS_STORED_PLACE_HPP
