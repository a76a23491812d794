/* SPDX-License-Identifier: Apache-2.0 */
/*
 * This node's X25519 keys. A key lives for `lifetime`; after half of it the next one is
 * made, with the other parity, so there are at most two. A new key can be received with at
 * once, but this node sends with it only `activation` later, when all others have its
 * record. A key that is over is wiped.
 *
 * The ring knows no clock: the caller says what time it is. Keys are in the secure heap; a
 * sealed copy for the next agent goes into kernel memory (datapath_vault_write()), never
 * into a file.
 */
#pragma once

#include <countersign/abi.h>

#include "user/credential/node_record.h"

#define KEY_LIFETIME_MS_DEFAULT 3600000
#define KEY_LIFETIME_MS_MIN 1000

struct key_ring;

struct key_ring_options {
	int64_t lifetime_ms;
	int64_t activation_ms; /* 0: three eighths of the lifetime, at most a minute */
};

int key_ring_new(const struct key_ring_options *options, struct key_ring **ret);
struct key_ring *key_ring_free(struct key_ring *ring); /* wipes; takes and returns NULL */
static inline void key_ring_freep(struct key_ring **ring)
{
	key_ring_free(*ring);
}

/*
 * Makes the keys that are due and wipes those that are over. 1: the public keys changed,
 * publish a new record; 0: nothing did. A clock that went back or jumped ahead never leaves
 * the ring without a key that may send: then it makes new ones.
 */
int key_ring_tick(struct key_ring *ring, int64_t now_ms);
/*
 * Nobody could be told of the newest key so far, and half of the time until it is sent with
 * is over: all its times begin anew at @now_ms, so that the one before is sent with until the
 * others have the new one. Whether it did: not when the newest is the only one, or was sent
 * with already.
 */
bool key_ring_restart(struct key_ring *ring, int64_t now_ms);
/* When it will have something to do; INT64_MAX: never. */
int64_t key_ring_restart_ms(const struct key_ring *ring);
/* When key_ring_tick() has something to do next, an activation included. */
int64_t key_ring_due_ms(const struct key_ring *ring, int64_t now_ms);

/* The public keys, the newer one first, into @ret; returns their number. */
size_t key_ring_public(const struct key_ring *ring, struct node_key ret[static NODE_KEYS_MAX]);
/* Parity of the key to send with at @now_ms. */
uint8_t key_ring_sending(const struct key_ring *ring, int64_t now_ms);

/* For the agent that comes after this one. */
#define KEY_RING_SEALED_BYTES 256
void key_ring_seal(const struct key_ring *ring, uint8_t ret[static KEY_RING_SEALED_BYTES]);
/* -EINVAL: not a sealed ring, or all its keys are over: start anew. */
int key_ring_unseal(struct key_ring *ring, const uint8_t sealed[static KEY_RING_SEALED_BYTES],
		    int64_t now_ms);

/*
 * The two SipHash keys between one of our keys and one of a peer's: X25519, then
 * HKDF-SHA256 (docs/wire.md has the exact bytes, with vectors). -EINVAL: a peer's key of low
 * order (RFC 7748, section 6.1).
 */
struct node_pair {
	uint16_t own_number, peer_number;
	uint8_t own_parity;
	const uint8_t *peer_public; /* NODE_KEY_BYTES */
};
int key_ring_derive(const struct key_ring *ring, const struct node_pair *pair,
		    struct cs_key *ret_send, struct cs_key *ret_receive);
