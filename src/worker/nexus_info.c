/*
 * nexus_info.c: what a handler is told of its request.
 *
 * Names of headers are given in lower case, as HTTP/2 has them, whatever the caller's side wrote.
 * Loop's thread; everything is in the request's arena, or the task's own text.
 */
#include <time.h>

#include "base/clock.h"
#include "base/str.h"
#include "proto/time.h"
#include "worker/event.h"
#include "worker/nexus.h"
#include "worker/nexus_text.h"
#include "worker/worker.h"

#define TIMEOUT_HEADER   "request-timeout"
#define OPERATION_HEADER "operation-timeout"

/* The entries of both maps have the same members. */
#define COPY_HEADERS(arena_, out_, n_out_, entries_, n_) \
	do { \
		struct temporal_header *copy_ = arena_array((arena_), (n_), sizeof(*copy_)); \
		bool full_ = copy_ != NULL; \
		for (size_t i_ = 0; full_ && i_ < (n_); i_++) { \
			copy_[i_].name = arena_lower((arena_), (entries_)[i_]->key); \
			copy_[i_].value = (entries_)[i_]->value; \
			full_ = copy_[i_].name != NULL; \
		} \
		if (!full_) \
			return false; \
		(out_) = copy_; \
		(n_out_) = (n_); \
	} while (0)

static bool info_start(struct nexus *nexus)
{
	const Nexus__StartOperationRequest *start = nexus->start;
	struct nexus_info *info = &nexus->info;
	struct nexus_link *links = arena_array(&nexus->arena, start->n_links, sizeof(*links));

	if (!links)
		return false;
	info->service = start->service;
	info->operation = start->operation;
	info->request_id = start->request_id;
	info->callback_url = start->callback;
	for (size_t i = 0; i < start->n_links; i++)
		links[i] = (struct nexus_link){ start->links[i]->url, start->links[i]->type };
	info->links = links;
	info->n_links = start->n_links;
	COPY_HEADERS(&nexus->arena, info->callback_headers, info->n_callback_headers,
		start->callback_header, start->n_callback_header);
	return true;
}

/*
 * The time that a header gives from now, 0: there is none; and what it says, -1 then. One that is
 * no duration is the server's to complain of: it will not wait for ever.
 */
static int64_t deadline_of(struct nexus *nexus, const char *header, int64_t *timeout_ns)
{
	const char *timeout = nexus_header(nexus, header);
	int64_t deadline_ns;

	*timeout_ns = -1;
	if (!timeout)
		return 0;
	if (!worker_nexus_timeout(timeout, timeout_ns)) {
		*timeout_ns = -1;
		worker_log(nexus->worker, TEMPORAL_LOG_WARN,
			"Nexus operation %s of service %s: the header %s is no duration: %s",
			nexus->info.operation, nexus->info.service, header, timeout);
		return 0;
	}
	return __builtin_add_overflow(clock_epoch_ns(), *timeout_ns, &deadline_ns) ? INT64_MAX
										   : deadline_ns;
}

bool worker_nexus_info(struct nexus *nexus)
{
	const Nexus__Request *request = nexus->task->request;
	struct nexus_info *info = &nexus->info;
	int64_t operation_timeout_ns;

	nexus->timeout_ns = -1;
	*info = (struct nexus_info){
		.service = "",
		.operation = "",
		.namespace_ = nexus->worker->namespace_,
		.task_queue = nexus->worker->opts.task_queue,
		.endpoint = "",
		.request_id = "",
		.operation_token = "",
		.callback_url = "",
	};
	if (!request)
		return true;
	info->endpoint = request->endpoint;
	info->scheduled_time_ns = proto_timestamp_ns_or(request->scheduled_time, 0);
	if (nexus->cancel) {
		info->service = nexus->cancel->service;
		info->operation = nexus->cancel->operation;
		/* Servers before 1.27 have the old name alone. */
		info->operation_token = str_empty(nexus->cancel->operation_token)
						? nexus->cancel->operation_id
						: nexus->cancel->operation_token;
	}
	if (nexus->start && !info_start(nexus))
		return false;
	COPY_HEADERS(
		&nexus->arena, info->headers, info->n_headers, request->header, request->n_header);
	info->deadline_ns = deadline_of(nexus, TIMEOUT_HEADER, &nexus->timeout_ns);
	info->operation_deadline_ns = deadline_of(nexus, OPERATION_HEADER, &operation_timeout_ns);
	return true;
}
