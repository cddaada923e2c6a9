/*
 * request.c: builds parts of requests from what a user wrote in options.
 *
 * Pure: no I/O, no thread but the caller's. The first error stays; what is built after it is never
 * sent.
 *
 * The first error stays because it is the one that the user can see the cause of. Going on after it
 * keeps the builders free of checks: they fill in scrap, or leave pointers NULL, and the caller
 * looks at builder->code once.
 */
#include "client/request.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/str.h"
#include "client/uuid.h"
#include "convert/convert.h"

#define MS_A_SECOND 1000
#define NS_A_MS     1000000
/* Names of the generator, too long for a line of code. */
#define BEHAVIOR_PINNED \
	WORKFLOW__VERSIONING_OVERRIDE__PINNED_OVERRIDE_BEHAVIOR__PINNED_OVERRIDE_BEHAVIOR_PINNED
#define DURATION_MAX_S INT64_C(315576000000) /* 10,000 years: protobuf's limit */

void client_request_init(
	struct client_request *builder, struct arena *arena, struct temporal_error *err)
{
	memset(builder, 0, sizeof(*builder));
	builder->arena = arena;
	builder->err = err;
}

/* INVALID_ARGUMENT: the caller's mistake, found before anything was sent. */
void client_request_fail(struct client_request *builder, const char *format, ...)
{
	char text[200];
	va_list args;

	if (builder->code)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	builder->code = error_set(builder->err, TEMPORAL_INVALID_ARGUMENT, "%s", text);
}

/* Passes the pointer on, or notes that there is none. */
static void *noted(struct client_request *builder, void *made)
{
	if (!made && !builder->code)
		builder->code = error_no_memory(builder->err, "a request");
	return made;
}

/*
 * Scrap is zeroed and large enough for each type that is built here (asserted), so what is written
 * to it lands nowhere. It is one for all: nothing is read from it.
 */
void *client_request_new(struct client_request *builder, const ProtobufCMessageDescriptor *type)
{
	void *made = noted(builder, proto_new(builder->arena, type));

	assert(type->sizeof_message <= sizeof(builder->scrap));
	return made ? made : memset(builder->scrap, 0, sizeof(builder->scrap));
}

/* Of pointers, as protobuf-c has lists of messages. */
static void *new_array(struct client_request *builder, size_t n)
{
	return noted(builder, arena_array(builder->arena, n, sizeof(void *)));
}

/* NULL for none: an empty list is the absence of arguments spelled out. */
Common__Payloads *client_request_payloads(
	struct client_request *builder, struct temporal_payloads from)
{
	return from.count ? noted(builder, convert_payloads_to_api(builder->arena, &from)) : NULL;
}

static const char *const kind_names[] = {
	[TEMPORAL_DEFINES_ACTIVITY] = "an activity",
	[TEMPORAL_DEFINES_WORKFLOW] = "a workflow",
	[TEMPORAL_DEFINES_SIGNAL] = "a signal",
	[TEMPORAL_DEFINES_QUERY] = "a query",
	[TEMPORAL_DEFINES_UPDATE] = "an update",
	[TEMPORAL_DEFINES_NEXUS_OPERATION] = "a Nexus operation",
};

/*
 * The compiler has checked contract and arguments where the macros are used; this is for those who
 * call the functions beneath.
 */
Common__Payloads *client_request_input_payloads(struct client_request *builder,
	const struct client_input *input, enum temporal_definition kind)
{
	const struct temporal_contract *contract = input->contract;
	Common__Payloads *made;
	enum temporal_code code;

	if (str_empty(input->name))
		client_request_fail(builder, "%s without a name", kind_names[kind]);
	if (!contract)
		return client_request_payloads(builder, input->arguments);
	if (contract->definition != kind)
		client_request_fail(builder, "\"%s\" is %s: expected %s", contract->name,
			kind_names[contract->definition], kind_names[kind]);
	if (contract->in.n_fields && !input->in)
		client_request_fail(
			builder, "\"%s\" has arguments, but none are given", contract->name);
	if (builder->code)
		return NULL;
	made = REQUEST_NEW(builder, Common__Payloads, common__payloads);
	code = convert_encode_arguments(builder->arena, contract, input->in, &made->payloads,
		&made->n_payloads, builder->err);
	if (code && !builder->code)
		builder->code = code;
	return made->n_payloads ? made : NULL;
}

/* The maps of the API have the same shape but three types. The entries are linked last, since each
 * may be the same scrap as the map. */
