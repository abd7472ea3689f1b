#!/usr/bin/env python3
"""peers.py: the faults of sweep.py, and its invariants I1, I2, I4 and I5, for what people use instead.

  peers.py --bin DIR [--quick] [--only PEER,..] [--most N] [--python FILE] [--no-power] [--jobs N]
           [--json OUT] [--case SPEC] [--drive] [--walks N] [--walk PEER,N] [--selftest] [--list]

Each way to bring one file of 200 kB (or to restore it from a cache) is one command, run against the
same origin, by the same injector, with the same cases (sweep.py: list_cases) and the same power cuts
as a call of the library. What is counted of the cases that were reached ("wrong/cases"):

  false success    exit 0, and a file that it speaks of is missing or wrong: I2 of check.py. For
                   the library these are the local file, and the copy where it says cached=1; for
                   a command with `&& cp`, both
  wrong file       under the final name stands something that is not the whole right file: I1. What
                   only looks whether the file exists would load it
  not healed       the same command again, without a fault, does not end with exit 0 and the right
                   file(s): I4
  error ignored    exit 0, though fsync or close of the file said EIO, ENOSPC or EDQUOT: I5. (The
                   injected error loses nothing, so it can be seen by this alone.)
  cut after exit 0 of the files that it speaks of one is missing or wrong after a power cut right
                   after exit 0, on ext4 and XFS, with and without the journal on the disk: P2

"Wrong file" and "not healed" count power cuts in the middle of a run as well. Kinds of faults:

  error      a system call fails once, with each errno that it may plausibly give
  full, dead: the disk is full, or the tier or the wire dead, from that call on
  short      a read or write of one byte, or a read that says end of file
  kill       SIGKILL before or after a call
  cut        the power fails after a call;  exit: after exit 0

Only calls on the two directories and on sockets count, from the command's first instruction on, in
all its processes: so nothing of an interpreter's start is a case. What is left is all tried, but for
the Python programs, which take a second each: of those at most N (--most) of each kind are drawn,
with a fixed seed, evenly over the different calls (by name and path), so that a rename counts as much
as a hundred reads. The table says how many there were and how many were run. What compares is a 0
with what is none: a call that may say four errors is four cases, so no ratio is a probability.

A careful user's form of each command is a row of its own. Nothing is set that users do not set; the
time limit of 25 s is ours, and a hang is not counted as anything but "not exit 0". What a command
says by its exit status or marks beside a wrong file (aria2c does, by F.aria2) does not take the file
away: how many were marked is told. The hub here sends plain HTTP: Xet is not asked for.

Behind that, calls by chance, one after the other, on the same disks: walks.py, "the drive"; and a copy
on a cloud drive that misbehaves: clouds.py.

The test of the test, before each run and alone with --selftest: `liar` (curl whose status is thrown
away) must show false successes, wrong files and ignored errors; `believer` (which runs curl only if
the file does not exist) files that are not healed, and lost ones after a power cut; `careful` (curl
to another name, sync, mv, sync) none of these. Then the library must show 0 everywhere."""
import argparse
import collections
import datetime
import errno
import hashlib
import json
import os
import platform
import random
import re
import shutil
import signal
import subprocess
import sys
import time

import check
import sweep

FILE = 'm.ckpt'
LOCAL, COPY = ('%s/%s/%s' % (place, check.NAME, FILE) for place in ('L', 'C'))
LIMIT, SEED = 25, 15
KINDS = {'error': 'error', 'full': 'full', 'dead': 'dead', 'short': 'short', 'eof': 'short',
         'kill': 'kill', 'kill-after': 'kill', 'powercut': 'cut', 'powercut-log': 'cut'}
