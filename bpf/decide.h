/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From maps to the evaluator: finds the subject's ruleset and the peer's bitmaps in the
 * bank in force and lets verdict.h decide. Everything that cannot be found denies.
 */
#pragma once

#include "locate.h"
#include "maps.h"
#include "workload.h"

/* What is to be decided. */
struct cs_case {
	__u64 peer; /* identity number, 0: not known */
	__u32 workload; /* slot of the subject */
	__u32 generation; /* of the slot */
	__u32 class_; /* of the peer's address */
	__u16 port; /* of the server, host order */
	__u8 protocol;
	__u8 direction; /* enum cs_direction */
	__u8 authenticated; /* see struct cs_query */
	__u8 pad[7];
};

struct cs_decision {
	struct cs_result result;
	__u32 epoch; /* of the policy that decided */
	__u32 stamp; /* as it was before anything was read */
};

__inline void cs_refuse(struct cs_decision *d, __u8 reason)
{
	d->result.verdict = CS_VERDICT_DENY;
	d->result.reason = reason;
}

__inline const struct cs_bitmap *cs_bitmap_row(__u32 bank, __u32 row)
{
	__u32 index = bank * CS_BITMAPS_MAX + row % CS_BITMAPS_MAX;

	return bpf_map_lookup_elem(&cs_bitmaps, &index);
}

/* The row of an identity; *@ret_known tells whether it is known at all. */
__subprog __u32 cs_identity_row(__u64 identity, __u32 bank, int *ret_known)
{
	__u32 *slot = bpf_map_lookup_elem(&cs_identities, &identity);
	const struct cs_peer *peer;
	__u32 index;

	*ret_known = 0;
	if (!slot)
		return 0;
	index = READ_ONCE(*slot);
	peer = bpf_map_lookup_elem(&cs_peers, &index);
	if (!peer || READ_ONCE(peer->identity) != identity) {
		cs_stat(CS_STAT_TORN_READS);
		return 0;
	}
	*ret_known = 1;
	return READ_ONCE(peer->row[bank % CS_BANKS]);
}

__inline __u32 cs_class_row(__u32 class_, __u32 bank)
{
	const struct cs_class *c;

	if (!class_)
		return 0;
	c = bpf_map_lookup_elem(&cs_classes, &class_);
	return c ? READ_ONCE(c->row[bank % CS_BANKS]) : 0;
}

__inline const struct cs_ruleset *cs_ruleset_of(const struct cs_case *c, __u32 bank,
						__u8 *ret_reason)
{
	__u32 index = bank * CS_WORKLOADS_MAX + c->workload % CS_WORKLOADS_MAX;
	const struct cs_subject *subject = bpf_map_lookup_elem(&cs_subjects, &index);

	*ret_reason = CS_REASON_WORKLOAD_UNKNOWN;
	if (!subject || !subject->standing)
		return NULL;
	if (c->workload && subject->generation != c->generation)
		return NULL;
	if (!c->workload && !c->generation)
		return NULL; /* could not be looked up: see cs_socket_assign() */
	*ret_reason = CS_REASON_REVOKED; /* for a subject that is: see cs_needs_no_policy() */
	if (c->peer == CS_IDENTITY_REVOKED)
		return NULL;
	index = bank * CS_RULESETS_MAX + subject->ruleset[c->direction & 1] % CS_RULESETS_MAX;
	return bpf_map_lookup_elem(&cs_rulesets, &index);
}

__inline int cs_has_ports(__u8 protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP;
}

/*
 * A verified peer whose identity has not arrived here yet: it may a moment later, which
 * changes no stamp. So the denial holds for a while only, and a handshake that is still
 * being repeated then passes.
 */
#define CS_UNKNOWN_NS 100000000ULL

__inline void cs_refuse_unknown(const struct cs_case *c, struct cs_decision *d)
{
	if (d->result.reason == CS_REASON_DEFAULT_DENY)
		d->result.reason = CS_REASON_UNKNOWN_IDENTITY;
	if (c->peer && d->result.verdict == CS_VERDICT_DENY)
		d->result.expires_ns =
			cs_earlier(d->result.expires_ns, bpf_ktime_get_boot_ns() + CS_UNKNOWN_NS);
}

/* The evaluator on what was found. Returns whether the peer's identity is known. */
__inline int cs_decide_on(const struct cs_case *c, const struct cs_ruleset *rules, __u32 bank,
			  struct cs_decision *d, struct cs_walk *walk)
{
	int known;
	struct cs_query query = {
		.identity = cs_bitmap_row(bank, cs_identity_row(c->peer, bank, &known)),
		.address = cs_bitmap_row(bank, cs_class_row(c->class_, bank)),
		.port = c->port,
		.protocol = c->protocol,
		.authenticated = c->authenticated,
	};

	if (!query.identity || !query.address) {
		cs_refuse(d, CS_REASON_UNKNOWN_IDENTITY);
		return 0;
	}
	if (rules->flags & CS_RULESET_EXPIRES)
		query.now_ns = bpf_ktime_get_boot_ns();
	cs_evaluate_in(walk, rules, &query);
	d->result = walk->result;
	if (!known)
		cs_refuse_unknown(c, d);
	return known;
}

