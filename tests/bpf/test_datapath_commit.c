/* SPDX-License-Identifier: Apache-2.0 */
/* Commits: what lands where, what stays, what is undone. */
#include "tests/bpf/test_datapath.h"

#include <pthread.h>

static void setup(void)
{
	datapath_test_setup();
	datapath_test_open();
}

TestSuite(datapath_commit, .init = setup, .fini = datapath_test_teardown, .timeout = 120);

static uint32_t bank(void)
{
	return dt.dp->control->epoch % CS_BANKS;
}

static const struct cs_peer *peer(uint64_t identity)
{
	int64_t slot = datapath_test_slot("cs_identities", &identity);

	cr_assert_gt(slot, 0, "identity %llu is known", (unsigned long long)identity);
	return &dt.dp->view.peers[slot];
}

static const struct cs_endpoint *endpoint(const char *address)
{
	struct cs_addr addr = test_addr(address);
	int64_t slot = datapath_test_slot("cs_addresses", &addr);

	cr_assert_gt(slot, 0, "%s is known", address);
	return &dt.dp->view.endpoints[slot];
}

static const struct cs_class *class_of(const char *address, uint32_t length)
{
	struct cs_cidr cidr = test_cidr(address, length);
	int64_t slot = datapath_test_slot("cs_cidrs", &cidr);

	cr_assert_gt(slot, 0, "%s/%u leads to a class", address, length);
	return &dt.dp->view.classes[slot];
}

static const struct cs_subject *subject(size_t workload)
{
	return &dt.dp->view.subjects[bank() * CS_WORKLOADS_MAX + dt.dp->workload_slot[workload]];
}

/* ---- what lands where ---- */

Test(datapath_commit, everything_lands_in_the_new_bank)
{
	struct image *image = test_image();
	const struct cs_workload *w;

	image->rulesets[ALLOW].count = 2;
	image->rulesets[ALLOW].rules[1].id = 42;
	image->unmanaged_ruleset[CS_INGRESS] = DENY;
	test_image_workload(image, "a", 1000, ALLOW);
	image->workloads[0].ruleset[CS_EGRESS] = DENY;
	test_image_identity(image, 1000, 1);
	test_image_class(image, "10.0.0.0", 8, 1);
	test_image_endpoint(image, "10.0.0.1", 1000, 1);
	image->endpoints[0].workload_index = 1;
	commit_image(image);

	w = &dt.dp->view.workloads[dt.dp->workload_slot[0]];
	cr_expect_eq(w->identity, 1000);
	cr_expect_gt(w->generation, 0);
	cr_expect_str_eq(dt.dp->view.names[w->name].spiffe_id, "spiffe://example.org/ns/test/sa/a");
	cr_expect_eq(subject(0)->standing, CS_SUBJECT_VALID);
	cr_expect_eq(subject(0)->generation, w->generation);
	cr_expect_eq(subject(0)->ruleset[CS_INGRESS], ALLOW);
	cr_expect_eq(subject(0)->ruleset[CS_EGRESS], DENY);
	cr_expect_eq(dt.dp->view.subjects[bank() * CS_WORKLOADS_MAX].ruleset[CS_INGRESS], DENY);
	cr_expect_eq(dt.dp->view.subjects[bank() * CS_WORKLOADS_MAX].standing, CS_SUBJECT_VALID);
	cr_expect_eq(dt.dp->view.rulesets[bank() * CS_RULESETS_MAX].rules[1].id, 42);
	cr_expect_eq(dt.dp->view.bitmaps[bank() * CS_BITMAPS_MAX + 1].word[3], ~0ULL);
	cr_expect_eq(peer(1000)->identity, 1000);
	cr_expect_eq(peer(1000)->row[bank()], 1);
	cr_expect_str_eq(dt.dp->view.names[peer(1000)->name].spiffe_id,
			 "spiffe://example.org/1000");
	cr_expect_eq(class_of("10.0.0.0", 8)->row[bank()], 1);
	cr_expect_eq(endpoint("10.0.0.1")->identity, 1000);
	cr_expect_eq(endpoint("10.0.0.1")->workload, dt.dp->workload_slot[0]);
	cr_expect_eq(&dt.dp->view.classes[endpoint("10.0.0.1")->class_], class_of("10.0.0.0", 8));
}

