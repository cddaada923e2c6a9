/*
 * The gauges of task queues. Goal: a queue that goes leaves no figures behind, and the sticky
 * queues of a namespace are told of as one. Method: a fake world that counts; the gauges are read
 * as they were set last.
 */
#include <stdlib.h>

#include "fake_world.h"
#include "server/metrics.h"

#define SECOND (1000 * MS)

static struct temporal_metrics *registry;

static int set_up(void **state)
{
	registry = temporal_metrics_new(NULL, .prefix = "", .in_seconds = true);
	world_open();
	return !registry || !server_metrics_init(&world.server, registry);
}

static int tear_down(void **state)
{
	world_close();
	server_metrics_finish(&world.server);
	temporal_metrics_unref(registry);
	return 0;
}

/* -1: it is not there. */
static double gauge(const char *name, const char *task_queue)
{
	static char text[65536];
	char sought[64];
	size_t len = strlen(name);

	snprintf(sought, sizeof(sought), "taskqueue=\"%s\"", task_queue);
	temporal_metrics_text(registry, text, sizeof(text));
	for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
		const char *end = line + strcspn(line, "\n"), *found = strstr(line, sought);

		if (strncmp(line, name, len) == 0 && line[len] == '{' && found && found < end)
			return strtod(strchr(found, '}') + 1, NULL);
	}
	return -1;
}

static void a_queue_that_goes_leaves_no_poll(void **state)
{
	Taskqueue__TaskQueue polled = TASKQUEUE__TASK_QUEUE__INIT;
	Workflowservice__PollActivityTaskQueueRequest in =
		WORKFLOWSERVICE__POLL_ACTIVITY_TASK_QUEUE_REQUEST__INIT;
	struct answer poll;

	(void)state;
	polled.name = "polled";
	in.namespace_ = "default";
	in.task_queue = &polled;
	call(&poll, frontend_poll_activity, &in);
	server_metrics_collect(&world.server);
	assert_true(gauge("pending_polls", "polled") == 1);
	poll.request.cancelled(&poll.request);
	forget(&poll);
	world_pass(STATS_SEEN_NS);
	assert_int_equal(world.server.matching.n_queues, 0);
	server_metrics_collect(&world.server);
	assert_true(gauge("pending_polls", "polled") == 0);
}

static void offer(const char *name, struct matching_task *task)
{
	struct server *server = &world.server;

	transition_begin(server);
	struct task_queue *queue = matching_queue(
		server, state_namespace(server, "default"), name, MATCHING_QUEUE_WORKFLOW);
	assert_non_null(queue);
	queue->sticky = true;
	*task = (struct matching_task){ .kind = MATCHING_QUERY };
	matching_offer(queue, task);
	transition_end(server);
}

/* The sum of their tasks, and the age of the oldest, whichever queue has it. */
static void sticky_queues_are_one(void **state)
{
	static const char *const names[] = { "a", "b" };
	struct matching_task older, newer;

	(void)state;
	for (int first = 0; first < 2; first++) {
		offer(names[first], &older);
		world_pass(10 * SECOND);
		offer(names[!first], &newer);
		world_pass(5 * SECOND);
		server_metrics_collect(&world.server);
		assert_true(gauge("approximate_backlog_count", "__sticky__") == 2);
		assert_true(gauge("approximate_backlog_age_seconds", "__sticky__") == 15);
		matching_withdraw(&older);
		matching_withdraw(&newer);
	}
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_queue_that_goes_leaves_no_poll),
		TEST(sticky_queues_are_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
