"""What compare_test.py runs on both servers: workflows and activities of the official Python SDK, and the list
SCENARIOS: each a coroutine that drives some of them by a Stage and returns what may be compared. They are written so
that the order of events does not depend on who is quicker.
"""
import asyncio
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import (
    WithStartWorkflowOperation, WorkflowFailureError, WorkflowQueryFailedError, WorkflowUpdateFailedError)
from temporalio.common import RetryPolicy, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, FailureError
from temporalio.service import RPCError

SECOND = timedelta(seconds=1)
SOON = timedelta(milliseconds=1)
QUICK = RetryPolicy(initial_interval=SOON, maximum_attempts=3)
ONCE = RetryPolicy(maximum_attempts=1)
NOWHERE = "a-queue-that-nobody-polls"


def chain(error):
    """A failure and its causes, as far as both servers should tell the same."""
    out = []
    while error is not None:
        words = [type(error).__name__]
        for name in ("message", "type", "non_retryable", "retry_state", "activity_type", "scheduled_event_id", "details"):
            if hasattr(error, name):
                words.append(f"{name}={getattr(error, name)}")
        out.append(" ".join(words))
        error = error.__cause__
    return out


# ---- activities ----

@activity.defn
async def echo(value: str) -> str:
    return f"echo {value}"


@activity.defn
async def fail_until(attempt: int) -> int:
    if activity.info().attempt < attempt:
        raise ApplicationError(f"attempt {activity.info().attempt}", 7, type="Early")
    return activity.info().attempt


@activity.defn
async def refuse() -> None:
    raise ApplicationError("never", "detail", type="Never", non_retryable=True)


@activity.defn
async def sleep_long() -> None:
    await asyncio.sleep(30)


@activity.defn
async def beat_until_cancelled() -> str:
    try:
        while True:
            activity.heartbeat("alive")
            await asyncio.sleep(0.05)
    except asyncio.CancelledError:
        return "was cancelled"


@activity.defn
async def complete_later() -> str:
    activity.raise_complete_async()


ACTIVITIES = [echo, fail_until, refuse, sleep_long, beat_until_cancelled, complete_later]


# ---- workflows ----

@workflow.defn
class Echo:
    @workflow.run
    async def run(self, value: str) -> str:
        return value


@workflow.defn
class Activity:
    @workflow.run
    async def run(self, name: str, argument=None, options: dict = {}) -> str:
        times = {"start_to_close_timeout": 10.0, **{k: v for k, v in options.items() if k.endswith("timeout")}}
        times = {k: timedelta(seconds=v) for k, v in times.items() if v}
        retry = RetryPolicy(initial_interval=SOON, maximum_attempts=options.get("attempts", 3))
        return await workflow.execute_activity(
            name, args=[] if argument is None else [argument], retry_policy=retry,
            task_queue=options.get("task_queue"), **times)


@workflow.defn
class Sequence:
    @workflow.run
    async def run(self, n: int) -> list[str]:
        out = []
        for i in range(n):
            out.append(await workflow.execute_activity(echo, str(i), start_to_close_timeout=10 * SECOND))
            await asyncio.sleep(0.001)
        return out


@workflow.defn
class CancelledActivity:
    @workflow.run
    async def run(self, wait: bool) -> str:
        kind = workflow.ActivityCancellationType
        handle = workflow.start_activity(
            beat_until_cancelled, start_to_close_timeout=10 * SECOND, heartbeat_timeout=SECOND,
            cancellation_type=kind.WAIT_CANCELLATION_COMPLETED if wait else kind.TRY_CANCEL)
        await asyncio.sleep(0.3)
        handle.cancel()
        try:
            return str(await handle)
        except FailureError as error:
            return str(error)


