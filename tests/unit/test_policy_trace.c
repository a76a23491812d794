/* SPDX-License-Identifier: Apache-2.0 */
/* An explanation in one line, and what the image tells of rules. */
#include "test_policy.h"

#define WORKLOAD "---\napiVersion: countersign.dev/v1alpha1\nkind: Workload\n"
#define POLICY "---\napiVersion: countersign.dev/v1alpha1\nkind: IdentityPolicy\n"
#define CLUSTER "---\napiVersion: countersign.dev/v1alpha1\nkind: ClusterIdentityPolicy\n"
#define NP "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
#define CNP "---\napiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\n"

#define SERVICE "10.96.0.1"

/* clang-format off: manifests, and one case a line */
static const char pair[] = WORKLOAD
	"metadata: {name: a, namespace: n}\nspec: {serviceAccount: a, cgroup: a}\n" WORKLOAD
	"metadata: {name: b, namespace: n}\nspec: {serviceAccount: b, cgroup: b}\n"
	"---\napiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: n}\nspec: {clusterIP: " SERVICE
	", ports: [{port: 80}]}\n";

#define PASS                                                                                                  \
	CNP "metadata: {name: ops}\nspec: {tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [\n" \
	    "{action: Deny, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {number: 9}}}]},\n" \
	    "{action: Pass, from: [{namespaces: {}}]}]}\n"
#define LOW                                                                                                    \
	CNP "metadata: {name: low}\nspec: {tier: Baseline, priority: 1, subject: {namespaces: {}}, ingress: [" \
	    "{name: shut, action: Deny, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {number: 80}}}]}]}\n"

struct trace_case {
	const char *policies;
	const char *from, *to;
	uint16_t port;
	const char *expected; /* of the receiver, but of the sender for a flow to the Service */
};

static const struct trace_case cases[] = {
	{ PASS NP
	  "metadata: {name: p, namespace: n}\nspec: {podSelector: {}, ingress: [{from: [{podSelector: {}}]}]}\n",
	  "n/a", "n/b", 80, "[Admin] Pass (ops#2) -> [NetworkPolicy] Allow (n/p#1)" },
	{ PASS POLICY
	  "metadata: {name: p, namespace: n}\nspec: {subject: {}, ingress: [{name: from-a}]}\n",
	  "n/a", "n/b", 80, "[Admin] Pass (ops#2) -> [IdentityPolicy] Allow (n/p#from-a)" },
	{ PASS, "n/a", "n/b", 9, "[Admin] Deny (ops#1)" },
	{ PASS, "n/a", "n/b", 80,
	  "[Admin] Pass (ops#2) -> [Default] Allow (no policy isolates this direction)" },
	{ PASS LOW, "n/a", "n/b", 80, "[Admin] Pass (ops#2) -> [Baseline] Deny (low#shut)" },
	{ NP "metadata: {name: y, namespace: n}\nspec: {podSelector: {}}\n" NP
	     "metadata: {name: x, namespace: n}\nspec: {podSelector: {}}\n",
	  "n/a", "n/b", 80, "[NetworkPolicy] Deny (no rule allows it; isolated by n/x, n/y)" },
	{ CLUSTER "metadata: {name: all}\nspec: {subject: {}, ingress: []}\n", "World", "n/b", 80,
	  "[IdentityPolicy] Deny (no rule allows it; isolated by all)" },
	{ POLICY
	  "metadata: {name: t, namespace: n}\nspec: {subject: {}, mode: Audit, ingress: [{action: Deny}]}\n",
	  "n/a", "n/b", 80, "[IdentityPolicy] Audit (would be denied by n/t#1)" },
	{ POLICY
	  "metadata: {name: t, namespace: n}\nspec: {subject: {}, mode: Audit, ingress: []}\n",
	  "n/a", "n/b", 80,
	  "[IdentityPolicy] Audit (would be denied: no rule allows it; isolated by n/t)" },
	{ CLUSTER
	  "metadata: {name: top}\nspec: {subject: {}, tier: Admin, mode: Audit, priority: 1, ingress: [{name: skip, action: Pass}]}\n" PASS
		  POLICY
	  "metadata: {name: t, namespace: n}\nspec: {subject: {}, mode: Audit, ingress: []}\n",
	  "n/a", "n/b", 80,
	  "[Admin] Pass (ops#2) -> [IdentityPolicy] Audit (would be denied: no rule allows it; isolated by n/t)" },
	{ POLICY
	  "metadata: {name: p, namespace: n}\nspec: {subject: {}, ingress: [{name: ok, authentication: Required}]}\n",
	  "World", "n/b", 80, "[IdentityPolicy] Deny (n/p#ok wants a verified peer)" },
	{ POLICY
	  "metadata: {name: p, namespace: n}\nspec: {subject: {}, mode: Audit, ingress: [{name: ok, authentication: Required}]}\n",
	  "World", "n/b", 80,
	  "[IdentityPolicy] Audit (would be denied: n/p#ok wants a verified peer)" },
	{ "", "n/b", "n/b", 80, "[Self] Allow (a workload talks to itself)" },
	{ "", "Host", "n/b", 80, "[Node] Allow (between a workload and the node that it runs on)" },
	{ "", "n/a", "World", 80, "not decided here: no workload of this node" },
	{ "", "n/a", SERVICE, 80, "[Service] Deny (the Service has no ready backend)" },
};
/* clang-format on */

