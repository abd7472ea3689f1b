#!/usr/bin/env python3
"""counts.py LOG: the counts of a ctest log (Testing/Temporary/LastTest.log), as one line.

A doctest program counts its cases, a case that printed "skipped: REASON" as skipped; any other test
counts one. The exit status is 1 when something failed or nothing ran.
"""
import re
import sys

text = open(sys.argv[1], encoding="utf-8", errors="replace").read()
passed = failed = skipped = 0
reasons = []
for block in re.split(r"(?m)^\d+/\d+ Testing: ", text)[1:]:
    name = block.split("\n", 1)[0].strip()
    ended = re.search(r"(?m)^Test (Passed|Failed|Skipped|Not Run|Timeout|timed out)\b\.?|"
                      r"^\*\*\*(\w+)", block)
    state = (ended.group(1) or ended.group(2)) if ended else "Failed"
    said = re.findall(r"(?m)^\s*(?:\S+: )?skipped: (.*)$", block)
    cases = re.search(r"(?m)^\[doctest\] test cases: +\d+ \| +(\d+) passed \| +(\d+) failed", block)
    reasons += ["%s: %s" % (name, reason) for reason in dict.fromkeys(said)]
    if cases:
        good, bad = int(cases.group(1)), int(cases.group(2))
        not_run = min(good, len(said))
        passed += good - not_run
        skipped += not_run
        failed += bad if bad or state == "Passed" else 1
    elif state == "Passed":
        passed += 1
    elif state == "Skipped":
        skipped += 1
    else:
        failed += 1
for reason in reasons:
    print("skipped: " + reason)
print("%d passed, %d failed, %d skipped" % (passed, failed, skipped))
sys.exit(1 if failed or not passed else 0)
