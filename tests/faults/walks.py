"""walks.py: what peers.py calls the drive: calls by chance, one after the other, on the same disks.

A walk is STEPS calls of one command, and a last one without a fault. Before each call, by chance (and
a fixed seed; each command takes the same walks), the local disk is wiped, and then one thing happens:

  plain      nothing
  gone       nobody listens at the origin's port while the call lasts
  500        the origin answers each request with a page and status 500
  cut        the connection ends somewhere in the body, once
  late       the origin rests for 0.4 s somewhere in the body, once
  kill       SIGKILL to all processes of the call, before a system call drawn from as many as a cold
             call makes on the two directories and on sockets
  full       from a drawn call on, everything that needs space on one disk says ENOSPC
  rot        after a call without a fault one byte of the file has flipped, and its time is as before:
             of the local one or, where the disk is wiped then, of the copy. (What a killed call has
             left without a receipt, the library serves and says that nothing vouches for it)

The file has MiB bytes, and the origin sends them in pieces, 1.5 ms apart. Asked after each call
("wrong/cases"), where a copy counts for those commands that read it (the library; cp):

  false success   exit 0, and a file that it speaks of is missing or wrong
  wrong file      under a final name stands what is not the whole right file, and did not before
  lost            the right file stood under the local name, and stands there no more
  fails though it is there    exit is not 0, but the right file stood there, and no kill was to blame
                  (a full disk: the right file stood under the local name)
  fetched again   more than a quarter of the file that had come before, and that no wipe or rot took, was
                  sent again in a call that was not killed and had an origin and space
  rotten file served      exit 0 over a local file of which a byte has flipped before. The library's
                  hit compares sizes, as its manual says, and only verify() reads all bytes
  rotten copy restored    exit 0, and the local file came from a copy of which a byte has flipped
  not healed      a call without a fault ends with another exit than 0, or without the right files"""
import collections
import os
import random
import shutil
import socket
import threading
import time

import peers
import sweep

STEPS, BLOCK, PIECE, MIB = 8, 4096, 1 << 15, 1 << 20
ON_WIRE = ['gone', '500', 'cut', 'late']
EVENTS = ['plain'] * 2 + ON_WIRE + ['cut'] + ['kill'] * 3 + ['full'] * 2 + ['rot'] * 3
MEASURES = ['false success', 'wrong file', 'lost', 'fails though it is there', 'fetched again',
            'rotten file served', 'rotten copy restored', 'not healed']
UNHASHED = MEASURES[5]  # by the library's hit, as its manual says
SELFTEST_WALKS = [0, 4, 8, 13]
SELFTEST = {  # what must be noticed of whom; of the careful one and of cp, nothing else may be
    'liar': [*MEASURES[:3], MEASURES[4]], 'believer': [MEASURES[0], MEASURES[5], MEASURES[7]],
    'curl-careful': MEASURES[3:5], 'cp': [*MEASURES[1:3], MEASURES[6]]}

Step = collections.namedtuple('Step', 'is_wiped event where tier')
Usual = collections.namedtuple('Usual', 'planted calls space')  # of a command: what a cold call makes


def drawn(number):
    """the steps of a walk; `where` is how far in, of what the event is about"""
    chance = random.Random('%d %d' % (peers.SEED, number))
    return [Step(chance.random() < .5, chance.choice(EVENTS), chance.random(),
                 chance.choice(('local', 'cache'))) for _ in range(STEPS)]


# ---- the origin ----------------------------------------------------------------------------------

