/* SPDX-License-Identifier: Apache-2.0 */
#include "user/credential/bundle.h"
#include "user/credential/error.h"
#include "user/credential/x509.h"

/* Takes @x509 over, also on failure. */
static int chain_add(STACK_OF(X509) * chain, X509 *x509, struct credential_error *reterr)
{
	int r = 0;

	if (sk_X509_num(chain) >= SVID_CHAIN_MAX)
		r = credential_fail(reterr, -E2BIG, "the chain has more than %d certificates",
				    SVID_CHAIN_MAX);
	else if (!sk_X509_push(chain, x509))
		r = -ENOMEM;
	if (r < 0)
		X509_free(x509);
	return r;
}

int svid_chain_from_der(const uint8_t *der, size_t length, STACK_OF(X509) * *ret,
			struct credential_error *reterr)
{
	_cleanup_(x509_stack_freep) STACK_OF(X509) *chain = sk_X509_new_null();
	const uint8_t *at = der, *end = der ? der + length : NULL; /* NULL + 0 is no pointer */
	int r;

	if (!chain)
		return -ENOMEM;
	if (length == 0)
		return credential_fail(reterr, -ENODATA, "there is no certificate");
	if (length > BUNDLE_BYTES_MAX)
		return credential_fail(reterr, -EFBIG, "the chain has more than %d bytes",
				       BUNDLE_BYTES_MAX);
	while (at < end) {
		X509 *x509 = NULL;

		r = x509_from_der(&at, end, &x509, reterr);
		if (r == 0)
			r = chain_add(chain, x509, reterr);
		if (r < 0)
			return r;
	}
	*ret = TAKE_PTR(chain);
	return 0;
}

static int found(void *arg, X509 *x509, X509_CRL *crl, struct credential_error *reterr)
{
	if (crl) {
		X509_CRL_free(crl);
		return credential_fail(
			reterr, -EINVAL,
			"a revocation list stands in the chain; put it into the bundle");
	}
	return chain_add(arg, x509, reterr);
}

int svid_chain_from_pem(const char *pem, size_t length, STACK_OF(X509) * *ret,
			struct credential_error *reterr)
{
	_cleanup_(x509_stack_freep) STACK_OF(X509) *chain = sk_X509_new_null();
	int r;

	if (!chain)
		return -ENOMEM;
	r = x509_each_pem(pem, length, found, chain, reterr);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(chain);
	return 0;
}
