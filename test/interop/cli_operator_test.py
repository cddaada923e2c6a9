"""The official `temporal` command line on a server: the workflow, activity, task-queue and operator commands that
cli_test.py does not use. Method: a worker of the official SDK in this process, and the commands as processes; the
test runs on both servers and expects the same of them.
"""
import asyncio
import json
import time
import unittest
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

import harness

WAIT_S = 30


@activity.defn(name="later")
async def later() -> str:
    activity.raise_complete_async()


@workflow.defn(name="Desk")
class Desk:
    def __init__(self) -> None:
        self.said: list[str] = []

    @workflow.run
    async def run(self, kind: str) -> list[str]:
        if kind == "activity":
            self.said.append(await workflow.execute_activity("later", start_to_close_timeout=timedelta(hours=1)))
            return self.said
        await workflow.wait_condition(lambda: "end" in self.said)
        return self.said

    @workflow.signal
    def say(self, what: str) -> None:
        self.said.append(what)

    @workflow.update
    def ask(self, what: str) -> int:
        self.said.append(what)
        return len(self.said)


class OperatorTest(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.address, self.queue = harness.shared_address(), harness.unique("queue")
        self.client = await Client.connect(self.address)

    def worker(self):
        return Worker(self.client, task_queue=self.queue, workflows=[Desk], activities=[later],
                      workflow_runner=UnsandboxedWorkflowRunner())

    async def cli(self, *args, **kw):
        return await asyncio.to_thread(harness.cli, self.address, *args, **kw)

    async def cli_json(self, *args):
        return json.loads(await self.cli(*args, "--output", "json"))

    async def start(self, kind):
        name = harness.unique("desk")
        await self.cli("workflow", "start", "--type", "Desk", "--task-queue", self.queue, "--workflow-id", name,
                       "--input", json.dumps(kind))
        return name

    async def until(self, ask, wanted):
        end = time.monotonic() + WAIT_S
        while (seen := await ask()) != wanted:
            self.assertLess(time.monotonic(), end, f"it is {seen}, not {wanted}")
            await asyncio.sleep(0.05)

    async def pending(self, name):
        described = await self.cli_json("workflow", "describe", "--workflow-id", name)
        return [a.get("state", "").removeprefix("PENDING_ACTIVITY_STATE_") + ("+paused" if a.get("paused") else "")
                for a in described.get("pendingActivities", [])]

    async def test_workflows(self):
        async with self.worker():
            name = await self.start("talk")
            updated = await self.cli("workflow", "update", "execute", "--workflow-id", name, "--name", "ask", "--input", '"x"')
            self.assertIn("1", updated)
            await self.cli("workflow", "signal-with-start", "--workflow-id", name, "--type", "Desk", "--task-queue",
                           self.queue, "--signal-name", "say", "--signal-input", '"y"', "--input", '"talk"')
            self.assertIn("Stack for", await self.cli("workflow", "stack", "--workflow-id", name))
            await self.cli("workflow", "signal", "--workflow-id", name, "--name", "say", "--input", '"end"')
            self.assertIn("end", await self.cli("workflow", "result", "--workflow-id", name))
            await self.cli("workflow", "reset", "--workflow-id", name, "--event-id", "4", "--reason", "again")
            self.assertIn("end", await self.cli("workflow", "result", "--workflow-id", name))
            query = f"WorkflowId = '{name}'"
            await self.until(lambda: self.cli("workflow", "count", "--query", query), "Total: 2\n")
            listed = await self.cli_json("workflow", "list", "--query", query)
            self.assertEqual({w["status"] for w in listed}, {"WORKFLOW_EXECUTION_STATUS_COMPLETED"})
            await self.cli("workflow", "delete", "--workflow-id", name, "--yes")

    async def test_activities(self):
        async with self.worker():
            name = await self.start("activity")
            await self.until(lambda: self.pending(name), ["STARTED"])
            await self.cli("activity", "complete", "--workflow-id", name, "--activity-id", "1", "--result", '"outside"')
            self.assertIn("outside", await self.cli("workflow", "result", "--workflow-id", name))
            failing = await self.start("activity")
            await self.until(lambda: self.pending(failing), ["STARTED"])
            await self.cli("activity", "fail", "--workflow-id", failing, "--activity-id", "1", "--reason", "no")
            await self.until(lambda: self.status(failing), "FAILED")

    async def test_activities_are_paused(self):
        async with self.worker():
            name = await self.start("activity")
            await self.until(lambda: self.pending(name), ["STARTED"])
            of = ["--workflow-id", name, "--activity-id", "1"]
            await self.cli("activity", "pause", *of, "--identity", "me")
            self.assertTrue((await self.pending(name))[0].endswith("+paused"))
            await self.cli("activity", "unpause", *of)
            self.assertFalse((await self.pending(name))[0].endswith("+paused"))
            await self.cli("activity", "update-options", *of, "--task-queue", self.queue, "--heartbeat-timeout", "1h")
            await self.cli("workflow", "terminate", "--workflow-id", name)

    async def status(self, name):
        described = await self.cli_json("workflow", "describe", "--workflow-id", name)
        return described["workflowExecutionInfo"]["status"].removeprefix("WORKFLOW_EXECUTION_STATUS_")

    async def test_task_queues(self):
        async with self.worker():
            await self.start("talk")
            for kind in ("workflow", "activity"):
                self.assertIn(kind, await self.cli("task-queue", "describe", "--task-queue", self.queue))
            await self.cli("task-queue", "config", "get", "--task-queue", self.queue, "--task-queue-type", "activity")

    async def test_namespaces(self):
        name = harness.unique("space")
        await self.cli("operator", "namespace", "create", "--namespace", name, "--description", "one", "--retention", "48h")
        await self.cli("operator", "namespace", "update", "--namespace", name, "--description", "two")
        seen = await self.cli_json("operator", "namespace", "describe", "--namespace", name)
        self.assertEqual(seen["namespaceInfo"]["description"], "two")
        self.assertEqual(seen["config"]["workflowExecutionRetentionTtl"], "172800s")
        self.assertIn(name, await self.cli("operator", "namespace", "list"))
        await self.cli("operator", "namespace", "delete", "--namespace", name, "--yes")

    async def test_search_attributes(self):
        name = harness.unique("Colour").replace("-", "")
        await self.cli("operator", "search-attribute", "create", "--name", name, "--type", "Keyword")

        async def is_listed():
            return name in await self.cli("operator", "search-attribute", "list")

        await self.until(is_listed, True)
        await self.cli("operator", "search-attribute", "remove", "--name", name, "--yes")
        await self.until(is_listed, False)

    async def test_nexus_endpoints(self):
        name = harness.unique("endpoint")
        nexus = ["operator", "nexus", "endpoint"]
        await self.cli(*nexus, "create", "--name", name, "--target-namespace", "default", "--target-task-queue", "a")
        await self.cli(*nexus, "update", "--name", name, "--target-task-queue", "b", "--description", "text")
        self.assertIn("b", (await self.cli_json(*nexus, "get", "--name", name))["spec"]["target"]["worker"]["taskQueue"])
        self.assertIn(name, await self.cli(*nexus, "list"))
        await self.cli(*nexus, "delete", "--name", name)
        self.assertNotIn(name, await self.cli(*nexus, "list"))

    async def test_cluster(self):
        self.assertIn("SERVING", await self.cli("operator", "cluster", "health"))
        self.assertIn("sqlite", (await self.cli("operator", "cluster", "describe")).lower())
        self.assertIn("true", await self.cli("operator", "cluster", "system"))
        self.assertRegex(await self.cli("operator", "cluster", "list"), r"active +[0-9a-f-]{36} +127\.0\.0\.1:\d+")


if __name__ == "__main__":
    harness.main()
