/*
 * poller.c: keeps polls waiting at the server, and passes on what they bring.
 *
 * Invariants: a poll is made only with a slot in hand, so a task is never taken that has to wait
 * here; the slot goes over to the task, or is given back when the poll came back empty. The number
 * of polls and their split between the common and the sticky queue is worker_balance's (slots.h).
 *
 * All on the loop's thread, event driven: whatever ends calls worker_pollers_pump. Failed polls are
 * tried again within rpc (RPC_RETRY_LONG_POLL, for ever); an error that arrives here is one that
 * waiting does not heal.
 */
#include "worker/poller.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "rpc/methods.h"
#include "worker/activity.h"
#include "worker/event.h"
#include "worker/metrics.h"
#include "worker/nexus.h"
#include "worker/options.h"
#include "worker/run.h"
#include "worker/worker.h"

#define AGAIN_NS INT64_C(1000000000) /* after memory was out */

static Taskqueue__TaskQueue *task_queue(struct temporal_worker *worker, bool sticky)
{
	Taskqueue__TaskQueue *queue = arena_alloc(&worker->arena, sizeof(*queue));

	if (!queue)
		return NULL;
	*queue = (Taskqueue__TaskQueue)TASKQUEUE__TASK_QUEUE__INIT;
	queue->name = sticky ? worker->sticky_queue : worker->opts.task_queue;
	queue->kind = sticky ? ENUMS__TASK_QUEUE_KIND__TASK_QUEUE_KIND_STICKY
			     : ENUMS__TASK_QUEUE_KIND__TASK_QUEUE_KIND_NORMAL;
	if (sticky)
		queue->normal_name = worker->opts.task_queue;
	return queue;
}

static const Workflowservice__PollWorkflowTaskQueueRequest *workflow_request(
	struct temporal_worker *worker, bool sticky)
{
	Workflowservice__PollWorkflowTaskQueueRequest *request =
		arena_alloc(&worker->arena, sizeof(*request));

	if (!request)
		return NULL;
	*request = (Workflowservice__PollWorkflowTaskQueueRequest)
		WORKFLOWSERVICE__POLL_WORKFLOW_TASK_QUEUE_REQUEST__INIT;
	request->namespace_ = worker->namespace_;
	request->identity = worker->opts.identity;
	request->worker_instance_key = worker->instance_key;
	request->task_queue = task_queue(worker, sticky);
	request->deployment_options = worker->version;
	request->worker_version_capabilities = worker->build;
	return request->task_queue ? request : NULL;
}

static bool limit_queue(
	struct temporal_worker *worker, Workflowservice__PollActivityTaskQueueRequest *request)
{
	Taskqueue__TaskQueueMetadata *metadata = arena_alloc(&worker->arena, sizeof(*metadata));
	Google__DoubleValue *limit = arena_alloc(&worker->arena, sizeof(*limit));

	if (!metadata || !limit)
		return false;
	*metadata = (Taskqueue__TaskQueueMetadata)TASKQUEUE__TASK_QUEUE_METADATA__INIT;
	*limit = (Google__DoubleValue)GOOGLE__DOUBLE_VALUE__INIT;
	limit->value = worker->opts.max_task_queue_activities_per_second;
	metadata->max_tasks_per_second = limit;
	request->task_queue_metadata = metadata;
	return true;
}

static const Workflowservice__PollActivityTaskQueueRequest *activity_request(
	struct temporal_worker *worker)
{
	Workflowservice__PollActivityTaskQueueRequest *request =
		arena_alloc(&worker->arena, sizeof(*request));

	if (!request)
		return NULL;
	*request = (Workflowservice__PollActivityTaskQueueRequest)
		WORKFLOWSERVICE__POLL_ACTIVITY_TASK_QUEUE_REQUEST__INIT;
	request->namespace_ = worker->namespace_;
	request->identity = worker->opts.identity;
	request->worker_instance_key = worker->instance_key;
	request->task_queue = task_queue(worker, false);
	request->deployment_options = worker->version;
	request->worker_version_capabilities = worker->build;
	if (!request->task_queue)
		return NULL;
	if (worker->opts.max_task_queue_activities_per_second > 0 && !limit_queue(worker, request))
		return NULL;
	return request;
}

