/*
 * update.h: updates of workflows by clients: sent, awaited, started together with their workflow. A
 * part of client.h, which says what holds for all its calls; include that.
 */
#ifndef TEMPORAL_UPDATE_H
#define TEMPORAL_UPDATE_H

#include <temporal/client.h>

#ifdef __cplusplus
extern "C" {
#endif

struct temporal_update; /* one update of one workflow, by its id */
typedef void temporal_update_fn(
	struct temporal_update *update, const struct temporal_error *err, void *user);

/* How far an update has come when its start is told. */
enum temporal_update_stage {
	TEMPORAL_UPDATE_DEFAULT,   /* ACCEPTED */
	TEMPORAL_UPDATE_ACCEPTED,  /* the workflow has taken it: it will have an outcome */
	TEMPORAL_UPDATE_COMPLETED, /* it has its outcome */
};

struct temporal_update_opts {
	const char *id; /* of the update, which makes repeated ones one; NULL: a random UUID */
	enum temporal_update_stage wait_for;
	const struct temporal_entries *headers; /* of the update, not of gRPC */
	int64_t timeout_ms; /* of the whole wait; 0: none. What was sent goes on all the same */
	const struct temporal_header *rpc_headers;
	size_t n_rpc_headers;
};

/*
 * Sends the update U and waits for its outcome; out_ and keep_ as of temporal_result.
 * UPDATE_FAILED: the workflow has rejected it, or its handler failed; `*keep_` has the failure.
 * `opts_` points to options. NOT_FOUND: no such workflow, or it ended before the update was
 * accepted.
 */
#define temporal_update(run_, U_, out_, keep_, err_, ...) \
	temporal_update_contract_((run_), TEMPORAL_CONTRACT_OF_(U_, UPDATE), \
		TEMPORAL_ARGUMENTS_(U_, __VA_ARGS__), NULL, 0, TEMPORAL_OUT_POINTER_(U_, out_), \
		(keep_), (err_))
#define temporal_update_0(run_, U_, out_, keep_, err_) \
	temporal_update_contract_((run_), TEMPORAL_CONTRACT_0_OF_(U_, UPDATE), NULL, NULL, 0, \
		TEMPORAL_OUT_POINTER_(U_, out_), (keep_), (err_))
#define temporal_update_with(run_, U_, opts_, out_, keep_, err_, ...) \
	temporal_update_contract_((run_), TEMPORAL_CONTRACT_OF_(U_, UPDATE), \
		TEMPORAL_ARGUMENTS_(U_, __VA_ARGS__), (opts_), sizeof(*(opts_)), \
		TEMPORAL_OUT_POINTER_(U_, out_), (keep_), (err_))
#define temporal_update_with_0(run_, U_, opts_, out_, keep_, err_) \
	temporal_update_contract_((run_), TEMPORAL_CONTRACT_0_OF_(U_, UPDATE), NULL, (opts_), \
		sizeof(*(opts_)), TEMPORAL_OUT_POINTER_(U_, out_), (keep_), (err_))
/* By name and payloads: the outcome (status COMPLETED or FAILED), or NULL. */
#define temporal_update_named(run_, name_, arguments_, opts_, err_) \
	temporal_update_named_((run_), (name_), (arguments_), (opts_), sizeof(*(opts_)), (err_))

/* Their callback gets the outcome (COMPLETED or FAILED), and decodes with temporal_result_get. */
#define temporal_update_async(run_, U_, done_, user_, err_, ...) \
	temporal_update_contract_async_((run_), TEMPORAL_CONTRACT_OF_(U_, UPDATE), \
		TEMPORAL_ARGUMENTS_(U_, __VA_ARGS__), NULL, 0, (done_), (user_), (err_))
#define temporal_update_0_async(run_, U_, done_, user_, err_) \
	temporal_update_contract_async_((run_), TEMPORAL_CONTRACT_0_OF_(U_, UPDATE), NULL, NULL, \
		0, (done_), (user_), (err_))
#define temporal_update_named_async(run_, name_, arguments_, opts_, done_, user_, err_) \
	temporal_update_named_async_((run_), (name_), (arguments_), (opts_), sizeof(*(opts_)), \
		(done_), (user_), (err_))

/*
 * Sends the update U and waits until it has come as far as opts_->wait_for says: a handle, whose
 * outcome can be waited for. One that was rejected has its outcome.
 */
#define temporal_update_start(run_, U_, opts_, err_, ...) \
	temporal_update_start_contract_((run_), TEMPORAL_CONTRACT_OF_(U_, UPDATE), \
		TEMPORAL_ARGUMENTS_(U_, __VA_ARGS__), (opts_), sizeof(*(opts_)), (err_))
#define temporal_update_start_0(run_, U_, opts_, err_) \
	temporal_update_start_contract_((run_), TEMPORAL_CONTRACT_0_OF_(U_, UPDATE), NULL, \
		(opts_), sizeof(*(opts_)), (err_))
#define temporal_update_start_named(run_, name_, arguments_, opts_, err_) \
	temporal_update_start_named_( \
		(run_), (name_), (arguments_), (opts_), sizeof(*(opts_)), (err_))
#define temporal_update_start_async(run_, U_, opts_, done_, user_, err_, ...) \
	temporal_update_start_contract_async_((run_), TEMPORAL_CONTRACT_OF_(U_, UPDATE), \
		TEMPORAL_ARGUMENTS_(U_, __VA_ARGS__), (opts_), sizeof(*(opts_)), (done_), (user_), \
		(err_))
#define temporal_update_start_named_async(run_, name_, arguments_, opts_, done_, user_, err_) \
	temporal_update_start_named_async_((run_), (name_), (arguments_), (opts_), \
		sizeof(*(opts_)), (done_), (user_), (err_))

/*
 * The same, with the workflow: X is started first, if no run has the id of `opts_`, whose
 * id_conflict_policy has to be said: USE_EXISTING to update the run that is there, FAIL to insist
 * on a new one. `update_` points to the update's arguments (NULL when it has none); those of X
 * follow `err_`. Both or neither are done. The workflow's handle is temporal_update_run(update).
 */
#define temporal_update_with_start(client_, X_, opts_, U_, update_, update_opts_, err_, ...) \
	temporal_update_with_start_contract_((client_), TEMPORAL_CONTRACT_OF_(X_, WORKFLOW), \
		TEMPORAL_ARGUMENTS_(X_, __VA_ARGS__), (opts_), sizeof(*(opts_)), \
		TEMPORAL_CONTRACT_OF_(U_, UPDATE), TEMPORAL_POINTER_(update_, struct U_##_in), \
		(update_opts_), sizeof(*(update_opts_)), (err_))
#define temporal_update_with_start_0(client_, X_, opts_, U_, update_, update_opts_, err_) \
	temporal_update_with_start_contract_((client_), TEMPORAL_CONTRACT_0_OF_(X_, WORKFLOW), \
		NULL, (opts_), sizeof(*(opts_)), TEMPORAL_CONTRACT_OF_(U_, UPDATE), \
		TEMPORAL_POINTER_(update_, struct U_##_in), (update_opts_), \
		sizeof(*(update_opts_)), (err_))
#define temporal_update_with_start_named( \
	client_, type_, arguments_, opts_, update_, update_arguments_, update_opts_, err_) \
	temporal_update_with_start_named_((client_), (type_), (arguments_), (opts_), \
		sizeof(*(opts_)), (update_), (update_arguments_), (update_opts_), \
		sizeof(*(update_opts_)), (err_))
#define temporal_update_with_start_async( \
	client_, X_, opts_, U_, update_, update_opts_, done_, user_, err_, ...) \
	temporal_update_with_start_contract_async_((client_), TEMPORAL_CONTRACT_OF_(X_, WORKFLOW), \
		TEMPORAL_ARGUMENTS_(X_, __VA_ARGS__), (opts_), sizeof(*(opts_)), \
		TEMPORAL_CONTRACT_OF_(U_, UPDATE), TEMPORAL_POINTER_(update_, struct U_##_in), \
		(update_opts_), sizeof(*(update_opts_)), (done_), (user_), (err_))

/* A handle of the run's update with that id, whether there is one or not: nothing is asked. */
TEMPORAL_API struct temporal_update *temporal_update_handle(
	struct temporal_run *run, const char *id, struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API struct temporal_update *temporal_update_ref(struct temporal_update *update);
/* The update does not notice. NULL is fine. */
TEMPORAL_API void temporal_update_unref(struct temporal_update *update);
/* Valid as long as the handle. */
TEMPORAL_API const char *temporal_update_id(const struct temporal_update *update);
TEMPORAL_API struct temporal_run *temporal_update_run(const struct temporal_update *update);

/* Waits for the outcome; out_, keep_ and errors as of temporal_update. */
#define temporal_update_result(update_, U_, out_, keep_, err_) \
	temporal_update_result_((update_), TEMPORAL_CONTRACT_OF_(U_, UPDATE), \
		TEMPORAL_OUT_POINTER_(U_, out_), (keep_), (err_))
TEMPORAL_API enum temporal_code temporal_update_result_(struct temporal_update *update,
	const struct temporal_contract *contract, void *out, struct temporal_result **keep,
	struct temporal_error *err) TEMPORAL_MUST_USE;
/* Waits at most that long (0: without end); the outcome (status COMPLETED or FAILED), or NULL. */
TEMPORAL_API struct temporal_result *temporal_update_wait(struct temporal_update *update,
	int64_t timeout_ms, struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API enum temporal_code temporal_update_wait_async(struct temporal_update *update,
	int64_t timeout_ms, temporal_result_fn *done, void *user,
	struct temporal_error *err) TEMPORAL_MUST_USE;

TEMPORAL_API enum temporal_code temporal_update_contract_(struct temporal_run *run,
	const struct temporal_contract *contract, const void *in,
	const struct temporal_update_opts *opts, size_t size, void *out,
	struct temporal_result **keep, struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API struct temporal_result *temporal_update_named_(struct temporal_run *run,
	const char *name, struct temporal_payloads arguments,
	const struct temporal_update_opts *opts, size_t size,
	struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API enum temporal_code temporal_update_contract_async_(struct temporal_run *run,
	const struct temporal_contract *contract, const void *in,
	const struct temporal_update_opts *opts, size_t size, temporal_result_fn *done, void *user,
	struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API enum temporal_code temporal_update_named_async_(struct temporal_run *run,
	const char *name, struct temporal_payloads arguments,
	const struct temporal_update_opts *opts, size_t size, temporal_result_fn *done, void *user,
	struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API struct temporal_update *temporal_update_start_contract_(struct temporal_run *run,
	const struct temporal_contract *contract, const void *in,
	const struct temporal_update_opts *opts, size_t size,
	struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API struct temporal_update *temporal_update_start_named_(struct temporal_run *run,
	const char *name, struct temporal_payloads arguments,
	const struct temporal_update_opts *opts, size_t size,
	struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API enum temporal_code temporal_update_start_contract_async_(struct temporal_run *run,
	const struct temporal_contract *contract, const void *in,
	const struct temporal_update_opts *opts, size_t size, temporal_update_fn *done, void *user,
	struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API enum temporal_code temporal_update_start_named_async_(struct temporal_run *run,
	const char *name, struct temporal_payloads arguments,
	const struct temporal_update_opts *opts, size_t size, temporal_update_fn *done, void *user,
	struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API struct temporal_update *temporal_update_with_start_contract_(
	struct temporal_client *client, const struct temporal_contract *contract, const void *in,
	const struct temporal_start_opts *opts, size_t size, const struct temporal_contract *update,
	const void *update_in, const struct temporal_update_opts *update_opts, size_t update_size,
	struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API struct temporal_update *temporal_update_with_start_named_(
	struct temporal_client *client, const char *type, struct temporal_payloads arguments,
	const struct temporal_start_opts *opts, size_t size, const char *update,
	struct temporal_payloads update_arguments, const struct temporal_update_opts *update_opts,
	size_t update_size, struct temporal_error *err) TEMPORAL_MUST_USE;
TEMPORAL_API enum temporal_code temporal_update_with_start_contract_async_(
	struct temporal_client *client, const struct temporal_contract *contract, const void *in,
	const struct temporal_start_opts *opts, size_t size, const struct temporal_contract *update,
	const void *update_in, const struct temporal_update_opts *update_opts, size_t update_size,
	temporal_update_fn *done, void *user, struct temporal_error *err) TEMPORAL_MUST_USE;

#ifdef __cplusplus
}
#endif

#endif
