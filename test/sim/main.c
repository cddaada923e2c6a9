/*
 * main.c: runs simulations.
 *
 *     sim [--seed N] [--runs M] [--steps S] [--seconds T] [--verbose]
 *     sim --every-write [--seed N] [--stride K]
 *
 * Runs M seeds from N on, each for S events with faults, and leaves with 1 at the first violation;
 * with T, as many as go into so many seconds, but at least one. One seed in ten is run twice: its
 * traces must be equal.
 *
 * With --every-write there are no faults but one in each run: the disk stops at its first call, in
 * the next run at the (1 + K)th, and so on to the end of the run.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim.h"

struct args {
	uint64_t seed;
	long runs, steps, seconds, stride;
	bool verbose, every_write;
};

static long *number_option(struct args *args, const char *name)
{
	if (strcmp(name, "--runs") == 0)
		return &args->runs;
	if (strcmp(name, "--steps") == 0)
		return &args->steps;
	if (strcmp(name, "--stride") == 0)
		return &args->stride;
	return strcmp(name, "--seconds") == 0 ? &args->seconds : NULL;
}

static bool parse(struct args *args, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		long *option = number_option(args, argv[i]);

		if (strcmp(argv[i], "--verbose") == 0)
			args->verbose = true;
		else if (strcmp(argv[i], "--every-write") == 0)
			args->every_write = true;
		else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
			args->seed = strtoull(argv[++i], NULL, 0);
		else if (option && i + 1 < argc)
			*option = strtol(argv[++i], NULL, 0);
		else
			return false;
	}
	return true;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void print_figures(uint64_t seed, uint64_t trace)
{
	const struct sim_figures *at = &sim_figures;

	printf("seed %llu: %ld events, %.0f s, %ld calls (%ld lost, %ld doubled), %ld crashes (%ld "
	       "amid a commit), %ld of workers (%ld stopped); acknowledged: %ld starts, %ld "
	       "signals, %ld activities, %ld tasks, %ld updates, %ld operations, %ld resets; %ld "
	       "timers fired, %ld local activities, %ld children, %ld reads; trace %016llx\n",
		(unsigned long long)seed, at->events, (double)(sim_now_ns - SIM_BEGIN) / 1e9,
		at->calls, at->drops, at->doubles, at->crashes, at->torn_commits,
		at->worker_crashes, at->shutdowns, at->starts, at->signals, at->activities,
		at->tasks, at->updates, at->operations, at->resets, at->timers, at->locals,
		at->children, at->reads, (unsigned long long)trace);
	fflush(stdout);
}

static bool run_seed(const struct args *args, uint64_t seed)
{
	struct sim_opts opts = { seed, args->steps, -1, args->verbose };
	uint64_t trace = sim_run(&opts);

	if (!trace) {
		printf("reproduce it by: sim --seed %llu --steps %ld --verbose\n",
			(unsigned long long)seed, args->steps);
		return false;
	}
	print_figures(seed, trace);
	if (seed % 10 == 0 && sim_run(&opts) != trace) {
		printf("seed %llu has another trace the second time\n", (unsigned long long)seed);
		return false;
	}
	return true;
}

static bool run_every_write(const struct args *args)
{
	struct sim_opts opts = { args->seed, args->steps, LONG_MAX, args->verbose };
	long calls, runs = 0;

	if (!sim_run(&opts))
		return false;
	calls = sim_figures.disk_calls;
	for (opts.crash_at = 0; opts.crash_at < calls; opts.crash_at += args->stride) {
		if (!sim_run(&opts)) {
			printf("the disk stopped at call %ld of seed %llu\n", opts.crash_at,
				(unsigned long long)args->seed);
			return false;
		}
		if (++runs % 100 == 0) {
			printf("%ld of %ld calls\n", opts.crash_at, calls);
			fflush(stdout);
		}
	}
	printf("seed %llu: the disk stopped at %ld of its %ld calls\n",
		(unsigned long long)args->seed, runs, calls);
	return true;
}

int main(int argc, char **argv)
{
	struct args args = { .seed = 1, .runs = 1, .steps = 20000, .stride = 1 };
	double end;

	if (!parse(&args, argc, argv) || args.stride < 1) {
		fprintf(stderr, "sim [--seed N] [--runs M] [--steps S] [--seconds T] [--verbose]"
				" | --every-write [--stride K]\n");
		return 2;
	}
	if (args.every_write)
		return !run_every_write(&args);
	end = now() + (double)args.seconds;
	for (long i = 0; args.seconds ? i == 0 || now() < end : i < args.runs; i++) {
		if (!run_seed(&args, args.seed + (uint64_t)i))
			return 1;
	}
	return 0;
}
