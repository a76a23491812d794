/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DER to EVP_PKEY without a copy outside the secure heap. OpenSSL 3.0's decoders leave some:
 * the file's DER (ossl_read_der), the scalar of an EC key. So the parts are read here and go
 * through secure BIGNUMs into EVP_PKEY_fromdata(), which itself puts RSA's numbers and
 * Ed25519's key into ordinary memory: secret_section_begin() makes that the secure heap.
 * tests/unit/test_credential_memory.c looks through a process's memory for copies.
 *
 * What cannot be helped: once an RSA key signs, OpenSSL keeps its primes in ordinary memory
 * (its Montgomery contexts). EC and Ed25519 keys have nothing of that kind.
 */
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/objects.h>
#include <openssl/param_build.h>

#include "user/credential/der.h"
#include "user/credential/error.h"
#include "user/credential/secret_internal.h"

#define SECRET_OID_MAX 32 /* bytes of an object identifier, its header included */
#define SECRET_POINT_MAX 133 /* an uncompressed point of P-521 */
#define SECRET_STACK_BYTES (32 << 10) /* deeper than any function of OpenSSL below us goes */

static inline void bn_freep(BIGNUM **bn)
{
	BN_clear_free(*bn);
}
static inline void bn_ctx_freep(BN_CTX **ctx)
{
	BN_CTX_free(*ctx);
}
static inline void group_freep(EC_GROUP **group)
{
	EC_GROUP_free(*group);
}
static inline void point_freep(EC_POINT **point)
{
	EC_POINT_clear_free(*point);
}
static inline void build_freep(OSSL_PARAM_BLD **build)
{
	OSSL_PARAM_BLD_free(*build);
}
static inline void params_freep(OSSL_PARAM **params)
{
	OSSL_PARAM_free(*params);
}
static inline void pkey_ctx_freep(EVP_PKEY_CTX **ctx)
{
	EVP_PKEY_CTX_free(*ctx);
}
/* The object identifier whose contents are @content. */
static int nid_of(const struct der *content)
{
	uint8_t header[SECRET_OID_MAX] = { DER_OID, (uint8_t)der_length(content) };
	const uint8_t *at = header;
	ASN1_OBJECT *object;
	int nid;

	if (der_length(content) > sizeof(header) - 2)
		return NID_undef;
	memcpy(header + 2, content->at, der_length(content));
	object = d2i_ASN1_OBJECT(NULL, &at, (long)der_length(content) + 2);
	nid = object ? OBJ_obj2nid(object) : NID_undef;
	ASN1_OBJECT_free(object);
	return nid;
}

/* The public point of the private scalar, uncompressed. */
static bool public_point(const EC_GROUP *group, const BIGNUM *scalar, uint8_t *ret,
			 size_t *ret_length)
{
	_cleanup_(bn_ctx_freep) BN_CTX *ctx = BN_CTX_secure_new();
	_cleanup_(point_freep) EC_POINT *point = EC_POINT_new(group);

	if (!ctx || !point || BN_is_zero(scalar) ||
	    BN_cmp(scalar, EC_GROUP_get0_order(group)) >= 0 ||
	    !EC_POINT_mul(group, point, scalar, NULL, NULL, ctx))
		return false;
	*ret_length = EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, ret,
					 SECRET_POINT_MAX, ctx);
	return *ret_length > 0;
}

/* A key of @type; all that is made on the way is in the secure heap. */
static EVP_PKEY *from_params(const char *type, OSSL_PARAM *params)
{
	_cleanup_(pkey_ctx_freep) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	if (!ctx || !params || EVP_PKEY_fromdata_init(ctx) != 1)
		return NULL;
	secret_section_begin();
	if (EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) != 1)
		key = NULL;
	secret_section_end();
	return key;
}

static EVP_PKEY *from_parts(const char *type, OSSL_PARAM_BLD *build)
{
	_cleanup_(params_freep) OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);

	return from_params(type, params);
}

static EVP_PKEY *ec_from_parts(const char *group, const BIGNUM *scalar, const uint8_t *point,
			       size_t point_length)
{
	_cleanup_(build_freep) OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();

	if (!build ||
	    !OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, group, 0) ||
	    !OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, scalar) ||
	    !OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, point_length))
		return NULL;
	return from_parts("EC", build);
}

static EVP_PKEY *decode_ec(int curve, const struct der *scalar_bytes)
{
	_cleanup_(group_freep) EC_GROUP *group = NULL;
	_cleanup_(bn_freep) BIGNUM *scalar = BN_secure_new();
	uint8_t point[SECRET_POINT_MAX];
	size_t length;

	if (curve != NID_X9_62_prime256v1 && curve != NID_secp384r1 && curve != NID_secp521r1)
		return NULL;
	group = EC_GROUP_new_by_curve_name(curve);
	if (!group || !scalar || der_length(scalar_bytes) > SECRET_POINT_MAX / 2 ||
	    !BN_bin2bn(scalar_bytes->at, (int)der_length(scalar_bytes), scalar))
		return NULL;
	BN_set_flags(scalar, BN_FLG_CONSTTIME);
	if (!public_point(group, scalar, point, &length))
		return NULL;
	return ec_from_parts(OBJ_nid2sn(curve), scalar, point, length);
}

