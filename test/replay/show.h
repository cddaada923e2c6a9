/*
 * show.h: what the engine says, as words (each ended by '\n'), to be compared with a replay test's
 * lines.
 */
#ifndef REPLAY_SHOW_H
#define REPLAY_SHOW_H

#include "engine/engine.h"

const char *show_action(enum engine_action action);
char *show_activation(struct arena *arena, const struct activation *activation);
char *show_job(struct arena *arena, const struct activation_job *job);
char *show_command(struct arena *arena, const Command__Command *command);

#endif
