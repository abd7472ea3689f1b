#!/bin/sh
# sh tests/kill/run.sh [full]: downloads that are killed once and made again (kill.cpp says what must
# hold), then the test of this test: what was spoilt, and a header that continues nothing, must fail.
# 100 of 16 MB and 4 of 256 MB; with `full` 100 of 256 MB, which takes some ten minutes.
#   CXX, VQCACHE_INCLUDE (where vqcache.hpp is) may be set. It ends with one line of counts.
set -u
LC_ALL=C
export LC_ALL
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) || exit 1
include=${VQCACHE_INCLUDE:-$here/../..}
skip() {
  echo "skipped: $1"
  [ "${VQCACHE_NO_SKIP:-0}" = 1 ] && { echo "0 passed, 1 failed, 0 skipped"; exit 1; }
  echo "0 passed, 0 failed, 1 skipped"
  exit 0
}
[ "$(uname -s)" = Linux ] || skip "the kill test needs Linux"
command -v python3 >/dev/null || skip "no python3"
command -v curl >/dev/null || skip "no curl"
command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || skip "no nginx"

scratch=$(mktemp -d "${TMPDIR:-/tmp}/vqcache-kill.XXXXXX") || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
TMPDIR=$scratch
export TMPDIR
passed=0 failed=0

build() {  # DIRECTORY_OF_THE_HEADER PROGRAM
  "${CXX:-g++}" -std=c++17 -O1 -I"$1" "-DVQCACHE_TEST_DIR=\"$here/..\"" "$here/kill.cpp" -o "$2" \
    -pthread -ldl
}
run() {  # TITLE ARGUMENTS...
  echo "$1"
  shift
  "$scratch/kill" "$@" >"$scratch/log" 2>&1
  status=$?
  counts=$(tail -n 1 "$scratch/log" | grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$')
  grep -v '^[0-9]* passed, ' "$scratch/log" | sed 's/^/  /'
  p=0 f=0
  [ -z "$counts" ] || { p=${counts%% passed*} f=${counts#*passed, } f=${f%% failed*}; }
  [ $status = 0 ] || [ "$f" -gt 0 ] || f=1
  passed=$((passed + p)) failed=$((failed + f))
}
must_fail() {  # WHAT REASON PROGRAM ARGUMENTS...
  what=$1 reason=$2
  shift 2
  if "$@" >"$scratch/log" 2>&1 || ! grep -q "^failed: .*$reason" "$scratch/log"; then
    failed=$((failed + 1))
    echo "failed: NOT NOTICED: $what"
    sed 's/^/  /' "$scratch/log"
  else
    passed=$((passed + 1))
    echo "noticed: $what: $(grep -m 1 "^failed: .*$reason" "$scratch/log" | cut -c9-)"
  fi
}

build "$include" "$scratch/kill" || { echo "0 passed, 1 failed, 0 skipped"; exit 1; }
if [ "${1:-}" = full ]; then
  run "100 downloads of 256 MB" --rounds 100 --size 256 --rate 256
else
  run "100 downloads of 16 MB" --rounds 100
  run "4 downloads of 256 MB" --rounds 4 --size 256 --rate 256 --seed 3
fi

must_fail "a partial that is lost" "the server sent" "$scratch/kill" --rounds 8 --break lose
must_fail "a partial with other bytes" "a wrong checkpoint" "$scratch/kill" --rounds 8 --break flip
must_fail "a partial that stays" "is left" "$scratch/kill" --rounds 1 --break litter
mkdir "$scratch/mutant"
sed 's/bool usable() const { return [^}]*}/bool usable() const { return false; }/' \
  "$include/vqcache.hpp" >"$scratch/mutant/vqcache.hpp"
if cmp -s "$include/vqcache.hpp" "$scratch/mutant/vqcache.hpp"; then
  failed=$((failed + 1))
  echo "failed: identity::usable() is not in vqcache.hpp as it was: bring tests/kill/run.sh up to date"
elif build "$scratch/mutant" "$scratch/mutant/kill"; then
  must_fail "a header that continues nothing" "the server sent" "$scratch/mutant/kill" --rounds 8
else
  failed=$((failed + 1))
  echo "failed: the header that continues nothing does not compile"
fi
echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ] && [ $passed -gt 0 ]
