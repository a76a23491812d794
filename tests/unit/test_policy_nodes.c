/* SPDX-License-Identifier: Apache-2.0 */
/* Who is on this node, who speaks for whom, and workloads of other trust domains. */
#include "test_policy.h"
#include "user/identity/salt.h"
#include "user/policy/compile.h"

#define WORKLOAD "---\napiVersion: countersign.dev/v1alpha1\nkind: Workload\n"
#define POLICY "---\napiVersion: countersign.dev/v1alpha1\nkind: IdentityPolicy\n"

/* One directory for all hosts. */
static const char shared[] = WORKLOAD
	"metadata: {name: a, namespace: shop, labels: {app: a}}\n"
	"spec: {node: host-a, cgroup: app.slice, addresses: [10.0.0.1]}\n" WORKLOAD
	"metadata: {name: b, namespace: shop, labels: {app: b}}\n"
	"spec: {node: host-b, cgroup: app.slice, addresses: [10.0.0.2]}\n" WORKLOAD
	"metadata: {name: c, namespace: shop, labels: {app: b}}\n"
	"spec: {node: host-b, systemdUnit: c.service, addresses: [10.0.0.3]}\n" WORKLOAD
	"metadata: {name: d, namespace: shop, labels: {app: d}}\n"
	"spec: {cgroup: d.slice, addresses: [10.0.0.4]}\n" WORKLOAD
	"metadata: {name: e, namespace: shop, labels: {app: e}}\n"
	"spec: {addresses: [10.0.0.5]}\n";

static void compile_on(struct compiled *c, const char *node, const char *text)
{
	compiled_init(c);
	c->options.node_name = node;
	compiled_must(c, text);
}

/* How many workloads of the identity run on the node, -1: it may not speak for any. */
static int count_on(const struct image *image, const char *name, const char *domain,
		    const char *node)
{
	for (size_t i = 0; i < image->n_placements; i++)
		if (image->placements[i].identity == image_identity(image, name)->identity &&
		    streq(image->placements[i].trust_domain, domain) &&
		    streq(image->placements[i].node, node))
			return (int)image->placements[i].workloads;
	return -1;
}

static void expect_refused(const char *node, const char *text, const char *message)
{
	_compiled_ c;

	compiled_init(&c);
	c.options.node_name = node;
	compiled_parse(&c, "test.yaml", text);
	if (c.r == 0)
		compiled_compile(&c);
	cr_assert_eq(c.r, -EBADMSG, "%s", text);
	cr_assert_eq(c.errors.n, 1);
	cr_expect(strstr(c.errors.item[0].message, message), "%s", c.errors.item[0].message);
}

Test(policy_nodes, a_workload_runs_on_the_node_it_names)
{
	_compiled_ c;

	compile_on(&c, "host-b", shared);
	cr_expect_eq(c.image->n_workloads, 3);
	cr_expect_null(image_workload(c.image, "shop/a"), "it is host-a's, its cgroup too");
	cr_expect_str_eq(image_workload(c.image, "shop/b")->cgroup, "app.slice");
	cr_expect_str_eq(image_workload(c.image, "shop/c")->systemd_unit, "c.service");
	cr_expect_not_null(image_workload(c.image, "shop/d"), "no node: its cgroup says so");
	cr_expect_eq(image_endpoint(c.image, "10.0.0.1")->workload_index, 0);
	cr_expect_neq(image_endpoint(c.image, "10.0.0.2")->workload_index, 0);
}

Test(policy_nodes, without_a_name_the_node_says_nothing)
{
	_compiled_ c;

	compile_on(&c, NULL,
		   WORKLOAD "metadata: {name: a}\nspec: {node: x, cgroup: a}\n" WORKLOAD
			    "metadata: {name: b}\nspec: {node: x}\n");
	cr_expect_eq(c.image->n_workloads, 1);
	cr_expect_not_null(image_workload(c.image, "default/a"));
	cr_expect_eq(c.image->n_placements, 0);
}

Test(policy_nodes, a_node_is_enough_to_be_local)
{
	_compiled_ c;

	compile_on(&c, "x", WORKLOAD "metadata: {name: a}\nspec: {node: x}\n");
	cr_assert_eq(c.image->n_workloads, 1);
	cr_expect_null(c.image->workloads[0].cgroup);
}

Test(policy_nodes, placements_are_pairs_of_node_and_identity)
{
	_compiled_ c;

	compile_on(&c, "host-b", shared);
	cr_expect_eq(c.image->n_placements, 3);
	cr_expect_eq(count_on(c.image, "shop/a", "example.org", "host-a"), 1);
	cr_expect_eq(count_on(c.image, "shop/b", "example.org", "host-b"), 2, "b and c");
	cr_expect_eq(count_on(c.image, "shop/d", "example.org", "host-b"), 1, "this node's");
	cr_expect_eq(count_on(c.image, "shop/d", "example.org", "host-a"), -1);
	cr_expect_eq(count_on(c.image, "shop/e", "example.org", "host-b"), -1, "nobody's");
}

