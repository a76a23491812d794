/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "user/identity/keymap.h"
#include "user/kube/ledger.h"

/* The last sums of a bucket; state @now is at place now % LEDGER_HISTORY. */
struct ledger_history {
	uint32_t now;
	uint64_t sum[LEDGER_HISTORY];
};

struct kube_ledger {
	struct ledger_policy **policy;
	size_t n_policies, policies_room, n_wanted;
	struct keymap policies; /* by document */

	struct ledger_policy **dirty;
	size_t n_dirty, dirty_room;

	struct ledger_node **node;
	size_t n_nodes, nodes_room;
	struct keymap nodes; /* by document */

	struct ledger_refused *refused; /* sorted by document */
	size_t n_refused;

	struct kube_buckets wanted, reported;
	struct ledger_history history[KUBE_BUCKETS];
	uint32_t mark;
};

/* The policy became dirty: settle() must look at it. */
int ledger_touch(struct kube_ledger *ledger, struct ledger_policy *policy);

/* Takes @policy out of all lists and frees it. */
void ledger_drop(struct kube_ledger *ledger, struct ledger_policy *policy);

void ledger_refused_done(struct ledger_refused *refused, size_t n);
