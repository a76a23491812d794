/* SPDX-License-Identifier: Apache-2.0 */
/* The engine: what is parsed and compiled again, what failures leave alone. */
#include "test_policy.h"

#include "user/policy/engine.h"

#define WORKLOAD "---\napiVersion: countersign.dev/v1alpha1\nkind: Workload\n"
#define POLICY "---\napiVersion: countersign.dev/v1alpha1\nkind: IdentityPolicy\n"
#define NODE "---\napiVersion: v1\nkind: Node\n"
#define NAMESPACE "---\napiVersion: v1\nkind: Namespace\n"

static struct policy_engine *engine;
static struct rule_ids *ids;
static struct image *image; /* in force */
static struct policy_result result;
static struct policy_errors errors;
static struct policy_options options = {
	.trust_domain = "example.org",
	.default_verdict = CS_VERDICT_ALLOW,
	.salt = { 1, 2 },
	.realtime_ns = 1000000000000,
	.boottime_ns = 10000000000,
};

static void teardown(void)
{
	policy_engine_free(engine);
	rule_ids_free(ids);
	image_free(image);
	image = NULL;
	policy_errors_done(&errors);
}

/* One document; no text: it goes. */
static ssize_t stage(const char *name, const char *text)
{
	const struct policy_document document = { .name = name,
						  .text = text,
						  .length = text ? strlen(text) : 0 };

	policy_errors_done(&errors);
	return policy_engine_stage_one(engine, &document, &errors);
}

static int compile(enum policy_effort least)
{
	return policy_engine_compile(engine, &options, ids, least, &result, &errors);
}

static void accept_it(void)
{
	policy_engine_accept(engine);
	if (result.image != image)
		image_free(image);
	image = result.image;
}

/* Puts a document in force; how much work that was. */
static enum policy_effort put(const char *name, const char *text)
{
	ssize_t r = stage(name, text);

	cr_assert_geq(r, 0, "%s: %zd %s", name, r, errors.n ? errors.item[0].message : "");
	r = compile(POLICY_PEERS);
	cr_assert_eq(r, 0, "%s: %zd %s", name, r, errors.n ? errors.item[0].message : "");
	accept_it();
	return result.effort;
}

static const char local[] = WORKLOAD
	"metadata: {name: payments, namespace: shop, labels: {app: payments}}\n"
	"spec: {serviceAccount: payments, cgroup: shop/payments, addresses: [10.0.0.1]}\n";
static const char far[] = WORKLOAD
	"metadata: {name: far, namespace: shop, labels: {app: far}}\n"
	"spec: {serviceAccount: far, addresses: [10.0.0.2], ports: [{name: http, port: 8080}]}\n";
static const char rules[] = POLICY
	"metadata: {name: payments, namespace: shop}\nspec:\n"
	"  subject: {selector: {matchLabels: {app: payments}}}\n"
	"  ingress:\n"
	"  - {name: far, from: [{selector: {matchLabels: {app: far}}}]}\n"
	"  egress:\n"
	"  - {name: http, to: [{selector: {}}], ports: [{port: http}]}\n";

static void setup(void)
{
	cr_assert_eq(policy_engine_new(&engine), 0);
	cr_assert_eq(rule_ids_new(&ids), 0);
	put("local.yaml", local);
	put("rules.yaml", rules);
	put("far.yaml", far);
}

TestSuite(policy_engine, .init = setup, .fini = teardown);

static bool may(const char *peer, enum cs_direction direction, uint16_t port)
{
	return judge(image, &(struct judged){ .subject = "shop/payments",
					      .direction = direction,
					      .peer = peer,
					      .protocol = IPPROTO_TCP,
					      .port = port,
					      .verified = true })
		       .verdict == CS_VERDICT_ALLOW;
}

/* ---- effort ---- */

