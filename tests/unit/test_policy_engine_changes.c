/* SPDX-License-Identifier: Apache-2.0 */
/* Several documents that change at once, as a source of single objects gives them. */
#include "test_policy.h"

#include "user/policy/engine.h"

#define WORKLOAD "---\napiVersion: countersign.dev/v1alpha1\nkind: Workload\n"

static struct policy_engine *engine;
static struct rule_ids *ids;
static struct image *image; /* in force */
static struct policy_result result;
static struct policy_errors errors;

static void teardown(void)
{
	policy_engine_free(engine);
	rule_ids_free(ids);
	image_free(image);
	image = NULL;
	policy_errors_done(&errors);
}

static ssize_t stage(struct policy_document *changes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		changes[i].length = changes[i].text ? strlen(changes[i].text) : 0;
	policy_errors_done(&errors);
	return policy_engine_stage_changes(engine, changes, n, &errors);
}

static enum policy_effort put(struct policy_document *changes, size_t n)
{
	static const struct policy_options options = {
		.trust_domain = "example.org",
		.default_verdict = CS_VERDICT_ALLOW,
		.salt = { 1, 2 },
	};

	cr_assert_geq(stage(changes, n), 0);
	cr_assert_eq(policy_engine_compile(engine, &options, ids, POLICY_PEERS, &result, &errors),
		     0, "%s", errors.n ? errors.item[0].message : "");
	policy_engine_accept(engine);
	if (result.image != image)
		image_free(image);
	image = result.image;
	return result.effort;
}

static char b[] = WORKLOAD "metadata: {name: b, namespace: shop}\nspec: {addresses: [10.0.0.2]}\n";
static char d[] = WORKLOAD "metadata: {name: d, namespace: shop}\nspec: {addresses: [10.0.0.4]}\n";

static void setup(void)
{
	struct policy_document documents[] = { { .name = "b", .text = b },
					       { .name = "d", .text = d } };

	cr_assert_eq(policy_engine_new(&engine), 0);
	cr_assert_eq(rule_ids_new(&ids), 0);
	cr_assert_eq(put(documents, 2), POLICY_WHOLE);
}

TestSuite(policy_engine_changes, .init = setup, .fini = teardown);

static bool is_there(const char *address)
{
	const struct image_endpoint *endpoint = image_endpoint(image, address);

	return endpoint && !endpoint->gone;
}

Test(policy_engine_changes, what_comes_changes_and_goes_at_once)
{
	struct policy_document changes[] = {
		{ .name = "a",
		  .text = WORKLOAD "metadata: {name: a, namespace: shop}\n"
				   "spec: {addresses: [10.0.0.1]}\n" },
		{ .name = "b",
		  .text = WORKLOAD "metadata: {name: b, namespace: shop}\n"
				   "spec: {addresses: [10.0.0.22]}\n" },
		{ .name = "c", .text = NULL },
		{ .name = "d", .text = NULL },
		{ .name = "e",
		  .text = WORKLOAD "metadata: {name: e, namespace: shop}\n"
				   "spec: {addresses: [10.0.0.5]}\n" },
	};

	cr_expect_eq(put(changes, ARRAY_SIZE(changes)), POLICY_PEERS);
	cr_expect(is_there("10.0.0.1"));
	cr_expect(is_there("10.0.0.22"));
	cr_expect(is_there("10.0.0.5"));
	cr_expect(!is_there("10.0.0.2"));
	cr_expect(!is_there("10.0.0.4"));
	cr_expect_eq(stage(changes, ARRAY_SIZE(changes)), 0, "all are as they were");
	changes[0].text = changes[4].text = NULL;
	cr_expect_eq(stage(changes, ARRAY_SIZE(changes)), 2);
	policy_engine_reject(engine);
	cr_expect_eq(stage(changes, ARRAY_SIZE(changes)), 2, "it was not wanted");
}

Test(policy_engine_changes, nothing_changed_is_all_that_is_in_force)
{
	cr_expect_eq(stage(NULL, 0), 0);
	policy_engine_accept(engine);
	cr_expect_eq(put((struct policy_document[]){ { .name = "b" } }, 1), POLICY_PEERS);
	cr_expect(!is_there("10.0.0.2"));
	cr_expect(is_there("10.0.0.4"));
}

Test(policy_engine_changes, an_order_that_is_none_is_refused)
{
	struct policy_document changes[] = { { .name = "x", .text = "# x\n" },
					     { .name = "c", .text = "# c\n" } };

	cr_expect_eq(stage(changes, 2), -EINVAL);
	changes[1].name = "x";
	cr_expect_eq(stage(changes, 2), -EINVAL, "twice");
	cr_expect_eq(put((struct policy_document[]){ { .name = "d" } }, 1), POLICY_PEERS);
	cr_expect(is_there("10.0.0.2"));
}

Test(policy_engine_changes, errors_are_told_of_every_document)
{
	struct policy_document changes[] = { { .name = "a", .text = "kind: 7\n" },
					     { .name = "b", .text = NULL },
					     { .name = "c", .text = "[\n" } };

	cr_expect_eq(stage(changes, 3), -EBADMSG);
	cr_assert_geq(errors.n, 2);
	cr_expect_str_eq(errors.item[0].file, "a");
	cr_expect_str_eq(errors.item[errors.n - 1].file, "c");
	cr_expect_eq(put((struct policy_document[]){ { .name = "d" } }, 1), POLICY_PEERS);
	cr_expect(is_there("10.0.0.2"), "it is still in force");
}
