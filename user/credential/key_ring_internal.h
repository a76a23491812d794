/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a ring, for the files that make it up. */
#pragma once

#include <openssl/kdf.h>

#include "user/credential/key_ring.h"

struct ring_key {
	EVP_PKEY *pkey; /* OpenSSL keeps the private half in the secure heap */
	struct node_key public;
};

struct key_ring {
	int64_t lifetime_ms, activation_ms;
	int64_t now_ms; /* the latest time that the ring was told */
	struct ring_key key[NODE_KEYS_MAX]; /* the newer one first */
	size_t n;
	EVP_KDF *hkdf; /* fetched once: a look-up of its own for each pair would cost more */
};

void ring_key_wipe(struct ring_key *key);

/* Moves the windows along when the clock went back; whether it did. */
bool key_ring_follow_clock(struct key_ring *ring, int64_t now_ms);
