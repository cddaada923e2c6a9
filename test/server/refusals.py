"""Requests that both servers refuse, or answer alike, one line each: what compare_test.py sends to both, and compares
code, text and kind of detail. What is not the same, on purpose, is not among them: docs/server.md. A request is its method and its content as JSON; the namespace is "default" unless it
says another, and $NAMES stand for what `prepare` has made.
"""
import base64
import json

from google.protobuf.json_format import MessageToDict, ParseDict
from temporalio.api.common.v1 import GrpcStatus
from temporalio.api.operatorservice.v1 import request_response_pb2 as operator
from temporalio.api.workflowservice.v1 import request_response_pb2 as service
from temporalio.service import RPCError

UUID = "01234567-89ab-4cde-8f01-23456789abcd"
LONG = "x" * 1001
GONE = {"workflowId": "there-is-none"}
OPEN = {"workflowId": "$OPEN"}
DONE = {"workflowId": "$DONE"}
DONE_RUN = {"workflowId": "$DONE", "runId": "$DONE_RUN"}
WRONG_RUN = {"workflowId": "$OPEN", "runId": UUID}
BAD_RUN = {"workflowId": "$OPEN", "runId": "no-uuid"}
START = {"workflowId": "refused", "workflowType": {"name": "Echo"}, "taskQueue": {"name": "q"}, "requestId": "r"}
SECOND = {"seconds": 1}


def without(message, *names):
    return {k: v for k, v in message.items() if k not in names}


def b64(text):
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


def on(execution, **more):
    return {"workflowExecution": execution, **more}


NAMED = (GONE, WRONG_RUN, BAD_RUN, {}, {"workflowId": LONG}, DONE)


def of_each(method, key="workflowExecution", executions=NAMED, **more):
    return [(method, {key: execution, **more}) for execution in executions]


STARTS = [("StartWorkflowExecution", {**START, **change}) for change in (
    {"workflowId": ""}, {"workflowType": {}}, {"taskQueue": {}}, {"requestId": LONG}, {"workflowId": LONG},
    {"workflowType": {"name": LONG}}, {"taskQueue": {"name": LONG}}, {"taskQueue": {"name": "/_sys/x/1"}},
    {"taskQueue": {"name": "a", "kind": "TASK_QUEUE_KIND_STICKY", "normalName": "b"}},
    {"workflowRunTimeout": "-1s"}, {"workflowTaskTimeout": "-1s"}, {"workflowExecutionTimeout": "-1s"},
    {"workflowStartDelay": "-1s"}, {"cronSchedule": "nope"}, {"cronSchedule": "* * * * *", "workflowStartDelay": "1s"},
    {"cronSchedule": "60 * * * *"}, {"cronSchedule": "@every 0.1s"}, {"cronSchedule": "CRON_TZ=Nowhere/Town * * * * *"},
    {"retryPolicy": {"initialInterval": "-1s"}}, {"retryPolicy": {"maximumAttempts": -1}},
    {"retryPolicy": {"backoffCoefficient": 0.5}}, {"retryPolicy": {"initialInterval": "10s", "maximumInterval": "5s"}},
    {"retryPolicy": {"initialInterval": "1s", "maximumInterval": "-5s"}},
    {"requestEagerExecution": True, "cronSchedule": "nope"},
    {"searchAttributes": {"indexedFields": {"Nope": {"data": b64("1")}}}},
    {"searchAttributes": {"indexedFields": {"CustomIntField": {"metadata": {"encoding": b64("json/plain")}, "data": b64('"x"')}}}},
    {"searchAttributes": {"indexedFields": {"ExecutionStatus": {"metadata": {"encoding": b64("json/plain")}, "data": b64('"Running"')}}}},
    {"workflowIdConflictPolicy": "WORKFLOW_ID_CONFLICT_POLICY_FAIL",
     "workflowIdReusePolicy": "WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING"},
    {"workflowIdConflictPolicy": "WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING",
     "workflowIdReusePolicy": "WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE"},
    {"workflowId": "$OPEN"}, {"workflowId": "$OPEN", "workflowIdConflictPolicy": "WORKFLOW_ID_CONFLICT_POLICY_FAIL"},
    {"workflowId": "$DONE", "workflowIdReusePolicy": "WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE"},
    {"workflowId": "$DONE", "workflowIdReusePolicy": "WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY"},
    {"namespace": "nowhere"}, {"namespace": ""}, {"priority": {"priorityKey": -1}}, {"priority": {"priorityKey": 9}},
    {"priority": {"fairnessKey": "k" * 65}}, {"priority": {"fairnessWeight": -1.0}},
    {"completionCallbacks": [{"nexus": {"url": "http://nowhere.example/x"}}]},
    {"completionCallbacks": [{"nexus": {"url": "temporal://system"}}]},
    {"completionCallbacks": [{"nexus": {"url": "ftp://x"}}]}, {"completionCallbacks": [{}]},
    {"links": [{"workflowEvent": {"namespace": "", "workflowId": "w", "runId": "r"}}]},
    {"links": [{}]}, {"onConflictOptions": {"attachCompletionCallbacks": True}},
    {"memo": {"fields": {"a": {"data": b64("m" * 2_100_000)}}}},
    {"input": {"payloads": [{"data": b64("m" * 2_100_000)}]}},
    {"userMetadata": {"summary": {"data": b64("s" * 401)}}}, {"userMetadata": {"details": {"data": b64("s" * 20001)}}},
    {"versioningOverride": {"pinned": {"behavior": "PINNED_OVERRIDE_BEHAVIOR_PINNED"}}},
    {"versioningOverride": {"behavior": "VERSIONING_BEHAVIOR_PINNED"}},
)]

