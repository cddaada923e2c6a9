/*
 * isolate_wire.c: messages over sockets that keep packets apart, in pieces where they are large.
 *
 * Every packet begins with the same head, so that the word of a child's death, which may come after
 * any packet of the child, is told from the rest of its message. What comes from a child is not
 * trusted: sizes are limited, and pieces have to fit.
 *
 * Any thread; a socket is one sender's and one receiver's at a time.
 */
#include "worker/isolate_wire.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "worker/limits.h"

/* Less than the kernel's buffer of a socket, 208 KiB, takes of one packet. */
#define PIECE_MAX ((size_t)60 * 1024)

struct head {
	uint32_t kind, flags;
	uint64_t id, size, offset; /* of the whole; of this piece in it */
};

union passed {
	struct cmsghdr header;
	char room[CMSG_SPACE(sizeof(int))];
};

static void pass(struct msghdr *packet, union passed *passed, int fd)
{
	memset(passed, 0, sizeof(*passed));
	packet->msg_control = passed;
	packet->msg_controllen = sizeof(passed->room);
	struct cmsghdr *header = CMSG_FIRSTHDR(packet);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
}

static bool send_packet(int fd, const struct msghdr *packet)
{
	ssize_t sent;

	do {
		sent = sendmsg(fd, packet, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	return sent >= 0;
}

bool isolate_send(int fd, const struct isolate_message *message)
{
	struct head head = { .kind = message->kind,
		.flags = message->flags,
		.id = message->id,
		.size = message->size };
	union {
		const void *given;
		char *sent;
	} data = { message->data };

	do {
		size_t left = message->size - head.offset,
		       piece = left < PIECE_MAX ? left : PIECE_MAX;
		struct iovec parts[] = { { &head, sizeof(head) },
			{ piece ? data.sent + head.offset : NULL, piece } };
		struct msghdr packet = { .msg_iov = parts, .msg_iovlen = 2 };
		union passed passed;

		if (message->fd >= 0 && head.offset == 0)
			pass(&packet, &passed, message->fd);
		if (!send_packet(fd, &packet))
			return false;
		head.offset += piece;
	} while (head.offset < message->size);
	return true;
}

void isolate_send_last(int fd, uint32_t kind, const void *data, size_t size)
{
	struct head head = { .kind = kind, .size = size };
	union {
		const void *given;
		void *sent;
	} all = { data };
	struct iovec parts[] = { { &head, sizeof(head) }, { all.sent, size } };
	const struct msghdr packet = { .msg_iov = parts, .msg_iovlen = 2 };

	(void)sendmsg(fd, &packet, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* A socket whose other end was closed with something unread in it says so once, and only then gives
 * what is left in this one. */
static ssize_t receive(int fd, struct msghdr *packet, int flags)
{
	bool told = false;

	for (;;) {
		ssize_t got = recvmsg(fd, packet, flags | MSG_CMSG_CLOEXEC);

		if (got >= 0 || (errno != EINTR && (errno != ECONNRESET || told)))
			return got;
		told = told || errno == ECONNRESET;
	}
}

/* What a message of the kind may have. */
static uint64_t size_max(uint32_t kind)
{
	return kind == ISOLATE_LOG ? ISOLATE_LOG_MAX : WORKER_ISOLATE_MESSAGE_MAX;
}

static enum isolate_got peek(int fd, struct head *head)
{
	struct iovec part = { head, sizeof(*head) };
	struct msghdr packet = { .msg_iov = &part, .msg_iovlen = 1 };
	ssize_t got = receive(fd, &packet, MSG_PEEK);

	if (got <= 0)
		return ISOLATE_CLOSED;
	return got == sizeof(*head) && head->size <= size_max(head->kind) ? ISOLATE_GOT
									  : ISOLATE_GARBLED;
}

/* The packet whose head was looked at, to its place; -1: it is not as long as it says. Without room
 * for a descriptor (`passed_fd` NULL) the kernel lets none in. */
static ssize_t take(int fd, char *to, size_t room, int *passed_fd)
{
	struct head head;
	union passed passed = { 0 };
	struct iovec parts[] = { { &head, sizeof(head) }, { to, room } };
	struct msghdr packet = { .msg_iov = parts,
		.msg_iovlen = 2,
		.msg_control = passed_fd ? &passed : NULL,
		.msg_controllen = passed_fd ? sizeof(passed.room) : 0 };
	ssize_t got = receive(fd, &packet, 0);
	struct cmsghdr *header = got >= 0 ? CMSG_FIRSTHDR(&packet) : NULL;

	if (header && header->cmsg_type == SCM_RIGHTS)
		memcpy(passed_fd, CMSG_DATA(header), sizeof(*passed_fd));
	if (got < (ssize_t)sizeof(head) || (packet.msg_flags & MSG_TRUNC))
		return -1;
	return got - (ssize_t)sizeof(head);
}

static bool goes_on(const struct head *first, const struct head *next, size_t offset)
{
	return next->kind == first->kind && next->size == first->size && next->offset == offset;
}

static bool is_end(const struct head *head)
{
	return (head->kind == ISOLATE_DIED || head->kind == ISOLATE_CRASH) && head->offset == 0;
}

enum isolate_got isolate_receive(
	int fd, bool passes, struct arena *arena, struct isolate_message *message)
{
	struct head first, next;
	size_t offset = 0;
	enum isolate_got got = peek(fd, &next);
	char *data = NULL;

	message->fd = -1;
	first = next;
	while (got == ISOLATE_GOT) {
		/* Nobody ends a message that a child has died in, or crashes in on another thread.
		 */
		if (!goes_on(&first, &next, offset)) {
			if (!is_end(&next))
				return ISOLATE_GARBLED;
			first = next;
			offset = 0;
			data = NULL;
		}
		data = data ? data : arena_alloc(arena, first.size + 1);
		if (!data)
			return ISOLATE_NO_MEMORY;
		ssize_t piece =
			take(fd, data + offset, first.size - offset, passes ? &message->fd : NULL);

		if (piece < 0 || (piece == 0 && first.size > 0))
			return ISOLATE_GARBLED;
		offset += (size_t)piece;
		if (offset == first.size)
			break;
		got = peek(fd, &next);
	}
	if (got != ISOLATE_GOT)
		return got;
	data[first.size] = '\0'; /* of texts */
	message->kind = first.kind;
	message->flags = first.flags;
	message->id = first.id;
	message->data = data;
	message->size = first.size;
	return ISOLATE_GOT;
}
