/*
 * log.c: what a run says and tells: its log, its clock, what is known of it.
 *
 * A line is logged once in the run's life: not while it is replayed, and not from the last moments
 * of an evicted run. The worker's function is called on the thread's stack, with the workflow's
 * thread blocked meanwhile; it must not call back into the run.
 *
 * Clock and info are those of the activation (initialize.c): nothing here asks the system.
 */
#include "workflow/run.h"

#include <stdio.h>

#include "base/mem.h"
#include "convert/convert.h"

struct log_call {
	struct wf *wf;
	enum temporal_log_level level;
	const char *format;
	va_list args;
};

static void give(const struct wf *wf, enum temporal_log_level level, const char *message)
{
	const struct wf_config *config = wf->thread->config;
	struct wf_log_record record = {
		.level = (int)level,
		.message = message,
		.workflow_type = wf->info.workflow_type,
		.workflow_id = wf->info.workflow_id,
		.run_id = wf->info.run_id,
	};

	config->log(&record, config->log_user);
}

/*
 * A line that is too long for the buffer and finds no memory is cut. From malloc and not from the
 * run's arena: what is logged must not count against the run's budget, nor stay.
 */
static void log_call(void *arg)
{
	struct log_call *call = arg;
	char few[512], *text = few;
	va_list again;

	va_copy(again, call->args);
	int len = vsnprintf(few, sizeof(few), call->format, call->args);
	if (len >= (int)sizeof(few)) {
		text = mem_alloc((size_t)len + 1);
		if (text)
			vsnprintf(text, (size_t)len + 1, call->format, again);
		else
			text = few;
	}
	va_end(again);
	if (len >= 0)
		give(call->wf, call->level, text);
	if (text != few)
		mem_free(text);
}

void wf_log(const struct wf *constant, enum temporal_log_level level, const char *format, ...)
{
	struct wf *wf = run_of(constant);
	struct log_call call = { .wf = wf, .level = level, .format = format };

	if ((wf->replaying && !wf->thread->config->log_on_replay) || wf->evicted ||
		!wf->thread->config->log)
		return;
	va_start(call.args, format);
	memory_on_thread(wf, log_call, &call);
	va_end(call.args);
}

int64_t wf_now_ns(const struct wf *wf)
{
	return wf->now_ns;
}

bool wf_is_replaying(const struct wf *wf)
{
	return wf->replaying;
}

const struct wf_info *wf_info(const struct wf *wf)
{
	return &wf->info;
}

const struct temporal_payload *wf_last_result_raw(const struct wf *wf)
{
	return wf->last_result;
}

/* What wf_last_result_() and its call on the thread's stack share. */
struct last_call {
	struct arena *arena;
	const struct temporal_contract *contract;
	const struct temporal_payload *payload;
	void *out;
	struct temporal_error err;
};

static void last_call(void *arg)
{
	struct last_call *call = arg;
	Common__Payload *payload = convert_payload_to_api(call->arena, call->payload);

	call->out = arena_zalloc(call->arena, call->contract->out_size);
	if (payload && call->out)
		call->err.code = convert_decode_result(
			call->arena, call->contract, payload, call->out, &call->err);
	else
		call->err.code = TEMPORAL_NO_MEMORY;
}

/* Decoded with each call; a cron workflow asks once. */
const void *wf_last_result_(const struct wf *constant, const struct temporal_contract *contract)
{
	struct wf *wf = run_of(constant);
	struct last_call call = { run_arena(wf), contract, wf->last_result, NULL,
		{ .code = TEMPORAL_OK } };

	if (!wf->last_result)
		return NULL;
	memory_on_thread(wf, last_call, &call);
	if (call.err.code == TEMPORAL_NO_MEMORY)
		run_lacks_memory(wf);
	if (call.err.code)
		run_fault(
			wf, "BadPayload", "Failed decoding the last result: %s", call.err.message);
	return call.out;
}

const struct temporal_failure *wf_last_failure(const struct wf *wf)
{
	return wf->last_failure;
}

void(wf_set_current_details)(struct wf *wf, const char *text)
{
	run_acts(wf, "wf_set_current_details");
	wf->current_details = wf_strdup(wf, text);
}
