/* SPDX-License-Identifier: Apache-2.0 */
/* What is in an image beside the rules: identities, endpoints, classes, sharing. */
#include "test_policy.h"

#define WORKLOAD "---\napiVersion: countersign.dev/v1alpha1\nkind: Workload\n"
#define POLICY "---\napiVersion: countersign.dev/v1alpha1\nkind: IdentityPolicy\n"

Test(policy_image, empty)
{
	_compiled_ c;
	static const char *const entities[] = { "Host", "RemoteNode", "World", "KubeAPIServer",
						"Unmanaged" };

	compiled_init(&c);
	compiled_must(&c, "");
	cr_assert_eq(c.image->n_identities, ARRAY_SIZE(entities));
	for (size_t i = 0; i < ARRAY_SIZE(entities); i++) {
		cr_expect_str_eq(c.image->identities[i].workload, entities[i]);
		cr_expect_lt(c.image->identities[i].identity, CS_IDENTITY_FIRST);
		cr_expect_str_eq(c.image->identities[i].namespace, "");
		cr_expect_eq(c.image->identities[i].name_index, 0);
	}
	cr_expect_eq(c.image->n_workloads, 0);
	cr_expect_eq(c.image->n_bitmaps, 1);
	cr_expect_eq(c.image->n_names, 1);
	cr_expect_str_eq(c.image->names[0], "");
	cr_expect_eq(c.image->n_rulesets, 1, "both directions of unmanaged sockets share one");
}

Test(policy_image, a_workload)
{
	const struct image_workload *w;
	const struct image_identity *identity;
	_compiled_ c;

	compiled_init(&c);
	compiled_must(&c, WORKLOAD "metadata: {name: w, namespace: shop, labels: {b: y, a: x}}\n"
				   "spec: {serviceAccount: sa, cgroup: shop/w}\n");
	w = image_workload(c.image, "shop/w");
	identity = image_identity(c.image, "shop/w");
	cr_assert(w && identity);
	cr_expect_str_eq(w->cgroup, "shop/w");
	cr_expect_null(w->systemd_unit);
	cr_expect_eq(w->identity, identity->identity);
	cr_expect_str_eq(c.image->names[w->name_index], "spiffe://example.org/ns/shop/sa/sa");
	cr_expect_eq(identity->name_index, w->name_index);
	cr_expect_str_eq(identity->service_account, "sa");
	cr_expect_str_eq(identity->labels, "a=x,b=y");
}

Test(policy_image, defaults_of_a_workload)
{
	const struct image_workload *w;
	_compiled_ c;

	compiled_init(&c);
	compiled_must(&c, WORKLOAD "metadata: {name: w}\nspec: {systemdUnit: w.service}\n");
	w = image_workload(c.image, "default/w");
	cr_assert_not_null(w);
	cr_expect_str_eq(w->systemd_unit, "w.service");
	cr_expect_null(w->cgroup);
	cr_expect_str_eq(c.image->names[w->name_index],
			 "spiffe://example.org/ns/default/sa/default");
}

Test(policy_image, a_pod_is_local)
{
	const struct image_workload *w;
	_compiled_ c;

	compiled_init(&c);
	compiled_must(&c, WORKLOAD "metadata: {name: w}\nspec: {podUID: u-1}\n" WORKLOAD
				   "metadata: {name: v}\nspec: {cgroup: u-1}\n");
	w = image_workload(c.image, "default/w");
	cr_assert_not_null(w);
	cr_expect_str_eq(w->pod_uid, "u-1");
	cr_expect_null(w->cgroup);
}

