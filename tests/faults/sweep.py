#!/usr/bin/env python3
"""sweep.py: one call of the library per case, with one fault each, for ALL its system calls.

  sweep.py --bin DIR [--quick] [--only SCENARIO,..] [--modes MODE,..] [--case SPEC] [--jobs N]
           [--no-power] [--cuts] [--json OUT]

DIR holds the programs faultrun and subject (run.sh builds them). A scenario is what stands on the
two disks before the call, and which call it is: that for a pair, for a set of three files, or
prune, verify or repair. For each, a clean run is traced; every call on the two directories and,
where there is a network, every socket call (and with the curl program every process call) gives:

  error       it fails once with each errno that it may plausibly give
  sticky      that call fails from then on, on that tier
  dead        every call on that tier, or every socket call, fails from then on
  full        everything that needs space on that tier says ENOSPC from then on
  short, eof  a true short read or write of one byte; a read that says end of file
  kill, kill-after     SIGKILL before or after it
  kill-main, -child    SIGKILL to the main process alone; to the curl program alone
  powercut, powercut-log           the power fails after it, on a real ext4 and XFS (loop device),
                                   without and with the journal on the disk

After each the invariants of check.py are judged, then the call is made again without a fault and
they are judged again. The re-run is skipped where its outcome is known: no temporary is left and an
earlier case of the same scenario left exactly the same files. A violation prints the --case that
repeats it. A case is (call name, path, k-th): received chunks vary from run to run, so some cases
are not reached; they are counted.

The power cuts in a cold download over libcurl, and what the next boot makes of it: cuts.py."""
import argparse
import collections
import ctypes
import fcntl
import hashlib
import io
import json
import multiprocessing
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zipfile

import check

NAME = check.NAME
LIMIT = 60  # seconds until a run counts as a hang; an ordinary one takes a hundredth of one

# what each call may plausibly say; a call that is not here is only killed
ERRS = {
    'open': 'EACCES EMFILE ENOSPC EROFS EINTR EIO', 'read': 'EIO EINTR', 'pread64': 'EIO EINTR',
    'write': 'ENOSPC EIO EDQUOT EINTR EFBIG', 'writev': 'ENOSPC EIO',
    'fsync': 'EIO ENOSPC EDQUOT EINVAL EINTR', 'syncfs': 'EIO', 'close': 'EIO ENOSPC EDQUOT EINTR',
    'sync_file_range': 'EIO ENOSPC', 'rename': 'EXDEV EACCES ENOSPC EIO EBUSY',
    'renameat2': 'EXDEV EINVAL EIO ENOSYS', 'link': 'EPERM EMLINK EEXIST EXDEV EIO',
    'unlink': 'EACCES EBUSY EIO EROFS', 'rmdir': 'EACCES ENOTEMPTY',
    'mkdir': 'EACCES ENOSPC EROFS EEXIST EIO', 'flock': 'ENOLCK EINTR ENOSYS EOPNOTSUPP',
    'fcntl': 'ENOLCK EINTR EINVAL', 'ftruncate': 'ENOSPC EIO EINVAL EPERM EINTR',
    'fallocate': 'EOPNOTSUPP ENOSPC EINTR ENOSYS', 'fadvise64': 'EINVAL',
    'copy_file_range': 'EXDEV EOPNOTSUPP EIO ENOSPC EINVAL ENOSYS', 'sendfile': 'EINVAL EIO',
    'splice': 'EINVAL EIO', 'ioctl': 'EOPNOTSUPP EXDEV EINVAL EIO ENOSPC',
    'stat': 'EACCES EIO ESTALE', 'statx': 'EACCES EIO ENOSYS', 'statfs': 'EIO ENOSYS',
    'mmap': 'ENOMEM ENODEV', 'getdents64': 'EIO', 'lseek': 'EINVAL', 'access': 'EACCES EIO',
    'chmod': 'EPERM EROFS', 'utimensat': 'EPERM', 'readlink': 'EACCES EINVAL',
    'socket': 'EMFILE EACCES', 'connect': 'ECONNREFUSED ETIMEDOUT ENETUNREACH EINTR',
    'socketpair': 'EMFILE', 'setsockopt': 'EINVAL', 'getsockopt': 'EINVAL',
    'recvfrom': 'ECONNRESET ETIMEDOUT EINTR', 'recvmsg': 'ECONNRESET',
    'sendto': 'EPIPE ECONNRESET EINTR', 'sendmsg': 'EPIPE', 'poll': 'EINTR ENOMEM',
    'pipe': 'EMFILE ENFILE', 'dup': 'EMFILE', 'dup2': 'EBUSY EINTR', 'fork': 'EAGAIN ENOMEM',
    'clone': 'EAGAIN', 'clone3': 'EAGAIN ENOMEM ENOSYS', 'execve': 'ENOENT EACCES ENOMEM ETXTBSY',
    'wait4': 'EINTR ECHILD', 'waitid': 'EINTR', 'eventfd2': 'EMFILE',
}
for one, like in dict(openat='open', openat2='open', pwrite64='write', pwritev='writev',
                      readv='read', preadv='read', fdatasync='fsync', renameat='rename',
                      linkat='link', unlinkat='unlink', mkdirat='mkdir', fstat='stat', lstat='stat',
                      newfstatat='stat', faccessat='access', faccessat2='access', fstatfs='statfs',
                      fchmod='chmod', fchmodat='chmod', ppoll='poll', vfork='fork', pipe2='pipe',
                      dup3='dup2', epoll_wait='poll', select='poll').items():
    ERRS[one] = ERRS[like]
