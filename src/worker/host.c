/*
 * host.c: reads /proc and /sys/fs/cgroup.
 *
 * A limit of the cgroup counts, version 1 or 2: of this process' own where it is visible, else of
 * the root that a container sees as its own; with version 2 also those of the groups that it lies
 * in, of which the one counts that leaves least. Memory is then what is anonymous in it: page
 * cache can be taken back and would look like a shortage for ever. Without a limit, all that the
 * machine has counts, and what it uses for others too.
 *
 * CPU is the part of the time since the last sample. Samples are taken when somebody asks (see
 * resources.c), not by a thread of their own: an idle worker does nothing.
 */
#include "worker/host.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX  16384 /* of a file; what is wanted of longer ones is at their beginning */
#define PATH_MAX_ 512

/* false: there is no such file. */
static bool read_file(const char *path, char text[TEXT_MAX])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = 1;

	if (fd < 0)
		return false;
	while (n > 0 && len < TEXT_MAX - 1) {
		n = read(fd, text + len, TEXT_MAX - 1 - len);
		len += n > 0 ? (size_t)n : 0;
	}
	close(fd);
	text[len] = '\0';
	return len > 0;
}

/* The number after `key` at the beginning of a line. */
static bool number_of(const char *text, const char *key, uint64_t *number)
{
	size_t len = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, len) == 0 && (line[len] == ' ' || line[len] == ':'))
			return sscanf(line + len + 1, "%" SCNu64, number) == 1;
		if (!*line)
			return false;
	}
	return false;
}

/* ---- cgroups ---- */

/* Is `name` one of the names between commas? "cpu" is not "cpuset". */
static bool is_among(const char *names, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = names; at; at = strchr(at, ',')) {
		at += *at == ',';
		if (strncmp(at, name, len) == 0 && (at[len] == ',' || at[len] == '\0'))
			return true;
	}
	return false;
}

/* Where the process is in the hierarchy of a controller ("": version 2); "/" if that is not told.
 */
static void cgroup_path(const char *root, const char *controller, char path[PATH_MAX_])
{
	char text[TEXT_MAX], name[PATH_MAX_], *rest = NULL;

	snprintf(path, PATH_MAX_, "/");
	snprintf(name, sizeof(name), "%s/proc/self/cgroup", root);
	if (!read_file(name, text))
		return;
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char *names = strchr(line, ':'), *at = names ? strchr(names + 1, ':') : NULL;

		if (!at)
			continue;
		*at = '\0';
		bool is_it = *controller ? is_among(names + 1, controller) : !names[1];

		if (is_it && strlen(at + 1) < PATH_MAX_ / 2)
			snprintf(path, PATH_MAX_, "%s", at + 1);
	}
}

/* A file of the process' cgroup, else of the root. */
static bool read_cgroup(
	const char *root, const char *controller, const char *file, char text[TEXT_MAX])
{
	char path[PATH_MAX_], name[2 * PATH_MAX_];
	const char *folder = controller;

	if (strcmp(controller, "cpuacct") == 0 || strcmp(controller, "cpu") == 0)
		folder = "cpu,cpuacct";
	cgroup_path(root, controller, path);
	snprintf(name, sizeof(name), "%s/sys/fs/cgroup/%s%s/%s", root, folder, path, file);
	if (read_file(name, text))
		return true;
	snprintf(name, sizeof(name), "%s/sys/fs/cgroup/%s/%s", root, folder, file);
	if (read_file(name, text))
		return true;
	snprintf(name, sizeof(name), "%s/sys/fs/cgroup/%s/%s", root, controller, file);
	return read_file(name, text);
}

/* ---- version 2: the cgroup and all that it lies in ---- */

/* A file of the group at that path. */
static bool read_group(const char *root, const char *path, const char *file, char text[TEXT_MAX])
{
	char name[2 * PATH_MAX_];

	snprintf(name, sizeof(name), "%s/sys/fs/cgroup%s/%s", root, path, file);
	return read_file(name, text);
}

/* The path of the group that it lies in; false: it was the root, which is "". */
static bool to_parent(char *path)
{
	char *last = strrchr(path, '/');

	if (!last)
		return false;
	*last = '\0';
	return true;
}

static void own_group(const char *root, char path[PATH_MAX_])
{
	cgroup_path(root, "", path);
	if (strcmp(path, "/") == 0)
		path[0] = '\0';
}

/* Of the limits below `total` the one that is nearest to being reached, by whomever. */
static bool groups_memory(const char *root, uint64_t total, uint64_t *limit, uint64_t *used)
{
	char text[TEXT_MAX], path[PATH_MAX_];
	uint64_t its_limit, its_used;
	bool found = false;

	own_group(root, path);
	do {
		if (!read_group(root, path, "memory.max", text) ||
			sscanf(text, "%" SCNu64, &its_limit) != 1 || its_limit == 0 ||
			(total > 0 && its_limit >= total) ||
			!read_group(root, path, "memory.stat", text) ||
			!number_of(text, "anon", &its_used))
			continue;
		if (found && (double)its_used / (double)its_limit <= (double)*used / (double)*limit)
			continue;
		*limit = its_limit;
		*used = its_used;
		found = true;
	} while (to_parent(path));
	return found;
}

