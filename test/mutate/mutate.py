#!/usr/bin/env python3
"""Shows that tests fail when what they are about is taken away.

    mutate.py [--only PATTERN] [--options | --table] [--jobs N] [--verbose]

Each mutation (table.py says which there are) is made in a copy of the tree under build/mutate, what its tests need is
built, and they are run, one after the other, until one fails: then it was killed. One that no test notices has
survived, and the program leaves with 1, as with one that cannot be built (broken) or whose test does not pass on the
unchanged copy (unfit). Tests run on temporald, and on the real server where they have nothing to do on temporald.
"""
import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter, namedtuple

import table

WORK = os.path.join(table.TOP, "build", "mutate")
TREE = os.path.join(WORK, "tree")
BUILD = os.path.join(TREE, "build")
PYTHON = os.path.join(table.TOP, "build", "test-python")
FILTER = os.path.join(WORK, "filter.so")
PROGRAMS = ("load_worker", "bench_worker", "order_worker", "order_client", "languages_worker", "nexus_worker",
            "nexus_handler", "nexus_caller", "client_driver")  # what tests in Python start, besides temporald
PATIENCE_S = 8  # how much longer than unchanged a test may take, beside four times that

Outcome = namedtuple("Outcome", "word seconds output")  # passed, failed, skipped


def run(*command, **kw):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", **kw)


def must(*command, **kw):
    done = run(*command, **kw)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.returncode}\n{done.stdout[-4000:]}")
    return done.stdout


def copy_tree():
    """The files of the working tree, as they are; what has not changed keeps its time, so that it is not built again."""
    listed = must("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=table.TOP).splitlines()
    for path in listed:
        source, target = os.path.join(table.TOP, path), os.path.join(TREE, path)
        if not os.path.isfile(source):
            continue
        if os.path.exists(target) and open(source, "rb").read() == open(target, "rb").read():
            continue
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy(source, target)


def configure():
    must("cmake", "-S", TREE, "-B", BUILD, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", "-DTEMPORAL_TESTS=ON",
         "-DTEMPORAL_WERROR=OFF", f"-DTEMPORAL_TEST_PYTHON_DIR={PYTHON}")
    must(os.path.join(TREE, "scripts", "test-python"), PYTHON)
    flags = must("pkg-config", "--cflags", "--libs", "cmocka").split()
    must("cc", "-shared", "-fPIC", "-o", FILTER, os.path.join(TREE, "test/mutate/filter.c"), *flags)


def list_tests():
    """What CTest knows: {name: (command, environment)}."""
    found = {}
    for test in json.loads(must("ctest", "--test-dir", BUILD, "--show-only=json-v1"))["tests"]:
        properties = {p["name"]: p["value"] for p in test.get("properties", ())}
        environment = dict(item.split("=", 1) for item in properties.get("ENVIRONMENT", ()))
        if "command" in test:
            found[test["name"]] = (test["command"], environment)
    return found


class Suite:
    """The tests of the copy."""

    def __init__(self, jobs):
        self.jobs = jobs
        self.tests = {}  # known once they are built
        self.server_files = {}

    def targets(self, path):
        """What to build for the tests of a file."""
        if path.startswith("test/replay/"):
            return ["replay_runner"]
        if not path.endswith(".c"):
            return [p for p in PROGRAMS]
        return [self.name(path)]

    @staticmethod
    def name(path):
        kind, *folders, file = path.split("/")[1:]
        if kind == "replay":
            return "replay_text"
        return "_".join([kind, *folders, re.sub(r"_test\.\w+$|\.\w+$", "", file)])

    def runs(self, path):
        """Its names in CTest: on temporald, or on no server, first."""
        name = self.name(path)
        if path.endswith("load_test.py"):
            name = "load"
        elif path == "scripts/demo":
            name = "demo"
        found = [n for n in (name, name + "_real") if n in self.tests]
        if not found:
            sys.exit(f"{path}: CTest has no test {name}")
        return found

    def build(self, targets):
        return run("ninja", "-C", BUILD, "-j", str(self.jobs), *sorted(set(targets)))

    def start_server(self, environment):
        """The server that the tests share, once for all of them."""
        file = environment.get("TEMPORAL_TEST_SERVER_FILE")
        if file and file not in self.server_files:
            keeper = os.path.join(TREE, "test", "lib", "shared_server.py")
            must("python3", keeper, "start", file, env={**os.environ, **environment})
            self.server_files[file] = environment

    def stop_servers(self):
        for file, environment in self.server_files.items():
            keeper = os.path.join(TREE, "test", "lib", "shared_server.py")
            run("python3", keeper, "stop", file, env={**os.environ, **environment})

    def run_test(self, name, path, test, timeout):
        command, environment = self.tests[name]
        self.start_server(environment)
        environment = {**os.environ, **environment}
        if test and path.endswith(".c"):
            environment.update(LD_PRELOAD=FILTER, MUTATE_TEST=test)
        elif test:
            command = [*command, "-k", test]
        begin = time.monotonic()
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, start_new_session=True)
        try:
            output, status = process.communicate(timeout=timeout)[0], process.returncode
        except subprocess.TimeoutExpired:
            output, status = b"", "timeout"
        finally:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        output = output.decode(errors="replace")
        return Outcome(self.word(path, test, status, output), time.monotonic() - begin, output)

    @staticmethod
    def word(path, test, status, output):
        if status == 77:
            return "skipped"
        if status != 0:
            return "failed"
        if path.endswith(".c") and test:
            if f"[       OK ] {test}" not in output:
                return "skipped"
        if path.endswith(".py") and (re.search(r"^Ran 0 tests", output, re.M) or "OK (skipped=1)" in output):
            return "skipped"
        return "passed"


