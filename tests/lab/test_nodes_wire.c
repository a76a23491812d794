/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between two hosts: what was captured there and is sent again, exchanged, turned round or
 * made to another shape. Each is refused for a reason of its own.
 */
#include "tests/lab/test_nodes_record.h"

#include <signal.h>

static struct nodes n;
static struct cs_node_keys keys; /* host-a's, with host-b: what root on host-a has */
static uint64_t checkout;

static void setup(void)
{
	nodes_new(&n, "nodes-wire");
	nodes_policy(&n);
}

static void teardown(void)
{
	nodes_free(&n);
}

TestSuite(nodes_wire, .init = setup, .fini = teardown, .timeout = 90);

static void start(void)
{
	nodes_start(&n);
	cr_assert(lab_node_keys(n.a, NODE_B, &keys));
	checkout = nodes_identity_of_client(&n);
}

/* ---- captured and sent again ---- */

static json_t *next_tagged(struct lab_process *capture, int flags)
{
	json_t *line;

	while ((line = lab_read(capture, 3000)))
		if (lab_int(line, "flags") == flags &&
		    startswith(lab_str(line, "src"), CLIENT4 ":"))
			return line;
	lab_fail(n.lab, "no tagged segment with flags %d was seen", flags);
}

static void capture(json_t **ret_syn, json_t **ret_ack)
{
	struct lab_place hub = { NULL, lab_hub(n.lab) };
	struct lab_process *p = lab_traffic(n.lab, hub, "capture", "--iface=p-client");

	cr_assert(lab_read(p, LAB_WAIT_MS));
	must_answer(lab_connect(n.lab, n.client, "--bind=" CLIENT4 ":40000", SERVER4 ":8080"));
	*ret_syn = next_tagged(p, 0x02);
	*ret_ack = next_tagged(p, 0x10);
	lab_kill(p);
}

Test(nodes_wire, a_captured_syn_and_ack_in_a_new_handshake)
{
	json_t *syn, *ack;

	start();
	capture(&syn, &ack);
	nodes_refused_at_ack(&n, "BAD_MAC",
			     &(struct forgery){ .mode = "replay",
						.claim = lab_str(syn, "tag"),
						.tag = lab_str(ack, "tag") });
}

/* From the same address and port, with the same sequence number: only the server's is new. */
Test(nodes_wire, the_whole_captured_handshake_again)
{
	json_t *syn, *ack, *totals;

	start();
	capture(&syn, &ack);
	totals = NODES_FORGE(&n, .mode = "replay", .claim = lab_str(syn, "tag"),
			     .tag = lab_str(ack, "tag"), .from = CLIENT4 ":40000",
			     .isn = lab_int(syn, "seq"));
	cr_assert_eq(lab_int(totals, "accepted"), 0);
	cr_assert_gt(lab_int(totals, "acks"), 0, "no ACK was sent again");
	nodes_must_count(n.b, "BAD_MAC", 0);
}

/* ---- in the middle ---- */

static void in_the_middle(const char *mode)
{
	struct lab_place hub = { NULL, lab_hub(n.lab) };
	struct lab_process *p;

	lab_ip(n.lab, hub.host, "link set p-client nomaster\nlink set p-server nomaster\n");
	p = lab_traffic(n.lab, hub, "relay", "--iface=p-client", "--other=p-server",
			lab_printf(n.lab, "--mode=%s", mode));
	cr_assert(lab_read(p, LAB_WAIT_MS));
}

/* Egress wants proof, too: so the client judges the SYN-ACK's tag. */
static void client_wants_proof(void)
{
	lab_manifest(n.lab, "egress.yaml",
		     "apiVersion: countersign.dev/v1alpha1\n"
		     "kind: IdentityPolicy\n"
		     "metadata: {name: checkout, namespace: shop}\n"
		     "spec:\n"
		     "  subject: {selector: {matchLabels: {app: checkout}}}\n"
		     "  egress:\n"
		     "  - action: Allow\n"
		     "    authentication: Required\n"
		     "    to: [{serviceAccounts: [{namespace: shop, name: payments}]}]\n");
	lab_node_reload(n.a);
}

