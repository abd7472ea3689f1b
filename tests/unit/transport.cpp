// What a transport makes of an answer's head and of an end that is none: pure functions of >>transport.
#include "vqcache.hpp"

#include <doctest/doctest.h>

#include <cerrno>
#include <string>
#include <vector>

namespace t = vqcache::detail::transport;
using vqcache::errc;

namespace {

struct failure_row {
  int code;
  const char* words;  // of curl 7.64, 7.88, 8.5 or 8.14
  t::fault kind;
  errc told;
  const char* text;  // what a person has to read in it
};

const failure_row failures[] = {
    {1, "Received HTTP/0.9 when not allowed", t::fault::improper_http, errc::http_status, "HTTP"},
    {2, "option --suppress-connect-headers: is unknown", t::fault::old_curl, errc::no_transport,
        "7.55"},
    {2, "", t::fault::connection, errc::connection, "curl error 2"},
    {5, "Could not resolve proxy: nowhere", t::fault::connection, errc::connection, "proxy"},
    {6, "Could not resolve host: nowhere", t::fault::connection, errc::connection, "network"},
    {7, "Failed to connect to 127.0.0.1 port 1", t::fault::connection, errc::connection, "URL"},
    {8, "Weird server reply", t::fault::improper_http, errc::http_status, "HTTP"},
    {18, "transfer closed with 5 bytes remaining to read", t::fault::cut, errc::truncated,
        "ended before"},
    {27, "Out of memory", t::fault::no_memory, errc::connection, "or the header"},
    {28, "SSL connection timeout", t::fault::silent_tls, errc::timed_out, "http:// address"},
    {28, "Operation too slow. Less than 1 bytes/sec", t::fault::silence, errc::timed_out,
        "nothing came"},
    {28, "Connection timed out after 1001 milliseconds", t::fault::no_connection, errc::timed_out,
        "no connection"},
    {35, "error:0A00010B:SSL routines::wrong version number", t::fault::no_tls_there, errc::tls,
        "http://"},
    {35, "gnutls_handshake() failed: An unexpected TLS packet was received.",
        t::fault::no_tls_there, errc::tls, "does not speak TLS"},
    {35, "schannel: SEC_E_INVALID_TOKEN (0x80090308)", t::fault::no_tls_there, errc::tls,
        "does not speak TLS"},
    {35, "Unknown SSL protocol error in connection", t::fault::no_trust, errc::tls, "clock"},
    {43, "", t::fault::improper_http, errc::http_status, "HTTP"},
    {51, "SSL: no alternative certificate subject name", t::fault::no_trust, errc::tls, "clock"},
    {52, "Empty reply from server", t::fault::connection, errc::connection, "Empty reply"},
    {53, "", t::fault::no_trust, errc::tls, "clock"},
    {54, "", t::fault::no_trust, errc::tls, "clock"},
    {56, "Recv failure: Connection reset by peer", t::fault::connection, errc::connection,
        "reset by peer"},
    {56, "chunk hex-length char not a hex digit: 0x7a", t::fault::improper_http, errc::http_status,
        "HTTP"},
    {56, "Malformed encoding found in chunked-encoding", t::fault::improper_http, errc::http_status,
        "HTTP"},
    {56, "Too large response headers: 307241 > 307200", t::fault::long_head, errc::http_status,
        "too long"},
    {58, "could not load PEM client certificate", t::fault::no_trust, errc::tls, "SSL_CERT_FILE"},
    {59, "", t::fault::no_trust, errc::tls, "SSL_CERT_FILE"},
    {60, "SSL certificate problem: self-signed certificate", t::fault::no_trust, errc::tls,
        "SSL_CERT_FILE"},
    {61, "Unrecognized content encoding type", t::fault::foreign_coding, errc::http_status,
        "coding"},
    {64, "", t::fault::no_trust, errc::tls, "TLS"},
    {66, "", t::fault::no_trust, errc::tls, "TLS"},
    {77, "error setting certificate verify locations", t::fault::no_trust, errc::tls,
        "SSL_CERT_FILE"},
    {80, "", t::fault::no_trust, errc::tls, "TLS"},
    {82, "", t::fault::no_trust, errc::tls, "TLS"},
    {83, "", t::fault::no_trust, errc::tls, "TLS"},
    {90, "", t::fault::no_trust, errc::tls, "TLS"},
    {91, "", t::fault::no_trust, errc::tls, "TLS"},
    {97, "proxy handshake error", t::fault::connection, errc::connection, "proxy"},
    {255, "", t::fault::connection, errc::connection, "curl error 255"},
};

struct proxy_row {
  int code;
  const char* words;  // of curl 7.64, 7.88, 8.5 or 8.14
  bool speaks_tls;
  t::fault kind;
  errc told;
  const char* text;
};

const proxy_row by_proxy[] = {
    {5, "Could not resolve proxy: nowhere", false, t::fault::no_proxy_found, errc::connection,
        "host of the proxy"},
    {5, "Unsupported proxy syntax in 'http://h:99999'", false, t::fault::odd_proxy,
        errc::connection, "http://HOST:PORT"},
    {7, "Unsupported proxy scheme for 'quux://h:1'", false, t::fault::odd_proxy, errc::connection,
        "http://HOST:PORT"},
    {4, "Unsupported proxy 'https://h:1', libcurl is built without the HTTPS-proxy support.", true,
        t::fault::odd_proxy, errc::connection, "http://HOST:PORT"},
    {7, "Failed to connect to 127.0.0.1 port 1: Connection refused", false,
        t::fault::no_proxy_there, errc::connection, "cannot be reached"},
    {7, "Failed to connect to origin.test port 443 via 127.0.0.1 after 0 ms: Could not connect",
        false, t::fault::no_proxy_there, errc::connection, "cannot be reached"},
    {56, "CONNECT tunnel failed, response 407", false, t::fault::proxy_wants_login,
        errc::connection, "a user and a password"},
    {56, "Received HTTP code 407 from proxy after CONNECT", false, t::fault::proxy_wants_login,
        errc::connection, "a user and a password"},
    {56, "CONNECT tunnel failed, response 503", false, t::fault::proxy_refuses, errc::connection,
        "did not connect"},
    {56, "Received HTTP code 403 from proxy after CONNECT", false, t::fault::proxy_refuses,
        errc::connection, "did not connect"},
    {56, "Proxy CONNECT aborted", false, t::fault::proxy_refuses, errc::connection,
        "did not connect"},
    {97, "proxy handshake error", false, t::fault::proxy_refuses, errc::connection,
        "did not connect"},
    {35, "error:0A00010B:SSL routines::wrong version number", true, t::fault::no_tls_at_proxy,
        errc::tls, "write http:// there"},
    {35, "error:0A00010B:SSL routines::wrong version number", false, t::fault::no_tls_there,
        errc::tls, "is it an http:// address?"},
    {28, "SSL connection timeout", true, t::fault::silent_tls_at_proxy, errc::timed_out,
        "should it be http://?"},
    {28, "SSL connection timeout", false, t::fault::silent_tls, errc::timed_out,
        "is it an http:// address?"},
    {28, "Connection timed out after 1001 milliseconds", false, t::fault::no_connection,
        errc::timed_out, "no connection"},
    {60, "SSL certificate problem: self-signed certificate", false, t::fault::no_trust, errc::tls,
        "SSL_CERT_FILE"},
    {52, "Empty reply from server", false, t::fault::connection, errc::connection, "check the URL"},
};

// of a proxy that did its part nothing is said
const failure_row behind_proxy[] = {
    {18, "transfer closed with 5 bytes remaining to read", t::fault::cut, errc::truncated, ""},
    {28, "Operation too slow. Less than 1 bytes/sec", t::fault::silence, errc::timed_out, ""},
    {8, "Weird server reply", t::fault::improper_http, errc::http_status, ""},
};

struct way {
  const char* address;
  std::vector<std::pair<std::string, std::string>> set;
  const char* variable;  // empty: no proxy is asked
  const char* shown = "";
};

const way ways[] = {
    {"http://h/", {}, ""},
    {"http://h/", {{"http_proxy", "http://p:3128"}}, "http_proxy", "http://p:3128"},
    {"http://h/", {{"http_proxy", "http://p:3128/"}}, "http_proxy", "http://p:3128"},
    {"http://h/", {{"http_proxy", "p:3128"}}, "http_proxy", "http://p:3128"},
    {"http://h/", {{"http_proxy", "user:word@p"}}, "http_proxy", "http://***@p"},
    {"http://h/", {{"http_proxy", "http://user:word@p:x"}}, "http_proxy", "***://*** (malformed)"},
    {"http://h/", {{"HTTP_PROXY", "http://p:1"}}, ""},
    {"http://h/", {{"https_proxy", "http://p:1"}}, ""},
    {"https://h/", {{"http_proxy", "http://p:1"}}, ""},
    {"https://h/", {{"HTTPS_PROXY", "http://p:1"}}, "HTTPS_PROXY", "http://p:1"},
    {"https://h/", {{"HTTPS_PROXY", "http://p:1"}, {"https_proxy", "http://q:1"}}, "https_proxy",
        "http://q:1"},
    {"https://h/", {{"ALL_PROXY", "socks5://p:1"}}, "ALL_PROXY", "socks5://p:1"},
    {"http://h/", {{"all_proxy", "http://p:1"}, {"http_proxy", "http://q:1"}}, "http_proxy",
        "http://q:1"},
    {"no URL", {{"all_proxy", "http://p:1"}}, ""},
};

struct exemption {
  const char* host;
  const char* list;
  bool is_exempt;
};

const exemption exemptions[] = {
    {"h.test", "", false},
    {"h.test", "*", true},
    {"h.test", " * ", true},
    {"h.test", "h.test", true},
    {"h.test", "H.Test", true},
    {"h.test", "a, h.test ,b", true},
    {"h.test", "a b h.test", true},
    {"h.test", ".test", true},
    {"h.test", "test", true},
    {"h.test", ".h.test", true},
    {"h.test", "est", false},
    {"h.test", "x.h.test", false},
    {"h.test", ".", false},
    {"h.test", "a,*", false},
    {"127.0.0.1", "127.0.0.1", true},
    {"127.0.0.1", "127.0.0.2", false},
    // since 7.86 that is a network: what curl makes of it is not known here
    {"127.0.0.1", "127.0.0.0/8", true},
    {"::1", "::1", true},
};

std::vector<std::pair<std::string, std::string>> set_variables;  // for a test

std::string value_of(const char* variable) {
  for (const auto& [name, value] : set_variables)
    if (name == variable) return value;
  return {};
}

struct head_row {
  const char* what;
  std::vector<std::string> lines;
  t::head_reader::state ends;
  int code;
  std::size_t fields;
};

using state = t::head_reader::state;

const head_row heads[] = {
    {"nothing", {}, state::status_line, 0, 0},
    {"a head", {"HTTP/1.1 200 OK", "A: 1", "B: 2", ""}, state::complete, 200, 2},
    {"ends of lines", {"HTTP/1.1 200 OK\r\n", "A: 1\r\n", "\r\n"}, state::complete, 200, 1},
    {"no reason", {"HTTP/1.1 404", ""}, state::complete, 404, 0},
    {"a cut line of status", {"HTTP/1.1 2"}, state::improper, 0, 0},
    {"cut in its fields", {"HTTP/1.1 200 OK", "A: 1"}, state::fields, 200, 0},
    {"an interim answer before it",
        {"HTTP/1.1 103 Early Hints", "Link: x", "", "HTTP/1.1 200 OK", "A: 1", ""}, state::complete,
        200, 1},
    {"only an interim answer", {"HTTP/1.1 100 Continue", ""}, state::status_line, 0, 0},
    {"a folded field", {"HTTP/1.1 200 OK", "A: 1", " 2", ""}, state::complete, 200, 1},
    {"a fold of nothing", {"HTTP/1.1 200 OK", " 2", ""}, state::improper, 200, 0},
    {"no HTTP", {"SSH-2.0-OpenSSH_9.2"}, state::improper, 0, 0},
    {"too long", {"HTTP/1.1 200 OK", "A: " + std::string(300000, 'x')}, state::too_long, 200, 0},
    {"too many", std::vector<std::string>(20000, "HTTP/1.1 100 Go on and on and on"),
        state::too_long, 0, 0},
};

}  // namespace

