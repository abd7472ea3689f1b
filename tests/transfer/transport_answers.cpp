// Answers that are unusual and right, or wrong in a way that must be said: heads byte by byte.
//
// Each answer is written here as it goes over the wire (the behaviour `raw` of hostile.py), and each
// call runs in a child over the transport under test.
#include "children.hpp"

namespace {

using namespace children;
using vqcache::errc;

const std::string ok = "HTTP/1.1 200 OK\r\n", end = "Connection: close\r\n\r\n";
const std::string whole = ok + "Content-Length: {size}\r\n" + end + "{body}";

struct scene {
  std::string title;
  std::vector<std::string> answers;   // to the first request, the second...; the last one again
  std::string want = "right";         // or the name of an errc
  std::vector<std::string> said{};    // in the error
  std::vector<std::string> unsaid{};  // not in the error
  int requests = 0;                   // so many, unless 0
  vqcache::source from{};             // headers of the user's
  // Over options::fetch, if that is another: of a head that is none the library sees nothing, and
  // what was folded it sees unfolded.
  std::string over_fetch{};
};

std::string target_of(const scene& s, const std::string& key) {
  std::string target = "/raw/" + key + "/last.ckpt";
  for (std::size_t i = 0; i < s.answers.size(); ++i)
    target += (i == 0 ? "?" : "&") + std::to_string(i + 1) + "="
        + support::hostile_server::encoded(s.answers[i]);
  return target;
}

void check_scene(const scene& s, const outcome& o, const std::string& path) {
  INFO(describe(o));
  const std::string got = !o.finished ? "nothing" : o.ok() ? "right" : name_of(o.code);
  CHECK_MESSAGE(got == s.want, s.title, " must be ", s.want, " but is ", got);
  for (const std::string& part : s.said)
    CHECK_MESSAGE(has(o.what, part), "it must say ", part);
  for (const std::string& part : s.unsaid)
    CHECK_MESSAGE(!has(o.what + o.said(), part), "it must not say ", part);
  CHECK_MESSAGE(support::is_utf8(o.what + o.said()), "what people read is UTF-8");
  if (s.requests > 0) CHECK(hostile().log(path).size() == std::size_t(s.requests));
}

void play(const std::vector<scene>& scenes, const std::string& name) {
  scratch home;
  std::vector<job> jobs;
  int number = 0;
  for (const std::string& by : transports())
    for (const scene& given : scenes) {
      scene s = given;
      if (by == by_fetch && !s.over_fetch.empty()) {
        s.want = s.over_fetch;
        s.said.clear();
      }
      const std::string key = name + std::to_string(++number) + by;
      vqcache::source from = s.from;
      from.urls = {hostile().url(target_of(s, key))};
      plan p = call_of(home.fresh(), by, hostile().url("/good/" + key + "/model.yaml"), from);
      p.opts.connections = 1;
      const std::string path = "/raw/" + key + "/last.ckpt";
      jobs.push_back({by + ", " + s.title, p, [=](const outcome& o) {
                        check_invariants(p, o, v1());
                        check_scene(s, o, path);
                      }});
    }
  run_all(jobs);
}

// the headers of all requests for a path
std::vector<support::seen> asked(const std::string& path) {
  return hostile().log(path);
}

std::string header(const support::seen& request, const std::string& name) {
  const auto at = request.headers.find(name);
  return at == request.headers.end() ? "(none)" : at->second;
}

}  // namespace

TEST_SUITE_BEGIN("transport answers");

TEST_CASE("a transfer coding but chunked is refused, and named") {
  const std::string chunk = "5\r\nhello\r\n0\r\n\r\n";
  const auto coded = [&](const std::string& coding) {
    return ok + "Transfer-Encoding: " + coding + "\r\n" + end + chunk;
  };
  std::vector<scene> scenes;
  for (const std::string one : {"gzip", "deflate", "x-unheard-of", "br"})
    for (const std::string& list : {one + ", chunked", one, "chunked, " + one})
      scenes.push_back({list, {coded(list)}, "http_status", {}, {"ended before"}, 1});
  for (scene& s : scenes)
    if (has(s.title, ", chunked")) s.said = {"coding"};
  scenes[0].said = {"transfer coding gzip", "only chunked"};
  scenes.push_back({"in two lines",
      {ok + "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n" + end + chunk},
      "http_status", {"coding"}, {}, 1});
  scenes.push_back({"chunked twice", {coded("chunked, chunked")}, "http_status", {}, {}, 1});
  scenes.push_back({"identity is none",
      {ok + "Transfer-Encoding: identity\r\nContent-Length: {size}\r\n" + end + "{body}"}});
  scenes.push_back({"identity, on a connection that stays open",
      {ok + "Transfer-Encoding: identity\r\nContent-Length: {size}\r\n\r\n{body}"}});
  play(scenes, "transfer");
}