SHORT = {'read', 'pread64', 'write', 'pwrite64', 'recvfrom', 'sendto', 'copy_file_range',
         'sendfile', 'splice'}
EOF = {'read': '0', 'pread64': '0', 'recvfrom': '0', 'copy_file_range': '0', 'sendfile': '0'}
SPACE = ('write,pwrite64,writev,pwritev,copy_file_range,sendfile,splice,fallocate,mkdir,mkdirat,'
         'fsync,fdatasync')
CHANGES = set(SPACE.split(',')) | check.RENAMES | check.UNLINKS | {
    'open', 'openat', 'ftruncate', 'close', 'ioctl', 'fchmod'}
WIRE = 'connect,recvfrom,recvmsg,sendto,sendmsg,read,write,readv,writev'
# dead cloud drives say ENOTCONN, dead disks EIO; a wire that is cut, ENETUNREACH
GROUPS = {'*': '', 'SPACE': SPACE, 'WIRE': WIRE}
UPKEEP = ('prune', 'verify', 'repair')  # "transports" of the subject which download no model
DEAD = {'cache': ['ENOTCONN', 'EIO'], 'local': ['EIO'], 'net': ['ENETUNREACH']}
ALL_MODES = ['error', 'sticky', 'dead', 'full', 'short', 'eof', 'kill', 'kill-after']
POWER = ['powercut', 'powercut-log']

Scenario = collections.namedtuple('Scenario', 'name transport network modes quick power of')
Case = collections.namedtuple('Case', 'scenario mode call path k what layout')
Run = collections.namedtuple('Run', 'rc out err outside')


def scenario(name, transport='fetch', network=False, modes=None, quick=None, power=False,
             of='pair'):
    """of: pair or set, which files its model has"""
    return Scenario(name, transport, network, modes or ALL_MODES, quick or [], power, of)


FEW = ['error', 'kill', 'kill-after']
MOST = ['error', 'dead', 'short', 'eof', 'kill', 'kill-after']
SCENARIOS = {s.name: s for s in [
    scenario('cold', network=True, quick=['error', 'kill'], power=True),
    scenario('cold-libcurl', 'libcurl', True, ['error', 'dead', 'short', 'eof']),
    scenario('cold-curl', 'curl', True, ['error', 'dead', 'short', 'eof', 'kill-main']),
    # an origin that does not say how long its files are: a curl that dies must not look like an end
    scenario('cold-close-curl', 'curl', True, ['kill-child']),
    scenario('restore', quick=['error', 'kill', 'dead'], power=True),
    scenario('restore-seed', modes=['error', 'dead', 'short', 'eof', 'kill']),
    scenario('store', quick=['error', 'dead'], power=True),
    scenario('store-seed', modes=FEW),
    scenario('half', modes=['error', 'dead', 'full', 'short', 'kill']),
    scenario('half-cold', network=True, modes=['error', 'kill']),
    scenario('half-store', modes=['error', 'dead', 'kill']),
    scenario('no-receipt', modes=['error', 'dead', 'kill', 'kill-after']),
    scenario('damaged', network=True, modes=['error', 'dead', 'short', 'eof', 'kill', 'kill-after'],
             quick=['error'], power=True),
    scenario('damaged-short', network=True, modes=FEW),
    scenario('damaged-local', modes=FEW),
    # what an earlier call left of the checkpoint is continued
    scenario('resume', 'libcurl', True, ['error', 'dead', 'full', 'short', 'eof', 'kill', 'kill-after'],
             quick=['error', 'kill'], power=True),
    # by a subject whose blocks and thresholds are small: threads, several connections, a copy that
    # is made meanwhile, notes of what is synced, and after a kill all of that continued
    scenario('parts', 'libcurl', True, ['error', 'full', 'kill'], quick=['kill']),
    scenario('file', modes=['error', 'short', 'eof', 'kill', 'dead']),
    scenario('hit', quick=['error']),
    # not a call for the model, but the local tier makes room; the next call restores it
    scenario('prune', 'prune', modes=MOST, quick=['error']),
    # a set of three files, two of them in a folder of their own
    scenario('set-cold', 'set', True, ['error', 'dead', 'kill', 'kill-after'], quick=['kill'],
             of='set'),
    scenario('set-restore', 'set', modes=MOST, of='set'),
    scenario('set-store', 'set', modes=['error', 'dead', 'kill', 'kill-after'], of='set'),
    # every byte is read: all of them are right; one of the copy has flipped
    scenario('verify', 'verify', modes=MOST, quick=['error'], of='set'),
    scenario('verify-damaged', 'verify', modes=MOST),
    # a byte has flipped in a local file, in a copy, or in both, so that the origin has to help
    scenario('repair-local', 'repair', modes=MOST, quick=['error'], of='set'),
    scenario('repair-copy', 'repair', modes=MOST),
    scenario('repair-both', 'repair', True, FEW),
]}


# ---- the model and its origin --------------------------------------------------------------------

