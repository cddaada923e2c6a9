/*
 * activity.h: what activity code is written with. Functions that begin with act_ are for it alone.
 */
#ifndef TEMPORAL_ACTIVITY_H
#define TEMPORAL_ACTIVITY_H

#include <temporal/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * One attempt of an activity. Its memory (act_alloc, act_printf) lives until the attempt has been
 * reported.
 */
struct act;

/*
 * An activity that a worker can run: a contract and the function bound to it. `run` gets the
 * contract's struct X_in (NULL for one without arguments) and room for its X_out (not NULL, but
 * untouched for void); it returns NULL, or the failure of the attempt. It is called on a thread of
 * the worker's pool.
 */
struct temporal_activity {
	const struct temporal_contract *contract;
	const struct temporal_failure *(*run)(struct act *act, const void *in, void *out);
};

#ifndef __cplusplus

/*
 * Binds X_run to the contract X and defines `const struct temporal_activity X_activity`:
 *
 *	static const struct temporal_failure *
 *	X_run(struct act *act, const struct X_in *in, X_out *out)
 *
 * Where X_out is void, the function has no `out`. TEMPORAL_ACTIVITY_0 is for contracts without
 * arguments (TEMPORAL_ACTIVITY_CONTRACT_0): their function has no `in`.
 */
#define TEMPORAL_ACTIVITY(X_) \
	TEMPORAL_CHECK_CONTRACT_(X_, ACTIVITY, 1); \
	typedef const struct temporal_failure *X_##_full_run_( \
		struct act *, const struct X_##_in *, X_##_out *); \
	typedef const struct temporal_failure *X_##_void_run_( \
		struct act *, const struct X_##_in *); \
	TEMPORAL_ACTIVITY_CHECK_(X_, "(struct act *, const struct " #X_ "_in *, " #X_ "_out *)", \
		"(struct act *, const struct " #X_ "_in *)"); \
	TEMPORAL_ACTIVITY_(X_, (act_, (const struct X_##_in *)in_, (X_##_out *)out_), \
		(act_, (const struct X_##_in *)in_))
#define TEMPORAL_ACTIVITY_0(X_) \
	TEMPORAL_CHECK_CONTRACT_(X_, ACTIVITY, 0); \
	typedef const struct temporal_failure *X_##_full_run_(struct act *, X_##_out *); \
	typedef const struct temporal_failure *X_##_void_run_(struct act *); \
	TEMPORAL_ACTIVITY_CHECK_(X_, "(struct act *, " #X_ "_out *)", "(struct act *)"); \
	TEMPORAL_ACTIVITY_(X_, (act_, (X_##_out *)out_), (act_))

/*
 * The function has exactly the type that its contract asks for: with `out`, or without it where
 * X_out is void.
 */
#define TEMPORAL_ACTIVITY_CHECK_(X_, full_, void_) \
	_Static_assert(_Generic((X_##_out *)0, \
		void *: TEMPORAL_IS_(X_##_run, X_##_void_run_ *), \
		default: TEMPORAL_IS_(X_##_run, X_##_full_run_ *)), \
		#X_ "_run must be a function " full_ ", or where " #X_ "_out is void " void_ \
		", that returns const struct temporal_failure *")

/* One of the two calls is of the function's type, the other is never evaluated. */
#define TEMPORAL_ACTIVITY_(X_, full_args_, void_args_) \
	static const struct temporal_failure *X_##_entry_( \
		struct act *act_, const void *in_, void *out_) \
	{ \
		(void)in_; \
		(void)out_; \
		return _Generic(&X_##_run, X_##_void_run_ * \
				: _Generic(&X_##_run, X_##_void_run_ * \
					   : &X_##_run, default \
					   : (X_##_void_run_ *)NULL) void_args_, \
				X_##_full_run_ * \
				: _Generic(&X_##_run, X_##_full_run_ * \
					   : &X_##_run, default \
					   : (X_##_full_run_ *)NULL) full_args_); \
	} \
	const struct temporal_activity X_##_activity = { &X_, X_##_entry_ }

#endif /* not C++ */

#ifdef __cplusplus
}
#endif
#endif
