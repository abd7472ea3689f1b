#!/usr/bin/env python3
"""run.py [OPTION...] NAME...: many machines, one origin, and one store that they share.

NAME is a store of tests/servers/stores.py, `directory` (options::shared), `hostile` (the store of
tests/servers/store.py as it is) or `hostile:RULE` (misbehaving by this rule of it).  For each:
every node, a process with a local directory of its own, calls for the same set at the same time;
--kill N kills the first N that have bytes from the origin, one after the other, by SIGKILL.  Then:
  - all that live have the right files, a copy in the store, and their nodes said no secret;
  - the store holds the set, its receipt tells the truth, and nothing else lies there;
  - the origin was asked for the checkpoint once, and once more for each that was killed.

    --nodes N      30 by default          --kill N       0 by default
    --most N       downloads allowed, instead of 1 + those that were killed; 0: any number, and
                   who has downloaded may leave the storing to another one
    --seconds S    the limit for a run, 240 by default: then all nodes are ended, and it has failed
    --runs N       each so often          --node FILE    the program of node.cpp, else it is built
    --keep         the nodes' output stays, and is named
$VQCACHE_LEASE_SECONDS is 3 for the nodes unless it is set.  It ends with a line of counts; what
cannot be had is told as skipped, and is a failure under VQCACHE_NO_SKIP=1."""
import argparse
import contextlib
import hashlib
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SERVERS = os.path.join(os.path.dirname(HERE), 'servers')
sys.dont_write_bytecode = True
sys.path.insert(0, SERVERS)
import store_client  # noqa: E402
import stores  # noqa: E402

SIZE, RATE = 4000000, 1000000  # bytes, and bytes a second: a download takes four seconds
FILES = ('m.ckpt', 'm.yaml')
PREFIX = 'team/models'
YIELDS = 'another machine is storing it'  # says who has downloaded too, where two may


def build(folder):
    node = os.path.join(folder, 'node')
    subprocess.run([os.environ.get('CXX', 'g++'), '-std=c++17', '-O1', '-I',
                    os.environ.get('VQCACHE_INCLUDE', ROOT), os.path.join(HERE, 'node.cpp'),
                    '-o', node, '-pthread', '-ldl'], check=True)
    return node


# ---- the origin ----------------------------------------------------------------------------------

class Script:
    """a server of tests/servers, as long as it is entered; line: what it says of itself"""

    def __init__(self, *arguments):
        self.arguments = arguments

    def __enter__(self):
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(SERVERS, self.arguments[0]), *self.arguments[1:]],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        words = self.process.stdout.readline().decode().split()
        self.line = dict(word.split('=', 1) for word in words)
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(30)

    def control(self, what):
        url = 'http://127.0.0.1:%s/control/%s' % (self.line['plain'], what)
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.read().decode()


class Origin(Script):
    def __init__(self):
        super().__init__('hostile.py')

    def url(self, name):
        return 'http://127.0.0.1:%s/good/size=%d/%s?rate=%d' % (
            self.line['plain'], SIZE, name, RATE)

    def digest(self, name):
        target = urllib.parse.urlsplit(self.url(name))
        return self.control('sha256?path=' + urllib.parse.quote(
            target.path + '?' + target.query)).split()[0]

    def downloads(self):
        """how many of the checkpoint were begun"""
        log = self.control('log?text=1&path=' + urllib.parse.quote('/good/size=%d/%s*' % (
            SIZE, FILES[0])))
        heads = [line.split('\t') for line in log.splitlines() if not line.startswith('\t')]
        return sum(head[2] == 'GET' and int(head[5]) > 0 for head in heads)


# ---- what the nodes share ------------------------------------------------------------------------

class Place:
    """client: what looks at it from outside; where: what cache_dir is; secrets: what nobody says"""

    def __init__(self, client, where, env, secrets):
        self.client, self.where, self.env, self.secrets = client, where, env, secrets


class Folder:
    """what a store_client does, of a directory"""

    def __init__(self, root):
        self.root = root

    def get(self, key):
        try:
            with open(os.path.join(self.root, key), 'rb') as f:
                return f.read()
        except FileNotFoundError:
            return None

    def keys(self, prefix):
        for folder, _, files in os.walk(self.root):
            for name in files:
                path = os.path.join(folder, name)
                yield os.path.relpath(path, self.root), os.path.getsize(path)

    def uploads(self, _):
        return []


