/*
 * run.h: what the files of the workflow language share: the run, its coroutines, its futures.
 *
 * All of a run is touched by its thread alone. A function here either may be called anywhere, or
 * says that it is for a coroutine (it may not return) or for the thread's stack (the scheduler).
 */
#ifndef WORKFLOW_RUN_H
#define WORKFLOW_RUN_H

#include <temporal/workflow.h>

#include "base/arena.h"
#include "base/co.h"
#include "engine/activation.h"
#include "engine/command.h"
#include "workflow/instance.h"
#include "workflow/pending.h"

struct coroutine;
struct wf_future;

struct wf_thread {
	const struct wf_config *config;
	struct co_pool *pool;
	struct arena scratch;     /* of the query that is being answered */
	const struct wf *running; /* whose activation is under way */
};

/* ---- futures (future.c) ---- */

enum future_kind {
	FUTURE_TIMER,
	FUTURE_ACTIVITY,
	FUTURE_COROUTINE,
	FUTURE_CONDITION,
	FUTURE_LOCAL, /* a local activity */
	FUTURE_CHILD,
	FUTURE_NEXUS,
	FUTURE_STARTED, /* of a child or a Nexus operation */
	FUTURE_SIGNAL,
	FUTURE_CANCEL,
};

/* What a child or a Nexus operation has besides its result; in the run's arena. */
struct remote {
	const char *id;     /* CHILD: the workflow's */
	const char *run_id; /* CHILD: "" before it has started; NEXUS: the token */
	bool started;
	struct wf_future *begun; /* the future of its start, if somebody asked for it */
};

/* One coroutine that waits for one future; `also` is the next future of the same wait. */
struct waiter {
	struct coroutine *coroutine;
	struct wf_future *future;
	struct waiter *next, *also;
};

struct wf_future {
	enum future_kind kind;
	bool done;
	bool cancelled;  /* wf_cancel or a cancelled coroutine has asked for its end */
	bool excused;    /* its failure concerns nobody, or somebody has seen it */
	bool shielded;   /* started by a deferred action: not cancelled with its starter */
	bool fresh;      /* `payload` belongs to the activation */
	bool raw;        /* `value` is a struct temporal_payload */
	bool listed;     /* in wf->conditions */
	bool orphan;     /* and to be recycled when it is not any more */
	uint32_t seq;    /* TIMER, ACTIVITY */
	uint32_t serial; /* counts all futures of the run */
	/* ACTIVITY, CHILD: its type; NEXUS: the operation; CONDITION, SIGNAL: the signal's name or
	 * NULL. */
	const char *what;
	struct waiter *waiters, **waiters_end;
	struct coroutine *starter; /* NULL when that has ended */
	struct wf_future *next_started, *previous_started;
	struct wf_future *next; /* in the list of conditions, of fresh results, of free ones */
	struct wf_future *next_failed, *previous_failed; /* unseen failures of the run */
	const struct temporal_failure *failure;
	union {
		/* Of those with a result: that; NULL: none, or decoded. */
		const Common__Payload *payload;
		struct wf_future *of; /* STARTED: whose start; TIMER: what it is to try again */
		struct coroutine *coroutine; /* COROUTINE; NULL when it has ended */
		struct {
			bool (*ready)(const void *state); /* CONDITION */
			const void *state;
		};
	};
	const void *value; /* what the result was decoded to */
	union {
		struct remote *remote;   /* CHILD, NEXUS */
		struct command *command; /* LOCAL: to be given again */
	};
	struct wf_future *timer; /* LOCAL: until it is tried again */
};

/* A pending future, started by the running coroutine. NULL: no memory. Anywhere. */
struct wf_future *future_new(struct wf *wf, enum future_kind kind);

/* It has ended: wakes whoever waits. The failure must live as long as the run. Anywhere. */
void future_settle(struct wf *wf, struct wf_future *future, const struct temporal_failure *failure);

/* Somebody has seen its failure, or nobody cares. */
void future_excuse(struct wf *wf, struct wf_future *future);

/* Nobody has a pointer to it any more; it must be done. */
void future_recycle(struct wf *wf, struct wf_future *future);

/* Thread's stack: settles the conditions that hold; false if none does. */
bool future_check_conditions(struct wf *wf);

/* Thread's stack: results that were not read while the activation holds them are copied. */
void future_keep_results(struct wf *wf);

/* ---- coroutines (coroutine.c) ---- */

struct deferred {
	void (*action)(struct wf *wf, void *arg);
	void *arg;
	struct deferred *next;
};

/* wf_mark: where this coroutine's allocations go until the release. */
struct scope {
	struct arena arena;
	struct scope *outer;
	uint32_t serial; /* of the newest future before the mark */
};

