/* SPDX-License-Identifier: Apache-2.0 */
/* The evaluator's staged walk and expiry: points 4 to 7 of verdict.h. */
#include "tests/unit/test_verdict.h"

#define AUDITED .flags = CS_RULE_AUDIT
#define ISOLATION(number) RULE(number, DENY, .flags = CS_RULE_AUDIT | CS_RULE_DEFAULT, .tier = 1)

static struct cs_ruleset open_ended(struct cs_ruleset rules)
{
	rules.default_verdict = CS_VERDICT_ALLOW;
	rules.default_reason = CS_REASON_NOT_ISOLATED;
	rules.default_rule = CS_RULE_ID_NONE;
	return rules;
}

Test(verdict_audit, p4_an_audit_deny_lets_through_and_is_named)
{
	struct cs_ruleset rules =
		RULES(RULE(1, DENY, AUDITED), RULE(2, DENY, AUDITED), RULE(3, ALLOW));
	struct cs_query query = query_of(IPPROTO_TCP, 80);

	EXPECT(rules, query, AUDIT, POLICY_DENY, 1);
}

Test(verdict_audit, p4_audit_does_not_hide_a_real_denial)
{
	struct cs_ruleset rules = RULES(RULE(1, DENY, AUDITED), RULE(2, DENY));
	struct cs_query query = query_of(IPPROTO_TCP, 80);

	EXPECT(rules, query, DENY, POLICY_DENY, 2);
}

Test(verdict_audit, p4_audit_on_an_allowing_default)
{
	struct cs_ruleset rules = open_ended(RULES(RULE(1, DENY, AUDITED)));
	struct cs_query query = query_of(IPPROTO_TCP, 80);

	EXPECT(rules, query, AUDIT, POLICY_DENY, 1);
}

Test(verdict_audit, p4_audit_on_a_denying_default_is_the_denial)
{
	struct cs_ruleset rules = RULES(RULE(1, DENY, AUDITED));
	struct cs_query query = query_of(IPPROTO_TCP, 80);

	EXPECT(rules, query, DENY, DEFAULT_DENY, 99);
}

Test(verdict_audit, p4_an_audit_allow_opens_nothing)
{
	struct cs_ruleset rules = RULES(RULE(1, ALLOW, AUDITED));
	struct cs_query query = query_of(IPPROTO_TCP, 80);

	EXPECT(rules, query, DENY, DEFAULT_DENY, 99);
}

Test(verdict_audit, p4_an_audit_allow_spares_the_staged_walk_what_follows)
{
	struct cs_ruleset rules =
		open_ended(RULES(RULE(1, ALLOW, AUDITED), RULE(2, DENY, AUDITED)));
	struct cs_query query = query_of(IPPROTO_TCP, 80);

	EXPECT(rules, query, ALLOW, NOT_ISOLATED, CS_RULE_ID_NONE);
}

Test(verdict_audit, p4_an_audit_allow_is_not_named_where_an_enforced_one_decides)
{
	struct cs_ruleset rules = RULES(RULE(1, ALLOW, AUDITED), RULE(2, ALLOW));
	struct cs_query query = query_of(IPPROTO_TCP, 80);

	EXPECT(rules, query, ALLOW, RULE, 2);
}

Test(verdict_audit, p4_an_audit_deny_behind_the_deciding_allow_is_not_seen)
{
	struct cs_ruleset rules = RULES(RULE(1, ALLOW), RULE(2, DENY, AUDITED));
	struct cs_query query = query_of(IPPROTO_TCP, 80);

	EXPECT(rules, query, ALLOW, RULE, 1);
}

