#!/usr/bin/env python3
"""store_test.py [-v] [NAME...]: store.py keeps the promises that the tests of the library rest on.

Runs alone; its signer is its own, so that the check of signatures is judged by two descriptions and
by the published examples.  Ends in one line of counts."""
import base64
import calendar
import datetime
import hashlib
import hmac
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
NOTHING = hashlib.sha256(b'').hexdigest()
EXAMPLE = ('AKIAIOSFODNN7EXAMPLE', 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY')
EXAMPLE_TIME = '20130524T000000Z'
EXAMPLE_HOST = 'examplebucket.s3.amazonaws.com'


class Server:
    def __init__(self, *arguments):
        self.child = subprocess.Popen([sys.executable, os.path.join(HERE, 'store.py'), *arguments],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        words = self.child.stdout.readline().decode().split()
        self.facts = dict(word.split('=', 1) for word in words)

    def stop(self):
        self.child.stdin.close()
        self.child.stdout.close()
        self.child.wait(20)

    def port(self, name='plain'):
        return int(self.facts[name])

    def control(self, what, data=None, **facts):
        """the text of the answer; raises for any but 200"""
        connection = http.client.HTTPConnection('127.0.0.1', self.port(), timeout=30)
        target = '/control/%s?%s' % (what, urllib.parse.urlencode(facts))
        connection.request('POST' if data else 'GET', target, data)
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        if answer.status != 200:
            raise ValueError('%d %s' % (answer.status, text.decode()))
        return text.decode()

    def bytes_of(self, key, **facts):
        """what is stored under it; None: nothing"""
        connection = http.client.HTTPConnection('127.0.0.1', self.port(), timeout=30)
        connection.request('GET', '/control/get?' + urllib.parse.urlencode({'key': key, **facts}))
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return text if answer.status == 200 else None

    def log(self, **facts):
        return json.loads(self.control('log', **facts))


class Said:
    """an answer"""

    def __init__(self, status, headers, body):
        self.status, self.body = status, body
        self.h = {name.lower(): value for name, value in headers}
        found = re.search(rb'<Code>([^<]*)</Code>', body or b'')
        self.code = found[1].decode() if found else ''

    def text(self, name):
        found = re.search(b'<%s>([^<]*)</%s>' % (name.encode(), name.encode()), self.body)
        return found[1].decode() if found else None


def talk(port, method, target, headers, body=b'', connection=None):
    """sends exactly these headers; Content-Length too where a method has a body"""
    c = connection or http.client.HTTPConnection('127.0.0.1', port, timeout=20)
    try:
        c.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            c.putheader(name, value)
        if method in ('PUT', 'POST') and 'content-length' not in headers:
            c.putheader('content-length', str(len(body)))
        c.endheaders()
        if body:
            c.send(body)
        answer = c.getresponse()
        return Said(answer.status, answer.getheaders(), answer.read())
    finally:
        if not connection:
            c.close()


def quoted(text):
    letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~'
    return ''.join(chr(b) if chr(b) in letters else '%%%02X' % b for b in text.encode())


def now_and(seconds=0):
    when = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return when.strftime('%Y%m%dT%H%M%SZ')


class Signer:
    def __init__(self, key, secret, region='us-east-1', token=''):
        self.key, self.secret, self.region, self.token = key, secret, region, token

    def sign(self, method, host, path, query=(), headers=None, body=b'', stamp='', service='s3',
             spelt=None):
        """(target, headers); spelt: the path and the query as they are to be sent and signed"""
        stamp = stamp or now_and()
        h = {'host': host, 'x-amz-date': stamp,
             'x-amz-content-sha256': hashlib.sha256(body).hexdigest(), **(headers or {})}
        if self.token:
            h['x-amz-security-token'] = self.token
        path = '/'.join(quoted(part) for part in path.split('/'))
        pairs = sorted((quoted(k), quoted(v)) for k, v in query)
        words = '&'.join('='.join(pair) for pair in pairs)
        if spelt:
            path, words = spelt
        names = ';'.join(sorted(h))
        lines = [method, path, words]
        lines += ['%s:%s' % (k, re.sub(' +', ' ', h[k].strip())) for k in sorted(h)]
        lines += ['', names, h['x-amz-content-sha256']]
        scope = '%s/%s/%s/aws4_request' % (stamp[:8], self.region, service)
        digest = hashlib.sha256('\n'.join(lines).encode()).hexdigest()
        key = ('AWS4' + self.secret).encode()
        for part in scope.split('/'):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        text = 'AWS4-HMAC-SHA256\n%s\n%s\n%s' % (stamp, scope, digest)
        h['authorization'] = 'AWS4-HMAC-SHA256 Credential=%s/%s,SignedHeaders=%s,Signature=%s' % (
            self.key, scope, names, hmac.new(key, text.encode(), hashlib.sha256).hexdigest())
        return path + ('?' + words if words else ''), h


class WithServer(unittest.TestCase):
    server = None

    @classmethod
    def setUpClass(cls):
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    def setUp(self):
        self.server.control('reset')
        self.signer = Signer(self.server.facts['key'], self.server.facts['secret'])
        self.base = '/' + self.server.facts['bucket']

    def rule(self, way, **more):
        return self.server.control('rule', way=way, **more)

    def ask(self, method, key, query=(), headers=None, body=b'', port='plain', alter=None, by=None,
            connection=None, **more):
        """signed; alter changes (target, headers, body) after that"""
        number = self.server.port(port)
        path = self.base + key
        target, h = (by or self.signer).sign(method, '127.0.0.1:%d' % number, path, query, headers,
                                             body, **more)
        if alter:
            target, h, body = alter(target, h, body)
        return talk(number, method, target, h, body, connection)

    def put(self, key, body=b'x', **more):
        return self.ask('PUT', key, body=body, **more)

    def get(self, key, **more):
        return self.ask('GET', key, **more)

    def gone(self, *arguments, **more):
        """how the connection ended without an answer"""
        try:
            said = self.ask(*arguments, **more)
        except ConnectionResetError as why:
            return 'closed' if isinstance(why, http.client.RemoteDisconnected) else 'reset'
        except http.client.IncompleteRead:
            return 'cut'
        except ConnectionRefusedError:
            return 'refused'
        except TimeoutError:
            return 'late'
        return said.status

    def stored(self, key):
        return self.server.bytes_of(self.base + key)

    def upload(self, key, *parts):
        """(its name, the entity tags)"""
        name = self.ask('POST', key, [('uploads', '')]).text('UploadId')
        tags = [self.ask('PUT', key, [('partNumber', str(n + 1)), ('uploadId', name)],
                         body=part).h['etag'] for n, part in enumerate(parts)]
        return name, tags

    def complete(self, key, name, tags, **more):
        listed = ''.join('<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>' % (n + 1, tag)
                         for n, tag in enumerate(tags))
        body = '<CompleteMultipartUpload>%s</CompleteMultipartUpload>' % listed
        return self.ask('POST', key, [('uploadId', name)], body=body.encode(), **more)


def without(name):
    def alter(target, h, body):
        del h[name]
        return target, h, body
    return alter


def with_header(name, value):
    return lambda target, h, body: (target, {**h, name: value}, body)


class Signatures(WithServer):
    def example(self, method, path, query, headers, body, digits):
        """a published example, over the wire; how it is refused, or its status"""
        self.server.control('clock', at=EXAMPLE_TIME)
        self.server.control('key', id=EXAMPLE[0], secret=EXAMPLE[1])
        self.server.control('bucket', name='examplebucket')
        target, h = Signer(*EXAMPLE).sign(method, EXAMPLE_HOST, path, query, headers, body,
                                          EXAMPLE_TIME)
        self.assertEqual(h['authorization'][-64:], digits)
        talk(self.server.port(), method, target, h, body)
        right = self.server.log()[-1]['verdict']
        h['authorization'] = h['authorization'][:-1] + ('0' if digits[-1] != '0' else '1')
        self.assertEqual(talk(self.server.port(), method, target, h, body).code,
                         'SignatureDoesNotMatch')
        return right

    def test_published_examples(self):
        rows = [
            ('GET', '/test.txt', (), {'range': 'bytes=0-9'}, b'', 'NoSuchKey',
             'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41'),
            ('PUT', '/test$file.text', (), {'date': 'Fri, 24 May 2013 00:00:00 GMT',
                                            'x-amz-storage-class': 'REDUCED_REDUNDANCY'},
             b'Welcome to Amazon S3.', 'ok',
             '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd'),
            ('GET', '/', [('lifecycle', '')], {}, b'', 'NotImplemented',
             'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543'),
            ('GET', '/', [('max-keys', '2'), ('prefix', 'J')], {}, b'', 'NotImplemented',
             '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7')]
        for method, path, query, headers, body, verdict, digits in rows:
            with self.subTest(digits):
                self.assertEqual(self.example(method, path, query, headers, body, digits), verdict)

    def test_what_is_signed_may_not_differ(self):
        self.put('/k', b'0123456789')
        rows = [
            ('as it was signed', None, 206, ''),
            ('another path', lambda t, h, b: (t[:-1] + 'j', h, b), 403, 'SignatureDoesNotMatch'),
            ('a query', lambda t, h, b: (t + '?a=b', h, b), 403, 'SignatureDoesNotMatch'),
            ('another range', with_header('range', 'bytes=0-5'), 403, 'SignatureDoesNotMatch'),
            ('another host', with_header('host', 'localhost'), 403, 'SignatureDoesNotMatch'),
            ('a header is missing', without('range'), 403, 'SignatureDoesNotMatch'),
            ('no signature', without('authorization'), 403, 'AccessDenied'),
            ('no digest', without('x-amz-content-sha256'), 400, 'InvalidRequest'),
            ('no time', without('x-amz-date'), 403, 'AccessDenied'),
            ('nonsense', with_header('authorization', 'AWS4-HMAC-SHA256 x'), 400,
             'AuthorizationHeaderMalformed'),
            ('another spelling than the signed', lambda t, h, b: (t.replace('/k', '/%6b'), h, b),
             403, 'SignatureDoesNotMatch')]
        for title, alter, status, code in rows:
            with self.subTest(title):
                said = self.get('/k', headers={'range': 'bytes=0-9'}, alter=alter)
                self.assertEqual((said.status, said.code), (status, code))

    def test_every_header_that_says_something_is_signed(self):
        for name in ('x-amz-meta-a', 'x-amz-storage-class', 'content-type', 'content-md5', 'range',
                     'if-match', 'if-none-match', 'if-range', 'x-amz-security-token'):
            with self.subTest(name):
                said = self.put('/k', alter=with_header(name, '*'))
                self.assertEqual((said.status, said.code), (403, 'AccessDenied'))
                self.assertEqual(said.text('HeadersNotSigned'), name)
        self.assertIsNone(self.stored('/k'))
        self.assertEqual(self.put('/k', alter=with_header('user-agent', 'x')).status, 200)

    def test_one_spelling_is_right(self):
        self.put('/k')
        for path, query in (('/bucket/%6b', ''), ('/bucket/(k)', ''), ('/bucket/%c3%bc', ''),
                            ('/bucket/a+b!', ''), ('/bucket/k', 'a=('), ('/bucket/k', 'a=%2f'),
                            ('/bucket/k', 'a=b&')):
            with self.subTest(path + '?' + query):
                said = self.get('/k', spelt=(path, query))
                self.assertEqual((said.status, said.code), (403, 'SignatureDoesNotMatch'))
        self.assertEqual(self.get('/k', spelt=('/bucket/k', 'a=%28')).status, 200)

    def test_keys(self):
        self.put('/k')
        facts = self.server.facts
        rows = [
            ('wrong secret', Signer(facts['key'], 'no'), 403, 'SignatureDoesNotMatch'),
            ('unknown key', Signer('NOBODY', 'no'), 403, 'InvalidAccessKeyId'),
            ('a token that nobody issued', Signer(facts['key'], facts['secret'], token='t'), 400,
             'InvalidToken'),
            ('another service', None, 400, 'AuthorizationHeaderMalformed')]
        for title, by, status, code in rows:
            with self.subTest(title):
                more = {} if by else {'service': 'ec2'}
                said = self.get('/k', by=by or self.signer, **more)
                self.assertEqual((said.status, said.code), (status, code))
        self.server.control('key', id='S', secret='s', token='t', seconds=3600)
        self.server.control('key', id='E', secret='s', token='t', seconds=-1)
        self.assertEqual(self.get('/k', by=Signer('S', 's', token='t')).status, 200)
        self.assertEqual(self.get('/k', by=Signer('S', 's', token='u')).code, 'InvalidToken')
        self.assertEqual(self.get('/k', by=Signer('S', 's')).code, 'InvalidToken')
        self.assertEqual(self.get('/k', by=Signer('E', 's', token='t')).code, 'ExpiredToken')
        self.server.control('key', id='S', forget='1')
        self.assertEqual(self.get('/k', by=Signer('S', 's', token='t')).code, 'InvalidAccessKeyId')

    def test_region(self):
        by = Signer(self.signer.key, self.signer.secret, 'eu-west-7')
        said = self.get('/k', by=by)
        self.assertEqual((said.status, said.code), (400, 'AuthorizationHeaderMalformed'))
        self.assertEqual(said.text('Region'), 'us-east-1')
        self.assertEqual(said.h['x-amz-bucket-region'], 'us-east-1')
        said = self.ask('HEAD', '/k', by=by)
        self.assertEqual((said.status, said.body), (400, b''))
        self.assertEqual(said.h['x-amz-bucket-region'], 'us-east-1')
        self.server.control('bucket', name='bucket', region='eu-west-7')
        self.assertEqual(self.put('/k', by=by).status, 200)
        self.assertEqual(self.put('/k').text('Region'), 'eu-west-7')

    def test_clock(self):
        self.put('/k')
        for seconds, status in ((-840, 200), (840, 200), (-1200, 403), (1200, 403)):
            self.assertEqual(self.get('/k', stamp=now_and(seconds)).status, status)
        said = self.get('/k', stamp=now_and(-1200))
        self.assertEqual(said.code, 'RequestTimeTooSkewed')
        self.assertTrue(said.text('ServerTime').endswith('Z'))
        self.server.control('clock', off=3600)
        said = self.get('/k')
        self.assertEqual(said.code, 'RequestTimeTooSkewed')
        stamp = datetime.datetime.strptime(said.h['date'], '%a, %d %b %Y %H:%M:%S GMT')
        self.assertEqual(self.get('/k', stamp=stamp.strftime('%Y%m%dT%H%M%SZ')).status, 200)
        self.server.control('clock', off=0)
        other_day = self.signer.sign('GET', 'h', '/', stamp=now_and(-86400))[1]['authorization']
        self.assertEqual(self.get('/k', alter=with_header('authorization', other_day)).code,
                         'AuthorizationHeaderMalformed')

    def test_body(self):
        rows = [
            ('another body', lambda t, h, b: (t, h, b'y' * len(b)), 400,
             'XAmzContentSHA256Mismatch'),
            ('unsigned', with_header('x-amz-content-sha256', 'UNSIGNED-PAYLOAD'), 400,
             'InvalidRequest')]
        for title, alter, status, code in rows:
            with self.subTest(title):
                said = self.put('/k', alter=alter)
                self.assertEqual((said.status, said.code), (status, code))
        wrong = base64.b64encode(hashlib.md5(b'other').digest()).decode()
        right = base64.b64encode(hashlib.md5(b'x').digest()).decode()
        self.assertEqual(self.put('/k', headers={'content-md5': wrong}).code, 'BadDigest')
        self.assertEqual(self.put('/k', headers={'content-md5': 'zz'}).code, 'InvalidDigest')
        self.assertEqual(self.put('/k', headers={'x-amz-checksum-sha256': 'a'}).code,
                         'NotImplemented')
        self.assertIsNone(self.stored('/k'))
        self.assertEqual(self.put('/k', headers={'content-md5': right}).status, 200)

    def test_a_body_without_length_is_refused(self):
        def chunked(target, h, body):
            return target, {**h, 'content-length': '', 'transfer-encoding': 'chunked'}, b''
        self.assertEqual(self.put('/k', b'', alter=chunked).status, 411)

    def test_odd_keys(self):
        for key in ('a b', 'a+b', 'a%b', 'a%20b', 'ünï€', '~t', 'q=1&r?x#y', "(a)!*'@$,;:[]",
                    'd//e', 'd/../e', '.hid.part', 'a\\b', 'x' * 200):
            with self.subTest(key):
                self.assertEqual(self.put('/' + key, key.encode()).status, 200)
                self.assertEqual(self.get('/' + key).body, key.encode())
                self.assertEqual(self.stored('/' + key), key.encode())

    def test_virtual_host(self):
        self.put('/k', b'by path')
        host = 'bucket.localhost:%d' % self.server.port()
        target, h = self.signer.sign('GET', host, '/k')
        self.assertEqual(talk(self.server.port(), 'GET', target, h).body, b'by path')
        self.assertEqual([entry['key'] for entry in self.server.log()], ['/bucket/k'] * 2)

    def test_blanks_in_values_are_one(self):
        self.assertEqual(self.put('/k', headers={'x-amz-meta-a': '  x   y '}).status, 200)
        self.assertEqual(self.ask('HEAD', '/k').h['x-amz-meta-a'], 'x   y')


class Objects(WithServer):
    def test_write_and_read(self):
        data = bytes(range(256))
        said = self.put('/a/k', data, headers={'content-type': 'text/x', 'x-amz-meta-n': 'v'})
        self.assertEqual(said.h['etag'], '"%s"' % hashlib.md5(data).hexdigest())
        got = self.get('/a/k')
        self.assertEqual((got.status, got.body, got.h['etag']), (200, data, said.h['etag']))
        head = self.ask('HEAD', '/a/k')
        self.assertEqual((head.status, head.body, head.h['content-length']), (200, b'', '256'))
        self.assertEqual((head.h['content-type'], head.h['x-amz-meta-n']), ('text/x', 'v'))
        self.assertEqual(self.ask('DELETE', '/a/k').status, 204)
        self.assertEqual(self.ask('DELETE', '/a/k').status, 204)
        self.assertEqual((self.get('/a/k').status, self.get('/a/k').code), (404, 'NoSuchKey'))
        self.assertEqual((self.ask('HEAD', '/a/k').status, self.ask('HEAD', '/a/k').body),
                         (404, b''))

    def test_no_bucket(self):
        self.base = '/other'
        self.assertEqual(self.put('/k').code, 'NoSuchBucket')
        self.assertEqual(self.ask('PUT', '').status, 200)
        self.assertEqual(self.put('/k').status, 200)
        self.assertEqual(self.ask('DELETE', '').code, 'BucketNotEmpty')

    def test_ranges(self):
        data = bytes(range(100))
        tag = self.put('/k', data).h['etag']
        for given, want, told in (('bytes=5-9', data[5:10], 'bytes 5-9/100'),
                                  ('bytes=90-', data[90:], 'bytes 90-99/100'),
                                  ('bytes=90-500', data[90:], 'bytes 90-99/100'),
                                  ('bytes=-3', data[-3:], 'bytes 97-99/100')):
            said = self.get('/k', headers={'range': given, 'if-match': tag})
            self.assertEqual((said.status, said.body, said.h['content-range']), (206, want, told))
        self.assertEqual(self.get('/k', headers={'range': 'bytes=100-'}).code, 'InvalidRange')
        stale = {'range': 'bytes=0-1', 'if-match': '"x"'}
        self.assertEqual(self.get('/k', headers=stale).status, 412)
        self.assertEqual(self.get('/k', headers={'if-none-match': tag}).status, 304)

    def test_conditions_of_writes(self):
        none = {'if-none-match': '*'}
        self.assertEqual(self.put('/k', b'1', headers=none).status, 200)
        self.assertEqual(self.put('/k', b'2', headers=none).code, 'PreconditionFailed')
        tag = self.ask('HEAD', '/k').h['etag']
        self.assertEqual(self.put('/k', b'3', headers={'if-match': tag}).status, 200)
        self.assertEqual(self.put('/k', b'4', headers={'if-match': tag}).status, 412)
        self.assertEqual(self.put('/j', b'4', headers={'if-match': tag}).code, 'NoSuchKey')
        self.assertEqual(self.ask('DELETE', '/k', headers={'if-match': tag}).status, 412)
        self.assertEqual(self.stored('/k'), b'3')

    def race(self, clients):
        won = []

        def one(n):
            if self.put('/race', b'%d' % n, headers={'if-none-match': '*'}).status == 200:
                won.append(n)
        threads = [threading.Thread(target=one, args=(n,)) for n in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return won

    def test_one_of_many_wins(self):
        won = self.race(20)
        self.assertEqual(len(won), 1)
        self.assertEqual(self.stored('/race'), b'%d' % won[0])

    def test_more_win_where_conditions_are_racy(self):
        self.rule('conditions_racy')
        self.assertGreater(len(self.race(8)), 1)
        self.assertEqual(self.put('/race', headers={'if-none-match': '*'}).status, 412)

    def test_a_connection_serves_many_requests(self):
        connection = http.client.HTTPConnection('127.0.0.1', self.server.port(), timeout=20)
        for n in range(3):
            self.assertEqual(self.put('/k%d' % n, connection=connection).status, 200)
            self.assertEqual(self.get('/nothing', connection=connection).status, 404)
            self.assertEqual(self.ask('HEAD', '/k%d' % n, connection=connection).status, 200)
        connection.close()

    def test_list(self):
        for key in ('/a/1', '/a/2', '/b/c/3', '/d'):
            self.put(key)
        query = [('list-type', '2')]
        said = self.ask('GET', '', query)
        self.assertEqual(re.findall(b'<Key>([^<]*)', said.body), [b'a/1', b'a/2', b'b/c/3', b'd'])
        said = self.ask('GET', '', query + [('prefix', 'a/')])
        self.assertEqual(re.findall(b'<Key>([^<]*)', said.body), [b'a/1', b'a/2'])
        said = self.ask('GET', '', query + [('delimiter', '/')])
        self.assertEqual(re.findall(b'<Key>([^<]*)', said.body), [b'd'])
        self.assertEqual(re.findall(b'<Prefix>([^<]+)', said.body), [b'a/', b'b/'])
        got, token = [], None
        while True:
            more = [('continuation-token', token)] if token else []
            said = self.ask('GET', '', query + [('max-keys', '2')] + more)
            got += re.findall(b'<Key>([^<]*)', said.body)
            token = said.text('NextContinuationToken')
            if not token:
                break
        self.assertEqual(got, [b'a/1', b'a/2', b'b/c/3', b'd'])

    def test_expect_is_answered_before_the_body(self):
        self.put('/k')
        target, h = self.signer.sign('PUT', 'h', '/bucket/k', headers={'if-none-match': '*'},
                                     body=b'12345')
        for path, want in ((target, b'412'), (target.replace('/k', '/j'), b'403')):
            with socket.create_connection(('127.0.0.1', self.server.port()), 10) as s:
                lines = ['PUT %s HTTP/1.1' % path, 'content-length: 5', 'expect: 100-continue']
                lines += ['%s: %s' % pair for pair in h.items()] + ['', '']
                s.sendall('\r\n'.join(lines).encode())
                self.assertEqual(s.recv(1000)[9:12], want)
        target, h = self.signer.sign('PUT', 'h', '/bucket/new', body=b'12345')
        with socket.create_connection(('127.0.0.1', self.server.port()), 10) as s:
            lines = ['PUT %s HTTP/1.1' % target, 'content-length: 5', 'expect: 100-continue']
            lines += ['%s: %s' % pair for pair in h.items()] + ['', '']
            s.sendall('\r\n'.join(lines).encode())
            self.assertEqual(s.recv(1000)[9:12], b'100')
            s.sendall(b'12345')
            self.assertEqual(s.recv(1000)[9:12], b'200')

    def test_an_upload_that_breaks_off_leaves_what_was(self):
        self.put('/k', b'old')
        for half_kept, want in ((False, b'old'), (True, b'12')):
            if half_kept:
                self.rule('half_kept')
            target, h = self.signer.sign('PUT', 'h', '/bucket/k', body=b'12345')
            with socket.create_connection(('127.0.0.1', self.server.port()), 10) as s:
                lines = ['PUT %s HTTP/1.1' % target, 'content-length: 5']
                lines += ['%s: %s' % pair for pair in h.items()] + ['', '12']
                s.sendall('\r\n'.join(lines).encode())
            self.server.control('wait', path='/bucket/k', method='PUT', n=3 if half_kept else 2)
            self.server.control('done')
            self.assertEqual(self.stored('/k'), want)


class Parts(WithServer):
    def setUp(self):
        super().setUp()
        self.server.control('parts', least=4)

    def test_upload_in_parts(self):
        name, tags = self.upload('/m', b'1111', b'22')
        self.assertIsNone(self.stored('/m'))
        self.assertEqual(self.server.control('uploads'), '/bucket/m\t2\t6\n')
        listed = self.ask('GET', '/m', [('uploadId', name)]).body
        self.assertEqual(re.findall(b'<Size>([^<]*)', listed), [b'4', b'2'])
        found = self.ask('GET', '', [('uploads', ''), ('prefix', 'm')])
        self.assertEqual(found.text('UploadId'), name)
        said = self.complete('/m', name, tags)
        whole = hashlib.md5(hashlib.md5(b'1111').digest() + hashlib.md5(b'22').digest())
        self.assertEqual(said.status, 200)
        self.assertEqual(self.get('/m').h['etag'], '"%s-2"' % whole.hexdigest())
        self.assertEqual(self.stored('/m'), b'111122')
        self.assertEqual(self.complete('/m', name, tags).code, 'NoSuchUpload')

    def test_unfinished_uploads_in_pages_and_their_age(self):
        self.server.control('upload', key='/bucket/m', n=3)
        self.server.control('age', key='/bucket/m', s=3600)
        self.server.control('upload', key='/bucket/n')
        self.server.control('page', most=3)
        first = self.ask('GET', '', [('uploads', '')])
        self.assertEqual(first.body.count(b'<Key>m</Key>'), 3)
        self.assertEqual(first.text('IsTruncated'), 'true')
        begun = calendar.timegm(time.strptime(first.text('Initiated')[:19], '%Y-%m-%dT%H:%M:%S'))
        self.assertAlmostEqual(time.time() - begun, 3600, delta=60)
        markers = [('key-marker', first.text('NextKeyMarker')),
                   ('upload-id-marker', first.text('NextUploadIdMarker'))]
        second = self.ask('GET', '', [('uploads', ''), *markers])
        self.assertEqual(re.findall(b'<Key>([^<]*)', second.body), [b'n'])
        self.assertIsNone(second.text('NextKeyMarker'))

    def test_refusals(self):
        name, tags = self.upload('/m', b'111', b'22')
        self.assertEqual(self.complete('/m', name, tags).code, 'EntityTooSmall')
        self.assertEqual(self.complete('/m', name, ['"0"']).code, 'InvalidPart')
        self.assertEqual(self.complete('/m', name, []).code, 'MalformedXML')
        self.assertEqual(self.complete('/m', 'none', tags).code, 'NoSuchUpload')
        self.assertEqual(self.ask('DELETE', '/m', [('uploadId', name)]).status, 204)
        self.assertEqual(self.ask('DELETE', '/m', [('uploadId', name)]).code, 'NoSuchUpload')
        self.assertEqual(self.complete('/m', name, tags).code, 'NoSuchUpload')
        self.assertEqual(self.server.control('uploads'), '')

    def test_conditions(self):
        self.put('/m', b'old')
        name, tags = self.upload('/m', b'1111')
        none = {'if-none-match': '*'}
        self.assertEqual(self.complete('/m', name, tags, headers=none).status, 412)
        self.assertEqual(self.stored('/m'), b'old')
        self.rule('complete_conditions_ignored')
        self.assertEqual(self.put('/m', b'new', headers=none).status, 412)
        self.assertEqual(self.complete('/m', name, tags, headers=none).status, 200)
        self.assertEqual(self.stored('/m'), b'1111')

    def test_error_in_200(self):
        for done in ('1', '0'):
            self.rule('error_in_200', done=done, times=1)
            name, tags = self.upload('/m' + done, b'1111')
            said = self.complete('/m' + done, name, tags)
            self.assertEqual((said.status, said.code), (200, 'InternalError'))
            self.assertEqual(self.stored('/m' + done), b'1111' if done == '1' else None)
            self.server.control('clear')


class Ways(WithServer):
    def setUp(self):
        super().setUp()
        self.put('/k', b'0123456789')
        self.server.control('reset', keep=1)

    def effect(self):
        return [(entry['status'], entry['effect']) for entry in self.server.log()]

    def test_no_answer_and_no_effect(self):
        for way, early, want in (('reset', '0', 'reset'), ('reset', '1', 'reset'),
                                 ('close', '0', 'closed')):
            self.rule(way, nth=1, early=early)
            self.assertEqual(self.gone('PUT', '/new', body=b'x' * 100000), want)
            self.assertIsNone(self.stored('/new'))
            self.server.control('clear')

    def test_no_answer_though_it_was_done(self):
        for way, want in (('lost', 'closed'), ('lost_reset', 'reset')):
            self.rule(way, nth=1)
            none = {'if-none-match': '*'}
            self.assertEqual(self.gone('PUT', '/' + way, body=b'mine', headers=none), want)
            self.assertEqual(self.stored('/' + way), b'mine')
            self.assertEqual(self.gone('PUT', '/' + way, body=b'mine', headers=none), 412)
            self.server.control('clear')
        self.assertEqual(self.effect(), [(0, True), (412, False)] * 2)

    def test_errors(self):
        rows = [('error', {}, 500, 'InternalError'), ('error', {'code': 404, 'name': 'NoSuchKey'},
                                                      404, 'NoSuchKey'),
                ('slow_down', {}, 503, 'SlowDown'), ('forbidden', {}, 403, 'AccessDenied'),
                ('failed', {}, 412, 'PreconditionFailed'), ('answers', {'code': 502}, 502,
                                                            'InternalError')]
        for way, more, status, code in rows:
            with self.subTest(way):
                self.rule(way, times=2, **more)
                for _ in range(2):
                    said = self.get('/k')
                    self.assertEqual((said.status, said.code), (status, code))
                self.assertEqual(self.get('/k').status, 200)
        self.rule('slow_down', after=7)
        self.assertEqual(self.get('/k').h['retry-after'], '7')

    def test_answers_an_error_though_it_was_done(self):
        self.rule('answers', code=504)
        self.assertEqual(self.put('/new', b'1').status, 504)
        self.assertEqual(self.stored('/new'), b'1')
        self.server.control('clear')
        self.rule('error', code=504)
        self.assertEqual(self.put('/new', b'2').status, 504)
        self.assertEqual(self.stored('/new'), b'1')

    def test_bodies_of_errors(self):
        rows = [('empty', lambda b: b == b''), ('html', lambda b: b.startswith(b'<html>')),
                ('garbage', lambda b: b.startswith(b'\xff')), ('bomb', lambda b: b'&a8;' in b),
                ('huge', lambda b: len(b) > 4 << 20), ('nul', lambda b: b'\0' in b),
                ('echo', lambda b: self.signer.key.encode() in b and b'Signature=' in b),
                ('bare', lambda b: re.search(b'>[0-9a-f]{64} and no token', b))]
        for kind, fits in rows:
            with self.subTest(kind):
                self.rule('error', times=1, body=kind)
                said = self.get('/k')
                self.assertEqual(said.status, 500)
                self.assertTrue(fits(said.body))

    def test_writes_alone(self):
        none = {'if-none-match': '*'}
        for way, status, code in (('read_only', 403, 'AccessDenied'),
                                  ('full', 403, 'QuotaExceeded'),
                                  ('not_implemented', 501, 'NotImplemented'),
                                  ('conflict', 409, 'ConditionalRequestConflict')):
            with self.subTest(way):
                self.rule(way)
                said = self.put('/new', headers=none)
                self.assertEqual((said.status, said.code), (status, code))
                self.assertIsNone(self.stored('/new'))
                self.assertEqual(self.get('/k').status, 200)
                self.assertEqual(self.put('/k', b'0123456789').status,
                                 200 if status in (409, 501) else 403)
                self.server.control('clear')
        self.rule('full', code=507, name='XMinioStorageFull')
        self.assertEqual(self.put('/new').status, 507)

    def test_captive_portal(self):
        self.rule('captive')
        for said in (self.put('/new'), self.get('/k')):
            self.assertEqual((said.status, said.h['content-type']), (200, 'text/html'))
            self.assertIn(b'sign in', said.body)
        self.assertIsNone(self.stored('/new'))

    def test_redirects(self):
        for code in (301, 307):
            self.rule('redirect', times=1, port='plain', code=code)
            said = self.get('/k')
            self.assertEqual((said.status, said.h['location']), (
                code, 'http://127.0.0.1:%d/bucket/k' % self.server.port('other')))
        self.assertEqual(self.get('/k', port='other').status, 200)
        self.assertEqual([name for name, _ in self.server.log(port='other')[0]['headers']
                          if name == 'authorization'], ['authorization'])
        talk(self.server.port('other'), 'GET', '/bucket/k', {'host': 'x'})
        self.assertNotIn('authorization', dict(self.server.log(port='other')[1]['headers']))
        self.rule('region_301', region='eu-west-7')
        said = self.get('/k')
        self.assertEqual((said.status, said.h['x-amz-bucket-region']), (301, 'eu-west-7'))
        self.assertNotIn('location', said.h)

    def test_bodies_that_are_cut_or_wrong(self):
        data = b'0123456789'
        self.rule('cut', times=1, at=3)
        self.assertEqual(self.gone('GET', '/k'), 'cut')
        self.server.control('done')
        self.assertEqual(self.server.log()[-1]['body'], 3)
        self.rule('cut', times=1, at=3, reset=1)
        self.assertEqual(self.gone('GET', '/k'), 'reset')
        self.rule('stall', times=1, at=3)
        connection = http.client.HTTPConnection('127.0.0.1', self.server.port(), timeout=.5)
        with self.assertRaises(TimeoutError):
            self.get('/k', connection=connection)
        connection.close()
        self.server.control('done')
        self.assertEqual(self.server.log()[-1]['body'], 3)
        self.rule('short', times=1, by=4)
        self.assertEqual(self.get('/k').body, data[:6])
        self.rule('flip', times=1, at=1)
        self.assertEqual(self.get('/k').body, b'0023456789')
        self.assertEqual(self.get('/k').body, data)

    def test_slow_and_late(self):
        for way, more in (('slow', {'rate': 20}), ('late', {'s': .4}), ('late_answer', {'s': .4}),
                          ('slow_upload', {'rate': 20})):
            with self.subTest(way):
                self.rule(way, times=1, **more)
                begun = time.monotonic()
                said = self.put('/n', b'0123456789') if way == 'slow_upload' else self.get('/k')
                self.assertEqual(said.status, 200)
                self.assertGreater(time.monotonic() - begun, .35)
                self.server.control('clear')

    def test_hang_and_hold(self):
        for way in ('hang', 'stall_upload', 'hold'):
            with self.subTest(way):
                self.rule(way, times=1)
                number = self.server.port()
                target, h = self.signer.sign('PUT', 'h', '/bucket/' + way, body=b'1234')
                connection = http.client.HTTPConnection('127.0.0.1', number, timeout=.5)
                with self.assertRaises(TimeoutError):
                    talk(number, 'PUT', target, h, b'1234', connection)
                self.assertIsNone(self.stored('/' + way))
                self.server.control('clear')
                if way == 'hold':
                    self.server.control('release')
                    self.server.control('done')
                    self.assertEqual(self.stored('/hold'), b'1234')
                connection.close()

    def test_etags(self):
        right = '"%s"' % hashlib.md5(b'0123456789').hexdigest()
        self.rule('wrong_etag', times=1)
        self.assertEqual(self.get('/k').h['etag'], '"%s"' % ('0' * 32))
        self.rule('no_etag', times=1)
        self.assertNotIn('etag', self.get('/k').h)
        self.assertEqual(self.get('/k').h['etag'], right)
        self.rule('etag_not_md5')
        tag = self.put('/k', b'0123456789').h['etag']
        self.assertNotEqual(tag, right)
        self.assertEqual(self.get('/k').h['etag'], tag)

    def test_conditions_that_mean_nothing(self):
        self.rule('conditions_ignored')
        self.assertEqual(self.put('/k', b'1', headers={'if-none-match': '*'}).status, 200)
        self.assertEqual(self.put('/k', b'2', headers={'if-match': '"x"'}).status, 200)
        self.server.control('clear')
        self.rule('if_match_unquoted')
        tag = self.get('/k').h['etag']
        self.assertEqual(self.put('/k', b'3', headers={'if-match': tag}).status, 412)
        self.assertEqual(self.put('/k', b'3', headers={'if-match': tag.strip('"')}).status, 200)
        self.server.control('clear')
        self.rule('get_conditions_ignored')
        self.assertEqual(self.get('/k', headers={'if-match': '"x"'}).body, b'3')
        self.rule('ranges_ignored')
        self.assertEqual(self.get('/k', headers={'range': 'bytes=0-0'}).status, 200)

    def test_lies_about_what_is_stored(self):
        self.rule('forgets', times=1)
        self.assertEqual(self.put('/new').status, 200)
        self.assertIsNone(self.stored('/new'))
        self.rule('stores_half', times=1)
        tag = self.put('/new', b'1234').h['etag']
        self.assertEqual(tag, '"%s"' % hashlib.md5(b'1234').hexdigest())
        self.assertEqual(self.stored('/new'), b'12')

    def test_replaced_between_two_ranges(self):
        for keep, status in ((0, 412), (1, 206)):
            self.put('/k', b'0123456789')
            self.rule('replaced', times=1, keep=keep)
            first = self.get('/k', headers={'range': 'bytes=0-4'})
            self.assertEqual(first.body, b'01234')
            second = self.get('/k', headers={'range': 'bytes=5-9', 'if-match': first.h['etag']})
            self.assertEqual(second.status, status)
            self.assertNotEqual(second.body, b'56789')

    def test_unsigned(self):
        self.rule('unsigned')
        self.assertEqual(talk(self.server.port(), 'GET', '/bucket/k', {'host': 'x'}).status, 200)
        self.assertEqual(talk(self.server.port(), 'PUT', '/bucket/j', {'host': 'x'}, b'1').status,
                         200)

    def test_down(self):
        self.server.control('down', port='other')
        self.assertEqual(self.gone('GET', '/k', port='other'), 'refused')
        self.assertEqual(self.get('/k').status, 200)
        self.server.control('up', port='other')
        self.assertEqual(self.get('/k', port='other').status, 200)
        self.rule('down', port='other', nth=2)
        self.assertEqual([self.gone('GET', '/k', port='other') for _ in range(3)],
                         [200, 'reset', 'refused'])
        self.server.control('reset')
        self.assertEqual(self.get('/k', port='other').status, 404)

    def test_the_nth_request(self):
        for n in (1, 2, 3):
            self.server.control('reset', keep=1)
            self.rule('error', nth=n)
            self.assertEqual([self.get('/k').status for _ in range(3)],
                             [500 if k == n else 200 for k in (1, 2, 3)])
            self.assertEqual([entry['ways'] for entry in self.server.log()],
                             [['error'] if k == n else [] for k in (1, 2, 3)])
        self.assertEqual(json.loads(self.server.control('rules'))[0]['hits'], 1)

    def test_filters(self):
        self.put('/j')
        for more, want in (({'path': '/bucket/k'}, (500, 200, 200)),
                           ({'path': '*/j'}, (200, 500, 500)),
                           ({'method': 'PUT,POST'}, (200, 200, 500)),
                           ({'writes': 1}, (200, 200, 500)),
                           ({'conditional': 1}, (200, 200, 200)),
                           ({'query': 'uploadId'}, (200, 200, 200)),
                           ({'port': 'other'}, (200, 200, 200)),
                           ({'skip': 1, 'times': 1}, (200, 500, 200))):
            with self.subTest(str(more)):
                number = self.rule('error', **more).strip()
                self.assertEqual((self.get('/k').status, self.get('/j').status,
                                  self.put('/j').status), want)
                self.server.control('clear', id=number)
        for wrong in ({'way': 'none'}, {'way': 'reset', 'color': 1}, {'way': 'error', 'body': 'x'},
                      {'way': 'error', 'port': 'x'}):
            with self.assertRaises(ValueError):
                self.server.control('rule', **wrong)

    def test_log(self):
        self.put('/j', b'12')
        self.get('/k', alter=without('authorization'))
        first, second = self.server.log()
        self.assertEqual((first['id'], first['method'], first['key'], first['status'],
                          first['received'], first['verdict'], first['effect']),
                         (1, 'PUT', '/bucket/j', 200, 2, 'ok', True))
        self.assertEqual((second['id'], second['verdict'], second['effect']),
                         (2, 'AccessDenied', False))
        text = self.server.control('log', text=1, path='/bucket/j').splitlines()
        self.assertEqual(text[0].split('\t'), ['1', 'plain', 'PUT', '/bucket/j', '200', '0', '0',
                                               '/bucket/j', 'ok', '1', '2', ''])
        self.assertIn('\thost: 127.0.0.1:%d' % self.server.port(), text)
        self.assertEqual(self.server.control('count', method='PUT'), '1\n')
        with self.assertRaises(ValueError):
            self.server.control('wait', n=3, s=.1)

    def test_objects_from_outside(self):
        self.server.control('put', key='/other/n/f', text='hello')
        self.server.control('put', key='/other/n/g', data=b'\0\1')
        self.server.control('put', key='/other/n/c', size=5000)
        self.assertEqual(self.server.bytes_of('/other/n/g'), b'\0\1')
        rows = [row.split('\t') for row in
                self.server.control('objects', key='/other/*').splitlines()]
        self.assertEqual([(row[1], row[3]) for row in rows],
                         [('5000', '/other/n/c'), ('5', '/other/n/f'), ('2', '/other/n/g')])
        self.assertEqual(rows[1][0], hashlib.sha256(b'hello').hexdigest())
        self.assertEqual(self.server.control('delete', key='/other/*'), '3\n')

    def test_every_way_is_described_and_tried(self):
        with open(os.path.join(HERE, 'store.py')) as f:
            head = f.read().split('"""')[1]
        described = set(re.findall(r'(?m)^    ([a-z_0-9]+) {2,}\S', head))
        with open(__file__) as f:
            tried = set(re.findall(r"'([a-z_0-9]+)'", f.read()))
        ways = set(self.server.control('list').split())
        self.assertEqual(ways - described, set())
        self.assertEqual(described - ways, set())
        self.assertEqual(ways - tried, set())


class Dav(WithServer):
    def setUp(self):
        super().setUp()
        self.by = '%s:%s' % (self.server.facts['user'], self.server.facts['password'])

    def do(self, method, path, body=b'', by=None, **headers):
        h = {'host': '127.0.0.1:%d' % self.server.port('dav')}
        h.update({name.replace('_', '-'): value for name, value in headers.items()})
        given = self.by if by is None else by
        if given:
            h['authorization'] = 'Basic ' + base64.b64encode(given.encode()).decode()
        return talk(self.server.port('dav'), method, path, h, body)

    def move(self, path, to, overwrite, **more):
        there = 'http://127.0.0.1:%d%s' % (self.server.port('dav'), to)
        return self.do('MOVE', path, destination=there, overwrite=overwrite, **more).status

    def test_who(self):
        for by in ('', 'tester:wrong', 'nobody:' + self.server.facts['password']):
            said = self.do('GET', '/x', by=by)
            self.assertEqual(said.status, 401)
            self.assertIn('Basic', said.h['www-authenticate'])
        self.server.control('user', user='u', password='p:q')
        self.assertEqual(self.do('GET', '/x', by='u:p:q').status, 404)
        self.rule('unsigned')
        self.assertEqual(self.do('GET', '/x', by='').status, 404)

    def test_collections(self):
        self.assertEqual([self.do('MKCOL', path).status for path in
                          ('/c/', '/c/', '/c', '/d/e/', '/c/f')], [201, 405, 405, 409, 201])
        self.assertEqual(self.do('PUT', '/no/a', b'1').status, 409)
        self.assertEqual(self.do('PUT', '/c', b'1').status, 409)
        self.assertEqual(self.do('DELETE', '/c/').status, 204)
        self.assertEqual(self.do('DELETE', '/c/').status, 404)
        self.rule('mkcol_needs_slash')
        self.assertEqual([self.do('MKCOL', path).status for path in ('/g', '/g/')], [409, 201])
        self.rule('mkcol_repeats')
        self.assertEqual(self.do('MKCOL', '/g/').status, 201)
        self.rule('makes_parents')
        self.assertEqual(self.do('PUT', '/no/such/a', b'1').status, 201)

    def test_files(self):
        self.assertEqual([self.do('PUT', '/f', b'0123456789').status for _ in (1, 2)], [201, 204])
        tag = self.do('HEAD', '/f').h['etag']
        said = self.do('GET', '/f', range='bytes=2-4', if_match=tag)
        self.assertEqual((said.status, said.body, said.h['content-range']),
                         (206, b'234', 'bytes 2-4/10'))
        self.assertEqual(self.do('GET', '/f', range='bytes=10-').status, 416)
        self.do('PUT', '/f', b'0123456789')
        self.assertEqual(self.do('GET', '/f', range='bytes=2-4', if_match=tag).status, 412)
        self.assertEqual(self.do('PUT', '/f', b'1', if_none_match='*').status, 412)
        self.assertEqual(self.do('PUT', '/f', b'1', if_match=tag).status, 412)
        self.rule('conditions_ignored')
        self.assertEqual(self.do('PUT', '/f', b'1', if_none_match='*').status, 204)
        self.assertEqual(self.server.bytes_of('/f', on='dav'), b'1')
        self.assertEqual(self.do('PUT', '/a%20%C3%BC+', b'2').status, 201)
        self.assertEqual(self.server.bytes_of('/a ü+', on='dav'), b'2')

    def test_move(self):
        self.do('PUT', '/t', b'1')
        self.assertEqual(self.move('/t', '/f', 'F'), 201)
        self.assertEqual(self.move('/t', '/f', 'F'), 404)
        self.do('PUT', '/t', b'2')
        self.assertEqual(self.move('/t', '/f', 'F'), 412)
        self.assertEqual(self.move('/t', '/no/f', 'F'), 409)
        self.assertEqual(self.server.bytes_of('/f', on='dav'), b'1')
        self.assertEqual(self.move('/t', '/f', 'T'), 204)
        self.assertEqual(self.server.bytes_of('/f', on='dav'), b'2')
        self.assertIsNone(self.server.bytes_of('/t', on='dav'))
        self.assertEqual(self.do('MOVE', '/f', destination='/g').status, 400)
        self.assertEqual(self.do('MOVE', '/f', destination='http://other/g').status, 502)
        self.do('MKCOL', '/c/')
        self.do('PUT', '/c/f', b'3')
        self.assertEqual(self.move('/c', '/d', 'F'), 201)
        self.assertEqual(self.server.bytes_of('/d/f', on='dav'), b'3')

    def race(self, what):
        said = []
        threads = [threading.Thread(target=lambda n=n: said.append(what(n))) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(status in (201, 204) for status in said)

    def test_one_of_many_wins(self):
        for n in range(8):
            self.do('PUT', '/t%d' % n, b'%d' % n)
        self.assertEqual(self.race(lambda n: self.do('MKCOL', '/lock/').status), 1)
        self.assertEqual(self.race(lambda n: self.move('/t%d' % n, '/f', 'F')), 1)
        self.do('DELETE', '/f')
        for n in range(8):
            self.do('PUT', '/t%d' % n, b'%d' % n)
        self.rule('conditions_racy')
        self.assertGreater(self.race(lambda n: self.move('/t%d' % n, '/f', 'F')), 1)

    def test_properties(self):
        self.do('MKCOL', '/c/')
        self.do('PUT', '/c/f', b'123')
        self.do('MKCOL', '/c/d/')
        self.do('PUT', '/c/d/deep', b'1')
        said = self.do('PROPFIND', '/c/', depth='1')
        self.assertEqual(said.status, 207)
        self.assertEqual(re.findall(b'<D:href>([^<]*)', said.body), [b'/c/', b'/c/d/', b'/c/f'])
        self.assertIn(b'<D:getcontentlength>3<', said.body)
        said = self.do('PROPFIND', '/c/f', depth='0')
        self.assertEqual(re.findall(b'<D:href>([^<]*)', said.body), [b'/c/f'])
        self.assertEqual(self.do('PROPFIND', '/none', depth='0').status, 404)
        self.assertEqual(self.do('OPTIONS', '/').h['dav'], '1')

    def test_ways_befall_it_too(self):
        self.rule('full', times=1)
        self.assertEqual(self.do('PUT', '/f', b'1').status, 507)
        self.rule('lost', times=1)
        with self.assertRaises(http.client.RemoteDisconnected):
            self.do('PUT', '/f', b'12')
        self.assertEqual(self.server.bytes_of('/f', on='dav'), b'12')
        self.rule('replaced', times=1)
        self.assertEqual(self.do('GET', '/f').body, b'12')
        self.assertNotEqual(self.do('GET', '/f').body, b'12')
        self.rule('not_implemented', times=1)
        self.assertEqual(self.move('/f', '/g', 'F'), 501)


class Keys(WithServer):
    def setUp(self):
        super().setUp()
        self.put('/k', b'there')

    def ask_keys(self, method, target, body=b'', **headers):
        h = {'host': '127.0.0.1', **{n.replace('_', '-'): v for n, v in headers.items()}}
        return talk(self.server.port('keys'), method, target, h, body)

    def opens(self, key, secret, token):
        return self.get('/k', by=Signer(key, secret, token=token)).code

    def test_machine(self):
        roles = '/latest/meta-data/iam/security-credentials/'
        self.assertEqual(self.ask_keys('GET', roles).status, 401)
        self.assertEqual(self.ask_keys('PUT', '/latest/api/token').status, 400)
        token = self.ask_keys('PUT', '/latest/api/token',
                              x_aws_ec2_metadata_token_ttl_seconds='60').body.decode()
        own = {'x_aws_ec2_metadata_token': token}
        role = self.ask_keys('GET', roles, **own).body.decode()
        keys = json.loads(self.ask_keys('GET', roles + role, **own).body)
        self.assertEqual(keys['Code'], 'Success')
        self.assertRegex(keys['Expiration'], r'^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$')
        given = (keys['AccessKeyId'], keys['SecretAccessKey'], keys['Token'])
        self.assertEqual(self.opens(*given), '')
        self.assertEqual(self.opens(given[0], given[1], ''), 'InvalidToken')
        self.assertEqual(self.ask_keys('GET', '/latest/meta-data/placement/region', **own).body,
                         b'us-east-1')
        self.server.control('issue', source='machine', seconds=-1)
        self.ask_keys('GET', roles + role, **own)
        self.assertEqual(self.opens(*given), 'ExpiredToken')
        self.server.control('issue', machine='off')
        self.assertEqual(self.ask_keys('PUT', '/latest/api/token').status, 404)

    def test_container(self):
        self.assertEqual(self.ask_keys('GET', '/container/x').status, 403)
        keys = json.loads(self.ask_keys('GET', '/container/x',
                                        authorization='container-token').body)
        self.assertEqual(self.opens(keys['AccessKeyId'], keys['SecretAccessKey'], keys['Token']),
                         '')
        self.server.control('issue', container_token='')
        self.assertEqual(self.ask_keys('GET', '/container/x').status, 200)

    def test_web(self):
        words = {'Action': 'AssumeRoleWithWebIdentity', 'Version': '2011-06-15',
                 'RoleArn': 'arn:aws:iam::1:role/r', 'RoleSessionName': 'session',
                 'WebIdentityToken': 'web-identity-token'}
        for method, target, body in (('GET', '/?' + urllib.parse.urlencode(words), b''),
                                     ('POST', '/', urllib.parse.urlencode(words).encode())):
            said = self.ask_keys(method, target, body)
            self.assertEqual(said.status, 200)
            self.assertEqual(self.opens(said.text('AccessKeyId'), said.text('SecretAccessKey'),
                                        said.text('SessionToken')), '')
        for name, code in (('RoleArn', 'ValidationError'), ('WebIdentityToken', 'ValidationError'),
                           ('Version', 'InvalidAction')):
            fewer = {k: v for k, v in words.items() if k != name}
            said = self.ask_keys('GET', '/?' + urllib.parse.urlencode(fewer))
            self.assertEqual((said.status, said.code), (400, code))
        words['WebIdentityToken'] = 'other'
        said = self.ask_keys('GET', '/?' + urllib.parse.urlencode(words))
        self.assertEqual(said.code, 'InvalidIdentityToken')
        with self.assertRaises(ValueError):
            self.server.control('issue', nonsense=1)


class RealStores(unittest.TestCase):
    """stores.py, as far as it can be tried without a real store; nginx where it is"""

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix='vqcache-stores-')
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)

    def run_it(self, *arguments, **env):
        line = [sys.executable, os.path.join(HERE, 'stores.py'), *arguments]
        env = {**os.environ, 'VQCACHE_STORES_DIR': os.path.join(self.dir, 'kept'),
               'VQCACHE_NO_SKIP': '', **env}
        return subprocess.run(line, env=env, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=200)

    def fake_go(self, text):
        path = os.path.join(self.dir, 'go')
        with open(path, 'w') as f:
            f.write('#!/bin/sh\necho "$@" >> %s/asked\n%s\n' % (self.dir, text))
        os.chmod(path, 0o755)
        return {'PATH': self.dir + os.pathsep + os.environ['PATH']}

    def asked(self):
        with open(os.path.join(self.dir, 'asked')) as f:
            return f.read()

    def test_what_cannot_be_had(self):
        done = self.run_it('versitygw')
        self.assertEqual(done.returncode, 77)
        self.assertIn('skipped: versitygw is not built', done.stderr)
        done = self.run_it('versitygw', VQCACHE_NO_SKIP='1')
        self.assertEqual(done.returncode, 1)
        self.assertIn('failed: ', done.stderr)
        done = self.run_it('--get', 'versitygw', PATH=self.dir)
        self.assertEqual(done.stdout.splitlines()[-1], '0 passed, 0 failed, 1 skipped')
        self.assertNotEqual(self.run_it('--get', 'nonsense').returncode, 0)

    def test_a_program_is_built_once(self):
        env = self.fake_go('case $1 in install) echo x > "$GOBIN/versitygw" ;; esac')
        for said in ('versitygw: got in ', 'versitygw: was there'):
            done = self.run_it('--get', 'versitygw', **env)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(said, done.stdout)
        self.assertEqual(self.asked().count('install'), 1)
        self.assertIn('cmd/versitygw@v1.8.0', self.asked())
        kept = os.listdir(os.path.join(self.dir, 'kept', 'versitygw-v1.8.0'))
        self.assertEqual(sorted(kept), ['built', 'lock', 'versitygw'])

    def test_a_build_that_fails_is_told_and_tried_again(self):
        env = self.fake_go('echo no such version; exit 1')
        for _ in range(2):
            done = self.run_it('--get', 'rclone-s3', VQCACHE_NO_SKIP='1', **env)
            self.assertEqual(done.returncode, 1)
            self.assertIn('no such version', done.stderr)
        self.assertEqual(self.asked().count('mod init'), 2)

    def test_nginx(self):
        done = self.run_it('--try', 'nginx')
        if 'skipped' in done.stderr:
            self.skipTest(done.stderr.strip())
        self.assertEqual(done.stdout.splitlines()[-1], '1 passed, 0 failed, 0 skipped',
                         done.stderr)
        line = self.run_it('nginx').stdout  # its stdin is closed: it starts, says so, and stops
        facts = dict(word.split('=', 1) for word in line.split())
        self.assertEqual((facts['kind'], facts['user']), ('dav', 'tester'))
        self.assertFalse(os.path.exists(facts['data']))
        self.assertFalse(os.path.exists('/proc/' + facts['pid']))


class Start(unittest.TestCase):
    def test_rules_and_tls_at_the_start(self):
        server = Server('auto', 'way=error&code=503', 'way=slow&rate=9')
        try:
            rules = json.loads(server.control('rules'))
            self.assertEqual([one['way'] for one in rules], ['error', 'slow'])
            if server.facts['ca']:
                import ssl
                context = ssl.create_default_context(cafile=server.facts['ca'])
                for name in ('tls', 'davtls'):
                    connection = http.client.HTTPSConnection('localhost', server.port(name),
                                                             context=context, timeout=20)
                    connection.request('GET', '/bucket/k')
                    self.assertEqual(connection.getresponse().status, 503)
                    connection.close()
        finally:
            server.stop()
        self.assertEqual(server.child.returncode, 0)

    def test_it_ends_when_nobody_listens(self):
        server = Server()
        server.child.stdin.close()
        self.assertEqual(server.child.wait(20), 0)
        server.child.stdout.close()


def main():
    is_loud = '-v' in sys.argv
    names = [a for a in sys.argv[1:] if a != '-v']
    loader = unittest.TestLoader()
    here = sys.modules[__name__]
    suite = (loader.loadTestsFromNames(names, here) if names else
             loader.loadTestsFromModule(here))
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2 if is_loud else 0).run(suite)
    bad = len({str(test).split(' [')[0].split(' (<')[0]
               for test, _ in result.failures + result.errors})
    print('%d passed, %d failed, %d skipped' % (
        result.testsRun - bad - len(result.skipped), bad, len(result.skipped)))
    sys.exit(1 if bad or not result.testsRun else 0)


if __name__ == '__main__':
    main()
