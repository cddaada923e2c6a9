/*
 * timer.c: the timers of workflows: a command starts one, its time or another command ends it.
 * Loop's thread.
 */
#include "base/mem.h"
#include "proto/time.h"
#include "server/history/history.h"

static void erase(struct user_timer *timer)
{
	struct execution *execution = timer->execution;

	transition_erase(execution->server,
		(struct entity_key){ ENTITY_TIMER, execution->number, timer->started_id });
	transition_touch(execution);
	state_timer_free(timer);
}

static void fired(struct timers_entry *entry)
{
	struct user_timer *timer =
		(struct user_timer *)(void *)((char *)entry - offsetof(struct user_timer, timer));
	struct execution *execution = timer->execution;
	History__TimerFiredEventAttributes attributes = HISTORY__TIMER_FIRED_EVENT_ATTRIBUTES__INIT;

	attributes.timer_id = timer->id;
	attributes.started_event_id = timer->started_id;
	event_add(execution, ENUMS__EVENT_TYPE__EVENT_TYPE_TIMER_FIRED, &attributes);
	erase(timer);
	workflow_task_wake(execution);
	transition_durable(execution->server);
}

void timer_arm(struct user_timer *timer)
{
	struct server *server = timer->execution->server;

	if (!timers_set(&server->timers, &timer->timer, timer->due_ns, fired))
		server_no_memory(server);
}

void command_start_timer(struct decision *decision, const Command__Command *command)
{
	struct execution *execution = decision->execution;
	const Command__StartTimerCommandAttributes *in = command->start_timer_command_attributes;
	History__TimerStartedEventAttributes attributes =
		HISTORY__TIMER_STARTED_EVENT_ATTRIBUTES__INIT;
	struct event_extras extras = event_extras_of(command);
	struct user_timer *timer = state_timer_new(execution);
	int64_t delay_ns = 0;

	if (!timer)
		return;
	attributes.timer_id = in->timer_id;
	attributes.start_to_fire_timeout = in->start_to_fire_timeout;
	attributes.workflow_task_completed_event_id = decision->completed_id;
	timer->started_id = event_add_with(
		execution, ENUMS__EVENT_TYPE__EVENT_TYPE_TIMER_STARTED, &attributes, &extras);
	state_set_text(execution->server, &timer->id, in->timer_id);
	if (!proto_duration_ns(in->start_to_fire_timeout, &delay_ns) ||
		delay_ns > INT64_MAX - execution->server->now_ns)
		timer->due_ns = INT64_MAX;
	else
		timer->due_ns = execution->server->now_ns + delay_ns;
	transition_record(execution->server,
		(struct entity_key){ ENTITY_TIMER, execution->number, timer->started_id },
		&state_timer_type, timer);
	timer_arm(timer);
}

void command_cancel_timer(struct decision *decision, const Command__Command *command)
{
	struct execution *execution = decision->execution;
	const char *id = command->cancel_timer_command_attributes->timer_id;
	struct user_timer *timer = state_timer_by_id(execution, id);
	History__TimerCanceledEventAttributes attributes =
		HISTORY__TIMER_CANCELED_EVENT_ATTRIBUTES__INIT;

	attributes.timer_id = id;
	attributes.workflow_task_completed_event_id = decision->completed_id;
	attributes.identity = decision->message->identity;
	if (timer)
		attributes.started_event_id = timer->started_id;
	else
		event_unbuffer_timer(execution, id, &attributes.started_event_id);
	event_add(execution, ENUMS__EVENT_TYPE__EVENT_TYPE_TIMER_CANCELED, &attributes);
	if (timer)
		erase(timer);
}
