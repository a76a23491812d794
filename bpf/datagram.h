/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * UDP and SCTP: no tag, so peers are inferred; one decision per flow, replies pass. And
 * what has no ports: ICMP that networks need passes, the rest is refused under isolation.
 */
#pragma once

#include "stream.h"

/* What is known of a packet's flow: as one that we began, and as one that the peer began. */
struct cs_flow_pair {
	__u64 our_word;
	__u64 their_word;
};

/* Digest of a flow under the present policy: what a socket remembers. Never 0. */
__inline __u64 cs_remote_digest(const struct cs_addr *remote, __u16 remote_port, __u16 local_port)
{
	__u64 d = cs_mix(cs_control.secret.k0, remote->half[0]);

	d = cs_mix(d, remote->half[1]);
	d = cs_mix(d, (__u64)remote_port << 16 | local_port);
	return cs_mix(d ^ cs_control.secret.k1, READ_ONCE(cs_control.stamp)) | 1;
}

__inline __u64 cs_flow_digest(const struct cs_hook *h)
{
	return cs_remote_digest(cs_remote(h), cs_remote_port(h), cs_local_port(h));
}

/* The ports behind an IPv4 or IPv6 header without options or extensions; NULL if not so. */
__inline const __be16 *cs_plain_udp(struct __sk_buff *skb, int egress, struct cs_addr *ret_remote)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	const struct cs_ipv6_header *ip6 = data;
	const struct cs_ipv4_header *ip4 = data;

	if (skb->protocol == bpf_htons(0x0800)) {
		if ((void *)((const __be32 *)(ip4 + 1) + 1) > end || ip4->version_ihl != 0x45 ||
		    ip4->protocol != IPPROTO_UDP)
			return NULL;
		cs_map_ipv4(ret_remote, egress ? ip4->dst : ip4->src);
		return (const __be16 *)(ip4 + 1);
	}
	if ((void *)((const __be32 *)(ip6 + 1) + 1) > end || ip6->next != IPPROTO_UDP)
		return NULL;
	*ret_remote = egress ? ip6->dst : ip6->src;
	return (const __be16 *)(ip6 + 1);
}

/*
 * Whether this is the datagram flow that the socket had last, still allowed. The digest
 * holds the stamp, so nothing else needs to be looked at.
 */
__verified_once int cs_is_last_flow(struct __sk_buff *skb, const struct cs_socket *s,
				    __u8 direction)
{
	int egress = direction == CS_EGRESS;
	struct cs_addr remote;
	const __be16 *port;

	if (!s || s->role != CS_ROLE_DATAGRAM)
		return 0;
	port = cs_plain_udp(skb, egress, &remote);
	if (!port)
		return 0;
	return READ_ONCE(s->flow) ==
	       cs_remote_digest(&remote, bpf_ntohs(port[egress]), bpf_ntohs(port[!egress]));
}

/* The key of the flow as we (@ours) or the peer began it. */
__inline void cs_flow_key_at(const struct cs_hook *h, int ours, struct cs_flow_key *ret)
{
	cs_flow_key_of(h->p, ours == (h->direction == CS_INGRESS), h->s->netns_cookie, ret);
}

__subprog __u64 cs_flow_find(const struct cs_hook *h, int ours)
{
	struct cs_flow_key key;

	cs_flow_key_at(h, ours, &key);
	return cs_flow_get(&key, ours ? CS_EGRESS : CS_INGRESS);
}

/*
 * Remembers that the flow is allowed. One that was rewritten on its way out (DNAT in this
 * very namespace) is answered from the address that the application named.
 */
__subprog int cs_flow_allow(const struct cs_hook *h, int ours, const struct cs_decision *d)
{
	__u64 bits = ours ? CS_FLOW_EGRESS | cs_flow_local(h->s) : CS_FLOW_INGRESS;
	struct cs_flow_key key;

	cs_flow_key_at(h, ours, &key);
	cs_flow_put(&key, bits, d->stamp, d->result.expires_ns);
	if (!ours || h->direction != CS_EGRESS || !cs_is_rewritten(h->s, h->p))
		return 0;
	key.dst = h->s->original_dst;
	key.dport = h->s->original_port;
	return cs_flow_put(&key, bits, d->stamp, d->result.expires_ns);
}

/* Who is at the other end: the local sender's own word, else its address. */
__inline void cs_datagram_peer(const struct cs_hook *h, const struct cs_flow_pair *f,
			       const struct cs_where *where, struct cs_who *ret)
{
	ret->class_ = where->class_;
	ret->peer = where->identity;
	ret->auth = CS_AUTH_DATAGRAM;
	if (cs_flow_is_local(f->their_word)) {
		ret->peer = cs_flow_sender(h->s, f->their_word);
		ret->auth = CS_AUTH_LOCAL;
	} else if (where->workload && h->direction == CS_INGRESS && !f->our_word) {
		ret->peer = 0; /* no guarded socket of that workload sent this */
	} else if (where->workload && h->direction == CS_EGRESS &&
		   where->workload == h->s->workload) {
		ret->auth = CS_AUTH_LOCAL; /* towards our own address, so perhaps to ourselves */
	}
	if (!ret->peer)
		ret->auth = CS_AUTH_UNKNOWN;
}

