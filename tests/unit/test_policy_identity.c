/* SPDX-License-Identifier: Apache-2.0 */
/* IdentityPolicy and ClusterIdentityPolicy: what their text means, and what is refused. */
#include "test_policy_model.h"

#define IP                                                             \
	"apiVersion: countersign.dev/v1alpha1\nkind: IdentityPolicy\n" \
	"metadata: {name: p, namespace: shop}\nspec:\n" /* 4 lines */
#define CIP                                                                   \
	"apiVersion: countersign.dev/v1alpha1\nkind: ClusterIdentityPolicy\n" \
	"metadata: {name: p}\nspec:\n" /* 4 lines */
#define S IP "  subject: {}\n" /* 5 lines */
#define C CIP "  subject: {}\n" /* 5 lines */
#define ALL "Default 500 shop:{*}; "
#define NO "ingress -; egress -"
#define EXPIRES "expires: \"1970-01-01T00:00:09Z\""

/* clang-format off: one case, a few lines, the same shape everywhere */
static const struct model_case cases[] = {
	/* subjects */
	{ "an empty subject: all of the namespace", S, ALL NO },
	{ "by labels", IP "  subject: {selector: {matchLabels: {app: a}}}\n",
	  "Default 500 shop:{app In a}; " NO },
	{ "an empty selector", IP "  subject: {selector: {}}\n", ALL NO },
	{ "by service account, of the policy's namespace",
	  IP "  subject: {serviceAccounts: [{name: a}, {namespace: shop, name: b}]}\n",
	  "Default 500 sa shop/a, sa shop/b; " NO },
	{ "by SPIFFE ID", IP "  subject: {spiffeIDs: [\"spiffe://example.org/ns/shop/sa/a-*\"]}\n",
	  "Default 500 spiffe://example.org/ns/shop/sa/a-*; " NO },
	{ "a union of all kinds",
	  IP "  subject:\n  - selector: {matchLabels: {app: a}}\n  - serviceAccounts: [{name: b}]\n"
	     "  - spiffeIDs: [\"spiffe://*/ns/shop/sa/c\"]\n",
	  "Default 500 shop:{app In a}, sa shop/b, spiffe://*/ns/shop/sa/c; " NO },
	{ "cluster-wide: an empty subject is everything", C, "Default 500 {*}:{*}; " NO },
	{ "cluster-wide: a selector is about every namespace",
	  CIP "  subject: {selector: {matchLabels: {app: a}}}\n",
	  "Default 500 {*}:{app In a}; " NO },
	{ "cluster-wide: a namespaceSelector",
	  CIP "  subject: {namespaceSelector: {matchLabels: {team: x}}}\n",
	  "Default 500 {team In x}:{*}; " NO },
	{ "cluster-wide: both",
	  CIP
	  "  subject: {selector: {matchLabels: {app: a}}, namespaceSelector: {matchLabels: {team: x}}}\n",
	  "Default 500 {team In x}:{app In a}; " NO },
	{ "cluster-wide: accounts of any namespace",
	  CIP "  subject:\n  - serviceAccounts: [{namespace: a, name: b}]\n"
	      "  - spiffeIDs: [\"spiffe://example.org/ns/*/sa/c\"]\n",
	  "Default 500 sa a/b, spiffe://example.org/ns/*/sa/c; " NO },

	/* tier, priority, mode, rollout */
	{ "the default tier, said", S "  tier: Default\n", ALL NO },
	{ "Admin", S "  tier: Admin\n  priority: 0\n", "Admin 0 shop:{*}; " NO },
	{ "Baseline", C "  tier: Baseline\n  priority: 1000\n", "Baseline 1000 {*}:{*}; " NO },
	{ "a priority in the default tier", S "  priority: 20\n", "Default 20 shop:{*}; " NO },
	{ "Audit", S "  mode: Audit\n", "Default 500 shop:{*} audit; " NO },
	{ "Enforce", S "  mode: Enforce\n", ALL NO },
	{ "a share of the subjects", S "  rollout: {percent: 25}\n",
	  "Default 500 shop:{*} rollout 25; " NO },
	{ "nobody enforces", S "  rollout: {percent: 0}\n", "Default 500 shop:{*} rollout 0; " NO },
	{ "all enforce", S "  rollout: {percent: 100}\n", ALL NO },

	/* directions: said, but empty, isolates */
	{ "an empty list is said", S "  ingress: []\n", ALL "ingress none; egress -" },

	/* rules */
	{ "Allow unless said", S "  ingress: [{}]\n", ALL "ingress #1 Allow any; egress -" },
	{ "Deny", S "  egress: [{action: Deny}]\n", ALL "ingress -; egress #1 Deny any" },
	{ "Pass, in Admin, wherever tier is written",
	  S "  ingress: [{action: Pass}]\n  tier: Admin\n",
	  "Admin 500 shop:{*}; ingress #1 Pass any; egress -" },
	{ "Pass, in Baseline", C "  tier: Baseline\n  egress: [{action: Pass}]\n",
	  "Baseline 500 {*}:{*}; ingress -; egress #1 Pass any" },
	{ "names and numbers", S "  ingress: [{name: a/b.c-d_e}, {}, {name: f}]\n",
	  ALL "ingress a/b.c-d_e Allow any | #2 Allow any | f Allow any; egress -" },
	{ "a rule in Audit mode", S "  ingress: [{mode: Audit, action: Deny}, {mode: Enforce}]\n",
	  ALL "ingress #1 Deny any audit | #2 Allow any; egress -" },
	{ "authentication",
	  S "  ingress: [{authentication: Required}, {authentication: IfAvailable}]\n",
	  ALL "ingress #1 Allow any authenticated | #2 Allow any; egress -" },
	{ "peers of all kinds",
	  S
	  "  ingress:\n  - from:\n    - serviceAccounts: [{name: a}, {namespace: x, name: b}]\n"
	  "    - spiffeIDs: [\"spiffe://e.org/ns/*/sa/c\"]\n    - selector: {matchLabels: {app: d}}\n"
	  "    - namespaceSelector: {}\n    - {selector: {}, namespaceSelector: {matchLabels: {team: y}}}\n"
	  "    - cidrs: [{cidr: 10.0.0.0/8, except: [10.1.0.0/16]}, {cidr: \"::/0\"}]\n"
	  "    - entities: [Host, RemoteNode, World, KubeAPIServer, Unmanaged]\n",
	  ALL
	  "ingress #1 Allow sa shop/a, sa x/b, spiffe://e.org/ns/*/sa/c, shop:{app In d}, {*}:{*}, "
	  "{team In y}:{*}, 10.0.0.0/8 but 10.1.0.0/16, ::/0, Host, RemoteNode, World, "
	  "KubeAPIServer, Unmanaged; egress -" },
	{ "cluster-wide: a peer's selector is about every namespace",
	  C "  egress: [{to: [{selector: {matchLabels: {app: a}}}]}]\n",
	  "Default 500 {*}:{*}; ingress -; egress #1 Allow {*}:{app In a}" },
	{ "ports by number, range, name and protocol",
	  S
	  "  ingress: [{ports: [{port: 1}, {port: 2, endPort: 3}, {port: http}, {protocol: SCTP}]}]\n",
	  ALL "ingress #1 Allow any at TCP 1, TCP 2-3, TCP http, SCTP *; egress -" },

	/* exceptions */
	{ "an exception with its reason", S "  ingress: [{" EXPIRES ", reason: a b}]\n",
	  ALL "ingress #1 Allow any until 9 reason=a b; egress -" },
	{ "with everything",
	  S "  ingress: [{reason: r, ticket: T-1, approver: jo@example.org, " EXPIRES "}]\n",
	  ALL
	  "ingress #1 Allow any until 9 reason=r ticket=T-1 approver=jo@example.org; egress -" },
};

