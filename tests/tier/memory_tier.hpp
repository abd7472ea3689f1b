// A tier that is no directory: it has no paths, no rename and no descriptors, as an object store
// has none. It lives in the tests alone, and shows that >>plan and >>call need nothing else than
// what the interface promises.
#pragma once
#include "vqcache.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace in_memory {

namespace detail = vqcache::detail;
namespace partial = vqcache::detail::partial;
namespace formats = vqcache::detail::formats;
namespace sniff = vqcache::detail::sniff;
namespace seam = vqcache::detail::tier;
using detail::status;
using vqcache::errc;
using vqcache::detail::error::caller;

// What outlasts the calls.
struct storage {
  std::map<std::string, std::string> files{}, asides{};
  std::string receipt{};  // as it is written elsewhere, too; empty: there is none
  int set_aside_so_far = 0;
  int under_way = 0;  // sinks that are neither published nor gone
  bool keeps_damaged = true;
  bool is_down = false;  // no question is answered
  bool is_writable = true;
  std::uint64_t capacity = std::uint64_t{1} << 40;
};

inline status down() {
  return detail::fail(errc::io, {"the store does not answer"});
}

class source final : public seam::byte_source {
 public:
  explicit source(const std::string& bytes) : bytes_(bytes) {}

  seam::block read_at(std::uint64_t offset, std::size_t most) override {
    if (offset >= bytes_.size()) return {};
    return {{}, std::string_view(bytes_).substr(std::size_t(offset), most)};
  }

 private:
  std::string bytes_;
};

class sink final : public seam::byte_sink {
 public:
  sink(storage& in, std::string name) : in_(in), name_(std::move(name)) { ++in_.under_way; }

  ~sink() override { end(); }

  status write(std::string_view bytes) override {
    if (in_.is_down) return down();
    bytes_ += bytes;
    return {};
  }

  // The rules for bytes that no digest vouches for are those of every tier: they were judged when
  // the local file was, or are when the copy is restored.
  status seal(const partial::demand& want, caller*) override {
    sha256_ = detail::hash::of(bytes_);
    if (want.sha256.empty() || want.sha256 == sha256_) return {};
    return detail::fail(errc::hash_mismatch,
        {"its SHA-256 is ", sha256_, ", but ", want.bound_by, " says ", want.sha256});
  }

  status publish() override {
    if (in_.is_down) return down();
    in_.files[name_] = bytes_;
    end();
    return {};
  }

  bool is_open() const override { return is_open_; }

  const std::string& sha256() const override { return sha256_; }

  std::uint64_t size() const override { return bytes_.size(); }

 private:
  void end() {
    if (is_open_) --in_.under_way;
    is_open_ = false;
  }

  storage& in_;
  std::string name_, bytes_{}, sha256_{};
  bool is_open_ = true;
};

class memory_tier final : public seam::tier {
 public:
  memory_tier(storage& in, vqcache::detail::list<std::string> names)
      : in_(in),
        names_(std::move(names)) {}

  std::string description() const override { return "the memory"; }

  std::string description_of(const std::string& name) const override {
    return "'mem:" + name + "'";
  }

  seam::abilities can() const override {
    return {in_.is_writable, false, in_.keeps_damaged, false, false};
  }

  seam::inventory inspect() override {
    using seam::stored_file;
    seam::inventory all;
    const formats::receipt said = formats::read_receipt(in_.is_down ? "" : in_.receipt);
    if (in_.is_down) all.receipt_problem = down();
    all.has_receipt = !said.empty();
    for (const std::string& name : names_) {
      stored_file file;
      file.name = name;
      const auto found = in_.files.find(name);
      if (in_.is_down) file.is = stored_file::presence::unknown;
      if (!in_.is_down && found != in_.files.end()) {
        file.is = stored_file::presence::regular;
        file.size = found->second.size();
      }
      if (const formats::entry* entry = formats::find(said, name)) file.said = *entry;
      all.files.push_back(std::move(file));
    }
    return all;
  }

