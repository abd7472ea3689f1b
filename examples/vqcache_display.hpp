// vqcache_display.hpp: a progress bar and a table for the notebooks of xeus-cling and xeus-cpp.
// Copy it beside vqcache.hpp. The cells:
//
//   #include "vqcache_display.hpp"
//
//   vqcache::options opts;
//
//   opts.on_progress = vqcache::progress_bar();
//   xcpp::display(vqcache::download_vqgan_model("vqgan_imagenet_f16_1024", opts));
//
// A bar stays in the output of the cell where it first appeared: assign a new one in every cell
// that calls. A bar and its copies are for one thread, as all output of these kernels is.
#ifndef VQCACHE_DISPLAY_HPP
#define VQCACHE_DISPLAY_HPP
#include "vqcache.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <xcpp/xdisplay.hpp>
#include <xeus/xguid.hpp>

namespace vqcache {
namespace display_detail {
inline std::string escaped(const std::string& text) {
  std::string html;
  for (const char c : text)
    if (c == '&')
      html += "&amp;";
    else if (c == '<')
      html += "&lt;";
    else if (c == '>')
      html += "&gt;";
    else if (c == '"')
      html += "&quot;";
    else if (c == '\'')
      html += "&#39;";
    else
      html += c;
  return html;
}

// JSON is UTF-8 and a path may be any bytes: what is not UTF-8 becomes U+FFFD, not an exception.
inline nlohmann::json bundle(const std::string& plain, const std::string& html) {
  const nlohmann::json all = {{"text/plain", plain}, {"text/html", html}};
  return nlohmann::json::parse(all.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

inline std::string shown(const std::filesystem::path& p) {
  const auto utf8 = p.u8string();  // of char8_t since C++20
  return std::string(utf8.begin(), utf8.end());
}

inline std::uint64_t whole(double n) {
  return static_cast<std::uint64_t>(n < 1e18 ? n : 1e18);
}

inline std::string mb(double bytes) {  // not by printf, which may write a comma for the point
  const std::uint64_t tenths = whole(bytes / 1e5);
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " MB";
}

inline const char* doing(const progress& p) {
  constexpr const char* words[] = {"awaiting", "downloading", "restoring", "storing", "checking"};
  return words[static_cast<std::size_t>(p.phase)];
}

inline std::string amount(const progress& p) {  // "45% of 980.0 MB, 25.0 MB/s, 7 s left"
  const double done = static_cast<double>(p.done), total = static_cast<double>(p.total);
  std::string text = mb(done);
  if (p.total > 0)
    text = std::to_string(p.done < p.total ? whole(100 * done / total) : 100) + "% of " + mb(total);
  if (p.bytes_per_second > 0) text += ", " + mb(p.bytes_per_second) + "/s";
  if (p.seconds_left >= 0) text += ", " + std::to_string(whole(p.seconds_left)) + " s left";
  return text;
}
}  // namespace display_detail

inline nlohmann::json mime_bundle_repr(const model& m) {
  using display_detail::escaped, display_detail::shown;
  constexpr const char* places[] = {"the local directory", "the cache", "the network"};
  const std::string config = shown(m.config), checkpoint = shown(m.checkpoint);
  std::ostringstream plain;
  plain << m << "\nconfig: " << config << "\ncheckpoint: " << checkpoint;
  std::string html = "<table>";
  const auto row = [&html](const char* what, const std::string& value) {
    html += std::string("<tr><th>") + what + "</th><td>" + escaped(value) + "</td></tr>";
  };
  row("name", m.name);
  row("config", config);
  row("checkpoint", checkpoint);
  row("came from", places[static_cast<std::size_t>(m.from)]);
  row("copy in the cache", m.cached ? "yes" : "no");
  return display_detail::bundle(plain.str(), html + "</table>");
}

// An on_progress. Config and checkpoint come at the same time: one display has a row for each, so
// that one message per report, under one id, shows both.
class progress_bar {
 public:
  bool operator()(const progress& p) {
    std::vector<progress>& files = shared_->files;
    const bool update = !files.empty();
    std::size_t& row = shared_->last = 0;
    while (row < files.size() && files[row].file != p.file)
      ++row;
    if (row == files.size())
      files.push_back(p);
    else
      files[row] = p;
    xcpp::display(*this, shared_->id, update);
    return true;
  }

  friend nlohmann::json mime_bundle_repr(const progress_bar& bar) {
    using namespace display_detail;
    const state& now = *bar.shared_;
    std::string plain, html = "<table>";
    for (const progress& p : now.files) {
      const std::string what = doing(p), share = amount(p);
      if (&p == &now.files[now.last]) plain = what + " " + p.file + " " + share;
      html += "<tr><td>" + what + "</td><td>" + escaped(p.file) + "</td><td><progress";
      if (p.total > 0)  // without them it is a bar that only says: at work
        html += " value=\"" + std::to_string(p.done) + "\" max=\"" + std::to_string(p.total) + "\"";
      html += "></progress></td><td>" + share + "</td></tr>";
    }
    return bundle(plain, html + "</table>");
  }

 private:
  struct state {  // of a bar and its copies: options are copied, and a std::function copies
    xeus::xguid id = xeus::new_xguid();
    std::vector<progress> files{};
    std::size_t last = 0;
  };

  std::shared_ptr<state> shared_ = std::make_shared<state>();
};
}  // namespace vqcache
#endif
