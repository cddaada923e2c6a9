/*
 * Memory: marks and releases, the budget of a run, the lack of memory at every single allocation,
 * and what an idle run costs. Method: as run_test.c; the sweep repeats one busy run, failing the
 * first, second, ... allocation, until none is left to fail.
 */
#include "play.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sanitize.h"
#include "workflow/run.h"

struct echo_in {
	const char *text;
};
typedef const char *echo_out;
TEMPORAL_ACTIVITY_CONTRACT(echo, "echo", text);

static const struct wf_activity_opts fast = { .start_to_close_ms = 1000 };

struct busy {
	const char *note;
};
struct busy_in {
	const char *how;
};
typedef const char *busy_out;
TEMPORAL_WORKFLOW_CONTRACT(busy, "Busy", how);

struct busy_tell_in {
	const char *text;
};
TEMPORAL_SIGNAL_CONTRACT(busy_tell, "tell", text);
typedef const char *busy_told_out;
TEMPORAL_QUERY_CONTRACT_0(busy_told, "told");

static void busy_tell_run(struct wf *wf, struct busy *self, const struct busy_tell_in *in)
{
	self->note = wf_printf(wf, "told %s", in->text);
}
TEMPORAL_SIGNAL(busy, tell);

static busy_told_out busy_told_run(const struct wf *wf, const struct busy *self)
{
	return wf_printf(wf, "%s, yes", self->note);
}
TEMPORAL_QUERY_0(busy, told);

static void nap(struct wf *wf, void *arg)
{
	wf_sleep(wf, 5);
}

static busy_out loops(struct wf *wf, int rounds)
{
	for (int i = 0; i < rounds; i++) {
		struct wf_mark mark = wf_mark(wf);
		char *large = wf_alloc(wf, 4000);
		struct wf_future *future = wf_start_activity(wf, echo, &fast, .text = "again");

		memset(large, 1, 4000);
		if (strcmp(wf_await(wf, echo, future), "x"))
			wf_fail(wf, "Wrong", "not x");
		wf_release(wf, mark);
	}
	return "looped";
}

static bool never(const void *state)
{
	return false;
}

/* What was started before the mark stays, whatever became of the newest of it. */
static busy_out holds(struct wf *wf)
{
	struct wf_future *kept = wf_start_activity(wf, echo, &fast, .text = "kept");

	wf_wait(wf, kept);
	if (wf_until_timeout(wf, never, NULL, 1))
		return "?";
	struct wf_mark mark = wf_mark(wf);
	wf_sleep(wf, 1);
	wf_sleep(wf, 1);
	wf_release(wf, mark);
	struct wf_future *other = wf_timer(wf, 1);
	return other == kept ? "taken away" : wf_await(wf, echo, kept);
}

static busy_out busy_run(struct wf *wf, struct busy *self, const struct busy_in *in)
{
	if (!strcmp(in->how, "loop"))
		return loops(wf, 1000);
	if (!strcmp(in->how, "hold"))
		return holds(wf);
	if (!strcmp(in->how, "eat"))
		for (;;)
			memset(wf_alloc(wf, 4000), 1, 4000);
	if (!strcmp(in->how, "idle"))
		wf_sleep(wf, 1000);
	struct wf_future *part = wf_go(wf, nap, NULL);
	struct wf_future *other = wf_start_activity(wf, echo, &fast, .text = "one");
	struct wf_future *timer = wf_timer(wf, 1000);
	if (wf_select(wf, timer, other, NULL) == timer)
		wf_fail(wf, "Late", "too late");
	wf_cancel(wf, timer);
	wf_wait(wf, part);
	const char *text = wf_await(wf, echo, other);
	return wf_printf(wf, "%s %s %s", text, wf_activity(wf, echo, &fast, .text = text),
		wf_uuid4(wf) ? "id" : "");
}

static const struct temporal_handler *const busy_handlers[] = { &busy_tell_handler,
	&busy_told_handler, NULL };
TEMPORAL_STATEFUL_WORKFLOW(busy, busy_handlers);

static const struct temporal_workflow *const workflows[] = { &busy_workflow, NULL };

/* ---- marks ---- */

static void a_loop_with_marks_stays_small(void **state)
{
	struct play play;
	size_t after_ten = 0;

	play_open(&play, workflows);
	play_start(&play, "Busy", "\"loop\"", NULL);
	play_expect(&play, "activity 1 echo(\"again\")\n");
	for (uint32_t i = 1; i < 1000; i++) {
		play_activity(&play, i, "\"x\"");
		play_run(&play);
		assert_non_null(strstr(play.text, "activity"));
		if (i == 10)
			after_ten = wf_instance_memory(play.instance);
	}
	assert_true(wf_instance_memory(play.instance) <= after_ten);
	play_activity(&play, 1000, "\"x\"");
	play_expect(&play, "complete \"looped\"\n");
	play_close(&play);
}

static void a_release_leaves_what_is_older(void **state)
{
	struct play play;

	play_open(&play, workflows);
	play_start(&play, "Busy", "\"hold\"", NULL);
	play_run(&play);
	play_activity(&play, 1, "\"still here\"");
	play_run(&play);
	for (uint32_t seq = 1; seq <= 3; seq++) {
		play_fire(&play, seq);
		play_run(&play);
	}
	assert_string_equal(play.text, "timer 4 0.001s\ncomplete \"still here\"\n");
	play_close(&play);
}

