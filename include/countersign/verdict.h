/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) OR Apache-2.0 */
/*
 * The evaluator: may this peer talk to this subject? Pure C over plain structs,
 * no ctx, no map calls. The BPF programs and the user-space tools compile this
 * one file, so the kernel, `explain` and `policy test` cannot disagree.
 *
 * Meaning, in the order of evaluation (tests name these numbers):
 *  1. Rules are walked in order; the first rule that covers the query decides.
 *  2. A rule covers a query when protocol, port and peer selector all match and
 *     it has not expired. Protocol 0 means any; a rule with a port range never
 *     covers a protocol without ports.
 *  3. An Allow rule with CS_RULE_AUTH covers verified peers only. One that would
 *     have covered but for that is remembered: if the walk ends in the default,
 *     the reason is AUTH_REQUIRED and that rule is named.
 *  4. A Deny rule with CS_RULE_AUDIT is remembered and the walk goes on; if the
 *     end is Allow, the verdict is Audit and names it. Audit changes no traffic.
 *  5. Pass skips the remaining rules of its tier.
 *  6. No rule: the ruleset's default (Allow when nothing isolates the direction).
 */
#ifndef COUNTERSIGN_VERDICT_H
#define COUNTERSIGN_VERDICT_H

#include <linux/types.h>

#include "reasons.h"

#define CS_RULES_MAX 256 /* rules per workload and direction */
#define CS_SELECTORS_MAX 4096 /* selectors per node */
#define CS_SELECTOR_ANY 0xffff /* covers every peer, known or not */
#define CS_PORT_MAX 65535
#define CS_RULE_ID_NONE 0 /* no rule: a default decided */

enum cs_verdict {
	CS_VERDICT_NONE = 0, /* undecided; never allows */
	CS_VERDICT_ALLOW = 1,
	CS_VERDICT_DENY = 2,
	CS_VERDICT_AUDIT = 3, /* would be denied, is let through */
	CS_VERDICT_MAX = 4,
};

enum cs_action {
	CS_ACTION_ALLOW = 1,
	CS_ACTION_DENY = 2,
	CS_ACTION_PASS = 3,
};

enum cs_rule_flags {
	CS_RULE_AUTH = 1 << 0, /* authentication: Required */
	CS_RULE_AUDIT = 1 << 1, /* mode: Audit */
};

/* One compiled rule. A port range of 0..65535 covers protocols without ports too. */
struct cs_rule {
	__u64 expires_ns; /* CLOCK_BOOTTIME nanoseconds, 0: never */
	__u32 id; /* index into the hit counters; CS_RULE_ID_NONE is not a rule */
	__u16 selector; /* bit in the peer's bitmaps, or CS_SELECTOR_ANY */
	__u16 port_min; /* host order, inclusive */
	__u16 port_max; /* host order, inclusive */
	__u8 protocol; /* IPPROTO_*, 0: any */
	__u8 action; /* enum cs_action */
	__u8 flags; /* enum cs_rule_flags */
	__u8 tier; /* ascending; Pass jumps to the next */
	__u8 pad[2];
};

enum cs_ruleset_flags {
	CS_RULESET_EXPIRES = 1 << 0, /* some rule has expires_ns: the caller must give now_ns */
	CS_RULESET_ISOLATED = 1 << 1, /* some enforcing policy isolates this direction */
};

struct cs_ruleset {
	__u32 count; /* of rules[] in use, at most CS_RULES_MAX */
	__u32 default_rule; /* rule id to name when the default decides, or NONE */
	__u8 default_verdict; /* enum cs_verdict */
	__u8 default_reason; /* enum cs_reason */
	__u8 flags; /* enum cs_ruleset_flags */
	__u8 pad[5];
	struct cs_rule rules[CS_RULES_MAX];
};

/* One bit per selector that a peer matches. */
struct cs_bitmap {
	__u64 word[CS_SELECTORS_MAX / 64];
};

struct cs_query {
	const struct cs_bitmap *identity; /* of the peer's identity */
	const struct cs_bitmap *address; /* of the peer's address (CIDR selectors) */
	__u64 now_ns; /* CLOCK_BOOTTIME; needed when the ruleset has EXPIRES */
	__u16 port; /* destination port of the flow, host order; 0 without ports */
	__u8 protocol; /* IPPROTO_* */
	__u8 authenticated; /* 1: the peer is verified (or claims, in the early check) */
	__u8 pad[4];
};

struct cs_result {
	__u64 expires_ns; /* when the deciding rule ends, 0: never */
	__u32 rule; /* id of the rule that decided, or CS_RULE_ID_NONE */
	__u8 verdict; /* enum cs_verdict */
	__u8 reason; /* enum cs_reason */
	__u8 pad[2];
};

/* State of one walk. */
struct cs_walk {
	const struct cs_ruleset *rules;
	const struct cs_query *query;
	struct cs_result result;
	__u32 audit_rule; /* first Deny in Audit mode that covered */
	__u32 unauthenticated_rule; /* first Allow that missed only authentication */
	__u16 pass_tier; /* 1 + tier that a Pass skips, 0: none */
	__u16 pad[3];
};

static inline __attribute__((always_inline)) __u64 cs_bit(const struct cs_bitmap *map, __u16 bit)
{
	return (map->word[(bit / 64) % (CS_SELECTORS_MAX / 64)] >> (bit % 64)) & 1;
}

