/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Revocation: a document in the manifests, and live connections between two hosts are cut in
 * less than a second, new ones refused with that reason.
 */
#include "tests/lab/test_nodes_common.h"

#define CUT_MS 1000

static struct nodes n;
static struct lab_process *live, *server;

static void setup(void)
{
	nodes_new(&n, "nodes-revoke");
	nodes_policy(&n);
	nodes_start(&n);
	server = nodes_reporter(&n, SERVER4 ":8081");
	live = lab_traffic(n.lab, n.client, "hold", "--interval=5", "--timeout=5000",
			   SERVER4 ":8081");
	cr_assert(lab_bool(lab_read(live, LAB_WAIT_MS), "established"));
}

static void teardown(void)
{
	nodes_free(&n);
}

TestSuite(nodes_revoke, .init = setup, .fini = teardown, .timeout = 90);

static json_t *closed(void)
{
	json_t *line;

	while ((line = lab_read(server, LAB_WAIT_MS)))
		if (*lab_str(line, "closed"))
			return line;
	return NULL;
}

/* Both applications learn it, each within a second of the document's appearance. */
static void must_cut(const char *what, const char *spec)
{
	uint64_t start, client_ms, server_ms;

	cr_assert_null(lab_read(live, 300), "the connection does not live before");
	start = lab_now_ms();
	nodes_revoke(&n, spec);
	cr_assert(lab_bool(lab_read(live, LAB_WAIT_MS), "broken"), "the client was not told");
	client_ms = lab_now_ms() - start;
	cr_assert(closed(), "the server was not told");
	server_ms = lab_now_ms() - start;
	printf("revoked %s: cut after %llu ms at the client, %llu ms at the server\n", what,
	       (unsigned long long)client_ms, (unsigned long long)server_ms);
	cr_assert_lt(client_ms, CUT_MS);
	cr_assert_lt(server_ms, CUT_MS);
}

static void must_refuse(struct lab_node *node, const char *direction)
{
	json_t *reply = nodes_connect(&n, n.client, SERVER4 ":8081");

	cr_assert(!lab_bool(reply, "answered"), "a revoked one was answered");
	nodes_must_count(node, "REVOKED", 0);
	LAB_NODE_FLOW(node, .verdict = "DROPPED", .direction = direction, .reason = "REVOKED");
}

/* A connection that has nothing to do with it goes on. */
static struct lab_process *bystander(void)
{
	struct lab_process *p;

	lab_serve(n.lab, n.server, SERVER4 ":8090");
	nodes_start_c(&n);
	p = lab_traffic(n.lab, n.other, "hold", "--interval=5", "--timeout=5000", SERVER4 ":8090");
	cr_assert(lab_bool(lab_read(p, LAB_WAIT_MS), "established"));
	return p;
}

static void must_live(struct lab_process *p)
{
	cr_assert_null(lab_read(p, 500), "a connection was cut that nobody revoked");
	cr_assert(lab_alive(p));
	must_answer(nodes_connect(&n, n.other, SERVER4 ":8090"));
}

Test(nodes_revoke, a_workload)
{
	struct lab_process *other = bystander();

	must_cut("workload", "workloads: [{namespace: shop, name: checkout}]");
	must_live(other);
	must_refuse(n.a, "EGRESS");
}

/* host-a knows nothing of it: it is cut off. */
Test(nodes_revoke, a_workload_whose_own_node_does_not_know)
{
	lab_node_kill9(n.a);
	must_cut("workload, by the other node alone",
		 "workloads: [{namespace: shop, name: checkout}]");
	must_refuse(n.b, "INGRESS");
}

Test(nodes_revoke, a_spiffe_id)
{
	lab_node_kill9(n.a);
	must_cut("SPIFFE ID", "spiffeIDs: [\"" SPIFFE("checkout") "\"]");
	must_refuse(n.b, "INGRESS");
}

Test(nodes_revoke, the_serial_number_of_a_nodes_certificate)
{
	struct lab_process *other = bystander();

	must_cut("serial", lab_printf(n.lab, "serials: [\"%s\"]", n.svid[NODE_A].serial));
	must_live(other);
	lab_node_kill9(n.a); /* which, being revoked, would not tag any more */
	must_refuse(n.b, "INGRESS");
}

Test(nodes_revoke, a_node)
{
	struct lab_process *other = bystander();

	must_cut("node", "nodes: [host-a]");
	must_live(other);
	nodes_must_count(n.b, "REVOKED", 0);
}

Test(nodes_revoke, a_node_that_ignores_it)
{
	lab_node_kill9(n.a);
	must_cut("node, by the other one alone", "nodes: [host-a]");
	must_refuse(n.b, "INGRESS");
}

Test(nodes_revoke, taken_back)
{
	must_cut("node", "nodes: [host-a]");
	lab_manifest_remove(n.lab, "revoked.yaml");
	lab_node_reload(n.a);
	lab_node_reload(n.b);
	lab_node_knows(n.a, n.b);
	lab_node_knows(n.b, n.a);
	nodes_must_be_verified(nodes_connect(&n, n.client, SERVER4 ":8081"), NODE_B,
			       SPIFFE("payments"));
}
