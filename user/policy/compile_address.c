/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who has an address. Workloads claim addresses, and what an endpoint says follows from all
 * claims on its address, in whatever order they came: one identity, or several and nothing
 * can be inferred, or none and then it may be an entity's. Nearly every address is one
 * workload's, so that a claim is one number and only the others are written down.
 */
#include "user/policy/compile.h"

/* ---- endpoints ---- */

static uint32_t hash(const struct cs_addr *addr)
{
	return hashindex_hash(addr, sizeof(*addr));
}

bool compile_find_endpoint(const struct compile *c, const struct cs_addr *addr, uint32_t *ret)
{
	size_t position = 0;
	uint32_t i;

	while (hashindex_next(&c->by_address, hash(addr), &position, &i)) {
		if (memcmp(&c->image->endpoints[i].addr, addr, sizeof(*addr)) != 0)
			continue;
		*ret = i;
		return true;
	}
	return false;
}

/* A place that is free since before this update, or one more at the end. */
static int take_endpoint(struct compile *c, const struct place *place, uint32_t *ret)
{
	static const struct limit limit = { "CS_ENDPOINTS_MAX", CS_ENDPOINTS_MAX - 1, "addresses",
					    "leave out addresses that need not be inferred" };
	uint32_t *free = c->free_endpoints.item;

	if (c->n_free_ready) {
		*ret = free[--c->n_free_ready];
		free[c->n_free_ready] = free[--c->free_endpoints.n];
		c->n_gone--;
		return 0;
	}
	if (c->image->n_endpoints == limit.max || c->image->n_endpoints >= c->endpoints_room)
		return compile_limit(c, &limit, place);
	*ret = (uint32_t)c->image->n_endpoints++;
	c->image->endpoints[*ret] = (struct image_endpoint){ .gone = true };
	return 0;
}

int compile_free_endpoint(struct compile *c, uint32_t i)
{
	if (!hashindex_remove(&c->by_address, hash(&c->image->endpoints[i].addr), i))
		return -ESTALE;
	if (!GROW(c, &c->free_endpoints))
		return -ENOMEM;
	c->free_endpoints.item[c->free_endpoints.n++] = i;
	c->n_gone++;
	return 0;
}

static int note_change(struct compile *c, uint32_t i, struct image_delta *delta)
{
	int r = 0;

	if (!delta || c->claims[i].changed == c->update)
		return 0;
	r = image_delta_endpoint(delta, c->image, i);
	c->claims[i].changed = c->update;
	return r;
}

int compile_touch_endpoint(struct compile *c, const struct place *place, const struct cs_addr *addr,
			   struct image_delta *delta, uint32_t *ret)
{
	int r;

	if (compile_find_endpoint(c, addr, ret))
		return note_change(c, *ret, delta);
	r = take_endpoint(c, place, ret);
	if (r < 0)
		return r;
	c->claims[*ret] = (struct endpoint_claim){ 0 };
	r = note_change(c, *ret, delta);
	if (r < 0)
		return r;
	c->image->endpoints[*ret] = (struct image_endpoint){
		.addr = *addr,
		.class_index = compile_class_of(c, addr),
		.gone = true,
	};
	return hashindex_add(&c->by_address, hash(addr), *ret);
}

/* ---- claims ---- */

static uint32_t single(uint32_t identity, bool revoked)
{
	return (identity + 1) | (revoked ? CLAIM_REVOKED : 0);
}

static int take_record(struct compile *c, const struct claim_record *from, uint32_t *ret)
{
	uint32_t i = c->claim_free;

	if (i) {
		c->claim_free = c->claim_records.item[i - 1].next;
	} else {
		if (!GROW(c, &c->claim_records))
			return -ENOMEM;
		i = (uint32_t)++c->claim_records.n;
	}
	c->claim_records.item[i - 1] = *from;
	*ret = i;
	return 0;
}

static void free_record(struct compile *c, uint32_t i)
{
	c->claim_records.item[i - 1].next = c->claim_free;
	c->claim_free = i;
}

/* The record of that identity in a list of records; 0: there is none. */
static uint32_t find_record(const struct compile *c, uint32_t first, uint32_t identity,
			    bool revoked)
{
	for (uint32_t i = first; i; i = c->claim_records.item[i - 1].next)
		if (c->claim_records.item[i - 1].identity == identity &&
		    c->claim_records.item[i - 1].revoked == revoked)
			return i;
	return 0;
}

