/*
 * machine_external.c: the failures that the machines of signals and cancellations to other
 * workflows have in common. In the arena of the activation to come, where the job is.
 *
 * The thread that owns the run.
 */
#include "engine/run.h"

/* By the number of the cause: the enums of signals and cancellations agree in what they have. */
static const char *const causes[] = { "Unspecified", "ExternalWorkflowExecutionNotFound",
	"NamespaceNotFound", "SignalCountLimitExceeded" };

const Failure__Failure *machine_external_failure(
	struct engine_run *run, const char *what, int cause)
{
	struct arena *arena = run_activation_arena(run);
	Failure__Failure *failure = PROTO_NEW(arena, Failure__Failure, failure__failure);
	Failure__ApplicationFailureInfo *info = PROTO_NEW(
		arena, Failure__ApplicationFailureInfo, failure__application_failure_info);
	bool known = cause > 0 && (size_t)cause < sizeof(causes) / sizeof(causes[0]);

	if (!failure || !info) {
		run_no_memory(run);
		return NULL;
	}
	info->type = causes[known ? cause : 0];
	failure->message = arena_printf(arena, "%s: %s", what, info->type);
	failure->failure_info_case = FAILURE__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO;
	failure->application_failure_info = info;
	if (failure->message)
		return failure;
	run_no_memory(run);
	return NULL;
}

const Failure__Failure *machine_cancelled_failure(struct engine_run *run, const char *message)
{
	struct arena *arena = run_activation_arena(run);
	Failure__Failure *failure = PROTO_NEW(arena, Failure__Failure, failure__failure);
	Failure__CanceledFailureInfo *info =
		PROTO_NEW(arena, Failure__CanceledFailureInfo, failure__canceled_failure_info);

	if (!failure || !info) {
		run_no_memory(run);
		return NULL;
	}
	failure->message = message;
	failure->failure_info_case = FAILURE__FAILURE__FAILURE_INFO_CANCELED_FAILURE_INFO;
	failure->canceled_failure_info = info;
	return failure;
}
