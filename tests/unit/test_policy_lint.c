/* SPDX-License-Identifier: Apache-2.0 */
/* Each code of lint: the least that makes it appear, and a near miss that does not. */
#include "test_policy.h"
#include "user/policy/lint.h"

#define NOW_S 1767225600ull /* 2026-01-01T00:00:00Z */
#define TEXT_MAX 8192

/* Three workloads in two namespaces; `a` has a port called web. */
#define WORKLOADS                                                                                \
	"apiVersion: countersign.dev/v1alpha1\n"                                                 \
	"kind: Workload\n"                                                                       \
	"metadata: {name: a, namespace: shop, labels: {app: a}}\n"                               \
	"spec: {cgroup: a, serviceAccount: a, addresses: [10.1.0.1], ports: [{name: web, port: " \
	"80}]}\n---\n"                                                                           \
	"apiVersion: countersign.dev/v1alpha1\n"                                                 \
	"kind: Workload\n"                                                                       \
	"metadata: {name: b, namespace: shop, labels: {app: b}}\n"                               \
	"spec: {cgroup: b, serviceAccount: b, addresses: [10.1.0.2]}\n---\n"                     \
	"apiVersion: countersign.dev/v1alpha1\n"                                                 \
	"kind: Workload\n"                                                                       \
	"metadata: {name: c, namespace: ops, labels: {app: c}}\n"                                \
	"spec: {cgroup: c, addresses: [10.1.0.3]}\n---\n"

/* An IdentityPolicy `p` in shop with this spec. */
#define P(spec)                                        \
	"apiVersion: countersign.dev/v1alpha1\n"       \
	"kind: IdentityPolicy\n"                       \
	"metadata: {name: p, namespace: shop}\nspec: " \
	"{" spec "}\n---\n"
#define IN_A(rules) P("subject: {selector: {matchLabels: {app: a}}}, ingress: [" rules "]")
#define OUT_A(rules) P("subject: {selector: {matchLabels: {app: a}}}, egress: [" rules "]")
/* A ClusterIdentityPolicy about workload a. */
#define CLUSTER(name, spec)                            \
	"apiVersion: countersign.dev/v1alpha1\n"       \
	"kind: ClusterIdentityPolicy\n"                \
	"metadata: {name: " name "}\nspec: {subject: " \
	"{selector: {matchLabels: {app: a}}}, " spec "}\n---\n"
#define CNP(rule)                                                               \
	"apiVersion: policy.networking.k8s.io/v1alpha2\n"                       \
	"kind: ClusterNetworkPolicy\n"                                          \
	"metadata: {name: cnp}\n"                                               \
	"spec: {tier: Admin, priority: 5, subject: {namespaces: {matchLabels: " \
	"{kubernetes.io/metadata.name: shop}}}, ingress: [" rule "]}\n---\n"
#define NP(egress)                                                             \
	"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"              \
	"metadata: {name: np, namespace: shop}\n"                              \
	"spec: {podSelector: {matchLabels: {app: b}}, policyTypes: [Egress], " \
	"egress: [" egress "]}\n---\n"
#define REVOKE(spec)                                               \
	"apiVersion: countersign.dev/v1alpha1\nkind: Revocation\n" \
	"metadata: {name: r}\nspec: {reason: theft, " spec "}\n---\n"
#define WORKLOAD_D(spec)                                         \
	"apiVersion: countersign.dev/v1alpha1\nkind: Workload\n" \
	"metadata: {name: d, namespace: far}\nspec: {" spec "}\n---\n"
#define FROM(app) "from: [{selector: {matchLabels: {app: " app "}}}]"
#define TO(app) "to: [{selector: {matchLabels: {app: " app "}}}]"
#define AUDIT(metadata)                                                                      \
	"apiVersion: countersign.dev/v1alpha1\nkind: IdentityPolicy\n"                       \
	"metadata: {name: p, namespace: shop" metadata "}\n"                                 \
	"spec: {subject: {selector: {matchLabels: {app: a}}}, mode: Audit, ingress: [" FROM( \
		"b") "]}\n"

