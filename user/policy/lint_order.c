/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules that other rules leave nothing to decide, seen on the rulesets as the kernel walks
 * them. A rule is reported only when one earlier rule covers all of it in every ruleset in
 * which it stands; several that cover it together are not looked for.
 */
#include "user/policy/lint_work.h"

/* How the peers of one selector lie to those of another. */
enum relation {
	RELATION_SUBSET = 1 << 0, /* every peer of the first is one of the second */
	RELATION_OVERLAP = 1 << 1, /* some peer is of both */
	RELATION_NOBODY = 1 << 2, /* the first has no peers at all */
};

static uint8_t compute_relation(const struct image *image, uint16_t a, uint16_t b)
{
	uint8_t relation = RELATION_SUBSET | RELATION_NOBODY;

	for (size_t i = 0; i < image->n_bitmaps; i++) {
		bool in_a = a == CS_SELECTOR_ANY || cs_bit(&image->bitmaps[i], a);
		bool in_b = b == CS_SELECTOR_ANY || cs_bit(&image->bitmaps[i], b);

		if (!in_a)
			continue;
		relation &= (uint8_t)~RELATION_NOBODY;
		if (in_b)
			relation |= RELATION_OVERLAP;
		else
			relation &= (uint8_t)~RELATION_SUBSET;
	}
	/* Any is also who has no row, and nothing else covers them. */
	if (a == CS_SELECTOR_ANY && b != CS_SELECTOR_ANY)
		relation &= (uint8_t)~RELATION_SUBSET;
	return relation;
}

/* Kept for each pair: the rows may be many, and the same pairs come in many rulesets. */
static int get_relation(struct lint *l, uint16_t a, uint16_t b, uint8_t *ret)
{
	uint32_t pair = (uint32_t)a << 16 | b, relation;
	uint32_t *key;
	int r;

	if (keymap_get(&l->subsets, &pair, sizeof(pair), &relation)) {
		*ret = (uint8_t)relation;
		return 0;
	}
	*ret = compute_relation(l->image, a, b);
	key = arena_alloc(&l->arena, sizeof(*key));
	if (!key)
		return -ENOMEM;
	*key = pair;
	r = keymap_put(&l->subsets, key, sizeof(*key), *ret);
	return r;
}

static bool is_any_port(const struct cs_rule *rule)
{
	return rule->port_min == 0 && rule->port_max == CS_PORT_MAX;
}

static bool covers_ports(const struct cs_rule *a, const struct cs_rule *b)
{
	if (a->protocol && a->protocol != b->protocol)
		return false;
	return is_any_port(a) ||
	       (!is_any_port(b) && a->port_min <= b->port_min && a->port_max >= b->port_max);
}

static bool overlaps_ports(const struct cs_rule *a, const struct cs_rule *b)
{
	return (!a->protocol || !b->protocol || a->protocol == b->protocol) &&
	       a->port_min <= b->port_max && b->port_min <= a->port_max;
}

/* Whether @a is there whenever @b is: as long, in the same walks, for as many peers. */
static bool outlasts(const struct cs_rule *a, const struct cs_rule *b)
{
	if (a->expires_ns && (!b->expires_ns || b->expires_ns > a->expires_ns))
		return false;
	if (a->flags & CS_RULE_AUDIT && !(b->flags & CS_RULE_AUDIT))
		return false;
	return !(a->flags & CS_RULE_AUTH) || b->flags & CS_RULE_AUTH;
}

/* 1: @a covers all that @b covers; 0: it does not; or -ENOMEM. */
static int covers(struct lint *l, const struct cs_rule *a, const struct cs_rule *b)
{
	uint8_t relation;
	int r;

	if (a->tier != b->tier || a->flags & CS_RULE_DEFAULT || !covers_ports(a, b) ||
	    !outlasts(a, b))
		return 0;
	r = get_relation(l, b->selector, a->selector, &relation);
	return r < 0 ? r : relation & RELATION_SUBSET;
}

/* The rule of an entry that may decide something; NULL for the others. */
static struct lint_rule *rule_of(const struct lint *l, const struct cs_rule *rule)
{
	struct lint_rule *found = rule->id < l->image->n_rules ? l->by_id[rule->id] : NULL;

	return found && found->rule && !(rule->flags & CS_RULE_DEFAULT) ? found : NULL;
}

static bool is_over(const struct lint *l, const struct cs_rule *rule)
{
	return rule->expires_ns && rule->expires_ns <= l->options->compile->boottime_ns;
}

/* Looks for the first rule before number @n that covers it. */
static int find_cover(struct lint *l, const struct cs_ruleset *set, uint32_t n,
		      struct lint_rule *rule)
{
	int r = 0;

