/* SPDX-License-Identifier: Apache-2.0 */
/* Small changes of the policy in force: what they write, what they leave alone, undo. */
#include "tests/bpf/test_datapath.h"

static struct image *image; /* in force */
static struct image_delta delta;

static void setup(void)
{
	datapath_test_setup();
	datapath_test_open();
	image = test_image_of(1000, 1010);
	test_image_class(image, "10.0.0.0", 8, 1);
	test_image_endpoint(image, "10.0.0.1", 1000, 1);
	cr_assert_eq(datapath_commit(dt.dp, image), 0, "%s", datapath_error(dt.dp));
}

static void teardown(void)
{
	image_delta_done(&delta);
	image_free(image);
	image = NULL;
	datapath_test_teardown();
}

TestSuite(datapath_update, .init = setup, .fini = teardown, .timeout = 120);

static void begin(void)
{
	image_delta_done(&delta);
	delta.n_identities = image->n_identities;
	delta.n_endpoints = image->n_endpoints;
	delta.n_bitmaps = image->n_bitmaps;
	delta.n_names = image->n_names;
	delta.n_services = image->n_services;
	delta.n_backends = image->n_backends;
}

static void identity_comes(uint64_t identity, uint32_t row)
{
	test_image_identity(image, identity, row);
	cr_assert_eq(image_indexes_add(&delta.identities, image->n_identities - 1), 0);
}

static void endpoint_comes(const char *address, uint64_t identity, uint32_t class_index)
{
	test_image_endpoint(image, address, identity, class_index);
	cr_assert_eq(image_delta_endpoint(&delta, image, image->n_endpoints - 1), 0);
}

static struct datapath_update update(void)
{
	struct datapath_update done = { 0 };

	cr_assert_eq(datapath_update(dt.dp, image, &delta, &done), 0, "%s", datapath_error(dt.dp));
	return done;
}

static uint32_t bank(void)
{
	return dt.dp->control->epoch % CS_BANKS;
}

static const struct cs_peer *peer(uint64_t identity)
{
	int64_t slot = datapath_test_slot("cs_identities", &identity);

	return slot > 0 ? &dt.dp->view.peers[slot] : NULL;
}

static const struct cs_endpoint *endpoint(const char *address)
{
	struct cs_addr addr = test_addr(address);
	int64_t slot = datapath_test_slot("cs_addresses", &addr);

	return slot > 0 ? &dt.dp->view.endpoints[slot] : NULL;
}

Test(datapath_update, one_identity_is_one_map_write)
{
	uint32_t epoch = dt.dp->control->epoch, stamp = dt.dp->control->stamp;
	struct datapath_update done;

	begin();
	identity_comes(2000, 1);
	done = update();
	cr_expect_eq(done.identity_writes, 1);
	cr_expect_eq(done.address_writes, 0);
	cr_expect_eq(done.removals, 0);
	cr_expect(!done.stamped);
	cr_assert_not_null(peer(2000));
	cr_expect_eq(peer(2000)->row[bank()], 1);
	cr_expect_eq(peer(2000)->row[!bank()], 0);
	cr_expect_str_eq(dt.dp->view.names[peer(2000)->name].spiffe_id,
			 "spiffe://example.org/2000");
	cr_expect_eq(dt.dp->control->epoch, epoch);
	cr_expect_eq(dt.dp->control->stamp, stamp, "no socket decides anew");
}

Test(datapath_update, a_new_row_is_there_before_who_has_it)
{
	begin();
	image->bitmaps =
		reallocarray(image->bitmaps, image->n_bitmaps + 1, sizeof(*image->bitmaps));
	memset(&image->bitmaps[image->n_bitmaps], 0x5a, sizeof(*image->bitmaps));
	image->n_bitmaps++;
	identity_comes(2000, (uint32_t)image->n_bitmaps - 1);
	update();
	cr_assert_not_null(peer(2000));
	cr_expect_arr_eq(&dt.dp->view.bitmaps[bank() * CS_BITMAPS_MAX + peer(2000)->row[bank()]],
			 &image->bitmaps[image->n_bitmaps - 1], sizeof(struct cs_bitmap));
}

Test(datapath_update, an_address_has_its_class)
{
	struct cs_cidr cidr = test_cidr("10.0.0.0", 8);

	begin();
	endpoint_comes("10.0.0.2", 1001, 1);
	cr_expect_eq(update().address_writes, 1);
	cr_assert_not_null(endpoint("10.0.0.2"));
	cr_expect_eq(endpoint("10.0.0.2")->identity, 1001);
	cr_expect_eq(endpoint("10.0.0.2")->class_, datapath_test_slot("cs_cidrs", &cidr));
}

