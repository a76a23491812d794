/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent knows of single rules: which are on this node, when they end, their age. */
#include <criterion/criterion.h>

#include "user/agent/local_rules.h"
#include "user/agent/rule_ages.h"

static struct image_rule names[6];
static struct cs_ruleset rulesets[2];
static struct image image;

static void setup(void)
{
	static const char *const rules[] = { "", "one", "two", "three", "four", "five" };

	for (size_t i = 1; i < ARRAY_SIZE(names); i++)
		names[i] = (struct image_rule){
			.kind = (char *)"IdentityPolicy",
			.namespace = (char *)"shop",
			.policy = (char *)"payments",
			.rule = (char *)rules[i],
		};
	memset(rulesets, 0, sizeof(rulesets));
	image = (struct image){
		.rules = names,
		.n_rules = ARRAY_SIZE(names),
		.rulesets = rulesets,
		.n_rulesets = ARRAY_SIZE(rulesets),
	};
}

TestSuite(agent_rules, .init = setup);

static void put(size_t ruleset, uint32_t id, uint64_t expires_ns, uint8_t flags)
{
	struct cs_ruleset *r = &rulesets[ruleset];

	r->rules[r->count++] = (struct cs_rule){
		.id = id,
		.expires_ns = expires_ns,
		.action = CS_ACTION_DENY,
		.flags = flags,
	};
	if (expires_ns)
		r->flags |= CS_RULESET_EXPIRES;
}

Test(agent_rules, local_ones_are_those_of_rulesets)
{
	_cleanup_free_ struct local_rule *rules = NULL;

	put(0, 1, 0, 0);
	put(1, 3, 50, 0);
	put(1, 2, 0, CS_RULE_AUDIT | CS_RULE_DEFAULT); /* nobody wrote it */
	put(1, 600, 0, 0); /* beyond the table */
	rules = local_rules(&image);
	cr_expect_eq(rules[1].action, CS_ACTION_DENY);
	cr_expect_eq(rules[2].action, 0);
	cr_expect_eq(rules[3].expires_ns, 50);
	cr_expect_eq(rules[4].action, 0);
}

Test(agent_rules, next_expiry)
{
	cr_expect_eq(local_rules_next_expiry(&image, 0), 0);
	cr_expect(!local_rules_expire(&image));
	put(0, 1, 0, 0);
	cr_expect_eq(local_rules_next_expiry(&image, 0), 0);
	put(0, 2, 1, 0); /* over before the start */
	put(1, 3, 70, 0);
	put(1, 4, 50, 0);
	cr_expect(local_rules_expire(&image));
	cr_expect_eq(local_rules_next_expiry(&image, 10), 50);
	cr_expect_eq(local_rules_next_expiry(&image, 50), 70);
	cr_expect_eq(local_rules_next_expiry(&image, 70), 0);
}

Test(agent_rules, ages_stay_and_new_rules_are_younger)
{
	struct rule_ages ages = { 0 };

	image.n_rules = 3;
	rule_ages_follow(&ages, &image, 100);
	image.n_rules = 5;
	rule_ages_follow(&ages, &image, 200);
	cr_expect_eq(rule_ages_get(&ages, &image, 1, 0, 900).since_ns, 100);
	cr_expect_eq(rule_ages_get(&ages, &image, 4, 0, 900).since_ns, 200);
	cr_expect_eq(rule_ages_get(&ages, &image, 4, 0, 900).base, 0);
	image.n_rules = 6;
	cr_expect_eq(rule_ages_get(&ages, &image, 5, 0, 900).since_ns, 900, "not seen before");
	rule_ages_done(&ages);
}

Test(agent_rules, an_id_that_was_given_away_counts_anew)
{
	struct rule_ages ages = { 0 };

	rule_ages_follow(&ages, &image, 100);
	names[2].rule = (char *)"another";
	cr_expect_eq(rule_ages_get(&ages, &image, 2, 7, 500).since_ns, 500);
	cr_expect_eq(rule_ages_get(&ages, &image, 2, 8, 600).since_ns, 500);
	cr_expect_eq(rule_ages_get(&ages, &image, 2, 8, 600).base, 7, "hits of the one before");
	cr_expect_eq(rule_ages_get(&ages, &image, 7, 3, 600).base, 3, "beyond the table");
	rule_ages_done(&ages);
}
