/*
 * state.h: all that the server knows, in memory: namespaces, workflow ids, executions with their
 * history, activities, timers, task queues. The store holds what a restart needs of it (the fields
 * in the tables of state.c); the rest is rebuilt.
 *
 * Everything belongs to the loop's thread. Objects are found by pointer; nothing outlives its
 * owner: server > namespace > workflow id > execution > activity, timer.
 *
 * When memory is out, the server stops as a whole (server_fail): no operation is half done.
 */
#ifndef SERVER_STATE_H
#define SERVER_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/map.h"
#include "base/str.h"
#include "rpc/loop.h"
#include "server/archive/archive.h"
#include "server/config.h"
#include "server/io.h"
#include "server/matching/matching.h"
#include "server/record.h"
#include "server/request.h"
#include "server/timers.h"
#include "server/virtual_time.h"
#include "server/visibility/search_attributes.h"
#include "server/workers/registry.h"

struct batch;
struct child;
struct effect;
struct store;
struct execution;
struct nexus_client;
struct nexus_due;
struct nexus_endpoint;
struct nexus_outgoing;
struct nexus_rule;

/* What a record of the store is about. The numbers are in database files. */
enum entity_kind {
	ENTITY_NAMESPACE = 1, /* id: its number */
	ENTITY_EXECUTION = 2, /* run: the execution's number, as for all that follow; id 0 */
	ENTITY_ACTIVITY = 3,  /* id: its scheduled event */
	ENTITY_TIMER = 4,     /* id: its started event */
	ENTITY_BUFFERED = 5, /* id: counts up; an event that waits for the end of a workflow task */
	ENTITY_REQUEST_ID = 6,       /* id: counts up; a request id of a signal */
	ENTITY_UPDATE = 7,           /* id: counts up; an update that is in the history */
	ENTITY_NEXUS_OPERATION = 10, /* id: its scheduled event; nexus/nexus.h */
	ENTITY_NEXUS_CALLBACK = 12,  /* id: counts up */
	ENTITY_CHILD = 8,            /* id: its initiated event */
};

struct entity_key {
	uint8_t kind;
	uint64_t run;
	int64_t id;
};

struct space_metrics;
struct server_metrics;

struct server_namespace {
	/* recorded */
	int64_t number;
	char *id, *name, *description, *owner_email;
	int64_t retention_ms;
	/* rebuilt */
	struct server_namespace *next;
	struct search_attributes search_attributes; /* settings of their own */
	/* recorded; see frontend/namespace.c */
	int32_t state;       /* Enums__NamespaceState; 0: registered */
	struct bytes info;   /* Namespace__NamespaceInfo: the data alone */
	struct bytes config; /* Namespace__NamespaceConfig: bad binaries, aliases */
	int64_t delete_due_ns;
	bool by_call; /* it was registered by a call, not by the server's start */
	/* rebuilt */
	struct server *server;            /* while it is being deleted */
	struct timers_entry delete_timer; /* it goes away for good */
	bool emptied, gone;               /* no run is left; it is there no more */
	int64_t n_open;                   /* runs in server.open_newest */
	struct space_metrics *metrics;    /* NULL: not counted, or not yet */
};

/* A workflow id of a namespace, and its runs, the current one first. */
struct workflow_id {
	struct server_namespace *space;
	char *id;
	struct execution *current; /* in memory; there may be a later one among the closed runs */
	bool current_known;        /* ... but there is none */
	struct workflow_id *next_hash; /* same hash */
	uint64_t hash;
};

/* Encoded events of one transition, in the wire form of History: tag, length, event, again. */
struct event_block {
	int64_t first_id;
	uint32_t count;
	uint32_t len, capacity;
	uint8_t data[];
};

/* An event that was added while a workflow task was running: it gets its number afterwards. */
struct buffered_event {
	struct buffered_event *next;
	int64_t number; /* of its record */
	size_t len;
	uint8_t data[]; /* the event, encoded without its number */
};

enum activity_state {
	ACTIVITY_BACKING_OFF, /* the next attempt is not due yet */
	ACTIVITY_SCHEDULED,   /* its task waits in a queue */
	ACTIVITY_STARTED,     /* a worker has it */
};