struct lint_case {
	enum lint_code code;
	const char *bad;
	const char *good;
};

static const struct lint_case cases[] = {
	{ LINT_SUBJECT_EMPTY, P("subject: {selector: {matchLabels: {app: x}}}, ingress: []"),
	  P("subject: {selector: {matchLabels: {app: a}}}, ingress: []") },
	{ LINT_SUBJECT_EMPTY,
	  P("subject: [{serviceAccounts: [{name: x}]}, {serviceAccounts: [{name: y}]}], ingress: []"),
	  P("subject: [{serviceAccounts: [{name: x}]}, {serviceAccounts: [{name: a}]}], ingress: []") },
	{ LINT_PEER_EMPTY, IN_A(FROM("x")), IN_A(FROM("b")) },
	{ LINT_PEER_EMPTY, IN_A("from: [{serviceAccounts: [{name: x}]}]"),
	  IN_A("from: [{serviceAccounts: [{name: b}]}]") },
	{ LINT_PEER_EMPTY, IN_A("from: [{spiffeIDs: [\"spiffe://other.org/ns/shop/sa/*\"]}]"),
	  IN_A("from: [{spiffeIDs: [\"spiffe://example.org/ns/*/sa/b\"]}]") },
	{ LINT_PEER_EMPTY,
	  IN_A("from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: x}}}]"),
	  IN_A("from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ops}}}]") },
	{ LINT_NAMESPACE_EMPTY,
	  "apiVersion: countersign.dev/v1alpha1\nkind: IdentityPolicy\n"
	  "metadata: {name: p, namespace: x}\nspec: {subject: {}, ingress: []}\n",
	  "apiVersion: countersign.dev/v1alpha1\nkind: IdentityPolicy\n"
	  "metadata: {name: p, namespace: ops}\nspec: {subject: {}, ingress: []}\n" },
	{ LINT_SELECTOR_IMPOSSIBLE,
	  P("subject: {selector: {matchLabels: {app: a}, matchExpressions: [{key: app, operator: "
	    "In, values: [b, c]}]}}, ingress: []"),
	  P("subject: {selector: {matchLabels: {app: a}, matchExpressions: [{key: app, operator: "
	    "In, values: [b, a]}]}}, ingress: []") },
	{ LINT_SELECTOR_IMPOSSIBLE,
	  IN_A("from: [{selector: {matchExpressions: [{key: app, operator: Exists}, {key: app, "
	       "operator: DoesNotExist}]}}]"),
	  IN_A("from: [{selector: {matchExpressions: [{key: app, operator: Exists}, {key: x, "
	       "operator: DoesNotExist}]}}]") },
	{ LINT_SELECTOR_IMPOSSIBLE,
	  IN_A("from: [{selector: {matchExpressions: [{key: app, operator: In, values: [a]}, {key: "
	       "app, operator: NotIn, values: [a, b]}]}}]"),
	  IN_A("from: [{selector: {matchExpressions: [{key: app, operator: In, values: [a, b]}, "
	       "{key: app, operator: NotIn, values: [a]}]}}]") },
	{ LINT_NAMED_PORT_UNKNOWN, IN_A("{" FROM("b") ", ports: [{port: wob}]}"),
	  IN_A("{" FROM("b") ", ports: [{port: web}]}") },
	{ LINT_NAMED_PORT_UNKNOWN, IN_A("{" FROM("b") ", ports: [{port: web, protocol: UDP}]}"),
	  IN_A("{" FROM("b") ", ports: [{port: web, protocol: UDP}, {port: web}]}") },
	{ LINT_NAMED_PORT_UNKNOWN, OUT_A("{" TO("b") ", ports: [{port: web}]}"),
	  OUT_A("{to: [{selector: {}}], ports: [{port: web}]}") },
	{ LINT_NAMED_PORT_ADDRESS,
	  NP("{to: [{podSelector: {}}, {ipBlock: {cidr: 192.0.2.0/24}}], ports: [{port: web}]}"),
	  NP("{to: [{podSelector: {}}], ports: [{port: web}]}, "
	     "{to: [{ipBlock: {cidr: 192.0.2.0/24}}], ports: [{port: 80}]}") },
	{ LINT_PEER_UNKNOWN, CNP("{name: n, action: Accept, from: [{planets: {}}]}"),
	  CNP("{name: n, action: Accept, from: [{namespaces: {}}]}") },
	{ LINT_CIDR_EMPTY, IN_A("from: [{cidrs: [{cidr: 10.9.0.0/16, except: [10.9.0.0/16]}]}]"),
	  IN_A("from: [{cidrs: [{cidr: 10.9.0.0/16, except: [10.9.0.0/17]}]}]") },
	{ LINT_REVOKED_NOBODY, REVOKE("workloads: [{namespace: shop, name: x}]"),
	  REVOKE("workloads: [{namespace: shop, name: a}]") },
	{ LINT_REVOKED_NOBODY, REVOKE("spiffeIDs: [\"spiffe://other.org/ns/shop/sa/a\"]"),
	  REVOKE("spiffeIDs: [\"spiffe://example.org/ns/shop/sa/a\", "
		 "\"spiffe://example.org/countersign/node/x\"]") },
	{ LINT_REVOKED_NOBODY,
	  REVOKE("spiffeIDs: [\"spiffe://example.org/ns/far/sa/default\"]")
		  WORKLOAD_D("trustDomain: other.org"),
	  REVOKE("spiffeIDs: [\"spiffe://other.org/ns/far/sa/default\"]")
		  WORKLOAD_D("trustDomain: other.org") },
	{ LINT_NODE_MISSING,
	  WORKLOAD_D(
		  "addresses: [10.1.0.9]") "apiVersion: countersign.dev/v1alpha1\n"
					   "kind: Workload\nmetadata: {name: e}\nspec: {node: host-e}\n",
	  WORKLOAD_D(
		  "node: host-d") "apiVersion: countersign.dev/v1alpha1\n"
				  "kind: Workload\nmetadata: {name: e}\nspec: {node: host-e}\n" },
	{ LINT_PEER_EMPTY,
	  IN_A("from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: far}}}]")
		  WORKLOAD_D("trustDomain: other.org"),
	  IN_A("from: [{spiffeIDs: [\"spiffe://*/ns/far/sa/*\"]}]")
		  WORKLOAD_D("trustDomain: other.org") },
	{ LINT_SHADOWED,
	  IN_A("{action: Deny, from: [{selector: {}}]}, {" FROM("b") ", ports: [{port: 80}]}"),
	  IN_A("{action: Deny, from: [{selector: {}}], ports: [{port: 81}]}, {" FROM(
		  "b") ", ports: [{port: 80}]}") },
	{ LINT_SHADOWED, IN_A("{action: Deny, from: [{selector: {}}]}, {" FROM("b") "}"),
	  IN_A("{action: Deny, from: [{selector: {}}], expires: \"2027-01-01T00:00:00Z\", reason: "
	       "x}, {" FROM("b") "}") },
	{ LINT_SHADOWED, IN_A("{action: Deny, from: [{selector: {}}]}, {" FROM("b") "}"),
	  IN_A("{action: Deny, mode: Audit, from: [{selector: {}}]}, {" FROM("b") "}") },
	{ LINT_SHADOWED,
	  IN_A("{action: Deny, from: [{cidrs: [{cidr: 10.9.0.0/16}]}]}, {from: [{cidrs: [{cidr: "
	       "10.9.1.0/24}]}]}"),
	  IN_A("{action: Deny, from: [{cidrs: [{cidr: 10.9.1.0/24}]}]}, {from: [{cidrs: [{cidr: "
	       "10.9.0.0/16}]}]}") },
	{ LINT_REDUNDANT,
	  IN_A("{from: [{selector: {}}]}, {" FROM("b") ", ports: [{port: 80, protocol: UDP}]}"),
	  IN_A("{from: [{selector: {}}], ports: [{protocol: TCP}]}, {" FROM(
		  "b") ", ports: [{port: 80, protocol: UDP}]}") },
	{ LINT_REDUNDANT, IN_A("{from: [{selector: {}}]}, {" FROM("b") "}"),
	  IN_A("{from: [{selector: {}}], authentication: Required}, {" FROM("b") "}") },
	{ LINT_REDUNDANT,
	  IN_A("{from: [{selector: {}}], ports: [{port: 80, endPort: 90}]}, {" FROM(
		  "b") ", ports: [{port: 85, endPort: 90}]}"),
	  IN_A("{from: [{selector: {}}], ports: [{port: 80, endPort: 90}]}, {" FROM(
		  "b") ", ports: [{port: 85, endPort: 91}]}") },
	{ LINT_DENY_UNREACHED,
	  CLUSTER("x", "tier: Admin, ingress: [{authentication: IfAvailable, from: [{selector: "
		       "{}}]}, {action: Deny, " FROM("b") "}]"),
	  CLUSTER("x", "tier: Admin, ingress: [{action: Deny, " FROM(
			       "b") "}, {from: [{selector: {}}]}]") },
	{ LINT_DENY_UNREACHED,
	  CLUSTER("x", "tier: Admin, ingress: [{action: Pass, from: [{selector: {}}]}, {action: "
		       "Deny, " FROM("b") "}]"),
	  CLUSTER("x", "tier: Admin, ingress: [{action: Pass, from: [{selector: {matchLabels: "
		       "{app: c}}}]}, {action: Deny, " FROM("b") "}]") },
	{ LINT_DUPLICATE,
	  IN_A("{name: x, " FROM("b") "}, {name: y, from: [{serviceAccounts: [{name: b}]}]}"),
	  IN_A("{name: x, " FROM("b") "}, {name: y, from: [{serviceAccounts: [{name: b}]}], "
				      "authentication: Required}") },
	{ LINT_PRIORITY_TIE,
	  CLUSTER("x", "tier: Admin, priority: 7, ingress: [{" FROM("b") "}]")
		  CLUSTER("y", "tier: Admin, priority: 7, ingress: [{action: Deny, from: "
			       "[{selector: {}}]}]"),
	  CLUSTER("x", "tier: Admin, priority: 7, ingress: [{" FROM("b") "}]")
		  CLUSTER("y", "tier: Admin, priority: 8, ingress: [{action: Deny, from: "
			       "[{selector: {}}]}]") },
	{ LINT_PRIORITY_TIE,
	  CLUSTER("x", "tier: Admin, ingress: [{" FROM("b") ", ports: [{port: 80}]}]")
		  CLUSTER("y", "tier: Admin, ingress: [{action: Deny, " FROM("b") "}]"),
	  CLUSTER("x", "tier: Admin, ingress: [{" FROM("b") ", ports: [{port: 80}]}]")
		  CLUSTER("y", "tier: Admin, ingress: [{action: Deny, " FROM("c") "}]") },
	{ LINT_PASS_NOWHERE, CLUSTER("x", "tier: Admin, ingress: [{action: Pass, " FROM("b") "}]"),
	  CLUSTER("x", "tier: Admin, ingress: [{action: Pass, " FROM("b") "}]") IN_A("") },
	{ LINT_WORLD_IN, IN_A("{from: [{cidrs: [{cidr: 0.0.0.0/0}]}]}"),
	  IN_A("{from: [{cidrs: [{cidr: 0.0.0.0/0}]}], ports: [{port: 443}]}") },
	{ LINT_WORLD_IN, IN_A("{from: [{cidrs: [{cidr: \"::/0\"}]}], ports: [{protocol: TCP}]}"),
	  IN_A("{from: [{cidrs: [{cidr: \"2000::/3\"}]}], ports: [{protocol: TCP}]}") },
	{ LINT_WORLD_IN, IN_A("{from: [{entities: [World]}]}"),
	  IN_A("{action: Deny, from: [{entities: [World]}]}") },
	{ LINT_WORLD_IN, IN_A("{}"), IN_A("{authentication: Required}") },
	{ LINT_WORLD_OUT, OUT_A("{}"), OUT_A("{ports: [{port: 443}]}") },
	{ LINT_WORLD_OUT, OUT_A("{to: [{entities: [World]}]}"),
	  OUT_A("{to: [{entities: [Host]}]}") },
	{ LINT_ADMIN_UNVERIFIED, CLUSTER("x", "tier: Admin, ingress: [{" FROM("b") "}]"),
	  CLUSTER("x", "tier: Admin, ingress: [{authentication: Required, " FROM("b") "}]") },
	{ LINT_ADMIN_UNVERIFIED, CLUSTER("x", "tier: Admin, ingress: [{" FROM("b") "}]"),
	  CLUSTER("x", "tier: Baseline, ingress: [{" FROM("b") "}]") },
	{ LINT_CIDR_COVERS_WORKLOADS, IN_A("from: [{cidrs: [{cidr: 10.1.0.0/16}]}]"),
	  IN_A("from: [{cidrs: [{cidr: 10.1.0.0/16, except: [10.1.0.0/30]}]}]") },
	{ LINT_NOT_ISOLATED, "",
	  "apiVersion: countersign.dev/v1alpha1\nkind: ClusterIdentityPolicy\nmetadata: {name: all}\nspec: {subject: {}, ingress: []}\n" },
	{ LINT_EXPIRED, IN_A("{" FROM("b") ", reason: x, expires: \"2026-01-01T00:00:00Z\"}"),
	  IN_A("{" FROM("b") ", reason: x, expires: \"2026-01-01T00:00:01Z\"}") },
	{ LINT_EXPIRES_SOON, IN_A("{" FROM("b") ", reason: x, expires: \"2026-01-15T00:00:00Z\"}"),
	  IN_A("{" FROM("b") ", reason: x, expires: \"2026-01-15T00:00:01Z\"}") },
	{ LINT_AUDIT_LONG, AUDIT(", creationTimestamp: \"2025-12-01T00:00:00Z\""),
	  AUDIT(", creationTimestamp: \"2025-12-02T00:00:00Z\"") },
	{ LINT_AUDIT_LONG,
	  AUDIT(", annotations: {countersign.dev/audit-since: \"2025-11-30T00:00:00Z\"}"),
	  AUDIT(", creationTimestamp: \"2025-11-30T00:00:00Z\", annotations: "
		"{countersign.dev/audit-since: \"2025-12-31T00:00:00Z\"}") },
	{ LINT_AUDIT_SINCE_UNKNOWN, AUDIT(", creationTimestamp: null"),
	  AUDIT(", creationTimestamp: \"2025-12-31T00:00:00Z\"") },
	{ LINT_ROLLOUT_ZERO,
	  P("subject: {}, rollout: {percent: 0}, ingress: [{from: [{selector: {}}]}]"),
	  P("subject: {}, rollout: {percent: 1}, ingress: [{from: [{selector: {}}]}]") },
	{ LINT_EGRESS_NO_DNS, OUT_A("{" TO("b") ", ports: [{port: 443}]}"),
	  OUT_A("{" TO("b") ", ports: [{port: 443}]}, {to: [{entities: [World]}], ports: "
			    "[{port: 53, protocol: UDP}]}") },
	{ LINT_EGRESS_NO_DNS, OUT_A("{" TO("b") ", ports: [{port: 53}]}"), OUT_A("") },
	{ LINT_EGRESS_NO_DNS, OUT_A("{" TO("b") ", ports: [{port: 443}]}"),
	  OUT_A("{" TO("b") "}") },
	{ LINT_POLICY_EMPTY, P("subject: {}"), P("subject: {}, egress: []") },
};

