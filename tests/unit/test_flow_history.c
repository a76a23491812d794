/* SPDX-License-Identifier: Apache-2.0 */
/* The ring of past events, and look-ups by number. */
#include "test_flow_image.h"

#include "user/flow/names.h"
#include "user/flow/text.h"

static struct flow_history *history_with(size_t capacity, uint32_t events)
{
	struct flow_history *history = NULL;

	cr_assert_eq(flow_history_new(capacity, &history), 0);
	for (uint32_t i = 0; i < events; i++)
		flow_history_add(history, &(struct cs_event){ .pid = i });
	return history;
}

Test(flow_history, empty)
{
	struct flow_history *history = history_with(4, 0);

	cr_expect_eq(flow_history_next(history), 0);
	cr_expect_null(flow_history_get(history, 0));
	cr_expect_null(flow_history_free(history));
}

Test(flow_history, not_yet_full)
{
	struct flow_history *history = history_with(4, 3);

	cr_expect_eq(flow_history_next(history), 3);
	for (uint32_t i = 0; i < 3; i++)
		cr_expect_eq(flow_history_get(history, i)->pid, i);
	cr_expect_null(flow_history_get(history, 3));
	flow_history_free(history);
}

Test(flow_history, full_to_the_brim)
{
	struct flow_history *history = history_with(4, 4);

	cr_assert_not_null(flow_history_get(history, 0));
	cr_expect_eq(flow_history_get(history, 0)->pid, 0);
	cr_expect_eq(flow_history_get(history, 3)->pid, 3);
	flow_history_free(history);
}

Test(flow_history, wraps_around)
{
	struct flow_history *history = history_with(4, 10);

	cr_expect_eq(flow_history_next(history), 10);
	cr_expect_null(flow_history_get(history, 5));
	for (uint32_t i = 6; i < 10; i++)
		cr_expect_eq(flow_history_get(history, i)->pid, i);
	cr_expect_null(flow_history_get(history, 10));
	cr_expect_null(flow_history_get(history, UINT64_MAX));
	flow_history_free(history);
}

Test(flow_history, of_one)
{
	struct flow_history *history = history_with(1, 3);

	cr_expect_null(flow_history_get(history, 1));
	cr_expect_eq(flow_history_get(history, 2)->pid, 2);
	flow_history_free(history);
}

Test(flow_history, limits)
{
	struct flow_history *history = NULL;

	cr_expect_eq(flow_history_new(0, &history), -EINVAL);
	cr_expect_eq(flow_history_new(FLOW_HISTORY_MAX + 1, &history), -EINVAL);
	cr_expect_null(history, "touched on failure");
	cr_expect_eq(flow_history_new(FLOW_HISTORY_MAX, &history), 0);
	flow_history_free(history);
	cr_expect_null(flow_history_free(NULL));
}

Test(flow_names, finds_every_identity)
{
	enum { MANY = 100000 };
	struct image_identity *identities = calloc(MANY, sizeof(*identities));
	struct image image = { .identities = identities, .n_identities = MANY };
	const struct name_index *index;

	cr_assert_not_null(identities);
	/* a permutation: 7919 is coprime to 100,000 */
	for (size_t i = 0; i < MANY; i++)
		identities[i].identity = 256 + 2 * (i * 7919 % MANY);
	index = name_index_get(&image);
	cr_assert_not_null(index);
	for (uint64_t i = 0; i < MANY; i++) {
		const struct image_identity *found = name_index_identity(index, 256 + 2 * i);

		cr_assert_not_null(found, "%llu", (unsigned long long)i);
		cr_assert_eq(found->identity, 256 + 2 * i);
		cr_assert_null(name_index_identity(index, 257 + 2 * i));
	}
	flow_forget_image(&image);
	free(identities);
}

Test(flow_names, empty_image)
{
	struct image image = { 0 };
	const struct name_index *index = name_index_get(&image);
	struct cs_addr addr = test_addr("10.0.0.1");
	size_t first;

	cr_assert_not_null(index);
	cr_expect_null(name_index_identity(index, 1000));
	cr_expect_eq(name_index_workloads(index, 1000, &first), 0);
	cr_expect_null(name_index_address(index, &addr, 1000));
	cr_expect_eq(name_index_match(index, 1), MATCH_NONE);
	flow_forget_image(&image);
}

Test(flow_names, no_image)
{
	struct cs_addr addr = test_addr("10.0.0.1");
	size_t first;

	cr_expect_null(name_index_get(NULL));
	cr_expect_null(name_index_identity(NULL, 1000));
	cr_expect_eq(name_index_workloads(NULL, 1000, &first), 0);
	cr_expect_null(name_index_address(NULL, &addr, 1000));
	cr_expect_eq(name_index_match(NULL, 1), MATCH_NONE);
	flow_forget_image(NULL);
}

Test(flow_names, kept_between_look_ups)
{
	struct test_image image;
	const struct name_index *index;

	test_image_init(&image);
	index = name_index_get(&image.image);
	cr_expect_eq(name_index_get(&image.image), index);
}

