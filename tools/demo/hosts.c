/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two hosts, each with an agent, a CA's certificate and keys of its own: checkout on host-a
 * calls web on host-b. Keys rotate under load, and then host-a is revoked.
 */
#include <countersign/abi.h>

#include "tests/lab/lab_keys.h"
#include "tools/demo/demo.h"

#include <signal.h>

#define FAR_WEB "10.77.0.12"
#define MANIFESTS "../manifests-hosts/" /* apart from those of the first part */
#define HOST_A 1
#define HOST_B 2
#define ROTATIONS 3
#define ROTATIONS_TEXT "at least 3"
#define ROTATE_WITHIN_MS 8000
#define CUT_WITHIN_MS 1000

static const char manifests[] =
	"apiVersion: countersign.dev/v1alpha1\n"
	"kind: Workload\n"
	"metadata: {name: checkout, namespace: shop, labels: {app: checkout}}\n"
	"spec: {node: host-a, serviceAccount: checkout, cgroup: shop/checkout,\n"
	"  addresses: [10.77.0.11]}\n"
	"---\n"
	"apiVersion: countersign.dev/v1alpha1\n"
	"kind: Workload\n"
	"metadata: {name: web, namespace: shop, labels: {app: web}}\n"
	"spec: {node: host-b, serviceAccount: web, cgroup: shop/web, addresses: [" FAR_WEB "]}\n"
	"---\n"
	"apiVersion: countersign.dev/v1alpha1\n"
	"kind: IdentityPolicy\n"
	"metadata: {name: web, namespace: shop}\n"
	"spec:\n"
	"  subject: {selector: {matchLabels: {app: web}}}\n"
	"  ingress:\n"
	"  - action: Allow\n"
	"    authentication: Required\n"
	"    from: [{serviceAccounts: [{namespace: shop, name: checkout}]}]\n";

struct hosts {
	struct demo *demo;
	struct lab *lab;
	struct lab_node *a, *b;
	struct lab_place checkout, web;
};

static void make_hosts(struct hosts *h)
{
	h->a = lab_node(h->lab, "host-a", HOST_A, "10.77.0.101", NULL);
	h->b = lab_node(h->lab, "host-b", HOST_B, "10.77.0.102", NULL);
	h->checkout =
		lab_place("shop/checkout", lab_node_pod(h->a, "checkout-a", "10.77.0.11", NULL));
	h->web = lab_place("shop/web", lab_node_pod(h->b, "web-b", FAR_WEB, NULL));
	lab_node_manifests(h->a, "manifests-hosts");
	lab_node_manifests(h->b, "manifests-hosts");
	lab_node_cgroup(h->a, h->checkout.cgroup);
	lab_node_cgroup(h->b, h->web.cgroup);
	lab_manifest(h->lab, MANIFESTS "all.yaml", manifests);
}

static void start_hosts(struct hosts *h)
{
	const char *ca = lab_path(h->lab, "ca"), *text;
	int code;

	demo_say("two hosts get certificates of one CA: countersign ca init %s", ca);
	text = lab_node_cli(h->a, &code, "ca", "init", ca, "--trust-domain", "example.org");
	lab_check(h->lab, code == 0, "countersign ca init: %s", text);
	lab_node_credential(h->a, lab_printf(h->lab, "ca:%s", ca));
	lab_node_credential(h->b, lab_printf(h->lab, "ca:%s", ca));
	lab_node_start(h->a, "--key-lifetime", "2s");
	lab_node_start(h->b, "--key-lifetime", "2s");
	lab_node_knows(h->a, h->b);
	lab_node_knows(h->b, h->a);
	lab_serve(h->lab, h->web, FAR_WEB ":8080");
}

static void verified(struct hosts *h)
{
	json_t *reply = lab_connect(h->lab, h->checkout, FAR_WEB ":8080");

	demo_step(h->demo, "checkout on host-a -> web on host-b",
		  "answered, spiffe://example.org/ns/shop/sa/web, verified",
		  lab_printf(h->lab, "%s, %s, %s",
			     lab_bool(reply, "answered") ? "answered" : "not answered",
			     lab_str(reply, "peer.spiffe_id"),
			     lab_str(reply, "peer.authentication")));
}

/* How often host-b saw another key of host-a. */
static int count_rotations(struct hosts *h)
{
	uint64_t end = lab_now_ms() + ROTATE_WITHIN_MS;
	struct cs_node_keys last = { 0 }, now;
	int n = -1; /* the first look finds a new key, too */

	while (n < ROTATIONS && lab_now_ms() < end) {
		if (lab_node_keys(h->b, HOST_A, &now) && now.send_phase != last.send_phase)
			n++;
		last = now;
		lab_sleep_ms(20);
	}
	return n;
}

static void rotation(struct hosts *h)
{
	struct lab_process *load;
	const json_t *tally;
	int rotations;

	demo_say("the hosts' keys rotate every second while checkout connects again and again");
	load = lab_traffic(h->lab, h->checkout, "connect", "--count=0", "--interval=1", "--summary",
			   "--reset", "--timeout=3000", FAR_WEB ":8080");
	rotations = count_rotations(h);
	lab_signal(load, SIGTERM);
	tally = lab_read(load, LAB_WAIT_MS);
	demo_step(h->demo, "changes of keys under load", ROTATIONS_TEXT,
		  rotations >= ROTATIONS ? ROTATIONS_TEXT : lab_printf(h->lab, "%d", rotations));
	demo_step(h->demo, "connections that failed meanwhile", "0",
		  lab_printf(h->lab, "%lld", (long long)lab_int(tally, "failed")));
	demo_say("%lld connections were made", (long long)lab_int(tally, "answered"));
}

static const char *live_until_revoked(struct hosts *h, struct lab_process *live)
{
	uint64_t start = lab_now_ms();
	json_t *line;

	lab_manifest(h->lab, MANIFESTS "revoked.yaml",
		     "apiVersion: countersign.dev/v1alpha1\n"
		     "kind: Revocation\n"
		     "metadata: {name: host-a}\n"
		     "spec: {nodes: [host-a], reason: \"its disk was stolen\"}\n");
	line = lab_read(live, CUT_WITHIN_MS);
	demo_say("cut after %llu ms", (unsigned long long)(lab_now_ms() - start));
	return lab_bool(line, "broken") ? "broken within a second" : "lives on";
}

/* host-a's agent is dead, so it is host-b alone that refuses. */
static void revocation(struct hosts *h)
{
	struct lab_process *live;
	json_t *flow;

	demo_say("host-a is revoked, and does not know: one file in the manifests");
	live = lab_traffic(h->lab, h->checkout, "hold", "--timeout=5000", FAR_WEB ":8080");
	lab_check(h->lab, lab_bool(lab_read(live, LAB_WAIT_MS), "established"), "no connection");
	lab_node_kill9(h->a);
	demo_step(h->demo, "host-a's live connection", "broken within a second",
		  live_until_revoked(h, live));
	lab_connect(h->lab, h->checkout, "--timeout=500", FAR_WEB ":8080");
	flow = lab_node_flow(
		h->b, &(struct lab_expect){ .verdict = "DROPPED", .reason = "REVOKED" }, 2000);
	demo_step(h->demo, "a new one", "DROPPED, REVOKED",
		  lab_printf(h->lab, "%s, %s", lab_str(flow, "verdict"),
			     lab_str(flow, "extensions.countersign.reason")));
}

void demo_hosts(struct demo *demo)
{
	struct hosts h = { .demo = demo, .lab = demo->lab };

	make_hosts(&h);
	start_hosts(&h);
	verified(&h);
	rotation(&h);
	revocation(&h);
}
