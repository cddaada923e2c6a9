/*
 * Goal: a client connects as its options say, knows what the server can do, lives as long as its
 * references, and survives a fork.
 * Method: a fake server in the process, which also notes how many channels were opened with which
 * headers; a real fork.
 */
#include "fake_server.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

typedef Workflowservice__GetSystemInfoResponse info_response;

static const struct rpc_method *const get_info = &rpc_workflow_get_system_info;
static const struct rpc_method *const signal_method = &rpc_workflow_signal_workflow_execution;

static int set_up(void **state)
{
	*state = fake_new();
	return 0;
}

static int tear_down(void **state)
{
	fake_free(*state);
	return 0;
}

static struct temporal_client *connect_with(struct fake_server *server,
	const struct temporal_client_opts *opts, struct temporal_error *err)
{
	return client_connect_through(
		&(const struct rpc_transport){ fake_open, server }, opts, err);
}

static const struct temporal_payloads no_arguments;

/* A signal that the server's script expects. */
static enum temporal_code send_signal(struct temporal_client *client, struct temporal_error *err)
{
	struct temporal_run *run = temporal_run_handle(client, "order-1", NULL, err);
	enum temporal_code code;

	assert_non_null(run);
	code = temporal_signal_named_0(run, "approve", no_arguments, err);
	temporal_run_unref(run);
	return code;
}

static void asks_what_the_server_can_do(void **state)
{
	struct fake_server *server = *state;
	Workflowservice__GetSystemInfoResponse__Capabilities capabilities =
		WORKFLOWSERVICE__GET_SYSTEM_INFO_RESPONSE__CAPABILITIES__INIT;
	info_response response = WORKFLOWSERVICE__GET_SYSTEM_INFO_RESPONSE__INIT;
	struct client_capabilities known;

	response.server_version = "1.32.0";
	response.capabilities = &capabilities;
	capabilities.sdk_metadata = true;
	capabilities.eager_workflow_start = true;
	fake_expect(server, get_info, &response);
	struct temporal_client *client = connect_with(server, NULL, NULL);
	assert_non_null(client);
	client_capabilities(client, &known);
	assert_true(known.known);
	assert_true(known.sdk_metadata);
	assert_true(known.eager_workflow_start);
	assert_false(known.nexus);
	assert_string_equal(known.server_version, "1.32.0");
	assert_int_equal(client_ensure_connected(client, NULL), TEMPORAL_OK);
	assert_int_equal(server->n_asked, 1); /* once */
	temporal_client_unref(client);
}

static void bears_with_an_old_server(void **state)
{
	struct fake_server *server = *state;
	struct client_capabilities known;

	fake_expect_error(server, get_info, TEMPORAL_UNIMPLEMENTED, "what?", NULL);
	struct temporal_client *client = connect_with(server, NULL, NULL);
	assert_non_null(client);
	client_capabilities(client, &known);
	assert_true(known.known);
	assert_false(known.sdk_metadata);
	temporal_client_unref(client);
}

static void says_why_it_did_not_connect(void **state)
{
	struct fake_server *server = *state;
	struct temporal_error err = { 0 };

	fake_expect_error(server, get_info, TEMPORAL_UNAVAILABLE, "connection refused", NULL);
	assert_null(connect_with(
		server, &(const struct temporal_client_opts){ .target = "db.example:7233" }, &err));
	assert_int_equal(err.code, TEMPORAL_UNAVAILABLE);
	assert_string_equal(err.message, "connect to db.example:7233: connection refused");
	assert_int_equal(server->n_asked, 1); /* no retries: the address may be wrong */
}

static void is_lazy_when_told(void **state)
{
	struct fake_server *server = *state;
	struct client_capabilities known;
	struct temporal_client *client =
		connect_with(server, &(const struct temporal_client_opts){ .lazy = true }, NULL);

	assert_non_null(client);
	client_capabilities(client, &known);
	assert_false(known.known);
	assert_int_equal(server->n_asked, 0);
	temporal_client_unref(client);
}

static void has_defaults(void **state)
{
	struct fake_server *server = *state;
	struct temporal_client *client =
		connect_with(server, &(const struct temporal_client_opts){ .lazy = true }, NULL);
	char start[32];

	snprintf(start, sizeof(start), "%ld@", (long)getpid());
	assert_string_equal(temporal_client_namespace(client), "default");
	assert_memory_equal(temporal_client_identity(client), start, strlen(start));
	assert_string_equal(fake_header(server, "client-name"), "temporal-c");
	assert_string_equal(fake_header(server, "temporal-namespace"), "default");
	assert_string_equal(fake_header(server, "supported-server-versions"), ">=1.0.0 <2.0.0");
	assert_non_null(fake_header(server, "client-version"));
	assert_null(fake_header(server, "authorization"));
	temporal_client_unref(client);
}

