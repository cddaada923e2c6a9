/*
 * print.c: values in error messages, spelled as the official server spells them (that is: as Go
 * does), so that clients which look at messages see no difference. Pure; any thread.
 */
#include "server/visibility/print.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void print_double(double number, char out[PRINT_DOUBLE_MAX])
{
	int digits = 1;

	do {
		(void)snprintf(out, PRINT_DOUBLE_MAX, "%.*e", digits - 1, number);
	} while (strtod(out, NULL) != number && ++digits <= 17);
	const char *mark = strchr(out, 'e');
	long exponent = mark ? strtol(mark + 1, NULL, 10) : 0;

	if (mark && exponent >= -4 && exponent < 6)
		(void)snprintf(out, PRINT_DOUBLE_MAX, "%.*f",
			digits - 1 > exponent ? digits - 1 - (int)exponent : 0, number);
}

static size_t put(char *out, size_t n, const char *text)
{
	size_t len = strlen(text);

	if (n + len >= PRINT_VALUE_MAX)
		return n;
	memcpy(out + n, text, len + 1);
	return n + len;
}

static size_t put_escaped(char *out, size_t n, char c)
{
	static const char names[] = "abtnvfr";
	char text[5] = { c };

	if (c == '"' || c == '\\')
		(void)snprintf(text, sizeof(text), "\\%c", c);
	else if (c >= '\a' && c <= '\r')
		(void)snprintf(text, sizeof(text), "\\%c", names[c - '\a']);
	else if ((uint8_t)c < 32 || c == 127)
		(void)snprintf(text, sizeof(text), "\\x%02x", (unsigned)c);
	return put(out, n, text);
}

void print_quoted_value(const struct visibility_value *value, char out[PRINT_VALUE_MAX])
{
	size_t n = 0, i = 0;

	switch (value->kind) {
	case VISIBILITY_IS_BOOL:
		(void)put(out, 0, value->number ? "true" : "false");
		break;
	case VISIBILITY_IS_INT:
		(void)snprintf(out, PRINT_VALUE_MAX, "%" PRId64, value->number);
		break;
	case VISIBILITY_IS_DOUBLE:
		print_double(value->real, out);
		break;
	default:
		n = put(out, n, "\"");
		while (i < value->text.len && n < PRINT_VALUE_MAX - 8)
			n = put_escaped(out, n, value->text.ptr[i++]);
		/* Cut: not within a character. Its bytes are there as they are. */
		for (; i && i < value->text.len && (value->text.ptr[i] & 0xc0) == 0x80; i--)
			n--;
		(void)put(out, n, "\"");
	}
}
