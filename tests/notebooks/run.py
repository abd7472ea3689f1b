#!/usr/bin/env python3
"""run.py [NAME...]: the suite and the notebooks in real C++ interpreters, against a server of its own.

  clang-repl-14 ... -19, -22  suite.hpp; from 16 on statements, from 19 on interrupt  (Debian: clang-tools-N)
  root                        suite.hpp as a macro                                    (pip: root)
  root-kernel                 ROOT's Jupyter kernel: examples/root.ipynb, interrupt   (pip: jupyter packages)
  cppyy17 cppyy20             suite.hpp and examples/cppyy_demo.py                    (pip: cppyy)
  cppyy-2.4.2                 xeus-cling's interpreter, clang 9: suite.hpp, examples/vqcache.ipynb
  notebook                    examples/vqcache.ipynb, cell by cell, in the newest clang-repl
  ready                       ready.py, once, in the newest clang-repl

All but the last two run the manual's cells, too. Each interpreter (of cppyy 3: the one for C++20) compiles
the header in its longest run, and takes the library of the manual's command in most others: minutes less.
Without names: all. What is not installed is skipped; with VQCACHE_NO_SKIP=1 that is a failure.
VQCACHE_NOTEBOOK_VENVS: where the Python packages are (made by run.sh). Last line: the counts."""
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
import interpreters  # noqa: E402
import ready as measured  # noqa: E402
from interpreters import (  # noqa: E402
    END, HERE, LIBRARY, NAME, PYTHONS, ROOT, VERSIONS, Failed, Missing, cppyy_environment, environment,
    give, kernel, manual_cells, need, place, prime, processor_seconds, python_of, repl, run)

SIZE = 4 << 20
NOT_EVERYWHERE = ("clang-repl-17", "clang-repl-18", "clang-repl-22")  # Debian 12 has not all of them
passed, failed, skipped = [], [], []


class Site(http.server.BaseHTTPRequestHandler):
    """the pair below any path but /nothing-here; /slow/ at 0.8 MB a second; ranges and an ETag"""
    protocol_version = "HTTP/1.1"
    log = []

    def do_GET(self):
        name = {"yaml": "model.yaml", "ckpt": "last.ckpt"}.get(self.path.rsplit(".", 1)[-1])
        if not name or "nothing-here" in self.path:
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = (self.server.site / name).read_bytes()
        asked = re.match(r"bytes=(\d+)-(\d*)$", self.headers.get("Range", ""))
        first = int(asked[1]) if asked else 0
        last = int(asked[2]) if asked and asked[2] else len(body) - 1
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", "bytes %d-%d/%d" % (first, last, len(body)))
        self.send_header("ETag", '"%s-v1"' % name)
        self.send_header("Content-Length", str(last + 1 - first))
        self.end_headers()
        Site.log.append((self.path, first, last))
        try:
            for at in range(first, last + 1, 1 << 16):
                self.wfile.write(body[at:min(at + (1 << 16), last + 1)])
                if "/slow/" in self.path:
                    time.sleep(1 / 12)
        except OSError:
            self.close_connection = True

    def log_message(self, *_):
        pass


def judge(out, status=0, rate=True):
    """the suite's own verdict, and its output whole"""
    found = re.search(r"(?m)^(\d+) passed, (\d+) failed$", out)
    need(found, "the suite did not come to its end", out)
    need(found[2] == "0" and int(found[1]) >= 20, "the suite fails", out)
    need(status == 0, "exit status %d" % status, out)
    at = 0
    for i in range(300):  # nothing lost, nothing torn, in order
        line = "line %d %s\n" % (i, "." * 60)
        at = out.find(line, at)
        need(at >= 0, "the output is not whole: '%s' is missing" % line.strip(), out[-4000:])
    need("\rdownloading m.ckpt 0% of 1000.0 MB" in out, "the progress line is missing", out)
    hashed = re.search(r"note: 64 MiB.*", out)
    if hashed:
        print("   ", hashed[0][6:])


# ---- the manual's cells, and the library that is built once ----------------------------------------

