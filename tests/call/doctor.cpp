// doctor(): what a call would find here, measured, each finding with its advice. It changes nothing,
// asks nobody, tells no secret, and finds wrong what is wrong.
#include "children.hpp"
#include "world.hpp"

namespace {

using namespace children;
using vqcache::errc;
using vqcache::severity;
using world::contents;
using world::folder;
using world::place;
using findings = std::vector<vqcache::finding>;

std::string shown(const findings& all) {
  std::string text;
  const char* const words[] = {"", "warning: ", "failure: "};
  for (const vqcache::finding& one : all) {
    text += words[static_cast<int>(one.how)] + one.about + ": " + one.said;
    text += one.advice.empty() ? "\n" : "; " + one.advice + "\n";
  }
  return text;
}

// What holds for every answer: each is a line for a person, and says what to do where that is needed.
findings examined(const vqcache::options& o) {
  const auto found = vqcache::try_doctor(o);
  REQUIRE_MESSAGE(found.ok(), found.error.what());
  CHECK(found->size() > 4);
  for (const vqcache::finding& one : found.value) {
    CAPTURE(one.said);
    CHECK(!one.about.empty());
    CHECK(!one.said.empty());
    CHECK((one.how == severity::information || !one.advice.empty()));
    for (const std::string& text : {one.about, one.said, one.advice}) {
      CHECK(support::is_utf8(text));
      CHECK_FALSE(support::has_control_characters(text));
    }
  }
  return found.value;
}

// The only finding about something that has this in it.
vqcache::finding the(const findings& all, const std::string& about, const std::string& part) {
  vqcache::finding found;
  int count = 0;
  for (const vqcache::finding& one : all) {
    if (one.about != about || !has(one.said, part)) continue;
    found = one;
    ++count;
  }
  CHECK_MESSAGE(count == 1, about, ", ", part, " in\n", shown(all));
  return found;
}

bool speaks_of(const findings& all, const std::string& about) {
  for (const vqcache::finding& one : all) {
    if (one.about == about) return true;
  }
  return false;
}

struct clinic : place {
  clinic() {
    fs::create_directories(local);
    fs::create_directories(cache);
  }

  vqcache::options plain() {  // without a fetch of its own
    vqcache::options o = options();
    o.fetch = nullptr;
    return o;
  }
};

// A directory for PATH with a program curl that is this script.
fs::path path_with_curl(scratch& home, const std::string& script) {
  const fs::path bin = home.fresh();
  write_file(bin / "curl", "#!/bin/sh\n" + script + "\n");
  fs::permissions(bin / "curl", fs::perms::all);
  return bin;
}

vqcache::options over_the_program(clinic& w) {
  vqcache::options o = w.plain();
  o.transport = "curl";
  return o;
}

// In a program of its own, for what has to be set before it starts.
int doctor_here() {
  vqcache::options o;
  o.local_dir = fs::path("local");
  o.cache_dir = fs::path("cache");
  const auto found = vqcache::try_doctor(o);
  write_file("findings", found.ok() ? shown(found.value) : found.error.what());
  return 0;
}

const role preloaded_doctor("doctor", doctor_here);

std::string told_by_another(const fs::path& where, environment changes) {
  fs::create_directories(where / "local");
  fs::create_directories(where / "cache");
  changes["VQCACHE_TEST_ROLE"] = "doctor";
  changes["ASAN_OPTIONS"] = "verify_asan_link_order=0";
  program p;
  p.start({self()}, changes, where / "noise", where / "noise", where);
  (void)p.wait(60);
  CHECK(names_in(where / "local").empty());
  CHECK(names_in(where / "cache").empty());
  return slurp(where / "findings");
}

void set_time(const fs::path& file, std::chrono::hours ago) {
  fs::last_write_time(file, fs::file_time_type::clock::now() - ago);
}

}  // namespace

TEST_SUITE_BEGIN("doctor");