@workflow.defn
class Timers:
    @workflow.run
    async def run(self) -> int:
        cancelled = asyncio.create_task(asyncio.sleep(1000))
        await asyncio.sleep(0.001)
        cancelled.cancel()
        try:
            await cancelled
        except asyncio.CancelledError:
            pass
        await asyncio.sleep(0.002)
        return 3


@workflow.defn
class Talk:
    """Signals, queries, updates, until it is told to end."""
    def __init__(self) -> None:
        self.said: list[str] = []
        self.over = False

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: self.over)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.said

    @workflow.signal
    def say(self, what: str) -> None:
        self.said.append(what)

    @workflow.signal
    def end(self) -> None:
        self.over = True

    @workflow.query
    def count(self) -> int:
        return len(self.said)

    @workflow.query
    def broken(self) -> int:
        raise ValueError("no answer")

    @workflow.update
    async def ask(self, what: str) -> int:
        if what == "activity":
            await workflow.execute_activity(echo, what, start_to_close_timeout=10 * SECOND)
        if what == "fail":
            raise ApplicationError("it failed", type="Failed")
        self.said.append(what)
        return len(self.said)

    @ask.validator
    def check(self, what: str) -> None:
        if not what:
            raise ApplicationError("say something", type="Empty")


@workflow.defn
class Fails:
    @workflow.run
    async def run(self, kind: str) -> int:
        if kind == "once" and workflow.info().attempt > 1:
            return workflow.info().attempt
        raise ApplicationError("as told", [1, 2], type=kind)


@workflow.defn
class Countdown:
    @workflow.run
    async def run(self, left: int) -> str:
        if left:
            workflow.continue_as_new(left - 1)
        return "lift-off"


@workflow.defn
class TaskFails:
    """Its first task fails, and the next attempt of it does not."""
    tried: set[str] = set()

    @workflow.run
    async def run(self) -> str:
        if workflow.info().run_id not in TaskFails.tried:
            TaskFails.tried.add(workflow.info().run_id)
            raise RuntimeError("this attempt fails")
        return "at last"


@workflow.defn
class Marks:
    @workflow.run
    async def run(self) -> str:
        patched = workflow.patched("a-change")
        local = await workflow.execute_local_activity(echo, "here", start_to_close_timeout=SECOND)
        workflow.upsert_memo({"colour": "red", "gone": None})
        return f"{patched} {local} {workflow.memo_value('colour')}"


@workflow.defn
class Parent:
    @workflow.run
    async def run(self, kind: str) -> str:
        me = workflow.info().workflow_id
        if kind == "signal":
            handle = await workflow.start_child_workflow(Talk.run, id=f"{me}-child")
            await handle.signal(Talk.say, "hello")
            await handle.signal(Talk.end)
            return str(await handle)
        if kind == "cancel":
            handle = await workflow.start_child_workflow(Talk.run, id=f"{me}-child")
            handle.cancel()
            try:
                return str(await handle)
            except FailureError as error:
                return str(chain(error))
        if kind == "abandon":
            await workflow.start_child_workflow(
                Talk.run, id=f"{me}-child", parent_close_policy=workflow.ParentClosePolicy.ABANDON)
            return "left alone"
        if kind == "terminate":
            await workflow.start_child_workflow(Talk.run, id=f"{me}-child", task_queue=NOWHERE)
            return "taken along"
        try:
            return await workflow.execute_child_workflow(
                "Fails" if kind == "fail" else "Echo", kind, id=f"{me}-child")
        except FailureError as error:
            return str(chain(error))


@workflow.defn
class Outside:
    """Signals and cancels a run that is there, and one that is not."""
    @workflow.run
    async def run(self, other: str) -> list[str]:
        out = []
        for name in (other, "there-is-none"):
            handle = workflow.get_external_workflow_handle(name)
            for act in (lambda: handle.signal("say", "from outside"), handle.cancel):
                try:
                    await act()
                    out.append("done")
                except FailureError as error:
                    out.append(str(chain(error)))
        return out


