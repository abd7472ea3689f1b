#!/bin/sh
# sh tests/windows/run.sh: builds for Windows with mingw-w64 and runs the contract tests of the system
# (tests/os) and the core story under wine. DOCTEST_INCLUDE_DIR says where doctest/doctest.h is.
# Exit status 0, 1, or 77 after "skipped: REASON". Scratch files go below ${TMPDIR:-/tmp}.
set -u
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH='' cd -- "$here/../.." && pwd)
cxx=${MINGW_CXX:-x86_64-w64-mingw32-g++-posix}
LC_ALL=C.UTF-8  # wine maps file names by it
export LC_ALL
fail() {
  printf 'failed: %s\n' "$*"
  exit 1
}
command -v "$cxx" >/dev/null || {
  echo "skipped: no $cxx (Debian: g++-mingw-w64-x86-64-posix)"
  exit 77
}
doctest=''
for directory in ${DOCTEST_INCLUDE_DIR:+"$DOCTEST_INCLUDE_DIR"} /usr/include /usr/local/include; do
  [ -f "$directory/doctest/doctest.h" ] && { doctest=$directory/doctest/doctest.h; break; }
done
[ -n "$doctest" ] || {
  echo "skipped: no doctest/doctest.h (Debian: doctest-dev)"
  exit 77
}
place=$(mktemp -d "${TMPDIR:-/tmp}/vqcache-windows.XXXXXX") || exit 1
server=''
finish() {
  [ -z "$server" ] || kill "$server" 2>/dev/null
  [ -z "${WINEPREFIX:-}" ] || wineserver -k 2>/dev/null
  rm -rf "$place"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP
cd "$place" || exit 1
build() {  # warnings are errors here
  "$cxx" -std=c++17 -Wall -Wextra -Wconversion -Werror -I "$root" "$@"
}

# ---- what an including program gets -----------------------------------------------------------

echo '#include "vqcache.hpp"' >alone.cpp
build -M alone.cpp | tr -s ' \\' '\n' >needs || fail "the header does not compile for Windows"
dragged=$(grep -iE '/(windows|winsock2?|ws2tcpip|winbase|windef|minwindef)\.h$' needs)
[ -z "$dragged" ] || fail "vqcache.hpp drags in $dragged"
[ "$(grep -c . needs)" -gt 20 ] || fail "the list of included headers is empty: nothing was checked"
echo "windows.h is not dragged in"

build -include windows.h -c "$root/tests/gate/every_function.cpp" -o before.o ||
  fail "does not compile after <windows.h>"
printf '#include "%s"\n#include <windows.h>\n#include <winsock2.h>\n%s\n' \
  "$root/tests/gate/every_function.cpp" 'HANDLE keep() { return GetCurrentProcess(); }' >after.cpp
build -Wno-cpp -c after.cpp -o after.o || fail "<windows.h> does not compile after vqcache.hpp"
build -fno-exceptions -fno-rtti -c "$root/tests/gate/every_function.cpp" -o plain.o ||
  fail "does not compile with -fno-exceptions"
echo "compiles before and after windows.h, with its min and max, and without exceptions"

build -fsyntax-only "$here/numbers.cpp" || fail "a constant or a structure is not that of Windows"
echo "constants and structures are those of windows.h"

# doctest alone: what else is in that directory belongs to another system
mkdir -p include/doctest
cp "$doctest" include/doctest/
build -isystem include -static "$root/tests/main.cpp" "$root/tests/os/contract.cpp" -o contract.exe ||
  fail "the contract tests do not build"
build -static "$root/tests/os/child.cpp" -o vqcache_os_child.exe -lshell32 ||
  fail "the program that they start does not build"
build -static "$here/story.cpp" -o story.exe || fail "story.cpp does not build"
"$cxx" -std=c++17 -static -Wall -Wextra "$here/fake_curl.cpp" -o fake_curl.exe -lws2_32 ||
  fail "fake_curl.cpp does not build"
needs=$(x86_64-w64-mingw32-objdump -p story.exe | awk '/DLL Name:/ {print $3}' | sort | tr '\n' ' ')
echo "story.exe needs: $needs"
case $needs in *[Cc]url* | *libstdc* | *winpthread*) fail "story.exe needs more than Windows has" ;; esac

