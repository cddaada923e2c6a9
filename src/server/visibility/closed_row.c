/*
 * closed_row.c: the columns by which lists find a closed run, and the texts of its search
 * attributes as sql.h wants them: under the columns' names, since aliases come and go.
 *
 * Loop's thread.
 */
#include "server/visibility/closed_row.h"

#include "proto/codec.h"
#include "server/store/store.h"
#include "server/transition.h"
#include "server/visibility/search_attributes.h"
#include "server/visibility/sql.h"

int64_t closed_row_expiry(const struct execution *execution)
{
	return execution->close_ns + execution->space->retention_ms * INT64_C(1000000);
}

struct execution closed_row_bare(const struct execution *execution)
{
	struct execution bare = *execution;

	bare.namespace_id = bare.workflow_id = bare.run_id = bare.type = bare.task_queue = NULL;
	if (str_same(execution->first_run_id, execution->run_id))
		bare.first_run_id = NULL;
	/* Of the last workflow task, which is over. */
	bare.task_request_id = bare.task_identity = NULL;
	return bare;
}

/* The record of the execution among the entries of `info`. */
static bool find_record(const struct store_closed *row, struct batch_entry *entry)
{
	size_t at = 0;
	bool bad;

	while (batch_next(row->info, row->info_size, &at, entry, &bad)) {
		if (entry->key.kind == ENTITY_EXECUTION && entry->key.run == row->run)
			return true;
	}
	return false;
}

bool closed_row_read(struct server *server, const struct store_closed *row, struct execution *out)
{
	struct server_namespace *space = server->namespaces;
	struct batch_entry entry;

	while (space && space->number != (int64_t)row->name_space)
		space = space->next;
	if (!space || !find_record(row, &entry) ||
		!record_read(&state_execution_type, out, entry.data, entry.len) ||
		out->number != row->run || state_running(out))
		return false;
	out->server = server;
	out->space = space;
	return record_set_text(&out->namespace_id, space->id) &&
	       record_set_text(&out->workflow_id, row->workflow_id) &&
	       record_set_text(&out->run_id, row->run_id) &&
	       record_set_text(&out->type, row->type) &&
	       record_set_text(&out->task_queue, row->task_queue) &&
	       (!str_empty(out->first_run_id) || record_set_text(&out->first_run_id, row->run_id));
}

/* One row a text. False: memory is out. */
static bool add_texts(struct arena *arena, const struct visibility_column *column,
	const struct visibility_value *value, struct store_closed *out,
	struct store_attribute **list, size_t *capacity)
{
	size_t n;
	const struct str *texts = sql_attribute_texts(arena, value, &n);

	if (!texts)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (out->n_attributes == *capacity) {
			struct store_attribute *more =
				arena_array(arena, *capacity * 2 + 8, sizeof(*more));

			if (!more)
				return false;
			if (out->n_attributes)
				memcpy(more, *list, out->n_attributes * sizeof(*more));
			*list = more;
			*capacity = *capacity * 2 + 8;
		}
		struct store_attribute *at = &(*list)[out->n_attributes++];
		at->name = column->name;
		at->value = arena_str(arena, texts[i]);
		if (!at->value)
			return false;
	}
	return true;
}

static bool add_attributes(
	const struct execution *execution, struct arena *arena, struct store_closed *out)
{
	const struct search_attributes *known = &execution->space->search_attributes;
	size_t n_columns, capacity = 0;
	const struct visibility_column *columns = visibility_columns(&n_columns);
	struct store_attribute *list = NULL;

	if (!execution->search_attributes.len)
		return true;
	const Common__SearchAttributes *values = proto_decode(arena,
		&common__search_attributes__descriptor, execution->search_attributes.ptr,
		execution->search_attributes.len, NULL, NULL);
	if (!values)
		return false;
	for (size_t i = 0; i < n_columns; i++) {
		if (columns[i].place != VISIBILITY_ATTRIBUTE)
			continue;
		struct visibility_value value =
			search_attributes_get(arena, known, values, &columns[i]);
		if (!add_texts(arena, &columns[i], &value, out, &list, &capacity))
			return false;
	}
	out->attributes = list;
	return true;
}

bool closed_row_fill(
	const struct execution *execution, struct arena *arena, struct store_closed *out)
{
	out->run = execution->number;
	out->name_space = (uint32_t)execution->space->number;
	out->status = execution->status;
	out->workflow_id = execution->workflow_id;
	out->run_id = execution->run_id;
	out->type = execution->type;
	out->task_queue = execution->task_queue;
	out->parent_workflow_id = execution->parent_workflow_id;
	out->parent_run_id = execution->parent_run_id;
	out->root_workflow_id =
		execution->root_run_id ? execution->root_workflow_id : execution->workflow_id;
	out->root_run_id = execution->root_run_id ? execution->root_run_id : execution->run_id;
	out->start_ns = execution->start_ns;
	out->execution_ns = execution->execution_ns;
	out->close_ns = execution->close_ns;
	out->expire_ns = closed_row_expiry(execution);
	out->history_length = execution->next_event_id - 1;
	out->history_size = execution->history_size;
	out->transitions = execution->transitions;
	return add_attributes(execution, arena, out);
}
