"""Nothing acknowledged is lost. Goal: runs and signals that temporald has acknowledged survive kill -9.
Method: while a client starts runs and signals them, and a worker works on them, the server is killed
again and again on its database file, and started anew on the same port. In the end every run that was
acknowledged has its right result, and each signal has been counted once.
"""
import asyncio
import os
import random
import unittest

from temporalio.client import Client
from temporalio.service import RPCError

import harness
import workers

KILLS = 5
SEED = 7
RUNS = 40


class Daemon:
    """temporald on a fixed port and file."""

    def __init__(self, db):
        self.port = harness.free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.db = db
        self.start()

    def start(self):
        self.process = harness.Process(
            harness.program("temporald"), "--port", self.port, "--db-filename", self.db)
        self.process.wait_output("listens on")

    def restart(self):
        self.process.kill()
        self.start()


class CrashTest(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.daemon = Daemon(os.path.join(harness.temp_dir(), harness.unique("db")))
        self.addCleanup(lambda: self.daemon.process.kill())
        self.queue = harness.unique("queue")

    async def keep_trying(self, call):
        """Until it is acknowledged: ids make repeats harmless."""
        for _ in range(200):
            try:
                return await call()
            except RPCError:
                await asyncio.sleep(0.02)
        self.fail("the server does not come back")

    async def one(self, client, n):
        handle = await self.keep_trying(lambda: client.start_workflow(
            "ChainWorkflow", 3, id=f"chain-{n}", task_queue=self.queue, id_conflict_policy=2))
        return await self.keep_trying(handle.result)

    async def test_runs_complete(self):
        chance = random.Random(SEED)
        with workers.worker(self.daemon.address, self.queue) as worker:
            client = await Client.connect(self.daemon.address)
            tasks = [asyncio.create_task(self.one(client, n)) for n in range(RUNS)]
            for _ in range(KILLS):
                await asyncio.sleep(chance.uniform(0.02, 0.2))
                self.daemon.restart()
            results = await asyncio.wait_for(asyncio.gather(*tasks), 90)
            self.assertEqual(results, [3] * RUNS)
            self.assertFalse(worker.ended(), worker.output())

    async def test_signals_are_kept(self):
        client = await Client.connect(self.daemon.address)
        handle = await client.start_workflow("SignalWorkflow", 10, id="signals", task_queue=self.queue)
        for n in range(10):
            await self.keep_trying(lambda n=n: handle.signal("sig", n))
            self.daemon.restart()
        client = await Client.connect(self.daemon.address)
        history = await client.get_workflow_handle("signals").fetch_history()
        signals = [e for e in history.events if e.HasField("workflow_execution_signaled_event_attributes")]
        self.assertGreaterEqual(len(signals), 10)
        with workers.worker(self.daemon.address, self.queue):
            self.assertEqual(await asyncio.wait_for(handle.result(), 60), 10)


if __name__ == "__main__":
    unittest.main()
