/* SPDX-License-Identifier: Apache-2.0 */
/* PolicyTest documents: files and cases as the model has them. */
#include "test_policy_model.h"

#define PT                                                         \
	"apiVersion: countersign.dev/v1alpha1\nkind: PolicyTest\n" \
	"metadata: {name: t, namespace: shop}\nspec:\n" /* 4 lines */
#define FLOW "from: shop/a, to: World, want: deny"

Test(policy_cases, all_fields)
{
	static const char text[] = PT
		"  files: [policy.yaml, ../shared]\n  cases:\n"
		"  - name: checkout may pay\n    from: shop/checkout\n    to: shop/payments\n"
		"    port: http\n    protocol: UDP\n    family: IPv6\n    direction: Egress\n"
		"    authenticated: false\n    at: 1970-01-01T00:00:09Z\n    want: audit\n"
		"    rule: shop/payments#from-checkout\n"
		"  - {from: \"fd00::1\", to: 10.0.0.1, port: 80, want: deny}\n";
	const struct policy_test *test;
	const struct policy_case *full, *plain;
	_compiled_ c;

	compiled_init(&c);
	model_must(&c, text);
	cr_assert_eq(c.set->tests.n, 1);
	test = c.set->tests.item[0];
	cr_expect_str_eq(test->namespace, "shop");
	cr_expect_str_eq(test->name, "t");
	cr_assert_eq(test->n_files, 2);
	cr_expect_str_eq(test->files[0], "policy.yaml");
	cr_expect_str_eq(test->files[1], "../shared");
	cr_assert_eq(test->n_cases, 2);
	full = &test->cases[0];
	cr_expect_str_eq(full->name, "checkout may pay");
	cr_expect_eq(full->place.line, 7);
	cr_expect_str_eq(full->from, "shop/checkout");
	cr_expect_str_eq(full->to, "shop/payments");
	cr_expect_str_eq(full->port_name, "http");
	cr_expect_eq(full->port, 0);
	cr_expect_eq(full->protocol, IPPROTO_UDP);
	cr_expect_eq(full->family, 6);
	cr_expect_eq(full->direction, CS_EGRESS);
	cr_expect_not(full->authenticated);
	cr_expect_eq(full->at.seconds, 9);
	cr_expect_eq(full->want, CS_VERDICT_AUDIT);
	cr_expect_str_eq(full->rule, "shop/payments#from-checkout");
	plain = &test->cases[1];
	cr_expect_str_eq(plain->name, "#2");
	cr_expect_eq(plain->port, 80);
	cr_expect_null(plain->port_name);
	cr_expect_eq(plain->protocol, IPPROTO_TCP);
	cr_expect_eq(plain->family, 0);
	cr_expect_eq(plain->direction, CS_DIRECTIONS);
	cr_expect(plain->authenticated);
	cr_expect_not(plain->at.set);
	cr_expect_eq(plain->want, CS_VERDICT_DENY);
	cr_expect_null(plain->rule);
}

/* What a rule may be called: the policy's isolation and cluster-wide policies too. */
Test(policy_cases, rules)
{
	static const char *const rules[] = { "shop/p#", "shop/p#a#2", "ops#3", "ops.example.org#" };

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		char text[512];
		_compiled_ c;

		snprintf(text, sizeof(text), PT "  cases: [{" FLOW ", rule: \"%s\"}]\n", rules[i]);
		compiled_init(&c);
		model_must(&c, text);
		cr_expect_str_eq(c.set->tests.item[0]->cases[0].rule, rules[i]);
	}
}

#define NOBODY                                                                        \
	"is nobody: expected \"namespace/name\" of a workload, an IP address, or an " \
	"entity such as World"
#define NO_RULE "is no rule: expected such as \"shop/payments#from-checkout\""

