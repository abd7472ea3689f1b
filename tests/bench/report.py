#!/usr/bin/env python3
"""report.py [--check] [--root DIR]: the figures that README shows, made of results.json beside this file.

`sh tests/bench/run.sh --write` measures, and keeps what it measured as tests/bench/results.json. Of that
alone come the section "Speed" of README.md, between its two marks, and the chart examples/benchmark.svg:
the same results give the same bytes, and the gate's check bench_report holds both to them. So nobody edits
either by hand. With --check nothing is written: what differs is said, and the status is 1."""
import argparse
import collections
import hashlib
import html
import json
import os
import re
import statistics
import sys
import xml.etree.ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RESULTS, README, CHART = 'tests/bench/results.json', 'README.md', 'examples/benchmark.svg'
BEGIN, END = '<!-- bench: begin -->', '<!-- bench: end -->'
KEYS = 'date machine versions vqcache transport size rate rows samples skipped'.split()
MARKS = ['\\*', '†', '‡', '§']
CHART_LIMIT = 12000  # bytes
AGAIN = 'sh tests/bench/run.sh --write'

# A case that is shown: its name in bench.py, its key among the samples, what the table and the chart call it
# (the table '': the chart alone has it), and its peers: how the contender's name begins, the table's word.
Case = collections.namedtuple('Case', 'name key brief title peers')
SHOWN = [
    Case('disk', 'disk', '{size} to both disks, hashed, synced', '{size} to both disks, hashed, synced',
         [('curl,', '`curl`'), ('aria2c', '`aria2c`'), ('pooch', 'pooch'),
          ('huggingface_hub', 'huggingface_hub'), ("the seed's notebook", 'a notebook')]),
    Case('tmpfs', 'tmpfs', 'in memory', '{size} to two directories in memory, hashed',
         [('aria2c', '`aria2c`')]),
    Case('limited', 'limited', '{rate} a connection, 8 connections',
         '{size} at {rate} a connection, 8 connections, to both disks, hashed, synced',
         [('aria2c', '`aria2c`')]),
    Case('sets', 'sets, in memory', '1,000 files of 100 KB, one copy in memory',
         '1,000 files of 100 KB, one copy in memory, hashed',
         [('aria2c', '`aria2c -i`'), ('huggingface_hub', 'huggingface_hub')]),
    Case('sets', 'sets, on the disk', '', '1,000 files of 100 KB to both disks, hashed, synced',
         [('aria2c', ''), ('huggingface_hub', '')]),
    Case('restore', 'restore', 'restore, hashed, synced',
         '{size} restored from the copy (cold), hashed, synced', [('cp,', '`cp`, `sync`')]),
]
HIT = Case('hit', 'hit', 'a local hit', 'a local hit', [('the 12 bare system calls', '12 bare system calls')])
CASES = list(dict.fromkeys(case.name for case in SHOWN + [HIT]))  # as bench.py --only takes them

Bar = collections.namedtuple('Bar', 'label note brief times')  # one contender of a group
Group = collections.namedtuple('Group', 'case title brief bars')


class Wrong(Exception):
    """results that cannot be shown, or a file that is not made of them: which, and why"""


def shown_size(n):
    for unit, name in ((1 << 30, 'GiB'), (1 << 20, 'MiB'), (1 << 10, 'KiB')):
        if n >= unit:
            return ('%.1f' % (n / unit)).rstrip('0').rstrip('.') + ' ' + name
    return '%d B' % n


def cpu_name(text):
    """without what every processor is called"""
    text = re.sub(r'\((R|TM|tm)\)|\b\d+-Core\b|\b(Processor|CPU)\b|@.*', ' ', text)
    return ' '.join(text.split())


def machine_text(machine):
    return '%s, %s, %s of memory, %s %s, the disk is %s' % (
        machine['cpu'], cores_text(machine), shown_size(machine['memory']), machine['system'],
        machine['kernel'], machine['disk'])


def cores_text(machine):
    return '%d core%s' % (machine['cores'], '' if machine['cores'] == 1 else 's')


def versions_text(versions):
    return ', '.join('%s %s' % pair for pair in versions.items())


# ---- the results ---------------------------------------------------------------------------------

def text_of(results):
    """the JSON that is kept: a list of numbers stands on one line"""
    def on_a_line(numbers):
        return '[%s]' % ' '.join(numbers.group(1).split())
    return re.sub(r'\[([\s\d.,e+-]+)\]', on_a_line, json.dumps(results, indent=1, ensure_ascii=False)) + '\n'


