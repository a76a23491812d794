/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Giving ids to rules. A compile begins, finds the ids of all rules that had one, then
 * asks for the others; so a rule that is still there never loses its id to a new one.
 */
#pragma once

#include "user/policy/policy.h"

struct rule_key {
	const char *kind;
	const char *namespace;
	const char *policy;
	const char *rule; /* "": the policy's default */
	uint8_t direction; /* enum cs_direction; CS_DIRECTIONS for the default */
};

/* A new compile: ids that it does not ask for count as vanished. */
void rule_ids_begin(struct rule_ids *ids);

/* The id that the rule has already, in *@ret; 0: none. Fails with -ENOMEM only. */
int rule_ids_find(struct rule_ids *ids, const struct rule_key *key, uint32_t *ret);

/* The rule's id, a new one if need be; -ENOSPC: all CS_RULE_IDS_MAX are in use. */
int rule_ids_get(struct rule_ids *ids, const struct rule_key *key, uint32_t *ret);

/*
 * Names of all ids, index = id, into the image. Ids of vanished rules keep their names
 * until they are given away: late events and old hits can still be told.
 */
int rule_ids_names(const struct rule_ids *ids, struct image *image);
