#!/usr/bin/env python3
"""stores.py [OPTION...]: a call's lasting tier is a store, and the store's answers fail.

Sweep: of every scenario, on a bucket and on WebDAV, each request fails once in each way.
Hostile: of the scenarios of HOSTILE, the store misbehaves by one rule for the whole call.
Each case is a process (store_call.cpp), then the store is good again, and a second call follows.
What holds, whatever the store says:
  - under a final local name only the right and complete file, or nothing
  - a call ends by itself, within its time; where the origin lives it succeeds, with all files
  - `cached` only if the store holds all files and a receipt that fits them
  - a receipt in the store lies about nothing that is there: bytes of other digests than it says
  - nothing is damaged that was right: verify calls no right file damaged, a store that was whole
    before a call that only reads or restores is whole after it
  - the second call ends with `cached`, and the store is whole then; nothing else lies there but
    leases (a later call that has a lease removes them), parts of files on WebDAV and uploads
    (swept by age, by remove() and by the server's own rule): they are counted
  - no key, signature or password in any output, local file or object; none goes to another host

  - a single 500, 503, reset, late or lost answer costs a call nothing: it ends with `cached`

    --quick           some of each way of the sweep, and all of hostile but the slow ones
    --selftest        only the test of this test: broken variants of the header are noticed
    --only TEXT       cases whose name contains it           --jobs N     12 by default
    --list            the names                              --keep       shows output of violations
    --program FILE    store_call as it is built here; else it is: CXX, VQCACHE_INCLUDE may be set
It ends with a line of counts: `N passed, N failed, 0 skipped`."""
import argparse
import concurrent.futures
import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SERVERS = os.path.join(os.path.dirname(HERE), 'servers')
sys.dont_write_bytecode = True

SET = ('m.ckpt', 'm.yaml')
RECEIPT = 'm.sha256'
SIZES = {'small': 60000, 'parts': 300000}
LEASE = ('# vqcache lease 1\nowner 0123456789abcdef0123456789abcdef\nwrite 3\ndone 7\nttl 1\n')
CANARIES = ('canary-of-the-store', 'canary-of-the-dav', 'Signature=', 'AKIAVQCACHETEST',
            'dGVzdGVyOmNhbmFyeS1vZi10aGUtZGF2')  # the last: user:password in base64
SILENCE, LIMIT, LONG_LIMIT = 2, 25, 90  # seconds

# local, store: what is there before; origin: whether it lives
SCENARIOS = {
    'cold': dict(action='bring', local=False, store=False, origin=True),
    'parts': dict(action='bring', local=False, store=False, origin=True, size='parts',
                  kinds=('bucket',)),
    'restore': dict(action='bring', local=False, store=True, origin=False),
    'store': dict(action='bring', local=True, store=False, origin=True),
    'hit': dict(action='bring', local=True, store=True, origin=True),
    'takeover': dict(action='bring', local=False, store=False, origin=True, lease=True),
    'list': dict(action='list', local=True, store=True, origin=True),
    'verify': dict(action='verify', local=True, store=True, origin=True),
    'repair': dict(action='repair', local=True, store='damaged', origin=True),
    'remove': dict(action='remove', local=True, store=True, origin=True),
}
READERS = ('restore', 'hit', 'list', 'verify')  # leave a whole store whole

WAYS = {  # of the sweep
    'unreachable': 'way=down',
    'reset': 'way=reset',
    'lost': 'way=lost',
    'lost_reset': 'way=lost_reset',
    '500': 'way=error&code=500&body=echo',
    '503': 'way=slow_down',
    '403': 'way=error&code=403&name=AccessDenied&body=echo',
    '412': 'way=failed',
    '500_after': 'way=answers&code=500',
    'short': 'way=cut',
    'hang': 'way=hang',
    'late': 'way=late_answer&s=3',
}
SLOW = ('hang', 'late')
HEALED = ('reset', 'lost', 'lost_reset', '500', '503', '500_after', 'late')
SOME, SELDOM = 7, 31  # one of so many, of the quick sweep
OF_GET = ('short',)

