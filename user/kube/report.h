/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NodeReport: what a node says of itself to the elected leader, a few kilobytes however many
 * policies there are. All nodes write theirs, one reads them.
 */
#pragma once

#include "user/kube/condition.h"
#include "user/kube/ledger.h"

#define REPORT_NODE_MAX 254
#define REPORT_WORD_MAX 64 /* versions, instances */
#define REPORT_API "countersign.dev/v1alpha1"
#define REPORT_KIND "NodeReport"
#define REPORT_PLURAL "nodereports"

/* What an agent says of itself, beside what its ledger has. */
struct report_facts {
	const char *node; /* its name, and the report's */
	const char *version; /* of the agent */
	const char *instance; /* another for each start of an agent */
	struct condition enforcing;
	uint32_t epoch; /* of the policy in force, for people */
	int64_t realtime_s; /* now */
};

/* The `status` of a report. NULL: no memory. */
json_t *report_status(const struct report_facts *facts, const struct kube_ledger *ledger);
/* The object without its status, with the Node as its owner when @uid is not empty. */
json_t *report_object(const struct report_facts *facts, const char *uid);
/* What tells whether a report says anything new: not when it was written, and not the epoch. */
char *report_essence(const json_t *status);

struct report_refused {
	struct kube_version version; /* no UID: no policy */
	char *document;
	char *message;
};

/* A report as it was read. */
struct report {
	char node[REPORT_NODE_MAX];
	char instance[REPORT_WORD_MAX];
	struct condition enforcing; /* not set: the agent has said nothing yet */
	struct kube_buckets buckets;
	int64_t reported_s; /* by the clock of the node */
	struct report_refused *refused; /* at most LEDGER_LISTED_MAX */
	size_t n_refused;
};

/* -EBADMSG: it is no report. Free with report_done(). */
int report_parse(const json_t *object, struct report *ret);
void report_done(struct report *report);
