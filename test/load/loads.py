"""The loads: many workers on a queue, a worker that is killed again and again, few slots for many activities, and a
cache under a byte budget. load_test.py runs them small; alone they run at the size that the documentation tells of:

    build/test-python/bin/python test/load/loads.py BUILD_DIR [scale] [restarts] [slots] [cached] [--real]

Each starts load_worker, which writes down every activity that it has run, and checks that by the histories.
"""
import argparse
import asyncio
import collections
import datetime
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import harness  # noqa: E402
from temporalio.api.enums.v1 import TaskQueueType  # noqa: E402
from temporalio.api.taskqueue.v1 import TaskQueue  # noqa: E402
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest  # noqa: E402
from temporalio.client import Client  # noqa: E402

WAIT_S = 600
CALLS = 64  # of the client at a time
TASK_TIMEOUT = datetime.timedelta(seconds=2)  # tasks of a worker that was killed come back after it
MIB = 1 << 20


class Loads:
    """Workers and workflows on one server."""

    def __init__(self, address, client):
        self.address, self.client = address, client
        self.limit = asyncio.Semaphore(CALLS)
        self.workers = []
        self.log = os.path.join(harness.temp_dir(), harness.unique("log"))

    @staticmethod
    async def on(address):
        return Loads(address, await Client.connect(address))

    def worker(self, queue, **options):
        args = [a for name, value in options.items() for a in (f"--{name}", value)]
        worker = harness.Process(harness.program("test/load_worker"), "--address", self.address,
                                 "--task-queue", queue, "--log", self.log, *args)
        self.workers.append(worker)
        return worker

    def end(self):
        for worker in self.workers:
            worker.kill()

    async def start(self, kind, *args, queue):
        async with self.limit:
            return await self.client.start_workflow(kind, args=args, id=harness.unique(kind), task_queue=queue,
                                                    task_timeout=TASK_TIMEOUT)

    async def result(self, handle):
        async with self.limit:
            return await asyncio.wait_for(handle.result(), WAIT_S)

    async def notes(self, queue, workflows, n, ms):
        """So many workflows of n activities each; their handles when all have ended, as they should."""
        handles = await asyncio.gather(*(self.start("NotesWorkflow", n, ms, queue=queue) for _ in range(workflows)))
        results = await asyncio.gather(*(self.result(handle) for handle in handles))
        if results != [n] * workflows:
            raise AssertionError(f"results: {collections.Counter(results)}, expected {n} each")
        return handles

    def ran(self):
        """key -> the processes that ran it"""
        ran = collections.defaultdict(list)
        with open(self.log) as f:
            for line in f:
                pid, key = line.split()
                ran[key].append(int(pid))
        return ran


def status(worker):
    """What the worker printed last, as a dict."""
    lines = [line for line in worker.output().splitlines() if line.startswith("status ")]
    return {k: int(v) for k, v in (word.split("=") for word in lines[-1].split()[1:])} if lines else {}


def rss_kib(worker):
    with open(f"/proc/{worker.pid}/status") as f:
        return int(next(line for line in f if line.startswith("VmRSS")).split()[1])


async def until(condition, timeout_s=WAIT_S):
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError
        await asyncio.sleep(0.1)


