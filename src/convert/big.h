/*
 * big.h: natural numbers of up to 4096 bits, for the exact conversion of decimals. They never
 * overflow in double.c, which bounds its inputs (see there); on any overflow the top is lost.
 */
#ifndef CONVERT_BIG_H
#define CONVERT_BIG_H

#include <stdbool.h>
#include <stdint.h>

#define BIG_LIMBS 64

struct big {
	unsigned count;           /* limbs in use; the highest of them is not 0 */
	uint64_t limb[BIG_LIMBS]; /* the lowest first */
};

void big_set(struct big *big, uint64_t value);

/* Only the limbs in use are copied: an assignment would move all of them. */
void big_copy(struct big *big, const struct big *from);

/* big * factor + summand */
void big_multiply_add(struct big *big, uint64_t factor, uint64_t summand);
void big_multiply_power_of_ten(struct big *big, unsigned power);
void big_shift_left(struct big *big, unsigned bits);
void big_add(struct big *big, const struct big *summand);

/* big - subtrahend, which must not be larger */
void big_subtract(struct big *big, const struct big *subtrahend);

/* < 0, 0 or > 0, as a is less than, equal to or greater than b */
int big_compare(const struct big *a, const struct big *b);

/* Bits up to the highest that is set; 0 for 0. */
unsigned big_bits(const struct big *big);

#endif