TEST_CASE("each thing is told once, in the order of the manual, and nothing is left behind") {
  clinic w;
  REQUIRE(w.call("m").ok());
  const world::environment token("HF_TOKEN", "x"), offline("VQCACHE_OFFLINE", "yes");
  w.forget();
  vqcache::options o = w.plain();
  o.also_look_in = {w.root.at / "team"};
  fs::create_directories(w.root.at / "team");
  const auto before = contents(w.root.at);
  const findings all = examined(o);
  CHECK(contents(w.root.at) == before);
  CHECK(w.said.empty());
  CHECK(w.asked.empty());
  CHECK(w.seen.empty());

  std::vector<std::string> order;
  for (const vqcache::finding& one : all) {
    if (order.empty() || order.back() != one.about) order.push_back(one.about);
  }
  CHECK(order
      == std::vector<std::string>{"transport", "proxy", "certificates", "offline", "environment",
          "hash", "local_dir", "cache_dir", "also_look_in", "tiers"});

  CHECK(the(all, "hash", "MB/s").how == severity::information);
  CHECK(the(all, "environment", "HF_TOKEN").said == "HF_TOKEN is set");
  CHECK(the(all, "offline", "VQCACHE_OFFLINE").how == severity::warning);
  for (const char* const tier : {"local_dir", "cache_dir"}) {
    CAPTURE(tier);
    for (const char* const part :
        {"is a directory", "are free", "it can be listed", "files can be made and written",
            "rename replaces a file", "fsync works", "flock", "reflink", "in case alone"}) {
      (void)the(all, tier, part);
    }
  }
  CHECK(the(all, "local_dir", "flock").said == "flock keeps a second caller out");
  const vqcache::finding both = the(all, "tiers", "end of the disk");
  CHECK(both.how == severity::warning);
  CHECK(has(both.advice, "another disk"));
}

TEST_CASE("a misspelt variable is told") {
  clinic w;
  const world::environment misspelt("VQCACHE_CACHEDIR", "/x");
  const vqcache::finding one = the(examined(w.plain()), "environment", "VQCACHE_CACHEDIR");
  CHECK(one.how == severity::warning);
  CHECK(one.advice == "did you mean VQCACHE_CACHE_DIR?");
}

#if defined(__cpp_exceptions)
TEST_CASE("wrong options are an error, and the throwing form throws it") {
  clinic w;
  vqcache::options o = w.options();
  CHECK(vqcache::doctor(o).size() > 4);
  o.cache_dir = "https://canary:canary@team.test/x?t=canary";
  CHECK_FALSE(has(vqcache::try_doctor(o).error.what(), "canary"));
  o.connections = 99;
  const auto found = vqcache::try_doctor(o);
  CHECK_FALSE(found.ok());
  CHECK(found.error.code() == errc::invalid_argument);
  CHECK(has(found.error.what(), "connections"));
  try {
    (void)vqcache::doctor(o);
    FAIL("nothing was thrown");
  } catch (const vqcache::error& e) {
    CHECK(e.code() == errc::invalid_argument);
  }
}
#endif

TEST_CASE("directories that are missing stay so, and it is told who makes them") {
  place w;
  const auto before = contents(w.root.at);
  vqcache::options o = w.options();
  o.also_look_in = {w.root.at / "team"};
  findings all = examined(o);
  CHECK(contents(w.root.at) == before);
  for (const char* const tier : {"local_dir", "cache_dir"}) {
    CHECK(the(all, tier, "the first call makes it").how == severity::information);
    (void)the(all, tier, "are free");
  }
  CHECK(the(all, "also_look_in", "is not there").how == severity::warning);
  (void)the(all, "tiers", "on one device");

  o.create_dirs = false;
  all = examined(o);
  CHECK(the(all, "local_dir", "create_dirs is false").how == severity::failure);
  CHECK(the(all, "cache_dir", "create_dirs is false").how == severity::warning);
  CHECK(contents(w.root.at) == before);
}

TEST_CASE("what stands in the place of a directory, or above it, is told") {
  place w;
  write_file(w.local, "a file");
  fs::create_symlink(w.root.at / "not mounted", w.cache);
  const auto before = contents(w.root.at);
  findings all = examined(w.options());
  CHECK(the(all, "local_dir", "is no directory").how == severity::failure);
  const vqcache::finding link = the(all, "cache_dir", "is a link to");
  CHECK(link.how == severity::warning);
  CHECK(has(link.advice, "mount or create that"));

  vqcache::options o = w.options();
  o.local_dir = w.local / "below/it";
  all = examined(o);
  const vqcache::finding below = the(all, "local_dir", "cannot be made");
  CHECK(below.how == severity::failure);
  CHECK(has(below.said, w.local.string() + "' is no directory"));
  CHECK(contents(w.root.at) == before);
}

