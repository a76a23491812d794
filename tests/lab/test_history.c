/* SPDX-License-Identifier: Apache-2.0 */
/* Policy sets of the past: kept, pinned, released, and what stands in for wrong manifests. */
#include "tests/lab/test_common.h"

#include <signal.h>
#include <time.h>

static struct world w;

static void setup(void)
{
	world_new(&w, "history");
	world_usual_policy(&w);
	world_start(&w);
}

static void teardown(void)
{
	world_free(&w);
}

TestSuite(history, .init = setup, .fini = teardown, .timeout = 120);

static const char nobody[] = "  subject: {selector: {matchLabels: {app: payments}}}\n"
			     "  ingress: []\n";

static void must_pass(void)
{
	must_answer(world_connect(&w, w.client, SERVER4 ":8080"));
}

static void must_be_denied(void)
{
	must_time_out(world_connect(&w, w.client, SERVER4 ":8080"));
}

/* The usual policy is revision 1; revision 2 lets nobody in. */
static void second_revision(void)
{
	int code;

	world_policy(&w, "payments", nobody);
	lab_cli(w.lab, &code, "reload", "--note", "close the door");
	cr_assert_eq(code, 0);
	must_be_denied();
}

static void roll_back(const char *revision)
{
	int code;
	const char *text = lab_cli(w.lab, &code, "policy", "rollback", revision, "--note", "oops");

	cr_assert_eq(code, 0, "%s", text);
}

static json_t *revision(size_t i)
{
	json_t *reply = json_array_get(lab_request(w.lab, "{\"verb\":\"history\"}"), 0);

	return json_array_get(json_object_get(reply, "revisions"), i);
}

static size_t n_revisions(void)
{
	json_t *reply = json_array_get(lab_request(w.lab, "{\"verb\":\"history\"}"), 0);

	return json_array_size(json_object_get(reply, "revisions"));
}

Test(history, who_when_why_and_how_much)
{
	second_revision();
	cr_assert_eq(n_revisions(), 2);
	cr_expect_eq(lab_int(revision(0), "revision"), 2);
	cr_expect_str_eq(lab_str(revision(0), "note"), "close the door");
	cr_expect(strstr(lab_str(revision(0), "author"), "root (uid 0, pid "), "%s",
		  lab_str(revision(0), "author"));
	cr_expect(lab_bool(revision(0), "in_force"));
	cr_expect_eq(lab_int(revision(0), "workloads"), 3);
	cr_expect_eq(lab_int(revision(0), "policies"), 1);
	cr_expect_str_eq(lab_str(revision(1), "note"), "agent start");
	cr_expect_str_eq(lab_str(revision(1), "author"), "countersignd");
	cr_expect(!lab_bool(revision(1), "in_force"));
}

Test(history, the_same_documents_are_no_new_revision)
{
	lab_reload(w.lab);
	lab_agent_kill9(w.lab);
	lab_agent_restart(w.lab);
	cr_expect_eq(n_revisions(), 1);
	cr_expect_eq(lab_int(lab_status(w.lab), "revision"), 1);
}

Test(history, a_change_of_the_directory_says_so)
{
	uint64_t end = lab_now_ms() + 5000;

	world_policy(&w, "payments", nobody);
	while (n_revisions() < 2 && lab_now_ms() < end)
		lab_sleep_ms(20);
	cr_expect_str_eq(lab_str(revision(0), "note"), "directory change");
}

Test(history, documents_of_a_revision_can_be_read)
{
	const char *text;
	int code;

	second_revision();
	text = lab_cli(w.lab, &code, "policy", "history", "1");
	cr_assert_eq(code, 0);
	cr_expect(strstr(text, "/manifests/policy-payments.yaml\n"), "%s", text);
	cr_expect(strstr(text, "name: from-checkout"), "%s", text);
	text = lab_cli(w.lab, &code, "policy", "history", "2");
	cr_expect(strstr(text, "ingress: []"), "%s", text);
	cr_expect_null(strstr(text, "from-checkout"), "%s", text);
	lab_cli(w.lab, &code, "policy", "history", "3");
	cr_expect_eq(code, 1);
}

