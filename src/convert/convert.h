/*
 * convert.h: values of contracts to and from payloads, failures to and from messages. Never on a
 * coroutine's stack.
 */
#ifndef CONVERT_CONVERT_H
#define CONVERT_CONVERT_H

#include <temporal/api/common/v1/message.pb-c.h>
#include <temporal/api/failure/v1/message.pb-c.h>
#include <temporal/types.h>

#include "base/arena.h"

/*
 * The fields of `in` (a contract's struct X_in; NULL if it has none) as positional payloads;
 * `*payloads` is an array in the arena. INVALID_ARGUMENT names the argument: "argument 2 (amount):
 * expected a finite number, got NaN". An optional one that is NULL is sent as null.
 */
enum temporal_code convert_encode_arguments(struct arena *arena,
	const struct temporal_contract *contract, const void *in, Common__Payload ***payloads,
	size_t *n_payloads, struct temporal_error *err) __attribute__((warn_unused_result));

/*
 * The way back: fills `in` (contract->in.size bytes); everything that it points to is copied to the
 * arena. BAD_PAYLOAD names the argument and what was expected; too many arguments are an error, and
 * so are too few, unless the missing ones are optional.
 */
enum temporal_code convert_decode_arguments(struct arena *arena,
	const struct temporal_contract *contract, Common__Payload *const *payloads,
	size_t n_payloads, void *in, struct temporal_error *err)
	__attribute__((warn_unused_result));

/*
 * A result (a contract's X_out), with the same errors. A void result is NULL (no payload) and
 * accepts anything.
 */
enum temporal_code convert_encode_result(struct arena *arena,
	const struct temporal_contract *contract, const void *out, Common__Payload **payload,
	struct temporal_error *err) __attribute__((warn_unused_result));
enum temporal_code convert_decode_result(struct arena *arena,
	const struct temporal_contract *contract, const Common__Payload *payload, void *out,
	struct temporal_error *err) __attribute__((warn_unused_result));

/*
 * Between the API's payload and the public struct; both ways everything is copied to the arena.
 * NULL or NO_MEMORY: no memory, and no other failure.
 */
Common__Payload *convert_payload_to_api(
	struct arena *arena, const struct temporal_payload *payload);
enum temporal_code convert_payload_from_api(struct arena *arena, const Common__Payload *payload,
	struct temporal_payload *out) __attribute__((warn_unused_result));
/* Several. NULL or false: no memory. */
Common__Payloads *convert_payloads_to_api(
	struct arena *arena, const struct temporal_payloads *payloads);
bool convert_payloads_from_api(struct arena *arena, Common__Payload *const *items, size_t count,
	struct temporal_payloads *out) __attribute__((warn_unused_result));

/*
 * A failure with its chain of causes (iterative; a chain longer than 100 is cut). NULL: no memory.
 * Encoding gives the source "CSDK" where none is set. Encoded attributes ("Encoded failure") are
 * decoded when present.
 */
const struct temporal_failure *convert_failure_from_api(
	struct arena *arena, const Failure__Failure *failure);
Failure__Failure *convert_failure_to_api(
	struct arena *arena, const struct temporal_failure *failure);

/* A deep copy of a public failure into another arena. NULL: no memory. */
const struct temporal_failure *convert_failure_copy(
	struct arena *arena, const struct temporal_failure *failure);

#endif
