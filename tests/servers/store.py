#!/usr/bin/env python3
"""store.py [CERTS|auto|- [RULE...]]: an S3 store and a WebDAV server that misbehave when told to.

Loopback only, no packages, all in memory.  A strict and honest store as long as there is no rule:
signatures are checked by store_signature.py, objects are kept by store_s3.py and store_dav.py, keys
are handed out by store_credentials.py; their heads say what they know.  Prints one line and runs
until its stdin closes:
    plain=PORT other=PORT tls=PORT dav=PORT davtls=PORT keys=PORT bucket=NAME region=REGION
    key=ID secret=SECRET user=NAME password=PASSWORD ca=FILE    (ports are 0 without certificates)
plain, other ("another host") and tls are one S3, by path and by host (BUCKET.localhost); dav and
davtls are one WebDAV tree; keys has the machine's, the container's and STS's services.

RULE, at the start or by /control/rule?RULE:    way=WAY[&FILTER...][&PARAMETER...]
Filters: port=NAME (as above), method=M[,M...], path=GLOB of /BUCKET/KEY (of the path, for WebDAV
and keys), query=NAME that has to stand in the query, writes=1, conditional=1 (a write with
If-Match, If-None-Match or Overwrite: F).  Of the requests that these let through, those that the
way concerns are counted: skip=N lets so many pass, times=N is how many it then befalls (0, as
without it: all), nth=N is skip=N-1&times=1.  Every rule that concerns a request has its effect; of
those that answer, the first.

Ways that answer before anything was done:
    reset               the connection is reset; early=1: before the body was read; so close, error
    close               the connection ends without an answer
    error               code=500 name=InternalError after=S (Retry-After) body=xml (or empty, html,
                        garbage, bomb, huge, long, nul, echo: all headers of the request, secrets
                        too, bare: what proves a request, without the names that it goes by)
    slow_down           503 SlowDown
    forbidden           403 AccessDenied
    failed              412 PreconditionFailed
    read_only           403 AccessDenied for writes
    full                writes: 403 QuotaExceeded, of WebDAV 507; code=507 name=... otherwise
    not_implemented     501 NotImplemented for conditional writes
    conflict            409 ConditionalRequestConflict for conditional writes
    captive             200 and a page of a captive portal
    redirect            code=307 to=URL; without it to the same target on port `other`
    region_301          301 PermanentRedirect without a Location; region=R in x-amz-bucket-region
    hang                nothing until the client has gone
    down                a reset, and the port takes no connection before /control/up
Ways that come before the effect, and let it happen:
    hold                waits for /control/release
    late                waits s=S
    slow_upload         reads the body at rate=N bytes a second
    stall_upload        reads at=N bytes of the body, and no more
Ways that alter the effect (all that differs between stores):
    unsigned            signatures and passwords are not checked
    conditions_ignored  If-Match, If-None-Match and Overwrite: F of writes
    conditions_racy     they are checked, and 0.1 s later the write happens
    complete_conditions_ignored  of the end of an upload in parts alone (Ceph 16, s3proxy)
    get_conditions_ignored       If-Match of GET (s3s-fs)
    ranges_ignored      GET answers 200 with all
    if_match_unquoted   If-Match of a write fits only without its quotes (Ceph 16)
    etag_not_md5        entity tags are random
    forgets             a write is confirmed, and nothing is stored
    stores_half         a write is confirmed, and half of it is stored
    half_kept           of an upload whose connection breaks, what has come is stored
    mkcol_repeats       MKCOL of a collection that exists is 201 (rclone)
    mkcol_needs_slash   MKCOL without a / at the end is 409 (nginx)
    makes_parents       PUT makes the collections that it needs (nginx, told so)
Ways that alter the answer, after the effect:
    lost                the connection ends before the answer
    lost_reset          the same by a reset
    late_answer         waits s=S
    answers             code=500 name=InternalError body=xml, although it was done
    error_in_200        the end of an upload in parts: 200 with an error in the body; done=0: and
                        the upload did not end
    cut                 GET: the body ends after at=N bytes, or after half; reset=1: by a reset
    stall               GET: the body stops after at=N bytes, or after half; the connection stays
    short               GET: by=N (1) bytes are missing, and Content-Length says so
    flip                GET: a bit of byte at=N (0) is another
    slow                the body goes out at rate=N bytes a second
    wrong_etag          tag=TAG, with its quotes, or one of zeros
    no_etag             no entity tag
    replaced            a GET is answered, and from then on the object is another of the same size;
                        keep=1: with the same entity tag

Control, on any port, never logged, GET or POST (P is a glob, of what path= is in a rule):
    /control/rule?RULE                   its number; 400 with the reason
    /control/clear[?id=N]                forgets that rule, or all
    /control/rules                       JSON: id, way, seen, hits
    /control/log[?path=P]                JSON, one object a request, numbered by id from 1: port
                                         method path (target) key status headers body received open
                                         verdict (ok, or the code of the refusal) effect ways time
    /control/log?text=1                  for readers without JSON: tab-separated id port method
                                         path status body open key verdict effect received ways,
                                         then lines of a tab and "name: value"
    /control/count[?path=P&method=M&port=K]
    /control/wait?path=P&n=N[&s=S]       returns once N requests for P were seen; 504 after S (20) s
    /control/done?path=P                 waits until no request for P is open
    /control/release                     lets what `hold` holds go on, now and later
    /control/down?port=K, /control/up?port=K       connections to K are refused, and taken again
    /control/bucket?name=B[&region=R]    makes it
    /control/region?is=R                 of all buckets that have none of their own
    /control/clock?off=S                 the store's clock is S seconds off; at=20130524T000000Z
    /control/parts?least=N               the least size of a part that is not the last (5 MiB)
    /control/key?id=I&secret=S[&token=T&seconds=N]  and with &forget=1 the key is unknown
    /control/user?user=U&password=P      of WebDAV
    /control/issue?...                   what the services hand out: see store_credentials.py
    /control/put?key=K[&text=T]          stores T or the body under /BUCKET/KEY; on=dav: at that
                                         path, with its collections; size=N&seed=V: that checkpoint
    /control/get?key=K[&on=dav]          the bytes; 404
    /control/delete?key=P[&on=dav]       how many
    /control/objects[?key=P&on=dav]      lines of SHA-256, size, entity tag, key; tab-separated
    /control/uploads                     lines of key, number of parts, bytes; unfinished uploads
    /control/upload?key=K[&n=N]          begins N (1) uploads of /BUCKET/KEY that nobody goes on with
    /control/age?key=P&s=S[&on=dav]      what P means, unfinished uploads too, is S seconds old
    /control/page?most=N                 entries in a page of a bucket's lists (1000)
    /control/reset[?keep=1]              as at the start; keep=1: objects stay
    /control/list                        the ways
"""
import contextlib
import calendar
import fnmatch
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

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import common  # noqa: E402
import store_credentials  # noqa: E402
import store_dav  # noqa: E402
import store_s3  # noqa: E402
import store_signature  # noqa: E402
from store_answers import REASONS, Answer, Refused, http_time  # noqa: E402
from store_answers import error as error_xml  # noqa: E402

