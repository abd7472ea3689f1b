// No credential in messages, errors, standard streams, files, their names, or a child's arguments.
//
// A canary stands in user info, query, headers, redirects and proxies; every call here is made
// where an on-looker could see it: with a curl first in PATH that writes down its arguments.
#include "children.hpp"

namespace {

using namespace children;
using vqcache::errc;
using vqcache::source;

const char* const canary = "C4n4ryT0kenOf32Characters1234567";

bool leaks(const std::string& text) {  // a part of it is too much; so is its base64 in Basic
  return has(text, "C4n4ry") || has(text, "1234567") || has(text, "40cnlUMGtlbk9m");
}

class watched_curl {  // a directory to be first in PATH; what its curl was called with
 public:
  watched_curl() : real_(find_in_path("curl").string()) {
    write_file(home_ / "bin/curl",
        "#!/bin/sh\n{ printf '%s\\n' \"$0\" \"$@\"; [ ! -r /proc/$$/cmdline ] || "
        "tr '\\0' '\\n' < /proc/$$/cmdline; } >> '"
            + log().string() + "'\nexec " + real_ + " \"$@\"\n");
    fs::permissions(home_ / "bin/curl", fs::perms::all);
  }

  bool there() const { return !real_.empty(); }

  std::string path() const { return (home_ / "bin").string() + ":" + std::getenv("PATH"); }

  std::string arguments() const { return slurp(log()); }

 private:
  fs::path log() const { return home_ / "arguments"; }

  scratch home_;
  std::string real_;
};

// everything that stays on the disk, names included, but for the files of the model themselves
std::string traces(const plan& p) {
  std::string all;
  std::error_code e;
  for (fs::recursive_directory_iterator i(p.where, e), end; !e && i != end; i.increment(e)) {
    const std::string name = i->path().filename().string();
    all += i->path().string() + "\n";
    if (i->is_regular_file(e) && name != "m.yaml" && name != "m.ckpt" && name != "outcome")
      all += slurp(i->path()) + "\n";
  }
  return all;
}

struct scenario {
  std::string title;
  source checkpoint;
  std::string want;  // an errc's name, or success
  environment env{};
  std::string over_fetch{};  // the same over options::fetch, if it is another; "none": not asked
};

void check_secrets(const std::vector<scenario>& all) {
  scratch home;
  const watched_curl watched;
  std::vector<job> jobs;
  for (const std::string& by : transports())
    for (const scenario& given : all) {
      scenario s = given;
      if (by == by_fetch && !s.over_fetch.empty()) s.want = s.over_fetch;
      if (s.want == "none")
        continue;  // the client of these tests speaks neither TLS nor to a proxy
      plan p = call_of(
          home.fresh(), by, hostile().url("/good/secret-" + by + "/model.yaml"), s.checkpoint);
      if (watched.there()) p.env["PATH"] = watched.path();
      for (const auto& [name, value] : s.env)
        p.env[name] = value;
      // what exists only while the call runs is looked at while it runs
      const fs::path seen = home / ("seen-" + std::to_string(jobs.size()));
      p.opts.on_progress = [p, seen](const vqcache::progress&) {
        write_file(seen, slurp(seen) + traces(p));
        return true;
      };
      const auto judge = [=](const outcome& o) {
        INFO(describe(o));
        CHECK(o.finished);
        CHECK_MESSAGE(name_of(o.code) == s.want, "it must end with ", s.want);
        CHECK_MESSAGE(!leaks(o.what), "what() leaks: ", o.what);
        CHECK_MESSAGE(!leaks(o.said()), "a message leaks: ", o.said());
        CHECK_MESSAGE(!leaks(o.noise), "a standard stream leaks: ", o.noise);
        CHECK_MESSAGE(!leaks(traces(p)), "the disk leaks: ", traces(p));
        CHECK_MESSAGE(!leaks(slurp(seen)), "the disk leaks on the way: ", slurp(seen));
        if (o.ok())
          CHECK_MESSAGE(has(slurp(seen), ".part"), "a partial was seen, or this test sees nothing");
      };
      jobs.push_back({by + ", " + s.title, p, judge, [=] {
                        outcome o = make(p);
                        vqcache::options quiet = options_of(p);  // the throwing form says the same
                        quiet.on_message = {};
                        if (s.want != "success") {
                          try {
                            (void)vqcache::download_vqgan_model(
                                p.name, p.config, p.checkpoint, quiet);
                          } catch (const vqcache::error& e) {
                            o.what += std::string("\n") + e.what();
                          }
                        }
                        return o;
                      }});
    }
  run_all(jobs, 16);
  if (watched.there() && transports().back() == "curl") {
    CHECK_MESSAGE(has(watched.arguments(), "-K"), "the watched curl was called");
    CHECK_MESSAGE(!leaks(watched.arguments()), watched.arguments());
  }
}

std::string with_user(const std::string& url, const std::string& user) {
  const std::size_t at = url.find("://") + 3;
  return url.substr(0, at) + user + "@" + url.substr(at);
}

std::string plain(const std::string& path) {
  return hostile().url(path);
}

std::string token() {
  return std::string("token=") + canary;
}

}  // namespace