/* To any pod of the cluster, also one that is not known yet. */
Test(policy_image, pods_prefixes_of_nodes_take_tags)
{
	_compiled_ c;

	compiled_init(&c);
	compiled_must(
		&c, "apiVersion: v1\nkind: Node\nmetadata: {name: n}\n"
		    "spec: {podCIDR: 10.244.1.0/24, podCIDRs: [10.244.1.0/24, \"fd00:1::/64\"]}\n");
	cr_assert_not_null(image_class(c.image, "10.244.1.0/24"));
	cr_expect_eq(image_class(c.image, "10.244.1.0/24")->flags, CS_CLASS_TAG);
	cr_assert_not_null(image_class(c.image, "fd00:1::/64"));
	cr_expect_eq(image_class(c.image, "fd00:1::/64")->flags, CS_CLASS_TAG);
}

/* Known by its address or its tags only: a peer, no subject. */
Test(policy_image, a_workload_elsewhere)
{
	_compiled_ c;

	compiled_init(&c);
	compiled_must(&c, WORKLOAD "metadata: {name: w}\nspec: {addresses: [10.0.0.1]}\n" WORKLOAD
				   "metadata: {name: v}\n");
	cr_expect_eq(c.image->n_workloads, 0);
	cr_expect_not_null(image_identity(c.image, "default/v"), "the first by name");
	cr_expect_eq(image_endpoint(c.image, "10.0.0.1")->workload_index, 0);
	cr_expect_eq(c.image->n_identities, 6, "w and v are one identity");
}

Test(policy_image, replicas_share_identity_and_rules)
{
	const struct image_workload *a, *b, *other;
	_compiled_ c;

	compiled_init(&c);
	compiled_must(&c, WORKLOAD
		      "metadata: {name: a, labels: {app: x}}\nspec: {cgroup: a}\n" WORKLOAD
		      "metadata: {name: b, labels: {app: x}}\nspec: {cgroup: b}\n" WORKLOAD
		      "metadata: {name: o, labels: {app: y}}\nspec: {cgroup: o}\n" POLICY
		      "metadata: {name: p}\n"
		      "spec: {subject: {selector: {matchLabels: {app: x}}}, ingress: []}\n");
	a = image_workload(c.image, "default/a");
	b = image_workload(c.image, "default/b");
	other = image_workload(c.image, "default/o");
	cr_expect_eq(a->identity, b->identity);
	cr_expect_neq(a->identity, other->identity);
	cr_expect_eq(a->ruleset[CS_INGRESS], b->ruleset[CS_INGRESS]);
	cr_expect_neq(a->ruleset[CS_INGRESS], other->ruleset[CS_INGRESS]);
	cr_expect_eq(a->ruleset[CS_EGRESS], other->ruleset[CS_EGRESS]);
	cr_expect_eq(c.image->n_rulesets, 2);
	cr_expect_eq(other->ruleset[CS_INGRESS], c.image->unmanaged_ruleset[CS_INGRESS]);
}

/* pod-template-hash is noise until a policy selects on it. */
Test(policy_image, noise_labels)
{
	static const char workloads[] = WORKLOAD
		"metadata: {name: a, labels: {app: x, pod-template-hash: h1}}\n" WORKLOAD
		"metadata: {name: b, labels: {app: x, pod-template-hash: h2}}\n";
	_compiled_ quiet, subject, peer, elsewhere;

	compiled_init(&quiet);
	compiled_must(&quiet, workloads);
	cr_expect_eq(quiet.image->n_identities, 6);
	cr_expect_str_eq(quiet.image->identities[5].labels, "app=x");

	compiled_init(&subject);
	compiled_parse(&subject, "w.yaml", workloads);
	compiled_must(&subject,
		      POLICY "metadata: {name: p}\nspec: {subject: {selector: {matchLabels: "
			     "{pod-template-hash: h1}}}}\n");
	cr_expect_eq(subject.image->n_identities, 7);
	cr_expect_str_eq(subject.image->identities[5].labels, "app=x,pod-template-hash=h1");

	compiled_init(&peer);
	compiled_parse(&peer, "w.yaml", workloads);
	compiled_must(&peer, POLICY
		      "metadata: {name: p}\nspec: {subject: {}, egress: [{to: [{selector: "
		      "{matchExpressions: [{key: pod-template-hash, operator: Exists}]}}]}]}\n");
	cr_expect_eq(peer.image->n_identities, 7);

	compiled_init(&elsewhere);
	compiled_parse(&elsewhere, "w.yaml", workloads);
	compiled_must(&elsewhere,
		      POLICY "metadata: {name: p}\nspec: {subject: {selector: {matchLabels: "
			     "{job-name: h1}}}}\n");
	cr_expect_eq(elsewhere.image->n_identities, 6);
}

