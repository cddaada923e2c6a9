/*
 * Goal: what a client's options say reaches the wire: TLS with trust, names and client's
 * certificates, headers, the API key that is changed meanwhile; and the connection may be lost or
 * ended by the server between and during calls without anybody noticing.
 * Method: a gRPC server of ours on a loop of the test's own, real sockets, certificates made here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include <temporal/api/workflowservice/v1/request_response.pb-c.h>
#include <temporal/client.h>

#include "rpc/methods.h"
#include "rpc/server.h"

#include "../rpc/certificates.h"

static struct identity ca, other_ca, server_identity, client_identity;

struct fixture {
	struct rpc_loop *loop;
	struct rpc_server *server;
	struct rpc_server_opts opts;
	char target[64];
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool stopped;
	int signals;
	char authorization[128], team[64], namespace_[64], call_header[64];
};

static void copy_header(
	const struct rpc_server_call *call, const char *name, char *out, size_t size)
{
	const char *value = rpc_server_header(call, name);

	snprintf(out, size, "%s", value ? value : "");
}

static void take_info(struct rpc_server_call *call, const void *request, void *user)
{
	Workflowservice__GetSystemInfoResponse response =
		WORKFLOWSERVICE__GET_SYSTEM_INFO_RESPONSE__INIT;

	(void)request;
	(void)user;
	response.server_version = "1.32.0";
	rpc_server_reply(call, &response);
}

/* The fields are read by the test once its call has returned, which is after this. */
static void take_signal(struct rpc_server_call *call, const void *request, void *user)
{
	Workflowservice__SignalWorkflowExecutionResponse response =
		WORKFLOWSERVICE__SIGNAL_WORKFLOW_EXECUTION_RESPONSE__INIT;
	struct fixture *f = user;

	(void)request;
	pthread_mutex_lock(&f->lock);
	f->signals++;
	copy_header(call, "authorization", f->authorization, sizeof(f->authorization));
	copy_header(call, "x-team", f->team, sizeof(f->team));
	copy_header(call, "x-call", f->call_header, sizeof(f->call_header));
	copy_header(call, "temporal-namespace", f->namespace_, sizeof(f->namespace_));
	pthread_mutex_unlock(&f->lock);
	rpc_server_reply(call, &response);
}

static void start_server(struct fixture *f, bool tls, bool mutual)
{
	static struct rpc_server_method methods[2];
	struct temporal_error err = { 0 };

	methods[0] = (struct rpc_server_method){ .method = &rpc_workflow_get_system_info,
		.handle = take_info };
	methods[1] = (struct rpc_server_method){
		.method = &rpc_workflow_signal_workflow_execution, .handle = take_signal, .user = f
	};
	f->opts.methods = methods;
	f->opts.n_methods = 2;
	if (tls) {
		f->opts.cert_pem = server_identity.cert_pem;
		f->opts.cert_pem_len = strlen(server_identity.cert_pem);
		f->opts.key_pem = server_identity.key_pem;
		f->opts.key_pem_len = strlen(server_identity.key_pem);
	}
	if (mutual) {
		f->opts.client_ca_pem = ca.cert_pem;
		f->opts.client_ca_pem_len = strlen(ca.cert_pem);
	}
	f->server = rpc_server_new(f->loop, &f->opts, &err);
	if (!f->server)
		fail_msg("%s", err.message);
	f->stopped = false;
	f->opts.port = rpc_server_port(f->server); /* the same again after a stop */
	snprintf(f->target, sizeof(f->target), "127.0.0.1:%u", f->opts.port);
}

static void on_stopped(void *user)
{
	struct fixture *f = user;

	pthread_mutex_lock(&f->lock);
	f->stopped = true;
	pthread_cond_signal(&f->cond);
	pthread_mutex_unlock(&f->lock);
}

static void stop_server(struct fixture *f)
{
	rpc_server_stop(f->server, 0, on_stopped, f);
	pthread_mutex_lock(&f->lock);
	while (!f->stopped)
		pthread_cond_wait(&f->cond, &f->lock);
	pthread_mutex_unlock(&f->lock);
	f->server = NULL;
}

static int set_up(void **state)
{
	struct fixture *f = test_calloc(1, sizeof(*f));

	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->cond, NULL);
	f->loop = rpc_loop_new(NULL);
	if (!f->loop || rpc_loop_start(f->loop, "test-server", NULL))
		return -1;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	if (f->server)
		stop_server(f);
	rpc_loop_free(f->loop);
	test_free(f);
	return 0;
}

static struct temporal_client *connected(const struct temporal_client_opts *opts)
{
	struct temporal_error err = { 0 };
	struct temporal_client *client = temporal_client_connect_(&err, opts, sizeof(*opts));

	if (!client)
		fail_msg("%s", err.message);
	return client;
}

static void send_signal(struct temporal_client *client, const struct temporal_signal_opts *opts)
{
	struct temporal_error err = { 0 };
	struct temporal_run *run = temporal_run_handle(client, "order-1", NULL, &err);

	if (temporal_signal_named_(run, "approve", (struct temporal_payloads){ NULL, 0 }, opts,
		    opts ? sizeof(*opts) : 0, &err))
		fail_msg("%s", err.message);
	temporal_run_unref(run);
}