TEST_CASE("a content coding that changes no bytes is no reason to refuse the file") {
  std::vector<scene> scenes;
  const auto coded = [](const std::string& lines) {
    return ok + lines + "Content-Length: {size}\r\n" + end + "{body}";
  };
  for (const std::string none : {"aws-chunked", "none", "utf-8", "UTF-8", "binary", "identity",
           "aws-chunked, identity", "", "8bit", "aws-chunked,"})
    scenes.push_back({"none: " + none, {coded("Content-Encoding: " + none + "\r\n")}});
  for (const std::string real : {"gzip", "x-gzip", "compress", "x-compress", "deflate", "br",
           "zstd", "dcb", "dcz", "GZip", "aws-chunked, gzip", "gzip;q=1", "identity,zstd"})
    scenes.push_back({"real: " + real, {coded("Content-Encoding: " + real + "\r\n")}, "http_status",
        {"encoded the file ("}, {}, 1});
  scenes.push_back(
      {"in two lines", {coded("Content-Encoding: aws-chunked\r\nContent-Encoding: br\r\n")},
          "http_status", {"encoded the file (br)"}, {}, 1});
  scenes.push_back({"a length that a proxy joined with itself",
      {ok + "Content-Length: {size}, {size}\r\n" + end + "{body}"}});
  play(scenes, "content");
}

TEST_CASE("a folded header is unfolded, but nothing folds a status line or an address") {
  const std::string length = "Content-Length: {size}\r\n";
  std::vector<scene> scenes{
      {"in the middle", {ok + "X-A: attachment;\r\n filename=\"m\"\r\n" + length + end + "{body}"}},
      {"by a tab, twice", {ok + "X-A: a\r\n\tb\r\n \t c\r\n" + length + end + "{body}"}},
      {"the last one", {ok + length + "X-A: a\r\n b\r\n" + "\r\n{body}"}},
      {"with bare line ends", {"HTTP/1.1 200 OK\nX-A: a\n b\nContent-Length: {size}\n\n{body}"}},
      {"a value behind its name", {ok + "ETag:\r\n \"v1\"\r\n" + length + end + "{body}"}},
      {"a coding behind its name",
          {ok + "Transfer-Encoding:\r\n gzip,\r\n chunked\r\n" + end + "0\r\n\r\n"}, "http_status"},
      {"the status line", {"HTTP/1.1 200 OK\r\n X: y\r\n" + length + end + "{body}"}, "http_status",
          {}, {}, 0, {}, "connection"},
      {"before the status line", {" HTTP/1.1 200 OK\r\n" + length + end + "{body}"}, "http_status",
          {}, {}, 0, {}, "connection"},
      {"without end",
          {ok + "X-A: a\r\n" + std::string(2000, ' ') + "b\r\n" + length + end + "{body}"}},
      {"an address that has begun",
          {"HTTP/1.1 302 Found\r\nLocation: /good/\r\n x/last.ckpt\r\n" + end}, "http_status", {},
          {}, 0, {}, "right"},
      {"an address behind its name",
          {"HTTP/1.1 302 Found\r\nLocation:\r\n /good/fold/last.ckpt\r\nContent-Length: 0\r\n"
              + end}},
      {"a line that is no header", {ok + "X (a): b\r\n" + length + end + "{body}"}},
      {"white space before a colon that matters",
          {ok + "Transfer-Encoding : chunked\r\n" + length + end + "{body}"}, "http_status", {}, {},
          0, {}, "connection"},
  };
  play(scenes, "fold");
}

