"""The three services of store.py that hand out keys: a machine's, a container's and STS.

    machine    PUT /latest/api/token, then GET /latest/meta-data/iam/security-credentials/[ROLE]
               and /latest/meta-data/placement/region, each with that token (IMDSv2)
    container  GET /container/ANYTHING, with the Authorization that was agreed on
    web        GET or POST /?Action=AssumeRoleWithWebIdentity&..., unsigned

What they hand out, the S3 of the same server takes.  Facts that a test may alter (/control/issue):
source=machine|container|web (all three without it), id, secret, token, seconds of validity (below
0: expired), role, and what is expected: web_token, container_token; machine=off answers 404."""
import json
import os
import re
import urllib.parse

import store_signature
from store_answers import Answer, Refused, document, element, elements, xml_time

STS = 'https://sts.amazonaws.com/doc/2011-06-15/'


class StsRefused(Refused):
    def answer(self, request):
        inside = element('Error', elements({'Type': 'Sender', 'Code': self.code,
                                            'Message': self.message}))
        body = document('ErrorResponse', inside, elements({'RequestId': request.number}), xmlns=STS)
        return Answer(self.status, body, kind='text/xml')


class Issued:
    """the keys of one source"""

    def __init__(self, source):
        self.id = 'ASIA' + source.upper()
        self.secret = 'secret-of-the-' + source
        self.token = 'session-token-of-the-' + source
        self.seconds = 3600


class Credentials:
    name = 'keys'

    def __init__(self, clock, s3):
        self.clock, self.s3 = clock, s3
        self.forget()

    def forget(self):
        self.sources = {name: Issued(name) for name in ('machine', 'container', 'web')}
        self.role, self.machine = 'test-role', 'on'
        self.web_token, self.container_token = 'web-identity-token', 'container-token'
        self.tokens = set()

    def alter(self, facts):
        """what /control/issue says"""
        facts = dict(facts)
        chosen = facts.pop('source', None)
        sources = [self.sources[chosen]] if chosen else list(self.sources.values())
        for name, value in facts.items():
            if name in ('role', 'machine', 'web_token', 'container_token'):
                setattr(self, name, value)
            elif name in ('id', 'secret', 'token', 'seconds'):
                for source in sources:
                    setattr(source, name, int(value) if name == 'seconds' else value)
            else:
                raise ValueError('no such fact: ' + name)

    def locate(self, request):
        request.key = urllib.parse.unquote(request.raw_path)

    def admit(self, request):
        self.locate(request)

    def foresee(self, request):
        pass

    def answer(self, request):
        if request.key.startswith('/latest/'):
            return self.of_machine(request)
        if request.key.startswith('/container/'):
            return self.of_container(request)
        form = urllib.parse.parse_qs(request.body.decode('latin1'))
        asked = {**request.query, **{name: values[0] for name, values in form.items()}}
        if 'Action' in asked:
            return self.of_web(request, asked)
        raise Refused(404, 'NotFound', 'No such service')

    def issue(self, source, request):
        issued = self.sources[source]
        expires = self.clock() + issued.seconds
        self.s3.keys[issued.id] = store_signature.Key(issued.secret, issued.token, expires)
        request.has_effect()
        return {'AccessKeyId': issued.id, 'SecretAccessKey': issued.secret, 'Token': issued.token,
                'Expiration': re.sub(r'\.\d+Z', 'Z', xml_time(expires))}

    def of_machine(self, request):
        if self.machine == 'off':
            raise Refused(404, 'NotFound', 'Not found')
        if request.key == '/latest/api/token':
            return self.machine_token(request)
        if request.h.get('x-aws-ec2-metadata-token') not in self.tokens:
            raise Refused(401, 'Unauthorized', 'Version 2 asks for a token')
        rest = request.key[len('/latest/meta-data/'):]
        if rest == 'placement/region':
            return Answer(200, self.s3.region, kind='text/plain')
        if rest == 'iam/security-credentials/':
            return Answer(200, self.role, kind='text/plain')
        if rest == 'iam/security-credentials/' + self.role:
            return self.as_json({'Code': 'Success', 'Type': 'AWS-HMAC',
                                 'LastUpdated': re.sub(r'\.\d+Z', 'Z', xml_time(self.clock())),
                                 **self.issue('machine', request)})
        raise Refused(404, 'NotFound', 'Not found')

    def machine_token(self, request):
        if request.method != 'PUT':
            raise Refused(405, 'MethodNotAllowed', 'A token is PUT')
        seconds = request.h.get('x-aws-ec2-metadata-token-ttl-seconds', '')
        if not seconds.isdigit() or not 1 <= int(seconds) <= 21600:
            raise Refused(400, 'BadRequest', 'x-aws-ec2-metadata-token-ttl-seconds: 1 to 21600')
        if 'x-forwarded-for' in request.h:
            raise Refused(403, 'Forbidden', 'Not for a proxy')
        token = os.urandom(20).hex()
        self.tokens.add(token)
        return Answer(200, token, {'x-aws-ec2-metadata-token-ttl-seconds': seconds}, 'text/plain')

    def of_container(self, request):
        if request.method != 'GET':
            raise Refused(405, 'MethodNotAllowed', 'Keys are fetched by GET')
        if self.container_token and request.h.get('authorization') != self.container_token:
            raise Refused(403, 'Forbidden', 'The Authorization is not the one that was agreed on')
        return self.as_json({'RoleArn': 'arn:aws:iam::1:role/' + self.role,
                             **self.issue('container', request)})

    def of_web(self, request, asked):
        if 'authorization' in request.h:
            raise StsRefused(400, 'InvalidAction', 'This is asked without a signature')
        if asked['Action'] != 'AssumeRoleWithWebIdentity' or asked.get('Version') != '2011-06-15':
            raise StsRefused(400, 'InvalidAction', 'Known: AssumeRoleWithWebIdentity of 2011-06-15')
        for name in ('RoleArn', 'RoleSessionName', 'WebIdentityToken'):
            if not asked.get(name):
                raise StsRefused(400, 'ValidationError', name + ' is missing')
        if not re.fullmatch(r'[\w+=,.@-]{2,64}', asked['RoleSessionName'], re.ASCII):
            raise StsRefused(400, 'ValidationError', 'RoleSessionName: 2 to 64 of A-Za-z0-9_+=,.@-')
        if asked['WebIdentityToken'] != self.web_token:
            raise StsRefused(400, 'InvalidIdentityToken', 'The token is not the one issued')
        keys = self.issue('web', request)
        keys['SessionToken'] = keys.pop('Token')
        inside = element('AssumeRoleWithWebIdentityResult', element('Credentials', elements(keys)))
        return Answer(200, document('AssumeRoleWithWebIdentityResponse', inside, xmlns=STS),
                      kind='text/xml')

    @staticmethod
    def as_json(facts):
        return Answer(200, json.dumps(facts), kind='application/json')
