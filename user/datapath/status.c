/* SPDX-License-Identifier: Apache-2.0 */
/* What the datapath tells: events, counters, how much of each limit is used. */
#include "user/datapath/internal.h"

#include <limits.h>

#define BATCH 1024 /* per-CPU elements read with one system call */

/* ---- events ---- */

static int handle_event(void *arg, void *data, size_t size)
{
	struct datapath *dp = arg;

	if (size == sizeof(struct cs_event))
		dp->event_fn(data, dp->event_arg);
	return 0;
}

int events_open(struct datapath *dp)
{
	int map = bpf_object__find_map_fd_by_name(dp->object, "cs_events");

	dp->events = map < 0 ? NULL : ring_buffer__new(map, handle_event, dp, NULL);
	if (!dp->events)
		return datapath_fail(-errno, "cannot read the ring of events: %s", strerror(errno));
	return 0;
}

int datapath_consume(struct datapath *dp, datapath_event_fn fn, void *arg)
{
	int r;

	dp->event_fn = fn;
	dp->event_arg = arg;
	r = ring_buffer__consume(dp->events);
	if (r < 0)
		return datapath_fail(r, "cannot read the ring of events: %s", strerror(-r));
	return r;
}

int datapath_event_fd(const struct datapath *dp)
{
	return ring_buffer__epoll_fd(dp->events);
}

/* ---- per-CPU arrays ---- */

/* Adds the first @n elements of the array, summed over CPUs, into @ret. */
static int sum_batches(int map, uint64_t *ret, size_t n, int cpus)
{
	uint64_t *values _cleanup_free_ = calloc((size_t)BATCH * cpus, sizeof(*values));
	uint32_t *keys _cleanup_free_ = calloc(BATCH, sizeof(*keys));
	uint32_t position, count;
	int r = 0;

	if (!values || !keys)
		return -ENOMEM;
	memset(ret, 0, n * sizeof(*ret));
	for (size_t done = 0; r >= 0 && done < n; done += count) {
		count = MIN(n - done, (size_t)BATCH);
		r = ret_errno(bpf_map_lookup_batch(map, done ? &position : NULL, &position, keys,
						   values, &count, NULL));
		if (r == -ENOENT && done + count >= n)
			r = 0; /* that was the end of the map */
		for (uint32_t i = 0; r >= 0 && i < count && keys[i] < n; i++)
			for (int cpu = 0; cpu < cpus; cpu++)
				ret[keys[i]] += values[(size_t)i * cpus + cpu];
	}
	return r;
}

static int sum_over_cpus(const struct datapath *dp, const char *name, uint64_t *ret, size_t n)
{
	int map = bpf_object__find_map_fd_by_name(dp->object, name);
	int cpus = libbpf_num_possible_cpus();
	int r;

	if (map < 0 || cpus < 0)
		return datapath_fail(-ENOENT, "map %s: cannot be read", name);
	r = n ? sum_batches(map, ret, n, cpus) : 0;
	if (r < 0)
		return datapath_fail(r, "map %s: cannot be read: %s", name, strerror(-r));
	return 0;
}

int datapath_rule_hits(struct datapath *dp, uint64_t *ret, size_t n)
{
	if (n > CS_RULE_IDS_MAX)
		return datapath_fail(-EINVAL, "there are only %d rule ids", CS_RULE_IDS_MAX);
	return sum_over_cpus(dp, "cs_rule_hits", ret, n);
}

/* In batches: one system call for each of CS_RULE_IDS_MAX takes longer than a start should. */
static int clear_batches(int map, int cpus)
{
	uint64_t *zeros _cleanup_free_ = calloc((size_t)BATCH * cpus, sizeof(*zeros));
	uint32_t *keys _cleanup_free_ = calloc(BATCH, sizeof(*keys));
	int r = 0;

	if (!zeros || !keys)
		return -ENOMEM;
	for (uint32_t first = 0; r >= 0 && first < CS_RULE_IDS_MAX; first += BATCH) {
		uint32_t count = BATCH;

		for (uint32_t i = 0; i < BATCH; i++)
			keys[i] = first + i;
		r = bpf_map_update_batch(map, keys, zeros, &count, NULL);
	}
	return r;
}

int datapath_forget_rule_hits(struct datapath *dp)
{
	int map = bpf_object__find_map_fd_by_name(dp->object, "cs_rule_hits");
	int cpus = libbpf_num_possible_cpus();
	int r = map < 0 || cpus < 0 ? -ENOENT : clear_batches(map, cpus);

	if (r < 0)
		return datapath_fail(r, "map cs_rule_hits: cannot be reset: %s", strerror(-r));
	return 0;
}

/* ---- status ---- */

static size_t count_cgroups(const struct datapath *dp)
{
	const struct slots *slots = &dp->tables[TABLE_WORKLOADS].slots;
	size_t n = 0;

	for (uint32_t slot = 1; slot < slots->top; slot++)
		if (slots_is_bound(slots, slot) && dp->view.workloads[slot].cgroup_id)
			n++;
	return n;
}

int datapath_status(struct datapath *dp, struct datapath_status *ret)
{
	struct datapath_status *s _cleanup_free_ = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	r = sum_over_cpus(dp, "cs_counters", s->counters, CS_COUNTERS_MAX);
	if (r >= 0)
		r = sum_over_cpus(dp, "cs_stats", s->stats, CS_STAT_MAX);
	if (r < 0)
		return r;
	s->epoch = dp->control->epoch;
	s->node = dp->control->node;
	s->workloads = dp->tables[TABLE_WORKLOADS].slots.bound;
	s->identities = dp->tables[TABLE_PEERS].slots.bound;
	s->endpoints = dp->tables[TABLE_ENDPOINTS].slots.bound;
	s->classes = dp->tables[TABLE_CLASSES].slots.bound;
	s->rulesets = dp->n_rulesets;
	s->bitmaps = dp->n_bitmaps;
	s->cgroups = count_cgroups(dp);
	s->programs_attached = links_in_force(dp);
	s->programs_expected = HOOKS;
	*ret = *s;
	return 0;
}
