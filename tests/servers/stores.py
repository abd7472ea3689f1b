#!/usr/bin/env python3
"""stores.py NAME: a real store or WebDAV server on 127.0.0.1, for the tests of such a tier.

    stores.py NAME             starts it, prints one line and runs until its stdin closes
    stores.py --list           the names, each with its kind and how it is had
    stores.py --packages       the packages of Debian that they need, one a line
    stores.py --get NAME...    builds what is built, installs what is installed (as root, or by
                               sudo -n), and says how long each took; `all` is every name but
                               those of adversaries
    stores.py --try NAME...    starts each, writes and reads a file, stops it; ends in counts

The line, words as of store.py:
    http=PORT kind=s3|dav pid=PID version=TEXT built=SECONDS data=DIR control=PORT
    and of a store: bucket= region= key= secret=; of WebDAV: user= password=, empty without a user
built is how long the building took when it was done, which is once for a machine: programs are kept
in $VQCACHE_STORES_DIR (default: vqcache-stores below the user's cache folder), one directory for
each name and version.  Starting never builds and never installs.  data has what the store keeps;
it goes with the server.  control is a way in for tests that cannot sign: GET, PUT and DELETE /KEY,
GET /?list=PREFIX (lines of size, tab, key) and GET /?uploads=PREFIX (keys of unfinished uploads).

What cannot be had is told on stderr and ends with status 77; under VQCACHE_NO_SKIP=1 it is a
failure, status 1.  Versions are pinned: a build by its version; of a package another version than
the one that was measured is used, and told as a note."""
import base64
import ctypes
import fcntl
import hashlib
import http.client
import http.server
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import uuid

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import common  # noqa: E402
import store_client  # noqa: E402

KEY, SECRET, REGION, BUCKET = 'vqcache', 'vqcache-secret', 'us-east-1', 'vqcache-test'
USER, PASSWORD = 'tester', 'tester-password'
LONGEST_START = 120  # seconds
LEAST_GO = [1, 26]  # that the stores need
GO_MODULE = ('golang.org/toolchain', 'v0.0.1-go1.26.8.linux-amd64')
RCLONE = """package main

import (
\t_ "github.com/rclone/rclone/backend/local"
\t"github.com/rclone/rclone/cmd"
\t_ "github.com/rclone/rclone/cmd/serve/s3"
\t_ "github.com/rclone/rclone/cmd/serve/webdav"
)

func main() { cmd.Main() }
"""


class CannotBeHad(Exception):
    pass


def say(text):
    print(text, file=sys.stderr, flush=True)


def run(line, seconds=60, **more):
    """raises CalledProcessError or TimeoutExpired; what it printed"""
    done = subprocess.run(line, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          stdin=subprocess.DEVNULL, timeout=seconds, **more)
    return done.stdout.decode(errors='replace')


def stores_dir():
    home = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
    return os.path.abspath(os.environ.get('VQCACHE_STORES_DIR')
                           or os.path.join(home, 'vqcache-stores'))


def program(name):
    return shutil.which(name) or shutil.which(name, path='/usr/sbin:/usr/local/sbin:/sbin')


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def dies_with_parent():
    """so that no server outlives a killed test (Linux)"""
    os.setsid()
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


# ---- what is built -------------------------------------------------------------------------------

