#!/bin/sh
# sh tests/drive/run.sh [--no-mutants]: installs what it needs, then makes calls whose cache is on a
# cloud drive that misbehaves (drive.cpp says what must hold), then the test of this test: headers
# with a bug must be noticed. Without FUSE all of it is skipped, and said.
#   VQCACHE_NO_INSTALL=1   install nothing
#   CXX, VQCACHE_INCLUDE   the compiler; where vqcache.hpp is
# It ends with one line of counts.
set -u
LC_ALL=C
export LC_ALL
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) || exit 1
include=${VQCACHE_INCLUDE:-$here/../..}
cxx=${CXX:-g++}
counts() { echo "$1 passed, $2 failed, $3 skipped"; }
skip() { echo "skipped: $1"; counts 0 0 1; exit 0; }
fail() { echo "failed: $1"; counts 0 1 0; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# No package brings these, so that VQCACHE_NO_SKIP does not ask for them.
[ "$(uname -s)" = Linux ] || skip "the drive is a Linux file system"
[ -c /dev/fuse ] || skip "no /dev/fuse"
[ -r /proc/self/mounts ] || skip "no /proc, which tells what is mounted"

need() {
  missing=''
  have "$cxx" || missing="$missing g++"
  have python3 || missing="$missing python3"
  have pkg-config || missing="$missing pkg-config"
  have fusermount3 || missing="$missing fuse3"
  pkg-config --exists fuse3 2>/dev/null || missing="$missing libfuse3-dev"
}
need
if [ -n "$missing" ] && [ "${VQCACHE_NO_INSTALL:-0}" != 1 ] && have apt-get; then
  echo "installing:$missing"
  as_root=''
  [ "$(id -u)" = 0 ] || as_root='sudo -n'
  # shellcheck disable=SC2086
  $as_root apt-get -q update >/dev/null 2>&1 </dev/null &&
    $as_root env DEBIAN_FRONTEND=noninteractive \
      apt-get -q install -y --no-install-recommends $missing >/dev/null 2>&1 </dev/null
  need
fi
if [ -n "$missing" ]; then
  [ "${VQCACHE_NO_SKIP:-0}" = 1 ] && fail "missing:$missing"
  skip "missing:$missing"
fi

scratch=$(mktemp -d "${TMPDIR:-/tmp}/vqcache-drive.XXXXXX") || exit 1
scratch=$(CDPATH='' cd -- "$scratch" && pwd -P)
clean_up() {
  # shellcheck disable=SC2086
  [ -z "$running" ] || kill $running 2>/dev/null
  wait
  awk -v at="$scratch/" 'index($2, at) == 1 { print $2 }' /proc/self/mounts |
    while read -r mounted; do fusermount3 -u -z "$mounted"; done
  rm -rf "$scratch"
}
running=''
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
TMPDIR=$scratch
export TMPDIR

build() {  # DIRECTORY_OF_THE_HEADER PROGRAM
  "$cxx" -std=c++17 -O1 -I"$1" "-DVQCACHE_TEST_DIR=\"$here/..\"" "$here/drive.cpp" \
    -o "$2" -pthread -ldl
}
# shellcheck disable=SC2046
"$cxx" -std=c++17 -O1 "$here/drivefs.cpp" -o "$scratch/drivefs" \
  $(pkg-config --cflags --libs fuse3) -pthread || fail "the drive does not compile"

mkdir "$scratch/cloud" "$scratch/mount"
"$scratch/drivefs" "$scratch/cloud" "$scratch/mount" 2>"$scratch/log" &
running=$!
tries=0
until grep -q " $scratch/mount fuse" /proc/self/mounts; do
  tries=$((tries + 1))
  if [ $tries -gt 50 ] || ! kill -0 $running 2>/dev/null; then
    skip "nothing can be mounted here: $(tr '\n' ' ' <"$scratch/log")"
  fi
  sleep 0.1
done
fusermount3 -u "$scratch/mount"
wait $running

build "$include" "$scratch/drive" &
running=$!
if [ "${1:-}" != --no-mutants ]; then
  mkdir "$scratch/mutant"
  PYTHONDONTWRITEBYTECODE=1 python3 "$here/mutate.py" "$include/vqcache.hpp" \
    >"$scratch/mutant/vqcache.hpp" && build "$scratch/mutant" "$scratch/mutant/drive" ||
    fail "the mutants do not compile"
fi
wait $running || fail "the test does not compile"

passed=0 failed=0
"$scratch/drive" "$scratch/drivefs" 0/2 >"$scratch/half0" 2>&1 &
running=$!
"$scratch/drive" "$scratch/drivefs" 1/2 >"$scratch/half1" 2>&1 &
running="$running $!"
for half in 0 1; do
  wait "${running%% *}"
  status=$?
  running=${running#* }
  last=$(tail -n 1 "$scratch/half$half" | grep -E '^[0-9]+ passed, [0-9]+ failed, 0 skipped$')
  grep -Ev '^[0-9]+ passed, ' "$scratch/half$half"
  p=0 f=0
  [ -z "$last" ] || { p=${last%% passed*} f=${last#*passed, } f=${f%% failed*}; }
  [ $status = 0 ] || [ "$f" -gt 0 ] || f=1
  passed=$((passed + p)) failed=$((failed + f))
done
running=''

must_notice() {  # MUTANT WHAT REASON CASE...
  mutant=$1 what=$2 reason=$3
  shift 3
  VQ_MUTANT=$mutant "$scratch/mutant/drive" "$scratch/drivefs" 0/1 "$@" >"$scratch/log" 2>&1
  if grep -q "^  .*$reason" "$scratch/log"; then
    passed=$((passed + 1))
    echo "noticed: $what"
  else
    failed=$((failed + 1))
    echo "failed: NOT NOTICED: $what"
    sed 's/^/  /' "$scratch/log"
  fi
}
if [ "${1:-}" != --no-mutants ]; then
  lie="what is said to be cached is"
  must_notice ignore_write "an error of write is not looked at" "$lie" write-fails-once/cold
  must_notice ignore_fsync "an error of fsync is not looked at" "$lie" fsync-fails/cold
  must_notice ignore_close "an error of close is not looked at" "$lie" close-fails/cold
  must_notice cached_lies "a copy that failed is said to be kept" "$lie" no-quota-left/cold
  must_notice trust_names "the size of a cached file is not looked at" "$lie" \
    upload-of-the-large-empty/cold
  must_notice no_hash "a restored file is not held to its hash" "no wrong byte is served" \
    read-flips-a-bit/dead-origin
  must_notice need_dirsync "a directory that cannot be synced is an error" "cached is +" plain/cold
  must_notice cache_fails_call "a cache that fails takes the local pair away" "it succeeds" \
    no-quota-left/cold
  must_notice receipt_first "the receipt is published before its files" \
    "a receipt stands only where its files do" \
    $(seq -f 'dies-after-%.0f/cold' 150 175)
  must_notice no_sweep "what a dead session left stays" "is left" dies-after-50
  must_notice pile_up "every damaged copy stays" "is left" read-flips-a-bit/restore
fi
counts $passed $failed 0
[ $failed = 0 ] && [ $passed -gt 0 ]