Test(datapath_update, what_goes_is_removed_and_decided_anew)
{
	uint32_t stamp = dt.dp->control->stamp;
	struct datapath_update done;

	begin();
	image->identities[0].gone = true; /* identity 1000 */
	cr_assert_eq(image_delta_endpoint(&delta, image, 0), 0);
	image->endpoints[0].gone = true;
	image_indexes_add(&delta.gone_identities, 0);
	delta.restricts = true;
	done = update();
	cr_expect_eq(done.removals, 2);
	cr_expect(done.stamped);
	cr_expect_neq(dt.dp->control->stamp, stamp);
	cr_expect_null(peer(1000));
	cr_expect_null(endpoint("10.0.0.1"));
	cr_expect_not_null(peer(1001));
}

/* The address goes from one to another in a single step: no moment without it. */
Test(datapath_update, an_address_that_changes_hands_is_written_once)
{
	struct datapath_update done;

	begin();
	cr_assert_eq(image_delta_endpoint(&delta, image, 0), 0);
	image->endpoints[0].identity = 1005;
	done = update();
	cr_expect_eq(done.address_writes, 1);
	cr_expect_eq(done.removals, 0);
	cr_assert_not_null(endpoint("10.0.0.1"));
	cr_expect_eq(endpoint("10.0.0.1")->identity, 1005);
}

Test(datapath_update, a_slot_that_was_left_is_not_reused_before_a_grace_period)
{
	const struct cs_peer *old = peer(1000);

	begin();
	image->identities[0].gone = true;
	image_indexes_add(&delta.gone_identities, 0);
	update();
	begin();
	identity_comes(2000, 1);
	update();
	cr_expect_neq(peer(2000), old);
	cr_expect_eq(old->identity, 1000, "whoever reads it still finds what was there");
}

Test(datapath_update, a_commit_after_updates_agrees_with_them)
{
	const struct cs_peer *slot;

	begin();
	identity_comes(2000, 1);
	endpoint_comes("10.0.0.2", 2000, 1);
	update();
	slot = peer(2000);
	begin();
	image->identities[1].gone = true; /* 1001 */
	image_indexes_add(&delta.gone_identities, 1);
	update();
	cr_assert_eq(datapath_commit(dt.dp, image), 0, "%s", datapath_error(dt.dp));
	cr_expect_eq(peer(2000), slot, "it keeps its slot");
	cr_expect_eq(peer(2000)->row[bank()], 1);
	cr_expect_null(peer(1001), "what is gone is not committed");
}

/* The table of addresses is full: identities that came with the address go again. */
Test(datapath_update, a_failure_undoes_everything)
{
	struct slots *slots = &dt.dp->tables[TABLE_ENDPOINTS].slots;
	uint32_t max = slots->max;
	struct datapath_update done = { .identity_writes = 77 };
	int r;

	begin();
	identity_comes(2000, 1);
	identity_comes(2001, 1);
	endpoint_comes("10.0.0.2", 2000, 1);
	slots->max = slots->top;
	r = datapath_update(dt.dp, image, &delta, &done);
	slots->max = max;
	cr_expect_eq(r, -ENOSPC);
	cr_expect_not_null(strstr(datapath_error(dt.dp), "CS_ENDPOINTS_MAX"));
	cr_expect_eq(done.identity_writes, 77, "nothing is returned");
	cr_expect_null(peer(2000));
	cr_expect_null(peer(2001));
	cr_expect_null(endpoint("10.0.0.2"));
	cr_expect_not_null(endpoint("10.0.0.1"));
}

Test(datapath_update, a_change_of_another_policy_is_refused)
{
	struct datapath_update done;

	begin();
	identity_comes(2000, 1);
	delta.n_bitmaps++;
	cr_expect_eq(datapath_update(dt.dp, image, &delta, &done), -ESTALE);
	delta.n_bitmaps--;
	datapath_test_reopen();
	cr_expect_eq(datapath_update(dt.dp, image, &delta, &done), -ESTALE,
		     "an agent that starts anew commits first");
	cr_expect_null(peer(2000));
}

Test(datapath_update, ten_thousand_changes_leave_nothing_behind)
{
	size_t before = dt.dp->tables[TABLE_PEERS].slots.bound;

	for (uint64_t i = 0; i < 10000; i++) {
		begin();
		identity_comes(5000, 1);
		update();
		begin();
		image->identities[image->n_identities - 1].gone = true;
		image_indexes_add(&delta.gone_identities, (uint32_t)image->n_identities - 1);
		update();
		image->n_identities--;
		image->n_names = delta.n_names - 1; /* it had one of its own */
	}
	cr_expect_eq(dt.dp->tables[TABLE_PEERS].slots.bound, before);
	cr_assert_eq(datapath_commit(dt.dp, image), 0);
	cr_expect_eq(dt.dp->tables[TABLE_PEERS].slots.retired, 0);
}
