#!/bin/sh
# sh tests/packaging/release.sh: plants each fault that a release may have into a copy of this repository, and
# watches examples/release.sh refuse it in the right words; then lets it pass, and runs the commands it prints.
# A way of run.sh, which skips it where git, python3 or clang-format 19 is missing. Writes into the
# working directory, which has to be empty.
set -u
LC_ALL=C PYTHONDONTWRITEBYTECODE=1
GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1  # what a person set for his own commits is no part of it
export LC_ALL PYTHONDONTWRITEBYTECODE GIT_CONFIG_GLOBAL GIT_CONFIG_NOSYSTEM
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) || exit 1
root=$(CDPATH='' cd -- "$here/../.." && pwd) || exit 1
place=$(pwd -P)
is=$(python3 "$root/tests/gate/versions.py" version) || exit 1
minor=${is%.*}
dash=$(echo "$is" | tr . _)
wrong() { echo "WRONG: $*"; exit 1; }
copy_git() { git -C "$copy" -c user.name=test -c user.email=test@invalid "$@"; }
commit() { copy_git add -A && copy_git commit -qm "$1"; }

# ---- a repository -------------------------------------------------------------------------------

whole=$place/whole
mkdir "$whole" || exit 1
(cd "$root" && tar -cf - --exclude=.git --exclude=__pycache__ .) | (cd "$whole" && tar -xf -) || exit 1
copy=$whole
git -c init.defaultBranch=main init -q "$whole" && commit "what is to be released" || exit 1

# In the place of the suite, which other stages run: a release asks it for its outcome alone.
suite() {  # COUNTS STATUS
  printf '#!/bin/sh\necho %s\necho "%s"\nexit %s\n' "a test" "$1" "$2" >"$copy/tests/run.sh"
}

tried=0
# refuses WHAT WORDS ARGUMENTS...: the copy is refused, with a line "no: ..." of these words (grep -E)
refuses() {
  what=$1 words=$2
  shift 2
  before=$(git -C "$copy" status --porcelain; git -C "$copy" tag)
  said=$(sh "$copy/examples/release.sh" "$@" 2>&1)
  status=$?
  tried=$((tried + 1))
  printf '%s\n' "$said" | sed "s/^/  $what: /"
  [ $status = 1 ] || wrong "$what: it ends with $status"
  printf '%s\n' "$said" | grep -qE "^no: .*($words)" || wrong "$what: not refused in these words: $words"
  [ "$(printf '%s\n' "$said" | grep -c '^no: ')" = "${faults:-1}" ] || wrong "$what: not ${faults:-1} fault(s)"
  case $said in *"git tag -a"*) wrong "$what: it tells how to release all the same" ;; esac
  [ "$before" = "$(git -C "$copy" status --porcelain; git -C "$copy" tag)" ] || wrong "$what: it changed something"
}
# plant NAME: a copy of its own. edit FILE SED: changes it there, and must have changed it
plant() {
  rm -rf "$place/copy"
  cp -R "$whole" "$place/copy"
  copy=$place/copy
}
edit() {
  sed "$2" "$copy/$1" >"$place/edited" || exit 1
  ! cmp -s "$place/edited" "$copy/$1" || wrong "$2 changes nothing in $1"
  cat "$place/edited" >"$copy/$1"
}

# ---- each fault ---------------------------------------------------------------------------------

plant
echo "a note" >"$copy/examples/note.txt"
refuses "a new file" "not clean: .*examples/note.txt" --no-tests

plant
echo >>"$copy/README.md"
refuses "an edited file" "not clean: .*README.md" --no-tests

plant
copy_git switch -qc work
refuses "another branch" "on work, not on main" --no-tests

plant
copy_git switch -q --detach
refuses "no branch" "on no branch, not on main" --no-tests

plant
rm -rf "$copy/.git"
refuses "no repository" "is no work tree of git" --no-tests

plant
refuses "another version than asked for" "the header is version $is, not 9.8.7" --no-tests v9.8.7

plant
copy_git tag "v$is"
refuses "a version that is released" "there is the tag v$is" --no-tests "$is"