MODES = [m for m in KINDS if m not in sweep.POWER]
MEASURES = ['false success', 'wrong file', 'not healed', 'error ignored', 'cut after exit 0']
# counted, but no columns: how long a tool waits is its user's to set, and only aria2c marks a file
HANG, MARKED = 'hang', 'wrong file with F.aria2 beside it'
POOCH = """import pooch, sys
url, digest, folder = sys.argv[1:]
pooch.retrieve(url, known_hash=digest or None, fname='m.ckpt', path=folder)
"""
HUB = """import sys
from huggingface_hub import hf_hub_download
hf_hub_download('peers/model', 'm.ckpt', **{sys.argv[1]: sys.argv[2]})
"""
POINTER = 'L/models--peers--model/snapshots/%s/%s' % (sweep.HUB_COMMIT, FILE)
CURL = 'curl -fsS -o "$F" "$URL"'
PART = ' && sync "$F.part" && mv "$F.part" "$F" && sync "$L"'  # as careful as a shell can be

# how: what the row is called; command: of sh, with $URL, $SHA, $F (the file), $L (its folder), $K
# (the copy), $C (its folder); tiers: those that exit 0 speaks of; restore: the copy is there before
Peer = collections.namedtuple('Peer', 'how command needs tiers restore')


def peer(how, command, needs='', tiers='L', restore=False):
    return Peer(how, command, needs or command.split()[0], tiers, restore)


PEERS = {
    'vqcache': peer('vqcache, to both tiers', '', 'libcurl', 'LC'),
    'curl': peer('`curl -o F`', CURL),
    'curl-remove': peer('`curl --remove-on-error -o F`', CURL.replace('-o', '--remove-on-error -o')),
    'curl-cp': peer('`curl -o F && cp F CACHE`', CURL + ' && cp "$F" "$K"', tiers='LC'),
    'curl-careful': peer('`curl -o P && sync P && mv P F && sync DIR`',
                         CURL.replace('$F', '$F.part') + PART),
    'wget': peer('`wget -O F`', 'wget -q -O "$F" "$URL"'),
    'wget-mv': peer('`wget -O P && mv P F`', 'wget -q -O "$F.part" "$URL" && mv "$F.part" "$F"'),
    'aria2c': peer('`aria2c -o F`', 'aria2c --no-conf -q -d "$L" -o m.ckpt "$URL"'),
    'aria2c-checksum': peer('`aria2c --checksum -V --allow-overwrite`',
                            'aria2c --no-conf -q -d "$L" -o m.ckpt --checksum=sha-256="$SHA" -V '
                            '--allow-overwrite=true "$URL"'),
    'pooch': peer('pooch.retrieve(known_hash=None)', '"$PYTHON" -c "$POOCH" "$URL" "" "$L"', 'pooch'),
    'pooch-hash': peer('pooch.retrieve(known_hash=...)',
                       '"$PYTHON" -c "$POOCH" "$URL" "sha256:$SHA" "$L"', 'pooch'),
    'hub': peer('hf_hub_download(...)', '"$PYTHON" -c "$HUB" cache_dir "$MODELS"', 'huggingface_hub'),
    'hub-local': peer('hf_hub_download(local_dir=...)', '"$PYTHON" -c "$HUB" local_dir "$L"',
                      'huggingface_hub'),
    'vqcache-restore': peer('vqcache, restore', '', 'libcurl', 'L', True),
    'cp': peer('`cp CACHE F`', 'cp "$K" "$F"', restore=True),
    'cp-careful': peer('`cp CACHE P && sync P && mv P F && sync DIR`', 'cp "$K" "$F.part"' + PART,
                       restore=True),
}
BROKEN = {  # what must be noticed of them, and in every other measure of MEASURES nothing need be
    'liar': (peer('curl, its status thrown away', CURL + '; exit 0'), MEASURES[:2] + MEASURES[3:]),
    'believer': (peer('curl, if there is no file', 'test -e "$F" || ' + CURL), [MEASURES[2], MEASURES[4]]),
}
ALL = dict(PEERS, **{name: one for name, (one, _) in BROKEN.items()})
SCENARIOS = {name: sweep.scenario(name, name, not one.restore, of='one') for name, one in ALL.items()}
sweep.SCENARIOS.update(SCENARIOS)


