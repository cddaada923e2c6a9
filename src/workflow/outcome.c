/*
 * outcome.c: what an activation's answer says beside its commands, by the worker's options: the
 * workflow's versioning behaviour, and whether a mistake ends the run or just its task.
 *
 * A mistake (run_break, run_fault) fails the task, as a corrected worker may do better. Of types
 * that the worker lists it fails the run: the commands that were given before stay, as with a
 * failure of the run's own, and one that fails it follows. The same happens on every replay, where
 * that command meets its event.
 *
 * On the thread's stack, once an activation.
 */
#include "workflow/run.h"

#include "base/str.h"

static bool lists(const char *const *types, const char *type)
{
	for (; types && *types; types++) {
		if (str_same(*types, "*") || str_same(*types, type))
			return true;
	}
	return false;
}

static bool ends_run(const struct wf *wf, const Failure__Failure *failure)
{
	const Failure__ApplicationFailureInfo *info = failure->application_failure_info;

	if (failure->failure_info_case != FAILURE__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO ||
		str_empty(info->type)) /* no memory: it has no type */
		return false;
	return lists(wf->thread->config->failure_types, info->type) ||
	       (wf->options && lists(wf->options->failure_types, info->type));
}

/* Its code is not resumed: all coroutines end where they stand, but queries still get answers. */
void outcome_of_failure(struct wf *wf)
{
	const Failure__Failure *failure = wf->completion.failure;

	if (!wf->definition || wf->finished || !failure || !ends_run(wf, failure))
		return;
	wf->completion = (struct completion){ .failed = false };
	wf->broken = false;
	coroutine_end_all(wf);
	wf->evicted = false;
	wf->main = NULL;
	wf->handlers_running = 0;
	struct command *command = run_last_command(wf, COMMAND_FAIL_WORKFLOW);
	if (command)
		command->fail.failure = failure;
}

/* The numbers are the API's. */
Enums__VersioningBehavior outcome_versioning(const struct wf *wf)
{
	const struct wf_config *config = wf->thread->config;
	enum temporal_versioning_behavior behavior = config->default_versioning;

	if (!config->use_versioning)
		return ENUMS__VERSIONING_BEHAVIOR__VERSIONING_BEHAVIOR_UNSPECIFIED;
	if (wf->options && wf->options->versioning)
		behavior = wf->options->versioning;
	return (Enums__VersioningBehavior)behavior;
}
