/*
 * list.c: ListWorkflowExecutions and those like it, and CountWorkflowExecutions.
 *
 *   parse the filter -> wait until all that has ended is in the store -> the running runs, newest
 *   first -> (page not full, or a count) the store: those that have ended, last end first -> answer
 *
 * So a list shows all that was answered before it was asked for; nothing is late. The pages of one
 * list are of one moment, that of the first: what ends later is not shown again among the ended.
 *
 * The wait is the store's, on other threads; a caller may give up meanwhile, so what a listing
 * needs lies in an arena of its own. Loop's thread.
 */
#include "base/error.h"
#include "base/mem.h"
#include "proto/payload.h"
#include "proto/time.h"
#include "server/frontend/frontend.h"
#include "server/limits.h"
#include "server/store/store.h"
#include "server/visibility/closed_row.h"
#include "server/visibility/listing.h"

#define OPEN(name_) WORKFLOWSERVICE__LIST_OPEN_WORKFLOW_EXECUTIONS_REQUEST__FILTERS_##name_##_FILTER
#define CLOSED(name_) \
	WORKFLOWSERVICE__LIST_CLOSED_WORKFLOW_EXECUTIONS_REQUEST__FILTERS_##name_##_FILTER
#define RUNNING ENUMS__WORKFLOW_EXECUTION_STATUS__WORKFLOW_EXECUTION_STATUS_RUNNING

/* The official server hides what it cannot decode behind this text and a hash of the cause. */
#define BAD_TOKEN "something went wrong, please retry (620ff7e0)"

#define WAIT_MS 3600000 /* the caller's deadline ends it before */

/* Where a page ended, as the caller carries it. */
struct list_token {
	int64_t as_of_ns; /* the moment of the first page */
	int64_t open;     /* the number of the last running run; 0: they are through */
	int64_t close_ns, start_ns, run;
};

static const struct record_field token_fields[] = {
	RECORD_FIELD(1, INT, list_token, as_of_ns),
	RECORD_FIELD(2, INT, list_token, open),
	RECORD_FIELD(3, INT, list_token, close_ns),
	RECORD_FIELD(4, INT, list_token, start_ns),
	RECORD_FIELD(5, INT, list_token, run),
};
static const struct record_type token_type = RECORD_TYPE(token_fields);

struct listing {
	struct server *server;
	struct request *request; /* NULL: the caller has given up */
	struct server_namespace *space;
	const struct filter *filter;
	bool count;     /* else a page */
	uint8_t answer; /* enum answer */
	struct list_token token;
	size_t limit, n;
	Workflow__WorkflowExecutionInfo **infos; /* in the request's arena */
	int64_t counts[STORE_STATUS_MAX];
	struct arena arena;
};

/* The messages differ in their types alone: executions and a token. */
enum answer {
	ANSWER_LIST,
	ANSWER_SCAN,
	ANSWER_OPEN,
	ANSWER_CLOSED,
};

static void free_listing(struct listing *listing)
{
	arena_finish(&listing->arena);
	mem_free(listing);
}

static void given_up(struct request *request)
{
	struct listing *listing = request->waiting_for;

	request_wake(request);
	request_fail(request, TEMPORAL_DEADLINE_EXCEEDED, NULL, "context deadline exceeded");
	listing->request = NULL;
}

/* ---- Answers ---- */

static ProtobufCBinaryData make_token(struct listing *listing)
{
	size_t size = record_size(&token_type, &listing->token);
	uint8_t *data = arena_alloc(listing->request->arena, size);

	if (!data) {
		server_no_memory(listing->server);
		return (ProtobufCBinaryData){ 0 };
	}
	record_write(&token_type, &listing->token, data);
	return (ProtobufCBinaryData){ size, data };
}

#define REPLY(Type_, prefix_) \
	do { \
		Workflowservice__##Type_ *out = REQUEST_NEW( \
			request, Workflowservice__##Type_, workflowservice__##prefix_); \
		out->executions = listing->infos; \
		out->n_executions = listing->n; \
		out->next_page_token = token; \
		request_reply(request, out); \
	} while (0)

static void reply_page(struct listing *listing)
{
	struct request *request = listing->request;
	ProtobufCBinaryData token = { 0 };

	request_wake(request);
	if (listing->n == listing->limit)
		token = make_token(listing);
	switch ((enum answer)listing->answer) {
	case ANSWER_LIST:
		REPLY(ListWorkflowExecutionsResponse, list_workflow_executions_response);
		break;
	case ANSWER_SCAN:
		REPLY(ScanWorkflowExecutionsResponse, scan_workflow_executions_response);
		break;
	case ANSWER_OPEN:
		REPLY(ListOpenWorkflowExecutionsResponse, list_open_workflow_executions_response);
		break;
	case ANSWER_CLOSED:
		REPLY(ListClosedWorkflowExecutionsResponse,
			list_closed_workflow_executions_response);
		break;
	}
	free_listing(listing);
}
#undef REPLY

