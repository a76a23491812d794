/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sealed ring, as it lies in kernel memory between two agents:
 *
 *	0	"CSKR", version 1, number of keys, two zero bytes
 *	8	the latest time that the ring was told
 *	16	each key, the newer one first: parity (1), private key (32), not before,
 *		active, not after (8 each); then zeros
 *	224	SHA-256 of the 224 bytes before
 *
 * Numbers are big-endian. The sum finds what is torn or of another version; it is no
 * protection from who can write kernel memory.
 */
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/sha.h>

#include "user/credential/key_ring_internal.h"
#include "user/credential/secret_internal.h"

#define VERSION 1
#define HEADER_BYTES 16
#define KEY_BYTES (1 + NODE_KEY_BYTES + 3 * 8)
#define SUM_AT (KEY_RING_SEALED_BYTES - SHA256_DIGEST_LENGTH)

_Static_assert(KEY_RING_SEALED_BYTES == CS_VAULT_BYTES, "a sealed ring fills the vault");
_Static_assert(HEADER_BYTES + NODE_KEYS_MAX * KEY_BYTES <= SUM_AT, "a sealed ring is too large");

static const uint8_t magic[] = { 'C', 'S', 'K', 'R', VERSION };

static void put64(uint8_t *to, int64_t value)
{
	for (size_t i = 0; i < 8; i++)
		to[i] = (uint64_t)value >> (56 - 8 * i);
}

static int64_t get64(const uint8_t *from)
{
	uint64_t value = 0;

	for (size_t i = 0; i < 8; i++)
		value = value << 8 | from[i];
	return (int64_t)value;
}

static bool sum(const uint8_t *sealed, uint8_t ret[static SHA256_DIGEST_LENGTH])
{
	return EVP_Digest(sealed, SUM_AT, ret, NULL, EVP_sha256(), NULL) == 1;
}

static bool seal_key(const struct ring_key *key, uint8_t *to)
{
	const struct node_key *public = &key->public;
	size_t length = NODE_KEY_BYTES;

	to[0] = public->parity;
	put64(to + 1 + NODE_KEY_BYTES, public->not_before_ms);
	put64(to + 1 + NODE_KEY_BYTES + 8, public->active_ms);
	put64(to + 1 + NODE_KEY_BYTES + 16, public->not_after_ms);
	return EVP_PKEY_get_raw_private_key(key->pkey, to + 1, &length) == 1;
}

void key_ring_seal(const struct key_ring *ring, uint8_t ret[static KEY_RING_SEALED_BYTES])
{
	bool good = true;

	memset(ret, 0, KEY_RING_SEALED_BYTES);
	memcpy(ret, magic, sizeof(magic));
	ret[sizeof(magic)] = ring->n;
	put64(ret + 8, ring->now_ms);
	for (size_t i = 0; i < ring->n; i++)
		good = good && seal_key(&ring->key[i], ret + HEADER_BYTES + i * KEY_BYTES);
	if (good && sum(ret, ret + SUM_AT))
		return;
	/* Nothing that unseals: the next agent starts anew. */
	ERR_clear_error();
	OPENSSL_cleanse(ret, KEY_RING_SEALED_BYTES);
}

static bool unseal_key(const uint8_t *from, struct ring_key *key)
{
	struct node_key *public = &key->public;
	size_t length = NODE_KEY_BYTES;

	public->parity = from[0];
	public->not_before_ms = get64(from + 1 + NODE_KEY_BYTES);
	public->active_ms = get64(from + 1 + NODE_KEY_BYTES + 8);
	public->not_after_ms = get64(from + 1 + NODE_KEY_BYTES + 16);
	if (public->parity > 1 || public->not_before_ms < 0 ||
	    public->not_before_ms > public->active_ms ||
	    public->active_ms >= public->not_after_ms ||
	    public->not_after_ms - public->not_before_ms > NODE_KEY_LIFETIME_MAX_MS)
		return false;
	secret_section_begin(); /* what OpenSSL copies on its way */
	key->pkey = EVP_PKEY_new_raw_private_key_ex(NULL, "X25519", NULL, from + 1, NODE_KEY_BYTES);
	secret_section_end();
	return key->pkey &&
	       EVP_PKEY_get_raw_public_key(key->pkey, public->public_key, &length) == 1;
}

static bool unseal(const uint8_t *sealed, struct key_ring *to)
{
	uint8_t expected[SHA256_DIGEST_LENGTH];

	if (memcmp(sealed, magic, sizeof(magic)) != 0 || !sum(sealed, expected) ||
	    CRYPTO_memcmp(expected, sealed + SUM_AT, sizeof(expected)) != 0)
		return false;
	to->n = sealed[sizeof(magic)];
	to->now_ms = get64(sealed + 8);
	if (to->n < 1 || to->n > NODE_KEYS_MAX)
		return false;
	for (size_t i = 0; i < to->n; i++)
		if (!unseal_key(sealed + HEADER_BYTES + i * KEY_BYTES, &to->key[i]))
			return false;
	return to->n == 1 || to->key[0].public.parity != to->key[1].public.parity;
}

int key_ring_unseal(struct key_ring *ring, const uint8_t sealed[static KEY_RING_SEALED_BYTES],
		    int64_t now_ms)
{
	struct key_ring got = { .now_ms = 0 };
	bool good = unseal(sealed, &got), lives = false;

	if (good)
		key_ring_follow_clock(&got, now_ms);
	for (size_t i = 0; good && i < got.n; i++)
		lives |= got.key[i].public.not_after_ms > now_ms;
	/* What comes out of here is in use from now on; what was in the ring is not. */
	for (size_t i = 0; i < NODE_KEYS_MAX; i++) {
		struct ring_key *unused = lives ? &ring->key[i] : &got.key[i];

		ring_key_wipe(unused);
		if (lives)
			ring->key[i] = got.key[i];
	}
	ERR_clear_error();
	if (!lives)
		return -EINVAL;
	ring->n = got.n;
	ring->now_ms = got.now_ms;
	return 0;
}
