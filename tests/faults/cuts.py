"""cuts.py: the power fails in the middle of a cold download over libcurl, and the machine comes up
anew: its boot id is another. The next call continues what is left, and the promises hold.

On a real ext4 and XFS (loop devices), with 1 and 4 connections, the subject whose blocks and
thresholds are small brings a checkpoint of 1 MiB from an origin with byte ranges and a strong ETag.
The power fails after one of its calls, spread over the course: writes and syncs of the partial, of
its record, of the copy in the other tier. Then, since a machine that was restarted cannot be had
here, the boot id in the records is replaced in the file system that came back. What came back is
tried in four ways, each from the same state: with and without a pin, and

  as it is     what this file system kept
  zeros        and then every byte of the partial that the record does not call safe is made zero,
               up to the full length: a disk may come back so (the size was written, the blocks were
               not), though ext4 and XFS seldom show it here, where writing back costs no time

All of check.py's invariants are judged after the cut and after the second call, and of that:

  R1 without a pin the server sends again every byte that the record does not call safe
  R2 without a pin it does not send all of them: what is safe is continued
  R3 what the record calls safe is right after the cut

A first call with a pin and one without take turns, so that records of both sorts are met.

The test of the test is mutants.py's believe_unsynced: after a restart what was not synced is
believed. What came back, as it is, has to show it on one file system at least, by a wrong file (as
a rule on both) or by R1. That it can: several connections fill the partial at several places, so
that a cut leaves holes in it; after one it is only shorter, and its size tells the truth."""
import collections
import hashlib
import os
import re
import socket
import subprocess
import threading
import time

import check
import mutants
import sweep

BOOT = '/proc/sys/kernel/random/boot_id'
OTHER = b'5e7c0ffe-1dea-4bad-8cab-0123456789ab'
PART, RECORD = ('L/.%s.ckpt.*.%s' % (check.NAME, x) for x in ('part', 'record'))
COPY = 'C/%s/.%s.ckpt.*.part' % (check.NAME, check.NAME)
# how many places of each sort, spread over the course
PLACES = [('pwrite64', PART, 4), ('fsync', PART, 3), ('sync_file_range', PART, 1),
          ('pwrite64', RECORD, 4), ('fsync', RECORD, 3), ('pwrite64', COPY, 1)]
TURN = ['powercut-log', 'powercut']
MUTANT = 'believe_unsynced'

WAYS = [(False, False), (False, True), (True, False), (True, True)]  # zeros, with a pin

Tried = collections.namedtuple('Tried', 'how continued bad')