static void copies_its_options(void **state)
{
	struct fake_server *server = *state;
	char namespace_[] = "shop", identity[] = "me", key[] = "secret", name[] = "x-team",
	     value[] = "blue";
	struct temporal_header header = { name, value };
	struct temporal_client_opts opts = { .lazy = true,
		.namespace_ = namespace_,
		.identity = identity,
		.api_key = key,
		.headers = &header,
		.n_headers = 1 };
	struct temporal_client *client = connect_with(server, &opts, NULL);

	assert_non_null(client);
	memset(namespace_, '?', sizeof(namespace_) - 1);
	memset(identity, '?', sizeof(identity) - 1);
	memset(value, '?', sizeof(value) - 1);
	memset(&opts, 0x5A, sizeof(opts));
	assert_string_equal(temporal_client_namespace(client), "shop");
	assert_string_equal(temporal_client_identity(client), "me");
	assert_string_equal(fake_header(server, "authorization"), "Bearer secret");
	assert_string_equal(fake_header(server, "x-team"), "blue");
	temporal_client_unref(client);
}

static void refuses_bad_options(void **state)
{
	struct fake_server *server = *state;
	const struct temporal_tls_opts half = { .cert_pem = "..." };
	const struct temporal_tls_opts whole = { .server_name = "x" };
	const struct temporal_header upper = { "X-Team", "blue" }, newline = { "x-team", "a\nb" },
				     grpc = { "grpc-timeout", "1S" };
	const struct {
		const char *message;
		struct temporal_client_opts opts;
	} mistakes[] = {
		{ "tls: cert_pem is set without", { .tls = &half } },
		{ "tls and no_tls are both set", { .tls = &whole, .no_tls = true } },
		{ "header \"X-Team\": names are of", { .headers = &upper, .n_headers = 1 } },
		{ "header \"x-team\": its value", { .headers = &newline, .n_headers = 1 } },
		{ "header \"grpc-timeout\": gRPC", { .headers = &grpc, .n_headers = 1 } },
		{ "n_headers is set without headers", { .n_headers = 1 } },
		{ "header \"authorization\": its value", { .api_key = "tab\there" } },
		{ "keep_alive_ms is -2: expected 0, TEMPORAL_OFF or more",
			{ .keep_alive_ms = -2 } },
		{ "connect_timeout_ms is -1: expected 0 or more", { .connect_timeout_ms = -1 } },
		{ "read_interval_ms is -1: expected 0 or more", { .read_interval_ms = -1 } },
		{ "read_interval_ms is 1001: expected at most 1000", { .read_interval_ms = 1001 } },
		{ "read_interval_ms is 50: expected at most 1000 and less than keep_alive_timeout",
			{ .read_interval_ms = 50, .keep_alive_timeout_ms = 50 } },
		{ "proxy: address is not set", { .proxy = &(struct temporal_proxy_opts){ 0 } } },
	};

	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		struct temporal_error err = { 0 };

		assert_null(connect_with(server, &mistakes[i].opts, &err));
		assert_int_equal(err.code, TEMPORAL_INVALID_ARGUMENT);
		if (!strstr(err.message, mistakes[i].message))
			fail_msg("expected \"%s\" in \"%s\"", mistakes[i].message, err.message);
	}
	assert_int_equal(server->opened, 0);
}

/* What is set on the live client goes with a later call, and with the channel of a child, too. */
static void changes_headers_alive(void **state)
{
	struct fake_server *server = *state;
	struct temporal_client *client =
		connect_with(server, &(const struct temporal_client_opts){ .lazy = true }, NULL);
	const struct rpc_headers *headers;
	struct temporal_error err = { 0 };
	const char *key = NULL;

	assert_int_equal(temporal_client_set_api_key(client, "first", &err), TEMPORAL_OK);
	assert_int_equal(temporal_client_set_api_key(client, "second", &err), TEMPORAL_OK);
	assert_int_equal(temporal_client_set_header(client, "x-team", "blue", &err), TEMPORAL_OK);
	assert_int_equal(temporal_client_set_header(client, "x-team", NULL, &err), TEMPORAL_OK);
	assert_int_equal(
		temporal_client_set_header(client, "X", "y", &err), TEMPORAL_INVALID_ARGUMENT);
	headers = client_channel(client)->headers;
	for (size_t i = 0; i < headers->n; i++) {
		assert_string_not_equal(headers->fields[i].name, "x-team");
		if (strcmp(headers->fields[i].name, "authorization") == 0)
			key = headers->fields[i].value;
	}
	assert_non_null(key);
	assert_memory_equal(key, "Bearer second", strlen("Bearer second"));
	temporal_client_unref(client);
}