/* What a coroutine is: its body, on its own stack, and what happens on the thread's when it has
 * ended. */
struct coroutine_class {
	const char *name;
	bool read_only; /* no function that acts */
	bool handles;   /* `handler` is set */
	void (*body)(struct wf *wf, struct coroutine *self);
	void (*ended)(struct wf *wf, struct coroutine *self);
};

enum delivery {
	DELIVERY_NONE,
	DELIVERY_PENDING,
	DELIVERY_MADE
};

struct coroutine {
	const struct coroutine_class *class;
	struct co *co;                     /* NULL: it has not run yet */
	struct coroutine *next, *previous; /* all that live, the oldest first */
	struct coroutine *next_ready;
	struct coroutine *next_cancel; /* cancel.c */
	bool ready, shielded;
	bool read_only;           /* it must not act now */
	bool over;                /* its code has ended */
	bool gone;                /* and it is in no list; but children may need its stack */
	struct coroutine *parent; /* by wf_go */
	size_t children, stack_bytes;
	bool cancelled; /* with all that it has started: they are excused */
	enum delivery cancel;
	struct waiter *waits;      /* what it waits for, while it is parked */
	const char *waits_as;      /* the function that it waits in */
	struct wf_future *started; /* the newest first */
	struct deferred *deferred;
	struct arena *arena; /* of its allocations */
	struct scope *scope;
	const struct temporal_failure *failure;  /* with which it ends */
	const char *name;                        /* a handler's: of the signal or query */
	const struct temporal_entries *received; /* headers of what it has received; NULL: none */
	union {
		struct {
			void (*fn)(struct wf *wf, void *arg);
			void *arg;
			struct wf_future *future;
		} go;
		struct {
			const struct temporal_handler *handler;
			const void *in; /* or struct temporal_payloads, if it is untyped */
			void *out;
			const char *id;          /* a query's; an update's protocol instance */
			bool validate, accepted; /* an update */
			const struct temporal_entries *headers; /* NULL: none */
		} handler;
	};
};

/* A coroutine that is ready. NULL: no memory. Anywhere. */
struct coroutine *coroutine_new(struct wf *wf, const struct coroutine_class *class);
void coroutine_make_ready(struct wf *wf, struct coroutine *coroutine);

/* Thread's stack: runs it until it waits or has ended (then ->ended was called and it is gone). */
void coroutine_step(struct wf *wf, struct coroutine *coroutine);

/* Thread's stack: ends all, running nothing of them. */
void coroutine_end_all(struct wf *wf);

/* Coroutine: ends the running one with the failure, which must live as long as the run. */
_Noreturn void coroutine_raise(struct wf *wf, const struct temporal_failure *failure);

/* Coroutine: ends it here and now, without its deferred actions. */
_Noreturn void coroutine_leave(struct wf *wf);

/* ---- waiting (await.c), cancelling (cancel.c) ---- */

/* Coroutine: waits until the future is done. */
void await_one(struct wf *wf, struct wf_future *future, const char *verb);

/* The cancellation of a coroutine, of a future. Anywhere. */
void cancel_coroutine(struct wf *wf, struct coroutine *coroutine, bool with_started);
void cancel_future(struct wf *wf, struct wf_future *future);

/* Passes it to all that the coroutine waits for now. */
void cancel_deliver(struct wf *wf, struct coroutine *coroutine);

/* ---- the run (instance.c) ---- */

struct signal {
	const char *name;
	struct temporal_payloads input;
	const struct temporal_entries *headers; /* NULL: none */
	struct signal *next;
};

struct wf {
	struct wf_thread *thread;
	const struct temporal_workflow *definition;   /* NULL before the first activation */
	const struct temporal_workflow_opts *options; /* of the definition; NULL: none */
	void *state;
	const void *in; /* the arguments: a struct X_in, or struct temporal_payloads */
	void *out;
	struct arena arena; /* of the run */
	struct arena task;  /* of the activation that is being answered */

	struct coroutine *current; /* whose code is running */
	struct coroutine *first, *last;
	struct coroutine *ready, **ready_end;
	struct coroutine *main; /* the run's function; NULL: not started, or ended */
	struct coroutine *free_coroutines;
	struct wf_future *free_futures, *conditions, **conditions_end, *fresh, *failed;
	struct waiter *free_waiters;
	struct pending timers, activities, children, signals_sent, cancels, operations;
	uint32_t timer_seq, activity_seq, child_seq, signal_seq, cancel_seq, nexus_seq;
	uint32_t future_serial;
	struct known_patch *patches;
	struct signal *signals, **signals_end; /* without a handler so far */
	unsigned handlers_running;
	size_t stack_bytes; /* resident, of parked coroutines */

