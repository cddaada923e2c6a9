/*
 * play.h: drives one run by hand-made activations, without an engine, and writes down what it
 * answers as text:
 *
 *	play_start(&play, "Order", "\"a\"", NULL);      jobs are collected
 *	play_signal(&play, "approve", "\"ann\"");
 *	play_expect(&play, "activity 1 charge(99.5)\n"); applied; the answer is compared
 */
#ifndef TEST_UNIT_WORKFLOW_PLAY_H
#define TEST_UNIT_WORKFLOW_PLAY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "convert/convert.h"
#include "proto/codec.h"
#include "workflow/instance.h"

struct play {
	struct wf_config config;
	struct wf_thread *thread;
	struct wf_instance *instance;
	struct arena arena; /* of the activations */
	struct activation activation;
	struct activation_job jobs[32];
	struct activation_initialize initialize;
	const struct completion *completion;
	char text[8192]; /* the last answer */
	char log[4096];  /* all lines */
};

static inline void play_log(const struct wf_log_record *record, void *user)
{
	struct play *play = user;
	size_t used = strlen(play->log);

	snprintf(play->log + used, sizeof(play->log) - used, "%d %s\n", record->level,
		record->message);
}

static inline void play_open(struct play *play, const struct temporal_workflow *const *workflows)
{
	memset(play, 0, sizeof(*play));
	play->config = (struct wf_config){
		.namespace_ = "default",
		.task_queue = "queue",
		.workflows = workflows,
		.log = play_log,
		.log_user = play,
	};
	play->thread = wf_thread_new(&play->config);
	assert_non_null(play->thread);
	play->instance = wf_instance_new(play->thread, "run-1");
	assert_non_null(play->instance);
	arena_init(&play->arena, 65536, ARENA_NO_BUDGET);
	assert_non_null(arena_alloc(&play->arena, 1));
	play->activation.time_ns = 1000000000;
}

static inline void play_close(struct play *play)
{
	wf_instance_free(play->instance);
	wf_thread_free(play->thread);
	arena_finish(&play->arena);
}

static inline struct activation_job *play_job(struct play *play, enum activation_job_kind kind)
{
	assert_true(play->activation.n_jobs < 32);
	struct activation_job *job = &play->jobs[play->activation.n_jobs++];

	memset(job, 0, sizeof(*job));
	job->kind = kind;
	return job;
}

static inline Common__Payload *play_payload(struct play *play, const char *json)
{
	struct temporal_payload payload = { .data = { json, strlen(json) } };

	return convert_payload_to_api(&play->arena, &payload);
}

/* JSON texts up to a NULL. */
static inline struct activation_payloads play_payloads(struct play *play, va_list args)
{
	Common__Payload **items = arena_array(&play->arena, 16, sizeof(*items));
	size_t count = 0;

	for (const char *json = va_arg(args, const char *); json; json = va_arg(args, const char *))
		items[count++] = play_payload(play, json);
	return (struct activation_payloads){ items, count };
}

static inline struct activation_payloads play_one(struct play *play, const char *json)
{
	Common__Payload **items = arena_array(&play->arena, 1, sizeof(*items));

	if (json)
		items[0] = play_payload(play, json);
	return (struct activation_payloads){ items, json ? 1 : 0 };
}

__attribute__((sentinel)) static inline void play_start(struct play *play, const char *type, ...)
{
	va_list more;

	va_start(more, type);
	play->initialize = (struct activation_initialize){
		.workflow_type = type,
		.workflow_id = "wf-1",
		.arguments = play_payloads(play, more),
		.randomness_seed = 42,
		.identity = "",
		.continued_from_run_id = "",
		.first_execution_run_id = "run-1",
		.original_execution_run_id = "run-1",
		.attempt = 1,
		.cron_schedule = "",
	};
	va_end(more);
	play_job(play, JOB_INITIALIZE_WORKFLOW)->initialize = &play->initialize;
}