/* Exit status of the child: 0 if it went as it should. */
static int child(struct fake_server *server, struct temporal_client *client)
{
	const struct rpc_headers *headers;
	char start[32];
	bool found = false;

	if (send_signal(client, NULL) || server->opened != 2)
		return 1;
	headers = client_channel(client)->headers;
	for (size_t i = 0; i < headers->n; i++) {
		if (strcmp(headers->fields[i].name, "x-team") == 0)
			found = true;
	}
	if (!found)
		return 2;
	snprintf(start, sizeof(start), "%ld@", (long)getpid());
	if (strncmp(temporal_client_identity(client), start, strlen(start)) != 0)
		return 3;
	temporal_client_unref(client); /* of the parent's thread it must not wait for the end */
	return 0;
}

static void reconnects_after_a_fork(void **state)
{
	struct fake_server *server = *state;
	Workflowservice__SignalWorkflowExecutionResponse response =
		WORKFLOWSERVICE__SIGNAL_WORKFLOW_EXECUTION_RESPONSE__INIT;
	struct temporal_client *client =
		connect_with(server, &(const struct temporal_client_opts){ .lazy = true }, NULL);
	int status = -1;

#ifdef SANITIZE_THREAD
	skip(); /* its runtime starts no threads in a forked child */
#endif
	for (int i = 0; i < 3; i++)
		fake_expect(server, signal_method, &response);
	assert_int_equal(temporal_client_set_header(client, "x-team", "blue", NULL), TEMPORAL_OK);
	assert_int_equal(send_signal(client, NULL), TEMPORAL_OK);
	fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		alarm(20);
		_exit(child(server, client));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_int_equal(send_signal(client, NULL), TEMPORAL_OK); /* the parent's goes on */
	assert_int_equal(server->opened, 1);
	temporal_client_unref(client);
}

static void lives_as_long_as_its_references(void **state)
{
	struct fake_server *server = *state;
	Workflowservice__SignalWorkflowExecutionResponse response =
		WORKFLOWSERVICE__SIGNAL_WORKFLOW_EXECUTION_RESPONSE__INIT;
	struct temporal_client *client = fake_connect(server);
	struct temporal_run *run = temporal_run_handle(client, "order-1", NULL, NULL);

	fake_expect(server, signal_method, &response);
	temporal_client_unref(client);
	assert_int_equal(temporal_signal_named_0(run, "approve", no_arguments, NULL), TEMPORAL_OK);
	temporal_run_unref(run);
	temporal_client_unref(NULL);
	temporal_run_unref(NULL);
	temporal_result_unref(NULL);
}

static void fails_cleanly_without_memory(void **state)
{
	struct fake_server *server = *state;
	const struct temporal_header header = { "x-team", "blue" };
	const struct temporal_tls_opts tls = { .server_name = "x", .ca_pem = "y" };
	const struct temporal_client_opts opts = {
		.lazy = true, .api_key = "key", .headers = &header, .n_headers = 1, .tls = &tls
	};
	bool hit = true;

	for (long after = 0; hit; after++) {
		struct temporal_error err = { 0 };
		struct temporal_client *client;

		arena_reset(&server->arena);
		server->n_headers = 0;
		mem_fault_set(after, 0);
		client = client_connect_through(
			&(const struct rpc_transport){ fake_open, server }, &opts, &err);
		hit = mem_fault_hit();
		mem_fault_set(-1, 0);
		if (!client)
			assert_int_equal(err.code, TEMPORAL_NO_MEMORY);
		temporal_client_unref(client);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(asks_what_the_server_can_do, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bears_with_an_old_server, set_up, tear_down),
		cmocka_unit_test_setup_teardown(says_why_it_did_not_connect, set_up, tear_down),
		cmocka_unit_test_setup_teardown(is_lazy_when_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(has_defaults, set_up, tear_down),
		cmocka_unit_test_setup_teardown(copies_its_options, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refuses_bad_options, set_up, tear_down),
		cmocka_unit_test_setup_teardown(changes_headers_alive, set_up, tear_down),
		cmocka_unit_test_setup_teardown(reconnects_after_a_fork, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lives_as_long_as_its_references, set_up, tear_down),
		cmocka_unit_test_setup_teardown(fails_cleanly_without_memory, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
