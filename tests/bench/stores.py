"""stores.py: the case `stores` of bench.py: the copy in an object store, on a real one.

The store is versitygw on 127.0.0.1 (tests/servers/stores.py; built once for a machine, below
$VQCACHE_STORES_DIR), its files on the disk; origin and local files are in memory where there is
room. Each origin is measured twice: without a limit, and with 100 MB/s for each of 4 connections.

  the local files stand   of a cold call, over the same call with keep_copy = false
  the call ends           of a cold call, over the larger of the download alone (keep_copy = false)
                          and the store alone (the local files are there, the bucket is empty)
  restore                 over rclone, which brings the same bytes from the same store: without a
                          hash, hashed afterwards, and of its own upload, whose MD5 it checks itself
  memory                  of each, over that of a program that does nothing

Every cold call finds an empty bucket. What stands in the store is compared with the origin, too."""
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import threading

MODEL = 'bench'  # what the keys in the bucket begin with
OF_RCLONE = 'rclone/m.ckpt'
UPLOAD = ' --s3-chunk-size 16M --s3-upload-concurrency 4'  # as vqcache does
RATE = 100 * 10 ** 6  # bytes a second for each connection, of the origin with a limit
COPIES = 3  # of the model, that versitygw may have on its disk: the parts, the whole, what goes
MOST_MEMORY = 32 << 20
LOCAL_BAR, END_BAR, RESTORE_BAR = 1.1, 1.3, 1.1


def missing(bench, kit):
    """why this case cannot be measured here, or ''"""
    if not kit.program('rclone'):
        return 'rclone is not installed'
    if kit.free(bench.disk) < COPIES * bench.a.size + (64 << 20):
        return 'no room for %d copies of %s on the disk' % (COPIES, kit.shown_size(bench.a.size))
    return ''


def fast_place(bench, kit):
    """where local files go: memory, where there is room, for the disk is the store's"""
    is_roomy = bench.ram and kit.free(bench.ram) > bench.a.size + (64 << 20)
    return bench.ram if is_roomy else bench.disk


@contextlib.contextmanager
def running(bench, kit):
    """the words of the store's line; it ends with this, killed where it does not by itself"""
    log = os.path.join(bench.disk, 'versitygw.log')
    with open(log, 'w') as said:
        server = subprocess.Popen(
            [sys.executable, os.path.join(kit.SERVERS, 'stores.py'), 'versitygw'],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said,
            universal_newlines=True, preexec_fn=kit.dies_with_parent,
            env=dict(os.environ, TMPDIR=bench.disk))
    timer = threading.Timer(150, kit.kill, [server])  # where it neither starts nor says why
    timer.start()
    try:
        line = server.stdout.readline()
        timer.cancel()
        words = dict(word.split('=', 1) for word in line.split())
        if 'http' not in words:
            raise kit.Skip(why_not(log))
        yield words
    finally:
        timer.cancel()
        ended(server, kit)


def why_not(log):
    with open(log) as f:
        said = ' '.join(f.read().split())
    prefix = 'skipped: '
    if said.startswith(prefix):
        said = said[len(prefix):]
    return said[-300:] or 'versitygw does not start'


def ended(server, kit):
    if not server.stdin.closed:
        server.stdin.close()
    try:
        server.wait(20)
    except subprocess.TimeoutExpired:
        kit.kill(server)
        server.wait()


@contextlib.contextmanager
def credentials(words):
    """in the environment, where both vqcache and rclone look: never among the arguments"""
    ours = {'AWS_ACCESS_KEY_ID': words['key'], 'AWS_SECRET_ACCESS_KEY': words['secret'],
            'AWS_REGION': words['region']}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)