Test(policy_image, shared_addresses)
{
	const struct image_endpoint *same, *different, *local;
	_compiled_ c;

	compiled_init(&c);
	compiled_must(
		&c, WORKLOAD
		"metadata: {name: a, labels: {app: x}}\nspec: {addresses: [10.0.0.1, 10.0.0.2]}\n" WORKLOAD
		"metadata: {name: b, labels: {app: x}}\nspec: {cgroup: b, addresses: [10.0.0.1]}\n" WORKLOAD
		"metadata: {name: c, labels: {app: y}}\nspec: {cgroup: c, addresses: [10.0.0.2, 10.0.0.3]}\n");
	cr_assert_eq(c.image->n_endpoints, 3);
	same = image_endpoint(c.image, "10.0.0.1");
	different = image_endpoint(c.image, "10.0.0.2");
	local = image_endpoint(c.image, "10.0.0.3");
	cr_expect_eq(same->flags, 0);
	cr_expect_eq(same->workload_index, 1, "b is on this node");
	cr_expect_eq(different->flags, CS_ENDPOINT_SHARED);
	cr_expect_eq(local->flags, 0);
	cr_expect_eq(local->workload_index, 2);
	cr_expect_eq(local->identity, image_workload(c.image, "default/c")->identity);
}

Test(policy_image, classes)
{
	static const char *const networks[] = { "10.0.0.0/8", "fd00::/8", NULL };
	const struct image_class *tagged, *inner, *outer;
	_compiled_ c;

	compiled_init(&c);
	c.options.tag_networks = networks;
	compiled_must(&c, WORKLOAD
		      "metadata: {name: w}\nspec: {cgroup: w, addresses: [10.1.2.3, "
		      "192.0.2.1, \"fd77::2\", 203.0.113.1]}\n" POLICY
		      "metadata: {name: p}\nspec: {subject: {}, ingress: [{from: [{cidrs: ["
		      "{cidr: 10.1.0.0/16}, {cidr: 192.0.2.0/24}]}]}]}\n");
	tagged = image_class(c.image, "10.0.0.0/8");
	inner = image_class(c.image, "10.1.0.0/16");
	outer = image_class(c.image, "192.0.2.0/24");
	cr_assert(tagged && inner && outer && image_class(c.image, "fd00::/8"));
	cr_expect_eq(tagged->flags, CS_CLASS_TAG);
	cr_expect_eq(inner->flags, CS_CLASS_TAG, "inside a tag network");
	cr_expect_eq(outer->flags, 0);
	cr_expect_eq(tagged->row, 0);
	cr_expect_neq(inner->row, 0);
	cr_expect_eq(inner->row, outer->row);
	cr_expect_eq(&c.image->classes[image_endpoint(c.image, "10.1.2.3")->class_index - 1],
		     inner);
	cr_expect_eq(&c.image->classes[image_endpoint(c.image, "192.0.2.1")->class_index - 1],
		     outer);
	cr_expect_eq(&c.image->classes[image_endpoint(c.image, "fd77::2")->class_index - 1],
		     image_class(c.image, "fd00::/8"));
	cr_expect_eq(image_endpoint(c.image, "203.0.113.1")->class_index, 0);
}

