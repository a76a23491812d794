/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The leader's judgement. Each node has a ledger of its own here and reports it as an agent does;
 * the leader reads the reports.
 */
#include <criterion/criterion.h>

#include "user/kube/realized.h"

#define NODES 4
#define POLICIES 300
#define NOW_S 1790000000

static uint32_t random_state;

static uint32_t draw(uint32_t below)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % below;
}

static const char *const node_names[NODES] = { "node-a", "node-b", "node-c", "node-d" };

struct world {
	struct kube_ledger *leader;
	struct kube_ledger *node[NODES];
	char instance[NODES][16];
	enum condition_reason reason[NODES];
	struct kube_realized *realized;
	int64_t now_ms;
};

static void world_done(struct world *world)
{
	kube_realized_free(world->realized);
	kube_ledger_free(world->leader);
	for (size_t i = 0; i < NODES; i++)
		kube_ledger_free(world->node[i]);
}

static void set_node(struct world *world, size_t i, const char *label)
{
	char document[64], text[256];

	snprintf(document, sizeof(document), "Node/%s", node_names[i]);
	snprintf(text, sizeof(text),
		 "{\"metadata\":{\"uid\":\"n%zu\",\"labels\":{\"countersign.dev/agent\":\"%s\"}}}",
		 i, label);
	cr_assert_eq(kube_ledger_set(world->leader, document, text, strlen(text)), 0);
}

static struct world world_new(void)
{
	struct world world = { .now_ms = 1000000 };

	cr_assert_eq(kube_ledger_new(&world.leader), 0);
	cr_assert_eq(kube_realized_new(world.leader, &world.realized), 0);
	for (size_t i = 0; i < NODES; i++) {
		cr_assert_eq(kube_ledger_new(&world.node[i]), 0);
		snprintf(world.instance[i], sizeof(world.instance[i]), "i%zu", i);
		world.reason[i] = REASON_IN_FORCE;
		set_node(&world, i, "");
	}
	return world;
}

static void name_of(unsigned int i, char ret[64])
{
	snprintf(ret, 64, "IdentityPolicy/ns/p%u", i);
}

static void put(struct kube_ledger *ledger, unsigned int i, int64_t generation)
{
	char document[64], text[256];

	name_of(i, document);
	snprintf(
		text, sizeof(text),
		"{\"metadata\":{\"uid\":\"%08x-0000-4000-8000-00000000000a\",\"generation\":%lld}}",
		i, (long long)generation);
	cr_assert_eq(kube_ledger_set(ledger, document, generation ? text : NULL,
				     generation ? strlen(text) : 0),
		     0);
}

static void settle(struct kube_ledger *ledger, const char *refused, const char *message)
{
	const struct kube_refused list = { refused, message };

	cr_assert_geq(kube_ledger_settle(ledger, &list, refused ? 1 : 0), 0);
}

/* Through JSON, as over the API server. */
static void report(struct world *world, size_t i)
{
	struct report_facts facts = {
		.node = node_names[i],
		.version = "1",
		.instance = world->instance[i],
		.enforcing = { .set = true, .reason = world->reason[i], .since_s = NOW_S },
		.realtime_s = NOW_S + world->now_ms / 1000,
	};
	json_auto_t *object = report_object(&facts, "");
	_cleanup_(report_done) struct report read = { 0 };

	json_object_set_new(object, "status", report_status(&facts, world->node[i]));
	cr_assert_eq(report_parse(object, &read), 0);
	cr_assert_eq(kube_realized_report(world->realized, &read, world->now_ms,
					  NOW_S + world->now_ms / 1000),
		     0);
}

static void report_all(struct world *world)
{
	for (size_t i = 0; i < NODES; i++)
		report(world, i);
}

static struct kube_judgement judge(struct world *world, unsigned int i)
{
	const struct ledger_policy *policy;
	struct kube_judgement judgement;
	char document[64];

	name_of(i, document);
	policy = kube_ledger_find(world->leader, document);
	cr_assert_not_null(policy);
	cr_assert_geq(kube_realized_prepare(world->realized, world->now_ms), 0);
	kube_realized_judge(world->realized, policy, &judgement);
	return judgement;
}