/* Two connections at once; how many of them are answered. */
static int two_at_once(void)
{
	struct lab_process *clients[2];
	int answered = 0;

	for (int i = 0; i < 2; i++)
		clients[i] = lab_traffic(n.lab, n.client, "connect", "--timeout=2500",
					 lab_printf(n.lab, "--bind=" CLIENT4 ":%d", 30000 + i),
					 SERVER4 ":8080");
	for (int i = 0; i < 2; i++)
		answered += lab_bool(lab_read(clients[i], LAB_WAIT_MS), "answered");
	return answered;
}

Test(nodes_wire, an_honest_wire_changes_nothing)
{
	start();
	client_wants_proof();
	in_the_middle("none");
	cr_assert_eq(two_at_once(), 2);
}

Test(nodes_wire, the_acks_of_two_connections_exchanged)
{
	start();
	in_the_middle("swap-ack");
	cr_assert_eq(two_at_once(), 0);
	nodes_must_count(n.b, "BAD_MAC", 1);
}

Test(nodes_wire, the_syn_acks_of_two_connections_exchanged)
{
	start();
	client_wants_proof();
	in_the_middle("swap-synack");
	cr_assert_eq(two_at_once(), 0);
	nodes_must_count(n.a, "BAD_MAC", 1);
}

Test(nodes_wire, an_older_syn_ack_in_place_of_the_new_one)
{
	start();
	client_wants_proof();
	in_the_middle("replay-synack");
	must_answer(nodes_connect(&n, n.client, SERVER4 ":8080"));
	must_time_out(nodes_connect(&n, n.client, SERVER4 ":8080"));
	nodes_must_count(n.a, "BAD_MAC", 0);
}

Test(nodes_wire, an_older_ack_in_place_of_the_new_one)
{
	start();
	in_the_middle("replay-ack");
	must_answer(nodes_connect(&n, n.client, SERVER4 ":8080"));
	cr_assert(!lab_bool(nodes_connect(&n, n.client, SERVER4 ":8080"), "answered"));
	nodes_must_count(n.b, "BAD_MAC", 0);
}

Test(nodes_wire, the_client_itself_as_the_sender_of_the_syn_ack)
{
	start();
	client_wants_proof();
	in_the_middle("reflect-synack");
	must_time_out(nodes_connect(&n, n.client, SERVER4 ":8080"));
	nodes_must_count(n.a, "TAG_REFLECTED", 0);
}

/* ---- with a real key, and yet not right ---- */

static struct forgery from_host_a(void)
{
	return (struct forgery){ .mode = "key",
				 .key = lab_key_hex(n.lab, &keys.send[keys.send_phase]),
				 .claim = lab_claim_hex(n.lab, NODE_A, keys.send_phase, checkout) };
}

Test(nodes_wire, the_right_key_is_accepted)
{
	struct forgery right;

	start();
	right = from_host_a();
	cr_assert_geq(lab_int(nodes_forge(&n, &right), "accepted"), NODES_TRIES);
}

Test(nodes_wire, the_servers_own_tag_sent_back)
{
	struct forgery f;

	start();
	f = from_host_a();
	f.mode = "reflect";
	nodes_refused_at_ack(&n, "TAG_REFLECTED", &f);
}

static void spoilt_ack(const char *shape, const char *reason)
{
	struct forgery f;

	start();
	f = from_host_a();
	f.shape = shape;
	nodes_refused_at_ack(&n, reason, &f);
}

Test(nodes_wire, an_ack_with_a_truncated_tag)
{
	spoilt_ack("truncated", "TAG_TRUNCATED");
}

Test(nodes_wire, an_ack_with_an_oversized_tag)
{
	spoilt_ack("oversized", "TAG_OVERSIZED");
}

Test(nodes_wire, an_ack_with_two_tags)
{
	spoilt_ack("doubled", "TAG_DUPLICATE");
}

