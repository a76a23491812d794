/* SPDX-License-Identifier: Apache-2.0 */
/* Compact lines and filters. */
#include "test_flow_image.h"

static struct test_image image;
static struct flow_names names;
static struct cs_event event;
static json_t *flow;
static char *line;

static void setup(void)
{
	setenv("TZ", "UTC", 1);
	test_image_init(&image);
	names = test_names(&image);
	event = test_event();
	flow = NULL;
	line = NULL;
}

static void teardown(void)
{
	json_decref(flow);
	free(line);
}

static void convert(void)
{
	json_decref(flow);
	free(line);
	flow = flow_to_json(&event, &names);
	line = flow_to_compact(flow);
	cr_assert_not_null(line);
}

TestSuite(flow_compact, .init = setup, .fini = teardown);
TestSuite(flow_filter, .init = setup, .fini = teardown);

Test(flow_compact, allowed)
{
	convert();
	cr_expect_str_eq(line, "Feb 18 09:45:13.751: shop/checkout:32982 (ID:1000) -> "
			       "shop/payments:8080 (ID:2000) policy-verdict INGRESS FORWARDED "
			       "(TCP Flags: SYN) verified rule shop/payments#from-checkout");
}

Test(flow_compact, denied)
{
	event.verdict = CS_VERDICT_DENY;
	event.reason = CS_REASON_AUTH_REQUIRED;
	event.auth = CS_AUTH_UNTAGGED;
	convert();
	cr_expect_str_eq(line, "Feb 18 09:45:13.751: shop/checkout:32982 (ID:1000) <> "
			       "shop/payments:8080 (ID:2000) policy-verdict INGRESS DROPPED "
			       "(TCP Flags: SYN) inferred rule shop/payments#from-checkout "
			       "reason AUTH_REQUIRED");
}

Test(flow_compact, audited_goes_through)
{
	event.verdict = CS_VERDICT_AUDIT;
	event.reason = CS_REASON_POLICY_DENY;
	convert();
	cr_expect(strstr(line, " -> "), "%s", line);
	cr_expect(strstr(line, " INGRESS AUDIT "), "%s", line);
}

Test(flow_compact, world_over_ipv6)
{
	event.family = 6;
	event.source = test_addr("2001:db8::7");
	event.peer = CS_ENTITY_WORLD;
	convert();
	cr_expect(strstr(line, ": [2001:db8::7]:32982 (world) -> shop/payments:8080 (ID:2000)"),
		  "%s", line);
}

Test(flow_compact, unknown_identity_shows_address_and_number)
{
	event.peer = cs_tag(9, 0, 777);
	convert();
	cr_expect(strstr(line, ": 10.77.0.2:32982 (ID:777) -> "), "%s", line);
}

Test(flow_compact, icmp_has_no_ports)
{
	event.protocol = IPPROTO_ICMP;
	event.tcp_flags = 0;
	convert();
	cr_expect(strstr(line, ": shop/checkout (ID:1000) -> shop/payments (ID:2000) "), "%s",
		  line);
	cr_expect(strstr(line, "(ICMPv4)"), "%s", line);
}

Test(flow_compact, rule_of_a_gone_policy)
{
	event.epoch = 1;
	convert();
	cr_expect(strstr(line, " rule-id 1"), "%s", line);
}

Test(flow_compact, local_time)
{
	setenv("TZ", "CET-1", 1);
	convert();
	cr_expect(startswith(line, "Feb 18 10:45:13.751: "), "%s", line);
}

Test(flow_compact, names_cannot_steer_the_terminal)
{
	image.rules[RULE_NAMED].rule = "x\033[2J\ny";
	convert();
	cr_expect(strstr(line, "#x?[2J?y"), "%s", line);
}

struct foreign_case {
	char json[160];
};

