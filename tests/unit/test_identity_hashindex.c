/* SPDX-License-Identifier: Apache-2.0 */
/* The table of numbers by hash, compared with a list that says the same. */
#include <criterion/criterion.h>

#include "user/identity/hashindex.h"

#define PAIRS 400
#define STEPS 20000

struct pair {
	uint32_t hash;
	uint32_t value;
	bool there;
};

static uint32_t roll(uint64_t *state, uint32_t n)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(*state >> 33) % n;
}

/* All values of @hash, counted in both. */
static void compare(const struct hashindex *index, const struct pair *pairs, uint32_t hash)
{
	size_t position = 0, n = 0, wanted = 0;
	uint32_t value;

	while (hashindex_next(index, hash, &position, &value)) {
		cr_assert_lt(value, PAIRS);
		cr_assert(pairs[value].there && pairs[value].hash == hash, "%u", value);
		n++;
	}
	for (size_t i = 0; i < PAIRS; i++)
		wanted += pairs[i].there && pairs[i].hash == hash;
	cr_assert_eq(n, wanted);
}

/* Few hashes, and those near each other, so that chains run into one another. */
Test(identity_hashindex, any_sequence_says_what_a_list_says)
{
	struct hashindex index = { 0 };
	struct pair pairs[PAIRS];
	uint64_t state = 7;

	for (uint32_t i = 0; i < PAIRS; i++)
		pairs[i] = (struct pair){ roll(&state, 40), i, false };
	for (size_t step = 0; step < STEPS; step++) {
		struct pair *pair = &pairs[roll(&state, step < STEPS / 2 ? PAIRS : 30)];

		if (pair->there)
			cr_assert(hashindex_remove(&index, pair->hash, pair->value));
		else
			cr_assert_eq(hashindex_add(&index, pair->hash, pair->value), 0);
		pair->there = !pair->there;
		cr_assert_eq(hashindex_remove(&index, pair->hash, PAIRS), false);
		compare(&index, pairs, roll(&state, 41));
	}
	hashindex_done(&index);
	cr_expect_not(hashindex_next(&index, 1, &(size_t){ 0 }, &(uint32_t){ 0 }));
}

Test(identity_hashindex, texts_are_told_apart_by_where_they_end)
{
	cr_expect_neq(hashindex_hash_texts("ab", "c"), hashindex_hash_texts("a", "bc"));
	cr_expect_neq(hashindex_hash_texts("a", "b"), hashindex_hash_texts("b", "a"));
	cr_expect_eq(hashindex_hash_texts("a", "b"), hashindex_hash_texts("a", "b"));
}
