/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workloads of other nodes come and go without a compile: rules, selectors and classes
 * stay, only who matches which selector is asked, of those who came. What cannot be said
 * that way is left to a compile of the rules, for which only who is there is told here, or
 * to a whole compile (-ESTALE): nothing here guesses.
 */
#include "user/identity/spiffe.h"
#include "user/policy/compile.h"

/* One change in the making. */
struct update {
	struct compile *c;
	struct image_delta *delta;
	bool rules; /* see struct compile_changes */
};

#define GARBAGE_MIN 1024 /* gone entries that are not worth a whole compile */

/* ---- who matches what: for one identity what compile_collect() says for all ---- */

static bool is_account(const struct compile *c, const struct peer *peer, const char *name)
{
	char id[CS_SPIFFE_ID_MAX];

	return spiffe_build(c->options->trust_domain, peer->namespace, peer->name, id) == 0 &&
	       streq(id, name);
}

static bool in_namespaces(const struct compile *c, const struct peer *peer, const char *namespace)
{
	uint32_t i;

	if (peer->namespace)
		return streq(peer->namespace, namespace);
	return keymap_get(&c->by_namespace, namespace, strlen(namespace), &i) &&
	       selector_matches(&peer->namespaces, &c->namespaces.item[i].labels);
}

/* Whether @peer means identity @i, a workload's. */
static bool peer_matches(const struct compile *c, const struct peer *peer, uint32_t i)
{
	const struct peer_identity *identity = &c->identities[i];
	const char *name = c->image->names[c->image->identities[i].name_index];

	switch ((enum peer_kind)peer->kind) {
	case PEER_SERVICE_ACCOUNT:
		return is_account(c, peer, name);
	case PEER_SPIFFE:
		return spiffe_matches(peer->name, name);
	case PEER_SELECTOR:
		return !identity->foreign &&
		       !(peer->pods_only && identity->workload->host_network) &&
		       in_namespaces(c, peer, identity->workload->namespace) &&
		       selector_matches(&peer->labels, &identity->labels);
	case PEER_CIDR:
	case PEER_ENTITY:
	case PEER_NODES:
		break; /* addresses, and identities that are no workload's */
	}
	return false;
}

static bool rule_matches(const struct compile *c, const struct rule *rule, uint32_t i)
{
	for (size_t k = 0; k < rule->n_peers; k++)
		if (peer_matches(c, &rule->peers[k], i))
			return true;
	return !rule->n_peers;
}

/* The number by which the identity calls a port of that name, 0: none. */
static uint16_t port_called(const struct workload *workload, const struct port_match *match)
{
	for (size_t i = 0; i < workload->ports.n; i++) {
		const struct named_port *port = &workload->ports.item[i];

		if (port->protocol == match->protocol && streq(port->name, match->name))
			return port->port;
	}
	return 0;
}

static bool selector_has(const struct compile *c, const struct used_selector *selector, uint32_t i)
{
	const struct workload *workload = c->identities[i].workload;

	if (selector->match && port_called(workload, selector->match) != selector->port)
		return false;
	return rule_matches(c, selector->rule, i);
}

static bool has_target(const struct compile *c, const struct named_use *use, uint16_t port)
{
	for (size_t i = 0; i < c->named.n; i++)
		if (c->named.item[i].rule == use->rule && c->named.item[i].match == use->match &&
		    c->named.item[i].port == port)
			return true;
	return false;
}

/* Whether some rule needs a port that it does not have yet, for the sake of identity @i. */
static bool needs_target(const struct compile *c, uint32_t i)
{
	const struct workload *workload = c->identities[i].workload;

	for (size_t k = 0; k < c->named.n && workload->ports.n; k++) {
		const struct named_use *use = &c->named.item[k];
		uint16_t port = use->port ? 0 : port_called(workload, use->match);

		if (port && rule_matches(c, use->rule, i) && !has_target(c, use, port))
			return true;
	}
	return false;
}

/* ---- identities ---- */

static bool is_restricted(const struct compile *c, const struct bits *bits)
{
	for (size_t i = 0; i < bits->n; i++)
		if (c->restricting.word[bits->bit[i] / 64] >> (bits->bit[i] % 64) & 1)
			return true;
	return false;
}

/* Selectors and row of an identity that is new in this image. */
static int match_identity(struct compile *c, uint32_t i)
{
	struct peer_identity *identity = &c->identities[i];
	int r = 0;

	for (size_t s = 0; s < c->selectors.n && r == 0; s++)
		if (selector_has(c, &c->selectors.item[s], i))
			r = bits_add(c, &identity->bits, (uint16_t)s);
	return r < 0 ? r : compile_row(c, &identity->bits, NULL, &c->image->identities[i].row);
}

static int identity_comes(struct update *u, uint32_t i)
{
	struct compile *c = u->c;
	struct image_identity *identity = &c->image->identities[i];
	int r = 0;

	u->rules = u->rules || needs_target(c, i);
	/* One that was gone before these policies were compiled has no row. */
	if (!u->rules && (!identity->gone || !c->identities[i].bits.n))
		r = match_identity(c, i);
	if (r < 0)
		return r;
	c->n_gone -= identity->gone;
	identity->gone = false;
	u->delta->restricts |= is_restricted(c, &c->identities[i].bits);
	return image_indexes_add(&u->delta->identities, i);
}

static int identity_goes(struct update *u, uint32_t i)
{
	u->c->image->identities[i].gone = true;
	u->c->n_gone++;
	u->delta->restricts = true;
	return image_indexes_add(&u->delta->gone_identities, i);
}

/* ---- addresses ---- */

