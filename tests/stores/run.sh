#!/bin/sh
# sh tests/stores/run.sh [PART...]: stores and WebDAV servers as they are, on this machine.
#   get        builds and installs what tests/servers/stores.py names; kept in $VQCACHE_STORES_DIR
#   contract   what every tier promises (tests/tier), asked of each of them
#   cluster    30 machines, one store, one download (tests/cluster/run.py): calm, then with two
#              holders killed; on four stores, and on a directory that hosts share. Then the test
#              of this test: without leases, and with a store that forgets, it must fail
#   faults     a store's answers fail, one by one, and it misbehaves (tests/faults/stores.py --quick;
#              all of it: without --quick). Then the test of that: broken headers, which it notices
# All of them without a PART. CXX and VQCACHE_INCLUDE (where vqcache.hpp is) may be set. What cannot
# be had is told as skipped, and is a failure under VQCACHE_NO_SKIP=1. It ends with a line of counts.
set -u
LC_ALL=C
export LC_ALL
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) || exit 1
root=$here/../..
include=${VQCACHE_INCLUDE:-$root}
compiler=${CXX:-g++}
contract_on="versitygw ceph rclone-s3 rclone-dav nginx lighttpd apache"
cluster_on="versitygw ceph rclone-s3 nginx directory"
skip() {
  echo "skipped: $1"
  [ "${VQCACHE_NO_SKIP:-0}" = 1 ] && { echo "0 passed, 1 failed, 0 skipped"; exit 1; }
  echo "0 passed, 0 failed, 1 skipped"
  exit 0
}
[ "$(uname -s)" = Linux ] || skip "the stores need Linux"
command -v python3 >/dev/null || skip "no python3"

scratch=$(mktemp -d "${TMPDIR:-/tmp}/vqcache-stores.XXXXXX") || exit 1
chmod 711 "$scratch"  # Apache, which root starts, keeps its data as another user
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
TMPDIR=$scratch
export TMPDIR
passed=0 failed=0 skipped=0

is_wanted() {  # PART, of what the command line says
  part=$1
  shift
  [ $# = 0 ] && return 0
  for word; do [ "$word" = "$part" ] && return 0; done
  return 1
}
now() { date +%s; }
# counted TITLE COMMAND...: shows its output, adds the counts of its last line, says how long it took
counted() {
  title=$1 began=$(now)
  shift
  echo "$title"
  "$@" >"$scratch/log" 2>&1
  status=$?
  counts=$(tail -n 1 "$scratch/log" | grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$')
  grep -v '^[0-9]* passed, ' "$scratch/log" | sed 's/^/  /'
  p=0 f=0 s=0
  if [ -n "$counts" ]; then
    p=${counts%% passed*} f=${counts#*passed, } s=${counts#*failed, }
    f=${f%% failed*} s=${s%% skipped*}
  fi
  [ $status = 0 ] || [ "$f" -gt 0 ] || f=1
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
  echo "  $title: $(($(now) - began)) s"
}

# build PROGRAM SOURCE...: those that see all of the header
build() {
  to=$1
  shift
  "$compiler" -std=c++17 -g0 -I"$include" -I"$root/tests" "-DVQCACHE_TEST_DIR=\"$root/tests\"" \
    "$@" -o "$to" -pthread -ldl
}
build_all() {
  build "$scratch/contract" "$root/tests/main.cpp" "$root/tests/tier/contract.cpp" \
    "$root/tests/tier/contract_stores.cpp" &&
    build "$scratch/node" "$root/tests/cluster/node.cpp"
}

# must_fail WHAT REASON ARGUMENT...: of run.py
must_fail() {
  what=$1 reason=$2
  shift 2
  if python3 "$root/tests/cluster/run.py" "$@" >"$scratch/log" 2>&1 ||
    ! grep -q "$reason" "$scratch/log"; then
    failed=$((failed + 1))
    echo "failed: NOT NOTICED: $what"
    sed 's/^/  /' "$scratch/log"
  else
    passed=$((passed + 1))
    echo "noticed: $what: $(grep -m 1 "$reason" "$scratch/log" | sed 's/^ *//' | cut -c1-150)"
  fi
}
build_mutant() {  # a header in which each call takes the lead
  mkdir "$scratch/mutant"
  sed 's/if (seen.number == 0) return decision::take;/if (seen.number < 1000) return decision::take;/' \
    "$include/vqcache.hpp" >"$scratch/mutant/vqcache.hpp"
  cmp -s "$include/vqcache.hpp" "$scratch/mutant/vqcache.hpp" && return 1
  (include=$scratch/mutant && build "$scratch/mutant/node" "$root/tests/cluster/node.cpp")
}

# one store: the counts of doctest's cases, or that it is not here
contract() {
  VQCACHE_REAL_STORE=$1 "$scratch/contract" --no-version --source-file='*contract_stores.cpp' \
    --test-case='*real store*' >"$scratch/asked" 2>&1
  status=$?
  if [ $status = 0 ] && grep -q '^skipped: ' "$scratch/asked"; then
    grep '^skipped: ' "$scratch/asked"
    echo "0 passed, 0 failed, 1 skipped"
  elif [ $status = 0 ] && grep -qE 'test cases: +[1-9]' "$scratch/asked"; then
    grep -E 'assertions:' "$scratch/asked" | sed 's/^\[doctest\] //'
    echo "1 passed, 0 failed, 0 skipped"
  else
    tail -n 80 "$scratch/asked"
    echo "failed: the contract on $1"
    echo "0 passed, 1 failed, 0 skipped"
    return 1
  fi
}

all_began=$(now)
is_wanted get "$@" && counted "servers" python3 "$root/tests/servers/stores.py" --get all
if is_wanted contract "$@" || is_wanted cluster "$@"; then
  began=$(now)
  build_all || { echo "failed: it does not compile"; echo "0 passed, 1 failed, 0 skipped"; exit 1; }
  echo "compiled: $(($(now) - began)) s"
fi
if is_wanted contract "$@"; then
  for store in $contract_on; do counted "contract on $store" contract "$store"; done
fi
if is_wanted cluster "$@"; then
  for store in $cluster_on; do
    for killed in 0 2; do
      counted "cluster on $store, $killed killed" python3 "$root/tests/cluster/run.py" \
        --node "$scratch/node" --kill $killed "$store"
    done
  done
  # conditions only save downloads: without any, all are right
  counted "cluster on a store that ignores conditions" python3 "$root/tests/cluster/run.py" \
    --node "$scratch/node" --most 0 hostile:way=conditions_ignored
  must_fail "a store that forgets" "and no copy" --node "$scratch/node" --nodes 3 \
    'hostile:way=forgets&path=*.ckpt'
  if build_mutant; then
    must_fail "no leases" "downloads from the origin" --node "$scratch/mutant/node" --nodes 6 directory
  else
    failed=$((failed + 1))
    echo "failed: lease::decide() is not in vqcache.hpp as it was: bring tests/stores/run.sh up to date"
  fi
fi
if is_wanted faults "$@"; then
  CXX=$compiler VQCACHE_INCLUDE=$include
  export CXX VQCACHE_INCLUDE
  counted "faults of a store's answers" python3 "$root/tests/faults/stores.py" --quick
  counted "the test of the faults" python3 "$root/tests/faults/stores.py" --selftest
fi
echo "all: $(($(now) - all_began)) s"
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ] && [ $((passed + skipped)) -gt 0 ]
