/* SPDX-License-Identifier: Apache-2.0 */
/* Pods that come, go, and are not who they were: what policy says must follow every time. */
#include "tests/kube/test_kube.h"

#define TRIES 5 /* each race is run so often */

static struct cluster k;
static struct kube_pod *db;

static const char only_web[] = "apiVersion: networking.k8s.io/v1\n"
			       "kind: NetworkPolicy\n"
			       "metadata: {name: db, namespace: shop}\n"
			       "spec:\n"
			       "  podSelector: {matchLabels: {app: db}}\n"
			       "  ingress:\n"
			       "  - from: [{podSelector: {matchLabels: {app: web}}}]\n";

static void setup(void)
{
	cluster_new(&k, "kube-pods");
	cluster_start(&k);
	db = cluster_pod(k.b, 2, "shop", "db", true);
	kube_apply(k.kube, only_web);
}

static void teardown(void)
{
	cluster_free(&k);
}

TestSuite(kube_pods, .init = setup, .fini = teardown, .timeout = 240);

/* A pod on host-a at host @host, whose name and label need not be the same. */
static struct kube_pod *pod(const char *name, const char *app, struct lab_host *host,
			    const char *address)
{
	const struct kube_pod_spec spec = {
		.namespace = "shop",
		.name = name,
		.labels = lab_printf(k.lab, "{\"app\": \"%s\"}", app),
		.node = k.a,
		.host = host,
		.address = address,
		.qos = KUBE_BURSTABLE,
	};

	return kube_pod(k.kube, &spec);
}

static void relabel(const struct kube_pod *of, const char *app)
{
	json_t *patch = json_pack("{s:{s:{s:s}}}", "metadata", "labels", "app", app);

	kube_patch(k.kube,
		   lab_printf(k.lab, "/api/v1/namespaces/%s/pods/%s", of->spec.namespace,
			      of->spec.name),
		   lab_keep(k.lab, patch));
}

/* A Job's pod that is made again has the name of the one before and nothing else of it. */
Test(kube_pods, the_same_name_is_not_the_same_pod)
{
	const char *address;
	struct lab_host *host = cluster_host(k.a, 3, &address);

	for (int i = 0; i < TRIES; i++) {
		struct kube_pod *good = pod("job", "web", host, address), *bad;

		cluster_becomes(good, db, 8080, true);
		kube_pod_delete(good);
		bad = pod("job", "batch", host, address);
		cluster_becomes(bad, db, 8080, false);
		kube_pod_delete(bad);
	}
}

Test(kube_pods, an_address_is_not_a_pod)
{
	const char *address;
	struct lab_host *host = cluster_host(k.a, 3, &address);

	for (int i = 0; i < TRIES; i++) {
		struct kube_pod *good = pod(lab_printf(k.lab, "web-%d", i), "web", host, address);
		struct kube_pod *bad;

		cluster_becomes(good, db, 8080, true);
		kube_pod_delete(good);
		bad = pod(lab_printf(k.lab, "batch-%d", i), "batch", host, address);
		/* From the first packet on: it never was anybody else. */
		for (int n = 0; n < 3; n++)
			cr_assert(!cluster_answers(bad, db, 8080), "it passes as who was there");
		kube_pod_delete(bad);
	}
}

/* The object of a completed pod stays for as long as its Job wants, with its address. */
Test(kube_pods, who_has_ended_has_no_address)
{
	const char *address;
	struct lab_host *host = cluster_host(k.a, 3, &address);
	struct kube_pod *good = pod("done", "web", host, address), *bad;

	cluster_becomes(good, db, 8080, true);
	kube_pod_completed(good);
	bad = pod("next", "batch", host, address);
	cluster_becomes(bad, db, 8080, false);
	relabel(bad, "web");
	cluster_becomes(bad, db, 8080, true);
}

Test(kube_pods, labels_change)
{
	struct kube_pod *web = cluster_pod(k.a, 3, "shop", "web", false);

	for (int i = 0; i < TRIES; i++) {
		cluster_becomes(web, db, 8080, true);
		relabel(web, "former-web");
		cluster_becomes(web, db, 8080, false);
		relabel(web, "web");
	}
}

Test(kube_pods, a_namespace_changes_its_labels)
{
	struct kube_pod *spy = cluster_pod(k.c, 2, "other", "spy", false);
	const char *const teams[] = { "friends", "other" };

	kube_apply(k.kube, "apiVersion: networking.k8s.io/v1\n"
			   "kind: NetworkPolicy\n"
			   "metadata: {name: friends, namespace: shop}\n"
			   "spec:\n"
			   "  podSelector: {matchLabels: {app: db}}\n"
			   "  ingress:\n"
			   "  - from: [{namespaceSelector: {matchLabels: {team: friends}}}]\n");
	for (int i = 0; i < 2 * TRIES; i++) {
		json_t *patch =
			json_pack("{s:{s:{s:s}}}", "metadata", "labels", "team", teams[i % 2]);

		kube_patch(k.kube, "/api/v1/namespaces/other", lab_keep(k.lab, patch));
		cluster_becomes(spy, db, 8080, i % 2 == 0);
	}
}

Test(kube_pods, policies_before_pods_and_pods_before_policies)
{
	struct kube_pod *cache = cluster_pod(k.b, 3, "shop", "cache", true), *web, *late;

	web = cluster_pod(k.a, 3, "shop", "web", false);
	cluster_becomes(web, cache, 8080, true);
	kube_apply(
		k.kube,
		"apiVersion: networking.k8s.io/v1\n"
		"kind: NetworkPolicy\n"
		"metadata: {name: backends, namespace: shop}\n"
		"spec:\n"
		"  podSelector: {matchExpressions: [{key: app, operator: In, values: [cache, late]}]}\n"
		"  policyTypes: [Ingress]\n");
	cluster_becomes(web, cache, 8080, false);
	late = cluster_pod(k.c, 2, "shop", "late", true);
	for (int n = 0; n < 3; n++)
		cr_assert(!cluster_answers(web, late, 8080), "the policy was there first");
	cluster_becomes(web, db, 8080, true);
}
