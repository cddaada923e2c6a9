/*
 * runner.c: runs the replay tests, *.txt in the folder that it is given, against the engine;
 * README.md has the format.
 *
 * Goal: each scenario says what the engine is given and what it must say. Method: the runner plays
 * server and workflow at once, as scripted, and compares word by word. At the end each row of each
 * machine's table must have been taken. Then all scenarios run again with each allocation failing
 * in turn: they may end early, but must neither crash nor leak.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "build.h"
#include "engine/machine.h"
#include "message.h"
#include "show.h"

#define ROWS_MAX  64
#define FILES_MAX 64

struct runner {
	struct reader reader;
	struct arena arena; /* of the scenario */
	struct engine_config config;
	struct engine_run *run;
	struct engine_step step;
	bool faulty; /* allocations fail: nothing is compared, the scenario ends at the first
			surprise */
	unsigned scenarios;
};

static unsigned taken[MACHINE_KINDS][ROWS_MAX];

static void count_row(const struct fsm_table *table, size_t row)
{
	for (unsigned i = 0; i < MACHINE_KINDS; i++)
		if (machine_kinds[i]->table == table)
			taken[i][row]++;
}

static void begin_scenario(struct runner *runner)
{
	engine_run_free(runner->run);
	arena_finish(&runner->arena);
	arena_init(&runner->arena, 4096, ARENA_NO_BUDGET);
	runner->config = (struct engine_config){
		.namespace_ = "default",
		.task_queue = "orders",
		.identity = "tester",
		.sdk_name = "temporal-c",
		.sdk_version = "1.0",
		.sticky_queue = "sticky",
		.sticky_timeout_ms = 10000,
	};
	runner->run = NULL;
	runner->step = (struct engine_step){ .action = ENGINE_IDLE };
}

static void set_config(struct runner *runner, const struct line *line)
{
	struct engine_config *config = &runner->config;

	if (line_has(line, "uncached"))
		config->sticky_queue = NULL;
	config->fail_run_on_nondeterminism = line_has(line, "fail_run_on_nondeterminism");
	config->no_sdk_metadata = line_has(line, "no_sdk_metadata");
	config->use_versioning = line_has(line, "versioned");
	config->history_pages_max = (unsigned)line_number(line, "pages_max", 0);
	config->build_id = line_value(line, "build_id");
	config->deployment_name = line_value(line, "deployment");
}

/* The run of the scenario, made on first use. */
static bool need_run(struct runner *runner)
{
	if (!runner->run)
		runner->run = engine_run_new(&runner->config, "run-1");
	return runner->run;
}

/* In these, what the script says is built without faults: only the engine's own allocations fail.
 */
static void do_task(struct runner *runner, const struct line *line)
{
	struct arena arena;
	long faults = mem_fault_pause();

	arena_init(&arena, 4096, ARENA_NO_BUDGET);

	Workflowservice__PollWorkflowTaskQueueResponse *task =
		build_task(&runner->reader, line, &arena);

	mem_fault_resume(faults);
	if (need_run(runner))
		runner->step = engine_run_task(runner->run, task, &arena);
	arena_finish(&arena);
}

static void do_page(struct runner *runner, const struct line *line)
{
	struct arena arena;
	long faults = mem_fault_pause();

	arena_init(&arena, 4096, ARENA_NO_BUDGET);

	Workflowservice__GetWorkflowExecutionHistoryResponse *page =
		build_page(&runner->reader, line, &arena);

	mem_fault_resume(faults);
	if (line_has(line, "missing"))
		runner->step = engine_run_history(runner->run, NULL, NULL, TEMPORAL_NOT_FOUND);
	else
		runner->step = engine_run_history(runner->run, page, &arena, TEMPORAL_OK);
	arena_finish(&arena);
}

static void do_complete(struct runner *runner, const struct line *line)
{
	struct arena arena;
	long faults = mem_fault_pause();

	arena_init(&arena, 4096, ARENA_NO_BUDGET);

	struct completion completion = build_completion(&runner->reader, line, &arena);

	mem_fault_resume(faults);
	runner->step = engine_run_complete(runner->run, &completion);
	arena_finish(&arena); /* the engine has copied what it needs */
}

