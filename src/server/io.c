/*
 * io.c: the machine's clock and chance. The wall clock is read once; from then on CLOCK_MONOTONIC
 * counts, so that a timer is not early or late because somebody set the clock.
 */
#include "server/io.h"
#include "base/clock.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int64_t offset_ns;

static void read_offset(void)
{
	offset_ns = clock_epoch_ns() - clock_steady_ns();
}

static int64_t system_now(void *user)
{
	pthread_once(&once, read_offset);
	return clock_steady_ns() + offset_ns;
}

static int64_t system_steady(void *user)
{
	return clock_steady_ns();
}

static void system_random(void *user, void *out, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = getrandom((char *)out + done, len - done, 0);

		done += n > 0 ? (size_t)n : 0;
	}
}

const struct server_io server_io_system = {
	.now_ns = system_now,
	.steady_ns = system_steady,
	.random = system_random,
};

static void print_uuid(uint8_t b[16], uint8_t version, char uuid[SERVER_UUID_SIZE])
{
	b[6] = (uint8_t)((b[6] & 0x0f) | version << 4);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	snprintf(uuid, SERVER_UUID_SIZE,
		"%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
		b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
		b[15]);
}

void server_uuid(const struct server_io *io, char uuid[SERVER_UUID_SIZE])
{
	uint8_t b[16];

	io->random(io->user, b, sizeof(b));
	print_uuid(b, 4, uuid);
}

void server_run_uuid(const struct server_io *io, int64_t now_ns, char uuid[SERVER_UUID_SIZE])
{
	uint64_t ms = (uint64_t)(now_ns / 1000000);
	uint8_t b[16];

	io->random(io->user, b, sizeof(b));
	for (int i = 5; i >= 0; i--, ms >>= 8)
		b[i] = (uint8_t)ms;
	print_uuid(b, 7, uuid);
}

bool server_uuid_valid(const char *text)
{
	size_t i = 0;

	for (; i < SERVER_UUID_SIZE - 1 && text[i]; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return false;
	}
	return i == SERVER_UUID_SIZE - 1 && !text[i];
}
