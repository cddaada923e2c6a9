/*
 * registration.c: what a worker is told of its workflows beside their definitions, and of the
 * deployment that it is a version of.
 *
 * Checked and copied once, when the worker is made, on the caller's thread; constant from then on.
 * Texts of refusals are those of the core SDK where it has them.
 */
#include "worker/registration.h"

#include <string.h>

#include "base/error.h"
#include "proto/codec.h"
#include "worker/limits.h"

static bool copy_text(struct arena *arena, const char **text)
{
	*text = arena_strdup(arena, *text ? *text : "");
	return *text != NULL;
}

/* ---- deployment ---- */

static enum temporal_code check_deployment(
	const struct temporal_deployment_opts *deployment, struct temporal_error *err)
{
	bool named = !str_empty(deployment->name) && !str_empty(deployment->build_id);

	if (deployment->use_versioning && !named)
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"worker: .deployment must have a non-empty build_id and name when "
			"use_versioning is set");
	if (!deployment->use_versioning && deployment->default_behavior)
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"worker: .deployment: default_behavior must be UNSPECIFIED when "
			"use_versioning is not set");
	if ((unsigned)deployment->default_behavior > TEMPORAL_VERSIONING_AUTO_UPGRADE)
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"worker: .deployment: default_behavior is %d, expected one of its enum",
			(int)deployment->default_behavior);
	if (deployment->name && strlen(deployment->name) > WORKER_NAME_MAX)
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"worker: .deployment: name has more than %d bytes", WORKER_NAME_MAX);
	return TEMPORAL_OK;
}

static enum temporal_code copy_deployment(
	struct temporal_worker_opts *opts, struct arena *arena, struct temporal_error *err)
{
	struct temporal_deployment_opts *copy;

	if (!opts->deployment)
		return TEMPORAL_OK;
	if (!str_empty(opts->build_id))
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"worker: .deployment cannot be used with .build_id");
	enum temporal_code code = check_deployment(opts->deployment, err);

	if (code)
		return code;
	copy = arena_memdup(arena, opts->deployment, sizeof(*copy));
	if (!copy || !copy_text(arena, &copy->name) || !copy_text(arena, &copy->build_id))
		return error_no_memory(err, "worker: its options");
	opts->deployment = copy;
	opts->build_id = copy->build_id;
	return TEMPORAL_OK;
}

/* ---- workflows ---- */

static const char *name_of(const struct temporal_workflow *workflow)
{
	if (workflow->contract)
		return workflow->contract->name;
	return workflow->name ? workflow->name : "";
}

static const struct temporal_workflow_opts *options_of(
	const struct temporal_worker_opts *opts, const struct temporal_workflow *workflow)
{
	const struct temporal_workflow_opts *each = opts->workflow_options;

	while (each && each->workflow && each->workflow != workflow)
		each++;
	return each && each->workflow ? each : NULL;
}

static bool is_registered(
	const struct temporal_worker_opts *opts, const struct temporal_workflow *workflow)
{
	for (size_t i = 0; opts->workflows[i]; i++) {
		if (opts->workflows[i] == workflow)
			return true;
	}
	return false;
}

static enum temporal_code check_workflow_options(
	const struct temporal_worker_opts *opts, size_t n, struct temporal_error *err)
{
	for (size_t i = 0; i < n; i++) {
		const struct temporal_workflow_opts *each = &opts->workflow_options[i];

		if (!is_registered(opts, each->workflow))
			return error_set(err, TEMPORAL_INVALID_ARGUMENT,
				"worker: .workflow_options[%zu]: workflow %s is not in .workflows",
				i, name_of(each->workflow));
		if (options_of(opts, each->workflow) != each)
			return error_set(err, TEMPORAL_INVALID_ARGUMENT,
				"worker: .workflow_options[%zu]: workflow %s has options already",
				i, name_of(each->workflow));
		if ((unsigned)each->versioning > TEMPORAL_VERSIONING_AUTO_UPGRADE)
			return error_set(err, TEMPORAL_INVALID_ARGUMENT,
				"worker: .workflow_options[%zu]: versioning is %d, expected one of "
				"its enum",
				i, (int)each->versioning);
	}
	return TEMPORAL_OK;
}

/* With versioning the server has to know of each run what a new version means to it. */
static enum temporal_code check_behaviors(
	const struct temporal_worker_opts *opts, struct temporal_error *err)
{
	const struct temporal_deployment_opts *deployment = opts->deployment;

	if (!deployment || !deployment->use_versioning || deployment->default_behavior)
		return TEMPORAL_OK;
	for (size_t i = 0; opts->workflows[i]; i++) {
		const struct temporal_workflow_opts *mine = options_of(opts, opts->workflows[i]);

		if (!mine || !mine->versioning)
			return error_set(err, TEMPORAL_INVALID_ARGUMENT,
				"worker: workflow %s must specify a versioning behavior in "
				".workflow_options, or .deployment a default_behavior",
				name_of(opts->workflows[i]));
	}
	return TEMPORAL_OK;
}

