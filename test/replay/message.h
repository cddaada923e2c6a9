/*
 * message.h: protobuf messages from and to the words of replay tests, by their descriptors.
 *
 * A word is path=value, with the names of the .proto files: started_event_id=3,
 * activity_type.name=charge. Short forms: a Payload or Payloads is its data, several joined by '|';
 * a Duration or Timestamp is a number of ms; a message whose only interesting field is its name
 * (ActivityType, WorkflowType, TaskQueue) is that name; numbers repeated are joined by
 * ','. An enum is a number.
 */
#ifndef REPLAY_MESSAGE_H
#define REPLAY_MESSAGE_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

#include "base/arena.h"

/* Sets what the path says. False if there is no such field. */
bool message_set(
	struct arena *arena, ProtobufCMessage *message, const char *path, const char *value);

/* All set fields as words path=value, each ended by '\n'. */
char *message_words(struct arena *arena, const ProtobufCMessage *message);

/* Is path=value among the words? */
bool words_have(const char *words, const char *word);

#endif