SIGNALS = [
    *of_each("SignalWorkflowExecution", signalName="say"),
    ("SignalWorkflowExecution", on(OPEN)), ("SignalWorkflowExecution", on(OPEN, signalName=LONG)),
    ("SignalWorkflowExecution", on(OPEN, signalName="s", requestId=LONG)),
    ("SignalWorkflowExecution", {"signalName": "s"}),
    ("SignalWorkflowExecution", on(OPEN, signalName="s", input={"payloads": [{"data": b64("m" * 2_100_000)}]})),
    ("SignalWorkflowExecution", on(DONE_RUN, signalName="s")),
    ("SignalWorkflowExecution", on(OPEN, signalName="s", namespace="nowhere")),
    *[("SignalWithStartWorkflowExecution", {**START, "signalName": "s", **change}) for change in (
        {"signalName": ""}, {"workflowId": ""}, {"signalName": LONG}, {"workflowType": {}}, {"taskQueue": {}},
        {"workflowStartDelay": "-1s"}, {"cronSchedule": "nope"}, {"namespace": "nowhere"},
        {"cronSchedule": "* * * * *", "workflowStartDelay": "1s"},
        {"workflowIdConflictPolicy": "WORKFLOW_ID_CONFLICT_POLICY_FAIL"},
        {"workflowIdReusePolicy": "WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE", "workflowId": "$DONE"},
        {"workflowRunTimeout": "-1s"}, {"requestId": LONG}, {"retryPolicy": {"maximumAttempts": -1}},
        {"signalInput": {"payloads": [{"data": b64("m" * 2_100_000)}]}})],
]

RUNS = [
    *of_each("RequestCancelWorkflowExecution"), ("RequestCancelWorkflowExecution", {}),
    ("RequestCancelWorkflowExecution", on(OPEN, requestId=LONG)),
    ("RequestCancelWorkflowExecution", on(OPEN, firstExecutionRunId=UUID)),
    ("RequestCancelWorkflowExecution", on(OPEN, firstExecutionRunId="no-uuid")),
    *of_each("TerminateWorkflowExecution"), ("TerminateWorkflowExecution", {}),
    ("TerminateWorkflowExecution", on(OPEN, firstExecutionRunId=UUID)),
    *of_each("DeleteWorkflowExecution", executions=NAMED[:-1]), ("DeleteWorkflowExecution", {}),
    *of_each("DescribeWorkflowExecution", key="execution", executions=NAMED[:-1]), ("DescribeWorkflowExecution", {}),
    *of_each("GetWorkflowExecutionHistory", key="execution", executions=NAMED[:-1]),
    ("GetWorkflowExecutionHistory", {"execution": OPEN, "nextPageToken": b64("bad")}),
    ("GetWorkflowExecutionHistory", {"execution": OPEN, "nextPageToken": b64("{}")}),
    ("GetWorkflowExecutionHistory", {"execution": OPEN, "waitNewEvent": True, "maximumPageSize": -1, "namespace": "nowhere"}),
    *of_each("GetWorkflowExecutionHistoryReverse", key="execution", executions=NAMED[:-1]),
    ("GetWorkflowExecutionHistoryReverse", {"execution": OPEN, "nextPageToken": b64("bad")}),
    *of_each("QueryWorkflow", key="execution", executions=NAMED[:-1], query={"queryType": "q"}),
    ("QueryWorkflow", {"execution": OPEN}), ("QueryWorkflow", {"execution": OPEN, "query": {}}),
    ("QueryWorkflow", {"query": {"queryType": "q"}}),
    ("QueryWorkflow", {"execution": DONE, "query": {"queryType": "q"}, "queryRejectCondition": "QUERY_REJECT_CONDITION_NOT_OPEN"}),
    ("QueryWorkflow", {"execution": OPEN, "query": {"queryType": "q"}, "namespace": "nowhere"}),
    *of_each("ResetWorkflowExecution", workflowTaskFinishEventId=4, requestId="r"),
    ("ResetWorkflowExecution", on(DONE_RUN, requestId="r", workflowTaskFinishEventId=0)),
    ("ResetWorkflowExecution", on(DONE_RUN, requestId="r", workflowTaskFinishEventId=1)),
    ("ResetWorkflowExecution", on(DONE_RUN, requestId="r", workflowTaskFinishEventId=2)),
    ("ResetWorkflowExecution", on(DONE_RUN, requestId="r", workflowTaskFinishEventId=99)),
    ("ResetWorkflowExecution", on(DONE_RUN, workflowTaskFinishEventId=4, requestId=LONG)),
    ("ResetWorkflowExecution", on(DONE_RUN, requestId="r2", workflowTaskFinishEventId=4,
                                  resetReapplyExcludeTypes=["RESET_REAPPLY_EXCLUDE_TYPE_UNSPECIFIED"])),
    ("ResetWorkflowExecution", on(DONE_RUN, requestId="r3", workflowTaskFinishEventId=4, postResetOperations=[{}])),
    ("ResetWorkflowExecution", {}), ("ResetWorkflowExecution", on(DONE_RUN, namespace="nowhere")),
    ("UpdateWorkflowExecutionOptions", on(OPEN)),
    ("UpdateWorkflowExecutionOptions", on(OPEN, updateMask="nope")),
    ("UpdateWorkflowExecutionOptions", on(OPEN, updateMask="priority", workflowExecutionOptions={"priority": {"priorityKey": -1}})),
    ("UpdateWorkflowExecutionOptions", on(GONE, updateMask="priority", workflowExecutionOptions={})),
    ("UpdateWorkflowExecutionOptions", on(DONE_RUN, updateMask="priority", workflowExecutionOptions={})),
    ("UpdateWorkflowExecutionOptions", on(OPEN, updateMask="versioningOverride", workflowExecutionOptions={
        "versioningOverride": {"behavior": "VERSIONING_BEHAVIOR_PINNED"}})),
    ("UpdateWorkflowExecutionOptions", {}),
    ("PauseWorkflowExecution", {"workflowId": "$OPEN"}), ("UnpauseWorkflowExecution", {"workflowId": "$OPEN"}),
]

