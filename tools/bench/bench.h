/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench: what enforcement costs, as ratios measured side by side in one run. The method
 * is in docs/performance.md.
 */
#pragma once

#include "tests/lab/lab.h"

#define CLIENT_ADDR "10.78.0.1"
#define SERVER_ADDR "10.78.0.2"
#define CLIENT_CPU 0
#define SERVER_CPU 1
#define ROUNDS_DEFAULT 9
#define ROUNDS_MAX 99
#define SLICE_MS 200 /* one measurement */
#define SLICES 5 /* measurements of each arm in a round, in turn with the others */
#define METER_TIMES 5 /* for BPF time the median of so many is taken */

enum load {
	LOAD_CONNECT, /* connect, one byte each way, close */
	LOAD_RR, /* one byte each way on one connection */
	LOAD_BULK, /* client sends as fast as it can */
	LOAD_UDP, /* one byte each way, datagrams */
	LOAD_MAX,
};

enum arm_id {
	ARM_NONE, /* no enforcement */
	ARM_AGAIN, /* no enforcement once more: how much two equal things differ */
	ARM_NFTABLES,
	ARM_COUNTERSIGN, /* 10 policies */
	ARM_MANY, /* countersign with 10,000 policies */
	ARM_MAX,
};

struct arm {
	const char *name;
	struct lab *lab; /* whose cgroups the programs are in */
	struct lab_place client, server;
	int port; /* the first of LOAD_MAX */
	int server_cpu;
	bool nftables; /* the ruleset is in force while this arm is measured */
	unsigned int loads; /* bit per enum load that is measured */
};

struct bench {
	struct lab *lab; /* owns the two namespaces */
	struct lab *many; /* the agent with many policies */
	struct arm arms[ARM_MAX];
	unsigned int rounds;
	int server_cpu; /* the client's, when the machine's processors stall each other */
	double rate[LOAD_MAX][ARM_MAX][ROUNDS_MAX]; /* per second; bulk: Gbit per second */
	double p50[LOAD_MAX][ARM_MAX][ROUNDS_MAX]; /* microseconds */
	double p99[LOAD_MAX][ARM_MAX][ROUNDS_MAX];
};

struct sample {
	double rate;
	double p50_us, p99_us;
	uint64_t count;
};

/* place.c: processors. BENCH_CPUS=1 or 2 says it; else it is found out. */
uint64_t bench_now_ns(void); /* CLOCK_MONOTONIC */
void place_pin(int cpu);
int place_server(void);

/* load.c: servers that stay, and one measurement of SLICE_MS. */
void load_serve(struct arm *arm);
void load_measure(struct arm *arm, enum load load, struct sample *ret);

/* arms.c: namespaces, policies, agents, ruleset. */
void arms_setup(struct bench *bench);
void arms_nftables(struct bench *bench, bool on);

/* programs.c: what the kernel says of the programs on a cgroup. */
#define PROGRAMS_MAX 64
struct program {
	uint32_t id;
	uint32_t attach_type;
	char name[16];
	uint64_t runs, ns;
};
struct programs {
	struct program item[PROGRAMS_MAX];
	size_t n;
};
int stats_enable(void); /* descriptor that keeps run-time statistics on */
int programs_read(const char *cgroup, struct programs *ret);
/* ret = after - before, by id. */
void programs_delta(const struct programs *before, const struct programs *after,
		    struct programs *ret);
/* Attaches a program that does nothing to ingress and egress; 0 or a negative errno. */
int programs_attach_empty(const char *cgroup);

/* cost.c: BPF time. */
struct cost {
	double connection_ns; /* both ends */
	double packet_ns; /* one packet through one hook */
	double packet_both_ns; /* through both ends' hooks */
	double empty_ns; /* what an empty program is charged with: the meter's own share */
	double runs_per_connection;
	struct programs connect; /* per program, of the connect load's median run */
	uint64_t connections;
};
void cost_measure(struct bench *bench, struct cost *ret);

/* report.c */
int report(const struct bench *bench, const struct cost *cost, const char *path);