KEY, SECRET = 'AKIAVQCACHETEST', 'canary-of-the-store/+='
USER, PASSWORD = 'tester', 'canary-of-the-dav'
BUCKET = 'bucket'
WRITES = ('PUT', 'POST', 'DELETE', 'MKCOL', 'MOVE')
FILTERS = ('way', 'port', 'method', 'path', 'query', 'writes', 'conditional', 'skip', 'times',
           'nth')
BODIES = ('xml', 'empty', 'html', 'garbage', 'bomb', 'huge', 'long', 'nul', 'echo',
          'bare')
BLOCK = 1 << 16

WAYS = {}
RULES = []
LOG = []
PORTS = {}
state = {'rules': 0, 'epoch': 0, 'is_released': False, 'clock': 0.0, 'is_set': False}
changed = threading.Condition()  # guards everything above


def clock():
    """the store's own; what was set goes on from there"""
    return time.time() + state['clock']


S3 = store_s3.S3(clock, 'localhost')
DAV = store_dav.Dav(clock)
KEYS = store_credentials.Credentials(clock, S3)
SERVICES = {'plain': S3, 'other': S3, 'tls': S3, 'dav': DAV, 'davtls': DAV, 'keys': KEYS}


# ---- one request ---------------------------------------------------------------------------------

class Gone(Exception):
    """the connection ends here, with a reset or without one"""

    def __init__(self, is_reset=False):
        super().__init__('gone')
        self.is_reset = is_reset


class Wire:
    """a connection, with what was read of it and not used yet"""

    def __init__(self, sock):
        self.sock, self.left = sock, b''

    def head(self):
        """the lines of a head; None: the client has gone"""
        while b'\r\n\r\n' not in self.left:
            piece = self.sock.recv(BLOCK)
            if not piece:
                return None
            self.left += piece
            if len(self.left) > 1 << 20:
                raise Gone
        head, _, self.left = self.left.partition(b'\r\n\r\n')
        return head.decode('latin1').split('\r\n')

    def read(self, most):
        if not self.left:
            return self.sock.recv(min(most, BLOCK))
        piece, self.left = self.left[:most], self.left[most:]
        return piece

    def has_ended(self):
        return select.select([self.sock], [], [], .1)[0] and not self.sock.recv(BLOCK)


