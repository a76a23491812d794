/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) OR Apache-2.0 */
/*
 * SipHash-2-4 with a 64-bit result, written from the algorithm's description
 * (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012). Compiled
 * into the BPF programs and into user space from this one file.
 *
 * Inputs are given as little-endian 64-bit words; a caller that hashes bytes
 * uses cs_siphash_bytes() (user space only).
 */
#ifndef COUNTERSIGN_SIPHASH_H
#define COUNTERSIGN_SIPHASH_H

#include <linux/types.h>

/* 128-bit key, as two little-endian words of its 16 bytes. */
struct cs_key {
	__u64 k0;
	__u64 k1;
};

struct cs_siphash_state {
	__u64 v0, v1, v2, v3;
};

static inline __attribute__((always_inline)) __u64 cs_rotl64(__u64 x, int n)
{
	return (x << n) | (x >> (64 - n));
}

static inline __attribute__((always_inline)) void cs_sipround(struct cs_siphash_state *s)
{
	s->v0 += s->v1;
	s->v1 = cs_rotl64(s->v1, 13);
	s->v1 ^= s->v0;
	s->v0 = cs_rotl64(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = cs_rotl64(s->v3, 16);
	s->v3 ^= s->v2;
	s->v0 += s->v3;
	s->v3 = cs_rotl64(s->v3, 21);
	s->v3 ^= s->v0;
	s->v2 += s->v1;
	s->v1 = cs_rotl64(s->v1, 17);
	s->v1 ^= s->v2;
	s->v2 = cs_rotl64(s->v2, 32);
}

static inline __attribute__((always_inline)) void cs_siphash_init(struct cs_siphash_state *s,
								  const struct cs_key *key)
{
	s->v0 = key->k0 ^ 0x736f6d6570736575ULL;
	s->v1 = key->k1 ^ 0x646f72616e646f6dULL;
	s->v2 = key->k0 ^ 0x6c7967656e657261ULL;
	s->v3 = key->k1 ^ 0x7465646279746573ULL;
}

/* Absorbs one 64-bit word. */
static inline __attribute__((always_inline)) void cs_siphash_word(struct cs_siphash_state *s,
								  __u64 word)
{
	s->v3 ^= word;
	cs_sipround(s);
	cs_sipround(s);
	s->v0 ^= word;
}

/* @last: the message length in its top byte, the 0 to 7 left-over bytes below it. */
static inline __attribute__((always_inline)) __u64 cs_siphash_final(struct cs_siphash_state *s,
								    __u64 last)
{
	cs_siphash_word(s, last);
	s->v2 ^= 0xff;
	cs_sipround(s);
	cs_sipround(s);
	cs_sipround(s);
	cs_sipround(s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

#ifndef __bpf__
/* The function over @len bytes at @data; for user space and tests. */
static inline __u64 cs_siphash_bytes(const struct cs_key *key, const void *data, unsigned long len)
{
	const unsigned char *p = data;
	struct cs_siphash_state s;
	__u64 word;
	unsigned long left;

	cs_siphash_init(&s, key);
	for (left = len; left >= 8; left -= 8, p += 8) {
		__builtin_memcpy(&word, p, 8);
		cs_siphash_word(&s, word);
	}
	word = (__u64)len << 56;
	for (unsigned long i = 0; i < left; i++)
		word |= (__u64)p[i] << (8 * i);
	return cs_siphash_final(&s, word);
}
#endif

#endif