/* ---- lack of memory ---- */

static void a_run_has_a_budget(void **state)
{
	struct play play;

	play_open(&play, workflows);
	play.config.memory_max = 1024 * 1024;
	wf_instance_free(play.instance);
	play.instance = wf_instance_new(play.thread, "run-1");
	play_start(&play, "Busy", "\"eat\"", NULL);
	play_expect(&play, "task failed: : the workflow's memory is exhausted: the run's budget, "
			   "or the process\n");
	assert_true(wf_instance_memory(play.instance) < 2 * 1024 * 1024);
	play_close(&play);
}

/* One busy run; false as soon as it has failed its task. */
static bool goes_well(struct play *play)
{
	play_start(play, "Busy", "\"work\"", NULL);
	play_signal(play, "tell", "\"me\"");
	play_signal(play, "unknown", "1");
	play_run(play);
	if (play->completion->failed)
		return false;
	play_activity(play, 1, "\"A\"");
	play_run(play);
	if (play->completion->failed)
		return false;
	play_query(play, "q", "told", NULL);
	play_query(play, "r", "__stack_trace", NULL);
	play_query(play, "s", "__temporal_workflow_metadata", NULL);
	play_run(play);
	if (play->completion->failed)
		return false;
	assert_non_null(strstr(play->text, "query q: \"told me, yes\""));
	play_fire(play, 2);
	play_run(play);
	if (play->completion->failed)
		return false;
	play_activity(play, 2, "\"B\"");
	play_run(play);
	if (play->completion->failed)
		return false;
	assert_string_equal(play->text, "complete \"A B id\"\n");
	return true;
}

/*
 * Goal: whichever allocation fails, the task fails with that reason or nothing is amiss at all.
 * The test's own allocations are not meant: its arena has room enough.
 */
static void any_allocation_may_fail(void **state)
{
	long failures = 0;

	for (long after = 0; after < 1000; after++) {
		struct play play;

		play_open(&play, workflows);
		mem_fault_set(after, 0);
		bool well = goes_well(&play);
		bool hit = mem_fault_hit();
		mem_fault_set(-1, 0);
		if (!well) {
			assert_true(hit);
			assert_non_null(strstr(
				play.text, "task failed: : the workflow's memory is exhausted"));
			failures++;
		}
		play_close(&play);
		if (!hit)
			break;
	}
	assert_true(failures >= 5); /* chunks, stacks, tables */
}

/* The same by the run's budget, which is finer: near its end each allocation is a chunk of its own.
 */
static void any_budget_may_be_too_small(void **state)
{
	size_t failures = 0, budget = 64;
	bool well = false;

	for (; !well && budget < 65536; budget += 48) {
		struct play play;

		play_open(&play, workflows);
		play.config.memory_max = budget;
		wf_instance_free(play.instance);
		play.instance = wf_instance_new(play.thread, "run-1");
		if (!play.instance) {
			play_close(&play);
			continue;
		}
		well = goes_well(&play);
		failures += !well;
		if (!well)
			assert_non_null(strstr(
				play.text, "task failed: : the workflow's memory is exhausted"));
		play_close(&play);
	}
	assert_true(well);
	assert_true(failures > 40);
	print_message("the busy run needs a budget of %zu bytes; %zu smaller ones failed\n", budget,
		failures);
}

/* ---- what an idle run costs ---- */

static size_t resident(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	unsigned long all, pages;

	assert_int_equal(fscanf(file, "%lu %lu", &all, &pages), 2);
	fclose(file);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

#if defined(SANITIZE_ADDRESS) || defined(SANITIZE_THREAD)
enum {
	IDLE = 10000,
	MEASURABLE = 0
}; /* their memory is not ours */
#else
enum {
	IDLE = 10000,
	MEASURABLE = 1
};
#endif

static void ten_thousand_idle_runs_cost_little(void **state)
{
	static struct wf_instance *instances[IDLE];
	struct play play;

	if (!MEASURABLE || getenv("TEMPORAL_TEST_VALGRIND"))
		skip();
	play_open(&play, workflows);
	size_t before = resident();
	for (int i = 0; i < IDLE; i++) {
		instances[i] = wf_instance_new(play.thread, "0190a1b2-0000-7000-8000-000000000000");
		assert_non_null(instances[i]);
		play_start(&play, "Busy", "\"idle\"", NULL);
		play.activation.jobs = play.jobs;
		play.activation.run_id = play.activation.deployment_name =
			play.activation.build_id = "";
		const struct completion *completion =
			wf_instance_activate(instances[i], &play.activation);
		play.activation.n_jobs = 0;
		assert_int_equal(completion->n_commands, 1);
		wf_instance_done(instances[i]);
		arena_reset(&play.arena);
	}
	size_t each = (resident() - before) / IDLE;
	print_message("an idle run: %zu bytes resident, %zu by its own count\n", each,
		wf_instance_memory(instances[0]));
	assert_true(each <= 6656); /* with the engine's part: 8 KiB */
	for (int i = 0; i < IDLE; i++)
		wf_instance_free(instances[i]);
	play_close(&play);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_loop_with_marks_stays_small),
		cmocka_unit_test(a_release_leaves_what_is_older),
		cmocka_unit_test(a_run_has_a_budget),
		cmocka_unit_test(any_allocation_may_fail),
		cmocka_unit_test(any_budget_may_be_too_small),
		cmocka_unit_test(ten_thousand_idle_runs_cost_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
