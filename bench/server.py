"""The servers side by side: temporald and the official one, in memory and with a file.

    server.py BUILD_DIR [--servers NAME...] [--seconds S] [--finished N]

Must run in the tests' Python (TEMPORAL_TEST_CLI names the official program). For each server, with
bench_worker and bench_driver of the build: the time until it is ready, memory and CPU when idle, the
latency of a one-activity workflow that is alone, rate and the server's CPU time a workflow with 50 at
once, the same for 100 parallel activities, and the memory after N finished workflows. The official
server is started as shipped and, where it says "tuned", without its queues' limits.
"""
import argparse
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "test", "lib"))
import harness  # noqa: E402

TICK = os.sysconf("SC_CLK_TCK")
READY_S = 60


def cpu_s(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def rss_mib(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(next(line for line in f if line.startswith("VmRSS")).split()[1]) / 1024


class Bench:
    def __init__(self, args, name):
        self.args, self.name = args, name
        self.queue = harness.unique("bench")
        port = harness.free_port()
        self.address = f"127.0.0.1:{port}"
        command = [os.path.join(args.build, "temporald")] if name.startswith("temporald") else [
            harness.cli_path(), "server", "start-dev", "--headless", "--log-level", "error", "--ip", "127.0.0.1"]
        command += ["--port", str(port)]
        if name.endswith("file"):
            command += ["--db-filename", os.path.join(harness.temp_dir(), f"{name.replace(' ', '-')}.db")]
        if "tuned" in name:
            for value in harness.TUNED:
                command += ["--dynamic-config-value", value]
        begun = time.monotonic()
        self.server = harness.Process(*command)
        self.drive("--mode", "wait-server", "--timeout", f"{READY_S}s")
        self.ready_ms = 1000 * (time.monotonic() - begun)

    def program(self, name):
        return os.path.join(self.args.build, "bench", name)

    def drive(self, *flags):
        done = subprocess.run([self.program("bench_driver"), "--address", self.address, "--task-queue", self.queue,
                               *flags], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{self.name}: bench_driver {' '.join(flags)}: {done.stderr.strip()} {done.stdout.strip()}")
        return done.stdout

    def load(self, workload, at_once, seconds, count=1000000):
        before = cpu_s(self.server.pid)
        seen = json.loads(self.drive("--workload", workload, "--concurrency", str(at_once), "--count", str(count),
                                     "--duration", f"{seconds}s", "--timeout", f"{seconds + 60}s", "--json"))
        seen["server_ms"] = 1000 * (cpu_s(self.server.pid) - before) / max(1, seen["count"])
        return seen

    def say(self, what, text):
        print(f"{self.name:16} {what:28} {text}", flush=True)

    def idle(self):
        time.sleep(1)
        before = cpu_s(self.server.pid)
        time.sleep(2)
        self.say("ready, idle", f"{self.ready_ms:8.1f} ms {rss_mib(self.server.pid):8.1f} MiB "
                                f"{(cpu_s(self.server.pid) - before) / 2:8.3f} cores")

    def run(self):
        self.idle()
        worker = harness.Process(self.program("bench_worker"), "--address", self.address, "--task-queue", self.queue)
        self.drive("--mode", "wait-worker")
        self.load("echo-activity", 20, 1)
        for workload, at_once in (("echo-activity", 1), ("echo-activity", 50), ("fan-100", 10)):
            seen = self.load(workload, at_once, self.args.seconds)
            self.say(f"{workload}, {at_once} at once",
                     f"{seen['per_second']:8.1f} a second, median {seen['p50_ms']:8.2f} ms, "
                     f"{seen['server_ms']:8.3f} ms of the server's CPU each")
        if self.args.finished:
            self.load("echo-activity", 50, 600, self.args.finished)
            self.say(f"after {self.args.finished} more", f"{rss_mib(self.server.pid):8.1f} MiB")
        worker.kill()
        self.server.kill()


def main():
    names = ["temporald memory", "temporald file", "official memory", "official file", "tuned memory", "tuned file"]
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("build")
    parser.add_argument("--servers", nargs="*", choices=names, default=names[:4])
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--finished", type=int, default=0)
    args = parser.parse_args()
    args.build = os.path.abspath(args.build)
    for name in args.servers:
        Bench(args, name).run()


if __name__ == "__main__":
    main()
