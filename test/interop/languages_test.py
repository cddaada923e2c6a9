"""Workflows and activities of two languages. Goal: a Python workflow calls activities in C, on the C
worker's queue, and gets results and types right. Method: bench_worker beside a Python worker.
"""
import asyncio
import unittest
from datetime import timedelta

from temporalio import workflow
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


class LanguagesTest(WorkerTest):
    async def test_python_workflow_calls_c_activities(self):
        self.worker()
        python_queue = harness.unique("python")
        async with Worker(self.client, task_queue=python_queue, workflows=[CallsC],
                          workflow_runner=UnsandboxedWorkflowRunner()):
            got = await asyncio.wait_for(self.client.execute_workflow(
                CallsC.run, self.queue, id=harness.unique("CallsC"), task_queue=python_queue), WAIT_S)
        self.assertEqual(got, ["charged 12.50", 0, -1, 2 ** 31 - 1])


if __name__ == "__main__":
    unittest.main()