class Stage:
    """the store and what is asked of it"""

    def __init__(self, bench, kit, words):
        import store_client  # beside the servers; nothing of it is what is measured
        self.bench, self.kit, self.words = bench, kit, words
        self.client = store_client.Client(words)
        self.local = os.path.join(fast_place(bench, kit), 'local')
        self.endpoint = 'http://127.0.0.1:' + words['http']
        self.place = 's3://%s/%s?endpoint=%s' % (words['bucket'], MODEL, self.endpoint)
        held = os.path.join(words['data'], words['bucket'], MODEL, 'm')
        self.object = os.path.join(held, 'm.ckpt')
        self.stored = {os.path.join(held, 'm.yaml'): bench.yaml, self.object: bench.ckpt}
        self.standing = [os.path.join(self.local, name) for name in ('m.yaml', 'm.ckpt')]

    def files(self, and_stored):
        local = dict(zip(self.standing, (self.bench.yaml, self.bench.ckpt)))
        return {**local, **self.stored} if and_stored else local

    def empty(self):
        """no local files, an empty bucket, and nothing left to be written"""
        for key, _ in self.client.keys():
            self.client.delete(key)
        self.bench.fresh(self.local)()
        subprocess.call(['sync', '-f', self.words['data']])

    def command(self, url, cache):
        return self.bench.get(url, self.local, cache)

    def does(self, command):
        """whether it succeeds, in as long as a measured run may take"""
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL, preexec_fn=self.kit.dies_with_parent)
        with self.kit.ended(child), contextlib.suppress(subprocess.TimeoutExpired):
            return child.wait(60 + self.bench.a.size / 20e6) == 0
        self.kit.kill(child)
        child.wait()
        return False

    def bring(self):
        """the local files alone"""
        self.empty()
        if not self.does(self.command(self.bench.url, '-')):
            raise self.kit.Broken('the local files cannot be brought')

    def fill(self):
        """the copy in the store alone"""
        self.empty()
        if not self.does(self.command(self.bench.url, self.place)):
            raise self.kit.Broken('the store cannot be filled')

    def clear(self):
        """no local files; the object is read from memory by whoever asks for it"""
        self.bench.fresh(self.local)()
        with open(self.object, 'rb', buffering=0) as f:
            while f.read(1 << 20):
                pass

    # ---- contenders

    def cold(self, limit, url):
        return self.kit.Contender(
            'vqcache, cold (%s)' % limit, self.command(url, self.place), self.files(True), self.empty,
            {'from': 'network', 'cached': True}, watch=[self.standing])

    def download(self, limit, url):
        return self.kit.Contender(
            'vqcache, keep_copy = false (%s)' % limit, self.command(url, '-'), self.files(False), self.empty,
            {'from': 'network', 'cached': False}, watch=[self.standing])

    def store(self):
        return self.kit.Contender(
            'vqcache, the store alone', self.command(self.kit.NOWHERE, self.place),
            self.files(True), self.bring, {'from': 'local', 'cached': True})

    def restore(self):
        return self.kit.Contender(
            'vqcache, restore', self.command(self.kit.NOWHERE, self.place), self.files(True),
            self.clear, {'from': 'cache', 'cached': True})

    def copyto(self, source, target):
        return ('rclone --config /dev/null --s3-provider Other --s3-env-auth --s3-endpoint %s'
                ' --s3-force-path-style copyto %s %s' % (self.endpoint, source, target))

    def remote(self, key):
        return ':s3:%s/%s/%s' % (self.words['bucket'], MODEL, key)

    def upload(self):
        """the checkpoint, as rclone itself stores it: with its MD5"""
        line = self.copyto(self.bench.ckpt, self.remote(OF_RCLONE)) + UPLOAD
        if not self.does(line.split()):
            raise self.kit.Skip('rclone cannot store the file')

    def rclone(self, name, key='m/m.ckpt', then=''):
        """brings the checkpoint alone"""
        brought = os.path.join(self.local, 'm.ckpt')
        line = self.copyto(self.remote(key), brought) + then.replace('{}', brought)
        return self.kit.Contender(name, line, {brought: self.bench.ckpt}, self.clear)


def larger(*contenders):
    return max(contenders, key=lambda one: statistics.median(one.times))


def memory(bench, kit, text, contenders):
    """the peak of any of these runs"""
    peaks = [peak for one in contenders for peak in one.peaks]
    if not peaks:
        return
    more = (max(peaks) - bench.idle) * 1024
    bench.absolute('stores', '%s: peak memory, over the %s of a program that does nothing' % (
        text, kit.shown_size(bench.idle * 1024)), 'vqcache', more, MOST_MEMORY,
        kit.shown_size(more), '< 32 MiB')


def calls(stage):
    """cold calls from both origins, and what they are measured by"""
    bench, kit = stage.bench, stage.kit
    origins = [('no limit', bench.url), ('100 MB/s a connection', bench.limited_url(RATE))]
    each = [(limit, stage.cold(limit, url), stage.download(limit, url)) for limit, url in origins]
    store = stage.store()
    bench.race('stores', [store] + [one for _, cold, alone in each for one in (cold, alone)])
    size = kit.shown_size(bench.a.size)
    for limit, cold, alone in each:
        text = '%s to a store, an origin of %s: ' % (size, limit)
        bench.row('stores', text + 'the local files stand', cold, alone, LOCAL_BAR,
                  published=True, peer_published=True)
        bench.row('stores', text + 'the call ends', cold, larger(alone, store), END_BAR)
    for one in [store] + [alone for _, _, alone in each]:  # peers here, and still vqcache
        if one.void:
            bench.failed('stores', '%s: %s' % (one.name, one.void[0]))
    memory(bench, kit, 'a cold call with a store', [cold for _, cold, _ in each])
    memory(bench, kit, 'a cold call without a copy', [alone for _, _, alone in each])
    memory(bench, kit, 'the store alone', [store])


def restores(stage):
    bench, kit = stage.bench, stage.kit
    stage.fill()
    ours = stage.restore()
    stage.upload()
    peers = [stage.rclone('rclone copyto, sha256sum', then=' && sha256sum {}'),
             stage.rclone('rclone copyto of its own upload: MD5', OF_RCLONE),
             stage.rclone('rclone copyto: no hash')]
    if kit.program('openssl'):
        peers.append(stage.rclone('rclone copyto, openssl dgst -sha256',
                                  then=' && openssl dgst -sha256 {}'))
    bench.race('stores, restore', [ours] + peers)
    text = '%s restored from a store, hash verified' % kit.shown_size(bench.a.size)
    for peer in peers:
        bench.row('stores', text, ours, peer, RESTORE_BAR)
    memory(bench, kit, 'restored from a store', [ours])


def measure(bench, kit):
    """kit is bench.py, which runs as the program and so cannot be imported"""
    why = missing(bench, kit)
    if why:
        raise kit.Skip(why)
    with running(bench, kit) as words, credentials(words):
        stage = Stage(bench, kit, words)
        calls(stage)
        restores(stage)
        stage.empty()
    shutil.rmtree(stage.local, ignore_errors=True)
