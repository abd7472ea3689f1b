// Every transport against honest, clumsy and hostile servers: the right file or a clear error.
//
// Every call runs in a child (children.hpp). After each of them, whatever it was about, the same
// is checked: it came back; under the final names stands the right file or nothing; nobody but
// on_message spoke; no child, thread or descriptor is left; SIGPIPE and the signal mask are as they
// were; an error explains itself, and no control character of a server reaches the terminal.
#include "children.hpp"

namespace {

using namespace children;
using vqcache::errc;
using vqcache::source;

std::string target(const std::string& behaviour, const std::string& key, const std::string& file) {
  const std::size_t mark = behaviour.find('?');
  return "/" + behaviour.substr(0, mark) + "/" + key + "/" + file
      + (mark == std::string::npos ? "" : behaviour.substr(mark));
}

struct row {
  std::string behaviour;  // of hostile.py, with its options
  std::string want;       // right, v2, served (as a plain client gets it), either, or errc names
  std::string phrase{};
  // What it is over options::fetch, if that is another: of a failure that only the user's function
  // sees it tells nothing but words, which is errc::connection.
  std::string over_fetch{};
};

row over(const std::string& by, row r) {
  if (by != by_fetch || r.over_fetch.empty()) return r;
  r.want = r.over_fetch;
  r.phrase = r.want == "connection" ? "options::fetch says" : "";
  return r;
}

// A part of which little comes, again and again, holds a call over options::fetch: that a request
// took long is not known once the function has returned.
bool holds_for_ever(const std::string& by, const std::string& behaviour) {
  return by == by_fetch && behaviour == "range_stalls";
}

bool names(const std::string& wanted, const std::string& one) {
  return has("|" + wanted + "|", "|" + one + "|");
}

// no error but a right file, or one of the errors wanted, with the phrase
void check_answer(const row& r, const outcome& o) {
  INFO(describe(o));
  const std::string got = o.finished ? name_of(o.code) : "nothing";
  if (r.want == "either") return;
  if (r.want == "right" || r.want == "served" || r.want == "v2") {
    CHECK_MESSAGE(o.ok(), r.behaviour, " must give the right file");
    return;
  }
  CHECK_MESSAGE(names(r.want, got), r.behaviour, " must be ", r.want, " but is ", got);
  CHECK_MESSAGE(has(o.what, r.phrase), r.behaviour, " must say '", r.phrase, "'");
}

// what one failing or slow behaviour costs is bounded here, so that the whole table takes seconds
void hurry(plan& p, const std::string& behaviour) {
  for (const std::string slow : {"stall", "slow", "hold"})
    if (behaviour.compare(0, slow.size(), slow) == 0)
      p.opts.connect_seconds = p.opts.stall_seconds = 1;
  if (behaviour == "stall_once") p.opts.stall_seconds = 3;  // in which the second answer comes
}

// What the server does to the checkpoint, and what has to come of it; nothing is pinned.
const std::vector<row>& checkpoints() {
  static const std::vector<row> rows{
      // honest servers of several kinds
      {"good", "right"},
      {"big/300000", "served"},
      {"no_ranges", "right"},
      {"no_etag", "right"},
      {"weak_etag", "right"},
      {"last_modified", "right"},
      {"head_refused", "right"},
      {"head_lies", "right"},
      {"lower_case", "right"},
      {"http10", "right"},
      {"seafile", "right"},
      {"hugging_face", "right"},
      {"hugging_face_lies", "hash_mismatch", "declared the SHA-256"},
      // lengths
      {"truncated", "truncated", "150000"},
      {"truncated_rst", "truncated|connection"},
      {"cut_once", "right"},
      {"cl_missing", "right"},
      {"cl_missing_truncated", "truncated", "zip archive without its end"},
      {"cl_too_small", "truncated", "zip archive without its end"},
      {"cl_duplicate_conflict", "http_status", "Content-Length"},
      {"cl_duplicate_same", "right"},
      {"cl_negative", "http_status"},
      {"cl_plus", "http_status", "Content-Length"},
      {"cl_garbage", "http_status", "Content-Length"},
      {"cl_huge", "not_the_file", "max_bytes"},
      {"cl_overflow", "http_status|not_the_file"},
      {"extra_after_body", "right"},
      {"keepalive_lie", "right"},
      {"keepalive_held", "right"},
      {"endless", "not_the_file", "more than"},
      // chunked, codings
      {"chunked", "right"},
      {"chunked_trailer", "right"},
      {"chunked_truncated", "truncated|connection"},
      {"chunked_bad", "connection|http_status|truncated"},
      {"chunked_and_cl", "right"},
      {"chunked_empty", "not_the_file", "an empty file"},
      {"gzip_unasked", "http_status", "encoded the file (gzip)"},
      {"gzip_undeclared", "served"},  // a checkpoint may be a .tar.gz
      {"gzip_bomb", "http_status", "encoded"},
      // ranges: nothing asks for one yet, so that a second plain request brings it all
      {"range_ignored", "right"},
      {"range_wrong_start", "right"},
      {"range_lying", "right"},
      {"range_wrong_total", "right"},
      {"range_unknown_total", "right"},
      {"ranges_none", "right"},
      {"unranged", "right"},
      {"reset_second", "right"},
      {"chunked_etag", "right"},
      {"odd_once", "right"},
      {"other_version", "right"},
      {"one_mark_only", "right"},
      {"late_body", "v2"},
      {"held_refused", "right"},
      {"range_no_header", "right"},
      {"range_two_headers", "right"},
      {"range_overflow", "right"},
      {"range_multipart", "right"},
      {"range_short", "right"},
      {"range_long", "right"},
      {"range_416", "right"},
      {"range_416_total", "right"},
      {"range_403", "right"},
      {"range_gzip", "right"},
      {"range_page", "right"},
      {"range_stalls", "right"},
      {"range_mixed", "right"},
      {"range_mixed_silent", "right"},
      {"etag_per_node", "right"},
      {"few_connections", "right"},
      {"partial_unasked", "http_status", "206"},
      {"partial_unasked_end", "http_status", "206"},
      {"part_under_200", "right"},
      {"half_for_ever", "http_status", "two lengths"},
      {"end_of_another", "right"},
      {"part_of_another", "right"},
      {"cut_growing", "truncated"},
      {"page_for_the_rest", "not_the_file"},
      {"unsized_once", "right", "", "truncated"},
      {"whole_as_206", "right"},
      {"whole_as_200", "right"},
      {"parts_refused", "right"},
      {"length_untold", "right"},
      {"one_client", "right"},
      {"one_thread", "right"},
      {"redirect_waits", "connection"},
      {"changed_midway", "v2"},
      {"changed_midway_no_if_range", "v2"},
      {"changed_midway_no_etag", "v2"},
      {"cut_then_resume", "either"},
      {"cut_without_gain", "truncated|connection"},
      {"resume_503", "right"},
      {"token_expires", "either"},
      // status codes
      {"no_content", "http_status", "204"},
      {"reset_205", "http_status", "205"},
      {"empty_200", "not_the_file", "an empty file"},
      {"not_modified", "http_status", "304"},
      {"accepted_202", "either"},
      {"retry_503", "right"},
      {"retry_500", "right"},
      {"retry_502_page", "right"},
      {"retry_408", "either"},
      {"too_many_429", "right"},
      {"too_many_429_forever", "http_status", "429"},
      {"retry_503_forever", "http_status", "503"},
      {"retry_after_date", "right"},
      {"retry_after_past", "right"},
      {"retry_after_huge", "http_status", "503"},
      {"retry_after_garbage", "right"},
      {"auth_401", "http_status", "credentials"},
      {"basic_auth", "http_status", "credentials"},
      {"bearer_auth", "http_status", "credentials"},
      {"needs_header", "http_status", "credentials"},
      {"forbidden_403", "http_status", "You may not"},
      {"gone_404_body", "http_status", "not found"},
      {"gone_404_endless", "http_status", "404"},
      {"gone_410", "http_status", "410"},
      {"bad_status_999", "http_status"},
      {"needs_agent", "right"},
      // something else instead of the file
      {"html_login", "not_the_file", "Please sign in"},
      {"html_untyped", "not_the_file", "Sign in"},
      {"html_bom", "not_the_file", "Please sign in"},
      {"html_typed_file", "right"},
      {"heibox_gone", "not_the_file", "Link does not exist."},
      {"quota_page", "not_the_file", "Too many users"},
      {"lfs_pointer", "not_the_file", "git-lfs"},
      {"xml_error", "not_the_file", "AuthenticationFailed"},
      {"json_error", "not_the_file", "Repository not found"},
      {"zip_cut", "truncated", "zip archive without its end"},
      {"zeros_tail", "truncated", "zip archive without its end"},
      {"swapped", "not_the_file", "swapped"},
      {"legacy_pickle", "served"},
      {"unknown_binary", "served"},
      {"cookie_wall", "right"},
      // redirects
      {"redirect_ok", "right"},
      {"redirect_ok?code=301", "right"},
      {"redirect_ok?code=303", "right"},
      {"redirect_ok?code=307", "right"},
      {"redirect_ok?code=308", "right"},
      {"redirect_300", "http_status", "300"},
      {"redirect_loop", "http_status", "20 times"},
      {"redirect_pair", "http_status", "20 times"},
      {"redirect_many/20", "right"},
      {"redirect_many/21", "http_status", "20 times"},
      {"redirect_long", "right"},
      {"redirect_file", "http_status", "neither http nor https"},
      {"redirect_ftp", "http_status", "neither http nor https"},
      {"redirect_data", "http_status", "neither http nor https"},
      {"redirect_to_http", "right"},
      {"redirect_to_https", "tls", "", "connection"},
      {"redirect_to_bad_tls", "tls", "", "connection"},
      {"redirect_other_host", "right"},
      {"redirect_other_port", "right"},
      {"redirect_away_and_back", "right"},
      {"redirect_user_info", "http_status", "401"},
      {"redirect_dead", "connection"},
      {"redirect_relative", "right"},
      {"redirect_scheme_relative", "right"},
      {"redirect_query", "right"},
      {"redirect_fragment", "right"},
      {"redirect_space", "right"},
      {"redirect_no_location", "http_status", "without a Location"},
      {"redirect_empty_location", "http_status", "without a Location"},
      {"redirect_two_locations", "either"},
      {"redirect_crlf", "http_status", "", "right"},
      {"redirect_control", "http_status", "", "connection"},
      {"redirect_option", "right"},
      {"redirect_long_location", "either"},
      {"redirect_body", "right"},
      // time
      {"stall_header", "timed_out", "64 KiB in 1 s", "connection"},
      {"stall_body", "timed_out", "64 KiB in 1 s", "connection"},
      {"stall_once", "right"},
      {"stall_end", "timed_out", "64 KiB in 1 s", "connection"},
      {"slowloris", "timed_out", "64 KiB in 1 s"},
      {"slow_header", "timed_out", "64 KiB in 1 s", "connection"},
      // framing
      {"endless_headers", "http_status|connection"},
      {"one_long_header", "http_status|connection"},
      {"many_headers", "right"},
      {"folded_header", "right"},
      {"header_without_colon", "either"},
      {"header_nul", "either"},
      {"header_cut", "http_status|connection|truncated"},
      {"many_100", "right"},
      {"endless_100", "http_status|connection"},
      {"early_hints", "right"},
      {"http09", "http_status", "", "connection"},
      {"garbage_status", "http_status", "", "connection"},
      {"status_no_reason", "right"},
      {"lf_only", "right"},
      {"close_at_once", "http_status|connection"},
      {"rst_at_once", "connection"},
      {"flaky", "right"},
      // metadata that lies
      {"disposition_traversal", "right"},
      {"digest_wrong", "right"},
      {"etag_hostile", "either"},
  };
  return rows;
}

// The same for the config, where its content or the end of the connection is what tells.
const std::vector<row>& configs() {
  static const std::vector<row> rows{
      {"good", "right"},
      {"cl_missing", "right"},
      {"chunked", "right"},
      {"chunked_trailer", "right"},
      {"truncated", "truncated", "remaining", "truncated"},
      {"truncated_rst", "truncated|connection"},
      {"chunked_truncated", "truncated|connection"},
      {"extra_after_body", "right"},
      {"http10", "right"},
      {"keepalive_held", "right"},
      {"chunked_and_cl", "right"},
      {"lf_only", "right"},
      {"early_hints", "right"},
      {"many_100", "right"},
      {"empty_200", "not_the_file", "an empty file"},
      {"gzip_undeclared", "not_the_file"},
      {"endless", "not_the_file"},
      {"html_login", "not_the_file", "Please sign in"},
      {"html_untyped", "not_the_file", "Sign in"},
      {"html_bom", "not_the_file", "Please sign in"},
      {"html_typed_file", "right"},
      {"heibox_gone", "not_the_file", "Link does not exist."},
      {"quota_page", "not_the_file", "Too many users"},
      {"lfs_pointer", "not_the_file", "git-lfs"},
      {"xml_error", "not_the_file", "AuthenticationFailed"},
      {"json_error", "not_the_file", "Repository not found"},
      {"nul_config", "not_the_file", "NUL"},
      {"swapped", "not_the_file", "swapped"},
      {"partial_unasked", "http_status", "206"},
  };
  return rows;
}

// Not in the tables: what other tests of this file need, what only a change between two calls shows
// (story tests), and what nothing but a pin can tell from the file (the pinned test below).
const char* const elsewhere[] = {"changed", "changed_size", "changed_size_midway", "gone",
    "bitflip", "same_size_other", "echo_headers", "nul_config", "redirect_pair_b", "redirect_back",
    "redirect_many", "seafile_file", "token_expired", "hold", "hold_body", "hold_then_cut", "big",
    "raw", "declares", "declares_page", "links"};

std::string after_two(const std::string& path) {  // what the second request for it gives
  (void)get(path);
  return get(path);
}

}  // namespace

