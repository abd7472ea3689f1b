#!/usr/bin/env python3
"""The header gate: what an including program pays and risks, measured, one check per subcommand.

  gate.py [--root DIR] [--cxx COMPILER] CHECK...     run checks of the header in DIR (default: the repository)
  gate.py list                                       name them
  gate.py selftest [CHECK...]                        break a copy of the header for each check; each must notice

Every check prints what it measured and ends "ok: CHECK", "skipped: REASON" (exit 77) or "failed: CHECK: REASON"
(exit 1). With VQCACHE_NO_SKIP=1 a skip is a failure: continuous integration installs what the checks need.
"""
import argparse
import os
import pathlib
import platform
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile

import manual
import versions

HERE = pathlib.Path(__file__).resolve().parent
REPO = HERE.parent.parent
sys.path.insert(0, str(REPO / "tests" / "bench"))
import report  # noqa: E402

ROOMS = ("manual config api containers error strings urls places http formats sniff catalog os process hash "
         "signature store_policy credentials ranges journal worker partial transport checks dialogue stores "
         "sources lease hub policy connection download tier objects plan call sets upkeep doctor notebook "
         "public undef").split()
SYSTEM_ROOMS = ("os", "process")  # a contract, declared ahead, and two definitions of all in it
COLUMNS = 100
COST_BAR, DECLARATIONS_BAR = 2.4, 1.0  # of its own includes; 2.0 before there were sets of files, 2.2 before stores
CODE_BAR = 16  # bytes
DENSITY_BAR, LINES_BAR, COMPLEXITY_BAR = 9.5, 60, 15  # as lizard counts; leveldb has 6.8, cpp-httplib 8.1 on a line
MACROS_LEFT = re.compile(
    r"VQCACHE_(HPP_?|VERSION_(MAJOR|MINOR|PATCH)|USE_LIBCURL|INTERPRETED|HEADER_ONLY|HAS_BODIES)$")

GCC_WARNINGS = ("-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wold-style-cast "
                "-Wuseless-cast -Wundef -Wnull-dereference -Wdouble-promotion -Wformat=2 "
                "-Wcast-qual").split()
SPLIT_WARNINGS = "-Wall -Wextra -Wpedantic -Wmissing-declarations -Werror".split()
CLANG_WARNINGS = ("-Weverything -Wno-c++98-compat -Wno-c++98-compat-pedantic -Wno-padded "
                  "-Wno-weak-vtables").split()
HOSTILE = {  # what windows.h, X.h, AssertMacros.h, sys/sysmacros.h and old C headers leave behind
    "function": "min max check verify major minor".split(),
    "object": ("ERROR DELETE IN OUT near far interface small TRUE FALSE Success None Bool "
               "Status").split(),
}


class Failed(Exception):
    pass


class Skipped(Exception):
    pass


class Gate:
    """One run: the tree under test, the compiler, a scratch directory."""

    def __init__(self, root, scratch, cxx=None):
        self.root = pathlib.Path(root)
        self.scratch = pathlib.Path(scratch)
        self.cxx = cxx or os.environ.get("CXX") or first_of("g++", "c++", "clang++")
        if not self.cxx:
            raise Skipped("no C++ compiler here")
        self.header = self.root / "vqcache.hpp"
        self.text = self.header.read_text(encoding="utf-8")
        self.extra_link = []  # used by the selftest only

    def file(self, name, text):
        path = self.scratch / name
        path.write_text(text, encoding="utf-8")
        return path

    def run(self, command, fail=None, **kw):
        """Runs a command; with fail set, a non-zero exit is a failure that says so."""
        command = [str(c) for c in command]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, errors="replace",
                              cwd=kw.pop("cwd", self.scratch), timeout=kw.pop("timeout", 600), **kw)
        if fail and done.returncode != 0:
            raise Failed("%s\n  %s\n%s" % (fail, " ".join(command),
                                           tail(done.stdout + done.stderr)))
        return done

    def compile(self, sources, out, flags=(), cxx=None, std="-std=c++17", fail=None, link=()):
        command = [cxx or self.cxx, std, "-I", self.root, *flags, *sources, "-o", out, *link]
        return self.run(command, fail)

    def own_includes(self, cxx=None, flags=()):
        """The standard and system headers that vqcache.hpp itself asks for on this platform.

        The preprocessor says so (-dI keeps include directives, line markers say whose they are),
        so branches of other platforms and switches do not count.
        """
        tu = self.file("own.cpp", '#include "vqcache.hpp"\n')
        done = self.run([cxx or self.cxx, "-std=c++17", "-I", self.root, *flags, "-E", "-dI", tu],
                        "the header does not pass the preprocessor")
        inside, found = False, []
        for line in done.stdout.splitlines():
            marker = re.match(r'# \d+ "([^"]*)"', line)
            if marker:
                inside = os.path.basename(marker.group(1)) == "vqcache.hpp"
            elif inside:
                asked = re.match(r'#\s*include\s*(<[^>]+>)', line)
                if asked:
                    found.append(asked.group(1))
        if not found:
            raise Failed("no #include of the header was found: the parser of -dI is blind")
        return found

    def includes_text(self, **kw):
        return "".join("#include %s\n" % name for name in self.own_includes(**kw))


def tail(text, lines=25):
    rows = text.strip().splitlines()
    more = ["  ... %d more lines" % (len(rows) - lines)] if len(rows) > lines else []
    return "\n".join("  | " + row[:300] for row in rows[:lines]) + "\n".join(more)


def first_of(*names):
    for name in names:
        if shutil.which(name):
            return name
    return None


def version_of(cxx):
    done = subprocess.run([cxx, "-dumpversion"], stdout=subprocess.PIPE, text=True)
    return int(re.match(r"\d+", done.stdout).group())


def is_clang(cxx):
    done = subprocess.run([cxx, "--version"], stdout=subprocess.PIPE, text=True)
    return "clang" in done.stdout


def compilers(kind):
    """One compiler of each version of the kind ("g++" or "clang++"), newest first."""
    names = [kind] + ["%s-%d" % (kind, v) for v in range(30, 9, -1)]
    if kind == "clang++" and os.environ.get("CXX") and is_clang(os.environ["CXX"]):
        names.insert(0, os.environ["CXX"])
    found = {}
    for name in names:
        if shutil.which(name) and is_clang(name) == (kind == "clang++"):
            found.setdefault(version_of(name), name)
    wanted = os.environ.get("VQCACHE_COMPILERS", "").split()  # CI: these, or it is a failure
    for name in wanted:
        if name.startswith(kind) and not shutil.which(name):
            raise Failed("%s is wanted by VQCACHE_COMPILERS and not here" % name)
    if wanted:
        return [name for name in wanted if name.startswith(kind)]
    return [found[v] for v in sorted(found, reverse=True)]


# ---- reading C++ ----------------------------------------------------------------------------------

TOKEN = re.compile(r'''
    (?P<comment>//(?:[^\n\\]|\\.|\\\n)*|/\*.*?\*/)
  | (?P<raw>R"(?P<mark>[^ ()\\\t\n]{0,16})\(.*?\)(?P=mark)")
  | (?P<string>"(?:[^"\\\n]|\\.)*")
  | (?P<number>(?<![\w.])\.?\d(?:'?[\w.]|[eEpP][+-])*)
  | (?P<char>'(?:[^'\\\n]|\\.)+')
''', re.X | re.S)


def strip(text, strings=True):
    """The code alone: comments, and with strings=True literals too, become blanks; lines stay."""
    def blank(match):
        if match.lastgroup == "number" or match.group("number"):
            return match.group()
        if not strings and not match.group("comment"):
            return match.group()
        kept = re.sub(r"[^\n]", " ", match.group())
        if match.group("comment"):
            return kept
        return '"' + kept[1:-1] + '"' if len(kept) >= 2 else kept
    return TOKEN.sub(blank, text)


