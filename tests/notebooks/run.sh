#!/bin/sh
# sh tests/notebooks/run.sh [NAME...]: the library in real C++ interpreters; NAMEs: see run.py
# sh tests/notebooks/run.sh --ready [ARGUMENT...]: how long a first call takes in them; see ready.py
# Installs nothing into the system: clang-repl comes with clang-tools-N, the Python packages (ROOT
# and its kernel, cppyy) go into VQCACHE_NOTEBOOK_VENVS, a scratch directory when that is not set.
# The tests end with one line of counts.
set -u
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
scratch=
if [ -z "${VQCACHE_NOTEBOOK_VENVS:-}" ]; then
  scratch=$(mktemp -d "${TMPDIR:-/tmp}/vqcache-venvs.XXXXXX") || exit 1
  VQCACHE_NOTEBOOK_VENVS=$scratch
  trap 'rm -rf "$scratch"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM
fi
export VQCACHE_NOTEBOOK_VENVS PYTHONDONTWRITEBYTECODE=1

venv() {  # NAME MODULE PACKAGE...
  at=$VQCACHE_NOTEBOOK_VENVS/$1 module=$2
  shift 2
  # all bring a module called cppyy: each has a directory of its own
  [ -x "$at/bin/python3" ] || python3 -m venv "$at" || return 1
  "$at/bin/python3" -c "import $module" 2>/dev/null || timeout 900 "$at/bin/python3" -m pip -q install "$@"
}
script=run.py wanted=" $* "
if [ "${1:-}" = --ready ]; then
  script=ready.py
  shift
  wanted=" $* "
fi
# without a name: all of them
case $wanted in *" clang-repl-"* | *" root"* | *" cppyy"* | *" notebook "* | *" ready "*) ;;
*) wanted=" root cppyy17 cppyy-2.4.2 " ;;
esac
case $wanted in *" root"*) venv root ROOT root metakernel jupyter_client nbconvert nbclient ipykernel ;; esac
case $wanted in *" cppyy17 "* | *" cppyy20 "*) venv cppyy cppyy cppyy ;; esac
# a quarter of it is compiled where it is installed: a minute of the processor, once
case $wanted in *" cppyy-2.4.2 "*) venv cppyy-2.4.2 cppyy cppyy==2.4.2 ;; esac
python3 "$here/$script" "$@"
