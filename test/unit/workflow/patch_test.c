/*
 * Patches, and upserts of search attributes and memo. Method: as run_test.c.
 */
#include "play.h"

struct mill_in {
	int step;
};
typedef const char *mill_out;
TEMPORAL_WORKFLOW_CONTRACT(mill, "Mill", step);

static const struct temporal_entry first[] = { { "a", { .data = { "1", 1 } } },
	{ "b", { .data = { "2", 1 } } } };
static const struct temporal_entry second[] = { { "b", { .data = { "null", 4 } } },
	{ "a", { .data = { "3", 1 } } }, { "c", { .data = { "4", 1 } } } };

static mill_out say(struct wf *wf, const struct temporal_entries *entries)
{
	mill_out text = "";

	for (size_t i = 0; i < entries->count; i++)
		text = wf_printf(wf, "%s%s=%.*s ", text, entries->items[i].key,
			(int)entries->items[i].value.data.len,
			(const char *)entries->items[i].value.data.data);
	return text;
}

static mill_out mill_run(struct wf *wf, const struct mill_in *in)
{
	struct temporal_entries one = { first, 2 }, two = { second, 3 }, none = { NULL, 0 };

	if (in->step == 1) {
		wf_upsert_search_attributes(wf, &one);
		wf_upsert_memo(wf, &one);
		wf_upsert_memo(wf, &two);
		wf_upsert_memo(wf, &none);
		return wf_printf(wf, "%s| %s", say(wf, &wf_info(wf)->search_attributes),
			say(wf, &wf_info(wf)->memo));
	}
	bool new_way = wf_patched(wf, "way");
	wf_deprecate_patch(wf, "old");
	wf_sleep(wf, 1);
	bool again = wf_patched(wf, "way"), late = wf_patched(wf, "late");
	return wf_printf(wf, "%s %s %s", new_way ? "new" : "old", again ? "new" : "old",
		late ? "new" : "old");
}
TEMPORAL_WORKFLOW(mill);

static const struct temporal_workflow *const workflows[] = { &mill_workflow, NULL };

static void new_runs_are_patched(void **state)
{
	struct play play;

	play_open(&play, workflows);
	play_start(&play, "Mill", "0", NULL);
	play_expect(&play, "patch way\npatch old deprecated\ntimer 1 0.001s\n");
	play_fire(&play, 1);
	play_expect(&play, "patch way\npatch late\ncomplete \"new new new\"\n");
	play_close(&play);
}

/* What was not in history stays on the old way, also when the replay is over. */
static void a_replay_does_as_history_says(void **state)
{
	struct play play;

	play_open(&play, workflows);
	play.activation.is_replaying = true;
	play_start(&play, "Mill", "0", NULL);
	play_expect(&play, "timer 1 0.001s\n");
	play.activation.is_replaying = false;
	play_fire(&play, 1);
	play_expect(&play, "patch late\ncomplete \"old old new\"\n");
	play_close(&play);
}

static void a_replay_that_has_the_patch(void **state)
{
	struct play play;

	play_open(&play, workflows);
	play.activation.is_replaying = true;
	play_start(&play, "Mill", "0", NULL);
	play_job(&play, JOB_NOTIFY_HAS_PATCH)->has_patch.patch_id = "way";
	play_expect(&play, "patch way\ntimer 1 0.001s\n");
	play_fire(&play, 1);
	play_job(&play, JOB_NOTIFY_HAS_PATCH)->has_patch.patch_id = "late";
	play_expect(&play, "patch way\npatch late\ncomplete \"new new new\"\n");
	play_close(&play);
}

static void upserts_show_at_once(void **state)
{
	struct play play;

	play_open(&play, workflows);
	play_start(&play, "Mill", "1", NULL);
	play_expect(&play, "attributes a=1 b=2\nmemo a=1 b=2\nmemo b=null a=3 c=4\n"
			   "complete \"a=1 b=2 | a=3 c=4 \"\n");
	play_close(&play);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_runs_are_patched),
		cmocka_unit_test(a_replay_does_as_history_says),
		cmocka_unit_test(a_replay_that_has_the_patch),
		cmocka_unit_test(upserts_show_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
