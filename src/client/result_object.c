/*
 * result_object.c: results as objects: made on the loop's thread, read by their owner on any.
 *
 * Decoding by a contract writes to the result's arena, so that strings live as long as the result.
 * Hence one result is decoded by one thread at a time.
 *
 * One type for results of runs and answers of queries: status, payloads, failure. Not counted: it
 * has one owner.
 */
#include "client/result_object.h"

#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"
#include "convert/convert.h"
#include "proto/codec.h"

struct temporal_result *client_result_new(
	const char *workflow_id, const char *run_id, struct temporal_error *err)
{
	struct temporal_result *result = mem_zalloc(sizeof(*result));

	if (!result) {
		error_no_memory(err, "a result");
		return NULL;
	}
	arena_init(&result->arena, 512, ARENA_NO_BUDGET);
	result->workflow_id = arena_strdup(&result->arena, workflow_id);
	result->run_id = arena_strdup(&result->arena, run_id);
	result->next_run_id = "";
	if (!result->workflow_id || !result->run_id) {
		error_no_memory(err, "a result");
		temporal_result_unref(result);
		return NULL;
	}
	return result;
}

void temporal_result_unref(struct temporal_result *result)
{
	if (!result)
		return;
	arena_finish(&result->arena);
	mem_free(result);
}

/* Into the arena, so that the reply can go. */
enum temporal_code client_payloads_from_api(struct arena *arena, const Common__Payloads *from,
	struct temporal_payloads *out, struct temporal_error *err)
{
	*out = (struct temporal_payloads){ NULL, 0 };
	if (from && from->n_payloads &&
		!convert_payloads_from_api(arena, from->payloads, from->n_payloads, out))
		return error_no_memory(err, "payloads");
	return TEMPORAL_OK;
}

/* The first one is kept in the API's form too, for decoding by a contract later. */
enum temporal_code client_result_take_payloads(struct temporal_result *result,
	const Common__Payloads *payloads, struct temporal_error *err)
{
	enum temporal_code code =
		client_payloads_from_api(&result->arena, payloads, &result->payloads, err);

	if (code || !result->payloads.count)
		return code;
	result->first = proto_copy(&result->arena, payloads->payloads[0]);
	return result->first ? TEMPORAL_OK : error_no_memory(err, "a result");
}

static const char *const status_names[] = {
	[TEMPORAL_STATUS_UNSPECIFIED] = "ended in a way that is not known here",
	[TEMPORAL_STATUS_RUNNING] = "is running",
	[TEMPORAL_STATUS_COMPLETED] = "completed",
	[TEMPORAL_STATUS_FAILED] = "failed",
	[TEMPORAL_STATUS_CANCELED] = "was cancelled",
	[TEMPORAL_STATUS_TERMINATED] = "was terminated",
	[TEMPORAL_STATUS_CONTINUED_AS_NEW] = "continued as new",
	[TEMPORAL_STATUS_TIMED_OUT] = "timed out",
	[TEMPORAL_STATUS_PAUSED] = "is paused",
};

/*
 * As the predicate of a sentence: "workflow "order-1" failed". A status from a newer server has a
 * name too.
 */
const char *client_result_status_name(enum temporal_status status)
{
	size_t n = (size_t)status;

	return status_names[n < sizeof(status_names) / sizeof(status_names[0]) ? n : 0];
}

/* The root cause says most: "workflow "order-1" failed: charge_card: card declined". */
static enum temporal_code failed(const struct temporal_result *result, struct temporal_error *err)
{
	const struct temporal_failure *failure = result->failure;
	enum temporal_code code;

	if (result->update_id)
		return error_set(err, TEMPORAL_UPDATE_FAILED,
			"update \"%s\" of workflow \"%s\" failed: %s", result->update_id,
			result->workflow_id, failure ? failure->message : "it does not say why");
	if (result->status == TEMPORAL_STATUS_CONTINUED_AS_NEW)
		return error_set(err, TEMPORAL_RUN_FAILED,
			"workflow \"%s\" continued as new: its next run is %s", result->workflow_id,
			result->next_run_id);
	if (!failure)
		return error_set(err, TEMPORAL_RUN_FAILED, "workflow \"%s\" %s",
			result->workflow_id, client_result_status_name(result->status));
	if (failure->cause) {
		const struct temporal_failure *root = failure->cause;

		while (root->cause)
			root = root->cause;
		code = error_set(err, TEMPORAL_RUN_FAILED, "workflow \"%s\" %s: %s: %s",
			result->workflow_id, client_result_status_name(result->status),
			failure->message, root->message);
	} else {
		code = error_set(err, TEMPORAL_RUN_FAILED, "workflow \"%s\" %s: %s",
			result->workflow_id, client_result_status_name(result->status),
			failure->message);
	}
	return code;
}

/* A second call decodes again. */
enum temporal_code temporal_result_get_(struct temporal_result *result,
	const struct temporal_contract *contract, void *out, struct temporal_error *err)
{
	enum temporal_code code;

	if (result->status != TEMPORAL_STATUS_COMPLETED)
		return failed(result, err);
	if (!out)
		return TEMPORAL_OK;
	code = convert_decode_result(&result->arena, contract, result->first, out, err);
	if (code)
		error_prefix(err, "result of \"%s\" of workflow \"%s\"", contract->name,
			result->workflow_id);
	return code;
}

/* Would `out` point into the result's arena? */
static bool has_pointers(const struct temporal_field *field)
{
	if (field->shape != TEMPORAL_SHAPE_PLAIN)
		return true;
	switch (field->kind) {
	case TEMPORAL_KIND_VOID:
	case TEMPORAL_KIND_BOOL:
	case TEMPORAL_KIND_INT:
	case TEMPORAL_KIND_UINT:
	case TEMPORAL_KIND_FLOAT:
		return false;
	default:
		return true; /* a record of scalars counts as one, too: it may grow a string */
	}
}

enum temporal_code client_result_check_keep(const struct temporal_contract *contract,
	const void *out, struct temporal_result **keep, struct temporal_error *err)
{
	if (keep || !out || !has_pointers(&contract->out))
		return TEMPORAL_OK;
	return error_set(err, TEMPORAL_INVALID_ARGUMENT,
		"result of \"%s\": it points to memory that has to be kept: keep_ is NULL",
		contract->name);
}

/* With which errors an object comes along: those that it tells more of than a text can. */
enum temporal_code client_result_hand_over(struct temporal_result *result, enum temporal_code code,
	struct temporal_result **keep, const struct temporal_error *own, struct temporal_error *err)
{
	bool telling = code == TEMPORAL_OK || code == TEMPORAL_RUN_FAILED ||
		       code == TEMPORAL_QUERY_FAILED || code == TEMPORAL_QUERY_REJECTED ||
		       code == TEMPORAL_UPDATE_FAILED;

	if (keep)
		*keep = telling ? result : NULL;
	if (!keep || !telling)
		temporal_result_unref(result);
	if (code && err)
		*err = *own;
	return code;
}

enum temporal_status temporal_result_status(const struct temporal_result *result)
{
	return result->status;
}

const struct temporal_failure *temporal_result_failure(const struct temporal_result *result)
{
	return result->failure;
}

struct temporal_payloads temporal_result_payloads(const struct temporal_result *result)
{
	return result->payloads;
}

const char *temporal_result_run_id(const struct temporal_result *result)
{
	return result->run_id;
}

const char *temporal_result_next_run_id(const struct temporal_result *result)
{
	return result->next_run_id;
}
