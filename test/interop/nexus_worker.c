/*
 * nexus_worker.c: a Nexus service in C, and workflows in C that call one, for tests in Python.
 *
 *	nexus_worker --address HOST:PORT --task-queue QUEUE
 *
 * Service "parcels": quote(parcel) answers at once; ship(parcel) is done by the workflow Shipping,
 * which ends by its signal "arrive" or when it is cancelled; fail(how) fails in the ways of its
 * name; void() has neither argument nor result. CallText(endpoint, text) calls the operations of
 * the service "texts", which is in Python.
 */
#include <stdio.h>
#include <string.h>

#include <temporal/worker.h>

/* ---- the service ---- */

struct parcel {
	const char *id;
	double kilos;
};
TEMPORAL_RECORD(parcel, id, kilos);

struct quote_in {
	struct parcel parcel;
};
struct price {
	double amount;
	const char *currency;
};
TEMPORAL_RECORD(price, amount, currency);
typedef struct price quote_out;
TEMPORAL_NEXUS_CONTRACT(quote, "quote", RECORD(parcel, struct parcel), RETURNS(struct price));

struct ship_in {
	struct parcel parcel;
};
typedef const char *ship_out;
TEMPORAL_NEXUS_CONTRACT(ship, "ship", RECORD(parcel, struct parcel));

struct fail_in {
	const char *how;
};
typedef const char *fail_out;
TEMPORAL_NEXUS_CONTRACT(fail, "fail", how);

typedef void nothing_out;
TEMPORAL_NEXUS_CONTRACT_0(nothing, "void");

TEMPORAL_NEXUS_SERVICE_CONTRACT(parcels, "parcels", &quote, &ship, &fail, &nothing);

struct shipping_in {
	struct parcel parcel;
};
typedef const char *shipping_out;
TEMPORAL_WORKFLOW_CONTRACT(shipping, "Shipping", RECORD(parcel, struct parcel));

struct shipping {
	bool arrived;
};
TEMPORAL_SIGNAL_CONTRACT_0(shipping_arrive, "arrive");

static void shipping_arrive_run(struct wf *wf, struct shipping *self)
{
	self->arrived = true;
}
TEMPORAL_SIGNAL_0(shipping, arrive);

static bool has_arrived(const void *state)
{
	return ((const struct shipping *)state)->arrived;
}

static shipping_out shipping_run(struct wf *wf, struct shipping *self, const struct shipping_in *in)
{
	wf_wait(wf, wf_until(wf, has_arrived, self));
	return wf_printf(wf, "%s has arrived", in->parcel.id);
}
static const struct temporal_handler *const shipping_handlers[] = { &shipping_arrive_handler,
	NULL };
TEMPORAL_STATEFUL_WORKFLOW(shipping, shipping_handlers);

static const struct temporal_failure *quote_run(
	struct nexus *nexus, const struct quote_in *in, quote_out *out)
{
	const char *currency = nexus_header(nexus, "currency");

	*out = (quote_out){ in->parcel.kilos * 2.5, currency ? currency : "EUR" };
	return NULL;
}
TEMPORAL_NEXUS(quote);

static const struct temporal_failure *ship_run(
	struct nexus *nexus, const struct ship_in *in, ship_out *out)
{
	struct temporal_start_opts opts = { .id = nexus_printf(nexus, "ship-%s", in->parcel.id) };

	return nexus_start_workflow(nexus, shipping, &opts, .parcel = in->parcel);
}
TEMPORAL_NEXUS(ship);

static const struct temporal_failure *fail_run(
	struct nexus *nexus, const struct fail_in *in, fail_out *out)
{
	if (!strcmp(in->how, "failed"))
		return nexus_failure(nexus, NULL, "the van has %s", "burnt");
	if (!strcmp(in->how, "canceled"))
		return nexus_cancelled_failure(nexus, "nobody wants it");
	if (!strcmp(in->how, "bad request"))
		return nexus_error(nexus, NEXUS_ERROR_BAD_REQUEST, "what is this?");
	return nexus_error_with(nexus,
		&(const struct nexus_error_opts){
			.type = NEXUS_ERROR_UNAVAILABLE, .retry = TEMPORAL_HANDLER_NON_RETRYABLE },
		"closed for ever");
}
TEMPORAL_NEXUS(fail);

static const struct temporal_failure *nothing_run(struct nexus *nexus)
{
	return NULL;
}
TEMPORAL_NEXUS_0(nothing);

TEMPORAL_NEXUS_SERVICE(
	parcels, &quote_operation, &ship_operation, &fail_operation, &nothing_operation);

/* ---- a caller ---- */

struct shout_in {
	const char *text;
};
typedef const char *shout_out;
TEMPORAL_NEXUS_CONTRACT(shout, "shout", text);
struct shout_later_in {
	const char *text;
};
typedef const char *shout_later_out;
TEMPORAL_NEXUS_CONTRACT(shout_later, "shout_later", text);
TEMPORAL_NEXUS_SERVICE_CONTRACT(texts, "texts", &shout, &shout_later);

struct call_text_in {
	const char *endpoint, *text;
};
typedef const char *call_text_out;
TEMPORAL_WORKFLOW_CONTRACT(call_text, "CallText", endpoint, text);

static call_text_out call_text_run(struct wf *wf, const struct call_text_in *in)
{
	const struct wf_nexus_opts opts = { .endpoint = in->endpoint, .service = texts.name };
	const char *now = wf_nexus(wf, shout, &opts, .text = in->text);
	const char *later = wf_nexus(wf, shout_later, &opts, .text = in->text);

	return wf_printf(wf, "%s %s", now, later);
}
TEMPORAL_WORKFLOW(call_text);

static const char *option(int argc, char **argv, const char *name)
{
	for (int i = 1; i + 1 < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return argv[i + 1];
	return NULL;
}

static void log_line(const struct temporal_worker_log *line, void *user)
{
	fprintf(stderr, "%s\n", line->message);
}

int main(int argc, char **argv)
{
	struct temporal_error err = { .code = TEMPORAL_OK };
	enum temporal_code code = TEMPORAL_UNKNOWN;
	struct temporal_client *client =
		temporal_client_connect(&err, .target = option(argc, argv, "--address"));
	const struct temporal_workflow *const workflows[] = { &shipping_workflow,
		&call_text_workflow, NULL };
	const struct temporal_nexus_service *const services[] = { &parcels_service, NULL };
	struct temporal_worker *worker =
		!client ? NULL
			: temporal_worker_new(client, &err,
				  .task_queue = option(argc, argv, "--task-queue"),
				  .workflows = workflows, .nexus_services = services,
				  .on_log = log_line, .shutdown_on_signals = true);

	if (worker)
		code = temporal_worker_run(worker, &err);
	if (code != TEMPORAL_OK)
		fprintf(stderr, "nexus_worker: %s\n", err.message);
	temporal_worker_unref(worker);
	temporal_client_unref(client);
	return code != TEMPORAL_OK;
}