struct activity {
	/* recorded */
	int64_t scheduled_id; /* its event */
	char *id, *type, *task_queue;
	int32_t state, attempt;
	int64_t scheduled_ns;         /* of the first attempt */
	int64_t attempt_scheduled_ns; /* of this one; may lie ahead while backing off */
	int64_t started_ns, heartbeat_ns, attempt_completed_ns;
	int64_t schedule_to_close_ms, schedule_to_start_ms, start_to_close_ms, heartbeat_ms;
	struct bytes
		retry_policy; /* Common__RetryPolicy, with defaults filled in; empty: no retry */
	int64_t cancel_requested_id;    /* the event; 0: not requested */
	struct bytes heartbeat_details; /* Common__Payloads */
	struct bytes last_failure;      /* Failure__Failure */
	char *request_id, *identity;    /* of the start */
	int64_t starts;                 /* counts them: a token of an older one is stale */
	/* recorded: what operators did; see history/activity_control.c */
	bool paused;
	bool reset,
		reset_heartbeat; /* it is told with its next heartbeat; until the next attempt */
	int64_t paused_ns;
	char *pause_identity, *pause_reason, *pause_request_id;
	struct bytes priority; /* Common__Priority */
	bool has_priority;     /* it may be an empty one */
	/* rebuilt */
	struct execution *execution;
	struct activity *next;
	struct timers_entry timer; /* the next of its timeouts, or the end of its back-off */
	struct matching_task task;
};

struct user_timer {
	/* recorded */
	int64_t started_id;
	char *id;
	int64_t due_ns;
	/* rebuilt */
	struct execution *execution;
	struct user_timer *next;
	struct timers_entry timer;
};

/* A query that waits for its answer. In memory alone: a restart forgets it, the caller asks again.
 */
struct query {
	struct query *next; /* execution.queries */
	struct execution *execution;
	struct request *request; /* the caller's; NULL: it has given up */
	char id[SERVER_UUID_SIZE];
	bool direct; /* it is a task of its own */
	struct matching_task task;
	struct timers_entry sticky_timer;
};

enum update_state {
	UPDATE_ADMITTED,  /* waits for a workflow task */
	UPDATE_SENT,      /* went out with one */
	UPDATE_ACCEPTED,  /* from here on it is in the history */
	UPDATE_COMPLETED, /* its outcome is there too */
	UPDATE_REJECTED,  /* for the rest of the input only: then it is forgotten */
	UPDATE_ABORTED,   /* its run ended before it was accepted */
};

/* An update of a run; see history/update.h. */
struct update {
	/* recorded, once it is in the history */
	char *id;
	int64_t admitted_id; /* the events, 0: there is none */
	int64_t accepted_id, completed_id;
	/* rebuilt */
	int64_t number; /* of its record; 0: it has none */
	struct execution *execution;
	struct update *next_hash;   /* same hash of the id */
	struct update *next, *prev; /* execution.updates */
	enum update_state state;
	enum update_state planned; /* state after the messages that have been checked */
	bool resurrected;          /* made by a worker's message that is being checked */
	struct bytes request;      /* Update__Request, until it is accepted */
	const void *outcome;       /* borrowed, for the rest of the input: Update__Outcome */
	struct update_waiter *waiters;
};

/* Why a workflow task's Started event suggests to continue as new. */
enum task_suggestion {
	SUGGEST_SIZE = 1,
	SUGGEST_COUNT = 2,
	SUGGEST_UPDATES = 4,
};

/* The updates of a run. */
struct updates {
	struct map by_id;            /* hash to chain of struct update: all */
	struct update *first, *last; /* those without an outcome, in the order of admission */
	unsigned n_open, n_completed;
};