Test(history, a_rollback_pins_until_it_is_released)
{
	json_t *status;
	const char *text;
	int code;

	second_revision();
	roll_back("1");
	must_pass();
	status = lab_status(w.lab);
	cr_expect(lab_bool(status, "healthy"), "a pin is no illness");
	cr_expect_eq(lab_int(status, "pinned.revision"), 1);
	cr_expect_str_eq(lab_str(status, "pinned.note"), "oops");
	cr_expect(lab_bool(status, "pinned.changes_wait"));
	text = lab_cli(w.lab, &code, "status");
	cr_expect_eq(code, 0);
	cr_expect(strstr(text, "to revision 1 since "), "%s", text);
	cr_expect(strstr(text, "newer changes wait"), "%s", text);
	text = lab_cli(w.lab, &code, "reload");
	cr_expect_eq(code, 1, "a reload that puts nothing in force is no success");
	must_pass();
	text = lab_cli(w.lab, &code, "policy", "release");
	cr_expect_eq(code, 0, "%s", text);
	must_be_denied();
	cr_expect_null(json_object_get(lab_status(w.lab), "pinned"));
	lab_cli(w.lab, &code, "policy", "release");
	cr_expect_eq(code, 1, "nothing is pinned any more");
}

Test(history, a_rollback_cuts_what_it_denies)
{
	struct lab_process *hold;
	json_t *reply;

	world_policy(&w, "payments", nobody);
	lab_reload(w.lab);
	world_usual_policy(&w);
	lab_reload(w.lab);
	hold = lab_traffic(w.lab, w.client, "hold", "--timeout=3000", SERVER4 ":8080");
	cr_assert(lab_bool(lab_read(hold, LAB_WAIT_MS), "established"));
	reply = json_array_get(lab_request(w.lab, "{\"verb\":\"rollback\",\"revision\":2}"), 0);
	cr_expect_geq(lab_int(reply, "cut"), 1);
	cr_expect_not_null(lab_read(hold, 3000), "the application is told");
}

Test(history, the_pin_survives_the_agent)
{
	second_revision();
	roll_back("1");
	lab_agent_kill9(w.lab);
	lab_agent_restart(w.lab);
	must_pass();
	cr_expect_eq(lab_int(lab_status(w.lab), "pinned.revision"), 1);
	cr_expect(lab_bool(lab_status(w.lab), "pinned.changes_wait"));
	cr_expect(lab_bool(lab_status(w.lab), "healthy"));
	world_usual_policy(&w);
	lab_try_reload(w.lab);
	cr_expect(!lab_bool(lab_status(w.lab), "pinned.changes_wait"),
		  "the manifests say what is pinned");
}

Test(history, wrong_manifests_show_while_an_older_revision_is_pinned)
{
	json_t *reply;

	second_revision();
	roll_back("1");
	lab_manifest(w.lab, "wrong.yaml", "kind: Nonsense\n");
	reply = lab_try_reload(w.lab);
	cr_expect(strstr(json_dumps(reply, 0), "wrong.yaml:1"), "%s", json_dumps(reply, 0));
	cr_expect(!lab_bool(lab_status(w.lab), "last_reload.ok"));
	must_pass();
	reply = json_array_get(lab_request(w.lab, "{\"verb\":\"release\"}"), 0);
	cr_expect(strstr(lab_str(reply, "error"), "pinned revision stays"), "%s",
		  json_dumps(reply, 0));
	cr_expect_eq(lab_int(lab_status(w.lab), "pinned.revision"), 1);
	must_pass();
}

/* Turns one byte of a revision's file around. */
static void damage(const char *file)
{
	FILE *f = fopen(lab_path(w.lab, lab_printf(w.lab, "state/history/%s", file)), "r+");
	int c;

	cr_assert_not_null(f, "%s: %m", file);
	fseek(f, -20, SEEK_END);
	c = fgetc(f);
	fseek(f, -20, SEEK_END);
	fputc(c ^ 1, f);
	fclose(f);
}