TEST_CASE("what may not be written or listed is told, and whose rights to look at") {
  if (lacks(part::users)) return;
  clinic w;
  fs::permissions(w.root.at, fs::perms(0555));
  fs::permissions(w.local, fs::perms(0555));
  fs::permissions(w.cache, fs::perms(0300));
  const auto before = contents(w.root.at);
  const auto ask = [](const vqcache::options& o) {
    return world::unprivileged([&] {
      const auto found = vqcache::try_doctor(o);
      return found.ok() ? shown(found.value) : std::string(found.error.what());
    });
  };
  vqcache::options o = w.options();
  const std::string text = ask(o);
  CHECK_MESSAGE(
      has(text, "failure: local_dir: no file can be written: Permission denied; check its perm"),
      text);
  CHECK_MESSAGE(has(text, "warning: cache_dir: it cannot be listed: Permission denied"), text);
  CHECK_FALSE(has(text, "local_dir: rename"));

  o.local_dir = w.root.at / "new/one";
  const std::string missing = ask(o);
  CHECK_MESSAGE(has(missing, "failure: local_dir: "), missing);
  CHECK_MESSAGE(has(missing, "cannot be made: '" + w.root.at.string()), missing);
  CHECK(contents(w.root.at) == before);
}

TEST_CASE("a full disk, and one in memory, are told") {
  clinic w;
  const world::tmpfs small(w.cache, "1m");
  if (!small.mounted()) return skipped("no tmpfs can be mounted");
  findings all = examined(w.options());
  CHECK(the(all, "cache_dir", "in memory").how == severity::warning);
  CHECK(the(all, "cache_dir", "are free").how == severity::warning);
  (void)the(all, "cache_dir", "files can be made and written");
  CHECK(the(all, "tiers", "").said == "they are on two devices");

  std::ofstream(w.cache / "fill", std::ios::binary) << std::string(2 << 20, 'x');
  all = examined(w.options());
  const vqcache::finding full = the(all, "cache_dir", "no file can be written");
  CHECK(full.how == severity::warning);
  CHECK(has(full.advice, "free some space"));
  CHECK(names_in(w.cache) == std::vector<std::string>{"fill"});
}

TEST_CASE("one tier, and two that are one, are told") {
  clinic w;
  vqcache::options o = w.options();
  o.keep_copy = false;
  findings all = examined(o);
  CHECK(the(all, "cache_dir", "keep_copy is false").how == severity::information);
  CHECK_FALSE(speaks_of(all, "tiers"));

  o.keep_copy = true;
  o.cache_dir = w.local / "";
  all = examined(o);
  CHECK(the(all, "tiers", "are one place").how == severity::warning);
}

TEST_CASE("more places to restore from are only read") {
  clinic w;
  vqcache::options o = w.options();
  const fs::path team = w.root.at / "team";
  write_file(team / "m/m.ckpt", "x");
  write_file(team / ".vqcache_doctor.00000000cafecafe.part", "not ours to take");
  set_time(team / ".vqcache_doctor.00000000cafecafe.part", std::chrono::hours(48));
  const fs::file_time_type then = fs::last_write_time(team);
  o.also_look_in = {team};
  const findings all = examined(o);
  CHECK(the(all, "also_look_in", team.string()).how == severity::information);
  (void)the(all, "also_look_in", "it can be listed");
  CHECK(fs::last_write_time(team) == then);
  CHECK(names_in(team).size() == 2);

  INFO("an entry of another scheme is a wrong option, and its secret is not told");
  o.also_look_in = {team, "ftp://u:canary@team.test/x"};
  const auto refused = vqcache::try_doctor(o);
  CHECK(refused.error.code() == vqcache::errc::invalid_argument);
  CHECK(has(refused.error.what(), "options::also_look_in[1] is a URL"));
  CHECK_FALSE(has(refused.error.what(), "canary"));
}

TEST_CASE("what a killed doctor has left goes after a day, and what is anybody else's stays") {
  clinic w;
  const std::string old = ".vqcache_doctor.00000000cafecafe.part";
  const std::string young = ".vqcache_doctor.00000000cafecaff.part";
  const std::string foreign = ".vqcache_doctor.txt";
  for (const fs::path& tier : {w.local, w.cache}) {
    for (const std::string& name : {old, young, foreign}) {
      write_file(tier / name, "x");
      set_time(tier / name, std::chrono::hours(name == young ? 1 : 48));
    }
  }
  (void)examined(w.options());
  for (const fs::path& tier : {w.local, w.cache}) {
    CHECK(names_in(tier) == std::vector<std::string>{young, foreign});
  }
  CHECK(!vqcache::try_remove("vqcache_doctor", w.options()).code());
  CHECK(names_in(w.local) == std::vector<std::string>{foreign});
}

