"""Scenarios of compare_test.py about what operators and clients do besides: activities that are paused, reset and changed,
cron, priorities, request ids, search attributes, descriptions of queues and namespaces, resets, children's policies.
"""
import asyncio
from datetime import timedelta

from google.protobuf.json_format import MessageToDict, ParseDict
from temporalio import activity, workflow
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.api.workflowservice.v1 import request_response_pb2 as service
from temporalio.client import WorkflowUpdateFailedError, WorkflowUpdateStage
from temporalio.common import (
    Priority, RetryPolicy, SearchAttributeKey, SearchAttributePair, TypedSearchAttributes, WorkflowIDConflictPolicy)
from temporalio.exceptions import ApplicationError, FailureError

from scenarios import NOWHERE, ONCE, SECOND, Talk, chain, count, ending, refusal

SOON = timedelta(milliseconds=100)


tried: set[str] = set()


@activity.defn
async def stubborn() -> int:
    """Fails when it runs first; its policy then waits for a minute."""
    info = activity.info()
    if info.workflow_run_id not in tried:
        tried.add(info.workflow_run_id)
        raise ApplicationError("not like this", type="Stubborn")
    return info.attempt


@activity.defn
async def patient() -> str:
    """Waits until it is told by its heartbeat."""
    for _ in range(400):
        activity.heartbeat("beat")
        try:
            await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            told = activity.cancellation_details()
            return f"cancelled {told.cancel_requested} paused {told.paused} reset {told.reset}"
    return "nobody told"


@workflow.defn
class Operated:
    @workflow.run
    async def run(self, name: str, times: dict = {}) -> object:
        try:
            return await workflow.execute_activity(
                name, start_to_close_timeout=60 * SECOND, activity_id="the-one",
                heartbeat_timeout=timedelta(seconds=times["heartbeat"]) if "heartbeat" in times else None,
                retry_policy=RetryPolicy(initial_interval=60 * SECOND, maximum_attempts=times.get("attempts", 0)))
        except FailureError as error:
            return chain(error)


@workflow.defn
class Tick:
    @workflow.run
    async def run(self, last: int = 0) -> int:
        if workflow.info().run_id and workflow.has_last_completion_result():
            return workflow.get_last_completion_result(int) + 1
        return 1


@workflow.defn
class Marked:
    """Its search attributes change."""
    @workflow.run
    async def run(self) -> str:
        workflow.upsert_search_attributes([SearchAttributeKey.for_keyword("Colour").value_set("blue"),
                                           SearchAttributeKey.for_int("Size").value_unset()])
        return str(workflow.info().typed_search_attributes.get(SearchAttributeKey.for_keyword("Colour")))


@workflow.defn
class Nest:
    """Starts a child of each policy, and ends as it is told."""
    @workflow.run
    async def run(self, how: str) -> str:
        me = workflow.info().workflow_id
        for policy in ("TERMINATE", "ABANDON", "REQUEST_CANCEL"):
            await workflow.start_child_workflow(
                Talk.run, id=f"{me}-{policy}", parent_close_policy=workflow.ParentClosePolicy[policy], task_timeout=5 * SECOND)
        if how == "fail":
            raise ApplicationError("left", type="Left")
        if how == "again" and not workflow.info().continued_run_id:
            workflow.continue_as_new("done")
        if how == "wait":
            await workflow.wait_condition(lambda: False)
        return how


WORKFLOWS = [Operated, Tick, Marked, Nest]
ACTIVITIES = [stubborn, patient]


async def ask(stage, method, **content):
    """The answer, or the refusal."""
    name = "".join("_" + c.lower() if c.isupper() else c for c in method).lstrip("_")
    if method != "ListNamespaces":
        content = {"namespace": "default", **content}
    request = ParseDict(content, getattr(service, f"{method}Request")())
    found = []

    async def call():
        found.append(MessageToDict(await getattr(stage.client.workflow_service, name)(request)))

    text = await refusal(call())
    return found[0] if found else text


