/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers of documents in the order of the documents' names, in chunks, so that one that
 * comes moves few others. Who is asked about knows the names; the order only compares.
 */
#pragma once

#include "user/base/util.h"

#define ORDER_CHUNK 500 /* numbers */

struct order_chunk {
	uint32_t n;
	uint32_t id[ORDER_CHUNK];
};

struct order {
	struct order_chunk **chunk; /* none is empty */
	size_t n;
	size_t capacity;
	struct order_chunk **spare; /* for those that are to come */
	size_t n_spare;
	size_t spare_capacity;
};

struct order_at {
	size_t chunk;
	size_t i;
};

/* The name of a number. */
typedef const char *(*order_name_fn)(const void *of, uint32_t id);

/* Where @name is, or the first one behind it; whether it is there. */
bool order_find(const struct order *order, order_name_fn name_of, const void *of, const char *name,
		struct order_at *ret);

/* The number at *@at, and on to the next; false at the end. */
bool order_next(const struct order *order, struct order_at *at, uint32_t *ret);

/* Room for @n more, so that as many times order_insert() cannot fail. */
int order_reserve(struct order *order, size_t n);
void order_insert(struct order *order, const struct order_at *at, uint32_t id);
void order_remove(struct order *order, const struct order_at *at);

void order_done(struct order *order);
