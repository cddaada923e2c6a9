/*
 * options.c: the public structs of options to the API's messages. All on the thread's stack, into
 * an arena that the caller chooses; strings are copied, so that the caller's may go.
 *
 * A retry policy gets the defaults of the other SDKs filled in, since history shows it; elsewhere
 * an unset option is an unset field, and the server decides.
 */
#include "workflow/run.h"

#include <math.h>
#include <string.h>

#include "base/str.h"
#include "convert/convert.h"
#include "proto/codec.h"

/* A name of the generator, too long for a line of code. */
#define BEHAVIOR_PINNED \
	WORKFLOW__VERSIONING_OVERRIDE__PINNED_OVERRIDE_BEHAVIOR__PINNED_OVERRIDE_BEHAVIOR_PINNED

/*
 * The caller may be older (its struct is shorter: the rest is zero, which is the default) or newer
 * (its struct is longer: what this library does not know is left out).
 */
void options_copy(void *out, size_t out_size, const void *opts, size_t size)
{
	memset(out, 0, out_size);
	if (opts)
		memcpy(out, opts, size < out_size ? size : out_size);
}

/* 0 and TEMPORAL_OFF are the same to the engine: no limit. */
bool options_ms(int64_t *ms)
{
	if (*ms == TEMPORAL_OFF)
		*ms = 0;
	return *ms >= 0;
}

static Google__Duration *duration(struct arena *arena, int64_t ms)
{
	Google__Duration *out = PROTO_NEW(arena, Google__Duration, google__duration);

	if (out && ms > 0) {
		out->seconds = ms / 1000;
		out->nanos = (int32_t)(ms % 1000) * 1000000;
	}
	return out;
}

/* A list that ends with NULL, to one with a count. */
static bool retry_types(struct arena *arena, const char *const *types, Common__RetryPolicy *out)
{
	size_t count = 0;

	while (types && types[count])
		count++;
	const char **copies = arena_array(arena, count, sizeof(*copies));
	if (!copies)
		return false;
	for (size_t i = 0; i < count; i++) {
		copies[i] = arena_strdup(arena, types[i]);
		if (!copies[i])
			return false;
	}
	out->non_retryable_error_types = copies;
	out->n_non_retryable_error_types = count;
	return true;
}

/* An attempt count of TEMPORAL_OFF means no retry: one attempt. */
Common__RetryPolicy *options_retry(struct arena *arena, const struct temporal_retry_policy *policy)
{
	Common__RetryPolicy *out = PROTO_NEW(arena, Common__RetryPolicy, common__retry_policy);

	if (!out || !retry_types(arena, policy->non_retryable_types, out))
		return NULL;
	out->initial_interval =
		duration(arena, policy->initial_interval_ms ? policy->initial_interval_ms : 1000);
	out->backoff_coefficient =
		policy->backoff_coefficient > 0 ? policy->backoff_coefficient : 2.0;
	out->maximum_attempts =
		policy->maximum_attempts == TEMPORAL_OFF ? 1 : policy->maximum_attempts;
	if (policy->maximum_interval_ms > 0)
		out->maximum_interval = duration(arena, policy->maximum_interval_ms);
	if (!out->initial_interval || (policy->maximum_interval_ms > 0 && !out->maximum_interval))
		return NULL;
	return out;
}

/* One of the two forms, which child.c has checked. */
Workflow__VersioningOverride *options_versioning(
	struct arena *arena, const struct temporal_versioning_override *override)
{
	Workflow__VersioningOverride *out =
		PROTO_NEW(arena, Workflow__VersioningOverride, workflow__versioning_override);

	if (!out)
		return NULL;
	if (override->auto_upgrade) {
		out->override_case = WORKFLOW__VERSIONING_OVERRIDE__OVERRIDE_AUTO_UPGRADE;
		out->auto_upgrade = true;
		return out;
	}
	out->override_case = WORKFLOW__VERSIONING_OVERRIDE__OVERRIDE_PINNED;
	out->pinned = PROTO_NEW(arena, Workflow__VersioningOverride__PinnedOverride,
		workflow__versioning_override__pinned_override);
	Deployment__WorkerDeploymentVersion *version = PROTO_NEW(
		arena, Deployment__WorkerDeploymentVersion, deployment__worker_deployment_version);
	if (!out->pinned || !version)
		return NULL;
	version->deployment_name = arena_strdup(arena, override->deployment);
	version->build_id = arena_strdup(arena, override->build_id);
	out->pinned->behavior = BEHAVIOR_PINNED;
	out->pinned->version = version;
	return version->deployment_name && version->build_id ? out : NULL;
}

