// What the library signs, a strict store takes, which checks by code of its own; and nothing else.
#include <doctest/doctest.h>

#include "vqcache.hpp"
// after it
#include "store_server.hpp"

using namespace vqcache::detail;
using support::store;

namespace {

string stamp_now() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &utc);
  return text;
}

struct answer {
  int status = 0;
  string text;
};

// By a bare socket: what was signed goes out as it was signed, whatever a transport would make of it.
answer send_signed(const signature::unsigned_request& asked, const string& body,
    const signature::keys& by, const string& region = "us-east-1") {
  const signature::signed_request made = signature::sign(asked, by, region, stamp_now());
  string text = asked.method + " " + made.target + " HTTP/1.1\r\nConnection: close\r\n";
  text += "Host: " + asked.headers.begin()->value + "\r\n";
  text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  for (const string& line : made.headers) {
    text += line + "\r\n";
  }
  const string all = support::exchange(store().port("plain"), text + "\r\n" + body);
  return {std::atoi(all.c_str() + 9), all.substr(all.find("\r\n\r\n") + 4)};
}

string host() {
  return "127.0.0.1:" + store().fact("plain");
}

signature::keys own_keys() {
  return {store().fact("key"), store().fact("secret")};
}

answer put(const string& key, const string& body, const signature::keys& by,
    const list<signature::field>& more = {}) {
  signature::unsigned_request asked{
      "PUT", "/bucket/" + key, {}, {{"host", host()}}, hash::of(body)};
  for (const signature::field& one : more) {
    asked.headers.push_back(one);
  }
  return send_signed(asked, body, by);
}

answer get(const string& key, const signature::keys& by) {
  return send_signed({"GET", "/bucket/" + key, {}, {{"host", host()}}, hash::of("")}, "", by);
}

}  // namespace

TEST_SUITE("signed requests") {
  TEST_CASE("keys of every spelling are written and read where they are meant") {
    store().reset();
    const string keys[] = {"plain", "a b", "a+b", "a%b", "a%20b", "\xc3\xbcn", "~t", "q=1&r?x#y",
        "(a)!*'@$,;:[]", "d//e", "d/../e", "NAME/NAME.ckpt", ".NAME.lease.1"};
    for (const string& key : keys) {
      CAPTURE(key);
      CHECK(put(key, key, own_keys(), {{"x-amz-meta-a", " x   y "}}).status == 200);
      CHECK(get(key, own_keys()).text == key);
      CHECK(store().bytes_of("/bucket/" + key) == key);
    }
  }

  TEST_CASE("a query, a condition, a range and a type are signed") {
    store().reset();
    CHECK(put("k", "body", own_keys(), {{"if-none-match", "*"}, {"content-type", "a/b"}}).status
        == 200);
    CHECK(put("k", "other", own_keys(), {{"if-none-match", "*"}}).status == 412);

    const signature::unsigned_request part{
        "GET", "/bucket/k", {}, {{"host", host()}, {"range", "bytes=1-2"}}, hash::of("")};
    CHECK(send_signed(part, "", own_keys()).text == "od");

    const signature::unsigned_request some{"GET", "/bucket",
        {{"prefix", "a b/+"}, {"list-type", "2"}, {"delimiter", "/"}}, {{"host", host()}},
        hash::of("")};
    CHECK(send_signed(some, "", own_keys()).status == 200);

    const signature::unsigned_request begun{
        "POST", "/bucket/m", {{"uploads", ""}}, {{"host", host()}}, hash::of("")};
    CHECK(send_signed(begun, "", own_keys()).status == 200);

    for (const support::store_request& one : store().log())
      CHECK((one.verdict == "ok" || one.verdict == "PreconditionFailed"));
  }

  TEST_CASE("other keys, another token, region or body are refused for what they are") {
    store().reset();
    signature::keys wrong = own_keys();
    wrong.secret += "x";
    CHECK(put("k", "body", wrong).status == 403);

    store().control("key?id=S&secret=s&token=t");
    CHECK(put("k", "body", {"S", "s", "t"}).status == 200);
    CHECK(put("k", "body", {"S", "s", "u"}).status == 400);

    signature::unsigned_request asked{
        "PUT", "/bucket/k", {}, {{"host", host()}}, hash::of("another")};
    CHECK(send_signed(asked, "body", own_keys()).status == 400);
    asked.body_sha256 = hash::of("body");
    CHECK(send_signed(asked, "body", own_keys(), "eu-west-7").status == 400);

    std::vector<string> verdicts;
    for (const support::store_request& one : store().log())
      verdicts.push_back(one.verdict);
    CHECK(verdicts
        == std::vector<string>{"SignatureDoesNotMatch", "ok", "InvalidToken",
            "XAmzContentSHA256Mismatch", "AuthorizationHeaderMalformed"});
  }
}
