/*
 * Workflows that reach others, against a server: children (result, failure, start that fails,
 * cancellation), signals and cancellations to other workflows, a Nexus operation that nobody takes,
 * patches, search attributes and memo, with a cache and without one.
 *
 * Method: one parent type that plays a scene by its argument; what it returns says all.
 */
#include "worker_fixture.h"

struct leaf_in {
	const char *mode;
};
typedef const char *leaf_out;
TEMPORAL_WORKFLOW_CONTRACT(leaf, "Leaf", mode);
struct leaf {
	const char *told;
};
struct leaf_tell_in {
	const char *what;
};
TEMPORAL_SIGNAL_CONTRACT(leaf_tell, "tell", what);

static void leaf_tell_run(struct wf *wf, struct leaf *self, const struct leaf_tell_in *in)
{
	self->told = in->what;
}
TEMPORAL_SIGNAL(leaf, tell);

static bool is_told(const void *state)
{
	return ((const struct leaf *)state)->told != NULL;
}

static leaf_out leaf_run(struct wf *wf, struct leaf *self, const struct leaf_in *in)
{
	if (!strcmp(in->mode, "fail"))
		wf_fail(wf, "Rotten", "the leaf is rotten");
	if (!strcmp(in->mode, "wait"))
		wf_wait(wf, wf_until(wf, is_told, self));
	return wf_printf(wf, "%s:%s", in->mode, self->told ? self->told : "nothing");
}
static const struct temporal_handler *const leaf_handlers[] = { &leaf_tell_handler, NULL };
TEMPORAL_STATEFUL_WORKFLOW(leaf, leaf_handlers);

struct tree_in {
	const char *scene, *id;
};
typedef const char *tree_out;
TEMPORAL_WORKFLOW_CONTRACT(tree, "Tree", scene, id);

typedef int fruit_out;
TEMPORAL_NEXUS_CONTRACT_0(fruit, "fruit");

static const char *root_cause(const struct temporal_failure *failure)
{
	while (failure && failure->cause)
		failure = failure->cause;
	return failure ? failure->message : "no failure";
}

static tree_out children(struct wf *wf, const struct tree_in *in)
{
	struct wf_future *told = wf_start_child(wf, leaf, NULL, .mode = "wait");
	struct wf_future *fails = wf_start_child(wf, leaf, NULL, .mode = "fail");

	wf_wait(wf, wf_child_started(wf, told));
	wf_wait(wf, wf_child_signal(wf, told, leaf_tell, .what = "by the parent"));
	const struct temporal_failure *failure = wf_try(wf, fails);
	const char *plain = wf_child(wf, leaf, NULL, .mode = "plain");
	struct wf_future *taken =
		wf_start_child(wf, leaf, WF_CHILD_OPTS(.id = in->id), .mode = "plain");
	const struct temporal_failure *why = wf_try(wf, wf_child_started(wf, taken));
	return wf_printf(wf, "%s, %s, %s, %s, %d", wf_await(wf, leaf, told), root_cause(failure),
		plain, why ? why->cause->type : "started", strlen(wf_child_run_id(wf, told)) == 36);
}

static tree_out cancelled_children(struct wf *wf, const struct tree_in *in)
{
	static const enum temporal_remote_cancellation types[] = { TEMPORAL_REMOTE_WAIT_COMPLETED,
		TEMPORAL_REMOTE_WAIT_REQUESTED, TEMPORAL_REMOTE_TRY_CANCEL,
		TEMPORAL_REMOTE_ABANDON };
	struct wf_future *leaves[4];
	int cancelled = 0;

	for (int i = 0; i < 4; i++) {
		leaves[i] = wf_start_child(
			wf, leaf, WF_CHILD_OPTS(.cancellation = types[i]), .mode = "wait");
		wf_wait(wf, wf_child_started(wf, leaves[i]));
	}
	for (int i = 0; i < 4; i++)
		wf_cancel(wf, leaves[i]);
	for (int i = 0; i < 4; i++) {
		const struct temporal_failure *failure = wf_try(wf, leaves[i]);

		cancelled += failure && wf_is_cancelled(failure);
	}
	return wf_printf(wf, "%d cancelled", cancelled);
}

