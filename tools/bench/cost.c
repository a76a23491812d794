/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BPF time, from the kernel's own meter (bpf_stats): per connection and per packet of a
 * decided flow. The meter itself takes time and charges part of it to the program; an
 * empty program under the same load shows how much.
 */
#include "tools/bench/bench.h"

#include <linux/bpf.h>

#define EMPTY_PORT 8900

static bool per_packet(const struct program *p)
{
	return p->attach_type == BPF_CGROUP_INET_INGRESS ||
	       p->attach_type == BPF_CGROUP_INET_EGRESS;
}

/* Runs @load in @arm and hands back what the programs on @cgroup did meanwhile. */
static uint64_t meter(struct arm *arm, enum load load, const char *cgroup, struct programs *ret)
{
	struct programs before, after;
	struct sample sample;
	int r;

	r = programs_read(cgroup, &before);
	lab_check(arm->lab, r == 0, "cannot query programs of %s: %s", cgroup, strerror(-r));
	load_measure(arm, load, &sample);
	programs_read(cgroup, &after);
	programs_delta(&before, &after, ret);
	return sample.count;
}

static void sum(const struct programs *p, bool packets_only, uint64_t *ret_ns, uint64_t *ret_runs)
{
	*ret_ns = *ret_runs = 0;
	for (size_t i = 0; i < p->n; i++) {
		if (packets_only && !per_packet(&p->item[i]))
			continue;
		*ret_ns += p->item[i].ns;
		*ret_runs += p->item[i].runs;
	}
}

/* One metered run, and what it comes to. */
struct metered {
	struct programs programs;
	uint64_t count; /* of connections or exchanges */
	double each; /* nanoseconds: of a connection, or of one packet through one hook */
	double runs; /* per connection or exchange */
};

static int by_each(const void *a, const void *b)
{
	const struct metered *x = a, *y = b;

	return (x->each > y->each) - (x->each < y->each);
}

/*
 * The median run of METER_TIMES: other work on the machine interrupts programs, and the
 * meter runs on meanwhile.
 */
static void median_run(struct arm *arm, enum load load, const char *cgroup, bool packets,
		       struct metered *ret)
{
	struct metered all[METER_TIMES];
	uint64_t ns, runs;

	for (size_t i = 0; i < METER_TIMES; i++) {
		struct metered *m = &all[i];

		m->count = meter(arm, load, cgroup, &m->programs);
		sum(&m->programs, packets, &ns, &runs);
		lab_check(arm->lab, m->count && runs, "no program ran on %s", cgroup);
		m->each = (double)ns / (packets ? runs : m->count);
		m->runs = (double)runs / m->count;
	}
	qsort(all, METER_TIMES, sizeof(*all), by_each);
	*ret = all[METER_TIMES / 2];
}

/* What an empty program costs by the same meter, under the same load. */
static double measure_empty(struct bench *bench)
{
	struct arm arm = bench->arms[ARM_NONE];
	struct metered run;
	const char *cgroup;
	int r;

	/* Beside the guarded root, so no other program is there. */
	arm.client.cgroup = arm.server.cgroup = "../empty";
	arm.port = EMPTY_PORT;
	cgroup = lab_cgroup(arm.lab, arm.client.cgroup);
	r = programs_attach_empty(cgroup);
	lab_check(arm.lab, r >= 0, "cannot attach an empty program: %s", strerror(-r));
	load_serve(&arm);
	median_run(&arm, LOAD_CONNECT, cgroup, true, &run);
	return run.each;
}

void cost_measure(struct bench *bench, struct cost *ret)
{
	struct arm *arm = &bench->arms[ARM_COUNTERSIGN];
	const char *guarded = lab_guarded(arm->lab);
	_cleanup_close_ int stats = stats_enable();
	struct metered run;

	lab_check(arm->lab, stats >= 0, "cannot enable bpf_stats: %s", strerror(-stats));
	median_run(arm, LOAD_CONNECT, guarded, false, &run);
	ret->connect = run.programs;
	ret->connections = run.count;
	ret->connection_ns = run.each;
	ret->runs_per_connection = run.runs;
	median_run(arm, LOAD_RR, guarded, true, &run);
	ret->packet_ns = run.each;
	/* An exchange is two packets: the acknowledgements ride on the answers. */
	ret->packet_both_ns = run.each * run.runs / 2;
	ret->empty_ns = measure_empty(bench);
}
