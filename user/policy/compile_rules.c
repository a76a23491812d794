/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of a subject's policies, in the order of evaluation. */
#include "user/policy/compile.h"
#include "user/policy/moment.h"

/* A kernel rule with what it is sorted by. */
struct draft {
	struct cs_rule rule;
	uint32_t order; /* as written: policies by name, rules, ports */
	uint16_t priority;
};

struct drafts {
	struct draft item[CS_RULES_MAX];
	size_t n;
};

/* Who isolates a direction: the first policy of each mode. */
struct isolation {
	const struct used_policy *enforce;
	const struct used_policy *audit;
};

/* At one tier and priority: Deny before Pass before Allow. */
static int action_rank(uint8_t action)
{
	static const int ranks[] = {
		[CS_ACTION_DENY] = 0,
		[CS_ACTION_PASS] = 1,
		[CS_ACTION_ALLOW] = 2,
	};

	return ranks[action];
}

static int draft_compare(const void *a, const void *b)
{
	const struct draft *x = a, *y = b;
	int order = (int)x->rule.tier - (int)y->rule.tier;

	if (!order)
		order = (int)x->priority - (int)y->priority;
	if (!order)
		order = action_rank(x->rule.action) - action_rank(y->rule.action);
	return order ? order : (x->order > y->order) - (x->order < y->order);
}

static struct isolation find_isolation(const struct subject *subject, enum cs_direction direction)
{
	struct isolation isolation = { 0 };

	for (size_t i = subject->n_policies[direction]; i > 0; i--) {
		const struct used_policy *used = subject->policies[direction][i - 1];

		if (used->policy->audit)
			isolation.audit = used;
		else
			isolation.enforce = used;
	}
	return isolation;
}

/*
 * Audit changes no traffic. Beside an enforcing policy, an Allow in Audit mode would open
 * what that one closes, so it is left out. Alone, it only says what would be allowed and
 * passes silently, as all passes; unless all is denied by the default action anyway.
 */
static bool rule_takes_part(const struct compile *c, const struct isolation *isolation,
			    const struct policy *policy, const struct rule *rule)
{
	if (!policy->audit)
		return true;
	if (isolation->enforce)
		return rule->action == CS_ACTION_DENY;
	return c->options->default_verdict != CS_VERDICT_DENY;
}

static int rules_limit(struct compile *c)
{
	static const struct limit limit = {
		"CS_RULES_MAX", CS_RULES_MAX, "rules in one direction (each port counts)",
		"use port ranges and put peers of equal ports together"
	};

	return compile_limit(c, &limit, &c->policy->place);
}

static uint8_t rule_flags(const struct policy *policy, const struct rule *rule)
{
	uint8_t flags = rule->authenticated ? CS_RULE_AUTH : 0;

	/* An Allow in Audit mode that takes part must decide, or the default would. */
	if (policy->audit && rule->action == CS_ACTION_DENY)
		flags |= CS_RULE_AUDIT;
	return flags;
}

static int add_rule(struct compile *c, struct drafts *drafts, const struct rule *rule,
		    enum cs_direction direction, struct used_rule *used)
{
	const struct policy *policy = c->policy;
	const struct targets *targets;
	int r;

	r = compile_targets(c, rule, direction, used, &targets);
	for (size_t i = 0; r == 0 && i < targets->n; i++) {
		const struct target *target = &targets->item[i];

		if (drafts->n == CS_RULES_MAX)
			return rules_limit(c);
		drafts->item[drafts->n] = (struct draft){
			.rule = {
				.expires_ns = moment_boottime(&rule->expires,
							      c->options->realtime_ns,
							      c->options->boottime_ns),
				.id = used->id,
				.selector = target->selector,
				.port_min = target->min,
				.port_max = target->max,
				.protocol = target->protocol,
				.action = rule->action,
				.flags = rule_flags(policy, rule),
				.tier = policy->tier,
			},
			.order = (uint32_t)drafts->n,
			.priority = policy->priority,
		};
		drafts->n++;
	}
	return r;
}

static int add_policy(struct compile *c, struct drafts *drafts, const struct isolation *isolation,
		      const struct used_policy *used, enum cs_direction direction)
{
	const struct direction *rules = &used->policy->direction[direction];
	int r = 0;

	c->policy = used->policy;
	for (size_t i = 0; i < rules->n_rules && r == 0; i++)
		if (rule_takes_part(c, isolation, used->policy, &rules->rules[i]))
			r = add_rule(c, drafts, &rules->rules[i], direction,
				     &used->rules[direction][i]);
	return r;
}

