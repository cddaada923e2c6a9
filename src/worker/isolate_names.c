/*
 * isolate_names.c: an object of the program, named so that another process of the same program
 * finds it.
 *
 * Programs and libraries lie at other addresses in each process, so a place is a file and an offset
 * in it. The helper runs the very same program file; a library may have been replaced meanwhile, so
 * whoever asks compares the definition's name, or, of functions, which have none in them, the
 * layout of the file.
 */
#include <dlfcn.h>
#include <link.h>
#include <string.h>

#include "worker/isolate_wire.h"

struct search {
	/* by address, or by place */
	uintptr_t address;
	const struct isolate_place *place;
	size_t size;
	/* what was found */
	bool found;
	struct isolate_place at;
};

/* As good as different in two versions of a file: the sizes of its parts, to the byte. */
static uint64_t layout_of(const struct dl_phdr_info *file)
{
	uint64_t layout = 1;

	for (size_t i = 0; i < file->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &file->dlpi_phdr[i];

		layout = layout * 1000003 + part->p_type;
		layout = layout * 1000003 + part->p_filesz;
		layout = layout * 1000003 + part->p_vaddr;
	}
	return layout ? layout : 1;
}

static bool is_in(const struct dl_phdr_info *file, uintptr_t address, size_t size)
{
	for (size_t i = 0; i < file->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &file->dlpi_phdr[i];
		uintptr_t from = file->dlpi_addr + part->p_vaddr;

		if (part->p_type == PT_LOAD && address >= from && address - from < part->p_memsz &&
			size <= part->p_memsz - (address - from))
			return true;
	}
	return false;
}

static int look(struct dl_phdr_info *file, size_t size, void *user)
{
	struct search *search = user;

	(void)size;
	if (search->place) {
		if (strcmp(file->dlpi_name, search->place->file) != 0)
			return 0;
		if (search->place->layout && search->place->layout != layout_of(file))
			return 1;
		search->address = file->dlpi_addr + search->place->offset;
	}
	search->found = is_in(file, search->address, search->size);
	if (!search->found)
		return search->place != NULL;
	search->at = (struct isolate_place){ .file = file->dlpi_name,
		.offset = search->address - file->dlpi_addr,
		.layout = layout_of(file) };
	return 1;
}

bool isolate_place_of(const void *object, struct isolate_place *place)
{
	struct search search = { .address = (uintptr_t)object, .size = 1 };

	dl_iterate_phdr(look, &search);
	if (search.found)
		*place = search.at;
	return search.found;
}

/* A library that the program has loaded by itself may not be there yet. */
const void *isolate_at_place(const struct isolate_place *place, size_t size)
{
	struct search search = { .place = place, .size = size };
	union {
		uintptr_t number;
		const void *pointer;
	} at;

	dl_iterate_phdr(look, &search);
	if (!search.found && *place->file && dlopen(place->file, RTLD_NOW | RTLD_GLOBAL))
		dl_iterate_phdr(look, &search);
	at.number = search.found ? search.address : 0;
	return at.pointer;
}