TEST_SUITE_BEGIN("one answer");

TEST_CASE("what failed follows from the code and curl's own words") {
  CHECK(t::failure(0, "anything").ok());
  for (const failure_row& row : failures) {
    CAPTURE(row.code);
    CAPTURE(row.words);
    CHECK(t::fault_of(row.code, row.words) == row.kind);
    const auto s = t::failure(row.code, row.words);
    CHECK(s.code == row.told);
    CHECK_MESSAGE(s.text.find(row.text) != std::string::npos, s.text);
    CHECK_MESSAGE(s.text.find(row.words) != std::string::npos, s.text);
  }
}

TEST_CASE("where a proxy is asked a fault is its own, or the server's behind it") {
  const t::proxy by{"http_proxy", "http://p:3128", false}, by_tls{"all_proxy", "https://p:1", true};
  for (const proxy_row& row : by_proxy) {
    CAPTURE(row.code);
    CAPTURE(row.words);
    const t::proxy& one = row.speaks_tls ? by_tls : by;
    CHECK(t::fault_with(one, row.code, row.words) == row.kind);
    const auto s = t::failure(row.code, row.words, one);
    CHECK(s.code == row.told);
    CHECK_MESSAGE(s.text.find(row.text) != std::string::npos, s.text);
    const std::string named =
        "; the proxy was " + one.address + ", by the variable " + one.variable;
    CHECK_MESSAGE(s.text.find(named) != std::string::npos, s.text);
    CHECK(t::failure(row.code, row.words).text.find("by the variable") == std::string::npos);
  }
  for (const failure_row& row : behind_proxy) {
    const auto s = t::failure(row.code, row.words, by);
    CHECK(s.code == row.told);
    CHECK_MESSAGE(s.text.find("proxy") == std::string::npos, s.text);
  }
}

