/* SPDX-License-Identifier: Apache-2.0 */
#include "user/credential/x509.h"

#include <limits.h>

#include "user/credential/bundle.h"
#include "user/credential/error.h"
#include "user/credential/text.h"

bool x509_is_ca(X509 *x509)
{
	uint32_t flags = X509_get_extension_flags(x509);

	if (flags & EXFLAG_INVALID || !(flags & EXFLAG_CA))
		return false;
	return !(flags & EXFLAG_KUSAGE) || X509_get_key_usage(x509) & X509v3_KU_KEY_CERT_SIGN;
}

int x509_time(const ASN1_TIME *time, int64_t *ret)
{
	_cleanup_(asn1_time_freep) ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
	int days, seconds;

	if (!epoch)
		return -ENOMEM;
	if (!time || ASN1_TIME_check(time) != 1 || !ASN1_TIME_diff(&days, &seconds, epoch, time))
		return -EINVAL;
	*ret = days * 86400LL + seconds;
	return 0;
}

int x509_from_der(const uint8_t **at, const uint8_t *end, X509 **ret,
		  struct credential_error *reterr)
{
	const uint8_t *p = *at;
	X509 *x509 = NULL;

	if (end - p <= LONG_MAX)
		x509 = d2i_X509(NULL, &p, end - p);
	if (!x509)
		return credential_fail(reterr, -EBADMSG, "a certificate is no DER: %s",
				       credential_openssl_reason());
	*at = p;
	*ret = x509;
	return 0;
}

static int crl_from_der(const uint8_t **at, const uint8_t *end, X509_CRL **ret,
			struct credential_error *reterr)
{
	X509_CRL *crl = d2i_X509_CRL(NULL, at, end - *at);

	if (!crl)
		return credential_fail(reterr, -EBADMSG, "a revocation list is no DER: %s",
				       credential_openssl_reason());
	*ret = crl;
	return 0;
}

static const char *refusal(const struct pem_block *block)
{
	if (memmem(block->label, block->label_length, "PRIVATE KEY", strlen("PRIVATE KEY")))
		return "a private key stands among the certificates; keep it in a file of its own";
	return "only CERTIFICATE and X509 CRL blocks are possible";
}

static int found_block(const struct pem_block *block, x509_found_fn fn, void *arg,
		       struct credential_error *reterr)
{
	bool is_crl = pem_is(block, "X509 CRL");
	_cleanup_free_ uint8_t *der = NULL;
	const uint8_t *at, *end;
	X509_CRL *crl = NULL;
	X509 *x509 = NULL;
	size_t length;
	int r;

	if (!is_crl && !pem_is(block, "CERTIFICATE"))
		return credential_fail(reterr, -EINVAL, "PEM block \"%.*s\": %s",
				       (int)MIN(block->label_length, (size_t)40), block->label,
				       refusal(block));
	der = malloc(base64_room(block->body_length));
	if (!der)
		return -ENOMEM;
	if (base64_decode(block->body, block->body_length, der, &length) < 0)
		return credential_fail(reterr, -EBADMSG, "a PEM block is no base64");
	at = der;
	end = der + length;
	r = is_crl ? crl_from_der(&at, end, &crl, reterr) : x509_from_der(&at, end, &x509, reterr);
	if (r == 0)
		r = fn(arg, x509, crl, reterr);
	/* What was found is the callee's also then, so nothing leaks. */
	if (r == 0 && at != end)
		return credential_fail(reterr, -EBADMSG,
				       "bytes stand behind what a PEM block holds");
	return r;
}

int x509_each_pem(const char *pem, size_t length, x509_found_fn fn, void *arg,
		  struct credential_error *reterr)
{
	const char *at = pem, *end = pem + length;
	struct pem_block block;
	bool any = false;
	int r;

	if (length > BUNDLE_BYTES_MAX)
		return credential_fail(reterr, -EFBIG, "it has more than %d bytes",
				       BUNDLE_BYTES_MAX);
	while ((r = pem_next(&at, end, &block)) > 0) {
		any = true;
		r = found_block(&block, fn, arg, reterr);
		if (r < 0)
			return r;
	}
	if (r < 0)
		return credential_fail(reterr, r,
				       "a PEM block is not ended: the file was cut off?");
	if (!any)
		return credential_fail(reterr, -ENODATA, "there is no PEM block in it");
	return 0;
}
