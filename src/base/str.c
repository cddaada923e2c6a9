/*
 * str.c: numbers as text, and UTF-8 as RFC 3629 defines it. Any thread; no state.
 *
 * UTF-8 is asked of every string that comes in or goes out, so what is ASCII alone, as most of it
 * is, goes by eight bytes at a time.
 */
#include "base/str.h"

char *str_put_int(char *to, int64_t value)
{
	char digits[STR_INT_MAX], *at = digits + sizeof(digits);
	uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

	do {
		*--at = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest);
	if (value < 0)
		*to++ = '-';
	size_t len = (size_t)(digits + sizeof(digits) - at);

	memcpy(to, at, len);
	return to + len;
}

/*
 * Length of the well-formed sequence at `at` (at most `left` bytes), 0 if there is none. Table 3-7
 * of Unicode.
 */
static size_t utf8_sequence(const unsigned char *at, size_t left)
{
	unsigned char low = 0x80, high = 0xBF;
	size_t len;

	if (at[0] < 0xC2 || at[0] > 0xF4)
		return 0;
	len = at[0] < 0xE0 ? 2 : at[0] < 0xF0 ? 3 : 4;
	if (left < len)
		return 0;
	if (at[0] == 0xE0)
		low = 0xA0;
	else if (at[0] == 0xED)
		high = 0x9F;
	else if (at[0] == 0xF0)
		low = 0x90;
	else if (at[0] == 0xF4)
		high = 0x8F;
	if (at[1] < low || at[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((at[i] & 0xC0) != 0x80)
			return 0;
	return len;
}

bool str_is_utf8(const char *ptr, size_t len)
{
	const unsigned char *at = (const unsigned char *)ptr;
	size_t left = len;

	while (left > 0) {
		uint64_t word;

		if (left >= sizeof(word)) { /* mostly ASCII: eight at a time */
			memcpy(&word, at, sizeof(word));
			if (!(word & 0x8080808080808080u)) {
				at += sizeof(word);
				left -= sizeof(word);
				continue;
			}
		}
		size_t step = *at < 0x80 ? 1 : utf8_sequence(at, left);
		if (step == 0)
			return false;
		at += step;
		left -= step;
	}
	return true;
}
