/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The leader's judgement: from the reports of all nodes, which policies do all of them
 * enforce? What must enforce is every Node but those labelled countersign.dev/agent=none. A
 * node that was not heard of for REALIZED_SILENCE_MS, by the leader's own clock, counts as
 * silent. What a node has once said that it enforces, it does enforce until it says otherwise,
 * or is another agent, or the policy is another: so a policy does not flicker when a
 * neighbour in its bucket changes.
 */
#pragma once

#include "user/kube/report.h"

#define REALIZED_SILENCE_MS (15 * 60 * 1000) /* three reports that did not come */

struct kube_realized;

/* @ledger is borrowed and must live longer. */
int kube_realized_new(const struct kube_ledger *ledger, struct kube_realized **ret);
struct kube_realized *kube_realized_free(struct kube_realized *realized); /* takes NULL */
static inline void kube_realized_freep(struct kube_realized **realized)
{
	kube_realized_free(*realized);
}

/* @report was read; its parts are taken over. @realtime_s: now, to judge an old one by. */
int kube_realized_report(struct kube_realized *realized, struct report *report, int64_t now_ms,
			 int64_t realtime_s);
void kube_realized_gone(struct kube_realized *realized, const char *node);

/* How one policy stands. */
struct kube_judgement {
	bool refused_here; /* by the leader's own node, and no node enforces it: not accepted */
	size_t nodes; /* that should enforce it */
	size_t realized, refused, silent; /* of those; the others are pending */
	enum condition_reason reason; /* of Realized */
	char detail[CONDITION_MESSAGE_MAX]; /* "2 of 3 nodes; node-b: ..." */
};

/*
 * Brings what is derived up to date: call it before a round of kube_realized_judge().
 * Returns how many nodes are silent by now.
 */
int kube_realized_prepare(struct kube_realized *realized, int64_t now_ms);
void kube_realized_judge(const struct kube_realized *realized, const struct ledger_policy *policy,
			 struct kube_judgement *ret);