static const Workflowservice__PollNexusTaskQueueRequest *nexus_request(
	struct temporal_worker *worker)
{
	Workflowservice__PollNexusTaskQueueRequest *request =
		arena_alloc(&worker->arena, sizeof(*request));

	if (!request)
		return NULL;
	*request = (Workflowservice__PollNexusTaskQueueRequest)
		WORKFLOWSERVICE__POLL_NEXUS_TASK_QUEUE_REQUEST__INIT;
	request->namespace_ = worker->namespace_;
	request->identity = worker->opts.identity;
	request->worker_instance_key = worker->instance_key;
	request->task_queue = task_queue(worker, false);
	request->deployment_options = worker->version;
	request->worker_version_capabilities = worker->build;
	return request->task_queue ? request : NULL;
}

static bool requests_init(struct temporal_worker *worker, bool sticky)
{
	struct worker_poll_request *requests = worker->pollers.requests;

	requests[WORKER_POLL_WORKFLOWS].method = &rpc_workflow_poll_workflow_task_queue;
	requests[WORKER_POLL_WORKFLOWS].message = workflow_request(worker, false);
	requests[WORKER_POLL_STICKY].method = &rpc_workflow_poll_workflow_task_queue;
	requests[WORKER_POLL_STICKY].message = workflow_request(worker, sticky);
	requests[WORKER_POLL_ACTIVITIES].method = &rpc_workflow_poll_activity_task_queue;
	requests[WORKER_POLL_ACTIVITIES].message = activity_request(worker);
	requests[WORKER_POLL_NEXUS].method = &rpc_workflow_poll_nexus_task_queue;
	requests[WORKER_POLL_NEXUS].message = nexus_request(worker);
	for (int i = 0; i < WORKER_POLL_KINDS; i++) {
		if (!requests[i].message || rpc_encode(&worker->arena, requests[i].message,
						    &requests[i].encoded, NULL) != TEMPORAL_OK)
			return false;
	}
	return true;
}

/* Sets what is wanted to what the scalers want. */
static void follow_scalers(struct temporal_worker *worker)
{
	struct worker_pollers *pollers = &worker->pollers;

	pollers->balance.wanted[WORKER_QUEUE_NORMAL] =
		pollers->scalers[WORKER_POLL_WORKFLOWS].target;
	pollers->balance.wanted[WORKER_QUEUE_STICKY] = pollers->scalers[WORKER_POLL_STICKY].target;
	pollers->activities_wanted = pollers->scalers[WORKER_POLL_ACTIVITIES].target;
	pollers->nexus_wanted = pollers->scalers[WORKER_POLL_NEXUS].target;
}

/* The polls of a kind, if it is polled at all. Returns how many there may ever be. */
static unsigned scale(struct temporal_worker *worker, enum worker_poll_kind kind,
	const struct temporal_autoscaling *opts, unsigned pollers)
{
	struct worker_scaler *scaler = &worker->pollers.scalers[kind];

	if (pollers == 0)
		return 0;
	worker_scaler_init_fixed(scaler, pollers);
	if (!opts)
		return pollers;
	if (opts != &worker_autoscaling_enrolled) /* those are told later, if at all */
		worker_scaler_init_auto(scaler, opts, rpc_now_ns());
	return (unsigned)opts->max_pollers;
}

static unsigned scale_all(struct temporal_worker *worker)
{
	const struct temporal_worker_opts *opts = &worker->opts;
	const unsigned *workflows = worker->pollers.balance.wanted;
	unsigned activities = opts->activities[0] && !opts->no_remote_activities
				      ? (unsigned)opts->activity_task_pollers
				      : 0;

	return scale(worker, WORKER_POLL_WORKFLOWS, opts->workflow_task_autoscaling,
		       workflows[WORKER_QUEUE_NORMAL]) +
	       scale(worker, WORKER_POLL_STICKY, opts->workflow_task_autoscaling,
		       workflows[WORKER_QUEUE_STICKY]) +
	       scale(worker, WORKER_POLL_ACTIVITIES, opts->activity_task_autoscaling, activities) +
	       scale(worker, WORKER_POLL_NEXUS, opts->nexus_task_autoscaling,
		       opts->nexus_services[0] ? (unsigned)opts->nexus_task_pollers : 0);
}

