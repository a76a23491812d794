/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of policy_diff(). */
#pragma once

#include "user/policy/diff.h"

#define DIFF_SIDES 2 /* before, after */

/* One peer. A workload with addresses that rules can tell apart is several. */
struct diff_member {
	const char *name; /* "shop/checkout", "World", "10.0.0.0/8" */
	const char *address; /* of this one, NULL: it is the only one of its name */
	uint32_t of; /* how many have the name */
};

struct diff_members {
	struct diff_member *item;
	size_t n;
	size_t capacity;
};

/* A class of peers: nothing tells its members apart, on either side. */
struct diff_peer {
	uint32_t row[DIFF_SIDES]; /* bitmap of the identity */
	uint32_t class_row[DIFF_SIDES]; /* bitmap of the address */
	bool verifiable; /* workloads are, entities are not */
	bool host; /* the node itself */
	bool revoked[DIFF_SIDES];
	struct diff_members members;
};

/* Subjects whose rules are the same, on either side. */
struct diff_subject {
	uint32_t ruleset[DIFF_SIDES];
	bool host_network[DIFF_SIDES];
	bool revoked[DIFF_SIDES];
	uint8_t direction;
	struct diff_names names;
};

/* Ports of one protocol that get another verdict. */
struct diff_span {
	struct diff_outcome before;
	struct diff_outcome after;
	struct diff_ports ports;
	uint8_t authentication; /* enum diff_authentication */
	uint8_t pad; /* zero: spans are compared as bytes */
};
_Static_assert(sizeof(struct diff_span) == 24, "struct diff_span has a hole");

struct diff_spans {
	struct diff_span *item;
	size_t n;
	size_t capacity;
};

struct differ {
	const struct diff_side *side[DIFF_SIDES];
	uint64_t now_ns;
	struct diff *diff;
	struct arena arena; /* of the work */
	struct diff_peer *peers;
	size_t n_peers;
	size_t peers_capacity;
	struct keymap peer_keys;
	struct diff_subject *subjects;
	size_t n_subjects;
	size_t subjects_capacity;
	struct keymap subject_keys;
	struct keymap change_keys;
};

/* All peers of both sides, by class. 0 or -ENOMEM, as all here. */
int diff_find_peers(struct differ *d);

/* The workloads that both sides have, by rules; the others are added or removed ones. */
int diff_find_subjects(struct differ *d);

/* What changes for @subject with @peer, into @ret, whose room is reused. */
int diff_judge(struct differ *d, const struct diff_subject *subject, const struct diff_peer *peer,
	       struct diff_spans *ret);

/* A name, once more in the list. */
int diff_names_add(struct arena *arena, struct diff_names *names, const char *name);

int diff_members_add(struct arena *arena, struct diff_members *members,
		     const struct diff_member *member);

/* The workload as a subject of the image, or NULL. */
const struct image_workload *diff_subject(const struct image *image,
					  const struct workload *workload);

/* "ns/name" in the arena, or NULL. */
const char *diff_workload_name(struct arena *arena, const struct workload *workload);
