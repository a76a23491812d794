/* SPDX-License-Identifier: Apache-2.0 */
/* Ids stay with their rules. */
#include "test_policy.h"

#include "user/policy/rule_ids.h"

static struct rule_key key_of(const char *rule)
{
	return (struct rule_key){ "IdentityPolicy", "shop", "p", rule, CS_INGRESS };
}

static uint32_t id_of(struct rule_ids *ids, const char *rule)
{
	struct rule_key key = key_of(rule);
	uint32_t id = 0;

	cr_assert_eq(rule_ids_get(ids, &key, &id), 0);
	return id;
}

Test(policy_rule_ids, start_at_one_and_stay)
{
	struct rule_ids *ids;
	uint32_t a, b;

	cr_assert_eq(rule_ids_new(&ids), 0);
	rule_ids_begin(ids);
	a = id_of(ids, "a");
	b = id_of(ids, "b");
	cr_expect_eq(a, 1);
	cr_expect_eq(b, 2);
	rule_ids_begin(ids);
	cr_expect_eq(id_of(ids, "b"), b);
	cr_expect_eq(id_of(ids, "a"), a);
	cr_expect_null(rule_ids_free(ids));
}

Test(policy_rule_ids, every_part_of_the_key_counts)
{
	static const struct rule_key keys[] = {
		{ "IdentityPolicy", "shop", "p", "a", CS_INGRESS },
		{ "IdentityPolicy", "shop", "p", "a", CS_EGRESS },
		{ "IdentityPolicy", "shop", "p", "", CS_DIRECTIONS },
		{ "IdentityPolicy", "shop", "pa", "", CS_INGRESS },
		{ "IdentityPolicy", "shopp", "a", "", CS_INGRESS },
		{ "NetworkPolicy", "shop", "p", "a", CS_INGRESS },
	};
	struct rule_ids *ids;

	cr_assert_eq(rule_ids_new(&ids), 0);
	rule_ids_begin(ids);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		uint32_t id;

		cr_assert_eq(rule_ids_get(ids, &keys[i], &id), 0);
		cr_expect_eq(id, i + 1);
	}
	rule_ids_free(ids);
}

/* An id is not given away while fresh numbers are left, and keeps its name so long. */
Test(policy_rule_ids, vanished_rules_keep_their_names)
{
	struct image image = { 0 };
	struct rule_ids *ids;

	cr_assert_eq(rule_ids_new(&ids), 0);
	rule_ids_begin(ids);
	id_of(ids, "old");
	rule_ids_begin(ids);
	cr_expect_eq(id_of(ids, "new"), 2);
	cr_assert_eq(rule_ids_names(ids, &image), 0);
	cr_assert_eq(image.n_rules, 3);
	cr_expect_str_eq(image.rules[1].rule, "old");
	cr_expect_str_eq(image.rules[2].rule, "new");
	cr_expect_str_eq(image.rules[2].kind, "IdentityPolicy");
	rule_ids_begin(ids);
	cr_expect_eq(id_of(ids, "old"), 1, "back again, with its old id");
	for (size_t i = 1; i < image.n_rules; i++) {
		free(image.rules[i].kind);
		free(image.rules[i].namespace);
		free(image.rules[i].policy);
		free(image.rules[i].rule);
	}
	free(image.rules);
	rule_ids_free(ids);
}

Test(policy_rule_ids, numbers_run_out)
{
	struct rule_ids *ids;
	struct rule_key key;
	char name[16];
	uint32_t id;

	cr_assert_eq(rule_ids_new(&ids), 0);
	rule_ids_begin(ids);
	for (uint32_t i = 1; i < CS_RULE_IDS_MAX; i++) {
		snprintf(name, sizeof(name), "r%u", i);
		cr_assert_eq(id_of(ids, name), i);
	}
	key = key_of("one-more");
	cr_expect_eq(rule_ids_get(ids, &key, &id), -ENOSPC);

	/* The next compile keeps two of them and needs two new ones. */
	rule_ids_begin(ids);
	key = key_of("r1");
	cr_assert_eq(rule_ids_find(ids, &key, &id), 0);
	cr_expect_eq(id, 1);
	key = key_of("r3");
	cr_assert_eq(rule_ids_find(ids, &key, &id), 0);
	cr_expect_eq(id_of(ids, "new-a"), 2);
	cr_expect_eq(id_of(ids, "new-b"), 4);
	cr_expect_eq(id_of(ids, "r1"), 1);
	cr_expect_eq(id_of(ids, "r3"), 3);
	cr_expect_eq(id_of(ids, "r2"), 5, "its number was given away");
	cr_expect_eq(id_of(ids, "new-a"), 2);
	rule_ids_free(ids);
}

#define HEAD                                                                               \
	"---\napiVersion: countersign.dev/v1alpha1\nkind: Workload\nmetadata: {name: w}\n" \
	"spec: {cgroup: w}\n---\napiVersion: countersign.dev/v1alpha1\nkind: IdentityPolicy\n"

static uint32_t rule_at(const struct compiled *c, size_t i)
{
	const struct image_workload *w = image_workload(c->image, "default/w");

	return c->image->rulesets[w->ruleset[CS_INGRESS]].rules[i].id;
}

static void next_manifests(struct compiled *c, const char *text)
{
	policy_set_free(c->set);
	cr_assert_eq(policy_set_new(&c->set), 0);
	compiled_must(c, text);
}

/* Through the compiler: a new rule in front changes nobody's id. */
Test(policy_rule_ids, across_compiles)
{
	uint32_t a, b;
	_compiled_ c;

	compiled_init(&c);
	compiled_must(&c,
		      HEAD "metadata: {name: p}\nspec: {subject: {}, ingress: [{name: a, ports: "
			   "[{port: 1}, {port: 2}]}, {name: b}]}\n");
	a = rule_at(&c, 0);
	b = rule_at(&c, 2);
	cr_expect_eq(rule_at(&c, 1), a, "every port of a rule has its id");
	cr_expect_neq(a, b);
	next_manifests(&c, HEAD
		       "metadata: {name: p}\nspec: {subject: {}, ingress: [{name: new}, {name: "
		       "b}, {name: a}]}\n");
	cr_expect_eq(rule_at(&c, 1), b);
	cr_expect_eq(rule_at(&c, 2), a);
	cr_expect_gt(rule_at(&c, 0), MAX(a, b));
	cr_expect_str_eq(image_rule(c.image, rule_at(&c, 0))->rule, "new");
}

/* When numbers have run out, a rule that had one keeps it, even if others ask before it. */
Test(policy_rule_ids, across_compiles_when_numbers_ran_out)
{
	_compiled_ c;
	struct rule_key key = { "IdentityPolicy", "default", "p", "kept", CS_INGRESS };
	char name[16];
	uint32_t id;

	compiled_init(&c);
	rule_ids_begin(c.ids);
	cr_assert_eq(rule_ids_get(c.ids, &key, &id), 0);
	cr_assert_eq(id, 1);
	for (uint32_t i = 2; i < CS_RULE_IDS_MAX; i++) {
		snprintf(name, sizeof(name), "r%u", i);
		id_of(c.ids, name);
	}
	compiled_must(&c,
		      HEAD "metadata: {name: p}\nspec: {subject: {}, ingress: [{name: new}, {name: "
			   "kept}]}\n");
	cr_expect_eq(rule_at(&c, 1), 1);
	cr_expect_neq(rule_at(&c, 0), 1);
}
