/*
 * task_queue.c: DescribeTaskQueue: who polls a queue now, and how many tasks wait in it. Loop's
 * thread.
 */
#include "proto/time.h"
#include "server/frontend/frontend.h"

static void add_pollers(struct request *request, const struct task_queue *queue,
	Workflowservice__DescribeTaskQueueResponse *response)
{
	size_t n = 0;

	for (const struct matching_poller *at = queue->pollers; at; at = at->next)
		n++;
	response->pollers = arena_array(request->arena, n, sizeof(*response->pollers));
	for (const struct matching_poller *at = queue->pollers; at && response->pollers;
		at = at->next) {
		Taskqueue__PollerInfo *info =
			REQUEST_NEW(request, Taskqueue__PollerInfo, taskqueue__poller_info);

		info->identity = request_text(request, at->identity);
		info->last_access_time = proto_timestamp_new(request->arena, queue->polled_ns);
		info->rate_per_second = 100000;
		response->pollers[response->n_pollers++] = info;
	}
}

void frontend_describe_task_queue(struct request *request)
{
	const Workflowservice__DescribeTaskQueueRequest *in = request->message;
	Workflowservice__DescribeTaskQueueResponse *response;
	struct server_namespace *space = frontend_namespace(request, in->namespace_);
	struct task_queue *queue;

	if (!space || !frontend_text(request, in->task_queue ? in->task_queue->name : NULL,
			      "TaskQueue is not set on request."))
		return;
	enum matching_queue_kind kind = MATCHING_QUEUE_WORKFLOW;
	if (in->task_queue_type == ENUMS__TASK_QUEUE_TYPE__TASK_QUEUE_TYPE_ACTIVITY)
		kind = MATCHING_QUEUE_ACTIVITY;
	else if (in->task_queue_type == ENUMS__TASK_QUEUE_TYPE__TASK_QUEUE_TYPE_NEXUS)
		kind = MATCHING_QUEUE_NEXUS;
	queue = matching_queue(request->server, space, in->task_queue->name, kind);
	response = REQUEST_NEW(request, Workflowservice__DescribeTaskQueueResponse,
		workflowservice__describe_task_queue_response);
	if (queue)
		add_pollers(request, queue, response);
	if (queue && in->report_stats) {
		response->stats = REQUEST_NEW(
			request, Taskqueue__TaskQueueStats, taskqueue__task_queue_stats);
		response->stats->approximate_backlog_count = queue->n_tasks;
	}
	request_reply(request, response);
}