enum temporal_code worker_pollers_init(struct temporal_worker *worker, struct temporal_error *err)
{
	struct worker_pollers *pollers = &worker->pollers;
	const struct temporal_worker_opts *opts = &worker->opts;
	bool sticky = worker->sticky_queue != NULL;

	if (opts->workflows[0])
		worker_balance_init(&pollers->balance, (unsigned)opts->workflow_task_pollers,
			opts->nonsticky_to_sticky_poll_ratio, sticky);
	worker_rate_init(&pollers->rate, opts->max_activities_per_second);
	pollers->n_polls = scale_all(worker);
	follow_scalers(worker);
	pollers->polls = mem_zalloc(pollers->n_polls * sizeof(pollers->polls[0]));
	if (!pollers->polls || !requests_init(worker, sticky))
		return error_no_memory(err, "worker: its polls");
	for (size_t i = 0; i < pollers->n_polls; i++) {
		pollers->polls[i] =
			(struct worker_poll){ .worker = worker, .next = pollers->unused };
		pollers->unused = &pollers->polls[i];
	}
	return TEMPORAL_OK;
}

/* ---- what they tell of the queue for commands ---- */

static void control_unref(struct worker_poll_control *control)
{
	if (!control || --control->refs > 0)
		return;
	arena_finish(&control->arena);
	mem_free(control);
}

/* NULL: no memory, polls go on as they were. */
static struct worker_poll_control *control_new(const char *queue)
{
	struct worker_poll_control *control = mem_zalloc(sizeof(*control));

	if (!control)
		return NULL;
	arena_init(&control->arena, 1024, ARENA_NO_BUDGET);
	control->refs = 1;
	control->queue = arena_strdup(&control->arena, queue);
	if (control->queue)
		return control;
	control_unref(control);
	return NULL;
}

static void write_control(struct worker_pollers *pollers, const char *queue)
{
	static const enum worker_poll_kind workflows[] = { WORKER_POLL_WORKFLOWS,
		WORKER_POLL_STICKY };

	for (size_t i = 0; i < 2; i++)
		((Workflowservice__PollWorkflowTaskQueueRequest *)(uintptr_t)pollers
				->requests[workflows[i]]
				.message)
			->worker_control_task_queue = queue;
	((Workflowservice__PollActivityTaskQueueRequest *)(uintptr_t)pollers
			->requests[WORKER_POLL_ACTIVITIES]
			.message)
		->worker_control_task_queue = queue;
}

void worker_pollers_name_control(struct temporal_worker *worker, const char *queue)
{
	static const char none[] = "";
	struct worker_pollers *pollers = &worker->pollers;
	struct worker_poll_control *control = queue ? control_new(queue) : NULL;

	if (queue && !control)
		return;
	write_control(pollers, control ? control->queue : none);
	for (int i = 0; control && i < WORKER_POLL_KINDS; i++) {
		/* Without memory the poll says nothing of the queue. */
		if (rpc_encode(&control->arena, pollers->requests[i].message, &control->encoded[i],
			    NULL) != TEMPORAL_OK)
			control->encoded[i] = pollers->requests[i].encoded;
	}
	control_unref(pollers->control);
	pollers->control = control;
}

void worker_pollers_finish(struct worker_pollers *pollers)
{
	control_unref(pollers->control);
	mem_free(pollers->polls);
	*pollers = (struct worker_pollers){ 0 };
}

/* ---- one poll ---- */

