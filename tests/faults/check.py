"""check.py: the invariants of a call, judged after every fault and again after a clean re-run.

I1 every final name is absent or has the right bytes; a receipt, the right hashes
I2 exit 0 says the truth: the local files and their receipt are there; cached=1: theirs too
I3 exit 1 has a message that names something; nothing temporary of its own stays behind but a partial
   that the next call can continue: right as far as it goes, with a record of what it is
I4 after any fault a plain re-run ends right: all files, both receipts, no temporaries left
I5 an error of write, fsync, close or rename is never swallowed: local: no exit 0; cache: cached=0
I6 the cache's faults never fail a call; the lock's neither; what was not kept is said
I7 nothing outside the two directories changes, nothing unknown appears inside them
I8 no hang, no death by a signal of its own, no exception but vqcache::error
P1 prune: the copies stay as they are; a local receipt has its files beside it
P2 what it says is true: of a model that is gone nothing is local, one that stays is whole, but for
   a fault of the removal itself
P3 nothing goes whose copy could not be read
V1 verify: nothing on either disk changes
V2 what it says of a file is true: right, missing or damaged as it stands there, unreadable only
   where a call has failed (a read that fails or ends early is no damage), and unvouched only where
   no receipt stands or it read as empty
V3 ok=1 is not said when a read has failed, or when a file is not right
V4 a signal or a short read changes nothing of what is said
M1 repair: of every file the right bytes stand somewhere, as a file or as what was put aside; what
   was right where nothing has failed stays under its name
M2 exit 0: the local files are right; and what is said then is true, as of verify
M3 after any fault a plain repair ends right: all files in both tiers, both receipts
T1..T7 what the trace of a clean run must show (see check_trace)"""
import hashlib
import re

NAME = 'sweep_model'
SUFFIXES = ('.yaml', '.ckpt')
L, C = 'L', 'C/' + NAME  # the labels of the two directories that hold a receipt
RECEIPTS = {L: L + '/' + NAME + '.sha256', C: C + '/' + NAME + '.sha256'}
LOCK = L + '/.' + NAME + '.lock'
PRIVATE = re.compile(r'/\.[^/]+\.[0-9a-f]{16}\.(part|record)$')
ASIDE = re.compile(r'^(.+)\.corrupt-[0-9a-f]{8}$')

SEED_WORDS = r'^The model \(.*\) (is already available|is available in the c|was not found, dow)'
READS = {'read', 'pread64', 'readv', 'preadv', 'recvfrom', 'recvmsg'}
WRITES = {'write', 'pwrite64', 'writev', 'pwritev', 'copy_file_range', 'sendfile', 'splice'}
SYNCS = {'fsync', 'fdatasync', 'syncfs'}
RENAMES = {'rename', 'renameat', 'renameat2', 'link', 'linkat'}
UNLINKS = {'unlink', 'unlinkat'}
LOST = {'EIO', 'ENOSPC', 'EDQUOT'}  # errors after which data may be gone


class Model(dict):
    """the files of a model by how their URLs end: those of a pair by '.yaml' and '.ckpt', which lie
    flat (L/NAME.ckpt), those of a set by their names, which lie in a folder (L/NAME/onnx/FILE)"""

    def __init__(self, files):
        super().__init__(files)
        is_pair = set(files) == set(SUFFIXES)
        copies = {NAME + end if is_pair else end: data for end, data in files.items()}
        local = copies if is_pair else {NAME + '/' + file: copies[file] for file in copies}
        self.listed = {L: local, C: copies}  # as the receipts name them, below their directories
        self.final = {place + '/' + file: data for place in (L, C)
                      for file, data in self.listed[place].items()}
        self.places = {'local': {file: L + '/' + here for file, here in zip(copies, local)},
                       'cache': {file: C + '/' + file for file in copies}}
        self.folders = {x.rsplit('/', 1)[0] for x in self.final}
        self.words = '|'.join(map(re.escape, (*copies, NAME + '.')))

    def finals(self):
        return {*self.final, *RECEIPTS.values()}

    def wrong(self, snap):
        """the final names under which other bytes stand"""
        return {x for x in self.final if snap.get(x, self.final[x]) != self.final[x]}


