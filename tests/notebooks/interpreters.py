"""The interpreters that there are here, and how each is given cells: what run.py and ready.py share."""
import json
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
VENVS = pathlib.Path(os.environ.get("VQCACHE_NOTEBOOK_VENVS", "/nonexistent"))
sys.path.insert(0, str(HERE.parent / "gate"))
import manual  # noqa: E402

# those that some system offers; Debian 12 has no 17 and 18, and 22 only lately
VERSIONS = (14, 15, 16, 17, 18, 19, 22)
PYTHONS = {"cppyy-2.4.2": 17, "cppyy17": 17, "cppyy20": 20}  # and the standard that is asked for
LIBRARY = "libvqcache.so"
NAME = "vqgan_imagenet_f16_1024"  # the manual's model
END = "the cells have come to their end"


class Failed(Exception):
    pass


class Missing(Exception):
    pass


def need(good, what, seen=""):
    if not good:
        raise Failed(what + (":\n" + str(seen)[-3000:] if seen else ""))


def place(scratch, name):
    """a directory with what the suite expects in it"""
    at = scratch / name
    (at / "copy").mkdir(parents=True)
    shutil.copy(ROOT / "vqcache.hpp", at / "copy")
    (at / "site").symlink_to(scratch / "site")
    return at


def environment(**more):
    env = {k: v for k, v in os.environ.items()
           if not k.startswith("VQCACHE_") and k.lower() not in ("http_proxy", "all_proxy")}
    env.update(more)
    return env


def run(argv, at, given="", limit=240, env=None):
    done = subprocess.run([str(a) for a in argv], cwd=at, input=given.encode(), timeout=limit,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env or environment())
    return done.returncode, done.stdout.decode(errors="replace")  # \r stays what it is


def processor_seconds():
    """what all ended children have used so far"""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def repl(version):
    found = shutil.which("clang-repl-%d" % version)
    if not found:
        raise Missing("clang-repl-%d (clang-tools-%d)" % (version, version))
    flags = ["-std=c++17", "-I.", "-I" + str(ROOT), "-I" + str(HERE)]
    if version < 19:  # older ones do not tell that they are interpreters
        flags.append("-DVQCACHE_INTERPRETED=1")
    if version < 16:  # a handler in a large module is not found there
        flags.append("-DVQCACHE_SUITE_CATCHES_NOTHING")
    return [found] + ["-Xcc=" + f for f in flags]


def python_of(name):
    venv = "cppyy" if name in ("cppyy17", "cppyy20") else name
    python = VENVS / venv / "bin" / "python3"
    if not python.exists():
        raise Missing("the Python packages of '%s' (run.sh makes them)" % venv)
    return python


def kernel(at):
    """ROOT's C++ kernel, live"""
    spec = at / "jupyter" / "kernels" / "root"
    spec.mkdir(parents=True)
    python = python_of("root")
    (spec / "kernel.json").write_text(json.dumps({
        "language": "c++", "display_name": "ROOT C++",
        "argv": [str(python), "-m", "ROOT._jupyroot.kernel.rootkernel", "-f", "{connection_file}"]}))
    return python, environment(
        JUPYTER_PATH=str(at / "jupyter"), ROOT_INCLUDE_PATH=".:%s:%s" % (ROOT, HERE),
        PATH="%s:%s" % (python.parent, os.environ["PATH"]))


# ---- cells ---------------------------------------------------------------------------------------

def manual_blocks(wanted):
    blocks = manual.code_blocks((ROOT / "vqcache.hpp").read_text(encoding="utf-8"))
    return [block.rstrip("\n") for _, kind, block in blocks if kind == wanted]


def is_library(cell):
    """whether it is one of the manual's two cells that load the library that was built"""
    return "VQCACHE_HEADER_ONLY" in cell or "dlopen" in cell


def build_library(scratch):
    """by the manual's own command; a file that every test copies"""
    commands = [block for block in manual_blocks("shell") if LIBRARY in block]
    need(len(commands) == 1, "the manual has no command that makes %s" % LIBRARY)
    at = scratch / "library"
    if not at.exists():
        at.mkdir()
        shutil.copy(ROOT / "vqcache.hpp", at)
        status, out = run(["sh", "-ec", commands[0]], at)
        need(status == 0 and (at / LIBRARY).exists(), "the manual's command makes no %s" % LIBRARY, out)
    return at / LIBRARY


