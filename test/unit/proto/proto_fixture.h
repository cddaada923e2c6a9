/* What the tests of src/proto share: an arena that is always given back, and bytes written by hand.
 */
#ifndef TEST_PROTO_FIXTURE_H
#define TEST_PROTO_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/mem.h"
#include "proto/codec.h"
#include "temporal/api/common/v1/message.pb-c.h"
#include "temporal/api/failure/v1/message.pb-c.h"
#include "temporal/api/history/v1/message.pb-c.h"
#include "temporal/api/sdk/v1/task_complete_metadata.pb-c.h"
#include "temporal/api/workflowservice/v1/request_response.pb-c.h"

struct fixture {
	struct arena arena;
	struct temporal_error err;
};

static inline int fixture_setup(void **state)
{
	static struct fixture fixture;

	fixture = (struct fixture){ 0 };
	arena_init(&fixture.arena, 1024, ARENA_NO_BUDGET);
	*state = &fixture;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	arena_finish(&((struct fixture *)*state)->arena);
	return 0;
}

#define FIXTURE_TEST(function_) \
	cmocka_unit_test_setup_teardown(function_, fixture_setup, fixture_teardown)

/* Processor time of this thread in milliseconds. */
static inline double cpu_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

#define DECODE(fixture_, descriptor_, literal_) \
	proto_decode(&(fixture_)->arena, &(descriptor_), (literal_), sizeof(literal_) - 1, NULL, \
		&(fixture_)->err)

#endif