@contextlib.contextmanager
def a_directory(scratch):
    root = os.path.join(scratch, 'shared')
    os.makedirs(os.path.join(root, PREFIX))
    yield Place(Folder(root), os.path.join(root, PREFIX), {'VQCACHE_NODE_SHARED': '1'}, [])


def of_line(line):
    host = '127.0.0.1:%s' % line['http']
    client = store_client.Client(line)
    if line['kind'] == 'dav':
        where = 'http://%s:%s@%s/%s' % (line['user'], line['password'], host, PREFIX)
        return Place(client, where, {}, [line['password']])
    where = 's3://%s/%s?endpoint=http://%s&region=%s' % (
        line['bucket'], PREFIX, host, line['region'])
    env = {'AWS_ACCESS_KEY_ID': line['key'], 'AWS_SECRET_ACCESS_KEY': line['secret'],
           'AWS_EC2_METADATA_DISABLED': 'true', 'AWS_CONFIG_FILE': '/nonexistent',
           'AWS_SHARED_CREDENTIALS_FILE': '/nonexistent'}
    return Place(client, where, env, [line['secret'], 'AWS4-HMAC'])


@contextlib.contextmanager
def a_hostile_store(rule):
    with Script('store.py', '-', *([rule] if rule else [])) as store:
        yield of_line({**store.line, 'kind': 's3', 'http': store.line['plain']})


@contextlib.contextmanager
def a_real_store(name):
    one, line = stores.started(name)
    try:
        yield of_line(line)
    finally:
        stores.ended(one)


def shared(name, scratch):
    if name == 'directory':
        return a_directory(scratch)
    if name.split(':')[0] == 'hostile':
        return a_hostile_store(name.partition(':')[2])
    return a_real_store(name)


# ---- the nodes -----------------------------------------------------------------------------------

class Node:
    def __init__(self, number, program, origin, place, scratch, events):
        self.number, self.events = number, events
        self.local = os.path.join(scratch, 'local-%d' % number)
        self.lines, self.done, self.was_killed = [], None, False
        env = {name: value for name, value in os.environ.items()
               if not name.startswith(('AWS_', 'VQCACHE_'))}
        env.update(place.env, VQCACHE_LOCAL_DIR=self.local, VQCACHE_CACHE_DIR=place.where,
                   VQCACHE_LEASE_SECONDS=os.environ.get('VQCACHE_LEASE_SECONDS', '3'))
        self.process = subprocess.Popen(
            [program, origin.url(FILES[1]), origin.url(FILES[0])], env=env, cwd=scratch,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            preexec_fn=stores.dies_with_parent)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for raw in self.process.stdout:
            line = raw.decode(errors='replace').rstrip('\n')
            self.lines.append(line)
            word, _, rest = line.partition('\t')
            if word == 'done':
                self.done = rest.split('\t')
            if word == 'downloading' and rest == FILES[0]:
                self.events.put((self, word))
        self.process.wait()
        self.events.put((self, 'ended'))

    def kill(self):
        self.was_killed = True
        self.process.kill()


def watch(nodes, events, to_kill, seconds):
    """until all have ended, or the time is over; what went wrong, or an empty text"""
    end, living, killed = time.monotonic() + seconds, len(nodes), 0
    while living:
        try:
            node, what = events.get(timeout=max(.01, end - time.monotonic()))
        except queue.Empty:
            for node in nodes:
                node.process.kill()  # by its id; those that have ended do not mind
            return '%d nodes still ran after %d s' % (living, seconds)
        if what == 'ended':
            living -= 1
        elif killed < to_kill:
            killed += 1
            node.kill()
    return '' if killed == to_kill else '%d of %d were to be killed' % (killed, to_kill)


# ---- what must hold ------------------------------------------------------------------------------

def digest_of(path):
    try:
        with open(path, 'rb') as f:
            return hashlib.sha256(f.read()).hexdigest()
    except OSError as why:
        return str(why)


def wrong_in_node(node, right, place, may_cross):
    text = '\n'.join(node.lines)
    for secret in place.secrets:
        if secret in text:
            yield 'node %d says a secret' % node.number
    if node.was_killed:
        return
    if not node.done:
        yield 'node %d: %s' % (node.number, (node.lines or ['it said nothing'])[-1])
        return
    has_yielded = may_cross and YIELDS in text
    if node.done[1] != 'cached' and not has_yielded:
        yield 'node %d has its files, and no copy: %s' % (node.number, text[-600:])
    for name, digest in right.items():
        if digest_of(os.path.join(node.local, 'm', name)) != digest and \
                digest_of(os.path.join(node.local, name)) != digest:
            yield 'node %d: %s is wrong' % (node.number, name)
    for folder, _, files in os.walk(node.local):
        for name in files:
            if name.endswith(('.part', '.record')):
                yield 'node %d: %s is left' % (node.number, os.path.join(folder, name))