def is_python(name):
    return ALL[name].needs in ('pooch', 'huggingface_hub')


def is_ours(name):
    return name.startswith('vqcache')


def general(label):
    """the label without the random names of peers"""
    label = re.sub(r'/tmp[a-z0-9_]{8}(?=/|$)', '/tmp*', label)
    return re.sub(r'\.[0-9a-f]{8}\.incomplete$', '.*.incomplete', label)


# ---- one worker ----------------------------------------------------------------------------------

class Bench(sweep.Bench):
    def __init__(self, o, origin):
        super().__init__(o.bin, origin.port, origin.right)
        self.one = check.Model({FILE: self.right['.ckpt']})
        self.models['one'] = self.one
        self.python = o.python

    def command(self, s):
        base = 'http://127.0.0.1:%d/' % self.port
        models, copies = self.fast + '/models', self.slow + '/models'
        if is_ours(s.name):
            return [self.subject, 'set-libcurl', models, copies, base, FILE]
        digest = hashlib.sha256(self.one[FILE]).hexdigest()
        file, copy = self.path(LOCAL), self.path(COPY)
        self.env.update(
            URL=base + FILE, SHA=digest, F=file, L=os.path.dirname(file), K=copy, MODELS=models,
            C=os.path.dirname(copy), PYTHON=self.python, POOCH=POOCH, HUB=HUB, HF_ENDPOINT=base[:-1],
            HF_HUB_DISABLE_TELEMETRY='1', HF_HUB_DISABLE_PROGRESS_BARS='1', PYTHONDONTWRITEBYTECODE='1')
        return ['sh', '-c', ALL[s.name].command]

    def new_disk(self):
        self.disk.remove()
        self.disk = self.layout = None

    def prepare(self, name, planted):
        """what stands there before; the folders of a peer are there, as its user makes them"""
        self.setup(planted)
        for folder in (os.path.dirname(self.path(x)) for x in (LOCAL, COPY)):
            if not is_ours(name):
                os.makedirs(folder, exist_ok=True)
        shutil.rmtree(self.env['HOME'])  # nothing is remembered from case to case
        os.mkdir(self.env['HOME'])
        if self.disk:
            self.disk.sync()

    def snapshot(self):
        """what a program that opens the files would read: a link to nothing is no file"""
        snap = {}
        for root, _ in self.roots:
            for where, _, files in os.walk(root):
                for p in (os.path.join(where, f) for f in files):
                    if os.path.exists(p):
                        with open(p, 'rb') as h:
                            snap[self.label(p)] = h.read()
        if POINTER in snap:  # the hub's name for it
            snap[LOCAL] = snap.pop(POINTER)
        return snap

    def calls(self, file):
        calls = super().calls(file)
        for c in calls:
            c.p1, c.p2 = general(c.p1), general(c.p2)
        return calls


# ---- what is asked -------------------------------------------------------------------------------

def wrong_of(name, run, snap, right, tiers=None):
    """of the files that this run speaks of the first that is missing or wrong, or '': I2"""
    tiers = tiers or ALL[name].tiers
    if is_ours(name) and 'cached=1' not in run.out:
        tiers = 'L'
    missing = [place + ' ' + check.missing_of(snap, place, right, receipt=False)
               for place in (check.L, check.C) if place[0] in tiers
               if check.missing_of(snap, place, right, receipt=False)]
    return missing[0] if missing else ''


