/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small image and an event for the tests of flows: shop/checkout (1000) talks to
 * shop/payments (2000); shop/worker-a and -b share identity 3000.
 */
#pragma once

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <netinet/in.h>

#include "user/flow/flow.h"

#define CHECKOUT 1000
#define PAYMENTS 2000
#define WORKERS 3000
#define RULE_NAMED 1 /* shop/payments#from-checkout */
#define RULE_NUMBERED 2 /* shop/payments#2 */
#define RULE_DEFAULT 3 /* shop/payments */
#define RULE_CLUSTER 4 /* everyone#deny, of no namespace */
#define EPOCH 7

struct test_image {
	struct image image;
	struct image_identity identities[5 + 3];
	struct image_workload workloads[4];
	struct image_endpoint endpoints[3];
	struct image_rule rules[5];
	struct cs_ruleset rulesets[1];
	char names[3][CS_SPIFFE_ID_MAX];
};

static inline struct cs_addr test_addr(const char *text)
{
	struct cs_addr addr = { 0 };

	if (inet_pton(AF_INET6, text, addr.byte) == 1)
		return addr;
	addr.byte[10] = addr.byte[11] = 0xff;
	cr_assert_eq(inet_pton(AF_INET, text, &addr.byte[12]), 1, "%s", text);
	return addr;
}

static inline void test_image_identities(struct test_image *t)
{
	struct image_identity *next = t->identities;

#define X(num, name, text) \
	*next++ = (struct image_identity){ .identity = (num), .workload = (text) };
	CS_ENTITIES(X)
#undef X
	/* not in order of their numbers, as a compiler may give them */
	*next++ = (struct image_identity){ PAYMENTS,	   0,	 2, "shop", "payments", "payments",
					   "app=payments", false };
	*next++ = (struct image_identity){
		CHECKOUT, 0, 1, "shop", "checkout", "checkout", "app=checkout,stage=prod", false
	};
	*next++ = (struct image_identity){ WORKERS,  0,		 0,	  "shop",
					   "worker", "worker-a", "app=w", false };
}

static inline void test_image_places(struct test_image *t)
{
	static const struct {
		const char *name;
		uint64_t identity;
	} workloads[] = {
		{ "payments", PAYMENTS },
		{ "worker-b", WORKERS },
		{ "checkout", CHECKOUT },
		{ "worker-a", WORKERS },
	};

	for (size_t i = 0; i < ARRAY_SIZE(workloads); i++)
		t->workloads[i] = (struct image_workload){
			.namespace = "shop",
			.name = (char *)workloads[i].name,
			.identity = workloads[i].identity,
		};
	t->endpoints[0] =
		(struct image_endpoint){ test_addr("10.77.0.9"), WORKERS, 0, 0, 2, false };
	t->endpoints[1] =
		(struct image_endpoint){ test_addr("10.77.0.2"), CHECKOUT, 0, 0, 3, false };
	t->endpoints[2] = (struct image_endpoint){ test_addr("10.77.0.8"), WORKERS, 0,
						   CS_ENDPOINT_SHARED,	   4,	    false };
}

static inline void test_image_rules(struct test_image *t)
{
	t->rules[RULE_NAMED] = (struct image_rule){ .kind = "IdentityPolicy",
						    .namespace = "shop",
						    .policy = "payments",
						    .rule = "from-checkout" };
	t->rules[RULE_NUMBERED] = (struct image_rule){
		.kind = "IdentityPolicy", .namespace = "shop", .policy = "payments", .rule = "#2"
	};
	t->rules[RULE_DEFAULT] = (struct image_rule){
		.kind = "IdentityPolicy", .namespace = "shop", .policy = "payments", .rule = ""
	};
	t->rules[RULE_CLUSTER] = (struct image_rule){ .kind = "ClusterIdentityPolicy",
						      .namespace = "",
						      .policy = "everyone",
						      .rule = "deny" };
	t->rulesets[0].count = 4;
	t->rulesets[0].rules[0] = (struct cs_rule){ .id = RULE_NAMED,
						    .selector = 3,
						    .port_min = 8080,
						    .port_max = 8090,
						    .protocol = IPPROTO_TCP };
	t->rulesets[0].rules[1] = (struct cs_rule){ .id = RULE_NUMBERED,
						    .selector = CS_SELECTOR_ANY,
						    .port_max = CS_PORT_MAX };
	t->rulesets[0].rules[2] =
		(struct cs_rule){ .id = RULE_CLUSTER, .selector = 1, .port_max = CS_PORT_MAX };
	t->rulesets[0].rules[3] =
		(struct cs_rule){ .id = CS_RULE_IDS_MAX + 1 }; /* an id beyond the table */
}

