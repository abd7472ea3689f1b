#!/bin/sh
# sh tests/packaging/run.sh [WAY...]: every way into a project, each from an empty one: it is made
# here, builds app.cpp, and runs it. The ways are the words after `way` below.
#   VQCACHE_PACKAGING_PYTHON   a python3 with conan and ziglang (.ci/run has one)
#   VQCACHE_PACKAGING_OLDEST   a directory with the Python packages cmake 3.14.4 and meson 0.56.0
#   CPM_CMAKE                  CPM.cmake, which is not fetched
#   CXX                        as usual
# It installs nothing, writes below ${TMPDIR:-/tmp}, and ends with one line of counts.
set -u
LC_ALL=C PYTHONDONTWRITEBYTECODE=1
export LC_ALL PYTHONDONTWRITEBYTECODE
unset CMAKE_PREFIX_PATH PKG_CONFIG_PATH CXXFLAGS CPPFLAGS LDFLAGS
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) || exit 1
root=$(CDPATH='' cd -- "$here/../.." && pwd) || exit 1
CXX=${CXX:-g++}
export CXX
python=${VQCACHE_PACKAGING_PYTHON:-python3}
oldest=${VQCACHE_PACKAGING_OLDEST:-}
# VQCACHE_IS is the version, as the header tells it
is=$(sed -n 's/^# *define VQCACHE_VERSION_[MP][A-Z]* \([0-9]*\).*/\1/p' "$root/vqcache.hpp" | paste -sd. -)
have() { command -v "$1" >/dev/null 2>&1; }

