#!/usr/bin/env python3
"""plain.py DIR [CERTS|auto]: serves DIR by Python's http.server on 127.0.0.1: no ranges, no ETag.

The same interface as nginx.py, without /rate/: prints one line and runs until its stdin closes:
    http=PORT https=PORT ca=FILE log=FILE"""
import functools
import http.server
import os
import shutil
import ssl
import sys
import tempfile
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import common  # noqa: E402


class Handler(http.server.SimpleHTTPRequestHandler):
    log = None

    def log_request(self, code='-', size='-'):
        code = getattr(code, 'value', code)
        line = '%s %s %s - "%s"\n' % (self.command, self.path, code, self.headers.get('Range', '-'))
        self.log.write(line)
        self.log.flush()

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        pass  # the client went away


def listen(folder, pem=''):
    server = Server(('127.0.0.1', 0), functools.partial(Handler, directory=folder))
    if pem:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def main():
    folder = os.path.abspath(sys.argv[1])
    certs = sys.argv[2] if len(sys.argv) > 2 else ''
    certificates = common.Certificates('' if certs == 'auto' else certs) if certs else None
    tmp = tempfile.mkdtemp(prefix='vqcache-plain-')
    Handler.log = open(os.path.join(tmp, 'access.log'), 'w')

    def stop():
        shutil.rmtree(tmp, ignore_errors=True)
        if certificates:
            certificates.remove()

    pem = certificates.pem('good') if certificates else ''
    common.run_until_stdin_closes(
        {'http': listen(folder), 'https': listen(folder, pem) if pem else 0,
         'ca': certificates.pem('ca') if certificates else '', 'log': Handler.log.name}, stop)


if __name__ == '__main__':
    main()