WORKFLOWS = [Echo, Activity, Sequence, CancelledActivity, Timers, Talk, Fails, Countdown, TaskFails, Marks, Parent,
             Outside]


# ---- scenarios ----

async def ending(handle, **kw):
    """The result, or how it ended instead."""
    try:
        return await handle.result(**kw)
    except WorkflowFailureError as error:
        return chain(error)


async def refusal(awaitable):
    """The code and text of a call that is refused."""
    try:
        await awaitable
    except RPCError as error:
        return f"{error.status.name}: {error}"
    except FailureError as error:
        return f"{type(error).__name__}: {error}"
    return "was not refused"


async def result_and_description(stage):
    handle = await stage.start("Echo", "hello", memo={"a": 1}, static_summary="sum", static_details="details",
                               execution_timeout=100 * SECOND, run_timeout=50 * SECOND, task_timeout=5 * SECOND)
    result = await handle.result()
    seen = await handle.describe()
    return [result, seen.status.name, seen.history_length, seen.task_queue == stage.queue, await seen.memo(),
            await seen.static_summary(), await seen.static_details()]


async def activities_in_a_row(stage):
    return await ending(await stage.start("Sequence", 3))


async def activity_is_tried_again(stage):
    return await ending(await stage.start("Activity", "fail_until", 3))


async def activity_gives_up(stage):
    return await ending(await stage.start("Activity", "fail_until", 9, {"attempts": 2}))


async def activity_refuses(stage):
    return await ending(await stage.start("Activity", "refuse"))


async def activity_takes_too_long(stage):
    return await ending(await stage.start("Activity", "sleep_long", None, {"start_to_close_timeout": 0.2, "attempts": 1}))


async def activity_is_silent(stage):
    return await ending(await stage.start("Activity", "sleep_long", None, {"heartbeat_timeout": 0.2, "attempts": 1}))


async def activity_is_never_taken(stage):
    return await ending(await stage.start("Activity", "echo", "x", {
        "schedule_to_start_timeout": 0.2, "task_queue": NOWHERE}))


async def activity_runs_out_of_its_whole_time(stage):
    return await ending(await stage.start("Activity", "sleep_long", None, {
        "schedule_to_close_timeout": 0.3, "start_to_close_timeout": 0.2}))


async def activity_is_cancelled(stage):
    return [await ending(await stage.start("CancelledActivity", wait)) for wait in (True, False)]


async def activity_is_completed_from_outside(stage):
    handle = await stage.start("Activity", "complete_later")
    await stage.wait_for_activity(handle)
    await stage.client.get_async_activity_handle(workflow_id=handle.id, run_id=None, activity_id="1").complete("outside")
    return await ending(handle)


async def activity_is_failed_from_outside(stage):
    handle = await stage.start("Activity", "complete_later", None, {"attempts": 1})
    await stage.wait_for_activity(handle)
    later = stage.client.get_async_activity_handle(workflow_id=handle.id, run_id=None, activity_id="1")
    await later.fail(ApplicationError("from outside", type="Outside"))
    return [await ending(handle), await refusal(later.complete("again"))]


async def timers(stage):
    return await ending(await stage.start("Timers"))


async def signals_and_queries(stage):
    handle = await stage.start("Talk")
    out = [await handle.query("count")]
    for word in ("one", "two"):
        await handle.signal("say", word)
        out.append(await handle.query("count"))
    try:
        await handle.query("broken")
    except WorkflowQueryFailedError as error:
        out.append(str(error))
    await handle.signal("end")
    out.append(await ending(handle))
    out.append(await handle.query("count"))
    out.append(await refusal(handle.signal("say", "too late")))
    return out


async def signal_with_start(stage):
    handle = await stage.start("Talk", start_signal="say", start_signal_args=["first"])
    await handle.query("count")
    again = await stage.start("Talk", id=handle.id, start_signal="say", start_signal_args=["second"])
    await handle.query("count")
    await handle.signal("end")
    return [again.result_run_id == handle.result_run_id, await ending(handle)]


