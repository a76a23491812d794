/* SPDX-License-Identifier: Apache-2.0 */
/* Attackers with raw sockets: on the same wire, and in the middle of it. */
#include "tests/lab/test_common.h"

#include <signal.h>

static struct world w;

static void setup(void)
{
	world_new(&w, "forge");
	world_usual_policy(&w);
	lab_agent_start(w.lab);
}

static void teardown(void)
{
	world_free(&w);
}

TestSuite(forge, .init = setup, .fini = teardown, .timeout = 120);

#define SPOOFED "10.77.0.66" /* an address that the attacker answers for */
#define TRIES "10000"
#define TAG_BITS 160

static struct lab_process *server;
static json_t *syn, *ack; /* captured from checkout's connection */

static void serve(void)
{
	server = lab_serve(w.lab, w.server, "--report", SERVER4 ":8080");
}

static json_t *next_tagged(struct lab_process *capture, int flags)
{
	json_t *line;

	while ((line = lab_read(capture, 3000)))
		if (lab_int(line, "flags") == flags &&
		    startswith(lab_str(line, "src"), CLIENT4 ":"))
			return line;
	lab_fail(w.lab, "no tagged segment with flags %d was seen", flags);
}

/* What an attacker on the wire learns from one real connection. */
static void capture(void)
{
	struct lab_place hub = { NULL, lab_hub(w.lab) };
	struct lab_process *p = lab_traffic(w.lab, hub, "capture", "--iface=p-client");

	cr_assert(lab_read(p, LAB_WAIT_MS));
	must_answer(lab_connect(w.lab, w.client, "--bind=" CLIENT4 ":40000", SERVER4 ":8080"));
	syn = next_tagged(p, 0x02);
	ack = next_tagged(p, 0x10);
	lab_kill(p);
	while (lab_str(lab_read(server, 1000), "closed")[0] == 0)
		; /* the server's lines about that connection */
}

static void take_address(const char *address)
{
	lab_ip(w.lab, w.server.host,
	       lab_printf(w.lab, "neigh replace %s lladdr %s dev eth0 nud permanent\n", address,
			  lab_host_mac(w.other.host)));
}

/* The attacker is a raw socket on another host, outside every guarded cgroup. */
static json_t *forge(const char *mode, const char *count, const char *from, const char *more)
{
	struct lab_place attacker = { NULL, w.other.host };
	struct lab_process *p;
	json_t *totals;

	p = lab_traffic(w.lab, attacker, "forge", "--iface=eth0",
			lab_printf(w.lab, "--bind=%s", from),
			lab_printf(w.lab, "--mac=%s", lab_host_mac(w.server.host)),
			lab_printf(w.lab, "--claim=%s", lab_str(syn, "tag")),
			lab_printf(w.lab, "--tag=%s", lab_str(ack, "tag")),
			lab_printf(w.lab, "--mode=%s", mode),
			lab_printf(w.lab, "--count=%s", count), SERVER4 ":8080", more);
	totals = lab_read(p, 90000);
	lab_check(w.lab, totals, "the forger says nothing");
	return totals;
}

static void nothing_was_accepted(const json_t *totals)
{
	cr_assert_gt(lab_int(totals, "acks"), 0, "no forged ACK was sent at all");
	cr_assert_eq(lab_int(totals, "accepted"), 0, "%lld forged connections were answered",
		     (long long)lab_int(totals, "accepted"));
	cr_assert_null(lab_read(server, 100), "the server accepted a forged connection");
}

Test(forge, ten_thousand_guessed_macs)
{
	uint64_t before;
	json_t *totals;

	serve();
	capture();
	take_address(SPOOFED);
	before = lab_counter(w.lab, "deny", "BAD_MAC");
	totals = forge("guess", TRIES, SPOOFED ":0", NULL);
	nothing_was_accepted(totals);
	cr_assert_geq(lab_int(totals, "acks"), 10000, "only %lld forged ACKs were sent",
		      (long long)lab_int(totals, "acks"));
	cr_assert_geq(lab_counter(w.lab, "deny", "BAD_MAC") - before, 10000,
		      "every try is counted");
	LAB_FLOW(w.lab, .verdict = "DROPPED", .direction = "INGRESS", .reason = "BAD_MAC");
	must_answer(world_connect(&w, w.client, SERVER4 ":8080"));
}

Test(forge, a_captured_tag_in_a_new_handshake)
{
	uint64_t before;
	json_t *totals;

	serve();
	capture();
	take_address(SPOOFED);
	before = lab_counter(w.lab, "deny", "BAD_MAC");
	totals = forge("replay", "500", SPOOFED ":0", NULL);
	nothing_was_accepted(totals);
	cr_assert_geq((json_int_t)(lab_counter(w.lab, "deny", "BAD_MAC") - before),
		      lab_int(totals, "acks"));
}

Test(forge, the_whole_captured_handshake_again)
{
	serve();
	capture();
	take_address(CLIENT4); /* the very address, port and sequence number */
	nothing_was_accepted(
		forge("replay", "20", CLIENT4 ":40000",
		      lab_printf(w.lab, "--isn=%lld", (long long)lab_int(syn, "seq"))));
}

