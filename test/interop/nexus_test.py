"""Nexus between two languages. Goal: a Python workflow calls operations of a C service (at once, by a workflow run,
cancelled, failing in all ways), and a C workflow those of a Python service: results, failures, headers and links are
those that two Python programs would see. Method: nexus_worker beside a Python worker, joined by an endpoint.
"""
import asyncio
import unittest
from dataclasses import dataclass
from datetime import timedelta

import nexusrpc
from temporalio import nexus, workflow
from temporalio.api.nexus.v1 import EndpointSpec, EndpointTarget
from temporalio.api.operatorservice.v1 import CreateNexusEndpointRequest
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ApplicationError, CancelledError, NexusOperationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

import harness
from workers import WAIT_S, WorkerTest


@dataclass
class Parcel:
    id: str
    kilos: float


@dataclass
class Price:
    amount: float
    currency: str


@nexusrpc.service(name="parcels")
class Parcels:
    quote: nexusrpc.Operation[Parcel, Price]
    ship: nexusrpc.Operation[Parcel, str]
    fail: nexusrpc.Operation[str, str]
    nothing: nexusrpc.Operation[None, None] = nexusrpc.Operation(name="void")
    lost: nexusrpc.Operation[str, str]


@nexusrpc.service(name="parcels")
class WrongParcels:
    quote: nexusrpc.Operation[str, Price]


@workflow.defn
class Sender:
    """Plays the scene of its name and says what came of it."""

    @workflow.run
    async def run(self, endpoint: str, scene: str, text: str) -> list:
        self.endpoint = endpoint
        self.client = workflow.create_nexus_client(service=Parcels, endpoint=endpoint)
        try:
            return await getattr(self, scene)(text)
        except NexusOperationError as e:
            cause = e.cause
            if isinstance(cause, nexusrpc.HandlerError):
                inner = cause.__cause__
                return ["handler", cause.type.value, cause.message, cause.retryable, str(inner) if inner else ""]
            if isinstance(cause, ApplicationError):
                return ["failed", cause.type, cause.message, cause.non_retryable]
            return [type(cause).__name__, str(cause)]

    async def quote(self, text):
        price = await self.client.execute_operation(Parcels.quote, Parcel(text, 2), headers={"Currency": "NOK"})
        nothing = await self.client.execute_operation(Parcels.nothing, None)
        return [price.amount, price.currency, nothing]

    async def ship(self, text):
        handle = await self.client.start_operation(Parcels.ship, Parcel(text, 2))
        return [handle.operation_token, await handle]

    async def cancelled(self, text):
        handle = await self.client.start_operation(Parcels.ship, Parcel(text, 2))
        handle.cancel()
        return [await handle]

    async def failing(self, text):
        return [await self.client.execute_operation(Parcels.fail, text, schedule_to_close_timeout=timedelta(seconds=20))]

    async def unknown(self, text):
        return [await self.client.execute_operation(Parcels.lost, text)]

    async def wrong_input(self, text):
        client = workflow.create_nexus_client(service=WrongParcels, endpoint=self.endpoint)
        return [await client.execute_operation(WrongParcels.quote, text)]


@workflow.defn(name="Shout")
class Shout:
    @workflow.run
    async def run(self, text: str) -> str:
        await asyncio.sleep(0.01)
        return text.upper() + "!"


@nexusrpc.handler.service_handler(name="texts")
class Texts:
    @nexusrpc.handler.sync_operation
    async def shout(self, ctx: nexusrpc.handler.StartOperationContext, text: str) -> str:
        return text.upper()

    @nexus.workflow_run_operation
    async def shout_later(self, ctx: nexus.WorkflowRunOperationContext, text: str) -> nexus.WorkflowHandle[str]:
        return await ctx.start_workflow(Shout.run, text, id=harness.unique("shout"))