class Call:
    """one line of a trace; its paths are labels: L/..., C/..., S/... (source), socket:*, pipe:*"""

    def __init__(self, line, label):
        f = line.rstrip('\n').split('\t')
        self.seq, self.name = int(f[0]), f[1]
        self.raw1, self.raw2 = label(f[2]), label(f[3])
        self.p1, self.p2 = general(self.raw1), general(self.raw2)
        self.args = [int(a, 16) for a in f[4].split(',')]
        self.flags = int(f[5], 8)

    @property
    def label(self):
        return self.p1 or self.p2

    @property
    def tier(self):
        return tier_of(self.p1) or tier_of(self.p2) or kind_of(self.name)

    @property
    def writable(self):
        return self.flags & 3 != 0


def general(label):
    """the label without what differs from run to run"""
    label = re.sub(r'\.[0-9a-f]{16}\.(?=part|record)', '.*.', label)
    label = re.sub(r'\.corrupt-[0-9a-f]{8}', '.corrupt-*', label)
    return re.sub(r'^(socket|pipe):.*', r'\1:*', label)


def tier_of(label):
    if label.startswith(('L', 'fast')):
        return 'local'
    if label.startswith(('C', 'slow')):
        return 'cache'
    return {'S': 'source', 's': 'net', 'p': 'process'}.get(label[:1], '')


def kind_of(name):
    return 'net' if name in ('socket', 'poll', 'ppoll', 'select', 'epoll_wait') else 'process'


def receipt_text(label, data, snap, planted, right):
    """why this receipt is wrong, or None"""
    folder = label.rsplit('/', 1)[0]
    listed = right.listed[folder]
    try:
        text = data.decode('ascii')
    except UnicodeDecodeError:
        return 'is not text'
    named = {}
    for line in text.splitlines():
        if line.startswith('#'):
            size = re.match(r'# size (\d+) (\S+)$', line)
            if size and int(size[1]) != len(listed.get(size[2], b'')):
                return 'has a wrong size: ' + line
            continue
        m = re.match(r'([0-9a-f]{64})  (\S+)$', line)
        if not m:
            return 'does not parse: ' + repr(line[:80])
        named[m[2]] = m[1]
    if set(named) != set(listed):
        return 'names ' + (', '.join(named) or 'nothing')
    for file, digest in named.items():
        want = listed[file]
        if digest != hashlib.sha256(want).hexdigest():
            return 'names another content of ' + file
        here = snap.get(folder + '/' + file)
        if here is None and planted.get(label) != data:
            return 'was published before ' + file
        if here is not None and here != want and planted.get(folder + '/' + file) != here:
            return 'and the file differ: ' + file
    return None


def missing_of(snap, folder, right, receipt=True):
    """the first file of a directory that is not right, or ''"""
    for file, data in right.listed[folder].items():
        if snap.get(folder + '/' + file) != data:
            return file
    return '' if RECEIPTS[folder] in snap or not receipt else NAME + '.sha256'


def judge_disk(snap, planted, right):
    """I1 and I7: what may stand in the two directories at any moment"""
    bad, aside = [], {}
    for label, data in snap.items():
        if label in right.final:
            if data != right.final[label] and data != planted.get(label):
                bad.append('I1: %s is wrong (%d of %d bytes)'
                           % (label, len(data), len(right.final[label])))
        elif label in RECEIPTS.values():
            why = receipt_text(label, data, snap, planted, right)
            if why:
                bad.append('I1: %s %s' % (label, why))
        elif ASIDE.match(label):
            of = ASIDE.match(label)[1]
            aside[of] = aside.get(of, 0) + 1
            if aside[of] > 1:
                bad.append('I1: %s was put aside more than once' % of)
            if data not in (planted.get(of), right.final.get(of), planted.get(label)):
                bad.append('I1: %s is not what stood there' % label)
        elif label != LOCK and not PRIVATE.search(label):
            bad.append('I7: unknown file %s (%d bytes)' % (label, len(data)))
    return bad


def leftovers(snap):
    return sorted(label for label in snap if PRIVATE.search(label))


def continuable(snap, right):
    """partials whose record says of which URL they are, right as far as they go"""
    good = set()
    for label, data in snap.items():
        file = re.match(r'(L/(?:.*/)?)\.([^/]+)\.[0-9a-f]{16}\.part$', label)
        record = snap.get(label[:-4] + 'record', b'')
        want = right.final.get(file[1] + file[2], b'') if file else b''
        data, want = bytearray(data), bytearray(want[:len(data)])
        todo = re.search(rb'(?m)^todo ([-0-9 ]*)$', record)
        for gap in todo[1].split() if todo else []:  # what the record says has not come
            a, _, z = gap.partition(b'-')
            z = min(int(z or len(data)), len(data))
            if int(a) < z:
                data[int(a):z] = want[int(a):z] = bytes(z - int(a))
        if data and data == want and re.search(rb'(?m)^url [0-9a-f]{64}$', record):
            good |= {label, label[:-4] + 'record'}
    return good


