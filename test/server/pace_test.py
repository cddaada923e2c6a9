"""How quick, and how quiet. Goal: temporald is ready within 20 ms on an empty database, a timer of 1 ms fires
within 5 ms, and a server with nothing to do takes no CPU. Method: the best of several tries is measured (what
else the machine does is not the server's), and compared with a bound that is twice as wide.
"""
import asyncio
import os
import subprocess
import time
import unittest

from temporalio.client import Client

import harness
import workers

READY_MS, TIMER_MS = 2 * 20, 2 * 5
TRIES = 12
IDLE_S = 1.0


def ready_ms(*args):
    """From the start of the program to its line, with no polling between."""
    began = time.perf_counter()
    with subprocess.Popen([harness.program("temporald"), "--port", "0", *args], stdout=subprocess.PIPE) as process:
        while b"listens on" not in process.stdout.readline():
            pass
        took = (time.perf_counter() - began) * 1000
        process.kill()
    return took


def wakeups(pid):
    """How often its threads have given up the CPU by themselves: once for each thing that they did."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status") as f:
            total += sum(int(line.split()[1]) for line in f if line.startswith("voluntary_ctxt_switches"))
    return total


def cpu_ticks(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


class PaceTest(unittest.IsolatedAsyncioTestCase):
    def daemon(self):
        port = harness.free_port()
        process = harness.Process(harness.program("temporald"), "--port", port, "--db-filename",
                                  os.path.join(harness.temp_dir(), harness.unique("db")))
        self.addCleanup(process.kill)
        process.wait_output("listens on")
        return process, f"127.0.0.1:{port}"

    def test_ready_at_once(self):
        memory = min(ready_ms() for _ in range(TRIES))
        file = min(ready_ms("--db-filename", os.path.join(harness.temp_dir(), harness.unique("db")))
                   for _ in range(TRIES))
        print(f"ready in {memory:.1f} ms in memory, {file:.1f} ms with a new file")
        self.assertLess(max(memory, file), READY_MS)

    async def test_a_short_timer_is_short(self):
        process, address = self.daemon()
        queue = harness.unique("queue")
        client = await Client.connect(address)
        with workers.worker(address, queue):
            handle = await client.start_workflow("TimerWorkflow", 20, id="timers", task_queue=queue)
            await asyncio.wait_for(handle.result(), 30)
        started, waits = {}, []
        for event in (await handle.fetch_history()).events:
            if event.HasField("timer_started_event_attributes"):
                started[event.event_id] = event.event_time.ToNanoseconds()
            elif event.HasField("timer_fired_event_attributes"):
                begin = started[event.timer_fired_event_attributes.started_event_id]
                waits.append((event.event_time.ToNanoseconds() - begin) / 1e6)
        waits.sort()
        print(f"a timer of 1 ms takes {waits[0]:.2f} ms at best, {waits[len(waits) // 2]:.2f} in the middle")
        self.assertGreaterEqual(waits[0], 1)
        self.assertLess(waits[len(waits) // 2], TIMER_MS)

    async def test_nothing_to_do_takes_nothing(self):
        process, address = self.daemon()
        client = await Client.connect(address)
        await client.start_workflow("Nobody", id="waits", task_queue="nobody")
        with workers.worker(address, harness.unique("queue")):  # its polls wait
            await asyncio.sleep(0.5)
            quietest = []
            for _ in range(3):
                before = wakeups(process.pid), cpu_ticks(process.pid)
                await asyncio.sleep(IDLE_S)
                quietest.append((wakeups(process.pid) - before[0], cpu_ticks(process.pid) - before[1]))
        times, ticks = min(quietest)
        print(f"idle: {times} wake-ups and {ticks} ticks of CPU in {IDLE_S} s")
        self.assertLessEqual(times, 5)
        self.assertLessEqual(ticks, 0)


if __name__ == "__main__":
    harness.main()
