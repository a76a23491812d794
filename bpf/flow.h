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

__inline __u64 cs_flow_check(const struct cs_flow_key *k, __u64 word)
{
	__u64 h = cs_mix(cs_control.secret.k1, k->src.half[0]);

	h = cs_mix(h, k->src.half[1]);
	h = cs_mix(h, k->dst.half[0]);
	h = cs_mix(h, k->dst.half[1]);
	h = cs_mix(h, k->netns_cookie);
	h = cs_mix(h, (__u64)k->sport << 32 | (__u64)k->dport << 16 | k->protocol);
	return cs_mix(h ^ cs_control.secret.k0, word);
}

/* The word of a flow, 0 when there is none. */
__verified_once __u64 cs_flow_get(const struct cs_flow_key *key)
{
	const struct cs_flow *flow;
	struct cs_flow_key own; /* Linux 6.1 takes no key from a global function's argument */
	__u64 word, check;

	if (!key)
		return 0;
	own = *key;
	flow = bpf_map_lookup_elem(&cs_flows, &own);
	if (!flow)
		return 0;
	word = READ_ONCE(flow->word);
	check = READ_ONCE(flow->check);
	if (check == cs_flow_check(key, word))
		return word;
	cs_stat(CS_STAT_TORN_READS);
	return 0;
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
 * word is never older than the last change of the slots.
 */
__verified_once int cs_flow_put(const struct cs_flow_key *key, __u64 before, __u64 bits,
				__u32 stamp)
{
	struct cs_flow_key own;
	struct cs_flow flow;

	if (!key)
		return -1;
	own = *key; /* see cs_flow_get() */
	if (cs_flow_stamp(before) != stamp)
		before = 0;
	if (bits & CS_FLOW_LOCAL)
		before &= CS_FLOW_EGRESS | CS_FLOW_INGRESS;
	flow.word = (__u64)stamp << 32 | (before & 0xffffffff) | bits;
	flow.check = cs_flow_check(key, flow.word);
	if (bpf_map_update_elem(&cs_flows, &own, &flow, BPF_ANY))
		cs_stat(CS_STAT_FLOWS_FULL);
	return 0;
}

/* The bits that say "sent by the workload in this slot of this node". */
__inline __u64 cs_flow_local(const struct cs_socket *s)
{
	return CS_FLOW_LOCAL | (__u64)s->workload << 8;
}

/* Whether @word names the local workload that sends this flow. */
__inline int cs_flow_is_local(__u64 word)
{
	return word & CS_FLOW_LOCAL && cs_flow_stamp(word) == READ_ONCE(cs_control.stamp);
}

/* The identity of the local sender that @word names. */
__inline __u64 cs_flow_sender(__u64 word)
{
	__u32 slot = cs_flow_workload(word);
	const struct cs_workload *workload;

	if (!slot)
		return CS_ENTITY_UNMANAGED;
	workload = bpf_map_lookup_elem(&cs_workloads, &slot);
	return workload ? READ_ONCE(workload->identity) : 0;
}