/* The only claim that there was, as a list of one record. */
static int make_many(struct compile *c, uint32_t claim, uint32_t *ret)
{
	const struct claim_record record = {
		.identity = (claim & CLAIM_VALUE) - 1,
		.count = 1,
		.revoked = claim & CLAIM_REVOKED,
	};

	if (claim & CLAIM_MANY) {
		*ret = claim & CLAIM_VALUE;
		return 0;
	}
	return take_record(c, &record, ret);
}

int compile_claim(struct compile *c, uint32_t i, uint32_t identity, bool revoked)
{
	struct claim_record record = { .identity = identity, .count = 1, .revoked = revoked };
	uint32_t *claim = &c->claims[i].claim, first, found;
	int r;

	if (!*claim) {
		*claim = single(identity, revoked);
		return 0;
	}
	r = make_many(c, *claim, &first);
	if (r < 0)
		return r;
	found = find_record(c, first, identity, revoked);
	if (found) {
		c->claim_records.item[found - 1].count++;
	} else {
		record.next = first;
		r = take_record(c, &record, &first);
	}
	*claim = CLAIM_MANY | first;
	return r;
}

/* One workload that is left is a claim as any. */
static uint32_t simplify(struct compile *c, uint32_t first)
{
	const struct claim_record *record = first ? &c->claim_records.item[first - 1] : NULL;

	if (!record)
		return 0;
	if (record->next || record->count > 1)
		return CLAIM_MANY | first;
	free_record(c, first);
	return single(record->identity, record->revoked);
}

int compile_unclaim(struct compile *c, uint32_t i, uint32_t identity, bool revoked)
{
	uint32_t *claim = &c->claims[i].claim, first = *claim & CLAIM_VALUE, found, *link = &first;

	if (!(*claim & CLAIM_MANY)) {
		if (*claim != single(identity, revoked))
			return -ESTALE;
		*claim = 0;
		return 0;
	}
	found = find_record(c, first, identity, revoked);
	if (!found)
		return -ESTALE;
	if (--c->claim_records.item[found - 1].count == 0) {
		while (*link != found)
			link = &c->claim_records.item[*link - 1].next;
		*link = c->claim_records.item[found - 1].next;
		free_record(c, found);
	}
	*claim = simplify(c, first);
	return 0;
}

/* ---- what follows from them ---- */

static void settle_claimed(struct compile *c, uint32_t i)
{
	struct image_endpoint *endpoint = &c->image->endpoints[i];
	uint32_t claim = c->claims[i].claim, k;

	endpoint->flags = claim & CLAIM_REVOKED && !(claim & CLAIM_MANY) ? CS_ENDPOINT_REVOKED : 0;
	endpoint->identity = 0;
	if (!(claim & CLAIM_MANY))
		endpoint->identity = c->image->identities[(claim & CLAIM_VALUE) - 1].identity;
	for (k = claim & CLAIM_MANY ? claim & CLAIM_VALUE : 0; k;
	     k = c->claim_records.item[k - 1].next) {
		const struct claim_record *record = &c->claim_records.item[k - 1];
		uint64_t identity = c->image->identities[record->identity].identity;

		/* An address that two claim: nothing can be inferred, unless they are the same. */
		if (endpoint->identity && endpoint->identity != identity)
			endpoint->flags |= CS_ENDPOINT_SHARED;
		endpoint->identity = identity;
		/* Fail closed: a revoked one among those that have it is enough. */
		endpoint->flags |= record->revoked ? CS_ENDPOINT_REVOKED : 0;
	}
}

void compile_settle_endpoint(struct compile *c, uint32_t i)
{
	struct image_endpoint *endpoint = &c->image->endpoints[i];
	uint8_t entity = 0;

	if (c->claims[i].claim)
		settle_claimed(c, i);
	else
		entity = compile_entity_at(c, &endpoint->addr);
	endpoint->gone = !c->claims[i].claim && !entity;
	if (c->claims[i].claim)
		return;
	endpoint->identity = entity;
	endpoint->workload_index = 0;
	endpoint->flags = 0;
}
