/*
 * metrics.c: the registry of metrics: made from options, counted, filled with series.
 *
 *	temporal_metrics -> family (a name) -> series (its labels) -> value, or buckets
 *
 * Families and series are only ever added, under the lock, at the head of lists; whoever has found
 * a series keeps it, and updates it with relaxed atomic additions from any thread. The count of a
 * histogram is the sum of its buckets, so that the two always agree in what is read.
 *
 * Labels are rendered when a series is made: reading is copying text, and comparing series is
 * comparing text. Values of labels come from servers and users: their number is limited, and they
 * are escaped.
 *
 * Why lists and no hash table: a lookup is rare (callers keep what they found), and short lists are
 * faster to read in a debugger.
 */
#include "base/metrics.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/metrics_internal.h"

#define DEFAULT_PREFIX  "temporal_"
#define LABELS_TEXT_MAX 4096 /* of one series, rendered */

/* ---- options ---- */

/* Prometheus' rule for names; `colon` is allowed in those of metrics alone. */
static bool is_name(const char *name, bool colon)
{
	if (!*name || (*name >= '0' && *name <= '9'))
		return false;
	for (; *name; name++) {
		char c = *name;

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			    c == '_' || (colon && c == ':')))
			return false;
	}
	return true;
}

static bool has_label(const struct temporal_metric_label *labels, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (labels[i].value && strcmp(labels[i].name, name) == 0)
			return true;
	}
	return false;
}

static enum temporal_code check(
	const struct temporal_metrics_opts *opts, struct temporal_error *err)
{
	if (opts->prefix && *opts->prefix && !is_name(opts->prefix, true))
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"metrics: prefix \"%s\": expected letters, digits, '_' and ':'",
			opts->prefix);
	if (opts->n_labels > METRICS_LABELS_MAX / 2 || (opts->n_labels && !opts->labels))
		return error_set(err, TEMPORAL_INVALID_ARGUMENT,
			"metrics: %zu labels: expected at most %d, and `labels` to be set",
			opts->n_labels, METRICS_LABELS_MAX / 2);
	for (size_t i = 0; i < opts->n_labels; i++) {
		const struct temporal_metric_label *label = &opts->labels[i];

		if (!label->name || !is_name(label->name, false) || !strcmp(label->name, "le") ||
			!label->value)
			return error_set(err, TEMPORAL_INVALID_ARGUMENT,
				"metrics: label \"%s\": expected a name of letters, digits and "
				"'_', not \"le\", and a value",
				label->name ? label->name : "");
		if (has_label(opts->labels, i, label->name))
			return error_set(err, TEMPORAL_INVALID_ARGUMENT,
				"metrics: label \"%s\" is there twice: expected each name once",
				label->name);
	}
	return TEMPORAL_OK;
}

/* Nothing but the struct of options may be of another version; what we do not know must be zero. */
static enum temporal_code take(struct temporal_metrics_opts *opts,
	const struct temporal_metrics_opts *given, size_t size, struct temporal_error *err)
{
	const char *bytes = (const char *)given;

	for (size_t i = sizeof(*opts); given && i < size; i++) {
		if (bytes[i])
			return error_set(err, TEMPORAL_INVALID_ARGUMENT,
				"metrics: an option is set that this version does not know");
	}
	if (given)
		memcpy(opts, given, size < sizeof(*opts) ? size : sizeof(*opts));
	return check(opts, err);
}

static bool own(struct temporal_metrics *metrics)
{
	struct temporal_metrics_opts *opts = &metrics->opts;
	struct arena *arena = &metrics->arena;
	struct temporal_metric_label *labels = arena_array(arena, opts->n_labels, sizeof(*labels));

	opts->prefix = arena_strdup(arena, opts->prefix ? opts->prefix : DEFAULT_PREFIX);
	if (!opts->prefix || !labels)
		return false;
	for (size_t i = 0; i < opts->n_labels; i++) {
		labels[i].name = arena_strdup(arena, opts->labels[i].name);
		labels[i].value = arena_strdup(arena, opts->labels[i].value);
		if (!labels[i].name || !labels[i].value)
			return false;
	}
	opts->labels = labels;
	return true;
}

