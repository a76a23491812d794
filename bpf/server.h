/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The server's half of the handshake, at ingress, with the listener as the socket. There
 * is no state per handshake: everything that is checked is in the segment itself.
 */
#pragma once

#include "handshake.h"
#include "stream.h"

__inline void cs_caller_of(const struct cs_hook *h, struct cs_caller *ret)
{
	ret->remote = h->p->src;
	ret->remote_port = h->p->sport;
	ret->local_port = h->p->dport;
	ret->pad = 0;
}

/* What ingress decided, for the socket that this segment is about to make. */
__inline void cs_accept_put(const struct cs_hook *h, const struct cs_who *who,
			    const struct cs_decision *d)
{
	__u32 zero = 0;
	struct cs_accepting *a = bpf_map_lookup_elem(&cs_accepting, &zero);

	if (!a)
		return;
	a->remote = h->p->src;
	a->remote_port = h->p->sport;
	a->local_port = h->p->dport;
	a->isn_remote = h->p->seq;
	a->state = cs_state_of(d);
	a->expires_ns = d->result.expires_ns;
	a->rule = d->result.rule;
	a->epoch = d->epoch;
	a->verdict = d->result.verdict;
	a->reason = d->result.reason;
	a->peer = who->peer;
	a->auth = who->auth;
	a->valid = 1;
}

/* Reports a refusal at the listener, and drops. */
__subprog int cs_turn_away(const struct cs_hook *h, const struct cs_who *who,
			   const struct cs_decision *d, __u8 flags)
{
	struct cs_report r;

	cs_fill_report(h, who, &r);
	r.direction = CS_INGRESS;
	r.flags = flags;
	cs_report_refusal(&r, h->s, h->p, d);
	return cs_drop(h, d->result.reason);
}

/*
 * Who a SYN says it is. A claim is not proved yet; it only decides whether it is worth
 * going on. Data in the SYN would reach the application before any proof, so then the
 * claim does not count and the sender is inferred. Returns 0 or a reason to refuse.
 */
__inline __u8 cs_syn_sender(const struct cs_hook *h, const struct cs_options *o, struct cs_who *ret)
{
	if (o->tags) {
		__u8 flaw = cs_tag_flaw(o, CS_TAG_LEN_SYN);

		ret->peer = o->tag;
		ret->auth = CS_AUTH_CLAIMED;
		if (!flaw)
			flaw = cs_claim_flaw(o->tag);
		if (flaw)
			return flaw;
	}
	if (o->tags && !cs_has_payload(h->p)) {
		ret->class_ = cs_class_of(&h->p->src);
		return 0;
	}
	cs_infer_sender(h, o, ret);
	return 0;
}

/*
 * A client that asks for a Fast Open cookie gets it in the SYN-ACK, and then the tag does
 * not fit there. If policy wants proof, such a SYN is refused: the client's next one does
 * not ask, a second later, where otherwise the connection would never come about.
 */
__subprog int cs_cookie_spoils_proof(struct cs_hook *h, struct cs_who *who)
{
	struct tcp_sock *tcp = bpf_skc_to_tcp_sock(h->sk);
	struct cs_decision d;
	__u8 auth = who->auth;

	if (!tcp || BPF_CORE_READ(tcp, inet_conn.icsk_accept_queue.fastopenq.max_qlen) <= 0)
		return 0;
	who->auth = CS_AUTH_FAST_OPEN;
	cs_ask(h, who, CS_INGRESS, h->p->dport, &d);
	who->auth = auth;
	return d.result.verdict == CS_VERDICT_DENY;
}

/* Lets a SYN go on that policy does not refuse. */
__subprog void cs_server_admit(const struct cs_hook *h, const struct cs_who *who, __u64 claim,
			       const struct cs_decision *d)
{
	struct cs_caller caller;

	if (cs_has_payload(h->p))
		cs_accept_put(h, who, d); /* Fast Open may make the socket now */
	cs_caller_of(h, &caller);
	cs_handshake_put(&caller, claim, h->s->workload);
}

