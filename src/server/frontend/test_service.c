/*
 * test_service.c: the API's test service: the time is read, locked, unlocked and slept through. A
 * server without time skipping has no such service. Loop's thread.
 */
#include "proto/time.h"
#include "server/frontend/frontend.h"
#include "temporal/api/testservice/v1/request_response.pb-c.h"

static bool served(struct request *request)
{
	if (request->server->time.on)
		return true;
	request_fail(request, TEMPORAL_UNIMPLEMENTED, NULL,
		"unknown service temporal.api.testservice.v1.TestService");
	return false;
}

void frontend_lock_time(struct request *request)
{
	if (!served(request))
		return;
	virtual_time_lock(request->server);
	request_reply(request, REQUEST_NEW(request, Testservice__LockTimeSkippingResponse,
				       testservice__lock_time_skipping_response));
}

void frontend_unlock_time(struct request *request)
{
	if (!served(request))
		return;
	virtual_time_unlock(request->server);
	request_reply(request, REQUEST_NEW(request, Testservice__UnlockTimeSkippingResponse,
				       testservice__unlock_time_skipping_response));
}

/* A duration that is missing or negative is none, as in the Java test server. */
static void sleep_for(struct request *request, bool unlocked)
{
	const Testservice__SleepRequest *in = request->message;
	int64_t now = request->server->now_ns, ns = 0;

	if (!served(request))
		return;
	if (in->duration && !proto_duration_ns(in->duration, &ns)) {
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL,
			"An invalid Duration is set on request.");
		return;
	}
	virtual_time_sleep(request, ns > INT64_MAX - now ? INT64_MAX : now + ns, unlocked);
}

void frontend_sleep(struct request *request)
{
	sleep_for(request, false);
}

void frontend_unlock_time_with_sleep(struct request *request)
{
	sleep_for(request, true);
}

void frontend_sleep_until(struct request *request)
{
	const Testservice__SleepUntilRequest *in = request->message;
	int64_t due_ns = 0;

	if (!served(request))
		return;
	if (in->timestamp && !proto_timestamp_ns(in->timestamp, &due_ns)) {
		request_fail(request, TEMPORAL_INVALID_ARGUMENT, NULL,
			"An invalid Timestamp is set on request.");
		return;
	}
	virtual_time_sleep(request, due_ns, false);
}

void frontend_get_time(struct request *request)
{
	Testservice__GetCurrentTimeResponse *response;

	if (!served(request))
		return;
	response = REQUEST_NEW(request, Testservice__GetCurrentTimeResponse,
		testservice__get_current_time_response);
	response->time = proto_timestamp_new(request->arena, request->server->now_ns);
	request_reply(request, response);
}
