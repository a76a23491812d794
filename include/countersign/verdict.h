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
 *  4. There are two walks in one. The enforced walk leaves out rules with
 *     CS_RULE_AUDIT and gives the verdict; the staged walk takes them all. Where the
 *     enforced one lets through and the staged one denies, the verdict is Audit and
 *     names what denies there. So Audit changes no traffic and says just what
 *     enforcing would.
 *  5. Pass skips the remaining rules of its tier, in the walks that it belongs to; but
 *     not CS_RULE_DEFAULT, for nothing passes over what a policy isolates.
 *  6. No rule: the ruleset's default, in both walks (Allow when nothing isolates the
 *     direction). The isolation of policies in Audit mode is a rule:
 *     CS_RULE_DEFAULT | CS_RULE_AUDIT.
 *  7. The result holds until the earliest expiry of a rule that covered.
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
	CS_RULE_AUDIT = 1 << 1, /* mode: Audit; of any action */
	CS_RULE_DEFAULT = 1 << 2, /* not written by anybody: a policy's isolation */
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
	CS_RULESET_AUDIT = 1 << 2, /* some rule has CS_RULE_AUDIT */
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
	__u64 expires_ns; /* when the result may change by itself, 0: never */
	__u32 rule; /* id of the rule that decided, or CS_RULE_ID_NONE */
	__u8 verdict; /* enum cs_verdict */
	__u8 reason; /* enum cs_reason */
	__u8 pad[2];
};