/* What holds when no rule covers. */
static void set_default(const struct compile *c, const struct isolation *isolation,
			struct cs_ruleset *ret)
{
	uint8_t verdict = c->options->default_verdict;

	ret->default_verdict = verdict;
	ret->default_reason = verdict == CS_VERDICT_ALLOW ? CS_REASON_NOT_ISOLATED
							  : CS_REASON_DEFAULT_ACTION;
	if (isolation->enforce) {
		ret->default_verdict = CS_VERDICT_DENY;
		ret->default_reason = CS_REASON_DEFAULT_DENY;
		ret->default_rule = isolation->enforce->default_id;
		ret->flags |= CS_RULESET_ISOLATED;
	} else if (isolation->audit && verdict != CS_VERDICT_DENY) {
		ret->default_verdict = CS_VERDICT_AUDIT;
		ret->default_reason = CS_REASON_DEFAULT_DENY;
		ret->default_rule = isolation->audit->default_id;
	}
}

/* Puts c->scratch among the rulesets of the image, where an equal one may be already. */
static int share_ruleset(struct compile *c, const struct place *place, uint32_t *ret)
{
	static const struct limit limit = { "CS_RULESETS_MAX", CS_RULESETS_MAX,
					    "different sets of rules on this node",
					    "select workloads by common labels" };
	size_t size = offsetof(struct cs_ruleset, rules[c->scratch.count]);
	struct image *image = c->image;
	struct cs_ruleset *slot;

	if (keymap_get(&c->by_ruleset, &c->scratch, size, ret))
		return 0;
	if (image->n_rulesets == CS_RULESETS_MAX)
		return compile_limit(c, &limit, place);
	*ret = (uint32_t)image->n_rulesets;
	slot = &image->rulesets[image->n_rulesets++];
	memcpy(slot, &c->scratch, size);
	return keymap_put(&c->by_ruleset, slot, size, *ret);
}

static int build_ruleset(struct compile *c, struct drafts *drafts, enum cs_direction direction)
{
	struct subject none = { 0 };
	const struct subject *subject = c->subject ? c->subject : &none;
	struct isolation isolation = find_isolation(subject, direction);
	int r = 0;

	drafts->n = 0;
	for (size_t i = 0; i < subject->n_policies[direction] && r == 0; i++)
		r = add_policy(c, drafts, &isolation, subject->policies[direction][i], direction);
	if (r < 0)
		return r;
	qsort(drafts->item, drafts->n, sizeof(*drafts->item), draft_compare);
	memset(&c->scratch, 0, sizeof(c->scratch));
	set_default(c, &isolation, &c->scratch);
	for (size_t i = 0; i < drafts->n; i++) {
		c->scratch.rules[c->scratch.count++] = drafts->item[i].rule;
		if (drafts->item[i].rule.expires_ns)
			c->scratch.flags |= CS_RULESET_EXPIRES;
	}
	return 0;
}

/* Both directions of the subject at hand; NULL: of sockets that are no workload's. */
static int build_rulesets(struct compile *c, struct drafts *drafts, uint32_t ret[static 2])
{
	static const struct place nowhere;
	const struct place *place = c->subject ? &c->subject->workload->place : &nowhere;
	int r = 0;

	for (int d = 0; d < CS_DIRECTIONS && r == 0; d++) {
		r = build_ruleset(c, drafts, d);
		if (r == 0)
			r = share_ruleset(c, place, &ret[d]);
	}
	c->policy = NULL;
	return r;
}

int compile_rulesets(struct compile *c)
{
	_cleanup_free_ struct drafts *drafts = calloc(1, sizeof(*drafts));
	int r;

	if (!drafts)
		return -ENOMEM;
	c->subject = NULL;
	r = build_rulesets(c, drafts, c->image->unmanaged_ruleset);
	for (size_t i = 0; i < c->subjects.n && r == 0; i++) {
		c->subject = &c->subjects.item[i];
		r = build_rulesets(c, drafts, c->subjects.item[i].ruleset);
	}
	c->subject = NULL;
	return r;
}