static void do_responded(struct runner *runner, const struct line *line)
{
	Workflowservice__RespondWorkflowTaskCompletedResponse response =
		WORKFLOWSERVICE__RESPOND_WORKFLOW_TASK_COMPLETED_RESPONSE__INIT;
	struct arena arena;
	long faults = mem_fault_pause();

	arena_init(&arena, 4096, ARENA_NO_BUDGET);
	response.reset_history_event_id = line_number(line, "reset", 0);
	if (line_has(line, "task"))
		response.workflow_task = build_task(&runner->reader, line, &arena);
	mem_fault_resume(faults);
	runner->step =
		engine_run_responded(runner->run, (enum temporal_code)line_number(line, "code", 0),
			line_value(line, "message"), &response, &arena);
	arena_finish(&arena);
}

static void do_replay(struct runner *runner, const struct line *line)
{
	struct arena arena;
	long faults = mem_fault_pause();

	(void)line;
	arena_init(&arena, 4096, ARENA_NO_BUDGET);

	History__History *history = build_history(&runner->reader, &arena);

	mem_fault_resume(faults);
	if (need_run(runner))
		runner->step = engine_run_replay(runner->run, history, "order-1", &arena);
	arena_finish(&arena);
}

/* `locals` and lines `result seq= [value=|failure=|cancelled] [attempt=] [backoff=] [ran=MS]`. */
static void do_locals(struct runner *runner, const struct line *line)
{
	struct local_result *results;
	size_t count;
	long faults = mem_fault_pause();

	(void)line;
	results = build_local_results(&runner->reader, &runner->arena, &count);
	mem_fault_resume(faults);
	runner->step = engine_run_locals(runner->run, results, count);
}

static void do_heartbeat(struct runner *runner, const struct line *line)
{
	(void)line;
	runner->step = engine_run_heartbeat(runner->run);
}

static void do_drop(struct runner *runner, const struct line *line)
{
	(void)line;
	runner->step = engine_run_drop(runner->run);
}

static void do_evict(struct runner *runner, const struct line *line)
{
	(void)line;
	if (need_run(runner))
		runner->step = engine_run_evict(runner->run, EVICTION_CACHE_FULL, "full");
}

/* All words of the line but the first `skip` must be among the words of the engine. */
static void compare(struct runner *runner, const struct line *line, size_t skip, const char *words)
{
	const char *part = line_value(line, "text~");

	for (size_t i = skip; i < line->count; i++)
		if (strncmp(line->words[i], "text~=", 6) != 0 && !words_have(words, line->words[i]))
			script_fail(&runner->reader.script, line, "%s: not among:\n%s",
				line->words[i], words);
	if (part && (!runner->step.failure_text || !strstr(runner->step.failure_text, part)))
		script_fail(&runner->reader.script, line, "the text is: %s",
			runner->step.failure_text ? runner->step.failure_text : "none");
}

static void expect_body(struct runner *runner, const char *head, size_t at, const char *words,
	const struct line *expect)
{
	char heads[32];
	const struct line *line;

	snprintf(heads, sizeof(heads), " %s ", head);
	line = reader_take(&runner->reader, heads);
	if (!line)
		script_fail(&runner->reader.script, expect, "%s %zu is not expected:\n%s", head,
			at + 1, words);
	compare(runner, line, 1, words);
}

static void expect_activation(struct runner *runner, const struct line *line)
{
	const struct activation *activation = runner->step.activation;

	compare(runner, line, 1, show_activation(&runner->arena, activation));
	for (size_t i = 0; i < activation->n_jobs; i++)
		expect_body(runner, "job", i, show_job(&runner->arena, &activation->jobs[i]), line);
}