static inline void play_signal(struct play *play, const char *name, const char *json)
{
	play_job(play, JOB_SIGNAL_WORKFLOW)->signal = (struct activation_signal){
		.signal_name = name, .input = play_one(play, json), .identity = ""
	};
}

static inline void play_query(struct play *play, const char *id, const char *type, const char *json)
{
	play_job(play, JOB_QUERY_WORKFLOW)->query = (struct activation_query){
		.query_id = id, .query_type = type, .arguments = play_one(play, json)
	};
}

static inline void play_fire(struct play *play, uint32_t seq)
{
	play_job(play, JOB_FIRE_TIMER)->fire_timer.seq = seq;
}

static inline void play_cancel(struct play *play, const char *reason)
{
	play_job(play, JOB_CANCEL_WORKFLOW)->cancel.reason = reason;
}

static inline void play_activity(struct play *play, uint32_t seq, const char *json)
{
	struct activation_job *job = play_job(play, JOB_RESOLVE_ACTIVITY);

	job->resolve_activity.seq = seq;
	job->resolve_activity.result = (struct resolution){
		.status = RESOLUTION_COMPLETED,
		.result = json ? play_payload(play, json) : NULL,
	};
}

/* The activity ended by a cause of that kind: APPLICATION with `type`, or CANCELLED. */
static inline void play_activity_failed(
	struct play *play, uint32_t seq, enum temporal_failure_kind kind, const char *type)
{
	struct activation_job *job = play_job(play, JOB_RESOLVE_ACTIVITY);
	struct temporal_failure cause = { .kind = kind, .type = type, .message = "it broke" };
	struct temporal_failure failure = {
		.kind = TEMPORAL_FAILURE_ACTIVITY,
		.message = "activity error",
		.activity_type = "some",
		.cause = &cause,
	};
	bool cancelled = kind == TEMPORAL_FAILURE_CANCELLED;

	job->resolve_activity.seq = seq;
	job->resolve_activity.result = (struct resolution){
		.status = cancelled ? RESOLUTION_CANCELLED : RESOLUTION_FAILED,
		.failure = convert_failure_to_api(&play->arena, &failure),
	};
}

static inline Failure__Failure *play_failure(
	struct play *play, enum temporal_failure_kind kind, const char *message)
{
	struct temporal_failure failure = { .kind = kind, .message = message, .type = "Kind" };

	return convert_failure_to_api(&play->arena, &failure);
}

static inline void play_child_started(struct play *play, uint32_t seq, const char *run_id)
{
	play_job(play, JOB_RESOLVE_CHILD_START)->resolve_child_start =
		(struct activation_resolve_child_start){
			.seq = seq, .run_id = run_id, .workflow_id = "", .workflow_type = ""
		};
}

static inline void play_child(
	struct play *play, uint32_t seq, enum resolution_status status, const char *json_or_message)
{
	bool completed = status == RESOLUTION_COMPLETED;
	struct activation_job *job = play_job(play, JOB_RESOLVE_CHILD);

	job->resolve_child.seq = seq;
	job->resolve_child.result = (struct resolution){
		.status = status,
		.result = completed && json_or_message ? play_payload(play, json_or_message) : NULL,
		.failure = completed ? NULL
				     : play_failure(play,
					       status == RESOLUTION_CANCELLED
						       ? TEMPORAL_FAILURE_CANCELLED
						       : TEMPORAL_FAILURE_APPLICATION,
					       json_or_message),
	};
}

/* ---- the answer as text ---- */

