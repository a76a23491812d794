/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leader election as a model: candidates whose clocks differ, whose requests are late or lost in
 * either direction, who stand still or die at any moment. Whatever happens, at most one leads; when
 * the trouble ends, one does.
 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "user/kube/lease_state.h"

#define CANDIDATES 4
#define TICK_MS 10
#define TROUBLE_MS (20 * 60 * 1000)
#define CALM_MS (60 * 1000)
#define TIMEOUT_MS KUBE_LEASE_RENEW_MS

struct candidate {
	char name[8];
	struct lease_state state;
	int64_t offset_ms; /* of its clock */
	double rate; /* of its clock: 1 is right */
	int64_t frozen_until_ms; /* true time, as all below */

	bool busy;
	enum lease_act act;
	char version[LEASE_VERSION_MAX]; /* that it writes over */
	int64_t asked; /* by its own clock */
	int64_t arrives_ms; /* at the server; < 0: it has, or never will */
	int64_t answered_ms; /* when it learns of it, or gives up */
	bool lost_answer, conflict;
	struct lease_record result;
};

struct world {
	struct candidate candidate[CANDIDATES];
	struct lease_record server;
	unsigned int version;
	int64_t now_ms;
	uint32_t random;
	bool trouble;
	uint64_t changes; /* of the leader */
	int leader; /* the last one; -1: none yet */
};

static uint32_t draw(struct world *world, uint32_t below)
{
	world->random = world->random * 1664525 + 1013904223;
	return below ? (world->random >> 8) % below : 0;
}

static int64_t local(const struct world *world, const struct candidate *c)
{
	return (int64_t)((double)world->now_ms * c->rate) + c->offset_ms;
}

static void start(struct world *world, struct candidate *c)
{
	const struct kube_lease_options options = { .identity = c->name };

	c->busy = false;
	cr_assert_eq(lease_state_init(&c->state, &options, local(world, c)), 0);
}

static void ask(struct world *world, struct candidate *c)
{
	uint32_t late = world->trouble && !draw(world, 20) ? 4000 : 60;

	c->busy = true;
	c->asked = local(world, c);
	c->act = lease_next(&c->state, c->asked);
	strcpy(c->version, c->state.seen.version);
	c->arrives_ms = world->now_ms + draw(world, late);
	c->answered_ms = c->arrives_ms + draw(world, late);
	c->lost_answer = world->trouble && !draw(world, 15);
	if (world->trouble && !draw(world, 15)) {
		c->arrives_ms = -1;
		c->lost_answer = true;
	}
	if (c->lost_answer || c->answered_ms > world->now_ms + TIMEOUT_MS) {
		c->lost_answer = true;
		c->answered_ms = world->now_ms + TIMEOUT_MS;
	}
}

/* What the API server does: versions decide. */
static void arrive(struct world *world, struct candidate *c)
{
	struct lease_record *server = &world->server;
	bool exists = *server->version;

	c->arrives_ms = -1;
	c->conflict = c->act == LEASE_CREATE
			      ? exists
			      : c->act == LEASE_TAKE && !streq(c->version, server->version);
	if (!c->conflict && c->act != LEASE_LOOK) {
		server->transitions += exists && !streq(server->holder, c->name);
		strcpy(server->holder, c->name);
		snprintf(server->version, sizeof(server->version), "%u", ++world->version);
		server->duration_ms = KUBE_LEASE_DURATION_MS;
	}
	c->result = *server;
}

static void answer(struct world *world, struct candidate *c)
{
	uint32_t random = draw(world, 1 << 24) << 8;

	c->busy = false;
	if (c->lost_answer || c->conflict)
		lease_failed(&c->state, local(world, c), random);
	else
		lease_succeeded(&c->state, c->act, &c->result, c->asked, local(world, c), random);
	c->conflict = false;
}

static void upset(struct world *world, struct candidate *c)
{
	if (!world->trouble || draw(world, 4000))
		return;
	if (draw(world, 2)) {
		c->frozen_until_ms = world->now_ms + draw(world, 40000);
		return;
	}
	/* It died and came back under its name; what it had sent may still arrive. */
	start(world, c);
	c->frozen_until_ms = world->now_ms + 500 + draw(world, 20000);
}

