/*
 * metrics_text.c: the registry in Prometheus' text format, version 0.0.4.
 *
 * Written in one pass into the caller's buffer, under the registry's lock: series are not added
 * meanwhile, updates go on. Numbers are integers that are printed with a point in them, so that
 * neither the locale nor rounding can get in.
 *
 * Called by the endpoint's thread, and by any that asks for the text.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/metrics_internal.h"

/* What is being written: `len` goes on counting when the buffer is full. */
struct text {
	char *buffer;
	size_t size, len;
};

static void put(struct text *text, const char *piece)
{
	size_t n = strlen(piece), room = text->len < text->size ? text->size - text->len : 0;

	memcpy(text->buffer + (room ? text->len : 0), piece, n < room ? n : room);
	text->len += n;
}

/* value / 10^digits, without zeros at the end. */
static void put_decimal(struct text *text, int64_t value, int digits)
{
	char number[48];
	int64_t scale = 1;

	for (int i = 0; i < digits; i++)
		scale *= 10;
	int len = snprintf(number, sizeof(number), "%" PRId64 ".%0*" PRId64, value / scale, digits,
		value % scale);

	while (len > 0 && number[len - 1] == '0')
		number[--len] = '\0';
	if (len > 0 && number[len - 1] == '.')
		number[--len] = '\0';
	put(text, number);
}

static void put_number(struct text *text, int64_t value)
{
	char number[32];

	snprintf(number, sizeof(number), "%" PRId64, value);
	put(text, number);
}

/* `name_suffix{labels,le="..."} `; `le` NULL: none. */
static void begin_line(struct text *text, const struct metrics_series *series, const char *suffix)
{
	put(text, series->family->name);
	put(text, suffix);
	if (series->n_labels) {
		put(text, "{");
		put(text, series->text);
		put(text, "}");
	}
	put(text, " ");
}

static void put_bucket(
	struct text *text, const struct metrics_series *series, size_t i, int64_t count)
{
	const struct metrics_desc *desc = series->family->desc;

	put(text, series->family->name);
	put(text, "_bucket{");
	put(text, series->text);
	put(text, series->n_labels ? ",le=\"" : "le=\"");
	if (i == desc->n_bounds)
		put(text, "+Inf");
	else
		put_decimal(text, desc->bounds_ms[i], series->metrics->opts.in_seconds ? 3 : 0);
	put(text, "\"} ");
	put_number(text, count);
	put(text, "\n");
}

static void put_histogram(struct text *text, const struct metrics_series *series)
{
	int64_t count = 0;

	for (size_t i = 0; i <= series->family->desc->n_bounds; i++) {
		count += atomic_load_explicit(&series->buckets[i], memory_order_relaxed);
		put_bucket(text, series, i, count);
	}
	begin_line(text, series, "_sum");
	put_decimal(text, atomic_load_explicit(&series->value, memory_order_relaxed),
		series->metrics->opts.in_seconds ? 9 : 6);
	put(text, "\n");
	begin_line(text, series, "_count");
	put_number(text, count);
	put(text, "\n");
}

static void put_series(struct text *text, const struct metrics_series *series)
{
	if (series->family->desc->kind == TEMPORAL_METRIC_HISTOGRAM) {
		put_histogram(text, series);
		return;
	}
	begin_line(text, series, "");
	put_number(text, atomic_load_explicit(&series->value, memory_order_relaxed));
	put(text, "\n");
}

static void put_family(struct text *text, const struct metrics_family *family)
{
	static const char *const kinds[] = { [TEMPORAL_METRIC_COUNTER] = "counter",
		[TEMPORAL_METRIC_GAUGE] = "gauge",
		[TEMPORAL_METRIC_HISTOGRAM] = "histogram" };

	put(text, "# HELP ");
	put(text, family->name);
	put(text, " ");
	put(text, family->desc->help);
	put(text, "\n# TYPE ");
	put(text, family->name);
	put(text, " ");
	put(text, kinds[family->desc->kind]);
	put(text, "\n");
	for (const struct metrics_series *s = family->series; s; s = s->next)
		put_series(text, s);
}

size_t temporal_metrics_text(struct temporal_metrics *metrics, char *buffer, size_t size)
{
	metrics_collect(metrics);
	return metrics_text(metrics, buffer, size);
}

size_t metrics_text(struct temporal_metrics *metrics, char *buffer, size_t size)
{
	char none[1];
	struct text text = { buffer ? buffer : none, buffer && size ? size - 1 : 0, 0 };

	pthread_mutex_lock(&metrics->lock);
	for (const struct metrics_family *f = metrics->families; f; f = f->next)
		put_family(&text, f);
	pthread_mutex_unlock(&metrics->lock);
	if (buffer && size)
		buffer[text.len < size ? text.len : size - 1] = '\0';
	return text.len;
}