/* State of the two walks. */
struct cs_walk {
#ifndef __bpf__
	const struct cs_ruleset *rules; /* for cs_walk_rule() */
	const struct cs_query *query;
#endif
	struct cs_result result; /* of the enforced walk */
	__u32 unauthenticated_rule; /* first Allow that missed only authentication */
	__u32 staged_unauthenticated; /* the same for the staged walk */
	__u32 staged_rule; /* that decided the staged walk */
	__u16 pass_tier; /* 1 + tier that a Pass skips, 0: none */
	__u16 staged_pass_tier;
	__u8 staged; /* enum cs_verdict; NONE: goes on. Allow from the start without Audit. */
	__u8 staged_reason; /* enum cs_reason, when it denies */
	__u8 authenticated; /* the query's */
	__u8 pad[5];
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

/* The earlier of two moments, 0 being never. */
static inline __attribute__((always_inline)) __u64 cs_earlier(__u64 a, __u64 b)
{
	return a - 1 < b - 1 ? a : b;
}

static inline __attribute__((always_inline)) __u8 cs_verdict_of(const struct cs_rule *r)
{
	return r->action == CS_ACTION_ALLOW ? CS_VERDICT_ALLOW : CS_VERDICT_DENY;
}

/* Whether the walk without, and the one with Audit rules has rule @r still before it. */
static inline __attribute__((always_inline)) int cs_walk_open(const struct cs_walk *w,
							      const struct cs_rule *r)
{
	return w->result.verdict == CS_VERDICT_NONE && !(r->flags & CS_RULE_AUDIT) &&
	       (w->pass_tier != r->tier + 1 || r->flags & CS_RULE_DEFAULT);
}

static inline __attribute__((always_inline)) int cs_staged_open(const struct cs_walk *w,
								const struct cs_rule *r)
{
	return w->staged == CS_VERDICT_NONE &&
	       (w->staged_pass_tier != r->tier + 1 || r->flags & CS_RULE_DEFAULT);
}

static inline __attribute__((always_inline)) void cs_walk_unauthenticated(struct cs_walk *w,
									  const struct cs_rule *r,
									  int enforced, int staged)
{
	if (enforced && !w->unauthenticated_rule)
		w->unauthenticated_rule = r->id;
	if (staged && !w->staged_unauthenticated)
		w->staged_unauthenticated = r->id;
}

/* The staged walk ends in a default: @reason and @rule, unless proof alone was missing. */
static inline __attribute__((always_inline)) void cs_stage_default(struct cs_walk *w, __u8 reason,
								   __u32 rule)
{
	w->staged = CS_VERDICT_DENY;
	w->staged_reason = w->staged_unauthenticated ? CS_REASON_AUTH_REQUIRED : reason;
	w->staged_rule = w->staged_unauthenticated ?: rule;
}

static inline __attribute__((always_inline)) void cs_stage_decided(struct cs_walk *w,
								   const struct cs_rule *r)
{
	if (r->flags & CS_RULE_DEFAULT) {
		cs_stage_default(w, CS_REASON_DEFAULT_DENY, r->id);
		return;
	}
	w->staged = cs_verdict_of(r);
	w->staged_reason = CS_REASON_POLICY_DENY;
	w->staged_rule = r->id;
}

static inline __attribute__((always_inline)) void cs_walk_decided(struct cs_walk *w,
								  const struct cs_rule *r)
{
	w->result.rule = r->id;
	w->result.verdict = cs_verdict_of(r);
	w->result.reason = r->action == CS_ACTION_ALLOW ? CS_REASON_RULE : CS_REASON_POLICY_DENY;
}

/* Takes a rule that covers. Returns 1 when both walks are over, else 0. */
static inline __attribute__((always_inline)) int cs_walk_step(struct cs_walk *w,
							      const struct cs_rule *r)
{
	int enforced, staged;

	enforced = cs_walk_open(w, r);
	staged = cs_staged_open(w, r);
	if (!(enforced | staged))
		return 0;
	w->result.expires_ns = cs_earlier(w->result.expires_ns, r->expires_ns);
	if (r->flags & CS_RULE_AUTH && r->action == CS_ACTION_ALLOW && !w->authenticated) {
		cs_walk_unauthenticated(w, r, enforced, staged);
		return 0;
	}
	if (r->action == CS_ACTION_PASS) {
		w->pass_tier = enforced ? r->tier + 1 : w->pass_tier;
		w->staged_pass_tier = staged ? r->tier + 1 : w->staged_pass_tier;
		return 0;
	}
	if (staged)
		cs_stage_decided(w, r);
	if (enforced)
		cs_walk_decided(w, r);
	return w->result.verdict == CS_VERDICT_DENY ||
	       (w->result.verdict == CS_VERDICT_ALLOW && w->staged != CS_VERDICT_NONE);
}

/* Looks at rule @r. Returns 1 when both walks are over, else 0. */
static inline __attribute__((always_inline)) int cs_walk_look(struct cs_walk *w,
							      const struct cs_rule *r,
							      const struct cs_query *query)
{
	return cs_rule_covers(r, query) ? cs_walk_step(w, r) : 0;
}

#ifndef __bpf__
/* Looks at rule @i. */
static inline int cs_walk_rule(struct cs_walk *w, __u32 i)
{
	return cs_walk_look(w, &w->rules->rules[i % CS_RULES_MAX], w->query);
}
#endif

/* What the end of the rules means for a walk that no rule decided. */
static inline __attribute__((always_inline)) void cs_walk_end(struct cs_walk *w,
							      const struct cs_ruleset *rules)
{
	struct cs_result *res = &w->result;

	if (w->staged == CS_VERDICT_NONE && rules->default_verdict != CS_VERDICT_ALLOW)
		cs_stage_default(w, rules->default_reason, rules->default_rule);
	if (res->verdict == CS_VERDICT_NONE) {
		res->verdict = rules->default_verdict;
		res->reason = rules->default_reason;
		res->rule = rules->default_rule;
		if (w->unauthenticated_rule && res->verdict != CS_VERDICT_ALLOW) {
			res->reason = CS_REASON_AUTH_REQUIRED;
			res->rule = w->unauthenticated_rule;
		}
	}
	if (res->verdict == CS_VERDICT_DENY || w->staged != CS_VERDICT_DENY)
		return;
	res->verdict = CS_VERDICT_AUDIT;
	res->reason = w->staged_reason;
	res->rule = w->staged_rule;
}

/* A walk at its start. */
static inline __attribute__((always_inline)) void cs_walk_begin(struct cs_walk *w,
								const struct cs_ruleset *rules,
								const struct cs_query *query)
{
	__builtin_memset(w, 0, sizeof(*w));
#ifndef __bpf__ /* where it would mean to store a pointer in memory that takes numbers */
	w->rules = rules;
	w->query = query;
#endif
	w->authenticated = query->authenticated;
	w->staged = rules->flags & CS_RULESET_AUDIT ? CS_VERDICT_NONE : CS_VERDICT_ALLOW;
}

#ifdef __bpf__
/* What a round needs. The walk itself lies elsewhere: see cs_evaluate_in(). */
struct cs_round {
	const struct cs_ruleset *rules;
	const struct cs_query *query;
	struct cs_walk *walk;
};

/* A loop of up to 256 rounds, verified once (bpf_loop, Linux 5.17). */
static long cs_walk_round(__u32 i, void *ctx)
{
	const struct cs_round *round = ctx;

	/* The verifier wants to see that it is 0 or 1. */
	return cs_walk_look(round->walk, &round->rules->rules[i % CS_RULES_MAX], round->query) & 1;
}

static inline __attribute__((always_inline)) void cs_walk_all(struct cs_walk *w,
							      const struct cs_ruleset *rules,
							      const struct cs_query *query,
							      __u32 count)
{
	struct cs_round round = { .rules = rules, .query = query, .walk = w };

	bpf_loop(count, cs_walk_round, &round, 0);
}
#else
static inline void cs_walk_all(struct cs_walk *w, const struct cs_ruleset *rules,
			       const struct cs_query *query, __u32 count)
{
	for (__u32 i = 0; i < count; i++)
		if (cs_walk_look(w, &rules->rules[i], query))
			return;
}
#endif

/*
 * Evaluates @query against @rules in the memory @w; w->result is never left undecided.
 * In BPF, @w is an argument of a global function: of such memory the verifier remembers
 * nothing, so that it need not follow every rule's branches times those of the rule before.
 */
static inline __attribute__((always_inline)) void cs_evaluate_in(struct cs_walk *w,
								 const struct cs_ruleset *rules,
								 const struct cs_query *query)
{
	__u32 count = rules->count;

	cs_walk_begin(w, rules, query);
	if (count > CS_RULES_MAX)
		count = CS_RULES_MAX;
	cs_walk_all(w, rules, query, count);
	cs_walk_end(w, rules);
}

#ifndef __bpf__
/* The same, for who has no use for the walk. */
static inline void cs_evaluate(const struct cs_ruleset *rules, const struct cs_query *query,
			       struct cs_result *ret)
{
	struct cs_walk walk;

	cs_evaluate_in(&walk, rules, query);
	*ret = walk.result;
}
#endif

#endif
