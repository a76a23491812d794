/* SPDX-License-Identifier: Apache-2.0 */
/* A node may always reach its own pods, and they it; nobody else may in its name. */
#include "tests/lab/test_common.h"

#define NODE4 "10.77.0.9"
#define NODE6 "fd77::9"

static struct world w;
static struct lab_host *node; /* where the agent runs */
static struct lab_place kubelet; /* on the node, outside the guarded cgroups */
static struct lab_place host_daemon; /* on the node, guarded, of no workload */
static struct lab_place on_host; /* a workload in the node's network namespace */
static struct lab_place remote; /* an unguarded program of another node */

static void setup(void)
{
	world_new(&w, "own-node");
	node = lab_host(w.lab, "node", NODE4, NODE6);
	lab_agent_host(w.lab, node);
	kubelet = lab_place(NULL, node);
	host_daemon = lab_place("system/daemon", node);
	on_host = lab_place("shop/onhost", node);
	remote = lab_place(NULL, w.other.host);
	lab_cgroup(w.lab, host_daemon.cgroup);
	lab_cgroup(w.lab, on_host.cgroup);
	lab_manifest(w.lab, "onhost.yaml",
		     "apiVersion: countersign.dev/v1alpha1\n"
		     "kind: Workload\n"
		     "metadata: {name: onhost, namespace: shop, labels: {app: onhost}}\n"
		     "spec: {serviceAccount: onhost, cgroup: shop/onhost, hostNetwork: true}\n");
	world_policy(&w, "closed",
		     "  subject: {selector: {matchLabels: {app: payments}}}\n"
		     "  ingress: []\n"
		     "  egress: []\n");
}

static void teardown(void)
{
	world_free(&w);
}

TestSuite(own_node, .init = setup, .fini = teardown, .timeout = 90);

static void start(const char *own_node)
{
	lab_agent_start(w.lab, "--own-node", own_node);
	lab_serve(w.lab, w.server, SERVER4 ":8080");
	lab_serve(w.lab, w.server, "[" SERVER6 "]:8080");
	lab_serve(w.lab, w.server, "--udp", SERVER4 ":8080");
}

static json_t *datagram(struct lab_place from, const char *address)
{
	return lab_connect(w.lab, from, "--udp", "--timeout=700", address);
}

static void must_stay_silent(const json_t *reply)
{
	cr_assert(!lab_bool(reply, "answered"), "a datagram that must be denied was answered");
}

Test(own_node, an_unguarded_process_of_the_node_reaches_its_pods)
{
	start("allow");
	must_answer(world_connect(&w, kubelet, SERVER4 ":8080"));
	must_answer(world_connect(&w, kubelet, "[" SERVER6 "]:8080"));
	must_answer(datagram(kubelet, SERVER4 ":8080"));
	LAB_FLOW(w.lab, .verdict = "FORWARDED", .direction = "INGRESS", .reason = "OWN_NODE",
		 .authentication = "inferred", .to = SPIFFE("payments"), .port = 8080);
}

Test(own_node, so_does_a_guarded_one_of_no_workload)
{
	start("allow");
	must_answer(world_connect(&w, host_daemon, SERVER4 ":8080"));
	must_answer(world_connect(&w, host_daemon, "[" SERVER6 "]:8080"));
	must_answer(datagram(host_daemon, SERVER4 ":8080"));
	LAB_FLOW(w.lab, .verdict = "FORWARDED", .direction = "INGRESS", .reason = "OWN_NODE",
		 .to = SPIFFE("payments"), .port = 8080);
}

Test(own_node, a_pod_reaches_its_node)
{
	start("allow");
	lab_serve(w.lab, kubelet, NODE4 ":9000");
	lab_serve(w.lab, kubelet, "--udp", NODE4 ":9000");
	lab_serve(w.lab, host_daemon, NODE4 ":9001");
	lab_serve(w.lab, host_daemon, "--udp", NODE4 ":9001");
	must_answer(world_connect(&w, w.server, NODE4 ":9000"));
	must_answer(datagram(w.server, NODE4 ":9000"));
	must_answer(world_connect(&w, w.server, NODE4 ":9001"));
	must_answer(datagram(w.server, NODE4 ":9001"));
	LAB_FLOW(w.lab, .verdict = "FORWARDED", .direction = "EGRESS", .reason = "OWN_NODE",
		 .from = SPIFFE("payments"), .port = 9001);
}

Test(own_node, another_node_is_judged_by_policy)
{
	start("allow");
	must_time_out(world_connect(&w, remote, SERVER4 ":8080"));
	must_stay_silent(datagram(remote, SERVER4 ":8080"));
	lab_serve(w.lab, remote, OTHER4 ":9000");
	must_time_out(world_connect(&w, w.server, OTHER4 ":9000"));
}

Test(own_node, a_workload_in_the_nodes_namespace_is_judged_by_policy)
{
	start("allow");
	must_time_out(world_connect(&w, on_host, SERVER4 ":8080"));
	must_stay_silent(datagram(on_host, SERVER4 ":8080"));
	LAB_FLOW(w.lab, .verdict = "DROPPED", .direction = "INGRESS", .from = SPIFFE("onhost"),
		 .to = SPIFFE("payments"), .port = 8080);
	lab_serve(w.lab, on_host, NODE4 ":9002");
	must_time_out(world_connect(&w, w.server, NODE4 ":9002"));
}

Test(own_node, a_process_of_no_workload_inside_a_pod_is_not_the_node)
{
	start("allow");
	must_time_out(world_connect(&w, w.stranger, SERVER4 ":8080"));
	must_stay_silent(datagram(w.stranger, SERVER4 ":8080"));
}

Test(own_node, another_pod_is_not_the_node)
{
	start("allow");
	must_time_out(world_connect(&w, w.client, SERVER4 ":8080"));
	must_stay_silent(datagram(w.client, SERVER4 ":8080"));
}

/* A pod that gives itself the node's address is still that pod. */
Test(own_node, the_nodes_address_alone_is_not_enough)
{
	start("allow");
	lab_ip(w.lab, w.client.host, "address add " NODE4 "/32 dev lo\n");
	must_stay_silent(lab_connect(w.lab, w.client, "--udp", "--timeout=500",
				     "--bind=" NODE4 ":5000", SERVER4 ":8080"));
	LAB_FLOW(w.lab, .verdict = "DROPPED", .direction = "INGRESS", .from = SPIFFE("checkout"),
		 .port = 8080);
}

Test(own_node, a_policy_change_leaves_the_connection_alone)
{
	struct lab_process *client;

	start("allow");
	client = lab_traffic(w.lab, host_daemon, "hold", "--timeout=3000", SERVER4 ":8080");
	cr_assert(lab_bool(lab_read(client, LAB_WAIT_MS), "established"));
	lab_reload(w.lab);
	cr_assert_null(lab_read(client, 500));
	cr_assert(lab_alive(client));
}

Test(own_node, policy_judges_the_node_when_told_so)
{
	start("policy");
	must_time_out(world_connect(&w, kubelet, SERVER4 ":8080"));
	must_time_out(world_connect(&w, host_daemon, SERVER4 ":8080"));
	must_stay_silent(datagram(kubelet, SERVER4 ":8080"));
	world_policy(&w, "closed",
		     "  subject: {selector: {matchLabels: {app: payments}}}\n"
		     "  ingress: [{action: Allow, from: [{entities: [Host]}]}]\n"
		     "  egress: []\n");
	lab_reload(w.lab);
	must_answer(world_connect(&w, kubelet, SERVER4 ":8080"));
	must_answer(world_connect(&w, host_daemon, SERVER4 ":8080"));
}