def may_stay(case, run, snap):
    """Some litter outlives a re-run, and a third run has to show that it goes (see sweep.py):
    a record whose owner died before it wrote its name there (a day old, it goes), and what could
    not be removed when its file was complete (a hit must not look for litter; the next call that
    has work to do does)."""
    if case is None:
        return False
    left = leftovers(snap)
    empty = all(label.endswith('.record') and not snap[label] and
                label[:-7] + '.part' not in snap for label in left)
    if case.mode.startswith('powercut'):  # the record is not synced: it may be empty, or lost
        empty = not any(snap.get(re.sub('part$', 'record', label)) for label in left)
    hit = 'is already available locally' in run.out and 'from=local' in run.out
    hit = hit or ('checked' in run.out and 'message' not in run.out)  # there was nothing to repair
    small = all(len(snap[label]) < 4096 for label in left)
    return (empty and case.mode != 'error') or (hit and (small or case.call in UNLINKS))


def says_something(text, right):
    m = re.search(r'^error: (.*)', text, re.M)
    return bool(m and re.search(r'%s|/fast|/slow|127\.0\.0\.1|curl' % right.words, m[1]))


def expectations(case, hits, right):
    """what I5 and I6 ask of the faulted run: a set of 'ok', 'fail', 'uncached'"""
    want = set()
    tiers = {h.tier for h in hits}
    if not hits:
        return {'ok'}
    if case.mode == 'short':
        want.add('ok')
    if tiers == {'cache'}:
        want.add('ok')
    if case.mode == 'error':
        h = hits[0]
        if h.p1 == LOCK:
            want.add('ok')
        if case.what == 'EINTR' and h.tier in ('local', 'cache') and h.name != 'close':
            want.add('ok')
        to = h.p2 or h.p1
        ours = PRIVATE.search(h.raw1) or h.raw1 in right.finals()
        folder = h.raw1.rstrip('/') in {L, C, 'C', 'fast', 'slow', *right.folders}
        ours = ours and not h.raw1.endswith('.record')
        lost = case.what in LOST and (
            (h.name in WRITES and ours) or (h.name in SYNCS and (ours or folder)) or
            (h.name == 'close' and ours and h.writable) or
            (h.name in RENAMES and to in right.finals()))
        # not to be published: what a damaged copy gave, and the empty file of parts that only asks
        # whether it could be a clone
        dropped = h.name == 'close' and (
            case.scenario.startswith(('damaged', 'repair-both')) or
            (case.scenario == 'parts' and h.tier == 'cache' and h.p1.endswith('.ckpt.*.part') and
             case.k == 1))
        if lost and not dropped:
            want.add('fail' if h.tier == 'local' else 'uncached')
    return want


def left_behind(case, run, snap, planted, right, hits):
    """I3 of a faulted run that has ended by itself"""
    unremovable = case.mode == 'dead' or any(h.name in UNLINKS for h in hits)
    left = [x for x in leftovers(snap) if x not in planted and
            (run.rc == 0 or x not in continuable(snap, right))]
    return ['I3: exit %d leaves %s' % (run.rc, left[0])] if left and not unremovable else []


