/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --signer: the built-in CA behind certificate requests of the cluster's nodes. Only agents
 * that were given the CA's directory run for the Lease "countersign-signer", so its key need
 * not be on every node; the one that holds it approves and signs what signer_judge() finds
 * good, and denies the rest.
 */
#pragma once

#include <jansson.h>

struct agent;

#define SIGNER_NAME "countersign.dev/node"
#define SIGNER_LEASE "countersign-signer"

/* Nothing without --signer. Logs. */
int signer_open(struct agent *agent);
void signer_done(struct agent *agent);

/* "signer": {...} in the status, and what is wrong. */
void signer_add_status(json_t *object, const struct agent *agent);
void signer_add_warnings(json_t *list, const struct agent *agent);