def make_model(blocks=6200):
    """a real YAML of some 700 bytes and a checkpoint in PyTorch's zip layout of some 200 kB"""
    config = 'model:\n  base_learning_rate: 4.5e-06\n  target: taming.models.vqgan.VQModel\n' \
             '  params:\n    embed_dim: 256\n    n_embed: 1024\n    ddconfig:\n'
    config += ''.join('      option_%02d: %d\n' % (i, i * i) for i in range(28))
    noise = b''.join(hashlib.sha256(b'%d' % i).digest() for i in range(blocks))
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w', zipfile.ZIP_STORED) as z:
        for name, data in (('archive/data.pkl', b'\x80\x02}q\x00.'), ('archive/version', b'3\n'),
                           ('archive/data/0', noise)):
            z.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
    return check.Model({'.yaml': config.encode(), '.ckpt': out.getvalue()})


def make_set():
    """three small files, two of them in a folder"""
    noise = b''.join(hashlib.sha512(b'%d' % i).digest() for i in range(2200))
    return check.Model({'config.json': b'{"layers": 12}\n', 'onnx/model.onnx': noise[:40000],
                        'onnx/model.onnx_data': noise[40000:]})


HUB = b'/peers/model/resolve/main/m.ckpt'  # as the Hugging Face hub serves a file
HUB_COMMIT = '0123456789abcdef0123456789abcdef01234567'