/* All findings about the workloads and @text; the test fails when it does not compile. */
static void lint_text(struct compiled *c, const char *text, struct findings *ret)
{
	struct lint_options options = { .audit_days = 30, .expiry_days = 14, .isolation = true };

	compiled_init(c);
	c->options.realtime_ns = NOW_S * 1000000000;
	c->options.every_subject = true;
	compiled_must(c, text);
	options.compile = &c->options;
	options.ids = c->ids;
	cr_assert_eq(lint_policies(c->set, c->image, &options, ret), 0);
}

static size_t count_code(const struct findings *findings, enum lint_code code)
{
	size_t n = 0;

	for (size_t i = 0; i < findings->n; i++)
		n += findings->item[i].code == code;
	return n;
}

static size_t lint_count(const char *text, enum lint_code code)
{
	struct findings findings = { 0 };
	char all[TEXT_MAX];
	_compiled_ c;
	size_t n;

	cr_assert_lt(snprintf(all, sizeof(all), "%s%s", WORKLOADS, text), (int)sizeof(all));
	lint_text(&c, all, &findings);
	n = count_code(&findings, code);
	findings_done(&findings);
	return n;
}

Test(policy_lint, each_code_by_its_least_cause)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct lint_case *test = &cases[i];
		const char *code = lint_infos[test->code].code;

		cr_expect_gt(lint_count(test->bad, test->code), 0, "case %zu: no %s", i, code);
		cr_expect_eq(lint_count(test->good, test->code), 0, "case %zu: %s", i, code);
	}
}

