"""The manual at the head of vqcache.hpp, as data: chapters, tables, code; and what the code says of the same.

How the manual is written: a chapter opens with "// ---- 5 options ----". A run of lines that are indented by 5
columns behind // is code, one that is indented by 3 is a table; a run takes its kind from its first line. What the
code is, the last word before it says: "Cell:", "Python:", "shell:", else it is C++.
"""
import ast
import re

UNITS = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "s": 1, "ms": 1}
SEVERITIES = {"say": "information", "warn": "warning", "say_failed": "failure", "choose": "information"}
# what the manual names beside the variables that the header reads: others read these
READ_BY_OTHERS = {"PATH", "ROOT_INCLUDE_PATH"}
CODE, TABLE = 5, 3  # columns behind //
PUNCTUATION = " ().,:;'"


class Chapter:
    def __init__(self, number, title, first):
        self.number, self.title, self.first = number, title, first
        self.lines = []  # (line number, the text behind //)

    def text(self):
        return " ".join(" ".join(line for _, line in self.lines).split())

    def runs(self):
        """(kind, first line, [lines without their indent], the text line before it)"""
        out, run, before = [], None, ""
        for number, line in self.lines + [(0, "x")]:
            indent = len(line) - len(line.lstrip())
            if line and indent >= TABLE:
                if run is None:
                    run = (indent, number, [], before)
                run[2].append(line[run[0]:] if not line[:run[0]].strip() else line.strip())
            elif run is not None and line:
                while run[2] and not run[2][-1]:
                    run[2].pop()
                out.append(run)
                run = None
            elif run is not None:
                run[2].append("")
            if line and indent < TABLE:
                before = line
        return out

    def rows(self):
        """[(line number, row)] of its tables; what continues a row belongs to it"""
        out = []
        for kind, first, lines, _ in self.runs():
            if kind != TABLE:
                continue
            for at, line in enumerate(lines):
                if line[:1].strip():
                    out.append([first + at, line])
                elif line and out:
                    out[-1][1] += "\n" + line
        return out


def room_text(text, name):
    head, marker, tail = text.partition("// ==== >>%s " % name)
    return re.split(r"(?m)^// ==== ", tail, maxsplit=1)[0] if marker else ""


def read(text):
    """The preface, as chapter 0, and the chapters."""
    chapters = [Chapter(0, "", 1)]
    for number, line in enumerate(text.split("// ==== >>config ", 1)[0].rstrip("\n").split("\n"), 1):
        opens = re.match(r"// ---- (\d+) (.+?) -*$", line)
        if opens:
            chapters.append(Chapter(int(opens.group(1)), opens.group(2), number))
            continue
        chapters[-1].lines.append((number, line[2:].rstrip() if line.startswith("//") else line))
    return chapters


def called(chapters, title):
    for chapter in chapters:
        if chapter.title == title:
            return chapter
    return Chapter(-1, title, 0)


# ---- numbers and names of the code ----------------------------------------------------------------

def number(text):
    """The value of "64 << 20", "256 * 1024", "1e6", "std::uint64_t{64} << 30", "16 KiB"; None: it is none."""
    text = re.sub(r"\b(?:std::)?(?:u?int64_t|size_t)\s*\{(\d+)\}", r"\1", text.strip())
    said = re.fullmatch(r"([\d.]+)\s*(\w*)", text)
    if said and said.group(2) in UNITS:
        return float(said.group(1)) * UNITS[said.group(2)]
    if not re.fullmatch(r"[\d.eE+\-*/<>() ]+", text):
        return None
    try:
        return float(eval(compile(ast.parse(text, mode="eval"), "", "eval"), {"__builtins__": {}}))
    except (SyntaxError, TypeError, ValueError, ArithmeticError):
        return None


def constants(code, room, name):
    """All numbers that a room gives to a name."""
    found = set()
    text = re.sub(r"\b(?:std::)?(?:u?int64_t|size_t)\{(\d+)\}", r"\1", room_text(code, room))
    text = re.sub(r"\b(\d+)L\b", r"\1", text)
    for match in re.finditer(r"\b%s\s*(?:=\s*([^,;}]+)|\{([^,;}]+)\})" % re.escape(name), text):
        value = number(match.group(1) or match.group(2))
        if value is not None:
            found.add(value)
    return found


def body_of(code, opening):
    head, found, tail = code.partition(opening)
    return tail[:tail.index("\n};")] if found else ""


def option_members(code):
    """{member: initialiser} of struct options, without comments."""
    members = {}
    for statement in body_of(room_text(code, "api"), "struct options {").split(";"):
        flat = " ".join(statement.split())
        declared = re.match(r"(?:[\w:]+(?:<[^;]*>)?)\s+(\w.*)$", flat)
        for one in re.split(r",\s*(?=\w+\{)", declared.group(1)) if declared else []:
            name, rest = re.match(r"(\w+)\s*(.*)$", one).groups()
            members[name] = rest.lstrip("= ").strip()
    return members


