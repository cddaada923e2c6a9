/* show.c: from the engine's structs to words. */
#include "show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"

#define JOIN(arena_, words_, ...) join((arena_), (words_), arena_printf((arena_), __VA_ARGS__))

static char *join(struct arena *arena, char *words, char *more)
{
	char *all = words && more ? arena_printf(arena, "%s%s", words, more) : NULL;

	if (!all)
		abort();
	return all;
}

const char *show_action(enum engine_action action)
{
	static const char *const names[] = { "activate", "fetch", "completed", "failed", "query",
		"wait_locals", "idle", "evicted" };

	return names[action];
}

static char *payloads_word(
	struct arena *arena, const char *key, struct activation_payloads payloads)
{
	char *text = arena_strdup(arena, "");

	for (size_t i = 0; i < payloads.count; i++)
		text = arena_printf(arena, "%s%s%.*s", text, i ? "|" : "",
			(int)payloads.items[i]->data.len,
			(const char *)payloads.items[i]->data.data);
	return payloads.count ? arena_printf(arena, "%s=%s\n", key, text) : arena_strdup(arena, "");
}

/* The words of a message, each under a name: failure.cause.message=... */
static char *under(struct arena *arena, const char *name, const ProtobufCMessage *message)
{
	char *words = message_words(arena, message);
	char *all = arena_strdup(arena, "");

	for (char *at = words; *at; at = strchr(at, '\n') + 1)
		all = arena_printf(arena, "%s%s.%.*s\n", all, name, (int)strcspn(at, "\n"), at);
	return all;
}

static char *show_resolution(struct arena *arena, uint32_t seq, const struct resolution *result)
{
	static const char *const names[] = { "completed", "failed", "cancelled", "backoff",
		"timed_out" };
	char *words = arena_printf(arena, "seq=%u\n%s\n", seq, names[result->status]);
	Common__Payload *item[1];

	if (result->result) {
		memcpy(item, &result->result, sizeof(item[0]));
		words = join(arena, words,
			payloads_word(arena, "result", (struct activation_payloads){ item, 1 }));
	}
	if (result->failure)
		words = join(arena, words, under(arena, "failure", &result->failure->base));
	return words;
}

static char *show_initialize(struct arena *arena, const struct activation_initialize *from)
{
	char *words = arena_printf(arena,
		"initialize\ntype=%s\nworkflow_id=%s\nseed=%llu\nattempt=%d\nidentity=%s\n"
		"continued_from=%s\nfirst_run=%s\ncron=%s\nrun_timeout=%lld\nstart=%lld\n",
		from->workflow_type, from->workflow_id, (unsigned long long)from->randomness_seed,
		from->attempt, from->identity, from->continued_from_run_id,
		from->first_execution_run_id, from->cron_schedule, (long long)from->run_timeout_ms,
		(long long)(from->start_time_ns / 1000000));

	if (from->has_parent)
		words = JOIN(arena, words, "parent=%s/%s\n", from->parent.namespace_,
			from->parent.workflow_id);
	if (from->has_root)
		words = JOIN(arena, words, "root=%s\n", from->root.workflow_id);
	return join(arena, words, payloads_word(arena, "args", from->arguments));
}

static char *with_failure(struct arena *arena, char *words, const Failure__Failure *failure)
{
	return failure ? join(arena, words, under(arena, "failure", &failure->base)) : words;
}

static char *show_child_start(
	struct arena *arena, const struct activation_resolve_child_start *start)
{
	static const char *const names[] = { "started", "not_started", "cancelled" };

	return with_failure(arena,
		arena_printf(arena,
			"resolve_child_start\nseq=%u\n%s\nrun=%s\nid=%s\ntype=%s\ncause=%d\n",
			start->seq, names[start->status], start->run_id, start->workflow_id,
			start->workflow_type, (int)start->cause),
		start->failure);
}

static char *show_external(struct arena *arena, const char *name, uint32_t seq, int cause,
	const Failure__Failure *failure)
{
	return with_failure(arena,
		arena_printf(arena, "%s\nseq=%u\ncause=%d\n%s\n", name, seq, cause,
			failure ? "failed" : "delivered"),
		failure);
}

static char *show_nexus_start(struct arena *arena, const struct activation_job *job)
{
	static const char *const names[] = { "started", "at_once", "not_started" };

	return with_failure(arena,
		arena_printf(arena, "resolve_nexus_start\nseq=%u\n%s\ntoken=%s\n",
			job->resolve_nexus_start.seq, names[job->resolve_nexus_start.status],
			job->resolve_nexus_start.operation_token),
		job->resolve_nexus_start.failure);
}

