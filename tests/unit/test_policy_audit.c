/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Audit says what enforcing would, and changes nothing: of a policy, of a rule, in each
 * tier, beside policies that enforce; and roll-outs, which are Audit for a share of the
 * workloads.
 */
#include "test_policy.h"

#define WORKLOAD "---\napiVersion: countersign.dev/v1alpha1\nkind: Workload\n"
#define POLICY "---\napiVersion: countersign.dev/v1alpha1\nkind: IdentityPolicy\n"
#define CLUSTER "---\napiVersion: countersign.dev/v1alpha1\nkind: ClusterIdentityPolicy\n"
#define CNP "---\napiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\n"

/* clang-format off */
static const char pair[] = WORKLOAD
	"metadata: {name: a, namespace: n, labels: {app: a}}\nspec: {serviceAccount: a, cgroup: a}\n" WORKLOAD
	"metadata: {name: b, namespace: n, labels: {app: b}}\nspec: {serviceAccount: b, cgroup: b}\n";

/* A policy of n for all its workloads; @rest goes on after "spec: {subject: {}, ". */
#define OF_N(name, rest) POLICY "metadata: {name: " name ", namespace: n}\nspec: {subject: {}, " rest "}\n"
#define OF_ALL(name, rest) CLUSTER "metadata: {name: " name "}\nspec: {subject: {}, " rest "}\n"
#define BASE(rest) CNP "metadata: {name: base}\nspec: {tier: Baseline, priority: 1, subject: {namespaces: {}}, ingress: [" rest "]}\n"
#define DENY_ALL "{name: shut, action: Deny, from: [{namespaces: {}}]}"

struct audit_case {
	const char *what;
	const char *policies;
	uint16_t port;
	uint8_t default_verdict;
	const char *expected; /* of n/b from n/a */
};

