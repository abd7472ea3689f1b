#!/bin/sh
# sh tests/bench/run.sh [--size 1G] [--runs 5] [--only CASE]... [--json OUT] [--write]: installs what
# the benchmarks need, runs them, prints a table in Markdown, ends with one line of counts. --help
# tells all options and cases. As root all cases run; what is missing is skipped, and said.
#
# With --write it ends by writing what README shows: tests/bench/results.json, and made of that by
# report.py README's section "Speed" and the chart examples/benchmark.svg. For 1 GiB, and on a quiet
# machine: these figures are read as the library's.
#
#   VQCACHE_BUILD_DIR=DIR   the Python packages of the peers go there (default: a directory of this
#                           user's under ${TMPDIR:-/tmp}); all else is removed at the end
#   VQCACHE_STORES_DIR=DIR  the store of the case stores is built there once, and kept; Go builds it
#   VQCACHE_NO_INSTALL=1    install nothing, build no store
#   CXX                     as usual
set -u
LC_ALL=C
export LC_ALL

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) || exit 1
say() { printf '%s\n' "$*"; }
fail() {
  say "failed: $*"
  say "0 passed, 1 failed, 0 skipped"
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ]; }

# ---- what the benchmarks need -----------------------------------------------------------------

need() {  # the packages of what is missing: what must be there, and what only some cases want
  missing='' wanted=''
  have "${CXX:-c++}" || have g++ || missing="$missing g++"
  have python3 || missing="$missing python3"
  have nginx || missing="$missing nginx-light"
  have curl || missing="$missing curl"
  have aria2c || wanted="$wanted aria2"
  have wget2 || wanted="$wanted wget2"
  have openssl || wanted="$wanted openssl"
  have rclone || wanted="$wanted rclone"
  have strace || wanted="$wanted strace"
  have pkg-config || wanted="$wanted pkg-config"
  pkg-config --exists fuse3 2>/dev/null || wanted="$wanted libfuse3-dev"
  have fusermount3 || wanted="$wanted fuse3"
  have mkfs.xfs || have mkfs.btrfs || wanted="$wanted xfsprogs"
  python3 -c 'import ensurepip' 2>/dev/null || wanted="$wanted python3-venv"
}
install_missing() {
  as_root=''
  if ! have apt-get; then say "no apt-get; missing:$missing$wanted"; return; fi
  if [ "$(id -u)" != 0 ]; then
    if ! have sudo || ! sudo -n true 2>/dev/null; then
      say "neither root nor sudo. As root: apt-get install$missing$wanted"
      return
    fi
    as_root='sudo -n'
  fi
  say "installing:$missing$wanted"
  DEBIAN_FRONTEND=noninteractive
  export DEBIAN_FRONTEND
  # shellcheck disable=SC2086
  { $as_root apt-get -q update &&
    $as_root apt-get -q install -y --no-install-recommends $missing $wanted
  } >"$build/install.log" 2>&1 </dev/null ||
    { say "the package manager failed:"; tail -n 5 "$build/install.log"; }
}

build=${VQCACHE_BUILD_DIR:-${TMPDIR:-/tmp}/vqcache-build-$(id -un 2>/dev/null || id -u)}/bench
mkdir -p "$build" || fail "cannot make $build"
build=$(CDPATH='' cd -- "$build" && pwd)
python=$build/venv/bin/python
packages='pooch huggingface_hub requests'

need
if [ -n "$missing$wanted" ] && [ "${VQCACHE_NO_INSTALL:-0}" != 1 ]; then
  install_missing
  hash -r 2>/dev/null
  need
fi
[ -z "$missing" ] || fail "cannot measure without:$missing"
if [ "${VQCACHE_NO_INSTALL:-0}" != 1 ] &&
  ! "$python" -c 'import pooch, huggingface_hub, requests' 2>/dev/null; then
  say "installing for Python: $packages"
  # shellcheck disable=SC2086
  { python3 -m venv "$build/venv" && "$python" -m pip -q install $packages
  } >"$build/pip.log" 2>&1 </dev/null || { say "pip failed:"; tail -n 3 "$build/pip.log"; }
fi
if [ "${VQCACHE_NO_INSTALL:-0}" != 1 ]; then
  python3 "$here/../servers/stores.py" --get versitygw >"$build/stores.log" 2>&1 </dev/null || {
    say "the store of the case stores cannot be built:"
    tail -n 3 "$build/stores.log"
  }
fi
[ -x "$python" ] || python=$(command -v python3)
[ -z "$wanted" ] || say "without these some cases will be skipped:$wanted"
if [ -n "$wanted" ] && [ "${VQCACHE_NO_SKIP:-0}" = 1 ]; then
  fail "VQCACHE_NO_SKIP=1 and missing:$wanted"
fi

# ---- run --------------------------------------------------------------------------------------

# What is mounted is mounted for this run only: it goes with the last of its processes.
if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
  exec unshare -m python3 "$here/bench.py" --python "$python" "$@"
fi
exec python3 "$here/bench.py" --python "$python" "$@"
