#!/usr/bin/env python3
"""The version stands once, in the header's macros; what says it elsewhere is held to them.

  versions.py [--root DIR] version                      prints it
  versions.py [--root DIR] numbers|changes|tag|released  prints what is wrong, and ends with 1 then

  numbers    each place that repeats the version: the header's own, README, recipes, templates
  changes    the manual's chapter of changes opens with this version, and has entries for it
  tag        the tag of the ABI holds the version and what changes the interface, and nothing else
  released   against the git tag of a release: what was released under this tag has this interface

CMake, Meson and the recipe of Conan read the macros; the rest cannot, or is read by people."""
import argparse
import pathlib
import re
import subprocess
import sys

import manual

REPO = pathlib.Path(__file__).resolve().parent.parent.parent
# What changes the interface. VQCACHE_HEADER_ONLY does not: units of both kinds link.
SWITCHES = ("VQCACHE_EXCEPTIONS_", "VQCACHE_USE_LIBCURL")
NUMBER = r"\d+\.\d+(?:\.\d+)?"
# "vqcache 0.2.0", "vqcache/0.2.0", find_package(vqcache 0.2): no range follows
SAID = re.compile(r"\bvqcache[ /](%s)\b(?!\.\.)" % NUMBER)


def parts_of(text):
    """[major, minor, patch] of the macros, or None"""
    found = [re.search(r"(?m)^\s*#\s*define\s+VQCACHE_VERSION_%s\s+(\d+)\s*(?://.*)?$" % part, text)
             for part in ("MAJOR", "MINOR", "PATCH")]
    return [int(one.group(1)) for one in found] if all(found) else None


def dotted(parts):
    return "%d.%d.%d" % tuple(parts)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


# ---- the header ----------------------------------------------------------------------------------

# what must be there, and how it says the version: a search that finds nothing would be blind
IN_HEADER = (
    ("its first lines", r"(?m)\A(?:.*\n){1,25}?// Version (%s)\b" % NUMBER),
    ("the user agent", r'\buser_agent = "vqcache/(%s)"' % NUMBER),
    ("the first line of a receipt", r'"# vqcache (%s) "' % NUMBER),
    ("the manual's find_package", r"find_package\(vqcache (%s)\)" % NUMBER),
)


def wrong_in_header(text, parts):
    version, bad = dotted(parts), []
    for what, pattern in IN_HEADER:
        if not re.search(pattern, text):
            bad.append("vqcache.hpp: %s: no version was found" % what)
    number = 10000 * parts[0] + 100 * parts[1] + parts[2]
    guards = list(re.finditer(r"(?m)^#\s*(?:define VQCACHE_HPP|\w+ VQCACHE_HPP !=) (\d+)", text))
    if len(guards) != 2:
        bad.append("vqcache.hpp: %d places with the number of VQCACHE_HPP, not 2" % len(guards))
    for guard in guards:
        if int(guard.group(1)) != number:
            bad.append("vqcache.hpp:%d: VQCACHE_HPP is %s, of version %s it is %d" % (
                line_of(text, guard.start()), guard.group(1), version, number))
    first = re.search(r"// Version (%s)\b" % NUMBER, text)
    if first and first.group(1) != version:
        bad.append("vqcache.hpp:%d: says version %s, the macros %s" % (
            line_of(text, first.start()), first.group(1), version))
    following = re.search(r"find_package\(vqcache %s\) finds any (%s) and no (%s)" % (
        NUMBER, NUMBER, NUMBER), text)
    meant = ("%d.%d" % tuple(parts[:2]), "%d.%d" % (parts[0], parts[1] + 1))
    if not following or following.groups() != meant:
        bad.append("vqcache.hpp: the manual does not say that find_package finds any %s and no %s" % meant)
    return bad


def wrong_when_said(name, text, version):
    """What stands behind the library's name is its version, or how that begins."""
    bad = []
    for one in SAID.finditer(text):
        said = one.group(1)
        if said != version and said != version.rsplit(".", 1)[0]:
            bad.append("%s:%d: says %s, the header is %s" % (
                name, line_of(text, one.start()), one.group(), version))
    return bad


# ---- other files ---------------------------------------------------------------------------------

# (file, what has to be found in it)
ELSEWHERE = (
    ("README.md", r"find_package\(vqcache (%s) REQUIRED\)" % NUMBER),
    ("examples/packaging/vcpkg/ports/vqcache/vcpkg.json", r'"version(?:-semver)?": "(%s)"' % NUMBER),
    (".packaging/vqcacheConfigVersion.cmake.in", r"find_package\(vqcache (%s)\)" % NUMBER),
)
DERIVED = (  # who reads the macros, and may not say a number of its own
    ("CMakeLists.txt", r"project\(vqcache VERSION (?!\$\{vqcache_version\})[^)]*\)"),
    ("meson.build", r"(?m)^\s*version: *'\d[^']*'"),
    ("examples/packaging/conanfile.py", r"(?m)^\s*version *= *[\"']\d[^\"']*[\"']"),
)