static Common__Payload *status_payload(struct request *request, int status)
{
	const char *name = visibility_status_name(status);
	Common__Payload *payload = REQUEST_NEW(request, Common__Payload, common__payload);
	const char *json = arena_printf(request->arena, "\"%s\"", name ? name : "Unspecified");

	if (!json ||
		!proto_payload_set(request->arena, payload, PROTO_ENCODING_KEY,
			str_from(PROTO_ENCODING_JSON)) ||
		!proto_payload_set(request->arena, payload, "type", str_from("Keyword")))
		server_no_memory(request->server);
	payload->data.data = (uint8_t *)(uintptr_t)json;
	payload->data.len = json ? strlen(json) : 0;
	return payload;
}

static void add_group(struct request *request,
	Workflowservice__CountWorkflowExecutionsResponse *out, int status, int64_t count)
{
	Workflowservice__CountWorkflowExecutionsResponse__AggregationGroup *group = REQUEST_NEW(
		request, Workflowservice__CountWorkflowExecutionsResponse__AggregationGroup,
		workflowservice__count_workflow_executions_response__aggregation_group);

	group->group_values = request_array(request, 1, sizeof(*group->group_values));
	if (!group->group_values)
		return;
	group->group_values[group->n_group_values++] = status_payload(request, status);
	group->count = count;
	out->groups[out->n_groups++] = group;
}

static void reply_count(struct listing *listing)
{
	struct request *request = listing->request;
	Workflowservice__CountWorkflowExecutionsResponse *out =
		REQUEST_NEW(request, Workflowservice__CountWorkflowExecutionsResponse,
			workflowservice__count_workflow_executions_response);

	request_wake(request);
	out->groups = request_array(request, STORE_STATUS_MAX, sizeof(*out->groups));
	for (int i = 0; i < STORE_STATUS_MAX; i++) {
		out->count += listing->counts[i];
		if (listing->filter->group_by && listing->counts[i] && out->groups)
			add_group(request, out, i, listing->counts[i]);
	}
	request_reply(request, out);
	free_listing(listing);
}

static void reply_failure(
	struct listing *listing, enum temporal_code code, const struct temporal_error *err)
{
	request_wake(listing->request);
	request_fail(listing->request, code, NULL, "%s", err->message);
	free_listing(listing);
}

/* ---- Those that have ended ---- */

static bool add_info(struct listing *listing, struct execution *execution)
{
	Workflow__WorkflowExecutionInfo *info = execution_info(listing->request, execution);

	/* What visibility does not know there. */
	info->first_run_id = "";
	info->priority = NULL;
	info->auto_reset_points = NULL;
	if (state_running(execution))
		info->history_length = info->history_size_bytes = info->state_transition_count = 0;
	listing->infos[listing->n++] = info;
	return listing->n < listing->limit;
}

static void unreadable(struct request *request, const struct store_closed *row)
{
	if (!mem_watch_hit())
		(void)error_set(&request->server->unread, TEMPORAL_DATA_LOSS,
			"the row of closed run %s cannot be read", row->run_id);
	request_unread(request);
}

/* A row has all that is said of a run; none is made of it. */
static void add_closed(struct listing *listing, const struct store_closed *row)
{
	struct execution execution = { 0 };

	if (closed_row_read(listing->server, row, &execution))
		(void)add_info(listing, &execution);
	else
		unreadable(listing->request, row);
	record_finish(&state_execution_type, &execution);
}

static void on_page(void *user, const struct store_page *page)
{
	struct listing *listing = user;
	struct server *server = listing->server;

	if (!listing->request) {
		free_listing(listing);
		return;
	}
	transition_begin(server);
	for (size_t i = 0; i < page->n; i++)
		add_closed(listing, &page->rows[i]);
	if (page->n) {
		const struct store_closed *last = &page->rows[page->n - 1];

		listing->token.open = 0;
		listing->token.close_ns = last->close_ns;
		listing->token.start_ns = last->start_ns;
		listing->token.run = (int64_t)last->run;
	}
	if (page->code == TEMPORAL_OK)
		reply_page(listing);
	else
		reply_failure(listing, page->code, page->err);
	transition_end(server);
}

static void on_count(void *user, const struct store_count *count)
{
	struct listing *listing = user;
	struct server *server = listing->server;

	if (!listing->request) {
		free_listing(listing);
		return;
	}
	transition_begin(server);
	for (size_t i = 0; i < STORE_STATUS_MAX; i++)
		listing->counts[i] += count->by_status[i];
	if (count->code == TEMPORAL_OK)
		reply_count(listing);
	else
		reply_failure(listing, count->code, count->err);
	transition_end(server);
}

