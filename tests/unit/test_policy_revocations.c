/* SPDX-License-Identifier: Apache-2.0 */
/* kind: Revocation: who is revoked, in the image and in what the tools say. */
#include "test_policy.h"
#include "user/policy/diff.h"
#include "user/policy/engine.h"

#define WORKLOAD "---\napiVersion: countersign.dev/v1alpha1\nkind: Workload\n"
#define POLICY "---\napiVersion: countersign.dev/v1alpha1\nkind: IdentityPolicy\n"
#define REVOKE(name, spec)                                              \
	"---\napiVersion: countersign.dev/v1alpha1\nkind: Revocation\n" \
	"metadata: {name: " name "}\nspec: {reason: theft, " spec "}\n"

/* Everything is allowed. y is x's twin; far is on another node. */
static const char shop[] = WORKLOAD
	"metadata: {name: x, namespace: shop, labels: {app: x}}\n"
	"spec: {serviceAccount: x, cgroup: x, addresses: [10.0.0.1, \"fd00::1\"]}\n" WORKLOAD
	"metadata: {name: y, namespace: shop, labels: {app: x}}\n"
	"spec: {serviceAccount: x, cgroup: y, addresses: [10.0.0.2]}\n" WORKLOAD
	"metadata: {name: z, namespace: shop, labels: {app: z}}\n"
	"spec: {serviceAccount: z, cgroup: z, addresses: [10.0.0.3]}\n" WORKLOAD
	"metadata: {name: far, namespace: shop, labels: {app: far}}\n"
	"spec: {serviceAccount: far, node: host-b, addresses: [10.0.0.4]}\n";

static void compile_with(struct compiled *c, const char *revocations)
{
	compiled_init(c);
	c->options.node_name = "host-a";
	compiled_parse(c, "shop.yaml", shop);
	compiled_must(c, revocations);
}

static bool address_revoked(const struct image *image, const char *address)
{
	return image_endpoint(image, address)->flags & CS_ENDPOINT_REVOKED;
}

/* What one side says: "Deny REVOKED" or a verdict; "-" when it has no say. */
static const char *side(const struct image *image, const char *from, const char *to,
			enum cs_direction direction)
{
	const struct policy_flow flow = {
		.from = from, .to = to, .port = 80, .protocol = IPPROTO_TCP, .authenticated = true
	};
	struct policy_explanation both[CS_DIRECTIONS];
	const char *text = "-";
	int r = policy_explain(image, &flow, both);

	cr_assert_eq(r, 0, "%s -> %s: %d", from, to, r);
	if (both[direction].known && both[direction].result.reason == CS_REASON_REVOKED)
		text = both[direction].result.verdict == CS_VERDICT_DENY ? "revoked" : "?";
	else if (both[direction].known)
		text = both[direction].result.verdict == CS_VERDICT_ALLOW ? "allow" : "deny";
	for (int d = 0; d < CS_DIRECTIONS; d++)
		policy_explanation_done(&both[d]);
	return text;
}

Test(policy_revocations, a_name_revokes_one_workload_and_its_addresses)
{
	_compiled_ c;

	compile_with(&c, REVOKE("r", "workloads: [{namespace: shop, name: x}]"));
	cr_expect(image_workload(c.image, "shop/x")->revoked);
	cr_expect_not(image_workload(c.image, "shop/y")->revoked);
	cr_expect(address_revoked(c.image, "10.0.0.1"));
	cr_expect(address_revoked(c.image, "fd00::1"));
	cr_expect_not(address_revoked(c.image, "10.0.0.2"));
	cr_assert_eq(c.image->n_placements, 3);
	for (size_t i = 0; i < c.image->n_placements; i++) {
		bool twins = c.image->placements[i].workloads == 2;

		cr_expect_eq(c.image->placements[i].revoked, twins ? 1 : 0);
	}
}

