/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All nodes that this one knows: each record, whether it is accepted and if not why, and
 * the keys shared with it, as the kernel wants them (struct cs_node_keys).
 *
 * The phase in a tag names a pair of keys: sender's parity * 2 + receiver's parity. So
 * send[own * 2 + peer] and receive[peer * 2 + own].
 */
#pragma once

#include "user/credential/key_ring.h"

#define NODE_TABLE_MAX (CS_NODES_MAX - 2) /* the kernel leaves slot 0 unused; one is our own */

struct node_table;

struct node_table_options {
	uint16_t own_number;
	const char *own_name;
	const char *trust_domain;
};

/* One document that should be a record. */
struct node_document {
	const char *name; /* path or object name; its last part must be "<number>.json" */
	const char *text;
	size_t length;
	struct cs_key digest; /* of the text, always made alike; zero: not known */
};

/* What is known of one node; valid until the next call that changes the table. */
struct node_entry {
	uint16_t number; /* 0: the document says none */
	const char *file; /* where the record is from */
	const struct node_record *record; /* in force, or the refused one; NULL: unreadable */
	enum node_flaw flaw; /* why the document is refused; NONE: it is in force */
	const char *detail; /* of the flaw; "" when there is nothing to add */
	bool in_force; /* with a flaw: an earlier record is, though the document is refused */
	uint8_t send_phase; /* see struct cs_node_keys */
	int64_t accepted_ms; /* since when this node's name has its number here */
};

/* Called for every node whose keys the kernel should have differently from now on. */
typedef int (*node_keys_fn)(void *arg, const struct cs_node_keys *keys);

int node_table_new(const struct node_table_options *options, struct node_table **ret);
struct node_table *node_table_free(struct node_table *table); /* wipes; takes, returns NULL */
static inline void node_table_freep(struct node_table **table)
{
	node_table_free(*table);
}

/*
 * The documents as they are now; -ENOSPC: more than NODE_TABLE_MAX, then the table stays as
 * it was. A record that did not change is not verified again. One
 * that is refused does not push out the one of the same node that is in force, unless that
 * one is no longer good itself; one that is gone ends the node.
 */
int node_table_read(struct node_table *table, const struct node_document *documents, size_t n,
		    const struct node_trust *trust);

/* Judges all records in force again: another bundle, revocations, or just time. */
int node_table_judge(struct node_table *table, const struct node_trust *trust);

/*
 * Derives what is missing, drops what is over, and calls @fn for every node whose keys are
 * not those that it was called with last, or for all when @all. A node that is refused has
 * no keys and a `refusal`: CS_REASON_REVOKED, CS_REASON_NODE_EXPIRED, CS_REASON_KEY_EXPIRED
 * or CS_REASON_UNKNOWN_NODE; the last also once for one that is gone. 0, or what @fn returned.
 *
 * In this order nobody is sent what they cannot verify: key_ring_tick(), seal, this, publish.
 */
int node_table_keys(struct node_table *table, const struct key_ring *ring, int64_t now_ms, bool all,
		    node_keys_fn fn, void *arg);
/* When node_table_judge() or node_table_keys() will find something changed by time alone. */
int64_t node_table_due_ms(const struct node_table *table, const struct key_ring *ring,
			  int64_t now_ms);

size_t node_table_size(const struct node_table *table);
const struct node_entry *node_table_entry(const struct node_table *table, size_t i);
/* The number of the node @name of @trust_domain whose record is in force, else 0. */
uint16_t node_table_number(const struct node_table *table, const char *trust_domain,
			   const char *name);
/* Its name, NULL when no record in force has the number. */
const char *node_table_name(const struct node_table *table, uint16_t number);
