// targets.hpp: every parser of foreign bytes, and what must hold of it whatever the bytes are.
//
// A target is a function of bytes that throws `broken` where a property does not hold. libFuzzer
// feeds them (fuzz.cpp, run.sh), and so does the ordinary test run (../unit/fuzz.cpp), with the inputs
// of corpus.txt and mutations of them. What the properties ask is told by code of their own here,
// not by the parser under test. A new parser needs a function, a row of the table and a few inputs.
#ifndef VQCACHE_TESTS_FUZZ_TARGETS_HPP
#define VQCACHE_TESTS_FUZZ_TARGETS_HPP

#include "vqcache.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fuzz {

namespace credentials = vqcache::detail::credentials;
namespace formats = vqcache::detail::formats;
namespace http = vqcache::detail::http;
namespace sniff = vqcache::detail::sniff;
namespace strings = vqcache::detail::strings;
namespace urls = vqcache::detail::urls;
using std::string;
using std::string_view;

struct broken {
  string what;
};

inline void need(bool holds, const char* what, string_view also = {}) {
  if (!holds) throw broken{string(what) + (also.empty() ? "" : ": " + string(also))};
}

// ---- what the properties are told with

inline bool has(string_view s, string_view part) {
  return s.find(part) != string::npos;
}

inline bool control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

inline bool no_control(string_view s) {
  return std::none_of(s.begin(), s.end(), control);
}

inline bool all_of(string_view s, string_view letters) {
  return s.find_first_not_of(letters) == string::npos;
}

inline const string_view digits = "0123456789";

inline std::vector<string> split(string_view s, char at) {  // "" is one empty piece
  std::vector<string> r(1);
  for (char c : s)
    if (c == at)
      r.emplace_back();
    else
      r.back() += c;
  return r;
}

// the number that these digits are, up to 2^64 - 1
inline bool number(string_view s, std::uint64_t& n) {
  n = 0;
  for (char c : s) {
    if (c < '0' || c > '9') return false;
    const auto d = static_cast<std::uint64_t>(c - '0');
    if (n > (UINT64_MAX - d) / 10) return false;
    n = n * 10 + d;
  }
  return !s.empty();
}

inline string lower(string_view s) {
  string r(s);
  for (char& c : r)
    c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return r;
}

inline string decoded(string_view s) {  // of percent-encoding
  const auto digit = [](char c) {
    return static_cast<int>(string_view("0123456789abcdef").find(c));
  };
  string r;
  for (std::size_t i = 0; i < s.size(); ++i) {
    const string two = lower(s.substr(i, 3));
    if (s[i] == '%' && two.size() == 3 && all_of(two.substr(1), "0123456789abcdef"))
      r += static_cast<char>(digit(two[1]) * 16 + digit(two[2])), i += 2;
    else
      r += s[i];
  }
  return r;
}

inline http::headers headers_of(string_view bytes) {  // as a transport hands them over
  http::headers all;
  for (const string& line : split(bytes, '\n')) {
    const auto parsed = http::parse_header(line);
    if (parsed) all.push_back(*parsed);
  }
  return all;
}

// ---- header lines

inline void header_line(string_view line) {
  const string_view tokens = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz";
  const auto parsed = http::parse_header(line);
  if (!parsed) return;
  const http::header& h = *parsed;
  need(!h.name.empty() && all_of(h.name, tokens), "a name is a token in lower case", h.name);
  need(h.name == lower(line.substr(0, line.find(':'))), "the name is what stands before the colon");
  need(has(line.substr(line.find(':') + 1), h.value), "the value stands in the line");
  for (char c : h.value)
    need(!control(c) || c == '\t', "a value has no control characters", h.value);
  need(h.value.empty()
          || (!all_of(h.value.substr(0, 1), " \t")
              && !all_of(h.value.substr(h.value.size() - 1), " \t\r\n")),
      "a value is trimmed", h.value);
  const auto again = http::parse_header(h.name + ": " + h.value + "\r\n");
  need(again && again->name == h.name && again->value == h.value,
      "a line made of what was read is read the same");
}

inline void length(string_view bytes) {
  const http::headers headers = headers_of(bytes);
  bool told = false, good = true, chunked = false;
  std::uint64_t expected = 0;
  for (const http::header& h : headers) {
    std::uint64_t one = 0;
    if (h.name == "content-length") {
      for (string piece : split(h.value, ',')) {
        piece.erase(0, piece.find_first_not_of(" \t"));
        piece.erase(piece.find_last_not_of(" \t") + 1);
        good = good && number(piece, one) && (!told || one == expected);
        told = true, expected = one;
      }
    }
    chunked = chunked || (h.name == "transfer-encoding" && has(lower(h.value), "chunked"));
  }
  const http::body_length found = http::content_length(headers);
  const bool accepted = found.how != http::telling::malformed;
  const bool known = found.how == http::telling::readable;
  need(accepted == good, "a length is refused exactly if it is no number, or two differ");
  if (accepted) need(known == (told && !chunked), "chunked overrides a length");
  if (known) need(found.bytes == expected, "the length is the number");
  const http::response_head head = http::read_head(200, headers);
  need(head.length_header == found.how && head.content_length.has_value() == known,
      "a head tells the same length");
  need(no_control(head.etag + head.last_modified + head.content_type + head.validator),
      "what people read of a head has no control characters");
}

