/*
 * initialize.c: a run's first job: its definition, what wf_info tells, its state, its arguments;
 * and the run's function, from its start to its result.
 *
 * Everything of the activation that outlives it is copied to the run's arena. Strings that are
 * mostly the same (the ids of first and original run) share one copy, since a cached run is to stay
 * small. All but main_body runs on the thread's stack.
 *
 * In this order, within one activation:
 *
 *	initialize_run      definition, seed, state, info, arguments; no code runs. A signal that is
 *	                    applied next (set 1) finds the state zeroed, as the run's function will
 *	initialize_start    the job itself (set 2): the coroutine of the run's function
 *	main_body           user's code, perhaps over many activations
 *	main_ended          its result or failure becomes the run's last command
 *
 * Functions named keep_... copy and tell of failed allocations by *failed, so that a long struct
 * can be filled without a branch a line; keep_info() looks once, at the end.
 */
#include "workflow/run.h"

#include "base/str.h"
#include "convert/convert.h"
#include "engine/event.h"
#include "proto/time.h"

/* "" is the dynamic definition, the one for all types. */
static const char *definition_name(const struct temporal_workflow *definition)
{
	if (definition->contract)
		return definition->contract->name;
	return definition->name ? definition->name : "";
}

/* The definition of that name, else the one for all types. There are few: no table is needed. */
static const struct temporal_workflow *find(const struct wf_config *config, const char *type)
{
	const struct temporal_workflow *for_all = NULL;

	for (size_t i = 0; config->workflows && config->workflows[i]; i++) {
		const char *name = definition_name(config->workflows[i]);

		if (str_same(name, type))
			return config->workflows[i];
		if (str_empty(name))
			for_all = config->workflows[i];
	}
	return for_all;
}

static const struct temporal_workflow_opts *options_of(
	const struct wf_config *config, const struct temporal_workflow *definition)
{
	const struct temporal_workflow_opts *each = config->options;

	while (each && each->workflow && each->workflow != definition)
		each++;
	return each && each->workflow ? each : NULL;
}

/*
 * A task's failure and not the run's: another worker may know the type, or this one after its next
 * start. In the words of the Python SDK.
 */
static void break_unknown(struct wf *wf, const char *type)
{
	const struct temporal_workflow *const *each = wf->thread->config->workflows;
	const char *known = "";

	for (; each && *each && known; each++)
		known = arena_printf(
			&wf->task, "%s%s%s", known, *known ? ", " : "", definition_name(*each));
	if (!known)
		run_out_of_memory(wf);
	else
		run_break(wf, "NotFoundError", "this worker has no workflow \"%s\"; it has: %s",
			type, known);
}

/* A copy, or a string that is there already; sets *failed when memory is out. */
static const char *keep(struct wf *wf, const char *text, bool *failed)
{
	if (str_empty(text))
		return "";
	if (str_same(text, wf->info.run_id))
		return wf->info.run_id;
	if (wf->info.first_run_id && str_same(text, wf->info.first_run_id))
		return wf->info.first_run_id;
	const char *copy = arena_strdup(&wf->arena, text);
	if (!copy)
		*failed = true;
	return copy ? copy : "";
}

/* The parent is mostly in the same namespace. */
static const struct wf_execution *keep_execution(
	struct wf *wf, const struct activation_execution *from, bool *failed)
{
	struct wf_execution *out = ARENA_NEW(&wf->arena, struct wf_execution);

	if (!out) {
		*failed = true;
		return NULL;
	}
	out->namespace_ = str_same(from->namespace_, wf->info.namespace_)
				  ? wf->info.namespace_
				  : keep(wf, from->namespace_, failed);
	out->workflow_id = keep(wf, from->workflow_id, failed);
	out->run_id = keep(wf, from->run_id, failed);
	return out;
}