async def settled(worker):
    """Waits until the worker has nothing to do any more: it takes no CPU, and says nothing new."""
    def state():
        with open(f"/proc/{worker.pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[11:13], status(worker)

    end, before, now = time.monotonic() + WAIT_S, None, state()
    while now != before:
        if time.monotonic() > end:
            raise TimeoutError
        await asyncio.sleep(0.5)
        before, now = now, state()


async def polled(load, queue, workers):
    """Waits until so many workers poll the queue for workflows and for activities."""
    for kind in ("workflow", "activity"):
        request = DescribeTaskQueueRequest(
            namespace="default", task_queue=TaskQueue(name=queue),
            task_queue_type=TaskQueueType.Value(f"TASK_QUEUE_TYPE_{kind.upper()}"))
        end = time.monotonic() + WAIT_S
        while len({p.identity for p in (
                await load.client.workflow_service.describe_task_queue(request)).pollers}) < workers:
            if time.monotonic() > end:
                raise TimeoutError(f"{workers} workers do not poll {queue} for {kind} tasks")
            await asyncio.sleep(0.05)


async def scale(address, processes, queues, workflows, n=10, ms=10):
    """Spreads `workflows` workflows of n activities over queues with so many workers in all. Returns the activities a
    worker ran, and the seconds it took; each activity has run once, or it raises."""
    loads = await Loads.on(address)
    names = [harness.unique("scale") for _ in range(queues)]
    try:
        for i in range(processes):
            loads.worker(names[i % queues], activities=5)
        for i, name in enumerate(names):
            await polled(loads, name, len(range(i, processes, queues)))
        began = time.monotonic()
        await asyncio.gather(*(loads.notes(name, workflows // queues, n, ms) for name in names))
        seconds = time.monotonic() - began
    finally:
        loads.end()
    ran = loads.ran()
    doubled = [key for key, pids in ran.items() if len(pids) != 1]
    if doubled or len(ran) != workflows // queues * queues * n:
        raise AssertionError(f"{len(ran)} activities ran, more than once: {doubled[:5]}")
    counts = collections.Counter(pid for pids in ran.values() for pid in pids)
    return [counts[worker.pid] for worker in loads.workers], seconds


async def restarts(address, seconds, every_s=1.0, at_once=8):
    """A worker is killed with -9 and started again, again and again, while workflows come. Returns how many workflows
    have ended and how often the worker was killed. None is lost, and no history has an end twice."""
    loads = await Loads.on(address)
    queue, handles, kills, over = harness.unique("restarts"), [], 0, False

    async def user():
        while not over:
            handles.extend(await loads.notes(queue, 1, 3, 20))

    async def killer():
        nonlocal kills, over
        while kills < seconds / every_s:
            worker = loads.worker(queue)
            await asyncio.sleep(every_s)
            worker.kill()
            kills += 1
        over = True
        loads.worker(queue)

    try:
        await asyncio.gather(killer(), *(user() for _ in range(at_once)))
        for handle in handles:
            ends = collections.Counter()
            async for event in handle.fetch_history_events():
                if event.HasField("activity_task_completed_event_attributes"):
                    ends[event.activity_task_completed_event_attributes.scheduled_event_id] += 1
                ends["run"] += event.HasField("workflow_execution_completed_event_attributes")
            if len(ends) != 4 or set(ends.values()) != {1}:
                raise AssertionError(f"{handle.id}: {ends}")
    finally:
        loads.end()
    return len(handles), kills


async def slots(address, activities, limit, workflows=20, ms=2):
    """So many activities through few slots. Returns the most that ran at a time, and the seconds."""
    loads = await Loads.on(address)
    queue = harness.unique("slots")
    try:
        worker = loads.worker(queue, activities=limit)
        began = time.monotonic()
        await loads.notes(queue, workflows, activities // workflows, ms)
        seconds = time.monotonic() - began
        await until(lambda: status(worker).get("ended", 0) >= activities)
        most = status(worker)["running"]
    finally:
        loads.end()
    if any(len(pids) != 1 for pids in loads.ran().values()) or len(loads.ran()) != activities:
        raise AssertionError("not each activity has run once")
    return most, seconds


async def cached(address, workflows, budget):
    """Workflows that wait in the cache of one worker, under a budget of so many bytes. Returns the KiB of the idle
    worker and with them all, how many have left the cache, and the peak; all end in the end."""
    loads = await Loads.on(address)
    queue = harness.unique("cached")
    try:
        worker = loads.worker(queue, cached=workflows, bytes=budget)
        await polled(loads, queue, 1)
        idle = rss_kib(worker)
        starts = [loads.start("WaitsWorkflow", queue=queue) for _ in range(workflows)]
        handles = await asyncio.gather(*starts)
        await until(lambda: status(worker).get("started", 0) >= workflows)
        await settled(worker)
        full, evicted = rss_kib(worker), status(worker)["evicted"]

        async def finish(handle):
            async with loads.limit:
                await handle.signal("done")
            await loads.result(handle)

        await asyncio.gather(*(finish(handle) for handle in handles))
        with open(f"/proc/{worker.pid}/status") as f:
            peak = int(next(line for line in f if line.startswith("VmHWM")).split()[1])
    finally:
        loads.end()
    return idle, full, evicted, peak


async def run_scale(address):
    print(f"{'workers':>7} {'queues':>6} {'activities a worker: least, mean, most':>40} {'seconds':>8}")
    for queues in (1, 2):
        for processes in (1, 2, 4, 8):
            if processes < queues:
                continue
            counts, seconds = await scale(address, processes, queues, 400)
            spread = f"{min(counts)}, {sum(counts) / len(counts):.0f}, {max(counts)}"
            print(f"{processes:>7} {queues:>6} {spread:>40} {seconds:>8.2f}")


async def run_restarts(address):
    ended, kills = await restarts(address, 60)
    print(f"restarts: {ended} workflows ended, each once, while their worker was killed {kills} times")


async def run_slots(address):
    most, seconds = await slots(address, 10000, 10)
    print(f"slots: 10000 activities through 10 slots: at most {most} at a time, {seconds:.1f} s")


async def run_cached(address):
    for budget in (1 << 40, 128 * MIB):
        idle, full, evicted, peak = await cached(address, 50000, budget)
        print(f"cached: 50000 workflows, budget {budget // MIB} MiB: idle worker {idle / 1024:.1f} MiB, "
              f"with them {full / 1024:.1f} MiB ({(full - idle) / 50000:.2f} KiB a workflow), "
              f"{evicted} evicted, peak {peak / 1024:.1f} MiB")


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("build")
    parser.add_argument("loads", nargs="*", default=["scale", "restarts", "slots", "cached"])
    parser.add_argument("--real", action="store_true", help="the real server instead of temporald")
    args = parser.parse_args()
    os.environ.setdefault("TEMPORAL_TEST_BUILD_DIR", os.path.abspath(args.build))
    os.environ.setdefault("TEMPORAL_TEST_CLI", os.path.join(args.build, "test-python", "bin", "temporal"))
    with harness.Server(real=args.real) as server:
        for name in args.loads:
            asyncio.run(globals()[f"run_{name}"](server.address))


if __name__ == "__main__":
    main()
