/*
 * activity_execute.c: an attempt on its thread: decodes the arguments, runs the function, encodes
 * the result, and says what is to be answered. It has no state of its own.
 *
 * What an attempt cannot do, such as to decode its arguments, is its failure like any other, so
 * that the retry policy decides over it. In a child process only the part between the messages runs
 * (worker_activity_call); the rest is the worker's.
 */
#include "base/error.h"
#include "convert/convert.h"
#include "worker/act.h"
#include "worker/activity.h"
#include "worker/crash.h"
#include "worker/event.h"
#include "worker/intercept.h"
#include "worker/isolate.h"
#include "worker/local.h"
#include "worker/metrics.h"
#include "worker/worker.h"

/* Retry policies go by the type: a payload's is the one that workflow code sees too. */
const char *worker_activity_error_type(const struct temporal_error *err)
{
	return err->code == TEMPORAL_BAD_PAYLOAD ? "BadPayload" : temporal_code_name(err->code);
}

static const struct temporal_failure *not_registered(struct act *act)
{
	const struct temporal_activity *const *activities = act->worker->opts.activities;
	const char *names = "";

	for (size_t i = 0; activities[i] && names; i++)
		names = act_printf(
			act, "%s%s%s", names, i ? ", " : "", activities[i]->contract->name);
	return act_failure(act, "NotFoundError",
		"this worker has no activity \"%s\" (asked for by workflow \"%s\"); it has: %s",
		act->info.activity_type, act->info.workflow_type, names ? names : "");
}

static const struct temporal_failure *run_typed(struct act *act, Common__Payload **result)
{
	const struct temporal_contract *contract = act->definition->contract;
	const Common__Payloads *input = act->task->input;
	struct temporal_error err;
	void *in = act_alloc(act, contract->in.size), *out = act_alloc(act, contract->out_size);

	if (!in || !out)
		return act_failure(act, "NO_MEMORY", "no memory for the arguments");
	if (convert_decode_arguments(&act->arena, contract, input ? input->payloads : NULL,
		    input ? input->n_payloads : 0, in, &err) != TEMPORAL_OK)
		return act_failure(act, worker_activity_error_type(&err),
			"decoding the arguments: %s", err.message);
	const struct temporal_failure *failure = worker_intercept_execute(act, in, out);

	if (failure || act->later)
		return failure;
	if (convert_encode_result(&act->arena, contract, out, result, &err) != TEMPORAL_OK)
		return act_failure(act, worker_activity_error_type(&err), "encoding the result: %s",
			err.message);
	return NULL;
}

/* The dynamic activity: payloads in, a payload out. */
static const struct temporal_failure *run_dynamic(struct act *act, Common__Payload **result)
{
	const Common__Payloads *input = act->task->input;
	struct temporal_payloads in = { 0 };
	struct temporal_payload out = { 0 };

	if (input &&
		!convert_payloads_from_api(&act->arena, input->payloads, input->n_payloads, &in))
		return act_failure(act, "NO_MEMORY", "no memory for the arguments");
	const struct temporal_failure *failure = worker_intercept_execute(act, &in, &out);

	if (failure || act->later || (!out.encoding && !out.data.data))
		return failure;
	*result = convert_payload_to_api(&act->arena, &out);
	return *result ? NULL : act_failure(act, "NO_MEMORY", "no memory for the result");
}

/* Nobody can complete it later: it has no token, and its task waits. */
static void end_local(
	struct act *act, const struct temporal_failure *failure, Common__Payload *result)
{
	if (!failure && act->later)
		failure = act_failure_with(act,
			&(const struct act_failure_opts){
				.type = "InvalidArgument", .non_retryable = true },
			"a local activity cannot be completed later");
	if (failure)
		worker_activity_tell_failed(act, failure);
	else
		worker_event(
			act->worker, worker_activity_event(act, TEMPORAL_EVENT_ACTIVITY_COMPLETED));
	worker_local_end(act, failure ? worker_activity_failure(act, failure) : NULL,
		failure ? NULL : result);
}

const struct temporal_failure *worker_activity_call(struct act *act, Common__Payload **result)
{
	if (!act->definition)
		return not_registered(act);
	return act->definition->contract ? run_typed(act, result) : run_dynamic(act, result);
}

static bool is_unknown(struct act *act)
{
	pthread_mutex_lock(&act->lock);
	bool unknown = act->unknown;

	pthread_mutex_unlock(&act->lock);
	return unknown;
}

void worker_activity_execute(struct act *act)
{
	Common__Payload *result = NULL;

	crash_runs_activity(act);
	const struct temporal_failure *failure =
		act->isolated ? isolate_attempt(act, &result) : worker_activity_call(act, &result);

	crash_runs_activity(NULL);
	worker_metrics_attempt_ends(act, failure);
	if (act->is_local)
		end_local(act, failure, result);
	else if (is_unknown(act))
		worker_activity_answer_nothing(act, TEMPORAL_EVENT_ACTIVITY_CANCELED);
	else if (failure)
		worker_activity_answer_failure(act, failure);
	else if (act->later)
		worker_activity_answer_nothing(act, TEMPORAL_EVENT_ACTIVITY_LEFT_OPEN);
	else
		worker_activity_answer(act, result);
}