HOSTILE_SCENARIOS = ('cold', 'restore', 'store', 'hit')
HOSTILE = {  # rules, separated by blanks; those that are @... are controls
    'forgets': 'way=forgets', 'forgets_data': 'way=forgets&path=*.ckpt*',
    'forgets_receipt': 'way=forgets&path=*.sha256*',
    'stores_half': 'way=stores_half', 'stores_half_data': 'way=stores_half&path=*.ckpt*',
    'half_kept': 'way=half_kept way=stall_upload&at=1000&times=1&method=PUT',
    'replaced': 'way=replaced', 'replaced_keep': 'way=replaced&keep=1',
    'captive': 'way=captive', 'captive_get': 'way=captive&method=GET',
    'captive_head': 'way=captive&method=HEAD', 'captive_put': 'way=captive&method=PUT',
    'captive_move': 'way=captive&method=MOVE,POST,DELETE',
    '301': 'way=redirect&code=301', '307': 'way=redirect&code=307',
    '307_put': 'way=redirect&code=307&method=PUT,MOVE',
    'region_301': 'way=region_301', 'region_301_once': 'way=region_301&times=1',
    'conditions_ignored': 'way=conditions_ignored', 'conditions_racy': 'way=conditions_racy',
    'get_conditions_ignored': 'way=get_conditions_ignored',
    'not_implemented': 'way=not_implemented', 'conflict': 'way=conflict',
    'etag_not_md5': 'way=etag_not_md5', 'no_etag': 'way=no_etag', 'wrong_etag': 'way=wrong_etag',
    'ranges_ignored': 'way=ranges_ignored way=cut&times=2',
    'bomb': 'way=error&body=bomb', 'garbage': 'way=error&body=garbage',
    'huge': 'way=error&code=403&body=huge', 'nul': 'way=error&code=403&body=nul',
    'html': 'way=error&code=404&body=html', 'echo': 'way=error&code=403&body=echo',
    'bomb_in_200': 'way=answers&code=200&body=bomb',
    'error_in_200': 'way=answers&code=200',
    'read_only': 'way=read_only', 'full': 'way=full',
    'lost_all': 'way=lost', 'cut_all': 'way=cut', 'cut_reset': 'way=cut&reset=1',
    'short_all': 'way=short', 'flip': 'way=flip', 'flip_data': 'way=flip&at=30000&path=*.ckpt',
    'answers_404': 'way=error&code=404', 'answers_412': 'way=failed',
    'clock_ahead': '@clock?off=3600', 'clock_behind': '@clock?off=-3600',
    'slow': 'way=slow&rate=20000', 'slow_upload': 'way=slow_upload&rate=40000',
    'hang_all': 'way=hang', 'stall': 'way=stall', 'late_all': 'way=late&s=1',
    'mkcol_repeats': 'way=mkcol_repeats', 'mkcol_needs_slash': 'way=mkcol_needs_slash',
    'makes_parents': 'way=makes_parents',
}
HOSTILE_PARTS = {
    'error_in_200': 'way=error_in_200', 'error_in_200_undone': 'way=error_in_200&done=0',
    'forgets': 'way=forgets', 'stores_half': 'way=stores_half',
    'complete_conditions_ignored': 'way=complete_conditions_ignored',
    'no_etag': 'way=no_etag', 'wrong_etag': 'way=wrong_etag', 'captive_post': 'way=captive&method=POST',
    'lost_posts': 'way=lost&method=POST', 'cut_all': 'way=cut', 'clock_ahead': '@clock?off=3600',
    'slow_upload': 'way=slow_upload&rate=60000',
}
SLOW_HOSTILE = ('hang_all', 'stall', 'late_all', 'slow', 'slow_upload', 'conditions_racy')
# these change what is stored, behind the back of who was told that all is well
STORE_ALTERS = ('forgets', 'stores_half', 'half_kept', 'replaced')


