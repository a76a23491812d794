/* SPDX-License-Identifier: Apache-2.0 */
#include "user/credential/bundle.h"

#include <openssl/pem.h>

#include "user/credential/bundle_internal.h"
#include "user/credential/error.h"
#include "user/credential/x509.h"
#include "user/identity/spiffe.h"

struct bundle *bundle_free(struct bundle *bundle)
{
	if (!bundle)
		return NULL;
	free(bundle->trust_domain);
	sk_X509_pop_free(bundle->authorities, X509_free);
	sk_X509_CRL_pop_free(bundle->crls, X509_CRL_free);
	free(bundle);
	return NULL;
}

int bundle_new(const char *trust_domain, struct bundle **ret, struct credential_error *reterr)
{
	_cleanup_(bundle_freep) struct bundle *bundle = NULL;

	if (!spiffe_trust_domain_valid(trust_domain))
		return credential_fail(reterr, -EINVAL,
				       "\"%.100s\" is no trust domain: 1 to 255 characters of "
				       "a-z 0-9 . _ -",
				       trust_domain);
	bundle = calloc(1, sizeof(*bundle));
	if (!bundle)
		return -ENOMEM;
	bundle->trust_domain = strdup(trust_domain);
	bundle->authorities = sk_X509_new_null();
	bundle->crls = sk_X509_CRL_new_null();
	if (!bundle->trust_domain || !bundle->authorities || !bundle->crls)
		return -ENOMEM;
	*ret = TAKE_PTR(bundle);
	return 0;
}

static bool has_authority(const struct bundle *bundle, const X509 *x509)
{
	for (int i = 0; i < sk_X509_num(bundle->authorities); i++)
		if (X509_cmp(sk_X509_value(bundle->authorities, i), x509) == 0)
			return true;
	return false;
}

int bundle_add_authority(struct bundle *bundle, X509 *x509, struct credential_error *reterr)
{
	_cleanup_(x509_freep) X509 *own = x509;

	if (!x509_is_ca(own))
		return credential_fail(reterr, -EINVAL,
				       "a certificate of the bundle is no CA's; only authorities "
				       "belong into it");
	if (!X509_get0_pubkey(own))
		return credential_fail(reterr, -EINVAL, "an authority's public key: %s",
				       credential_openssl_reason());
	if (has_authority(bundle, own))
		return 0;
	if (sk_X509_num(bundle->authorities) >= BUNDLE_AUTHORITIES_MAX)
		return credential_fail(reterr, -E2BIG, "the bundle has more than %d authorities",
				       BUNDLE_AUTHORITIES_MAX);
	if (!sk_X509_push(bundle->authorities, own))
		return -ENOMEM;
	TAKE_PTR(own);
	return 0;
}

int bundle_add_crl(struct bundle *bundle, X509_CRL *crl, struct credential_error *reterr)
{
	_cleanup_(crl_freep) X509_CRL *own = crl;

	if (sk_X509_CRL_num(bundle->crls) >= BUNDLE_CRLS_MAX)
		return credential_fail(reterr, -E2BIG, "the bundle has more than %d CRLs",
				       BUNDLE_CRLS_MAX);
	if (!sk_X509_CRL_push(bundle->crls, own))
		return -ENOMEM;
	TAKE_PTR(own);
	return 0;
}

/*
 * A list that no authority's key signed may be an intermediate's and is kept; but one that
 * says it is an authority's and is not would never revoke anything.
 */
static int check_crl(const struct bundle *bundle, X509_CRL *crl, struct credential_error *reterr)
{
	bool named = false;

	for (int i = 0; i < sk_X509_num(bundle->authorities); i++) {
		X509 *x509 = sk_X509_value(bundle->authorities, i);

		if (X509_NAME_cmp(X509_CRL_get_issuer(crl), X509_get_subject_name(x509)) != 0)
			continue;
		if (X509_CRL_verify(crl, X509_get0_pubkey(x509)) == 1)
			return 0;
		named = true;
	}
	credential_openssl_reason();
	if (!named)
		return 0;
	return credential_fail(reterr, -EBADMSG,
			       "a revocation list names an authority that did not sign it");
}

