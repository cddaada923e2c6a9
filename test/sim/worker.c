/*
 * worker.c: workflow workers: the real engine and the real workflow language, with the simulation's
 * calls in place of the library's loop and threads. What a worker process is, is a life: it ends
 * suddenly, or in good order, and the next one has another sticky queue and an empty cache.
 *
 *     poll --task--> engine --activation--> workflow --> engine --answer--> think --> call
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/methods.h"
#include "worker.h"
#include "workflows.h"

#define POLL_NS    (70 * SIM_SECOND)
#define CACHED_MAX 4

struct poll {
	struct life *life;
	bool sticky;
};

static struct life *lives;
static int64_t next_number;

static void take_task(struct life *life, struct task task);
static void perhaps_depart(struct life *life);

static struct arena take(struct arena *arena)
{
	struct arena taken = *arena;

	*arena = (struct arena){ 0 };
	return taken;
}

/* ---- the cache ---- */

static struct cached *find(const struct life *life, const char *run_id)
{
	struct cached *run = life->runs;

	while (run && strcmp(run->run_id, run_id) != 0)
		run = run->next;
	return run;
}

static void forget(struct cached *run)
{
	struct cached **at = &run->life->runs;
	struct task kept = run->kept;
	struct life *life = run->life;

	while (*at != run)
		at = &(*at)->next;
	*at = run->next;
	life->n_runs--;
	run->gone = true;
	wf_instance_free(run->instance);
	engine_run_free(run->engine);
	if (kept.message && !life->dead)
		take_task(life, kept);
	else
		arena_finish(&kept.arena);
	perhaps_depart(life);
}

static void trim(struct life *life)
{
	struct cached *idle = NULL;

	if (life->n_runs <= CACHED_MAX)
		return;
	for (struct cached *run = life->runs; run; run = run->next)
		idle = run->busy ? idle : run;
	if (!idle)
		return;
	idle->busy = true;
	idle->step = engine_run_evict(idle->engine, EVICTION_CACHE_FULL, "full");
	worker_go(idle);
}

/* ---- answers ---- */

static void responded(void *user, enum temporal_code code, const void *message, struct arena *arena)
{
	struct cached *run = user;
	bool completed = run->step.action == ENGINE_RESPOND_COMPLETED;

	sim_trace(run->run_id, &run->number, sizeof(run->number));
	/* A task that was handed out and lost by a crash may not fit what came instead; its answer
	 * is refused. */
	if (run->unplayable && code == TEMPORAL_OK) {
		sim_violation("run %s cannot be replayed", run->run_id);
		node_print(run->run_id);
	}
	run->unplayable = false;
	if (completed && code == TEMPORAL_OK) {
		sim_figures.tasks++;
		if (run->leaves_events)
			sim_completed(run->run_id, 0, run->number);
	}
	if (run->life->dead)
		return;
	run->step = engine_run_responded(run->engine, code, "refused",
		completed && code == TEMPORAL_OK ? message : NULL, arena);
	worker_go(run);
}

static void think_over(void *arg)
{
	struct cached *run = arg;

	if (run->life->dead)
		return;
	switch (run->step.action) {
	case ENGINE_RESPOND_COMPLETED:
		net_insist(&rpc_workflow_respond_workflow_task_completed, run->step.completed,
			responded, run);
		break;
	case ENGINE_RESPOND_FAILED:
		net_insist(&rpc_workflow_respond_workflow_task_failed, run->step.failed, responded,
			run);
		break;
	default:
		net_insist(&rpc_workflow_respond_query_task_completed, run->step.query, responded,
			run);
		break;
	}
}

static void go_on(void *arg)
{
	struct cached *run = arg;

	if (!run->life->dead)
		worker_go(run);
}

/* Of a task that was there for updates alone, which were all refused, the history says nothing. */
static bool leaves_events(const Workflowservice__RespondWorkflowTaskCompletedRequest *answer)
{
	size_t refused = 0;

	for (size_t i = 0; i < answer->n_messages; i++)
		refused += strstr(answer->messages[i]->body->type_url, ".Rejection") != NULL;
	return answer->n_commands || !refused || refused < answer->n_messages;
}

static void respond(struct cached *run)
{
	if (run->step.action == ENGINE_RESPOND_COMPLETED) {
		char *identity = sim_alloc(32);

		/* By it the event of this very answer is known again. */
		run->number = ++next_number;
		snprintf(identity, 32, "answer-%lld", (long long)run->number);
		run->step.completed->identity = identity;
		run->leaves_events = leaves_events(run->step.completed);
	}
	if (run->step.action == ENGINE_RESPOND_FAILED) {
		run->unplayable =
			strstr(run->step.failure_text ? run->step.failure_text : "", "TMPRL1100");
		if (!run->step.failed) {
			struct arena none = { 0 };

			run->step = engine_run_responded(run->engine, TEMPORAL_OK, "", NULL, &none);
			sim_after(0, go_on, run);
			return;
		}
	}
	sim_after(sim_chance(10) ? 12 * SIM_SECOND : sim_between(0, 2 * SIM_MS), think_over, run);
}