TEST_CASE("a part under 200 is no file, where no answer before has told the length either") {
  const std::string tag = "ETag: \"v1\"\r\n";
  const std::string cut = ok + "Transfer-Encoding: chunked\r\n" + tag + end + "249f0\r\n{first}";
  const std::string range = "Content-Range: bytes {at}-{last}/{size}\r\n";
  const std::string all = ok + "Content-Length: {size}\r\n" + tag + end + "{body}";
  const auto part = [&](const std::string& lines) {
    return ok + lines + end + "{rest}";
  };
  const std::string part_in_chunks = cut.substr(0, cut.find("{first}")) + "{rest}\r\n0\r\n\r\n";
  play({{"its range is told", {cut, part("Content-Length: {left}\r\n" + range + tag), all}, "right",
            {}, {}, 3},
           {"without a mark", {cut, part("Content-Length: {left}\r\n" + range), all}, "right", {},
               {}, 3},
           {"without a length", {cut, part(range + tag), all}, "right", {}, {}, 3},
           {"without a range", {cut, part("Content-Length: {left}\r\n" + tag), all}, "right", {},
               {}, 3},
           {"in chunks", {cut, part_in_chunks, all}, "right", {}, {}, 3},
           {"by its end alone", {cut, part(tag), all}, "right", {}, {}, 3}},
      "under");
}

TEST_CASE("a connection that is cut inside the head is a cut, and tried again") {
  const std::string head = ok + "Content-Length: {size}\r\nETag: \"v1\"\r\n\r\n";
  const std::string moved = "HTTP/1.1 302 Found\r\nLocation: /good/x/last.ckpt\r\n";
  std::vector<scene> scenes;
  for (const std::size_t at : {0, 3, 9, 12, 15, 16, 17, 30})
    scenes.push_back(
        {"after " + std::to_string(at), {head.substr(0, at), whole}, "right", {}, {}, 2});
  scenes.push_back({"before the empty line", {head.substr(0, head.size() - 2), whole}});
  scenes.push_back({"in the empty line", {head.substr(0, head.size() - 1), whole}});
  scenes.push_back({"in a redirect, after its first line", {moved.substr(0, 20), whole}});
  scenes.push_back({"in a redirect, after its address", {moved, whole}});
  scenes.push_back({"after an interim answer", {"HTTP/1.1 103 Early Hints\r\n\r\n", whole}});
  scenes.push_back({"in the head of the rest",
      {ok + "Content-Length: {size}\r\nETag: \"v1\"\r\n" + end + "{first}", "HTTP/1.1 206 Part",
          "HTTP/1.1 206 OK\r\nContent-Length: {left}\r\nETag: \"v1\"\r\n"
          "Content-Range: bytes {at}-{last}/{size}\r\n"
              + end + "{rest}"},
      "right", {}, {"Discarded"}, 3});
  scenes.push_back(
      {"always", {ok + "Content-Le"}, "truncated", {"header", " tries)"}, {}, 0, {}, "connection"});
  play(scenes, "cut");
}

TEST_CASE("an address with quotes, backslashes or raw bytes is followed, percent-encoded") {
  const auto to = [](const std::string& where, const std::string& before = "") {
    return "HTTP/1.1 302 Found\r\n" + before + "Location: " + where + "\r\n"
        + "Content-Length: 0\r\n" + end;
  };
  scratch home;
  int number = 0;
  for (const std::string& by : transports()) {
    const std::vector<std::pair<std::string, std::string>> addresses{{"\"quoted\"", "%22quoted%22"},
        {"back\\slash", "back%5Cslash"}, {"a b", "a%20b"}, {"\xc3\xa4\xff", "%C3%A4%FF"},
        {"%20", "%20"}, {"a?q=\"\xc3\xa4\"", "a?q=%22%C3%A4%22"}};
    for (const auto& [sent, seen] : addresses) {
      const std::string key = "address" + std::to_string(++number) + by;
      const std::size_t query = (std::min)(sent.find('?'), sent.size());
      const std::string tail = "/last.ckpt";
      const scene s{
          sent, {to("/good/" + key + "/" + sent.substr(0, query) + tail + sent.substr(query))}};
      plan p = call_of(home.fresh(), by, hostile().url("/good/" + key + "/model.yaml"),
          hostile().url(target_of(s, key)));
      const outcome o = call(p);
      INFO(describe(o));
      CHECK_MESSAGE(o.ok(), sent);
      const std::size_t at = (std::min)(seen.find('?'), seen.size());
      const std::string path = "/good/" + key + "/" + seen.substr(0, at) + tail + seen.substr(at);
      CHECK_MESSAGE(hostile().count(path) == 1, path);
    }
  }
  play({{"a tab is refused", {to("/good/\tx/last.ckpt")}, "http_status"},
           {"a quote in a host is refused", {to("http://a\"b/last.ckpt")}, "http_status"},
           {"raw bytes in the text", {to("ftp://h/\xff\xc3")}, "http_status", {"neither http"}}},
      "refused");
}

