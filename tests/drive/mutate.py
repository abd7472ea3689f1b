"""mutate.py HEADER: vqcache.hpp with deliberate bugs, on standard output. Each is there only when
the environment says VQ_MUTANT=NAME; run.sh says which case has to notice it.

Most come from the table of tests/faults/mutants.py. A pattern that matches nothing is an error: the
tables have to follow the header."""
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'faults'))
import mutants  # noqa: E402

SHARED = ('ignore_write ignore_fsync ignore_close receipt_first no_sweep no_hash cached_lies '
          'cache_fails_call').split()
OWN = [
    (r'\|\| (copy\.size != local\.size) \|\| !in\.receipt_problem',
     r'|| (\1 && !MUT("trust_names")) || !in.receipt_problem'),
    (r'if \((copy\.size != local\.size)\) \{\s+return \{copy_step::repair',
     r'if (\1 && !MUT("trust_names")) { return {copy_step::repair'),
    (r'(return) (is_refusal\(error\) \? 0 : error);', r'\1 error == EINVAL && MUT("need_dirsync") ? error : \2;'),
    (r'if \(name != aside && (is_none_of)', r'if (name != aside && !MUT("pile_up") && \1'),
]


def main():
    with open(sys.argv[1]) as f:
        text = f.read()
    table = [sub for m in mutants.MUTANTS if m.name in SHARED for sub in m.subs]
    for pattern, new in table + OWN:
        text, n = re.subn(pattern, new, text, count=1)
        if not n:
            raise SystemExit('%r is not in vqcache.hpp: bring the mutants up to date' % pattern)
    sys.stdout.write('#pragma once\n' + mutants.PRELUDE + text)


main()
