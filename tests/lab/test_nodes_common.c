/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lab/test_nodes_common.h"

#define COUNT_WAIT_MS 3000

static const char workloads[] =
	"apiVersion: countersign.dev/v1alpha1\n"
	"kind: Workload\n"
	"metadata: {name: checkout, namespace: shop, labels: {app: checkout}}\n"
	"spec: {node: host-a, serviceAccount: checkout, cgroup: shop/checkout,\n"
	"  addresses: [" CLIENT4 ", \"" CLIENT6 "\"]}\n"
	"---\n"
	"apiVersion: countersign.dev/v1alpha1\n"
	"kind: Workload\n"
	"metadata: {name: report, namespace: shop, labels: {app: report}}\n"
	"spec: {node: host-a, serviceAccount: report, cgroup: shop/report,\n"
	"  addresses: [" REPORT4 ", \"" REPORT6 "\"]}\n"
	"---\n"
	"apiVersion: countersign.dev/v1alpha1\n"
	"kind: Workload\n"
	"metadata: {name: payments, namespace: shop, labels: {app: payments}}\n"
	"spec: {node: host-b, serviceAccount: payments, cgroup: shop/payments,\n"
	"  addresses: [" SERVER4 ", \"" SERVER6 "\"]}\n"
	"---\n"
	"apiVersion: countersign.dev/v1alpha1\n"
	"kind: Workload\n"
	"metadata: {name: other, namespace: shop, labels: {app: other}}\n"
	"spec: {node: host-c, serviceAccount: other, cgroup: shop/other,\n"
	"  addresses: [" OTHER4 ", \"" OTHER6 "\"]}\n";

static void fail_test(const char *text)
{
	cr_assert(false, "%s", text);
	abort(); /* not reached: the assertion ends the test */
}

static struct lab_place make_pod(struct lab_node *node, const char *name, const char *cgroup,
				 const char *addr4, const char *addr6)
{
	lab_node_cgroup(node, cgroup);
	return lab_place(cgroup, lab_node_pod(node, name, addr4, addr6));
}

void nodes_new(struct nodes *n, const char *name)
{
	lab_on_failure(fail_test);
	n->lab = lab_new(name);
	n->a = lab_node(n->lab, "host-a", NODE_A, "10.77.0.101", "fd77::101");
	n->b = lab_node(n->lab, "host-b", NODE_B, "10.77.0.102", "fd77::102");
	n->c = lab_node(n->lab, "host-c", NODE_C, "10.77.0.103", "fd77::103");
	n->client = make_pod(n->a, "client", "shop/checkout", CLIENT4, CLIENT6);
	n->report = make_pod(n->a, "report", "shop/report", REPORT4, REPORT6);
	n->server = make_pod(n->b, "server", "shop/payments", SERVER4, SERVER6);
	n->other = make_pod(n->c, "other", "shop/other", OTHER4, OTHER6);
	n->ca = lab_ca(n->lab, "example.org");
	n->svid[NODE_A] = lab_ca_node(n->ca, n->a);
	n->svid[NODE_B] = lab_ca_node(n->ca, n->b);
	n->svid[NODE_C] = lab_ca_node(n->ca, n->c);
	lab_manifest(n->lab, "workloads.yaml", workloads);
}

void nodes_free(struct nodes *n)
{
	lab_free(n->lab);
	n->lab = NULL;
}

void nodes_policy(struct nodes *n)
{
	lab_manifest(n->lab, "policy.yaml",
		     "apiVersion: countersign.dev/v1alpha1\n"
		     "kind: IdentityPolicy\n"
		     "metadata: {name: payments, namespace: shop}\n"
		     "spec:\n"
		     "  subject: {selector: {matchLabels: {app: payments}}}\n"
		     "  ingress:\n"
		     "  - name: from-checkout\n"
		     "    action: Allow\n"
		     "    authentication: Required\n"
		     "    from: [{serviceAccounts: [{namespace: shop, name: checkout}]}]\n"
		     "    ports: [{port: 8080, endPort: 8089, protocol: TCP}]\n"
		     "  - name: from-other\n"
		     "    action: Allow\n"
		     "    authentication: Required\n"
		     "    from: [{serviceAccounts: [{namespace: shop, name: other}]}]\n"
		     "    ports: [{port: 8090, protocol: TCP}]\n");
}

void nodes_start_argv(struct nodes *n, const char *const *args)
{
	lab_node_start_argv(n->a, args);
	lab_node_start_argv(n->b, args);
	lab_node_knows(n->a, n->b);
	lab_node_knows(n->b, n->a);
	lab_serve(n->lab, n->server, SERVER4 ":8080");
	lab_serve(n->lab, n->server, "[" SERVER6 "]:8080");
}

void nodes_start_c(struct nodes *n)
{
	lab_node_start(n->c);
	lab_node_knows(n->c, n->b);
	lab_node_knows(n->b, n->c);
}

