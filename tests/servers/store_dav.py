"""The WebDAV of store.py: a tree in memory behind basic authentication.

As Apache, nginx and lighttpd are where they agree: MKCOL and MOVE with Overwrite: F decide who was
first, a missing parent is 409, an entity tag changes with every write.  Where they differ, a way of
store.py chooses (request.does)."""
import base64
import hmac
import os
import threading
import time
import urllib.parse

from store_answers import (Answer, Refused, asked_range, element, elements, escaped, http_time,
                           tags)

METHODS = 'OPTIONS, GET, HEAD, PUT, DELETE, MKCOL, MOVE, PROPFIND'


class File:
    def __init__(self, data, modified):
        self.data, self.modified = data, modified
        self.etag = '"%s"' % os.urandom(8).hex()


class Dav:
    name = 'dav'

    def __init__(self, clock):
        self.clock = clock
        self.lock = threading.RLock()
        self.users = {}
        self.empty()

    def empty(self):
        self.tree = {'/': None}  # path without / at its end: a File, or None for a collection

    def locate(self, request):
        request.key = self.path_of(request.raw_path)

    @staticmethod
    def path_of(raw):
        path = urllib.parse.unquote(raw)
        return path.rstrip('/') or '/'

    def admit(self, request):
        self.locate(request)
        kind, _, coded = request.h.get('authorization', '').partition(' ')
        try:
            user, _, password = base64.b64decode(coded, validate=True).decode().partition(':')
        except ValueError:
            user, password = '', ''
        is_known = user in self.users and hmac.compare_digest(
            self.users[user].encode(), password.encode())
        if kind.lower() != 'basic' or not is_known:
            raise Refused(401, 'Unauthorized', 'Who are you?',
                          headers={'WWW-Authenticate': 'Basic realm="test"'})
        request.key_id = user

    def foresee(self, request):
        if request.method == 'PUT':
            self.judge(request, self.tree.get(request.key))

    def answer(self, request):
        what = {'OPTIONS': self.options, 'GET': self.get, 'HEAD': self.get, 'PUT': self.put,
                'DELETE': self.delete, 'MKCOL': self.make_collection, 'MOVE': self.move,
                'PROPFIND': self.properties}.get(request.method)
        if not what:
            raise Refused(405, 'MethodNotAllowed', 'Not here', headers={'Allow': METHODS})
        return what(request)

    def options(self, request):
        return Answer(200, b'', {'DAV': '1', 'Allow': METHODS})

    def is_collection(self, path):
        return path in self.tree and self.tree[path] is None

    def parent(self, request, path):
        """raises 409 where there is none; nginx can be told to make them"""
        parent = path.rpartition('/')[0] or '/'
        if self.is_collection(parent):
            return
        if parent in self.tree or not request.does('makes_parents'):
            raise Refused(409, 'Conflict', 'The collection it belongs into does not exist')
        self.parent(request, parent)
        self.tree[parent] = None

    def judge(self, request, there):
        if request.does('conditions_ignored'):
            return
        none_match, match = request.h.get('if-none-match'), request.h.get('if-match')
        if none_match == '*' and there:
            raise Refused(412, 'PreconditionFailed', 'It exists')
        if match and (not there or (match != '*' and there.etag not in tags(match))):
            raise Refused(412, 'PreconditionFailed', 'It is another')

    def put(self, request):
        if request.raw_path.endswith('/') or self.is_collection(request.key):
            raise Refused(409, 'Conflict', 'That is a collection')
        if request.does('conditions_racy'):
            self.judge(request, self.tree.get(request.key))
            time.sleep(.1)
        with self.lock:
            self.parent(request, request.key)
            there = self.tree.get(request.key)
            if not request.does('conditions_racy'):
                self.judge(request, there)
            data = request.body
            if request.does('stores_half'):
                data = data[:len(data) // 2]
            if not request.does('forgets'):
                self.tree[request.key] = File(data, self.clock())
        request.has_effect()
        return Answer(204 if there else 201)

    def get(self, request):
        if self.is_collection(request.key):
            return Answer(200, 'a collection\n', kind='text/plain')
        there = self.tree.get(request.key)
        if not there:
            raise Refused(404, 'NotFound', 'Not found')
        headers = {'ETag': there.etag, 'Last-Modified': http_time(there.modified),
                   'Accept-Ranges': 'bytes', 'Content-Type': 'application/octet-stream'}
        match, none_match = request.h.get('if-match'), request.h.get('if-none-match')
        if match and match != '*' and there.etag not in tags(match):
            if not request.does('get_conditions_ignored'):
                raise Refused(412, 'PreconditionFailed', 'It is another')
        if none_match and there.etag in tags(none_match):
            return Answer(304, b'', {'ETag': there.etag})
        if 'range' not in request.h or request.does('ranges_ignored'):
            return Answer(200, there.data, headers)
        try:
            part = asked_range(request.h['range'], len(there.data))
        except ValueError:
            raise Refused(416, 'InvalidRange', 'No byte of it lies there', headers={
                'Content-Range': 'bytes */%d' % len(there.data)}) from None
        if not part:
            return Answer(200, there.data, headers)
        headers['Content-Range'] = 'bytes %d-%d/%d' % (part[0], part[1] - 1, len(there.data))
        return Answer(206, there.data[part[0]:part[1]], headers)

    def below(self, path):
        front = path.rstrip('/') + '/'
        return [one for one in self.tree if one == path or one.startswith(front)]

    def delete(self, request):
        with self.lock:
            if request.key not in self.tree or request.key == '/':
                raise Refused(404, 'NotFound', 'Not found')
            for path in self.below(request.key):
                del self.tree[path]
        request.has_effect()
        return Answer(204)

    def make_collection(self, request):
        if request.body:
            raise Refused(415, 'UnsupportedMediaType', 'MKCOL has no body here')
        if request.does('mkcol_needs_slash') and not request.raw_path.endswith('/'):
            raise Refused(409, 'Conflict', 'A collection ends in /')  # nginx
        with self.lock:
            if request.key in self.tree:
                if request.does('mkcol_repeats') and self.is_collection(request.key):
                    return Answer(201)  # rclone
                raise Refused(405, 'MethodNotAllowed', 'It exists', headers={'Allow': METHODS})
            self.parent(request, request.key)
            self.tree[request.key] = None
        request.has_effect()
        return Answer(201)

    def destination(self, request):
        given = urllib.parse.urlsplit(request.h.get('destination', ''))
        if not given.path.startswith('/'):
            raise Refused(400, 'BadRequest', 'Destination is missing')
        if not given.netloc:
            raise Refused(400, 'BadRequest', 'Destination has to be a whole URL')  # Apache
        if given.netloc.rpartition('@')[2] != request.h.get('host'):
            raise Refused(502, 'BadGateway', 'Destination is another server')
        return self.path_of(given.path)

    def move(self, request):
        to = self.destination(request)
        overwrite = request.h.get('overwrite', 'T').upper() != 'F'
        if request.does('conditions_ignored'):
            overwrite = True
        if request.does('conditions_racy'):
            may = overwrite or to not in self.tree
            time.sleep(.1)
            overwrite = may
        with self.lock:
            if request.key not in self.tree:
                raise Refused(404, 'NotFound', 'Not found')
            self.parent(request, to)
            was_there = to in self.tree
            if was_there and not overwrite:
                raise Refused(412, 'PreconditionFailed', 'It exists')
            if to != request.key:
                for path in self.below(to) if was_there else []:
                    del self.tree[path]
                for path in self.below(request.key):
                    self.tree[to + path[len(request.key):]] = self.tree.pop(path)
        request.has_effect()
        return Answer(204 if was_there else 201)

    def properties(self, request):
        if request.key not in self.tree:
            raise Refused(404, 'NotFound', 'Not found')
        depth = request.h.get('depth', 'infinity')
        if depth == 'infinity':
            raise Refused(403, 'Forbidden', 'Depth: infinity is not served')
        with self.lock:
            paths = self.below(request.key) if depth == '1' else [request.key]
            front = request.key.rstrip('/') + '/'
            rows = [self.response(path) for path in sorted(paths)
                    if path == request.key or '/' not in path[len(front):]]
        return Answer(207, '<?xml version="1.0" encoding="utf-8"?>\n'
                      '<D:multistatus xmlns:D="DAV:">%s</D:multistatus>' % ''.join(rows),
                      kind='application/xml; charset="utf-8"')

    def response(self, path):
        there = self.tree[path]
        href = urllib.parse.quote(path)
        if there is None:
            href = href.rstrip('/') + '/'
            kind, more = '<D:resourcetype><D:collection/></D:resourcetype>', ''
        else:
            kind, more = '<D:resourcetype/>', elements(
                {'D:getcontentlength': len(there.data), 'D:getetag': there.etag,
                 'D:getlastmodified': http_time(there.modified)})
        good = element('D:propstat', element('D:prop', kind, more),
                       element('D:status', 'HTTP/1.1 200 OK'))
        return element('D:response', element('D:href', escaped(href)), good)