static struct worker_slots *slots_of(struct worker_poll *poll)
{
	if (poll->kind == WORKER_POLL_NEXUS)
		return &poll->worker->nexus_slots;
	return poll->kind == WORKER_POLL_ACTIVITIES ? &poll->worker->activity_slots
						    : &poll->worker->workflow_slots;
}

static unsigned *active_of(struct worker_poll *poll)
{
	struct worker_pollers *pollers = &poll->worker->pollers;

	switch (poll->kind) {
	case WORKER_POLL_WORKFLOWS:
		return &pollers->balance.active[WORKER_QUEUE_NORMAL];
	case WORKER_POLL_STICKY:
		return &pollers->balance.active[WORKER_QUEUE_STICKY];
	case WORKER_POLL_NEXUS:
		return &pollers->nexus;
	case WORKER_POLL_ACTIVITIES:
		break;
	}
	return &pollers->activities;
}

/* The poll has ended, without a task: what it held is free again. */
static void give_back(struct worker_poll *poll)
{
	worker_slots_return_unused(slots_of(poll), &poll->slot);
	if (poll->kind == WORKER_POLL_ACTIVITIES)
		worker_rate_return(&poll->worker->pollers.rate);
}

/* It does not count any more. */
static void uncount(struct worker_poll *poll)
{
	poll->worker->pollers.active--;
	(*active_of(poll))--;
}

/* It may be made again, and no one holds on to its slot. */
static void reuse(struct worker_poll *poll)
{
	poll->next = poll->worker->pollers.unused;
	poll->worker->pollers.unused = poll;
}

static void back_off_over(struct rpc_timer *timer)
{
	struct worker_poll *poll =
		(struct worker_poll *)((char *)timer - offsetof(struct worker_poll, back_off));

	uncount(poll);
	give_back(poll);
	reuse(poll);
	worker_pollers_pump(poll->worker);
	worker_advance(poll->worker);
}

/* A failure that the number of polls depends on: the poll waits here, with its slot, so that no
 * other one takes its place. */
static bool backs_off(struct worker_poll *poll, enum temporal_code code)
{
	struct temporal_worker *worker = poll->worker;
	struct worker_scaler *scaler = &worker->pollers.scalers[poll->kind];

	if (worker->phase != WORKER_RUNNING || poll->given_up || !scaler->is_auto ||
		(code != TEMPORAL_RESOURCE_EXHAUSTED && code != TEMPORAL_CANCELLED &&
			code != TEMPORAL_DEADLINE_EXCEEDED))
		return false;
	int64_t now_ns = rpc_now_ns();
	int64_t wait_ms =
		worker_scaler_failed(scaler, code, worker->pollers.server_scales, (uint32_t)now_ns);

	rpc_timer_set(worker->loop, &poll->back_off, now_ns + wait_ms * NS_PER_MS, back_off_over);
	follow_scalers(worker);
	return true;
}

static void failed(struct worker_poll *poll, const struct temporal_error *error)
{
	struct temporal_worker *worker = poll->worker;

	give_back(poll);
	if (worker->phase != WORKER_RUNNING || poll->given_up)
		return;
	struct temporal_error refused = *error;

	error_prefix(&refused, "polling task queue \"%s\" of namespace \"%s\"",
		worker->opts.task_queue, worker->namespace_);
	worker_refused(worker, &refused);
}

/* The poll came back; what it says of the number of polls. */
static void scaled(
	struct worker_poll *poll, bool is_empty, const Taskqueue__PollerScalingDecision *hint)
{
	struct worker_pollers *pollers = &poll->worker->pollers;
	struct worker_scaler *scaler = &pollers->scalers[poll->kind];
	const struct worker_scaler_news news = { .is_empty = is_empty,
		.has_hint = hint,
		.hint = hint ? hint->poll_request_delta_suggestion : 0 };

	int64_t now_ns = rpc_now_ns();

	pollers->polled_ns[poll->kind] = now_ns;
	if (!scaler->is_auto)
		return;
	worker_scaler_polled(scaler, &news, pollers->server_scales, now_ns);
	follow_scalers(poll->worker);
}

