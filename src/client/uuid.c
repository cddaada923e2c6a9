/*
 * uuid.c: random UUIDs (RFC 9562, version 4). Nothing is kept between calls, so threads and forks
 * need no care.
 */
#include "client/uuid.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

void client_uuid(char uuid[UUID_SIZE])
{
	uint8_t b[16];
	ssize_t n;

	/* 16 bytes come at once or not at all; only an early boot or a signal makes it try again.
	 */
	do
		n = getrandom(b, sizeof(b), 0);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(b))
		abort(); /* a kernel without random numbers: ids would collide */
	b[6] = (uint8_t)((b[6] & 0x0F) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3F) | 0x80);
	snprintf(uuid, UUID_SIZE,
		"%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
		b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
		b[15]);
}
