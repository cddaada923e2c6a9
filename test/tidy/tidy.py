#!/usr/bin/env python3
"""The house rules that a program can check. CONTRIBUTING.md says them in words.

    tidy.py [ROOT]

Prints `path:line: what; expected ...` for every breach and leaves with 1 if there is any. The rules
are in RULES (what may stand where) and in the check_* functions (one a kind of file). ratchet.txt
names the functions and files that are too long, with their length: it may only shrink.
"""
import os
import re
import shutil
import statistics
import subprocess
import sys
from collections import namedtuple

FILE_LINES, FUNCTION_LINES, NESTING, COLUMNS, TAB = 800, 70, 3, 100, 8
SWITCH_REST_LINES = 20  # of a long function that is one flat switch, what may stand around it

Problem = namedtuple("Problem", "path line what expected")
Function = namedtuple("Function", "name line length body")

# The layers: what a folder under src/ may include. What `a` may include, its users may.
ARROWS = {
    "base": (),
    "proto": ("base",),
    "convert": ("base", "proto"),
    "rpc": ("base", "proto"),
    "engine": ("base", "proto"),
    "workflow": ("base", "convert", "engine"),
    "client": ("base", "convert", "rpc"),
    "worker": ("client", "engine", "workflow", "convert", "rpc"),
    "server": ("base", "proto", "rpc"),
    "testing": ("worker", "server"),
}
# The folder that defines what a header of the API declares; the other headers belong to client and above.
API_HOME = {
    "error.h": "base",
    "metrics.h": "base",
    "types.h": "convert",
    "contract.h": "convert",
    "definition.h": "workflow",
    "activity.h": "convert",
    "interceptor.h": "workflow",
    "remote.h": "workflow",
    "workflow.h": "workflow",
}
API_USERS = ("client", "worker", "testing", "server")
# What needs the world: not for pure code, and each library has its folder.
IMPURE = r"(pthread|threads|time|unistd|fcntl|signal|poll|netdb|dirent|sys/\w+|arpa/\w+|netinet/\w+)\.h"
SYSTEM_HOMES = (
    (r"uv\.h|nghttp2/.*|openssl/.*", ("rpc",)),
    (r"zlib\.h", ("rpc",)),
    (r"jansson\.h", ("proto", "convert")),
    (r"sqlite3\.h", ("server",)),
    (IMPURE, tuple(layer for layer in ARROWS if layer != "engine")),
)

WORDS = (
    (r"\b(TODO|FIXME|XXX|HACK)\b", "finish it, or leave it out"),
    (r"(?i)\bstubs?\b|\bplaceholder\b|\bnot implemented\b", "finish it, or leave it out"),
)
UNSAFE_CALLS = (
    (r"\b(strcpy|strcat|stpcpy|strncat|sprintf|vsprintf|gets)\s*\(", "a call that knows the size of its buffer"),
    (r"\balloca\s*\(", "an arena"),
)
LIBRARY_CALLS = (
    (r"\b(strtok|tmpnam|asctime|ctime|gmtime|localtime)\s*\(", "the re-entrant form"),
    (r"\b(atoi|atol|atoll|atof)\s*\(", "strtol and its relatives, with the end checked"),
)
PRINTING_CALLS = (
    (r"(?<![\w.>])(printf|puts|putchar|perror)\s*\(", "the error to the caller: the library does not print"),
    (r"(?<![\w.>])(exit|_exit)\s*\(", "the error to the caller: the library does not end the process"),
)
# These are the main functions of processes of their own.
OWN_PROCESSES = ("src/base/log.c", "src/worker/isolate_child.c", "src/worker/isolate_helper.c")
# Spelt in two pieces, so that this file does not break its own rule.
MACHINE = re.compile("|".join((
    "/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/", "pyp" + r"i\.org", "pythonho" + "sted", "crates" + r"\.io",
    "proxy\\.golang" + r"\.org", "registry" + r"\.npmjs", "repo[0-9]?\\.maven", "deb\\.deb" + "ian")))

CONTROL = re.compile(r"(\t+)(?:\} )?(?:else )?(if|for|while|switch|do|\w*for_each\w*)\b")
INCLUDE = re.compile(r'\s*#\s*include\s+([<"])([^>"]+)[>"]')
KEYWORDS = ("if", "for", "while", "switch", "return", "sizeof", "else", "do")


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as f:
        return f.read()