static void sends_its_headers(void **state)
{
	struct fixture *f = *state;
	const struct temporal_header team = { "x-team", "blue" }, call = { "x-call", "this one" };

	start_server(f, false, false);
	struct temporal_client *client = connected(&(const struct temporal_client_opts){
		.target = f->target,
		.namespace_ = "shop",
		.headers = &team,
		.n_headers = 1,
		.api_key = "first",
		.no_tls = true,
	});

	send_signal(client,
		&(const struct temporal_signal_opts){ .rpc_headers = &call, .n_rpc_headers = 1 });
	assert_string_equal(f->authorization, "Bearer first");
	assert_string_equal(f->team, "blue");
	assert_string_equal(f->call_header, "this one");
	assert_string_equal(f->namespace_, "shop");
	assert_int_equal(temporal_client_set_api_key(client, "second", NULL), TEMPORAL_OK);
	assert_int_equal(temporal_client_set_header(client, "x-team", NULL, NULL), TEMPORAL_OK);
	send_signal(client, NULL);
	assert_string_equal(f->authorization, "Bearer second");
	assert_string_equal(f->team, "");
	assert_string_equal(f->call_header, "");
	assert_int_equal(temporal_client_set_api_key(client, NULL, NULL), TEMPORAL_OK);
	send_signal(client, NULL);
	assert_string_equal(f->authorization, "");
	temporal_client_unref(client);
}

static void speaks_tls(void **state)
{
	struct fixture *f = *state;
	const struct temporal_tls_opts tls = { .ca_pem = ca.cert_pem };
	const struct temporal_tls_opts named = { .ca_pem = ca.cert_pem,
		.server_name = "temporal.example" };

	start_server(f, true, false);
	struct temporal_client *client =
		connected(&(const struct temporal_client_opts){ .target = f->target, .tls = &tls });

	send_signal(client, NULL);
	temporal_client_unref(client);
	client = connected(&(const struct temporal_client_opts){
		.target = f->target, .tls = &named, .api_key = "key" });
	send_signal(client, NULL);
	assert_string_equal(f->authorization, "Bearer key");
	temporal_client_unref(client);
	assert_int_equal(f->signals, 2);
}

static void shows_its_certificate(void **state)
{
	struct fixture *f = *state;
	const struct temporal_tls_opts without = { .ca_pem = ca.cert_pem };
	const struct temporal_tls_opts with = { .ca_pem = ca.cert_pem,
		.cert_pem = client_identity.cert_pem,
		.key_pem = client_identity.key_pem };
	struct temporal_error err = { 0 };

	start_server(f, true, true);
	struct temporal_client *client = connected(
		&(const struct temporal_client_opts){ .target = f->target, .tls = &with });

	send_signal(client, NULL);
	temporal_client_unref(client);
	assert_null(temporal_client_connect(&err, .target = f->target, .tls = &without));
	assert_int_equal(err.code, TEMPORAL_UNAVAILABLE);
}

static void says_why_it_does_not_trust(void **state)
{
	struct fixture *f = *state;
	const struct temporal_tls_opts stranger = { .ca_pem = other_ca.cert_pem };
	const struct temporal_tls_opts misnamed = { .ca_pem = ca.cert_pem,
		.server_name = "elsewhere.example" };
	const struct temporal_tls_opts garbage = { .ca_pem = "no certificate" };
	struct temporal_error err = { 0 };

	start_server(f, true, false);
	assert_null(temporal_client_connect(&err, .target = f->target, .tls = &stranger));
	assert_int_equal(err.code, TEMPORAL_UNAVAILABLE);
	assert_non_null(strstr(err.message, "certificate"));
	assert_non_null(strstr(err.message, f->target));
	assert_null(temporal_client_connect(&err, .target = f->target, .tls = &misnamed));
	assert_non_null(strstr(err.message, "mismatch"));
	assert_null(temporal_client_connect(&err, .target = f->target, .tls = &garbage));
	assert_int_equal(err.code, TEMPORAL_INVALID_ARGUMENT);
	assert_null(temporal_client_connect(&err, .target = f->target)); /* cleartext to TLS */
	assert_int_equal(err.code, TEMPORAL_UNAVAILABLE);
	assert_null(temporal_client_connect(&err, .target = "nonsense:port:0"));
	assert_int_equal(err.code, TEMPORAL_INVALID_ARGUMENT);
}

static void outlives_its_server(void **state)
{
	struct fixture *f = *state;

	start_server(f, false, false);
	struct temporal_client *client =
		connected(&(const struct temporal_client_opts){ .target = f->target });

	send_signal(client, NULL);
	stop_server(f);
	start_server(f, false, false);
	send_signal(client, NULL);
	assert_int_equal(f->signals, 2);
	temporal_client_unref(client);
}

/* The server ends connections every few ms, as the real one does every five minutes. */
static void loses_no_call_to_goaway(void **state)
{
	struct fixture *f = *state;

	f->opts.max_age_ms = 5;
	start_server(f, false, false);
	struct temporal_client *client =
		connected(&(const struct temporal_client_opts){ .target = f->target });

	for (int i = 0; i < 300; i++)
		send_signal(client, NULL);
	assert_int_equal(f->signals, 300);
	temporal_client_unref(client);
}

static int make_certificates(void **state)
{
	(void)state;
	identity_init(&ca, NULL, NULL);
	identity_init(&other_ca, NULL, NULL);
	identity_init(&server_identity, "DNS:temporal.example,IP:127.0.0.1", &ca);
	identity_init(&client_identity, "DNS:client.example", &ca);
	return 0;
}

static int free_certificates(void **state)
{
	(void)state;
	identity_finish(&ca);
	identity_finish(&other_ca);
	identity_finish(&server_identity);
	identity_finish(&client_identity);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(sends_its_headers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(speaks_tls, set_up, tear_down),
		cmocka_unit_test_setup_teardown(shows_its_certificate, set_up, tear_down),
		cmocka_unit_test_setup_teardown(says_why_it_does_not_trust, set_up, tear_down),
		cmocka_unit_test_setup_teardown(outlives_its_server, set_up, tear_down),
		cmocka_unit_test_setup_teardown(loses_no_call_to_goaway, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, make_certificates, free_certificates);
}
