/* SPDX-License-Identifier: Apache-2.0 */
/* `expires` ends an exception at its time, live traffic included, without the agent. */
#include "tests/lab/test_common.h"
#include "tests/lab/ticker.h"

#include <signal.h>
#include <time.h>

#define LATE_MS 100 /* how long after its time the last byte may arrive */

static struct world w;

static void setup(void)
{
	world_new(&w, "expires");
}

static void teardown(void)
{
	kill(lab_agent_pid(w.lab), SIGCONT);
	world_free(&w);
}

TestSuite(expires, .init = setup, .fini = teardown, .timeout = 90);

/* Full seconds from now, at least @seconds; *@ret_text as policies write it. */
static int64_t moment_in(int seconds, const char **ret_text)
{
	time_t then = ticker_now_ms() / 1000 + seconds + 1;
	char text[32];
	struct tm tm;

	gmtime_r(&then, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	*ret_text = lab_printf(w.lab, "%s", text);
	return then * 1000LL;
}

/* A policy of @subject in @direction with one rule for @peer that expires, then @rest. */
static void policy_until(const char *subject, const char *direction, const char *rule,
			 const char *until, const char *rest)
{
	world_policy(&w, subject,
		     lab_printf(w.lab,
				"  subject: {selector: {matchLabels: {app: %s}}}\n"
				"  %s:\n"
				"  - {name: exception, %s, expires: \"%s\", reason: test}\n%s",
				subject, direction, rule, until, rest));
}

static void stop_agent(void)
{
	kill(lab_agent_pid(w.lab), SIGSTOP);
}

static void must_end_at(struct lab_process *end, int64_t expires_ms, const char *who)
{
	json_t *ticks = lab_read(end, LAB_WAIT_MS);
	int64_t late = lab_int(ticks, "last") - expires_ms;

	cr_assert_gt(lab_int(ticks, "count"), 50, "%s: no traffic to speak of", who);
	cr_assert_leq(late, LATE_MS, "%s: the last byte came %lld ms late", who, (long long)late);
	cr_assert_geq(late, -500, "%s: it ended %lld ms before its time", who, (long long)-late);
}

/* Traffic under a rule of one side that expires; both directions end, whichever side it is. */
static void traffic_ends(const char *subject, const char *direction, const char *rule, bool udp)
{
	struct ticker_spec spec = { .address = SERVER4, .port = 8085, .udp = udp };
	struct lab_process *server, *client;
	const char *until;
	int64_t expires_ms = moment_in(2, &until);

	policy_until(subject, direction, rule, until, "");
	lab_agent_start(w.lab);
	expires_ms = moment_in(2, &until);
	policy_until(subject, direction, rule, until, "");
	lab_reload(w.lab);
	spec.until_ms = expires_ms + 1500;
	server = ticker_serve(w.lab, w.server, &spec);
	client = ticker_connect(w.lab, w.client, &spec);
	lab_sleep_ms(500);
	stop_agent();
	must_end_at(server, expires_ms, "server");
	must_end_at(client, expires_ms, "client");
	lab_serve(w.lab, w.server, SERVER4 ":8086");
	must_time_out(world_connect(&w, w.client, SERVER4 ":8086"));
}

#define FROM_CHECKOUT \
	"action: Allow, from: [{serviceAccounts: [{namespace: shop, name: checkout}]}]"
#define TO_PAYMENTS "action: Allow, to: [{serviceAccounts: [{namespace: shop, name: payments}]}]"

Test(expires, a_connection_under_the_receivers_rule)
{
	traffic_ends("payments", "ingress", FROM_CHECKOUT, false);
}

Test(expires, a_connection_under_the_senders_rule)
{
	traffic_ends("checkout", "egress", TO_PAYMENTS, false);
}

Test(expires, datagrams_under_the_receivers_rule)
{
	traffic_ends("payments", "ingress", FROM_CHECKOUT, true);
}

Test(expires, datagrams_under_the_senders_rule)
{
	traffic_ends("checkout", "egress", TO_PAYMENTS, true);
}

Test(expires, the_end_is_said_once)
{
	struct ticker_spec spec = { .address = SERVER4, .port = 8085 };
	struct lab_process *server, *client;
	unsigned int said = 0;
	const char *until;
	json_t *flow, *flows;
	size_t i;

	lab_agent_start(w.lab);
	spec.until_ms = moment_in(1, &until) + 1000;
	policy_until("payments", "ingress", FROM_CHECKOUT, until, "");
	lab_reload(w.lab);
	server = ticker_serve(w.lab, w.server, &spec);
	client = ticker_connect(w.lab, w.client, &spec);
	lab_read(server, LAB_WAIT_MS);
	lab_read(client, LAB_WAIT_MS);
	LAB_FLOW(w.lab, .verdict = "DROPPED", .direction = "INGRESS", .reason = "DEFAULT_DENY",
		 .port = 8085);
	flows = lab_flows(w.lab);
	json_array_foreach(flows, i, flow)
		said += streq(lab_str(flow, "flow.verdict"), "DROPPED");
	cr_assert_eq(said, 1, "said %u times", said);
}

/* The first SYN is denied; one sent again after the end of the exception is not. */
static void denial_ends(const char *subject, const char *direction, const char *rule)
{
	const char *until, *rest = "  - {action: Allow}\n";
	struct lab_process *client;
	int64_t expires_ms;
	json_t *reply;

	lab_serve(w.lab, w.server, SERVER4 ":8085");
	lab_agent_start(w.lab);
	expires_ms = moment_in(2, &until);
	policy_until(subject, direction, rule, until, rest);
	lab_reload(w.lab);
	client = lab_traffic(w.lab, w.client, "connect", "--timeout=9000", SERVER4 ":8085");
	stop_agent();
	cr_assert(!lab_bool(lab_connect(w.lab, w.client, "--timeout=300", SERVER4 ":8085"),
			    "connected"),
		  "the denial has no effect");
	reply = lab_read(client, LAB_WAIT_MS);
	must_answer(reply);
	cr_assert_geq(ticker_now_ms(), expires_ms);
	must_answer(world_connect(&w, w.client, SERVER4 ":8085"));
}

Test(expires, a_denial_by_the_receiver)
{
	denial_ends("payments", "ingress",
		    "action: Deny, from: [{serviceAccounts: [{namespace: shop, name: checkout}]}]");
}

Test(expires, a_denial_by_the_sender)
{
	denial_ends("checkout", "egress",
		    "action: Deny, to: [{serviceAccounts: [{namespace: shop, name: payments}]}]");
}
