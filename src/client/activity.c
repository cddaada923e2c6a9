/*
 * activity.c: activities that are completed from outside of the worker that took them: by the token
 * of their task or by the ids of workflow and activity. For each of the four reports the API has
 * two requests, which differ in the target alone.
 *
 * A report is filled in by one function for each kind (fill_in_...), which chooses the request by
 * the target. They are sent without retries beyond rpc's usual ones: a report whose reply was lost
 * is answered NOT_FOUND the second time, which tells the caller that the activity is no longer
 * open.
 */
#include <temporal/api/workflowservice/v1/request_response.pb-c.h>

#include "base/error.h"
#include "base/str.h"
#include "client/call.h"
#include "client/request.h"
#include "convert/convert.h"

/* What is reported; only the fields of its kind are set. */
struct report {
	const struct temporal_contract *contract; /* of a typed result */
	const void *out;
	struct temporal_payloads payloads; /* result, details or last heartbeat */
	const struct temporal_failure *failure;
};

/* Fills in the target of either form; the fields have the same names in all requests. */
#define BY_TOKEN(message_, call_, target_) \
	do { \
		(message_)->namespace_ = client_namespace((call_)->client); \
		(message_)->identity = client_identity((call_)->client); \
		(message_)->task_token = token_of(target_); \
	} while (0)
#define BY_ID(message_, call_, target_) \
	do { \
		(message_)->namespace_ = client_namespace((call_)->client); \
		(message_)->identity = client_identity((call_)->client); \
		(message_)->workflow_id = (target_)->workflow_id; \
		(message_)->run_id = (target_)->run_id; \
		(message_)->activity_id = (target_)->activity_id; \
	} while (0)