UPDATE = {"meta": {"updateId": "u"}, "input": {"name": "ask"}}
WAIT = {"lifecycleStage": "UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED"}
UPDATES = [
    *of_each("UpdateWorkflowExecution", request=UPDATE, waitPolicy=WAIT),
    ("UpdateWorkflowExecution", on(OPEN)), ("UpdateWorkflowExecution", on(OPEN, request={})),
    ("UpdateWorkflowExecution", on(OPEN, request={"input": {}})),
    ("UpdateWorkflowExecution", on(OPEN, request={"meta": {"updateId": LONG}, "input": {"name": "ask"}}, waitPolicy=WAIT)),
    ("UpdateWorkflowExecution", on(OPEN, request={"meta": {}, "input": {"name": LONG}}, waitPolicy=WAIT)),
    ("UpdateWorkflowExecution", on(OPEN, request=UPDATE, waitPolicy={
        "lifecycleStage": "UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ADMITTED"})),
    ("UpdateWorkflowExecution", on(OPEN, request=UPDATE, firstExecutionRunId=UUID, waitPolicy=WAIT)),
    ("UpdateWorkflowExecution", on(OPEN, request=UPDATE, namespace="nowhere")),
    ("PollWorkflowExecutionUpdate", {}), ("PollWorkflowExecutionUpdate", {"updateRef": {}}),
    ("PollWorkflowExecutionUpdate", {"updateRef": {"workflowExecution": GONE, "updateId": "u"}}),
    ("PollWorkflowExecutionUpdate", {"updateRef": {"workflowExecution": OPEN, "updateId": "u"}}),
    ("PollWorkflowExecutionUpdate", {"updateRef": {"workflowExecution": DONE, "updateId": "u"}, "waitPolicy": WAIT}),
    ("PollWorkflowExecutionUpdate", {"updateRef": {"workflowExecution": OPEN}}),
    ("PollWorkflowExecutionUpdate", {"updateRef": {"workflowExecution": BAD_RUN, "updateId": "u"}}),
    ("ExecuteMultiOperation", {}), ("ExecuteMultiOperation", {"operations": [{}]}),
    ("ExecuteMultiOperation", {"operations": [{}, {}]}),
    ("ExecuteMultiOperation", {"operations": [{"startWorkflow": {**START, "namespace": "default"}}]}),
    ("ExecuteMultiOperation", {"operations": [
        {"startWorkflow": {**START, "namespace": "default"}}, {"startWorkflow": {**START, "namespace": "default"}}]}),
    ("ExecuteMultiOperation", {"operations": [
        {"startWorkflow": {**START, "namespace": "default", "workflowId": ""}},
        {"updateWorkflow": {"namespace": "default", **on({"workflowId": "refused"}, request=UPDATE, waitPolicy=WAIT)}}]}),
    ("ExecuteMultiOperation", {"operations": [
        {"startWorkflow": {**START, "namespace": "default"}},
        {"updateWorkflow": {"namespace": "default", **on({"workflowId": "another"}, request=UPDATE, waitPolicy=WAIT)}}]}),
    ("ExecuteMultiOperation", {"operations": [
        {"startWorkflow": {**START, "namespace": "default", "cronSchedule": "* * * * *"}},
        {"updateWorkflow": {"namespace": "default", **on({"workflowId": "refused"}, request=UPDATE, waitPolicy=WAIT)}}]}),
    ("ExecuteMultiOperation", {"operations": [
        {"startWorkflow": {**START, "namespace": "default"}},
        {"updateWorkflow": {"namespace": "default", **on({"workflowId": "refused"}, request={}, waitPolicy=WAIT)}}]}),
    ("ExecuteMultiOperation", {"operations": [
        {"startWorkflow": {**START, "namespace": "other"}},
        {"updateWorkflow": {"namespace": "default", **on({"workflowId": "refused"}, request=UPDATE, waitPolicy=WAIT)}}]}),
    ("ExecuteMultiOperation", {"operations": [
        {"startWorkflow": {**START, "namespace": "default", "workflowStartDelay": "1s"}},
        {"updateWorkflow": {"namespace": "default", **on({"workflowId": "refused"}, request=UPDATE, waitPolicy=WAIT)}}]}),
    ("ExecuteMultiOperation", {"operations": [
        {"startWorkflow": {**START, "namespace": "default", "workflowId": "$OPEN"}},
        {"updateWorkflow": {"namespace": "default", **on(OPEN, request=UPDATE, waitPolicy=WAIT)}}]}),
    ("ExecuteMultiOperation", {"operations": [
        {"startWorkflow": {**START, "namespace": "default"}},
        {"updateWorkflow": {"namespace": "default", **on({"workflowId": "refused", "runId": UUID}, request=UPDATE, waitPolicy=WAIT)}}]}),
    ("ExecuteMultiOperation", {"operations": [
        {"startWorkflow": {**START, "namespace": "default"}},
        {"updateWorkflow": {"namespace": "default", "firstExecutionRunId": UUID, **on({"workflowId": "refused"}, request=UPDATE, waitPolicy=WAIT)}}]}),
]

