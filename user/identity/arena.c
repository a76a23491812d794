/* SPDX-License-Identifier: Apache-2.0 */
#include "user/identity/arena.h"

#include <stdalign.h>

#define ARENA_CHUNK_FIRST ((size_t)1 << 10) /* of a small document */
#define ARENA_CHUNK_MAX ((size_t)64 << 10)
#define ARENA_GROW_FIRST 4 /* elements of a growing array's first place */

struct arena_chunk {
	struct arena_chunk *next;
	size_t used; /* from the front: what is aligned */
	size_t texts; /* from the back */
	size_t size;
	alignas(max_align_t) unsigned char data[];
};

int arena_reserve(struct arena *arena, size_t size)
{
	struct arena_chunk *chunk;

	if (size > ARENA_MAX - arena->total)
		return -ENOMEM;
	chunk = calloc(1, sizeof(*chunk) + size);
	if (!chunk)
		return -ENOMEM;
	chunk->size = size;
	chunk->next = arena->chunk;
	arena->chunk = chunk;
	arena->total += size;
	return 0;
}

size_t arena_used(const struct arena *arena)
{
	size_t used = 0;

	for (const struct arena_chunk *chunk = arena->chunk; chunk; chunk = chunk->next)
		used += chunk->used + chunk->texts;
	return used;
}

/* The chunk that has @size bytes left, or NULL. */
static struct arena_chunk *arena_chunk_with(struct arena *arena, size_t size)
{
	const struct arena_chunk *chunk = arena->chunk;

	if (chunk && chunk->size - chunk->used - chunk->texts >= size)
		return arena->chunk;
	/* As much again as there is, so that small arenas stay small. */
	size = MAX(size, MIN(MAX(arena->total, ARENA_CHUNK_FIRST), ARENA_CHUNK_MAX));
	return arena_reserve(arena, size) == 0 ? arena->chunk : NULL;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	struct arena_chunk *chunk;
	void *p;

	if (size > ARENA_MAX - alignof(max_align_t))
		return NULL;
	size = (size + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
	chunk = arena_chunk_with(arena, size);
	if (!chunk)
		return NULL;
	p = chunk->data + chunk->used;
	chunk->used += size;
	return p;
}

char *arena_strndup(struct arena *arena, const char *s, size_t n)
{
	struct arena_chunk *chunk;
	char *copy;

	if (n >= ARENA_MAX)
		return NULL;
	chunk = arena_chunk_with(arena, n + 1);
	if (!chunk)
		return NULL;
	chunk->texts += n + 1;
	copy = (char *)chunk->data + chunk->size - chunk->texts;
	memcpy(copy, s, n);
	copy[n] = 0;
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
