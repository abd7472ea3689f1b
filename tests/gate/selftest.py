"""Breaks a copy of the header once per rule; the check of that rule must fail, and for that reason."""
import contextlib
import io
import json
import os
import pathlib
import re
import shutil
import tempfile
import time


def at_end(text):
    """Inserts code after the last namespace of the header, inside the include guard."""
    return lambda header: re.sub(r"(?m)^// ==== >>undef\b", lambda m: text + "\n" + m.group(), header,
                                 count=1)


def in_room(room, text):
    """Inserts code into detail::ROOM, just after its namespace opens (or after its marker)."""
    def edit(header):
        head, marker, tail = header.partition("// ==== >>%s " % room)
        opened = re.search(r"(?m)^(?:inline )?namespace (?:\w+::)*%s \{$" % room, tail)
        at = opened.end() if opened else tail.index("\n")
        return head + marker + tail[:at] + "\n" + text + tail[at:]
    return edit


def replaced(pattern, by, count=1):
    def edit(header):
        out, n = re.subn(pattern, by, header, count=count)
        if not n:
            raise LookupError("the header has no " + pattern)
        return out
    return edit


def in_code(pattern, by, count=1):
    """The same behind the manual."""
    def edit(header):
        head, marker, tail = header.partition("// ==== >>config ")
        return head + marker + replaced(pattern, by, count)(tail)
    return edit


def swapped(header):
    return header.replace("// ==== >>hash ", "// ==== >>@ ").replace(
        "// ==== >>ranges ", "// ==== >>hash ").replace("// ==== >>@ ", "// ==== >>ranges ")


MANY = "\n".join("inline int pad_%d(int x) { std::string s; s += char(x); return int(s.size()); }" % i
                 for i in range(20000))
FIXED_TAG = replaced(r"inline namespace \w+", "inline namespace fixed", 0)
# rooms below the border whose code must not change when another check is under test
B = "namespace vqcache { inline namespace broken {\n%s\n} }"

