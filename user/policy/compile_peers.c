/* SPDX-License-Identifier: Apache-2.0 */
/* Unions of peers as selectors: one bit for each distinct union that a rule in use names. */
#include "user/identity/spiffe.h"
#include "user/policy/compile.h"

/* One peer's encoding inside a buffer that holds all. */
struct piece {
	const uint8_t *data;
	size_t start;
	size_t length;
};

static void encode_peer(const struct peer *peer, struct bytes *ret)
{
	bytes_put_u8(ret, peer->kind);
	switch (peer->kind) {
	case PEER_SERVICE_ACCOUNT:
		bytes_put_string(ret, peer->namespace);
		bytes_put_string(ret, peer->name);
		break;
	case PEER_SPIFFE:
		bytes_put_string(ret, peer->name);
		break;
	case PEER_SELECTOR:
		bytes_put_string(ret, peer->namespace ? peer->namespace : "");
		bytes_put_u8(ret, peer->pods_only);
		selector_encode(&peer->labels, ret);
		selector_encode(&peer->namespaces, ret);
		break;
	case PEER_NODES:
		selector_encode(&peer->labels, ret);
		break;
	case PEER_CIDR:
		bytes_put(ret, &peer->cidr, sizeof(peer->cidr));
		bytes_put(ret, peer->except, peer->n_except * sizeof(*peer->except));
		break;
	case PEER_ENTITY:
		bytes_put_u8(ret, peer->entity);
		break;
	}
}

static int piece_compare(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;
	int order = memcmp(x->data, y->data, MIN(x->length, y->length));

	return order ? order : (x->length > y->length) - (x->length < y->length);
}

/* All encodings one after the other, and where each lies. */
static int encode_pieces(const struct rule *rule, struct bytes *all, struct piece **ret)
{
	struct piece *pieces = calloc(rule->n_peers + 1, sizeof(*pieces));

	if (!pieces)
		return -ENOMEM;
	for (size_t i = 0; i < rule->n_peers; i++) {
		pieces[i].start = all->n;
		encode_peer(&rule->peers[i], all);
		pieces[i].length = all->n - pieces[i].start;
	}
	for (size_t i = 0; i < rule->n_peers && !all->failed; i++)
		pieces[i].data = all->data + pieces[i].start;
	*ret = pieces;
	return 0;
}

/* One encoding for a union, whatever the order of its peers, and however often each. */
static int encode_peers(const struct rule *rule, struct bytes *ret)
{
	_cleanup_free_ struct piece *pieces = NULL;
	_cleanup_bytes_ struct bytes all = { 0 };
	int r;

	r = encode_pieces(rule, &all, &pieces);
	if (r < 0 || all.failed)
		return -ENOMEM;
	qsort(pieces, rule->n_peers, sizeof(*pieces), piece_compare);
	for (size_t i = 0; i < rule->n_peers; i++) {
		if (i > 0 && piece_compare(&pieces[i - 1], &pieces[i]) == 0)
			continue;
		bytes_put_u32(ret, (uint32_t)pieces[i].length);
		bytes_put(ret, pieces[i].data, pieces[i].length);
	}
	return ret->failed ? -ENOMEM : 0;
}

static void collect(struct compile *c, uint32_t i)
{
	if (c->identities[i].collected == c->collection || c->image->identities[i].gone)
		return;
	c->identities[i].collected = c->collection;
	c->collected[c->n_collected++] = i;
}

static void collect_entity(struct compile *c, uint8_t entity)
{
	for (uint32_t i = 0; i < c->image->n_identities; i++) {
		if (c->image->identities[i].identity >= CS_IDENTITY_FIRST)
			return; /* entities come first */
		if (c->image->identities[i].identity == entity)
			collect(c, i);
	}
}

static void collect_name(struct compile *c, uint32_t name)
{
	for (uint32_t i = c->name_first[name]; i; i = c->identities[i].next_of_name)
		collect(c, i);
}

static void collect_spiffe(struct compile *c, const char *pattern)
{
	uint32_t name;

	if (!strchr(pattern, '*')) {
		if (keymap_get(&c->by_name, pattern, strlen(pattern), &name))
			collect_name(c, name);
		return;
	}
	for (name = 1; name < c->image->n_names; name++)
		if (spiffe_matches(pattern, c->image->names[name]))
			collect_name(c, name);
}

static void collect_account(struct compile *c, const struct peer *peer)
{
	char id[CS_SPIFFE_ID_MAX];
	uint32_t name;

	/* Too long for an ID: no workload can have it. */
	if (spiffe_build(c->options->trust_domain, peer->namespace, peer->name, id) < 0)
		return;
	if (keymap_get(&c->by_name, id, strlen(id), &name))
		collect_name(c, name);
}

static void collect_in_namespace(struct compile *c, const struct peer_namespace *namespace,
				 const struct peer *peer)
{
	for (uint32_t i = namespace->first; i; i = c->identities[i].next_in_namespace) {
		const struct peer_identity *identity = &c->identities[i];

		if (selector_matches(&peer->labels, &identity->labels) &&
		    !(peer->pods_only && identity->workload->host_network))
			collect(c, i);
	}
}

static void collect_selector(struct compile *c, const struct peer *peer)
{
	uint32_t i;

	if (peer->namespace) {
		if (keymap_get(&c->by_namespace, peer->namespace, strlen(peer->namespace), &i))
			collect_in_namespace(c, &c->namespaces.item[i], peer);
		return;
	}
	for (i = 0; i < c->namespaces.n; i++)
		if (selector_matches(&peer->namespaces, &c->namespaces.item[i].labels))
			collect_in_namespace(c, &c->namespaces.item[i], peer);
}

