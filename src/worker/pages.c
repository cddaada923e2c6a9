/*
 * pages.c: cuts the answer to a workflow task into pages, where the namespace can take them:
 * servers take no request above 4 MiB.
 *
 *	page 0: commands     page 1: commands     ...     the last: the rest, with all else
 *
 * The commands alone are cut, between two of them, in their order; everything else of the answer
 * goes with the last page, for which the server keeps the others. It keeps them in memory only: if
 * it has lost them it says so, and the task is still valid, so all pages are sent again.
 *
 * Nearly all answers are small, and to measure one costs as much as to encode it. So the size of
 * the task's memory is looked at first, in which the answer lies.
 */
#include "worker/pages.h"

#include <string.h>

#include <temporal/api/common/v1/grpc_status.pb-c.h>

#include "engine/engine.h"
#include "proto/codec.h"
#include "worker/limits.h"
#include "worker/run.h"
#include "worker/worker.h"

#define LOST "WorkflowTaskCompletionBufferLostFailure"

/* One command at least, and as many more as there is room for; the index behind them. */
static size_t page_end(
	const Workflowservice__RespondWorkflowTaskCompletedRequest *whole, size_t begin)
{
	size_t bytes = proto_size(whole->commands[begin]), end = begin + 1;

	for (; end < whole->n_commands; end++) {
		bytes += proto_size(whole->commands[end]);
		if (bytes > WORKER_PAGE_BYTES)
			break;
	}
	return end;
}

const Workflowservice__RespondWorkflowTaskCompletedRequest *worker_pages_next(
	struct worker_run *run, Workflowservice__RespondWorkflowTaskCompletedRequest *room,
	bool *last)
{
	Workflowservice__RespondWorkflowTaskCompletedRequest *whole = run->step.completed;

	*last = true;
	if (!run->worker->takes_pages || !whole ||
		engine_run_answer_bytes(run->engine) <= WORKER_PAGE_BYTES)
		return whole;
	*room = *whole;
	room->page_number = (int32_t)run->page;
	room->commands = whole->commands + run->page_begin;
	room->n_commands = whole->n_commands - run->page_begin;
	if (!room->n_commands || proto_size(room) <= WORKER_PAGE_BYTES)
		return room;
	run->page_end = page_end(whole, run->page_begin);
	if (run->page_end == whole->n_commands)
		return room;
	*last = false;
	*room = (Workflowservice__RespondWorkflowTaskCompletedRequest)
		WORKFLOWSERVICE__RESPOND_WORKFLOW_TASK_COMPLETED_REQUEST__INIT;
	room->task_token = whole->task_token;
	room->identity = whole->identity;
	room->namespace_ = whole->namespace_;
	room->page_number = (int32_t)run->page;
	room->intermediate_page = true;
	room->commands = whole->commands + run->page_begin;
	room->n_commands = run->page_end - run->page_begin;
	return room;
}

static bool says_lost(const struct rpc_reply *reply)
{
	const Common__GrpcStatus *status = reply->status;

	return status && status->n_details && status->details[0]->type_url &&
	       strstr(status->details[0]->type_url, LOST);
}

bool worker_pages_lost(struct worker_run *run, const struct rpc_reply *reply)
{
	if (!run->page || !says_lost(reply) || ++run->page_losses > WORKER_PAGE_LOSSES_MAX)
		return false;
	run->page = 0;
	run->page_begin = 0;
	return true;
}

bool worker_pages_taken(struct worker_run *run, const struct rpc_reply *reply)
{
	if (reply->code != TEMPORAL_OK)
		return worker_pages_lost(run, reply);
	run->page++;
	run->page_begin = run->page_end;
	return true;
}