static void workflow_task(struct worker_poll *poll, struct rpc_reply *reply)
{
	const Workflowservice__PollWorkflowTaskQueueResponse *response = reply->message;

	worker_metrics_polled(poll->worker, false, response->task_token.len > 0);
	scaled(poll, response->task_token.len == 0, response->poller_scaling_decision);
	if (poll->kind == WORKER_POLL_STICKY)
		poll->worker->pollers.balance.sticky_backlog = response->backlog_count_hint;
	if (response->task_token.len == 0) {
		give_back(poll);
		return;
	}
	worker_run_task(poll->worker, response, &reply->arena, &poll->slot);
}

static void activity_task(struct worker_poll *poll, struct rpc_reply *reply)
{
	const Workflowservice__PollActivityTaskQueueResponse *response = reply->message;

	worker_metrics_polled(poll->worker, true, response->task_token.len > 0);
	scaled(poll, response->task_token.len == 0, response->poller_scaling_decision);
	if (response->task_token.len == 0) {
		give_back(poll);
		return;
	}
	worker_activity_task(poll->worker, response, &reply->arena, &poll->slot, false);
}

static void nexus_task(struct worker_poll *poll, struct rpc_reply *reply)
{
	const Workflowservice__PollNexusTaskQueueResponse *response = reply->message;

	scaled(poll, response->task_token.len == 0, response->poller_scaling_decision);
	if (response->task_token.len == 0) {
		worker_metrics_nexus_poll_empty(poll->worker);
		give_back(poll);
		return;
	}
	worker_nexus_task(poll->worker, response, &reply->arena, &poll->slot);
}

static void poll_done(struct rpc_call *call, struct rpc_reply *reply, void *user)
{
	struct worker_poll *poll = user;
	struct temporal_worker *worker = poll->worker;

	poll->call = NULL;
	control_unref(poll->control);
	poll->control = NULL;
	if (backs_off(poll, reply->code)) {
		arena_finish(&reply->arena);
		return;
	}
	uncount(poll);
	if (reply->code != TEMPORAL_OK)
		failed(poll, &reply->error);
	else if (poll->kind == WORKER_POLL_ACTIVITIES)
		activity_task(poll, reply);
	else if (poll->kind == WORKER_POLL_NEXUS)
		nexus_task(poll, reply);
	else
		workflow_task(poll, reply);
	arena_finish(&reply->arena); /* whoever wanted it has moved it out */
	reuse(poll);
	worker_pollers_pump(worker);
	worker_advance(worker);
}

static void again(struct rpc_timer *timer)
{
	struct worker_pollers *pollers =
		(struct worker_pollers *)((char *)timer - offsetof(struct worker_pollers, again));

	worker_pollers_pump((struct temporal_worker *)((char *)pollers -
						       offsetof(struct temporal_worker, pollers)));
}

/* The caller has seen that there may be a slot, and an unused poll. */
static bool start(struct temporal_worker *worker, enum worker_poll_kind kind)
{
	struct worker_pollers *pollers = &worker->pollers;
	struct worker_poll *poll = pollers->unused;
	const struct rpc_request request = {
		.method = pollers->requests[kind].method,
		.message = pollers->requests[kind].message,
		.encoded = pollers->control ? pollers->control->encoded[kind]
					    : pollers->requests[kind].encoded,
		.retry = pollers->scalers[kind].is_auto ? RPC_RETRY_SCALED_POLL
							: RPC_RETRY_LONG_POLL,
		.timeout_ms = worker_scaler_timeout_ms(&pollers->scalers[kind]),
		.done = poll_done,
		.user = poll,
	};

	poll->kind = kind;
	poll->given_up = false;
	poll->slot.is_sticky = kind == WORKER_POLL_STICKY;
	if (!worker_slots_reserve(slots_of(poll), &poll->slot)) {
		if (kind == WORKER_POLL_ACTIVITIES)
			worker_rate_return(&pollers->rate);
		return false;
	}
	poll->call = rpc_start(worker->channel, &request, NULL);
	if (!poll->call) {
		give_back(poll);
		rpc_timer_set(worker->loop, &pollers->again, rpc_now_ns() + AGAIN_NS, again);
		return false;
	}
	poll->control = pollers->control;
	if (poll->control)
		poll->control->refs++;
	pollers->unused = poll->next;
	pollers->active++;
	(*active_of(poll))++;
	return true;
}

