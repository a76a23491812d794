/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policy sets in a neutral form, for differential fuzzing: made at random, written out as
 * YAML for the product, and judged here by a reference that reads the neutral form itself.
 * The reference shares no code and no idea with user/policy: no compiling, no bitmaps, no
 * classes, just loops. One set is one flat struct, so that it can be copied and cut down.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define N_NAMESPACES 3 /* na nb nc */
#define N_KEYS 3 /* labels k0 k1 k2, with values v1 v2 v3; 0: missing */
#define N_VALUES 3
#define N_WORKLOADS 7 /* w0 .. w6 */
#define N_ACCOUNTS 3 /* sa0 .. sa2 */
#define N_PORT_NAMES 3 /* pn0 .. pn2 */
#define N_NODES 2
#define POLICIES_MAX 8
#define RULES_MAX 4
#define PEERS_MAX 3
#define PORTS_MAX 3
#define SUBJECTS_MAX 2
#define EXPRESSIONS_MAX 2

#define REALTIME_S 1000 /* the moment of compiling, by both clocks */
#define BOOTTIME_S 10

enum n_protocol { N_ANY, N_TCP, N_UDP, N_SCTP };
enum n_direction { N_INGRESS, N_EGRESS };
enum n_verdict { N_ALLOW, N_DENY, N_AUDIT };
enum n_action { ACT_ALLOW, ACT_DENY, ACT_PASS };
enum n_operator { OP_IN, OP_NOT_IN, OP_EXISTS, OP_MISSING };

enum n_kind {
	KIND_NP, /* NetworkPolicy */
	KIND_IP, /* IdentityPolicy */
	KIND_CIP, /* ClusterIdentityPolicy */
	KIND_CNP, /* ClusterNetworkPolicy */
	KIND_ANP, /* AdminNetworkPolicy */
	KIND_BANP, /* BaselineAdminNetworkPolicy */
	KIND_MAX,
};

enum n_entity { ENT_HOST, ENT_REMOTE_NODE, ENT_WORLD, ENT_API_SERVER, ENT_UNMANAGED, ENT_MAX };

struct n_labels {
	uint8_t value[N_KEYS]; /* 0: missing */
};

struct n_expression {
	uint8_t key; /* N_KEYS: kubernetes.io/metadata.name, of namespaces only */
	uint8_t op; /* enum n_operator */
	uint8_t values; /* bit v: value v + 1, or namespace v */
};

struct n_selector {
	struct n_labels match; /* matchLabels */
	struct n_expression expression[EXPRESSIONS_MAX];
	uint8_t n_expressions;
};

enum n_peer_kind {
	NP_SELECTOR, /* namespaces (if has_namespaces) and pods */
	NP_CIDR,
	NP_NODES, /* pods: of nodes */
	NP_ENTITY,
	NP_ACCOUNT,
	NP_SPIFFE,
	NP_UNKNOWN, /* a field of the future */
};

struct n_peer {
	uint8_t kind; /* enum n_peer_kind */
	bool has_namespaces;
	bool has_pods;
	uint8_t cidr; /* index into n_cidrs */
	uint8_t except; /* 1 + index, 0: none */
	uint8_t entity;
	uint8_t namespace; /* of the account */
	uint8_t account;
	uint8_t pattern; /* index into n_patterns */
	struct n_selector namespaces;
	struct n_selector pods;
};

struct n_port {
	uint8_t protocol; /* N_ANY: a name of any protocol */
	uint8_t name; /* 1 + name, 0: min..max */
	uint16_t min;
	uint16_t max;
};

struct n_rule {
	uint8_t action; /* enum n_action */
	uint8_t n_peers; /* 0: anybody */
	uint8_t n_ports; /* 0: everything */
	bool audit;
	bool authenticated;
	uint32_t expires_s; /* realtime, 0: never */
	struct n_peer peer[PEERS_MAX];
	struct n_port port[PORTS_MAX];
};

