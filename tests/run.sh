#!/bin/sh
# sh tests/run.sh: installs what the tests need, builds, runs everything, ends with one line of counts.
#
#   VQCACHE_BUILD_DIR=DIR   build there (default: a directory of this user's under ${TMPDIR:-/tmp})
#   VQCACHE_NO_INSTALL=1    install nothing
#   VQCACHE_CMAKE_ARGS=...  more arguments for CMake, for example -DVQCACHE_SANITIZE=thread
#   CXX, CTEST_ARGS, JOBS   as usual: the compiler, more arguments for ctest, parallel compilations;
#                           three times as many tests run at once, which wait for most of their time
set -u
LC_ALL=C
export LC_ALL

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd) || exit 1
say() { printf '%s\n' "$*"; }
fail() {
  say "failed: $*"
  say "0 passed, 1 failed, 0 skipped"
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# ---- what the tests need ----------------------------------------------------------------------

have_header() {  # a header that the compiler finds
  printf '#include <%s>\n' "$1" |
    "${CXX:-$(have g++ && echo g++ || echo c++)}" -x c++ -std=c++17 -E - >/dev/null 2>&1
}
have_nginx() { have nginx || [ -x /usr/sbin/nginx ]; }
need() {  # what must be there, and what only some tests want
  missing='' wanted=''
  have "${CXX:-c++}" || have g++ || have clang++ || missing="$missing compiler"
  have make || have ninja || missing="$missing make"
  have cmake || missing="$missing cmake"
  have python3 || missing="$missing python3"
  have_header doctest/doctest.h || missing="$missing doctest"
  have curl || wanted="$wanted curl"
  have openssl || wanted="$wanted openssl"
  have_nginx || wanted="$wanted nginx"
  have_header curl/curl.h || wanted="$wanted libcurl"
  have_header nlohmann/json.hpp || wanted="$wanted nlohmann-json"
  [ "$(uname)" != Linux ] || have strace || wanted="$wanted strace"
}
name_for() {  # the package that brings it, under this package manager
  case $1:$2 in
    apt:compiler) echo g++ ;; apt:doctest) echo doctest-dev ;; apt:nginx) echo nginx-light ;;
    apt:libcurl) echo libcurl4-openssl-dev ;; apt:nlohmann-json) echo nlohmann-json3-dev ;;
    dnf:compiler) echo gcc-c++ ;; dnf:doctest) echo doctest-devel ;; dnf:libcurl) echo libcurl-devel ;;
    dnf:nlohmann-json) echo json-devel ;;
    apk:compiler) echo g++ ;; apk:libcurl) echo curl-dev ;;
    brew:compiler) echo gcc ;; brew:libcurl) echo curl ;;
    *) echo "$2" ;;
  esac
}
install_missing() {
  as_root=''
  if [ "$(id -u)" != 0 ]; then
    if have sudo && sudo -n true 2>/dev/null; then as_root='sudo -n'
    elif have sudo && [ -t 0 ]; then as_root=sudo
    else as_root=none
    fi
  fi
  manager=none
  for m in apt-get dnf apk brew; do have $m && { manager=$m; break; }; done
  short=${manager%-get}
  packages=''
  for thing in $missing $wanted; do packages="$packages $(name_for "$short" "$thing")"; done
  if [ $manager = none ]; then say "no known package manager; missing:$missing$wanted"; return; fi
  if [ "$as_root" = none ] && [ $manager != brew ]; then
    say "neither root nor sudo; missing:$missing$wanted. As root: $manager install$packages"
    return
  fi
  say "installing:$packages"
  log=$build.install.log
  # shellcheck disable=SC2086
  case $manager in
    apt-get)
      DEBIAN_FRONTEND=noninteractive
      export DEBIAN_FRONTEND
      { $as_root apt-get -q update && $as_root apt-get -q install -y --no-install-recommends $packages
      } >"$log" 2>&1 </dev/null ;;
    dnf) $as_root dnf -q install -y $packages >"$log" 2>&1 </dev/null ;;
    apk) $as_root apk add $packages >"$log" 2>&1 </dev/null ;;
    brew) brew install $packages >"$log" 2>&1 </dev/null ;;
  esac || { say "the package manager failed:"; tail -n 5 "$log"; }
}

build=${VQCACHE_BUILD_DIR:-${TMPDIR:-/tmp}/vqcache-build-$(id -un 2>/dev/null || id -u)}
mkdir -p "$build" || fail "cannot make $build"
build=$(CDPATH='' cd -- "$build" && pwd)
need
if [ -n "$missing$wanted" ] && [ "${VQCACHE_NO_INSTALL:-0}" != 1 ]; then
  install_missing
  hash -r 2>/dev/null
  need
fi
[ -z "$missing" ] || fail "cannot build the tests without:$missing"
[ -z "$wanted" ] || say "without these some tests will be skipped:$wanted"
if [ -n "$wanted" ] && [ "${VQCACHE_NO_SKIP:-0}" = 1 ]; then
  fail "VQCACHE_NO_SKIP=1 and missing:$wanted"
fi

# ---- build ------------------------------------------------------------------------------------

jobs=${JOBS:-$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)}
# a compiler that was set for another run needs a fresh cache
if [ -f "$build/CMakeCache.txt" ] && [ "$(cat "$build/.for" 2>/dev/null)" != "$root ${CXX:-}" ]; then
  rm -rf "$build/CMakeCache.txt" "$build/CMakeFiles"
fi
printf '%s\n' "$root ${CXX:-}" >"$build/.for"
say "building in $build"
# shellcheck disable=SC2086
cmake -S "$root" -B "$build" -DCMAKE_BUILD_TYPE="${VQCACHE_BUILD_TYPE:-Debug}" \
  -DVQCACHE_BUILD_TESTS=ON ${VQCACHE_CMAKE_ARGS:-} >"$build/configure.log" 2>&1 || {
  tail -n 30 "$build/configure.log"
  fail "CMake cannot configure"
}
cmake --build "$build" -j "$jobs" >"$build/build.log" 2>&1 || {
  grep -E -A8 'error|Error' "$build/build.log" | head -n 60
  fail "the tests do not build (whole log: $build/build.log)"
}

# ---- run --------------------------------------------------------------------------------------

log=$build/Testing/Temporary/LastTest.log
rm -f "$log"
# shellcheck disable=SC2086
(cd "$build" && ctest --output-on-failure -j "$((3 * jobs))" ${CTEST_ARGS:-} 2>&1) </dev/null |
  tee "$build/ctest.log"
[ -f "$log" ] || fail "ctest left no log"
python3 "$root/tests/counts.py" "$build/ctest.log" "$log"  # its status tells whether all passed