scratch=$(mktemp -d "${TMPDIR:-/tmp}/vqcache-packaging.XXXXXX") || exit 1
scratch=$(CDPATH='' cd -- "$scratch" && pwd -P)
clean_up() {
  for one in "$scratch"/*.pid; do  # what is unfinished
    [ ! -f "$one" ] || [ -f "${one%.pid}.done" ] || kill "$(cat "$one")" 2>/dev/null
  done
  wait
  rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# ---- one way ------------------------------------------------------------------------------------

passed=0 failed=0 skipped=0
wanted=" $* "
is_wanted() { [ "$wanted" = "  " ] || case $wanted in *" $1 "*) ;; *) return 1 ;; esac; }
# begin NAME: calls way_NAME in an empty directory, beside what this script does meanwhile
begin() {
  mkdir "$scratch/$1"
  {
    began=$(date +%s)
    (cd "$scratch/$1" && "way_$1") >"$scratch/$1.log" 2>&1
    echo "$? $(($(date +%s) - began))" >"$scratch/$1.done"
  } </dev/null &
  echo $! >"$scratch/$1.pid"
}
# way NAME WHAT: waits for it, and tells. It has returned 0, or 77 after skip, or has failed.
way() {
  is_wanted "$1" || return
  [ -d "$scratch/$1" ] || begin "$1"
  wait "$(cat "$scratch/$1.pid")"
  read -r status took <"$scratch/$1.done"
  if [ $status = 0 ]; then
    passed=$((passed + 1))
    echo "ok: $1: $2 ($took s)"
  elif [ $status = 77 ]; then
    skipped=$((skipped + 1))
    echo "skipped: $1: $(sed -n 's/^skip: //p' "$scratch/$1.log" | tail -n 1)"
  else
    failed=$((failed + 1))
    echo "failed: $1: $2"
    tail -n 40 "$scratch/$1.log" | sed 's/^/  /'
  fi
}
skip() { echo "skip: $*"; exit 77; }  # a way that cannot be had here; no package brings it
need() {  # TOOL...: what packages bring may not be missing in CI
  for tool in "$@"; do
    have "$tool" && continue
    [ "${VQCACHE_NO_SKIP:-0}" = 1 ] || skip "no $tool"
    echo "$tool is missing"
    exit 1
  done
}
need_module() {  # PYTHON_MODULE
  "$python" -c "import $1" 2>/dev/null && return
  [ "${VQCACHE_NO_SKIP:-0}" = 1 ] || skip "no $1 for Python"
  echo "$1 for Python is missing"
  exit 1
}
wrong() { echo "WRONG: $*"; return 1; }

# The bodies, compiled once: most projects see declarations alone, and are linked to them.
bodies=$scratch/bodies.o
bodies() {
  [ -f "$bodies" ] || {
    printf '%s\n' '#define VQCACHE_IMPLEMENTATION' '#include "vqcache.hpp"' >"$scratch/bodies.cpp"
    "$CXX" -std=c++17 -O0 -fPIC -DVQCACHE_HEADER_ONLY=0 -I "$root" -c "$scratch/bodies.cpp" -o "$bodies"
  }
}
runs() {  # PROGRAM: it does what it is for
  said=$("$1" "$PWD/files.$$" 2>&1) || { wrong "$1 fails: $said"; return 1; }
  rm -rf "$PWD/files.$$"
  echo "$1: $said"
  [ "$said" = "the catalogue has models, the file is there, the error is told" ] || wrong "it said that"
}
# What the repository holds, in a directory of its own, and as a repository with a tag.
origin() {
  [ -d "$scratch/origin" ] || {
    mkdir "$scratch/origin" &&
      cp -R "$root/.packaging" "$root/vqcache.hpp" "$root/CMakeLists.txt" "$root/meson.build" "$root/LICENSE" \
        "$root/tests" "$root/examples" "$scratch/origin/" &&
      git -c init.defaultBranch=main init -q "$scratch/origin" &&
      git -C "$scratch/origin" add -A &&
      git -C "$scratch/origin" -c user.name=test -c user.email=test@invalid commit -qm release &&
      git -C "$scratch/origin" tag "v$is"
  }
}
installed() {  # both installations, each moved to another place, where it has to work as well
  [ -d "$scratch/by_cmake" ] || {
    cmake -S "$root" -B "$scratch/build_cmake" -DVQCACHE_BUILD_TESTS=OFF -DVQCACHE_BUILD_EXAMPLES=OFF \
      -DCMAKE_INSTALL_PREFIX="$scratch/first_cmake" &&
      cmake --build "$scratch/build_cmake" --target install &&
      mv "$scratch/first_cmake" "$scratch/by_cmake"
  } || return 1
  [ -d "$scratch/by_meson" ] || {
    # without tests and examples: installing would build them
    mkdir "$scratch/bare" && cp -R "$root/.packaging" "$root/vqcache.hpp" "$root/meson.build" "$scratch/bare/" &&
      meson setup "$scratch/build_meson" "$scratch/bare" --prefix "$scratch/first_meson" &&
      meson install -C "$scratch/build_meson" &&
      mv "$scratch/first_meson" "$scratch/by_meson"
  }
}

# A project of CMake; its lines before the program come from standard input.
cmake_project() {  # DIRECTORY
  mkdir -p "$1" && cp "$here/app.cpp" "$1/app.cpp" &&
    { echo 'cmake_minimum_required(VERSION 3.14)' && echo 'project(consumer CXX)' && cat &&
      echo "add_executable(app app.cpp \${BODIES})" &&
      echo 'target_link_libraries(app PRIVATE vqcache::vqcache)'; } >"$1/CMakeLists.txt"
}
# Threads and dl ride on the target: an older system, where they are libraries of their own, is
# feigned for what CMake's FindThreads asks (the second name is that of CMake 3.14).
older_system='-DCMAKE_HAVE_LIBC_PTHREAD=OFF -DCMAKE_HAVE_LIBC_CREATE=OFF'
cmake_builds() {  # DIRECTORY ARGUMENTS...
  from=$1
  shift
  # shellcheck disable=SC2086
  bodies && ${cmake:-cmake} -S "$from" -B "$from/build" -DBODIES="$bodies" $older_system \
    -DCMAKE_CXX_FLAGS=-DVQCACHE_HEADER_ONLY=0 "$@" &&
    ${cmake:-cmake} --build "$from/build" && runs "$from/build/app" && {
    link=$(cat "$from/build/CMakeFiles/app.dir/link.txt")
    case $link in *-lpthread* | *-pthread*) ;; *) wrong "no threads: $link" || return ;; esac
    case $link in *-ldl*) ;; *) wrong "no dl: $link" || return ;; esac
  }
}

# ---- the file -----------------------------------------------------------------------------------

way_copied() {
  cp "$root/vqcache.hpp" "$here/app.cpp" . &&
    "$CXX" -std=c++17 app.cpp -o app -pthread -ldl && runs ./app
}
way_declarations() {  # the object of the other unit is what `bodies` makes
  cp "$root/vqcache.hpp" "$here/app.cpp" . && bodies &&
    "$CXX" -std=c++17 -DVQCACHE_HEADER_ONLY=0 app.cpp "$bodies" -o app -pthread -ldl && runs ./app
}
way_precompiled() {
  need cmake
  echo "add_subdirectory(\"$root\" vqcache)" | cmake_project . &&
    echo 'target_precompile_headers(app PRIVATE <vqcache.hpp>)' >>CMakeLists.txt &&
    cmake -S . -B build && cmake --build build && runs build/app && ls build/CMakeFiles/app.dir/*.gch
}
way_unity() {  # two units that include it become one
  need cmake
  printf '%s\n' '#include <vqcache.hpp>' 'bool has_models() { return !vqcache::known_models().empty(); }' >other.cpp
  echo "add_subdirectory(\"$root\" vqcache)" | cmake_project . &&
    cmake -S . -B build -DBODIES=other.cpp -DCMAKE_UNITY_BUILD=ON && cmake --build build && runs build/app && ls build/CMakeFiles/app.dir/Unity/*.cxx
}

# ---- CMake --------------------------------------------------------------------------------------

way_subdirectory() {
  need cmake
  cmake_project . <<X && cmake_builds . -DCMAKE_INSTALL_PREFIX="$PWD/prefix" || return
add_subdirectory("$root" vqcache)
if(TARGET vqcache_tests OR TARGET vqcache_tool)
  message(FATAL_ERROR "a subproject builds its tests or examples")
endif()
install(CODE "")
X
  cmake --build build --target install || return
  [ ! -e prefix ] || wrong "a subproject installs $(find prefix -type f)"
}
# A parent that installs a library of its own, which links vqcache::vqcache, and who uses that one.
way_parent() {
  need cmake
  mkdir parent && cp "$here/app.cpp" parent/mine.cpp && cat >parent/CMakeLists.txt <<X || return
cmake_minimum_required(VERSION 3.14)
project(parent CXX)
set(VQCACHE_INSTALL ON)
add_subdirectory("$root" vqcache)
add_library(mine STATIC mine.cpp)
set_source_files_properties(mine.cpp PROPERTIES COMPILE_DEFINITIONS main=mine_main)
target_link_libraries(mine PUBLIC vqcache::vqcache)
install(TARGETS mine EXPORT mineTargets ARCHIVE DESTINATION lib)
install(EXPORT mineTargets NAMESPACE mine:: DESTINATION share/cmake/mine)
file(WRITE "\${CMAKE_BINARY_DIR}/mineConfig.cmake" "include(CMakeFindDependencyMacro)
find_dependency(vqcache $is)
include(\"\\\${CMAKE_CURRENT_LIST_DIR}/mineTargets.cmake\")
")
install(FILES "\${CMAKE_BINARY_DIR}/mineConfig.cmake" DESTINATION share/cmake/mine)
X
  cmake -S parent -B build-parent -DCMAKE_INSTALL_PREFIX="$PWD/prefix" \
    -DCMAKE_CXX_FLAGS=-DVQCACHE_HEADER_ONLY=0 && cmake --build build-parent --target install || return
  cmake_project user <<X && cmake_builds user -DCMAKE_PREFIX_PATH="$PWD/prefix"
find_package(mine REQUIRED)
link_libraries(mine::mine)
X
}
way_fetchcontent() {
  need cmake git
  origin && cmake_project . <<X && cmake_builds .
include(FetchContent)
FetchContent_Declare(vqcache GIT_REPOSITORY "file://$scratch/origin" GIT_TAG "v$is")
FetchContent_MakeAvailable(vqcache)
if(TARGET vqcache_tests OR TARGET vqcache_tool)
  message(FATAL_ERROR "a subproject builds its tests or examples")
endif()
X
}
way_cpm() {
  need cmake git
  [ -f "${CPM_CMAKE:-}" ] || skip "CPM_CMAKE does not name a CPM.cmake"
  origin && cmake_project . <<X && cmake_builds .
include("$CPM_CMAKE")
CPMAddPackage(NAME vqcache GIT_REPOSITORY "file://$scratch/origin" GIT_TAG "v$is")
X
}
way_find_package() {  # of CMake's installation: versions, ranges, components
  need cmake meson
  installed && cmake_project . <<X && cmake_builds . -DCMAKE_PREFIX_PATH="$scratch/by_cmake" -DVQCACHE_IS="$is"
include("$here/found.cmake")
X
}
way_find_package_meson() {
  need cmake meson
  installed && cmake_project . <<X && cmake_builds . -DCMAKE_PREFIX_PATH="$scratch/by_meson" -DVQCACHE_IS="$is"
include("$here/found.cmake")
X
}
way_same_files() {  # both installations bring the same
  need cmake meson
  installed && diff -r "$scratch/by_cmake" "$scratch/by_meson" || return
  find "$scratch/by_cmake" -type f | sed "s|$scratch/by_cmake/||" | sort >installs
  printf '%s\n' include/vqcache.hpp share/cmake/vqcache/vqcacheConfig.cmake \
    share/cmake/vqcache/vqcacheConfigVersion.cmake share/pkgconfig/vqcache.pc | diff - installs || return
  ! grep -rn "$scratch" "$scratch/by_cmake/share" || wrong "a path of this machine is installed"
}
way_other_directories() {  # include and share somewhere else: the files know the way
  need cmake meson pkg-config
  mkdir bare && cp -R "$root/.packaging" "$root/vqcache.hpp" "$root/meson.build" bare/ &&
    meson setup m bare --prefix "$PWD/by_meson" --includedir include/deep --datadir lib/data &&
    meson install -C m &&
    cmake -S "$root" -B c -DVQCACHE_BUILD_TESTS=OFF -DVQCACHE_BUILD_EXAMPLES=OFF \
      -DCMAKE_INSTALL_INCLUDEDIR=include/deep -DCMAKE_INSTALL_DATADIR=lib/data &&
    cmake --install c --prefix "$PWD/by_cmake" && diff -r by_cmake by_meson &&
    echo 'find_package(vqcache REQUIRED)' | cmake_project user &&
    cmake_builds user -Dvqcache_DIR="$PWD/by_cmake/lib/data/cmake/vqcache" || return
  flags=$(PKG_CONFIG_PATH=$PWD/by_cmake/lib/data/pkgconfig pkg-config --cflags-only-I vqcache) || return
  [ -f "$(echo "${flags#-I}" | tr -d ' ')/vqcache.hpp" ] || wrong "pkg-config says $flags"
}
way_oldest_cmake() {
  [ -d "$oldest/cmake" ] || skip "VQCACHE_PACKAGING_OLDEST has no CMake"
  cmake=$oldest/cmake/data/bin/cmake
  chmod +x "$cmake" && "$cmake" --version || return
  named=$(sed -n 's/^cmake_minimum_required(VERSION \([0-9.]*\))$/\1/p' "$root/CMakeLists.txt")
  case $("$cmake" --version) in *" $named."*) ;; *) wrong "CMakeLists.txt names $named" || return ;; esac
  cmake_project one <<X && cmake_builds one &&
add_subdirectory("$root" vqcache)
X
    "$cmake" -S "$root" -B build -DVQCACHE_BUILD_EXAMPLES=OFF -DVQCACHE_BUILD_TESTS=OFF \
      -DCMAKE_INSTALL_PREFIX="$PWD/prefix" && "$cmake" --build build --target install &&
    cmake_project two <<X && cmake_builds two -DCMAKE_PREFIX_PATH="$PWD/prefix" -DVQCACHE_IS="$is"
include("$here/found.cmake")
X
}
way_without_doctest() {  # the tests are left out with a word; who asked for them gets an error
  need cmake meson
  # a compiler that does not find it, for Meson, which asks the compiler
  cat >cxx <<X && chmod +x cxx || return
#!/bin/sh
for a in "\$@"; do
  case \$a in *.cpp) ! grep -q '<doctest/' "\$a" || exit 1 ;; esac
done
exec $CXX "\$@"
X
  hide="-DCMAKE_IGNORE_PATH=/usr/include;/usr/local/include -DVQCACHE_BUILD_EXAMPLES=OFF"
  # shellcheck disable=SC2086
  cmake -S "$root" -B one $hide >one.log 2>&1 || { cat one.log; wrong "CMake stops" || return; }
  grep "tests of vqcache are left out: there is no <doctest/doctest.h>" one.log ||
    { cat one.log; wrong "CMake does not say it" || return; }
  # shellcheck disable=SC2086
  if cmake -S "$root" -B two $hide -DVQCACHE_BUILD_TESTS=ON; then
    wrong "tests that were asked for are left out" || return
  fi
  cmake -S "$root" -B three -DVQCACHE_BUILD_EXAMPLES=OFF &&
    cmake --build three --target help | grep -q vqcache_tests || wrong "no tests by default" || return
  CXX=$PWD/cxx meson setup m "$root" >m.log 2>&1 || { cat m.log; wrong "Meson stops" || return; }
  grep "tests of vqcache are left out" m.log || wrong "Meson does not say it"
}

# ---- Meson and pkg-config -----------------------------------------------------------------------

# A project of Meson that gets the dependency as its line says. ${meson} is the program.
meson_project() {  # DIRECTORY DEPENDENCY
  mkdir -p "$1/subprojects" && cp "$here/app.cpp" "$1/app.cpp" && cat >"$1/meson.build" <<X
project('consumer', 'cpp', default_options: ['cpp_std=c++17'])
executable('app', 'app.cpp', dependencies: $2, link_args: '$bodies', cpp_args: '-DVQCACHE_HEADER_ONLY=0')
X
}
meson_builds() {  # DIRECTORY ARGUMENTS...
  from=$1
  shift
  bodies && ${meson:-meson} setup "$from/build" "$from" "$@" || return
  [ "$(grep -c '^build .*: cpp_COMPILER' "$from/build/build.ninja")" = 1 ] ||
    wrong "a subproject builds its tests or examples" || return
  ninja -C "$from/build" && runs "$from/build/app" && {
    link=$(grep LINK_ARGS "$from/build/build.ninja")
    case $link in *-pthread* | *-lpthread*) ;; *) wrong "no threads: $link" || return ;; esac
    case $link in *-ldl* | *libdl*) ;; *) wrong "no dl: $link" ;; esac
  }
}
way_meson_wrap() {
  need meson ninja git
  origin && meson_project . "dependency('vqcache', version: '$is')" && cat >subprojects/vqcache.wrap <<X &&
[wrap-git]
url = file://$scratch/origin
revision = v$is
[provide]
vqcache = vqcache_dep
X
    meson_builds . --wrap-mode=forcefallback
}
way_meson_subproject() {  # as README of Meson has it, in two forms
  need meson ninja git
  origin && meson_project . "subproject('vqcache').get_variable('vqcache_dep')" &&
    cp -R "$scratch/origin" subprojects/vqcache && meson_builds . &&
    meson setup again . --prefix "$PWD/prefix" && meson install -C again && [ ! -e prefix/include ]
}
way_meson_installed() {  # a dependency of the system: from pkg-config, and from CMake
  need meson ninja cmake pkg-config
  installed && meson_project one "dependency('vqcache', method: 'pkg-config')" &&
    meson_builds one --pkg-config-path "$scratch/by_meson/share/pkgconfig" &&
    meson_project two "dependency('vqcache', method: 'cmake', modules: ['vqcache::vqcache'],
      cmake_args: '$older_system'.split())" &&
    meson_builds two --cmake-prefix-path "$scratch/by_cmake"
}
way_meson_version() {  # Meson itself tells what is newer than the version that meson.build asks for
  need meson
  meson setup build "$root" >log 2>&1 || { cat log; return 1; }
  ! grep -iE "uses feature|introduced in|deprecated" log || wrong "meson_version is not the one that is used"
}
way_oldest_meson() {
  [ -d "$oldest/mesonbuild" ] || skip "VQCACHE_PACKAGING_OLDEST has no Meson"
  need ninja
  printf '#!/bin/sh\nPYTHONPATH="%s" exec "%s" -m mesonbuild.mesonmain "$@"\n' "$oldest" "$python" >meson &&
    chmod +x meson && PATH=$PWD:$PATH && meson --version || return
  grep -q "meson_version: '>=$(meson --version | cut -d. -f1,2)'" "$root/meson.build" ||
    wrong "meson.build names another version" || return
  origin && meson setup whole "$root" &&
    meson_project . "subproject('vqcache').get_variable('vqcache_dep')" &&
    cp -R "$scratch/origin" subprojects/vqcache && meson_builds .
}
way_pkg_config() {  # from either installation, and the program chooses its C++
  need meson cmake pkg-config
  bodies && installed && cp "$here/app.cpp" . || return
  for kind in by_cmake by_meson; do
    PKG_CONFIG_PATH=$scratch/$kind/share/pkgconfig
    export PKG_CONFIG_PATH
    flags="$(pkg-config --cflags vqcache)" && libraries="$(pkg-config --libs vqcache)" || return
    echo "$kind: $flags, $libraries"
    [ "$(pkg-config --modversion vqcache)" = "$is" ] || wrong "another version" || return
    case "$flags $libraries" in *-std*) wrong "a .pc file chooses the standard" || return ;; esac
    case $libraries in *-pthread*-ldl*) ;; *) wrong "no threads or no dl" || return ;; esac
    for standard in c++17 c++20; do
      # shellcheck disable=SC2086
      "$CXX" -std=$standard -DVQCACHE_HEADER_ONLY=0 $flags app.cpp "$bodies" -o app $libraries &&
        runs ./app || return
    done
  done
}

# ---- package managers ---------------------------------------------------------------------------

way_conan() {
  need cmake git
  need_module conan
  CONAN_HOME=$PWD/home
  export CONAN_HOME
  # without scripts of an environment: the module is what is there
  conan() { "$python" -c 'from conans.conan import run; run()' "$@"; }
  origin && conan profile detect && cp -R "$scratch/origin" checkout &&
    conan create checkout/examples/packaging --no-remote -s compiler.cppstd=17 || return
  # what a build outside of the recipe's checkout gets
  rm -rf checkout
  echo 'find_package(vqcache REQUIRED)' | cmake_project . &&
    conan install --requires="vqcache/$is" --no-remote -g CMakeDeps -g CMakeToolchain -g PkgConfigDeps -of conan \
      -s compiler.cppstd=17 &&
    cmake_builds . -DCMAKE_TOOLCHAIN_FILE="$PWD/conan/conan_toolchain.cmake" -DCMAKE_BUILD_TYPE=Release || return
  case $(PKG_CONFIG_PATH=$PWD/conan pkg-config --libs vqcache) in
    *-lpthread*-ldl*) ;;
    *) wrong "Conan's .pc file: no threads or no dl" || return ;;
  esac
  if conan install --requires="vqcache/$is" --no-remote -s compiler.cppstd=14; then
    wrong "the recipe takes C++14"
  fi
}
way_vcpkg() {  # the overlay port; without the tool, by stand-ins for the functions of vcpkg
  need cmake
  port=$root/examples/packaging/vcpkg/ports/vqcache
  python3 - "$port/vcpkg.json" "$is" <<X || return
import json, sys
port = json.load(open(sys.argv[1]))
assert port["name"] == "vqcache" and port["license"] == "MIT", port
assert port["version"] == sys.argv[2], "vcpkg.json tells version %s, the header %s" % (port["version"], sys.argv[2])
X
  if have vcpkg; then
    vcpkg install vqcache "--overlay-ports=$port/.." --x-install-root="$PWD/tree" || return
    package=$(echo "$PWD"/tree/*-*)
  else
    package=$PWD/package
    cmake -DPORT_DIR="$port" -DPACKAGE="$package" -DWORK="$PWD/work" -P "$here/vcpkg_stand_in.cmake" || return
  fi
  echo 'find_package(vqcache CONFIG REQUIRED)' | cmake_project user &&
    cmake_builds user -DCMAKE_PREFIX_PATH="$package"
}

# ---- modules, other systems' libraries ----------------------------------------------------------

module=$root/examples/packaging/module/vqcache.cppm
way_module() {
  clang=''
  for one in clang++-19 clang++-18 clang++-17 clang++-16 clang++; do have $one && { clang=$one; break; }; done
  [ -n "$clang" ] || need clang++-19
  # nothing public is forgotten
  python3 - "$root/vqcache.hpp" "$module" <<'X' || return
import re, sys
text = open(sys.argv[1], encoding="utf-8").read()
api = text.split("==== >>api ====")[1].split("VQCACHE_HAS_BODIES\n")[0]
api = re.sub(r"//.*", "", api)
names = set(re.findall(r"^(?:struct|class|enum class) (?:VQCACHE_SEEN_ )?(\w+)(?= [{:])", api, re.M))
names |= set(re.findall(r"^using (\w+) =", api, re.M))
names |= set(re.findall(r"^(?:\[\[nodiscard\]\] )?VQCACHE_API_ [^()]*?(\w+)\(", api, re.M))
used = set(re.findall(r"using vqcache::(\w+);", open(sys.argv[2], encoding="utf-8").read()))
print("%d public names" % len(names))
assert len(names) > 50, names
assert names == used, "not in both: %s" % sorted(names ^ used)
X
  bodies && cp "$here/app.cpp" . &&
    "$clang" -std=c++20 -DVQCACHE_HEADER_ONLY=0 -I "$root" --precompile "$module" -o vqcache.pcm &&
    "$clang" -std=c++20 -DAPP_IMPORTS -fmodule-file=vqcache=vqcache.pcm app.cpp vqcache.pcm "$bodies" -o app &&
    runs ./app &&
    # and as the first lines of vqcache.cppm say: the header as a whole
    "$clang" -std=c++20 -I "$root" --precompile "$module" -o vqcache.pcm &&
    "$clang" -std=c++20 -DAPP_IMPORTS -fmodule-file=vqcache=vqcache.pcm app.cpp vqcache.pcm -o app && runs ./app
}
way_module_gcc() {
  version=$("$CXX" -dumpfullversion 2>/dev/null) || skip "$CXX is not g++"
  # before 14 it does not export what a using-declaration names
  [ "${version%%.*}" -ge 14 ] 2>/dev/null || skip "modules of g++ $version are not enough, 14 is needed"
  bodies && cp "$here/app.cpp" . &&
    "$CXX" -std=c++20 -fmodules-ts -DVQCACHE_HEADER_ONLY=0 -I "$root" -x c++ -c "$module" -o module.o &&
    "$CXX" -std=c++20 -fmodules-ts -DAPP_IMPORTS app.cpp module.o "$bodies" -o app && runs ./app
}
way_musl() {  # linked statically; runs wherever Linux does
  [ "$(uname -sm)" = "Linux x86_64" ] || skip "this is not Linux on x86_64"
  need_module ziglang
  ZIG_GLOBAL_CACHE_DIR=${ZIG_GLOBAL_CACHE_DIR:-$PWD/zig} ZIG_LOCAL_CACHE_DIR=$PWD/zig
  export ZIG_GLOBAL_CACHE_DIR ZIG_LOCAL_CACHE_DIR
  cp "$root/vqcache.hpp" "$here/app.cpp" . &&
    "$python" -m ziglang c++ -target x86_64-linux-musl -std=c++17 -O0 -g0 -Wall -Wextra -Werror app.cpp -o app \
      -pthread -ldl && runs ./app
}

# ---- what the pages show and a release needs ----------------------------------------------------

way_recording() {  # README's image, recorded again
  need python3 curl
  bodies && "$CXX" -std=c++17 -O0 -DVQCACHE_HEADER_ONLY=0 -I "$root" "$root/examples/vqcache.cpp" "$bodies" \
    -o vqcache -pthread -ldl || return
  python3 "$root/examples/record.py" --check vqcache >said 2>&1
  status=$?
  cat said
  [ $status != 77 ] || skip "$(sed -n 's/^skipped: //p' said)"
  return $status
}
way_release() {
  need git python3 sha256sum sha512sum clang-format-19
  sh "$here/release.sh"
}

# ---- all of them --------------------------------------------------------------------------------

# the longest: zig makes its C++ library first
! is_wanted musl || begin musl
way copied "the file alone, with -pthread -ldl"
way declarations "VQCACHE_HEADER_ONLY 0, and one unit with the bodies"
way precompiled "a precompiled header"
way unity "a unity build"
way subdirectory "add_subdirectory"
way parent "add_subdirectory below a project that installs its own library"
way fetchcontent "FetchContent by tag"
way cpm "CPM by tag"
way same_files "the installations of CMake and Meson are the same files"
way find_package "find_package after CMake's installation, versions and components"
way find_package_meson "find_package after Meson's installation"
way other_directories "installations with other directories"
way oldest_cmake "the CMake that CMakeLists.txt names"
way without_doctest "configuring without doctest"
way meson_wrap "Meson, a wrap"
way meson_subproject "Meson, a subproject"
way meson_installed "Meson, an installed dependency"
way meson_version "the Meson that meson.build names has all that it uses"
way oldest_meson "the Meson that meson.build names"
way pkg_config "pkg-config after either installation"
way conan "Conan 2"
way vcpkg "vcpkg, an overlay port$(have vcpkg || echo ', by stand-ins')"
way module "a module of C++20, clang"
way module_gcc "a module of C++20, g++"
way musl "musl, static, by zig"
way recording "README's recording shows what the tool says"
way release "a release: each fault is refused, and its commands make what it says"
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ] && [ $passed -gt 0 ]
