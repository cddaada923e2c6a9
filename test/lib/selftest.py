"""The harness itself, in Python. Goal: what the interop tests stand on works, and the official SDK
talks to the server that it starts. Method: small programs, the shared server, one of its own.
"""
import asyncio
import os
import unittest

from temporalio.client import Client

import harness


class ProcessTest(unittest.TestCase):
    def test_status_and_output(self):
        p = harness.Process("sh", "-c", "echo one; echo two >&2; exit 3")
        self.assertEqual(p.wait(10), 3)
        self.assertEqual(p.output(), "one\ntwo\n")

    def test_missing_output_is_an_error(self):
        with harness.Process("sh", "-c", "echo one") as p:
            with self.assertRaisesRegex(TimeoutError, "did not print 'two'"):
                p.wait_output("two", 10)

    def test_hanging_process_is_seen_and_killed(self):
        with harness.Process("sleep", "1000") as p:
            with self.assertRaises(TimeoutError):
                p.wait(0.05)
        self.assertEqual(p.wait(0), -9)


class ServerTest(unittest.TestCase):
    def test_official_client_and_cli(self):
        address, workflow = harness.shared_address(), harness.unique("selftest")

        async def start():
            client = await Client.connect(address)
            handle = await client.start_workflow("T", id=workflow, task_queue="q")
            await handle.terminate("done")

        asyncio.run(start())
        seen = harness.cli_json(address, "workflow", "describe", "-w", workflow)
        self.assertEqual(seen["workflowExecutionInfo"]["status"], "WORKFLOW_EXECUTION_STATUS_TERMINATED")

    def test_restart_keeps_the_data(self):
        db = os.path.join(harness.temp_dir(), "server.db")
        with harness.Server(db=db, search_attributes=["Colour=Keyword"]) as server:
            harness.cli(server.address, "workflow", "start", "--type", "T", "--task-queue", "q", "-w", "kept")
            server.restart()
            seen = harness.cli_json(server.address, "workflow", "describe", "-w", "kept")
            self.assertEqual(seen["workflowExecutionInfo"]["execution"]["workflowId"], "kept")


if __name__ == "__main__":
    unittest.main()