TEST_CASE("an own transport is told, and proxies and certificates are its own business") {
  clinic w;
  const findings all = examined(w.options());
  CHECK(has(the(all, "transport", "").said, "options::fetch"));
  CHECK_FALSE(speaks_of(all, "proxy"));
  CHECK_FALSE(speaks_of(all, "certificates"));
  CHECK(w.asked.empty());
}

TEST_CASE("the transport that a call would take is told with its version") {
  clinic w;
  scratch home;
  const vqcache::options o = over_the_program(w);
  const auto with = [&](const fs::path& bin) {
    const world::environment path("PATH", bin.string() + ":" + std::getenv("PATH"));
    return the(examined(o), "transport", "");
  };
  const vqcache::finding mine =
      with(path_with_curl(home, "echo 'curl 7.99.1 (test) libcurl/7.99.1 OpenSSL/3.0'\necho more"));
  CHECK(mine.how == severity::information);
  CHECK(mine.said == "the program curl: curl 7.99.1 (test) libcurl/7.99.1 OpenSSL/3.0");
  const vqcache::finding old =
      with(path_with_curl(home, "echo 'curl 7.29.0 (test) libcurl/7.29.0 NSS/3.53'"));
  CHECK(old.how == severity::failure);
  CHECK(has(old.said, "older than 7.55"));
  const vqcache::finding mute = with(path_with_curl(home, "exit 3"));
  CHECK(mute.how == severity::failure);
  CHECK(has(mute.said, "does not tell its version"));
  const vqcache::finding stuck = with(path_with_curl(home, "exec sleep 600"));
  CHECK(stuck.how == severity::failure);
  CHECK(has(stuck.said, "does not tell its version"));

  if (children::transports().front() == by_fetch) return;
  const vqcache::finding any = the(examined(w.plain()), "transport", "");
  CHECK_MESSAGE(has(any.said, "curl"), any.said);
}

TEST_CASE("that there is no transport is told, with what to install") {
  clinic w;
  scratch home;
  {
    const world::environment path("PATH", home.fresh().string());
    const vqcache::finding none = the(examined(over_the_program(w)), "transport", "");
    CHECK(none.how == severity::failure);
    CHECK_MESSAGE(has(none.said, "curl cannot be"), none.said);
    CHECK(has(none.advice, "install curl or libcurl"));
  }
  {
    const world::environment odd("VQCACHE_TRANSPORT", "wget");
    const vqcache::finding unknown = the(examined(w.plain()), "transport", "");
    CHECK(unknown.how == severity::failure);
    CHECK(has(unknown.said, "wget"));
  }
#if !VQCACHE_USE_LIBCURL
  const fs::path broken = home.fresh();
  for (const char* name : {"libcurl.so.4", "libcurl-gnutls.so.4", "libcurl-nss.so.4"}) {
    write_file(broken / name, "no library\n");
  }
  const std::string text = told_by_another(
      home.fresh(), {{"LD_LIBRARY_PATH", broken.string()}, {"VQCACHE_TRANSPORT", "libcurl"}});
  CHECK_MESSAGE(has(text, "failure: transport: libcurl cannot be loaded"), text);
#endif
}

TEST_CASE("certificates that cannot be read are told") {
  clinic w;
  scratch home;
  const world::environment file("CURL_CA_BUNDLE", (home / "absent.pem").string());
  const world::environment directory("SSL_CERT_DIR", home.fresh().string());
  findings all = examined(over_the_program(w));
  const vqcache::finding absent = the(all, "certificates", "CURL_CA_BUNDLE");
  CHECK(absent.how == severity::failure);
  CHECK(has(absent.said, "No such file"));
  CHECK(the(all, "certificates", "SSL_CERT_DIR").how == severity::failure);

  write_file(home / "good.pem", "x");
  const world::environment other("CURL_CA_BUNDLE", nullptr);
  const world::environment good("SSL_CERT_FILE", (home / "good.pem").string());
  all = examined(over_the_program(w));
  CHECK(the(all, "certificates", "SSL_CERT_FILE").how == severity::information);

  const world::environment no_file("SSL_CERT_FILE", nullptr), no_folder("SSL_CERT_DIR", nullptr);
  all = examined(w.plain());
  CHECK(the(all, "certificates", "").about == "certificates");
}

