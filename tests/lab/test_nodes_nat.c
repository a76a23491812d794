/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses and ports rewritten between two hosts: the Service's address to a backend, the
 * client's to the router's, and both. No address takes part in a MAC.
 */
#include "tests/lab/test_nodes_common.h"

#define HUB4 "10.77.0.254"
#define HUB6 "fd77::254"

static struct nodes n;

static const char service[] =
	"apiVersion: v1\nkind: Service\nmetadata: {name: payments, namespace: shop}\n"
	"spec: {clusterIP: 10.96.0.10, clusterIPs: [10.96.0.10, \"fd96::10\"],\n"
	"  ports: [{name: web, port: 80, targetPort: 8080}]}\n"
	"---\n"
	"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
	"metadata: {name: payments-v4, namespace: shop,\n"
	"  labels: {kubernetes.io/service-name: payments}}\n"
	"addressType: IPv4\nports: [{name: web, port: 8080}]\n"
	"endpoints: [{addresses: [" SERVER4 "]}]\n"
	"---\n"
	"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
	"metadata: {name: payments-v6, namespace: shop,\n"
	"  labels: {kubernetes.io/service-name: payments}}\n"
	"addressType: IPv6\nports: [{name: web, port: 8080}]\n"
	"endpoints: [{addresses: [\"" SERVER6 "\"]}]\n";

/* clang-format off */
static const char dnat[] =
	"table inet there {\n"
	"  chain in { type nat hook prerouting priority dstnat;\n"
	"    ip daddr 10.96.0.10 tcp dport 80 dnat ip to " SERVER4 ":8080\n"
	"    ip6 daddr fd96::10 tcp dport 80 dnat ip6 to [" SERVER6 "]:8080\n"
	"  }\n"
	"}\n";
static const char snat[] =
	"table inet back {\n"
	"  chain out { type nat hook postrouting priority srcnat;\n"
	"    ip daddr " SERVER4 " masquerade random\n"
	"    ip6 daddr " SERVER6 " masquerade random\n"
	"  }\n"
	"}\n";
/* clang-format on */

/* All ways lead through the hub: to the Service, to payments, and back to the clients. */
static void network(void)
{
	struct lab_host *hub = lab_hub(n.lab);
	struct lab_host *clients[] = { n.client.host, n.report.host };

	lab_ip(n.lab, hub,
	       "address add " HUB4 "/24 dev br0\n"
	       "address add " HUB6 "/64 dev br0 nodad\n");
	lab_sysctl(n.lab, hub, "net/ipv4/ip_forward", "1");
	lab_sysctl(n.lab, hub, "net/ipv6/conf/all/forwarding", "1");
	lab_sysctl(n.lab, hub, "net/ipv4/conf/all/send_redirects", "0");
	lab_sysctl(n.lab, hub, "net/ipv4/conf/br0/send_redirects", "0");
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		lab_ip(n.lab, clients[i],
		       "route add 10.96.0.0/16 via " HUB4 "\n"
		       "route add fd96::/64 via " HUB6 "\n"
		       "route add " SERVER4 "/32 via " HUB4 "\n"
		       "route add " SERVER6 "/128 via " HUB6 "\n");
	lab_ip(n.lab, n.server.host,
	       "route add " CLIENT4 "/32 via " HUB4 "\n"
	       "route add " CLIENT6 "/128 via " HUB6 "\n"
	       "route add " REPORT4 "/32 via " HUB4 "\n"
	       "route add " REPORT6 "/128 via " HUB6 "\n");
}

static void setup(void)
{
	nodes_new(&n, "nodes-nat");
	nodes_policy(&n);
	network();
	lab_manifest(n.lab, "service.yaml", service);
	nodes_start(&n);
}

static void teardown(void)
{
	nodes_free(&n);
}

TestSuite(nodes_nat, .init = setup, .fini = teardown, .timeout = 90);

/* The flow at host-b has the address that the server saw: "10.77.0.254", or the client's. */
static void right_on_both_sides(const char *address, const char *seen)
{
	json_t *flow, *reply = nodes_connect(&n, n.client, address);

	must_answer(reply);
	nodes_must_be_verified(reply, NODE_B, SPIFFE("payments"));
	flow = LAB_NODE_FLOW(n.b, .verdict = "FORWARDED", .direction = "INGRESS", .reason = "RULE",
			     .authentication = "verified", .from = SPIFFE("checkout"),
			     .to = SPIFFE("payments"), .port = 8080, .peer_node = NODE_A);
	cr_assert_str_eq(lab_str(flow, "IP.source"), seen);
	LAB_NODE_FLOW(n.a, .verdict = "FORWARDED", .direction = "EGRESS",
		      .authentication = "verified", .to = SPIFFE("payments"), .peer_node = NODE_B);
	must_time_out(nodes_connect(&n, n.report, address));
	LAB_NODE_FLOW(n.b, .verdict = "DROPPED", .direction = "INGRESS", .reason = "DEFAULT_DENY",
		      .from = SPIFFE("report"), .port = 8080);
}

Test(nodes_nat, the_services_address_over_ipv4)
{
	lab_nft(n.lab, lab_hub(n.lab), dnat);
	right_on_both_sides("10.96.0.10:80", CLIENT4);
}

Test(nodes_nat, the_services_address_over_ipv6)
{
	lab_nft(n.lab, lab_hub(n.lab), dnat);
	right_on_both_sides("[fd96::10]:80", CLIENT6);
}

Test(nodes_nat, the_routers_address_as_the_clients_over_ipv4)
{
	lab_nft(n.lab, lab_hub(n.lab), snat);
	right_on_both_sides(SERVER4 ":8080", HUB4);
}

Test(nodes_nat, the_routers_address_as_the_clients_over_ipv6)
{
	lab_nft(n.lab, lab_hub(n.lab), snat);
	right_on_both_sides("[" SERVER6 "]:8080", HUB6);
}

Test(nodes_nat, both_at_once_over_ipv4)
{
	lab_nft(n.lab, lab_hub(n.lab), dnat);
	lab_nft(n.lab, lab_hub(n.lab), snat);
	right_on_both_sides("10.96.0.10:80", HUB4);
}

Test(nodes_nat, both_at_once_over_ipv6)
{
	lab_nft(n.lab, lab_hub(n.lab), dnat);
	lab_nft(n.lab, lab_hub(n.lab), snat);
	right_on_both_sides("[fd96::10]:80", HUB6);
}

/* kube-proxy's place: the address is rewritten on the client's host itself. */
Test(nodes_nat, rewritten_in_the_clients_own_namespace)
{
	struct lab_place host = { "shop/checkout", n.client.host };

	lab_nft(n.lab, n.client.host,
		"table inet own {\n"
		"  chain out { type nat hook output priority -100;\n"
		"    ip daddr 10.96.0.10 tcp dport 80 dnat ip to " SERVER4 ":8080\n"
		"  }\n"
		"}\n");
	nodes_must_be_verified(nodes_connect(&n, host, "10.96.0.10:80"), NODE_B,
			       SPIFFE("payments"));
}
