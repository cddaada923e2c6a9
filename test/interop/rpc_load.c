/*
 * rpc_load: what a call costs. `rpc_load serve PORT` answers GetSystemInfo; `rpc_load call
 * HOST:PORT CALLS IN_FLIGHT` makes that many calls and prints CPU and wall time of each, for the
 * figures of the transport.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "proto/codec.h"
#include "rpc/methods.h"
#include "rpc/server.h"
#include "temporal/api/workflowservice/v1/request_response.pb-c.h"

struct load {
	struct rpc_channel *channel;
	long left, running, failed;
	int in_flight;
	volatile int over;
};

static void start_one(struct load *load);

static void on_done(struct rpc_call *call, struct rpc_reply *reply, void *user)
{
	struct load *load = user;

	load->running--;
	if (reply->code != TEMPORAL_OK && load->failed++ == 0)
		fprintf(stderr, "%s\n", reply->error.message);
	if (load->failed == 100) /* a server that is not there is not waited for */
		load->left = 0;
	if (load->left > 0)
		start_one(load);
	else if (load->running == 0)
		load->over = 1;
}

static void start_one(struct load *load)
{
	Workflowservice__GetSystemInfoRequest request =
		WORKFLOWSERVICE__GET_SYSTEM_INFO_REQUEST__INIT;

	load->left--;
	load->running++;
	if (!rpc_start(load->channel,
		    &(struct rpc_request){ .method = &rpc_workflow_get_system_info,
			    .message = &request,
			    .done = on_done,
			    .user = load },
		    NULL))
		abort();
}

struct kick {
	struct rpc_task task;
	struct load *load;
};

static void begin(struct rpc_task *task)
{
	struct load *load = ((struct kick *)(void *)task)->load;

	for (int i = 0; i < load->in_flight && load->left > 0; i++)
		start_one(load);
}

static double cpu_us(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static int call(const char *target, long calls, int in_flight)
{
	struct temporal_error err;
	struct rpc_loop *loop = rpc_loop_new(&err);
	struct load load = { .left = calls, .in_flight = in_flight };
	struct kick kick = { .task = { .run = begin }, .load = &load };

	load.channel = rpc_channel_new(loop, &(struct rpc_connect_opts){ .target = target }, &err);
	if (!load.channel || rpc_loop_start(loop, "rpc", &err) != TEMPORAL_OK) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	double cpu = cpu_us(), wall = (double)rpc_now_ns() / 1e3;
	rpc_loop_post(loop, &kick.task);
	while (!load.over)
		usleep(1000);
	cpu = cpu_us() - cpu;
	wall = (double)rpc_now_ns() / 1e3 - wall;
	printf("%ld calls, %d in flight: %.2f us CPU a call, %.0f calls/s, %ld failed\n", calls,
		in_flight, cpu / (double)calls, (double)calls / wall * 1e6, load.failed);
	rpc_channel_unref(load.channel);
	rpc_loop_free(loop);
	return load.failed > 0;
}

static void answer(struct rpc_server_call *server_call, const void *request, void *user)
{
	Workflowservice__GetSystemInfoResponse response =
		WORKFLOWSERVICE__GET_SYSTEM_INFO_RESPONSE__INIT;
	Workflowservice__GetSystemInfoResponse__Capabilities capabilities =
		WORKFLOWSERVICE__GET_SYSTEM_INFO_RESPONSE__CAPABILITIES__INIT;

	capabilities.signal_and_query_header = capabilities.eager_workflow_start =
		capabilities.sdk_metadata = true;
	response.server_version = "1.32.0";
	response.capabilities = &capabilities;
	rpc_server_reply(server_call, &response);
}

static int serve(uint16_t port)
{
	const struct rpc_server_method methods[] = {
		{ .method = &rpc_workflow_get_system_info, .handle = answer },
	};
	const struct rpc_server_opts opts = { .port = port, .methods = methods, .n_methods = 1 };
	struct temporal_error err;
	struct rpc_loop *loop = rpc_loop_new(&err);
	struct rpc_server *server = loop ? rpc_server_new(loop, &opts, &err) : NULL;

	if (!server || rpc_loop_start(loop, "server", &err) != TEMPORAL_OK) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	printf("port %u\n", rpc_server_port(server));
	fflush(stdout);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		return serve((uint16_t)atoi(argv[2]));
	if (argc == 5 && strcmp(argv[1], "call") == 0)
		return call(argv[2], atol(argv[3]), atoi(argv[4]));
	fprintf(stderr, "usage: rpc_load serve PORT | rpc_load call HOST:PORT CALLS IN_FLIGHT\n");
	return 2;
}