# ---- wine ---------------------------------------------------------------------------------------

wine=''
for w in wine64 wine /usr/lib/wine/wine64; do
  command -v "$w" >/dev/null && { wine=$w; break; }
done
[ -n "$wine" ] || {
  echo "skipped: no wine (Debian: wine64)"
  exit 77
}
WINEPREFIX=$place/prefix WINEARCH=win64 WINEDEBUG=-all WINEDLLOVERRIDES='mscoree,mshtml=' DISPLAY=''
export WINEPREFIX WINEARCH WINEDEBUG WINEDLLOVERRIDES DISPLAY
timeout 180 "$wine" cmd /c ver </dev/null >ver 2>wine.log || {
  echo "skipped: wine does not start: $(tail -n 1 wine.log)"
  exit 77
}
echo "wine: $(tr -d '\r\n' <ver)"
# where Windows has it, and where the library looks for it
cp fake_curl.exe "$WINEPREFIX/drive_c/windows/system32/curl.exe" || exit 1
cp vqcache_os_child.exe "$WINEPREFIX/drive_c/windows/system32/" || exit 1

# ---- the contract of the system ---------------------------------------------------------------

timeout 180 "$wine" contract.exe </dev/null >contract.out 2>contract.log
ended=$?
tr -d '\r' <contract.out
[ $ended = 0 ] || fail "contract.exe ended with $ended: $(tail -n 3 contract.log)"

# ---- the story --------------------------------------------------------------------------------

mkdir work
printf 'model:\n  target: taming.models.vqgan.VQModel\n' >work/served.yaml
{ printf '\200\002'; head -c 3000000 /dev/urandom; } >work/served.ckpt
python3 - "$place/work" >port <<'PYTHON' &
import functools, http.server, os, sys, time
class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):  # /held/FILE: the last byte comes when there is a file "release", or after a minute
        held = self.path.startswith("/held/")
        if not held:
            return super().do_GET()
        with open(os.path.join(sys.argv[1], os.path.basename(self.path)), "rb") as f:
            body = f.read()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:-1])
        for _ in range(600):
            if os.path.exists(os.path.join(sys.argv[1], "release")):
                break
            time.sleep(0.1)
        self.wfile.write(body[-1:])
handler = functools.partial(Handler, directory=sys.argv[1])
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
print(server.server_address[1], flush=True)
sys.stderr = open("server.log", "w")
server.serve_forever()
PYTHON
server=$!
tries=0
until [ -s port ] || [ $tries -gt 100 ]; do tries=$((tries + 1)); sleep 0.1; done
[ -s port ] || fail "the test's server does not start"
# a port that was free a moment ago: nobody listens there
dead=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

cd work || exit 1
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
VQCACHE_FAKE_CURL_LOG=curl.log
export VQCACHE_FAKE_CURL_LOG
timeout 300 "$wine" ../story.exe "http://127.0.0.1:$(cat ../port)" "http://127.0.0.1:$dead" \
  </dev/null >../story.out 2>../story.log
ended=$?
tr -d '\r' <../story.out
[ $ended = 0 ] || fail "story.exe ended with $ended: $(tail -n 3 ../story.log)"
# what it left must suit the tools of another system
receipts=0
find . -name '*.sha256' >../receipts
while read -r receipt; do
  (cd "$(dirname "$receipt")" && sha256sum --strict --quiet -c "$(basename "$receipt")") ||
    fail "sha256sum -c refuses $receipt"
  receipts=$((receipts + 1))
done <../receipts
[ $receipts -ge 4 ] || fail "only $receipts receipts were left to check"
echo "$receipts receipts pass sha256sum -c"