  status judge(const seam::stored_file& file, sniff::kind kind) override {
    if (!file.is_regular() || file.has_receipt()) return {};
    const std::string& bytes = in_.files[file.name];
    const std::string what = sniff::not_the_file({kind, bytes, bytes.size(), {}});
    if (what.empty()) return {};
    return detail::fail(errc::not_the_file, {"it is ", what});
  }

  seam::opened read(const std::string& name) override {
    const auto found = in_.files.find(name);
    if (in_.is_down) return {down(), nullptr};
    if (found == in_.files.end())
      return {detail::fail(errc::io, {description_of(name), " is not there"}), nullptr};
    return {{}, detail::box<source>(new source(found->second))};
  }

  seam::begun write(const seam::arriving& file) override {
    if (in_.is_down) return {down(), nullptr};
    if (file.size && !room_for(*file.size).ok()) return {room_for(*file.size), nullptr};
    return {{}, detail::box<sink>(new sink(in_, file.name))};
  }

  status commit(const seam::sinks& files, const formats::receipt& now) override {
    for (const formats::entry& old : formats::read_receipt(in_.receipt)) {
      const formats::entry* same = formats::find(now, old.file);
      if (!same || same->sha256 != old.sha256) in_.receipt.clear();
    }
    for (seam::byte_sink* file : files)
      if (const status published = file->is_open() ? file->publish() : status(); !published.ok())
        return published;
    return renew_receipt(now);
  }

  status renew_receipt(const formats::receipt& now) override {
    if (in_.is_down) return down();
    in_.receipt = formats::write_receipt(now, "2026-01-01T00:00:00Z");
    return {};
  }

  seam::put_aside set_aside(const seam::stored_file& file, const std::string& why,
      const vqcache::detail::list<std::string>& known, caller& who) override {
    if (in_.is_down) return {down(), {}};
    const auto found = in_.files.find(file.name);
    const std::string name = file.name + ".corrupt-" + std::to_string(++in_.set_aside_so_far);
    for (auto it = in_.asides.begin(); it != in_.asides.end();)
      if (std::find(known.begin(), known.end(), detail::hash::of(it->second)) == known.end())
        it = in_.asides.erase(it);
      else
        ++it;
    who.say({"The file ", description_of(file.name), " is damaged (", why, ")."});
    if (in_.keeps_damaged) in_.asides[name] = found->second;
    in_.files.erase(found);
    return {{}, in_.keeps_damaged ? name : std::string()};
  }

  std::string find_aside(const seam::stored_file& file, const std::string& sha256,
      const std::string& except, caller&) override {
    for (const auto& [name, bytes] : in_.asides)
      if (name != except && name.find(file.name + ".corrupt-") == 0
          && detail::hash::of(bytes) == sha256)
        return name;
    return {};
  }

  bool give_back(const seam::stored_file& file, const std::string& aside, caller& who) override {
    const auto found = in_.asides.find(aside);
    if (in_.is_down || found == in_.asides.end() || in_.files.count(file.name) != 0) return false;
    in_.files[file.name] = found->second;
    in_.asides.erase(found);
    who.say({"The file ", aside, " is right after all."});
    return true;
  }

  status remove() override {
    if (in_.is_down) return down();
    in_.receipt.clear();
    for (const std::string& name : names_)
      in_.files.erase(name);
    in_.asides.clear();
    return {};
  }

  bool has_leftovers() override { return !in_.asides.empty() || in_.under_way > 0; }

  std::uint64_t bytes_under_way() override { return 0; }

  void sweep(caller&, leftovers) override {}

  status may_stand() const override { return {}; }

  status may_write() const override {
    if (in_.is_down) return down();
    if (in_.is_writable) return {};
    return detail::fail(errc::permission_denied, {"the memory cannot be written"});
  }

  status make_ready() override { return in_.is_down ? down() : status(); }

  status room_for(std::uint64_t bytes) const override {
    if (bytes <= in_.capacity) return {};
    return detail::fail(errc::no_space, {"the memory has room for ", in_.capacity, " bytes"});
  }

 private:
  storage& in_;
  vqcache::detail::list<std::string> names_;
};

}  // namespace in_memory
