"""A small client for the stores that stores.py starts: what tests look at and damage from outside.

It takes the words of the line that stores.py prints, and shares nothing with the library."""
import base64
import datetime
import hashlib
import hmac
import http.client
import os
import time
import urllib.parse
import xml.etree.ElementTree

TRIES = 3  # of a request whose connection broke


def quoted(text):
    return urllib.parse.quote(text, safe='/~')


class Client:
    """keys are below the bucket, or below the root of the WebDAV server"""

    def __init__(self, line):
        self.line = line
        self.is_s3 = line['kind'] == 's3'
        self.port = int(line['http'])
        self.host = '127.0.0.1:%d' % self.port
        self.base = '/' + line['bucket'] if self.is_s3 else ''

    def put(self, key, body):
        """makes what it lies in, too; raises OSError"""
        if not self.is_s3:
            self.make_collections(key)
        self.must('PUT', self.base + '/' + key, (200, 201, 204), body)

    def get(self, key):
        """its bytes, or None"""
        status, body = self.must('GET', self.base + '/' + key, (200, 404))
        return body if status == 200 else None

    def delete(self, key):
        self.must('DELETE', self.base + '/' + key, (200, 204, 404))

    def keys(self, prefix=''):
        """(key, size) of all that starts so, sorted"""
        return sorted(self.listed(prefix) if self.is_s3 else self.walked(prefix))

    def uploads(self, prefix=''):
        """the keys of uploads that neither ended nor were aborted"""
        if not self.is_s3:
            return []
        query = {'uploads': '', 'prefix': prefix}
        status, body = self.must('GET', self.base, (200, 404, 501), query=query)
        if status == 501 or b'<Code>NoSuchUpload' in body:  # of s3s-fs: not to be told; of rclone: none
            return []
        return sorted(of(one, 'Key') for one in elements(body, 'Upload'))

    def make_bucket(self):
        """a status: 200, or 409 where it is there"""
        return self.ask('PUT', self.base)[0]

    # ---- of one kind alone

    def listed(self, prefix):
        token = ''
        while True:
            query = {'list-type': '2', 'prefix': prefix}
            if token:
                query['continuation-token'] = token
            _, body = self.must('GET', self.base, (200,), query=query)
            for one in elements(body, 'Contents'):
                yield of(one, 'Key'), int(of(one, 'Size'))
            token = of(xml.etree.ElementTree.fromstring(body), 'NextContinuationToken')
            if not token:
                return

    def walked(self, prefix):
        """such servers keep plain files; not every one of them can list them"""
        root = self.line['data']
        for folder, folders, files in os.walk(root):
            if folder == root and '.tmp' in folders:
                folders.remove('.tmp')  # nginx's own
            for name in files:
                path = os.path.join(folder, name)
                key = os.path.relpath(path, root)
                if key.startswith(prefix):
                    yield key, os.path.getsize(path)

    def make_collections(self, key):
        parts = key.split('/')[:-1]
        for n in range(1, len(parts) + 1):
            self.must('MKCOL', '/' + '/'.join(parts[:n]) + '/', (201, 301, 403, 405, 409))

    # ---- one request

    def must(self, method, path, wanted, body=b'', query=None):
        for n in range(TRIES):
            try:
                status, said = self.ask(method, path, body, query)
                break
            except (OSError, http.client.HTTPException):
                if n + 1 == TRIES:
                    raise
                time.sleep(.2)
        if status not in wanted:
            raise OSError('%s %s: %d %s' % (method, path, status, said[:500]))
        return status, said

    def ask(self, method, path, body=b'', query=None, **more):
        """(status, bytes); more: headers, with _ for -"""
        more = {name.replace('_', '-'): value for name, value in more.items()}
        path = quoted(path)
        pairs = sorted((quoted(k), urllib.parse.quote(v, safe='~'))
                       for k, v in (query or {}).items())
        text = '&'.join('%s=%s' % pair for pair in pairs)
        h = {'host': self.host, **more}
        h = self.signed(method, path, text, body, h) if self.is_s3 else self.with_password(h)
        connection = http.client.HTTPConnection('127.0.0.1', self.port, timeout=30)
        try:
            connection.request(method, path + ('?' + text if text else ''), body or None, h)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def with_password(self, h):
        if self.line['user']:
            both = '%s:%s' % (self.line['user'], self.line['password'])
            h['authorization'] = 'Basic ' + base64.b64encode(both.encode()).decode()
        return h

    def signed(self, method, path, query, body, h):
        stamp = datetime.datetime.now(datetime.timezone.utc).strftime('%Y%m%dT%H%M%SZ')
        h = {**h, 'x-amz-content-sha256': hashlib.sha256(body).hexdigest(), 'x-amz-date': stamp}
        names = ';'.join(sorted(h))
        scope = '%s/%s/s3/aws4_request' % (stamp[:8], self.line['region'])
        lines = [method, path, query, *('%s:%s' % (k, h[k]) for k in sorted(h)), '', names,
                 h['x-amz-content-sha256']]
        digest = hashlib.sha256('\n'.join(lines).encode()).hexdigest()
        key = ('AWS4' + self.line['secret']).encode()
        for part in scope.split('/'):
            key = hmac.digest(key, part.encode(), 'sha256')
        text = '\n'.join(('AWS4-HMAC-SHA256', stamp, scope, digest))
        h['authorization'] = 'AWS4-HMAC-SHA256 Credential=%s/%s,SignedHeaders=%s,Signature=%s' % (
            self.line['key'], scope, names, hmac.new(key, text.encode(), hashlib.sha256).hexdigest())
        return h


def elements(body, name):
    return xml.etree.ElementTree.fromstring(body).iterfind('{*}' + name)


def of(element, name):
    return element.findtext('{*}' + name) or ''