BY_ID = ("RespondActivityTaskCompletedById", "RespondActivityTaskFailedById", "RespondActivityTaskCanceledById",
         "RecordActivityTaskHeartbeatById")
BY_TOKEN = ("RespondActivityTaskCompleted", "RespondActivityTaskFailed", "RespondActivityTaskCanceled",
            "RecordActivityTaskHeartbeat", "RespondWorkflowTaskCompleted", "RespondWorkflowTaskFailed",
            "RespondQueryTaskCompleted", "RespondNexusTaskCompleted", "RespondNexusTaskFailed")
TASKS = [
    *[(method, change) for method in BY_ID for change in (
        {}, {"workflowId": "$OPEN"}, {"workflowId": "$OPEN", "activityId": "nope"},
        {"workflowId": "there-is-none", "activityId": "1"}, {"workflowId": "$DONE", "activityId": "1"},
        {"workflowId": "$OPEN", "runId": UUID, "activityId": "1"}, {"workflowId": "$OPEN", "runId": "no-uuid", "activityId": "1"},
        {"workflowId": "$OPEN", "activityId": "1", "namespace": "nowhere"}, {"workflowId": "$OPEN", "activityId": "1", "namespace": ""},
        {"workflowId": "$OPEN", "activityId": "1", "identity": LONG})],
    *[(method, change) for method in BY_TOKEN for change in (
        {}, {"taskToken": b64("bad")}, {"taskToken": b64("bad"), "namespace": "nowhere"}, {"taskToken": b64("bad"), "identity": LONG},
        {"taskToken": b64(b"\x00")}, {"namespace": ""})
      if not (method == "RespondQueryTaskCompleted" and "identity" in change)],
    *[(method, {"taskQueue": {"name": "q"}, **change}) for method in (
        "PollWorkflowTaskQueue", "PollActivityTaskQueue", "PollNexusTaskQueue") for change in (
        {"taskQueue": {}}, {"taskQueue": {"name": LONG}}, {"identity": LONG}, {"namespace": "nowhere"}, {"namespace": ""},
        {"taskQueue": {"name": "/_sys/q/x"}})],
    ("PollWorkflowTaskQueue", {}), ("PollActivityTaskQueue", {}), ("PollNexusTaskQueue", {}),
    ("PollWorkflowTaskQueue", {"taskQueue": {"name": "s", "kind": "TASK_QUEUE_KIND_STICKY"}}),
    ("PollActivityTaskQueue", {"taskQueue": {"name": "s", "kind": "TASK_QUEUE_KIND_STICKY", "normalName": "n"}}),
    ("PollWorkflowTaskQueue", {"taskQueue": {"name": "q"}, "binaryChecksum": LONG}),
    ("ResetStickyTaskQueue", {}), ("ResetStickyTaskQueue", {"execution": GONE}), ("ResetStickyTaskQueue", {"execution": BAD_RUN}),
    ("ResetStickyTaskQueue", {"execution": DONE}),
    ("ShutdownWorker", {"namespace": "nowhere"}), ("ShutdownWorker", {}),
    ("ShutdownWorker", {"stickyTaskQueue": LONG}),
]