def mask(first, end):
    """the blocks that lie whole in these bytes, a bit each"""
    a, z = -(-first // BLOCK), end // BLOCK
    return (1 << z) - (1 << a) if z > a else 0


class Origin:
    """one file under two names, as sweep.serve has it; it does what it is told, and counts"""

    def __init__(self, size=MIB):
        self.right = sweep.make_model(size // 32)
        self.file = self.right['.ckpt']
        self.tag, self.digest = tag_of(self.file)
        self.listener, self.port = None, 0
        self.expect('plain', 0)
        self.listen()

    def listen(self):
        """on the same port again, which lies below those that the system gives to others"""
        for _ in range(500):
            self.listener = socket.socket()
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                self.listener.bind(('127.0.0.1', self.port or random.SystemRandom().randrange(20000, 32000)))
                break
            except OSError:
                self.listener.close()
                time.sleep(.02)
        self.port = self.listener.getsockname()[1]
        self.listener.listen(64)
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def gone(self):
        self.listener.shutdown(socket.SHUT_RDWR)  # which wakes accept
        self.listener.close()

    def accept(self, listener):
        while True:
            try:
                c, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(c, self.now), daemon=True).start()

    def expect(self, event, where):
        """how the next call is answered"""
        self.now = {'event': event, 'at': int(where * len(self.file)), 'sent': 0, 'again': 0,
                    'used': False}

    def serve(self, c, now):
        try:
            with c:
                c.settimeout(20)
                c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                head = b''
                while b'\r\n\r\n' not in head:
                    more = c.recv(65536)
                    if not more:
                        return
                    head += more
                self.answer(c, head.split(b'\r\n'), now)
        except OSError:
            pass  # killed callers hang up

    def answer(self, c, lines, now):
        if now['event'] == '500':
            page = b'<html>It does not work today.</html>\n'
            c.sendall(b'HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/html\r\n'
                      b'Content-Length: %d\r\nConnection: close\r\n\r\n%s' % (len(page), page))
            return
        fields = {k.lower(): v for k, _, v in (x.partition(b': ') for x in lines[1:])}
        first, end, status, extra = 0, len(self.file), b'200 OK', b''
        wanted = fields.get(b'range', b'')
        if wanted.startswith(b'bytes=') and fields.get(b'if-range', self.tag) == self.tag:
            a, _, z = wanted[6:].partition(b'-')
            first, end = int(a or 0), min(int(z or end - 1), end - 1) + 1
            status = b'206 Partial Content'
            extra = b'Content-Range: bytes %d-%d/%d\r\n' % (first, end - 1, len(self.file))
            if first >= len(self.file):
                first, end, status = 0, 0, b'416 Range Not Satisfiable'
                extra = b'Content-Range: bytes */%d\r\n' % len(self.file)
        if sweep.HUB in lines[0]:
            extra += b'X-Repo-Commit: %s\r\nX-Linked-Size: %d\r\nX-Linked-Etag: "%s"\r\n' % (
                sweep.HUB_COMMIT.encode(), len(self.file), self.digest)
        c.sendall(b'HTTP/1.1 %s\r\nETag: %s\r\nAccept-Ranges: bytes\r\n%sContent-Length: %d\r\n'
                  b'Content-Type: application/octet-stream\r\nConnection: close\r\n\r\n'
                  % (status, self.tag, extra, end - first))
        if not lines[0].startswith(b'HEAD '):
            self.body(c, first, end, now)

    def body(self, c, first, end, now):
        at = first
        while at < end:
            upto = min(at + PIECE, end)
            is_here = now['event'] in ('cut', 'late') and not now['used'] and upto > now['at']
            now['used'] = now['used'] or is_here
            if is_here and now['event'] == 'late':
                time.sleep(.4)
            if is_here and now['event'] == 'cut':
                upto = max(at, now['at'])
            c.sendall(self.file[at:upto])
            new = mask(first, upto) & ~mask(first, at)
            now['again'] |= new & now['sent']  # on another connection of the same call
            now['sent'] |= new
            at = upto
            if is_here and now['event'] == 'cut':
                return
            time.sleep(.0015)


def is_much(blocks):
    return bin(blocks).count('1') * BLOCK * 4 > MIB


def tag_of(data):
    """(ETag, SHA-256) as the origin shows them"""
    digest = peers.hashlib.sha256(data).hexdigest().encode()
    return b'"' + digest[:16] + b'"', digest


# ---- one walk ------------------------------------------------------------------------------------

class Walker:
    """one worker; walks are (name, number)"""

    def __init__(self, o):
        self.origin = Origin()
        self.bench = peers.Bench(o, self.origin)
        self.right = self.bench.one[peers.FILE]
        self.all = mask(0, len(self.right))
        self.usual = {}

    def close(self):
        self.bench.close()

    def run(self, walk):
        """-> [(kind, {measure: what is wrong, or ''})] of its calls"""
        name, number = walk
        if name not in self.usual:
            self.usual[name] = self.learnt(name)
        self.name, self.one = name, peers.ALL[name]
        self.reads_copy = peers.is_ours(name) or self.one.restore
        self.bench.prepare(name, self.usual[name].planted)
        self.held, self.rotten, seen = 0, {}, []
        for step in drawn(number) + [Step(False, 'plain', 0, 'local')]:
            if self.one.restore and step.event in ON_WIRE:
                step = step._replace(event='plain')
            seen.append(self.step(step))
        return seen

    def learnt(self, name):
        """what stands there before, and how much a cold call does"""
        b, s = self.bench, peers.SCENARIOS[name]
        planted = {peers.COPY: self.right} if peers.ALL[name].restore else {}
        self.origin.expect('plain', 0)
        b.prepare(name, planted)
        run, calls = b.traced(s, ())
        if run.rc:
            raise RuntimeError('%s without a fault: exit %d: %s' % (name, run.rc, run.err[-200:]))
        if peers.ALL[name].restore:
            calls = [c for c in calls if c.tier in ('local', 'cache')]
        space = collections.Counter(c.tier for c in calls if c.name in sweep.SPACE.split(','))
        return Usual(planted, len(calls), space)

    # ---- a step

    def step(self, step):
        kind = self.happens(step)
        before = self.bench.snapshot()
        stood = {x: before.get(x) == self.right for x in (peers.LOCAL, peers.COPY)}
        held, run = self.held, self.call(step)
        sent = self.origin.now['sent']
        after = self.bench.snapshot()
        found = self.judged(step, kind, run, stood, before, after)
        again = (sent & held) | self.origin.now['again']
        if step.event in ('plain', 'late', 'cut') and is_much(held | again) and not self.one.restore:
            found['fetched again'] = '%d blocks' % bin(again).count('1') if is_much(again) else ''
        self.remember(step, sent, after)
        return kind, found

    def happens(self, step):
        """wipes, and lets bytes rot -> what it is called in the counts"""
        b = self.bench
        if step.event == 'rot':
            self.call(Step(False, 'plain', 0, 'local'))
        if step.is_wiped:
            shutil.rmtree(b.path('L'), ignore_errors=True)
            shutil.rmtree(b.env['HOME'])
            os.mkdir(b.env['HOME'])
            if not peers.is_ours(self.name):
                os.makedirs(os.path.dirname(b.path(peers.LOCAL)))
            self.rotten.pop(peers.LOCAL, None)
            is_copy_right = b.snapshot().get(peers.COPY) == self.right
            self.held = self.all if self.reads_copy and is_copy_right else 0
        if step.event == 'rot':
            label = peers.COPY if step.is_wiped and self.reads_copy else peers.LOCAL
            if self.rot(label, step.where):
                return 'rot of the copy' if label == peers.COPY else 'rot of the local file'
            return 'plain'
        return step.event

    def rot(self, label, where):
        """-> whether there was a right file, of which one byte now has flipped"""
        path = self.bench.path(label)
        if label == peers.LOCAL and not os.path.exists(path):
            path = os.path.realpath(self.bench.path(peers.POINTER))
        if not os.path.isfile(path) or self.bench.snapshot().get(label) != self.right:
            return False
        time_before, at = os.stat(path).st_mtime_ns, int(where * len(self.right))
        data = bytearray(self.right)
        data[at] ^= 16
        with open(path, 'r+b') as f:
            f.write(data)
        os.utime(path, ns=(time_before, time_before))
        self.rotten[label], self.held = bytes(data), 0
        return True

    def call(self, step):
        b, s, usual = self.bench, peers.SCENARIOS[self.name], self.usual[self.name]
        self.origin.expect(step.event, step.where)
        if step.event == 'gone':
            self.origin.gone()
        try:
            if step.event == 'kill':
                k = 1 + int(step.where * usual.calls)
                return b.faulted(s, sweep.Case(self.name, 'kill', '*', '', k, '-', 'tmp'))[0]
            tier = step.tier if usual.space[step.tier] else 'local'
            if step.event == 'full' and usual.space[tier]:
                k = 1 + int(step.where * usual.space[tier])
                return b.faulted(s, sweep.Case(self.name, 'full', 'SPACE', tier, k, 'ENOSPC', 'tmp'))[0]
            return b.start([b.faultrun, '--no-sleep', '--', *b.command(s)])
        finally:
            if step.event == 'gone':
                self.origin.listen()

    # ---- what is asked of it

    def judged(self, step, kind, run, stood, before, after):
        labels = [peers.LOCAL] + ([] if self.one.restore else [peers.COPY])
        known = {x for x in (peers.LOCAL, peers.COPY) if after.get(x) in self.rotten.values()}
        sound = {x: self.right if x in known else data for x, data in after.items()}
        lie = '' if run.rc else peers.wrong_of(self.name, run, sound, self.bench.one)
        wrong = [x for x in labels if x in after and x not in known
                 and after[x] not in (self.right, before.get(x))]
        found = {'false success': lie, 'wrong file': ', '.join(
            '%s has %d bytes' % (x, len(after[x])) for x in wrong)}
        if stood[peers.LOCAL]:
            found['lost'] = '' if after.get(peers.LOCAL) == self.right else 'exit %d' % run.rc
        if self.is_there(step, stood):
            found['fails though it is there'] = 'exit %d' % run.rc if run.rc else ''
        was_rotten = {x for x in (peers.LOCAL, peers.COPY) if before.get(x) in self.rotten.values()}
        served = 'exit 0' if run.rc == 0 and peers.LOCAL in known else ''
        if peers.LOCAL in was_rotten and not self.one.restore:
            found['rotten file served'] = served
        if peers.COPY in was_rotten and self.reads_copy and peers.LOCAL not in before:
            found['rotten copy restored'] = served
        if kind == 'plain':
            found['not healed'] = 'exit %d' % run.rc if run.rc else lie
        found[peers.HANG] = 'after %d s' % sweep.LIMIT if run.rc == 124 else ''
        return found

    def is_there(self, step, stood):
        """whether this call could have been served without anybody else"""
        if step.event in ('kill', 'rot'):
            return False
        if self.one.restore:
            return step.event != 'full' and stood[peers.COPY]
        return stood[peers.LOCAL] or (self.reads_copy and step.event != 'full' and stood[peers.COPY])

    def remember(self, step, sent, after):
        """what of the file need not come again; what has rotted is forgotten where it is gone"""
        rotten = self.rotten.values()
        self.rotten = {x: after[x] for x in (peers.LOCAL, peers.COPY) if after.get(x) in rotten}
        if self.one.restore and self.rotten.pop(peers.COPY, None):  # else the walk is over
            with open(self.bench.path(peers.COPY), 'wb') as f:
                f.write(self.right)
        if after.get(peers.LOCAL) == self.right or (
                self.reads_copy and after.get(peers.COPY) == self.right):
            self.held = self.all
        elif self.rotten:
            self.held = 0
        elif step.event != 'full':  # what came may not have found a place
            self.held |= sent


# ---- all of them ---------------------------------------------------------------------------------

def how_many(o, is_python):
    if o.quick:
        return 1
    return o.walks // 3 if is_python else o.walks


def tried(o, names, numbers=None):
    """-> {peer: Tally}, of so many walks each, and of fewer for a Python program, which takes a second"""
    walks = [(name, n) for name in names
             for n in numbers or range(how_many(o, peers.is_python(name)))]
    walks.sort(key=lambda walk: walk[1])  # so that the slow ones are not the last
    tallies = {name: peers.Tally() for name in names}
    for i, seen in sweep.in_parallel(o.jobs, lambda: Walker(o), walks,
                                     lambda walker, walk: walker.run(walk)):
        name, number = walks[i]
        for nth, (kind, found) in enumerate(seen):
            tallies[name].add(kind, found, '--walk %s,%d: call %d, %s' % (name, number, nth + 1, kind))
    return tallies


def again(o, name, number):
    """one walk, told call by call"""
    walker = Walker(o)
    try:
        steps = drawn(number)
        for nth, (kind, found) in enumerate(walker.run((name, number))):
            wiped = ', wiped' if nth < STEPS and steps[nth].is_wiped else ''
            print('%d %s%s: %s' % (nth + 1, kind, wiped, {m: w for m, w in found.items() if w} or 'ok'))
    finally:
        walker.close()


def unnoticed(tallies):
    """what should have been seen of a broken command and was not, or of a careful one and was"""
    bad = []
    for name, must_show in SELFTEST.items():
        for measure in MEASURES:
            wrong, cases = tallies[name].of(measure)
            if measure in must_show and not wrong:
                bad.append('%s: drive: "%s" was not noticed in %d calls' % (name, measure, cases))
            if wrong and measure not in must_show and name not in peers.BROKEN:
                bad.append('%s: drive: %s: %s' % (name, measure, tallies[name].examples[measure]))
    return bad


def failures(tallies):
    """what the library did wrong"""
    return ['drive: %s: %s' % (measure, why) for name, tally in tallies.items() if peers.is_ours(name)
            for measure, why in tally.examples.items()
            if measure != UNHASHED]


def table(tallies):
    lines = ['The drive: calls by chance, one after the other (walks.py)', '',
             '| command | ' + ' | '.join(MEASURES) + ' | calls |', '| --- ' * (len(MEASURES) + 2) + '|']
    for name, tally in tallies.items():
        lines.append('| %s | %s | %d |' % (
            peers.ALL[name].how, ' | '.join(tally.shown(m) for m in MEASURES), tally.ran))
    return '\n'.join(lines)


def row(name, tally, measures, how):
    """the kinds of events only where something was wrong"""
    found = {'peer': name, 'command': how, **tally.as_json(measures)}
    for measure in found['measures'].values():
        if not measure['wrong']:
            del measure['kinds']
    return found


def as_json(o, tallies, seconds):
    weights = ', '.join('%s %d' % one for one in collections.Counter(EVENTS).items())
    return {'what': 'calls by chance, one after the other, on the same disks, %d in a walk and a last one '
                    'without a fault. Before each the local disk is wiped with probability 1/2; then '
                    'one of these, by weight: %s. What each is, and what is asked: tests/faults/walks.py'
                    % (STEPS, weights),
            'seed': peers.SEED, 'walks': how_many(o, False), 'walks of a Python program': how_many(o, True),
            'bytes of the file': MIB, 'seconds': round(seconds),
            'rows': [row(name, tally, MEASURES + [peers.HANG], peers.ALL[name].how)
                     for name, tally in tallies.items()]}
