// One call whose lasting tier is a store that misbehaves (stores.py starts many), and lines about it.
//   store_call ACTION SECONDS [CONFIG_URL CHECKPOINT_URL]
// ACTION: bring, list, verify, repair, remove. SECONDS: the limit for silence and for connecting.
// The directories come from VQCACHE_LOCAL_DIR and VQCACHE_CACHE_DIR. It prints, fields behind tabs:
//   said TEXT            what a person would read
//   done FROM CACHED     of bring: local, cache or network; cached, or -
//   held NAME LOCAL CACHED
//   checked FILE WHERE CONDITION
//   ended                of the others; or
//   failed TEXT          and the exit code is 1
#include <cstdio>
#include <cstdlib>
#include <string>

#include "vqcache.hpp"

namespace {

void tell(const std::string& word, const std::string& text = "") {
  std::printf("%s\t%s\n", word.c_str(), text.c_str());
  std::fflush(stdout);
}

std::string word_of(vqcache::origin from) {
  switch (from) {
    case vqcache::origin::local: return "local";
    case vqcache::origin::cache: return "cache";
    case vqcache::origin::network: break;
  }
  return "network";
}

int told(const vqcache::error& problem) {
  const bool has_failed = static_cast<bool>(problem.code());
  tell(has_failed ? "failed" : "ended", has_failed ? problem.what() : "");
  return has_failed ? 1 : 0;
}

int bring(const vqcache::options& opts, const char* config, const char* checkpoint) {
  const vqcache::result got =
      vqcache::try_download_model("m", {{"m.ckpt", checkpoint}, {"m.yaml", config}}, opts);
  if (!got) return told(got.error);
  tell("done", word_of(got->from) + "\t" + (got->cached ? "cached" : "-"));
  return 0;
}

int list(const vqcache::options& opts) {
  const auto got = vqcache::try_list_models(opts);
  for (const vqcache::held_model& one : got.value) {
    tell("held",
        one.name + "\t" + (one.is_local() ? "local" : "-") + "\t"
            + (one.is_cached() ? "cached" : "-"));
  }
  return told(got.error);
}

int told_of(const vqcache::answer<vqcache::verification>& got) {
  static const char* const words[] = {"right", "missing", "damaged", "unreadable", "unvouched"};
  for (const vqcache::checked_file& one : got.value.files) {
    tell("checked",
        one.file + "\t" + word_of(one.where) + "\t" + words[static_cast<int>(one.is)] + "\t"
            + one.why);
  }
  return told(got.error);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 && argc != 5) return 2;
  const std::string action = argv[1];
  vqcache::options opts;
  opts.stall_seconds = static_cast<unsigned>(std::atoi(argv[2]));
  opts.connect_seconds = opts.stall_seconds;
  opts.recheck_copy = 0;
  opts.on_message = [](const vqcache::message& line) {
    tell("said", line);
  };

  if (action == "bring" && argc == 5) return bring(opts, argv[3], argv[4]);
  if (action == "list") return list(opts);
  if (action == "verify") return told_of(vqcache::try_verify_model("m", opts));
  if (action == "repair") return told_of(vqcache::try_repair_model("m", opts));
  if (action == "remove") return told(vqcache::try_remove("m", opts));
  return 2;
}
