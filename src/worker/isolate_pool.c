/*
 * isolate_pool.c: the worker's side of its helper and of the children: started, lent, ended.
 *
 * The helper is started with the first attempt that needs it, and again should it die. Children are
 * made when all others are busy, up to the limit, and stay; the one that was busy last is taken
 * first, whose memory is warm. A child is one attempt's between isolate_take and isolate_give, and
 * nobody else talks to it meanwhile, except for isolate_tell and isolate_kill, which the attempt's
 * lock keeps within that time.
 *
 * No thread of ours may be forked, since what other threads hold would be held for ever in the
 * child: hence the helper, which posix_spawn makes without running anything of this process. Under
 * `lock` are only short system calls; a start of the helper takes a millisecond, and the end of one
 * is waited for without it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/futex.h>

#include "base/error.h"
#include "base/inherit.h"
#include "base/mem.h"
#include "worker/event.h"
#include "worker/isolate.h"
#include "worker/isolate_config.h"
#include "worker/isolate_helper.h"
#include "worker/isolate_wire.h"
#include "worker/limits.h"
#include "worker/worker.h"

extern char **environ;

struct isolate_process {
	struct isolate_pool *pool;
	struct isolate_process *next; /* isolate_pool.idle, .free */
	struct isolate_shared *shared;
	uint64_t id;
	uint64_t helper; /* of which start of the helper it is a child */
	int32_t attempts;
	int fd;
};

struct isolate_pool {
	/* constant */
	struct temporal_worker *worker;
	size_t max;
	int memory; /* of `shared` */
	struct isolate_shared *shared;
	struct isolate_process *processes; /* `max` */
	struct arena arena;                /* of the helper's configuration */
	struct isolate_message config;
	/* lock */
	pthread_mutex_t lock;
	pthread_cond_t given;         /* one has been given back */
	struct isolate_process *idle; /* the one that was busy last comes first */
	struct isolate_process *free; /* that are no processes yet */
	pid_t helper;                 /* 0: none */
	uint64_t helpers, children;   /* that were started */
	int control;
};

/* ---- the helper ---- */

static int spawn(int end, pid_t *pid)
{
	static char program[] = "/proc/self/exe", flag[] = ISOLATE_FLAG;
	char *argv[] = { program_invocation_name, flag, NULL };
	posix_spawn_file_actions_t actions;
	int failed = posix_spawn_file_actions_init(&actions);

	if (failed)
		return failed;
	/* Nothing of this program's goes there but the three standard descriptors. */
	failed = posix_spawn_file_actions_adddup2(&actions, end, ISOLATE_CONTROL_FD);
#if defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 34)
	if (!failed)
		failed = posix_spawn_file_actions_addclosefrom_np(&actions, ISOLATE_CONTROL_FD + 1);
#endif
	if (!failed)
		failed = posix_spawn(pid, program, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return failed;
}

/* Helpers that one call has found dead, or without use: the pool has forgotten them. */
struct gone {
	struct {
		pid_t pid;
		int control;
	} helpers[2];
	size_t n;
};

/* With the lock held. */
static void forget_helper(struct isolate_pool *pool, struct gone *gone)
{
	gone->helpers[gone->n].pid = pool->helper;
	gone->helpers[gone->n++].control = pool->control;
	pool->helper = 0;
	pool->control = -1;
}

/* It has ended, or is about to: closing is what ends it. Its children end with it. Without the
 * lock, since that may take a while. */
static void reap_helper(pid_t pid, int control)
{
	struct pollfd ended = { .fd = control, .events = POLLIN };
	int status;

	shutdown(control, SHUT_WR);
	if (poll(&ended, 1, WORKER_ISOLATE_END_MS) == 0)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	inherit_close(control);
}

static void reap_gone(const struct gone *gone)
{
	for (size_t i = 0; i < gone->n; i++)
		reap_helper(gone->helpers[i].pid, gone->helpers[i].control);
}

static bool start_helper(struct isolate_pool *pool, struct gone *gone, struct temporal_error *err)
{
	int ends[2];
	int failed = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) ? errno : 0;

	if (!failed) {
		/* dup2 onto itself would leave it to be closed. */
		if (ends[1] == ISOLATE_CONTROL_FD) {
			int other = fcntl(ends[1], F_DUPFD_CLOEXEC, ISOLATE_CONTROL_FD + 1);

			close(ends[1]);
			ends[1] = other;
		}
		failed = spawn(ends[1], &pool->helper);
		close(ends[1]);
		if (failed) {
			close(ends[0]);
			pool->helper = 0;
		}
	}
	if (failed) {
		error_set(err, TEMPORAL_RESOURCE_EXHAUSTED,
			"the helper of isolated activities cannot be started: %s",
			strerror(failed));
		return false;
	}
	pool->control = ends[0];
	inherit_not(pool->control); /* a copy would keep the helper after our death */
	pool->helpers++;
	if (isolate_send(pool->control, &pool->config))
		return true;
	error_set(err, TEMPORAL_RESOURCE_EXHAUSTED,
		"the helper of isolated activities ended as soon as it was started");
	forget_helper(pool, gone);
	return false;
}