/* Against the definition: for every address, each CIDR with its holes, one by one. */
Test(policy_image, classes_against_the_slow_way)
{
	enum { BLOCKS = 12 };
	unsigned int address[BLOCKS][2], bits[BLOCKS][2];
	char text[8192] = WORKLOAD "metadata: {name: w}\nspec: {cgroup: w}\n" POLICY
				   "metadata: {name: p}\nspec: {subject: {}, ingress: [\n";
	_compiled_ c;

	srandom(3);
	for (int i = 0; i < BLOCKS; i++) {
		size_t n = strlen(text);

		bits[i][0] = 24 + (unsigned int)random() % 7;
		bits[i][1] = bits[i][0] + (unsigned int)random() % (33 - bits[i][0]);
		address[i][1] = (unsigned int)random() % 256 & (0xff00U >> (bits[i][1] - 24));
		address[i][0] = address[i][1] & (0xff00U >> (bits[i][0] - 24));
		snprintf(text + n, sizeof(text) - n,
			 "{from: [{cidrs: [{cidr: 10.0.0.%u/%u, except: [10.0.0.%u/%u]}]}], "
			 "ports: [{port: %d}]},\n",
			 address[i][0], bits[i][0], address[i][1], bits[i][1], i + 1);
	}
	strcat(text, "]}\n");
	compiled_init(&c);
	compiled_must(&c, text);
	for (unsigned int a = 0; a < 256; a++) {
		for (int i = 0; i < BLOCKS; i++) {
			bool in = (a & (0xff00U >> (bits[i][0] - 24)) & 0xff) == address[i][0];
			bool hole = (a & (0xff00U >> (bits[i][1] - 24)) & 0xff) == address[i][1];
			struct cs_result result;
			char peer[32];

			snprintf(peer, sizeof(peer), "10.0.0.%u", a);
			result = judge(c.image,
				       &(struct judged){ "default/w", CS_INGRESS, peer, IPPROTO_TCP,
							 (uint16_t)(i + 1), .verified = false });
			cr_assert_eq(result.verdict == CS_VERDICT_ALLOW, in && !hole,
				     "%s and 10.0.0.%u/%u without 10.0.0.%u/%u", peer,
				     address[i][0], bits[i][0], address[i][1], bits[i][1]);
		}
	}
}

Test(policy_image, equal_peers_share_a_selector)
{
	_compiled_ c;

	compiled_init(&c);
	compiled_must(
		&c, WORKLOAD
		"metadata: {name: w}\nspec: {cgroup: w}\n" POLICY
		"metadata: {name: p}\nspec: {subject: {}, ingress: [\n"
		"{from: [{serviceAccounts: [{name: a}, {name: b}]}], ports: [{port: 1}]},\n"
		"{from: [{serviceAccounts: [{name: b}]}, {serviceAccounts: [{name: a}]}, {serviceAccounts: [{name: a}]}], ports: [{port: 2}]},\n"
		"{from: [{serviceAccounts: [{name: a}]}], ports: [{port: 3}]}]}\n");
	cr_expect_eq(c.image->n_selectors, 2);
	cr_expect_eq(c.image->n_policies, 1);
}

/* Peers that agree on a port's number need one rule, those that do not, one each. */
Test(policy_image, named_ports_going_out)
{
	const struct image_workload *w;
	_compiled_ c;

	compiled_init(&c);
	compiled_must(
		&c, WORKLOAD
		"metadata: {name: w}\nspec: {cgroup: w}\n" WORKLOAD
		"metadata: {name: a, labels: {x: a}}\nspec: {ports: [{name: http, port: 80}]}\n" WORKLOAD
		"metadata: {name: b, labels: {x: b}}\nspec: {ports: [{name: http, port: 80}]}\n" WORKLOAD
		"metadata: {name: c, labels: {x: c}}\nspec: {ports: [{name: http, port: 81}]}\n" POLICY
		"metadata: {name: p}\nspec: {subject: {}, egress: [{ports: [{port: http}]}]}\n");
	w = image_workload(c.image, "default/w");
	cr_expect_eq(c.image->rulesets[w->ruleset[CS_EGRESS]].count, 2);
	cr_expect_eq(c.image->n_selectors, 2);
}

