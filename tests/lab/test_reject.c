/* SPDX-License-Identifier: Apache-2.0 */
/* Denied with --deny reject: an error at once instead of silence. */
#include "tests/lab/test_common.h"

#include <signal.h>

static struct world w;

static void setup(void)
{
	world_new(&w, "reject");
	world_usual_policy(&w);
	lab_agent_start(w.lab, "--deny", "reject");
	lab_serve(w.lab, w.server, SERVER4 ":8080");
	lab_serve(w.lab, w.server, "[" SERVER6 "]:8080");
}

static void teardown(void)
{
	world_free(&w);
}

TestSuite(reject, .init = setup, .fini = teardown, .timeout = 90);

static void must_fail_at_once(const json_t *reply)
{
	cr_assert(!lab_bool(reply, "connected"));
	cr_assert_eq(lab_int(reply, "errno"), EPERM, "expected EPERM, got: %s",
		     lab_str(reply, "error"));
	cr_assert_lt(lab_real(reply, "ms"), 200);
}

Test(reject, an_allowed_workload_connects)
{
	must_answer(world_connect(&w, w.client, SERVER4 ":8080"));
	must_answer(world_connect(&w, w.client, "[" SERVER6 "]:8080"));
}

Test(reject, another_workload_gets_eperm_at_once)
{
	must_fail_at_once(world_connect(&w, w.other, SERVER4 ":8080"));
	must_fail_at_once(world_connect(&w, w.other, "[" SERVER6 "]:8080"));
}

Test(reject, another_workload_from_the_allowed_address_gets_eperm_at_once)
{
	must_fail_at_once(world_connect(&w, w.thief, SERVER4 ":8080"));
}

Test(reject, a_program_without_identity_gets_eperm_at_once)
{
	must_fail_at_once(world_connect(&w, w.stranger, SERVER4 ":8080"));
	must_fail_at_once(world_connect(&w, w.stranger, "[" SERVER6 "]:8080"));
}

Test(reject, egress_denied_gets_eperm_at_once)
{
	world_policy(&w, "checkout",
		     "  subject: {selector: {matchLabels: {app: checkout}}}\n"
		     "  egress: []\n");
	lab_reload(w.lab);
	must_fail_at_once(world_connect(&w, w.client, SERVER4 ":8080"));
}

Test(reject, an_unconnected_datagram_gets_eperm)
{
	json_t *reply;

	lab_serve(w.lab, w.server, "--udp", SERVER4 ":8080");
	reply = lab_connect(w.lab, w.other, "--udp", "--unconnected", "--timeout=500",
			    SERVER4 ":8080");
	cr_assert_eq(lab_int(reply, "errno"), EPERM, "got: %s", lab_str(reply, "error"));
}

Test(reject, the_refusal_is_reported)
{
	world_connect(&w, w.other, SERVER4 ":8080");
	LAB_FLOW(w.lab, .verdict = "DROPPED", .from = SPIFFE("other"), .to = SPIFFE("payments"),
		 .port = 8080);
}