static void fetched(void *user, enum temporal_code code, const void *message, struct arena *arena)
{
	struct cached *run = user;

	if (run->life->dead)
		return;
	run->step =
		engine_run_history(run->engine, code == TEMPORAL_OK ? message : NULL, arena, code);
	worker_go(run);
}

static void fetch(struct cached *run)
{
	Common__WorkflowExecution execution = COMMON__WORKFLOW_EXECUTION__INIT;
	Workflowservice__GetWorkflowExecutionHistoryRequest message =
		WORKFLOWSERVICE__GET_WORKFLOW_EXECUTION_HISTORY_REQUEST__INIT;

	execution.workflow_id = engine_run_workflow_id(run->engine);
	execution.run_id = run->run_id;
	message.namespace_ = SIM_NAMESPACE;
	message.execution = &execution;
	message.next_page_token.data = run->step.page_token.ptr;
	message.next_page_token.len = run->step.page_token.len;
	net_insist(&rpc_workflow_get_workflow_execution_history, &message, fetched, run);
}

/* ---- steps ---- */

static void activate(struct cached *run)
{
	static const struct completion nothing;
	const struct completion *completion = &nothing;

	if (!run->instance && run->step.activation->jobs[0].kind != JOB_REMOVE_FROM_CACHE)
		run->instance = wf_instance_new(run->life->thread, run->run_id);
	if (run->instance)
		completion = wf_instance_activate(run->instance, run->step.activation);
	run->step = engine_run_complete(run->engine, completion);
	if (run->instance)
		wf_instance_done(run->instance);
}

static void begin(struct cached *run, struct task task)
{
	run->busy = true;
	run->step = engine_run_task(run->engine, task.message, &task.arena);
	arena_finish(&task.arena);
	worker_go(run);
}

static void rest(struct cached *run)
{
	struct task kept = run->kept;

	run->busy = false;
	run->kept = (struct task){ 0 };
	if (kept.message)
		begin(run, kept);
	else
		trim(run->life);
	perhaps_depart(run->life);
}

void worker_go(struct cached *run)
{
	while (run->step.action == ENGINE_ACTIVATE)
		activate(run);
	switch (run->step.action) {
	case ENGINE_FETCH_HISTORY:
		fetch(run);
		break;
	case ENGINE_IDLE:
		rest(run);
		break;
	case ENGINE_EVICT:
		forget(run);
		break;
	case ENGINE_WAIT_LOCALS:
		locals_wait(run);
		break;
	default:
		respond(run);
		break;
	}
}

/* For who reads the trace: which task, and what events it brings. */
static void trace_task(const struct life *life, const struct task *task)
{
	const Workflowservice__PollWorkflowTaskQueueResponse *message = task->message;
	const History__History *history = message->history;
	char text[160];
	int at = snprintf(text, sizeof(text),
		"%s has the task of event %lld of %.8s: events %lld:", life->identity,
		(long long)message->started_event_id, message->workflow_execution->run_id,
		(long long)(history->n_events ? history->events[0]->event_id : 0));

	for (size_t i = 0; i < history->n_events && at < (int)sizeof(text) - 5; i++)
		at += snprintf(text + at, sizeof(text) - (size_t)at, " %d",
			(int)history->events[i]->event_type);
	sim_trace(text, NULL, 0);
}

static void take_task(struct life *life, struct task task)
{
	const char *run_id = task.message->workflow_execution->run_id;
	struct cached *run = find(life, run_id);

	trace_task(life, &task);

	if (run && run->busy) {
		arena_finish(&run->kept.arena);
		run->kept = task;
		return;
	}
	if (!run) {
		run = sim_alloc(sizeof(*run));
		snprintf(run->run_id, sizeof(run->run_id), "%s", run_id);
		run->life = life;
		run->next = life->runs;
		life->runs = run;
		life->n_runs++;
		run->engine = engine_run_new(&life->engine, run->run_id);
	}
	begin(run, task);
}

/* ---- polls ---- */

static void poll(void *arg);
static void die(struct life *life);

/* Nothing is left to be done: it goes. */
static void depart(void *arg)
{
	struct life *life = arg;
	bool busy = life->polls > 0;

	for (struct cached *run = life->dead ? NULL : life->runs; run; run = run->next)
		busy |= run->busy;
	if (life->dead || busy)
		return;
	sim_trace("worker departs", life->identity, strlen(life->identity));
	die(life);
}

static void perhaps_depart(struct life *life)
{
	if (life->stopping)
		sim_after(0, depart, life);
}

static void polled(void *user, enum temporal_code code, const void *message, struct arena *arena)
{
	const Workflowservice__PollWorkflowTaskQueueResponse *response = message;
	struct poll *at = user;

	at->life->polls--;
	if (at->life->dead)
		return;
	if (code == TEMPORAL_OK && response->task_token.len)
		take_task(at->life, (struct task){ response, take(arena) });
	sim_after(code == TEMPORAL_OK ? 0 : sim_between(SIM_MS, 200 * SIM_MS), poll, at);
}

