/* SPDX-License-Identifier: Apache-2.0 */
/* Peers of each kind, and lists of one kind. */
#include "user/identity/spiffe.h"
#include "user/policy/names.h"
#include "user/policy/parse_peer.h"

static int parse_account(struct parse *p, const struct node *node, void *target)
{
	static const struct field fields[] = {
		{ "namespace", FIELD(struct peer, namespace, parse_dns_label) },
		{ "name", FIELD(struct peer, name, parse_dns_name), .required = true },
		{ 0 },
	};
	struct peer *peer = target;

	size_t before = p->errors->total;
	int r;

	peer->kind = PEER_SERVICE_ACCOUNT;
	peer->namespace = p->namespace;
	r = parse_fields(p, node, fields, peer);
	if (r == 0 && p->errors->total == before && !*peer->namespace)
		parse_error(p, node, "has no namespace: a cluster-wide policy has none to take");
	return r;
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

/* Host bits are most often a slip: 10.0.0.5/8 where 10.0.0.5/32 was meant. */
int parse_prefix(struct parse *p, const struct node *node, void *target)
{
	const char *text = parse_text_of(p, node, "a prefix such as 10.0.0.0/8"), *problem;
	struct cs_cidr cidr;

	if (!text)
		return 0;
	problem = p->upstream ? cidr_parse_masked(text, &cidr) : cidr_parse(text, &cidr);
	if (problem)
		parse_error(p, node, "\"%.64s\" %s", text, problem);
	else
		*(struct cs_cidr *)target = cidr;
	return 0;
}

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
		if (p->upstream && peer->except[i].prefixlen == peer->cidr.prefixlen &&
		    cidr_covers(&peer->cidr, &peer->except[i]))
			parse_error(p, list->item[i],
				    "is the whole cidr %s: expected a prefix inside it", text);
		else if (!cidr_covers(&peer->cidr, &peer->except[i]))
			parse_error(p, list->item[i], "\"%.64s\" is not inside the cidr %s",
				    list->item[i]->text, text);
		parse_leave(p, before_index);
	}
	parse_leave(p, before);
}

int parse_cidr_peer(struct parse *p, const struct node *node, void *target)
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

static int parse_peer_list(struct parse *p, const struct node *node, struct peer_entry *entry,
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

int parse_accounts(struct parse *p, const struct node *node, void *target)
{
	return parse_peer_list(p, node, target, parse_account, "service accounts");
}

int parse_spiffe_ids(struct parse *p, const struct node *node, void *target)
{
	return parse_peer_list(p, node, target, parse_spiffe_id, "SPIFFE IDs");
}

int parse_cidrs(struct parse *p, const struct node *node, void *target)
{
	return parse_peer_list(p, node, target, parse_cidr_peer, "prefixes");
}

int parse_entities(struct parse *p, const struct node *node, void *target)
{
	return parse_peer_list(p, node, target, parse_entity, "entities");
}
