/* SPDX-License-Identifier: Apache-2.0 */
/* Entries of from, to and subject: what they share. */
#pragma once

#include "user/policy/parse.h"

/* What one entry says; only the fields of one kind are filled in. */
struct peer_entry {
	struct peer *peers;
	size_t n_peers;
	struct selector labels;
	struct selector namespaces;
};

/* Field functions: lists of one kind of peer into a struct peer_entry. */
int parse_accounts(struct parse *p, const struct node *node, void *target);
int parse_spiffe_ids(struct parse *p, const struct node *node, void *target);
int parse_cidrs(struct parse *p, const struct node *node, void *target);
int parse_entities(struct parse *p, const struct node *node, void *target);
