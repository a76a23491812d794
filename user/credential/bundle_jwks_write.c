/* SPDX-License-Identifier: Apache-2.0 */
/* The SPIFFE bundle format written; bundle_jwks.c reads it. */
#include <jansson.h>
#include <openssl/core_names.h>

#include "user/credential/bundle_internal.h"
#include "user/credential/text.h"
#include "user/credential/x509.h"

#define JWK_NUMBER_MAX 2048 /* bytes of a key's largest number: RSA of 16384 bits */

static inline void bn_freep(BIGNUM **bn)
{
	BN_free(*bn);
}

/* Owns @text; -ENOMEM when there is none. */
static int put_text(json_t *object, const char *name, char *text)
{
	_cleanup_free_ char *own = text;

	if (!own || json_object_set_new(object, name, json_string(own)) < 0)
		return -ENOMEM;
	return 0;
}

/* A number of the key, in @bytes bytes; 0: as many as it has. */
static int put_number(json_t *jwk, const char *name, EVP_PKEY *key, const char *param, int bytes)
{
	_cleanup_(bn_freep) BIGNUM *bn = NULL;
	uint8_t buffer[JWK_NUMBER_MAX];

	if (!EVP_PKEY_get_bn_param(key, param, &bn))
		return -EINVAL;
	if (!bytes)
		bytes = BN_num_bytes(bn);
	if (bytes > JWK_NUMBER_MAX || BN_bn2binpad(bn, buffer, bytes) < 0)
		return -E2BIG;
	return put_text(jwk, name, base64url_encode(buffer, (size_t)bytes));
}

static int put_ec(json_t *jwk, EVP_PKEY *key)
{
	static const struct {
		const char *group;
		const char *crv;
	} curves[] = {
		{ "prime256v1", "P-256" },
		{ "secp384r1", "P-384" },
		{ "secp521r1", "P-521" },
	};
	int bytes = (EVP_PKEY_get_bits(key) + 7) / 8;
	char group[64];
	int r = -EINVAL;

	if (!EVP_PKEY_get_group_name(key, group, sizeof(group), NULL))
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(curves); i++)
		if (streq(curves[i].group, group))
			r = json_object_set_new(jwk, "crv", json_string(curves[i].crv));
	if (r == 0)
		r = json_object_set_new(jwk, "kty", json_string("EC"));
	if (r == 0)
		r = put_number(jwk, "x", key, OSSL_PKEY_PARAM_EC_PUB_X, bytes);
	if (r == 0)
		r = put_number(jwk, "y", key, OSSL_PKEY_PARAM_EC_PUB_Y, bytes);
	return r;
}

static int put_rsa(json_t *jwk, EVP_PKEY *key)
{
	int r = json_object_set_new(jwk, "kty", json_string("RSA"));

	if (r == 0)
		r = put_number(jwk, "n", key, OSSL_PKEY_PARAM_RSA_N, 0);
	if (r == 0)
		r = put_number(jwk, "e", key, OSSL_PKEY_PARAM_RSA_E, 0);
	return r;
}

static int put_okp(json_t *jwk, EVP_PKEY *key)
{
	bool is_448 = EVP_PKEY_get_base_id(key) == EVP_PKEY_ED448;
	uint8_t buffer[64];
	size_t length = sizeof(buffer);

	if (EVP_PKEY_get_raw_public_key(key, buffer, &length) != 1 ||
	    json_object_set_new(jwk, "kty", json_string("OKP")) < 0 ||
	    json_object_set_new(jwk, "crv", json_string(is_448 ? "Ed448" : "Ed25519")) < 0)
		return -EINVAL;
	return put_text(jwk, "x", base64url_encode(buffer, length));
}

static int put_key(json_t *jwk, EVP_PKEY *key)
{
	static const struct {
		int id;
		int (*put)(json_t *jwk, EVP_PKEY *key);
	} kinds[] = {
		{ EVP_PKEY_EC, put_ec },       { EVP_PKEY_RSA, put_rsa },
		{ EVP_PKEY_RSA_PSS, put_rsa }, { EVP_PKEY_ED25519, put_okp },
		{ EVP_PKEY_ED448, put_okp },
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].id == EVP_PKEY_get_base_id(key))
			return kinds[i].put(jwk, key);
	return -EINVAL;
}

/* DER that i2d made, as base64 at the end of @list. */
static int append_der(json_t *list, unsigned char *der, int length)
{
	_cleanup_free_ char *text = length > 0 ? base64_encode(der, (size_t)length) : NULL;

	OPENSSL_free(der);
	return text && json_array_append_new(list, json_string(text)) == 0 ? 0 : -ENOMEM;
}

static int put_authority(json_t *keys, X509 *x509)
{
	json_t *jwk = json_object(), *x5c = json_array();
	unsigned char *der = NULL;
	int length = i2d_X509(x509, &der);
	int r = append_der(x5c, der, length);

	/* The objects are the list's at once, so nothing is left on failure. */
	if (json_array_append_new(keys, jwk) < 0)
		r = -ENOMEM;
	if (json_object_set_new(jwk, "use", json_string("x509-svid")) < 0)
		r = -ENOMEM;
	if (json_object_set_new(jwk, "x5c", x5c) < 0)
		r = -ENOMEM;
	return r < 0 ? r : put_key(jwk, X509_get0_pubkey(x509));
}

static int put_crls(json_t *root, const struct bundle *bundle)
{
	json_t *list = json_array();
	int r = json_object_set_new(root, "countersign_crls", list);

	for (int i = 0; i < sk_X509_CRL_num(bundle->crls) && r == 0; i++) {
		unsigned char *der = NULL;
		int length = i2d_X509_CRL(sk_X509_CRL_value(bundle->crls, i), &der);

		r = append_der(list, der, length);
	}
	return r;
}

/* What is not given has no member. */
static int put_members(json_t *root, const struct bundle *bundle)
{
	char range[sizeof("65535-65535")];
	int r = 0;

	if (bundle->sequence)
		r = json_object_set_new(root, "spiffe_sequence",
					json_integer((json_int_t)bundle->sequence));
	if (r == 0 && bundle->refresh_hint_s)
		r = json_object_set_new(root, "spiffe_refresh_hint",
					json_integer(bundle->refresh_hint_s));
	if (r == 0 && bundle->node_last) {
		snprintf(range, sizeof(range), "%u-%u", bundle->node_first, bundle->node_last);
		r = json_object_set_new(root, "countersign_nodes", json_string(range));
	}
	if (r == 0 && sk_X509_CRL_num(bundle->crls) > 0)
		r = put_crls(root, bundle);
	return r;
}

char *bundle_to_jwks(const struct bundle *bundle)
{
	json_auto_t *root = json_object();
	json_t *keys = json_array();
	int r = json_object_set_new(root, "keys", keys);

	for (int i = 0; i < sk_X509_num(bundle->authorities) && r == 0; i++)
		r = put_authority(keys, sk_X509_value(bundle->authorities, i));
	if (r == 0)
		r = put_members(root, bundle);
	return r == 0 ? json_dumps(root, JSON_INDENT(2)) : NULL;
}