#define NO_EXPIRES "is for rules with expires: add it, or write a comment instead"
#define OUTSIDE                                                                \
	"is about workloads outside the policy's namespace \"shop\": write a " \
	"ClusterIdentityPolicy for them"

static const struct refused_case refused[] = {
	/* subjects */
	{ IP "  subject: {serviceAccounts: [{namespace: ops, name: a}]}\n",
	  "5: spec.subject: " OUTSIDE },
	{ IP "  subject: {namespaceSelector: {}}\n", "5: spec.subject: " OUTSIDE },
	{ IP "  subject: {selector: {}, namespaceSelector: {}}\n", "5: spec.subject: " OUTSIDE },
	{ IP "  subject: {spiffeIDs: [\"spiffe://example.org/ns/*/sa/a\"]}\n",
	  "5: spec.subject: " OUTSIDE },
	{ IP "  subject: {spiffeIDs: [\"spiffe://example.org/ns/shop2/sa/a\"]}\n",
	  "5: spec.subject: " OUTSIDE },
	{ IP "  subject: {spiffeIDs: [\"spiffe://example.org/ns/sho/sa/a\"]}\n",
	  "5: spec.subject: " OUTSIDE },
	{ IP "  subject:\n  - {}\n  - serviceAccounts: [{namespace: ops, name: a}]\n",
	  "7: spec.subject[1]: " OUTSIDE },
	{ IP "  subject: {selector: {}, serviceAccounts: [{name: a}]}\n",
	  "5: spec.subject: expected one of serviceAccounts, spiffeIDs or selector with namespaceSelector, got 2: make the subject a list of them" },
	{ IP "  subject: []\n",
	  "5: spec.subject: is empty: expected subjects, or leave the field out" },
	{ IP "  subject: all\n", "5: spec.subject: expected a mapping, got text" },
	{ IP "  subject: {entities: [Host]}\n",
	  "5: spec.subject.entities: unknown field, expected selector, namespaceSelector, serviceAccounts or spiffeIDs" },
	{ IP "  subject: {serviceAccounts: []}\n",
	  "5: spec.subject.serviceAccounts: is empty: expected service accounts, or leave the field out" },
	{ CIP "  subject: {serviceAccounts: [{name: a}]}\n",
	  "5: spec.subject.serviceAccounts[0]: has no namespace: a cluster-wide policy has none to take" },
	{ C "  ingress: [{from: [{serviceAccounts: [{name: a}]}]}]\n",
	  "6: spec.ingress[0].from[0].serviceAccounts[0]: has no namespace: a cluster-wide policy has none to take" },
	{ "apiVersion: countersign.dev/v1alpha1\nkind: ClusterIdentityPolicy\nmetadata: {name: p, namespace: a}\nspec: {subject: {}}\n",
	  "3: metadata.namespace: a ClusterIdentityPolicy has none: leave it out" },

	/* tier, priority, mode, rollout */
	{ S "  tier: admin\n", "6: spec.tier: expected Admin, Default or Baseline, got \"admin\"" },
	{ S "  priority: 1001\n",
	  "6: spec.priority: expected a whole number from 0 to 1000, got \"1001\"" },
	{ S "  priority: -1\n",
	  "6: spec.priority: expected a whole number from 0 to 1000, got \"-1\"" },
	{ S "  priority: 1.5\n",
	  "6: spec.priority: expected a whole number from 0 to 1000, got \"1.5\"" },
	{ S "  priority: \"1\"\n",
	  "6: spec.priority: expected a whole number from 0 to 1000 without quotes, got \"1\"" },
	{ S "  priority: 99999999999999999999999\n",
	  "6: spec.priority: expected a whole number from 0 to 1000, got \"99999999999999999999999\"" },
	{ S "  rollout: 25\n", "6: spec.rollout: expected a mapping, got text" },
	{ S "  rollout: {}\n", "6: spec.rollout.percent: is missing" },
	{ S "  rollout: {percent: 101}\n",
	  "6: spec.rollout.percent: expected a whole number from 0 to 100, got \"101\"" },
	{ S "  rollout: {percent: 25%}\n",
	  "6: spec.rollout.percent: expected a whole number from 0 to 100, got \"25%\"" },
	{ S "  rollout: {share: 25}\n", "6: spec.rollout.share: unknown field, expected percent" },
	{ S "  ingress:\n",
	  "6: spec.ingress: expected a list, got nothing: give it a value or leave the field out" },

	/* rules */
	{ S "  ingress:\n  - {}\n  - action: Pass\n",
	  "8: spec.ingress[1]: Pass is for policies of tier Admin or Baseline: expected Allow or Deny" },
	{ C "  tier: Default\n  egress: [{action: Pass}]\n",
	  "7: spec.egress[0]: Pass is for policies of tier Admin or Baseline: expected Allow or Deny" },
	{ S "  tier: Admin\n  ingress: [{action: Pass, authentication: Required}]\n",
	  "7: spec.ingress[0]: authentication: Required is for Allow: a Deny that spares unverified peers would be open to anybody" },
	{ S "  ingress: [{mode: Off}]\n",
	  "6: spec.ingress[0].mode: expected Enforce or Audit, got \"Off\"" },
	{ S "  ingress: [{name: a}, {name: a}]\n",
	  "6: spec.ingress: the rule name \"a\" is given twice, first on line 6" },

	/* exceptions */
	{ S "  ingress: [{" EXPIRES "}]\n",
	  "6: spec.ingress[0].reason: is missing: a rule that expires says why it is there" },
	{ S "  ingress: [{" EXPIRES ", ticket: T}]\n",
	  "6: spec.ingress[0].reason: is missing: a rule that expires says why it is there" },
	{ S "  ingress: [{" EXPIRES ", reason: \"\"}]\n",
	  "6: spec.ingress[0].reason: \"\" is empty: write at least a word" },
	{ S "  ingress: [{" EXPIRES ", reason: }]\n",
	  "6: spec.ingress[0].reason: expected text, got nothing: give it a value or leave the field out" },
	{ S "  ingress: [{" EXPIRES ", reason: \"a\\nb\"}]\n",
	  "6: spec.ingress[0].reason: \"a?b\" has control characters: write one line of text" },
	{ S "  ingress: [{" EXPIRES ", reason: [a]}]\n",
	  "6: spec.ingress[0].reason: expected text, got a list" },
	{ S "  ingress: [{" EXPIRES ", reason: 4711}]\n",
	  "6: spec.ingress[0].reason: expected text, but 4711 without quotes is a number or truth value: write \"4711\"" },
	{ S "  ingress: [{reason: a}]\n", "6: spec.ingress[0].reason: " NO_EXPIRES },
	{ S "  ingress: [{ticket: a}]\n", "6: spec.ingress[0].ticket: " NO_EXPIRES },
	{ S "  ingress: [{approver: a}]\n", "6: spec.ingress[0].approver: " NO_EXPIRES },
	{ S "  ingress: [{expires: 2026-13-01T00:00:00Z, reason: a}]\n",
	  "6: spec.ingress[0].expires: \"2026-13-01T00:00:00Z\" is no RFC 3339 time: expected such as 2026-12-31T00:00:00Z" },
	{ S "  ingress: [{expires: 1767225600, reason: a}]\n",
	  "6: spec.ingress[0].expires: expected a time such as 2026-12-31T00:00:00Z, but 1767225600 without quotes is a number or truth value: write \"1767225600\"" },
};
/* clang-format on */

Test(policy_identity, meaning)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		model_case_holds(&cases[i]);
}

Test(policy_identity, refused)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		refused_case_holds(&refused[i]);
}

/* 256 bytes are the limit, and they are bytes. */
Test(policy_identity, a_reason_has_an_end)
{
	char text[1024], reason[258];

	for (size_t n = 256; n <= 257; n++) {
		_compiled_ c;

		memset(reason, 'x', n);
		reason[n] = 0;
		snprintf(text, sizeof(text), S "  ingress: [{" EXPIRES ", reason: %s}]\n", reason);
		compiled_init(&c);
		compiled_parse(&c, "test.yaml", text);
		cr_expect_eq(c.r, n == 256 ? 0 : -EBADMSG, "%zu bytes", n);
	}
}

Test(policy_identity, a_cluster_wide_twin_is_refused)
{
	static const struct refused_case twins = {
		C "---\n" C,
		"7: metadata.name: this ClusterIdentityPolicy is given twice, first at test.yaml:1: "
		"remove or rename one",
	};

	refused_case_holds(&twins);
}
