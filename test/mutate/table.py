"""What is to be mutated: the options that docs/options.md lists with their tests, and the table mutations.txt."""
import os
import re
import sys
from collections import namedtuple

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, "test", "tidy"))
import tables  # noqa: E402

FILE = "test/mutate/mutations.txt"
REAL = " on real"
OPTIONS = "docs/options.md"
DEFAULTS = ("test/unit/worker/options_test.c", "what_is_left_out_has_its_default")

# Where a member of the caller's struct is taken over: the line behind which it is voided.
Struct = namedtuple("Struct", "name header source after void")
WORKER = Struct("struct temporal_worker_opts", "include/temporal/worker.h", "src/worker/options.c",
                "\tmemcpy(&written, given, size < sizeof(written) ? size : sizeof(written));\n",
                "\tmemset(&written.{0}, 0, sizeof(written.{0}));\n")
CLIENT = Struct("struct temporal_client_opts", "include/temporal/client.h", "src/client/options.c",
                "\tenum temporal_code code = client_opts_copy(opts, sizeof(*opts), given, size, err);\n",
                "\tmemset(&opts->{0}, 0, sizeof(opts->{0}));\n")

# The text `old` of the file, which is there once, becomes `new`; one of the tests, (path, name), has to fail then. One
# with the name "NAME on real" is run on the real server only.
Mutation = namedtuple("Mutation", "title path old new tests")


def members(root, struct):
    header = tables.read(root, struct.header)
    return tables.members(header.replace(struct.name + " {", tables.OPTIONS + " {"))


def options(root):
    """A mutation for each member of the options that a row of docs/options.md names, with the tests of all its rows.
    One with the member's name as its title in the table takes the place of it.
    """
    found = {}
    by_hand = {mutation.title for mutation in mutations(root)}
    known = {WORKER: members(root, WORKER), CLIENT: members(root, CLIENT)}
    for _, row, heading in tables.rows(tables.read(root, OPTIONS)):
        if heading == tables.WITHOUT_PROOF:
            continue
        tests = tables.REFERENCE.findall(row)
        cells = [cell for cell in row.split(" | ") if re.search(r"`\.\w+`", cell)]
        struct = CLIENT if cells and "of the client" in cells[0] else WORKER
        for member in re.findall(r"`\.(\w+)`", " ".join(cells)):
            if member in known[struct] and "." + member not in by_hand:
                all_tests = found.setdefault((member, struct), [])
                all_tests += [test for test in tests if test not in all_tests]
    return [Mutation(f".{member}", struct.source, struct.after, struct.after + struct.void.format(member), tests)
            for (member, struct), tests in found.items()]


def defaults(root):
    """A mutation for each default of a number: another one."""
    text = tables.read(root, WORKER.source)
    numbers = re.findall(r"\tNUMBER\((\w+), \w+, \w+, ([A-Z]\w+),", text)
    return [Mutation(f"the default of .{member}", WORKER.source, f"\tNUMBER({before}, {standard},",
                     f"\tNUMBER({before}, {standard} + 1,", [DEFAULTS])
            for member, standard in numbers
            for before in re.findall(rf"\tNUMBER\(({member}, \w+, \w+), {standard},", text)]


def parse(text):
    """The mutations of a table; raises ValueError with the line of what cannot be read."""
    found, title, path, old, new, tests = [], "", "", "", "", []
    for number, line in enumerate([*text.splitlines(), ""], 1):
        if line.startswith("#"):
            continue
        if not line:
            if old:
                if not path or not tests or old == new:
                    raise ValueError(f"line {number}: {title or 'a mutation'} is not complete")
                found.append(Mutation(title, path, old, new, tests))
            title, old, new, tests = "", "", "", []
        elif line == "-" or line.startswith("- "):
            old += line[2:] + "\n"
        elif line == "+" or line.startswith("+ "):
            new += line[2:] + "\n"
        elif line.startswith("= "):
            file, _, test = line[2:].partition(":")
            tests.append((file, test))
        elif line.startswith("@ "):
            path = line[2:]
        elif not title:
            title = line
        else:
            raise ValueError(f"line {number}: {line!r} is nothing that a mutation has")
    return found


def mutations(root):
    return parse(tables.read(root, FILE))


def problems_of(root, mutation):
    """What of it no longer fits the tree."""
    source = os.path.join(root, mutation.path)
    if not os.path.exists(source):
        return [f"{mutation.path} is not there"]
    count = tables.read(root, mutation.path).count(mutation.old)
    problems = [] if count == 1 else [f"{mutation.path} has the old text {count} times, expected once"]
    for path, test in mutation.tests:
        if not os.path.exists(os.path.join(root, path)):
            problems.append(f"{path} is not there")
        elif test and not re.search(rf"\b{test.removesuffix(REAL)}\b", tables.read(root, path)):
            problems.append(f"{path} has no {test}")
    return problems


def check(root):
    """All problems of all mutations, as text."""
    return [f"{FILE}: {mutation.title}: {problem}"
            for mutation in [*options(root), *defaults(root), *mutations(root)] for problem in problems_of(root, mutation)]


def main():
    problems = check(TOP)
    print("\n".join(problems + [f"mutations: {len(problems)} problems"]))
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