Test(datapath_commit, banks_take_turns)
{
	for (uint32_t i = 1; i <= 6; i++) {
		struct image *image = test_image();

		image->rulesets[ALLOW].default_rule = i;
		test_image_identity(image, 1000, i % 2);
		commit_image(image);
		cr_expect_eq(dt.dp->control->epoch, i);
		cr_expect_eq(peer(1000)->row[bank()], i % 2);
		cr_expect_eq(dt.dp->view.rulesets[bank() * CS_RULESETS_MAX].default_rule, i);
		if (i > 1)
			cr_expect_eq(dt.dp->view.rulesets[!bank() * CS_RULESETS_MAX].default_rule,
				     i - 1, "the old bank is untouched");
	}
}

Test(datapath_commit, epoch_wraps_past_zero)
{
	commit_image(test_image());
	dt.dp->control->epoch = UINT32_MAX;
	commit_image(test_image());
	cr_expect_eq(dt.dp->control->epoch, 2);
}

Test(datapath_commit, decided_sockets_decide_anew)
{
	uint32_t stamp = dt.dp->control->stamp;

	cr_expect_gt(stamp, 0);
	commit_image(test_image());
	cr_expect_gt(dt.dp->control->stamp, stamp);
}

/* ---- what stays, what goes ---- */

Test(datapath_commit, slots_are_stable)
{
	const struct cs_peer *before;

	commit_image(test_image_of(1000, 1010));
	before = peer(1005);
	for (int i = 0; i < 4; i++) {
		commit_image(test_image_of(1004 - i, 1006 + i));
		cr_expect_eq(peer(1005), before);
	}
}

Test(datapath_commit, what_is_gone_is_removed)
{
	struct cs_addr addr = test_addr("fd77::2");
	struct cs_cidr cidr = test_cidr("fd00::", 8);
	const uint64_t identity = 1000;
	struct image *image = test_image_of(1000, 1000);

	test_image_endpoint(image, "fd77::2", 1000, test_image_class(image, "fd00::", 8, 1));
	test_image_workload(image, "a", 1000, ALLOW);
	commit_image(image);
	cr_expect_gt(datapath_test_slot("cs_addresses", &addr), 0);
	commit_image(test_image());
	cr_expect_eq(datapath_test_slot("cs_identities", &identity), -ENOENT);
	cr_expect_eq(datapath_test_slot("cs_addresses", &addr), -ENOENT);
	cr_expect_eq(datapath_test_slot("cs_cidrs", &cidr), -ENOENT);
	for (int i = 0; i < TABLES_OF_IMAGE; i++)
		cr_expect_eq(dt.dp->tables[i].slots.bound, 0, "%s", dt.dp->tables[i].what);
}

Test(datapath_commit, a_freed_slot_is_not_reused_without_a_grace_period)
{
	uint32_t freed;

	commit_image(test_image_of(1000, 1000));
	freed = peer(1000) - dt.dp->view.peers;
	commit_image(test_image_of(2000, 2000));
	cr_expect_neq(peer(2000) - dt.dp->view.peers, freed, "still in use when 2000 came");
	commit_image(test_image_of(2000, 2001));
	cr_expect_neq(peer(2001) - dt.dp->view.peers, freed, "retired when 2001 came");
	commit_image(test_image_of(2000, 2002));
	cr_expect_eq(peer(2002) - dt.dp->view.peers, freed, "free when 2002 came");
}

