// Addresses of the Hugging Face hub: what they are made of, where that is on the web, and which
// folder of the hub's own cache they are in. Pure functions of vqcache::detail.
#include "vqcache.hpp"

#include <doctest/doctest.h>

#include <string>

namespace {

namespace hub = vqcache::detail::hub;

struct row {
  const char* text;
  const char* url;  // empty: it is no address
  const char* folder;
};

const row rows[] = {
    {"hf://org/net/model.onnx", "https://hub/org/net/resolve/main/model.onnx", "models--org--net"},
    {"HF://org/net/a/b/c.bin", "https://hub/org/net/resolve/main/a/b/c.bin", "models--org--net"},
    {"hf://org/net@v1.0/m.gguf", "https://hub/org/net/resolve/v1.0/m.gguf", "models--org--net"},
    {"hf://org/net@refs%2Fpr%2F1/m", "https://hub/org/net/resolve/refs%2Fpr%2F1/m",
        "models--org--net"},
    {"hf://datasets/org/set/x.csv", "https://hub/datasets/org/set/resolve/main/x.csv",
        "datasets--org--set"},
    {"hf://spaces/org/app@dev/x", "https://hub/spaces/org/app/resolve/dev/x", "spaces--org--app"},
    {"hf://org/net/a b.bin", "https://hub/org/net/resolve/main/a%20b.bin", "models--org--net"},
    {"hf://org/net/user@home", "https://hub/org/net/resolve/main/user@home", "models--org--net"},
    {"hf://", "", ""},
    {"hf://org", "", ""},
    {"hf://org/net", "", ""},
    {"hf://org/net/", "", ""},
    {"hf://org/net@/x", "", ""},
    {"hf:///net/x", "", ""},
    {"hf://org/@v1/x", "", ""},
    {"hf://org@v1/net/x", "", ""},
    {"hf://datasets/org/x", "", ""},
};

}  // namespace

TEST_CASE("an address of the hub, on the web and in its cache") {
  for (const row& one : rows) {
    CAPTURE(one.text);
    REQUIRE(hub::is_address(one.text));
    const auto parsed = hub::parse(one.text);
    CHECK(parsed.has_value() == (one.url[0] != '\0'));
    if (!parsed) continue;
    CHECK(hub::url_of(*parsed, "https://hub") == one.url);
    CHECK(hub::url_of(*parsed, "https://hub//") == one.url);
    CHECK(hub::folder_of(*parsed) == one.folder);
  }
  for (const char* text : {"", "hf:", "hf:/org/net/x", "https://hf.org/a/b/c", "xhf://a/b/c"}) {
    CHECK_FALSE(hub::is_address(text));
  }
}
