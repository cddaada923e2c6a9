/*
 * worker.c: workflow workers: the real engine and the real workflow language, with the simulation's
 * calls in place of the library's loop and threads. What a worker process is, is a life: it ends
 * suddenly, and the next one has another name, another sticky queue and an empty cache.
 *
 *     poll --task--> engine --activation--> workflow --> engine --answer--> think --> call
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "rpc/methods.h"
#include "sim.h"
#include "workflow/instance.h"
#include "workflows.h"

#define POLLS      2 /* of each of the two queues */
#define POLL_NS    (70 * SIM_SECOND)
#define CACHED_MAX 4

struct life {
	struct life *next; /* of this run of the simulation */
	int worker;
	bool dead;
	char identity[32], sticky[40];
	struct engine_config engine;
	struct wf_config config;
	struct wf_thread *thread;
	struct cached *runs;
	int n_runs;
};

struct poll {
	struct life *life;
	bool sticky;
};

struct task {
	const Workflowservice__PollWorkflowTaskQueueResponse *message; /* NULL: none */
	struct arena arena;
};

/* A run in a worker's memory. */
struct cached {
	struct life *life;
	struct cached *next;
	char run_id[40];
	struct engine_run *engine;
	struct wf_instance *instance;
	struct engine_step step;
	struct task kept; /* came while another was being worked on */
	int64_t number;   /* of the answer that is on its way */
	bool unplayable;  /* ... which is that the history does not fit the code */
	bool busy;
};

static struct life *lives;
static int64_t next_number;

static void go(struct cached *run);
static void take_task(struct life *life, struct task task);

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
	wf_instance_free(run->instance);
	engine_run_free(run->engine);
	if (kept.message && !life->dead)
		take_task(life, kept);
	else
		arena_finish(&kept.arena);
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
	go(idle);
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
		sim_completed(run->run_id, 0, run->number);
	}
	if (run->life->dead)
		return;
	run->step = engine_run_responded(run->engine, code, "refused",
		completed && code == TEMPORAL_OK ? message : NULL, arena);
	go(run);
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
		go(run);
}

static void respond(struct cached *run)
{
	if (run->step.action == ENGINE_RESPOND_COMPLETED) {
		char *identity = sim_alloc(32);

		/* By it the event of this very answer is known again. */
		run->number = ++next_number;
		snprintf(identity, 32, "answer-%lld", (long long)run->number);
		run->step.completed->identity = identity;
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
	go(run);
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
	go(run);
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
}

static void go(struct cached *run)
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

static void polled(void *user, enum temporal_code code, const void *message, struct arena *arena)
{
	const Workflowservice__PollWorkflowTaskQueueResponse *response = message;
	struct poll *at = user;

	if (at->life->dead)
		return;
	if (code != TEMPORAL_OK) {
		sim_after(sim_between(SIM_MS, 200 * SIM_MS), poll, at);
		return;
	}
	sim_after(0, poll, at);
	if (response->task_token.len)
		take_task(at->life, (struct task){ response, take(arena) });
}

static void poll(void *arg)
{
	struct poll *at = arg;
	Taskqueue__TaskQueue queue = TASKQUEUE__TASK_QUEUE__INIT;
	Workflowservice__PollWorkflowTaskQueueRequest message =
		WORKFLOWSERVICE__POLL_WORKFLOW_TASK_QUEUE_REQUEST__INIT;

	if (at->life->dead)
		return;
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
	for (int i = 0; i < 2 * POLLS; i++) {
		struct poll *at = sim_alloc(sizeof(*at));

		*at = (struct poll){ life, i % 2 };
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

static void misfortune(void *arg)
{
	if (!sim_faults)
		return;
	for (struct life *life = lives; life; life = life->next) {
		if (life->dead || life->worker != *(int *)arg)
			continue;
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