def hit_cells(name, scratch, more=()):
    """the manual's cells, with the library, where the model is at home already"""
    at = place(scratch, "%s-cells%d" % (name, len(more)))
    prime(at)
    shutil.copy(ROOT / "vqcache.hpp", at)
    shutil.copy(interpreters.build_library(scratch), at)
    last = 'std::cout << "%s" << std::endl;' % END
    status, out = give(name, manual_cells() + list(more) + [last], at)
    why = interpreters.failed_cells(status, out)
    need(not why, why, out)
    need(out.count("already available locally") == 2, "the cells' two calls are no hits", out)
    need("content/models/%s.ckpt\n" % NAME in out, "the cells do not say where the model is", out)
    need(END in out, "the cells do not come to their end", out)


def cells(name, scratch):
    """they succeed; and one that fails among them is found out"""
    hit_cells(name, scratch)
    try:
        hit_cells(name, scratch, ["int wrong = there_is_no_such_name;"])
    except Failed as e:
        need("there_is_no_such_name" in str(e), "another cell fails than the wrong one", e)
        return
    raise Failed("a cell that does not compile is not noticed")


def ready(scratch, url):
    """what ready.py measures, in the newest clang-repl; the library must be worth its while"""
    name = "clang-repl-%d" % newest_repl()
    rows, bad = measured.rows_of([name], 1, scratch)
    need(not bad and rows, "ready.py does not come to its end")
    print("    " + measured.table(rows).replace("\n", "\n    "))
    without, used = rows[name]["plain"][0], rows[name]["library"][0]
    need(used < without / 2, "the library takes nothing away", "%.2f s and %.2f s" % (used, without))


# ---- clang-repl ----------------------------------------------------------------------------------

def newest_repl():
    version = max([v for v in (19, 20, 21, 22) if shutil.which("clang-repl-%d" % v)] or [0])
    if not version:
        raise Missing("clang-repl 19 or later")
    return version


def clang_repl(version, scratch, url):
    at = place(scratch, "repl-%d" % version)
    if version < 16:  # declarations only, and nothing of an earlier input is found
        (at / "all.hpp").write_text('#include "suite.hpp"\nint vq_rc = suite::run("%s");\n' % url)
        given = '#include "all.hpp"\n'
        print("    statements and exceptions are beyond this one: one include, no handlers")
    else:
        given = ('#include "suite.hpp"\nauto vq_rc = suite::run("%s");\n'
                 "auto vq_end = (std::cout.flush(), std::_Exit(vq_rc != 0), 1);\n" % url)
    status, out = run(repl(version), at, given)
    judge(out, status)
    if version >= 16:
        statements(version, scratch, url)
    if version >= 19:
        interrupted_repl(version, place(scratch, "interrupt-%d" % version), url)
    cells("clang-repl-%d" % version, scratch)


def statements(version, scratch, url):
    """what a person types: the bare statement, twice; the suite has compiled what they call"""
    at = place(scratch, "statements-%d" % version)
    shutil.copy(interpreters.build_library(scratch), at)
    call = ('vqcache::download_vqgan_model("m", "%s/model.yaml", "%s/last.ckpt", opts);' % (url, url))
    given = "\n".join(interpreters.loading_cells() + [
        '#include "vqcache.hpp"', "#include <iostream>", "vqcache::options opts;",
        'opts.local_dir = "local"; opts.cache_dir = "cache";',
        "auto on_progress = [](const vqcache::progress& p) { return p.done <= p.total; };",
        "opts.on_progress = on_progress;", call, call,
        'auto r = vqcache::try_download_vqgan_model("m", opts);',
        'std::cout << "model " << r.model << " cached " << r.model.cached << std::endl;',
        'auto end = (std::cout.flush(), std::_Exit(0), 1);']) + "\n"
    status, out = run(repl(version), at, given)
    need(status == 0 and "error:" not in out, "cells of statements fail", out)
    need("was not found, downloading" in out and out.count("already available locally") == 2 and
         "model m cached 1" in out, "the statements do not tell the story", out)


