/* SPDX-License-Identifier: Apache-2.0 */
/* Options that leave no room for a tag: MPTCP and Fast Open, never a stall. */
#include "tests/lab/test_common.h"

#include <signal.h>

static struct world w;

static void setup(void)
{
	world_new(&w, "options");
	world_usual_policy(&w);
	world_start(&w);
}

static void teardown(void)
{
	world_free(&w);
}

TestSuite(options, .init = setup, .fini = teardown, .timeout = 90);

static const char if_available[] =
	"  subject: {selector: {matchLabels: {app: payments}}}\n"
	"  ingress:\n"
	"  - action: Allow\n"
	"    from: [{serviceAccounts: [{namespace: shop, name: checkout}]}]\n";

static void allow_inferred(void)
{
	world_policy(&w, "payments", if_available);
	lab_reload(w.lab);
}

static void fast_open_everywhere(void)
{
	lab_sysctl(w.lab, w.client.host, "net/ipv4/tcp_fastopen", "3");
	lab_sysctl(w.lab, w.server.host, "net/ipv4/tcp_fastopen", "3");
}

/* As every Go program listens. */
Test(options, a_plain_client_of_an_mptcp_listener_is_verified)
{
	struct lab_process *server;
	json_t *reply;

	server = lab_serve(w.lab, w.server, "--mptcp", "--report", SERVER4 ":8081");
	reply = world_connect(&w, w.client, SERVER4 ":8081");
	must_answer(reply);
	must_know_peer(reply, "verified", SPIFFE("payments"));
	must_know_peer(lab_read(server, LAB_WAIT_MS), "verified", SPIFFE("checkout"));
}

Test(options, a_plain_client_of_an_mptcp_listener_is_verified_over_ipv6)
{
	json_t *reply;

	lab_serve(w.lab, w.server, "--mptcp", "[" SERVER6 "]:8081");
	reply = world_connect(&w, w.client, "[" SERVER6 "]:8081");
	must_answer(reply);
	must_know_peer(reply, "verified", SPIFFE("payments"));
}

Test(options, another_workload_is_denied_at_an_mptcp_listener)
{
	lab_serve(w.lab, w.server, "--mptcp", SERVER4 ":8081");
	must_time_out(world_connect(&w, w.other, SERVER4 ":8081"));
}

Test(options, an_mptcp_client_is_inferred_and_does_not_wait)
{
	json_t *reply;

	allow_inferred();
	lab_serve(w.lab, w.server, "--mptcp", SERVER4 ":8081");
	reply = lab_connect(w.lab, w.client, "--mptcp", "--timeout=8000", SERVER4 ":8081");
	must_answer(reply);
	cr_assert_lt(lab_real(reply, "ms"), 500, "stalled for %.0f ms", lab_real(reply, "ms"));
	LAB_FLOW(w.lab, .verdict = "FORWARDED", .direction = "INGRESS", .from = SPIFFE("checkout"),
		 .port = 8081);
}

Test(options, an_mptcp_client_of_a_plain_server_does_not_wait)
{
	json_t *reply = lab_connect(w.lab, w.client, "--mptcp", "--timeout=8000", SERVER4 ":8080");

	must_answer(reply);
	cr_assert_lt(lab_real(reply, "ms"), 500, "stalled for %.0f ms", lab_real(reply, "ms"));
}

Test(options, required_authentication_refuses_mptcp_with_a_reason)
{
	lab_serve(w.lab, w.server, "--mptcp", SERVER4 ":8081");
	lab_connect(w.lab, w.client, "--mptcp", "--timeout=1000", SERVER4 ":8081");
	cr_assert_gt(lab_counter(w.lab, "deny", "AUTH_REQUIRED") +
			     lab_counter(w.lab, "allow", "RULE"),
		     0, "neither verified nor refused with the reason");
}

Test(options, another_workload_gains_nothing_by_mptcp)
{
	json_t *reply;

	allow_inferred();
	lab_serve(w.lab, w.server, "--mptcp", SERVER4 ":8081");
	reply = lab_connect(w.lab, w.other, "--mptcp", "--timeout=1500", SERVER4 ":8081");
	cr_assert(!lab_bool(reply, "answered"));
	reply = lab_connect(w.lab, w.thief, "--mptcp", "--timeout=1500", SERVER4 ":8081");
	cr_assert(!lab_bool(reply, "answered"));
	reply = lab_connect(w.lab, w.stranger, "--mptcp", "--timeout=1500", SERVER4 ":8081");
	cr_assert(!lab_bool(reply, "answered"));
}