static const struct audit_case cases[] = {
	{ "alone: what no rule allows", OF_N("t", "mode: Audit, ingress: []"), 1, CS_VERDICT_ALLOW, "AUDIT DEFAULT_DENY n/t#" },
	{ "alone: what a rule allows", OF_N("t", "mode: Audit, ingress: [{ports: [{port: 1}]}]"), 1, CS_VERDICT_ALLOW, "ALLOW NOT_ISOLATED" },
	{ "alone: what a rule denies", OF_N("t", "mode: Audit, ingress: [{name: d, action: Deny}]"), 1, CS_VERDICT_ALLOW, "AUDIT POLICY_DENY n/t#d" },
	{ "two: the union", OF_N("t", "mode: Audit, ingress: []") OF_N("u", "mode: Audit, ingress: [{}]"), 1, CS_VERDICT_ALLOW, "ALLOW NOT_ISOLATED" },
	{ "two: the first isolates", OF_N("u", "mode: Audit, ingress: []") OF_N("t", "mode: Audit, ingress: []"), 1, CS_VERDICT_ALLOW, "AUDIT DEFAULT_DENY n/t#" },
	{ "beside: opens nothing", OF_N("t", "mode: Audit, ingress: [{}]") OF_N("e", "ingress: []"), 1, CS_VERDICT_ALLOW, "DENY DEFAULT_DENY n/e#" },
	{ "beside: closes nothing", OF_N("t", "mode: Audit, ingress: []") OF_N("e", "ingress: [{name: ok}]"), 1, CS_VERDICT_ALLOW, "ALLOW RULE n/e#ok" },
	{ "beside: would deny", OF_N("t", "mode: Audit, ingress: [{name: d, action: Deny}]") OF_N("e", "ingress: [{name: ok}]"), 1, CS_VERDICT_ALLOW, "AUDIT POLICY_DENY n/t#d" },
	{ "a Deny that is enforced stays", OF_N("t", "mode: Audit, priority: 1, ingress: [{}]") OF_N("e", "ingress: [{name: d, action: Deny}]"), 1, CS_VERDICT_ALLOW, "DENY POLICY_DENY n/e#d" },
	{ "an earlier Allow would have come first", OF_N("t", "mode: Audit, priority: 9, ingress: [{name: d, action: Deny}]") OF_N("e", "priority: 1, ingress: [{name: ok}]"), 1, CS_VERDICT_ALLOW, "ALLOW RULE n/e#ok" },
	{ "a rule: would deny", OF_N("e", "ingress: [{name: d, action: Deny, mode: Audit}, {name: ok}]"), 1, CS_VERDICT_ALLOW, "AUDIT POLICY_DENY n/e#d" },
	{ "a rule: opens nothing", OF_N("e", "ingress: [{name: ok, mode: Audit}]"), 1, CS_VERDICT_ALLOW, "DENY DEFAULT_DENY n/e#" },
	{ "Admin: would deny", OF_ALL("t", "tier: Admin, mode: Audit, ingress: [{name: d, action: Deny}]"), 1, CS_VERDICT_ALLOW, "AUDIT POLICY_DENY /t#d" },
	{ "Admin: does not isolate", OF_ALL("t", "tier: Admin, mode: Audit, ingress: [{name: d, action: Deny, ports: [{port: 2}]}]"), 1, CS_VERDICT_ALLOW, "ALLOW NOT_ISOLATED" },
	{ "Admin: an Allow opens nothing", OF_ALL("t", "tier: Admin, mode: Audit, ingress: [{}]") OF_N("e", "ingress: []"), 1, CS_VERDICT_ALLOW, "DENY DEFAULT_DENY n/e#" },
	{ "Admin: an Allow hides a later Deny", OF_ALL("t", "tier: Admin, mode: Audit, ingress: [{}]") OF_N("u", "mode: Audit, ingress: []"), 1, CS_VERDICT_ALLOW, "ALLOW NOT_ISOLATED" },
	{ "Admin: a Pass skips only what is staged",
	  OF_ALL("t", "tier: Admin, priority: 1, mode: Audit, ingress: [{action: Pass}]") OF_ALL("u", "tier: Admin, priority: 2, ingress: [{name: ok}]") OF_N("e", "ingress: []"), 1, CS_VERDICT_ALLOW, "AUDIT DEFAULT_DENY n/e#" },
	{ "Admin: a Pass that is enforced skips what is staged, too",
	  OF_ALL("t", "tier: Admin, priority: 1, ingress: [{action: Pass}]") OF_ALL("u", "tier: Admin, priority: 2, mode: Audit, ingress: [{action: Deny}]") OF_N("e", "ingress: [{name: ok}]"), 1, CS_VERDICT_ALLOW, "ALLOW RULE n/e#ok" },
	{ "a staged Pass to a default that denies",
	  OF_ALL("t", "tier: Admin, priority: 1, mode: Audit, ingress: [{action: Pass}]") OF_ALL("u", "tier: Admin, priority: 2, ingress: [{name: ok}]"), 1, CS_VERDICT_DENY, "AUDIT DEFAULT_ACTION" },
	{ "Baseline: stays beside Audit", BASE(DENY_ALL) OF_N("t", "mode: Audit, ingress: [{}]"), 1, CS_VERDICT_ALLOW, "DENY POLICY_DENY /base#shut" },
	{ "Baseline: left out beside Enforce", BASE(DENY_ALL) OF_N("e", "ingress: [{name: ok}]"), 1, CS_VERDICT_ALLOW, "ALLOW RULE n/e#ok" },
	{ "Baseline: an Accept is followed by the staged isolation",
	  BASE("{name: ok, action: Accept, from: [{namespaces: {}}]}") OF_N("t", "mode: Audit, ingress: []"), 1, CS_VERDICT_ALLOW, "AUDIT DEFAULT_DENY n/t#" },
	{ "Baseline in Audit", OF_ALL("t", "tier: Baseline, mode: Audit, ingress: [{name: d, action: Deny}]"), 1, CS_VERDICT_ALLOW, "AUDIT POLICY_DENY /t#d" },
	{ "the default denies whatever Audit allows", OF_N("t", "mode: Audit, ingress: [{}]"), 1, CS_VERDICT_DENY, "DENY DEFAULT_ACTION" },
	{ "the default audits", OF_N("t", "mode: Audit, ingress: []"), 1, CS_VERDICT_AUDIT, "AUDIT DEFAULT_DENY n/t#" },
	{ "roll-out of nobody", OF_N("e", "rollout: {percent: 0}, ingress: []"), 1, CS_VERDICT_ALLOW, "AUDIT DEFAULT_DENY n/e#" },
	{ "roll-out to all", OF_N("e", "rollout: {percent: 100}, ingress: []"), 1, CS_VERDICT_ALLOW, "DENY DEFAULT_DENY n/e#" },
	{ "roll-out of what audits", OF_N("e", "mode: Audit, rollout: {percent: 100}, ingress: []"), 1, CS_VERDICT_ALLOW, "AUDIT DEFAULT_DENY n/e#" },
};
/* clang-format on */

ParameterizedTestParameters(policy_audit, verdict)
{
	static size_t index[ARRAY_SIZE(cases)];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		index[i] = i;
	return cr_make_param_array(size_t, index, ARRAY_SIZE(cases));
}

ParameterizedTest(const size_t *index, policy_audit, verdict)
{
	const struct audit_case *a = &cases[*index];
	const struct judged flow = { "n/b", CS_INGRESS, "n/a", IPPROTO_TCP, a->port, true, 1 };
	struct cs_result result;
	_compiled_ c;
	char text[256];

	compiled_init(&c);
	c.options.default_verdict = a->default_verdict;
	compiled_parse(&c, "pair.yaml", pair);
	compiled_must(&c, a->policies);
	result = judge(c.image, &flow);
	result_text(c.image, &result, text, sizeof(text));
	cr_expect_str_eq(text, a->expected, "%s: %s", a->what, text);
}

