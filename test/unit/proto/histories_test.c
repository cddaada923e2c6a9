/*
 * Goal: the histories that the SDKs keep for their own replay tests are read whole, in both
 * spellings, and written without loss. Method: each file to messages, to bytes, back to messages,
 * to JSON, and back again; all encodings have to be equal. The files lie in
 * $TEMPORAL_SHARED/histories, or in shared/histories beside the source; without them the test is
 * skipped.
 */
#include <ftw.h>
#include <sys/stat.h>

#include "proto/json.h"
#include "proto_fixture.h"

static struct fixture *fixture;
static unsigned n_files, n_odd, n_histories, n_events;

static struct str file_read(const char *path)
{
	FILE *file = fopen(path, "rb");
	struct stat info;

	assert_non_null(file);
	assert_int_equal(fstat(fileno(file), &info), 0);
	char *text = arena_alloc(&fixture->arena, (size_t)info.st_size + 1);
	assert_non_null(text);
	assert_int_equal(fread(text, 1, (size_t)info.st_size, file), info.st_size);
	fclose(file);
	return (struct str){ text, (size_t)info.st_size };
}

static struct bytes encoded(const char *path, const void *message)
{
	struct bytes out;

	if (proto_encode(&fixture->arena, message, 0, &out, &fixture->err) != TEMPORAL_OK)
		fail_msg("%s: %s", path, fixture->err.message);
	return out;
}

static void assert_same_encoding(const char *path, const void *message, struct bytes wanted)
{
	if (!message)
		fail_msg("%s: %s", path, fixture->err.message);
	struct bytes out = encoded(path, message);
	if (out.len != wanted.len || memcmp(out.ptr, wanted.ptr, out.len) != 0)
		fail_msg("%s: another encoding", path);
}

static void history_round_trip(const char *path, const History__History *history)
{
	struct bytes bytes = encoded(path, history);
	struct str text;

	for (unsigned indent = 0; indent <= 2; indent += 2) {
		const void *again = proto_decode(&fixture->arena, &history__history__descriptor,
			bytes.ptr, bytes.len, NULL, &fixture->err);

		assert_same_encoding(path, again, bytes);
		if (proto_to_json(&fixture->arena, again, indent, &text, &fixture->err) !=
			TEMPORAL_OK)
			fail_msg("%s: %s", path, fixture->err.message);
		assert_same_encoding(path,
			proto_from_json(&fixture->arena, &history__history__descriptor, text, false,
				&fixture->err),
			bytes);
	}
	assert_same_encoding(path, proto_copy(&fixture->arena, history), bytes);
	assert_true(history->n_events > 0);
	n_histories++;
	n_events += (unsigned)history->n_events;
}

static void json_file(const char *path)
{
	size_t n;
	struct str text = file_read(path);
	void **list = proto_list_from_json(
		&fixture->arena, &history__history__descriptor, text, false, &n, &fixture->err);

	if (!list) {
		print_message("%s: %s\n", path, fixture->err.message);
		n_odd++;
		list = proto_list_from_json(&fixture->arena, &history__history__descriptor, text,
			true, &n, &fixture->err);
	}
	if (!list)
		fail_msg("%s: %s", path, fixture->err.message);
	for (size_t i = 0; i < n; i++)
		history_round_trip(path, list[i]);
}

static void binary_file(const char *path)
{
	struct str data = file_read(path);
	const History__History *history = proto_decode(&fixture->arena,
		&history__history__descriptor, data.ptr, data.len, NULL, &fixture->err);

	if (!history)
		fail_msg("%s: %s", path, fixture->err.message);
	history_round_trip(path, history);
}

static int on_file(const char *path, const struct stat *info, int type, struct FTW *at)
{
	const char *dot = strrchr(path, '.');

	if (type != FTW_F || !dot)
		return 0;
	if (!strcmp(dot, ".json"))
		json_file(path);
	else if (!strcmp(dot, ".bin"))
		binary_file(path);
	else
		return 0;
	n_files++;
	arena_reset(&fixture->arena);
	return 0;
}

static bool find_histories(char *out, size_t size)
{
	const char *shared = getenv("TEMPORAL_SHARED"),
		   *source = getenv("TEMPORAL_TEST_SOURCE_DIR");
	struct stat info;

	if (shared)
		snprintf(out, size, "%s/histories", shared);
	else if (source)
		snprintf(out, size, "%s/../shared/histories", source);
	else
		return false;
	return stat(out, &info) == 0 && S_ISDIR(info.st_mode);
}

static char folder[4096];

static void histories_round_trip(void **state)
{
	fixture = *state;
	assert_int_equal(nftw(folder, on_file, 16, FTW_PHYS), 0);
	print_message("%u files (%u with what this API does not know), %u histories, %u events\n",
		n_files, n_odd, n_histories, n_events);
	assert_true(n_files > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(histories_round_trip),
	};

	if (!find_histories(folder, sizeof(folder))) {
		puts("skipped: no recorded histories; TEMPORAL_SHARED may name the folder that has "
		     "them");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