Test(policy_revocations, a_spiffe_id_revokes_all_that_have_it)
{
	_compiled_ c;

	compile_with(&c, REVOKE("r", "spiffeIDs: [\"spiffe://example.org/ns/shop/sa/x\", "
				     "\"spiffe://other.org/ns/shop/sa/z\"]"));
	cr_expect(image_workload(c.image, "shop/x")->revoked);
	cr_expect(image_workload(c.image, "shop/y")->revoked);
	cr_expect_not(image_workload(c.image, "shop/z")->revoked, "another trust domain's z is");
	cr_expect(address_revoked(c.image, "10.0.0.2"));
}

Test(policy_revocations, a_shared_address_is_revoked_for_all)
{
	static const char *const orders[] = { "aa", "zz" };

	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		char text[1024];
		_compiled_ c;

		snprintf(text, sizeof(text),
			 WORKLOAD "metadata: {name: %s, namespace: shop, labels: {app: o}}\n"
				  "spec: {addresses: [10.0.0.1]}\n" REVOKE(
					  "r", "workloads: [{namespace: shop, name: %s}]"),
			 orders[i], orders[i]);
		compile_with(&c, text);
		cr_expect_eq(image_endpoint(c.image, "10.0.0.1")->flags,
			     CS_ENDPOINT_SHARED | CS_ENDPOINT_REVOKED);
		cr_expect_not(image_workload(c.image, "shop/x")->revoked);
	}
}

Test(policy_revocations, lists_are_sorted_and_normal)
{
	const struct image_revocations *r;
	_compiled_ c;

	compile_with(&c, REVOKE("b",
				"serials: [\"00:0A:FF\", \"aff\", \"0001\", \"00:00:00:00:00:00:00:"
				"00:00:00:00:00:00:00:00:00:00:00:00:00:01:ab\"], "
				"nodes: [host-c, host-b], ticket: INC-7")
				 REVOKE("a", "nodes: [host-b], spiffeIDs: "
					     "[\"spiffe://example.org/countersign/node/host-b\"]"));
	r = &c.image->revocations;
	cr_assert_eq(r->n_serials, 3);
	cr_expect_str_eq(r->serials[0], "1");
	cr_expect_str_eq(r->serials[1], "1ab");
	cr_expect_str_eq(r->serials[2], "aff");
	cr_assert_eq(r->n_nodes, 2);
	cr_expect_str_eq(r->nodes[0], "host-b");
	cr_expect_str_eq(r->nodes[1], "host-c");
	cr_assert_eq(r->n_spiffe_ids, 1);
	cr_expect_str_eq(r->spiffe_ids[0], "spiffe://example.org/countersign/node/host-b");
	cr_assert_eq(r->n_notes, 2);
	cr_expect_str_eq(r->notes[0].name, "a", "by name, not as written");
	cr_expect_null(r->notes[0].ticket);
	cr_expect_str_eq(r->notes[1].ticket, "INC-7");
	cr_expect_str_eq(r->notes[1].reason, "theft");
	cr_expect_str_eq(r->notes[1].file, "test.yaml");
	cr_expect_eq(r->notes[1].line, 2);
}

Test(policy_revocations, both_directions_are_denied_before_policy_is_asked)
{
	_compiled_ c;

	compile_with(&c, REVOKE("r", "workloads: [{namespace: shop, name: x}, "
				     "{namespace: shop, name: far}]"));
	cr_expect_str_eq(side(c.image, "shop/x", "shop/z", CS_EGRESS), "revoked");
	cr_expect_str_eq(side(c.image, "shop/x", "shop/z", CS_INGRESS), "revoked");
	cr_expect_str_eq(side(c.image, "shop/z", "shop/x", CS_EGRESS), "revoked");
	cr_expect_str_eq(side(c.image, "shop/z", "shop/x", CS_INGRESS), "revoked");
	cr_expect_str_eq(side(c.image, "10.0.0.1", "shop/z", CS_INGRESS), "revoked");
	cr_expect_str_eq(side(c.image, "shop/far", "shop/z", CS_INGRESS), "revoked");
	cr_expect_str_eq(side(c.image, "shop/z", "10.0.0.4", CS_EGRESS), "revoked");
	cr_expect_str_eq(side(c.image, "shop/x", "shop/x", CS_EGRESS), "revoked", "itself, too");
	cr_expect_str_eq(side(c.image, "Host", "shop/x", CS_INGRESS), "revoked", "its node, too");
	cr_expect_str_eq(side(c.image, "shop/y", "shop/z", CS_INGRESS), "allow");
	cr_expect_str_eq(side(c.image, "shop/z", "shop/far", CS_INGRESS), "-");
}