#define REQUEST_MAP(builder_, from_, Type_, prefix_) \
	do { \
		const struct temporal_entries *given_ = (from_); \
		Type_##__FieldsEntry **fields_; \
		Type_ *made_; \
		if (!given_ || !given_->count) \
			return NULL; \
		made_ = REQUEST_NEW((builder_), Type_, prefix_); \
		fields_ = new_array((builder_), given_->count); \
		for (size_t i_ = 0; i_ < given_->count && fields_; i_++) { \
			Type_##__FieldsEntry *field_ = REQUEST_NEW( \
				(builder_), Type_##__FieldsEntry, prefix_##__fields_entry); \
			field_->key = given_->items[i_].key; \
			field_->value = \
				noted((builder_), convert_payload_to_api((builder_)->arena, \
							  &given_->items[i_].value)); \
			fields_[i_] = field_; \
		} \
		made_->fields = fields_; \
		made_->n_fields = given_->count; \
		return made_; \
	} while (0)

Common__Memo *client_request_memo(
	struct client_request *builder, const struct temporal_entries *from)
{
	REQUEST_MAP(builder, from, Common__Memo, common__memo);
}

Common__Header *client_request_header(
	struct client_request *builder, const struct temporal_entries *from)
{
	REQUEST_MAP(builder, from, Common__Header, common__header);
}

#undef REQUEST_MAP

Common__SearchAttributes *client_request_search_attributes(
	struct client_request *builder, const struct temporal_entries *from)
{
	Common__SearchAttributes__IndexedFieldsEntry **fields;
	Common__SearchAttributes *made;

	if (!from || !from->count)
		return NULL;
	made = REQUEST_NEW(builder, Common__SearchAttributes, common__search_attributes);
	fields = new_array(builder, from->count);
	for (size_t i = 0; i < from->count && fields; i++) {
		Common__SearchAttributes__IndexedFieldsEntry *field =
			REQUEST_NEW(builder, Common__SearchAttributes__IndexedFieldsEntry,
				common__search_attributes__indexed_fields_entry);

		field->key = from->items[i].key;
		field->value = noted(
			builder, convert_payload_to_api(builder->arena, &from->items[i].value));
		fields[i] = field;
	}
	made->indexed_fields = fields;
	made->n_indexed_fields = from->count;
	return made;
}

Common__WorkflowExecution *client_request_execution(
	struct client_request *builder, const char *id, const char *run_id)
{
	Common__WorkflowExecution *made =
		REQUEST_NEW(builder, Common__WorkflowExecution, common__workflow_execution);

	made->workflow_id = id;
	made->run_id = run_id;
	return made;
}

Common__WorkflowType *client_request_type(struct client_request *builder, const char *name)
{
	Common__WorkflowType *made =
		REQUEST_NEW(builder, Common__WorkflowType, common__workflow_type);

	if (str_empty(name))
		client_request_fail(builder, "the workflow's type has no name");
	made->name = name;
	return made;
}

/* No default: a run on a queue that nobody polls would wait in silence. */
Taskqueue__TaskQueue *client_request_task_queue(struct client_request *builder, const char *name)
{
	Taskqueue__TaskQueue *made =
		REQUEST_NEW(builder, Taskqueue__TaskQueue, taskqueue__task_queue);

	if (str_empty(name))
		client_request_fail(builder, "task_queue is not set");
	made->name = name;
	made->kind = ENUMS__TASK_QUEUE_KIND__TASK_QUEUE_KIND_NORMAL;
	return made;
}

/* 0 and TEMPORAL_OFF are NULL: the server's default, which for timeouts is none. */
Google__Duration *client_request_duration(
	struct client_request *builder, int64_t ms, const char *name)
{
	Google__Duration *made;

	if (ms == 0 || ms == TEMPORAL_OFF)
		return NULL;
	if (ms < 0 || ms / MS_A_SECOND > DURATION_MAX_S) {
		client_request_fail(builder,
			"%s is %lld: expected TEMPORAL_OFF, 0 (the default) or up to 10,000 "
			"years",
			name, (long long)ms);
		return NULL;
	}
	made = REQUEST_NEW(builder, Google__Duration, google__duration);
	made->seconds = ms / MS_A_SECOND;
	made->nanos = (int32_t)(ms % MS_A_SECOND) * NS_A_MS;
	return made;
}

/*
 * The rules of the server, told here with the field's name. No policy means no retries of a
 * workflow.
 */
Common__RetryPolicy *client_request_retry_policy(
	struct client_request *builder, const struct temporal_retry_policy *from)
{
	Common__RetryPolicy *made;
	size_t n = 0;