def closure(layer):
    found, todo = {layer}, [layer]
    while todo:
        for below in ARROWS[todo.pop()]:
            if below not in found:
                found.add(below)
                todo.append(below)
    return found


def blank(text):
    """The code with comments, strings and characters blanked, lines and columns kept; and the // lines."""
    out, slashes, i, line = list(text), [], 0, 1

    def wipe(end):
        nonlocal line
        for j in range(i, min(end, len(text))):
            if text[j] == "\n":
                line += 1
            elif text[j] != "\t":
                out[j] = " "

    while i < len(text):
        two = text[i:i + 2]
        if two == "/*":
            end = text.find("*/", i + 2)
            end = len(text) if end < 0 else end + 2
        elif two == "//":
            slashes.append(line)
            end = text.find("\n", i)
            end = len(text) if end < 0 else end
        elif text[i] in "\"'" and not (text[i] == "'" and text[i - 1:i].isalnum()):
            end = i + 1
            while end < len(text) and text[end] not in (text[i], "\n"):
                end += 2 if text[end] == "\\" else 1
            end += 1
            i += 1
            wipe(end - 1)
            i = end
            continue
        else:
            line += text[i] == "\n"
            i += 1
            continue
        wipe(end)
        i = end
    return "".join(out), slashes


def functions(code):
    """Every function: `{` and `}` alone in the first column, as the kernel's form has it."""
    lines = code.split("\n")
    start = None
    for number, text in enumerate(lines):
        if text == "{":
            start = number
        elif text.startswith("}") and start is not None:
            head = start - 1
            while head > 0 and lines[head - 1].strip() and not lines[head - 1].rstrip().endswith((";", "}", ">")) \
                    and not lines[head - 1].startswith("#"):
                head -= 1
            signature = " ".join(lines[head:start])
            names = [n for n in re.findall(r"(\w+)\s*\(", signature) if n not in ("__attribute__", *KEYWORDS)]
            yield Function(names[0] if names else signature.strip(), head + 1, number - start + 1,
                           lines[start:number + 1])
            start = None


def is_flat_switch(function):
    """One switch whose cases hold no blocks, and little around it."""
    body = function.body
    starts = [i for i, text in enumerate(body) if re.match(r"\tswitch \(", text)]
    if len(starts) != 1:
        return False
    end = next((i for i in range(starts[0] + 1, len(body)) if body[i].startswith("\t}")), None)
    if end is None:
        return False
    inside = body[starts[0] + 1:end]
    return len(body) - len(inside) <= SWITCH_REST_LINES and not any(CONTROL.match(text) for text in inside)


def check_words(path, text):
    for number, line in enumerate(text.split("\n"), 1):
        for pattern, expected in WORDS:
            for match in re.finditer(pattern, line):
                yield Problem(path, number, f"the word `{match.group(0)}`", expected)
        if MACHINE.search(line):
            yield Problem(path, number, f"`{MACHINE.search(line).group(0)}`",
                          "no path of a machine and no host of a registry")


def check_calls(path, code, library):
    rules = UNSAFE_CALLS
    if library:
        rules += LIBRARY_CALLS + (PRINTING_CALLS if path not in OWN_PROCESSES else ())
    for number, line in enumerate(code.split("\n"), 1):
        for pattern, expected in rules:
            for match in re.finditer(pattern, line):
                yield Problem(path, number, f"`{match.group(0).rstrip('( ')}`", expected)
        if re.match(r"\s*typedef\s+(struct|union)\b(?!.*\()(?!.*_out;)", line):
            yield Problem(path, number, "a typedef of a struct", "`struct name` (only a contract's X_out may be one)")


def check_form(path, text, code, slashes):
    for number in slashes:
        yield Problem(path, number, "a // comment", "/* */")
    for number, line in enumerate(text.split("\n"), 1):
        width = len(line.expandtabs(TAB))
        if width > COLUMNS:
            yield Problem(path, number, f"{width} columns", f"at most {COLUMNS}")
        if line != line.rstrip():
            yield Problem(path, number, "blanks at the end of the line", "none")
    for function in functions(code):
        for offset, line in enumerate(function.body):
            match = CONTROL.match(line)
            depth = len(match.group(1)) if match else 0
            if depth > NESTING:
                yield Problem(path, function.line + offset + 1, f"{function.name}: nested {depth} deep",
                              f"at most {NESTING}; a function of its own, or an early return")


