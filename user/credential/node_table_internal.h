/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a node table, for the files that make it up. */
#pragma once

#include "user/credential/node_table.h"
#include "user/identity/keymap.h"

struct verdict {
	enum node_flaw flaw;
	char *detail; /* NULL: nothing to add */
};

/* A record that was read, and what was found out about it. */
struct claim {
	struct node_record *record;
	bool signature_known;
	struct verdict signature; /* never changes */
	uint64_t bundles; /* that the chain was judged by; 0: it was not */
	int64_t from_ms, until_ms; /* when that judgement holds */
	struct verdict chain;
	struct verdict all; /* of the record alone */
};

/* One document, by its name. */
struct node {
	char *file;
	uint16_t number; /* that the file's name says; 0: none */
	bool kept; /* while documents are read: it was there before */
	struct cs_key digest; /* of the text that was read last */
	struct verdict document; /* MALFORMED, FILE_NAME, or NONE */
	struct claim *doc; /* what it says now; NULL: unreadable */
	struct claim *held; /* what was accepted last, often the same; NULL: nothing */
	struct verdict conflict; /* with other records: STALE, NUMBER_TAKEN, OWN_NUMBER */
	int64_t accepted_ms;
	struct node_entry entry;
};

/* Keys of one pair of public keys; kept so that a tick derives nothing twice. */
struct pair_keys {
	bool set, good; /* not good: the peer's key is of low order */
	bool used; /* by the last look */
	uint8_t own_public[NODE_KEY_BYTES], peer_public[NODE_KEY_BYTES];
	struct cs_key send, receive;
};

/* All about one number. */
struct peer {
	uint16_t number;
	struct node *node; /* whose record is in force; NULL: nobody's */
	bool claimed; /* some document is about it */
	enum cs_reason refusal; /* when nobody's record is in force */
	uint64_t holder; /* digest of the SPIFFE ID that the keys are of */
	bool was_told;
	struct cs_node_keys told; /* what the kernel has */
	struct pair_keys pair[CS_PHASES]; /* by own parity * 2 + peer's parity */
};

/* More than there are nodes: some are about numbers that nobody has any more. */
#define PEERS_MAX (2 * NODE_TABLE_MAX)

struct node_table {
	uint16_t own_number;
	char *own_id; /* SPIFFE ID */
	int64_t skew_ms; /* of the last trust */
	struct node **node; /* by file */
	size_t n;
	struct peer **peer; /* by number; NULL: nothing to say about it */
	struct peer *pool; /* secret pages of PEERS_MAX: they hold the shared keys */
	uint32_t pool_top; /* from here on never used */
	uint32_t free[PEERS_MAX]; /* indexes of those that were dropped */
	uint32_t n_free;
	struct keymap names; /* SPIFFE ID -> index of the node whose record is in force */
};

#define NODE_NUMBERS (UINT16_MAX + 1)

/* node_claim.c */
int verdict_set(struct verdict *verdict, enum node_flaw flaw, const char *detail);
void verdict_done(struct verdict *verdict);
struct claim *claim_free(struct claim *claim);
int claim_judge(struct claim *claim, const struct node_trust *trust, uint64_t bundles);
/* When something of it changes by time alone, after @now_ms; INT64_MAX: never. */
int64_t claim_due_ms(const struct claim *claim, int64_t skew_ms, int64_t now_ms);

static inline bool claim_is_good(const struct claim *claim)
{
	return claim && claim->all.flaw == NODE_FLAW_NONE;
}

/* node_elect.c: settles who has which number, and fills in all entries. */
int node_table_elect(struct node_table *table, int64_t now_ms);

/* The peer of @number, made when it is missing; NULL: no memory. */
struct peer *node_table_peer(struct node_table *table, uint16_t number);
void node_table_drop_peer(struct node_table *table, uint16_t number);