def read(root):
    """results.json of a tree, and its digest, by which the chart says what it was made of"""
    path = os.path.join(root, RESULTS)
    try:
        with open(path, encoding='utf-8') as f:
            text = f.read()
    except OSError as why:
        raise Wrong('%s cannot be read (%s): `%s` makes it' % (RESULTS, why.strerror, AGAIN))
    try:
        return json.loads(text), digest_of(text)
    except ValueError as why:
        raise Wrong('%s is no JSON: %s' % (RESULTS, why))


def digest_of(text):
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def why_skipped(results, case, word='', contender=''):
    """what the bench said when it left out a case, or the peer of that word in it"""
    for line in results['skipped']:
        name, _, why = line.partition(': ')
        if name == case.name and word in why:
            if contender and why.startswith(contender + ': '):
                why = why[len(contender) + 2:]
            return why if len(why) <= 60 else why[:57] + '...'
    return ''


def times_of(case, name, sample):
    times = sample.get('seconds')
    if not times or not all(isinstance(t, (int, float)) and t > 0 for t in times):
        raise Wrong('%s: the case %s holds no times of %r' % (RESULTS, case.key, name))
    return times


def words_for(results, text):
    return text.format(size=shown_size(results['size']), rate='%.3g MB/s' % (results['rate'] / 1e6))


def group_of(results, case, left_out):
    """the bars of a case, or None where it was skipped; what is left out is told in left_out"""
    failed = [row['void'][0] for row in results['rows'] if row['case'] == case.name and row['void']]
    if failed:
        raise Wrong('vqcache failed in the case %s: %s' % (case.name, failed[0]))
    samples = results['samples'].get(case.key)
    title = words_for(results, case.title)
    if samples is None:
        why = why_skipped(results, case)
        if not why:
            raise Wrong('%s has no case %r, and no skip says why: measure it with `%s`' % (
                RESULTS, case.key, AGAIN))
        left_out.append('%s (%s)' % (title, why))
        return None
    if 'vqcache' not in samples:
        raise Wrong('%s: the case %s does not hold vqcache' % (RESULTS, case.key))
    bars = [Bar('vqcache', '', '', times_of(case, 'vqcache', samples['vqcache']))]
    for start, brief in case.peers:
        bar = peer_of(results, case, samples, (start, brief), left_out)
        if bar:
            bars.append(bar)
    return Group(case, title, words_for(results, case.brief), bars) if len(bars) > 1 else None


def peer_of(results, case, samples, peer, left_out):
    """the bar of a peer, or None where the bench said why it has none"""
    start, brief = peer
    name = next((n for n in samples if n.startswith(start)), '')
    if not name or samples[name].get('void'):
        word = start.rstrip(',')
        why = why_skipped(results, case, word, name)
        if not why:
            raise Wrong('%s: the case %s has no right run of %s, and no skip says why' % (
                RESULTS, case.key, word))
        left_out.append('%s: no %s (%s)' % (words_for(results, case.title), word, why))
        return None
    label, _, note = name.partition(': ')
    return Bar(label.replace(' (Python)', ''), note, brief, times_of(case, name, samples[name]))


def groups_of(results):
    """(the cases of the chart, that of a hit or None, what is left out)"""
    lacking = [key for key in KEYS if key not in results]
    if lacking:
        raise Wrong('%s lacks %s' % (RESULTS, ', '.join(lacking)))
    if results['transport'] != 'libcurl':
        raise Wrong('vqcache ran over %s: what is shown is over libcurl' % results['transport'])
    left_out = []
    groups = [group_of(results, case, left_out) for case in SHOWN]
    hit = group_of(results, HIT, left_out)
    groups = [group for group in groups if group]
    if not groups:
        raise Wrong('no case has a peer: ' + '; '.join(left_out))
    return groups, hit, left_out


def runs_text(groups):
    counts = sorted({len(bar.times) for group in groups for bar in group.bars})
    if counts == [1]:
        return 'one run'
    return 'median of %s' % ' to '.join(str(n) for n in dict.fromkeys((counts[0], counts[-1])))


def median(bar):
    return statistics.median(bar.times)


# ---- README --------------------------------------------------------------------------------------

def micro(seconds):
    return '%.0f µs' % (seconds * 1e6)


