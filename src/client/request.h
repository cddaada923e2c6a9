/*
 * request.h: from the public structs to the API's messages.
 *
 * A builder remembers that an allocation failed, so that one looks once, at the end. What it is
 * given is borrowed by the message, payloads apart; the message is encoded before the call returns.
 */
#ifndef CLIENT_REQUEST_H
#define CLIENT_REQUEST_H

#include <temporal/api/common/v1/message.pb-c.h>
#include <temporal/api/sdk/v1/user_metadata.pb-c.h>
#include <temporal/api/taskqueue/v1/message.pb-c.h>
#include <temporal/api/workflow/v1/message.pb-c.h>
#include <temporal/client.h>

#include "base/arena.h"
#include "proto/codec.h"

#define REQUEST_SCRAP_SIZE 640 /* no message that we build is larger */

struct client_request {
	struct arena *arena;
	struct temporal_error *err;
	enum temporal_code code; /* the first thing that went wrong; `err` has it, too */
	_Alignas(16) char scrap[REQUEST_SCRAP_SIZE]; /* what is built after memory was out */
};

/* A new message of the type. Never NULL: when memory is out it is scrap. */
#define REQUEST_NEW(builder_, Type_, prefix_) \
	((Type_ *)client_request_new((builder_), &prefix_##__descriptor))
void *client_request_new(struct client_request *builder, const ProtobufCMessageDescriptor *type);

void client_request_init(
	struct client_request *builder, struct arena *arena, struct temporal_error *err);

/* A name with arguments: typed by a contract, or untyped. */
struct client_input {
	const struct temporal_contract *contract; /* NULL: untyped */
	const void *in;
	const char *name;
	struct temporal_payloads arguments;
};
#define REQUEST_TYPED(contract_, in_) \
	((struct client_input){ .contract = (contract_), .in = (in_), .name = (contract_)->name })
#define REQUEST_UNTYPED(name_, arguments_) \
	((struct client_input){ .name = (name_), .arguments = (arguments_) })

/* The arguments; fails where the contract is not of that kind, or the name is empty. */
Common__Payloads *client_request_input_payloads(struct client_request *builder,
	const struct client_input *input, enum temporal_definition kind);

/* NULL, and the builder failed, where something is wrong; NULL too for what is empty. */
Common__Payloads *client_request_payloads(
	struct client_request *builder, struct temporal_payloads from);
Common__Memo *client_request_memo(
	struct client_request *builder, const struct temporal_entries *from);
Common__SearchAttributes *client_request_search_attributes(
	struct client_request *builder, const struct temporal_entries *from);
Common__Header *client_request_header(
	struct client_request *builder, const struct temporal_entries *from);
Common__WorkflowExecution *client_request_execution(
	struct client_request *builder, const char *id, const char *run_id);
Common__WorkflowType *client_request_type(struct client_request *builder, const char *name);
Taskqueue__TaskQueue *client_request_task_queue(struct client_request *builder, const char *name);
Google__Duration *client_request_duration(
	struct client_request *builder, int64_t ms, const char *name);
Common__RetryPolicy *client_request_retry_policy(
	struct client_request *builder, const struct temporal_retry_policy *from);
Common__Priority *client_request_priority(
	struct client_request *builder, const struct temporal_priority *from);
Sdk__UserMetadata *client_request_user_metadata(
	struct client_request *builder, const char *summary, const char *details);
Workflow__VersioningOverride *client_request_versioning(
	struct client_request *builder, const struct temporal_versioning_override *from);

/* A text as the JSON payload that the UI expects; NULL for NULL. */
Common__Payload *client_request_text_payload(struct client_request *builder, const char *text);

/* The text, or a random UUID where it is empty. */
const char *client_request_id(struct client_request *builder, const char *id);

/* A copy of the text, for calls that send more than once. */
const char *client_request_text(struct client_request *builder, const char *text);

/* Notes an error of the input. */
void client_request_fail(struct client_request *builder, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
