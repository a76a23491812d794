/* SPDX-License-Identifier: Apache-2.0 */
/* Which events become Events, which a count, and which are left out. */
#include <criterion/criterion.h>

#include "user/kube/event_series.h"

static struct event_memory *memory;

static void begin(void)
{
	cr_assert_eq(event_memory_new(&memory), 0);
}

static void end(void)
{
	memory = event_memory_free(memory);
}

TestSuite(kube_event, .init = begin, .fini = end);

static enum event_fate occurs(uint64_t key, uint64_t object, int64_t now_ms)
{
	struct event_series *series = NULL;
	enum event_fate fate = event_occurs(memory, key, object, now_ms, &series);

	cr_assert_eq(fate == EVENT_LIMITED, !series);
	if (fate == EVENT_NEW)
		series->name = strdup("e");
	return fate;
}

Test(kube_event, the_same_is_a_series)
{
	struct event_series *due;

	cr_assert_eq(occurs(1, 1, 1000), EVENT_NEW);
	cr_assert_eq(occurs(1, 1, 2000), EVENT_QUIET);
	cr_assert_eq(occurs(1, 1, 3000), EVENT_QUIET);
	cr_assert_null(event_due(memory, 60000));
	due = event_due(memory, 61000);
	cr_assert_not_null(due);
	cr_assert_eq(due->count, 3);
	cr_assert_null(event_due(memory, 61000), "it was told");
	cr_assert_eq(occurs(1, 1, 121000), EVENT_AGAIN);
	cr_assert_null(event_due(memory, 300000));
	/* After ten minutes of quiet it is news again. */
	cr_assert_eq(occurs(1, 1, 121000 + EVENT_SERIES_MS), EVENT_NEW);
}

Test(kube_event, an_object_has_its_share)
{
	int64_t now = 1000;

	for (uint64_t key = 0; key < EVENT_BURST; key++)
		cr_assert_eq(occurs(100 + key, 1, now), EVENT_NEW);
	cr_assert_eq(occurs(200, 1, now), EVENT_LIMITED);
	cr_assert_eq(occurs(100, 1, now), EVENT_QUIET, "a series costs nothing");
	cr_assert_eq(occurs(200, 2, now), EVENT_NEW, "another object has its own");
	cr_assert_eq(occurs(201, 1, now + EVENT_REFILL_MS - 1), EVENT_LIMITED);
	cr_assert_eq(occurs(201, 1, now + EVENT_REFILL_MS), EVENT_NEW);
	cr_assert_eq(occurs(202, 1, now + EVENT_REFILL_MS), EVENT_LIMITED);
	now += EVENT_REFILL_MS * 1000;
	for (uint64_t key = 0; key < EVENT_BURST; key++)
		cr_assert_eq(occurs(300 + key, 1, now), EVENT_NEW);
	cr_assert_eq(occurs(400, 1, now), EVENT_LIMITED, "there is no saving up");
}

Test(kube_event, memory_is_bounded)
{
	const uint64_t many = EVENT_SERIES_MAX + 100;

	for (uint64_t key = 0; key < many; key++)
		cr_assert_eq(occurs(key, key, 1000 + (int64_t)key), EVENT_NEW);
	cr_assert_eq(occurs(many - 1, many - 1, 1000 + (int64_t)many), EVENT_QUIET);
	cr_assert_null(event_find(memory, 0), "the longest quiet one made room");
	cr_assert_eq(occurs(0, 0, 1000 + (int64_t)many), EVENT_NEW);
}

Test(kube_event, what_was_not_made_has_no_count)
{
	struct event_series *series = NULL;

	cr_assert_eq(event_occurs(memory, 1, 1, 1000, &series), EVENT_NEW);
	cr_assert_eq(event_occurs(memory, 1, 1, 200000, &series), EVENT_QUIET);
	cr_assert_null(event_due(memory, 300000));
}
