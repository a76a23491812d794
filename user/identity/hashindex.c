/* SPDX-License-Identifier: Apache-2.0 */
#include "user/identity/hashindex.h"

#include <sys/random.h>

#define INDEX_FIRST 16 /* slots of the first table; power of two */
#define INDEX_MAX ((size_t)1 << 31)

struct hashindex_slot {
	uint32_t hash;
	uint32_t value; /* 1 + the value, 0: free */
};

/* One key for all: hashes are kept, and compared with those of other tables. */
static const struct cs_key *index_key(void)
{
	static struct cs_key key;

	/* Without random numbers the table is slower for some input, and as right as ever. */
	if (!key.k0 && getrandom(&key, sizeof(key), 0) < 0)
		key = (struct cs_key){ 0 };
	key.k0 |= 1;
	return &key;
}

uint32_t hashindex_hash(const void *data, size_t length)
{
	return (uint32_t)cs_siphash_bytes(index_key(), data, length);
}

uint32_t hashindex_hash_texts(const char *a, const char *b)
{
	return hashindex_hash(a, strlen(a)) * 0x9e3779b1U ^ hashindex_hash(b, strlen(b));
}

static void put(struct hashindex_slot *slots, size_t capacity, struct hashindex_slot slot)
{
	size_t i = slot.hash & (capacity - 1);

	while (slots[i].value)
		i = (i + 1) & (capacity - 1);
	slots[i] = slot;
}

/* Three quarters full at most. */
int hashindex_reserve(struct hashindex *index)
{
	size_t capacity = index->capacity ? index->capacity * 2 : INDEX_FIRST;
	struct hashindex_slot *slots;

	if (index->n < index->capacity / 4 * 3)
		return 0;
	if (capacity > INDEX_MAX)
		return -ENOSPC;
	slots = calloc(capacity, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < index->capacity; i++)
		if (index->slot[i].value)
			put(slots, capacity, index->slot[i]);
	free(index->slot);
	index->slot = slots;
	index->capacity = capacity;
	return 0;
}

int hashindex_add(struct hashindex *index, uint32_t hash, uint32_t value)
{
	int r = hashindex_reserve(index);

	if (r < 0)
		return r;
	put(index->slot, index->capacity, (struct hashindex_slot){ hash, value + 1 });
	index->n++;
	return 0;
}

bool hashindex_next(const struct hashindex *index, uint32_t hash, size_t *position, uint32_t *ret)
{
	size_t mask = index->capacity - 1;

	if (!index->capacity)
		return false;
	for (;;) {
		const struct hashindex_slot *slot = &index->slot[(hash + *position) & mask];

		if (!slot->value)
			return false;
		(*position)++;
		if (slot->hash != hash)
			continue;
		*ret = slot->value - 1;
		return true;
	}
}

/* The slot of a value, or NULL. */
static struct hashindex_slot *find(const struct hashindex *index, uint32_t hash, uint32_t value)
{
	size_t mask = index->capacity - 1;

	for (size_t i = hash & mask; index->capacity && index->slot[i].value; i = (i + 1) & mask)
		if (index->slot[i].hash == hash && index->slot[i].value == value + 1)
			return &index->slot[i];
	return NULL;
}

/* Whether an entry that belongs at @home may stay at @at when @hole before it is free. */
static bool stays(size_t home, size_t hole, size_t at)
{
	return hole <= at ? hole < home && home <= at : hole < home || home <= at;
}

/* Later entries of the chain move up, so that no look-up ends at the hole. */
bool hashindex_remove(struct hashindex *index, uint32_t hash, uint32_t value)
{
	struct hashindex_slot *slot = find(index, hash, value);
	size_t mask = index->capacity - 1, hole;

	if (!slot)
		return false;
	hole = (size_t)(slot - index->slot);
	for (size_t at = (hole + 1) & mask; index->slot[at].value; at = (at + 1) & mask) {
		if (stays(index->slot[at].hash & mask, hole, at))
			continue;
		index->slot[hole] = index->slot[at];
		hole = at;
	}
	index->slot[hole] = (struct hashindex_slot){ 0 };
	index->n--;
	return true;
}

void hashindex_done(struct hashindex *index)
{
	free(index->slot);
	*index = (struct hashindex){ 0 };
}
