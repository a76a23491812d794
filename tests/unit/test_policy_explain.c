/* SPDX-License-Identifier: Apache-2.0 */
/* explain says what the evaluator does, and why. */
#include "test_policy.h"

#define WORKLOAD "---\napiVersion: countersign.dev/v1alpha1\nkind: Workload\n"
#define POLICY "---\napiVersion: countersign.dev/v1alpha1\nkind: IdentityPolicy\n"

/* clang-format off */
static const char manifests[] = WORKLOAD
	"metadata: {name: a, namespace: shop, labels: {app: a}}\nspec: {serviceAccount: a, cgroup: a, addresses: [10.0.0.1]}\n" WORKLOAD
	"metadata: {name: b, namespace: shop, labels: {app: b}}\nspec: {serviceAccount: b, cgroup: b, addresses: [10.0.0.2, 10.0.0.9]}\n" WORKLOAD
	"metadata: {name: far, namespace: ops}\nspec: {serviceAccount: far, addresses: [10.0.0.3]}\n" WORKLOAD
	"metadata: {name: twin, namespace: ops}\nspec: {serviceAccount: twin, addresses: [10.0.0.9]}\n" POLICY
	"metadata: {name: p, namespace: shop}\n"
	"spec: {subject: {selector: {matchLabels: {app: b}}}, ingress: [\n"
	"{name: udp, ports: [{port: 80, protocol: UDP}]},\n"
	"{name: port, ports: [{port: 81}]},\n"
	"{name: peer, from: [{serviceAccounts: [{name: nobody}]}]},\n"
	"{name: late, expires: \"1970-01-01T00:16:39Z\", reason: test},\n"
	"{name: proved, authentication: Required, from: [{serviceAccounts: [{name: a}]}]},\n"
	"{name: net, from: [{cidrs: [{cidr: 10.0.0.3/32}, {cidr: 192.0.2.0/24}]}]},\n"
	"{name: loop, from: [{cidrs: [{cidr: 127.0.0.0/8}]}], ports: [{port: 99}]},\n"
	"{name: proved-node, authentication: Required, from: [{entities: [RemoteNode]}], ports: [{port: 7}]},\n"
	"{name: world, from: [{entities: [World]}], ports: [{port: 80}]}]}\n" POLICY
	"metadata: {name: q, namespace: shop}\n"
	"spec: {mode: Audit, subject: {selector: {matchLabels: {app: b}}}, ingress: [{name: trial, action: Deny}]}\n";
/* clang-format on */

struct explained {
	struct compiled compiled;
	struct policy_explanation direction[CS_DIRECTIONS];
	int r;
};

static struct explained explain(const char *from, const char *to, uint16_t port, bool verified)
{
	struct explained e = { 0 };

	compiled_init(&e.compiled);
	compiled_must(&e.compiled, manifests);
	e.r = policy_explain(e.compiled.image,
			     &(struct policy_flow){ .from = from,
						    .to = to,
						    .port = port,
						    .protocol = IPPROTO_TCP,
						    .authenticated = verified,
						    .boottime_ns = 1 },
			     e.direction);
	return e;
}

static void explained_done(struct explained *e)
{
	for (int d = 0; d < CS_DIRECTIONS; d++)
		policy_explanation_done(&e->direction[d]);
	compiled_done(&e->compiled);
}
#define _explained_ __attribute__((cleanup(explained_done))) struct explained

/* "DENY DEFAULT_DENY shop/p#" of one direction. */
static const char *text_of(const struct explained *e, enum cs_direction direction)
{
	static char text[256];

	result_text(e->compiled.image, &e->direction[direction].result, text, sizeof(text));
	return text;
}

Test(policy_explain, both_directions)
{
	_explained_ e = explain("shop/a", "shop/b", 80, true);

	cr_assert_eq(e.r, 0);
	cr_expect(e.direction[CS_EGRESS].known);
	cr_expect(e.direction[CS_INGRESS].known);
	cr_expect_eq(e.direction[CS_EGRESS].direction, CS_EGRESS);
	cr_expect_eq(e.direction[CS_INGRESS].direction, CS_INGRESS);
	cr_expect_str_eq(text_of(&e, CS_EGRESS), "ALLOW NOT_ISOLATED");
	cr_expect_str_eq(text_of(&e, CS_INGRESS), "AUDIT POLICY_DENY shop/q#trial");
}

Test(policy_explain, steps)
{
	static const struct {
		const char *rule;
		bool covers;
		const char *why;
	} expected[] = {
		{ "trial", true, "Audit" },
		{ "udp", false, "protocol does not match" },
		{ "port", false, "port does not match" },
		{ "peer", false, "peer does not match" },
		{ "late", false, "has expired" },
		{ "proved", true, "decides" },
	};
	_explained_ e = explain("shop/a", "shop/b", 80, true);
	const struct policy_explanation *in = &e.direction[CS_INGRESS];

	cr_assert_eq(in->n_steps, ARRAY_SIZE(expected));
	for (size_t i = 0; i < in->n_steps; i++) {
		cr_expect_str_eq(e.compiled.image->rules[in->steps[i].rule].rule, expected[i].rule);
		cr_expect_eq(in->steps[i].covers, expected[i].covers, "%s", expected[i].rule);
		cr_expect_not_null(strstr(in->steps[i].why, expected[i].why), "%s: %s",
				   expected[i].rule, in->steps[i].why);
	}
}

Test(policy_explain, not_verified)
{
	_explained_ e = explain("shop/a", "shop/b", 80, false);
	const struct policy_explanation *in = &e.direction[CS_INGRESS];

	cr_expect_str_eq(text_of(&e, CS_INGRESS), "DENY AUTH_REQUIRED shop/p#proved");
	cr_expect_not_null(strstr(in->steps[5].why, "not verified"));
	cr_expect_eq(in->n_steps, 10, "all were walked");
}

