/*
 * reset_points.c: the places to which a run can be reset because another build of its worker's code
 * took over there: one for each build, at its first completed workflow task. A chain of runs hands
 * them on; those of a run that has ended are good for as long as it is kept. Loop's thread.
 */
#include "proto/codec.h"
#include "proto/time.h"
#include "server/history/history.h"
#include "server/limits.h"

static Workflow__ResetPoints *points_of(const struct execution *execution)
{
	return proto_decode(&execution->server->scratch, &workflow__reset_points__descriptor,
		execution->reset_points.ptr, execution->reset_points.len, NULL, NULL);
}

static bool is_known(
	const Workflow__ResetPoints *points, const char *build_id, const char *checksum)
{
	for (size_t i = 0; i < points->n_points; i++) {
		if (str_same(points->points[i]->build_id, build_id) &&
			str_same(points->points[i]->binary_checksum, checksum))
			return true;
	}
	return false;
}

void reset_point_add(struct execution *execution,
	const History__WorkflowTaskCompletedEventAttributes *completed, int64_t time_ns)
{
	struct arena *arena = &execution->server->scratch;
	const char *checksum = completed->binary_checksum;
	const char *build_id = completed->worker_version ? completed->worker_version->build_id : "";
	Workflow__ResetPoints *points = points_of(execution);
	Workflow__ResetPointInfo point = WORKFLOW__RESET_POINT_INFO__INIT, **list;

	if (str_empty(checksum) && str_empty(build_id))
		return;
	list = points ? arena_array(arena, points->n_points + 1, sizeof(*list)) : NULL;
	if (!list) {
		server_no_memory(execution->server);
		return;
	}
	if (is_known(points, build_id, checksum))
		return;
	size_t skip = points->n_points >= SERVER_RESET_POINTS_MAX ? 1 : 0, n = 0;
	for (size_t i = skip; i < points->n_points; i++)
		list[n++] = points->points[i];
	point.build_id = build_id;
	point.binary_checksum = checksum;
	point.run_id = execution->run_id;
	point.first_workflow_task_completed_id = execution->last_completed_id;
	point.create_time = proto_timestamp_new(arena, time_ns);
	point.resettable = true;
	list[n++] = &point;
	points->points = list;
	points->n_points = n;
	state_set_bytes(execution->server, &execution->reset_points, points);
}

/* When this run is deleted, one cannot go back to its points any more. */
static void expire(
	const struct execution *execution, const char *run_id, Workflow__ResetPointInfo *point)
{
	struct server *server = execution->server;

	if (str_same(point->run_id, run_id))
		point->expire_time = proto_timestamp_new(&server->scratch,
			server->now_ns + execution->space->retention_ms * NS_PER_MS);
}

Workflow__ResetPoints *reset_points_hand_on(const struct execution *execution)
{
	Workflow__ResetPoints *points = execution->reset_points.len ? points_of(execution) : NULL;

	for (size_t i = 0; points && i < points->n_points; i++)
		expire(execution, execution->run_id, points->points[i]);
	return points;
}

void reset_points_take(struct execution *execution,
	const History__WorkflowExecutionStartedEventAttributes *started)
{
	struct server *server = execution->server;
	Workflow__ResetPoints *points = started->prev_auto_reset_points;
	size_t n = 0;

	if (!points || !points->n_points)
		return;
	points = proto_copy(&server->scratch, points);
	if (!points) {
		server_no_memory(server);
		return;
	}
	for (size_t i = 0; i < points->n_points; i++) {
		Workflow__ResetPointInfo *point = points->points[i];
		int64_t expires_ns = INT64_MAX;

		if (point->expire_time)
			(void)!proto_timestamp_ns(point->expire_time, &expires_ns);
		if (expires_ns < server->now_ns)
			continue;
		expire(execution, started->continued_execution_run_id, point);
		points->points[n++] = point;
	}
	points->n_points = n;
	state_set_bytes(server, &execution->reset_points, points);
}
