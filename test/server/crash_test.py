"""Nothing acknowledged is lost. Goal: starts, signals, updates, activity results and timers that temporald has
acknowledged survive kill -9, and none of them happens twice. Method: while clients start runs, signal and
update them, and workers work on them, the server is killed a hundred times at random moments on its database
file, and started anew on the same port. In the end every run has its right result, and its history shows
everything once.
"""
import asyncio
import collections
import os
import random
import sys
import time
import unittest

from temporalio import workflow
from temporalio.api.common.v1 import Payloads, WorkflowExecution
from temporalio.api.workflowservice.v1 import SignalWorkflowExecutionRequest
from temporalio.client import Client, RPCTimeoutOrCancelledError
from temporalio.service import RPCError
from temporalio.common import WorkflowIDReusePolicy
from temporalio.converter import default as converter
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

import harness
import workers

KILLS = int(os.environ.get("TEMPORAL_CRASH_KILLS", "100"))
SEED = int(os.environ.get("TEMPORAL_CRASH_SEED", "7"))
USERS = 12
ROUNDS = 3
PAUSE_S = 0.02, 0.3  # between two kills
KINDS = "starts", "signals", "updates", "activities", "timers"  # of what is acknowledged


@workflow.defn
class Counter:
    """Counts what it is told, by signal and by update, until it has had so many of each."""

    def __init__(self):
        self.signals, self.updates = collections.Counter(), collections.Counter()

    @workflow.run
    async def run(self, count: int) -> list[list[int]]:
        await workflow.wait_condition(lambda: len(self.signals) >= count and len(self.updates) >= count)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return [[self.signals[n] for n in range(count)], [self.updates[n] for n in range(count)]]

    @workflow.signal
    def tell(self, number: int) -> None:
        self.signals[number] += 1

    @workflow.update
    async def add(self, number: int) -> int:
        await asyncio.sleep(0.01)
        self.updates[number] += 1
        return number


class Daemon:
    """temporald on a fixed port and file."""

    def __init__(self, db):
        self.port = harness.free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.db = db
        self.start()

    def start(self):
        self.process = harness.Process(
            harness.program("temporald"), "--port", self.port, "--db-filename", self.db)
        self.process.wait_output("listens on")

    def restart(self):
        self.process.kill()
        self.start()


def doubled(history):
    """What a history shows twice of what may be there once: ends of activities and timers, of updates."""
    seen = collections.Counter()
    for event in history.events:
        kind = workers.event_name(event)
        if kind in ("ACTIVITY_TASK_COMPLETED", "ACTIVITY_TASK_FAILED", "ACTIVITY_TASK_TIMED_OUT"):
            seen["activity", getattr(event, kind.lower() + "_event_attributes").scheduled_event_id] += 1
        elif kind == "TIMER_FIRED":
            seen["timer", event.timer_fired_event_attributes.started_event_id] += 1
        elif kind == "WORKFLOW_EXECUTION_UPDATE_COMPLETED":
            seen["update", event.workflow_execution_update_completed_event_attributes.meta.update_id] += 1
        elif kind == "WORKFLOW_EXECUTION_SIGNALED":
            seen["signal", event.workflow_execution_signaled_event_attributes.request_id] += 1
    return [what for what, times in seen.items() if times > 1]


class CrashTest(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        self.daemon = Daemon(os.path.join(harness.temp_dir(), harness.unique("db")))
        self.addCleanup(lambda: self.daemon.process.kill())
        self.queue, self.counters = harness.unique("queue"), harness.unique("counters")
        self.client = await Client.connect(self.daemon.address)
        self.acknowledged, self.handles, self.killing = collections.Counter(), [], True

    async def keep_trying(self, call):
        """Until it is acknowledged: ids make repeats harmless."""
        while True:
            try:
                return await asyncio.wait_for(call(), 20)
            except (RPCError, RPCTimeoutOrCancelledError, asyncio.TimeoutError):
                await asyncio.sleep(0.02)

    async def start(self, kind, *args, queue, name):
        async def call():
            try:
                await self.client.start_workflow(
                    kind, args=args, id=name, task_queue=queue,
                    id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE)
            except WorkflowAlreadyStartedError:
                pass  # an earlier try, whose answer was lost

        await self.keep_trying(call)
        self.acknowledged["starts"] += 1
        handle = self.client.get_workflow_handle(name)
        self.handles.append(handle)
        return handle

    async def signal(self, name, number):
        request = SignalWorkflowExecutionRequest(
            namespace="default", workflow_execution=WorkflowExecution(workflow_id=name), signal_name="tell",
            request_id=f"{name}-{number}",
            input=Payloads(payloads=converter().payload_converter.to_payloads([number])))
        await self.keep_trying(lambda: self.client.workflow_service.signal_workflow_execution(request))
        self.acknowledged["signals"] += 1

    async def update(self, handle, number):
        answer = await self.keep_trying(
            lambda: handle.execute_update(Counter.add, number, id=f"update-{number}"))
        self.assertEqual(answer, number)
        self.acknowledged["updates"] += 1

    async def count(self, name):
        handle = await self.start("Counter", ROUNDS, queue=self.counters, name=name)
        calls = [self.signal(name, n) for n in range(ROUNDS)] + [self.update(handle, n) for n in range(ROUNDS)]
        random.shuffle(calls)
        await asyncio.gather(*calls)
        self.assertEqual(await self.keep_trying(handle.result), [[1] * ROUNDS] * 2, name)

    async def chain(self, name):
        handle = await self.start("ChainWorkflow", ROUNDS, queue=self.queue, name=name)
        self.assertEqual(await self.keep_trying(handle.result), sum(range(ROUNDS)), name)
        self.acknowledged["activities"] += ROUNDS

    async def timers(self, name):
        handle = await self.start("TimerWorkflow", 1, queue=self.queue, name=name)
        self.assertEqual(await self.keep_trying(handle.result), 1, name)
        self.acknowledged["timers"] += 1

    async def user(self, number):
        """Goes on as long as the server is being killed, and until enough was acknowledged, however slow the machine."""
        turn = 0
        while self.killing or min(self.acknowledged[kind] for kind in KINDS) <= KILLS // 10:
            work = (self.count, self.chain, self.timers)[(number + turn) % 3]
            await work(f"{work.__name__}-{number}-{turn}")
            turn += 1

    async def kill_all_the_time(self):
        chance = random.Random(SEED)
        try:
            for n in range(KILLS):
                await asyncio.sleep(chance.uniform(*PAUSE_S))
                self.daemon.restart()
                if n % 10 == 9:
                    print(f"{n + 1} kills, acknowledged: {dict(self.acknowledged)}", file=sys.stderr, flush=True)
        finally:
            self.killing = False

    async def test_nothing_acknowledged_is_lost_or_doubled(self):
        with workers.worker(self.daemon.address, self.queue) as worker:
            async with Worker(self.client, task_queue=self.counters, workflows=[Counter],
                              workflow_runner=UnsandboxedWorkflowRunner()):
                began = time.monotonic()
                await asyncio.wait_for(
                    asyncio.gather(self.kill_all_the_time(), *[self.user(n) for n in range(USERS)]), 250)
                print(f"{time.monotonic() - began:.1f} s", file=sys.stderr)
            self.assertFalse(worker.ended(), worker.output())
        self.daemon.restart()
        for handle in self.handles:
            history = await self.keep_trying(handle.fetch_history)
            self.assertEqual(doubled(history), [], handle.id)


if __name__ == "__main__":
    harness.main()
