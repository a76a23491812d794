/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The truth table: what NetworkPolicies and their relatives say to every flow between
 * nine workloads and the world. tests/truth/ has the cases; the unit tests judge them
 * offline, the lab by real sockets. Format and line numbers: tests/truth/README.md.
 */
#pragma once

#include "user/identity/arena.h"

#define TRUTH_ENDS 10 /* the pods x/a to z/c, then the world */
#define TRUTH_WORLD 9
#define TRUTH_PROTOCOLS 3 /* TCP, UDP, SCTP */
#define TRUTH_PORTS 2 /* 80, 81 */
#define TRUTH_FAMILIES 2 /* IPv4, IPv6 */
#define TRUTH_FLOWS (TRUTH_PROTOCOLS * TRUTH_PORTS * TRUTH_FAMILIES)
#define TRUTH_ALSO_MAX 16
#define TRUTH_CASES_MAX 512

struct truth_end {
	const char *name; /* "x/a"; the world: its IPv4 address */
	const char *cells; /* "xa" of the tables */
	const char *address[TRUTH_FAMILIES];
};

extern const struct truth_end truth_ends[TRUTH_ENDS];
extern const uint8_t truth_protocols[TRUTH_PROTOCOLS]; /* IPPROTO_* */
extern const uint16_t truth_ports[TRUTH_PORTS];

/* One of all protocols, ports and families. */
static inline size_t truth_flow(size_t protocol, size_t port, size_t family)
{
	return (protocol * TRUTH_PORTS + port) * TRUTH_FAMILIES + family;
}

/* A flow beyond the table; names as in struct policy_flow. */
struct truth_also {
	const char *from;
	const char *to;
	uint8_t protocol;
	uint16_t port;
	bool allowed;
};

struct truth_case {
	const char *name;
	const char *covers; /* line numbers of README.md */
	const char *refused; /* part of the error, NULL: the manifests are fine */
	const char *manifests;
	bool denied[TRUTH_FLOWS][TRUTH_ENDS][TRUTH_ENDS]; /* [flow][from][to] */
	struct truth_also also[TRUTH_ALSO_MAX];
	size_t n_also;
};

struct truth_group {
	struct arena arena;
	struct truth_case *cases[TRUTH_CASES_MAX];
	size_t n;
};

/* Files of tests/truth/ with cases, without ".yaml"; NULL-terminated. */
extern const char *const truth_groups[];

/* The text of a file of tests/truth/; the caller's. NULL: the source tree is not here. */
char *truth_text(const char *file);

/* Reads a group's cases. 0, -ENOENT without the source tree, else says on stderr what is
 * wrong and returns -EBADMSG. */
int truth_load(const char *group, struct truth_group *ret);
void truth_done(struct truth_group *group);