def serve(right, to):
    """the origin: HTTP/1.1, ETag, single ranges, one request a connection"""
    files = {b'/m.yaml': right['.yaml'], b'/m.ckpt': right['.ckpt'],
             b'/close.yaml': right['.yaml'], b'/close.ckpt': right['.ckpt'],
             b'/slow.yaml': right['.yaml'], b'/slow.ckpt': right['.ckpt'], HUB: right['.ckpt']}
    files.update((b'/set/' + file.encode(), data) for file, data in make_set().items())

    def answer(c):
        with c:
            c.settimeout(20)
            head = b''
            while b'\r\n\r\n' not in head:
                more = c.recv(65536)
                if not more:
                    return
                head += more
            lines = head.split(b'\r\n')
            data = files.get(lines[0].split(b' ')[1])
            if data is None:
                c.sendall(b'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n'
                          b'Connection: close\r\n\r\n')
                return
            if b'/close.' in lines[0]:  # no length, and in two pieces
                c.sendall(b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n' + data[:len(data) // 2])
                time.sleep(.01)
                c.sendall(data[len(data) // 2:])
                return
            fields = {k.lower(): v for k, _, v in (x.partition(b': ') for x in lines[1:])}
            tag = b'"' + hashlib.sha256(data).hexdigest()[:16].encode() + b'"'
            status, extra, body = b'200 OK', b'', data
            wanted = fields.get(b'range', b'')
            if wanted.startswith(b'bytes=') and fields.get(b'if-range', tag) == tag:
                first, _, last = wanted[6:].partition(b'-')
                a, b = int(first or 0), min(int(last or len(data) - 1), len(data) - 1)
                body = data[a:b + 1]
                if a < len(data):
                    status = b'206 Partial Content'
                    extra = b'Content-Range: bytes %d-%d/%d\r\n' % (a, b, len(data))
                else:
                    status = b'416 Range Not Satisfiable'
                    extra = b'Content-Range: bytes */%d\r\n' % len(data)
            if HUB in lines[0]:
                extra += b'X-Repo-Commit: %s\r\nX-Linked-Size: %d\r\nX-Linked-Etag: "%s"\r\n' % (
                    HUB_COMMIT.encode(), len(data), hashlib.sha256(data).hexdigest().encode())
            c.sendall(b'HTTP/1.1 %s\r\nETag: %s\r\nAccept-Ranges: bytes\r\n%sContent-Length: %d\r\n'
                      b'Content-Type: application/octet-stream\r\nConnection: close\r\n\r\n'
                      % (status, tag, extra, len(body)) +
                      (b'' if b'/slow.' in lines[0] or lines[0].startswith(b'HEAD ') else body))
            for i in range(0, len(body) if b'/slow.' in lines[0] else 0, 8192):
                c.sendall(body[i:i + 8192])
                time.sleep(.0007)

    def guarded(c):
        try:
            answer(c)
        except OSError:
            pass  # killed callers hang up

    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(('127.0.0.1', 0))
    listener.listen(64)
    to.send(listener.getsockname()[1])
    while True:
        c, _ = listener.accept()
        threading.Thread(target=guarded, args=(c,), daemon=True).start()


# ---- a disk whose power can be cut ---------------------------------------------------------------

LIBC = ctypes.CDLL(None, use_errno=True)
SHUTDOWN = 0x8004587d  # XFS_IOC_GOINGDOWN, which ext4 has too


def sh(*cmd):
    r = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, text=True)
    if r.returncode:
        raise RuntimeError('%s: %s' % (' '.join(cmd), r.stdout.strip()))
    return r.stdout.strip()


class Disk:
    def __init__(self, fs, folder):
        self.fs, self.mnt = fs, os.path.join(folder, 'disk')
        self.img, self.loop = os.path.join(folder, 'image.' + fs), None
        os.makedirs(self.mnt, exist_ok=True)
        with open(self.img, 'wb') as f:
            f.truncate((320 if fs == 'xfs' else 32) << 20)
        try:
            sh('mkfs.' + fs, '-q', '-F' if fs == 'ext4' else '-f', self.img)
            self.loop = sh('losetup', '--find', '--show', self.img)
            self.on()
        except Exception:
            self.remove()
            raise

    def on(self):
        if LIBC.mount(self.loop.encode(), self.mnt.encode(), self.fs.encode(), 0, None):
            raise RuntimeError('mount %s: %s' % (self.fs, os.strerror(ctypes.get_errno())))

    def off(self):
        for _ in range(200):
            if LIBC.umount2(self.mnt.encode(), 0) == 0:
                return
            if ctypes.get_errno() == 22:  # EINVAL: nothing is mounted there
                return
            time.sleep(.02)
        raise RuntimeError('cannot unmount ' + self.mnt)

    def cut(self, with_journal):
        fd = os.open(self.mnt, os.O_RDONLY)
        fcntl.ioctl(fd, SHUTDOWN, struct.pack('I', 1 if with_journal else 2))
        os.close(fd)
        self.off()
        self.on()

    def sync(self):
        fd = os.open(self.mnt, os.O_RDONLY)
        LIBC.syncfs(fd)
        os.close(fd)

    def remove(self):
        self.off()
        if self.loop:
            sh('losetup', '-d', self.loop)
        if os.path.exists(self.img):
            os.unlink(self.img)


def power_unavailable():
    """why power cannot be cut here, or ''"""
    if os.geteuid() != 0:
        return 'not root'
    for tool in ('losetup', 'mkfs.ext4', 'mkfs.xfs'):
        if not shutil.which(tool):
            return 'no ' + tool
    folder = tempfile.mkdtemp(prefix='vqcache-faults.')
    try:
        for fs in ('ext4', 'xfs'):
            d = Disk(fs, folder)
            try:
                d.cut(False)
            finally:
                d.remove()
    except (OSError, RuntimeError) as e:
        return str(e)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return ''


# ---- one worker: two directories, and runs of the subject on them --------------------------------

class Bench:
    def __init__(self, bin_dir, port, right, env=None):
        shm = '/dev/shm' if os.access('/dev/shm', os.W_OK) else None
        self.root = os.path.realpath(tempfile.mkdtemp(prefix='vqcache-faults.', dir=shm))
        self.out = os.path.join(self.root, 'outside')
        for d in ('home', 'tmp', 'cwd', 'source'):
            os.makedirs(os.path.join(self.out, d))
        for s in check.SUFFIXES:
            with open(os.path.join(self.out, 'source', 'm' + s), 'wb') as f:
                f.write(right[s])
        self.faultrun = os.path.join(bin_dir, 'faultrun')
        self.subject = os.path.join(bin_dir, 'subject')
        self.small = os.path.join(bin_dir, 'small')
        self.port, self.right, self.disk, self.layout = port, right, None, None
        self.models = {'pair': right, 'set': make_set()}
        self.texts = [open(self.root + '/text%d' % i, 'w+b') for i in (1, 2)]
        self.trace, self.report = self.root + '/trace', self.root + '/report'
        self.env = {'PATH': os.environ.get('PATH', '/usr/bin:/bin'), 'LC_ALL': 'C',
                    'HOME': self.out + '/home', 'TMPDIR': self.out + '/tmp'}
        self.env.update(env or {})
        self.before = self.outside()
        self.set_layout('tmp')

    def set_layout(self, layout):
        """tmp: nothing is mounted; FS-both, FS-local: both directories, or the local one, on FS"""
        if layout == self.layout:
            return
        fs, _, where = layout.partition('-')
        if self.disk and self.disk.fs != fs:
            self.disk.remove()
            self.disk = None
        if where and not self.disk:
            self.disk = Disk(fs, self.root)
        self.layout = layout
        self.fast = self.root + ('/disk' if where else '') + '/fast'
        self.slow = self.root + ('/disk' if where == 'both' else '') + '/slow'
        self.roots = [(self.fast, 'fast'), (self.slow, 'slow')]

    def close(self):
        if self.disk:
            self.disk.remove()
        shutil.rmtree(self.root, ignore_errors=True)

    def label(self, path):
        for raw, short in ((self.fast + '/models', 'L'), (self.slow + '/models', 'C'),
                           (self.fast, 'fast'), (self.slow, 'slow'), (self.out + '/source', 'S')):
            if path == raw or path.startswith(raw + '/'):
                return short + path[len(raw):]
        return path

    def path(self, label):
        for short, raw in (('fast', self.fast), ('slow', self.slow), ('L', self.fast + '/models'),
                           ('C', self.slow + '/models'), ('S', self.out + '/source')):
            if label == short or label.startswith(short + '/'):
                return raw + label[len(short):]
        return label

    def outside(self):
        seen = []
        for where, _, files in os.walk(self.out):
            seen.append(where[len(self.out):])
            for f in files:
                st = os.stat(os.path.join(where, f))
                seen.append((where[len(self.out):] + '/' + f, st.st_size, st.st_mtime_ns))
        return sorted(map(str, seen))

    def snapshot(self):
        snap = {}
        for root, _ in self.roots:
            for where, _, files in os.walk(root):
                for f in files:
                    p = os.path.join(where, f)
                    with open(p, 'rb') as h:
                        snap[self.label(p)] = h.read()
        return snap

    def setup(self, files):
        for root, _ in self.roots:
            if os.path.isdir(root):
                shutil.rmtree(root)
            os.mkdir(root)
        for label, data in files.items():
            p = self.path(label)
            os.makedirs(os.path.dirname(p), exist_ok=True)
            with open(p, 'wb') as f:
                f.write(data)
        if self.disk:
            self.disk.sync()

    def command(self, s):
        base = 'http://127.0.0.1:%d/m' % self.port
        places = [self.fast + '/models', self.slow + '/models']
        if s.transport in UPKEEP:
            return [self.subject, s.transport, *places]
        if s.transport == 'set':
            return [self.subject, 'set', *places, base[:-1] + 'set/', *self.models['set']]
        if s.name.startswith('cold-close'):
            base = base[:-1] + 'close'
        if s.name == 'file':
            base = 'file://' + self.out + '/source/m'
        if s.name == 'parts':
            base = base[:-1] + 'slow'
        return [self.small if s.name == 'parts' else self.subject, s.transport, *places,
                base + '.yaml', base + '.ckpt']

    def start(self, command):
        for f in self.texts:  # files, not pipes: pipes are what the faults are about
            f.seek(0)
            f.truncate()
        p = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.texts[0],
                             stderr=self.texts[1], env=self.env, cwd=self.out + '/cwd',
                             close_fds=False)
        pid = os.pidfd_open(p.pid)
        ended = select.select([pid], [], [], LIMIT)[0]
        os.close(pid)
        if not ended:
            p.kill()
            time.sleep(.2)  # what it traces dies with it
        rc = p.wait() if ended else (p.wait(), 124)[1]
        out, err = ((f.seek(0), f.read().decode(errors='replace'))[1] for f in self.texts)
        now = self.outside()
        changed = '' if now == self.before else str(sorted(set(now) ^ set(self.before))[:3])
        return Run(rc, out, err, changed)

    def watch(self, s, tier=None):
        """what faultrun counts"""
        if tier == 'net':
            return ['--sockets']
        if tier in ('local', 'cache'):
            return ['--under', self.fast if tier == 'local' else self.slow]
        args = ['--under', self.fast, '--under', self.slow]
        if s.name == 'file':
            args += ['--under', self.out + '/source']
        if s.network:
            args.append('--sockets')
        if s.transport == 'curl' and s.network:
            args.append('--process')
        return args

    def plain(self, s):
        return self.start(self.command(SCENARIOS['restore'] if s.transport == 'prune' else s))

    def traced(self, s, extra=('--sockets',)):
        r = self.start([self.faultrun, '--no-sleep', *self.watch(s), *extra, '--trace', self.trace,
                        '--'] + self.command(s))
        return r, self.calls(self.trace)

    def calls(self, file):
        with open(file, errors='replace') as f:
            return [check.Call(line, self.label) for line in f]

    def faulted(self, s, case):
        if case.call == 'exit':  # a power cut after the call has returned
            return self.plain(s), []
        args = [self.faultrun, '--no-sleep', '--report', self.report, '--at', str(case.k)]
        if case.mode in ('sticky', 'dead', 'full'):
            args += self.watch(s, case.path) + ['--sticky']
        else:
            args += self.watch(s)
        if case.mode not in ('sticky', 'dead', 'full') and case.path:
            args += ['--path', self.path(case.path)]
        if case.call != '*':
            args += ['--calls', GROUPS.get(case.call, case.call)]
        act = {'short': 'short:1', 'eof': 'ret:' + case.what}.get(case.mode, case.mode)
        if case.mode in ('error', 'sticky', 'dead', 'full'):
            act = 'error:' + case.what
        if case.mode.startswith('powercut'):
            act = 'kill-after'
        r = self.start(args + ['--act', act, '--'] + self.command(s))
        return r, self.calls(self.report)


def stand_after(bench, s):
    """what stands on the two disks after a clean cold call"""
    bench.setup({})
    r = bench.plain(s)
    base = bench.snapshot()
    bad = check.judge(None, 'recover', r, base, {}, bench.models[s.of], [])
    if bad:
        raise SystemExit('faults: a plain cold call breaks the invariants:\n  %s\n%s%s'
                         % ('\n  '.join(bad), r.out, r.err))
    base.pop(check.LOCK, None)
    return base


def flip(data):
    return data[:100000] + bytes([data[100000] ^ 255]) + data[100001:]


def templates(bench):
    """what stands on the two disks at the start of each scenario"""
    base, whole = (stand_after(bench, SCENARIOS[x]) for x in ('cold', 'set-cold'))
    ly, lc, lr = (check.L + '/' + NAME + s for s in ('.yaml', '.ckpt', '.sha256'))
    cy, cc, cr = (check.C + '/' + NAME + s for s in ('.yaml', '.ckpt', '.sha256'))

    def only(*labels, **changed):
        return {x: changed.get(x[0] + x[-1], base[x]) for x in labels}
    good = bench.right['.ckpt']
    data = check.L + '/' + NAME + '/onnx/model.onnx_data'
    part = '%s/.%s.ckpt.%016x.' % (check.L, NAME, 7)
    url = ('http://127.0.0.1:%d/m.ckpt' % bench.port).encode()
    record = 'elsewhere/- - 1 1\nurl %s\nvalidator "%s"\ntotal %d\nsafe 120000-%d\nreleased\n' % (
        hashlib.sha256(url).hexdigest(), hashlib.sha256(good).hexdigest()[:16], len(good), len(good))
    t = {
        # what stands behind the synced bytes is not to be believed
        'resume': {part + 'part': good[:120000] + bytes(5000), part + 'record': record.encode()},
        'restore': only(cy, cc, cr), 'restore-seed': only(cy, cc), 'store': only(ly, lc, lr),
        'store-seed': only(ly, lc), 'half': only(ly, lr, cy, cc, cr), 'half-cold': only(ly, lr),
        'half-store': only(ly, lc, lr, cy, cr), 'no-receipt': only(ly, lc, lr, cy, cc), 'hit': base,
        'prune': base,
        'damaged': dict(only(cy, cc, cr), **{cc: flip(good)}),
        'damaged-short': dict(only(cy, cc, cr), **{cc: good[:150000]}),
        'damaged-local': dict(base, **{lc: good[:150000]}),
        'set-restore': {x: whole[x] for x in whole if x.startswith('C')},
        'set-store': {x: whole[x] for x in whole if x.startswith('L')},
        'verify': whole, 'verify-damaged': dict(base, **{cc: flip(good)}),
        'repair-local': dict(whole, **{data: flip(whole[data])}),
        'repair-copy': dict(base, **{cc: flip(good)}),
        'repair-both': dict(base, **{lc: flip(good), cc: flip(good)}),
    }
    return {name: t.get(name, {}) for name in SCENARIOS}


# ---- the cases of a scenario ---------------------------------------------------------------------

def is_damaged(s):  # what stands there at the start
    return 'damaged' in s.name or s.transport == 'repair'


def list_cases(s, calls, modes, layout='tmp'):
    cases, kth = [], collections.Counter()

    def add(mode, c, k, what, path=None, call=None):
        cases.append(Case(s.name, mode, call or c.name, c.label if path is None else path, k, what,
                          layout))
    for c in calls:
        tier = c.tier
        kth[c.name, c.label] += 1
        k = kth[c.name, c.label]
        kth[c.name, tier] += 1
        for group in GROUPS:
            kth[group, tier] += group == '*' or c.name in GROUPS[group].split(',')
        errs = ERRS.get(c.name, '').split()
        if tier == 'process' and c.name in ('close', 'fcntl', 'read', 'write', 'dup2'):
            errs = [e for e in errs if e in ('EIO', 'EINTR', 'EMFILE')]  # on a pipe
        for m in modes:
            if m == 'error':
                for e in errs:
                    add(m, c, k, e)
            elif m == 'sticky' and errs and tier in ('local', 'cache', 'net'):
                for e in [e for e in errs if e != 'EINTR'][:1]:
                    add(m, c, kth[c.name, tier], e, tier)
            elif m == 'dead' and (tier in ('local', 'cache') or c.name in WIRE.split(',')):
                group = 'WIRE' if tier == 'net' else '*'
                for e in DEAD.get(tier, []):
                    add(m, c, kth[group, tier], e, tier, group)
            elif m == 'full' and c.name in SPACE.split(',') and tier in ('local', 'cache'):
                add(m, c, kth['SPACE', tier], 'ENOSPC', tier, 'SPACE')
            elif m == 'short' and c.name in SHORT:
                add(m, c, k, 'short')
            elif m == 'eof' and c.name in EOF and not (
                    is_damaged(s) and c.label in check.RECEIPTS.values()):
                # a damaged file and a lost receipt are two faults: nothing is left to tell by
                add(m, c, k, EOF[c.name])
            elif m == 'kill' or (m == 'kill-after' and c.name in CHANGES) or \
                    (m in ('kill-main', 'kill-child') and tier != 'local' and tier != 'cache') or \
                    (m in POWER and c.name in CHANGES and c.name != 'close' and
                     (c.name not in ('open', 'openat') or c.flags & check.O_CREAT) and
                     tier in ('local', 'cache')):
                add(m, c, k, '-')
    cases += [Case(s.name, m, 'exit', '', 1, '-', layout) for m in modes if m in POWER]
    return list(dict.fromkeys(cases))


def spec(case):
    return ','.join(map(str, case))


# ---- workers -------------------------------------------------------------------------------------

def judged(bench, s, case, phase, run, snap, planted, hits, noticed=True):
    """what check.py says of one run, by what its call was"""
    right = bench.models[s.of]
    if s.transport == 'verify':
        return check.judge_verify(case if hits else None, run, snap, planted, right, hits)
    if s.transport == 'repair':
        return check.judge_repair(case, phase, run, snap, planted, right, hits)
    if s.transport == 'prune' and phase != 'recover':  # what restores it afterwards is a call
        return check.judge_prune(case, run, snap, planted, right, hits)
    return check.judge(case, phase, run, snap, planted, right, hits, noticed)


class Judge:
    def __init__(self, bench, files):
        self.bench, self.files, self.known, self.litter = bench, files, set(), 0

    def close(self):
        self.bench.close()

    def state(self, case, snap):
        key = [case.scenario]
        for label, data in sorted(snap.items()):
            if check.PRIVATE.search(label) or check.ASIDE.match(label):
                return None
            if label in check.RECEIPTS.values():
                data = b'\n'.join(x for x in data.split(b'\n') if not x.startswith(b'# vqcache'))
            key.append((label, hashlib.sha256(data).digest()))
        return tuple(key)

    def third_run(self, case, snap):
        """litter that may outlive a re-run: two days on, a call that has work to do removes it"""
        b = self.bench
        for label in check.leftovers(snap):
            os.utime(b.path(label), (time.time() - 2 * 86400,) * 2)
        *_, last = b.models[SCENARIOS[case.scenario].of].places['local'].values()
        os.unlink(b.path(last))
        b.plain(SCENARIOS[case.scenario])
        left = check.leftovers(b.snapshot())
        self.litter += 1
        return ['I4: two days and a restore later there still is ' + left[0]] if left else []

    def run(self, case):
        """-> (reached, seconds, list of (phase, what is wrong))"""
        started = time.time()
        reached, bad = self.judge(case)
        return reached, time.time() - started, bad

    def judge(self, case):
        b, s, planted = self.bench, SCENARIOS[case.scenario], self.files[case.scenario]
        b.set_layout(case.layout)
        b.setup(planted)
        r, hits = b.faulted(s, case)
        if case.mode.startswith('powercut'):
            b.disk.cut(case.mode != 'powercut')
        reached = bool(hits) or case.call == 'exit'
        snap = b.snapshot()
        noticed = 'amaged' in r.out
        bad = judged(b, s, case, 'fault', r, snap, planted, hits, noticed)
        if bad:
            return reached, [('fault', x) for x in bad]
        key = self.state(case, snap)
        if key and key in self.known:
            return reached, []
        again = b.plain(s)
        snap = b.snapshot()
        bad = judged(b, s, case, 'recover', again, snap, planted, [], noticed)
        if not bad and check.leftovers(snap):
            bad = self.third_run(case, snap)
        if not bad and key:
            self.known.add(key)
        return reached, [('recover', x) for x in bad]


def clean_run(bench, files, s, layout='tmp'):
    """trace a run without a fault -> (calls, violations)"""
    bench.set_layout(layout)
    bench.setup(files[s.name])
    r, calls = bench.traced(s)
    phase = 'clean' if s.transport == 'prune' else 'recover'
    bad = judged(bench, s, None, phase, r, bench.snapshot(), files[s.name], [])
    if s.transport == 'prune' and 'removed=1' not in r.out:
        bad.append('P2: without a fault it stays: ' + r.out)
    return calls, bad + check.check_trace(calls, s.network, bench.models[s.of],
                                          s.transport != 'verify')


def in_parallel(jobs, make, tasks, work):
    """work(make(), task) over all tasks in `jobs` processes; yields (task number, result)"""
    counter, queue = multiprocessing.Value('l', 0), multiprocessing.SimpleQueue()

    def loop():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        own = None
        try:
            own = make()
            while True:
                with counter.get_lock():
                    i = counter.value
                    counter.value += 1
                if i >= len(tasks):
                    break
                queue.put((i, work(own, tasks[i])))
        except Exception as e:  # the harness itself is broken: say so, do not count it as a pass
            queue.put((-1, '%s: %s' % (type(e).__name__, e)))
        finally:
            if own:
                own.close()
            queue.put((None, None))
    workers = [multiprocessing.Process(target=loop) for _ in range(jobs)]
    for w in workers:
        w.start()
    try:
        left = jobs
        while left:
            i, result = queue.get()
            if i is None:
                left -= 1
            elif i < 0:
                raise SystemExit('faults: the harness failed: ' + result)
            else:
                yield i, result
    finally:
        for w in workers:
            w.terminate()
        for w in workers:
            w.join()


class Origin:
    def __enter__(self):
        self.right = make_model()
        here, there = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=serve, args=(self.right, there), daemon=True)
        self.process.start()
        self.port = here.recv()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.join()


