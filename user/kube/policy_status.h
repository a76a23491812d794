/* SPDX-License-Identifier: Apache-2.0 */
/* The status of a policy: as it should be, as the API server has it, and whether they differ. */
#pragma once

#include "user/kube/realized.h"

struct policy_status_text {
	struct condition accepted, realized;
	char nodes[32]; /* "2/3" */
	int64_t subjects; /* workloads that it selects; < 0: not known */
	int64_t generation;
};

/* What of it is kept for each policy: enough to tell a difference, and the times. */
struct policy_said {
	uint64_t digest; /* 0: there is no status */
	uint64_t verdict; /* digest of the conditions' reasons, without progress and words */
	int64_t accepted_since_s, realized_since_s;
	uint8_t accepted, realized; /* enum condition_reason */
	bool accepted_set, realized_set;
};

/* What @judgement of the leader comes to. */
void policy_status_judge(const struct ledger_policy *policy, const struct kube_judgement *judgement,
			 struct policy_status_text *ret);

/* Takes the times of what was said before, and says now when the status is another. */
void policy_status_follow(const struct policy_said *before, struct policy_status_text *status,
			  int64_t now_s);

struct policy_said policy_status_said(const struct kube_policy_kind *kind,
				      const struct policy_status_text *status);

/* From the object of the API server; all zero when there is nothing of ours in its status. */
struct policy_said policy_status_read(const struct kube_policy_kind *kind, const json_t *object);

/* The object to apply. NULL: no memory. */
json_t *policy_status_object(const struct ledger_policy *policy,
			     const struct policy_status_text *status);
