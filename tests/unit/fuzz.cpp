// The inputs of fuzz/corpus.txt, and mutations of them, through the targets of fuzz/targets.hpp:
// the same functions that libFuzzer runs for longer (fuzz/run.sh), without it. They are all inside of
// the library (vqcache::detail::formats, http, sniff and others).
#include "fuzz/targets.hpp"

#include <doctest/doctest.h>

#include "support.hpp"

namespace {

class dice {  // the same on every run
 public:
  explicit dice(std::uint32_t seed) : x_(seed) {}

  std::size_t below(std::size_t n) {
    x_ = x_ * 1664525 + 1013904223;
    return n ? (x_ >> 8) % n : 0;
  }

 private:
  std::uint32_t x_;
};

std::string mutated(std::string s, const std::vector<std::string>& all, dice& d) {
  for (std::size_t changes = 1 + d.below(4); changes > 0; --changes) {
    const std::size_t at = d.below(s.size() + 1),
                      n = d.below((std::min)(s.size() - at, std::size_t{16}) + 1);
    const std::string& other = all[d.below(all.size())];
    const std::size_t from = d.below(other.size() + 1);
    switch (d.below(7)) {
      case 0: s.erase(at, n); break;
      case 1: s.insert(at, 1, static_cast<char>(d.below(256))); break;
      case 2: s.insert(at, 1, " \t\r\n:/?#@&=.-\"%*0"[d.below(17)]); break;
      case 3: s.insert(at, s.substr(at, n)); break;
      case 4: s.insert(at, other.substr(from, d.below(24))); break;
      case 5: s.replace(at, n, other.substr(from)); break;
      default:
        if (at < s.size()) s[at] = static_cast<char>(s[at] ^ (1 << d.below(8)));
    }
  }
  return s;
}

std::string problem(const fuzz::target& t, const std::string& input) {
  try {
    t.run(input);
  } catch (const fuzz::broken& b) {
    return "[" + std::string(t.name) + "]\n" + fuzz::to_line(input) + "\n" + fuzz::to_line(b.what);
  }
  return {};
}

}  // namespace

TEST_SUITE_BEGIN("fuzz");

TEST_CASE("what was found once is right now, and so are mutations of it") {
  for (const fuzz::target& t : fuzz::targets()) {
    const auto inputs = fuzz::corpus(support::tests_dir() / "fuzz" / "corpus.txt", t.name);
    CHECK_MESSAGE(inputs.size() > 3, t.name, " has hardly any input in corpus.txt");
    for (const std::string& s : inputs)
      CHECK_MESSAGE(problem(t, s).empty(), problem(t, s));
    dice d(4711);
    std::vector<std::string> pool = inputs;
    int broken = 0;
    for (int i = 0; i < 1000 && broken < 3; ++i) {
      const std::string s = mutated(pool[d.below(pool.size())], pool, d), why = problem(t, s);
      CHECK_MESSAGE(why.empty(), why);
      broken += !why.empty();
      if (i % 8 == 0 && s.size() < 300) pool.push_back(s);  // and mutations of mutations
    }
  }
}

TEST_CASE("an input is written as a line and read back") {
  std::string all;
  for (int i = 0; i < 256; ++i)
    all += static_cast<char>(i);
  CHECK(fuzz::from_line(fuzz::to_line(all)) == all);
  CHECK(fuzz::to_line("a\\n\n") == "a\\\\n\\n");
}

TEST_SUITE_END();
