/* SPDX-License-Identifier: Apache-2.0 */
/* Two hosts with an agent each, and a third one that nobody has reason to believe. */
#include "tests/lab/test_nodes_common.h"

static struct nodes n;

static void setup(void)
{
	nodes_new(&n, "nodes-pair");
	nodes_policy(&n);
	nodes_start(&n);
}

static void teardown(void)
{
	nodes_free(&n);
}

TestSuite(nodes_pair, .init = setup, .fini = teardown, .timeout = 90);

/* Both applications, and the flow events of both nodes. */
static void verified_on_both_sides(const char *address)
{
	struct lab_process *server = nodes_reporter(&n, address);
	json_t *reply = nodes_connect(&n, n.client, address);

	must_answer(reply);
	nodes_must_be_verified(reply, NODE_B, SPIFFE("payments"));
	nodes_must_be_verified(lab_read(server, LAB_WAIT_MS), NODE_A, SPIFFE("checkout"));
	LAB_NODE_FLOW(n.b, .verdict = "FORWARDED", .direction = "INGRESS", .reason = "RULE",
		      .authentication = "verified", .from = SPIFFE("checkout"),
		      .to = SPIFFE("payments"), .port = 8081, .peer_node = NODE_A);
	LAB_NODE_FLOW(n.a, .verdict = "FORWARDED", .direction = "EGRESS",
		      .authentication = "verified", .from = SPIFFE("checkout"),
		      .to = SPIFFE("payments"), .port = 8081, .peer_node = NODE_B);
}

Test(nodes_pair, both_sides_know_each_other_over_ipv4)
{
	verified_on_both_sides(SERVER4 ":8081");
}

Test(nodes_pair, both_sides_know_each_other_over_ipv6)
{
	verified_on_both_sides("[" SERVER6 "]:8081");
}

Test(nodes_pair, a_denied_connection_times_out)
{
	must_time_out(nodes_connect(&n, n.report, SERVER4 ":8080"));
	must_time_out(nodes_connect(&n, n.report, "[" SERVER6 "]:8080"));
	LAB_NODE_FLOW(n.b, .verdict = "DROPPED", .direction = "INGRESS", .reason = "DEFAULT_DENY",
		      .from = SPIFFE("report"), .to = SPIFFE("payments"), .port = 8080);
}

Test(nodes_pair, a_workload_from_another_ones_address_is_itself)
{
	struct lab_place thief = { "shop/report", n.client.host };

	must_time_out(nodes_connect(&n, thief, SERVER4 ":8080"));
	LAB_NODE_FLOW(n.b, .verdict = "DROPPED", .direction = "INGRESS", .reason = "DEFAULT_DENY",
		      .from = SPIFFE("report"), .port = 8080);
}

Test(nodes_pair, a_node_without_a_record_is_unknown)
{
	lab_node_credential(n.c, NULL);
	lab_serve(n.lab, n.server, SERVER4 ":8090");
	lab_node_start(n.c, "--tag-networks", "10.77.0.0/24");
	must_time_out(nodes_connect(&n, n.other, SERVER4 ":8090"));
	LAB_NODE_FLOW(n.b, .verdict = "DROPPED", .direction = "INGRESS", .reason = "UNKNOWN_NODE",
		      .port = 8090);
}

Test(nodes_pair, a_node_of_another_ca_is_unknown_and_said_so)
{
	struct lab_ca *own = lab_ca(n.lab, "example.org");
	const char *text;
	int code;

	lab_ca_node(own, n.c);
	lab_serve(n.lab, n.server, SERVER4 ":8090");
	lab_node_start(n.c, "--tag-networks", "10.77.0.0/24");
	must_time_out(nodes_connect(&n, n.other, SERVER4 ":8090"));
	LAB_NODE_FLOW(n.b, .verdict = "DROPPED", .direction = "INGRESS", .reason = "UNKNOWN_NODE",
		      .port = 8090);
	text = lab_node_cli(n.b, &code, "nodes", "-o", "json");
	cr_assert(strstr(text, "CERTIFICATE"), "countersign nodes does not say why: %s", text);
}

Test(nodes_pair, a_third_node_with_a_good_record_is_verified)
{
	json_t *reply;

	lab_serve(n.lab, n.server, SERVER4 ":8090");
	nodes_start_c(&n);
	reply = nodes_connect(&n, n.other, SERVER4 ":8090");
	must_answer(reply);
	nodes_must_be_verified(reply, NODE_B, SPIFFE("payments"));
	LAB_NODE_FLOW(n.b, .verdict = "FORWARDED", .direction = "INGRESS",
		      .authentication = "verified", .from = SPIFFE("other"), .peer_node = NODE_C);
}

Test(nodes_pair, a_stopped_agent_leaves_its_keys_in_force)
{
	lab_node_kill9(n.a);
	lab_node_kill9(n.b);
	nodes_must_be_verified(nodes_connect(&n, n.client, SERVER4 ":8080"), NODE_B,
			       SPIFFE("payments"));
	must_time_out(nodes_connect(&n, n.report, SERVER4 ":8080"));
}
