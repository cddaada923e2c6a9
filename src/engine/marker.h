/*
 * marker.h: what the SDK writes into markers, as the core SDK does, so that the histories of all
 * its languages are read alike: patches, and results of local activities.
 */
#ifndef ENGINE_MARKER_H
#define ENGINE_MARKER_H

#include <stdbool.h>
#include <stdint.h>

#include <temporal/api/command/v1/message.pb-c.h>
#include <temporal/api/history/v1/message.pb-c.h>

#include "base/arena.h"
#include "engine/engine.h"

enum marker_kind {
	MARKER_PATCH,
	MARKER_LOCAL_ACTIVITY,
	MARKER_OTHER, /* another SDK's, or the user's */
};

enum marker_kind marker_kind(const History__HistoryEvent *event);

struct marker_patch {
	const char *id;
	bool deprecated;
};

/* Of a MARKER_PATCH; what it points to is in the arena. False: it cannot be read. */
bool marker_read_patch(
	const History__HistoryEvent *event, struct arena *arena, struct marker_patch *patch);

/* The attributes of a command that records it. NULL: no memory. */
Command__RecordMarkerCommandAttributes *marker_write_patch(
	struct arena *arena, const char *id, bool deprecated);

struct marker_local {
	struct marker_local *next; /* the task's list of what is to come */
	uint32_t seq;
	const char *activity_id, *activity_type;
	bool has_index;
	uint64_t index; /* of the activation, within its task, that told of it */
	struct local_result result;
};

/* The same for a local activity; payload and failure stay the event's. */
bool marker_read_local(
	const History__HistoryEvent *event, struct arena *arena, struct marker_local *marker);
Command__RecordMarkerCommandAttributes *marker_write_local(
	struct arena *arena, const struct marker_local *marker);

/*
 * The search attribute that lists a run's patches, so that people find the runs that depend on one:
 * its name, and a value of these ids (sorted here). NULL: no memory.
 */
#define MARKER_VERSIONS     "TemporalChangeVersion"
#define MARKER_VERSIONS_MAX 2048 /* bytes of the value, that servers take */
Common__Payload *marker_versions(struct arena *arena, const char **ids, size_t count);

#endif