struct n_policy {
	uint8_t kind; /* enum n_kind */
	uint8_t namespace; /* of NP and IP */
	uint8_t name;
	uint8_t tier; /* 0 Admin, 1 Default, 2 Baseline */
	uint16_t priority;
	bool audit;
	bool rollout_none; /* rollout: 0 percent */
	bool present[2];
	uint8_t n_subjects;
	uint8_t n_rules[2];
	struct n_peer subject[SUBJECTS_MAX];
	struct n_rule rule[2][RULES_MAX];
};

struct n_workload {
	uint8_t namespace;
	uint8_t account;
	bool host_network; /* has no addresses */
	bool has[2]; /* an IPv4, an IPv6 address */
	struct n_labels labels;
	uint16_t port[N_PORT_NAMES][3]; /* [name][TCP, UDP, SCTP], 0: none */
};

struct n_set {
	struct n_labels namespaces[N_NAMESPACES];
	bool has_namespace[N_NAMESPACES]; /* there is a Namespace object */
	struct n_labels nodes[N_NODES];
	struct n_workload workload[N_WORKLOADS];
	struct n_policy policy[POLICIES_MAX];
	uint8_t n_policies;
	uint8_t default_verdict; /* enum n_verdict */
};

enum n_end_kind { END_WORKLOAD, END_ENTITY, END_ADDRESS };

/* One end of a flow, as it is named. */
struct n_end {
	uint8_t kind;
	uint8_t index; /* workload, entity, or index into n_addresses */
};

struct n_flow {
	struct n_end from;
	struct n_end to;
	uint8_t protocol;
	uint8_t family; /* 0: IPv4, 1: IPv6 */
	bool authenticated;
	uint16_t port;
	uint32_t boottime_s;
};

/* An address or prefix in bits; IPv4 has 4 bytes. */
struct n_prefix {
	const char *text;
	uint8_t family;
	uint8_t length;
	uint8_t byte[16];
};

extern const char *const n_cidrs[];
extern const size_t n_cidrs_count;
extern const char *const n_patterns[]; /* SPIFFE IDs with * */
extern const size_t n_patterns_count;
/* Addresses of nobody (World), of nodes, of this host, of the API server. */
struct n_address {
	const char *text;
	uint8_t entity;
	uint8_t node; /* 1 + node, 0: none */
};
extern const struct n_address n_addresses[];
extern const size_t n_addresses_count;
extern const char *const n_entities[ENT_MAX];

/* A workload's address as text. */
const char *n_workload_address(const struct n_set *set, uint8_t workload, uint8_t family,
			       char ret[static 64]);
void n_prefix_parse(const char *text, struct n_prefix *ret);
bool n_prefix_covers(const struct n_prefix *prefix, const struct n_prefix *address);

/* generate.c */
struct n_random {
	uint64_t state;
};
uint32_t n_below(struct n_random *random, uint32_t limit);
void n_set_random(struct n_random *random, struct n_set *ret);
void n_flow_random(struct n_random *random, const struct n_set *set, struct n_flow *ret);

/* emit.c: manifests that say the same. */
void n_emit(const struct n_set *set, FILE *out);
void n_end_text(const struct n_set *set, const struct n_end *end, char ret[static 64]);
void n_flow_text(const struct n_set *set, const struct n_flow *flow, FILE *out);

/* reference.c */
enum n_verdict n_judge(const struct n_set *set, const struct n_flow *flow);

/* compare.c: the product's verdicts against the reference's. */
struct n_options {
	uint64_t seed;
	unsigned long sets;
	unsigned long flows; /* of each set */
	unsigned long differences_max; /* stop there */
	FILE *out; /* differences, with the manifests that show them */
};

struct n_tally {
	unsigned long sets;
	unsigned long verdicts;
	unsigned long of[3]; /* of each verdict */
	unsigned long differences;
	unsigned long refused; /* sets that did not parse or compile */
};

void n_compare(const struct n_options *options, struct n_tally *ret);
