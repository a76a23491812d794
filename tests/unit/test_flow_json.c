/* SPDX-License-Identifier: Apache-2.0 */
/* Flows as JSON: Hubble's fields and ours. */
#include "test_flow_image.h"

static struct test_image image;
static struct flow_names names;
static struct cs_event event;
static json_t *flow;

static void setup(void)
{
	test_image_init(&image);
	names = test_names(&image);
	event = test_event();
	flow = NULL;
}

static void teardown(void)
{
	json_decref(flow);
}

static void convert(void)
{
	json_decref(flow);
	flow = flow_to_json(&event, &names);
	cr_assert_not_null(flow);
}

TestSuite(flow_json, .init = setup, .fini = teardown);

Test(flow_json, envelope)
{
	convert();
	expect_text("node_name", "node-a");
	expect_text("time", "2024-02-18T09:45:13.751000123Z");
	expect_text("flow.time", "2024-02-18T09:45:13.751000123Z");
	expect_text("flow.node_name", "node-a");
	expect_text("flow.Type", "L3_L4");
	expect_number("flow.event_type.type", 5);
	cr_expect(json_is_false(test_at(flow, "flow.is_reply")));
}

Test(flow_json, allowed_verdict)
{
	convert();
	expect_text("flow.verdict", "FORWARDED");
	expect_text("flow.traffic_direction", "INGRESS");
	expect_absent("flow.drop_reason_desc");
	expect_text("flow.Summary", "TCP Flags: SYN");
	expect_text(OURS "reason", "RULE");
	expect_absent(OURS "remedy");
}

Test(flow_json, ipv4_addresses)
{
	convert();
	expect_text("flow.IP.source", "10.77.0.2");
	expect_text("flow.IP.destination", "10.77.0.3");
	expect_text("flow.IP.ipVersion", "IPv4");
}

Test(flow_json, ipv6_addresses)
{
	event.family = 6;
	event.source = test_addr("fd77::2");
	event.destination = test_addr("fd77::3");
	convert();
	expect_text("flow.IP.source", "fd77::2");
	expect_text("flow.IP.destination", "fd77::3");
	expect_text("flow.IP.ipVersion", "IPv6");
}

Test(flow_json, tcp_ports_and_flags)
{
	event.tcp_flags = 0x12;
	convert();
	expect_number("flow.l4.TCP.source_port", 32982);
	expect_number("flow.l4.TCP.destination_port", 8080);
	cr_expect(json_is_true(test_at(flow, "flow.l4.TCP.flags.SYN")));
	cr_expect(json_is_true(test_at(flow, "flow.l4.TCP.flags.ACK")));
	expect_absent("flow.l4.TCP.flags.FIN");
	expect_text("flow.Summary", "TCP Flags: SYN, ACK");
}

Test(flow_json, all_tcp_flags)
{
	event.tcp_flags = 0xff;
	convert();
	cr_expect_eq(json_object_size(test_at(flow, "flow.l4.TCP.flags")), 8);
	expect_text("flow.Summary", "TCP Flags: FIN, SYN, RST, PSH, ACK, URG, ECE, CWR");
}

Test(flow_json, no_tcp_flags_at_connect)
{
	event.tcp_flags = 0;
	event.flags = CS_EVENT_CONNECT;
	convert();
	expect_absent("flow.l4.TCP.flags");
	expect_text("flow.Summary", "TCP");
	cr_expect(json_is_true(test_at(flow, OURS "connect")));
}

struct protocol_case {
	uint8_t protocol;
	char path[48];
	char summary[32];
	int port;
};

