"""The benchmarks of `make bench`, on the real server with its limits lifted.

    run.py BUILD_DIR [--worker COMMAND] [--seconds S] [--workloads NAME...]

Must run in the tests' Python. Drives bench_worker (or another worker that offers the same workflows:
{address} and {task_queue} in COMMAND are filled in) with the official Python client, and prints for
each workload the worker's CPU time a workflow, which the client's own speed does not touch; then the
worker's memory, its time to the first finished workflow, and the speed of its replay.
"""
import argparse
import asyncio
import json
import os
import shlex
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "test", "lib"))
import harness  # noqa: E402
from temporalio.client import Client  # noqa: E402

TICK = os.sysconf("SC_CLK_TCK")
WAIT_S = 60

# workflow type, its arguments, how many at once
WORKLOADS = {
    "echo-activity": ("OrderWorkflow", ["order-1"], "Order order-1: charged 42.50", 50),
    "chain-10": ("ChainWorkflow", [10], 45, 50),
    "fan-100": ("FanWorkflow", [100], 4950, 10),
    "timers-10": ("TimerWorkflow", [10], 10, 50),
    "local-100": ("LocalWorkflow", [100], 4950, 20),
}


def cpu_s(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def rss_mib(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(next(line for line in f if line.startswith("VmRSS")).split()[1]) / 1024


class Bench:
    def __init__(self, args, server, client):
        self.args, self.server, self.client = args, server, client
        self.queue = harness.unique("bench")

    def start_worker(self):
        command = self.args.worker.format(address=self.server.address, task_queue=self.queue)
        return harness.Process(*shlex.split(command))

    def execute(self, kind, arguments):
        return self.client.execute_workflow(kind, args=arguments, id=harness.unique(kind), task_queue=self.queue)

    async def cold(self):
        """From the worker's start to the end of a workflow that waits for it."""
        waiting = asyncio.create_task(self.execute("OrderWorkflow", ["cold"]))
        await asyncio.sleep(1)
        start = time.monotonic()
        worker = self.start_worker()
        await asyncio.wait_for(waiting, WAIT_S)
        print(f"{'first workflow done after':32} {1000 * (time.monotonic() - start):8.0f} ms")
        return worker

    async def load(self, name, worker):
        kind, arguments, expected, at_once = WORKLOADS[name]
        done, start, cpu = 0, time.monotonic(), cpu_s(worker.pid)

        async def one_after_the_other():
            nonlocal done
            while time.monotonic() - start < self.args.seconds:
                result = await asyncio.wait_for(self.execute(kind, arguments), WAIT_S)
                if result != expected:
                    sys.exit(f"{name}: the result is {result!r}, not {expected!r}")
                done += 1

        await asyncio.gather(*(one_after_the_other() for _ in range(at_once)))
        spent = cpu_s(worker.pid) - cpu
        print(f"{name:32} {1000 * spent / done:8.3f} ms of CPU a workflow, "
              f"{done / (time.monotonic() - start):6.0f} workflows a second, {rss_mib(worker.pid):6.1f} MiB")

    async def cached(self, worker, count=1000):
        """What a workflow costs that waits in the cache."""
        before = rss_mib(worker.pid)
        handles = await asyncio.gather(*(
            self.client.start_workflow("IdleWorkflow", id=harness.unique("idle"), task_queue=self.queue)
            for _ in range(count)))
        while True:
            histories = await asyncio.gather(*(h.describe() for h in handles[-20:]))
            if all(h.history_length >= 4 for h in histories):
                break
            await asyncio.sleep(0.1)
        print(f"{'a cached workflow':32} {1024 * (rss_mib(worker.pid) - before) / count:8.1f} KiB")
        for handle in handles:
            await handle.terminate()

    async def replay(self, times=20):
        """Replays a workflow of 300 activities, if the worker can."""
        handle = await self.client.start_workflow("ChainWorkflow", 300, id=harness.unique("replay"),
                                                  task_queue=self.queue)
        await asyncio.wait_for(handle.result(), WAIT_S)
        path = os.path.join(harness.temp_dir(), "history.json")
        with open(path, "w") as f:
            f.write((await handle.fetch_history()).to_json())
        program = shlex.split(self.args.worker)[0]
        done = subprocess.run([program, "--replay", path, "--times", str(times)], capture_output=True, text=True)
        if done.returncode:
            print(f"replay: {program} --replay left with {done.returncode}: {done.stderr.strip()}")
            return
        seen = json.loads(done.stdout.splitlines()[-1])
        print(f"{'replay':32} {1000 * seen['events'] / seen['mean_ms']:8.0f} events a second "
              f"({seen['events']} events in {seen['mean_ms']:.2f} ms)")


async def run(args, server):
    bench = Bench(args, server, await Client.connect(server.address))
    worker = await bench.cold()
    await asyncio.sleep(1)
    print(f"{'idle worker':32} {rss_mib(worker.pid):8.1f} MiB")
    await bench.cached(worker)
    for name in args.workloads:
        await bench.load(name, worker)
    await bench.replay()
    worker.kill()


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("build")
    parser.add_argument("--worker")
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--workloads", nargs="*", default=list(WORKLOADS))
    args = parser.parse_args()
    own = os.path.join(args.build, "bench", "bench_worker")
    args.worker = args.worker or f"{own} --address {{address}} --task-queue {{task_queue}}"
    with harness.Server() as server:
        asyncio.run(run(args, server))


if __name__ == "__main__":
    main()