static bool copy_list(struct arena *arena, const char *const **list)
{
	size_t n = 0;

	if (!*list)
		return true;
	while ((*list)[n])
		n++;
	const char **copy = arena_array(arena, n + 1, sizeof(*copy));

	for (size_t i = 0; copy && i < n; i++) {
		copy[i] = (*list)[i];
		if (!copy_text(arena, &copy[i]))
			return false;
	}
	*list = copy;
	return copy != NULL;
}

static enum temporal_code copy_workflow_options(
	struct temporal_worker_opts *opts, struct arena *arena, struct temporal_error *err)
{
	size_t n = 0;

	while (opts->workflow_options && opts->workflow_options[n].workflow)
		n++;
	enum temporal_code code = check_workflow_options(opts, n, err);

	if (code)
		return code;
	struct temporal_workflow_opts *copy = arena_array(arena, n + 1, sizeof(*copy));

	if (!copy || !copy_list(arena, &opts->workflow_failure_types))
		return error_no_memory(err, "worker: its options");
	for (size_t i = 0; i < n; i++) {
		copy[i] = opts->workflow_options[i];
		if (!copy_list(arena, &copy[i].failure_types))
			return error_no_memory(err, "worker: its options");
	}
	opts->workflow_options = copy;
	return TEMPORAL_OK;
}

enum temporal_code worker_registration_complete(
	struct temporal_worker_opts *opts, struct arena *arena, struct temporal_error *err)
{
	enum temporal_code code = copy_deployment(opts, arena, err);

	if ((unsigned)opts->log_format > TEMPORAL_LOG_FORMAT_JSON)
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"worker: .log_format is %d, expected one of its enum",
			(int)opts->log_format);
	opts->log_events = opts->log_events && opts->log_format;
	if (!code)
		code = copy_workflow_options(opts, arena, err);
	return code ? code : check_behaviors(opts, err);
}

/* ---- what follows from them ---- */

bool worker_registration_version(const struct temporal_worker_opts *opts, struct arena *arena,
	Deployment__WorkerDeploymentOptions **out)
{
	const struct temporal_deployment_opts *deployment = opts->deployment;

	*out = NULL;
	if (!deployment)
		return true;
	*out = PROTO_NEW(
		arena, Deployment__WorkerDeploymentOptions, deployment__worker_deployment_options);
	if (!*out)
		return false;
	(*out)->deployment_name = deployment->name;
	(*out)->build_id = opts->build_id;
	(*out)->worker_versioning_mode =
		deployment->use_versioning
			? ENUMS__WORKER_VERSIONING_MODE__WORKER_VERSIONING_MODE_VERSIONED
			: ENUMS__WORKER_VERSIONING_MODE__WORKER_VERSIONING_MODE_UNVERSIONED;
	return true;
}

bool worker_registration_build(const struct temporal_worker_opts *opts, struct arena *arena,
	Common__WorkerVersionStamp **stamp, Common__WorkerVersionCapabilities **capabilities)
{
	*stamp = NULL;
	*capabilities = NULL;
	if (str_empty(opts->build_id))
		return true;
	*stamp = PROTO_NEW(arena, Common__WorkerVersionStamp, common__worker_version_stamp);
	*capabilities = PROTO_NEW(
		arena, Common__WorkerVersionCapabilities, common__worker_version_capabilities);
	if (!*stamp || !*capabilities)
		return false;
	(*stamp)->build_id = (*capabilities)->build_id = opts->build_id;
	return true;
}

static bool names_nondeterminism(const char *const *types)
{
	for (; types && *types; types++) {
		if (strcmp(*types, "*") == 0 || strcmp(*types, "NonDeterminismError") == 0)
			return true;
	}
	return false;
}

bool worker_registration_nondeterminism(const struct temporal_worker_opts *opts,
	struct arena *arena, const char *const **types, bool *all)
{
	const struct temporal_workflow_opts *each = opts->workflow_options;
	size_t n = 0;

	while (each[n].workflow)
		n++;
	const char **names = arena_array(arena, n + 1, sizeof(*names));

	if (!names)
		return false;
	*types = names;
	*all = opts->fail_run_on_nondeterminism ||
	       names_nondeterminism(opts->workflow_failure_types);
	for (; each->workflow; each++) {
		if (names_nondeterminism(each->failure_types))
			*names++ = name_of(each->workflow);
	}
	return true;
}
