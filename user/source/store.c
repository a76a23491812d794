/* SPDX-License-Identifier: Apache-2.0 */
/* Objects in one block: a name, a digest and little else of each. */
#include "user/source/store.h"

#include <sys/random.h>

#define ALIGN sizeof(uint64_t)
#define FIRST ((uint32_t)1) /* reference of the first object; counted in words of ALIGN */
#define ROOM_MIN (64 << 10)
#define SLOTS_MIN 256

/* The block is looked at in words, so it ends where a reference of 32 bits does. */
_Static_assert((size_t)STORE_OBJECTS_MAX *(sizeof(struct store_object) + STORE_NAME_MAX + ALIGN) <
		       ((size_t)UINT32_MAX * ALIGN),
	       "references are too narrow");

int store_init(struct store *store, const char *(*kind_name)(uint8_t kind))
{
	*store = (struct store){ .kind_name = kind_name, .used = FIRST * ALIGN };
	return getrandom(&store->key, sizeof(store->key), 0) < (ssize_t)sizeof(store->key) ? -EIO
											   : 0;
}

void store_done(struct store *store)
{
	for (size_t i = 0; i < store->n_changes; i++)
		free(store->change[i].text);
	free(store->change);
	free(store->slot);
	free(store->pool);
	*store = (struct store){ 0 };
}

struct store_object *store_at(const struct store *store, uint32_t object)
{
	return (struct store_object *)(void *)(store->pool + object * ALIGN);
}

static size_t size_of(size_t length)
{
	size_t size = offsetof(struct store_object, name) + length + 1;

	return (size + ALIGN - 1) & ~(ALIGN - 1);
}

static size_t home(const struct store *store, uint8_t kind, const char *name, size_t length)
{
	struct cs_key key = { store->key.k0, store->key.k1 ^ kind };

	return cs_siphash_bytes(&key, name, length) & (store->n_slots - 1);
}

/* The slot of an object, or the free one where it would be. */
static size_t probe(const struct store *store, uint8_t kind, const char *name, size_t length)
{
	size_t i = home(store, kind, name, length);

	for (; store->slot[i]; i = (i + 1) & (store->n_slots - 1)) {
		const struct store_object *object = store_at(store, store->slot[i]);

		if (object->kind == kind && object->length == length &&
		    memcmp(object->name, name, length) == 0)
			break;
	}
	return i;
}

uint32_t store_find(const struct store *store, uint8_t kind, const char *name)
{
	return store->n ? store->slot[probe(store, kind, name, strlen(name))] : 0;
}

static uint32_t step(const struct store *store, uint32_t object)
{
	return object + (uint32_t)(size_of(store_at(store, object)->length) / ALIGN);
}

uint32_t store_next(const struct store *store, uint32_t object)
{
	object = object ? step(store, object) : FIRST;
	while (object * ALIGN < store->used && store_at(store, object)->removed)
		object = step(store, object);
	return object * ALIGN < store->used ? object : 0;
}

static void fill_slots(struct store *store)
{
	memset(store->slot, 0, store->n_slots * sizeof(*store->slot));
	for (uint32_t at = store_next(store, 0); at; at = store_next(store, at)) {
		const struct store_object *object = store_at(store, at);

		store->slot[probe(store, object->kind, object->name, object->length)] = at;
	}
}

/* At most three quarters full. */
static int slots_room(struct store *store)
{
	size_t more = store->n_slots ? 2 * store->n_slots : SLOTS_MIN;
	uint32_t *slot;

	if (store->n + 1 <= store->n_slots / 4 * 3)
		return 0;
	slot = malloc(more * sizeof(*slot));
	if (!slot)
		return -ENOMEM;
	free(store->slot);
	store->slot = slot;
	store->n_slots = more;
	fill_slots(store);
	return 0;
}

/* Moves all objects together. */
static void squeeze(struct store *store)
{
	uint32_t to = FIRST, next;

	for (uint32_t at = store_next(store, 0); at; at = next) {
		size_t size = size_of(store_at(store, at)->length);
		struct store_object *object;

		next = store_next(store, at);
		memmove(store->pool + to * ALIGN, store->pool + at * ALIGN, size);
		object = store_at(store, to);
		if (object->changed)
			store->change[object->change].object = to;
		to += (uint32_t)(size / ALIGN);
	}
	store->used = to * ALIGN;
	store->garbage = 0;
	fill_slots(store);
}

static int pool_room(struct store *store, size_t size)
{
	size_t room = store->room + store->room / 4 + ROOM_MIN;
	char *pool;

	if (store->used + size > store->room && store->garbage > store->room / 4)
		squeeze(store);
	if (store->used + size <= store->room)
		return 0;
	pool = realloc(store->pool, room);
	if (!pool)
		return -ENOMEM;
	store->pool = pool;
	store->room = room;
	return 0;
}

int store_add(struct store *store, uint8_t kind, const char *name, uint32_t *ret)
{
	size_t length = strlen(name), size = size_of(length);
	uint32_t at;
	int r;

	if (store->n >= STORE_OBJECTS_MAX || length >= STORE_NAME_MAX)
		return -EFBIG;
	r = pool_room(store, size);
	if (r == 0)
		r = slots_room(store);
	if (r < 0)
		return r;
	at = (uint32_t)(store->used / ALIGN);
	memset(store_at(store, at), 0, size);
	*store_at(store, at) = (struct store_object){ .kind = kind, .length = (uint16_t)length };
	memcpy(store_at(store, at)->name, name, length);
	store->used += size;
	store->slot[probe(store, kind, name, length)] = at;
	store->n++;
	*ret = at;
	return 0;
}

/* Those behind a slot that becomes free move up, so that none is missed by a probe. */
static void free_slot(struct store *store, size_t i)
{
	size_t mask = store->n_slots - 1, free = i;

	store->slot[free] = 0;
	for (i = (i + 1) & mask; store->slot[i]; i = (i + 1) & mask) {
		const struct store_object *object = store_at(store, store->slot[i]);
		size_t from = home(store, object->kind, object->name, object->length);

		if (((i - from) & mask) < ((i - free) & mask))
			continue;
		store->slot[free] = store->slot[i];
		store->slot[i] = 0;
		free = i;
	}
}

void store_remove(struct store *store, uint32_t at)
{
	struct store_object *object = store_at(store, at);

	free_slot(store, probe(store, object->kind, object->name, object->length));
	object->removed = true;
	store->garbage += size_of(object->length);
	store->n--;
}

void store_name(const struct store *store, const struct store_object *object,
		char ret[STORE_FULL_NAME_MAX])
{
	snprintf(ret, STORE_FULL_NAME_MAX, "%s/%s", store->kind_name(object->kind), object->name);
}