inline void range(string_view s) {
  const auto r = http::parse_content_range(s);
  if (!r) return;
  // what was read is written again, and must be read the same and stand in the text
  const string total = r->total ? std::to_string(*r->total) : "*";
  const string span =
      r->unsatisfied ? "*" : std::to_string(r->first) + "-" + std::to_string(r->last);
  const auto again = http::parse_content_range("bytes " + span + "/" + total);
  need(again && again->first == r->first && again->last == r->last && again->total == r->total
          && again->unsatisfied == r->unsatisfied,
      "a range made of what was read is read the same");
  need(lower(s).find("bytes ") != string::npos, "the unit is bytes");
  need(r->unsatisfied ? r->total.has_value() : r->first <= r->last, "it tells a part or a total");
  need(r->unsatisfied || !r->total || r->last < *r->total, "a part lies in the file");
  need(!r->whole() || r->size() == *r->total, "what is whole has every byte");
}

// ---- dates

inline string http_text(std::uint64_t when) {  // by counting days, as nobody would in earnest
  const auto leap = [](std::uint64_t y) {
    return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
  };
  const std::uint64_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  static const char* const names[] = {
      "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::uint64_t day = when / 86400 % 146097, year = 1970 + when / 86400 / 146097 * 400, month = 0;
  for (; day >= (leap(year) ? 366U : 365U); ++year)
    day -= leap(year) ? 366 : 365;
  const auto days = [&] {
    return lengths[month] + (month == 1 && leap(year) ? 1 : 0);
  };
  for (; day >= days(); ++month)
    day -= days();
  const auto two = [](std::uint64_t n) {
    return (n < 10 ? "0" : "") + std::to_string(n);
  };
  return two(day + 1) + " " + names[month] + " " + std::to_string(year) + " "
      + two(when / 3600 % 24) + ":" + two(when / 60 % 60) + ":" + two(when % 60) + " GMT";
}

inline void date(string_view s) {
  std::uint64_t again = 0;
  std::uint64_t seed = 0;  // some moment up to the year 9999, made of the bytes
  for (char c : s)
    seed = seed * 1099511628211U + static_cast<unsigned char>(c);
  seed %= 253402300800U;
  const auto read = strings::parse_number(s);
  need(read.has_value() == number(s, again), "a number of seconds is digits that fit");
  if (read) need(*read == again, "and is their value");

  // the same moment in the three forms
  const std::vector<string> part = split(http_text(seed), ' ');
  const string &day = part[0], &month = part[1], &year = part[2], &clock = part[3];
  const string padded = day.size() == 2 && day[0] == '0' ? " " + day.substr(1) : day;
  need(http::http_date("Sun, " + http_text(seed)) == seed, "a date is read as it is");
  need(http::http_date("Sun " + month + " " + padded + " " + clock + " " + year) == seed,
      "so is one of asctime");
  const string old = "Sunday, " + day + "-" + month + "-" + year.substr(2) + " " + clock + " GMT";
  need(http::http_date(old, seed) == seed, "so is one of this year with two digits");

  const auto when = http::http_date(s);
  if (!when) return;
  need(*when < 253402300800U + 86400 * 3, "no date lies behind the year 9999",
      std::to_string(*when));
  // what was read is written and read again; days that a month has not flow over
  need(http::http_date("Mon, " + http_text(*when)) == when || *when >= 253402300800U,
      "a moment that was read can be written", s);
  need(std::any_of(s.begin(), s.end(), [](char c) { return c == ':'; }), "a date has a time", s);
}

inline void same_file(string_view bytes) {  // validator()
  const http::headers headers = headers_of(bytes);
  const auto first = [&](string_view name) {
    for (const http::header& h : headers)
      if (h.name == name && !h.value.empty()) return h.value;  // an empty one says nothing
    return string();
  };
  const string mark = http::validator(headers), tag = first("etag"), at = first("last-modified");
  need(!has(mark, "\n") && !has(mark, "\r"), "a validator is one line");
  need(mark.compare(0, 2, "W/") != 0, "a weak tag tells nothing");
  if (!tag.empty() && tag.compare(0, 2, "W/") != 0) {
    need(mark.size() == tag.size() && no_control(mark), "a strong tag is the validator");
  } else if (!mark.empty()) {
    const auto then = http::http_date(at), now = http::http_date(first("date"));
    need(mark == at, "else the date is");
    need(then && now && *now >= *then && *now - *then >= 60,
        "if it is a minute older than the answer");
  }
}

// ---- digests that a server declares

// Where a SHA-256 stands in these bytes: as hex, or as base64 (its last digit tells two bits more).
inline bool stands_in(const string& hex, string_view bytes) {
  const char* const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const string sixteen = "0123456789abcdef";
  string bits;
  for (const char digit : hex)
    for (std::size_t bit = 8; bit > 0; bit /= 2)
      bits += (sixteen.find(digit) & bit) != 0 ? '1' : '0';
  string base;
  for (std::size_t at = 0; at + 6 <= bits.size(); at += 6)
    base += letters[std::stoul(bits.substr(at, 6), nullptr, 2)];
  return has(lower(bytes), "\"" + hex + "\"") || has(bytes, base);
}

inline void declared(string_view bytes) {  // the first byte chooses the status
  const std::vector<int> codes{200, 206, 302, 404};
  const int code = bytes.empty() ? 200 : codes[static_cast<unsigned char>(bytes[0]) & 3];
  const string_view rest = bytes.substr((std::min)(bytes.size(), std::size_t{1}));
  http::headers headers = headers_of(rest);
  const http::declaration found = http::declared_by(code, headers);
  need(found.sha256.empty() == (found.how != http::telling::readable), "one digest, or none");
  need(found.by.empty() == (found.how == http::telling::nothing), "somebody has declared it");
  need(no_control(found.by), "who did can be shown");
  need(code != 404 || found.how == http::telling::nothing, "no error declares a digest");
  need(code != 302 || (!has(found.by, "digest") && !has(found.by, "amz")),
      "a redirect does by a link alone");
  if (found.how == http::telling::readable) {
    need(found.sha256.size() == 64 && all_of(found.sha256, "0123456789abcdef"), "64 digits");
    need(stands_in(found.sha256, rest), "it stands there", found.sha256);
  }

  // one more that differs is believed as little as what it contradicts
  const string other = found.sha256 == string(64, 'a') ? string(64, 'b') : string(64, 'a');
  headers.push_back({"x-linked-etag", "\"" + other + "\""});
  const http::declaration more = http::declared_by(code, headers);
  const bool was_alone = found.how == http::telling::nothing && code != 404;
  need((more.how == http::telling::readable) == was_alone, "two that differ are none");
  need(http::together(found, found).sha256 == found.sha256, "the same once more changes nothing");
}

// ---- URLs

inline void same(const urls::url& a, const urls::url& b, const char* what) {
  need(a.scheme == b.scheme && a.user == b.user && a.host == b.host && a.port == b.port
          && a.path == b.path,
      what, a.whole());
}

inline void sound(const urls::url& u) {  // what the transports rely on
  const string whole = u.whole();
  need(no_control(whole) && !has(whole, " ") && !has(whole, "\"") && !has(whole, "\\"),
      "nothing in a URL ends a line or a quotation");
  need(!u.path.empty() && u.path[0] == '/' && !has(u.path, "#"),
      "a path begins with /, no fragment");
  need(!u.host.empty() || u.scheme == "file", "there is a host");
  need(!has(u.host, "/") && !has(u.host, "@") && !has(u.host, "?"), "a host is no more than that");
  need(u.port.empty() || (all_of(u.port, digits) && std::strtoull(u.port.c_str(), nullptr, 10) > 0),
      "a port is a number", u.port);
  need(all_of(u.scheme, "abcdefghijklmnopqrstuvwxyz0123456789+.-") && !u.scheme.empty(),
      "a scheme is letters", u.scheme);
  const auto again = urls::parse_url(whole);
  need(again.has_value(), "a URL that was put together is one", whole);
  same(*again, u, "and has the same parts");
}

inline bool is_switch(string_view value) {
  const string word = strings::lower(value);
  return word == "true" || word == "false" || word == "yes" || word == "no" || word == "0"
      || word == "1";
}

inline void url(string_view s) {
  const auto parsed = urls::parse_url(s);
  const string shown = urls::redact(s);
  if (!has(s, "://")) {
    need(shown == s, "what is no URL is shown as it is");
    need(!parsed, "a URL has ://");
    return;
  }
  if (!parsed) {  // where the secrets stand cannot be told
    need(shown == "***://*** (malformed)", "a malformed URL is not shown", shown);
    return;
  }
  const urls::url& u = *parsed;
  sound(u);
  const auto redacted = urls::parse_url(shown);
  need(redacted.has_value(), "a redacted URL is one", shown);
  const urls::url& r = *redacted;
  need(r.user == (u.user.empty() ? "" : "***"), "no user info is shown", shown);
  need(r.scheme == u.scheme && r.host == u.host && r.port == u.port, "the host is shown", shown);
  need(!has(shown, "#"), "no fragment is shown", shown);
  const string path = u.path.substr(0, u.path.find('?'));
  need(r.path.substr(0, r.path.find('?')) == path, "the path is shown", shown);
  std::vector<string> keys, pairs;
  if (has(u.path, "?")) keys = split(string_view(u.path).substr(u.path.find('?') + 1), '&');
  if (has(r.path, "?")) pairs = split(string_view(r.path).substr(r.path.find('?') + 1), '&');
  while (!keys.empty() && keys.back().empty())
    keys.pop_back();
  while (!pairs.empty() && pairs.back().empty())
    pairs.pop_back();
  need(keys.size() == pairs.size(), "every pair of the query is shown", shown);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const string key = has(keys[i], "=") ? keys[i].substr(0, keys[i].find('=') + 1) : "";
    if (pairs[i] == (keys[i].empty() ? "" : key + "***")) continue;
    need(pairs[i] == keys[i], "a value is shown as it is, or not at all", shown);
    const string value = pairs[i].substr(key.size()), meant = urls::unescaped(value);
    if (is_switch(value)) continue;
    need(has(" p= path= file= filename= dl= ref= rev= revision= ", " " + strings::lower(key) + " "),
        "only switches and what names a file are shown", shown);
    need(strings::lower(key) != "p=" || meant.find_first_of("./") != string::npos,
        "a p that is no path is not shown", shown);
    need(value.size() < 200 && !has(meant, "://") && !has(meant, "@"),
        "no address and no long value is shown", shown);
  }
}

