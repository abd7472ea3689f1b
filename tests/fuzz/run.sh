#!/bin/sh
# sh tests/fuzz/run.sh [SECONDS_PER_TARGET [TARGET...]]: libFuzzer, with AddressSanitizer and UBSan, on
# every parser of foreign bytes; 20 s each. It ends with one line of counts.
#   CXX              a clang++ with libFuzzer (default: the newest that is found)
#   VQCACHE_INCLUDE  where vqcache.hpp is (default: the repository)
#   VQCACHE_FUZZ_CORPUS=DIR  keeps what the fuzzer finds interesting there, for a later run
#   VQCACHE_FUZZ_SEED=N      tries the same inputs in every run, so that a longer one here has tried
#                            all that a shorter one elsewhere does; without it each run is another
# What is asked of the parsers: targets.hpp. An input that breaks it is printed as a line of corpus.txt;
# put it there, mend the parser, and tests/unit/fuzz.cpp looks at it in every run.
set -u
LC_ALL=C
export LC_ALL
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) || exit 1
include=${VQCACHE_INCLUDE:-$here/../..}
seconds=${1:-20}
[ $# -gt 0 ] && shift
case $seconds in '' | *[!0-9]* | 0) echo "usage: run.sh [SECONDS_PER_TARGET [TARGET...]]"; exit 2 ;; esac

scratch=$(mktemp -d "${TMPDIR:-/tmp}/vqcache-fuzz.XXXXXX") || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
TMPDIR=$scratch
export TMPDIR

flags='-std=c++17 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -pthread'
echo 'extern "C" int LLVMFuzzerTestOneInput(const char*, unsigned long) { return 0; }' >"$scratch/try.cpp"
works() {
  # shellcheck disable=SC2086
  command -v "$1" >/dev/null && "$1" $flags "$scratch/try.cpp" -o "$scratch/try" 2>/dev/null
}
cxx=''
for c in ${CXX:-clang++-20 clang++-19 clang++-18 clang++-17 clang++-16 clang++-15 clang++ clang++-14}; do
  works "$c" && { cxx=$c; break; }
done
if [ -z "$cxx" ]; then
  echo "skipped: no clang++ with libFuzzer (Debian: clang-19 libclang-rt-19-dev)"
  [ "${VQCACHE_NO_SKIP:-0}" = 1 ] && { echo "0 passed, 1 failed, 0 skipped"; exit 1; }
  echo "0 passed, 0 failed, 1 skipped"
  exit 0
fi
# shellcheck disable=SC2086
"$cxx" $flags -Wall -Wextra -I"$include" "-DVQCACHE_FUZZ_CORPUS=\"$here/corpus.txt\"" \
  "$here/fuzz.cpp" -o "$scratch/fuzz" -ldl || { echo "0 passed, 1 failed, 0 skipped"; exit 1; }

# Repeatable are libFuzzer's choices with a seed, without its clock, at the same addresses, and with
# the first inputs in the same order.
repeatable='' same_addresses=''
if [ -n "${VQCACHE_FUZZ_SEED:-}" ]; then
  repeatable="-seed=$VQCACHE_FUZZ_SEED -reload=0 -entropic=0"
  setarch -R true 2>/dev/null && same_addresses='setarch -R'
fi

fuzz() {  # one target; its words go to a file, and .ok beside it says that nothing was found
  seeds=$scratch/$1.seeds found=$scratch/$1.found log=$scratch/$1.log
  [ -z "${VQCACHE_FUZZ_CORPUS:-}" ] || found=$VQCACHE_FUZZ_CORPUS/$1
  mkdir -p "$seeds" "$found"
  # shellcheck disable=SC2086
  if "$scratch/fuzz" seeds "$1" "$seeds" &&
    find "$seeds" -type f | sort | paste -sd, >"$scratch/$1.first" &&
    VQCACHE_FUZZ=$1 $same_addresses "$scratch/fuzz" $repeatable -seed_inputs="@$scratch/$1.first" \
      -max_total_time="$seconds" -max_len=2048 -timeout=10 \
      -rss_limit_mb=2048 -use_value_profile=1 -print_final_stats=1 \
      -artifact_prefix="$scratch/$1." "$found" >"$log" 2>&1; then
    : >"$scratch/$1.ok"
    printf '%-10s %10s executions, %4d inputs of interest\n' "$1" \
      "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" \
      "$(find "$found" -type f | wc -l)"
  else
    echo "failed: $1"
    grep -v '^#' "$log" | grep -v '^INFO:' | head -n 60
  fi >"$scratch/$1.said"
}

targets=${*:-$("$scratch/fuzz" list)}
at_once=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)  # each is one busy thread
running=0
for target in $targets; do
  fuzz "$target" &
  running=$((running + 1))
  [ $((running % at_once)) = 0 ] && wait
done
wait

passed=0 failed=0
for target in $targets; do
  cat "$scratch/$target.said"
  if [ -f "$scratch/$target.ok" ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
done
echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ] && [ $passed -gt 0 ]