def judge(case, phase, run, snap, planted, right, hits, noticed=True):
    """everything that is wrong with one run. phase: clean, fault or recover; noticed: whether a
    damaged file may have been found before"""
    bad = judge_disk(snap, planted, right)
    if run.outside:
        bad.append('I7: outside the two directories: ' + run.outside)
    if run.rc == 124:
        return bad + ['I8: hang']
    killed = phase == 'fault' and run.rc == 137 and case.mode != 'kill-child' and \
        case.mode.startswith(('kill', 'powercut'))
    if (run.rc > 1 and not killed) or run.rc < 0:
        bad.append('I8: exit %d: %s' % (run.rc, run.err[-200:]))
        return bad
    cached = 'cached=1' in run.out
    # what a notebook left has no receipts, and may stay so until something hashes it
    receipts = not (case and case.scenario.endswith('-seed'))
    # a copy that rotted is believed by size and receipt (promise 7) until a call has read it
    rotten = noticed is False and any(x[0] == 'C' and snap[x] == planted.get(x) and
                                      len(snap[x]) == len(right.final[x])
                                      for x in right.wrong(snap))
    own_words = [x for x in re.findall(r'^message: (.*)', run.out, re.M)
                 if not re.search(SEED_WORDS, x)]
    if run.rc == 0:
        missing = missing_of(snap, L, right, receipts)
        if missing:
            bad.append('I2: exit 0, but local %s is not right' % missing)
        missing = cached and missing_of(snap, C, right, receipts)
        if missing and not rotten:
            bad.append('I2: cached=1, but cached %s is not right' % missing)
        if not cached and not own_words:
            bad.append('I6: not cached, and nobody says so')
    if run.rc == 1 and not says_something(run.err, right):
        bad.append('I3: a message that names nothing: ' + repr(run.err[-200:]))

    if phase == 'fault' and not killed and not case.mode.startswith('powercut'):
        bad += left_behind(case, run, snap, planted, right, hits)
        want = expectations(case, hits, right)
        said = not receipts and own_words  # for a notebook's pair the receipt is a gift
        if 'fail' in want and run.rc == 0 and not said:
            bad.append('I5: a swallowed error, exit 0')
        if 'uncached' in want and cached:
            bad.append('I5: a swallowed error, cached=1')
        if 'ok' in want and 'fail' not in want and run.rc != 0:
            bad.append('I6: the call fails: ' + run.err.strip()[:300])
        if case.mode == 'error' and case.what == 'ENOSPC' and run.rc == 1 and \
                hits and hits[0].name in WRITES and 'no_space=1' not in run.err:
            bad.append('I3: ENOSPC is not told as no_space: ' + run.err.strip()[:200])
    if phase == 'recover':
        if run.rc != 0:
            bad.append('I4: the re-run fails: ' + run.err.strip()[:300])
        for folder in (L, C):
            missing = missing_of(snap, folder, right, receipts)
            if missing and not (rotten and folder == C):
                bad.append('I4: after the re-run %s/%s is not right' % (folder, missing))
        if run.rc == 0 and not cached:
            bad.append('I4: after the re-run cached=0: ' + run.out.strip()[-300:])
        if leftovers(snap) and not may_stay(case, run, snap):
            bad.append('I4: the re-run leaves ' + leftovers(snap)[0])
    return bad


def judge_prune(case, run, snap, planted, right, hits):
    """the same of a call that makes room in the local tier"""
    bad = judge_disk(snap, planted, right)
    if run.outside:
        bad.append('I7: outside the two directories: ' + run.outside)
    if run.rc == 124:
        return bad + ['I8: hang']
    killed = run.rc == 137 and case.mode.startswith('kill')
    if run.rc != 0 and not killed:
        bad.append('I8: exit %d: %s' % (run.rc, run.err[-200:]))
    here = {x for x in right.finals() if x in snap}
    local = {x for x in here if x.startswith('L')}
    bad += ['P1: %s is not as it was' % x for x in planted
            if x.startswith('C') and snap.get(x) != planted[x]]
    if RECEIPTS[L] in local and len(local) <= len(right):
        bad.append('P1: the local receipt is without its files')
    is_removed = 'removed=1' in run.out
    if is_removed and local:
        bad.append('P2: it is said to be gone: ' + ', '.join(sorted(local)))
    is_of_removal = any(h.tier == 'local' and (h.name in UNLINKS | SYNCS or
                                               h.raw1.rstrip('/') == L) for h in hits)
    is_of_removal = is_of_removal or (case and case.mode == 'dead' and hits[0].tier == 'local')
    if not is_removed and not killed and len(local) <= len(right) and not is_of_removal:
        bad.append('P2: it is said to stay, and there is ' + (', '.join(sorted(local)) or 'nothing'))
    lost = hits and case.mode in ('error', 'eof') and case.what != 'EINTR' and \
        hits[0].raw1 in right.final and hits[0].raw1.startswith('C') and \
        hits[0].name in READS | {'open', 'openat'}
    if lost and is_removed:
        bad.append('P3: its copy could not be read, and it went')
    return bad