/* Each tier, and both sides of the tier that the enforced rule is in. */
Test(verdict_audit, p4_an_audit_deny_counts_in_every_tier)
{
	struct cs_query query = query_of(IPPROTO_TCP, 80);

	for (uint8_t tier = 0; tier < 3; tier++) {
		struct cs_ruleset before =
			RULES(RULE(1, DENY, AUDITED, .tier = tier), RULE(2, ALLOW, .tier = 2));
		struct cs_ruleset after =
			RULES(RULE(1, ALLOW, .tier = 0), RULE(2, DENY, AUDITED, .tier = tier));

		EXPECT(before, query, AUDIT, POLICY_DENY, 1);
		EXPECT(after, query, ALLOW, RULE, 1);
	}
}

Test(verdict_audit, p4_an_audit_allow_counts_in_every_tier)
{
	struct cs_query query = query_of(IPPROTO_TCP, 80);

	for (uint8_t tier = 0; tier < 3; tier++) {
		struct cs_ruleset rules = open_ended(RULES(RULE(1, ALLOW, AUDITED, .tier = tier),
							   RULE(2, DENY, AUDITED, .tier = 2)));

		EXPECT(rules, query, ALLOW, NOT_ISOLATED, CS_RULE_ID_NONE);
	}
}

Test(verdict_audit, p4_an_audit_pass_skips_in_the_staged_walk_only)
{
	struct cs_query query = query_of(IPPROTO_TCP, 80);

	for (uint8_t tier = 0; tier < 3; tier++) {
		struct cs_ruleset deny =
			RULES(RULE(1, PASS, AUDITED, .tier = tier), RULE(2, DENY, .tier = tier));
		struct cs_ruleset allow = RULES(RULE(1, PASS, AUDITED, .tier = tier),
						RULE(2, ALLOW, .tier = tier),
						RULE(3, DENY, .tier = 3));

		EXPECT(deny, query, DENY, POLICY_DENY, 2);
		EXPECT(allow, query, AUDIT, POLICY_DENY, 3);
	}
}

Test(verdict_audit, p4_an_audit_pass_that_leads_into_the_default_says_so)
{
	struct cs_ruleset rules = RULES(RULE(1, PASS, AUDITED), RULE(2, ALLOW));
	struct cs_ruleset open = open_ended(rules);
	struct cs_query query = query_of(IPPROTO_TCP, 80);

	EXPECT(rules, query, AUDIT, DEFAULT_DENY, 99);
	EXPECT(open, query, ALLOW, RULE, 2);
}

Test(verdict_audit, p4_an_audit_pass_past_an_allow_for_the_verified_into_the_default)
{
	struct cs_ruleset rules = RULES(RULE(1, PASS, AUDITED), RULE(2, ALLOW),
					RULE(3, ALLOW, .flags = CS_RULE_AUTH, .tier = 1));
	struct cs_query query = query_of(IPPROTO_TCP, 80);

	EXPECT(rules, query, AUDIT, AUTH_REQUIRED, 3);
	query.authenticated = 1;
	EXPECT(rules, query, ALLOW, RULE, 2);
}

Test(verdict_audit, p4_a_pass_belongs_to_both_walks)
{
	struct cs_ruleset rules = open_ended(
		RULES(RULE(1, PASS), RULE(2, DENY, AUDITED), RULE(3, DENY, AUDITED, .tier = 1)));
	struct cs_query query = query_of(IPPROTO_TCP, 80);

	EXPECT(rules, query, AUDIT, POLICY_DENY, 3);
}

Test(verdict_audit, p4_the_enforced_walk_goes_on_after_the_staged_one_has_ended)
{
	struct cs_ruleset rules = RULES(RULE(1, DENY, AUDITED), RULE(2, PASS), RULE(3, DENY),
					RULE(4, ALLOW, .tier = 1));
	struct cs_query query = query_of(IPPROTO_TCP, 80);

	EXPECT(rules, query, AUDIT, POLICY_DENY, 1);
}

