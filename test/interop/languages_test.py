"""Workflows and activities of two languages. Goal: a Python workflow calls activities in C, a C workflow
calls an activity in Python, and the official client signals and queries the C workflow: results, types and
failures are right. Method: bench_worker and languages_worker beside a Python worker.
"""
import asyncio
import unittest
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.api.common.v1 import Payload
from temporalio.client import WorkflowFailureError, WorkflowQueryFailedError
from temporalio.common import RawValue, RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

import harness
from workers import WAIT_S, WorkerTest


@workflow.defn
class CallsC:
    @workflow.run
    async def run(self, queue: str) -> list:
        options = {"task_queue": queue, "start_to_close_timeout": timedelta(seconds=10)}
        charged = await workflow.execute_activity("charge_card", 12.5, **options)
        numbers = await asyncio.gather(*(workflow.execute_activity("noop", i, **options) for i in (0, -1, 2 ** 31 - 1)))
        return [charged, *numbers]


@workflow.defn
class SendsBroken:
    @workflow.run
    async def run(self, queue: str) -> list:
        broken = RawValue(Payload(metadata={"encoding": b"json/plain"}, data=b"12.5.1"))
        try:
            await workflow.execute_activity("charge_card", broken, task_queue=queue,
                                            start_to_close_timeout=timedelta(seconds=10),
                                            retry_policy=RetryPolicy(maximum_attempts=1))
        except ActivityError as e:
            return [e.cause.type, e.cause.message]
        return ["", "it was taken"]


@activity.defn
async def shout(text: str, times: int) -> str:
    if not text:
        raise ApplicationError("nothing to shout", text, type="Silence", non_retryable=True)
    return text.upper() + "!" * times


class LanguagesTest(WorkerTest):
    async def letter(self, python_queue, text):
        self.worker(program="test/interop/languages_worker")
        return await self.start("Letter", python_queue, text)

    async def test_c_workflow_calls_a_python_activity(self):
        python_queue = harness.unique("python")
        handle = await self.letter(python_queue, "grüße")
        self.assertEqual(await handle.query("state"), "unsigned")
        await handle.signal("sign", "ann")
        await self.wait_events(handle, "ACTIVITY_TASK_SCHEDULED")
        self.assertEqual(await handle.query("state"), "signed by ann")
        async with Worker(self.client, task_queue=python_queue, activities=[shout]):
            self.assertEqual(await self.result(handle), "GRÜSSE!!! (ann)")
        self.assertEqual(await handle.query("state"), "shouted")

    async def test_python_failure_passes_through_c(self):
        python_queue = harness.unique("python")
        handle = await self.letter(python_queue, "")
        await handle.signal("sign", "bob")
        async with Worker(self.client, task_queue=python_queue, activities=[shout]):
            with self.assertRaises(WorkflowFailureError) as caught:
                await self.result(handle)
        self.assertIsInstance(caught.exception.cause, ActivityError)
        silence = caught.exception.cause.cause
        self.assertIsInstance(silence, ApplicationError)
        self.assertEqual((silence.type, silence.message, silence.details), ("Silence", "nothing to shout", ("",)))

    async def test_unknown_query_names_the_known_ones(self):
        handle = await self.letter("nowhere", "x")
        with self.assertRaisesRegex(WorkflowQueryFailedError, "nope.*state"):
            await handle.query("nope")
        await handle.terminate()

    async def test_payloads_that_are_not_json(self):
        """An argument that cannot be read fails the task of a workflow, and the attempt of an activity."""
        self.worker()
        broken = RawValue(Payload(metadata={"encoding": b"json/plain"}, data=b'{"cut'))
        handle = await self.start("ChainWorkflow", broken)
        await self.wait_events(handle, "WORKFLOW_TASK_FAILED")
        failed = [e for e in (await handle.fetch_history()).events if e.HasField("workflow_task_failed_event_attributes")]
        self.assertRegex(failed[0].workflow_task_failed_event_attributes.failure.message, "argument 1")
        await handle.terminate()
        python_queue = harness.unique("python")
        async with Worker(self.client, task_queue=python_queue, workflows=[SendsBroken],
                          workflow_runner=UnsandboxedWorkflowRunner()):
            got = await asyncio.wait_for(self.client.execute_workflow(
                SendsBroken.run, self.queue, id=harness.unique("SendsBroken"), task_queue=python_queue), WAIT_S)
        self.assertEqual(got[0], "BadPayload")
        self.assertIn("argument 1", got[1])

    async def test_wrong_argument_of_a_signal_is_dropped(self):
        handle = await self.letter("nowhere", "x")
        await handle.signal("sign", 7)
        self.assertEqual(await handle.query("state"), "unsigned")
        await handle.terminate()

    async def test_python_workflow_calls_c_activities(self):
        self.worker()
        python_queue = harness.unique("python")
        async with Worker(self.client, task_queue=python_queue, workflows=[CallsC],
                          workflow_runner=UnsandboxedWorkflowRunner()):
            got = await asyncio.wait_for(self.client.execute_workflow(
                CallsC.run, self.queue, id=harness.unique("CallsC"), task_queue=python_queue), WAIT_S)
        self.assertEqual(got, ["charged 12.50", 0, -1, 2 ** 31 - 1])


if __name__ == "__main__":
    harness.main()
