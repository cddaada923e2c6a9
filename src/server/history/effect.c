/*
 * effect.c: the queue of what runs do to one another in this input. It is a queue, not calls, since
 * the end of one run may end its children, and theirs in turn: nothing recurses.
 *
 * Loop's thread.
 */
#include "server/history/effect.h"

#include "server/history/child.h"
#include "server/history/external.h"

struct effect *effect_add(struct execution *execution, enum effect_kind kind, int64_t initiated_id)
{
	struct server *server = execution->server;
	struct effect *effect = ARENA_NEW(&server->scratch, struct effect);

	if (!effect) {
		server_no_memory(server);
		return NULL;
	}
	effect->run = execution->number;
	effect->kind = kind;
	effect->initiated_id = initiated_id;
	if (server->effects_last)
		server->effects_last->next = effect;
	else
		server->effects = effect;
	server->effects_last = effect;
	return effect;
}

static void run(struct execution *execution, const struct effect *effect)
{
	switch (effect->kind) {
	case EFFECT_START_CHILD:
		child_start(execution, effect->initiated_id);
		break;
	case EFFECT_SIGNAL:
		external_signal(execution, effect->initiated_id);
		break;
	case EFFECT_CANCEL:
		external_cancel(execution, effect->initiated_id);
		break;
	case EFFECT_CLOSED:
		child_tell_parent(execution);
		break;
	default:
		child_leave(execution, effect);
	}
}

void effect_run_all(struct server *server)
{
	while (server->effects) {
		const struct effect *effect = server->effects;
		struct execution *execution = state_numbered(server, effect->run);

		/* What caused it may have been deleted in this very input. */
		if (execution && !server->failed)
			run(execution, effect);
		server->effects = effect->next;
		if (!server->effects)
			server->effects_last = NULL;
	}
}
