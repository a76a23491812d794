/* SPDX-License-Identifier: Apache-2.0 */
/* Bundles from PEM, DER and JWK sets, and back. */
#include <jansson.h>

#include "test_credential_pki.h"

/* As in the specification's example: an authority for each kind of SVID, and numbers. */
static char *spec_example(X509 *x509)
{
	unsigned char *der = NULL, *base64;
	int length = i2d_X509(x509, &der);
	char *json;

	base64 = malloc((size_t)length * 2);
	EVP_EncodeBlock(base64, der, length);
	cr_assert_gt(
		asprintf(
			&json,
			"{\n"
			"  \"spiffe_sequence\": 12035488,\n"
			"  \"spiffe_refresh_hint\": 2419200,\n"
			"  \"unknown_member\": {\"a\": [1]},\n"
			"  \"countersign_nodes\": \"4096-8191\",\n"
			"  \"keys\": [\n"
			"    {\"kty\": \"EC\", \"use\": \"x509-svid\", \"crv\": \"P-256\",\n"
			"     \"x\": \"fK-wKTnKL7KFLM27lqq5DC-bxrVaH6rDV-IcCSEOeL4\",\n"
			"     \"y\": \"wq-g3TQWxYlV51TCPH030yXsRxvujD4hUUaIQrXk4KI\",\n"
			"     \"x5c\": [\"%s\"]},\n"
			"    {\"kty\": \"EC\", \"use\": \"jwt-svid\", \"kid\": \"a\", \"crv\": \"P-256\",\n"
			"     \"x\": \"a\", \"y\": \"b\"},\n"
			"    {\"kty\": \"X\", \"use\": \"of-tomorrow\"}\n"
			"  ]\n"
			"}\n",
			base64),
		0);
	free(base64);
	OPENSSL_free(der);
	return json;
}

static struct bundle *from_jwks(const char *json)
{
	struct credential_error error = { 0 };
	struct bundle *bundle = NULL;

	cr_assert_eq(bundle_from_jwks("example.org", json, strlen(json), &bundle, &error), 0, "%s",
		     error.text);
	return bundle;
}

Test(credential_bundle, the_specifications_example)
{
	_pki_ ca = pki_ca("ca", NULL);
	_cleanup_free_ char *json = spec_example(ca.x509), *again = NULL;
	struct bundle *bundle = from_jwks(json), *second;

	cr_expect_eq(sk_X509_num(bundle->authorities), 1);
	cr_expect_eq(X509_cmp(sk_X509_value(bundle->authorities, 0), ca.x509), 0);
	cr_expect_eq(bundle->sequence, 12035488u);
	cr_expect_eq(bundle->refresh_hint_s, 2419200);
	cr_expect_eq(bundle->node_first, 4096);
	cr_expect_eq(bundle->node_last, 8191);
	again = bundle_to_jwks(bundle);
	second = from_jwks(again);
	cr_expect_eq(X509_cmp(sk_X509_value(second->authorities, 0), ca.x509), 0);
	cr_expect_eq(second->sequence, bundle->sequence);
	cr_expect_eq(second->refresh_hint_s, bundle->refresh_hint_s);
	cr_expect_eq(second->node_first, 4096);
	cr_expect_eq(second->node_last, 8191);
	bundle_free(bundle);
	bundle_free(second);
}

/* Every kind of key, and a list: written and read again, nothing is lost. */
Test(credential_bundle, round_trip_of_all_kinds)
{
	EVP_PKEY *keys[] = { EVP_EC_gen("P-256"), EVP_EC_gen("P-384"), EVP_EC_gen("P-521"),
			     EVP_RSA_gen(2048), EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") };
	static const char *const ktys[] = { "EC", "EC", "EC", "RSA", "OKP" };
	_pki_text_ pem = { 0 };
	_cleanup_free_ char *jwks = NULL, *text = NULL, *text_again = NULL;
	struct credential_error error = { 0 };
	struct bundle *bundle = NULL, *again;
	json_t *root;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		_pki_ ca = pki_make(&(struct pki){ .san = "",
						   .key = keys[i],
						   .basic = "critical,CA:TRUE",
						   .usage = "critical,keyCertSign,cRLSign" },
				    NULL);

		pki_text_x509(&pem, ca.x509);
		if (i == 0)
			pki_text_crl(&pem, pki_crl(&ca, X509_get0_serialNumber(ca.x509), -5, 50));
		EVP_PKEY_free(keys[i]);
	}
	cr_assert_eq(bundle_from_pem("example.org", pem.text, pem.length, &bundle, &error), 0, "%s",
		     error.text);
	jwks = bundle_to_jwks(bundle);
	cr_assert_not_null(jwks);
	root = json_loads(jwks, 0, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(ktys); i++) {
		const json_t *key = json_array_get(json_object_get(root, "keys"), i);

		cr_expect_str_eq(json_string_value(json_object_get(key, "kty")), ktys[i]);
		cr_expect_str_eq(json_string_value(json_object_get(key, "use")), "x509-svid");
		cr_expect(json_object_get(key, i == 3 ? "n" : "x"));
		cr_expect(json_object_get(key, i == 3 ? "e" : "crv") != NULL);
	}
	json_decref(root);
	again = from_jwks(jwks);
	text = bundle_to_pem(bundle);
	text_again = bundle_to_pem(again);
	cr_expect_str_eq(text, text_again);
	cr_expect_eq(sk_X509_CRL_num(again->crls), 1);
	bundle_free(bundle);
	bundle_free(again);
}