ParameterizedTestParameters(flow_json, protocols)
{
	static struct protocol_case cases[] = {
		{ IPPROTO_UDP, "flow.l4.UDP", "UDP", 8080 },
		{ IPPROTO_SCTP, "flow.l4.SCTP", "SCTP", 8080 },
		{ IPPROTO_ICMP, "flow.l4.ICMPv4", "ICMPv4", -1 },
		{ IPPROTO_ICMPV6, "flow.l4.ICMPv6", "ICMPv6", -1 },
		{ 47, "", "IP protocol 47", -1 },
	};

	return cr_make_param_array(struct protocol_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct protocol_case *c, flow_json, protocols)
{
	char path[96];

	event.protocol = c->protocol;
	convert();
	expect_text("flow.Summary", c->summary);
	if (!*c->path) {
		expect_absent("flow.l4");
		return;
	}
	cr_expect(json_is_object(test_at(flow, c->path)), "%s", c->path);
	cr_expect_eq(json_object_size(test_at(flow, "flow.l4")), 1);
	snprintf(path, sizeof(path), "%s.destination_port", c->path);
	expect_number(path, c->port);
}

Test(flow_json, cookies_are_proto3_strings)
{
	convert();
	expect_text("flow.socket_cookie", "18446744073709551615");
	expect_text("flow.cgroup_id", "4711");
}

Test(flow_json, allowed_by)
{
	convert();
	expect_count("flow.ingress_allowed_by", 1);
	expect_text("flow.ingress_allowed_by.0.name", "payments");
	expect_text("flow.ingress_allowed_by.0.namespace", "shop");
	expect_text("flow.ingress_allowed_by.0.kind", "IdentityPolicy");
	expect_text("flow.ingress_allowed_by.0.revision", "7");
	expect_absent("flow.ingress_denied_by");
	expect_text(OURS "rule", "shop/payments#from-checkout");
	expect_number(OURS "rule_id", RULE_NAMED);
	expect_absent(OURS "exception");
	expect_absent(OURS "tier"); /* not known of a rule without a file */
}

Test(flow_json, exception)
{
	struct image_rule *rule = &image.rules[RULE_NAMED];

	rule->file = "payments.yaml";
	rule->tier = 2;
	rule->expires_s = 1798675200;
	rule->reason = "the night of the outage";
	rule->ticket = "OPS-42";
	rule->approver = "ada";
	convert();
	expect_text(OURS "tier", "Baseline");
	expect_text(OURS "exception.expires", "2026-12-31T00:00:00Z");
	expect_text(OURS "exception.reason", "the night of the outage");
	expect_text(OURS "exception.ticket", "OPS-42");
	expect_text(OURS "exception.approver", "ada");
}

Test(flow_json, exception_in_the_far_future_without_ticket)
{
	image.rules[RULE_NAMED].expires_s = INT64_MAX;
	convert();
	expect_text(OURS "exception.expires", "9999-12-31T23:59:59Z");
	expect_absent(OURS "exception.ticket");
	expect_absent(OURS "exception.reason");
}

Test(flow_json, denied_by)
{
	event.verdict = CS_VERDICT_DENY;
	event.reason = CS_REASON_POLICY_DENY;
	event.rule = RULE_NUMBERED;
	convert();
	expect_text("flow.verdict", "DROPPED");
	expect_text("flow.drop_reason_desc", "POLICY_DENY");
	expect_text("flow.ingress_denied_by.0.name", "payments");
	expect_absent("flow.ingress_allowed_by");
	expect_text(OURS "rule", "shop/payments#2");
	expect_text(OURS "remedy", "change the rule that is named");
}

Test(flow_json, denied_on_egress)
{
	event.verdict = CS_VERDICT_DENY;
	event.reason = CS_REASON_POLICY_DENY;
	event.direction = CS_EGRESS;
	event.rule = RULE_CLUSTER;
	convert();
	expect_text("flow.egress_denied_by.0.kind", "ClusterIdentityPolicy");
	expect_text(OURS "rule", "everyone#deny");
	expect_text(OURS "direction", "EGRESS");
}

Test(flow_json, default_rule_names_the_policy)
{
	event.verdict = CS_VERDICT_DENY;
	event.reason = CS_REASON_DEFAULT_DENY;
	event.rule = RULE_DEFAULT;
	convert();
	expect_text("flow.drop_reason_desc", "POLICY_DENIED");
	expect_text(OURS "rule", "shop/payments");
}

Test(flow_json, audited)
{
	event.verdict = CS_VERDICT_AUDIT;
	event.reason = CS_REASON_POLICY_DENY;
	convert();
	expect_text("flow.verdict", "AUDIT");
	expect_absent("flow.drop_reason_desc");
	expect_text("flow.ingress_denied_by.0.name", "payments");
	expect_text(OURS "reason", "POLICY_DENY");
}

Test(flow_json, no_rule)
{
	event.rule = CS_RULE_ID_NONE;
	event.reason = CS_REASON_NOT_ISOLATED;
	convert();
	expect_absent(OURS "rule");
	expect_absent(OURS "rule_id");
	expect_absent("flow.ingress_allowed_by");
	expect_number("flow.policy_match_type", 4);
}

struct match_case {
	uint32_t rule;
	int match;
};

ParameterizedTestParameters(flow_json, match_types)
{
	static struct match_case cases[] = {
		{ RULE_NAMED, 2 },   { RULE_NUMBERED, 4 },	 { RULE_CLUSTER, 1 },
		{ RULE_DEFAULT, 0 }, { CS_RULE_IDS_MAX + 1, 0 }, { UINT32_MAX, 0 },
	};

	return cr_make_param_array(struct match_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct match_case *c, flow_json, match_types)
{
	event.rule = c->rule;
	convert();
	expect_number("flow.policy_match_type", c->match);
}

Test(flow_json, extension)
{
	convert();
	expect_text(OURS "authentication", "verified");
	expect_text(OURS "authentication_detail", "valid tag");
	expect_text(OURS "reason_text", "a rule allows it");
	expect_text(OURS "direction", "INGRESS");
	expect_number(OURS "epoch", EPOCH);
	expect_number(OURS "pid", 42);
	expect_number(OURS "peer_node", 9);
	expect_text(OURS "source.spiffe_id", "spiffe://example.org/ns/shop/sa/checkout");
	expect_text(OURS "source.workload", "shop/checkout");
	expect_text(OURS "destination.spiffe_id", "spiffe://example.org/ns/shop/sa/payments");
	expect_number(OURS "destination.identity", PAYMENTS);
	expect_absent(OURS "original_destination");
	expect_absent(OURS "live");
	expect_absent(OURS "early");
}

struct auth_case {
	uint8_t auth;
	char level[16];
};

ParameterizedTestParameters(flow_json, authentication)
{
	static struct auth_case cases[] = {
#define X(num, name, level, text) { (num), level },
		CS_AUTHS(X)
#undef X
			{ 200, "unknown" },
	};

	return cr_make_param_array(struct auth_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct auth_case *c, flow_json, authentication)
{
	event.auth = c->auth;
	convert();
	expect_text(OURS "authentication", c->level);
}

Test(flow_json, original_destination)
{
	event.original_dst = test_addr("10.96.0.10");
	event.original_port = 80;
	convert();
	expect_text(OURS "original_destination", "10.96.0.10:80");
	event.family = 6;
	event.original_dst = test_addr("fd77::10");
	convert();
	expect_text(OURS "original_destination", "[fd77::10]:80");
}

Test(flow_json, live_and_early)
{
	event.flags = CS_EVENT_LIVE | CS_EVENT_EARLY;
	convert();
	cr_expect(json_is_true(test_at(flow, OURS "live")));
	cr_expect(json_is_true(test_at(flow, OURS "early")));
	expect_absent(OURS "connect");
}

Test(flow_json, garbage_event)
{
	memset(&event, 0xff, sizeof(event));
	convert();
	expect_text("flow.verdict", "VERDICT_UNKNOWN");
	expect_text(OURS "reason", "UNKNOWN");
	cr_expect(json_is_object(test_at(flow, "flow.source")));
}

Test(flow_json, uuid_is_stable_and_well_formed)
{
	char first[64];

	convert();
	snprintf(first, sizeof(first), "%s", test_text(flow, "flow.uuid"));
	cr_expect_eq(strlen(first), 36);
	cr_expect_eq(first[14], '8', "version: %s", first);
	cr_expect(strchr("89ab", first[19]), "variant: %s", first);
	convert();
	expect_text("flow.uuid", first);
	event.source_port++;
	convert();
	cr_expect_str_neq(test_text(flow, "flow.uuid"), first);
}

Test(flow_json, time_before_1970_is_cut)
{
	names.boot_to_real_ns = INT64_MIN / 2;
	convert();
	expect_text("time", "1970-01-01T00:00:00.000000000Z");
}

Test(flow_json, one_line)
{
	char *text;

	convert();
	text = json_dumps(flow, JSON_COMPACT);
	cr_assert_not_null(text);
	cr_expect_null(strchr(text, '\n'));
	free(text);
}