static const struct temporal_retry_policy *keep_retry(
	struct wf *wf, const Common__RetryPolicy *from, bool *failed)
{
	if (!from)
		return NULL;
	struct temporal_retry_policy *out = ARENA_NEW(&wf->arena, struct temporal_retry_policy);
	const char **types =
		arena_array(&wf->arena, from->n_non_retryable_error_types + 1, sizeof(*types));
	if (!out || !types) {
		*failed = true;
		return NULL;
	}
	out->initial_interval_ms = proto_duration_ms_clamped(from->initial_interval);
	out->backoff_coefficient = from->backoff_coefficient;
	out->maximum_interval_ms = proto_duration_ms_clamped(from->maximum_interval);
	out->maximum_attempts = from->maximum_attempts;
	for (size_t i = 0; i < from->n_non_retryable_error_types; i++)
		types[i] = keep(wf, from->non_retryable_error_types[i], failed);
	out->non_retryable_types = types;
	return out;
}

static const struct temporal_priority *keep_priority(
	struct wf *wf, const Common__Priority *from, bool *failed)
{
	if (!from)
		return NULL;
	struct temporal_priority *out = ARENA_NEW(&wf->arena, struct temporal_priority);
	if (!out) {
		*failed = true;
		return NULL;
	}
	out->key = from->priority_key;
	out->fairness_key = keep(wf, from->fairness_key, failed);
	out->fairness_weight = from->fairness_weight;
	return out;
}

/* On failure the count is 0, so that nobody walks an array that is not there. */
static struct temporal_entry *entries_new(
	struct wf *wf, size_t count, struct temporal_entries *entries, bool *failed)
{
	if (count == 0)
		return NULL;
	struct temporal_entry *items = arena_array(&wf->arena, count, sizeof(*items));
	if (!items)
		*failed = true;
	*entries = (struct temporal_entries){ items, items ? count : 0 };
	return items;
}

static void keep_entry(struct wf *wf, struct temporal_entry *out, const char *key,
	const Common__Payload *value, bool *failed)
{
	out->key = keep(wf, key, failed);
	if (value && convert_payload_from_api(&wf->arena, value, &out->value))
		*failed = true;
}

/* Headers, memo and search attributes. All are wanted rarely, and cost only runs that have them. */
static void keep_collections(struct wf *wf, const struct activation_initialize *job, bool *failed)
{
	const Common__Memo *memo = job->memo;
	const Common__SearchAttributes *attributes = job->search_attributes;
	struct temporal_entry *items =
		entries_new(wf, job->headers.count, &wf->info.headers, failed);

	for (size_t i = 0; items && i < job->headers.count; i++)
		keep_entry(wf, &items[i], job->headers.items[i]->key, job->headers.items[i]->value,
			failed);
	items = entries_new(wf, memo ? memo->n_fields : 0, &wf->info.memo, failed);
	for (size_t i = 0; items && i < memo->n_fields; i++)
		keep_entry(wf, &items[i], memo->fields[i]->key, memo->fields[i]->value, failed);
	items = entries_new(wf, attributes ? attributes->n_indexed_fields : 0,
		&wf->info.search_attributes, failed);
	for (size_t i = 0; items && i < attributes->n_indexed_fields; i++)
		keep_entry(wf, &items[i], attributes->indexed_fields[i]->key,
			attributes->indexed_fields[i]->value, failed);
}

/* For cron runs and retries: what the run before has come to. */
static void keep_last(struct wf *wf, const struct activation_initialize *job, bool *failed)
{
	const Common__Payloads *last = job->last_completion_result;

	if (last && last->n_payloads) {
		struct temporal_payload *copy = ARENA_NEW(&wf->arena, struct temporal_payload);

		if (!copy || convert_payload_from_api(&wf->arena, last->payloads[0], copy))
			*failed = true;
		wf->last_result = copy;
	}
	if (!job->continued_failure)
		return;
	wf->last_failure = convert_failure_from_api(&wf->arena, job->continued_failure);
	if (!wf->last_failure)
		*failed = true;
}

