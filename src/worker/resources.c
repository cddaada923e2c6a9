/*
 * resources.c: slots by resources: two PID controllers, as those of the core SDK.
 *
 * A slot is given while both outputs are above their thresholds. With the gains' defaults the
 * proportional part decides: five times the distance to the target; the change of what is measured
 * damps it, so that a quick rise stops the slots before the target is reached. The sum has no
 * weight by default. Each part and their sum are cut at LIMIT.
 */
#include "worker/resources.h"

#define LIMIT      100
#define MAX_AGE_NS (INT64_C(100) * 1000000)

static double cut(double value)
{
	return value > LIMIT ? LIMIT : value < -LIMIT ? -LIMIT : value;
}

double worker_pid_next(struct worker_pid *pid, double measured)
{
	double error = pid->target - measured;
	double change = pid->has_last ? measured - pid->last : 0;

	pid->sum = cut(pid->sum + error * pid->i_gain);
	pid->last = measured;
	pid->has_last = true;
	return cut(cut(error * pid->p_gain) + pid->sum + cut(-change * pid->d_gain));
}

void worker_resources_init(
	struct worker_resources *resources, const struct temporal_resource_opts *opts)
{
	*resources = (struct worker_resources){
		.opts = *opts,
		.memory = { opts->target_memory, opts->memory_p_gain, opts->memory_i_gain,
			opts->memory_d_gain, 0, 0, false },
		.cpu = { opts->target_cpu, opts->cpu_p_gain, opts->cpu_i_gain, opts->cpu_d_gain, 0,
			0, false },
	};
}

bool worker_resources_allow(struct worker_resources *resources, int64_t now_ns)
{
	const struct temporal_resource_opts *opts = &resources->opts;
	struct worker_host *host = &resources->host;

	worker_host_sample(host, now_ns, MAX_AGE_NS);
	resources->memory_output = worker_pid_next(&resources->memory, host->memory);
	resources->cpu_output = worker_pid_next(&resources->cpu, host->cpu);
	return resources->memory_output > opts->memory_threshold &&
	       resources->cpu_output > opts->cpu_threshold && host->memory <= opts->target_memory;
}