class Built:
    """a program of a pinned version, made once for a machine by go or cargo"""

    def __init__(self, name, version, make, by):
        self.name, self.version, self.make, self.by = name, version, make, by

    @property
    def how(self):
        return 'built by %s, %s %s' % (self.by, self.name, self.version)

    @property
    def folder(self):
        return os.path.join(stores_dir(), '%s-%s' % (self.name, self.version))

    @property
    def path(self):
        return os.path.join(self.folder, self.name)

    def need(self):
        """(its path, its version, the seconds that its building took)"""
        try:
            with open(os.path.join(self.folder, 'built')) as f:
                return self.path, self.version, float(f.read())
        except (OSError, ValueError):
            raise CannotBeHad('%s is not built: python3 tests/servers/stores.py --get %s'
                              % (self.name, self.name)) from None

    def get(self):
        """the seconds that it took, 0 where it was there"""
        os.makedirs(self.folder, exist_ok=True)
        with open(os.path.join(self.folder, 'lock'), 'w') as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two runs of CI build it once
            with_stamp = os.path.join(self.folder, 'built')
            if os.path.exists(with_stamp):
                return 0
            return self.build(with_stamp)

    def build(self, stamp):
        tool = self.by.split()[0]
        path = os.environ.get('PATH', os.defpath)
        if tool == 'go':
            path = os.path.join(go_root(), 'bin') + os.pathsep + path
        if not shutil.which(tool, path=path):
            raise CannotBeHad('%s needs %s to be built' % (self.name, self.by))
        begun = time.monotonic()
        work = tempfile.mkdtemp(prefix='work-', dir=self.folder)
        env = dict(os.environ, PATH=path, CGO_ENABLED='0', GOFLAGS='-modcacherw', GOBIN=work,
                   GOMODCACHE=os.path.join(work, 'modules'), GOCACHE=os.path.join(work, 'cache'))
        try:
            self.make(self, work, env)
            os.replace(os.path.join(work, self.name), self.path)
        except subprocess.CalledProcessError as why:
            raise CannotBeHad('%s does not build (it needs %s): %s' % (
                self.name, self.by, why.output.decode(errors='replace')[-2000:])) from None
        except subprocess.TimeoutExpired:
            raise CannotBeHad('%s does not build within the time it has' % self.name) from None
        finally:
            shutil.rmtree(work, ignore_errors=True)  # hundreds of MB of modules
        took = time.monotonic() - begun
        with open(stamp + '.new', 'w') as f:
            f.write('%.0f\n' % took)
        os.replace(stamp + '.new', stamp)
        return took


def runs_go(root):
    """whether a Go that is new enough lies there"""
    try:
        told = run([os.path.join(root, 'bin', 'go'), 'env', 'GOVERSION'], env=dict(
            os.environ, GOTOOLCHAIN='local', GOROOT=root)).strip()
    except (OSError, subprocess.SubprocessError):
        return False
    return [int(n) for n in told[2:].split('.')[:2] if n.isdigit()] >= LEAST_GO


def go_root():
    """of the machine's own Go, or of one that is brought as a module: by a Go of Debian, which is
    too old for the stores"""
    found = shutil.which('go')
    own = os.path.join(stores_dir(), 'go-' + GO_MODULE[1])
    module = os.path.join(own, 'modules', '@'.join(GO_MODULE))
    for root in [os.path.dirname(os.path.dirname(os.path.realpath(found)))] if found else []:
        if runs_go(root):
            return root
    for root in ('/usr/local/go', module):
        if runs_go(root):
            return root

    if not found:
        Installed('2:1.19~1', ['golang-go'], ['go']).get()
    os.makedirs(own, exist_ok=True)
    env = dict(os.environ, GOMODCACHE=os.path.join(own, 'modules'), GOFLAGS='-modcacherw', GOPATH=own)
    run(['go', 'mod', 'download', '@'.join(GO_MODULE)], 1200, env=env, cwd=own)
    for folder in (os.path.join(module, 'bin'), os.path.join(module, 'pkg', 'tool')):
        for at, _, names in os.walk(folder):
            for name in names:  # a module has no programs
                os.chmod(os.path.join(at, name), 0o755)
    return module


def build_versitygw(what, work, env):
    run(['go', 'install', '-trimpath', '-ldflags', '-s -w',
         'github.com/versity/versitygw/cmd/versitygw@' + what.version], 1800, env=env, cwd=work)


def build_rclone(what, work, env):
    """the two services that are needed, and the backend for them"""
    source = os.path.join(work, 'source')
    os.mkdir(source)
    with open(os.path.join(source, 'main.go'), 'w') as f:
        f.write(RCLONE)
    for line in (['go', 'mod', 'init', 'mini'],
                 ['go', 'get', 'github.com/rclone/rclone@' + what.version],
                 ['go', 'mod', 'tidy'],
                 ['go', 'build', '-trimpath', '-ldflags', '-s -w', '-o',
                  os.path.join(work, what.name), '.']):
        run(line, 1800, env=env, cwd=source)


def build_s3s(what, work, env):
    run(['cargo', 'install', what.name, '--version', what.version, '--features', 'binary',
         '--locked', '--quiet', '--root', work], 1800,
        env=dict(env, CARGO_TARGET_DIR=os.path.join(work, 'target')), cwd=work)
    os.replace(os.path.join(work, 'bin', what.name), os.path.join(work, what.name))


