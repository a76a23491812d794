/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the parts of the packet filter share: one packet at one socket. */
#pragma once

#include "ask.h"

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

/* Says a refusal for a reason that no policy gave. @what: direction << 8 | reason. */
__verified_once int cs_say_refusal(struct __sk_buff *skb, const struct cs_socket *s,
				   const struct cs_packet *p, const struct cs_who *who, __u32 what)
{
	struct cs_report r = { .direction = what >> 8 };
	struct cs_decision d;

	if (!s || !p || !who)
		return -1;
	r.peer = who->peer;
	r.auth = who->auth;
	r.cookie = bpf_get_socket_cookie(skb);
	cs_conclude(&d, CS_VERDICT_DENY, what);
	cs_report_refusal(&r, s, p, &d);
	return 0;
}

/* The same, and drops the packet. */
__inline int cs_refuse_packet(const struct cs_hook *h, const struct cs_who *who, __u8 reason)
{
	cs_say_refusal(h->skb, h->s, h->p, who, h->direction << 8 | reason);
	return cs_drop(h, reason);
}

/* When nothing is known of the peer. */
__subprog int cs_refuse_unread(const struct cs_hook *h, __u8 reason)
{
	struct cs_who nobody = {};

	return cs_refuse_packet(h, &nobody, reason);
}

__inline void cs_ask(const struct cs_hook *h, struct cs_who *who, __u8 direction, __u16 port,
		     struct cs_decision *d)
{
	struct cs_leg leg = {
		.port = port,
		.direction = direction,
		.reply = h->direction != direction,
	};

	/* Never taken: what is asked with exists. It keeps @d defined for the verifier. */
	if (cs_ask_policy(h->s, h->p, who, &leg, d) < 0)
		cs_refuse(d, CS_REASON_NO_STORAGE);
}
