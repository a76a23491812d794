/* SPDX-License-Identifier: Apache-2.0 */
/* One rule of an IdentityPolicy or ClusterIdentityPolicy. */
#include "user/policy/moment.h"
#include "user/policy/names.h"
#include "user/policy/parse.h"

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
		{ "Pass", CS_ACTION_PASS },
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

int parse_mode(struct parse *p, const struct node *node, void *target)
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

int parse_moment(struct parse *p, const struct node *node, void *target)
{
	const char *text = parse_text_of(p, node, "a time such as 2026-12-31T00:00:00Z"), *problem;

	if (!text)
		return 0;
	problem = moment_parse(text, target);
	if (problem)
		parse_error(p, node, "\"%.64s\" %s", text, problem);
	return 0;
}

int parse_remark(struct parse *p, const struct node *node, void *target)
{
	static const struct text_spec spec = { "text", remark_problem };

	return parse_checked_text(p, node, &spec, target);
}

#define RULE_FIELDS(peers)                                                                     \
	{ "name", FIELD(struct rule, name, parse_rule_name) },                                 \
		{ "action", FIELD(struct rule, action, parse_action) },                        \
		{ "mode", FIELD(struct rule, audit, parse_mode) },                             \
		{ "authentication", FIELD(struct rule, authenticated, parse_authentication) }, \
		{ (peers), .parse = parse_peers }, { "ports", .parse = parse_ports },          \
		{ "expires", FIELD(struct rule, expires, parse_moment) },                      \
		{ "reason", FIELD(struct rule, reason, parse_remark) },                        \
		{ "ticket", FIELD(struct rule, ticket, parse_remark) },                        \
		{ "approver", FIELD(struct rule, approver, parse_remark) },                    \
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

/* An exception says why it is one; what never ends is a rule, and needs no excuse. */
static void check_exception(struct parse *p, const struct node *node, const struct rule *rule)
{
	static const char *const remarks[] = { "reason", "ticket", "approver" };
	size_t before;

	if (rule->expires.set && !rule->reason) {
		before = parse_enter(p, "reason");
		parse_error(p, node, "is missing: a rule that expires says why it is there");
		parse_leave(p, before);
	}
	for (size_t i = 0; i < ARRAY_SIZE(remarks) && !rule->expires.set; i++) {
		const struct node *remark = node_get(node, remarks[i]);

		before = parse_enter(p, remarks[i]);
		if (remark)
			parse_error(p, remark, "is for rules with expires: add it, or %s",
				    "write a comment instead");
		parse_leave(p, before);
	}
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
	check_exception(p, node, rule);
	if (fields == egress_fields)
		check_named_egress(p, node, rule);
	return 0;
}

int parse_ingress_rule(struct parse *p, const struct node *node, void *target)
{
	return parse_rule(p, node, target, ingress_fields);
}

int parse_egress_rule(struct parse *p, const struct node *node, void *target)
{
	return parse_rule(p, node, target, egress_fields);
}
