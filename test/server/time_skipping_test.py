"""Virtual time for the official SDK. Goal: its time-skipping environment works with temporald in place of
the Java test server. Method: its own kit starts `temporald PORT`; workflows that would take days end at
once, an activity sleeps past its heartbeat, and a locked clock keeps its pace.
"""
import asyncio
import time
import unittest
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import WorkflowFailureError
from temporalio.common import RetryPolicy
from temporalio.exceptions import TimeoutError as TemporalTimeout
from temporalio.exceptions import TimeoutType
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

import harness

DAY = 86400


@workflow.defn
class Sleeper:
    @workflow.run
    async def run(self, seconds: float) -> float:
        start = workflow.now()
        await asyncio.sleep(seconds)
        return (workflow.now() - start).total_seconds()

    @workflow.query
    def now(self) -> float:
        return workflow.now().timestamp()

    @workflow.signal
    def nothing(self) -> None:
        pass


@workflow.defn
class Caller:
    @workflow.run
    async def run(self, name: str) -> None:
        await workflow.execute_activity(
            name, schedule_to_close_timeout=timedelta(seconds=1000), heartbeat_timeout=timedelta(seconds=20),
            retry_policy=RetryPolicy(maximum_attempts=1 if name == "lazy" else 0))


@workflow.defn
class Forever:
    @workflow.run
    async def run(self) -> None:
        await asyncio.Future()


class TimeSkippingTest(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.env = await WorkflowEnvironment.start_time_skipping(
            test_server_existing_path=harness.program("temporald"))
        self.addAsyncCleanup(self.env.shutdown)
        self.queue = harness.unique("queue")
        self.worker = Worker(
            self.env.client, task_queue=self.queue, workflows=[Sleeper, Caller, Forever],
            activities=[self.lazy, self.clumsy], workflow_runner=UnsandboxedWorkflowRunner())
        await self.worker.__aenter__()
        self.addAsyncCleanup(self.worker.__aexit__, None, None, None)

    @activity.defn
    async def lazy(self):
        await self.env.sleep(40)

    @activity.defn
    async def clumsy(self):
        if activity.info().attempt < 5:
            raise RuntimeError("again")

    def start(self, function, *args, **options):
        return self.env.client.start_workflow(
            function, *args, id=harness.unique("run"), task_queue=self.queue, **options)

    async def ahead(self):
        return (await self.env.get_current_time()).timestamp() - time.time()

    async def test_results_come_at_once(self):
        began = time.monotonic()
        handles = [await self.start(Sleeper.run, days * DAY) for days in (3, 1, 2)]
        slept = await asyncio.gather(*[handle.result() for handle in handles])
        for days, seconds in zip((3, 1, 2), slept):
            self.assertAlmostEqual(seconds, days * DAY, delta=1)
        self.assertAlmostEqual(await self.ahead(), 3 * DAY, delta=5)
        handle = await self.start(Forever.run, execution_timeout=timedelta(days=1))
        with self.assertRaises(WorkflowFailureError) as caught:
            await handle.result()
        self.assertIsInstance(caught.exception.cause, TemporalTimeout)
        self.assertLess(time.monotonic() - began, 10)

    async def test_it_is_told_of_an_end_before_time_goes_on(self):
        short, long = await self.start(Sleeper.run, DAY), await self.start(Sleeper.run, 2 * DAY)
        await short.result()
        self.assertAlmostEqual(await self.ahead(), DAY, delta=5)
        self.assertEqual((await long.describe()).status.name, "RUNNING")

    async def test_by_hand(self):
        handle = await self.start(Sleeper.run, DAY)
        await self.env.sleep(1000)
        await handle.signal(Sleeper.nothing)
        self.assertAlmostEqual(await handle.query(Sleeper.now), time.time() + 1000, delta=5)
        self.assertEqual((await handle.describe()).status.name, "RUNNING")

    async def test_activities(self):
        handle = await self.start(Caller.run, "lazy")
        with self.assertRaises(WorkflowFailureError) as caught:
            await handle.result()
        self.assertEqual(caught.exception.cause.cause.type, TimeoutType.HEARTBEAT)
        ahead = await self.ahead()
        await (await self.start(Caller.run, "clumsy")).result()
        self.assertAlmostEqual(await self.ahead(), ahead + 1 + 2 + 4 + 8, delta=3)

    async def test_locked_time_keeps_its_pace(self):
        with self.env.auto_time_skipping_disabled():
            began = time.monotonic()
            await (await self.start(Sleeper.run, 1)).result()
            self.assertGreater(time.monotonic() - began, 0.9)


if __name__ == "__main__":
    harness.main()
