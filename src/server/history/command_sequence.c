/*
 * command_sequence.c: a command that ends a run is the last one. Pure.
 */
#include "proto/enum_name.h"
#include "server/history/history.h"

#define TYPE(name_) ENUMS__COMMAND_TYPE__COMMAND_TYPE_##name_

static bool ends(const Command__Command *command)
{
	switch (command->command_type) {
	case TYPE(COMPLETE_WORKFLOW_EXECUTION):
	case TYPE(FAIL_WORKFLOW_EXECUTION):
	case TYPE(CANCEL_WORKFLOW_EXECUTION):
	case TYPE(CONTINUE_AS_NEW_WORKFLOW_EXECUTION):
		return true;
	default:
		return false;
	}
}

/* The names of all commands, for the text. */
static const char *list(Command__Command *const *commands, size_t n, struct arena *arena)
{
	char name[PROTO_ENUM_TEXT], *out = arena_alloc(arena, n * (PROTO_ENUM_TEXT + 2) + 1);
	size_t at = 0;

	for (size_t i = 0; out && i < n; i++) {
		const char *text = proto_command_name((int)commands[i]->command_type, name);
		size_t len = strlen(text);

		memcpy(out + at, i ? ", " : "", i ? 2 : 0);
		at += i ? 2 : 0;
		memcpy(out + at, text, len);
		at += len;
	}
	if (out)
		out[at] = '\0';
	return out ? out : "";
}

const char *command_sequence_invalid(
	Command__Command *const *commands, size_t n, struct arena *arena)
{
	char name[PROTO_ENUM_TEXT];

	for (size_t i = 0; i + 1 < n; i++) {
		if (ends(commands[i]))
			return arena_printf(arena,
				"invalid command sequence: [%s], command %s must be the last "
				"command.",
				list(commands, n, arena),
				proto_command_name((int)commands[i]->command_type, name));
	}
	return NULL;
}
