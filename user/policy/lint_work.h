/* SPDX-License-Identifier: Apache-2.0 */
/* What the steps of one lint share. Steps return 0 or -ENOMEM. */
#pragma once

#include "user/policy/lint.h"
#include "user/policy/model.h"

/* A rule of some policy, and what walking the rulesets has shown of it. */
struct lint_rule {
	const struct policy *policy;
	const struct rule *rule; /* NULL: the policy's default */
	const struct lint_rule *by; /* that covers it, when it is never reached */
	uint8_t direction;
	bool seen; /* stands in some ruleset and may cover something there */
	bool reached; /* no earlier rule of one of its rulesets covers all of it */
	bool mutual; /* covers all that `by` covers, too */
	bool behind; /* after a Pass of it there is something to decide */
};

struct lint_namespace {
	const char *name;
	struct labels labels;
	const struct workload **workloads;
	size_t n_workloads;
	size_t capacity;
};

struct lint {
	const struct policy_set *set;
	const struct image *image;
	const struct lint_options *options;
	struct findings *findings;
	struct arena arena;

	struct lint_rule *rules; /* of all policies, and each policy's default */
	size_t n_rules;
	struct lint_rule **by_id; /* of image->rules; NULL: of no policy of the set */

	struct lint_namespace *namespaces;
	size_t n_namespaces;
	size_t namespaces_capacity;
	struct keymap by_namespace;

	struct keymap subsets; /* pairs of selectors -> what lint_order.c knows of them */
	struct keymap ties; /* pairs of policies that were reported */
};

/* What a finding is about. Only the place must be given. */
struct about {
	enum lint_code code;
	const struct place *place;
	const struct policy *policy;
	const struct rule *rule; /* of the policy */
	const struct place *related;
};

static inline struct about about_policy(enum lint_code code, const struct policy *policy)
{
	return (struct about){ .code = code, .place = &policy->place, .policy = policy };
}

static inline struct about about_rule(enum lint_code code, const struct lint_rule *rule)
{
	return (struct about){ .code = code,
			       .place = &rule->rule->place,
			       .policy = rule->policy,
			       .rule = rule->rule };
}

/* Adds a finding unless its code is ignored. */
int lint_add(struct findings *findings, const struct about *about, const char *format, ...)
	_printf_(3, 4);

/* "shop/payments#from-checkout"; in the arena, "" without memory. */
const char *lint_rule_text(struct lint *l, const struct policy *policy, const struct rule *rule);

/* Who a peer is, for messages; in the arena, "" without memory. */
const char *lint_peer_text(struct lint *l, const struct peer *peer);

/* Asked of each workload that a peer means, until it says true. NULL: true at once. */
typedef bool (*lint_match_fn)(const struct workload *workload, const void *arg);

/* Whether @fn said true. Only of peers that mean workloads. */
bool lint_any_match(const struct lint *l, const struct peer *peer, lint_match_fn fn,
		    const void *arg);

/* Whether the peer can be somebody; always true of prefixes and entities. */
bool lint_peer_exists(const struct lint *l, const struct peer *peer);

/* Whether the selector's requirements contradict each other. */
bool lint_selector_impossible(const struct selector *selector);

int lint_index(struct lint *l); /* rules by id, workloads by namespace */
int lint_select(struct lint *l); /* subjects and peers that mean nobody */
int lint_where(struct lint *l); /* revocations of nobody, workloads of no node */
int lint_ports(struct lint *l); /* names of ports */
int lint_open(struct lint *l); /* what is wide open */
int lint_time(struct lint *l); /* expiry, Audit, roll-out */
int lint_order(struct lint *l); /* rules behind other rules */
int lint_reach(struct lint *l); /* what workloads can do: DNS, isolation */
