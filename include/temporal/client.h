/*
 * client.h: start workflows and talk to them: signals, queries, results; complete activities from
 * outside of a worker. Updates are in update.h, Nexus endpoints in endpoint.h, which come with it.
 *
 * Contracts (types.h) make the calls typed: X stands for a contract, its arguments are written as
 * designated initializers, and the compiler checks their names and types and that of the result:
 *
 *	struct temporal_client *client = temporal_client_connect(&err, .target = "localhost:7233");
 *	struct temporal_start_opts opts = { .id = "order-42", .task_queue = "orders" };
 *	struct temporal_run *run = temporal_start(client, order, &opts, &err, .order_id = "42");
 *	code = temporal_signal(run, order_approve, &err, .by = "ann");
 *	order_out receipt;
 *	struct temporal_result *result;
 *	code = temporal_result(run, order, &receipt, &result, &err);
 *	...
 *	temporal_result_unref(result);
 *
 * Beneath them lies the untyped layer, real functions that take names and payloads; C++ and other
 * languages use that (the typed macros are C alone). A macro that has the name of a function of the
 * untyped layer without the last underscore passes the size of its options, so that structs of
 * options can grow; forms that end in _0 take no options or no arguments.
 *
 * Calls block until they are done. Each has a form ..._async that returns at once and calls a
 * function at the end. Everything may be called from any thread, but a blocking call from within a
 * callback would wait for itself and is refused with FAILED_PRECONDITION. What is passed is copied
 * before a call returns. A client survives fork: in the child it opens a connection of its own on
 * its first use there; calls that the parent had under way stay the parent's.
 *
 * Every option that is zero has its default; a duration that is TEMPORAL_OFF is "none".
 */
#ifndef TEMPORAL_CLIENT_H
#define TEMPORAL_CLIENT_H

#include <temporal/metrics.h>
#include <temporal/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct temporal_client;
struct temporal_run;
struct temporal_result;

