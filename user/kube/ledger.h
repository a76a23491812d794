/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the API server has of policies and nodes, and how far this node has come with it. Fed
 * with the documents of the source as they change, so that reports about 10,000 policies cost
 * what changed. Also remembers the last sums of each bucket: a node that reports an older one
 * enforces all that has not changed since.
 */
#pragma once

#include "user/kube/buckets.h"
#include "user/kube/policy_kind.h"

#define LEDGER_POLICIES_MAX (1 << 20)
#define LEDGER_NODES_MAX (1 << 16)
#define LEDGER_LISTED_MAX 64 /* refused ones in a report; others count as not dealt with */
#define LEDGER_MESSAGE_MAX 512
#define LEDGER_HISTORY 64 /* sums remembered for each bucket */
#define LEDGER_AGENT_LABEL "countersign.dev/agent" /* "none" on a Node: no agent runs there */

struct ledger_policy {
	char *document; /* "IdentityPolicy/shop/web" */
	const struct kube_policy_kind *kind;
	struct kube_version wanted; /* no UID: it was deleted, and is in force until settled */
	struct kube_version settled; /* the one that was dealt with: put in force or refused */
	const char *refusal; /* why @settled is not in force, the ledger's; NULL: it is */
	uint32_t since; /* number of its bucket's state in which @wanted came */
	uint32_t mark; /* of the last whole reading that had it */
	bool counted; /* @settled is in the sums of the report */
	bool dirty;
};

struct ledger_node {
	char *document; /* "Node/a" */
	const char *name; /* within @document */
	char uid[KUBE_UID_MAX];
	bool exempt; /* labelled: need not enforce anything */
	uint32_t mark;
};

/* A document that is not in force as it is. */
struct kube_refused {
	const char *document; /* its name */
	const char *message;
};

struct ledger_refused {
	char *document;
	char *message; /* at most LEDGER_MESSAGE_MAX bytes */
	struct kube_version version; /* of a policy; no UID: something else */
};

struct kube_ledger;

int kube_ledger_new(struct kube_ledger **ret);
struct kube_ledger *kube_ledger_free(struct kube_ledger *ledger); /* takes and returns NULL */
static inline void kube_ledger_freep(struct kube_ledger **ledger)
{
	kube_ledger_free(*ledger);
}

/*
 * A document came or changed; no text: it went. Those that are no policy or Node, and those
 * without UID (which came from files), are passed over. Not settled yet.
 */
int kube_ledger_set(struct kube_ledger *ledger, const char *document, const char *text,
		    size_t length);

/* A whole reading: what is neither set nor kept between begin and end is gone. */
void kube_ledger_begin(struct kube_ledger *ledger);
void kube_ledger_keep(struct kube_ledger *ledger, const char *document);
void kube_ledger_end(struct kube_ledger *ledger);

/*
 * All that was set so far is in force now, but for @refused, which are all that are refused.
 * Costs what changed. 1: something did, 0: nothing; -ENOMEM: it is as it was.
 */
int kube_ledger_settle(struct kube_ledger *ledger, const struct kube_refused *refused, size_t n);

/* In no order; what was deleted has no wanted.uid. NULL: none of that number or name. */
size_t kube_ledger_policies(const struct kube_ledger *ledger);
const struct ledger_policy *kube_ledger_policy(const struct kube_ledger *ledger, size_t i);
const struct ledger_policy *kube_ledger_find(const struct kube_ledger *ledger,
					     const char *document);
size_t kube_ledger_wanted(const struct kube_ledger *ledger); /* policies that exist */
size_t kube_ledger_nodes(const struct kube_ledger *ledger);
const struct ledger_node *kube_ledger_node(const struct kube_ledger *ledger, size_t i);
const struct ledger_node *kube_ledger_find_node(const struct kube_ledger *ledger, const char *name);

/* Sorted by document. */
const struct ledger_refused *kube_ledger_refused(const struct kube_ledger *ledger, size_t *ret_n);

/* What this node has dealt with. */
const struct kube_buckets *kube_ledger_reported(const struct kube_ledger *ledger);

/*
 * The number of the latest state of @bucket that had @sum, 0: none that is remembered. A
 * policy is in it as it is now if its `since` is not above that.
 */
uint32_t kube_ledger_state_of(const struct kube_ledger *ledger, unsigned int bucket, uint64_t sum);
uint32_t kube_ledger_state_now(const struct kube_ledger *ledger, unsigned int bucket);
