/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the evaluator share: rulesets in a line, and what to expect of them. */
#pragma once

#include <countersign/verdict.h>
#include <criterion/criterion.h>
#include <netinet/in.h>

#include "user/base/util.h"

static const struct cs_bitmap no_bits;

static inline struct cs_ruleset rules_of(const struct cs_rule *rules, uint32_t n)
{
	struct cs_ruleset set = {
		.count = n,
		.default_rule = 99,
		.default_verdict = CS_VERDICT_DENY,
		.default_reason = CS_REASON_DEFAULT_DENY,
	};

	memcpy(set.rules, rules, n * sizeof(*rules));
	for (uint32_t i = 0; i < n; i++)
		if (rules[i].flags & CS_RULE_AUDIT)
			set.flags |= CS_RULESET_AUDIT;
	return set;
}

#define RULES(...)                                        \
	rules_of((const struct cs_rule[]){ __VA_ARGS__ }, \
		 ARRAY_SIZE(((const struct cs_rule[]){ __VA_ARGS__ })))

#define RULE(number, verb, ...)                                                          \
	{                                                                                \
		.id = (number), .action = CS_ACTION_##verb, .selector = CS_SELECTOR_ANY, \
		.port_max = CS_PORT_MAX, __VA_ARGS__                                     \
	}

static inline struct cs_query query_of(uint8_t protocol, uint16_t port)
{
	return (struct cs_query){
		.identity = &no_bits, .address = &no_bits, .protocol = protocol, .port = port
	};
}

static inline struct cs_result judge(const struct cs_ruleset *rules, const struct cs_query *query)
{
	struct cs_result result;

	cs_evaluate(rules, query, &result);
	return result;
}

#define EXPECT(rules, query, want_verdict, want_reason, want_rule)                             \
	do {                                                                                   \
		struct cs_result _r = judge(&(rules), &(query));                               \
		cr_expect_eq(_r.verdict, CS_VERDICT_##want_verdict, "verdict %u", _r.verdict); \
		cr_expect_eq(_r.reason, CS_REASON_##want_reason, "reason %u", _r.reason);      \
		cr_expect_eq(_r.rule, (want_rule), "rule %u", _r.rule);                        \
	} while (0)
