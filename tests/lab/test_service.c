/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Services, rewritten to a backend on the way by nftables in the hub: other port, IPv4 and
 * IPv6, TCP and UDP. Egress is decided on who is behind, by their own ports.
 */
#include "tests/lab/test_common.h"

#define HUB4 "10.77.0.254"
#define HUB6 "fd77::254"

static struct world w;

/* clang-format off */
#define SERVICE(name, n) \
	"apiVersion: v1\nkind: Service\nmetadata: {name: " name ", namespace: shop}\n" \
	"spec: {clusterIP: 10.96.0." n ", clusterIPs: [10.96.0." n ", \"fd96::" n "\"], ports: [\n" \
	"  {name: web, port: 80, targetPort: 8080}, {name: dns, port: 53, protocol: UDP}]}\n---\n"
#define SLICE(name, v, addresses) \
	"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n" \
	"metadata: {name: " name "-v" v ", namespace: shop, labels: {kubernetes.io/service-name: " name "}}\n" \
	"addressType: IPv" v "\nports: [{name: web, port: 8080}, {name: dns, port: 5353, protocol: UDP}]\n" \
	"endpoints: [" addresses "]\n---\n"
#define AT(address) "{addresses: [\"" address "\"]}"

/* 10: one backend. 11: two, rewritten to payments. 12: the same two, rewritten to other.
 * 13: none. 14: checkout itself. */
static const char services[] =
	SERVICE("one", "10") SLICE("one", "4", AT(SERVER4)) SLICE("one", "6", AT(SERVER6))
	SERVICE("mixed", "11") SLICE("mixed", "4", AT(SERVER4) ", " AT(OTHER4))
	SLICE("mixed", "6", AT(SERVER6) ", " AT(OTHER6))
	SERVICE("wrong", "12") SLICE("wrong", "4", AT(SERVER4) ", " AT(OTHER4))
	SLICE("wrong", "6", AT(SERVER6) ", " AT(OTHER6))
	SERVICE("empty", "13")
	SERVICE("self", "14") SLICE("self", "4", AT(CLIENT4)) SLICE("self", "6", AT(CLIENT6));

static const char rewrite[] =
	"table inet lab {\n"
	"  chain in { type nat hook prerouting priority dstnat;\n"
	"    ip daddr { 10.96.0.10, 10.96.0.11 } tcp dport 80 dnat ip to " SERVER4 ":8080\n"
	"    ip daddr { 10.96.0.10, 10.96.0.11 } udp dport 53 dnat ip to " SERVER4 ":5353\n"
	"    ip daddr 10.96.0.12 tcp dport 80 dnat ip to " OTHER4 ":8080\n"
	"    ip6 daddr { fd96::10, fd96::11 } tcp dport 80 dnat ip6 to [" SERVER6 "]:8080\n"
	"    ip6 daddr { fd96::10, fd96::11 } udp dport 53 dnat ip6 to [" SERVER6 "]:5353\n"
	"    ip6 daddr fd96::12 tcp dport 80 dnat ip6 to [" OTHER6 "]:8080\n"
	"  }\n"
	"}\n";
/* clang-format on */

/* The way to Services, and of all answers, leads through the hub. */
static void network(void)
{
	struct lab_host *hub = lab_hub(w.lab);

	lab_ip(w.lab, hub,
	       "address add " HUB4 "/24 dev br0\n"
	       "address add " HUB6 "/64 dev br0 nodad\n");
	lab_sysctl(w.lab, hub, "net/ipv4/ip_forward", "1");
	lab_sysctl(w.lab, hub, "net/ipv6/conf/all/forwarding", "1");
	lab_sysctl(w.lab, hub, "net/ipv4/conf/all/send_redirects", "0");
	lab_sysctl(w.lab, hub, "net/ipv4/conf/br0/send_redirects", "0");
	lab_nft(w.lab, hub, rewrite);
	lab_ip(w.lab, w.client.host,
	       "route add 10.96.0.0/16 via " HUB4 "\n"
	       "route add fd96::/64 via " HUB6 "\n");
	for (int i = 0; i < 2; i++)
		lab_ip(w.lab, i ? w.server.host : w.other.host,
		       "route add " CLIENT4 "/32 via " HUB4 "\n"
		       "route add " CLIENT6 "/128 via " HUB6 "\n");
}

