/*
 * namespace_delete.c: OperatorService.DeleteNamespace.
 *
 *   request: it gets another name ("NAME-deleted-xxxxx") and the state Deleted, its runs go
 *     -> closed runs are listed and deleted, page by page, until there are none
 *     -> after the delay that was asked for, the namespace itself is gone
 *
 * The name is free again at once. The struct stays in memory until the server ends, for queues and
 * names point to it; it is found by nobody. A restart in between goes on where it was.
 *
 * Loop's thread.
 */
#include "proto/time.h"
#include "server/frontend/namespace.h"
#include "server/journal.h"
#include "server/limits.h"
#include "server/store/store.h"
#include "temporal/api/operatorservice/v1/request_response.pb-c.h"

#define STATE(name_)  ENUMS__NAMESPACE_STATE__NAMESPACE_STATE_##name_
#define SUFFIX_LENGTH 5

static void list_closed(struct server_namespace *space);

static void vanish(struct server_namespace *space)
{
	if (space->gone || !space->emptied || space->delete_due_ns > space->server->now_ns)
		return;
	space->gone = true;
	namespace_forget_attributes(space->server, space);
	journal_namespace_renamed(space->server, NULL, space->name);
}

static void delay_is_over(struct timers_entry *timer)
{
	vanish((struct server_namespace *)(void *)((char *)timer - offsetof(struct server_namespace,
									   delete_timer)));
}

/* A page of closed runs has been deleted. */
static void page_deleted(void *user, const struct store_done *done)
{
	struct server_namespace *space = user;

	if (done->code != TEMPORAL_OK)
		server_fail(space->server, "%s", done->err->message);
	else
		list_closed(space);
}

static void page_listed(void *user, const struct store_page *page)
{
	struct server_namespace *space = user;
	struct server *server = space->server;
	struct temporal_error err;

	if (page->code != TEMPORAL_OK) {
		server_fail(server, "%s", page->err->message);
		return;
	}
	if (page->n == 0) {
		transition_begin(server);
		space->emptied = true;
		vanish(space);
		transition_end(server);
		return;
	}
	struct store_batch *out = store_batch_new();
	for (size_t i = 0; i < page->n; i++)
		store_batch_delete(out, page->rows[i].run);
	if (store_submit(server->store, out, STORE_DURABLE, page_deleted, space, &err) !=
		TEMPORAL_OK)
		server_fail(server, "%s", err.message);
}

static void list_closed(struct server_namespace *space)
{
	struct store_query query = {
		.name_space = (uint32_t)space->number,
		.limit = SERVER_EXPIRE_BATCH,
	};
	struct temporal_error err;

	if (store_list(space->server->store, &query, page_listed, space, &err) != TEMPORAL_OK)
		server_fail(space->server, "%s", err.message);
}

/* What had ended before is in the store now. */
static void flushed(void *user)
{
	list_closed(user);
}

/* All of its runs that are in memory. */
static void delete_runs(struct server *server, const struct server_namespace *space)
{
	struct map *numbers = &server->numbers;
	struct execution **runs =
		arena_array(&server->scratch, numbers->capacity, sizeof(struct execution *));
	size_t n = 0;

	if (!runs) {
		server_no_memory(server);
		return;
	}
	for (uint32_t i = 0; i < numbers->capacity; i++) {
		struct execution *run = numbers->slots[i].value;

		if (run && run->space == space)
			runs[n++] = run;
	}
	for (size_t i = 0; i < n; i++) {
		if (state_running(runs[i]))
			execution_terminate(runs[i], "Delete workflow execution", NULL,
				"history-service", NULL);
		archive_delete(runs[i]);
	}
}

static void go_on(struct server *server, struct server_namespace *space)
{
	space->server = server;
	delete_runs(server, space);
	if (!timers_set(&server->timers, &space->delete_timer, space->delete_due_ns, delay_is_over))
		server_no_memory(server);
	if (archive_flush(server, flushed, space))
		list_closed(space);
}

void namespace_resume(struct server *server)
{
	for (struct server_namespace *at = server->namespaces; at; at = at->next) {
		if (at->state == STATE(DELETED) && at->delete_due_ns)
			go_on(server, at);
	}
}

/* A name that no other namespace has. */
static const char *deleted_name(struct request *request, const struct server_namespace *space)
{
	const char *name = NULL;

	for (int length = SUFFIX_LENGTH; length < SERVER_UUID_SIZE; length++) {
		name = arena_printf(
			request->arena, "%s-deleted-%.*s", space->name, length, space->id);
		if (!name || !state_namespace(request->server, name))
			break;
	}
	if (!name)
		server_no_memory(request->server);
	return name ? name : space->name;
}

/* NULL: answered. */
static struct server_namespace *find(struct request *request)
{
	const Operatorservice__DeleteNamespaceRequest *in = request->message;
	struct server_namespace *space;
	bool by_id = !str_empty(in->namespace_id);

	if (by_id && !str_empty(in->namespace_)) {
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL,
			"Only one of namespace name or Id should be set on request.");
		return NULL;
	}
	if (!by_id && !frontend_text(request, in->namespace_, "Namespace not set on request."))
		return NULL;
	if (str_same(in->namespace_, SYSTEM_NAMESPACE)) {
		request_fail(request, TEMPORAL_FAILED_PRECONDITION, NULL,
			"unable to delete system namespace");
		return NULL;
	}
	space = by_id ? namespace_by_id(request->server, in->namespace_id)
		      : state_namespace(request->server, in->namespace_);
	if (!space)
		namespace_not_found(request, by_id ? in->namespace_id : in->namespace_);
	return space;
}

void frontend_delete_namespace(struct request *request)
{
	const Operatorservice__DeleteNamespaceRequest *in = request->message;
	struct server *server = request->server;
	struct server_namespace *space = find(request);
	Operatorservice__DeleteNamespaceResponse *response;
	int64_t delay_ms = 0;

	if (!space || !frontend_duration(request, in->namespace_delete_delay, &delay_ms,
			      "NamespaceDeleteDelay"))
		return;
	if (space->state != STATE(DELETED)) {
		const char *old_name = request_text(request, space->name);

		state_set_text(server, &space->name, deleted_name(request, space));
		space->state = STATE(DELETED);
		space->delete_due_ns = server->now_ns + delay_ms * NS_PER_MS;
		journal_namespace_renamed(server, space, old_name);
		go_on(server, space);
	}
	response = REQUEST_NEW(request, Operatorservice__DeleteNamespaceResponse,
		operatorservice__delete_namespace_response);
	response->deleted_namespace = request_text(request, space->name);
	request_reply(request, response);
}