Common__Priority *options_priority(struct arena *arena, const struct temporal_priority *priority)
{
	Common__Priority *out = PROTO_NEW(arena, Common__Priority, common__priority);

	if (!out)
		return NULL;
	out->priority_key = priority->key;
	out->fairness_weight = priority->fairness_weight;
	out->fairness_key =
		arena_strdup(arena, priority->fairness_key ? priority->fairness_key : "");
	return out->fairness_key ? out : NULL;
}

/* Fills key and value of an entry of the API: all its map entries have the same two fields. */
static bool entry(struct arena *arena, const struct temporal_entry *from, const char **key,
	Common__Payload **value)
{
	*key = arena_strdup(arena, from->key ? from->key : "");
	*value = convert_payload_to_api(arena, &from->value);
	return *key && *value;
}

bool options_headers(
	struct arena *arena, const struct temporal_entries *entries, struct activation_headers *out)
{
	Common__Header__FieldsEntry **items = arena_array(arena, entries->count, sizeof(*items));

	if (!items)
		return false;
	for (size_t i = 0; i < entries->count; i++) {
		items[i] =
			PROTO_NEW(arena, Common__Header__FieldsEntry, common__header__fields_entry);
		if (!items[i] ||
			!entry(arena, &entries->items[i], &items[i]->key, &items[i]->value))
			return false;
	}
	*out = (struct activation_headers){ items, entries->count };
	return true;
}

bool options_memo(
	struct arena *arena, const struct temporal_entries *entries, struct command_memo *out)
{
	Common__Memo__FieldsEntry **items = arena_array(arena, entries->count, sizeof(*items));

	if (!items)
		return false;
	for (size_t i = 0; i < entries->count; i++) {
		items[i] = PROTO_NEW(arena, Common__Memo__FieldsEntry, common__memo__fields_entry);
		if (!items[i] ||
			!entry(arena, &entries->items[i], &items[i]->key, &items[i]->value))
			return false;
	}
	*out = (struct command_memo){ items, entries->count };
	return true;
}

Common__SearchAttributes *options_search_attributes(
	struct arena *arena, const struct temporal_entries *entries)
{
	Common__SearchAttributes *out =
		PROTO_NEW(arena, Common__SearchAttributes, common__search_attributes);
	Common__SearchAttributes__IndexedFieldsEntry **items =
		arena_array(arena, entries->count, sizeof(*items));

	if (!out || !items)
		return NULL;
	for (size_t i = 0; i < entries->count; i++) {
		items[i] = PROTO_NEW(arena, Common__SearchAttributes__IndexedFieldsEntry,
			common__search_attributes__indexed_fields_entry);
		if (!items[i] ||
			!entry(arena, &entries->items[i], &items[i]->key, &items[i]->value))
			return NULL;
	}
	out->indexed_fields = items;
	out->n_indexed_fields = entries->count;
	return out;
}

/* The list has the arguments in their order, one payload each. */
bool options_payloads(
	struct arena *arena, const struct temporal_payloads *in, struct activation_payloads *out)
{
	static const struct temporal_payloads none;
	const Common__Payloads *made = convert_payloads_to_api(arena, in ? in : &none);

	if (made)
		*out = (struct activation_payloads){ made->payloads, made->n_payloads };
	return made != NULL;
}

/* A text travels as the one argument of a contract, so that it is escaped as any other. */
struct wf_text_in {
	const char *text;
};
typedef void wf_text_out;
TEMPORAL_ACTIVITY_CONTRACT(wf_text, "text", text);

Sdk__UserMetadata *options_summary(struct arena *arena, const char *summary)
{
	Sdk__UserMetadata *out = PROTO_NEW(arena, Sdk__UserMetadata, sdk__user_metadata);
	struct wf_text_in in = { summary };
	Common__Payload **payloads;
	size_t count;

	if (!out || convert_encode_arguments(arena, &wf_text, &in, &payloads, &count, NULL))
		return NULL;
	out->summary = payloads[0];
	return out;
}