/* Two CIDRs of one selector over the same addresses: one bit, and so one row. */
Test(policy_image, overlapping_prefixes_share_a_row)
{
	_compiled_ c;

	compiled_init(&c);
	compiled_must(&c, WORKLOAD
		      "metadata: {name: w}\nspec: {cgroup: w}\n" POLICY
		      "metadata: {name: p}\nspec: {subject: {}, ingress: [{from: [{cidrs: ["
		      "{cidr: 10.0.0.0/8}, {cidr: 10.1.0.0/16}]}]}]}\n");
	cr_expect_eq(image_class(c.image, "10.0.0.0/8")->row,
		     image_class(c.image, "10.1.0.0/16")->row);
	cr_expect_eq(c.image->n_bitmaps, 2);
}

/* A policy that selects nobody here costs no selector and no rule id. */
Test(policy_image, unused_policies_cost_nothing)
{
	_compiled_ c;

	compiled_init(&c);
	compiled_must(&c, WORKLOAD "metadata: {name: w}\nspec: {cgroup: w}\n" POLICY
				   "metadata: {name: p, namespace: other}\nspec: {subject: {}, "
				   "ingress: [{from: [{serviceAccounts: [{name: a}]}]}]}\n");
	cr_expect_eq(c.image->n_policies, 1);
	cr_expect_eq(c.image->n_selectors, 0);
	cr_expect_eq(c.image->n_rules, 1);
}

Test(policy_image, default_action_deny)
{
	static const char text[] = WORKLOAD
		"metadata: {name: w, labels: {a: b}}\nspec: {cgroup: w}\n" WORKLOAD
		"metadata: {name: v}\nspec: {cgroup: v}\n" POLICY
		"metadata: {name: p}\nspec: {mode: Audit, subject: {selector: {matchLabels: {a: b}}}, "
		"ingress: [{}]}\n";
	struct judged w = { "default/w", CS_INGRESS, "World", IPPROTO_TCP, 1, .verified = false },
		      v = { "default/v", CS_INGRESS, "World", IPPROTO_TCP, 1, .verified = false };
	_compiled_ c;

	compiled_init(&c);
	c.options.default_verdict = CS_VERDICT_DENY;
	compiled_must(&c, text);
	cr_expect_eq(judge(c.image, &v).verdict, CS_VERDICT_DENY);
	cr_expect_eq(judge(c.image, &v).reason, CS_REASON_DEFAULT_ACTION);
	cr_expect_eq(judge(c.image, &w).verdict, CS_VERDICT_DENY,
		     "an Audit policy opens nothing that is closed without it");
	cr_expect_eq(judge(c.image, &w).reason, CS_REASON_DEFAULT_ACTION);
}

Test(policy_image, default_action_audit)
{
	struct judged flow = { "default/w", CS_EGRESS, "World", IPPROTO_TCP, 1, .verified = false };
	_compiled_ c;

	compiled_init(&c);
	c.options.default_verdict = CS_VERDICT_AUDIT;
	compiled_must(&c, WORKLOAD "metadata: {name: w}\nspec: {cgroup: w}\n");
	cr_expect_eq(judge(c.image, &flow).verdict, CS_VERDICT_AUDIT);
	cr_expect_eq(judge(c.image, &flow).reason, CS_REASON_DEFAULT_ACTION);
}

