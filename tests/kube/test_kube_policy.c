/* SPDX-License-Identifier: Apache-2.0 */
/* Policy from `kubectl apply` to packets between pods of different nodes, and back. */
#include <signal.h>

#include "tests/kube/test_kube.h"

#define IDENTITY_POLICY "/apis/countersign.dev/v1alpha1/namespaces/shop/identitypolicies/db"
#define CLUSTER_POLICIES "crds/standard/policy.networking.k8s.io_clusternetworkpolicies.yaml"

static struct cluster k;
static struct kube_pod *web, *db, *spy;

static void setup(void)
{
	cluster_new(&k, "kube-policy");
	cluster_start(&k);
	web = cluster_pod(k.a, 2, "shop", "web", false);
	db = cluster_pod(k.b, 2, "shop", "db", true);
	spy = cluster_pod(k.c, 2, "other", "spy", false);
	cluster_becomes(web, db, 8080, true);
	cluster_becomes(spy, db, 8080, true);
}

static void teardown(void)
{
	cluster_free(&k);
}

TestSuite(kube_policy, .init = setup, .fini = teardown, .timeout = 240);

static const char network_policy[] = "apiVersion: networking.k8s.io/v1\n"
				     "kind: NetworkPolicy\n"
				     "metadata: {name: db, namespace: shop}\n"
				     "spec:\n"
				     "  podSelector: {matchLabels: {app: db}}\n"
				     "  policyTypes: [Ingress]\n"
				     "  ingress:\n"
				     "  - from: [{podSelector: {matchLabels: {app: web}}}]\n"
				     "    ports: [{port: http}]\n";

static const char cluster_policy[] = "apiVersion: policy.networking.k8s.io/v1alpha2\n"
				     "kind: ClusterNetworkPolicy\n"
				     "metadata: {name: no-strangers}\n"
				     "spec:\n"
				     "  tier: Admin\n"
				     "  priority: 10\n"
				     "  subject: {namespaces: {matchLabels: {team: shop}}}\n"
				     "  ingress:\n"
				     "  - name: others\n"
				     "    action: Deny\n"
				     "    from: [{namespaces: {matchLabels: {team: other}}}]\n";

static const char identity_policy[] = "apiVersion: countersign.dev/v1alpha1\n"
				      "kind: IdentityPolicy\n"
				      "metadata: {name: db, namespace: shop}\n"
				      "spec:\n"
				      "  subject: {selector: {matchLabels: {app: db}}}\n"
				      "  ingress:\n"
				      "  - name: from-web\n"
				      "    action: Allow\n"
				      "    authentication: Required\n"
				      "    from: [{selector: {matchLabels: {app: web}}}]\n"
				      "    ports: [{port: 8080, protocol: TCP}]\n";

/* In force: web gets through, verified; spy does not. Deleted: both do. */
static void enforced_and_restored(const char *yaml)
{
	kube_apply(k.kube, yaml);
	cluster_becomes(spy, db, 8080, false);
	cluster_verified(web, db, 8080);
	LAB_NODE_FLOW(k.b->lab, .verdict = "DROPPED", .direction = "INGRESS",
		      .authentication = "claimed", .from = KUBE_SPIFFE("other", "default"),
		      .to = KUBE_SPIFFE("shop", "default"), .port = 8080);
	kube_delete(k.kube, yaml);
	cluster_becomes(spy, db, 8080, true);
	cluster_verified(web, db, 8080);
}

Test(kube_policy, a_network_policy)
{
	enforced_and_restored(network_policy);
}

Test(kube_policy, an_identity_policy)
{
	enforced_and_restored(identity_policy);
}

/* The CRD comes when the agents run already. */
Test(kube_policy, a_cluster_network_policy)
{
	const char *assets = getenv("KUBEBUILDER_ASSETS");

	kube_ctl(k.kube, "apply", "--server-side", "-f",
		 lab_printf(k.lab, "%s/" CLUSTER_POLICIES, assets));
	kube_ctl(k.kube, "wait", "--for", "condition=Established", "--timeout", "9s", "crd",
		 "clusternetworkpolicies.policy.networking.k8s.io");
	kube_apply(k.kube, cluster_policy);
	/* An absent kind is asked for again every ten seconds or so. */
	lab_sleep_ms(15000);
	enforced_and_restored(cluster_policy);
}

/* Not before every node enforces it. */
Test(kube_policy, realized_means_everywhere)
{
	lab_signal(lab_node_agent(k.c->lab), SIGSTOP);
	kube_apply(k.kube, identity_policy);
	cluster_becomes(spy, db, 8080, false);
	cluster_condition_becomes(&k, IDENTITY_POLICY, "Accepted", "True");
	for (int i = 0; i < 30; i++) {
		cr_assert_str_neq(cluster_condition(&k, IDENTITY_POLICY, "Realized"), "True");
		lab_sleep_ms(100);
	}
	lab_signal(lab_node_agent(k.c->lab), SIGCONT);
	cluster_condition_becomes(&k, IDENTITY_POLICY, "Realized", "True");
}

#define PORTS_TOO_MANY 300

/* The API server takes it, and it passes a limit of the kernel's tables. */
static const char *too_much(void)
{
	const char *ports = "";

	for (int i = 0; i < PORTS_TOO_MANY; i++)
		ports = lab_printf(k.lab, "%s{port: %d},", ports, 9000 + 2 * i);
	return lab_printf(k.lab,
			  "apiVersion: networking.k8s.io/v1\n"
			  "kind: NetworkPolicy\n"
			  "metadata: {name: a-bad-one, namespace: shop}\n"
			  "spec:\n"
			  "  podSelector: {matchLabels: {app: db}}\n"
			  "  ingress: [{ports: [%s]}]\n",
			  ports);
}

static bool refused(void *arg)
{
	return lab_int(kube_node_status(arg), "refused_total") == 1;
}

static bool told(void *arg)
{
	const char *events = kube_ctl(k.kube, "-n", "shop", "get", "events.events.k8s.io", "-o",
				      "jsonpath={.items[*].regarding.name}{\"\\n\"}");

	(void)arg;
	return strstr(events, "a-bad-one") != NULL;
}

/* One policy that is wrong keeps no other out, and says so where its author looks. */
Test(kube_policy, a_refused_policy_is_alone)
{
	kube_apply(k.kube, too_much());
	kube_node_wait(k.b, "refusing the policy", refused, k.b);
	cr_assert(strstr(lab_node_cli(k.b->lab, &(int){ 0 }, "status"), "a-bad-one"),
		  "status does not say it");
	kube_node_wait(k.b, "telling of it in an Event", told, NULL);
	enforced_and_restored(network_policy);
}