TEST_SUITE_BEGIN("transport secrets");

TEST_CASE("a credential that works appears in no message, file, stream or argument") {
  const std::string user = std::string("user:") + canary,
                    header = std::string("X-Token: ") + canary;
  check_secrets({
      {"user info", source(with_user(plain("/good/s/last.ckpt"), user)), "success"},
      {"user info without a password", source(with_user(plain("/good/s/last.ckpt"), canary)),
          "success"},
      {"query", source(plain("/good/s/last.ckpt?" + token() + "&sig=" + canary)), "success"},
      {"query that names a file, and holds the secret",
          source(plain("/good/s/last.ckpt?p=" + std::string(canary) + "&path=%2Fa%2F" + canary)),
          "success"},
      {"query without a name", source(plain("/good/s/last.ckpt?" + std::string(canary))),
          "success"},
      {"header",
          source({plain("/good/s/last.ckpt")}, "",
              {header, std::string("Authorization: Bearer ") + canary,
                  std::string("Cookie: session=") + canary}),
          "success"},
      {"signed URL behind a redirect",
          source(plain("/redirect_other_port/s/last.ckpt?to=/good/s/last.ckpt?" + token())),
          "success"},
      {"proxy", source(plain("/good/s/last.ckpt")), "success",
          {{"http_proxy", with_user(hostile().url("", "proxy"), user)}}},
      {"a hit by another URL", source(plain("/good/t/last.ckpt?" + token())), "success"},
  });
}

TEST_CASE("a credential that fails appears in no error, message, file, stream or argument") {
  const std::string user = std::string("user:") + canary;
  const auto all_over = [&](const std::string& path, const std::string& kind = "plain",
                            const std::string& host = "127.0.0.1") {
    return source({with_user(hostile().url(path + "?" + token(), kind, host), user)}, "",
        {std::string("X-Token: ") + canary});
  };
  std::vector<std::unique_ptr<small_server>> redirecting;  // the URL they are asked for is harmless
  const auto redirect_to = [&](const std::string& to) {
    redirecting.push_back(std::make_unique<small_server>([to](const std::string&) {
      return "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + to + "\r\n\r\n";
    }));
    return source(redirecting.back()->url("/last.ckpt"));
  };
  std::vector<scenario> all{
      {"404", all_over("/gone_404_body/s/last.ckpt"), "http_status"},
      {"401", all_over("/auth_401/s/last.ckpt"), "http_status"},
      {"404, with the secret for a file's name",
          source(plain("/gone_404_body/s/last.ckpt?filename=" + std::string(canary))),
          "http_status"},
      {"500 for ever", all_over("/retry_503_forever/s/last.ckpt"), "http_status"},
      {"cut", all_over("/truncated/s/last.ckpt"), "truncated"},
      {"login page", all_over("/html_login/s/last.ckpt"), "not_the_file"},
      {"no HTTP", all_over("/http09/s/last.ckpt"), "http_status", {}, "connection"},
      {"redirect without end", all_over("/redirect_loop/s/last.ckpt"), "http_status"},
      {"redirect nowhere", all_over("/redirect_no_location/s/last.ckpt"), "http_status"},
      {"redirect to a dead host", redirect_to("http://127.0.0.1:1/x?" + token()), "connection"},
      {"redirect to an error", redirect_to(plain("/gone_404_body/s/x?" + token())), "http_status"},
      {"redirect to ftp",
          redirect_to("ftp://user:" + std::string(canary) + "@127.0.0.1/?" + token()),
          "http_status"},
      {"redirect to data", redirect_to("data:text/plain," + std::string(canary)), "http_status"},
      {"redirect that is no URL", redirect_to("/a b?" + token()), "http_status"},
      {"redirect to a bad port",
          redirect_to("http://user:" + std::string(canary) + "@127.0.0.1:99999/?" + token()),
          "http_status"},
      {"nobody listens", all_over("/x", "plain", "127.0.0.2"), "connection"},
      {"no such host",
          source("http://user:" + std::string(canary) + "@no-such-host.invalid/?" + token()),
          "connection"},
      {"pin", source({plain("/good/s/last.ckpt?" + token())}, std::string(64, '0')),
          "hash_mismatch"},
      {"mirrors",
          source({plain("/gone_410/s/last.ckpt?" + token()),
              with_user(plain("/auth_401/s/last.ckpt"), user)}),
          "http_status"},
      {"dead proxy", source(plain("/good/s/last.ckpt")), "connection",
          {{"http_proxy", "http://" + user + "@127.0.0.1:1"}}, "none"},
      {"proxy that is no URL", source(plain("/good/s/last.ckpt")), "connection",
          {{"http_proxy", "http://" + user + "@127.0.0.1:99999"}}, "none"},
      {"proxy of an unknown kind", source(plain("/good/s/last.ckpt")), "connection",
          {{"http_proxy", "quux://" + user + "@127.0.0.1:1"}}, "none"},
  };
  if (!hostile().fact("ca").empty()) {
    all.push_back(
        {"bad certificate", all_over("/good/s/last.ckpt", "self", "localhost"), "tls", {}, "none"});
    all.push_back({"https down to http",
        source(hostile().url("/redirect_other_host/s/last.ckpt?to="
                + support::hostile_server::encoded(plain("/good/s/last.ckpt?" + token())),
            "tls", "localhost")),
        "http_status", {{"SSL_CERT_FILE", hostile().fact("ca")}}, "none"});
  }
  check_secrets(all);
}

