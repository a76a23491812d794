/* SPDX-License-Identifier: Apache-2.0 */
/*
 * This node's NodeReport, kept up to date. A change is written within a moment that is drawn
 * at random and grows with the number of nodes, so that 5,000 that learn of a policy together
 * come to about 200 writes a second; the same again is not written, but for a sign of life
 * every five minutes.
 */
#pragma once

#include "user/kube/client.h"
#include "user/kube/report.h"

#define KUBE_REPORT_GAP_MS 1000 /* between writes */
#define KUBE_REPORT_WRITES_PER_S 200 /* of all nodes together, about */
#define KUBE_REPORT_LIFE_MS (5 * 60 * 1000) /* the longest without a write */

struct kube_reporter_options {
	struct kube_client *client; /* borrowed, like the ledger */
	const struct kube_ledger *ledger;
	const char *node;
	const char *version; /* of the agent */
	unsigned int life_ms; /* 0: KUBE_REPORT_LIFE_MS */
};

struct kube_reporter;

int kube_reporter_new(const struct kube_reporter_options *options, struct kube_reporter **ret);
struct kube_reporter *kube_reporter_free(struct kube_reporter *reporter); /* takes NULL */
static inline void kube_reporter_freep(struct kube_reporter **reporter)
{
	kube_reporter_free(*reporter);
}

/*
 * The ledger has changed, or whether the node follows the API server: one of the reasons of
 * condition Enforcing, with words for people. Nothing is reported before the first call.
 */
void kube_reporter_changed(struct kube_reporter *reporter, enum condition_reason reason,
			   const char *message, uint32_t epoch);

struct kube_reporter_status {
	uint64_t writes, failures, unchanged;
	char trouble[KUBE_ERROR_MAX]; /* why the last write failed; "" when it did not */
};
void kube_reporter_status(const struct kube_reporter *reporter, struct kube_reporter_status *ret);

/* How long to wait with a change: at random, by the number of nodes. */
unsigned int kube_report_delay_ms(size_t nodes, uint32_t random);