CONTROL = [
    *[(method, change) for method in ("PauseActivity", "UnpauseActivity", "ResetActivity") for change in (
        {}, {"execution": OPEN}, {"execution": OPEN, "id": "nope"}, {"execution": OPEN, "type": "nope"},
        {"execution": GONE, "id": "1"}, {"execution": DONE, "id": "1"}, {"execution": WRONG_RUN, "id": "1"},
        {"execution": BAD_RUN, "id": "1"}, {"id": "1"}, {"execution": OPEN, "id": "1", "namespace": "nowhere"},
        {"execution": OPEN, "id": LONG})],
    *[("UpdateActivityOptions", change) for change in (
        {}, {"execution": OPEN}, {"execution": OPEN, "id": "1"}, {"execution": OPEN, "id": "nope", "updateMask": "taskQueue"},
        {"execution": OPEN, "id": "1", "activityOptions": {}, "updateMask": "nope"},
        {"execution": OPEN, "id": "1", "activityOptions": {}, "updateMask": "taskQueue.name"},
        {"execution": OPEN, "id": "1", "activityOptions": {"heartbeatTimeout": "-1s"}, "updateMask": "heartbeatTimeout"},
        {"execution": OPEN, "id": "1", "activityOptions": {"startToCloseTimeout": "-1s"}, "updateMask": "startToCloseTimeout"},
        {"execution": OPEN, "id": "1", "activityOptions": {"retryPolicy": {"backoffCoefficient": 0.5}},
         "updateMask": "retryPolicy.backoffCoefficient"},
        {"execution": OPEN, "id": "1", "activityOptions": {"retryPolicy": {"maximumAttempts": -1}},
         "updateMask": "retryPolicy.maximumAttempts"},
        {"execution": OPEN, "id": "1", "activityOptions": {"taskQueue": {"name": LONG}}, "updateMask": "taskQueue.name"},
        {"execution": OPEN, "id": "1", "activityOptions": {"priority": {"priorityKey": -1}}, "updateMask": "priority.priorityKey"},
        {"execution": OPEN, "id": "1", "activityOptions": {}, "updateMask": "taskQueue", "restoreOriginal": True},
        {"execution": GONE, "id": "1", "activityOptions": {}, "updateMask": "heartbeatTimeout"},
        {"execution": DONE, "id": "1", "activityOptions": {}, "updateMask": "heartbeatTimeout"})],
    *[(method, change) for method in ("PauseActivityExecution", "UnpauseActivityExecution", "ResetActivityExecution") for change in (
        {}, {"workflowId": "$OPEN"}, {"workflowId": "$OPEN", "activityId": "nope"}, {"workflowId": "there-is-none", "activityId": "1"},
        {"workflowId": "$OPEN", "activityId": "1", "runId": "no-uuid"})],
]

QUEUES = [
    *[("DescribeTaskQueue", change) for change in (
        {}, {"taskQueue": {}}, {"taskQueue": {"name": LONG}}, {"taskQueue": {"name": "q"}, "namespace": "nowhere"},
        {"taskQueue": {"name": "q"}, "taskQueueType": 7}, {"taskQueue": {"name": "/_sys/q/1"}},
        {"taskQueue": {"name": "q", "kind": "TASK_QUEUE_KIND_STICKY"}, "apiMode": "DESCRIBE_TASK_QUEUE_MODE_ENHANCED"},
        {"taskQueue": {"name": "/_sys/q/1"}, "apiMode": "DESCRIBE_TASK_QUEUE_MODE_ENHANCED"},
        {"taskQueue": {"name": "/_sys/q"}}, {"taskQueue": {"name": "/_sys/q/0"}}, {"taskQueue": {"name": "/_sys//1"}},
        {"taskQueue": {"name": "q"}, "apiMode": "DESCRIBE_TASK_QUEUE_MODE_ENHANCED", "reportTaskReachability": True,
         "versions": {"buildIds": [f"b{i}" for i in range(6)]}})],
    *[("UpdateTaskQueueConfig", {"taskQueue": "q", "taskQueueType": "TASK_QUEUE_TYPE_ACTIVITY", **change}) for change in (
        {"taskQueue": ""}, {"taskQueueType": 0}, {"namespace": "nowhere"},
        {"updateQueueRateLimit": {"rateLimit": {"requestsPerSecond": -1}}},
        {"updateFairnessKeyRateLimitDefault": {"rateLimit": {"requestsPerSecond": -1}}},
        {"updateQueueRateLimit": {"rateLimit": {"requestsPerSecond": 1}, "reason": LONG}},
        {"taskQueueType": "TASK_QUEUE_TYPE_WORKFLOW", "updateQueueRateLimit": {"rateLimit": {"requestsPerSecond": 1}}},
        {"taskQueueType": "TASK_QUEUE_TYPE_WORKFLOW", "updateQueueRateLimit": {"reason": LONG}}, {"identity": LONG},
        {"setFairnessWeightOverrides": {"k": -1.0}}, {"setFairnessWeightOverrides": {"k": 1.0}, "unsetFairnessWeightOverrides": ["k"]},
        {"setFairnessWeightOverrides": {"k" * 65: 1.0}},
        {"taskQueue": "/_sys/q/1"})],
    ("ListTaskQueuePartitions", {}), ("ListTaskQueuePartitions", {"taskQueue": {"name": "q"}}),
    ("ListTaskQueuePartitions", {"taskQueue": {"name": "q"}, "namespace": "nowhere"}),
    ("ListWorkers", {"query": "nope = 1"}), ("ListWorkers", {"query": "x"}), ("ListWorkers", {"nextPageToken": b64("bad")}),
    ("ListWorkers", {"namespace": "nowhere"}), ("ListWorkers", {"pageSize": -1}),
    ("DescribeWorker", {}), ("DescribeWorker", {"workerInstanceKey": "nope"}), ("CountWorkers", {"query": "nope = 1"}),
    ("FetchWorkerConfig", {}), ("UpdateWorkerConfig", {}), ("GetWorkerTaskReachability", {}),
    ("GetWorkerBuildIdCompatibility", {}), ("UpdateWorkerBuildIdCompatibility", {}),
    ("GetWorkerVersioningRules", {}), ("UpdateWorkerVersioningRules", {}),
    ("RecordWorkerHeartbeat", {}), ("RecordWorkerHeartbeat", {"namespace": "nowhere"}),
]