def lengths(path, text, code):
    """What is longer than allowed: name -> (line, length, limit)."""
    found = {}
    total = text.count("\n")
    if path.endswith(".c") and total > FILE_LINES:
        found[path] = (1, total, FILE_LINES)
    for function in functions(code):
        if function.length > FUNCTION_LINES and not is_flat_switch(function):
            found[f"{path}:{function.name}"] = (function.line, function.length, FUNCTION_LINES)
    return found


def check_ratchet(long, ratchet_path, ratchet):
    for name, (line, length, limit) in sorted(long.items()):
        path = name.split(":")[0]
        allowed = ratchet.get(name, (0, 0))[1]
        if length > max(allowed, limit):
            yield Problem(path, line, f"{name.split(':')[-1]} has {length} lines", f"at most {max(allowed, limit)}")
    for name, (line, allowed) in ratchet.items():
        length = long.get(name, (0, 0, 0))[1]
        if length < allowed:
            yield Problem(ratchet_path, line, f"{name} has {length or 'few enough'} lines now, not {allowed}",
                          f"{length}" if length else "the entry removed")


def read_ratchet(root, path):
    entries = {}
    if os.path.exists(os.path.join(root, path)):
        for number, line in enumerate(read(root, path).split("\n"), 1):
            fields = line.split("#")[0].split()
            if fields:
                entries[fields[0]] = (number, int(fields[1]))
    return entries


def include_problem(path, kind, target):
    """Why `path` may not include `target`, as (what, expected), or None."""
    parts = path.split("/")
    top = target.split("/")[0]
    if parts[0] == "include":
        if kind == '"' or target.endswith(".pb-c.h") or (top == "temporal" and target.count("/") > 1):
            return f"a public header includes {target}", "headers of the API and of C alone"
        return None
    if parts[0] in ("examples", "temporald"):
        if kind == '"' and "/" in target:
            return f"a program of a user includes {target}", "<temporal/...> and its own files"
        return None
    if parts[0] != "src" or len(parts) < 3 or parts[1] not in ARROWS:
        return None
    layer, reach = parts[1], closure(parts[1])
    if target.endswith(".pb-c.h"):
        return None if "proto" in reach else (f"{layer} includes {target}", "nothing of Temporal's messages")
    if kind == '"':
        if top not in ARROWS:
            return f"{target} is not named by its layer", '"layer/file.h"'
        if top not in reach:
            return f"{layer} includes {top}", f"only {' '.join(sorted(reach - {layer})) or 'itself'}: arrows point down"
        return None
    if top == "temporal" and target.count("/") == 1:
        home = API_HOME.get(target.split("/")[1])
        if layer not in API_USERS and home not in reach:
            return f"{layer} includes <{target}>", f"headers that {layer} or a layer below it defines"
        return None
    for pattern, homes in SYSTEM_HOMES:
        if re.fullmatch(pattern, target) and layer not in homes:
            return f"{layer} includes <{target}>", f"that only in {' '.join(homes)}"
    return None


def check_includes(path, text):
    for number, line in enumerate(text.split("\n"), 1):
        match = INCLUDE.match(line)
        problem = match and include_problem(path, match.group(1), match.group(2))
        if problem:
            yield Problem(path, number, *problem)


def check_header(path, code):
    """The guard is the path; outside src and include it only has to end with the file's name."""
    exact = path.startswith(("src/", "include/"))
    wanted = re.sub(r"\W", "_", path.split("/", 1)[-1] if exact else os.path.basename(path)).upper()
    match = re.search(r"^\s*#\s*ifndef (\w+)\n\s*#\s*define (\w+)", code, re.M)
    guard = match.group(1) if match and match.group(1) == match.group(2) else "missing"
    if guard != wanted and (exact or not guard.endswith("_" + wanted)):
        yield Problem(path, 1, f"the guard is {guard}", wanted)


def check_c(path, text):
    code, slashes = blank(text)
    library = path.startswith(("src/", "include/"))
    yield from check_form(path, text, code, slashes)
    yield from check_calls(path, code, library)
    yield from check_includes(path, text)
    if path.endswith(".h"):
        yield from check_header(path, code)
    elif not text.startswith("/*"):
        yield Problem(path, 1, "no comment opens the file", "what it owns, who calls it, on which thread, and why")