/* clang-format off: one case, a few lines, the same shape everywhere */
static const struct refused_case refused[] = {
	{ "apiVersion: countersign.dev/v1alpha1\nkind: PolicyTest\nmetadata: {name: t}\n",
	  "1: spec: is missing" },
	{ PT "  files: []\n", "5: spec.cases: is missing" },
	{ PT "  cases: []\n", "5: spec.cases: is empty: expected cases, or leave the field out" },
	{ PT "  files: policy.yaml\n", "5: spec.files: expected a list, got text" },
	{ PT "  files: [/etc/passwd]\n",
	  "5: spec.files[0]: \"/etc/passwd\" starts with /: write it relative to this document's file" },
	{ PT "  files: [\"\"]\n", "5: spec.files[0]: \"\" is empty: name a file or a directory" },
	{ PT "  cases: [text]\n", "5: spec.cases[0]: expected a mapping, got text" },
	{ PT "  cases: [{to: World, want: deny}]\n", "5: spec.cases[0].from: is missing" },
	{ PT "  cases: [{from: World, want: deny}]\n", "5: spec.cases[0].to: is missing" },
	{ PT "  cases: [{from: World, to: shop/a}]\n", "5: spec.cases[0].want: is missing" },
	{ PT "  cases: [{from: world, to: shop/a, want: deny}]\n",
	  "5: spec.cases[0].from: \"world\" " NOBODY },
	{ PT "  cases: [{from: Shop/a, to: shop/a, want: deny}]\n",
	  "5: spec.cases[0].from: \"Shop/a\" " NOBODY },
	{ PT "  cases: [{from: shop/, to: shop/a, want: deny}]\n",
	  "5: spec.cases[0].from: \"shop/\" " NOBODY },
	{ PT "  cases: [{from: 10.0.0.1/32, to: shop/a, want: deny}]\n",
	  "5: spec.cases[0].from: \"10.0.0.1/32\" " NOBODY },
	{ PT "  cases: [{" FLOW ", port: 0}]\n",
	  "5: spec.cases[0].port: expected a whole number from 1 to 65535, got \"0\"" },
	{ PT "  cases: [{" FLOW ", port: 80-90}]\n",
	  "5: spec.cases[0].port: \"80-90\" is no port name: at most 15 of a-z 0-9 - with a letter" },
	{ PT "  cases: [{" FLOW ", protocol: ICMP}]\n",
	  "5: spec.cases[0].protocol: expected TCP, UDP or SCTP, got \"ICMP\"" },
	{ PT "  cases: [{" FLOW ", family: 4}]\n",
	  "5: spec.cases[0].family: expected IPv4 or IPv6, got \"4\"" },
	{ PT "  cases: [{" FLOW ", direction: both}]\n",
	  "5: spec.cases[0].direction: expected Ingress or Egress, got \"both\"" },
	{ PT "  cases: [{" FLOW ", authenticated: no}]\n",
	  "5: spec.cases[0].authenticated: expected true or false, got \"no\"" },
	{ PT "  cases: [{" FLOW ", at: noon}]\n",
	  "5: spec.cases[0].at: \"noon\" is no RFC 3339 time: expected such as 2026-12-31T00:00:00Z" },
	{ PT "  cases: [{from: World, to: shop/a, want: Deny}]\n",
	  "5: spec.cases[0].want: expected allow, deny or audit, got \"Deny\"" },
	{ PT "  cases: [{" FLOW ", rule: shop/p}]\n",
	  "5: spec.cases[0].rule: \"shop/p\" " NO_RULE },
	{ PT "  cases: [{" FLOW ", rule: \"#1\"}]\n", "5: spec.cases[0].rule: \"#1\" " NO_RULE },
	{ PT "  cases: [{" FLOW ", rule: \"a/b/c#1\"}]\n",
	  "5: spec.cases[0].rule: \"a/b/c#1\" " NO_RULE },
	{ PT "  cases: [{" FLOW ", name: \"\"}]\n",
	  "5: spec.cases[0].name: \"\" is empty: write at least a word" },
	{ PT "  cases: [{" FLOW ", expect: deny}]\n",
	  "5: spec.cases[0].expect: unknown field, expected name, from, to, port, protocol, family, direction, authenticated, at, want or rule" },
	{ PT "  cases: [{" FLOW "}]\n---\n" PT "  cases: [{" FLOW "}]\n",
	  "7: metadata.name: this PolicyTest is given twice, first at test.yaml:1: remove or rename one" },
};
/* clang-format on */

Test(policy_cases, refused)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		refused_case_holds(&refused[i]);
}
