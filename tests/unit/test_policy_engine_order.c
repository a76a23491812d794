/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers in the order of names: random sequences, compared with a sorted walk. */
#include <criterion/criterion.h>

#include "user/policy/engine_order.h"

#define NAMES 4000
#define STEPS 30000

static char names[NAMES][16];
static bool there[NAMES];

static const char *name_of(const void *of, uint32_t id)
{
	(void)of;
	return names[id];
}

static void expect_order(const struct order *order)
{
	struct order_at at = { 0 };
	uint32_t id;

	for (uint32_t i = 0; i < NAMES; i++) {
		if (!there[i])
			continue;
		cr_assert(order_next(order, &at, &id));
		cr_assert_eq(id, i, "%u, should be %u", id, i);
	}
	cr_assert_not(order_next(order, &at, &id));
}

static void change(struct order *order, uint32_t i)
{
	struct order_at at;

	cr_assert_eq(order_reserve(order, 1), 0);
	cr_assert_eq(order_find(order, name_of, NULL, names[i], &at), there[i]);
	if (there[i])
		order_remove(order, &at);
	else
		order_insert(order, &at, i);
	there[i] = !there[i];
}

Test(policy_engine_order, any_sequence_stays_sorted)
{
	struct order order = { 0 };
	uint64_t state = 3;

	for (uint32_t i = 0; i < NAMES; i++)
		snprintf(names[i], sizeof(names[i]), "n%05u", i);
	for (uint32_t i = 0; i < NAMES; i += 2) /* in their order first, as a source gives them */
		change(&order, i);
	expect_order(&order);
	for (size_t step = 0; step < STEPS; step++) {
		state = state * 6364136223846793005ULL + 1442695040888963407ULL;
		change(&order, (uint32_t)(state >> 33) % NAMES);
		if (step % 1000 == 0)
			expect_order(&order);
	}
	for (uint32_t i = 0; i < NAMES; i++)
		if (there[i])
			change(&order, i);
	expect_order(&order);
	cr_expect_eq(order.n, 0, "no chunk is empty");
	order_done(&order);
}

/* As many at once as there is room for, wherever they go. */
Test(policy_engine_order, room_is_made_before)
{
	struct order order = { 0 };
	struct order_at at;

	for (uint32_t i = 0; i < NAMES; i++)
		snprintf(names[i], sizeof(names[i]), "n%05u", i);
	for (uint32_t first = 0; first < 4; first++) {
		cr_assert_eq(order_reserve(&order, NAMES / 4), 0);
		for (uint32_t i = first; i < NAMES; i += 4) {
			cr_assert_not(order_find(&order, name_of, NULL, names[i], &at));
			order_insert(&order, &at, i);
			there[i] = true;
		}
	}
	expect_order(&order);
	order_done(&order);
}