int bundle_check(const struct bundle *bundle, struct credential_error *reterr)
{
	int r = 0;

	if (sk_X509_num(bundle->authorities) < 1)
		return credential_fail(reterr, -ENODATA, "there is no authority in the bundle");
	for (int i = 0; i < sk_X509_CRL_num(bundle->crls) && r == 0; i++)
		r = check_crl(bundle, sk_X509_CRL_value(bundle->crls, i), reterr);
	return r;
}

static int found(void *arg, X509 *x509, X509_CRL *crl, struct credential_error *reterr)
{
	return crl ? bundle_add_crl(arg, crl, reterr) : bundle_add_authority(arg, x509, reterr);
}

int bundle_from_pem(const char *trust_domain, const char *pem, size_t length, struct bundle **ret,
		    struct credential_error *reterr)
{
	_cleanup_(bundle_freep) struct bundle *bundle = NULL;
	int r;

	r = bundle_new(trust_domain, &bundle, reterr);
	if (r == 0)
		r = x509_each_pem(pem, length, found, bundle, reterr);
	if (r == 0)
		r = bundle_check(bundle, reterr);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(bundle);
	return 0;
}

int bundle_from_der(const char *trust_domain, const uint8_t *der, size_t length,
		    struct bundle **ret, struct credential_error *reterr)
{
	_cleanup_(bundle_freep) struct bundle *bundle = NULL;
	const uint8_t *at = der, *end = der ? der + length : NULL; /* NULL + 0 is no pointer */
	int r;

	if (length > BUNDLE_BYTES_MAX)
		return credential_fail(reterr, -EFBIG, "the bundle has more than %d bytes",
				       BUNDLE_BYTES_MAX);
	r = bundle_new(trust_domain, &bundle, reterr);
	while (r == 0 && at < end) {
		X509 *x509 = NULL;

		r = x509_from_der(&at, end, &x509, reterr);
		if (r == 0)
			r = bundle_add_authority(bundle, x509, reterr);
	}
	if (r == 0)
		r = bundle_check(bundle, reterr);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(bundle);
	return 0;
}

char *bundle_to_pem(const struct bundle *bundle)
{
	_cleanup_(bio_freep) BIO *bio = BIO_new(BIO_s_mem());
	bool good = bio;
	char *text;
	long length;

	for (int i = 0; i < sk_X509_num(bundle->authorities) && good; i++)
		good = PEM_write_bio_X509(bio, sk_X509_value(bundle->authorities, i)) == 1;
	for (int i = 0; i < sk_X509_CRL_num(bundle->crls) && good; i++)
		good = PEM_write_bio_X509_CRL(bio, sk_X509_CRL_value(bundle->crls, i)) == 1;
	if (!good)
		return NULL;
	length = BIO_get_mem_data(bio, &text);
	return strndup(text, (size_t)length);
}

int bundles_put(struct bundles *bundles, struct bundle *bundle)
{
	struct bundle **more;

	for (size_t i = 0; i < bundles->n; i++)
		if (streq(bundles->item[i]->trust_domain, bundle->trust_domain)) {
			bundle_free(bundles->item[i]);
			bundles->item[i] = bundle;
			return 0;
		}
	if (bundles->n >= BUNDLES_MAX) {
		bundle_free(bundle);
		return -ENOSPC;
	}
	more = reallocarray(bundles->item, bundles->n + 1, sizeof(*more));
	if (!more) {
		bundle_free(bundle);
		return -ENOMEM;
	}
	bundles->item = more;
	bundles->item[bundles->n++] = bundle;
	return 0;
}

const struct bundle *bundles_find(const struct bundles *bundles, const char *trust_domain)
{
	for (size_t i = 0; i < bundles->n; i++)
		if (streq(bundles->item[i]->trust_domain, trust_domain))
			return bundles->item[i];
	return NULL;
}

void bundles_done(struct bundles *bundles)
{
	for (size_t i = 0; i < bundles->n; i++)
		bundle_free(bundles->item[i]);
	free(bundles->item);
	*bundles = (struct bundles){ 0 };
}
