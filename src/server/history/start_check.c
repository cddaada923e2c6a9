/*
 * start_check.c: checks and defaults of what a run is started with. Pure.
 */
#include "server/history/start_check.h"

#include "proto/codec.h"
#include "proto/map.h"
#include "proto/time.h"
#include "server/limits.h"

#define BEHAVIOR(name_) ENUMS__VERSIONING_BEHAVIOR__VERSIONING_BEHAVIOR_##name_

const char *start_check_duration(const Google__Duration *duration)
{
	if (!duration)
		return NULL;
	if ((duration->seconds > 0 && duration->nanos < 0) ||
		(duration->seconds < 0 && duration->nanos > 0))
		return "duration has seconds and nanos with different signs";
	return duration->seconds < 0 || duration->nanos < 0 ? "negative duration" : NULL;
}

const char *start_check_priority(const Common__Priority *priority)
{
	if (!priority)
		return NULL;
	if (priority->priority_key < 0)
		return "priority key can't be negative";
	if (strlen(priority->fairness_key ? priority->fairness_key : "") > SERVER_FAIRNESS_KEY_MAX)
		return "fairness key length exceeds limit";
	return priority->fairness_weight < 0 ? "must be greater than zero" : NULL;
}

/* ---- Versioning ---- */

static const char *check_pinned(const Workflow__VersioningOverride__PinnedOverride *pinned)
{
	if (!pinned->version)
		return "must provide version if override is pinned.";
	return pinned->behavior ? NULL
				: "must specify pinned override behavior if override is pinned.";
}

/* The fields of an older form, which clients may still send. */
static const char *check_old_override(const Workflow__VersioningOverride *override)
{
	bool version = !str_empty(override->pinned_version);

	switch (override->behavior) {
	case BEHAVIOR(PINNED):
		return override->deployment || version
			       ? NULL
			       : "must provide deployment (deprecated) or pinned version if "
				 "behavior is 'PINNED'";
	case BEHAVIOR(AUTO_UPGRADE):
		if (override->deployment)
			return "only provide deployment if behavior is 'PINNED'";
		return version ? "only provide pinned version if behavior is 'PINNED'" : NULL;
	default:
		return "override behavior is required";
	}
}

const char *start_check_override(const Workflow__VersioningOverride *override)
{
	if (!override)
		return NULL;
	switch (override->override_case) {
	case WORKFLOW__VERSIONING_OVERRIDE__OVERRIDE_AUTO_UPGRADE:
		return override->auto_upgrade ? NULL : "auto-upgrade override must be true";
	case WORKFLOW__VERSIONING_OVERRIDE__OVERRIDE_PINNED:
		return check_pinned(override->pinned);
	case WORKFLOW__VERSIONING_OVERRIDE__OVERRIDE_ONE_TIME:
		return override->one_time->target_deployment_version
			       ? NULL
			       : "must provide target deployment version if override is one-time.";
	default:
		return check_old_override(override);
	}
}

/* ---- Links ---- */

/* The first of three texts of a kind of link that is empty, by its name; NULL: none. */
static const char *missing(const char *const values[3], const char *const names[3])
{
	for (unsigned i = 0; i < 3; i++) {
		if (str_empty(values[i]))
			return names[i];
	}
	return NULL;
}