def rooms_of(text):
    """[(name, first line, line after the last)], 1-based; what stands before the first is manual."""
    lines = text.split("\n")
    if lines and lines[-1] == "":
        lines.pop()
    starts = []
    for number, line in enumerate(lines, 1):
        marker = re.match(r"// ==== >>(\w+)\b", line)
        if marker:
            starts.append((marker.group(1), number))
    out = []
    for i, (name, number) in enumerate(starts):
        end = starts[i + 1][1] if i + 1 < len(starts) else len(lines) + 1
        out.append((name, 1 if i == 0 else number, end))
    return out


def namespace_statements(code, first_line=1, scope=()):
    """(line, statement, ends with ';', in a namespace) outside of bodies; scope: what is open."""
    code = re.sub(r"(?m)^[ \t]*#(?:[^\n\\]|\\.|\\\n)*",
                  lambda m: re.sub(r"[^\n]", " ", m.group()), code)
    stack, start, depth = list(scope), 0, 0
    out = []

    def line_at(offset):
        return first_line + code.count("\n", 0, offset)

    def outer():
        return all(kind == "namespace" for kind in stack)

    for i, c in enumerate(code):
        if c == "(":
            depth += 1
        elif c == ")":
            depth -= 1
        elif depth > 0:
            continue
        elif c == "{":
            head = code[start:i].strip()
            if outer():
                if re.search(r"\bnamespace\b[\w\s:]*$", head):
                    stack.append("namespace")
                    start = i + 1
                    continue
                if re.search(r'\bextern\s*"[^"]*"\s*$', head):
                    stack.append("extern")
                    start = i + 1
                    continue
                # the head of a definition: the statement starts at its first word
                out.append((line_at(i - len(code[start:i].lstrip())), head, False, bool(stack)))
            stack.append("body")
        elif c == "}":
            if stack:
                stack.pop()
            if outer():
                start = i + 1
        elif c == ";" and outer():
            statement = code[start:i].strip()
            if statement:
                out.append((line_at(i - len(code[start:i].lstrip())), statement, True, bool(stack)))
            start = i + 1
    return out


# ---- the checks -----------------------------------------------------------------------------------

TOP_LEVEL = {"vqcache.hpp", "tests", "examples", "CMakeLists.txt", "meson.build", "README.md", "LICENSE"}


def check_top_level(gate):
    """The top level is what the project promises, and no test has left anything there."""
    names = {path.name for path in gate.root.iterdir() if path != gate.scratch}
    if (gate.root / ".git").exists() and shutil.which("git"):  # what it ignores is nobody's concern
        done = gate.run(["git", "-C", str(gate.root), "ls-files", "--cached", "--others",
                         "--exclude-standard"])
        if done.returncode == 0:
            names = {line.split("/")[0].strip('"') for line in done.stdout.splitlines()}
    strange = sorted(name for name in names if name not in TOP_LEVEL and not name.startswith("."))
    if strange:
        raise Failed("at the top level there may not be: " + ", ".join(strange))
    print("%d names at the top level" % len(names))


def check_layout(gate):
    """The room table of the design holds for the file."""
    text = gate.text
    bad = []
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    rooms = rooms_of(text)
    names = [name for name, _, _ in rooms]
    if names != ROOMS:
        bad.append("rooms are [%s], the design says [%s]" % (" ".join(names), " ".join(ROOMS)))

    def room_at(number):
        for name, first, end in rooms:
            if first <= number < end:
                return name
        return "?"

    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS:
            bad.append("line %d has %d columns" % (number, len(line)))
        if "\t" in line:
            bad.append("line %d has a tab" % number)
        if line != line.rstrip():
            bad.append("line %d ends in white space" % number)
        word = re.search(r"immintrin|thread_local|#pragma once|\bTODO\b|\bFIXME\b|\bXXX\b", line)
        if word:
            bad.append("line %d says %s" % (number, word.group()))

    code, with_strings = strip(text), strip(text, strings=False)
    throws = 0
    platform = re.compile(r"\b(_WIN32|_WIN64|_MSC_VER|__MINGW\w+|__CYGWIN__|__APPLE__|TARGET_OS_\w+|"
                          r"__linux__|__linux|__unix__|__ANDROID__|__\w+BSD__|__GLIBC\w*|__sun)\b")
    for number, line in enumerate(code.split("\n"), 1):
        room = room_at(number)
        found = platform.search(line)
        if found and room not in SYSTEM_ROOMS + ("config",):
            bad.append("line %d: %s in >>%s, it belongs in >>os" % (number, found.group(), room))
        if re.search(r"\bthrow\b", line):
            throws += 1
            if room != "error":
                bad.append("line %d: throw in >>%s, it belongs in >>error" % (number, room))
        if re.search(r"\b(asm|__asm__|__asm)\b|__builtin_cpu_supports", line):
            bad.append("line %d: inline assembly or cpu probing" % number)
        banned = re.match(r"\s*#\s*include\s*<(regex|future|fstream|sstream|windows\.h|winsock2?\.h"
                          r"|ws2tcpip\.h)>", line, re.I)
        if banned:
            bad.append("line %d includes <%s>" % (number, banned.group(1)))
    if throws > 1:
        bad.append("%d throws; one raise function is the only one" % throws)
    for number, line in enumerate(with_strings.split("\n"), 1):
        room = room_at(number)
        word = re.search(r"yaml|ckpt|vqgan", line, re.I)
        if word and room not in ("manual", "api", "catalog", "sets", "public", "undef"):
            bad.append("line %d: the word %s as code in >>%s" % (number, word.group(), room))

    # the guard stands before all code; only a check of the guard's own value may stand before it
    head = re.split(r"(?m)^(?!\s*#)(?=.*\S)", code, maxsplit=1)[0]
    guard = re.search(r"(?m)^\s*#\s*ifndef\s+(VQCACHE_HPP_?)\s*\n\s*#\s*define\s+(\w+)", head)
    if (not guard or guard.group(1) != guard.group(2)
            or re.search(r"#\s*(include|define|pragma)", head[:guard.start()])):
        bad.append("the first directives are not #ifndef VQCACHE_HPP and its #define")

    # the border: one line between the public names and the first room below them
    starts = {name: first for name, first, _ in rooms}
    borders = [n for n, line in enumerate(lines, 1)
               if re.match(r"// .*={4,}", line) and re.search(r"\bborder\b", line, re.I)]
    below = starts.get("containers", 1)
    if len(borders) != 1 or not starts.get("api", 0) < borders[0] < below:
        bad.append("no single border line (// ==== ... border ... ====) between >>api and >>error, "
                   "found at %s" % borders)
    contract, definitions = [], {}
    for number, statement, declared, ours in namespace_statements(code):
        if number < below:
            continue
        room = room_at(number)
        flat = " ".join(statement.split())
        flat = re.sub(r"^(template\s*<[^{;]*?>\s*|\[\[[^\]]*\]\]\s*)+(?=\w)", "", flat)
        if re.match(r"static\b(?!_assert)", flat):
            bad.append("line %d: static at namespace scope: %s" % (number, flat[:60]))
        a_class = re.match(r"(?:class|struct|union|enum)\b[\w\s:<>,]*$", flat)
        before = flat.split("(")[0]
        a_function = ("(" in flat and "=" not in before and not re.search(r"\}\s*\w*$", before)
                      and not re.match(r"(using|typedef|static_assert|extern|namespace)\b", flat))
        of_the_contract = room in SYSTEM_ROOMS and ours
        if of_the_contract and (a_class or a_function):
            named = re.search(r"(\w+)\s*$", re.split(r"[(:]", re.sub("::", " ", flat))[0]).group(1)
            if declared:
                contract.append((number, room, named))
            else:
                definitions[room, named] = definitions.get((room, named), 0) + 1
            continue
        # outside of all namespaces such a room may declare what belongs to the operating system
        if declared and (a_class or a_function) and (ours or room not in SYSTEM_ROOMS):
            bad.append("line %d: declared ahead below the border: %s" % (number, flat[:60]))
    for number, room, named in contract:
        found = definitions.get((room, named), 0)
        if found < 2:
            bad.append("line %d: %s is in the contract of >>%s and defined %s, not for each system" % (
                number, named, room, "once" if found else "nowhere"))
    if len(contract) < 40:
        bad.append("only %d names in the contracts of the systems: the search is blind" % len(contract))
    for name, first, end in rooms:
        if name in ROOMS[3:ROOMS.index("public")]:
            body = "\n".join(code.split("\n")[first - 1:end - 1])
            if re.sub(r"(?m)^\s*#.*|[{}\s]|\bnamespace\b[\w:]*", "", body) and not re.search(
                    r"\bnamespace\s+(?:\w+::)*%s\b" % name, body):
                bad.append(">>%s does not live in detail::%s" % (name, name))

    # the manual's own table: what follows "Rooms" names every room, tagged ones in file order
    manual = next(((f, e) for n, f, e in rooms if n == "manual"), (1, 1))
    table = re.search(r"(?ms)^//\s*(?:\S+\s+)?Rooms\b.*", "\n".join(
        lines[manual[0] - 1:manual[1] - 1]))
    tagged = re.findall(r"(?m)^//\s+(?:\|\s*)?`?>>(\w+)\b", table.group()) if table else []
    if not table:
        bad.append("the manual has no table of rooms")
    elif tagged and tagged not in (ROOMS, ROOMS[1:]):
        bad.append("the manual's table of rooms is [%s]" % " ".join(tagged))
    else:
        missing = [r for r in ROOMS[1:] if not re.search(r"(?m)(^//|\s|>>)%s\b" % r, table.group())]
        if missing:
            bad.append("the manual's table lacks the room(s) " + " ".join(missing))

    print("%d lines, longest %d columns; lines per room: %s" % (
        len(lines), max(map(len, lines)),
        ", ".join("%s %d" % (name, end - first) for name, first, end in rooms)))
    if bad:
        raise Failed("\n  ".join(["%d rule(s) broken" % len(bad)] + bad[:40]))


