/* SPDX-License-Identifier: Apache-2.0 */
/* The product against the reference, and the smallest set that still shows a difference. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/differential/neutral.h"
#include "user/policy/policy.h"

#define NO_VERDICT (-1)

static const char *const verdicts[] = { "allow", "deny", "audit" };

/* One set, compiled by the product. */
struct product {
	struct policy_set *set;
	struct rule_ids *ids;
	struct image *image;
	struct policy_errors errors;
	int r;
};

static void product_done(struct product *p)
{
	policy_set_free(p->set);
	rule_ids_free(p->ids);
	image_free(p->image);
	policy_errors_done(&p->errors);
}

static char *manifests(const struct n_set *set, size_t *ret_length)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, ret_length);

	if (!out)
		abort();
	n_emit(set, out);
	fclose(out);
	return text;
}

static void product_compile(const struct n_set *set, struct product *ret)
{
	static const uint8_t defaults[] = { CS_VERDICT_ALLOW, CS_VERDICT_DENY, CS_VERDICT_AUDIT };
	static const char *const hosts[] = { "192.0.2.9/32", NULL };
	const struct policy_options options = {
		.trust_domain = "example.org",
		.default_verdict = defaults[set->default_verdict],
		.host_addresses = hosts,
		.salt = { 1, 2 },
		.realtime_ns = REALTIME_S * 1000000000ULL,
		.boottime_ns = BOOTTIME_S * 1000000000ULL,
		.every_subject = true,
	};
	size_t length = 0;
	char *text = manifests(set, &length);

	*ret = (struct product){ .r = 0 };
	if (policy_set_new(&ret->set) < 0 || rule_ids_new(&ret->ids) < 0)
		abort();
	ret->r = policy_set_parse(ret->set, "set.yaml", text, length, &ret->errors);
	if (ret->r == 0)
		ret->r = policy_compile(ret->set, &options, ret->ids, &ret->image, &ret->errors);
	free(text);
}

/* enum n_verdict, or NO_VERDICT. */
static int product_judge(const struct product *p, const struct n_set *set,
			 const struct n_flow *flow)
{
	static const uint8_t protocols[] = { 0, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP };
	static const int results[CS_VERDICT_MAX] = { NO_VERDICT, N_ALLOW, N_DENY, N_AUDIT };
	struct policy_judgement judgement;
	char from[64], to[64];
	const struct policy_flow asked = {
		.from = from,
		.to = to,
		.port = flow->port,
		.protocol = protocols[flow->protocol],
		.family = flow->family ? 6 : 4,
		.authenticated = flow->authenticated,
		.boottime_ns = flow->boottime_s * 1000000000ULL,
	};

	n_end_text(set, &flow->from, from);
	n_end_text(set, &flow->to, to);
	if (policy_judge(p->image, &asked, &judgement) < 0)
		return NO_VERDICT;
	return results[judgement.result.verdict % CS_VERDICT_MAX];
}

static bool still_differs(const struct n_set *set, const struct n_flow *flow)
{
	struct product p;
	bool differs;

	product_compile(set, &p);
	differs = p.r == 0 && product_judge(&p, set, flow) != (int)n_judge(set, flow);
	product_done(&p);
	return differs;
}

/* Takes item @i out of @n of @size bytes each; what follows moves up. */
static void take_out(void *items, uint8_t *n, size_t i, size_t size)
{
	char *at = (char *)items + i * size;

	memmove(at, at + size, (*n - i - 1) * size);
	--*n;
}

/* Tries the set without one item; keeps it that way when the difference stays. */
#define TRY_WITHOUT(set, flow, list, count, i)                    \
	do {                                                      \
		struct n_set before_ = *(set);                    \
		take_out((list), &(count), (i), sizeof(*(list))); \
		if (!still_differs((set), (flow)))                \
			*(set) = before_;                         \
	} while (0)

static void shrink_rule(struct n_set *set, const struct n_flow *flow, struct n_rule *rule)
{
	for (size_t i = rule->n_peers; i-- > 0 && rule->n_peers > 1;)
		TRY_WITHOUT(set, flow, rule->peer, rule->n_peers, i);
	for (size_t i = rule->n_ports; i-- > 0;)
		TRY_WITHOUT(set, flow, rule->port, rule->n_ports, i);
}

static void shrink(struct n_set *set, const struct n_flow *flow)
{
	for (size_t i = set->n_policies; i-- > 0;)
		TRY_WITHOUT(set, flow, set->policy, set->n_policies, i);
	for (size_t i = 0; i < set->n_policies; i++) {
		struct n_policy *policy = &set->policy[i];

		for (int d = 0; d < 2; d++)
			for (size_t r = policy->n_rules[d]; r-- > 0;)
				TRY_WITHOUT(set, flow, policy->rule[d], policy->n_rules[d], r);
		for (int d = 0; d < 2; d++)
			for (size_t r = 0; r < policy->n_rules[d]; r++)
				shrink_rule(set, flow, &policy->rule[d][r]);
	}
}

static void report(const struct n_options *options, const struct n_set *original,
		   const struct n_flow *flow, uint64_t seed)
{
	struct n_set set = *original;
	struct product p;
	int product;

	shrink(&set, flow);
	product_compile(&set, &p);
	product = product_judge(&p, &set, flow);
	fprintf(options->out, "# seed %llu: ", (unsigned long long)seed);
	n_flow_text(&set, flow, options->out);
	fprintf(options->out, "\n# reference: %s, product: %s; the default is %s\n",
		verdicts[n_judge(&set, flow)], product < 0 ? "none" : verdicts[product],
		verdicts[set.default_verdict]);
	n_emit(&set, options->out);
	fputs("\n", options->out);
	product_done(&p);
}

static void report_refused(const struct n_options *options, const struct n_set *set,
			   const struct product *p, uint64_t seed)
{
	char *text = p->errors.n ? policy_error_text(&p->errors.item[0]) : NULL;

	fprintf(options->out, "# seed %llu was refused: %s\n", (unsigned long long)seed,
		text ? text : strerror(-p->r));
	n_emit(set, options->out);
	free(text);
}

static void compare_set(const struct n_options *options, uint64_t seed, struct n_tally *tally)
{
	struct n_random random = { seed * 0x2545f4914f6cdd1dULL };
	bool reported = false;
	struct n_flow flow;
	struct product p;
	struct n_set set;

	n_set_random(&random, &set);
	product_compile(&set, &p);
	tally->sets++;
	if (p.r < 0) {
		if (tally->refused++ < options->differences_max)
			report_refused(options, &set, &p, seed);
		product_done(&p);
		return;
	}
	for (unsigned long i = 0; i < options->flows; i++) {
		int expected;

		n_flow_random(&random, &set, &flow);
		expected = n_judge(&set, &flow);
		tally->verdicts++;
		tally->of[expected]++;
		if (product_judge(&p, &set, &flow) == expected)
			continue;
		tally->differences++;
		/* One of each set will do. */
		if (!reported)
			report(options, &set, &flow, seed);
		reported = true;
	}
	product_done(&p);
}

void n_compare(const struct n_options *options, struct n_tally *ret)
{
	*ret = (struct n_tally){ .sets = 0 };
	for (unsigned long i = 0; i < options->sets; i++) {
		compare_set(options, options->seed + i, ret);
		if (ret->differences >= options->differences_max)
			break;
	}
}
