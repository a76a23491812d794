/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kind: ClusterNetworkPolicy (policy.networking.k8s.io/v1alpha2 and v1beta1, which have one
 * schema), AdminNetworkPolicy and BaselineAdminNetworkPolicy (v1alpha1).
 */
#include "user/policy/names.h"
#include "user/policy/parse_cluster.h"

#define CLUSTER_RULE_NAME_MAX 100 /* characters */
#define CLUSTER_MAX 25
#define ADMIN_MAX 100

/* Code points: bytes that continue none. */
static size_t text_characters(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

/* Any text; parse_rules() makes a name of ours of it. */
static int parse_any_name(struct parse *p, const struct node *node, void *target)
{
	const char *text = parse_text_of(p, node, "a rule name"), **ret = target;

	if (!text)
		return 0;
	if (text_characters(text) > CLUSTER_RULE_NAME_MAX) {
		parse_error(p, node, "is longer than %u characters", CLUSTER_RULE_NAME_MAX);
		return 0;
	}
	*ret = arena_strdup(&p->set->arena, text);
	return *ret ? 0 : -ENOMEM;
}

static int parse_cluster_action(struct parse *p, const struct node *node, void *target)
{
	return parse_choice(p, node, p->language->actions, target);
}

#define RULE_FIELDS(peers, parse_peers, ports, parse_ports)                                       \
	{ "name", FIELD(struct rule, name, parse_any_name) },                                     \
		{ "action", FIELD(struct rule, action, parse_cluster_action), .required = true }, \
		{ (peers), .parse = (parse_peers), .offset = 0, .required = true },               \
		{ (ports), .parse = (parse_ports), .offset = 0 },                                 \
	{                                                                                         \
		0                                                                                 \
	}

static const struct field cluster_ingress_fields[] = { RULE_FIELDS("from", parse_cluster_from,
								   "protocols", parse_protocols) };
static const struct field cluster_egress_fields[] = { RULE_FIELDS("to", parse_cluster_to,
								  "protocols", parse_protocols) };
static const struct field admin_ingress_fields[] = { RULE_FIELDS("from", parse_cluster_from,
								 "ports", parse_admin_ports) };
static const struct field admin_egress_fields[] = { RULE_FIELDS("to", parse_cluster_to, "ports",
								parse_admin_ports) };

/* Addresses have no named ports: the API refuses what would match nothing. */
static void check_names(struct parse *p, const struct node *node, const struct rule *rule)
{
	const struct node *to = parse_given(p, node, "to");
	bool named = false, nameless = false;

	for (size_t i = 0; i < rule->n_ports; i++)
		named |= rule->ports[i].name != NULL;
	for (size_t i = 0; i < rule->n_peers; i++)
		nameless |= rule->peers[i].kind >= PEER_CIDR;
	for (size_t i = 0; to && i < to->n; i++)
		nameless |= parse_given(p, to->item[i], "domainNames") != NULL;
	if (named && nameless)
		parse_error(p, node, "a named port means nothing for networks, nodes and %s",
			    "domainNames: write its number, or make them a rule of their own");
}

/*
 * A peer of an unknown kind: the API wants an Accept to match nothing, and of a Deny or a
 * Pass a Deny of everything, all its ports included.
 */
static void fail_closed(struct rule *rule)
{
	if (!rule->unknown_peer)
		return;
	if (rule->action == CS_ACTION_ALLOW) {
		rule->nobody = true;
		return;
	}
	rule->action = CS_ACTION_DENY;
	rule->n_peers = 0;
	rule->n_ports = 0;
}

static int parse_cluster_rule(struct parse *p, const struct node *node, struct rule *rule,
			      enum cs_direction direction)
{
	size_t before = p->errors->total;
	int r;

	rule->place = parse_place(p, node);
	r = parse_fields(p, node, p->language->rule[direction], rule);
	if (r < 0 || p->errors->total != before)
		return r;
	check_names(p, node, rule);
	fail_closed(rule);
	return 0;
}

static int parse_ingress_one(struct parse *p, const struct node *node, void *target)
{
	return parse_cluster_rule(p, node, target, CS_INGRESS);
}

static int parse_egress_one(struct parse *p, const struct node *node, void *target)
{
	return parse_cluster_rule(p, node, target, CS_EGRESS);
}

/* An empty list, like none, leaves the direction alone. */
static int parse_direction(struct parse *p, const struct node *node, struct direction *direction,
			   field_fn rule)
{
	const struct rules_spec spec = {
		.parse = rule,
		.max = p->language->max,
		.upstream_names = true,
	};
	int r;

	r = parse_rules(p, node, &spec, direction);
	direction->present = direction->n_rules > 0;
	return r;
}

static int parse_ingress(struct parse *p, const struct node *node, void *target)
{
	return parse_direction(p, node, target, parse_ingress_one);
}

static int parse_egress(struct parse *p, const struct node *node, void *target)
{
	return parse_direction(p, node, target, parse_egress_one);
}

static int parse_cluster_tier(struct parse *p, const struct node *node, void *target)
{
	static const struct choice tiers[] = {
		{ "Admin", TIER_ADMIN },
		{ "Baseline", TIER_BASELINE },
		{ 0 },
	};

	return parse_choice(p, node, tiers, target);
}

#define POLICY_FIELDS                                                                      \
	{ "subject", .parse = parse_cluster_subject, .offset = 0, .required = true },      \
		{ "ingress", FIELD(struct policy, direction[CS_INGRESS], parse_ingress) }, \
		{ "egress", FIELD(struct policy, direction[CS_EGRESS], parse_egress) },    \
	{                                                                                  \
		0                                                                          \
	}
#define POLICY_PRIORITY                                                                      \
	{                                                                                    \
		"priority", FIELD(struct policy, priority, parse_priority), .required = true \
	}

static const struct field cluster_fields[] = {
	{ "tier", FIELD(struct policy, tier, parse_cluster_tier), .required = true },
	POLICY_PRIORITY,
	POLICY_FIELDS,
};
static const struct field admin_fields[] = { POLICY_PRIORITY, POLICY_FIELDS };
static const struct field baseline_fields[] = { POLICY_FIELDS };

static const struct choice cluster_actions[] = {
	{ "Accept", CS_ACTION_ALLOW },
	{ "Deny", CS_ACTION_DENY },
	{ "Pass", CS_ACTION_PASS },
	{ 0 },
};
static const struct choice admin_actions[] = {
	{ "Allow", CS_ACTION_ALLOW },
	{ "Deny", CS_ACTION_DENY },
	{ "Pass", CS_ACTION_PASS },
	{ 0 },
};
static const struct choice baseline_actions[] = {
	{ "Allow", CS_ACTION_ALLOW },
	{ "Deny", CS_ACTION_DENY },
	{ 0 },
};

static int parse_language(struct parse *p, const struct node *spec, const struct meta *meta,
			  const struct cluster_language *language)
{
	struct policy *policy = arena_alloc(&p->set->arena, sizeof(*policy));
	size_t before = p->errors->total;
	int r;

	if (!policy)
		return -ENOMEM;
	*policy = policy_begin(meta, language->kind);
	policy->tier = language->tier;
	p->language = language;
	if (language->singleton && !streq(meta->name, "default"))
		policy_errors_add(p->errors, &meta->place, "metadata.name",
				  "there is one %s and its name is \"default\"", language->kind);
	if (!spec) {
		policy_errors_add(p->errors, &meta->place, p->path, "is missing");
		return 0;
	}
	r = parse_fields(p, spec, language->spec, policy);
	return r < 0 || p->errors->total != before ? r : set_add_policy(p, policy);
}

int parse_cluster_policy(struct parse *p, const struct node *spec, const struct meta *meta)
{
	static const struct cluster_language language = {
		.kind = "ClusterNetworkPolicy",
		.actions = cluster_actions,
		.rule = { cluster_ingress_fields, cluster_egress_fields },
		.spec = cluster_fields,
		.max = CLUSTER_MAX,
	};

	return parse_language(p, spec, meta, &language);
}

int parse_admin_policy(struct parse *p, const struct node *spec, const struct meta *meta)
{
	static const struct cluster_language language = {
		.kind = "AdminNetworkPolicy",
		.actions = admin_actions,
		.rule = { admin_ingress_fields, admin_egress_fields },
		.spec = admin_fields,
		.max = ADMIN_MAX,
		.tier = TIER_ADMIN,
	};

	return parse_language(p, spec, meta, &language);
}

int parse_baseline_policy(struct parse *p, const struct node *spec, const struct meta *meta)
{
	static const struct cluster_language language = {
		.kind = "BaselineAdminNetworkPolicy",
		.actions = baseline_actions,
		.rule = { admin_ingress_fields, admin_egress_fields },
		.spec = baseline_fields,
		.max = ADMIN_MAX,
		.singleton = true,
		.tier = TIER_BASELINE,
	};

	return parse_language(p, spec, meta, &language);
}
