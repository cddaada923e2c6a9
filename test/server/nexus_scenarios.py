"""Scenarios of compare_test.py about Nexus operations: workflows that call them, and the service that handles them, both in
the worker of the stage. An endpoint leads to its queue; another one to a queue that nobody polls.
"""
import asyncio
from datetime import timedelta

import nexusrpc
from google.protobuf.json_format import MessageToDict
from temporalio import nexus, workflow
from temporalio.api.nexus.v1 import EndpointSpec, EndpointTarget
from temporalio.api.operatorservice.v1 import CreateNexusEndpointRequest
from temporalio.exceptions import ApplicationError, FailureError

from scenarios import NOWHERE, ONCE, SECOND, chain, ending


@nexusrpc.service
class Desk:
    echo: nexusrpc.Operation[str, str]
    refuse: nexusrpc.Operation[str, str]
    talk: nexusrpc.Operation[str, list[str]]
    break_down: nexusrpc.Operation[str, str]


@workflow.defn
class Broken:
    @workflow.run
    async def run(self, kind: str) -> str:
        await asyncio.sleep(0.3)  # until its start has been told
        raise ApplicationError(kind, "detail", type="Broken")


@workflow.defn
class Patient:
    """As Talk, but takes its time to be cancelled: the request for it has been answered by then."""
    def __init__(self) -> None:
        self.said: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        try:
            await workflow.wait_condition(lambda: "end" in self.said)
        except asyncio.CancelledError:
            await asyncio.sleep(0.5)
            raise
        return self.said

    @workflow.signal
    def say(self, what: str) -> None:
        self.said.append(what)


@nexusrpc.handler.service_handler(service=Desk)
class DeskHandler:
    tried: set[str] = set()

    @nexusrpc.handler.sync_operation
    async def echo(self, ctx: nexusrpc.handler.StartOperationContext, value: str) -> str:
        if value.startswith("again") and value not in DeskHandler.tried:
            DeskHandler.tried.add(value)
            raise nexusrpc.HandlerError("once more", type=nexusrpc.HandlerErrorType.UNAVAILABLE)
        return f"echo {value.split(' ')[0]}"

    @nexusrpc.handler.sync_operation
    async def refuse(self, ctx: nexusrpc.handler.StartOperationContext, kind: str) -> str:
        if kind in ("FAILED", "CANCELED"):
            raise nexusrpc.OperationError(f"it {kind}", state=nexusrpc.OperationErrorState[kind])
        if kind == "application":
            raise ApplicationError("as told", 7, type="Told", non_retryable=True)
        raise nexusrpc.HandlerError(f"it is {kind}", type=nexusrpc.HandlerErrorType[kind])

    @nexus.workflow_run_operation
    async def talk(self, ctx: nexus.WorkflowRunOperationContext, name: str) -> nexus.WorkflowHandle[list[str]]:
        return await ctx.start_workflow(Patient.run, id=name)

    @nexus.workflow_run_operation
    async def break_down(self, ctx: nexus.WorkflowRunOperationContext, name: str) -> nexus.WorkflowHandle[str]:
        return await ctx.start_workflow(Broken.run, "broken", id=name)


@workflow.defn
class NexusCaller:
    @workflow.run
    async def run(self, endpoint: str, operation: str, argument: str, options: dict = {}) -> list:
        client = workflow.create_nexus_client(service=options.get("service", "Desk"), endpoint=endpoint)
        kind = workflow.NexusOperationCancellationType[options.get("cancel", "WAIT_COMPLETED")]
        times = {k: timedelta(seconds=v) for k, v in options.items() if k.endswith("timeout")}
        out = []
        try:
            handle = await client.start_operation(operation, argument, cancellation_type=kind,
                                                  headers=options.get("headers"), **times)
            out.append("started" if handle.operation_token else "done at once")
            if "cancel" in options:
                await asyncio.sleep(options.get("after", 0.1))
                handle.cancel()
            out.append(await handle)
        except FailureError as error:
            out += chain(error)
        if "linger" in options:
            await asyncio.sleep(options["linger"])
        return out


WORKFLOWS = [NexusCaller, Broken, Patient]
SERVICES = [DeskHandler]


async def endpoint(stage, queue=None):
    name = f"{stage.queue}-{'nowhere' if queue else 'here'}"
    await stage.client.operator_service.create_nexus_endpoint(CreateNexusEndpointRequest(spec=EndpointSpec(
        name=name, target=EndpointTarget(worker=EndpointTarget.Worker(namespace="default", task_queue=queue or stage.queue)))))
    return name


async def call(stage, operation, argument, options={}, queue=None, **kw):
    return await ending(await stage.start("NexusCaller", await endpoint(stage, queue), operation, argument, options, **kw))


async def pending(handle):
    """The operations that it waits for, and its callbacks."""
    seen = MessageToDict((await handle.describe()).raw_description)
    out = []
    for item in seen.get("pendingNexusOperations", []) + seen.get("callbacks", []):
        for name in ("scheduledTime", "lastAttemptCompleteTime", "nextAttemptScheduleTime", "registrationTime", "operationId",
                     "requestedTime"):
            item.pop(name, None)
            item.get("cancellationInfo", {}).pop(name, None)
        out.append(item)
    return out


async def nexus_sync(stage):
    return await call(stage, "echo", "hello", {"headers": {"Colour": "red"}})