static inline void play_say(struct play *play, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static inline void play_say(struct play *play, const char *format, ...)
{
	size_t used = strlen(play->text);
	va_list args;

	va_start(args, format);
	vsnprintf(play->text + used, sizeof(play->text) - used, format, args);
	va_end(args);
}

static inline void play_say_payload(struct play *play, const Common__Payload *payload)
{
	if (payload)
		play_say(play, "%.*s", (int)payload->data.len, (const char *)payload->data.data);
	else
		play_say(play, "nothing");
}

static inline void play_say_payloads(struct play *play, struct activation_payloads payloads)
{
	play_say(play, "(");
	for (size_t i = 0; i < payloads.count; i++) {
		play_say(play, "%s", i ? ", " : "");
		play_say_payload(play, payloads.items[i]);
	}
	play_say(play, ")");
}

static inline void play_say_failure(struct play *play, const Failure__Failure *failure)
{
	for (; failure; failure = failure->cause) {
		if (failure->failure_info_case ==
			FAILURE__FAILURE__FAILURE_INFO_APPLICATION_FAILURE_INFO)
			play_say(play, "%s: ", failure->application_failure_info->type);
		play_say(play, "%s%s", failure->message, failure->cause ? " <- " : "");
	}
}

static inline void play_say_attributes(struct play *play, const struct command *command)
{
	switch (command->kind) {
	case COMMAND_SET_PATCH_MARKER:
		play_say(play, "patch %s%s", command->set_patch_marker.patch_id,
			command->set_patch_marker.deprecated ? " deprecated" : "");
		break;
	case COMMAND_UPSERT_SEARCH_ATTRIBUTES:
		play_say(play, "attributes");
		for (size_t i = 0;
			i < command->upsert_search_attributes.search_attributes->n_indexed_fields;
			i++) {
			play_say(play, " %s=",
				command->upsert_search_attributes.search_attributes
					->indexed_fields[i]
					->key);
			play_say_payload(play, command->upsert_search_attributes.search_attributes
						       ->indexed_fields[i]
						       ->value);
		}
		break;
	case COMMAND_MODIFY_PROPERTIES:
		play_say(play, "memo");
		for (size_t i = 0; i < command->modify_properties.upserted_memo->n_fields; i++) {
			play_say(play,
				" %s=", command->modify_properties.upserted_memo->fields[i]->key);
			play_say_payload(
				play, command->modify_properties.upserted_memo->fields[i]->value);
		}
		break;
	default:
		play_say(play, "command of kind %d", (int)command->kind);
	}
}

static inline void play_say_remote(struct play *play, const struct command *command)
{
	const struct command_signal_external *signal = &command->signal_external;

	switch (command->kind) {
	case COMMAND_SCHEDULE_LOCAL_ACTIVITY:
		play_say(play, "local %u %s attempt %u", command->schedule_local_activity.seq,
			command->schedule_local_activity.activity_type,
			command->schedule_local_activity.attempt);
		play_say_payloads(play, command->schedule_local_activity.arguments);
		break;
	case COMMAND_REQUEST_CANCEL_LOCAL_ACTIVITY:
		play_say(play, "cancel local %u", command->request_cancel_local_activity.seq);
		break;
	case COMMAND_START_CHILD:
		play_say(play, "child %u %s %s", command->start_child.seq,
			command->start_child.workflow_type, command->start_child.workflow_id);
		play_say_payloads(play, command->start_child.input);
		break;
	case COMMAND_CANCEL_CHILD:
		play_say(play, "cancel child %u", command->cancel_child.seq);
		break;
	case COMMAND_SIGNAL_EXTERNAL:
		play_say(play, "signal %u %s to %s", signal->seq, signal->signal_name,
			signal->child_workflow_id ? signal->child_workflow_id
						  : signal->execution.workflow_id);
		play_say_payloads(play, signal->arguments);
		break;
	case COMMAND_CANCEL_SIGNAL:
		play_say(play, "cancel signal %u", command->cancel_signal.seq);
		break;
	case COMMAND_REQUEST_CANCEL_EXTERNAL:
		play_say(play, "cancel workflow %u %s: %s", command->cancel_external.seq,
			command->cancel_external.execution.workflow_id,
			command->cancel_external.reason);
		break;
	case COMMAND_SCHEDULE_NEXUS:
		play_say(play, "nexus %u %s/%s/%s(", command->schedule_nexus.seq,
			command->schedule_nexus.endpoint, command->schedule_nexus.service,
			command->schedule_nexus.operation);
		play_say_payload(play, command->schedule_nexus.input);
		play_say(play, ")");
		for (size_t i = 0; i < command->schedule_nexus.n_headers; i++)
			play_say(play, " %s=%s", command->schedule_nexus.headers[i].key,
				command->schedule_nexus.headers[i].value);
		break;
	case COMMAND_REQUEST_CANCEL_NEXUS:
		play_say(play, "cancel nexus %u", command->request_cancel_nexus.seq);
		break;
	default:
		play_say_attributes(play, command);
	}
}

static inline void play_say_command(struct play *play, const struct command *command)
{
	switch (command->kind) {
	case COMMAND_START_TIMER:
		play_say(play, "timer %u %gs", command->start_timer.seq,
			(double)command->start_timer.start_to_fire_ns / 1e9);
		break;
	case COMMAND_CANCEL_TIMER:
		play_say(play, "cancel timer %u", command->cancel_timer.seq);
		break;
	case COMMAND_SCHEDULE_ACTIVITY:
		play_say(play, "activity %u %s", command->schedule_activity.seq,
			command->schedule_activity.activity_type);
		play_say_payloads(play, command->schedule_activity.arguments);
		break;
	case COMMAND_REQUEST_CANCEL_ACTIVITY:
		play_say(play, "cancel activity %u", command->request_cancel_activity.seq);
		break;
	case COMMAND_QUERY_RESULT:
		play_say(play, "query %s: ", command->query_result.query_id);
		if (command->query_result.failure)
			play_say_failure(play, command->query_result.failure);
		else
			play_say_payload(play, command->query_result.response);
		break;
	case COMMAND_COMPLETE_WORKFLOW:
		play_say(play, "complete ");
		play_say_payload(play, command->complete.result);
		break;
	case COMMAND_FAIL_WORKFLOW:
		play_say(play, "fail ");
		play_say_failure(play, command->fail.failure);
		break;
	case COMMAND_CANCEL_WORKFLOW:
		play_say(play, "cancelled");
		break;
	case COMMAND_CONTINUE_AS_NEW:
		play_say(play, "continue as %s", command->continue_as_new.workflow_type);
		play_say_payloads(play, command->continue_as_new.arguments);
		break;
	case COMMAND_UPDATE_RESPONSE:
		play_say(play, "update %s %s", command->update_response.protocol_instance_id,
			command->update_response.response == UPDATE_REJECTED   ? "rejected "
			: command->update_response.response == UPDATE_ACCEPTED ? "accepted"
									       : "completed ");
		if (command->update_response.response == UPDATE_REJECTED)
			play_say_failure(play, command->update_response.rejected);
		else if (command->update_response.response == UPDATE_COMPLETED)
			play_say_payload(play, command->update_response.completed);
		break;
	default:
		play_say_remote(play, command);
	}
	play_say(play, "\n");
}

/* Applies the jobs collected, as one activation. */
static inline void play_run(struct play *play)
{
	play->activation.run_id = "run-1";
	play->activation.deployment_name = play->activation.build_id =
		play->activation.last_sdk_version = "";
	play->activation.jobs = play->jobs;
	play->completion = wf_instance_activate(play->instance, &play->activation);
	play->activation.n_jobs = 0;
	play->text[0] = '\0';
	if (play->completion->failed) {
		play_say(play, "task failed: ");
		play_say_failure(play, play->completion->failure);
		play_say(play, "\n");
	}
	for (size_t i = 0; i < play->completion->n_commands; i++)
		play_say_command(play, &play->completion->commands[i]);
	arena_reset(&play->arena); /* what the run still needs of it, it must have copied */
	play->activation.time_ns += 1000000000;
}

static inline void play_expect(struct play *play, const char *expected)
{
	play_run(play);
	assert_string_equal(play->text, expected);
}

#endif