def wrong_elsewhere(root, version):
    bad = []
    for name, pattern in ELSEWHERE:
        text = (root / name).read_text(encoding="utf-8") if (root / name).exists() else ""
        found = re.search(pattern, text)
        if not found:
            bad.append("%s: no version was found" % name)
        elif name.endswith(".json") and found.group(1) != version:
            bad.append("%s:%d: says %s, the header is %s" % (
                name, line_of(text, found.start()), found.group(1), version))
    for name, pattern in DERIVED:
        text = (root / name).read_text(encoding="utf-8") if (root / name).exists() else ""
        found = re.search(pattern, text)
        if found:
            bad.append("%s: has a version of its own: %s" % (name, found.group().strip()))
        elif not text:
            bad.append("%s: is not there" % name)
    return bad


CHART = "examples/benchmark.svg"


def files_of(root):
    """What people read or build; tests hold receipts of other versions."""
    names = ["README.md", "CMakeLists.txt", "meson.build", "vqcache.hpp"]
    for folder in (".packaging", "examples"):
        names += [str(path.relative_to(root)) for path in sorted((root / folder).rglob("*"))
                  if path.is_file() and "__pycache__" not in path.parts]
    # a chart says with which version it was measured, and has seconds behind the library's name
    return [name for name in names if name != CHART]


def wrong_numbers(root, text, parts):
    version = dotted(parts)
    bad = wrong_in_header(text, parts) + wrong_elsewhere(root, version)
    for name in files_of(root):
        if (root / name).exists():
            said = (root / name).read_text(encoding="utf-8", errors="replace")
            bad += wrong_when_said(name, said, version)
    return bad


# ---- changes, the tag of the ABI, releases -------------------------------------------------------

def changes(text):
    """[(version, [entries])] of the manual's chapter"""
    chapter = manual.called(manual.read(text)[1:], "changes")
    out = []
    for _, line in chapter.lines if chapter else []:
        head = re.match(r" (%s)$" % NUMBER, line)
        if head:
            out.append((head.group(1), []))
        elif line.startswith(" - ") and out:
            out[-1][1].append(line[3:])
    return out


def wrong_changes(text, parts):
    version, found = dotted(parts), changes(text)
    if not found:
        return ["the manual has no chapter of changes with versions"]
    if found[0][0] != version:
        return ["the manual's chapter of changes opens with %s, not with %s" % (found[0][0], version)]
    order = [[int(part) for part in one.split(".")] for one, _ in found]
    bad = ["the manual's chapter of changes has no entry for %s" % one for one, entries in found if not entries]
    if order != sorted(order, reverse=True):
        bad.append("the manual's chapter of changes does not go from the newest version to the oldest")
    return bad


def tag_of(text):
    """(the name that the tag begins with, its switches as they are given), or None"""
    made = re.search(r"(?m)^#\s*define VQCACHE_TAG_\((\w+), (\w+)\) (\w+?)_\1##\1##_\2##\2$", text)
    given = re.search(r"(?m)^#\s*define VQCACHE_ABI_ VQCACHE_TAG_OF_\(([^)]*)\)$", text)
    return (made.group(3), tuple(re.split(r",\s*", given.group(1)))) if made and given else None


def wrong_tag(text, parts):
    tag = tag_of(text)
    if not tag:
        return ["VQCACHE_TAG_ and VQCACHE_ABI_ are not what this reads: v<version>_<switch>##<switch>..."]
    bad = []
    if tag[0] != "v%d_%d_%d" % tuple(parts):
        bad.append("the tag of the ABI begins with %s, of version %s it is v%d_%d_%d" % (
            tag[0], dotted(parts), *parts))
    if tag[1] != SWITCHES:
        bad.append("the tag of the ABI is made of %s; what changes the interface is %s" % (
            ", ".join(tag[1]), ", ".join(SWITCHES)))
    if not re.search(r"(?m)^inline namespace VQCACHE_ABI_ \{$", text):
        bad.append("the public names do not live in the inline namespace VQCACHE_ABI_")
    return bad


def interface(text):
    """The public types and functions, without comments and layout"""
    room = re.sub(r"(?m)^#.*\n|//.*", "", manual.room_text(text, "api"))
    return " ".join(room.split())


def git(root, *arguments):
    """What git says, or None where it cannot"""
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=60)
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None


def wrong_releases(root, text):
    """A change of the interface after a release has a tag of its own; a tag is one interface's."""
    bad = []
    for name in (git(root, "tag", "--list", "v*") or "").split():
        released = git(root, "show", name + ":vqcache.hpp")
        if released and tag_of(released) == tag_of(text) and interface(released) != interface(text):
            bad.append("the public interface is not that of %s, whose tag of the ABI this is: "
                       "give it the next version" % name)
    return bad


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", default=REPO, type=pathlib.Path)
    parser.add_argument("what", choices=("version", "numbers", "changes", "tag", "released"))
    arguments = parser.parse_args()
    text = (arguments.root / "vqcache.hpp").read_text(encoding="utf-8")
    parts = parts_of(text)
    if not parts:
        sys.exit("vqcache.hpp does not define VQCACHE_VERSION_MAJOR, _MINOR and _PATCH as plain numbers")
    if arguments.what == "version":
        print(dotted(parts))
        return 0
    bad = {"numbers": lambda: wrong_numbers(arguments.root, text, parts),
           "changes": lambda: wrong_changes(text, parts),
           "tag": lambda: wrong_tag(text, parts),
           "released": lambda: wrong_releases(arguments.root, text)}[arguments.what]()
    for line in bad:
        print(line)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
