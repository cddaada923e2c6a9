"""The official Python client drives workflows in C. Goal: results, failures and life cycle are what a
Python worker would give. Method: bench_worker and order_worker on the shared server.
"""
import asyncio
import unittest

from temporalio.client import WorkflowFailureError, WorkflowExecutionStatus
from temporalio.exceptions import CancelledError, TerminatedError

import harness
from workers import WAIT_S, WorkerTest


class PythonClientTest(WorkerTest):
    async def test_order_of_the_chapter(self):
        self.worker(program="examples/order/order_worker").wait_output("Listening for work...")
        self.assertEqual(await self.execute("OrderWorkflow", "order-123"), "Order order-123: txn-99.99")

    async def test_results_of_every_kind_of_work(self):
        self.worker()
        for workflow, argument, expected in (
                ("OrderWorkflow", "a", "Order a: charged 42.50"), ("ChainWorkflow", 10, 45), ("FanWorkflow", 100, 4950),
                ("TimerWorkflow", 5, 5), ("ChainWorkflow", 0, 0)):
            with self.subTest(workflow=workflow, argument=argument):
                self.assertEqual(await self.execute(workflow, argument), expected)

    async def test_strings_survive(self):
        self.worker()
        for text in ("", "é 日本 \U0001F600", 'quote " backslash \\ newline \n', "x" * 50000):
            self.assertEqual(await self.execute("OrderWorkflow", text), f"Order {text}: charged 42.50")

    async def test_signals(self):
        self.worker()
        handle = await self.start("SignalWorkflow", 20)
        await asyncio.gather(*(handle.signal("sig", i) for i in range(20)))
        self.assertEqual(await self.result(handle), 20)

    async def test_signal_with_start(self):
        self.worker()
        handle = await self.start("SignalWorkflow", 1, start_signal="sig", start_signal_args=[1])
        self.assertEqual(await self.result(handle), 1)

    async def test_signal_while_no_worker_is_there(self):
        handle = await self.start("SignalWorkflow", 2)
        await handle.signal("sig", 1)
        self.worker()
        await handle.signal("sig", 2)
        self.assertEqual(await self.result(handle), 2)

    async def test_cancel(self):
        self.worker()
        handle = await self.start("IdleWorkflow")
        await self.wait_events(handle, "WORKFLOW_TASK_COMPLETED")
        await handle.cancel()
        with self.assertRaises(WorkflowFailureError) as caught:
            await self.result(handle)
        self.assertIsInstance(caught.exception.cause, CancelledError)
        self.assertEqual((await handle.describe()).status, WorkflowExecutionStatus.CANCELED)

    async def test_terminate(self):
        self.worker()
        handle = await self.start("IdleWorkflow")
        await self.wait_events(handle, "WORKFLOW_TASK_COMPLETED")
        await handle.terminate("enough")
        with self.assertRaises(WorkflowFailureError) as caught:
            await self.result(handle)
        self.assertIsInstance(caught.exception.cause, TerminatedError)
        self.assertEqual(await self.execute("ChainWorkflow", 3), 3)

    async def test_null_result(self):
        self.worker()
        handle = await self.start("IdleWorkflow")
        await handle.signal("done")
        self.assertIsNone(await self.result(handle))

    async def test_many_at_once(self):
        self.worker()
        results = await asyncio.gather(*(self.execute("ChainWorkflow", 3) for _ in range(100)))
        self.assertEqual(results, [3] * 100)

    async def test_unknown_workflow_type_fails_the_task_and_names_it(self):
        worker = self.worker()
        handle = await self.start("NoSuchWorkflow")
        await self.wait_events(handle, "WORKFLOW_TASK_FAILED")
        failed = [e async for e in handle.fetch_history_events() if e.HasField("workflow_task_failed_event_attributes")]
        self.assertIn("NoSuchWorkflow", failed[0].workflow_task_failed_event_attributes.failure.message)
        await handle.terminate()
        self.assertEqual(await self.execute("ChainWorkflow", 2), 1)
        self.assertFalse(worker.ended())

    async def test_wrong_argument_is_a_clear_failure(self):
        worker = self.worker()
        for arguments in (["text"], [], [{"a": 1}], [[1]], [1.5], [2 ** 70]):
            with self.subTest(arguments=arguments):
                handle = await self.start("ChainWorkflow", *arguments)
                names = await self.wait_for_refusal(handle)
                self.assertTrue(names)
        self.assertEqual(await self.execute("ChainWorkflow", 2), 1)
        self.assertFalse(worker.ended())

    async def wait_for_refusal(self, handle):
        """The failure of the task or of the run, whichever the worker chose; its message."""
        end = asyncio.get_running_loop().time() + WAIT_S
        while asyncio.get_running_loop().time() < end:
            async for event in handle.fetch_history_events():
                for kind in ("workflow_task_failed_event_attributes", "workflow_execution_failed_event_attributes"):
                    if event.HasField(kind):
                        await self.end(handle)
                        return getattr(event, kind).failure.message
            await asyncio.sleep(0.05)
        self.fail("neither the task nor the run failed")

    async def end(self, handle):
        if (await handle.describe()).status == WorkflowExecutionStatus.RUNNING:
            await handle.terminate()

    async def test_graceful_end_on_sigterm(self):
        worker = self.worker(program="examples/order/order_worker")
        worker.wait_output("Listening for work...")
        self.assertEqual(await self.execute("OrderWorkflow", "x"), "Order x: txn-99.99")
        self.assertEqual(worker.stop(), 0, worker.output())


class ConnectionTest(unittest.TestCase):
    def test_refused_connection_is_an_error_and_ends(self):
        address = f"127.0.0.1:{harness.free_port()}"
        client = harness.Process(harness.program("examples/order/order_client"), "--address", address, "order-1")
        self.addCleanup(client.kill)
        self.assertNotIn(client.wait(WAIT_S), (0, -9, -11))
        self.assertIn(address, client.output())


if __name__ == "__main__":
    harness.main()