inline void redirect(string_view bytes) {  // the base, a line end, the Location
  const std::size_t end = (std::min)(bytes.find('\n'), bytes.size());
  const string_view location = bytes.substr((std::min)(end + 1, bytes.size()));
  const auto from = urls::parse_url(bytes.substr(0, end));
  if (!from) return;
  const urls::url& base = *from;
  const auto target = urls::resolve(base, location);
  if (!target) return;
  const urls::url& u = *target;
  need(u.path[0] == '/', "a path stays absolute", u.path);
  sound(u);
  need(u.user.empty() || (u.user == base.user && u.origin() == base.origin()),
      "user info stays in its origin, and none comes from a redirect", u.whole());
  const auto again = urls::resolve(u, u.whole());
  need(again.has_value(), "a target leads to itself");
  same(*again, u, "as it is");
}

inline void address(string_view s) {  // local_path, split_pin
  const auto [rest, given_pin] = urls::split_pin(s);
  const string pin(given_pin);
  need(s.substr(0, rest.size()) == rest, "an address is the front of what was given");
  if (!has(lower(s), "#sha")) need(pin.empty(), "no pin comes from nothing");
  if (has(s, "#sha256=")) need(!pin.empty(), "an empty pin is not no pin");
  need(!has(rest, "#sha256="), "the first of two pins counts: together they are none");
  if (has(s, "#sha256=") && pin != "(nothing)")
    need(s == string(rest) + "#sha256=" + pin, "a pin is split off and nothing is lost");
  const string path = urls::local_path(rest);
  if (!has(rest, "://"))
    need(path == rest, "a path is a path");
  else if (lower(rest.substr(0, 7)) != "file://")
    need(path.empty(), "another scheme is no path");
  else
    need(path.size() <= rest.size() - 7, "a file URL is longer than its path");
  need(urls::unescaped(s) == decoded(s), "percent-encoding is decoded, once");
}