def check_format(gate):
    """All C and C++ stands as .clang-format lays it out, by the version that is the project's."""
    tool = first_of("clang-format-19") or (shutil.which("clang-format") and "clang-format")
    if not tool or "version 19." not in gate.run([tool, "--version"]).stdout:
        raise Skipped("no clang-format 19 here")
    files = [path for kind in ("*.hpp", "*.cpp", "*.c") for path in sorted(gate.root.rglob(kind))]
    done = gate.run([tool, "--dry-run", "-Werror", "--style=file:%s" % (REPO / ".clang-format"), *files])
    print("%s: %d files" % (tool, len(files)))
    if done.returncode != 0:
        raise Failed("run %s -i on it\n%s" % (tool, tail(done.stderr)))


def check_clang_tidy(gate):
    """What .clang-tidy lists finds nothing in the header."""
    tool = first_of("clang-tidy-19") or (shutil.which("clang-tidy") and "clang-tidy")
    if not tool or "version 19." not in gate.run([tool, "--version"]).stdout:
        raise Skipped("no clang-tidy 19 here")
    tu = gate.file("tidy.cpp", '#include "vqcache.hpp"\n')
    config = "--config-file=%s" % (REPO / ".clang-tidy")
    done = gate.run([tool, config, tu, "--", "-std=c++17", "-I%s" % gate.root])
    print("%s: %d checks" % (tool, len(gate.run([tool, config, "--list-checks"]).stdout.split()) - 2))
    if done.returncode != 0 or "error:" in done.stdout:
        raise Failed("%s complains\n%s" % (tool, tail(done.stdout)))


# Functions that may be larger than the bars, each with its reason. At most 8.
LARGE_FUNCTIONS = {}


def check_functions(gate):
    """What a reader has to hold in mind: lines and branches of a function, and how dense a line is."""
    try:
        import lizard
    except ImportError:
        raise Skipped("no lizard here (pip install lizard)") from None
    functions = lizard.analyze_file(str(gate.header)).function_list
    lines = sum(f.nloc for f in functions)
    density = sum(f.token_count for f in functions) / max(lines, 1)
    print("%d functions, %.2f tokens on a line (bar %.1f); at most %d lines (bar %d), complexity %d (bar %d)" % (
        len(functions), density, DENSITY_BAR, max(f.length for f in functions), LINES_BAR,
        max(f.cyclomatic_complexity for f in functions), COMPLEXITY_BAR))
    if len(functions) < 500:
        raise Failed("only %d functions were understood" % len(functions))
    if len(LARGE_FUNCTIONS) > 8:
        raise Failed("%d exceptions, 8 are allowed" % len(LARGE_FUNCTIONS))
    for f in functions:
        is_large = f.length > LINES_BAR or f.cyclomatic_complexity > COMPLEXITY_BAR
        if is_large and f.name not in LARGE_FUNCTIONS:
            raise Failed("%s has %d lines and a complexity of %d" % (f.name, f.length, f.cyclomatic_complexity))
    if density > DENSITY_BAR:
        raise Failed("a line holds %.2f tokens, the bar is %.1f" % (density, DENSITY_BAR))


def instructions(gate, cxx, file, flags=()):
    """What parsing the file executes, in the compiler proper: the same number on any machine."""
    traced = gate.run([cxx, "-std=c++17", "-fsyntax-only", "-I", gate.root, *flags, file, "-###"],
                      "the compiler does not say what it runs").stderr
    command = [shlex.split(line) for line in traced.splitlines() if re.match(r' *"?/.*(cc1plus|-cc1)',
                                                                             line)]
    if len(command) != 1:
        raise Failed("the compiler proper was not found in\n" + tail(traced))
    done = gate.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *command[0]],
                    "does not compile", timeout=1200)
    counted = re.search(r"Collected *: *(\d+)", done.stderr)
    if not counted:
        raise Failed("no count of instructions in\n" + tail(done.stderr))
    return int(counted.group(1))