Test(history, a_damaged_revision_is_refused_and_changes_nothing)
{
	json_t *reply;

	second_revision();
	damage("0000000001.revision");
	reply = json_array_get(lab_request(w.lab, "{\"verb\":\"rollback\",\"revision\":1}"), 0);
	cr_expect(strstr(json_dumps(reply, 0), "damaged"), "%s", json_dumps(reply, 0));
	must_be_denied();
	cr_expect_null(json_object_get(lab_status(w.lab), "pinned"));
	cr_expect_str_not_empty(lab_str(revision(1), "damaged"));
	reply = json_array_get(lab_request(w.lab, "{\"verb\":\"rollback\",\"revision\":77}"), 0);
	cr_expect(strstr(json_dumps(reply, 0), "no revision 77"), "%s", json_dumps(reply, 0));
}

Test(history, a_pinned_revision_that_is_damaged_is_not_replaced_by_another)
{
	second_revision();
	roll_back("1");
	lab_agent_stop(w.lab);
	damage("0000000001.revision");
	lab_agent_restart(w.lab);
	must_pass(); /* what was in force stays so */
	cr_expect(!lab_bool(lab_status(w.lab), "healthy"));
	cr_expect_eq(lab_int(lab_status(w.lab), "pinned.revision"), 1);
	roll_back("2");
	must_be_denied();
	cr_expect(lab_bool(lab_status(w.lab), "healthy"));
}

Test(history, the_number_is_bounded_and_the_pinned_one_stays)
{
	second_revision();
	roll_back("1");
	lab_agent_stop(w.lab);
	lab_agent_start(w.lab, "--history", "1");
	cr_expect_eq(n_revisions(), 2, "the newest and the pinned");
	cr_expect_eq(lab_int(revision(0), "revision"), 2);
	cr_expect_eq(lab_int(revision(1), "revision"), 1);
	must_pass();
}

Test(history, wrong_manifests_at_the_start_leave_names_and_cgroups_known)
{
	struct lab_place late = { "shop/late", w.client.host };
	json_t *status;

	lab_manifest(w.lab, "late.yaml",
		     "apiVersion: countersign.dev/v1alpha1\n"
		     "kind: Workload\n"
		     "metadata: {name: late, namespace: shop}\n"
		     "spec: {serviceAccount: checkout, cgroup: shop/late}\n");
	lab_reload(w.lab);
	must_answer(world_connect(&w, late, SERVER4 ":8080"));
	lab_agent_stop(w.lab);
	lab_manifest(w.lab, "policy-payments.yaml", "kind: Nonsense\n");
	lab_agent_restart(w.lab);
	lab_cgroup_remove(w.lab, "shop/late");
	must_answer(world_connect(&w, late, SERVER4 ":8080"));
	must_time_out(world_connect(&w, w.other, SERVER4 ":8080"));
	status = lab_status(w.lab);
	cr_expect(!lab_bool(status, "healthy"));
	cr_expect(lab_bool(status, "last_good"));
	cr_expect_eq(lab_int(status, "revision"), 2);
	cr_expect_eq(json_array_size(json_object_get(status, "workloads")), 4);
	cr_expect(!lab_bool(status, "last_reload.ok"), "the errors stay visible");
	world_usual_policy(&w);
	lab_reload(w.lab);
	cr_expect(lab_bool(lab_status(w.lab), "healthy"));
	cr_expect(!lab_bool(lab_status(w.lab), "last_good"));
}

/* As after a reboot: nothing is in force, but the history was kept elsewhere. */
Test(history, wrong_manifests_at_the_start_with_nothing_in_force)
{
	const char *directory = lab_path(w.lab, "elsewhere");

	lab_agent_stop(w.lab);
	lab_agent_start(w.lab, "--history-dir", directory);
	lab_agent_stop(w.lab);
	cr_assert_eq(lab_agent_uninstall(w.lab), 0); /* without that option: it stays */
	must_answer(world_connect(&w, w.other, SERVER4 ":8080"));
	lab_manifest(w.lab, "wrong.yaml", "kind: Nonsense\n");
	lab_agent_restart(w.lab);
	must_pass();
	must_time_out(world_connect(&w, w.other, SERVER4 ":8080"));
	cr_expect(lab_bool(lab_status(w.lab), "last_good"));
	cr_expect(!lab_bool(lab_status(w.lab), "healthy"));
}

