// A place of world.hpp whose lasting tier is in the store of this process (store_server.hpp), by a
// bucket or by WebDAV. Each object has a prefix of its own, and keys by the environment.
#ifndef VQCACHE_TESTS_STORED_PLACE_HPP
#define VQCACHE_TESTS_STORED_PLACE_HPP

#include "world.hpp"
// after it
#include "store_server.hpp"

namespace world {

struct stored_place : place {
  enum class kind { bucket, web };

  stored_place(kind of, const std::string& team) : is(of) {
    static int count = 0;
    support::store().clear();
    support::store().control("release");
    support::store().forget_requests();
    prefix = team + std::to_string(++count) + "/vq";
  }

  kind is;
  std::string prefix;
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

  std::string on() const { return is == kind::web ? "&on=dav" : ""; }
};

}  // namespace world

#endif  // VQCACHE_TESTS_STORED_PLACE_HPP
