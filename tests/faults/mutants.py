"""mutants.py: the test of the sweep itself. Each mutant is the library with one deliberate bug, and
the sweep has to find it.

All mutants are one program: on a temporary copy of vqcache.hpp every substitution below is made
once, each guarded by MUT(name), which is true when the environment says VQ_MUTANT=name. A pattern
that matches nothing is an error: the table has to follow the header. Then each mutant has to show
every T violation of its list in the trace of a clean run, and its modes run until a fault shows one
of the others, in a case where the library as it is shows none."""
import os
import re
import subprocess

import sweep

PRELUDE = '''#include <cstdlib>
#include <cstring>
inline bool vq_mutant(const char* name) {
  static const char* const chosen = std::getenv("VQ_MUTANT");
  return chosen && std::strcmp(chosen, name) == 0;
}
#define MUT(name) vq_mutant(name)
'''


class Mutant:
    def __init__(self, name, what, subs, scenario, modes, finds, layout='tmp', calls=''):
        self.name, self.what, self.subs = name, what, subs
        self.scenario, self.modes, self.layout = scenario, modes, layout
        self.calls = calls.split()  # only faults in these, to be quick about it
        self.finds = finds.split()


MUTANTS = [
    Mutant('final_name', 'the bytes are written under the final name',
           [(r'(fs::path named\(const char\* suffix\) const \{)',
             r'\1 if (MUT("final_name") && suffix[2] == 0x61) return final_;')],  # ".part"
           'cold', 'kill', 'I1 T5', calls='pwrite64 rename'),
    Mutant('rename_first', 'a file gets its name before it is verified and synced',
           [(r'(status seal\(const demand& d, caller\* who = nullptr\) \{)',
             r'\1 if (MUT("rename_first")) (void)os::rename(named(".part"), final_);'),
            (r'os::rename\(named\("\.part"\), final_\)\)\)',
             r'MUT("rename_first") ? 0 : os::rename(named(".part"), final_)))')],
           'damaged', 'kill', 'I1 T1', calls='pwrite64 fsync rename'),
    Mutant('no_fsync', 'a file is not synced: seen in the trace',
           [(r'os::sync\(file_\)(\)\);\s*return lost\("close")',
             r'(MUT("no_fsync") ? 0 : os::sync(file_))\1')],
           'cold', '', 'T1'),
    Mutant('no_fsync', 'the same, seen by a power cut with the journal on the disk',
           [], 'cold', 'powercut-log', 'I1 I2', 'xfs-both', 'rename fsync'),
    Mutant('no_dirsync', 'directories are not synced: seen in the trace',
           [(r'(int sync_directory\(const fs::path& directory\) \{)',
             r'\1 if (MUT("no_dirsync")) return 0;')],
           'cold', '', 'T2'),
    Mutant('no_dirsync', 'the same, seen by a power cut', [],
           'cold', 'powercut', 'I1 I2', 'ext4-both', 'rename fsync exit'),
    Mutant('ignore_write', 'an error of write is not looked at',
           [(r'(status written = lost\("write", os::write_at\(file_, [^;]*\)\);)',
             r'\1 if (MUT("ignore_write")) written = status();')],
           'restore', 'error', 'I5 I1 I2', calls='pwrite64'),
    Mutant('ignore_fsync', 'an error of fsync is not looked at',
           [(r'os::sync\(file_\)(\)+;\s*return lost\("close")',
             r'(MUT("ignore_fsync") ? (os::sync(file_), 0) : os::sync(file_))\1')],
           'cold', 'error', 'I5', calls='fsync'),
    Mutant('ignore_close', 'an error of close is not looked at',
           [(r'lost\("close", file_\.close\(\)\)',
             r'lost("close", MUT("ignore_close") ? (file_.close(), 0) : file_.close())')],
           'cold', 'error', 'I5', calls='close'),
    Mutant('ignore_dirsync', 'an error of syncing a directory is not looked at',
           [(r'return (is_refusal\(error\) \? 0 : error);', r'return MUT("ignore_dirsync") ? 0 : \1;')],
           'restore', 'error', 'I5', calls='fsync'),
    Mutant('assume_full_write', 'a short write is taken for a whole one',
           [(r'(if \(put < 0\) return errno;)',
             r'\1 if (MUT("assume_full_write")) return 0;')],
           'restore', 'short', 'I1 I2 I6'),
    Mutant('no_length', 'a body that ends early is taken for a whole one',
           [(r'if \(tells_length\(\) && (position_ < answer_end)\)',
             r'if (tells_length() && \1 && !MUT("no_length"))'),
            (r'(bool is_whole\(\) const \{ return is_begun\(\) && )size\(\) == end_',
             r'\1(MUT("no_length") || size() == end_)')],
           'cold', 'eof', 'I1 I2'),
    Mutant('believe_unsynced', 'bytes that a power cut may have taken are continued',
           [(r'may_be_lost && !has_digest',
             r'may_be_lost && !has_digest && !MUT("believe_unsynced")')],
           'resume', '', 'I1 I2'),
    Mutant('receipt_first', 'the receipt is published before the files',
           [(r'(for \(byte_sink\* file : files\) \{\s*if \(file->is_open\(\)\))',
             r'if (MUT("receipt_first")) VQCACHE_NEED_(renew_receipt(now)); \1')],
           'cold', 'kill-after', 'I1 T3', calls='rename'),
    Mutant('receipt_in_place', 'the receipt is written under its final name',
           [(r'(const string content = formats::write_receipt\(now, os::date\(\)\);)\s*(partial::partial_file file;)',
             r'\1 if (const fs::path at = at_ / receipt_name_; MUT("receipt_in_place")) {'
             r' os::file f; (void)os::unlink(at);'
             r' VQCACHE_NEED_(error::system(os::open(at, os::mode::create, f), "open", at));'
             r' VQCACHE_NEED_(error::system(os::write_at(f, 0, content),'
             r' "write", at)); VQCACHE_NEED_(error::system(os::sync(f), "sync", at));'
             r' return error::system(f.close(), "close", at); } \2')],
           'restore', 'kill', 'I1 T5', calls='pwrite64'),
    Mutant('leak_temporaries', 'a failed download leaves its partial',
           [(r'if \(is_begun\(\)\) (\{\s*\(void\)os::unlink\(part_path_\))',
             r'if (is_begun() && !MUT("leak_temporaries")) \1')],
           'cold', 'error', 'I3', calls='recvfrom pwrite64'),
    Mutant('no_sweep', 'what a killed process left stays for ever',
           [(r'(void sweep\([^{;]*leftovers which\) override \{)',
             r'\1 if (MUT("no_sweep")) return;')],
           'cold', 'kill', 'I4'),
    Mutant('no_hash', 'a restored file is not held to its hash',
           [(r'if \(d\.sha256 == sha256_\) return \{\};',
             r'if (d.sha256 == sha256_ || MUT("no_hash")) return {};')],
           'damaged', '', 'I1 I2 I4'),
    Mutant('cached_lies', 'a copy that failed is said to be kept',
           [(r'is_cached_ = s\.ok\(\);', r'is_cached_ = s.ok() || MUT("cached_lies");')],
           'store', 'error', 'I2 I5', calls='pwrite64 fsync'),
    Mutant('cache_fails_call', 'a cache that fails takes the local pair away',
           [(r'(is_cached_ = s\.ok\(\)[^;]*;)(\s*if \(result\.is_local_damaged\) return true;)',
             r'\1\2 if (MUT("cache_fails_call") && !s.ok()) return who_.stop_with(s), false;')],
           'store', 'error', 'I6', calls='pwrite64 fsync'),
    Mutant('not_exclusive', 'a private file may be somebody else\'s',
           [(r'(open_large\(path\.c_str\(\), )(flags)(, rights)',
             r'\1\2 & ~(MUT("not_exclusive") ? O_EXCL : 0)\3')],
           'cold', '', 'T4'),
    Mutant('no_retry_on_signal', 'EINTR counts as a failure',
           [(r'while \(got < 0 && errno == EINTR\)',
             r'while (got < 0 && errno == EINTR && !MUT("no_retry_on_signal"))')],
           'restore', 'error', 'I6', calls='pwrite64'),
    # of sets, verify and repair
    Mutant('no_folder_sync', 'of a set only the outermost directory is synced: seen in the trace',
           [(r'(status sync_folders\(\) const \{)',
             r'\1 if (MUT("no_folder_sync")) return {};')],
           'set-cold', '', 'T2'),
    Mutant('receipt_first', 'the receipt is published before the files of a set', [],
           'set-cold', 'kill-after', 'I1 T3', calls='rename'),
    Mutant('ignore_write', 'an error of write of a file of a set is not looked at', [],
           'set-restore', 'error', 'I5 I1 I2', calls='pwrite64'),
    Mutant('cached_lies', 'a copy of a set that failed is said to be kept', [],
           'set-store', 'error', 'I2 I5', calls='pwrite64 fsync'),
    Mutant('believe_unread', 'verify calls a file right that it could not read',
           [(r'(if \(!read\.problem\.ok\(\)\)) (return be\(condition::unreadable, read)',
             r'\1 if (MUT("believe_unread")) return found; else \2')],
           'verify', 'error', 'V3', calls='openat pread64'),
    Mutant('damaged_unread', 'verify calls a file damaged that it could not read',
           [(r'(return be\()condition::unreadable(, read\.problem\.text\);)',
             r'\1MUT("damaged_unread") ? condition::damaged : condition::unreadable\2')],
           'verify', 'error', 'V2', calls='openat pread64'),
    Mutant('verify_moves', 'verify puts aside what it finds damaged',
           [(r'(if \(read\.sha256 == told\) return found;)',
             r'\1 if (MUT("verify_moves")) (void)set_aside(file, place, "damaged");')],
           'verify-damaged', '', 'T7 V1'),
    Mutant('repair_lies', 'what could not be mended is no error',
           [(r'VQCACHE_NEED_\((one\.repair\(found\.files\))\);',
             r'{ const status s = \1; if (!MUT("repair_lies")) VQCACHE_NEED_(s); }')],
           'repair-local', 'error', 'M2', calls='pwrite64 fsync'),
    Mutant('repair_lies', 'the same where the origin has to help', [],
           'repair-both', 'error', 'M2', calls='pwrite64 fsync'),
    Mutant('repair_doubts', 'where a copy is damaged, the right local file is replaced as well',
           [(r'if \(is_wrong && (one\.where == origin::local)\) \{',
             r'if (is_wrong && (\1 || MUT("repair_doubts"))) {')],
           'repair-copy', 'kill-after', 'M1', calls='rename'),
]


