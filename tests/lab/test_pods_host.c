/* SPDX-License-Identifier: Apache-2.0 */
/* Pods through restarts of the agent, and pods and units that share their node's address. */
#include "tests/lab/test_pods_common.h"

#include <signal.h>

static struct pods_world w;

static void setup(void)
{
	pods_new(&w, "pods-host");
}

static void teardown(void)
{
	pods_done(&w);
}

TestSuite(pods_host, .init = setup, .fini = teardown, .timeout = 120);

#define SHORT "--timeout=1500"
#define ADDRESS SERVER4 ":8080"
#define FIRST "cccccccc-0000-4000-8000-000000000001"
#define SECOND "cccccccc-0000-4000-8000-000000000002"

/* Two pods of one identity, while a third that the agent before knew of is gone. */
Test(pods_host, a_restart_under_load_cuts_no_pod)
{
	struct lab_place first = pod_container(&w, SYSTEMD, BURSTABLE, FIRST, w.client);
	struct lab_place second = pod_container(&w, CGROUPFS, GUARANTEED, SECOND, w.client);
	struct lab_process *load[2], *waiting;

	pod_declare(&w, "a-gone", CALLER_UID);
	pod_declare(&w, "first", FIRST);
	pod_declare(&w, "second", SECOND);
	lab_cgroup(w.lab, pod_path(&w, SYSTEMD, BEST_EFFORT, CALLER_UID));
	pods_start(&w, "--deny", "drop");
	load[0] = lab_traffic(w.lab, first, "connect", "--count=0", "--summary", "--reset",
			      "--timeout=3000", ADDRESS);
	load[1] = lab_traffic(w.lab, second, "connect", "--count=0", "--summary", "--reset",
			      "--timeout=3000", ADDRESS);
	waiting = lab_traffic(w.lab, lab_place("kubepods/burstable/podffffffff/x", w.client),
			      "connect", "--timeout=60000", ADDRESS);
	lab_sleep_ms(300);
	for (int i = 0; i < 5; i++) {
		lab_agent_kill9(w.lab);
		lab_manifest_remove(w.lab, "pod-a-gone.yaml");
		lab_agent_restart(w.lab);
	}
	for (size_t i = 0; i < ARRAY_SIZE(load); i++) {
		json_t *tally;

		lab_signal(load[i], SIGTERM);
		tally = lab_read(load[i], LAB_WAIT_MS);
		cr_assert_gt(lab_int(tally, "answered"), 100);
		cr_assert_eq(lab_int(tally, "failed"), 0, "%s", json_dumps(tally, 0));
	}
	/* It may have given up by now. */
	cr_assert_not(lab_bool(lab_read(waiting, 10), "connected"));
}

#define NODE4 "10.77.0.9"

/* On one address: two hostNetwork pods, and a daemon of the host that is a unit. */
static void start_on_host(struct lab_host *node)
{
	lab_agent_host(w.lab, node);
	lab_cgroup(w.lab, "system.slice/probe.service");
	lab_cgroup(w.lab, "system.slice/other.service");
	lab_manifest(w.lab, "host.yaml",
		     "apiVersion: countersign.dev/v1alpha1\n"
		     "kind: Workload\n"
		     "metadata: {name: good, namespace: shop, labels: {app: caller}}\n"
		     "spec: {serviceAccount: caller, podUID: " FIRST ", hostNetwork: true}\n"
		     "---\n"
		     "apiVersion: countersign.dev/v1alpha1\n"
		     "kind: Workload\n"
		     "metadata: {name: bad, namespace: shop, labels: {app: bad}}\n"
		     "spec: {serviceAccount: bad, podUID: " SECOND ", hostNetwork: true}\n");
	lab_agent_start(w.lab, "--pod-cgroups", "--node-name", "host-a", "--host-units",
			"probe.service,other.service");
	lab_serve(w.lab, w.web, ADDRESS);
}

#define UNIT(name) "spiffe://example.org/countersign/node/host-a/unit/" name

Test(pods_host, pods_and_units_of_one_address_are_told_apart)
{
	struct lab_host *node = lab_host(w.lab, "node", NODE4, NULL);
	struct lab_place good, bad;

	lab_manifest(w.lab, "units.yaml",
		     "apiVersion: countersign.dev/v1alpha1\n"
		     "kind: IdentityPolicy\n"
		     "metadata: {name: units, namespace: shop}\n"
		     "spec:\n"
		     "  subject: {selector: {matchLabels: {app: web}}}\n"
		     "  ingress:\n"
		     "  - action: Allow\n"
		     "    authentication: Required\n"
		     "    from: [{spiffeIDs: "
		     "[\"spiffe://*/countersign/node/*/unit/probe.service\"]}]\n");
	good = pod_container(&w, SYSTEMD, BURSTABLE, FIRST, node);
	bad = pod_container(&w, SYSTEMD, BURSTABLE, SECOND, node);
	start_on_host(node);
	must_answer(lab_connect(w.lab, good, SHORT, ADDRESS));
	must_time_out(lab_connect(w.lab, bad, SHORT, ADDRESS));
	must_answer(
		lab_connect(w.lab, lab_place("system.slice/probe.service", node), SHORT, ADDRESS));
	must_time_out(
		lab_connect(w.lab, lab_place("system.slice/other.service", node), SHORT, ADDRESS));
	/* The host itself, as ever: kubelet and its probes. */
	must_answer(lab_connect(w.lab, lab_place("system.slice/kubelet.service", node), SHORT,
				ADDRESS));
	LAB_FLOW(w.lab, .verdict = "FORWARDED", .direction = "INGRESS", .from = SPIFFE("caller"),
		 .authentication = "verified");
	LAB_FLOW(w.lab, .verdict = "FORWARDED", .direction = "INGRESS",
		 .from = UNIT("probe.service"), .authentication = "verified");
	LAB_FLOW(w.lab, .verdict = "DROPPED", .direction = "INGRESS", .from = SPIFFE("bad"));
	LAB_FLOW(w.lab, .verdict = "DROPPED", .direction = "INGRESS",
		 .from = UNIT("other.service"));
}

/* As servers they are told apart, too: one address, a port each. */
Test(pods_host, servers_of_one_address_are_told_apart)
{
	struct lab_host *node = lab_host(w.lab, "node", NODE4, NULL);
	json_t *reply;

	start_on_host(node);
	lab_serve(w.lab, pod_container(&w, SYSTEMD, BURSTABLE, FIRST, node), NODE4 ":9001");
	lab_serve(w.lab, pod_container(&w, SYSTEMD, BURSTABLE, SECOND, node), NODE4 ":9002");
	lab_serve(w.lab, lab_place("system.slice/probe.service", node), NODE4 ":9003");
	reply = lab_connect(w.lab, w.web, SHORT, NODE4 ":9001");
	must_answer(reply);
	must_know_peer(reply, "verified", SPIFFE("caller"));
	must_know_peer(lab_connect(w.lab, w.web, SHORT, NODE4 ":9002"), "verified", SPIFFE("bad"));
	must_know_peer(lab_connect(w.lab, w.web, SHORT, NODE4 ":9003"), "verified",
		       UNIT("probe.service"));
}
