/* SPDX-License-Identifier: Apache-2.0 */
/* Entries of from, to and subject: each is of exactly one kind, all together are a union. */
#include "user/policy/parse_peer.h"

static const struct field entry_fields[] = {
	{ "serviceAccounts", .parse = parse_accounts },
	{ "spiffeIDs", .parse = parse_spiffe_ids },
	{ "selector", FIELD(struct peer_entry, labels, parse_selector) },
	{ "namespaceSelector", FIELD(struct peer_entry, namespaces, parse_selector) },
	{ "cidrs", .parse = parse_cidrs },
	{ "entities", .parse = parse_entities },
	{ 0 },
};

/*
 * selector and namespaceSelector make one peer: both must match. A selector alone is about
 * the policy's namespace; about every namespace when the policy has none.
 */
static int selector_peer(struct parse *p, const struct node *node, struct peer_entry *entry)
{
	struct peer *peer = arena_alloc(&p->set->arena, sizeof(*peer));
	bool anywhere = node_get(node, "namespaceSelector") || !*p->namespace;

	if (!peer)
		return -ENOMEM;
	peer->kind = PEER_SELECTOR;
	peer->labels = entry->labels;
	peer->namespaces = entry->namespaces;
	peer->namespace = anywhere ? NULL : p->namespace;
	entry->peers = peer;
	entry->n_peers = 1;
	return 0;
}

static int parse_entry(struct parse *p, const struct node *node, void *target)
{
	struct peer_entry *entry = target;
	size_t before = p->errors->total, kinds;
	bool selector;
	int r;

	r = parse_fields(p, node, entry_fields, entry);
	if (r < 0 || p->errors->total != before)
		return r;
	selector = node_get(node, "selector") || node_get(node, "namespaceSelector");
	kinds = node->n - (node_get(node, "selector") && node_get(node, "namespaceSelector"));
	if (kinds != 1)
		parse_error(
			p, node,
			"expected exactly one of serviceAccounts, spiffeIDs, cidrs, entities or "
			"selector with namespaceSelector, got %zu: %s",
			kinds, kinds ? "make them entries of their own" : "say who is meant");
	return selector ? selector_peer(p, node, entry) : 0;
}

/* The peers of all entries, one after the other. */
static int join_entries(struct parse *p, const struct peer_entry *entries, size_t n,
			struct peer **ret, size_t *ret_n)
{
	struct peer *peers;
	size_t total = 0;

	for (size_t i = 0; i < n; i++)
		total += entries[i].n_peers;
	peers = arena_alloc(&p->set->arena, total * sizeof(*peers));
	if (!peers)
		return -ENOMEM;
	*ret = peers;
	*ret_n = total;
	for (size_t i = 0; i < n; i++)
		for (size_t e = 0; e < entries[i].n_peers; e++)
			*peers++ = entries[i].peers[e];
	return 0;
}

/* All entries as one union. No entry at all is the same as no list: any peer. */
int parse_peers(struct parse *p, const struct node *node, void *target)
{
	static const struct list_spec spec = {
		.parse = parse_entry,
		.size = sizeof(struct peer_entry),
		.max = MODEL_PEERS_MAX,
		.of = "peers",
	};
	struct rule *rule = target;
	void *items = NULL;
	size_t n = 0;
	int r;

	r = parse_list(p, node, &spec, &items, &n);
	return r < 0 ? r : join_entries(p, items, n, &rule->peers, &rule->n_peers);
}

/* The namespace in a pattern of the form spiffe://td/ns/<this>/sa/name, and its length. */
static const char *pattern_namespace(const char *pattern, size_t *ret_n)
{
	const char *namespace = strstr(pattern, "/ns/") + strlen("/ns/");

	*ret_n = strcspn(namespace, "/");
	return namespace;
}

/* Who may write policies of one namespace must not rule the workloads of another. */
static void check_subject(struct parse *p, const struct node *node, const struct peer *peer)
{
	const char *namespace = peer->namespace;
	size_t n = namespace ? strlen(namespace) : 0;

	if (!*p->namespace)
		return;
	if (peer->kind == PEER_SPIFFE)
	namespace = pattern_namespace(peer->name, &n);
	if (!namespace || n != strlen(p->namespace) || strncmp(namespace, p->namespace, n) != 0)
		parse_error(p, node, "is about workloads outside the policy's namespace \"%s\": %s",
			    p->namespace, "write a ClusterIdentityPolicy for them");
}

static int parse_subject_entry(struct parse *p, const struct node *node, void *target)
{
	static const struct field fields[] = {
		{ "selector", FIELD(struct peer_entry, labels, parse_selector) },
		{ "namespaceSelector", FIELD(struct peer_entry, namespaces, parse_selector) },
		{ "serviceAccounts", .parse = parse_accounts },
		{ "spiffeIDs", .parse = parse_spiffe_ids },
		{ 0 },
	};
	struct peer_entry *entry = target;
	size_t before = p->errors->total, kinds;
	int r;

	r = parse_fields(p, node, fields, entry);
	if (r < 0 || p->errors->total != before)
		return r;
	kinds = node->n - (node_get(node, "selector") && node_get(node, "namespaceSelector"));
	if (kinds > 1)
		parse_error(p, node,
			    "expected one of serviceAccounts, spiffeIDs or selector with "
			    "namespaceSelector, got %zu: make the subject a list of them",
			    kinds);
	if (!entry->n_peers)
		r = selector_peer(p, node, entry);
	for (size_t i = 0; i < entry->n_peers && r == 0; i++)
		check_subject(p, node, &entry->peers[i]);
	return r;
}

/* One entry, or a list of them as a union. An empty one is everything in reach. */
int parse_subject(struct parse *p, const struct node *node, void *target)
{
	static const struct list_spec spec = {
		.parse = parse_subject_entry,
		.size = sizeof(struct peer_entry),
		.max = MODEL_PEERS_MAX,
		.min = 1,
		.of = "subjects",
	};
	struct policy *policy = target;
	struct peer_entry one = { 0 };
	void *items = &one;
	size_t n = 1;
	int r;

	if (node->type == NODE_LIST)
		r = parse_list(p, node, &spec, &items, &n);
	else
		r = parse_subject_entry(p, node, &one);
	return r < 0 ? r : join_entries(p, items, n, &policy->subjects, &policy->n_subjects);
}
