/*
 * What the worker's options make of an activation's answer: mistakes that end the run, the
 * versioning behaviour, patches that are not switched on yet, logs on replay. Method: as
 * run_test.c.
 */
#include "play.h"

struct mill_in {
	int step;
};
typedef const char *mill_out;
TEMPORAL_WORKFLOW_CONTRACT(mill, "Mill", step);
typedef int mill_now_out;
TEMPORAL_QUERY_CONTRACT_0(mill_now, "now");

struct mill {
	int step;
};

static mill_now_out mill_now_run(const struct wf *wf, const struct mill *self)
{
	return self->step;
}
TEMPORAL_QUERY_0(mill, now);

static mill_out mill_run(struct wf *wf, struct mill *self, const struct mill_in *in)
{
	self->step = in->step;
	if (in->step == 1) {
		wf_detach(wf, wf_timer(wf, 1000));
		wf_sleep(wf, -5); /* a mistake */
	}
	if (in->step == 2) {
		wf_log(wf, TEMPORAL_LOG_INFO, "asked");
		return wf_patched(wf, "way") ? "new" : "old";
	}
	wf_deprecate_patch(wf, "gone");
	return "";
}
static const struct temporal_handler *const handlers[] = { &mill_now_handler, NULL };
TEMPORAL_STATEFUL_WORKFLOW(mill, handlers);

static const struct temporal_workflow *const workflows[] = { &mill_workflow, NULL };
static const char *const invalid[] = { "BadPayload", "InvalidArgument", NULL };
static const char *const others[] = { "BadPayload", NULL };
static const char *const all[] = { "*", NULL };

static void a_mistake_fails_the_task(void **state)
{
	struct play play;

	play_open(&play, workflows);
	play.config.failure_types = others;
	play_start(&play, "Mill", "1", NULL);
	play_expect(&play, "task failed: InvalidArgument: wf_timer: -5 ms is no duration\n");
	play_close(&play);
}

/* The commands before it stay, and the run can still be asked. */
static void a_listed_mistake_fails_the_run(void **state)
{
	const struct temporal_workflow_opts mine[] = { { &mill_workflow, 0, invalid },
		{ .workflow = NULL } };

	for (int by_type = 0; by_type < 3; by_type++) {
		struct play play;

		play_open(&play, workflows);
		play.config.failure_types = by_type == 0 ? invalid : by_type == 1 ? all : NULL;
		play.config.options = by_type == 2 ? mine : NULL;
		play_start(&play, "Mill", "1", NULL);
		play_expect(&play, "timer 1 1s\n"
				   "fail InvalidArgument: wf_timer: -5 ms is no duration\n");
		play_query(&play, "q", "now", NULL);
		play_expect(&play, "query q: 1\n");
		play_close(&play);
	}
}

static void a_versioned_worker_tells_the_behaviour(void **state)
{
	const struct temporal_workflow_opts mine[] = {
		{ &mill_workflow, TEMPORAL_VERSIONING_PINNED, NULL }, { .workflow = NULL }
	};
	struct play play;

	for (int own = 0; own < 3; own++) {
		play_open(&play, workflows);
		play.config.use_versioning = own > 0;
		play.config.default_versioning = TEMPORAL_VERSIONING_AUTO_UPGRADE;
		play.config.options = own == 2 ? mine : NULL;
		play_start(&play, "Mill", "0", NULL);
		play_expect(&play, "patch gone deprecated\ncomplete \"\"\n");
		assert_int_equal(play.completion->versioning_behavior,
			own == 0   ? 0
			: own == 1 ? ENUMS__VERSIONING_BEHAVIOR__VERSIONING_BEHAVIOR_AUTO_UPGRADE
				   : ENUMS__VERSIONING_BEHAVIOR__VERSIONING_BEHAVIOR_PINNED);
		play_close(&play);
	}
}

static int asked;

static bool not_yet(const char *patch_id, const struct wf_info *info, void *user)
{
	asked++;
	assert_string_equal(patch_id, "way");
	assert_string_equal(info->workflow_id, "wf-1");
	return *(bool *)user;
}

static void the_worker_decides_on_new_patches(void **state)
{
	bool yes = false;
	struct play play;

	for (int turn = 0; turn < 3; turn++) {
		asked = 0;
		yes = turn == 1;
		play_open(&play, workflows);
		play.config.use_patch = not_yet;
		play.config.user = &yes;
		play.activation.is_replaying = turn == 2;
		play_start(&play, "Mill", "2", NULL);
		play_expect(&play, yes ? "patch way\ncomplete \"new\"\n" : "complete \"old\"\n");
		assert_int_equal(asked, turn == 2 ? 0 : 1);
		play_close(&play);
	}
}

static void deprecated_patches_are_not_asked_for(void **state)
{
	bool yes = false;
	struct play play;

	asked = 0;
	play_open(&play, workflows);
	play.config.use_patch = not_yet;
	play.config.user = &yes;
	play_start(&play, "Mill", "0", NULL);
	play_expect(&play, "patch gone deprecated\ncomplete \"\"\n");
	assert_int_equal(asked, 0);
	play_close(&play);
}

static void logs_are_heard_on_replay_if_asked_for(void **state)
{
	for (int asks = 0; asks < 2; asks++) {
		struct play play;

		play_open(&play, workflows);
		play.config.log_on_replay = asks;
		play.activation.is_replaying = true;
		play_start(&play, "Mill", "2", NULL);
		play_expect(&play, "complete \"old\"\n");
		assert_string_equal(play.log, asks ? "3 asked\n" : "");
		play_close(&play);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mistake_fails_the_task),
		cmocka_unit_test(a_listed_mistake_fails_the_run),
		cmocka_unit_test(a_versioned_worker_tells_the_behaviour),
		cmocka_unit_test(the_worker_decides_on_new_patches),
		cmocka_unit_test(deprecated_patches_are_not_asked_for),
		cmocka_unit_test(logs_are_heard_on_replay_if_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
