/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a candidate for a Lease does next, as a plain state machine: no clock, no network, so
 * that all orders of events can be tried out. Times are milliseconds of the candidate's own
 * clock, which goes on while the host sleeps.
 */
#pragma once

#include "user/kube/lease.h"

#define LEASE_NEVER INT64_MAX
#define LEASE_VERSION_MAX 64 /* bytes of a resourceVersion */

/* The Lease as the server has it. */
struct lease_record {
	char holder[KUBE_LEASE_HOLDER_MAX]; /* "": given back */
	char version[LEASE_VERSION_MAX]; /* resourceVersion; "": there is no such object */
	int64_t duration_ms; /* as the holder says */
	uint64_t transitions;
	bool overdue; /* by the wall clocks of two hosts: a hint to look soon, no more */
};

enum lease_act {
	LEASE_LOOK, /* read it */
	LEASE_CREATE, /* there is none: make it, held by this candidate */
	LEASE_TAKE, /* write it with this candidate as its holder, if it is still lease.seen */
};

struct lease_state {
	struct kube_lease_options options; /* all times given */
	size_t candidates;
	struct lease_record seen;
	int64_t changed_ms; /* when @seen was first seen as it is */
	int64_t leads_until_ms; /* LEASE_NEVER times -1: does not lead */
	int64_t next_ms; /* of the next act */
	bool stale; /* @seen may not be what the server has: look before anything else */
};

/* -EINVAL: times in the wrong order, or no identity. Strings are borrowed. */
int lease_state_init(struct lease_state *state, const struct kube_lease_options *options,
		     int64_t now_ms);

static inline bool lease_leads(const struct lease_state *state, int64_t now_ms)
{
	return now_ms < state->leads_until_ms;
}

/* What to do at next_ms. */
enum lease_act lease_next(const struct lease_state *state, int64_t now_ms);

/*
 * An act that began at @asked_ms succeeded: @record is what the server has now. @random is
 * any number: all candidates must not come back at the same moment.
 */
void lease_succeeded(struct lease_state *state, enum lease_act act,
		     const struct lease_record *record, int64_t asked_ms, int64_t now_ms,
		     uint32_t random);
/* Another was quicker (409), or the answer is not known: nothing is taken for granted. */
void lease_failed(struct lease_state *state, int64_t now_ms, uint32_t random);

/* The moment to wake up at: the next act, or the end of leading. */
int64_t lease_wakes_ms(const struct lease_state *state, int64_t now_ms);