VERSITYGW = Built('versitygw', 'v1.8.0', build_versitygw, 'go 1.25 or newer')
RCLONE_MINI = Built('rclone', 'v1.76.0', build_rclone, 'go 1.26 or newer')
S3S = Built('s3s-fs', '0.14.1', build_s3s, 'cargo 1.86 or newer')


# ---- what is installed ---------------------------------------------------------------------------

class Installed:
    """packages of Debian 12, with the version that was measured of the first"""

    def __init__(self, version, packages, programs, modules=()):
        self.version, self.packages, self.programs = version, packages, programs
        self.modules = modules  # files, one of which stands for each module

    @property
    def how(self):
        return 'apt-get install --no-install-recommends %s (%s)' % (
            ' '.join(self.packages), self.version)

    def need(self):
        missing = [name for name in self.programs if not program(name)]
        missing += [path for path in self.modules if not os.path.exists(path)]
        if missing:
            raise CannotBeHad('%s: not installed; %s' % (', '.join(missing), self.how))
        version = self.installed_version()
        if version != self.version:
            say('note: %s is %s, measured was %s' % (self.packages[0], version, self.version))
        return program(self.programs[0]), version, 0

    def installed_version(self):
        try:
            return run(['dpkg-query', '-W', '-f', '${Version}', self.packages[0]]).strip()
        except (OSError, subprocess.SubprocessError):
            return 'unknown'

    def get(self):
        try:
            self.need()
            return 0
        except CannotBeHad:
            pass
        begun = time.monotonic()
        as_root = [] if os.geteuid() == 0 else ['sudo', '-n']
        env = dict(os.environ, DEBIAN_FRONTEND='noninteractive')
        try:
            run(as_root + ['apt-get', '-q', 'update'], 600)
            run(as_root + ['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-q', '-o',
                           'DPkg::Lock::Timeout=300', 'install', '-y',
                           '--no-install-recommends', *self.packages], 1800, env=env)
        except (OSError, subprocess.SubprocessError) as why:
            said = (getattr(why, 'output', None) or b'').decode(errors='replace')[-2000:]
            raise CannotBeHad('%s: %s %s' % (' '.join(self.packages), why, said)) from None
        self.need()
        return time.monotonic() - begun


NGINX = Installed('1.22.1-9+deb12u11', ['nginx-light'], ['nginx'])
LIGHTTPD = Installed('1.4.69-1', ['lighttpd', 'lighttpd-mod-webdav'], ['lighttpd'],
                     ['/usr/lib/lighttpd/mod_webdav.so'])
APACHE = Installed('2.4.71-1~deb12u1', ['apache2'], ['apache2'],
                   ['/usr/lib/apache2/modules/mod_dav_fs.so'])
CEPH = Installed('16.2.15+ds-0+deb12u2', ['radosgw', 'ceph-mon', 'ceph-osd'],
                 ['radosgw', 'radosgw-admin', 'ceph-mon', 'ceph-osd', 'ceph', 'ceph-authtool',
                  'monmaptool'])


# ---- how each is started -------------------------------------------------------------------------

class Running:
    """the processes of one store, its port and its directory"""

    def __init__(self, path, tmp):
        self.path, self.tmp, self.port = path, tmp, free_port()
        self.data = os.path.join(tmp, 'data')
        os.mkdir(self.data)
        self.children = []

    def start(self, line, **env):
        log = open(os.path.join(self.tmp, 'log'), 'ab')
        self.children.append(subprocess.Popen(
            line, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.tmp,
            env=dict(os.environ, **env), preexec_fn=dies_with_parent))
        log.close()

    def write(self, name, text):
        path = os.path.join(self.tmp, name)
        with open(path, 'w') as f:
            f.write(text)
        return path

    def is_ready(self):
        """it answers, whatever"""
        try:
            connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=5)
            connection.request('GET', '/')
            connection.getresponse().read()
            connection.close()
            return True
        except (OSError, http.client.HTTPException):
            return False

    def has_ended(self):
        return any(child.poll() is not None for child in self.children)

    def wait(self):
        end = time.monotonic() + LONGEST_START
        while time.monotonic() < end and not self.has_ended():
            if self.is_ready():
                return True
            time.sleep(.05)
        return False

    def why(self):
        with open(os.path.join(self.tmp, 'log'), errors='replace') as f:
            return f.read()[-3000:]

    def stop(self):
        """the last started first; by their ids, and for good after ten seconds"""
        for child in reversed(self.children):
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def start_versitygw(one):
    """$TMPDIR has to be on a file system with user attributes and O_TMPFILE, as ext4 is"""
    one.start([one.path, '--port', '127.0.0.1:%d' % one.port, '--virtual-domain',
               'localhost:%d' % one.port, '--quiet', 'posix', one.data],
              ROOT_ACCESS_KEY=KEY, ROOT_SECRET_KEY=SECRET)