static tree_out others(struct wf *wf, const struct tree_in *in)
{
	wf_wait(wf, wf_external_signal(wf, in->id, NULL, leaf_tell, .what = "by a stranger"));
	const struct temporal_failure *nobody =
		wf_try(wf, wf_external_signal(wf, "nobody-here", NULL, leaf_tell, .what = "x"));
	const struct temporal_failure *none =
		wf_try(wf, wf_external_cancel(wf, "nobody-here", NULL, "enough"));
	struct wf_future *child = wf_start_child(wf, leaf, NULL, .mode = "wait");
	wf_wait(wf, wf_child_started(wf, child));
	wf_wait(wf, wf_external_cancel(wf, wf_child_id(wf, child), NULL, "enough"));
	const struct temporal_failure *child_failure = wf_try(wf, child);
	return wf_printf(wf, "%s, %s, %s", nobody ? nobody->type : "sent",
		none ? none->type : "asked",
		child_failure && wf_is_cancelled(child_failure) ? "cancelled" : "not cancelled");
}

static tree_out patches(struct wf *wf, const struct tree_in *in)
{
	bool first = wf_patched(wf, "first");

	wf_sleep(wf, 1);
	wf_deprecate_patch(wf, "second");
	wf_sleep(wf, 1);
	bool again = wf_patched(wf, "first"), third = wf_patched(wf, "third");
	wf_sleep(wf, 1);
	return wf_printf(wf, "%d%d%d", first, again, third);
}

static tree_out attributes(struct wf *wf, const struct tree_in *in)
{
	struct temporal_entry keyword = { "TreeColour", { .data = { "\"green\"", 7 } } };
	struct temporal_entry note = { "note", { .data = { "\"mine\"", 6 } } };

	wf_upsert_search_attributes(wf, &(struct temporal_entries){ &keyword, 1 });
	wf_upsert_memo(wf, &(struct temporal_entries){ &note, 1 });
	wf_sleep(wf, 1);
	const struct wf_info *info = wf_info(wf);
	return wf_printf(wf, "%zu %.*s", info->search_attributes.count,
		(int)info->memo.items[0].value.data.len,
		(const char *)info->memo.items[0].value.data.data);
}

static tree_out nexus(struct wf *wf, const struct tree_in *in)
{
	struct wf_future *operation = wf_start_nexus_0(wf, fruit,
		WF_NEXUS_OPTS(.endpoint = in->id, .service = "garden",
			.schedule_to_close_ms = 300));
	const struct temporal_failure *failure = wf_try(wf, operation);

	return wf_printf(wf, "%d %s %s",
		failure && failure->kind == TEMPORAL_FAILURE_NEXUS_OPERATION,
		failure ? failure->operation : "",
		failure && failure->cause && failure->cause->kind == TEMPORAL_FAILURE_TIMEOUT
			? "timed out"
			: root_cause(failure));
}

static tree_out tree_run(struct wf *wf, const struct tree_in *in)
{
	if (!strcmp(in->scene, "children"))
		return children(wf, in);
	if (!strcmp(in->scene, "cancelled children"))
		return cancelled_children(wf, in);
	if (!strcmp(in->scene, "others"))
		return others(wf, in);
	if (!strcmp(in->scene, "patches"))
		return patches(wf, in);
	if (!strcmp(in->scene, "attributes"))
		return attributes(wf, in);
	return nexus(wf, in);
}
TEMPORAL_WORKFLOW(tree);

static int max_cached;

static void start_tree_worker(void)
{
	start_worker((struct temporal_worker_opts){
		.workflows = WORKFLOWS(&tree_workflow, &leaf_workflow),
		.max_cached_workflows = max_cached,
	});
}

static void a_workflow_has_children(void **state)
{
	start_tree_worker();
	struct temporal_run *taken = START(leaf, .mode = "wait");
	struct temporal_error err;

	assert_result(START(tree, .scene = "children", .id = temporal_run_workflow_id(taken)),
		&tree,
		"wait:by the parent, the leaf is rotten, plain:nothing, WorkflowAlreadyStarted, 1");
	assert_int_equal(
		temporal_signal(taken, leaf_tell, &err, .what = "by the client"), TEMPORAL_OK);
	assert_result(taken, &leaf, "wait:by the client");
}

