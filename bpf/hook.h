/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the parts of the packet filter share: one packet at one socket. */
#pragma once

#include "event.h"
#include "flow.h"
#include "workload.h"

/* Return values of cgroup_skb programs (kernel/bpf/cgroup.c). */
enum cs_code {
	CS_CODE_DROP = 0, /* at egress: the caller sees EPERM */
	CS_CODE_PASS = 1,
	CS_CODE_DROP_SILENTLY = 2, /* egress only: NET_XMIT_DROP, the caller sees nothing */
};

struct cs_hook {
	struct __sk_buff *skb;
	struct bpf_sock *sk;
	struct cs_socket *s;
	struct cs_packet *p;
	__u8 direction; /* enum cs_direction, of the packet */
};

/* Who the peer is and how that is known. */
struct cs_who {
	__u64 peer; /* tag word when verified or claimed, else the bare identity */
	__u32 class_;
	__u8 auth; /* enum cs_auth */
	__u8 pad[3];
};

__inline int cs_drop_code(__u8 direction)
{
	if (direction == CS_INGRESS || cs_control.deny_mode == CS_DENY_REJECT)
		return CS_CODE_DROP;
	return CS_CODE_DROP_SILENTLY;
}

/* Drops a packet: counted by reason and the direction it went. */
__inline int cs_drop(const struct cs_hook *h, __u8 reason)
{
	cs_count(CS_VERDICT_DENY, reason, h->direction);
	return cs_drop_code(h->direction);
}

__inline const struct cs_addr *cs_remote(const struct cs_hook *h)
{
	return h->direction == CS_INGRESS ? &h->p->src : &h->p->dst;
}

__inline const struct cs_addr *cs_local(const struct cs_hook *h)
{
	return h->direction == CS_INGRESS ? &h->p->dst : &h->p->src;
}

__inline __u16 cs_remote_port(const struct cs_hook *h)
{
	return h->direction == CS_INGRESS ? h->p->sport : h->p->dport;
}

__inline __u16 cs_local_port(const struct cs_hook *h)
{
	return h->direction == CS_INGRESS ? h->p->dport : h->p->sport;
}

/* A refusal for a reason that no policy gave: said, counted, dropped. */
__subprog int cs_refuse_packet(const struct cs_hook *h, const struct cs_who *who, __u8 reason)
{
	struct cs_decision d = {
		.epoch = READ_ONCE(cs_control.epoch),
		.stamp = READ_ONCE(cs_control.stamp),
	};
	struct cs_report r = {
		.peer = who->peer,
		.cookie = bpf_get_socket_cookie(h->skb),
		.direction = h->direction,
		.auth = who->auth,
	};

	cs_refuse(&d, reason);
	cs_report_refusal(&r, h->s, h->p, &d);
	return cs_drop(h, reason);
}

/* The same when nothing is known of the peer. */
__subprog int cs_refuse_unread(const struct cs_hook *h, __u8 reason)
{
	struct cs_who nobody = {};

	return cs_refuse_packet(h, &nobody, reason);
}

/* Whether the peer's identity counts as proved when the policy is asked. */
__inline int cs_is_proved(__u8 auth)
{
	return auth == CS_AUTH_VERIFIED || auth == CS_AUTH_CLAIMED;
}

/* Which leg of a flow is asked about. */
struct cs_leg {
	__u16 port; /* of the server, host order */
	__u8 direction; /* enum cs_direction: whose policy, the sender's or the receiver's */
	__u8 pad;
};

/* Asks the policy of @s's workload about the peer @who of the packet @p's flow. */
__verified_once int cs_ask_policy(const struct cs_socket *s, const struct cs_packet *p,
				  const struct cs_who *who, const struct cs_leg *leg,
				  struct cs_decision *d)
{
	struct cs_case c = {};

	if (!s || !p || !who || !leg || !d)
		return -1;
	if ((cs_is_proved(who->auth) || who->auth == CS_AUTH_LOCAL) &&
	    cs_is_self(s, who->peer, &p->src, &p->dst)) {
		cs_allow_self(d);
		return 0;
	}
	c.peer = cs_tag_identity(who->peer);
	c.workload = s->workload;
	c.generation = s->generation;
	c.class_ = who->class_;
	c.port = leg->port;
	c.protocol = p->protocol;
	c.direction = leg->direction;
	c.authenticated = cs_is_proved(who->auth);
	return cs_decide(&c, d);
}

__inline void cs_ask(const struct cs_hook *h, const struct cs_who *who, __u8 direction, __u16 port,
		     struct cs_decision *d)
{
	struct cs_leg leg = { .port = port, .direction = direction };

	/* Never taken: what is asked with exists. It keeps @d defined for the verifier. */
	if (cs_ask_policy(h->s, h->p, who, &leg, d) < 0)
		cs_refuse(d, CS_REASON_NO_STORAGE);
}
