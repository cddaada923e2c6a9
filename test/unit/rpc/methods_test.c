/*
 * The table of methods against the services' descriptors: a method that the API gains or changes
 * must fail here, not at a user.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "rpc/methods.h"
#include "temporal/api/operatorservice/v1/service.pb-c.h"
#include "temporal/api/testservice/v1/service.pb-c.h"
#include "temporal/api/workflowservice/v1/service.pb-c.h"

static unsigned check_service(const ProtobufCServiceDescriptor *service)
{
	for (unsigned i = 0; i < service->n_methods; i++) {
		const ProtobufCMethodDescriptor *wanted = &service->methods[i];
		char path[200];

		snprintf(path, sizeof(path), "/%s/%s", service->name, wanted->name);
		const struct rpc_method *method = rpc_method_find(path);
		if (!method)
			fail_msg("methods.def lacks %s", path);
		assert_ptr_equal(method->request, wanted->input);
		assert_ptr_equal(method->response, wanted->output);
	}
	return service->n_methods;
}

static void table_is_complete(void **state)
{
	unsigned n = check_service(&workflowservice__workflow_service__descriptor) +
		     check_service(&operatorservice__operator_service__descriptor) +
		     check_service(&testservice__test_service__descriptor);

	assert_int_equal(n, rpc_methods_count);
}

static void unknown_paths_are_not_found(void **state)
{
	assert_null(rpc_method_find("/temporal.api.workflowservice.v1.WorkflowService/Nope"));
	assert_null(rpc_method_find(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_is_complete),
		cmocka_unit_test(unknown_paths_are_not_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
