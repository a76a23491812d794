/* SPDX-License-Identifier: Apache-2.0 */
#include "user/policy/engine_order.h"

/* The last chunk whose first name is not behind @name, or the first. */
static size_t find_chunk(const struct order *order, order_name_fn name_of, const void *of,
			 const char *name)
{
	size_t low = 0, high = order->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(name_of(of, order->chunk[middle]->id[0]), name) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? low - 1 : 0;
}

bool order_find(const struct order *order, order_name_fn name_of, const void *of, const char *name,
		struct order_at *ret)
{
	size_t c = find_chunk(order, name_of, of, name), low = 0;
	size_t high = order->n ? order->chunk[c]->n : 0;
	int compared;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		compared = strcmp(name_of(of, order->chunk[c]->id[middle]), name);
		if (compared == 0) {
			*ret = (struct order_at){ c, middle };
			return true;
		}
		if (compared < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret = (struct order_at){ c, low };
	return false;
}

bool order_next(const struct order *order, struct order_at *at, uint32_t *ret)
{
	if (at->chunk < order->n && at->i >= order->chunk[at->chunk]->n) {
		at->chunk++;
		at->i = 0;
	}
	if (at->chunk >= order->n)
		return false;
	*ret = order->chunk[at->chunk]->id[at->i++];
	return true;
}

/* Room for @n pointers. */
static int reserve(struct order_chunk ***list, size_t *capacity, size_t n)
{
	size_t wanted = MAX(*capacity * 2, n);
	void *more;

	if (n <= *capacity)
		return 0;
	more = reallocarray(*list, wanted, sizeof(**list));
	if (!more)
		return -ENOMEM;
	*list = more;
	*capacity = wanted;
	return 0;
}

/* A full chunk gives half of it to another, which then has room for as many as it has. */
int order_reserve(struct order *order, size_t n)
{
	size_t splits = MIN(n, order->n + n / (ORDER_CHUNK / 2) + 1);
	int r;

	r = reserve(&order->chunk, &order->capacity, order->n + splits);
	if (r == 0)
		r = reserve(&order->spare, &order->spare_capacity, splits);
	while (r == 0 && order->n_spare < splits) {
		struct order_chunk *chunk = calloc(1, sizeof(*chunk));

		if (!chunk)
			return -ENOMEM;
		order->spare[order->n_spare++] = chunk;
	}
	return r;
}

/* An empty chunk at @at. */
static struct order_chunk *add_chunk(struct order *order, size_t at)
{
	struct order_chunk *chunk = order->spare[--order->n_spare];

	memmove(order->chunk + at + 1, order->chunk + at,
		(order->n - at) * sizeof(struct order_chunk *));
	order->chunk[at] = chunk;
	order->n++;
	chunk->n = 0;
	return chunk;
}

/* Makes room in the full chunk of *@at, which may be in another chunk then. */
static void split(struct order *order, struct order_at *at)
{
	struct order_chunk *full = order->chunk[at->chunk], *next = add_chunk(order, at->chunk + 1);
	bool at_end = at->chunk + 2 == order->n && at->i == full->n;
	uint32_t keep = at_end ? full->n : full->n / 2; /* names mostly come in order at first */

	next->n = full->n - keep;
	memcpy(next->id, full->id + keep, next->n * sizeof(*next->id));
	full->n = keep;
	if (at->i > keep || at_end) {
		at->chunk++;
		at->i -= keep;
	}
}

void order_insert(struct order *order, const struct order_at *position, uint32_t id)
{
	struct order_at at = *position;
	struct order_chunk *chunk;

	if (!order->n)
		add_chunk(order, 0);
	if (order->chunk[at.chunk]->n == ORDER_CHUNK)
		split(order, &at);
	chunk = order->chunk[at.chunk];
	memmove(chunk->id + at.i + 1, chunk->id + at.i, (chunk->n - at.i) * sizeof(*chunk->id));
	chunk->id[at.i] = id;
	chunk->n++;
}

void order_remove(struct order *order, const struct order_at *at)
{
	struct order_chunk *chunk = order->chunk[at->chunk];

	chunk->n--;
	memmove(chunk->id + at->i, chunk->id + at->i + 1, (chunk->n - at->i) * sizeof(*chunk->id));
	if (chunk->n)
		return;
	free(chunk);
	order->n--;
	memmove(order->chunk + at->chunk, order->chunk + at->chunk + 1,
		(order->n - at->chunk) * sizeof(struct order_chunk *));
}

void order_done(struct order *order)
{
	for (size_t i = 0; i < order->n; i++)
		free(order->chunk[i]);
	for (size_t i = 0; i < order->n_spare; i++)
		free(order->spare[i]);
	free(order->chunk);
	free(order->spare);
	*order = (struct order){ 0 };
}
