/*
 * run_answer.c: what a run asks of the server: the pages of its history, and that its answer to the
 * task be taken. The loop's thread; each reply leads to the run's next step.
 *
 * An answer that is too large for one request goes in pages (pages.c); one that the namespace would
 * not take goes as a failed task (oversize.c). What cannot be sent at all is told to the engine as
 * if the server had refused it.
 */
#include "worker/run.h"

#include "base/error.h"
#include "rpc/methods.h"
#include "worker/event.h"
#include "worker/metrics.h"
#include "worker/oversize.h"
#include "worker/pages.h"
#include "worker/report.h"
#include "worker/run_parts.h"
#include "worker/worker.h"

static void fetched(struct rpc_call *call, struct rpc_reply *reply, void *user)
{
	struct worker_run *run = user;

	if (reply->code != TEMPORAL_OK)
		worker_log(run->worker, TEMPORAL_LOG_WARN, "fetching the history of run %s: %s",
			run->run_id, reply->error.message);
	run->code = reply->code;
	run->input = worker_run_take_over(
		reply->code == TEMPORAL_OK ? reply->message : NULL, &reply->arena);
	worker_run_post(run, WORKER_RUN_HISTORY);
}

bool worker_run_fetch(struct worker_run *run, struct temporal_error *err)
{
	struct rpc_request request = {
		.method = &rpc_workflow_get_workflow_execution_history,
		.retry = RPC_RETRY_REPORT,
		.done = fetched,
		.user = run,
	};
	Common__WorkflowExecution execution = COMMON__WORKFLOW_EXECUTION__INIT;
	Workflowservice__GetWorkflowExecutionHistoryRequest message =
		WORKFLOWSERVICE__GET_WORKFLOW_EXECUTION_HISTORY_REQUEST__INIT;

	execution.workflow_id = engine_run_workflow_id(run->engine);
	execution.run_id = run->run_id;
	message.namespace_ = run->worker->namespace_;
	message.execution = &execution;
	message.next_page_token.data = run->step.page_token.ptr;
	message.next_page_token.len = run->step.page_token.len;
	request.message = &message;
	return rpc_start(run->worker->channel, &request, err) != NULL;
}

static void responded(struct rpc_call *call, struct rpc_reply *reply, void *user)
{
	struct worker_run *run = user;
	bool completed = run->step.action == ENGINE_RESPOND_COMPLETED;

	if (run->page && worker_pages_lost(run, reply)) {
		arena_finish(&reply->arena);
		worker_run_go(run);
		return;
	}
	run->page = run->page_losses = 0;
	run->page_begin = 0;
	if (completed)
		worker_report_completed(run, reply);
	else if (reply->code != TEMPORAL_OK) /* NOT_FOUND: the run has been ended meanwhile */
		worker_log(run->worker,
			reply->code == TEMPORAL_NOT_FOUND ? TEMPORAL_LOG_DEBUG : TEMPORAL_LOG_WARN,
			"answering a workflow task of run %s: %s", run->run_id,
			reply->error.message);
	const Workflowservice__RespondWorkflowTaskCompletedResponse *response =
		completed && reply->code == TEMPORAL_OK ? reply->message : NULL;

	if (response && response->workflow_task)
		run->begun_ns = rpc_now_ns();
	run->step = engine_run_responded(
		run->engine, reply->code, reply->error.message, response, &reply->arena);
	arena_finish(&reply->arena);
	worker_run_go(run);
}

/* The next page, or all of them again; or the answer has failed, as if it had been one. */
static void page_taken(struct rpc_call *call, struct rpc_reply *reply, void *user)
{
	struct worker_run *run = user;

	if (!worker_pages_taken(run, reply)) {
		responded(call, reply, user);
		return;
	}
	arena_finish(&reply->arena);
	worker_run_go(run);
}

/* The answer was larger than the namespace takes: as if the server had refused it. */
static void failed_instead(struct rpc_call *call, struct rpc_reply *reply, void *user)
{
	struct worker_run *run = user;
	struct arena none = { 0 };

	arena_finish(&reply->arena);
	run->step = engine_run_responded(
		run->engine, TEMPORAL_INVALID_ARGUMENT, "payloads are too large", NULL, &none);
	worker_run_go(run);
}

static void answered(struct worker_run *run)
{
	worker_metrics_answered(run);
	worker_count_task(
		run->worker, TEMPORAL_SLOT_WORKFLOW, run->step.action == ENGINE_RESPOND_FAILED);
}

bool worker_run_answer(struct worker_run *run, struct temporal_error *err)
{
	struct rpc_request request = { .retry = RPC_RETRY_REPORT, .done = responded, .user = run };
	Workflowservice__RespondWorkflowTaskCompletedRequest page;
	bool last = true;

	request.lazy = worker_slots_plenty(&run->worker->workflow_slots) &&
		       worker_slots_plenty(&run->worker->activity_slots);

	switch (run->step.action) {
	case ENGINE_RESPOND_COMPLETED:
		if (!run->page && !run->page_losses) {
			const char *why = worker_oversize_completion(
				&run->worker->oversize, run->step.completed);

			if (why)
				return worker_oversize_fail(run, why, failed_instead, err);
			worker_report_completing(run);
		}
		/* For each page anew: it changes with the client. */
		run->step.completed->worker_control_task_queue =
			worker_pollers_control(&run->worker->pollers);
		request.method = &rpc_workflow_respond_workflow_task_completed;
		request.message = worker_pages_next(run, &page, &last);
		if (!last)
			request.done = page_taken;
		break;
	case ENGINE_RESPOND_FAILED:
		worker_report_failing(run);
		request.method = &rpc_workflow_respond_workflow_task_failed;
		request.message = run->step.failed;
		break;
	default:
		request.method = &rpc_workflow_respond_query_task_completed;
		request.message = run->step.query;
		break;
	}
	if (!request.message)
		return false;
	if (rpc_start(run->worker->channel, &request, err)) {
		if (last)
			answered(run);
		return true;
	}
	worker_log(run->worker, TEMPORAL_LOG_ERROR, "answering a workflow task of run %s: %s",
		run->run_id, err->message);
	return false;
}