/* Those that need no Workload or no compile are tested on their own. */
Test(policy_lint, every_code_has_a_case)
{
	bool tested[LINT_CODES_MAX] = { [LINT_MALFORMED] = true,
					[LINT_LIMIT] = true,
					[LINT_CONFLICT] = true,
					[LINT_NO_WORKLOADS] = true };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		tested[cases[i].code] = true;
	for (size_t i = 0; i < LINT_CODES_MAX; i++)
		cr_expect(tested[i], "%s has no case", lint_infos[i].code);
}

Test(policy_lint, codes_are_sorted_and_say_something)
{
	for (size_t i = 0; i < LINT_CODES_MAX; i++) {
		const struct lint_info *info = &lint_infos[i];

		cr_expect_eq(strlen(info->code), 6);
		cr_expect(*info->title && *info->why && *info->remedy, "%s", info->code);
		if (i > 0)
			cr_expect_gt(strcmp(info->code, lint_infos[i - 1].code), 0, "%s",
				     info->code);
		cr_expect_eq(lint_code_by_text(info->code, 6), i);
	}
	cr_expect_eq(lint_code_by_text("CSP999", 6), LINT_CODES_MAX);
	cr_expect_eq(lint_code_by_text("CSP1011", 7), LINT_CODES_MAX);
}

