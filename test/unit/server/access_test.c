/*
 * Goal: a server listens elsewhere than on loopback only with TLS or when it is told to, and with
 * API keys serves only who shows one.
 * Method: the rules alone, without a network; and one server with each kind of refusal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <temporal/server.h>

#include "server/access.h"

#define DESCRIBE "/temporal.api.workflowservice.v1.WorkflowService/DescribeNamespace"
#define INFO     "/temporal.api.workflowservice.v1.WorkflowService/GetSystemInfo"

static struct access rules;

static enum temporal_code make(struct temporal_server_opts opts, struct temporal_error *err)
{
	access_finish(&rules);
	return access_init(&rules, &opts, err);
}

static void loopback_needs_no_tls(void **state)
{
	static const char *const hosts[] = { NULL, "localhost", "LOCALHOST", "127.0.0.1",
		"127.255.0.9", "::1" };

	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		assert_int_equal(
			make((struct temporal_server_opts){ .host = hosts[i], .port = 1 }, NULL),
			TEMPORAL_OK);
}

static void elsewhere_it_does(void **state)
{
	static const char *const hosts[] = { "0.0.0.0", "::", "10.0.0.1", "128.0.0.1",
		"127.0.0.1.example.org", "::ffff:127.0.0.1", "" };
	const struct temporal_server_tls_opts tls = { .cert_pem = "c", .key_pem = "k" };
	struct temporal_error err;

	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
		struct temporal_server_opts opts = { .host = hosts[i], .port = 1 };

		assert_int_equal(make(opts, &err), TEMPORAL_INVALID_ARGUMENT);
		assert_non_null(strstr(err.message, "without TLS"));
		opts.tls = &tls;
		assert_int_equal(make(opts, &err), TEMPORAL_OK);
		opts.tls = NULL;
		opts.allow_insecure = true;
		assert_int_equal(make(opts, &err), TEMPORAL_OK);
		opts.allow_insecure = false;
		opts.port = 0; /* it does not listen at all */
		assert_int_equal(make(opts, &err), TEMPORAL_OK);
	}
}

static void tls_wants_both_halves(void **state)
{
	const struct temporal_server_tls_opts no_key = { .cert_pem = "c" };
	const struct temporal_server_tls_opts no_cert = { .key_pem = "k" };
	struct temporal_error err;

	assert_int_equal(make((struct temporal_server_opts){ .tls = &no_key }, &err),
		TEMPORAL_INVALID_ARGUMENT);
	assert_non_null(strstr(err.message, "the key is missing"));
	assert_int_equal(make((struct temporal_server_opts){ .tls = &no_cert }, &err),
		TEMPORAL_INVALID_ARGUMENT);
	assert_non_null(strstr(err.message, "the certificate is missing"));
}

static void a_key_has_to_be_shown(void **state)
{
	static const char *const keys[] = { "first-key", "second", NULL };

	assert_int_equal(
		make((struct temporal_server_opts){ .api_keys = keys }, NULL), TEMPORAL_OK);
	assert_true(access_allows(&rules, DESCRIBE, "Bearer first-key"));
	assert_true(access_allows(&rules, DESCRIBE, "bearer second"));
	assert_false(access_allows(&rules, DESCRIBE, NULL));
	assert_false(access_allows(&rules, DESCRIBE, ""));
	assert_false(access_allows(&rules, DESCRIBE, "Bearer "));
	assert_false(access_allows(&rules, DESCRIBE, "Bearer first-ke"));
	assert_false(access_allows(&rules, DESCRIBE, "Bearer first-key2"));
	assert_false(access_allows(&rules, DESCRIBE, "Bearer secone"));
	assert_false(access_allows(&rules, DESCRIBE, "Basic first-key"));
	assert_false(access_allows(&rules, DESCRIBE, "first-key"));
	assert_true(access_allows(&rules, INFO, NULL));
	assert_true(access_allows(&rules, "/grpc.health.v1.Health/Check", NULL));
}

static void without_keys_all_are_served(void **state)
{
	assert_int_equal(make((struct temporal_server_opts){ 0 }, NULL), TEMPORAL_OK);
	assert_true(access_allows(&rules, DESCRIBE, NULL));
}

static void keys_have_limits(void **state)
{
	const char *many[ACCESS_KEYS_MAX + 2] = { NULL };
	static char long_key[4098];
	const char *one[] = { long_key, NULL };
	const struct temporal_server_opts with_one = { .api_keys = one };

	for (size_t i = 0; i < ACCESS_KEYS_MAX; i++)
		many[i] = "key";
	assert_int_equal(
		make((struct temporal_server_opts){ .api_keys = many }, NULL), TEMPORAL_OK);
	many[ACCESS_KEYS_MAX] = "key";
	assert_int_equal(make((struct temporal_server_opts){ .api_keys = many }, NULL),
		TEMPORAL_INVALID_ARGUMENT);
	assert_int_equal(make(with_one, NULL), TEMPORAL_INVALID_ARGUMENT);
	memset(long_key, 'k', 4096);
	assert_int_equal(make(with_one, NULL), TEMPORAL_OK);
	long_key[4096] = 'k';
	assert_int_equal(make(with_one, NULL), TEMPORAL_INVALID_ARGUMENT);
}

static void a_server_refuses_what_is_not_safe(void **state)
{
	struct temporal_error err;
	const struct temporal_server_tls_opts tls = { .cert_pem = "no", .key_pem = "no" };

	assert_null(
		temporal_server_start(&err, .host = "0.0.0.0", .port = TEMPORAL_SERVER_ANY_PORT));
	assert_int_equal(err.code, TEMPORAL_INVALID_ARGUMENT);
	assert_non_null(strstr(err.message, "0.0.0.0"));
	assert_null(temporal_server_start(&err, .port = TEMPORAL_SERVER_ANY_PORT, .tls = &tls));
	assert_int_equal(err.code, TEMPORAL_INVALID_ARGUMENT);
}

static int tear_down(void **state)
{
	access_finish(&rules);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loopback_needs_no_tls),
		cmocka_unit_test(elsewhere_it_does),
		cmocka_unit_test(tls_wants_both_halves),
		cmocka_unit_test(a_key_has_to_be_shown),
		cmocka_unit_test(without_keys_all_are_served),
		cmocka_unit_test(keys_have_limits),
		cmocka_unit_test(a_server_refuses_what_is_not_safe),
	};

	return cmocka_run_group_tests(tests, NULL, tear_down);
}
