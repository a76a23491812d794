/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* TCP at the packet filter: what is common to both sides, and connections once made. */
#pragma once

#include "hook.h"
#include "tag.h"

/* How an untagged peer is known, from the options of its segment. */
__inline __u8 cs_untagged_auth(const struct cs_options *o)
{
	if (o->seen & CS_SEEN_MPTCP)
		return CS_AUTH_MPTCP;
	if (o->seen & CS_SEEN_FASTOPEN)
		return CS_AUTH_FAST_OPEN;
	return CS_AUTH_UNTAGGED;
}

/*
 * Who sent an untagged segment. A sender on this node has left its workload in the flow
 * table. When it has not, yet the address is a local workload's, then no guarded socket
 * sent this: the address proves nothing. Only a remote address is inferred from.
 */
__subprog void cs_infer_sender(const struct cs_hook *h, const struct cs_options *o,
			       struct cs_who *ret)
{
	struct cs_where where;
	__u64 word;

	cs_locate(&h->p->src, &where);
	ret->class_ = where.class_;
	word = cs_flow_of(h->p, 0, h->s->netns_cookie);
	if (cs_flow_is_local(word))
		ret->peer = cs_flow_sender(h->s, word);
	else
		ret->peer = where.workload ? 0 : where.identity;
	ret->auth = ret->peer ? cs_untagged_auth(o) : CS_AUTH_UNKNOWN;
}

/* The destination was another one when the application named it: a load balancer in the
 * kernel has rewritten it, at connect() or on the way out. */
__inline int cs_is_rewritten(const struct cs_socket *s, const struct cs_packet *p)
{
	const struct cs_addr *asked = &s->original_dst;

	if (!s->original_port || (s->original_port == p->dport && cs_same_addr(asked, &p->dst)))
		return 0;
	/* 0.0.0.0 and :: are other names of loopback. */
	return asked->half[0] || (asked->half[1] && (!cs_is_mapped(asked) || asked->word[3]));
}

/* To itself, though it asked for a Service: then policy is asked, on both sides. */
__inline int cs_is_hairpin(const struct cs_hook *h)
{
	return cs_goes_nowhere(h->p) && cs_is_rewritten(h->s, h->p);
}

/* Tells a receiver on this node which workload sends this flow. */
__subprog void cs_vouch(const struct cs_hook *h, int reply)
{
	__u64 bits = cs_flow_local(h->s);
	struct cs_flow_key key;

	if (!reply && cs_is_hairpin(h))
		bits |= CS_FLOW_HAIRPIN;
	cs_flow_key_of(h->p, reply, h->s->netns_cookie, &key);
	cs_flow_put(&key, bits, READ_ONCE(cs_control.stamp), 0);
}

/* Whether this socket's own address is known to be another workload's. */
__inline int cs_borrows_address(const struct cs_hook *h)
{
	struct cs_where own;

	cs_locate(cs_local(h), &own);
	return own.known && own.identity && own.identity != cs_own_identity(h->s);
}

/* Remembers on the socket who the peer is and what was decided. */
__inline void cs_apply(struct cs_socket *s, const struct cs_who *who, const struct cs_decision *d)
{
	s->peer = who->peer;
	s->auth = who->auth;
	if (d->result.verdict != CS_VERDICT_DENY)
		s->flags |= CS_SOCKET_ESTABLISHED;
	cs_settle(s, d);
}

__inline void cs_fill_report(const struct cs_hook *h, const struct cs_who *who, struct cs_report *r)
{
	__builtin_memset(r, 0, sizeof(*r));
	r->peer = who->peer;
	r->auth = who->auth;
	r->cookie = bpf_get_socket_cookie(h->skb);
}

/* A socket older than the agent: a server if something listens on its port. */
__inline __u8 cs_guess_role(const struct cs_hook *h)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *listener;
	__u32 size = sizeof(tuple.ipv6);
	__u8 role = CS_ROLE_CLIENT;

	/* The remote port 0 matches no connection, so a listener is found. */
	if (h->p->family == 4) {
		size = sizeof(tuple.ipv4);
		tuple.ipv4.daddr = cs_local(h)->word[3];
		tuple.ipv4.dport = bpf_htons(cs_local_port(h));
	} else {
		__builtin_memcpy(tuple.ipv6.daddr, cs_local(h), 16);
		tuple.ipv6.dport = bpf_htons(cs_local_port(h));
	}
	listener = bpf_skc_lookup_tcp(h->skb, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	if (listener) {
		role = CS_ROLE_SERVER;
		bpf_sk_release(listener);
	}
	return role;
}

/* Who the peer of an existing connection is; inferred when no handshake was seen. */
__inline void cs_known_peer(const struct cs_hook *h, struct cs_who *ret)
{
	struct cs_where where;

	cs_locate(cs_remote(h), &where);
	ret->class_ = where.class_;
	ret->peer = h->s->peer;
	ret->auth = h->s->auth;
	if (h->s->role == CS_ROLE_CLIENT || h->s->role == CS_ROLE_SERVER)
		return;
	h->s->role = h->s->role == CS_ROLE_LISTENER ? CS_ROLE_SERVER : cs_guess_role(h);
	ret->peer = where.identity;
	ret->auth = where.identity ? CS_AUTH_OLDER : CS_AUTH_UNKNOWN;
}

/* Asks about the peer of a connection that exists: first whether its proof still counts. */
__subprog void cs_ask_again(const struct cs_hook *h, struct cs_who *who, int server,
			    struct cs_decision *d)
{
	__u8 flaw = who->auth == CS_AUTH_VERIFIED ? cs_claim_flaw(who->peer) : CS_REASON_NONE;

	if (flaw)
		cs_conclude(d, CS_VERDICT_DENY, flaw);
	else
		cs_ask(h, who, server ? CS_INGRESS : CS_EGRESS,
		       server ? cs_local_port(h) : cs_remote_port(h), d);
}

/* Decides a connection that exists by the policy now in force. */
__subprog int cs_decide_again(struct cs_hook *h)
{
	__u8 before = h->s->verdict;
	struct cs_who who = {};
	struct cs_decision d;
	struct cs_report r;
	int server;

	cs_known_peer(h, &who);
	server = h->s->role == CS_ROLE_SERVER;
	cs_ask_again(h, &who, server, &d);
	cs_apply(h->s, &who, &d);
	if (before != d.result.verdict) {
		cs_fill_report(h, &who, &r);
		r.direction = server ? CS_INGRESS : CS_EGRESS;
		r.reversed = server ? h->direction == CS_EGRESS : h->direction == CS_INGRESS;
		r.flags = CS_EVENT_LIVE;
		cs_report_decision(&r, h->s, h->p, &d);
	}
	return d.result.verdict == CS_VERDICT_DENY ? cs_drop(h, d.result.reason) : CS_CODE_PASS;
}

/*
 * A packet of a connection that the fast path did not pass. A reset always passes: it
 * ends the connection and carries nothing, and it is how both sides learn of a cut.
 */
__inline int cs_stream_packet(struct cs_hook *h)
{
	__u32 standing;

	if (h->p->tcp_flags & TCP_RST)
		return CS_CODE_PASS;
	standing = cs_standing(h->s);
	if (standing == CS_STATE_ALLOW)
		return CS_CODE_PASS;
	return standing == CS_STATE_DENY ? cs_drop(h, h->s->reason) : cs_decide_again(h);
}
