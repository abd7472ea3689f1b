#!/usr/bin/env python3
"""feed.py ROOT|cppyy < CELLS: gives cells (a JSON list) to the cling of this package, as a kernel would.

Exit status 0: each cell was compiled and came to its end."""
import ctypes
import json
import sys
import warnings

warnings.simplefilter("ignore")  # ROOT says that its package is young

if sys.argv[1] == "ROOT":
    import ROOT
    ROOT.gInterpreter.Declare(
        "int vq_cell(const char* cell) { TInterpreter::EErrorCode error = TInterpreter::kNoError;"
        " gInterpreter->ProcessLine(cell, &error); return error; }")
    process = ROOT.vq_cell
else:
    import cppyy

    def process(cell):
        error = ctypes.c_int(0)
        cppyy.gbl.gInterpreter.ProcessLine(cell, error)
        return error.value

bad = 0
for one in json.load(sys.stdin):
    if process(one) != 0:
        bad += 1
        print("error: a cell fails: %s" % one, flush=True)
sys.exit(1 if bad else 0)