/* The leg that decides: ours when we began or begin the flow, else theirs. */
__inline int cs_we_began(const struct cs_hook *h, const struct cs_flow_pair *f)
{
	if (h->direction == CS_EGRESS)
		return !(f->their_word & CS_FLOW_INGRESS);
	return !!(f->our_word & CS_FLOW_EGRESS);
}

__inline __u8 cs_leg_bit(int ours)
{
	return ours ? CS_FLOW_EGRESS : CS_FLOW_INGRESS;
}

/* Whether the flow was allowed under the present policy already. */
__inline int cs_leg_holds(const struct cs_flow_pair *f, int ours)
{
	__u64 word = ours ? f->our_word : f->their_word;

	return word & cs_leg_bit(ours) && !(word & CS_FLOW_ENDED) &&
	       cs_flow_stamp(word) == READ_ONCE(cs_control.stamp);
}

__inline int cs_datagram_verdict(const struct cs_hook *h, const struct cs_who *who,
				 const struct cs_decision *d, int ours)
{
	struct cs_report r;

	cs_fill_report(h, who, &r);
	r.direction = ours ? CS_EGRESS : CS_INGRESS;
	r.reversed = ours ? h->direction == CS_INGRESS : h->direction == CS_EGRESS;
	if (d->result.verdict == CS_VERDICT_DENY) {
		cs_report_refusal(&r, h->s, h->p, d);
		return cs_drop(h, d->result.reason);
	}
	cs_report_decision(&r, h->s, h->p, d);
	cs_flow_allow(h, ours, d);
	if (!d->result.expires_ns)
		WRITE_ONCE(h->s->flow, cs_flow_digest(h));
	return CS_CODE_PASS;
}

/*
 * An untagged packet from an address of another workload would be taken for that
 * workload's by a remote receiver. (A receiver on this node knows better.)
 */
__subprog int cs_is_masquerade(const struct cs_hook *h, const struct cs_where *where)
{
	return h->direction == CS_EGRESS && where->taggable && !where->workload &&
	       !cs_is_loopback(cs_remote(h)) && cs_borrows_address(h);
}

/* UDP or SCTP, from a flow that the socket did not have last. */
__subprog int cs_datagram_packet(struct cs_hook *h)
{
	struct cs_flow_pair f;
	struct cs_who who = {};
	struct cs_where where;
	struct cs_decision d;
	int ours;

	h->s->role = CS_ROLE_DATAGRAM;
	f.our_word = cs_flow_find(h, 1);
	f.their_word = cs_flow_find(h, 0);
	ours = cs_we_began(h, &f);
	if (cs_leg_holds(&f, ours)) {
		/* One that expires is looked at with every packet. */
		if (!((ours ? f.our_word : f.their_word) & CS_FLOW_TIMED))
			WRITE_ONCE(h->s->flow, cs_flow_digest(h));
		return CS_CODE_PASS;
	}
	cs_locate(cs_remote(h), &where);
	cs_datagram_peer(h, &f, &where, &who);
	if (cs_is_masquerade(h, &where))
		return cs_refuse_packet(h, &who, CS_REASON_SOURCE_ADDRESS);
	if (ours && h->direction == CS_EGRESS && cs_is_hairpin(h))
		cs_vouch(h, 0);
	cs_ask(h, &who, ours ? CS_EGRESS : CS_INGRESS, ours ? cs_remote_port(h) : cs_local_port(h),
	       &d);
	return cs_datagram_verdict(h, &who, &d, ours);
}

/* Echo, errors and neighbour discovery: what every network needs to work. */
__inline int cs_is_needed_icmp(const struct cs_packet *p)
{
	__u8 t = p->icmp_type;

	if (p->protocol == IPPROTO_ICMP)
		return t == 0 || t == 3 || t == 8 || t == 11 || t == 12;
	if (p->protocol == IPPROTO_ICMPV6)
		return (t >= 1 && t <= 4) || (t >= 128 && t <= 132) || (t >= 133 && t <= 137) ||
		       t == 143;
	return 0;
}

/* Neither TCP, UDP nor SCTP. */
__subprog int cs_other_packet(struct cs_hook *h)
{
	struct cs_where where;
	struct cs_who who = {};
	struct cs_decision d;
	struct cs_report r;

	if (cs_is_needed_icmp(h->p))
		return CS_CODE_PASS;
	cs_locate(cs_remote(h), &where);
	who.peer = where.identity;
	who.class_ = where.class_;
	who.auth = where.identity ? CS_AUTH_DATAGRAM : CS_AUTH_UNKNOWN;
	cs_ask(h, &who, h->direction, 0, &d);
	cs_fill_report(h, &who, &r);
	r.direction = h->direction;
	if (d.result.verdict == CS_VERDICT_DENY) {
		cs_report_refusal(&r, h->s, h->p, &d);
		return cs_drop(h, d.result.reason);
	}
	if (!cs_said_before(h->p, &d))
		cs_report_decision(&r, h->s, h->p, &d);
	return CS_CODE_PASS;
}
