/*
 * intercept.h: a client's calls through its interceptors.
 */
#ifndef CLIENT_INTERCEPT_H
#define CLIENT_INTERCEPT_H

#include <temporal/interceptor.h>

#include "client/call.h"
#include "client/request.h"

/* What interceptors see of a call and may change in place; NULL: the call has none of that. */
struct client_outbound {
	enum temporal_client_operation operation;
	const char *workflow_id, *run_id;
	struct client_input *input, *with; /* become untyped */
	const struct temporal_entries **headers;
	struct temporal_start_opts *start;
	const char **reason;
};

/* Has the client's interceptors look at it; nothing to do without any. The first error refuses the
 * call, which stays the caller's. */
enum temporal_code client_intercept(struct client_call *call,
	const struct client_outbound *outbound, struct temporal_error *err)
	__attribute__((warn_unused_result));

/* Of a call with `intercepted`: tells them of its end. Loop's thread. */
void client_intercept_ended(const struct client_call *call, const struct temporal_error *err);

#endif
