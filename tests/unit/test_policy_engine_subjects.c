/* SPDX-License-Identifier: Apache-2.0 */
/* How many workloads a policy selects, kept right through all ways of a change. */
#include "test_policy.h"

#include "user/policy/engine.h"

#define WORKLOADS_MAX 40

static struct policy_engine *engine;
static struct rule_ids *ids;
static struct image *image;
static bool exists[WORKLOADS_MAX];

static const struct policy_options options = {
	.trust_domain = "example.org",
	.default_verdict = CS_VERDICT_ALLOW,
	.salt = { 1, 2 },
	.realtime_ns = 1000000000000,
	.boottime_ns = 10000000000,
};

static void put(const char *name, const char *text)
{
	const struct policy_document document = { .name = name,
						  .text = text,
						  .length = text ? strlen(text) : 0 };
	struct policy_errors errors = { 0 };
	struct policy_result result;

	cr_assert_geq(policy_engine_stage_one(engine, &document, &errors), 0, "%s",
		      errors.n ? errors.item[0].message : name);
	cr_assert_eq(policy_engine_compile(engine, &options, ids, POLICY_PEERS, &result, &errors),
		     0, "%s", errors.n ? errors.item[0].message : name);
	policy_engine_accept(engine);
	if (result.image != image)
		image_free(image);
	image = result.image;
	policy_errors_done(&errors);
}

static void setup(void)
{
	cr_assert_eq(policy_engine_new(&engine), 0);
	cr_assert_eq(rule_ids_new(&ids), 0);
	put("a", "apiVersion: countersign.dev/v1alpha1\nkind: IdentityPolicy\n"
		 "metadata: {name: web, namespace: shop}\n"
		 "spec: {subject: {selector: {matchLabels: {app: web}}}}\n");
	put("b", "apiVersion: countersign.dev/v1alpha1\nkind: ClusterIdentityPolicy\n"
		 "metadata: {name: all-web}\n"
		 "spec: {subject: {selector: {matchLabels: {app: web}}}}\n");
	put("c", "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
		 "metadata: {name: web, namespace: shop}\nspec: {podSelector: {}}\n");
}

static void teardown(void)
{
	policy_engine_free(engine);
	rule_ids_free(ids);
	image_free(image);
}

TestSuite(policy_engine_subjects, .init = setup, .fini = teardown);

/* Workload @i: one of two namespaces, of two apps; many share one identity; some run here. */
static void workload(unsigned int i, bool there)
{
	char name[32], text[512];

	snprintf(name, sizeof(name), "w%02u", i);
	snprintf(text, sizeof(text),
		 "apiVersion: countersign.dev/v1alpha1\nkind: Workload\n"
		 "metadata: {name: w%u, namespace: %s, labels: {app: %s}}\n"
		 "spec: {serviceAccount: a, addresses: [10.0.0.%u]%s%u%s}\n",
		 i, i % 2 ? "shop" : "bank", i % 3 ? "web" : "db", i + 1,
		 i % 5 ? ", systemdUnit: u" : ", cgroup: c", i, i % 5 ? ".service" : "");
	put(name, there ? text : NULL);
	exists[i] = there;
}

static int64_t count(bool (*selects)(unsigned int i))
{
	int64_t n = 0;

	for (unsigned int i = 0; i < WORKLOADS_MAX; i++)
		n += exists[i] && selects(i);
	return n;
}

static bool shop_web(unsigned int i)
{
	return i % 2 && i % 3;
}

static bool any_web(unsigned int i)
{
	return i % 3 != 0;
}

static bool shop(unsigned int i)
{
	return i % 2;
}

static void expect(void)
{
	int64_t got = policy_engine_count_subjects(engine, "IdentityPolicy", "shop", "web");

	cr_assert_eq(got, count(shop_web), "%lld, not %lld", (long long)got,
		     (long long)count(shop_web));
	cr_assert_eq(policy_engine_count_subjects(engine, "ClusterIdentityPolicy", "", "all-web"),
		     count(any_web));
	cr_assert_eq(policy_engine_count_subjects(engine, "NetworkPolicy", "shop", "web"),
		     count(shop));
}

Test(policy_engine_subjects, through_changes)
{
	uint32_t random = 3;

	expect();
	for (unsigned int step = 0; step < 200; step++) {
		random = random * 1664525 + 1013904223;
		workload((random >> 8) % WORKLOADS_MAX, (random >> 20) % 3 != 0);
		expect();
	}
	/* Policies compiled against known identities. */
	put("d", "apiVersion: countersign.dev/v1alpha1\nkind: IdentityPolicy\n"
		 "metadata: {name: more, namespace: bank}\nspec: {subject: {}}\n");
	expect();
	put("d", NULL);
	expect();
}

Test(policy_engine_subjects, unknown)
{
	cr_assert_eq(policy_engine_count_subjects(engine, "IdentityPolicy", "shop", "x"), -ENOENT);
	cr_assert_eq(policy_engine_count_subjects(engine, "IdentityPolicy", "bank", "web"),
		     -ENOENT);
	cr_assert_eq(policy_engine_count_subjects(engine, "ClusterIdentityPolicy", "shop", "web"),
		     -ENOENT);
}