/* ---- forks ---- */

/*
 * A fork while another thread holds a lock would leave it held in the child for ever, and what it
 * protects half changed. So a fork takes all locks that there are, in their order.
 */
static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;
static struct temporal_metrics *registries; /* all_lock */

static void before_fork(void)
{
	pthread_mutex_lock(&all_lock);
	for (struct temporal_metrics *metrics = registries; metrics; metrics = metrics->next) {
		pthread_mutex_lock(&metrics->collect_lock);
		pthread_mutex_lock(&metrics->lock);
	}
}

static void after_fork(void)
{
	for (struct temporal_metrics *metrics = registries; metrics; metrics = metrics->next) {
		pthread_mutex_unlock(&metrics->lock);
		pthread_mutex_unlock(&metrics->collect_lock);
	}
	pthread_mutex_unlock(&all_lock);
}

static void watch_forks(void)
{
	pthread_atfork(before_fork, after_fork, after_fork);
}

void metrics_watch_forks(void)
{
	pthread_once(&fork_once, watch_forks);
}

static void enlist(struct temporal_metrics *metrics)
{
	metrics_watch_forks();
	pthread_mutex_lock(&all_lock);
	metrics->next = registries;
	metrics->link = &registries;
	if (registries)
		registries->link = &metrics->next;
	registries = metrics;
	pthread_mutex_unlock(&all_lock);
}

static void delist(struct temporal_metrics *metrics)
{
	pthread_mutex_lock(&all_lock);
	*metrics->link = metrics->next;
	if (metrics->next)
		metrics->next->link = metrics->link;
	pthread_mutex_unlock(&all_lock);
}

/* ---- life ---- */

static void metrics_free(struct temporal_metrics *metrics)
{
	delist(metrics);
	metrics_http_stop(metrics->http);
	pthread_mutex_destroy(&metrics->collect_lock);
	pthread_mutex_destroy(&metrics->lock);
	arena_finish(&metrics->arena);
	mem_free(metrics);
}

struct temporal_metrics *temporal_metrics_new_(
	struct temporal_error *err, const struct temporal_metrics_opts *opts, size_t size)
{
	struct temporal_metrics *metrics = mem_zalloc(sizeof(*metrics));

	if (!metrics) {
		error_no_memory(err, "metrics");
		return NULL;
	}
	atomic_init(&metrics->refs, 1);
	metrics->pid = getpid();
	pthread_mutex_init(&metrics->collect_lock, NULL);
	pthread_mutex_init(&metrics->lock, NULL);
	arena_init(&metrics->arena, 4096, ARENA_NO_BUDGET);
	enlist(metrics);
	if (take(&metrics->opts, opts, size, err) != TEMPORAL_OK)
		goto fail;
	if (!own(metrics)) {
		error_no_memory(err, "metrics");
		goto fail;
	}
	if (metrics->opts.listen) {
		metrics->http = metrics_http_start(metrics, metrics->opts.listen, err);
		if (!metrics->http)
			goto fail;
	}
	metrics->opts.listen = NULL; /* the caller's text */
	return metrics;
fail:
	metrics_free(metrics);
	return NULL;
}

struct temporal_metrics *temporal_metrics_ref(struct temporal_metrics *metrics)
{
	atomic_fetch_add_explicit(&metrics->refs, 1, memory_order_relaxed);
	return metrics;
}