Test(datapath_commit, retired_slots_are_had_when_nothing_else_is_left)
{
	struct image *image;

	/* 8191 names fit: 4500, then 3600 others, then again others: needs retired ones. */
	for (int round = 0; round < 4; round++) {
		char name[64];

		image = test_image();
		for (int i = 0; i < (round ? 3600 : 4500); i++) {
			snprintf(name, sizeof(name), "spiffe://example.org/%d/%d", round, i);
			test_image_name(image, name);
		}
		commit_image(image);
	}
}

Test(datapath_commit, an_address_that_changes_moves_to_another_slot)
{
	struct image *image = test_image_of(1000, 1001);
	const struct cs_endpoint *before;

	test_image_endpoint(image, "10.0.0.1", 1000, 0);
	commit_image(image);
	before = endpoint("10.0.0.1");
	image = test_image_of(1000, 1001);
	test_image_endpoint(image, "10.0.0.1", 1001, 0);
	commit_image(image);
	cr_expect_neq(endpoint("10.0.0.1"), before, "nobody sees half of either");
	cr_expect_eq(endpoint("10.0.0.1")->identity, 1001);
	cr_expect_eq(before->identity, 1000, "who still reads the old slot reads the old value");
	cr_expect_eq(dt.dp->tables[TABLE_ENDPOINTS].slots.bound, 1);
}

Test(datapath_commit, names_follow_their_identity)
{
	struct image *image = test_image_of(1000, 1000);

	commit_image(test_image_of(1000, 1000));
	snprintf(image->names[image->identities[0].name_index], CS_SPIFFE_ID_MAX, "spiffe://new");
	commit_image(image);
	cr_expect_str_eq(dt.dp->view.names[peer(1000)->name].spiffe_id, "spiffe://new");
}

/* ---- classes ---- */

Test(datapath_commit, a_new_prefix_changes_nothing_for_the_old_policy)
{
	struct image *image = test_image();

	test_image_class(image, "10.0.0.0", 8, 1);
	test_image_class(image, "10.64.0.0", 10, 0);
	commit_image(image);
	image = test_image();
	test_image_class(image, "10.0.0.0", 8, 0);
	test_image_class(image, "10.1.0.0", 16, 1);
	test_image_class(image, "10.1.2.0", 23, 0);
	test_image_class(image, "10.65.0.0", 16, 1);
	test_image_class(image, "11.0.0.0", 8, 1);
	commit_image(image);
	cr_expect_eq(class_of("10.1.0.0", 16)->row[!bank()], 1, "as 10/8 had");
	cr_expect_eq(class_of("10.1.2.0", 23)->row[!bank()], 1, "not as the new 10.1/16");
	cr_expect_eq(class_of("10.65.0.0", 16)->row[!bank()], 0, "as 10.64/10 had");
	cr_expect_eq(class_of("11.0.0.0", 8)->row[!bank()], 0, "nothing covered it");
	cr_expect_eq(class_of("10.1.0.0", 16)->row[bank()], 1);
}

Test(datapath_commit, an_address_in_a_prefix_that_goes_gets_the_shorter_one)
{
	struct image *image = test_image_of(1000, 1000);
	uint32_t longer;

	test_image_class(image, "10.0.0.0", 8, 0);
	test_image_endpoint(image, "10.1.0.1", 1000, test_image_class(image, "10.1.0.0", 16, 1));
	commit_image(image);
	longer = endpoint("10.1.0.1")->class_;
	image = test_image_of(1000, 1000);
	test_image_endpoint(image, "10.1.0.1", 1000, test_image_class(image, "10.0.0.0", 8, 1));
	commit_image(image);
	cr_expect_neq(endpoint("10.1.0.1")->class_, longer);
	cr_expect_eq(&dt.dp->view.classes[endpoint("10.1.0.1")->class_], class_of("10.0.0.0", 8));
	cr_expect_eq(dt.dp->view.classes[longer].row[bank()], 1,
		     "who came through the old one meanwhile got the new one's selectors");
	cr_expect_eq(dt.dp->tables[TABLE_ENDPOINTS].slots.bound, 1);
}

