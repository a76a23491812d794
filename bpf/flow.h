/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Datagram flows, so that replies pass without a rule of their own; and, for untagged
 * traffic inside one node, who really sent it: the sender's own socket says so at
 * egress, and the receiver need not guess from an address.
 *
 * The table is an LRU hash that programs write, so an element may be reused under a
 * reader. A reader trusts a word only when the keyed digest of key and word is right.
 */
#pragma once

#include "event.h"

/* The flow as its initiator sends it; @reply: the packet goes the other way. */
__inline void cs_flow_key_of(const struct cs_packet *p, int reply, __u64 netns_cookie,
			     struct cs_flow_key *ret)
{
	__builtin_memset(ret, 0, sizeof(*ret));
	ret->src = reply ? p->dst : p->src;
	ret->dst = reply ? p->src : p->dst;
	ret->sport = reply ? p->dport : p->sport;
	ret->dport = reply ? p->sport : p->dport;
	ret->protocol = p->protocol;
	/* Loopback addresses mean something else in every network namespace. */
	if (cs_is_loopback(&p->dst))
		ret->netns_cookie = netns_cookie;
}

__inline __u64 cs_flow_check(const struct cs_flow_key *k, const struct cs_flow *f)
{
	__u64 h = cs_mix(cs_control.secret.k1, k->src.half[0]);

	h = cs_mix(h, k->src.half[1]);
	h = cs_mix(h, k->dst.half[0]);
	h = cs_mix(h, k->dst.half[1]);
	h = cs_mix(h, k->netns_cookie);
	h = cs_mix(h, (__u64)k->sport << 32 | (__u64)k->dport << 16 | k->protocol);
	h = cs_mix(h, f->expires_ns[CS_INGRESS]);
	h = cs_mix(h, f->expires_ns[CS_EGRESS]);
	return cs_mix(h ^ cs_control.secret.k0, f->word);
}

/* Copies the flow to @ret; its word is 0 when there is none. @key lies on the stack. */
__inline void cs_flow_read(const struct cs_flow_key *key, struct cs_flow *ret)
{
	const struct cs_flow *flow = bpf_map_lookup_elem(&cs_flows, key);

	__builtin_memset(ret, 0, sizeof(*ret));
	if (!flow)
		return;
	ret->word = READ_ONCE(flow->word);
	ret->expires_ns[CS_INGRESS] = READ_ONCE(flow->expires_ns[CS_INGRESS]);
	ret->expires_ns[CS_EGRESS] = READ_ONCE(flow->expires_ns[CS_EGRESS]);
	ret->check = READ_ONCE(flow->check);
	if (ret->check == cs_flow_check(key, ret))
		return;
	cs_stat(CS_STAT_TORN_READS);
	__builtin_memset(ret, 0, sizeof(*ret));
}

/* The word of a flow, 0 when there is none. @leg: whose expiry is told, enum cs_direction. */
__verified_once __u64 cs_flow_get(const struct cs_flow_key *key, __u8 leg)
{
	struct cs_flow_key own; /* Linux 6.1 takes no key from a global function's argument */
	struct cs_flow flow;
	__u64 expires_ns;

	if (!key)
		return 0;
	own = *key;
	cs_flow_read(&own, &flow);
	expires_ns = leg == CS_EGRESS ? flow.expires_ns[CS_EGRESS] : flow.expires_ns[CS_INGRESS];
	if (!expires_ns)
		return flow.word;
	return flow.word | CS_FLOW_TIMED |
	       (bpf_ktime_get_boot_ns() < expires_ns ? 0 : CS_FLOW_ENDED);
}

__inline __u32 cs_flow_stamp(__u64 word)
{
	return word >> 32;
}

__inline __u32 cs_flow_workload(__u64 word)
{
	return (word >> 8) & 0xffffff;
}

/*
 * Adds @bits under @stamp; what an older stamp said is forgotten, so a workload slot in a
 * word is never older than the last change of the slots. A leg's bit holds until @expires_ns.
 */
__verified_once int cs_flow_put(const struct cs_flow_key *key, __u64 bits, __u32 stamp,
				__u64 expires_ns)
{
	struct cs_flow_key own;
	struct cs_flow flow;

	if (!key)
		return -1;
	own = *key; /* see cs_flow_get() */
	cs_flow_read(&own, &flow);
	if (cs_flow_stamp(flow.word) != stamp)
		__builtin_memset(&flow, 0, sizeof(flow));
	if (bits & CS_FLOW_LOCAL)
		flow.word &= CS_FLOW_EGRESS | CS_FLOW_INGRESS | CS_FLOW_HAIRPIN;
	flow.word = (__u64)stamp << 32 | (flow.word & 0xffffffff) | bits;
	if (bits & CS_FLOW_EGRESS)
		flow.expires_ns[CS_EGRESS] = expires_ns;
	if (bits & CS_FLOW_INGRESS)
		flow.expires_ns[CS_INGRESS] = expires_ns;
	flow.check = cs_flow_check(&own, &flow);
	if (bpf_map_update_elem(&cs_flows, &own, &flow, BPF_ANY))
		cs_stat(CS_STAT_FLOWS_FULL);
	return 0;
}

/* A socket in another network namespace than the node's own: a pod's. */
__inline int cs_is_pod(const struct cs_socket *s)
{
	return s->netns_cookie && s->netns_cookie != cs_control.netns_cookie;
}

/* A guarded socket of no workload in the node's own namespace: kubelet's, say. */
__inline int cs_is_host_daemon(const struct cs_socket *s)
{
	return !s->workload && s->generation && s->netns_cookie &&
	       s->netns_cookie == cs_control.netns_cookie;
}

/* The bits that say "sent by the workload in this slot of this node". */
__inline __u64 cs_flow_local(const struct cs_socket *s)
{
	return CS_FLOW_LOCAL | (__u64)s->workload << 8 | (cs_is_host_daemon(s) ? CS_FLOW_HOST : 0);
}

/* Whether @word names the local workload that sends this flow. */
__inline int cs_flow_is_local(__u64 word)
{
	return word & CS_FLOW_LOCAL && cs_flow_stamp(word) == READ_ONCE(cs_control.stamp);
}

/* The identity of the local sender that @word names, as the receiver @s is to see it. */
__inline __u64 cs_flow_sender(const struct cs_socket *s, __u64 word)
{
	__u32 slot = cs_flow_workload(word);
	const struct cs_workload *workload;

	if (!slot)
		return word & CS_FLOW_HOST && cs_is_pod(s) ? CS_ENTITY_HOST : CS_ENTITY_UNMANAGED;
	workload = bpf_map_lookup_elem(&cs_workloads, &slot);
	return workload ? READ_ONCE(workload->identity) : 0;
}
