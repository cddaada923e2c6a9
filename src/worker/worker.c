/*
 * worker.c: a worker's life: made, started, run, shut down, freed.
 *
 * The caller's thread and the loop's meet in three places only: start_task and shutdown_task, which
 * are posted to the loop, and `stopped`, which the loop sets under the lock. Everything else is the
 * loop's until it has stopped. The last step is a posted task of its own, so that no function
 * further up on the loop's stack can touch a worker that its owner has freed by then.
 */
#include "worker/worker.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "client/client.h"
#include "worker/event.h"
#include "worker/group.h"
#include "worker/intercept.h"
#include "worker/isolate.h"
#include "worker/limits.h"
#include "worker/metrics.h"
#include "worker/options.h"
#include "worker/registration.h"
#include "worker/run.h"
#include "worker/thread.h"
#include "worker/tuner.h"
#include "worker/watchdog.h"

/* ---- the loop ---- */

static void stopped(struct rpc_task *task)
{
	struct temporal_worker *worker =
		(struct temporal_worker *)((char *)task -
					   offsetof(struct temporal_worker, stopped_task));
	const uint64_t one = 1;

	worker_metrics_stopped(worker);
	worker_group_leave(worker);
	worker_event(
		worker, (struct temporal_worker_event){ .kind = TEMPORAL_EVENT_WORKER_STOPPED });
	pthread_mutex_lock(&worker->lock);
	worker->stopped = true;
	if (worker->wake_fd >= 0 && write(worker->wake_fd, &one, sizeof(one)) < 0)
		worker->wake_fd = -1; /* full: it is readable already */
	pthread_cond_broadcast(&worker->changed);
	pthread_mutex_unlock(&worker->lock);
}

static bool is_drained(struct temporal_worker *worker)
{
	return worker->workflow_slots.used == 0 && worker->activity_slots.used == 0 &&
	       !worker->acts && worker->open_calls == 0 && worker_suppliers_idle(worker) &&
	       worker->local_slots.used == 0 && worker->nexus_slots.used == 0;
}

/*
 * May the last step be taken? Not while a shutdown is on its way to the loop, and none is posted
 * from here on: it would come after its worker has been freed.
 */
static bool close_to_shutdowns(struct temporal_worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	bool closed = !worker->shutdown_posted && !worker->client_posted;

	worker->closed = closed;
	pthread_mutex_unlock(&worker->lock);
	return closed;
}

void worker_advance(struct temporal_worker *worker)
{
	if (worker->phase == WORKER_STOPPING && worker->pollers.active == 0) {
		worker->phase = WORKER_DRAINING;
		rpc_timer_stop(&worker->polls_end);
	}
	if (worker->phase == WORKER_DRAINING && is_drained(worker)) {
		worker->phase = WORKER_EVICTING;
		rpc_timer_stop(&worker->grace);
		rpc_timer_stop(&worker->local_again);
		worker_runs_evict_all(worker);
		worker_workflow_threads_wake(&worker->workflow_threads);
	}
	if (worker->phase == WORKER_EVICTING && worker->cache.count == 0 &&
		worker->detached_runs == 0 && worker_clients_settle(worker) &&
		close_to_shutdowns(worker)) {
		worker_watchdog_stop(worker);
		worker->phase = WORKER_STOPPED;
		rpc_loop_post(worker->loop, &worker->stopped_task);
	}
}

static void stop(struct temporal_worker *worker)
{
	if (worker->phase != WORKER_RUNNING)
		return;
	worker->phase = WORKER_STOPPING;
	worker_clients_leave(worker);
	worker_shutdown_begin(worker);
}

void worker_refused(struct temporal_worker *worker, const struct temporal_error *err)
{
	if (worker->phase != WORKER_RUNNING)
		return;
	worker->fatal = *err;
	worker_log(worker, TEMPORAL_LOG_ERROR, "the server refuses the worker: %s", err->message);
	if (worker->opts.on_fatal_error)
		worker->opts.on_fatal_error(&worker->fatal, worker->opts.user);
	stop(worker);
}

static void shutdown_posted(struct rpc_task *task)
{
	struct temporal_worker *worker =
		(struct temporal_worker *)((char *)task -
					   offsetof(struct temporal_worker, shutdown_task));

	pthread_mutex_lock(&worker->lock);
	worker->shutdown_posted = false;
	pthread_mutex_unlock(&worker->lock);
	stop(worker);
	worker_advance(worker);
}