/* Who the SYN is from, and what else counts of its options. Returns a reason to refuse. */
__subprog int cs_server_caller(const struct cs_hook *h, struct cs_who *who, __u8 *ret_seen)
{
	struct cs_options o;

	if (cs_read_options(h->skb, h->p, &o))
		return CS_REASON_MALFORMED_PACKET;
	*ret_seen = o.seen;
	return cs_syn_sender(h, &o, who);
}

/* A SYN to a listener: refused here when the claim alone is refused, before any state. */
__subprog int cs_server_syn(struct cs_hook *h)
{
	struct cs_who who = {};
	struct cs_decision d;
	__u8 flaw, seen = 0;
	__u64 claim;

	flaw = cs_server_caller(h, &who, &seen);
	if (flaw)
		return cs_refuse_packet(h, &who, flaw);
	claim = who.auth == CS_AUTH_CLAIMED ? who.peer : 0;
	cs_ask(h, &who, CS_INGRESS, h->p->dport, &d);
	if (d.result.verdict == CS_VERDICT_DENY) {
		if (d.result.reason == CS_REASON_AUTH_REQUIRED && cs_has_payload(h->p))
			d.result.reason = CS_REASON_FAST_OPEN_DATA;
		return cs_turn_away(h, &who, &d, CS_EVENT_EARLY);
	}
	if (seen & CS_SEEN_COOKIE_REQUEST && cs_cookie_spoils_proof(h, &who))
		return cs_refuse_packet(h, &who, CS_REASON_FAST_OPEN_COOKIE);
	cs_server_admit(h, &who, claim, &d);
	return CS_CODE_PASS;
}

/* Proves the tag on a handshake's ACK. Returns 0 or the reason to refuse. */
__inline __u8 cs_prove_client(const struct cs_hook *h, const struct cs_options *o,
			      struct cs_who *ret)
{
	struct cs_mac_input in = {
		.sender = o->tag,
		.receiver = h->s->tag,
		.isn_client = h->p->seq - 1,
		.isn_server = h->p->ack - 1,
		.label = CS_MAC_ACK,
	};
	__u8 flaw = cs_tag_flaw(o, CS_TAG_LEN_MAC);

	ret->peer = o->tag;
	ret->auth = CS_AUTH_CLAIMED;
	if (!flaw)
		flaw = cs_check_mac(o, &in);
	if (flaw)
		return flaw;
	ret->auth = CS_AUTH_VERIFIED;
	ret->class_ = cs_class_of(&h->p->src);
	return 0;
}

/* Who the ACK of a handshake is from. Returns 0 or a reason to refuse. */
__subprog int cs_server_client(const struct cs_hook *h, struct cs_who *who)
{
	struct cs_options o;

	if (cs_read_options(h->skb, h->p, &o))
		return CS_REASON_MALFORMED_PACKET;
	if (o.tags)
		return cs_prove_client(h, &o, who);
	cs_infer_sender(h, &o, who);
	return 0;
}

/* The ACK that completes a handshake (or a stray one: the stack answers that). */
__subprog int cs_server_ack(struct cs_hook *h)
{
	struct cs_who who = {};
	struct cs_decision d;
	__u8 flaw = cs_server_client(h, &who);

	if (flaw)
		return cs_refuse_packet(h, &who, flaw);
	cs_ask(h, &who, CS_INGRESS, h->p->dport, &d);
	if (d.result.verdict == CS_VERDICT_DENY)
		return cs_turn_away(h, &who, &d, 0);
	cs_accept_put(h, &who, &d);
	return CS_CODE_PASS;
}

__inline int cs_listener_packet(struct cs_hook *h)
{
	__u8 flags = h->p->tcp_flags;

	if (flags & TCP_RST)
		return CS_CODE_PASS;
	if ((flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
		return cs_server_syn(h);
	if ((flags & (TCP_SYN | TCP_ACK)) == TCP_ACK)
		return cs_server_ack(h);
	return cs_refuse_unread(h, CS_REASON_UNEXPECTED_SEGMENT);
}
