"""The S3 of store.py: buckets in memory, conditional writes, parts; strictly signed.

What a way of store.py switches on is asked for by request.does('...') where it matters."""
import hashlib
import os
import re
import threading
import time
import urllib.parse
import xml.etree.ElementTree

import store_signature
from store_answers import (Answer, Refused, asked_range, document, element, elements, escaped,
                           http_time, tags, xml_time)

LEAST_PART = 5 << 20
MOST_LISTED = 1000
NOT_OURS = ('acl', 'cors', 'delete', 'lifecycle', 'policy', 'select', 'tagging', 'torrent',
            'versionId', 'versioning', 'versions', 'website')


class Object:
    def __init__(self, data, etag, headers, modified):
        self.data, self.etag, self.modified = data, etag, modified
        self.headers = {k: v for k, v in headers.items()
                        if k.startswith('x-amz-meta-') or k == 'content-type'}


class Upload:
    def __init__(self, key, headers, begun):
        self.key, self.headers, self.begun = key, headers, begun
        self.parts = {}  # number: (bytes, etag)


class Bucket:
    def __init__(self):
        self.objects, self.uploads = {}, {}


def md5_tag(data):
    return '"%s"' % hashlib.md5(data).hexdigest()


def parts_tag(parts):
    whole = b''.join(bytes.fromhex(hashlib.md5(data).hexdigest()) for data in parts)
    return '"%s-%d"' % (hashlib.md5(whole).hexdigest(), len(parts))


def random_tag():
    return '"%s"' % os.urandom(20).hex()


def no_such_key(key):
    return Refused(404, 'NoSuchKey', 'The specified key does not exist.', Key=key)


def no_such_upload():
    return Refused(404, 'NoSuchUpload', 'The specified multipart upload does not exist.')


def failed_condition(which):
    return Refused(412, 'PreconditionFailed',
                   'At least one of the pre-conditions you specified did not hold', Condition=which)