def data_files(calls, size):
    """the labels under which a clean run writes the file: not locks, notes and the like"""
    written = collections.Counter()
    for c in calls:
        if c.name in check.WRITES and c.tier in ('local', 'cache'):
            written[c.p1] += c.args[4 if c.name in ('copy_file_range', 'splice') else 2]
        elif c.name == 'ioctl':  # a clone of all blocks
            written[c.p1] += size
    return {label for label, n in written.items() if n >= size // 2}


def is_ignorable(case, hit, data):
    """whether the fault was an error of fsync or close after which the file's bytes may be gone"""
    lost = hit.name in check.SYNCS or (hit.name == 'close' and hit.writable)
    return case.mode == 'error' and case.what in check.LOST and lost and hit.p1 in data


class Judge:
    """tries one case -> None (not reached) or {measure: what is wrong, or ''}"""

    def __init__(self, bench, planted, data):
        self.bench, self.planted, self.data, self.healed = bench, planted, data, {}

    def close(self):
        self.bench.close()

    def run(self, case):
        try:
            return self.tried(case)
        except OSError as e:  # of the harness itself, not of what it runs
            if e.errno != errno.EIO or not self.bench.disk:
                raise
        # a new mount namespace of somebody else keeps the file system alive that was shut down
        print('again, on a new disk: ' + sweep.spec(case), file=sys.stderr)
        self.bench.new_disk()
        return self.tried(case)

    def tried(self, case):
        b, s = self.bench, SCENARIOS[case.scenario]
        b.set_layout(case.layout)
        b.prepare(s.name, self.planted[s.name])
        run, hits = b.faulted(s, case)
        if case.mode in sweep.POWER:
            b.disk.cut(case.mode != 'powercut')
        if not hits and case.call != 'exit':
            return None
        snap = b.snapshot()
        lie = '' if run.rc else wrong_of(s.name, run, snap, b.one)
        if case.call == 'exit':
            found = {'cut after exit 0': 'exit %d' % run.rc if run.rc else lie}
        else:
            found = self.of_fault(case, run, hits[0], snap)
            if case.mode not in sweep.POWER:
                found['false success'] = lie
        found[HANG] = 'after %d s' % sweep.LIMIT if run.rc == 124 else ''
        found['not healed'] = self.again(s, snap)
        return found

    def of_fault(self, case, run, hit, snap):
        """what is asked after each fault, whatever the exit status"""
        wrong = sorted(self.bench.one.wrong(snap))
        found = {'wrong file': ', '.join('%s has %d bytes' % (x, len(snap[x])) for x in wrong)}
        found[MARKED] = found['wrong file'] if LOCAL + '.aria2' in snap else ''
        if is_ignorable(case, hit, self.data[case.scenario]):
            is_uncached = hit.tier == 'cache' and 'cached=0' in run.out
            is_told = run.rc != 0 or (is_ours(case.scenario) and is_uncached)
            found['error ignored'] = '' if is_told else '%s of %s' % (case.call, case.path)
        return found

    def again(self, s, snap):
        """the same command once more; where the same files stood before, its end is known"""
        key = (s.name, self.bench.layout) + tuple(sorted(
            (general(check.general(label)), hashlib.sha256(data).hexdigest())
            for label, data in snap.items()))
        if key not in self.healed:
            run = self.bench.plain(s)
            wrong = 'exit %d' % run.rc if run.rc else wrong_of(s.name, run, self.bench.snapshot(),
                                                               self.bench.one)
            if is_ours(s.name) and not wrong and 'cached=1' not in run.out:
                wrong = 'cached=0'
            self.healed[key] = wrong
        return self.healed[key]


def evenly(cases):
    """the cases in an order by chance: first one of each call, then a second of each, ..."""
    drawn, nth, turns = random.Random(SEED).sample(cases, len(cases)), collections.Counter(), []
    for c in drawn:
        nth[c.call, c.path] += 1
        turns.append(nth[c.call, c.path])
    return [c for _, _, c in sorted(zip(turns, range(len(drawn)), drawn))]


# ---- the cases -----------------------------------------------------------------------------------

def lacking(name, o):
    """what this machine does not have for a peer, or ''"""
    needs = ALL[name].needs
    if needs == 'libcurl':
        return sweep.lacking('libcurl')
    if is_python(name):
        done = subprocess.run([o.python, '-c', 'import ' + needs], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, check=False)
        return '' if done.returncode == 0 else 'no module %s in %s' % (needs, o.python)
    return '' if shutil.which(needs) else 'no program ' + needs


class Plan:
    """the cases of all peers, and what their judges must know"""

    def __init__(self, o, power):
        self.o, self.power = o, power
        self.planted, self.data, self.cases = {}, {}, []
        self.possible, self.skipped = collections.Counter(), []

    def add(self, bench, name):
        why = lacking(name, self.o) or self.list(bench, name)
        if why and is_ours(name) and 'libcurl' not in why:
            raise SystemExit('peers: vqcache does not work here: ' + why)
        if why:
            self.skipped.append('%s: %s' % (name, why))

    def list(self, bench, name):
        """lists the cases of one peer -> why it cannot be tried, or ''"""
        self.planted[name] = self.copies(bench, name)
        no_cuts = self.power or (self.o.quick and is_python(name))
        layouts = [('tmp', MODES)] + ([] if no_cuts else [(fs + '-both', sweep.POWER)
                                                          for fs in ('ext4', 'xfs')])
        cases = []
        for layout, modes in layouts:
            bench.set_layout(layout)
            bench.prepare(name, self.planted[name])
            run, calls = bench.traced(SCENARIOS[name], ())
            wrong = wrong_of(name, run, bench.snapshot(), bench.one)
            if run.rc or wrong:
                return 'without a fault: exit %d, %s: %s' % (run.rc, wrong, run.err.strip()[-200:])
            calls = [c for c in calls if not ALL[name].restore or c.tier in ('local', 'cache')]
            if layout == 'tmp':
                self.data[name] = data_files(calls, len(bench.one[FILE]))
                if not self.data[name]:
                    raise SystemExit('peers: %s: no call of the trace writes the file' % name)
            cases += sweep.list_cases(SCENARIOS[name], calls, modes, layout)
        self.possible[name] = len(cases)
        self.cases += self.drawn(name, cases)
        return ''

    def copies(self, bench, name):
        """what stands in the cache before: for vqcache, with the receipt that it wrote there"""
        if not ALL[name].restore:
            return {}
        if not is_ours(name):
            return {COPY: bench.one[FILE]}
        bench.set_layout('tmp')
        bench.prepare(name, {})
        bench.plain(SCENARIOS[name])
        return {x: data for x, data in bench.snapshot().items() if x.startswith('C/')}

    def drawn(self, name, cases):
        """at most so many of each kind, by a fixed seed, for what is slow; but all cuts after exit 0
        and all errors of fsync and close of the file, which are few and have measures of their own"""
        most = self.o.most if is_python(name) else len(cases)
        if self.o.quick:
            most = 1 if is_python(name) else 5
        kinds, some = collections.defaultdict(list), []
        for c in cases:
            if c.call == 'exit' or self.is_rare(name, c):
                some.append(c)
            else:
                kinds[KINDS[c.mode]].append(c)
        for of_kind in kinds.values():
            some += of_kind if len(of_kind) <= most else evenly(of_kind)[:most]
        return some

    def is_rare(self, name, case):
        is_lost = case.mode == 'error' and case.what in check.LOST
        return is_lost and case.call in check.SYNCS | {'close'} and case.path in self.data[name]


# ---- a run ---------------------------------------------------------------------------------------

class Tally:
    """how many cases of a measure and a kind there were, and how many were wrong"""

    def __init__(self):
        self.cases, self.wrong = collections.Counter(), collections.Counter()
        self.ran = self.missed = 0
        self.examples = {}

    def add(self, kind, found, example):
        self.ran += 1
        if found is None:
            self.missed += 1
            return
        for measure, wrong in found.items():
            self.cases[measure, kind] += 1
            self.wrong[measure, kind] += bool(wrong)
            if wrong:
                self.examples.setdefault(measure, '%s: %s' % (wrong, example))

    def of(self, measure, kinds=None):
        """(wrong, cases)"""
        return tuple(sum(n for (m, kind), n in counted.items()
                         if m == measure and (not kinds or kind in kinds))
                     for counted in (self.wrong, self.cases))

    def shown(self, measure, kinds=None):
        wrong, cases = self.of(measure, kinds)
        return '%d/%d' % (wrong, cases) if cases else '-'

    def as_json(self, measures):
        return {'run': self.ran, 'not reached': self.missed,
                'measures': {m: {'wrong': self.of(m)[0], 'cases': self.of(m)[1],
                                 'kinds': {kind: {'wrong': self.wrong[m, kind], 'cases': n}
                                           for (of, kind), n in self.cases.items() if of == m}}
                             for m in measures}}


def tried(o, origin, power, names):
    """-> (Plan, {peer: Tally})"""
    plan = Plan(o, power)
    bench = Bench(o, origin)
    try:
        for name in names:
            plan.add(bench, name)
    finally:
        bench.close()
    if o.case:  # one that a run has told
        plan.cases = [sweep.Case(*(int(x) if i == 4 else x for i, x in enumerate(one.split(','))))
                      for one in o.case]
    cases = sorted(plan.cases, key=lambda c: c.layout)  # a disk is made once for each file system
    tallies = {name: Tally() for name in names if plan.possible[name]}
    for i, found in sweep.in_parallel(
            o.jobs, lambda: Judge(Bench(o, origin), plan.planted, plan.data), cases,
            lambda judge, case: judge.run(case)):
        kind = 'exit' if cases[i].call == 'exit' else KINDS[cases[i].mode]
        tallies[cases[i].scenario].add(kind, found, '--case %r' % sweep.spec(cases[i]))
        if o.case:
            print('%s\n  %s' % (sweep.spec(cases[i]), found))
    return plan, tallies


def unnoticed(name, tally, power):  # of the drive: walks.unnoticed
    """what should have been seen of a broken command and was not, or of a careful one and was"""
    must_show = BROKEN[name][1] if name in BROKEN else []
    bad = []
    for measure in MEASURES:
        wrong, cases = tally.of(measure)
        if cases == 0 and not (power and measure == 'cut after exit 0'):
            bad.append('%s: "%s" was never asked' % (name, measure))
        if cases and measure in must_show and not wrong:
            bad.append('%s: "%s" was not noticed in %d cases' % (name, measure, cases))
        if wrong and name not in BROKEN:
            bad.append('%s: "%s": %s' % (name, measure, tally.examples[measure]))
    return bad


def check_itself(o, origin, power):
    """the broken commands and a careful one -> what was not noticed"""
    quick, o.quick = o.quick, True
    names = [*BROKEN, 'curl-careful']
    plan, tallies = tried(o, origin, power, names)
    walked = walks.tried(o, list(walks.SELFTEST), walks.SELFTEST_WALKS) if not plan.skipped else {}
    o.quick = quick
    for measures, counted in ((MEASURES, tallies), (walks.MEASURES, walked)):
        for name, tally in counted.items():
            print('selftest %-12s %s' % (name, ', '.join('%s %s' % (m, tally.shown(m)) for m in measures)))
    drives = [] if plan.skipped or clouds.lacking(o) else clouds.unnoticed(o)
    return plan.skipped + drives + (walks.unnoticed(walked) if walked else []) + [
        x for name, tally in tallies.items() for x in unnoticed(name, tally, power)]


def machine():
    with open('/proc/cpuinfo') as f:
        cpu = re.search(r'(?m)^model name\s*:\s*(.*)', f.read())
    return '%s, %d cores, %s %s' % (cpu.group(1).strip() if cpu else platform.machine(),
                                    len(os.sched_getaffinity(0)), platform.system(),
                                    platform.release())


def versions(o):
    found = {}
    asked = {name: [name, '--version'] for name in ('curl', 'wget', 'aria2c', 'cp')}
    asked['Python'] = [o.python, '--version']
    for module in ('pooch', 'huggingface_hub'):
        asked[module] = [o.python, '-c', 'import importlib.metadata as m; print(m.version("%s"))' % module]
    for name, command in asked.items():
        try:
            said = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                  check=True, text=True, timeout=30).stdout
        except (OSError, subprocess.SubprocessError):
            continue
        found[name] = re.search(r'\d+(\.\d+)+', said).group(0)
    with open(os.path.join(o.include, 'vqcache.hpp')) as f:
        found['vqcache'] = '.'.join(re.findall(r'#define VQCACHE_VERSION_\w+ (\d+)', f.read())[:3])
    return found