# check, what is done to the header, a word of the reason that must be given
VIOLATIONS = [
    ("include_cost", "20,000 functions more", at_end(B % MANY), "the bar is"),
    ("declarations_only", "a switch that is in the tag",
     replaced(r"VQCACHE_TAG_OF_\(VQCACHE_EXCEPTIONS_, VQCACHE_USE_LIBCURL\)",
              "VQCACHE_TAG_OF_(VQCACHE_EXCEPTIONS_, VQCACHE_HEADER_ONLY)"), "do not link"),
    ("declarations_only", "bodies that are not kept",
     replaced(r"__attribute__\(\(used\)\) inline", "inline"), "do not link|does not compile"),
    ("declarations_only", "bodies that are not asked for",
     replaced(r"#elif defined\(VQCACHE_IMPLEMENTATION\) && !VQCACHE_HAS_BODIES", "#elif 0"),
     "comes too late"),
    ("format", "two statements on a line", at_end("inline int f() { int x = 1; return x; }  int y;"),
     "clang-format"),
    ("clang_tidy", "a loop over two lines without braces",
     at_end("inline int g(int x) {\n  for (int i = 0; i < 9; ++i)\n    if (x == i)\n      return i;\n  return 0;\n}"),
     "readability-braces"),
    ("clang_tidy", "an assignment inside a condition",
     at_end("inline int g(int x) {\n  int y = 0;\n  if ((y = x) > 2) return y;\n  return 0;\n}"),
     "assignment-in-if"),
    ("functions", "a long function", at_end("inline int g(int x) {\n%s  return x;\n}" % ("  ++x;\n" * 60)),
     "has 62 lines|has 63 lines"),
    ("functions", "a function with many branches",
     at_end("inline int g(int x) {\n%s  return x;\n}" % ("  if (x == 7) ++x;\n" * 16)), "complexity of 17"),
    ("functions", "packed lines", at_end("inline int g(int x) { return %s x; }" % ("x + " * 9000)),
     "tokens, the bar"),
    ("code_size", "a key function outside of its class",
     at_end(B % "struct fat { virtual ~fat(); };\ninline fat::~fat() {}"), "vtable for|typeinfo for"),
    ("code_size", "an object at namespace scope",
     at_end(B % "static const std::string early = \"x\";"), "_GLOBAL__|__cxx_global|bytes"),
    ("code_size", "a function that is not inline",
     at_end(B % "int solid(int x) { return x * 3 + 1; }"), "bytes"),
    ("warnings_gcc", "a narrowing conversion",
     at_end(B % "inline int narrow(long x) { int y = x; return y; }"), "conversion"),
    ("warnings_gcc", "a useless cast",
     at_end(B % "inline int cast(int x) { return static_cast<int>(x); }"), "useless"),
    ("warnings_clang", "a function that could be noreturn",
     at_end(B % "inline int comma(int x) { return (x++, x); }\n"
            "inline int narrow(long x) { return x; }"), "Wshorten-64-to-32"),
    ("macros", "an internal macro left behind", at_end("#define VQCACHE_LEFT_ 1"), "VQCACHE_LEFT_"),
    ("macros", "a macro of others removed",
     at_end("#undef EOF\n"), "removed or changed"),
    ("hostile_macros", "names that windows.h and X.h own",
     at_end(B % "inline int f(int small, int Status) { return small + Status; }"), "hostile"),
    ("hostile_macros", "std::max without parentheses",
     at_end(B % "inline int g(int a, int b) { return std::max(a, b); }"), "hostile"),
    ("two_tus", "a function that is not inline",
     at_end("namespace vqcache { int solid() { return 1; } }"), "do not link"),
    ("two_tus", "no include guard",
     replaced(r"#\s*ifndef (VQCACHE_HPP_?)\s*\n\s*#\s*define \w+", "#if 1\n#define VQCACHE_HPP"),
     "included twice|redefin"),
    ("two_versions", "a tag without the version", FIXED_TAG, "share symbols"),
    ("two_versions", "a manual of another version",
     replaced(r"([Vv]ersion )\d+\.\d+\.\d+", r"\g<1>9.9.9"), "manual says version"),
    ("versions", "another version in the macros", replaced(r"(VQCACHE_VERSION_PATCH) \d+", r"\1 77"),
     "the macros [0-9.]+[.]77"),
    ("versions", "another number of the guard", replaced(r"(define VQCACHE_HPP) \d+", r"\1 199"),
     "VQCACHE_HPP is 199"),
    ("versions", "another number where the guard is held to it",
     replaced(r"(VQCACHE_HPP !=) \d+", r"\1 199"), "VQCACHE_HPP is 199"),
    ("versions", "a guard that is held to nothing", replaced(r"(?m)^#elif VQCACHE_HPP != \d+", "#elif 0"),
     "1 places with the number"),
    ("versions", "first lines of another version", replaced(r"(// Version )\d+", r"\g<1>9"), "says version 9"),
    ("versions", "first lines without a version", replaced(r"// Version [\d.]+", "// Version"),
     "its first lines: no version"),
    ("versions", "a user agent of another version", in_code(r'"vqcache/\d+', '"vqcache/9'), "says vqcache/9"),
    ("versions", "a user agent without a version", in_code(r'"vqcache/[\d.]+"', '"vqcache"'),
     "the user agent: no version"),
    ("versions", "receipts of another version", in_code(r'"# vqcache \d+', '"# vqcache 9'), "says vqcache 9"),
    ("versions", "find_package of another version", replaced(r"(// find_package\(vqcache )\d+", r"\g<1>9"),
     "says vqcache 9"),
    ("versions", "a next version that is none", replaced(r"(finds any [\d.]+ and no )[\d.]+", r"\g<1>9.9"),
     "does not say that find_package finds"),
    ("versions", "no changes of this version",
     replaced(r"(?m)^// \d+\.\d+\.\d+\n(?=// - Any set of files)", ""), "opens with [0-9.]+, not"),
    ("versions", "changes of this version without an entry",
     replaced(r"(?m)(^// \d+\.\d+\.\d+\n)(?=// - Any set of files)", r"\1// 0.1.5\n"), "has no entry for"),
    ("versions", "changes in another order", replaced(r"(?m)^// 0\.1\.0$", "// 9.1.0"), "from the newest"),
    ("versions", "no chapter of changes", replaced(r"(?m)^// ---- 17 changes -", "// ---- 17 history -"),
     "no chapter of changes"),
    ("versions", "a tag of another version", in_code(r"\bv\d+_(\d+_\d+_exceptions)", r"v9_\1"),
     "the tag of the ABI begins with v9"),
    ("versions", "a tag with the switch of the bodies",
     in_code(r"TAG_OF_\(VQCACHE_EXCEPTIONS_, VQCACHE_USE_LIBCURL\)",
             "TAG_OF_(VQCACHE_EXCEPTIONS_, VQCACHE_HEADER_ONLY)"), "what changes the interface is"),
    ("versions", "a tag that is not used",
     in_code(r"(?m)^inline namespace VQCACHE_ABI_ \{$", "namespace abi {", 0), "do not live in the inline namespace"),
    ("switch_mismatch", "a tag without the switches", FIXED_TAG, "silently mixed"),
    ("no_exceptions", "a bare throw", at_end(B % "inline void bad() { throw 1; }"),
     "does not compile"),
    ("no_exceptions", "dynamic_cast", at_end(
        B % "inline bool rtti(std::exception* e) { return dynamic_cast<std::bad_alloc*>(e); }"),
     "does not compile"),
    ("no_exceptions", "throwing forms that only abort",
     replaced(r"(?m)^#\s*if VQCACHE_\w*EXC\w*_\s*$(?=\s*(?:VQCACHE_API_ |inline )?model download_vqgan_model)",
              "#if 1", 0), "still compiles|does not compile"),
    ("nodiscard", "a try_ form whose result may be lost",
     replaced(r"\[\[nodiscard\]\] (VQCACHE_API_ error try_remove)", r"\1"), "lacks"),
    ("nodiscard", "a throwing form that is no statement",
     replaced(r"(?m)^VQCACHE_API_ void remove\(", "[[nodiscard]] VQCACHE_API_ int remove("), "has"),
    ("braces", "a set without braces of its own is an error of std::vector",
     replaced(r"(?s)template <std::size_t Words>.*?\n\}\n", ""), "is an error elsewhere"),
    ("alone", "a function of a library", at_end(
        'extern "C" char* curl_version();\n'
        + B % "inline const char* v() { return ::curl_version(); }\n"
        "struct early { const char* s = v(); };\ninline early keep;"), "does not link"),
    ("alone", "a program linked to libcurl", lambda header: header, "libcurl"),
    ("shared_library", "codes compared by the address of their category",
     replaced(r"std::strcmp\(code.category\(\).name\(\), \"vqcache\"\) == 0",
              "code == std::error_code(e)"), "does not work in its host"),
    ("standards", "a name of C++20",
     at_end(B % "inline bool s(const std::string& x) { return x.starts_with(\"a\"); }"),
     "does not compile"),
    ("layout", "two rooms swapped", swapped, "the design says"),
    ("layout", "a system macro outside of >>os",
     in_room("strings", "#if defined(_WIN32)\n#endif"), "belongs in >>os"),
    ("layout", "a throw outside of >>error", in_room("tier", "inline void f() { throw 1; }"),
     "belongs in >>error"),
    ("layout", "the field's words in a general room",
     in_room("partial", 'inline const char* f() { return ".ckpt"; }'), "the word ckpt"),
    ("layout", "a class declared ahead", in_room("hash", "struct later;"), "declared ahead"),
    ("layout", "a function declared ahead",
     in_room("partial", "inline int later(const std::string& x);"), "declared ahead"),
    ("layout", "a function for one system alone",
     replaced(r"(?m)^inline int try_lock\(", "inline int try_locking("), "not for each system"),
    ("layout", "static at namespace scope", in_room("strings", "static int counter_ = 0;"), "static"),
    ("layout", "a tab", in_room("strings", "inline int f() {\treturn 1; }"), "a tab"),
    ("layout", "a long line", in_room("strings", "// " + "x" * 98), "101 columns"),
    ("layout", "pragma once", lambda header: "#pragma once\n" + header, "pragma once"),
    ("layout", "no include guard", replaced(r"(?m)^#\s*ifndef VQCACHE_HPP_?$", "#if 1"),
     "first directives"),
    ("layout", "intrinsics", in_room("hash", "#include <immintrin.h>"), "immintrin"),
    ("layout", "thread_local", in_room("transport", "inline thread_local int x = 0;"), "thread_local"),
    ("layout", "assembly", in_room("hash", 'inline void f() { asm("nop"); }'), "assembly"),
    ("layout", "work left to do", in_room("hash", "// TO" + "DO later"), "says TO" + "DO"),
    ("layout", "an expensive header", in_room("strings", "#include <regex>"), "<regex>"),
    ("layout", "no border", replaced(r"(?mi)^// .*={4,}.*\bborder\b.*$|^// .*\bborder\b.*={4,}.*$",
                                     "//"), "border"),
    ("layout", "a room missing in the manual's table",
     lambda header: re.sub(r"\bpolicy\b", "moving", header.split("// ==== >>config", 1)[0])
     + "// ==== >>config" + header.split("// ==== >>config", 1)[1], "table"),
    ("layout", "a room outside of its namespace",
     replaced(r"(?m)^((?:inline )?namespace (?:\w+::)*)hash \{", r"\1hashing {"),
     "does not live in detail::hash"),
    ("readme", "a manual whose lines do not build",
     lambda header: header.split("// ==== >>config", 1)[0] + "// ==== >>config"
     + header.split("// ==== >>config", 1)[1].replace("download_vqgan_model", "bring_model"),
     "do not build"),
    ("readme", "a manual of more than eight lines",
     replaced(r"(?m)^(//\s+)int main\(\) try \{", r"\1int main() try {\n\1;\n\1;\n\1;\n\1;"), "eight"),
    ("readme", "a manual that differs from the README",
     replaced(r"(?m)^(//\s+)int main\(\) try \{", r"\1int main()  try {"), "is the manual's program"),
    ("readme", "a program that does not say why it failed",
     in_code(r"makes the call offline", "and that is all"), "offline the manual's program"),
    ("readme", "a block of the manual that does not compile",
     replaced(r'vqcache::try_remove\("my_model"\)', 'vqcache::try_delete("my_model")'), "the manual's block in line"),
    ("readme", "a cell of the manual that does not compile",
     replaced(r"opts\.on_progress = always", "opts.progress = always"), "the manual's notebook"),
    ("readme", "Python of the manual that is none",
     replaced(r"//         print\(m\.checkpoint", "//         print((m.checkpoint"), "is no Python"),
    ("readme", "a command of the manual that no shell reads",
     replaced(r"//     \(cd content", "//     ((cd content"), "is no shell"),
    ("manual", "an option that is not in it",
     replaced(r"(?m)^  bool offline = false;", "  bool offline = false;\n  bool hurry = false;"),
     "option hurry is not in the manual"),
    ("manual", "an option that is gone", in_code(r"(?m)^  bool create_dirs = true;.*\n", ""),
     "tells of the option create_dirs"),
    ("manual", "another default", in_code(r"unsigned stall_seconds = 30;", "unsigned stall_seconds = 60;"),
     "the default of stall_seconds is 60"),
    ("manual", "another default of two numbers", in_code(r"max_bytes = std::uint64_t\{64\} << 30",
                                                         "max_bytes = std::uint64_t{32} << 30"),
     "the default of max_bytes"),
    ("manual", "an error that is not in it", in_code(r"(?m)^  timed_out,", "  timed_out,\n  tired,"),
     "error tired is not in the manual"),
    ("manual", "an error that is gone", replaced(r"(?m)^//   tls ", "//   ssl "), "tells of the error ssl"),
    ("manual", "a macro that is not in it", at_end("#define VQCACHE_LEFT 1"), "macro VQCACHE_LEFT is not"),
    ("manual", "a macro that is gone", in_code("VQCACHE_HAS_BODIES", "VQCACHE_BODIES_", 0),
     "tells of the macro VQCACHE_HAS_BODIES"),
    ("manual", "a variable that is not in it",
     in_room("strings", 'inline const char* f() { return std::getenv("TMPDIR"); }'), "variable TMPDIR is not"),
    ("manual", "a variable of ours that is not in it",
     in_room("tier", 'inline string f() { const char* n = "VQCACHE_NEWS"; return os::env(n); }'),
     "variable VQCACHE_NEWS is not"),
    ("manual", "another sign of a platform", in_code(r'"SPACE_ID"', '"SPACE_NAME"'), "variable SPACE_NAME is not"),
    ("manual", "another disk of a platform", in_code(r'"/storage /notebooks"', '"/storage /work"'),
     "the disks of Paperspace lack /work"),
    ("manual", "another limit", in_code(r"most_hops = 20;", "most_hops = 30;"), "most_hops of >>connection is 30"),
    ("manual", "a limit that is told otherwise",
     replaced(r"config_limit = 16 MiB", "config_limit = 16 KiB"), "config_limit of >>partial"),
    ("manual", "a limit that is gone", in_code(r"\bmost_cookies\b", "all_cookies", 0),
     "most_cookies of >>http is nowhere"),
    ("manual", "another message", in_code(r"The other call stalls; going on", "That call stalls; going on"),
     "message 'That call stalls"),
    ("manual", "a message of another severity", in_code(r"who_\.warn\((\{\"The other call)", r"who_.say(\1"),
     "not in the manual as of information"),
    ("manual", "a message that nothing says",
     replaced(r"(?m)^(//   )The other call stalls", r"\1The first call stalls"), "no message says 'The first call"),
    ("manual", "a chapter that its list does not have", replaced(r"7 limits ", "7 bounds "), "the list of chapters"),
    ("manual", "code that would not be compiled",
     replaced(r"(?m)^//     (const vqcache::error problem)", r"//    \1"), "is indented by 4 columns"),
    ("manual", "code that looks like a table",
     replaced(r"(?m)^//     (const vqcache::error problem)", r"//   \1"), "looks like code"),
]


