/*
 * record.h: a struct to bytes and back, by a table of its fields. What the server keeps of an
 * execution, an activity, a timer is written so; recovery reads it back.
 *
 * The encoding: for each field that is not zero its number (a byte), then a varint, or a varint
 * length and the bytes. Fields that a reader does not know are passed by, so tables may grow.
 */
#ifndef SERVER_RECORD_H
#define SERVER_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

enum record_kind {
	RECORD_INT,    /* int64_t */
	RECORD_SMALL,  /* int32_t */
	RECORD_BOOL,   /* bool */
	RECORD_DOUBLE, /* double */
	RECORD_TEXT,   /* char *, owned (base/mem.h); NULL is "" */
	RECORD_BYTES,  /* struct bytes, owned */
};

struct record_field {
	uint8_t number; /* 1 to 127; never used for another field again */
	uint8_t kind;
	uint16_t offset;
};

struct record_type {
	const struct record_field *fields;
	size_t n_fields;
};

#define RECORD_FIELD(number_, kind_, type_, member_) \
	{ \
		(number_), RECORD_##kind_, offsetof(struct type_, member_) \
	}
#define RECORD_TYPE(fields_) \
	{ \
		(fields_), sizeof(fields_) / sizeof((fields_)[0]) \
	}

/* The size of the encoding, and the encoding itself into so many bytes. */
size_t record_size(const struct record_type *type, const void *object);
void record_write(const struct record_type *type, const void *object, uint8_t *out);

/* Reads into a zeroed object. False: the bytes are no record of this type, or memory is out; the
 * object is to be finished then too. */
bool record_read(const struct record_type *type, void *object, const uint8_t *data, size_t len)
	__attribute__((warn_unused_result));

/* Frees the texts and bytes that the object owns. */
void record_finish(const struct record_type *type, void *object);

/* Replaces an owned text or bytes by a copy (NULL, or no bytes, for none). False: memory is out. */
bool record_set_text(char **field, const char *text) __attribute__((warn_unused_result));
bool record_set_bytes(struct bytes *field, const void *data, size_t len)
	__attribute__((warn_unused_result));

/* A varint at the start of `data`: how many bytes it takes, 0 if it is none. */
size_t record_varint_read(const uint8_t *data, size_t len, uint64_t *value);
size_t record_varint_size(uint64_t value);
uint8_t *record_varint_write(uint8_t *out, uint64_t value);

#endif