/* One policy everywhere. */
static void spread(struct world *world, unsigned int i, int64_t generation)
{
	put(world->leader, i, generation);
	settle(world->leader, NULL, NULL);
	for (size_t n = 0; n < NODES; n++) {
		put(world->node[n], i, generation);
		settle(world->node[n], NULL, NULL);
	}
}

static void expect(struct world *world, enum condition_reason reason, const char *detail)
{
	struct kube_judgement judgement = judge(world, 1);

	cr_assert_eq(judgement.reason, reason, "%s: %s", condition_reason_text(judgement.reason),
		     judgement.detail);
	cr_assert_str_eq(judgement.detail, detail);
}

Test(kube_realized, only_when_all_enforce)
{
	_cleanup_(world_done) struct world world = world_new();

	spread(&world, 1, 1);
	expect(&world, REASON_NODES_SILENT, "0 of 4 nodes; node-a is not heard of");
	report(&world, 0);
	report(&world, 1);
	report(&world, 2);
	expect(&world, REASON_NODES_SILENT, "3 of 4 nodes; node-d is not heard of");
	report(&world, 3);
	expect(&world, REASON_ALL_NODES, "4 of 4 nodes");
	/* The next generation is not realised by what was said of the last. */
	put(world.leader, 1, 2);
	settle(world.leader, NULL, NULL);
	expect(&world, REASON_NODES_PENDING, "0 of 4 nodes; node-a does not enforce it yet");
	for (size_t i = 0; i < NODES; i++) {
		put(world.node[i], 1, 2);
		if (i != 2)
			settle(world.node[i], NULL, NULL);
	}
	report_all(&world);
	expect(&world, REASON_NODES_PENDING, "3 of 4 nodes; node-c does not enforce it yet");
	settle(world.node[2], NULL, NULL);
	report(&world, 2);
	expect(&world, REASON_ALL_NODES, "4 of 4 nodes");
}

/* A node that hears of a change first is not behind when the leader hears of it. */
Test(kube_realized, node_ahead_of_the_leader)
{
	_cleanup_(world_done) struct world world = world_new();

	spread(&world, 1, 1);
	for (size_t i = 0; i < NODES; i++) {
		put(world.node[i], 1, 2);
		settle(world.node[i], NULL, NULL);
	}
	report_all(&world);
	expect(&world, REASON_NODES_PENDING, "0 of 4 nodes; node-a does not enforce it yet");
	put(world.leader, 1, 2);
	settle(world.leader, NULL, NULL);
	expect(&world, REASON_ALL_NODES, "4 of 4 nodes");
}

Test(kube_realized, refused_by_one)
{
	_cleanup_(world_done) struct world world = world_new();

	spread(&world, 1, 1);
	settle(world.node[1], "IdentityPolicy/ns/p1", "spec.x: no room");
	settle(world.node[3], "IdentityPolicy/ns/p1", "another word");
	report_all(&world);
	expect(&world, REASON_NODES_REFUSED, "2 of 4 nodes; node-b refuses it: spec.x: no room");
	settle(world.node[1], NULL, NULL);
	settle(world.node[3], NULL, NULL);
	report_all(&world);
	expect(&world, REASON_ALL_NODES, "4 of 4 nodes");
}

/* One refused policy says nothing about the hundreds beside it in its bucket. */
Test(kube_realized, refusal_keeps_no_neighbour_back)
{
	_cleanup_(world_done) struct world world = world_new();

	for (unsigned int i = 0; i < POLICIES; i++)
		spread(&world, i, 1);
	settle(world.node[1], "IdentityPolicy/ns/p1", "no");
	report_all(&world);
	for (unsigned int i = 0; i < POLICIES; i++)
		cr_assert_eq(judge(&world, i).reason,
			     i == 1 ? REASON_NODES_REFUSED : REASON_ALL_NODES);
}

Test(kube_realized, refused_by_the_leader)
{
	_cleanup_(world_done) struct world world = world_new();
	struct kube_judgement judgement;

	spread(&world, 1, 1);
	settle(world.leader, "IdentityPolicy/ns/p1", "spec: wrong");
	judgement = judge(&world, 1);
	cr_assert(judgement.refused_here);
	cr_assert_eq(judgement.reason, REASON_NOT_ACCEPTED);
	for (size_t i = 0; i < NODES; i++)
		settle(world.node[i], "IdentityPolicy/ns/p1", "spec: wrong");
	report_all(&world);
	judgement = judge(&world, 1);
	cr_assert(judgement.refused_here);
	cr_assert_eq(judgement.reason, REASON_NOT_ACCEPTED);
}

