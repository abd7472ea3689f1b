#!/usr/bin/env python3
"""hostile.py [SIZE [CERTS]]: an HTTP server that misbehaves on purpose; loopback only, no packages.

    GET /BEHAVIOUR[/ANY/THING]/FILE[?OPTIONS]     *.yaml and *.yml are the config, all else the ckpt

The first part of the path names the behaviour (`hostile.py --list` names them all).  What lies
between it and the file keeps tests apart: requests are counted per path.  CERTS is a directory that
make-certs.sh made; without it certificates are made for this run.

Options: size=N bytes of the checkpoint (or /size=N/ in the path), rate=N bytes a second for the body, delay=S seconds before
the answer, abrupt=1 TLS ends without its closing alert, n=N how often (retry_503, cut_once, ...),
after=S for Retry-After, to=URL for redirects, code=N status of redirects, at=N where to cut.

Control, on any port, never logged:
    /control/count[?path=P&port=K]   requests so far; P with or without its query, or a prefix and *
    /control/log                     JSON, one object a request: id port method path target status
                                     headers sent body range open error time
    /control/log?text=1              the same for readers without JSON: tab-separated id port method
                                     path status body open, then lines of a tab and "name: value"
    /control/wait?path=P&n=N[&s=S]   returns once N requests for P were seen; 504 after S (20) s
    /control/done?path=P             waits until no request for P is open
    /control/connections             TCP connections so far, TLS handshakes that failed included
    /control/release[?path=P]        lets the hold* behaviours go on (for P, or all)
    /control/switch[?to=V]           `changed*` serve v2 (or V: v1, v2, other) from now on
    /control/sha256?path=T[&seed=V]  SHA-256 and size of the file that a target T stands for
    /control/reset                   forgets counts, log, connections, switch and releases
    /control/list                    the behaviours

Prints one line and runs until its stdin closes:
    plain=PORT other=PORT tls=PORT wrong=PORT expired=PORT self=PORT ipv6=PORT proxy=PORT
    yaml=SHA256 yaml_size=N ckpt=SHA256 size=N ca=FILE           (ports are 0 where there is none)
`other` is a second plain port, for "another host"; `proxy` takes absolute targets and CONNECT."""
import base64
import collections
import contextlib
import email.utils
import gzip
import hashlib
import json
import os
import re
import select
import socket
import ssl
import struct
import sys
import threading
import time
import urllib.parse
import zlib

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import common  # noqa: E402

SIZE = 300000
PORTS = {}
BEHAVIOURS = {}
LOG = []
hits = collections.Counter()
parallel = collections.Counter()
state = {'version': 'v1', 'connections': 0, 'epoch': 0, 'released': set()}
changed_state = threading.Condition()  # guards everything above
one_after_the_other = threading.Lock()


def behaviour(f):
    BEHAVIOURS[f.__name__] = f
    return f


def now(later=0):
    return email.utils.formatdate(time.time() + later, usegmt=True)


def without_query(target):
    return target.split('?')[0]


def note(port, method, **more):
    """a new entry of the log"""
    LOG.append({'id': len(LOG), 'time': round(time.time(), 3), 'port': port, 'method': method,
                'path': '', 'target': '', 'status': 0, 'headers': [], 'sent': 0, 'body': 0,
                'range': '', 'open': False, 'error': '', **more})
    return LOG[-1]


class Target:
    """what a request target asks for"""

    def __init__(self, target):
        m = re.match(r'https?://[^/]*(.*)', target)  # absolute, as proxies get it
        self.path = (m[1] or '/') if m else target
        bare, _, query = self.path.partition('?')
        self.q = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        parts = [x for x in bare.split('/') if x] or ['']
        self.name, self.rest, self.file = parts[0], '/'.join(parts[1:]), parts[-1]
        self.args = parts[1:-1]
        self.query = query
        self.is_config = self.file.endswith(('.yaml', '.yml'))

    @property
    def size(self):
        in_path = [x[5:] for x in self.args if x.startswith('size=')]  # which a receipt shows
        return int(self.q.get('size') or (in_path and in_path[0]) or SIZE)

    def body(self, seed='v1'):
        if self.is_config:
            return common.config(seed)
        if self.name == 'big':
            return common.checkpoint(int(self.rest.split('/')[0] or SIZE), None)
        return common.checkpoint(self.size, seed)


