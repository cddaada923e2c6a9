/*
 * Records. Goal: what is written is read back, by newer and older tables too, and damaged bytes are
 * refused. Method: a struct with a field of each kind is written and read; then by a table that
 * knows fewer fields; then each prefix of it is read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"
#include "server/record.h"

struct sample {
	int64_t number;
	int32_t small;
	bool flag;
	double ratio;
	char *text;
	struct bytes bytes;
};

static const struct record_field fields[] = {
	RECORD_FIELD(1, INT, sample, number),
	RECORD_FIELD(2, SMALL, sample, small),
	RECORD_FIELD(3, BOOL, sample, flag),
	RECORD_FIELD(4, DOUBLE, sample, ratio),
	RECORD_FIELD(5, TEXT, sample, text),
	RECORD_FIELD(6, BYTES, sample, bytes),
};
static const struct record_type type = RECORD_TYPE(fields);
static const struct record_field old_fields[] = { RECORD_FIELD(2, SMALL, sample, small) };
static const struct record_type old_type = RECORD_TYPE(old_fields);

static uint8_t data[256];

static size_t write_sample(void)
{
	static char text[] = "pay";
	static uint8_t bytes[] = { 0, 1, 0xff };
	const struct sample sample = { -7, -1, true, 2.5, text, { bytes, sizeof(bytes) } };
	size_t size = record_size(&type, &sample);

	assert_true(size <= sizeof(data));
	record_write(&type, &sample, data);
	return size;
}

static void reads_what_it_wrote(void **state)
{
	struct sample read = { 0 };
	size_t size = write_sample();

	(void)state;
	assert_true(record_read(&type, &read, data, size));
	assert_true(read.number == -7 && read.small == -1 && read.flag && read.ratio == 2.5);
	assert_string_equal(read.text, "pay");
	assert_int_equal(read.bytes.len, 3);
	assert_int_equal(read.bytes.ptr[2], 0xff);
	record_finish(&type, &read);
}

static void passes_by_what_it_does_not_know(void **state)
{
	struct sample read = { 0 };
	size_t size = write_sample();

	(void)state;
	assert_true(record_read(&old_type, &read, data, size));
	assert_int_equal(read.small, -1);
	assert_null(read.text);
}

/* A prefix is either refused, or one that ends between two fields. */
static void refuses_a_broken_record(void **state)
{
	size_t size = write_sample(), refused = 0;

	(void)state;
	for (size_t len = 1; len < size; len++) {
		struct sample read = { 0 };

		refused += !record_read(&type, &read, data, len);
		record_finish(&type, &read);
	}
	assert_int_equal(refused, size - 6);
}

static void zero_takes_no_room(void **state)
{
	const struct sample sample = { 0 };

	(void)state;
	assert_int_equal(record_size(&type, &sample), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_it_wrote),
		cmocka_unit_test(passes_by_what_it_does_not_know),
		cmocka_unit_test(refuses_a_broken_record),
		cmocka_unit_test(zero_takes_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