TEST_CASE("a part whose total is not told, and dates of the older forms, continue a file") {
  const auto half = [](const std::string& lines) {
    return ok + "Content-Length: {size}\r\n" + lines + end + "{first}";
  };
  const auto rest = [](const std::string& range, const std::string& lines) {
    return "HTTP/1.1 206 Partial Content\r\nContent-Length: {left}\r\nContent-Range: " + range
        + "\r\n" + lines + end + "{rest}";
  };
  const std::string tag = "ETag: \"v1\"\r\n", late = "Date: Tue, 15 Nov 2022 08:12:31 GMT\r\n";
  const std::string usual = "bytes {at}-{last}/{size}";
  std::vector<scene> scenes;
  for (const std::string range : {"bytes {at}-{last}/*", "Bytes {at}-{last}/*",
           "bytes  {at} - {last} / {size}", "BYTES {at}-{last}/{size}",
           "bytes {at}-{last}/{size}\r\nContent-Range: bytes {at}-{last}/{size}"})
    scenes.push_back({range, {half(tag), rest(range, tag)}, "right", {}, {"Discarded"}, 2});
  for (const std::string date : {"Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
           "Sun, 06 Nov 1994 08:49:37 GMT"}) {
    const std::string lines = "Last-Modified: " + date + "\r\n" + late;
    scenes.push_back({date, {half(lines), rest(usual, lines)}, "right", {}, {"Discarded"}, 2});
  }
  play(scenes, "rest");
}

TEST_CASE("a cookie of a redirect goes back to its host, beside the user's own, and nowhere else") {
  const auto moved = [](const std::string& to, const std::string& cookies) {
    return "HTTP/1.1 302 Found\r\nLocation: " + to + "\r\n" + cookies + "Content-Length: 0\r\n"
        + end;
  };
  scratch home;
  for (const std::string& by : transports()) {
    const std::string key = "cookies" + by, port = hostile().fact("plain");
    const std::string other = hostile().url("/good/" + key + "/other/last.ckpt", "other");
    const std::string path = "/raw/" + key + "/last.ckpt", third = "/good/" + key + "/last.ckpt";
    // to itself, then to a path where a cookie holds that is for it alone, then to another host
    const scene s{"cookies",
        {moved(path + "?1=" + support::hostile_server::encoded(moved(third, "")),
            "Set-Cookie: wall=SECRET-wall; Path=/; HttpOnly\r\nSet-Cookie: b=two\r\n"
            "Set-Cookie: far=off; Path=/elsewhere\r\nSet-Cookie: tls=only; Secure\r\n"
            "Set-Cookie: evil=x; Domain=example.com\r\n")}};
    vqcache::source from;
    from.urls = {hostile().url(target_of(s, key))};
    from.headers = {"cookie: mine=1; b=old"};
    const outcome o =
        call(call_of(home.fresh(), by, hostile().url("/good/" + key + "/model.yaml"), from));
    INFO(describe(o));
    CHECK(o.ok());
    const std::vector<support::seen> requests = asked(path);
    REQUIRE(requests.size() == 2);
    CHECK(header(requests[0], "cookie") == "mine=1; b=old");
    CHECK(header(requests[1], "cookie") == "mine=1; b=two; wall=SECRET-wall");
    REQUIRE(asked(third).size() == 1);
    CHECK(header(asked(third)[0], "cookie") == "mine=1; b=old; wall=SECRET-wall");

    // a host of another name gets none, nor does one on another port
    for (const std::string& away : {"http://localhost:" + port, hostile().url("", "other")}) {
      const std::string away_key = key + (has(away, "localhost") ? "name" : "port");
      const std::string there = "/good/" + away_key + "/last.ckpt";
      const scene out{"away", {moved(away + there, "Set-Cookie: wall=SECRET-wall; Path=/\r\n")}};
      from.urls = {hostile().url(target_of(out, away_key))};
      CHECK(
          call(call_of(home.fresh(), by, hostile().url("/good/" + away_key + "/model.yaml"), from))
              .ok());
      REQUIRE(asked(there).size() == 1);
      CHECK(header(asked(there)[0], "cookie") == "(none)");
    }
    // what the server repeats of it is not shown, and nothing of it stays on the disk
    const std::string fail_key = key + "fail";
    const std::string fail_path = "/raw/" + fail_key + "/last.ckpt";
    const scene failing{"fail",
        {moved(fail_path + "?1="
                + support::hostile_server::encoded("HTTP/1.1 403 No\r\nContent-Length: 25\r\n" + end
                    + "you sent wall=SECRET-wall"),
            "Set-Cookie: wall=SECRET-wall; Path=/\r\n")}};
    const plan p = call_of(home.fresh(), by, hostile().url("/good/" + fail_key + "/model.yaml"),
        hostile().url(target_of(failing, fail_key)));
    const outcome bad = call(p);
    INFO(describe(bad));
    CHECK(has(bad.what, "you sent"));
    CHECK(!has(bad.what + bad.said(), "SECRET-wall"));
    CHECK(support::run("grep -r SECRET-wall " + support::quoted(p.where.string())).code == 1);
  }
}

