/* SPDX-License-Identifier: Apache-2.0 */
#include "user/identity/arena.h"

#include <stdalign.h>

#define ARENA_CHUNK_FIRST ((size_t)1 << 10) /* of a small document */
#define ARENA_CHUNK_MAX ((size_t)64 << 10)
#define ARENA_GROW_FIRST 4 /* elements of a growing array's first place */

struct arena_chunk {
	struct arena_chunk *next;
	size_t used;
	size_t size;
	alignas(max_align_t) unsigned char data[];
};

static struct arena_chunk *arena_add_chunk(struct arena *arena, size_t size)
{
	struct arena_chunk *chunk;

	/* As much again as there is, so that small arenas stay small. */
	size = MAX(size, MIN(MAX(arena->total, ARENA_CHUNK_FIRST), ARENA_CHUNK_MAX));
	if (size > ARENA_MAX - arena->total)
		return NULL;
	chunk = calloc(1, sizeof(*chunk) + size);
	if (!chunk)
		return NULL;
	chunk->size = size;
	chunk->next = arena->chunk;
	arena->chunk = chunk;
	arena->total += size;
	return chunk;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	struct arena_chunk *chunk = arena->chunk;
	void *p;

	if (size > ARENA_MAX - alignof(max_align_t))
		return NULL;
	size = (size + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
	if (!chunk || chunk->size - chunk->used < size)
		chunk = arena_add_chunk(arena, size);
	if (!chunk)
		return NULL;
	p = chunk->data + chunk->used;
	chunk->used += size;
	return p;
}

char *arena_strndup(struct arena *arena, const char *s, size_t n)
{
	char *copy = arena_alloc(arena, n + 1);

	if (copy)
		memcpy(copy, s, n);
	return copy;
}

void *arena_grow(struct arena *arena, void *items, size_t n, size_t *capacity, size_t size)
{
	size_t more = *capacity ? *capacity * 2 : ARENA_GROW_FIRST;
	void *moved;

	if (n < *capacity)
		return items;
	if (more > ARENA_MAX / size)
		return NULL;
	moved = arena_alloc(arena, more * size);
	if (!moved)
		return NULL;
	if (n)
		memcpy(moved, items, n * size);
	*capacity = more;
	return moved;
}

void arena_done(struct arena *arena)
{
	struct arena_chunk *next;

	for (struct arena_chunk *chunk = arena->chunk; chunk; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	*arena = (struct arena){ 0 };
}