async def nexus_again(stage):
    return await call(stage, "echo", f"again {stage.prefix}")


async def nexus_refusals(stage):
    name, out = await endpoint(stage), []
    for kind in ("FAILED", "CANCELED", "application", "BAD_REQUEST", "NOT_FOUND", "NOT_IMPLEMENTED", "UNAUTHORIZED"):
        out.append(await ending(await stage.start("NexusCaller", name, "refuse", kind)))
    for options in ({"service": "Nobody"}, {}):
        out.append(await ending(await stage.start("NexusCaller", name, "nothing", "x", options)))
    return out


async def nexus_by_a_workflow(stage):
    name = stage.name("talk")
    caller = await stage.start("NexusCaller", await endpoint(stage), "talk", name)
    await stage.wait_for(caller, "EVENT_TYPE_NEXUS_OPERATION_STARTED")
    handler = stage.handle(name)
    out = [await pending(caller), await pending(handler)]
    await handler.signal("say", "hello")
    await handler.signal("say", "end")
    return [*out, await ending(caller), await ending(handler)]


async def nexus_workflow_fails(stage):
    name = stage.name("broken")
    return [await call(stage, "break_down", name), await ending(stage.handle(name))]


async def nexus_is_cancelled(stage):
    name, out = await endpoint(stage), []
    for kind in ("WAIT_COMPLETED", "WAIT_REQUESTED"):
        talk = stage.name(kind)
        caller = await stage.start("NexusCaller", name, "talk", talk, {"cancel": kind})
        out += [await ending(caller), await ending(stage.handle(talk))]
    return out


async def nexus_is_abandoned(stage):
    talk = stage.name("talk")
    caller = await stage.start("NexusCaller", await endpoint(stage), "talk", talk, {"cancel": "ABANDON"})
    out = [await ending(caller)]
    handler = stage.handle(talk)
    await handler.signal("say", "end")
    return [*out, await ending(handler)]


async def nexus_caller_is_cancelled(stage):
    talk = stage.name("talk")
    caller = await stage.start("NexusCaller", await endpoint(stage), "talk", talk)
    await stage.wait_for(caller, "EVENT_TYPE_NEXUS_OPERATION_STARTED")
    await caller.cancel()
    return [await ending(caller), await ending(stage.handle(talk))]


async def nexus_caller_is_terminated(stage):
    talk = stage.name("talk")
    caller = await stage.start("NexusCaller", await endpoint(stage), "talk", talk)
    await stage.wait_for_task_after(caller, "EVENT_TYPE_NEXUS_OPERATION_STARTED")
    await caller.terminate()
    handler = stage.handle(talk)
    await handler.signal("say", "end")
    return [await ending(caller), await ending(handler)]


async def nexus_handler_is_terminated(stage):
    talk = stage.name("talk")
    caller = await stage.start("NexusCaller", await endpoint(stage), "talk", talk)
    await stage.wait_for(caller, "EVENT_TYPE_NEXUS_OPERATION_STARTED")
    handler = stage.handle(talk)
    await stage.wait_for_task_after(handler, "EVENT_TYPE_WORKFLOW_EXECUTION_STARTED")
    await handler.terminate(reason="enough")
    return [await ending(caller), await ending(handler)]


async def nexus_takes_too_long(stage):
    name, nowhere = await endpoint(stage), await endpoint(stage, NOWHERE)
    out = [await ending(await stage.start("NexusCaller", nowhere, "echo", "x", {kind: 1.0}))
           for kind in ("schedule_to_close_timeout", "schedule_to_start_timeout")]
    for options in ({"start_to_close_timeout": 0.4}, {"schedule_to_close_timeout": 5.0, "start_to_close_timeout": 0.4}):
        talk = stage.name(f"talk-{len(out)}")
        out.append(await ending(await stage.start("NexusCaller", name, "talk", talk, options)))
        await stage.client.get_workflow_handle(talk).terminate()
    return out


async def nexus_of_a_run_that_is_there(stage):
    """The handler's workflow runs already."""
    talk = stage.name("talk")
    first = await stage.start("Talk", id=talk)
    await first.query("count")
    out = await call(stage, "talk", talk, {"schedule_to_close_timeout": 3.0})
    await first.signal("end")
    return [out, await ending(first)]


async def nexus_without_an_endpoint(stage):
    handle = await stage.start("NexusCaller", "no-such-endpoint", "echo", "x", {}, execution_timeout=20 * SECOND)
    await stage.wait_for(handle, "EVENT_TYPE_WORKFLOW_TASK_FAILED")
    await handle.terminate()
    return await ending(handle)


async def nexus_caller_does_not_wait(stage):
    talk = stage.name("talk")
    caller = await stage.start("NexusCaller", await endpoint(stage), "talk", talk, {"cancel": "TRY_CANCEL", "linger": 1.5}, retry_policy=ONCE)
    return [await ending(caller), await ending(stage.handle(talk))]


SCENARIOS = [nexus_sync, nexus_again, nexus_refusals, nexus_by_a_workflow, nexus_workflow_fails, nexus_is_cancelled,
             nexus_is_abandoned, nexus_caller_is_cancelled, nexus_caller_is_terminated, nexus_handler_is_terminated,
             nexus_takes_too_long, nexus_of_a_run_that_is_there, nexus_without_an_endpoint, nexus_caller_does_not_wait]