// ---- cookies

inline void cookie(string_view bytes) {  // where from, where to, then Set-Cookies, a line each
  const std::vector<string> line = split(bytes, '\n');
  if (line.size() < 2) return;
  const auto source = urls::parse_url(line[0]), target = urls::parse_url(line[1]);
  if (!source || !target) return;
  const urls::url &from = *source, &to = *target;
  http::cookies jar;
  for (std::size_t i = 2; i < line.size(); ++i) {
    const auto set = http::parse_header("Set-Cookie: " + line[i]);
    if (set) http::take_cookie(jar, from, set->value, 1700000000);
  }
  need(jar.size() <= 50, "cookies are few");
  const vqcache::detail::list<string> own{"X: y", "Cookie: mine=1"},
      sent = http::with_cookies(own, jar, to);
  need(sent.size() == 2 && sent[0] == own[0], "there is one Cookie, and nothing else changes");
  need(sent[1].substr(0, 14) == "Cookie: mine=1" || jar.size() > 0, "the user's own stays");
  need(no_control(sent[1]) && sent[1].size() < 17000, "it is one line, and bounded", sent[1]);
  if (sent[1] == own[1]) return;
  // the hosts have an end in common, of two labels at least, and the same port
  const string a = lower(from.host), b = lower(to.host);
  const string shorter = a.size() < b.size() ? a : b, longer = a.size() < b.size() ? b : a;
  std::size_t same = 0;
  while (same < shorter.size() && a[a.size() - 1 - same] == b[b.size() - 1 - same])
    ++same;
  need(a == b || has(a.substr(a.size() - same), "."), "a cookie stays at its host", sent[1]);
  need(a == b || !has(a, ":"), "an address is not a domain", sent[1]);
  for (const http::cookie& c : jar)
    need(!c.secure || from.scheme == "https", "what is secure came over https");
}

// ---- secrets

// What people may read of a query: a parameter that names a file, if it is a path or a plain word.
// A part of a path that could be a token is hidden as well; that is not asked for here.
inline bool names_a_file(const string& pair) {
  const std::size_t equals = (std::min)(pair.find('='), pair.size());
  const string name = lower(pair.substr(0, equals));
  const string raw = pair.substr((std::min)(equals + 1, pair.size())), value = lower(decoded(raw));
  if (is_switch(raw)) return true;
  if (name == "p" && value.find_first_of("./") == string::npos) return false;
  const bool may_be_token = value.size() >= 20 && value.find_first_of("./") == string::npos;
  return has(" p path file filename dl ref rev revision ", " " + name + " ") && value.size() < 200
      && !may_be_token && all_of(value, "abcdefghijklmnopqrstuvwxyz0123456789/._-+ ~,()");
}

inline void secrets(string_view bytes) {  // the URL, headers, an empty line, the words
  const std::size_t blank = (std::min)(bytes.find("\n\n"), bytes.size());
  std::vector<string> head = split(bytes.substr(0, blank), '\n');
  const string words(bytes.substr((std::min)(blank + 2, bytes.size()))), from = head[0];
  head.erase(head.begin());
  std::vector<string> known;
  if (const auto parsed = urls::parse_url(from); parsed) {
    const urls::url& u = *parsed;
    const std::size_t colon = (std::min)(u.user.find(':'), u.user.size());
    known.push_back(u.user.substr(0, colon));
    known.push_back(u.user.substr((std::min)(colon + 1, u.user.size())));
    const std::size_t mark = (std::min)(u.path.find('?'), u.path.size() - 1);
    for (const string& pair : split(u.path.substr(mark + 1), '&'))
      if (u.path[mark] == '?' && !names_a_file(pair))
        known.push_back(pair.substr(has(pair, "=") ? pair.find('=') + 1 : 0));
  }
  for (const string& line : head)
    for (const string& word :
        split(has(line, ":") ? line.substr(line.find(':') + 1) : string(), ' '))
      known.push_back(word.substr(0, word.find_last_not_of("\t\r") + 1));
  for (std::size_t i = 0, n = known.size(); i < n; ++i)
    known.push_back(decoded(known[i]));
  const auto lines = vqcache::detail::containers::to_list(head);
  const string shown = http::scrub(words, from, lines);
  need(strings::readable(shown) == shown, "what is shown is UTF-8", shown);
  for (const string& secret : known) {
    // stars are what secrets become, and a header's white space belongs to nobody
    if (secret.size() < 4 || has(secret, "*") || has(secret, "\t") || has(secret, "\r")) continue;
    need(!has(shown, secret), "a secret is shown", shown);
    for (std::size_t n = secret.size() - 1; n > 3; --n)
      need(!has(shown, secret.substr(0, n) + "\""), "a secret that was cut is shown", shown);
    const string alone = http::scrub("it says " + secret, from, lines);
    for (std::size_t at = 0; secret.size() > 7 && at + 8 <= secret.size(); ++at)
      need(!has(alone, secret.substr(at, 8)) || has("it says", secret.substr(at, 8)),
          "a part of a secret is shown", alone);
  }
}