Test(policy_trace, lines)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct policy_explanation both[CS_DIRECTIONS];
		_compiled_ c;
		char *trace;

		compiled_init(&c);
		compiled_parse(&c, "pair.yaml", pair);
		compiled_must(&c, cases[i].policies);
		cr_assert_eq(policy_explain(c.image,
					    &(struct policy_flow){ .from = cases[i].from,
								   .to = cases[i].to,
								   .port = cases[i].port,
								   .protocol = IPPROTO_TCP,
								   .authenticated = true },
					    both),
			     0);
		trace = policy_trace(c.image,
				     &both[streq(cases[i].to, SERVICE) ? CS_EGRESS : CS_INGRESS]);
		cr_assert_not_null(trace);
		cr_expect_str_eq(trace, cases[i].expected, "case %zu: %s", i, trace);
		free(trace);
		for (int d = 0; d < CS_DIRECTIONS; d++)
			policy_explanation_done(&both[d]);
	}
}

/* What each rule does to each walk is told step by step. */
Test(policy_trace, steps_of_both_walks)
{
	static const char *const expected[] = {
		"would pass to the next tier, but is in Audit mode",
		"decides",
		"would deny what no rule allows, but is in Audit mode",
	};
	struct policy_explanation both[CS_DIRECTIONS];
	const struct policy_explanation *in = &both[CS_INGRESS];
	_compiled_ c;

	compiled_init(&c);
	compiled_parse(&c, "pair.yaml", pair);
	compiled_must(
		&c, CLUSTER
		"metadata: {name: a}\nspec: {subject: {}, tier: Admin, mode: Audit, priority: "
		"1, ingress: [{action: Pass}]}\n" CLUSTER
		"metadata: {name: b}\nspec: {subject: {}, tier: Admin, priority: 2, ingress: "
		"[{}]}\n" POLICY "metadata: {name: t, namespace: n}\n"
		"spec: {subject: {}, mode: Audit, ingress: []}\n");
	cr_assert_eq(policy_explain(c.image,
				    &(struct policy_flow){ .from = "n/a",
							   .to = "n/b",
							   .port = 80,
							   .protocol = IPPROTO_TCP },
				    both),
		     0);
	cr_expect_eq(in->workload,
		     (uint32_t)(image_workload(c.image, "n/b") - c.image->workloads) + 1);
	cr_assert_eq(in->n_steps, ARRAY_SIZE(expected));
	for (size_t i = 0; i < in->n_steps; i++)
		cr_expect_str_eq(in->steps[i].why, expected[i], "%s", in->steps[i].why);
	for (int d = 0; d < CS_DIRECTIONS; d++)
		policy_explanation_done(&both[d]);
}

/* Where a rule is written, and what its exception is for. */
Test(policy_trace, what_the_image_tells_of_rules)
{
	const struct image_rule *rule = NULL;
	_compiled_ c;

	compiled_init(&c);
	compiled_parse(&c, "pair.yaml", pair);
	compiled_must(&c,
		      POLICY "metadata: {name: p, namespace: n}\nspec:\n  subject: {}\n  ingress:\n"
			     "  - name: glass\n    action: Deny\n    mode: Audit\n"
			     "    expires: \"1970-01-02T00:00:00Z\"\n    reason: outage\n"
			     "    ticket: OPS-1\n    approver: carol\n");
	for (size_t i = 1; i < c.image->n_rules; i++)
		if (streq(c.image->rules[i].rule, "glass"))
			rule = &c.image->rules[i];
	cr_assert_not_null(rule);
	cr_expect_str_eq(rule->file, "test.yaml");
	cr_expect_eq(rule->line, 8);
	cr_expect_eq(rule->tier, 1);
	cr_expect_eq(rule->action, CS_ACTION_DENY);
	cr_expect(rule->audit);
	cr_expect_str_eq(rule->reason, "outage");
	cr_expect_str_eq(rule->ticket, "OPS-1");
	cr_expect_str_eq(rule->approver, "carol");
	cr_expect_eq(rule->expires_s, 86400);
	rule = image_rule(c.image, image_workload(c.image, "n/b")->isolated_by[CS_INGRESS][0]);
	cr_expect_str_eq(rule->rule, "");
	cr_expect_str_eq(rule->file, "test.yaml");
	cr_expect_eq(rule->action, 0);
	cr_expect_null(rule->reason);
	cr_expect_not(rule->audit);
}
