/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recorded flows, as `countersign flows -o json` and `hubble observe -o json` print them:
 * JSON lines. Equal ones are kept once and counted. All of it is foreign input.
 */
#pragma once

#include "user/cli/cli.h"
#include "user/identity/arena.h"
#include "user/identity/identity.h"
#include "user/identity/keymap.h"

#define RECORDED_LINE_MAX (256 << 10) /* bytes of one line */
#define RECORDED_FLOWS_MAX 131072 /* distinct flows kept; more are counted only */
#define RECORDED_TIME_MAX 40 /* bytes of a time, with the final NUL; longer ones are none */
#define RECORDED_LABELS_MAX 64 /* labels kept of one side */

/* One side of a flow. Texts are "" where nothing is known. */
struct recorded_side {
	const char *namespace;
	const char *pod; /* name of the workload or pod */
	const char *workload; /* name of what the pod belongs to, may be the same */
	const char *service_account; /* of its SPIFFE ID or of Cilium's label */
	const char *entity; /* "World" and so on */
	const char *address;
	struct labels labels;
};

struct recorded_flow {
	struct recorded_side source;
	struct recorded_side destination;
	uint64_t count;
	char first[RECORDED_TIME_MAX]; /* when it was seen, as recorded; "" if that is not there */
	char last[RECORDED_TIME_MAX];
	uint16_t port; /* of the destination */
	uint8_t protocol; /* IPPROTO_TCP, _UDP, _SCTP */
	uint8_t family; /* 4 or 6 */
	uint8_t direction; /* who recorded it: enum cs_direction, CS_DIRECTIONS: not said */
	uint8_t verdict; /* enum cs_verdict */
	bool verified; /* the peer of who recorded it */
};

struct recorded {
	struct arena arena;
	struct recorded_flow **flows;
	size_t n;
	size_t capacity;
	struct keymap keys;
	uint64_t other; /* lines that policy does not judge: replies, ICMP, L7, node status */
	uint64_t dropped; /* lines about flows beyond RECORDED_FLOWS_MAX */
};

void recorded_done(struct recorded *recorded);

/* Reads @path, "-" for standard input. CLI_OK, or CLI_USAGE, said on cli->err. */
int recorded_read(const struct cli *cli, const char *path, struct recorded *ret);
