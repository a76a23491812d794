/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reference: what the API texts say, in loops over the neutral form. Slow and plain on
 * purpose; nothing here may be borrowed from user/policy.
 */
#include <arpa/inet.h>
#include <string.h>

#include "tests/fuzz/differential/neutral.h"

const char *const n_cidrs[] = {
	"0.0.0.0/0",	   "::/0",
	"10.0.0.0/8",	   "10.1.0.0/16",
	"10.1.0.0/24",	   "10.1.1.0/24",
	"10.1.1.0/29",	   "10.1.0.1/32",
	"10.1.2.0/30",	   "fd01::/32",
	"fd01::1:0/112",   "fd01::/112",
	"fd01::1/128",	   "198.51.100.0/24",
	"192.0.2.0/24",	   "192.0.2.1/32",
	"198.51.100.7/32", "2001:db8::/32",
	"2001:db8::7/128", "10.1.1.2/31",
};
const size_t n_cidrs_count = sizeof(n_cidrs) / sizeof(*n_cidrs);

const char *const n_patterns[] = {
	"spiffe://example.org/ns/na/sa/sa0", "spiffe://example.org/ns/na/sa/*",
	"spiffe://example.org/ns/*/sa/sa1",  "spiffe://example.org/ns/nb/sa/sa*",
	"spiffe://other.org/ns/na/sa/*",     "spiffe://example.org/ns/*/sa/*2",
};
const size_t n_patterns_count = sizeof(n_patterns) / sizeof(*n_patterns);

const struct n_address n_addresses[] = {
	{ "198.51.100.7", ENT_WORLD, 0 },    { "198.51.100.200", ENT_WORLD, 0 },
	{ "2001:db8::7", ENT_WORLD, 0 },     { "10.1.1.250", ENT_WORLD, 0 },
	{ "192.0.2.1", ENT_REMOTE_NODE, 1 }, { "2001:db8:1::1", ENT_REMOTE_NODE, 1 },
	{ "192.0.2.2", ENT_REMOTE_NODE, 2 }, { "192.0.2.9", ENT_HOST, 0 },
	{ "192.0.2.50", ENT_API_SERVER, 0 },
};
const size_t n_addresses_count = sizeof(n_addresses) / sizeof(*n_addresses);

const char *const n_entities[ENT_MAX] = { "Host", "RemoteNode", "World", "KubeAPIServer",
					  "Unmanaged" };

/* Who is at one end, with the address that is used. */
struct who {
	int workload; /* -1: none */
	int entity; /* -1: a workload */
	int node; /* 1 + node */
	bool has_address;
	struct n_prefix address;
};

void n_prefix_parse(const char *text, struct n_prefix *ret)
{
	const char *slash = strchr(text, '/');
	char address[64];

	memset(ret, 0, sizeof(*ret));
	ret->text = text;
	ret->family = strchr(text, ':') != NULL;
	snprintf(address, sizeof(address), "%.*s", slash ? (int)(slash - text) : (int)strlen(text),
		 text);
	inet_pton(ret->family ? AF_INET6 : AF_INET, address, ret->byte);
	ret->length = ret->family ? 128 : 32;
	if (slash) {
		unsigned int length = 0;

		for (const char *c = slash + 1; *c; c++)
			length = length * 10 + (unsigned int)(*c - '0');
		ret->length = (uint8_t)length;
	}
}

bool n_prefix_covers(const struct n_prefix *prefix, const struct n_prefix *address)
{
	if (prefix->family != address->family || prefix->length > address->length)
		return false;
	for (unsigned int bit = 0; bit < prefix->length; bit++)
		if ((prefix->byte[bit / 8] ^ address->byte[bit / 8]) & (0x80 >> bit % 8))
			return false;
	return true;
}

const char *n_workload_address(const struct n_set *set, uint8_t workload, uint8_t family,
			       char ret[static 64])
{
	const struct n_workload *w = &set->workload[workload];

	if (!w->has[family])
		return NULL;
	if (family)
		snprintf(ret, 64, "fd01::%d:%d", w->namespace, workload + 1);
	else
		snprintf(ret, 64, "10.1.%d.%d", w->namespace, workload + 1);
	return ret;
}