def has_failed(case):
    """whether the fault was an error: not a signal, a kill, or a call that did less"""
    return bool(case) and case.mode in ('error', 'sticky', 'dead', 'full') and case.what != 'EINTR'


def is_as_without(case):
    """whether nothing of the fault may be seen: none, a signal, or a call that did less"""
    return not case or case.mode == 'short' or (case.mode == 'error' and case.what == 'EINTR')


def truth_of(snap, label, receipt, right):
    """what verify has to say of a file"""
    if label not in snap:
        return 'missing'
    if receipt not in snap:
        return 'unvouched'
    return 'right' if snap[label] == right.final[label] else 'damaged'


def judge_words(case, run, snap, right, hits):
    """V2, V3 and V4: what verify, and repair at its end, say of each file"""
    bad, truth = [], {}
    hit = {h.raw1 for h in hits}
    tiers = {h.tier for h in hits} if has_failed(case) else set()
    is_cut = case is not None and case.mode == 'eof'
    said = re.findall(r'^checked (local|cache) (\w+) (\S+): (.*)', run.out, re.M)
    if len(said) != 2 * len(right):
        bad.append('V2: it speaks of %d files' % len(said))
    for where, word, file, why in said:
        label = right.places[where][file]
        receipt = RECEIPTS[L if where == 'local' else C]
        now = truth[label] = truth_of(snap, label, receipt, right)
        may_be = {now, 'unreadable'} if where in tiers else {now}
        if is_cut and hit & {label, receipt}:  # shorter than its size; a receipt has none
            may_be.add('unreadable' if label in hit else 'unvouched')
        if word not in may_be:
            bad.append('V2: %s is %s, and said to be %s: %s' % (label, now, word, why))
    is_whole = any(all(truth.get(x) == 'right' for x in places.values())
                   for places in right.places.values())
    is_right = is_whole and set(truth.values()) <= {'right', 'missing'}
    if 'ok=1' in run.out and not is_right:
        bad.append('V3: ok=1, and not all files are right')
    if is_as_without(case) and 'ok=%d' % is_right not in run.out:
        bad.append('V4: it does not say what a clean run does: ' + run.out.strip()[-300:])
    return bad


def judge_end(case, run, right):
    """I3, I7 and I8 of verify and repair -> (what is wrong, whether it has said all)"""
    bad = ['I7: outside the two directories: ' + run.outside] if run.outside else []
    if run.rc == 124:
        return bad + ['I8: hang'], False
    if case and run.rc == 137 and case.mode.startswith('kill'):
        return bad, False
    if run.rc not in (0, 1):
        return bad + ['I8: exit %d: %s' % (run.rc, run.err[-200:])], False
    if run.rc == 1 and not says_something(run.err, right):
        bad.append('I3: a message that names nothing: ' + repr(run.err[-200:]))
    if run.rc == 1 and is_as_without(case):
        bad.append('V4: it fails: ' + run.err.strip()[:300])
    return bad, run.rc == 0


def judge_verify(case, run, snap, planted, right, hits):
    """the same of a call that reads all there is"""
    bad, has_said = judge_end(case, run, right)
    bad += ['V1: %s has changed' % x for x in {*snap, *planted} if snap.get(x) != planted.get(x)]
    if has_said:
        bad += judge_words(case, run, snap, right, hits)
    unread = [h.raw1 for h in hits if h.name in READS | {'open', 'openat'} and
              h.raw1 in right.finals()]
    if has_failed(case) and unread and 'ok=1' in run.out:
        bad.append('V3: ok=1, and %s could not be read' % unread[0])
    return bad


