/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of a subject's policies, in the order of evaluation. */
#include "user/policy/compile.h"
#include "user/policy/moment.h"

/* A kernel rule with what it is sorted by. */
struct draft {
	struct cs_rule rule;
	uint32_t order; /* as written: policies by namespace and name, rules, ports */
	uint16_t priority;
	uint8_t stage; /* enum stage */
};

/* Where rules stand. The isolation of Audit policies comes after all of its tier. */
enum stage {
	STAGE_ADMIN,
	STAGE_DEFAULT,
	STAGE_ISOLATION,
	STAGE_BASELINE,
};

static const uint8_t stages[] = {
	[TIER_ADMIN] = STAGE_ADMIN,
	[TIER_DEFAULT] = STAGE_DEFAULT,
	[TIER_BASELINE] = STAGE_BASELINE,
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

/* In the default tier, at one priority: Deny before Pass before Allow. */
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
	int order = (int)x->stage - (int)y->stage;

	if (!order)
		order = (int)x->priority - (int)y->priority;
	if (!order && x->stage == STAGE_DEFAULT)
		order = action_rank(x->rule.action) - action_rank(y->rule.action);
	return order ? order : (x->order > y->order) - (x->order < y->order);
}

static bool isolates(const struct applied *applied, enum cs_direction direction)
{
	const struct policy *policy = applied->used->policy;

	return policy->tier == TIER_DEFAULT && policy->direction[direction].present;
}

static struct isolation find_isolation(const struct subject *subject, enum cs_direction direction)
{
	struct isolation isolation = { 0 };

	for (size_t i = subject ? subject->n_policies : 0; i > 0; i--) {
		const struct applied *applied = &subject->policies[i - 1];

		if (!isolates(applied, direction))
			continue;
		if (applied->audit)
			isolation.audit = applied->used;
		else
			isolation.enforce = applied->used;
	}
	return isolation;
}

static int rules_limit(struct compile *c)
{
	static const struct limit limit = {
		"CS_RULES_MAX", CS_RULES_MAX, "rules in one direction (each port counts)",
		"use port ranges and put peers of equal ports together"
	};

	return compile_limit(c, &limit, &c->policy->place);
}

static uint8_t rule_flags(const struct applied *applied, const struct rule *rule)
{
	uint8_t flags = rule->authenticated ? CS_RULE_AUTH : 0;

	if (applied->audit || rule->audit)
		flags |= CS_RULE_AUDIT;
	return flags;
}

static int add_draft(struct compile *c, struct drafts *drafts, const struct draft *draft)
{
	if (drafts->n == CS_RULES_MAX)
		return rules_limit(c);
	drafts->item[drafts->n] = *draft;
	drafts->item[drafts->n].order = (uint32_t)drafts->n;
	drafts->n++;
	return 0;
}

static int add_rule(struct compile *c, struct drafts *drafts, const struct applied *applied,
		    enum cs_direction direction, size_t i)
{
	const struct policy *policy = applied->used->policy;
	const struct rule *rule = &policy->direction[direction].rules[i];
	struct used_rule *used = &applied->used->rules[direction][i];
	const struct targets *targets;
	struct draft draft = {
		.rule = {
			.expires_ns = moment_boottime(&rule->expires, c->options->realtime_ns,
						      c->options->boottime_ns),
			.id = used->id,
			.action = rule->action,
			.flags = rule_flags(applied, rule),
			.tier = policy->tier,
		},
		.priority = policy->priority,
		.stage = stages[policy->tier],
	};
	int r;

	r = compile_targets(c, rule, direction, used, &targets);
	for (size_t t = 0; r == 0 && t < targets->n; t++) {
		draft.rule.selector = targets->item[t].selector;
		draft.rule.port_min = targets->item[t].min;
		draft.rule.port_max = targets->item[t].max;
		draft.rule.protocol = targets->item[t].protocol;
		r = add_draft(c, drafts, &draft);
	}
	return r;
}

static int add_policy(struct compile *c, struct drafts *drafts, const struct applied *applied,
		      enum cs_direction direction)
{
	const struct direction *rules = &applied->used->policy->direction[direction];
	int r = 0;

	c->policy = applied->used->policy;
	for (size_t i = 0; i < rules->n_rules && r == 0; i++)
		if (!rules->rules[i].nobody)
			r = add_rule(c, drafts, applied, direction, i);
	return r;
}

/*
 * What policies in Audit mode would deny by isolating, when none enforces that: the last
 * word of their tier, so that the Baseline counts for what is enforced only.
 */