/* They come and go all the time: no revisions of their own, but what is kept follows them. */
Test(history, workloads_of_other_nodes_are_saved_with_the_revision_in_force)
{
	uint64_t end = lab_now_ms() + 5000;
	const char *text;
	int code;

	lab_manifest(w.lab, "late.yaml",
		     "apiVersion: countersign.dev/v1alpha1\n"
		     "kind: Workload\n"
		     "metadata: {name: late, namespace: shop, labels: {app: late}}\n"
		     "spec: {serviceAccount: late, addresses: [10.77.0.9]}\n");
	while (!streq(lab_str(lab_status(w.lab), "last_reload.compiled"), "peers") &&
	       lab_now_ms() < end)
		lab_sleep_ms(20);
	cr_assert_str_eq(lab_str(lab_status(w.lab), "last_reload.compiled"), "peers");
	cr_expect_eq(n_revisions(), 1);
	lab_agent_stop(w.lab);
	lab_manifest(w.lab, "wrong.yaml", "kind: Nonsense\n");
	lab_agent_restart(w.lab);
	cr_expect_eq(n_revisions(), 1);
	cr_expect(lab_bool(lab_status(w.lab), "last_good"));
	text = lab_cli(w.lab, &code, "explain", "--from", "shop/late", "--to", "shop/payments",
		       "--port", "8080/tcp");
	cr_expect_eq(code, 1, "the workload is known, and denied: %s", text);
	text = lab_cli(w.lab, &code, "policy", "history", "1");
	cr_expect(strstr(text, "name: late"), "%s", text);
}

Test(history, uninstall_removes_it)
{
	second_revision();
	roll_back("1");
	lab_agent_stop(w.lab);
	cr_assert_eq(lab_agent_uninstall(w.lab), 0);
	cr_expect_neq(access(lab_path(w.lab, "state/history"), F_OK), 0);
	lab_agent_restart(w.lab);
	must_be_denied();
	cr_expect_null(json_object_get(lab_status(w.lab), "pinned"));
}

Test(history, a_note_must_be_one_printable_line)
{
	json_t *reply = json_array_get(
		lab_request(w.lab, "{\"verb\":\"reload\",\"note\":\"two\\nlines\"}"), 0);

	cr_expect(strstr(lab_str(reply, "error"), "note"), "%s", json_dumps(reply, 0));
	reply = json_array_get(lab_request(w.lab, "{\"verb\":\"reload\",\"note\":7}"), 0);
	cr_expect(strstr(lab_str(reply, "error"), "note"), "%s", json_dumps(reply, 0));
	cr_expect_eq(n_revisions(), 1);
}

/* ---- exceptions that end ---- */

static int64_t wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* checkout may reach payments until *@ret_end_ms, in wall time. */
static void exception(unsigned int seconds, int64_t *ret_end_ms)
{
	time_t end = time(NULL) + seconds;
	char stamp[32];
	struct tm tm;

	gmtime_r(&end, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &tm);
	world_policy(
		&w, "payments",
		lab_printf(w.lab,
			   "  subject: {selector: {matchLabels: {app: payments}}}\n"
			   "  ingress:\n"
			   "  - name: break-glass\n"
			   "    action: Allow\n"
			   "    from: [{serviceAccounts: [{namespace: shop, name: checkout}]}]\n"
			   "    expires: \"%s\"\n"
			   "    reason: the night of the outage\n"
			   "    ticket: OPS-42\n",
			   stamp));
	lab_reload(w.lab);
	*ret_end_ms = end * 1000LL;
}

