/* SPDX-License-Identifier: Apache-2.0 */
/* Whom a policy selects: unions of selectors, accounts and SPIFFE IDs, near and far. */
#include "test_policy.h"

#define WORKLOAD "---\napiVersion: countersign.dev/v1alpha1\nkind: Workload\n"
#define POLICY "---\napiVersion: countersign.dev/v1alpha1\nkind: IdentityPolicy\n"
#define CLUSTER "---\napiVersion: countersign.dev/v1alpha1\nkind: ClusterIdentityPolicy\n"
#define CNP "---\napiVersion: policy.networking.k8s.io/v1alpha2\nkind: ClusterNetworkPolicy\n"

/* clang-format off: manifests, and one case a line */
static const char world[] = WORKLOAD
	"metadata: {name: a, namespace: x, labels: {app: a, pod-template-hash: h}}\nspec: {serviceAccount: one, cgroup: xa}\n" WORKLOAD
	"metadata: {name: b, namespace: x, labels: {app: b}}\nspec: {serviceAccount: two, cgroup: xb}\n" WORKLOAD
	"metadata: {name: a, namespace: y, labels: {app: a}}\nspec: {serviceAccount: one, cgroup: ya}\n" WORKLOAD
	"metadata: {name: h, namespace: y, labels: {app: h}}\nspec: {serviceAccount: host, cgroup: yh, hostNetwork: true}\n"
	"---\napiVersion: v1\nkind: Namespace\nmetadata: {name: y, labels: {team: y}}\n";

#define HERE(subject) \
	POLICY "metadata: {name: p, namespace: x}\nspec: {subject: " subject ", ingress: []}\n"
#define ANYWHERE(subject) CLUSTER "metadata: {name: p}\nspec: {subject: " subject ", ingress: []}\n"

struct subject_case {
	const char *policy;
	const char *selected; /* of "x/a x/b y/a y/h", in that order */
};

static const struct subject_case cases[] = {
	{ HERE("{}"), "x/a x/b " },
	{ HERE("{selector: {matchLabels: {app: a}}}"), "x/a " },
	{ HERE("{selector: {matchLabels: {pod-template-hash: h}}}"), "x/a " },
	{ HERE("{serviceAccounts: [{name: two}]}"), "x/b " },
	{ HERE("{spiffeIDs: [\"spiffe://example.org/ns/x/sa/o*\"]}"), "x/a " },
	{ HERE("[{serviceAccounts: [{name: two}]}, {selector: {matchLabels: {app: a}}}]"),
	  "x/a x/b " },
	{ HERE("{selector: {matchLabels: {app: nobody}}}"), "" },
	{ ANYWHERE("{}"), "x/a x/b y/a y/h " },
	{ ANYWHERE("{selector: {matchLabels: {app: a}}}"), "x/a y/a " },
	{ ANYWHERE(
		  "{selector: {matchLabels: {app: a}}, namespaceSelector: {matchLabels: {team: y}}}"),
	  "y/a " },
	{ ANYWHERE("{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: x}}}"),
	  "x/a x/b " },
	{ ANYWHERE("{serviceAccounts: [{namespace: y, name: one}]}"), "y/a " },
	{ ANYWHERE("{spiffeIDs: [\"spiffe://example.org/ns/*/sa/one\"]}"), "x/a y/a " },
	{ ANYWHERE("{spiffeIDs: [\"spiffe://other.org/ns/*/sa/one\"]}"), "" },
	{ ANYWHERE(
		  "[{serviceAccounts: [{namespace: y, name: host}]}, {selector: {matchLabels: {app: b}}}]"),
	  "x/b y/h " },
	{ CNP
	  "metadata: {name: p}\nspec: {tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{pods: {podSelector: {}, namespaceSelector: {}}}]}]}\n",
	  "x/a x/b y/a " },
	{ CNP
	  "metadata: {name: p}\nspec: {tier: Admin, priority: 1, subject: {pods: {namespaceSelector: {matchLabels: {team: y}}, podSelector: {}}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}\n",
	  "y/a " },
};
/* clang-format on */

Test(policy_subjects, selected)
{
	static const char *const names[] = { "x/a", "x/b", "y/a", "y/h" };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char selected[64] = "";
		_compiled_ c;

		compiled_init(&c);
		compiled_parse(&c, "world.yaml", world);
		compiled_must(&c, cases[i].policy);
		for (size_t n = 0; n < ARRAY_SIZE(names); n++) {
			const struct judged flow = { .subject = names[n],
						     .direction = CS_INGRESS,
						     .peer = "x/b",
						     .protocol = IPPROTO_TCP,
						     .port = 1 };

			if (judge(c.image, &flow).verdict != CS_VERDICT_DENY)
				continue;
			strcat(selected, names[n]);
			strcat(selected, " ");
		}
		cr_expect_str_eq(selected, cases[i].selected, "case %zu: %s", i, selected);
	}
}

/* One policy may name a workload twice over; its rules count once. */
Test(policy_subjects, a_union_is_no_sum)
{
	const struct image_workload *a;
	_compiled_ c;

	compiled_init(&c);
	compiled_parse(&c, "world.yaml", world);
	compiled_must(&c, POLICY
		      "metadata: {name: p, namespace: x}\nspec: {subject: [{}, {selector: {}}, "
		      "{serviceAccounts: [{name: one}]}], ingress: [{ports: [{port: 1}]}]}\n");
	a = image_workload(c.image, "x/a");
	cr_expect_eq(c.image->rulesets[a->ruleset[CS_INGRESS]].count, 1);
	cr_expect_eq(a->n_isolated_by[CS_INGRESS], 1);
}

/* A hostNetwork workload has an identity of its own and no address. */
Test(policy_subjects, host_network)
{
	_compiled_ c;

	compiled_init(&c);
	compiled_must(&c, WORKLOAD
		      "metadata: {name: a}\nspec: {addresses: [10.0.0.1], cgroup: a}\n" WORKLOAD
		      "metadata: {name: b}\nspec: {hostNetwork: true, cgroup: b}\n");
	cr_expect_neq(image_workload(c.image, "default/a")->identity,
		      image_workload(c.image, "default/b")->identity);
	cr_expect(image_workload(c.image, "default/b")->host_network);
	cr_expect_not(image_workload(c.image, "default/a")->host_network);
	cr_expect_eq(c.image->n_endpoints, 1);
}
