"""What the services of store.py answer with: an answer, an error as stores write it, XML."""
import time
import xml.sax.saxutils

REASONS = {100: 'Continue', 200: 'OK', 201: 'Created', 204: 'No Content', 206: 'Partial Content',
           207: 'Multi-Status', 301: 'Moved Permanently', 302: 'Found', 304: 'Not Modified',
           307: 'Temporary Redirect', 308: 'Permanent Redirect', 400: 'Bad Request',
           401: 'Unauthorized', 403: 'Forbidden', 404: 'Not Found', 405: 'Method Not Allowed',
           409: 'Conflict', 411: 'Length Required', 412: 'Precondition Failed',
           415: 'Unsupported Media Type', 416: 'Range Not Satisfiable',
           429: 'Too Many Requests', 500: 'Internal Server Error', 501: 'Not Implemented',
           502: 'Bad Gateway', 503: 'Service Unavailable', 504: 'Gateway Timeout',
           507: 'Insufficient Storage'}
XMLNS = 'http://s3.amazonaws.com/doc/2006-03-01/'


class Answer:
    """what goes out, and how: ways (store.py) change it between the effect and the wire"""

    def __init__(self, status, body=b'', headers=None, kind=None):
        self.status = status
        self.body = body.encode() if isinstance(body, str) else body
        self.headers = dict(headers or {})
        if kind:
            self.headers['Content-Type'] = kind
        self.length = None  # what Content-Length says, where that is not the body's
        self.rate = 0       # bytes of the body a second; 0: as fast as it goes
        self.cut = None     # so many bytes of the body go out, then the connection ends
        self.end = 'keep'   # or 'close', 'reset', 'hang': what becomes of the connection
        self.is_silent = False


class Refused(Exception):
    """an error that a store answers with: its status, its code, and what else stands in the XML"""

    def __init__(self, status, code, message='', headers=None, **more):
        super().__init__('%d %s: %s' % (status, code, message))
        self.status, self.code, self.message = status, code, message or code
        self.headers, self.more = headers or {}, more

    def answer(self, request):
        if request.method == 'HEAD':
            return Answer(self.status, b'', self.headers)
        body = error(self.code, self.message, Resource=request.path,
                     RequestId=request.number, **self.more)
        return Answer(self.status, body, self.headers, 'application/xml')


def escaped(text):
    return xml.sax.saxutils.escape(str(text))


def element(name, *inside):
    return '<%s>%s</%s>' % (name, ''.join(inside), name)


def elements(pairs):
    return ''.join(element(k, escaped(v)) for k, v in pairs.items())


def document(name, *inside, xmlns=XMLNS):
    return ('<?xml version="1.0" encoding="UTF-8"?>\n<%s xmlns="%s">%s</%s>'
            % (name, xmlns, ''.join(inside), name))


def error(code, message, **more):
    return ('<?xml version="1.0" encoding="UTF-8"?>\n<Error>%s</Error>'
            % elements({'Code': code, 'Message': message, **more}))


def xml_time(when):
    return time.strftime('%Y-%m-%dT%H:%M:%S.000Z', time.gmtime(when))


def http_time(when):
    day = ('Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun')
    month = ('Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec')
    t = time.gmtime(when)  # not strftime: its names follow the locale
    return '%s, %02d %s %d %02d:%02d:%02d GMT' % (
        day[t.tm_wday], t.tm_mday, month[t.tm_mon - 1], t.tm_year, t.tm_hour, t.tm_min, t.tm_sec)


def tags(text):
    """the entity tags of an If-Match or If-None-Match, quotes included"""
    return [tag.strip() for tag in text.split(',') if tag.strip()]


def asked_range(text, size):
    """(first, behind the last) of a single range; None: no range that has to be heeded.

    Raises ValueError for one that no byte of the object lies in."""
    unit, _, spec = text.partition('=')
    first, dash, last = spec.strip().partition('-')
    is_range = unit.strip() == 'bytes' and dash and (first + last).isdigit()
    if not is_range:
        return None
    if not first:
        begin, end = max(0, size - int(last)), size
    else:
        begin, end = int(first), min(size, int(last) + 1) if last else size
    if begin >= end:
        raise ValueError(text)
    return begin, end
