/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The elected leader: reads the reports of all nodes and writes into the policies how they
 * stand. Every agent is a candidate; only the one that holds the Lease watches and writes.
 * What it writes is what it would write at any time: a status that somebody changed, or that
 * an earlier leader left, is put right.
 */
#pragma once

#include "user/kube/event.h"
#include "user/kube/lease.h"
#include "user/kube/policy_status.h"

#define KUBE_STATUS_LEASE "countersign-leader"
#define KUBE_STATUS_WRITES_PER_S 50
#define KUBE_STATUS_CALLS_MAX 16 /* writes under way at one time */
#define KUBE_STATUS_ROUND_MS 200 /* between looks at all policies, at least */
#define KUBE_STATUS_SETTLE_MS 1000 /* for nodes to report, before "pending" is written */
#define KUBE_STATUS_GRACE_MS 45000 /* for nodes to be heard of, after the server was away */
#define KUBE_STATUS_PROGRESS_MS 10000 /* between writes for progress alone, of one policy */
#define KUBE_STATUS_COUNT_MS 1000 /* between counts of subjects, of one policy after the other */
#define KUBE_STATUS_REPEAT_MS 30000 /* without any word, for nodes that fell silent */

struct kube_status_options {
	struct kube_client *client; /* all are borrowed */
	const struct kube_ledger *ledger;
	struct kube_events *events; /* NULL: none */
	const char *namespace; /* of the Lease */
	const char *identity; /* the node's name */
	struct kube_lease_options times; /* only its durations; 0: the usual ones */
	/* How many workloads a policy selects; NULL or < 0: not known. May cost milliseconds. */
	int64_t (*subjects)(void *arg, const char *document);
	/* Whether the ledger is what the API server has, not what a journal knew; NULL: it is. */
	bool (*ready)(void *arg);
	void (*on_change)(void *arg, bool leader); /* NULL: nobody cares */
	void *arg;
};

struct kube_status;

int kube_status_new(const struct kube_status_options *options, struct kube_status **ret);
struct kube_status *kube_status_free(struct kube_status *status); /* takes and returns NULL */
static inline void kube_status_freep(struct kube_status **status)
{
	kube_status_free(*status);
}

/* The ledger changed. */
void kube_status_changed(struct kube_status *status);
/* Gives the Lease back, see kube_lease_release(). */
void kube_status_release(struct kube_status *status);

const struct kube_lease *kube_status_lease(const struct kube_status *status);

struct kube_status_stats {
	uint64_t rounds, writes, failures;
	size_t policies; /* whose status is not yet as it should be */
	char trouble[KUBE_ERROR_MAX]; /* why the last write failed; "" when it did not */
};
void kube_status_stats(const struct kube_status *status, struct kube_status_stats *ret);