struct execution {
	/* recorded */
	uint64_t number; /* in the order of creation */
	char *namespace_id, *workflow_id, *run_id, *first_run_id, *new_run_id;
	char *type, *task_queue;
	char *create_request_id, *cancel_request_id;
	int32_t status; /* Enums__WorkflowExecutionStatus */
	int64_t start_ns, execution_ns, close_ns;
	int64_t next_event_id;
	int64_t history_size;
	int64_t execution_timeout_ms, run_timeout_ms, task_timeout_ms;
	int64_t execution_expires_ns, run_expires_ns; /* 0: never */
	struct bytes retry_policy;                    /* as in struct activity */
	int32_t attempt;
	char *cron;
	struct bytes memo;              /* Common__Memo */
	struct bytes search_attributes; /* Common__SearchAttributes */
	struct bytes user_metadata;     /* Sdk__UserMetadata of the start */
	struct bytes priority;          /* Common__Priority */
	bool cancel_requested;
	char *sticky_queue;
	int64_t sticky_timeout_ms;
	int64_t signals;     /* received */
	int64_t transitions; /* made */
	int64_t records;     /* numbers given to ENTITY_BUFFERED, ENTITY_REQUEST_ID, callbacks */
	/* recorded: the workflow task; see history/workflow_task.c */
	int64_t task_scheduled_id; /* 0: there is none */
	int64_t task_started_id;   /* 0: it is not started */
	int32_t task_attempt;
	bool task_transient; /* its events are not in the history yet */
	int64_t task_scheduled_ns, task_original_scheduled_ns, task_started_ns;
	int64_t task_timeout_now_ms; /* of this attempt */
	char *task_request_id, *task_identity;
	int64_t previous_started_id; /* of the last completed workflow task */
	int64_t last_completed_id;   /* its completion */
	bool backing_off;            /* the first workflow task is not due yet */
	int64_t first_task_due_ns;
	/* recorded: reset and options; see history/reset.c */
	bool is_reset;                    /* it began as a copy of another run */
	char *reset_run_id;               /* the run that took over by a reset */
	char *reset_request_id;           /* of the reset that made this run */
	struct bytes reset_points;        /* Workflow__ResetPoints */
	struct bytes versioning_override; /* Workflow__VersioningOverride */
	bool task_speculative;            /* only updates want it: history/speculative.c */
	int64_t task_history_size; /* what its Started event says, even if that is written later */
	int32_t task_suggestions;  /* likewise: bits of enum task_suggestion */
	int64_t task_problems;     /* workflow tasks that failed in a row */
	int64_t task_problem;      /* attributes.c: why the last of them that has an event did */
	/* recorded: where it comes from; no parent: NULL. The root may be the run itself: NULL. */
	char *parent_namespace_id, *parent_workflow_id, *parent_run_id;
	int64_t parent_initiated_id;
	char *root_workflow_id, *root_run_id;
	/* rebuilt */
	struct server *server;
	struct server_namespace *space;
	struct workflow_id *id;
	struct execution *older;        /* run of the same workflow id */
	struct execution *next_hash;    /* same hash of the run id */
	struct execution *next_touched; /* server.touched */
	bool touched;
	bool completing;  /* its workflow task's commands are being applied: no new task yet */
	bool task_wanted; /* ... but one is due afterwards */
	bool event_added; /* in this transition */
	struct event_block **blocks;
	uint32_t n_blocks, blocks_capacity;
	bool block_open; /* the last one may still grow */
	struct buffered_event *buffered, **buffered_last;
	unsigned n_buffered;
	size_t buffered_size;
	struct activity *activities;
	unsigned n_activities;
	size_t activities_size; /* of what they keep: state_activity_set */
	struct user_timer *timers;
	struct child *children; /* history/child.h */
	unsigned n_children;
	struct query *queries;
	unsigned n_queries;
	struct updates updates;
	bool close_attempted; /* its last task tried to end the run, and had overlooked an event */
	struct map request_ids;        /* of signals: hash to text */
	struct request *history_polls; /* waiting for events */
	struct matching_task task;     /* the workflow task in its queue */
	struct timers_entry task_timer, run_timer;
	struct execution *open_newer, *open_older; /* server.open_newest, while it is running */
	struct archive_link archive;               /* after its end */
	struct nexus_operation *nexus_operations;  /* see nexus/nexus.h */
	unsigned n_nexus_operations;
	struct nexus_callback *nexus_callbacks;
};

