/* SPDX-License-Identifier: Apache-2.0 */
#include "user/credential/authority.h"

#include <fcntl.h>

#include "user/base/file.h"
#include "user/credential/authority_internal.h"
#include "user/credential/error.h"
#include "user/credential/secret.h"
#include "user/credential/x509.h"
#include "user/identity/spiffe.h"

#define AUTHORITY_FILE_MAX (1 << 20)

struct authority *authority_free(struct authority *authority)
{
	if (!authority)
		return NULL;
	free(authority->trust_domain);
	X509_free(authority->certificate);
	EVP_PKEY_free(authority->key);
	free(authority);
	return NULL;
}

int authority_read(int dir, const char *name, char **ret, size_t *ret_length,
		   struct credential_error *reterr)
{
	int r = file_read_at(dir, name, AUTHORITY_FILE_MAX, ret, ret_length);

	return r < 0 ? credential_fail(reterr, r, "%s: %s", name, strerror(-r)) : 0;
}

/* The trust domain is the host of the CA's own SPIFFE ID, which has no path. */
static int read_trust_domain(X509 *x509, char **ret, struct credential_error *reterr)
{
	_cleanup_(general_names_freep) GENERAL_NAMES *names = NULL;
	const size_t scheme = strlen("spiffe://");

	names = X509_get_ext_d2i(x509, NID_subject_alt_name, NULL, NULL);
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		_cleanup_free_ char *uri = NULL;

		if (name->type != GEN_URI)
			continue;
		uri = strndup((const char *)ASN1_STRING_get0_data(name->d.ia5),
			      (size_t)ASN1_STRING_length(name->d.ia5));
		if (!uri)
			return -ENOMEM;
		if (!startswith(uri, "spiffe://") || !spiffe_trust_domain_valid(uri + scheme))
			continue;
		*ret = strdup(uri + scheme);
		return *ret ? 0 : -ENOMEM;
	}
	return credential_fail(
		reterr, -EINVAL,
		"%s names no trust domain (URI spiffe://<trust domain>); make the CA "
		"with: countersign ca init",
		AUTHORITY_CERTIFICATE);
}

/* The first certificate of ca.crt, and which trust domain it is for. */
static int read_certificate(int dir, struct authority *authority, struct credential_error *reterr)
{
	_cleanup_(x509_stack_freep) STACK_OF(X509) *chain = NULL;
	_cleanup_free_ char *pem = NULL;
	struct credential_error inner = { 0 };
	size_t length = 0;
	int r;

	r = authority_read(dir, AUTHORITY_CERTIFICATE, &pem, &length, reterr);
	if (r < 0)
		return r;
	r = svid_chain_from_pem(pem, length, &chain, &inner);
	if (r < 0)
		return credential_fail(reterr, r, "%s: %s", AUTHORITY_CERTIFICATE, inner.text);
	if (!x509_is_ca(sk_X509_value(chain, 0)))
		return credential_fail(reterr, -EINVAL, "%s is no CA's certificate",
				       AUTHORITY_CERTIFICATE);
	authority->certificate = sk_X509_shift(chain);
	return read_trust_domain(authority->certificate, &authority->trust_domain, reterr);
}

int authority_open(int dir, struct authority **ret, struct credential_error *reterr)
{
	_cleanup_(authority_freep) struct authority *authority = calloc(1, sizeof(*authority));
	int r;

	if (!authority)
		return -ENOMEM;
	r = read_certificate(dir, authority, reterr);
	if (r == 0)
		r = secret_key_from_file(dir, AUTHORITY_KEY, &authority->key, reterr);
	if (r < 0)
		return r;
	if (X509_check_private_key(authority->certificate, authority->key) != 1) {
		credential_openssl_reason();
		return credential_fail(reterr, -EKEYREJECTED, "%s is not the key of %s",
				       AUTHORITY_KEY, AUTHORITY_CERTIFICATE);
	}
	*ret = TAKE_PTR(authority);
	return 0;
}

int authority_bundle(int dir, struct bundle **ret, struct credential_error *reterr)
{
	_cleanup_(authority_freep) struct authority *authority = calloc(1, sizeof(*authority));
	_cleanup_free_ char *pem = NULL, *crl = NULL, *all = NULL;
	size_t length = 0;
	int n, r;

	if (!authority)
		return -ENOMEM;
	r = read_certificate(dir, authority, reterr);
	if (r == 0)
		r = authority_read(dir, AUTHORITY_CERTIFICATE, &pem, &length, reterr);
	if (r < 0)
		return r;
	r = authority_read(dir, AUTHORITY_CRL, &crl, &length, reterr);
	if (r < 0 && r != -ENOENT)
		return r;
	n = asprintf(&all, "%s\n%s", pem, r == 0 ? crl : "");
	if (n < 0)
		return -ENOMEM;
	return bundle_from_pem(authority->trust_domain, all, (size_t)n, ret, reterr);
}
