/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table from hashes to numbers, for what has its keys elsewhere: eight bytes for each
 * entry, and as many entries of one hash as there are. Whoever looks something up compares
 * the keys itself. Hashes are keyed by a random number, as keys come from hostile input.
 */
#pragma once

#include <countersign/siphash.h>

#include "user/base/util.h"

struct hashindex_slot;

struct hashindex {
	struct hashindex_slot *slot;
	size_t n;
	size_t capacity; /* power of two, or 0 */
};

/* The hash of @length bytes, the same for as long as the process lives. */
uint32_t hashindex_hash(const void *data, size_t length);

/* The hash of two texts, such as a namespace and a name. */
uint32_t hashindex_hash_texts(const char *a, const char *b);

/* Makes room for one more, so that the next hashindex_add() cannot fail. */
int hashindex_reserve(struct hashindex *index);

/* @value is below UINT32_MAX. -ENOMEM; -ENOSPC: more than 2^31. */
int hashindex_add(struct hashindex *index, uint32_t hash, uint32_t value);

/* The values of a hash one by one from *@position = 0 on; false after the last. */
bool hashindex_next(const struct hashindex *index, uint32_t hash, size_t *position, uint32_t *ret);

/* Forgets one @value of @hash; whether it was there. */
bool hashindex_remove(struct hashindex *index, uint32_t hash, uint32_t value);

/* Frees the table; it is empty and usable afterwards. */
void hashindex_done(struct hashindex *index);
