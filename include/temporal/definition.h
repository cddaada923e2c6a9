/*
 * definition.h: what workflows are for a worker: their definitions and those of their handlers, and
 * the macros that bind functions to contracts and so make them. A part of workflow.h, which
 * includes it and says what holds for all; include that.
 */
#ifndef TEMPORAL_DEFINITION_H
#define TEMPORAL_DEFINITION_H

#include <temporal/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct wf;

/* ---- definitions ---- */

/*
 * A handler of signals, queries or updates of one name: the one of `contract`, or without a
 * contract the untyped one of `name`, or without a name the one for all names that have no handler.
 * The binding macros make these; other languages fill them in. Of the functions the one that fits
 * is set. `in` is the contract's struct X_in (NULL if it has no arguments), `out` room for its
 * X_out.
 */
struct temporal_handler {
	enum temporal_definition definition; /* SIGNAL, QUERY or UPDATE */
	const struct temporal_contract *contract;
	const char *name, *description;
	size_t state_size; /* of the workflow that it belongs to */
	void (*signal)(struct wf *wf, void *state, const void *in);
	void (*query)(const struct wf *wf, const void *state, const void *in, void *out);
	void (*update)(struct wf *wf, void *state, const void *in, void *out);
	const struct temporal_failure *(*check)(
		const struct wf *wf, const void *state, const void *in);
	void (*signal_raw)(
		struct wf *wf, void *state, const char *name, const struct temporal_payloads *in);
	const struct temporal_payload *(*query_raw)(const struct wf *wf, const void *state,
		const char *name, const struct temporal_payloads *in);
	const struct temporal_payload *(*update_raw)(
		struct wf *wf, void *state, const char *name, const struct temporal_payloads *in);
	const struct temporal_failure *(*check_raw)(const struct wf *wf, const void *state,
		const char *name, const struct temporal_payloads *in);
	void *reserved[4];
};

/*
 * A workflow: of a contract, or untyped with a name, or untyped for all types that have no other
 * (at most one a worker). `run` or `run_raw` is called once a run, with the zeroed state.
 */
struct temporal_workflow {
	const struct temporal_contract *contract;
	const char *name, *description;
	size_t state_size;
	const struct temporal_handler *const *handlers; /* NULL-terminated; NULL: none */
	void (*run)(struct wf *wf, void *state, const void *in, void *out);
	const struct temporal_payload *(*run_raw)(
		struct wf *wf, void *state, const char *type, const struct temporal_payloads *in);
	void *reserved[4];
};

/* What a worker makes of one of its workflows, besides what the definition says. */
struct temporal_workflow_opts {
	const struct temporal_workflow *workflow; /* one of the worker's */
	/* Of a worker that uses versioning; 0: its default_behavior. */
	enum temporal_versioning_behavior versioning;
	/* Besides the worker's workflow_failure_types; see there. */
	const char *const *failure_types;
};

#ifndef __cplusplus

/* It knows neither _Generic nor tables of macros: */
/* clang-format off */

/* ---- bindings ---- */

/*
 * Binds X_run to the contract X and defines `const struct temporal_workflow X_workflow`:
 *
 *	static X_out X_run(struct wf *wf, const struct X_in *in)
 *
 * A workflow with a state, `struct X`, and handlers (a NULL-terminated array of pointers to them,
 * or NULL) is bound by TEMPORAL_STATEFUL_WORKFLOW(X, handlers):
 *
 *	static X_out X_run(struct wf *wf, struct X *state, const struct X_in *in)
 *
 * In the ..._0 forms, for contracts without arguments, the function has no `in`.
 */
