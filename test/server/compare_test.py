"""temporald and the real server, side by side. Goal: what a program of the official Python SDK gets from them is
the same: results, failures, refusals with their texts, and histories event by event with all attributes. Method:
each of scenarios.SCENARIOS runs on both with the same worker; what differs from run to run (times, run ids, ...) is
replaced by names before the comparison.
"""
import asyncio
import base64
import json
import os
import re
import unittest
from datetime import timedelta

from google.protobuf.json_format import MessageToDict
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

import harness
import nexus_scenarios
import operated_scenarios
import refusals
import scenarios

PARTS = (scenarios, nexus_scenarios, operated_scenarios)
TRIES = 3
WAIT_S = 60
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
# What tells of one run only, or of the machinery of the one server.
DROPPED = {"eventTime", "taskId", "version", "historySizeBytes", "sdkMetadata", "workerVersion", "binaryChecksum",
           "meteringMetadata", "stackTrace", "encodedAttributes", "workflowExecutionExpirationTime", "clockTime",
           "taskQueue", "lastFailureTime", "startedTime", "firstExecutionRunId", "complete_time", "original_schedule_time",
           "buildId", "operationId", "temporal-callback-token"}


class Stage:
    """One scenario on one server: starts runs, and remembers them for the comparison of their histories."""

    def __init__(self, client, queue, prefix):
        self.client, self.queue, self.prefix = client, queue, prefix
        self.handles = []

    def name(self, what):
        return f"{self.prefix}-{what}"

    async def start(self, workflow, *args, **options):
        options.setdefault("id", self.name(f"{len(self.handles)}"))
        options.setdefault("task_queue", self.queue)
        handle = await self.client.start_workflow(workflow, args=list(args), **options)
        self.handles.append(self.client.get_workflow_handle(handle.id, run_id=handle.result_run_id))
        return handle

    def handle(self, name):
        handle = self.client.get_workflow_handle(name)
        self.handles.append(handle)
        return handle

    async def until(self, ask, wanted):
        for _ in range(400):
            if await ask() == wanted:
                return
            await asyncio.sleep(0.02)
        raise TimeoutError(f"it never was {wanted}")

    async def wait_for(self, handle, kind):
        async def ask():
            return kind in [EventType.Name(e.event_type) for e in (await handle.fetch_history()).events]

        await self.until(ask, True)

    async def wait_for_task_after(self, handle, kind):
        """Until the workflow has heard of the event: a workflow task that came after it is completed."""
        async def ask():
            names = [EventType.Name(e.event_type) for e in (await handle.fetch_history()).events]
            return kind in names and "EVENT_TYPE_WORKFLOW_TASK_COMPLETED" in names[names.index(kind):]

        await self.until(ask, True)

    async def wait_for_activity(self, handle):
        async def ask():
            pending = (await handle.describe()).raw_description.pending_activities
            return bool(pending and pending[0].state == 2)

        await self.until(ask, True)

    async def histories(self):
        """Of all runs, and of those that they continued as."""
        out, seen = [], set()
        for handle in self.handles:
            run = handle.run_id or (await handle.describe()).run_id
            while run and run not in seen:
                seen.add(run)
                history = await self.client.get_workflow_handle(handle.id, run_id=run).fetch_history()
                out.append([MessageToDict(event) for event in history.events])
                last = next(iter([v for k, v in out[-1][-1].items() if k.endswith("Attributes")]), {})
                run = last.get("newExecutionRunId")
        return out


class Normal:
    """Replaces what differs from run to run by what it is, in order of appearance."""

    def __init__(self, stage):
        self.stage, self.names = stage, {}

    def text(self, value):
        value = value.replace(self.stage.queue, "<queue>").replace(self.stage.prefix, "<prefix>")
        value = UUID.sub(lambda found: self.names.setdefault(found.group(), f"<id {len(self.names)}>"), value)
        value = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "<time>", value)
        return re.sub(r"127\.0\.0\.1:\d+", "<address>", value)

    def payload(self, value):
        """What is in a payload, if it is JSON."""
        try:
            return self.value(json.loads(base64.b64decode(value)))
        except ValueError:
            return self.text(value)

    def item(self, key, value):
        if key == "data" and isinstance(value, str):
            return self.payload(value)
        if key in ("operationToken", "nexus-operation-token"):
            return self.payload(value.replace("-", "+").replace("_", "/") + "=" * (-len(value) % 4))
        if key == "workflowTaskStartedEventAttributes":  # a task may be polled for, or come with an answer
            return self.value({**value, "requestId": ""})
        if key == "firstWorkflowTaskBackoff":
            return "none" if value == "0s" else "some"
        return self.value(value)

    def value(self, value):
        if isinstance(value, dict):
            return {key: self.item(key, value) for key, value in value.items() if key not in DROPPED}
        if isinstance(value, list):
            return [self.value(item) for item in value]
        return self.text(value) if isinstance(value, str) else value


