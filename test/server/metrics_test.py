"""What temporald counts. Goal: its figures have the official server's names, labels and buckets, and say the same after
the same calls; the probes tell that it lives. Method: both servers with --metrics-port, the official Python SDK doing the
same on each, and what is read of both compared.
"""
import asyncio
import re
import unittest
import urllib.error
import urllib.request

from temporalio import workflow
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

import harness

# What is temporald's own, or every program's.
OWN = {"temporald_open_workflows", "process_resident_memory_bytes"}
LINE = re.compile(r"^(\w+)\{(.*)\} (\S+)$")


@workflow.defn(name="Quick")
class Quick:
    @workflow.run
    async def run(self) -> None:
        pass


def read(port, path="metrics"):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=10) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def figures(port):
    """Values by name and labels."""
    out = {}
    for line in read(port)[1].splitlines():
        found = LINE.match(line)
        if found:
            labels = frozenset(re.findall(r'(\w+)="([^"]*)"', found.group(2)))
            out[(found.group(1), labels)] = float(found.group(3))
    return out


def total(values, name, **labels):
    wanted = set(labels.items())
    return sum(value for (n, own), value in values.items() if n == name and wanted <= own)


class MetricsTest(unittest.IsolatedAsyncioTestCase):
    def server(self, real):
        port = harness.free_port()
        server = harness.Server(real=real, args=["--metrics-port", str(port)])
        self.addCleanup(server.kill)
        return server, port

    async def drive(self, address):
        client = await Client.connect(address)
        queue = harness.unique("queue")
        async with Worker(client, task_queue=queue, workflows=[Quick], workflow_runner=UnsandboxedWorkflowRunner()):
            for i in range(3):
                await client.execute_workflow("Quick", id=f"quick-{i}", task_queue=queue)
        waiting = await client.start_workflow("Quick", id="waits", task_queue="nobody-polls")
        await (await client.start_workflow("Quick", id="ends", task_queue="nobody-polls")).terminate()
        for name in ("nowhere", "not-there"):
            with self.assertRaises(RPCError):
                await client.get_workflow_handle(name).describe()
        with self.assertRaises(RPCError):
            await client.start_workflow("Quick", id="", task_queue=queue)
        return waiting

    async def test_it_says_what_the_official_server_says(self):
        (real, real_port), (ours, our_port) = self.server(True), self.server(False)
        await asyncio.gather(self.drive(real.address), self.drive(ours.address))
        for _ in range(200):  # the official server publishes its figures once a second
            there = figures(real_port)
            if total(there, "service_requests", operation="StartWorkflowExecution", namespace="default",
                     service_name="frontend") == 6:
                break
            await asyncio.sleep(0.2)
        here = figures(our_port)
        for name, labels, value in (
                ("service_requests", {"operation": "StartWorkflowExecution"}, 6),
                ("service_requests", {"operation": "TerminateWorkflowExecution"}, 1),
                ("service_requests", {"operation": "DescribeWorkflowExecution"}, 2),
                ("service_error_with_type", {"operation": "DescribeWorkflowExecution", "error_type": "serviceerror_NotFound"}, 2),
                ("service_error_with_type", {"operation": "StartWorkflowExecution", "error_type": "serviceerror_InvalidArgument"}, 1),
                ("service_latency_count", {"operation": "TerminateWorkflowExecution"}, 1)):
            labels = {"namespace": "default", "service_name": "frontend", **labels}
            self.assertEqual(total(there, name, **labels), value, f"{name} {labels}, the official server")
            self.assertEqual(total(here, name, **labels), value, f"{name} {labels}")
        self.assertEqual(total(here, "workflow_success", namespace="default"), 3)
        self.assertEqual(total(there, "workflow_success", namespace="default"), 3)
        buckets = [{value for _, labels in values for key, value in labels if key == "le"} for values in (there, here)]
        self.assertLessEqual(buckets[1], buckets[0])
        names = [{name for name, _ in values} for values in (there, here)]
        missing = names[1] - names[0] - OWN - {
            "workflow_failed", "workflow_cancel", "workflow_timeout", "workflow_continued_as_new"}  # only once one has
        self.assertEqual(missing, set())

    async def test_gauges_and_probes(self):
        ours, port = self.server(False)
        self.assertEqual([read(port, path)[0] for path in ("healthz", "readyz", "nothing")], [200, 200, 404])
        await self.drive(ours.address)
        seen = figures(port)
        for name, labels, value in (
                ("temporald_open_workflows", {"namespace": "default"}, 1),
                ("approximate_backlog_count", {"taskqueue": "nobody-polls", "task_type": "Workflow"}, 1),
                ("pending_polls", {"taskqueue": "nobody-polls"}, 0), ("workflow_terminate", {"namespace": "default"}, 1),
                ("total_namespaces", {}, 2), ("build_information", {}, 1)):
            self.assertEqual(total(seen, name, **labels), value, name)
        self.assertGreater(total(seen, "persistence_requests", operation="Commit"), 5)
        self.assertEqual(total(seen, "persistence_requests"), total(seen, "persistence_latency_count"))
        self.assertGreater(total(seen, "poll_success", task_type="Workflow"), 2)
        text = read(port)[1]
        self.assertGreater(int(re.search(r"^process_resident_memory_bytes (\d+)$", text, re.M).group(1)), 1 << 20)
        client = await Client.connect(ours.address)
        polls = asyncio.create_task(self.poll(client))
        for _ in range(200):
            if total(figures(port), "pending_polls", taskqueue="polled", task_type="Activity") == 1:
                break
            await asyncio.sleep(0.02)
        else:
            self.fail("the poll is not seen")
        polls.cancel()

    async def poll(self, client):
        from temporalio.api.taskqueue.v1 import TaskQueue
        from temporalio.api.workflowservice.v1 import PollActivityTaskQueueRequest

        await client.workflow_service.poll_activity_task_queue(
            PollActivityTaskQueueRequest(namespace="default", task_queue=TaskQueue(name="polled"), identity="me"))

    async def test_a_port_that_is_taken(self):
        ours, port = self.server(False)
        process = harness.Process(harness.program("temporald"), "--port", "0", "--metrics-port", str(port))
        self.addCleanup(process.kill)
        self.assertEqual(process.wait(20), 1)
        self.assertIn(f"cannot listen on :{port}", process.output())


if __name__ == "__main__":
    harness.main()
