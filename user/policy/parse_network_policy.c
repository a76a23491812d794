/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kind: NetworkPolicy (networking.k8s.io/v1). An empty list of rules, peers or ports means
 * what a missing one means: the API server drops the empty ones, and a file must not mean
 * something else than the same text in a cluster.
 */
#include "user/policy/parse.h"

#define POLICY_TYPES_MAX 2

struct network_policy {
	struct policy policy;
	uint8_t *types; /* enum cs_direction */
	size_t n_types;
};

static int parse_pod_selector(struct parse *p, const struct node *node, void *target)
{
	struct network_policy *np = target;

	return parse_selector(p, node, &np->policy.subjects->labels);
}

static int parse_policy_type(struct parse *p, const struct node *node, void *target)
{
	static const struct choice types[] = {
		{ "Ingress", CS_INGRESS },
		{ "Egress", CS_EGRESS },
		{ 0 },
	};

	return parse_choice(p, node, types, target);
}

static int parse_policy_types(struct parse *p, const struct node *node, void *target)
{
	static const struct list_spec spec = {
		.parse = parse_policy_type,
		.size = sizeof(uint8_t),
		.max = POLICY_TYPES_MAX,
		.of = "policyTypes",
	};
	struct network_policy *np = target;
	void *items = NULL;
	int r;

	r = parse_list(p, node, &spec, &items, &np->n_types);
	np->types = items;
	return r;
}

/* A selector that is there but empty selects everything; one that is not there nothing. */
static int parse_network_peer(struct parse *p, const struct node *node, void *target)
{
	static const struct field fields[] = {
		{ "podSelector", FIELD(struct peer, labels, parse_selector) },
		{ "namespaceSelector", FIELD(struct peer, namespaces, parse_selector) },
		{ "ipBlock", .parse = parse_cidr_peer, .offset = 0 },
		{ 0 },
	};
	struct peer *peer = target;
	size_t before = p->errors->total;
	bool pods, namespaces, block;
	int r;

	peer->kind = PEER_SELECTOR; /* ipBlock makes it another */
	r = parse_fields(p, node, fields, peer);
	if (r < 0 || p->errors->total != before)
		return r;
	pods = parse_given(p, node, "podSelector");
	namespaces = parse_given(p, node, "namespaceSelector");
	block = parse_given(p, node, "ipBlock");
	if (block && (pods || namespaces))
		parse_error(p, node, "has ipBlock and a selector: make them peers of their own");
	if (!block && !pods && !namespaces)
		parse_error(p, node, "expected podSelector, namespaceSelector or ipBlock: %s",
			    "say who is meant, or leave the list out for anybody");
	peer->namespace = pods && !namespaces ? p->namespace : NULL;
	return 0;
}

static int parse_network_peers(struct parse *p, const struct node *node, void *target)
{
	static const struct list_spec spec = {
		.parse = parse_network_peer,
		.size = sizeof(struct peer),
		.max = MODEL_PEERS_MAX,
		.of = "peers",
	};
	struct rule *rule = target;
	void *items = NULL;
	int r;

	r = parse_list(p, node, &spec, &items, &rule->n_peers);
	rule->peers = items;
	return r;
}

static int parse_network_rule(struct parse *p, const struct node *node, struct rule *rule,
			      const struct field *fields)
{
	rule->place = parse_place(p, node);
	rule->action = CS_ACTION_ALLOW;
	return parse_fields(p, node, fields, rule);
}

static int parse_network_ingress(struct parse *p, const struct node *node, void *target)
{
	static const struct field fields[] = {
		{ "from", .parse = parse_network_peers, .offset = 0 },
		{ "ports", .parse = parse_ports, .offset = 0 },
		{ 0 },
	};

	return parse_network_rule(p, node, target, fields);
}

static int parse_network_egress(struct parse *p, const struct node *node, void *target)
{
	static const struct field fields[] = {
		{ "to", .parse = parse_network_peers, .offset = 0 },
		{ "ports", .parse = parse_ports, .offset = 0 },
		{ 0 },
	};

	return parse_network_rule(p, node, target, fields);
}

static int parse_ingress(struct parse *p, const struct node *node, void *target)
{
	static const struct rules_spec spec = { .parse = parse_network_ingress,
						.max = MODEL_RULES_MAX };

	return parse_rules(p, node, &spec, target);
}

static int parse_egress(struct parse *p, const struct node *node, void *target)
{
	static const struct rules_spec spec = { .parse = parse_network_egress,
						.max = MODEL_RULES_MAX };

	return parse_rules(p, node, &spec, target);
}

/*
 * Which directions the policy isolates. Without policyTypes: ingress, and egress when there
 * is a rule for it. Rules of a direction that it does not isolate mean nothing.
 */
static void apply_types(struct network_policy *np)
{
	struct direction *direction = np->policy.direction;

	direction[CS_INGRESS].present = np->n_types == 0;
	direction[CS_EGRESS].present = np->n_types == 0 && direction[CS_EGRESS].n_rules > 0;
	for (size_t i = 0; i < np->n_types; i++)
		direction[np->types[i]].present = true;
	for (size_t d = 0; d < CS_DIRECTIONS; d++)
		if (!direction[d].present)
			direction[d] = (struct direction){ 0 };
}

static const struct field network_fields[] = {
	{ "podSelector", .parse = parse_pod_selector, .offset = 0 },
	{ "policyTypes", .parse = parse_policy_types, .offset = 0 },
	{ "ingress", FIELD(struct network_policy, policy.direction[CS_INGRESS], parse_ingress) },
	{ "egress", FIELD(struct network_policy, policy.direction[CS_EGRESS], parse_egress) },
	{ 0 },
};

int parse_network_policy(struct parse *p, const struct node *spec, const struct meta *meta)
{
	struct network_policy *np = arena_alloc(&p->set->arena, sizeof(*np));
	size_t before = p->errors->total;
	int r;

	if (!np)
		return -ENOMEM;
	np->policy = policy_begin(meta, "NetworkPolicy");
	/* Without podSelector: all pods of the namespace. */
	np->policy.subjects = arena_alloc(&p->set->arena, sizeof(*np->policy.subjects));
	if (!np->policy.subjects)
		return -ENOMEM;
	np->policy.subjects->kind = PEER_SELECTOR;
	np->policy.subjects->namespace = p->namespace;
	np->policy.n_subjects = 1;
	if (!spec) {
		policy_errors_add(p->errors, &meta->place, p->path, "is missing");
		return 0;
	}
	r = parse_fields(p, spec, network_fields, np);
	if (r < 0 || p->errors->total != before)
		return r;
	apply_types(np);
	return set_add_policy(p, &np->policy);
}
