/* SPDX-License-Identifier: Apache-2.0 */
/* --node auto: the node's number, claimed through the API server and kept for the next start. */
#pragma once

#include "user/kube/client.h"

struct agent;

struct claim_options {
	struct kube_client *client;
	const char *trust_domain, *name; /* of the node */
};

/*
 * Asks for one number after the other until one is this node's, its own of before included.
 * Runs the loop. -EAGAIN: worth trying again later; -ENOSPC: NODE_NUMBERS_TRIES_MAX are taken.
 */
int claim_number(const struct claim_options *options, uint16_t *ret, struct kube_error *reterr);

/*
 * Sets agent->number: what --node says or, with `auto`, what was kept; only without that the
 * API server is asked, until it answers. Logs why it waits.
 */
int claim_open(struct agent *agent);
