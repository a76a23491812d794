/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of a pair of nodes: docs/wire.md, "Node keys". */
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

#include "user/credential/key_ring_internal.h"

#define SALT "countersign node key 1"
#define SECRET_BYTES 32
#define INFO_BYTES (2 + 2 + NODE_KEY_BYTES + NODE_KEY_BYTES)

DEFINE_TRIVIAL_CLEANUP(EVP_PKEY *, EVP_PKEY_free)
DEFINE_TRIVIAL_CLEANUP(EVP_PKEY_CTX *, EVP_PKEY_CTX_free)
DEFINE_TRIVIAL_CLEANUP(EVP_KDF_CTX *, EVP_KDF_CTX_free)

/* One end of a direction. */
struct side {
	uint16_t number;
	const uint8_t *public_key;
};

static const struct ring_key *find(const struct key_ring *ring, uint8_t parity)
{
	for (size_t i = 0; i < ring->n; i++)
		if (ring->key[i].public.parity == parity)
			return &ring->key[i];
	return NULL;
}

static int x25519(EVP_PKEY *own, const uint8_t *peer_public, uint8_t ret[static SECRET_BYTES])
{
	static const uint8_t zero[SECRET_BYTES];
	_cleanup_(EVP_PKEY_freep) EVP_PKEY *peer = NULL;
	_cleanup_(EVP_PKEY_CTX_freep) EVP_PKEY_CTX *ctx = NULL;
	size_t length = SECRET_BYTES;

	peer = EVP_PKEY_new_raw_public_key_ex(NULL, "X25519", NULL, peer_public, NODE_KEY_BYTES);
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL);
	if (!peer || !ctx || EVP_PKEY_derive_init(ctx) != 1 ||
	    EVP_PKEY_derive_set_peer_ex(ctx, peer, /* validate_peer= */ 0) != 1)
		return -ENOMEM;
	/* OpenSSL fails when the result is zero; whether every provider does is not promised. */
	if (EVP_PKEY_derive(ctx, ret, &length) != 1 || length != SECRET_BYTES ||
	    CRYPTO_memcmp(ret, zero, SECRET_BYTES) == 0)
		return -EINVAL;
	return 0;
}

static void put_info(uint8_t info[static INFO_BYTES], const struct side *from,
		     const struct side *to)
{
	const uint8_t numbers[] = { from->number >> 8, from->number & 0xff, to->number >> 8,
				    to->number & 0xff };

	memcpy(info, numbers, sizeof(numbers));
	memcpy(info + sizeof(numbers), from->public_key, NODE_KEY_BYTES);
	memcpy(info + sizeof(numbers) + NODE_KEY_BYTES, to->public_key, NODE_KEY_BYTES);
}

static uint64_t little_endian(const uint8_t byte[static 8])
{
	uint64_t value = 0;

	for (size_t i = 0; i < 8; i++)
		value |= (uint64_t)byte[i] << (8 * i);
	return value;
}

/* The key of the direction @from -> @to. */
static int hkdf(EVP_KDF *kdf, uint8_t secret[static SECRET_BYTES], const struct side *from,
		const struct side *to, struct cs_key *ret)
{
	_cleanup_(EVP_KDF_CTX_freep) EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
	uint8_t info[INFO_BYTES], out[16];
	char digest[] = "SHA256", salt[] = SALT;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret, SECRET_BYTES),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, salt, strlen(salt)),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, sizeof(info)),
		OSSL_PARAM_construct_end(),
	};

	put_info(info, from, to);
	if (!ctx || EVP_KDF_derive(ctx, out, sizeof(out), params) != 1)
		return -ENOMEM;
	ret->k0 = little_endian(out);
	ret->k1 = little_endian(out + 8);
	OPENSSL_cleanse(out, sizeof(out));
	return 0;
}

int key_ring_derive(const struct key_ring *ring, const struct node_pair *pair,
		    struct cs_key *ret_send, struct cs_key *ret_receive)
{
	const struct ring_key *key = find(ring, pair->own_parity);
	struct side own = { pair->own_number, key ? key->public.public_key : NULL };
	struct side peer = { pair->peer_number, pair->peer_public };
	struct cs_key send, receive;
	uint8_t secret[SECRET_BYTES];
	int r;

	if (!key)
		return -ENOENT;
	r = x25519(key->pkey, pair->peer_public, secret);
	if (r == 0)
		r = hkdf(ring->hkdf, secret, &own, &peer, &send);
	if (r == 0)
		r = hkdf(ring->hkdf, secret, &peer, &own, &receive);
	if (r == 0) {
		*ret_send = send;
		*ret_receive = receive;
	}
	OPENSSL_cleanse(secret, sizeof(secret));
	OPENSSL_cleanse(&send, sizeof(send));
	OPENSSL_cleanse(&receive, sizeof(receive));
	ERR_clear_error();
	return r;
}