static void setup(void)
{
	world_new(&w, "service");
	network();
	lab_manifest(w.lab, "services.yaml", services);
	world_policy(&w, "checkout",
		     "  subject: {selector: {matchLabels: {app: checkout}}}\n"
		     "  egress:\n"
		     "  - name: to-payments\n"
		     "    action: Allow\n"
		     "    to: [{serviceAccounts: [{namespace: shop, name: payments}]}]\n"
		     "    ports: [{port: 8080, protocol: TCP}, {port: 5353, protocol: UDP}]\n");
}

static void teardown(void)
{
	world_free(&w);
}

TestSuite(service, .init = setup, .fini = teardown, .timeout = 90);

static void start(const char *deny)
{
	lab_agent_start(w.lab, "--deny", deny);
	lab_serve(w.lab, w.server, SERVER4 ":8080");
	lab_serve(w.lab, w.server, "[" SERVER6 "]:8080");
	lab_serve(w.lab, w.server, "--udp", SERVER4 ":5353");
	lab_serve(w.lab, w.server, "--udp", "[" SERVER6 "]:5353");
	lab_serve(w.lab, w.other, OTHER4 ":8080");
	lab_serve(w.lab, w.other, "[" OTHER6 "]:8080");
}

static json_t *datagram(const char *address)
{
	return lab_connect(w.lab, w.client, "--udp", "--timeout=700", address);
}

static void must_stay_silent(const json_t *reply)
{
	cr_assert(!lab_bool(reply, "answered"), "a datagram that must be denied was answered");
}

Test(service, the_backends_own_port_counts)
{
	json_t *reply;

	start("drop");
	reply = world_connect(&w, w.client, "10.96.0.10:80");
	must_answer(reply);
	must_know_peer(reply, "verified", SPIFFE("payments"));
	must_answer(world_connect(&w, w.client, "[fd96::10]:80"));
	LAB_FLOW(w.lab, .verdict = "FORWARDED", .direction = "EGRESS", .reason = "RULE",
		 .authentication = "verified", .from = SPIFFE("checkout"),
		 .to = SPIFFE("payments"));
}

Test(service, datagrams_when_every_backend_is_allowed)
{
	start("drop");
	must_answer(datagram("10.96.0.10:53"));
	must_answer(datagram("[fd96::10]:53"));
	LAB_FLOW(w.lab, .verdict = "FORWARDED", .direction = "EGRESS", .reason = "RULE",
		 .from = SPIFFE("checkout"), .to = SPIFFE("payments"), .port = 53);
}

Test(service, a_connection_is_decided_on_the_backend_that_answers)
{
	start("drop");
	must_answer(world_connect(&w, w.client, "10.96.0.11:80"));
	must_answer(world_connect(&w, w.client, "[fd96::11]:80"));
	must_time_out(world_connect(&w, w.client, "10.96.0.12:80"));
	must_time_out(world_connect(&w, w.client, "[fd96::12]:80"));
	LAB_FLOW(w.lab, .verdict = "DROPPED", .direction = "EGRESS", .reason = "DEFAULT_DENY",
		 .authentication = "verified", .from = SPIFFE("checkout"), .to = SPIFFE("other"));
}

Test(service, datagrams_are_refused_when_one_backend_is_denied)
{
	start("drop");
	must_stay_silent(datagram("10.96.0.11:53"));
	must_stay_silent(datagram("[fd96::11]:53"));
	LAB_FLOW(w.lab, .verdict = "DROPPED", .direction = "EGRESS", .reason = "DEFAULT_DENY",
		 .from = SPIFFE("checkout"), .to = SPIFFE("other"), .port = 53);
}