Test(credential_bundle, der_as_the_workload_api_sends_it)
{
	_pki_ a = pki_ca("a", NULL);
	_pki_ b = pki_ca("b", NULL);
	struct credential_error error = { 0 };
	struct bundle *bundle = NULL;
	unsigned char der[4096], *at = der;
	size_t length;

	i2d_X509(a.x509, &at);
	i2d_X509(b.x509, &at);
	i2d_X509(a.x509, &at);
	length = (size_t)(at - der);
	cr_assert_eq(bundle_from_der("example.org", der, length, &bundle, &error), 0, "%s",
		     error.text);
	cr_expect_eq(sk_X509_num(bundle->authorities), 2, "a is there once");
	bundle_free(bundle);
	bundle = NULL;
	cr_expect_lt(bundle_from_der("example.org", der, length - 1, &bundle, &error), 0);
	cr_expect_eq(bundle_from_der("example.org", der, 0, &bundle, &error), -ENODATA);
	cr_expect_eq(bundle_from_der("Example.org", der, length, &bundle, &error), -EINVAL);
	cr_expect(strstr(error.text, "is no trust domain"), "%s", error.text);
	cr_expect_null(bundle);
}

Test(credential_bundle, too_many_of_anything)
{
	_pki_text_ pem = { 0 }, lists = { 0 };
	_pki_ ca = pki_ca("ca", NULL);
	struct credential_error error = { 0 };
	struct bundle *bundle = NULL;

	pki_text_x509(&lists, ca.x509);
	for (int i = 0; i < BUNDLE_AUTHORITIES_MAX; i++) {
		_pki_ other = pki_ca("other", NULL);

		pki_text_x509(&pem, other.x509);
		pki_text_crl(&lists, pki_crl(&ca, NULL, -5, 50));
	}
	cr_assert_eq(bundle_from_pem("example.org", pem.text, pem.length, &bundle, &error), 0);
	bundle_free(bundle);
	pki_text_x509(&pem, ca.x509);
	cr_expect_eq(bundle_from_pem("example.org", pem.text, pem.length, &bundle, &error), -E2BIG);
	pki_text_crl(&lists, pki_crl(&ca, NULL, -5, 50));
	cr_expect_eq(bundle_from_pem("example.org", lists.text, lists.length, &bundle, &error),
		     -E2BIG);
	cr_expect_eq(bundle_from_pem("example.org", pem.text, BUNDLE_BYTES_MAX + 1, &bundle,
				     &error),
		     -EFBIG);
}

static struct bundle *named(const char *trust_domain, X509 *x509)
{
	_pki_text_ pem = { 0 };
	struct bundle *bundle = NULL;

	pki_text_x509(&pem, x509);
	cr_assert_eq(bundle_from_pem(trust_domain, pem.text, pem.length, &bundle, NULL), 0);
	return bundle;
}

Test(credential_bundle, one_per_trust_domain)
{
	_pki_ ca = pki_ca("ca", NULL);
	struct bundles bundles = { 0 };
	struct bundle *second;
	char name[32];

	for (int i = 0; i < BUNDLES_MAX; i++) {
		snprintf(name, sizeof(name), "d%d.example", i);
		cr_assert_eq(bundles_put(&bundles, named(name, ca.x509)), 0);
	}
	cr_expect_eq(bundles_put(&bundles, named("more.example", ca.x509)), -ENOSPC);
	second = named("d0.example", ca.x509);
	cr_expect_eq(bundles_put(&bundles, second), 0);
	cr_expect_eq(bundles.n, (size_t)BUNDLES_MAX);
	cr_expect_eq(bundles.item[0], second, "the own domain's stays the first");
	cr_expect_eq(bundles_find(&bundles, "d0.example"), second);
	cr_expect_null(bundles_find(&bundles, "d0.exampl"));
	cr_expect_null(bundles_find(&bundles, "more.example"));
	bundles_done(&bundles);
	cr_expect_eq(bundles.n, 0u);
}
