/* SPDX-License-Identifier: Apache-2.0 */
/* Floods, full tables, lost events, workloads not known yet: counted, and closed. */
#include "tests/lab/test_common.h"

#include <signal.h>

static struct world w;

static void setup(void)
{
	world_new(&w, "limits");
	world_usual_policy(&w);
	world_start(&w);
}

static void teardown(void)
{
	world_free(&w);
}

TestSuite(limits, .init = setup, .fini = teardown, .timeout = 120);

#define SPOOFED "10.77.0.66"

static json_int_t flood(const char *count, const char *claim)
{
	struct lab_place attacker = { NULL, w.other.host };
	struct lab_process *p;

	p = lab_traffic(w.lab, attacker, "flood", "--iface=eth0", "--bind=" SPOOFED ":0",
			lab_printf(w.lab, "--mac=%s", lab_host_mac(w.server.host)),
			lab_printf(w.lab, "--count=%s", count), SERVER4 ":8080", claim);
	return lab_int(lab_read(p, 60000), "sent");
}

static const char *claim_of(const char *name)
{
	json_t *workload, *workloads = json_object_get(lab_status(w.lab), "workloads");
	size_t i;

	json_array_foreach(workloads, i, workload)
		if (streq(lab_str(workload, "name"), name))
			return lab_printf(w.lab, "--claim=fd0c43530001%012llx",
					  (unsigned long long)lab_int(workload, "identity"));
	lab_fail(w.lab, "no workload %s", name);
}

/* Takes the attacker's address at the server, so that no ARP slows the answers. */
static void answer_goes_to_the_attacker(void)
{
	lab_ip(w.lab, w.server.host,
	       lab_printf(w.lab, "neigh replace " SPOOFED " lladdr %s dev eth0 nud permanent\n",
			  lab_host_mac(w.other.host)));
}

Test(limits, half_open_connections_keep_nobody_out)
{
	answer_goes_to_the_attacker();
	cr_assert_geq(flood("20000", claim_of("checkout")), 20000);
	for (int i = 0; i < 10; i++) {
		json_t *reply = world_connect(&w, w.client, SERVER4 ":8080");

		must_answer(reply);
		must_know_peer(reply, "verified", SPIFFE("payments"));
	}
}

Test(limits, connections_during_a_flood_are_verified)
{
	struct lab_place attacker = { NULL, w.other.host };
	struct lab_process *p, *client;
	json_t *tally;

	answer_goes_to_the_attacker();
	p = lab_traffic(w.lab, attacker, "flood", "--iface=eth0", "--bind=" SPOOFED ":0",
			lab_printf(w.lab, "--mac=%s", lab_host_mac(w.server.host)), "--count=0",
			"--interval=20", claim_of("checkout"), SERVER4 ":8080");
	lab_sleep_ms(200);
	client = lab_traffic(w.lab, w.client, "connect", "--count=200", "--summary", "--reset",
			     "--timeout=8000", SERVER4 ":8080");
	tally = lab_read(client, 60000);
	cr_assert_eq(lab_int(tally, "answered"), 200, "%s", json_dumps(tally, 0));
	lab_signal(p, SIGTERM);
}

Test(limits, refused_syns_leave_no_state_and_are_all_counted)
{
	uint64_t before = lab_counter(w.lab, "deny", NULL);
	json_int_t sent = flood("5000", claim_of("other"));

	lab_sleep_ms(200);
	cr_assert_geq((json_int_t)(lab_counter(w.lab, "deny", NULL) - before), sent);
	cr_assert_eq(
		system(lab_printf(
			w.lab,
			"test $(nsenter --net=/proc/%d/fd/%d ss -Htn state syn-recv | wc -l) -eq 0",
			getpid(), lab_host_netns(w.server.host))),
		0, "refused SYNs left request sockets");
}

/* The agent is stopped, so nobody empties the ring: 4 MiB hold some 30,000 events. */
Test(limits, lost_events_are_counted_and_so_is_every_drop)
{
	uint64_t denied = lab_counter(w.lab, "deny", NULL);
	uint64_t lost = lab_stat(w.lab, "events_lost");
	json_int_t sent;

	kill(lab_agent_pid(w.lab), SIGSTOP);
	sent = flood("60000", "--claim=fd0c43530fff000000001234");
	kill(lab_agent_pid(w.lab), SIGCONT);
	cr_assert_gt(lab_stat(w.lab, "events_lost"), lost, "nothing was lost");
	cr_assert_geq((json_int_t)(lab_counter(w.lab, "deny", NULL) - denied), sent,
		      "drops that no counter shows");
	must_answer(world_connect(&w, w.client, SERVER4 ":8080"));
}

