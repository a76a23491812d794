/* SPDX-License-Identifier: Apache-2.0 */
#include "user/identity/keymap.h"

#include <sys/random.h>

#define KEYMAP_FIRST 64 /* slots of the first table; power of two */

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

void keymap_done(struct keymap *map)
{
	free(map->entry);
	*map = (struct keymap){ 0 };
}