class Runner:
    def __init__(self, suite, verbose):
        self.suite = suite
        self.verbose = verbose
        self.chosen = {}  # (path, test) -> (CTest's name, seconds)

    def unchanged(self, mutations):
        """Each test passes on the unchanged copy; says on which server it is run from then on."""
        tests = sorted({test for mutation in mutations for test in mutation.tests})
        built = self.suite.build([t for path, _ in tests for t in self.suite.targets(path)] + ["temporald"])
        if built.returncode:
            sys.exit(built.stdout[-4000:])
        self.suite.tests = list_tests()
        for path, test in tests:
            for name in self.suite.runs(path):
                if test.endswith(table.REAL) and not name.endswith("_real"):
                    continue
                outcome = self.suite.run_test(name, path, test.removesuffix(table.REAL), 180)
                if outcome.word != "skipped":
                    break
            if outcome.word == "passed":
                self.chosen[path, test] = (name, outcome.seconds)
            else:
                print(f"{path}:{test} {outcome.word} on the unchanged tree:\n{outcome.output[-4000:]}")
        print(f"{len(self.chosen)} of {len(tests)} tests pass on the unchanged tree", flush=True)

    def mutate(self, mutation):
        """(word, what was seen), the copy is as before afterwards."""
        path = os.path.join(TREE, mutation.path)
        with open(path, encoding="utf-8") as f:
            text = f.read()
        try:
            with open(path, "w", encoding="utf-8") as f:
                f.write(text.replace(mutation.old, mutation.new))
            return self.judge(mutation)
        finally:
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)

    def judge(self, mutation):
        for path, test in mutation.tests:
            if (path, test) not in self.chosen:
                return "unfit", f"{path}:{test} does not pass without a change"
            built = self.suite.build(self.suite.targets(path))
            if built.returncode:
                return "broken", built.stdout[-2000:]
            name, seconds = self.chosen[path, test]
            outcome = self.suite.run_test(name, path, test.removesuffix(table.REAL), 4 * seconds + PATIENCE_S)
            if self.verbose:
                print(outcome.output[-3000:])
            if outcome.word == "failed":
                return "killed", f"{name}:{test or '(all)'} in {outcome.seconds:.1f} s"
        return "SURVIVED", ", ".join(f"{path}:{test}" for path, test in mutation.tests)


def select(args):
    mutations = []
    if not args.table:
        mutations += table.options(table.TOP) + table.defaults(table.TOP)
    if not args.options:
        mutations += table.mutations(table.TOP)
    wanted = re.compile(args.only or "")
    return [m for m in mutations if wanted.search(m.title) or wanted.search(m.path)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="those whose title or file matches")
    parser.add_argument("--options", action="store_true", help="the options of docs/options.md only")
    parser.add_argument("--table", action="store_true", help="those of mutations.txt only")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--verbose", action="store_true", help="shows what the tests print")
    args = parser.parse_args()
    problems = table.check(table.TOP)
    if problems:
        sys.exit("\n".join(problems))
    mutations = select(args)
    copy_tree()
    configure()
    suite = Suite(args.jobs)
    runner = Runner(suite, args.verbose)
    words = Counter()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    try:
        runner.unchanged(mutations)
        for mutation in mutations:
            begin = time.monotonic()
            word, seen = runner.mutate(mutation)
            words[word] += 1
            print(f"{word:8} {time.monotonic() - begin:5.1f} s  {mutation.title}: {seen}", flush=True)
    finally:
        suite.stop_servers()
    print(", ".join(f"{count} {word}" for word, count in words.items()))
    sys.exit(words["killed"] != len(mutations))


if __name__ == "__main__":
    main()
