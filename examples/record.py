#!/usr/bin/env python3
"""record.py [TOOL]: makes recording.svg, beside this file, of the real tool in a real terminal.
record.py --check [TOOL]: records again, in a place of its own, and ends with 1 where the image that lies here
shows other commands or other text; with 77, and why, where that cannot be had.

TOOL is examples/vqcache.cpp, compiled; without it c++ or $CXX compiles it. A shell in a pseudo-terminal gets
what SESSION says, typed; an origin on 127.0.0.1 serves a model that is made here; no other network is used.
Commands and output are what the terminal showed, at the pace at which it did: only the typing is ours. It
needs a POSIX system and curl. For an image that is the same wherever it is made, directory and port are
fixed; a check takes others of the same length, and neither pace nor times count there."""
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
import socket
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
    "URL=http://127.0.0.1:{port}",
    "vqcache get my_vqgan $URL/my.yaml $URL/my.ckpt",
    "rm -r content/models    # the notebook's disk is wiped",
    "kill $ORIGIN            # and the model's host is gone",
    "curl -sS $URL/my.ckpt",
    "vqcache get my_vqgan",
    "vqcache verify my_vqgan",
)
TYPED_EACH, BEFORE_ENTER, AFTER_ANSWER, AT_END = 0.12, 0.4, 0.9, 6.0  # seconds
CHECKED_AT = 0.1  # of them, where nobody watches
PROMPT = "$ "
LIMIT = 60  # seconds that a command may take
SKIPPED = 77  # an exit status


class Missing(Exception):
    """What a recording needs, and this system does not have"""


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


def listen(ports):
    """A socket that listens on the first of the ports that is free."""
    for port in ports:
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            one.close()
            continue
        one.listen(16)
        return one
    raise Missing("port %s on 127.0.0.1 is taken" % (" and port ".join(map(str, ports[:3]))))


def serve(folder, listening):
    handler = functools.partial(Handler, directory=folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler, bind_and_activate=False)
    server.socket.close()
    server.socket = socket.socket(fileno=listening)
    server.serve_forever()


def start_origin(folder, listening):
    """In a process of its own, which a command of the session ends: then nobody listens any more."""
    with listening:
        number = listening.fileno()
        return subprocess.Popen([sys.executable, __file__, "--origin", str(folder), str(number)],
                                pass_fds=[number])


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
    def __init__(self, terminal, pace):
        self.terminal, self.screen, self.pace = terminal, Screen(), pace
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
            self.read(TYPED_EACH * self.pace)
        self.read(BEFORE_ENTER * self.pace)
        self.tail = ""
        os.write(self.terminal, b"\r")
        if not self.read(LIMIT, "\n" + PROMPT):
            raise SystemExit("no end of %r in %d s:\n%s" % (command, LIMIT, "\n".join(self.screen.lines())))
        self.read(AFTER_ANSWER * self.pace)


def start_shell(tool, origin, place):
    """(its process, the terminal)"""
    environment = {
        "PATH": "%s:/usr/bin:/bin" % tool.parent, "HOME": str(place), "PS1": PROMPT, "TERM": "xterm",
        "LC_ALL": "C.UTF-8", "ORIGIN": str(origin.pid), "no_proxy": "127.0.0.1"}
    try:
        child, terminal = pty.fork()
    except OSError as why:
        raise Missing("no pseudo-terminal: %s" % why) from None
    if child == 0:
        try:
            os.chdir(place)
            os.execve("/bin/sh", ["sh", "-i"], environment)
        finally:
            os._exit(127)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    return child, terminal


def record(tool, origin, place, port, pace):
    child, terminal = start_shell(tool, origin, place)
    try:
        recorder = Recorder(terminal, pace)
        if not recorder.read(10, PROMPT):
            raise SystemExit("/bin/sh shows no prompt")
        recorder.frames, recorder.began = [(0.0, recorder.screen.lines())], time.monotonic()
        for command in SESSION:
            recorder.type(command.replace("{port}", str(port)))
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


# ---- what an image shows -------------------------------------------------------------------------

PROGRESS = re.compile(r"(\w+ [\w.]+)(?: \[[#.]+\] (\d+% of [0-9.]+ \w+)| [0-9.]+ \w+)(?:, .*)?$")
FAILED_CONNECTION = re.compile(r"(curl: \(7\) Failed to connect to [0-9.]+ port \d+) .*$")  # curl's own words


def without_pace(line):
    progress = PROGRESS.match(line)
    if progress:
        return " ".join(part for part in progress.groups() if part)
    return FAILED_CONNECTION.sub(r"\1", line)