def table(tallies, plan):
    lines = ['| command | ' + ' | '.join(MEASURES) + ' | cases run of |', '| --- ' * 7 + '|']
    for name, tally in tallies.items():
        lines.append('| %s | %s | %d of %d |' % (
            ALL[name].how, ' | '.join(tally.shown(m) for m in MEASURES), tally.ran - tally.missed,
            plan.possible[name]))
    kinds = list(dict.fromkeys(KINDS.values()))
    lines += ['', 'By kind of fault: false success, wrong file, not healed of the cases', '',
              '| command | ' + ' | '.join(kinds) + ' |', '| --- ' * (len(kinds) + 1) + '|']
    for name, tally in tallies.items():
        cells = ['%s of %d' % (', '.join(str(tally.of(m, [kind])[0]) for m in MEASURES[:3]),
                               tally.of('not healed', [kind])[1]) for kind in kinds]
        lines.append('| %s | %s |' % (ALL[name].how, ' | '.join(cells)))
    return '\n'.join(lines)


def as_json(o, plan, tallies, seconds):
    rows = [{'peer': name, 'command': ALL[name].how, 'possible': plan.possible[name],
             **t.as_json(MEASURES + [HANG, MARKED])} for name, t in tallies.items()]
    return {'date': datetime.date.today().isoformat(), 'machine': machine(), 'versions': versions(o),
            'seed': SEED, 'most': o.most, 'quick': o.quick, 'seconds': round(seconds),
            'skipped': plan.skipped, 'rows': rows}


