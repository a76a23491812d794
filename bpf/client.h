/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The client's half of the handshake: the SYN at egress, the SYN-ACK at ingress. Towards
 * addresses that take tags, the verified server of the SYN-ACK decides, not the address.
 */
#pragma once

#include "stream.h"

/* Applies and reports what was decided about the server. */
__subprog int cs_client_verdict(const struct cs_hook *h, const struct cs_who *who,
				const struct cs_decision *d)
{
	struct cs_report r;

	cs_apply(h->s, who, d);
	cs_fill_report(h, who, &r);
	r.direction = CS_EGRESS;
	r.reversed = h->direction == CS_INGRESS;
	cs_report_decision(&r, h->s, h->p, d);
	return d->result.verdict == CS_VERDICT_DENY ? cs_drop(h, d->result.reason) : CS_CODE_PASS;
}

/* Decides on what the address says: no tag can come back from there, or data goes out now. */
__subprog int cs_client_inferred(const struct cs_hook *h, const struct cs_where *where, __u8 auth)
{
	struct cs_who who = { .peer = where->identity, .class_ = where->class_, .auth = auth };
	struct cs_decision d;

	if (!where->identity)
		who.auth = CS_AUTH_UNKNOWN;
	cs_ask(h, &who, CS_EGRESS, cs_remote_port(h), &d);
	return cs_client_verdict(h, &who, &d);
}

/*
 * Data in a SYN (Fast Open) leaves before the server is proved: only where the inferred
 * server is allowed. The connection itself is decided on the SYN-ACK, as always.
 */
__subprog int cs_client_data(struct cs_hook *h, const struct cs_where *where)
{
	struct cs_who who = {
		.peer = where->identity,
		.class_ = where->class_,
		.auth = where->identity ? CS_AUTH_FAST_OPEN : CS_AUTH_UNKNOWN,
	};
	struct cs_decision d;

	cs_ask(h, &who, CS_EGRESS, cs_remote_port(h), &d);
	if (d.result.verdict != CS_VERDICT_DENY)
		return CS_CODE_PASS;
	if (d.result.reason != CS_REASON_AUTH_REQUIRED)
		return cs_client_verdict(h, &who, &d);
	/* The kernel sends the SYN again without data: that one may be verified. */
	return cs_refuse_packet(h, &who, CS_REASON_FAST_OPEN_DATA);
}

/* Nobody is behind the Service that connect() was for: no SYN-ACK will ever decide. */
__inline int cs_serves_nobody(const struct cs_hook *h)
{
	return h->s->flags & CS_SOCKET_SERVICE &&
	       cs_service_kind(&h->p->dst, h->p->dport, IPPROTO_TCP) == CS_SERVICE_EMPTY;
}

/* A SYN whose verdict waits for the tag of the SYN-ACK. */
__inline int cs_awaits_tag(const struct cs_hook *h)
{
	return h->s->flags & CS_SOCKET_TAGGABLE && !(h->s->flags & CS_SOCKET_NO_ROOM) &&
	       !cs_has_payload(h->p) && !cs_serves_nobody(h);
}

/* A SYN that is not decided yet. */
__subprog int cs_client_begin(struct cs_hook *h)
{
	int waits = cs_awaits_tag(h);
	struct cs_where where;

	if (cs_is_revoked(h->s)) /* not even the question leaves it */
		return cs_refuse_unread(h, CS_REASON_REVOKED);
	if (waits && !cs_is_hairpin(h) && !cs_is_host_daemon(h->s))
		return CS_CODE_PASS;
	cs_locate(&h->p->dst, &where);
	if (h->s->flags & CS_SOCKET_SERVICE)
		where.taggable = !cs_serves_nobody(h);
	if (waits || !where.taggable || cs_has_payload(h->p) || h->s->flags & CS_SOCKET_NO_ROOM)
		cs_vouch(h, 0);
	if (waits)
		return CS_CODE_PASS;
	if (!where.taggable)
		return cs_client_inferred(h, &where, CS_AUTH_NOT_TAGGED);
	return cs_has_payload(h->p) ? cs_client_data(h, &where) : CS_CODE_PASS;
}

__inline int cs_client_syn(struct cs_hook *h)
{
	__u32 standing = cs_standing(h->s);

	h->s->role = CS_ROLE_CLIENT;
	h->s->syn_data = h->p->length - h->p->l4 - h->p->doff;
	if (standing == CS_STATE_ALLOW)
		return CS_CODE_PASS; /* sent again */
	return standing == CS_STATE_DENY ? cs_drop(h, h->s->reason) : cs_client_begin(h);
}

/* Proves the tag on a SYN-ACK. Returns 0 or the reason to refuse. */
__inline __u8 cs_prove_server(const struct cs_hook *h, const struct cs_options *o,
			      struct cs_mac_input *in, struct cs_who *who)
{
	__u8 flaw = cs_tag_flaw(o, CS_TAG_LEN_MAC);