Test(policy_engine, a_workload_of_another_node_is_changed_in_place)
{
	const struct image *before = image;
	size_t n = image->n_identities;

	cr_expect_eq(put("far2.yaml", WORKLOAD
			 "metadata: {name: far2, namespace: shop, labels: {app: far, x: y}}\n"
			 "spec: {serviceAccount: far, addresses: [10.0.0.3]}\n"),
		     POLICY_PEERS);
	cr_expect_eq(image, before);
	cr_expect_eq(image->n_identities, n + 1);
	cr_expect(may("shop/far2", CS_INGRESS, 1));
	cr_expect_eq(image_endpoint(image, "10.0.0.3")->identity,
		     image_identity(image, "shop/far2")->identity);
	cr_expect_eq(put("far2.yaml", NULL), POLICY_PEERS);
	cr_expect(image_endpoint(image, "10.0.0.3")->gone);
	cr_expect(image_identity(image, "shop/far2")->gone);
}

Test(policy_engine, another_replica_adds_its_address_only)
{
	size_t n = image->n_identities;

	stage("replica.yaml",
	      WORKLOAD "metadata: {name: far-b, namespace: shop, labels: {app: far}}\n"
		       "spec: {serviceAccount: far, addresses: [10.0.0.9],\n"
		       "  ports: [{name: http, port: 8080}]}\n");
	cr_assert_eq(compile(POLICY_PEERS), 0);
	cr_assert_eq(result.effort, POLICY_PEERS);
	cr_expect_eq(result.delta->identities.n, 0);
	cr_expect_eq(result.delta->endpoints.n, 1);
	cr_expect(!result.delta->restricts);
	accept_it();
	cr_expect_eq(image->n_identities, n);
}

Test(policy_engine, a_policy_is_compiled_against_known_identities)
{
	const struct image *before = image;

	cr_expect_eq(put("more.yaml", POLICY "metadata: {name: more, namespace: shop}\n"
					     "spec: {subject: {selector: {}}, ingress: []}\n"),
		     POLICY_RULES);
	cr_expect_neq(image, before);
	cr_expect_eq(image->n_policies, 2);
	cr_expect(may("shop/far", CS_INGRESS, 1));
	cr_expect(!may("World", CS_INGRESS, 1));
}

/* Nodes are not read again for rules: what comes of them stays, also when some of them goes. */
Test(policy_engine, pods_prefixes_outlive_a_compile_of_rules)
{
	put("n1.yaml", NODE "metadata: {name: n1}\nspec: {podCIDRs: [10.244.1.0/24]}\n");
	put("n2.yaml", NODE "metadata: {name: n2}\nspec: {podCIDRs: [10.244.2.0/24]}\n");
	put("pod.yaml", WORKLOAD "metadata: {name: pod, namespace: shop, labels: {app: far}}\n"
				 "spec: {serviceAccount: far, addresses: [10.244.1.7]}\n");
	cr_assert_eq(put("more.yaml", POLICY "metadata: {name: more, namespace: shop}\n"
					     "spec: {subject: {selector: {}}, ingress: []}\n"),
		     POLICY_RULES);
	cr_assert_not_null(image_class(image, "10.244.1.0/24"));
	cr_expect_eq(image_class(image, "10.244.1.0/24")->flags, CS_CLASS_TAG);
	cr_expect_not_null(image_class(image, "10.244.2.0/24"));
	cr_expect_neq(image_endpoint(image, "10.244.1.7")->class_index, 0);
	put("n2.yaml", NULL);
	put("more.yaml", NULL);
	cr_expect_not_null(image_class(image, "10.244.1.0/24"));
	cr_expect_null(image_class(image, "10.244.2.0/24"));
}

struct case_of_effort {
	const char *what;
	const char *text;
	enum policy_effort effort;
};

