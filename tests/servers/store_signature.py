"""Signature version 4 as a strict store checks it, from the published description of S3.

It shares nothing with the library's own signer: it starts from the bytes that arrived.  It is
stricter than any one store is: what arrived must be spelt as it is signed, every header that says
what the request means must be signed, and the body must be the one whose digest was signed."""
import base64
import calendar
import hashlib
import hmac
import re
import time
import urllib.parse

from store_answers import Refused, xml_time

MAX_SKEW = 15 * 60
MUST_BE_SIGNED = {'host', 'content-type', 'content-md5', 'range', 'if-match', 'if-none-match',
                  'if-range', 'if-modified-since', 'if-unmodified-since'}
CREDENTIAL = re.compile(r'([^/,\s]+)/(\d{8})/([^/,\s]+)/([^/,\s]+)/aws4_request')
LINE = re.compile(r'AWS4-HMAC-SHA256\s+Credential=([^,\s]+)\s*,\s*SignedHeaders=([^,\s]+)\s*,'
                  r'\s*Signature=([0-9a-f]{64})')


class Key:
    """a secret, and for a session its token and the time at which it expires"""

    def __init__(self, secret, token='', expires=None):
        self.secret, self.token, self.expires = secret, token, expires


def as_signed(text, safe):
    return urllib.parse.quote(urllib.parse.unquote_to_bytes(text), safe=safe)


def mismatch(message, **more):
    return Refused(403, 'SignatureDoesNotMatch', message, **more)


def malformed(message, **more):
    return Refused(400, 'AuthorizationHeaderMalformed',
                   'The authorization header is malformed; ' + message, **more)


def canonical_path(raw):
    if as_signed(raw, '/') != raw:
        raise mismatch('The path is not spelt as it has to be signed: %s' % as_signed(raw, '/'))
    return raw


def canonical_query(raw):
    pairs = []
    for part in raw.split('&') if raw else []:
        name, _, value = part.partition('=')
        if not name or as_signed(name, '') != name or as_signed(value, '') != value:
            raise mismatch('The query is not spelt as it has to be signed: %s' % part)
        pairs.append((name, value))
    return '&'.join('%s=%s' % pair for pair in sorted(pairs))


def canonical_headers(pairs, names):
    values = {}
    for name, value in pairs:
        values.setdefault(name.lower(), []).append(' '.join(value.split()))
    missing = [name for name in names if name not in values]
    if missing:
        raise mismatch('Signed, but not sent: %s' % ', '.join(missing))
    return ''.join('%s:%s\n' % (name, ','.join(values[name])) for name in names)


def signing_key(secret, day, region, service='s3'):
    key = b'AWS4' + secret.encode()
    for part in (day, region, service, 'aws4_request'):
        key = hmac.digest(key, part.encode(), 'sha256')
    return key


def seconds_of(stamp):
    """of a stamp like 20130524T000000Z; None: it is none"""
    try:
        return calendar.timegm(time.strptime(stamp, '%Y%m%dT%H%M%SZ'))
    except ValueError:
        return None


def check_time(stamp, day, now):
    when = seconds_of(stamp)
    if when is None:
        raise Refused(403, 'AccessDenied', 'A valid x-amz-date is required')
    if not stamp.startswith(day):
        raise malformed('the date of its scope is not that of x-amz-date')
    if abs(when - now) > MAX_SKEW:
        raise Refused(403, 'RequestTimeTooSkewed', 'The difference between the request time and '
                      "the store's time is too large", RequestTime=stamp, ServerTime=xml_time(now),
                      MaxAllowedSkewMilliseconds=MAX_SKEW * 1000)


def check_names(request, names):
    if names != sorted(set(names)) or any(name != name.lower() for name in names):
        raise malformed('SignedHeaders is not sorted, not in lower case, or names one twice')
    sent = {name.lower() for name, _ in request.pairs}
    unsigned = sorted(name for name in sent
                      if (name in MUST_BE_SIGNED or name.startswith('x-amz-'))
                      and name not in names)
    if unsigned:
        raise Refused(403, 'AccessDenied', 'There were headers present in the request which were '
                      'not signed', HeadersNotSigned=', '.join(unsigned))
    if sum(name.lower() == 'host' for name, _ in request.pairs) != 1:
        raise Refused(400, 'InvalidRequest', 'Host has to be sent once')