static bool activity_may_start(struct temporal_worker *worker)
{
	struct worker_pollers *pollers = &worker->pollers;

	if (pollers->activities >= pollers->activities_wanted ||
		worker_slots_free(&worker->activity_slots) == 0)
		return false;
	int64_t now_ns = rpc_now_ns(), early_ns = worker_rate_take(&pollers->rate, now_ns);

	if (early_ns == 0)
		return true;
	rpc_timer_set(worker->loop, &pollers->again, now_ns + early_ns, again);
	return false;
}

static void poll_more(struct temporal_worker *worker)
{
	struct worker_balance *balance = &worker->pollers.balance;
	enum worker_queue queue;

	balance->refused[0] = balance->refused[1] = false;
	while (worker_balance_next(balance, &worker->workflow_slots, &queue))
		balance->refused[queue] = !start(worker,
			queue == WORKER_QUEUE_STICKY ? WORKER_POLL_STICKY : WORKER_POLL_WORKFLOWS);
	while (activity_may_start(worker)) {
		if (!start(worker, WORKER_POLL_ACTIVITIES))
			break;
	}
	while (worker->pollers.nexus < worker->pollers.nexus_wanted &&
		worker_slots_free(&worker->nexus_slots) > 0) {
		if (!start(worker, WORKER_POLL_NEXUS))
			break;
	}
}

void worker_pollers_pump(struct temporal_worker *worker)
{
	if (worker->phase == WORKER_RUNNING)
		poll_more(worker);
	worker_metrics_levels(worker);
}

void worker_pollers_move(struct temporal_worker *worker)
{
	for (size_t i = 0; i < worker->pollers.n_polls; i++) {
		struct worker_poll *poll = &worker->pollers.polls[i];

		if (!poll->call || poll->given_up)
			continue;
		poll->given_up = true;
		rpc_give_up(poll->call);
	}
}

void worker_pollers_described(struct temporal_worker *worker, bool server_scales, bool auto_enroll)
{
	const struct temporal_worker_opts *opts = &worker->opts;
	const struct temporal_autoscaling *const given[] = {
		[WORKER_POLL_WORKFLOWS] = opts->workflow_task_autoscaling,
		[WORKER_POLL_STICKY] = opts->workflow_task_autoscaling,
		[WORKER_POLL_ACTIVITIES] = opts->activity_task_autoscaling,
		[WORKER_POLL_NEXUS] = opts->nexus_task_autoscaling,
	};
	struct worker_pollers *pollers = &worker->pollers;

	pollers->server_scales = server_scales;
	for (int i = 0; auto_enroll && i < WORKER_POLL_KINDS; i++) {
		if (pollers->scalers[i].target > 0 && !pollers->scalers[i].is_auto &&
			given[i] == &worker_autoscaling_enrolled)
			worker_scaler_init_auto(&pollers->scalers[i], given[i], rpc_now_ns());
	}
	follow_scalers(worker);
	worker_pollers_pump(worker);
}

void worker_pollers_stop(struct temporal_worker *worker)
{
	rpc_timer_stop(&worker->pollers.again);
	for (size_t i = 0; i < worker->pollers.n_polls; i++) {
		struct worker_poll *poll = &worker->pollers.polls[i];

		if (!poll->back_off.armed)
			continue;
		rpc_timer_stop(&poll->back_off);
		uncount(poll);
		give_back(poll);
		reuse(poll);
	}
}

void worker_pollers_cancel(struct temporal_worker *worker)
{
	for (size_t i = 0; i < worker->pollers.n_polls; i++) {
		if (worker->pollers.polls[i].call)
			rpc_cancel(worker->pollers.polls[i].call);
	}
}