TEST_SUITE_BEGIN("transport tables");

TEST_CASE("whatever a server does to the checkpoint, the right file or a clear error comes of it") {
  scratch home;
  std::vector<job> jobs;
  for (const std::string& by : transports())
    for (const row& given : checkpoints()) {
      const row r = over(by, given);
      if (holds_for_ever(by, r.behaviour)) {
        support::noted("not over options::fetch: " + r.behaviour);
        continue;
      }
      const std::string key = "ckpt-" + by, path = target(r.behaviour, key, "last.ckpt");
      right files = v1();
      if (r.want == "served") files.ckpt = get(target(r.behaviour, "plain-" + by, "last.ckpt"));
      if (r.want == "v2") files.ckpt = after_two(target(r.behaviour, "plain-" + by, "last.ckpt"));
      plan p = call_of(
          home.fresh(), by, hostile().url("/good/" + key + "/model.yaml"), hostile().url(path));
      hurry(p, r.behaviour);
      jobs.push_back({by + ", checkpoint, " + r.behaviour, p, [=](const outcome& o) {
                        check_invariants(p, o, files);
                        check_answer(r, o);
                      }});
    }
  std::stable_partition(jobs.begin(), jobs.end(),  // what has to wait begins first
      [](const job& j) { return j.what.opts.stall_seconds == 1; });
  run_all(jobs);
}