def start_rclone_s3(one):
    os.mkdir(os.path.join(one.data, BUCKET))  # its buckets are the folders that are there
    one.start([one.path, 'serve', 's3', '--auth-key', '%s,%s' % (KEY, SECRET), '--addr',
               '127.0.0.1:%d' % one.port, one.data], RCLONE_CONFIG='/dev/null')


def start_s3s(one):
    one.start([one.path, '--host', '127.0.0.1', '--port', str(one.port), '--access-key', KEY,
               '--secret-key', SECRET, one.data])


def start_rclone_dav(one):
    one.start([one.path, 'serve', 'webdav', one.data, '--addr', '127.0.0.1:%d' % one.port,
               '--user', USER, '--pass', PASSWORD], RCLONE_CONFIG='/dev/null')


NGINX_CONF = """daemon off;
%(module)s
%(user)s
worker_processes 1;
pid %(tmp)s/pid;
error_log stderr;
events { worker_connections 256; }
http {
  access_log %(tmp)s/access.log;
  client_max_body_size 0;
  client_body_temp_path %(data)s/.tmp;
  proxy_temp_path %(tmp)s/t2;
  fastcgi_temp_path %(tmp)s/t3;
  uwsgi_temp_path %(tmp)s/t4;
  scgi_temp_path %(tmp)s/t5;
  default_type application/octet-stream;
  server {
    listen 127.0.0.1:%(port)d;
    root %(data)s;
    auth_basic test;
    auth_basic_user_file %(users)s;
    dav_methods PUT DELETE MKCOL COPY MOVE;
    %(methods)s
    create_full_put_path on;
  }
}
"""


def hashed_password():
    """as nginx and Apache take it from a file of users: {SHA}, the SHA-1 in base64"""
    return '%s:{SHA}%s\n' % (
        USER, base64.b64encode(hashlib.sha1(PASSWORD.encode()).digest()).decode())


def start_nginx(one):
    """PROPFIND only where libnginx-mod-http-dav-ext is; what the tests ask for needs it not"""
    extra = '/usr/lib/nginx/modules/ngx_http_dav_ext_module.so'
    has_extra = os.path.exists(extra)
    conf = one.write('nginx.conf', NGINX_CONF % {
        'module': 'load_module %s;' % extra if has_extra else '',
        'methods': 'dav_ext_methods PROPFIND OPTIONS;' if has_extra else '',
        'user': 'user root;' if os.geteuid() == 0 else '', 'tmp': one.tmp, 'data': one.data,
        'port': one.port, 'users': one.write('users', hashed_password())})
    one.start([one.path, '-p', one.tmp, '-c', conf, '-e', 'stderr'])


LIGHTTPD_CONF = """server.modules = ("mod_auth", "mod_authn_file", "mod_webdav")
server.bind = "127.0.0.1"
server.port = %(port)d
server.document-root = "%(data)s"
server.upload-dirs = ("%(uploads)s")
mimetype.assign = ("" => "application/octet-stream")
webdav.activate = "enable"
auth.backend = "plain"
auth.backend.plain.userfile = "%(users)s"
auth.require = ("/" => ("method" => "basic", "realm" => "test", "require" => "valid-user"))
"""


def start_lighttpd(one):
    uploads = os.path.join(one.tmp, 'uploads')  # on the same disk, so that a rename does
    os.mkdir(uploads)
    conf = one.write('lighttpd.conf', LIGHTTPD_CONF % {
        'port': one.port, 'data': one.data, 'uploads': uploads,
        'users': one.write('users', '%s:%s\n' % (USER, PASSWORD))})
    one.start([one.path, '-D', '-f', conf])


