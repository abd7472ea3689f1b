// Requests to a store are signed as its documentation shows, byte for byte.
#include <doctest/doctest.h>

#include "vqcache.hpp"

using namespace vqcache::detail;

namespace {

const signature::keys example{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"};
const string host = "examplebucket.s3.amazonaws.com", stamp = "20130524T000000Z";
const char* const nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

string line_of(const signature::signed_request& made, const string& name) {
  for (const string& line : made.headers)
    if (strings::starts_with(line, name + ": ")) return line.substr(name.size() + 2);
  return {};
}

string signature_of(const signature::signed_request& made) {
  const string line = line_of(made, "authorization"), mark = "Signature=";
  return line.substr(line.find(mark) + mark.size());
}

}  // namespace

TEST_SUITE("signature") {
  // the examples of "Signature calculations for the Authorization header"
  TEST_CASE("the published examples have their published signatures") {
    const struct {
      const char* title;
      signature::unsigned_request asked;
      string want;
    } rows[] = {
        {"a range of an object",
            {"GET", "/test.txt", {}, {{"host", host}, {"range", "bytes=0-9"}}, nothing},
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
        {"an upload with a storage class",
            {"PUT", "/test$file.text", {},
                {{"date", "Fri, 24 May 2013 00:00:00 GMT"}, {"host", host},
                    {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
                hash::of("Welcome to Amazon S3.")},
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
        {"a word without a value", {"GET", "/", {{"lifecycle", ""}}, {{"host", host}}, nothing},
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
        {"a list", {"GET", "/", {{"prefix", "J"}, {"max-keys", "2"}}, {{"host", host}}, nothing},
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
    };

    for (const auto& one : rows) {
      CAPTURE(one.title);
      const signature::signed_request made =
          signature::sign(one.asked, example, "us-east-1", stamp);
      CHECK(made.problem.ok());
      CHECK(signature_of(made) == one.want);
      CHECK(line_of(made, "x-amz-date") == stamp);
      CHECK(line_of(made, "host").empty());
    }
  }

  TEST_CASE("the target is what was signed: encoded once, sorted, and not made shorter") {
    const struct {
      string path;
      list<signature::field> query;
      string want;
    } rows[] = {
        {"/b/a b", {}, "/b/a%20b"},
        {"/b/a+b", {}, "/b/a%2Bb"},
        {"/b/a%20b", {}, "/b/a%2520b"},
        {"/b/~t", {}, "/b/~t"},
        {"/b//e/../f", {}, "/b//e/../f"},
        {"/b/\xc3\xbc", {}, "/b/%C3%BC"},
        {"/b/q=1&r?x#y", {}, "/b/q%3D1%26r%3Fx%23y"},
        {"/b/(a)!*'@$,;:[]", {}, "/b/%28a%29%21%2A%27%40%24%2C%3B%3A%5B%5D"},
        {"/b", {{"uploads", ""}}, "/b?uploads="},
        {"/b", {{"b", "2"}, {"a", "3"}, {"a", "1 /"}}, "/b?a=1%20%2F&a=3&b=2"},
        {"/b", {{"a-", "1"}, {"a", "2"}}, "/b?a=2&a-=1"},
    };

    for (const auto& one : rows) {
      const signature::unsigned_request asked{"GET", one.path, one.query, {{"host", "h"}}, nothing};
      CHECK(signature::sign(asked, example, "r", stamp).target == one.want);
    }
  }

  TEST_CASE(
      "whatever is signed changes the signature: method, path, query, head, body, key, time") {
    const signature::unsigned_request plain{"GET", "/b/k", {{"a", "1"}}, {{"host", "h"}}, nothing};
    const string was = signature_of(signature::sign(plain, example, "r", stamp));
    signature::unsigned_request other = plain;
    other.method = "PUT";
    CHECK(signature_of(signature::sign(other, example, "r", stamp)) != was);
    other = plain;
    other.path = "/b/K";
    CHECK(signature_of(signature::sign(other, example, "r", stamp)) != was);
    other = plain;
    other.query = {{"a", "2"}};
    CHECK(signature_of(signature::sign(other, example, "r", stamp)) != was);
    other = plain;
    other.headers = {{"host", "h:1"}};
    CHECK(signature_of(signature::sign(other, example, "r", stamp)) != was);
    other = plain;
    other.body_sha256 = hash::of("x");
    CHECK(signature_of(signature::sign(other, example, "r", stamp)) != was);
    signature::keys key = example;
    key.secret += "x";
    CHECK(signature_of(signature::sign(plain, key, "r", stamp)) != was);
    key = example;
    key.token = "t";
    const signature::signed_request with_token = signature::sign(plain, key, "r", stamp);
    CHECK(signature_of(with_token) != was);
    CHECK(line_of(with_token, "x-amz-security-token") == "t");
    CHECK(strings::contains(line_of(with_token, "authorization"), ";x-amz-security-token,"));
    CHECK(signature_of(signature::sign(plain, example, "s", stamp)) != was);
    CHECK(signature_of(signature::sign(plain, example, "r", "20130524T000001Z")) != was);
  }

  TEST_CASE("blanks in a header's value are signed as one, and sent as they are") {
    const signature::unsigned_request wide{
        "PUT", "/b/k", {}, {{"host", "h"}, {"x-amz-meta-a", " x   y "}}, nothing};
    const signature::unsigned_request tidy{
        "PUT", "/b/k", {}, {{"host", "h"}, {"x-amz-meta-a", "x y"}}, nothing};
    const signature::signed_request made = signature::sign(wide, example, "r", stamp);
    CHECK(signature_of(made) == signature_of(signature::sign(tidy, example, "r", stamp)));
    CHECK(line_of(made, "x-amz-meta-a") == " x   y ");
  }

  TEST_CASE("the keyed digest is RFC 4231's") {
    const string text = "what do ya want for nothing?", key20(20, '\x0b'), long_key(131, '\xaa');
    CHECK(hash::hex_of(signature::hmac("Jefe", text))
        == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    CHECK(hash::hex_of(signature::hmac(key20, "Hi There"))
        == "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    CHECK(hash::hex_of(
              signature::hmac(long_key, "Test Using Larger Than Block-Size Key - Hash Key First"))
        == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  }
}