def interrupted_repl(version, at, url):
    """SIGINT in the middle: an error that says what is kept, variables live, it goes on from there"""
    Site.log.clear()
    call = ('vqcache::try_download_vqgan_model("m", "%s/slow/model.yaml", "%s/slow/last.ckpt", opts);'
            % (url, url))
    # a shell's background job ignores SIGINT, and hands that down; a person's terminal does not
    p = subprocess.Popen(repl(version), cwd=at, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True, env=environment(),
                         preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    try:
        p.stdin.write("\n".join([
            '#include "vqcache.hpp"', "#include <iostream>", "vqcache::options opts;",
            'opts.local_dir = "local"; opts.cache_dir = "cache"; opts.connections = 1;',
            "int mine = 4711;", "auto a = " + call,
            'std::cout << "mine " << mine << " first " << a.error.what() << std::endl;']) + "\n")
        p.stdin.flush()
        wait_for_partial(at)
        p.send_signal(signal.SIGINT)
        p.stdin.write("\n".join([
            "auto b = " + call,
            'std::cout << "second " << b.ok() << " mine " << mine << std::endl;',
            "auto end = (std::cout.flush(), std::_Exit(0), 1);"]) + "\n")
        out, _ = p.communicate(timeout=60)
    finally:
        p.kill()
    need("mine 4711 first model 'm': interrupted at" in out and
         re.search(r"\d+ bytes of m.ckpt are kept", out), "an interrupt is no clear error", out)
    need("second 1 mine 4711" in out, "the next call does not end right", out)
    went_on(at)


def wait_for_partial(at):
    until = time.time() + 60
    while time.time() < until:
        for p in (at / "local").glob(".m.ckpt.*.part"):
            if p.stat().st_size > 1 << 20:
                return
        time.sleep(0.02)
    raise Failed("no partial appears in " + str(at / "local"))


def went_on(at):
    asked = [x for x in Site.log if x[0].endswith(".ckpt")]
    need(len(asked) == 2 and asked[1][1] >= 1 << 20, "it does not go on where it was", asked)
    need((at / "local" / "m.ckpt").read_bytes() == (at / "site" / "last.ckpt").read_bytes(),
         "the file is wrong")


# ---- ROOT ----------------------------------------------------------------------------------------

def root_batch(scratch, url):
    at = place(scratch, "root")
    python = python_of("root")
    (at / "smoke.C").write_text('#include "suite.hpp"\nint smoke() {\n  const int n = suite::run("%s");\n'
                                "  gSystem->Exit(n != 0);\n  return n;\n}\n" % url)
    status, out = run([python.parent / "root", "-l", "-b", "-q", "-x", "smoke.C"], at,
                      env=environment(ROOT_INCLUDE_PATH=".:%s:%s" % (ROOT, HERE)))
    judge(out, status)
    cells("root", scratch)


def root_kernel(scratch, url):
    at = place(scratch, "root-kernel")
    python, env = kernel(at)
    Site.log.clear()
    call = ('auto %s = vqcache::try_download_vqgan_model("m", "{0}/slow/model.yaml", '
            '"{0}/slow/last.ckpt", opts);'.format(url))
    shutil.copy(interpreters.build_library(scratch), at)
    asked = interpreters.loading_cells() + [
        '#include "vqcache.hpp"\n#include <iostream>', "vqcache::options opts;",
        'opts.local_dir = "local"; opts.cache_dir = "cache"; opts.connections = 1; int mine = 4711;',
        "//interrupt\n" + call % "a",
        'std::cout << "mine " << mine << " first " << a.error.what() << std::endl;',
        call % "b",
        'std::cout << "second " << b.ok() << " mine " << mine << std::endl;']
    status, out = run([python, HERE / "cells.py", "root", at / "local"], at, json.dumps(asked), env=env)
    need(status == 0, "the kernel does not come to the end of the cells", out)
    need("mine 4711 first model 'm': interrupted at" in out and
         re.search(r"\d+ bytes of m.ckpt are kept", out), "an interrupt is no clear error", out)
    need("second 1 mine 4711" in out, "the next call does not end right", out)
    went_on(at)
    execute_root_notebook(scratch, url)
    cells("root-kernel", scratch)


def execute_root_notebook(scratch, url):
    notebook = ROOT / "examples" / "root.ipynb"
    if not notebook.exists():
        return
    at = place(scratch, "root-notebook")
    python, env = kernel(at)
    (at / "in.ipynb").write_text(at_home(notebook.read_text(), url))
    shutil.copy(ROOT / "vqcache.hpp", at)
    status, out = run([python, "-m", "nbconvert", "--to", "notebook", "--execute",
                       "--ExecutePreprocessor.timeout=300", "--ExecutePreprocessor.kernel_name=root",
                       "--output", "out.ipynb", "in.ipynb"], at, env=env)
    need(status == 0, "nbconvert fails", out)
    # this kernel reports success for cells that fail: only the text tells
    text = ""
    for cell in json.loads((at / "out.ipynb").read_text())["cells"]:
        for o in cell.get("outputs", []):
            text += "".join(o.get("text", [])) + "".join(o.get("traceback", []))
    told(text)


def at_home(text, url):
    """an example with its addresses replaced by the local origin's"""
    share = r"https://heibox[^\"]*"
    text = re.sub(share + r"model\.yaml&dl=1", url + "/model.yaml", text)
    text = re.sub(share + r"last\.ckpt&dl=1", url + "/last.ckpt", text)
    need("heibox" not in text, "an address is not replaced")
    return text.replace("https://example.com", url)


def told(text):
    """what every example notebook tells, in this order"""
    # a compiler's complaint names line and column; Python's text of an exception says "error:" too
    need(not re.search(r":\d+:\d+: (fatal )?error: ", text), "a cell does not compile", text)
    at = 0
    for line in ["was not found, downloading and caching.", "already available locally.",
                 "is available in the cache, copying locally.", "came from the cache",
                 "404"]:
        at = text.find(line, at)
        need(at >= 0, "the notebook does not tell '%s' in its place" % line, text)


# ---- cppyy ---------------------------------------------------------------------------------------

def cppyy(name, scratch, url):
    """either cling compiles here once: clang 9's, as C++17, the notebook; clang 16's, as C++20, the suite"""
    cppyy_suite(name, scratch, url, name != "cppyy20")
    if name == "cppyy-2.4.2":
        cling_notebook(name, scratch, url)
    else:
        cppyy_demo(name, scratch, url)
    cells(name, scratch)


def cppyy_suite(name, scratch, url, with_library):
    at = place(scratch, name)
    python = python_of(name)
    loading = ""
    if with_library:
        shutil.copy(interpreters.build_library(scratch), at)
        loading = "cppyy.load_library('./%s')\ncppyy.cppdef('#define VQCACHE_HEADER_ONLY 0')\n" % LIBRARY
    (at / "smoke.py").write_text(
        "import cppyy, sys\n"
        "for p in ('.', %r, %r): cppyy.add_include_path(p)\n"
        "%s"
        "cppyy.include('suite.hpp')\n"
        "n = cppyy.gbl.suite.run('%s')\n"
        "v = cppyy.gbl.vqcache\no = v.options()\no.local_dir, o.cache_dir = 'py/local', 'py/cache'\n"
        "try:\n    v.download_vqgan_model('m', '%s/nothing-here/model.yaml', 'x.ckpt', o)\n"
        "    print('no exception')\n"
        "except cppyy.gbl.std.exception as e:\n    print('python sees:', e.what())\n"
        "try:\n    v.download_model('m', cppyy.gbl.std.vector['vqcache::named_source'](), o)\n"
        "except Exception as e:\n    print('of a set:', type(e).__name__, '/', e)\n"
        "m = v.download_vqgan_model('m', '%s/model.yaml', '%s/last.ckpt', o)\n"
        "print('python has:', m.name, m.cached)\n"
        "cppyy.cppdef('auto by_name(const std::string& n, const vqcache::options& o) '\n"
        "             '{ return vqcache::download_vqgan_model(n, o); }')\n"
        "print('by name:', cppyy.gbl.by_name('m', o).checkpoint.string())\n"
        "sys.stdout.flush()\nsys.exit(n != 0)\n" % (str(ROOT), str(HERE), loading, url, url, url, url))
    status, out = run([python, "smoke.py"], at, env=cppyy_environment(name))
    judge(out, status)
    need("python has: m True" in out, "Python does not get the model", out)
    need("by name: " in out and "py/local/m.ckpt" in out, "a call by name is not wrapped", out)
    need(re.search(r"python sees: .*model 'm'", out, re.S), "Python does not see the text", out)
    need(re.search(r"of a set: error /.*at least one file", out, re.S), "a set's error is another one", out)


def cppyy_demo(name, scratch, url):
    demo = ROOT / "examples" / "cppyy_demo.py"
    if not demo.exists():
        return
    at = place(scratch, name + "-demo")
    env = cppyy_environment(name)
    # the library, from outside: the demo says nothing about it
    env["LD_PRELOAD"] = str(interpreters.build_library(scratch))
    env["EXTRA_CLING_ARGS"] += " -DVQCACHE_HEADER_ONLY=0"
    status, out = run([python_of(name), demo, url], at, env=env)
    need(status == 0, "examples/cppyy_demo.py fails", out)
    told(out)


def cling_notebook(name, scratch, url):
    """a cell at a time, compiled here, as xeus-cling does it"""
    at = place(scratch, name + "-notebook")
    shutil.copy(ROOT / "vqcache.hpp", at)
    status, out = give(name, notebook_cells(url, ["#include <iostream>"]), at)
    why = interpreters.failed_cells(status, out)
    need(not why, why, out)
    told(out)


# ---- the notebook for xeus-cling and xeus-cpp, in clang-repl -----------------------------------------

def notebook_cells(url, first=()):
    """those of examples/vqcache.ipynb that need no kernel of xeus"""
    cells = json.loads((ROOT / "examples" / "vqcache.ipynb").read_text(encoding="utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells
             if cell["cell_type"] == "code" and "skip-in-repl" not in cell["metadata"].get("tags", [])]
    return json.loads(at_home(json.dumps(list(first) + texts), url))


def notebook(scratch, url):
    version = newest_repl()
    at = place(scratch, "notebook")
    shutil.copy(ROOT / "vqcache.hpp", at)
    shutil.copy(interpreters.build_library(scratch), at)
    asked = interpreters.loading_cells() + notebook_cells(url)
    status, out = run(repl(version), at, interpreters.as_lines(asked))
    need(status == 0, "exit status %d" % status, out)
    told(out)


# ---- all of them ---------------------------------------------------------------------------------

def main():
    checks = {"clang-repl-%d" % v: (lambda s, u, v=v: clang_repl(v, s, u)) for v in VERSIONS}
    checks["root"] = root_batch
    checks["root-kernel"] = root_kernel
    for python in PYTHONS:
        checks[python] = lambda s, u, python=python: cppyy(python, s, u)
    if (ROOT / "examples" / "vqcache.ipynb").exists():
        checks["notebook"] = notebook
    checks["ready"] = ready
    names = sys.argv[1:] or list(checks)
    strict = os.environ.get("VQCACHE_NO_SKIP") == "1"
    with tempfile.TemporaryDirectory(prefix="vqcache-notebooks.") as top:
        scratch = pathlib.Path(top)
        (scratch / "site").mkdir()
        subprocess.run([sys.executable, str(HERE.parent / "servers" / "common.py"),
                        str(scratch / "site"), str(SIZE)], check=True, stdout=subprocess.DEVNULL)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
        server.daemon_threads = True
        server.site = scratch / "site"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = "http://127.0.0.1:%d" % server.server_port
        for name in names:
            print("%s" % name, flush=True)
            began, used = time.time(), processor_seconds()
            try:
                checks[name](scratch, url)
                passed.append(name)
                print("    ok, %.1f s, %.1f s of the processor"
                      % (time.time() - began, processor_seconds() - used), flush=True)
            except Missing as e:
                (failed if strict and name not in NOT_EVERYWHERE else skipped).append(name)
                print("    skipped: %s is not here" % e, flush=True)
            except (Failed, subprocess.TimeoutExpired) as e:
                failed.append(name)
                print("    failed: %s" % str(e).replace("\n", "\n    | "), flush=True)
        server.shutdown()
    print("%d passed, %d failed, %d skipped" % (len(passed), len(failed), len(skipped)))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