class Request:
    def __init__(self, wire, port, lines):
        self.wire, self.port = wire, port
        self.method, self.path, version = lines[0].split(' ', 2)
        absolute = re.match(r'https?://[^/]*(.*)', self.path)  # as proxies get it
        self.path = absolute[1] or '/' if absolute else self.path
        self.raw_path, _, self.raw_query = self.path.partition('?')
        self.query = dict(urllib.parse.parse_qsl(self.raw_query, keep_blank_values=True))
        self.pairs = [[k.strip(), v.strip()] for k, _, v in (x.partition(':') for x in lines[1:])]
        self.h = {}
        for name, value in self.pairs:
            name = name.lower()
            self.h[name] = self.h[name] + ', ' + value if name in self.h else value
        asked = self.h.get('connection', '').lower()
        self.stays = version == 'HTTP/1.1' and asked != 'close'
        self.body, self.rules, self.entry, self.key = b'', [], None, self.raw_path
        self.is_read = False

    @property
    def is_control(self):
        return self.raw_path.startswith('/control/')

    @property
    def is_write(self):
        return self.method in WRITES

    @property
    def is_conditional(self):
        return self.is_write and ('if-none-match' in self.h or 'if-match' in self.h
                                  or self.h.get('overwrite', '').upper() == 'F')

    @property
    def is_completion(self):
        return self.method == 'POST' and 'uploadId' in self.query

    @property
    def number(self):
        return self.entry['id']

    def enter(self):
        """into the log, and looks which rules concern it"""
        SERVICES[self.port].locate(self)
        with changed:
            self.epoch = state['epoch']
            self.entry = {
                'id': len(LOG) + 1, 'time': round(time.time(), 3), 'port': self.port,
                'method': self.method, 'path': self.path, 'key': self.key, 'status': 0,
                'headers': self.pairs, 'body': 0, 'received': 0, 'open': True, 'verdict': '',
                'effect': False, 'ways': []}
            LOG.append(self.entry)
            self.rules = [rule for rule in RULES if rule.takes(self)]
            self.entry['ways'] = [rule.way.name for rule in self.rules]
            changed.notify_all()

    def has_effect(self):
        self.entry['effect'] = True

    def rules_of(self, stage):
        return [rule for rule in self.rules if rule.way.stage == stage]

    def rule(self, name):
        return next((rule for rule in self.rules if rule.way.name == name), None)

    def does(self, name):
        return self.rule(name) is not None

    def judged(self, verdict):
        self.entry['verdict'] = verdict

    def read_body(self):
        """raises Refused without a length, Gone when the connection breaks"""
        self.is_read = True
        if 'transfer-encoding' in self.h:
            self.stays = False
            raise Refused(411, 'MissingContentLength', 'You must provide Content-Length')
        length = self.h.get('content-length', '')
        if not length and self.method in ('PUT', 'POST'):
            raise Refused(411, 'MissingContentLength', 'You must provide Content-Length')
        self.body = bytearray()
        rate, stall = self.rule('slow_upload'), self.rule('stall_upload')
        most = int(length or 0)
        begun = time.monotonic()
        while len(self.body) < most:
            if stall and len(self.body) >= stall.number('at', 0):
                linger(self)
                raise Gone
            piece = self.wire.read(most - len(self.body))
            if not piece:
                return self.broken_off()
            self.body += piece
            if self.entry:
                self.entry['received'] = len(self.body)
            if rate:
                due = begun + len(self.body) / rate.number('rate', BLOCK)
                time.sleep(max(0, due - time.monotonic()))
        self.body = bytes(self.body)

    def broken_off(self):
        self.body = bytes(self.body)
        if self.does('half_kept') and self.method == 'PUT':
            store_half(self)
        raise Gone

    def send(self, data):
        self.wire.sock.sendall(data)


def linger(r, seconds=60):
    """does nothing until the client has gone, or everything was reset"""
    end = time.monotonic() + seconds
    while time.monotonic() < end and r.epoch == state['epoch']:
        if r.wire.has_ended():
            return


def store_half(r):
    """what a server makes of an upload that broke off, when it never asks whether all has come"""
    if r.port.startswith('dav'):
        DAV.tree[r.key] = store_dav.File(r.body, clock())
        return
    etag = store_s3.md5_tag(r.body)
    if 'uploadId' in r.query:
        S3.upload(r).parts[int(r.query['partNumber'])] = (r.body, etag)
    else:
        S3.bucket(r).objects[r.object] = store_s3.Object(r.body, etag, r.h, clock())


# ---- rules and ways ------------------------------------------------------------------------------

class Way:
    def __init__(self, name, stage, parameters, concerns, act=None):
        self.name, self.stage, self.parameters, self.act = name, stage, parameters, act
        self.concerns = concerns or (lambda r: True)


