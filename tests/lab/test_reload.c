/* SPDX-License-Identifier: Apache-2.0 */
/* Policy that changes under live traffic. */
#include "tests/lab/test_common.h"

#include <signal.h>
#include <time.h>

static struct world w;

static void setup(void)
{
	world_new(&w, "reload");
	world_usual_policy(&w);
	world_start(&w);
}

static void teardown(void)
{
	world_free(&w);
}

TestSuite(reload, .init = setup, .fini = teardown, .timeout = 240);

#define SWAPS 1000

static const char nobody[] = "  subject: {selector: {matchLabels: {app: payments}}}\n"
			     "  ingress: []\n";

static struct lab_process *hold(struct lab_place from)
{
	struct lab_process *p = lab_traffic(w.lab, from, "hold", "--timeout=3000", SERVER4 ":8080");

	cr_assert(lab_bool(lab_read(p, LAB_WAIT_MS), "established"));
	return p;
}

Test(reload, a_denied_connection_is_cut_within_a_second)
{
	struct lab_process *server, *client;
	json_t *line;

	server = lab_serve(w.lab, w.server, "--report", SERVER4 ":8085");
	client = lab_traffic(w.lab, w.client, "hold", "--timeout=3000", SERVER4 ":8085");
	cr_assert(lab_bool(lab_read(client, LAB_WAIT_MS), "established"));
	lab_read(server, LAB_WAIT_MS); /* accepted */
	lab_read(server, LAB_WAIT_MS); /* received */
	world_policy(&w, "payments", nobody);
	cr_assert_geq(lab_int(lab_reload(w.lab), "cut"), 1);
	line = lab_read(client, 1000);
	cr_assert(lab_bool(line, "broken"), "the client was not told");
	cr_assert_neq(lab_int(line, "errno"), 0, "an error, not an orderly end");
	line = lab_read(server, 1000);
	cr_assert_neq(lab_str(line, "closed")[0], 0, "the server was not told");
	cr_assert_neq(lab_int(line, "errno"), 0, "an error, not an orderly end");
	LAB_FLOW(w.lab, .verdict = "DROPPED", .direction = "INGRESS", .reason = "DEFAULT_DENY",
		 .from = SPIFFE("checkout"), .to = SPIFFE("payments"), .port = 8085);
}

/* No packet of its own would ever show that it is denied: the sweep finds it and says so. */
Test(reload, an_idle_connection_is_cut_with_an_event)
{
	struct lab_process *client;

	lab_serve(w.lab, w.server, SERVER4 ":8085");
	client = lab_traffic(w.lab, w.client, "hold", "--timeout=3000", "--interval=60000",
			     SERVER4 ":8085");
	cr_assert(lab_bool(lab_read(client, LAB_WAIT_MS), "established"));
	world_policy(&w, "payments", nobody);
	cr_assert_eq(lab_int(lab_reload(w.lab), "cut"), 1);
	LAB_FLOW(w.lab, .verdict = "DROPPED", .direction = "INGRESS", .reason = "DEFAULT_DENY",
		 .authentication = "verified", .from = SPIFFE("checkout"), .to = SPIFFE("payments"),
		 .port = 8085);
}

Test(reload, packets_stop_before_the_reload_returns)
{
	struct lab_process *client = hold(w.client);
	struct lab_process *capture;
	json_t *line;

	world_policy(&w, "payments", nobody);
	lab_reload(w.lab);
	capture = lab_traffic(w.lab, w.server, "capture", "--iface=eth0", "--report");
	lab_read(capture, LAB_WAIT_MS);
	lab_sleep_ms(300);
	lab_signal(capture, SIGTERM);
	while ((line = lab_read(capture, 1000)) && !json_object_get(line, "segments"))
		cr_assert_eq(lab_int(line, "payload"), 0, "data after the reload returned");
	lab_kill(client);
}

Test(reload, an_allowed_connection_is_left_alone)
{
	struct lab_process *client = hold(w.client);

	for (int i = 0; i < 10; i++)
		lab_reload(w.lab);
	cr_assert_null(lab_read(client, 300));
	cr_assert(lab_alive(client));
}

Test(reload, the_epoch_rises)
{
	json_int_t before = lab_int(lab_status(w.lab), "epoch");

	lab_reload(w.lab);
	cr_assert_gt(lab_int(lab_status(w.lab), "epoch"), before);
}

Test(reload, a_changed_file_needs_no_command)
{
	uint64_t end = lab_now_ms() + 5000;
	bool denied = false;

	must_answer(world_connect(&w, w.client, SERVER4 ":8080"));
	world_policy(&w, "payments", nobody);
	while (!denied && lab_now_ms() < end)
		denied = !lab_bool(lab_connect(w.lab, w.client, "--timeout=300", SERVER4 ":8080"),
				   "connected");
	cr_assert(denied, "the change was not picked up");
}

