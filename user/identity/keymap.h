/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash table from byte strings to numbers. Keys are borrowed: they must stay where they
 * are as long as the map. Keyed by a random number, as keys come from hostile input.
 */
#pragma once

#include <countersign/siphash.h>

#include "user/base/util.h"

struct keymap_entry;

struct keymap {
	struct keymap_entry *entry;
	size_t n;
	size_t capacity; /* power of two, or 0 */
	struct cs_key key;
};

/* 0, -EEXIST (the first value stays), -ENOMEM, or what getrandom(2) says. */
int keymap_put(struct keymap *map, const void *key, size_t length, uint32_t value);

/* Whether @key is there; its value into *@ret. */
bool keymap_get(const struct keymap *map, const void *key, size_t length, uint32_t *ret);

/* Forgets @key; whether it was there. */
bool keymap_remove(struct keymap *map, const void *key, size_t length);

/* The entries in no order, one by one from *@position = 0 on; false after the last. */
struct keymap_item {
	const void *key;
	size_t length;
	uint32_t value;
};
bool keymap_next(const struct keymap *map, size_t *position, struct keymap_item *ret);

/* Frees the table; it is empty and usable afterwards. */
void keymap_done(struct keymap *map);
#define _cleanup_keymap_ _cleanup_(keymap_done)
