"""clouds.py: a copy on a mounted cloud drive that misbehaves (tests/drive/drivefs.cpp), for peers.py.

Each way to keep a copy is a command that stores and one that restores; for the library both are the
call. Each meets all behaviours of the table of tests/drive/drive.cpp, in two cases:

  cold      the origin lives, nothing stands anywhere, the drive misbehaves: the command that stores.
            Then sessions with a drive that does nothing but what all of them do: the disk is wiped,
            the origin is gone: the command that restores. The origin is back: store once more; wipe,
            the origin is gone, restore
  restore   a whole copy stands on the drive, the local disk is wiped, the drive misbehaves

Asked, "wrong/cases"; the cloud is looked into behind the drive's back:

  false success    exit 0 (the library: cached=1), and the cloud does not hold the file at that moment
  call lost        exit is not 0, though the local file is whole: the drive has failed the call
  wrong file served    the command that restores leaves a wrong file under the local name, in the
                   session that misbehaves or in the next one
  not healed       after the last sessions of `cold` the model has not been restored"""
import ctypes
import os
import re
import shutil
import signal
import subprocess
import time

import peers
import sweep
import walks

SIZE = 1500000  # the rules of the table speak of its bytes
MEASURES = ['false success', 'call lost', 'wrong file served', 'not healed']
MKDIR, STORE = 'mkdir -p "$C" && ', ' && cp "$F" "$K"'
WAYS = {  # how it is called, what stores, what restores; nothing: the library's call
    'vqcache': ('vqcache', '', ''),
    'cp': ('`curl -o F && cp F CACHE`; `cp CACHE F`', MKDIR + peers.CURL + STORE, 'cp "$K" "$F"'),
    'careful': ('the same, each by `P && sync P && mv P`', MKDIR + peers.CURL.replace('$F', '$F.part')
                + peers.PART + ' && cp "$F" "$K.part" && sync "$K.part" && mv "$K.part" "$K"',
                'cp "$K" "$F.part"' + peers.PART),
}
SELFTEST = {'cp': (['plain', 'close-fails', 'read-flips-a-bit', 'upload-of-the-large-cut'],
                   ['call lost', 'wrong file served']), 'liar': (['no-quota-left'], MEASURES[:1])}
LIAR = ('`curl -o F; cp F CACHE; exit 0`', MKDIR + peers.CURL + STORE + '; exit 0', 'cp "$K" "$F"')


def behaviours():
    """[(title, rules)] of the table of drive.cpp"""
    with open(os.path.join(sweep.HERE, '..', 'drive', 'drive.cpp')) as f:
        found = re.findall(r'(?m)^    \{"([\w-]+)", "([^"]*)", "[-+?]{6}"\},$', f.read())
    if len(found) < 25:
        raise SystemExit('peers: the table of tests/drive/drive.cpp is not found')
    return found


def lacking(o):
    """why there is no drive, or ''"""
    if not os.path.exists(os.path.join(o.bin, 'drivefs')):
        return 'no drive: it needs g++, pkg-config, libfuse3-dev'
    if not shutil.which('fusermount3') or not os.access('/dev/fuse', os.W_OK):
        return 'no drive: fusermount3 or /dev/fuse is not to be had'
    return ''


class Session:
    """of a drive; it goes with this process"""

    def __init__(self, bench, drivefs, cloud, rules):
        self.at = bench.slow
        os.makedirs(self.at, exist_ok=True)
        self.process = subprocess.Popen([drivefs, cloud, self.at, *rules.split()], preexec_fn=go_along,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self):
        for _ in range(3000):
            with open('/proc/self/mounts') as f:
                if ' %s fuse' % self.at in f.read():
                    return
            if self.process.poll() is not None:
                break
            time.sleep(.002)
        raise RuntimeError('nothing can be mounted at ' + self.at)

    def __exit__(self, *_):
        subprocess.run(['fusermount3', '-u', '-z', self.at], check=False)
        self.process.wait(30)


def go_along():
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


