/*
 * methods.h: a constant for each unary method of the API: rpc_workflow_start_workflow_execution,
 * rpc_operator_add_search_attributes, rpc_test_get_current_time and so on: rpc_, the service, the
 * method in snake case.
 */
#ifndef RPC_METHODS_H
#define RPC_METHODS_H

#include "rpc/channel.h"

#define METHOD(service_, name_, path_, request_, response_) \
	extern const struct rpc_method rpc_##service_##_##name_;
#define WORKFLOW(name_, Name_) METHOD(workflow, name_, "", , )
#define OPERATOR(name_, Name_) METHOD(operator, name_, "", , )
#define TEST(name_, Name_)     METHOD(test, name_, "", , )
#include "rpc/methods.def"
#undef METHOD
#undef WORKFLOW
#undef OPERATOR
#undef TEST

/* All of them, in the order of methods.def. */
extern const struct rpc_method *const rpc_methods[];
extern const size_t rpc_methods_count;

/* The method of the path, or NULL. Any thread. */
const struct rpc_method *rpc_method_find(const char *path);

#endif
