/*
 * The services of a worker's options. Goal: whatever does not fit is refused with a message that
 * names it, and a request finds the operation that it names, or the dynamic one. Method: services
 * written out, wrong in one thing each.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "worker/nexus.h"
#include "worker/options.h"
#include "worker/worker.h"

static const struct temporal_failure *nothing(struct nexus *nexus, const void *in, void *out)
{
	return NULL;
}

static const struct temporal_field two_fields[2];
static const struct temporal_contract quote = { .name = "quote",
	.definition = TEMPORAL_DEFINES_NEXUS_OPERATION },
				      ship = { .name = "ship",
					      .definition = TEMPORAL_DEFINES_NEXUS_OPERATION },
				      many = { .name = "many",
					      .definition = TEMPORAL_DEFINES_NEXUS_OPERATION,
					      .in = { .fields = two_fields, .n_fields = 2 } },
				      order = { .name = "Order",
					      .definition = TEMPORAL_DEFINES_WORKFLOW };
static const struct temporal_nexus_operation quote_operation = { &quote, nothing, NULL },
					     ship_operation = { &ship, nothing, NULL },
					     many_operation = { &many, nothing, NULL },
					     order_operation = { &order, nothing, NULL },
					     empty_operation = { &ship, NULL, NULL },
					     any_operation = { NULL, nothing, NULL };
static const struct temporal_contract *const quote_and_ship[] = { &quote, &ship, NULL };
static const struct temporal_nexus_contract shop = { "shop", quote_and_ship };

#define OPERATIONS(...) ((const struct temporal_nexus_operation *const[]){ __VA_ARGS__, NULL })
#define SERVICES(...)   ((const struct temporal_nexus_service *const[]){ __VA_ARGS__, NULL })
#define SERVICE(...)    (&(const struct temporal_nexus_service){ __VA_ARGS__ })

static struct arena arena;

static enum temporal_code complete(struct temporal_worker_opts *opts,
	struct temporal_worker_opts given, struct temporal_error *err)
{
	given.task_queue = "queue";
	return worker_options_complete(opts, &given, sizeof(given), "me@here", &arena, err);
}

#define REFUSED(word_, ...) \
	refused((struct temporal_worker_opts){ .nexus_services = SERVICES(__VA_ARGS__) }, word_)

static void refused(struct temporal_worker_opts given, const char *word)
{
	struct temporal_worker_opts opts;
	struct temporal_error err;

	assert_int_equal(complete(&opts, given, &err), TEMPORAL_INVALID_ARGUMENT);
	if (!strstr(err.message, word))
		print_message("\"%s\" is not in \"%s\"\n", word, err.message);
	assert_non_null(strstr(err.message, word));
}

static void what_does_not_fit_is_refused(void **state)
{
	static char long_name[1002];

	memset(long_name, 'x', sizeof(long_name) - 1);
	REFUSED("service \"a\" has no operations", SERVICE(.name = "a"));
	REFUSED("service \"a\": operation \"ship\" has no function",
		SERVICE(.name = "a", .operations = OPERATIONS(&empty_operation)));
	REFUSED("operation \"quote\" is there twice",
		SERVICE(.name = "a", .operations = OPERATIONS(&quote_operation, &quote_operation)));
	REFUSED("operation \"Order\" has a contract of another kind",
		SERVICE(.name = "a", .operations = OPERATIONS(&order_operation)));
	REFUSED("operation \"many\" has more than one argument",
		SERVICE(.name = "a", .operations = OPERATIONS(&many_operation)));
	REFUSED("service \"shop\": operation \"ship\" of its contract is not bound",
		SERVICE(.contract = &shop, .operations = OPERATIONS(&quote_operation)));
	REFUSED("operation \"many\" has more than one argument",
		SERVICE(.contract = &shop, .operations = OPERATIONS(&quote_operation,
						   &ship_operation, &many_operation)));
	REFUSED("[0] and [1] have the same name: shop",
		SERVICE(.name = "shop", .operations = OPERATIONS(&quote_operation)),
		SERVICE(.contract = &shop,
			.operations = OPERATIONS(&quote_operation, &ship_operation)));
	REFUSED("more than 1000 bytes",
		SERVICE(.name = long_name, .operations = OPERATIONS(&quote_operation)));
	refused((struct temporal_worker_opts){ .nexus_services = SERVICES(SERVICE(.name = "a",
						       .operations = OPERATIONS(&quote_operation))),
			.max_concurrent_nexus_tasks = -1 },
		"max_concurrent_nexus_tasks");
	refused((struct temporal_worker_opts){ .nexus_services = SERVICES(SERVICE(.name = "a",
						       .operations = OPERATIONS(&quote_operation))),
			.nexus_task_pollers = 1001 },
		"nexus_task_pollers");
	arena_finish(&arena);
}

static void an_operation_that_is_not_in_the_contract_is_refused(void **state)
{
	static const struct temporal_contract *const quote_alone[] = { &quote, NULL };
	static const struct temporal_nexus_contract small = { "small", quote_alone };

	REFUSED("operation \"ship\" is not in the service's contract",
		SERVICE(.contract = &small,
			.operations = OPERATIONS(&quote_operation, &ship_operation)));
	arena_finish(&arena);
}

static void nexus_alone_is_enough(void **state)
{
	struct temporal_worker_opts opts;
	struct temporal_error err;

	assert_int_equal(complete(&opts,
				 (struct temporal_worker_opts){
					 .nexus_services = SERVICES(SERVICE(.contract = &shop,
						 .operations = OPERATIONS(
							 &quote_operation, &ship_operation))) },
				 &err),
		TEMPORAL_OK);
	assert_int_equal(opts.max_concurrent_nexus_tasks, 100);
	assert_int_equal(opts.nexus_task_pollers, 5);
	arena_finish(&arena);
}

static const struct temporal_nexus_operation *find(
	struct temporal_worker *worker, const char *service, const char *operation)
{
	static const Nexus__StartOperationRequest start = NEXUS__START_OPERATION_REQUEST__INIT;
	struct nexus nexus = { .worker = worker, .start = &start };

	arena_init(&nexus.arena, 256, ARENA_NO_BUDGET);
	nexus.info.service = service;
	nexus.info.operation = operation;
	const struct temporal_nexus_operation *found = worker_nexus_find(&nexus);

	assert_int_equal(found == NULL, nexus.refusal != NULL);
	arena_finish(&nexus.arena);
	return found;
}

static void a_request_finds_its_operation(void **state)
{
	static struct temporal_worker worker;

	worker.opts.nexus_services = SERVICES(SERVICE(.operations = OPERATIONS(&any_operation)),
		SERVICE(.contract = &shop,
			.operations = OPERATIONS(&quote_operation, &ship_operation)),
		SERVICE(.name = "open", .operations = OPERATIONS(&any_operation, &ship_operation)));
	assert_ptr_equal(find(&worker, "shop", "ship"), &ship_operation);
	assert_ptr_equal(find(&worker, "shop", "quote"), &quote_operation);
	assert_null(find(&worker, "shop", "what"));
	assert_ptr_equal(find(&worker, "open", "ship"), &ship_operation);
	assert_ptr_equal(find(&worker, "open", "what"), &any_operation);
	assert_ptr_equal(find(&worker, "else", "ship"), &any_operation);
	worker.opts.nexus_services++;
	assert_null(find(&worker, "else", "ship"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_does_not_fit_is_refused),
		cmocka_unit_test(an_operation_that_is_not_in_the_contract_is_refused),
		cmocka_unit_test(nexus_alone_is_enough),
		cmocka_unit_test(a_request_finds_its_operation),
	};

	arena_init(&arena, 256, ARENA_NO_BUDGET);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