def of(handle):
    return {"workflowId": handle.id}


TIMES = ("scheduledTime", "lastStartedTime", "lastAttemptCompleteTime", "currentRetryInterval", "expirationTime",
         "nextAttemptScheduleTime", "lastHeartbeatTime", "pauseTime", "lastWorkerDeploymentVersion")


def without_times(value):
    if isinstance(value, dict):
        return {key: without_times(item) for key, item in value.items() if key not in TIMES}
    return [without_times(item) for item in value] if isinstance(value, list) else value


async def pending(handle):
    seen = (await handle.describe()).raw_description.pending_activities
    return [without_times(MessageToDict(each)) for each in seen]


async def until(ask_for, true):
    for _ in range(400):
        seen = await ask_for()
        if true(seen):
            return seen
        await asyncio.sleep(0.02)
    raise TimeoutError(f"it is {seen}")


async def paused(handle):
    """What the search attributes say of it."""
    seen = MessageToDict((await handle.describe()).raw_description.workflow_execution_info)
    return seen.get("searchAttributes", {}).get("indexedFields", {}).get("TemporalPauseInfo")


async def failed_once(handle):
    await until(lambda: pending(handle), lambda seen: seen and "lastFailure" in seen[0])


async def activity_is_reset(stage):
    handle = await stage.start("Operated", "stubborn")
    await failed_once(handle)
    out = [await pending(handle)]
    out.append(await ask(stage, "UpdateActivityOptions", execution=of(handle), id="the-one", updateMask="heartbeatTimeout",
                         activityOptions={"heartbeatTimeout": "9s"}))
    out.append(await ask(stage, "ResetActivity", execution=of(handle), id="the-one", identity="me"))
    return [*out, await ending(handle)]


async def activity_is_paused_while_it_waits(stage):
    handle = await stage.start("Operated", "stubborn")
    await failed_once(handle)
    pause = {"execution": of(handle), "id": "the-one", "identity": "me", "reason": "why not"}
    out = [await ask(stage, "PauseActivity", **pause, requestId="p"), await pending(handle),
           await ask(stage, "PauseActivity", **pause, requestId="p"), await ask(stage, "PauseActivity", **pause, requestId="q"),
           await paused(handle)]
    out.append(await ask(stage, "UpdateActivityOptions", execution=of(handle), id="the-one", updateMask="retryPolicy.initialInterval",
                         activityOptions={"retryPolicy": {"initialInterval": "0.1s"}}))
    out.append(await ask(stage, "UnpauseActivity", execution=of(handle), id="the-one", identity="me", resetAttempts=False))
    return [*out, await ending(handle), await paused(handle)]


async def activity_is_paused_while_it_runs(stage):
    handle = await stage.start("Operated", "patient", {"heartbeat": 5})
    await stage.wait_for_activity(handle)
    out = [await ask(stage, "PauseActivity", execution=of(handle), id="the-one", identity="me", reason="stop")]
    return [*out, await ending(handle)]


async def activity_is_reset_while_it_runs(stage):
    handle = await stage.start("Operated", "patient", {"heartbeat": 5})
    await stage.wait_for_activity(handle)
    out = [await ask(stage, "ResetActivity", execution=of(handle), id="the-one", identity="me", resetHeartbeat=True)]
    return [*out, await ending(handle)]