static void fast_open_twice(struct lab_place from, json_t **ret_first, json_t **ret_second)
{
	*ret_first = lab_connect(w.lab, from, "--fastopen", "--timeout=2500", SERVER4 ":8081");
	*ret_second = lab_connect(w.lab, from, "--fastopen", "--timeout=5000", SERVER4 ":8081");
}

Test(options, a_fast_open_client_is_inferred_and_does_not_wait)
{
	json_t *first, *second;

	allow_inferred();
	fast_open_everywhere();
	lab_serve(w.lab, w.server, "--queue=64", SERVER4 ":8081");
	fast_open_twice(w.client, &first, &second);
	must_answer(first);
	must_answer(second);
	cr_assert_lt(lab_real(first, "ms"), 500, "asking for the cookie stalls");
	cr_assert_lt(lab_real(second, "ms"), 500, "using the cookie stalls");
}

/*
 * A cookie would fill the SYN-ACK and leave no room for the tag: the SYN that asks for one
 * is refused, the client's next does not ask and is verified.
 */
Test(options, required_authentication_and_a_cookie_request_connect_at_the_second_try)
{
	json_t *reply;

	fast_open_everywhere();
	lab_serve(w.lab, w.server, "--queue=64", SERVER4 ":8081");
	reply = lab_connect(w.lab, w.client, "--fastopen", "--timeout=5000", SERVER4 ":8081");
	LAB_FLOW(w.lab, .verdict = "DROPPED", .direction = "INGRESS", .reason = "FAST_OPEN_COOKIE",
		 .from = SPIFFE("checkout"), .to = SPIFFE("payments"), .port = 8081);
	must_answer(reply);
	must_know_peer(reply, "verified", SPIFFE("payments"));
}

/* A listener without Fast Open gives no cookie: nothing to wait for. */
Test(options, a_cookie_request_that_nobody_answers_costs_nothing)
{
	json_t *reply;

	fast_open_everywhere();
	lab_serve(w.lab, w.server, SERVER4 ":8081");
	reply = lab_connect(w.lab, w.client, "--fastopen", "--timeout=5000", SERVER4 ":8081");
	must_answer(reply);
	cr_assert_lt(lab_real(reply, "ms"), 500);
	must_know_peer(reply, "verified", SPIFFE("payments"));
}

/* The data in the SYN is refused, with its reason; the client's retry is verified. */
Test(options, required_authentication_and_fast_open_data_connect_at_the_second_try)
{
	json_t *reply;

	fast_open_everywhere();
	lab_serve(w.lab, w.server, "--queue=64", SERVER4 ":8081");
	allow_inferred();
	must_answer(lab_connect(w.lab, w.client, "--fastopen", SERVER4 ":8081")); /* the cookie */
	world_usual_policy(&w);
	lab_reload(w.lab);
	reply = lab_connect(w.lab, w.client, "--fastopen", "--timeout=5000", SERVER4 ":8081");
	LAB_FLOW(w.lab, .verdict = "DROPPED", .reason = "FAST_OPEN_DATA", .port = 8081);
	must_answer(reply);
	must_know_peer(reply, "verified", SPIFFE("payments"));
}

Test(options, another_workload_gains_nothing_by_fast_open)
{
	json_t *first, *second;

	allow_inferred();
	fast_open_everywhere();
	lab_serve(w.lab, w.server, "--queue=64", "--report", SERVER4 ":8081");
	fast_open_twice(w.client, &first, &second); /* the host has the cookie now */
	first = lab_connect(w.lab, w.thief, "--fastopen", "--timeout=1500", SERVER4 ":8081");
	cr_assert(!lab_bool(first, "answered"));
	first = lab_connect(w.lab, w.outside, "--fastopen", "--timeout=1500", SERVER4 ":8081");
	cr_assert(!lab_bool(first, "answered"));
}
