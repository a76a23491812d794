/* SPDX-License-Identifier: Apache-2.0 */
#include "user/identity/keymap.h"

#include <sys/random.h>

#define KEYMAP_FIRST 8 /* slots of the first table; power of two */

struct keymap_entry {
	const void *key; /* NULL: free */
	size_t length;
	uint64_t hash;
	uint32_t value;
};

/* The slot that holds the key, or the free one where it belongs. */
static struct keymap_entry *keymap_slot(struct keymap_entry *entry, size_t capacity,
					const struct keymap_entry *wanted)
{
	size_t i = wanted->hash & (capacity - 1);

	while (entry[i].key) {
		if (entry[i].hash == wanted->hash && entry[i].length == wanted->length &&
		    memcmp(entry[i].key, wanted->key, wanted->length) == 0)
			break;
		i = (i + 1) & (capacity - 1);
	}
	return &entry[i];
}

/* Keeps at least half of the slots free, so that probing ends soon. */
static int keymap_reserve(struct keymap *map)
{
	size_t capacity = map->capacity ? map->capacity * 2 : KEYMAP_FIRST;
	struct keymap_entry *entry;

	if (map->n < map->capacity / 2)
		return 0;
	if (!map->capacity && getrandom(&map->key, sizeof(map->key), 0) < 0)
		return -errno;
	entry = calloc(capacity, sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	for (size_t i = 0; i < map->capacity; i++)
		if (map->entry[i].key)
			*keymap_slot(entry, capacity, &map->entry[i]) = map->entry[i];
	free(map->entry);
	map->entry = entry;
	map->capacity = capacity;
	return 0;
}

int keymap_put(struct keymap *map, const void *key, size_t length, uint32_t value)
{
	struct keymap_entry wanted = { .key = key, .length = length, .value = value };
	struct keymap_entry *slot;
	int r;

	r = keymap_reserve(map);
	if (r < 0)
		return r;
	wanted.hash = cs_siphash_bytes(&map->key, key, length);
	slot = keymap_slot(map->entry, map->capacity, &wanted);
	if (slot->key)
		return -EEXIST;
	*slot = wanted;
	map->n++;
	return 0;
}

bool keymap_get(const struct keymap *map, const void *key, size_t length, uint32_t *ret)
{
	struct keymap_entry wanted = { .key = key, .length = length };
	const struct keymap_entry *slot;

	if (!map->capacity)
		return false;
	wanted.hash = cs_siphash_bytes(&map->key, key, length);
	slot = keymap_slot(map->entry, map->capacity, &wanted);
	if (!slot->key)
		return false;
	*ret = slot->value;
	return true;
}

/* Whether an entry that belongs at @home may stay at @at when @hole before it is free. */
static bool stays(size_t home, size_t hole, size_t at)
{
	return hole <= at ? hole < home && home <= at : hole < home || home <= at;
}

/* Later entries of the chain move up, so that no look-up ends at the hole. */
bool keymap_remove(struct keymap *map, const void *key, size_t length)
{
	struct keymap_entry wanted = { .key = key, .length = length };
	size_t mask = map->capacity - 1, hole;
	struct keymap_entry *slot;

	if (!map->capacity)
		return false;
	wanted.hash = cs_siphash_bytes(&map->key, key, length);
	slot = keymap_slot(map->entry, map->capacity, &wanted);
	if (!slot->key)
		return false;
	hole = (size_t)(slot - map->entry);
	for (size_t at = (hole + 1) & mask; map->entry[at].key; at = (at + 1) & mask) {
		if (stays(map->entry[at].hash & mask, hole, at))
			continue;
		map->entry[hole] = map->entry[at];
		hole = at;
	}
	map->entry[hole] = (struct keymap_entry){ 0 };
	map->n--;
	return true;
}

bool keymap_next(const struct keymap *map, size_t *position, struct keymap_item *ret)
{
	while (*position < map->capacity) {
		const struct keymap_entry *entry = &map->entry[(*position)++];

		if (!entry->key)
			continue;
		*ret = (struct keymap_item){ entry->key, entry->length, entry->value };
		return true;
	}
	return false;
}

void keymap_done(struct keymap *map)
{
	free(map->entry);
	*map = (struct keymap){ 0 };
}