async def activity_options(stage):
    handle = await stage.start("Operated", "stubborn", {"attempts": 7})
    await failed_once(handle)
    out = []
    for mask, options in (("taskQueue.name", {"taskQueue": {"name": NOWHERE}}), ("startToCloseTimeout", {"startToCloseTimeout": "3s"}),
                          ("scheduleToCloseTimeout,scheduleToStartTimeout", {"scheduleToCloseTimeout": "30s", "scheduleToStartTimeout": "20s"}),
                          ("retryPolicy.maximumAttempts", {"retryPolicy": {"maximumAttempts": 9}}),
                          ("retryPolicy.backoffCoefficient,retryPolicy.maximumInterval",
                           {"retryPolicy": {"backoffCoefficient": 3.0, "maximumInterval": "70s"}}),
                          ("priority.priorityKey", {"priority": {"priorityKey": 2}}),
                          ("heartbeatTimeout", {"heartbeatTimeout": "200s"})):
        out.append(await ask(stage, "UpdateActivityOptions", execution=of(handle), id="the-one", updateMask=mask, activityOptions=options))
    out.append(await ask(stage, "UpdateActivityOptions", execution=of(handle), type="stubborn", restoreOriginal=True))
    out.append(await pending(handle))
    await handle.terminate()
    return [*out, await ending(handle)]


async def cron(stage):
    handle = await stage.start("Tick", cron_schedule="* * * * * ", id=stage.name("cron"))
    out = [MessageToDict((await handle.describe()).raw_description).get("executionConfig")]
    await handle.terminate()
    return [*out, await ending(handle)]


async def cron_every(stage):
    handle = await stage.start("Tick", cron_schedule="@every 1s", id=stage.name("cron"))
    runs = [handle.result_run_id]
    for _ in range(2):
        done = await until(
            lambda: stage.client.get_workflow_handle(handle.id, run_id=runs[-1]).fetch_history(),
            lambda seen: seen.events[-1].HasField("workflow_execution_completed_event_attributes"))
        runs.append(done.events[-1].workflow_execution_completed_event_attributes.new_execution_run_id)
    await stage.client.get_workflow_handle(handle.id).terminate()
    return len(runs)


async def priorities(stage):
    handle = await stage.start("Talk", priority=Priority(priority_key=2, fairness_key="team", fairness_weight=2.5))
    await handle.query("count")
    out = [MessageToDict((await handle.describe()).raw_description.workflow_execution_info)["priority"]]
    out.append(await ask(stage, "UpdateWorkflowExecutionOptions", workflowExecution=of(handle), updateMask="priority.priorityKey",
                         workflowExecutionOptions={"priority": {"priorityKey": 4}}))
    await handle.signal("end")
    return [*out, await ending(handle)]


