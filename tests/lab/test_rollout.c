/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trying policy out on real traffic: Audit by policy and by rule changes nothing and says
 * each would-be denial once; a roll-out reaches the same workloads from run to run.
 */
#include "tests/lab/test_common.h"
#include "tests/lab/ticker.h"

#define REPLICAS 12

static struct world w;

static void setup(void)
{
	world_new(&w, "rollout");
}

static void teardown(void)
{
	world_free(&w);
}

TestSuite(rollout, .init = setup, .fini = teardown, .timeout = 120);

/* How many of the last flows are AUDIT; each must name @rule. */
static size_t audits(const char *rule)
{
	json_t *flow, *flows = lab_flows(w.lab);
	size_t i, n = 0;

	json_array_foreach(flows, i, flow) {
		if (!streq(lab_str(flow, "flow.verdict"), "AUDIT"))
			continue;
		cr_expect_str_eq(lab_str(flow, "flow.extensions.countersign.rule"), rule);
		n++;
	}
	return n;
}

Test(rollout, audit_of_a_policy_is_said_once_for_each_connection)
{
	world_policy(&w, "trial",
		     "  subject: {selector: {matchLabels: {app: payments}}}\n"
		     "  mode: Audit\n"
		     "  ingress: []\n");
	world_start(&w);
	for (int i = 0; i < 5; i++)
		must_answer(world_connect(&w, w.other, SERVER4 ":8080"));
	LAB_FLOW(w.lab, .verdict = "AUDIT", .direction = "INGRESS", .from = SPIFFE("other"));
	lab_sleep_ms(300);
	cr_expect_eq(audits("shop/trial"), 5);
	cr_expect_eq(lab_counter(w.lab, "audit", NULL), 5);
	cr_expect_eq(lab_counter(w.lab, "deny", NULL), 0);
}

Test(rollout, audit_of_a_rule_leaves_the_others_in_force)
{
	world_policy(&w, "payments",
		     "  subject: {selector: {matchLabels: {app: payments}}}\n"
		     "  ingress:\n"
		     "  - {name: trial, action: Deny, mode: Audit,\n"
		     "     from: [{serviceAccounts: [{name: checkout}]}]}\n"
		     "  - {name: shop, from: [{serviceAccounts: [{name: checkout}]}]}\n");
	world_start(&w);
	must_answer(world_connect(&w, w.client, SERVER4 ":8080"));
	must_time_out(world_connect(&w, w.other, SERVER4 ":8080"));
	LAB_FLOW(w.lab, .verdict = "AUDIT", .direction = "INGRESS", .from = SPIFFE("checkout"));
	cr_expect_eq(audits("shop/payments#trial"), 1);
}

/* Hundreds of datagrams of one flow are one decision. */
Test(rollout, audit_of_datagrams_is_said_once_for_each_flow)
{
	struct ticker_spec spec = {
		.address = SERVER4, .port = 8085, .udp = true, .until_ms = ticker_now_ms() + 3000
	};
	struct lab_process *server, *client;

	world_policy(&w, "trial",
		     "  subject: {selector: {matchLabels: {app: payments}}}\n"
		     "  mode: Audit\n"
		     "  ingress: []\n");
	world_start(&w);
	server = ticker_serve(w.lab, w.server, &spec);
	client = ticker_connect(w.lab, w.client, &spec);
	cr_assert_gt(lab_int(lab_read(client, 10000), "count"), 20);
	cr_assert_gt(lab_int(lab_read(server, 10000), "count"), 20);
	cr_expect_eq(audits("shop/trial"), 1);
	cr_expect_eq(lab_counter(w.lab, "audit", NULL), 1);
}

/* ---- roll-out ---- */

static struct lab_place replicas[REPLICAS];

static void make_replicas(void)
{
	char *text = lab_printf(w.lab, "%s", "");

	for (int i = 0; i < REPLICAS; i++) {
		const char *cgroup = lab_printf(w.lab, "shop/replica-%d", i);

		text = lab_printf(
			w.lab,
			"%s---\napiVersion: countersign.dev/v1alpha1\nkind: Workload\n"
			"metadata: {name: replica-%d, namespace: shop, labels: {app: r}}\n"
			"spec: {serviceAccount: replica, cgroup: %s}\n",
			text, i, cgroup);
		lab_cgroup(w.lab, cgroup);
		replicas[i] = lab_place(cgroup, w.client.host);
	}
	lab_manifest(w.lab, "replicas.yaml", text);
}

static void roll_out(int percent)
{
	world_policy(&w, "egress",
		     lab_printf(w.lab,
				"  subject: {selector: {matchLabels: {app: r}}}\n"
				"  rollout: {percent: %d}\n"
				"  egress: []\n",
				percent));
}

/* One bit for each replica that the policy is enforced for. */
static unsigned int enforced(void)
{
	unsigned int found = 0;

	for (int i = 0; i < REPLICAS; i++) {
		json_t *reply = lab_connect(w.lab, replicas[i], "--timeout=400", SERVER4 ":8080");

		if (lab_bool(reply, "answered"))
			continue;
		must_time_out(reply);
		found |= 1U << i;
	}
	return found;
}

Test(rollout, a_share_of_the_subjects_enforces_the_same_ones_from_run_to_run)
{
	unsigned int half, more;

	make_replicas();
	roll_out(50);
	world_start(&w);
	half = enforced();
	cr_assert_neq(half, 0, "somebody enforces");
	cr_assert_neq(half, (1U << REPLICAS) - 1, "somebody audits");
	cr_expect_eq(audits("shop/egress"), REPLICAS - (size_t)__builtin_popcount(half),
		     "the others audit");

	lab_agent_kill9(w.lab);
	lab_agent_restart(w.lab);
	cr_expect_eq(enforced(), half, "after a restart");

	roll_out(80);
	lab_reload(w.lab);
	more = enforced();
	cr_expect_eq(more & half, half, "a higher percentage only adds");

	roll_out(100);
	lab_reload(w.lab);
	cr_expect_eq(enforced(), (1U << REPLICAS) - 1);
}