def measured(change):
    """The results of the benchmarks, changed."""
    def edit(text):
        results = json.loads(text)
        change(results)
        return json.dumps(results)
    return edit


RESULTS = "tests/bench/results.json"
PORT = "examples/packaging/vcpkg/ports/vqcache/vcpkg.json"
FILE_VIOLATIONS = [  # the same for another file
    ("package", "no alias target", "cannot configure", "CMakeLists.txt",
     lambda text: text.replace("add_library(vqcache::vqcache ALIAS vqcache)", "")),
    ("package", "tests that are always built", "cannot configure", "CMakeLists.txt",
     lambda text: text.replace("set(vqcache_top_level OFF)", "set(vqcache_top_level ON)")),
    ("package", "a header that is not installed", "cannot build|cannot configure", "CMakeLists.txt",
     lambda text: text.replace("install(FILES vqcache.hpp", "install(FILES LICENSE")),
    ("readme", "a block that does not compile", "does not compile", "README.md",
     lambda text: text + "\n```cpp\nauto m = vqcache::download(1, 2);\n```\n"),
    ("readme", "a command left out", "does not give the command", "README.md",
     lambda text: text.replace("sh tests/run.sh", "make test")),
    ("readme", "a command that does not exist", "there is no", "README.md",
     lambda text: text + "\n```sh\nsh tests/no_such.sh\n```\n"),
    ("versions", "a port of another version", "vcpkg.json:4: says 9", PORT,
     lambda text: re.sub(r'("version": ")\d+', r"\g<1>9", text)),
    ("versions", "a port without a version", "vcpkg.json: no version", PORT,
     lambda text: text.replace('"version"', '"of"')),
    ("versions", "a front page of another version", r"README.md:\d+: says vqcache 9", "README.md",
     lambda text: re.sub(r"(find_package\(vqcache )\d+", r"\g<1>9", text)),
    ("versions", "a template of another version", "vqcacheConfigVersion.cmake.in:1: says vqcache 9",
     ".packaging/vqcacheConfigVersion.cmake.in",
     lambda text: re.sub(r"(find_package\(vqcache )\d+", r"\g<1>9", text)),
    ("versions", "an example of another version", "notes.txt:1: says vqcache 9", "examples/notes.txt",
     lambda text: "written for vqcache 9.1\n"),
    ("versions", "CMake with a version of its own", "CMakeLists.txt: has a version of its own", "CMakeLists.txt",
     lambda text: text.replace("VERSION ${vqcache_version}", "VERSION 0.2.0")),
    ("versions", "Meson with a version of its own", "meson.build: has a version of its own", "meson.build",
     lambda text: re.sub(r"(?m)^  version: '\.'\.join", "  version: '0.2.0', # '.'.join", text)),
    ("versions", "Conan with a version of its own", "conanfile.py: has a version of its own",
     "examples/packaging/conanfile.py",
     lambda text: text.replace('    name = "vqcache"', '    name = "vqcache"\n    version = "0.2.0"')),
    ("top_level", "a file that does not belong there", "may not be: notes.txt", "notes.txt",
     lambda text: text + "left by a test"),
    ("bench_report", "another time in the results", r"README.md and examples/benchmark.svg: not what", RESULTS,
     measured(lambda it: it["samples"]["disk"]["vqcache"].update(seconds=[0.125]))),
    ("bench_report", "a time that no median shows", r": examples/benchmark.svg: not what", RESULTS,
     measured(lambda it: it["samples"]["disk"]["vqcache"]["cpu"].append(0.125))),
    ("bench_report", "results without a case", "has no case 'restore', and no skip says why", RESULTS,
     measured(lambda it: it["samples"].pop("restore"))),
    ("bench_report", "results without a peer", "no right run of pooch, and no skip says why", RESULTS,
     measured(lambda it: [it["samples"]["disk"].pop(name) for name in list(it["samples"]["disk"])
                          if name.startswith("pooch")])),
    ("bench_report", "results in which vqcache failed", "vqcache failed in the case disk: other bytes", RESULTS,
     measured(lambda it: it["rows"].append({"case": "disk", "void": ["other bytes"]}))),
    ("bench_report", "results of another shape", "is not as bench.py writes it", RESULTS,
     measured(lambda it: it.update(machine="a fast one"))),
    ("bench_report", "results that are no JSON", "is no JSON", RESULTS, lambda text: text[:-9]),
    ("bench_report", "a figure of README, by hand", r": README.md: not what", "README.md",
     replaced(r"(?m)^(\|restore, hashed, synced\|)[\d.]+", r"\g<1>0.01")),
    ("bench_report", "README without its marks", "does not hold <!-- bench: begin -->", "README.md",
     lambda text: text.replace("<!-- bench: end -->", "")),
    ("bench_report", "a bar of the chart, by hand", r": examples/benchmark.svg: not what",
     "examples/benchmark.svg", replaced(r'width="[\d.]+" height="13"', 'width="123.4" height="13"')),
]


