#!/usr/bin/env python3
"""record.py [TOOL]: makes recording.svg, beside this file, of the real tool in a real terminal.

TOOL is examples/vqcache.cpp, compiled; without it c++ or $CXX compiles it. A shell in a pseudo-terminal gets
what SESSION says, typed; an origin on 127.0.0.1 serves a model that is made here; no other network is used.
Commands and output are what the terminal showed, at the pace at which it did: only the typing is ours. It
needs a POSIX system and curl. For an image that is the same wherever it is made, directory and port are fixed."""
import fcntl
import functools
import hashlib
import html
import http.server
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
PLACE = pathlib.Path("/tmp/vqcache-recording")
PORT = 8973
COLUMNS, ROWS = 92, 30
RATE = 24e6  # bytes a second, of the origin
SESSION = (
    "URL=http://127.0.0.1:%d" % PORT,
    "vqcache get my_vqgan $URL/my.yaml $URL/my.ckpt",
    "rm -r content/models    # the notebook's disk is wiped",
    "kill $ORIGIN            # and the model's host is gone",
    "curl -sS $URL/my.ckpt",
    "vqcache get my_vqgan",
    "vqcache verify my_vqgan",
)
TYPED_EACH, BEFORE_ENTER, AFTER_ANSWER, AT_END = 0.12, 0.4, 0.9, 6.0  # seconds
PROMPT = "$ "
LIMIT = 60  # seconds that a command may take


# ---- the origin ----------------------------------------------------------------------------------

class Handler(http.server.SimpleHTTPRequestHandler):
    def copyfile(self, source, outputfile):
        began, sent = time.monotonic(), 0
        try:
            for block in iter(functools.partial(source.read, 1 << 17), b""):
                outputfile.write(block)
                sent += len(block)
                time.sleep(max(0.0, began + sent / RATE - time.monotonic()))
        except ConnectionError:  # of a second connection, which no parts were to be had over
            pass

    def log_message(self, *_):
        pass


def serve(folder):
    handler = functools.partial(Handler, directory=folder)
    http.server.ThreadingHTTPServer(("127.0.0.1", PORT), handler).serve_forever()


def make_model(folder):
    """A config, and a checkpoint in PyTorch's zip layout whose bytes are the same each time."""
    config = "model:\n  target: taming.models.vqgan.VQModel\n  params:\n    embed_dim: 256\n    n_embed: 1024\n"
    (folder / "my.yaml").write_text(config)
    block = b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(1 << 15))
    with zipfile.ZipFile(folder / "my.ckpt", "w") as archive:
        for number in range(64):
            entry = zipfile.ZipInfo("archive/data/%d" % number, (2026, 1, 1, 0, 0, 0))
            archive.writestr(entry, block)
    for name in ("my.yaml", "my.ckpt"):
        os.utime(folder / name, (1.7e9, 1.7e9))


# ---- the terminal --------------------------------------------------------------------------------

class Screen:
    """What a terminal shows: as much of one as a shell and the tool use."""
    ESCAPE = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])")

    def __init__(self):
        self.rows = [[" "] * COLUMNS for _ in range(ROWS)]
        self.row = self.column = 0

    def lines(self):
        return ["".join(row).rstrip() for row in self.rows]

    def put(self, text):
        at = 0
        while at < len(text):
            escape = self.ESCAPE.match(text, at)
            if escape:
                if escape.group(2) == "K" and escape.group(1) in ("", "0"):
                    self.rows[self.row][self.column:] = [" "] * (COLUMNS - self.column)
                at = escape.end()
                continue
            self.put_one(text[at])
            at += 1

    def put_one(self, one):
        if one == "\r":
            self.column = 0
        elif one == "\n":
            self.row += 1
        elif one == "\b":
            self.column = max(0, self.column - 1)
        elif one >= " ":
            if self.column == COLUMNS:
                self.row, self.column = self.row + 1, 0
            self.rows[self.row][self.column] = one
            self.column += 1
        if self.row == ROWS:
            raise SystemExit("more lines than the terminal has:\n" + "\n".join(self.lines()))