APACHE_CONF = """ServerRoot %(tmp)s
ServerName 127.0.0.1
Listen 127.0.0.1:%(port)d
PidFile %(tmp)s/pid
ErrorLog %(tmp)s/error.log
Mutex file:%(tmp)s default
%(user)s
%(modules)s
LimitRequestBody 0
DavLockDB %(tmp)s/locks
DocumentRoot %(data)s
<Directory %(data)s>
  Dav On
  AuthType Basic
  AuthName test
  AuthUserFile %(users)s
  Require valid-user
</Directory>
"""
APACHE_MODULES = ('mpm_event', 'authz_core', 'authn_core', 'authn_file', 'authz_user', 'auth_basic',
                  'dav', 'dav_fs', 'dav_lock')


def start_apache(one):
    """its workers are www-data when root starts it: the data have to be theirs"""
    user = ''
    if os.geteuid() == 0:
        user = 'User www-data\nGroup www-data'
        shutil.chown(one.data, 'www-data', 'www-data')
        shutil.chown(one.tmp, 'www-data', 'www-data')
    modules = ['LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so' % (name, name)
               for name in APACHE_MODULES]
    conf = one.write('apache.conf', APACHE_CONF % {
        'tmp': one.tmp, 'port': one.port, 'data': one.data, 'user': user,
        'modules': '\n'.join(modules), 'users': one.write('users', hashed_password())})
    one.start([one.path, '-DFOREGROUND', '-f', conf])


CEPH_CONF = """[global]
fsid = %(cluster)s
mon initial members = a
mon host = %(address)s
public addr = 127.0.0.1
cluster addr = 127.0.0.1
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon data avail crit = 1
run dir = %(tmp)s
admin socket = %(tmp)s/$name.asok
pid file = %(tmp)s/$name.pid
log file = %(tmp)s/$name.log
mon data = %(tmp)s/mon
osd data = %(tmp)s/osd
osd objectstore = memstore
memstore device bytes = 4294967296
keyring = %(tmp)s/keyring
rgw frontends = beast endpoint=127.0.0.1:%(port)d
rgw dns name = localhost
"""


def start_ceph(one):
    """one monitor, one OSD in memory, the gateway: no manager, no systemd, one directory"""
    cluster, disk = str(uuid.uuid4()), str(uuid.uuid4())
    address = '[v2:127.0.0.1:%d,v1:127.0.0.1:%d]' % (free_port(), free_port())
    conf = one.write('ceph.conf', CEPH_CONF % {
        'cluster': cluster, 'address': address, 'tmp': one.tmp, 'port': one.port})
    env = dict(os.environ, CEPH_CONF=conf)
    ring, everything = os.path.join(one.tmp, 'keyring'), ['mon', 'allow *', 'osd', 'allow *']

    def do(*line, seconds=60):
        return run([program(line[0]), *line[1:]], seconds, env=env, cwd=one.tmp)

    def caps(pairs):
        return [word for at in range(0, len(pairs), 2) for word in ('--cap', *pairs[at:at + 2])]

    do('ceph-authtool', '-C', ring, '--gen-key', '-n', 'mon.', '--cap', 'mon', 'allow *')
    do('ceph-authtool', ring, '--gen-key', '-n', 'client.admin',
       *caps(everything + ['mgr', 'allow *']))
    do('ceph-authtool', ring, '--gen-key', '-n', 'osd.0', *caps(everything))
    monitors = os.path.join(one.tmp, 'monmap')
    do('monmaptool', '--create', '--addv', 'a', address, '--fsid', cluster, monitors)
    do('ceph-mon', '--mkfs', '-i', 'a', '--monmap', monitors, '--keyring', ring)
    one.start([program('ceph-mon'), '-f', '-i', 'a', '--public-addr', '127.0.0.1'], CEPH_CONF=conf)
    do('ceph', 'osd', 'new', disk)
    try:
        do('ceph', 'auth', 'add', 'osd.0', '-i', ring)
    except subprocess.CalledProcessError:
        do('ceph', 'auth', 'import', '-i', ring)
    os.mkdir(os.path.join(one.tmp, 'osd'))
    do('ceph-osd', '-i', '0', '--mkfs', '--osd-uuid', disk)
    one.start([program('ceph-osd'), '-f', '-i', '0'], CEPH_CONF=conf)
    one.start([one.path, '-f', '-n', 'client.admin'], CEPH_CONF=conf)


def after_ceph(one):
    """the user has to be made once the gateway answers"""
    env = dict(os.environ, CEPH_CONF=os.path.join(one.tmp, 'ceph.conf'))
    run([program('radosgw-admin'), 'user', 'create', '--uid', 'tester', '--display-name', 'tester',
         '--access-key', KEY, '--secret-key', SECRET], 60, env=env)


