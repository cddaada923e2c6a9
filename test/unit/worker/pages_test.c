/*
 * Answers in pages: which commands go with which page, and what happens when the server loses them.
 *
 * Method: the functions of pages.c on a run without an engine's task (whose size is then 0: nothing
 * is cut), and on replies made by hand. That large answers are cut is shown against a server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include <temporal/api/common/v1/grpc_status.pb-c.h>

#include "engine/engine.h"
#include "worker/limits.h"
#include "worker/pages.h"
#include "worker/run.h"
#include "worker/worker.h"

static const struct engine_config config = { .task_queue = "q" };

static void small_answers_are_whole(void **state)
{
	struct temporal_worker worker = { .takes_pages = true };
	Workflowservice__RespondWorkflowTaskCompletedRequest room,
		whole = WORKFLOWSERVICE__RESPOND_WORKFLOW_TASK_COMPLETED_REQUEST__INIT;
	struct worker_run run = { .worker = &worker, .engine = engine_run_new(&config, "r") };
	bool last = false;

	run.step.completed = &whole;
	assert_ptr_equal(worker_pages_next(&run, &room, &last), &whole);
	assert_true(last);
	engine_run_free(run.engine);
}

static void a_page_that_was_taken_is_followed_by_the_next(void **state)
{
	struct worker_run run = { .page_begin = 2, .page_end = 5 };
	struct rpc_reply reply = { .code = TEMPORAL_OK };

	assert_true(worker_pages_taken(&run, &reply));
	assert_int_equal(run.page, 1);
	assert_int_equal(run.page_begin, 5);
}

static void lost_pages_are_sent_again_a_few_times(void **state)
{
	Common__GrpcStatus status = COMMON__GRPC_STATUS__INIT;
	Google__Any detail = GOOGLE__ANY__INIT, *details[] = { &detail };
	struct worker_run run = { .page = 2, .page_begin = 9 };
	struct rpc_reply reply = { .code = TEMPORAL_UNAVAILABLE, .status = &status };

	assert_false(worker_pages_taken(&run, &reply)); /* another error is the answer's */
	detail.type_url = "type.googleapis.com/temporal.api.errordetails.v1."
			  "WorkflowTaskCompletionBufferLostFailure";
	status.details = details;
	status.n_details = 1;
	for (int i = 0; i < WORKER_PAGE_LOSSES_MAX; i++) {
		run.page = 2;
		assert_true(worker_pages_lost(&run, &reply));
		assert_int_equal(run.page, 0);
		assert_int_equal(run.page_begin, 0);
	}
	run.page = 2;
	assert_false(worker_pages_lost(&run, &reply));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_answers_are_whole),
		cmocka_unit_test(a_page_that_was_taken_is_followed_by_the_next),
		cmocka_unit_test(lost_pages_are_sent_again_a_few_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