def check_token(request, key, now):
    token = request.h.get('x-amz-security-token', '')
    if not hmac.compare_digest(token.encode(), key.token.encode()):
        raise Refused(400, 'InvalidToken', 'The provided token is malformed or otherwise invalid.')
    if key.expires is not None and now > key.expires:
        raise Refused(400, 'ExpiredToken', 'The provided token has expired.')


def check_digest(request):
    """what the request says its body is, before the body has come"""
    digest = request.h.get('x-amz-content-sha256')
    if digest is None:
        raise Refused(400, 'InvalidRequest',
                      'Missing required header for this request: x-amz-content-sha256')
    if not re.fullmatch('[0-9a-f]{64}', digest):  # UNSIGNED-PAYLOAD and STREAMING-... too
        raise Refused(400, 'InvalidRequest', 'x-amz-content-sha256 must be the SHA-256 of the body')


def check_head(request, keys, region, now):
    """raises Refused; the id of the key when the signature is right"""
    line = request.h.get('authorization')
    if line is None:
        raise Refused(403, 'AccessDenied', 'Access Denied')
    read = LINE.fullmatch(line)
    scope = CREDENTIAL.fullmatch(read[1]) if read else None
    if not scope:
        raise malformed('it does not read as AWS4-HMAC-SHA256 does')
    key_id, day, asked_region, service = scope.groups()
    if key_id not in keys:
        raise Refused(403, 'InvalidAccessKeyId', 'The access key id does not exist in our records.',
                      AWSAccessKeyId=key_id)
    if service != 's3':
        raise malformed("the service '%s' is wrong; expecting 's3'" % service)
    if asked_region != region:
        raise malformed("the region '%s' is wrong; expecting '%s'" % (asked_region, region),
                        headers={'x-amz-bucket-region': region}, Region=region)

    stamp, names = request.h.get('x-amz-date', ''), read[2].split(';')
    check_time(stamp, day, now)
    check_digest(request)
    check_names(request, names)
    check_token(request, keys[key_id], now)

    canonical = '\n'.join([request.method, canonical_path(request.raw_path),
                           canonical_query(request.raw_query),
                           canonical_headers(request.pairs, names), read[2],
                           request.h['x-amz-content-sha256']])
    to_sign = '\n'.join(['AWS4-HMAC-SHA256', stamp, read[1].partition('/')[2],
                         hashlib.sha256(canonical.encode('latin1')).hexdigest()])
    secret = signing_key(keys[key_id].secret, day, asked_region)
    right = hmac.new(secret, to_sign.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(right, read[3]):
        raise mismatch('The request signature we calculated does not match the signature you '
                       'provided. Check your key and signing method.', AWSAccessKeyId=key_id,
                       StringToSign=to_sign, SignatureProvided=read[3], CanonicalRequest=canonical)
    return key_id


def check_body(request):
    """the body is the one that was signed, and the one whose MD5 was told"""
    digest = hashlib.sha256(request.body).hexdigest()
    if digest != request.h['x-amz-content-sha256']:
        raise Refused(400, 'XAmzContentSHA256Mismatch',
                      "The provided 'x-amz-content-sha256' does not match what was computed.",
                      ClientComputedContentSHA256=request.h['x-amz-content-sha256'],
                      S3ComputedContentSHA256=digest)
    told = request.h.get('content-md5')
    if told is None:
        return
    try:
        md5 = base64.b64decode(told, validate=True)
    except ValueError:
        md5 = b''
    if len(md5) != 16:
        raise Refused(400, 'InvalidDigest', 'The Content-MD5 you specified is not valid.')
    if md5 != hashlib.md5(request.body).digest():
        raise Refused(400, 'BadDigest',
                      'The Content-MD5 you specified did not match what we received.')