class Rule:
    """a way, the requests that it befalls, and how often it did"""

    def __init__(self, given):
        if given.get('way') not in WAYS:
            raise ValueError('no such way: %s' % given.get('way'))
        self.way, self.given = WAYS[given['way']], given
        unknown = set(given) - set(FILTERS) - set(self.way.parameters)
        if unknown:
            raise ValueError('%s does not know %s' % (self.way.name, ', '.join(sorted(unknown))))
        if given.get('port', 'plain') not in SERVICES:
            raise ValueError('no such port: ' + given['port'])
        if given.get('body', 'xml') not in BODIES:
            raise ValueError('no such body: ' + given['body'])
        self.skip, self.times = self.number('skip', 0), self.number('times', 0)
        if 'nth' in given:
            self.skip, self.times = self.number('nth', 1) - 1, 1
        self.id, self.seen, self.hits = 0, 0, 0

    def number(self, name, default):
        value = float(self.given.get(name, default))
        return int(value) if value == int(value) else value

    def lets_through(self, r):
        given = self.given
        methods = given.get('method', r.method).split(',')
        fits = [given.get('port', r.port) == r.port, r.method in methods,
                fnmatch.fnmatchcase(r.key, given.get('path', '*')),
                'query' not in given or given['query'] in r.query,
                given.get('writes') != '1' or r.is_write,
                given.get('conditional') != '1' or r.is_conditional]
        return all(fits) and self.way.concerns(r)

    def takes(self, r):
        """counts; the caller holds `changed`"""
        if not self.lets_through(r):
            return False
        self.seen += 1
        is_hit = self.seen > self.skip and (not self.times or self.seen <= self.skip + self.times)
        self.hits += is_hit
        return is_hit


def way(stage, *parameters, only=None):
    def take(act):
        WAYS[act.__name__] = Way(act.__name__, stage, parameters, only, act)
        return act
    return take


for flag in ('unsigned', 'conditions_ignored', 'conditions_racy', 'complete_conditions_ignored',
             'get_conditions_ignored', 'ranges_ignored', 'if_match_unquoted', 'etag_not_md5',
             'forgets', 'stores_half', 'half_kept', 'mkcol_repeats', 'mkcol_needs_slash',
             'makes_parents'):
    WAYS[flag] = Way(flag, 'effect', (), None)
WAYS['slow_upload'] = Way('slow_upload', 'reading', ('rate',), None)
WAYS['stall_upload'] = Way('stall_upload', 'reading', ('at',), None)


def is_write(r):
    return r.is_write


def is_conditional(r):
    return r.is_conditional


def is_get(r):
    return r.method == 'GET'


def is_completion(r):
    return r.is_completion


def bomb():
    """a thousand million letters, for whoever expands entities"""
    lines = ['<!ENTITY a0 "aaaaaaaaaa">']
    lines += ['<!ENTITY a%d "%s">' % (n, ('&a%d;' % (n - 1)) * 10) for n in range(1, 9)]
    return ('<?xml version="1.0"?><!DOCTYPE Error [%s]>'
            '<Error><Code>&a8;</Code><Message>&a8;</Message></Error>' % ''.join(lines))


def bare_secrets(r):
    """a signature or a login, and a token"""
    proof = r.h.get('authorization', '').rpartition('Signature=')[2].rpartition(' ')[2]
    return '%s and %s.' % (proof, r.h.get('x-amz-security-token', 'no token'))


def failure(r, rule, code=500, name='InternalError'):
    """an error whose body is as the rule says"""
    code, name = rule.number('code', code), rule.given.get('name', name)
    headers = {'Retry-After': rule.given['after']} if 'after' in rule.given else {}
    message = 'We encountered a problem. Please try again.'
    xml = error_xml(name, message, Resource=r.path, RequestId=r.number)
    bodies = {
        'xml': lambda: xml, 'empty': lambda: '', 'bomb': bomb,
        'html': lambda: '<html><body><h1>%d</h1>Something went wrong.</body></html>' % code,
        'garbage': lambda: b'\xff\xfe<Error><Code>' + bytes(range(256)) * 8 + b'</Message',
        'huge': lambda: '<Error><Code>%s</Code><Message>%s</Message>' % (name, 'm' * (4 << 20)),
        'long': lambda: '<Error><Code>%s</Code><Message>%s</Message>' % (name, 'm' * 20000),
        'nul': lambda: xml.replace('</Code>', '\0\x1b[31m</Code>'),
        'bare': lambda: error_xml(name, bare_secrets(r)),
        'echo': lambda: error_xml(name, ' '.join('%s=%s' % tuple(pair) for pair in r.pairs))}
    kind = rule.given.get('body', 'xml')
    mime = 'text/html' if kind == 'html' else 'application/xml'
    return Answer(code, bodies[kind](), headers, mime)


@way('answer', 'early')
def reset(r, rule):
    raise Gone(is_reset=True)

@way('answer', 'early')
def close(r, rule):
    raise Gone

@way('answer', 'code', 'name', 'after', 'body', 'early')
def error(r, rule):
    return failure(r, rule)

@way('answer', 'after', 'body')
def slow_down(r, rule):
    return failure(r, rule, 503, 'SlowDown')

@way('answer', 'body')
def forbidden(r, rule):
    return failure(r, rule, 403, 'AccessDenied')