Test(policy_nodes, one_name_is_one_workload_wherever_it_runs)
{
	expect_refused("x",
		       WORKLOAD "metadata: {name: a}\nspec: {node: x}\n" WORKLOAD
				"metadata: {name: a}\nspec: {node: y}\n",
		       "is given twice");
}

/* The parser cannot see these: who is on this node is the compiler's to say. */
Test(policy_nodes, one_cgroup_of_this_node_is_one_workload)
{
	static const char twice[] = WORKLOAD
		"metadata: {name: a}\nspec: {node: x, cgroup: c}\n" WORKLOAD
		"metadata: {name: b}\nspec: {cgroup: c}\n";
	_compiled_ c;

	expect_refused("x", twice, "have the same cgroup");
	expect_refused(NULL, twice, "have the same cgroup");
	expect_refused("x",
		       WORKLOAD
		       "metadata: {name: a}\nspec: {node: x, systemdUnit: c.service}\n" WORKLOAD
		       "metadata: {name: b}\nspec: {systemdUnit: c.service}\n",
		       "have the same unit");
	expect_refused("x",
		       WORKLOAD "metadata: {name: a}\nspec: {node: x, podUID: u}\n" WORKLOAD
				"metadata: {name: b}\nspec: {podUID: u}\n",
		       "have the same pod");
	expect_refused(NULL, shared, "have the same cgroup");
	compiled_init(&c);
	c.options.every_subject = true; /* tools look at all nodes at once */
	compiled_must(&c, shared);
	cr_expect_eq(c.image->n_workloads, 5);
}

Test(policy_nodes, this_nodes_name_is_checked)
{
	expect_refused("Host", WORKLOAD "metadata: {name: a}\n", "is no node's name");
}

/* So many pairs take minutes to write down: the table is said to be full instead. */
Test(policy_nodes, more_pairs_than_the_kernel_takes)
{
	const struct policy_options options = { .trust_domain = "example.org", .node_name = "x" };
	const struct workload workload = { .namespace = "shop", .name = "a", .node = "y" };
	struct policy_errors errors = { 0 };
	struct image_identity identity = { .identity = CS_IDENTITY_FIRST };
	struct image image = { .identities = &identity, .n_placements = CS_SCOPE_MAX };
	struct compile c = {
		.options = &options,
		.errors = &errors,
		.image = &image,
		.placements_room = CS_SCOPE_MAX,
	};
	uint32_t placement;

	cr_assert_eq(compile_placement(&c, &workload, 0, NULL, &placement), -ENOSPC);
	cr_expect_eq(placement, 0);
	cr_expect(strstr(errors.item[0].message, "CS_SCOPE_MAX"), "%s", errors.item[0].message);
	cr_expect_eq(image.n_placements, CS_SCOPE_MAX);
	policy_errors_done(&errors);
}

/* ---- trust domains ---- */

#define HERE \
	"metadata: {name: here, namespace: shop, labels: {app: web}}\nspec: {serviceAccount: web, cgroup: h"
#define THERE                                                            \
	"metadata: {name: there, namespace: shop, labels: {app: web}}\n" \
	"spec: {serviceAccount: web, trustDomain: other.org, node: far, addresses: [10.0.0.9]"

static void compile_peer(struct compiled *c, const char *peer)
{
	char text[4096];

	snprintf(text, sizeof(text),
		 WORKLOAD HERE "}\n" WORKLOAD THERE "}\n" WORKLOAD
			       "metadata: {name: s, namespace: shop}\nspec: {cgroup: s}\n" POLICY
			       "metadata: {name: p, namespace: shop}\n"
			       "spec: {subject: {serviceAccounts: [{name: default}]}, ingress: "
			       "[{from: [%s]}]}\n",
		 peer);
	compile_on(c, "near", text);
}

Test(policy_nodes, a_foreign_workload_has_an_identity_of_its_own)
{
	const struct image_identity *here, *there;
	_compiled_ c;

	compile_peer(&c, "{entities: [World]}");
	here = image_identity(c.image, "shop/here");
	there = image_identity(c.image, "shop/there");
	cr_expect_neq(here->identity, there->identity, "all else is equal");
	cr_expect_str_eq(c.image->names[here->name_index], "spiffe://example.org/ns/shop/sa/web");
	cr_expect_str_eq(c.image->names[there->name_index], "spiffe://other.org/ns/shop/sa/web");
	cr_expect_eq(count_on(c.image, "shop/there", "other.org", "far"), 1);
	cr_expect_eq(count_on(c.image, "shop/here", "example.org", "near"), 1);
}