/* What other nodes enforce cannot be written wrongly: the leader itself has no room for it. */
Test(kube_realized, refused_by_the_leader_alone)
{
	_cleanup_(world_done) struct world world = world_new();

	spread(&world, 1, 1);
	settle(world.leader, "IdentityPolicy/ns/p1", "no room");
	report_all(&world);
	cr_assert_not(judge(&world, 1).refused_here);
	expect(&world, REASON_NODES_REFUSED, "4 of 4 nodes; the leader's node refuses it: no room");
	settle(world.node[1], "IdentityPolicy/ns/p1", "no room");
	report_all(&world);
	cr_assert_not(judge(&world, 1).refused_here);
	expect(&world, REASON_NODES_REFUSED, "3 of 4 nodes; node-b refuses it: no room");
}

Test(kube_realized, silent_after_a_while)
{
	_cleanup_(world_done) struct world world = world_new();

	spread(&world, 1, 1);
	report_all(&world);
	world.now_ms += REALIZED_SILENCE_MS;
	expect(&world, REASON_ALL_NODES, "4 of 4 nodes");
	for (size_t i = 0; i < NODES - 1; i++)
		report(&world, i);
	world.now_ms += 1000;
	expect(&world, REASON_NODES_SILENT, "3 of 4 nodes; node-d is not heard of");
	/* The same object seen again is no sign of life; a fresh one is. */
	report(&world, 3);
	expect(&world, REASON_ALL_NODES, "4 of 4 nodes");
}

/* A new leader does not take an old report for a fresh one. */
Test(kube_realized, old_report_at_first_sight)
{
	_cleanup_(world_done) struct world world = world_new();

	spread(&world, 1, 1);
	for (size_t i = 0; i < NODES; i++) {
		struct report_facts facts = {
			.node = node_names[i],
			.version = "1",
			.instance = "i",
			.enforcing = { .set = true, .reason = REASON_IN_FORCE },
			.realtime_s = NOW_S - (i == 2 ? REALIZED_SILENCE_MS / 1000 + 1 : 1),
		};
		json_auto_t *object = report_object(&facts, "");
		struct report read = { 0 };

		json_object_set_new(object, "status", report_status(&facts, world.node[i]));
		cr_assert_eq(report_parse(object, &read), 0);
		cr_assert_eq(kube_realized_report(world.realized, &read, world.now_ms, NOW_S), 0);
	}
	expect(&world, REASON_NODES_SILENT, "3 of 4 nodes; node-c is not heard of");
}

/* What an agent before this one had in force is not what this one has. */
Test(kube_realized, another_agent_starts_over)
{
	_cleanup_(world_done) struct world world = world_new();

	spread(&world, 1, 1);
	report_all(&world);
	expect(&world, REASON_ALL_NODES, "4 of 4 nodes");
	kube_ledger_free(world.node[1]);
	cr_assert_eq(kube_ledger_new(&world.node[1]), 0);
	strcpy(world.instance[1], "again");
	report(&world, 1);
	expect(&world, REASON_NODES_PENDING, "3 of 4 nodes; node-b does not enforce it yet");
}

Test(kube_realized, pinned_node_enforces_nothing_of_it)
{
	_cleanup_(world_done) struct world world = world_new();

	spread(&world, 1, 1);
	report_all(&world);
	world.reason[3] = REASON_PINNED;
	report(&world, 3);
	expect(&world, REASON_NODES_PENDING, "3 of 4 nodes; node-d does not enforce it yet");
	world.reason[3] = REASON_IN_FORCE;
	report(&world, 3);
	expect(&world, REASON_ALL_NODES, "4 of 4 nodes");
}

Test(kube_realized, which_nodes_count)
{
	_cleanup_(world_done) struct world world = world_new();

	spread(&world, 1, 1);
	for (size_t i = 0; i < NODES - 1; i++)
		report(&world, i);
	set_node(&world, 3, "none");
	expect(&world, REASON_ALL_NODES, "3 of 3 nodes");
	cr_assert_eq(kube_ledger_set(world.leader, "Node/node-a", NULL, 0), 0);
	expect(&world, REASON_ALL_NODES, "2 of 2 nodes");
	kube_realized_gone(world.realized, "node-b");
	expect(&world, REASON_NODES_SILENT, "1 of 2 nodes; node-b is not heard of");
	for (size_t i = 1; i < NODES; i++)
		set_node(&world, i, "none");
	expect(&world, REASON_NO_NODES, "0 of 0 nodes");
}

