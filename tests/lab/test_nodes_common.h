/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three nodes on one bridge, each with a pod: checkout on host-a calls payments on host-b;
 * other runs on host-c. report, also on host-a, may reach nobody.
 */
#pragma once

#include "tests/lab/lab_keys.h"
#include "tests/lab/lab_pki.h"
#include "tests/lab/test_common.h"

#define REPORT4 "10.77.0.4"
#define REPORT6 "fd77::4"
#define NODE_A 1
#define NODE_B 2
#define NODE_C 3

struct nodes {
	struct lab *lab;
	struct lab_ca *ca;
	struct lab_node *a, *b, *c;
	struct lab_issued svid[NODE_C + 1]; /* by node number */
	struct lab_place client; /* shop/checkout at CLIENT4 on host-a */
	struct lab_place report; /* shop/report at REPORT4 on host-a */
	struct lab_place server; /* shop/payments at SERVER4 on host-b */
	struct lab_place other; /* shop/other at OTHER4 on host-c */
};

/* Nodes with an SVID each and the Workloads; no agent yet. */
void nodes_new(struct nodes *n, const char *name);
void nodes_free(struct nodes *n);

/* payments accepts checkout on 8080-8089 and other on 8090, tagged. */
void nodes_policy(struct nodes *n);
/* Starts the agents of host-a and host-b and waits until they know each other; servers of
 * payments listen on 8080, v4 and v6. */
#define nodes_start(n, ...) nodes_start_argv((n), LAB_ARGV(__VA_ARGS__))
void nodes_start_argv(struct nodes *n, const char *const *args);
/* host-c as well. */
void nodes_start_c(struct nodes *n);

/* One TCP connection with a byte each way; 1.5 s time limit. */
json_t *nodes_connect(struct nodes *n, struct lab_place from, const char *address);
void nodes_must_be_verified(const json_t *reply, int node, const char *spiffe_id);

/* The identity's number, as a real connection of @from to payments shows it. */
uint64_t nodes_identity_of_client(struct nodes *n);
/* A server of payments with --report; what it says of the next connection. */
struct lab_process *nodes_reporter(struct nodes *n, const char *address);

/* A document of kind Revocation: "nodes: [host-b]". */
void nodes_revoke(struct nodes *n, const char *spec);

/* Waits until @node counts a denial for the reason; fails the test when it never does. */
void nodes_must_count(struct lab_node *node, const char *reason, uint64_t before);

/*
 * Handshakes forged on host-c's wire, from an address that host-c answers for, to payments.
 * NULL: left out.
 */
struct forgery {
	const char *claim, *tag, *key, *mode, *shape; /* as `traffic forge` has them */
	const char *from; /* "address:port"; NULL: SPOOFED4 with any port */
	const char *to; /* NULL: payments on 8080 */
	uint32_t isn; /* 0: random */
};

#define SPOOFED4 "10.77.0.66"
#define NODES_TRIES 20

json_t *nodes_forge(struct nodes *n, const struct forgery *forgery);
#define NODES_FORGE(n, ...) nodes_forge((n), &(struct forgery){ __VA_ARGS__ })
/* ... which are all refused at host-b for the reason: at the SYN, or at the ACK. */
void nodes_refused_at_syn(struct nodes *n, const char *reason, const struct forgery *forgery);
void nodes_refused_at_ack(struct nodes *n, const char *reason, const struct forgery *forgery);