LISTS = [
    *[(method, change) for method in ("ListWorkflowExecutions", "ScanWorkflowExecutions", "ListOpenWorkflowExecutions",
                                      "ListClosedWorkflowExecutions", "ListArchivedWorkflowExecutions") for change in (
        {"nextPageToken": b64("bad")}, {"nextPageToken": b64("[]")}, {"namespace": "nowhere"}, {"namespace": ""})],
    *[("ListWorkflowExecutions", {"pageSize": size}) for size in (-1,)],
    *[(method, change) for method in ("ListOpenWorkflowExecutions", "ListClosedWorkflowExecutions") for change in (
        {"executionFilter": {"workflowId": "a'b"}}, {"executionFilter": {"workflowId": "a\\b"}}, {"typeFilter": {"name": "a'b"}},
        {"executionFilter": {"workflowId": 'a"b'}}, {"maximumPageSize": -1},
        {"startTimeFilter": {"earliestTime": "2024-01-02T00:00:00Z", "latestTime": "2024-01-01T00:00:00Z"}})],
    ("ListClosedWorkflowExecutions", {"statusFilter": {}}),
    ("ListClosedWorkflowExecutions", {"statusFilter": {"status": "WORKFLOW_EXECUTION_STATUS_RUNNING"}}),
    *[("CountWorkflowExecutions", {"query": query}) for query in (
        "Nope = 1", "WorkflowId", "WorkflowId =", "= 'x'", "WorkflowId = x", "WorkflowId = 'x", "WorkflowId = 'x' AND",
        "WorkflowId = 'x' OR OR RunId = 'y'", "(WorkflowId = 'x'", "WorkflowId = 'x')", "WorkflowId LIKE 'x%'",
        "WorkflowId = 'x' ORDER BY StartTime", "WorkflowId = 'x' LIMIT 1", "WorkflowId = 1", "StartTime > 'x'",
        "StartTime = 1", "StartTime > true", "ExecutionStatus = 'Nope'", "ExecutionStatus = 99", "ExecutionStatus = 1.5",
        "HistoryLength = 'x'", "HistoryLength = '5'", "HistoryLength BETWEEN 1 AND 'x'", "HistoryLength STARTS_WITH '1'",
        "WorkflowId IN ()", "WorkflowId IN ('x', 1)", "WorkflowId IN 'x'", "WorkflowId BETWEEN 'a' AND 'b'",
        "WorkflowId > 'a'", "WorkflowId != 'a' AND WorkflowType <> 'b'", "WorkflowId IS NULL", "WorkflowId IS 'x'",
        "NOT WorkflowId = 'x'", "NOT (WorkflowId = 'x' OR RunId = 'y')", "WorkflowId NOT IN ('x')", "WorkflowId NOT LIKE 'x'",
        "GROUP BY ExecutionStatus", "WorkflowId = 'no' GROUP BY ExecutionStatus", "WorkflowId = 'x' GROUP BY WorkflowType",
        "GROUP BY ExecutionStatus, WorkflowType", "GROUP BY", "ORDER BY StartTime", "ExecutionDuration > '1h'",
        "ExecutionDuration > 'nope'", "ExecutionDuration > 1000", "CloseTime = null", "CloseTime IS NULL AND StartTime IS NOT NULL AND WorkflowId = 'no'",
        "TemporalChangeVersion = 'x'", "TemporalChangeVersion IN ('x', 'y')", "BuildIds STARTS_WITH 'x'",
        "TemporalReportedProblems = 'x'", "TemporalSchedulePaused = true", "TemporalSchedulePaused = 'x'",
        "CustomKeywordField = 'x'", "VisibilityTime > '2020-01-01T00:00:00Z'", "NamespaceId = 'x'", "Namespace = 'x'",
        "1 = 1", "'x' = WorkflowId", "WorkflowId = 'a' AND 1", "SELECT 1", "WorkflowId = 'x'; DROP TABLE x", "WorkflowId = RunId",
        "WorkflowId = UPPER('x')", "`WorkflowId` = 'no'", "\"WorkflowId\" = 'no'",
        "WorkflowId = \"no\"", "workflowid = 'no'", "TaskQueue = 'no' and WorkflowType = 'x' or RunId = 'y'",
        "StartTime BETWEEN '2024-01-01T00:00:00Z' AND '2023-01-01T00:00:00Z'", "StartTime IN ('2024-01-01T00:00:00Z')",
        "WorkflowId = ''", "WorkflowId = NULL", "WorkflowId = true", "WorkflowId = -1", "HistoryLength = -1", "HistoryLength > 1e3",
        "HistoryLength = 9999999999999999999999", "StateTransitionCount > 5 AND WorkflowId = 'no'", "HistorySizeBytes >= 1 AND WorkflowId = 'no'",
        "ParentWorkflowId = 'x'", "ParentWorkflowId IS NOT NULL AND WorkflowId = 'no'", "RootWorkflowId = 'no'", "RootRunId = 'no'",
        "FirstExecutionRunId = 'no'", "TemporalNamespaceDivision = 'x'", "ExecutionTime > '2020-01-01' AND WorkflowId = 'no'",
        "WorkflowId STARTS_WITH 'no'", "WorkflowId NOT STARTS_WITH 'no' AND WorkflowId = 'x'", "WorkflowId STARTS_WITH 1",
        "ExecutionStatus STARTS_WITH 'R'", "ExecutionStatus IN ('Running', 'Nope')", "ExecutionStatus IN (1, 2) AND WorkflowId = 'no'",
        "ExecutionStatus BETWEEN 1 AND 2", "ExecutionStatus > 'Running'", "ExecutionStatus = 'WORKFLOW_EXECUTION_STATUS_RUNNING' AND WorkflowId = 'no'")],
    ("ListWorkflowExecutions", {"query": "GROUP BY ExecutionStatus"}),
    ("ListWorkflowExecutions", {"query": "WorkflowId = 'no' ORDER BY CloseTime"}),
    ("ListWorkflowExecutions", {"query": "WorkflowId = 'no' ORDER BY CustomKeywordField"}),
    ("ListWorkflowExecutions", {"query": "x" * 20000}),
    ("GetSearchAttributes", {}),
    ("CountWorkflowExecutions", {"query": f"WorkflowId IN ({', '.join(repr('i' * 30 + str(i)) for i in range(1000))})"}),
]

