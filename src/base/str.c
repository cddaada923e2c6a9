/*
 * str.c: numbers as text, and UTF-8 as RFC 3629 defines it. Any thread; no state.
 *
 * UTF-8 is asked of every string that comes in or goes out, so what is ASCII alone, as most of it
 * is, goes by eight bytes at a time.
 */
#include "base/str.h"

/* Two digits by each division: it is what takes the time. */
char *str_put_uint(char *to, uint64_t value)
{
	static const char pairs[] = "00010203040506070809101112131415161718192021222324"
				    "25262728293031323334353637383940414243444546474849"
				    "50515253545556575859606162636465666768697071727374"
				    "75767778798081828384858687888990919293949596979899";
	char digits[STR_INT_MAX], *at = digits + sizeof(digits);

	for (; value >= 100; value /= 100) {
		at -= 2;
		memcpy(at, pairs + value % 100 * 2, 2);
	}
	*--at = pairs[value * 2 + 1];
	if (value >= 10)
		*--at = pairs[value * 2];
	size_t len = (size_t)(digits + sizeof(digits) - at);

	memcpy(to, at, len);
	return to + len;
}

/* Negated as unsigned, which is defined for INT64_MIN too. */
char *str_put_int(char *to, int64_t value)
{
	if (value >= 0)
		return str_put_uint(to, (uint64_t)value);
	*to = '-';
	return str_put_uint(to + 1, 0 - (uint64_t)value);
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
