/* SPDX-License-Identifier: Apache-2.0 */
/* Audit: what would be denied gets through and is told apart. */
#include "tests/lab/test_common.h"

#include <signal.h>

static struct world w;

static void setup(void)
{
	world_new(&w, "audit");
	world_usual_policy(&w);
	world_policy(
		&w, "soon",
		"  subject: {selector: {matchLabels: {app: payments}}}\n"
		"  mode: Audit\n"
		"  ingress:\n"
		"  - {name: no-checkout, action: Deny, from: [{serviceAccounts: [{namespace: shop, name: checkout}]}]}\n");
	world_start(&w);
}

static void teardown(void)
{
	world_free(&w);
}

TestSuite(audit, .init = setup, .fini = teardown, .timeout = 90);

Test(audit, a_deny_rule_in_audit_mode_lets_through)
{
	must_answer(world_connect(&w, w.client, SERVER4 ":8080"));
	LAB_FLOW(w.lab, .verdict = "AUDIT", .direction = "INGRESS", .authentication = "verified",
		 .from = SPIFFE("checkout"), .to = SPIFFE("payments"), .port = 8080);
}

Test(audit, the_flow_names_the_rule_that_would_deny)
{
	json_t *flow;

	must_answer(world_connect(&w, w.client, SERVER4 ":8080"));
	flow = LAB_FLOW(w.lab, .verdict = "AUDIT", .direction = "INGRESS");
	cr_assert_str_eq(lab_str(flow, "extensions.countersign.rule"), "shop/soon#no-checkout");
}

Test(audit, the_counters_tell_audit_from_allow)
{
	must_answer(world_connect(&w, w.client, SERVER4 ":8080"));
	cr_assert_eq(lab_counter(w.lab, "audit", NULL), 1);
}

Test(audit, a_policy_in_audit_mode_denies_nobody)
{
	lab_manifest_remove(w.lab, "policy-payments.yaml");
	lab_reload(w.lab);
	must_answer(world_connect(&w, w.client, SERVER4 ":8080"));
	must_answer(world_connect(&w, w.other, SERVER4 ":8080"));
}

Test(audit, enforcing_policies_beside_it_still_deny)
{
	must_time_out(world_connect(&w, w.other, SERVER4 ":8080"));
}

Test(audit, it_goes_on_while_a_connection_lives)
{
	struct lab_process *hold = lab_traffic(w.lab, w.client, "hold", SERVER4 ":8080");

	cr_assert(lab_bool(lab_read(hold, LAB_WAIT_MS), "established"));
	lab_reload(w.lab);
	cr_assert_null(lab_read(hold, 500), "the connection goes on without a word");
	cr_assert(lab_alive(hold));
}