static void step(struct world *world, struct candidate *c)
{
	if (c->busy && c->arrives_ms >= 0 && c->arrives_ms <= world->now_ms)
		arrive(world, c);
	upset(world, c);
	if (c->frozen_until_ms > world->now_ms)
		return;
	if (c->busy && c->answered_ms <= world->now_ms)
		answer(world, c);
	if (!c->busy && local(world, c) >= c->state.next_ms)
		ask(world, c);
}

/* Also of those who stand still: they believe what their clock says when they wake up. */
static int leader_of(const struct world *world)
{
	int leader = -1;

	for (int i = 0; i < CANDIDATES; i++) {
		const struct candidate *c = &world->candidate[i];

		if (!lease_leads(&c->state, local(world, c)))
			continue;
		cr_assert_eq(leader, -1, "at %lld ms both %d and %d lead", (long long)world->now_ms,
			     leader, i);
		leader = i;
	}
	return leader;
}

static void run(struct world *world, int64_t until_ms)
{
	for (; world->now_ms < until_ms; world->now_ms += TICK_MS) {
		int leader;

		for (int i = 0; i < CANDIDATES; i++)
			step(world, &world->candidate[i]);
		leader = leader_of(world);
		if (leader < 0 || leader == world->leader)
			continue;
		world->changes++;
		world->leader = leader;
	}
}

ParameterizedTestParameters(kube_lease, never_two)
{
	static uint32_t seeds[24];

	for (size_t i = 0; i < ARRAY_SIZE(seeds); i++)
		seeds[i] = (uint32_t)i + 1;
	return cr_make_param_array(uint32_t, seeds, ARRAY_SIZE(seeds));
}

ParameterizedTest(uint32_t *seed, kube_lease, never_two)
{
	struct world world = { .random = *seed, .trouble = true, .leader = -1 };

	for (int i = 0; i < CANDIDATES; i++) {
		struct candidate *c = &world.candidate[i];

		snprintf(c->name, sizeof(c->name), "node-%d", i);
		c->offset_ms = 1 + draw(&world, 1000000);
		c->rate = 0.98 + draw(&world, 41) / 1000.0;
		start(&world, c);
	}
	run(&world, TROUBLE_MS);
	cr_assert_gt(world.changes, 3, "the trouble was none");
	world.trouble = false;
	for (int i = 0; i < CANDIDATES; i++)
		world.candidate[i].frozen_until_ms = 0;
	run(&world, TROUBLE_MS + CALM_MS);
	cr_assert_neq(leader_of(&world), -1, "nobody leads after a minute of calm");
	cr_assert_str_eq(world.server.holder, world.candidate[leader_of(&world)].name);
}

static struct lease_record held(const char *holder, const char *version)
{
	struct lease_record record = { .duration_ms = KUBE_LEASE_DURATION_MS };

	strcpy(record.holder, holder);
	strcpy(record.version, version);
	return record;
}

static struct lease_state begin(void)
{
	const struct kube_lease_options options = { .identity = "me" };
	struct lease_state state;

	cr_assert_eq(lease_state_init(&state, &options, 1000), 0);
	return state;
}

Test(kube_lease, waits_by_its_own_clock)
{
	struct lease_state state = begin();
	struct lease_record record = held("other", "7");

	cr_assert_eq(lease_next(&state, 1000), LEASE_LOOK);
	lease_succeeded(&state, LEASE_LOOK, &record, 1000, 2000, 0);
	cr_assert_eq(state.next_ms, 4000);
	cr_assert_eq(lease_next(&state, 16999), LEASE_LOOK);
	cr_assert_eq(lease_next(&state, 17000), LEASE_TAKE);
	/* A renewal starts the wait over. */
	strcpy(record.version, "8");
	lease_succeeded(&state, LEASE_LOOK, &record, 16000, 16001, 0);
	cr_assert_eq(lease_next(&state, 31000), LEASE_LOOK);
	cr_assert_eq(lease_next(&state, 31001), LEASE_TAKE);
	/* To look again and find it the same does not. */
	lease_succeeded(&state, LEASE_LOOK, &record, 20000, 20001, 0);
	cr_assert_eq(lease_next(&state, 31001), LEASE_TAKE);
}