Test(verdict_audit, p4_the_staged_walk_goes_on_after_the_enforced_one_has_ended)
{
	struct cs_ruleset rules = RULES(RULE(1, PASS, AUDITED), RULE(2, ALLOW),
					RULE(3, ALLOW, .tier = 1, AUDITED),
					RULE(4, DENY, .tier = 1));
	struct cs_query query = query_of(IPPROTO_TCP, 80);

	EXPECT(rules, query, ALLOW, RULE, 2);
	rules.rules[2].protocol = IPPROTO_UDP;
	EXPECT(rules, query, AUDIT, POLICY_DENY, 4);
}

Test(verdict_audit, p4_an_audit_rule_that_does_not_cover_says_nothing)
{
	struct cs_ruleset rules = RULES(RULE(1, DENY, AUDITED, .protocol = IPPROTO_UDP),
					RULE(2, DENY, AUDITED, .expires_ns = 5), RULE(3, ALLOW));
	struct cs_query query = query_of(IPPROTO_TCP, 80);

	query.now_ns = 5;
	EXPECT(rules, query, ALLOW, RULE, 3);
	query.now_ns = 4;
	EXPECT(rules, query, AUDIT, POLICY_DENY, 2);
}

Test(verdict_audit, p4_a_staged_denial_is_named_on_an_auditing_default)
{
	struct cs_ruleset rules = RULES(RULE(1, DENY, AUDITED, .protocol = IPPROTO_TCP));
	struct cs_query tcp = query_of(IPPROTO_TCP, 80), udp = query_of(IPPROTO_UDP, 80);

	rules.default_verdict = CS_VERDICT_AUDIT;
	rules.default_reason = CS_REASON_DEFAULT_ACTION;
	EXPECT(rules, tcp, AUDIT, POLICY_DENY, 1);
	EXPECT(rules, udp, AUDIT, DEFAULT_ACTION, 99);
}

Test(verdict_audit, p4_without_its_flag_a_ruleset_has_no_staged_walk)
{
	struct cs_ruleset rules = RULES(RULE(1, DENY, AUDITED), RULE(2, ALLOW));
	struct cs_query query = query_of(IPPROTO_TCP, 80);

	rules.flags = 0;
	EXPECT(rules, query, ALLOW, RULE, 2);
}

Test(verdict_audit, p6_audited_isolation_is_a_default_denial_that_passes)
{
	struct cs_ruleset rules = open_ended(
		RULES(RULE(1, ALLOW, AUDITED, .protocol = IPPROTO_UDP, .tier = 1), ISOLATION(7)));
	struct cs_query tcp = query_of(IPPROTO_TCP, 80), udp = query_of(IPPROTO_UDP, 80);

	EXPECT(rules, tcp, AUDIT, DEFAULT_DENY, 7);
	EXPECT(rules, udp, ALLOW, NOT_ISOLATED, CS_RULE_ID_NONE);
}

Test(verdict_audit, p6_audited_isolation_leaves_baseline_in_force)
{
	struct cs_ruleset deny = open_ended(RULES(ISOLATION(7), RULE(8, DENY, .tier = 2)));
	struct cs_ruleset allow = RULES(ISOLATION(7), RULE(8, ALLOW, .tier = 2));
	struct cs_query query = query_of(IPPROTO_TCP, 80);

	EXPECT(deny, query, DENY, POLICY_DENY, 8);
	EXPECT(allow, query, AUDIT, DEFAULT_DENY, 7);
}

Test(verdict_audit, p6_audited_isolation_comes_after_the_tiers_above)
{
	struct cs_ruleset rules = RULES(RULE(1, ALLOW), ISOLATION(7));
	struct cs_query query = query_of(IPPROTO_TCP, 80);

	EXPECT(rules, query, ALLOW, RULE, 1);
}