	if (!from)
		return NULL;
	made = REQUEST_NEW(builder, Common__RetryPolicy, common__retry_policy);
	made->initial_interval = client_request_duration(
		builder, from->initial_interval_ms, "retry_policy: initial_interval_ms");
	made->maximum_interval = client_request_duration(
		builder, from->maximum_interval_ms, "retry_policy: maximum_interval_ms");
	made->backoff_coefficient =
		from->backoff_coefficient == 0 ? 2.0 : from->backoff_coefficient;
	if (!(made->backoff_coefficient >= 1))
		client_request_fail(builder,
			"retry_policy: backoff_coefficient is %g: expected at least 1",
			from->backoff_coefficient);
	made->maximum_attempts =
		from->maximum_attempts == TEMPORAL_OFF ? 1 : from->maximum_attempts;
	if (made->maximum_attempts < 0)
		client_request_fail(builder,
			"retry_policy: maximum_attempts is %d: expected TEMPORAL_OFF, 0 (no limit) "
			"or more",
			(int)from->maximum_attempts);
	while (from->non_retryable_types && from->non_retryable_types[n])
		n++;
	if (!n)
		return made;
	made->non_retryable_error_types = new_array(builder, n);
	if (!made->non_retryable_error_types)
		return NULL;
	for (size_t i = 0; i < n; i++)
		made->non_retryable_error_types[i] = from->non_retryable_types[i];
	made->n_non_retryable_error_types = n;
	return made;
}

/* Levels above 5 are left to the server, which may be told to have more. */
Common__Priority *client_request_priority(
	struct client_request *builder, const struct temporal_priority *from)
{
	Common__Priority *made;

	if (!from)
		return NULL;
	if (from->key < 0)
		client_request_fail(builder,
			"priority: key is %d: expected 1 (first) to 5 (last), or 0: the "
			"default",
			(int)from->key);
	made = REQUEST_NEW(builder, Common__Priority, common__priority);
	made->priority_key = from->key;
	made->fairness_key = from->fairness_key;
	made->fairness_weight = from->fairness_weight;
	return made;
}

/* A text as the JSON payload that the SDKs and the UI expect there. */
Common__Payload *client_request_text_payload(struct client_request *builder, const char *text)
{
	static const struct temporal_contract contract = {
		.name = "text",
		.out = { .kind = TEMPORAL_KIND_STRING, .size = sizeof(const char *) },
		.out_size = sizeof(const char *),
	};
	Common__Payload *made = NULL;
	enum temporal_code code;

	if (!text)
		return NULL;
	code = convert_encode_result(builder->arena, &contract, &text, &made, builder->err);
	if (code && !builder->code)
		builder->code = code;
	return made;
}

/* For people: the Web UI and the command line show both. */
Sdk__UserMetadata *client_request_user_metadata(
	struct client_request *builder, const char *summary, const char *details)
{
	Sdk__UserMetadata *made;

	if (!summary && !details)
		return NULL;
	made = REQUEST_NEW(builder, Sdk__UserMetadata, sdk__user_metadata);
	made->summary = client_request_text_payload(builder, summary);
	made->details = client_request_text_payload(builder, details);
	return made;
}

/*
 * Exactly one of the two forms; the check reads: both of the pair or none, and not none of the
 * forms nor both.
 */
Workflow__VersioningOverride *client_request_versioning(
	struct client_request *builder, const struct temporal_versioning_override *from)
{
	Workflow__VersioningOverride *made;
	Workflow__VersioningOverride__PinnedOverride *pinned;

	if (!from)
		return NULL;
	made = REQUEST_NEW(builder, Workflow__VersioningOverride, workflow__versioning_override);
	if (!from->deployment != !from->build_id || from->auto_upgrade == !!from->build_id)
		client_request_fail(builder,
			"versioning_override: expected either deployment and build_id, or "
			"auto_upgrade");
	if (from->auto_upgrade) {
		made->override_case = WORKFLOW__VERSIONING_OVERRIDE__OVERRIDE_AUTO_UPGRADE;
		made->auto_upgrade = true;
		return made;
	}
	pinned = REQUEST_NEW(builder, Workflow__VersioningOverride__PinnedOverride,
		workflow__versioning_override__pinned_override);
	pinned->behavior = BEHAVIOR_PINNED;
	pinned->version = REQUEST_NEW(builder, Deployment__WorkerDeploymentVersion,
		deployment__worker_deployment_version);
	pinned->version->deployment_name = from->deployment;
	pinned->version->build_id = from->build_id;
	made->override_case = WORKFLOW__VERSIONING_OVERRIDE__OVERRIDE_PINNED;
	made->pinned = pinned;
	return made;
}

const char *client_request_id(struct client_request *builder, const char *id)
{
	char uuid[UUID_SIZE];

	if (!str_empty(id))
		return id;
	client_uuid(uuid);
	return noted(builder, arena_strdup(builder->arena, uuid));
}

const char *client_request_text(struct client_request *builder, const char *text)
{
	return noted(builder, arena_strdup(builder->arena, text));
}
