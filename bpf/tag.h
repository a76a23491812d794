/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tag in a received segment, and the keys that make and check its MAC.
 * Pure where it can be: only cs_read_options() touches a packet, only cs_node_keys()
 * touches a map.
 */
#pragma once

#include "maps.h"
#include "packet.h"

#define CS_TCPOPT_EOL 0
#define CS_TCPOPT_NOP 1
#define CS_TCPOPT_MPTCP 30
#define CS_TCPOPT_FASTOPEN 34
#define CS_OPTIONS_MAX 40

enum cs_options_seen {
	CS_SEEN_MPTCP = 1 << 0,
	CS_SEEN_FASTOPEN = 1 << 1, /* with a cookie */
	CS_SEEN_BROKEN = 1 << 2, /* an option runs past the header */
	CS_SEEN_COOKIE_REQUEST = 1 << 3, /* Fast Open without a cookie: asks for one */
};

/* What a segment's options say. */
struct cs_options {
	__u64 tag; /* tag word, host order */
	__u64 mac; /* as sent, when length is CS_TAG_LEN_MAC */
	__u8 tags; /* how many tags there were */
	__u8 length; /* of the first tag: 0, or what its length byte says */
	__u8 seen; /* enum cs_options_seen */
	__u8 pad[5];
};

/* The walk over the options. The buffer is longer than they can be, so that the first
 * bytes of an option at any index below CS_OPTIONS_MAX lie inside it. */
struct cs_option_walk {
	__u32 at;
	__u32 end;
	__u32 tag_at; /* of the first tag */
	__u8 tag_length;
	__u8 tags;
	__u8 seen; /* enum cs_options_seen */
	__u8 pad;
	__u8 byte[48];
};

/* The tag's bytes after kind and length, big-endian. */
struct cs_tag_bytes {
	__be16 kind_length, exid;
	__be32 word[2];
	__be32 mac[2];
};

__inline int cs_option_is_tag(const struct cs_option_walk *w, __u32 at, __u8 length)
{
	return length >= 4 && w->byte[at + 2] == CS_TCPOPT_EXID >> 8 &&
	       w->byte[at + 3] == (CS_TCPOPT_EXID & 0xff);
}

/* One option. Returns 1 at the end. */
static long cs_option_step(__u32 i, void *ctx)
{
	struct cs_option_walk *w = ctx;
	__u32 at = w->at;
	__u8 kind, length;

	if (at >= w->end || at >= CS_OPTIONS_MAX)
		return 1;
	barrier_var(at); /* keep the bound that the verifier has seen on this register */
	kind = w->byte[at];
	if (kind == CS_TCPOPT_EOL)
		return 1;
	if (kind == CS_TCPOPT_NOP) {
		w->at = at + 1;
		return 0;
	}
	length = w->byte[at + 1];
	if (length < 2 || at + length > w->end) {
		w->seen |= CS_SEEN_BROKEN;
		return 1;
	}
	if (kind == CS_TCPOPT_KIND && cs_option_is_tag(w, at, length) && !w->tags++) {
		w->tag_at = at;
		w->tag_length = length;
	}
	if (kind == CS_TCPOPT_MPTCP)
		w->seen |= CS_SEEN_MPTCP;
	if (kind == CS_TCPOPT_FASTOPEN)
		w->seen |= length > 2 ? CS_SEEN_FASTOPEN : CS_SEEN_COOKIE_REQUEST;
	w->at = at + length;
	return 0;
}

/* Reads the tag that starts at offset @at of the packet; only lengths that a tag has. */
__inline int cs_load_tag(struct __sk_buff *skb, __u32 at, __u8 length, struct cs_options *ret)
{
	struct cs_tag_bytes t = {};

	if (length == CS_TAG_LEN_SYN && bpf_skb_load_bytes(skb, at, &t, CS_TAG_LEN_SYN))
		return -1;
	if (length == CS_TAG_LEN_MAC && bpf_skb_load_bytes(skb, at, &t, CS_TAG_LEN_MAC))
		return -1;
	ret->tag = (__u64)bpf_ntohl(t.word[0]) << 32 | bpf_ntohl(t.word[1]);
	ret->mac = (__u64)bpf_ntohl(t.mac[0]) << 32 | bpf_ntohl(t.mac[1]);
	return 0;
}

/* Reads the options of the TCP segment @p. Returns 0, or -1 when they cannot be read. */
__verified_once int cs_read_options(struct __sk_buff *skb, const struct cs_packet *p,
				    struct cs_options *ret)
{
	struct cs_option_walk w = {};
	__u32 length, options;

	if (!p || !ret)
		return -1;
	options = p->l4 + sizeof(struct cs_tcp_header);
	length = p->doff - sizeof(struct cs_tcp_header);
	if (length > CS_OPTIONS_MAX)
		return -1;
	w.end = length;
	/* Options come in words. Linux 6.1 learns nothing from a comparison with 0. */
	if (length >= 4 && bpf_skb_load_bytes(skb, options, w.byte, length))
		return -1;
	bpf_loop(CS_OPTIONS_MAX, cs_option_step, &w, 0);
	__builtin_memset(ret, 0, sizeof(*ret));
	ret->seen = w.seen;
	ret->tags = w.tags;
	ret->length = w.tag_length;
	return w.tags ? cs_load_tag(skb, options + w.tag_at, w.tag_length, ret) : 0;
}

/* The keys shared with @node, or NULL when it is not known. */
__inline const struct cs_node_keys *cs_keys_of(__u16 node)
{
	__u32 number = node;
	__u32 *slot = bpf_map_lookup_elem(&cs_node_index, &number);
	const struct cs_node_keys *keys;
	__u32 index;

	if (!slot || !(index = READ_ONCE(*slot)))
		return NULL;
	keys = bpf_map_lookup_elem(&cs_nodes, &index);
	return keys && keys->node == node ? keys : NULL;
}