TEST_CASE("whatever a server does to the config, the right file or a clear error comes of it") {
  scratch home;
  std::vector<job> jobs;
  for (const std::string& by : transports())
    for (const row& given : configs()) {
      const row r = over(by, given);
      const std::string key = "yaml-" + by;
      const plan p =
          call_of(home.fresh(), by, hostile().url(target(r.behaviour, key, "model.yaml")),
              hostile().url("/good/" + key + "/last.ckpt"));
      jobs.push_back({by + ", config, " + r.behaviour, p, [=](const outcome& o) {
                        check_invariants(p, o, v1());
                        check_answer(r, o);
                      }});
    }
  run_all(jobs);
}

TEST_CASE("with a pin nothing but the pinned bytes gets a name, whatever the server does") {
  scratch home;
  std::vector<job> jobs;
  std::set<std::string> listed;
  for (const row& r : checkpoints()) {
    listed.insert(r.behaviour.substr(0, r.behaviour.find_first_of("?/")));
  }
  for (const char* b : elsewhere)
    listed.insert(b);
  std::istringstream behaviours(hostile().control("list"));
  for (std::string b; behaviours >> b;) {
    CHECK_MESSAGE(listed.count(b) == 1, "no table says what must come of ", b);
    // what waits is the same with and without a pin; big and redirect_many take a number
    if (b.find("stall") == 0 || b.find("slow") == 0 || b.find("hold") == 0) continue;
    if (b == "big" || b == "redirect_many") b += "/19";
    // what is judged here is the same over all of them: they take turns
    const std::vector<std::string> ways = transports();
    const std::string by = ways[jobs.size() % ways.size()];
    if (holds_for_ever(by, b)) continue;
    const plan p = call_of(home.fresh(), by,
        hostile().url("/good/pin-" + by + "/model.yaml#sha256=" + hostile().fact("yaml")),
        hostile().url(target(b, "pin-" + by, "last.ckpt") + "#sha256=" + hostile().fact("ckpt")));
    jobs.push_back({by + ", pinned, " + b, p, [=](const outcome& o) {
                      check_invariants(p, o, v1());
                      if (b == "bitflip" || b == "same_size_other" || b == "unknown_binary"
                          || b == "changed_midway")
                        check_answer({b, "hash_mismatch", "the pin says"}, o);
                      if (b == "good" || b == "cl_missing" || b == "redirect_ok")
                        check_answer({b, "right"}, o);
                    }});
  }
  run_all(jobs);
}

TEST_CASE("a real server serves the pair over each transport: nginx and Python's http.server") {
  scratch home;
  const support::model_files model = support::make_model(home / "tree", 5000000);
  const right files{model.yaml, model.ckpt};
  const support::server nginx = support::nginx(home / "tree"),
                        plain = support::plain(home / "tree");
  for (const support::server* server : {&nginx, &plain}) {
    if (!server->runs()) {
      skipped(server->why());
      continue;
    }
    for (const std::string& by : transports()) {
      INFO(by, " from ", server->url("/"));
      const plan p =
          call_of(home.fresh(), by, server->url("/model.yaml"), server->url("/last.ckpt"));
      const outcome o = call(p);
      check_invariants(p, o, files);
      CHECK(o.ok());
      CHECK(o.from == static_cast<int>(vqcache::origin::network));
      const plan gone =
          call_of(home.fresh(), by, server->url("/model.yaml"), server->url("/not-here.ckpt"));
      const outcome missing = call(gone);
      check_invariants(gone, missing, files);
      CHECK(missing.failed(errc::http_status));
      CHECK(has(missing.what, "404"));
    }
  }
}

TEST_SUITE_END();

TEST_SUITE_BEGIN("transport credentials and redirects");

namespace {

source with_headers(const std::string& url) {
  return source({url}, "", {"Authorization: Bearer secret", "X-Token: secret"});
}

}  // namespace

TEST_CASE("credentials and custom headers reach the host they were given for, and no other") {
  scratch home;
  for (const std::string& by : transports()) {
    INFO(by);
    const std::string yaml = hostile().url("/good/creds-" + by + "/model.yaml");

    struct way {
      std::string behaviour;
      bool kept;  // on the request that gets the file
    };

    for (const way& w : {way{"needs_header", true}, way{"bearer_auth", true},
             way{"redirect_ok", true}, way{"redirect_relative", true},
             way{"redirect_scheme_relative", true}, way{"redirect_other_port", false},
             way{"redirect_other_host", false}, way{"redirect_away_and_back", false}}) {
      INFO(w.behaviour);
      const std::string key = "creds-" + by + "-" + w.behaviour;
      const plan p = call_of(home.fresh(), by, yaml,
          with_headers(hostile().url(target(w.behaviour, key, "last.ckpt"))));
      const outcome o = call(p);
      check_invariants(p, o, v1());
      CHECK_MESSAGE(o.ok(), describe(o));
      CHECK(server_saw(target(w.behaviour, key, "last.ckpt"), "authorization: Bearer secret"));
      CHECK(server_saw(target(w.behaviour, key, "last.ckpt"), "x-token: secret"));
      if (has(w.behaviour, "redirect")) {
        const std::string last = target("good", key, "last.ckpt");
        REQUIRE(hostile().count(last) == 1);
        CHECK(server_saw(last, "authorization: Bearer secret") == w.kept);
        CHECK(server_saw(last, "x-token: secret") == w.kept);
      }
    }
    // nor do they go along to where a redirect led and came back from
    const std::string back = "/redirect_back/creds-" + by + "-redirect_away_and_back/last.ckpt";
    CHECK(hostile().count(back) == 1);
    CHECK_FALSE(server_saw(back, "secret"));
    // a name and a number of one host are two hosts
    const std::string key = "creds-" + by + "-name", last = target("good", key, "last.ckpt");
    const plan p = call_of(home.fresh(), by, yaml,
        with_headers(hostile().url("/redirect_other_host/" + key
            + "/last.ckpt?to=" + hostile().url(last, "plain", "localhost"))));
    const outcome o = call(p);
    CHECK_MESSAGE(o.ok(), describe(o));
    CHECK(hostile().count(last) == 1);
    CHECK_FALSE(server_saw(last, "secret"));
  }
}

TEST_CASE("a mirror on another host never sees the headers of the origin") {
  scratch home;
  for (const std::string& by : transports()) {
    INFO(by);
    const std::string key = "mirror-" + by;
    source s({hostile().url("/gone_410/" + key + "/last.ckpt"),
                 hostile().url("/good/" + key + "/last.ckpt", "other")},
        "", {"Authorization: Bearer secret", "X-Token: secret"});
    const plan p = call_of(home.fresh(), by, hostile().url("/good/" + key + "/model.yaml"), s);
    const outcome o = call(p);
    check_invariants(p, o, v1());
    CHECK_MESSAGE(o.ok(), describe(o));
    CHECK(server_saw("/gone_410/" + key + "/last.ckpt", "x-token: secret"));
    CHECK_FALSE(server_saw("/good/" + key + "/last.ckpt", "secret"));
  }
}

