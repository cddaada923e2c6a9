/*
 * Goal: a worker's metrics are there under their names and labels, and right; its readiness follows
 * its polls. Method: a worker with an endpoint runs workflows that complete, fail, are cancelled,
 * continue as new, fail a task, and run activities and local ones of every outcome; the text is
 * searched for the line of each series.
 */
#include "worker_fixture.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <temporal/metrics.h>

static struct temporal_metrics *metrics;

struct job_in {
	const char *how;
};
typedef int job_out;
TEMPORAL_ACTIVITY_CONTRACT(job, "job", how);

static const struct temporal_failure *job_run(
	struct act *act, const struct job_in *in, job_out *out)
{
	*out = 1;
	if (!strcmp(in->how, "fail"))
		return act_failure(act, "Broken", "it is broken");
	if (!strcmp(in->how, "benign"))
		return act_failure_with(act,
			&(const struct act_failure_opts){ .type = "Expected",
				.category = TEMPORAL_CATEGORY_BENIGN },
			"as expected");
	if (!strcmp(in->how, "wait") && act_wait(act, 20000))
		return act_cancelled_failure(act);
	return NULL;
}
TEMPORAL_ACTIVITY(job);

struct boss_in {
	const char *scene;
};
typedef const char *boss_out;
TEMPORAL_WORKFLOW_CONTRACT(boss, "Boss", scene);

static boss_out boss_run(struct wf *wf, const struct boss_in *in)
{
	static const struct temporal_retry_policy once = { .maximum_attempts = 1 };
	static const struct wf_activity_opts remote = { .start_to_close_ms = 5000, .retry = &once };
	static const struct wf_local_opts here = { .start_to_close_ms = 5000, .retry = &once };

	if (!strcmp(in->scene, "fail"))
		wf_fail(wf, "Bad", "it went wrong");
	if (!strcmp(in->scene, "sleep"))
		wf_sleep(wf, 60000);
	if (!strcmp(in->scene, "again"))
		wf_continue_as_new(wf, boss, NULL, .scene = "end");
	if (!strcmp(in->scene, "end"))
		return "end";
	wf_activity(wf, job, &remote, .how = "ok");
	wf_try(wf, wf_start_activity(wf, job, &remote, .how = "fail"));
	wf_try(wf, wf_start_activity(wf, job, &remote, .how = "benign"));
	wf_local(wf, job, &here, .how = "ok");
	wf_try(wf, wf_start_local(wf, job, &here, .how = "fail"));
	struct wf_future *waits = wf_start_local(wf, job, &here, .how = "wait");

	wf_sleep(wf, 1);
	wf_cancel(wf, waits);
	wf_try(wf, waits);
	return "done";
}
TEMPORAL_WORKFLOW(boss);
