// Errors as values and as exceptions: complete, mapped, alike in both forms; and the callbacks.
#include <doctest/doctest.h>

#include "world.hpp"

using namespace world;
using vqcache::errc;
using vqcache::phase;
using vqcache::source;

namespace {

struct boom {  // what a callback throws: no std::exception, and told apart by its number
  int number;
};

struct failure {
  std::string title;
  errc code;
  lines words;  // what the error must name
  std::function<vqcache::options(place&)> prepare;
  source config = config_url, checkpoint = checkpoint_url;
  std::string name = "vq_m";
};

vqcache::options plain(place& w) {
  return w.options();
}

std::vector<failure> failures() {
  return {
      {"a bad name", errc::invalid_argument, {"'a/b'", "letters, digits"}, plain, config_url,
          checkpoint_url, "a/b"},
      {"a bad pin", errc::invalid_argument, {"config", "'xyz'", "64 hex digits"}, plain,
          config_url + "#sha256=xyz"},
      {"a scheme nobody serves", errc::invalid_argument,
          {"checkpoint", "ftp://origin.test/k", "scheme"},
          [](place& w) {
            auto o = w.options();
            o.fetch = nullptr;
            return o;
          },
          config_url, "ftp://origin.test/k"},
      {"a URL with a blank", errc::invalid_argument, {"checkpoint", "percent-encoded"}, plain,
          config_url, "http://origin.test/a b"},
      {"a header with a line break", errc::invalid_argument, {"config", "header"}, plain,
          source({config_url}, "", {"A: b\r\nC: d"})},
      {"no such directory", errc::directory_missing,
          {"Directory not found", "/local'", "create_dirs"},
          [](place& w) {
            auto o = w.options();
            o.create_dirs = false;
            return o;
          }},
      {"local is a file", errc::io, {"/local'", "Not a directory"},
          [](place& w) {
            write(w.local, "x");
            return w.options();
          }},
      {"a directory under a final name", errc::io, {"/local/vq_m.ckpt'", "not a regular file"},
          [](place& w) {
            fs::create_directories(w.local / "vq_m.ckpt");
            return w.options();
          }},
      {"offline", errc::offline, {"'vq_m'", "vq_m.yaml", "/local'", "offline"},
          [](place& w) {
            auto o = w.options();
            o.offline = true;
            return o;
          }},
      {"no curl program", errc::no_transport, {"'vq_m'", "install curl", "options::fetch"},
          [](place& w) {
            auto o = w.options();
            o.fetch = nullptr;
            o.transport = "curl";
            ::setenv("PATH", "/nowhere", 1);
            return o;
          }},
      {"an unknown transport", errc::invalid_argument, {"'pigeon'", "libcurl and curl"},
          [](place& w) {
            auto o = w.options();
            o.fetch = nullptr;
            o.transport = "pigeon";
            return o;
          }},
      {"HTTP 404", errc::http_status,
          {"'vq_m'", "vq_m.ckpt", checkpoint_url, "404", "gone for good", "not there"},
          [](place& w) {
            w.serve(checkpoint_url, {"<p>gone for good</p>", 404});
            return w.options();
          }},
      {"HTTP 403", errc::http_status, {"vq_m.yaml", config_url, "403", "credentials"},
          [](place& w) {
            w.serve(config_url, {"no", 403});
            return w.options();
          }},
      {"HTTP 204", errc::http_status, {"vq_m.yaml", config_url, "204"},
          [](place& w) {
            w.serve(config_url, {"", 204});
            return w.options();
          }},
      {"a partial answer that nobody asked for", errc::http_status,
          {"vq_m.ckpt", checkpoint_url, "206"},
          [](place& w) {
            w.serve(checkpoint_url, {checkpoint(), 206});
            return w.options();
          }},
      {"a redirect to nowhere", errc::http_status, {"vq_m.ckpt", checkpoint_url, "302", "Location"},
          [](place& w) {
            w.serve(checkpoint_url, {"", 302});
            return w.options();
          }},
      {"an encoded body", errc::http_status, {"vq_m.ckpt", checkpoint_url, "gzip"},
          [](place& w) {
            w.pages[checkpoint_url].headers = {{"Content-Encoding", "gzip"}};
            return w.options();
          }},
      {"two lengths", errc::http_status, {"vq_m.ckpt", checkpoint_url, "Content-Length"},
          [](place& w) {
            w.pages[checkpoint_url].headers = {{"Content-Length", "5"}, {"Content-Length", "6"}};
            return w.options();
          }},
      {"a length over 64 bits", errc::http_status, {"vq_m.ckpt", checkpoint_url, "Content-Length"},
          [](place& w) {
            w.pages[checkpoint_url].headers = {{"Content-Length", "18446744073709651746"}};
            return w.options();
          }},
      {"not the file", errc::not_the_file,
          {"'vq_m'", "vq_m.ckpt", checkpoint_url, "HTML page", "Sign in"},
          [](place& w) {
            w.serve(checkpoint_url, {"<html><body>Sign in</body></html>"});
            return w.options();
          }},
      {"more than max_bytes", errc::not_the_file, {"vq_m.ckpt", checkpoint_url, "50000"},
          [](place& w) {
            auto o = w.options();
            o.max_bytes = 50000;
            return o;
          }},
      {"more than max_bytes, announced", errc::not_the_file,
          {"vq_m.ckpt", checkpoint_url, "50000", "max_bytes"},
          [](place& w) {
            auto o = w.options();
            o.max_bytes = 50000;
            w.pages[checkpoint_url].headers = {
                {"Content-Length", std::to_string(checkpoint().size())}};
            return o;
          }},
      {"fewer bytes than announced", errc::truncated,
          {"'vq_m'", "vq_m.ckpt", checkpoint_url, "200000", std::to_string(checkpoint().size())},
          [](place& w) {
            w.pages[checkpoint_url].headers = {{"Content-Length", "200000"}};
            return w.options();
          }},
      {"another digest", errc::hash_mismatch,
          {"'vq_m'", "vq_m.ckpt", checkpoint_url, "pin", std::string(64, 'b')}, plain, config_url,
          checkpoint_url + "#sha256=" + std::string(64, 'b')},
      {"a fetcher that fails", errc::connection,
          {"'vq_m'", "vq_m.yaml", config_url, "no route to moon"},
          [](place& w) {
            auto o = w.options();
            o.fetch = [](const vqcache::request&, vqcache::response& r) {
              r.fail("no route to moon");
            };
            return o;
          }},
      {"cancelled", errc::cancelled, {"'vq_m'", "cancelled", "vq_m.yaml"},
          [](place& w) {
            w.watch = [](const vqcache::progress&) {
              return false;
            };
            return w.options();
          }},
  };
}

std::string phase_name(phase p) {
  const char* names[] = {"waiting", "downloading", "restoring", "storing", "verifying"};
  return names[static_cast<int>(p)];
}

// makes a call go through a phase: the world it starts from
void lead_to(place& w, phase p, source& k) {
  if (p == phase::restoring) (void)w.call("m"), w.wipe_local();
  if (p == phase::verifying)
    prime(w.local, "m"), k = source(checkpoint_url + "#sha256=" + sha256(checkpoint()));
}

}  // namespace

