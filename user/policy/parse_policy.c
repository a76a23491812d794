/* SPDX-License-Identifier: Apache-2.0 */
/* kind: IdentityPolicy */
#include "user/policy/moment.h"
#include "user/policy/names.h"
#include "user/policy/parse.h"

#define PRIORITY_DEFAULT 500 /* of policies that name none: the middle of 0..1000 */

static int parse_rule_name(struct parse *p, const struct node *node, void *target)
{
	static const struct text_spec spec = { "a rule name", rule_name_problem };

	return parse_checked_text(p, node, &spec, target);
}

static int parse_action(struct parse *p, const struct node *node, void *target)
{
	static const struct choice actions[] = {
		{ "Allow", CS_ACTION_ALLOW },
		{ "Deny", CS_ACTION_DENY },
		{ 0 },
	};

	return parse_choice(p, node, actions, target);
}

static int parse_authentication(struct parse *p, const struct node *node, void *target)
{
	static const struct choice choices[] = {
		{ "Required", true },
		{ "IfAvailable", false },
		{ 0 },
	};
	uint8_t required = false;
	int r;

	r = parse_choice(p, node, choices, &required);
	*(bool *)target = required;
	return r;
}

static int parse_expires(struct parse *p, const struct node *node, void *target)
{
	const char *text = parse_text_of(p, node, "a time such as 2026-12-31T00:00:00Z"), *problem;

	if (!text)
		return 0;
	problem = moment_parse(text, target);
	if (problem)
		parse_error(p, node, "\"%.64s\" %s", text, problem);
	return 0;
}

#define RULE_FIELDS(peers)                                                                     \
	{ "name", FIELD(struct rule, name, parse_rule_name) },                                 \
		{ "action", FIELD(struct rule, action, parse_action) },                        \
		{ "authentication", FIELD(struct rule, authenticated, parse_authentication) }, \
		{ (peers), .parse = parse_peers }, { "ports", .parse = parse_ports },          \
		{ "expires", FIELD(struct rule, expires, parse_expires) },                     \
	{                                                                                      \
		0                                                                              \
	}

static const struct field ingress_fields[] = { RULE_FIELDS("from") };
static const struct field egress_fields[] = { RULE_FIELDS("to") };

/*
 * Going out, a named port is looked up at each peer, and addresses have no names. Nothing
 * would match, and a Deny that matches nothing opens what its author wanted closed.
 */
static void check_named_egress(struct parse *p, const struct node *node, const struct rule *rule)
{
	bool named = false, nameless = false;

	for (size_t i = 0; i < rule->n_ports; i++)
		named |= rule->ports[i].name != NULL;
	for (size_t i = 0; i < rule->n_peers; i++)
		nameless |= rule->peers[i].kind >= PEER_CIDR;
	if (named && nameless)
		parse_error(p, node,
			    "a named port means nothing for cidrs and entities: write its "
			    "number, or put them into a rule of their own");
}

static int parse_rule(struct parse *p, const struct node *node, struct rule *rule,
		      const struct field *fields)
{
	size_t before = p->errors->total;
	int r;

	rule->place = parse_place(p, node);
	rule->action = CS_ACTION_ALLOW;
	r = parse_fields(p, node, fields, rule);
	if (r < 0 || p->errors->total != before)
		return r;
	if (rule->authenticated && rule->action != CS_ACTION_ALLOW)
		parse_error(p, node,
			    "authentication: Required is for Allow: a Deny that spares "
			    "unverified peers would be open to anybody");
	if (fields == egress_fields)
		check_named_egress(p, node, rule);
	return 0;
}

static int parse_ingress_rule(struct parse *p, const struct node *node, void *target)
{
	return parse_rule(p, node, target, ingress_fields);
}

static int parse_egress_rule(struct parse *p, const struct node *node, void *target)
{
	return parse_rule(p, node, target, egress_fields);
}

/* Every rule has a name of its own in its direction: flows and counters show it. */
static int name_rules(struct parse *p, const struct node *node, struct direction *direction)
{
	_cleanup_keymap_ struct keymap names = { 0 };
	uint32_t first;
	char number[24];
	int r = 0;

	for (size_t i = 0; i < direction->n_rules && r >= 0; i++) {
		struct rule *rule = &direction->rules[i];

		if (!rule->name) {
			snprintf(number, sizeof(number), "#%zu", i + 1);
			rule->name = arena_strdup(&p->set->arena, number);
			if (!rule->name)
				return -ENOMEM;
			continue;
		}
		r = keymap_put(&names, rule->name, strlen(rule->name), (uint32_t)i);
		if (r != -EEXIST)
			continue;
		keymap_get(&names, rule->name, strlen(rule->name), &first);
		parse_error(p, node->item[i],
			    "the rule name \"%s\" is given twice, first on line %u", rule->name,
			    direction->rules[first].place.line);
		r = 0;
	}
	return r < 0 ? r : 0;
}

static int parse_rules(struct parse *p, const struct node *node, struct direction *direction,
		       field_fn item)
{
	const struct list_spec spec = {
		.parse = item,
		.size = sizeof(struct rule),
		.max = MODEL_RULES_MAX,
		.of = "rules",
	};
	void *items = NULL;
	int r;

	r = parse_list(p, node, &spec, &items, &direction->n_rules);
	if (r < 0 || !items)
		return r;
	direction->rules = items;
	direction->present = true;
	return name_rules(p, node, direction);
}

int parse_ingress_rules(struct parse *p, const struct node *node, void *target)
{
	return parse_rules(p, node, target, parse_ingress_rule);
}

int parse_egress_rules(struct parse *p, const struct node *node, void *target)
{
	return parse_rules(p, node, target, parse_egress_rule);
}

static int parse_subject(struct parse *p, const struct node *node, void *target)
{
	static const struct field fields[] = {
		{ "selector", .parse = parse_selector },
		{ 0 },
	};

	return parse_fields(p, node, fields, target);
}

static int parse_mode(struct parse *p, const struct node *node, void *target)
{
	static const struct choice modes[] = {
		{ "Enforce", false },
		{ "Audit", true },
		{ 0 },
	};
	uint8_t audit = false;
	int r;

	r = parse_choice(p, node, modes, &audit);
	*(bool *)target = audit;
	return r;
}

static const struct field policy_fields[] = {
	{ "subject", FIELD(struct policy, subject, parse_subject), .required = true },
	{ "mode", FIELD(struct policy, audit, parse_mode) },
	{ "ingress", FIELD(struct policy, direction[CS_INGRESS], parse_ingress_rules) },
	{ "egress", FIELD(struct policy, direction[CS_EGRESS], parse_egress_rules) },
	{ 0 },
};

int parse_identity_policy(struct parse *p, const struct node *spec, const struct meta *meta)
{
	struct policy *policy = arena_alloc(&p->set->arena, sizeof(*policy));
	size_t before = p->errors->total;
	int r;

	if (!policy)
		return -ENOMEM;
	*policy = (struct policy){
		.place = meta->place,
		.kind = "IdentityPolicy",
		.namespace = meta->namespace,
		.name = meta->name,
		.priority = PRIORITY_DEFAULT,
		.tier = TIER_DEFAULT,
	};
	if (!spec) {
		policy_errors_add(p->errors, &meta->place, "spec", "is missing");
		return 0;
	}
	r = parse_fields(p, spec, policy_fields, policy);
	return r < 0 || p->errors->total != before ? r : set_add_policy(p, policy);
}