/* Whatever another version of the agent sends, a line comes out. */
ParameterizedTestParameters(flow_compact, foreign_json)
{
	static struct foreign_case cases[] = {
		{ "{}" },
		{ "{\"flow\":null}" },
		{ "{\"flow\":[1,2]}" },
		{ "{\"flow\":{\"time\":\"never\",\"source\":7,\"l4\":{},\"extensions\":[]}}" },
		{ "{\"flow\":{\"time\":\"2024-02-18T09:45:13.1Z\",\"l4\":{\"TCP\":3}}}" },
		{ "{\"flow\":{\"source\":{\"labels\":[5],\"identity\":\"x\"},\"verdict\":{}}}" },
	};

	return cr_make_param_array(struct foreign_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct foreign_case *c, flow_compact, foreign_json)
{
	flow = json_loads(c->json, 0, NULL);
	cr_assert_not_null(flow);
	line = flow_to_compact(flow);
	cr_assert_not_null(line);
	cr_expect(strstr(line, "policy-verdict"), "%s", line);
}

static bool passes(const struct flow_filter *filter)
{
	bool matches;

	convert();
	matches = flow_matches(flow, filter);
	/* the quick way must agree, always */
	cr_expect_eq(flow_event_matches(&event, &names, filter), matches);
	return matches;
}

static bool matches(uint8_t verdict, const char *from, const char *to)
{
	return passes(&(struct flow_filter){
		.verdict = verdict, .from_workload = from, .to_workload = to });
}

Test(flow_filter, empty_takes_all)
{
	cr_expect(matches(0, NULL, NULL));
}

Test(flow_filter, by_verdict)
{
	cr_expect(matches(CS_VERDICT_ALLOW, NULL, NULL));
	cr_expect_not(matches(CS_VERDICT_DENY, NULL, NULL));
	cr_expect_not(matches(CS_VERDICT_AUDIT, NULL, NULL));
}

Test(flow_filter, by_source)
{
	cr_expect(matches(0, "shop/checkout", NULL));
	cr_expect_not(matches(0, "shop/payments", NULL));
	cr_expect_not(matches(0, "other/checkout", NULL));
	cr_expect_not(matches(0, "sho/checkout", NULL));
	cr_expect_not(matches(0, "shop/check", NULL));
	cr_expect_not(matches(0, "checkout", NULL));
	cr_expect_not(matches(0, "", NULL));
}

Test(flow_filter, by_destination)
{
	cr_expect(matches(0, NULL, "shop/payments"));
	cr_expect_not(matches(0, NULL, "shop/checkout"));
}

Test(flow_filter, all_parts_must_fit)
{
	cr_expect(matches(CS_VERDICT_ALLOW, "shop/checkout", "shop/payments"));
	cr_expect_not(matches(CS_VERDICT_DENY, "shop/checkout", "shop/payments"));
	cr_expect_not(matches(CS_VERDICT_ALLOW, "shop/payments", "shop/payments"));
}

Test(flow_filter, either_side)
{
	cr_expect(passes(&(struct flow_filter){ .workload = "shop/checkout" }));
	cr_expect(passes(&(struct flow_filter){ .workload = "shop/payments" }));
	cr_expect_not(passes(&(struct flow_filter){ .workload = "shop/worker-a" }));
	cr_expect_not(passes(&(struct flow_filter){ .workload = "shop/checkout",
						    .from_workload = "shop/payments" }));
}

Test(flow_filter, by_namespace)
{
	cr_expect(passes(&(struct flow_filter){ .namespace = "shop" }));
	cr_expect_not(passes(&(struct flow_filter){ .namespace = "sho" }));
	cr_expect_not(
		passes(&(struct flow_filter){ .namespace = "shop", .verdict = CS_VERDICT_DENY }));
	event.epoch = EPOCH - 1;
	cr_expect_not(passes(&(struct flow_filter){ .namespace = "shop" }), "nobody is known");
}

Test(flow_filter, any_workload_of_a_shared_identity)
{
	event.peer = cs_tag(9, 0, WORKERS);
	event.source = test_addr("10.77.0.77");
	cr_expect(matches(0, "shop/worker-a", NULL));
	cr_expect(matches(0, "shop/worker-b", NULL));
	cr_expect_not(matches(0, "shop/worker-c", NULL));
}

Test(flow_filter, one_workload_when_the_address_tells)
{
	event.peer = cs_tag(9, 0, WORKERS);
	event.source = test_addr("10.77.0.9");
	cr_expect(matches(0, "shop/worker-b", NULL));
	cr_expect_not(matches(0, "shop/worker-a", NULL));
}

Test(flow_filter, gone_image_matches_no_name)
{
	event.epoch = EPOCH - 1;
	cr_expect_not(matches(0, "shop/checkout", NULL));
	cr_expect(matches(CS_VERDICT_ALLOW, NULL, NULL));
}

Test(flow_filter, sides_swap_on_egress)
{
	event.direction = CS_EGRESS;
	event.identity = CHECKOUT;
	event.peer = cs_tag(9, 1, PAYMENTS);
	cr_expect(matches(0, "shop/checkout", "shop/payments"));
	cr_expect_not(matches(0, "shop/payments", NULL));
}

Test(flow_filter, entities_are_no_workloads)
{
	event.peer = CS_ENTITY_WORLD;
	cr_expect_not(matches(0, "shop/checkout", NULL));
	cr_expect_not(matches(0, "/World", NULL));
}

Test(flow_filter, foreign_json_never_matches)
{
	struct flow_filter filter = { 0 };
	json_t *other = json_pack("{s:i}", "flows", 1);

	cr_expect_not(flow_matches(other, &filter));
	cr_expect_not(flow_matches(NULL, &filter));
	json_decref(other);
}

struct verdict_case {
	char name[16];
	int verdict;
};

ParameterizedTestParameters(flow_filter, verdict_names)
{
	static struct verdict_case cases[] = {
		{ "FORWARDED", CS_VERDICT_ALLOW },
		{ "allow", CS_VERDICT_ALLOW },
		{ "DROPPED", CS_VERDICT_DENY },
		{ "Deny", CS_VERDICT_DENY },
		{ "audit", CS_VERDICT_AUDIT },
		{ "dropped", CS_VERDICT_DENY },
		{ "", -EINVAL },
		{ "none", -EINVAL },
		{ "VERDICT_UNKNOWN", -EINVAL },
		{ "drop", -EINVAL },
	};

	return cr_make_param_array(struct verdict_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct verdict_case *c, flow_filter, verdict_names)
{
	cr_expect_eq(flow_verdict_from_name(c->name), c->verdict, "%s", c->name);
}

Test(flow_filter, verdict_round_trip)
{
	for (int v = CS_VERDICT_ALLOW; v < CS_VERDICT_MAX; v++)
		cr_expect_eq(flow_verdict_from_name(flow_verdict_name((uint8_t)v)), v);
	cr_expect_str_eq(flow_verdict_name(CS_VERDICT_NONE), "VERDICT_UNKNOWN");
	cr_expect_str_eq(flow_verdict_name(255), "VERDICT_UNKNOWN");
}
