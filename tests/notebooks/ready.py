#!/usr/bin/env python3
"""ready.py [-n TIMES] [-o FILE.json] [NAME...]: how long a notebook waits for its first call, which is a hit.

For each interpreter (names: see run.py) the median of TIMES runs (5), each in one that is newly started:
the standard headers that vqcache.hpp includes; vqcache.hpp and the first call, a hit; the same with the
library that the manual's command builds. What the interpreter needs to start is taken off. Seconds of the
processor, which a busy machine changes little; behind them those of a clock. Prints a Markdown table."""
import argparse
import datetime
import json
import pathlib
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import interpreters  # noqa: E402
from interpreters import END, ROOT, Failed, Missing, give, need, processor_seconds  # noqa: E402

SIZE = 4 << 20
CALL = ["vqcache::options opts;",
        'vqcache::result r = vqcache::try_download_vqgan_model("%s", opts);' % interpreters.NAME]
LAST = 'std::cout << "%s" << std::endl;' % END


def standard_headers():
    """C++'s own, of those that the header includes; ROOT 6.40 does not take <dirent.h> by itself"""
    text = (ROOT / "vqcache.hpp").read_text(encoding="utf-8").split("// ==== >>config ", 1)[1]
    names = dict.fromkeys(re.findall(r"(?m)^#include <(\w+)>", text))
    return ["#include <%s>" % name for name in names]


def experiments():
    """{what: its cells}"""
    include = '#include "vqcache.hpp"\n#include <iostream>'
    return {"start": ["#include <iostream>"],
            "headers": ['#include "standard_headers.hpp"\n#include <iostream>'],
            "plain": [include] + CALL,
            "library": interpreters.loading_cells() + [include] + CALL}


def measure(name, what, cells, scratch, at):
    """(seconds of the processor, of a clock) of an interpreter that is started for these cells"""
    where = scratch / ("%s-%s-%d" % (name, what, at))
    where.mkdir()
    (where / "site").symlink_to(scratch / "site")
    interpreters.prime(where)
    shutil.copy(ROOT / "vqcache.hpp", where)
    (where / "standard_headers.hpp").write_text("\n".join(standard_headers()) + "\n")
    if what == "library":
        shutil.copy(interpreters.build_library(scratch), where)
    used, began = processor_seconds(), time.monotonic()
    status, out = give(name, cells + [LAST], where)
    found = processor_seconds() - used, time.monotonic() - began
    why = interpreters.failed_cells(status, out)
    need(not why, "%s, %s: %s" % (name, what, why), out)
    need(END in out, "%s, %s: the cells do not come to their end" % (name, what), out)
    need(("already available locally" in out) == (what in ("plain", "library")),
         "%s, %s: the call is no hit" % (name, what), out)
    shutil.rmtree(where)
    return found


def row_of(name, times, scratch):
    """{what: [seconds of the processor, of a clock]}, without the start; medians"""
    all_of = {what: [measure(name, what, cells, scratch, i) for i in range(times)]
              for what, cells in experiments().items()}
    medians = {what: [statistics.median(one) for one in zip(*seen)] for what, seen in all_of.items()}
    start = medians.pop("start")
    row = {what: [round(max(0.0, a - b), 2) for a, b in zip(seen, start)] for what, seen in medians.items()}
    row["start"] = [round(a, 2) for a in start]
    return row


def version_of(name):
    if name.startswith("clang-repl-"):
        argv = [interpreters.repl(int(name.rsplit("-", 1)[1]))[0], "--version"]
    elif name.startswith("root"):
        argv = [interpreters.python_of("root"), "-W", "ignore", "-c",
                "import ROOT; print(ROOT.gROOT.GetVersion())"]
    else:
        argv = [interpreters.python_of(name), "-c", "import cppyy; print(cppyy.__version__)"]
    out = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True).stdout
    found = re.search(r"\d+\.\d+[.\d/]*", out)
    return found[0] if found else out.strip()


def shown(pair):
    return "%.2f (%.2f)" % tuple(pair)


def table(rows):
    lines = ["|interpreter|start|its standard headers|first call ready|with the library|",
             "|-|-|-|-|-|"]
    for name, row in rows.items():
        lines.append("|%s, %s|%s|" % (name, row["version"], "|".join(
            shown(row[what]) for what in ("start", "headers", "plain", "library"))))
    return "\n".join(lines)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-n", type=int, default=5, help="runs of each")
    parser.add_argument("-o", help="the figures as JSON")
    parser.add_argument("names", nargs="*")
    asked = parser.parse_args()
    if asked.n < 1:
        parser.error("-n wants at least one run")
    names = (["clang-repl-%d" % v for v in interpreters.VERSIONS] + ["root", "root-kernel"]
             + list(interpreters.PYTHONS))
    for name in asked.names:
        if name not in names:
            parser.error("'%s' is none of %s" % (name, " ".join(names)))
    return asked, asked.names or names


def rows_of(names, times, scratch):
    """({name: its row}, whether one has failed)"""
    rows, bad = {}, False
    for name in names:
        try:
            rows[name] = dict(row_of(name, times, scratch), version=version_of(name))
            print("note: %s: %s" % (name, rows[name]), file=sys.stderr, flush=True)
        except Missing as e:
            print("skipped: %s: %s is not here" % (name, e), flush=True)
        except (Failed, subprocess.SubprocessError) as e:
            bad = True
            print("failed: %s: %s" % (name, e), flush=True)
    return rows, bad


def main():
    asked, names = arguments()
    with tempfile.TemporaryDirectory(prefix="vqcache-ready.") as top:
        scratch = pathlib.Path(top)
        (scratch / "site").mkdir()
        subprocess.run([sys.executable, str(interpreters.HERE.parent / "servers" / "common.py"),
                        str(scratch / "site"), str(SIZE)], check=True, stdout=subprocess.DEVNULL)
        rows, bad = rows_of(names, asked.n, scratch)
    print(table(rows))
    print("\nSeconds of the processor (of a clock), the start taken off; medians of %d; %s, %s, Python %s."
          % (asked.n, datetime.date.today().isoformat(), platform.platform(), platform.python_version()))
    if asked.o:
        pathlib.Path(asked.o).write_text(json.dumps(
            {"date": datetime.date.today().isoformat(), "machine": platform.platform(), "times": asked.n,
             "seconds of the processor and of a clock": rows}, indent=1) + "\n", encoding="utf-8")
    return 1 if bad or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