/* It is known by its tags alone: what its node may say of it counts. */
Test(policy_revocations, a_workload_without_addresses_elsewhere)
{
	_compiled_ c;

	compile_with(&c, WORKLOAD
		     "metadata: {name: deep, namespace: shop, labels: {app: deep}}\n"
		     "spec: {serviceAccount: deep, node: host-b}\n" REVOKE(
			     "r", "spiffeIDs: [\"spiffe://example.org/ns/shop/sa/deep\"]"));
	cr_expect_str_eq(side(c.image, "shop/deep", "shop/z", CS_INGRESS), "revoked");
	cr_expect_str_eq(side(c.image, "shop/far", "shop/z", CS_INGRESS), "allow");
}

Test(policy_revocations, the_trace_says_so)
{
	const struct policy_flow flow = {
		.from = "shop/x", .to = "shop/z", .port = 80, .protocol = IPPROTO_TCP
	};
	struct policy_explanation both[CS_DIRECTIONS];
	_cleanup_free_ char *trace = NULL;
	_compiled_ c;

	compile_with(&c, REVOKE("r", "workloads: [{namespace: shop, name: x}]"));
	cr_assert_eq(policy_explain(c.image, &flow, both), 0);
	trace = policy_trace(c.image, &both[CS_INGRESS]);
	cr_expect_str_eq(trace, "[Revocation] Deny (the workload, its SPIFFE ID or its node is "
				"revoked)");
	for (int d = 0; d < CS_DIRECTIONS; d++)
		policy_explanation_done(&both[d]);
}

/* Any backend may be the one that is reached: the worst of them counts. */
Test(policy_revocations, a_service_with_a_revoked_backend)
{
	static const char service[] =
		"---\napiVersion: v1\nkind: Service\nmetadata: {name: s, namespace: shop}\n"
		"spec: {clusterIP: 10.96.0.1, ports: [{port: 80}]}\n"
		"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
		"metadata: {name: s1, namespace: shop, labels: {kubernetes.io/service-name: s}}\n"
		"addressType: IPv4\nports: [{port: 80}]\n"
		"endpoints: [{addresses: [10.0.0.1]}, {addresses: [10.0.0.2]}]\n";
	char text[2048];
	_compiled_ c, free_of;

	snprintf(text, sizeof(text), "%s%s", service,
		 REVOKE("r", "workloads: [{namespace: shop, name: y}]"));
	compile_with(&c, text);
	cr_expect_str_eq(side(c.image, "shop/z", "10.96.0.1", CS_EGRESS), "revoked");
	cr_expect_str_eq(side(c.image, "shop/z", "10.96.0.1", CS_INGRESS), "revoked");
	compile_with(&free_of, service);
	cr_expect_str_eq(side(free_of.image, "shop/z", "10.96.0.1", CS_INGRESS), "allow");
}