/* first_run_id comes before the other ids, which are mostly equal to it (keep()). */
static bool keep_info(struct wf *wf, const struct activation_initialize *job)
{
	struct wf_info *info = &wf->info;
	const char *name = definition_name(wf->definition);
	bool failed = false;

	info->namespace_ = wf->thread->config->namespace_;
	info->task_queue = wf->thread->config->task_queue;
	info->workflow_type = *name ? name : keep(wf, job->workflow_type, &failed);
	info->workflow_id = keep(wf, job->workflow_id, &failed);
	info->first_run_id = keep(wf, job->first_execution_run_id, &failed);
	info->original_run_id = keep(wf, job->original_execution_run_id, &failed);
	info->continued_run_id = keep(wf, job->continued_from_run_id, &failed);
	info->cron_schedule = keep(wf, job->cron_schedule, &failed);
	info->attempt = job->attempt;
	info->start_time_ns = job->start_time_ns;
	info->execution_expires_ns = job->execution_expiration_ns;
	info->execution_timeout_ms = job->execution_timeout_ms;
	info->run_timeout_ms = job->run_timeout_ms;
	info->task_timeout_ms = job->task_timeout_ms;
	if (job->has_parent)
		info->parent = keep_execution(wf, &job->parent, &failed);
	if (job->has_root)
		info->root = keep_execution(wf, &job->root, &failed);
	info->retry = keep_retry(wf, job->retry_policy, &failed);
	info->priority = keep_priority(wf, job->priority, &failed);
	keep_collections(wf, job, &failed);
	keep_last(wf, job, &failed);
	return !failed;
}

/*
 * Arguments of a wrong form fail the task: the run waits for a worker that understands them. wf->in
 * is NULL for a contract without arguments, so that nothing can be read from it.
 */
static bool decode_arguments(struct wf *wf, const struct activation_payloads *arguments)
{
	const struct temporal_contract *contract = wf->definition->contract;
	struct temporal_error err = { .code = TEMPORAL_OK };

	if (!contract) {
		struct temporal_payloads *raw = ARENA_NEW(&wf->arena, struct temporal_payloads);

		if (!raw || !convert_payloads_from_api(
				    &wf->arena, arguments->items, arguments->count, raw)) {
			run_out_of_memory(wf);
			return false;
		}
		wf->in = raw;
		return true;
	}
	void *in = arena_zalloc(&wf->arena, contract->in.size);
	wf->out = arena_zalloc(&wf->arena, contract->out_size);
	if (!in || !wf->out) {
		run_out_of_memory(wf);
		return false;
	}
	wf->in = contract->in.size ? in : NULL;
	if (!convert_decode_arguments(
		    &wf->arena, contract, arguments->items, arguments->count, in, &err))
		return true;
	run_break_error(wf, &err, "decoding the arguments");
	return false;
}

/* The binding macros cannot see whose table a handler is put into; the size of its state can. */
static bool handlers_fit(struct wf *wf)
{
	const struct temporal_handler *const *each = wf->definition->handlers;

	for (; each && *each; each++) {
		if ((*each)->state_size == wf->definition->state_size)
			continue;
		run_break(wf, "InvalidDefinition",
			"the handler '%s' is bound to another workflow than %s",
			handler_name(*each), wf->info.workflow_type);
		return false;
	}
	return true;
}

/*
 * The seed before everything that might use it; the state before the arguments, since signals need
 * it even if the arguments are bad (the task fails then, and nothing runs).
 */
bool initialize_run(
	struct wf *wf, const struct activation *activation, const struct activation_initialize *job)
{
	wf->definition = find(wf->thread->config, job->workflow_type);
	if (!wf->definition) {
		break_unknown(wf, job->workflow_type);
		return false;
	}
	wf->options = options_of(wf->thread->config, wf->definition);
	random_seed(wf->random, job->randomness_seed);
	wf->state = arena_zalloc(&wf->arena, wf->definition->state_size);
	if (!wf->state || !keep_info(wf, job)) {
		run_out_of_memory(wf);
		return false;
	}
	return handlers_fit(wf) && decode_arguments(wf, &job->arguments);
}

