/*
 * print.h: values in error messages, in the official server's spelling. Any thread.
 */
#ifndef SERVER_VISIBILITY_PRINT_H
#define SERVER_VISIBILITY_PRINT_H

#include "server/visibility/column.h"

#define PRINT_VALUE_MAX  160 /* bytes of a value in a message; longer ones are cut */
#define PRINT_DOUBLE_MAX 32

/* The shortest digits that read back as the same number: "1.5", "1e+20". Terminated. */
void print_double(double number, char out[PRINT_DOUBLE_MAX]);

/* A bool, number or text, the text in quotes with escapes. Terminated. */
void print_quoted_value(const struct visibility_value *value, char out[PRINT_VALUE_MAX]);

#endif
