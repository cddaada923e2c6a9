/*
 * instance.h: one run's workflow code, as the worker sees it: an activation in, a completion out.
 *
 * An instance is made with the run's first activation (which holds INITIALIZE_WORKFLOW), is
 * activated by one and the same thread until it is freed there, and owns the run's arena and
 * coroutines.
 */
#ifndef WORKFLOW_INSTANCE_H
#define WORKFLOW_INSTANCE_H

#include <temporal/interceptor.h>
#include <temporal/workflow.h>

#include "engine/activation.h"
#include "engine/command.h"

struct wf_instance;
struct wf_log_record;

/* What all instances of a worker share; borrowed, must outlive them. */
struct wf_config {
	const char *namespace_, *task_queue;
	/* NULL-terminated; one without contract and name is the dynamic one. */
	const struct temporal_workflow *const *workflows;
	size_t stack_size; /* reserved for a coroutine; 0: 64 KiB */
	size_t memory_max; /* budget of one run's arena; 0: 128 MiB */
	/* Logs of workflow code that is not replaying; on the workflow's thread. NULL: none. */
	void (*log)(const struct wf_log_record *record, void *user);
	void *log_user;
	bool log_on_replay;
	/* The deployment's behaviour for workflows without one of their own. Without versioning
	 * none is told. */
	bool use_versioning;
	enum temporal_versioning_behavior default_versioning;
	const struct temporal_workflow_opts *options; /* NULL, or ends with one of no workflow */
	/* Types of mistakes that fail the run; NULL, or NULL-terminated. */
	const char *const *failure_types;
	bool (*use_patch)(const char *patch_id, const struct wf_info *info, void *user);
	void *user;
	/* NULL, or NULL-terminated: those that have functions for workflows. */
	const struct temporal_interceptor *const *interceptors;
};

struct wf_log_record {
	int level; /* enum temporal_log_level */
	const char *message, *workflow_type, *workflow_id, *run_id;
};

/* A thread that runs instances: its scheduler's stack and its pool of coroutine stacks. One a
 * thread, used by it alone. */
struct wf_thread *wf_thread_new(const struct wf_config *config) __attribute__((warn_unused_result));
void wf_thread_free(struct wf_thread *thread);

/* What of workflow code a thread runs at the moment, for a handler of crashes on that thread: only
 * pointers are read. */
struct wf_where {
	const char *workflow_type, *workflow_id, *run_id;
	const char *coroutine, *handler; /* "": none; what of, for a signal's, query's, update's */
};
bool wf_thread_where(const struct wf_thread *thread, struct wf_where *where); /* false: none */
/* Is the address below the running coroutine's stack, where an overflow comes to? */
bool wf_thread_overflows(const struct wf_thread *thread, const void *address);

/* The workflow type is looked up with the first activation; an unknown one fails the task. NULL: no
 * memory. */
struct wf_instance *wf_instance_new(struct wf_thread *thread, const char *run_id)
	__attribute__((warn_unused_result));

/* Ends all its coroutines where they are; runs no wf_defer action. NULL is fine. */
void wf_instance_free(struct wf_instance *instance);

/*
 * Applies the jobs and runs the coroutines until all of them wait. The completion is the
 * instance's, valid until the next call. An activation with REMOVE_FROM_CACHE gives an empty one.
 */
const struct completion *wf_instance_activate(
	struct wf_instance *instance, const struct activation *activation);

/*
 * The completion is no longer needed: frees what it held, so that a run which waits in the cache is
 * small. Optional.
 */
void wf_instance_done(struct wf_instance *instance);

/* Bytes that it holds: arena, touched stacks, bookkeeping. */
size_t wf_instance_memory(const struct wf_instance *instance);

#endif
