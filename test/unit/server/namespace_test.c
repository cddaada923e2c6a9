/*
 * Namespaces. Goal: what is registered and updated is told again, also after pages and by id;
 * states go one way only; a deleted one has another name at once, and its runs and at last itself
 * are gone; each refusal has the official server's text. Method: calls by hand, the store in
 * memory.
 */
#include "fake_workflow.h"
#include "server/frontend/namespace.h"
#include "temporal/api/operatorservice/v1/request_response.pb-c.h"

#define STATE(name_) ENUMS__NAMESPACE_STATE__NAMESPACE_STATE_##name_

static Google__Duration retention = GOOGLE__DURATION__INIT;

static Workflowservice__RegisterNamespaceRequest a_registration(void)
{
	Workflowservice__RegisterNamespaceRequest in =
		WORKFLOWSERVICE__REGISTER_NAMESPACE_REQUEST__INIT;

	retention.seconds = 3600;
	retention.nanos = 0;
	in.namespace_ = "one";
	in.workflow_execution_retention_period = &retention;
	return in;
}

static void registration_is_checked(void **state)
{
	Workflowservice__RegisterNamespaceRequest in = a_registration();
	static const char period[] = "A valid retention period is not set on request.";
	char name[1002];

	(void)state;
	in.namespace_ = "";
	call_badly(frontend_register_namespace, &in, TEMPORAL_INVALID_ARGUMENT,
		"Namespace not set on request.");
	memset(name, 'n', sizeof(name));
	name[1001] = '\0';
	in.namespace_ = name;
	call_badly(frontend_register_namespace, &in, TEMPORAL_INVALID_ARGUMENT,
		"Namespace length exceeds limit.");
	name[1000] = '\0';
	call_well(frontend_register_namespace, &in);
	in.namespace_ = "one";
	retention.seconds = 3599;
	call_badly(frontend_register_namespace, &in, TEMPORAL_INVALID_ARGUMENT, period);
	in.workflow_execution_retention_period = NULL;
	call_badly(frontend_register_namespace, &in, TEMPORAL_INVALID_ARGUMENT, period);
	in.workflow_execution_retention_period = &retention;
	retention.seconds = 3600;
	in.active_cluster_name = "other";
	call_badly(frontend_register_namespace, &in, TEMPORAL_INVALID_ARGUMENT,
		"Invalid cluster name: other");
	in.active_cluster_name = "active";
	in.is_global_namespace = true;
	call_badly(frontend_register_namespace, &in, TEMPORAL_INVALID_ARGUMENT,
		"Cannot register global namespace when not enabled");
	in.is_global_namespace = false;
	call_well(frontend_register_namespace, &in);
	call_badly(frontend_register_namespace, &in, TEMPORAL_ALREADY_EXISTS,
		"Namespace \"one\" already exists");
}

static void describing_by_name_and_id(void **state)
{
	Workflowservice__DescribeNamespaceRequest in =
		WORKFLOWSERVICE__DESCRIBE_NAMESPACE_REQUEST__INIT;
	const Workflowservice__DescribeNamespaceResponse *out;
	struct answer answer;

	(void)state;
	call_badly(frontend_describe_namespace, &in, TEMPORAL_INVALID_ARGUMENT,
		"Namespace not set on request.");
	in.id = state_namespace(&world.server, "default")->id;
	call(&answer, frontend_describe_namespace, &in);
	out = answer.message;
	assert_string_equal(out->namespace_info->name, "default");
	assert_int_equal(out->namespace_info->state, STATE(REGISTERED));
	assert_int_equal(out->config->workflow_execution_retention_ttl->seconds, 86400);
	assert_string_equal(out->replication_config->clusters[0]->cluster_name, "active");
	forget(&answer);
	in.namespace_ = "default";
	call_badly(frontend_describe_namespace, &in, TEMPORAL_INVALID_ARGUMENT,
		"GetNamespace operation failed.  Both ID and Name specified in request.");
	in.namespace_ = "";
	in.id = "00000000-0000-0000-0000-000000000005";
	call_badly(frontend_describe_namespace, &in, TEMPORAL_NOT_FOUND,
		"Namespace 00000000-0000-0000-0000-000000000005 is not found.");
}

