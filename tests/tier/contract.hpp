// What every tier promises (>>tier in the header), to be asked of any kind: contract.cpp has the
// promises, and asks a directory and a memory; contract_stores.cpp asks stores.
#ifndef VQCACHE_TESTS_TIER_CONTRACT_HPP
#define VQCACHE_TESTS_TIER_CONTRACT_HPP

#include "vqcache.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace contract {

namespace seam = vqcache::detail::tier;

// The files of the set m, for which every tier of a shop is opened.
extern const vqcache::detail::list<std::string> names;

// What a directory lets be seen and a store cannot. What is true here is asked of the kind.
struct abilities {
  bool shows_unfinished = true;  // a file that is being written is among the leftovers
  bool last_commit_wins = true;  // a store keeps the receipt that came first
  bool tells_room = true;        // a store says that it is full when it is
  bool keeps_conditions = true;  // of two that create one thing, the first has made it
};

// A place where tiers can be opened again and again, as calls do.
class shop {
 public:
  virtual ~shop() = default;
  virtual vqcache::detail::box<seam::tier> open() = 0;

  // Not by a tier. m.sha256 is the receipt.
  virtual void damage(const std::string& name, const std::string& bytes) = 0;

  virtual abilities can() const { return {}; }

  // What is stored beside the set's files and its receipt, once all is done; empty: nothing.
  virtual std::string litter() { return {}; }
};

struct kind_of_tier {
  std::string title;
  std::function<std::unique_ptr<shop>()> make;  // an empty place
};

// Each promise is a subcase of its own, in an empty place.
void ask_promises(const kind_of_tier& kind);

// A file goes from the one to the other, held to what it has to be.
void copy_between(const kind_of_tier& from, const kind_of_tier& to);

// The same of a file that a store gets in parts, 110 MB: there, dropped, and back.
void copy_large(const kind_of_tier& to);

// The kinds that need no server.
const std::vector<kind_of_tier>& kinds_at_hand();

}  // namespace contract

#endif  // VQCACHE_TESTS_TIER_CONTRACT_HPP