Test(service, the_services_own_port_does_not_count)
{
	world_policy(&w, "checkout",
		     "  subject: {selector: {matchLabels: {app: checkout}}}\n"
		     "  egress:\n"
		     "  - action: Allow\n"
		     "    to: [{serviceAccounts: [{namespace: shop, name: payments}]}]\n"
		     "    ports: [{port: 80, protocol: TCP}, {port: 53, protocol: UDP}]\n");
	start("drop");
	must_time_out(world_connect(&w, w.client, "10.96.0.10:80"));
	must_stay_silent(datagram("10.96.0.10:53"));
}

Test(service, nobody_behind_it_is_a_reason)
{
	start("drop");
	must_time_out(world_connect(&w, w.client, "10.96.0.13:80"));
	must_stay_silent(datagram("[fd96::13]:53"));
	LAB_FLOW(w.lab, .verdict = "DROPPED", .direction = "EGRESS", .reason = "NO_BACKEND",
		 .from = SPIFFE("checkout"), .port = 80);
	LAB_FLOW(w.lab, .verdict = "DROPPED", .direction = "EGRESS", .reason = "NO_BACKEND",
		 .from = SPIFFE("checkout"), .port = 53);
}

Test(service, reject_refuses_only_what_no_backend_could_be)
{
	start("reject");
	must_answer(world_connect(&w, w.client, "10.96.0.11:80"));
	cr_assert_eq(lab_int(world_connect(&w, w.client, "10.96.0.13:80"), "errno"), EPERM);
	world_policy(&w, "checkout",
		     "  subject: {selector: {matchLabels: {app: checkout}}}\n"
		     "  egress: []\n");
	lab_reload(w.lab);
	cr_assert_eq(lab_int(world_connect(&w, w.client, "10.96.0.11:80"), "errno"), EPERM);
}

/* Rewritten on this host already, so that even the packets go from and to one address. */
Test(service, back_to_oneself_is_subject_to_policy)
{
	lab_nft(w.lab, w.client.host,
		"table ip lab { chain out { type nat hook output priority -100;\n"
		"  ip daddr 10.96.0.14 tcp dport 80 dnat to " CLIENT4 ":8080\n"
		"  ip daddr 10.96.0.14 udp dport 53 dnat to " CLIENT4 ":5353\n"
		"}\n}\n");
	world_policy(&w, "checkout",
		     "  subject: {selector: {matchLabels: {app: checkout}}}\n"
		     "  ingress: []\n");
	start("drop");
	lab_serve(w.lab, w.client, CLIENT4 ":8080");
	lab_serve(w.lab, w.client, "--udp", CLIENT4 ":5353");
	must_answer(world_connect(&w, w.client, CLIENT4 ":8080"));
	must_answer(datagram(CLIENT4 ":5353"));
	must_time_out(world_connect(&w, w.client, "10.96.0.14:80"));
	must_stay_silent(datagram("10.96.0.14:53"));
	world_policy(
		&w, "checkout",
		"  subject: {selector: {matchLabels: {app: checkout}}}\n"
		"  ingress: [{action: Allow, from: [{serviceAccounts: [{namespace: shop, name: checkout}]}]}]\n");
	lab_reload(w.lab);
	must_answer(world_connect(&w, w.client, "10.96.0.14:80"));
	must_answer(datagram("10.96.0.14:53"));
	world_policy(&w, "checkout",
		     "  subject: {selector: {matchLabels: {app: checkout}}}\n"
		     "  egress: []\n");
	lab_reload(w.lab);
	must_answer(world_connect(&w, w.client, CLIENT4 ":8080"));
	must_answer(datagram(CLIENT4 ":5353"));
	must_time_out(world_connect(&w, w.client, "10.96.0.14:80"));
	must_stay_silent(datagram("10.96.0.14:53"));
}

Test(service, a_backend_that_goes_away_is_noticed)
{
	start("drop");
	must_stay_silent(datagram("10.96.0.11:53"));
	lab_manifest(w.lab, "services.yaml",
		     SERVICE("mixed", "11") SLICE("mixed", "4", AT(SERVER4)));
	lab_reload(w.lab);
	must_answer(datagram("10.96.0.11:53"));
	lab_manifest_remove(w.lab, "services.yaml");
	lab_reload(w.lab);
	must_stay_silent(datagram("10.96.0.11:53"));
}
