/*
 * The deployment of a worker and the options of its workflows. Goal: what does not fit is refused
 * with words that name it, and what the server is told follows from the options. Method: as
 * options_test.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker/build_id.h"
#include "worker/options.h"
#include "worker/registration.h"

static const struct temporal_workflow order = { .name = "Order" }, refund = { .name = "Refund" },
				      other = { .name = "Other" };
static const struct temporal_workflow *const both[] = { &order, &refund, NULL };
static struct arena arena;

static enum temporal_code complete(struct temporal_worker_opts *opts,
	struct temporal_worker_opts given, struct temporal_error *err)
{
	given.task_queue = "orders";
	given.workflows = both;
	return worker_options_complete(opts, &given, sizeof(given), "me@here", &arena, err);
}

#define REFUSED(word_, ...) \
	do { \
		struct temporal_worker_opts opts_; \
		struct temporal_error err_; \
		assert_int_equal( \
			complete(&opts_, (struct temporal_worker_opts){ __VA_ARGS__ }, &err_), \
			TEMPORAL_INVALID_ARGUMENT); \
		assert_non_null(strstr(err_.message, word_)); \
	} while (0)
#define DEPLOYMENT(...) (&(const struct temporal_deployment_opts){ __VA_ARGS__ })
#define OF_WORKFLOWS(...) \
	((const struct temporal_workflow_opts[]){ __VA_ARGS__, { .workflow = NULL } })

static void what_does_not_fit_is_refused(void **state)
{
	REFUSED("non-empty build_id and name",
		.deployment = DEPLOYMENT(.name = "d", .use_versioning = true));
	REFUSED("non-empty build_id and name",
		.deployment = DEPLOYMENT(.build_id = "1", .use_versioning = true));
	REFUSED("must be UNSPECIFIED", .deployment = DEPLOYMENT(.name = "d", .build_id = "1",
					       .default_behavior = TEMPORAL_VERSIONING_PINNED));
	REFUSED("cannot be used with .build_id", .build_id = "2",
		.deployment = DEPLOYMENT(.name = "d", .build_id = "1"));
	REFUSED("Order must specify a versioning behavior",
		.deployment = DEPLOYMENT(.name = "d", .build_id = "1", .use_versioning = true));
	REFUSED("Refund must specify a versioning behavior",
		.deployment = DEPLOYMENT(.name = "d", .build_id = "1", .use_versioning = true),
		.workflow_options = OF_WORKFLOWS({ &order, TEMPORAL_VERSIONING_PINNED, NULL }));
	REFUSED("Other is not in .workflows",
		.workflow_options = OF_WORKFLOWS({ &other, 0, NULL }));
	REFUSED("has options already",
		.workflow_options = OF_WORKFLOWS({ &order, 0, NULL }, { &order, 0, NULL }));
	REFUSED("versioning is 7", .workflow_options = OF_WORKFLOWS({ &order, 7, NULL }));
}

static void the_version_is_told(void **state)
{
	struct temporal_worker_opts opts;
	struct temporal_error err;
	Deployment__WorkerDeploymentOptions *version;
	Common__WorkerVersionCapabilities *build;
	Common__WorkerVersionStamp *stamp;

	assert_int_equal(complete(&opts, (struct temporal_worker_opts){ 0 }, &err), TEMPORAL_OK);
	assert_true(worker_registration_version(&opts, &arena, &version));
	assert_null(version);
	assert_int_equal(complete(&opts, (struct temporal_worker_opts){ .build_id = "7" }, &err),
		TEMPORAL_OK);
	assert_true(worker_registration_version(&opts, &arena, &version));
	assert_null(version); /* a build alone is told otherwise */
	assert_true(worker_registration_build(&opts, &arena, &stamp, &build));
	assert_string_equal(stamp->build_id, "7");
	assert_string_equal(build->build_id, "7");
	assert_false(stamp->use_versioning || build->use_versioning);
	assert_int_equal(complete(&opts, (struct temporal_worker_opts){ .build_id = "" }, &err),
		TEMPORAL_OK);
	assert_true(worker_registration_build(&opts, &arena, &stamp, &build));
	assert_true(!stamp && !build);
	assert_int_equal(
		complete(&opts,
			(struct temporal_worker_opts){ .deployment = DEPLOYMENT("d", "1", true,
							       TEMPORAL_VERSIONING_AUTO_UPGRADE) },
			&err),
		TEMPORAL_OK);
	assert_true(worker_registration_version(&opts, &arena, &version));
	assert_string_equal(version->deployment_name, "d");
	assert_string_equal(opts.build_id, "1");
	assert_int_equal(version->worker_versioning_mode,
		ENUMS__WORKER_VERSIONING_MODE__WORKER_VERSIONING_MODE_VERSIONED);
}