// ---- receipts

inline void receipt(string_view s) {
  // any bytes
  const formats::receipt any = formats::read_receipt(s);
  for (std::size_t i = 0; i < any.size(); ++i) {
    if (any[i].sha256.empty())
      need(has(s, "# size "), "a file without a digest has a line of its size");
    else
      need(any[i].sha256.size() == 64 && all_of(any[i].sha256, "0123456789abcdef"),
          "every other one has a digest", any[i].sha256);
    need(has(lower(s), any[i].sha256), "which stands there");
    need(formats::find(any, any[i].file) == &any[i], "a file stands in it once", any[i].file);
    need(any[i].blocks.size() * 17 <= s.size(), "each block has its digits there", any[i].file);
    need(!formats::has_blocks(any[i])
            || (any[i].blocks.size() - 1) * formats::block_size < any[i].size,
        "its blocks are those of its size", any[i].file);
  }
  // whole lines alone count: what a cut leaves is not another digest
  for (const formats::entry& e : formats::read_receipt(s.substr(0, s.rfind('\n') + 1)))
    need(formats::find(any, e.file)
            && (e.sha256.empty() || formats::find(any, e.file)->sha256 == e.sha256),
        "a line more changes no digest", e.file);
  // what can be written is read back: three files made of the bytes
  formats::receipt r(3);
  std::size_t at = 0;
  const auto next = [&](std::size_t most) {
    const string_view part = s.substr((std::min)(at, s.size()), most);
    at += most;
    return strings::printable(part);
  };
  for (std::size_t i = 0; i < 3; ++i) {
    r[i].origin = next(12), r[i].etag = next(9);
    for (char c : next(20))
      r[i].size = r[i].size * 31 + static_cast<unsigned char>(c);
    r[i].unverified = r[i].size % 2 == 1;
    r[i].file = "m" + std::to_string(i) + (i == 0 ? ".yaml" : ".ckpt");
    for (std::size_t k = 0; k < 64; ++k)
      r[i].sha256 += "0123456789abcdef"[(r[i].size >> k / 2) & 15];
    if (i == 0) r[i].declared = r[i].sha256 + " hub.test digest";
    if (i == 1) r[i].origin.clear(), r[i].etag.clear(), r[i].size = 0, r[i].unverified = false;
    if (i == 2) {  // as many blocks as its size has
      r[i].size = r[i].size % (200 * formats::block_size);
      for (std::uint64_t k = 0; k < formats::count_of_blocks(r[i].size); ++k)
        r[i].blocks.push_back(r[i].size * (k + 1));
    }
  }
  const string written = formats::write_receipt(r, "2026-11-23T19:00:00Z");
  const formats::receipt back = formats::read_receipt(written);
  need(back.size() == 3, "three files stay three", written);
  for (const formats::entry& e : r) {
    const formats::entry* b = formats::find(back, e.file);
    need(b && b->sha256 == e.sha256 && b->size == e.size && b->origin == e.origin
            && b->etag == e.etag && b->unverified == e.unverified && b->declared == e.declared
            && formats::has_blocks(*b) == formats::has_blocks(e)
            && (!formats::has_blocks(e) || formats::write_blocks(*b) == formats::write_blocks(e)),
        "a receipt is read as it was written", written);
  }
  // one entry's words cannot change another's
  r[0].origin = string(s.substr(0, 400)), r[0].etag = string(s.substr(0, 40));
  const formats::receipt foreign = formats::read_receipt(formats::write_receipt(r, ""));
  need(foreign.size() == 3, "no word makes a file", s);
  for (const formats::entry& e : foreign) {
    const formats::entry* mine = formats::find(r, e.file);
    need(mine && mine->sha256 == e.sha256 && mine->size == e.size
            && mine->unverified == e.unverified
            && (!formats::has_blocks(e)
                || formats::write_blocks(*mine) == formats::write_blocks(e)),
        "no word changes a digest", s);
  }
}

// The reader's place and format are not this file's: only this adaptor knows them.
// ---- the record beside an unfinished file

inline string line_of(const formats::ranges& ranges) {
  return formats::write_ranges(ranges);
}

inline string write_record(
    const formats::record& r) {  // as journal::journal_file does, in its order
  return r.owner + "\nurl " + r.id.url + (r.id.pin.empty() ? "" : "\npin " + r.id.pin)
      + (r.id.validator.empty() ? "" : "\nvalidator " + r.id.validator)
      + (r.id.declared.empty() ? "" : "\ndeclared " + r.id.declared + " " + r.id.declared_by)
      + "\ntotal " + std::to_string(r.id.total) + "\n"
      + (r.todo.empty() ? "" : "todo " + line_of(r.todo) + "\n") + "safe " + line_of(r.safe) + "\n"
      + (r.released ? "released\n" : "");
}

inline bool equal(const formats::record& a, const formats::record& b) {
  return a.owner == b.owner && a.id.pin == b.id.pin && a.id.url == b.id.url
      && a.id.validator == b.id.validator && a.id.total == b.id.total
      && a.id.declared == b.id.declared && a.id.declared_by == b.id.declared_by
      && line_of(a.todo) == line_of(b.todo) && line_of(a.safe) == line_of(b.safe)
      && a.released == b.released;
}

inline void in_order(const formats::ranges& ranges, std::uint64_t total) {
  std::uint64_t end = 0;
  for (const formats::range& r : ranges) {
    need(r.at <= r.end && r.at >= end, "ranges stand in order and apart", line_of(ranges));
    need(total == 0 || r.end <= total, "none reaches beyond the file", line_of(ranges));
    end = r.end;
  }
}

