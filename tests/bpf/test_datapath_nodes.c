/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of other nodes, who may be claimed by whom, and what one agent leaves for the next. */
#include "tests/bpf/test_datapath.h"

#define OWN 1 /* dt.options.node */

static void setup(void)
{
	datapath_test_setup();
	dt.options.node = OWN;
	datapath_test_open();
	commit_image(test_image_of(1000, 1010));
}

TestSuite(datapath_nodes, .init = setup, .fini = datapath_test_teardown, .timeout = 120);

static struct cs_key key(uint64_t n)
{
	return (struct cs_key){ .k0 = n, .k1 = ~n };
}

/* Keys for all phases in @valid, made from @seed. */
static struct cs_node_keys keys(uint16_t node, uint8_t valid, uint64_t seed)
{
	struct cs_node_keys k = { .node = node, .send_valid = valid, .receive_valid = valid };

	for (int phase = 0; phase < CS_PHASES; phase++) {
		if (!(valid & 1 << phase))
			continue;
		k.send[phase] = key(seed + phase);
		k.receive[phase] = key(seed + 100 + phase);
		k.send_phase = phase;
	}
	return k;
}

static void set(struct cs_node_keys k, int want)
{
	cr_assert_eq(datapath_set_nodes(dt.dp, &k, 1), want, "%s", datapath_error(dt.dp));
}

/* The kernel's entry of a node, NULL: it knows none. */
static const struct cs_node_keys *kernel(uint16_t node)
{
	uint32_t slot = dt.dp->view.node_index[node].slot;

	return slot ? &dt.dp->view.nodes[slot] : NULL;
}

static bool is_zero(const struct cs_key *k)
{
	return !k->k0 && !k->k1;
}

Test(datapath_nodes, keys_stay_over_commits_and_restarts)
{
	struct cs_node_keys own = *kernel(OWN);

	set(keys(7, 0x5, 10), 0);
	commit_image(test_image_of(1000, 1020));
	commit_image(test_image_of(1005, 1030));
	datapath_test_reopen();
	commit_image(test_image_of(1005, 1030));
	cr_assert_not_null(kernel(7));
	cr_expect_eq(kernel(7)->node, 7);
	cr_expect_eq(kernel(7)->receive_valid, 0x5);
	cr_expect_eq(kernel(7)->send[2].k0, 12);
	cr_expect_eq(kernel(7)->receive[0].k0, 110);
	cr_expect_eq(memcmp(kernel(OWN), &own, sizeof(own)), 0, "the own key is what it was");
}

Test(datapath_nodes, a_new_node_after_commits_gets_a_place_of_its_own)
{
	set(keys(7, 0x1, 10), 0);
	commit_image(test_image_of(1000, 1020));
	set(keys(8, 0x1, 20), 0);
	cr_assert_neq(dt.dp->view.node_index[7].slot, dt.dp->view.node_index[8].slot);
	cr_expect_eq(kernel(7)->send[0].k0, 10);
	cr_expect_eq(kernel(8)->send[0].k0, 20);
}

Test(datapath_nodes, a_key_that_is_over_is_wiped_and_said_to_be_past)
{
	struct cs_node_keys next = keys(7, 0x2, 30);

	set(keys(7, 0x3, 10), 0);
	next.send[1] = key(11);
	next.receive[1] = key(111); /* phase 1 stays */
	next.receive_past = 0x1;
	set(next, 0);
	cr_expect_eq(kernel(7)->receive_valid, 0x2);
	cr_expect_eq(kernel(7)->receive_past, 0x1);
	cr_expect(is_zero(&kernel(7)->receive[0]) && is_zero(&kernel(7)->send[0]));
	cr_expect_eq(kernel(7)->receive[1].k0, 111);
}

Test(datapath_nodes, a_refused_node_has_no_keys_and_makes_sockets_decide_anew)
{
	struct cs_node_keys refused = { .node = 7, .refusal = CS_REASON_REVOKED };
	uint32_t stamp;

	set(keys(7, 0x1, 10), 0);
	stamp = dt.dp->control->stamp;
	set(refused, 1);
	cr_expect_neq(dt.dp->control->stamp, stamp);
	stamp = dt.dp->control->stamp;
	set(refused, 0);
	cr_expect_eq(dt.dp->control->stamp, stamp, "who was refused before changes nothing");
	cr_expect_eq(kernel(7)->refusal, CS_REASON_REVOKED);
	cr_expect_eq(kernel(7)->send_valid | kernel(7)->receive_valid, 0);
	cr_expect(is_zero(&kernel(7)->receive[0]));
	set(keys(7, 0x1, 40), 0);
	cr_expect_eq(kernel(7)->refusal, 0);
	cr_expect_eq(kernel(7)->receive[0].k0, 140);
}

static bool keep_eight(void *arg, uint16_t node)
{
	(void)arg;
	return node == 8;
}

Test(datapath_nodes, who_is_not_kept_is_forgotten_and_wiped)
{
	uint32_t slot;

	set(keys(7, 0x1, 10), 0);
	set(keys(8, 0x1, 20), 0);
	slot = dt.dp->view.node_index[7].slot;
	cr_expect_eq(datapath_keep_nodes(dt.dp, keep_eight, NULL), 1);
	cr_expect_null(kernel(7));
	cr_expect(is_zero(&dt.dp->view.nodes[slot].receive[0]));
	cr_assert_not_null(kernel(8));
	cr_assert_not_null(kernel(OWN), "the own node is always kept");
	cr_expect_eq(datapath_keep_nodes(dt.dp, keep_eight, NULL), 0, "nothing to forget");
}