TEST_CASE(
    "user info in the URL logs in, is not sent to another host, and a Location's is not used") {
  scratch home;
  for (const std::string& by : transports()) {
    INFO(by);
    const std::string key = "user-" + by;
    const auto with_user = [&](const std::string& path) {
      return "http://user:pass@" + hostile().url(path).substr(7);
    };
    const std::string yaml = hostile().url("/good/" + key + "/model.yaml");
    const plan in = call_of(home.fresh(), by, yaml, with_user("/basic_auth/" + key + "/last.ckpt"));
    const outcome o = call(in);
    check_invariants(in, o, v1());
    CHECK_MESSAGE(o.ok(), describe(o));
    CHECK(server_saw("/basic_auth/" + key + "/last.ckpt", "authorization: Basic dXNlcjpwYXNz"));

    const plan away =
        call_of(home.fresh(), by, yaml, with_user("/redirect_other_port/" + key + "/last.ckpt"));
    CHECK(call(away).ok());
    CHECK(server_saw("/redirect_other_port/" + key + "/last.ckpt", "authorization: Basic"));
    REQUIRE(hostile().count("/good/" + key + "/last.ckpt") == 1);
    CHECK_FALSE(server_saw("/good/" + key + "/last.ckpt", "authorization:"));

    const plan planted =
        call_of(home.fresh(), by, yaml, hostile().url("/redirect_user_info/" + key + "/last.ckpt"));
    const outcome refused = call(planted);
    CHECK(refused.failed(errc::http_status));
    CHECK_FALSE(has(refused.what, "pass"));
  }
}

TEST_CASE("https never leads down to http, nor to an untrusted host") {
  if (not_over_fetch("the client of these tests speaks no TLS")) return;
  scratch home;
  if (hostile().fact("ca").empty()) return skipped("there is no openssl program");
  for (const std::string& by : transports()) {
    INFO(by);
    const std::string key = "down-" + by;
    const std::string yaml = hostile().url("/good/" + key + "/model.yaml");
    const auto from_tls = [&](const std::string& behaviour) {
      plan p = call_of(home.fresh(), by, yaml,
          hostile().url(target(behaviour, key, "last.ckpt"), "tls", "localhost"));
      p.env["SSL_CERT_FILE"] = hostile().fact("ca");
      const outcome o = call(p);
      check_invariants(p, o, v1());
      return o;
    };
    const outcome down = from_tls("redirect_to_http");
    CHECK_MESSAGE(down.failed(errc::http_status), describe(down));
    CHECK(has(down.what, "https down to"));
    CHECK(hostile().count("/good/" + key + "/last.ckpt") == 0);
    CHECK_MESSAGE(from_tls("redirect_to_https").ok(), "https to https");
    for (const std::string kind : {"wrong", "expired", "self"}) {
      INFO(kind);
      CHECK(from_tls("redirect_to_bad_tls?kind=" + kind).failed(errc::tls));
    }
    plan up = call_of(home.fresh(), by, yaml,
        with_headers(hostile().url("/redirect_to_https/up-" + by + "/last.ckpt")));
    up.env["SSL_CERT_FILE"] = hostile().fact("ca");
    CHECK_MESSAGE(call(up).ok(), "http may lead up to https");
    CHECK_FALSE(server_saw("/good/up-" + by + "/last.ckpt", "secret"));  // another origin
  }
}

TEST_CASE("nothing but http and https is asked for by a redirect, and no local file is read") {
  scratch home;
  write_file(home / "secret", v1().ckpt);  // a whole checkpoint: the sentinel would let it pass
  for (const std::string& by : transports())
    for (const std::string& to :
        {"file://" + (home / "secret").string(), "file:" + (home / "secret").string(),
            "FILE://" + (home / "secret").string(), std::string("ftp://127.0.0.1:1/x"),
            std::string("gopher://127.0.0.1:1/x"), std::string("dict://127.0.0.1:1/x"),
            std::string("javascript:alert(1)"), std::string("data:text/plain,hello")}) {
      INFO(by, " ", to);
      const plan p = call_of(home.fresh(), by, hostile().url("/good/scheme-" + by + "/model.yaml"),
          hostile().url("/redirect_file/scheme-" + by + "/last.ckpt?to=" + to));
      const outcome o = call(p);
      check_invariants(p, o, v1());
      CHECK_MESSAGE(o.failed(errc::http_status), describe(o));
      CHECK_FALSE(fs::exists(p.opts.local_dir / "m.ckpt"));
    }
}

TEST_SUITE_END();

TEST_SUITE_BEGIN("transport TLS, proxies and curl's files");

TEST_CASE("a certificate is believed only if a trusted authority made it, for this host, for now") {
  if (not_over_fetch("the client of these tests speaks no TLS")) return;
  scratch home;
  const std::string ca = hostile().fact("ca");
  if (ca.empty()) return skipped("there is no openssl program");
  const fs::path folder = home / "folder";
  fs::create_directory(folder);
  fs::copy_file(ca, folder / "ca.pem");
  REQUIRE(run({"openssl", "rehash", folder.string()}));
  for (const std::string& by : transports()) {
    INFO(by);
    const std::string yaml = hostile().url("/good/tls-" + by + "/model.yaml");
    const auto over = [&](const std::string& kind, const std::string& host, const environment& more,
                          const std::string& key = "") {
      const std::string at = "/good/tls-" + by + "/" + kind + key;
      plan p = call_of(home.fresh(), by, yaml, hostile().url(at + "/last.ckpt", kind, host));
      for (const auto& [name, value] : more)
        p.env[name] = value;
      const outcome o = call(p);
      check_invariants(p, o, v1());
      INFO(describe(o));
      if (!o.ok()) CHECK(hostile().count(at + "/*") == 0);
      return o;
    };
    const environment file{{"SSL_CERT_FILE", ca}}, bundle{{"CURL_CA_BUNDLE", ca}},
        hashed{{"SSL_CERT_DIR", folder.string()}};
    for (const std::string kind : {"wrong", "expired", "self"}) {
      INFO(kind);
      for (const environment& e : {file, bundle, hashed}) {
        const outcome o = over(kind, "localhost", e);
        CHECK_MESSAGE(o.failed(errc::tls), describe(o));
        CHECK(has(o.what, "check the clock"));
      }
    }
    const outcome unknown = over("tls", "localhost", {}, "/unknown");
    CHECK_MESSAGE(unknown.failed(errc::tls), describe(unknown));
    CHECK(has(unknown.what, "SSL_CERT_FILE"));
    for (const environment& e : {file, bundle, hashed}) {
      INFO(e.begin()->first);
      CHECK_MESSAGE(over("tls", "localhost", e).ok(), "the CA of the test is to be trusted");
    }
    CHECK(over("tls", "127.0.0.1", file).ok());  // an address in the certificate
    const outcome nowhere =
        over("tls", "localhost", {{"SSL_CERT_FILE", "/nowhere/ca.pem"}}, "/nowhere");
    CHECK_MESSAGE(nowhere.failed(errc::tls), describe(nowhere));
  }
}

TEST_CASE("proxies of the environment are asked, except for the hosts in no_proxy") {
  if (not_over_fetch("the client of these tests asks no proxy")) return;
  scratch home;
  const std::string proxy = hostile().url("", "proxy");
  for (const std::string& by : transports()) {
    INFO(by);
    const auto through = [&](const std::string& key, const environment& more,
                             const std::string& kind = "plain") {
      plan p = call_of(home.fresh(), by, hostile().url("/good/" + key + "/model.yaml", kind),
          hostile().url("/good/" + key + "/last.ckpt", kind));
      for (const auto& [name, value] : more)
        p.env[name] = value;
      const outcome o = call(p);
      check_invariants(p, o, v1());
      CHECK_MESSAGE(o.ok(), describe(o));
      return hostile().count("/good/" + key + "/*", "proxy");
    };
    CHECK(through("proxy-a-" + by, {{"http_proxy", proxy}}) == 2);
    CHECK(hostile().count("/good/proxy-a-" + by + "/*", "plain") == 0);
    CHECK(through("proxy-b-" + by, {{"all_proxy", proxy}}) == 2);
    CHECK(through("proxy-c-" + by, {{"http_proxy", proxy}, {"no_proxy", "127.0.0.1"}}) == 0);
    CHECK(through("proxy-d-" + by, {{"http_proxy", proxy}, {"NO_PROXY", "*"}}) == 0);
    CHECK(through("proxy-e-" + by, {}) == 0);
    if (hostile().fact("ca").empty()) {
      skipped("https through a proxy: there is no openssl program");
      continue;
    }
    const std::string tunnel = "127.0.0.1:" + std::to_string(hostile().port("tls"));
    const int before = hostile().count(tunnel, "proxy");
    CHECK(through("proxy-f-" + by,
              {{"https_proxy", proxy}, {"SSL_CERT_FILE", hostile().fact("ca")}}, "tls")
        == 0);
    CHECK(hostile().count("/good/proxy-f-" + by + "/*", "tls") == 2);
    CHECK(has(hostile().control("log?text=1"), "CONNECT"));
    CHECK(hostile().count(tunnel, "proxy") >= before);
  }
}