Test(flow_names, more_images_than_are_kept)
{
	struct test_image images[9];

	for (size_t round = 0; round < 3; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(images); i++) {
			const struct image_identity *found;

			if (round == 0)
				test_image_init(&images[i]);
			found = name_index_identity(name_index_get(&images[i].image), CHECKOUT);
			cr_expect_eq(found, &images[i].identities[6], "image %zu", i);
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(images); i++)
		flow_forget_image(&images[i].image);
}

Test(flow_names, forgotten_image_at_the_same_address)
{
	struct image_identity before = { .identity = 300 }, after = { .identity = 301 };
	struct image image = { .identities = &before, .n_identities = 1 };

	cr_expect_eq(name_index_identity(name_index_get(&image), 300), &before);
	flow_forget_image(&image);
	image.identities = &after;
	cr_expect_eq(name_index_identity(name_index_get(&image), 301), &after);
	/* and when somebody forgot to say so */
	image = (struct image){ 0 };
	cr_expect_null(name_index_identity(name_index_get(&image), 301));
	flow_forget_image(&image);
}

Test(flow_names, workloads_of_an_identity)
{
	struct test_image image;
	const struct name_index *index;
	size_t first;

	test_image_init(&image);
	index = name_index_get(&image.image);
	cr_expect_eq(name_index_workloads(index, WORKERS, &first), 2);
	cr_expect_eq(name_index_workload(index, first)->identity, WORKERS);
	cr_expect_eq(name_index_workload(index, first + 1)->identity, WORKERS);
	cr_expect_eq(name_index_workloads(index, CHECKOUT, &first), 1);
	cr_expect_str_eq(name_index_workload(index, first)->name, "checkout");
	cr_expect_eq(name_index_workloads(index, CHECKOUT + 1, &first), 0);
	cr_expect_eq(name_index_workloads(index, UINT64_MAX, &first), 0);
}

struct rule_shape {
	uint16_t selector;
	uint16_t port_min, port_max;
	uint8_t protocol;
	int match;
};

ParameterizedTestParameters(flow_names, match_of_rules)
{
	static struct rule_shape shapes[] = {
		{ 1, 80, 80, IPPROTO_TCP, MATCH_L3_L4 },
		{ CS_SELECTOR_ANY, 80, 80, IPPROTO_TCP, MATCH_L4_ONLY },
		{ 1, 0, CS_PORT_MAX, IPPROTO_TCP, MATCH_L3_PROTO },
		{ CS_SELECTOR_ANY, 0, CS_PORT_MAX, IPPROTO_TCP, MATCH_PROTO_ONLY },
		{ 1, 0, CS_PORT_MAX, 0, MATCH_L3_ONLY },
		{ CS_SELECTOR_ANY, 0, CS_PORT_MAX, 0, MATCH_ALL },
		{ 1, 1, CS_PORT_MAX, 0, MATCH_L3_L4 },
	};

	return cr_make_param_array(struct rule_shape, shapes, ARRAY_SIZE(shapes));
}

ParameterizedTest(struct rule_shape *s, flow_names, match_of_rules)
{
	struct image_rule rules[2] = { 0 };
	struct cs_ruleset set = {
		.count = 1,
		.rules = { { .id = 1,
			     .selector = s->selector,
			     .port_min = s->port_min,
			     .port_max = s->port_max,
			     .protocol = s->protocol } },
	};
	struct image image = { .rules = rules, .n_rules = 2, .rulesets = &set, .n_rulesets = 1 };

	cr_expect_eq(name_index_match(name_index_get(&image), 1), s->match);
	flow_forget_image(&image);
}

Test(flow_text, every_reason_has_a_text)
{
	for (unsigned int i = 0; i < 256; i++) {
		const struct text_reason *reason = text_reason((uint8_t)i);

		cr_expect(*reason->name && *reason->text, "reason %u", i);
		cr_expect(reason->drop && reason->remedy, "reason %u", i);
	}
	cr_expect_eq(text_reason_by_name("BAD_MAC"), text_reason(CS_REASON_BAD_MAC));
	cr_expect_null(text_reason_by_name("NO_SUCH_REASON"));
}

Test(flow_text, every_denial_has_a_drop_reason)
{
	for (unsigned int i = CS_REASON_POLICY_DENY; i < CS_REASON_MAX; i++)
		if (!streq(text_reason((uint8_t)i)->name, "UNKNOWN"))
			cr_expect(*text_reason((uint8_t)i)->drop, "reason %u", i);
}

Test(flow_text, statistics)
{
	cr_expect_str_eq(text_stat_by_name("events_lost"),
			 "verdict events that did not fit the ring");
	cr_expect_str_eq(text_stat_by_name("no_such_thing"), "");
}

Test(flow_text, rule_names)
{
	struct image_rule rule = { .kind = "IdentityPolicy",
				   .namespace = "shop",
				   .policy = "payments",
				   .rule = "from-checkout" };
	char *text = flow_rule_text(&rule);

	cr_expect_str_eq(text, "shop/payments#from-checkout");
	free(text);
	rule = (struct image_rule){ 0 };
	text = flow_rule_text(&rule);
	cr_expect_str_eq(text, "");
	free(text);
}
