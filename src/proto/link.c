/*
 * link.c: links between what happened here and there: as messages in histories, as URLs on the way
 * to a handler and back.
 *
 *   temporal:///namespaces/NAMESPACE/workflows/ID/RUN/history?eventID=5&eventType=TYPE
 *                                                   &referenceType=EventReference
 *   ... ?eventType=TYPE&referenceType=RequestIdReference&requestID=ID
 *
 * A link is help for a reader, never needed: one that cannot be read is passed by. Pure.
 */
#include "proto/link.h"

#include <stdlib.h>
#include <string.h>

#include "base/url.h"
#include "proto/codec.h"
#include "proto/enum_name.h"

#define EVENT_LINK   "temporal.api.common.v1.Link.WorkflowEvent"
#define SCHEME       "temporal://"
#define EVENT_REF    "EventReference"
#define REQUEST_REF  "RequestIdReference"
#define EVENT_CASE   COMMON__LINK__WORKFLOW_EVENT__REFERENCE_EVENT_REF
#define REQUEST_CASE COMMON__LINK__WORKFLOW_EVENT__REFERENCE_REQUEST_ID_REF

/* The query that says which event it is. NULL: no memory. */
static const char *write_reference(struct arena *arena, const Common__Link__WorkflowEvent *event)
{
	char name[PROTO_ENUM_TEXT];

	if (event->reference_case == REQUEST_CASE) {
		const char *id = url_escape(arena, event->request_id_ref->request_id, true);

		return id ? arena_printf(arena,
				    "?eventType=%s&referenceType=" REQUEST_REF "&requestID=%s",
				    proto_event_name((int)event->request_id_ref->event_type, name),
				    id)
			  : NULL;
	}
	if (event->reference_case != EVENT_CASE)
		return "";
	const char *type = proto_event_name((int)event->event_ref->event_type, name);

	if (event->event_ref->event_id <= 0)
		return arena_printf(arena, "?eventType=%s&referenceType=" EVENT_REF, type);
	return arena_printf(arena, "?eventID=%lld&eventType=%s&referenceType=" EVENT_REF,
		(long long)event->event_ref->event_id, type);
}

Nexus__Link *proto_link_write(struct arena *arena, const Common__Link *link)
{
	const Common__Link__WorkflowEvent *event = link->workflow_event;

	if (link->variant_case != COMMON__LINK__VARIANT_WORKFLOW_EVENT)
		return NULL;
	Nexus__Link *out = PROTO_NEW(arena, Nexus__Link, nexus__link);
	const char *query = write_reference(arena, event);
	const char *space = url_escape(arena, event->namespace_, false);
	const char *id = url_escape(arena, event->workflow_id, false);
	const char *run = url_escape(arena, event->run_id, false);

	if (!out || !query || !space || !id || !run)
		return NULL;
	out->type = EVENT_LINK;
	out->url = arena_printf(
		arena, SCHEME "/namespaces/%s/workflows/%s/%s/history%s", space, id, run, query);
	return out->url ? out : NULL;
}

/* The event's type, by its short or its long name. */
static bool read_type(struct str text, Enums__EventType *type)
{
	int value = 0;

	if (!proto_enum_value(&enums__event_type__descriptor, text, &value))
		return false;
	*type = (Enums__EventType)value;
	return true;
}

static bool read_reference(
	struct arena *arena, const char *query, Common__Link__WorkflowEvent *event)
{
	const char *kind = url_query(arena, query, "referenceType");
	const char *type = url_query(arena, query, "eventType");
	const char *id = url_query(arena, query, "eventID");

	if (str_same(kind, EVENT_REF)) {
		event->reference_case = EVENT_CASE;
		event->event_ref = PROTO_NEW(arena, Common__Link__WorkflowEvent__EventReference,
			common__link__workflow_event__event_reference);
		if (!event->event_ref)
			return false;
		event->event_ref->event_id = id ? strtoll(id, NULL, 10) : 0;
		return read_type(str_from(type), &event->event_ref->event_type);
	}
	if (!str_same(kind, REQUEST_REF))
		return false;
	event->reference_case = REQUEST_CASE;
	event->request_id_ref = PROTO_NEW(arena, Common__Link__WorkflowEvent__RequestIdReference,
		common__link__workflow_event__request_id_reference);
	if (!event->request_id_ref)
		return false;
	const char *request_id = url_query(arena, query, "requestID");

	if (request_id)
		event->request_id_ref->request_id = request_id;
	return read_type(str_from(type), &event->request_id_ref->event_type);
}

static Common__Link *read_link(struct arena *arena, const Nexus__Link *in)
{
	const char *path[6] = { NULL };
	Common__Link *link = PROTO_NEW(arena, Common__Link, common__link);
	Common__Link__WorkflowEvent *event =
		PROTO_NEW(arena, Common__Link__WorkflowEvent, common__link__workflow_event);

	if (!link || !event || !str_same(in->type, EVENT_LINK) ||
		strncmp(in->url, SCHEME, strlen(SCHEME)) != 0)
		return NULL;
	const char *query = url_split(arena, in->url + strlen(SCHEME), path, 6);
	if (!query || !str_same(path[0], "namespaces") || !str_same(path[2], "workflows") ||
		!str_same(path[5], "history") || !read_reference(arena, query, event))
		return NULL;
	event->namespace_ = path[1];
	event->workflow_id = path[3];
	event->run_id = path[4];
	link->variant_case = COMMON__LINK__VARIANT_WORKFLOW_EVENT;
	link->workflow_event = event;
	return link;
}

Common__Link **proto_links_read(
	struct arena *arena, Nexus__Link *const *links, size_t n_links, size_t *n_read)
{
	Common__Link **out = arena_array(arena, n_links, sizeof(*out));

	*n_read = 0;
	for (size_t i = 0; i < n_links && out; i++) {
		Common__Link *link = read_link(arena, links[i]);

		if (link)
			out[(*n_read)++] = link;
	}
	return out;
}