TEST_CASE("no secret is told, and nobody is asked") {
  clinic w;
  hostile().reset();
  const std::string address = "127.0.0.1:" + std::to_string(hostile().port("plain"));
  const world::environment https("https_proxy", "http://canary1:canary2@" + address),
      http("http_proxy", "canary3:canary4@" + address), hub("HF_ENDPOINT", "http://" + address),
      token("HF_TOKEN", "hf_canary5"), all("ALL_PROXY", "canary6:can/canary7@h"),
      off("VQCACHE_OFFLINE", nullptr);
  for (const char* const by : {"curl", "libcurl"}) {
    vqcache::options o = w.plain();
    o.transport = by;
    const findings found = examined(o);
    CHECK_FALSE_MESSAGE(has(shown(found), "canary"), shown(found));
    (void)the(found, "proxy", "https goes through http://***@" + address);
    (void)the(found, "proxy", "http goes through http://***@" + address);
  }
  CHECK(hostile().count() == 0);
}

TEST_CASE("locks that say yes to everybody are told") {
  scratch built;
  const fs::path library = built / "lying_flock.so";
  const std::string cc = std::getenv("CC") ? std::getenv("CC") : "cc";
  if (!run({cc, "-shared", "-fPIC", "-o", library.string(),
               (tests_dir() / "lying_flock.c").string()},
          built / "log"))
    return skipped("no C compiler for the lying flock: " + slurp(built / "log"));

  const std::string honest = told_by_another(built.fresh(), {});
  CHECK_MESSAGE(has(honest, "\nlocal_dir: flock keeps a second caller out\n"), honest);
  const std::string lied = told_by_another(built.fresh(), {{"LD_PRELOAD", library.string()}});
  CHECK_MESSAGE(has(lied, "warning: local_dir: flock says yes to everybody; two calls may"), lied);
  CHECK_MESSAGE(has(lied, "\ncache_dir: flock does not work, and is not used there\n"), lied);
}

TEST_CASE("where blocks can be shared, that is told, and what such a copy is worth") {
  if (::geteuid() != 0 || find_in_path("mkfs.xfs").empty())
    return skipped("a file system that shares blocks needs root and mkfs.xfs");
  scratch home;
  const fs::path image = home / "image", at = home / "mount";
  fs::create_directories(at);
  const std::string make = "truncate -s 320M " + image.string() + " && mkfs.xfs -q -m reflink=1 "
      + image.string() + " && mount -o loop " + image.string() + " " + at.string();
  if (!run({"sh", "-c", make}, home / "log"))
    return skipped("no loop mount here: " + slurp(home / "log"));

  struct unmount {
    fs::path at;

    ~unmount() { ::umount2(at.c_str(), MNT_DETACH); }
  } after{at};

  place w;
  vqcache::options o = w.options();
  o.local_dir = at / "local";
  o.cache_dir = at / "cache";
  fs::create_directories(o.local_dir);
  fs::create_directories(o.cache_dir);
  const findings all = examined(o);
  (void)the(all, "local_dir", "files can share blocks");
  (void)the(all, "local_dir", "is a directory on xfs");
  (void)the(all, "tiers", "takes no room");
  CHECK(the(all, "tiers", "against deletion alone").how == severity::warning);
  CHECK(names_in(o.local_dir).empty());
  CHECK(names_in(o.cache_dir).empty());
}

TEST_CASE("without a home or a working directory it is told why a place is none") {
  place w;
  vqcache::options o = w.options();
  const world::environment home("HOME", nullptr);
  o.local_dir = "~/models";
  const vqcache::finding one = the(examined(o), "local_dir", "cannot be used");
  CHECK(one.how == severity::failure);
  CHECK(has(one.said, "HOME is not set"));
}

TEST_CASE("with no descriptor left it still answers, and leaves nothing") {
  clinic w;
  const auto before = contents(w.root.at);
  for (const int left : {0, 1, 2, 3, 4, 6, 8, 12}) {
    CAPTURE(left);
    const std::string text = world::in_child([&]() -> std::string {
      const int next = ::dup(0);
      ::close(next);
      const rlim_t limit = static_cast<rlim_t>(next + left);
      const struct rlimit few{limit, limit};
      if (::setrlimit(RLIMIT_NOFILE, &few) != 0) return "no limit";
      const auto found = vqcache::try_doctor(w.plain());
      return found.ok() ? "ok" : found.error.what();
    });
    CHECK(text == "ok");
    CHECK(contents(w.root.at) == before);
  }
}

TEST_SUITE_END();
