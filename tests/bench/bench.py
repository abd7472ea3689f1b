#!/usr/bin/env python3
"""bench.py [--size 1G] [--runs 5] [--only CASE]... [--json OUT] [--write]: vqcache.hpp against its peers.

The same bytes from the same nginx on 127.0.0.1, the contenders of a case in turn (rotated from run
to run), each as a whole process from its start to its end. Each is timed until its files are synced.
Before a run its files are removed and the disk has written everything; files that are read are
dropped from the page cache. After a run every file is compared with the origin's byte by byte, and a
run that failed or left other bytes is void: it counts as a failure, whatever its time.

A table in Markdown goes to standard output, what is going on to standard error. Ratios are of the
medians of one invocation. The bars were set for 1 GiB on a quiet machine; no time fails a build. The
last line counts results: those measured (met or not), those where vqcache failed, and those that could
not be measured here.

Cases (--only may be given more than once):
  disk     an unthrottled download to both tiers on the disk, hashed and synced
  tmpfs    the same with both tiers in memory
  limited  --rate bytes a second for each connection, up to 8 connections
  slow     the cache is 5 times slower than the network: when is the local pair published?
  restore  from the cache to local, cold and warm, the hash verified
  reflink  the same on a file system that clones files
  small    a model of 1 MB
  hit      both files are local
  sets     a set of 1,000 files of 100 KB: one tier in memory, and both tiers on the disk
  upkeep   a list of 10,000 models in both tiers, and every byte of one file verified
  stores   the copy is in an object store: a cold call, a restore, the memory of each (stores.py)
With --against DIR the peer is the vqcache.hpp in DIR and nothing else, in pairs, in the cases disk,
limited, restore and hit: what a change of the header costs.
With --write the results are kept as tests/bench/results.json, and report.py makes of them what README
shows: its section "Speed" and the chart examples/benchmark.svg. Nothing is written where vqcache failed.
Peak memory is taken of every run of every case."""
import argparse
import contextlib
import ctypes
import fcntl
import hashlib
import json
import os
import platform
import re
import resource
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SERVERS = os.path.join(ROOT, 'tests', 'servers')
sys.path.insert(0, SERVERS)
sys.path.insert(0, HERE)
import common  # noqa: E402
import report  # noqa: E402
import stores  # noqa: E402
from report import shown_size  # noqa: E402

GIB = 1 << 30
NOWHERE = 'http://127.0.0.1:9/none/'  # an origin that a restore or a hit must not ask
CASES = ['disk', 'tmpfs', 'limited', 'slow', 'restore', 'reflink', 'small', 'hit', 'sets',
         'upkeep', 'stores']
PAIRED = ['disk', 'limited', 'restore', 'hit']  # those of --against
PAIRED_BAR = 1.05
SET_FILES, SET_SIZE = 1000, 100000
LISTED = 10000  # models

POOCH = """import logging, pooch, shutil, sys
url, digest, local, cache = sys.argv[1:]
pooch.get_logger().setLevel(logging.ERROR)
shutil.copy(pooch.retrieve(url, known_hash='sha256:' + digest, fname='m.ckpt', path=local), cache)
"""
HUB = """import shutil, sys
from huggingface_hub.file_download import http_get
url, size, local, cache = sys.argv[1:]
with open(local + '/m.ckpt', 'wb') as f:
    http_get(url, f, expected_size=int(size))
shutil.copy(local + '/m.ckpt', cache)
"""

SNAPSHOT = """import sys
from huggingface_hub import snapshot_download
snapshot_download('bench/set', local_dir=sys.argv[1])
"""


class Skip(Exception):
    """a case that cannot be measured here, and why"""


class Broken(Exception):
    """a case that vqcache failed before anything could be measured"""


def note(text):
    print(text, file=sys.stderr, flush=True)


def bytes_of(text):
    m = re.fullmatch(r'(\d+(?:\.\d+)?)\s*([kKmMgG]?)(?:i?[bB])?', text)
    if not m:
        raise argparse.ArgumentTypeError('not a size: ' + text)
    return int(float(m.group(1)) * {'': 1, 'k': 1 << 10, 'm': 1 << 20, 'g': GIB}[m.group(2).lower()])


def shown_time(s):
    for least, unit, name in ((1, 1, 's'), (1e-3, 1e-3, 'ms'), (0, 1e-6, 'us')):
        if s >= least:
            return '%.*f %s' % (2 if s / unit < 100 else 0, s / unit, name)


def program(name):
    return shutil.which(name) or shutil.which(name, path='/usr/sbin:/sbin:/usr/local/sbin')


def output(*command):
    """what a command prints, or '' where it cannot run"""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, timeout=60, universal_newlines=True)
        return done.stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ''


def compiler():
    return os.environ.get('CXX') or program('g++') or program('c++') or 'c++'


def free(where):
    s = os.statvfs(where)
    return s.f_bavail * s.f_frsize


def kind_of(where):
    """the type of the file system that holds a directory"""
    lines = output('df', '--output=fstype', where).splitlines()
    return lines[-1].strip() if len(lines) > 1 else '?'


def clean_environment():
    """nothing that the user set for vqcache or a peer changes what is measured"""
    set_by_user = (r'(?i)(.*_proxy|VQCACHE_(?!STORES_DIR$).*|HF_.*|POOCH_.*|CURL_HOME|PYTHON.*|'
                   r'AWS_.*|RCLONE_.*|.*_CA_BUNDLE)$')
    for name in list(os.environ):
        if re.match(set_by_user, name):
            del os.environ[name]
    os.environ.update(LC_ALL='C', HF_HUB_DISABLE_PROGRESS_BARS='1', HF_HUB_DISABLE_TELEMETRY='1',
                      PYTHONDONTWRITEBYTECODE='1')


def dies_with_parent():
    """so that no helper outlives a killed benchmark (Linux)"""
    os.setsid()
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def kill(child):
    """a program and all that it started"""
    with contextlib.suppress(OSError):
        os.killpg(child.pid, signal.SIGKILL)


@contextlib.contextmanager
def ended(child):
    """what runs must not outlive an interrupted wait for it"""
    try:
        yield
    except BaseException:
        kill(child)
        child.wait()
        raise


def drop(path):
    """takes a file out of the page cache"""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(fd)