Test(policy_revocations, a_diff_shows_who_is_cut_off)
{
	_compiled_ before, after;
	struct diff diff;
	size_t n = 0;

	compiled_init(&before);
	before.options.every_subject = true;
	compiled_must(&before, shop);
	compiled_init(&after);
	after.options.every_subject = true;
	compiled_parse(&after, "shop.yaml", shop);
	compiled_must(&after, REVOKE("r", "workloads: [{namespace: shop, name: x}]"));
	cr_assert_eq(policy_diff(&(struct diff_side){ before.set, before.image },
				 &(struct diff_side){ after.set, after.image }, 1, &diff),
		     0);
	for (size_t i = 0; i < diff.n; i++) {
		const struct diff_change *change = &diff.changes[i];
		bool mine = change->subjects.n == 1 && streq(change->subjects.item[0], "shop/x");

		cr_expect_eq(change->after.reason, CS_REASON_REVOKED);
		cr_expect_eq(change->after.verdict, CS_VERDICT_DENY);
		cr_expect(mine ||
			  (change->peers.n == 1 && startswith(change->peers.item[0], "shop/x")));
		n += mine;
	}
	cr_expect_gt(n, 0, "as a subject");
	cr_expect_gt(diff.n, n, "and as a peer");
	diff_done(&diff);
}

/* ---- changes in place ---- */

struct running {
	struct policy_engine *engine;
	struct image *image;
	struct compiled c;
	struct policy_result result;
};

static void stage_one(struct running *w, const char *name, const char *text)
{
	const struct policy_document document = { .name = name,
						  .text = text,
						  .length = text ? strlen(text) : 0 };

	cr_assert_eq(policy_engine_stage_one(w->engine, &document, &w->c.errors), 1, "%s", name);
	cr_assert_eq(policy_engine_compile(w->engine, &w->c.options, w->c.ids, POLICY_PEERS,
					   &w->result, &w->c.errors),
		     0);
}

static void put(struct running *w, const char *name, const char *text)
{
	stage_one(w, name, text);
	policy_engine_accept(w->engine);
	if (w->result.image != w->image)
		image_free(w->image);
	w->image = w->result.image;
}

static void begin(struct running *w)
{
	*w = (struct running){ 0 };
	compiled_init(&w->c);
	w->c.options.node_name = "host-a";
	cr_assert_eq(policy_engine_new(&w->engine), 0);
	put(w, "shop.yaml", shop);
	put(w, "revoked.yaml",
	    REVOKE("r", "workloads: [{namespace: shop, name: evil}], spiffeIDs: "
			"[\"spiffe://example.org/ns/shop/sa/bad\"]"));
	cr_assert_eq(w->result.effort, POLICY_WHOLE);
}

static void end(struct running *w)
{
	policy_engine_free(w->engine);
	image_free(w->image);
	compiled_done(&w->c);
}

#define FAR(name, account, node, address)                                          \
	WORKLOAD "metadata: {name: " name ", namespace: shop, labels: {app: n}}\n" \
		 "spec: {serviceAccount: " account ", node: " node ", addresses: [" address "]}\n"

static const struct image_placement *on_host(const struct image *image, const char *node,
					     const char *name)
{
	for (size_t i = 0; i < image->n_placements; i++)
		if (streq(image->placements[i].node, node) &&
		    image->placements[i].identity == image_identity(image, name)->identity)
			return &image->placements[i];
	return NULL;
}

Test(policy_revocations, who_comes_later_is_revoked_as_well)
{
	struct running w;

	begin(&w);
	put(&w, "n.yaml", FAR("evil", "n", "host-b", "10.0.1.1"));
	cr_expect_eq(w.result.effort, POLICY_PEERS);
	cr_expect(address_revoked(w.image, "10.0.1.1"));
	cr_expect_eq(on_host(w.image, "host-b", "shop/evil")->revoked, 1);
	put(&w, "n.yaml", FAR("other", "bad", "host-b", "10.0.1.2"));
	cr_expect_eq(w.result.effort, POLICY_PEERS);
	cr_expect(address_revoked(w.image, "10.0.1.2"));
	cr_expect(image_endpoint(w.image, "10.0.1.1")->gone);
	put(&w, "n.yaml", FAR("good", "n", "host-b", "10.0.1.1"));
	cr_expect_eq(w.result.effort, POLICY_PEERS);
	cr_expect_eq(on_host(w.image, "host-b", "shop/evil")->revoked, 0, "the same identity");
	for (size_t i = 0; i < w.image->n_endpoints; i++)
		cr_expect(w.image->endpoints[i].gone ||
			  !(w.image->endpoints[i].flags & CS_ENDPOINT_REVOKED));
	end(&w);
}

