/* SPDX-License-Identifier: Apache-2.0 */
/* The truth table offline: policy_judge() for every pair, protocol, port and family. */
#include "tests/truth/truth.h"
#include "tests/unit/test_policy.h"

#define REPORTED_MAX 4 /* differences of one case */
#define BOOT_NS 10000000000 /* as in compiled_init() */

struct tally {
	unsigned long cases;
	unsigned long flows;
	unsigned int differ; /* of the case at hand */
};

static bool is_denied(const struct compiled *c, const struct policy_flow *flow)
{
	struct policy_judgement judgement;

	cr_assert_eq(policy_judge(c->image, flow, &judgement), 0, "%s > %s", flow->from, flow->to);
	return judgement.result.verdict == CS_VERDICT_DENY;
}

static void differs(struct tally *tally, const struct truth_case *c, const struct policy_flow *flow,
		    bool denied)
{
	if (tally->differ++ < REPORTED_MAX)
		cr_log_error("%s: %s > %s protocol %u port %u IPv%u: expected %s", c->name,
			     flow->from, flow->to, flow->protocol, flow->port, flow->family,
			     denied ? "deny" : "allow");
}

/* The world is known by its address alone. */
static const char *end_name(size_t end, size_t family)
{
	return end == TRUTH_WORLD ? truth_ends[end].address[family] : truth_ends[end].name;
}

/* Both ways to say who it is: by name, and by address. */
static void judge_pair(struct tally *tally, const struct compiled *compiled,
		       const struct truth_case *c, size_t from, size_t to)
{
	for (size_t i = 0; i < TRUTH_FLOWS; i++) {
		size_t family = i % TRUTH_FAMILIES;
		struct policy_flow flow = {
			.from = end_name(from, family),
			.to = end_name(to, family),
			.port = truth_ports[i / TRUTH_FAMILIES % TRUTH_PORTS],
			.protocol = truth_protocols[i / TRUTH_FAMILIES / TRUTH_PORTS],
			.family = family ? 6 : 4,
			.authenticated = true, /* which counts for TCP only */
			.boottime_ns = BOOT_NS,
		};
		bool denied = c->denied[i][from][to];

		if (is_denied(compiled, &flow) != denied)
			differs(tally, c, &flow, denied);
		flow.from = truth_ends[from].address[family];
		flow.to = truth_ends[to].address[family];
		if (is_denied(compiled, &flow) != denied)
			differs(tally, c, &flow, denied);
		tally->flows += 2;
	}
}

static void judge_also(struct tally *tally, const struct compiled *compiled,
		       const struct truth_case *c)
{
	for (size_t i = 0; i < c->n_also; i++) {
		const struct policy_flow flow = {
			.from = c->also[i].from,
			.to = c->also[i].to,
			.port = c->also[i].port,
			.protocol = c->also[i].protocol,
			.boottime_ns = BOOT_NS,
		};

		if (is_denied(compiled, &flow) == c->also[i].allowed)
			differs(tally, c, &flow, !c->also[i].allowed);
		tally->flows++;
	}
}

static void must_be_refused(const struct compiled *compiled, const struct truth_case *c)
{
	_cleanup_free_ char *text = NULL;

	cr_expect_eq(compiled->r, -EBADMSG, "%s: was not refused", c->name);
	if (compiled->r != -EBADMSG || !compiled->errors.n)
		return;
	text = policy_error_text(&compiled->errors.item[0]);
	cr_expect(strstr(text, c->refused), "%s: \"%s\" does not speak of %s", c->name, text,
		  c->refused);
}

static bool must_compile(struct compiled *compiled, const struct truth_case *c)
{
	_cleanup_free_ char *text = NULL;

	if (compiled->r == 0)
		compiled_compile(compiled);
	text = compiled->errors.n ? policy_error_text(&compiled->errors.item[0]) : NULL;
	cr_expect_eq(compiled->r, 0, "%s: %s", c->name, text ? text : strerror(-compiled->r));
	return compiled->r == 0;
}

static void judge_case(struct tally *tally, const char *world, const struct truth_case *c)
{
	_compiled_ compiled;

	tally->cases++;
	tally->differ = 0;
	compiled_init(&compiled);
	compiled.options.every_subject = true;
	compiled_parse(&compiled, "world.yaml", world);
	compiled_parse(&compiled, c->name, c->manifests);
	if (c->refused) {
		must_be_refused(&compiled, c);
		return;
	}
	if (!must_compile(&compiled, c))
		return;
	for (size_t from = 0; from < TRUTH_ENDS; from++)
		for (size_t to = 0; to < TRUTH_ENDS; to++)
			if (from != TRUTH_WORLD || to != TRUTH_WORLD)
				judge_pair(tally, &compiled, c, from, to);
	judge_also(tally, &compiled, c);
	cr_expect_eq(tally->differ, 0, "%s: %u flows differ", c->name, tally->differ);
}

static void judge_group(const char *name)
{
	_cleanup_free_ char *world = truth_text("world.yaml");
	_cleanup_(truth_done) struct truth_group group;
	struct tally tally = { .cases = 0 };

	cr_assert_not_null(world);
	cr_assert_eq(truth_load(name, &group), 0);
	for (size_t i = 0; i < group.n; i++)
		judge_case(&tally, world, group.cases[i]);
	fprintf(stderr, "%s: %lu cases, %lu flows judged offline\n", name, tally.cases,
		tally.flows);
}

/* clang-format off */
Test(truth, isolation) { judge_group("isolation"); }
Test(truth, peers) { judge_group("peers"); }
Test(truth, ports) { judge_group("ports"); }
Test(truth, blocks) { judge_group("blocks"); }
Test(truth, cluster) { judge_group("cluster"); }
Test(truth, cluster_match) { judge_group("cluster-match"); }
Test(truth, admin) { judge_group("admin"); }
Test(truth, mixed) { judge_group("mixed"); }
Test(truth, identity) { judge_group("identity"); }
/* clang-format on */