def lacking(transport):
    """what this machine does not have, or ''"""
    if transport == 'curl' and not shutil.which('curl'):
        return 'curl program'
    if transport == 'libcurl':
        for name in ('libcurl.so.4', 'libcurl-gnutls.so.4', 'libcurl-nss.so.4'):
            try:
                ctypes.CDLL(name)
                return ''
            except OSError:
                pass
        return 'libcurl'
    return ''


def sweep(o, origin, power):
    started = time.time()
    skipped = []
    bench = Bench(o.bin, origin.port, origin.right)
    try:
        files = templates(bench)
        names = o.only.split(',') if o.only else list(SCENARIOS)
        cases, bad, calls_of = [], [], {}
        for name in names:
            s = SCENARIOS[name]
            modes = s.quick if o.quick else s.modes
            if o.modes:
                modes = [m for m in o.modes.split(',') if m not in POWER]
            lacks = lacking(s.transport)
            if lacks:
                skipped.append('%s: no %s' % (name, lacks))
                continue
            calls, wrong = clean_run(bench, files, s)
            bad += [((name, 'clean'), 'clean', x) for x in wrong]
            calls = [c for c in calls if s.network or c.tier not in ('net', 'process')]
            if s.name.startswith('cold-'):  # the disks' part is that of the cold call
                calls = [c for c in calls if c.tier in ('net', 'process')]
            calls_of[name] = len(calls)
            cases += list_cases(s, calls, modes)
        if o.case:
            cases = [Case(*(int(x) if i == 4 else x for i, x in enumerate(one.split(','))))
                     for one in o.case]
        elif power:
            skipped.append('power cuts: ' + power)
        else:
            wanted = [m for m in (o.modes.split(',') if o.modes else POWER) if m in POWER]
            for fs in ('ext4', 'xfs'):
                for where in ('both', 'local'):
                    for name in names:
                        s = SCENARIOS[name]
                        if not s.power or not wanted or (o.quick and name != 'cold') or \
                                (where == 'local' and name != 'cold' and
                                 (name, fs) != ('restore', 'ext4')):
                            continue
                        layout = fs + '-' + where
                        calls, wrong = clean_run(bench, files, s, layout)
                        bad += [((name, layout), 'clean', x) for x in wrong]
                        got = list_cases(s, calls, wanted, layout)
                        if where == 'local':
                            got = [c for c in got if not c.path.startswith(('C', 'slow'))]
                        cases += got
    finally:
        bench.close()

    tally = collections.OrderedDict()
    missed = 0
    slow = []
    for i, (reached, seconds, wrong) in in_parallel(
            o.jobs, lambda: Judge(Bench(o.bin, origin.port, origin.right), files), cases,
            lambda judge, case: judge.run(case)):
        c = cases[i]
        t = tally.setdefault((c.scenario, '' if c.layout == 'tmp' else c.layout), [0, 0, 0])
        t[0] += 1
        t[1] += not reached
        t[2] += bool(wrong)
        missed += not reached
        slow += [(seconds, c)] if seconds > 1 else []
        bad += [(c, phase, x) for phase, x in wrong]
    for (name, layout), (n, unreached, wrong) in tally.items():
        print('%-14s %-10s %4d calls %5d cases (%d not reached), %d violated'
              % (name, layout, calls_of.get(name, 0), n, unreached, wrong))
    shown = collections.Counter()
    for c, phase, what in bad:
        group = (c[0], what.split(':')[0], what.split(' ')[1:3])
        shown[str(group)] += 1
        if shown[str(group)] <= o.show:
            print('VIOLATION %s: %s\n  %s' % (
                'in the clean run' if phase == 'clean' else 'after the ' + phase, what,
                '--only ' + c[0] if phase == 'clean' else '--case %r' % spec(c)))
    for seconds, c in sorted(slow, reverse=True)[:o.show]:
        print('slow, %.1f s: --case %r' % (seconds, spec(c)))
    if bad:
        print('by invariant:', dict(collections.Counter(b[2].split(':')[0] for b in bad)))
    for why in skipped:
        print('skipped: ' + why)
    if o.json:
        with open(o.json, 'w') as f:
            json.dump([(spec(c), phase, what) for c, phase, what in bad], f, indent=1)
    broken = len({spec(b[0]) for b in bad})
    print('sweep: %d cases (%d not reached), %d violations, %.0f s'
          % (len(cases), missed, broken, time.time() - started))
    if not o.case and missed * 5 > len(cases):
        print('faults: more than a fifth of the cases was not reached: the sweep proves too little')
        return len(cases), broken + 1
    return len(cases), broken