/* Connections are looked at again when some that passed may be denied now. */
Test(policy_revocations, a_delta_tells_when_it_restricts)
{
	struct running w;

	begin(&w);
	stage_one(&w, "n.yaml", FAR("good", "n", "host-b", "10.0.1.1"));
	cr_expect_not(w.result.delta->restricts);
	cr_assert_eq(w.result.delta->placements.n, 1);
	policy_engine_reject(w.engine);
	put(&w, "n.yaml", "# nothing\n");
	stage_one(&w, "n.yaml", FAR("evil", "n", "host-b", "10.0.1.1"));
	cr_assert_eq(w.result.effort, POLICY_PEERS);
	cr_expect(w.result.delta->restricts, "it was World's until now");
	end(&w);
}

Test(policy_revocations, a_move_is_a_change_of_two_placements)
{
	const struct image_placement *a, *b;
	struct running w;

	begin(&w);
	put(&w, "n.yaml", FAR("m", "n", "host-b", "10.0.1.1") FAR("o", "n", "host-b", "10.0.1.2"));
	a = on_host(w.image, "host-b", "shop/m");
	cr_assert_eq(a->workloads, 2);
	stage_one(&w, "n.yaml",
		  FAR("m", "n", "host-c", "10.0.1.1") FAR("o", "n", "host-b", "10.0.1.2"));
	cr_assert_eq(w.result.effort, POLICY_PEERS);
	cr_expect_eq(w.result.delta->placements.n, 2);
	cr_expect(w.result.delta->restricts, "host-b may not speak for m any more");
	b = on_host(w.image, "host-c", "shop/m");
	cr_assert_not_null(b);
	cr_expect_eq(a->workloads, 1);
	cr_expect_eq(b->workloads, 1);
	cr_expect_not(b->gone);
	policy_engine_reject(w.engine);
	cr_expect_null(on_host(w.image, "host-c", "shop/m"), "undone");
	cr_expect_eq(a->workloads, 2, "undone");
	end(&w);
}

/* Down and up again in one change: each placement is in the delta once, and back as it was. */
Test(policy_revocations, a_placement_is_in_a_delta_once)
{
	const struct image_placement *a;
	struct running w;

	begin(&w);
	put(&w, "n.yaml", FAR("m", "n", "host-b", "10.0.1.1"));
	stage_one(&w, "n.yaml",
		  FAR("p", "n", "host-b", "10.0.1.3") FAR("q", "n", "host-b", "10.0.1.4"));
	cr_assert_eq(w.result.effort, POLICY_PEERS);
	a = on_host(w.image, "host-b", "shop/m");
	cr_expect_eq(w.result.delta->placements.n, 1);
	cr_expect_eq(a->workloads, 2);
	policy_engine_reject(w.engine);
	cr_expect_eq(a->workloads, 1);
	cr_expect_not(a->gone);
	end(&w);
}

Test(policy_revocations, of_this_node_through_a_change_of_rules)
{
	struct running w;

	begin(&w);
	put(&w, "n.yaml",
	    WORKLOAD "metadata: {name: evil, namespace: shop, labels: {app: x}}\n"
		     "spec: {serviceAccount: x, cgroup: e, addresses: [10.0.1.1]}\n");
	cr_expect_eq(w.result.effort, POLICY_RULES);
	cr_expect(image_workload(w.image, "shop/evil")->revoked);
	cr_expect(address_revoked(w.image, "10.0.1.1"));
	cr_expect_eq(on_host(w.image, "host-a", "shop/x")->workloads, 3);
	cr_expect_eq(on_host(w.image, "host-a", "shop/x")->revoked, 1);
	put(&w, "revoked.yaml", NULL);
	cr_expect_eq(w.result.effort, POLICY_WHOLE);
	cr_expect_not(image_workload(w.image, "shop/evil")->revoked);
	end(&w);
}
