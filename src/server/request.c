/*
 * request.c: answers, and why they wait.
 *
 * What a handler answers may tell of changes that are not on disk yet: its own, or those of others
 * that it has read. So every answer is given a ticket at the end of its input, the number of the
 * last batch that must be durable, and leaves when that is committed. Answers leave in the order of
 * their tickets.
 *
 * Loop's thread.
 */
#include "server/request.h"

#include <stdarg.h>
#include <string.h>

#include "base/error.h"
#include "google/protobuf/any.pb-c.h"
#include "proto/codec.h"
#include "proto/time.h"
#include "server/limits.h"
#include "server/metrics.h"
#include "server/transition.h"
#include "temporal/api/common/v1/grpc_status.pb-c.h"

#define TYPE_URL "type.googleapis.com/"

#define RESERVE_SLOTS 16
#define RESERVE_SLOT  2048 /* bytes, larger than any message of the API */

/* Where there is no memory for a message: whoever makes it may go on, and nobody gets it. Each has
 * a slot of its own, in turn, as what is put into a message must not be that message. */
static void *reserve(const ProtobufCMessageDescriptor *type)
{
	static _Thread_local char slots[RESERVE_SLOTS][RESERVE_SLOT] __attribute__((aligned(16)));
	static _Thread_local unsigned next;
	ProtobufCMessage *message = (void *)slots[next++ % RESERVE_SLOTS];

	memset(message, 0, RESERVE_SLOT);
	message->descriptor = type;
	return message;
}

void *request_message(struct request *request, const ProtobufCMessageDescriptor *type)
{
	void *message = proto_new(request->arena, type);

	if (message)
		return message;
	server_no_memory(request->server);
	return reserve(type);
}

const char *request_text(struct request *request, const char *text)
{
	const char *copy = arena_strdup(request->arena, text ? text : "");

	if (!copy)
		server_no_memory(request->server);
	return copy ? copy : "";
}

/* Memory that is out stops the server. */
static void *got(struct request *request, void *made)
{
	if (!made)
		server_no_memory(request->server);
	return made;
}

void request_unread(struct request *request)
{
	if (request->server->unread.code == TEMPORAL_OK)
		server_no_memory(request->server);
}

void *request_decode(
	struct request *request, const ProtobufCMessageDescriptor *type, const struct bytes *data)
{
	struct temporal_error err;
	void *message =
		data->len ? proto_decode(request->arena, type, data->ptr, data->len, NULL, &err)
			  : NULL;

	if (message || !data->len)
		return message;
	if (err.code != TEMPORAL_NO_MEMORY)
		(void)error_set(&request->server->unread, TEMPORAL_DATA_LOSS,
			"a record of type %s cannot be read: %s", type->name, err.message);
	request_unread(request);
	return NULL;
}

Google__Timestamp *request_time(struct request *request, int64_t ns)
{
	return ns ? got(request, proto_timestamp_new(request->arena, ns)) : NULL;
}

Google__Duration *request_duration(struct request *request, int64_t ms)
{
	return got(request, proto_duration_new_ms(request->arena, ms));
}

Google__Duration *request_duration_ns(struct request *request, int64_t ns)
{
	return got(request, proto_duration_new_ns(request->arena, ns));
}

void *request_array(struct request *request, size_t count, size_t size)
{
	return got(request, arena_array(request->arena, count, size));
}

/* An answer that lacks what could not be read is none. */
static void check_read(struct request *request)
{
	struct temporal_error *unread = &request->server->unread;

	if (unread->code == TEMPORAL_OK || request->code != TEMPORAL_OK)
		return;
	request->code = TEMPORAL_DATA_LOSS;
	request->text = request_text(request, unread->message);
	unread->code = TEMPORAL_OK;
}

static void hold(struct request *request)
{
	struct server *server = request->server;

	check_read(request);
	request->cancelled = NULL;
	request->next = NULL;
	*server->answers_last = request;
	server->answers_last = &request->next;
}

static void send(struct request *request)
{
	struct server *server = request->server;

	server_metrics_ends(request);
	if (server->failed)
		request->ops->fail(request, TEMPORAL_UNAVAILABLE, server->failure, NULL);
	else if (request->code != TEMPORAL_OK)
		request->ops->fail(request, request->code, request->text, request->status);
	else
		request->ops->reply(request, request->reply);
}

void request_reply(struct request *request, const void *message)
{
	request->reply = message;
	hold(request);
}

void request_reply_now(struct request *request, const void *message)
{
	struct server *server = request->server;

	transition_check_memory(server);
	check_read(request);
	request->cancelled = NULL;
	request->reply = message;
	send(request);
}

static const Common__GrpcStatus *make_status(
	struct request *request, enum temporal_code code, const char *text, const void *detail)
{
	struct arena *arena = request->arena;
	Common__GrpcStatus *status = PROTO_NEW(arena, Common__GrpcStatus, common__grpc_status);
	Google__Any *any = PROTO_NEW(arena, Google__Any, google__any);
	Google__Any **details = arena_alloc(arena, sizeof(*details));
	const char *name = ((const ProtobufCMessage *)detail)->descriptor->name;
	struct bytes encoded = { 0 };

	if (!status || !any || !details ||
		proto_encode(arena, detail, 0, &encoded, NULL) != TEMPORAL_OK)
		return NULL;
	any->type_url = arena_printf(arena, TYPE_URL "%s", name);
	any->value.data = encoded.ptr;
	any->value.len = encoded.len;
	details[0] = any;
	status->code = (int32_t)code;
	status->message = text;
	status->details = details;
	status->n_details = 1;
	return any->type_url ? status : NULL;
}

void request_fail(struct request *request, enum temporal_code code, const void *detail,
	const char *format, ...)
{
	const struct temporal_error *lost = &request->server->archive.lost;
	va_list args;

	va_start(args, format);
	request->text = arena_vprintf(request->arena, format, args);
	va_end(args);
	if (!request->text)
		request->text = "out of memory";
	/* What is there and cannot be read was not found, but that is not to be said. */
	if (code == TEMPORAL_NOT_FOUND && lost->code != TEMPORAL_OK) {
		code = lost->code;
		request->text = request_text(request, lost->message);
		detail = NULL;
	}
	request->code = code;
	request->status = detail ? make_status(request, code, request->text, detail) : NULL;
	hold(request);
}

void request_release(struct server *server, uint64_t committed)
{
	while (server->held && (server->failed || server->held->ticket <= committed)) {
		struct request *request = server->held;

		server->held = request->next;
		if (!server->held)
			server->held_last = &server->held;
		send(request);
	}
}

void request_wait(struct request *request, int64_t wait_ms, void (*expired)(struct request *),
	void *waiting_for)
{
	struct server *server = request->server;
	int64_t now = server->io.steady_ns(server->io.user), due = now + wait_ms * 1000000;
	int64_t last = request->deadline_ns;

	if (last != INT64_MAX)
		last -= SERVER_POLL_SLACK_MS * INT64_C(1000000);
	if (last < due)
		due = last;
	request->cancelled = expired;
	request->waiting_for = waiting_for;
	if (!timers_set(&server->waits, &request->timer, due, NULL))
		server_no_memory(server);
}

void request_wake(struct request *request)
{
	request->cancelled = NULL;
	timers_stop(&request->server->waits, &request->timer);
}
