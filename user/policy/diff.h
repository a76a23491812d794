/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a change of policy changes: which subjects, peers and ports get another verdict.
 *
 * Peers fall into classes of those that no rule can tell apart, in the old image and in the
 * new one, and ports into the intervals between the borders of all rules; so the cost is
 * by classes and intervals, not by pairs and ports. Every one is judged by cs_evaluate().
 */
#pragma once

#include "user/identity/arena.h"
#include "user/policy/model.h"

#define DIFF_CHANGES_MAX 16384 /* different changes in one comparison */

enum diff_authentication {
	DIFF_VERIFIED = 1 << 0, /* holds for verified peers */
	DIFF_INFERRED = 1 << 1, /* holds for inferred ones */
	DIFF_EITHER = DIFF_VERIFIED | DIFF_INFERRED,
};

struct diff_outcome {
	uint32_t rule; /* id in the image it is of */
	uint8_t verdict; /* enum cs_verdict */
	uint8_t reason; /* enum cs_reason */
	uint8_t pad[2]; /* zero: outcomes are compared as bytes */
};

struct diff_ports {
	uint16_t min; /* 1..65535; 0 for protocols without ports */
	uint16_t max;
	uint8_t protocol; /* IPPROTO_TCP, _UDP, _SCTP, or 0: every other */
	uint8_t pad; /* zero */
};

struct diff_names {
	const char **item;
	size_t n;
	size_t capacity;
};

/* Who is on both lists: a workload's connections with itself always pass, and are not meant. */
struct diff_change {
	struct diff_names subjects;
	struct diff_names peers;
	struct diff_ports *ports;
	size_t n_ports;
	struct diff_outcome before;
	struct diff_outcome after;
	uint8_t direction; /* enum cs_direction */
	uint8_t authentication; /* enum diff_authentication */
};

struct diff {
	struct arena arena; /* of everything below */
	struct diff_change *changes;
	size_t n;
	size_t capacity;
	struct diff_names added; /* workloads: they have no verdict to change */
	struct diff_names removed;
};

/* Manifests and what they compile to: with every workload a subject, both sides alike. */
struct diff_side {
	const struct policy_set *set;
	const struct image *image;
};

/*
 * Compares at the moment @now_ns of the images' clock. 0, -ENOMEM, or -ENOSPC for more
 * than DIFF_CHANGES_MAX changes. Free with diff_done(), also after an error.
 */
int policy_diff(const struct diff_side *before, const struct diff_side *after, uint64_t now_ns,
		struct diff *ret);
void diff_done(struct diff *diff);