class Trial:
    """one worker; a case is (way, title, rules, situation)"""

    def __init__(self, o):
        self.origin = walks.Origin(SIZE)
        self.bench = peers.Bench(o, self.origin)
        self.right = self.bench.one[peers.FILE]
        self.drivefs = os.path.join(o.bin, 'drivefs')
        self.cloud = self.bench.root + '/cloud'

    def close(self):
        self.bench.close()

    def run(self, case):
        """-> {measure: what is wrong, or ''}"""
        name, _, rules, situation = case
        self.way = LIAR if name == 'liar' else WAYS[name]
        self.bench.setup({})
        shutil.rmtree(self.cloud, ignore_errors=True)
        shutil.rmtree(self.cloud + '.late', ignore_errors=True)
        os.mkdir(self.cloud)
        self.is_gone = False
        self.wiped()
        try:
            return self.cold(rules) if situation == 'cold' else self.restore(rules)
        finally:
            self.has_origin(True)

    def cold(self, rules):
        run, found = self.call(rules, 1), {}
        says_kept = run.rc == 0 and (self.way[1] or 'cached=1' in run.out)
        found['false success'] = 'the cloud has ' + self.of_cloud if says_kept and self.of_cloud else ''
        is_lost = run.rc != 0 and self.local() == 'right'
        found['call lost'] = 'exit %d' % run.rc if is_lost else ''
        self.wiped()
        self.has_origin(False)
        self.call('', 2)
        found['wrong file served'] = self.local() if self.local() not in ('', 'right') else ''
        self.has_origin(True)
        self.call('', 1)
        self.wiped()
        self.has_origin(False)
        run = self.call('', 2)
        is_right = run.rc == 0 and self.local() == 'right'
        found['not healed'] = '' if is_right else 'exit %d, %s' % (run.rc, self.local())
        return found

    def restore(self, rules):
        run = self.call('', 1)
        if run.rc or self.of_cloud:
            raise RuntimeError('%s: nothing can be stored: exit %d' % (self.way[0], run.rc))
        self.wiped()
        self.call(rules, 2)
        return {'wrong file served': self.local() if self.local() not in ('', 'right') else ''}

    def call(self, rules, which):
        """a session, and one call in it; which: 1 stores, 2 restores"""
        b = self.bench
        command = b.command(peers.SCENARIOS['curl' if self.way[which] else 'vqcache'])
        if self.way[which]:
            command = ['sh', '-c', self.way[which]]
        self.origin.expect('plain', 0)
        with Session(b, self.drivefs, self.cloud, rules):
            run = b.start([b.faultrun, '--no-sleep', '--', *command])
            kept = self.of(self.cloud + peers.COPY.replace('C/', '/models/', 1))
            self.of_cloud = '' if kept == 'right' else kept or 'nothing'
        return run

    def local(self):
        return self.of(self.bench.path(peers.LOCAL))

    def of(self, path):
        """what stands there: right, nothing ('') or how many bytes"""
        if not os.path.exists(path):
            return ''
        with open(path, 'rb') as f:
            data = f.read()
        return 'right' if data == self.right else '%d wrong bytes' % len(data)

    def wiped(self):
        shutil.rmtree(self.bench.path('L'), ignore_errors=True)
        os.makedirs(os.path.dirname(self.bench.path(peers.LOCAL)))

    def has_origin(self, lives):
        if self.is_gone == lives:
            (self.origin.listen if lives else self.origin.gone)()
        self.is_gone = not lives


# ---- all of them ---------------------------------------------------------------------------------

def tried(o, cases):
    tallies = {name: peers.Tally() for name in dict.fromkeys(case[0] for case in cases)}
    for i, found in sweep.in_parallel(o.jobs, lambda: Trial(o), cases,
                                      lambda trial, case: trial.run(case)):
        name, title, _, situation = cases[i]
        tallies[name].add(situation, found, '%s/%s' % (title, situation))
    return tallies


def cases_of(o, names, titles=()):
    some = [one for one in behaviours() if not titles or one[0] in titles]
    if o.quick and not titles:
        some = some[::6]
    return [(name, *one, situation) for one in some for name in names for situation in ('cold', 'restore')]


def unnoticed(o):
    """what should have been seen of commands that trust the drive"""
    cases = [case for name, (titles, _) in SELFTEST.items() for case in cases_of(o, [name], titles)]
    tallies = tried(o, cases)
    for name, tally in tallies.items():
        print('selftest %-12s %s' % (name, ', '.join('%s %s' % (m, tally.shown(m)) for m in MEASURES)))
    return ['%s: cloud drive: "%s" was not noticed' % (name, measure) for name, (_, must) in SELFTEST.items()
            for measure in must if not tallies[name].of(measure)[0]]


def drive(o):
    """prints what the drives show -> (what is kept of it, what failed)"""
    why = lacking(o)
    if why:
        print('skipped: cloud drive: ' + why)
        return {'skipped': why}, []
    started = time.time()
    tallies = tried(o, cases_of(o, list(WAYS)))
    print('\n'.join(['A copy on a cloud drive that misbehaves (clouds.py)', '',
                     '| commands | %s |' % ' | '.join(MEASURES), '| --- ' * (len(MEASURES) + 1) + '|'] + [
                         '| %s | %s |' % (WAYS[name][0], ' | '.join(t.shown(m) for m in MEASURES))
                         for name, t in tallies.items()] + ['']))
    print('\n'.join('%s: %s: %s' % (name, m, why) for name, t in tallies.items() for m, why in t.examples.items()))
    found = {'what': 'each behaviour of the drive of tests/drive, in a cold call and in a restore. What is '
                     'asked: tests/faults/clouds.py', 'behaviours': len(behaviours()), 'bytes of the file': SIZE,
             'seconds': round(time.time() - started),
             'rows': [walks.row(name, t, MEASURES, WAYS[name][0]) for name, t in tallies.items()]}
    return found, ['cloud drive: %s: %s' % one for one in tallies['vqcache'].examples.items()]
