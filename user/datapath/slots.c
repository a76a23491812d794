/* SPDX-License-Identifier: Apache-2.0 */
#include "user/datapath/slots.h"

#include <assert.h>

#include <countersign/siphash.h>

#define SLOTS_FIRST 64 /* slots allocated at first; doubled up to the maximum */

enum slot_state {
	SLOT_FREE = 0,
	SLOT_TAKEN,
	SLOT_BOUND,
	SLOT_RETIRED,
};

/* Keys come from manifests, not from the network: a fixed hash key serves. */
static uint32_t slots_hash(const struct slots *s, const void *key)
{
	static const struct cs_key seed = { 0x636f756e74657273ULL, 0x69676e2d736c6f74ULL };

	return (uint32_t)cs_siphash_bytes(&seed, key, s->key_size) & s->mask;
}

static void slots_chain(struct slots *s, uint32_t slot)
{
	uint32_t *head = &s->buckets[slots_hash(s, slots_key(s, slot))];

	s->next[slot] = *head;
	*head = slot;
}

static int slots_rehash(struct slots *s, uint32_t buckets)
{
	uint32_t *fresh = calloc(buckets, sizeof(*fresh));

	if (!fresh)
		return -ENOMEM;
	free(s->buckets);
	s->buckets = fresh;
	s->mask = buckets - 1;
	for (uint32_t slot = 1; slot < s->top; slot++)
		if (s->state[slot] == SLOT_BOUND)
			slots_chain(s, slot);
	return 0;
}

/* Makes *@array @to elements long, the new ones zero. */
static int grow_array(void *array, uint32_t from, uint32_t to, size_t size)
{
	char **p = array;
	char *grown = reallocarray(*p, to, size);

	if (!grown)
		return -ENOMEM;
	memset(grown + from * size, 0, (to - from) * size);
	*p = grown;
	return 0;
}

static int slots_grow(struct slots *s, uint32_t wanted)
{
	uint32_t to = s->allocated, buckets = s->mask + 1;

	if (wanted <= to)
		return 0;
	while (to < wanted)
		to *= 2;
	while (buckets < to)
		buckets *= 2;
	to = MIN(to, s->max);
	if (grow_array(&s->keys, s->allocated, to, s->key_size) < 0 ||
	    grow_array(&s->next, s->allocated, to, sizeof(*s->next)) < 0 ||
	    grow_array(&s->mark, s->allocated, to, sizeof(*s->mark)) < 0 ||
	    grow_array(&s->state, s->allocated, to, sizeof(*s->state)) < 0)
		return -ENOMEM;
	s->allocated = to;
	return buckets > s->mask + 1 ? slots_rehash(s, buckets) : 0;
}

int slots_init(struct slots *s, uint32_t key_size, uint32_t max)
{
	uint32_t first = MIN(max, (uint32_t)SLOTS_FIRST);

	*s = (struct slots){ .key_size = key_size, .max = max, .top = 1, .allocated = first };
	s->mask = SLOTS_FIRST - 1;
	s->buckets = calloc(SLOTS_FIRST, sizeof(*s->buckets));
	s->keys = calloc(first, key_size);
	s->next = calloc(first, sizeof(*s->next));
	s->mark = calloc(first, sizeof(*s->mark));
	s->state = calloc(first, sizeof(*s->state));
	if (s->buckets && s->keys && s->next && s->mark && s->state)
		return 0;
	slots_done(s);
	return -ENOMEM;
}

void slots_done(struct slots *s)
{
	free(s->buckets);
	free(s->keys);
	free(s->next);
	free(s->mark);
	free(s->state);
	*s = (struct slots){ 0 };
}

uint32_t slots_find(const struct slots *s, const void *key)
{
	uint32_t slot = s->buckets[slots_hash(s, key)];

	while (slot && memcmp(slots_key(s, slot), key, s->key_size) != 0)
		slot = s->next[slot];
	return slot;
}

bool slots_is_bound(const struct slots *s, uint32_t slot)
{
	return slot > 0 && slot < s->top && s->state[slot] == SLOT_BOUND;
}

int slots_take(struct slots *s, uint32_t *ret)
{
	uint32_t slot = s->free_head;
	int r;

	if (slot) {
		s->free_head = s->next[slot];
	} else {
		if (s->top >= s->max)
			return -ENOSPC;
		r = slots_grow(s, s->top + 1);
		if (r < 0)
			return r;
		slot = s->top++;
	}
	s->state[slot] = SLOT_TAKEN;
	*ret = slot;
	return 0;
}

int slots_claim(struct slots *s, uint32_t slot, const void *key)
{
	int r;

	if (slot == 0 || slot >= s->max)
		return -ERANGE;
	if (slots_is_bound(s, slot) || slots_find(s, key))
		return -EEXIST;
	r = slots_grow(s, slot + 1);
	if (r < 0)
		return r;
	s->top = MAX(s->top, slot + 1);
	s->state[slot] = SLOT_TAKEN;
	slots_bind(s, slot, key);
	return 0;
}

void slots_claimed(struct slots *s)
{
	/* Downwards, so that low numbers are handed out first. */
	for (uint32_t slot = s->top - 1; slot > 0; slot--)
		if (s->state[slot] == SLOT_FREE)
			slots_drop(s, slot);
}

void slots_note(struct slots *s, uint32_t slot, const void *key)
{
	assert(s->state[slot] == SLOT_TAKEN);
	memmove(s->keys + (size_t)slot * s->key_size, key, s->key_size);
}

void slots_bind(struct slots *s, uint32_t slot, const void *key)
{
	slots_note(s, slot, key);
	s->state[slot] = SLOT_BOUND;
	s->mark[slot] = 0;
	s->bound++;
	slots_chain(s, slot);
}

void slots_unbind(struct slots *s, uint32_t slot)
{
	uint32_t *link = &s->buckets[slots_hash(s, slots_key(s, slot))];

	assert(s->state[slot] == SLOT_BOUND);
	while (*link != slot)
		link = &s->next[*link];
	*link = s->next[slot];
	s->state[slot] = SLOT_TAKEN;
	s->bound--;
}

void slots_drop(struct slots *s, uint32_t slot)
{
	s->state[slot] = SLOT_FREE;
	s->next[slot] = s->free_head;
	s->free_head = slot;
}

void slots_retire(struct slots *s, uint32_t slot)
{
	assert(s->state[slot] == SLOT_TAKEN);
	s->state[slot] = SLOT_RETIRED;
	s->next[slot] = s->retired_head;
	s->retired_head = slot;
	s->retired++;
}

void slots_release(struct slots *s)
{
	uint32_t slot, next;

	for (slot = s->retired_head; slot; slot = next) {
		next = s->next[slot];
		slots_drop(s, slot);
	}
	s->retired_head = 0;
	s->retired = 0;
}
