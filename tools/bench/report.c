/* SPDX-License-Identifier: Apache-2.0 */
/* The numbers for people and, as build/bench.json, for machines. */
#include "tools/bench/bench.h"

static const struct ratio {
	const char *name;
	enum load load;
	enum arm_id over, under;
	double aim; /* at least; 0: none */
	bool latency; /* of the median latencies, under / over, so that 1 is equal here too */
} ratios[] = {
	{ "connect_vs_none", LOAD_CONNECT, ARM_COUNTERSIGN, ARM_NONE, 0.95, false },
	{ "connect_vs_nftables", LOAD_CONNECT, ARM_COUNTERSIGN, ARM_NFTABLES, 1.0, false },
	{ "rr_vs_none", LOAD_RR, ARM_COUNTERSIGN, ARM_NONE, 0.98, false },
	{ "bulk_vs_none", LOAD_BULK, ARM_COUNTERSIGN, ARM_NONE, 0.99, false },
	{ "udp_rr_vs_none", LOAD_UDP, ARM_COUNTERSIGN, ARM_NONE, 0, false },
	{ "connect_10k_vs_10_policies", LOAD_CONNECT, ARM_MANY, ARM_COUNTERSIGN, 0.97, false },
	{ "connect_none_vs_none", LOAD_CONNECT, ARM_AGAIN, ARM_NONE, 0, false },
	{ "connect_nftables_vs_none", LOAD_CONNECT, ARM_NFTABLES, ARM_NONE, 0, false },
	{ "connect_p50_vs_none", LOAD_CONNECT, ARM_COUNTERSIGN, ARM_NONE, 0, true },
	{ "rr_vs_nftables", LOAD_RR, ARM_COUNTERSIGN, ARM_NFTABLES, 0, false },
	{ "udp_rr_vs_nftables", LOAD_UDP, ARM_COUNTERSIGN, ARM_NFTABLES, 0, false },
};

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(const double *values, size_t n)
{
	double sorted[ROUNDS_MAX];

	memcpy(sorted, values, n * sizeof(*values));
	qsort(sorted, n, sizeof(*sorted), by_value);
	return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

static double round_ratio(const struct bench *b, const struct ratio *r, unsigned int round)
{
	if (r->latency)
		return b->p50[r->load][r->under][round] / b->p50[r->load][r->over][round];
	return b->rate[r->load][r->over][round] / b->rate[r->load][r->under][round];
}

static json_t *ratio_json(const struct bench *b, const struct ratio *r)
{
	double values[ROUNDS_MAX] = { 0 }, low = 1e9, high = 0;

	for (unsigned int i = 0; i < b->rounds; i++) {
		values[i] = round_ratio(b, r, i);
		low = MIN(low, values[i]);
		high = MAX(high, values[i]);
	}
	return json_pack("{s:f,s:f,s:f,s:i}", "median", median(values, b->rounds), "min", low,
			 "max", high, "rounds", (int)b->rounds);
}

static void print_rates(const struct bench *b)
{
	static const char *const loads[LOAD_MAX] = { "connections/s", "request-response/s",
						     "bulk Gbit/s", "UDP request-response/s" };

	printf("\n%-24s %-16s %12s %12s %12s %9s %9s\n", "load", "arm", "median", "min", "max",
	       "p50 us", "p99 us");
	for (enum load l = 0; l < LOAD_MAX; l++) {
		for (enum arm_id a = 0; a < ARM_MAX; a++) {
			const double *rate = b->rate[l][a];
			double low = 1e18, high = 0;

			if (!(b->arms[a].loads & 1u << l))
				continue;
			for (unsigned int i = 0; i < b->rounds; i++) {
				low = MIN(low, rate[i]);
				high = MAX(high, rate[i]);
			}
			printf("%-24s %-16s %12.1f %12.1f %12.1f %9.1f %9.1f\n", loads[l],
			       b->arms[a].name, median(rate, b->rounds), low, high,
			       median(b->p50[l][a], b->rounds), median(b->p99[l][a], b->rounds));
		}
	}
}

static json_t *print_ratios(const struct bench *b)
{
	json_t *all = json_object();

	printf("\n%-28s %8s %8s %8s %8s\n", "ratio", "median", "min", "max", "aim");
	for (size_t i = 0; i < ARRAY_SIZE(ratios); i++) {
		json_t *one = ratio_json(b, &ratios[i]);
		double value = lab_real(one, "median");

		printf("%-28s %8.3f %8.3f %8.3f ", ratios[i].name, value, lab_real(one, "min"),
		       lab_real(one, "max"));
		if (ratios[i].aim > 0)
			printf("%8.2f%s", ratios[i].aim, value < ratios[i].aim ? "  missed" : "");
		printf("\n");
		json_object_set_new(all, ratios[i].name, one);
	}
	return all;
}

static json_t *print_cost(const struct cost *c)
{
	json_t *programs = json_array();

	printf("\n%-16s %14s %10s   (connect load)\n", "program", "runs/connection", "ns/run");
	for (size_t i = 0; i < c->connect.n; i++) {
		const struct program *p = &c->connect.item[i];

		if (!p->runs)
			continue;
		printf("%-16.16s %14.2f %10.1f\n", p->name, (double)p->runs / c->connections,
		       (double)p->ns / p->runs);
		json_array_append_new(programs, json_pack("{s:s,s:f,s:f}", "name", p->name,
							  "runs_per_connection",
							  (double)p->runs / c->connections,
							  "ns_per_run", (double)p->ns / p->runs));
	}
	printf("\nBPF per connection, both ends:          %7.0f ns  (aim 2000)\n",
	       c->connection_ns);
	printf("BPF per packet of a decided flow:       %7.1f ns  (aim 60; one hook)\n",
	       c->packet_ns);
	printf("  through both ends' hooks:             %7.1f ns\n", c->packet_both_ns);
	printf("An empty program by the same meter:     %7.1f ns a run, so about %.0f ns of a "
	       "connection\n",
	       c->empty_ns, c->empty_ns * c->runs_per_connection);
	return json_pack("{s:f,s:f,s:f,s:f,s:f,s:o}", "per_connection", c->connection_ns,
			 "per_packet", c->packet_ns, "per_packet_both_hooks", c->packet_both_ns,
			 "empty_program", c->empty_ns, "runs_per_connection",
			 c->runs_per_connection, "programs", programs);
}

int report(const struct bench *bench, const struct cost *cost, const char *path)
{
	json_t *all = json_object();
	int r;

	print_rates(bench);
	json_object_set_new(all, "ratios", print_ratios(bench));
	json_object_set_new(all, "bpf_ns", print_cost(cost));
	r = json_dump_file(all, path, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	json_decref(all);
	if (r < 0)
		fprintf(stderr, "bench: cannot write %s\n", path);
	else
		printf("\nwritten: %s\n", path);
	return r;
}
