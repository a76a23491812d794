/* SPDX-License-Identifier: Apache-2.0 */
/* The peers of a rule: each entry of from or to is of exactly one kind. */
#include "user/identity/spiffe.h"
#include "user/policy/names.h"
#include "user/policy/parse.h"

/* What one entry says; only the fields of one kind are filled in. */
struct entry {
	struct peer *peers;
	size_t n_peers;
	struct selector labels;
	struct selector namespaces;
};

static int parse_account(struct parse *p, const struct node *node, void *target)
{
	static const struct field fields[] = {
		{ "namespace", FIELD(struct peer, namespace, parse_dns_label) },
		{ "name", FIELD(struct peer, name, parse_dns_name), .required = true },
		{ 0 },
	};
	struct peer *peer = target;

	peer->kind = PEER_SERVICE_ACCOUNT;
	peer->namespace = p->namespace;
	return parse_fields(p, node, fields, peer);
}

static int parse_spiffe_id(struct parse *p, const struct node *node, void *target)
{
	static const struct text_spec spec = { "a SPIFFE ID", spiffe_pattern_problem };
	const char *text = parse_text_of(p, node, spec.what), *problem;
	struct peer *peer = target;

	peer->kind = PEER_SPIFFE;
	if (!text)
		return 0;
	problem = spiffe_pattern_problem(text);
	if (problem) {
		parse_error(p, node, "\"%.128s\" is no SPIFFE ID of a workload: %s", text, problem);
		return 0;
	}
	peer->name = arena_strdup(&p->set->arena, text);
	return peer->name ? 0 : -ENOMEM;
}

static int parse_entity(struct parse *p, const struct node *node, void *target)
{
	static const struct choice entities[] = {
#define X(num, name, text) { text, num },
		CS_ENTITIES(X)
#undef X
			{ 0 },
	};
	struct peer *peer = target;

	peer->kind = PEER_ENTITY;
	return parse_choice(p, node, entities, &peer->entity);
}

static int parse_prefix(struct parse *p, const struct node *node, void *target)
{
	const char *text = parse_text_of(p, node, "a prefix such as 10.0.0.0/8"), *problem;
	struct cs_cidr cidr;

	if (!text)
		return 0;
	problem = cidr_parse(text, &cidr);
	if (problem)
		parse_error(p, node, "\"%.64s\" %s", text, problem);
	else
		*(struct cs_cidr *)target = cidr;
	return 0;
}

/* Host bits are most often a slip: 10.0.0.5/8 where 10.0.0.5/32 was meant. */
static int parse_except(struct parse *p, const struct node *node, void *target)
{
	static const struct list_spec spec = {
		.parse = parse_prefix,
		.size = sizeof(struct cs_cidr),
		.max = MODEL_PEERS_MAX,
		.of = "prefixes",
	};
	struct peer *peer = target;
	void *items = NULL;
	int r;

	r = parse_list(p, node, &spec, &items, &peer->n_except);
	peer->except = items;
	return r;
}

/* Each except must be a hole in this prefix. */
static void check_except(struct parse *p, const struct node *node, const struct peer *peer)
{
	const struct node *list = node_get(node, "except");
	char text[CIDR_TEXT_MAX];
	size_t before = parse_enter(p, "except");

	for (size_t i = 0; i < peer->n_except; i++) {
		size_t before_index = parse_enter_index(p, i);

		cidr_text(&peer->cidr, text);
		if (!cidr_covers(&peer->cidr, &peer->except[i]))
			parse_error(p, list->item[i], "\"%.64s\" is not inside the cidr %s",
				    list->item[i]->text, text);
		parse_leave(p, before_index);
	}
	parse_leave(p, before);
}

static int parse_cidr_peer(struct parse *p, const struct node *node, void *target)
{
	static const struct field fields[] = {
		{ "cidr", FIELD(struct peer, cidr, parse_prefix), .required = true },
		{ "except", .parse = parse_except, .offset = 0 },
		{ 0 },
	};
	struct peer *peer = target;
	size_t before = p->errors->total;
	int r;

	peer->kind = PEER_CIDR;
	r = parse_fields(p, node, fields, peer);
	if (r == 0 && p->errors->total == before)
		check_except(p, node, peer);
	return r;
}

static int parse_peer_list(struct parse *p, const struct node *node, struct entry *entry,
			   field_fn item, const char *of)
{
	const struct list_spec spec = {
		.parse = item,
		.size = sizeof(struct peer),
		.max = MODEL_PEERS_MAX,
		.min = 1,
		.of = of,
	};
	void *items = NULL;
	int r;

	r = parse_list(p, node, &spec, &items, &entry->n_peers);
	entry->peers = items;
	return r;
}

static int parse_accounts(struct parse *p, const struct node *node, void *target)
{
	return parse_peer_list(p, node, target, parse_account, "service accounts");
}

static int parse_spiffe_ids(struct parse *p, const struct node *node, void *target)
{
	return parse_peer_list(p, node, target, parse_spiffe_id, "SPIFFE IDs");
}

static int parse_cidrs(struct parse *p, const struct node *node, void *target)
{
	return parse_peer_list(p, node, target, parse_cidr_peer, "prefixes");
}

static int parse_entities(struct parse *p, const struct node *node, void *target)
{
	return parse_peer_list(p, node, target, parse_entity, "entities");
}

static const struct field entry_fields[] = {
	{ "serviceAccounts", .parse = parse_accounts },
	{ "spiffeIDs", .parse = parse_spiffe_ids },
	{ "selector", FIELD(struct entry, labels, parse_selector) },
	{ "namespaceSelector", FIELD(struct entry, namespaces, parse_selector) },
	{ "cidrs", .parse = parse_cidrs },
	{ "entities", .parse = parse_entities },
	{ 0 },
};

/* selector and namespaceSelector make one peer: both must match. */
static int selector_peer(struct parse *p, const struct node *node, struct entry *entry)
{
	struct peer *peer = arena_alloc(&p->set->arena, sizeof(*peer));

	if (!peer)
		return -ENOMEM;
	peer->kind = PEER_SELECTOR;
	peer->labels = entry->labels;
	peer->namespaces = entry->namespaces;
	peer->namespace = node_get(node, "namespaceSelector") ? NULL : p->namespace;
	entry->peers = peer;
	entry->n_peers = 1;
	return 0;
}

static int parse_entry(struct parse *p, const struct node *node, void *target)
{
	struct entry *entry = target;
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

/* All entries as one union. No entry at all is the same as no list: any peer. */
int parse_peers(struct parse *p, const struct node *node, void *target)
{
	static const struct list_spec spec = {
		.parse = parse_entry,
		.size = sizeof(struct entry),
		.max = MODEL_PEERS_MAX,
		.of = "peers",
	};
	struct rule *rule = target;
	struct entry *entries;
	void *items = NULL;
	size_t n = 0, total = 0;
	int r;

	r = parse_list(p, node, &spec, &items, &n);
	if (r < 0)
		return r;
	entries = items;
	for (size_t i = 0; i < n; i++)
		total += entries[i].n_peers;
	rule->peers = arena_alloc(&p->set->arena, total * sizeof(*rule->peers));
	if (!rule->peers)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		for (size_t e = 0; e < entries[i].n_peers; e++)
			rule->peers[rule->n_peers++] = entries[i].peers[e];
	}
	return 0;
}
