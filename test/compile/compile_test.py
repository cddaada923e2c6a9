"""Compiles what must compile, and what must not.

Each file in mistakes/ holds one mistake between #ifdef MISTAKE and #else, and says in its first
comment how it is caught: `flags: none` is an error whatever the flags are (it is compiled with -w),
`flags: product` needs the flags that the library gives to its users. `expect:` is a regular
expression that the compiler's message must match, so that no file fails for another reason; and
without MISTAKE the same file must compile with every warning an error.

study.c and study_workflow.c, which have all forms of contracts and bindings, and each public
header, included alone, must compile as C17 and GNU C17, and the headers as C++17, with every
warning an error.
"""

import argparse
import concurrent.futures
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wno-unused-parameter", "-Werror"]
PRODUCT = ["-Werror=unused-result", "-Werror=format"]


def compile_file(compiler, path, flags):
    # A whole compilation: the syntax alone does not show results that are not used.
    line = [compiler, *flags, "-c", str(path), "-o", "/dev/null"]
    done = subprocess.run(line, capture_output=True, text=True, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"})
    return done.returncode == 0, " ".join(line) + "\n" + done.stderr


def product_flags(compiler):
    """Clang has a name of its own for a missing sentinel."""
    clang = "clang" in subprocess.run([compiler, "--version"], capture_output=True, text=True).stdout
    return PRODUCT + (["-Werror=sentinel"] if clang else [])


def directive(text, name):
    found = re.search(rf"^ \* {name}: (.+)$", text, re.MULTILINE)
    if not found:
        raise ValueError(f"no '{name}:' in its first comment")
    return found.group(1)


def check_mistake(options, path):
    text = path.read_text()
    flags, expect = directive(text, "flags"), directive(text, "expect")
    base = ["-std=c17", *options.include]
    product = product_flags(options.cc)

    ok, output = compile_file(options.cc, path, base + WARNINGS + product)
    if not ok:
        return f"does not compile without the mistake: {output}"
    ways = {"none": [["-w"], product], "product": [product]}[flags]
    for way in ways:
        ok, output = compile_file(options.cc, path, base + way + ["-DMISTAKE"])
        if ok:
            return f"compiles with the mistake and {' '.join(way)}"
        if not re.search(expect, output):
            return f"fails otherwise than expected ({expect}): {output}"
    return None


def check_header(options, path):
    source = f"#include <temporal/{path.name}>\nextern int nothing;\n"
    ways = [(options.cc, "c", [f"-std={standard}", *WARNINGS]) for standard in ("c17", "gnu17")]
    if options.cxx:
        # In C++ a function that is named as a struct hides its constructor, which is what we want.
        ways.append((options.cxx, "c++", ["-std=c++17", *WARNINGS, "-Wno-shadow"]))
    for compiler, language, flags in ways:
        line = [compiler, "-x", language, *options.include, *flags, "-fsyntax-only", "-"]
        done = subprocess.run(line, input=source, capture_output=True, text=True)
        if done.returncode:
            return f"{' '.join(line)}\n{done.stderr}"
    return None


def check_study(options, path):
    for standard in ("c17", "gnu17"):
        generated = ["-isystem", str(options.generated)]
        flags = [f"-std={standard}", *options.include, *generated, *WARNINGS, *product_flags(options.cc)]
        ok, output = compile_file(options.cc, path, flags)
        if not ok:
            return output
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cc", required=True)
    parser.add_argument("--cxx", default="")
    parser.add_argument("--headers", required=True, type=pathlib.Path, help="the folder include/")
    parser.add_argument("--generated", required=True, type=pathlib.Path, help="the API's headers")
    options = parser.parse_args()
    options.include = ["-I", str(options.headers)]
    mistakes = sorted((HERE / "mistakes").glob("*.c"))
    headers = sorted((options.headers / "temporal").glob("*.h"))
    if not mistakes or not headers:
        sys.exit("nothing to compile")

    jobs = [(check_mistake, path) for path in mistakes] + [(check_header, path) for path in headers]
    jobs += [(check_study, HERE / name) for name in ("study.c", "study_workflow.c")]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda job: job[0](options, job[1]), jobs))
    failed = 0
    for (_, path), problem in zip(jobs, results):
        if problem:
            failed += 1
            print(f"{path.name}: {problem}")
    print(f"{options.cc}: {len(mistakes)} mistakes, {len(headers)} headers, {failed} not as they should be")
    sys.exit(failed > 0)


main()