static void ask_store(struct listing *listing)
{
	const struct list_token *token = &listing->token;
	struct store *store = listing->server->store;
	struct store_query query = { .limit = listing->limit - listing->n };
	struct temporal_error err;
	enum temporal_code code;

	if (token->run)
		query.after = (struct store_cursor){ token->close_ns, token->start_ns,
			(uint64_t)token->run };
	else
		query.after.close_ns = token->as_of_ns + 1;
	if (!listing_closed(
		    &listing->arena, listing->space, listing->filter, listing->count, &query))
		code = error_set(&err, TEMPORAL_RESOURCE_EXHAUSTED, "out of memory");
	else if (listing->count)
		code = store_count(store, &query, on_count, listing, &err);
	else
		code = store_list(store, &query, on_page, listing, &err);
	if (code != TEMPORAL_OK)
		reply_failure(listing, code, &err);
}

/* ---- Those that are running ---- */

static bool take_open(void *user, struct execution *execution)
{
	struct listing *listing = user;

	if (listing->count) {
		listing->counts[execution->status & (STORE_STATUS_MAX - 1)]++;
		return true;
	}
	listing->token.open = (int64_t)execution->number;
	return add_info(listing, execution);
}

static void work(struct listing *listing)
{
	struct list_token *token = &listing->token;
	bool open = !token->run && listing_wants_open(listing->filter);

	if (!token->as_of_ns)
		token->as_of_ns = listing->server->now_ns;
	if (open)
		listing_open(listing->server, listing->space, listing->filter,
			(uint64_t)token->open, &listing->arena, take_open, listing);
	bool closed = listing_wants_closed(listing->filter);
	if (closed && (listing->count || listing->n < listing->limit))
		ask_store(listing);
	else if (listing->count)
		reply_count(listing);
	else
		reply_page(listing);
}

static void on_flushed(void *user)
{
	struct listing *listing = user;
	struct server *server = listing->server;

	if (!listing->request) {
		free_listing(listing);
		return;
	}
	transition_begin(server);
	work(listing);
	transition_end(server);
}

/* ---- Requests ---- */

static bool read_token(struct listing *listing, ProtobufCBinaryData data)
{
	struct list_token *token = &listing->token;

	return data.len == 0 ||
	       (record_read(&token_type, token, data.data, data.len) && token->as_of_ns > 0 &&
		       token->as_of_ns < INT64_MAX && token->run >= 0 &&
		       token->run <= (int64_t)STORE_RUN_MAX && token->open >= 0);
}

/* Parses and begins; `limit` 0: a count. */
static void begin(struct request *request, struct server_namespace *space, const char *text,
	enum answer answer, size_t limit, ProtobufCBinaryData token)
{
	struct listing *listing = mem_zalloc(sizeof(*listing));
	struct filter_resolver resolver = { search_attributes_find, &space->search_attributes };
	struct temporal_error err;

	if (!listing) {
		request_fail(request, TEMPORAL_RESOURCE_EXHAUSTED, NULL, "out of memory");
		return;
	}
	arena_init(&listing->arena, 1024, ARENA_NO_BUDGET);
	listing->server = request->server;
	listing->request = request;
	listing->space = space;
	listing->answer = (uint8_t)answer;
	listing->count = limit == 0;
	listing->limit = limit;
	listing->infos = arena_array(request->arena, limit, sizeof(struct execution *));
	/* The text is the request's, which may be gone before the listing. */
	text = arena_strdup(&listing->arena, text ? text : "");
	listing->filter =
		text ? filter_parse(&listing->arena, str_from(text), &resolver, &err) : NULL;
	if (!read_token(listing, token)) {
		request_fail(request, TEMPORAL_UNKNOWN, NULL, BAD_TOKEN);
	} else if (!listing->filter || !listing->infos) {
		request_fail(request, text ? err.code : TEMPORAL_RESOURCE_EXHAUSTED, NULL, "%s",
			text ? err.message : "out of memory");
	} else {
		request_wait(request, WAIT_MS, given_up, listing);
		if (archive_flush(request->server, on_flushed, listing))
			work(listing);
		return;
	}
	free_listing(listing);
}

static size_t page_limit(int32_t asked)
{
	return asked <= 0 || asked > SERVER_LIST_PAGE_MAX ? SERVER_LIST_PAGE_MAX : (size_t)asked;
}

void frontend_list(struct request *request)
{
	const Workflowservice__ListWorkflowExecutionsRequest *in = request->message;
	struct server_namespace *space = frontend_namespace(request, in->namespace_);

	if (space)
		begin(request, space, in->query, ANSWER_LIST, page_limit(in->page_size),
			in->next_page_token);
}

