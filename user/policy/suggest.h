/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Least privilege from experience: policies that allow what was seen and nothing else.
 * What is put in comes from recordings, so it is checked; what comes out are manifests
 * that the parser of this room reads.
 */
#pragma once

#include "user/policy/model.h"

#define SUGGEST_PORTS_MAX MODEL_PORTS_MAX /* per peer and subject: beyond, -ENOSPC */
#define SUGGEST_SUBJECTS_MAX 4096
#define SUGGEST_PEERS_MAX 1024 /* per subject and direction */
#define SUGGEST_ADDRESSES_MAX 32 /* per subject and direction; with more it is all the world */

/* One side. A workload has a namespace; anything else an entity or an address. */
struct suggest_party {
	const char *namespace;
	const char *name; /* for the policy's name */
	const char *service_account; /* "" when it is not known */
	struct labels labels; /* noise is left out here */
	const char *entity; /* "" for none */
	const char *address; /* of the world */
};

struct suggest_flow {
	struct suggest_party subject;
	struct suggest_party peer;
	uint64_t count;
	const char *first; /* RFC 3339 */
	const char *last;
	uint16_t port;
	uint8_t protocol; /* IPPROTO_* */
	uint8_t direction; /* enum cs_direction: of the subject */
	bool own; /* the subject's node recorded it, so it knows how the peer is known: */
	bool verified;
};

struct suggest_port {
	uint64_t count;
	char first[40];
	char last[40];
	uint16_t port;
	uint8_t protocol;
	bool own; /* some recording was the subject's own */
	bool unverified; /* in one of those the peer was not verified */
};

struct suggest_peer {
	struct suggest_party party;
	char cidr[CIDR_TEXT_MAX]; /* of an address, "" for others */
	struct suggest_port *ports;
	size_t n;
	size_t capacity;
};

struct suggest_subject {
	struct suggest_party party;
	struct {
		struct suggest_peer *item;
		size_t n;
		size_t capacity;
		struct keymap keys;
	} peers[CS_DIRECTIONS];
};

struct suggestion {
	struct arena arena;
	struct suggest_subject *subjects;
	size_t n;
	size_t capacity;
	struct keymap keys;
};

void suggestion_done(struct suggestion *suggestion);

/*
 * Takes a flow into account. 0; -ENOENT: a side cannot be named in a policy; -ENOSPC: a
 * limit is passed; -ENOMEM.
 */
int suggest_add(struct suggestion *suggestion, const struct suggest_flow *flow);

struct suggest_options {
	const struct policy_set *taken; /* whose policies' names are not to be used again */
	bool enforce; /* mode: Enforce instead of Audit */
};

/* Writes the manifests. 0 or -ENOMEM. */
int suggest_write(const struct suggestion *suggestion, const struct suggest_options *options,
		  FILE *out);