Test(policy_explain, a_workload_elsewhere)
{
	_explained_ e = explain("ops/far", "shop/b", 80, true);

	cr_assert_eq(e.r, 0);
	cr_expect_not(e.direction[CS_EGRESS].known, "its own node decides that");
	cr_expect_eq(e.direction[CS_EGRESS].n_steps, 0);
	cr_expect_str_eq(text_of(&e, CS_INGRESS), "AUDIT POLICY_DENY shop/q#trial");
	cr_expect_not_null(strstr(e.direction[CS_INGRESS].steps[6].why, "decides"),
			   "its address is in the rule's CIDR");
}

struct peer_case {
	const char *from;
	uint16_t port;
	const char *expected;
};

static const struct peer_case peers[] = {
	{ "World", 80, "AUDIT POLICY_DENY shop/q#trial" },
	{ "World", 82, "DENY DEFAULT_DENY shop/p#" },
	{ "Host", 80, "ALLOW OWN_NODE" },
	{ "RemoteNode", 80, "DENY DEFAULT_DENY shop/p#" },
	{ "RemoteNode", 7, "DENY AUTH_REQUIRED shop/p#proved-node" }, /* nothing proves an entity */
	{ "Unmanaged", 80, "DENY DEFAULT_DENY shop/p#" },
	{ "203.0.113.1", 80, "AUDIT POLICY_DENY shop/q#trial" }, /* World */
	{ "192.0.2.7", 1, "AUDIT POLICY_DENY shop/q#trial" }, /* net */
	{ "192.0.3.7", 1, "DENY DEFAULT_DENY shop/p#" },
	{ "10.0.0.3", 1, "AUDIT POLICY_DENY shop/q#trial" }, /* far, in net */
	{ "10.0.0.1", 1, "AUDIT POLICY_DENY shop/q#trial" }, /* a, taken as verified */
	{ "10.0.0.9", 80, "DENY DEFAULT_DENY shop/p#" }, /* two claim it: not World either */
	{ "127.0.0.1", 80, "DENY DEFAULT_DENY shop/p#" }, /* anybody on the host */
	{ "127.0.0.1", 99, "AUDIT POLICY_DENY shop/q#trial" }, /* but in a CIDR */
	{ "2001:db8::1", 80, "AUDIT POLICY_DENY shop/q#trial" }, /* World */
};

Test(policy_explain, kinds_of_peers)
{
	for (size_t i = 0; i < ARRAY_SIZE(peers); i++) {
		_explained_ e = explain(peers[i].from, "shop/b", peers[i].port, true);

		cr_assert_eq(e.r, 0);
		cr_expect_str_eq(text_of(&e, CS_INGRESS), peers[i].expected, "%s port %u: %s",
				 peers[i].from, peers[i].port, text_of(&e, CS_INGRESS));
	}
}

/* A flow to an address is a flow to the workload that has it. */
Test(policy_explain, subjects_by_address)
{
	_explained_ e = explain("shop/a", "10.0.0.2", 82, false);

	cr_expect(e.direction[CS_INGRESS].known);
	cr_expect_str_eq(text_of(&e, CS_INGRESS), "DENY AUTH_REQUIRED shop/p#proved");
}

Test(policy_explain, self)
{
	_explained_ e = explain("shop/b", "shop/b", 82, false);

	cr_expect_str_eq(text_of(&e, CS_INGRESS), "ALLOW SELF");
	cr_expect_str_eq(text_of(&e, CS_EGRESS), "ALLOW SELF");
}

Test(policy_explain, unmanaged_subject)
{
	_explained_ e = explain("World", "Unmanaged", 22, false);

	cr_expect(e.direction[CS_INGRESS].known);
	cr_expect_str_eq(text_of(&e, CS_INGRESS), "ALLOW NOT_ISOLATED");
	cr_expect_not(e.direction[CS_EGRESS].known);
}

Test(policy_explain, nobody)
{
	static const char *const names[] = { "shop/nobody", "nobody",	"shop/", "/a",	  "",
					     "1.2.3",	    "shop/a/b", "world", "/World" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_explained_ to = explain("shop/a", names[i], 80, true);
		_explained_ from = explain(names[i], "shop/a", 80, true);

		cr_expect_eq(to.r, -ENOENT, "%s", names[i]);
		cr_expect_eq(from.r, -ENOENT, "%s", names[i]);
	}
}

/* explain's verdict is the evaluator's, for every pair and some ports. */
Test(policy_explain, agrees_with_the_evaluator)
{
	static const char *const names[] = { "shop/a", "shop/b", "ops/far", "ops/twin",
					     "RemoteNode" };
	static const uint16_t ports[] = { 1, 80, 81, 99 };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		for (size_t p = 0; p < 2 * ARRAY_SIZE(ports); p++) {
			bool verified = p % 2 && !streq(names[i], "RemoteNode");
			_explained_ e = explain(names[i], "shop/b", ports[p / 2], p % 2);
			struct judged flow = { "shop/b",     CS_INGRESS, names[i], IPPROTO_TCP,
					       ports[p / 2], verified,	 1 };
			struct cs_result result;

			if (streq(names[i], "shop/b"))
				continue; /* itself */
			if (streq(names[i], "ops/far"))
				flow.peer = "ops/far@10.0.0.3";
			result = judge(e.compiled.image, &flow);
			cr_expect_eq(result.verdict, e.direction[CS_INGRESS].result.verdict,
				     "%s port %u", names[i], ports[p / 2]);
			cr_expect_eq(result.rule, e.direction[CS_INGRESS].result.rule);
			cr_expect_eq(result.reason, e.direction[CS_INGRESS].result.reason);
		}
	}
}
