/* SPDX-License-Identifier: Apache-2.0 */
/* The handshake where it is not by the book: loss, cookies, odd listeners. */
#include "tests/lab/test_common.h"

#include <signal.h>

static struct world w;

static void setup(void)
{
	world_new(&w, "handshake");
	world_usual_policy(&w);
	world_start(&w);
}

static void teardown(void)
{
	world_free(&w);
}

TestSuite(handshake, .init = setup, .fini = teardown, .timeout = 90);

/* Drops the first segment that @match describes on its way out of @host, no other. */
static void drop_first(struct lab_host *host, const char *match)
{
	lab_nft(w.lab, host,
		lab_printf(w.lab,
			   "table inet lab {\n"
			   "  chain output {\n"
			   "    type filter hook output priority 0;\n"
			   "    %s numgen inc mod 1000000 == 0 counter drop\n"
			   "  }\n}\n",
			   match));
}

static void must_verify(struct lab_place place, const char *address, const char *flag)
{
	json_t *reply = lab_connect(w.lab, place, "--timeout=5000", address, flag);

	must_answer(reply);
	must_know_peer(reply, "verified", SPIFFE("payments"));
}

Test(handshake, syn_cookies_over_ipv4)
{
	lab_sysctl(w.lab, w.server.host, "net/ipv4/tcp_syncookies", "2");
	for (int i = 0; i < 20; i++)
		must_verify(w.client, SERVER4 ":8080", NULL);
	must_time_out(world_connect(&w, w.other, SERVER4 ":8080"));
}

Test(handshake, syn_cookies_over_ipv6)
{
	lab_sysctl(w.lab, w.server.host, "net/ipv4/tcp_syncookies", "2");
	for (int i = 0; i < 20; i++)
		must_verify(w.client, "[" SERVER6 "]:8080", NULL);
	must_time_out(world_connect(&w, w.other, "[" SERVER6 "]:8080"));
}

Test(handshake, syn_cookies_tell_the_server_its_verified_client)
{
	struct lab_process *server = lab_serve(w.lab, w.server, "--report", SERVER4 ":8081");

	lab_sysctl(w.lab, w.server.host, "net/ipv4/tcp_syncookies", "2");
	must_verify(w.client, SERVER4 ":8081", NULL);
	must_know_peer(lab_read(server, LAB_WAIT_MS), "verified", SPIFFE("checkout"));
}

Test(handshake, a_lost_syn)
{
	drop_first(w.client.host, "tcp dport 8080 tcp flags & (syn|ack) == syn");
	must_verify(w.client, SERVER4 ":8080", NULL);
}

Test(handshake, a_lost_syn_ack)
{
	drop_first(w.server.host, "tcp sport 8080 tcp flags & (syn|ack) == syn|ack");
	must_verify(w.client, SERVER4 ":8080", NULL);
}

Test(handshake, a_lost_ack_when_the_client_speaks_first)
{
	drop_first(w.client.host, "tcp dport 8080 tcp flags & (syn|ack) == ack");
	must_verify(w.client, SERVER4 ":8080", NULL);
}

Test(handshake, a_lost_ack_when_the_server_speaks_first)
{
	lab_serve(w.lab, w.server, "--banner", SERVER4 ":8081");
	drop_first(w.client.host, "tcp dport 8081 tcp flags & (syn|ack) == ack");
	must_verify(w.client, SERVER4 ":8081", "--banner");
}

Test(handshake, a_lost_ack_with_syn_cookies)
{
	lab_sysctl(w.lab, w.server.host, "net/ipv4/tcp_syncookies", "2");
	drop_first(w.client.host, "tcp dport 8080 tcp flags & (syn|ack) == ack");
	must_verify(w.client, SERVER4 ":8080", NULL);
}

Test(handshake, a_lost_ack_and_the_first_data)
{
	lab_nft(w.lab, w.client.host,
		"table inet lab {\n"
		"  chain output {\n"
		"    type filter hook output priority 0;\n"
		"    tcp dport 8080 tcp flags & (syn|ack) == ack numgen inc mod 1000000 < 2 drop\n"
		"  }\n}\n");
	must_verify(w.client, SERVER4 ":8080", NULL);
}