static int add_isolation(struct compile *c, struct drafts *drafts,
			 const struct isolation *isolation)
{
	const struct used_policy *audit = isolation->audit;
	struct draft draft = {
		.rule = {
			.selector = CS_SELECTOR_ANY,
			.port_max = CS_PORT_MAX,
			.action = CS_ACTION_DENY,
			.flags = CS_RULE_AUDIT | CS_RULE_DEFAULT,
			.tier = TIER_DEFAULT,
		},
		.stage = STAGE_ISOLATION,
	};

	if (!audit || isolation->enforce)
		return 0;
	draft.rule.id = audit->default_id;
	c->policy = audit->policy;
	return add_draft(c, drafts, &draft);
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
	}
}

/* Puts c->scratch among the rulesets of the image, where an equal one may be already. */
static int share_ruleset(struct compile *c, const struct place *place, uint32_t *ret)
{
	static const struct limit limits[] = {
		{ "CS_RULESETS_MAX", CS_RULESETS_MAX, "different sets of rules on this node",
		  "select workloads by common labels" },
		{ "OFFLINE_RULESETS_MAX", OFFLINE_RULESETS_MAX, "different sets of rules",
		  "look at fewer namespaces at a time" },
	};
	const struct limit *limit = &limits[c->options->every_subject];
	size_t size = offsetof(struct cs_ruleset, rules[c->scratch.count]);
	struct image *image = c->image;
	struct cs_ruleset *slot;

	if (keymap_get(&c->by_ruleset, &c->scratch, size, ret))
		return 0;
	if (image->n_rulesets == limit->max)
		return compile_limit(c, limit, place);
	*ret = (uint32_t)image->n_rulesets;
	slot = &image->rulesets[image->n_rulesets++];
	memcpy(slot, &c->scratch, size);
	return keymap_put(&c->by_ruleset, slot, size, *ret);
}

static int draft_rules(struct compile *c, struct drafts *drafts, const struct isolation *isolation,
		       enum cs_direction direction)
{
	const struct subject *subject = c->subject;
	int r = 0;

	for (size_t i = 0; subject && i < subject->n_policies && r == 0; i++) {
		const struct applied *applied = &subject->policies[i];

		/* An isolation that is enforced decides all: nothing falls to the Baseline. */
		if (applied->used->policy->tier != TIER_BASELINE || !isolation->enforce)
			r = add_policy(c, drafts, applied, direction);
	}
	return r;
}

/* The rules of the subject at hand into c->scratch. */
static int build_ruleset(struct compile *c, struct drafts *drafts, enum cs_direction direction)
{
	struct isolation isolation = find_isolation(c->subject, direction);
	int r;

	memset(&c->scratch, 0, sizeof(c->scratch));
	set_default(c, &isolation, &c->scratch);
	drafts->n = 0;
	r = draft_rules(c, drafts, &isolation, direction);
	if (r == 0)
		r = add_isolation(c, drafts, &isolation);
	if (r < 0)
		return r;
	qsort(drafts->item, drafts->n, sizeof(*drafts->item), draft_compare);
	for (size_t i = 0; i < drafts->n; i++) {
		c->scratch.rules[c->scratch.count++] = drafts->item[i].rule;
		if (drafts->item[i].rule.expires_ns)
			c->scratch.flags |= CS_RULESET_EXPIRES;
		if (drafts->item[i].rule.flags & CS_RULE_AUDIT)
			c->scratch.flags |= CS_RULESET_AUDIT;
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

static int note_isolation(const struct subject *subject, enum cs_direction direction,
			  struct image_workload *ret)
{
	uint32_t *ids = calloc(subject->n_policies + 1, sizeof(*ids));
	size_t n = 0;

	ret->isolated_by[direction] = ids;
	if (!ids)
		return -ENOMEM;
	for (int audit = 0; audit <= 1; audit++) {
		for (size_t i = 0; i < subject->n_policies; i++)
			if (subject->policies[i].audit == audit &&
			    isolates(&subject->policies[i], direction))
				ids[n++] = subject->policies[i].used->default_id;
		if (!audit)
			ret->n_enforcing[direction] = n;
	}
	ret->n_isolated_by[direction] = n;
	return 0;
}

int compile_isolation(const struct subject *subject, struct image_workload *ret)
{
	int r = 0;

	for (int d = 0; d < CS_DIRECTIONS && r == 0; d++)
		r = note_isolation(subject, d, ret);
	return r;
}