void frontend_scan(struct request *request)
{
	const Workflowservice__ScanWorkflowExecutionsRequest *in = request->message;
	struct server_namespace *space = frontend_namespace(request, in->namespace_);

	if (space)
		begin(request, space, in->query, ANSWER_SCAN, page_limit(in->page_size),
			in->next_page_token);
}

void frontend_count(struct request *request)
{
	const Workflowservice__CountWorkflowExecutionsRequest *in = request->message;
	struct server_namespace *space = frontend_namespace(request, in->namespace_);

	if (space)
		begin(request, space, in->query, ANSWER_LIST, 0, (ProtobufCBinaryData){ 0 });
}

/* ---- The older calls: their filters become a query ---- */

/* "column op 'time'" behind the others. */
static const char *add_time(struct request *request, const char *text, const char *column,
	const char *op, const Google__Timestamp *time)
{
	char printed[PROTO_TIME_TEXT];

	proto_timestamp_print(time, printed);
	return text ? arena_printf(request->arena, "%s AND %s %s '%s'", text, column, op, printed)
		    : NULL;
}

static bool is_time(const Google__Timestamp *time)
{
	return time && (time->seconds || time->nanos);
}

/* False: answered. */
static bool add_times(struct request *request, const Filter__StartTimeFilter *filter,
	const char *column, const char **text)
{
	const Google__Timestamp *first = filter ? filter->earliest_time : NULL;
	const Google__Timestamp *last = filter ? filter->latest_time : NULL;

	int64_t first_ns, last_ns;

	if (is_time(first) && is_time(last) && proto_timestamp_ns(first, &first_ns) &&
		proto_timestamp_ns(last, &last_ns) && first_ns > last_ns) {
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL,
			"EarliestTime in StartTimeFilter should not be larger than LatestTime.");
		return false;
	}
	if (is_time(first))
		*text = add_time(request, *text, column, ">=", first);
	if (is_time(last))
		*text = add_time(request, *text, column, "<=", last);
	return true;
}

/* As the official server does, without a look at quotes in the value: whoever has some escapes
 * them. */
static const char *add_name(
	struct request *request, const char *text, const char *column, const char *value)
{
	return text ? arena_printf(request->arena, "%s AND %s = '%s'", text, column, value) : NULL;
}

void frontend_list_open(struct request *request)
{
	const Workflowservice__ListOpenWorkflowExecutionsRequest *in = request->message;
	struct server_namespace *space = frontend_namespace(request, in->namespace_);
	const char *text = "ExecutionStatus = 'Running'";

	if (!space || !add_times(request, in->start_time_filter, "StartTime", &text))
		return;
	if (in->filters_case == OPEN(EXECUTION))
		text = add_name(request, text, "WorkflowId", in->execution_filter->workflow_id);
	else if (in->filters_case == OPEN(TYPE))
		text = add_name(request, text, "WorkflowType", in->type_filter->name);
	begin(request, space, text, ANSWER_OPEN, page_limit(in->maximum_page_size),
		in->next_page_token);
}

void frontend_list_closed(struct request *request)
{
	const Workflowservice__ListClosedWorkflowExecutionsRequest *in = request->message;
	struct server_namespace *space = frontend_namespace(request, in->namespace_);
	const char *text = "ExecutionStatus != 'Running'";

	if (!space || !add_times(request, in->start_time_filter, "CloseTime", &text))
		return;
	if (in->filters_case == CLOSED(EXECUTION)) {
		text = add_name(request, text, "WorkflowId", in->execution_filter->workflow_id);
	} else if (in->filters_case == CLOSED(TYPE)) {
		text = add_name(request, text, "WorkflowType", in->type_filter->name);
	} else if (in->filters_case == CLOSED(STATUS)) {
		const char *status = visibility_status_name((int64_t)in->status_filter->status);

		if (!status || in->status_filter->status <= RUNNING) {
			request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL,
				"StatusFilter must be specified and must be not Running.");
			return;
		}
		text = add_name(request, text, "ExecutionStatus", status);
	}
	begin(request, space, text, ANSWER_CLOSED, page_limit(in->maximum_page_size),
		in->next_page_token);
}

void frontend_list_archived(struct request *request)
{
	const Workflowservice__ListArchivedWorkflowExecutionsRequest *in = request->message;

	if (!frontend_namespace(request, in->namespace_))
		return;
	if (in->page_size > SERVER_ARCHIVED_PAGE_MAX)
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL,
			"PageSize is larger than allowed %d.", SERVER_ARCHIVED_PAGE_MAX);
	else
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL,
			"Cluster is not configured for visibility archival.");
}