class Request(Target):
    """one parsed request; r.n says the how-manyth for this path it is; r.b is the right body"""

    def __init__(self, c, port):
        self.c, self.entry = c, None
        data = b''
        while b'\r\n\r\n' not in data:
            piece = c.recv(65536)
            if not piece:
                raise OSError('client gone')
            data += piece
            if len(data) > 1 << 20:
                raise OSError('too big')
        lines = data.split(b'\r\n\r\n')[0].decode('latin1').split('\r\n')
        self.method, self.target, _ = lines[0].split(' ', 2)
        super().__init__(self.target)
        fields = (x.split(':', 1) for x in lines[1:] if ':' in x)
        self.pairs = [[k.strip(), v.strip()] for k, v in fields]
        self.h = {}
        for k, v in self.pairs:
            self.h[k.lower()] = self.h[k.lower()] + ', ' + v if k.lower() in self.h else v
        self.n = 0
        if self.name == 'control':
            return
        with changed_state:
            self.epoch = state['epoch']
            key = without_query(self.path)
            hits[key] += 1
            self.n = hits[key]
            self.entry = note(port, self.method, path=self.path, target=self.target, open=True,
                              headers=self.pairs, range=self.h.get('range', ''))
            changed_state.notify_all()

    def answer(self):
        if self.method == 'CONNECT':
            return tunnel(self)
        if self.name not in BEHAVIOURS:
            return self.page('404 Not Found', 'no such behaviour', 'text/plain')
        self.b = self.body()
        self.range = self.asked(self.b.size)
        time.sleep(float(self.q.get('delay') or 0))
        BEHAVIOURS[self.name](self)

    def asked(self, size):
        m = re.match(r'bytes=(\d+)-(\d*)$', self.h.get('range', ''))
        return (int(m[1]), min(int(m[2]) if m[2] else size - 1, size - 1)) if m else None

    def send(self, data):
        """bytes as they are: status lines, headers, and bodies that belong to nothing"""
        self.c.sendall(data)
        if self.entry:
            self.entry['sent'] += len(data)
            m = re.match(rb'HTTP/1.[01] (\d+)', data)
            if m:
                self.entry['status'] = int(m[1])

    def head(self, status, **h):
        lines = [b'HTTP/1.1 %s\r\n' % status.encode()]
        lines += [b'%s: %s\r\n' % (k.replace('_', '-').encode(), str(v).encode('latin1'))
                  for k, v in h.items() if v is not None]
        self.send(b''.join(lines) + b'\r\n')

    def give(self, body, a=0, z=None):
        """the bytes [a, z) of a body, at ?rate bytes a second"""
        if self.method == 'HEAD':
            return
        rate = int(self.q.get('rate') or 0)
        begin, given = time.monotonic(), 0
        pieces = body.read(a, z) if isinstance(body, common.Body) else [body[a:z]]
        step = max(1, rate // 20) if rate else 1 << 20
        for piece in pieces:
            for i in range(0, len(piece), step):
                part = piece[i:i + step] if len(piece) > step else piece
                self.c.sendall(part)
                given += len(part)
                self.entry['sent'] += len(part)
                self.entry['body'] += len(part)
                if rate:
                    time.sleep(max(0, begin + given / rate - time.monotonic()))

    def bare(self, *lines, status=b'HTTP/1.1 200 OK'):
        """a head of exactly these lines, Connection: close behind them"""
        self.send(b'\r\n'.join((status, *lines, b'Connection: close', b'', b'')))

    def empty(self, status, **h):
        self.head(status, **h, Content_Length=0, Connection='close')

    def page(self, status, text, kind='text/html; charset=utf-8', **h):
        data = text.encode() if isinstance(text, str) else text
        self.head(status, Content_Type=kind, Content_Length=len(data), Connection='close', **h)
        self.give(data)

    def there(self, name, port=None, scheme='http', host='127.0.0.1'):
        """the URL of this file under another behaviour, on this server or another port of it"""
        query = '&'.join(x for x in self.query.split('&') if x.split('=')[0] not in ('to', 'code'))
        path = '/%s/%s' % (name, self.rest) + ('?' + query if query else '')
        return '%s://%s:%d%s' % (scheme, host, port, path) if port else path

    def redirect(self, to, **h):
        self.empty('%s Found' % self.q.get('code', '302'), Location=to, **h)

    def linger(self, seconds=60):
        """does nothing until the client has gone"""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.epoch == state['epoch']:
            if select.select([self.c], [], [], .2)[0]:
                if not self.c.recv(65536):
                    return

    def wait_for_release(self, seconds=60):
        key = without_query(self.path)
        with changed_state:
            changed_state.wait_for(lambda: self.epoch != state['epoch'] or
                                   state['released'] & {key, '*'}, seconds)

    def once_more(self, default=1):
        """true for the first ?n requests of this path"""
        return self.n <= int(self.q.get('n', default))


def whole(r, body=None, **h):
    body = r.b if body is None else body
    h.setdefault('Accept_Ranges', 'bytes')
    h.setdefault('Content_Type', 'application/octet-stream')
    r.head('200 OK', Content_Length=body.size, **h, Connection='close')
    r.give(body)


def claim(r, a, z, **h):
    """the head of a 206 for the bytes a to z; h may say otherwise"""
    says = {'Content_Length': z - a + 1, 'Content_Range': 'bytes %d-%d/%d' % (a, z, r.b.size),
            'ETag': '"v1"', 'Connection': 'close', **h}
    r.head('206 Partial Content', **says)


def part(r, a, z, body, first, **h):
    """a 206 that claims bytes a to z and sends as many from `first`"""
    claim(r, a, z, **h)
    r.give(body, first, first + z - a + 1)


def ranged(r, body=None, etag='"v1"', **h):
    """an honest server: ranges, If-Range, 416"""
    body = r.b if body is None else body
    rng = r.asked(body.size)
    validator = r.h.get('if-range')
    if not rng or (validator and validator not in (etag, h.get('Last_Modified'))):
        return whole(r, body, ETag=etag, **h)
    a, z = rng
    if a >= body.size or a > z:
        return r.empty('416 Range Not Satisfiable', Content_Range='bytes */%d' % body.size)
    part(r, a, z, body, a, ETag=etag, Content_Range='bytes %d-%d/%d' % (a, z, body.size), **h)


def begin(r):
    """the head of a whole and resumable answer"""
    r.head('200 OK', Content_Length=r.b.size, ETag='"v1"', Accept_Ranges='bytes',
           Connection='close')


def cut(r, at, etag='"v1"', reset=True, body=None):
    """a whole answer that breaks off after `at` bytes"""
    body = body or r.b
    r.head('200 OK', Content_Length=body.size, ETag=etag, Accept_Ranges='bytes', Connection='close')
    r.give(body, 0, int(r.q.get('at') or at))
    if reset:
        rst(r)


def rst(r):
    if r.entry['sent']:
        time.sleep(.1)  # a reset overtakes what the client has not read yet
    r.c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    r.c.close()


# ---- honest servers of several kinds -------------------------------------------------------------

@behaviour
def good(r):  # ranges, If-Range, a strong ETag
    ranged(r)

@behaviour
def big(r):  # /big/N/FILE: a checkpoint of N bytes, nearly all zeros, up to many GB; otherwise good
    ranged(r, etag='"big"')

@behaviour
def no_ranges(r):
    whole(r, Accept_Ranges='none')

@behaviour
def ranges_none(r):  # an ETag, and no ranges, which it says
    whole(r, ETag='"v1"', Accept_Ranges='none')

@behaviour
def unranged(r):  # the same, which it does not say
    whole(r, ETag='"v1"')

@behaviour
def reset_second(r):  # the second request is reset, all others are good
    rst(r) if r.n == 2 else ranged(r)

@behaviour
def no_etag(r):  # ranges without any validator
    ranged(r, etag=None)

@behaviour
def weak_etag(r):  # a weak one never fits an If-Range
    whole(r, ETag='W/"v1"') if 'if-range' in r.h else ranged(r, etag='W/"v1"')

@behaviour
def last_modified(r):  # the only validator is an old date
    ranged(r, etag=None, Last_Modified='Mon, 18 Jan 2021 10:00:00 GMT', Date=now())

@behaviour
def head_refused(r):
    r.empty('405 Method Not Allowed') if r.method == 'HEAD' else ranged(r)

@behaviour
def head_lies(r):
    r.empty('200 OK') if r.method == 'HEAD' else ranged(r)

@behaviour
def lower_case(r):  # header names as HTTP/2 gateways write them
    r.bare(b'content-length:%d' % r.b.size, b'etag:"v1"')
    r.give(r.b)

@behaviour
def http10(r):
    r.send(b'HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n' % r.b.size)
    r.give(r.b)

@behaviour
def seafile(r):  # heiBOX: tokens for one request, an unquoted ETag, dates are now, no If-Range
    r.redirect('/seafile_file/%d-%d/%s?%s' % (r.entry['id'], r.n, r.rest, r.query))

@behaviour
def seafile_file(r):
    if r.n > 1:
        return r.empty('403 Forbidden')
    if 'if-modified-since' in r.h:
        return r.head('304 Not Modified', Connection='close')
    if r.range and r.range[0] < r.b.size:
        return part(r, *r.range, r.b, r.range[0], ETag='0a1b2c', Last_Modified=now(),
                    Accept_Ranges='bytes')
    whole(r, ETag='0a1b2c', Last_Modified=now(), Accept_Ranges=None)

@behaviour
def hugging_face(r):  # hash and size stand on the redirect, the CDN has no validator
    r.redirect(r.there('no_etag', PORTS['other']), X_Linked_Etag='"%s"' % r.b.sha256(),
               X_Linked_Size=r.b.size, X_Repo_Commit='0' * 40)

@behaviour
def hugging_face_lies(r):  # the redirect's hash is that of another file
    r.redirect(r.there('good', PORTS['other']), X_Linked_Etag='"%s"' % ('0' * 64),
               X_Linked_Size=r.b.size)


def declared(r):
    """?repr, digest, amz, link=right or wrong: headers that tell a digest, of this file or another"""
    def digest(key):
        return r.body('v1' if r.q[key] == 'right' else 'other').sha256()
    def base(key):
        return base64.b64encode(bytes.fromhex(digest(key))).decode()
    forms = {'repr': ('Repr_Digest', lambda: 'sha-512=:AAAA:, sha-256=:%s:' % base('repr')),
             'digest': ('Digest', lambda: 'SHA-256=' + base('digest')),
             'amz': ('X_Amz_Checksum_Sha256', lambda: base('amz')),
             'link': ('X_Linked_ETag', lambda: '"%s"' % digest('link'))}
    return {name: value() for key, (name, value) in forms.items() if key in r.q}

@behaviour
def declares(r):  # ?n: the first is cut, then 404 n times, then good; ?tag=own: to each its ETag
    h = declared(r)
    etag = '"%d"' % r.n if r.q.get('tag') == 'own' else None
    cuts = 'n' in r.q
    if cuts and 1 < r.n <= 1 + int(r.q['n']):
        return r.page('404 Not Found', 'gone', 'text/plain')
    if cuts and r.n == 1:
        r.head('200 OK', Content_Length=r.b.size, ETag=etag, Connection='close', **h)
        return r.give(r.b, 0, r.b.size // 2)
    if 'unsized' in r.q:
        r.head('200 OK', Connection='close', **h)
        return r.give(r.b)
    ranged(r, etag=etag, **h)

@behaviour
def declares_page(r):  # a page, whose server knows its digest
    text = b'<!doctype html><title>Sign in</title>Please sign in'
    digest = base64.b64encode(hashlib.sha256(text).digest()).decode()
    r.page('200 OK', text, Repr_Digest='sha-256=:%s:' % digest)

@behaviour
def links(r):  # a hub: ?hub=right or wrong is what it says of the file that another host `declares`
    digest = r.body('v1' if r.q.get('hub', 'right') == 'right' else 'other').sha256()
    r.redirect(r.there('declares', PORTS['other']), X_Linked_ETag='"%s"' % digest)


# ---- lengths -------------------------------------------------------------------------------------

@behaviour
def truncated(r):
    cut(r, r.b.size // 2, None, reset=False)

@behaviour
def truncated_rst(r):
    cut(r, r.b.size // 2, None)

@behaviour
def cut_once(r):  # the first answer is cut (?at), later ones are good
    cut(r, r.b.size // 2) if r.once_more() else ranged(r)

@behaviour
def cl_missing(r):
    r.head('200 OK', Connection='close')
    r.give(r.b)

@behaviour
def cl_missing_truncated(r):
    r.head('200 OK', Connection='close')
    r.give(r.b, 0, r.b.size // 2)

@behaviour
def cl_too_small(r):
    r.head('200 OK', Content_Length=r.b.size // 2, Connection='close')
    r.give(r.b)

@behaviour
def cl_duplicate_conflict(r):
    r.bare(b'Content-Length: %d' % (r.b.size // 2), b'Content-Length: %d' % r.b.size)
    r.give(r.b)

@behaviour
def cl_duplicate_same(r):
    r.bare(b'Content-Length: %d' % r.b.size, b'Content-Length: %d' % r.b.size)
    r.give(r.b)


def with_length(r, length):
    r.head('200 OK', Content_Length=length, Connection='close')
    r.give(r.b)

@behaviour
def cl_negative(r):
    with_length(r, -5)

@behaviour
def cl_plus(r):
    with_length(r, '+%d' % r.b.size)

@behaviour
def cl_garbage(r):
    with_length(r, '%d bytes' % r.b.size)

@behaviour
def cl_huge(r):
    with_length(r, 2**63 - 1)

@behaviour
def cl_overflow(r):
    with_length(r, 2**64 + r.b.size)

@behaviour
def extra_after_body(r):
    whole(r)
    r.send(b'TRAILING GARBAGE')

@behaviour
def keepalive_lie(r):  # promises to keep the connection, does not
    r.head('200 OK', Content_Length=r.b.size, Connection='keep-alive')
    r.give(r.b)
    time.sleep(.05)

@behaviour
def keepalive_held(r):  # all bytes are there, but the connection stays open: the length is the end
    r.head('200 OK', Content_Length=r.b.size, Connection='keep-alive')
    r.give(r.b)
    r.linger()

@behaviour
def endless(r):  # begins as the file does
    r.head('200 OK', Connection='close')
    r.give(r.b, 0, 64)
    for _ in range(1 << 18):  # 16 GiB are endless enough
        r.give(bytes(65536))


# ---- chunked, codings ----------------------------------------------------------------------------

def chunk(r, data):
    r.send(b'%x\r\n' % len(data))
    r.give(data)
    r.send(b'\r\n')


def chunks(r, end, **h):
    r.head('200 OK', Transfer_Encoding='chunked', Connection='close', **h)
    for a in range(0, end, 50000):
        chunk(r, r.b.cut(a, min(end, a + 50000)))

@behaviour
def chunked(r):
    chunks(r, r.b.size)
    r.send(b'0\r\n\r\n')

@behaviour
def chunked_etag(r):  # without a length at first, but ranges are honoured
    if r.range:
        return ranged(r)
    chunks(r, r.b.size, ETag='"v1"')
    r.send(b'0\r\n\r\n')

@behaviour
def chunked_trailer(r):
    chunks(r, r.b.size)
    r.send(b'0\r\nContent-Length: 3\r\n' + 70 * (b'X-Trailer: ' + 1000 * b'1' + b'\r\n') + b'\r\n')

@behaviour
def chunked_truncated(r):  # ends between two chunks
    chunks(r, r.b.size // 2)

@behaviour
def chunked_bad(r):
    r.head('200 OK', Transfer_Encoding='chunked', Connection='close')
    r.send(b'zz\r\n')
    r.give(r.b)

@behaviour
def chunked_and_cl(r):
    chunks(r, r.b.size, Content_Length=10)
    r.send(b'0\r\n\r\n')

@behaviour
def chunked_empty(r):
    r.head('200 OK', Transfer_Encoding='chunked', Connection='close')
    r.send(b'0\r\n\r\n')

@behaviour
def gzip_unasked(r):
    data = gzip.compress(r.b.cut(), 1)
    r.head('200 OK', Content_Encoding='gzip', Content_Length=len(data), Connection='close')
    r.give(data)

@behaviour
def gzip_undeclared(r):  # the file is packed and no header says so
    r.page('200 OK', gzip.compress(r.b.cut(), 1, mtime=0), 'application/octet-stream')

@behaviour
def gzip_bomb(r):  # 300 MB in 300 kB
    if 'bomb' not in state:
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)  # may be repeated
        check = struct.pack('<II', common.crc_of_zeros(300 << 20), 300 << 20)
        state['bomb'] = b'\x1f\x8b\x08\0\0\0\0\0\0\3' + block * 300 + b'\3\0' + check
    r.head('200 OK', Content_Encoding='gzip', Content_Length=len(state['bomb']), Connection='close')
    r.give(state['bomb'])


# ---- ranges and resume ---------------------------------------------------------------------------
# A first request without Range is cut in the middle by most of these, so that there is something to
# resume; ?n=0 gives it whole.

def first_half(r):
    """true: this was no range request, and it has been answered"""
    if r.range:
        return False
    cut(r, r.b.size // 2) if r.once_more() else whole(r, ETag='"v1"')
    return True

@behaviour
def range_ignored(r):  # 200 and the whole body to a Range request, every time
    whole(r, ETag='"v1"') if r.range else first_half(r)

@behaviour
def range_wrong_start(r):  # says so in its Content-Range
    if not first_half(r):
        part(r, 0, r.range[1], r.b, 0)

@behaviour
def range_lying(r):  # right Content-Range, wrong bytes
    if not first_half(r):
        part(r, *r.range, r.b, 0)

@behaviour
def range_wrong_total(r):
    if not first_half(r):
        a, z = r.range
        part(r, a, z, r.b, a, Content_Range='bytes %d-%d/%d' % (a, z, r.b.size * 2))

@behaviour
def range_unknown_total(r):  # bytes a-b/*
    if not first_half(r):
        a, z = r.range
        part(r, a, z, r.b, a, Content_Range='bytes %d-%d/*' % (a, z))

@behaviour
def range_no_header(r):  # 206 without Content-Range
    if not first_half(r):
        a, z = r.range
        part(r, a, z, r.b, a, Content_Range=None)

@behaviour
def range_two_headers(r):
    if not first_half(r):
        a, z = r.range
        r.bare(b'Content-Length: %d' % (z - a + 1), b'ETag: "v1"',
               b'Content-Range: bytes %d-%d/%d' % (a, z, r.b.size),
               b'Content-Range: bytes 0-%d/%d' % (z - a, r.b.size),
               status=b'HTTP/1.1 206 Partial Content')
        r.give(r.b, a, z + 1)

@behaviour
def range_overflow(r):  # numbers beyond 64 bits that are right modulo 2^64
    if not first_half(r):
        a, z = r.range
        far = tuple(x + 2**64 for x in (a, z, r.b.size))
        part(r, a, z, r.b, a, Content_Range='bytes %d-%d/%d' % far)

@behaviour
def range_multipart(r):
    if not first_half(r):
        a, z = r.range
        data = (b'--B\r\nContent-Type: application/octet-stream\r\n'
                b'Content-Range: bytes %d-%d/%d\r\n\r\n' % (a, z, r.b.size) +
                r.b.cut(a, z + 1) + b'\r\n--B--\r\n')
        claim(r, a, z, Content_Length=len(data), Content_Range=None,
              Content_Type='multipart/byteranges; boundary=B')
        r.give(data)

@behaviour
def range_short(r):  # 100,000 bytes at most, with an honest Content-Range
    if not first_half(r):
        a, z = r.range
        part(r, a, min(z, a + 99999), r.b, a)

@behaviour
def range_long(r):  # more bytes than asked
    if not first_half(r):
        part(r, r.range[0], r.b.size - 1, r.b, r.range[0])

@behaviour
def range_416(r):  # to every range, without saying how much there is
    if not first_half(r):
        r.empty('416 Range Not Satisfiable')

@behaviour
def range_416_total(r):  # to every range, though there is more than that
    if not first_half(r):
        r.empty('416 Range Not Satisfiable', Content_Range='bytes */%d' % r.b.size)

@behaviour
def range_403(r):
    if not first_half(r):
        r.empty('403 Forbidden')

@behaviour
def range_gzip(r):  # the rest comes packed
    if not first_half(r):
        data = gzip.compress(r.b.cut(r.range[0]), 1)
        claim(r, *r.range, Content_Encoding='gzip', Content_Length=len(data))
        r.give(data)

@behaviour
def range_page(r):  # a login page as a 206
    if not first_half(r):
        text = b'<!DOCTYPE html><html><body>Please sign in</body></html>'
        claim(r, *r.range, Content_Length=len(text), Content_Type='text/html')
        r.give(text)

@behaviour
def range_stalls(r):  # a resumed connection gives a little and then nothing
    if not first_half(r):
        a, z = r.range
        claim(r, a, z)
        r.give(r.b, a, a + 100)
        r.linger()

@behaviour
def odd_once(r):  # half of it, one ?odd= answer, then the rest as it should be
    odd = r.q.get('odd', 'reset')
    if first_half(r) or r.once_more(2):  # the first half counts as one
        if not r.range:
            return
        a, z = r.range
        if odd in ('204', '304', '403', '500'):
            r.empty(odd + ' Odd')
        elif odd == 'ftp':
            r.redirect('ftp://127.0.0.1/last.ckpt')
        elif odd == 'expired':
            r.redirect(r.there('forbidden_403'))
        elif odd == 'page':
            r.page('200 OK', '<!DOCTYPE html><html><body>Please sign in</body></html>')
        elif odd == 'untyped':
            r.page('200 OK', '<html>Please sign in</html>', 'application/octet-stream')
        else:  # a head, and then nothing: reset, or silent
            claim(r, a, z)
            rst(r) if odd == 'reset' else r.linger()
    else:
        ranged(r)

@behaviour
def other_version(r):  # ?kind= tells how the rest says that it is of another one; no If-Range
    kind, old = r.q.get('kind', 'weak'), 'Mon, 01 Jan 2024 00:00:00 GMT'
    first = {'ETag': '"v1"'} if kind == 'weak' else {'Last_Modified': old}
    if r.range:
        a, z = r.range
        now_it_is = {'ETag': 'W/"v2"'} if kind == 'weak' else {'Last_Modified': now(-1)}
        part(r, a, z, r.body('v2'), a, Content_Range='bytes %d-%d/%d' % (a, z, r.b.size),
             Date=now(), **now_it_is)
    elif r.once_more():
        r.head('200 OK', Content_Length=r.b.size, Connection='close', Date=now(), **first)
        r.give(r.b, 0, r.b.size // 2)
        rst(r)
    else:
        whole(r, **first)

@behaviour
def one_mark_only(r):  # ETag and date at first, later the date alone, as some caches do
    h = {'Last_Modified': 'Mon, 01 Jan 2024 00:00:00 GMT', 'Date': now(), 'ETag': None}
    if r.range:
        a, z = r.range
        part(r, a, z, r.b, a, Content_Range='bytes %d-%d/%d' % (a, z, r.b.size), **h)
    else:
        first_half(r)

@behaviour
def late_body(r):  # a third of it; then another version, whose first bytes come late; no If-Range
    new = r.body('v2')
    if r.n == 1:  # at once, so that no second connection is opened
        r.head('200 OK', Content_Length=r.b.size, ETag='"v1"', Connection='close')
        r.send(r.b.cut(0, r.b.size * 5 // 16))
        return rst(r)
    if r.range and r.n > 2:
        time.sleep(1.2)
        return part(r, *r.range, new, r.range[0], ETag='"v2"')
    r.head('200 OK', Content_Length=new.size, ETag='"v2"', Connection='close')
    if r.n == 2:
        time.sleep(0.7)
    r.give(new)

refused = {}

@behaviour
def held_refused(r):  # the first part is cut after 100,000 bytes, and then refused once
    seen = refused.setdefault(r.target, [])
    if r.range and (not seen or r.range[0] in seen):
        seen.append(r.range[0] + 100000)
        if len(seen) == 1:
            claim(r, *r.range)
            r.give(r.b, r.range[0], r.range[0] + 100000)
            time.sleep(1.2)
            return rst(r)
        if len(seen) == 2:
            return r.empty('403 Forbidden')
    ranged(r)

@behaviour
def range_mixed(r):  # a CDN whose nodes hold two versions: every second answer is of the other one
    odd = r.n % 2
    ranged(r, r.body('v1' if odd else 'v2'), '"v1"' if odd else '"v2"')

@behaviour
def range_mixed_silent(r):  # the same, and nothing tells them apart
    ranged(r, r.body('v1' if r.n % 2 else 'v2'), '"v1"')

@behaviour
def etag_per_node(r):  # one version, another ETag from every node
    ranged(r, etag='"node-%d"' % r.n)

@behaviour
def few_connections(r):  # more than ?n (2) at once are told 429
    key = without_query(r.path)
    with changed_state:
        parallel[key] += 1
        crowd = parallel[key]
    try:
        if crowd > int(r.q.get('n', 2)):
            r.empty('429 Too Many Requests', Retry_After=r.q.get('after', '1'))
        else:
            ranged(r)
    finally:
        with changed_state:
            parallel[key] -= 1

@behaviour
def partial_unasked(r):  # 206 and a piece of it to a plain GET
    ranged(r) if r.range else part(r, 0, min(999, r.b.size // 2), r.b, 0)

@behaviour
def partial_unasked_end(r):  # the same from the end of the file
    half = r.b.size // 2
    ranged(r) if r.range else part(r, half, r.b.size - 1, r.b, half)

@behaviour
def changed_midway(r):  # first half of v1, cut; later v2 under another ETag, If-Range is honoured
    cut(r, r.b.size // 2) if r.once_more() else ranged(r, r.body('v2'), '"v2"')

@behaviour
def changed_midway_no_if_range(r):  # the same by a server that does not know If-Range
    r.h.pop('if-range', None)
    changed_midway(r)

@behaviour
def changed_midway_no_etag(r):
    cut(r, r.b.size // 2, None) if r.once_more() else ranged(r, r.body('v2'), None)

@behaviour
def changed_size_midway(r):  # v2 is longer
    if r.once_more():
        return cut(r, r.b.size // 2)
    ranged(r, r.body('v2') if r.is_config else common.checkpoint(r.size + 4096, 'v2'), '"v2"')

@behaviour
def cut_then_resume(r):  # every answer gives at most 40 % of the file and then resets; resumable
    a, z = r.range or (0, r.b.size - 1)
    step = int(r.q.get('at') or r.b.size * 2 // 5 or 1)
    if r.range:
        if a >= r.b.size:
            return r.empty('416 Range Not Satisfiable', Content_Range='bytes */%d' % r.b.size)
        claim(r, a, z)
    else:
        begin(r)
    r.give(r.b, a, min(z + 1, a + step))
    if z - a + 1 > step:
        rst(r)

@behaviour
def cut_without_gain(r):  # from the second answer on: a right head and not one byte
    if not r.range:
        return cut(r, r.b.size // 2)
    claim(r, *r.range)
    rst(r)

@behaviour
def resume_503(r):  # cut, then 503 ?n times, then the rest
    if r.n == 1:
        return cut(r, r.b.size // 2)
    if r.n <= 1 + int(r.q.get('n', 1)):
        return r.page('503 Service Unavailable', 'overloaded', Retry_After=r.q.get('after', '1'))
    ranged(r)

@behaviour
def token_expires(r):  # the redirect's target serves one request, later ones are refused
    r.redirect('/token_expired/%d/%s?%s' % (r.entry['id'], r.rest, r.query))

@behaviour
def token_expired(r):
    if r.n > 1:
        return r.empty('403 Forbidden')
    ranged(r) if r.range else cut(r, r.b.size // 2)


# ---- marks that contradict each other, and ranges that nothing gets past --------------------------

def cut_whole(r):
    """the first plain answer is cut in the middle, later ones are whole"""
    return cut(r, r.b.size // 2) if r.n == 1 else whole(r, ETag='"v1"', Accept_Ranges='bytes')

@behaviour
def part_under_200(r):  # a part is served, but as 200; ?range=0: without its Content-Range
    if not r.range:
        return cut_whole(r)
    a, z = r.asked(r.b.size)
    h = {} if r.q.get('range') == '0' else {'Content_Range': 'bytes %d-%d/%d' % (a, z, r.b.size)}
    part_of(r, '200 OK', a, z, **h)

@behaviour
def half_for_ever(r):  # cut at half, then always its second half, as if that were all: one ETag
    half = r.b.size // 2
    if r.n == 1:
        return cut(r, half)
    how = r.q.get('as', '200')
    if how == 'chunked':
        r.head('200 OK', Transfer_Encoding='chunked', ETag='"v1"', Connection='close')
        return chunk(r, b''.join(r.b.read(half, r.b.size))), chunk(r, b'')
    part_of(r, '206 Partial Content' if how == '206' else '200 OK', half, r.b.size - 1,
            Content_Range='bytes 0-%d/%d' % (half - 1, half) if how == '206' else None)

@behaviour
def end_of_another(r):  # cut at half; to a part 416 of a file that ends there, and has another ETag
    if not r.range:
        return whole(r, ETag='"v1"') if r.n > 1 else cut_unsized(r)
    r.empty('416 Range Not Satisfiable', ETag='"v2"', Content_Range='bytes */%d' % (r.b.size // 2))

def cut_unsized(r):
    r.head('200 OK', Transfer_Encoding='chunked', ETag='"v1"', Connection='close')
    chunk(r, b''.join(r.b.read(0, r.b.size // 2)))

@behaviour
def part_of_another(r):  # every part is of a second version
    if not r.range:
        return whole(r, ETag='"v1"')
    a, z = r.range
    part(r, a, z, r.body('v2'), a, ETag='"v2"', Content_Range='bytes %d-%d/%d' % (a, z, r.b.size))

@behaviour
def cut_growing(r):  # no ranges; each answer is cut 1,000 bytes later than the one before
    r.head('200 OK', Content_Length=r.b.size, ETag='"v1"', Connection='close')
    r.give(r.b, 0, r.b.size // 4 + 1000 * r.n)

@behaviour
def page_for_the_rest(r):  # a page that is larger than what is here
    if r.n == 1:
        return cut(r, r.b.size // 4)
    if r.range:
        return r.page('200 OK', '<!doctype html><title>Sign in</title>' + ' ' * r.b.size)
    r.page('200 OK', '<!doctype html><title>Sign in</title>' + ' ' * r.b.size)

@behaviour
def unsized_once(r):  # the first answer tells no length and is cut; later ones are good
    if r.n > 1:
        return ranged(r)
    r.head('200 OK', ETag='"v1"', Connection='close')
    r.give(r.b, 0, r.b.size // 2)

@behaviour
def whole_as_206(r):  # every answer is all of the file, and says so
    part_of(r, '206 Partial Content', 0, r.b.size - 1,
            Content_Range='bytes 0-%d/%d' % (r.b.size - 1, r.b.size))

@behaviour
def whole_as_200(r):  # the same under 200
    part_of(r, '200 OK', 0, r.b.size - 1,
            Content_Range='bytes 0-%d/%d' % (r.b.size - 1, r.b.size))

def part_of(r, status, a, z, **h):
    r.head(status, Content_Length=z + 1 - a, ETag='"v1"', Connection='close', **h)
    r.give(r.b, a, z + 1)

@behaviour
def parts_refused(r):  # every request for a part gets ?code, the whole is served; ?cut=1: never whole
    if r.range:
        return r.page(r.q.get('code', '503') + ' Refused', 'no parts here',
                      Retry_After=r.q.get('after'))
    if r.q.get('cut'):
        return cut(r, r.b.size // 2)
    cut_whole(r)

@behaviour
def length_untold(r):  # neither length nor chunks: the end of the connection is the end; ?cut=1: early
    r.head('200 OK', Connection='close')
    r.give(r.b, 0, r.b.size // 2 if r.q.get('cut') else r.b.size)

@behaviour
def one_client(r):  # one connection for a client: the second at the same time gets ?refuse
    if r.is_config and not {'go', 'now'} & set(r.q):  # so that the checkpoint is first
        time.sleep(.4)
        return r.redirect('%s&go=1' % r.path)
    key = 'one_client/' + r.args[0]
    with changed_state:
        taken = parallel[key] > 0
        parallel[key] += not taken
    if taken:
        return r.page(r.q.get('refuse', '503') + ' Busy', 'one connection, please')
    try:
        whole(r, ETag='"v1"')
    finally:
        with changed_state:
            parallel[key] -= 1

@behaviour
def one_thread(r):  # no ranges; the next request is served when the one before is through
    with one_after_the_other:
        whole(r, Last_Modified='Wed, 21 Oct 2020 07:28:00 GMT', Date=now())

@behaviour
def redirect_waits(r):  # a Retry-After on the way to a host where nobody listens
    r.redirect('http://127.0.0.1:9/' + r.rest, Retry_After='60')


# ---- another version of the file -----------------------------------------------------------------

@behaviour
def changed(r):  # v1, and v2 (same size, another ETag) after /control/switch
    ranged(r, r.body(state['version']), '"%s"' % state['version'])

@behaviour
def changed_size(r):  # v2 is another size too
    grown = 4096 if state['version'] != 'v1' and not r.is_config else 0
    version = state['version']
    body = common.checkpoint(r.size + grown, version) if grown else r.body(version)
    ranged(r, body, '"%s"' % version)

@behaviour
def gone(r):  # good, and 404 after /control/switch
    ranged(r) if state['version'] == 'v1' else r.page('404 Not Found', 'not found', 'text/plain')

@behaviour
def bitflip(r):
    ranged(r, r.b.flipped(r.b.size // 2))

@behaviour
def same_size_other(r):
    ranged(r, r.body('other'))


# ---- status codes --------------------------------------------------------------------------------

@behaviour
def no_content(r):
    r.head('204 No Content', Connection='close')

@behaviour
def reset_205(r):
    r.empty('205 Reset Content')

@behaviour
def empty_200(r):
    r.empty('200 OK')

@behaviour
def not_modified(r):
    r.head('304 Not Modified', Connection='close')

@behaviour
def accepted_202(r):  # ?n times (2), then good
    r.empty('202 Accepted', Retry_After=r.q.get('after', '1')) if r.once_more(2) else ranged(r)


def busy(r, status, after=None):
    r.page(status, 'busy, come again', 'text/plain', Retry_After=after or r.q.get('after', '1'))

@behaviour
def retry_503(r):  # ?n times (1), then good
    busy(r, '503 Service Unavailable') if r.once_more() else ranged(r)

@behaviour
def retry_500(r):
    r.empty('500 Internal Server Error') if r.once_more() else ranged(r)

@behaviour
def retry_502_page(r):
    r.page('502 Bad Gateway', '<html>Bad gateway</html>') if r.once_more() else ranged(r)

@behaviour
def retry_408(r):
    r.empty('408 Request Timeout') if r.once_more() else ranged(r)

@behaviour
def too_many_429(r):
    busy(r, '429 Too Many Requests') if r.once_more() else ranged(r)

@behaviour
def too_many_429_forever(r):
    busy(r, '429 Too Many Requests')

@behaviour
def retry_503_forever(r):
    busy(r, '503 Service Unavailable')

@behaviour
def retry_after_date(r):
    when = now(int(r.q.get('after', '2')))
    busy(r, '503 Service Unavailable', when) if r.once_more() else ranged(r)

@behaviour
def retry_after_past(r):
    past = 'Fri, 01 Jan 2021 00:00:00 GMT'
    busy(r, '503 Service Unavailable', past) if r.once_more() else ranged(r)

@behaviour
def retry_after_huge(r):
    busy(r, '503 Service Unavailable', str(86400 * 365))

@behaviour
def retry_after_garbage(r):
    never = '-99999999999999999999 soon'
    busy(r, '503 Service Unavailable', never) if r.once_more() else ranged(r)

@behaviour
def auth_401(r):
    r.empty('401 Unauthorized', WWW_Authenticate='Basic realm="x"')

@behaviour
def forbidden_403(r):
    r.page('403 Forbidden', '<html><body>You may not</body></html>')

@behaviour
def gone_404_body(r):
    r.page('404 Not Found', '<html><body>not found</body></html>')

@behaviour
def gone_404_endless(r):  # the page of an error never ends
    r.head('404 Not Found', Connection='close')
    for _ in range(1 << 18):
        r.give(bytes(65536))

@behaviour
def gone_410(r):
    r.empty('410 Gone')

@behaviour
def bad_status_999(r):
    r.head('999 Odd', Content_Length=r.b.size, Connection='close')
    r.give(r.b)

@behaviour
def basic_auth(r):  # user:pass
    right = 'Basic ' + base64.b64encode(b'user:pass').decode()
    ranged(r) if r.h.get('authorization') == right else auth_401(r)

@behaviour
def bearer_auth(r):  # Authorization: Bearer secret
    ranged(r) if r.h.get('authorization') == 'Bearer secret' else auth_401(r)

@behaviour
def needs_header(r):  # X-Token: secret
    ranged(r) if r.h.get('x-token') == 'secret' else r.empty('403 Forbidden')

@behaviour
def needs_agent(r):
    ranged(r) if r.h.get('user-agent') else r.empty('403 Forbidden')

@behaviour
def echo_headers(r):
    headers = ''.join('%s: %s\n' % (k, v) for k, v in r.pairs)
    r.page('200 OK', '%s %s\n%s' % (r.method, r.target, headers), 'text/plain')


# ---- something else instead of the file ----------------------------------------------------------

HEIBOX = '''



<!DOCTYPE html>
<html lang="en">
<head>
<title>heiBOX</title>
<meta http-equiv="Content-type" content="text/html; charset=utf-8" />
</head>
<body>
<div id="main" class="container-fluid w100 flex-auto ov-auto">
<div class="text-panel">
<p class="error">Link does not exist.</p>
</div>
</div>
<!-- %s -->
</body>
</html>
''' % ('.' * 6700)
QUOTA = '''<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded</title></head><body>
<p class="uc-error-caption">Sorry, you can&#39;t view or download this file at this time.</p>
<p class="uc-error-subcaption">Too many users have viewed or downloaded this file recently.</p>
</body></html>
'''

@behaviour
def html_login(r):
    r.page('200 OK', '<!DOCTYPE html><html><body>Please sign in</body></html>')

@behaviour
def html_untyped(r):  # the same, called a file by its headers
    r.page('200 OK', '<html><head><title>Sign in</title></head></html>', 'application/octet-stream')

@behaviour
def html_bom(r):
    r.page('200 OK', '\ufeff  <!doctype HTML><p>Please sign in', 'application/octet-stream')

@behaviour
def html_typed_file(r):  # the right file, called a page by its headers
    ranged(r, Content_Type='text/html')

@behaviour
def heibox_gone(r):
    r.page('200 OK', HEIBOX)

@behaviour
def quota_page(r):  # Google Drive
    r.page('200 OK', QUOTA)

@behaviour
def lfs_pointer(r):
    r.page('200 OK', 'version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n' %
           (r.b.sha256(), r.b.size), 'text/plain')

@behaviour
def xml_error(r):
    r.page('200 OK', '<?xml version="1.0" encoding="UTF-8"?>\n'
           '<Error><Code>AuthenticationFailed</Code>'
           '<Message>Signature not valid in the specified time frame</Message></Error>',
           'application/xml')

@behaviour
def json_error(r):
    r.page('200 OK', '{"error": "Repository not found", "status": 404}\n', 'application/json')

@behaviour
def nul_config(r):
    data = bytearray(r.b.cut())
    data[len(data) // 2] = 0
    r.page('200 OK', bytes(data), 'application/octet-stream')

@behaviour
def zip_cut(r):  # complete on the wire, but the zip has lost its end (the config stays whole)
    size = r.b.size - (0 if r.is_config else r.b.size // 4)
    r.head('200 OK', Content_Length=size, ETag='"cut"', Connection='close')
    r.give(r.b, 0, size)

@behaviour
def zeros_tail(r):  # the right size; its second half was preallocated and never written
    half = r.b.size // 2
    r.head('200 OK', Content_Length=r.b.size, Connection='close')
    r.give(r.b, 0, half)
    r.give(common.Body(b'', r.b.size - half))

@behaviour
def swapped(r):  # the config where the checkpoint was asked for, and the other way round
    ranged(r, common.checkpoint(r.size) if r.is_config else common.config())

@behaviour
def legacy_pickle(r):  # a checkpoint older than PyTorch 1.6
    magic = b'\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.'
    ranged(r, r.b if r.is_config else common.Body(magic, r.size - len(magic), b'', 'v1'))

@behaviour
def unknown_binary(r):  # no known format
    magic = b'\x07VQ\xff\0\1'
    ranged(r, r.b if r.is_config else common.Body(magic, r.size - len(magic), b'', 'v1'))

@behaviour
def cookie_wall(r):
    if 'ok=1' in r.h.get('cookie', ''):
        return ranged(r)
    r.redirect(r.there('cookie_wall'), Set_Cookie='ok=1')


# ---- redirects: to the same file under /good unless something else is said -----------------------

@behaviour
def redirect_ok(r):  # ?code=301, 302, 303, 307, 308
    r.redirect(r.there('good'))

@behaviour
def redirect_300(r):  # Multiple Choices: not one to follow by itself
    r.empty('300 Multiple Choices')

@behaviour
def redirect_loop(r):
    r.redirect(r.there('redirect_loop'))

@behaviour
def redirect_pair(r):  # a loop over two paths
    r.redirect(r.there('redirect_pair_b'))

@behaviour
def redirect_pair_b(r):
    r.redirect(r.there('redirect_pair'))

@behaviour
def redirect_many(r):  # /redirect_many/N/...: N hops
    n, rest = int(r.args[0]), '/'.join(r.rest.split('/')[1:])
    to = '/redirect_many/%d/%s' % (n - 1, rest) if n > 1 else '/good/' + rest
    r.redirect(to + ('?' + r.query if r.query else '')) if n else ranged(r)

@behaviour
def redirect_long(r):  # 15 hops
    r.redirect('/redirect_many/14/%s' % r.rest + ('?' + r.query if r.query else ''))

@behaviour
def redirect_file(r):
    r.redirect(r.q.get('to', 'file:///etc/passwd'))

@behaviour
def redirect_ftp(r):
    r.redirect('ftp://127.0.0.1:1/x')

@behaviour
def redirect_data(r):
    r.redirect('data:text/plain,hello')

@behaviour
def redirect_to_http(r):  # meant for the TLS ports
    r.redirect(r.there('good', PORTS['plain']))

@behaviour
def redirect_to_https(r):
    r.redirect(r.there('good', PORTS['tls'], 'https'))

@behaviour
def redirect_to_bad_tls(r):  # ?kind=wrong, expired, self
    r.redirect(r.there('good', PORTS[r.q.get('kind', 'self')], 'https'))

@behaviour
def redirect_other_host(r):  # ?to=URL, else the same path as /good on another name and another port
    r.redirect(r.q.get('to') or r.there('good', PORTS['other'], host='localhost'))

@behaviour
def redirect_other_port(r):  # same name, another port
    r.redirect(r.q.get('to') or r.there('good', PORTS['other']))

@behaviour
def redirect_away_and_back(r):  # the credentials do not come back with it
    r.redirect('http://127.0.0.1:%d%s' % (PORTS['other'], r.there('redirect_back')))

@behaviour
def redirect_back(r):
    r.redirect(r.there('good', PORTS['plain']))

@behaviour
def redirect_user_info(r):  # credentials in the Location
    r.redirect('http://user:pass@127.0.0.1:%d%s' % (PORTS['plain'], r.there('basic_auth')))

@behaviour
def redirect_dead(r):  # nobody listens there
    r.redirect('http://127.0.0.1:1/x')

@behaviour
def redirect_relative(r):  # without a leading slash, and with dots
    up = '../' * r.rest.count('/')
    r.redirect(up + '../x/./../good/' + r.rest + ('?' + r.query if r.query else ''))

@behaviour
def redirect_scheme_relative(r):
    r.redirect('//127.0.0.1:%d%s' % (PORTS['plain'], r.there('good')))

@behaviour
def redirect_query(r):  # only a query: the same path, where it is good the second time
    ranged(r) if 'again' in r.q else r.redirect('?again=1&' + r.query)

@behaviour
def redirect_fragment(r):
    r.redirect(r.there('good') + '#sha256=' + '0' * 64)

@behaviour
def redirect_space(r):  # a raw space and a raw byte above 127 in the Location
    r.redirect('/good/a b\xe9/' + r.file)

@behaviour
def redirect_no_location(r):
    r.empty('302 Found')

@behaviour
def redirect_empty_location(r):
    r.redirect('')

@behaviour
def redirect_two_locations(r):
    r.bare(b'Location: ' + r.there('good').encode(), b'Location: http://127.0.0.1:1/x',
           b'Content-Length: 0', status=b'HTTP/1.1 302 Found')

@behaviour
def redirect_crlf(r):  # a folded header line
    r.bare(b'Location: ' + r.there('good').encode(), b' X-Injected: 1', b'Content-Length: 0',
           status=b'HTTP/1.1 302 Found')

@behaviour
def redirect_control(r):  # a bare CR and a tab inside the Location
    r.bare(b'Location: /good/\r\t/' + r.file.encode(), b'Content-Length: 0',
           status=b'HTTP/1.1 302 Found')

@behaviour
def redirect_option(r):  # what a careless command line takes for options
    ranged(r) if r.file.startswith('-o') else r.redirect('-ovqcache.' + r.file)

@behaviour
def redirect_long_location(r):  # 64 KiB
    r.redirect('/good/' + 'x' * 65536 + '/' + r.file)

@behaviour
def redirect_body(r):  # an endless page along with the Location
    r.head('302 Found', Location=r.there('good'), Connection='close')
    for _ in range(1 << 18):
        r.give(bytes(65536))


# ---- time ----------------------------------------------------------------------------------------

@behaviour
def stall_header(r):
    r.linger()

@behaviour
def stall_body(r):
    begin(r)
    r.give(r.b, 0, int(r.q.get('at') or min(1000, r.b.size // 2)))
    r.linger()

@behaviour
def stall_once(r):  # the first connection stalls in the middle, later ones are good
    if not r.once_more():
        return ranged(r)
    begin(r)
    r.give(r.b, 0, int(r.q.get('at') or r.b.size // 2))
    r.linger()

@behaviour
def stall_end(r):  # all but the last byte
    begin(r)
    r.give(r.b, 0, r.b.size - 1)
    r.linger()

@behaviour
def slowloris(r):  # 2 bytes a second
    r.head('200 OK', Content_Length=r.b.size)
    for i in range(r.b.size):
        r.give(r.b, i, i + 1)
        time.sleep(.5)

@behaviour
def slow_header(r):  # the header itself, a byte at a time
    for byte in b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n' % r.b.size:
        r.c.sendall(bytes([byte]))
        time.sleep(.5)

@behaviour
def hold(r):  # waits before the answer until /control/release
    r.wait_for_release()
    ranged(r)

@behaviour
def hold_body(r):  # gives ?at bytes (half), waits for /control/release, gives the rest
    begin(r)
    at = int(r.q.get('at') or r.b.size // 2)
    r.give(r.b, 0, at)
    r.wait_for_release()
    r.give(r.b, at)

@behaviour
def hold_then_cut(r):  # the same, but cut instead of the rest; good afterwards
    if not r.once_more():
        return ranged(r)
    begin(r)
    r.give(r.b, 0, int(r.q.get('at') or r.b.size // 2))
    r.wait_for_release()
    rst(r)


# ---- framing -------------------------------------------------------------------------------------

@behaviour
def endless_headers(r):
    r.send(b'HTTP/1.1 200 OK\r\n')
    for i in range(200000):
        r.send(b'X-%d: %s\r\n' % (i, b'y' * 1000))

@behaviour
def one_long_header(r):  # 1 MiB
    r.bare(b'X-Long: ' + b'y' * (1 << 20), b'Content-Length: %d' % r.b.size)
    r.give(r.b)

@behaviour
def many_headers(r):  # 100 of 100 bytes: unusual and legal
    whole(r, **{'X_%d' % i: 'y' * 100 for i in range(100)})

@behaviour
def raw(r):  # ?1=HEAD&2=HEAD...: the answer to the first, the second request; the last one again
    """bytes as they are, percent-encoded; {size}, {half}, {last}, {left} and {at}, where the part
    begins that is asked for, are numbers; {body}, the {first} half or the {rest} from {at} on"""
    pieces = urllib.parse.parse_qs(r.query, keep_blank_values=True, encoding='latin-1')
    n = min(r.n, max(int(k) for k in pieces if k.isdigit()))
    head = pieces[str(n)][0].encode('latin-1')
    size, at = r.b.size, r.range[0] if r.range else 0
    for name, number in (('size', size), ('half', size // 2), ('at', at), ('last', size - 1),
                         ('left', size - at)):
        head = head.replace(b'{%s}' % name.encode(), b'%d' % number)
    parts = {b'body': (0, size), b'first': (0, size // 2), b'rest': (at, size)}
    head, what, tail = [*re.split(rb'{(body|first|rest)}', head), None, None][:3]
    r.send(head)
    if what:
        r.give(r.b, *parts[what])
    if tail:
        r.send(tail)

@behaviour
def folded_header(r):
    r.bare(b'X-Folded: a\r\n b', b'Content-Length: %d' % r.b.size)
    r.give(r.b)

@behaviour
def header_without_colon(r):
    r.bare(b'Nonsense', b'Content-Length: %d' % r.b.size)
    r.give(r.b)

@behaviour
def header_nul(r):
    r.bare(b'X-A: a\0b', b'Content-Length: %d' % r.b.size)
    r.give(r.b)

@behaviour
def header_cut(r):  # the connection ends inside the header
    r.send(b'HTTP/1.1 200 OK\r\nContent-Le')

@behaviour
def many_100(r):
    r.send(b'HTTP/1.1 100 Continue\r\n\r\n' * 5)
    ranged(r)

@behaviour
def endless_100(r):
    for _ in range(20000):
        r.send(b'HTTP/1.1 100 Continue\r\n\r\n' * 10)

@behaviour
def early_hints(r):
    r.send(b'HTTP/1.1 103 Early Hints\r\nLink: </x>\r\nETag: "hint"\r\nContent-Length: 7\r\n\r\n')
    ranged(r)

@behaviour
def http09(r):
    r.give(r.b)

@behaviour
def garbage_status(r):
    r.send(b'HTTQ/9.9 2OO FINE\r\n\r\n')
    r.give(r.b)

@behaviour
def status_no_reason(r):
    r.send(b'HTTP/1.1 200\r\nContent-Length: %d\r\nConnection: close\r\n\r\n' % r.b.size)
    r.give(r.b)

@behaviour
def lf_only(r):
    r.send(b'HTTP/1.1 200 OK\nContent-Length: %d\nConnection: close\n\n' % r.b.size)
    r.give(r.b)

@behaviour
def close_at_once(r):
    pass

@behaviour
def rst_at_once(r):
    rst(r)

@behaviour
def flaky(r):  # two of three connections are reset
    ranged(r) if r.n % 3 == 0 else rst(r)


# ---- metadata that lies --------------------------------------------------------------------------

@behaviour
def disposition_traversal(r):
    ranged(r, Content_Disposition='attachment; filename="../../../../evil.ckpt"')

@behaviour
def digest_wrong(r):
    ranged(r, Content_MD5='AAAAAAAAAAAAAAAAAAAAAA==', Digest='sha-256=AAAA',
           Repr_Digest='sha-256=:AAAA:')

@behaviour
def etag_hostile(r):  # an ETag that does not belong into a header, a log or a receipt
    ranged(r, etag='"v1\x1b[2J%s\t\x07# sha256 ' + 'e' * 5000 + '"')


# ---- the control channel -------------------------------------------------------------------------

def matches(entry, path, port=''):
    if entry['method'].startswith('(') or (port and entry['port'] != port):
        return False
    if path.endswith('*'):
        return entry['path'].startswith(path[:-1])
    return not path or path in (entry['path'], without_query(entry['path']))


def as_text(entry):
    fields = [entry[k] for k in ('id', 'port', 'method', 'path', 'status', 'body')]
    fields.append(int(entry['open']))
    return '\t'.join(map(str, fields)) + '\n' + ''.join(
        '\t%s: %s\n' % (k.lower(), v) for k, v in entry['headers'])


def forget():
    """the hits of requests that are still open go with the rest; hold and stall let go of them"""
    for table in (LOG, hits):
        table.clear()
    state.update(version='v1', connections=0, released=set(), epoch=state['epoch'] + 1)


def control(r):
    what, path = r.rest, r.q.get('path', '')
    status, kind, answer = '200 OK', 'text/plain', 'ok\n'

    def count():
        return sum(matches(e, path, r.q.get('port', '')) for e in LOG)

    def wait(goal):
        return changed_state.wait_for(goal, float(r.q.get('s', '20')))

    if what == 'sha256':
        body = Target(path)
        seed = {'same_size_other': 'other'}.get(body.name, r.q.get('seed', 'v1'))
        body = body.body(seed)
        answer = '%s %d\n' % (body.sha256(), body.size)
    else:
        with changed_state:
            if what == 'count':
                answer = '%d\n' % count()
            elif what == 'connections':
                answer = '%d\n' % state['connections']
            elif what == 'log' and r.q.get('text'):
                answer = ''.join(as_text(e) for e in LOG if matches(e, path, r.q.get('port', '')))
            elif what == 'log':
                kind = 'application/json'
                answer = json.dumps([e for e in LOG if not path or matches(e, path)])
            elif what == 'wait':
                if not wait(lambda: count() >= int(r.q.get('n', '1'))):
                    status, answer = '504 Gateway Timeout', 'only %d\n' % count()
            elif what == 'done':
                if not wait(lambda: not any(e['open'] and matches(e, path) for e in LOG)):
                    status, answer = '504 Gateway Timeout', 'still open\n'
            elif what == 'release':
                state['released'].add(path or '*')
                changed_state.notify_all()
            elif what == 'switch':
                state['version'] = r.q.get('to', 'v2')
            elif what == 'reset':
                forget()
                changed_state.notify_all()
            elif what == 'list':
                answer = '\n'.join(BEHAVIOURS) + '\n'
            else:
                status, answer = '404 Not Found', 'no such control\n'
    data = answer.encode()
    r.head(status, Content_Type=kind, Content_Length=len(data), Connection='close')
    r.send(data)


# ---- the server ----------------------------------------------------------------------------------

def tunnel(r):
    """CONNECT: only to ourselves, so that no test leaves the machine"""
    port = int(r.target.rsplit(':', 1)[1])
    if port not in PORTS.values():
        return r.empty('403 Forbidden')
    far = socket.create_connection(('127.0.0.1', port))
    r.send(b'HTTP/1.1 200 Connection established\r\n\r\n')
    ends = {r.c: far, far: r.c}
    while True:
        for end in select.select(list(ends), [], [], 60)[0] or [None]:
            data = end.recv(65536) if end else b''
            if not data:
                return far.close()
            ends[end].sendall(data)


def serve(c, port, tls):
    r = None
    try:
        c.settimeout(90)
        c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            c = tls.wrap_socket(c, server_side=True)
        r = Request(c, port)
        if r.name == 'control':
            with changed_state:
                state['connections'] -= 1
            return control(r)
        r.answer()
    except (OSError, ValueError, IndexError) as e:  # the client went, or speaks nonsense
        with changed_state:
            if r is None or r.entry is None:
                note(port, '(none)', error=str(e))
            else:
                r.entry['error'] = str(e)
        if r and r.entry and not r.entry['sent'] and not isinstance(e, OSError):
            with contextlib.suppress(OSError):
                r.page('400 Bad Request', 'hostile.py: %s' % e, 'text/plain')
    finally:
        with contextlib.suppress(OSError, ValueError):
            if tls and r and 'abrupt' not in r.q and c.fileno() >= 0:
                c.settimeout(1)
                c.unwrap()
        with contextlib.suppress(OSError):
            c.close()
        with changed_state:
            if r and r.entry:
                r.entry['open'] = False
            changed_state.notify_all()


def listen(kind, tls=None, family=socket.AF_INET, address='127.0.0.1'):
    s = socket.socket(family)
    s.bind((address, 0))
    s.listen(128)

    def loop():
        while True:
            c, _ = s.accept()
            with changed_state:
                state['connections'] += 1
            threading.Thread(target=serve, args=(c, kind, tls), daemon=True).start()

    threading.Thread(target=loop, daemon=True).start()
    return s.getsockname()[1]


def tls_port(kind, pem):
    if not pem:
        return 0
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return listen(kind, context)


def ipv6_port():
    try:
        return listen('ipv6', family=socket.AF_INET6, address='::1')
    except OSError:
        return 0


def main():
    global SIZE
    if sys.argv[1:2] == ['--list']:
        return print('\n'.join(BEHAVIOURS))
    SIZE = int(sys.argv[1]) if len(sys.argv) > 1 else SIZE
    certificates = common.Certificates(sys.argv[2] if len(sys.argv) > 2 else '')
    PORTS['plain'] = listen('plain')
    PORTS['other'] = listen('other')
    for kind in ('tls', 'wrong', 'expired', 'self'):
        PORTS[kind] = tls_port(kind, certificates.pem('good' if kind == 'tls' else kind))
    PORTS['ipv6'] = ipv6_port()
    PORTS['proxy'] = listen('proxy')
    yaml, ckpt = common.config(), common.checkpoint(SIZE)
    common.run_until_stdin_closes(
        {**PORTS, 'yaml': yaml.sha256(), 'yaml_size': yaml.size, 'ckpt': ckpt.sha256(),
         'size': ckpt.size, 'ca': certificates.pem('ca')}, certificates.remove)


if __name__ == '__main__':
    main()
