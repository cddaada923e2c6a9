"""The C client with a worker of the official Python SDK.

Goal: what needs a worker on the other side: results with values of all kinds, failures with their
chain of causes, runs that continue as new or are tried again, queries and their failures, the answer
to a cancel, activities that are completed from outside.
Method: this program is the worker; client_driver (C) starts its workflows and checks what comes back.
"""
import asyncio
import logging
import sys
from dataclasses import dataclass
from datetime import timedelta

import harness
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker


@dataclass
class Line:
    sku: str
    count: int


@workflow.defn(name="Approval")
class Approval:
    def __init__(self) -> None:
        self.by = ""

    @workflow.run
    async def run(self, order_id: str) -> str:
        await workflow.wait_condition(lambda: self.by != "")
        return f"{order_id} approved by {self.by}"

    @workflow.signal
    def approve(self, by: str) -> None:
        self.by = by

    @workflow.query
    def status(self, verbose: bool) -> str:
        return "waiting" if not verbose else "waiting for an \"approve\" – ü"

    @workflow.query
    def broken(self) -> int:
        raise ValueError("nothing to count")


@workflow.defn(name="Echo")
class Echo:
    @workflow.run
    async def run(self, text: str, number: int, share: float, yes: bool, line: Line) -> Line:
        assert (text, number, share, yes) == ("tést", 9007199254740993, 0.1, True)
        return Line(line.sku + text, line.count + 1)


@activity.defn(name="charge")
async def charge() -> None:
    raise ApplicationError("card declined", "4711", type="CardDeclined", non_retryable=True)


@workflow.defn(name="Failing")
class Failing:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(charge, start_to_close_timeout=timedelta(seconds=10))


@workflow.defn(name="Countdown")
class Countdown:
    @workflow.run
    async def run(self, left: int) -> str:
        if left > 0:
            workflow.continue_as_new(left - 1)
        return "lift-off"


@workflow.defn(name="SecondTry")
class SecondTry:
    @workflow.run
    async def run(self) -> int:
        if workflow.info().attempt < 2:
            raise ApplicationError("not yet")
        return workflow.info().attempt


@workflow.defn(name="Patient")
class Patient:
    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)


@activity.defn(name="later")
async def later(token_file: str) -> str:
    if token_file:
        with open(token_file, "wb") as f:
            f.write(activity.info().task_token)
    activity.raise_complete_async()


@workflow.defn(name="Waiting")
class Waiting:
    @workflow.run
    async def run(self, token_file: str) -> str:
        return await workflow.execute_activity(
            later, token_file, activity_id="the-activity", result_type=str,
            start_to_close_timeout=timedelta(seconds=60), retry_policy=RetryPolicy(maximum_attempts=1))


logging.disable(logging.CRITICAL)  # failures are what this test is about


async def main() -> int:
    address, queue = harness.shared_address(), harness.unique("client-worker")
    client = await Client.connect(address)
    async with Worker(
            client, task_queue=queue, activities=[charge, later], workflow_runner=UnsandboxedWorkflowRunner(),
            workflows=[Approval, Echo, Failing, Countdown, SecondTry, Patient, Waiting]):
        driver = harness.Process(harness.program("test/interop/client_driver"), address, queue,
                                 harness.temp_dir())
        status = await asyncio.to_thread(driver.wait, 90)
        print(driver.output())
        return status


sys.exit(asyncio.run(main()))