inline void record(string_view s) {
  const formats::record any = formats::read_record(s);
  for (const string* one :
      {&any.id.pin, &any.id.url, &any.id.validator, &any.id.declared, &any.id.declared_by})
    need(!has(*one, "\n") && has(s, *one), "a word of a record stands in it", *one);
  if (any.id.total) need(has(s, std::to_string(any.id.total)), "so does its total");
  in_order(any.todo, any.id.total);
  in_order(any.safe, any.id.total);
  need(!any.safe.empty() || has(s, "safe"), "what no line calls safe may be lost");
  // a line that was not finished, as after a power cut, tells nothing
  const std::size_t last = s.rfind('\n');
  if (last != string::npos && last + 1 < s.size())
    need(equal(formats::read_record(s.substr(0, last + 1)), any), "half a line counts");
  if (last == string::npos)
    need(any.id.url.empty() && any.id.pin.empty() && !any.released, "an owner alone names no file");
  // what is written is read back
  formats::record r;
  r.owner = "host/ns boot 17 42";
  const char digit = s.empty() ? 'a' : "0123456789abcdef"[static_cast<unsigned char>(s[0]) & 15];
  r.id.url = string(64, digit);
  r.id.pin = s.size() % 2 ? string(64, digit) : "";
  r.id.validator = strings::printable(s.substr(0, 20));
  r.id.declared = s.size() % 5 ? string(64, digit) : "";
  if (!r.id.declared.empty()) r.id.declared_by = "hub.test x-linked-etag";
  r.id.total = 1;
  for (char c : s.substr(0, 40)) {
    const std::uint64_t from = r.id.total + static_cast<unsigned char>(c) % 7 + 1;
    r.id.total = from + static_cast<unsigned char>(c);
    if (r.todo.size() < 16) r.todo.push_back({from, r.id.total});
  }
  r.safe = {{r.id.total / 2, r.id.total}};
  r.released = s.size() % 3 == 0;
  need(equal(formats::read_record(write_record(r)), r), "a record is read as it was written");
  // the gaps of a file: nothing behind its end can be there, and no byte counts twice
  const std::uint64_t size = any.id.total ? s.size() % (any.id.total / 2 + 1) : s.size();
  formats::ranges gaps = vqcache::detail::ranges::gaps_within(any.todo, size, any.id.total).all();
  in_order(gaps, any.id.total);
  if (any.id.total > size)
    need(!gaps.empty() && gaps.back().at <= size && gaps.back().end == any.id.total,
        "what lies behind the end is to come", line_of(gaps));
}

// ---- what was served instead of the file

inline void page(string_view s) {
  const string words = sniff::first_words(s);
  need(words.size() >= 2 && words.size() <= 163, "first words are few", words);
  need(words[0] == '"' && words.back() == '"', "they are quoted", words);
  need(no_control(words), "they have no control characters", words);
  need(strings::readable(words) == words, "they are UTF-8", words);
  need(!has(words, "  "), "white space is one space", words);
  const string_view type = s.substr(0, s.find('\n'));
  const string_view head = s.substr((std::min)(type.size() + 1, s.size()));
  for (const auto want : {sniff::kind::text, sniff::kind::binary}) {
    const string what = sniff::not_the_file({want, head, 0, type});
    need(what.size() < 400, "the reason is short", what);
    const string whole = sniff::not_the_file({want, head, head.size(), type});
    need(whole.size() < 400 && no_control(whole), "of a whole file too", whole);
    need(what.empty() || !whole.empty(), "what the front shows, the whole shows", what);
    need(no_control(what), "it has no control characters", what);
    need(!head.empty() || !what.empty(), "nothing is no file");
    const bool nul = has(head, string_view("\0", 1));
    if (want == sniff::kind::binary && nul
        && (head.substr(0, 4) == "PK\x03\x04" || head.substr(0, 1) == "\x80"))
      need(what.empty(), "archives and pickles are checkpoints", what);
    if (want == sniff::kind::text && nul) need(!what.empty(), "a config has no NUL bytes");
    if (lower(head.substr(0, 9)) == "<!doctype" || lower(head.substr(0, 5)) == "<html")
      need(!what.empty(), "a page is no file");
  }
}

inline void zip_end(string_view s) {
  const auto ends = [](string_view tail) {  // by looking everywhere
    for (std::size_t at = 0; at + 22 <= tail.size(); ++at) {
      const auto low = static_cast<unsigned char>(tail[at + 20]);
      const auto high = static_cast<unsigned char>(tail[at + 21]);
      if (tail.substr(at, 4) != "PK\x05\x06") continue;
      const std::size_t end = at + 22 + low + high * 256U;
      if (end > tail.size()) continue;
      if (end == tail.size()) return true;
      const string_view padding("\0 \t\r\n\x1a\xff", 7);
      if (tail.substr(end).find_first_not_of(padding) == string_view::npos) return true;
    }
    return false;
  };
  need(sniff::zip_has_end(s) == ends(s), "an archive ends in a record that fits");
  // an end that fits these bytes as its comment
  const string comment(s.substr(0, 65535)),
      end = string("PK\x05\x06") + string(16, '\0') + static_cast<char>(comment.size() & 255)
      + static_cast<char>(comment.size() >> 8);
  need(sniff::zip_has_end("x" + end + comment), "a comment does not hide the end");
}

// ---- files and answers that hold the keys of a store

inline string as_lines_of_windows(string_view s) {
  string r;
  for (char c : s)
    r += c == '\n' ? string("\r\n") : string(1, c);
  return r;
}

