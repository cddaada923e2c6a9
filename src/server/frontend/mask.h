/*
 * mask.h: field masks: which fields of a message a request changes.
 */
#ifndef SERVER_FRONTEND_MASK_H
#define SERVER_FRONTEND_MASK_H

#include "google/protobuf/field_mask.pb-c.h"
#include "server/request.h"

/* A field that may be changed: "timeout" or "policy.interval", in the descriptor's names. */
struct mask_field {
	const char *path;
	/* What has to be in the request for it, by the name in the answer; NULL: nothing. */
	const char *needs;
};

/*
 * Copies the fields that the mask names from `from` to `into`, two messages of one type; in the
 * order of the table. Names in the mask may be in either case; those that the table does not have
 * are passed by. False: the request has been answered.
 */
bool mask_merge(struct request *request, const struct mask_field *fields, size_t n_fields,
	const Google__FieldMask *mask, const void *from, void *into);

/* The first path that is none of the type's, in the descriptor's own names; NULL: all are. */
const char *mask_invalid(const Google__FieldMask *mask, const ProtobufCMessageDescriptor *type);

/* Does the mask name this path? */
bool mask_names(const Google__FieldMask *mask, const char *path);
/* ... something within it? */
bool mask_names_part(const Google__FieldMask *mask, const char *path);

#endif