Test(datapath_commit, class_flags_change)
{
	struct image *image = test_image();

	test_image_class(image, "10.0.0.0", 8, 1);
	commit_image(image);
	image = test_image();
	test_image_class(image, "10.0.0.0", 8, 1);
	image->classes[0].flags = CS_CLASS_TAG;
	commit_image(image);
	cr_expect_eq(class_of("10.0.0.0", 8)->flags, CS_CLASS_TAG);
}

/* ---- after a restart ---- */

Test(datapath_commit, a_restart_finds_every_slot_again)
{
	const struct cs_endpoint *address;
	const struct cs_class *class_;
	struct image *images[2];
	const struct cs_peer *p;
	uint32_t name;

	for (int i = 0; i < 2; i++) {
		images[i] = test_image_of(1000, 1100);
		test_image_endpoint(images[i], "10.0.0.1", 1000,
				    test_image_class(images[i], "10.0.0.0", 8, 1));
	}
	commit_image(images[0]);
	p = peer(1050);
	name = p->name;
	address = endpoint("10.0.0.1");
	class_ = class_of("10.0.0.0", 8);
	size_t ps = p - dt.dp->view.peers, as = address - dt.dp->view.endpoints,
	       cs = class_ - dt.dp->view.classes;
	datapath_test_reopen();
	commit_image(images[1]);
	cr_expect_eq(peer(1050) - dt.dp->view.peers, ps);
	cr_expect_eq(peer(1050)->name, name);
	cr_expect_eq(endpoint("10.0.0.1") - dt.dp->view.endpoints, as);
	cr_expect_eq(class_of("10.0.0.0", 8) - dt.dp->view.classes, cs);
	cr_expect_eq(dt.dp->tables[TABLE_NAMES].slots.bound, 101);
}

/* ---- no half policy ---- */

struct reader {
	pthread_t thread;
	const struct cs_peer *peer;
	bool stop;
	uint64_t reads;
	uint64_t mixed; /* reads that saw two policies */
};

/*
 * Reads as a program does: epoch, then the row of an identity in its bank, then the
 * bitmap. Image n gives the identity a bitmap whose words are all n.
 */
static void *read_policy(void *arg)
{
	struct reader *r = arg;

	while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED)) {
		uint32_t epoch = __atomic_load_n(&dt.dp->control->epoch, __ATOMIC_ACQUIRE);
		uint32_t row = __atomic_load_n(&r->peer->row[epoch % CS_BANKS], __ATOMIC_RELAXED);
		const struct cs_bitmap *bitmap =
			&dt.dp->view.bitmaps[(epoch % CS_BANKS) * CS_BITMAPS_MAX + row];
		uint64_t first = __atomic_load_n(&bitmap->word[0], __ATOMIC_RELAXED);
		uint64_t last = __atomic_load_n(&bitmap->word[63], __ATOMIC_ACQUIRE);

		/* A thread is no RCU reader: it may be stopped for long. Then it reads again. */
		if (__atomic_load_n(&dt.dp->control->epoch, __ATOMIC_ACQUIRE) != epoch)
			continue;
		r->reads++;
		r->mixed += first != epoch || last != epoch;
	}
	return NULL;
}

Test(datapath_commit, readers_never_see_half_a_policy)
{
	struct reader reader = { 0 };

	for (uint32_t i = 1; i <= 100; i++) {
		struct image *image = test_image();

		test_image_identity(image, 1000, 1);
		for (int word = 0; word < 64; word++)
			image->bitmaps[1].word[word] = i;
		commit_image(image);
		reader.peer = peer(1000);
		if (i == 1)
			cr_assert_eq(pthread_create(&reader.thread, NULL, read_policy, &reader), 0);
	}
	__atomic_store_n(&reader.stop, true, __ATOMIC_RELAXED);
	pthread_join(reader.thread, NULL);
	cr_expect_gt(reader.reads, 100);
	cr_expect_eq(reader.mixed, 0, "%llu of %llu reads", (unsigned long long)reader.mixed,
		     (unsigned long long)reader.reads);
}
