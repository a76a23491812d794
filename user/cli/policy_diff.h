/* SPDX-License-Identifier: Apache-2.0 */
/* What `policy diff` found, and how it is shown. */
#pragma once

#include <jansson.h>

#include "user/cli/manifests.h"
#include "user/cli/recorded.h"
#include "user/policy/diff.h"

#define REPLAY_SHOWN_MAX 100 /* changed flows that the text shows; JSON has all */

/* A recorded flow with another verdict. */
struct replay_change {
	const struct recorded_flow *flow;
	struct diff_outcome before;
	struct diff_outcome after;
	char *from; /* as it was judged: "ns/name", an entity or an address */
	char *to;
};

/* Recorded flows under both policies; counts are of connections, not of distinct flows. */
struct replay {
	struct recorded recorded;
	struct replay_change *changes;
	size_t n;
	uint64_t changed;
	uint64_t same;
	uint64_t unknown; /* of workloads that one side does not have */
};

struct comparison {
	struct manifests before;
	struct manifests after;
	struct diff diff;
	struct replay replay;
	bool replayed;
	uint64_t now_ns; /* on the images' clock */
};

/* Judges the recorded flows under both policies. 0 or -ENOMEM. */
int replay_run(struct comparison *comparison);
void replay_done(struct replay *replay);

/* Who a recorded side is among the workloads of @set: the caller's; NULL: nobody there. */
char *replay_who(const struct policy_set *set, const struct recorded_side *side);

/* The comparison in two forms. CLI_OK, or CLI_FAILED without memory. */
int diff_report_text(const struct cli *cli, const struct comparison *comparison);
int diff_report_json(const struct cli *cli, const struct comparison *comparison);

/* "8080/TCP", "8081-8090/UDP", "all SCTP", "other protocols"; the caller's. */
char *diff_ports_text(const struct diff_ports *ports);
