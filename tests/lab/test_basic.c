/* SPDX-License-Identifier: Apache-2.0 */
/* Who may connect: allowed and denied, by identity and not by address. */
#include "tests/lab/test_common.h"

#include <signal.h>

static struct world w;

static void setup(void)
{
	world_new(&w, "basic");
	world_usual_policy(&w);
	world_start(&w);
}

static void teardown(void)
{
	world_free(&w);
}

TestSuite(basic, .init = setup, .fini = teardown, .timeout = 90);

Test(basic, an_allowed_workload_connects_over_ipv4)
{
	json_t *reply = world_connect(&w, w.client, SERVER4 ":8080");

	must_answer(reply);
	must_know_peer(reply, "verified", SPIFFE("payments"));
}

Test(basic, an_allowed_workload_connects_over_ipv6)
{
	json_t *reply = world_connect(&w, w.client, "[" SERVER6 "]:8080");

	must_answer(reply);
	must_know_peer(reply, "verified", SPIFFE("payments"));
}

Test(basic, the_server_knows_its_verified_client)
{
	struct lab_process *server = lab_serve(w.lab, w.server, "--report", SERVER4 ":8081");

	must_answer(world_connect(&w, w.client, SERVER4 ":8081"));
	must_know_peer(lab_read(server, LAB_WAIT_MS), "verified", SPIFFE("checkout"));
}

Test(basic, the_server_knows_its_verified_client_over_ipv6)
{
	struct lab_process *server;

	server = lab_serve(w.lab, w.server, "--report", "[" SERVER6 "]:8081");
	must_answer(world_connect(&w, w.client, "[" SERVER6 "]:8081"));
	must_know_peer(lab_read(server, LAB_WAIT_MS), "verified", SPIFFE("checkout"));
}

Test(basic, both_sides_report_a_verified_flow)
{
	must_answer(world_connect(&w, w.client, SERVER4 ":8080"));
	LAB_FLOW(w.lab, .verdict = "FORWARDED", .direction = "EGRESS", .reason = "NOT_ISOLATED",
		 .authentication = "verified", .from = SPIFFE("checkout"), .to = SPIFFE("payments"),
		 .port = 8080);
	LAB_FLOW(w.lab, .verdict = "FORWARDED", .direction = "INGRESS", .reason = "RULE",
		 .authentication = "verified", .from = SPIFFE("checkout"), .to = SPIFFE("payments"),
		 .port = 8080);
}

Test(basic, the_flow_names_the_rule_that_allowed_it)
{
	json_t *flow;

	must_answer(world_connect(&w, w.client, SERVER4 ":8080"));
	flow = LAB_FLOW(w.lab, .verdict = "FORWARDED", .direction = "INGRESS", .reason = "RULE");
	cr_assert_str_eq(lab_str(flow, "extensions.countersign.rule"),
			 "shop/payments#from-checkout");
}

Test(basic, another_workload_times_out_over_ipv4)
{
	must_time_out(world_connect(&w, w.other, SERVER4 ":8080"));
	LAB_FLOW(w.lab, .verdict = "DROPPED", .direction = "INGRESS", .reason = "DEFAULT_DENY",
		 .from = SPIFFE("other"), .to = SPIFFE("payments"), .port = 8080);
}

Test(basic, another_workload_times_out_over_ipv6)
{
	must_time_out(world_connect(&w, w.other, "[" SERVER6 "]:8080"));
	LAB_FLOW(w.lab, .verdict = "DROPPED", .direction = "INGRESS", .reason = "DEFAULT_DENY",
		 .from = SPIFFE("other"), .to = SPIFFE("payments"), .port = 8080);
}

Test(basic, another_workload_from_the_allowed_address_times_out)
{
	must_time_out(world_connect(&w, w.thief, SERVER4 ":8080"));
	must_time_out(world_connect(&w, w.thief, "[" SERVER6 "]:8080"));
	must_answer(world_connect(&w, w.client, SERVER4 ":8080"));
}

Test(basic, a_program_without_identity_times_out_from_the_allowed_address)
{
	must_time_out(world_connect(&w, w.stranger, SERVER4 ":8080"));
	must_time_out(world_connect(&w, w.stranger, "[" SERVER6 "]:8080"));
	must_answer(world_connect(&w, w.client, SERVER4 ":8080"));
}

/* No program of ours sees it leave; only the missing tag gives it away. */
Test(basic, an_unguarded_program_times_out_from_the_allowed_address)
{
	must_time_out(world_connect(&w, w.outside, SERVER4 ":8080"));
	must_time_out(world_connect(&w, w.outside, "[" SERVER6 "]:8080"));
}

