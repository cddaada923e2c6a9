/*
 * Goal: links keep what they name on the way to a URL and back; what is no link is passed by; where
 * memory is out there is no link rather than half of one. Method: literals, and each budget of an
 * arena up to one that does.
 */
#include "proto/link.h"
#include "proto_fixture.h"

static struct arena arena;

static int begin(void **state)
{
	arena_init(&arena, 256, ARENA_NO_BUDGET);
	return 0;
}

static int end(void **state)
{
	arena_finish(&arena);
	return 0;
}

#define TYPE "temporal.api.common.v1.Link.WorkflowEvent"
#define RUN  "temporal:///namespaces/sp%20ace/workflows/a%2Fb%3F/run%25/history"

struct example {
	Common__Link link;
	Common__Link__WorkflowEvent event;
	Common__Link__WorkflowEvent__RequestIdReference reference;
};

static const Common__Link *by_request(struct example *example)
{
	*example = (struct example){
		COMMON__LINK__INIT,
		COMMON__LINK__WORKFLOW_EVENT__INIT,
		COMMON__LINK__WORKFLOW_EVENT__REQUEST_ID_REFERENCE__INIT,
	};
	example->reference.request_id = "one&two=3";
	example->reference.event_type = ENUMS__EVENT_TYPE__EVENT_TYPE_WORKFLOW_EXECUTION_STARTED;
	example->event.namespace_ = "sp ace";
	example->event.workflow_id = "a/b?";
	example->event.run_id = "run%";
	example->event.reference_case = COMMON__LINK__WORKFLOW_EVENT__REFERENCE_REQUEST_ID_REF;
	example->event.request_id_ref = &example->reference;
	example->link.variant_case = COMMON__LINK__VARIANT_WORKFLOW_EVENT;
	example->link.workflow_event = &example->event;
	return &example->link;
}

#define BY_REQUEST \
	RUN "?eventType=WorkflowExecutionStarted&referenceType=RequestIdReference" \
	    "&requestID=one%26two%3D3"

static Common__Link *read(const char *url)
{
	Nexus__Link link = NEXUS__LINK__INIT, *const links[] = { &link };
	size_t n = 0;

	link.url = url;
	link.type = TYPE;
	Common__Link **found = proto_links_read(&arena, links, 1, &n);

	return n ? found[0] : NULL;
}

static void any_id_comes_back(void **state)
{
	struct example example;
	const Nexus__Link *text = proto_link_write(&arena, by_request(&example));

	assert_non_null(text);
	assert_string_equal(text->type, TYPE);
	assert_string_equal(text->url, BY_REQUEST);
	const Common__Link__WorkflowEvent *event = read(text->url)->workflow_event;

	assert_string_equal(event->namespace_, "sp ace");
	assert_string_equal(event->workflow_id, "a/b?");
	assert_string_equal(event->run_id, "run%");
	assert_string_equal(event->request_id_ref->request_id, "one&two=3");
	assert_int_equal(event->request_id_ref->event_type, example.reference.event_type);
}

static void what_is_no_link_is_passed_by(void **state)
{
	static const char *const wrong[] = {
		"",
		"::",
		"http:///namespaces/a/workflows/b/c/history",
		RUN,
		RUN "?",
		RUN "?referenceType=EventReference",
		RUN "?eventType=&referenceType=EventReference",
		RUN "?eventType=NoSuchEvent&referenceType=EventReference",
		RUN "?eventType=TimerFired&referenceType=Strange",
		RUN "/more?eventType=TimerFired&referenceType=EventReference",
		"temporal:///namespaces//workflows/b/c/history?eventType=TimerFired"
		"&referenceType=EventReference",
		"temporal:///namespaces/%/workflows/b/c/history?eventType=TimerFired"
		"&referenceType=EventReference",
		"temporal:///namespaces/a%00/workflows/b/c/history?eventType=TimerFired"
		"&referenceType=EventReference",
		"temporal:///namespaces/%ff/workflows/b/c/history?eventType=TimerFired"
		"&referenceType=EventReference",
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_null(read(wrong[i]));
}

/* It is kept in histories, whose texts are never NULL. */
static void a_request_without_an_id_has_an_empty_one(void **state)
{
	const Common__Link *link = read(RUN "?eventType=TimerFired&referenceType=RequestIdReference"
					    "&requestID=%zz");

	assert_non_null(link);
	assert_non_null(link->workflow_event->request_id_ref->request_id);
	assert_string_equal(link->workflow_event->request_id_ref->request_id, "");
}

static void without_memory_there_is_none(void **state)
{
	const Nexus__Link *text = NULL;
	size_t budget = 0;

	for (; !text; budget += 16) {
		struct example example;
		struct arena small;

		arena_init(&small, 64, budget);
		text = proto_link_write(&small, by_request(&example));
		if (text)
			assert_string_equal(text->url, BY_REQUEST);
		arena_finish(&small);
	}
	assert_true(budget > 256);
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(any_id_comes_back),
		TEST(what_is_no_link_is_passed_by),
		TEST(a_request_without_an_id_has_an_empty_one),
		TEST(without_memory_there_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