TEST_CASE("a dead or refusing proxy is an error of the connection, never a way around it") {
  if (not_over_fetch("the client of these tests asks no proxy")) return;
  scratch home;
  std::vector<job> jobs;
  for (const std::string& by : transports()) {
    const std::string key = "deadproxy-" + by, yaml = hostile().url("/good/" + key + "/model.yaml");
    plan dead = call_of(home.fresh(), by, yaml, hostile().url("/good/" + key + "/last.ckpt"));
    dead.env["http_proxy"] = "http://127.0.0.1:1";
    // our proxy refuses to tunnel to ports that are not its own
    plan tunnel = call_of(home.fresh(), by, yaml, source("https://127.0.0.1:1/last.ckpt"));
    tunnel.env["https_proxy"] = hostile().url("", "proxy");
    for (const plan& p : {dead, tunnel})
      jobs.push_back({by, p, [=](const outcome& o) {
                        check_invariants(p, o, v1());
                        CHECK_MESSAGE(o.failed(errc::connection), describe(o));
                        CHECK(hostile().count("/good/" + key + "/last.ckpt") == 0);
                      }});
  }
  run_all(jobs);
}

TEST_CASE("a .curlrc is not obeyed, wherever it lies") {
  if (not_over_fetch("nothing of curl is used")) return;
  scratch home;
  if (hostile().fact("ca").empty()) return skipped("there is no openssl program");
  for (const std::string& by : transports())
    for (const std::string variable : {"HOME", "CURL_HOME", "XDG_CONFIG_HOME"}) {
      INFO(by, " ", variable);
      const std::string key = "rc-" + by + "-" + variable;
      plan p = call_of(home.fresh(), by, hostile().url("/good/" + key + "/model.yaml"),
          hostile().url("/good/" + key + "/last.ckpt", "self", "localhost"));
      const fs::path rc = home.fresh(), pwned = rc / "pwned";
      for (const char* name : {".curlrc", "curlrc", "_curlrc"})
        write_file(rc / name,
            "insecure\noutput = \"" + pwned.string()
                + "\"\nheader = \"X-From-Rc: 1\"\nmax-time = 1\n");
      write_file(rc / ".netrc", "machine 127.0.0.1 login user password pass\n");
      p.env["HOME"] = p.env["CURL_HOME"] = p.env["XDG_CONFIG_HOME"] = "/nowhere";
      p.env[variable] = rc.string();
      const outcome o = call(p);
      check_invariants(p, o, v1());
      CHECK_MESSAGE(o.failed(errc::tls), "'insecure' was obeyed: ", describe(o));
      CHECK_FALSE(fs::exists(pwned));
      CHECK_FALSE(server_saw("/good/" + key + "/model.yaml", "x-from-rc"));
      CHECK_FALSE(server_saw("/good/" + key + "/model.yaml", "authorization"));  // nor is .netrc
    }
}

TEST_SUITE_END();

TEST_SUITE_BEGIN("transport URLs and what is installed");

TEST_CASE("a URL is one URL: what curl takes for options, lists or lines of its own is not") {
  scratch home;
  const std::string base = hostile().url("");
  for (const std::string& by : transports()) {
    INFO(by);
    const auto ask = [&](const std::string& url) {
      const plan p =
          call_of(home.fresh(), by, hostile().url("/good/url-" + by + "/model.yaml"), source(url));
      const outcome o = call(p);
      INFO(url);
      check_invariants(p, o, v1());
      CHECK_FALSE(fs::exists(home / "pwned"));
      return o;
    };
    const std::string pwned = (home / "pwned").string();
    // refused before anything is asked
    hostile().reset();
    const int before = hostile().connections();
    std::vector<std::string> refused{base + "/good/x\noutput = \"" + pwned + "\"/last.ckpt",
        base + "/good/x\r\noutput = " + pwned, base + "/good/a b/last.ckpt",
        base + "/good/\"x\"/last.ckpt", base + "/good/x\\/last.ckpt", base + "/good/\t/last.ckpt",
        base + std::string("/good/\0/last.ckpt", 17), std::string("http://"),
        std::string("http://127.0.0.1:99999/x"), std::string("http://127.0.0.1:8x/x"),
        std::string("")};
    if (by != by_fetch)  // which may serve any scheme
      refused.insert(refused.end(), {"ftp://127.0.0.1/x", "gopher://127.0.0.1/x"});
    for (const std::string& url : refused) {
      INFO(url);
      const outcome o = ask(url);
      CHECK_MESSAGE(o.failed(errc::invalid_argument), describe(o));
    }
    CHECK_MESSAGE(hostile().connections() == before, "nothing is asked when an argument is wrong");
    // a local path that is not there, never a word for a program
    for (const std::string& url :
        {"-o" + pwned, "--output=" + pwned, std::string("-V"), std::string("@/etc/passwd")}) {
      INFO(url);
      const outcome o = ask(url);
      CHECK_MESSAGE(o.failed(errc::io), describe(o));
    }
    // taken as it stands, once
    for (const std::string odd : {"{a,b}", "[1-3]", "-o", "--help", "@x", "'", "$(id)", "`id`", ";",
             "|", "*", "~", "%00", "%0a"}) {
      const std::string path = "/good/odd-" + by + "/" + odd + "/last.ckpt";
      INFO(path);
      CHECK(ask(base + path).ok());
      CHECK_MESSAGE(hostile().log(path).size() == 1, "not asked for as it stands");
    }
    CHECK(hostile().count("/good/odd-" + by + "/*") == 14);
    // 8 KiB of it
    const std::string path = "/good/long-" + by + "/" + std::string(8192, 'x') + "/last.ckpt";
    CHECK_MESSAGE(ask(base + path).ok(), "a URL of 8 KiB");
    CHECK(hostile().count(path) == 1);
    // a query full of signs, as signed URLs have them, arrives as it was given
    const std::string signs = "/good/signs-" + by
        + "/last.ckpt?p=%2Fckpts%2Flast.ckpt&dl=1&sig=a+b/c==%26&X-Amz-Date=1:2,3;4!*'()";
    CHECK(ask(base + signs).ok());
    const auto seen = hostile().log("/good/signs-" + by + "/last.ckpt");
    REQUIRE(seen.size() == 1);
    CHECK(seen[0].path == signs);
  }
}