static int address_goes(struct update *u, const struct cs_addr *addr)
{
	struct compile *c = u->c;
	struct image_endpoint *endpoint;
	uint32_t i;

	if (!keymap_get(&c->by_address, addr, sizeof(*addr), &i) || c->claims[i] != 1 ||
	    keymap_get(&c->foreign, addr, sizeof(*addr), &(uint32_t){ 0 }))
		return -ESTALE;
	endpoint = &c->image->endpoints[i];
	if (endpoint->gone || endpoint->flags & CS_ENDPOINT_SHARED)
		return -ESTALE;
	endpoint->gone = true;
	c->claims[i] = 0;
	c->n_gone++;
	u->delta->restricts = true;
	return image_indexes_add(&u->delta->gone_endpoints, i);
}

/* Until now the address was World's, or Host's: some rule may have allowed it as that. */
static bool entities_matter(const struct compile *c)
{
	for (uint32_t i = 0; i < c->image->n_identities && !c->identities[i].workload; i++)
		if (c->identities[i].bits.n)
			return true;
	return false;
}

/* An address that nobody has. One that somebody had keeps its place, if it is the same's. */
static int address_comes(struct update *u, const struct workload *workload,
			 const struct image_endpoint *from)
{
	struct compile *c = u->c;
	struct image_endpoint *endpoint;
	uint32_t i;
	int r;

	if (keymap_get(&c->foreign, &from->addr, sizeof(from->addr), &i))
		return -ESTALE;
	u->delta->restricts |= entities_matter(c) || from->flags;
	if (keymap_get(&c->by_address, &from->addr, sizeof(from->addr), &i)) {
		endpoint = &c->image->endpoints[i];
		if (!endpoint->gone)
			return -ESTALE;
		if (endpoint->identity == from->identity && !endpoint->workload_index &&
		    endpoint->flags == from->flags) {
			endpoint->gone = false;
			c->claims[i] = 1;
			c->n_gone--;
			return image_indexes_add(&u->delta->endpoints, i);
		}
		keymap_remove(&c->by_address, &from->addr, sizeof(from->addr));
	}
	i = (uint32_t)c->image->n_endpoints;
	r = compile_endpoint(c, &workload->place, &from->addr, from);
	return r < 0 ? r : image_indexes_add(&u->delta->endpoints, i);
}

/* ---- placements ---- */

static int placement_changes(struct update *u, const struct workload *workload, uint32_t identity,
			     bool comes)
{
	struct compile *c = u->c;
	bool revoked = compile_is_revoked(c, workload, c->image->identities[identity].name_index);
	uint32_t i;
	int r;

	r = compile_placement(c, workload, identity, &i);
	if (r < 0 || !i)
		return r;
	if (!comes && !c->image->placements[i - 1].workloads)
		return -ESTALE;
	if (c->placement_changed[i - 1] != c->update)
		r = image_delta_placement(u->delta, c->image, i - 1);
	if (r < 0)
		return r;
	c->placement_changed[i - 1] = c->update;
	u->delta->restricts |= !comes || revoked;
	compile_count_placement(c, i - 1, revoked, comes);
	return 0;
}

/* ---- workloads ---- */

static int workload_goes(struct update *u, const struct workload *workload)
{
	struct compile *c = u->c;
	size_t known = c->image->n_identities;
	uint32_t i;
	int r;

	u->rules |= workload_is_local(c->options, workload);
	r = compile_identity(c, workload, &i);
	if (r < 0 || i >= known || !c->identities[i].uses)
		return r == -ENOMEM ? r : -ESTALE;
	for (size_t a = 0; a < workload->n_addresses && r == 0 && !workload->host_network; a++)
		r = address_goes(u, &workload->addresses[a]);
	if (r == 0)
		r = placement_changes(u, workload, i, /* comes= */ false);
	if (r == 0 && --c->identities[i].uses == 0)
		r = identity_goes(u, i);
	return r;
}

static int workload_comes(struct update *u, const struct workload *workload)
{
	struct compile *c = u->c;
	struct image_endpoint from = { 0 };
	uint32_t i;
	int r;

	u->rules |= workload_is_local(c->options, workload);
	r = compile_identity(c, workload, &i);
	if (r < 0)
		return r;
	if (!c->identities[i].uses++)
		r = identity_comes(u, i);
	if (r == 0)
		r = placement_changes(u, workload, i, /* comes= */ true);
	from.identity = c->image->identities[i].identity;
	if (compile_is_revoked(c, workload, c->image->identities[i].name_index))
		from.flags = CS_ENDPOINT_REVOKED;
	for (size_t a = 0; a < workload->n_addresses && r == 0 && !workload->host_network; a++) {
		from.addr = workload->addresses[a];
		r = address_comes(u, workload, &from);
	}
	return r;
}

static bool is_littered(const struct compile *c)
{
	return c->n_gone > GARBAGE_MIN &&
	       c->n_gone >
		       (c->image->n_identities + c->image->n_endpoints + c->image->n_placements) /
			       2;
}

int compile_update(struct compile *c, struct compile_changes *changes, struct image_delta *ret)
{
	struct update u = { c, ret, changes->rules };
	int r = 0;

	ret->n_identities = c->image->n_identities;
	ret->n_endpoints = c->image->n_endpoints;
	ret->n_bitmaps = c->image->n_bitmaps;
	ret->n_names = c->image->n_names;
	ret->n_placements = c->image->n_placements;
	c->update++;
	for (size_t i = 0; i < changes->n_gone && r == 0; i++)
		r = workload_goes(&u, changes->gone[i]);
	for (size_t i = 0; i < changes->n_come && r == 0; i++)
		r = workload_comes(&u, changes->come[i]);
	if (r == 0 && is_littered(c))
		r = -ESTALE;
	changes->rules = u.rules;
	/* What a limit says of gone workloads, too, a whole compile may not say. */
	return r < 0 && r != -ENOMEM ? -ESTALE : r;
}
