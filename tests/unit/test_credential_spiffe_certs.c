/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates for the tests of the source spiffe:. */
#include <openssl/x509v3.h>

#include "tests/unit/test_credential_spiffe.h"

#define LIFETIME_S 3600

static void add_extension(X509 *x509, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *extension;

	X509V3_set_ctx_nodb(&ctx);
	X509V3_set_ctx(&ctx, x509, x509, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	cr_assert_not_null(extension, "%s", value);
	X509_add_ext(x509, extension, -1);
	X509_EXTENSION_free(extension);
}

static X509 *certificate(EVP_PKEY *key, const char *name, long serial)
{
	X509 *x509 = X509_new();

	X509_set_version(x509, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x509), serial);
	X509_gmtime_adj(X509_getm_notBefore(x509), -60);
	X509_gmtime_adj(X509_getm_notAfter(x509), LIFETIME_S);
	X509_set_pubkey(x509, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_ASC,
				   (const uint8_t *)name, -1, -1, 0);
	return x509;
}

void test_ca_make(struct test_ca *authority, const char *trust_domain)
{
	char uri[300];

	snprintf(uri, sizeof(uri), "URI:spiffe://%s", trust_domain);
	authority->key = EVP_EC_gen("P-256");
	/* As SPIRE's, all authorities have one name. */
	authority->x509 = certificate(authority->key, "SPIFFE", 1);
	X509_set_issuer_name(authority->x509, X509_get_subject_name(authority->x509));
	add_extension(authority->x509, NID_basic_constraints, "critical,CA:TRUE");
	add_extension(authority->x509, NID_key_usage, "critical,keyCertSign,cRLSign");
	add_extension(authority->x509, NID_subject_alt_name, uri);
	cr_assert_gt(X509_sign(authority->x509, authority->key, EVP_sha256()), 0);
}

void test_ca_done(struct test_ca *authority)
{
	EVP_PKEY_free(authority->key);
	X509_free(authority->x509);
}

static ProtobufCBinaryData certificate_der(X509 *x509)
{
	ProtobufCBinaryData der = { 0 };

	der.len = (size_t)i2d_X509(x509, &der.data);
	return der;
}

ProtobufCBinaryData test_ca_bundle(const struct test_ca *authority)
{
	return certificate_der(authority->x509);
}

static ProtobufCBinaryData key_der(EVP_PKEY *key)
{
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
	ProtobufCBinaryData der = { 0 };

	der.len = (size_t)i2d_PKCS8_PRIV_KEY_INFO(info, &der.data);
	PKCS8_PRIV_KEY_INFO_free(info);
	return der;
}

void test_ca_issue(const struct test_ca *authority, const char *spiffe_id, X509SVID *ret)
{
	static long serial = 100;
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *leaf = certificate(key, "leaf", ++serial);
	char uri[300];

	snprintf(uri, sizeof(uri), "URI:%s", spiffe_id);
	X509_set_issuer_name(leaf, X509_get_subject_name(authority->x509));
	add_extension(leaf, NID_basic_constraints, "critical,CA:FALSE");
	add_extension(leaf, NID_key_usage, "critical,digitalSignature");
	add_extension(leaf, NID_ext_key_usage, "serverAuth,clientAuth");
	add_extension(leaf, NID_subject_alt_name, uri);
	cr_assert_gt(X509_sign(leaf, authority->key, EVP_sha256()), 0);
	*ret = (X509SVID)X509_SVID__INIT;
	ret->spiffe_id = strdup(spiffe_id);
	ret->x509_svid = certificate_der(leaf);
	ret->x509_svid_key = key_der(key);
	ret->bundle = test_ca_bundle(authority);
	X509_free(leaf);
	EVP_PKEY_free(key);
}

void svid_message_done(X509SVID *svid)
{
	free(svid->spiffe_id);
	OPENSSL_free(svid->x509_svid.data);
	OPENSSL_free(svid->x509_svid_key.data);
	OPENSSL_free(svid->bundle.data);
}

ProtobufCBinaryData test_ca_crl(const struct test_ca *authority, bool entry)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *now = X509_gmtime_adj(NULL, 0);
	X509_REVOKED *revoked;
	ASN1_INTEGER *serial;
	ProtobufCBinaryData der = { 0 };

	X509_CRL_set_version(crl, X509_CRL_VERSION_2);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(authority->x509));
	X509_CRL_set1_lastUpdate(crl, now);
	X509_CRL_set1_nextUpdate(crl, now);
	if (entry) {
		revoked = X509_REVOKED_new();
		serial = ASN1_INTEGER_new();
		ASN1_INTEGER_set(serial, 7);
		X509_REVOKED_set_serialNumber(revoked, serial);
		X509_REVOKED_set_revocationDate(revoked, now);
		X509_CRL_add0_revoked(crl, revoked);
		ASN1_INTEGER_free(serial);
	}
	cr_assert_gt(X509_CRL_sign(crl, authority->key, EVP_sha256()), 0);
	der.len = (size_t)i2d_X509_CRL(crl, &der.data);
	ASN1_TIME_free(now);
	X509_CRL_free(crl);
	return der;
}

uint8_t *framed(const X509SVIDResponse *response, size_t *ret_length)
{
	size_t length = x509_svidresponse__get_packed_size(response);
	uint8_t *frame = malloc(length + 5);

	frame[0] = 0;
	for (int i = 0; i < 4; i++)
		frame[1 + i] = (uint8_t)(length >> (24 - 8 * i));
	x509_svidresponse__pack(response, frame + 5);
	*ret_length = length + 5;
	return frame;
}
