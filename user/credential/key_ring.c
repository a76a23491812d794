/* SPDX-License-Identifier: Apache-2.0 */
#include "user/credential/key_ring_internal.h"

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "user/credential/secret_internal.h"

#define ACTIVATION_DEFAULT_MAX_MS 60000
/* The key before is good for half a lifetime still; an eighth is left for what is on its way. */
#define ACTIVATION_MAX_MS(lifetime_ms) ((lifetime_ms)*3 / 8)
#define CLOCK_BACK_MS 100 /* less is what clocks do */

int key_ring_new(const struct key_ring_options *options, struct key_ring **ret)
{
	_cleanup_(key_ring_freep) struct key_ring *ring = NULL;
	int64_t activation = options->activation_ms;

	if (activation == 0)
		activation =
			MIN(ACTIVATION_MAX_MS(options->lifetime_ms), ACTIVATION_DEFAULT_MAX_MS);
	/* Until a new key is active the one before must live, and it lives for half as long. */
	if (options->lifetime_ms < KEY_LIFETIME_MS_MIN ||
	    options->lifetime_ms > NODE_KEY_LIFETIME_MAX_MS || activation < 0 ||
	    activation > ACTIVATION_MAX_MS(options->lifetime_ms))
		return -EINVAL;
	/* Without its secure heap OpenSSL would take ordinary memory, and not say so. */
	if (!CRYPTO_secure_malloc_initialized())
		return -ENOMEM;
	ring = calloc(1, sizeof(*ring));
	if (!ring)
		return -ENOMEM;
	ring->lifetime_ms = options->lifetime_ms;
	ring->activation_ms = activation;
	ring->hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	if (!ring->hkdf)
		return -ENOMEM;
	*ret = TAKE_PTR(ring);
	return 0;
}

void ring_key_wipe(struct ring_key *key)
{
	EVP_PKEY_free(key->pkey); /* clears it */
	*key = (struct ring_key){ NULL };
}

struct key_ring *key_ring_free(struct key_ring *ring)
{
	if (!ring)
		return NULL;
	for (size_t i = 0; i < NODE_KEYS_MAX; i++)
		ring_key_wipe(&ring->key[i]);
	EVP_KDF_free(ring->hkdf);
	free(ring);
	return NULL;
}

/* ---- time ---- */

/*
 * How old the keys are does not change when somebody sets the clock back. Their windows
 * follow it, so the same keys go on in the same rhythm, and no peer has to learn new ones.
 */
bool key_ring_follow_clock(struct key_ring *ring, int64_t now_ms)
{
	int64_t back = ring->now_ms - now_ms;

	if (back <= CLOCK_BACK_MS) {
		ring->now_ms = MAX(ring->now_ms, now_ms);
		return false;
	}
	for (size_t i = 0; i < ring->n; i++) {
		struct node_key *key = &ring->key[i].public;

		key->not_before_ms = MAX(key->not_before_ms - back, 0);
		key->active_ms = MAX(key->active_ms - back, 0);
		key->not_after_ms = MAX(key->not_after_ms - back, 1);
	}
	ring->now_ms = now_ms;
	return ring->n > 0;
}

/* When the next key is made: never before this one may send, as it takes the other's place. */
static int64_t next_ms(const struct key_ring *ring)
{
	const struct node_key *key = &ring->key[0].public;
	int64_t lifetime = MIN(ring->lifetime_ms, key->not_after_ms - key->not_before_ms);

	return MAX(key->active_ms, key->not_before_ms + lifetime / 2);
}

/*
 * When the older key is wiped: at its end, but not while it is the only one that may send,
 * which it is for `activation` at most, after the clock jumped ahead or the agent slept.
 */
static int64_t wipe_ms(const struct key_ring *ring)
{
	return MAX(ring->key[1].public.not_after_ms, ring->key[0].public.active_ms);
}

static int make_key(struct key_ring *ring, int64_t now_ms)
{
	struct ring_key key = { 0 };
	size_t length = NODE_KEY_BYTES;
	EVP_PKEY *pkey;

	secret_section_begin(); /* what OpenSSL copies on its way */
	pkey = key.pkey = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	secret_section_end();
	if (!pkey || EVP_PKEY_get_raw_public_key(pkey, key.public.public_key, &length) != 1 ||
	    length != NODE_KEY_BYTES) {
		ring_key_wipe(&key);
		ERR_clear_error();
		return -ENOMEM;
	}
	key.public.parity = ring->n ? !ring->key[0].public.parity : 0;
	key.public.not_before_ms = now_ms;
	key.public.active_ms = now_ms + (ring->n ? ring->activation_ms : 0);
	key.public.not_after_ms = now_ms + ring->lifetime_ms;
	ring_key_wipe(&ring->key[1]);
	ring->key[1] = ring->key[0];
	ring->key[0] = key;
	ring->n = MIN(ring->n + 1, NODE_KEYS_MAX);
	return 0;
}

int key_ring_tick(struct key_ring *ring, int64_t now_ms)
{
	bool changed = key_ring_follow_clock(ring, now_ms);
	int r;

	if (ring->n == NODE_KEYS_MAX && ring->now_ms >= wipe_ms(ring)) {
		ring_key_wipe(&ring->key[1]);
		ring->n--;
		changed = true;
	}
	if (ring->n == 0 || ring->now_ms >= next_ms(ring)) {
		r = make_key(ring, ring->now_ms);
		if (r < 0)
			return r;
		changed = true;
	}
	return changed;
}

int64_t key_ring_restart_ms(const struct key_ring *ring)
{
	return ring->n < NODE_KEYS_MAX ? INT64_MAX
				       : ring->key[0].public.active_ms - ring->activation_ms / 2;
}

bool key_ring_restart(struct key_ring *ring, int64_t now_ms)
{
	struct node_key *newest = &ring->key[0].public;

	if (now_ms < key_ring_restart_ms(ring) || now_ms >= newest->active_ms)
		return false;
	newest->not_before_ms = now_ms;
	newest->active_ms = now_ms + ring->activation_ms;
	newest->not_after_ms = now_ms + ring->lifetime_ms;
	return true;
}

int64_t key_ring_due_ms(const struct key_ring *ring, int64_t now_ms)
{
	int64_t due;

	if (ring->n == 0 || ring->now_ms - now_ms > CLOCK_BACK_MS)
		return now_ms;
	due = next_ms(ring);
	if (ring->key[0].public.active_ms > now_ms)
		due = MIN(due, ring->key[0].public.active_ms);
	if (ring->n == NODE_KEYS_MAX)
		due = MIN(due, wipe_ms(ring));
	return due;
}

/* ---- what it says ---- */

size_t key_ring_public(const struct key_ring *ring, struct node_key ret[static NODE_KEYS_MAX])
{
	for (size_t i = 0; i < ring->n; i++)
		ret[i] = ring->key[i].public;
	return ring->n;
}

uint8_t key_ring_sending(const struct key_ring *ring, int64_t now_ms)
{
	bool older = ring->n == NODE_KEYS_MAX && now_ms < ring->key[0].public.active_ms;

	return ring->key[older ? 1 : 0].public.parity;
}