SPACES = [
    *[("DescribeNamespace", change) for change in ({"namespace": ""}, {"namespace": "nowhere"}, {"namespace": "", "id": UUID},
                                                   {"namespace": "", "id": "no-uuid"}, {"namespace": "default", "id": UUID})],
    *[("RegisterNamespace", {"namespace": "refused", "workflowExecutionRetentionPeriod": "86400s", **change}) for change in (
        {"namespace": ""}, {"namespace": "default"}, {"namespace": LONG}, {"namespace": "a b"},
        {"workflowExecutionRetentionPeriod": "0s"}, {"workflowExecutionRetentionPeriod": "10s"},
        {"workflowExecutionRetentionPeriod": "-1s"}, {"isGlobalNamespace": True}, {"activeClusterName": "nope"},
        {"clusters": [{"clusterName": "nope"}]}, {"historyArchivalState": "ARCHIVAL_STATE_ENABLED"}, {"namespace": "temporal-system"},
        {"historyArchivalState": "ARCHIVAL_STATE_ENABLED", "historyArchivalUri": "x"})],
    ("RegisterNamespace", {"namespace": "refused2"}),
    *[("UpdateNamespace", {"namespace": "default", **change}) for change in (
        {"namespace": "nowhere"}, {"namespace": ""}, {"config": {"workflowExecutionRetentionTtl": "10s"}}, {"promoteNamespace": True},
        {"replicationConfig": {"activeClusterName": "nope"}}, {"replicationConfig": {"clusters": [{"clusterName": "nope"}]}},
        {"deleteBadBinary": "nope"},
        {"config": {"workflowExecutionRetentionTtl": "-1s"}})],
    ("DeprecateNamespace", {"namespace": "nowhere"}), ("DeprecateNamespace", {"namespace": ""}),
    ("ListNamespaces", {"nextPageToken": b64("bad")}), ("ListNamespaces", {"pageSize": -1}),
    ("DeleteNamespace", {"namespace": "nowhere"}), ("DeleteNamespace", {"namespace": ""}),
    ("DeleteNamespace", {"namespaceId": UUID}), ("DeleteNamespace", {"namespaceId": "x", "namespace": "y"}),
    ("DeleteNamespace", {"namespace": "temporal-system"}), ("DeleteNamespace", {"namespaceId": "no-uuid"}),
    ("DescribeNamespace", {"namespace": "temporal-system"}),
    ("AddSearchAttributes", {}), ("AddSearchAttributes", {"searchAttributes": {"WorkflowId": "INDEXED_VALUE_TYPE_KEYWORD"}}),
    ("AddSearchAttributes", {"searchAttributes": {"a": 0}}), ("AddSearchAttributes", {"searchAttributes": {"": "INDEXED_VALUE_TYPE_INT"}}),
    ("AddSearchAttributes", {"searchAttributes": {"a": "INDEXED_VALUE_TYPE_INT"}, "namespace": "nowhere"}),
    ("AddSearchAttributes", {"searchAttributes": {"TemporalX": "INDEXED_VALUE_TYPE_INT"}}),
    ("AddSearchAttributes", {"searchAttributes": {f"Bool{i}": "INDEXED_VALUE_TYPE_BOOL" for i in range(9)}}),
    ("RemoveSearchAttributes", {}), ("RemoveSearchAttributes", {"searchAttributes": ["nope"]}),
    ("RemoveSearchAttributes", {"searchAttributes": ["WorkflowId"]}),
    ("RemoveSearchAttributes", {"searchAttributes": ["nope"], "namespace": "nowhere"}),
    ("ListSearchAttributes", {"namespace": "nowhere"}), ("ListSearchAttributes", {"namespace": ""}),
]