Test(verdict_audit, p6_audited_isolation_names_the_rule_that_missed_only_auth)
{
	struct cs_ruleset rules = open_ended(RULES(
		RULE(1, ALLOW, .flags = CS_RULE_AUDIT | CS_RULE_AUTH, .tier = 1),
		RULE(2, ALLOW, .flags = CS_RULE_AUDIT | CS_RULE_AUTH, .tier = 1), ISOLATION(7)));
	struct cs_query query = query_of(IPPROTO_TCP, 80);

	EXPECT(rules, query, AUDIT, AUTH_REQUIRED, 1);
	query.authenticated = 1;
	EXPECT(rules, query, ALLOW, NOT_ISOLATED, CS_RULE_ID_NONE);
}

Test(verdict_audit, p6_an_audit_auth_rule_does_not_explain_an_enforced_default)
{
	struct cs_ruleset rules = RULES(RULE(1, ALLOW, .flags = CS_RULE_AUDIT | CS_RULE_AUTH));
	struct cs_query query = query_of(IPPROTO_TCP, 80);

	EXPECT(rules, query, DENY, DEFAULT_DENY, 99);
}

Test(verdict_audit, p4_a_written_audit_deny_is_no_default_even_after_a_missed_auth)
{
	struct cs_ruleset rules = open_ended(RULES(
		RULE(1, ALLOW, .flags = CS_RULE_AUDIT | CS_RULE_AUTH), RULE(2, DENY, AUDITED)));
	struct cs_query query = query_of(IPPROTO_TCP, 80);

	EXPECT(rules, query, AUDIT, POLICY_DENY, 2);
}

Test(verdict_audit, p5_pass_does_not_skip_isolation)
{
	struct cs_ruleset enforced = RULES(RULE(1, PASS, .tier = 1));
	struct cs_ruleset audited = open_ended(RULES(RULE(1, PASS, .tier = 1), ISOLATION(7)));
	struct cs_query query = query_of(IPPROTO_TCP, 80);

	EXPECT(enforced, query, DENY, DEFAULT_DENY, 99);
	EXPECT(audited, query, AUDIT, DEFAULT_DENY, 7);
	audited.rules[0].flags = CS_RULE_AUDIT;
	EXPECT(audited, query, AUDIT, DEFAULT_DENY, 7);
}

Test(verdict_audit, p7_the_earliest_expiry_of_a_rule_that_covered)
{
	struct cs_ruleset rules = RULES(RULE(1, ALLOW, .flags = CS_RULE_AUTH, .expires_ns = 700),
					RULE(2, PASS, .expires_ns = 500),
					RULE(3, DENY, .expires_ns = 100, .protocol = IPPROTO_UDP),
					RULE(4, ALLOW, .tier = 1, .expires_ns = 900),
					RULE(5, DENY, .tier = 1, .expires_ns = 200));
	struct cs_query query = query_of(IPPROTO_TCP, 80);

	EXPECT(rules, query, ALLOW, RULE, 4);
	cr_expect_eq(judge(&rules, &query).expires_ns, 500);
	rules.rules[1].expires_ns = 0;
	cr_expect_eq(judge(&rules, &query).expires_ns, 700);
	rules.rules[0].expires_ns = 0;
	cr_expect_eq(judge(&rules, &query).expires_ns, 900);
	rules.rules[3].expires_ns = 0;
	cr_expect_eq(judge(&rules, &query).expires_ns, 0);
}

Test(verdict_audit, p7_a_denial_holds_until_its_rule_expires)
{
	struct cs_ruleset rules = RULES(RULE(1, DENY, .expires_ns = 50), RULE(2, ALLOW));
	struct cs_query query = query_of(IPPROTO_TCP, 80);

	EXPECT(rules, query, DENY, POLICY_DENY, 1);
	cr_expect_eq(judge(&rules, &query).expires_ns, 50);
	query.now_ns = 50;
	EXPECT(rules, query, ALLOW, RULE, 2);
	cr_expect_eq(judge(&rules, &query).expires_ns, 0);
}