Test(policy_lint, nothing_to_say_of_a_sound_policy)
{
	struct findings findings = { 0 };
	_compiled_ c;

	lint_text(&c,
		  WORKLOADS P("subject: {}, ingress: [" FROM(
			  "b") ", ports: [{port: 80}]], egress: [{to: [{entities: [World]}], "
			       "ports: [{port: 53, protocol: UDP}]}]") "apiVersion: "
								       "countersign.dev/"
								       "v1alpha1\nkind: "
								       "IdentityPolicy\n"
								       "metadata: {name: "
								       "p, namespace: "
								       "ops}\nspec: "
								       "{subject: {}, "
								       "ingress: []}\n",
		  &findings);
	cr_expect_eq(findings.n, 0, "%s", findings.n ? findings.item[0].message : "");
	findings_done(&findings);
}

/* Without Workloads selectors cannot be judged; the rest still is. */
Test(policy_lint, without_workloads)
{
	struct findings findings = { 0 };
	_compiled_ c;

	lint_text(&c, IN_A("{}"), &findings);
	cr_expect_eq(count_code(&findings, LINT_NO_WORKLOADS), 1);
	cr_expect_eq(count_code(&findings, LINT_WORLD_IN), 1);
	cr_expect_eq(findings.n, 2);
	findings_done(&findings);
	cr_expect_eq(lint_count(IN_A("{}"), LINT_NO_WORKLOADS), 0);
}

