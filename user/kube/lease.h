/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One leader among many candidates, by a Lease of coordination.k8s.io/v1. Nobody's clock is
 * compared with anybody else's: a candidate takes the lease when it has seen no change of it
 * for the lease's duration by its own clock, and the leader stops leading earlier than that,
 * counted from the moment it asked for its last renewal. So there are never two, as long as
 * clocks run at about the same speed. The API server arbitrates by resourceVersion.
 * https://kubernetes.io/docs/concepts/architecture/leases/#leader-election
 */
#pragma once

#include "user/kube/client.h"

#define KUBE_LEASE_DURATION_MS 15000 /* without renewal; then anybody may take it */
#define KUBE_LEASE_DEADLINE_MS 10000 /* without renewal; then the leader no longer leads */
#define KUBE_LEASE_RENEW_MS 5000 /* the leader's calm between renewals */
#define KUBE_LEASE_RETRY_MS 2000 /* after a failure, and between looks of those who wait */
#define KUBE_LEASE_LOOKS_PER_S 50 /* of all candidates together, see kube_lease_candidates() */
#define KUBE_LEASE_HOLDER_MAX 254

struct kube_lease_options {
	const char *namespace;
	const char *name;
	/*
	 * The node's name, say. No two candidates may share it at one time; one that comes back
	 * under the same name takes its own lease at once.
	 */
	const char *identity;
	/* 0: those above. Kept in the order retry < renew < deadline < duration, else -EINVAL. */
	unsigned int duration_ms, deadline_ms, renew_ms, retry_ms;
};

struct kube_lease;

/* When @leader changed; from the loop, never from within a function of this header. */
typedef void (*kube_lease_fn)(void *arg, bool leader);

/* Begins to try at once. Strings of @options are copied; @client must live longer. */
int kube_lease_new(struct kube_client *client, const struct kube_lease_options *options,
		   kube_lease_fn on_change, void *arg, struct kube_lease **ret);
/* Without giving the lease back. Takes and returns NULL. */
struct kube_lease *kube_lease_free(struct kube_lease *lease);
static inline void kube_lease_freep(struct kube_lease **lease)
{
	kube_lease_free(*lease);
}

/*
 * Gives the lease back, so that another takes it at once, and stops trying. Runs the loop for
 * KUBE_LEASE_RETRY_MS at most, so it must not be called from within. No @on_change any more.
 */
void kube_lease_release(struct kube_lease *lease);

/*
 * Whether this candidate leads at this very moment, by the clock: also right when the loop
 * stood still since. Ask before each act that only a leader may do. NULL does not lead.
 */
bool kube_lease_is_leader(const struct kube_lease *lease);

/* Who leads, as seen last; "" when nobody does or nothing was seen yet. */
const char *kube_lease_holder(const struct kube_lease *lease);

/* How many candidates there are about: with many, those who wait look less often. */
void kube_lease_candidates(struct kube_lease *lease, size_t n);

struct kube_lease_status {
	bool leader;
	char holder[KUBE_LEASE_HOLDER_MAX]; /* "": nobody, or not known */
	uint64_t transitions; /* of the lease, as seen last */
	uint64_t gained, lost; /* by this candidate since it started */
	char trouble[KUBE_ERROR_MAX]; /* why the last attempt failed; "" when it did not */
};
void kube_lease_status(const struct kube_lease *lease, struct kube_lease_status *ret);