json_t *nodes_connect(struct nodes *n, struct lab_place from, const char *address)
{
	return lab_connect(n->lab, from, "--timeout=1500", address);
}

void nodes_must_be_verified(const json_t *reply, int node, const char *spiffe_id)
{
	must_know_peer(reply, "verified", spiffe_id);
	cr_assert_eq(lab_int(reply, "peer.node"), node, "vouched for by node %lld",
		     (long long)lab_int(reply, "peer.node"));
}

struct lab_process *nodes_reporter(struct nodes *n, const char *address)
{
	return lab_serve(n->lab, n->server, "--report", address);
}

uint64_t nodes_identity_of_client(struct nodes *n)
{
	struct lab_process *server = nodes_reporter(n, SERVER4 ":8089");
	uint64_t identity;

	must_answer(nodes_connect(n, n->client, SERVER4 ":8089"));
	identity = lab_int(lab_read(server, LAB_WAIT_MS), "peer.identity");
	lab_kill(server);
	cr_assert_neq(identity, 0);
	return identity;
}

void nodes_revoke(struct nodes *n, const char *spec)
{
	lab_manifest(n->lab, "revoked.yaml",
		     lab_printf(n->lab,
				"apiVersion: countersign.dev/v1alpha1\n"
				"kind: Revocation\n"
				"metadata: {name: stolen}\n"
				"spec: {%s, reason: \"the key was stolen\"}\n",
				spec));
}

void nodes_must_count(struct lab_node *node, const char *reason, uint64_t before)
{
	uint64_t end = lab_now_ms() + COUNT_WAIT_MS;

	while (lab_node_counter(node, "deny", reason) <= before) {
		if (lab_now_ms() >= end) /* shows what there was instead */
			LAB_NODE_FLOW(node, .verdict = "DROPPED", .reason = reason);
		cr_assert_lt(lab_now_ms(), end, "%s counted no %s", lab_node_name(node), reason);
		lab_sleep_ms(50);
	}
}

static const char *forge_option(struct nodes *n, const char *name, const char *value)
{
	return lab_printf(n->lab, "--%s=%s", name, value);
}

/* The server answers to host-c when it answers to the address of "address:port". */
static void take_address(struct nodes *n, const char *from)
{
	lab_ip(n->lab, n->server.host,
	       lab_printf(n->lab, "neigh replace %.*s lladdr %s dev eth0 nud permanent\n",
			  (int)strcspn(from, ":"), from, lab_host_mac(lab_node_host(n->c))));
}

json_t *nodes_forge(struct nodes *n, const struct forgery *f)
{
	const char *from = f->from ?: SPOOFED4 ":0";
	const struct {
		const char *name, *value;
	} optional[] = { { "claim", f->claim }, { "tag", f->tag },     { "key", f->key },
			 { "mode", f->mode },	{ "shape", f->shape }, { "bind", from } };
	const char *argv[24] = { "forge", "--iface=eth0", f->to ?: SERVER4 ":8080" };
	size_t used = 3;
	json_t *totals;

	take_address(n, from);
	argv[used++] = forge_option(n, "mac", lab_host_mac(n->server.host));
	argv[used++] = lab_printf(n->lab, "--count=%d", NODES_TRIES);
	argv[used++] = lab_printf(n->lab, "--isn=%u", f->isn);
	for (size_t i = 0; i < ARRAY_SIZE(optional); i++)
		if (optional[i].value)
			argv[used++] = forge_option(n, optional[i].name, optional[i].value);
	totals = lab_read(lab_traffic_argv(n->lab, lab_place(NULL, lab_node_host(n->c)), argv),
			  30000);
	lab_check(n->lab, totals, "the forger says nothing");
	return totals;
}

static json_t *refused(struct nodes *n, const char *reason, const struct forgery *forgery)
{
	uint64_t before = lab_node_counter(n->b, "deny", reason);
	json_t *totals = nodes_forge(n, forgery);

	cr_assert_eq(lab_int(totals, "accepted"), 0, "%lld forged connections were answered",
		     (long long)lab_int(totals, "accepted"));
	nodes_must_count(n->b, reason, before + NODES_TRIES - 1);
	LAB_NODE_FLOW(n->b, .verdict = "DROPPED", .direction = "INGRESS", .reason = reason);
	return totals;
}

void nodes_refused_at_syn(struct nodes *n, const char *reason, const struct forgery *forgery)
{
	cr_assert_eq(lab_int(refused(n, reason, forgery), "synacks"), 0, "a SYN was answered");
}

void nodes_refused_at_ack(struct nodes *n, const char *reason, const struct forgery *forgery)
{
	cr_assert_geq(lab_int(refused(n, reason, forgery), "acks"), NODES_TRIES,
		      "not every handshake came to its ACK");
}
