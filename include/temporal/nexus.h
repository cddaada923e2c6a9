/*
 * nexus.h: what handlers of Nexus operations are written with. Functions that begin with nexus_ are
 * for them alone.
 *
 * A service is a contract that both sides include: its name and its operations, each with a
 * contract of at most one argument.
 *
 *	struct quote_in { struct cart cart; };
 *	typedef double quote_out;
 *	TEMPORAL_NEXUS_CONTRACT(quote, "quote", RECORD(cart, struct cart));
 *	TEMPORAL_NEXUS_CONTRACT(ship, "ship", RECORD(cart, struct cart));
 *	TEMPORAL_NEXUS_SERVICE_CONTRACT(shop, "shop", &quote, &ship);
 *
 * A handler answers at once, or has a workflow run do the work, whose result the server brings to
 * the caller:
 *
 *	static const struct temporal_failure *
 *	ship_run(struct nexus *nexus, const struct ship_in *in, ship_out *out)
 *	{
 *		const char *id = nexus_printf(nexus, "ship-%s", in->cart.id);
 *		struct temporal_start_opts opts = { .id = id };
 *
 *		return nexus_start_workflow(nexus, shipping, &opts, .cart = in->cart);
 *	}
 *	TEMPORAL_NEXUS(ship);
 *	TEMPORAL_NEXUS_SERVICE(shop, &quote_operation, &ship_operation);
 *
 * and a worker serves it: temporal_worker_new(..., .nexus_services = (...){ &shop_service, NULL }).
 * Callers reach it by an endpoint (endpoint.h), which leads to the worker's task queue.
 */
#ifndef TEMPORAL_NEXUS_H
#define TEMPORAL_NEXUS_H

#include <temporal/client.h>
#include <temporal/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * One request: to start an operation, or to cancel one. Its memory (nexus_alloc, nexus_printf)
 * lives until it has been answered.
 */
struct nexus;

/*
 * An operation that a worker can handle: a contract and the functions bound to it. Both are called
 * on a thread of the worker's pool.
 *
 * `start` gets the contract's struct X_in (NULL for one without an argument) and room for its X_out
 * (not NULL, but untouched for void). It returns NULL: the operation is done, with that result, or
 * it goes on elsewhere, if nexus_start_workflow or nexus_complete_later was called; or a failure:
 * the operation's own end (nexus_failure, nexus_cancelled_failure), or an error of the handler
 * (nexus_error), after which the server may send the request again. So may it after a lost answer:
 * what is started is to be named by the request (its id is the same each time).
 *
 * `cancel` gets the token of an operation that goes on elsewhere, asks it to stop, and does not
 * wait for that. NULL: nexus_cancel_workflow.
 *
 * Without a contract it is the dynamic operation of its service: it gets all that the others are
 * not called; `in` is a const struct temporal_payload *, `out` a struct temporal_payload *.
 */
struct temporal_nexus_operation {
	const struct temporal_contract *contract;
	const struct temporal_failure *(*start)(struct nexus *nexus, const void *in, void *out);
	const struct temporal_failure *(*cancel)(struct nexus *nexus, const char *token);
};

/* A service that a worker can handle. */
struct temporal_nexus_service {
	/* Without a contract. NULL: the dynamic one, which gets all that the others are not called.
	 */
	const char *name;
	const struct temporal_nexus_operation *const *operations; /* NULL-terminated */
	/* Gives its name, and each of its operations has to be among these. */
	const struct temporal_nexus_contract *contract;
};

#ifndef __cplusplus

/*
 * Binds X_run to the contract X and defines `const struct temporal_nexus_operation X_operation`:
 *
 *	static const struct temporal_failure *
 *	X_run(struct nexus *nexus, const struct X_in *in, X_out *out)
 *
 * Where X_out is void, the function has no `out`. TEMPORAL_NEXUS_0 is for contracts without an
 * argument (TEMPORAL_NEXUS_CONTRACT_0): their function has no `in`. TEMPORAL_CANCELLABLE_NEXUS
 * (and ..._0) binds a cancel handler too:
 *
 *	static const struct temporal_failure *
 *	X_cancel(struct nexus *nexus, const char *token)
 */