def shown(image_text):
    """(the lines of the last screen, what else a row has shown, all around them), without pace and times"""
    rows = [(kind, html.unescape(text)) for kind, text in re.findall(
        r'(?m)^<text class="(\w(?: h)?)"[^>]*>(.*)</text>$', image_text)]
    last = [without_pace(text) for kind, text in rows if not kind.endswith(" h")]
    passing = sorted({text for kind, text in rows if kind.endswith(" h")})
    around = re.sub(r"(?m)^(?:<text .*|@keyframes .*)\n", "", image_text)
    return last, passing, re.sub(r"\d+(?:\.\d+)?s", "0s", around)


def differences(here, now):
    """What the image that lies here shows, and a recording of now does not."""
    (lines, passing, around), (lines_now, _, around_now) = shown(here), shown(now)
    bad = ["- " + line for line in lines if line not in lines_now]
    bad += ["+ " + line for line in lines_now if line not in lines]
    if not bad and lines != lines_now:
        bad.append("the same lines, in another order or number")
    progress = {" ".join(line.split()[:2]) for line in lines_now}
    for text in passing:
        is_typed = text.startswith(PROMPT.strip()) and any(line.startswith(text) for line in lines_now)
        is_cut = any(line.startswith(without_pace(text)) for line in lines_now)
        if not is_typed and not is_cut and " ".join(text.split()[:2]) not in progress:
            bad.append("- (in passing) " + text)
    if around != around_now:
        bad.append("what stands around the text is not what record.py writes")
    return bad


# ---- all of it -----------------------------------------------------------------------------------

def compiled(given, beside):
    tool = beside / "bin" / "vqcache"
    tool.parent.mkdir()
    if given:
        shutil.copy(given, tool)
    else:
        subprocess.run([os.environ.get("CXX", "c++"), "-std=c++17", "-O2", "-I", str(HERE.parent),
                        str(HERE / "vqcache.cpp"), "-o", str(tool), "-pthread", "-ldl"], check=True)
    return tool


def film(given, place, ports, pace):
    """(the image of a session in the place, which goes; the port)"""
    if not shutil.which("curl"):
        raise Missing("no curl")
    beside = pathlib.Path(tempfile.mkdtemp(prefix="vqcache-record-"))
    origin = None
    try:
        tool = compiled(given, beside)
        files = beside / "origin"
        files.mkdir()
        make_model(files)
        listening = listen(ports)
        port = listening.getsockname()[1]
        origin = start_origin(files, listening)
        text = image(record(tool, origin, place, port, pace))
        for said in ("was not found, downloading and caching", "is available in the cache, copying locally"):
            if said not in text:
                raise SystemExit("the tool did not say that the model " + said)
        return text, port
    finally:
        if origin:
            origin.kill()
            origin.wait()
        shutil.rmtree(place, ignore_errors=True)
        shutil.rmtree(beside, ignore_errors=True)


def make(given):
    try:
        PLACE.mkdir(mode=0o700)
    except FileExistsError:
        raise Missing("%s is there: remove it, if nothing else records" % PLACE) from None
    text, _ = film(given, PLACE, [PORT], 1.0)
    if len(text) >= 100000:
        raise SystemExit("the image has %d bytes" % len(text))
    (HERE / "recording.svg").write_text(text, encoding="utf-8")
    print("recording.svg: %d bytes" % len(text))


def check(given):
    """Places and ports are as long as those of the image, so that no line is cut elsewhere."""
    start = PLACE.name[:-8]  # mkdtemp adds 8
    try:
        place = pathlib.Path(tempfile.mkdtemp(prefix=start, dir=PLACE.parent))
    except OSError as why:
        raise Missing("no directory in %s: %s" % (PLACE.parent, why)) from None
    now, port = film(given, place, [PORT, *range(9999, 9899, -1)], CHECKED_AT)
    now = now.replace(str(place), str(PLACE)).replace(":%d" % port, ":%d" % PORT)
    now = now.replace("port %d" % port, "port %d" % PORT)
    bad = differences((HERE / "recording.svg").read_text(encoding="utf-8"), now)
    if bad:
        raise SystemExit("examples/recording.svg is not what the tool shows: python3 examples/record.py makes "
                         "it anew\n  %s" % "\n  ".join(bad))
    print("examples/recording.svg shows what the tool says: %d lines" % len(shown(now)[0]))


def main():
    arguments = sys.argv[1:]
    if arguments[:1] == ["--origin"]:
        return serve(arguments[1], int(arguments[2]))
    is_check = arguments[:1] == ["--check"]
    given = arguments[is_check:][:1]
    try:
        (check if is_check else make)(given[0] if given else None)
    except Missing as why:
        print("skipped: %s" % why if is_check else why, file=sys.stderr)
        return SKIPPED if is_check else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
