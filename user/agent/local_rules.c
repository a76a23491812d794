/* SPDX-License-Identifier: Apache-2.0 */
#include "user/agent/local_rules.h"

static void add(const struct image *image, const struct cs_rule *rule, struct local_rule *list)
{
	if (rule->id >= image->n_rules || (rule->flags & CS_RULE_DEFAULT))
		return;
	list[rule->id].action = rule->action;
	list[rule->id].expires_ns = rule->expires_ns;
}

struct local_rule *local_rules(const struct image *image)
{
	struct local_rule *list = calloc(image->n_rules + 1, sizeof(*list));

	for (size_t i = 0; list && i < image->n_rulesets; i++)
		for (size_t j = 0; j < MIN(image->rulesets[i].count, (uint32_t)CS_RULES_MAX); j++)
			add(image, &image->rulesets[i].rules[j], list);
	return list;
}

uint64_t local_rules_next_expiry(const struct image *image, uint64_t now_ns)
{
	uint64_t next = 0;

	for (size_t i = 0; i < image->n_rulesets; i++) {
		const struct cs_ruleset *ruleset = &image->rulesets[i];

		if (!(ruleset->flags & CS_RULESET_EXPIRES))
			continue;
		for (size_t j = 0; j < MIN(ruleset->count, (uint32_t)CS_RULES_MAX); j++)
			if (ruleset->rules[j].expires_ns > now_ns)
				next = cs_earlier(next, ruleset->rules[j].expires_ns);
	}
	return next;
}

bool local_rules_expire(const struct image *image)
{
	for (size_t i = 0; i < image->n_rulesets; i++)
		if (image->rulesets[i].flags & CS_RULESET_EXPIRES)
			return true;
	return false;
}
