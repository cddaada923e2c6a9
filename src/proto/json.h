/*
 * json.h: proto3 JSON of the API's messages, for histories in files and for people.
 *
 * Reads what any of the SDKs and the CLI write: field names in lowerCamelCase or as in the .proto
 * file, enum values as "EVENT_TYPE_WORKFLOW_EXECUTION_STARTED", "WorkflowExecutionStarted" or a
 * number, 64-bit integers as strings or numbers, bytes in either base64 alphabet, Timestamp and
 * Duration as text, Any refused. Unknown fields and names of enum values are an error unless
 * `ignore_unknown`, which leaves them out. jansson does the syntax, behind an iterative check of
 * its depth. Not for a coroutine's stack.
 */
#ifndef PROTO_JSON_H
#define PROTO_JSON_H

#include "proto/codec.h"

/* NULL on failure: INVALID_ARGUMENT names the path of the field and what was expected there;
 * NO_MEMORY. */
void *proto_from_json(struct arena *arena, const ProtobufCMessageDescriptor *type, struct str text,
	bool ignore_unknown, struct temporal_error *err) __attribute__((warn_unused_result));

/*
 * The messages of a JSON array, or the one message that the text is: an arena's array of *n
 * pointers. NULL on failure, as above. (Some SDKs keep a workflow's histories in one file.)
 */
void **proto_list_from_json(struct arena *arena, const ProtobufCMessageDescriptor *type,
	struct str text, bool ignore_unknown, size_t *n, struct temporal_error *err)
	__attribute__((warn_unused_result));

/* The message as JSON, terminated, in the arena; `indent` spaces a level, 0 for one line. */
enum temporal_code proto_to_json(struct arena *arena, const void *message, unsigned indent,
	struct str *out, struct temporal_error *err) __attribute__((warn_unused_result));

#endif
