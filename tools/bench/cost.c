/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BPF time, from the kernel's own meter (bpf_stats): per connection and per packet of a
 * decided flow. The meter itself takes time and charges part of it to the program; an
 * empty program under the same load shows how much.
 */
#include "tools/bench/bench.h"

#include <linux/bpf.h>

static bool per_packet(const struct program *p)
{
	return p->attach_type == BPF_CGROUP_INET_INGRESS || p->attach_type == BPF_CGROUP_INET_EGRESS;
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

/* What an empty program costs by the same meter, under the same load. */
static double measure_empty(struct bench *bench)
{
	struct arm arm = bench->arms[ARM_NONE];
	struct programs delta;
	const char *cgroup;
	uint64_t ns, runs;
	int r;

	/* Beside the guarded root, so no other program is there. */
	arm.client.cgroup = arm.server.cgroup = "../empty";
	arm.port = 8900;
	cgroup = lab_cgroup(arm.lab, arm.client.cgroup);
	r = programs_attach_empty(cgroup);
	lab_check(arm.lab, r >= 0, "cannot attach an empty program: %s", strerror(-r));
	load_serve(&arm);
	meter(&arm, LOAD_CONNECT, cgroup, &delta);
	sum(&delta, true, &ns, &runs);
	return runs ? (double)ns / runs : 0;
}

void cost_measure(struct bench *bench, struct cost *ret)
{
	struct arm *arm = &bench->arms[ARM_COUNTERSIGN];
	const char *guarded = lab_guarded(arm->lab);
	_cleanup_close_ int stats = stats_enable();
	struct programs rr;
	uint64_t ns, runs, exchanges;

	lab_check(arm->lab, stats >= 0, "cannot enable bpf_stats: %s", strerror(-stats));
	ret->connections = meter(arm, LOAD_CONNECT, guarded, &ret->connect);
	sum(&ret->connect, false, &ns, &runs);
	lab_check(arm->lab, ret->connections && runs, "no program ran on %s", guarded);
	ret->connection_ns = (double)ns / ret->connections;
	ret->runs_per_connection = (double)runs / ret->connections;
	exchanges = meter(arm, LOAD_RR, guarded, &rr);
	sum(&rr, true, &ns, &runs);
	ret->packet_ns = runs ? (double)ns / runs : 0;
	/* An exchange is two packets: the acknowledgements ride on the answers. */
	ret->packet_both_ns = exchanges ? (double)ns / exchanges / 2 : 0;
	ret->empty_ns = measure_empty(bench);
}
