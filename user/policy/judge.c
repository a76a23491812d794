/* SPDX-License-Identifier: Apache-2.0 */
/* Both sides of a flow as one verdict. */
#include "user/policy/party.h"

bool result_is_worse(const struct cs_result *result, const struct cs_result *than)
{
	static const int ranks[CS_VERDICT_MAX] = {
		[CS_VERDICT_NONE] = 0,
		[CS_VERDICT_ALLOW] = 1,
		[CS_VERDICT_AUDIT] = 2,
		[CS_VERDICT_DENY] = 3,
	};

	return ranks[result->verdict % CS_VERDICT_MAX] > ranks[than->verdict % CS_VERDICT_MAX];
}

int policy_judge(const struct image *image, const struct policy_flow *flow,
		 struct policy_judgement *ret)
{
	static const uint8_t order[] = { CS_EGRESS, CS_INGRESS };
	struct policy_explanation both[CS_DIRECTIONS];
	int r;

	r = policy_explain(image, flow, both);
	if (r < 0)
		return r;
	/* Nobody here speaks for a side that is no workload of ours: it lets pass. */
	*ret = (struct policy_judgement){ .result = { .verdict = CS_VERDICT_NONE } };
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		const struct policy_explanation *side = &both[order[i]];

		if (side->known && result_is_worse(&side->result, &ret->result))
			*ret = (struct policy_judgement){ side->result, order[i] };
	}
	if (ret->result.verdict == CS_VERDICT_NONE) {
		ret->result.verdict = CS_VERDICT_ALLOW;
		ret->result.reason = CS_REASON_NOT_ISOLATED;
	}
	for (int d = 0; d < CS_DIRECTIONS; d++)
		policy_explanation_done(&both[d]);
	return 0;
}
