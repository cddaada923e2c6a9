/*
 * text.h: JSON texts of the Nexus API, written in the form in which the official server writes
 * them. Private to the folder.
 */
#ifndef SERVER_NEXUS_TEXT_H
#define SERVER_NEXUS_TEXT_H

#include "server/nexus/nexus.h"

/* Grows in the arena; zeroed but for that, it is empty. */
struct nexus_text {
	struct arena *arena;
	char *ptr;
	size_t len, capacity;
	bool out_of_memory; /* sticky: what is put afterwards is dropped */
};

void nexus_text_put(struct nexus_text *text, const char *data, size_t len);
void nexus_text_puts(struct nexus_text *text, const char *data);
/* A JSON string, with its quotes. */
void nexus_text_quote(struct nexus_text *text, const char *value);
/* Valid JSON, without the white space between its parts. */
void nexus_text_compact(struct nexus_text *text, struct str json);
/* A failure; `cause` is that of its cause, empty if it has none. */
void nexus_text_failure(struct nexus_text *text, const Nexus__Failure *failure, struct str cause,
	bool with_message);
/* What was written; empty when memory was out. */
struct str nexus_text_str(const struct nexus_text *text);

#endif