/* Why a tag is refused, before any key is touched; CS_REASON_NONE when it may be good. */
__inline __u8 cs_tag_flaw(const struct cs_options *o, __u8 length)
{
	if (o->seen & CS_SEEN_BROKEN)
		return CS_REASON_MALFORMED_PACKET;
	if (o->tags > 1)
		return CS_REASON_TAG_DUPLICATE;
	if (o->length != length)
		return o->length < length ? CS_REASON_TAG_TRUNCATED : CS_REASON_TAG_OVERSIZED;
	return CS_REASON_NONE;
}

/*
 * Whether this identity may be claimed by this node: it runs there, as far as this agent
 * knows. A root user of another node has that node's keys and so can claim what he likes;
 * of entities only that of sockets of no workload, which no policy trusts by default.
 */
__verified_once __u8 cs_scope_flaw(__u64 tag)
{
	__u8 mode = READ_ONCE(cs_control.node_scope);
	__u64 key = tag & ~((__u64)(CS_PHASES - 1) << CS_PHASE_SHIFT);
	__u32 *flags;

	if (cs_tag_identity(tag) < CS_IDENTITY_FIRST)
		return cs_tag_identity(tag) == CS_ENTITY_UNMANAGED ? CS_REASON_NONE
								   : CS_REASON_WRONG_NODE;
	if (mode == CS_NODE_SCOPE_OFF)
		return CS_REASON_NONE;
	flags = bpf_map_lookup_elem(&cs_scope, &key);
	if (flags)
		return READ_ONCE(*flags) & CS_SCOPE_REVOKED ? CS_REASON_REVOKED : CS_REASON_NONE;
	if (mode == CS_NODE_SCOPE_ENFORCE)
		return CS_REASON_WRONG_NODE;
	cs_stat(CS_STAT_SCOPE_AUDITED);
	return CS_REASON_NONE;
}

/*
 * What speaks against a tag even before, or after, its MAC was checked: its node is not
 * known or no longer good, or the identity is not of that node. CS_REASON_NONE: nothing.
 */
__inline __u8 cs_claim_flaw(__u64 tag)
{
	const struct cs_node_keys *keys = cs_keys_of(cs_tag_node(tag));
	__u8 refusal;

	if (!keys)
		return CS_REASON_UNKNOWN_NODE;
	refusal = READ_ONCE(keys->refusal);
	return refusal ? refusal : cs_scope_flaw(tag);
}

/* Why a wrong MAC is wrong: a tag that names its receiver was sent back to it. (Two sockets
 * of one identity on one node may talk, too: those have the right MAC.) */
__inline __u8 cs_wrong_mac(const struct cs_mac_input *in)
{
	__u64 difference = (in->sender ^ in->receiver) &
			   ~((__u64)(CS_PHASES - 1) << CS_PHASE_SHIFT);

	return difference ? CS_REASON_BAD_MAC : CS_REASON_TAG_REFLECTED;
}

/*
 * Checks the MAC of a received tag. @in->sender must be the tag itself.
 * Returns CS_REASON_NONE, or the reason to refuse.
 */
__verified_once __u8 cs_check_mac(const struct cs_options *o, const struct cs_mac_input *in)
{
	const struct cs_node_keys *keys;
	__u8 phase, refusal;

	if (!o || !in)
		return CS_REASON_BAD_MAC;
	phase = cs_tag_phase(o->tag);
	keys = cs_keys_of(cs_tag_node(o->tag));
	if (!keys)
		return CS_REASON_UNKNOWN_NODE;
	refusal = READ_ONCE(keys->refusal);
	if (refusal)
		return refusal;
	if (!(READ_ONCE(keys->receive_valid) & (1 << phase)))
		return READ_ONCE(keys->receive_past) & (1 << phase) ? CS_REASON_KEY_EXPIRED
								    : CS_REASON_NO_KEY;
	if (cs_mac(&keys->receive[phase], in) != o->mac)
		return cs_wrong_mac(in);
	cs_stat(CS_STAT_TAGS_VERIFIED);
	return cs_scope_flaw(o->tag);
}

/*
 * The phase to send with. While the agent replaces keys it may have taken away those that
 * were sent with until now, and not yet said which come after them: then any others that
 * are there, as both sides have them. CS_PHASES: there are none.
 */
__inline __u8 cs_send_phase(const struct cs_node_keys *keys)
{
	__u32 phase = READ_ONCE(keys->send_phase) & (CS_PHASES - 1);
	__u32 valid = READ_ONCE(keys->send_valid) & ((1 << CS_PHASES) - 1);

	if (!valid)
		return CS_PHASES;
	/* Two bits for each value of @valid: the number of its lowest bit. No loop, so that the
	 * verifier goes through the MAC once. */
	if (!(valid & (1 << phase)))
		phase = 0x12131210 >> (2 * valid) & (CS_PHASES - 1);
	barrier_var(phase);
	return phase;
}

/*
 * Makes a MAC for @node into @ret, with the newest keys that both sides have; their phase
 * goes into @in->sender. Returns 0, or -1 when there is no key to send with.
 */
__verified_once int cs_make_mac(__u16 node, struct cs_mac_input *in, __u64 *ret)
{
	const struct cs_node_keys *keys = cs_keys_of(node);
	__u8 phase;

	if (!in || !ret || !keys)
		return -1;
	phase = cs_send_phase(keys);
	if (phase >= CS_PHASES)
		return -1;
	phase &= CS_PHASES - 1;
	in->sender = cs_tag(cs_tag_node(in->sender), phase, cs_tag_identity(in->sender));
	*ret = cs_mac(&keys->send[phase], in);
	return 0;
}
