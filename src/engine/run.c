/*
 * run.c: a run's life from new to free, what it holds, and how it says that it cannot go on.
 *
 * The thread that owns the run.
 *
 * The run outlives its tasks: it is made with the first task of a run id and freed when the
 * worker's cache has let it go, which it may do only after ENGINE_EVICT. Everything that is needed
 * for one task alone hangs below run->task (task.c).
 *
 * Failing is a matter of the task, not of the run: the functions at the end write down the first
 * reason, and return false so that a caller can give up in the same statement. Nothing is undone on
 * the way out. A run that has failed is always evicted and comes back from history, so that no
 * half-applied state can be seen (step.c, step_fail()).
 */
#include "engine/run.h"

#include <stdarg.h>
#include <string.h>

#include "base/mem.h"
#include "engine/task.h"

struct engine_run *engine_run_new(const struct engine_config *config, const char *run_id)
{
	struct engine_run *run = mem_zalloc(sizeof(*run));

	if (!run)
		return NULL;
	run->config = config;
	run->flags.off = config->no_sdk_metadata;
	run->run_id = mem_strdup(text_or_empty(run_id));
	if (!run->run_id) {
		engine_run_free(run);
		return NULL;
	}
	return run;
}

void engine_run_free(struct engine_run *run)
{
	if (!run)
		return;
	task_end(run);
	machines_finish(run);
	flags_finish(&run->flags);
	mem_free(run->queue.items);
	patches_finish(run);
	if (run->started)
		arena_finish(run->started);
	mem_free(run->started);
	mem_free(run->deployment_name);
	mem_free(run->build_id);
	mem_free(run->workflow_type);
	mem_free(run->workflow_id);
	mem_free(run->run_id);
	mem_free(run);
}

/* Of a string that the run owns: with its terminator, as it was allocated. */
static size_t text_memory(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

/*
 * What the cache charges for the run. Counted afresh on each call rather than kept up to date: the
 * cache asks once a task, while the parts grow and shrink in many places. The allocator's own
 * overhead is not in it.
 */
size_t engine_run_memory(const struct engine_run *run)
{
	size_t size = sizeof(*run) + run->queue.capacity * sizeof(*run->queue.items) +
		      map_memory(&run->machines) + flags_memory(&run->flags) +
		      task_memory(run->task) + patches_memory(run);

	for (const struct machine_slab *slab = run->slabs; slab; slab = slab->next)
		size += sizeof(*slab);
	if (run->started)
		size += sizeof(*run->started) + run->started->held;
	return size + text_memory(run->deployment_name) + text_memory(run->build_id) +
	       text_memory(run->workflow_type) + text_memory(run->workflow_id) +
	       text_memory(run->run_id);
}

const char *engine_run_id(const struct engine_run *run)
{
	return run->run_id;
}

const char *engine_run_workflow_type(const struct engine_run *run)
{
	return text_or_empty(run->workflow_type);
}

const char *engine_run_workflow_id(const struct engine_run *run)
{
	return text_or_empty(run->workflow_id);
}

struct arena *run_inherited_arena(struct engine_run *run)
{
	if (run->started)
		return run->started;
	run->started = mem_alloc(sizeof(*run->started));
	if (run->started)
		arena_init(run->started, 256, ARENA_NO_BUDGET);
	else
		run_no_memory(run);
	return run->started;
}

/* Compares first: most tasks bring what is known already. */
bool run_set_text(char **old, const char *text)
{
	if (str_same(*old, text))
		return true;

	char *copy = str_empty(text) ? NULL : mem_strdup(text);

	if (!copy && !str_empty(text))
		return false;
	mem_free(*old);
	*old = copy;
	return true;
}

/*
 * The first failure stays: what follows from it says nothing new, and would hide the cause.
 *
 * The text lies in the task's arena, since it is sent with the task's answer. When there is no
 * memory even for that, a constant stands in for it, but cause and reason are still those of the
 * failure: a nondeterminism must not turn into a mere retry.
 */
static void fail(struct engine_run *run, Enums__WorkflowTaskFailedCause cause,
	enum eviction_reason reason, const char *prefix, const char *format, va_list args)
{
	struct run_failure *failure = &run->task->failure;
	struct arena *arena = &run->task->arena;

	if (failure->set)
		return;

	char *text = arena_vprintf(arena, format, args);

	if (text && *prefix)
		text = arena_printf(arena, "%s%s", prefix, text);
	*failure = (struct run_failure){
		.set = true,
		.cause = cause,
		.reason = reason,
		.text = text ? text : "out of memory",
	};
}

/*
 * History and the workflow's code do not fit together. Its cause is the one by which the server and
 * its tools tell this from other failures; TMPRL1100 is the code that users of all SDKs search for.
 */
bool run_nondeterminism(struct engine_run *run, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fail(run, TASK_FAILED(NON_DETERMINISTIC_ERROR), EVICTION_NONDETERMINISM,
		"[TMPRL1100] Nondeterminism error: ", format, args);
	va_end(args);
	return false;
}

/*
 * Everything else: a history that is malformed or not the one that was promised, an event that this
 * SDK does not handle, a mistake of the language above.
 */
bool run_fatal(struct engine_run *run, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fail(run, TASK_FAILED(WORKFLOW_WORKER_UNHANDLED_FAILURE), EVICTION_FATAL, "", format, args);
	va_end(args);
	return false;
}

bool run_no_memory(struct engine_run *run)
{
	return run_fatal(run, "out of memory");
}
