"""Nothing is lost. Goal: a run outlives its worker, its server and its connection. Method: the worker is
killed (-9) in the middle of a workflow and another takes over; the server is killed on its database
file, and while the same worker goes on, restarted; each time the result has to be right.
"""
import asyncio
import os
import unittest
from datetime import timedelta

from temporalio.client import Client

import harness
import workers
from workers import WorkerTest

# A task that a killed worker had is given to the next one after this time.
SOON = timedelta(seconds=1)


class WorkerKilledTest(WorkerTest):
    async def test_another_worker_finishes_the_run(self):
        first = self.worker()
        handle = await self.start("ChainWorkflow", 300, task_timeout=SOON)
        await self.wait_events(handle, "ACTIVITY_TASK_COMPLETED", 20)
        first.kill()
        done = (await self.wait_events(handle, "ACTIVITY_TASK_COMPLETED", 20)).count("ACTIVITY_TASK_COMPLETED")
        self.assertLess(done, 300, "the run was over before the worker was killed")
        self.worker()
        self.assertEqual(await self.result(handle, 60), sum(range(300)))

    async def test_an_idle_run_wakes_on_another_worker(self):
        first = self.worker()
        handle = await self.start("SignalWorkflow", 2, task_timeout=SOON)
        await handle.signal("sig", 1)
        await self.wait_events(handle, "WORKFLOW_TASK_COMPLETED", 1)
        first.kill()
        self.worker()
        await handle.signal("sig", 2)
        self.assertEqual(await self.result(handle, 60), 2)


class ServerRestartTest(unittest.IsolatedAsyncioTestCase):
    async def test_the_worker_goes_on(self):
        queue = harness.unique("queue")
        with harness.Server(db=os.path.join(harness.temp_dir(), "server.db")) as server:
            with workers.worker(server.address, queue) as worker:
                client = await Client.connect(server.address)
                handle = await client.start_workflow("SignalWorkflow", 2, id="waits", task_queue=queue)
                await handle.signal("sig", 1)
                await asyncio.wait_for(
                    client.execute_workflow("ChainWorkflow", 3, id="before", task_queue=queue), workers.WAIT_S)
                server.restart()
                client = await Client.connect(server.address)
                handle = client.get_workflow_handle("waits")
                await handle.signal("sig", 2)
                self.assertEqual(await asyncio.wait_for(handle.result(), 60), 2)
                self.assertEqual(await asyncio.wait_for(
                    client.execute_workflow("ChainWorkflow", 3, id="after", task_queue=queue), workers.WAIT_S), 3)
                self.assertFalse(worker.ended(), worker.output())


if __name__ == "__main__":
    harness.main()