Test(handshake, a_lost_first_answer)
{
	drop_first(w.server.host, "tcp sport 8080 tcp flags & (syn|psh) == psh");
	must_verify(w.client, SERVER4 ":8080", NULL);
}

Test(handshake, the_server_speaks_first)
{
	lab_serve(w.lab, w.server, "--banner", SERVER4 ":8081");
	must_verify(w.client, SERVER4 ":8081", "--banner");
	must_time_out(world_connect(&w, w.other, SERVER4 ":8081"));
}

Test(handshake, defer_accept)
{
	struct lab_process *server;

	server = lab_serve(w.lab, w.server, "--defer=3", "--report", SERVER4 ":8081");
	must_verify(w.client, SERVER4 ":8081", NULL);
	must_know_peer(lab_read(server, LAB_WAIT_MS), "verified", SPIFFE("checkout"));
}

Test(handshake, defer_accept_with_a_client_that_waits)
{
	const char *file = lab_path(w.lab, "go");
	struct lab_process *client;
	json_t *reply;

	lab_serve(w.lab, w.server, "--defer=5", SERVER4 ":8081");
	client = lab_traffic(w.lab, w.client, "connect", "--timeout=8000",
			     lab_printf(w.lab, "--before=%s", file), SERVER4 ":8081");
	lab_sleep_ms(1500); /* the bare ACK was dropped and the SYN-ACK sent again by now */
	fclose(fopen(file, "we"));
	reply = lab_read(client, LAB_WAIT_MS);
	must_answer(reply);
	must_know_peer(reply, "verified", SPIFFE("payments"));
}

Test(handshake, reuseport_listeners)
{
	struct lab_process *a, *b;
	int heard = 0;

	a = lab_serve(w.lab, w.server, "--reuseport", "--report", SERVER4 ":8081");
	b = lab_serve(w.lab, w.server, "--reuseport", "--report", SERVER4 ":8081");
	for (int i = 0; i < 40; i++)
		must_verify(w.client, SERVER4 ":8081", NULL);
	heard += lab_read(a, 1000) != NULL;
	heard += lab_read(b, 1000) != NULL;
	cr_assert_eq(heard, 2, "both listeners get connections");
	must_time_out(world_connect(&w, w.other, SERVER4 ":8081"));
}

Test(handshake, timestamps_and_sack_off)
{
	lab_sysctl(w.lab, w.client.host, "net/ipv4/tcp_timestamps", "0");
	lab_sysctl(w.lab, w.client.host, "net/ipv4/tcp_sack", "0");
	must_verify(w.client, SERVER4 ":8080", NULL);
}

Test(handshake, large_exchanges_pass_whole)
{
	must_answer(
		lab_connect(w.lab, w.client, "--size=60000", "--timeout=5000", SERVER4 ":8080"));
	must_answer(lab_connect(w.lab, w.client, "--size=60000", "--timeout=5000",
				"[" SERVER6 "]:8080"));
}

Test(handshake, lossy_wires_fail_nobody)
{
	struct lab_process *client;
	json_t *tally;

	lab_nft(w.lab, w.client.host,
		"table inet lab {\n"
		"  chain output { type filter hook output priority 0; tcp dport 8080 numgen random mod 100 < 3 drop; }\n"
		"  chain input { type filter hook input priority 0; tcp sport 8080 numgen random mod 100 < 3 drop; }\n"
		"}\n");
	client = lab_traffic(w.lab, w.client, "connect", "--count=150", "--summary", "--reset",
			     "--timeout=20000", SERVER4 ":8080");
	tally = lab_read(client, 60000);
	cr_assert_eq(lab_int(tally, "answered"), 150);
	cr_assert_eq(lab_counter(w.lab, "deny", "BAD_MAC"), 0);
}