async def updates(stage):
    handle = await stage.start("Talk")
    await handle.query("count")
    out = [await handle.execute_update("ask", "one"), await handle.execute_update("ask", "activity")]
    for word in ("", "fail"):
        try:
            await handle.execute_update("ask", word)
        except WorkflowUpdateFailedError as error:
            out.append(chain(error))
    out.append(await handle.execute_update("ask", "once", id="my-id"))
    out.append(await handle.execute_update("ask", "once", id="my-id"))
    await handle.signal("end")
    out.append(await ending(handle))
    out.append(await refusal(handle.execute_update("ask", "too late")))
    return out


async def update_with_start(stage):
    out = []
    name = stage.name("update-with-start")
    for _ in range(2):
        operation = WithStartWorkflowOperation("Talk", id=name, task_queue=stage.queue,
                                               id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING)
        out.append(await stage.client.execute_update_with_start_workflow("ask", "x", start_workflow_operation=operation))
    handle = stage.handle(name)
    await handle.signal("end")
    return [*out, await ending(handle)]


async def cancellation(stage):
    handle = await stage.start("Talk")
    await handle.query("count")
    await handle.cancel()
    return [await ending(handle), await refusal(handle.cancel())]


async def termination(stage):
    handle = await stage.start("Talk")
    await handle.query("count")
    await handle.terminate("a detail", reason="enough")
    return [await ending(handle), await refusal(handle.terminate())]


async def failure(stage):
    return await ending(await stage.start("Fails", "Kind"))


async def retried_run(stage):
    return await ending(await stage.start("Fails", "once", retry_policy=QUICK))


async def retried_run_gives_up(stage):
    return await ending(await stage.start("Fails", "always", retry_policy=RetryPolicy(initial_interval=SOON, maximum_attempts=2)))


async def continue_as_new(stage):
    return await ending(await stage.start("Countdown", 2))


async def run_times_out(stage):
    return await ending(await stage.start("Echo", "x", task_queue=NOWHERE, run_timeout=SECOND))


async def execution_times_out(stage):
    return await ending(await stage.start("Echo", "x", task_queue=NOWHERE, execution_timeout=SECOND, retry_policy=QUICK))


async def task_fails_once(stage):
    return await ending(await stage.start("TaskFails"))


async def unknown_type(stage):
    handle = await stage.start("NoSuchWorkflow")
    await stage.wait_for(handle, "EVENT_TYPE_WORKFLOW_TASK_FAILED")
    await handle.terminate()
    return await ending(handle)


async def markers_and_memo(stage):
    handle = await stage.start("Marks")
    return [await ending(handle), await (await handle.describe()).memo()]


async def start_delay(stage):
    return await ending(await stage.start("Echo", "later", start_delay=timedelta(seconds=0.2)))


async def ids_are_used_once(stage):
    handle = await stage.start("Talk")
    await handle.query("count")
    out = [await refusal(stage.start("Talk", id=handle.id)),
           (await stage.start("Talk", id=handle.id, id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING)
            ).result_run_id == handle.result_run_id]
    await stage.start("Talk", id=handle.id, id_conflict_policy=WorkflowIDConflictPolicy.TERMINATE_EXISTING)
    second = stage.handle(handle.id)
    await second.query("count")
    await second.terminate()
    out.append(await refusal(stage.start("Talk", id=handle.id, id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE)))
    after = await stage.start("Echo", "x", id=handle.id,
                              id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY)
    out.append(await ending(after))
    out.append(await refusal(stage.start(
        "Echo", "x", id=handle.id, id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY)))
    return out


async def what_is_not_there(stage):
    handle = stage.client.get_workflow_handle("there-is-none")
    return [await refusal(call()) for call in (
        handle.describe, handle.cancel, handle.terminate, handle.fetch_history,
        lambda: handle.signal("say", "x"), lambda: handle.query("count"), lambda: handle.execute_update("ask", "x"))]


