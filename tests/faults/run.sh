#!/bin/sh
# run.sh: every system call of a call of the library fails once, and the promises hold.
#   sh tests/faults/run.sh [--quick] [--only SCENARIO,..] [--modes MODE,..] [--no-power]
#   sh tests/faults/run.sh --case SPEC             one case again, as a violation prints it
#   sh tests/faults/run.sh --mutants [NAME..]      only the test of the sweep: broken variants
#   sh tests/faults/run.sh --cuts [--quick]        only the power cuts of a cold download
#   sh tests/faults/run.sh --peers [--quick] [--python FILE] [--json OUT] [--only PEER,..] ...
#                                                  the same faults in curl, wget, aria2c, cp, pooch,
#                                                  huggingface_hub and a call of the library: a table,
#                                                  one of calls by chance (walks.py), and one
#                                                  of cloud drives (clouds.py)
#   sh tests/faults/run.sh --peers --selftest      only the test of that: broken commands, 10 s
# The plain run begins with the mutants and ends with the cuts; the peers are a measurement, and no
# part of it; .ci/run runs their selftest, which needs no packages but curl. CXX, VQCACHE_INCLUDE (where
# vqcache.hpp is) may be set. What is swept and what is asked: sweep.py, cuts.py, peers.py, walks.py,
# clouds.py, check.py; the injector: faultrun.cpp.
set -e
here=$(cd "$(dirname "$0")" && pwd)
include=${VQCACHE_INCLUDE:-$here/../..}
skip() { echo "skipped: faults: $1"; echo "faults: 0 cases, 0 violations, skipped"; exit 0; }
[ "$(uname -s)" = Linux ] && [ "$(uname -m)" = x86_64 ] || skip "faultrun needs Linux on x86_64"
command -v python3 > /dev/null || skip "no python3"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
cxx=${CXX:-g++}
$cxx -std=c++17 -O2 "$here/faultrun.cpp" -o "$scratch/faultrun"
"$scratch/faultrun" -- true || skip "ptrace or seccomp is not to be had here"
if [ "$1" = --peers ]; then
  shift
  # the cloud drive, where FUSE is to be had; peers.py says so if not
  # shellcheck disable=SC2046
  ! pkg-config --exists fuse3 2> /dev/null || $cxx -std=c++17 -O1 "$here/../drive/drivefs.cpp" \
    -o "$scratch/drivefs" $(pkg-config --cflags --libs fuse3) -pthread
  case " $* " in
    *' --selftest '* | *' --list '* | *' --help '*) ;;  # the library is not asked
    *) $cxx -std=c++17 -O1 -I"$include" "$here/subject.cpp" -o "$scratch/subject" -pthread ;;
  esac
  PYTHONDONTWRITEBYTECODE=1 python3 "$here/peers.py" --bin "$scratch" --include "$include" "$@"
  exit
fi
if [ "$1" != --mutants ]; then
  $cxx -std=c++17 -O1 -I"$include" "$here/subject.cpp" -o "$scratch/subject" -pthread
  # the same with small blocks and thresholds, for the scenario "parts" and the cuts
  mkdir "$scratch/include"
  sed -e 's/block_size = 1 << 18/block_size = 1 << 12/' -e 's/slice = 8 << 20/slice = 1 << 14/' \
    -e 's/sync_every = 64 << 20/sync_every = 1 << 16/' -e 's/thread_from = 1 << 20/thread_from = 1 << 13/' \
    -e 's/shortest_look = 0\.1,/shortest_look = 0.002,/' -e 's/(rate, size, total) > 1)/(rate, size, total) > 0.002)/' \
    -e 's/least_part = 32 << 20/least_part = 1 << 14/' -e 's/least_part = 1e6;/least_part = 1e4;/' \
    "$include/vqcache.hpp" > "$scratch/include/vqcache.hpp"
  [ "$(diff "$include/vqcache.hpp" "$scratch/include/vqcache.hpp" | grep -c '^>')" = 8 ] ||
    { echo "faults: 0 cases, 1 violations: run.sh has to follow the constants of the header"; exit 1; }
  $cxx -std=c++17 -O1 -I"$scratch/include" "$here/subject.cpp" -o "$scratch/small" -pthread
fi
# not exec: the trap has to remove what was built
PYTHONDONTWRITEBYTECODE=1 python3 "$here/sweep.py" --bin "$scratch" --cxx "$cxx" \
  --include "$include" "$@"