static const char *check_link(const Common__Link *link, const char **what)
{
	static const char *const workflow[] = { "namespace field", "workflow ID field",
		"run ID field" };
	static const char *const activity[] = { "namespace field", "activity ID field",
		"run ID field" };
	static const char *const operation[] = { "namespace field", "operation ID field",
		"run ID field" };
	static const char *const job[] = { "job ID", "", "" };

	switch (link->variant_case) {
	case COMMON__LINK__VARIANT_WORKFLOW_EVENT:
		*what = "workflow event";
		return missing(
			(const char *const[]){ link->workflow_event->namespace_,
				link->workflow_event->workflow_id, link->workflow_event->run_id },
			workflow);
	case COMMON__LINK__VARIANT_BATCH_JOB:
		*what = "batch job";
		return missing((const char *const[]){ link->batch_job->job_id, "-", "-" }, job);
	case COMMON__LINK__VARIANT_NEXUS_OPERATION:
		*what = "nexus operation";
		return missing((const char *const[]){ link->nexus_operation->namespace_,
				       link->nexus_operation->operation_id,
				       link->nexus_operation->run_id },
			operation);
	case COMMON__LINK__VARIANT_ACTIVITY:
		*what = "activity";
		return missing((const char *const[]){ link->activity->namespace_,
				       link->activity->activity_id, link->activity->run_id },
			activity);
	case COMMON__LINK__VARIANT_WORKFLOW:
		*what = "workflow";
		return missing((const char *const[]){ link->workflow->namespace_,
				       link->workflow->workflow_id, link->workflow->run_id },
			workflow);
	default:
		*what = NULL;
		return "";
	}
}

static bool is_vague_event(const Common__Link *link)
{
	const Common__Link__WorkflowEvent *event = link->workflow_event;

	return link->variant_case == COMMON__LINK__VARIANT_WORKFLOW_EVENT &&
	       event->reference_case == COMMON__LINK__WORKFLOW_EVENT__REFERENCE_EVENT_REF &&
	       !event->event_ref->event_type && event->event_ref->event_id != 0;
}

const char *start_check_links(Common__Link *const *links, size_t n,
	const struct server_config *config, struct arena *arena)
{
	if (server_over(n, config->links_max))
		return arena_printf(arena,
			"cannot attach more than %lld links per request, got %zu",
			(long long)config->links_max, n);
	for (size_t i = 0; i < n; i++) {
		size_t size = proto_size(links[i]);
		const char *what, *field = check_link(links[i], &what);

		if (server_over(size, config->link_max))
			return arena_printf(arena, "link exceeds allowed size of %lld, got %zu",
				(long long)config->link_max, size);
		if (field && !what)
			return "unsupported link variant";
		if (field)
			return arena_printf(
				arena, "%s link must not have an empty %s", what, field);
		if (is_vague_event(links[i]))
			return "workflow event link ref cannot have an unspecified event type and "
			       "a non-zero event ID";
	}
	return NULL;
}

/* ---- Defaults ---- */

void start_timeouts(const Google__Duration *whole, const Google__Duration *run,
	const Google__Duration *task, int64_t standard_task_ms, struct start_timeouts *out)
{
	*out = (struct start_timeouts){ 0 };
	(void)!proto_duration_ms(whole, &out->whole_ms);
	(void)!proto_duration_ms(run, &out->run_ms);
	(void)!proto_duration_ms(task, &out->task_ms);
	if (out->whole_ms && (!out->run_ms || out->run_ms > out->whole_ms))
		out->run_ms = out->whole_ms;
	if (!out->task_ms)
		out->task_ms = standard_task_ms;
	if (out->task_ms > SERVER_TASK_TIMEOUT_MAX_MS)
		out->task_ms = SERVER_TASK_TIMEOUT_MAX_MS;
	if (out->run_ms && out->task_ms > out->run_ms)
		out->task_ms = out->run_ms;
}

void *start_without_nulls(
	struct arena *arena, const ProtobufCMessageDescriptor *type, const void *message)
{
	const Common__Memo *in = message; /* SearchAttributes has the same shape */
	Common__Memo *out = in && in->n_fields ? proto_new(arena, type) : NULL;
	Common__Memo__FieldsEntry **entries =
		out ? arena_array(arena, in->n_fields, sizeof(*entries)) : NULL;
	size_t n = 0;

	if (!entries)
		return NULL;
	for (size_t i = 0; i < in->n_fields; i++) {
		if (proto_map_is_last(in->fields, in->n_fields, i) &&
			!properties_is_nothing(in->fields[i]->value))
			entries[n++] = in->fields[i];
	}
	out->fields = entries;
	out->n_fields = n;
	return n ? out : NULL;
}
