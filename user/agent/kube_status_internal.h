/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the leader share. */
#pragma once

#include "user/agent/kube_status.h"
#include "user/identity/keymap.h"
#include "user/kube/apply.h"
#include "user/kube/reflector.h"

#define STATUS_KINDS_MAX 8

/* What the leader remembers of one policy. */
struct entry {
	char *document;
	const struct kube_policy_kind *kind;
	struct policy_said said; /* as the API server has it */
	struct kube_version version; /* that was looked at last */
	int64_t first_ms; /* when it was first seen wanted */
	int64_t written_ms;
	int64_t not_before_ms; /* after a refusal: no attempt before */
	uint64_t told; /* of what an Event was made last */
	int64_t subjects; /* as counted last; < 0: not yet */
	bool writing;
};

/* The policies of one kind, followed for their status. */
struct watched {
	struct leading *leading;
	const struct kube_policy_kind *kind;
	struct kube_resource resource;
	struct kube_reflector *reflector;
	bool synced;
};

struct writing {
	struct leading *leading;
	struct kube_call *call; /* NULL: free */
	char *document;
	struct policy_said said; /* what the status is when it succeeds */
};

/* All that exists while this agent leads. */
struct leading {
	struct kube_status *status;
	struct kube_realized *realized;
	struct kube_reflector *reports;
	bool reports_synced;
	struct watched watched[STATUS_KINDS_MAX];
	size_t n_watched;

	struct entry **entry;
	size_t n_entries, entries_room;
	struct keymap entries; /* by document */

	struct writing writing[KUBE_STATUS_CALLS_MAX];
	double tokens; /* writes that may be made at once */
	int64_t tokens_ms; /* when they were counted */
	int64_t pause_until_ms; /* the server asks for calm, or is away */
	unsigned int failed; /* in a row */

	int64_t since_ms; /* when this agent began to lead */
	struct event *timer; /* of the next round */
	struct event *count_timer; /* of the next count of subjects */
	size_t counted; /* place of the entry that was counted last */
	int64_t round_ms; /* when the last one ended */
	int64_t calm_ms; /* before the next, by what the last one cost */
	size_t waiting; /* policies whose status is not as it should be */
};

struct kube_status {
	struct kube_status_options options;
	char *namespace, *identity;
	struct kube_lease *lease;
	struct leading *leading; /* NULL: another leads, or nobody */
	struct kube_status_stats stats;
};

int64_t status_now_ms(void);

/* ---- kube_status_watch.c ---- */

int leading_new(struct kube_status *status, struct leading **ret);
struct leading *leading_free(struct leading *leading); /* takes and returns NULL */
/* Something may have changed: a round soon. */
void leading_kick(struct leading *leading);
bool leading_synced(const struct leading *leading);

struct entry *leading_find(const struct leading *leading, const char *document);
int leading_entry(struct leading *leading, const char *document, struct entry **ret);
void leading_sweep(struct leading *leading); /* forgets those that the ledger does not have */

/* ---- kube_status_round.c ---- */

void leading_round(struct leading *leading);
/* Counts anew what one policy selects: workloads come and go without word to the ledger. */
void leading_count(struct leading *leading);
