"""What the tests in Python share: our workers as processes, and the official client."""
import asyncio
import unittest

from temporalio.client import Client

import harness

WAIT_S = 30


def worker(address, queue, program="bench/bench_worker"):
    """A worker of ours on the queue; it ends with its `with`."""
    return harness.Process(harness.program(program), "--address", address, "--task-queue", queue)


class WorkerTest(unittest.IsolatedAsyncioTestCase):
    """A test with the shared server, a task queue of its own, and a client."""

    async def asyncSetUp(self):
        self.address = harness.shared_address()
        self.queue = harness.unique("queue")
        self.client = await Client.connect(self.address)

    def worker(self, **kw):
        process = worker(self.address, self.queue, **kw)
        self.addCleanup(process.kill)
        return process

    async def start(self, workflow, *args, **kw):
        return await self.client.start_workflow(workflow, args=list(args), id=harness.unique(workflow),
                                                task_queue=self.queue, **kw)

    async def result(self, handle, timeout_s=WAIT_S):
        return await asyncio.wait_for(handle.result(), timeout_s)

    async def execute(self, workflow, *args):
        return await self.result(await self.start(workflow, *args))

    async def wait_events(self, handle, kind, count=1):
        """Waits until the history has `count` events of the kind ("ACTIVITY_TASK_COMPLETED")."""
        end = asyncio.get_running_loop().time() + WAIT_S
        while True:
            history = await handle.fetch_history()
            names = [event_name(event) for event in history.events]
            if names.count(kind) >= count:
                return names
            if asyncio.get_running_loop().time() > end:
                self.fail(f"{count} {kind} are not in the history, but {names}")
            await asyncio.sleep(0.02)


def event_name(event):
    from temporalio.api.enums.v1 import EventType

    return EventType.Name(event.event_type).removeprefix("EVENT_TYPE_")
