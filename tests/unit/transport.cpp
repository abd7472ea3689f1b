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