class Store:
    def __init__(self, kind, source, start, after=None):
        self.kind, self.source, self.start, self.after = kind, source, start, after


STORES = {
    'versitygw': Store('s3', VERSITYGW, start_versitygw),
    'ceph': Store('s3', CEPH, start_ceph, after_ceph),
    'rclone-s3': Store('s3', RCLONE_MINI, start_rclone_s3),
    'rclone-dav': Store('dav', RCLONE_MINI, start_rclone_dav),
    'nginx': Store('dav', NGINX, start_nginx),
    'lighttpd': Store('dav', LIGHTTPD, start_lighttpd),
    'apache': Store('dav', APACHE, start_apache),
}
# It checks conditions, and lets several writers win: 5 minutes to build, so `all` is without it.
ADVERSARIES = {'s3s-fs': Store('s3', S3S, start_s3s)}
KNOWN = {**STORES, **ADVERSARIES}


# ---- the bucket, and the way in for tests ---------------------------------------------------------

def make_bucket(client):
    """again while the store is still getting up"""
    end = time.monotonic() + LONGEST_START
    while True:
        status = client.make_bucket()
        if status in (200, 409):
            return
        if time.monotonic() > end:
            raise CannotBeHad('no bucket can be made: %d' % status)
        time.sleep(.5)


