/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two trust domains with a host each: example.org's payments on host-b, partner.org's other on
 * host-c. Each has its own CA, and the other one's bundle, or not.
 */
#include "tests/lab/test_nodes_common.h"

#include <sys/stat.h>

#define PARTNER "spiffe://partner.org/ns/shop/sa/other"

static struct nodes n;
static struct lab_ca *partner;

static void bundle_dirs(void)
{
	cr_assert_eq(mkdir(lab_path(n.lab, "bundles-b"), 0700), 0);
	cr_assert_eq(mkdir(lab_path(n.lab, "bundles-c"), 0700), 0);
}

static void setup(void)
{
	nodes_new(&n, "nodes-federate");
	partner = lab_ca(n.lab, "partner.org");
	lab_ca_node(partner, n.c);
	bundle_dirs();
	lab_manifest(n.lab, "workloads.yaml",
		     "apiVersion: countersign.dev/v1alpha1\n"
		     "kind: Workload\n"
		     "metadata: {name: payments, namespace: shop, labels: {app: payments}}\n"
		     "spec: {node: host-b, trustDomain: example.org, serviceAccount: payments,\n"
		     "  cgroup: shop/payments, addresses: [" SERVER4 "]}\n"
		     "---\n"
		     "apiVersion: countersign.dev/v1alpha1\n"
		     "kind: Workload\n"
		     "metadata: {name: other, namespace: shop, labels: {app: other}}\n"
		     "spec: {node: host-c, trustDomain: partner.org, serviceAccount: other,\n"
		     "  cgroup: shop/other, addresses: [" OTHER4 "]}\n");
	lab_manifest(n.lab, "policy.yaml",
		     "apiVersion: countersign.dev/v1alpha1\n"
		     "kind: IdentityPolicy\n"
		     "metadata: {name: payments, namespace: shop}\n"
		     "spec:\n"
		     "  subject: {selector: {matchLabels: {app: payments}}}\n"
		     "  ingress:\n"
		     "  - name: from-the-partner\n"
		     "    action: Allow\n"
		     "    authentication: Required\n"
		     "    from: [{spiffeIDs: [\"" PARTNER "\"]}]\n");
}

static void teardown(void)
{
	nodes_free(&n);
}

TestSuite(nodes_federate, .init = setup, .fini = teardown, .timeout = 90);

static void start(struct lab_node *node, const char *bundles)
{
	/* Without a salt file: each computes the other domain's numbers under that one's salt. */
	lab_node_start(node, "--bundles", lab_path(n.lab, bundles));
}

static void start_both(void)
{
	lab_ca_bundle(n.ca, lab_path(n.lab, "bundles-c"), "1-2");
	start(n.b, "bundles-b");
	start(n.c, "bundles-c");
	lab_serve(n.lab, n.server, SERVER4 ":8080");
}

static void must_be_unknown(const char *flaw)
{
	const char *text;
	int code;

	must_time_out(nodes_connect(&n, n.other, SERVER4 ":8080"));
	LAB_NODE_FLOW(n.b, .verdict = "DROPPED", .direction = "INGRESS", .port = 8080);
	cr_assert_eq(lab_node_counter(n.b, "allow", NULL), 0);
	text = lab_node_cli(n.b, &code, "nodes", "-o", "json");
	cr_assert(strstr(text, flaw), "countersign nodes does not say %s: %s", flaw, text);
}

Test(nodes_federate, the_partners_workload_is_verified_by_its_name)
{
	json_t *reply;

	lab_ca_bundle(partner, lab_path(n.lab, "bundles-b"), "3-9");
	start_both();
	lab_node_knows(n.b, n.c);
	lab_node_knows(n.c, n.b);
	reply = nodes_connect(&n, n.other, SERVER4 ":8080");
	must_answer(reply);
	nodes_must_be_verified(reply, NODE_B, SPIFFE("payments"));
	LAB_NODE_FLOW(n.b, .verdict = "FORWARDED", .direction = "INGRESS", .reason = "RULE",
		      .authentication = "verified", .from = PARTNER, .peer_node = NODE_C);
}

Test(nodes_federate, without_the_bundle_it_is_unknown)
{
	start_both();
	must_be_unknown("CERTIFICATE");
}

Test(nodes_federate, a_bundle_that_comes_later_lets_it_in)
{
	start_both();
	must_time_out(nodes_connect(&n, n.other, SERVER4 ":8080"));
	lab_ca_bundle(partner, lab_path(n.lab, "bundles-b"), "3-9");
	lab_node_knows(n.b, n.c);
	lab_node_knows(n.c, n.b);
	must_answer(nodes_connect(&n, n.other, SERVER4 ":8080"));
}

Test(nodes_federate, a_number_outside_the_partners_range_is_refused)
{
	lab_ca_bundle(partner, lab_path(n.lab, "bundles-b"), "4-9");
	start_both();
	must_be_unknown("NUMBER_RANGE");
}

/* partner.org's CA cannot speak for example.org: a bundle is for its own trust domain only. */
Test(nodes_federate, the_partners_ca_makes_no_node_of_ours)
{
	struct lab_ca *forged = partner;
	const struct lab_svid ours = { "countersign/node/host-c", -60, 3600 };

	lab_ca_bundle(partner, lab_path(n.lab, "bundles-b"), "3-9");
	lab_ca_as(forged, "example.org");
	lab_ca_write(forged, &ours, lab_ca_node_dir(n.c));
	lab_node_trust_domain(n.c, "example.org");
	start_both();
	must_be_unknown("CERTIFICATE");
}