static inline void test_image_init(struct test_image *t)
{
	memset(t, 0, sizeof(*t));
	strcpy(t->names[1], "spiffe://example.org/ns/shop/sa/checkout");
	strcpy(t->names[2], "spiffe://example.org/ns/shop/sa/payments");
	test_image_identities(t);
	test_image_places(t);
	test_image_rules(t);
	t->image = (struct image){
		.identities = t->identities,
		.n_identities = ARRAY_SIZE(t->identities),
		.workloads = t->workloads,
		.n_workloads = ARRAY_SIZE(t->workloads),
		.endpoints = t->endpoints,
		.n_endpoints = ARRAY_SIZE(t->endpoints),
		.rules = t->rules,
		.n_rules = ARRAY_SIZE(t->rules),
		.rulesets = t->rulesets,
		.n_rulesets = ARRAY_SIZE(t->rulesets),
		.names = t->names,
		.n_names = ARRAY_SIZE(t->names),
	};
}

static inline const struct image *test_image_at(void *arg, uint32_t epoch)
{
	return epoch == EPOCH ? arg : NULL;
}

/* 2024-02-18 09:45:13.751000123 UTC, one hour after the boot */
#define BOOT_NS 3600000000000LL
#define REAL_NS 1708249513751000123LL

static inline struct flow_names test_names(struct test_image *t)
{
	return (struct flow_names){
		.node_name = "node-a",
		.trust_domain = "example.org",
		.image_at = test_image_at,
		.arg = &t->image,
		.boot_to_real_ns = REAL_NS - BOOT_NS,
	};
}

/* checkout's SYN at payments, allowed by a rule and verified. */
static inline struct cs_event test_event(void)
{
	return (struct cs_event){
		.time_ns = BOOT_NS,
		.identity = PAYMENTS,
		.peer = cs_tag(9, 1, CHECKOUT),
		.cgroup_id = 4711,
		.socket_cookie = 18446744073709551615ULL,
		.source = test_addr("10.77.0.2"),
		.destination = test_addr("10.77.0.3"),
		.source_port = 32982,
		.destination_port = 8080,
		.protocol = IPPROTO_TCP,
		.tcp_flags = 0x02,
		.rule = RULE_NAMED,
		.epoch = EPOCH,
		.pid = 42,
		.workload = 5,
		.verdict = CS_VERDICT_ALLOW,
		.reason = CS_REASON_RULE,
		.auth = CS_AUTH_VERIFIED,
		.direction = CS_INGRESS,
		.family = 4,
	};
}

/* The value at a path such as "flow.l4.TCP.flags"; NULL when there is none. */
static inline const json_t *test_at(const json_t *json, const char *path)
{
	char copy[256], *save, *key;

	snprintf(copy, sizeof(copy), "%s", path);
	for (key = strtok_r(copy, ".", &save); key && json; key = strtok_r(NULL, ".", &save))
		json = json_is_array(json) ? json_array_get(json, strtoul(key, NULL, 10))
					   : json_object_get(json, key);
	return json;
}

/* A text, "(none)" when the path leads to no text. */
static inline const char *test_text(const json_t *json, const char *path)
{
	const char *text = json_string_value(test_at(json, path));

	return text ? text : "(none)";
}

/* A number, -1 when the path leads to no number. */
static inline json_int_t test_number(const json_t *json, const char *path)
{
	const json_t *value = test_at(json, path);

	return json_is_integer(value) ? json_integer_value(value) : -1;
}

/* On a variable `flow` of the test. */
#define OURS "flow.extensions.countersign."
#define expect_text(path, text) \
	cr_expect_str_eq(test_text(flow, path), text, "%s: %s", path, test_text(flow, path))
#define expect_number(path, number)                                     \
	cr_expect_eq(test_number(flow, path), number, "%s: %lld", path, \
		     (long long)test_number(flow, path))
#define expect_absent(path) cr_expect_null(test_at(flow, path), "%s is there", path)
#define expect_count(path, n) \
	cr_expect_eq(json_array_size(test_at(flow, path)), (size_t)(n), "%s", path)