/* A forked child has neither the endpoint's thread nor a right to its socket: it leaves all. */
void temporal_metrics_unref(struct temporal_metrics *metrics)
{
	if (!metrics || atomic_fetch_sub_explicit(&metrics->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (metrics->pid == getpid())
		metrics_free(metrics);
}

uint16_t temporal_metrics_port(const struct temporal_metrics *metrics)
{
	return metrics_http_port(metrics->http);
}

/* ---- series ---- */

/* Under the lock. */
static struct metrics_family *family_of(
	struct temporal_metrics *metrics, const struct metrics_desc *desc)
{
	static const char *const units[] = { "_milliseconds", "_seconds" };
	const struct temporal_metrics_opts *opts = &metrics->opts;
	struct metrics_family *family = metrics->families;
	const char *suffix = "";

	while (family && family->desc != desc)
		family = family->next;
	if (family)
		return family;
	if (desc->kind == TEMPORAL_METRIC_COUNTER && opts->total_suffix)
		suffix = "_total";
	if (desc->kind == TEMPORAL_METRIC_HISTOGRAM && opts->unit_suffix)
		suffix = units[opts->in_seconds];
	family = ARENA_NEW(&metrics->arena, struct metrics_family);
	if (!family)
		return NULL;
	family->desc = desc;
	family->name = arena_printf(&metrics->arena, "%s%s%s", opts->prefix, desc->name, suffix);
	if (!family->name)
		return NULL;
	family->next = metrics->families;
	metrics->families = family;
	return family;
}

/* A value in the text format, without its quotes. False: it does not fit, with a quote and a NUL
 * behind it. */
static bool escape(char *text, size_t size, size_t *len, const char *value)
{
	for (; *value; value++) {
		char escaped = *value == '\n' ? 'n' : *value;

		if (*len + 3 >= size)
			return false;
		if (*value == '\\' || *value == '"' || *value == '\n')
			text[(*len)++] = '\\';
		text[(*len)++] = escaped;
	}
	return true;
}

/* `name="value",...` of all labels that have a value. False: too long. */
static bool render(const struct temporal_metric_label *labels, size_t n, char text[LABELS_TEXT_MAX])
{
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		int wrote = snprintf(
			text + len, LABELS_TEXT_MAX - len, "%s%s=\"", i ? "," : "", labels[i].name);

		len += (size_t)wrote;
		if (len + 1 >= LABELS_TEXT_MAX ||
			!escape(text, LABELS_TEXT_MAX, &len, labels[i].value))
			return false;
		text[len++] = '"';
	}
	text[len] = '\0';
	return true;
}

static struct metrics_series *series_new(struct temporal_metrics *metrics,
	struct metrics_family *family, const struct temporal_metric_label *labels, size_t n,
	const char *text)
{
	struct arena *arena = &metrics->arena;
	size_t buckets =
		family->desc->kind == TEMPORAL_METRIC_HISTOGRAM ? family->desc->n_bounds + 1 : 0;
	struct metrics_series *series =
		arena_zalloc(arena, sizeof(*series) + buckets * sizeof(series->buckets[0]));
	struct temporal_metric_label *copies = arena_array(arena, n, sizeof(*copies));

	if (!series || !copies)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		copies[i].name = labels[i].name; /* constant, or ours */
		copies[i].value = arena_strdup(arena, labels[i].value);
		if (!copies[i].value)
			return NULL;
	}
	series->metrics = metrics;
	series->family = family;
	series->labels = copies;
	series->n_labels = n;
	series->text = arena_strdup(arena, text);
	if (!series->text)
		return NULL;
	series->next = family->series;
	family->series = series;
	family->count++;
	return series;
}

static struct metrics_series *find_or_make(struct temporal_metrics *metrics,
	const struct metrics_desc *desc, const struct temporal_metric_label *labels, size_t n)
{
	char text[LABELS_TEXT_MAX];
	struct metrics_family *family = family_of(metrics, desc);
	struct metrics_series *series = family ? family->series : NULL;

	if (!family || !render(labels, n, text))
		return NULL;
	while (series && strcmp(series->text, text) != 0)
		series = series->next;
	if (series || family->count >= METRICS_SERIES_MAX)
		return series;
	return series_new(metrics, family, labels, n, text);
}

struct metrics_series *metrics_series(struct temporal_metrics *metrics,
	const struct metrics_desc *desc, const struct temporal_metric_label *labels, size_t n)
{
	const struct temporal_metrics_opts *opts = &metrics->opts;
	struct temporal_metric_label all[METRICS_LABELS_MAX];
	struct metrics_series *series;
	size_t count = 0;

	/* Prometheus refuses the whole text if a series has a label twice; its own one counts. */
	for (size_t i = 0; i < opts->n_labels; i++) {
		if (!has_label(labels, n, opts->labels[i].name))
			all[count++] = opts->labels[i];
	}
	for (size_t i = 0; i < n && count < METRICS_LABELS_MAX; i++) {
		if (labels[i].value)
			all[count++] = labels[i];
	}
	pthread_mutex_lock(&metrics->lock);
	series = find_or_make(metrics, desc, all, count);
	pthread_mutex_unlock(&metrics->lock);
	return series;
}