inline void settings(string_view s) {  // the first byte chooses the file
  const bool is_config = !s.empty() && s[0] % 2 == 0;
  const auto what =
      is_config ? credentials::file_kind::config : credentials::file_kind::credentials;
  const string_view text = s.substr((std::min)(s.size(), std::size_t{1}));
  const credentials::ini read = credentials::read_ini(text, what);
  need(read.odd_line <= split(text, '\n').size(), "an odd line is one of the lines");
  std::size_t bytes = 0;
  for (const credentials::section& one : read.sections)
    for (const auto& setting : one.settings) {
      need(!setting.name.empty() && setting.name == lower(setting.name), "names are in lower case");
      const string_view first = string_view(setting.value).substr(0, setting.value.find('\n'));
      need(has(text, first), "a value stands there", setting.value);
      bytes += setting.value.size();
    }
  need(bytes <= text.size() + split(text, '\n').size(), "nothing grows");

  // whatever stands before a section, it is read
  const string header = is_config ? "[profile the last]" : "[the last]";
  const string more = string(text) + "\n" + header + "\nkey = one\nkey = two\n";
  const credentials::ini again = credentials::read_ini(more, what);
  need(credentials::setting_of(again, "the last", "key") == "two", "a section is read at the end");
  if (has(text, "\r")) return;
  const credentials::ini other = credentials::read_ini(as_lines_of_windows(text), what);
  need(other.sections.size() == read.sections.size() && other.odd_line == read.odd_line,
      "a line's end does not matter");
}

inline string json_text(string_view s) {  // of any bytes but what is no text
  string r = "\"";
  for (char c : s) {
    const auto n = static_cast<unsigned char>(c);
    if (n < 0x20)
      r += string("\\u00") + "0123456789abcdef"[n >> 4] + "0123456789ABCDEF"[n & 15];
    else
      r += c == '"' || c == '\\' ? string("\\") + c : string(1, c);
  }
  return r + "\"";
}

inline void json(string_view s) {
  const auto read = credentials::read_json(s);
  if (read) {
    const std::size_t last = s.find_last_not_of(" \t\r\n");
    need(last != string::npos && s[last] == '}', "an object ends in }");
    need(!credentials::read_json(s.substr(0, last)), "half an object is none");
    need(!credentials::read_json(string(s) + "}"), "nor is one with more behind it");
    for (const auto& one : *read)
      need(one.value.size() <= s.size(), "nothing grows", one.name);
  }
  // what is written is read back, and what is nested does not count
  const string text = json_text(s),
               wide = " { \"n\" : {\"a\":[" + text + ",{}]}, \"m\": -1.5e3 ," + "\"a\":" + text
      + "\r\n}\n";
  const auto again = credentials::read_json(wide);
  need(again.has_value() == (wide.size() <= credentials::largest_answer), "a good one is read", s);
  if (again) need(again->size() == 1 && credentials::find(*again, "a") == s, "as it is", s);
}

inline void xml(string_view s) {
  const string found = credentials::text_of(s, "Code");
  need(found.size() <= s.size(), "nothing grows", found);
  need(found.empty() || (has(s, "<Code") && has(s, "</Code")), "an element has two tags");
  string text;
  for (char c : s)
    text += c == '&' ? "&amp;" : c == '<' ? "&#60;" : c == '>' ? "&#x3E;" : string(1, c);
  const string whole = "<?xml?><!-- <Code>no</Code> --><E x='1'><Code >" + text + "</Code></E>";
  if (whole.size() <= credentials::largest_answer)
    need(credentials::text_of(whole, "Code") == s, "what is written is read back", s);

  const credentials::store_error error = credentials::read_store_error(s);
  need(error.code.size() <= 64 && no_control(error.code) && !has(error.code, " "),
      "a code is short");
  // whole: who shows it takes the secrets out first and cuts then (tests/call/stores.cpp)
  need(error.message.size() <= s.size() && no_control(error.message), "a message is one line");
  need(strings::readable(error.message) == error.message, "and is UTF-8");
  need(all_of(lower(error.region), "abcdefghijklmnopqrstuvwxyz0123456789-"), "a region is a name");
}

inline void list(string_view s) {
  for (const bool is_bucket : {true, false}) {
    const auto page =
        is_bucket ? credentials::read_bucket_list(s, "p/") : credentials::read_folder_list(s);
    std::size_t size = page.next.size();
    for (const string& name : page.texts)
      size += name.size();
    need(size <= s.size(), "nothing grows");
    need(page.texts.empty() || has(s, is_bucket ? "Prefix" : "href"), "a name has its element");
  }
  // what is written is read back, whatever name its namespace has
  string text, path;
  for (char c : s) {
    text += c == '&' ? "&amp;" : c == '<' ? "&#60;" : c == '>' ? "&#x3E;" : string(1, c);
    const char hex[] = "0123456789ABCDEF";
    const auto byte = static_cast<unsigned char>(c);
    path += string("%") + hex[byte >> 4] + hex[byte & 15];
  }
  const auto keys = credentials::read_bucket_list("<ListBucketResult><CommonPrefixes>\n<Prefix>p/"
          + text + "/</Prefix></CommonPrefixes></ListBucketResult>",
      "p/");
  need(keys.is_list && keys.texts.size() == (s.empty() ? 0U : 1U), "a key is one", s);
  need(s.empty() || keys.texts[0] == s, "as it is", s);
  const auto hrefs = credentials::read_folder_list("<x:multistatus><x:response><x:href>http://h/p/"
      + path + "/</x:href></x:response></x:multistatus>");
  need(hrefs.is_list && hrefs.texts.size() == 1, "an address is one", s);
  need(s.empty() || hrefs.texts[0] == s, "as it is meant", s);
}