static void start_posted(struct rpc_task *task)
{
	struct temporal_worker *worker =
		(struct temporal_worker *)((char *)task -
					   offsetof(struct temporal_worker, start_task));

	worker->phase = WORKER_RUNNING;
	worker_metrics_started(worker);
	worker_stats_begin(worker);
	worker_group_join(worker);
	worker_clients_run(worker);
	worker_pollers_pump(worker);
	worker_describe_namespace(worker);
	worker_event(
		worker, (struct temporal_worker_event){ .kind = TEMPORAL_EVENT_WORKER_STARTED });
}

/* ---- making ---- */

/* A random UUID (version 4) as text. */
static const char *uuid(struct arena *arena)
{
	unsigned char b[16];

	if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b))
		return NULL;
	b[6] = (unsigned char)((b[6] & 0x0F) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3F) | 0x80);
	return arena_printf(arena,
		"%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
		b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
		b[15]);
}

static bool names_init(struct temporal_worker *worker)
{
	worker->namespace_ = client_namespace(worker->client);
	worker->instance_key = uuid(&worker->arena);
	if (!worker->instance_key)
		return false;
	if (worker->opts.max_cached_workflows == 0 || !worker->opts.workflows[0])
		return true;
	worker->sticky_queue =
		arena_printf(&worker->arena, "%s-%s", worker->opts.identity, worker->instance_key);
	return worker->sticky_queue != NULL;
}

static void configs_init(struct temporal_worker *worker)
{
	const struct temporal_worker_opts *opts = &worker->opts;
	struct client_capabilities capabilities;

	client_capabilities(worker->client, &capabilities);
	worker->engine = (struct engine_config){
		.namespace_ = worker->namespace_,
		.task_queue = opts->task_queue,
		.identity = opts->identity,
		.sdk_name = "temporal-c",
		.sdk_version = TEMPORAL_VERSION,
		.sticky_queue = worker->sticky_queue,
		.sticky_timeout_ms = opts->sticky_schedule_to_start_timeout_ms,
		.build_id = opts->build_id,
		.deployment_name = opts->deployment ? opts->deployment->name : "",
		.use_versioning = opts->deployment && opts->deployment->use_versioning,
		.no_sdk_metadata = capabilities.known && !capabilities.sdk_metadata,
	};
	worker->wf = (struct wf_config){
		.namespace_ = worker->namespace_,
		.task_queue = opts->task_queue,
		.workflows = opts->workflows,
		.stack_size = (size_t)opts->workflow_stack_size,
		.log = worker_log_workflow,
		.log_user = worker,
		.log_on_replay = opts->log_on_replay,
		.use_versioning = worker->engine.use_versioning,
		.default_versioning = opts->deployment ? opts->deployment->default_behavior : 0,
		.options = opts->workflow_options,
		.failure_types = opts->workflow_failure_types,
		.use_patch = opts->use_patch,
		.user = opts->user,
	};
}

static void worker_free(struct temporal_worker *worker)
{
	if (!worker)
		return;
	worker_workflow_threads_finish(&worker->workflow_threads);
	worker_pool_finish(&worker->pool);
	isolate_pool_finish(worker->isolate);
	worker_pollers_finish(&worker->pollers);
	worker_cache_finish(&worker->cache);
	worker_metrics_finish(worker);
	pthread_cond_destroy(&worker->changed);
	pthread_mutex_destroy(&worker->lock);
	worker_clients_finish(worker);
	arena_finish(&worker->arena);
	mem_free(worker);
}

static struct temporal_worker *worker_alloc(struct temporal_client *client)
{
	struct temporal_worker *worker = mem_zalloc(sizeof(*worker));

	if (!worker)
		return NULL;
	worker_clients_init(worker, client);
	worker->loop = client_loop(client);
	worker->pid = getpid();
	worker->wake_fd = -1;
	worker->start_task.run = start_posted;
	worker->shutdown_task.run = shutdown_posted;
	worker->stopped_task.run = stopped;
	worker->client_task.run = worker_client_posted;
	arena_init(&worker->arena, 1024, ARENA_NO_BUDGET);
	pthread_mutex_init(&worker->lock, NULL);
	pthread_cond_init(&worker->changed, NULL);
	return worker;
}