TEST_CASE("a header of the user's replaces ours and is sent once") {
  scratch home;
  for (const std::string& by : transports()) {
    const std::string key = "headers" + by, path = "/good/" + key + "/last.ckpt";
    vqcache::source from;
    from.urls = {hostile().url(path)};
    from.headers = {"accept: application/octet-stream", "USER-AGENT: mine/1", "X-Own: a",
        "Accept-Encoding: identity"};
    const outcome o =
        call(call_of(home.fresh(), by, hostile().url("/good/" + key + "/model.yaml"), from));
    INFO(describe(o));
    CHECK(o.ok());
    REQUIRE(asked(path).size() == 1);
    const std::string text = hostile().control("log?text=1&path=" + path);
    const auto times = [&](const std::string& name) {
      int n = 0;
      for (std::size_t at = 0; (at = text.find("\t" + name + ": ", at)) != std::string::npos; ++at)
        ++n;
      return n;
    };
    for (const std::string name : {"accept", "user-agent", "x-own", "accept-encoding"})
      CHECK_MESSAGE(times(name) == 1, name, " in\n", text);
    CHECK(header(asked(path)[0], "accept") == "application/octet-stream");
    CHECK(header(asked(path)[0], "user-agent") == "mine/1");
    CHECK(header(asked(path)[0], "accept-encoding") == "identity");
  }
}

TEST_CASE("what a server says is cut and shown as UTF-8") {
  const auto page = [](const std::string& body, const std::string& status = "200 OK") {
    return "HTTP/1.1 " + status + "\r\nContent-Type: text/html\r\nContent-Length: "
        + std::to_string(body.size()) + "\r\n" + end + body;
  };
  std::string umlauts, euros;
  for (int i = 0; i < 200; ++i)
    umlauts += "\xc3\xa4", euros += "\xe2\x82\xac";
  std::vector<scene> scenes;
  for (std::size_t shift = 0; shift < 4; ++shift)
    for (const std::string& text : {umlauts, euros})
      scenes.push_back(
          {"cut " + std::to_string(shift), {page("<html><body>" + std::string(shift, 'x') + text)},
              "not_the_file", {text.substr(0, 60)}});
  scenes.push_back({"raw bytes",
      {page("<html>caf\xe9 \xff\xfe \xc2\x9b"
            "31m")},
      "not_the_file", {"caf? "}, {"\xc2\x9b"}});
  scenes.push_back(
      {"an error", {page("<html>caf\xe9 " + umlauts, "404 No")}, "http_status", {"caf? "}});
  scenes.push_back({"a coding",
      {ok + "Transfer-Encoding: \xe9gzip\r\nContent-Length: {size}\r\n" + end + "{body}"},
      "http_status"});
  play(scenes, "utf8");
}

TEST_SUITE_END();
