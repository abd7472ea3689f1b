// Stands in for the <xcpp/xdisplay.hpp> of xeus-cling and xeus-cpp. Its functions have the same
// signatures and choose the representation in the same way; what a kernel would send is recorded.
#ifndef XCPP_DISPLAY_HPP
#define XCPP_DISPLAY_HPP

#include <nlohmann/json.hpp>
#include <xeus/xguid.hpp>

#include <sstream>
#include <string>
#include <vector>

namespace xcpp {

struct message {
  nlohmann::json data;
  std::string id;  // "": a display that nothing can update
  bool update;
};

inline std::vector<message>& messages() {
  static std::vector<message> all;
  return all;
}

// of a type that has none of its own
template <class T>
nlohmann::json mime_bundle_repr(const T& value) {
  std::ostringstream text;
  text << value;
  nlohmann::json bundle;
  bundle["text/plain"] = text.str();
  return bundle;
}

template <class T>
void display(const T& t) {
  using ::xcpp::mime_bundle_repr;
  messages().push_back({mime_bundle_repr(t), "", false});
}

template <class T>
void display(const T& t, xeus::xguid id, bool update = false) {
  using ::xcpp::mime_bundle_repr;
  messages().push_back({mime_bundle_repr(t), id, update});
}

}  // namespace xcpp

#endif