static void expect_completed(struct runner *runner, const struct line *line)
{
	const Workflowservice__RespondWorkflowTaskCompletedRequest *request =
		runner->step.completed;

	compare(runner, line, 2, message_words(&runner->arena, &request->base));
	for (size_t i = 0; i < request->n_commands; i++)
		expect_body(runner, "command", i,
			show_command(&runner->arena, request->commands[i]), line);
	for (size_t i = 0; i < request->n_query_results; i++)
		expect_body(runner, "query_result", i,
			message_words(&runner->arena, &request->query_results[i]->base), line);
	for (size_t i = 0; i < request->n_messages; i++)
		expect_body(runner, "answer", i,
			message_words(&runner->arena, &request->messages[i]->base), line);
}

/* `failed unreported`: the server is told nothing. */
static void expect_failed(struct runner *runner, const struct line *line)
{
	bool unreported = line_has(line, "unreported");

	if (unreported != !runner->step.failed)
		script_fail(&runner->reader.script, line, "the server is%s told: %s",
			unreported ? "" : " not", runner->step.failure_text);
	compare(runner, line, unreported ? 3 : 2,
		unreported ? "" : message_words(&runner->arena, &runner->step.failed->base));
}

/* Lines `local seq=...` for what is to be run, `cancel seq=` for what is to be cancelled. */
static void expect_locals(struct runner *runner, const struct line *line)
{
	struct arena *arena = &runner->arena;
	const struct engine_step *step = &runner->step;

	for (size_t i = 0; i < step->n_locals; i++)
		expect_body(runner, "local", i,
			arena_printf(arena, "seq=%u\nthreshold=%lld\noriginal=%lld\n%s",
				step->locals[i]->seq,
				(long long)step->locals[i]->retry_threshold_ms,
				(long long)(step->locals[i]->original_schedule_ns / 1000000),
				message_words(arena, &step->locals[i]->task->base)),
			line);
	for (size_t i = 0; i < step->n_cancels; i++)
		expect_body(runner, "cancel", i,
			arena_printf(arena, "seq=%u\n", step->cancels[i]->seq), line);
}

static void expect(struct runner *runner, const struct line *line)
{
	const struct engine_step *step = &runner->step;
	const char *action = show_action(step->action);

	if (line->count < 2 || strcmp(line->words[1], action) != 0)
		script_fail(&runner->reader.script, line, "the engine says %s%s%s", action,
			step->failure_text ? ": " : "",
			step->failure_text ? step->failure_text : "");
	if (step->action == ENGINE_ACTIVATE)
		expect_activation(runner, line);
	else if (step->action == ENGINE_RESPOND_COMPLETED)
		expect_completed(runner, line);
	else if (step->action == ENGINE_RESPOND_FAILED)
		expect_failed(runner, line);
	else if (step->action == ENGINE_WAIT_LOCALS)
		expect_locals(runner, line);
	else if (step->action == ENGINE_RESPOND_QUERY)
		compare(runner, line, 2, message_words(&runner->arena, &step->query->base));
	else if (step->action == ENGINE_FETCH_HISTORY)
		compare(runner, line, 2,
			arena_printf(&runner->arena, "token=%.*s\n", (int)step->page_token.len,
				(const char *)step->page_token.ptr));
}

static const struct {
	const char *head;
	void (*run)(struct runner *runner, const struct line *line);
	const char *when; /* the actions that it answers */
} blocks[] = {
	{ "task", do_task, " idle " },
	{ "replay", do_replay, " idle " },
	{ "evict", do_evict, " idle " },
	{ "page", do_page, " fetch " },
	{ "locals", do_locals, " wait_locals " },
	{ "heartbeat", do_heartbeat, " wait_locals " },
	{ "drop", do_drop, " wait_locals " },
	{ "complete", do_complete, " activate " },
	{ "fail", do_complete, " activate " },
	{ "responded", do_responded, " completed failed query " },
};

/* In a faulty scenario false: the script does not go with what the engine says. */
static bool run_block(struct runner *runner, const struct line *line)
{
	char action[32];

	snprintf(action, sizeof(action), " %s ", show_action(runner->step.action));
	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
		if (strcmp(blocks[i].head, line->words[0]) != 0)
			continue;
		if (strstr(blocks[i].when, action)) {
			blocks[i].run(runner, line);
			return !runner->faulty || runner->run;
		}
		if (runner->faulty)
			return false;
		script_fail(&runner->reader.script, line, "the engine waits for what goes with%s",
			action);
	}
	script_fail(&runner->reader.script, line, "%s: unknown line", line->words[0]);
}