def check_folders(root, files):
    """Every folder of sources has a README.md, and every source is in a list of CMake's."""
    sources = [f for f in files if f.endswith((".c", ".S"))]
    for folder in sorted({os.path.dirname(f) for f in sources if f.startswith("src/")}):
        if f"{folder}/README.md" not in files:
            yield Problem(folder, 1, "no README.md", "one screen: what lives here, what flows in and out")
    for path in sources:
        if not path.startswith(("src/", "examples/", "bench/")):
            continue
        folder, name = os.path.split(path)
        lists = [f"{folder}/CMakeLists.txt", f"{os.path.dirname(folder)}/CMakeLists.txt"]
        texts = [read(root, f) for f in lists if f in files]
        stem = re.escape(os.path.splitext(name)[0])
        if not any(re.search(rf"(?<![\w-]){stem}(?![\w-])", t) for t in texts):
            yield Problem(path, 1, "no CMakeLists.txt names it", f"it in {lists[0]}, or the file removed")


def list_files(root):
    """What git would commit, else all but builds."""
    if os.path.exists(os.path.join(root, ".git")) and shutil.which("git"):
        out = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard"],
                             capture_output=True, text=True, check=True).stdout
        return {f for f in out.splitlines() if os.path.isfile(os.path.join(root, f))}
    found = set()
    for folder, names, files in os.walk(root):
        names[:] = [n for n in names if not n.startswith((".", "build", "__pycache__"))]
        found |= {os.path.relpath(os.path.join(folder, f), root) for f in files}
    return found


TEXT = (".c", ".h", ".S", ".py", ".sh", ".txt", ".cmake", ".md", ".json", ".in", ".map", ".def")


def is_ours(path):
    """Files under the rules: not data, and not this checker with its samples."""
    if path.startswith("test/tidy/") or "/corpus/" in path or "/histories/" in path:
        return path.startswith("test/tidy/") and path.endswith("README.md")
    return path.endswith(TEXT) or "." not in os.path.basename(path)


def check_tree(root):
    """All problems, and the figures of the tree."""
    files = list_files(root)
    problems, long, figures = [], {}, {"functions": [], "files": [], "comments": 0, "lines": 0}
    for path in sorted(filter(is_ours, files)):
        text = read(root, path)
        problems += check_words(path, text)
        if not path.endswith((".c", ".h")):
            continue
        problems += check_c(path, text)
        code = blank(text)[0]
        long.update(lengths(path, text, code))
        if path.startswith("src/") and path.endswith(".c"):
            count_figures(figures, text, code)
    ratchet_path = "test/tidy/ratchet.txt"
    problems += check_ratchet(long, ratchet_path, read_ratchet(root, ratchet_path))
    problems += check_folders(root, files)
    return problems, figures, files


def count_figures(figures, text, code):
    figures["functions"] += [f.length for f in functions(code)]
    figures["files"].append(text.count("\n"))
    figures["lines"] += sum(1 for line in text.split("\n") if line.strip())
    figures["comments"] += sum(1 for line, kept in zip(text.split("\n"), code.split("\n"))
                               if line.strip() and not kept.strip())


def check_clang_format(root, files):
    """The problems that clang-format 14 finds, or None if it is not here."""
    tool = shutil.which("clang-format-14")
    sources = sorted(f for f in files if f.endswith((".c", ".h")) and is_ours(f))
    if not tool:
        return None
    if not sources:
        return []
    done = subprocess.run([tool, "--dry-run", "--style=file", *sources], cwd=root, capture_output=True, text=True)
    found = {}
    for path, line in re.findall(r"^(.*?):(\d+):\d+: warning: code should be clang-formatted", done.stderr, re.M):
        found.setdefault(path, int(line))
    return [Problem(path, line, "not as clang-format 14 lays it out", "`make format`") for path, line in found.items()]


def main():
    root = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else
                           os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
    problems, figures, files = check_tree(root)
    formatted = check_clang_format(root, files)
    problems += formatted or []
    for p in problems:
        print(f"{p.path}:{p.line}: {p.what}; expected {p.expected}")
    if formatted is None:
        print("clang-format-14 is not here: the layout was not checked")
    if figures["functions"]:
        print(f"src: {len(figures['files'])} files of {statistics.median(figures['files']):.0f} lines in the median, "
              f"{len(figures['functions'])} functions of {statistics.median(figures['functions']):.0f}, "
              f"{100 * figures['comments'] / figures['lines']:.0f} % comment lines")
    print(f"tidy: {len(problems)} problems in {len(files)} files")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
