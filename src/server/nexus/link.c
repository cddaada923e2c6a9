/*
 * link.c: the links that the server makes itself (proto/link.h has their two forms).
 *
 * Pure.
 */
#include "proto/link.h"
#include "server/nexus/nexus.h"

Nexus__Link *nexus_link_of_event(struct arena *arena, const char *space, const char *workflow_id,
	const char *run_id, int64_t event_id, Enums__EventType type)
{
	Common__Link__WorkflowEvent event = COMMON__LINK__WORKFLOW_EVENT__INIT;
	Common__Link__WorkflowEvent__EventReference reference =
		COMMON__LINK__WORKFLOW_EVENT__EVENT_REFERENCE__INIT;
	Common__Link link = COMMON__LINK__INIT;

	reference.event_id = event_id;
	reference.event_type = type;
	event.namespace_ = space;
	event.workflow_id = workflow_id;
	event.run_id = run_id;
	event.reference_case = COMMON__LINK__WORKFLOW_EVENT__REFERENCE_EVENT_REF;
	event.event_ref = &reference;
	link.variant_case = COMMON__LINK__VARIANT_WORKFLOW_EVENT;
	link.workflow_event = &event;
	return proto_link_write(arena, &link);
}

const char *nexus_link_header(struct arena *arena, const Nexus__Link *link)
{
	return arena_printf(arena, "<%s>; type=\"%s\"", link->url, link->type);
}