Test(basic, an_unguarded_program_is_refused_even_without_required_authentication)
{
	world_policy(&w, "payments",
		     "  subject: {selector: {matchLabels: {app: payments}}}\n"
		     "  ingress:\n"
		     "  - action: Allow\n"
		     "    from: [{serviceAccounts: [{namespace: shop, name: checkout}]}]\n");
	lab_reload(w.lab);
	must_answer(world_connect(&w, w.client, SERVER4 ":8080"));
	must_time_out(world_connect(&w, w.outside, SERVER4 ":8080"));
}

Test(basic, a_port_outside_the_range_times_out)
{
	lab_serve(w.lab, w.server, SERVER4 ":8090");
	lab_serve(w.lab, w.server, SERVER4 ":8091");
	must_answer(world_connect(&w, w.client, SERVER4 ":8090"));
	must_time_out(world_connect(&w, w.client, SERVER4 ":8091"));
}

Test(basic, a_workload_without_policy_accepts_anyone)
{
	lab_serve(w.lab, w.other, OTHER4 ":9000");
	must_answer(world_connect(&w, w.client, OTHER4 ":9000"));
	must_answer(world_connect(&w, w.outside, OTHER4 ":9000"));
}

Test(basic, a_closed_port_of_an_allowed_server_refuses)
{
	cr_assert_eq(lab_int(world_connect(&w, w.client, SERVER4 ":8082"), "errno"), ECONNREFUSED);
}

Test(basic, egress_policy_stops_the_syn_before_it_leaves)
{
	struct lab_process *capture;

	world_policy(&w, "checkout",
		     "  subject: {selector: {matchLabels: {app: checkout}}}\n"
		     "  egress:\n"
		     "  - action: Allow\n"
		     "    to: [{serviceAccounts: [{namespace: shop, name: other}]}]\n");
	lab_reload(w.lab);
	lab_serve(w.lab, w.other, OTHER4 ":8080");
	must_answer(world_connect(&w, w.client, OTHER4 ":8080"));
	capture = lab_traffic(w.lab, w.server, "capture", "--iface=eth0", "--summary");
	lab_read(capture, LAB_WAIT_MS);
	must_time_out(world_connect(&w, w.client, SERVER4 ":8080"));
	LAB_FLOW(w.lab, .verdict = "DROPPED", .direction = "EGRESS", .port = 8080);
	lab_signal(capture, SIGTERM);
	/* The server may see the SYN, whose answer proves who it is; never a third segment. */
	cr_assert_leq(lab_int(lab_read(capture, LAB_WAIT_MS), "segments"), 8);
}

Test(basic, egress_to_the_world_can_be_allowed_by_cidr)
{
	struct lab_host *world = lab_host(w.lab, "world", "10.77.0.9", NULL);

	world_policy(&w, "checkout",
		     "  subject: {selector: {matchLabels: {app: checkout}}}\n"
		     "  egress:\n"
		     "  - action: Allow\n"
		     "    to: [{cidrs: [{cidr: 10.77.0.8/30, except: [10.77.0.10/32]}]}]\n");
	lab_reload(w.lab);
	lab_ip(w.lab, world, "addr add 10.77.0.10/24 dev eth0\n");
	lab_serve(w.lab, lab_place(NULL, world), "10.77.0.9:80");
	lab_serve(w.lab, lab_place(NULL, world), "10.77.0.10:80");
	must_answer(world_connect(&w, w.client, "10.77.0.9:80"));
	must_time_out(world_connect(&w, w.client, "10.77.0.10:80"));
	must_time_out(world_connect(&w, w.client, SERVER4 ":8080"));
}

Test(basic, every_denied_connection_is_counted)
{
	uint64_t before = lab_counter(w.lab, "deny", NULL);

	must_time_out(world_connect(&w, w.other, SERVER4 ":8080"));
	cr_assert_gt(lab_counter(w.lab, "deny", NULL), before);
}

Test(basic, a_thousand_connections_are_all_verified)
{
	struct lab_process *server = lab_serve(w.lab, w.server, SERVER4 ":8085");
	struct lab_process *client;
	json_t *tally;

	client = lab_traffic(w.lab, w.client, "connect", "--count=1000", "--summary", "--reset",
			     SERVER4 ":8085");
	tally = lab_read(client, 30000);
	cr_assert_eq(lab_int(tally, "answered"), 1000);
	cr_assert_lt(lab_real(tally, "max_ms"), 900, "nothing waits for a retransmission");
	cr_assert(lab_alive(server));
	cr_assert_geq(lab_counter(w.lab, "allow", "RULE"), 1000);
}
