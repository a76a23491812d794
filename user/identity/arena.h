/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An arena: many small allocations that live and die together. A set of manifests has
 * one, so nothing inside the set needs an owner of its own.
 */
#pragma once

#include "user/base/util.h"

#define ARENA_MAX ((size_t)2 << 30) /* bytes in one arena; more is -ENOMEM */

struct arena_chunk;

struct arena {
	struct arena_chunk *chunk; /* the one being filled */
	size_t total; /* bytes in all chunks */
};

/* Zeroed memory, aligned for any type; NULL when there is none. */
void *arena_alloc(struct arena *arena, size_t size);

/* One chunk of just that size, so that what fills it wastes nothing. */
int arena_reserve(struct arena *arena, size_t size);

/* How many bytes of all chunks are in use: what a single chunk needs for the same. */
size_t arena_used(const struct arena *arena);

/* A copy of @n bytes at @s with a NUL behind it. */
char *arena_strndup(struct arena *arena, const char *s, size_t n);

static inline char *arena_strdup(struct arena *arena, const char *s)
{
	return arena_strndup(arena, s, strlen(s));
}

/*
 * Room for one more element in an array of @n elements of @size bytes. Returns the array,
 * moved when *@capacity was reached, or NULL. The old place stays readable.
 */
void *arena_grow(struct arena *arena, void *items, size_t n, size_t *capacity, size_t size);

/* Frees all that was allocated; the arena is empty and usable afterwards. */
void arena_done(struct arena *arena);
