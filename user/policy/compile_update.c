/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workloads of other nodes come and go without a compile: rules, selectors and classes
 * stay, only who matches which selector is asked, of those who came. What cannot be said
 * that way is left to a compile of the rules, for which only who is there is told here, or
 * to a whole compile (-ESTALE): nothing here guesses.
 */
#include "user/policy/compile.h"

/* One change in the making. */
struct update {
	struct compile *c;
	struct image_delta *delta;
	bool rules; /* see struct compile_changes */
};

#define GARBAGE_MIN 1024 /* gone entries that are not worth a whole compile */

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
		if (compile_selector_has(c, &c->selectors.item[s], i))
			r = bits_add(c, &identity->bits, (uint16_t)s);
	return r < 0 ? r : compile_row(c, &identity->bits, NULL, &c->image->identities[i].row);
}

static int identity_comes(struct update *u, uint32_t i)
{
	struct compile *c = u->c;
	struct image_identity *identity = &c->image->identities[i];
	int r = 0;

	u->rules = u->rules || compile_needs_target(c, i);
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

static int address_changes(struct update *u, const struct workload *workload,
			   const struct cs_addr *addr, uint32_t identity, bool comes)
{
	struct compile *c = u->c;
	bool revoked = compile_is_revoked(c, workload, c->image->identities[identity].name_index);
	uint32_t i;
	int r = compile_touch_endpoint(c, &workload->place, addr, u->delta, &i);

	if (r < 0)
		return r;
	return comes ? compile_claim(c, i, identity, revoked)
		     : compile_unclaim(c, i, identity, revoked);
}

/* Until now the address was World's, or Host's: some rule may have allowed it as that. */
static bool entities_matter(const struct compile *c)
{
	for (uint32_t i = 0; i < c->image->n_identities && !c->identities[i].workload; i++)
		if (c->identities[i].bits.n)
			return true;
	return false;
}

static bool same_endpoint(const struct image_endpoint *a, const struct image_endpoint *b)
{
	return a->gone == b->gone && a->identity == b->identity && a->flags == b->flags;
}

/* What the claims on an address come to, now that all are known. */
static int settle_address(struct update *u, size_t k)
{
	const struct image_endpoint *before = &u->delta->endpoints_before[k];
	uint32_t i = u->delta->endpoints.index[k];
	struct compile *c = u->c;
	struct image_endpoint *endpoint = &c->image->endpoints[i];
	struct cs_addr addr = endpoint->addr;
	int r = 0;

	compile_settle_endpoint(c, i);
	if (!before->gone && same_endpoint(before, endpoint))
		return 0;
	if (before->gone && !endpoint->gone)
		u->delta->restricts |= entities_matter(c) || endpoint->flags;
	if (!before->gone)
		u->delta->restricts = true;
	if (endpoint->gone)
		r = compile_free_endpoint(c, i);
	return r < 0 ? r : compile_touch_backend(c, &addr, u->delta);
}

/* ---- placements ---- */

static int placement_changes(struct update *u, const struct workload *workload, uint32_t identity,
			     bool comes)
{
	struct compile *c = u->c;
	bool revoked = compile_is_revoked(c, workload, c->image->identities[identity].name_index);
	uint32_t i;
	int r;

	r = compile_placement(c, workload, identity, u->delta, &i);
	if (r < 0 || !i)
		return r;
	if (!comes && !c->image->placements[i - 1].workloads)
		return -ESTALE;
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
		r = address_changes(u, workload, &workload->addresses[a], i, /* comes= */ false);
	if (r == 0)
		r = placement_changes(u, workload, i, /* comes= */ false);
	if (r == 0 && --c->identities[i].uses == 0)
		r = identity_goes(u, i);
	return r;
}

static int workload_comes(struct update *u, const struct workload *workload)
{
	struct compile *c = u->c;
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
	for (size_t a = 0; a < workload->n_addresses && r == 0 && !workload->host_network; a++)
		r = address_changes(u, workload, &workload->addresses[a], i, /* comes= */ true);
	return r;
}

/* ---- all of it ---- */

static bool is_littered(const struct compile *c)
{
	return c->n_gone > GARBAGE_MIN &&
	       c->n_gone >
		       (c->image->n_identities + c->image->n_endpoints + c->image->n_placements) /
			       2;
}

static void begin(struct compile *c, struct image_delta *delta)
{
	delta->n_identities = c->image->n_identities;
	delta->n_endpoints = c->image->n_endpoints;
	delta->n_bitmaps = c->image->n_bitmaps;
	delta->n_names = c->image->n_names;
	delta->n_placements = c->image->n_placements;
	delta->n_services = c->image->n_services;
	delta->n_backends = c->image->n_backends;
	c->update++;
	/* What goes in this update keeps its place until the kernel has followed. */
	c->n_free_ready = c->free_endpoints.n;
	c->n_free_placements_ready = c->free_placements.n;
	c->n_free_services_ready = c->free_services.n;
}

/* Who is there first, then what follows from it: addresses, and Services behind them. */
static int change(struct update *u, const struct compile_changes *changes)
{
	int r = 0;

	for (size_t i = 0; i < changes->n_gone && r == 0; i++)
		r = workload_goes(u, changes->gone[i]);
	for (size_t i = 0; i < changes->n_come && r == 0; i++)
		r = workload_comes(u, changes->come[i]);
	if (r == 0)
		r = compile_update_objects(u->c, changes, u->delta, &u->rules);
	for (size_t k = 0; k < u->delta->endpoints.n && r == 0; k++)
		r = settle_address(u, k);
	for (size_t k = 0; k < u->delta->placements.n && r == 0; k++)
		r = compile_free_placement(u->c, u->delta->placements.index[k]);
	return r < 0 ? r : compile_update_services(u->c, changes, u->delta);
}

int compile_update(struct compile *c, struct compile_changes *changes, struct image_delta *ret)
{
	struct update u = { c, ret, changes->rules };
	int r = compile_tidy_backends(c);

	if (r < 0)
		return r;
	begin(c, ret);
	r = change(&u, changes);
	if (r == 0 && is_littered(c))
		r = -ESTALE;
	changes->rules = u.rules;
	/* What a limit says of gone workloads, too, a whole compile may not say. */
	return r < 0 && r != -ENOMEM ? -ESTALE : r;
}
