/*
 * Slots by resources. Goal: slots stop before memory or CPU are used up, and what is measured is
 * what the process may have: the machine's, or its cgroup's, version 1 or 2. Method: files like
 * those of /proc and /sys in a folder of the test's own, whose numbers it changes between samples.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker/resources.h"

#define S_NS INT64_C(1000000000)

static void assert_near(double value, double expected)
{
	assert_true(value > expected - 1e-9 && value < expected + 1e-9);
}

static char root[64];

/* Writes a file below the root; folders are made. */
static void put(const char *path, const char *text)
{
	char name[512];

	snprintf(name, sizeof(name), "%s%s", root, path);
	for (char *slash = strchr(name + strlen(root) + 1, '/'); slash;
		slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(name, 0700);
		*slash = '/';
	}
	FILE *file = fopen(name, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int begin(void **state)
{
	snprintf(root, sizeof(root), "/tmp/resources-XXXXXX");
	assert_non_null(mkdtemp(root));
	put("/proc/meminfo",
		"MemTotal:       1000 kB\nMemFree:         100 kB\nMemAvailable:    600 kB\n");
	put("/proc/stat", "cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 2 3 4\n");
	return 0;
}

static int end(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r %s", root);
	return system(command);
}

static void the_whole_machine_counts_without_a_limit(void **state)
{
	struct worker_host host = { .root = root };

	worker_host_sample(&host, S_NS, 0);
	assert_int_equal(host.memory_total, 1000 * 1024);
	assert_near(host.memory, 0.4);
	assert_near(host.cpu, 0); /* nothing to compare with yet */
	/* 100 ticks passed, 30 of them busy: waiting for a disk is not. */
	put("/proc/stat", "cpu  120 0 110 750 120 0 0 0 0 0\n");
	worker_host_sample(&host, 2 * S_NS, 0);
	assert_near(host.cpu, 0.3);
	/* A sample that is young enough is not taken again. */
	put("/proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 0 kB\n");
	worker_host_sample(&host, 2 * S_NS + 1, S_NS);
	assert_near(host.memory, 0.4);
	worker_host_sample(&host, 3 * S_NS + 1, S_NS);
	assert_near(host.memory, 1);
}

static void a_cgroup_of_version_2_limits(void **state)
{
	struct worker_host host = { .root = root };

	put("/proc/self/cgroup", "0::/box/inner\n");
	put("/sys/fs/cgroup/box/inner/memory.max", "102400\n");
	put("/sys/fs/cgroup/box/inner/memory.stat", "file 90000\nanon 51200\n");
	put("/sys/fs/cgroup/box/inner/cpu.max", "50000 100000\n");
	put("/sys/fs/cgroup/box/inner/cpu.stat", "usage_usec 1000000\nuser_usec 1\n");
	worker_host_sample(&host, S_NS, 0);
	assert_int_equal(host.memory_total, 102400);
	assert_near(host.memory, 0.5); /* without the page cache */
	/* A quarter of a second in one, of the half that it may have. */
	put("/sys/fs/cgroup/box/inner/cpu.stat", "usage_usec 1250000\n");
	worker_host_sample(&host, 2 * S_NS, 0);
	assert_near(host.cpu, 0.5);
	/* Without limits, the machine's numbers. */
	put("/sys/fs/cgroup/box/inner/memory.max", "max\n");
	put("/sys/fs/cgroup/box/inner/cpu.max", "max 100000\n");
	worker_host_sample(&host, 3 * S_NS, 0);
	assert_near(host.memory, 0.4);
}

/* The limit that leaves least is another one for memory, and for CPU, than the group's own. */
static void limits_of_the_groups_around_it_count(void **state)
{
	struct worker_host host = { .root = root };

	put("/proc/self/cgroup", "0::/slice/service/job\n");
	put("/sys/fs/cgroup/slice/service/job/memory.max", "409600\n");
	put("/sys/fs/cgroup/slice/service/job/memory.stat", "anon 40960\n");
	put("/sys/fs/cgroup/slice/service/job/cpu.max", "400000 100000\n");
	put("/sys/fs/cgroup/slice/service/job/cpu.stat", "usage_usec 500000\n");
	put("/sys/fs/cgroup/slice/service/memory.max", "max\n");
	put("/sys/fs/cgroup/slice/service/cpu.max", "100000 100000\n");
	put("/sys/fs/cgroup/slice/service/cpu.stat", "usage_usec 1000000\n");
	put("/sys/fs/cgroup/slice/memory.max", "819200\n");
	put("/sys/fs/cgroup/slice/memory.stat", "anon 614400\n");
	worker_host_sample(&host, S_NS, 0);
	assert_int_equal(host.memory_total, 819200);
	assert_near(host.memory, 0.75); /* used by other groups */
	put("/sys/fs/cgroup/slice/service/job/cpu.stat", "usage_usec 600000\n");
	put("/sys/fs/cgroup/slice/service/cpu.stat", "usage_usec 1500000\n");
	worker_host_sample(&host, 2 * S_NS, 0);
	assert_near(host.cpu, 0.5);
	/* Another group's time says nothing of the one before. */
	put("/sys/fs/cgroup/slice/service/job/cpu.max", "50000 100000\n");
	put("/sys/fs/cgroup/slice/service/job/cpu.stat", "usage_usec 1600000\n");
	worker_host_sample(&host, 3 * S_NS, 0);
	assert_near(host.cpu, 0.5);
	put("/sys/fs/cgroup/slice/memory.stat", "anon 8192\n");
	worker_host_sample(&host, 4 * S_NS, 0);
	assert_int_equal(host.memory_total, 409600);
	assert_near(host.memory, 0.1);
}

static void a_container_sees_its_cgroup_as_the_root(void **state)
{
	struct worker_host host = { .root = root };

	put("/proc/self/cgroup", "0::/not/visible\n");
	put("/sys/fs/cgroup/memory.max", "204800\n");
	put("/sys/fs/cgroup/memory.stat", "anon 51200\n");
	worker_host_sample(&host, S_NS, 0);
	assert_int_equal(host.memory_total, 204800);
	assert_near(host.memory, 0.25);
}

static void a_cgroup_of_version_1_limits(void **state)
{
	struct worker_host host = { .root = root };

	/* The names of some controllers begin like those of others. */
	put("/proc/self/cgroup",
		"4:cpuset:/\n3:cpu,cpuacct:/box\n2:memory:/box\n1:cpuset,memory2:/other\n");
	put("/sys/fs/cgroup/memory/other/memory.limit_in_bytes", "1024\n");
	put("/sys/fs/cgroup/memory/other/memory.stat", "total_rss 1024\n");
	put("/sys/fs/cgroup/cpu,cpuacct/other/cpu.cfs_quota_us", "1\n");
	put("/sys/fs/cgroup/cpu,cpuacct/other/cpu.cfs_period_us", "100000\n");
	put("/sys/fs/cgroup/cpu,cpuacct/other/cpuacct.usage", "1\n");
	put("/sys/fs/cgroup/memory/box/memory.limit_in_bytes", "102400\n");
	put("/sys/fs/cgroup/memory/box/memory.stat", "cache 5\nrss 6\ntotal_rss 25600\n");
	put("/sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us", "200000\n");
	put("/sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_period_us", "100000\n");
	put("/sys/fs/cgroup/cpu,cpuacct/box/cpuacct.usage", "1000000000\n");
	worker_host_sample(&host, S_NS, 0);
	assert_near(host.memory, 0.25);
	put("/sys/fs/cgroup/cpu,cpuacct/box/cpuacct.usage", "2500000000\n");
	worker_host_sample(&host, 2 * S_NS, 0);
	assert_near(host.cpu, 0.75); /* 1.5 s of the 2 s that two CPUs have in one */
	put("/sys/fs/cgroup/cpu,cpuacct/box/cpu.cfs_quota_us", "-1\n");
	put("/sys/fs/cgroup/memory/box/memory.limit_in_bytes", "9223372036854771712\n");
	worker_host_sample(&host, 3 * S_NS, 0);
	assert_near(host.memory, 0.4);
}

static void without_proc_nothing_is_known(void **state)
{
	struct worker_host host = { .root = "/nowhere" };

	worker_host_sample(&host, S_NS, 0);
	assert_near(host.memory, 0);
	assert_near(host.cpu, 0);
}

static void a_controller_weighs_distance_sum_and_change(void **state)
{
	struct worker_pid pid = { .target = 0.8, .p_gain = 5, .i_gain = 0.5, .d_gain = 1 };

	assert_near(worker_pid_next(&pid, 0.6), 1 + 0.1);
	assert_near(worker_pid_next(&pid, 0.7), 0.5 + 0.15 - 0.1);
	assert_near(worker_pid_next(&pid, 0.9), -0.5 + 0.1 - 0.2);
	pid.p_gain = 1e6;
	assert_near(worker_pid_next(&pid, 0), 100); /* cut */
}

static void set_memory(unsigned available_kb)
{
	char text[128];

	snprintf(text, sizeof(text), "MemTotal: 1000 kB\nMemAvailable: %u kB\n", available_kb);
	put("/proc/meminfo", text);
}

static void slots_stop_before_the_targets(void **state)
{
	const struct temporal_resource_opts opts = { .target_memory = 0.8,
		.target_cpu = 1,
		.memory_p_gain = 5,
		.memory_d_gain = 1,
		.memory_threshold = 0.25,
		.cpu_p_gain = 5,
		.cpu_d_gain = 1,
		.cpu_threshold = 0.05 };
	struct worker_resources resources;
	int64_t now_ns = S_NS;

	worker_resources_init(&resources, &opts);
	resources.host.root = root;
	set_memory(600); /* 0.4 is used */
	assert_true(worker_resources_allow(&resources, now_ns += S_NS));
	set_memory(240); /* 0.76: 0.2 above nothing, which is below the threshold */
	assert_false(worker_resources_allow(&resources, now_ns += S_NS));
	set_memory(100); /* above the target */
	assert_false(worker_resources_allow(&resources, now_ns += S_NS));
	set_memory(300); /* 0.7: and falling */
	assert_true(worker_resources_allow(&resources, now_ns += S_NS));
	/* All CPUs are busy. */
	put("/proc/stat", "cpu  1100 0 100 700 100 0 0 0 0 0\n");
	assert_false(worker_resources_allow(&resources, now_ns += S_NS));
	put("/proc/stat", "cpu  1200 0 100 2700 100 0 0 0 0 0\n");
	assert_true(worker_resources_allow(&resources, now_ns += S_NS));
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_whole_machine_counts_without_a_limit),
		TEST(a_cgroup_of_version_2_limits),
		TEST(limits_of_the_groups_around_it_count),
		TEST(a_container_sees_its_cgroup_as_the_root),
		TEST(a_cgroup_of_version_1_limits),
		TEST(without_proc_nothing_is_known),
		TEST(a_controller_weighs_distance_sum_and_change),
		TEST(slots_stop_before_the_targets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
