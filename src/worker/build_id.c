/*
 * build_id.c: the default of .build_id: the note that the linker puts into each program (GNU ld and
 * lld with --build-id, which Debian's compilers ask for), a hash of all that was linked. So two
 * workers of the same file tell the same, any change of the code another one, and nobody has to
 * read the file for it. What comes in by shared libraries is not in it.
 *
 * A note is two lengths and a type, of four bytes each, then the name and the description, each
 * filled up to a multiple of four.
 */
#include "worker/build_id.h"

#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <string.h>

#define OWNER       "GNU" /* with its terminator */
#define BUILD_BYTES ((WORKER_BUILD_ID_SIZE - 1) / 2)

static size_t filled_up(size_t size)
{
	return (size + 3) & ~(size_t)3;
}

static void write_hex(const unsigned char *from, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		*out++ = digits[from[i] >> 4];
		*out++ = digits[from[i] & 15];
	}
	*out = '\0';
}

bool worker_build_id_read(const void *notes, size_t size, char out[WORKER_BUILD_ID_SIZE])
{
	const unsigned char *at = notes;

	while (size >= sizeof(ElfW(Nhdr))) {
		ElfW(Nhdr) head;

		memcpy(&head, at, sizeof(head));
		at += sizeof(head);
		size -= sizeof(head);
		size_t name = filled_up(head.n_namesz), desc = filled_up(head.n_descsz);

		if (name > size || desc > size - name)
			return false;
		if (head.n_type == NT_GNU_BUILD_ID && head.n_namesz == sizeof(OWNER) &&
			memcmp(at, OWNER, sizeof(OWNER)) == 0 && head.n_descsz > 0 &&
			head.n_descsz <= BUILD_BYTES) {
			write_hex(at + name, head.n_descsz, out);
			return true;
		}
		at += name + desc;
		size -= name + desc;
	}
	return false;
}

/* The first object is the program. */
static int look(struct dl_phdr_info *object, size_t size, void *user)
{
	for (size_t i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &object->dlpi_phdr[i];

		if (part->p_type == PT_NOTE &&
			worker_build_id_read((const void *)(object->dlpi_addr + part->p_vaddr),
				part->p_memsz, user))
			break;
	}
	return 1;
}

void worker_build_id(char out[WORKER_BUILD_ID_SIZE])
{
	out[0] = '\0';
	dl_iterate_phdr(look, out);
}
