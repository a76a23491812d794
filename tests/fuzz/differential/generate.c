/* SPDX-License-Identifier: Apache-2.0 */
/* Random policy sets and flows: small worlds, so that rules and flows often meet. */
#include <arpa/inet.h>
#include <string.h>

#include "tests/fuzz/differential/neutral.h"

static const uint16_t numbers[] = { 80, 81, 443, 8080 };

/* splitmix64 */
static uint64_t next(struct n_random *random)
{
	uint64_t z = random->state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

uint32_t n_below(struct n_random *random, uint32_t limit)
{
	return (uint32_t)(next(random) % limit);
}

static bool chance(struct n_random *random, uint32_t percent)
{
	return n_below(random, 100) < percent;
}

static uint16_t number(struct n_random *random)
{
	return numbers[n_below(random, sizeof(numbers) / sizeof(*numbers))];
}

static void random_labels(struct n_random *random, struct n_labels *ret)
{
	for (size_t i = 0; i < N_KEYS; i++)
		ret->value[i] = (uint8_t)n_below(random, N_VALUES + 1);
}

static void random_selector(struct n_random *random, struct n_selector *ret, bool of_namespaces)
{
	if (chance(random, 25))
		return; /* everything */
	if (chance(random, 60))
		ret->match.value[n_below(random, N_KEYS)] =
			(uint8_t)(1 + n_below(random, N_VALUES));
	while (ret->n_expressions < EXPRESSIONS_MAX && chance(random, 45)) {
		struct n_expression *e = &ret->expression[ret->n_expressions++];

		e->key = (uint8_t)n_below(random, N_KEYS + (of_namespaces ? 1 : 0));
		e->op = (uint8_t)n_below(random, 4);
		e->values = (uint8_t)(1 + n_below(random, 7));
	}
}

static void random_cidr(struct n_random *random, struct n_peer *peer)
{
	struct n_prefix cidr, hole;
	uint8_t except = (uint8_t)n_below(random, (uint32_t)n_cidrs_count);

	peer->kind = NP_CIDR;
	peer->cidr = (uint8_t)n_below(random, (uint32_t)n_cidrs_count);
	n_prefix_parse(n_cidrs[peer->cidr], &cidr);
	n_prefix_parse(n_cidrs[except], &hole);
	/* The API server takes no hole that is the whole. */
	if (chance(random, 60) && hole.length > cidr.length && n_prefix_covers(&cidr, &hole))
		peer->except = (uint8_t)(1 + except);
}

/* Pods, as every kind can say it. */
static void random_pods(struct n_random *random, struct n_peer *peer, bool namespaces)
{
	peer->kind = NP_SELECTOR;
	peer->has_namespaces = namespaces;
	peer->has_pods = !namespaces || chance(random, 60);
	if (peer->has_namespaces)
		random_selector(random, &peer->namespaces, true);
	if (peer->has_pods)
		random_selector(random, &peer->pods, false);
}

static void random_identity_peer(struct n_random *random, struct n_peer *peer, bool no_addresses)
{
	switch (n_below(random, no_addresses ? 4 : 6)) {
	case 0:
	case 1:
		random_pods(random, peer, chance(random, 60));
		break;
	case 2:
		peer->kind = NP_ACCOUNT;
		peer->namespace = (uint8_t)n_below(random, N_NAMESPACES);
		peer->account = (uint8_t)n_below(random, N_ACCOUNTS);
		break;
	case 3:
		peer->kind = NP_SPIFFE;
		peer->pattern = (uint8_t)n_below(random, (uint32_t)n_patterns_count);
		break;
	case 4:
		random_cidr(random, peer);
		break;
	default:
		peer->kind = NP_ENTITY;
		peer->entity = (uint8_t)n_below(random, ENT_MAX);
	}
}

static void random_cluster_peer(struct n_random *random, struct n_peer *peer,
				enum n_direction direction, bool no_addresses)
{
	if (direction == N_EGRESS && !no_addresses && chance(random, 25)) {
		random_cidr(random, peer);
		peer->except = 0;
	} else if (direction == N_EGRESS && !no_addresses && chance(random, 15)) {
		peer->kind = NP_NODES;
		random_selector(random, &peer->pods, false);
	} else {
		random_pods(random, peer, true);
	}
}

static void random_peer(struct n_random *random, const struct n_policy *policy,
			enum n_direction direction, bool no_addresses, struct n_peer *ret)
{
	*ret = (struct n_peer){ .kind = NP_SELECTOR };
	switch (policy->kind) {
	case KIND_NP:
		if (!no_addresses && chance(random, 30))
			random_cidr(random, ret);
		else
			random_pods(random, ret, chance(random, 50));
		break;
	case KIND_IP:
	case KIND_CIP:
		random_identity_peer(random, ret, no_addresses);
		/* Without a namespace of its own, it must name those that it means. */
		if (policy->kind == KIND_CIP && ret->kind == NP_SELECTOR && !ret->has_namespaces)
			random_pods(random, ret, true);
		break;
	default:
		random_cluster_peer(random, ret, direction, no_addresses);
	}
}

static void random_port(struct n_random *random, const struct n_policy *policy, struct n_port *ret)
{
	bool cluster = policy->kind >= KIND_CNP;

	*ret = (struct n_port){ .protocol = (uint8_t)(N_TCP + n_below(random, 3)) };
	if (chance(random, 30)) {
		ret->name = (uint8_t)(1 + n_below(random, N_PORT_NAMES));
		if (cluster)
			ret->protocol = N_ANY;
	} else if (chance(random, 15) && policy->kind != KIND_ANP && policy->kind != KIND_BANP) {
		ret->max = UINT16_MAX; /* the whole protocol */
	} else {
		ret->min = ret->max = number(random);
		if (chance(random, 30))
			ret->max = (uint16_t)(ret->min + 1 + n_below(random, 400));
	}
}

static uint8_t random_action(struct n_random *random, const struct n_policy *policy)
{
	if (policy->kind == KIND_NP)
		return ACT_ALLOW;
	if (policy->tier == 1 || policy->kind == KIND_BANP)
		return (uint8_t)(chance(random, 30) ? ACT_DENY : ACT_ALLOW);
	return (uint8_t)n_below(random, 3);
}

static bool has_names(const struct n_rule *rule)
{
	for (size_t i = 0; i < rule->n_ports; i++)
		if (rule->port[i].name)
			return true;
	return false;
}

/* A field of the future; without ports, since a "Deny all" has none. */
static void random_unknown(struct n_random *random, struct n_rule *rule)
{
	rule->peer[n_below(random, rule->n_peers)] = (struct n_peer){ .kind = NP_UNKNOWN };
	rule->n_ports = 0;
}

static void random_rule(struct n_random *random, const struct n_policy *policy,
			enum n_direction direction, struct n_rule *ret)
{
	bool identity = policy->kind == KIND_IP || policy->kind == KIND_CIP;
	bool cluster = policy->kind >= KIND_CNP;

	*ret = (struct n_rule){ .action = random_action(random, policy) };
	while (ret->n_ports < PORTS_MAX && chance(random, 40))
		random_port(random, policy, &ret->port[ret->n_ports++]);
	/* Going out, names are looked up at pods; only NetworkPolicy takes addresses with them. */
	while (ret->n_peers < PEERS_MAX &&
	       ((cluster && !ret->n_peers) || chance(random, ret->n_peers ? 30 : 85)))
		random_peer(random, policy, direction,
			    policy->kind != KIND_NP && direction == N_EGRESS && has_names(ret),
			    &ret->peer[ret->n_peers++]);
	if (cluster && chance(random, 4))
		random_unknown(random, ret);
	if (!identity)
		return;
	ret->audit = chance(random, 15);
	ret->authenticated = ret->action == ACT_ALLOW && chance(random, 25);
	if (chance(random, 15))
		ret->expires_s = REALTIME_S + 1 + n_below(random, 30);
}

static void random_subjects(struct n_random *random, struct n_policy *policy)
{
	policy->n_subjects = 1;
	random_pods(random, &policy->subject[0],
		    policy->kind != KIND_NP && policy->kind != KIND_IP);
	if (policy->kind == KIND_NP || policy->kind == KIND_IP)
		policy->subject[0].has_pods = true;
}

static bool is_taken(const struct n_set *set, const struct n_policy *policy)
{
	for (size_t i = 0; i < set->n_policies; i++) {
		const struct n_policy *other = &set->policy[i];
		bool scoped = policy->kind == KIND_NP || policy->kind == KIND_IP;

		if (other->kind == policy->kind &&
		    (other->name == policy->name || policy->kind == KIND_BANP) &&
		    (!scoped || other->namespace == policy->namespace))
			return true;
	}
	return false;
}

static void random_tier(struct n_random *random, struct n_policy *policy)
{
	static const uint8_t tiers[KIND_MAX] = { [KIND_NP] = 1, [KIND_ANP] = 0, [KIND_BANP] = 2 };

	policy->tier = tiers[policy->kind];
	if (policy->kind == KIND_IP || policy->kind == KIND_CIP)
		policy->tier = (uint8_t)(chance(random, 60) ? 1 : n_below(random, 3));
	if (policy->kind == KIND_CNP)
		policy->tier = chance(random, 50) ? 0 : 2;
	/* Few, so that there are ties; what has no priority stands in the middle. */
	policy->priority = (uint16_t)(n_below(random, 3) * 250 + 250);
	if (policy->kind == KIND_NP || policy->kind == KIND_BANP)
		policy->priority = 500;
}

static void random_rules(struct n_random *random, struct n_policy *policy)
{
	for (int d = 0; d < 2; d++) {
		policy->present[d] = chance(random, 60);
		while (policy->present[d] && policy->n_rules[d] < RULES_MAX && chance(random, 60))
			random_rule(random, policy, d, &policy->rule[d][policy->n_rules[d]++]);
	}
	if (policy->kind == KIND_NP && !policy->present[0] && !policy->present[1])
		policy->present[N_INGRESS] = true; /* policyTypes cannot be empty */
}

static void random_policy(struct n_random *random, struct n_set *set)
{
	static const uint8_t kinds[] = { KIND_NP,  KIND_NP,  KIND_NP,  KIND_IP,	 KIND_IP,
					 KIND_IP,  KIND_IP,  KIND_CIP, KIND_CNP, KIND_CNP,
					 KIND_CNP, KIND_ANP, KIND_BANP };
	struct n_policy *policy = &set->policy[set->n_policies];

	*policy = (struct n_policy){ .kind = kinds[n_below(random, sizeof(kinds))] };
	policy->namespace = (uint8_t)n_below(random, N_NAMESPACES);
	policy->name = (uint8_t)n_below(random, 5);
	if (is_taken(set, policy))
		return;
	random_tier(random, policy);
	random_subjects(random, policy);
	random_rules(random, policy);
	if (policy->kind == KIND_IP || policy->kind == KIND_CIP) {
		policy->audit = chance(random, 20);
		policy->rollout_none = chance(random, 10);
	}
	set->n_policies++;
}

static void random_workload(struct n_random *random, struct n_workload *ret)
{
	ret->namespace = (uint8_t)n_below(random, N_NAMESPACES);
	ret->account = (uint8_t)n_below(random, N_ACCOUNTS);
	ret->host_network = chance(random, 12);
	ret->has[0] = !ret->host_network && chance(random, 95);
	ret->has[1] = !ret->host_network && chance(random, 85);
	random_labels(random, &ret->labels);
	for (size_t n = 0; n < N_PORT_NAMES; n++)
		for (size_t p = 0; p < 3; p++)
			ret->port[n][p] = chance(random, 35) ? number(random) : 0;
}

void n_set_random(struct n_random *random, struct n_set *ret)
{
	uint32_t policies = 1 + n_below(random, POLICIES_MAX);

	memset(ret, 0, sizeof(*ret));
	for (size_t i = 0; i < N_NAMESPACES; i++) {
		ret->has_namespace[i] = chance(random, 90);
		if (ret->has_namespace[i])
			random_labels(random, &ret->namespaces[i]);
	}
	for (size_t i = 0; i < N_NODES; i++)
		random_labels(random, &ret->nodes[i]);
	for (size_t i = 0; i < N_WORKLOADS; i++)
		random_workload(random, &ret->workload[i]);
	for (uint32_t i = 0; i < policies; i++)
		random_policy(random, ret);
	ret->default_verdict = (uint8_t)(chance(random, 80) ? N_ALLOW : n_below(random, 3));
}

static void random_end(struct n_random *random, struct n_end *ret)
{
	uint32_t what = n_below(random, 10);

	*ret = (struct n_end){ .kind = END_WORKLOAD };
	if (what < 7) {
		ret->index = (uint8_t)n_below(random, N_WORKLOADS);
	} else if (what < 8) {
		ret->kind = END_ENTITY;
		ret->index = (uint8_t)n_below(random, ENT_MAX);
	} else {
		ret->kind = END_ADDRESS;
		ret->index = (uint8_t)n_below(random, (uint32_t)n_addresses_count);
	}
}

void n_flow_random(struct n_random *random, const struct n_set *set, struct n_flow *ret)
{
	struct n_prefix address;

	*ret = (struct n_flow){
		.protocol = (uint8_t)(N_TCP + n_below(random, 3)),
		.family = (uint8_t)n_below(random, 2),
		.authenticated = chance(random, 50),
		.port = (uint16_t)(number(random) + (chance(random, 20) ? 100 : 0)),
		.boottime_s = BOOTTIME_S + n_below(random, 35),
	};
	(void)set;
	random_end(random, &ret->from);
	random_end(random, &ret->to);
	/* One end is a workload, or nobody would judge. */
	if (ret->from.kind != END_WORKLOAD && ret->to.kind != END_WORKLOAD)
		ret->from = (struct n_end){ END_WORKLOAD, (uint8_t)n_below(random, N_WORKLOADS) };
	if (ret->from.kind == END_ADDRESS || ret->to.kind == END_ADDRESS) {
		const struct n_end *end = ret->from.kind == END_ADDRESS ? &ret->from : &ret->to;

		n_prefix_parse(n_addresses[end->index].text, &address);
		ret->family = address.family;
	}
}