def table_row(group, shown, notes):
    """a line of the table; what a peer does not do is told below it, once: notes has the mark of each"""
    against = []
    for bar in group.bars[1:]:
        if bar.note and bar.note not in notes:
            notes[bar.note] = MARKS[len(notes)]
        against.append('%s %s%s' % (bar.brief, shown(median(bar)), notes.get(bar.note, '')))
    return '|%s|%s|%s|' % (group.brief, shown(median(group.bars[0])), ', '.join(against))


def section(results):
    """what stands between the marks of README"""
    groups, hit, _ = groups_of(results)
    machine = results['machine']
    kernel = '.'.join(machine['kernel'].split('.')[:2])
    lines = [
        '![Seconds of vqcache and peers](%s)' % CHART,
        '',
        '`sh tests/bench/run.sh`, %s, nginx beside it: %s, %s, %s %s, one %s; versions: chart.'
        % (results['date'], cores_text(machine), machine['cpu'], machine['system'], kernel,
                    machine['disk']),
        '',
        '|seconds, %s|vqcache|against|' % runs_text(groups + ([hit] if hit else [])),
        '|-|-|-|']
    notes = {}
    lines += [table_row(group, '{:.2f}'.format, notes) for group in groups if group.brief]
    if hit:
        lines.append(table_row(hit, micro, notes))
    if notes:
        lines += ['', '; '.join('%s: %s' % (mark, note) for note, mark in notes.items()) + '.']
    return '\n'.join(lines) + '\n'


def with_section(readme, text):
    if readme.count(BEGIN + '\n') != 1 or readme.count(END) != 1 or readme.index(BEGIN) > readme.index(END):
        raise Wrong('%s does not hold %s and %s, once each and in this order' % (README, BEGIN, END))
    head, _, rest = readme.partition(BEGIN + '\n')
    return head + BEGIN + '\n' + text + END + rest.partition(END)[2]


# ---- the chart -----------------------------------------------------------------------------------

# LEFT: where bars begin. LONGEST: the longest of them; a spread may go on by BEYOND, and behind that is room
# for time and notes.
WIDTH, LEFT, LONGEST, BEYOND = 920, 264, 320, 16
ROW, BAR, TITLE = 21, 13, 27

# The page behind an image may be light or dark whatever the reader's system says: the chart has a ground.
STYLE = """
svg{color-scheme:light dark}
text{font:12px system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;fill:#1f2328}
.g{fill:#fff;stroke:#d1d9e0}.h{font-size:15px;font-weight:600}.c,.v{font-weight:600}
.l{text-anchor:end}.m{fill:#59636e;font-weight:400}.o{fill:#0969da}.p{fill:#8c959f}
.w{stroke:#1f2328;stroke-width:1.5;fill:none}
@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.g{fill:#0d1117;stroke:#3d444d}.m{fill:#9198a1}
.o{fill:#4493f8}.p{fill:#656c76}.w{stroke:#f0f6fc}}
""".strip()


def escaped(text):
    return html.escape(text, quote=False)


def bar_rows(bar, y, scale):
    """a contender at the height y: its name, its bar with the spread, its time"""
    ours = bar.label == 'vqcache'
    value, least, most = median(bar), min(bar.times), max(bar.times)
    end = LEFT + min(most * scale, LONGEST + BEYOND)  # one lame run shall not make all bars short
    notes = [bar.note] if bar.note else []
    if most * scale > LONGEST + BEYOND:
        notes.append('up to %.2f s' % most)

    rows = ['<text class="l%s" x="%d" y="%d">%s</text>' % (
        ' v' if ours else '', LEFT - 8, y + BAR - 2, escaped(bar.label))]
    rows.append('<rect class="%s" x="%d" y="%d" width="%.1f" height="%d"/>' % (
        'o' if ours else 'p', LEFT, y, max(1, value * scale), BAR))
    if most > least:
        rows.append('<path class="w" d="M%.1f %.1fH%.1f"/>' % (LEFT + least * scale, y + BAR / 2, end))
    note = '<tspan class="m"> (%s)</tspan>' % escaped('; '.join(notes)) if notes else ''
    rows.append('<text%s x="%.1f" y="%d">%.2f s%s</text>' % (
        ' class="v"' if ours else '', end + 7, y + BAR - 2, value, note))
    return rows


def wrapped(text, columns=128):
    """lines of the foot, parted at blanks"""
    lines = ['']
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > columns:
            lines.append('')
        lines[-1] = (lines[-1] + ' ' + word).strip()
    return lines


