/* SPDX-License-Identifier: Apache-2.0 */
/* The evaluator. Each test names the point of verdict.h that it holds to. */
#include "tests/unit/test_verdict.h"

enum { BIT = 7, OTHER_BIT = 4095 };

static struct cs_bitmap some;

static void setup(void)
{
	memset(&some, 0, sizeof(some));
	some.word[0] = 1ULL << BIT;
}

TestSuite(verdict, .init = setup);

Test(verdict, p1_first_rule_that_covers_decides)
{
	struct cs_ruleset rules =
		RULES(RULE(1, ALLOW, .protocol = IPPROTO_UDP), RULE(2, ALLOW), RULE(3, DENY));
	struct cs_query query = query_of(IPPROTO_TCP, 80);

	EXPECT(rules, query, ALLOW, RULE, 2);
}

Test(verdict, p1_a_deny_in_front_wins)
{
	struct cs_ruleset rules = RULES(RULE(1, DENY), RULE(2, ALLOW));
	struct cs_query query = query_of(IPPROTO_TCP, 80);

	EXPECT(rules, query, DENY, POLICY_DENY, 1);
}

Test(verdict, p1_the_last_of_256_rules_counts)
{
	static struct cs_rule many[CS_RULES_MAX];
	struct cs_query query = query_of(IPPROTO_TCP, 80);
	struct cs_ruleset rules;

	for (uint32_t i = 0; i < CS_RULES_MAX; i++)
		many[i] = (struct cs_rule)RULE(i + 1, ALLOW, .protocol = IPPROTO_UDP);
	many[CS_RULES_MAX - 1].protocol = IPPROTO_TCP;
	rules = rules_of(many, CS_RULES_MAX);
	EXPECT(rules, query, ALLOW, RULE, CS_RULES_MAX);
}

Test(verdict, p1_a_count_beyond_the_table_is_cut)
{
	struct cs_ruleset rules = RULES(RULE(1, ALLOW, .protocol = IPPROTO_UDP));
	struct cs_query query = query_of(IPPROTO_SCTP, 80);

	for (uint32_t i = 0; i < CS_RULES_MAX; i++)
		rules.rules[i] = rules.rules[0];
	rules.count = UINT32_MAX;
	EXPECT(rules, query, DENY, DEFAULT_DENY, 99);
}

Test(verdict, p2_protocol_must_match)
{
	struct cs_ruleset rules = RULES(RULE(1, ALLOW, .protocol = IPPROTO_TCP));
	struct cs_query tcp = query_of(IPPROTO_TCP, 80), udp = query_of(IPPROTO_UDP, 80);

	EXPECT(rules, tcp, ALLOW, RULE, 1);
	EXPECT(rules, udp, DENY, DEFAULT_DENY, 99);
}

Test(verdict, p2_protocol_zero_is_any)
{
	struct cs_ruleset rules = RULES(RULE(1, ALLOW));
	struct cs_query icmp = query_of(IPPROTO_ICMP, 0), sctp = query_of(IPPROTO_SCTP, 9);

	EXPECT(rules, icmp, ALLOW, RULE, 1);
	EXPECT(rules, sctp, ALLOW, RULE, 1);
}

Test(verdict, p2_port_range_has_both_ends)
{
	struct cs_ruleset rules = RULES(RULE(1, ALLOW, .port_min = 80));
	static const struct {
		uint16_t port;
		bool covered;
	} cases[] = { { 79, false }, { 80, true }, { 85, true }, { 90, true }, { 91, false } };

	rules.rules[0].port_max = 90;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cs_query query = query_of(IPPROTO_TCP, cases[i].port);
		struct cs_result result = judge(&rules, &query);

		cr_expect_eq(result.verdict, cases[i].covered ? CS_VERDICT_ALLOW : CS_VERDICT_DENY,
			     "port %u", cases[i].port);
	}
}

Test(verdict, p2_a_range_never_covers_what_has_no_port)
{
	struct cs_ruleset rules = RULES(RULE(1, ALLOW));
	struct cs_query icmp = query_of(IPPROTO_ICMP, 0);

	rules.rules[0].port_max = CS_PORT_MAX - 1;
	EXPECT(rules, icmp, DENY, DEFAULT_DENY, 99);
	rules.rules[0].port_min = 1;
	rules.rules[0].port_max = CS_PORT_MAX;
	EXPECT(rules, icmp, DENY, DEFAULT_DENY, 99);
}

Test(verdict, p2_peer_by_identity_or_by_address)
{
	struct cs_ruleset rules = RULES(
		{ .id = 1, .action = CS_ACTION_ALLOW, .selector = BIT, .port_max = CS_PORT_MAX });
	struct cs_query query = query_of(IPPROTO_TCP, 80);

	EXPECT(rules, query, DENY, DEFAULT_DENY, 99);
	query.identity = &some;
	EXPECT(rules, query, ALLOW, RULE, 1);
	query.identity = &no_bits;
	query.address = &some;
	EXPECT(rules, query, ALLOW, RULE, 1);
}