def options():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument('--bin', required=True, help='where faultrun and subject are (run.sh --peers)')
    a.add_argument('--quick', action='store_true', help='a few cases of each kind, at most 5 s for each')
    a.add_argument('--only', default='', metavar='PEER,..')
    a.add_argument('--most', type=int, default=20, help='cases of each kind of a Python program')
    a.add_argument('--python', default=sys.executable, help='the Python that has the peers')
    a.add_argument('--no-power', action='store_true')
    a.add_argument('--jobs', type=int, default=2)
    a.add_argument('--json', metavar='OUT')
    a.add_argument('--case', action='append', metavar='SPEC', help='one case again')
    a.add_argument('--drive', action='store_true', help='only the calls by chance; OUT keeps the rest')
    a.add_argument('--walks', type=int, default=24, help='of each command; a third for Python')
    a.add_argument('--walk', metavar='PEER,N', help='one walk again')
    a.add_argument('--selftest', action='store_true', help='only the test of the test')
    a.add_argument('--list', action='store_true', help='name the peers, and their commands')
    a.add_argument('--include', default=os.path.join(sweep.HERE, '..', '..'))
    o = a.parse_args()
    for name in o.only.split(',') if o.only else []:
        if name not in ALL:
            a.error('no peer %s; there are %s' % (name, ', '.join(ALL)))
    o.bin = os.path.abspath(o.bin)
    return o