def wrong_in_store(right, place):
    base = PREFIX + '/m/'
    for name, digest in right.items():
        bytes_there = place.client.get(base + name)
        if bytes_there is None or hashlib.sha256(bytes_there).hexdigest() != digest:
            yield 'in the store %s is %s' % (name, 'absent' if bytes_there is None else 'wrong')
    receipt = (place.client.get(base + 'm.sha256') or b'').decode(errors='replace')
    told = dict(reversed(line.split('  ', 1)) for line in receipt.splitlines()
                if line and line[0] != '#')
    if told != right:
        yield 'the receipt in the store says %s' % (told or 'nothing')
    wanted = {base + name for name in (*FILES, 'm.sha256')}
    extra = sorted({key for key, _ in place.client.keys('')} - wanted)
    if extra:
        yield 'in the store is left: %s' % ', '.join(extra[:9])
    uploads = place.client.uploads('')
    if uploads:
        yield 'uploads are left: %s' % ', '.join(uploads[:9])


def one_run(name, place, origin, program, scratch, asked):
    """(what went wrong, a line of numbers)"""
    begun, events = time.monotonic(), queue.Queue()
    nodes = [Node(n, program, origin, place, scratch, events) for n in range(asked.nodes)]
    wrong = [text for text in [watch(nodes, events, asked.kill, asked.seconds)] if text]
    took = time.monotonic() - begun
    right = {file: origin.digest(file) for file in FILES}
    for node in nodes:
        node.reader.join(10)
        wrong += wrong_in_node(node, right, place, asked.most == 0)
    wrong += wrong_in_store(right, place)

    downloads = origin.downloads()
    most = 1 + asked.kill if asked.most is None else asked.most
    if most and downloads > most:
        wrong.append('%d downloads from the origin, %d are enough' % (downloads, most))
    of_a_kind = ['%d from %s' % (n, kind) for kind in ('network', 'cache', 'local')
                 for n in [sum(node.done is not None and node.done[0] == kind for node in nodes)]
                 if n]
    if asked.keep:
        for node in nodes:
            with open(os.path.join(scratch, 'node-%d.txt' % node.number), 'w') as f:
                f.write('\n'.join(node.lines) + '\n')
    return wrong, '%s, %d nodes, %d killed: %d downloads, %s, %.1f s' % (
        name, asked.nodes, asked.kill, downloads, ', '.join(of_a_kind) or 'none ended well', took)


def tried(name, program, asked):
    scratch = tempfile.mkdtemp(prefix='vqcache-cluster-')
    try:
        with Origin() as origin, shared(name, scratch) as place:
            wrong, numbers = one_run(name, place, origin, program, scratch, asked)
    finally:
        if asked.keep:
            print('kept: ' + scratch)
        else:
            shutil.rmtree(scratch, ignore_errors=True)
    print(('failed: ' if wrong else 'ok: ') + numbers, flush=True)
    for text in wrong[:20]:
        print('  ' + text[:700])
    return not wrong


def arguments():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument('names', nargs='+')
    for name, default in (('nodes', 30), ('kill', 0), ('most', None), ('seconds', 240), ('runs', 1)):
        parser.add_argument('--' + name, type=int, default=default)
    parser.add_argument('--node')
    parser.add_argument('--keep', action='store_true')
    return parser.parse_args()


def main():
    asked = arguments()
    passed = failed = skipped = 0
    folder = tempfile.mkdtemp(prefix='vqcache-node-')
    try:
        program = os.path.abspath(asked.node) if asked.node else build(folder)
        for name in asked.names * asked.runs:
            try:
                is_right = tried(name, program, asked)
                passed, failed = passed + is_right, failed + (not is_right)
            except stores.CannotBeHad as why:
                is_failure = stores.cannot_be_had(why) == 1
                failed, skipped = failed + is_failure, skipped + (not is_failure)
            except (OSError, RuntimeError, subprocess.SubprocessError) as why:
                print('failed: %s: %s' % (name, why))
                failed += 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print('%d passed, %d failed, %d skipped' % (passed, failed, skipped))
    return 1 if failed or not passed + skipped else 0


if __name__ == '__main__':
    sys.exit(main())