#ifndef __cplusplus
/* The contract of a thing of that kind that has no arguments (it was made by a ..._0 macro). */
#define TEMPORAL_CONTRACT_0_OF_(X_, definition_) \
	(TEMPORAL_CONTRACT_OF_(X_, definition_) + \
		TEMPORAL_CHECK_((int)X_##_has_arguments_ == 0, \
			#X_ " has arguments: use the form without _0"))
#endif

/* ---- connecting ---- */

/* A header of gRPC. Names are lower case; binary ones, which end in "-bin", are not supported here.
 */
struct temporal_header {
	const char *name, *value;
};

/* Texts in PEM form, not paths. */
struct temporal_tls_opts {
	const char *ca_pem;   /* whom to trust; NULL: the system's roots */
	const char *cert_pem; /* the client's certificate chain; NULL: none */
	const char *key_pem;  /* and its private key; both or neither */
	const char
		*server_name; /* in the server's certificate, and of SNI; NULL: the target's host */
};

struct temporal_proxy_opts {
	const char *address; /* "host:port" of an HTTP proxy that knows CONNECT */
	const char *user, *password;
};

struct temporal_server;
struct temporal_interceptor;
struct temporal_plugin;

struct temporal_client_opts {
	const char
		*target; /* "host:port"; "https://host:port" asks for TLS. NULL: "localhost:7233" */
	const char *namespace_; /* NULL: "default" */
	const char *identity;   /* who we are, in histories. NULL: "pid@hostname" */
	bool lazy;              /* do not connect before the first call */

	const struct temporal_tls_opts *tls; /* NULL: cleartext, unless there is an api_key */
	bool no_tls;                         /* cleartext in spite of an api_key */
	const char *api_key;                 /* sent as "authorization: Bearer ..." */
	const struct temporal_header
		*headers; /* sent with every call; see temporal_client_set_header */
	size_t n_headers;
	const struct temporal_proxy_opts *proxy;
	const char *authority; /* of HTTP/2; NULL: the target */

	bool no_compression;           /* do not send requests gzip-compressed */
	int64_t connect_timeout_ms;    /* 10 s, for DNS, TCP, proxy and TLS together */
	int64_t rpc_timeout_ms;        /* 30 s, of a call with its retries */
	int64_t keep_alive_ms;         /* 30 s between pings; OFF: none */
	int64_t keep_alive_timeout_ms; /* 15 s to answer one */
	int64_t dns_refresh_ms;        /* 30 s; OFF: resolve for new connections alone */
	int64_t max_receive_bytes;     /* 128 MiB, of one reply */
	/* While workers have two open workflows or more and replies come one after the other, read
	 * them together, at most once in so many milliseconds: they come up to that much later, for
	 * fewer wake-ups and so less CPU. At most 1000, and less than keep_alive_timeout_ms.
	 * Default: each is read when it comes. */
	int64_t read_interval_ms;

	/* A server in this process (server.h), in place of the target and all of the network; it
	 * has to outlive the client. */
	struct temporal_server *server;

	/* Counts what the client and its workers do; kept. NULL: nothing is counted. */
	struct temporal_metrics *metrics;

	/* No thread of its own: the program's loop drives the client, and its workers, by
	 * temporal_client_step. A name of a host (not an address) is still resolved on threads. */
	bool no_thread;

	/* Functions around the calls, and around what its workers do (interceptor.h); and plugins.
	   NULL-terminated; the tables have to outlive the client. */
	const struct temporal_interceptor *const *interceptors;
	const struct temporal_plugin *const *plugins;
	/* Between two heartbeats by which workers tell the server of themselves, where the
	 * namespace takes them. 1000 to 60000; OFF: they tell nothing. Default: 60 s. */
	int64_t worker_heartbeat_interval_ms;
};

/*
 * A client with its connection and the thread that serves it. Unless it is lazy the connection has
 * been made, and the server has said what it can do. NULL: UNAVAILABLE (nobody there, or TLS
 * failed), INVALID_ARGUMENT, UNAUTHENTICATED, ...
 */
TEMPORAL_API struct temporal_client *temporal_client_connect_(struct temporal_error *err,
	const struct temporal_client_opts *opts, size_t size) TEMPORAL_MUST_USE;
#define temporal_client_connect(err_, ...) \
	temporal_client_connect_((err_), &(const struct temporal_client_opts){ __VA_ARGS__ }, \
		sizeof(struct temporal_client_opts))
#define temporal_client_connect_0(err_) temporal_client_connect_((err_), NULL, 0)

/* One more reference. Returns the client. */
TEMPORAL_API struct temporal_client *temporal_client_ref(struct temporal_client *client);

/*
 * Gives up a reference; runs and workers hold some too. The last one ends all asynchronous calls
 * with CANCELLED, and no callback runs after it returns (when it is given up within a callback:
 * soon after that has returned). NULL is fine.
 */
TEMPORAL_API void temporal_client_unref(struct temporal_client *client);

/* Replaces the API key; NULL: none from now on. New calls use it, also those of a running worker.
 */
TEMPORAL_API enum temporal_code temporal_client_set_api_key(struct temporal_client *client,
	const char *api_key, struct temporal_error *err) TEMPORAL_MUST_USE;

/* Replaces or adds a header of every call; value NULL removes it. New calls use it. */
TEMPORAL_API enum temporal_code temporal_client_set_header(struct temporal_client *client,
	const char *name, const char *value, struct temporal_error *err) TEMPORAL_MUST_USE;

/*
 * Of a client with .no_thread: a descriptor that is readable (poll, epoll, ...) when there is
 * something to do, the time in ms after which temporal_client_step has to be called even so (-1: no
 * limit), and the step itself, which does what is ready and does not wait. Callbacks run within it.
 * A client with a thread has the descriptor -1, and a step does nothing.
 *
 * One thread at a time steps a client, the one that connected it or, from its first step on,
 * another one; a step that comes while another thread is in one does nothing.
 * There a call that blocks is refused with FAILED_PRECONDITION, as nobody would be left to serve
 * it; the forms ..._async work, as do blocking calls of other threads. In a forked child ask for
 * the descriptor again.
 */
TEMPORAL_API int temporal_client_fd(struct temporal_client *client);
TEMPORAL_API int temporal_client_timeout_ms(struct temporal_client *client);
TEMPORAL_API void temporal_client_step(struct temporal_client *client);

/* Valid as long as the client. */
TEMPORAL_API const char *temporal_client_namespace(const struct temporal_client *client);
TEMPORAL_API const char *temporal_client_identity(const struct temporal_client *client);

/* ---- callbacks of the asynchronous forms ---- */

/*
 * Each is called exactly once for a call whose start returned OK, on the client's own thread, with
 * no lock held, never from within the call that registers it. It must not block; it may start
 * other asynchronous calls and give up references. `err` is NULL on success, and valid until it
 * returns. Objects that are passed belong to it.
 */
typedef void temporal_done_fn(const struct temporal_error *err, void *user);
typedef void temporal_run_fn(
	struct temporal_run *run, const struct temporal_error *err, void *user);
typedef void temporal_result_fn(
	struct temporal_result *result, const struct temporal_error *err, void *user);

/*
 * What all options of calls end with:
 * - timeout_ms: of the whole call with its retries; 0: the client's rpc_timeout_ms (of a wait for a
 *   result: none);
 * - rpc_headers: headers of gRPC besides the client's.
 */

/* ---- starting ---- */

struct temporal_start_opts {
	const char *id;                                /* the workflow's id; NULL: a random UUID */
	const char *task_queue;                        /* required */
	enum temporal_id_reuse_policy id_reuse_policy; /* when a closed run has the id */
	enum temporal_id_conflict_policy id_conflict_policy; /* when a running one has it */
	int64_t execution_timeout_ms; /* of the whole chain of runs; default: none */
	int64_t run_timeout_ms;       /* of one run; default: the execution's */
	int64_t task_timeout_ms;      /* of one workflow task; default: the server's, 10 s */
	int64_t start_delay_ms;       /* before the first workflow task; not with a cron schedule */
	const struct temporal_retry_policy
		*retry_policy; /* NULL: a failed run is not tried again */
	const char *cron_schedule;
	const struct temporal_entries *memo, *search_attributes;
	const struct temporal_entries *headers; /* of the workflow, for interceptors; not of gRPC */
	const char *summary, *details;          /* fixed texts for people */
	const struct temporal_priority *priority;
	const struct temporal_versioning_override *versioning_override;
	const char *request_id; /* makes repeated starts one; NULL: random */
	int64_t timeout_ms;
	const struct temporal_header *rpc_headers;
	size_t n_rpc_headers;

	/* If a worker of this client runs workflows of the queue and has a slot free, the first
	 * workflow task goes to it with the server's answer, instead of with a poll. Not with
	 * start_delay_ms or a cron schedule; nothing of it in a signal-with-start. */
	bool request_eager_start;
};

/* Starts `X` with its arguments: the handle of its first run, or NULL. */
#define temporal_start(client_, X_, opts_, err_, ...) \
	temporal_start_contract_((client_), TEMPORAL_CONTRACT_OF_(X_, WORKFLOW), \
		TEMPORAL_ARGUMENTS_(X_, __VA_ARGS__), (opts_), sizeof(*(opts_)), (err_))
#define temporal_start_0(client_, X_, opts_, err_) \
	temporal_start_contract_((client_), TEMPORAL_CONTRACT_0_OF_(X_, WORKFLOW), NULL, (opts_), \
		sizeof(*(opts_)), (err_))

/*
 * The same by name and payloads. When a run has the id already and the policies forbid another one:
 * ALREADY_EXISTS with the detail TEMPORAL_DETAIL_WORKFLOW_ALREADY_STARTED and its run id in `err`.
 */
#define temporal_start_named(client_, type_, arguments_, opts_, err_) \
	temporal_start_named_((client_), (type_), (arguments_), (opts_), sizeof(*(opts_)), (err_))

/* Start, as above, and wait for the result, as temporal_result does. */
#define temporal_execute(client_, X_, opts_, out_, keep_, err_, ...) \
	temporal_execute_((client_), TEMPORAL_CONTRACT_OF_(X_, WORKFLOW), \
		TEMPORAL_ARGUMENTS_(X_, __VA_ARGS__), (opts_), sizeof(*(opts_)), \
		TEMPORAL_OUT_POINTER_(X_, out_), (keep_), (err_))
#define temporal_execute_0(client_, X_, opts_, out_, keep_, err_) \
	temporal_execute_((client_), TEMPORAL_CONTRACT_0_OF_(X_, WORKFLOW), NULL, (opts_), \
		sizeof(*(opts_)), TEMPORAL_OUT_POINTER_(X_, out_), (keep_), (err_))

/*
 * Sends the signal S to the workflow with the id of `opts`, and starts X first when there is none.
 * `signal_` points to the signal's arguments (NULL when it has none); those of X follow `err_`.
 * The default of id_conflict_policy is USE_EXISTING here.
 */
#define temporal_signal_with_start(client_, X_, opts_, S_, signal_, err_, ...) \
	temporal_signal_with_start_contract_((client_), TEMPORAL_CONTRACT_OF_(X_, WORKFLOW), \
		TEMPORAL_ARGUMENTS_(X_, __VA_ARGS__), (opts_), sizeof(*(opts_)), \
		TEMPORAL_CONTRACT_OF_(S_, SIGNAL), TEMPORAL_POINTER_(signal_, struct S_##_in), \
		(err_))
#define temporal_signal_with_start_0(client_, X_, opts_, S_, signal_, err_) \
	temporal_signal_with_start_contract_((client_), TEMPORAL_CONTRACT_0_OF_(X_, WORKFLOW), \
		NULL, (opts_), sizeof(*(opts_)), TEMPORAL_CONTRACT_OF_(S_, SIGNAL), \
		TEMPORAL_POINTER_(signal_, struct S_##_in), (err_))
#define temporal_signal_with_start_named( \
	client_, type_, arguments_, opts_, signal_, signal_arguments_, err_) \
	temporal_signal_with_start_named_((client_), (type_), (arguments_), (opts_), \
		sizeof(*(opts_)), (signal_), (signal_arguments_), (err_))

#define temporal_start_async(client_, X_, opts_, done_, user_, err_, ...) \
	temporal_start_contract_async_((client_), TEMPORAL_CONTRACT_OF_(X_, WORKFLOW), \
		TEMPORAL_ARGUMENTS_(X_, __VA_ARGS__), (opts_), sizeof(*(opts_)), (done_), (user_), \
		(err_))
#define temporal_start_0_async(client_, X_, opts_, done_, user_, err_) \
	temporal_start_contract_async_((client_), TEMPORAL_CONTRACT_0_OF_(X_, WORKFLOW), NULL, \
		(opts_), sizeof(*(opts_)), (done_), (user_), (err_))
/* The callback gets the result as of temporal_run_wait, or the error of start or wait. */
#define temporal_execute_async(client_, X_, opts_, done_, user_, err_, ...) \
	temporal_execute_async_((client_), TEMPORAL_CONTRACT_OF_(X_, WORKFLOW), \
		TEMPORAL_ARGUMENTS_(X_, __VA_ARGS__), (opts_), sizeof(*(opts_)), (done_), (user_), \
		(err_))
#define temporal_execute_0_async(client_, X_, opts_, done_, user_, err_) \
	temporal_execute_async_((client_), TEMPORAL_CONTRACT_0_OF_(X_, WORKFLOW), NULL, (opts_), \
		sizeof(*(opts_)), (done_), (user_), (err_))
#define temporal_start_named_async(client_, type_, arguments_, opts_, done_, user_, err_) \
	temporal_start_named_async_((client_), (type_), (arguments_), (opts_), sizeof(*(opts_)), \
		(done_), (user_), (err_))
#define temporal_signal_with_start_async(client_, X_, opts_, S_, signal_, done_, user_, err_, ...) \
	temporal_signal_with_start_contract_async_((client_), TEMPORAL_CONTRACT_OF_(X_, WORKFLOW), \
		TEMPORAL_ARGUMENTS_(X_, __VA_ARGS__), (opts_), sizeof(*(opts_)), \
		TEMPORAL_CONTRACT_OF_(S_, SIGNAL), TEMPORAL_POINTER_(signal_, struct S_##_in), \
		(done_), (user_), (err_))
#define temporal_signal_with_start_named_async( \
	client_, type_, arguments_, opts_, signal_, signal_arguments_, done_, user_, err_) \
	temporal_signal_with_start_named_async_((client_), (type_), (arguments_), (opts_), \
		sizeof(*(opts_)), (signal_), (signal_arguments_), (done_), (user_), (err_))

TEMPORAL_API struct temporal_run *temporal_start_contract_(struct temporal_client *client,
	const struct temporal_contract *contract, const void *in,
	const struct temporal_start_opts *opts, size_t size,
	struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API struct temporal_run *temporal_start_named_(struct temporal_client *client,
	const char *type, struct temporal_payloads arguments,
	const struct temporal_start_opts *opts, size_t size,
	struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API enum temporal_code temporal_start_contract_async_(struct temporal_client *client,
	const struct temporal_contract *contract, const void *in,
	const struct temporal_start_opts *opts, size_t size, temporal_run_fn *done, void *user,
	struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API enum temporal_code temporal_start_named_async_(struct temporal_client *client,
	const char *type, struct temporal_payloads arguments,
	const struct temporal_start_opts *opts, size_t size, temporal_run_fn *done, void *user,
	struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API enum temporal_code temporal_execute_(struct temporal_client *client,
	const struct temporal_contract *contract, const void *in,
	const struct temporal_start_opts *opts, size_t size, void *out,
	struct temporal_result **keep, struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API enum temporal_code temporal_execute_async_(struct temporal_client *client,
	const struct temporal_contract *contract, const void *in,
	const struct temporal_start_opts *opts, size_t size, temporal_result_fn *done, void *user,
	struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API struct temporal_run *temporal_signal_with_start_contract_(
	struct temporal_client *client, const struct temporal_contract *contract, const void *in,
	const struct temporal_start_opts *opts, size_t size, const struct temporal_contract *signal,
	const void *signal_in, struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API struct temporal_run *temporal_signal_with_start_named_(struct temporal_client *client,
	const char *type, struct temporal_payloads arguments,
	const struct temporal_start_opts *opts, size_t size, const char *signal,
	struct temporal_payloads signal_arguments, struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API enum temporal_code temporal_signal_with_start_contract_async_(
	struct temporal_client *client, const struct temporal_contract *contract, const void *in,
	const struct temporal_start_opts *opts, size_t size, const struct temporal_contract *signal,
	const void *signal_in, temporal_run_fn *done, void *user,
	struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API enum temporal_code temporal_signal_with_start_named_async_(
	struct temporal_client *client, const char *type, struct temporal_payloads arguments,
	const struct temporal_start_opts *opts, size_t size, const char *signal,
	struct temporal_payloads signal_arguments, temporal_run_fn *done, void *user,
	struct temporal_error *err) TEMPORAL_MUST_USE;

/* ---- handles of runs ---- */

/*
 * A handle of the workflow with that id, whether it exists or not: nothing is asked of the server.
 * Without a run id it means the newest run at the time of each call.
 */
TEMPORAL_API struct temporal_run *temporal_run_handle(struct temporal_client *client,
	const char *id, const char *run_id, struct temporal_error *err) TEMPORAL_MUST_USE;

/*
 * The same, of a chain of runs: cancel and terminate act only if the workflow's newest run belongs
 * to the chain that `first_run_id` began. Handles from a start are of that kind.
 */
TEMPORAL_API struct temporal_run *temporal_chain_handle(struct temporal_client *client,
	const char *id, const char *first_run_id, struct temporal_error *err) TEMPORAL_MUST_USE;

TEMPORAL_API struct temporal_run *temporal_run_ref(struct temporal_run *run);
/* Gives up a reference to the handle; the workflow does not notice. NULL is fine. */
TEMPORAL_API void temporal_run_unref(struct temporal_run *run);

/* Valid as long as the handle; "" what is not known. */
TEMPORAL_API const char *temporal_run_workflow_id(const struct temporal_run *run);
TEMPORAL_API const char *temporal_run_run_id(const struct temporal_run *run);
TEMPORAL_API const char *temporal_run_first_run_id(const struct temporal_run *run);
/* False when USE_EXISTING found a run instead of starting one. */
TEMPORAL_API bool temporal_run_was_started(const struct temporal_run *run);

/* ---- results ---- */

struct temporal_wait_opts {
	bool no_follow; /* the end of this very run, though it continued as new, or was retried */
	int64_t timeout_ms;
	const struct temporal_header *rpc_headers;
	size_t n_rpc_headers;
};

/*
 * Waits until the workflow has ended, following its chain of runs (continued as new, retried, by
 * cron), and stores what it returned at `out_`, a pointer to X_out (NULL: it is not wanted).
 * What `*out_` points to belongs to the result that is stored at `keep_`, to be given up by the
 * caller; where X_out has no pointers, keep_ may be NULL. RUN_FAILED: the workflow ended otherwise,
 * and `*keep_` says how. On all other errors `*keep_` is NULL. DEADLINE_EXCEEDED: it still runs.
 */
#define temporal_result(run_, X_, out_, keep_, err_) \
	temporal_result_((run_), TEMPORAL_CONTRACT_OF_(X_, WORKFLOW), \
		TEMPORAL_OUT_POINTER_(X_, out_), NULL, 0, (keep_), (err_))
#define temporal_result_with(run_, X_, opts_, out_, keep_, err_) \
	temporal_result_((run_), TEMPORAL_CONTRACT_OF_(X_, WORKFLOW), \
		TEMPORAL_OUT_POINTER_(X_, out_), (opts_), sizeof(*(opts_)), (keep_), (err_))

/* Waits likewise; whatever the end was, the result says it. NULL: the end could not be learnt. */
#define temporal_run_wait(run_, opts_, err_) \
	temporal_run_wait_((run_), (opts_), sizeof(*(opts_)), (err_))
#define temporal_run_wait_0(run_, err_) temporal_run_wait_((run_), NULL, 0, (err_))
#define temporal_run_wait_async(run_, opts_, done_, user_, err_) \
	temporal_run_wait_async_((run_), (opts_), sizeof(*(opts_)), (done_), (user_), (err_))
#define temporal_run_wait_0_async(run_, done_, user_, err_) \
	temporal_run_wait_async_((run_), NULL, 0, (done_), (user_), (err_))

/*
 * Decodes a result that is at hand by its contract: as temporal_result, but without waiting. One
 * thread at a time for each result.
 */
#define temporal_result_get(result_, X_, out_, err_) \
	temporal_result_get_((result_), &X_, TEMPORAL_OUT_POINTER_(X_, out_), (err_))

TEMPORAL_API enum temporal_code temporal_result_(struct temporal_run *run,
	const struct temporal_contract *contract, void *out, const struct temporal_wait_opts *opts,
	size_t size, struct temporal_result **keep, struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API struct temporal_result *temporal_run_wait_(struct temporal_run *run,
	const struct temporal_wait_opts *opts, size_t size,
	struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API enum temporal_code temporal_run_wait_async_(struct temporal_run *run,
	const struct temporal_wait_opts *opts, size_t size, temporal_result_fn *done, void *user,
	struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API enum temporal_code temporal_result_get_(struct temporal_result *result,
	const struct temporal_contract *contract, void *out,
	struct temporal_error *err) TEMPORAL_MUST_USE;

/* What these return is valid as long as the result. */
TEMPORAL_API void temporal_result_unref(struct temporal_result *result);
/* COMPLETED, FAILED, CANCELED, TERMINATED, TIMED_OUT or (no_follow) CONTINUED_AS_NEW. */
TEMPORAL_API enum temporal_status temporal_result_status(const struct temporal_result *result);
/* Why it did not complete, with the chain of causes; NULL when it did. */
TEMPORAL_API const struct temporal_failure *temporal_result_failure(
	const struct temporal_result *result);
/* What it returned. */
TEMPORAL_API struct temporal_payloads temporal_result_payloads(
	const struct temporal_result *result);
/* The run that ended so; with no_follow, the one that came after it, else "". */
TEMPORAL_API const char *temporal_result_run_id(const struct temporal_result *result);
TEMPORAL_API const char *temporal_result_next_run_id(const struct temporal_result *result);

/* ---- signals and queries ---- */

/* Sends the signal S; OK: the server has stored it. NOT_FOUND: no such workflow, or it has ended.
 */
#define temporal_signal(run_, S_, err_, ...) \
	temporal_signal_contract_((run_), TEMPORAL_CONTRACT_OF_(S_, SIGNAL), \
		TEMPORAL_ARGUMENTS_(S_, __VA_ARGS__), (err_))
#define temporal_signal_0(run_, S_, err_) \
	temporal_signal_contract_((run_), TEMPORAL_CONTRACT_0_OF_(S_, SIGNAL), NULL, (err_))
#define temporal_signal_async(run_, S_, done_, user_, err_, ...) \
	temporal_signal_contract_async_((run_), TEMPORAL_CONTRACT_OF_(S_, SIGNAL), \
		TEMPORAL_ARGUMENTS_(S_, __VA_ARGS__), (done_), (user_), (err_))
#define temporal_signal_0_async(run_, S_, done_, user_, err_) \
	temporal_signal_contract_async_( \
		(run_), TEMPORAL_CONTRACT_0_OF_(S_, SIGNAL), NULL, (done_), (user_), (err_))

struct temporal_signal_opts {
	const struct temporal_entries *headers; /* of the signal, not of gRPC */
	const char *request_id;                 /* makes repeated signals one; NULL: random */
	int64_t timeout_ms;
	const struct temporal_header *rpc_headers;
	size_t n_rpc_headers;
};

/* The same by name and payloads. */
#define temporal_signal_named(run_, name_, arguments_, err_, ...) \
	temporal_signal_named_((run_), (name_), (arguments_), \
		&(const struct temporal_signal_opts){ __VA_ARGS__ }, \
		sizeof(struct temporal_signal_opts), (err_))
#define temporal_signal_named_0(run_, name_, arguments_, err_) \
	temporal_signal_named_((run_), (name_), (arguments_), NULL, 0, (err_))

#define temporal_signal_named_async(run_, name_, arguments_, done_, user_, err_, ...) \
	temporal_signal_named_async_((run_), (name_), (arguments_), \
		&(const struct temporal_signal_opts){ __VA_ARGS__ }, \
		sizeof(struct temporal_signal_opts), (done_), (user_), (err_))
#define temporal_signal_named_0_async(run_, name_, arguments_, done_, user_, err_) \
	temporal_signal_named_async_( \
		(run_), (name_), (arguments_), NULL, 0, (done_), (user_), (err_))

TEMPORAL_API enum temporal_code temporal_signal_contract_(struct temporal_run *run,
	const struct temporal_contract *contract, const void *in,
	struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API enum temporal_code temporal_signal_contract_async_(struct temporal_run *run,
	const struct temporal_contract *contract, const void *in, temporal_done_fn *done,
	void *user, struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API enum temporal_code temporal_signal_named_(struct temporal_run *run, const char *name,
	struct temporal_payloads arguments, const struct temporal_signal_opts *opts, size_t size,
	struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API enum temporal_code temporal_signal_named_async_(struct temporal_run *run,
	const char *name, struct temporal_payloads arguments,
	const struct temporal_signal_opts *opts, size_t size, temporal_done_fn *done, void *user,
	struct temporal_error *err) TEMPORAL_MUST_USE;

enum temporal_query_reject {
	TEMPORAL_QUERY_REJECT_NEVER,
	TEMPORAL_QUERY_REJECT_NOT_OPEN,              /* when the run has ended */
	TEMPORAL_QUERY_REJECT_NOT_COMPLETED_CLEANLY, /* when it has ended but did not complete */
};

struct temporal_query_opts {
	enum temporal_query_reject reject;
	const struct temporal_entries *headers; /* of the query, not of gRPC */
	int64_t timeout_ms;
	const struct temporal_header *rpc_headers;
	size_t n_rpc_headers;
};

/*
 * Asks the workflow, which needs a worker; out_ and keep_ as of temporal_result. QUERY_FAILED: the
 * handler failed, or there is none; `*keep_` has the failure if the server sent one.
 * QUERY_REJECTED: by opts_->reject; `*keep_` has the run's status. `opts_` points to options.
 */
#define temporal_query(run_, Q_, out_, keep_, err_, ...) \
	temporal_query_contract_((run_), TEMPORAL_CONTRACT_OF_(Q_, QUERY), \
		TEMPORAL_ARGUMENTS_(Q_, __VA_ARGS__), NULL, 0, TEMPORAL_OUT_POINTER_(Q_, out_), \
		(keep_), (err_))
#define temporal_query_0(run_, Q_, out_, keep_, err_) \
	temporal_query_contract_((run_), TEMPORAL_CONTRACT_0_OF_(Q_, QUERY), NULL, NULL, 0, \
		TEMPORAL_OUT_POINTER_(Q_, out_), (keep_), (err_))
#define temporal_query_with(run_, Q_, opts_, out_, keep_, err_, ...) \
	temporal_query_contract_((run_), TEMPORAL_CONTRACT_OF_(Q_, QUERY), \
		TEMPORAL_ARGUMENTS_(Q_, __VA_ARGS__), (opts_), sizeof(*(opts_)), \
		TEMPORAL_OUT_POINTER_(Q_, out_), (keep_), (err_))
#define temporal_query_with_0(run_, Q_, opts_, out_, keep_, err_) \
	temporal_query_contract_((run_), TEMPORAL_CONTRACT_0_OF_(Q_, QUERY), NULL, (opts_), \
		sizeof(*(opts_)), TEMPORAL_OUT_POINTER_(Q_, out_), (keep_), (err_))

/*
 * The same by name and payloads: the answer (status COMPLETED), or NULL; `keep` (may be NULL) gets
 * what belongs to QUERY_FAILED and QUERY_REJECTED, as above.
 */
TEMPORAL_API struct temporal_result *temporal_query_named_(struct temporal_run *run,
	const char *name, struct temporal_payloads arguments,
	const struct temporal_query_opts *opts, size_t size, struct temporal_result **keep,
	struct temporal_error *err) TEMPORAL_MUST_USE;
/* Its callback gets a result also with QUERY_FAILED and QUERY_REJECTED. */
TEMPORAL_API enum temporal_code temporal_query_named_async_(struct temporal_run *run,
	const char *name, struct temporal_payloads arguments,
	const struct temporal_query_opts *opts, size_t size, temporal_result_fn *done, void *user,
	struct temporal_error *err) TEMPORAL_MUST_USE;
/* The typed forms that do not wait: their callback decodes with temporal_result_get. */
#define temporal_query_async(run_, Q_, done_, user_, err_, ...) \
	temporal_query_contract_async_((run_), TEMPORAL_CONTRACT_OF_(Q_, QUERY), \
		TEMPORAL_ARGUMENTS_(Q_, __VA_ARGS__), NULL, 0, (done_), (user_), (err_))
#define temporal_query_0_async(run_, Q_, done_, user_, err_) \
	temporal_query_contract_async_((run_), TEMPORAL_CONTRACT_0_OF_(Q_, QUERY), NULL, NULL, 0, \
		(done_), (user_), (err_))
#define temporal_query_named(run_, name_, arguments_, opts_, keep_, err_) \
	temporal_query_named_( \
		(run_), (name_), (arguments_), (opts_), sizeof(*(opts_)), (keep_), (err_))
#define temporal_query_named_async(run_, name_, arguments_, opts_, done_, user_, err_) \
	temporal_query_named_async_((run_), (name_), (arguments_), (opts_), sizeof(*(opts_)), \
		(done_), (user_), (err_))

TEMPORAL_API enum temporal_code temporal_query_contract_async_(struct temporal_run *run,
	const struct temporal_contract *contract, const void *in,
	const struct temporal_query_opts *opts, size_t size, temporal_result_fn *done, void *user,
	struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API enum temporal_code temporal_query_contract_(struct temporal_run *run,
	const struct temporal_contract *contract, const void *in,
	const struct temporal_query_opts *opts, size_t size, void *out,
	struct temporal_result **keep, struct temporal_error *err) TEMPORAL_MUST_USE;

/* ---- ending a run from outside ---- */

struct temporal_cancel_opts {
	const char *reason;
	int64_t timeout_ms;
	const struct temporal_header *rpc_headers;
	size_t n_rpc_headers;
};

/* Asks the workflow to cancel itself; OK: the request is stored, or came
 * before, or (today's server) the run has ended meanwhile. */
#define temporal_run_cancel(run_, err_, ...) \
	temporal_run_cancel_((run_), &(const struct temporal_cancel_opts){ __VA_ARGS__ }, \
		sizeof(struct temporal_cancel_opts), (err_))
#define temporal_run_cancel_0(run_, err_) temporal_run_cancel_((run_), NULL, 0, (err_))

struct temporal_terminate_opts {
	const char *reason;
	struct temporal_payloads details;
	int64_t timeout_ms;
	const struct temporal_header *rpc_headers;
	size_t n_rpc_headers;
};

/* Ends the workflow at once, without asking it. */
#define temporal_run_terminate(run_, err_, ...) \
	temporal_run_terminate_((run_), &(const struct temporal_terminate_opts){ __VA_ARGS__ }, \
		sizeof(struct temporal_terminate_opts), (err_))
#define temporal_run_terminate_0(run_, err_) temporal_run_terminate_((run_), NULL, 0, (err_))

#define temporal_run_cancel_async(run_, done_, user_, err_, ...) \
	temporal_run_cancel_async_((run_), &(const struct temporal_cancel_opts){ __VA_ARGS__ }, \
		sizeof(struct temporal_cancel_opts), (done_), (user_), (err_))
#define temporal_run_cancel_0_async(run_, done_, user_, err_) \
	temporal_run_cancel_async_((run_), NULL, 0, (done_), (user_), (err_))
#define temporal_run_terminate_async(run_, done_, user_, err_, ...) \
	temporal_run_terminate_async_((run_), \
		&(const struct temporal_terminate_opts){ __VA_ARGS__ }, \
		sizeof(struct temporal_terminate_opts), (done_), (user_), (err_))
#define temporal_run_terminate_0_async(run_, done_, user_, err_) \
	temporal_run_terminate_async_((run_), NULL, 0, (done_), (user_), (err_))

TEMPORAL_API enum temporal_code temporal_run_cancel_(struct temporal_run *run,
	const struct temporal_cancel_opts *opts, size_t size,
	struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API enum temporal_code temporal_run_cancel_async_(struct temporal_run *run,
	const struct temporal_cancel_opts *opts, size_t size, temporal_done_fn *done, void *user,
	struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API enum temporal_code temporal_run_terminate_(struct temporal_run *run,
	const struct temporal_terminate_opts *opts, size_t size,
	struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API enum temporal_code temporal_run_terminate_async_(struct temporal_run *run,
	const struct temporal_terminate_opts *opts, size_t size, temporal_done_fn *done, void *user,
	struct temporal_error *err) TEMPORAL_MUST_USE;

/* ---- describing ---- */

struct temporal_pending_activity {
	const char *id, *type, *worker_identity;
	int32_t attempt, maximum_attempts;
	bool started; /* else scheduled */
	bool cancel_requested, paused;
	int64_t scheduled_ns, last_started_ns, last_heartbeat_ns, next_attempt_ns;
	struct temporal_payloads heartbeat_details;
	const struct temporal_failure *last_failure; /* NULL: none */
};

struct temporal_pending_child {
	const char *workflow_id, *run_id, *type;
	int64_t initiated_event_id;
};

/* What the server knows of a run. Times are ns since the epoch, 0: not (yet); strings never NULL.
 */
struct temporal_run_description {
	const char *workflow_id, *run_id, *first_run_id, *type, *task_queue;
	enum temporal_status status;
	int64_t start_ns;     /* when this run was started */
	int64_t execution_ns; /* when it began, after its start delay or back-off */
	int64_t close_ns;
	int64_t history_length, history_bytes, state_transitions;
	const char *parent_workflow_id, *parent_run_id, *root_workflow_id, *root_run_id;
	struct temporal_entries memo, search_attributes;
	int64_t execution_timeout_ms, run_timeout_ms, task_timeout_ms; /* 0: none */
	int64_t execution_expires_ns, run_expires_ns;
	const char *summary, *details;
	struct temporal_priority priority;
	bool cancel_requested;
	const struct temporal_pending_activity *activities;
	size_t n_activities;
	const struct temporal_pending_child *children;
	size_t n_children;
	bool task_pending; /* a workflow task is scheduled or started */
	int32_t task_attempt;
	bool task_started;
	uint64_t reserved[8];
};

/* The description belongs to the caller, and all that it points to to it. */
TEMPORAL_API struct temporal_run_description *temporal_run_describe(
	struct temporal_run *run, struct temporal_error *err) TEMPORAL_MUST_USE;
typedef void temporal_description_fn(
	struct temporal_run_description *description, const struct temporal_error *err, void *user);
TEMPORAL_API enum temporal_code temporal_run_describe_async(struct temporal_run *run,
	temporal_description_fn *done, void *user, struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API void temporal_run_description_unref(struct temporal_run_description *description);

/* ---- histories and raw calls ---- */

/* Bytes of ours; a text is terminated by a zero that `len` does not count. */
struct temporal_buffer {
	const char *data;
	size_t len;
};
TEMPORAL_API void temporal_buffer_unref(struct temporal_buffer *buffer);
typedef void temporal_buffer_fn(
	struct temporal_buffer *buffer, const struct temporal_error *err, void *user);

/*
 * The whole history of the run (of the newest one, without a run id) as the JSON that the CLI and
 * the replayers of all SDKs read.
 */
TEMPORAL_API struct temporal_buffer *temporal_run_history_json(
	struct temporal_run *run, struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API enum temporal_code temporal_run_history_json_async(struct temporal_run *run,
	temporal_buffer_fn *done, void *user, struct temporal_error *err) TEMPORAL_MUST_USE;

/*
 * Calls any unary method of the API by its path, such as
 * "/temporal.api.workflowservice.v1.WorkflowService/ListWorkflowExecutions". Request and reply are
 * encoded messages, or with `json` their proto3 JSON. UNIMPLEMENTED: no such method is known here.
 */
TEMPORAL_API struct temporal_buffer *temporal_client_call(struct temporal_client *client,
	const char *path, struct temporal_bytes request, bool json,
	struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API enum temporal_code temporal_client_call_async(struct temporal_client *client,
	const char *path, struct temporal_bytes request, bool json, temporal_buffer_fn *done,
	void *user, struct temporal_error *err) TEMPORAL_MUST_USE;

/* ---- completing activities from elsewhere ---- */

/* Which one: by the token of its task, or (task_token empty) by workflow and activity id. */
struct temporal_activity_target {
	struct temporal_bytes task_token;
	const char *workflow_id, *run_id; /* run_id NULL: the newest run */
	const char *activity_id;
};

/* What the server wants of an activity that has reported its heartbeat. */
struct temporal_heartbeat_reply {
	bool cancel_requested; /* stop, and report that it was cancelled */
	bool paused, reset;
};

/* Completes the activity A; out_ points to its A_out (NULL where that is void). */
#define temporal_activity_complete(client_, A_, target_, out_, err_) \
	temporal_activity_complete_contract_((client_), (target_), \
		TEMPORAL_CONTRACT_OF_(A_, ACTIVITY), TEMPORAL_OUT_POINTER_(A_, out_), (err_))
#define temporal_activity_complete_async(client_, A_, target_, out_, done_, user_, err_) \
	temporal_activity_complete_contract_async_((client_), (target_), \
		TEMPORAL_CONTRACT_OF_(A_, ACTIVITY), TEMPORAL_OUT_POINTER_(A_, out_), (done_), \
		(user_), (err_))

TEMPORAL_API enum temporal_code temporal_activity_complete_contract_(struct temporal_client *client,
	const struct temporal_activity_target *target, const struct temporal_contract *contract,
	const void *out, struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API enum temporal_code temporal_activity_complete_contract_async_(
	struct temporal_client *client, const struct temporal_activity_target *target,
	const struct temporal_contract *contract, const void *out, temporal_done_fn *done,
	void *user, struct temporal_error *err) TEMPORAL_MUST_USE;
/* The same with payloads. */
TEMPORAL_API enum temporal_code temporal_activity_complete_payloads(struct temporal_client *client,
	const struct temporal_activity_target *target, struct temporal_payloads result,
	struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API enum temporal_code temporal_activity_complete_payloads_async(
	struct temporal_client *client, const struct temporal_activity_target *target,
	struct temporal_payloads result, temporal_done_fn *done, void *user,
	struct temporal_error *err) TEMPORAL_MUST_USE;

/* Fails its attempt; `heartbeat` replaces the last heartbeat's details where it has some. */
TEMPORAL_API enum temporal_code temporal_activity_fail(struct temporal_client *client,
	const struct temporal_activity_target *target, const struct temporal_failure *failure,
	struct temporal_payloads heartbeat, struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API enum temporal_code temporal_activity_fail_async(struct temporal_client *client,
	const struct temporal_activity_target *target, const struct temporal_failure *failure,
	struct temporal_payloads heartbeat, temporal_done_fn *done, void *user,
	struct temporal_error *err) TEMPORAL_MUST_USE;

/* Says that it has stopped because that was asked. */
TEMPORAL_API enum temporal_code temporal_activity_report_cancelled(struct temporal_client *client,
	const struct temporal_activity_target *target, struct temporal_payloads details,
	struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API enum temporal_code temporal_activity_report_cancelled_async(
	struct temporal_client *client, const struct temporal_activity_target *target,
	struct temporal_payloads details, temporal_done_fn *done, void *user,
	struct temporal_error *err) TEMPORAL_MUST_USE;

/* Says that it is alive. `*reply` is written on success; it may be NULL. */
TEMPORAL_API enum temporal_code temporal_activity_heartbeat(struct temporal_client *client,
	const struct temporal_activity_target *target, struct temporal_payloads details,
	struct temporal_heartbeat_reply *reply, struct temporal_error *err) TEMPORAL_MUST_USE;
typedef void temporal_heartbeat_fn(const struct temporal_heartbeat_reply *reply,
	const struct temporal_error *err, void *user); /* `reply` is valid until it returns */
TEMPORAL_API enum temporal_code temporal_activity_heartbeat_async(struct temporal_client *client,
	const struct temporal_activity_target *target, struct temporal_payloads details,
	temporal_heartbeat_fn *done, void *user, struct temporal_error *err) TEMPORAL_MUST_USE;

#ifdef __cplusplus
}
#endif

#include <temporal/endpoint.h>
#include <temporal/update.h>

#endif