Test(reload, wrong_yaml_is_refused_and_the_last_policy_stays)
{
	json_t *reply;

	lab_manifest(w.lab, "wrong.yaml",
		     "apiVersion: countersign.dev/v1alpha1\n"
		     "kind: IdentityPolicy\n"
		     "metadata: {name: wrong, namespace: shop}\n"
		     "spec: {subject: {selector: {}}, ingress: [{action: Maybe}]}\n");
	reply = lab_try_reload(w.lab);
	cr_assert(!lab_bool(reply, "ok"));
	cr_assert(strstr(json_dumps(reply, 0), "wrong.yaml:4"), "file and line: %s",
		  json_dumps(reply, 0));
	must_answer(world_connect(&w, w.client, SERVER4 ":8080"));
	must_time_out(world_connect(&w, w.other, SERVER4 ":8080"));
	cr_assert(!lab_bool(lab_status(w.lab), "last_reload.ok"));
}

Test(reload, a_workload_that_appears_later_is_picked_up)
{
	struct lab_place late = { "shop/late", w.client.host };

	lab_manifest(w.lab, "late.yaml",
		     "apiVersion: countersign.dev/v1alpha1\n"
		     "kind: Workload\n"
		     "metadata: {name: late, namespace: shop}\n"
		     "spec: {serviceAccount: checkout, cgroup: shop/late}\n");
	lab_reload(w.lab);
	must_answer(world_connect(&w, late, SERVER4 ":8080"));
}

Test(reload, a_cgroup_made_anew_has_its_identity_at_once)
{
	struct lab_place late = { "shop/late", w.client.host };

	lab_manifest(w.lab, "late.yaml",
		     "apiVersion: countersign.dev/v1alpha1\n"
		     "kind: Workload\n"
		     "metadata: {name: late, namespace: shop}\n"
		     "spec: {serviceAccount: checkout, cgroup: shop/late}\n");
	lab_reload(w.lab);
	for (int i = 0; i < 5; i++) {
		must_answer(world_connect(&w, late, SERVER4 ":8080"));
		lab_cgroup_remove(w.lab, "shop/late");
	}
}

Test(reload, a_workload_that_is_removed_loses_its_identity)
{
	must_answer(world_connect(&w, w.client, SERVER4 ":8080"));
	lab_manifest(w.lab, "workloads.yaml",
		     "apiVersion: countersign.dev/v1alpha1\n"
		     "kind: Workload\n"
		     "metadata: {name: payments, namespace: shop, labels: {app: payments}}\n"
		     "spec: {serviceAccount: payments, cgroup: shop/payments}\n");
	lab_reload(w.lab);
	must_time_out(world_connect(&w, w.client, SERVER4 ":8080"));
}

/* Both policies allow checkout and deny other: so must every moment in between. */
Test(reload, a_thousand_swaps_give_no_verdict_that_no_policy_gives)
{
	struct lab_process *allowed, *denied;
	static const char *const names[] = { "from-checkout", "from-checkout-again" };
	json_t *tally;

	allowed = lab_traffic(w.lab, w.client, "connect", "--count=0", "--summary", "--reset",
			      "--timeout=3000", SERVER4 ":8080");
	denied = lab_traffic(w.lab, w.other, "connect", "--count=0", "--summary", "--timeout=20",
			     SERVER4 ":8080");
	for (int i = 0; i < SWAPS; i++) {
		world_policy(
			&w, "payments",
			lab_printf(
				w.lab,
				"  subject: {selector: {matchLabels: {app: payments}}}\n"
				"  ingress:\n"
				"  - name: %s\n"
				"    action: Allow\n"
				"    authentication: Required\n"
				"    from: [{serviceAccounts: [{namespace: shop, name: checkout}]}]\n",
				names[i % 2]));
		lab_reload(w.lab);
	}
	lab_signal(allowed, SIGTERM);
	lab_signal(denied, SIGTERM);
	tally = lab_read(allowed, LAB_WAIT_MS);
	cr_assert_gt(lab_int(tally, "answered"), 100);
	cr_assert_eq(lab_int(tally, "failed"), 0, "allowed connections failed: %s",
		     json_dumps(tally, 0));
	tally = lab_read(denied, LAB_WAIT_MS);
	cr_assert_gt(lab_int(tally, "attempts"), 100);
	cr_assert_eq(lab_int(tally, "connected"), 0, "denied connections passed");
}

Test(reload, an_expired_rule_stops_allowing)
{
	char stamp[32];
	time_t soon = time(NULL) + 2;
	struct tm tm;

	gmtime_r(&soon, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &tm);
	world_policy(
		&w, "payments",
		lab_printf(w.lab,
			   "  subject: {selector: {matchLabels: {app: payments}}}\n"
			   "  ingress:\n"
			   "  - action: Allow\n"
			   "    from: [{serviceAccounts: [{namespace: shop, name: checkout}]}]\n"
			   "    expires: \"%s\"\n"
			   "    reason: a test of its end\n",
			   stamp));
	lab_reload(w.lab);
	must_answer(world_connect(&w, w.client, SERVER4 ":8080"));
	lab_agent_kill9(w.lab); /* the kernel needs nobody to end it */
	lab_sleep_ms(2500);
	must_time_out(world_connect(&w, w.client, SERVER4 ":8080"));
}