TEST_CASE(
    "a server that repeats the request in its error page does not make us repeat the secret") {
  const auto echo = [](const std::string& status, const std::string& start) {
    return [=](const std::string& ask) {
      return "HTTP/1.1 " + status + "\r\nConnection: close\r\n\r\n" + start + ask;
    };
  };
  const small_server forbidden(echo("403 Forbidden", "<html><body>You may not: ")),
      page(echo("200 OK", "<html><body>Please sign in: ")),
      json(echo("200 OK", "{\"error\": \"bad token in: "));
  const small_server decoding([](const std::string& ask) {  // as those that quote a signature do
    return std::string("HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n<html>token=") + canary
        + (has(ask, "%") ? "/+=" : "") + " is wrong";
  });
  const small_server hop([](const std::string& ask) {
    if (has(ask, "signed")) return "HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n" + ask;
    return "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /signed?" + token() + "\r\n\r\n";
  });
  const auto all_over = [&](const small_server& s) {
    return source({with_user(s.url("/last.ckpt?" + token()), std::string("user:") + canary)}, "",
        {std::string("X-Token: ") + canary});
  };
  std::vector<scenario> all{{"error page", all_over(forbidden), "http_status"},
      {"login page", all_over(page), "not_the_file"}, {"JSON", all_over(json), "not_the_file"},
      {"decoded", source(decoding.url("/last.ckpt?" + token() + "%2F%2B%3D")), "http_status"},
      {"behind a redirect", source(hop.url("/last.ckpt")), "http_status"}};
  // words are cut after some 160 bytes: not within the secret
  std::vector<std::unique_ptr<small_server>> padded;
  for (std::size_t padding = 110; padding < 160; padding += 9) {
    padded.push_back(std::make_unique<small_server>(
        echo("403 Forbidden", "<html><body>" + std::string(padding, 'x') + " ")));
    all.push_back({"cut " + std::to_string(padding), all_over(*padded.back()), "http_status"});
  }
  check_secrets(all);
}

TEST_CASE("an argument that is refused is not repeated with its secrets") {
  scratch home;
  for (const std::string& url : {std::string("http://user:") + canary + "@host/a b?" + token(),
           std::string("http://user:") + canary + "@host:99999/?" + token(),
           std::string("ftp://user:") + canary + "@host/?" + token(),
           std::string("http://user:") + canary + "@/?" + token(),
           std::string("http://host/?") + token() + "\n",
           std::string("http://host/?") + token() + "#sha256=12"}) {
    INFO(url);
    const plan p = call_of(home.fresh(), "", plain("/good/s/model.yaml"), source(url));
    const outcome o = call(p);
    CHECK_MESSAGE(o.failed(errc::invalid_argument), describe(o));
    CHECK_MESSAGE(!leaks(o.what), o.what);
  }
  for (const std::string& header : {std::string("Authorization Bearer ") + canary,
           std::string("X-Token: ") + canary + "\n", std::string("X Token: ") + canary}) {
    INFO(header);
    const plan p = call_of(home.fresh(), "", plain("/good/s/model.yaml"),
        source({plain("/good/s/last.ckpt")}, "", {header}));
    const outcome o = call(p);
    CHECK_MESSAGE(o.failed(errc::invalid_argument), describe(o));
    CHECK_MESSAGE(!leaks(o.what), o.what);
  }
}

TEST_SUITE_END();
