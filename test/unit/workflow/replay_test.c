/*
 * Determinism: a run that is played again gives the same commands, wherever its memory lies.
 *
 * Method: a workflow whose coroutines do things by its own random numbers (start, wait, race,
 * cancel, fail, clean up) is driven by jobs that a seed chooses among what is open; every answer is
 * written down. Then the same jobs go to a second run, after the heap has been stirred, cut into
 * the same activations; all answers must be equal. A failure prints the seed.
 */
#include "play.h"

#include <stdlib.h>

typedef void work_out;
TEMPORAL_ACTIVITY_CONTRACT_0(work, "work");

struct maze {
	int signals, depth;
};
typedef int maze_out;
TEMPORAL_WORKFLOW_CONTRACT_0(maze, "Maze");
struct maze_push_in {
	int by;
};
TEMPORAL_SIGNAL_CONTRACT(maze_push, "push", by);

static void wander(struct wf *wf, void *arg);

static bool pushed(const void *state)
{
	return ((const struct maze *)state)->signals % 3 == 0;
}

static struct wf_future *begin_something(struct wf *wf, struct maze *self)
{
	switch (wf_random_below(wf, self->depth < 12 ? 4 : 3)) {
	case 0:
		return wf_timer(wf, (int64_t)wf_random_below(wf, 3) * 100);
	case 1:
		return wf_start_activity_0(wf, work, WF_ACTIVITY_OPTS(.start_to_close_ms = 1));
	case 2:
		return wf_until(wf, pushed, self);
	default:
		self->depth++;
		return wf_go(wf, wander, self);
	}
}

static void tidy_up(struct wf *wf, void *arg)
{
	wf_sleep(wf, 50);
}

static void wander(struct wf *wf, void *arg)
{
	struct maze *self = arg;
	struct wf_future *open[4];
	struct wf_mark mark = wf_mark(wf);

	if (wf_random_below(wf, 4) == 0)
		wf_defer(wf, tidy_up, NULL);
	for (int i = 0; i < 4; i++)
		open[i] = begin_something(wf, self);
	struct wf_future *first = wf_select_n(wf, open, 4);
	for (int i = 0; i < 4; i++) {
		if (open[i] != first && wf_random_below(wf, 2))
			wf_cancel(wf, open[i]);
	}
	if (wf_random_below(wf, 5) == 0)
		wf_fail(wf, "Lost", "%d", self->depth);
	if (wf_try(wf, open[wf_random_below(wf, 4)]))
		wf_log(wf, TEMPORAL_LOG_INFO, "a dead end");
	wf_release(wf, mark);
}

static maze_out maze_run(struct wf *wf, struct maze *self)
{
	for (int i = 0; i < 6; i++) {
		struct wf_future *walk = wf_go(wf, wander, self);

		if (wf_try(wf, walk))
			wf_sleep(wf, 10);
	}
	return self->signals;
}

static void maze_push_run(struct wf *wf, struct maze *self, const struct maze_push_in *in)
{
	self->signals += in->by;
	if (self->signals % 2)
		wf_activity_0(wf, work, WF_ACTIVITY_OPTS(.start_to_close_ms = 1));
}
TEMPORAL_SIGNAL(maze, push);

static const struct temporal_handler *const maze_handlers[] = { &maze_push_handler, NULL };
TEMPORAL_STATEFUL_WORKFLOW_0(maze, maze_handlers);
static const struct temporal_workflow *const workflows[] = { &maze_workflow, NULL };

/* ---- the player: what is open, and a script of what was done ---- */

enum {
	STEPS = 60,
	OPEN = 4096,
	ANSWER = 8192
};

struct game {
	struct play play;
	uint64_t random;
	bool timer[OPEN], activity[OPEN], asked[OPEN]; /* by number: open; asked to stop */
	uint32_t n_timers, n_activities;
	bool over;
};

static uint32_t draw(struct game *game, uint32_t bound)
{
	game->random = game->random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(game->random >> 33) % bound;
}

static void follow(struct game *game)
{
	const struct completion *completion = game->play.completion;

	if (completion->failed)
		game->over = true;
	for (size_t i = 0; i < completion->n_commands; i++) {
		const struct command *command = &completion->commands[i];

		if (command->kind == COMMAND_START_TIMER)
			game->timer[game->n_timers = command->start_timer.seq] = true;
		else if (command->kind == COMMAND_CANCEL_TIMER)
			game->timer[command->cancel_timer.seq] = false;
		else if (command->kind == COMMAND_SCHEDULE_ACTIVITY)
			game->activity[game->n_activities = command->schedule_activity.seq] = true;
		else if (command->kind == COMMAND_REQUEST_CANCEL_ACTIVITY)
			game->asked[command->request_cancel_activity.seq] = true;
		else
			game->over = true;
	}
	assert_true(game->n_timers < OPEN - 100 && game->n_activities < OPEN - 100);
}

static void choose(struct game *game)
{
	uint32_t which;

	switch (draw(game, 4)) {
	case 0:
		play_signal(&game->play, "push", draw(game, 2) ? "1" : "2");
		return;
	case 1:
		which = 1 + draw(game, game->n_timers + 1);
		if (game->timer[which])
			play_fire(&game->play, which);
		game->timer[which] = false;
		return;
	default:
		which = 1 + draw(game, game->n_activities + 1);
		if (game->activity[which] && game->asked[which])
			play_activity_failed(&game->play, which, TEMPORAL_FAILURE_CANCELLED, NULL);
		else if (game->activity[which] && draw(game, 3) == 0)
			play_activity_failed(
				&game->play, which, TEMPORAL_FAILURE_APPLICATION, "Bad");
		else if (game->activity[which])
			play_activity(&game->play, which, NULL);
		game->activity[which] = false;
	}
}

/* Plays a whole run by the seed; the answers go to `answers`. */
static size_t play_by(uint64_t seed, char (*answers)[ANSWER])
{
	static struct game game;
	size_t step = 0;

	memset(&game, 0, sizeof(game));
	game.random = seed;
	play_open(&game.play, workflows);
	play_start(&game.play, "Maze", NULL);
	game.play.initialize.randomness_seed = seed;
	for (; step < STEPS && !game.over; step++) {
		play_run(&game.play);
		snprintf(answers[step], ANSWER, "%s", game.play.text);
		follow(&game);
		for (uint32_t i = 1 + draw(&game, 4); i > 0; i--)
			choose(&game);
	}
	play_close(&game.play);
	return step;
}

static void the_same_jobs_give_the_same_commands(void **state)
{
	static char first[STEPS][ANSWER], second[STEPS][ANSWER];
	size_t commands = 0;

	for (uint64_t seed = 1; seed <= 300; seed++) {
		size_t steps = play_by(seed, first);
		void *stir[7];

		for (size_t i = 0; i < 7; i++)
			stir[i] = malloc(100 + 531 * (seed + i) % 4096);
		size_t again = play_by(seed, second);
		for (size_t i = 0; i < 7; i++)
			free(stir[i]);
		if (steps != again)
			fail_msg("seed %u: %zu steps, then %zu", (unsigned)seed, steps, again);
		for (size_t i = 0; i < steps; i++) {
			if (strcmp(first[i], second[i]) != 0)
				fail_msg("seed %u, step %zu: %s, then %s", (unsigned)seed, i,
					first[i], second[i]);
			commands += strlen(first[i]) > 0;
			if (strstr(first[i], "task failed"))
				fail_msg("seed %u, step %zu: %s", (unsigned)seed, i, first[i]);
		}
	}
	assert_true(commands > 1000); /* something did happen */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_jobs_give_the_same_commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