def errors(code):
    return re.findall(r"(?m)^\s*(\w+)(?: = \d+)?,?\s*$", body_of(room_text(code, "api"), "enum class errc {"))


def macros(code):
    """Those that a user can set, or finds: what is not undefined at the end has no _ at its own."""
    lines = re.findall(r"(?m)^\s*#.*$", code)
    return {name for line in lines for name in re.findall(r"\bVQCACHE_[A-Z0-9_]*[A-Z0-9]\b", line)}


def variables(code):
    """The environment variables that the header reads: literals, and the signs of the platforms."""
    code = re.sub(r"(?m)^\s*#.*$", "", code)
    found = set()
    for asked in re.findall(r"\b(?:env|_?w?getenv)\(([^;{]*)", code):
        found |= set(re.findall(r'L?"([A-Z][A-Z0-9_]*)"', asked))
    keys = room_text(code, "credentials")  # asks by a function that it is given
    found |= set(re.findall(r"\bAWS_[A-Z0-9_]*[A-Z0-9]\b", " ".join(re.findall(r'"((?:[^"\\\n]|\\.)*)"', keys))))
    services = re.findall(r'\b\w+_service\{"\w+", "(\w+)"\}', keys)
    found |= {front + one for front in re.findall(r'"(AWS_[A-Z_]+_)"', keys) for one in services}
    literals = re.findall(r'"((?:[^"\\\n]|\\.)*)"', code)
    found |= {name for one in literals for name in re.findall(r"\bVQCACHE_[A-Z_]+\b", one)}
    signs = re.findall(r'"((?:[^"\\\n]|\\.)*)"', room_text(code, "notebook"))
    found |= {name for one in signs for name in re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", re.sub(r"=\S+", "", one))}
    return found


def platforms(code):
    """{name: (variables, directories)} of the table that notebook_options() goes by."""
    rows = re.findall(r'\{"([^"]+)",\s*"([^"]*)",\s*"([^"]*)",\s*"([^"]*)",', room_text(code, "notebook"))
    return {name: (re.findall(r"\b[A-Z][A-Z_]+\b", re.sub(r"=\S+", "", signs)), [fast + "/models"] + lasting.split())
            for name, signs, fast, lasting in rows}


def messages(code):
    """{literal: its severities} of all lines that the header says, adjacent literals joined."""
    said = re.findall(r"\b(say|warn|say_failed)\(\s*\{(.*?)\}\)", code, re.S)
    said += [("choose", one) for one in re.findall(r"\bchoose\((.*?)\n\}", room_text(code, "notebook"), re.S)]
    parts = {}
    for by, one in said:
        for part in re.findall(r'"((?:[^"\\\n]|\\.)*)"', re.sub(r'"\s*\n\s*"', "", one)):
            if len(part.strip(PUNCTUATION)) > 3:
                parts.setdefault(" ".join(part.split()), set()).add(SEVERITIES[by])
    return parts


# ---- what is wrong --------------------------------------------------------------------------------

def differences(what, told, known):
    out = ["%s %s is not in the manual" % (what, one) for one in sorted(known - told)]
    return out + ["the manual tells of %s %s, which is not there" % (what, one) for one in sorted(told - known)]


def wrong_chapters(chapters):
    out = []
    numbered = chapters[1:]
    if [one.number for one in numbered] != list(range(1, len(numbered) + 1)):
        out.append("the chapters are numbered %s" % [one.number for one in numbered])
    listed = dict(re.findall(r"(?<!\S)(\d+) ([a-z][a-z ]*?)(?= \d|$| The )", chapters[0].text()))
    for one in numbered:
        if listed.get(str(one.number)) != one.title:
            out.append("the list of chapters has %s for %d %s" % (listed.get(str(one.number)), one.number, one.title))
    return out


def wrong_options(chapters, code):
    known, told, out = option_members(code), {}, []
    for line, row in called(chapters, "options").rows():
        cells = re.split(r"\s{2,}", row.split("\n")[0])
        told[cells[0]] = (line, cells[1] if len(cells) > 1 else "")
    for name in set(told) & set(known):
        line, default = told[name]
        initial = known[name].replace(" != 0", "")
        said = "empty" if initial == "{}" else initial
        if default != said and (number(default) is None or number(default) != number(said)):
            out.append("line %d: the default of %s is %s, not %s" % (line, name, said, default))
    return out + differences("the option", set(told), set(known))


def wrong_errors(chapters, code):
    told = [row.split()[0] for _, row in called(chapters, "errors").rows()]
    if sorted(told) == sorted(errors(code)) and told != errors(code):
        return ["the errors are not in the order of errc"]
    return differences("the error", set(told), set(errors(code)))


def wrong_limits(chapters, code):
    out, rows = [], 0
    for line, row in called(chapters, "limits").rows():
        said = re.match(r"(\w+) +(\w+) = (.+?)(?:  |\n|$)", row)
        if not said:
            out.append("line %d is no ROOM NAME = VALUE" % line)
            continue
        rows += 1
        room, name, value = said.groups()
        found = constants(code, room, name)
        if found != {number(value)}:
            out.append("line %d: %s of >>%s is %s, not %s" % (
                line, name, room, ", ".join("%g" % one for one in sorted(found)) or "nowhere", value))
    return out if rows else out + ["the manual has no limits"]


def wrong_names(chapters, code):
    told = re.findall(r"\bVQCACHE_[A-Z0-9_]*[A-Z0-9]\b", called(chapters, "macros").text())
    out = differences("the macro", set(told), macros(code))
    told = re.findall(r"\b(?:[A-Z]+(?:_[A-Z0-9]+)+|HOME|PATH|USERPROFILE|LOCALAPPDATA)\b",
                      called(chapters, "environment variables").text())
    return out + differences("the variable", set(told) - READ_BY_OTHERS, variables(code))


def wrong_platforms(chapters, code):
    known, out = platforms(code), []
    signs = {row.split("  ")[0]: row for _, row in called(chapters, "environment variables").rows()}
    disks = {row.split("  ")[0]: row for _, row in called(chapters, "notebooks").rows()}
    disks.pop("platform", None)
    for name in known:
        for place, table, words in (("signs", signs, known[name][0]), ("disks", disks, known[name][1])):
            lacks = [word for word in words if word.rstrip("/*") not in table.get(name, "")]
            if lacks:
                out.append("the %s of %s lack %s" % (place, name, " ".join(lacks)))
    return out + differences("the platform", set(disks), set(known))


def wrong_messages(chapters, code):
    known = messages(code)
    chapter = called(chapters, "what a call does")
    rows, how = [], "information"
    told = dict(chapter.rows())
    for line, text in chapter.lines:  # the words above a table begin a sentence with its severity
        named = re.search(r"(?:^ ?|\. )(information|warning|failure),", text)
        how = named.group(1) if named else how
        if line in told:
            rows.append((line, told[line].split("\n")[0], " ".join(told[line].split()), how))
    out = ["the message '%s' is not in the manual as of %s" % (part, one) for part in known
           for one in known[part] if not any(part in whole and one == how for _, _, whole, how in rows)]
    for line, row, _, _ in rows:
        for part in re.split(r"'?\b(?:[A-Z]{2,}|N)\b'?", row):  # what stands in capitals differs
            part = part.strip(PUNCTUATION)
            if len(part) > 3 and not any(part in one for one in known):
                out.append("line %d: no message says '%s'" % (line, part))
    return out if known else out + ["no message was found: the search is blind"]


def wrong_indents(chapters):
    """Code that is indented otherwise would not be compiled."""
    out = []
    for chapter in chapters[1:]:
        for indent, first, lines, before in chapter.runs():
            is_of_list = indent == 4 and re.match(r" \d+\. ", before)
            if indent not in (CODE, TABLE) and not is_of_list:
                out.append("line %d is indented by %d columns: code has %d, a table %d" % (
                    first, indent, CODE, TABLE))
            if indent != CODE:
                out += ["line %d looks like code, which is indented by %d columns" % (first + at, CODE)
                        for at, line in enumerate(lines) if re.search(r"[;{]$", line)]
    return out


def wrong(text, bare):
    """What the manual says otherwise than the code; bare: the header without its comments, line by line."""
    chapters = read(text)
    code = "\n".join(line if line.startswith("// ==== ") else code
                     for line, code in zip(text.split("\n"), bare.split("\n")))
    return (wrong_chapters(chapters) + wrong_options(chapters, code) + wrong_errors(chapters, code)
            + wrong_limits(chapters, code) + wrong_names(chapters, code) + wrong_messages(chapters, code)
            + wrong_platforms(chapters, code) + wrong_indents(chapters))


# ---- code -----------------------------------------------------------------------------------------

def code_blocks(text):
    """[(line number, kind, text)]; kind: C++, Cell, Python, shell"""
    out = []
    for chapter in read(text):
        for indent, first, lines, before in chapter.runs():
            if indent == CODE:
                said = re.search(r"\b(Cell|Python|shell):$", before)
                out.append((first, said.group(1) if said else "C++", "\n".join(lines) + "\n"))
    return out
