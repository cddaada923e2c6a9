/*
 * text.c: percent encoding, timeouts and numbers as gRPC writes them. All input comes from
 * the network.
 */
#include "rpc/text.h"

#include <stdio.h>
#include <string.h>

#include "rpc/limits.h"

static const char hex_digits[] = "0123456789ABCDEF";

size_t rpc_percent_encode(const char *text, size_t len, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c >= 0x20 && c <= 0x7E && c != '%') {
			out[n++] = (char)c;
			continue;
		}
		out[n++] = '%';
		out[n++] = hex_digits[c >> 4];
		out[n++] = hex_digits[c & 15];
	}
	return n;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

size_t rpc_percent_decode(char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		int high = text[i] == '%' && len - i > 2 ? hex_value(text[i + 1]) : -1;
		int low = high >= 0 ? hex_value(text[i + 2]) : -1;

		if (low < 0) {
			text[n++] = text[i];
			continue;
		}
		text[n++] = (char)(high * 16 + low);
		i += 2;
	}
	return n;
}

struct timeout_unit {
	char letter;
	int64_t ns;
};

/* From the finest: the first in which the value has at most 8 digits is taken. */
static const struct timeout_unit timeout_units[] = {
	{ 'm', RPC_MS_NS },
	{ 'S', RPC_S_NS },
	{ 'M', 60 * RPC_S_NS },
	{ 'H', 3600 * RPC_S_NS },
	{ 'u', 1000 },
	{ 'n', 1 },
};

size_t rpc_timeout_format(int64_t timeout_ns, char *out)
{
	int64_t value = 1;
	size_t unit = 0;

	if (timeout_ns < 1)
		timeout_ns = 1;
	for (; unit < 4; unit++) {
		value = timeout_ns / timeout_units[unit].ns +
			(timeout_ns % timeout_units[unit].ns != 0);
		if (value <= 99999999)
			break;
	}
	/* Every call has one: by hand, which is a tenth of what printf takes. */
	size_t len = 1;
	for (int64_t rest = value; rest > 9; rest /= 10)
		len++;
	for (size_t i = len; i > 0; value /= 10)
		out[--i] = (char)('0' + value % 10);
	out[len++] = timeout_units[unit].letter;
	out[len] = '\0';
	return len;
}

bool rpc_number_parse(const char *text, size_t len, unsigned *number)
{
	unsigned long value = 0;

	if (len == 0 || len > 9)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = value * 10 + (unsigned long)(text[i] - '0');
	}
	*number = (unsigned)value;
	return true;
}

bool rpc_timeout_parse(const char *text, size_t len, int64_t *timeout_ns)
{
	unsigned value;

	if (len < 2 || len > 9 || !rpc_number_parse(text, len - 1, &value))
		return false;
	for (size_t i = 0; i < sizeof(timeout_units) / sizeof(timeout_units[0]); i++) {
		int64_t unit_ns = timeout_units[i].ns;

		if (timeout_units[i].letter != text[len - 1])
			continue;
		*timeout_ns = (int64_t)value > INT64_MAX / 2 / unit_ns ? INT64_MAX / 2
								       : (int64_t)value * unit_ns;
		return true;
	}
	return false;
}

bool rpc_header_name_ok(const char *name)
{
	if (!name || !*name)
		return false;
	return name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.")] == '\0';
}

bool rpc_header_value_ok(const char *value, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (value[i] < 0x20 || value[i] > 0x7E)
			return false;
	}
	return true;
}

void rpc_unknown_method(const char *path, char text[RPC_UNKNOWN_METHOD_SIZE])
{
	const char *method = strrchr(path, '/');

	if (method)
		snprintf(text, RPC_UNKNOWN_METHOD_SIZE, "unknown method %s for service %.*s",
			method + 1, (int)(method > path ? method - path - 1 : 0), path + 1);
	else
		snprintf(text, RPC_UNKNOWN_METHOD_SIZE, "malformed method name: \"%s\"", path);
}