class NexusTest(WorkerTest):
    async def endpoint(self, queue):
        name = harness.unique("endpoint").replace("_", "-")
        await self.client.operator_service.create_nexus_endpoint(CreateNexusEndpointRequest(spec=EndpointSpec(
            name=name, target=EndpointTarget(worker=EndpointTarget.Worker(namespace="default", task_queue=queue)))))
        return name

    async def send(self, scene, text, while_it_runs=None):
        self.worker(program="test/interop/nexus_worker")
        endpoint = await self.endpoint(self.queue)
        queue = harness.unique("python")
        async with Worker(self.client, task_queue=queue, workflows=[Sender],
                          workflow_runner=UnsandboxedWorkflowRunner()):
            handle = await self.client.start_workflow(Sender.run, args=[endpoint, scene, text], task_queue=queue,
                                                      id=harness.unique("sender"))
            if while_it_runs:
                await while_it_runs(handle)
            result = await asyncio.wait_for(handle.result(), WAIT_S)
        self.history = await handle.fetch_history()
        return result

    async def test_synchronous(self):
        self.assertEqual(await self.send("quote", "p1"), [5, "NOK", None])

    async def test_by_a_workflow_run(self):
        parcel = harness.unique("parcel")

        async def arrive(handle):
            await self.wait_events(handle, "NEXUS_OPERATION_STARTED")
            await self.client.get_workflow_handle(f"ship-{parcel}").signal("arrive")

        token, result = await self.send("ship", parcel, arrive)
        self.assertEqual(result, f"{parcel} has arrived")
        self.assertEqual(token, nexus.WorkflowHandle(namespace="default", workflow_id=f"ship-{parcel}").to_token())
        self.check_links(f"ship-{parcel}")

    def check_links(self, workflow_id):
        """The caller's event leads to the run, and the run's first event to the caller."""
        started = [e for e in self.history.events if e.HasField("nexus_operation_started_event_attributes")]
        self.assertEqual([link.workflow_event.workflow_id for link in started[0].links], [workflow_id])

    async def test_cancelled(self):
        parcel = harness.unique("parcel")
        self.assertEqual((await self.send("cancelled", parcel))[0], "CancelledError")
        described = await self.client.get_workflow_handle(f"ship-{parcel}").describe()
        self.assertEqual(described.status.name, "CANCELED")

    async def test_operation_fails(self):
        self.assertEqual(await self.send("failing", "failed"), ["failed", "OperationError", "the van has burnt", True])

    async def test_operation_is_cancelled_by_its_handler(self):
        self.assertEqual(await self.send("failing", "canceled"), ["CancelledError", "nobody wants it"])

    async def test_handler_errors(self):
        self.assertEqual(await self.send("failing", "bad request"),
                         ["handler", "BAD_REQUEST", "what is this?", False, ""])

    async def test_handler_error_with_its_own_retry_behaviour(self):
        self.assertEqual(await self.send("failing", "closed"),
                         ["handler", "UNAVAILABLE", "closed for ever", False, ""])

    async def test_unknown_operation(self):
        self.assertEqual(await self.send("unknown", "x"), [
            "handler", "NOT_FOUND",
            "Nexus service definition 'parcels' has no operation 'lost'. There are 4 operations in the definition.",
            False, ""])

    async def test_input_that_does_not_fit(self):
        got = await self.send("wrong_input", "x")
        self.assertEqual(got[:4], ["handler", "BAD_REQUEST", "Payload converter failed to decode Nexus operation input",
                                   False])
        self.assertIn("argument 1 (parcel)", got[4])

    async def test_c_calls_python(self):
        self.worker(program="test/interop/nexus_worker")
        queue = harness.unique("python")
        endpoint = await self.endpoint(queue)
        async with Worker(self.client, task_queue=queue, workflows=[Shout], nexus_service_handlers=[Texts()],
                          workflow_runner=UnsandboxedWorkflowRunner()):
            self.assertEqual(await self.execute("CallText", endpoint, "grüße"), "GRÜSSE GRÜSSE!")

    async def test_example(self):
        """The programs of examples/nexus say what their README says."""
        parcel = harness.unique("parcel")
        with harness.Process(harness.program("examples/nexus/nexus_handler"), self.address) as handler:
            handler.wait_output("Handling operations of the service parcels", WAIT_S)
            caller = harness.Process(harness.program("examples/nexus/nexus_caller"), parcel, self.address)
            self.assertEqual(await asyncio.to_thread(caller.wait, WAIT_S), 0, caller.output())
            self.assertIn(f"Shipping {parcel} to Ann", handler.output())
            self.assertEqual(handler.stop(), 0)
        self.assertEqual(caller.output().strip(), f"{parcel}: 7.00 paid, signed by Ann, for {parcel}")


if __name__ == "__main__":
    harness.main()