#define NEW_REQUEST(builder_, Name_, name_) \
	REQUEST_NEW( \
		(builder_), Workflowservice__##Name_##Request, workflowservice__##name_##_request)

typedef void fill_in_fn(struct client_request *builder, struct client_call *call,
	const struct temporal_activity_target *target, const struct report *report);

/* The API's structs have no const; nobody writes there. */
static ProtobufCBinaryData token_of(const struct temporal_activity_target *target)
{
	ProtobufCBinaryData token = { .len = target->task_token.len };

	token.data = (uint8_t *)(uintptr_t)target->task_token.data;
	return token;
}

static bool has_token(const struct temporal_activity_target *target)
{
	return target->task_token.len > 0;
}

/* The contract's result as a list of one; a void result is none. */
static Common__Payloads *result_of(struct client_request *builder, const struct report *report)
{
	Common__Payloads *made;
	Common__Payload *one = NULL;
	enum temporal_code code;

	if (!report->contract)
		return client_request_payloads(builder, report->payloads);
	if (report->contract->definition != TEMPORAL_DEFINES_ACTIVITY)
		client_request_fail(builder, "\"%s\" is no activity", report->contract->name);
	if (report->contract->out_size && !report->out)
		client_request_fail(
			builder, "\"%s\" has a result, but none is given", report->contract->name);
	if (builder->code)
		return NULL;
	code = convert_encode_result(
		builder->arena, report->contract, report->out, &one, builder->err);
	if (code)
		builder->code = code;
	if (code || !one)
		return NULL;
	made = REQUEST_NEW(builder, Common__Payloads, common__payloads);
	made->payloads = arena_array(builder->arena, 1, sizeof(Common__Payload *));
	if (!made->payloads) {
		builder->code = error_no_memory(builder->err, "a request");
		return NULL;
	}
	made->payloads[0] = one;
	made->n_payloads = 1;
	return made;
}

static void fill_in_completed(struct client_request *builder, struct client_call *call,
	const struct temporal_activity_target *target, const struct report *report)
{
	client_call_name(call, "completion of an activity");
	call->took = client_took_nothing;
	if (has_token(target)) {
		Workflowservice__RespondActivityTaskCompletedRequest *message = NEW_REQUEST(
			builder, RespondActivityTaskCompleted, respond_activity_task_completed);

		BY_TOKEN(message, call, target);
		message->result = result_of(builder, report);
		call->method = &rpc_workflow_respond_activity_task_completed;
		call->message = message;
	} else {
		Workflowservice__RespondActivityTaskCompletedByIdRequest *message =
			NEW_REQUEST(builder, RespondActivityTaskCompletedById,
				respond_activity_task_completed_by_id);

		BY_ID(message, call, target);
		message->result = result_of(builder, report);
		call->method = &rpc_workflow_respond_activity_task_completed_by_id;
		call->message = message;
	}
}

/*
 * A failure must be there: without one the server would record an attempt that failed for no
 * reason.
 */
static Failure__Failure *failure_of(struct client_request *builder, const struct report *report)
{
	Failure__Failure *made;

	if (!report->failure) {
		client_request_fail(builder, "no failure is given");
		return NULL;
	}
	made = convert_failure_to_api(builder->arena, report->failure);
	if (!made && !builder->code)
		builder->code = error_no_memory(builder->err, "a failure");
	return made;
}

/*
 * The last heartbeat's details go along, so that the next attempt finds them even if no heartbeat
 * had carried them.
 */
static void fill_in_failed(struct client_request *builder, struct client_call *call,
	const struct temporal_activity_target *target, const struct report *report)
{
	client_call_name(call, "failure of an activity");
	call->took = client_took_nothing;
	if (has_token(target)) {
		Workflowservice__RespondActivityTaskFailedRequest *message = NEW_REQUEST(
			builder, RespondActivityTaskFailed, respond_activity_task_failed);

		BY_TOKEN(message, call, target);
		message->failure = failure_of(builder, report);
		message->last_heartbeat_details =
			client_request_payloads(builder, report->payloads);
		call->method = &rpc_workflow_respond_activity_task_failed;
		call->message = message;
	} else {
		Workflowservice__RespondActivityTaskFailedByIdRequest *message = NEW_REQUEST(
			builder, RespondActivityTaskFailedById, respond_activity_task_failed_by_id);

		BY_ID(message, call, target);
		message->failure = failure_of(builder, report);
		message->last_heartbeat_details =
			client_request_payloads(builder, report->payloads);
		call->method = &rpc_workflow_respond_activity_task_failed_by_id;
		call->message = message;
	}
}

/*
 * Only an activity that was asked to cancel can be reported so; the server refuses it for others.
 */
static void fill_in_cancelled(struct client_request *builder, struct client_call *call,
	const struct temporal_activity_target *target, const struct report *report)
{
	client_call_name(call, "cancellation of an activity");
	call->took = client_took_nothing;
	if (has_token(target)) {
		Workflowservice__RespondActivityTaskCanceledRequest *message = NEW_REQUEST(
			builder, RespondActivityTaskCanceled, respond_activity_task_canceled);

		BY_TOKEN(message, call, target);
		message->details = client_request_payloads(builder, report->payloads);
		call->method = &rpc_workflow_respond_activity_task_canceled;
		call->message = message;
	} else {
		Workflowservice__RespondActivityTaskCanceledByIdRequest *message =
			NEW_REQUEST(builder, RespondActivityTaskCanceledById,
				respond_activity_task_canceled_by_id);

		BY_ID(message, call, target);
		message->details = client_request_payloads(builder, report->payloads);
		call->method = &rpc_workflow_respond_activity_task_canceled_by_id;
		call->message = message;
	}
}

/*
 * The reply lies in the call's arena, or where a blocked caller wants it. What it tells is how an
 * activity outside of a worker hears of its cancellation.
 */
static void end_heartbeat(struct client_call *call, struct rpc_reply *reply, bool cancel_requested,
	bool paused, bool reset)
{
	struct temporal_heartbeat_reply *made = call->state;

	if (reply->code) {
		client_call_end(call, NULL, &reply->error);
		return;
	}
	*made = (struct temporal_heartbeat_reply){ cancel_requested, paused, reset };
	client_call_end(call, made, NULL);
}

static void took_heartbeat(struct client_call *call, struct rpc_reply *reply)
{
	const Workflowservice__RecordActivityTaskHeartbeatResponse *from = reply->message;

	end_heartbeat(call, reply, from && from->cancel_requested, from && from->activity_paused,
		from && from->activity_reset);
}

static void took_heartbeat_by_id(struct client_call *call, struct rpc_reply *reply)
{
	const Workflowservice__RecordActivityTaskHeartbeatByIdResponse *from = reply->message;

	end_heartbeat(call, reply, from && from->cancel_requested, from && from->activity_paused,
		from && from->activity_reset);
}

static void fill_in_heartbeat(struct client_request *builder, struct client_call *call,
	const struct temporal_activity_target *target, const struct report *report)
{
	client_call_name(call, "heartbeat of an activity");
	if (has_token(target)) {
		Workflowservice__RecordActivityTaskHeartbeatRequest *message = NEW_REQUEST(
			builder, RecordActivityTaskHeartbeat, record_activity_task_heartbeat);

		BY_TOKEN(message, call, target);
		message->details = client_request_payloads(builder, report->payloads);
		call->method = &rpc_workflow_record_activity_task_heartbeat;
		call->message = message;
		call->took = took_heartbeat;
	} else {
		Workflowservice__RecordActivityTaskHeartbeatByIdRequest *message =
			NEW_REQUEST(builder, RecordActivityTaskHeartbeatById,
				record_activity_task_heartbeat_by_id);

		BY_ID(message, call, target);
		message->details = client_request_payloads(builder, report->payloads);
		call->method = &rpc_workflow_record_activity_task_heartbeat_by_id;
		call->message = message;
		call->took = took_heartbeat_by_id;
	}
}

/* Room for a heartbeat's reply is made for all kinds: it is three booleans. */
static struct client_call *prepare(struct temporal_client *client,
	const struct temporal_activity_target *target, fill_in_fn *fill_in,
	const struct report *report, struct temporal_error *err)
{
	struct client_call *call = client_call_new(client, NULL, err);
	struct client_request builder;

	if (!call)
		return NULL;
	client_request_init(&builder, &call->arena, err);
	if (!has_token(target) &&
		(str_empty(target->workflow_id) || str_empty(target->activity_id)))
		client_request_fail(
			&builder, "target: expected task_token, or workflow_id and activity_id");
	call->state = ARENA_NEW(&call->arena, struct temporal_heartbeat_reply);
	if (!call->state)
		builder.code = error_no_memory(err, "a report of an activity");
	if (!builder.code)
		fill_in(&builder, call, target, report);
	if (!builder.code)
		return call;
	if (call->what)
		error_prefix(err, "%s", call->what);
	client_call_free(call);
	return NULL;
}

static enum temporal_code report_and_wait(struct temporal_client *client,
	const struct temporal_activity_target *target, fill_in_fn *fill_in,
	const struct report *report, struct temporal_error *err)
{
	struct temporal_error why = { 0 };
	struct client_call *call = prepare(client, target, fill_in, report, &why);

	if (call)
		return client_call_wait(call, NULL, err);
	if (err)
		*err = why;
	return why.code;
}

static enum temporal_code report_async(struct temporal_client *client,
	const struct temporal_activity_target *target, fill_in_fn *fill_in,
	const struct report *report, temporal_done_fn *done, void *user, struct temporal_error *err)
{
	struct temporal_error why = { 0 };
	struct client_call *call = prepare(client, target, fill_in, report, &why);

	if (call)
		return client_call_done_async(call, done, user, err);
	if (err)
		*err = why;
	return why.code;
}

/* ---- the public forms ---- */

enum temporal_code temporal_activity_complete_contract_(struct temporal_client *client,
	const struct temporal_activity_target *target, const struct temporal_contract *contract,
	const void *out, struct temporal_error *err)
{
	return report_and_wait(client, target, fill_in_completed,
		&(struct report){ .contract = contract, .out = out }, err);
}

enum temporal_code temporal_activity_complete_contract_async_(struct temporal_client *client,
	const struct temporal_activity_target *target, const struct temporal_contract *contract,
	const void *out, temporal_done_fn *done, void *user, struct temporal_error *err)
{
	return report_async(client, target, fill_in_completed,
		&(struct report){ .contract = contract, .out = out }, done, user, err);
}

enum temporal_code temporal_activity_complete_payloads(struct temporal_client *client,
	const struct temporal_activity_target *target, struct temporal_payloads result,
	struct temporal_error *err)
{
	return report_and_wait(
		client, target, fill_in_completed, &(struct report){ .payloads = result }, err);
}

enum temporal_code temporal_activity_complete_payloads_async(struct temporal_client *client,
	const struct temporal_activity_target *target, struct temporal_payloads result,
	temporal_done_fn *done, void *user, struct temporal_error *err)
{
	return report_async(client, target, fill_in_completed,
		&(struct report){ .payloads = result }, done, user, err);
}

enum temporal_code temporal_activity_fail(struct temporal_client *client,
	const struct temporal_activity_target *target, const struct temporal_failure *failure,
	struct temporal_payloads heartbeat, struct temporal_error *err)
{
	return report_and_wait(client, target, fill_in_failed,
		&(struct report){ .failure = failure, .payloads = heartbeat }, err);
}

enum temporal_code temporal_activity_fail_async(struct temporal_client *client,
	const struct temporal_activity_target *target, const struct temporal_failure *failure,
	struct temporal_payloads heartbeat, temporal_done_fn *done, void *user,
	struct temporal_error *err)
{
	return report_async(client, target, fill_in_failed,
		&(struct report){ .failure = failure, .payloads = heartbeat }, done, user, err);
}

enum temporal_code temporal_activity_report_cancelled(struct temporal_client *client,
	const struct temporal_activity_target *target, struct temporal_payloads details,
	struct temporal_error *err)
{
	return report_and_wait(
		client, target, fill_in_cancelled, &(struct report){ .payloads = details }, err);
}

enum temporal_code temporal_activity_report_cancelled_async(struct temporal_client *client,
	const struct temporal_activity_target *target, struct temporal_payloads details,
	temporal_done_fn *done, void *user, struct temporal_error *err)
{
	return report_async(client, target, fill_in_cancelled,
		&(struct report){ .payloads = details }, done, user, err);
}

enum temporal_code temporal_activity_heartbeat(struct temporal_client *client,
	const struct temporal_activity_target *target, struct temporal_payloads details,
	struct temporal_heartbeat_reply *reply, struct temporal_error *err)
{
	struct temporal_error why = { 0 };
	struct client_call *call = prepare(
		client, target, fill_in_heartbeat, &(struct report){ .payloads = details }, &why);

	if (!call) {
		if (err)
			*err = why;
		return why.code;
	}
	if (reply)
		call->state = reply; /* written before this thread wakes up */
	return client_call_wait(call, NULL, err);
}

static void tell(struct client_call *call, void *value, const struct temporal_error *err)
{
	call->tell.heartbeat(value, err, call->user);
}

enum temporal_code temporal_activity_heartbeat_async(struct temporal_client *client,
	const struct temporal_activity_target *target, struct temporal_payloads details,
	temporal_heartbeat_fn *done, void *user, struct temporal_error *err)
{
	struct temporal_error why = { 0 };
	struct client_call *call = prepare(
		client, target, fill_in_heartbeat, &(struct report){ .payloads = details }, &why);

	if (call) {
		call->ended = tell;
		call->tell.heartbeat = done;
		call->user = user;
		return client_call_start(call, err);
	}
	if (err)
		*err = why;
	return why.code;
}
