/* SPDX-License-Identifier: Apache-2.0 */
/* Workloads of other nodes that come and go under a running agent. */
#include "tests/lab/test_common.h"

#define FAR4 "10.77.0.9"

static struct world w;
static struct lab_place far; /* a host whose agent, if it has one, does not tag */

static const char late[] = "apiVersion: countersign.dev/v1alpha1\n"
			   "kind: Workload\n"
			   "metadata: {name: late, namespace: shop, labels: {app: late}}\n"
			   "spec: {serviceAccount: late, addresses: [" FAR4 "]}\n";

static void setup(void)
{
	world_new(&w, "update");
	far = lab_place(NULL, lab_host(w.lab, "far", FAR4, "fd77::9"));
	world_policy(&w, "payments",
		     "  subject: {selector: {matchLabels: {app: payments}}}\n"
		     "  ingress:\n"
		     "  - name: known\n"
		     "    from: [{serviceAccounts: [{namespace: shop, name: late}]},\n"
		     "      {serviceAccounts: [{namespace: shop, name: checkout}]}]\n");
	world_start(&w);
}

static void teardown(void)
{
	world_free(&w);
}

TestSuite(update, .init = setup, .fini = teardown, .timeout = 240);

/* Whether `far` reaches payments before a time is over: nobody was told to reload. */
static bool comes_to_be(bool answered)
{
	uint64_t end = lab_now_ms() + 5000;

	do {
		if (lab_bool(lab_connect(w.lab, far, "--timeout=300", SERVER4 ":8080"),
			     "answered") == answered)
			return true;
	} while (lab_now_ms() < end);
	return false;
}

Test(update, a_workload_of_another_node_is_known_at_once_and_nothing_else_changes)
{
	struct lab_process *held =
		lab_traffic(w.lab, w.client, "hold", "--timeout=3000", SERVER4 ":8080");
	json_t *before = lab_status(w.lab), *after;

	cr_assert(lab_bool(lab_read(held, LAB_WAIT_MS), "established"));
	must_time_out(world_connect(&w, far, SERVER4 ":8080"));
	lab_manifest(w.lab, "late.yaml", late);
	cr_assert(comes_to_be(true), "the workload stays unknown");
	after = lab_status(w.lab);
	cr_expect_eq(lab_int(after, "epoch"), lab_int(before, "epoch"), "no other policy");
	cr_expect_eq(lab_int(after, "identities"), lab_int(before, "identities") + 1);
	cr_expect_str_eq(lab_str(after, "last_reload.compiled"), "peers");
	cr_expect_eq(lab_int(after, "last_reload.update.identity_writes"), 1);
	cr_expect_eq(lab_int(after, "last_reload.update.address_writes"), 1);
	cr_expect(!lab_bool(after, "last_reload.update.decided_anew"));
	cr_expect_null(lab_read(held, 300), "the connection before is left alone");
	cr_expect(lab_alive(held));
	LAB_FLOW(w.lab, .verdict = "FORWARDED", .direction = "INGRESS", .from = SPIFFE("late"),
		 .to = SPIFFE("payments"), .port = 8080);
}

Test(update, a_workload_of_another_node_that_goes_is_cut)
{
	struct lab_process *held;
	json_t *line;

	lab_manifest(w.lab, "late.yaml", late);
	cr_assert(comes_to_be(true));
	held = lab_traffic(w.lab, far, "hold", "--timeout=3000", SERVER4 ":8080");
	cr_assert(lab_bool(lab_read(held, LAB_WAIT_MS), "established"));
	lab_manifest_remove(w.lab, "late.yaml");
	line = lab_read(held, 5000);
	cr_assert(lab_bool(line, "broken"), "the connection lives on");
	cr_assert(comes_to_be(false));
	cr_expect_str_eq(lab_str(lab_status(w.lab), "last_reload.compiled"), "peers");
	cr_expect_eq(lab_int(lab_status(w.lab), "last_reload.update.removals"), 2);
}

/* Changes in a row, of different kinds: each is seen, and the last is in force. */
Test(update, changes_of_all_kinds_follow_each_other)
{
	for (int i = 0; i < 5; i++) {
		lab_manifest(w.lab, "late.yaml", late);
		cr_assert(comes_to_be(true));
		world_policy(&w, "again",
			     "  subject: {selector: {matchLabels: {app: late}}}\n"
			     "  ingress: []\n");
		lab_reload(w.lab);
		lab_manifest_remove(w.lab, "late.yaml");
		cr_assert(comes_to_be(false));
		lab_manifest_remove(w.lab, "policy-again.yaml");
		lab_reload(w.lab);
	}
	must_answer(world_connect(&w, w.client, SERVER4 ":8080"));
}