static void pages_hold_each_once(void **state)
{
	Workflowservice__ListNamespacesRequest in = WORKFLOWSERVICE__LIST_NAMESPACES_REQUEST__INIT;
	Workflowservice__RegisterNamespaceRequest one = a_registration();
	const Workflowservice__ListNamespacesResponse *out;
	struct answer first, second;

	(void)state;
	call_well(frontend_register_namespace, &one);
	in.page_size = 1;
	call(&first, frontend_list_namespaces, &in);
	out = first.message;
	assert_int_equal(out->n_namespaces, 1);
	assert_string_equal(out->namespaces[0]->namespace_info->name, "default");
	in.next_page_token = out->next_page_token;
	call(&second, frontend_list_namespaces, &in);
	out = second.message;
	assert_int_equal(out->n_namespaces, 1);
	assert_string_equal(out->namespaces[0]->namespace_info->name, "one");
	assert_int_equal(out->next_page_token.len, 0);
	forget(&first);
	forget(&second);
}

static void updates_are_kept(void **state)
{
	Workflowservice__UpdateNamespaceRequest in =
		WORKFLOWSERVICE__UPDATE_NAMESPACE_REQUEST__INIT;
	Namespace__UpdateNamespaceInfo info = NAMESPACE__UPDATE_NAMESPACE_INFO__INIT;
	Namespace__UpdateNamespaceInfo__DataEntry entry =
		NAMESPACE__UPDATE_NAMESPACE_INFO__DATA_ENTRY__INIT;
	Namespace__UpdateNamespaceInfo__DataEntry *entries = &entry;
	Namespace__NamespaceConfig config = NAMESPACE__NAMESPACE_CONFIG__INIT;
	const Workflowservice__UpdateNamespaceResponse *out;
	struct answer answer;

	(void)state;
	in.namespace_ = "default";
	info.description = "all of it";
	entry.key = "a";
	entry.value = "b";
	info.data = &entries;
	info.n_data = 1;
	in.update_info = &info;
	call_well(frontend_update_namespace, &in);
	entry.value = "c";
	info.description = "";
	retention.seconds = 7200;
	config.workflow_execution_retention_ttl = &retention;
	in.config = &config;
	call(&answer, frontend_update_namespace, &in);
	out = answer.message;
	assert_string_equal(out->namespace_info->description, "all of it");
	assert_int_equal(out->namespace_info->n_data, 1);
	assert_string_equal(out->namespace_info->data[0]->value, "c");
	assert_int_equal(out->config->workflow_execution_retention_ttl->seconds, 7200);
	forget(&answer);
	retention.seconds = 10;
	call_badly(frontend_update_namespace, &in, TEMPORAL_INVALID_ARGUMENT,
		"A valid retention period is not set on request.");
}