#define REPLICAS 400

/* Which of many replicas of one identity enforce at @percent, the world loaded anew. */
static size_t enforcing(unsigned int percent, bool ret[static REPLICAS])
{
	const struct judged flow = {
		.direction = CS_INGRESS, .peer = "World", .protocol = IPPROTO_TCP, .port = 80
	};
	char name[64], text[512];
	size_t n = 0;
	_compiled_ c;

	compiled_init(&c);
	snprintf(text, sizeof(text),
		 POLICY "metadata: {name: p, namespace: n}\n"
			"spec: {subject: {}, rollout: {percent: %u}, ingress: []}\n",
		 percent);
	compiled_parse(&c, "policy.yaml", text);
	for (int i = 0; i < REPLICAS; i++) {
		snprintf(text, sizeof(text),
			 WORKLOAD "metadata: {name: w%d, namespace: n, labels: {app: w}}\n"
				  "spec: {cgroup: w%d}\n",
			 i, i);
		compiled_parse(&c, "workload.yaml", text);
	}
	cr_assert_eq(c.r, 0);
	compiled_compile(&c);
	cr_assert_eq(c.r, 0);
	cr_expect_eq(c.image->n_identities, 6, "one identity, whatever share it is in");
	for (int i = 0; i < REPLICAS; i++) {
		struct judged one = flow;

		snprintf(name, sizeof(name), "n/w%d", i);
		one.subject = name;
		ret[i] = judge(c.image, &one).verdict == CS_VERDICT_DENY;
		cr_expect(ret[i] || judge(c.image, &one).verdict == CS_VERDICT_AUDIT);
		n += ret[i];
	}
	return n;
}

/* The share is about as large as asked for, the same each time, and only grows. */
Test(policy_rollout, a_stable_share_that_grows)
{
	static const unsigned int percents[] = { 0, 1, 25, 50, 99, 100 };
	bool before[REPLICAS] = { 0 }, now[REPLICAS], again[REPLICAS];

	for (size_t p = 0; p < ARRAY_SIZE(percents); p++) {
		size_t n = enforcing(percents[p], now), wanted = percents[p] * REPLICAS / 100;

		cr_expect_eq(enforcing(percents[p], again), n);
		cr_expect_eq(memcmp(now, again, sizeof(now)), 0, "%u percent", percents[p]);
		cr_expect_leq(n, wanted + REPLICAS / 10, "%u percent: %zu", percents[p], n);
		cr_expect_geq(n + REPLICAS / 10, wanted, "%u percent: %zu", percents[p], n);
		for (size_t i = 0; i < REPLICAS; i++)
			cr_expect(now[i] || !before[i], "w%zu left the share", i);
		memcpy(before, now, sizeof(before));
	}
	cr_expect_eq(enforcing(0, now), 0);
	cr_expect_eq(enforcing(100, now), REPLICAS);
}

/*
 * Other versions and nodes must agree on who is in the share. The letters were found with
 * another implementation of SipHash-2-4.
 */
Test(policy_rollout, known_choices)
{
	bool now[REPLICAS];
	char text[21] = { 0 };

	enforcing(25, now);
	for (size_t i = 0; i < 20; i++)
		text[i] = now[i] ? 'E' : 'a';
	cr_expect_str_eq(text, "aaaaaaaaaaaaaaEaEEaa", "%s", text);
}

/* Who isolates: enforcing policies first, each where the roll-out has reached. */
Test(policy_rollout, isolated_by)
{
	const struct image_workload *b;
	_compiled_ c;

	compiled_init(&c);
	compiled_parse(&c, "pair.yaml", pair);
	compiled_must(&c, OF_N("a", "mode: Audit, ingress: []") OF_N("b", "ingress: []")
				  OF_N("c", "rollout: {percent: 0}, ingress: []")
					  OF_N("d", "ingress: [], egress: []")
						  OF_ALL("e", "tier: Admin, ingress: [{}]"));
	b = image_workload(c.image, "n/b");
	cr_assert_eq(b->n_isolated_by[CS_INGRESS], 4);
	cr_expect_eq(b->n_enforcing[CS_INGRESS], 2);
	cr_expect_str_eq(image_rule(c.image, b->isolated_by[CS_INGRESS][0])->policy, "b");
	cr_expect_str_eq(image_rule(c.image, b->isolated_by[CS_INGRESS][1])->policy, "d");
	cr_expect_str_eq(image_rule(c.image, b->isolated_by[CS_INGRESS][2])->policy, "a");
	cr_expect_str_eq(image_rule(c.image, b->isolated_by[CS_INGRESS][3])->policy, "c");
	cr_assert_eq(b->n_isolated_by[CS_EGRESS], 1);
	cr_expect_str_eq(image_rule(c.image, b->isolated_by[CS_EGRESS][0])->policy, "d");
}