class Origin:
    """HTTP/1.1, strong ETags, single ranges, slow; it keeps what it has sent of the checkpoint"""

    def __init__(self, right):
        self.files = {b'/m' + s.encode(): right[s] for s in right}
        self.sent, self.lock, self.pause = [], threading.Lock(), 0
        self.listener = socket.socket()
        self.listener.bind(('127.0.0.1', 0))
        self.listener.listen(64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            c, _ = self.listener.accept()
            threading.Thread(target=self.guarded, args=(c,), daemon=True).start()

    def guarded(self, c):
        try:
            with c:
                c.settimeout(20)
                self.answer(c)
        except OSError:
            pass  # killed callers hang up

    def answer(self, c):
        head = b''
        while b'\r\n\r\n' not in head:
            more = c.recv(65536)
            if not more:
                return
            head += more
        lines = head.split(b'\r\n')
        path = lines[0].split(b' ')[1]
        data = self.files[path]
        fields = {k.lower(): v for k, _, v in (x.partition(b': ') for x in lines[1:])}
        tag = b'"' + hashlib.sha256(data).hexdigest()[:16].encode() + b'"'
        a, b, status, extra = 0, len(data), b'200 OK', b''
        wanted = re.match(rb'bytes=(\d+)-(\d*)$', fields.get(b'range', b''))
        if wanted and fields.get(b'if-range', tag) == tag and int(wanted[1]) < len(data):
            a, b = int(wanted[1]), min(int(wanted[2] or len(data)) + 1, len(data))
            status = b'206 Partial Content'
            extra = b'Content-Range: bytes %d-%d/%d\r\n' % (a, b - 1, len(data))
        c.sendall(b'HTTP/1.1 %s\r\nETag: %s\r\nAccept-Ranges: bytes\r\n%sContent-Length: %d\r\n'
                  b'Connection: close\r\n\r\n' % (status, tag, extra, b - a))
        for at in range(a, b, 8192):
            if path.endswith(b'.ckpt'):
                with self.lock:
                    self.sent.append((at, min(at + 8192, b)))
            c.sendall(data[at:min(at + 8192, b)])
            time.sleep(self.pause)


def gaps_of(line, size, total):
    """the ranges of a line `safe` or `todo` of a record, for a file of this size"""
    gaps = [(int(a), int(b or total)) for a, _, b in (x.partition('-') for x in line.split())]
    gaps = [(a, min(b, size)) for a, b in gaps if a < size]
    return gaps + [(size, total)] if size < total else gaps


def not_safe(snap, total):
    """(label, what the record does not call safe) of the partial that is there, or ('', all)"""
    for label, data in snap.items():
        if not re.match(r'L/\.%s\.ckpt\.[0-9a-f]{16}\.part$' % check.NAME, label):
            continue
        text = snap.get(label[:-4] + 'record', b'').decode('ascii', 'replace')
        lines = dict(x.partition(' ')[::2] for x in text.split('\n')[1:-1])
        if 'url' in lines and 'validator' in lines and 'safe' in lines:
            return label, gaps_of(lines['safe'], len(data), total)
        return label, [(0, total)]
    return '', [(0, total)]


def length(ranges):
    return sum(b - a for a, b in ranges)


def without(ranges, taken):
    """the bytes of the ranges that are in none of the taken"""
    for x, y in taken:
        ranges = [r for a, b in ranges for r in ((a, min(b, x)), (max(a, y), b)) if r[0] < r[1]]
    return ranges


class Bench(sweep.Bench):
    def __init__(self, bin_dir, right, env=None, program='small'):
        self.origin = Origin(right)
        super().__init__(bin_dir, self.origin.port, right, env)
        self.small = os.path.join(bin_dir, program)
        self.connections, self.pin = 1, False
        with open(BOOT, 'rb') as f:
            self.boot = f.read().strip()

    def command(self, _):
        base = 'http://127.0.0.1:%d/m' % self.port
        pins = [hashlib.sha256(self.right[s]).hexdigest() for s in check.SUFFIXES]
        return [self.small, 'libcurl', self.fast + '/models', self.slow + '/models',
                base + '.yaml', base + '.ckpt', str(self.connections)] + (pins if self.pin else [])

    def new_boot(self):
        """the records are of a process of an earlier boot"""
        for root, _ in self.roots:
            for where, _, files in os.walk(root):
                for f in files:
                    if f.endswith('.record'):
                        with open(os.path.join(where, f), 'r+b') as h:
                            text = h.read()
                            h.seek(0)
                            h.write(text.replace(self.boot, OTHER, 1))

    def slowly(self):  # so that the hashing, which syncs, keeps up with the connections
        self.origin.pause = .0006 if self.connections == 1 else .004

    def trace_calls(self):
        self.slowly()
        return self.traced(sweep.SCENARIOS['cold'], ())

    def faulted(self, s, case):
        self.slowly()
        r = self.start([self.faultrun, '--under', self.fast, '--under', self.slow, '--report',
                        self.report, '--at', str(case.k), '--path', self.path(case.path),
                        '--calls', case.call, '--act', 'kill-after', '--'] + self.command(s))
        return r, self.calls(self.report)

    def second(self):
        self.origin.pause = .0002 * (self.connections - 1)
        del self.origin.sent[:]
        return self.plain(sweep.SCENARIOS['cold'])


class Judge(sweep.Judge):
    """tries one cut"""

    def __init__(self, bench, ways=WAYS):
        super().__init__(bench, {})
        self.ways = ways

    def run(self, case):
        """-> (reached, [Tried])"""
        b = self.bench
        b.set_layout(case.layout)
        b.setup({})
        number, _, pin = case.what.partition('-')
        b.connections, b.pin = int(number), pin == 'pin'
        r, hits = b.faulted(sweep.SCENARIOS['cold'], case)
        b.disk.cut(case.mode != 'powercut')
        if not hits:
            return False, []
        b.new_boot()
        state, right = b.snapshot(), b.right['.ckpt']
        part, unsafe = not_safe(state, len(right))
        safe = without([(0, len(right))], unsafe)
        bad = check.judge(case, 'fault', r, state, {}, b.right, hits)
        bad += ['R3: bytes %d to %d are wrong, and called safe' % (x, y)
                for x, y in safe if state[part][x:y] != right[x:y]]
        tried = [Tried('after the cut', 0, bad)]
        for zeros, pin in self.ways:
            if zeros and not part:
                continue
            if len(tried) > 1:  # what came back is there for the first of them
                b.setup(state)
            if zeros:
                with open(b.path(part), 'r+b') as f:
                    for x, y in unsafe:
                        f.seek(x)
                        f.write(bytes(y - x))
            b.pin = pin
            how = 'after the next call%s%s' % (', with zeros' if zeros else '',
                                               ', with a pin' if pin else '')
            tried.append(self.next_call(case, how, unsafe, safe, state))
        return True, tried

    def next_call(self, case, how, unsafe, safe, state):
        b = self.bench
        r = b.second()
        snap, sent = b.snapshot(), list(b.origin.sent)
        bad = check.judge(case, 'recover', r, snap, {}, b.right, [])
        if not bad and check.leftovers(snap):
            bad = self.third_run(case, snap)
        continued = length(without([(0, len(b.right['.ckpt']))], sent))
        if any(label in state for label in b.right.final if label.endswith('.ckpt')):
            continued = 0  # it had its name already
        elif not b.pin:
            believed = without(unsafe, sent)
            if believed:
                bad.append('R1: %d bytes were not synced and are believed, the first at %d'
                           % (length(believed), believed[0][0]))
            if safe and not continued:
                bad.append('R2: %d bytes were safe, and none is continued: %s'
                           % (length(safe), r.out[-300:]))
        return Tried(how, continued, bad)


def spread(n, k):
    """k of 1..n, evenly"""
    return sorted({1 + (n - 1) * (2 * i + 1) // (2 * k) for i in range(k)} if n else set())


def list_cuts(bench, fs, connections):
    bench.set_layout(fs + '-both')
    bench.setup({})
    bench.connections, bench.pin = connections, False
    r, calls = bench.trace_calls()
    bad = check.judge(None, 'recover', r, bench.snapshot(), {}, bench.right, [])
    counted = collections.Counter((c.name, c.label) for c in calls)
    cuts = []
    for call, path, k in PLACES:
        for at in spread(counted[call, path] * 9 // 10, k):
            i = len(cuts)
            what = '%d-%s' % (connections, ('no', 'pin')[i // 2 % 2])
            cuts.append(sweep.Case('cold', TURN[i % 2], call, path, at, what, fs + '-both'))
    return cuts, bad


def is_case(specs):
    return bool(specs) and all(re.search(r',[14]-(no|pin),', one) for one in specs)


def lacking(power):
    if power or sweep.lacking('libcurl'):
        return power or 'no libcurl'
    return '' if os.access(BOOT, os.R_OK) else 'no boot id'


def build_mutant(o):
    """starts to compile it, on the header with small constants"""
    with open(os.path.join(o.bin, 'include', 'vqcache.hpp')) as f:
        text = f.read()
    for pattern, new in next(m.subs for m in mutants.MUTANTS if m.name == MUTANT):
        text, n = re.subn(pattern, new, text, count=1)
        if not n:
            raise SystemExit('faults: mutant %s: %r is not in vqcache.hpp: bring '
                             'tests/faults/mutants.py up to date' % (MUTANT, pattern))
    folder = os.path.join(o.bin, 'cuts-mutant')
    os.makedirs(folder)
    with open(os.path.join(folder, 'vqcache.hpp'), 'w') as f:
        f.write(mutants.PRELUDE + text)
    return subprocess.Popen([o.cxx, '-std=c++17', '-O1', '-I' + folder,
                             os.path.join(sweep.HERE, 'subject.cpp'),
                             '-o', os.path.join(o.bin, 'small-mutant'), '-pthread'])


class Hunt:
    """looks for what the mutant does wrong, on one file system"""

    def __init__(self, o, right):
        self.bench = Bench(o.bin, right, {'VQ_MUTANT': MUTANT}, 'small-mutant')

    def close(self):
        self.bench.close()

    def find(self, cuts):
        """-> (the first violation of each kind, after how many cuts a wrong file was there)"""
        judge, found, n = Judge(self.bench, WAYS[:1]), {}, 0
        for n, case in enumerate(cuts, 1):
            for t in judge.run(case)[1]:
                for x in t.bad:
                    found.setdefault(x.split(':')[0], x)
            if 'I1' in found:
                break
        return found, n


def hunt(o, right, cuts):
    """-> whether the mutant is caught"""
    some = sorted((c for c in cuts if c.what.startswith('4')), key=lambda c: c.path != RECORD)
    todo = [[c for c in some if c.layout == x] for x in sorted({c.layout for c in some})]
    caught = False
    for i, (found, n) in sweep.in_parallel(len(todo), lambda: Hunt(o, right), todo,
                                           lambda own, some: own.find(some)):
        seen = [found[x] for x in ('I1', 'R1') if x in found]
        caught = caught or bool(seen)
        print('mutant %-18s %s on %s, %d cuts: %s' % (
            MUTANT, 'caught' if seen else 'not caught', todo[i][0].layout.split('-')[0], n,
            '; '.join(seen)))
    if not caught:
        print('mutant %-18s NOT CAUGHT' % MUTANT)
    return caught


def run(o, power):
    """-> (second calls, violations, mutants, not found)"""
    started, why = time.time(), lacking(power)
    if why:
        print('skipped: cold cuts: %s\ncuts: 0 cuts, skipped' % why)
        return 0, 0, 0, 0
    compiler = None if o.case else build_mutant(o)
    right = sweep.make_model(32700)
    cuts, bad = [], []
    if o.case:
        cuts = [sweep.Case(*(int(x) if i == 4 else x for i, x in enumerate(one.split(','))))
                for one in o.case]
    else:
        bench = Bench(o.bin, right)
        try:
            for fs in ('ext4', 'xfs'):
                for connections in (1, 4):
                    some, wrong = list_cuts(bench, fs, connections)
                    cuts += some[::3] if o.quick else some
                    bad += [('--cuts', 'in the clean run', x) for x in wrong]
        finally:
            bench.close()
    tally = collections.OrderedDict()
    for i, (reached, tried) in sweep.in_parallel(
            2 * o.jobs,  # they wait more than they work
            lambda: Judge(Bench(o.bin, right)), cuts, lambda judge, case: judge.run(case)):
        c = cuts[i]
        t = tally.setdefault((c.layout.split('-')[0], c.what[0]), collections.Counter())
        t.update(cuts=1, missed=not reached, calls=len(tried[1:]),
                 violated=any(x.bad for x in tried),
                 continued=sum(x.continued > 0 for x in tried),
                 bytes=sum(x.continued for x in tried))
        bad += [('--case %r' % sweep.spec(c), x.how, what) for x in tried for what in x.bad]
    total = collections.Counter()
    for (fs, connections), t in sorted(tally.items()):
        total.update(t)
        print('cold %-4s connections: %s, %d cuts (%d not reached), %d next calls, %d continued'
              ' (%.1f MB), %d violated' % (fs, connections, t['cuts'], t['missed'], t['calls'],
                                           t['continued'], t['bytes'] / 1e6, t['violated']))
        if not o.case and (t['missed'] * 3 > t['cuts'] or t['continued'] * 3 < t['calls']):
            bad.append(('--cuts', 'in all', 'too few cuts are reached, or too little is continued: '
                        'they prove too little'))
    for where, how, what in bad[:3 * o.show]:
        print('VIOLATION %s: %s\n  %s' % (how, what, where))
    some = caught = 0
    if compiler:
        if compiler.wait():
            raise SystemExit('faults: the mutant of the cuts does not compile')
        some, caught = 1, int(hunt(o, right, cuts))
    violated = len({b[0] for b in bad})
    print('cuts: %d cuts (%d not reached), %d next calls, %d continued, %d violations, '
          '%d of %d mutants caught, %.0f s'
          % (total['cuts'], total['missed'], total['calls'], total['continued'], violated, caught,
             some, time.time() - started))
    return total['calls'], violated, some, some - caught