def failures(tallies):
    """what vqcache did wrong, and what proves too little"""
    ours = [t for name, t in tallies.items() if is_ours(name)]
    return [measure + ': ' + example for t in ours for measure, example in t.examples.items()] + [
        'too few cases were reached: ' + name for name, t in tallies.items() if t.missed * 3 > t.ran]


def drive(o, names):
    """prints what the walks show -> (what is kept of them, what failed)"""
    started = time.time()
    tallies = walks.tried(o, [name for name in names if name != 'vqcache-restore' and not lacking(name, o)])
    found = walks.as_json(o, tallies, time.time() - started)
    print(walks.table(tallies) + '\n')
    print('\n'.join('%s: %s: %s' % (name, m, why) for name, tally in tallies.items()
                    for m, why in tally.examples.items()))
    return found, walks.failures(tallies)


def write_json(file, found):
    text = re.sub(r'\{\s*("wrong": \d+),\s*("cases": \d+)\s*\}', r'{\1, \2}', json.dumps(found, indent=1))
    with open(file, 'w') as f:
        f.write(text + '\n')


def only_drive(o, names):
    """-> what failed"""
    kept = {}
    if o.json and os.path.exists(o.json):
        with open(o.json) as f:
            kept = json.load(f)
    kept['drive'], bad = drive(o, names)
    kept['cloud drive'], more = clouds.drive(o) if 'vqcache' in names else ({}, [])
    bad += more
    for part in (kept['drive'], kept['cloud drive']):
        part.update(date=datetime.date.today().isoformat(), machine=machine(), versions=versions(o))
    if o.json:
        write_json(o.json, kept)
    return bad