static const struct case_of_effort efforts[] = {
	{ "a workload of this node",
	  WORKLOAD "metadata: {name: own, namespace: shop}\nspec: {cgroup: shop/own}\n",
	  POLICY_RULES },
	{ "a workload of this node and a policy",
	  WORKLOAD "metadata: {name: own, namespace: shop}\nspec: {cgroup: shop/own}\n" POLICY
		   "metadata: {name: own, namespace: shop}\n"
		   "spec: {subject: {selector: {}}, ingress: []}\n",
	  POLICY_RULES },
	{ "a port of a name that means another number",
	  WORKLOAD "metadata: {name: odd, namespace: shop}\n"
		   "spec: {ports: [{name: http, port: 81}]}\n",
	  POLICY_RULES },
	{ "a port of a name that means a known number",
	  WORKLOAD "metadata: {name: odd, namespace: shop}\n"
		   "spec: {ports: [{name: http, port: 8080}]}\n",
	  POLICY_PEERS },
	{ "an address that another has",
	  WORKLOAD "metadata: {name: same, namespace: shop}\nspec: {addresses: [10.0.0.2]}\n",
	  POLICY_PEERS },
	{ "labels of a namespace", NAMESPACE "metadata: {name: shop, labels: {team: a}}\n",
	  POLICY_RULES },
	{ "a namespace that nobody is in", NAMESPACE "metadata: {name: x, labels: {team: a}}\n",
	  POLICY_PEERS },
	{ "a Service",
	  "apiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: shop}\n"
	  "spec: {clusterIP: 10.96.0.1, ports: [{port: 80}]}\n",
	  POLICY_PEERS },
	{ "an EndpointSlice with an address that a workload has",
	  "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
	  "metadata: {name: s, namespace: shop, labels: {kubernetes.io/service-name: s}}\n"
	  "addressType: IPv4\nports: [{port: 80}]\nendpoints: [{addresses: [10.0.0.2]}]\n",
	  POLICY_PEERS },
	{ "a Node that no rule speaks of",
	  "apiVersion: v1\nkind: Node\nmetadata: {name: n}\n"
	  "status: {addresses: [{type: InternalIP, address: 10.0.1.1}]}\n",
	  POLICY_PEERS },
	{ "a Revocation",
	  "apiVersion: countersign.dev/v1alpha1\nkind: Revocation\nmetadata: {name: r}\n"
	  "spec: {reason: test, nodes: [x]}\n",
	  POLICY_WHOLE },
	{ "a policy that asks for a label on the noise list",
	  POLICY "metadata: {name: noise, namespace: shop}\n"
		 "spec: {subject: {selector: {matchLabels: {job-name: x}}}, ingress: []}\n",
	  POLICY_WHOLE },
	{ "nothing but a comment", "# nothing\n", POLICY_PEERS },
	{ "a workload in a namespace that nobody was in",
	  WORKLOAD "metadata: {name: new, namespace: new}\nspec: {addresses: [10.9.0.1]}\n",
	  POLICY_PEERS },
};

Test(policy_engine, effort_is_what_the_change_needs)
{
	for (size_t i = 0; i < ARRAY_SIZE(efforts); i++) {
		cr_expect_eq(put("change.yaml", efforts[i].text), efforts[i].effort, "%s",
			     efforts[i].what);
		put("change.yaml", NULL);
		/* What is gone may leave a rule or a key behind: start anew. */
		options.salt[0]++;
		put("salt.yaml", "# another salt\n");
		put("salt.yaml", NULL);
	}
}

Test(policy_engine, other_options_compile_everything)
{
	const char *const host[] = { "10.0.0.99/32", NULL };

	options.host_addresses = host;
	cr_expect_eq(put("far2.yaml", WORKLOAD "metadata: {name: far2, namespace: shop}\n"),
		     POLICY_WHOLE);
	cr_expect_eq(put("far2.yaml", NULL), POLICY_PEERS);
	options.host_addresses = NULL;
}

Test(policy_engine, a_document_that_did_not_change_is_not_parsed_again)
{
	struct policy_document documents[] = {
		{ .name = "far.yaml", .text = far, .length = sizeof(far) - 1 },
		{ .name = "local.yaml", .text = local, .length = sizeof(local) - 1 },
		{ .name = "rules.yaml", .text = rules, .length = sizeof(rules) - 1 },
	};

	cr_expect_eq(policy_engine_stage(engine, documents, 3, &errors), 0);
	for (size_t i = 0; i < 3; i++) {
		documents[i].digest =
			document_digest(documents[i].name, documents[i].text, documents[i].length);
		documents[i].text = NULL; /* nothing to parse: known by its digest */
	}
	cr_expect_eq(policy_engine_stage(engine, documents, 3, &errors), 0);
	documents[1].digest.k0 ^= 2;
	cr_expect_eq(policy_engine_stage(engine, documents, 3, &errors), -ENODATA);
	cr_expect_eq(policy_engine_stage(engine, documents, 1, &errors), 2, "two went");
	policy_engine_reject(engine);
	cr_expect_eq(put("far.yaml", NULL), POLICY_PEERS, "and are there still");
}

