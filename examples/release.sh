#!/bin/sh
# sh examples/release.sh [--no-tests] [VERSION]: what a release of this checkout lacks, or how it is made.
#
# It looks, in this order, at the work tree, the version, the changes, the tag of the ABI, what repeats the
# version, the fast checks of the gate, and sh tests/run.sh (--no-tests leaves that out, and says so). Each is a
# line "ok" or "no", with what is to be done. When all are ok it prints the commands that a person would run,
# and what wraps, ports and recipes of others ask for, with the sums. It changes nothing: no tag, no push.
#   CXX, PYTHONPATH, VQCACHE_BUILD_DIR   as for the gate and for tests/run.sh
set -u
LC_ALL=C PYTHONDONTWRITEBYTECODE=1
export LC_ALL PYTHONDONTWRITEBYTECODE

die() { printf 'release.sh: %s\n' "$*" >&2; exit 2; }
has() { command -v "$1" >/dev/null 2>&1; }

wants_tests=yes
asked=
for word in "$@"; do
  case $word in
    --no-tests) wants_tests=no ;;
    -h | --help) sed -n '2,/^set /s/^# \{0,1\}//p' "$0"; exit 0 ;;
    -*) die "there is no option $word; there is --no-tests" ;;
    *)
      [ -z "$asked" ] || die "one VERSION is enough, there are $asked and $word"
      asked=${word#v} ;;
  esac
done
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P) || exit 2
cd "$root" || exit 2
for tool in git python3; do has $tool || die "needs $tool"; done
scratch=$(mktemp -d "${TMPDIR:-/tmp}/vqcache-release.XXXXXX") || exit 2
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

faults=0
ok() { printf 'ok: %s\n' "$*"; }
no() {  # WHAT TO_DO
  faults=$((faults + 1))
  printf 'no: %s\n    %s\n' "$1" "$2"
}
versions() { python3 tests/gate/versions.py "$@"; }
# held WHAT TO_DO KIND: what versions.py finds wrong of that kind is a line each
held() {
  if versions "$3" >"$scratch/wrong" 2>&1; then ok "$1"; return; fi
  while IFS= read -r line; do no "$line" "$2"; done <"$scratch/wrong"
}

# ---- what costs nothing -------------------------------------------------------------------------

look_at_tree() {
  top=$(git rev-parse --show-toplevel 2>/dev/null) || top=
  if [ -z "$top" ] || [ "$(CDPATH='' cd -- "$top" && pwd -P)" != "$root" ]; then
    no "the work tree: $root is no work tree of git" "release from a clone"
    return
  fi
  changed=$(git status --porcelain | head -n 3 | tr '\n' ' ')
  branch=$(git symbolic-ref -q --short HEAD || echo "no branch")
  if [ -n "$changed" ]; then no "the work tree is not clean: $changed" "commit that, or put it away"; fi
  if [ "$branch" != main ]; then no "the work tree is on $branch, not on main" "git switch main"; fi
  [ -n "$changed" ] || [ "$branch" != main ] || ok "the work tree is clean, on main"
}
look_at_version() {
  version=$(versions version) || die "vqcache.hpp does not tell a version"
  if [ -n "$asked" ] && [ "$asked" != "$version" ]; then
    no "the header is version $version, not $asked" "change VQCACHE_VERSION_*, VQCACHE_HPP and VQCACHE_TAG_ there"
    return
  fi
  if git rev-parse -q --verify "refs/tags/v$version" >/dev/null 2>&1; then
    no "version $version is released: there is the tag v$version" "give the header the next version"
    return
  fi
  ok "version $version, not released yet"
}

look_at_tree
look_at_version
held "the manual tells what $version changes" "chapter 17 of the manual is a list for each version" changes
held "the tag of the ABI is that of $version" "VQCACHE_TAG_ in vqcache.hpp: v, the version, the switches" tag
held "no release has this tag and another interface" "a changed interface wants another version" released
held "what repeats the version says $version" "the macros of vqcache.hpp are right; correct the place" numbers
if [ $faults -gt 0 ]; then
  printf 'not tried: the gate and the tests\n%d to do\n' $faults
  exit 1
fi

# ---- what takes its time ------------------------------------------------------------------------

# The rest of it is in tests/run.sh. A check that cannot be had here is not known to hold.
gate() {
  VQCACHE_NO_SKIP=1 python3 tests/gate/gate.py --cxx "${CXX:-g++}" top_level layout manual versions format
}
if gate >"$scratch/gate" 2>&1; then
  ok "the fast checks of the gate: $(sed -n 's/^ok: //p' "$scratch/gate" | paste -sd ' ' -)"
else
  grep '^failed: ' "$scratch/gate" >"$scratch/wrong" || tail -n 3 "$scratch/gate" >"$scratch/wrong"
  while IFS= read -r line; do no "the gate: $line" "python3 tests/gate/gate.py tells more"; done <"$scratch/wrong"
fi
if [ $wants_tests = no ]; then
  printf 'left out: sh tests/run.sh, by --no-tests\n'
else
  sh tests/run.sh >"$scratch/tests" 2>&1 </dev/null
  status=$?
  counts=$(tail -n 1 "$scratch/tests")
  if [ $status = 0 ]; then ok "sh tests/run.sh: $counts"
  else no "sh tests/run.sh: $counts" "run it, and see what fails"
  fi
fi
if [ $faults -gt 0 ]; then
  printf '%d to do\n' $faults
  exit 1
fi

# ---- what a person would run --------------------------------------------------------------------

sum_of() {  # 256 or 512, of standard input
  python3 -c 'import hashlib, sys
print(hashlib.new("sha" + sys.argv[1], sys.stdin.buffer.read()).hexdigest())' "$1"
}
commit=$(git rev-parse HEAD) || exit 2
name=vqcache-$version
git archive --format=tar.gz --prefix="$name/" -o "$scratch/whole" "$commit" || exit 2
git archive --format=tar.gz --prefix="$name/" -o "$scratch/header" "$commit" vqcache.hpp LICENSE || exit 2

cat <<END

nothing is in the way. To release:

  git tag -a v$version -m "vqcache $version" $commit
  git archive --format=tar.gz --prefix=$name/ -o ../$name.tar.gz v$version
  git archive --format=tar.gz --prefix=$name/ -o ../$name-header.tar.gz v$version vqcache.hpp LICENSE
  git push origin v$version

What belongs beside the files, as sha256sum -c reads it:

  $(sum_of 256 <"$scratch/whole")  $name.tar.gz
  $(sum_of 256 <"$scratch/header")  $name-header.tar.gz
  $(git show "$commit:vqcache.hpp" | sum_of 256)  vqcache.hpp

What others ask for. The sums are those of the archives above: another git, or the host of the repository, may
pack the same files into other bytes, so that an archive of theirs has other sums.

  Meson, [wrap-git]:    revision = $commit
  Meson, [wrap-file]:   directory = $name
                        source_filename = $name.tar.gz
                        source_hash = $(sum_of 256 <"$scratch/whole")
  CMake, FetchContent:  GIT_TAG $commit
                        URL_HASH SHA256=$(sum_of 256 <"$scratch/whole")
  vcpkg, portfile:      REF $commit
                        SHA512 $(sum_of 512 <"$scratch/whole")
  Conan, conandata.yml: "$version": sha256: "$(sum_of 256 <"$scratch/whole")"
END