TEST_CASE("header lines arrive as they were given, and none can smuggle in another") {
  scratch home;
  for (const std::string& by : transports()) {
    INFO(by);
    const std::string key = "lines-" + by, yaml = hostile().url("/good/" + key + "/model.yaml");
    const auto with = [&](const std::string& line, const std::string& file) {
      const plan p = call_of(
          home.fresh(), by, yaml, source({hostile().url("/good/" + key + "/" + file)}, "", {line}));
      const outcome o = call(p);
      check_invariants(p, o, v1());
      return o;
    };
    const std::string odd = "X-Odd: a \"quoted\" back\\slash; {x,y} @file 100% \xc3\xa9";
    CHECK(with(odd, "odd.ckpt").ok());
    CHECK(server_saw("/good/" + key + "/odd.ckpt", "x-odd: a \"quoted\" back\\slash; {x,y} @file"));
    const std::string output = "output = \"" + (home / "pwned").string() + "\"";
    for (const std::string& line : {std::string("X-A: b\r\nX-Evil: 1"), "X-A: b\n" + output,
             std::string("X-A: b\0c", 8), std::string("no colon"), std::string(": empty"),
             std::string("X-A: b\n"), std::string("X-A: b\r\n"), std::string("X A: b"),
             std::string("@/etc/passwd"), std::string("")}) {
      INFO(line);
      const outcome o = with(line, "bad.ckpt");
      CHECK_MESSAGE(o.failed(errc::invalid_argument), describe(o));
    }
    CHECK(hostile().count("/good/" + key + "/bad.ckpt") == 0);
    CHECK_FALSE(fs::exists(home / "pwned"));
    const std::string big = "X-Big: " + std::string(16384, 'y');
    CHECK_MESSAGE(with(big, "big.ckpt").ok(), "a header of 16 KiB, as tokens can be");
    CHECK(server_saw("/good/" + key + "/big.ckpt", std::string(16384, 'y')));
  }
}

TEST_CASE("where the program curl is missing, the error says what to install or to set") {
  if (not_over_fetch("it is about the program curl")) return;
  scratch home;
  const fs::path empty = home.fresh();
  plan p = call_of(home.fresh(), "curl", hostile().url("/good/none/model.yaml"),
      hostile().url("/good/none/last.ckpt"));
  p.env["PATH"] = empty.string();
  const outcome o = call(p);
  check_invariants(p, o, v1());
  CHECK_MESSAGE(o.failed(errc::no_transport), describe(o));
  CHECK(has(o.what, "install"));
  CHECK(has(o.what, "options::fetch"));
  // a file of that name that is no program is no curl either
  write_file(empty / "curl", "not a program\n");
  plan odd = call_of(home.fresh(), "curl", p.config, p.checkpoint);
  odd.env["PATH"] = empty.string();
  CHECK(call(odd).failed(errc::no_transport));
}

namespace {

// a call in a program of its own: nothing of libcurl is in its memory yet
int call_in_role() {
  const char* where = std::getenv("VQT_WHERE");
  plan p = call_of(where, "", std::getenv("VQT_CONFIG"), std::getenv("VQT_CHECKPOINT"));
  save(make(p), p.where / "outcome");
  return 0;
}

const role fresh_call("fresh call", call_in_role);

[[maybe_unused]] outcome fresh(const fs::path& where, environment more) {
  more = clean(more);
  more["VQCACHE_TEST_ROLE"] = "fresh call";
  more["VQT_WHERE"] = where.string();
  more["VQT_CONFIG"] = hostile().url("/good/fresh/model.yaml");
  more["VQT_CHECKPOINT"] = hostile().url("/good/fresh/last.ckpt");
  program p;
  p.start({self()}, more, where / "noise", where / "noise", where);
  (void)p.wait(60);
  outcome o = load(where / "outcome");
  o.noise = slurp(where / "noise");
  return o;
}

}  // namespace

TEST_CASE("without libcurl the program curl serves; with neither the error says what to install") {
  if (not_over_fetch("it is about libcurl and the program curl")) return;
#if VQCACHE_USE_LIBCURL
  skipped("this build is linked to libcurl");
#else
  scratch home;
  const fs::path broken = home.fresh(), bin = home.fresh();
  for (const char* name : {"libcurl.so.4", "libcurl-gnutls.so.4", "libcurl-nss.so.4"})
    write_file(broken / name, "no library\n");
  const fs::path a = home.fresh(), b = home.fresh(), c = home.fresh();
  // a curl that says that it was called
  const std::string real = find_in_path("curl").string();
  REQUIRE_FALSE(real.empty());
  write_file(bin / "curl",
      "#!/bin/sh\n: >> '" + (home / "called").string() + "'\nexec env -u LD_LIBRARY_PATH " + real
          + " \"$@\"\n");
  fs::permissions(bin / "curl", fs::perms::all);
  const std::string path = bin.string() + ":" + std::getenv("PATH");

  const outcome by_library = fresh(a, {{"PATH", path}});
  CHECK_MESSAGE(by_library.ok(), describe(by_library));
  CHECK_MESSAGE(!fs::exists(home / "called"), "libcurl comes first");
  const outcome by_program = fresh(b, {{"PATH", path}, {"LD_LIBRARY_PATH", broken.string()}});
  CHECK_MESSAGE(by_program.ok(), describe(by_program));
  CHECK_MESSAGE(fs::exists(home / "called"), "then the program");
  CHECK(slurp(b / "local" / "m.ckpt") == v1().ckpt);
  const outcome neither =
      fresh(c, {{"PATH", home.fresh().string()}, {"LD_LIBRARY_PATH", broken.string()}});
  CHECK_MESSAGE(neither.failed(errc::no_transport), describe(neither));
  CHECK(has(neither.what, "install curl or libcurl"));
  CHECK(has(neither.what, "options::fetch"));
#endif
}

TEST_CASE("an unknown transport is refused by name, and the option outweighs the environment") {
  scratch home;
  const std::string yaml = hostile().url("/good/which/model.yaml"),
                    ckpt = hostile().url("/good/which/last.ckpt");
  plan wrong = call_of(home.fresh(), "carrier-pigeon", yaml, ckpt);
  const outcome by_option = call(wrong);
  CHECK_MESSAGE(by_option.failed(errc::invalid_argument), describe(by_option));
  CHECK(has(by_option.what, "carrier-pigeon"));
  CHECK(has(by_option.what, "libcurl"));
  plan from_env = call_of(home.fresh(), "", yaml, ckpt);
  from_env.env["VQCACHE_TRANSPORT"] = "wget";
  const outcome by_variable = call(from_env);
  CHECK_MESSAGE(by_variable.failed(errc::invalid_argument), describe(by_variable));
  CHECK(has(by_variable.what, "wget"));
  plan both = call_of(home.fresh(), transports().front(), yaml, ckpt);
  both.env["VQCACHE_TRANSPORT"] = "wget";
  CHECK(call(both).ok());
  // VQCACHE_TRANSPORT=curl really is the program: without one there is none
  plan forced = call_of(home.fresh(), "", yaml, ckpt);
  forced.env["VQCACHE_TRANSPORT"] = "curl";
  forced.env["PATH"] = home.fresh().string();
  CHECK(call(forced).failed(errc::no_transport));
}

TEST_SUITE_END();

TEST_SUITE_BEGIN("transport limits and manners");

TEST_CASE("a body without end is left at max_bytes, or at the size that the source gives") {
  scratch home;
  for (const std::string& by : transports()) {
    INFO(by);
    for (const bool sized : {false, true}) {
      const std::string key = "endless-" + by + (sized ? "-sized" : "");
      source s(hostile().url("/endless/" + key + "/last.ckpt"));
      if (sized) s.size = 300000;
      plan p = call_of(home.fresh(), by, hostile().url("/good/" + key + "/model.yaml"), s);
      p.opts.max_bytes = 1 << 20;
      const outcome o = call(p);
      check_invariants(p, o, v1());
      CHECK_MESSAGE(o.failed(errc::not_the_file), describe(o));
      CHECK(has(o.what, std::to_string(sized ? 300000 : 1 << 20)));
      // what it sent lies in buffers of the two kernels; it did not go on for long
      const auto seen = hostile().log("/endless/" + key + "/last.ckpt");
      REQUIRE(seen.size() == 1);
      CHECK(seen[0].body < (std::uint64_t{64} << 20));
    }
    // and a length that is announced too large is not even begun
    plan big = call_of(home.fresh(), by, hostile().url("/good/" + by + "/model.yaml"),
        hostile().url("/good/too-big-" + by + "/last.ckpt"));
    big.opts.max_bytes = 300000 - 1;
    const outcome o = call(big);
    check_invariants(big, o, v1());
    CHECK_MESSAGE(o.failed(errc::not_the_file), describe(o));
    CHECK(has(o.what, "options::max_bytes"));
    big.where = home.fresh();
    big.opts.local_dir = big.where / "local", big.opts.cache_dir = big.where / "cache";
    big.opts.max_bytes = 300000;
    CHECK_MESSAGE(call(big).ok(), "exactly as many are allowed");
  }
}

