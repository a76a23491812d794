/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An address that another workload has now, while the receiver still believes in its former
 * owner: it is cut off from updates (Cilium's CFP-28986 is about this). A tag counts more than
 * an address, and where proof is required an address counts nothing.
 */
#include "tests/lab/test_nodes_common.h"

#include <signal.h>

static struct nodes n;

static void setup(void)
{
	nodes_new(&n, "nodes-stale");
	nodes_policy(&n);
	nodes_start(&n);
	nodes_start_c(&n);
	lab_serve(n.lab, n.server, SERVER4 ":8090");
}

static void teardown(void)
{
	if (n.lab)
		lab_signal(lab_node_agent(n.b), SIGCONT);
	nodes_free(&n);
}

TestSuite(nodes_stale, .init = setup, .fini = teardown, .timeout = 90);

/* From now on host-b's agent learns nothing. */
static void cut_off(void)
{
	lab_signal(lab_node_agent(n.b), SIGSTOP);
}

/* checkout's pod is gone; @name in @pod, on host-c, gets its addresses. */
static void hand_over(const char *name, struct lab_host *pod)
{
	lab_ip(n.lab, n.client.host,
	       "addr del " CLIENT4 "/24 dev eth0\naddr del " CLIENT6 "/64 dev eth0\n");
	lab_ip(n.lab, pod,
	       "addr add " CLIENT4 "/24 dev eth0\naddr add " CLIENT6 "/64 dev eth0 nodad\n");
	lab_ip(n.lab, n.server.host, "neigh flush dev eth0\n");
	lab_manifest(
		n.lab, "workloads.yaml",
		lab_printf(n.lab,
			   "apiVersion: countersign.dev/v1alpha1\n"
			   "kind: Workload\n"
			   "metadata: {name: %s, namespace: shop, labels: {app: %s}}\n"
			   "spec: {node: host-c, serviceAccount: %s, cgroup: shop/%s,\n"
			   "  addresses: [" CLIENT4 ", \"" CLIENT6 "\"]}\n"
			   "---\n"
			   "apiVersion: countersign.dev/v1alpha1\n"
			   "kind: Workload\n"
			   "metadata: {name: payments, namespace: shop, labels: {app: payments}}\n"
			   "spec: {node: host-b, serviceAccount: payments, cgroup: shop/payments,\n"
			   "  addresses: [" SERVER4 ", \"" SERVER6 "\"]}\n",
			   name, name, name, name));
	lab_node_reload(n.c);
}

static json_t *from_that_address(struct lab_place place, const char *target)
{
	bool v6 = target[0] == '[';

	return lab_connect(n.lab, place, "--timeout=1500",
			   v6 ? "--bind=[" CLIENT6 "]:0" : "--bind=" CLIENT4 ":0", target);
}

/* Rules that take an inferred identity: what an address alone is good for. */
static void believe_addresses(void)
{
	lab_manifest(n.lab, "policy.yaml",
		     "apiVersion: countersign.dev/v1alpha1\n"
		     "kind: IdentityPolicy\n"
		     "metadata: {name: payments, namespace: shop}\n"
		     "spec:\n"
		     "  subject: {selector: {matchLabels: {app: payments}}}\n"
		     "  ingress:\n"
		     "  - action: Allow\n"
		     "    from: [{serviceAccounts: [{namespace: shop, name: checkout}]}]\n");
	lab_node_reload(n.b);
}

static void names_the_new_owner(const char *reason)
{
	json_t *flow;

	lab_signal(lab_node_agent(n.b), SIGCONT);
	flow = LAB_NODE_FLOW(n.b, .verdict = "DROPPED", .direction = "INGRESS", .reason = reason,
			     .port = 8080, .peer_node = NODE_C);
	cr_assert_str_eq(lab_str(flow, "IP.source"), CLIENT4);
	cr_assert_str_neq(lab_str(flow, "extensions.countersign.source.spiffe_id"),
			  SPIFFE("checkout"));
}

Test(nodes_stale, the_new_owner_does_not_pass_as_the_old_one)
{
	must_answer(nodes_connect(&n, n.client, SERVER4 ":8080"));
	cut_off();
	hand_over("other", n.other.host);
	must_time_out(from_that_address(n.other, SERVER4 ":8080"));
	must_time_out(from_that_address(n.other, "[" SERVER6 "]:8080"));
	names_the_new_owner("DEFAULT_DENY");
}

Test(nodes_stale, nor_where_an_inferred_identity_would_do)
{
	believe_addresses();
	cut_off();
	hand_over("other", n.other.host);
	must_time_out(from_that_address(n.other, SERVER4 ":8080"));
	must_time_out(from_that_address(n.other, "[" SERVER6 "]:8080"));
	names_the_new_owner("DEFAULT_DENY");
}

Test(nodes_stale, what_the_new_owner_may_do_it_may_from_there)
{
	cut_off();
	hand_over("other", n.other.host);
	must_answer(from_that_address(n.other, SERVER4 ":8090"));
}

/* Of a workload that the receiver has never heard of it cannot know where it runs. */
Test(nodes_stale, an_owner_that_is_new_altogether_does_not_pass_either)
{
	struct lab_place late = { "shop/late", n.other.host };

	believe_addresses();
	lab_node_cgroup(n.c, late.cgroup);
	cut_off();
	hand_over("late", n.other.host);
	must_time_out(from_that_address(late, SERVER4 ":8080"));
	names_the_new_owner("WRONG_NODE");
}

/* Without a tag there is only the address, and that is not enough where proof is required. */
Test(nodes_stale, an_untagged_new_owner_is_refused_where_proof_is_required)
{
	struct lab_place outside = { NULL, n.other.host };

	cut_off();
	hand_over("other", n.other.host);
	must_time_out(from_that_address(outside, SERVER4 ":8080"));
	lab_signal(lab_node_agent(n.b), SIGCONT);
	LAB_NODE_FLOW(n.b, .verdict = "DROPPED", .direction = "INGRESS", .reason = "AUTH_REQUIRED",
		      .port = 8080);
}