struct foreign_case {
	const char *peer;
	bool here;
	bool there;
};

static const struct foreign_case foreign_cases[] = {
	{ "{spiffeIDs: [\"spiffe://other.org/ns/shop/sa/web\"]}", false, true },
	{ "{spiffeIDs: [\"spiffe://example.org/ns/shop/sa/web\"]}", true, false },
	{ "{spiffeIDs: [\"spiffe://*/ns/shop/sa/web\"]}", true, true },
	{ "{spiffeIDs: [\"spiffe://other.*/ns/*/sa/w*\"]}", false, true },
	{ "{spiffeIDs: [\"spiffe://*.example.org/ns/*/sa/*\"]}", false, false },
	{ "{serviceAccounts: [{name: web}]}", true, false },
	{ "{selector: {matchLabels: {app: web}}}", true, false },
	{ "{namespaceSelector: {}}", true, false },
	{ "{cidrs: [{cidr: 10.0.0.9/32}]}", false, true },
};

Test(policy_nodes, selectors_and_accounts_mean_the_own_trust_domain)
{
	for (size_t i = 0; i < ARRAY_SIZE(foreign_cases); i++) {
		const struct foreign_case *test = &foreign_cases[i];
		const char *const names[] = { "shop/here", "shop/there" };
		const bool wanted[] = { test->here, test->there };
		_compiled_ c;

		compile_peer(&c, test->peer);
		for (size_t k = 0; k < ARRAY_SIZE(names); k++) {
			struct policy_judgement result;

			cr_assert_eq(policy_judge(c.image,
						  &(struct policy_flow){ .from = names[k],
									 .to = "shop/s",
									 .port = 80,
									 .protocol = IPPROTO_TCP },
						  &result),
				     0);
			cr_expect_eq(result.result.verdict == CS_VERDICT_ALLOW, wanted[k], "%s: %s",
				     test->peer, names[k]);
		}
	}
}

Test(policy_nodes, a_foreign_workload_is_never_judged_here)
{
	_compiled_ c;

	compiled_init(&c);
	c.options.every_subject = true;
	compiled_must(&c, WORKLOAD HERE "}\n" WORKLOAD THERE "}\n");
	cr_expect_eq(c.image->n_workloads, 1);
	expect_refused("near",
		       WORKLOAD THERE ", cgroup: t}\n" WORKLOAD HERE ", trustDomain: other.org}\n",
		       "runs on this node");
}

/* A node of another trust domain that has this one's name is another node. */
Test(policy_nodes, a_node_is_one_of_its_trust_domain)
{
	_compiled_ c;

	compile_on(&c, "far", WORKLOAD THERE ", cgroup: t}\n");
	cr_expect_eq(c.image->n_workloads, 0);
	cr_expect_eq(count_on(c.image, "shop/there", "other.org", "far"), 1);
}

/* The number that each domain's own agents compute, when salts follow from domains' names. */
Test(policy_nodes, a_foreign_workload_has_the_number_of_its_own_domain)
{
	static const char there[] = "apiVersion: countersign.dev/v1alpha1\n"
				    "kind: Workload\n"
				    "metadata: {name: w, namespace: n}\n"
				    "spec: {node: far}\n";
	static const char here[] = "apiVersion: countersign.dev/v1alpha1\n"
				   "kind: Workload\n"
				   "metadata: {name: w, namespace: n}\n"
				   "spec: {node: far, trustDomain: other.org}\n";
	const char *const texts[] = { there, here };
	uint64_t number[3] = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(number); i++) {
		struct policy_options options = {
			.trust_domain = i ? "example.org" : "other.org",
			.node_name = "near",
			.default_verdict = CS_VERDICT_ALLOW,
			.salt_by_domain = i < 2,
		};
		struct policy_errors errors = { 0 };
		struct policy_set *set = NULL;
		struct rule_ids *ids = NULL;
		struct image *image = NULL;

		identity_salt(options.trust_domain, strlen(options.trust_domain), options.salt);
		cr_assert_eq(rule_ids_new(&ids), 0);
		cr_assert_eq(policy_set_new(&set), 0);
		cr_assert_eq(policy_set_parse(set, "w.yaml", texts[i > 0], strlen(texts[i > 0]),
					      &errors),
			     0);
		cr_assert_eq(policy_compile(set, &options, ids, &image, &errors), 0);
		number[i] = image->identities[image->n_identities - 1].identity;
		image_free(image);
		policy_set_free(set);
		rule_ids_free(ids);
		policy_errors_done(&errors);
	}
	cr_expect_eq(number[0], number[1]);
	cr_expect_neq(number[0], number[2], "a salt file is one salt for all");
}