/* All that can fail for want of memory; the options are complete. */
static bool parts_init(struct temporal_worker *worker)
{
	const struct temporal_worker_opts *opts = &worker->opts;

	if (!names_init(worker) || !worker_tuner_init(worker))
		return false;
	configs_init(worker);
	if (!worker_interceptors_init(worker))
		return false;
	if (!worker_registration_version(opts, &worker->arena, &worker->version) ||
		!worker_registration_build(opts, &worker->arena, &worker->stamp, &worker->build) ||
		!worker_registration_nondeterminism(opts, &worker->arena,
			&worker->engine.fail_types_on_nondeterminism,
			&worker->engine.fail_run_on_nondeterminism))
		return false;
	return worker_metrics_init(worker) && worker_pollers_init(worker, NULL) == TEMPORAL_OK &&
	       worker_cache_init(&worker->cache, (size_t)opts->max_cached_workflows,
		       opts->max_cached_bytes > 0 ? (size_t)opts->max_cached_bytes : SIZE_MAX) &&
	       worker_workflow_threads_init(worker) &&
	       worker_pool_init(&worker->pool, (size_t)opts->activity_stack_size) &&
	       isolate_pool_init(worker);
}

struct temporal_worker *temporal_worker_new_(struct temporal_client *client,
	const struct temporal_worker_opts *opts, size_t opts_size, struct temporal_error *err)
{
	if (!client) {
		error_set(err, TEMPORAL_INVALID_ARGUMENT, "worker: there is no client");
		return NULL;
	}
	if (client_make_ours(client, err) != TEMPORAL_OK)
		return NULL;
	struct temporal_worker *worker = worker_alloc(client);

	if (!worker) {
		error_no_memory(err, "worker");
		return NULL;
	}
	struct temporal_worker_opts changed;

	if (worker_plugins_apply(worker, &changed, opts, opts_size, err) != TEMPORAL_OK ||
		worker_options_complete(&worker->opts, &changed, sizeof(changed),
			client_identity(client), &worker->arena, err) != TEMPORAL_OK) {
		worker_free(worker);
		return NULL;
	}
	if (!parts_init(worker)) {
		error_no_memory(err, "worker");
		worker_free(worker);
		return NULL;
	}
	if (worker_isolate_check_interceptors(worker, err) != TEMPORAL_OK ||
		worker_group_register(worker, err) != TEMPORAL_OK) {
		worker_free(worker);
		return NULL;
	}
	return worker;
}

/* ---- running ---- */

static enum temporal_code refuse_forked(struct temporal_error *err)
{
	return error_set(err, TEMPORAL_FAILED_PRECONDITION,
		"worker: it was made before this process was forked");
}

/* Is the caller the first to start it? */
static bool claim_start(struct temporal_worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	bool first = !worker->starting;

	worker->starting = true;
	pthread_mutex_unlock(&worker->lock);
	return first;
}

static enum temporal_code give_start_back(struct temporal_worker *worker,
	const struct temporal_error *why, struct temporal_error *err)
{
	pthread_mutex_lock(&worker->lock);
	worker->starting = false;
	pthread_mutex_unlock(&worker->lock);
	if (err)
		*err = *why;
	return why->code;
}

enum temporal_code temporal_worker_start(struct temporal_worker *worker, struct temporal_error *err)
{
	struct temporal_error own = { .code = TEMPORAL_OK };

	if (worker->pid != getpid())
		return refuse_forked(err);
	if (!claim_start(worker))
		return error_set(err, TEMPORAL_FAILED_PRECONDITION,
			"worker: it was started before; a worker runs once");
	own.code = worker_plugins_start(worker, &own);
	if (own.code != TEMPORAL_OK)
		return give_start_back(worker, &own, err);
	pthread_mutex_lock(&worker->lock);
	worker->started = true;
	if (worker->client_posted)
		rpc_loop_post(worker->loop, &worker->client_task);
	rpc_loop_post(worker->loop, &worker->start_task);
	if (worker->shutdown_posted) /* it was asked for before */
		rpc_loop_post(worker->loop, &worker->shutdown_task);
	pthread_mutex_unlock(&worker->lock);
	return TEMPORAL_OK;
}