	bool replaying, evicted;
	bool broken;                    /* its task has failed: it can only be evicted */
	bool finished;                  /* the run's last command was given */
	const char *cancel_reason;      /* NULL: not asked */
	const struct command *next_run; /* what wf_continue_as_new has prepared, in `arena` */
	int64_t now_ns;
	uint64_t random[4];
	const char *current_details;
	const struct temporal_payload *last_result;
	const struct temporal_failure *last_failure;
	struct wf_info info;

	struct command *commands; /* in `task` */
	size_t n_commands, commands_room;
	struct completion completion;
};

struct wf_instance {
	struct wf wf;
};

/* A zeroed command of that kind, the next of the answer. NULL: no memory. Anywhere. */
struct command *run_command(struct wf *wf, enum command_kind kind);

/* The run's last command, or NULL: there is one already, or no memory (then the run is broken). */
struct command *run_last_command(struct wf *wf, enum command_kind kind);

/* The task has failed, for that reason (the first one counts). Anywhere; it returns. */
void run_break(struct wf *wf, const char *type, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void run_break_error(struct wf *wf, const struct temporal_error *err, const char *what);
void run_out_of_memory(struct wf *wf);

/* Coroutine: as these, and ends it. */
_Noreturn void run_fault(struct wf *wf, const char *type, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
_Noreturn void run_lacks_memory(struct wf *wf);

/* Coroutine: ends it, unless it may act. `verb` is the function's name. */
void run_acts(struct wf *wf, const char *verb);

/* outcome.c: a task that has failed in a way that the worker wants to end the run with does so. The
 * thread's stack, when the activation is over. */
void outcome_of_failure(struct wf *wf);
Enums__VersioningBehavior outcome_versioning(const struct wf *wf);

/*
 * intercept.c. A call on its way through the interceptors, on the caller's stack: the functions at
 * `offset` of their tables, then `last`.
 */
struct wf_next {
	const struct temporal_interceptor *const *at; /* the next one; NULL: none is left */
	int step;                                     /* to the one behind it */
	size_t offset;
	struct coroutine *self; /* whose code is called */
	const struct temporal_failure *(*last)(struct wf *wf, struct coroutine *self);
	/* or: what is asked for */
	struct wf_future *(*ask)(struct wf *wf, struct wf_outbound *out, void *call);
	void *call;
	struct arguments *arguments; /* NULL: none */
};

#define INTERCEPTED(function_) offsetof(struct temporal_workflow_interceptor, function_)

static inline bool intercepts(const struct wf *wf)
{
	return wf->thread->config->interceptors != NULL;
}

/* Coroutine: calls its code through the interceptors' functions at the offset. */
const struct temporal_failure *intercept_in(struct wf *wf, struct coroutine *self, size_t offset,
	const struct temporal_failure *(*last)(struct wf *wf, struct coroutine *self));

/*
 * Coroutine: gives `out` to the interceptors' functions at the offset, and what they make of it to
 * `ask`. `arguments` are those of a contract, not encoded yet.
 */
struct wf_future *intercept_out(struct wf *wf, size_t offset, struct wf_outbound *out,
	struct wf_future *(*ask)(struct wf *wf, struct wf_outbound *out, void *call), void *call,
	struct arguments *arguments);

/* Headers of a job, copied to the arena; *out is NULL if there are none. False: no memory. */
bool intercept_headers(struct arena *arena, const struct activation_headers *from,
	const struct temporal_entries **out);

/* Where the running code's allocations go. */
struct arena *run_arena(struct wf *wf);

/* Functions of the API that only look take a const struct wf *, but allocate. */
struct wf *run_of(const struct wf *wf);

/* ---- the kinds of jobs; all on the thread's stack ---- */

/* initialize.c: looks up the type, fills info and state, decodes the arguments; false: it is
 * broken. */
bool initialize_run(struct wf *wf, const struct activation *activation,
	const struct activation_initialize *job);
void initialize_start(struct wf *wf);
void initialize_now(struct wf *wf, const struct activation *activation);

void timer_fire(struct wf *wf, uint32_t seq);
void timer_cancel(struct wf *wf, struct wf_future *future);
void activity_resolve(struct wf *wf, uint32_t seq, const struct resolution *resolution);
void activity_cancel(struct wf *wf, struct wf_future *future);
void signal_apply(struct wf *wf, const struct activation_signal *job);
void query_apply(struct wf *wf, const struct activation_query *job);
void update_apply(struct wf *wf, const struct activation_update *job);
void local_back_off(struct wf *wf, struct wf_future *future, const struct resolution *resolution);
void local_again(struct wf *wf, struct wf_future *timer);
void local_cancel(struct wf *wf, struct wf_future *future);
void child_started(struct wf *wf, const struct activation_resolve_child_start *job);
void child_resolve(struct wf *wf, uint32_t seq, const struct resolution *resolution);
void child_cancel(struct wf *wf, struct wf_future *future);
void operation_started(struct wf *wf, const struct activation_job *job);
void operation_resolve(struct wf *wf, uint32_t seq, const struct resolution *resolution);
void operation_cancel(struct wf *wf, struct wf_future *future);
void external_resolve(
	struct wf *wf, struct pending *pending, uint32_t seq, const Failure__Failure *failure);
void external_take_back(struct wf *wf, struct wf_future *future);
void patch_known(struct wf *wf, const char *id);

/* activity.c: the result of a thing that has one, which nobody else has a pointer to. */
const void *result_and_recycle(
	struct wf *wf, const struct temporal_contract *contract, struct wf_future *future);
/* It has ended: with a result or a failure. Thread's stack. */
void result_settle(struct wf *wf, struct wf_future *future, const struct resolution *resolution);

/* remote.c: what children and Nexus operations have in common. */
struct wf_future *remote_started(struct wf *wf, struct wf_future *future);
void remote_has_started(struct wf *wf, struct wf_future *future);
void remote_not_started(
	struct wf *wf, struct wf_future *future, const struct temporal_failure *failure);

/* The arguments of a call, as payloads in an arena. */
struct arguments {
	struct arena *arena;
	const struct temporal_contract *contract; /* or: */
	const struct temporal_payloads *raw;
	const void *in;
	struct activation_payloads out;
	struct temporal_error err;
};
/* Payloads in place of what there was; NULL: nothing changes. */
void arguments_replace(struct arguments *arguments, const struct temporal_payloads *raw);
/* Thread's stack; false: `err` says why. */
bool arguments_encode(struct arguments *arguments);
/* Coroutine: ends it if the arguments could not be encoded. */
void arguments_check(struct wf *wf, const struct arguments *arguments, const char *of);

/* The handler for that kind of thing and name: typed, untyped, or the one for all; NULL: none. */
const struct temporal_handler *handler_find(
	const struct wf *wf, enum temporal_definition definition, const char *name);
const char *handler_name(const struct temporal_handler *handler); /* "": the one for all */

/* metadata.c: answers the queries that every workflow has; false: it is none of them. */
bool metadata_query(struct wf *wf, const struct activation_query *job);
void query_answer(struct wf *wf, const char *id, const Common__Payload *payload,
	const struct temporal_failure *failure);

/* ---- values (failure.c, memory.c, random.c) ---- */

/* Ends the run by what its function or a signal's handler has failed with. */
void failure_end_run(struct wf *wf, const struct temporal_failure *failure);

/* Of kind CANCELLED, in the run's arena; never NULL (a constant when memory is out). */
const struct temporal_failure *failure_cancelled(struct wf *wf, const char *message);

/* Formats on the thread's stack, into the arena. NULL: no memory. Anywhere. */
char *memory_vprintf(struct wf *wf, struct arena *arena, const char *format, va_list args);

/* Runs on the thread's stack. Anywhere. */
void memory_on_thread(struct wf *wf, co_fn *fn, void *arg);

void scope_end_all(struct wf *wf, struct coroutine *coroutine);

/* continue.c: with which a coroutine ends that has called wf_continue_as_new; and what then
 * happens. */
extern const struct temporal_failure continue_failure;
void continue_end_run(struct wf *wf);

/* options.c: to the API's messages, in the arena; NULL only when memory is out. Thread's stack. */
Common__RetryPolicy *options_retry(struct arena *arena, const struct temporal_retry_policy *policy);
Common__Priority *options_priority(struct arena *arena, const struct temporal_priority *priority);
Common__SearchAttributes *options_search_attributes(
	struct arena *arena, const struct temporal_entries *entries);
bool options_headers(struct arena *arena, const struct temporal_entries *entries,
	struct activation_headers *out);
bool options_memo(
	struct arena *arena, const struct temporal_entries *entries, struct command_memo *out);
Workflow__VersioningOverride *options_versioning(
	struct arena *arena, const struct temporal_versioning_override *override);
Sdk__UserMetadata *options_summary(struct arena *arena, const char *summary);
bool options_payloads(
	struct arena *arena, const struct temporal_payloads *in, struct activation_payloads *out);

/* A duration in ms as the engine takes it: TEMPORAL_OFF becomes 0; false: it is negative otherwise.
 */
bool options_ms(int64_t *ms);

/* The caller's options, of which it knows `size` bytes, as this version's, the rest zeroed. */
void options_copy(void *out, size_t out_size, const void *opts, size_t size);

void random_seed(uint64_t random[4], uint64_t seed);

#endif