/* A change of one policy makes no other one flicker, however nodes and leader come to hear. */
Test(kube_realized, never_flickers_and_never_lies)
{
	_cleanup_(world_done) struct world world = world_new();
	int64_t wanted[POLICIES], has[NODES][POLICIES];
	bool confirmed[POLICIES];

	random_state = 11;
	for (unsigned int i = 0; i < POLICIES; i++) {
		wanted[i] = 1;
		confirmed[i] = true;
		spread(&world, i, 1);
		for (size_t n = 0; n < NODES; n++)
			has[n][i] = 1;
	}
	report_all(&world);
	for (unsigned int step = 0; step < 3000; step++) {
		unsigned int i = draw(POLICIES);
		size_t n = draw(NODES);

		if (!draw(3)) {
			wanted[i]++;
			confirmed[i] = false;
			put(world.leader, i, wanted[i]);
			settle(world.leader, NULL, NULL);
		}
		/* This node hears of some of what changed, in an order of its own. */
		for (unsigned int k = 0; k < 40; k++) {
			unsigned int other = draw(POLICIES);

			has[n][other] = wanted[other];
			put(world.node[n], other, wanted[other]);
		}
		settle(world.node[n], NULL, NULL);
		if (draw(2))
			report(&world, n);
		i = draw(POLICIES);
		if (judge(&world, i).reason == REASON_ALL_NODES) {
			for (size_t k = 0; k < NODES; k++)
				cr_assert_eq(has[k][i], wanted[i], "step %u: a lie", step);
			confirmed[i] = true;
		} else {
			cr_assert_not(confirmed[i], "step %u: it was realised and did not change",
				      step);
		}
	}
	for (size_t n = 0; n < NODES; n++) {
		for (unsigned int i = 0; i < POLICIES; i++)
			put(world.node[n], i, wanted[i]);
		settle(world.node[n], NULL, NULL);
		report(&world, n);
	}
	for (unsigned int i = 0; i < POLICIES; i++)
		cr_assert_eq(judge(&world, i).reason, REASON_ALL_NODES);
}

Test(kube_report, malformed)
{
	static const char *const texts[] = {
		"{}",
		"[]",
		"{\"metadata\":{\"name\":\"\"}}",
		"{\"metadata\":{\"name\":\"a\"},\"status\":{\"instance\":\"i\"}}",
		"{\"metadata\":{\"name\":\"a\"},\"status\":{\"instance\":\"i\",\"reported\":"
		"\"2026-01-01T00:00:00Z\",\"observed\":{\"digests\":\"00\"}}}",
		"{\"metadata\":{\"name\":\"a\"},\"status\":{\"instance\":3}}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		json_auto_t *object = json_loads(texts[i], 0, NULL);
		struct report report = { 0 };

		cr_assert_eq(report_parse(object, &report), -EBADMSG, "%s", texts[i]);
	}
}

/* The same but for the time is not written again; anything else is. */
Test(kube_report, essence)
{
	_cleanup_(kube_ledger_freep) struct kube_ledger *ledger = NULL;
	struct report_facts facts = { .node = "a", .version = "1", .instance = "i", .epoch = 1 };
	_cleanup_free_ char *a = NULL, *b = NULL, *c = NULL;
	json_t *status;

	cr_assert_eq(kube_ledger_new(&ledger), 0);
	facts.enforcing = (struct condition){ .set = true, .reason = REASON_IN_FORCE };
	status = report_status(&facts, ledger);
	a = report_essence(status);
	json_decref(status);
	facts.realtime_s = 1000;
	facts.epoch = 2;
	status = report_status(&facts, ledger);
	b = report_essence(status);
	json_decref(status);
	cr_assert_str_eq(a, b);
	put(ledger, 1, 1);
	settle(ledger, NULL, NULL);
	status = report_status(&facts, ledger);
	c = report_essence(status);
	json_decref(status);
	cr_assert_str_neq(a, c);
}