TARGET = {"worker": {"namespace": "default", "taskQueue": "q"}}
ENDPOINTS = [
    *[("CreateNexusEndpoint", {"spec": {"name": "refused", "target": TARGET, **change}}) for change in (
        {"name": ""}, {"name": "a b"}, {"name": "1a"}, {"name": "x" * 300}, {"name": "__temporal_system"}, {"target": {}},
        {"target": {"worker": {}}}, {"target": {"worker": {"namespace": "nowhere", "taskQueue": "q"}}},
        {"target": {"worker": {"namespace": "default"}}}, {"target": {"worker": {"namespace": "default", "taskQueue": LONG}}},
        {"target": {"external": {}}}, {"target": {"external": {"url": "nope"}}}, {"target": {"external": {"url": "ftp://x/y"}}},
        {"target": {"external": {"url": "http://x/" + LONG * 5}}}, {"description": {"data": b64("d" * 20_001)}},
        {"name": "a_b"}, {"name": "a.b"}, {"name": "-a"}, {"name": "a-"})],
    ("CreateNexusEndpoint", {}), ("GetNexusEndpoint", {}), ("GetNexusEndpoint", {"id": UUID}), ("GetNexusEndpoint", {"id": "nope"}),
    ("UpdateNexusEndpoint", {}), ("UpdateNexusEndpoint", {"id": UUID, "version": 1}),
    ("UpdateNexusEndpoint", {"id": UUID, "version": 1, "spec": {"name": "refused", "target": TARGET}}),
    ("UpdateNexusEndpoint", {"id": UUID, "spec": {"name": "refused", "target": TARGET}}),
    ("UpdateNexusEndpoint", {"id": "nope", "version": 1, "spec": {"name": "refused", "target": TARGET}}),
    ("DeleteNexusEndpoint", {}), ("DeleteNexusEndpoint", {"id": UUID}), ("DeleteNexusEndpoint", {"id": UUID, "version": 1}),
    ("DeleteNexusEndpoint", {"id": "nope", "version": 1}),
    ("ListNexusEndpoints", {"nextPageToken": b64("bad")}), ("ListNexusEndpoints", {"nextPageToken": b64(UUID)}),
    ("ListNexusEndpoints", {"pageSize": -1}), ("ListNexusEndpoints", {"pageSize": 100000}), ("ListNexusEndpoints", {"name": "a b"}),
]

GROUPS = {"starts": STARTS, "signals": SIGNALS, "runs": RUNS, "updates": UPDATES, "tasks": TASKS, "control": CONTROL,
          "queues": QUEUES, "lists": LISTS, "spaces": SPACES, "endpoints": ENDPOINTS}


def filled(value, names):
    if isinstance(value, dict):
        return {key: filled(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item, names) for item in value]
    return names.get(value, value) if isinstance(value, str) else value


def find(method):
    """The request's type, and the part of the client that has the call."""
    for module, part in ((service, "workflow_service"), (operator, "operator_service")):
        if hasattr(module, f"{method}Request"):
            return getattr(module, f"{method}Request"), part
    raise LookupError(method)


def snake(name):
    return "".join("_" + c.lower() if c.isupper() else c for c in name).lstrip("_")


def details(error):
    status = GrpcStatus.FromString(error.raw_grpc_status)
    return [any_.type_url.rsplit(".", 1)[-1] for any_ in status.details]


async def answer(client, method, content, names, timeout, fully=False):
    """What the server says to it, as text."""
    kind, part = find(method)
    content = filled(content, names)
    if "namespace" in kind.DESCRIPTOR.fields_by_name and method not in ("DeleteNamespace",):
        content = {"namespace": "default", **content}
    request = ParseDict(content, kind())
    try:
        reply = await getattr(getattr(client, part), snake(method))(request, timeout=timeout)
    except RPCError as error:
        return f"{error.status.name}: {error.message} {details(error)}"
    return f"answered: {json.dumps(MessageToDict(reply), sort_keys=True)}" if fully else "answered"


def label(method, content):
    text = str(content)
    return f"{method} {text if len(text) < 300 else text[:150] + '...' + text[-120:]}"
