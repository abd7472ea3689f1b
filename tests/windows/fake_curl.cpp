// A stand-in for Windows' curl.exe, for wine, which has none. It reads curl's configuration from
// standard input (url = "...", header = "..."), asks by plain HTTP and prints what came, as
// `curl -i` does, and then what -w asks for. Its arguments and the request's header lines go to
// %VQCACHE_FAKE_CURL_LOG%.

#define WIN32_LEAN_AND_MEAN
#include <winsock2.h>
#include <ws2tcpip.h>

#include <fcntl.h>
#include <io.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

static int fail(int code, const std::string& why) {
  std::fprintf(stderr, "curl: (%d) %s\n", code, why.c_str());
  return code;
}

// The value of a line: name = "value" with \\ and \" as curl reads them.
static bool option(const std::string& line, const char* name, std::string& value) {
  const std::size_t equals = line.find('=');
  const std::size_t open = line.find('"');
  if (line.compare(0, std::strlen(name), name) != 0 || equals == std::string::npos
      || open == std::string::npos || open < equals)
    return false;
  value.clear();
  for (std::size_t i = open + 1; i < line.size() && line[i] != '"'; ++i) {
    if (line[i] == '\\' && i + 1 < line.size()) ++i;
    value += line[i];
  }
  return true;
}

int main(int argc, char** argv) {
  _setmode(_fileno(stdin), _O_BINARY);
  _setmode(_fileno(stdout), _O_BINARY);
  std::string log, last;
  for (int i = 1; i + 1 < argc; ++i)
    if (std::strcmp(argv[i], "-w") == 0) last = argv[i + 1];
  for (int i = 1; i < argc; ++i)
    log += "argument " + std::string(argv[i]) + "\n";
  if (argc < 2 || std::strcmp(argv[1], "-q") != 0) return fail(2, "the first argument is not -q");

  std::string config, url, one;
  std::vector<std::string> headers;
  char block[16384];
  for (std::size_t n; (n = std::fread(block, 1, sizeof block, stdin)) > 0;)
    config.append(block, n);
  for (std::size_t at = 0; at < config.size();) {
    std::size_t end = config.find('\n', at);
    if (end == std::string::npos) end = config.size();
    const std::string line = config.substr(at, end - at);
    at = end + 1;
    if (option(line, "url", one)) url = one;
    if (option(line, "header", one)) headers.push_back(one);
    if (option(line, "range", one)) headers.push_back("Range: bytes=" + one);
    if (option(line, "user-agent", one)) headers.push_back("User-Agent: " + one);
  }
  for (const std::string& header : headers)
    log += "header " + header + "\n";
  if (const char* path = std::getenv("VQCACHE_FAKE_CURL_LOG")) {
    if (std::FILE* f = std::fopen(path, "ab")) {
      std::fwrite(log.data(), 1, log.size(), f);
      std::fclose(f);
    }
  }

  if (url.compare(0, 7, "http://") != 0) return fail(1, "Protocol of '" + url + "' not supported");
  const std::size_t slash = url.find('/', 7);
  const std::string authority = url.substr(7, slash == std::string::npos ? slash : slash - 7);
  const std::string target = slash == std::string::npos ? "/" : url.substr(slash);
  const std::size_t colon = authority.find(':');
  const std::string host = authority.substr(0, colon);
  const std::string port = colon == std::string::npos ? "80" : authority.substr(colon + 1);

  WSADATA data;
  if (WSAStartup(MAKEWORD(2, 2), &data) != 0) return fail(2, "no winsock");
  addrinfo hints{}, *found = nullptr;
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  if (getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0)
    return fail(6, "Could not resolve host: " + host);
  const SOCKET s = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(s, found->ai_addr, static_cast<int>(found->ai_addrlen)) != 0)
    return fail(7, "Failed to connect to " + host + " port " + port);

  std::string request = "GET " + target + " HTTP/1.0\r\nHost: " + authority + "\r\n";
  for (const std::string& header : headers)
    request += header + "\r\n";
  request += "\r\n";
  if (send(s, request.data(), static_cast<int>(request.size()), 0)
      != static_cast<int>(request.size()))
    return fail(55, "Failed sending data to the peer");
  std::string head;
  unsigned long long size = 0;  // of the body
  bool in_body = false;
  for (int n; (n = recv(s, block, sizeof block, 0)) != 0;) {
    if (n < 0) return fail(56, "Failure when receiving data from the peer");
    if (in_body) {
      size += static_cast<unsigned>(n);
    } else {
      head.append(block, static_cast<std::size_t>(n));
      const std::size_t end = head.find("\r\n\r\n");
      in_body = end != std::string::npos;
      if (in_body) size = head.size() - end - 4;
    }
    if (std::fwrite(block, 1, static_cast<std::size_t>(n), stdout) != static_cast<std::size_t>(n))
      return fail(23, "Failure writing output to destination");
  }
  const std::string name = "%{size_download}";
  const std::size_t at = last.find(name);
  if (at != std::string::npos) last.replace(at, name.size(), std::to_string(size));
  std::fwrite(last.data(), 1, last.size(), stdout);
  return std::fflush(stdout) == 0 ? 0 : 23;
}