/* The smallest limit; `depth` tells the groups apart. */
static bool groups_cpu(const char *root, uint64_t *used_ns, double *cpus, size_t *depth)
{
	char text[TEXT_MAX], path[PATH_MAX_];
	uint64_t quota, period, used_us;
	bool found = false;

	own_group(root, path);
	do {
		if (!read_group(root, path, "cpu.max", text) ||
			sscanf(text, "%" SCNu64 " %" SCNu64, &quota, &period) != 2 || quota == 0 ||
			period == 0 || (found && (double)quota / (double)period >= *cpus) ||
			!read_group(root, path, "cpu.stat", text) ||
			!number_of(text, "usage_usec", &used_us))
			continue;
		*used_ns = used_us * 1000;
		*cpus = (double)quota / (double)period;
		*depth = strlen(path) + 1;
		found = true;
	} while (to_parent(path));
	return found;
}

/* ---- both versions ---- */

/* false: there is no limit below `total`. */
static bool cgroup_memory(const char *root, uint64_t total, uint64_t *limit, uint64_t *used)
{
	char text[TEXT_MAX];

	if (groups_memory(root, total, limit, used))
		return true;
	return read_cgroup(root, "memory", "memory.limit_in_bytes", text) &&
	       sscanf(text, "%" SCNu64, limit) == 1 && *limit > 0 &&
	       (total == 0 || *limit < total) && read_cgroup(root, "memory", "memory.stat", text) &&
	       number_of(text, "total_rss", used);
}

/* What the cgroup's processes have computed, and how many CPUs they may use at a time. */
static bool cgroup_cpu(const char *root, uint64_t *used_ns, double *cpus, size_t *depth)
{
	char text[TEXT_MAX];
	uint64_t quota, period;

	if (groups_cpu(root, used_ns, cpus, depth))
		return true;
	if (!read_cgroup(root, "cpu", "cpu.cfs_quota_us", text) || text[0] == '-' ||
		sscanf(text, "%" SCNu64, &quota) != 1 || quota == 0 ||
		!read_cgroup(root, "cpu", "cpu.cfs_period_us", text) ||
		sscanf(text, "%" SCNu64, &period) != 1 || period == 0 ||
		!read_cgroup(root, "cpuacct", "cpuacct.usage", text))
		return false;
	*cpus = (double)quota / (double)period;
	*depth = 0;
	return sscanf(text, "%" SCNu64, used_ns) == 1;
}

/* ---- samples ---- */

static void sample_memory(struct worker_host *host)
{
	char text[TEXT_MAX], name[PATH_MAX_];
	uint64_t total = 0, available = 0, limit, used;

	snprintf(name, sizeof(name), "%s/proc/meminfo", host->root ? host->root : "");
	if (read_file(name, text) && number_of(text, "MemTotal", &total) &&
		number_of(text, "MemAvailable", &available) && total > 0) {
		total *= 1024;
		host->memory_total = total;
		host->memory = 1 - (double)available * 1024 / (double)total;
	}
	if (cgroup_memory(host->root ? host->root : "", total, &limit, &used)) {
		host->memory_total = limit;
		host->memory = (double)used / (double)limit;
	}
}

/* The busy part of /proc/stat's first line: all but idle and waiting for I/O. */
static bool read_stat(const char *root, uint64_t *busy, uint64_t *total)
{
	char text[TEXT_MAX], name[PATH_MAX_];
	uint64_t n[8] = { 0 };

	snprintf(name, sizeof(name), "%s/proc/stat", root);
	if (!read_file(name, text) ||
		sscanf(text,
			"cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
			" %" SCNu64 " %" SCNu64,
			&n[0], &n[1], &n[2], &n[3], &n[4], &n[5], &n[6], &n[7]) < 5)
		return false;
	*total = 0;
	for (int i = 0; i < 8; i++)
		*total += n[i];
	*busy = *total - n[3] - n[4];
	return true;
}

static double fraction(double part, double whole)
{
	double value = whole > 0 ? part / whole : 0;

	return value < 0 ? 0 : value > 1 ? 1 : value;
}

static void sample_cpu(struct worker_host *host, int64_t now_ns)
{
	const char *root = host->root ? host->root : "";
	int64_t passed_ns = now_ns - host->sampled_ns;
	uint64_t cgroup_ns, busy, total;
	double cpus;
	size_t depth;

	if (cgroup_cpu(root, &cgroup_ns, &cpus, &depth)) {
		if (host->cgroup_ns > 0 && host->cgroup_depth == depth &&
			cgroup_ns >= host->cgroup_ns && host->sampled_ns > 0)
			host->cpu = fraction(
				(double)(cgroup_ns - host->cgroup_ns), (double)passed_ns * cpus);
		host->cgroup_ns = cgroup_ns;
		host->cgroup_depth = depth;
		return;
	}
	if (!read_stat(root, &busy, &total))
		return;
	if (host->total > 0 && total > host->total && busy >= host->busy)
		host->cpu = fraction((double)(busy - host->busy), (double)(total - host->total));
	host->busy = busy;
	host->total = total;
}

void worker_host_sample(struct worker_host *host, int64_t now_ns, int64_t max_age_ns)
{
	if (host->sampled_ns > 0 && now_ns - host->sampled_ns < max_age_ns)
		return;
	sample_memory(host);
	sample_cpu(host, now_ns);
	host->sampled_ns = now_ns;
}
