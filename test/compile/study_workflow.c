/*
 * The bindings of workflows and their handlers, in all forms: what is to compile, and that the
 * structs which they define say what was bound.
 *
 * Nothing of a run is needed for it: the functions are called with no run at hand, as none of them
 * acts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <temporal/workflow.h>

#define CHECK(condition_) check((condition_), #condition_, __LINE__)

static void check(bool ok, const char *what, int line)
{
	if (ok)
		return;
	fprintf(stderr, "study_workflow.c:%d: not so: %s\n", line, what);
	exit(1);
}

/* ---- without a state: arguments and a result, or neither ---- */

struct greet_in {
	const char *name;
};
typedef const char *greet_out;
TEMPORAL_WORKFLOW_CONTRACT(greet, "Greet", name);

static greet_out greet_run(struct wf *wf, const struct greet_in *in)
{
	return in->name;
}
TEMPORAL_WORKFLOW(greet);

static int pings;

typedef void ping_out;
TEMPORAL_WORKFLOW_CONTRACT_0(ping, "Ping");

static void ping_run(struct wf *wf)
{
	pings++;
}
TEMPORAL_WORKFLOW_0(ping);

/* ---- with a state and handlers of every kind ---- */

struct point {
	int32_t x, y;
};
TEMPORAL_RECORD(point, x, y);

struct tour_in {
	struct point start;
};
typedef struct point tour_out;
TEMPORAL_WORKFLOW_CONTRACT(tour, "Tour", RECORD(start, struct point), RETURNS(struct point));

struct tour {
	struct point at;
	bool stopped;
};

struct tour_move_in {
	int32_t dx, dy;
};
TEMPORAL_SIGNAL_CONTRACT(tour_move, "move", dx, dy);
TEMPORAL_SIGNAL_CONTRACT_0(tour_stop, "stop");

typedef struct point tour_where_out;
TEMPORAL_QUERY_CONTRACT_0(tour_where, "where", RETURNS(struct point));

struct tour_distance_in {
	struct point to;
};
typedef double tour_distance_out;
TEMPORAL_QUERY_CONTRACT(tour_distance, "distance", RECORD(to, struct point));

struct tour_jump_in {
	struct point to;
};
typedef bool tour_jump_out;
TEMPORAL_UPDATE_CONTRACT(tour_jump, "jump", RECORD(to, struct point));

typedef void tour_reset_out;
TEMPORAL_UPDATE_CONTRACT_0(tour_reset, "reset");

static void tour_move_run(struct wf *wf, struct tour *state, const struct tour_move_in *in)
{
	state->at.x += in->dx;
	state->at.y += in->dy;
}
TEMPORAL_SIGNAL(tour, move);

static void tour_stop_run(struct wf *wf, struct tour *state)
{
	state->stopped = true;
}
TEMPORAL_SIGNAL_0(tour, stop);

static tour_where_out tour_where_run(const struct wf *wf, const struct tour *state)
{
	return state->at;
}
TEMPORAL_QUERY_0(tour, where);

static tour_distance_out tour_distance_run(
	const struct wf *wf, const struct tour *state, const struct tour_distance_in *in)
{
	return in->to.x - state->at.x + in->to.y - state->at.y;
}
TEMPORAL_QUERY(tour, distance);

static const struct temporal_failure negative = { .message = "negative" };

static const struct temporal_failure *tour_jump_check(
	const struct wf *wf, const struct tour *state, const struct tour_jump_in *in)
{
	return in->to.x < 0 ? &negative : NULL;
}

static tour_jump_out tour_jump_run(struct wf *wf, struct tour *state, const struct tour_jump_in *in)
{
	state->at = in->to;
	return true;
}
TEMPORAL_UPDATE(tour, jump);

static const struct temporal_failure *tour_reset_check(
	const struct wf *wf, const struct tour *state)
{
	return state->stopped ? &negative : NULL;
}

static void tour_reset_run(struct wf *wf, struct tour *state)
{
	state->at = (struct point){ 0, 0 };
}
TEMPORAL_UPDATE_0(tour, reset);

static tour_out tour_run(struct wf *wf, struct tour *state, const struct tour_in *in)
{
	state->at = in->start;
	return state->at;
}
static const struct temporal_handler *const tour_handlers[] = {
	&tour_move_handler,
	&tour_stop_handler,
	&tour_where_handler,
	&tour_distance_handler,
	&tour_jump_handler,
	&tour_reset_handler,
	NULL,
};
TEMPORAL_STATEFUL_WORKFLOW(tour, tour_handlers);

static void workflows_call_their_functions(void)
{
	struct greet_in name = { "Ann" };
	struct tour_in start = { { 3, 4 } };
	const char *greeting = NULL;
	struct tour state = { .stopped = false };
	struct point point = { 0, 0 };

	greet_workflow.run(NULL, NULL, &name, &greeting);
	CHECK(strcmp(greeting, "Ann") == 0 && greet_workflow.contract == &greet);
	CHECK(greet_workflow.state_size == 0);
	ping_workflow.run(NULL, NULL, NULL, NULL);
	CHECK(pings == 1);
	tour_workflow.run(NULL, &state, &start, &point);
	CHECK(point.x == 3 && state.at.y == 4);
	CHECK(tour_workflow.state_size == sizeof(struct tour));
	CHECK(tour_workflow.handlers == tour_handlers);
}

static void handlers_call_their_functions(void)
{
	struct tour state = { .at = { 1, 1 } };
	struct tour_move_in move = { 2, 3 };
	struct tour_distance_in target = { { 10, 10 } };
	struct tour_jump_in jump = { { 7, 8 } }, wrong = { { -1, 0 } };
	struct point where = { 0, 0 };
	double distance = 0;
	bool done = false;

	tour_move_handler.signal(NULL, &state, &move);
	tour_where_handler.query(NULL, &state, NULL, &where);
	CHECK(where.x == 3 && where.y == 4);
	tour_distance_handler.query(NULL, &state, &target, &distance);
	CHECK(distance > 12.9 && distance < 13.1);
	CHECK(tour_jump_handler.check(NULL, &state, &wrong) == &negative);
	CHECK(!tour_jump_handler.check(NULL, &state, &jump));
	tour_jump_handler.update(NULL, &state, &jump, &done);
	CHECK(done && state.at.x == 7);
	CHECK(!tour_reset_handler.check(NULL, &state, NULL));
	tour_reset_handler.update(NULL, &state, NULL, NULL);
	CHECK(state.at.y == 0);
	tour_stop_handler.signal(NULL, &state, NULL);
	CHECK(state.stopped && tour_reset_handler.check(NULL, &state, NULL));
}

int main(void)
{
	workflows_call_their_functions();
	handlers_call_their_functions();
	return 0;
}