/* One 64-bit multiply-and-fold step; keyed by its start value, not cryptographic. */
__inline __u64 cs_mix(__u64 hash, __u64 word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
	return hash ^ hash >> 32;
}

/* The question as one number, under the present stamp. */
__inline __u64 cs_question(const struct cs_case *c, __u32 stamp)
{
	__u64 h = cs_mix(cs_control.secret.k0, c->peer);

	h = cs_mix(h, (__u64)c->workload << 32 | c->generation);
	h = cs_mix(h, (__u64)c->class_ << 32 | stamp);
	return cs_mix(h ^ cs_control.secret.k1, (__u64)c->port << 32 | c->protocol << 16 |
							c->direction << 8 | c->authenticated);
}

__subprog struct cs_remembered *cs_remembered_at(__u64 question)
{
	__u32 index = (question >> 40) % CS_DECISIONS_MAX;

	return bpf_map_lookup_elem(&cs_decisions, &index);
}

/* Whether the question was answered before; then the answer is in @d. */
__inline int cs_recall(__u64 question, struct cs_decision *d)
{
	const struct cs_remembered *r = cs_remembered_at(question);
	__u64 word, check;

	if (!r)
		return 0;
	word = READ_ONCE(r->word);
	check = READ_ONCE(r->check);
	if (!word || check != cs_mix(question, word))
		return 0;
	d->result.rule = word >> 32;
	d->result.reason = word >> 8;
	d->result.verdict = word;
	return 1;
}

/* Only what stays true until the stamp changes: nothing that expires. */
__inline void cs_remember(__u64 question, const struct cs_decision *d)
{
	struct cs_remembered *r = cs_remembered_at(question);
	__u64 word = (__u64)d->result.rule << 32 | d->result.reason << 8 | d->result.verdict;

	if (!r)
		return;
	WRITE_ONCE(r->word, word);
	WRITE_ONCE(r->check, cs_mix(question, word));
}

/* Decides @c into @d: verdict Allow, Deny or Audit, never None. @walk is scratch memory. */
__verified_once int cs_decide(const struct cs_case *c, struct cs_decision *d, struct cs_walk *walk)
{
	const struct cs_ruleset *rules;
	__u64 question;
	__u32 bank;
	__u8 reason;

	if (!c || !d || !walk)
		return -1;
	__builtin_memset(d, 0, sizeof(*d));
	d->stamp = READ_ONCE(cs_control.stamp);
	d->epoch = READ_ONCE(cs_control.epoch);
	if (!d->epoch) {
		cs_refuse(d, CS_REASON_NO_POLICY);
		return 0;
	}
	question = cs_question(c, d->stamp);
	if (cs_recall(question, d))
		return 0;
	bank = d->epoch % CS_BANKS;
	rules = cs_ruleset_of(c, bank, &reason);
	if (!rules)
		cs_refuse(d, reason);
	else if (!cs_has_ports(c->protocol) && rules->flags & CS_RULESET_ISOLATED)
		cs_refuse(d, CS_REASON_PROTOCOL);
	else if (cs_decide_on(c, rules, bank, d, walk) && !(rules->flags & CS_RULESET_EXPIRES))
		cs_remember(question, d);
	return 0;
}

/* A decision that no rule made, complete. */
__inline void cs_conclude(struct cs_decision *d, __u8 verdict, __u8 reason)
{
	__builtin_memset(d, 0, sizeof(*d));
	d->stamp = READ_ONCE(cs_control.stamp);
	d->epoch = READ_ONCE(cs_control.epoch);
	d->result.verdict = verdict;
	d->result.reason = reason;
}

/* The state word that a decision gives a stream socket. */
__inline __u64 cs_state_of(const struct cs_decision *d)
{
	int denied = d->result.verdict == CS_VERDICT_DENY;
	__u64 state = denied ? CS_STATE_DENY : CS_STATE_ALLOW;

	if (d->result.expires_ns)
		state = denied ? CS_STATE_TIMED_DENY : CS_STATE_TIMED;
	return (__u64)d->stamp << 32 | state;
}

/*
 * What the last decision on a stream socket means now: CS_STATE_ALLOW, CS_STATE_DENY, or
 * CS_STATE_NONE when there is none, policy has changed since, or its time is over.
 */
__inline __u32 cs_standing(const struct cs_socket *s)
{
	__u64 word = READ_ONCE(s->state);
	__u32 state = word;

	if (word >> 32 != READ_ONCE(cs_control.stamp))
		return CS_STATE_NONE;
	if (state < CS_STATE_TIMED)
		return state;
	if (bpf_ktime_get_boot_ns() >= READ_ONCE(s->expires_ns))
		return CS_STATE_NONE;
	return state == CS_STATE_TIMED ? CS_STATE_ALLOW : CS_STATE_DENY;
}

/* Writes a decision to a stream socket. Another CPU must not pair one state with the
 * other's expiry: while those change there is no state. */
__inline void cs_settle(struct cs_socket *s, const struct cs_decision *d)
{
	if (s->expires_ns != d->result.expires_ns)
		WRITE_ONCE(s->state, CS_STATE_NONE);
	s->rule = d->result.rule;
	s->reason = d->result.reason;
	s->verdict = d->result.verdict;
	WRITE_ONCE(s->expires_ns, d->result.expires_ns);
	WRITE_ONCE(s->state, cs_state_of(d));
}