def judge_repair(case, phase, run, snap, planted, right, hits):
    """the same of a call that mends"""
    bad, has_said = judge_end(case, run, right)
    bad += judge_disk(snap, planted, right)
    failed = {h.tier for h in hits} if has_failed(case) or (case and case.mode == 'eof') else set()
    aside = {ASIDE.match(x)[1]: data for x, data in snap.items() if ASIDE.match(x)}
    for places in zip(*(right.places[x].values() for x in right.places)):
        was_there = any(planted.get(x) == right.final[x] for x in places)
        is_there = any(right.final[x] in (snap.get(x), aside.get(x)) for x in places)
        if was_there and not is_there:
            bad.append('M1: %s is lost' % ' and '.join(places))
        bad += ['M1: %s was right, and is gone' % x for x in places if tier_of(x) not in failed and
                planted.get(x) == right.final[x] != snap.get(x)]
    if has_said:
        bad += judge_words(case, run, snap, right, hits)
        missing = missing_of(snap, L, right)
        if missing:
            bad.append('M2: exit 0, but local %s is not right' % missing)
    if phase == 'fault' and run.rc in (0, 1):
        bad += left_behind(case, run, snap, planted, right, hits)
        want = expectations(case, hits, right)
        if 'fail' in want and run.rc == 0:
            bad.append('I5: a swallowed error, exit 0')
        if 'uncached' in want and 'ok=1' in run.out and 'but not in the cache' not in run.out:
            bad.append('I5: a swallowed error, ok=1')
    if phase == 'recover':
        missing = missing_of(snap, L, right) or missing_of(snap, C, right)
        if missing or run.rc or 'ok=1' not in run.out:
            bad.append('M3: after a plain repair: exit %d, %s, %s'
                       % (run.rc, missing or 'all files are right', run.err.strip()[:300]))
        if leftovers(snap) and not may_stay(case, run, snap):
            bad.append('M3: a plain repair leaves ' + leftovers(snap)[0])
    return bad


# ---- the trace of a clean run --------------------------------------------------------------------

CHANGES = WRITES | RENAMES | UNLINKS | {'mkdir', 'mkdirat', 'ftruncate', 'fallocate', 'ioctl'}
O_CREAT, O_EXCL, O_TRUNC, O_NOFOLLOW, O_CLOEXEC = 0o100, 0o200, 0o1000, 0o400000, 0o2000000


def check_trace(calls, needs_network, right, may_write=True):
    """T1 a file is synced after its last write and before it gets its final name
    T2 after the last publication in a directory that directory is synced
    T3 a receipt is published after all of its files
    T4 private files are made with O_CREAT|O_EXCL|O_NOFOLLOW|O_CLOEXEC
    T5 nobody writes to a final name
    T6 a call that a tier or a file can serve makes no socket
    T7 verify opens nothing for writing, and makes, changes and removes nothing"""
    bad, dirty, synced, unsynced, made = [], set(), set(), {}, {}
    finals = right.finals()
    for c in calls:
        opens = c.name in ('open', 'openat') and c.flags & (3 | O_CREAT | O_TRUNC)
        if (opens or c.name in CHANGES) and not may_write and c.tier in ('local', 'cache'):
            bad.append('T7: %s on %s' % (c.name, c.label))
        if c.name in ('open', 'openat') and c.tier in ('local', 'cache'):
            if c.raw1 in finals and c.flags & (3 | O_CREAT | O_TRUNC):
                bad.append('T5: %s is opened for writing' % c.raw1)
            if PRIVATE.search(c.raw1) and c.flags & O_CREAT:
                want = O_EXCL | O_NOFOLLOW | O_CLOEXEC
                if c.flags & want != want:
                    bad.append('T4: %s is made with flags %o' % (c.p1, c.flags))
                unsynced.setdefault(c.raw1.rsplit('/', 1)[0], None)
        elif c.name in ('mkdir', 'mkdirat'):
            unsynced[c.raw1.rsplit('/', 1)[0] if '/' in c.raw1 else
                     {'L': 'fast', 'C': 'slow'}.get(c.raw1, '')] = c.raw1
        elif c.name in WRITES or c.name in ('ftruncate', 'fallocate', 'ioctl'):
            if c.raw1 in finals:
                bad.append('T5: %s on %s' % (c.name, c.raw1))
            dirty.add(c.raw1)
        elif c.name in SYNCS:
            dirty.discard(c.raw1)
            synced.add(c.raw1)
            unsynced[c.raw1] = None
        elif c.name in RENAMES and c.raw2 in finals:
            if c.raw1 in dirty or c.raw1 not in synced:
                bad.append('T1: %s is published without a sync' % c.raw2)
            folder = c.raw2.rsplit('/', 1)[0]
            unsynced[folder] = c.raw2
            made[c.raw2] = c.seq
            if c.raw2 in right.final and RECEIPTS[L if c.raw2[0] == 'L' else C] in made:
                bad.append('T3: %s is published after its receipt' % c.raw2)
        elif c.tier == 'net' and not needs_network:
            bad.append('T6: %s in a call that needs no network' % c.name)
    bad += ['T2: the directory of %s is not synced' % p for p in unsynced.values() if p]
    return bad
