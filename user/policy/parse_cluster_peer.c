/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who cluster-wide policies of the network policy API are about. Their selectors never
 * mean hostNetwork workloads. A peer of a kind that is not known here belongs to a newer
 * API: the rule is marked, and parse_cluster_policy() reads it fail-closed.
 */
#include "user/policy/parse_cluster.h"

#define NETWORKS_MAX 25 /* CIDRs of a peer */

/* One entry of from, to, or the subject. */
struct cluster_peer {
	struct peer *peers;
	size_t n_peers;
	bool unknown;
};

static struct peer *add_peer(struct parse *p, struct cluster_peer *entry, uint8_t kind)
{
	struct peer *peer = arena_alloc(&p->set->arena, sizeof(*peer));

	if (!peer)
		return NULL;
	peer->kind = kind;
	peer->pods_only = kind == PEER_SELECTOR;
	entry->peers = peer;
	entry->n_peers = 1;
	return peer;
}

static int parse_namespaces(struct parse *p, const struct node *node, void *target)
{
	struct peer *peer = add_peer(p, target, PEER_SELECTOR);

	return peer ? parse_selector(p, node, &peer->namespaces) : -ENOMEM;
}

static int parse_pods(struct parse *p, const struct node *node, void *target)
{
	static const struct field fields[] = {
		{ "namespaceSelector", FIELD(struct peer, namespaces, parse_selector) },
		{ "podSelector", FIELD(struct peer, labels, parse_selector), .required = true },
		{ 0 },
	};
	struct peer *peer = add_peer(p, target, PEER_SELECTOR);

	return peer ? parse_fields(p, node, fields, peer) : -ENOMEM;
}

static int parse_nodes(struct parse *p, const struct node *node, void *target)
{
	struct peer *peer = add_peer(p, target, PEER_NODES);

	return peer ? parse_selector(p, node, &peer->labels) : -ENOMEM;
}

static int parse_network(struct parse *p, const struct node *node, void *target)
{
	struct peer *peer = target;

	peer->kind = PEER_CIDR;
	return parse_prefix(p, node, &peer->cidr);
}

static int parse_networks(struct parse *p, const struct node *node, void *target)
{
	static const struct list_spec spec = {
		.parse = parse_network,
		.size = sizeof(struct peer),
		.max = NETWORKS_MAX,
		.min = 1,
		.of = "networks",
	};
	struct cluster_peer *entry = target;
	void *items = NULL;
	int r;

	r = parse_list(p, node, &spec, &items, &entry->n_peers);
	entry->peers = items;
	return r;
}

int parse_cluster_subject(struct parse *p, const struct node *node, void *target)
{
	static const struct field fields[] = {
		{ "namespaces", .parse = parse_namespaces, .offset = 0 },
		{ "pods", .parse = parse_pods, .offset = 0 },
		{ 0 },
	};
	struct policy *policy = target;
	struct cluster_peer entry = { 0 };
	int r;

	r = parse_one_of(p, node, fields, &entry);
	policy->subjects = entry.peers;
	policy->n_subjects = entry.n_peers;
	return r;
}

/* Whether the only field that has a value is none of @fields, or there is none at all. */
static bool is_unknown(const struct parse *p, const struct node *node, const struct field *fields)
{
	if (parse_count_given(p, node) > 1)
		return false;
	for (; fields->name; fields++)
		if (parse_given(p, node, fields->name))
			return false;
	return node->type == NODE_MAP;
}

static int parse_entry(struct parse *p, const struct node *node, struct cluster_peer *entry,
		       const struct field *fields)
{
	entry->unknown = is_unknown(p, node, fields);
	return entry->unknown ? 0 : parse_one_of(p, node, fields, entry);
}

static int parse_source(struct parse *p, const struct node *node, void *target)
{
	static const struct field fields[] = {
		{ "namespaces", .parse = parse_namespaces, .offset = 0 },
		{ "pods", .parse = parse_pods, .offset = 0 },
		{ 0 },
	};

	return parse_entry(p, node, target, fields);
}

/* domainNames are not supported, so they are a peer that is not known. */
static int parse_destination(struct parse *p, const struct node *node, void *target)
{
	static const struct field fields[] = {
		{ "namespaces", .parse = parse_namespaces, .offset = 0 },
		{ "pods", .parse = parse_pods, .offset = 0 },
		{ "networks", .parse = parse_networks, .offset = 0 },
		{ "nodes", .parse = parse_nodes, .offset = 0 },
		{ 0 },
	};

	return parse_entry(p, node, target, fields);
}

static int join_peers(struct parse *p, const struct cluster_peer *entries, size_t n,
		      struct rule *rule)
{
	size_t total = 0;

	for (size_t i = 0; i < n; i++)
		total += entries[i].n_peers;
	rule->peers = arena_alloc(&p->set->arena, total * sizeof(*rule->peers));
	if (!rule->peers)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		rule->unknown_peer |= entries[i].unknown;
		for (size_t e = 0; e < entries[i].n_peers; e++)
			rule->peers[rule->n_peers++] = entries[i].peers[e];
	}
	return 0;
}

static int parse_cluster_peers(struct parse *p, const struct node *node, struct rule *rule,
			       field_fn peer)
{
	const struct list_spec spec = {
		.parse = peer,
		.size = sizeof(struct cluster_peer),
		.max = p->language->max,
		.min = 1,
		.of = "peers",
	};
	void *items = NULL;
	size_t n = 0;
	int r;

	r = parse_list(p, node, &spec, &items, &n);
	return r < 0 ? r : join_peers(p, items, n, rule);
}

int parse_cluster_from(struct parse *p, const struct node *node, void *target)
{
	return parse_cluster_peers(p, node, target, parse_source);
}

int parse_cluster_to(struct parse *p, const struct node *node, void *target)
{
	return parse_cluster_peers(p, node, target, parse_destination);
}