@way('answer', 'body')
def failed(r, rule):
    return failure(r, rule, 412, 'PreconditionFailed')

@way('answer', 'body', only=is_write)
def read_only(r, rule):
    return failure(r, rule, 403, 'AccessDenied')

@way('answer', 'code', 'name', 'body', only=is_write)
def full(r, rule):
    is_dav = r.port.startswith('dav')
    return failure(r, rule, 507 if is_dav else 403, 'QuotaExceeded')

@way('answer', 'body', only=is_conditional)
def not_implemented(r, rule):
    return failure(r, rule, 501, 'NotImplemented')

@way('answer', 'body', only=is_conditional)
def conflict(r, rule):
    return failure(r, rule, 409, 'ConditionalRequestConflict')

@way('answer')
def captive(r, rule):
    return Answer(200, '<!doctype html><html><head><title>Welcome</title></head><body>'
                  'Please sign in to use this network.</body></html>', kind='text/html')

@way('answer', 'code', 'to')
def redirect(r, rule):
    there = rule.given.get('to', 'http://127.0.0.1:%d%s' % (PORTS['other'].port, r.path))
    body = error_xml('TemporaryRedirect', 'Please re-send this request to the specified endpoint.',
                     Endpoint=urllib.parse.urlsplit(there).netloc)
    return Answer(rule.number('code', 307), body, {'Location': there}, 'application/xml')

@way('answer', 'region')
def region_301(r, rule):
    region = rule.given.get('region', 'eu-west-7')
    body = error_xml('PermanentRedirect', 'The bucket you are attempting to access must be '
                     'addressed using the specified endpoint.',
                     Endpoint='s3.%s.amazonaws.com' % region)
    return Answer(301, body, {'x-amz-bucket-region': region}, 'application/xml')

@way('answer')
def hang(r, rule):
    linger(r)
    raise Gone

@way('answer')
def down(r, rule):
    PORTS[r.port].close()
    raise Gone(is_reset=True)

@way('wait')
def hold(r, rule):
    with changed:
        changed.wait_for(lambda: state['is_released'] or r.epoch != state['epoch'], 60)

@way('wait', 's')
def late(r, rule):
    time.sleep(rule.number('s', 1))

@way('after')
def lost(r, rule, answer):
    answer.is_silent, answer.end = True, 'close'

@way('after')
def lost_reset(r, rule, answer):
    answer.is_silent, answer.end = True, 'reset'

@way('after', 's')
def late_answer(r, rule, answer):
    time.sleep(rule.number('s', 1))

@way('after', 'code', 'name', 'after', 'body')
def answers(r, rule, answer):
    answer.__dict__.update(failure(r, rule).__dict__)

@way('after', 'done', only=is_completion)
def error_in_200(r, rule, answer):
    body = error_xml('InternalError', 'We encountered an internal error. Please try again.')
    answer.__dict__.update(Answer(200, body, kind='application/xml').__dict__)