/* readelf, which comes with each compiler, reads it from the file. Under valgrind /proc/self/exe is
 * not the program. */
static void the_default_is_the_programs_build_id(void **state)
{
	struct temporal_worker_opts opts;
	struct temporal_error err;
	char command[4200], line[256], noted[256] = "";

	snprintf(command, sizeof(command), "readelf -n '%s'", program_invocation_name);
	FILE *pipe = popen(command, "r");

	assert_non_null(pipe);
	while (fgets(line, sizeof(line), pipe))
		sscanf(line, " Build ID: %255[0-9a-f]", noted);
	pclose(pipe);
	assert_true(strlen(noted) >= 16);
	assert_int_equal(complete(&opts, (struct temporal_worker_opts){ 0 }, &err), TEMPORAL_OK);
	assert_string_equal(opts.build_id, noted);
	assert_int_equal(complete(&opts,
				 (struct temporal_worker_opts){
					 .deployment = DEPLOYMENT("d", "1", true, 1) },
				 &err),
		TEMPORAL_OK);
	assert_string_equal(opts.build_id, "1");
}

/* Cut off anywhere, or with lengths that lead out of the segment. */
static void damaged_notes_have_no_build_id(void **state)
{
	static const uint32_t good[] = { 4, 4, 1, 0x00554e47,
		7, /* another note of the same owner */
		4, 3, 3, 0x00554e47, 0x00cdab12 };
	uint32_t bad[sizeof(good) / sizeof(good[0])];
	char out[WORKER_BUILD_ID_SIZE];

	assert_true(worker_build_id_read(good, sizeof(good), out));
	assert_string_equal(out, "12abcd");
	for (size_t size = 0; size < sizeof(good); size++)
		assert_false(worker_build_id_read(good, size, out));
	for (size_t i = 0; i < 10; i++) {
		memcpy(bad, good, sizeof(bad));
		bad[i] = 0xfffffffd;
		worker_build_id_read(bad, sizeof(bad), out);
	}
	bad[5] = 0xffffffff;
	assert_false(worker_build_id_read(bad, sizeof(bad), out));
}

static void nondeterminism_is_a_type_like_others(void **state)
{
	const char *const types[] = { "BadPayload", "NonDeterminismError", NULL };
	struct temporal_worker_opts opts;
	struct temporal_error err;
	const char *const *names;
	bool all;

	assert_int_equal(complete(&opts,
				 (struct temporal_worker_opts){
					 .workflow_options = OF_WORKFLOWS(
						 { &refund, 0, types }, { &order, 0, NULL }) },
				 &err),
		TEMPORAL_OK);
	assert_true(worker_registration_nondeterminism(&opts, &arena, &names, &all));
	assert_false(all);
	assert_string_equal(names[0], "Refund");
	assert_null(names[1]);
	assert_int_equal(
		complete(&opts, (struct temporal_worker_opts){ .workflow_failure_types = types },
			&err),
		TEMPORAL_OK);
	assert_true(worker_registration_nondeterminism(&opts, &arena, &names, &all));
	assert_true(all);
}

static int set_up(void **state)
{
	arena_init(&arena, 4096, ARENA_NO_BUDGET);
	return 0;
}

static int tear_down(void **state)
{
	arena_finish(&arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_does_not_fit_is_refused),
		cmocka_unit_test(the_version_is_told),
		cmocka_unit_test(the_default_is_the_programs_build_id),
		cmocka_unit_test(damaged_notes_have_no_build_id),
		cmocka_unit_test(nondeterminism_is_a_type_like_others),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