TEST_CASE("which proxy is asked is known as curl knows it") {
  for (const way& row : ways) {
    CAPTURE(row.address);
    set_variables = row.set;
    const t::proxy by = t::proxy_of(row.address, value_of);
    CHECK(by.variable == row.variable);
    CHECK(by.address == row.shown);
    set_variables.insert(set_variables.begin(), {"NO_PROXY", "*"});
    CHECK(t::proxy_of(row.address, value_of).variable == "");
  }
  set_variables = {{"http_proxy", "HTTPS://p:1"}};
  CHECK(t::proxy_of("http://h/", value_of).speaks_tls);
  set_variables = {{"http_proxy", "http://p:1"}, {"no_proxy", "::1"}};
  CHECK(t::proxy_of("http://[::1]:8080/", value_of).variable == "");
  CHECK_FALSE(t::proxy_of("http://[::2]:8080/", value_of).variable == "");
  set_variables = {};
}

TEST_CASE("no_proxy is understood as curl understands it") {
  for (const exemption& row : exemptions) {
    CAPTURE(row.host);
    CAPTURE(row.list);
    CHECK(t::is_exempt(row.host, row.list) == row.is_exempt);
  }
}

TEST_CASE("nothing that a person cannot read gets from curl's words into an error") {
  const auto s = t::failure(6, "Could not resolve host: \x1b[31mred\x07\xff");
  for (const char c : s.text)
    CHECK(static_cast<unsigned char>(c) >= 0x20);
  CHECK(s.text.find('\xff') == std::string::npos);
}