static void poll(void *arg)
{
	struct poll *at = arg;
	Taskqueue__TaskQueue queue = TASKQUEUE__TASK_QUEUE__INIT;
	Workflowservice__PollWorkflowTaskQueueRequest message =
		WORKFLOWSERVICE__POLL_WORKFLOW_TASK_QUEUE_REQUEST__INIT;

	if (at->life->dead || at->life->stopping) {
		perhaps_depart(at->life);
		return;
	}
	at->life->polls++;
	queue.name = at->sticky ? at->life->sticky : SIM_QUEUE;
	queue.normal_name = at->sticky ? SIM_QUEUE : "";
	queue.kind = at->sticky ? ENUMS__TASK_QUEUE_KIND__TASK_QUEUE_KIND_STICKY
				: ENUMS__TASK_QUEUE_KIND__TASK_QUEUE_KIND_NORMAL;
	message.namespace_ = SIM_NAMESPACE;
	message.task_queue = &queue;
	message.identity = at->life->identity;
	net_call(&rpc_workflow_poll_workflow_task_queue, &message, POLL_NS, polled, at);
}

/* ---- lives ---- */

static void live(void *arg)
{
	struct life *life = sim_alloc(sizeof(*life));

	life->worker = *(int *)arg;
	snprintf(life->identity, sizeof(life->identity), "worker-%d", life->worker);
	snprintf(life->sticky, sizeof(life->sticky), "sticky-%d-%lld", life->worker,
		(long long)++next_number);
	life->engine = (struct engine_config){
		.namespace_ = SIM_NAMESPACE,
		.task_queue = SIM_QUEUE,
		.identity = life->identity,
		.sdk_name = "temporal-c",
		.sdk_version = "sim",
		.sticky_queue = life->sticky,
		.sticky_timeout_ms = 5000,
		.build_id = "",
	};
	life->config = (struct wf_config){
		.namespace_ = SIM_NAMESPACE,
		.task_queue = SIM_QUEUE,
		.workflows = sim_workflows,
	};
	life->thread = wf_thread_new(&life->config);
	life->next = lives;
	lives = life;
	for (int i = 0; i < LIFE_POLLS; i++) {
		struct poll *at = sim_alloc(sizeof(*at));

		*at = (struct poll){ life, i % 2 };
		life->poll_at[i] = at;
		sim_after(sim_between(0, SIM_MS), poll, at);
	}
}

static void die(struct life *life)
{
	life->dead = true;
	while (life->runs) {
		struct cached *run = life->runs;

		life->runs = run->next;
		wf_instance_free(run->instance);
		engine_run_free(run->engine);
		arena_finish(&run->kept.arena);
		run->instance = NULL;
		run->engine = NULL;
	}
	wf_thread_free(life->thread);
	life->thread = NULL;
}

static void ignore(void *user, enum temporal_code code, const void *message, struct arena *arena)
{
}

/* In good order: it takes no more, tells the server, and finishes what it has. */
static void stop(struct life *life)
{
	Workflowservice__ShutdownWorkerRequest message =
		WORKFLOWSERVICE__SHUTDOWN_WORKER_REQUEST__INIT;

	sim_figures.shutdowns++;
	sim_trace("worker stops", life->identity, strlen(life->identity));
	life->stopping = true;
	message.namespace_ = SIM_NAMESPACE;
	message.sticky_task_queue = life->sticky;
	message.identity = life->identity;
	net_call(&rpc_workflow_shutdown_worker, &message, SIM_SECOND, ignore, NULL);
	for (int i = 0; i < LIFE_POLLS; i++)
		net_leave(life->poll_at[i]);
	perhaps_depart(life);
}

static void misfortune(void *arg)
{
	if (!sim_faults)
		return;
	for (struct life *life = lives; life; life = life->next) {
		if (life->dead || life->stopping || life->worker != *(int *)arg)
			continue;
		if (sim_random(3) == 0) {
			stop(life);
			break;
		}
		sim_figures.worker_crashes++;
		sim_trace("worker dies", life->identity, strlen(life->identity));
		die(life);
		break;
	}
	sim_after(sim_between(SIM_MS, 3 * SIM_SECOND), live, arg);
	sim_after(sim_between(5 * SIM_SECOND, 60 * SIM_SECOND), misfortune, arg);
}

void sim_workers_begin(void)
{
	lives = NULL;
	next_number = 0;
	for (int i = 0; i < SIM_WORKERS; i++) {
		int *number = sim_alloc(sizeof(*number));

		*number = i;
		live(number);
		sim_after(sim_between(5 * SIM_SECOND, 60 * SIM_SECOND), misfortune, number);
	}
}

void sim_workers_finish(void)
{
	for (struct life *life = lives; life; life = life->next) {
		if (!life->dead)
			die(life);
	}
	lives = NULL;
}
