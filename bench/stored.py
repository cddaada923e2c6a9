"""What stored runs cost: temporald with a file that has 1,000, 100,000 and 1,000,000 closed runs.

    stored.py BUILD_DIR [--runs N...] [--seconds S] [--dir DIR]

Must run in the tests' Python. For each number: the time until the server is ready, its memory then, the
latency of a one-activity workflow that is alone, rate, the server's CPU time and commits' share of it with
50 at once, memory after that, and the size of the file. bench_fill makes the runs. DIR (of the system's
temporary files if it is not said) needs 2.5 GB for a million.
"""
import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time

import server as bench

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "test", "lib"))
import harness  # noqa: E402


class Stored(bench.Bench):
    """A Bench whose server can be stopped and started again on its file."""

    def __init__(self, args, path):
        self.args, self.name, self.path = args, "temporald", path
        self.queue = harness.unique("bench")
        self.start()

    def start(self):
        port = harness.free_port()
        self.address = f"127.0.0.1:{port}"
        begun = time.monotonic()
        self.server = harness.Process(
            os.path.join(self.args.build, "temporald"), "--port", str(port), "--db-filename", self.path)
        self.drive("--mode", "wait-server", "--timeout", f"{bench.READY_S}s")
        self.ready_ms = 1000 * (time.monotonic() - begun)
        self.worker = harness.Process(
            self.program("bench_worker"), "--address", self.address, "--task-queue", self.queue)
        self.rss = bench.rss_mib(self.server.pid)
        self.drive("--mode", "wait-worker")

    def stop(self):
        self.worker.kill()
        os.kill(self.server.pid, signal.SIGTERM)
        self.server.wait()


def measure(args, runs):
    with tempfile.TemporaryDirectory(dir=args.dir) as folder:
        path = os.path.join(folder, "server.db")
        stored = Stored(args, path)
        stored.load("echo-activity", 1, 10, 20)
        stored.stop()
        subprocess.run([stored.program("bench_fill"), path, str(runs)], check=True, stdout=subprocess.DEVNULL)
        os.sync()
        size = os.path.getsize(path) / 2**20
        stored.start()
        ready = stored.ready_ms, stored.rss
        stored.load("echo-activity", 20, 1)
        alone = stored.load("echo-activity", 1, args.seconds)
        many = stored.load("echo-activity", 50, args.seconds)
        after = bench.rss_mib(stored.server.pid)
        stored.stop()
        print(f"{runs:8} runs, {size:6.0f} MiB: ready in {ready[0]:6.1f} ms with {ready[1]:5.1f} MiB; alone "
              f"{alone['p50_ms']:5.2f} ms; 50 at once {many['per_second']:6.0f} a second, "
              f"{many['server_ms']:6.3f} ms of the server's CPU each; then {after:5.1f} MiB", flush=True)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("build")
    parser.add_argument("--runs", type=int, nargs="*", default=[1000, 100000, 1000000])
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--dir")
    args = parser.parse_args()
    args.build = os.path.abspath(args.build)
    for runs in args.runs:
        measure(args, runs)


if __name__ == "__main__":
    main()
