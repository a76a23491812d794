/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The numbers of nodes that are gone. Only the leader collects them: a NodeIdentity whose Node
 * object was there once and is not any more is marked, and deleted when the life of a key has
 * passed since. Until then the API server gives the number to nobody else, and a node that
 * comes back takes it up again.
 */
#pragma once

#include "user/base/util.h"

struct agent;

#define COLLECTOR_LOOK_MS 10000
#define COLLECTOR_WRITES_MAX 32 /* at each look */

/* Whether this agent leads at this very moment. */
typedef bool (*collector_leads_fn)(const struct agent *agent);

/* Nothing unless records are objects of the API server. */
int collector_open(struct agent *agent, collector_leads_fn leads);
void collector_done(struct agent *agent);