	for (uint32_t i = 0; i < n && r == 0; i++) {
		const struct lint_rule *by = rule_of(l, &set->rules[i]);

		if (!by || by == rule)
			continue;
		r = covers(l, &set->rules[i], &set->rules[n]);
		if (r <= 0)
			continue;
		if (!rule->by || rule->by->rule->action == rule->rule->action)
			rule->by = by;
		r = covers(l, &set->rules[n], &set->rules[i]);
		rule->mutual = r > 0;
		return r < 0 ? r : 0;
	}
	rule->reached |= r == 0;
	return r;
}

static bool ties(const struct lint_rule *a, const struct lint_rule *b)
{
	return a && a->policy != b->policy && a->policy->tier == b->policy->tier &&
	       a->policy->tier != TIER_DEFAULT && a->policy->priority == b->policy->priority &&
	       a->rule->action != b->rule->action;
}

static int report_tie(struct lint *l, const struct lint_rule *first, const struct lint_rule *second)
{
	struct about about = about_rule(LINT_PRIORITY_TIE, second);
	const struct policy **pair = arena_alloc(&l->arena, 2 * sizeof(*pair));
	int r;

	if (!pair)
		return -ENOMEM;
	about.related = &first->rule->place;
	pair[0] = first->policy;
	pair[1] = second->policy;
	r = keymap_put(&l->ties, pair, 2 * sizeof(*pair), 0);
	if (r < 0)
		return r == -EEXIST ? 0 : r;
	return lint_add(l->findings, &about,
			"has priority %u as %s, which does otherwise with some of the same peers",
			second->policy->priority, lint_rule_text(l, first->policy, first->rule));
}

static int find_ties(struct lint *l, const struct cs_ruleset *set, uint32_t n,
		     const struct lint_rule *rule)
{
	uint8_t relation;
	int r = 0;

	for (uint32_t i = 0; i < n && r == 0; i++) {
		const struct lint_rule *other = rule_of(l, &set->rules[i]);

		if (!ties(other, rule) || !overlaps_ports(&set->rules[i], &set->rules[n]))
			continue;
		r = get_relation(l, set->rules[i].selector, set->rules[n].selector, &relation);
		if (r == 0 && relation & RELATION_OVERLAP)
			r = report_tie(l, other, rule);
	}
	return r;
}

/* Whether something decides when the tier of @rule is passed over. */
static bool has_behind(const struct cs_ruleset *set, const struct cs_rule *rule)
{
	if (set->flags & CS_RULESET_ISOLATED)
		return true;
	return set->count && set->rules[set->count - 1].tier > rule->tier;
}

static int look_at_ruleset(struct lint *l, const struct cs_ruleset *set)
{
	uint8_t relation;
	int r = 0;

	for (uint32_t n = 0; n < set->count && r == 0; n++) {
		const struct cs_rule *entry = &set->rules[n];
		struct lint_rule *rule = rule_of(l, entry);

		if (!rule || is_over(l, entry))
			continue;
		r = get_relation(l, entry->selector, CS_SELECTOR_ANY, &relation);
		if (r < 0 || relation & RELATION_NOBODY)
			continue;
		rule->seen = true;
		rule->behind |= has_behind(set, entry);
		r = find_cover(l, set, n, rule);
		if (r == 0)
			r = find_ties(l, set, n, rule);
	}
	return r;
}

static enum lint_code code_of(const struct lint_rule *rule)
{
	if (rule->rule->action != rule->by->rule->action)
		return rule->rule->action == CS_ACTION_DENY ? LINT_DENY_UNREACHED : LINT_SHADOWED;
	return rule->mutual && rule->policy == rule->by->policy ? LINT_DUPLICATE : LINT_REDUNDANT;
}

static int report(struct lint *l, const struct lint_rule *rule)
{
	const struct about pass = about_rule(LINT_PASS_NOWHERE, rule);
	struct about about = pass;
	int r = 0;

	if (rule->rule->action == CS_ACTION_PASS && !rule->behind)
		r = lint_add(l->findings, &pass,
			     "passes on to later tiers, which have nothing for its subjects");
	if (rule->reached || r < 0)
		return r;
	about.code = code_of(rule);
	about.related = &rule->by->rule->place;
	return lint_add(l->findings, &about, "%s covers all that it covers, before it",
			lint_rule_text(l, rule->by->policy, rule->by->rule));
}

int lint_order(struct lint *l)
{
	int r = 0;

	for (size_t i = 0; i < l->image->n_rulesets && r == 0; i++)
		r = look_at_ruleset(l, &l->image->rulesets[i]);
	for (size_t i = 0; i < l->n_rules && r == 0; i++)
		if (l->rules[i].seen)
			r = report(l, &l->rules[i]);
	return r;
}
