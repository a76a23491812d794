/* SPDX-License-Identifier: Apache-2.0 */
/* Key rings: the rhythm, clocks that jump, sealing, and the derivation's test vectors. */
#include <criterion/criterion.h>

#include "test_node.h"
#include "user/credential/key_ring_internal.h"
#include "user/credential/secret.h"

static struct key_ring *ring_make(int64_t lifetime_ms, int64_t activation_ms)
{
	const struct key_ring_options options = { lifetime_ms, activation_ms };
	struct key_ring *ring = NULL;

	cr_assert_eq(secret_init(NULL), 0);
	cr_assert_eq(key_ring_new(&options, &ring), 0);
	return ring;
}

Test(node_ring, needs_the_secure_heap)
{
	const struct key_ring_options options = { HOUR_MS, 0 };
	struct key_ring *ring = NULL;

	cr_expect_eq(key_ring_new(&options, &ring), -ENOMEM);
	cr_expect_null(ring);
}

Test(node_ring, refuses_lifetimes_that_cannot_work)
{
	static const struct key_ring_options bad[] = {
		{ 999, 0 },
		{ NODE_KEY_LIFETIME_MAX_MS + 1, 0 },
		{ HOUR_MS, -1 },
		{ HOUR_MS, HOUR_MS * 3 / 8 + 1 },
	};
	struct key_ring *ring = NULL;

	cr_assert_eq(secret_init(NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		cr_expect_eq(key_ring_new(&bad[i], &ring), -EINVAL, "%zu", i);
}

/* A key that nobody could be told of is not sent with, however long that lasts. */
Test(node_ring, begins_anew_what_nobody_heard_of)
{
	_cleanup_(key_ring_freep) struct key_ring *ring = ring_make(HOUR_MS, 60000);
	struct node_key key[NODE_KEYS_MAX], before[NODE_KEYS_MAX];
	int64_t t = NOON_MS;

	key_ring_tick(ring, t);
	cr_expect_eq(key_ring_restart_ms(ring), INT64_MAX, "the only one is sent with at once");
	cr_expect(!key_ring_restart(ring, t + HOUR_MS));
	t += HOUR_MS / 2;
	cr_assert_eq(key_ring_tick(ring, t), 1);
	key_ring_public(ring, before);
	cr_expect_eq(key_ring_restart_ms(ring), t + 30000);
	cr_expect(!key_ring_restart(ring, t + 29999));
	for (unsigned int i = 0; i < 300; i++) {
		t += 30000;
		cr_assert(key_ring_restart(ring, t), "%u", i);
		cr_expect_eq(key_ring_tick(ring, t), 0, "%u", i);
		cr_assert_eq(key_ring_public(ring, key), 2);
		cr_expect_eq(key_ring_sending(ring, t), before[1].parity, "%u", i);
		cr_expect_eq(key[0].not_before_ms, t);
		cr_expect_eq(key[0].active_ms, t + 60000);
		cr_expect_eq(key[0].not_after_ms, t + HOUR_MS);
	}
	cr_expect_eq(memcmp(key[0].public_key, before[0].public_key, NODE_KEY_BYTES), 0);
	/* They heard of it: it goes on as usual, and the old one, long over, is wiped. */
	cr_expect_eq(key_ring_tick(ring, t + 60000), 1);
	cr_expect_eq(key_ring_sending(ring, t + 60000), before[0].parity);
	cr_expect(!key_ring_restart(ring, t + 60000));
}

/* An hour's life: made at half past and at the hour, active a minute later. */
Test(node_ring, keeps_its_rhythm)
{
	_cleanup_(key_ring_freep) struct key_ring *ring = ring_make(HOUR_MS, 0);
	struct node_key key[NODE_KEYS_MAX];
	int64_t t = NOON_MS;

	cr_expect_eq(key_ring_due_ms(ring, t), t);
	cr_expect_eq(key_ring_tick(ring, t), 1);
	cr_expect_eq(key_ring_tick(ring, t), 0);
	cr_expect_eq(key_ring_public(ring, key), 1);
	cr_expect_eq(key[0].active_ms, t, "nobody else can send for it");
	for (unsigned int i = 1; i < 20; i++) {
		uint8_t before = key_ring_sending(ring, t + HOUR_MS / 2 - 1);

		t += HOUR_MS / 2;
		cr_expect_eq(key_ring_due_ms(ring, t - 1), t);
		cr_expect_eq(key_ring_tick(ring, t - 1), 0);
		cr_expect_eq(key_ring_tick(ring, t), 1);
		cr_expect_eq(key_ring_public(ring, key), 2);
		cr_expect_neq(key[0].parity, key[1].parity);
		cr_expect_eq(key[0].active_ms, t + 60000);
		cr_expect_eq(key[0].not_after_ms, t + HOUR_MS);
		cr_expect_eq(key_ring_sending(ring, t + 59999), before);
		cr_expect_eq(key_ring_due_ms(ring, t), t + 60000);
		cr_expect_eq(key_ring_tick(ring, t + 60000), 0);
		cr_expect_eq(key_ring_sending(ring, t + 60000), !before);
	}
}

/* The older key is gone from ring and heap when the next takes its place, or at its end. */
Test(node_ring, wipes_what_is_over)
{
	_cleanup_(key_ring_freep) struct key_ring *ring = ring_make(HOUR_MS, 0);
	struct node_key before[NODE_KEYS_MAX], now[NODE_KEYS_MAX];
	size_t none, one;

	/* OpenSSL's own random state lies there, too, from the first key on. */
	key_ring_tick(ring, NOON_MS);
	key_ring_free(ring);
	none = CRYPTO_secure_used();
	ring = ring_make(HOUR_MS, 0);
	key_ring_tick(ring, NOON_MS);
	one = CRYPTO_secure_used() - none;
	cr_assert_gt(one, 0);
	key_ring_tick(ring, NOON_MS + HOUR_MS / 2);
	key_ring_public(ring, before);
	key_ring_tick(ring, NOON_MS + HOUR_MS);
	cr_expect_eq(key_ring_public(ring, now), 2);
	cr_expect_neq(memcmp(now[0].public_key, before[1].public_key, NODE_KEY_BYTES), 0);
	cr_expect_eq(memcmp(now[1].public_key, before[0].public_key, NODE_KEY_BYTES), 0);
	cr_expect_eq(CRYPTO_secure_used(), none + 2 * one, "two keys and no more");
	ring = key_ring_free(ring);
	cr_expect_eq(CRYPTO_secure_used(), none);
}

/* Asleep for hours: the last key sends on, for the activation, until others have the new. */
Test(node_ring, clock_ahead)
{
	_cleanup_(key_ring_freep) struct key_ring *ring = ring_make(HOUR_MS, 0);
	struct node_key before[NODE_KEYS_MAX], now[NODE_KEYS_MAX];
	int64_t t = NOON_MS + 100 * HOUR_MS;

	key_ring_tick(ring, NOON_MS);
	key_ring_public(ring, before);
	cr_expect_eq(key_ring_tick(ring, t), 1);
	cr_expect_eq(key_ring_public(ring, now), 2);
	cr_expect_eq(key_ring_sending(ring, t), before[0].parity);
	cr_expect_eq(memcmp(now[1].public_key, before[0].public_key, NODE_KEY_BYTES), 0);
	cr_expect_eq(key_ring_due_ms(ring, t), t + 60000);
	cr_expect_eq(key_ring_tick(ring, t + 59999), 0);
	cr_expect_eq(key_ring_tick(ring, t + 60000), 1, "now it is wiped");
	cr_expect_eq(key_ring_public(ring, now), 1);
	cr_expect_eq(key_ring_sending(ring, t + 60000), !before[0].parity);
}

/* Set back by a year: the same keys, in windows that follow. */
Test(node_ring, clock_back)
{
	_cleanup_(key_ring_freep) struct key_ring *ring = ring_make(HOUR_MS, 0);
	struct node_key before[NODE_KEYS_MAX], now[NODE_KEYS_MAX];
	int64_t t = NOON_MS + HOUR_MS / 2 + 70000, year = 365 * 24 * HOUR_MS;

	key_ring_tick(ring, NOON_MS);
	key_ring_tick(ring, NOON_MS + HOUR_MS / 2);
	key_ring_tick(ring, t);
	key_ring_public(ring, before);
	cr_expect_eq(key_ring_tick(ring, t - 99), 0, "that is what clocks do");
	cr_expect_eq(key_ring_due_ms(ring, t - year), t - year);
	cr_expect_eq(key_ring_tick(ring, t - year), 1);
	cr_expect_eq(key_ring_public(ring, now), 2);
	for (size_t i = 0; i < 2; i++) {
		cr_expect_eq(memcmp(now[i].public_key, before[i].public_key, NODE_KEY_BYTES), 0);
		cr_expect_eq(now[i].not_before_ms, before[i].not_before_ms - year);
		cr_expect_eq(now[i].not_after_ms, before[i].not_after_ms - year);
	}
	cr_expect_eq(key_ring_sending(ring, t - year), before[0].parity);
	/* To the very beginning of time. */
	cr_expect_eq(key_ring_tick(ring, 5), 1);
	key_ring_public(ring, now);
	cr_expect_geq(now[1].not_before_ms, 0);
	cr_expect_gt(now[1].not_after_ms, now[1].active_ms);
}

/* Whatever the clock does, there is a key to send with, and windows that a judge accepts. */
Test(node_ring, any_clock)
{
	_cleanup_(key_ring_freep) struct key_ring *ring = ring_make(2000, 250);
	int64_t t = NOON_MS;

	srandom(7);
	for (unsigned int i = 0; i < 3000; i++) {
		struct node_key key[NODE_KEYS_MAX];
		size_t n, at = 0;

		t += random() % 50 ? random() % 400 : random() % 8000000 - 4000000;
		cr_assert_geq(key_ring_tick(ring, t), 0);
		cr_assert_eq(key_ring_tick(ring, t), 0, "one tick does all");
		cr_assert_gt(key_ring_due_ms(ring, t), t - 100);
		n = key_ring_public(ring, key);
		cr_assert(n >= 1);
		for (size_t j = 0; j < n; j++) {
			at = key[j].parity == key_ring_sending(ring, t) ? j : at;
			cr_assert_leq(key[j].not_before_ms, key[j].active_ms);
			cr_assert_lt(key[j].active_ms, key[j].not_after_ms);
			cr_assert_leq(key[j].not_before_ms, t + 100);
		}
		cr_assert(n == 1 || key[0].not_before_ms >= key[1].not_before_ms);
		cr_assert(n == 1 || key[0].parity != key[1].parity);
		cr_assert(at == 0 || t < key[0].active_ms, "the older one only while it must");
		cr_assert(at == 1 || t + 100 >= key[0].active_ms || n == 1);
	}
}

/* ---- sealing ---- */

Test(node_ring, seal_and_unseal)
{
	_cleanup_(key_ring_freep) struct key_ring *ring = ring_make(HOUR_MS, 0);
	_cleanup_(key_ring_freep) struct key_ring *next = ring_make(HOUR_MS, 0);
	uint8_t sealed[KEY_RING_SEALED_BYTES], torn[KEY_RING_SEALED_BYTES];
	struct node_key a[NODE_KEYS_MAX] = { 0 }, b[NODE_KEYS_MAX] = { 0 };
	struct cs_key send, receive, send2, receive2;
	int64_t t = NOON_MS + HOUR_MS / 2;

	key_ring_tick(ring, NOON_MS);
	key_ring_tick(ring, t);
	key_ring_seal(ring, sealed);
	for (size_t i = 0; i < sizeof(sealed) * 8; i++) {
		memcpy(torn, sealed, sizeof(torn));
		torn[i / 8] ^= 1 << i % 8;
		cr_assert_eq(key_ring_unseal(next, torn, t), -EINVAL, "bit %zu", i);
	}
	memset(torn, 0, sizeof(torn));
	cr_expect_eq(key_ring_unseal(next, torn, t), -EINVAL);
	cr_expect_eq(key_ring_unseal(next, sealed, t + HOUR_MS), -EINVAL, "all are over");
	cr_expect_eq(key_ring_public(next, b), 0, "untouched");
	cr_expect_eq(key_ring_unseal(next, sealed, t + HOUR_MS - 1), 0);
	cr_expect_eq(key_ring_unseal(next, sealed, t), 0, "again, over what it has");
	cr_expect_eq(key_ring_public(ring, a), 2);
	cr_expect_eq(key_ring_public(next, b), 2);
	cr_expect_eq(memcmp(a, b, sizeof(a)), 0);
	for (uint8_t parity = 0; parity < 2; parity++) {
		const struct node_pair pair = { 1, 2, parity, a[0].public_key };

		cr_expect_eq(key_ring_derive(ring, &pair, &send, &receive), 0);
		cr_expect_eq(key_ring_derive(next, &pair, &send2, &receive2), 0);
		cr_expect_eq(memcmp(&send, &send2, sizeof(send)), 0);
		cr_expect_eq(memcmp(&receive, &receive2, sizeof(send)), 0);
	}
	/* The clock was set back while no agent ran. */
	cr_expect_eq(key_ring_unseal(next, sealed, t - 5 * HOUR_MS), 0);
	key_ring_public(next, b);
	cr_expect_eq(b[0].not_after_ms, a[0].not_after_ms - 5 * HOUR_MS);
}

/* A shorter lifetime after a restart: what sends now is not replaced before the other may. */
Test(node_ring, another_lifetime)
{
	_cleanup_(key_ring_freep) struct key_ring *ring = ring_make(HOUR_MS, 0);
	_cleanup_(key_ring_freep) struct key_ring *next = ring_make(2000, 0);
	uint8_t sealed[KEY_RING_SEALED_BYTES], sending;
	struct node_key key[NODE_KEYS_MAX];
	int64_t t = NOON_MS + HOUR_MS / 2;

	key_ring_tick(ring, NOON_MS);
	key_ring_tick(ring, t);
	key_ring_seal(ring, sealed);
	cr_assert_eq(key_ring_unseal(next, sealed, t + 5000), 0);
	sending = key_ring_sending(next, t + 5000);
	cr_expect_eq(key_ring_tick(next, t + 5000), 0);
	cr_expect_eq(key_ring_due_ms(next, t + 5000), t + 60000);
	cr_expect_eq(key_ring_tick(next, t + 60000), 1);
	cr_expect_eq(key_ring_sending(next, t + 60000), !sending);
	key_ring_public(next, key);
	cr_expect_eq(key[0].not_after_ms, t + 62000);
}

/* ---- derivation ---- */

/* The ring has no way in for a private key, on purpose. */
static void put_private(struct key_ring *ring, const char *hex)
{
	struct ring_key *key = &ring->key[0];
	uint8_t private_key[NODE_KEY_BYTES];

	for (size_t i = 0; i < NODE_KEY_BYTES; i++)
		cr_assert_eq(sscanf(hex + 2 * i, "%2hhx", &private_key[i]), 1);
	key->pkey =
		EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, private_key, NODE_KEY_BYTES);
	cr_assert_not_null(key->pkey);
	EVP_PKEY_get_raw_public_key(key->pkey, key->public.public_key, &(size_t){ NODE_KEY_BYTES });
	ring->n = 1;
}

/* The 16 bytes that HKDF gives, as text. */
static const char *key_text(const struct cs_key *key)
{
	static char text[2][33];
	static unsigned int turn;
	char *to = text[turn++ % 2];

	for (size_t i = 0; i < 16; i++)
		sprintf(to + 2 * i, "%02x",
			(unsigned int)((i < 8 ? key->k0 : key->k1) >> (8 * (i % 8)) & 0xff));
	return to;
}

/*
 * The private keys are Alice's and Bob's of RFC 7748, section 6.1. The results are those of
 * docs/wire.md, which were not made by this code: by X25519 from the RFC's formulas and by
 * HMAC-SHA-256 of Python's standard library.
 */
Test(node_ring, vectors)
{
	static const struct {
		uint16_t alice, bob;
		const char *to_bob, *to_alice;
	} vectors[] = {
		{ 1, 2, "cac9e40afc0528a3952e1363c95a0ec1", "5517cd0f1c0172edefb996cfab504916" },
		{ 4096, 65535, "301954356015b1c25fc40f1c3d276e9f",
		  "33cc068a8c08a4f72949f2056fdb8a82" },
	};
	_cleanup_(key_ring_freep) struct key_ring *alice = ring_make(HOUR_MS, 0);
	_cleanup_(key_ring_freep) struct key_ring *bob = ring_make(HOUR_MS, 0);

	put_private(alice, "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
	put_private(bob, "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		const struct node_pair ab = { vectors[i].alice, vectors[i].bob, 0,
					      bob->key[0].public.public_key };
		const struct node_pair ba = { vectors[i].bob, vectors[i].alice, 0,
					      alice->key[0].public.public_key };
		struct cs_key send, receive;

		cr_assert_eq(key_ring_derive(alice, &ab, &send, &receive), 0);
		cr_expect_str_eq(key_text(&send), vectors[i].to_bob);
		cr_expect_str_eq(key_text(&receive), vectors[i].to_alice);
		cr_assert_eq(key_ring_derive(bob, &ba, &send, &receive), 0);
		cr_expect_str_eq(key_text(&send), vectors[i].to_alice);
		cr_expect_str_eq(key_text(&receive), vectors[i].to_bob);
	}
}

/* A peer cannot make the shared secret a known one (RFC 7748, section 6.1). */
Test(node_ring, refuses_low_order)
{
	static const uint8_t low[][NODE_KEY_BYTES] = {
		{ 0 },
		{ 1 },
		{ [31] = 0x80 },
		/* 2^255 - 19 and one more: 0 and 1 again */
		{ 0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
		{ 0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
	};
	_cleanup_(key_ring_freep) struct key_ring *ring = ring_make(HOUR_MS, 0);
	struct cs_key send = { 1, 2 }, receive = { 3, 4 };

	key_ring_tick(ring, NOON_MS);
	for (size_t i = 0; i < ARRAY_SIZE(low); i++) {
		const struct node_pair pair = { 1, 2, 0, low[i] };

		cr_expect_eq(key_ring_derive(ring, &pair, &send, &receive), -EINVAL, "%zu", i);
	}
	cr_expect_eq(send.k0 + send.k1 + receive.k0 + receive.k1, 10, "untouched");
	cr_expect_eq(key_ring_derive(ring, &(struct node_pair){ 1, 2, 1, low[0] }, &send, &receive),
		     -ENOENT, "no key of that parity");
}