static struct who who_is(const struct n_set *set, const struct n_end *end, uint8_t family)
{
	struct who who = { .workload = -1, .entity = -1 };
	char text[64];

	if (end->kind == END_ENTITY) {
		who.entity = end->index;
	} else if (end->kind == END_ADDRESS) {
		who.entity = n_addresses[end->index].entity;
		who.node = n_addresses[end->index].node;
		who.has_address = true;
		n_prefix_parse(n_addresses[end->index].text, &who.address);
	} else {
		who.workload = end->index;
		who.has_address = n_workload_address(set, end->index, family, text) != NULL;
		if (who.has_address)
			n_prefix_parse(text, &who.address);
	}
	return who;
}

static bool value_in(const struct n_expression *e, int value)
{
	return value >= 0 && (e->values >> value & 1);
}

/* @name: of a namespace, for its name label; -1: a pod or a node. */
static bool selects(const struct n_selector *selector, const struct n_labels *labels, int name)
{
	for (size_t i = 0; i < N_KEYS; i++)
		if (selector->match.value[i] && selector->match.value[i] != labels->value[i])
			return false;
	for (size_t i = 0; i < selector->n_expressions; i++) {
		const struct n_expression *e = &selector->expression[i];
		int value = e->key == N_KEYS ? name : labels->value[e->key] - 1;
		bool holds;

		if (e->op == OP_IN)
			holds = value >= 0 && value_in(e, value);
		else if (e->op == OP_NOT_IN)
			holds = value < 0 || !value_in(e, value);
		else
			holds = (value >= 0) == (e->op == OP_EXISTS);
		if (!holds)
			return false;
	}
	return true;
}

/* A selector peer or subject; @own: the policy's namespace, -1: it has none. */
static bool is_pod(const struct n_set *set, const struct n_peer *peer, int workload, int own,
		   bool pods_only)
{
	const struct n_workload *w;

	if (workload < 0)
		return false;
	w = &set->workload[workload];
	if (pods_only && w->host_network)
		return false;
	if (peer->has_namespaces) {
		if (!selects(&peer->namespaces, &set->namespaces[w->namespace], w->namespace))
			return false;
	} else if (own >= 0 && own != w->namespace) {
		return false;
	}
	return !peer->has_pods || selects(&peer->pods, &w->labels, -1);
}

/* "*" matches any run of characters but "/". */
static bool glob(const char *pattern, const char *text)
{
	if (!*pattern)
		return !*text;
	if (*pattern != '*')
		return *pattern == *text && glob(pattern + 1, text + 1);
	for (;; text++) {
		if (glob(pattern + 1, text))
			return true;
		if (!*text || *text == '/')
			return false;
	}
}

static bool has_spiffe(const struct n_workload *w, const char *pattern)
{
	char id[64];

	snprintf(id, sizeof(id), "spiffe://example.org/ns/n%c/sa/sa%u", 'a' + w->namespace,
		 w->account);
	return glob(pattern, id);
}

static bool in_block(const struct n_peer *peer, const struct who *who)
{
	struct n_prefix cidr, hole;

	if (!who->has_address)
		return false;
	n_prefix_parse(n_cidrs[peer->cidr], &cidr);
	if (!n_prefix_covers(&cidr, &who->address))
		return false;
	if (!peer->except)
		return true;
	n_prefix_parse(n_cidrs[peer->except - 1], &hole);
	return !n_prefix_covers(&hole, &who->address);
}

static bool peer_matches(const struct n_set *set, const struct n_policy *policy,
			 const struct n_peer *peer, const struct who *who)
{
	bool scoped = policy->kind == KIND_NP || policy->kind == KIND_IP;
	const struct n_workload *w = who->workload >= 0 ? &set->workload[who->workload] : NULL;

	switch (peer->kind) {
	case NP_SELECTOR:
		return is_pod(set, peer, who->workload, scoped ? policy->namespace : -1,
			      policy->kind >= KIND_CNP);
	case NP_CIDR:
		return in_block(peer, who);
	case NP_NODES:
		return who->node && selects(&peer->pods, &set->nodes[who->node - 1], -1);
	case NP_ENTITY:
		return who->entity == peer->entity;
	case NP_ACCOUNT:
		return w && w->namespace == peer->namespace && w->account == peer->account;
	case NP_SPIFFE:
		return w && has_spiffe(w, n_patterns[peer->pattern]);
	default:
		return false;
	}
}