#define TEMPORAL_WORKFLOW(X_) \
	WF_BIND_(X_, WORKFLOW, 1, (struct wf *, const struct X_##_in *)); \
	WF_WORKFLOW_(X_, 0, NULL, X_##_run(wf_, (const struct X_##_in *)in_))
#define TEMPORAL_WORKFLOW_0(X_) \
	WF_BIND_(X_, WORKFLOW, 0, (struct wf *)); \
	WF_WORKFLOW_(X_, 0, NULL, X_##_run(wf_))
#define TEMPORAL_STATEFUL_WORKFLOW(X_, handlers_) \
	WF_BIND_(X_, WORKFLOW, 1, (struct wf *, struct X_ *, const struct X_##_in *)); \
	WF_WORKFLOW_(X_, sizeof(struct X_), handlers_, \
		X_##_run(wf_, (struct X_ *)state_, (const struct X_##_in *)in_))
#define TEMPORAL_STATEFUL_WORKFLOW_0(X_, handlers_) \
	WF_BIND_(X_, WORKFLOW, 0, (struct wf *, struct X_ *)); \
	WF_WORKFLOW_(X_, sizeof(struct X_), handlers_, X_##_run(wf_, (struct X_ *)state_))

/*
 * Binds W_H_run to the contract W_H, for the workflow W, and defines
 * `const struct temporal_handler W_H_handler`:
 *
 *	void W_H_run(struct wf *wf, struct W *state, const struct W_H_in *in)               a signal
 *
 *	W_H_out W_H_run(const struct wf *wf, const struct W *state,
 *		const struct W_H_in *in)                                                     a query
 *
 *	W_H_out W_H_run(struct wf *wf, struct W *state, const struct W_H_in *in)           an update
 *	const struct temporal_failure *W_H_check(const struct wf *wf, const struct W *state,
 *		const struct W_H_in *in)
 *
 * An update's check comes first and returns why it refuses (wf_failure), or NULL.
 *
 * In the ..._0 forms, for contracts without arguments, the function has no `in`.
 */
#define TEMPORAL_SIGNAL(W_, H_) WF_SIGNAL_(W_, W_##_##H_)
#define TEMPORAL_SIGNAL_0(W_, H_) WF_SIGNAL_0_(W_, W_##_##H_)
#define TEMPORAL_QUERY(W_, H_) WF_QUERY_(W_, W_##_##H_)
#define TEMPORAL_QUERY_0(W_, H_) WF_QUERY_0_(W_, W_##_##H_)

#define TEMPORAL_UPDATE(W_, H_) WF_UPDATE_(W_, W_##_##H_)
#define TEMPORAL_UPDATE_0(W_, H_) WF_UPDATE_0_(W_, W_##_##H_)

/*
 * Untyped, for whatever has no definition of its own; they define X_workflow or W_H_handler:
 *
 *	const struct temporal_payload *X_run(struct wf *wf, [struct X *state,] const char *type,
 *		const struct temporal_payloads *in)
 *
 *	void W_H_run(struct wf *wf, struct W *state, const char *name,
 *		const struct temporal_payloads *in)                                         a signal
 *
 *	const struct temporal_payload *W_H_run(const struct wf *wf, const struct W *state,
 *		const char *name, const struct temporal_payloads *in)                        a query
 *
 *	const struct temporal_payload *W_H_run(struct wf *wf, struct W *state, const char *name,
 *		const struct temporal_payloads *in)                                        an update
 *	const struct temporal_failure *W_H_check(const struct wf *wf, const struct W *state,
 *		const char *name, const struct temporal_payloads *in)
 */
#define TEMPORAL_DYNAMIC_WORKFLOW(X_) \
	WF_RAW_BIND_(X_, const struct temporal_payload *, \
		(struct wf *, const char *, const struct temporal_payloads *)); \
	WF_RAW_WORKFLOW_(X_, 0, NULL, (wf_, type_, in_))
#define TEMPORAL_STATEFUL_DYNAMIC_WORKFLOW(X_, handlers_) \
	WF_RAW_BIND_(X_, const struct temporal_payload *, \
		(struct wf *, struct X_ *, const char *, const struct temporal_payloads *)); \
	WF_RAW_WORKFLOW_(X_, sizeof(struct X_), handlers_, (wf_, (struct X_ *)state_, type_, in_))
#define TEMPORAL_DYNAMIC_SIGNAL(W_, H_) WF_RAW_SIGNAL_(W_, W_##_##H_)
#define TEMPORAL_DYNAMIC_QUERY(W_, H_) WF_RAW_QUERY_(W_, W_##_##H_)
#define TEMPORAL_DYNAMIC_UPDATE(W_, H_) WF_RAW_UPDATE_(W_, W_##_##H_)

/*
 * ---- how it works: nothing below is for use elsewhere ----
 */

#define WF_BIND_(X_, definition_, arguments_, parameters_) \
	TEMPORAL_CHECK_CONTRACT_(X_, definition_, arguments_); \
	typedef X_##_out X_##_run_type_ parameters_; \
	_Static_assert(TEMPORAL_IS_(X_##_run, X_##_run_type_ *), \
		#X_ "_run must be a function " #parameters_ " that returns " #X_ "_out")
#define WF_WORKFLOW_(X_, state_size_, handlers_, call_) \
	static void X_##_entry_(struct wf *wf_, void *state_, const void *in_, void *out_) \
	{ \
		(void)state_; \
		(void)in_; \
		(void)out_; \
		TEMPORAL_STORE_RESULT_(X_, out_, call_); \
	} \
	const struct temporal_workflow X_##_workflow = { \
		.contract = &X_, .state_size = state_size_, .handlers = handlers_, \
		.run = X_##_entry_ \
	}
#define WF_RAW_BIND_(X_, returns_, parameters_) \
	typedef returns_ X_##_run_type_ parameters_; \
	_Static_assert(TEMPORAL_IS_(X_##_run, X_##_run_type_ *), \
		#X_ "_run must be a function " #parameters_ " that returns " #returns_)
#define WF_RAW_WORKFLOW_(X_, state_size_, handlers_, arguments_) \
	static const struct temporal_payload *X_##_entry_(struct wf *wf_, void *state_, \
		const char *type_, const struct temporal_payloads *in_) \
	{ \
		(void)state_; \
		return X_##_run arguments_; \
	} \
	const struct temporal_workflow X_##_workflow = { \
		.state_size = state_size_, .handlers = handlers_, .run_raw = X_##_entry_ \
	}

#define WF_HANDLER_(W_, X_, definition_, call_) \
	const struct temporal_handler X_##_handler = { \
		.definition = TEMPORAL_DEFINES_##definition_, .contract = &X_, \
		.state_size = sizeof(struct W_), .call_ = X_##_entry_ \
	}
#define WF_SIGNAL_TYPE_(X_, arguments_, parameters_) \
	TEMPORAL_CHECK_CONTRACT_(X_, SIGNAL, arguments_); \
	typedef void X_##_run_type_ parameters_; \
	_Static_assert(TEMPORAL_IS_(X_##_run, X_##_run_type_ *), \
		#X_ "_run must be a function " #parameters_ " that returns void")
#define WF_SIGNAL_ENTRY_(W_, X_, call_) \
	static void X_##_entry_(struct wf *wf_, void *state_, const void *in_) \
	{ \
		(void)in_; \
		call_; \
	} \
	WF_HANDLER_(W_, X_, SIGNAL, signal)
#define WF_SIGNAL_(W_, X_) \
	WF_SIGNAL_TYPE_(X_, 1, (struct wf *, struct W_ *, const struct X_##_in *)); \
	WF_SIGNAL_ENTRY_(W_, X_, X_##_run(wf_, (struct W_ *)state_, (const struct X_##_in *)in_))
#define WF_SIGNAL_0_(W_, X_) \
	WF_SIGNAL_TYPE_(X_, 0, (struct wf *, struct W_ *)); \
	WF_SIGNAL_ENTRY_(W_, X_, X_##_run(wf_, (struct W_ *)state_))

#define WF_QUERY_ENTRY_(W_, X_, call_) \
	static void X_##_entry_( \
		const struct wf *wf_, const void *state_, const void *in_, void *out_) \
	{ \
		(void)in_; \
		(void)out_; \
		TEMPORAL_STORE_RESULT_(X_, out_, call_); \
	} \
	WF_HANDLER_(W_, X_, QUERY, query)
#define WF_QUERY_(W_, X_) \
	WF_BIND_(X_, QUERY, 1, (const struct wf *, const struct W_ *, const struct X_##_in *)); \
	WF_QUERY_ENTRY_(W_, X_, \
		X_##_run(wf_, (const struct W_ *)state_, (const struct X_##_in *)in_))
#define WF_QUERY_0_(W_, X_) \
	WF_BIND_(X_, QUERY, 0, (const struct wf *, const struct W_ *)); \
	WF_QUERY_ENTRY_(W_, X_, X_##_run(wf_, (const struct W_ *)state_))

#define WF_UPDATE_ENTRY_(W_, X_, call_, check_call_) \
	static void X_##_entry_(struct wf *wf_, void *state_, const void *in_, void *out_) \
	{ \
		(void)in_; \
		(void)out_; \
		TEMPORAL_STORE_RESULT_(X_, out_, call_); \
	} \
	static const struct temporal_failure *X_##_check_entry_(const struct wf *wf_, \
		const void *state_, const void *in_) \
	{ \
		(void)in_; \
		return check_call_; \
	} \
	const struct temporal_handler X_##_handler = { \
		.definition = TEMPORAL_DEFINES_UPDATE, .contract = &X_, \
		.state_size = sizeof(struct W_), .update = X_##_entry_, .check = X_##_check_entry_ \
	}
#define WF_CHECK_TYPE_(X_, parameters_) \
	typedef const struct temporal_failure *X_##_check_type_ parameters_; \
	_Static_assert(TEMPORAL_IS_(X_##_check, X_##_check_type_ *), \
		#X_ "_check must be a function " #parameters_ " that returns a failure or NULL")
#define WF_UPDATE_(W_, X_) \
	WF_BIND_(X_, UPDATE, 1, (struct wf *, struct W_ *, const struct X_##_in *)); \
	WF_CHECK_TYPE_(X_, (const struct wf *, const struct W_ *, const struct X_##_in *)); \
	WF_UPDATE_ENTRY_(W_, X_, \
		X_##_run(wf_, (struct W_ *)state_, (const struct X_##_in *)in_), \
		X_##_check(wf_, (const struct W_ *)state_, (const struct X_##_in *)in_))
#define WF_UPDATE_0_(W_, X_) \
	WF_BIND_(X_, UPDATE, 0, (struct wf *, struct W_ *)); \
	WF_CHECK_TYPE_(X_, (const struct wf *, const struct W_ *)); \
	WF_UPDATE_ENTRY_(W_, X_, X_##_run(wf_, (struct W_ *)state_), \
		X_##_check(wf_, (const struct W_ *)state_))

#define WF_RAW_HANDLER_(W_, X_, definition_, call_) \
	const struct temporal_handler X_##_handler = { \
		.definition = TEMPORAL_DEFINES_##definition_, \
		.state_size = sizeof(struct W_), .call_ = X_##_entry_ \
	}
#define WF_RAW_SIGNAL_(W_, X_) \
	WF_RAW_BIND_(X_, void, \
		(struct wf *, struct W_ *, const char *, const struct temporal_payloads *)); \
	static void X_##_entry_(struct wf *wf_, void *state_, const char *name_, \
		const struct temporal_payloads *in_) \
	{ \
		X_##_run(wf_, (struct W_ *)state_, name_, in_); \
	} \
	WF_RAW_HANDLER_(W_, X_, SIGNAL, signal_raw)
#define WF_RAW_QUERY_(W_, X_) \
	WF_RAW_BIND_(X_, const struct temporal_payload *, \
		(const struct wf *, const struct W_ *, const char *, \
			const struct temporal_payloads *)); \
	static const struct temporal_payload *X_##_entry_(const struct wf *wf_, \
		const void *state_, const char *name_, const struct temporal_payloads *in_) \
	{ \
		return X_##_run(wf_, (const struct W_ *)state_, name_, in_); \
	} \
	WF_RAW_HANDLER_(W_, X_, QUERY, query_raw)

#define WF_RAW_UPDATE_(W_, X_) \
	WF_RAW_BIND_(X_, const struct temporal_payload *, \
		(struct wf *, struct W_ *, const char *, const struct temporal_payloads *)); \
	WF_CHECK_TYPE_(X_, (const struct wf *, const struct W_ *, const char *, \
		const struct temporal_payloads *)); \
	static const struct temporal_payload *X_##_entry_(struct wf *wf_, void *state_, \
		const char *name_, const struct temporal_payloads *in_) \
	{ \
		return X_##_run(wf_, (struct W_ *)state_, name_, in_); \
	} \
	static const struct temporal_failure *X_##_check_entry_(const struct wf *wf_, \
		const void *state_, const char *name_, const struct temporal_payloads *in_) \
	{ \
		return X_##_check(wf_, (const struct W_ *)state_, name_, in_); \
	} \
	const struct temporal_handler X_##_handler = { \
		.definition = TEMPORAL_DEFINES_UPDATE, .state_size = sizeof(struct W_), \
		.update_raw = X_##_entry_, .check_raw = X_##_check_entry_ \
	}
/* clang-format on */

#endif /* not C++ */

#ifdef __cplusplus
}
#endif
#endif