static void run_scenario(struct runner *runner)
{
	bool goes_on = true;

	begin_scenario(runner);
	while (runner->reader.at < runner->reader.script.count) {
		const struct line *line = &runner->reader.script.lines[runner->reader.at];

		if (strcmp(line->words[0], "scenario") == 0)
			break;
		runner->reader.at++;
		if (!goes_on)
			continue;
		if (strcmp(line->words[0], "config") == 0)
			set_config(runner, line);
		else if (strcmp(line->words[0], "expect") == 0 && !runner->faulty)
			expect(runner, line);
		else if (!runner->faulty ||
			 !strstr(" expect job command query_result answer local cancel result ",
				 line->words[0]))
			goes_on = run_block(runner, line);
	}
}

/* Once plainly; with faults once for each allocation that the scenario makes. */
static void run_script(struct runner *runner, bool faulty)
{
	runner->reader.at = 0;
	runner->faulty = faulty;
	while (runner->reader.at < runner->reader.script.count) {
		const struct line *line = &runner->reader.script.lines[runner->reader.at];
		size_t begin = runner->reader.at + 1;
		long nth = 0;

		if (strcmp(line->words[0], "scenario") != 0)
			script_fail(&runner->reader.script, line, "expected: scenario NAME");
		do {
			runner->reader.at = begin;
			mem_fault_set(faulty ? nth++ : -1, 0);
			run_scenario(runner);
		} while (faulty && mem_fault_hit());
		mem_fault_set(-1, 0);
		runner->scenarios++;
	}
}

static int check_rows(void)
{
	int missing = 0;

	for (unsigned i = 0; i < MACHINE_KINDS; i++) {
		const struct fsm_table *table = machine_kinds[i]->table;
		const char *problem = fsm_check(table);

		if (problem) {
			fprintf(stderr, "table %s: %s\n", table->name, problem);
			missing++;
		}
		for (size_t row = 0; row < table->n_rows; row++) {
			if (taken[i][row])
				continue;
			fprintf(stderr, "table %s: no test takes the row %s, %s\n", table->name,
				table->states[table->rows[row].state],
				table->events[table->rows[row].event]);
			missing++;
		}
	}
	return missing;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_script(const char *name)
{
	size_t size = strlen(name);

	return size > 4 && strcmp(name + size - 4, ".txt") == 0 &&
	       strcmp(name, "CMakeLists.txt") != 0;
}

static size_t list_files(struct arena *arena, const char *folder, const char **files)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	size_t count = 0;

	while (dir && count < FILES_MAX && (entry = readdir(dir)))
		if (is_script(entry->d_name))
			files[count++] = arena_printf(arena, "%s/%s", folder, entry->d_name);
	if (dir)
		closedir(dir);
	qsort(files, count, sizeof(*files), by_name);
	return count;
}

int main(int argc, char **argv)
{
	struct runner runner = { 0 };
	struct arena texts;
	const char *files[FILES_MAX];
	size_t n_files;
	bool faulty = argc > 2 && strcmp(argv[2], "--faults") == 0;

	if (argc < 2) {
		fprintf(stderr, "usage: %s FOLDER|FILE.txt [--faults]\n", argv[0]);
		return 2;
	}
	arena_init(&texts, 4096, ARENA_NO_BUDGET);
	fsm_trace = count_row;
	n_files = list_files(&texts, argv[1], files);
	if (!n_files)
		files[n_files++] = argv[1];
	for (size_t i = 0; i < n_files; i++) {
		runner.reader.script = script_read(&texts, files[i]);
		run_script(&runner, faulty);
	}
	engine_run_free(runner.run);
	arena_finish(&runner.arena);
	arena_finish(&texts);
	printf("%u scenarios in %zu files\n", runner.scenarios, n_files);
	return n_files > 1 && !faulty && check_rows() ? 1 : 0;
}