static void children_are_cancelled(void **state)
{
	start_tree_worker();
	assert_result(START(tree, .scene = "cancelled children", .id = ""), &tree, "4 cancelled");
}

static void workflows_reach_strangers(void **state)
{
	start_tree_worker();
	struct temporal_run *stranger = START(leaf, .mode = "wait");

	assert_result(START(tree, .scene = "others", .id = temporal_run_workflow_id(stranger)),
		&tree,
		"ExternalWorkflowExecutionNotFound, ExternalWorkflowExecutionNotFound, cancelled");
	assert_result(stranger, &leaf, "wait:by a stranger");
}

static void code_is_patched(void **state)
{
	start_tree_worker();
	assert_result(START(tree, .scene = "patches", .id = ""), &tree, "111");
}

/* It may be there, from an earlier run on the same server. */
static void add_search_attribute(void)
{
	const char *json = "{\"namespace\":\"default\",\"searchAttributes\":"
			   "{\"TreeColour\":\"INDEXED_VALUE_TYPE_KEYWORD\"}}";
	struct temporal_error err = { .code = TEMPORAL_OK };

	temporal_buffer_unref(temporal_client_call(fixture.client,
		"/temporal.api.operatorservice.v1.OperatorService/AddSearchAttributes",
		(struct temporal_bytes){ json, strlen(json) }, true, &err));
}

static void attributes_are_upserted(void **state)
{
	struct temporal_error err = { .code = TEMPORAL_OK };

	add_search_attribute();
	start_tree_worker();
	struct temporal_run *run = START(tree, .scene = "attributes", .id = "");
	struct temporal_run *again = temporal_run_ref(run);
	assert_result(run, &tree, "1 \"mine\"");
	struct temporal_run_description *description = temporal_run_describe(again, &err);
	assert_non_null(description);
	assert_int_equal(description->memo.count, 1);
	assert_string_equal(description->memo.items[0].key, "note");
	temporal_run_description_unref(description);
	temporal_run_unref(again);
}

/* The endpoint leads to a queue on which nobody listens. */
static void a_nexus_operation_times_out(void **state)
{
	char endpoint[66], json[512];
	struct temporal_error err = { .code = TEMPORAL_OK };

	snprintf(endpoint, sizeof(endpoint), "e%s", fixture.queue);
	snprintf(json, sizeof(json),
		"{\"spec\":{\"name\":\"%s\",\"target\":{\"worker\":{\"namespace\":\"default\","
		"\"taskQueue\":\"%s-nexus\"}}}}",
		endpoint, fixture.queue);
	struct temporal_buffer *reply = temporal_client_call(fixture.client,
		"/temporal.api.operatorservice.v1.OperatorService/CreateNexusEndpoint",
		(struct temporal_bytes){ json, strlen(json) }, true, &err);
	if (!reply)
		print_message("%s\n", err.message);
	assert_non_null(reply);
	temporal_buffer_unref(reply);
	start_tree_worker();
	assert_result(START(tree, .scene = "nexus", .id = endpoint), &tree, "1 fruit timed out");
}

static int run_with(const char *name, int cached)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_workflow_has_children, begin_test, end_test),
		cmocka_unit_test_setup_teardown(children_are_cancelled, begin_test, end_test),
		cmocka_unit_test_setup_teardown(workflows_reach_strangers, begin_test, end_test),
		cmocka_unit_test_setup_teardown(code_is_patched, begin_test, end_test),
		cmocka_unit_test_setup_teardown(attributes_are_upserted, begin_test, end_test),
		cmocka_unit_test_setup_teardown(a_nexus_operation_times_out, begin_test, end_test),
	};

	max_cached = cached;
	return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int main(void)
{
	int failed = begin_all(NULL);

	failed += run_with("with a cache", 0);
	failed += run_with("without a cache", TEMPORAL_OFF);
	return failed + end_all(NULL);
}
