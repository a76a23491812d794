/* SPDX-License-Identifier: Apache-2.0 */
/* What the policies together make of workloads: no DNS, no isolation; or say nothing. */
#include <netinet/in.h>

#include "user/policy/lint_work.h"

#define DNS_PORT 53

/* The workloads that one policy cuts off from DNS. */
struct cut_off {
	const struct image_workload *first;
	size_t n;
};

static bool allows(const struct lint *l, const struct cs_rule *rule)
{
	return rule->action == CS_ACTION_ALLOW && !(rule->flags & CS_RULE_AUDIT) &&
	       (!rule->expires_ns || rule->expires_ns > l->options->compile->boottime_ns);
}

/* UDP comes first in every resolver; TCP is for answers that do not fit. */
static bool allows_dns(const struct cs_rule *rule)
{
	return (!rule->protocol || rule->protocol == IPPROTO_UDP) && rule->port_min <= DNS_PORT &&
	       rule->port_max >= DNS_PORT;
}

/*
 * Isolated with something to reach, but no DNS. What may reach nothing at all was shut in
 * on purpose.
 */
static bool lacks_dns(const struct lint *l, const struct cs_ruleset *set)
{
	bool reaches = false;

	if (!(set->flags & CS_RULESET_ISOLATED))
		return false;
	for (uint32_t i = 0; i < set->count; i++) {
		if (!allows(l, &set->rules[i]))
			continue;
		if (allows_dns(&set->rules[i]))
			return false;
		reaches = true;
	}
	return reaches;
}

static int report_dns(struct lint *l, uint32_t id, const struct cut_off *cut)
{
	const struct lint_rule *by = l->by_id[id];
	const struct about about = about_policy(LINT_EGRESS_NO_DNS, by->policy);
	char more[32] = "";

	if (cut->n > 1)
		snprintf(more, sizeof(more), " and %zu more", cut->n - 1);
	return lint_add(l->findings, &about,
			"isolates the egress of %s/%s%s, and no rule lets UDP port 53 out",
			cut->first->namespace, cut->first->name, more);
}

static int check_dns(struct lint *l)
{
	struct cut_off *cuts = arena_alloc(&l->arena, l->image->n_rules * sizeof(*cuts));
	int r = 0;

	if (!cuts)
		return -ENOMEM;
	for (size_t i = 0; i < l->image->n_workloads; i++) {
		const struct image_workload *workload = &l->image->workloads[i];
		const struct cs_ruleset *set = &l->image->rulesets[workload->ruleset[CS_EGRESS]];

		if (!lacks_dns(l, set) || !l->by_id[set->default_rule])
			continue;
		if (!cuts[set->default_rule].n++)
			cuts[set->default_rule].first = workload;
	}
	for (uint32_t id = 1; id < l->image->n_rules && r == 0; id++)
		if (cuts[id].n)
			r = report_dns(l, id, &cuts[id]);
	return r;
}

static const struct place *place_of(const struct lint *l, const struct image_workload *workload)
{
	static const struct place nowhere;

	for (size_t i = 0; i < l->set->workloads.n; i++) {
		const struct workload *other = l->set->workloads.item[i];

		if (streq(other->namespace, workload->namespace) &&
		    streq(other->name, workload->name))
			return &other->place;
	}
	return &nowhere;
}

static int check_isolation(struct lint *l)
{
	int r = 0;

	for (size_t i = 0; i < l->image->n_workloads && r == 0; i++) {
		const struct image_workload *workload = &l->image->workloads[i];
		struct about about = { .code = LINT_NOT_ISOLATED };

		if (workload->n_isolated_by[CS_INGRESS] || workload->n_isolated_by[CS_EGRESS])
			continue;
		about.place = place_of(l, workload);
		r = lint_add(l->findings, &about, "workload %s/%s is isolated by no policy",
			     workload->namespace, workload->name);
	}
	return r;
}

static int check_empty(struct lint *l, const struct policy *policy)
{
	const struct about about = about_policy(LINT_POLICY_EMPTY, policy);

	for (int d = 0; d < CS_DIRECTIONS; d++)
		if (policy->direction[d].n_rules ||
		    (policy->direction[d].present && policy->tier == TIER_DEFAULT))
			return 0;
	return lint_add(l->findings, &about, "has no rules and isolates no direction");
}

int lint_reach(struct lint *l)
{
	int r;

	r = check_dns(l);
	for (size_t i = 0; i < l->set->policies.n && r == 0; i++)
		r = check_empty(l, l->set->policies.item[i]);
	if (r == 0 && l->options->isolation)
		r = check_isolation(l);
	return r;
}