static bool port_matches(const struct n_set *set, const struct n_port *port,
			 const struct n_flow *flow, const struct who *destination)
{
	if (port->protocol != N_ANY && port->protocol != flow->protocol)
		return false;
	if (!port->name)
		return port->min <= flow->port && flow->port <= port->max;
	return destination->workload >= 0 &&
	       set->workload[destination->workload].port[port->name - 1][flow->protocol - N_TCP] ==
		       flow->port;
}

/* One side's question. */
struct question {
	const struct n_set *set;
	const struct n_flow *flow;
	enum n_direction direction;
	struct who subject;
	struct who peer;
	bool staged; /* Audit rules and policies count as if they were enforced */
};

static bool unknown_peer(const struct n_rule *rule)
{
	for (size_t i = 0; i < rule->n_peers; i++)
		if (rule->peer[i].kind == NP_UNKNOWN)
			return true;
	return false;
}

/* Going out, the addresses of a block have no named ports. */
static bool is_nameless(const struct question *q, const struct n_peer *peer,
			const struct n_port *port)
{
	return q->direction == N_EGRESS && peer && peer->kind == NP_CIDR && port->name;
}

/* Whether the rule is about the flow; Required is asked later. */
static bool rule_matches(const struct question *q, const struct n_policy *policy,
			 const struct n_rule *rule)
{
	const struct who *destination = q->direction == N_INGRESS ? &q->subject : &q->peer;
	size_t peers = rule->n_peers ? rule->n_peers : 1, ports = rule->n_ports ? rule->n_ports : 1;

	if (rule->expires_s && q->flow->boottime_s >= rule->expires_s - REALTIME_S + BOOTTIME_S)
		return false;
	for (size_t i = 0; i < peers; i++) {
		const struct n_peer *peer = rule->n_peers ? &rule->peer[i] : NULL;

		if (peer && !peer_matches(q->set, policy, peer, &q->peer))
			continue;
		for (size_t j = 0; j < ports; j++) {
			const struct n_port *port = rule->n_ports ? &rule->port[j] : NULL;

			if (!port || (!is_nameless(q, peer, port) &&
				      port_matches(q->set, port, q->flow, destination)))
				return true;
		}
	}
	return false;
}

/* The action that the rule has on the flow, or -1. Only TCP peers can prove who they are. */
static int rule_says(const struct question *q, const struct n_policy *policy,
		     const struct n_rule *rule)
{
	bool audit = rule->audit || policy->audit || policy->rollout_none;
	bool verified = q->flow->authenticated && q->flow->protocol == N_TCP &&
			q->peer.workload >= 0;

	if (audit && !q->staged)
		return -1;
	if (unknown_peer(rule))
		return rule->action == ACT_ALLOW ? -1 : ACT_DENY;
	if (!rule_matches(q, policy, rule) || (rule->authenticated && !verified))
		return -1;
	return rule->action;
}

static bool is_subject(const struct question *q, const struct n_policy *policy)
{
	bool scoped = policy->kind == KIND_NP || policy->kind == KIND_IP;

	for (size_t i = 0; i < policy->n_subjects; i++)
		if (is_pod(q->set, &policy->subject[i], q->subject.workload,
			   scoped ? policy->namespace : -1, policy->kind >= KIND_CNP))
			return true;
	return false;
}

static const char *kind_name(uint8_t kind)
{
	static const char *const names[KIND_MAX] = {
		"NetworkPolicy",	"IdentityPolicy",     "ClusterIdentityPolicy",
		"ClusterNetworkPolicy", "AdminNetworkPolicy", "BaselineAdminNetworkPolicy",
	};

	return names[kind];
}