/* ---- updates ---- */

static void tell(const struct metrics_series *series, int64_t value)
{
	const struct temporal_metric_value told = {
		.name = series->family->name,
		.kind = series->family->desc->kind,
		.labels = series->labels,
		.n_labels = series->n_labels,
		.value = value,
	};

	series->metrics->opts.on_value(&told, series->metrics->opts.user);
}

void metrics_add(struct metrics_series *series, uint64_t count)
{
	if (!series)
		return;
	atomic_fetch_add_explicit(&series->value, (int64_t)count, memory_order_relaxed);
	if (series->metrics->opts.on_value)
		tell(series, (int64_t)count);
}

void metrics_set(struct metrics_series *series, int64_t value)
{
	if (!series || atomic_load_explicit(&series->value, memory_order_relaxed) == value)
		return;
	atomic_store_explicit(&series->value, value, memory_order_relaxed);
	if (series->metrics->opts.on_value)
		tell(series, value);
}

void metrics_observe(struct metrics_series *series, int64_t ns)
{
	if (!series)
		return;
	const struct metrics_desc *desc = series->family->desc;
	size_t i = 0;

	if (ns < 0)
		ns = 0;
	while (i < desc->n_bounds && ns > desc->bounds_ms[i] * NS_PER_MS)
		i++;
	atomic_fetch_add_explicit(&series->buckets[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&series->value, ns, memory_order_relaxed);
	if (series->metrics->opts.on_value)
		tell(series, ns);
}

/* ---- health ---- */

void metrics_probe_add(struct temporal_metrics *metrics, struct metrics_probe *probe)
{
	pthread_mutex_lock(&metrics->lock);
	probe->next = metrics->probes;
	metrics->probes = probe;
	pthread_mutex_unlock(&metrics->lock);
}

void metrics_probe_remove(struct temporal_metrics *metrics, struct metrics_probe *probe)
{
	pthread_mutex_lock(&metrics->lock);
	struct metrics_probe **link = &metrics->probes;

	while (*link && *link != probe)
		link = &(*link)->next;
	if (*link)
		*link = probe->next;
	pthread_mutex_unlock(&metrics->lock);
}

struct metrics_health metrics_health(struct temporal_metrics *metrics, int64_t now_ns)
{
	struct metrics_health health = { 0 };

	pthread_mutex_lock(&metrics->lock);
	for (struct metrics_probe *probe = metrics->probes; probe; probe = probe->next) {
		health.probes++;
		health.ready += atomic_load(&probe->ready);
		health.alive += now_ns - atomic_load(&probe->beat_ns) <= METRICS_BEAT_MAX_NS;
	}
	pthread_mutex_unlock(&metrics->lock);
	return health;
}

/* ---- collectors ---- */

void metrics_collector_add(struct temporal_metrics *metrics, struct metrics_collector *collector)
{
	pthread_mutex_lock(&metrics->collect_lock);
	collector->next = metrics->collectors;
	metrics->collectors = collector;
	pthread_mutex_unlock(&metrics->collect_lock);
}

void metrics_collector_remove(struct temporal_metrics *metrics, struct metrics_collector *collector)
{
	pthread_mutex_lock(&metrics->collect_lock);
	struct metrics_collector **link = &metrics->collectors;

	while (*link && *link != collector)
		link = &(*link)->next;
	if (*link)
		*link = collector->next;
	pthread_mutex_unlock(&metrics->collect_lock);
}

void metrics_collect(struct temporal_metrics *metrics)
{
	pthread_mutex_lock(&metrics->collect_lock);
	for (struct metrics_collector *at = metrics->collectors; at; at = at->next)
		at->collect(at);
	pthread_mutex_unlock(&metrics->collect_lock);
}