	who->peer = o->tag;
	who->auth = CS_AUTH_CLAIMED;
	in->sender = o->tag;
	in->receiver = h->s->tag;
	in->label = CS_MAC_SYNACK;
	if (!flaw)
		flaw = cs_check_mac(o, in);
	if (flaw)
		return flaw;
	who->auth = CS_AUTH_VERIFIED;
	/* connect() was for this very address; what it found holds while the stamp does. */
	who->class_ = h->s->class_stamp == READ_ONCE(cs_control.stamp) ? h->s->class_
								       : cs_class_of(&h->p->src);
	return 0;
}

/* Prepares the tag of the client's ACKs. */
__inline void cs_prepare_ack(struct cs_socket *s, struct cs_mac_input *in, const struct cs_who *who)
{
	s->isn_local = in->isn_client;
	s->isn_remote = in->isn_server;
	in->sender = s->tag;
	in->receiver = who->peer;
	in->label = CS_MAC_ACK;
	s->flags &= ~CS_SOCKET_TAGGING;
	if (cs_make_mac(cs_tag_node(who->peer), in, &s->ack_mac))
		return;
	s->tag = in->sender;
	s->flags |= CS_SOCKET_TAGGING;
}

/*
 * An untagged SYN-ACK: the server will not see our tag either. On this node we vouch for
 * ourselves; towards others our address must not be another workload's.
 */
__inline __u8 cs_untagged_server(const struct cs_hook *h, const struct cs_options *o,
				 struct cs_who *who)
{
	struct cs_where where;

	cs_locate(&h->p->src, &where);
	h->s->flags &= ~CS_SOCKET_TAGGING;
	who->class_ = where.class_;
	who->peer = where.identity;
	who->auth = where.identity ? cs_untagged_auth(o) : CS_AUTH_UNKNOWN;
	if (h->s->flags & CS_SOCKET_NO_ROOM && who->auth == CS_AUTH_UNTAGGED)
		who->auth = CS_AUTH_NO_ROOM;
	cs_vouch(h, 1);
	if (!where.workload && !cs_is_loopback(&h->p->src) && cs_borrows_address(h))
		return CS_REASON_SOURCE_ADDRESS;
	return 0;
}

/* Whether the SYN-ACK acknowledges our SYN; fills both ISNs. */
__inline int cs_acks_our_syn(const struct cs_hook *h, struct cs_mac_input *in)
{
	struct bpf_tcp_sock *tp = bpf_tcp_sock(h->sk);

	if (!tp)
		return 0;
	in->isn_client = tp->snd_una;
	in->isn_server = h->p->seq;
	/*
	 * ISNc + 1, or up to as much more as the SYN carried data. snd_nxt is of no use: the
	 * answer can come while connect() still runs, before tcp_connect() has moved it.
	 */
	return h->p->ack - tp->snd_una - 1 <= h->s->syn_data;
}

/* Who the SYN-ACK says the server is. Returns 0 or a reason to refuse. */
__subprog int cs_client_server(const struct cs_hook *h, struct cs_mac_input *in, struct cs_who *who)
{
	struct cs_options o;

	if (cs_read_options(h->skb, h->p, &o))
		return CS_REASON_MALFORMED_PACKET;
	return o.tags ? cs_prove_server(h, &o, in, who) : cs_untagged_server(h, &o, who);
}

__subprog int cs_client_synack(struct cs_hook *h)
{
	struct cs_mac_input in = {};
	struct cs_who who = {};
	struct cs_decision d;
	__u8 flaw;

	if (!cs_acks_our_syn(h, &in))
		return cs_drop(h, CS_REASON_UNEXPECTED_SEGMENT);
	flaw = cs_client_server(h, &in, &who);
	if (flaw)
		return cs_refuse_packet(h, &who, flaw);
	if (who.auth == CS_AUTH_VERIFIED)
		cs_prepare_ack(h->s, &in, &who);
	cs_ask(h, &who, CS_EGRESS, h->p->sport, &d);
	return cs_client_verdict(h, &who, &d);
}

/* "Connection refused" is an answer too: only where policy would let us ask. */
__subprog int cs_client_reset(struct cs_hook *h)
{
	struct cs_where where;

	cs_locate(&h->p->src, &where);
	return cs_client_inferred(h, &where, CS_AUTH_UNTAGGED);
}

/* Any segment that reaches a socket in SYN_SENT. */
__inline int cs_client_packet(struct cs_hook *h)
{
	__u32 standing = cs_standing(h->s);
	__u8 flags = h->p->tcp_flags;

	if (standing == CS_STATE_ALLOW)
		return CS_CODE_PASS; /* decided at the SYN */
	if (standing == CS_STATE_DENY)
		return cs_drop(h, h->s->reason);
	if ((flags & (TCP_SYN | TCP_ACK | TCP_RST)) == (TCP_SYN | TCP_ACK))
		return cs_client_synack(h);
	if (flags & TCP_SYN)
		return cs_refuse_unread(h, CS_REASON_SIMULTANEOUS_OPEN);
	if (flags & TCP_RST)
		return cs_client_reset(h);
	return CS_CODE_PASS; /* never makes a connection; the stack answers it */
}
