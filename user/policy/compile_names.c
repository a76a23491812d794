/* SPDX-License-Identifier: Apache-2.0 */
/* The ids of the rules in use, and what people are to be told of each. */
#include "user/policy/compile.h"

typedef int (*id_fn)(struct rule_ids *ids, const struct rule_key *key, uint32_t *ret);

/* Asks @fn for the ids of a policy's rules and of its default. */
static int policy_ids(struct compile *c, struct used_policy *used, id_fn fn)
{
	const struct policy *policy = used->policy;
	struct rule_key key = { policy->kind, policy->namespace, policy->name, "", CS_DIRECTIONS };
	int r;

	r = fn(c->ids, &key, &used->default_id);
	for (int d = 0; d < CS_DIRECTIONS; d++) {
		key.direction = (uint8_t)d;
		for (size_t i = 0; i < policy->direction[d].n_rules && r == 0; i++) {
			key.rule = policy->direction[d].rules[i].name;
			r = fn(c->ids, &key, &used->rules[d][i].id);
		}
	}
	return r;
}

int compile_rule_ids(struct compile *c)
{
	static const struct limit limit = { "CS_RULE_IDS_MAX", CS_RULE_IDS_MAX - 1,
					    "rules in use on this node", "merge rules" };
	static const id_fn passes[] = { rule_ids_find, rule_ids_get };
	int r = 0;

	rule_ids_begin(c->ids);
	for (size_t pass = 0; pass < ARRAY_SIZE(passes); pass++) {
		for (size_t i = 0; i < c->set->policies.n && r == 0; i++) {
			if (!c->policies[i].used)
				continue;
			r = policy_ids(c, &c->policies[i], passes[pass]);
			c->policy = c->policies[i].policy;
		}
	}
	if (r == -ENOSPC)
		r = compile_limit(c, &limit, &c->policy->place);
	c->policy = NULL;
	return r;
}

/* A copy of an optional text; whether there was memory. */
static bool copy(const char *s, char **ret)
{
	*ret = s ? strdup(s) : NULL;
	return !s || *ret;
}

static int describe_rule(const struct compile *c, const struct policy *policy,
			 const struct rule *rule, struct image_rule *ret)
{
	ret->line = rule->place.line;
	ret->expires_s = rule->expires.set ? rule->expires.seconds : 0;
	ret->tier = policy->tier;
	ret->action = rule->action;
	ret->audit = c->options->audit || policy->audit || rule->audit;
	return copy(rule->place.file, &ret->file) && copy(rule->reason, &ret->reason) &&
			       copy(rule->ticket, &ret->ticket) &&
			       copy(rule->approver, &ret->approver)
		       ? 0
		       : -ENOMEM;
}

static int describe_policy(struct compile *c, const struct used_policy *used)
{
	const struct rule none = { .place = used->policy->place };
	int r;

	r = describe_rule(c, used->policy, &none, &c->image->rules[used->default_id]);
	for (int d = 0; d < CS_DIRECTIONS; d++)
		for (size_t i = 0; i < used->policy->direction[d].n_rules && r == 0; i++)
			r = describe_rule(c, used->policy, &used->policy->direction[d].rules[i],
					  &c->image->rules[used->rules[d][i].id]);
	return r;
}

int compile_rule_texts(struct compile *c)
{
	int r;

	r = rule_ids_names(c->ids, c->image);
	for (size_t i = 0; i < c->set->policies.n && r == 0; i++)
		if (c->policies[i].used)
			r = describe_policy(c, &c->policies[i]);
	return r;
}