/* @format: where the 16 digits of the tag word go. */
static void spoilt_syn(const char *format, const char *reason)
{
	const char *word;
	struct forgery f;

	start();
	f = from_host_a();
	word = f.claim + 8;
	if (streq(format, "short"))
		f.claim = lab_printf(n.lab, "fd084353%.8s", word);
	else if (streq(format, "long"))
		f.claim = lab_printf(n.lab, "fd144353%s0011223344556677", word);
	else
		f.claim = lab_printf(n.lab, "%s%s", f.claim, f.claim);
	nodes_refused_at_syn(&n, reason, &f);
}

Test(nodes_wire, a_syn_with_a_truncated_tag)
{
	spoilt_syn("short", "TAG_TRUNCATED");
}

Test(nodes_wire, a_syn_with_an_oversized_tag)
{
	spoilt_syn("long", "TAG_OVERSIZED");
}

Test(nodes_wire, a_syn_with_two_tags)
{
	spoilt_syn("two", "TAG_DUPLICATE");
}

/* ---- keys of another time ---- */

/* The nodes are young: they have one key each, and no second one was ever announced. */
Test(nodes_wire, a_key_of_the_future)
{
	struct forgery f;

	start();
	cr_assert_eq(keys.send_valid, 1 << keys.send_phase, "more than one phase is valid");
	f = from_host_a();
	f.tag = lab_printf(n.lab, "fd14%s0000000000000000",
			   lab_claim_hex(n.lab, NODE_A, keys.send_phase ^ 2, checkout) + 4);
	nodes_refused_at_ack(&n, "NO_KEY", &f);
}

static int bits(uint8_t word)
{
	return __builtin_popcount(word);
}

/* Waits until host-a has a second key; its agent then dies, so that it makes no third one. */
static void grow_a_second_key(void)
{
	uint64_t end = lab_now_ms() + LAB_WAIT_MS;

	do {
		lab_sleep_ms(20);
		cr_assert_lt(lab_now_ms(), end, "host-a made no second key");
		cr_assert(lab_node_keys(n.b, NODE_A, &keys));
	} while (bits(keys.receive_valid) < 2);
	lab_node_kill9(n.a);
	cr_assert(lab_node_keys(n.a, NODE_B, &keys));
}

/* The older key ends @after_ms from now, as far as others tolerate a clock that is off. */
static int end_of_the_older_key(int64_t after_ms)
{
	struct node_record *record = nodes_record(&n, NODE_A);
	struct node_key *older = &record->key[1];
	int parity = older->parity;

	cr_assert_eq(record->n_keys, 2);
	older->not_after_ms = nodes_now_ms() - NODE_SKEW_MS + after_ms;
	older->active_ms = older->not_after_ms - 2000;
	older->not_before_ms = older->active_ms - 1000;
	nodes_record_publish(&n, record, &n.svid[NODE_A]);
	return parity;
}

Test(nodes_wire, a_key_whose_time_is_over)
{
	uint64_t over_ms;
	struct forgery f;
	int parity;

	lab_node_start(n.a, "--key-lifetime", "6s");
	lab_node_start(n.b);
	lab_node_knows(n.a, n.b);
	lab_node_knows(n.b, n.a);
	lab_serve(n.lab, n.server, SERVER4 ":8080");
	checkout = nodes_identity_of_client(&n);
	grow_a_second_key();
	over_ms = lab_now_ms() + 2500;
	parity = end_of_the_older_key(2500);
	keys.send_phase = parity * 2;
	f = from_host_a();
	cr_assert_geq(lab_int(nodes_forge(&n, &f), "accepted"), NODES_TRIES,
		      "the key does not work even in its time");
	while (lab_now_ms() < over_ms + 1000) /* however quick that was */
		lab_sleep_ms(50);
	f.from = "10.77.0.67:0"; /* the accepted connections still send again */
	nodes_refused_at_ack(&n, "KEY_EXPIRED", &f);
}