def foot(results, groups, hit, left_out):
    """what a bar cannot say"""
    said = [
        'Each bar is the %s; the thin line goes from the least to the most. Whole processes are timed, the '
        'start of Python included; they took turns, and every file was then compared with the origin’s.' % (
            runs_text(groups))]
    if hit:
        ours, peer = hit.bars
        said.append('Too short to draw: %s, %s (%s: %s).' % (
            hit.title, micro(median(ours)), peer.brief, micro(median(peer))))
    if left_out:
        said.append('Left out: %s.' % '; '.join(left_out))
    said.append('%s, nginx on the same machine: %s. “Both disks” are two directories on it.' % (
        results['date'], machine_text(results['machine'])))
    said.append('vqcache %s over libcurl; %s.' % (results['vqcache'], versions_text(results['versions'])))
    return [line for text in said for line in wrapped(text)]


def described(groups):
    """the chart for those who do not see it"""
    def told(bar):
        return '%s%s %.2f s' % (bar.label, ' (%s)' % bar.note if bar.note else '', median(bar))
    return ' '.join('%s: %s.' % (group.title, '; '.join(map(told, group.bars))) for group in groups)


def chart(results, digest):
    groups, hit, left_out = groups_of(results)
    scale = LONGEST / max(median(bar) for group in groups for bar in group.bars)
    rows, y = [], 34
    for group in groups:
        y += TITLE
        rows.append('<text class="c" x="16" y="%d">%s</text>' % (y, escaped(group.title)))
        y += 9
        for bar in group.bars:
            rows += bar_rows(bar, y, scale)
            y += ROW
    y += 12
    for line in foot(results, groups, hit, left_out):
        y += 17
        rows.append('<text class="m" x="16" y="%d">%s</text>' % (y, escaped(line)))
    height = y + 16
    return '\n'.join([
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" '
        'aria-labelledby="t d">' % (WIDTH, height, WIDTH, height),
        '<title id="t">vqcache beside its peers: seconds, shorter is better</title>',
        '<desc id="d">%s</desc>' % escaped(described(groups)),
        '<!-- made by tests/bench/report.py of results.json, SHA-256 %s... -->' % digest,
        '<style>%s</style>' % STYLE,
        '<rect class="g" x=".5" y=".5" width="%d" height="%d" rx="8"/>' % (WIDTH - 1, height - 1),
        '<text class="h" x="16" y="32">Seconds, shorter is better</text>', *rows, '</svg>', ''])


# ---- the files -----------------------------------------------------------------------------------

def made(root, results, digest):
    """{file of the tree: the text that the results give it}"""
    try:
        with open(os.path.join(root, README), encoding='utf-8') as f:
            readme = with_section(f.read(), section(results))
        image = chart(results, digest)
    except (LookupError, TypeError, AttributeError, ValueError) as why:
        raise Wrong('%s is not as bench.py writes it: %s %s' % (RESULTS, type(why).__name__, why))
    xml.etree.ElementTree.fromstring(image)
    if len(image.encode()) >= CHART_LIMIT:
        raise Wrong('%s would have %d bytes, the limit is %d' % (CHART, len(image.encode()), CHART_LIMIT))
    return {README: readme, CHART: image}


def differing(root):
    """the files of a tree that are not what its results give"""
    found = []
    for name, right in made(root, *read(root)).items():
        try:
            with open(os.path.join(root, name), encoding='utf-8') as f:
                text = f.read()
        except OSError:
            text = None
        if text != right:
            found.append(name)
    return found


def write(root, results=None):
    """all of them; with new results these, too. Nothing is written when anything is wrong."""
    files = {}
    if results is None:
        results, digest = read(root)
    else:
        files[RESULTS] = text_of(results)
        digest = digest_of(files[RESULTS])
        results = json.loads(files[RESULTS])
    files.update(made(root, results, digest))
    for name, text in files.items():
        with open(os.path.join(root, name), 'w', encoding='utf-8') as f:
            f.write(text)
    return ['%s: %d bytes, %d words' % (name, len(text.encode()), len(text.split()))
            for name, text in files.items()]


def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0],
                                epilog='\n'.join(__doc__.split('\n')[1:]),
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--check', action='store_true', help='write nothing, say what differs')
    p.add_argument('--root', metavar='DIR', default=ROOT, help='the repository')
    a = p.parse_args()
    try:
        if not a.check:
            print('\n'.join(write(a.root)))
            return 0
        found = differing(a.root)
    except Wrong as why:
        print('failed: %s' % why)
        return 1
    for name in found:
        print('failed: %s is not what report.py makes of %s' % (name, RESULTS))
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())