def is_shared(path):
    """whether the first extent of a file is shared with another file; None: cannot be told"""
    query = bytearray(struct.pack('=QQIIII', 0, 2 ** 64 - 1, 1, 0, 1, 0) + bytes(56))
    with open(path, 'rb') as f:
        try:
            fcntl.ioctl(f, 0xC020660B, query)  # FS_IOC_FIEMAP
        except OSError:
            return None
    count, = struct.unpack_from('=I', query, 20)
    flags, = struct.unpack_from('=I', query, 32 + 40)
    return bool(count and flags & 0x2000)


class Contender:
    """one way to do the task of a case: its command, and the files that must then be right"""

    def __init__(self, name, command, files, prepare=None, ours=None, runs=None, watch=None):
        self.name = name
        self.command = command if isinstance(command, list) else ['sh', '-c', 'set -e; ' + command]
        self.files = files      # {path: the file of the origin that it must equal}
        self.prepare = prepare  # untimed, before each run
        self.ours = ours        # for vqcache: what its answer must hold, {'from': ...}
        self.runs = runs        # fewer than the others, for what is slow and steady
        self.watch = watch      # files whose appearance is timed too: all of one of these lists
        self.times, self.seen, self.cpu, self.void = [], [], [], []
        self.peaks = []  # KiB, of vqcache alone