HERE = os.path.dirname(os.path.abspath(__file__))


def options():
    a = argparse.ArgumentParser()
    a.add_argument('--bin', required=True)
    a.add_argument('--quick', action='store_true')
    a.add_argument('--only', default='')
    a.add_argument('--modes', default='')
    a.add_argument('--case', action='append')
    a.add_argument('--jobs', type=int, default=2)
    a.add_argument('--no-power', action='store_true')
    a.add_argument('--show', type=int, default=3, help='violations printed of each sort')
    a.add_argument('--json')
    a.add_argument('--cxx', default='g++')
    a.add_argument('--include', default=os.path.join(HERE, '..', '..'))
    a.add_argument('--cuts', action='store_true', help='only the cuts of cuts.py')
    a.add_argument('--mutants', nargs='*', metavar='NAME', help='only the test of the sweep')
    return a.parse_args()


def main():
    o = options()
    o.bin = os.path.abspath(o.bin)
    started = time.time()
    if o.case:
        o.only = o.only or o.case[0].split(',')[0]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.stdout.reconfigure(line_buffering=True)
    with Origin() as origin:
        power = 'asked to leave them out' if o.no_power else power_unavailable()
        only_mutants, part = o.mutants is not None, o.case or o.only or o.modes
        only_cuts = o.cuts or cuts.is_case(o.case)
        # the mutants first: one that no longer fits the header is told in seconds
        some, missed = (0, 0) if part or only_cuts else mutants.hunt(o, origin, power, o.mutants)
        n, bad = (0, 0) if only_mutants or only_cuts else sweep(o, origin, power)
        if only_cuts or not (only_mutants or part):
            n, bad, some, missed = (x + y for x, y in zip(
                (n, bad, some, missed), cuts.run(o, power)))
    print('faults: %d cases, %d violations, %d of %d mutants caught, %.0f s'
          % (n, bad, some - missed, some, time.time() - started))
    return 1 if bad or missed else 0


if __name__ == '__main__':
    sys.modules['sweep'] = sys.modules['__main__']  # mutants.py uses this module
    import cuts
    import mutants
    sys.exit(main())
