/*
 * main.c: runs simulations.
 *
 *     sim [--seed N] [--runs M] [--steps S] [--seconds T] [--verbose]
 *
 * Runs M seeds from N on, each for S events with faults, and leaves with 1 at the first violation;
 * with T, as many as go into so many seconds, but at least one. One seed in ten is run twice: its
 * traces must be equal.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim.h"

struct args {
	uint64_t seed;
	long runs, steps, seconds;
	bool verbose;
};

static long *number_option(struct args *args, const char *name)
{
	if (strcmp(name, "--runs") == 0)
		return &args->runs;
	if (strcmp(name, "--steps") == 0)
		return &args->steps;
	return strcmp(name, "--seconds") == 0 ? &args->seconds : NULL;
}

static bool parse(struct args *args, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		long *option = number_option(args, argv[i]);

		if (strcmp(argv[i], "--verbose") == 0)
			args->verbose = true;
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
	       "amid a commit), %ld of workers; acknowledged: %ld starts, %ld signals, %ld "
	       "activities, %ld tasks; %ld timers fired, %ld reads; trace %016llx\n",
		(unsigned long long)seed, at->events, (double)(sim_now_ns - SIM_BEGIN) / 1e9,
		at->calls, at->drops, at->doubles, at->crashes, at->torn_commits,
		at->worker_crashes, at->starts, at->signals, at->activities, at->tasks, at->timers,
		at->reads, (unsigned long long)trace);
	fflush(stdout);
}

static bool run_seed(const struct args *args, uint64_t seed)
{
	struct sim_opts opts = { seed, args->steps, args->verbose };
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

int main(int argc, char **argv)
{
	struct args args = { .seed = 1, .runs = 1, .steps = 20000 };
	double end;

	if (!parse(&args, argc, argv)) {
		fprintf(stderr,
			"sim [--seed N] [--runs M] [--steps S] [--seconds T] [--verbose]\n");
		return 2;
	}
	end = now() + (double)args.seconds;
	for (long i = 0; args.seconds ? i == 0 || now() < end : i < args.runs; i++) {
		if (!run_seed(&args, args.seed + (uint64_t)i))
			return 1;
	}
	return 0;
}