static void bad_binaries_have_a_limit(void **state)
{
	Workflowservice__UpdateNamespaceRequest in =
		WORKFLOWSERVICE__UPDATE_NAMESPACE_REQUEST__INIT;
	Namespace__UpdateNamespaceInfo info = NAMESPACE__UPDATE_NAMESPACE_INFO__INIT;
	Namespace__NamespaceConfig config = NAMESPACE__NAMESPACE_CONFIG__INIT;
	Namespace__BadBinaries bad = NAMESPACE__BAD_BINARIES__INIT;
	Namespace__BadBinaries__BinariesEntry entries[11], *list[11];
	Namespace__BadBinaryInfo why = NAMESPACE__BAD_BINARY_INFO__INIT;
	static const char *const keys[] = { "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "x" };

	(void)state;
	for (size_t i = 0; i < 11; i++) {
		entries[i] = (Namespace__BadBinaries__BinariesEntry)
			NAMESPACE__BAD_BINARIES__BINARIES_ENTRY__INIT;
		entries[i].key = keys[i];
		entries[i].value = &why;
		list[i] = &entries[i];
	}
	bad.binaries = list;
	bad.n_binaries = 11;
	config.bad_binaries = &bad;
	in.namespace_ = "default";
	in.config = &config;
	info.owner_email = "me"; /* so that it is kept */
	in.update_info = &info;
	call_badly(frontend_update_namespace, &in, TEMPORAL_INVALID_ARGUMENT,
		"Total resetBinaries cannot exceed the max limit: 10");
	bad.n_binaries = 10;
	call_well(frontend_update_namespace, &in);
	in.config = NULL;
	in.delete_bad_binary = "x";
	call_badly(frontend_update_namespace, &in, TEMPORAL_INVALID_ARGUMENT,
		"Bad binary checksum x doesn't exists.");
	in.delete_bad_binary = "9";
	call_well(frontend_update_namespace, &in);
	call_badly(frontend_update_namespace, &in, TEMPORAL_INVALID_ARGUMENT,
		"Bad binary checksum 9 doesn't exists.");
}

static void states_go_one_way(void **state)
{
	Workflowservice__DeprecateNamespaceRequest deprecate =
		WORKFLOWSERVICE__DEPRECATE_NAMESPACE_REQUEST__INIT;
	Workflowservice__UpdateNamespaceRequest in =
		WORKFLOWSERVICE__UPDATE_NAMESPACE_REQUEST__INIT;
	Namespace__UpdateNamespaceInfo info = NAMESPACE__UPDATE_NAMESPACE_INFO__INIT;
	Workflowservice__StartWorkflowExecutionRequest start =
		WORKFLOWSERVICE__START_WORKFLOW_EXECUTION_REQUEST__INIT;

	(void)state;
	start_workflow();
	deprecate.namespace_ = "default";
	call_well(frontend_deprecate_namespace, &deprecate);
	start.namespace_ = "default";
	call_badly(frontend_start, &start, TEMPORAL_FAILED_PRECONDITION,
		"Namespace has invalid state: Deprecated. Must be Registered.");
	signal_workflow("hello"); /* what runs goes on */
	in.namespace_ = "default";
	in.update_info = &info;
	info.state = STATE(REGISTERED);
	call_badly(frontend_update_namespace, &in, TEMPORAL_INVALID_ARGUMENT,
		"Invalid namespace state update.");
	in.update_info = NULL;
	in.promote_namespace = true;
	call_badly(frontend_update_namespace, &in, TEMPORAL_INVALID_ARGUMENT,
		"global namespace is not enabled on this cluster, cannot update global namespace "
		"or "
		"promote local namespace: default");
}

/* Lets the store's lists and batches come back until the runs are gone. */
static void wait_empty(const struct server_namespace *space)
{
	for (int i = 0; !space->emptied; i++) {
		assert_true(i < 3000);
		journal_step(&world.server);
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	}
	world_settle();
}

static void deleted_one_is_gone_with_its_runs(void **state)
{
	Operatorservice__DeleteNamespaceRequest in =
		OPERATORSERVICE__DELETE_NAMESPACE_REQUEST__INIT;
	Workflowservice__TerminateWorkflowExecutionRequest end =
		WORKFLOWSERVICE__TERMINATE_WORKFLOW_EXECUTION_REQUEST__INIT;
	Google__Duration delay = GOOGLE__DURATION__INIT;
	struct server_namespace *space = state_namespace(&world.server, "default");
	char closed[SERVER_UUID_SIZE], open[SERVER_UUID_SIZE];
	struct answer answer;

	(void)state;
	start_workflow();
	snprintf(closed, sizeof(closed), "%s", current_run()->run_id);
	end.namespace_ = "default";
	end.workflow_execution = &workflow;
	call_well(frontend_terminate, &end);
	start_workflow();
	snprintf(open, sizeof(open), "%s", current_run()->run_id);
	delay.seconds = 3;
	in.namespace_ = "default";
	in.namespace_delete_delay = &delay;
	call(&answer, frontend_delete_namespace, &in);
	assert_memory_equal(((const Operatorservice__DeleteNamespaceResponse *)answer.message)
				    ->deleted_namespace,
		"default-deleted-", 16);
	forget(&answer);
	assert_null(state_namespace(&world.server, "default"));
	wait_empty(space);
	assert_null(state_execution(&world.server, space, "w", closed));
	assert_null(state_execution(&world.server, space, "w", open));
	world_pass(3000 * MS - 1);
	assert_ptr_equal(namespace_by_id(&world.server, space->id), space);
	world_pass(1);
	assert_null(namespace_by_id(&world.server, space->id));
}

static void bad_deletions_are_refused(void **state)
{
	Operatorservice__DeleteNamespaceRequest in =
		OPERATORSERVICE__DELETE_NAMESPACE_REQUEST__INIT;

	(void)state;
	call_badly(frontend_delete_namespace, &in, TEMPORAL_INVALID_ARGUMENT,
		"Namespace not set on request.");
	in.namespace_ = "temporal-system";
	call_badly(frontend_delete_namespace, &in, TEMPORAL_FAILED_PRECONDITION,
		"unable to delete system namespace");
	in.namespace_ = "nothing";
	call_badly(frontend_delete_namespace, &in, TEMPORAL_NOT_FOUND,
		"Namespace nothing is not found.");
	in.namespace_id = "nothing";
	call_badly(frontend_delete_namespace, &in, TEMPORAL_INVALID_ARGUMENT,
		"Only one of namespace name or Id should be set on request.");
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(registration_is_checked),
		TEST(describing_by_name_and_id),
		TEST(pages_hold_each_once),
		TEST(updates_are_kept),
		TEST(bad_binaries_have_a_limit),
		TEST(states_go_one_way),
		TEST(deleted_one_is_gone_with_its_runs),
		TEST(bad_deletions_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