Test(kube_lease, leads_from_the_moment_it_asked)
{
	struct lease_state state = begin();
	struct lease_record record = { .version = "" };

	lease_succeeded(&state, LEASE_LOOK, &record, 1000, 1100, 0);
	cr_assert_eq(state.next_ms, 1100);
	cr_assert_eq(lease_next(&state, 1100), LEASE_CREATE);
	record = held("me", "1");
	lease_succeeded(&state, LEASE_CREATE, &record, 1100, 4100, 0);
	cr_assert(lease_leads(&state, 11099));
	cr_assert_not(lease_leads(&state, 11100));
	cr_assert_eq(state.next_ms, 6100);
	/* A renewal that fails is tried again from a fresh look, and leading goes on meanwhile. */
	lease_failed(&state, 7000, 0);
	cr_assert_eq(lease_next(&state, 9000), LEASE_LOOK);
	cr_assert_eq(state.next_ms, 9000);
	cr_assert(lease_leads(&state, 11099));
	cr_assert_eq(lease_wakes_ms(&state, 7000), 9000);
	lease_succeeded(&state, LEASE_LOOK, &record, 9000, 9050, 0);
	cr_assert_eq(lease_next(&state, 9050), LEASE_TAKE);
	record = held("other", "3");
	lease_succeeded(&state, LEASE_LOOK, &record, 9060, 9070, 0);
	cr_assert_not(lease_leads(&state, 9070), "another's name is there");
}

Test(kube_lease, given_back_is_free_at_once)
{
	struct lease_state state = begin();
	struct lease_record record = held("", "9");

	lease_succeeded(&state, LEASE_LOOK, &record, 1000, 1001, 0);
	cr_assert_eq(state.next_ms, 1001);
	cr_assert_eq(lease_next(&state, 1001), LEASE_TAKE);
}

Test(kube_lease, own_one_is_taken_at_once)
{
	struct lease_state state = begin();
	struct lease_record record = held("me", "9");

	lease_succeeded(&state, LEASE_LOOK, &record, 1000, 1001, 0);
	cr_assert_not(lease_leads(&state, 1001), "it was another process's");
	cr_assert_eq(lease_next(&state, 1001), LEASE_TAKE);
}

Test(kube_lease, a_longer_duration_is_respected_within_bounds)
{
	struct lease_state state = begin();
	struct lease_record record = held("other", "9");

	record.duration_ms = 30000;
	lease_succeeded(&state, LEASE_LOOK, &record, 1000, 1000, 0);
	cr_assert_eq(lease_next(&state, 30999), LEASE_LOOK);
	cr_assert_eq(lease_next(&state, 31000), LEASE_TAKE);
	record.duration_ms = INT32_MAX;
	strcpy(record.version, "10");
	lease_succeeded(&state, LEASE_LOOK, &record, 1000, 1000, 0);
	cr_assert_eq(lease_next(&state, 61000), LEASE_TAKE);
}

/* 5,000 who wait ask about 50 times a second together, and still notice in time. */
Test(kube_lease, many_candidates_look_seldom)
{
	struct lease_state state = begin();
	struct lease_record record = held("other", "9");
	double per_s = 0;

	state.candidates = 5000;
	for (uint32_t i = 0; i < 1000; i++) {
		lease_succeeded(&state, LEASE_LOOK, &record, 1000, 1000, i * (UINT32_MAX / 1000));
		per_s += 5000.0 * 1000 / (double)(state.next_ms - 1000) / 1000;
	}
	cr_assert_leq(per_s, KUBE_LEASE_LOOKS_PER_S);
	record.overdue = true;
	lease_succeeded(&state, LEASE_LOOK, &record, 1000, 1000, UINT32_MAX / 2);
	cr_assert_geq(state.next_ms, 16000);
	cr_assert_leq(state.next_ms, 18000);
}

Test(kube_lease, times_in_order)
{
	struct kube_lease_options options = { .identity = "me", .deadline_ms = 15000 };
	struct lease_state state;

	cr_assert_eq(lease_state_init(&state, &options, 0), -EINVAL);
	options = (struct kube_lease_options){ .identity = "" };
	cr_assert_eq(lease_state_init(&state, &options, 0), -EINVAL);
}
