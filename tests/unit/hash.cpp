// SHA-256: the system's library and the portable code are the same function, the standard's.
#include <doctest/doctest.h>

#include "children.hpp"
#include "world.hpp"

using namespace world;
using engine = vqcache::detail::hash::sha256;

namespace {

template <class T>
auto start(T& h, int) -> decltype(h.start()) {
  return h.start();
}

template <class T>
void start(T&, long) {
}  // one that starts when it is made

std::string digest(const std::string& data, bool system, std::size_t piece = 0) {
  engine h(system ? engine::by::system : engine::by::our_code);
  start(h, 0);
  if (piece == 0) piece = (std::max)(data.size(), std::size_t{1});
  for (std::size_t at = 0; at < data.size(); at += piece)
    h.update(data.data() + at, (std::min)(piece, data.size() - at));
  return h.hex();
}

std::string pattern(std::size_t n) {
  std::string s;
  for (std::size_t i = 0; i < n; ++i)
    s += static_cast<char>((i * 7 + i / 251) & 255);
  return s;
}

bool have_system() {
  return vqcache::detail::hash::system_engine().begin != nullptr;
}

int digest_twice() {
  engine sha;
  sha.start();
  sha.update("a", 1);
  const std::string first = sha.hex();
  sha.start();
  sha.update("a", 1);
  std::printf("%s, then %s\n", first.empty() ? "empty" : "a digest",
      std::to_string(sha.hex().size()).append(" digits").c_str());
  std::fflush(nullptr);
  return 0;
}

const children::role asked_for_a_digest("a digest that fails", &digest_twice);

}  // namespace

TEST_SUITE("hash") {
  TEST_CASE("the vectors of the standard (FIPS 180-4 examples and the NIST test suite)") {
    std::vector<std::pair<std::string, std::string>> vectors = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
         "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
            "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
        {std::string(1000000, 'a'),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
        {"\xbd", "68325720aabd7c82f30f554b313d0570c95accbb7dc4b5aae11204c08ffe732b"},
        {"\xc9\x8c\x8e\x55", "7abc22c0ae5af26ce93dbb94433a0e0b2e119d014f8e7f65bd56c61ccccd9504"}};
    for (const auto& v : vectors)
      for (const bool system : {false, true}) {
        CAPTURE(v.first.substr(0, 20));
        CAPTURE(system);
        CHECK(digest(v.first, system) == v.second);
      }
    if (!have_system())
      skipped("no SHA-256 library of the system was found; the portable code ran twice");
  }

  TEST_CASE("every length from 0 to 257, in every chunking, is what another program computes") {
    std::istringstream theirs(
        run("python3 -c 'import hashlib\n"
            "d = bytes((i * 7 + i // 251) & 255 for i in range(258))\n"
            "for n in range(258): print(hashlib.sha256(d[:n]).hexdigest())'"));
    const std::string data = pattern(258);
    std::string right;
    for (std::size_t n = 0; n <= 257; ++n) {
      REQUIRE(std::getline(theirs, right));
      const std::string part = data.substr(0, n);
      std::size_t wrong = 0;
      for (const bool system : {false, true}) {
        wrong += digest(part, system) != right;
        for (const std::size_t piece : {1U, 2U, 3U, 7U, 63U, 64U, 65U, 127U, 128U, 129U})
          wrong += digest(part, system, piece) != right;
        for (std::size_t cut = 0; cut <= n; cut += system ? 13 : 5) {  // in two pieces
          engine h(system ? engine::by::system : engine::by::our_code);
          start(h, 0);
          h.update(part.data(), cut), h.update(part.data() + cut, n - cut);
          wrong += h.hex() != right;
        }
      }
      CAPTURE(n);
      CHECK(wrong == 0);
    }
  }

  TEST_CASE("the system's library and the portable code agree on long input in odd pieces") {
    if (!have_system()) return skipped("no SHA-256 library of the system was found");
    const std::string data = pattern(3000017);
    const std::string right = digest(data, true);
    CHECK(right == world::sha256(data));
    for (const std::size_t piece :
        {std::size_t{0}, std::size_t{1000003}, std::size_t{65537}, std::size_t{4095}})
      CHECK(digest(data, false, piece) == right);
  }

  TEST_CASE("the system's library is used where it is installed") {
    int code = -1;
    run("ldconfig -p 2>/dev/null | grep -q 'libcrypto.so.3\\|libcrypto.so.1.1'", &code);
    if (code != 0) return skipped("ldconfig knows of no libcrypto");
    CHECK(have_system());
  }

  TEST_CASE("the length is counted in 64 bits: input of over 2^32 bits") {
    const std::string block(1 << 22, '\0');
    const auto feed = [&](bool system, unsigned blocks) {
      engine h(system ? engine::by::system : engine::by::our_code);
      start(h, 0);
      for (unsigned i = 0; i < blocks; ++i)
        h.update(block.data(), block.size());
      h.update("x", 1);
      return h.hex();
    };
    // 512 MiB of zeros and an x, by sha256sum
    const std::string right = "edf6fdfe2c9fa2b01e299925008ee053ee2e54bf0666aa623f52de1757b23910";
    if (have_system()) CHECK(feed(true, 128) == right);
    const auto began = std::chrono::steady_clock::now();
    (void)feed(false, 1);
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count() * 128;
    if (seconds > 12)
      return skipped("this build hashes 512 MiB with the portable code in "
          + std::to_string(static_cast<int>(seconds)) + " s; an optimised one checks it");
    CHECK(feed(false, 128) == right);
  }

  TEST_CASE("a SHA-256 of the system that failed once is asked again") {
    support::temp_dir built;
    const std::string cc = std::getenv("CC") ? std::getenv("CC") : "cc";
    world::write(built / "failing.c",
        "int SHA256_Init(void* c) { (void)c; return 1; }\n"
        "int SHA256_Update(void* c, const void* d, unsigned long n)\n"
        "{ (void)c; (void)d; (void)n; return 1; }\n"
        "int SHA256_Final(unsigned char* out, void* c)\n"
        "{ static int calls; (void)c; out[0] = 7; return ++calls > 1; }\n");
    int code = -1;
    const std::string words =
        run(cc + " -shared -fPIC -o " + quoted((built / "libcrypto.so.3").string()) + " "
                + quoted((built / "failing.c").string()),
            &code);
    if (code != 0) return skipped("no C compiler for the failing library: " + words);
    const std::string said = run("VQCACHE_TEST_ROLE='a digest that fails' LD_LIBRARY_PATH="
        + quoted(built.path().string()) + " " + quoted(children::self()));
    CHECK(said == "empty, then 64 digits\n");
  }
}