class Bench:
    def __init__(self, arguments, stack):
        self.a, self.stack = arguments, stack
        self.python = arguments.python or sys.executable
        self.case = ''
        self.date = time.strftime('%Y-%m-%d', time.gmtime())
        self.rows, self.skipped, self.samples, self.peaks, self.checked = [], [], {}, [], 0
        self.disk = self.scratch(arguments.disk or self.choose_disk())
        ram = arguments.ram or '/dev/shm'
        self.ram = None
        if os.path.isdir(ram) and os.access(ram, os.W_OK) and kind_of(ram) in ('tmpfs', 'ramfs'):
            self.ram = self.scratch(ram)
        self.build()
        self.serve()
        self.libcurl = self.over_libcurl()
        if not self.libcurl:
            self.skip('all', 'libcurl cannot be loaded: vqcache runs over the curl program')

    # ---- the stage ----

    def scratch(self, where):
        """a directory that is removed at the end; locked, for a killed run's goes with the next run"""
        def locked(path):
            fd = os.open(path, os.O_RDONLY)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(fd)
                return -1
            return fd
        for name in os.listdir(where):
            old = os.path.join(where, name)
            with contextlib.suppress(OSError):
                if name.startswith('vqcache-bench-') and os.stat(old).st_uid == os.geteuid() and \
                        time.time() - os.stat(old).st_mtime > 60:
                    fd = locked(old)
                    if fd >= 0:
                        note('removing what a killed run left: ' + name)
                        shutil.rmtree(old, ignore_errors=True)
                        os.close(fd)
        made = tempfile.mkdtemp(prefix='vqcache-bench-', dir=where)
        self.stack.callback(os.close, locked(made))
        self.stack.callback(shutil.rmtree, made, ignore_errors=True)
        return made

    @staticmethod
    def choose_disk():
        """where temporary files go, unless that is memory and another usual place is not"""
        usual = [tempfile.gettempdir(), '/var/tmp', os.path.expanduser('~')]
        for where in usual:
            if os.path.isdir(where) and os.access(where, os.W_OK) and \
                    kind_of(where) not in ('tmpfs', 'ramfs'):
                return where
        return usual[0]

    def compiled(self, source, *more, include=None, name=None):
        binary = os.path.join(self.disk, name or os.path.splitext(source)[0])
        command = [compiler(), '-std=c++17', '-O2', '-I', include or self.a.include,
                   os.path.join(HERE, source), '-o', binary, '-pthread', *more]
        child = subprocess.Popen(command, stderr=subprocess.PIPE, universal_newlines=True,
                                 preexec_fn=dies_with_parent)
        with ended(child):
            said = child.communicate()[1]
        return binary if child.returncode == 0 else '', said

    def build(self):
        self.driver, said = self.compiled('driver.cpp', '-ldl')
        if not self.driver:
            sys.exit('driver.cpp does not compile:\n' + said)
        self.other_driver = ''
        if self.a.against:
            self.other_driver, said = self.compiled('driver.cpp', '-ldl', include=self.a.against,
                                                    name='other-driver')
            if not self.other_driver:
                sys.exit('driver.cpp does not compile with %s:\n%s' % (self.a.against, said))
        self.idle = json.loads(output(self.driver, 'idle'))['peak']

    def serve(self):
        """the model, in memory where there is room for it, and nginx before it"""
        if not program('nginx'):
            print('skipped: nginx is not installed')
            sys.exit(77)
        size = self.a.size
        at = self.ram if self.ram and free(self.ram) > size * 1.1 + (64 << 20) else self.disk
        self.www = os.path.join(at, 'www')
        os.mkdir(self.www)
        self.yaml, self.ckpt = (os.path.join(self.www, n) for n in ('model.yaml', 'last.ckpt'))
        self.small_ckpt = os.path.join(self.www, 'small.ckpt')
        note('making a checkpoint of ' + shown_size(size))
        digest = hashlib.sha256()
        with open(self.yaml, 'wb') as f:
            f.write(common.config().cut())
        with open(self.ckpt, 'wb') as f:
            for piece in common.checkpoint(size, 'bench').read():
                digest.update(piece)
                f.write(piece)
        with open(self.small_ckpt, 'wb') as f:
            f.writelines(common.checkpoint(10 ** 6, 'bench').read())
        self.digest = digest.hexdigest()
        server = subprocess.Popen([sys.executable, os.path.join(SERVERS, 'nginx.py'), self.www],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  universal_newlines=True, preexec_fn=dies_with_parent)

        def stop():
            server.stdin.close()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
        self.stack.callback(stop)
        line = server.stdout.readline()
        if 'http=' not in line:
            sys.exit('nginx does not start')
        self.url = 'http://127.0.0.1:%s/' % re.search(r'http=(\d+)', line).group(1)

    def over_libcurl(self):
        """whether vqcache can load libcurl here; else it runs over the curl program"""
        at = self.folder(self.disk, 'probe')
        command = self.get(self.url, at, at + '-cache', transport='libcurl')
        done = subprocess.run([a.replace('last.ckpt', 'small.ckpt') for a in command],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for f in (at, at + '-cache'):
            shutil.rmtree(f, ignore_errors=True)
        return done.returncode == 0

    def limited_url(self, rate):
        return '%srate/%d/' % (self.url, rate)

    # ---- one run ----

    def run(self, c):
        if c.prepare:
            c.prepare()
        limit = 300 + self.a.size / 2e6
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.monotonic()
        child = subprocess.Popen(c.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, cwd=self.disk,
                                 preexec_fn=dies_with_parent)

        timer = threading.Timer(limit, kill, [child])
        timer.start()
        seen = []
        watcher = threading.Thread(target=self.watch, args=(c.watch, child, start, seen), daemon=True)
        watcher.start()
        try:
            with ended(child):
                out, err = child.communicate()
        finally:
            timer.cancel()
        took = time.monotonic() - start
        watcher.join()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        c.times.append(took)
        c.cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        c.seen += seen
        why = self.judge(c, child.returncode, out.decode(errors='replace'), err.decode(errors='replace'))
        if c.watch and not seen:
            why = why or 'the pair was never published'
        if why:
            c.void.append(why)
        note('  %-44s %9s%s  %s' % (c.name, shown_time(took),
                                    ', published ' + shown_time(seen[0]) if seen else '',
                                    'VOID: ' + why if why else 'right'))

    @staticmethod
    def watch(lists, child, start, seen):
        while lists:
            if any(all(os.path.exists(p) for p in names) for names in lists):
                seen.append(time.monotonic() - start)
                return
            if child.returncode is not None:
                return
            time.sleep(.002)

    def judge(self, c, status, out, err):
        """what is wrong with a run, or ''"""
        if status and c.ours is not None:
            with contextlib.suppress(ValueError):
                out, err = json.loads(out)['error'], ''
        if status:
            return 'it ended with status %d: %s' % (status, ' '.join((err or out).split())[-300:])
        if c.ours is not None:
            answer = json.loads(out)
            self.peaks.append((answer['peak'], self.case))
            c.peaks.append(answer['peak'])
            for key, value in c.ours.items():
                if answer[key] != value:
                    return '%s is %s: %s' % (key, answer[key], answer['said'])
        for path, right in c.files.items():
            if not os.path.isfile(path):
                return os.path.basename(path) + ' is missing'
            if subprocess.call(['cmp', '-s', path, right]):
                return os.path.basename(path) + ' has other bytes than the origin'
            self.checked += 1
        return ''

    def race(self, case, contenders):
        """all contenders in turn, the next one first in the next run"""
        note('%s:' % case)
        for i in range(self.a.runs):
            k = i % len(contenders)
            for c in contenders[k:] + contenders[:k]:
                if c.runs is None or len(c.times) < c.runs:
                    self.run(c)
        self.samples.setdefault(case, {}).update({c.name: self.sample(c) for c in contenders})

    @staticmethod
    def sample(c):
        """all single values of a contender, without what it does not have"""
        values = {'seconds': c.times, 'published': c.seen, 'cpu': c.cpu}
        return {what: some for what, some in dict(values, void=c.void).items() if some}

    def pairs(self, case, text, ours):
        """the same with the header of --against, one after the other, by turns the first"""
        other = Contender('the other vqcache.hpp', [self.other_driver] + ours.command[1:], ours.files,
                          ours.prepare, ours.ours)
        self.race(case, [ours, other])
        self.row(case, text, ours, other, PAIRED_BAR)

    # ---- results ----

    def row(self, case, text, ours, peer, bar=None, published=False, peer_published=False):
        mine = ours.seen if published else ours.times
        theirs = peer.seen if peer_published else peer.times
        ratio = None
        if not ours.void and not peer.void:
            ratio = statistics.median(mine) / statistics.median(theirs)
        self.rows.append({
            'case': case, 'text': text, 'contender': ours.name, 'peer': peer.name,
            'seconds': statistics.median(mine) if mine else None,
            'peer_seconds': statistics.median(theirs) if theirs else None, 'ratio': ratio, 'bar': bar,
            'void': ours.void, 'peer_void': peer.void,
            'ours': self.times(mine), 'theirs': self.times(theirs),
            'verdict': 'void' if ratio is None else '' if bar is None else
                       'met' if ratio <= bar else 'missed'})
        if peer.void and not ours.void:
            self.skip(case, '%s: %s' % (peer.name, peer.void[0]))

    @staticmethod
    def times(values):
        if not values:
            return '-'
        if len(values) == 1:
            return shown_time(values[0])
        return '%s (%s to %s)' % tuple(map(shown_time, (
            statistics.median(values), min(values), max(values))))

    def failed(self, case, why):
        note('failed: %s: %s' % (case, why))
        self.rows.append({'case': case, 'text': case, 'contender': 'vqcache', 'peer': '', 'bar': None,
                          'ratio': None, 'void': [why], 'ours': '-', 'theirs': '', 'verdict': 'void'})

    def absolute(self, case, text, contender, value, bar, shown, shown_bar, void=()):
        self.rows.append({
            'case': case, 'text': text, 'contender': contender, 'peer': '', 'value': value,
            'bar': bar, 'ratio': None, 'void': list(void), 'ours': shown, 'theirs': '',
            'shown_bar': shown_bar,
            'verdict': 'void' if void else 'met' if value < bar else 'missed'})

    def skip(self, case, why):
        self.skipped.append('%s: %s' % (case, why))
        note('skipped: %s: %s' % (case, why))

    # ---- commands ----

    def folder(self, where, name):
        return os.path.join(where, name)

    def fresh(self, *folders):
        """empty directories on file systems that have nothing left to write"""
        def prepare():
            for f in folders:
                shutil.rmtree(f, ignore_errors=True)
                os.makedirs(f)
            for f in folders:
                subprocess.call(['sync', '-f', f])
        return prepare

    def room(self, where, copies, what):
        if where is None:
            raise Skip('there is no tmpfs to write to')
        if free(where) < copies * self.a.size + (64 << 20):
            raise Skip('no room for %d copies of %s %s' % (copies, shown_size(self.a.size), what))

    def pair(self, local, cache):
        return {os.path.join(local, 'm.yaml'): self.yaml, os.path.join(local, 'm.ckpt'): self.ckpt,
                os.path.join(cache, 'm', 'm.yaml'): self.yaml,
                os.path.join(cache, 'm', 'm.ckpt'): self.ckpt}

    def get(self, url, local, cache, connections=4, transport=''):
        return [self.driver, 'get', 'm', url + 'model.yaml', url + 'last.ckpt', local, cache,
                str(connections), transport]

    def vqcache(self, where, url=None, name='vqcache', **how):
        local, cache = self.folder(where, 'local'), self.folder(where, 'cache')
        return Contender(name, self.get(url or self.url, local, cache, **how),
                         self.pair(local, cache), self.fresh(local, cache),
                         {'from': 'network', 'cached': True})

    def download(self, name, command, where, then='', runs=None):
        """a peer that brings the checkpoint alone; {local} and {cache} are its directories"""
        local, cache = self.folder(where, 'local'), self.folder(where, 'cache')
        files = {os.path.join(local, 'm.ckpt'): self.ckpt}
        if 'cache' in then or 'cache' in command:
            files[os.path.join(cache, 'm.ckpt')] = self.ckpt
        line = (command + then).replace('{local}', local).replace('{cache}', cache)
        line = line.replace('{python}', self.python)
        return Contender(name, line, files, self.fresh(local, cache), runs=runs)

    def with_curl(self, url):
        return 'curl -q -fsS -o {local}/m.ckpt %slast.ckpt' % url

    def with_aria2(self, url, n):
        # without a file of zeros first, and split at any size: the faster way
        return ('aria2c --no-conf -q -x%d -s%d -k1M --file-allocation=none -d {local} -o m.ckpt '
                '%slast.ckpt' % (n, n, url))

    # ---- cases ----

    def case_disk(self):
        self.room(self.disk, 2, 'on the disk')
        w, url = self.disk, self.url
        copy = ' && cp {local}/m.ckpt {cache}/m.ckpt && sync {local}/m.ckpt {cache}/m.ckpt'
        hashed = ' && sha256sum {local}/m.ckpt' + copy
        synced = ' && sync {local}/m.ckpt {cache}/m.ckpt'
        ours = self.vqcache(w)
        text = '%s to both tiers on %s, hashed, synced' % (
            shown_size(self.a.size), kind_of(self.disk))
        if self.other_driver:
            return self.pairs('disk', text, ours)
        program_curl = self.vqcache(w, name='vqcache over the curl program', transport='curl')
        curl = self.download('curl, sha256sum, cp, sync', self.with_curl(url), w, hashed)
        peers = [(curl, .6)]
        if program('aria2c'):
            peers.append((self.download('aria2c -x4 -s4, sha256sum, cp, sync',
                                        self.with_aria2(url, 4), w, hashed), .75))
        else:
            self.skip('disk', 'aria2c is not installed')
        content = self.folder(w, 'content')
        seeds = [os.path.join(content, 'models', 'm.ckpt'),
                 os.path.join(content, 'cache', 'models', 'm', 'm.ckpt')]
        peers.append((Contender(
            "the seed's notebook (Python), sync: no hash",
            '%s %s %s m %smodel.yaml %slast.ckpt && sync %s %s' % (
                self.python, os.path.join(ROOT, 'tests', 'seed.py'), content, url, url, *seeds),
            {p: self.ckpt for p in seeds}, self.fresh(content)), .5))
        if program('wget2'):
            peers.append((self.download('wget2, sha256sum, cp, sync',
                                        'wget2 --no-config -q -O {local}/m.ckpt %slast.ckpt' % url,
                                        w, hashed), None))
        else:
            self.skip('disk', 'wget2 is not installed')
        for module, title, script, fact in (
                ('pooch', 'pooch.retrieve(known_hash) (Python), copy, sync', POOCH, self.digest),
                ('huggingface_hub', 'huggingface_hub http_get (Python), copy, sync: no hash', HUB,
                 self.a.size)):
            if not output(self.python, '-c', 'import %s; print("is there")' % module) == 'is there':
                self.skip('disk', 'the Python package %s is not installed' % module)
                continue
            at = self.folder(self.disk, 'peer-%s.py' % module)
            with open(at, 'w') as f:
                f.write(script)
            peers.append((self.download(title, '{python} %s %slast.ckpt %s {local} {cache}' % (
                at, url, fact), w, synced), None))
        self.race('disk', [ours] + [p for p, _ in peers] + [program_curl])
        for peer, bar in peers:
            self.row('disk', text, ours, peer, bar)
        self.row('disk', text, program_curl, curl)

    def case_tmpfs(self):
        self.room(self.ram, 2, 'in memory')
        if not program('aria2c'):
            raise Skip('aria2c is not installed')
        ours = self.vqcache(self.ram)
        program_curl = self.vqcache(self.ram, name='vqcache over the curl program', transport='curl')
        peer = self.download('aria2c -x4 -s4: one copy, no hash', self.with_aria2(self.url, 4),
                             self.ram)
        self.race('tmpfs', [ours, peer, program_curl])
        text = '%s to both tiers on tmpfs, hashed' % shown_size(self.a.size)
        self.row('tmpfs', text, ours, peer, 1.2)
        self.row('tmpfs', text, program_curl, peer)

    def case_limited(self):
        self.room(self.disk, 2, 'on the disk')
        url = self.limited_url(self.a.rate)
        ours = self.vqcache(self.disk, url, connections=8)
        text = '%s at %.3g MB/s a connection, 8 connections' % (
            shown_size(self.a.size), self.a.rate / 1e6)
        if self.other_driver:
            return self.pairs('limited', text, ours)
        synced = ' && sync {local}/m.ckpt'
        curl = self.download('curl: one copy, sync', self.with_curl(url), self.disk, synced, runs=2)
        contenders = [ours, curl]
        if program('aria2c'):
            contenders.insert(1, self.download('aria2c -x8 -s8, sync: one copy, no hash',
                                               self.with_aria2(url, 8), self.disk, synced))
        else:
            self.skip('limited', 'aria2c is not installed')
        self.race('limited', contenders)
        for peer in contenders[1:]:
            self.row('limited', text, ours, peer, 1 / 6 if peer is curl else 1.1)
            if peer is curl:
                self.rows[-1]['shown_bar'] = '<= 1/6'

    def slow_cache(self, rate, stack):
        """a directory whose writes are slow, and what lies behind it"""
        if not os.path.exists('/dev/fuse'):
            raise Skip('there is no /dev/fuse')
        flags = output('pkg-config', '--cflags', '--libs', 'fuse3').split()
        if not any('fuse3' in f for f in flags) or 'Package' in flags:
            raise Skip('libfuse3 is not installed')
        binary, said = self.compiled('slowfs.cpp', *flags)
        if not binary:
            raise Skip('slowfs.cpp does not compile: ' + said[:200])
        back = self.folder(self.ram or self.disk, 'behind')
        mount = self.folder(self.disk, 'slow')
        for f in (back, mount):
            os.makedirs(f)
        log = open(self.folder(self.disk, 'slowfs.log'), 'w+')
        server = subprocess.Popen([binary, back, str(rate), mount], stdin=subprocess.DEVNULL,
                                  stdout=log, stderr=log, preexec_fn=dies_with_parent)

        def stop():
            if os.path.ismount(mount):
                unmount = ['umount'] if os.geteuid() == 0 else ['fusermount3', '-u']
                subprocess.call(unmount + [mount])
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
            log.close()
            shutil.rmtree(back, ignore_errors=True)
        stack.callback(stop)
        for _ in range(500):
            if os.path.ismount(mount):
                return mount, back
            if server.poll() is not None:
                break
            time.sleep(.02)
        log.seek(0)
        raise Skip('FUSE does not mount here: ' + ' '.join(log.read().split())[-200:])

    def case_slow(self):
        self.room(self.disk, 1, 'on the disk')
        self.room(self.ram or self.disk, 1, 'behind the slow cache')
        # about four seconds of network (nginx gives the first second's bytes at once), one when small
        rate = self.a.size // (5 if self.a.size >= 256 << 20 else 2)
        url, local = self.limited_url(rate), self.folder(self.disk, 'local')
        with contextlib.ExitStack() as stack:
            mount, back = self.slow_cache(rate / 5, stack)

            def prepare():
                self.fresh(local)()
                for f in os.listdir(back):
                    shutil.rmtree(os.path.join(mount, f))
            ours = Contender('vqcache, until it is published', self.get(url, local, mount, 1),
                             self.pair(local, back), prepare, {'from': 'network', 'cached': True},
                             watch=[[os.path.join(local, 'm.sha256')],
                                    [os.path.join(local, n) for n in ('m.yaml', 'm.ckpt')]])
            unusable = os.path.join(self.yaml, 'no-directory')
            alone = Contender('vqcache without a cache', self.get(url, local, unusable, 1),
                              {os.path.join(local, 'm.ckpt'): self.ckpt}, self.fresh(local),
                              {'from': 'network', 'cached': False})
            curl = self.download('curl: one copy, no hash, sync', self.with_curl(url), self.disk,
                                 ' && sync {local}/m.ckpt')
            self.race('slow', [ours, curl, alone])
        text = '%s at %.3g MB/s over one connection, a cache of %.3g MB/s' % (
            shown_size(self.a.size), rate / 1e6, rate / 5e6)
        self.row('slow', text, ours, curl, 1.1, published=True)
        self.row('slow', text, ours, alone, published=True)
        whole = Contender('vqcache, the whole call', [], {})
        whole.times, whole.void = ours.times, ours.void
        self.row('slow', text, whole, curl)

    def primed(self, where):
        """local and cache below a directory, the cache filled by vqcache"""
        local, cache = self.folder(where, 'local'), self.folder(where, 'cache')
        self.fresh(local, cache)()
        done = subprocess.run(self.get(self.url, local, cache), stdout=subprocess.PIPE,
                              universal_newlines=True)
        if done.returncode or not json.loads(done.stdout)['cached']:
            raise Broken('the cache cannot be filled: ' + done.stdout.strip())
        return local, cache

    def restoring(self, name, local, cache, cold):
        def prepare():
            self.fresh(local)()
            if cold:
                drop(os.path.join(cache, 'm', 'm.ckpt'))
            else:
                with open(os.path.join(cache, 'm', 'm.ckpt'), 'rb', buffering=0) as f:
                    while f.read(1 << 20):
                        pass
        return prepare, Contender(name, self.get(NOWHERE, local, cache), self.pair(local, cache),
                                  prepare, {'from': 'cache', 'cached': True})

    def case_restore(self):
        self.room(self.disk, 2, 'on the disk')
        local, cache = self.primed(self.disk)
        for cold in (True, False):
            prepare, ours = self.restoring('vqcache', local, cache, cold)
            held = ' '.join(os.path.join(cache, 'm', n) for n in ('m.yaml', 'm.ckpt'))
            # cp clones by itself where the file system can: the reflink case is about that
            cp = Contender('cp, sync: no hash',
                           'cp --reflink=never %s %s && sync %s/m.yaml %s/m.ckpt' % (
                               held, local, local, local),
                           {os.path.join(local, 'm.ckpt'): self.ckpt}, prepare)
            case = 'restore' if cold else 'restore, warm'
            text = '%s from the cache%s, hash verified, synced' % (
                shown_size(self.a.size), ' (cold)' if cold else ' (in memory)')
            if self.other_driver:
                self.pairs(case, text, ours)
                continue
            self.race(case, [ours, cp])
            self.row('restore', text, ours, cp, 1.6 if cold else None)
        for f in (local, cache):
            shutil.rmtree(f)

    def clone_mount(self, stack):
        """a file system that clones, in a file; in memory where there is room"""
        if os.geteuid() != 0:
            raise Skip('only root may mount a file system')
        # what XFS makes at least, and room for its journal, the model and one copy that is no clone
        size = max(5 * self.a.size // 2 + (128 << 20), 320 << 20)
        image_in = self.ram if self.ram and free(self.ram) > size + (64 << 20) else self.disk
        if free(image_in) < size:
            raise Skip('no room for a file system of ' + shown_size(size))
        image, mount = self.folder(image_in, 'image'), self.folder(self.disk, 'clones')
        os.makedirs(mount, exist_ok=True)
        said = 'neither mkfs.xfs nor mkfs.btrfs is installed'
        for make in (['mkfs.xfs', '-q', '-f', '-m', 'reflink=1'], ['mkfs.btrfs', '-q', '-f']):
            if not program(make[0]):
                continue
            with open(image, 'wb') as f:
                f.truncate(size)
            stack.callback(lambda: os.path.exists(image) and os.unlink(image))
            made = subprocess.run([program(make[0])] + make[1:] + [image], stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, universal_newlines=True)
            mounted = subprocess.run(['mount', '-o', 'loop', image, mount], stdout=subprocess.PIPE,
                                     stderr=subprocess.STDOUT, universal_newlines=True)
            said = made.stdout if made.returncode else mounted.stdout
            if made.returncode == 0 and mounted.returncode == 0:
                stack.callback(subprocess.call, ['umount', mount])
                return mount
        raise Skip('no file system that clones can be mounted: ' + ' '.join(said.split())[-200:])

    def case_reflink(self):
        if not program('openssl'):
            raise Skip('openssl is not installed')
        with contextlib.ExitStack() as stack:
            mount = self.clone_mount(stack)
            local, cache = self.primed(mount)
            prepare, ours = self.restoring('vqcache', local, cache, True)
            held = os.path.join(cache, 'm', 'm.ckpt')
            peer = Contender('openssl dgst -sha256, no copy', ['openssl', 'dgst', '-sha256', held],
                             {held: self.ckpt}, prepare)
            self.race('reflink', [ours, peer])
            self.fresh(local)()
            subprocess.run(ours.command, stdout=subprocess.DEVNULL)
            shared = is_shared(os.path.join(local, 'm.ckpt'))
            text = '%s from the cache on %s with reflinks (%s), hash verified, synced' % (
                shown_size(self.a.size), kind_of(mount),
                {True: 'cloned', False: 'copied', None: 'cloned or copied'}[shared])
        self.row('reflink', text, ours, peer, 1.1)

    def case_small(self):
        kept, self.ckpt = self.ckpt, self.small_ckpt
        try:
            w = self.disk
            hashed = (' && sha256sum {local}/m.ckpt && cp {local}/m.ckpt {cache}/m.ckpt'
                      ' && sync {local}/m.ckpt {cache}/m.ckpt')
            ours = self.vqcache(w)
            ours.command = [a.replace('last.ckpt', 'small.ckpt') for a in ours.command]
            curl = self.download(
                'curl, sha256sum, cp, sync',
                self.with_curl(self.url).replace('last.ckpt', 'small.ckpt'), w, hashed)
            self.race('small', [ours, curl])
            self.row('small', '1 MB to both tiers on %s, hashed, synced' % kind_of(w), ours, curl)
        finally:
            self.ckpt = kept

    def case_hit(self):
        kept, self.ckpt = self.ckpt, self.small_ckpt
        try:
            w = self.vqcache(self.disk)
            w.command = [a.replace('last.ckpt', 'small.ckpt') for a in w.command]
            local, cache = w.command[5:7]
            note('hit: filling both tiers')
            self.run(w)
            void = w.void[:]
            n = 20000
            if self.other_driver:
                return self.paired_hits(n, local, cache, void)
            measured = {'hits': [], 'calls': []}
            note('hit:')
            for i in range(self.a.runs):
                for what in (('hits', 'calls'), ('calls', 'hits'))[i % 2]:
                    answer = json.loads(output(self.driver, what, str(n), 'm', local, cache) or
                                        '{"ok": false}')
                    if not answer['ok']:
                        void.append('driver %s failed' % what)
                        continue
                    measured[what].append(answer['seconds'])
                    if what == 'hits':
                        self.peaks.append((answer['peak'], self.case))
                    else:
                        calls = answer['calls']
                    note('  %-44s %9s' % (what, shown_time(answer['seconds'])))
            made = self.calls_of_a_hit(local, cache)
        finally:
            self.ckpt = kept
        if void:
            measured = {'hits': measured['hits'] or [0], 'calls': measured['calls'] or [1]}
            calls = 12
        mine, bare = (statistics.median(measured[k]) for k in ('hits', 'calls'))
        text = 'a local hit, of %d in a loop%s' % (n, ' (%d system calls)' % made if made else '')
        self.absolute('hit', text, 'vqcache', mine, 30e-6, self.times(measured['hits']), '< 30 us',
                      void)
        ours = Contender('vqcache', [], {})
        peer = Contender('the %d bare system calls it needs' % calls, [], {})
        ours.times, peer.times, ours.void = measured['hits'], measured['calls'], void
        self.samples['hit'] = {c.name: self.sample(c) for c in (ours, peer)}
        self.row('hit', text, ours, peer, 3)

    def paired_hits(self, n, local, cache, void):
        ours, other = Contender('vqcache', [], {}), Contender('the other vqcache.hpp', [], {})
        both = [(ours, self.driver), (other, self.other_driver)]
        for i in range(self.a.runs):
            for c, driver in both if i % 2 == 0 else both[::-1]:
                answer = json.loads(output(driver, 'hits', str(n), 'm', local, cache) or '{"ok": false}')
                if answer['ok']:
                    c.times.append(answer['seconds'])
                else:
                    void.append('driver hits failed')
        ours.void = other.void = void
        self.row('hit', 'a local hit, of %d in a loop' % n, ours, other, PAIRED_BAR)

    def small_files(self):
        """[(name, path)] of many small files below the server's root, and a list for aria2c"""
        folder = os.path.join(self.www, 'set')
        if not os.path.isdir(folder):
            os.mkdir(folder)
            for i in range(SET_FILES):
                with open(os.path.join(folder, '%d.bin' % i), 'wb') as f:
                    f.write(hashlib.sha256(b'%d' % i).digest() * (SET_SIZE // 32))
        listed = self.folder(self.disk, 'urls')
        with open(listed, 'w') as f:
            f.writelines('%sset/%d.bin\n' % (self.url, i) for i in range(SET_FILES))
        return [('%d.bin' % i, os.path.join(folder, '%d.bin' % i)) for i in range(SET_FILES)], listed

    def case_sets(self):
        if not program('aria2c'):
            raise Skip('aria2c is not installed')
        files, listed = self.small_files()
        binary, said = self.compiled('sets.cpp', '-ldl')
        if not binary:
            raise Broken('sets.cpp does not compile: ' + said[:200])
        bring = 'aria2c --no-conf -q -i %s -d {local} --file-allocation=none' % listed
        for where, copies, rest in (
                (self.ram, False, ''),
                (self.disk, True, ' && sha256sum {local}/*.bin > /dev/null && cp {local}/*.bin {cache}'
                                  ' && sync {local}/*.bin {cache}/*.bin')):
            if where is None:
                self.skip('sets', 'there is no tmpfs to write to')
                continue
            local, cache = self.folder(where, 'local'), self.folder(where, 'cache')
            held = {os.path.join(local, 'm', name): path for name, path in files}
            if copies:
                held.update({os.path.join(cache, 'm', name): path for name, path in files})
            ours = Contender('vqcache', [binary, self.url + 'set/', str(SET_FILES), local,
                                         cache if copies else '-'],
                             held, self.fresh(local, cache), {'cached': copies})
            line = (bring + rest).replace('{local}', local).replace('{cache}', cache)
            peer = Contender('aria2c -i' + (', sha256sum, cp, sync' if copies else ': no hash'), line,
                             {os.path.join(local, name): path for name, path in files},
                             self.fresh(local, cache))
            hub = self.snapshot(where, files, 'one copy, no sync, ' if copies else '')
            self.race('sets, ' + ('on the disk' if copies else 'in memory'), [ours, peer, hub])
            text = 'a set of %d files of %d KB, ' % (SET_FILES, SET_SIZE // 1000) + (
                'both tiers on ' + kind_of(where) if copies else 'one tier in memory')
            self.row('sets', text, ours, peer, 1.2)
            self.row('sets', text, ours, hub, 0.7)

    def snapshot(self, where, files, alone):
        """the same files by huggingface_hub, which has one tier; its origin is the same nginx"""
        commit = '0123456789abcdef0123456789abcdef01234567'  # nginx.py says the same
        told = {
            'revision/main': {'id': 'bench/set', 'sha': commit,
                              'siblings': [{'rfilename': n} for n, _ in files]},
            'tree/' + commit: [{'type': 'file', 'path': n, 'size': SET_SIZE, 'oid': commit}
                               for n, _ in files]}
        for name, what in told.items():
            page = os.path.join(self.www, 'api', 'models', 'bench', 'set', name)
            os.makedirs(os.path.dirname(page), exist_ok=True)
            with open(page, 'w') as f:
                json.dump(what, f)
        local, home = self.folder(where, 'snapshot'), self.folder(where, 'hub-home')
        command = ['env', 'HF_ENDPOINT=' + self.url.rstrip('/'), 'HF_HOME=' + home,
                   'HF_HUB_DISABLE_XET=1', self.python, '-c', SNAPSHOT, local]
        return Contender('huggingface_hub snapshot_download: %sno hash' % alone, command,
                         {os.path.join(local, name): path for name, path in files},
                         self.fresh(local, home), runs=3)

    def case_upkeep(self):
        binary, said = self.compiled('upkeep.cpp', '-ldl')
        if not binary:
            raise Broken('upkeep.cpp does not compile: ' + said[:200])
        local, cache = self.folder(self.disk, 'local'), self.folder(self.disk, 'cache')
        self.fresh(local, cache)()
        note('upkeep: filling %d models' % LISTED)
        filled = subprocess.run([binary, 'fill', str(LISTED), local, cache], stdout=subprocess.DEVNULL)
        if filled.returncode:
            raise Broken('the models cannot be made')
        ours = Contender('vqcache list_models', [binary, 'list', local, cache], {}, ours={'count': LISTED})
        peer = Contender('find -printf', "find %s %s -printf '%%p %%s\\n' > /dev/null" % (local, cache), {})
        self.race('upkeep', [ours, peer])
        self.row('upkeep', 'a list of %d models in both tiers' % LISTED, ours, peer, 3)

        self.fresh(local, cache)()
        if subprocess.run([binary, 'bring', 'm.ckpt', self.ckpt, local],
                          stdout=subprocess.DEVNULL).returncode:
            raise Broken('the file cannot be brought')
        path = os.path.join(local, 'm.ckpt')
        ours = Contender('vqcache verify_model', [binary, 'verify', 'm.ckpt', local], {path: self.ckpt},
                         ours={})
        peer = Contender('openssl dgst -sha256', 'openssl dgst -sha256 %s > /dev/null' % path,
                         {path: self.ckpt})
        self.race('upkeep', [ours, peer])
        self.row('upkeep', 'every byte of %s verified' % shown_size(self.a.size), ours, peer, 1.1)

    def case_stores(self):
        stores.measure(self, sys.modules[__name__])

    def calls_of_a_hit(self, local, cache):
        """how many system calls one more hit makes, by strace; 0: cannot be told"""
        counts = []
        for n in ('1', '11'):
            log = self.folder(self.disk, 'strace')
            output('strace', '-f', '-o', log, self.driver, 'hits', n, 'm', local, cache)
            try:
                with open(log) as f:
                    counts.append(sum(1 for line in f if '(' in line))
            except OSError:
                return 0
        return round((counts[1] - counts[0]) / 10)

    def memory(self):
        if not self.peaks:
            return
        peak, where = max(self.peaks)
        more = (peak - self.idle) * 1024
        self.absolute('memory', 'peak memory of any run, over the %s of a program that does nothing'
                      % shown_size(self.idle * 1024), 'vqcache (%s)' % where, more, 32 << 20,
                      shown_size(more), '< 32 MiB')

    # ---- the report ----

    def machine(self):
        cpu = re.search(r'(?m)^model name\s*:\s*(.*)', open('/proc/cpuinfo').read())
        release = re.match(r'[\d.]*\d', platform.release())
        return {'cpu': report.cpu_name(cpu.group(1)) if cpu else platform.machine(),
                'cores': len(os.sched_getaffinity(0)),
                'memory': os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES'),
                'system': platform.system(), 'kernel': release.group() if release else platform.release(),
                'disk': kind_of(self.disk)}

    def versions(self):
        """{program or package: its version}"""
        found = {}
        for name, command, pattern in (
                ('libcurl', ('curl', '--version'), r'libcurl/(\S+)'),
                ('curl', ('curl', '--version'), r'curl (\S+)'),
                ('aria2', ('aria2c', '--version'), r'aria2 version (\S+)'),
                ('wget2', ('wget2', '--version'), r'Wget2 (\S+)'),
                ('nginx', (program('nginx') or 'nginx', '-v'), r'nginx/(\S+)'),
                ('rclone', ('rclone', '--version'), r'rclone v(\S+)'),
                ('OpenSSL', ('openssl', 'version'), r'OpenSSL (\S+)'),
                ('Python', (self.python, '--version'), r'Python (\S+)'),
                (os.path.basename(compiler()), (compiler(), '-dumpfullversion', '-dumpversion'),
                 r'^([\d.]+)$')):
            m = re.search(pattern, output(*command))
            if m:
                found[name] = m.group(1)
        for module in ('pooch', 'huggingface_hub'):
            version = output(self.python, '-c', 'import importlib.metadata as m; print(m.version("%s"))'
                             % module)
            if re.fullmatch(r'[\w.]+', version):
                found[module] = version
        return found

    def table(self):
        lines = ['| case | vqcache | against | ratio | bar | verdict |', '| --- | --- | --- | --- | --- | --- |']
        for r in self.rows:
            name = r['contender'][len('vqcache'):].strip(' ,')
            bar = r.get('shown_bar') or ('' if r['bar'] is None else '<= %.2f' % r['bar'])
            lines.append('| %s | %s | %s | %s | %s | %s |' % (
                r['text'], (name + ': ' if name else '') + r['ours'],
                r['peer'] + (': ' + r['theirs'] if r['peer'] else ''),
                '' if r['ratio'] is None else '%.2f' % r['ratio'], bar, r['verdict'] or 'no bar'))
        return '\n'.join(lines)

    def results(self, load):
        """all that was measured, to six digits; no message in it names a place of this machine"""
        def tidy(value):
            if isinstance(value, str):
                return re.sub(r'(?<![\w.:/])/(?:[\w.+-]+/)+', '', value)
            if isinstance(value, float):
                return float('%.6g' % value)
            if isinstance(value, list):
                return [tidy(v) for v in value]
            return {k: tidy(v) for k, v in value.items()} if isinstance(value, dict) else value
        return tidy({
            'date': self.date, 'machine': self.machine(), 'versions': self.versions(),
            'vqcache': self.header_version(),
            'transport': 'libcurl' if self.libcurl else 'the curl program',
            'size': self.a.size, 'runs': self.a.runs, 'rate': self.a.rate,
            'load': [round(v, 2) for v in load], 'rows': self.rows, 'samples': self.samples,
            'skipped': self.skipped})

    def report(self, results):
        print(self.table())
        print()
        print('%d run%s, medians (least to most). %s.' % (
            self.a.runs, '' if self.a.runs == 1 else 's', report.machine_text(results['machine'])))
        print('Versions: %s; vqcache %s, over %s unless said.' % (
            report.versions_text(results['versions']), results['vqcache'], results['transport']))
        print('%s. Load when it began and ended: %.2f, %.2f.' % (results['date'], *results['load']))
        if self.a.size != GIB:
            print('The bars are set for 1 GiB; this was %s.' % shown_size(self.a.size))
        void = [r for r in self.rows if r['void']]
        for why in dict.fromkeys('%s: %s' % (r['case'], r['void'][0]) for r in void):
            print('failed: ' + why)
        if not void:
            print('Every run of vqcache gave the right bytes; %d files of all were compared with the '
                  'origin.' % self.checked)
        for s in self.skipped:
            print('skipped: ' + s)
        print('%d passed, %d failed, %d skipped' % (
            sum(r['verdict'] != 'void' for r in self.rows), len(void), len(self.skipped)))
        return 1 if void or not self.rows else 0

    def header_version(self):
        with open(os.path.join(self.a.include, 'vqcache.hpp')) as f:
            parts = re.findall(r'(?m)^#define VQCACHE_VERSION_\w+ (\d+)', f.read())
        commit = output('git', '-C', self.a.include, 'describe', '--always', '--dirty', '--exclude', '*')
        return '.'.join(parts[:3]) + (
            ' (%s)' % commit if re.fullmatch(r'[0-9a-f]+(-dirty)?', commit) else '')


def arguments():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0],
                                epilog='\n'.join(__doc__.split('\n')[1:]),
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--size', type=bytes_of, default=GIB, help='of the checkpoint, for example 64M')
    p.add_argument('--runs', type=int, default=5, help='of each contender (default 5)')
    p.add_argument('--only', action='append', choices=CASES, metavar='CASE')
    p.add_argument('--json', metavar='OUT', help='all that was measured')
    p.add_argument('--write', action='store_true', help="results.json, README's figures and its chart")
    p.add_argument('--rate', type=float, default=20e6, help='bytes a second, in the case limited')
    p.add_argument('--disk', metavar='DIR', help='a directory on the disk (default: for temporary files)')
    p.add_argument('--ram', metavar='DIR', help='a directory in memory (default /dev/shm)')
    p.add_argument('--include', metavar='DIR', default=ROOT, help='where vqcache.hpp is')
    p.add_argument('--against', metavar='DIR', help='where another vqcache.hpp is, the only peer then')
    p.add_argument('--python', metavar='FILE', help='the Python that has the peers')
    a = p.parse_args()
    if a.against and not set(a.only or ()) <= set(PAIRED):
        p.error('--against knows the cases ' + ', '.join(PAIRED))
    if a.size < 2 << 20 or a.runs < 1:
        p.error('at least 2M and one run')
    if a.write and (a.against or os.path.realpath(a.include) != os.path.realpath(ROOT)):
        p.error('--write is for the header of this repository, beside its peers')
    lacking = [case for case in report.CASES if a.only and case not in a.only]
    if a.write and lacking:
        p.error('--write wants the cases that README shows, too: --only ' + ' --only '.join(lacking))
    return a


def keep(a, results, status):
    """the files that were asked for, and the exit status"""
    if a.json:
        with open(a.json, 'w', encoding='utf-8') as f:
            f.write(report.text_of(results))
    if not a.write:
        return status
    try:
        if status:
            raise report.Wrong('a run of vqcache failed')
        for line in report.write(ROOT, results):
            note('written: ' + line)
    except (report.Wrong, OSError) as why:
        note('failed: nothing is written: %s' % why)
        return 1
    return 0


def main():
    a = arguments()
    if not sys.platform.startswith('linux'):
        print('skipped: the benchmarks need Linux')
        return 77
    clean_environment()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a kill cleans up too
    load = os.getloadavg()[0]
    try:
        with contextlib.ExitStack() as stack:
            bench = Bench(a, stack)
            for case in a.only or (PAIRED if a.against else CASES):
                bench.case = case
                try:
                    getattr(bench, 'case_' + case)()
                except Skip as why:
                    bench.skip(case, str(why))
                except (Broken, OSError) as why:
                    bench.failed(case, str(why))
            bench.memory()
            results = bench.results((load, os.getloadavg()[0]))
            return keep(a, results, bench.report(results))
    except KeyboardInterrupt:
        note('interrupted')
        return 130


if __name__ == '__main__':
    sys.exit(main())