Test(forge, every_bit_of_a_captured_tag_turned)
{
	json_t *totals;

	serve();
	capture();
	take_address(SPOOFED);
	totals = forge("flip", "480", SPOOFED ":0", NULL);
	nothing_was_accepted(totals);
	cr_assert_geq(lab_int(totals, "acks"), TAG_BITS);
}

Test(forge, the_servers_own_mac_reflected)
{
	serve();
	capture();
	take_address(SPOOFED);
	nothing_was_accepted(forge("own", "500", SPOOFED ":0", NULL));
}

Test(forge, a_claim_without_proof)
{
	uint64_t before;
	json_t *totals;

	serve();
	capture();
	take_address(SPOOFED);
	before = lab_counter(w.lab, "deny", NULL);
	totals = forge("none", "500", SPOOFED ":0", NULL);
	nothing_was_accepted(totals);
	cr_assert_geq((json_int_t)(lab_counter(w.lab, "deny", NULL) - before),
		      lab_int(totals, "acks"));
}

Test(forge, a_claim_without_proof_where_inferred_identity_suffices)
{
	world_policy(&w, "payments",
		     "  subject: {selector: {matchLabels: {app: payments}}}\n"
		     "  ingress:\n"
		     "  - action: Allow\n"
		     "    from: [{serviceAccounts: [{namespace: shop, name: checkout}]}]\n");
	lab_reload(w.lab);
	serve();
	capture();
	take_address(CLIENT4); /* from checkout's own address */
	nothing_was_accepted(forge("none", "200", CLIENT4 ":0", NULL));
}

Test(forge, a_claim_of_another_workload_dies_at_the_syn)
{
	json_t *totals;
	uint64_t before;

	serve();
	capture();
	take_address(SPOOFED);
	before = lab_counter(w.lab, "deny", "UNKNOWN_NODE");
	/* another node's number, which nobody has */
	json_object_set_new(syn, "tag", json_string("fd0c43530fff000000001234"));
	totals = forge("guess", "200", SPOOFED ":0", NULL);
	cr_assert_eq(lab_int(totals, "synacks"), 0, "a SYN-ACK for a node that does not exist");
	cr_assert_geq(lab_counter(w.lab, "deny", "UNKNOWN_NODE") - before, 200);
}

static void in_the_middle(const char *mode)
{
	struct lab_place hub = { NULL, lab_hub(w.lab) };
	struct lab_process *p;

	lab_ip(w.lab, hub.host, "link set p-client nomaster\nlink set p-server nomaster\n");
	p = lab_traffic(w.lab, hub, "relay", "--iface=p-client", "--other=p-server",
			lab_printf(w.lab, "--mode=%s", mode));
	cr_assert(lab_read(p, LAB_WAIT_MS));
}

/*
 * One connection for every bit: the relay turns the bit that the client's port names.
 * @harmless: how many bits say nothing.
 */
static void every_bit_is_needed(const char *mode, int bits, int harmless)
{
	struct lab_process *clients[TAG_BITS];
	int passed = 0;

	serve();
	in_the_middle(mode);
	for (int i = 0; i < bits; i++)
		clients[i] = lab_traffic(w.lab, w.client, "connect", "--timeout=1200",
					 lab_printf(w.lab, "--bind=" CLIENT4 ":%d", 20000 + i),
					 SERVER4 ":8080");
	for (int i = 0; i < bits; i++)
		passed += lab_bool(lab_read(clients[i], LAB_WAIT_MS), "answered");
	cr_assert_leq(passed, harmless, "%d of %d damaged handshakes were answered", passed, bits);
	if (!harmless)
		cr_assert_null(lab_read(server, 100), "the server accepted a damaged handshake");
}

Test(forge, a_relay_that_is_honest)
{
	json_t *reply;

	serve();
	in_the_middle("none");
	reply = world_connect(&w, w.client, SERVER4 ":8080");
	must_answer(reply);
	must_know_peer(reply, "verified", SPIFFE("payments"));
}

Test(forge, every_bit_of_the_acks_tag_is_needed)
{
	every_bit_is_needed("flip-ack", TAG_BITS, 0);
}

/* The client refuses the server; nothing is sent, so nothing is accepted either. */
Test(forge, every_bit_of_the_syn_acks_tag_is_needed)
{
	world_policy(&w, "checkout",
		     "  subject: {selector: {matchLabels: {app: checkout}}}\n"
		     "  egress:\n"
		     "  - action: Allow\n"
		     "    authentication: Required\n"
		     "    to: [{serviceAccounts: [{namespace: shop, name: payments}]}]\n");
	lab_reload(w.lab);
	every_bit_is_needed("flip-synack", TAG_BITS, 0);
}

/* But for the key phase: a SYN has no MAC, and no MAC covers the phase of its claim. */
Test(forge, every_bit_of_the_syns_tag_is_needed)
{
	every_bit_is_needed("flip-syn", 96, 2);
}

/* The sender is a workload of this node, and no socket of it vouches for an untagged SYN. */
Test(forge, stripped_tags_are_refused_with_a_reason)
{
	serve();
	in_the_middle("strip");
	must_time_out(world_connect(&w, w.client, SERVER4 ":8080"));
	cr_assert_gt(lab_counter(w.lab, "deny", "UNKNOWN_IDENTITY"), 0);
	cr_assert_null(lab_read(server, 100));
}
