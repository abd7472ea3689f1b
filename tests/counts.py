#!/usr/bin/env python3
"""counts.py SHOWN LOG: the counts of a ctest run as one line, with the reasons of what was skipped.

SHOWN is what ctest printed (it says how each test ended), LOG its Testing/Temporary/LastTest.log (it
has what each test printed). A doctest program counts its cases, one that printed "skipped: REASON" as
skipped; any other test counts one. The exit status is 1 when something failed or nothing ran.
"""
import re
import sys

shown, log = (open(path, encoding="utf-8", errors="replace").read() for path in sys.argv[1:3])
ended = dict(re.findall(r"(?m)^ *\d+/\d+ Test +#\d+: (\S+) \.*[ *]*([A-Z]\w*(?: Run)?)", shown))
printed = {block.split("\n", 1)[0].strip(): block
           for block in re.split(r"(?m)^\d+/\d+ Testing: ", log)[1:]}
total = re.search(r"tests failed out of (\d+)", shown)
passed = skipped = 0
failed = 0 if total and int(total.group(1)) == len(ended) else 1  # ctest itself broke off
reasons = []
for name, state in ended.items():
    block = printed.get(name, "")
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
