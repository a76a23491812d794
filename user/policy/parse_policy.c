/* SPDX-License-Identifier: Apache-2.0 */
/* kind: IdentityPolicy and kind: ClusterIdentityPolicy */
#include "user/policy/parse.h"

#define PERCENT_MAX 100

struct policy policy_begin(const struct meta *meta, const char *kind)
{
	return (struct policy){
		.place = meta->place,
		.kind = kind,
		.namespace = meta->namespace,
		.name = meta->name,
		.priority = POLICY_PRIORITY_DEFAULT,
		.tier = TIER_DEFAULT,
		.rollout = PERCENT_MAX,
		.audit_since = meta->audit_since,
	};
}

static int parse_ingress(struct parse *p, const struct node *node, void *target)
{
	static const struct rules_spec spec = { .parse = parse_ingress_rule,
						.max = MODEL_RULES_MAX };

	return parse_rules(p, node, &spec, target);
}

static int parse_egress(struct parse *p, const struct node *node, void *target)
{
	static const struct rules_spec spec = { .parse = parse_egress_rule,
						.max = MODEL_RULES_MAX };

	return parse_rules(p, node, &spec, target);
}

static int parse_tier(struct parse *p, const struct node *node, void *target)
{
	static const struct choice tiers[] = {
		{ "Admin", TIER_ADMIN },
		{ "Default", TIER_DEFAULT },
		{ "Baseline", TIER_BASELINE },
		{ 0 },
	};

	return parse_choice(p, node, tiers, target);
}

int parse_priority(struct parse *p, const struct node *node, void *target)
{
	uint32_t number;

	if (parse_number(p, node, 0, POLICY_PRIORITY_MAX, &number))
		*(uint16_t *)target = (uint16_t)number;
	return 0;
}

static int parse_percent(struct parse *p, const struct node *node, void *target)
{
	uint32_t number;

	if (parse_number(p, node, 0, PERCENT_MAX, &number))
		*(uint8_t *)target = (uint8_t)number;
	return 0;
}

static int parse_rollout(struct parse *p, const struct node *node, void *target)
{
	static const struct field fields[] = {
		{ "percent", .parse = parse_percent, .offset = 0, .required = true },
		{ 0 },
	};

	return parse_fields(p, node, fields, target);
}

/* In the default tier there is nothing to pass on to: its union has the last word. */
static void check_pass(struct parse *p, const struct policy *policy)
{
	static const char *const names[] = { [CS_INGRESS] = "ingress", [CS_EGRESS] = "egress" };

	for (size_t d = 0; d < CS_DIRECTIONS && policy->tier == TIER_DEFAULT; d++) {
		size_t before = parse_enter(p, names[d]);

		for (size_t i = 0; i < policy->direction[d].n_rules; i++) {
			const struct rule *rule = &policy->direction[d].rules[i];
			size_t before_index = parse_enter_index(p, i);

			if (rule->action == CS_ACTION_PASS)
				policy_errors_add(p->errors, &rule->place, p->path,
						  "Pass is for policies of tier Admin or "
						  "Baseline: expected Allow or Deny");
			parse_leave(p, before_index);
		}
		parse_leave(p, before);
	}
}

static const struct field policy_fields[] = {
	{ "subject", .parse = parse_subject, .offset = 0, .required = true },
	{ "tier", FIELD(struct policy, tier, parse_tier) },
	{ "priority", FIELD(struct policy, priority, parse_priority) },
	{ "mode", FIELD(struct policy, audit, parse_mode) },
	{ "rollout", FIELD(struct policy, rollout, parse_rollout) },
	{ "ingress", FIELD(struct policy, direction[CS_INGRESS], parse_ingress) },
	{ "egress", FIELD(struct policy, direction[CS_EGRESS], parse_egress) },
	{ 0 },
};

static int parse_of_kind(struct parse *p, const struct node *spec, const struct meta *meta,
			 const char *kind)
{
	struct policy *policy = arena_alloc(&p->set->arena, sizeof(*policy));
	size_t before = p->errors->total;
	int r;

	if (!policy)
		return -ENOMEM;
	*policy = policy_begin(meta, kind);
	if (!spec) {
		policy_errors_add(p->errors, &meta->place, p->path, "is missing");
		return 0;
	}
	r = parse_fields(p, spec, policy_fields, policy);
	if (r < 0 || p->errors->total != before)
		return r;
	check_pass(p, policy);
	return p->errors->total == before ? set_add_policy(p, policy) : 0;
}

int parse_identity_policy(struct parse *p, const struct node *spec, const struct meta *meta)
{
	return parse_of_kind(p, spec, meta, "IdentityPolicy");
}

int parse_cluster_identity_policy(struct parse *p, const struct node *spec, const struct meta *meta)
{
	return parse_of_kind(p, spec, meta, "ClusterIdentityPolicy");
}