class Control(http.server.BaseHTTPRequestHandler):
    """the store from outside, for tests that cannot sign; its head says how"""
    client = None

    def do_GET(self):
        path, _, query = self.path.partition('?')
        asked = urllib.parse.parse_qs(query, keep_blank_values=True)
        if 'list' in asked:
            keys = self.client.keys(asked['list'][0])
            return self.answer(200, ''.join('%d\t%s\n' % (n, key) for key, n in keys).encode())
        if 'uploads' in asked:
            keys = self.client.uploads(asked['uploads'][0])
            return self.answer(200, ''.join('%s\n' % key for key in keys).encode())
        body = self.client.get(self.key())
        return self.answer(404 if body is None else 200, body or b'')

    def do_PUT(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        self.client.put(self.key(), body)
        self.answer(200, b'')

    def do_DELETE(self):
        self.client.delete(self.key())
        self.answer(200, b'')

    def key(self):
        return urllib.parse.unquote(self.path.partition('?')[0]).lstrip('/')

    def answer(self, status, body):
        self.send_response(status)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except OSError as why:
            say('control: %s' % why)
            self.close_connection = True

    def log_message(self, *args):
        pass


def control(line):
    """its port"""
    handler = type('OfOneStore', (Control,), {'client': store_client.Client(line)})
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


# ---- starting, trying, getting -------------------------------------------------------------------

def started(name):
    """(Running, the line of facts); a port may be taken meanwhile: tries again"""
    store = KNOWN[name]
    path, version, built = store.source.need()
    why = ''
    for _ in range(3):
        tmp = tempfile.mkdtemp(prefix='vqcache-%s-' % name)
        one = Running(path, tmp)
        try:
            store.start(one)
            if one.wait():
                if store.after:
                    store.after(one)
                line = facts(name, one, version, built)
                if store.kind == 's3' and name != 'rclone-s3':
                    make_bucket(store_client.Client(line))
                return one, line
            why = one.why()
        except (OSError, subprocess.SubprocessError, CannotBeHad) as problem:
            said = getattr(problem, 'output', None) or b''
            why = '%s %s' % (problem, said.decode(errors='replace')[-2000:])
        one.stop()
        shutil.rmtree(tmp, ignore_errors=True)
    raise RuntimeError('%s does not start: %s' % (name, why))


def facts(name, one, version, built):
    line = {'http': one.port, 'kind': KNOWN[name].kind, 'pid': one.children[-1].pid,
            'version': version, 'built': '%.0f' % built, 'data': one.data}
    if line['kind'] == 's3':
        return {**line, 'bucket': BUCKET, 'region': REGION, 'key': KEY, 'secret': SECRET}
    return {**line, 'user': USER, 'password': PASSWORD}


def ended(one):
    one.stop()
    shutil.rmtree(one.tmp, ignore_errors=True)


def cannot_be_had(why):
    """told; the status of a skip, or of a failure where nothing may be skipped"""
    must = os.environ.get('VQCACHE_NO_SKIP') == '1'
    say('%s: %s' % ('failed' if must else 'skipped', why))
    return 1 if must else 77


def serve(name):
    try:
        one, line = started(name)
    except CannotBeHad as why:
        return cannot_be_had(why)
    except RuntimeError as why:
        say(str(why))
        return 1
    line['control'] = control(line)
    common.run_until_stdin_closes(line, lambda: ended(one))


def try_file(client, statuses):
    base, body = client.base, os.urandom(300000)
    statuses.append(client.ask('PUT', base + '/file', body)[0])
    assert statuses[-1] in (200, 201, 204), statuses
    assert client.ask('GET', base + '/file') == (200, body), 'GET'
    status, part = client.ask('GET', base + '/file', range='bytes=5-9')
    assert (status, part) == (206, body[5:10]), status
    client.put('a/b c+d/e', b'12')
    assert client.get('a/b c+d/e') == b'12', 'a key with odd letters'
    assert client.keys('a/') == [('a/b c+d/e', 2)], client.keys('a/')
    assert client.keys('b') == client.uploads() == [], 'nothing else'
    client.delete('a/b c+d/e')
    assert client.get('a/b c+d/e') is None, 'DELETE'


def try_dav(line):
    client, statuses = store_client.Client(line), []
    try_file(client, statuses)
    there = 'http://127.0.0.1:%d/moved' % line['http']
    statuses.append(client.ask('MKCOL', '/c/')[0])
    statuses.append(client.ask('MKCOL', '/c/')[0])
    statuses.append(client.ask('MOVE', '/file', destination=there, overwrite='F')[0])
    client.put('file', b'other')
    statuses.append(client.ask('MOVE', '/file', destination=there, overwrite='F')[0])
    assert statuses[1] == 201 and statuses[3] in (201, 204), statuses
    assert statuses[4] == 412, statuses
    client.delete('file')
    return statuses


def try_s3(line):
    client, statuses = store_client.Client(line), []
    try_file(client, statuses)
    for _ in range(2):
        statuses.append(client.ask('PUT', client.base + '/once', b'x', if_none_match='*')[0])
    assert statuses[1:] in ([200, 412], [200, 200]), statuses
    client.delete('file')
    return statuses


def tried(name):
    """writes, reads, replaces or moves, and removes; raises AssertionError"""
    begun = time.monotonic()
    one, line = started(name)
    up = time.monotonic() - begun
    try:
        statuses = try_dav(line) if line['kind'] == 'dav' else try_s3(line)
    finally:
        pids = [child.pid for child in one.children]
        ended(one)
    assert not any(os.path.exists('/proc/%d' % pid) for pid in pids), 'it still runs'
    print('%s %s: up in %.1f s, built in %s s, %s' % (
        name, line['version'], up, line['built'], statuses), flush=True)


def each(names, do):
    """does it for each; the line of counts, and whether nothing failed"""
    passed = failed = skipped = 0
    for name in names:
        try:
            do(name)
            passed += 1
        except CannotBeHad as why:
            is_failure = cannot_be_had(why) == 1
            failed += is_failure
            skipped += not is_failure
        except (AssertionError, RuntimeError, OSError, subprocess.SubprocessError) as why:
            say('failed: %s: %s' % (name, why))
            failed += 1
    print('%d passed, %d failed, %d skipped' % (passed, failed, skipped))
    return 1 if failed else 0


def got(name):
    took = KNOWN[name].source.get()
    print('%s: %s' % (name, 'was there' if not took else 'got in %.0f s' % took), flush=True)


def chosen(names):
    unknown = [name for name in names if name not in KNOWN and name != 'all']
    if unknown or not names:
        sys.exit('stores.py: known are all, %s' % ', '.join(KNOWN))
    return list(STORES) if 'all' in names else names


def main():
    what, names = (sys.argv[1:2] or [''])[0], sys.argv[2:]
    if what == '--list':
        for name, store in KNOWN.items():
            print('%-11s %-4s %s' % (name, store.kind, store.source.how))
    elif what == '--packages':
        print('\n'.join(sorted({package for store in STORES.values()
                                for package in getattr(store.source, 'packages', ())})))
    elif what == '--get':
        return each(chosen(names), got)
    elif what == '--try':
        return each(chosen(names), tried)
    elif what in KNOWN:
        return serve(what)
    else:
        sys.exit(__doc__)
    return 0


if __name__ == '__main__':
    sys.exit(main())
