/*
 * arguments.c: the arguments of calls that go out, typed by a contract or untyped, as payloads.
 *
 * Encoding runs on the thread's stack, as it may need more of it than a coroutine has; what went
 * wrong is told on the coroutine's, where the call was made.
 */
#include "convert/convert.h"
#include "workflow/run.h"

void arguments_replace(struct arguments *arguments, const struct temporal_payloads *raw)
{
	if (!raw)
		return;
	arguments->contract = NULL;
	arguments->raw = raw;
}

bool arguments_encode(struct arguments *arguments)
{
	Common__Payload **payloads = NULL;

	if (arguments->err.code)
		return false;
	if (!arguments->contract) {
		if (!options_payloads(arguments->arena, arguments->raw, &arguments->out))
			arguments->err.code = TEMPORAL_NO_MEMORY;
		return !arguments->err.code;
	}
	arguments->err.code = convert_encode_arguments(arguments->arena, arguments->contract,
		arguments->in, &payloads, &arguments->out.count, &arguments->err);
	arguments->out.items = payloads;
	return !arguments->err.code;
}

void arguments_check(struct wf *wf, const struct arguments *arguments, const char *of)
{
	if (arguments->err.code == TEMPORAL_NO_MEMORY)
		run_lacks_memory(wf);
	if (arguments->err.code)
		run_fault(wf, "BadPayload", "%s: %s", of, arguments->err.message);
}