async def bad_starts(stage):
    return [await refusal(stage.start("Echo", "x", **options)) for options in (
        {"id": "i" * 1001}, {"task_queue": "q" * 1001}, {"cron_schedule": "every day"}, {"id": ""}, {"task_queue": ""},
        {"cron_schedule": "* * * * *", "start_delay": SECOND})]


async def children(stage):
    return [await ending(await stage.start("Parent", kind)) for kind in ("echo", "fail", "signal")]


async def child_is_cancelled(stage):
    return await ending(await stage.start("Parent", "cancel"))


async def child_outlives_its_parent(stage):
    handle = await stage.start("Parent", "abandon")
    out = [await ending(handle)]
    child = stage.handle(f"{handle.id}-child")
    await child.query("count")
    await child.signal("end")
    return [*out, await ending(child)]


async def child_ends_with_its_parent(stage):
    handle = await stage.start("Parent", "terminate")
    return [await ending(handle), await ending(stage.handle(f"{handle.id}-child"))]


async def outside(stage):
    other = await stage.start("Talk")
    await other.query("count")
    return [await ending(await stage.start("Outside", other.id)), await ending(other)]


async def reset(stage):
    from temporalio.api.common.v1 import WorkflowExecution
    from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest

    handle = await stage.start("Talk")
    await handle.query("count")
    await handle.signal("say", "one")
    await stage.until(lambda: handle.query("count"), 1)  # else the end may come with the same task
    await handle.signal("end")
    out = [await ending(handle)]
    await stage.client.workflow_service.reset_workflow_execution(ResetWorkflowExecutionRequest(
        namespace="default", workflow_execution=WorkflowExecution(workflow_id=handle.id, run_id=handle.result_run_id),
        reason="again", request_id="reset", workflow_task_finish_event_id=4))
    return [*out, await ending(stage.handle(handle.id))]


async def lists(stage):
    first = await stage.start("Echo", "a")
    second = await stage.start("Fails", "b")
    await ending(first)
    await ending(second)
    query = f"TaskQueue = '{stage.queue}' AND WorkflowType IN ('Echo', 'Fails') AND WorkflowId STARTS_WITH '{stage.prefix}'"
    await stage.until(lambda: count(stage, query), 2)
    seen = [w async for w in stage.client.list_workflows(query)]
    out = sorted([w.workflow_type, w.status.name, w.history_length] for w in seen)
    for text in ("ExecutionStatus = 'Failed'", "CloseTime IS NOT NULL", "NOT WorkflowType = 'Echo'",
                 "HistoryLength BETWEEN 1 AND 5"):
        out.append(await count(stage, f"{query} AND {text}"))
    for text in ("Nope = 1", "WorkflowType LIKE 'x'", "WorkflowType = 'x' ORDER BY StartTime", "WorkflowType =", "StartTime > 'x'"):
        out.append(await refusal(count(stage, text)))
    return out


async def count(stage, query):
    return (await stage.client.count_workflows(query)).count


SCENARIOS = [
    result_and_description, activities_in_a_row, activity_is_tried_again, activity_gives_up, activity_refuses,
    activity_takes_too_long, activity_is_silent, activity_is_never_taken, activity_runs_out_of_its_whole_time,
    activity_is_cancelled, activity_is_completed_from_outside, activity_is_failed_from_outside, timers,
    signals_and_queries, signal_with_start, updates, update_with_start, cancellation, termination, failure, retried_run,
    retried_run_gives_up, continue_as_new, run_times_out, execution_times_out, task_fails_once, unknown_type,
    markers_and_memo, start_delay, ids_are_used_once, what_is_not_there, bad_starts, children, child_is_cancelled,
    child_outlives_its_parent, child_ends_with_its_parent, outside, reset, lists]