void temporal_worker_shutdown(struct temporal_worker *worker)
{
	if (worker->pid != getpid())
		return; /* the lock may be one that a thread of the parent holds for ever */
	pthread_mutex_lock(&worker->lock);
	if (!worker->shutdown_posted && !worker->closed) {
		worker->shutdown_posted = true;
		if (worker->started)
			rpc_loop_post(worker->loop, &worker->shutdown_task);
	}
	pthread_mutex_unlock(&worker->lock);
}

/* Nothing is running on the threads any more: ends them. */
static void join(struct temporal_worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	bool first = !worker->joined;

	worker->joined = true;
	pthread_mutex_unlock(&worker->lock);
	if (!first)
		return;
	worker_workflow_threads_finish(&worker->workflow_threads);
	worker_pool_finish(&worker->pool);
	isolate_pool_finish(worker->isolate);
	worker->isolate = NULL;
	worker_plugins_stop(worker);
}

enum temporal_code temporal_worker_wait(struct temporal_worker *worker, struct temporal_error *err)
{
	if (worker->pid != getpid())
		return refuse_forked(err);
	if (!worker_may_wait(worker, false))
		return error_set(err, TEMPORAL_FAILED_PRECONDITION,
			"worker: waiting for it on a thread of the client or of a worker");
	pthread_mutex_lock(&worker->lock);
	bool started = worker->started;

	while (started && !worker->stopped)
		pthread_cond_wait(&worker->changed, &worker->lock);
	pthread_mutex_unlock(&worker->lock);
	if (!started)
		return error_set(err, TEMPORAL_FAILED_PRECONDITION, "worker: it was not started");
	join(worker);
	if (worker->fatal.code != TEMPORAL_OK && err)
		*err = worker->fatal;
	return worker->fatal.code;
}

bool worker_is_stopped(struct temporal_worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	bool stopped = worker->stopped;

	pthread_mutex_unlock(&worker->lock);
	return stopped;
}

static void set_wake_fd(struct temporal_worker *worker, int fd)
{
	pthread_mutex_lock(&worker->lock);
	worker->wake_fd = fd;
	pthread_mutex_unlock(&worker->lock);
}

/* Waits until the worker has stopped; each signal before that shuts it down. */
static void wait_with_signals(struct temporal_worker *worker, int fd)
{
	if (worker_turn_until_signal(worker, fd))
		return;
	while (!worker_is_stopped(worker)) {
		struct pollfd wait = { .fd = fd, .events = POLLIN };
		uint64_t count;

		if (poll(&wait, 1, -1) < 0 || read(fd, &count, sizeof(count)) < 0)
			continue; /* interrupted */
		if (!worker_is_stopped(worker))
			temporal_worker_shutdown(worker);
	}
}

enum temporal_code temporal_worker_run(struct temporal_worker *worker, struct temporal_error *err)
{
	int fd = -1;

	if (!worker_may_wait(worker, true))
		return error_set(err, TEMPORAL_FAILED_PRECONDITION,
			"worker: running it on a thread of the client or of a worker");
	if (worker->opts.shutdown_on_signals) {
		fd = worker_signals_register();
		if (fd < 0)
			return error_set(err, TEMPORAL_RESOURCE_EXHAUSTED,
				"worker: waiting for signals: %s", strerror(errno));
	}
	set_wake_fd(worker, fd);
	enum temporal_code code = temporal_worker_start(worker, err);

	if (code == TEMPORAL_OK && fd >= 0)
		wait_with_signals(worker, fd);
	if (code == TEMPORAL_OK) {
		worker_turn(worker);
		code = temporal_worker_wait(worker, err);
	}
	set_wake_fd(worker, -1);
	if (fd >= 0)
		worker_signals_unregister(fd);
	return code;
}

void temporal_worker_unref(struct temporal_worker *worker)
{
	if (!worker || worker->pid != getpid())
		return; /* a forked child has only the memory, none of the threads */
	pthread_mutex_lock(&worker->lock);
	bool running = worker->started && !worker->joined;

	pthread_mutex_unlock(&worker->lock);
	if (running) {
		struct temporal_error ignored;

		temporal_worker_shutdown(worker);
		worker_turn(worker);
		if (temporal_worker_wait(worker, &ignored) == TEMPORAL_FAILED_PRECONDITION &&
			!worker_is_stopped(worker))
			return; /* on a thread that it would wait for: documented as not allowed */
	}
	worker_free(worker);
}