struct server {
	struct server_io io;
	struct server_config config;
	struct virtual_time time;
	int64_t now_ns;       /* of the input that is being worked on */
	struct arena scratch; /* of this input */
	struct timers timers; /* of workflows: on the server's time */
	struct timers waits;  /* of callers */
	struct server_namespace *namespaces;
	int64_t next_namespace;
	uint64_t hash_key[2];    /* of all maps by name */
	struct map workflow_ids; /* hash to chain of struct workflow_id */
	struct map runs;         /* hash of the run id to chain of struct execution */
	struct map numbers;      /* number to struct execution */
	uint64_t next_run;
	struct execution *open_newest; /* all that are running, by number */
	struct archive archive;        /* those that have ended */
	struct matching matching;
	struct workers workers;
	struct nexus_endpoint *nexus_endpoints; /* by id */
	struct map nexus_calls;                 /* hash of the id to chain */
	struct nexus_due *nexus_due, *nexus_due_last;
	struct nexus_rule *nexus_rules; /* addresses that callbacks may go to */
	char *nexus_callback_base;      /* our own address for callbacks; NULL: none */
	/* Sends requests to other servers; NULL: none are made. */
	void (*nexus_send)(struct server *server, struct nexus_outgoing *outgoing);
	struct nexus_client *nexus_client; /* of that */
	/* transitions */
	struct execution *touched;
	struct batch *batch;           /* what changed and is not yet with the store */
	bool batch_durable;            /* something in it must not wait for the next one */
	uint64_t submitted, committed; /* batches */
	struct request *answers, **answers_last; /* of this input */
	struct request *held, **held_last;       /* for the commit */
	struct effect *effects, *effects_last;   /* of this input; history/effect.h */
	struct store *store;
	bool failed;
	char failure[240];
	struct temporal_error unread; /* what this input has read of records that are damaged */
	char *cluster_id;
	char *address;                  /* where it listens; NULL: for this process alone */
	struct server_metrics *metrics; /* NULL: nobody counts */
	/* An input has ended: the earliest timer may be another one. NULL: nobody wants to know. */
	void (*changed)(struct server *server);
};

extern const struct record_type state_namespace_type, state_execution_type, state_activity_type,
	state_timer_type, state_update_type;

/* Fail-stop: from now on every call gets UNAVAILABLE; nothing is written any more. */
void server_fail(struct server *server, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void server_no_memory(struct server *server);
/* Something recorded could not be read, without which nothing goes on: for want of memory, or as
 * server->unread says. */
void server_unread(struct server *server);

/* The key of a name in a map; chains resolve what collides. */
uint64_t state_hash(const struct server *server, int64_t space, const char *name);

/* The empty state, and its end. */
void state_init(struct server *server, const struct server_io *io);
void state_finish(struct server *server);

/*
 * Finding. NULL: it is not there. An empty run id means the current run. Closed runs that have left
 * memory come back by this.
 */
struct server_namespace *state_namespace(const struct server *server, const char *name);
struct workflow_id *state_workflow_id(
	const struct server *server, const struct server_namespace *space, const char *id);
struct execution *state_execution(struct server *server, const struct server_namespace *space,
	const char *workflow_id, const char *run_id);
struct execution *state_numbered(struct server *server, uint64_t number);
/* ... of those in memory alone. */
struct execution *state_here(const struct server *server, uint64_t number);
struct server_namespace *state_namespace_by_id(const struct server *server, const char *id);
struct activity *state_activity(const struct execution *execution, int64_t scheduled_id);
struct activity *state_activity_by_id(const struct execution *execution, const char *id);
struct user_timer *state_timer_by_id(const struct execution *execution, const char *id);

/* Making; they are linked in. NULL: memory is out (the server has failed). */
struct server_namespace *state_namespace_new(struct server *server, const char *name);
/* A run of the id with a new run id and number; it becomes the current one. */
struct execution *state_execution_new(
	struct server *server, struct server_namespace *space, const char *workflow_id);
struct activity *state_activity_new(struct execution *execution);
struct user_timer *state_timer_new(struct execution *execution);

/* Links in an execution whose recorded fields are filled in (recovery, state_execution_new). */
bool state_execution_link(struct server *server, struct execution *execution);

/* Ending: out of their lists, timers and queues. An execution may be waited for by nobody. */
void state_execution_free(struct execution *execution);
/* It has ended: out of the list of what is running. */
void state_open_remove(struct execution *execution);
void state_activity_free(struct activity *activity);
void state_timer_free(struct user_timer *timer);

static inline bool state_running(const struct execution *execution)
{
	return execution->status == 1; /* WORKFLOW_EXECUTION_STATUS_RUNNING */
}

/* Owned texts and bytes; memory that is out stops the server. */
void state_set_text(struct server *server, char **field, const char *text);
void state_set_bytes(struct server *server, struct bytes *field, const void *message);
/* For an activity's details and failure, whose size the execution counts; and for one that was read
 * with them. */
void state_activity_set(struct activity *activity, struct bytes *field, const void *message);
void state_activity_read(struct activity *activity);

#endif