def build(o, folder):
    with open(os.path.join(o.include, 'vqcache.hpp')) as f:
        text = f.read()
    for m in MUTANTS:
        for pattern, new in m.subs:
            text, n = re.subn(pattern, new, text, count=1)
            if not n:
                raise SystemExit('faults: mutant %s: %r is not in vqcache.hpp: bring '
                                 'tests/faults/mutants.py up to date' % (m.name, pattern))
    os.makedirs(folder)
    with open(os.path.join(folder, 'vqcache.hpp'), 'w') as f:
        f.write(PRELUDE + text)
    here = os.path.dirname(os.path.abspath(__file__))
    os.symlink(os.path.join(o.bin, 'faultrun'), os.path.join(folder, 'faultrun'))
    r = subprocess.run([o.cxx, '-std=c++17', '-O1', '-I' + folder,
                        os.path.join(here, 'subject.cpp'),
                        '-o', os.path.join(folder, 'subject'), '-pthread'],
                       stderr=subprocess.PIPE, text=True)
    if r.returncode:
        raise SystemExit('faults: the mutants do not compile: ' + r.stderr[:2000])


class Hunt:
    """runs mutants; each has its own bench, since each is another program"""

    def __init__(self, folder, origin, files):
        self.folder, self.origin, self.files = folder, origin, files

    def close(self):
        pass

    def find(self, m):
        """-> (the first violation of an expected kind, or '', how many cases that took)"""
        bench = sweep.Bench(self.folder, self.origin.port, self.origin.right,
                            {'VQ_MUTANT': m.name})
        try:
            return self.search(m, bench)
        finally:
            bench.close()

    def search(self, m, bench):
        s = sweep.SCENARIOS[m.scenario]
        calls, bad = sweep.clean_run(bench, self.files, s, m.layout)
        found = {x.split(':')[0]: x for x in reversed(bad)}
        by_trace = [kind for kind in m.finds if kind[0] == 'T']
        if any(kind not in found for kind in by_trace):
            return '', 0
        if not m.modes:
            return next((found[kind] for kind in m.finds if kind in found), ''), 0
        judge, tried = sweep.Judge(bench, self.files), 0
        for case in sweep.list_cases(s, calls, m.modes.split(','), m.layout):
            if m.calls and case.call not in m.calls:
                continue
            tried += 1
            seen = [x for _, x in judge.judge(case)[1] if x.split(':')[0] in m.finds]
            if seen and not self.innate(bench, case):
                return seen[0], tried
        return '', tried

    def innate(self, bench, case):
        """whether the library as it is violates something there too: then nothing is shown"""
        chosen = bench.env.pop('VQ_MUTANT')
        bad = sweep.Judge(bench, self.files).judge(case)[1]
        bench.env['VQ_MUTANT'] = chosen
        return bool(bad)


def hunt(o, origin, power, names=()):
    """-> (mutants, not found)"""
    folder = os.path.join(o.bin, 'mutant')
    build(o, folder)
    bench = sweep.Bench(folder, origin.port, origin.right)  # no VQ_MUTANT: the library as it is
    try:
        files = sweep.templates(bench)
    finally:
        bench.close()
    todo = [m for m in MUTANTS if not names or m.name in names]
    for m in [m for m in todo if power and m.layout != 'tmp']:
        print('skipped: mutant %s (%s): %s' % (m.name, m.modes, power))
        todo.remove(m)
    missed = 0
    for i, (what, tried) in sweep.in_parallel(
            o.jobs, lambda: Hunt(folder, origin, files), todo, lambda own, m: own.find(m)):
        m = todo[i]
        missed += not what
        print('mutant %-18s %s, %d cases: %s' % (m.name, 'caught' if what else 'NOT CAUGHT', tried,
                                                  what.split('\n')[0][:120] or m.what))
    return len(todo), missed