TEST_SUITE("errors") {
  TEST_CASE("every errc equals the std::errc that the header documents, and has words") {
    const std::vector<std::pair<errc, std::errc>> table = {
        {errc::invalid_argument, std::errc::invalid_argument},
        {errc::unknown_model, std::errc::no_such_file_or_directory},
        {errc::name_taken, std::errc::file_exists},
        {errc::directory_missing, std::errc::no_such_file_or_directory},
        {errc::permission_denied, std::errc::permission_denied},
        {errc::no_space, std::errc::no_space_on_device}, {errc::offline, std::errc::network_down},
        {errc::no_transport, std::errc::function_not_supported},
        {errc::connection, std::errc::connection_aborted},
        {errc::tls, std::errc::connection_refused}, {errc::http_status, std::errc::protocol_error},
        {errc::not_the_file, std::errc::bad_message}, {errc::truncated, std::errc::message_size},
        {errc::hash_mismatch, std::errc::illegal_byte_sequence},
        {errc::callback, std::errc::operation_not_permitted},
        {errc::cancelled, std::errc::operation_canceled},
        {errc::interrupted, std::errc::interrupted}, {errc::timed_out, std::errc::timed_out},
        {errc::io, std::errc::io_error}};
    CHECK(table.size() == 19);
    std::vector<std::string> words;
    for (std::size_t i = 0; i < table.size(); ++i) {
      const std::error_code c = table[i].first;
      CAPTURE(c.message());
      CHECK(c.value() == static_cast<int>(i + 1));  // stable numbers
      CHECK(c == table[i].second);
      CHECK(c.category() == vqcache::error_category());
      CHECK_FALSE(c.message().empty());
      CHECK(c.message() != std::error_code(0, vqcache::error_category()).message());
      words.push_back(c.message());
      // every other condition of the table is another one
      for (const auto& other : table)
        if (other.second != table[i].second) CHECK(c != other.second);
    }
    std::sort(words.begin(), words.end());
    CHECK(std::adjacent_find(words.begin(), words.end()) == words.end());
    CHECK(std::string(vqcache::error_category().name()) == "vqcache");
    for (const int foreign : {-1, 0, 20, 99999})
      CHECK_FALSE(std::error_code(foreign, vqcache::error_category()).message().empty());
  }

  TEST_CASE("an error that says nothing is no error, and a copy of one says the same") {
    const vqcache::error none;
    CHECK_FALSE(none.code());
    CHECK_FALSE(none.cause());
    const vqcache::error one(errc::io, "the words", std::make_error_code(std::errc::io_error));
    const vqcache::error copy = one;
    CHECK(std::string(copy.what()) == "the words");
    CHECK(copy.code() == errc::io);
    CHECK(copy.cause() == std::errc::io_error);
  }

  TEST_CASE("what() is complete, and the throwing form throws what the try form returns") {
    const std::string path = std::getenv("PATH") ? std::getenv("PATH") : "";
    for (const failure& f : failures()) {
      CAPTURE(f.title);
      place w;
      const environment keeps_path("PATH", path.c_str());
      const vqcache::options o = f.prepare(w);
      const auto r = w.call_with(o, f.name, f.config, f.checkpoint);
      const std::string what = r.error.what();
      CAPTURE(what);
      CHECK_FALSE(r.ok());
      CHECK_FALSE(static_cast<bool>(r));
      CHECK(r.error.code() == f.code);
      for (const std::string& word : f.words)
        CHECK_MESSAGE(has(what, word), word);
      CHECK_FALSE(has(what, "\n"));
      CHECK_FALSE(has(what, r.error.code().message() + ": "));  // nothing appended or put before
      CHECK(what.find("  ") == std::string::npos);
      CHECK(fs::is_regular_file(w.local / "vq_m.yaml") == false);
      CHECK(w.litter().empty());
      if (f.code == errc::truncated || f.code == errc::connection)
        continue;  // these wait between tries
      std::string thrown = "nothing was thrown";
      w.forget();
      try {
        vqcache::download_vqgan_model(f.name, f.config, f.checkpoint, o);
      } catch (const vqcache::error& e) {
        thrown = e.what();
        CHECK(e.code() == r.error.code());
        CHECK(e.cause() == r.error.cause());
      }
      CHECK(thrown == what);
      CHECK(r.model.name.empty());
    }
  }

  TEST_CASE("an error is a std::system_error with the condition to catch it by") {
    place w;
    w.origin_dies();
    bool caught = false;
    try {
      vqcache::download_vqgan_model("m", config_url, checkpoint_url, w.options());
    } catch (const std::system_error& e) {
      caught = e.code() == std::errc::protocol_error;
    }
    CHECK(caught);
  }

  TEST_CASE("permission_denied and no_space carry the cause of the operating system") {
    if (lacks(part::users)) return;
    place w;
    fs::create_directories(w.local);
    fs::permissions(w.local, fs::perms(0555));
    CHECK(unprivileged([&]() -> std::string {
      const auto r = w.call("m");
      return (r.error.code() == errc::permission_denied
                 && r.error.cause() == std::errc::permission_denied
                 && has(r.error.what(), w.local.string())
                 && has(r.error.what(), "check its permissions"))
          ? "denied"
          : r.error.what();
    }) == "denied");
    fs::permissions(w.local, fs::perms(0755));
    CHECK(in_child([&]() -> std::string {  // a limit of the process is no space too
      const rlimit small{50000, 50000};
      ::signal(SIGXFSZ, SIG_IGN);
      if (::setrlimit(RLIMIT_FSIZE, &small) != 0) return "cannot set a limit";
      const auto r = w.call("m");
      return (r.error.code() == errc::no_space && r.error.cause() == std::errc::file_too_large
                 && has(r.error.what(), "m.ckpt") && has(r.error.what(), "raise the limit"))
          ? "full"
          : r.error.what();
    }) == "full");
    CHECK(w.litter().empty());
  }

  TEST_CASE(
      "the last error names every source that was tried, and why it failed, without secrets") {
    place w;
    w.serve("http://one.test/k?sig=hunter2", {"", 410});
    w.serve("http://two.test/k", {"<html>maintenance</html>"});
    const auto r = w.call("m", config_url,
        source({"http://one.test/k?sig=hunter2", "http://u:hunter2@two.test/k", "http://two.test/k",
            "/nowhere/k"}));
    CHECK_FALSE(r.ok());
    const std::string what = r.error.what();
    CAPTURE(what);
    for (const char* word : {"http://one.test/k?sig=***", "410", "http://***@two.test/k", "404",
             "'http://two.test/k'", "maintenance", "/nowhere/k", "not there"})
      CHECK_MESSAGE(has(what, word), word);
    CHECK_FALSE(has(what, "hunter2"));
    CHECK_FALSE(has(w.all_said(), "hunter2"));
  }

  TEST_CASE(
      "a server error that passes is tried again, three times in all; one that lasts is told") {
    place w;
    int calls = 0;
    auto o = w.options();
    o.fetch = [&, inner = o.fetch](const vqcache::request& q, vqcache::response& r) {
      if (q.url == config_url && ++calls < 3) return r.status(503);
      inner(q, r);
    };
    const auto r = w.call_with(o, "m");
    CHECK_MESSAGE(r.ok(), why(r));
    CHECK(calls == 3);
    w.serve("http://busy.test/c", {"later", 503});
    const auto busy = w.call("n", "http://busy.test/c");
    CHECK(busy.error.code() == errc::http_status);
    CHECK(has(busy.error.what(), "503"));
    CHECK(w.asked.size() == 3);
  }

  TEST_CASE("what fails for good is asked once: a page that is gone, a mirror with another file") {
    place w;
    w.serve(config_url, {"", 404});
    CHECK_FALSE(w.call("m").ok());
    CHECK(w.asked.size() == 1);
    w.serve(config_url, {"<html>no</html>"});
    CHECK_FALSE(w.call("m").ok());
    CHECK(w.asked.size() == 1);
    INFO("a whole answer that is a truncated archive comes no better a second time");
    w.serve(config_url, {config()});
    const std::string cut = checkpoint().substr(0, 60000);
    w.serve(checkpoint_url, {cut, 200, {{"Content-Length", std::to_string(cut.size())}}});
    CHECK(w.call("m").error.code() == errc::truncated);
    CHECK(w.asked == lines{config_url, checkpoint_url});
  }

  // ---- callbacks that throw

  TEST_CASE(
      "an exception of on_message leaves the throwing form unchanged, and is errc::callback") {
    for (const bool hit : {false, true}) {
      CAPTURE(hit);
      place w;
      if (hit) REQUIRE(w.call("m").ok());
      auto o = w.options();
      o.on_message = [](const std::string&) {
        throw boom{17};
      };
      int number = 0;
      try {
        vqcache::download_vqgan_model("m", config_url, checkpoint_url, o);
      } catch (const boom& b) {
        number = b.number;
      }
      CHECK(number == 17);
      const auto r = w.call_with(o, "m");
      CHECK(r.error.code() == errc::callback);
      CHECK(has(r.error.what(), "on_message"));
      CHECK(w.litter().empty());
    }
  }

  TEST_CASE(
      "an exception of on_progress leaves the throwing form unchanged, and is errc::callback") {
    for (const phase p : {phase::downloading, phase::restoring, phase::storing, phase::verifying}) {
      CAPTURE(phase_name(p));
      for (const bool throwing : {true, false}) {
        place w;
        source k = checkpoint_url;
        lead_to(w, p, k);
        w.watch = [p](const vqcache::progress& at) -> bool {
          if (at.phase == p) throw std::range_error("the bar is too long");
          return true;
        };
        std::string thrown = "nothing";
        if (throwing) {
          try {
            vqcache::download_vqgan_model("m", config_url, k, w.options());
          } catch (const std::range_error& e) {
            thrown = e.what();
          }
          CHECK(thrown == "the bar is too long");
        } else {
          const auto r = w.call("m", config_url, k);
          CHECK(r.error.code() == errc::callback);
          CHECK(has(r.error.what(), "on_progress"));
          CHECK(has(r.error.what(), "the bar is too long"));
        }
        CHECK(w.litter().empty());
        if (p == phase::storing) CHECK(w.local_is("m"));
        INFO("and the next call ends well");
        w.watch = nullptr;
        CHECK(w.call("m", config_url, k).ok());
        CHECK(w.cache_is("m"));
      }
    }
  }

  TEST_CASE("an exception of fetch leaves the throwing form unchanged, and is errc::callback") {
    place w;
    int calls = 0;
    auto o = w.options();
    o.fetch = [&](const vqcache::request&, vqcache::response& r) {
      ++calls;
      r.write("mod", 3);
      throw boom{23};
    };
    int number = 0;
    try {
      vqcache::download_vqgan_model(
          "m", {config_url.c_str(), "http://mirror.test/c"}, checkpoint_url, o);
    } catch (const boom& b) {
      number = b.number;
    }
    CHECK(number == 23);
    CHECK(calls == 1);
    const auto r = w.call_with(o, "m");
    CHECK(r.error.code() == errc::callback);
    CHECK(has(r.error.what(), "fetch"));
    CHECK(w.litter().empty());
    CHECK_FALSE(fs::exists(w.local / "m.yaml"));
  }

  TEST_CASE(
      "the try form throws nothing, not even what no one may catch by reference to exception") {
    place w;
    auto o = w.options();
    o.on_message = [](const std::string&) {
      throw 42;
    };
    CHECK_NOTHROW((void)vqcache::try_download_vqgan_model("m", config_url, checkpoint_url, o));
    o.on_message = nullptr;
    o.on_progress = [](const vqcache::progress&) -> bool {
      throw "text";
    };
    CHECK_NOTHROW((void)vqcache::try_download_vqgan_model("m", config_url, checkpoint_url, o));
    CHECK_NOTHROW((void)vqcache::try_download_vqgan_model("coco", o));
    CHECK_NOTHROW((void)vqcache::try_remove("m", o));
  }

  // ---- cancel

  TEST_CASE(
      "on_progress cancels in every phase before the pair is complete, and nothing wrong is left") {
    for (const phase p : {phase::downloading, phase::restoring, phase::verifying}) {
      CAPTURE(phase_name(p));
      place w;
      source k = checkpoint_url;
      lead_to(w, p, k);
      w.watch = [p](const vqcache::progress& at) {
        return at.phase != p || at.file != "m.ckpt";
      };
      const auto r = w.call("m", config_url, k);
      CHECK(r.error.code() == errc::cancelled);
      CHECK(r.error.code() == std::errc::operation_canceled);
      CHECK(has(r.error.what(), "m.ckpt"));
      CHECK(w.litter().empty());
      if (p != phase::verifying) CHECK_FALSE(fs::exists(w.local / "m.ckpt"));
      w.watch = nullptr;
      CHECK(w.call("m", config_url, k).ok());
      CHECK(w.local_is("m"));
    }
  }

  TEST_CASE("a wait for another call is announced, shown as progress, and can be cancelled") {
    place w;
    fs::create_directories(w.local);
    const int lock = ::open((w.local / ".m.lock").c_str(), O_RDWR | O_CREAT, 0666);
    REQUIRE(::flock(lock, LOCK_EX) == 0);
    w.watch = [](const vqcache::progress& p) {
      return p.phase != phase::waiting;
    };
    const auto r = w.call("m");
    CHECK(r.error.code() == errc::cancelled);
    CHECK(w.heard("Waiting for another call"));
    CHECK(w.asked.empty());
    INFO("one that makes no progress is not waited for longer than the window");
    w.watch = nullptr;
    auto o = w.options();
    o.stall_seconds = 1;
    const auto without = w.call_with(o, "m");
    CHECK_MESSAGE(without.ok(), why(without));
    CHECK(w.local_is("m"));
    CHECK(w.saw(phase::waiting));
    ::close(lock);
  }

  // ---- a user's fetch

  TEST_CASE("a fetcher without status() is believed to have sent the whole file, as with 200") {
    place w;
    auto o = w.options();
    o.fetch = [&](const vqcache::request& q, vqcache::response& r) {
      const std::string& body = w.pages[q.url].body;
      CHECK(q.offset == 0);
      CHECK(q.length == 0);
      CHECK(r.write(body.data(), body.size()));
    };
    const auto r = w.call_with(o, "m");
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(w.local_is("m"));
  }

  TEST_CASE("a fetcher is called on the calling thread, one request at a time") {
    place w;
    const auto mine = std::this_thread::get_id();
    int inside = 0;
    auto o = w.options();
    o.fetch = [&, inner = o.fetch](const vqcache::request& q, vqcache::response& r) {
      CHECK(++inside == 1);
      CHECK(std::this_thread::get_id() == mine);
      inner(q, r);
      --inside;
    };
    CHECK(w.call_with(o, "m").ok());
  }

  TEST_CASE("a fetcher used wrongly is an error that says how, and its bytes are not published") {
    const std::string body = config();
    const std::vector<std::pair<std::string, vqcache::fetcher>> cases = {
        {"status() after write()",
            [&](const vqcache::request&, vqcache::response& r) {
              r.write(body.data(), body.size());
              r.status(200);
            }},
        {"header() after write()",
            [&](const vqcache::request&, vqcache::response& r) {
              r.status(200);
              r.write(body.data(), body.size());
              r.header("ETag", "\"x\"");
            }},
        {"without status, write or fail",
            [](const vqcache::request&, vqcache::response&) {
            }},
        {"control characters",
            [&](const vqcache::request&, vqcache::response& r) {
              r.status(200);
              r.header("ETag", "a\r\nb");
              r.write(body.data(), body.size());
            }},
        {"header", [&](const vqcache::request&, vqcache::response& r) {
           r.header("", "x");
           r.write(body.data(), body.size());
         }}};
    for (const auto& c : cases) {
      CAPTURE(c.first);
      place w;
      auto o = w.options();
      int calls = 0;
      o.fetch = [&](const vqcache::request& q, vqcache::response& r) {
        ++calls, c.second(q, r);
      };
      const auto r = w.call_with(o, "m");
      CHECK(r.error.code() == errc::callback);
      CHECK_MESSAGE(has(r.error.what(), c.first), why(r));
      CHECK(has(r.error.what(), "fetch"));
      CHECK(has(r.error.what(), "m.yaml"));
      CHECK(calls == 1);
      CHECK_FALSE(fs::exists(w.local / "m.yaml"));
      CHECK(w.litter().empty());
    }
  }

  TEST_CASE("fail() after bytes fails, and the bytes are not published") {
    place w;
    int calls = 0;
    auto o = w.options();
    o.fetch = [&](const vqcache::request& q, vqcache::response& r) {
      if (++calls == 1) {
        const std::string& body = w.pages[q.url].body;
        r.write(body.data(), body.size());
        r.fail("the last byte was odd");
        return;
      }
      r.status(404);
    };
    const auto r = w.call_with(o, "m");
    CHECK_FALSE(r.ok());
    CHECK_FALSE(fs::exists(w.local / "m.yaml"));
    CHECK(calls == 2);  // a failure may pass: it was tried again
  }

  TEST_CASE("write() says false once nothing more is wanted, and what follows is dropped") {
    place w;
    bool wanted = true, later = true;
    w.watch = [](const vqcache::progress& p) {
      return p.file != "m.ckpt" || p.done == 0;
    };
    auto o = w.options();
    o.max_bytes = 50000;
    o.fetch = [&](const vqcache::request& q, vqcache::response& r) {
      const std::string& body = w.pages[q.url].body;
      wanted = r.write(body.data(), body.size());
      later = r.write("x", 1);
    };
    const auto r = w.call_with(o, "m");
    CHECK_FALSE(r.ok());
    CHECK_FALSE(wanted);
    CHECK_FALSE(later);
  }

  TEST_CASE("more bytes than announced belong to no file") {
    place w;  // not a zip archive: its end would tell by itself
    const std::string k(5000, 'k');
    w.serve(checkpoint_url,
        {k + "and the next answer", 200, {{"Content-Length", std::to_string(k.size())}}});
    const auto r = w.call("m");
    if (r.ok())
      CHECK(read(w.local / "m.ckpt") == k);
    else
      CHECK_FALSE(fs::exists(w.local / "m.ckpt"));
  }

  TEST_CASE("redirects through a fetcher: relative, absolute, without a fragment, at most twenty") {
    place w;
    w.serve("http://origin.test/a/b?x=12", {"", 302, {{"Location", "c?y=2#frag"}}});
    w.serve("http://origin.test/a/c?y=2", {"", 307, {{"location", "//other.test/d"}}});
    w.serve("http://other.test/d", {"", 301, {{"Location", "https://third.test:8443/e"}}});
    w.serve("https://third.test:8443/e", {"", 308, {{"Location", "?z=3"}}});
    w.serve("https://third.test:8443/e?z=3", {checkpoint()});
    const auto r = w.call("m", config_url, "http://origin.test/a/b?x=12");
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(w.asked.size() == 6);
    CHECK(w.local_is("m"));
    CHECK(has(read(w.local / "m.sha256"), "# origin http://origin.test/a/b?x=*** m.ckpt"));
    w.serve("http://origin.test/loop", {"", 302, {{"Location", "/loop"}}});
    const auto loop = w.call("n", config_url, "http://origin.test/loop");
    CHECK(loop.error.code() == errc::http_status);
    CHECK(has(loop.error.what(), "20"));
    CHECK(w.asked.size() == 1 + 21);
  }

  TEST_CASE("a redirect from https down to http is refused, and to other schemes too") {
    for (const std::string to : {"http://origin.test/k", "ftp://origin.test/k", "data:text/plain,x",
             "mem:k", "HTTP://origin.test/k"}) {
      CAPTURE(to);
      place w;
      w.serve("https://safe.test/k", {"", 302, {{"Location", to}}});
      w.serve("http://origin.test/k", {checkpoint()});
      const auto r = w.call("m", config_url, "https://safe.test/k");
      CHECK(r.error.code() == errc::http_status);
      CHECK(w.asked == lines{config_url, "https://safe.test/k"});
      CHECK_FALSE(fs::exists(w.local / "m.ckpt"));
    }
  }

  TEST_CASE(
      "a source's headers and user info go to the origin alone, never to where it redirects") {
    place w;
    const std::string first = "http://user:pw@origin.test/k";
    w.serve(first, {"", 302, {{"Location", "http://user:pw@origin.test/same"}}});
    w.serve("http://user:pw@origin.test/same",
        {"", 302, {{"Location", "http://origin.test:8080/port"}}});
    w.serve(
        "http://origin.test:8080/port", {"", 302, {{"Location", "https://origin.test/scheme"}}});
    w.serve("https://origin.test/scheme", {"", 302, {{"Location", "https://x:y@cdn.test/host"}}});
    w.serve("https://cdn.test/host", {checkpoint()});
    const source k({first}, "", {"Authorization: Bearer hunter2", "X-Mine: 1"});
    const auto r = w.call("m", config_url, k);
    REQUIRE_MESSAGE(r.ok(), why(r));
    REQUIRE(w.requests.size() == 6);
    for (const auto& q : w.requests) {
      CAPTURE(q.url);
      std::string all;
      for (const std::string& h : q.headers)
        all += h + "\n";
      const bool home = q.url == first || q.url == "http://user:pw@origin.test/same";
      CHECK(has(all, "Bearer hunter2") == home);
      CHECK(has(all, "X-Mine: 1") == home);
      CHECK(has(q.url, "@") == home);
      CHECK(has(all, "identity"));
    }
  }

  TEST_CASE("a source's headers go to the host of its first URL, and to no mirror") {
    place w;
    w.serve("http://origin.test/k", {"", 404});
    w.serve("http://mirror.test/k", {checkpoint()});
    const source k({"http://origin.test/k", "http://mirror.test/k"}, sha256(checkpoint()),
        {"Cookie: a=hunter2"});
    REQUIRE(w.call("m", config_url, k).ok());
    REQUIRE(w.requests.size() == 3);
    const auto sent = [&](std::size_t i) {
      std::string all;
      for (const std::string& h : w.requests[i].headers)
        all += h + "\n";
      return has(all, "hunter2");
    };
    CHECK_FALSE(sent(0));
    CHECK(sent(1));
    CHECK_FALSE(sent(2));
  }

  TEST_CASE("a fetcher may serve any scheme") {
    place w;
    w.serve("s3://bucket/model.yaml?versionId=7", {config()});
    w.serve("hf+xet://repo/last.ckpt", {checkpoint()});
    const auto r = w.call("m", "s3://bucket/model.yaml?versionId=7", "hf+xet://repo/last.ckpt");
    REQUIRE_MESSAGE(r.ok(), why(r));
    CHECK(w.asked == lines{"s3://bucket/model.yaml?versionId=7", "hf+xet://repo/last.ckpt"});
    CHECK(w.local_is("m"));
  }
}
