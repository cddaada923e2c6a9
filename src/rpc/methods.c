/*
 * methods.c: the constants of methods.h and the search by path. All const, any thread.
 */
#include "rpc/methods.h"

#include "base/str.h"
#include "temporal/api/operatorservice/v1/request_response.pb-c.h"
#include "temporal/api/testservice/v1/request_response.pb-c.h"
#include "temporal/api/workflowservice/v1/request_response.pb-c.h"
#include <google/protobuf/empty.pb-c.h>

#define WORKFLOW(name_, Name_) \
	METHOD(workflow, name_, "/temporal.api.workflowservice.v1.WorkflowService/" #Name_, \
		workflowservice__##name_##_request, workflowservice__##name_##_response)
#define OPERATOR(name_, Name_) \
	METHOD(operator, name_, "/temporal.api.operatorservice.v1.OperatorService/" #Name_, \
		operatorservice__##name_##_request, operatorservice__##name_##_response)
#define TEST(name_, Name_) \
	METHOD(test, name_, "/temporal.api.testservice.v1.TestService/" #Name_, \
		testservice__##name_##_request, testservice__##name_##_response)

#define METHOD(service_, name_, path_, request_, response_) \
	const struct rpc_method rpc_##service_##_##name_ = { path_, &request_##__descriptor, \
		&response_##__descriptor };
#include "rpc/methods.def"
#undef METHOD

#define METHOD(service_, name_, path_, request_, response_) &rpc_##service_##_##name_,
const struct rpc_method *const rpc_methods[] = {
#include "rpc/methods.def"
};
#undef METHOD

const size_t rpc_methods_count = sizeof(rpc_methods) / sizeof(rpc_methods[0]);

const struct rpc_method *rpc_method_find(const char *path)
{
	for (size_t i = 0; i < rpc_methods_count; i++) {
		if (str_same(rpc_methods[i]->path, path))
			return rpc_methods[i];
	}
	return NULL;
}