/*
 * Whether a < b, for values below 2^63, and whether a == b: as arithmetic. BPF has no
 * instruction for a comparison's result, so the compiler would branch, and the verifier
 * follows every branch of every rule.
 */
static inline __attribute__((always_inline)) __u64 cs_below(__u64 a, __u64 b)
{
	return (a - b) >> 63;
}

static inline __attribute__((always_inline)) __u64 cs_equal(__u64 a, __u64 b)
{
	return cs_below(a ^ b, 1);
}

/* A range of all ports covers protocols without ports (port 0) too. */
static inline __attribute__((always_inline)) __u64 cs_port_matches(const struct cs_rule *r,
								   const struct cs_query *q)
{
	__u64 any = cs_equal((__u64)r->port_min << 16 | r->port_max, CS_PORT_MAX);
	__u64 in = cs_below(r->port_min, (__u64)q->port + 1) &
		   cs_below(q->port, r->port_max + 1ULL);

	return any | (in & cs_below(0, q->port));
}

static inline __attribute__((always_inline)) __u64 cs_peer_matches(const struct cs_rule *r,
								   const struct cs_query *q)
{
	return cs_equal(r->selector, CS_SELECTOR_ANY) | cs_bit(q->identity, r->selector) |
	       cs_bit(q->address, r->selector);
}

static inline __attribute__((always_inline)) __u64 cs_rule_covers(const struct cs_rule *r,
								  const struct cs_query *q)
{
	__u64 protocol = cs_equal(r->protocol, 0) | cs_equal(r->protocol, q->protocol);
	__u64 alive = cs_equal(r->expires_ns, 0) | cs_below(q->now_ns, r->expires_ns);

	return protocol & alive & cs_port_matches(r, q) & cs_peer_matches(r, q);
}

static inline __attribute__((always_inline)) void cs_decided(struct cs_walk *w,
							     const struct cs_rule *r)
{
	w->result.rule = r->id;
	w->result.expires_ns = r->expires_ns;
	w->result.verdict = r->action == CS_ACTION_ALLOW ? CS_VERDICT_ALLOW : CS_VERDICT_DENY;
	w->result.reason = r->action == CS_ACTION_ALLOW ? CS_REASON_RULE : CS_REASON_POLICY_DENY;
}

/* Looks at rule @i. Returns 1 when the walk is over, else 0. */
static inline __attribute__((always_inline)) int cs_walk_rule(struct cs_walk *w, __u32 i)
{
	const struct cs_rule *r = &w->rules->rules[i % CS_RULES_MAX];

	if (w->pass_tier == r->tier + 1 || !cs_rule_covers(r, w->query))
		return 0;
	if ((r->flags & CS_RULE_AUTH) && r->action == CS_ACTION_ALLOW && !w->query->authenticated) {
		if (!w->unauthenticated_rule)
			w->unauthenticated_rule = r->id;
		return 0;
	}
	if (r->flags & CS_RULE_AUDIT) {
		if (r->action == CS_ACTION_DENY && !w->audit_rule)
			w->audit_rule = r->id;
		return 0;
	}
	if (r->action == CS_ACTION_PASS) {
		w->pass_tier = r->tier + 1;
		return 0;
	}
	cs_decided(w, r);
	return 1;
}

/* What the walk's end means when no rule decided, and what Audit makes of an Allow. */
static inline __attribute__((always_inline)) void cs_walk_end(struct cs_walk *w)
{
	struct cs_result *res = &w->result;

	if (res->verdict == CS_VERDICT_NONE) {
		res->verdict = w->rules->default_verdict;
		res->reason = w->rules->default_reason;
		res->rule = w->rules->default_rule;
		if (w->unauthenticated_rule && res->verdict != CS_VERDICT_ALLOW) {
			res->reason = CS_REASON_AUTH_REQUIRED;
			res->rule = w->unauthenticated_rule;
		}
	}
	if (res->verdict == CS_VERDICT_ALLOW && w->audit_rule) {
		res->verdict = CS_VERDICT_AUDIT;
		res->reason = CS_REASON_POLICY_DENY;
		res->rule = w->audit_rule;
	}
}

#ifdef __bpf__
/* A loop of up to 256 rounds, verified once (bpf_loop, Linux 5.17). */
static long cs_walk_round(__u32 i, void *ctx)
{
	return cs_walk_rule(ctx, i);
}

static inline __attribute__((always_inline)) void cs_walk_all(struct cs_walk *w, __u32 count)
{
	bpf_loop(count, cs_walk_round, w, 0);
}
#else
static inline void cs_walk_all(struct cs_walk *w, __u32 count)
{
	for (__u32 i = 0; i < count && !cs_walk_rule(w, i); i++)
		;
}
#endif

/* Evaluates @query against @rules into @ret; never leaves it undecided. */
static inline __attribute__((always_inline)) void cs_evaluate(const struct cs_ruleset *rules,
							      const struct cs_query *query,
							      struct cs_result *ret)
{
	struct cs_walk walk = { .rules = rules, .query = query };
	__u32 count = rules->count;

	if (count > CS_RULES_MAX)
		count = CS_RULES_MAX;
	cs_walk_all(&walk, count);
	cs_walk_end(&walk);
	*ret = walk.result;
}

#endif