Test(verdict_audit, p7_a_default_holds_until_the_pass_before_it_expires)
{
	struct cs_ruleset rules = RULES(RULE(1, PASS, .expires_ns = 50), RULE(2, ALLOW));
	struct cs_query query = query_of(IPPROTO_TCP, 80);

	EXPECT(rules, query, DENY, DEFAULT_DENY, 99);
	cr_expect_eq(judge(&rules, &query).expires_ns, 50);
}

Test(verdict_audit, p7_what_the_staged_walk_met_counts)
{
	struct cs_ruleset rules = RULES(RULE(1, DENY, AUDITED, .expires_ns = 50), RULE(2, ALLOW));
	struct cs_query query = query_of(IPPROTO_TCP, 80);

	EXPECT(rules, query, AUDIT, POLICY_DENY, 1);
	cr_expect_eq(judge(&rules, &query).expires_ns, 50);
}

Test(verdict_audit, p7_a_skipped_rule_does_not_count)
{
	struct cs_ruleset rules =
		RULES(RULE(1, PASS), RULE(2, DENY, .expires_ns = 50), RULE(3, ALLOW, .tier = 1));
	struct cs_query query = query_of(IPPROTO_TCP, 80);

	EXPECT(rules, query, ALLOW, RULE, 3);
	cr_expect_eq(judge(&rules, &query).expires_ns, 0);
}

/*
 * Point 4 as a law: take Audit away from every rule and the verdict is the staged one's;
 * leave the Audit rules out and it is the enforced one's. Over many small rulesets.
 */
static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

static struct cs_ruleset random_rules(uint32_t *state)
{
	struct cs_rule rules[6];
	struct cs_ruleset set;
	uint8_t tier = 0;

	for (uint32_t i = 0; i < ARRAY_SIZE(rules); i++) {
		uint32_t r = next_random(state);

		tier += (r & 3) == 0 && tier < 2;
		rules[i] = (struct cs_rule)RULE(i + 1, ALLOW, .tier = tier);
		rules[i].action = 1 + (r >> 2) % 3;
		rules[i].flags = (r >> 5) & (CS_RULE_AUTH | CS_RULE_AUDIT);
		rules[i].protocol = (r >> 8) & 1 ? IPPROTO_TCP : 0;
		rules[i].port_max = (r >> 9) & 1 ? CS_PORT_MAX : 79;
	}
	set = rules_of(rules, ARRAY_SIZE(rules));
	return next_random(state) & 1 ? open_ended(set) : set;
}

static struct cs_ruleset without_audit(const struct cs_ruleset *from, bool keep)
{
	struct cs_ruleset set = *from;

	set.count = 0;
	set.flags = 0;
	for (uint32_t i = 0; i < from->count; i++) {
		if (from->rules[i].flags & CS_RULE_AUDIT && !keep)
			continue;
		set.rules[set.count] = from->rules[i];
		set.rules[set.count++].flags &= ~CS_RULE_AUDIT;
	}
	return set;
}

Test(verdict_audit, p4_says_just_what_enforcing_would)
{
	struct cs_query query = query_of(IPPROTO_TCP, 80);
	uint32_t state = 1;

	for (int i = 0; i < 20000; i++) {
		struct cs_ruleset rules = random_rules(&state);
		struct cs_ruleset now = without_audit(&rules, false);
		struct cs_ruleset then = without_audit(&rules, true);
		struct cs_result got = judge(&rules, &query), enforced = judge(&now, &query),
				 staged = judge(&then, &query);
		bool audit = enforced.verdict == CS_VERDICT_ALLOW &&
			     staged.verdict == CS_VERDICT_DENY;
		const struct cs_result *want = audit ? &staged : &enforced;

		cr_assert_eq(got.verdict, audit ? CS_VERDICT_AUDIT : want->verdict, "ruleset %d",
			     i);
		cr_assert_eq(got.rule, want->rule, "ruleset %d", i);
		cr_assert_eq(got.reason, want->reason, "ruleset %d", i);
		query.authenticated = !query.authenticated;
	}
}