/* Priority, namespace, name, kind. The one BANP is called "default", before "p0". */
static bool comes_before(const struct n_policy *a, const struct n_policy *b)
{
	int space_a = a->kind == KIND_IP ? a->namespace : -1;
	int space_b = b->kind == KIND_IP ? b->namespace : -1;
	int name_a = a->kind == KIND_BANP ? -1 : a->name,
	    name_b = b->kind == KIND_BANP ? -1 : b->name;

	if (a->priority != b->priority)
		return a->priority < b->priority;
	if (space_a != space_b)
		return space_a < space_b;
	if (name_a != name_b)
		return name_a < name_b;
	return strcmp(kind_name(a->kind), kind_name(b->kind)) < 0;
}

/* Admin or Baseline: the action of the first rule that applies, or -1. */
static int ordered_tier(const struct question *q, uint8_t tier)
{
	const struct n_policy *last = NULL;

	for (;;) {
		const struct n_policy *next = NULL;

		for (size_t i = 0; i < q->set->n_policies; i++) {
			const struct n_policy *p = &q->set->policy[i];

			if (p->tier == tier && is_subject(q, p) &&
			    (!last || comes_before(last, p)) && (!next || comes_before(p, next)))
				next = p;
		}
		if (!next)
			return -1;
		for (size_t i = 0; i < next->n_rules[q->direction]; i++) {
			int action = rule_says(q, next, &next->rule[q->direction][i]);

			if (action >= 0)
				return action;
		}
		last = next;
	}
}

/* The default tier: by priority, Deny before Allow; who is isolated and not allowed is denied. */
static int default_tier(const struct question *q)
{
	bool isolated = false;
	int best = -1, best_action = -1;

	for (size_t i = 0; i < q->set->n_policies; i++) {
		const struct n_policy *p = &q->set->policy[i];

		if (p->tier != 1 || !p->present[q->direction] || !is_subject(q, p))
			continue;
		isolated |= q->staged || !(p->audit || p->rollout_none);
		for (size_t r = 0; r < p->n_rules[q->direction]; r++) {
			int action = rule_says(q, p, &p->rule[q->direction][r]);

			if (action < 0)
				continue;
			if (best < 0 || p->priority < best ||
			    (p->priority == best && action == ACT_DENY)) {
				best = p->priority;
				best_action = action;
			}
		}
	}
	return best < 0 && isolated ? ACT_DENY : best_action;
}

static enum n_verdict walk(const struct question *q)
{
	for (uint8_t tier = 0; tier < 3; tier++) {
		int action = tier == 1 ? default_tier(q) : ordered_tier(q, tier);

		if (action == ACT_ALLOW)
			return N_ALLOW;
		if (action == ACT_DENY)
			return N_DENY;
	}
	return q->set->default_verdict;
}

static bool is_own_node(const struct n_set *set, const struct who *a, const struct who *b)
{
	return a->entity == ENT_HOST && b->workload >= 0 &&
	       !set->workload[b->workload].host_network;
}

static enum n_verdict judge_side(struct question *q)
{
	enum n_verdict enforced, staged;

	if (q->subject.workload < 0)
		return q->subject.entity == ENT_UNMANAGED ? q->set->default_verdict : N_ALLOW;
	if (q->subject.workload == q->peer.workload || is_own_node(q->set, &q->peer, &q->subject))
		return N_ALLOW;
	enforced = walk(q);
	q->staged = true;
	staged = walk(q);
	/* A default of Audit is a denial that is let through, too. */
	return enforced == N_ALLOW && staged != N_ALLOW ? N_AUDIT : enforced;
}

enum n_verdict n_judge(const struct n_set *set, const struct n_flow *flow)
{
	struct who from = who_is(set, &flow->from, flow->family);
	struct who to = who_is(set, &flow->to, flow->family);
	struct question out = { set, flow, N_EGRESS, from, to, false };
	struct question in = { set, flow, N_INGRESS, to, from, false };
	enum n_verdict a = judge_side(&out), b = judge_side(&in);

	if (a == N_DENY || b == N_DENY)
		return N_DENY;
	return a == N_AUDIT || b == N_AUDIT ? N_AUDIT : N_ALLOW;
}