def check_include_cost(gate):
    """Including costs a known multiple of the headers that it includes itself; declarations, those alone."""
    if not shutil.which("valgrind"):
        raise Skipped("no valgrind here, which counts instructions")
    if sys.platform == "linux" and not os.path.exists("/proc/self/maps"):
        raise Skipped("no /proc here, without which valgrind does not start")
    own = gate.file("cost_own.cpp", gate.includes_text())
    tu = gate.file("cost_vqcache.cpp", '#include "vqcache.hpp"\n')
    base = instructions(gate, gate.cxx, own)
    for what, bar, flags in (("all of it", COST_BAR, ()),
                             ("with VQCACHE_HEADER_ONLY 0", DECLARATIONS_BAR,
                              ("-DVQCACHE_HEADER_ONLY=0",))):
        ours = instructions(gate, gate.cxx, tu, flags)
        print("%s -fsyntax-only, instructions: own includes %d million, vqcache.hpp, %s, %d million, "
              "ratio %.3f (bar %.2f)" % (gate.cxx, base // 10**6, what, ours // 10**6, ours / base, bar))
        if ours > bar * base:
            raise Failed("including %s costs %.3f of its own includes, the bar is %.2f" % (
                what, ours / base, bar))


def check_declarations_only(gate):
    """Units that see declarations, the one with the bodies and units with everything are one program."""
    public = """#include "vqcache.hpp"
#include <cstdio>
static_assert(!VQCACHE_HEADER_ONLY, "");
int from_declarations(const vqcache::options&);
int from_declarations(const vqcache::options& o) {
  const vqcache::result r = vqcache::try_download_vqgan_model("../x", o);
  std::printf("%s\\n", r.error.what());
  vqcache::progress_line line;
  const bool named = r.error.code() == vqcache::errc::invalid_argument;
  return named && line(vqcache::progress{}) && vqcache::known_models().size() > 3 ? 0 : 1;
}
"""
    bodies = '#define VQCACHE_HEADER_ONLY 0\n#define VQCACHE_IMPLEMENTATION\n#include "vqcache.hpp"\n'
    # a value crosses from one unit to another: their types are the same only if their tags are
    caller = """int from_declarations(const vqcache::options&);
int main() {
  vqcache::options o;
  o.on_message = {};
  o.offline = true;
  return vqcache::known_models().size() > 3 ? from_declarations(o) : 1;
}
"""
    everything = '#include "vqcache.hpp"\n' + caller
    only = '#define VQCACHE_HEADER_ONLY 0\n' + everything
    late = gate.file("late.cpp", '#include "vqcache.hpp"\n#define VQCACHE_IMPLEMENTATION\n'
                                 '#include "vqcache.hpp"\n')
    done = gate.compile([late], os.devnull, ["-c", "-DVQCACHE_HEADER_ONLY=0"])
    if done.returncode == 0 or "VQCACHE_IMPLEMENTATION before the first" not in done.stderr:
        raise Failed("VQCACHE_IMPLEMENTATION that comes too late is not told")
    print("VQCACHE_IMPLEMENTATION that comes too late is an #error that says so")
    gate.file("public.cpp", public)
    gate.file("bodies.cpp", bodies)
    gate.file("everything.cpp", everything)
    gate.file("only.cpp", only)
    for cxx in compilers("g++")[:1] + compilers("clang++")[:1]:
        for flags in (["-O0"], ["-O2", "-fvisibility=hidden", "-fno-exceptions", "-fno-rtti"]):
            for name, more in (("public", ["-DVQCACHE_HEADER_ONLY=0"]), ("bodies", []),
                               ("everything", []), ("only", [])):
                gate.compile([gate.scratch / (name + ".cpp")], name + ".o",
                             ["-c", *flags, *more, *SPLIT_WARNINGS], cxx=cxx,
                             fail="the unit %s does not compile" % name)
            undefined = gate.run(["nm", "-C", "public.o"], "nm failed").stdout
            if " U vqcache::" not in undefined:
                raise Failed("a unit of declarations calls nothing of another unit")
            for units in (["only", "public", "bodies"], ["everything", "public", "bodies"],
                          ["everything", "bodies", "public"], ["bodies", "public", "everything"]):
                gate.run([cxx, *(u + ".o" for u in units), "-o", "split"],
                         "%s: %s do not link" % (cxx, ", ".join(units)))
                run_program(gate, "split", "the program of " + ", ".join(units))
            done = gate.run([cxx, "only.o", "public.o", "-o", "split"])
            if done.returncode == 0:
                raise Failed("without the unit of the bodies it links: nothing was split")
        print("%s: units with declarations, bodies and everything link in any order" % cxx)


def check_code_size(gate):
    """A translation unit that only includes the header gets at most 16 bytes and no initialiser."""
    tu = gate.file("size.cpp", '#include "vqcache.hpp"\n')
    for cxx in [gate.cxx] + [c for c in [first_of("clang++", "clang++-19", "clang++-14")] if c]:
        gate.compile([tu], "size.o", ["-O0", "-c"], cxx=cxx, fail="does not compile")
        sections = gate.run(["size", "-A", "size.o"], "size failed").stdout
        total = {}
        for line in sections.splitlines():
            row = re.match(r"(\.\S+)\s+(\d+)\s", line)
            kind = row and re.match(r"\.(text|data|bss|rodata|init_array|ctors|tdata|tbss)", row.group(1))
            if kind:
                total[kind.group()] = total.get(kind.group(), 0) + int(row.group(2))
        symbols = gate.run(["nm", "-C", "size.o"], "nm failed").stdout
        size = sum(total.values())
        print("%s -O0: %d bytes (%s)" % (cxx, size, ", ".join(
            "%s %d" % kv for kv in sorted(total.items()) if kv[1]) or "nothing"))
        found = re.search(r".*(_GLOBAL__|__cxx_global_var_init|vtable for|typeinfo for|guard variable).*",
                          symbols)
        if found:
            raise Failed("%s puts into every translation unit:%s" % (cxx, found.group()))
        if size > CODE_BAR:
            raise Failed("%s puts %d bytes into every translation unit, the bar is %d\n%s" % (
                cxx, size, CODE_BAR, tail(symbols)))


def check_warnings(gate, kind):
    found = compilers(kind)
    if not found:
        raise Skipped("no %s here" % kind)
    tu = HERE / "every_function.cpp"
    for cxx in found:
        if kind == "g++":
            # -fkeep-inline-functions: every function of the header reaches the optimiser, where
            # half of the warnings come from; without exceptions the file is another one.
            flags = [GCC_WARNINGS + ["-O0", "-fno-exceptions", "-fno-rtti"],
                     GCC_WARNINGS + ["-O2", "-fkeep-inline-functions"]]
        else:
            quiet = (["-Wno-unsafe-buffer-usage", "-Wno-switch-default"] if version_of(cxx) >= 16
                     else [])
            # an older clang knows only the first of the two
            flags = [CLANG_WARNINGS + quiet + ["-Wno-unknown-warning-option", "-O1"]]
            flags.append(flags[0] + ["-fno-exceptions", "-fno-rtti"])
        for more in flags:
            done = gate.compile([tu], "warn.o", ["-c", *more], cxx=cxx)
            said = re.findall(r"(?m)^.*(?:warning|error): .*$", done.stdout + done.stderr)
            print("%s %s: %d warnings" % (cxx, " ".join(f for f in more if not f.startswith("-W")),
                                          len(said)))
            if said or done.returncode:
                raise Failed("%s warns\n%s" % (cxx, tail("\n".join(said) or done.stderr)))


def check_warnings_gcc(gate):
    """No warning under g++'s long list, every function compiled, the header as a plain -I."""
    check_warnings(gate, "g++")


def check_warnings_clang(gate):
    """No warning under clang -Weverything, but for the named exceptions."""
    check_warnings(gate, "clang++")


def check_macros(gate):
    """What stays defined after the include: guard, version, documented switches."""
    def defined(name, text, flags=()):
        done = gate.run([gate.cxx, "-std=c++17", "-I", gate.root, *flags, "-dM", "-E",
                         gate.file(name, text)], "does not pass the preprocessor")
        return {line.split(None, 1)[1] for line in done.stdout.splitlines()}
    for flags in [(), ("-fno-exceptions", "-fno-rtti"), ("-std=c++20",)]:
        base = defined("macros_own.cpp", gate.includes_text(flags=flags), flags)
        ours = defined("macros.cpp", '#include "vqcache.hpp"\n', flags)
        left = sorted(ours - base)
        names = [re.match(r"\w+", macro).group() for macro in left]
        print("left behind%s: %s" % (" with " + " ".join(flags) if flags else "", ", ".join(names)))
        leaks = [macro for macro, name in zip(left, names) if not MACROS_LEFT.match(name)]
        if leaks:
            raise Failed("macros left behind: " + "; ".join(leaks))
        gone = sorted(base - ours)
        if gone:
            raise Failed("macros of others that the header removed or changed: " + "; ".join(gone))
        for need in ("VQCACHE_VERSION_MAJOR", "VQCACHE_VERSION_MINOR", "VQCACHE_VERSION_PATCH"):
            if need not in names:
                raise Failed(need + " is not there after the include")


def check_hostile_macros(gate):
    """The header compiles when other headers own min, max, small, Status and the like."""
    nonsense = "".join("#define %s(...) @ hostile macro used @\n" % n for n in HOSTILE["function"])
    nonsense += "".join("#define %s @ hostile macro used @\n" % n for n in HOSTILE["object"])
    use = '#include "vqcache.hpp"\nint main() { return vqcache::known_models().size() > 9999; }\n'
    own = gate.includes_text()
    for label, text in (("after the system's headers", own + nonsense + use),
                        ("before everything", nonsense + use)):
        if label.startswith("before"):
            # some libraries' own headers do not survive this; then it proves nothing about ours
            alone = gate.file("hostile_own.cpp", nonsense + own)
            done = gate.run([gate.cxx, "-std=c++17", "-fsyntax-only", alone])
            if done.returncode != 0:
                print("macros before everything: the system's own headers do not compile, not asked")
                continue
        tu = gate.file("hostile.cpp", text)
        gate.compile([tu], os.devnull, ["-c"], fail="does not compile with hostile macros defined "
                     + label)
        print("%d macros of nonsense defined %s: compiles" % (
            sum(map(len, HOSTILE.values())), label))
    tu = gate.file("using_std.cpp", "#include <iostream>\nusing namespace std;\n" + use)
    for cxx in compilers("g++") + compilers("clang++"):
        gate.compile([tu], os.devnull, ["-c"], cxx=cxx, fail="does not compile after using namespace std")
    print("after `using namespace std`: compiles")


MAIN = """#include <cstdio>
int use_every_function_NAME(const char* directory);
int main(int, char** argv) { return use_every_function_NAME(argv[1]); }
"""


def every_function_objects(gate, names, flags=(), cxx=None, std="-std=c++17", root=None):
    out = []
    for name in names:
        done = [cxx or gate.cxx, std, "-I", root or gate.root, "-c", *flags,
                "-Duse_every_function=use_every_function_" + name, HERE / "every_function.cpp",
                "-o", name + ".o"]
        gate.run(done, "a program that uses every public function does not compile")
        out.append(name + ".o")
    return out


def run_program(gate, program, what):
    place = tempfile.mkdtemp(dir=gate.scratch)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("VQCACHE_")}
    done = gate.run(["./" + program, place], None, env=environment)
    if done.returncode != 0:
        raise Failed("%s: exit %d\n%s" % (what, done.returncode, tail(done.stdout + done.stderr)))
    return done.stdout


def check_two_tus(gate):
    """Two translation units that include and use everything make one program."""
    # the same header found by two paths, twice in one unit
    copy = gate.scratch / "copy"
    copy.mkdir(exist_ok=True)
    (copy / "vqcache.hpp").write_text(gate.text)
    tu = gate.file("twice.cpp", '#include "vqcache.hpp"\n#include "vqcache.hpp"\n'
                                '#include "copy/vqcache.hpp"\n')
    gate.compile([tu], os.devnull, ["-c"], fail="does not compile when included twice")
    objects = every_function_objects(gate, ["a", "b"])
    main = gate.file("two_main.cpp", MAIN.replace("NAME", "a").replace(
        "int main", "int use_every_function_b(const char*);\nint main").replace(
        "return use_every_function_a(argv[1]);",
        "int r = use_every_function_a(argv[1]); return r ? r : use_every_function_b(argv[1]);"))
    gate.run([gate.cxx, "-std=c++17", main, *objects, "-o", "two"], "two units do not link")
    run_program(gate, "two", "two units")
    print("two units that use every function link and run; a second include and a copy are harmless")


def public_symbols(gate, thing):
    """The mangled names of the library's functions that an object file or program defines."""
    return {line.split()[-1] for line in gate.run(["nm", thing], "nm failed").stdout.splitlines()
            if re.search(r" [TWVu] ", line) and "7vqcache" in line}


def version_in(text):
    parts = versions.parts_of(text)
    if not parts:
        raise Failed("no #define VQCACHE_VERSION_MAJOR, _MINOR and _PATCH with plain numbers")
    return parts


def next_version(text):
    """The header as its next minor version would be: every place that says the version says so."""
    major, minor, patch = version_in(text)
    text = re.sub(r"(#\s*define\s+VQCACHE_VERSION_MINOR\s+)\d+", r"\g<1>%d" % (minor + 1), text)
    text = re.sub(r"\bv%d_%d_%d(?=\b|_)" % (major, minor, patch),
                  "v%d_%d_%d" % (major, minor + 1, patch), text)
    number = 10000 * major + 100 * minor + patch
    return re.sub(r"(?m)^(\s*#.*\bVQCACHE_HPP_?\b.*?)\b%d\b" % number,
                  lambda m: m.group(1) + str(number + 100), text)


def check_two_versions(gate):
    """Two versions of the header, each in its own unit, share no symbol and run in one program."""
    text = next_version(gate.text)
    major, minor, patch = version_in(gate.text)
    stated = re.search(r"(?i)\bversion (\d+\.\d+\.\d+)", "\n".join(gate.text.split("\n")[:25]))
    if not stated or stated.group(1) != "%d.%d.%d" % (major, minor, patch):
        raise Failed("the manual says version %s, the macros %d.%d.%d" % (
            stated and stated.group(1), major, minor, patch))
    other = gate.scratch / "other"
    other.mkdir(exist_ok=True)
    (other / "vqcache.hpp").write_text(text)
    a = every_function_objects(gate, ["a"])
    b = every_function_objects(gate, ["b"], root=other)
    ours, theirs = public_symbols(gate, "a.o"), public_symbols(gate, "b.o")
    named = [n for n in ours if re.search(r"N7vqcache", n)]
    shared = sorted(n for n in ours & theirs if "use_every_function" not in n)
    print("%d and %d symbols, %d shared" % (len(ours), len(theirs), len(shared)))
    if not named:
        raise Failed("no symbol of the library in the object: nothing was compared")
    if shared:
        raise Failed("two versions share symbols, the linker would mix them\n"
                     + tail("\n".join(shared)))
    main = gate.file("versions_main.cpp", MAIN.replace("NAME", "a").replace(
        "int main", "int use_every_function_b(const char*);\nint main").replace(
        "return use_every_function_a(argv[1]);",
        "int r = use_every_function_a(argv[1]); return r ? r : use_every_function_b(argv[1]);"))
    gate.run([gate.cxx, "-std=c++17", main, *a, *b, "-o", "versions"], "two versions do not link")
    run_program(gate, "versions", "two versions")
    both = gate.file("both.cpp", '#include "vqcache.hpp"\n#include "other/vqcache.hpp"\n')
    done = gate.compile([both], os.devnull, ["-c"])
    if done.returncode == 0 or "#error" not in done.stderr:
        raise Failed("two versions in one unit are not an #error: one is silently taken for both")
    print("they run in one program; in one unit they are an #error")


def check_switch_mismatch(gate):
    """Units compiled with different switches cannot be mixed by accident: they do not link."""
    user = gate.file("mix_user.cpp", '#include "vqcache.hpp"\nvoid f(const vqcache::options&);\n'
                                     "int main() { f(vqcache::options()); }\n")
    maker = gate.file("mix_maker.cpp", '#include "vqcache.hpp"\nvoid f(const vqcache::options&);\n'
                                       "void f(const vqcache::options&) {}\n")
    cases = [("exceptions", [], ["-fno-exceptions"])]
    have_curl = gate.run([gate.cxx, "-E", gate.file("curl.cpp", "#include <curl/curl.h>\n")])
    if have_curl.returncode == 0:
        cases.append(("VQCACHE_USE_LIBCURL", [], ["-DVQCACHE_USE_LIBCURL=1"]))
    else:
        print("VQCACHE_USE_LIBCURL: no <curl/curl.h> here, not asked")
    for name, one, two in cases:
        link = ["-lcurl"] if "LIBCURL" in name else []
        for maker_flags, expect in ((one, True), (two, False)):
            gate.compile([user], "mix_user.o", ["-c", *one], fail="does not compile")
            gate.compile([maker], "mix_maker.o", ["-c", *maker_flags], fail="does not compile")
            done = gate.run([gate.cxx, "mix_user.o", "mix_maker.o", "-o", "mix", *link])
            if (done.returncode == 0) != expect:
                raise Failed("%s: units with %s switches %s" % (
                    name, "the same" if expect else "different",
                    "do not link\n" + tail(done.stderr) if expect else "link, silently mixed"))
            if not expect and "undefined reference" not in done.stderr:
                raise Failed("%s: another failure than the one meant\n%s" % (name, tail(done.stderr)))
        print("%s: the same links, a mismatch is an undefined reference" % name)


def check_no_exceptions(gate):
    """-fno-exceptions -fno-rtti: the try_ forms do a download, a restore and a hit."""
    flags = ["-fno-exceptions", "-fno-rtti", "-Wall", "-Wextra", "-Werror"]
    gate.compile([HERE / "no_exceptions.cpp"], "no_exceptions", flags,
                 fail="no_exceptions.cpp does not compile with -fno-exceptions -fno-rtti")
    print(run_program(gate, "no_exceptions", "no_exceptions.cpp").strip())
    for call in ('vqcache::download_vqgan_model("x")', 'vqcache::remove("x")'):
        tu = gate.file("gone.cpp", '#include "vqcache.hpp"\nint main() { %s; }\n' % call)
        done = gate.compile([tu], os.devnull, ["-c", "-fno-exceptions"])
        if done.returncode == 0:
            raise Failed("%s still compiles without exceptions: it could only abort" % call)
    print("the throwing forms do not exist there")


def check_nodiscard(gate):
    """What a try_ form gives back is not to be lost; a cell is re-run as a statement that throws."""
    api = gate.text[gate.text.index("// ==== >>api ===="):gate.text.index("// ==== border ====")]
    declared = re.findall(r"(?m)^((?:\[\[nodiscard\]\] )?)VQCACHE_API_ [^;(]*?(\w+)\(", strip(api))
    for mark, name in declared:
        if bool(mark) != name.startswith("try_"):
            raise Failed("%s %s [[nodiscard]]" % (name, "has" if mark else "lacks"))
    forms = [name for mark, name in declared if mark]
    if not forms:
        raise Failed("no try_ form was found: the parser of declarations is blind")
    strict = ["-c", "-Werror=unused-result", "-DVQCACHE_HEADER_ONLY=0"]
    text = '#include "vqcache.hpp"\nvoid use() { vqcache::%s; }\n'
    for call, is_kept in (('try_remove("m")', True), ('try_download_vqgan_model("m")', True),
                          ('try_list_models()', True), ('remove("m")', False),
                          ('download_vqgan_model("m")', False), ('list_models()', False)):
        done = gate.compile([gate.file("discarded.cpp", text % call)], os.devnull, strict)
        if is_kept != (done.returncode != 0):
            raise Failed("%s as a statement %s" % (call, "compiles" if is_kept else
                                                   "does not compile\n" + tail(done.stderr)))
    print("%d try_ forms warn where their result is lost, no throwing form does" % len(forms))


def check_braces(gate):
    """A set whose files have no braces of their own is told so, by us and not by std::vector."""
    words = "each file needs braces of its own"
    text = ('#include "vqcache.hpp"\nvoid use(const char* url, const std::vector<vqcache::named_source>& all) {'
            '\n  (void)all;\n  (void)vqcache::%s;\n}\n')
    for form in ("try_download_model", "download_model"):
        for files, is_right in (('{"a", url}', False), ('{"a"}', False), ('{"a", "b", "c", url}', False),
                                ('{{"a", url}}', True), ('{{"a", url}, {"b", {url, "c"}}}', True),
                                ("{}", True), ("all", True), ("{all.begin(), all.end()}", True)):
            call = '%s("m", %s)' % (form, files)
            done = gate.compile([gate.file("braces.cpp", text % call)], os.devnull,
                                ["-c", "-DVQCACHE_HEADER_ONLY=0"])
            if is_right != (done.returncode == 0):
                raise Failed("%s %s" % (call, "does not compile\n" + tail(done.stderr) if is_right
                                        else "compiles"))
            if not is_right and (words not in done.stderr or "/bits/" in done.stderr):
                raise Failed("%s is an error elsewhere\n%s" % (call, tail(done.stderr)))
    print('"%s" is what a call without them says' % words)


def check_alone(gate):
    """g++ -std=c++17 -I. file.cpp alone makes a program that needs nothing but the system's own."""
    objects = every_function_objects(gate, ["a"])
    main = gate.file("alone_main.cpp", MAIN.replace("NAME", "a"))
    gate.run([gate.cxx, "-std=c++17", main, *objects, "-o", "alone", *gate.extra_link],
             "does not link alone")
    run_program(gate, "alone", "the program alone")
    if sys.platform == "darwin":
        needs = gate.run(["otool", "-L", "alone"], "otool failed").stdout.split("\n", 1)[1]
        libraries = re.findall(r"^\s+(\S+)", needs, re.M)
    else:
        needs = gate.run(["ldd", "alone"], "ldd failed").stdout
        libraries = re.findall(r"^\s+(\S+)", needs, re.M)
    print("needs: " + " ".join(libraries))
    for library in libraries:
        name = os.path.basename(library)
        if not re.match(r"(linux-vdso|ld-linux|ld-musl|libc[.-]|libc\+\+|libstdc\+\+|libm[.-]|libgcc_s|"
                        r"libpthread|libdl|librt|libSystem)", name):
            raise Failed("the program needs %s" % library)


def check_standards(gate):
    """C++17, 20 and 23 on every compiler that is here: builds and runs."""
    main = gate.file("standards_main.cpp", MAIN.replace("NAME", "a"))
    found = compilers("g++") + compilers("clang++")
    if not found:
        raise Skipped("neither g++ nor clang++ here")
    for cxx in found:
        ran = []
        for standard in ("c++17", "c++20", "c++23"):
            flag = "-std=" + standard
            # c++23 was called c++2b by clang before 17
            if gate.run([cxx, flag, "-E", "-x", "c++", os.devnull]).returncode != 0:
                flag = "-std=" + standard.replace("20", "2a").replace("23", "2b")
                if gate.run([cxx, flag, "-E", "-x", "c++", os.devnull]).returncode != 0:
                    print("%s does not know %s" % (cxx, standard))
                    continue
            objects = every_function_objects(gate, ["a"], ["-Wall", "-Wextra", "-Werror"], cxx, flag)
            gate.run([cxx, flag, main, *objects, "-o", "standards"], "does not link: %s %s" % (cxx, flag))
            run_program(gate, "standards", "%s %s" % (cxx, flag))
            ran.append(standard)
        print("%s: %s build and run" % (cxx, ", ".join(ran)))


VISIBILITIES = {"default visibility": [], "hidden visibility": [
    "-fvisibility=hidden", "-fvisibility-inlines-hidden"]}


def clean_environment():
    return {k: v for k, v in os.environ.items() if not k.startswith("VQCACHE_")}


def shared_object(gate, cxx, flags, objects, out):
    """Links as a build system does for a plugin; what needs a text relocation does not pass."""
    text = [] if sys.platform == "darwin" else ["-Wl,-z,text"]
    gate.run([cxx, "-shared", "-fPIC", *flags, *objects, *text, "-o", out],
             "no shared library links: %s -shared -fPIC %s" % (cxx, " ".join(flags)))


def load_plugin(gate, host, plugin, what, *directory):
    done = gate.run([gate.scratch / host, gate.scratch / plugin, *directory],
                    env=clean_environment())
    if done.returncode != 0:
        raise Failed("a library with %s does not work in its host: exit %d\n%s" % (
            what, done.returncode, tail(done.stdout + done.stderr)))
    return done.stdout.strip().splitlines()[-1]


def use_as_python_extension(gate, plugin):
    """The object file of a plugin that works, as a module that Python imports."""
    include = sysconfig.get_paths()["include"]
    place = str(gate.scratch / "python")
    if not (pathlib.Path(include) / "Python.h").exists():
        program = "import ctypes, sys; library = ctypes.CDLL(sys.argv[1]); " \
                  "raise SystemExit(library.plugin_work(sys.argv[2].encode()))"
        gate.run([sys.executable, "-c", program, plugin.with_suffix(".so"), place],
                 "Python cannot use the library over ctypes", env=clean_environment())
        print("Python over ctypes (no Python.h here): works")
        return
    gate.run([gate.cxx, "-std=c++17", "-fPIC", "-fvisibility=hidden", "-isystem", include, "-c",
              HERE / "plugin_module.cpp", "-o", "module.o"], "plugin_module.cpp does not compile")
    shared_object(gate, gate.cxx, [], ["module.o", plugin], "vqcache_plugin.so")
    program = "import sys; sys.path.insert(0, sys.argv[1]); import vqcache_plugin; " \
              "raise SystemExit(vqcache_plugin.work(sys.argv[2]))"
    gate.run([sys.executable, "-c", program, gate.scratch, place],
             "an extension of Python does not work", env=clean_environment())
    print("an extension of Python: links, is imported and works")


def check_shared_library(gate):
    """Shared libraries link, agree about errors with their host, and can be closed."""
    found = [(cxx, first) for kind in (compilers("g++"), compilers("clang++"))
             for first, cxx in zip([True] + [False] * len(kind), kind)] or [(gate.cxx, True)]
    levels, hidden = ["-O0", "-O1", "-O2", "-O3"], list(VISIBILITIES)
    ended, working = [], []
    for number, (cxx, first) in enumerate(found):
        host = "host%d" % number
        # comparing works otherwise since C++20, which turns operands round
        gate.compile([HERE / "plugin_host.cpp"], host, ["-O1", "-Wall", "-Wextra", "-Werror"],
                     cxx=cxx, std=["-std=c++17", "-std=c++20"][number % 2], link=["-ldl"],
                     fail="plugin_host.cpp does not build")
        # one compiler of each kind tries all, with the others the visibilities take turns
        small = [(level, visibility) for at, level in enumerate(levels)
                 for visibility in (hidden if first else [hidden[at % 2]])]
        for level, visibility in small:
            flags = [level, *VISIBILITIES[visibility]]
            gate.compile([HERE / "plugin.cpp"], "small.o", ["-c", "-fPIC", *flags], cxx=cxx,
                         fail="plugin.cpp does not compile")
            shared_object(gate, cxx, flags, ["small.o"], "small.so")
            ended.append(load_plugin(gate, host, "small.so", " ".join([cxx, level, visibility])))
        print("%s: %d libraries link and work, at %s, hidden or not" % (
            cxx, len(small), " ".join(levels)))
        if not first:
            continue
        # all of the library, which brings a model
        flags = [["-O2", "-O0"][len(working) % 2], *VISIBILITIES["hidden visibility"]]
        working.append(gate.scratch / ("works%d.o" % number))
        gate.compile([HERE / "plugin.cpp"], working[-1], ["-c", "-fPIC", "-DPLUGIN_WORKS", *flags],
                     cxx=cxx, fail="plugin.cpp does not compile")
        plugin = working[-1].with_suffix(".so")
        shared_object(gate, cxx, flags, [working[-1]], plugin)
        ended.append(load_plugin(gate, host, plugin.name, cxx + " and a model to bring",
                                 str(gate.scratch / "work")))
        print("%s %s: a plugin that brings a model, opened and closed ten times: %s" % (
            cxx, flags[0], ended[-1]))
    if sys.platform == "linux" and not os.path.exists("/proc/self/task"):
        print("note: no /proc here: threads that a plugin leaves were not looked for")
    # elsewhere (musl) closing a library may do nothing
    if platform.libc_ver()[0] == "glibc" and "unloaded" not in ended:
        raise Failed("no library was ever unloaded: what closing does was not tried")
    use_as_python_extension(gate, working[0])


CONSUMER = """cmake_minimum_required(VERSION 3.14)
project(consumer CXX)
if(VQCACHE_EMBED)
  add_subdirectory("${VQCACHE_EMBED}" vqcache)
  if(TARGET vqcache_tests OR TARGET vqcache_tool)
    message(FATAL_ERROR "an embedded vqcache builds its tests or examples")
  endif()
else()
  find_package(vqcache VERSION_WANTED REQUIRED)
endif()
add_executable(consumer main.cpp)
target_link_libraries(consumer PRIVATE vqcache::vqcache)
"""


def check_package(gate):
    """find_package, add_subdirectory and pkg-config find the header; embedding builds no tests."""
    if not shutil.which("cmake"):
        raise Skipped("no cmake here")
    version = "%d.%d.%d" % tuple(version_in(gate.text))
    consumer = gate.scratch / "consumer"
    consumer.mkdir()
    (consumer / "CMakeLists.txt").write_text(CONSUMER.replace("VERSION_WANTED", version))
    (consumer / "main.cpp").write_text(
        '#include <vqcache.hpp>\nint main() { return vqcache::known_models().size() > 9999; }\n')
    build = ["cmake", "-DCMAKE_CXX_COMPILER=" + gate.cxx]
    gate.run(build + ["-S", gate.root, "-B", "package", "-DVQCACHE_BUILD_TESTS=OFF",
                      "-DVQCACHE_BUILD_EXAMPLES=OFF", "-DCMAKE_INSTALL_PREFIX=prefix"],
             "CMake cannot configure the header alone")
    gate.run(["cmake", "--install", "package", "--prefix", gate.scratch / "prefix"],
             "cannot be installed")
    installed = sorted(str(p.relative_to(gate.scratch / "prefix"))
                       for p in (gate.scratch / "prefix").rglob("*") if p.is_file())
    print("installs: " + " ".join(installed))
    for way, flag in (("find_package", "-DCMAKE_PREFIX_PATH=%s" % (gate.scratch / "prefix")),
                      ("add_subdirectory", "-DVQCACHE_EMBED=%s" % gate.root)):
        gate.run(build + ["-S", consumer, "-B", way, flag], way + " cannot configure")
        gate.run(["cmake", "--build", way], way + " cannot build")
        gate.run([gate.scratch / way / "consumer"], way + " does not run")
        print("%s(vqcache) %s: builds and runs" % (way, version))


def check_manual(gate):
    """The manual's tables are what the code says: options, errors, limits, variables, macros, messages, platforms."""
    bad = manual.wrong(gate.text, strip(gate.text, strings=False))
    chapters = manual.read(gate.text)[1:]
    print("%d chapters: %s" % (len(chapters), ", ".join(
        "%s, %d rows" % (one.title, len(one.rows())) if one.rows() else one.title for one in chapters)))
    if bad:
        raise Failed("\n  ".join(["the manual and the code differ"] + bad[:40]))


def check_versions(gate):
    """The version stands once, in the header: what repeats it, the changes and the tag of the ABI follow."""
    parts = version_in(gate.text)
    bad = (versions.wrong_numbers(gate.root, gate.text, parts) + versions.wrong_changes(gate.text, parts)
           + versions.wrong_tag(gate.text, parts) + versions.wrong_releases(gate.root, gate.text))
    print("version %s, changes of %s" % (versions.dotted(parts), ", ".join(
        one for one, _ in versions.changes(gate.text)) or "none"))
    if bad:
        raise Failed("\n  ".join(["not all say the version of the macros"] + bad[:40]))


def compile_block(gate, what, block, flags=()):
    """A block is a whole file, or statements for the inside of a function."""
    includes = '#include "vqcache.hpp"\n#include <iostream>\n'
    whole = gate.file("block.cpp", block if "#include" in block else includes + block)
    done = gate.compile([whole], os.devnull, ["-fsyntax-only", *flags])
    if done.returncode == 0:
        return
    top = "".join(r + "\n" for r in block.split("\n") if r.startswith("#"))
    rest = "".join(r + "\n" for r in block.split("\n") if not r.startswith("#"))
    inside = gate.file("block_inside.cpp", "%s%sint main() {\n%s}\n" % (includes, top, rest))
    again = gate.compile([inside], os.devnull, ["-fsyntax-only", *flags])
    if again.returncode != 0:
        # of the two attempts the shorter complaint is the nearer one
        raise Failed("%s does not compile\n%s" % (what, tail(min(done.stderr, again.stderr, key=len))))


def code_of_manual(gate):
    """Every block of the manual; the cells, in their order, are those of one notebook."""
    blocks, cells = manual.code_blocks(gate.text), ""
    for line, kind, block in blocks:
        what = "the manual's block in line %d" % line
        if kind == "Cell":
            cells += block
        elif kind == "Python":
            try:
                compile(block, what, "exec")
            except SyntaxError as why:
                raise Failed("%s is no Python: %s" % (what, why))
        elif kind == "shell":
            gate.run(["sh", "-n", gate.file("block.sh", block)], what + " is no shell")
        else:
            compile_block(gate, what, block, ["-DVQCACHE_HEADER_ONLY=0"])
    if not cells:
        raise Failed("the manual has no cell of a notebook")
    compile_block(gate, "the manual's notebook", cells, ["-DVQCACHE_HEADER_ONLY=0", "-Wno-unknown-pragmas"])
    print("the manual: %d blocks compile" % len(blocks))


def check_readme(gate):
    """README and manual say the same, and every block of code in either compiles."""
    programs = [block for line, kind, block in manual.code_blocks(gate.text) if line <= 25 and kind == "C++"]
    if not programs or "#include" not in programs[0]:
        raise Failed("the first 25 lines of the header hold no program from #include to }")
    snippet = programs[0].rstrip("\n").split("\n")
    if len([line for line in snippet if line]) > 8:
        raise Failed("the manual's program has %d lines, eight are promised" % len(snippet))
    readme = gate.root / "README.md"
    if not readme.exists():
        raise Failed("no README.md")
    text = readme.read_text(encoding="utf-8")
    blocks = [(text.count("\n", 0, m.start()) + 2, m.group(1))
              for m in re.finditer(r"(?ms)^```(?:cpp|c\+\+)[^\n]*\n(.*?)^```", text)]
    if not blocks:
        raise Failed("README.md has no ```cpp block")
    if not any([r.rstrip() for r in b.rstrip("\n").split("\n")] == snippet for _, b in blocks):
        raise Failed("no C++ block of README.md is the manual's program:\n%s" % tail(
            "\n".join(snippet)))
    commands = re.findall(r"(?m)^(?:\$ )?\s*(sh (\S+\.sh)[^\n]*)$", text)
    for need in ("examples/run.sh", "tests/run.sh"):
        if not any(path == need for _, path in commands):
            raise Failed("README.md does not give the command: sh " + need)
    for command, path in commands + re.findall(
            r"(?m)^//\s+(?:\$ )?(sh (\S+\.sh)[^\n]*)$", gate.text):
        if not (gate.root / path).exists():
            raise Failed("%r is said, and there is no %s" % (command, path))
    print("README.md: %s" % "; ".join(sorted({path for _, path in commands})))
    tu = gate.file("manual.cpp", programs[0])
    gate.compile([tu], "manual", ["-Wall", "-Wextra", "-Werror"],
                 fail="the manual's eight lines do not build")
    empty = gate.scratch / "empty"  # no network, no directories: it says why, and that is all
    empty.mkdir()
    done = gate.run([gate.scratch / "manual"], cwd=empty, env=dict(clean_environment(), VQCACHE_OFFLINE="1"))
    if done.returncode != 1 or "makes the call offline" not in done.stderr:
        raise Failed("offline the manual's program ends with %d and says\n%s" % (
            done.returncode, tail(done.stdout + done.stderr)))
    print("the manual's %d lines build alone, and say without a network: %s" % (
        len(snippet), done.stderr.strip()[:100]))
    code_of_manual(gate)
    for line, block in blocks:
        compile_block(gate, "README.md line %d" % line, block)
    print("README.md: %d C++ block(s) compile" % len(blocks))


def check_bench_report(gate):
    """README's figures and their chart are what tests/bench/report.py makes of the results that are kept."""
    try:
        differing = report.differing(gate.root)
        results, digest = report.read(gate.root)
    except report.Wrong as why:
        raise Failed(str(why))
    if differing:
        raise Failed("%s: not what tests/bench/report.py makes of %s; it writes them anew" % (
            " and ".join(differing), report.RESULTS))
    print("%s and %s: made of the results of %s, %s, SHA-256 %s..." % (
        report.README, report.CHART, results["date"], report.shown_size(results["size"]), digest))


CHECKS = {name[6:]: function for name, function in sorted(globals().items())
          if name.startswith("check_") and name != "check_warnings"}


def run_check(name, gate):
    """0, 1 or 77, and says why."""
    try:
        CHECKS[name](gate)
    except Skipped as why:
        if os.environ.get("VQCACHE_NO_SKIP") == "1":
            print("failed: %s: may not be skipped here: %s" % (name, why))
            return 1
        print("skipped: %s" % why)
        return 77
    except Failed as why:
        print("failed: %s: %s" % (name, why))
        return 1
    print("ok: %s" % name)
    return 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", default=REPO)
    parser.add_argument("--cxx")
    parser.add_argument("checks", nargs="+")
    arguments = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)
    if arguments.checks == ["list"]:
        for name, function in CHECKS.items():
            print("%-16s %s" % (name, function.__doc__))
        return 0
    if arguments.checks[0] == "selftest":
        import selftest
        return selftest.main(arguments, sys.modules[__name__])
    worst = 0
    for name in arguments.checks:
        if name not in CHECKS:
            parser.error("no check %s; there are: %s" % (name, " ".join(CHECKS)))
        with tempfile.TemporaryDirectory(prefix="vqcache-gate-") as scratch:
            try:
                gate = Gate(arguments.root, scratch, arguments.cxx)
            except Skipped as why:
                print("skipped: %s" % why)
                return 77
            code = run_check(name, gate)
        worst = code if code == 1 or worst == 0 else worst
    return worst


if __name__ == "__main__":
    sys.exit(main())