inline void expiry(string_view s) {
  std::uint64_t seed = 0;  // some moment up to the year 9999, made of the bytes
  for (char c : s)
    seed = seed * 1099511628211U + static_cast<unsigned char>(c);
  seed = seed % (253402300800U - 86400 * 2) + 86400;
  const auto month_of = [](const string& name) {
    const string all = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const std::size_t number = all.find(name) / 3 + 1;
    return (number < 10 ? "0" : "") + std::to_string(number);
  };
  const std::vector<string> part = split(http_text(seed), ' ');
  const string moment = part[2] + "-" + month_of(part[1]) + "-" + part[0] + "T" + part[3];
  need(credentials::iso_time(moment + "Z") == seed, "a time is read as it is", moment);
  need(credentials::iso_time(moment + ".25+01:30") == seed - 5400, "and one ahead of it");
  need(credentials::iso_time(moment + "-0130") == seed + 5400, "and one behind");
  need(!credentials::iso_time(moment), "a time without a zone is none");

  const auto when = credentials::iso_time(s);
  if (!when) return;
  need(*when < 253402300800U + 86400 * 5, "no time lies behind the year 9999");
  need(has(s, ":") && has(s, "-"), "a time has a day and a clock", s);
}

inline void answer_with_keys(string_view s) {  // the first byte chooses the question
  credentials::question asked;
  asked.what = static_cast<credentials::asks>(s.empty() ? 0 : static_cast<unsigned char>(s[0]) % 5);
  asked.url = "http://127.0.0.1:8/latest/api/token";
  asked.body = "S3cretThatWasSent";
  asked.from = "somebody";
  asked.unanswered = {vqcache::errc::connection, "nobody", {}, {}};
  const string_view body = s.substr((std::min)(s.size(), std::size_t{1}));
  for (const int code : {0, 200, 403}) {
    auto next = credentials::follow(asked, code, body);
    if (!next.ok()) {
      need(no_control(next.why().text) && !has(next.why().text, asked.body), "an error is a line");
      need(next.why().text.size() < 200, "and short", next.why().text);
      continue;
    }
    need(code == 200, "no error has keys");
    if (next->keys) {
      const auto& keys = next->keys->keys;
      need(!keys.id.empty() && !keys.secret.empty(), "keys are two");
      need(no_control(keys.id + keys.token) && !has(keys.id + keys.token, " "), "and can be sent");
      continue;
    }
    const auto at = urls::parse_url(next->ask.url);
    need(at && at->host == "127.0.0.1" && at->port == "8", "the next question goes there, too");
    need(!has(at->path + "/", "/../"), "and to no other folder", at->path);
    for (const string& line : next->ask.headers)
      need(no_control(line), "a header is one line", line);
  }
}

// ---- names

inline void name(string_view s) {
  string stem = lower(s.substr(0, s.find('.')));
  bool bad = s.empty() || s.size() > 100 || s[0] == '.' || s[0] == '-' || s.back() == '.';
  for (char c : s)
    bad = bad
        || !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.'
            || c == '_' || c == '-');
  if (stem.size() == 4 && stem[3] >= '0' && stem[3] <= '9')
    stem.resize(3);
  else if (stem == "com" || stem == "lpt")
    stem += "?";  // without a number they are no devices
  for (const char* device : {"con", "prn", "aux", "nul"})
    bad = bad || lower(s.substr(0, s.find('.'))) == device;
  bad = bad || stem == "com" || stem == "lpt";
  need(strings::name_problem(s).empty() == !bad, "a name is 1 to 100 of an allow-list", s);
  need(no_control(strings::name_problem(s)), "what is wrong with it can be shown");
}

struct target {
  const char* name;
  void (*run)(string_view);
};

inline const std::vector<target>& targets() {
  static const std::vector<target> all = {{"header", header_line}, {"length", length},
      {"range", range}, {"date", date}, {"validator", same_file}, {"declared", declared},
      {"url", url}, {"redirect", redirect}, {"address", address}, {"cookie", cookie},
      {"scrub", secrets}, {"receipt", receipt}, {"record", record}, {"page", page},
      {"zip", zip_end}, {"settings", settings}, {"json", json}, {"xml", xml}, {"list", list},
      {"expiry", expiry}, {"answer", answer_with_keys}, {"name", name}};
  return all;
}

// ---- corpus.txt: "[target]", then an input a line, with the escapes \n \r \t \\ \xHH

inline string from_line(string_view line) {
  string r;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i], next = i + 1 < line.size() ? line[i + 1] : '\0';
    if (c != '\\')
      r += c;
    else if (next == 'x')
      r += static_cast<char>(std::stoi(string(line.substr(i + 2, 2)), nullptr, 16)), i += 3;
    else
      r += next == 'n' ? '\n' : next == 'r' ? '\r' : next == 't' ? '\t' : next, ++i;
  }
  return r;
}

inline string to_line(string_view bytes) {
  string r;
  for (char c : bytes) {
    const auto n = static_cast<unsigned char>(c);
    if (c == '\\')
      r += "\\\\";
    else if (c == '\n')
      r += "\\n";
    else if (n >= 0x20 && n < 0x7f)
      r += c;
    else
      r += string("\\x") + "0123456789abcdef"[n >> 4] + "0123456789abcdef"[n & 15];
  }
  return r;
}

inline std::vector<string> corpus(const std::filesystem::path& file, const string& of) {
  std::vector<string> inputs = {""};
  std::ifstream in(file);
  bool here = false;
  for (string line; std::getline(in, line);) {
    if (line.empty() || line[0] == ';') continue;
    if (line[0] == '[' && line.back() == ']')
      here = line == "[" + of + "]";
    else if (here)
      inputs.push_back(from_line(line));
  }
  return inputs;
}

}  // namespace fuzz

#endif