class S3:
    name = 's3'

    def __init__(self, clock, domain):
        self.clock, self.domain = clock, domain
        self.lock = threading.Lock()
        self.keys, self.buckets, self.regions = {}, {}, {}
        self.region, self.least_part, self.most_listed = 'us-east-1', LEAST_PART, MOST_LISTED

    # ---- what is asked of which object ----

    def locate(self, request):
        """the bucket and the key, by path or by host; request.key is /BUCKET/KEY whichever it is"""
        host = re.sub(r':\d+$', '', request.h.get('host', ''))
        path = urllib.parse.unquote(request.raw_path)[1:]
        found = re.fullmatch(r'(.+)\.(?:%s|s3[.-][a-z0-9.-]*amazonaws\.com)'
                             % re.escape(self.domain), host)
        if found:
            path = found[1] + '/' + path
        request.bucket, _, request.object = path.partition('/')
        request.key = '/' + path

    def admit(self, request):
        self.locate(request)
        region = self.regions.get(request.bucket, self.region)
        request.key_id = store_signature.check_head(request, self.keys, region, self.clock())

    def foresee(self, request):
        """the error of a request whose body has not come yet, as far as its head tells"""
        if request.method == 'PUT' and request.object and 'uploadId' not in request.query:
            self.judge(request, self.bucket(request).objects.get(request.object))

    def answer(self, request):
        if not request.does('unsigned'):
            store_signature.check_body(request)
        refused = [name for name in request.h
                   if name.startswith(('x-amz-checksum', 'x-amz-copy', 'x-amz-trailer'))]
        if refused or 'aws-chunked' in request.h.get('content-encoding', ''):
            raise Refused(501, 'NotImplemented', 'A header you provided implies functionality that '
                          'is not implemented', Header=', '.join(refused))
        if any(name in request.query for name in NOT_OURS):
            raise Refused(501, 'NotImplemented', 'No such thing here')
        if not request.bucket:
            return self.list_buckets(request)
        return self.on_object(request) if request.object else self.on_bucket(request)

    def bucket(self, request):
        if request.bucket not in self.buckets:
            raise Refused(404, 'NoSuchBucket', 'The specified bucket does not exist',
                          BucketName=request.bucket)
        return self.buckets[request.bucket]

    def on_object(self, request):
        query, what = request.query, None
        if request.method == 'POST':
            what = (self.begin if 'uploads' in query else
                    self.complete if 'uploadId' in query else None)
        elif request.method == 'PUT':
            what = self.put_part if 'uploadId' in query else self.put
        elif request.method == 'DELETE':
            what = self.abort if 'uploadId' in query else self.delete
        elif request.method in ('GET', 'HEAD'):
            what = self.list_parts if 'uploadId' in query else self.get
        if not what:
            raise Refused(405, 'MethodNotAllowed', 'The method is not allowed against this.')
        return what(request)

    # ---- objects ----

    def judge(self, request, there):
        """raises Refused when a condition of a write does not hold; there: the object, or None"""
        none_match, match = request.h.get('if-none-match'), request.h.get('if-match')
        if none_match is not None and none_match != '*':
            raise Refused(501, 'NotImplemented', 'If-None-Match of a write has to be *')
        if none_match and there and not request.does('conditions_ignored'):
            raise failed_condition('If-None-Match')
        if match is None or request.does('conditions_ignored'):
            return
        if not there and not request.does('if_match_unquoted'):
            raise no_such_key(request.object)
        etag = there.etag if there else ''
        if request.does('if_match_unquoted'):  # Ceph 16
            etag = etag.strip('"')
        if not there or (match != '*' and etag not in tags(match)):
            raise failed_condition('If-Match')

    def write(self, request, made):
        """the object takes its place, if the conditions hold; both in one step, but for the racy"""
        objects = self.bucket(request).objects
        if request.does('conditions_racy'):
            self.judge(request, objects.get(request.object))
            time.sleep(.1)
            with self.lock:
                objects[request.object] = made
        else:
            with self.lock:
                self.judge(request, objects.get(request.object))
                if not request.does('forgets'):
                    objects[request.object] = made
        request.has_effect()

    def tag_of(self, request, right):
        return random_tag() if request.does('etag_not_md5') else right

    def put(self, request):
        data = request.body
        if request.does('stores_half'):
            data = data[:len(data) // 2]
        etag = self.tag_of(request, md5_tag(request.body))
        self.write(request, Object(data, etag, request.h, self.clock()))
        return Answer(200, b'', {'ETag': etag})

    def delete(self, request):
        objects = self.bucket(request).objects
        with self.lock:
            there = objects.get(request.object)
            if there and 'if-match' in request.h:
                self.judge(request, there)
            objects.pop(request.object, None)
        request.has_effect()
        return Answer(204)

    def get(self, request):
        there = self.bucket(request).objects.get(request.object)
        if not there:
            raise no_such_key(request.object)
        match, none_match = request.h.get('if-match'), request.h.get('if-none-match')
        if match and match != '*' and there.etag not in tags(match):
            if not request.does('get_conditions_ignored'):
                raise failed_condition('If-Match')
        headers = {'ETag': there.etag, 'Last-Modified': http_time(there.modified),
                   'Accept-Ranges': 'bytes', **there.headers}
        if none_match and (none_match == '*' or there.etag in tags(none_match)):
            return Answer(304, b'', {'ETag': there.etag})
        headers.setdefault('content-type', 'binary/octet-stream')
        if 'range' not in request.h or request.does('ranges_ignored'):
            return Answer(200, there.data, headers)
        try:
            part = asked_range(request.h['range'], len(there.data))
        except ValueError:
            raise Refused(416, 'InvalidRange', 'The requested range is not satisfiable',
                          ActualObjectSize=len(there.data)) from None
        if not part:
            return Answer(200, there.data, headers)
        headers['Content-Range'] = 'bytes %d-%d/%d' % (part[0], part[1] - 1, len(there.data))
        return Answer(206, there.data[part[0]:part[1]], headers)

    # ---- uploads in parts ----

    def upload(self, request):
        uploads = self.bucket(request).uploads
        found = uploads.get(request.query['uploadId'])
        if not found or found.key != request.object:
            raise no_such_upload()
        return found

    def begin(self, request):
        name = os.urandom(16).hex()
        with self.lock:
            self.bucket(request).uploads[name] = Upload(request.object, request.h, self.clock())
        request.has_effect()
        return Answer(200, document('InitiateMultipartUploadResult', elements(
            {'Bucket': request.bucket, 'Key': request.object, 'UploadId': name})),
            kind='application/xml')

    def put_part(self, request):
        number = request.query.get('partNumber', '')
        if not number.isdigit() or not 1 <= int(number) <= 10000:
            raise Refused(400, 'InvalidArgument', 'Part number must be from 1 to 10000')
        data = request.body
        if request.does('stores_half'):
            data = data[:len(data) // 2]
        etag = self.tag_of(request, md5_tag(request.body))
        with self.lock:
            self.upload(request).parts[int(number)] = (data, etag)
        request.has_effect()
        return Answer(200, b'', {'ETag': etag})

    def chosen_parts(self, request, upload):
        """the parts that a completion lists, in their order"""
        try:
            root = xml.etree.ElementTree.fromstring(request.body)
        except xml.etree.ElementTree.ParseError:
            raise Refused(400, 'MalformedXML', 'The XML you provided was not well-formed') from None
        listed = []
        for part in root.iter():
            if part.tag.rpartition('}')[2] != 'Part':
                continue
            said = {child.tag.rpartition('}')[2]: (child.text or '').strip() for child in part}
            listed.append((int(said.get('PartNumber', '0')), said.get('ETag', '').strip('"')))
        if not listed:
            raise Refused(400, 'MalformedXML', 'No part is listed')
        if [number for number, _ in listed] != sorted({number for number, _ in listed}):
            raise Refused(400, 'InvalidPartOrder', 'The list of parts was not in ascending order.')
        for number, etag in listed:
            if number not in upload.parts or upload.parts[number][1].strip('"') != etag:
                raise Refused(400, 'InvalidPart', 'One or more of the specified parts could not be '
                              'found.', PartNumber=number)
        parts = [upload.parts[number][0] for number, _ in listed]
        for number, data in enumerate(parts[:-1]):
            if len(data) < self.least_part:
                raise Refused(400, 'EntityTooSmall', 'Your proposed upload is smaller than the '
                              'minimum allowed size', PartNumber=listed[number][0])
        return parts

    def complete(self, request):
        upload = self.upload(request)
        parts = self.chosen_parts(request, upload)
        etag = self.tag_of(request, parts_tag(parts))
        made = Object(b''.join(parts), etag, upload.headers, self.clock())
        if request.does('complete_conditions_ignored'):  # Ceph 16, s3proxy
            request.h.pop('if-none-match', None)
            request.h.pop('if-match', None)
        self.write(request, made)
        with self.lock:
            self.bucket(request).uploads.pop(request.query['uploadId'], None)
        return Answer(200, document('CompleteMultipartUploadResult', elements(
            {'Location': request.key, 'Bucket': request.bucket, 'Key': request.object,
             'ETag': etag})), kind='application/xml')

    def abort(self, request):
        with self.lock:
            self.upload(request)
            del self.bucket(request).uploads[request.query['uploadId']]
        request.has_effect()
        return Answer(204)

    def list_parts(self, request):
        upload = self.upload(request)
        rows = [element('Part', elements({'PartNumber': number, 'ETag': etag, 'Size': len(data)}))
                for number, (data, etag) in sorted(upload.parts.items())]
        head = elements({'Bucket': request.bucket, 'Key': request.object,
                         'UploadId': request.query['uploadId'], 'IsTruncated': 'false'})
        return Answer(200, document('ListPartsResult', head, *rows), kind='application/xml')

    # ---- buckets ----

    def on_bucket(self, request):
        if request.method == 'PUT':
            return self.make_bucket(request)
        bucket = self.bucket(request)
        region = {'x-amz-bucket-region': self.regions.get(request.bucket, self.region)}
        if request.method == 'HEAD':
            return Answer(200, b'', region)
        if request.method == 'DELETE':
            if bucket.objects:
                raise Refused(409, 'BucketNotEmpty', 'The bucket you tried to delete is not empty')
            with self.lock:
                self.buckets.pop(request.bucket, None)
            request.has_effect()
            return Answer(204)
        if request.method != 'GET':
            raise Refused(405, 'MethodNotAllowed', 'The method is not allowed against this.')
        if 'location' in request.query:
            return Answer(200, document('LocationConstraint', region['x-amz-bucket-region']),
                          kind='application/xml')
        if 'uploads' in request.query:
            return self.list_uploads(request)
        if request.query.get('list-type') == '2':
            return self.list_objects(request)
        raise Refused(501, 'NotImplemented', 'Lists are of list-type=2 here')

    def make_bucket(self, request):
        with self.lock:
            if request.bucket in self.buckets:
                raise Refused(409, 'BucketAlreadyOwnedByYou', 'It exists, and you own it.')
            self.buckets[request.bucket] = Bucket()
        request.has_effect()
        return Answer(200, b'', {'Location': '/' + request.bucket})

    def list_buckets(self, request):
        if request.method != 'GET':
            raise Refused(405, 'MethodNotAllowed', 'The method is not allowed against this.')
        rows = [element('Bucket', elements({'Name': name})) for name in sorted(self.buckets)]
        return Answer(200, document('ListAllMyBucketsResult', element('Buckets', *rows)),
                      kind='application/xml')

    def list_uploads(self, request):
        prefix = request.query.get('prefix', '')
        after = (request.query.get('key-marker', ''), request.query.get('upload-id-marker', ''))
        most = min(int(request.query.get('max-uploads') or self.most_listed), self.most_listed)
        found = sorted((upload.key, name, upload.begun)
                       for name, upload in self.bucket(request).uploads.items()
                       if upload.key.startswith(prefix) and (upload.key, name) > after)
        head = {'Bucket': request.bucket, 'Prefix': prefix, 'IsTruncated': 'false'}
        if len(found) > most:
            head.update(IsTruncated='true', NextKeyMarker=found[most - 1][0],
                        NextUploadIdMarker=found[most - 1][1])
        rows = [element('Upload', elements({'Key': key, 'UploadId': name,
                                            'Initiated': xml_time(begun)}))
                for key, name, begun in found[:most]]
        return Answer(200, document('ListMultipartUploadsResult', elements(head), *rows),
                      kind='application/xml')

    def list_objects(self, request):
        query = request.query
        prefix, delimiter = query.get('prefix', ''), query.get('delimiter', '')
        after = query.get('continuation-token') or query.get('start-after', '')
        most = min(int(query.get('max-keys') or self.most_listed), self.most_listed)
        encode = urllib.parse.quote if query.get('encoding-type') == 'url' else str
        with self.lock:
            objects = dict(self.bucket(request).objects)

        rows, groups, last = [], set(), ''
        is_cut = False
        for key in sorted(objects):
            rest = key[len(prefix):]
            group = ''
            if delimiter and delimiter in rest:
                group = prefix + rest.split(delimiter)[0] + delimiter
            is_new = key > after and not (group and after.startswith(group))
            if not key.startswith(prefix) or not is_new or group in groups:
                continue
            if len(rows) == most:
                is_cut = True
                break
            last = key
            if group:
                groups.add(group)
                last = group
                rows.append(element('CommonPrefixes', element('Prefix', escaped(encode(group)))))
            else:
                one = objects[key]
                rows.append(element('Contents', elements(
                    {'Key': encode(key), 'LastModified': xml_time(one.modified), 'ETag': one.etag,
                     'Size': len(one.data), 'StorageClass': 'STANDARD'})))
        head = {'Name': request.bucket, 'Prefix': encode(prefix), 'KeyCount': len(rows),
                'MaxKeys': most, 'IsTruncated': 'true' if is_cut else 'false'}
        if is_cut:
            head['NextContinuationToken'] = last
        return Answer(200, document('ListBucketResult', elements(head), *rows),
                      kind='application/xml')
