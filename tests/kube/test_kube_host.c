/* SPDX-License-Identifier: Apache-2.0 */
/* What has no address of its own: hostNetwork pods, daemons of the host, the kubelet. */
#include "tests/kube/test_kube.h"

#define UNIT "backup.service"

static struct cluster k;
static struct kube_pod *db, *good, *bad, *daemon_of[2];

/* Any process of a host, as a pod, so that cluster_becomes() can ask for it. */
static struct kube_pod host_process(struct kube_node *node, const char *unit)
{
	return (struct kube_pod){
		.kube = k.kube,
		.spec = { .namespace = "-", .name = unit, .node = node, .host_network = true },
		.place = kube_node_daemon(node, unit),
	};
}

static struct kube_pod *host_network_pod(const char *name)
{
	const struct kube_pod_spec spec = {
		.namespace = "shop",
		.name = name,
		.labels = lab_printf(k.lab, "{\"app\": \"%s\"}", name),
		.node = k.a,
		.host_network = true,
	};

	return kube_pod(k.kube, &spec);
}

static void setup(void)
{
	static struct kube_pod daemons[2];

	cluster_new(&k, "kube-host");
	cluster_start(&k, "--host-units", UNIT);
	db = cluster_pod(k.b, 2, "shop", "db", true);
	good = host_network_pod("good");
	bad = host_network_pod("bad");
	daemons[0] = host_process(k.a, UNIT);
	daemons[1] = host_process(k.a, "other.service");
	daemon_of[0] = &daemons[0];
	daemon_of[1] = &daemons[1];
}

static void teardown(void)
{
	cluster_free(&k);
}

TestSuite(kube_host, .init = setup, .fini = teardown, .timeout = 240);

static void policy(const char *from)
{
	kube_apply(k.kube, lab_printf(k.lab,
				      "apiVersion: countersign.dev/v1alpha1\n"
				      "kind: IdentityPolicy\n"
				      "metadata: {name: db, namespace: shop}\n"
				      "spec:\n"
				      "  subject: {selector: {matchLabels: {app: db}}}\n"
				      "  ingress:\n"
				      "  - action: Allow\n"
				      "    authentication: Required\n"
				      "    from: [%s]\n",
				      from));
}

/* One node, one address, one port: three answers. */
Test(kube_host, three_of_one_node_get_three_verdicts)
{
	policy("{selector: {matchLabels: {app: good}}}");
	cluster_becomes(bad, db, 8080, false);
	cluster_becomes(daemon_of[0], db, 8080, false);
	cluster_becomes(good, db, 8080, true);
	policy("{selector: {matchLabels: {app: bad}}}");
	cluster_becomes(good, db, 8080, false);
	cluster_becomes(bad, db, 8080, true);
	policy("{spiffeIDs: [\"spiffe://" KUBE_TRUST_DOMAIN "/countersign/node/*/unit/" UNIT
	       "\"]}");
	cluster_becomes(bad, db, 8080, false);
	cluster_becomes(good, db, 8080, false);
	cluster_becomes(daemon_of[0], db, 8080, true);
	cluster_becomes(daemon_of[1], db, 8080, false);
}

/* They are subjects, too: what one may not do says nothing of the other. */
Test(kube_host, host_network_pods_are_subjects)
{
	kube_apply(k.kube, "apiVersion: countersign.dev/v1alpha1\n"
			   "kind: IdentityPolicy\n"
			   "metadata: {name: bad, namespace: shop}\n"
			   "spec:\n"
			   "  subject: {selector: {matchLabels: {app: bad}}}\n"
			   "  egress: []\n");
	cluster_becomes(bad, db, 8080, false);
	cluster_becomes(good, db, 8080, true);
	cluster_becomes(daemon_of[1], db, 8080, true);
}

/* A kubelet's probes reach its own pods whatever policy says, and nobody else's. */
Test(kube_host, probes_reach_the_pods_of_their_node)
{
	struct kube_pod own = host_process(k.b, "kubelet.service");
	struct kube_pod another = host_process(k.a, "kubelet.service");

	kube_apply(k.kube, "apiVersion: networking.k8s.io/v1\n"
			   "kind: NetworkPolicy\n"
			   "metadata: {name: nobody, namespace: shop}\n"
			   "spec: {podSelector: {}, policyTypes: [Ingress]}\n");
	cluster_becomes(&another, db, 8080, false);
	cluster_becomes(good, db, 8080, false);
	for (int i = 0; i < 20; i++)
		cr_assert(cluster_answers(&own, db, 8080), "a probe is lost");
	cr_assert(!cluster_answers(&another, db, 8080));
}
