/* SPDX-License-Identifier: Apache-2.0 */
/* A node whose certificate runs out: it warns, it falls silent, others believe it no longer. */
#include "tests/lab/test_nodes_record.h"

#include <signal.h>

#define HOST_A "countersign/node/host-a"

static struct nodes n;

static void setup(void)
{
	nodes_new(&n, "nodes-expire");
	nodes_policy(&n);
}

static void teardown(void)
{
	nodes_free(&n);
}

TestSuite(nodes_expire, .init = setup, .fini = teardown, .timeout = 90);

/* Until one of host-a's connections is verified again. */
static void must_come_back(void)
{
	uint64_t end = lab_now_ms() + LAB_WAIT_MS;
	json_t *reply;

	do {
		cr_assert_lt(lab_now_ms(), end, "the renewed node is not believed");
		reply = lab_connect(n.lab, n.client, "--timeout=300", SERVER4 ":8080");
	} while (!lab_bool(reply, "answered"));
	nodes_must_be_verified(reply, NODE_B, SPIFFE("payments"));
}

/* At its ACK: the claim in its SYN is one that it could still prove for all others know. */
static void must_not_be_answered(void)
{
	cr_assert(!lab_bool(nodes_connect(&n, n.client, SERVER4 ":8080"), "answered"),
		  "a node without a good certificate was believed");
}

static void must_log(struct lab_node *node, const char *text)
{
	uint64_t end = lab_now_ms() + LAB_WAIT_MS;

	while (!strstr(lab_node_log(node), text)) {
		cr_assert_lt(lab_now_ms(), end, "%s logs no \"%s\": %s", lab_node_name(node), text,
			     lab_node_log(node));
		lab_sleep_ms(100);
	}
}

/* Its own agent knows first: it warns, and then makes no tags for others any more. */
Test(nodes_expire, the_node_itself_warns_and_falls_silent)
{
	lab_ca_write(n.ca, &(struct lab_svid){ HOST_A, -10, 5 }, lab_ca_node_dir(n.a));
	nodes_start(&n);
	must_answer(nodes_connect(&n, n.client, SERVER4 ":8080"));
	must_log(n.a, "two thirds of its lifetime are over");
	must_log(n.a, "nine tenths of its lifetime are over");
	must_log(n.a, "it has expired");
	cr_assert(!lab_bool(lab_node_status(n.a), "healthy"), "status says that all is well");
	must_not_be_answered();
	LAB_NODE_FLOW(n.b, .verdict = "DROPPED", .direction = "INGRESS", .reason = "AUTH_REQUIRED",
		      .port = 8080);
}

Test(nodes_expire, a_renewed_certificate_brings_it_back)
{
	struct lab_issued renewed;
	const char *text;
	int code;

	lab_ca_write(n.ca, &(struct lab_svid){ HOST_A, -10, 3 }, lab_ca_node_dir(n.a));
	nodes_start(&n);
	must_log(n.a, "it has expired");
	must_not_be_answered();
	renewed = lab_ca_write(n.ca, &(struct lab_svid){ HOST_A, -10, 3600 }, lab_ca_node_dir(n.a));
	must_come_back();
	text = lab_node_cli(n.a, &code, "credentials", "-o", "json");
	cr_assert_eq(code, 0);
	cr_assert(strstr(text, renewed.serial), "not the renewed certificate: %s", text);
}

/* Long before its end the next one takes over, and nobody notices. */
Test(nodes_expire, renewal_in_time_fails_no_connection)
{
	struct lab_process *load;
	json_t *tally;

	nodes_start(&n);
	load = lab_traffic(n.lab, n.client, "connect", "--count=0", "--interval=1", "--summary",
			   "--reset", "--timeout=3000", SERVER4 ":8080");
	for (int i = 0; i < 10; i++) {
		lab_ca_write(n.ca, &(struct lab_svid){ HOST_A, -10, 3600 + i },
			     lab_ca_node_dir(n.a));
		lab_sleep_ms(200);
	}
	lab_signal(load, SIGTERM);
	tally = lab_read(load, LAB_WAIT_MS);
	cr_assert_gt(lab_int(tally, "answered"), 100);
	cr_assert_eq(lab_int(tally, "failed"), 0);
}

/* A certificate that is over @after_ms from now, as far as others tolerate a wrong clock. */
static void expires_for_others(int after_s)
{
	struct lab_issued ending = lab_ca_sign(
		n.ca, &(struct lab_svid){ HOST_A, -3600, after_s - NODE_SKEW_MS / 1000 });

	nodes_record_publish(&n, nodes_record(&n, NODE_A), &ending);
}

/* host-a's agent is dead, and its kernel goes on tagging: others must be the ones to refuse. */
Test(nodes_expire, others_believe_it_no_longer)
{
	struct lab_process *live;
	struct lab_issued renewed;

	nodes_start(&n);
	live = lab_traffic(n.lab, n.client, "hold", "--interval=20", "--timeout=20000",
			   SERVER4 ":8080");
	cr_assert(lab_bool(lab_read(live, LAB_WAIT_MS), "established"));
	lab_node_kill9(n.a);
	expires_for_others(3);
	lab_sleep_ms(500);
	must_answer(nodes_connect(&n, n.client, SERVER4 ":8080"));
	cr_assert(lab_bool(lab_read(live, LAB_WAIT_MS), "broken"),
		  "a live connection of an expired node was not cut: %s", lab_node_log(n.b));
	must_time_out(nodes_connect(&n, n.client, SERVER4 ":8080"));
	LAB_NODE_FLOW(n.b, .verdict = "DROPPED", .direction = "INGRESS", .reason = "NODE_EXPIRED",
		      .port = 8080);
	renewed = lab_ca_sign(n.ca, &(struct lab_svid){ HOST_A, -10, 3600 });
	nodes_record_publish(&n, nodes_record(&n, NODE_A), &renewed);
	must_come_back();
}