/* ---- what may deny what was allowed ---- */

static bool restricts(const char *text)
{
	bool ret;

	cr_assert_eq(stage("new.yaml", text), 1);
	cr_assert_eq(compile(POLICY_PEERS), 0);
	cr_assert_eq(result.effort, POLICY_PEERS);
	ret = result.delta->restricts;
	policy_engine_reject(engine);
	put("touch.yaml", "# the change that was not wanted is forgotten\n");
	put("touch.yaml", NULL);
	return ret;
}

Test(policy_engine, a_change_says_whether_it_can_deny)
{
	cr_expect(!restricts(WORKLOAD
			     "metadata: {name: a, namespace: shop, labels: {app: far, a: b}}\n"
			     "spec: {addresses: [10.0.0.7]}\n"));
	put("deny.yaml",
	    POLICY "metadata: {name: deny, namespace: shop}\nspec:\n"
		   "  subject: {selector: {}}\n  ingress:\n"
		   "  - {action: Deny, from: [{selector: {matchLabels: {app: bad}}}]}\n");
	cr_expect(
		!restricts(WORKLOAD "metadata: {name: a, namespace: shop, labels: {app: good}}\n"));
	cr_expect(restricts(WORKLOAD "metadata: {name: a, namespace: shop, labels: {app: bad}}\n"),
		  "a rule denies it");
	put("world.yaml", POLICY "metadata: {name: world, namespace: shop}\nspec:\n"
				 "  subject: {selector: {}}\n"
				 "  ingress: [{from: [{entities: [World]}]}]\n");
	cr_expect(restricts(WORKLOAD "metadata: {name: a, namespace: shop, labels: {app: good}}\n"
				     "spec: {addresses: [10.0.0.7]}\n"),
		  "the address was World's, which a rule allows");
}

/* ---- failures ---- */

static void expect_as_before(void)
{
	cr_expect(may("shop/far", CS_INGRESS, 1));
	cr_expect(!may("World", CS_INGRESS, 1));
	cr_expect_eq(put("far.yaml", NULL), POLICY_PEERS);
	cr_expect(image_identity(image, "shop/far")->gone);
}

Test(policy_engine, an_error_keeps_the_old_state)
{
	cr_expect_eq(stage("far.yaml", WORKLOAD "metadata: {name: far}\nspec: {addresses: [no]}\n"),
		     -EBADMSG);
	cr_expect_eq(errors.n, 1);
	cr_expect_str_eq(errors.item[0].file, "far.yaml");
	expect_as_before();
}

Test(policy_engine, errors_of_all_documents_are_told)
{
	struct policy_document documents[] = {
		{ .name = "a.yaml", .text = "kind: 7\n", .length = 8 },
		{ .name = "b.yaml", .text = "[\n", .length = 2 },
	};

	cr_expect_eq(policy_engine_stage(engine, documents, 2, &errors), -EBADMSG);
	cr_expect_geq(errors.n, 2);
	cr_expect_str_eq(errors.item[errors.n - 1].file, "b.yaml");
	expect_as_before();
}

static const struct {
	const char *text;
	const char *message;
} doubles[] = {
	{ WORKLOAD "metadata: {name: far, namespace: shop}\n",
	  "this Workload is given twice, first at far.yaml:2: remove or rename one" },
	{ WORKLOAD "metadata: {name: other, namespace: shop}\nspec: {cgroup: shop/payments}\n",
	  "this cgroup is given twice, first at local.yaml:2: remove or rename one" },
	{ POLICY "metadata: {name: payments, namespace: shop}\n"
		 "spec: {subject: {selector: {}}, ingress: []}\n",
	  "this policy is given twice, first at rules.yaml:2: remove or rename one" },
};