Test(policy_lint, a_finding_names_place_and_object)
{
	struct findings findings = { 0 };
	_compiled_ c;

	lint_text(&c,
		  WORKLOADS "apiVersion: countersign.dev/v1alpha1\n"
			    "kind: IdentityPolicy\n"
			    "metadata: {name: p, namespace: shop}\n"
			    "spec:\n"
			    "  subject: {}\n"
			    "  ingress:\n"
			    "  - {name: shut, action: Deny, from: [{selector: {}}]}\n"
			    "  - from: [{selector: {matchLabels: {app: b}}}]\n",
		  &findings);
	for (size_t i = 0; i < findings.n; i++) {
		const struct finding *finding = &findings.item[i];

		if (finding->code != LINT_SHADOWED)
			continue;
		cr_expect_str_eq(finding->file, "test.yaml");
		cr_expect_eq(finding->line, 23);
		cr_expect_str_eq(finding->object, "IdentityPolicy shop/p#2");
		cr_expect_eq(finding->related_line, 22);
		cr_expect(strstr(finding->message, "shop/p#shut"), "%s", finding->message);
	}
	cr_expect_eq(count_code(&findings, LINT_SHADOWED), 1);
	findings_done(&findings);
}

/* Shadowed for one subject is not shadowed when another subject needs the rule. */
Test(policy_lint, every_subject_counts)
{
	static const char admin[] = CLUSTER(
		"x", "ingress: [{action: Deny, from: [{selector: {matchLabels: {app: c}}}]}]");
	char text[TEXT_MAX];

	snprintf(text, sizeof(text), "%s%s", admin,
		 P("subject: {selector: {matchLabels: {app: a}}}, ingress: [" FROM("c") "]"));
	/* A peer of another namespace must be named so. */
	cr_expect_eq(lint_count(text, LINT_SHADOWED), 0);
	snprintf(text, sizeof(text), "%s%s", admin,
		 P("subject: {selector: {matchLabels: {app: a}}}, ingress: [{from: "
		   "[{namespaceSelector: {}, selector: {matchLabels: {app: c}}}]}]"));
	cr_expect_eq(lint_count(text, LINT_SHADOWED), 1);
	snprintf(text, sizeof(text), "%s%s", admin,
		 P("subject: {}, ingress: [{from: [{namespaceSelector: {}, selector: "
		   "{matchLabels: {app: c}}}]}]"));
	cr_expect_eq(lint_count(text, LINT_SHADOWED), 0);
}

Test(policy_lint, ignored_codes_are_not_counted)
{
	struct findings findings = { .ignored = { [LINT_WORLD_IN] = true } };
	_compiled_ c;

	lint_text(&c, WORKLOADS IN_A("{}"), &findings);
	cr_expect_eq(count_code(&findings, LINT_WORLD_IN), 0);
	cr_expect_eq(findings.count[LINT_WARNING], 0);
	findings_done(&findings);
}

Test(policy_lint, audit_since_must_be_a_time)
{
	_compiled_ c;

	compiled_init(&c);
	compiled_parse(&c, "test.yaml",
		       AUDIT(", annotations: {countersign.dev/audit-since: yesterday}"));
	cr_expect_eq(c.r, -EBADMSG);
	cr_expect_eq(c.errors.item[0].line, 3);
	cr_expect(strstr(c.errors.item[0].field, "audit-since"), "%s", c.errors.item[0].field);
}