Test(verdict, p2_the_highest_selector_works)
{
	struct cs_ruleset rules = RULES({ .id = 1,
					  .action = CS_ACTION_ALLOW,
					  .selector = OTHER_BIT,
					  .port_max = CS_PORT_MAX });
	struct cs_query query = query_of(IPPROTO_TCP, 80);

	query.identity = &some;
	EXPECT(rules, query, DENY, DEFAULT_DENY, 99);
	some.word[63] = 1ULL << 63;
	EXPECT(rules, query, ALLOW, RULE, 1);
}

Test(verdict, p2_expiry)
{
	struct cs_ruleset rules = RULES(RULE(1, ALLOW, .expires_ns = 1000));
	struct cs_query query = query_of(IPPROTO_TCP, 80);

	query.now_ns = 999;
	EXPECT(rules, query, ALLOW, RULE, 1);
	cr_expect_eq(judge(&rules, &query).expires_ns, 1000);
	query.now_ns = 1000;
	EXPECT(rules, query, DENY, DEFAULT_DENY, 99);
}

Test(verdict, p3_auth_covers_verified_peers_only)
{
	struct cs_ruleset rules = RULES(RULE(1, ALLOW, .flags = CS_RULE_AUTH));
	struct cs_query query = query_of(IPPROTO_TCP, 80);

	EXPECT(rules, query, DENY, AUTH_REQUIRED, 1);
	query.authenticated = 1;
	EXPECT(rules, query, ALLOW, RULE, 1);
}

Test(verdict, p3_the_first_rule_that_missed_only_auth_is_named)
{
	struct cs_ruleset rules =
		RULES(RULE(1, ALLOW, .flags = CS_RULE_AUTH, .protocol = IPPROTO_UDP),
		      RULE(2, ALLOW, .flags = CS_RULE_AUTH), RULE(3, ALLOW, .flags = CS_RULE_AUTH));
	struct cs_query query = query_of(IPPROTO_TCP, 80);

	EXPECT(rules, query, DENY, AUTH_REQUIRED, 2);
}

Test(verdict, p3_another_rule_may_still_allow)
{
	struct cs_ruleset rules = RULES(RULE(1, ALLOW, .flags = CS_RULE_AUTH), RULE(2, ALLOW));
	struct cs_query query = query_of(IPPROTO_TCP, 80);

	EXPECT(rules, query, ALLOW, RULE, 2);
}

Test(verdict, p3_a_deny_is_not_excused_by_auth)
{
	struct cs_ruleset rules =
		RULES(RULE(1, ALLOW, .flags = CS_RULE_AUTH), RULE(2, DENY, .flags = CS_RULE_AUTH));
	struct cs_query query = query_of(IPPROTO_TCP, 80);

	EXPECT(rules, query, DENY, POLICY_DENY, 2);
}

Test(verdict, p3_an_allowing_default_keeps_its_reason)
{
	struct cs_ruleset rules = RULES(RULE(1, ALLOW, .flags = CS_RULE_AUTH));
	struct cs_query query = query_of(IPPROTO_TCP, 80);

	rules.default_verdict = CS_VERDICT_ALLOW;
	rules.default_reason = CS_REASON_NOT_ISOLATED;
	EXPECT(rules, query, ALLOW, NOT_ISOLATED, 99);
}

Test(verdict, p5_pass_skips_the_rest_of_its_tier)
{
	struct cs_ruleset rules = RULES(RULE(1, PASS, .tier = 0), RULE(2, DENY, .tier = 0),
					RULE(3, ALLOW, .tier = 1));
	struct cs_query query = query_of(IPPROTO_TCP, 80);

	EXPECT(rules, query, ALLOW, RULE, 3);
}

Test(verdict, p5_pass_that_does_not_cover_skips_nothing)
{
	struct cs_ruleset rules = RULES(RULE(1, PASS, .tier = 0, .protocol = IPPROTO_UDP),
					RULE(2, DENY, .tier = 0), RULE(3, ALLOW, .tier = 1));
	struct cs_query query = query_of(IPPROTO_TCP, 80);

	EXPECT(rules, query, DENY, POLICY_DENY, 2);
}

Test(verdict, p5_pass_works_in_every_tier)
{
	struct cs_ruleset rules = RULES(RULE(1, PASS, .tier = 0), RULE(2, PASS, .tier = 255),
					RULE(3, DENY, .tier = 255));
	struct cs_query query = query_of(IPPROTO_TCP, 80);

	EXPECT(rules, query, DENY, DEFAULT_DENY, 99);
}

Test(verdict, p6_no_rule_means_the_default)
{
	struct cs_ruleset rules = { .default_verdict = CS_VERDICT_AUDIT,
				    .default_reason = CS_REASON_DEFAULT_DENY,
				    .default_rule = 5 };
	struct cs_query query = query_of(IPPROTO_TCP, 80);

	EXPECT(rules, query, AUDIT, DEFAULT_DENY, 5);
}
