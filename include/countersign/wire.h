/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) OR Apache-2.0 */
/*
 * The tag: a TCP option of experimental kind 253 with an experiment identifier
 * (RFC 6994). docs/wire.md has the full description and test vectors.
 *
 *	 kind  len   exid        tag word (64 bits, network order)      MAC
 *	+-----+-----+-----+-----+--------------------------------+------------+
 *	| 253 | 12  |  0x4353   | node:16  phase:2  identity:46  |            |  SYN
 *	| 253 | 20  |  0x4353   | node:16  phase:2  identity:46  |  64 bits   |  SYN-ACK, ACK
 *	+-----+-----+-----+-----+--------------------------------+------------+
 *
 * MAC = SipHash-2-4(K, ISNc || ISNs || tag word || tag word || label), where the
 * first tag word is the sender's, the second the receiver's with its phase bits
 * cleared (so that a key rotation between two segments does not matter), and K is
 * the key of the direction sender node -> receiver node. Numbers enter the MAC as
 * the little-endian words that cs_mac() names, so it is the same on every machine.
 */
#ifndef COUNTERSIGN_WIRE_H
#define COUNTERSIGN_WIRE_H

#include <linux/types.h>

#include "siphash.h"

#define CS_TCPOPT_KIND 253
#define CS_TCPOPT_EXID 0x4353 /* "CS" */
#define CS_TAG_LEN_SYN 12
#define CS_TAG_LEN_MAC 20

/* A tag word, host order: node 63..48, phase 47..46, identity 45..0. */
#define CS_IDENTITY_BITS 46
#define CS_IDENTITY_MASK ((1ULL << CS_IDENTITY_BITS) - 1)
#define CS_PHASE_SHIFT CS_IDENTITY_BITS
#define CS_PHASES 4
#define CS_NODE_SHIFT 48

/* Numbers of identities below this are reserved for entities. */
#define CS_IDENTITY_FIRST 256

/* The MAC's labels, as the little-endian tail of the message: "sa" and "ak". */
enum cs_mac_label {
	CS_MAC_SYNACK = 0x6173,
	CS_MAC_ACK = 0x6b61,
};

/* What a MAC covers; all in host order. */
struct cs_mac_input {
	__u64 sender; /* tag word of the side that sends this MAC */
	__u64 receiver; /* tag word of the other side; its phase is left out */
	__u32 isn_client;
	__u32 isn_server;
	__u16 label; /* enum cs_mac_label */
	__u16 pad[3];
};

static inline __attribute__((always_inline)) __u64 cs_tag(__u16 node, __u8 phase, __u64 identity)
{
	return ((__u64)node << CS_NODE_SHIFT) |
	       ((__u64)(phase & (CS_PHASES - 1)) << CS_PHASE_SHIFT) | (identity & CS_IDENTITY_MASK);
}

static inline __attribute__((always_inline)) __u16 cs_tag_node(__u64 tag)
{
	return tag >> CS_NODE_SHIFT;
}

static inline __attribute__((always_inline)) __u8 cs_tag_phase(__u64 tag)
{
	return (tag >> CS_PHASE_SHIFT) & (CS_PHASES - 1);
}

static inline __attribute__((always_inline)) __u64 cs_tag_identity(__u64 tag)
{
	return tag & CS_IDENTITY_MASK;
}

/* 26 bytes of message: three words and a two-byte label. */
static inline __attribute__((always_inline)) __u64 cs_mac(const struct cs_key *key,
							  const struct cs_mac_input *in)
{
	struct cs_siphash_state s;

	cs_siphash_init(&s, key);
	cs_siphash_word(&s, ((__u64)in->isn_server << 32) | in->isn_client);
	cs_siphash_word(&s, in->sender);
	cs_siphash_word(&s, in->receiver & ~((__u64)(CS_PHASES - 1) << CS_PHASE_SHIFT));
	return cs_siphash_final(&s, (26ULL << 56) | in->label);
}

#endif