/* RFC 5915. @curve: from around it; else it must be named in [0]. */
static EVP_PKEY *decode_sec1(struct der key, int curve)
{
	struct der all, scalar, oid;
	uint8_t version;

	if (!der_take(&key, DER_SEQUENCE, &all) || !der_take_small(&all, &version) ||
	    version != 1 || !der_take(&all, DER_OCTET_STRING, &scalar))
		return NULL;
	if (curve == NID_undef) {
		struct der parameters;

		if (!der_take(&all, (enum der_tag)0xa0, &parameters) ||
		    !der_take(&parameters, DER_OID, &oid))
			return NULL;
		curve = nid_of(&oid);
	}
	return decode_ec(curve, &scalar);
}

/* What PKCS#1 holds behind the version, in this order. */
static const char *const rsa_parts[] = {
	OSSL_PKEY_PARAM_RSA_N,	       OSSL_PKEY_PARAM_RSA_E,
	OSSL_PKEY_PARAM_RSA_D,	       OSSL_PKEY_PARAM_RSA_FACTOR1,
	OSSL_PKEY_PARAM_RSA_FACTOR2,   OSSL_PKEY_PARAM_RSA_EXPONENT1,
	OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
};

struct numbers {
	BIGNUM *bn[ARRAY_SIZE(rsa_parts)];
};

static void numbers_done(struct numbers *numbers)
{
	for (size_t i = 0; i < ARRAY_SIZE(rsa_parts); i++)
		BN_clear_free(numbers->bn[i]);
}

/* RFC 8017, A.1.2; a key of two primes. */
static EVP_PKEY *decode_rsa(struct der key)
{
	_cleanup_(build_freep) OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	_cleanup_(numbers_done) struct numbers numbers = { 0 };
	struct der all, part;
	uint8_t version;

	if (!build || !der_take(&key, DER_SEQUENCE, &all) || !der_take_small(&all, &version) ||
	    version != 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(rsa_parts); i++) {
		numbers.bn[i] = BN_secure_new();
		if (!numbers.bn[i] || !der_take(&all, DER_INTEGER, &part) ||
		    der_length(&part) == 0 || *part.at & 0x80 ||
		    !BN_bin2bn(part.at, (int)der_length(&part), numbers.bn[i]) ||
		    BN_is_zero(numbers.bn[i]) ||
		    !OSSL_PARAM_BLD_push_BN(build, rsa_parts[i], numbers.bn[i]))
			return NULL;
	}
	return from_parts("RSA", build);
}

/* RFC 8410: the octet string holds another one with the key. */
static EVP_PKEY *decode_raw(const char *type, struct der key)
{
	OSSL_PARAM params[2] = { OSSL_PARAM_END, OSSL_PARAM_END };
	struct der raw;

	if (!der_take(&key, DER_OCTET_STRING, &raw))
		return NULL;
	params[0] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, (void *)raw.at,
						      der_length(&raw));
	return from_params(type, params);
}

/* RFC 5958; @all is what the outer sequence holds, behind the version. */
static EVP_PKEY *decode_pkcs8(struct der all)
{
	struct der algorithm, oid, key, curve;

	if (!der_take(&all, DER_SEQUENCE, &algorithm) || !der_take(&algorithm, DER_OID, &oid) ||
	    !der_take(&all, DER_OCTET_STRING, &key))
		return NULL;
	switch (nid_of(&oid)) {
	case NID_X9_62_id_ecPublicKey:
		return der_take(&algorithm, DER_OID, &curve) ? decode_sec1(key, nid_of(&curve))
							     : NULL;
	case NID_ED25519:
		return decode_raw("ED25519", key);
	case NID_ED448:
		return decode_raw("ED448", key);
	case NID_rsaEncryption:
		return decode_rsa(key);
	default:
		return NULL;
	}
}

static EVP_PKEY *decode_any(const uint8_t *der, size_t length)
{
	struct der whole = { der, der ? der + length : NULL }, rest = whole, all, inside;
	uint8_t version;

	if (!der_take(&rest, DER_SEQUENCE, &all) || rest.at != rest.end)
		return NULL;
	inside = all;
	if (!der_take_small(&inside, &version) || inside.at == inside.end)
		return NULL;
	switch (*inside.at) {
	case DER_SEQUENCE:
		return decode_pkcs8(inside);
	case DER_OCTET_STRING:
		return decode_sec1(whole, NID_undef);
	case DER_INTEGER:
		return decode_rsa(whole);
	default:
		return NULL;
	}
}

/* OpenSSL's functions may leave parts of keys below our own stack frame: P-256 copies the
 * scalar there to multiply by it. */
static void __attribute__((noinline)) wipe_stack(void)
{
	uint8_t below[SECRET_STACK_BYTES];

	explicit_bzero(below, sizeof(below));
}

int secret_key_decode(const uint8_t *der, size_t length, EVP_PKEY **ret,
		      struct credential_error *reterr)
{
	EVP_PKEY *key = decode_any(der, length);

	wipe_stack();
	if (!key) {
		credential_openssl_reason();
		return credential_fail(reterr, -EBADMSG,
				       "it is no private key that can be used: EC (P-256, P-384, "
				       "P-521), Ed25519, Ed448 or RSA, in PKCS#8, SEC1 or PKCS#1, "
				       "not encrypted");
	}
	*ret = key;
	return 0;
}