plant
edit vqcache.hpp "/^struct named_source {/a\\
  int added_after_the_release;
"
commit "another interface"
copy_git tag "v$is" HEAD~1
faults=2 refuses "another interface under a released tag" "interface is not that of v$is" --no-tests

plant
edit vqcache.hpp "s|^// $is\$|// 9.8.7|"
commit "no changes"
refuses "no list of changes" "chapter of changes opens with 9.8.7, not with $is" --no-tests

plant
edit vqcache.hpp "s/ v${dash}_exceptions/ v9_8_7_exceptions/"
commit "another tag"
refuses "the tag of another version" "tag of the ABI begins with v9_8_7, of version $is it is v$dash" --no-tests

plant
edit examples/packaging/vcpkg/ports/vqcache/vcpkg.json "s/\"version\": \"$is\"/\"version\": \"9.8.7\"/"
commit "another port"
refuses "a port of another version" "vcpkg.json:[0-9]+: says 9.8.7, the header is $is" --no-tests

plant
edit README.md "s/find_package(vqcache $minor/find_package(vqcache 9.8/"
commit "another front page"
refuses "a front page of another version" "README.md:[0-9]+: says vqcache 9.8, the header is $is" --no-tests

plant
echo "a note" >"$copy/notes.txt"
commit "what does not belong there"
refuses "a fault that the gate finds" "the gate: failed: top_level: .*notes.txt" --no-tests

plant
suite "3 passed, 1 failed, 0 skipped" 1
commit "a suite that fails"
refuses "tests that fail" "sh tests/run.sh: 3 passed, 1 failed, 0 skipped"

# ---- nothing is in the way ----------------------------------------------------------------------

plant
suite "4 passed, 0 failed, 1 skipped" 0
commit "a suite that passes"
said=$(sh "$copy/examples/release.sh" "v$is" 2>&1) || wrong "it refuses: $said"
printf '%s\n' "$said"
printf '%s\n' "$said" | grep -q "^ok: sh tests/run.sh: 4 passed, 0 failed, 1 skipped\$" || wrong "no counts of the tests"
[ "$(printf '%s\n' "$said" | grep -c '^ok: ')" = 8 ] || wrong "not all was looked at"
[ -z "$(git -C "$copy" tag)" ] || wrong "it made a tag"

without=$(sh "$copy/examples/release.sh" --no-tests 2>&1) || wrong "it refuses: $without"
printf '%s\n' "$without" | grep -q "^left out: sh tests/run.sh" || wrong "it does not say that the tests are left out"

# the commands, but for the push: their files have the sums that were printed
printf '%s\n' "$said" | sed -n '/^  git push/d; s/^  git /git -c user.name=test -c user.email=test@invalid /p' >"$place/commands"
[ "$(wc -l <"$place/commands")" -eq 3 ] || wrong "not three commands"
(cd "$copy" && sh -e "$place/commands") || wrong "the commands fail"
[ "$(git -C "$copy" rev-parse "v$is^{commit}")" = "$(git -C "$copy" rev-parse HEAD)" ] || wrong "another tag"
cp "$copy/vqcache.hpp" "$place/"
printf '%s\n' "$said" | grep -E '^  [0-9a-f]{64}  ' | sed 's/^  //' >"$place/sums"
[ "$(wc -l <"$place/sums")" -eq 3 ] || wrong "not three sums"
(cd "$place" && sha256sum -c sums) || wrong "the sums are others"
[ "$(sha512sum <"$place/vqcache-$is.tar.gz" | cut -c1-128)" = "$(printf '%s\n' "$said" | sed -n 's/^ *SHA512 //p')" ] ||
  wrong "the SHA512 is another"
mkdir "$place/unpacked" && tar -xzf "$place/vqcache-$is.tar.gz" -C "$place/unpacked" || exit 1
cmp "$place/unpacked/vqcache-$is/vqcache.hpp" "$root/vqcache.hpp" || wrong "the archive has another header"
echo "$tried faults refused, and the commands make what is said"