Test(policy_engine, names_given_twice_in_two_documents_are_refused)
{
	for (size_t i = 0; i < ARRAY_SIZE(doubles); i++) {
		cr_assert_eq(stage("zz.yaml", doubles[i].text), 1);
		cr_assert_eq(compile(POLICY_PEERS), -EBADMSG);
		cr_assert_eq(errors.n, 1);
		cr_expect_str_eq(errors.item[0].message, doubles[i].message);
		cr_expect_str_eq(errors.item[0].file, "zz.yaml");
		policy_engine_reject(engine);
	}
	put("zz.yaml", "# mended\n");
	expect_as_before();
}

Test(policy_engine, a_name_that_was_given_up_may_be_taken)
{
	struct policy_document documents[] = {
		{ .name = "elsewhere.yaml", .text = far, .length = sizeof(far) - 1 },
		{ .name = "local.yaml", .text = local, .length = sizeof(local) - 1 },
		{ .name = "rules.yaml", .text = rules, .length = sizeof(rules) - 1 },
	};

	cr_assert_eq(policy_engine_stage(engine, documents, 3, &errors), 2, "it moved");
	cr_assert_eq(compile(POLICY_PEERS), 0);
	cr_expect_eq(result.effort, POLICY_PEERS);
	accept_it();
	cr_expect(!image_identity(image, "shop/far")->gone);
	cr_expect(!image_endpoint(image, "10.0.0.2")->gone);
}

Test(policy_engine, what_is_rejected_is_undone)
{
	size_t identities = image->n_identities, endpoints = image->n_endpoints;

	stage("far.yaml", WORKLOAD "metadata: {name: else, namespace: shop, labels: {app: else}}\n"
				   "spec: {addresses: [10.0.0.2, 10.0.0.8]}\n");
	cr_assert_eq(compile(POLICY_PEERS), 0);
	cr_assert_eq(result.effort, POLICY_PEERS);
	cr_expect_gt(image->n_identities, identities);
	policy_engine_reject(engine);
	cr_expect_eq(image->n_identities, identities);
	cr_expect_eq(image->n_endpoints, endpoints);
	cr_expect(!image_identity(image, "shop/far")->gone);
	cr_expect(!image_endpoint(image, "10.0.0.2")->gone);
	cr_expect_eq(put("far.yaml", NULL), POLICY_WHOLE, "what it knew was spoiled");
	cr_expect_eq(put("far.yaml", WORKLOAD "metadata: {name: far, namespace: shop}\n"),
		     POLICY_PEERS, "and is not any more");
}

Test(policy_engine, the_same_may_be_compiled_again_with_more_effort)
{
	const struct image *before = image;

	stage("new.yaml", WORKLOAD "metadata: {name: new, namespace: shop, labels: {app: far}}\n");
	cr_assert_eq(compile(POLICY_PEERS), 0);
	cr_assert_eq(compile(POLICY_WHOLE), 0);
	cr_expect_eq(result.effort, POLICY_WHOLE);
	accept_it();
	cr_expect_neq(image, before);
	cr_expect(may("shop/new", CS_INGRESS, 1));
}

Test(policy_engine, nothing_staged_is_nothing_to_compile)
{
	cr_expect_eq(compile(POLICY_PEERS), -EINVAL);
	policy_engine_reject(engine);
	policy_engine_accept(engine);
	expect_as_before();
}

/* ---- churn ---- */

Test(policy_engine, churn_does_not_grow_without_end)
{
	unsigned int whole = 0;
	size_t most = 0;
	char text[256];

	for (unsigned int i = 0; i < 3000; i++) {
		snprintf(text, sizeof(text),
			 WORKLOAD "metadata: {name: w%u, namespace: shop, labels: {n: \"%u\"}}\n"
				  "spec: {addresses: [10.%u.%u.1]}\n",
			 i, i, 1 + i / 250, i % 250);
		whole += put("churn.yaml", text) == POLICY_WHOLE;
		most = MAX(most, image->n_identities + image->n_endpoints);
	}
	cr_expect_gt(whole, 1, "now and then it starts anew");
	cr_expect_lt(whole, 10, "%u", whole);
	cr_expect_lt(most, 2500, "%zu", most);
}
