/* SPDX-License-Identifier: Apache-2.0 */
/* UDP: identities are inferred, one decision a flow, replies pass. */
#include "tests/lab/test_common.h"

#include <signal.h>

static struct world w;

static void setup(void)
{
	world_new(&w, "udp");
	world_policy(&w, "payments",
		     "  subject: {selector: {matchLabels: {app: payments}}}\n"
		     "  ingress:\n"
		     "  - action: Allow\n"
		     "    from: [{serviceAccounts: [{namespace: shop, name: checkout}]}]\n"
		     "    ports: [{port: 8080, protocol: UDP}, {port: 8081, protocol: TCP}]\n");
	lab_agent_start(w.lab);
	lab_serve(w.lab, w.server, "--udp", SERVER4 ":8080");
	lab_serve(w.lab, w.server, "--udp", "[" SERVER6 "]:8080");
}

static void teardown(void)
{
	world_free(&w);
}

TestSuite(udp, .init = setup, .fini = teardown, .timeout = 90);

static json_t *datagram(struct lab_place from, const char *address, bool connected)
{
	return lab_connect(w.lab, from, "--udp", "--timeout=700", address,
			   connected ? NULL : "--unconnected");
}

static void must_stay_unanswered(const json_t *reply)
{
	cr_assert(!lab_bool(reply, "answered"), "a datagram that must be denied was answered");
	cr_assert_eq(lab_int(reply, "errno"), ETIMEDOUT, "got: %s", lab_str(reply, "error"));
}

Test(udp, an_allowed_workload_is_answered_on_a_connected_socket)
{
	must_answer(datagram(w.client, SERVER4 ":8080", true));
	must_answer(datagram(w.client, "[" SERVER6 "]:8080", true));
}

Test(udp, an_allowed_workload_is_answered_on_an_unconnected_socket)
{
	must_answer(datagram(w.client, SERVER4 ":8080", false));
	must_answer(datagram(w.client, "[" SERVER6 "]:8080", false));
}

Test(udp, the_flow_is_inferred)
{
	must_answer(datagram(w.client, SERVER4 ":8080", true));
	LAB_FLOW(w.lab, .verdict = "FORWARDED", .direction = "INGRESS", .reason = "RULE",
		 .authentication = "inferred", .from = SPIFFE("checkout"), .to = SPIFFE("payments"),
		 .port = 8080);
}

Test(udp, another_workload_gets_no_answer)
{
	must_stay_unanswered(datagram(w.other, SERVER4 ":8080", true));
	must_stay_unanswered(datagram(w.other, "[" SERVER6 "]:8080", false));
	LAB_FLOW(w.lab, .verdict = "DROPPED", .direction = "INGRESS", .from = SPIFFE("other"),
		 .to = SPIFFE("payments"), .port = 8080);
}

Test(udp, another_workload_from_the_allowed_address_gets_no_answer)
{
	must_stay_unanswered(datagram(w.thief, SERVER4 ":8080", true));
	must_stay_unanswered(datagram(w.thief, SERVER4 ":8080", false));
}

Test(udp, a_program_without_identity_gets_no_answer_from_the_allowed_address)
{
	must_stay_unanswered(datagram(w.stranger, SERVER4 ":8080", true));
}

Test(udp, an_unguarded_program_gets_no_answer_from_the_allowed_address)
{
	must_stay_unanswered(datagram(w.outside, SERVER4 ":8080", true));
}

Test(udp, a_tcp_rule_does_not_open_udp)
{
	lab_serve(w.lab, w.server, "--udp", SERVER4 ":8081");
	must_stay_unanswered(datagram(w.client, SERVER4 ":8081", true));
}

Test(udp, a_udp_rule_does_not_open_tcp)
{
	lab_serve(w.lab, w.server, SERVER4 ":8080");
	must_time_out(world_connect(&w, w.client, SERVER4 ":8080"));
}

Test(udp, required_authentication_refuses_datagrams_with_a_reason)
{
	world_policy(&w, "payments",
		     "  subject: {selector: {matchLabels: {app: payments}}}\n"
		     "  ingress:\n"
		     "  - action: Allow\n"
		     "    authentication: Required\n"
		     "    from: [{serviceAccounts: [{namespace: shop, name: checkout}]}]\n");
	lab_reload(w.lab);
	must_stay_unanswered(datagram(w.client, SERVER4 ":8080", true));
	LAB_FLOW(w.lab, .verdict = "DROPPED", .direction = "INGRESS", .reason = "AUTH_REQUIRED",
		 .port = 8080);
}

Test(udp, the_server_cannot_begin_a_flow_that_it_may_only_answer)
{
	world_policy(&w, "egress",
		     "  subject: {selector: {matchLabels: {app: payments}}}\n"
		     "  egress: []\n");
	lab_reload(w.lab);
	lab_serve(w.lab, w.client, "--udp", CLIENT4 ":9000");
	must_answer(datagram(w.client, SERVER4 ":8080", true));
	must_stay_unanswered(datagram(w.server, CLIENT4 ":9000", true));
}

Test(udp, one_event_for_many_datagrams)
{
	struct lab_process *client;
	uint64_t before;

	must_answer(datagram(w.client, SERVER4 ":8080", true));
	before = lab_counter(w.lab, "allow", NULL);
	client = lab_traffic(w.lab, w.client, "connect", "--udp", "--bind=" CLIENT4 ":5000",
			     "--count=200", "--summary", SERVER4 ":8080");
	cr_assert_eq(lab_int(lab_read(client, LAB_WAIT_MS), "answered"), 200);
	cr_assert_leq(lab_counter(w.lab, "allow", NULL), before + 4);
}

Test(udp, a_policy_change_stops_a_flow_that_was_allowed)
{
	struct lab_process *client;
	json_t *tally;

	client = lab_traffic(w.lab, w.client, "connect", "--udp", "--bind=" CLIENT4 ":5000",
			     "--timeout=100", "--count=0", "--summary", SERVER4 ":8080");
	lab_sleep_ms(300);
	world_policy(&w, "payments",
		     "  subject: {selector: {matchLabels: {app: payments}}}\n"
		     "  ingress: []\n");
	lab_reload(w.lab);
	lab_sleep_ms(500);
	lab_signal(client, SIGTERM);
	tally = lab_read(client, LAB_WAIT_MS);
	cr_assert_gt(lab_int(tally, "answered"), 0);
	cr_assert_geq(lab_int(tally, "failed"), 3, "datagrams still pass");
}