/*
 * What may change with each task but seldom does. What it replaces stays in the run's arena: code
 * may have a pointer to it.
 */
static const char *keep_now(struct wf *wf, const char *old, const char *text)
{
	if (str_empty(text))
		return "";
	if (old && str_same(old, text))
		return old;
	const char *copy = arena_strdup(&wf->arena, text);
	if (!copy)
		run_out_of_memory(wf);
	return copy ? copy : "";
}

/*
 * With every activation: the clock, which never goes back, and what is known of history so far.
 * Before any job, so that the coroutines of all sets see the same.
 */
void initialize_now(struct wf *wf, const struct activation *activation)
{
	struct wf_info *info = &wf->info;

	wf->replaying = activation->is_replaying;
	if (activation->time_ns > wf->now_ns)
		wf->now_ns = activation->time_ns;
	info->history_length = activation->history_length;
	info->history_size_bytes = activation->history_size_bytes;
	info->continue_as_new_suggested = activation->continue_as_new_suggested;
	info->target_version_changed = activation->target_deployment_version_changed;
	info->build_id = keep_now(wf, info->build_id, activation->build_id);
	info->deployment_name = keep_now(wf, info->deployment_name, activation->deployment_name);
}

static const struct temporal_failure *execute(struct wf *wf, struct coroutine *self)
{
	const struct temporal_workflow *definition = wf->definition;

	if (definition->run)
		definition->run(wf, wf->state, wf->in, wf->out);
	else
		wf->out = (void *)(uintptr_t)definition->run_raw(
			wf, wf->state, wf->info.workflow_type, wf->in);
	return NULL;
}

static void main_body(struct wf *wf, struct coroutine *self)
{
	if (intercepts(wf))
		intercept_in(wf, self, INTERCEPTED(execute), execute);
	else
		execute(wf, self);
}

/* A void result gives no payload. In the task's arena. */
static bool encode_result(struct wf *wf, Common__Payload **payload)
{
	const struct temporal_contract *contract = wf->definition->contract;
	struct temporal_error err = { .code = TEMPORAL_OK };

	if (!wf->definition->run) {
		*payload = wf->out ? convert_payload_to_api(&wf->task, wf->out) : NULL;
		if (wf->out && !*payload)
			run_out_of_memory(wf);
		return !wf->broken;
	}
	if (!convert_encode_result(&wf->task, contract, wf->out, payload, &err))
		return true;
	run_break_error(wf, &err, "encoding the result");
	return false;
}

/* The list is the newest first. */
static const struct wf_future *oldest_failed(const struct wf *wf)
{
	const struct wf_future *future = wf->failed;

	while (future && future->next_failed)
		future = future->next_failed;
	return future;
}

/*
 * Its own failure, then one that nobody has seen, then its result. Why an unseen failure comes
 * before the result: a failed activity that nobody has looked at is a mistake that would stay
 * hidden otherwise. The oldest is the most likely cause of the others.
 */
static void main_ended(struct wf *wf, struct coroutine *self)
{
	const struct wf_future *unseen = oldest_failed(wf);
	Common__Payload *payload = NULL;

	if (self->failure) {
		failure_end_run(wf, self->failure);
		return;
	}
	if (unseen) {
		failure_end_run(wf, unseen->failure);
		return;
	}
	if (!encode_result(wf, &payload))
		return;
	struct command *command = run_last_command(wf, COMMAND_COMPLETE_WORKFLOW);
	if (command)
		command->complete.result = payload;
}

/* wf->main is set so that the run's cancellation finds it; coroutine.c clears it. */
void initialize_start(struct wf *wf)
{
	static const struct coroutine_class class = {
		.name = "run", .body = main_body, .ended = main_ended
	};

	wf->main = coroutine_new(wf, &class);
	if (!wf->main)
		run_out_of_memory(wf);
}