@way('after', 'at', 'reset', only=is_get)
def cut(r, rule, answer):
    if answer.status in (200, 206):
        answer.cut = rule.number('at', len(answer.body) // 2)
        answer.end = 'reset' if rule.given.get('reset') == '1' else 'close'

@way('after', 'at', only=is_get)
def stall(r, rule, answer):
    if answer.status in (200, 206):
        answer.cut, answer.end = rule.number('at', len(answer.body) // 2), 'hang'

@way('after', 'by', only=is_get)
def short(r, rule, answer):
    if answer.status in (200, 206):
        answer.body = answer.body[:max(0, len(answer.body) - rule.number('by', 1))]

@way('after', 'at', only=is_get)
def flip(r, rule, answer):
    at = rule.number('at', 0)
    if answer.status in (200, 206) and at < len(answer.body):
        altered = bytearray(answer.body)
        altered[at] ^= 1
        answer.body = bytes(altered)

@way('after', 'rate', only=is_get)
def slow(r, rule, answer):
    answer.rate = rule.number('rate', BLOCK)

@way('after', 'tag')
def wrong_etag(r, rule, answer):
    if 'ETag' in answer.headers:
        answer.headers['ETag'] = rule.given.get('tag', '"%s"' % ('0' * 32))

@way('after')
def no_etag(r, rule, answer):
    answer.headers.pop('ETag', None)

@way('after', 'keep', only=is_get)
def replaced(r, rule, answer):  # before the answer goes out: what is asked next meets the other
    if answer.status not in (200, 206):
        return
    is_dav = r.port.startswith('dav')
    there = DAV.tree.get(r.key) if is_dav else S3.bucket(r).objects.get(r.object)
    if not there:
        return
    other = there.data.translate(bytes(byte ^ 0x55 for byte in range(256)))
    made = store_dav.File(other, clock()) if is_dav else store_s3.Object(
        other, store_s3.md5_tag(other), there.headers, clock())
    if rule.given.get('keep') == '1':
        made.etag = there.etag
    if is_dav:
        DAV.tree[r.key] = made
    else:
        S3.bucket(r).objects[r.object] = made


# ---- from the request to the answer --------------------------------------------------------------

def refusal(r):
    """what the head of a request is refused for; None: nothing"""
    service = SERVICES[r.port]
    try:
        if r.does('unsigned'):
            service.locate(r)
            r.h.setdefault('x-amz-content-sha256', '')
        else:
            service.admit(r)
        r.judged('ok')
    except Refused as why:
        r.judged(why.code)
        return why
    return None


def invite(r):
    """Expect: 100-continue: a request that cannot succeed is answered before its body has come"""
    if r.h.get('expect', '').lower() != '100-continue':
        return
    try:
        SERVICES[r.port].foresee(r)
    except Refused:
        r.stays = False
        r.is_read = True
        raise
    r.send(b'HTTP/1.1 100 Continue\r\n\r\n')


def answer_of(r):
    """raises Refused or Gone"""
    answering = r.rules_of('answer')
    problem = refusal(r)
    if answering and answering[0].given.get('early') == '1':
        r.stays = False
        return answering[0].way.act(r, answering[0])
    if problem and 'expect' in r.h:
        r.stays = False
        raise problem
    if not problem and not answering:
        invite(r)
    elif 'expect' in r.h:
        r.send(b'HTTP/1.1 100 Continue\r\n\r\n')
    r.read_body()
    for rule in r.rules_of('wait'):
        rule.way.act(r, rule)
    if answering:
        return answering[0].way.act(r, answering[0])
    if problem:
        raise problem
    in_200 = r.rule('error_in_200')
    if in_200 and in_200.given.get('done') == '0':
        return Answer(200)  # which the way replaces
    return SERVICES[r.port].answer(r)


def send_body(r, answer):
    body = answer.body if answer.cut is None else answer.body[:answer.cut]
    step = max(1, int(answer.rate // 20)) if answer.rate else 1 << 20
    begun = time.monotonic()
    for at in range(0, len(body), step):
        piece = body[at:at + step]
        r.send(piece)
        r.entry['body'] += len(piece)
        if answer.rate:
            due = begun + (at + len(piece)) / answer.rate
            time.sleep(max(0, due - time.monotonic()))


def send(r, answer):
    r.entry['status'] = 0 if answer.is_silent else answer.status
    if answer.is_silent:
        return
    if not r.stays and answer.end == 'keep':
        answer.end = 'close'
    headers = {'Date': http_time(clock()), 'Server': 'vqcache-test', **answer.headers}
    if r.port in ('plain', 'other', 'tls'):
        headers['x-amz-request-id'] = '%016X' % r.number
    has_length = answer.status not in (204, 304) and not (
        r.method == 'HEAD' and answer.status >= 400)
    if has_length:
        headers['Content-Length'] = len(answer.body) if answer.length is None else answer.length
    if answer.end != 'keep' and answer.cut is None:
        headers['Connection'] = 'close'
    lines = ['HTTP/1.1 %d %s' % (answer.status, REASONS.get(answer.status, 'Unknown'))]
    lines += ['%s: %s' % pair for pair in headers.items()]
    r.send(('\r\n'.join(lines) + '\r\n\r\n').encode('latin1'))
    if r.method != 'HEAD' and has_length:
        send_body(r, answer)


def respond(r):
    """raises Gone when the connection ends"""
    r.enter()
    try:
        answer = answer_of(r)
    except Refused as why:
        if r.entry['verdict'] == 'ok':
            r.judged(why.code)
        answer = why.answer(r)
    for rule in r.rules_of('after'):
        rule.way.act(r, rule, answer)
    send(r, answer)
    if answer.end == 'hang':
        linger(r)
    if answer.end != 'keep' or not r.stays:
        if answer.end == 'reset' and not answer.is_silent:
            time.sleep(.1)  # a reset overtakes what the client has not read yet
        raise Gone(answer.end == 'reset')


# ---- control -------------------------------------------------------------------------------------

CONTROLS = {}


def control(f):
    CONTROLS[f.__name__.strip('_')] = f
    return f


def chosen(q):
    """the entries of the log that a control's query means; the caller holds `changed`"""
    path = q.get('path', '')
    return [e for e in LOG if (not path or fnmatch.fnmatchcase(e['key'], path))
            and q.get('method', e['method']) == e['method']
            and q.get('port', e['port']) == e['port']]


def as_text(entry):
    names = ('id', 'port', 'method', 'path', 'status', 'body', 'open', 'key', 'verdict', 'effect',
             'received')
    fields = [entry[name] for name in names] + [','.join(entry['ways'])]
    line = '\t'.join(str(int(f) if isinstance(f, bool) else f) for f in fields)
    return line + '\n' + ''.join('\t%s: %s\n' % (k.lower(), v) for k, v in entry['headers'])


@control
def rule(q, body):
    made = Rule(q)
    with changed:
        state['rules'] += 1
        made.id = state['rules']
        RULES.append(made)
    return '%d\n' % made.id

@control
def clear(q, body):
    with changed:
        RULES[:] = [one for one in RULES if 'id' in q and one.id != int(q['id'])]

@control
def rules(q, body):
    with changed:
        return json.dumps([{'id': one.id, 'way': one.way.name, 'seen': one.seen, 'hits': one.hits}
                           for one in RULES])

@control
def log(q, body):
    with changed:
        if 'text' in q:
            return ''.join(as_text(entry) for entry in chosen(q))
        return json.dumps(chosen(q))

@control
def count(q, body):
    with changed:
        return '%d\n' % len(chosen(q))

def wait_for(q, goal):
    with changed:
        if not changed.wait_for(goal, float(q.get('s', '20'))):
            raise TimeoutError

@control
def wait(q, body):
    wait_for(q, lambda: len(chosen(q)) >= int(q.get('n', '1')))

@control
def done(q, body):
    wait_for(q, lambda: not any(entry['open'] for entry in chosen(q)))

@control
def release(q, body):
    with changed:
        state['is_released'] = True
        changed.notify_all()

@control
def down_(q, body):
    PORTS[q['port']].close()

@control
def up(q, body):
    PORTS[q['port']].open()

@control
def bucket(q, body):
    S3.buckets.setdefault(q['name'], store_s3.Bucket())
    if 'region' in q:
        S3.regions[q['name']] = q['region']

@control
def region(q, body):
    S3.region = q['is']

@control
def clock_(q, body):
    state['clock'] = float(q.get('off', '0'))
    if 'at' in q:
        state['clock'] = calendar.timegm(time.strptime(q['at'], '%Y%m%dT%H%M%SZ')) - time.time()

@control
def parts(q, body):
    S3.least_part = int(q['least'])

@control
def key(q, body):
    if 'forget' in q:
        S3.keys.pop(q['id'], None)
        return
    expires = clock() + float(q['seconds']) if 'seconds' in q else None
    S3.keys[q['id']] = store_signature.Key(q['secret'], q.get('token', ''), expires)

@control
def user(q, body):
    DAV.users[q['user']] = q['password']

@control
def issue(q, body):
    KEYS.alter(q)

@control
def put(q, body):
    data = q['text'].encode() if 'text' in q else body
    if 'size' in q:
        data = common.checkpoint(int(q['size']), q.get('seed', 'v1')).cut()
    if q.get('on') == 'dav':
        parents = q['key'].split('/')[1:-1]
        for depth in range(1, len(parents) + 1):
            DAV.tree.setdefault('/' + '/'.join(parents[:depth]), None)
        DAV.tree[q['key']] = store_dav.File(data, clock())
        return
    name, _, path = q['key'][1:].partition('/')
    S3.buckets.setdefault(name, store_s3.Bucket()).objects[path] = store_s3.Object(
        data, store_s3.md5_tag(data), {}, clock())

def stored(q):
    """path: object, of those that a control's query means"""
    if q.get('on') == 'dav':
        all_ = {path: file for path, file in DAV.tree.items() if file}
    else:
        all_ = {'/%s/%s' % (name, path): one for name, bucket in S3.buckets.items()
                for path, one in bucket.objects.items()}
    return {path: one for path, one in sorted(all_.items())
            if fnmatch.fnmatchcase(path, q.get('key', '*'))}

@control
def get(q, body):
    return stored(q)[q['key']].data

@control
def delete(q, body):
    gone = stored(q)
    for path in gone:
        if q.get('on') == 'dav':
            DAV.tree.pop(path, None)
        else:
            name, _, rest = path[1:].partition('/')
            S3.buckets[name].objects.pop(rest, None)
    return '%d\n' % len(gone)

@control
def objects(q, body):
    return ''.join('%s\t%d\t%s\t%s\n' % (hashlib.sha256(one.data).hexdigest(), len(one.data),
                                         one.etag, path) for path, one in stored(q).items())

@control
def uploads(q, body):
    return ''.join('/%s/%s\t%d\t%d\n' % (name, one.key, len(one.parts),
                                         sum(len(data) for data, _ in one.parts.values()))
                   for name, bucket in S3.buckets.items() for one in bucket.uploads.values())

@control
def upload(q, body):
    name, _, path = q['key'][1:].partition('/')
    for _ in range(int(q.get('n', '1'))):
        S3.buckets[name].uploads[os.urandom(16).hex()] = store_s3.Upload(path, {}, clock())

@control
def age(q, body):
    then = clock() - float(q['s'])
    for one in stored(q).values():
        one.modified = then
    for name, bucket in S3.buckets.items():
        for one in bucket.uploads.values():
            if fnmatch.fnmatchcase('/%s/%s' % (name, one.key), q['key']):
                one.begun = then

@control
def page(q, body):
    S3.most_listed = int(q['most'])

@control
def reset_(q, body):
    begin('keep' in q)

@control
def list_(q, body):
    return '\n'.join(sorted(WAYS)) + '\n'


def begin(keeps_objects=False):
    """everything as it is at the start"""
    with changed:
        RULES.clear()
        LOG.clear()
        state.update(epoch=state['epoch'] + 1, is_released=False, clock=0.0)
        changed.notify_all()
    S3.keys = {KEY: store_signature.Key(SECRET)}
    S3.region, S3.regions, S3.least_part = 'us-east-1', {}, store_s3.LEAST_PART
    S3.most_listed = store_s3.MOST_LISTED
    DAV.users = {USER: PASSWORD}
    KEYS.forget()
    if not keeps_objects:
        S3.buckets = {BUCKET: store_s3.Bucket()}
        DAV.empty()
    for one in PORTS.values():
        one.open()


def answer_control(r):
    name = r.raw_path[len('/control/'):]
    status, said = 200, None
    try:
        if 'content-length' in r.h:
            r.read_body()
        said = CONTROLS[name](r.query, r.body)
    except TimeoutError:
        status, said = 504, 'not within that time\n'
    except KeyError as why:
        status, said = 404, 'nothing under %s\n' % why
    except ValueError as why:
        status, said = 400, '%s\n' % why
    said = 'ok\n' if said is None else said
    data = said.encode() if isinstance(said, str) else said
    r.send(b'HTTP/1.1 %d %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n'
           b'Connection: close\r\n\r\n' % (status, REASONS[status].encode(), len(data)) + data)


# ---- the server ----------------------------------------------------------------------------------

def end(sock, is_reset):
    with contextlib.suppress(OSError):
        if is_reset:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        elif isinstance(sock, ssl.SSLSocket):
            sock.settimeout(1)
            sock.unwrap()
    with contextlib.suppress(OSError):
        sock.close()


def serve_one(wire, port):
    """one request; false when the connection is over"""
    lines = wire.head()
    if lines is None:
        return False
    r = Request(wire, port, lines)
    if r.is_control:
        answer_control(r)
        return False
    try:
        respond(r)
    finally:
        with changed:
            if r.entry:
                r.entry['open'] = False
            changed.notify_all()
    return True


def serve(sock, port, tls, open_ones):
    is_reset = False
    try:
        sock.settimeout(90)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        open_ones.add(sock)
        if tls:
            open_ones.discard(sock)
            sock = tls.wrap_socket(sock, server_side=True)
            open_ones.add(sock)
        wire = Wire(sock)
        while serve_one(wire, port):
            pass
    except Gone as gone:
        is_reset = gone.is_reset
    except (OSError, ValueError, IndexError):  # the client went, or speaks nonsense
        pass
    finally:
        open_ones.discard(sock)
        end(sock, is_reset)


class Port:
    """a listening socket that can be closed and opened again"""

    def __init__(self, name, tls=None):
        self.name, self.tls, self.port, self.listener = name, tls, 0, None
        self.lock = threading.Lock()
        self.open_ones = set()
        self.open()

    def open(self):
        with self.lock:
            if self.listener:
                return
            self.listener = socket.socket()
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.listener.bind(('127.0.0.1', self.port))
            self.listener.listen(128)
            self.port = self.listener.getsockname()[1]
            threading.Thread(target=self.loop, args=(self.listener,), daemon=True).start()

    def loop(self, listener):
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(sock, self.name, self.tls, self.open_ones),
                             daemon=True).start()

    def close(self):
        """connections that wait for a request end too; they would hide that nobody listens"""
        with self.lock:
            listener, self.listener = self.listener, None
        if not listener:
            return
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # wakes accept
        listener.close()
        for sock in list(self.open_ones):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RD)


def main():
    arguments = sys.argv[1:]
    if arguments[:1] == ['--list']:
        return print('\n'.join(sorted(WAYS)))
    where = arguments[0] if arguments else ''
    certificates = None
    if where not in ('', '-'):
        certificates = common.Certificates('' if where == 'auto' else where)
    tls = None
    if certificates and certificates.pem('good'):
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificates.pem('good'))
    for name in ('plain', 'other', 'dav', 'keys'):
        PORTS[name] = Port(name)
    for name in ('tls', 'davtls') if tls else ():
        PORTS[name] = Port(name, tls)
    begin()
    for given in arguments[1:]:
        rule(dict(urllib.parse.parse_qsl(given)), b'')
    line = {name: PORTS[name].port if name in PORTS else 0 for name in SERVICES}
    common.run_until_stdin_closes(
        {**line, 'bucket': BUCKET, 'region': S3.region, 'key': KEY, 'secret': SECRET, 'user': USER,
         'password': PASSWORD, 'ca': certificates.pem('ca') if certificates else ''},
        *([certificates.remove] if certificates else []))


if __name__ == '__main__':
    main()