char *show_job(struct arena *arena, const struct activation_job *job)
{
	switch (job->kind) {
	case JOB_INITIALIZE_WORKFLOW:
		return show_initialize(arena, job->initialize);
	case JOB_FIRE_TIMER:
		return arena_printf(arena, "fire_timer\nseq=%u\n", job->fire_timer.seq);
	case JOB_UPDATE_RANDOM_SEED:
		return arena_printf(arena, "update_random_seed\nseed=%llu\n",
			(unsigned long long)job->update_random_seed.seed);
	case JOB_QUERY_WORKFLOW:
		return join(arena,
			arena_printf(arena, "query\nid=%s\ntype=%s\n", job->query.query_id,
				job->query.query_type),
			payloads_word(arena, "args", job->query.arguments));
	case JOB_CANCEL_WORKFLOW:
		return arena_printf(arena, "cancel\nreason=%s\n", job->cancel.reason);
	case JOB_SIGNAL_WORKFLOW:
		return join(arena,
			arena_printf(arena, "signal\nname=%s\nidentity=%s\nevent=%lld\n",
				job->signal.signal_name, job->signal.identity,
				(long long)job->signal.originating_event_id),
			payloads_word(arena, "input", job->signal.input));
	case JOB_RESOLVE_ACTIVITY:
		return join(arena,
			arena_printf(arena,
				"resolve_activity\n%sbackoff_ms=%lld\nnext_attempt=%u\n"
				"original=%lld\n",
				job->resolve_activity.is_local ? "local\n" : "",
				(long long)job->resolve_activity.result.backoff_ms,
				job->resolve_activity.result.backoff_attempt,
				(long long)(job->resolve_activity.result
						    .backoff_original_schedule_ns /
					    1000000)),
			show_resolution(
				arena, job->resolve_activity.seq, &job->resolve_activity.result));
	case JOB_NOTIFY_HAS_PATCH:
		return arena_printf(arena, "has_patch\nid=%s\n", job->has_patch.patch_id);
	case JOB_RESOLVE_CHILD_START:
		return show_child_start(arena, &job->resolve_child_start);
	case JOB_RESOLVE_CHILD:
		return join(arena, arena_strdup(arena, "resolve_child\n"),
			show_resolution(arena, job->resolve_child.seq, &job->resolve_child.result));
	case JOB_RESOLVE_SIGNAL_EXTERNAL:
		return show_external(arena, "resolve_signal", job->resolve_signal_external.seq,
			(int)job->resolve_signal_external.cause,
			job->resolve_signal_external.failure);
	case JOB_RESOLVE_CANCEL_EXTERNAL:
		return show_external(arena, "resolve_cancel", job->resolve_cancel_external.seq,
			(int)job->resolve_cancel_external.cause,
			job->resolve_cancel_external.failure);
	case JOB_RESOLVE_NEXUS_START:
		return show_nexus_start(arena, job);
	case JOB_RESOLVE_NEXUS:
		return join(arena, arena_strdup(arena, "resolve_nexus\n"),
			show_resolution(arena, job->resolve_nexus.seq, &job->resolve_nexus.result));
	case JOB_DO_UPDATE:
		return join(arena,
			arena_printf(arena, "do_update\nid=%s\ninstance=%s\nname=%s\nfrom=%s\n%s\n",
				job->update.id, job->update.protocol_instance_id, job->update.name,
				job->update.meta->identity ? job->update.meta->identity : "",
				job->update.run_validator ? "validate" : "trusted"),
			payloads_word(arena, "args", job->update.input));
	case JOB_REMOVE_FROM_CACHE:
		return arena_printf(arena, "remove_from_cache\nreason=%d\nmessage=%s\n",
			(int)job->remove_from_cache.reason, job->remove_from_cache.message);
	default:
		return arena_printf(arena, "job\nkind=%d\n", (int)job->kind);
	}
}

char *show_activation(struct arena *arena, const struct activation *activation)
{
	char *words = arena_printf(arena,
		"activate\ntime=%lld\n%s\nhistory_length=%u\nhistory_size=%llu\n"
		"deployment=%s\nbuild_id=%s\nsdk_version=%s\n",
		(long long)(activation->time_ns / 1000000),
		activation->is_replaying ? "replaying" : "live", activation->history_length,
		(unsigned long long)activation->history_size_bytes, activation->deployment_name,
		activation->build_id, activation->last_sdk_version);

	if (activation->continue_as_new_suggested)
		words = JOIN(arena, words, "continue_as_new_suggested\n");
	for (size_t i = 0; i < activation->n_continue_as_new_reasons; i++)
		words = JOIN(arena, words, "continue_as_new_reason=%d\n",
			(int)activation->continue_as_new_reasons[i]);
	for (size_t i = 0; i < activation->n_internal_flags; i++)
		words = JOIN(arena, words, "flag=%u\n", activation->internal_flags[i]);
	return words;
}

/* "COMMAND_TYPE_START_TIMER" is "StartTimer". */
static char *command_name(struct arena *arena, const Command__Command *command)
{
	const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(
		&enums__command_type__descriptor, (int)command->command_type);
	char *name = arena_strdup(arena, value ? value->name + strlen("COMMAND_TYPE_") : "?");
	char *to = name;
	bool capital = true;

	for (const char *at = name; *at; at++) {
		if (*at == '_')
			capital = true;
		else {
			*to++ = (char)(capital || *at < 'A' || *at > 'Z' ? *at : *at - 'A' + 'a');
			capital = false;
		}
	}
	*to = '\0';
	return name;
}

char *show_command(struct arena *arena, const Command__Command *command)
{
	/* All members of the union are pointers to messages. */
	const void *attributes = command->start_timer_command_attributes;
	char *words = arena_printf(arena, "command\n%s\n", command_name(arena, command));

	if (command->user_metadata)
		words = join(arena, words, under(arena, "metadata", &command->user_metadata->base));
	return join(arena, words, message_words(arena, attributes));
}