async def request_ids(stage):
    handle = await stage.start("Talk")
    await handle.query("count")
    again = {"workflowId": stage.name("again"), "workflowType": {"name": "Talk"}, "taskQueue": {"name": NOWHERE}}
    out = [await ask(stage, "StartWorkflowExecution", **again, requestId=name) for name in ("x", "x", "y")]
    for request_id in ("a", "a", "b"):
        await ask(stage, "SignalWorkflowExecution", workflowExecution=of(handle), signalName="say", requestId=request_id,
                  input={"payloads": [{"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "IngiCg=="}]})
    await stage.until(lambda: handle.query("count"), 2)
    for request_id in ("c", "c", "d"):
        out.append(await ask(stage, "RequestCancelWorkflowExecution", workflowExecution=of(handle), requestId=request_id))
    return [*out, await ending(handle)]


async def search_attributes(stage):
    await refusal(stage.client.operator_service.add_search_attributes(AddSearchAttributesRequest(
        namespace="default", search_attributes={"Colour": 2, "Size": 3, "Tags": 7, "Open": 5, "Ratio": 4, "Born": 6, "Words": 1})))
    values = TypedSearchAttributes([
        SearchAttributePair(SearchAttributeKey.for_keyword("Colour"), "red"), SearchAttributePair(SearchAttributeKey.for_int("Size"), 7)])

    async def known():
        return await refusal(stage.client.count_workflows("Colour = 'no' AND Size = 1 AND Tags = 'x' AND Born > '2020-01-01T00:00:00Z'"))

    await stage.until(known, "was not refused")
    handle = await until(lambda: try_start(stage, values), lambda seen: seen)
    out = [await ending(handle)]
    seen = MessageToDict((await handle.describe()).raw_description.workflow_execution_info)
    out.append(seen["searchAttributes"])
    mine = f"WorkflowId = '{handle.id}'"
    await stage.until(lambda: count(stage, f"{mine} AND CloseTime IS NOT NULL"), 1)
    for text in ("Colour = 'blue'", "Colour = 'red'", "Size IS NULL", "Size = 7", "Colour IN ('blue', 'x')", "Colour STARTS_WITH 'bl'",
                 "Tags = 'x'", "Tags IS NULL", "Open = true", "Ratio > 1.5", "Born IS NULL", "NOT Colour = 'red'", "Colour != 'red'"):
        out.append((text, await count(stage, f"{mine} AND {text}")))
    for text in ("Colour = 1", "Size = 'x'", "Open = 1", "Ratio = 'x'", "Born = 'x'", "Tags > 'x'", "Words STARTS_WITH 'x'", "Colour > 1",
                 "Words > 'a'", "Tags STARTS_WITH 'x'", "Words = 1", "Open > true"):
        out.append((text, await refusal(count(stage, text))))
    out.append(await refusal(stage.start("Echo", "x", search_attributes=TypedSearchAttributes([
        SearchAttributePair(SearchAttributeKey.for_int("Colour"), 7)]))))
    return out


async def try_start(stage, values):
    try:
        return await stage.start("Marked", id=stage.name("marked"), search_attributes=values,
                                 id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING)
    except Exception:
        return None


async def groups(stage):
    for name in ("a", "b"):
        await ending(await stage.start("Echo", name))
    talk = await stage.start("Talk")
    query = f"TaskQueue = '{stage.queue}'"
    await stage.until(lambda: count(stage, query), 3)
    await stage.until(lambda: count(stage, f"{query} AND ExecutionStatus = 'Completed'"), 2)
    seen = await stage.client.count_workflows(f"{query} GROUP BY ExecutionStatus")
    await talk.terminate()
    return [seen.count, [(g.count, g.group_values) for g in seen.groups]]


async def queues(stage):
    """What is told of a queue. The rate of the system is another one."""
    handle = await stage.start("Talk")
    await handle.query("count")
    out = []
    for kind in ("TASK_QUEUE_TYPE_WORKFLOW", "TASK_QUEUE_TYPE_ACTIVITY", "TASK_QUEUE_TYPE_NEXUS"):
        out.append(await ask(stage, "DescribeTaskQueue", taskQueue={"name": stage.queue}, taskQueueType=kind, reportStats=True,
                             reportConfig=True, includeTaskQueueStatus=True))
    out.append(await ask(stage, "UpdateTaskQueueConfig", taskQueue=stage.queue, taskQueueType="TASK_QUEUE_TYPE_ACTIVITY",
                         updateQueueRateLimit={"rateLimit": {"requestsPerSecond": 20}, "reason": "slowly"}, identity="me"))
    out.append(await until(
        lambda: ask(stage, "DescribeTaskQueue", taskQueue={"name": stage.queue}, taskQueueType="TASK_QUEUE_TYPE_ACTIVITY", reportConfig=True),
        lambda seen: seen["effectiveRateLimit"]["rateLimitSource"] == "RATE_LIMIT_SOURCE_API"))
    out.append(await ask(stage, "ListTaskQueuePartitions", taskQueue={"name": stage.queue}))
    await handle.signal("end")
    await ending(handle)

    def plain(value, name=""):
        if isinstance(value, dict):
            return {k: plain(v, k) for k, v in value.items() if k not in (
                "lastAccessTime", "updateTime", "tasksAddRate", "tasksDispatchRate", "ownerHostName", "taskIdBlock", "approximateBacklogAge",
                "readLevel", "ackLevel", "workerVersionCapabilities", "ratePerSecond")
                and not (k == "requestsPerSecond" and value.get("rateLimitSource") == "RATE_LIMIT_SOURCE_SYSTEM")}
        return [plain(v) for v in value] if isinstance(value, list) else value

    return plain(out)


async def namespaces(stage):
    out = []
    for name in ("default", "temporal-system"):
        seen = await ask(stage, "DescribeNamespace", namespace=name)
        seen["namespaceInfo"].pop("capabilities")
        seen["namespaceInfo"].pop("supportsSchedules", None)
        out.append(seen)
    seen = await ask(stage, "ListNamespaces")
    return [*out, sorted(n["namespaceInfo"]["name"] for n in seen["namespaces"])]


def is_quiet(history, children):
    """The run knows that so many children have started, and has no task."""
    kinds = [event.event_type for event in history.events]
    return (kinds.count(EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED) == children
            and kinds[-1] == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)


async def children_by_policy(stage):
    out = []
    for how in ("done", "fail", "again", "wait"):
        handle = await stage.start("Nest", how, id=stage.name(how))
        if how == "wait":
            await until(lambda: handle.describe(), lambda seen: len(seen.raw_description.pending_children) == 3)
            await until(lambda: handle.fetch_history(), lambda seen: is_quiet(seen, children=3))
            await handle.terminate()
        out.append(await ending(handle))
        for policy in ("TERMINATE", "ABANDON", "REQUEST_CANCEL"):
            child = stage.client.get_workflow_handle(f"{handle.id}-{policy}")
            if policy == "ABANDON":
                out.append((await child.describe()).status.name)
                await child.terminate()
            out.append(await ending(child))
    return out


async def resets(stage):
    """To other tasks, without what came later."""
    out = []
    for exclude in ([], ["RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL"], ["RESET_REAPPLY_EXCLUDE_TYPE_UPDATE"],
                    ["RESET_REAPPLY_EXCLUDE_TYPE_NEXUS"], ["RESET_REAPPLY_EXCLUDE_TYPE_CANCEL_REQUEST"]):
        handle = await stage.start("Talk", id=stage.name(f"talk-{len(out)}"))
        await handle.query("count")
        await handle.signal("say", "one")
        await stage.until(lambda: handle.query("count"), 1)
        await handle.execute_update("ask", "two", id="update")
        await handle.signal("end")
        await ending(handle)
        made = await ask(stage, "ResetWorkflowExecution", workflowExecution={**of(handle), "runId": handle.result_run_id},
                         reason="again", requestId="r", workflowTaskFinishEventId=4, resetReapplyExcludeTypes=exclude)
        again = stage.client.get_workflow_handle(handle.id, run_id=made["runId"])
        if "RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL" in exclude:
            await again.signal("end")
        out.append(await ending(again))
    return out


async def updates_by_hand(stage):
    handle = await stage.start("Talk")
    await handle.query("count")
    update = await handle.start_update("ask", "activity", id="one", wait_for_stage=WorkflowUpdateStage.ACCEPTED)
    out = [await update.result()]
    polled = await ask(stage, "PollWorkflowExecutionUpdate", updateRef={"workflowExecution": of(handle), "updateId": "one"},
                       waitPolicy={"lifecycleStage": "UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED"})
    out.append(polled)
    for name, update_id in (("nothing", "two"), ("ask", "u" * 1001)):
        try:
            out.append(await refusal(handle.execute_update(name, "x", id=update_id)))
        except WorkflowUpdateFailedError as error:
            out.append(chain(error))
    await handle.signal("end")
    return [*out, await ending(handle)]


SCENARIOS = [activity_is_reset, activity_is_paused_while_it_waits, activity_is_paused_while_it_runs, activity_is_reset_while_it_runs,
             activity_options, cron, cron_every, priorities, request_ids, search_attributes, groups, queues, namespaces,
             children_by_policy, resets, updates_by_hand]
