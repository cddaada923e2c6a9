/*
 * result_object.h: the inside of a result: how a run ended, or what a query answered.
 */
#ifndef CLIENT_RESULT_OBJECT_H
#define CLIENT_RESULT_OBJECT_H

#include <temporal/api/common/v1/message.pb-c.h>
#include <temporal/client.h>

#include "base/arena.h"

struct temporal_result {
	struct arena arena; /* owns all that follows, and what was decoded from it */
	enum temporal_status status;
	const char *workflow_id, *run_id, *next_run_id;
	const char *update_id; /* it is an update's outcome; NULL: a run's, or a query's answer */
	const struct temporal_failure *failure;
	struct temporal_payloads payloads;
	const Common__Payload *first; /* of the payloads, as the API has it; NULL: none */
};

/* An empty result with one owner. NULL: no memory. */
struct temporal_result *client_result_new(const char *workflow_id, const char *run_id,
	struct temporal_error *err) __attribute__((warn_unused_result));

/* "completed", "is running", ...: what follows "the workflow". */
const char *client_result_status_name(enum temporal_status status);

/* Copies the payloads into the result. */
enum temporal_code client_result_take_payloads(struct temporal_result *result,
	const Common__Payloads *payloads, struct temporal_error *err)
	__attribute__((warn_unused_result));

/* The payloads as public structs in the arena. */
enum temporal_code client_payloads_from_api(struct arena *arena, const Common__Payloads *from,
	struct temporal_payloads *out, struct temporal_error *err)
	__attribute__((warn_unused_result));

/* INVALID_ARGUMENT if the contract's result has pointers and nobody keeps what they point to. */
enum temporal_code client_result_check_keep(const struct temporal_contract *contract,
	const void *out, struct temporal_result **keep, struct temporal_error *err)
	__attribute__((warn_unused_result));

/*
 * The end of a typed call: the result goes to `*keep` with the codes that say it is there, and is
 * freed with others or when nobody wants it; `own` goes to `*err`. Returns the code.
 */
enum temporal_code client_result_hand_over(struct temporal_result *result, enum temporal_code code,
	struct temporal_result **keep, const struct temporal_error *own,
	struct temporal_error *err);

#endif
