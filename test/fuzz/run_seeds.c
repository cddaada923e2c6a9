/*
 * run_seeds.c: the main function of a fuzzer in builds without libFuzzer: each file named on the
 * command line goes through it once, in memory of exactly its size, so that a sanitizer or valgrind
 * sees a read beyond it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "fuzz/fuzz.h"

static int run_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	struct stat info;
	uint8_t *data;
	size_t size;

	if (!file || fstat(fileno(file), &info)) {
		perror(path);
		return 1;
	}
	size = (size_t)info.st_size;
	data = malloc(size ? size : 1);
	if (!data || fread(data, 1, size, file) != size) {
		fprintf(stderr, "%s: cannot be read\n", path);
		return 1;
	}
	fclose(file);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "%s: no seeds\n", argv[0]);
		return 1;
	}
	for (int i = 1; i < argc; i++)
		if (run_file(argv[i]))
			return 1;
	printf("%d seeds\n", argc - 1);
	return 0;
}