SMALL = (  # so that a small file is sent in parts
    ('largest_single = uint64_t{100} * 1000 * 1000;', 'largest_single = 200000;'),
    ('least_part = uint64_t{16} << 20;', 'least_part = 1 << 16;'),
    ('step = uint64_t{1} << 20;', 'step = 1 << 16;'),
)
MUTANTS = {  # what becomes of the header; cases, one of which has to say the reason
    'receipt_first': (
        'VQCACHE_NEED_(publish_all(files));',
        'if (MUTANT("receipt_first")) { VQCACHE_NEED_(renew_receipt(now)); }\n'
        '    VQCACHE_NEED_(publish_all(files));',
        ('cold/bucket/all/full', 'cold/bucket/all/captive_put') + tuple(
            'cold/%s/%d/403' % (kind, n) for kind in ('bucket', 'dav') for n in range(5, 20)),
        'the receipt in the store'),
    'unconfirmed': (
        'VQCACHE_NEED_(confirm_files(now));',
        'VQCACHE_NEED_(MUTANT("unconfirmed") ? status() : confirm_files(now));',
        ('cold/bucket/all/forgets_data', 'store/bucket/all/forgets_data'),
        'cached, and the store is not whole'),
    'any_size': (
        'const bool has_size = sent->size == 0 || there[i].size == sent->size;',
        'const bool has_size = MUTANT("any_size") || there[i].size == sent->size;',
        ('cold/bucket/all/stores_half_data', 'store/bucket/all/stores_half_data'),
        'cached, and the store is not whole'),
    'no_retry': (
        'if (is == verdict::again) return may_pause(said);',
        'if (is == verdict::again) return !MUTANT("no_retry") && may_pause(said);',
        tuple('store/bucket/%d/500' % n for n in range(1, 9)),
        'one failure costs'),
    'secrets': (
        'const string scrubbed = http::scrub(why, sent_.url, sent_.headers);',
        'const string scrubbed =\n'
        '        MUTANT("secrets") ? why : http::scrub(why, sent_.url, sent_.headers);',
        ('cold/bucket/all/echo', 'store/dav/all/echo'),
        'a call says'),
}


class Server:
    """a script of tests/servers; line: what it says of itself"""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(SERVERS, arguments[0]), *arguments[1:]],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        words = self.process.stdout.readline().decode().split()
        self.line = dict(word.split('=', 1) for word in words)

    def end(self):
        self.process.stdin.close()
        self.process.wait(30)

    def control(self, what, port='plain', body=None):
        url = 'http://127.0.0.1:%s/control/%s' % (self.line[port], what)
        with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=60) as answer:
            return answer.read()


class Store(Server):
    """of one worker; kind: bucket or dav"""

    def __init__(self):
        super().__init__('store.py', '-')
        self.kind = 'bucket'

    def say(self, what, body=None):
        return self.control(what, 'keys', body)

    @property
    def on(self):
        return '&on=dav' if self.kind == 'dav' else ''

    def key(self, name):
        return ('/bucket/' if self.kind == 'bucket' else '/') + 'team/vq/m/' + name

    def begin(self, kind):
        self.kind = kind
        self.say('reset')
        self.say('parts?least=65536')

    def put(self, name, data):
        self.say('put?key=%s%s' % (urllib.parse.quote(self.key(name)), self.on), data)

    def get(self, name):
        try:
            return self.say('get?key=%s%s' % (urllib.parse.quote(self.key(name)), self.on))
        except urllib.error.HTTPError:
            return None

    def all(self):
        """name: digest; names below the set, others whole"""
        lines = self.say('objects?' + self.on[1:]).decode().splitlines()
        root = self.key('')
        found = {}
        for line in lines:
            digest, _, _, key = line.split('\t', 3)
            found[key[len(root):] if key.startswith(root) else key] = digest
        return found

    def uploads(self):
        return self.say('uploads').decode().splitlines() if self.kind == 'bucket' else []

    @property
    def port(self):
        return 'plain' if self.kind == 'bucket' else 'dav'

    def rule(self, words):
        self.say('rule?%s&port=%s' % (words, self.port))

    def is_good_again(self):
        self.say('clear')
        self.say('clock?off=0')
        self.say('up?port=' + self.port)
        self.say('done')

    def where(self):
        if self.kind == 'bucket':
            return 's3://bucket/team/vq?endpoint=http://127.0.0.1:' + self.line['plain']
        return 'http://%s:%s@127.0.0.1:%s/team/vq' % (
            self.line['user'], self.line['password'], self.line['dav'])

    def environment(self):
        return {'VQCACHE_CACHE_DIR': self.where(), 'AWS_ACCESS_KEY_ID': self.line['key'],
                'AWS_SECRET_ACCESS_KEY': self.line['secret'], 'AWS_EC2_METADATA_DISABLED': 'true'}