class Recorder:
    def __init__(self, terminal):
        self.terminal, self.screen = terminal, Screen()
        self.frames, self.began, self.tail = [], time.monotonic(), ""

    def read(self, seconds, until=None):
        """Shows what comes within these seconds, or until the prompt stands there."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if until and self.tail.endswith(until):
                return True
            wait = max(0.0, min(0.1, end - time.monotonic()))
            if not select.select([self.terminal], [], [], wait)[0]:
                continue
            got = os.read(self.terminal, 65536).decode("utf-8", "replace")
            self.tail = (self.tail + got)[-200:]
            self.screen.put(got)
            lines = self.screen.lines()
            if not self.frames or self.frames[-1][1] != lines:
                self.frames.append((time.monotonic() - self.began, lines))
        return bool(until and self.tail.endswith(until))

    def type(self, command):
        for at in range(0, len(command), 3):
            os.write(self.terminal, command[at:at + 3].encode())
            self.read(TYPED_EACH)
        self.read(BEFORE_ENTER)
        self.tail = ""
        os.write(self.terminal, b"\r")
        if not self.read(LIMIT, "\n" + PROMPT):
            raise SystemExit("no end of %r in %d s:\n%s" % (command, LIMIT, "\n".join(self.screen.lines())))
        self.read(AFTER_ANSWER)


def record(tool, origin):
    environment = {
        "PATH": "%s:/usr/bin:/bin" % tool.parent, "HOME": str(PLACE), "PS1": PROMPT, "TERM": "xterm",
        "LC_ALL": "C.UTF-8", "ORIGIN": str(origin.pid), "no_proxy": "127.0.0.1"}
    child, terminal = pty.fork()
    if child == 0:
        try:
            os.chdir(PLACE)
            os.execve("/bin/sh", ["sh", "-i"], environment)
        finally:
            os._exit(127)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    try:
        recorder = Recorder(terminal)
        if not recorder.read(10, PROMPT):
            raise SystemExit("/bin/sh shows no prompt")
        recorder.frames, recorder.began = [(0.0, recorder.screen.lines())], time.monotonic()
        for command in SESSION:
            recorder.type(command)
        return recorder.frames
    finally:
        os.kill(child, signal.SIGHUP)
        os.close(terminal)
        os.waitpid(child, 0)


# ---- the image -----------------------------------------------------------------------------------

def lives_of(frames, end):
    """(row, text, from, to) for each text that a row has shown."""
    lives, now = [], {}
    for when, lines in frames + [(end, None)]:
        for row in range(ROWS):
            text = lines[row] if lines else None
            if row in now and now[row][0] != text:
                lives.append((row, now[row][0], now[row][1], when))
                del now[row]
            if text and row not in now:
                now[row] = (text, when)
    return lives


def image(frames):
    height_of, wide, left, top = 19, 8.43, 14, 26
    end = frames[-1][0] + AT_END
    used = max(row for _, lines in frames for row in range(ROWS) if lines[row]) + 1
    width, height = round(COLUMNS * wide + 2 * left), top + used * height_of + 6
    rules, texts = [], []
    for number, (row, text, begins, ends) in enumerate(lives_of(frames, end)):
        kind = "p" if text.startswith(PROMPT) else "o"
        stays = ends >= end
        rules.append("@keyframes k%d{0%%{visibility:hidden}%.2f%%{visibility:visible}%s}" % (
            number, 100 * begins / end, "" if stays else "%.2f%%{visibility:hidden}" % (100 * ends / end)))
        texts.append('<text class="%s%s" style="animation-name:k%d" y="%d">%s</text>' % (
            kind, "" if stays else " h", number, top + row * height_of, html.escape(text, quote=False)))
    style = (
        "text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;white-space:pre;"
        "animation:%.1fs step-end infinite}.o{fill:#c9d1d9}.p{fill:#7ee787}.h{visibility:hidden}"
        "@media (prefers-reduced-motion:reduce){text{animation:none}}" % end)
    return "\n".join([
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img">' % (
            width, height, width, height),
        "<title>vqcache: a download, a wiped disk, and a restore without the origin</title>",
        "<!-- made by examples/record.py; without animation this is the last screen -->",
        "<style>%s\n%s</style>" % (style, "\n".join(rules)),
        '<rect width="100%" height="100%" rx="8" fill="#0d1117"/>',
        '<g transform="translate(%d)" xml:space="preserve">' % left, *texts, "</g>", "</svg>", ""])


def main():
    if sys.argv[1:2] == ["--origin"]:
        return serve(sys.argv[2])
    try:
        PLACE.mkdir(mode=0o700)
    except FileExistsError:
        raise SystemExit("%s is there: remove it, if nothing else records" % PLACE)
    beside = pathlib.Path(tempfile.mkdtemp(prefix="vqcache-record-"))
    origin = None
    try:
        tool = beside / "bin" / "vqcache"
        tool.parent.mkdir()
        if len(sys.argv) > 1:
            shutil.copy(sys.argv[1], tool)
        else:
            subprocess.run([os.environ.get("CXX", "c++"), "-std=c++17", "-O2", "-I", str(HERE.parent),
                            str(HERE / "vqcache.cpp"), "-o", str(tool), "-pthread", "-ldl"], check=True)
        files = beside / "origin"
        files.mkdir()
        make_model(files)
        origin = subprocess.Popen([sys.executable, __file__, "--origin", str(files)])
        time.sleep(1)
        if origin.poll() is not None:
            raise SystemExit("the origin does not run: is port %d taken?" % PORT)
        text = image(record(tool, origin))
        for said in ("was not found, downloading and caching", "is available in the cache, copying locally"):
            if said not in text:
                raise SystemExit("the tool did not say that the model " + said)
        if len(text) >= 100000:
            raise SystemExit("the image has %d bytes" % len(text))
        (HERE / "recording.svg").write_text(text, encoding="utf-8")
        print("recording.svg: %d bytes" % len(text))
    finally:
        if origin:
            origin.kill()
            origin.wait()
        shutil.rmtree(PLACE, ignore_errors=True)
        shutil.rmtree(beside, ignore_errors=True)


if __name__ == "__main__":
    main()