def loading_cells():
    cells = [cell for cell in manual_blocks("Cell") if is_library(cell)]
    need(len(cells) == 2, "the manual has not two cells that load %s" % LIBRARY)
    return cells


def manual_cells():
    """those of the manual, in the order in which it says that they are run, with the library"""
    return loading_cells() + [cell for cell in manual_blocks("Cell") if not is_library(cell)]


def prime(at):
    """both directories of a program that says nothing: the first call is a hit"""
    for tier in (at / "content" / "models", at / "content" / "cache" / "models" / NAME):
        tier.mkdir(parents=True)
        shutil.copy(at / "site" / "model.yaml", tier / (NAME + ".yaml"))
        shutil.copy(at / "site" / "last.ckpt", tier / (NAME + ".ckpt"))


def as_lines(cells):
    """the kernel takes a cell at a time, clang-repl a line: continuation is a backslash there"""
    lines, open_braces = [], 0
    for line in "\n".join(cells).split("\n"):
        if not line.strip() or line.strip().startswith("//"):
            continue
        open_braces += line.count("{") + line.count("(") - line.count("}") - line.count(")")
        lines.append(line + ("\\" if open_braces > 0 else ""))
    lines.append("auto the_end = (std::cout.flush(), std::_Exit(0), 1);")
    return "\n".join(lines) + "\n"


def as_header(cells):
    """for one that takes declarations alone: the directives, then all else in a function"""
    lines = "\n".join(cells).split("\n")
    directives = [line for line in lines if line.startswith("#")]
    rest = [line for line in lines if not line.startswith("#") and "dlopen" not in line]
    return "%s\n#include <cstdlib>\ninline int all_cells() {\n%s\nreturn 0;\n}\nint done = all_cells();\n" % (
        "\n".join(directives), "\n".join(rest))


def give_to_repl(version, cells, at):
    if version >= 16:
        return run(repl(version), at, as_lines(cells))
    # nothing that an earlier input has declared is found: one include, but for the library
    loading = [line for cell in cells for line in cell.split("\n") if "dlopen" in line]
    (at / "cells.hpp").write_text(as_header(cells))
    given = (["#include <dlfcn.h>"] + loading if loading else []) + ['#include "cells.hpp"']
    return run(repl(version), at, "\n".join(given) + "\n")


def give_to_cling(name, cells, at):
    """ROOT's kernel ends well where a cell throws, cling now and then: so each cell reports its end"""
    # what includes stays alone: before a statement it would be put into a function with it
    reports = {i: 'cell %d is done' % i for i, cell in enumerate(cells) if "#" not in cell}
    status, out = give_plainly(name, [
        '%s\nstd::cout << "%s" << std::endl;' % (cell, reports[i]) if i in reports else cell
        for i, cell in enumerate(cells)], at)
    for i, report in reports.items():
        if report + "\n" not in out:
            return status, out + "\nerror: a cell does not come to its end: %s\n" % cells[i]
    return status, out


def give(name, cells, at):
    """(exit status, output) of these cells in that interpreter, started for them"""
    if name.startswith("clang-repl-"):
        return give_to_repl(int(name.rsplit("-", 1)[1]), cells, at)
    return give_to_cling(name, cells, at)


def give_plainly(name, cells, at):
    if name == "root-kernel":
        python, env = kernel(at)
        return run([python, HERE / "cells.py", "root", at / "local"], at, json.dumps(cells), env=env)
    if name == "root":
        return run([python_of(name), HERE / "feed.py", "ROOT"], at, json.dumps(cells),
                   env=environment(ROOT_INCLUDE_PATH=".:%s:%s" % (ROOT, HERE)))
    return run([python_of(name), HERE / "feed.py", "cppyy"], at, json.dumps(cells),
               env=cppyy_environment(name))


def cppyy_environment(name):
    standard = PYTHONS[name]
    return environment(STDCXX=str(standard), EXTRA_CLING_ARGS="-std=c++%d" % standard)


def failed_cells(status, out):
    """why these cells have not all succeeded, or nothing; several interpreters end with 0 all the same"""
    if status != 0:
        return "exit status %d" % status
    if re.search(r"(?m)^error: |:\d+:\d+: (fatal )?error: ", out):
        return "a cell fails"
    if re.search(r"Symbols not found|unresolved while linking", out):
        return "a function is not found"
    return ""