Test(datapath_nodes, this_node_is_no_other)
{
	struct cs_node_keys own = keys(OWN, 0x1, 10);

	cr_expect_eq(datapath_set_nodes(dt.dp, &own, 1), -EINVAL);
}

Test(datapath_nodes, as_many_as_there_are_places)
{
	struct cs_node_keys *all = calloc(CS_NODES_MAX, sizeof(*all));
	size_t n = 0;

	for (uint32_t node = OWN + 1; n < CS_NODES_MAX - 1; node++)
		all[n++] = keys((uint16_t)node, 0x1, node);
	cr_expect_eq(datapath_set_nodes(dt.dp, all, n), -ENOSPC, "one too many");
	cr_expect_not_null(strstr(datapath_error(dt.dp), "CS_NODES_MAX"));
	cr_expect_eq(datapath_set_nodes(dt.dp, all, n - 1), 0);
	cr_expect_eq(kernel(all[n - 2].node)->send[0].k0, all[n - 2].node);
	free(all);
}

/* ---- scope ---- */

static int64_t scope(uint16_t node, uint64_t identity)
{
	uint64_t tag = cs_tag(node, 0, identity);
	uint32_t flags;
	int fd = datapath_test_map("cs_scope");
	int r = bpf_map_lookup_elem(fd, &tag, &flags);

	close(fd);
	return r < 0 ? -ENOENT : (int64_t)flags;
}

static struct datapath_scope runs(uint16_t node, uint64_t identity, uint32_t flags)
{
	return (struct datapath_scope){ .tag = cs_tag(node, 0, identity), .flags = flags };
}

Test(datapath_nodes, scope_is_what_was_set_last)
{
	struct datapath_scope first[] = { runs(7, 1000, CS_SCOPE_KNOWN),
					  runs(7, 1001, CS_SCOPE_KNOWN) };
	struct datapath_scope second[] = { runs(7, 1001, CS_SCOPE_KNOWN),
					   runs(8, 1000, CS_SCOPE_KNOWN) };

	cr_expect_eq(datapath_set_scope(dt.dp, first, 2), 0);
	commit_image(test_image_of(1000, 1040)); /* is none of its business */
	cr_expect_eq(datapath_set_scope(dt.dp, first, 2), 0, "nothing changes");
	cr_expect_eq(datapath_set_scope(dt.dp, second, 2), 1, "one may do less");
	cr_expect_eq(scope(7, 1000), -ENOENT);
	cr_expect_eq(scope(7, 1001), CS_SCOPE_KNOWN);
	cr_expect_eq(scope(8, 1000), CS_SCOPE_KNOWN);
	cr_expect_eq(datapath_set_scope(dt.dp, first, 2), 1);
	cr_expect_eq(scope(7, 1000), CS_SCOPE_KNOWN, "who comes back is known again");
}

Test(datapath_nodes, scope_changes_one_by_one)
{
	struct datapath_scope one = runs(7, 1000, CS_SCOPE_KNOWN);
	uint32_t stamp = dt.dp->control->stamp;

	cr_expect_eq(datapath_update_scope(dt.dp, &one, 1), 0);
	cr_expect_eq(dt.dp->control->stamp, stamp, "who comes makes nobody decide anew");
	one.flags = CS_SCOPE_REVOKED;
	cr_expect_eq(datapath_update_scope(dt.dp, &one, 1), 1);
	cr_expect_neq(dt.dp->control->stamp, stamp);
	cr_expect_eq(scope(7, 1000), CS_SCOPE_REVOKED);
	one.flags = 0;
	cr_expect_eq(datapath_update_scope(dt.dp, &one, 1), 1);
	cr_expect_eq(scope(7, 1000), -ENOENT);
	cr_expect_eq(datapath_update_scope(dt.dp, &one, 1), 0, "it is gone already");
}

Test(datapath_nodes, scope_is_adopted)
{
	struct datapath_scope both[] = { runs(7, 1000, CS_SCOPE_KNOWN),
					 runs(7, 1001, CS_SCOPE_REVOKED) };

	cr_expect_eq(datapath_set_scope(dt.dp, both, 2), 1);
	datapath_test_reopen();
	cr_expect_eq(datapath_set_scope(dt.dp, both, 2), 0, "what is there is known");
	cr_expect_eq(datapath_set_scope(dt.dp, both, 1), 1);
	cr_expect_eq(scope(7, 1001), -ENOENT);
}

/* ---- the vault ---- */

Test(datapath_nodes, the_vault_outlives_the_agent)
{
	struct cs_vault vault = { 0 }, read;

	cr_assert_eq(datapath_vault_read(dt.dp, &read), 0);
	cr_expect_eq(memcmp(&read, &vault, sizeof(vault)), 0, "empty at first");
	memset(&vault, 0xa5, sizeof(vault));
	cr_assert_eq(datapath_vault_write(dt.dp, &vault), 0);
	datapath_test_reopen();
	cr_assert_eq(datapath_vault_read(dt.dp, &read), 0);
	cr_expect_eq(memcmp(&read, &vault, sizeof(vault)), 0);
}