def sha256(data):
    return hashlib.sha256(data).hexdigest()


class Call:
    def __init__(self, code, seconds, text):
        self.code, self.seconds, self.text = code, seconds, text
        self.lines = [line.split('\t') for line in text.splitlines()]

    def of(self, word):
        return [line[1:] for line in self.lines if line[0] == word]

    @property
    def has_ended(self):
        return self.code in (0, 1) and bool(
            self.of('done') or self.of('ended') or self.of('failed'))

    @property
    def is_good(self):
        return self.code == 0

    @property
    def is_cached(self):
        return any(line[1] == 'cached' for line in self.of('done'))


class Sweep:
    def __init__(self, program, scratch, mutant=''):
        self.program, self.scratch, self.mutant = program, scratch, mutant
        self.origin = Server('hostile.py')
        self.ready = {}    # (kind, size): files of the local directory and objects, after a cold call
        self.truth = {}    # size: name: digest
        self.local = threading.local()
        self.stores = []
        self.lock = threading.Lock()
        self.left = {}
        self.numbers = 0

    def end(self):
        for one in self.stores + [self.origin]:
            one.end()

    # ---- the world of a worker

    def store(self):
        if not hasattr(self.local, 'store'):
            self.local.store = Store()
            with self.lock:
                self.stores.append(self.local.store)
        return self.local.store

    def folder(self):
        with self.lock:
            self.numbers += 1
            return os.path.join(self.scratch, 'case%d' % self.numbers)

    def url(self, name, size, lives=True):
        port = self.origin.line['plain'] if lives else '9'
        return 'http://127.0.0.1:%s/good/size=%d/%s' % (port, SIZES[size], name)

    def call(self, store, home, action, size, lives=True, silence=SILENCE, limit=LIMIT):
        env = {key: value for key, value in os.environ.items() if not key.startswith(('AWS_', 'VQ'))}
        env.update(store.environment(), HOME=home, VQCACHE_LOCAL_DIR=os.path.join(home, 'local'),
                   VQCACHE_LEASE_SECONDS='1', STORE_MUTANT=self.mutant)
        command = [self.program, action, str(silence)]
        if action == 'bring':
            command += [self.url('m.yaml', size, lives), self.url('m.ckpt', size, lives)]
        begun = time.monotonic()
        process = subprocess.Popen(command, env=env, cwd=home, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            out = process.communicate(timeout=limit)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            out = process.communicate()[0]
            process.returncode = -1000
        return Call(process.returncode, time.monotonic() - begun, out.decode(errors='replace'))

    def prepare(self, kind, size):
        """what a cold call leaves, where nothing fails"""
        store, home = self.store(), self.folder()
        os.makedirs(home)
        store.begin(kind)
        got = self.call(store, home, 'bring', size, silence=20, limit=60)
        local = os.path.join(home, 'local')
        if not got.is_cached:
            raise SystemExit('without faults a call fails (%s):\n%s' % (kind, got.text))
        self.ready[kind, size] = (local, {name: store.get(name) for name in SET + (RECEIPT,)})
        truth = {}
        for name in SET:
            with open(os.path.join(local, name) if os.path.exists(os.path.join(local, name))
                      else os.path.join(local, 'm', name), 'rb') as file:
                truth[name] = sha256(file.read())
        self.truth[size] = truth

    def arrange(self, scenario, kind):
        its, store, home = SCENARIOS[scenario], self.store(), self.folder()
        size = its.get('size', 'small')
        local, objects = self.ready[kind, size]
        os.makedirs(home)
        store.begin(kind)
        if its['local']:
            shutil.copytree(local, os.path.join(home, 'local'))
        if its['store']:
            for name, data in objects.items():
                is_damaged = its['store'] == 'damaged' and name == 'm.ckpt'
                store.put(name, data[:99] + bytes([data[99] ^ 1]) + data[100:] if is_damaged
                          else data)
        if its.get('lease'):
            store.put('.m.lease.1', LEASE.encode())
        return store, home, size

    # ---- what holds

    def local_files(self, home):
        for top, _, files in os.walk(home):
            for name in files:
                yield os.path.join(top, name)

    def wrong_locally(self, home, size):
        found = {}
        for path in self.local_files(home):
            name = os.path.basename(path)
            if name in SET:
                with open(path, 'rb') as file:
                    found[name] = sha256(file.read())
        return ['locally %s is wrong' % name for name in found
                if found[name] != self.truth[size][name]], set(found)

    def said_in_receipt(self, store):
        text = store.get(RECEIPT)
        said = {}
        for line in (text or b'').decode(errors='replace').splitlines():
            digest, _, name = line.partition('  ')
            if len(digest) == 64:
                said[name] = digest
        return said

    def is_whole(self, store, size):
        there, said = store.all(), self.said_in_receipt(store)
        return all(there.get(name) == self.truth[size][name] == said.get(name) for name in SET)

    def lies(self, store, may_miss):
        there = store.all()
        out = []
        for name, digest in self.said_in_receipt(store).items():
            if name in there and there[name] != digest:
                out.append('the receipt in the store lies of ' + name)
            elif name not in there and not may_miss:
                out.append('the receipt in the store has no ' + name)
        return out

    def secrets(self, store, home, calls):
        out = []
        for call in calls:
            out += ['a call says ' + word for word in CANARIES if word in call.text]
        for path in self.local_files(home):
            with open(path, 'rb') as file:
                data = file.read()
            out += ['%s has or is called %s' % (os.path.basename(path), word) for word in CANARIES
                    if word.encode() in data or word in path]
        for name in store.all():
            data = store.get(name) or b''
            out += ['the object %s has %s' % (name, word) for word in CANARIES
                    if word in name or word.encode() in data]
        elsewhere = int(store.say('count?port=other'))
        if elsewhere:
            out.append('another host was asked %d times' % elsewhere)
        return out

    def after_first(self, scenario, store, home, size, call, way):
        """the store is as the call left it, and good"""
        its = SCENARIOS[scenario]
        is_altered = way.startswith(STORE_ALTERS)
        out, found = self.wrong_locally(home, size)
        if not call.has_ended:
            out.append('no end, or a crash: code %d after %.0f s' % (call.code, call.seconds))
        if its['action'] == 'bring':
            if call.is_good and len(found) != len(SET):
                out.append('success, and files are missing')
            if not call.is_good and its['origin']:
                out.append('the origin lives, and the call failed')
            if call.is_cached and not way.startswith('replaced') and not self.is_whole(store, size):
                out.append('cached, and the store is not whole')
            if way in HEALED and not (call.is_good and call.is_cached):
                out.append('one failure costs the call its copy')
        elif its['action'] == 'verify':
            out += ['verify calls %s %s damaged' % (line[1], line[0])
                    for line in call.of('checked') if line[2] == 'damaged' and not is_altered
                    and not way.startswith('flip')]
        elif its['action'] == 'remove' and call.is_good and (store.all() or found):
            out.append('removed, and there is ' + ' '.join(list(store.all()) + list(found)))
        if its['action'] == 'repair' and self.says_right(call) and not self.is_whole(store, size):
            out.append('repaired, and the store is not whole')
        if scenario in READERS and not is_altered and not self.is_whole(store, size):
            out.append('a store that was whole is whole no more')
        if not way.startswith('replaced') and its['store'] != 'damaged':
            out += self.lies(store, scenario == 'remove')
        return out

    def says_right(self, call):
        lines = call.of('checked')
        return call.is_good and len(lines) == 4 and all(line[2] == 'right' for line in lines)

    def after_second(self, store, size, call, has_data=True):
        out = []
        if not call.is_good:
            out.append('a second call fails')
        elif not call.is_cached:
            out.append('a second call ends without cached')
        if has_data and not self.is_whole(store, size):
            out.append('after a second call the store is not whole')
        for name in store.all():
            kind = self.kind_of_left(name)
            if kind == 'other':
                out.append('left in the store: ' + name)
            elif kind:
                self.count_left(kind)
        if store.uploads():
            self.count_left('unfinished uploads')
        return out

    def kind_of_left(self, name):
        if name in SET + (RECEIPT,):
            return ''
        if name.startswith('.m.lease.') and name[9:].isdigit():
            return 'leases'
        return 'parts' if name.startswith('.') and name.endswith('.part') else 'other'

    def count_left(self, kind):
        with self.lock:
            self.left[kind] = self.left.get(kind, 0) + 1

    # ---- a case

    def run(self, case):
        name, scenario, kind, way, rules, is_long = case
        store, home, size = self.arrange(scenario, kind)
        its = SCENARIOS[scenario]
        for rule in rules.split():
            if rule.startswith('@'):
                store.say(rule[1:])
            else:
                store.rule(rule)
        limit = LONG_LIMIT if is_long else LIMIT
        first = self.call(store, home, its['action'], size, its['origin'], limit=limit)
        store.is_good_again()
        out = self.after_first(scenario, store, home, size, first, way)

        if scenario == 'repair':  # what has the right size is not read by another call
            mended = self.call(store, home, 'repair', size, silence=20, limit=60)
            out += [] if self.says_right(mended) else ['a second repair does not end right']
        second = self.call(store, home, 'bring', size, silence=20, limit=60)
        out += self.wrong_locally(home, size)[0]
        out += self.after_second(store, size, second, not way.startswith('replaced'))
        out += self.secrets(store, home, (first, second))
        shutil.rmtree(home, ignore_errors=True)
        return name, out, first, second

    def requests(self, scenario, kind):
        """methods of the requests of a call without faults"""
        store, home, size = self.arrange(scenario, kind)
        its = SCENARIOS[scenario]
        got = self.call(store, home, its['action'], size, its['origin'], silence=20, limit=60)
        if not got.has_ended or (not got.is_good and scenario != 'repair'):
            raise SystemExit('without faults %s on %s fails:\n%s' % (scenario, kind, got.text))
        lines = store.say('log?text=1').decode().splitlines()
        return [line.split('\t')[2] for line in lines if not line.startswith('\t')]


def kinds_of(scenario):
    return SCENARIOS[scenario].get('kinds', ('bucket', 'dav'))


def cases_of_sweep(sweep):
    for scenario in SCENARIOS:
        for kind in kinds_of(scenario):
            methods = sweep.requests(scenario, kind)
            for way, rule in WAYS.items():
                count = methods.count('GET') if way in OF_GET else len(methods)
                for n in range(1, count + 1):
                    yield ('%s/%s/%d/%s' % (scenario, kind, n, way), scenario, kind, way,
                           '%s&nth=%d' % (rule, n), False)


def cases_of_hostile(is_quick):
    for kind in ('bucket', 'dav'):
        for scenario in HOSTILE_SCENARIOS:
            for way, rules in HOSTILE.items():
                if (is_quick and way in SLOW_HOSTILE) or (way.startswith('mkcol') and kind != 'dav'):
                    continue
                yield '%s/%s/all/%s' % (scenario, kind, way), scenario, kind, way, rules, True
    for way, rules in HOSTILE_PARTS.items():
        if not is_quick or way not in SLOW_HOSTILE:
            yield 'parts/bucket/all/' + way, 'parts', 'bucket', way, rules, True


def thinned(cases):
    """of each way and scenario some, always the same; fewer of those that wait"""
    return [case for case in cases
            if zlib.crc32(case[0].encode()) % (SELDOM if case[3] in SLOW else SOME) == 0]


def parse():
    words = argparse.ArgumentParser()
    words.add_argument('--program', default='')
    words.add_argument('--jobs', type=int, default=12)
    words.add_argument('--only', default='')
    for flag in ('quick', 'selftest', 'list', 'keep'):
        words.add_argument('--' + flag, action='store_true')
    return words.parse_args()


def build(scratch, mutants):
    """store_call, of a header with small constants and the mutants that the environment chooses"""
    include = os.path.join(scratch, 'include')
    os.mkdir(include)
    with open(os.path.join(os.environ.get('VQCACHE_INCLUDE', ROOT), 'vqcache.hpp')) as file:
        text = file.read()
    for old, new in SMALL + tuple(mutant[:2] for mutant in mutants.values()):
        if text.count(old) != 1:
            raise SystemExit('stores.py has to follow the header, which has not once: ' + old)
        text = text.replace(old, new)
    with open(os.path.join(include, 'vqcache.hpp'), 'w') as file:
        file.write(text)
    program = os.path.join(scratch, 'store_call')
    chosen = 'std::getenv("STORE_MUTANT")'
    subprocess.run(
        [os.environ.get('CXX', 'g++'), '-std=c++17', '-g0', '-I' + include,
         '-DMUTANT(x)=(%s && std::string(%s) == x)' % (chosen, chosen),
         os.path.join(HERE, 'store_call.cpp'), '-o', program, '-pthread', '-ldl'], check=True)
    return program


def all_cases(sweep, is_quick):
    for kind, size in (('bucket', 'small'), ('bucket', 'parts'), ('dav', 'small')):
        sweep.prepare(kind, size)
    cases = list(cases_of_sweep(sweep))
    return (thinned(cases) if is_quick else cases) + list(cases_of_hostile(is_quick))


def found_in(sweep, cases, jobs):
    """what sweep.run() gives, of each; what waits goes first"""
    cases = sorted(cases, key=lambda case: case[3] not in SLOW + SLOW_HOSTILE)
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        yield from pool.map(sweep.run, cases)


def carry_out(sweep, wanted):
    cases = [case for case in all_cases(sweep, wanted.quick) if wanted.only in case[0]]
    if wanted.list:
        print('\n'.join(case[0] for case in cases))
        return 0
    bad, longest = 0, (0, '')
    for name, out, first, second in found_in(sweep, cases, wanted.jobs):
        longest = max(longest, (first.seconds, name))
        if not out:
            continue
        bad += 1
        print('violation: %s: %s' % (name, '; '.join(out)))
        if wanted.keep:
            print('    first, %.1f s:\n%s    second:\n%s' % (
                first.seconds, indented(first.text), indented(second.text)))
        sys.stdout.flush()
    if sweep.left:
        print('left in stores, for what sweeps later: ' + ', '.join(
            '%s after %d cases' % pair for pair in sorted(sweep.left.items())))
    print('longest call: %.1f s, %s' % longest)
    print('faults of stores: %d cases, %d violations' % (len(cases), bad))
    print('%d passed, %d failed, 0 skipped' % (len(cases) - bad, bad))
    return 1 if bad or not cases else 0


def test_itself(sweep, wanted):
    cases = all_cases(sweep, False)
    passed = failed = 0
    for mutant in [''] + list(MUTANTS):
        sweep.mutant = mutant
        names = MUTANTS[mutant][2] if mutant else [n for one in MUTANTS.values() for n in one[2]]
        chosen = [case for case in cases if case[0] in names]
        said = ['%s: %s' % (name, '; '.join(out))
                for name, out, _, _ in found_in(sweep, chosen, wanted.jobs) if out]
        noticed = [line for line in said if mutant and MUTANTS[mutant][3] in line]
        is_good = bool(noticed) if mutant else bool(chosen) and not said
        passed, failed = passed + is_good, failed + (not is_good)
        what = ('noticed: ' if is_good else 'NOT NOTICED: ') if mutant else 'the header as it is: '
        print('%s%s: %d of %d cases: %s' % (what, mutant, len(said), len(chosen),
                                            (noticed + said + ['-'])[0]))
    print('%d passed, %d failed, 0 skipped' % (passed, failed))
    return 1 if failed else 0


def indented(text):
    return ''.join('      %s\n' % line[:400] for line in text.splitlines())


def main():
    wanted = parse()
    scratch = tempfile.mkdtemp(prefix='vqcache-faults.')
    sweep = None
    try:
        program = wanted.program or build(scratch, MUTANTS if wanted.selftest else {})
        sweep = Sweep(os.path.abspath(program), scratch)
        return (test_itself if wanted.selftest else carry_out)(sweep, wanted)
    finally:
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            if sweep:
                sweep.end()
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == '__main__':
    sys.exit(main())
