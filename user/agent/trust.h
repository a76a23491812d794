/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trust between nodes: this node's SVID and keys, the records of the others, who runs where,
 * what is revoked. Everything here is off (trust == NULL) when the agent knows no other
 * nodes (no --nodes).
 *
 * The order that keeps every allowed connection going: a new key of ours is in the kernel
 * before others can read it in our record, and is sent with only when they had time to.
 */
#pragma once

#include <jansson.h>

#include "user/credential/credential.h"
#include "user/credential/node_table.h"

struct agent;
struct image;
struct image_delta;
struct trust;

/* How far gone the own SVID is: what is warned of once at each step. */
enum trust_age {
	TRUST_AGE_NONE, /* there is no SVID yet */
	TRUST_AGE_FRESH,
	TRUST_AGE_TWO_THIRDS, /* of its lifetime is over: it should have been renewed */
	TRUST_AGE_NINE_TENTHS,
	TRUST_AGE_EXPIRED,
};

/* Opens the source of the SVID and the directory of records; reads what is there; logs. */
int trust_open(struct agent *agent);
void trust_done(struct agent *agent);

/* The datapath is open: goes on with the keys of the agent before, or makes new ones. */
int trust_start(struct agent *agent);

/* Adds what it waits for to the event loop. */
int trust_watch(struct agent *agent);

/*
 * @image is about to be in force (NULL: none is known): whom it revokes and who runs where
 * comes first. 1: some connections must decide anew.
 */
int trust_follow(struct agent *agent, const struct image *image);
int trust_follow_delta(struct agent *agent, const struct image *image,
		       const struct image_delta *delta);

/* For status, and the verbs `credentials` and `nodes`. */
void trust_add_problems(json_t *list, const struct agent *agent);
void trust_add_warnings(json_t *list, const struct agent *agent);
