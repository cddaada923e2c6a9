/*
 * big.c: schoolbook arithmetic on natural numbers of a fixed maximum size, without allocation.
 *
 * double.c alone calls it, for the numbers that its fast ways cannot do; a value that is common
 * there has two limbs, so that simple loops are the right choice. Any thread; no state.
 *
 * Invariant: the highest limb in use is not 0, and 0 has none; so numbers of the same value have
 * the same form, and most comparisons end with the counts. Limbs at and above `count` are garbage.
 */
#include "convert/big.h"

#include <string.h>

__extension__ typedef unsigned __int128 wide;

#define TEN_TO_19 UINT64_C(10000000000000000000)

void big_set(struct big *big, uint64_t value)
{
	big->count = value ? 1 : 0;
	big->limb[0] = value;
}

void big_copy(struct big *big, const struct big *from)
{
	big->count = from->count;
	memcpy(big->limb, from->limb, from->count * sizeof(from->limb[0]));
}

/* What does not fit is lost: double.c never comes to it (big.h). */
static void big_push(struct big *big, uint64_t limb)
{
	if (limb && big->count < BIG_LIMBS)
		big->limb[big->count++] = limb;
}

void big_multiply_add(struct big *big, uint64_t factor, uint64_t summand)
{
	uint64_t carry = summand;

	for (unsigned i = 0; i < big->count; i++) {
		wide product = (wide)big->limb[i] * factor + carry;

		big->limb[i] = (uint64_t)product;
		carry = (uint64_t)(product >> 64);
	}
	big_push(big, carry);
}

/* In steps of the largest power that one limb holds. */
void big_multiply_power_of_ten(struct big *big, unsigned power)
{
	uint64_t rest = 1;

	for (; power >= 19; power -= 19)
		big_multiply_add(big, TEN_TO_19, 0);
	while (power--)
		rest *= 10;
	if (rest > 1)
		big_multiply_add(big, rest, 0);
}

/* Bits within a limb by multiplying, whole limbs by moving. */
void big_shift_left(struct big *big, unsigned bits)
{
	unsigned limbs = bits / 64;

	if (big->count == 0)
		return;
	if (bits % 64)
		big_multiply_add(big, UINT64_C(1) << bits % 64, 0);
	if (limbs == 0)
		return;
	if (big->count > BIG_LIMBS - limbs)
		big->count = BIG_LIMBS - limbs;
	for (unsigned i = big->count; i-- > 0;)
		big->limb[i + limbs] = big->limb[i];
	for (unsigned i = 0; i < limbs; i++)
		big->limb[i] = 0;
	big->count += limbs;
}

void big_add(struct big *big, const struct big *summand)
{
	uint64_t carry = 0;

	while (big->count < summand->count)
		big->limb[big->count++] = 0;
	for (unsigned i = 0; i < big->count; i++) {
		wide sum = (wide)big->limb[i] + carry;

		if (i < summand->count)
			sum += summand->limb[i];
		big->limb[i] = (uint64_t)sum;
		carry = (uint64_t)(sum >> 64);
	}
	big_push(big, carry);
}

/* The top may have become 0, which the invariant forbids. */
void big_subtract(struct big *big, const struct big *subtrahend)
{
	uint64_t borrow = 0;

	for (unsigned i = 0; i < big->count; i++) {
		uint64_t take = i < subtrahend->count ? subtrahend->limb[i] : 0;
		wide difference = (wide)big->limb[i] - take - borrow;

		big->limb[i] = (uint64_t)difference;
		borrow = (uint64_t)(difference >> 64) & 1;
	}
	while (big->count > 0 && big->limb[big->count - 1] == 0)
		big->count--;
}

int big_compare(const struct big *a, const struct big *b)
{
	if (a->count != b->count)
		return a->count < b->count ? -1 : 1;
	for (unsigned i = a->count; i-- > 0;) {
		if (a->limb[i] != b->limb[i])
			return a->limb[i] < b->limb[i] ? -1 : 1;
	}
	return 0;
}

unsigned big_bits(const struct big *big)
{
	if (big->count == 0)
		return 0;
	return big->count * 64 - (unsigned)__builtin_clzll(big->limb[big->count - 1]);
}