/* ---- children ---- */

static bool fork_child(struct isolate_pool *pool, struct isolate_process *process, int end)
{
	const struct isolate_message message = { .kind = ISOLATE_FORK,
		.flags = (uint32_t)(process->shared - pool->shared),
		.id = process->id,
		.fd = end };

	return isolate_send(pool->control, &message);
}

/* With the lock held. The child may not have come to life yet when this returns. */
static bool start_child(struct isolate_pool *pool, struct isolate_process *process,
	struct gone *gone, struct temporal_error *err)
{
	int ends[2];

	if (!pool->helper && !start_helper(pool, gone, err))
		return false;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
		error_set(err, TEMPORAL_RESOURCE_EXHAUSTED,
			"no socket for a process of an isolated activity: %s", strerror(errno));
		return false;
	}
	process->id = ++pool->children;
	process->attempts = 0;
	bool forked = fork_child(pool, process, ends[1]);

	if (!forked) { /* it has died: once more, with a new one */
		forget_helper(pool, gone);
		forked = start_helper(pool, gone, err);
		if (forked && !fork_child(pool, process, ends[1])) {
			forked = false;
			error_set(err, TEMPORAL_RESOURCE_EXHAUSTED,
				"the helper of isolated activities ended as soon as it was "
				"started");
		}
	}
	process->helper = pool->helpers;
	process->fd = ends[0];
	inherit_not(process->fd);
	close(ends[1]);
	if (!forked) {
		inherit_close(ends[0]);
		process->fd = -1;
	}
	return forked;
}

/* With the lock held. A helper that is gone has taken it along. */
static void kill_child(const struct isolate_process *process)
{
	struct isolate_pool *pool = process->pool;
	const struct isolate_message message = {
		.kind = ISOLATE_KILL, .id = process->id, .fd = -1
	};

	if (process->helper == pool->helpers && pool->helper &&
		!isolate_send(pool->control, &message))
		worker_log(pool->worker, TEMPORAL_LOG_DEBUG,
			"the helper of isolated activities is gone, and its children with it");
}

static void put(struct isolate_process **list, struct isolate_process *process)
{
	process->next = *list;
	*list = process;
}

/* It is no process any more: one that lives ends when it hears that nobody is there. With the lock
 * held. */
static void let_go(struct isolate_process *process)
{
	inherit_close(process->fd);
	process->fd = -1;
	put(&process->pool->free, process);
}

/* Nobody has asked it for anything, so what can be read is its death, or nonsense. */
static bool is_quiet(const struct isolate_process *process)
{
	struct pollfd heard = { .fd = process->fd, .events = POLLIN };

	return poll(&heard, 1, 0) == 0;
}

/* One that is idle and alive; with the lock held. */
static struct isolate_process *take_idle(struct isolate_pool *pool)
{
	struct isolate_process *process;

	while ((process = pool->idle) != NULL) {
		pool->idle = process->next;
		if (is_quiet(process))
			return process;
		kill_child(process);
		let_go(process);
	}
	return NULL;
}

struct isolate_process *isolate_take(struct isolate_pool *pool, struct temporal_error *err)
{
	struct temporal_error why = { .code = TEMPORAL_OK };
	struct gone gone = { .n = 0 };

	pthread_mutex_lock(&pool->lock);
	while (!pool->idle && !pool->free)
		pthread_cond_wait(&pool->given, &pool->lock);
	struct isolate_process *process = take_idle(pool);

