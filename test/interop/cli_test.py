"""The official `temporal` command line on workflows in C: it starts, shows, signals, describes, cancels and
terminates them. Method: bench_worker on the shared server.
"""
import json
import time
import unittest

import harness
import workers


class CliTest(unittest.TestCase):
    def setUp(self):
        self.address, self.queue = harness.shared_address(), harness.unique("queue")
        self.worker = workers.worker(self.address, self.queue)
        self.addCleanup(self.worker.kill)

    def cli(self, *args, **kw):
        return harness.cli(self.address, *args, **kw)

    def start(self, workflow, *args):
        name = harness.unique(workflow)
        inputs = [part for a in args for part in ("--input", json.dumps(a))]
        self.cli("workflow", "start", "--type", workflow, "--task-queue", self.queue, "--workflow-id", name, *inputs)
        return name

    def status(self, name):
        seen = harness.cli_json(self.address, "workflow", "describe", "--workflow-id", name)
        return seen["workflowExecutionInfo"]["status"].removeprefix("WORKFLOW_EXECUTION_STATUS_")

    def wait_status(self, name, status):
        end = time.monotonic() + workers.WAIT_S
        while self.status(name) != status:
            self.assertLess(time.monotonic(), end, f"{name} is {self.status(name)}, not {status}")
            time.sleep(0.05)

    def test_execute_and_show(self):
        name = harness.unique("order")
        out = self.cli("workflow", "execute", "--type", "OrderWorkflow", "--task-queue", self.queue, "--workflow-id",
                       name, "--input", '"7"')
        self.assertIn("Order 7: charged 42.50", out)
        shown = self.cli("workflow", "show", "--workflow-id", name)
        for event in ("WorkflowExecutionStarted", "ActivityTaskCompleted", "WorkflowExecutionCompleted"):
            self.assertIn(event, shown)

    def test_signal(self):
        name = self.start("SignalWorkflow", 2)
        for i in range(2):
            self.cli("workflow", "signal", "--workflow-id", name, "--name", "sig", "--input", i)
        self.wait_status(name, "COMPLETED")
        self.assertIn("2", self.cli("workflow", "result", "--workflow-id", name))

    def test_query(self):
        letters = workers.worker(self.address, self.queue + "-letters", "test/interop/languages_worker")
        self.addCleanup(letters.kill)
        name = harness.unique("letter")
        self.cli("workflow", "start", "--type", "Letter", "--task-queue", self.queue + "-letters", "--workflow-id", name,
                 "--input", '"nowhere"', "--input", '"text"')
        self.assertIn("unsigned", self.cli("workflow", "query", "--workflow-id", name, "--name", "state"))
        self.cli("workflow", "signal", "--workflow-id", name, "--name", "sign", "--input", '"ann"')
        self.assertIn("signed by ann", self.cli("workflow", "query", "--workflow-id", name, "--name", "state"))
        self.cli("workflow", "terminate", "--workflow-id", name)

    def test_cancel(self):
        name = self.start("IdleWorkflow")
        self.cli("workflow", "cancel", "--workflow-id", name)
        self.wait_status(name, "CANCELED")

    def test_terminate(self):
        name = self.start("IdleWorkflow")
        self.cli("workflow", "terminate", "--workflow-id", name)
        self.wait_status(name, "TERMINATED")

    def test_describe_task_queue_sees_the_worker(self):
        self.cli("workflow", "execute", "--type", "ChainWorkflow", "--task-queue", self.queue, "--workflow-id",
                 harness.unique("chain"), "--input", "1")
        seen = self.cli("task-queue", "describe", "--task-queue", self.queue)
        self.assertIn("workflow", seen)
        self.assertIn("activity", seen)


if __name__ == "__main__":
    unittest.main()