Test(history, idle_connections_are_cut_when_their_exception_ends)
{
	struct lab_process *server = lab_serve(w.lab, w.server, "--report", SERVER4 ":8085");
	struct lab_process *client;
	int64_t end, late;
	json_t *line;

	exception(3, &end);
	client = lab_traffic(w.lab, w.client, "hold", "--timeout=9000", SERVER4 ":8085");
	cr_assert(lab_bool(lab_read(client, LAB_WAIT_MS), "established"));
	lab_read(server, LAB_WAIT_MS); /* accepted */
	lab_read(server, LAB_WAIT_MS); /* received */
	cr_assert_lt(wall_ms(), end);
	line = lab_read(client, 6000);
	late = wall_ms() - end;
	cr_expect(lab_bool(line, "broken"), "the client is told");
	cr_expect_neq(lab_int(line, "errno"), 0, "an error, not an orderly end");
	line = lab_read(server, 1000);
	cr_expect_str_not_empty(lab_str(line, "closed"), "and the server");
	cr_expect_neq(lab_int(line, "errno"), 0, "an error, not an orderly end");
	cr_expect_geq(late, 0, "cut %lld ms too early", (long long)-late);
	cr_expect_leq(late, 300, "cut %lld ms late", (long long)late);
	cr_log_info("cut %lld ms after the end", (long long)late);
	cr_expect(strstr(lab_agent_log(w.lab), "exception ended"), "%s", lab_agent_log(w.lab));
	cr_expect(strstr(lab_agent_log(w.lab), "shop/payments#break-glass"));
	cr_expect(strstr(lab_agent_log(w.lab), "the night of the outage"));
	cr_expect(strstr(lab_agent_log(w.lab), "OPS-42"));
}

Test(history, flows_name_the_exception)
{
	json_t *flow;
	int64_t end;

	exception(3600, &end);
	must_pass();
	flow = LAB_FLOW(w.lab, .verdict = "FORWARDED", .direction = "INGRESS",
			.from = SPIFFE("checkout"), .port = 8080);
	flow = json_object_get(flow, "flow") ?: flow;
	cr_expect_str_eq(lab_str(flow, "extensions.countersign.exception.ticket"), "OPS-42", "%s",
			 json_dumps(flow, 0));
	cr_expect_str_eq(lab_str(flow, "extensions.countersign.tier"), "Default");
}

Test(history, status_lists_exceptions)
{
	json_t *status, *first;
	const char *text;
	int64_t end;
	int code;

	exception(3600, &end);
	status = lab_status(w.lab);
	first = json_array_get(json_object_get(status, "exceptions"), 0);
	cr_expect_str_eq(lab_str(first, "rule"), "shop/payments#break-glass");
	cr_expect_leq(lab_int(first, "remaining_s"), 3600);
	cr_expect_geq(lab_int(first, "remaining_s"), 3500);
	cr_expect(lab_bool(status, "healthy"));
	text = lab_cli(w.lab, &code, "status");
	cr_expect(strstr(text, "exception shop/payments#break-glass ends in 0 h"), "%s", text);
	cr_expect(strstr(text, "59m "), "%s", text);
}

/* ---- rules that nobody needs ---- */

Test(history, unused_rules)
{
	const char *text;
	int code;

	world_policy(&w, "payments",
		     "  subject: {selector: {matchLabels: {app: payments}}}\n"
		     "  ingress:\n"
		     "  - name: used\n"
		     "    action: Allow\n"
		     "    from: [{serviceAccounts: [{namespace: shop, name: checkout}]}]\n"
		     "  - name: idle\n"
		     "    action: Deny\n"
		     "    from: [{serviceAccounts: [{namespace: shop, name: nobody}]}]\n");
	lab_reload(w.lab);
	must_pass();
	text = lab_cli(w.lab, &code, "policy", "unused");
	cr_expect_eq(code, 1, "%s", text);
	cr_expect(strstr(text, "shop/payments#idle"), "%s", text);
	cr_expect(strstr(text, "/manifests/policy-payments.yaml:10"), "%s", text);
	cr_expect(strstr(text, "1 of 2 rules"), "%s", text);
	text = lab_cli(w.lab, &code, "policy", "unused", "--since", "1h");
	cr_expect_eq(code, 0, "%s", text);
	lab_sleep_ms(2100);
	lab_reload(w.lab); /* ages survive it */
	text = lab_cli(w.lab, &code, "policy", "unused", "--since", "2s");
	cr_expect_eq(code, 1, "%s", text);
	must_time_out(world_connect(&w, w.other, SERVER4 ":8080")); /* the default hits no rule */
	text = lab_cli(w.lab, &code, "policy", "unused", "-o", "json");
	cr_expect_eq(code, 1);
	cr_expect_null(strstr(text, "\"shop/payments\""), "defaults are not listed: %s", text);
}
