/*
 * nexus_options.c: the services that a worker handles: checked when it is made, looked up for each
 * request.
 *
 * Tables are short and looked through; nothing is built from them. The checks run on the caller's
 * thread, look-ups on the loop's. Pure but for the arena.
 */
#include <string.h>

#include "base/error.h"
#include "base/str.h"
#include "worker/limits.h"
#include "worker/nexus.h"
#include "worker/worker.h"

/* "": the dynamic one. */
static const char *service_name(const struct temporal_nexus_service *service)
{
	if (service->contract)
		return service->contract->name;
	return service->name ? service->name : "";
}

static const char *operation_name(const struct temporal_nexus_operation *operation)
{
	return operation->contract ? operation->contract->name : "";
}

/* ---- checks ---- */

static bool is_among(const struct temporal_contract *const *contracts, const char *name)
{
	for (; *contracts; contracts++) {
		if (str_same((*contracts)->name, name))
			return true;
	}
	return false;
}

static bool is_bound(const struct temporal_nexus_operation *const *operations, const char *name)
{
	for (; *operations; operations++) {
		if (str_same(operation_name(*operations), name))
			return true;
	}
	return false;
}

static enum temporal_code refuse(
	struct temporal_error *err, const char *service, const char *operation, const char *what)
{
	return error_set(err, TEMPORAL_INVALID_ARGUMENT,
		"worker: Nexus service \"%s\": operation \"%s\" %s", service, operation, what);
}

static enum temporal_code check_operation(
	const struct temporal_nexus_service *service, size_t i, struct temporal_error *err)
{
	const struct temporal_nexus_operation *operation = service->operations[i];
	const struct temporal_contract *contract = operation->contract;
	const char *name = operation_name(operation);

	if (!operation->start)
		return refuse(err, service_name(service), name, "has no function");
	for (size_t j = 0; j < i; j++) {
		if (str_same(operation_name(service->operations[j]), name))
			return refuse(err, service_name(service), name, "is there twice");
	}
	if (!contract)
		return TEMPORAL_OK;
	if (contract->definition != TEMPORAL_DEFINES_NEXUS_OPERATION)
		return refuse(err, service_name(service), name, "has a contract of another kind");
	if (contract->in.n_fields > 1)
		return refuse(err, service_name(service), name, "has more than one argument");
	if (service->contract && !is_among(service->contract->operations, name))
		return refuse(err, service_name(service), name, "is not in the service's contract");
	return TEMPORAL_OK;
}

static enum temporal_code check_service(
	const struct temporal_nexus_service *service, struct temporal_error *err)
{
	const struct temporal_contract *const *wanted =
		service->contract ? service->contract->operations : NULL;
	enum temporal_code code = TEMPORAL_OK;

	if (!service->operations || !service->operations[0])
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"worker: Nexus service \"%s\" has no operations", service_name(service));
	for (size_t i = 0; code == TEMPORAL_OK && service->operations[i]; i++)
		code = check_operation(service, i, err);
	for (; code == TEMPORAL_OK && wanted && *wanted; wanted++) {
		if (!is_bound(service->operations, (*wanted)->name))
			code = refuse(err, service_name(service), (*wanted)->name,
				"of its contract is not bound");
	}
	return code;
}

enum temporal_code worker_nexus_options(
	struct temporal_worker_opts *opts, struct arena *arena, struct temporal_error *err)
{
	const struct temporal_nexus_service *const *services = opts->nexus_services;
	size_t n = 0;

	for (; services && services[n]; n++) {
		enum temporal_code code = check_service(services[n], err);

		if (code != TEMPORAL_OK)
			return code;
		if (strlen(service_name(services[n])) > WORKER_NAME_MAX)
			return error_set(err, TEMPORAL_INVALID_ARGUMENT,
				"worker: .nexus_services[%zu]: its name has more than %d bytes", n,
				WORKER_NAME_MAX);
		for (size_t i = 0; i < n; i++) {
			if (!str_same(service_name(services[i]), service_name(services[n])))
				continue;
			return error_set(err, TEMPORAL_INVALID_ARGUMENT,
				"worker: .nexus_services[%zu] and [%zu] have the same name: %s", i,
				n, service_name(services[n]));
		}
	}
	const struct temporal_nexus_service **copy = arena_array(arena, n + 1, sizeof(*copy));

	if (!copy)
		return error_no_memory(err, "worker: its options");
	if (n)
		memcpy(copy, services, n * sizeof(*copy));
	opts->nexus_services = copy;
	return TEMPORAL_OK;
}

/* ---- look-ups ---- */

static const struct temporal_nexus_service *find_service(
	const struct temporal_nexus_service *const *services, const char *name)
{
	const struct temporal_nexus_service *dynamic = NULL;

	for (; *services; services++) {
		if (str_empty(service_name(*services)))
			dynamic = *services;
		else if (strcmp(service_name(*services), name) == 0)
			return *services;
	}
	return dynamic;
}

static const struct temporal_nexus_operation *find_operation(
	const struct temporal_nexus_service *service, const char *name)
{
	const struct temporal_nexus_operation *dynamic = NULL;

	for (size_t i = 0; service->operations[i]; i++) {
		if (!service->operations[i]->contract)
			dynamic = service->operations[i];
		else if (strcmp(service->operations[i]->contract->name, name) == 0)
			return service->operations[i];
	}
	return dynamic;
}

static size_t count_operations(const struct temporal_nexus_service *service)
{
	size_t n = 0;

	while (service->operations[n])
		n++;
	return n;
}

const struct temporal_nexus_operation *worker_nexus_find(struct nexus *nexus)
{
	const char *service_asked = nexus->info.service, *operation_asked = nexus->info.operation;
	const struct temporal_nexus_service *service =
		find_service(nexus->worker->opts.nexus_services, service_asked);
	const struct temporal_nexus_operation *operation =
		service ? find_operation(service, operation_asked) : NULL;

	if (!nexus->start && !nexus->cancel)
		nexus->refusal = nexus_error(nexus, NEXUS_ERROR_NOT_IMPLEMENTED,
			"the Nexus request is of a kind that this worker does not know");
	else if (!service)
		nexus->refusal = nexus_error(nexus, NEXUS_ERROR_NOT_FOUND,
			"No handler for service '%s'.", service_asked);
	else if (!operation)
		nexus->refusal = nexus_error(nexus, NEXUS_ERROR_NOT_FOUND,
			"Nexus service definition '%s' has no operation '%s'. There are %zu "
			"operations in the definition.",
			service_name(service), operation_asked, count_operations(service));
	return nexus->refusal ? NULL : operation;
}