def report(o, plan, tallies, started):
    """prints it all -> what failed"""
    print(table(tallies, plan) + '\n')
    found = as_json(o, plan, tallies, time.time() - started)
    found['drive'], bad = drive(o, list(tallies))
    if 'vqcache' in tallies:
        found['cloud drive'], more = clouds.drive(o)
        bad += more
    print('%s, %s. Versions: %s.' % (found['date'], found['machine'], ', '.join(
        '%s %s' % one for one in found['versions'].items())))
    notes = ['%s: %s: %s' % (name, measure, tally.shown(measure)) for name, tally in tallies.items()
             for measure in (HANG, MARKED) if tally.of(measure)[0]]
    print('\n'.join(notes + ['skipped: ' + why for why in plan.skipped]))
    if o.json:
        write_json(o.json, found)
    return failures(tallies) + bad


def run(o, started):
    """-> what failed"""
    names = o.only.split(',') if o.only else list(PEERS)
    if o.walk:
        name, number = o.walk.split(',')
        walks.again(o, name, int(number))
        return []
    if o.drive:
        return only_drive(o, names)
    with sweep.Origin() as origin:
        power = 'asked to leave them out' if o.no_power else sweep.power_unavailable()
        if power:
            print('skipped: power cuts: ' + power)
        if o.case:
            tried(o, origin, power, list(dict.fromkeys(one.split(',')[0] for one in o.case)))
            return []
        bad = check_itself(o, origin, power)
        if bad or o.selftest:
            return bad
        return report(o, *tried(o, origin, power, names), started)


def main():
    o = options()
    if o.list:
        print('\n'.join('%-16s %s' % (name, one.command or one.how) for name, one in ALL.items()))
        return 0
    started, sweep.LIMIT = time.time(), 5 if o.quick else LIMIT
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.stdout.reconfigure(line_buffering=True)
    bad = run(o, started)
    for why in bad:
        print('failed: ' + why)
    print('peers: %s, %.0f s' % ('%d failed' % len(bad) if bad else 'ok', time.time() - started))
    return 1 if bad else 0


if __name__ == '__main__':
    sys.modules['peers'] = sys.modules['__main__']  # walks.py uses this module
    import clouds
    import walks
    sys.exit(main())
