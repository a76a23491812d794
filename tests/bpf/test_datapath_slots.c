/* SPDX-License-Identifier: Apache-2.0 */
/* Slot numbers for keys: no kernel needed. */
#include <criterion/criterion.h>

#include "user/datapath/slots.h"

static struct slots s;

static void done(void)
{
	slots_done(&s);
}

TestSuite(datapath_slots, .fini = done);

static uint32_t take_and_bind(uint64_t key)
{
	uint32_t slot = 0;

	cr_assert_eq(slots_take(&s, &slot), 0);
	slots_bind(&s, slot, &key);
	return slot;
}

Test(datapath_slots, keys_keep_their_slots)
{
	uint32_t slots[1000];

	cr_assert_eq(slots_init(&s, sizeof(uint64_t), 2000), 0);
	for (uint64_t key = 0; key < 1000; key++)
		slots[key] = take_and_bind(key * 7919);
	cr_expect_eq(s.bound, 1000);
	for (uint64_t key = 0; key < 1000; key++) {
		uint64_t wanted = key * 7919;

		cr_assert_gt(slots[key], 0, "slot 0 is never handed out");
		cr_assert_eq(slots_find(&s, &wanted), slots[key]);
		for (uint64_t other = 0; other < key; other += 97)
			cr_assert_neq(slots[other], slots[key]);
	}
	cr_expect_eq(slots_find(&s, &(uint64_t){ 1 }), 0);
}

Test(datapath_slots, all_but_slot_0_can_be_had)
{
	uint32_t slot;

	cr_assert_eq(slots_init(&s, sizeof(uint64_t), 100), 0);
	for (uint64_t key = 1; key < 100; key++)
		take_and_bind(key);
	cr_expect_eq(slots_take(&s, &slot), -ENOSPC);
}

Test(datapath_slots, retired_slots_come_back_after_release_only)
{
	uint32_t a, again;

	cr_assert_eq(slots_init(&s, sizeof(uint64_t), 3), 0);
	a = take_and_bind(1);
	take_and_bind(2);
	slots_unbind(&s, a);
	cr_expect_eq(slots_find(&s, &(uint64_t){ 1 }), 0);
	slots_retire(&s, a);
	cr_expect_eq(s.retired, 1);
	cr_expect_eq(slots_take(&s, &again), -ENOSPC, "a program may still read it");
	slots_release(&s);
	cr_expect_eq(s.retired, 0);
	cr_assert_eq(slots_take(&s, &again), 0);
	cr_expect_eq(again, a);
}

Test(datapath_slots, dropped_slots_come_back_at_once)
{
	uint32_t a, again;

	cr_assert_eq(slots_init(&s, sizeof(uint64_t), 2), 0);
	cr_assert_eq(slots_take(&s, &a), 0);
	slots_drop(&s, a);
	cr_assert_eq(slots_take(&s, &again), 0);
	cr_expect_eq(again, a);
}

Test(datapath_slots, claims_of_an_earlier_agent)
{
	uint32_t slot;

	cr_assert_eq(slots_init(&s, sizeof(uint64_t), 1000), 0);
	cr_expect_eq(slots_claim(&s, 700, &(uint64_t){ 1 }), 0);
	cr_expect_eq(slots_claim(&s, 2, &(uint64_t){ 2 }), 0);
	cr_expect_eq(slots_claim(&s, 2, &(uint64_t){ 3 }), -EEXIST, "one slot, two keys");
	cr_expect_eq(slots_claim(&s, 3, &(uint64_t){ 2 }), -EEXIST, "one key, two slots");
	cr_expect_eq(slots_claim(&s, 0, &(uint64_t){ 4 }), -ERANGE);
	cr_expect_eq(slots_claim(&s, 1000, &(uint64_t){ 4 }), -ERANGE);
	slots_claimed(&s);
	cr_expect_eq(slots_find(&s, &(uint64_t){ 1 }), 700);
	for (int i = 0; i < 997; i++) {
		cr_assert_eq(slots_take(&s, &slot), 0);
		cr_assert(slot != 700 && slot != 2 && slot != 0);
	}
	cr_expect_eq(slots_take(&s, &slot), -ENOSPC);
}

Test(datapath_slots, marks_are_the_callers)
{
	uint32_t a;

	cr_assert_eq(slots_init(&s, sizeof(uint64_t), 10), 0);
	a = take_and_bind(1);
	cr_expect_eq(s.mark[a], 0);
	s.mark[a] = 5;
	slots_unbind(&s, a);
	slots_bind(&s, a, &(uint64_t){ 2 });
	cr_expect_eq(s.mark[a], 0, "a fresh binding has no mark");
}