TEST_CASE("a server that does not answer the connection is left after connect_seconds") {
  scratch home;
  // a queue of connections that is full: the kernel lets further ones wait without a word
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof at;
  REQUIRE(::bind(listener, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0);
  REQUIRE(::listen(listener, 0) == 0);
  REQUIRE(::getsockname(listener, reinterpret_cast<sockaddr*>(&at), &length) == 0);
  std::vector<int> fill;
  for (int i = 0; i < 4; ++i) {
    fill.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    (void)::connect(fill.back(), reinterpret_cast<sockaddr*>(&at), sizeof at);
  }
  std::vector<job> jobs;
  for (const std::string& by : transports()) {
    plan p = call_of(home.fresh(), by,
        "http://127.0.0.1:" + std::to_string(ntohs(at.sin_port)) + "/model.yaml",
        hostile().url("/good/connect/last.ckpt"));
    p.opts.connect_seconds = 1;
    jobs.push_back({by, p, [=](const outcome& o) {
                      check_invariants(p, o, v1());
                      // of a user's function that gives up the library hears nothing but words
                      const errc told = by == by_fetch ? errc::connection : errc::timed_out;
                      CHECK_MESSAGE(o.failed(told), describe(o));
                      CHECK(o.took > 0.9);
                      CHECK(o.took < 5 * (3 * 1 + 1.5));  // three tries and their pauses
                    }});
  }
  run_all(jobs);
  for (int fd : fill)
    ::close(fd);
  ::close(listener);
}

TEST_CASE("offline nothing is asked, and the error names the files that are missing and where") {
  scratch home;
  for (const std::string& by : transports())
    for (const bool by_option : {true, false}) {
      INFO(by, by_option ? ", options::offline" : ", VQCACHE_OFFLINE=1");
      plan p = call_of(home.fresh(), by, hostile().url("/good/offline/model.yaml"),
          hostile().url("/good/offline/last.ckpt"));
      if (by_option)
        p.opts.offline = true;
      else
        p.env["VQCACHE_OFFLINE"] = "1";
      hostile().reset();
      const int before = hostile().connections();
      const outcome o = call(p);
      check_invariants(p, o, v1());
      CHECK_MESSAGE(o.failed(errc::offline), describe(o));
      CHECK_MESSAGE(hostile().connections() == before, "it connected");
      CHECK(has(o.what, p.opts.local_dir.string()));
      CHECK(has(o.what, p.opts.cache_dir.string()));
      CHECK_MESSAGE(has(o.what, "m.yaml"), o.what);
      CHECK_MESSAGE(has(o.what, "m.ckpt"), o.what);
      // what a tier holds is served offline, and VQCACHE_OFFLINE=0 is not offline
      plan online = p;
      online.opts.offline = false;
      online.env["VQCACHE_OFFLINE"] = "0";
      CHECK(call(online).ok());
      fs::remove_all(p.opts.local_dir);
      const outcome restored = call(p);
      CHECK_MESSAGE(restored.ok(), describe(restored));
      CHECK(restored.from == static_cast<int>(vqcache::origin::cache));
      CHECK(call(p).from == static_cast<int>(vqcache::origin::local));
    }
}

TEST_CASE("with on_message empty there is silence, on success and on failure") {
  scratch home;
  std::vector<job> jobs;
  for (const std::string& by : transports())
    for (const std::string behaviour :
        {"good", "truncated_rst", "gone_404_body", "rst_at_once", "http09"}) {
      plan p = call_of(home.fresh(), by, hostile().url("/good/silent/model.yaml"),
          hostile().url(target(behaviour, "silent-" + by, "last.ckpt")));
      p.opts.on_message = {};
      jobs.push_back({by + " " + behaviour, p, [=](const outcome& o) {
                        check_invariants(p, o, v1());  // nothing on either standard stream
                        CHECK(o.messages.empty());
                        CHECK(o.ok() == (behaviour == "good"));
                      }});
    }
  run_all(jobs);
}

TEST_CASE("callbacks of 20 ms, and a pause of a second, cost time and not a byte") {
  scratch home;
  std::vector<job> jobs;
  for (const std::string& by : transports())
    for (const std::string behaviour :
        {"good", "chunked", "cut_once", "cl_missing", "keepalive_held"}) {
      plan p = call_of(home.fresh(), by, hostile().url("/good/slow-" + by + "/model.yaml"),
          hostile().url(target(behaviour + "?size=3000000", "slow-" + by, "last.ckpt")));
      p.opts.on_message = [](const std::string&) {
        sleep_ms(20);
      };
      p.opts.on_progress = [paused = false](const vqcache::progress& now) mutable {
        sleep_ms(20);
        if (!paused && now.file == "m.ckpt" && now.done > 0) paused = true, sleep_ms(1000);
        return true;
      };
      const right files{v1().yaml, get("/good/slow/last.ckpt?size=3000000")};
      jobs.push_back({by + " " + behaviour, p, [=](const outcome& o) {
                        check_invariants(p, o, files);
                        CHECK_MESSAGE(o.ok(), describe(o));
                      }});
    }
  run_all(jobs);
}

TEST_CASE("on_progress ends a call in the middle of a body, and nothing survives it") {
  scratch home;
  std::vector<job> jobs;
  for (const std::string& by : transports())
    for (const std::string behaviour :
        {"stall_body?at=200000", "stall_header", "good?size=3000000&rate=300000"}) {
      // a user's function has the calling thread, and nobody is asked until it writes
      if (by == by_fetch && has(behaviour, "stall")) continue;
      plan p = call_of(home.fresh(), by, hostile().url("/good/cancel-" + by + "/model.yaml"),
          hostile().url(target(behaviour, "cancel-" + by, "last.ckpt")));
      p.opts.on_progress = [began = std::chrono::steady_clock::time_point()](
                               const vqcache::progress& now) mutable {
        const auto zero = std::chrono::steady_clock::time_point();
        if (now.file == "m.ckpt" && began == zero) began = std::chrono::steady_clock::now();
        return began == zero || since(began) < 1;
      };
      jobs.push_back({by + " " + behaviour, p, [=](const outcome& o) {
                        check_invariants(p, o, v1());  // no child, thread, descriptor
                        CHECK_MESSAGE(o.failed(errc::cancelled), describe(o));
                        CHECK(o.took < 7.5);  // a second and the half between two questions
                        CHECK_FALSE(fs::exists(p.opts.local_dir / "m.ckpt"));
                      }});
    }
  run_all(jobs);
}

TEST_CASE("an exception out of a callback leaves no child, thread or descriptor behind") {
  scratch home;
  for (const std::string& by : transports())
    for (const bool in_message : {true, false}) {
      INFO(by, in_message ? " on_message" : " on_progress");
      plan p = call_of(home.fresh(), by, hostile().url("/good/throw-" + by + "/model.yaml"),
          hostile().url("/stall_body/throw-" + by + "/last.ckpt?at=200000"));
      if (in_message)
        p.opts.on_message = [](const std::string&) {
          throw std::runtime_error("mine");
        };
      else
        p.opts.on_progress = [](const vqcache::progress& now) -> bool {
          if (now.file == "m.ckpt" && now.done > 0) throw std::runtime_error("mine");
          return true;
        };
      const outcome o = call(p);
      check_invariants(p, o, v1());
      CHECK_MESSAGE(o.failed(errc::callback), describe(o));
      CHECK(has(o.what, "mine"));
    }
}

TEST_CASE("what curl says about a failure is quoted as one clean line") {
  scratch home;
  std::vector<job> jobs;
  for (const std::string& by : transports())
    for (const std::string behaviour : {"redirect_dead", "truncated", "redirect_to_bad_tls"}) {
      const plan p = call_of(home.fresh(), by, hostile().url("/good/words-" + by + "/model.yaml"),
          hostile().url(target(behaviour, "words-" + by, "last.ckpt")));
      jobs.push_back({by + " " + behaviour, p, [=](const outcome& o) {
                        check_invariants(p, o, v1());
                        CHECK_MESSAGE(!has(o.what, "?)"), o.what);  // a newline that was replaced
                        CHECK_MESSAGE(!has(o.what, "??"), o.what);
                      }});
    }
  run_all(jobs);
}

TEST_CASE("a caller's own SIGPIPE, blocked and waiting, is still his afterwards") {
  scratch home;
  std::vector<job> jobs;
  for (const std::string& by : transports())
    for (const std::string behaviour : {"good", "rst_at_once", "gone_404_endless"}) {
      const plan p = call_of(home.fresh(), by, hostile().url("/good/pipe-" + by + "/model.yaml"),
          hostile().url(target(behaviour, "pipe-" + by, "last.ckpt")));
      const auto judge = [=](const outcome& o) {
        check_invariants(p, o, v1());
        CHECK(o.note == "pending");
      };
      jobs.push_back({by + " " + behaviour, p, judge, [=] {
                        sigset_t pipe, pending;
                        sigemptyset(&pipe);
                        sigaddset(&pipe, SIGPIPE);
                        ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
                        ::raise(SIGPIPE);
                        outcome made = make(p);
                        sigemptyset(&pending);
                        ::sigpending(&pending);
                        made.note = sigismember(&pending, SIGPIPE) == 1 ? "pending" : "gone";
                        return made;
                      }});
    }
  run_all(jobs);
}

TEST_CASE("a host program that ignores SIGCHLD gets right files and honest errors all the same") {
  scratch home;
  std::vector<job> jobs;
  for (const row& r : {row{"good", "right"}, row{"chunked", "right"},
           row{"chunked_truncated", "truncated|connection|io|http_status"},
           row{"truncated", "truncated"}, row{"gone_404_body", "http_status"}})
    for (const std::string& by : transports()) {
      const plan p = call_of(home.fresh(), by,
          hostile().url(target(r.behaviour, "sigchld-" + by, "model.yaml")),
          hostile().url("/good/sigchld-" + by + "/last.ckpt"));
      const auto judge = [=](const outcome& o) {
        check_invariants(p, o, v1());
        check_answer(r, o);
      };
      jobs.push_back({by + " " + r.behaviour, p, judge, [=] {
                        ::signal(SIGCHLD, SIG_IGN);  // no exit code reaches anybody any more
                        return make(p);
                      }});
    }
  run_all(jobs);
}

TEST_CASE("a curl program that is killed, lies or breaks off never makes a file of what it gave") {
  if (not_over_fetch("it is about the program curl")) return;
  scratch home;
  const std::string real = find_in_path("curl").string();
  if (real.empty()) return skipped("there is no program curl");
  write_file(home / "some", v1().yaml.substr(0, 300));
  const std::string head = "printf 'HTTP/1.1 200 OK\\r\\n\\r\\n'\n",
                    body = "cat '" + (home / "some").string() + "'\n";

  struct fake {
    std::string what, script;
  };

  std::vector<job> jobs;
  for (const fake& f : {fake{"killed without a length", head + body + "kill -9 $$\n"},
           fake{"crashes without a length", head + body + "kill -SEGV $$\n"},
           fake{"fails without a length", head + body + "exit 56\n"},
           fake{"too short",
               "printf 'HTTP/1.1 200 OK\\r\\nContent-Length: 5000\\r\\n\\r\\n'\n" + body},
           fake{"killed at once", "kill -9 $$\n"}, fake{"says nothing", "exit 0\n"},
           fake{"ends in the header", "printf 'HTTP/1.1 200 OK\\r\\nContent-Type: x'\n"},
           fake{"header without end",
               "printf 'HTTP/1.1 200 OK\\r\\n'\nexec yes 'X-Y: zzzzzzzzzzzzzzzz'\n"},
           fake{"line without end", "yes z | tr -d '\\n'\n"},
           fake{"unknown option", "echo 'curl: option -i: is unknown' >&2; exit 2\n"},
           fake{"no HTTP", body}}) {
    const fs::path bin =
        home.fresh();  // the config comes from the fake, all else from the real one
    write_file(bin / "curl",
        "#!/bin/sh\nasked=$(cat)\ncase $asked in *model.yaml*) ;;\n*) printf "
        "'%s\\n' \"$asked\" | "
            + real + " \"$@\"; exit ;; esac\n" + f.script);
    fs::permissions(bin / "curl", fs::perms::all);
    plan p = call_of(home.fresh(), "curl", hostile().url("/good/fake/model.yaml"),
        hostile().url("/good/fake/last.ckpt"));
    p.env["PATH"] = bin.string() + ":" + std::getenv("PATH");
    jobs.push_back({f.what, p, [=](const outcome& o) {
                      check_invariants(p, o, v1());
                      CHECK_FALSE(o.ok());
                      CHECK_FALSE(fs::exists(p.opts.local_dir / "m.yaml"));
                    }});
  }
  run_all(jobs);
}

TEST_CASE("what gains enough is slow, not stalled, from its first bytes on") {
  scratch home;
  std::vector<job> jobs;
  for (const std::string& by : transports()) {
    plan p = call_of(home.fresh(), by, hostile().url("/good/slow-" + by + "/model.yaml"),
        hostile().url("/good/slow-" + by + "/last.ckpt?size=600000&rate=100000"));
    p.opts.connections = 1;
    p.opts.stall_seconds = 4;  // 64 KiB of it come in 0.7 s
    jobs.push_back({by, p, [by](const outcome& o) {
                      CHECK_MESSAGE(o.ok(), describe(o));
                      const std::string path = "/good/slow-" + by + "/last.ckpt";
                      CHECK(hostile().log(path + "?size=600000&rate=100000").size() == 1);
                      CHECK_MESSAGE(o.took > 5, "this server has to be slow");
                    }});
  }
  run_all(jobs);
}

TEST_CASE("nine calls leave as many descriptors as there were before the first") {
  scratch home;
  std::vector<job> jobs;
  for (const std::string& by : transports()) {
    const plan base = call_of(home.fresh(), by, "", "");
    const auto judge = [](const outcome& o) {
      CHECK_MESSAGE(o.disorder.empty(), o.disorder);
      CHECK(o.note == "+--+-+--+");
    };
    jobs.push_back(
        {by, base, judge, [=] {
           outcome all;
           const posture before;
           for (const std::string behaviour : {"good", "truncated", "gone_404_body", "redirect_ok",
                    "html_login", "good", "gzip_unasked", "cl_negative", "chunked"}) {
             plan p = base;
             p.name = "m" + std::to_string(all.note.size());
             p.config = hostile().url("/good/fds-" + by + "/model.yaml");
             p.checkpoint = hostile().url(target(behaviour, "fds-" + by, "last.ckpt"));
             all.note += make(p).ok() ? "+" : "-";
           }
           all.disorder = disorder(before);
           all.code = 0;
           return all;
         }});
  }
  run_all(jobs);
}

TEST_SUITE_END();