Test(limits, a_socket_of_no_workload_is_unmanaged_and_denied)
{
	must_time_out(world_connect(&w, w.stranger, SERVER4 ":8080"));
	cr_assert_gt(lab_counter(w.lab, "deny", NULL), 0);
}

Test(limits, default_action_deny_closes_what_no_policy_names)
{
	lab_agent_stop(w.lab);
	cr_assert_eq(lab_agent_uninstall(w.lab), 0);
	lab_agent_start(w.lab, "--default-action", "deny");
	lab_serve(w.lab, w.other, OTHER4 ":9000");
	must_time_out(world_connect(&w, w.client, OTHER4 ":9000"));
	cr_assert_gt(lab_counter(w.lab, "deny", "DEFAULT_ACTION"), 0);
}

/* @n rules for payments in as few policies as a reader would write. */
static const char *rules(int n)
{
	char *text = lab_printf(
		w.lab, "  subject: {selector: {matchLabels: {app: payments}}}\n"
		       "  ingress:\n"
		       "  - action: Allow\n"
		       "    from: [{serviceAccounts: [{namespace: shop, name: checkout}]}]\n");
	size_t size = strlen(text) + 128 * n + 1, used = strlen(text);
	char *all = malloc(size);

	memcpy(all, text, used + 1);
	for (int i = 1; i < n; i++)
		used += snprintf(
			all + used, size - used,
			"  - {action: Deny, from: [{serviceAccounts: [{namespace: n%d, name: x}]}]}\n",
			i);
	text = lab_printf(w.lab, "%s", all);
	free(all);
	return text;
}

Test(limits, rules_up_to_the_limit_work)
{
	world_policy(&w, "payments", rules(256));
	lab_reload(w.lab);
	must_answer(world_connect(&w, w.client, SERVER4 ":8080"));
	must_time_out(world_connect(&w, w.other, SERVER4 ":8080"));
}

Test(limits, too_many_rules_name_the_limit_and_change_nothing)
{
	const char *text;
	json_t *reply;

	world_policy(&w, "payments", rules(257));
	reply = lab_try_reload(w.lab);
	text = json_dumps(reply, 0);
	cr_assert(!lab_bool(reply, "ok"));
	cr_assert(strstr(text, "256"), "the limit is named: %s", text);
	cr_assert(strstr(text, "payments"), "the policy is named: %s", text);
	must_answer(world_connect(&w, w.client, SERVER4 ":8080"));
	must_time_out(world_connect(&w, w.other, SERVER4 ":8080"));
}

Test(limits, too_many_workloads_name_the_limit_and_change_nothing)
{
	size_t used = 0, size = 2 << 20;
	char *all = malloc(size);
	json_t *reply;

	for (int i = 0; i < 1100; i++)
		used += snprintf(all + used, size - used,
				 "apiVersion: countersign.dev/v1alpha1\n"
				 "kind: Workload\n"
				 "metadata: {name: w%d, namespace: many}\n"
				 "spec: {serviceAccount: w%d, cgroup: many/w%d}\n---\n",
				 i, i, i);
	lab_manifest(w.lab, "many.yaml", all);
	free(all);
	reply = lab_try_reload(w.lab);
	cr_assert(!lab_bool(reply, "ok"));
	cr_assert(strstr(json_dumps(reply, 0), "102"), "the limit is named: %s",
		  json_dumps(reply, 0));
	must_answer(world_connect(&w, w.client, SERVER4 ":8080"));
}

Test(limits, more_datagram_flows_than_fit_stop_nobody)
{
	struct lab_process *client;
	json_t *tally;

	world_policy(&w, "payments",
		     "  subject: {selector: {matchLabels: {app: payments}}}\n"
		     "  ingress:\n"
		     "  - action: Allow\n"
		     "    from: [{serviceAccounts: [{namespace: shop, name: checkout}]}]\n");
	lab_reload(w.lab);
	lab_serve(w.lab, w.server, "--udp", SERVER4 ":8080");
	lab_sysctl(w.lab, w.client.host, "net/ipv4/ip_local_port_range", "1024 65535");
	/* Each from a port of its own. */
	client = lab_traffic(w.lab, w.client, "connect", "--udp", "--count=70000", "--summary",
			     SERVER4 ":8080");
	tally = lab_read(client, 90000);
	cr_assert_eq(lab_int(tally, "answered"), 70000, "%s", json_dumps(tally, 0));
}
