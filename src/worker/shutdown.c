/*
 * shutdown.c: the calls that a worker makes about itself, and the beginning of its end. The loop's
 * thread.
 *
 * Order: ShutdownWorker tells the server to forget the sticky queue; polls are ended; tasks that
 * are already here are finished (worker_advance waits for them); activities get their grace and are
 * then cancelled. A poll that is cancelled may lose a task that the server has just matched with it
 * (it comes again after its timeout), so where the server ends the polls of a worker that shuts
 * down by itself, they are waited for.
 */
#include "base/clock.h"
#include "rpc/methods.h"
#include "worker/activity.h"
#include "worker/event.h"
#include "worker/group.h"
#include "worker/limits.h"
#include "worker/nexus.h"
#include "worker/worker.h"

#include <temporal/api/namespace/v1/message.pb-c.h>

#define SHUTDOWN_CALL_MS 5000

static void told(struct rpc_call *call, struct rpc_reply *reply, void *user)
{
	struct temporal_worker *worker = user;

	/* Older servers do not know the call. */
	if (reply->code != TEMPORAL_OK && reply->code != TEMPORAL_UNIMPLEMENTED)
		worker_log(worker, TEMPORAL_LOG_DEBUG, "telling the server of the shutdown: %s",
			reply->error.message);
	arena_finish(&reply->arena);
	worker->open_calls--;
	worker_advance(worker);
}

static void tell_server(struct temporal_worker *worker)
{
	Enums__TaskQueueType types[3];
	Workflowservice__ShutdownWorkerRequest message =
		WORKFLOWSERVICE__SHUTDOWN_WORKER_REQUEST__INIT;
	struct rpc_request request = {
		.method = &rpc_workflow_shutdown_worker,
		.message = &message,
		.timeout_ms = SHUTDOWN_CALL_MS,
		.done = told,
		.user = worker,
	};

	message.namespace_ = worker->namespace_;
	message.identity = worker->opts.identity;
	message.sticky_task_queue = worker->sticky_queue ? worker->sticky_queue : "";
	message.task_queue = worker->opts.task_queue;
	message.worker_instance_key = worker->instance_key;
	message.reason = "graceful shutdown";
	message.task_queue_types = types;
	if (worker->opts.workflows[0])
		types[message.n_task_queue_types++] =
			ENUMS__TASK_QUEUE_TYPE__TASK_QUEUE_TYPE_WORKFLOW;
	if (worker->pollers.activities_wanted > 0)
		types[message.n_task_queue_types++] =
			ENUMS__TASK_QUEUE_TYPE__TASK_QUEUE_TYPE_ACTIVITY;
	if (worker->pollers.nexus_wanted > 0)
		types[message.n_task_queue_types++] = ENUMS__TASK_QUEUE_TYPE__TASK_QUEUE_TYPE_NEXUS;
	struct arena arena;

	arena_init(&arena, 1024, ARENA_NO_BUDGET);
	if (worker->tells_presence)
		message.worker_heartbeat = worker_presence(worker, &arena);
	if (rpc_start(worker->channel, &request, NULL))
		worker->open_calls++;
	arena_finish(&arena);
}

static void grace_over(struct rpc_timer *timer)
{
	struct temporal_worker *worker =
		(struct temporal_worker *)((char *)timer - offsetof(struct temporal_worker, grace));

	worker->cancels_activities = true;
	worker_activities_cancel(worker);
	worker_nexus_cancel_all(worker);
}

static void polls_overdue(struct rpc_timer *timer)
{
	worker_pollers_cancel(
		(struct temporal_worker *)((char *)timer -
					   offsetof(struct temporal_worker, polls_end)));
}

void worker_shutdown_begin(struct temporal_worker *worker)
{
	int64_t grace_ms = worker->opts.graceful_shutdown_timeout_ms;

	if (worker->describing) /* a server that does not answer must not hold us up */
		rpc_cancel(worker->describing);
	tell_server(worker);
	worker_suppliers_stop(worker);
	worker_pollers_stop(worker);
	if (worker->polls_end_alone)
		rpc_timer_set(worker->loop, &worker->polls_end,
			rpc_now_ns() + WORKER_POLL_END_MS * NS_PER_MS, polls_overdue);
	else
		worker_pollers_cancel(worker);
	if (grace_ms == 0)
		grace_over(&worker->grace);
	else if (grace_ms > 0)
		rpc_timer_set(worker->loop, &worker->grace, rpc_now_ns() + grace_ms * NS_PER_MS,
			grace_over);
}

static void described(struct rpc_call *call, struct rpc_reply *reply, void *user)
{
	struct temporal_worker *worker = user;
	const Workflowservice__DescribeNamespaceResponse *response = reply->message;

	worker->open_calls--;
	if (worker->describing != call) { /* the client was replaced meanwhile */
		arena_finish(&reply->arena);
		worker_advance(worker);
		return;
	}
	worker->describing = NULL;
	if (reply->code != TEMPORAL_OK && worker->phase == WORKER_RUNNING)
		worker_log(worker, TEMPORAL_LOG_WARN,
			"asking the server about namespace \"%s\": %s (polls are tried again)",
			worker->namespace_, reply->error.message);
	if (reply->code == TEMPORAL_OK && response->namespace_info &&
		response->namespace_info->capabilities) {
		worker_pollers_described(worker,
			response->namespace_info->capabilities->poller_autoscaling,
			response->namespace_info->capabilities->poller_autoscaling_auto_enroll);
		worker_group_described(worker,
			response->namespace_info->capabilities->worker_heartbeats,
			response->namespace_info->capabilities->worker_commands);
		worker->polls_end_alone =
			response->namespace_info->capabilities->worker_poll_complete_on_shutdown;
		worker->takes_pages =
			response->namespace_info->capabilities->workflow_task_completion_pagination;
	}
	if (reply->code == TEMPORAL_OK && response->namespace_info &&
		response->namespace_info->limits && !worker->opts.no_payload_limit)
		worker->oversize = (struct worker_oversize){
			.blob_max = response->namespace_info->limits->blob_size_limit_error,
			.memo_max = response->namespace_info->limits->memo_size_limit_error,
		};
	if (reply->code == TEMPORAL_NOT_FOUND)
		worker_refused(worker, &reply->error);
	arena_finish(&reply->arena);
	worker_advance(worker);
}

void worker_describe_namespace(struct temporal_worker *worker)
{
	Workflowservice__DescribeNamespaceRequest message =
		WORKFLOWSERVICE__DESCRIBE_NAMESPACE_REQUEST__INIT;
	struct rpc_request request = {
		.method = &rpc_workflow_describe_namespace,
		.message = &message,
		.retry = RPC_RETRY_CALL,
		.done = described,
		.user = worker,
	};

	message.namespace_ = worker->namespace_;
	if (worker->describing)
		rpc_cancel(worker->describing);
	worker->describing = rpc_start(worker->channel, &request, NULL);
	if (worker->describing)
		worker->open_calls++;
}