TEST_CASE("a head is read line by line") {
  for (const head_row& row : heads) {
    CAPTURE(row.what);
    t::head_reader head;
    for (const std::string& line : row.lines) {
      head.take(line);
      if (head.has_failed() || head.is_complete()) break;
    }
    CHECK(head.now() == row.ends);
    CHECK(head.headers().size() == row.fields);
    if (row.ends != state::too_long) CHECK(head.code() == row.code);
    CHECK(head.problem().ok() == head.is_complete());
  }
}

TEST_CASE("curl's own line is told, whatever a loader or a wrapper says before it") {
  CHECK(t::program_words("curl: (6) Could not resolve\n") == "curl: (6) Could not resolve");
  CHECK(t::program_words("curl: /opt/libcurl.so.4: no version information available\n"
                         "curl: (7) Failed to connect\n")
      == "curl: (7) Failed to connect");
  CHECK(t::program_words("Warning: .curlrc\ncurl: option --x: is unknown\n"
                         "curl: try 'curl --help'\n")
      == "curl: option --x: is unknown");
  CHECK(t::program_words("sh: curl: not found\nmore\n") == "sh: curl: not found");
  CHECK(t::program_words("") == "");
}

TEST_CASE("a program that cannot be started says what to do about that") {
  CHECK(t::cannot_start(EAGAIN).code == errc::connection);
  CHECK(t::cannot_start(EMFILE).text.find("ulimit -n") != std::string::npos);
  CHECK(t::cannot_start(ENFILE).text.find("ulimit") == std::string::npos);
  CHECK(t::cannot_start(ENOENT).code == errc::no_transport);
  for (const int error : {EMFILE, ENFILE, EAGAIN, ENOMEM, EACCES, EPERM, ENOEXEC, E2BIG, ENOENT})
    CHECK_FALSE(t::cannot_start(error).text.empty());
}

TEST_CASE("curl's own limit of silence is far beyond ours, and fits into curl's numbers") {
  const auto limit = [](unsigned connect, unsigned stall) {
    return t::silence_limit(t::transfer_request{"http://x/", {}, 0, connect, stall});
  };
  CHECK(limit(20, 30) == 200);
  CHECK(limit(1, 1) == 7);
  CHECK(limit(20, 0) == 0);  // the user wants no limit
  CHECK(limit(0, 1) == 306);
  CHECK(limit(2147483, 30) == 2147483);
  CHECK(limit(20, 4294967295U) == 2147483);
  for (const unsigned connect : {1U, 20U, 300U})
    for (const unsigned stall : {1U, 5U, 30U, 3600U})
      CHECK(limit(connect, stall) >= connect + 6 * stall);
}

TEST_SUITE_END();
