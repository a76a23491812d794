/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A compromised node: whoever is root on host-c reads that node's keys in its kernel and makes
 * handshakes by hand. Those keys speak for what runs on host-c, and for nothing else.
 */
#include "tests/lab/test_nodes_common.h"

static struct nodes n;
static struct cs_node_keys keys; /* host-c's, with host-b */
static uint64_t checkout, other; /* identities */

static void learn(void)
{
	struct lab_process *server;

	nodes_start_c(&n);
	checkout = nodes_identity_of_client(&n);
	server = nodes_reporter(&n, SERVER4 ":8090");
	must_answer(nodes_connect(&n, n.other, SERVER4 ":8090"));
	other = lab_int(lab_read(server, LAB_WAIT_MS), "peer.identity");
	cr_assert_neq(other, 0);
	cr_assert(lab_node_keys(n.c, NODE_B, &keys));
}

static void setup(void)
{
	nodes_new(&n, "nodes-forge");
	nodes_policy(&n);
	nodes_start(&n);
	learn();
}

static void teardown(void)
{
	nodes_free(&n);
}

TestSuite(nodes_forge, .init = setup, .fini = teardown, .timeout = 90);

static const char *stolen_key(void)
{
	return lab_key_hex(n.lab, &keys.send[keys.send_phase]);
}

static const char *claim(int node, uint64_t identity)
{
	return lab_claim_hex(n.lab, node, keys.send_phase, identity);
}

/* The option of an ACK; its MAC is made by the forger. */
static const char *ack_tag(int node, uint64_t identity)
{
	return lab_printf(n.lab, "fd14%s0000000000000000", claim(node, identity) + 4);
}

/* The forger can do it: what fails below fails at the verifier. */
Test(nodes_forge, its_own_workload_can_be_forged)
{
	json_t *totals = NODES_FORGE(&n, .mode = "key", .key = stolen_key(),
				     .claim = claim(NODE_C, other), .to = SERVER4 ":8090");

	cr_assert_geq(lab_int(totals, "accepted"), NODES_TRIES);
}

Test(nodes_forge, another_nodes_workload_is_refused_at_the_syn)
{
	nodes_refused_at_syn(&n, "WRONG_NODE",
			     &(struct forgery){ .mode = "key",
						.key = stolen_key(),
						.claim = claim(NODE_C, checkout) });
}

Test(nodes_forge, another_nodes_workload_is_refused_at_the_ack)
{
	nodes_refused_at_ack(&n, "WRONG_NODE",
			     &(struct forgery){ .mode = "key",
						.key = stolen_key(),
						.claim = claim(NODE_C, other),
						.tag = ack_tag(NODE_C, checkout),
						.to = SERVER4 ":8090" });
}

Test(nodes_forge, another_nodes_number_needs_another_nodes_key)
{
	nodes_refused_at_ack(&n, "BAD_MAC",
			     &(struct forgery){ .mode = "key",
						.key = stolen_key(),
						.claim = claim(NODE_A, checkout) });
}

Test(nodes_forge, the_receivers_own_workload_is_refused)
{
	nodes_refused_at_syn(&n, "WRONG_NODE",
			     &(struct forgery){ .mode = "key",
						.key = stolen_key(),
						.claim = claim(NODE_B, checkout) });
}

Test(nodes_forge, the_node_itself_cannot_be_claimed)
{
	nodes_refused_at_syn(&n, "WRONG_NODE",
			     &(struct forgery){ .mode = "key",
						.key = stolen_key(),
						.claim = claim(NODE_C, CS_ENTITY_HOST) });
}

Test(nodes_forge, a_number_that_nobody_has_is_unknown)
{
	nodes_refused_at_syn(&n, "UNKNOWN_NODE",
			     &(struct forgery){ .mode = "key",
						.key = stolen_key(),
						.claim = claim(77, checkout) });
}

/* What --node-scope audit gives away, and so what enforce is for. */
Test(nodes_forge, audit_lets_it_through_and_counts)
{
	uint64_t before = lab_node_stat(n.b, "scope_audited");
	json_t *totals;

	lab_node_stop(n.b);
	lab_node_start(n.b, "--node-scope", "audit");
	totals = NODES_FORGE(&n, .mode = "key", .key = stolen_key(),
			     .claim = claim(NODE_C, checkout));
	cr_assert_geq(lab_int(totals, "accepted"), NODES_TRIES);
	cr_assert_geq(lab_node_stat(n.b, "scope_audited") - before, NODES_TRIES);
}