async def run_on(address, scenario):
    """Lines: the outcome, then each event of each history."""
    queue = harness.unique("queue")
    client = await Client.connect(address, identity="compare")
    stage = Stage(client, queue, f"{queue}-{scenario.__name__}")
    stage.prefix = harness.unique("run") + "-" + scenario.__name__
    worker = Worker(client, task_queue=queue, workflows=[each for part in PARTS for each in part.WORKFLOWS],
                    activities=[*scenarios.ACTIVITIES, *operated_scenarios.ACTIVITIES], nexus_service_handlers=[s() for s in nexus_scenarios.SERVICES],
                    workflow_runner=UnsandboxedWorkflowRunner(), identity="compare", max_concurrent_activities=10,
                    debug_mode=True)
    async with worker:
        outcome = await asyncio.wait_for(scenario(stage), WAIT_S)
        histories = await stage.histories()
    normal = Normal(stage)
    lines = [f"outcome: {json.dumps(normal.value(outcome), default=str, sort_keys=True)}"]
    for history in histories:
        lines.append("history")
        for event in history:
            lines.append(json.dumps(normal.value(event), sort_keys=True))
    return lines


def differences(real, ours):
    """The first few lines that differ."""
    out = [f"real: {a}\nours: {b}" for a, b in zip(real, ours) if a != b]
    if len(real) != len(ours):
        out.append(f"{len(real)} lines on the real server, {len(ours)} on temporald")
        out += real[len(ours):] + ours[len(real):]
    return out[:4]


class CompareTest(unittest.IsolatedAsyncioTestCase):
    """Has a test for each scenario, see below."""

    @classmethod
    def setUpClass(cls):
        cls.maxDiff = None
        cls.real = harness.Server(real=True)
        cls.addClassCleanup(cls.real.kill)
        cls.ours = harness.Server(real=False, db=os.path.join(harness.temp_dir(), "compare.db"))
        cls.addClassCleanup(cls.ours.kill)

    async def compare(self, scenario):
        """Where two things happen at a time (a child ends, its parent's task starts) chance says which comes first, on
        either server: only what differs each time is a difference.
        """
        for _ in range(TRIES):
            real, ours = await asyncio.gather(run_on(self.real.address, scenario), run_on(self.ours.address, scenario))
            found = differences(real, ours)
            if not found:
                return
            print(f"{scenario.__name__}, once more after:", *found, sep="\n", flush=True)
        self.fail("\n" + "\n".join(found))


async def prepare(address):
    """A client, and the names of a run that is open, with an activity, and of one that has ended."""
    queue = harness.unique("queue")
    client = await Client.connect(address, identity="compare")
    stage = Stage(client, queue, harness.unique("run"))
    async with Worker(client, task_queue=queue, workflows=scenarios.WORKFLOWS, activities=scenarios.ACTIVITIES,
                      workflow_runner=UnsandboxedWorkflowRunner(), debug_mode=True):
        opened, done = await stage.start("Activity", "sleep_long"), await stage.start("Echo", "x")
        await done.result()
        await stage.wait_for_activity(opened)
    return stage, {"$OPEN": opened.id, "$DONE": done.id, "$DONE_RUN": done.result_run_id, "$QUEUE": queue}


# Who finds first that the time is up, client or server, is chance.
IN_VAIN = ("CANCELLED: ", "DEADLINE_EXCEEDED: ")


async def answers_of(address, requests):
    stage, names = await prepare(address)
    normal, out = Normal(stage), []
    for method, content in requests:
        said = await refusals.answer(stage.client, method, content, names, timedelta(seconds=3))
        said = re.sub(r"retry \([0-9a-f]+\)", "retry (<hash>)", normal.text(said))
        out.append("no answer in time" if said.startswith(IN_VAIN) else said)
    return out


class RefusalsTest(unittest.IsolatedAsyncioTestCase):
    """Has a test for each group of requests, see below. On servers of its own, since some make namespaces."""

    @classmethod
    def setUpClass(cls):
        cls.maxDiff = None
        cls.real = harness.Server(real=True)
        cls.addClassCleanup(cls.real.kill)
        cls.ours = harness.Server(real=False)
        cls.addClassCleanup(cls.ours.kill)

    async def compare(self, requests):
        real, ours = await asyncio.gather(*[answers_of(s.address, requests) for s in (self.real, self.ours)])
        found = [f"{refusals.label(*request)}\nreal: {a[:600]}\nours: {b[:600]}"
                 for request, a, b in zip(requests, real, ours) if a != b]
        if found:
            self.fail("\n" + "\n".join(found))


def test_of_requests(requests):
    async def test(self):
        await self.compare(requests)

    return test


for name, group in refusals.GROUPS.items():
    setattr(RefusalsTest, f"test_{name}", test_of_requests(group))


def test_of(scenario):
    async def test(self):
        await self.compare(scenario)

    return test


for each in [each for part in PARTS for each in part.SCENARIOS]:
    setattr(CompareTest, f"test_{each.__name__}", test_of(each))

if __name__ == "__main__":
    import logging

    logging.disable(logging.CRITICAL)
    harness.main()
