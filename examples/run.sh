#!/bin/sh
# sh examples/run.sh                              the model of the notebook, vqgan_imagenet_f16_1024
# sh examples/run.sh NAME                         another published model; --list tells which
# sh examples/run.sh CONFIG_URL CHECKPOINT_URL    any model; further forms and options: --help
# sh examples/run.sh --demo                       the whole story on a model it makes, no network
#
# Makes sure of a C++17 compiler and curl (installs them when they are missing, never asks),
# compiles examples/vqcache.cpp outside the source tree and runs it here: models go into
# content/models and content/cache/models under the working directory.
#   CXX              the compiler             CXXFLAGS    its options, -O2 (of the demo -O1)
#   VQCACHE_BUILD_DIR  where to compile; default: a directory of your own under ${TMPDIR:-/tmp}
set -eu

say() { printf 'run.sh: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

source_dir=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
build=
scratch=
tidy() { if [ -n "$scratch" ]; then rm -rf "$scratch"; fi; }
trap tidy EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# ---- the build directory: ours alone, because what lies in it is run ----
if [ -n "${VQCACHE_BUILD_DIR:-}" ]; then
  build=$VQCACHE_BUILD_DIR
  mkdir -p -- "$build" || die "cannot make VQCACHE_BUILD_DIR ($build)"
else
  build=${TMPDIR:-/tmp}/vqcache-build-$(id -u)
  (umask 077 && mkdir -- "$build" 2>/dev/null) || :
  # shellcheck disable=SC2012
  case $(ls -ldn -- "$build" 2>/dev/null | awk '{ print $1 " " $3 }') in
    "drwx------"*" $(id -u)") ;;
    *) die "$build cannot be made, or others may write to it; set VQCACHE_BUILD_DIR" ;;
  esac
fi
build=$(CDPATH='' cd -- "$build" && pwd -P)
case $build/ in
  "$source_dir"/*)
    rmdir -- "$build" 2>/dev/null || :
    die "VQCACHE_BUILD_DIR is inside the source tree; choose another" ;;
esac
scratch=$(mktemp -d "$build/run.XXXXXX") || die "cannot write to $build"

# ---- a compiler and curl ----
compiler=
libraries=
probe() {  # does "$1 $2" make programs of C++17, with <filesystem>, threads and dlopen?
  # shellcheck disable=SC2086
  $1 -std=c++17 "$scratch/probe.cpp" -o "$scratch/probe" $2 >/dev/null 2>&1 && "$scratch/probe"
}
find_compiler() {
  for c in ${CXX:+"$CXX"} g++ clang++ c++ g++-15 g++-14 g++-13 g++-12 g++-11 \
    clang++-19 clang++-18 clang++-17 clang++-16 clang++-15 clang++-14; do
    if ! has "${c%% *}"; then
      if [ "$c" = "${CXX:-}" ]; then die "CXX ($CXX) is not there"; fi
      continue
    fi
    for l in "" "-pthread -ldl"; do
      if probe "$c" "$l"; then compiler=$c libraries=$l; return 0; fi
    done
    if [ "$c" = "${CXX:-}" ]; then die "CXX ($CXX) makes no C++17 program"; fi
  done
  return 1
}
cat > "$scratch/probe.cpp" <<'END'
#include <dlfcn.h>
#include <filesystem>
#include <thread>
int main() {
  std::thread t([] {});
  t.join();
  dlopen("", RTLD_LAZY);
  return std::filesystem::path("a").empty();
}
END

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif has sudo && sudo -n true 2>/dev/null; then sudo -n "$@"
  else
    say "only root can do that, and sudo is not there or would ask; please run as root: $*"
    return 1
  fi
}
install() {  # $1: what is missing, for people; $2: compiler, curl or both
  say "$1 missing; installing"
  gnu="" fedora="" alpine="" arch=""
  case $2 in compiler | both) gnu=g++ fedora=gcc-c++ alpine=g++ arch=gcc ;; esac
  case $2 in
    curl | both)
      gnu="$gnu curl ca-certificates" fedora="$fedora curl" alpine="$alpine curl ca-certificates"
      arch="$arch curl" ;;
  esac
  # shellcheck disable=SC2086
  if has apt-get; then
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q >&2 || :
    as_root env DEBIAN_FRONTEND=noninteractive \
      apt-get install -q -y --no-install-recommends $gnu >&2
  elif has dnf; then as_root dnf install -y -q $fedora >&2
  elif has apk; then as_root apk add --no-cache $alpine >&2
  elif has pacman; then as_root pacman -Sy --needed --noconfirm $arch >&2
  elif has zypper; then as_root zypper --non-interactive install $fedora >&2
  elif has brew; then NONINTERACTIVE=1 brew install $arch >&2
  else
    say "found none of apt-get, dnf, apk, pacman, zypper, brew"
    return 1
  fi </dev/null
}

find_compiler || :
if [ -z "$compiler" ]; then
  if has curl; then install "a C++17 compiler is" compiler || :
  else install "a C++17 compiler and curl are" both || :; fi
  find_compiler ||
    die "needs a C++17 compiler (g++ 11 or clang 14, or later): install one, or set CXX"
fi
if ! has curl; then
  install "curl is" curl || :
  has curl || say "curl is still missing; going on, since the library libcurl may be there"
fi

# ---- compile, unless this very source was compiled here already ----
compile() {  # $1: vqcache or demo, which runs for seconds: with -O2 it would be compiled for longer
  options=-O2
  if [ "$1" = demo ]; then options=-O1; fi
  options=${CXXFLAGS-$options}
  # shellcheck disable=SC2086
  key=$({ printf '%s %s %s\n' "$compiler" "$libraries" "$options"; $compiler --version
          cat "$source_dir/vqcache.hpp" "$source_dir/examples/$1.cpp"; } | cksum | tr ' ' '-')
  program=$build/$1-$key
  if [ ! -x "$program" ]; then
    say "compiling examples/$1.cpp with $compiler"
    # shellcheck disable=SC2086
    $compiler -std=c++17 $options -I"$source_dir" "$source_dir/examples/$1.cpp" \
      -o "$scratch/$1" $libraries || die "examples/$1.cpp does not compile"
    find "$build" -name "$1-*" -mtime +7 -exec rm -f {} +  # of earlier versions
    mv -f "$scratch/$1" "$program"
  fi
}

if [ "${1:-}" = --demo ]; then
  [ $# = 1 ] || die "--demo stands alone"
  compile demo
  TMPDIR=$scratch "$program"  # what it leaves when it is killed goes with $scratch
  exit
fi
compile vqcache
if [ $# = 0 ]; then set -- vqgan_imagenet_f16_1024; fi
tidy
trap - EXIT HUP INT TERM
exec "$program" "$@"