/* ISOLATED is said of enforcing policies only: the kernel drops other protocols by it. */
Test(policy_image, flags)
{
	static const struct {
		const char *mode, *rules;
		uint8_t flags;
	} sets[] = {
		{ "Enforce", "[]", CS_RULESET_ISOLATED },
		{ "Audit", "[]", CS_RULESET_AUDIT },
		{ "Enforce", "[{expires: \"2026-12-31T00:00:00Z\", reason: test}]",
		  CS_RULESET_ISOLATED | CS_RULESET_EXPIRES },
		{ "Audit", "[{action: Deny, expires: \"2026-12-31T00:00:00Z\", reason: test}]",
		  CS_RULESET_EXPIRES | CS_RULESET_AUDIT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
		const struct image_workload *w;
		char text[512];
		_compiled_ c;

		compiled_init(&c);
		snprintf(text, sizeof(text),
			 WORKLOAD
			 "metadata: {name: w}\nspec: {cgroup: w}\n" POLICY
			 "metadata: {name: p}\nspec: {subject: {}, mode: %s, ingress: %s}\n",
			 sets[i].mode, sets[i].rules);
		compiled_must(&c, text);
		w = image_workload(c.image, "default/w");
		cr_expect_eq(c.image->rulesets[w->ruleset[CS_INGRESS]].flags, sets[i].flags,
			     "%s %s", sets[i].mode, sets[i].rules);
	}
}

/* Found by search: two records whose numbers under the salt 1 2 are the same. */
Test(policy_image, a_collision_is_refused_and_names_both)
{
	_compiled_ c, other_salt;
	static const char text[] = WORKLOAD
		"metadata: {name: first, labels: {n: \"5489647\"}}\n" WORKLOAD
		"metadata: {name: second, labels: {n: \"20197197\"}}\n";

	compiled_init(&c);
	compiled_parse(&c, "test.yaml", text);
	cr_assert_eq(c.r, 0);
	compiled_compile(&c);
	cr_assert_eq(c.r, -EBADMSG);
	cr_assert_eq(c.errors.n, 1);
	cr_expect_eq(c.errors.item[0].line, 6);
	cr_expect_not_null(strstr(c.errors.item[0].message, "default/first"));
	cr_expect_not_null(strstr(c.errors.item[0].message, "default/second"));

	compiled_init(&other_salt);
	other_salt.options.salt[1] = 3;
	compiled_must(&other_salt, text);
}

Test(policy_image, a_spiffe_id_that_is_too_long)
{
	char text[1024];
	_compiled_ c;

	snprintf(text, sizeof(text),
		 WORKLOAD "metadata: {name: w}\nspec: {serviceAccount: \"%0*d\"}\n", 63, 0);
	compiled_init(&c);
	compiled_must(&c, text);
	snprintf(text, sizeof(text),
		 WORKLOAD "metadata: {name: v}\nspec: {serviceAccount: a%0*d.%0*d.%0*d.%0*d}\n", 60,
		 0, 60, 0, 60, 0, 60, 0);
	compiled_parse(&c, "test.yaml", text);
	cr_assert_eq(c.r, 0);
	compiled_compile(&c);
	cr_assert_eq(c.r, -EBADMSG);
	cr_expect_str_eq(c.errors.item[0].field, "spec.serviceAccount");
	cr_expect_not_null(strstr(c.errors.item[0].message, "223"));
}

Test(policy_image, wrong_options)
{
	static const char *const networks[] = { "10.0.0.0/8", "10.0.0.1", NULL };
	_compiled_ c;

	compiled_init(&c);
	c.options.trust_domain = "Example.org";
	compiled_compile(&c);
	cr_expect_eq(c.r, -EBADMSG);
	cr_expect_str_eq(c.errors.item[0].file, "--trust-domain");
	c.options.trust_domain = "example.org";
	c.options.tag_networks = networks;
	compiled_compile(&c);
	cr_expect_eq(c.r, -EBADMSG);
	cr_expect_str_eq(c.errors.item[1].file, "--tag-networks");
	cr_expect_not_null(strstr(c.errors.item[1].message, "\"10.0.0.1\""));
	c.options.tag_networks = NULL;
	c.options.default_verdict = CS_VERDICT_NONE;
	compiled_compile(&c);
	cr_expect_eq(c.r, -EINVAL);
}