	if (!process && start_child(pool, pool->free, &gone, &why)) {
		process = pool->free;
		pool->free = process->next;
	}
	if (process) {
		atomic_store_explicit(&process->shared->reason, 0, memory_order_relaxed);
		isolate_beat_reset(process->shared);
	}
	pthread_mutex_unlock(&pool->lock);
	reap_gone(&gone);
	if (!process && err)
		*err = why;
	return process;
}

void isolate_give(struct isolate_process *process, bool usable)
{
	struct isolate_pool *pool = process->pool;
	int32_t most = pool->worker->opts.isolated_attempts_per_process;

	process->attempts++;
	pthread_mutex_lock(&pool->lock);
	if (!usable)
		kill_child(process);
	if (usable && process->helper == pool->helpers && (most == 0 || process->attempts < most))
		put(&pool->idle, process);
	else
		let_go(process);
	pthread_cond_signal(&pool->given);
	pthread_mutex_unlock(&pool->lock);
}

int isolate_socket(const struct isolate_process *process)
{
	return process->fd;
}

struct isolate_shared *isolate_memory(const struct isolate_process *process)
{
	return process->shared;
}

uint64_t isolate_id(const struct isolate_process *process)
{
	return process->id;
}

void isolate_tell(struct isolate_process *process, enum act_cancel_reason reason)
{
	atomic_store(&process->shared->reason, (uint32_t)reason);
	syscall(SYS_futex, &process->shared->reason, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

void isolate_kill(struct isolate_process *process)
{
	pthread_mutex_lock(&process->pool->lock);
	kill_child(process);
	pthread_mutex_unlock(&process->pool->lock);
}

/* ---- the pool ---- */

/* As many as attempts may run. A tuner may change its mind about that at any time. */
static size_t processes_max(const struct temporal_worker_opts *opts)
{
	if (opts->max_isolated_processes)
		return (size_t)opts->max_isolated_processes;
	if (opts->tuner)
		return WORKER_ISOLATE_PROCESSES;
	return (size_t)opts->max_concurrent_activities +
	       (size_t)opts->max_concurrent_local_activities;
}

static bool memory_init(struct isolate_pool *pool)
{
	size_t size = pool->max * sizeof(pool->shared[0]);

	pool->memory = memfd_create("temporal-isolate", MFD_CLOEXEC);
	if (pool->memory < 0 || ftruncate(pool->memory, (off_t)size) != 0)
		return false;
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, pool->memory, 0);

	pool->shared = at == MAP_FAILED ? NULL : at;
	return pool->shared != NULL;
}

static bool is_wanted(const struct temporal_worker_opts *opts)
{
	for (size_t i = 0; opts->activities[i]; i++) {
		if (worker_isolates(opts, opts->activities[i]))
			return true;
	}
	return false;
}

bool isolate_pool_init(struct temporal_worker *worker)
{
	if (!is_wanted(&worker->opts))
		return true;
	struct isolate_pool *pool = mem_zalloc(sizeof(*pool));

	worker->isolate = pool;
	if (!pool)
		return false;
	pool->worker = worker;
	pool->control = pool->memory = -1;
	pool->max = processes_max(&worker->opts);
	arena_init(&pool->arena, 1024, ARENA_NO_BUDGET);
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->given, NULL);
	pool->processes = mem_zalloc(pool->max * sizeof(pool->processes[0]));
	if (!pool->processes || !memory_init(pool) ||
		!isolate_config(worker, pool->max, &pool->arena, &pool->config))
		return false;
	pool->config.fd = pool->memory;
	for (size_t i = pool->max; i-- > 0;) {
		pool->processes[i] = (struct isolate_process){
			.pool = pool, .next = pool->free, .shared = &pool->shared[i], .fd = -1
		};
		pool->free = &pool->processes[i];
	}
	return true;
}

void isolate_pool_finish(struct isolate_pool *pool)
{
	if (!pool)
		return;
	for (struct isolate_process *process = pool->idle; process; process = process->next)
		inherit_close(process->fd);
	if (pool->helper)
		reap_helper(pool->helper, pool->control);
	if (pool->shared)
		munmap(pool->shared, pool->max * sizeof(pool->shared[0]));
	if (pool->memory >= 0)
		close(pool->memory);
	pthread_cond_destroy(&pool->given);
	pthread_mutex_destroy(&pool->lock);
	arena_finish(&pool->arena);
	mem_free(pool->processes);
	mem_free(pool);
}