def main(arguments, gate_module):
    root = pathlib.Path(arguments.root)
    wanted = arguments.checks[1:]
    lost, ran, covered = [], 0, set()
    cases = [(c, what, "vqcache.hpp", edit, reason) for c, what, edit, reason in VIOLATIONS]
    cases += [(c, what, name, edit, reason) for c, what, reason, name, edit in FILE_VIOLATIONS]
    # one compiler is enough to see that a check can fail
    os.environ["VQCACHE_COMPILERS"] = gate_module.first_of("g++", "g++-12", "g++-11") or ""
    clang = gate_module.first_of("clang++", "clang++-19", "clang++-14")
    if clang:
        os.environ["VQCACHE_COMPILERS"] += " " + clang
    for check, what, name, edit, reason in cases:
        if wanted and check not in wanted:
            continue
        if check == "warnings_clang" and not clang:
            print("skipped: %s: no clang++ here" % check)
            continue
        began = time.time()
        with tempfile.TemporaryDirectory(prefix="vqcache-selftest-") as place:
            place = pathlib.Path(place)
            for script in ("examples/run.sh", "tests/run.sh"):
                (place / script).parent.mkdir(exist_ok=True)
                (place / script).touch()
            (place / RESULTS).parent.mkdir()
            for kept in ("README.md", "CMakeLists.txt", "LICENSE", "vqcache.hpp", RESULTS,
                         "examples/benchmark.svg"):
                if (root / kept).exists():
                    shutil.copy(root / kept, place / kept)
            if check == "package":
                shutil.copytree(root / "tests", place / "tests", dirs_exist_ok=True)
                shutil.copytree(root / ".packaging", place / ".packaging")
            if check == "versions":
                shutil.copy(root / "meson.build", place / "meson.build")
                shutil.copytree(root / "examples", place / "examples", dirs_exist_ok=True)
                shutil.copytree(root / ".packaging", place / ".packaging")
            file = place / name
            text = file.read_text(encoding="utf-8") if file.exists() else ""
            try:
                broken = edit(text)
            except LookupError as why:
                lost.append("%s: %s: cannot be tried: %s" % (check, what, why))
                continue
            if broken == text and "linked" not in what:
                lost.append("%s: %s: the edit changes nothing" % (check, what))
                continue
            file.write_text(broken, encoding="utf-8")
            scratch = place / "scratch"
            scratch.mkdir()
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                gate = gate_module.Gate(place, scratch, arguments.cxx)
                if check == "alone" and "linked" in what:
                    gate.extra_link = ["-Wl,--no-as-needed", "-lcurl"]
                code = gate_module.run_check(check, gate)
        ran += 1
        covered.add(check)
        failure = said.getvalue().partition("failed: ")[2]
        if code != 1:
            lost.append("%s: %s: not noticed" % (check, what))
        elif not re.search(reason, failure):
            lost.append("%s: %s: fails for another reason than /%s/:\n    %s" % (
                check, what, reason, failure[:1500].replace("\n", "\n    ")))
        else:
            first = failure.split("\n")[0]
            line = next((row.strip() for row in failure.split("\n") if re.search(reason, row)), first)
            print("%-16s %-42s noticed in %4.1f s: %s" % (check, what, time.time() - began, line[:110]))
    for check in gate_module.CHECKS:
        if not wanted and check not in covered and not (check == "warnings_clang" and not clang):
            lost.append("%s: no violation is tried" % check)
    for line in lost:
        print("failed: " + line)
    print("selftest: %d violations tried, %d problem(s)" % (ran, len(lost)))
    return 1 if lost else 0