static void collect_peer(struct compile *c, const struct peer *peer)
{
	switch (peer->kind) {
	case PEER_SERVICE_ACCOUNT:
		collect_account(c, peer);
		break;
	case PEER_SPIFFE:
		collect_spiffe(c, peer->name);
		break;
	case PEER_SELECTOR:
		collect_selector(c, peer);
		break;
	case PEER_ENTITY:
		collect_entity(c, peer->entity);
		break;
	case PEER_CIDR:
	case PEER_NODES:
		break; /* addresses, not identities */
	}
}

int compile_collect(struct compile *c, const struct rule *rule)
{
	c->collection++;
	c->n_collected = 0;
	for (size_t i = 0; i < rule->n_peers; i++)
		collect_peer(c, &rule->peers[i]);
	for (uint32_t i = 0; !rule->n_peers && i < c->image->n_identities; i++)
		collect(c, i);
	return 0;
}

/* The selector of an encoding; a new one when *@ret_new. */
static int get_selector(struct compile *c, const struct bytes *key, uint16_t *ret, bool *ret_new)
{
	static const struct limit limit = { "CS_SELECTORS_MAX", CS_SELECTORS_MAX,
					    "different sets of peers on this node",
					    "select peers by common labels" };
	uint32_t selector = (uint32_t)c->image->n_selectors;
	char *kept;
	int r;

	*ret_new = !keymap_get(&c->by_peers, key->data, key->n, &selector);
	if (*ret_new) {
		if (selector == CS_SELECTORS_MAX)
			return compile_limit(c, &limit, &c->policy->place);
		kept = arena_strndup(&c->arena, (char *)key->data, key->n);
		r = kept ? keymap_put(&c->by_peers, kept, key->n, selector) : -ENOMEM;
		if (r < 0)
			return r;
		c->image->n_selectors++;
	}
	*ret = (uint16_t)selector;
	return 0;
}

/* Each address of each Node that matches is a prefix of its own. */
static int add_nodes(struct compile *c, const struct peer *peer, uint16_t selector)
{
	int r = 0;

	c->asks_nodes = true;
	for (size_t i = 0; i < c->objects->nodes.n && r == 0; i++) {
		const struct node_object *node = c->objects->nodes.item[i];

		if (!node || !selector_matches(&peer->labels, &node->labels))
			continue;
		for (size_t a = 0; a < node->n_addresses && r == 0; a++) {
			struct peer *block = arena_alloc(&c->arena, sizeof(*block));

			if (!block)
				return -ENOMEM;
			block->kind = PEER_CIDR;
			block->cidr = cidr_of(node->addresses[a].word, ADDRESS_BITS);
			r = compile_block(c, block, selector);
		}
	}
	return r;
}

static int add_addresses(struct compile *c, const struct peer *peer, uint16_t selector)
{
	if (peer->kind == PEER_CIDR)
		return compile_block(c, peer, selector);
	return peer->kind == PEER_NODES ? add_nodes(c, peer, selector) : 0;
}

int compile_selector(struct compile *c, const struct rule *rule, uint16_t *ret)
{
	_cleanup_bytes_ struct bytes key = { 0 };
	uint16_t selector;
	bool new = false;
	int r;

	r = encode_peers(rule, &key);
	if (r == 0)
		r = get_selector(c, &key, &selector, &new);
	if (r < 0)
		return r;
	if (new)
		r = compile_note_selector(c, &(struct used_selector){ .rule = rule });
	if (new &&r == 0)
		r = compile_collect(c, rule);
	for (size_t i = 0; new &&i < c->n_collected &&r == 0; i++)
		r = bits_add(c, &c->identities[c->collected[i]].bits, selector);
	for (size_t i = 0; new &&i < rule->n_peers &&r == 0; i++)
		r = add_addresses(c, &rule->peers[i], selector);
	if (r == 0)
		*ret = selector;
	return r;
}

/* Whether identity @i calls the port of that number so. */
static bool has_named_port(const struct compile *c, uint32_t i, const struct port_match *match,
			   uint16_t port)
{
	const struct workload *workload = c->identities[i].workload;

	for (size_t p = 0; workload && p < workload->ports.n; p++) {
		const struct named_port *named = &workload->ports.item[p];

		if (named->port == port && named->protocol == match->protocol &&
		    streq(named->name, match->name))
			return true;
	}
	return false;
}

int compile_named_selector(struct compile *c, const struct rule *rule,
			   const struct port_match *match, uint16_t port, uint16_t *ret)
{
	_cleanup_bytes_ struct bytes key = { 0 };
	uint16_t selector;
	bool new;
	int r;

	r = encode_peers(rule, &key);
	/* No encoding of peers alone ends like this: it is longer than its pieces say. */
	bytes_put_string(&key, match->name);
	bytes_put_u8(&key, match->protocol);
	bytes_put_u16(&key, port);
	if (key.failed)
		return -ENOMEM;
	if (r == 0)
		r = get_selector(c, &key, &selector, &new);
	if (r == 0 && new)
		r = compile_note_selector(c, &(struct used_selector){ rule, match, port });
	if (r == 0 && new)
		r = compile_collect(c, rule);
	for (size_t i = 0; r == 0 && new &&i < c->n_collected; i++)
		if (has_named_port(c, c->collected[i], match, port))
			r = bits_add(c, &c->identities[c->collected[i]].bits, selector);
	if (r == 0)
		*ret = selector;
	return r;
}
