/*
 * random.c: random numbers from the seed that the engine gives, so that they are the same in each
 * replay: xoshiro256**, its state filled by splitmix64. Changing this breaks the replay of every
 * history whose workflow used it; a test pins the first numbers.
 *
 * The state belongs to the run and moves with each call in the order of the code, so every use is
 * an act (run_acts): a query that drew a number would shift all that follow. No source of entropy
 * is touched. On a coroutine, but for random_seed (a job).
 */
#include "workflow/run.h"

#include <string.h>

/*
 * Four words from one, as the generator's authors advise: a state of zeros, which it could never
 * leave, does not come out of it.
 */
void random_seed(uint64_t random[4], uint64_t seed)
{
	for (int i = 0; i < 4; i++) {
		seed += 0x9e3779b97f4a7c15u;
		uint64_t z = seed;

		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
		z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
		random[i] = z ^ (z >> 31);
	}
}

static uint64_t rotate(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static uint64_t next(uint64_t s[4])
{
	uint64_t result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate(s[3], 45);
	return result;
}

uint64_t(wf_random)(struct wf *wf)
{
	run_acts(wf, "wf_random");
	return next(wf->random);
}

/* Numbers below 2^64 modulo bound are thrown away, so that each result is as likely as any other.
 */
uint64_t(wf_random_below)(struct wf *wf, uint64_t bound)
{
	run_acts(wf, "wf_random_below");
	if (bound == 0)
		run_fault(wf, "InvalidArgument", "wf_random_below: the bound is 0");
	uint64_t least = -bound % bound, number;
	do {
		number = next(wf->random);
	} while (number < least);
	return number % bound;
}

/* Version 4 and the variant's two bits are set, the other 122 are random. */
const char *(wf_uuid4)(struct wf *wf)
{
	static const char digits[] = "0123456789abcdef";
	uint64_t halves[2];

	run_acts(wf, "wf_uuid4");
	char *text = wf_alloc(wf, 37), *at = text;
	halves[0] = (next(wf->random) & ~0xf000ull) | 0x4000;
	halves[1] = (next(wf->random) & ~(3ull << 62)) | 2ull << 62;
	for (int i = 0; i < 32; i++) {
		if (i == 8 || i == 12 || i == 16 || i == 20)
			*at++ = '-';
		*at++ = digits[halves[i / 16] >> (60 - i % 16 * 4) & 15];
	}
	return text;
}
