#!/usr/bin/env python3
"""nginx.py DIR [CERTS|auto]: serves DIR by a real nginx on 127.0.0.1, with byte ranges.

With certificates (made by make-certs.sh, or for this run with `auto`) over https too.  Prints one
line and runs until its stdin closes:
    http=PORT https=PORT ca=FILE log=FILE
/rate/N/FILE is DIR/FILE at N bytes a second for each connection, /paced/N/FILE the same evenly:
nginx gives the first second's bytes at once, but no more than 2 MB, and here 256 KiB.
/bench/set/resolve/ANY/FILE is DIR/set/FILE as the Hugging Face hub would serve it.
The log has a line a request:
    METHOD TARGET STATUS BODY_BYTES RANGE        (RANGE is - without one)
Ends with status 77 and a reason on stderr where there is no nginx."""
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import common  # noqa: E402

CONF = """daemon off;
%(user)s
worker_processes 1;
pid %(tmp)s/pid;
error_log %(tmp)s/error.log;
events { worker_connections 256; }
http {
  log_format brief '$request_method $request_uri $status $body_bytes_sent "$http_range"';
  access_log %(tmp)s/access.log brief;
  client_body_temp_path %(tmp)s/t1;
  proxy_temp_path %(tmp)s/t2;
  fastcgi_temp_path %(tmp)s/t3;
  uwsgi_temp_path %(tmp)s/t4;
  scgi_temp_path %(tmp)s/t5;
  types { text/plain txt; }
  default_type application/octet-stream;
  sendfile on;
  server {
    listen 127.0.0.1:%(http)d;
    %(tls)s
    location ~ ^/rate/(?<speed>[0-9]+)/(?<file>.*)$ {
      alias "%(dir)s/$file";
      limit_rate $speed;
    }
    location ~ ^/paced/(?<speed>[0-9]+)/(?<file>.*)$ {
      alias "%(dir)s/$file";
      limit_rate $speed;
      sendfile_max_chunk 256k;
    }
    location ~ ^/bench/set/resolve/[^/]+/(?<file>.*)$ {
      alias "%(dir)s/set/$file";
      add_header X-Repo-Commit 0123456789abcdef0123456789abcdef01234567;
    }
    location / { root "%(dir)s"; }
  }
}
"""


def program():
    found = shutil.which('nginx') or shutil.which('nginx', path='/usr/sbin:/usr/local/sbin')
    if not found:
        print('nginx is not installed', file=sys.stderr)
        sys.exit(77)
    return found


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def answers(port):
    try:
        socket.create_connection(('127.0.0.1', port), 1).close()
        return True
    except OSError:
        return False


def dies_with_parent():
    """so that no nginx outlives a killed test (Linux)"""
    os.setsid()
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def start(binary, folder, tmp, certificates):
    """(process, http port, https port); another program may take a free port first: tries again"""
    for _ in range(5):
        http, https = free_port(), free_port() if certificates else 0
        tls = ''
        if https:
            tls = 'listen 127.0.0.1:%d ssl; ssl_certificate %s; ssl_certificate_key %s;' % (
                https, certificates.pem('good'), certificates.pem('good'))
        conf = os.path.join(tmp, 'nginx.conf')
        with open(conf, 'w') as f:
            f.write(CONF % {'user': 'user root;' if os.geteuid() == 0 else '', 'tmp': tmp, 'http': http,
                            'tls': tls, 'dir': folder})
        child = subprocess.Popen([binary, '-p', tmp, '-c', conf, '-e', os.path.join(tmp, 'error.log')],
                                 stdin=subprocess.DEVNULL, preexec_fn=dies_with_parent)
        for _ in range(500):
            if child.poll() is not None:
                break
            if answers(http):
                return child, http, https
            time.sleep(.02)
    with open(os.path.join(tmp, 'error.log')) as f:
        sys.exit('nginx does not start: ' + f.read())


def main():
    binary = program()
    folder = os.path.abspath(sys.argv[1])
    certs = sys.argv[2] if len(sys.argv) > 2 else ''
    certificates = common.Certificates('' if certs == 'auto' else certs) if certs else None
    tmp = tempfile.mkdtemp(prefix='vqcache-nginx-')
    child, http, https = start(binary, folder, tmp, certificates)

    def stop():
        child.terminate()
        child.wait()
        shutil.rmtree(tmp, ignore_errors=True)
        if certificates:
            certificates.remove()

    common.run_until_stdin_closes(
        {'http': http, 'https': https, 'ca': certificates.pem('ca') if certificates else '',
         'log': os.path.join(tmp, 'access.log')}, stop)


if __name__ == '__main__':
    main()