#define TEMPORAL_NEXUS(X_)   TEMPORAL_NEXUS_BIND_(X_, NULL)
#define TEMPORAL_NEXUS_0(X_) TEMPORAL_NEXUS_BIND_0_(X_, NULL)
#define TEMPORAL_CANCELLABLE_NEXUS(X_) \
	TEMPORAL_NEXUS_CHECK_CANCEL_(X_); \
	TEMPORAL_NEXUS_BIND_(X_, X_##_cancel)
#define TEMPORAL_CANCELLABLE_NEXUS_0(X_) \
	TEMPORAL_NEXUS_CHECK_CANCEL_(X_); \
	TEMPORAL_NEXUS_BIND_0_(X_, X_##_cancel)

/*
 * Binds operations (pointers to them) to the service's contract S, and defines
 * `const struct temporal_nexus_service S_service`.
 */
#define TEMPORAL_NEXUS_SERVICE(S_, ...) \
	static const struct temporal_nexus_operation *const S_##_operations_[] = { __VA_ARGS__, \
		NULL }; \
	const struct temporal_nexus_service S_##_service = { NULL, S_##_operations_, &S_ }

/* It knows neither _Generic nor tables of macros: */
/* clang-format off */

#define TEMPORAL_NEXUS_BIND_(X_, cancel_) \
	TEMPORAL_CHECK_CONTRACT_(X_, NEXUS_OPERATION, 1); \
	_Static_assert(sizeof(X_##_fields_) <= 2 * sizeof(X_##_fields_[0]), \
		#X_ ": a Nexus operation has one argument; use a record for more"); \
	typedef const struct temporal_failure *X_##_full_run_( \
		struct nexus *, const struct X_##_in *, X_##_out *); \
	typedef const struct temporal_failure *X_##_void_run_( \
		struct nexus *, const struct X_##_in *); \
	TEMPORAL_NEXUS_CHECK_(X_, "(struct nexus *, const struct " #X_ "_in *, " #X_ "_out *)", \
		"(struct nexus *, const struct " #X_ "_in *)"); \
	TEMPORAL_NEXUS_(X_, cancel_, (nexus_, (const struct X_##_in *)in_, (X_##_out *)out_), \
		(nexus_, (const struct X_##_in *)in_))
#define TEMPORAL_NEXUS_BIND_0_(X_, cancel_) \
	TEMPORAL_CHECK_CONTRACT_(X_, NEXUS_OPERATION, 0); \
	typedef const struct temporal_failure *X_##_full_run_(struct nexus *, X_##_out *); \
	typedef const struct temporal_failure *X_##_void_run_(struct nexus *); \
	TEMPORAL_NEXUS_CHECK_(X_, "(struct nexus *, " #X_ "_out *)", "(struct nexus *)"); \
	TEMPORAL_NEXUS_(X_, cancel_, (nexus_, (X_##_out *)out_), (nexus_))

/* The functions have exactly the types that the contract asks for. */
#define TEMPORAL_NEXUS_CHECK_(X_, full_, void_) \
	_Static_assert(_Generic((X_##_out *)0, \
		void *: TEMPORAL_IS_(X_##_run, X_##_void_run_ *), \
		default: TEMPORAL_IS_(X_##_run, X_##_full_run_ *)), \
		#X_ "_run must be a function " full_ ", or where " #X_ "_out is void " void_ \
		", that returns const struct temporal_failure *")
#define TEMPORAL_NEXUS_CHECK_CANCEL_(X_) \
	typedef const struct temporal_failure *X_##_cancel_run_(struct nexus *, const char *); \
	_Static_assert(TEMPORAL_IS_(X_##_cancel, X_##_cancel_run_ *), \
		#X_ "_cancel must be a function (struct nexus *, const char *) that returns " \
		"const struct temporal_failure *")

/* One of the two calls is of the function's type, the other is never evaluated. */
#define TEMPORAL_NEXUS_(X_, cancel_, full_args_, void_args_) \
	static const struct temporal_failure *X_##_entry_( \
		struct nexus *nexus_, const void *in_, void *out_) \
	{ \
		(void)in_; \
		(void)out_; \
		return _Generic(&X_##_run, \
			X_##_void_run_ *: _Generic(&X_##_run, X_##_void_run_ *: &X_##_run, \
				default: (X_##_void_run_ *)NULL) void_args_, \
			X_##_full_run_ *: _Generic(&X_##_run, X_##_full_run_ *: &X_##_run, \
				default: (X_##_full_run_ *)NULL) full_args_); \
	} \
	const struct temporal_nexus_operation X_##_operation = { &X_, X_##_entry_, cancel_ }

/* clang-format on */

#endif /* not C++ */

/*
 * ---- for handlers ----
 *
 * All of these may be called by the handler's function on its thread. nexus_cancelled,
 * nexus_cancel_reason, nexus_wait and nexus_info may also be called by threads that the function
 * has started, as long as it has not returned.
 */

/* Where a caller, or what was started for it, can be found: a URL, and how to read it. */
struct nexus_link {
	const char *url, *type;
};

/* What is known about the request. Strings are never NULL; times are ns since the epoch, 0: none.
 */
struct nexus_info {
	const char *service, *operation;
	const char *namespace_, *task_queue; /* the worker's */
	const char *endpoint;                /* that the caller used; "" from older servers */
	const char *request_id;      /* the same each time the request is sent; "" to cancel */
	const char *operation_token; /* to cancel: of what; else "" */
	/* Who is to be told of the end of an operation that goes on elsewhere; "": nobody. */
	const char *callback_url;
	const struct temporal_header *callback_headers; /* to be sent with that */
	size_t n_callback_headers;
	const struct temporal_header *headers; /* the request's; names in lower case */
	size_t n_headers;
	const struct nexus_link *links; /* to the caller */
	size_t n_links;
	int64_t scheduled_time_ns; /* when the server got the request */
	int64_t deadline_ns;       /* when it will not take an answer any more */
	/* When the whole operation is to be done, as its caller wants it; 0: no limit is known. */
	int64_t operation_deadline_ns;
};
TEMPORAL_API const struct nexus_info *nexus_info(const struct nexus *nexus);

/* The value of a header of the request; NULL: it has none of that name (in lower case). */
TEMPORAL_API const char *nexus_header(const struct nexus *nexus, const char *name);

/* Memory that lives as long as the request; zeroed. NULL when there is none left. */
TEMPORAL_API void *nexus_alloc(struct nexus *nexus, size_t size) TEMPORAL_MUST_USE;
TEMPORAL_API char *nexus_printf(struct nexus *nexus, const char *format, ...)
	TEMPORAL_PRINTF(2, 3) TEMPORAL_MUST_USE;

/* The worker's client, borrowed; its calls may be used as anywhere. */
TEMPORAL_API struct temporal_client *nexus_client(const struct nexus *nexus);

/* Why a handler should stop: its request's deadline is over, and what it answers is not sent any
 * more; or the worker stops (an error that may be tried again is a good answer then). */
enum nexus_cancel_reason {
	NEXUS_NOT_CANCELLED,
	NEXUS_TIMED_OUT,
	NEXUS_WORKER_SHUTDOWN,
};
TEMPORAL_API bool nexus_cancelled(const struct nexus *nexus);
TEMPORAL_API enum nexus_cancel_reason nexus_cancel_reason(const struct nexus *nexus);
/* Sleeps until that is so (true) or the time is over (false); a negative time is for ever. */
TEMPORAL_API bool nexus_wait(struct nexus *nexus, int64_t timeout_ms);

/*
 * Starts the workflow X, whose result will be the operation's: `return nexus_start_workflow(...)`.
 * It gets the request's id, so that a request that is sent again finds the run that it has started,
 * the callback that brings the result to the caller, and links; the answer gets the operation's
 * token and a link to the run. Of the options `id` is the request's id by default (say a better
 * one), `task_queue` the worker's, and `request_id` means nothing. A conflict policy USE_EXISTING
 * attaches the operation to the run that is there. Returns NULL, or an error to be returned.
 */
#define nexus_start_workflow(nexus_, X_, opts_, ...) \
	nexus_start_workflow_contract_((nexus_), TEMPORAL_CONTRACT_OF_(X_, WORKFLOW), \
		TEMPORAL_ARGUMENTS_(X_, __VA_ARGS__), (opts_), sizeof(*(opts_)))
#define nexus_start_workflow_0(nexus_, X_, opts_) \
	nexus_start_workflow_contract_( \
		(nexus_), TEMPORAL_CONTRACT_0_OF_(X_, WORKFLOW), NULL, (opts_), sizeof(*(opts_)))
/* The same by name and payloads. */
#define nexus_start_workflow_named(nexus_, type_, arguments_, opts_) \
	nexus_start_workflow_named_((nexus_), (type_), (arguments_), (opts_), sizeof(*(opts_)))

TEMPORAL_API const struct temporal_failure *nexus_start_workflow_contract_(struct nexus *nexus,
	const struct temporal_contract *contract, const void *in,
	const struct temporal_start_opts *opts, size_t size) TEMPORAL_MUST_USE;
TEMPORAL_API const struct temporal_failure *nexus_start_workflow_named_(struct nexus *nexus,
	const char *type, struct temporal_payloads arguments,
	const struct temporal_start_opts *opts, size_t size) TEMPORAL_MUST_USE;

/*
 * Sends the signal S to the workflow of that id, as temporal_signal does, with links both ways: the
 * signal's event leads to the caller, and the answer to the event, where the server tells it. A
 * request that comes again does not send it again, if the handler sends its signals in the same
 * order. Returns NULL, or an error to be returned.
 */
#define nexus_signal(nexus_, workflow_id_, S_, ...) \
	nexus_signal_contract_((nexus_), (workflow_id_), TEMPORAL_CONTRACT_OF_(S_, SIGNAL), \
		TEMPORAL_ARGUMENTS_(S_, __VA_ARGS__))
#define nexus_signal_0(nexus_, workflow_id_, S_) \
	nexus_signal_contract_((nexus_), (workflow_id_), TEMPORAL_CONTRACT_0_OF_(S_, SIGNAL), NULL)
TEMPORAL_API const struct temporal_failure *nexus_signal_named(struct nexus *nexus,
	const char *workflow_id, const char *name,
	struct temporal_payloads arguments) TEMPORAL_MUST_USE;

TEMPORAL_API const struct temporal_failure *nexus_signal_contract_(struct nexus *nexus,
	const char *workflow_id, const struct temporal_contract *contract,
	const void *in) TEMPORAL_MUST_USE;

/*
 * The operation goes on elsewhere and has this token: when the function returns NULL, the caller
 * gets it. Whoever completes the operation tells info's callback_url. Returns NULL, or an error to
 * be returned: an empty token, or no memory.
 */
TEMPORAL_API const struct temporal_failure *nexus_complete_later(
	struct nexus *nexus, const char *token) TEMPORAL_MUST_USE;

/*
 * Asks the workflow that nexus_start_workflow has given this token to cancel itself: NULL, or an
 * error to be returned.
 */
TEMPORAL_API const struct temporal_failure *nexus_cancel_workflow(
	struct nexus *nexus, const char *token) TEMPORAL_MUST_USE;

/* A link that the caller gets with the answer; false: no memory. */
TEMPORAL_API bool nexus_add_link(struct nexus *nexus, const char *url, const char *type);

/*
 * The operation has failed, for good: an application failure, which the caller finds as the cause
 * of its failure. `type` NULL is "OperationError".
 */
TEMPORAL_API const struct temporal_failure *nexus_failure(struct nexus *nexus, const char *type,
	const char *format, ...) TEMPORAL_PRINTF(3, 4) TEMPORAL_MUST_USE;

struct nexus_failure_opts {
	const char *type;
	struct temporal_payloads details;
	const struct temporal_failure *cause;
};
TEMPORAL_API const struct temporal_failure *nexus_failure_with(
	struct nexus *nexus, const struct nexus_failure_opts *opts, const char *format, ...)
	TEMPORAL_PRINTF(3, 4) TEMPORAL_MUST_USE;

/* The operation has ended as cancelled. */
TEMPORAL_API const struct temporal_failure *nexus_cancelled_failure(
	struct nexus *nexus, const char *format, ...) TEMPORAL_PRINTF(2, 3) TEMPORAL_MUST_USE;

/* Errors of handlers. Those that are marked are tried again, unless the handler says otherwise. */
enum nexus_error_type {
	NEXUS_ERROR_INTERNAL, /* tried again */
	NEXUS_ERROR_BAD_REQUEST,
	NEXUS_ERROR_UNAUTHENTICATED,
	NEXUS_ERROR_UNAUTHORIZED,
	NEXUS_ERROR_NOT_FOUND,
	NEXUS_ERROR_REQUEST_TIMEOUT, /* tried again */
	NEXUS_ERROR_CONFLICT,
	NEXUS_ERROR_RESOURCE_EXHAUSTED, /* tried again */
	NEXUS_ERROR_NOT_IMPLEMENTED,
	NEXUS_ERROR_UNAVAILABLE,      /* tried again */
	NEXUS_ERROR_UPSTREAM_TIMEOUT, /* tried again */
};

/* The request could not be handled. */
TEMPORAL_API const struct temporal_failure *nexus_error(
	struct nexus *nexus, enum nexus_error_type type, const char *format, ...)
	TEMPORAL_PRINTF(3, 4) TEMPORAL_MUST_USE;

struct nexus_error_opts {
	enum nexus_error_type type;
	enum temporal_handler_retry retry; /* DEFAULT: by the type */
	const struct temporal_failure *cause;
};
TEMPORAL_API const struct temporal_failure *nexus_error_with(
	struct nexus *nexus, const struct nexus_error_opts *opts, const char *format, ...)
	TEMPORAL_PRINTF(3, 4) TEMPORAL_MUST_USE;

/* The same of a call that has failed: type and retry are those that its code stands for. */
TEMPORAL_API const struct temporal_failure *nexus_error_of(
	struct nexus *nexus, const struct temporal_error *err) TEMPORAL_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
