"""The tables of docs/options.md and docs/chapter.md against the source: each member of struct temporal_worker_opts has a
row, each file and each test that is named is there, and each row names one.
"""
import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TABLES = ("docs/options.md", "docs/chapter.md")
HEADER = "include/temporal/worker.h"
OPTIONS = "struct temporal_worker_opts"
WITHOUT_PROOF = "## What has no place in C"  # these rows have reasons instead
REFERENCE = re.compile(r"`((?:test|examples|scripts|docs)/[\w./-]+)(?::(\w+))?`")


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as f:
        return f.read()


def members(header):
    """The names of the options, from the struct's text."""
    body = re.sub(r"/\*.*?\*/", "", header[header.index(OPTIONS + " {"):], flags=re.S)
    body = body[body.index("{") + 1:body.index("\n}")]
    names = []
    for member in body.split(";"):
        found = re.search(r"\(\*(\w+)\)", member) or re.search(r"(\w+)\s*$", member.strip())
        if found:
            names.append(found[1])
    return names


def rows(text):
    """(line number, row, heading above it) of all tables, without their heads."""
    heading, last = "", ""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("## "):
            heading = line
        is_head = not last.startswith("|")
        last = line
        if line.startswith("|") and not is_head and not re.fullmatch(r"[|\- ]+", line):
            yield number, line, heading


def references(root, row):
    """What is wrong with what the row names; None: it names nothing."""
    found = REFERENCE.findall(row)
    if not found:
        return None
    wrong = []
    for path, test in found:
        if not os.path.exists(os.path.join(root, path)):
            wrong.append(f"{path} is not there")
        elif test and not re.search(rf"\b{test}\b\s*\(", read(root, path)):
            wrong.append(f"{path} has no {test}")
    return wrong


def check(root):
    """All problems, as text."""
    problems = []
    for table in TABLES:
        for number, row, heading in rows(read(root, table)):
            wrong = references(root, row)
            if wrong is None and heading != WITHOUT_PROOF:
                wrong = ["the row names no test and no program"]
            problems += [f"{table}:{number}: {what}" for what in wrong or []]
    text = read(root, TABLES[0])
    for name in members(read(root, HEADER)):
        if not re.search(rf"`\.{name}`", text):
            problems.append(f"{TABLES[0]}: no row for .{name} of {OPTIONS}")
    return problems


def main():
    problems = check(TOP)
    print("\n".join(problems + [f"tables: {len(problems)} problems"]))
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
