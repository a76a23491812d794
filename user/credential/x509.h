/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates and CRLs from text, what they say of themselves, and their clean-up. */
#pragma once

#include <openssl/x509v3.h>

#include "user/credential/svid.h"

static inline void bio_freep(BIO **bio)
{
	BIO_free_all(*bio);
}
static inline void x509_freep(X509 **x509)
{
	X509_free(*x509);
}
static inline void crl_freep(X509_CRL **crl)
{
	X509_CRL_free(*crl);
}
static inline void x509_stack_freep(STACK_OF(X509) * *stack)
{
	sk_X509_pop_free(*stack, X509_free);
}
static inline void general_names_freep(GENERAL_NAMES **names)
{
	GENERAL_NAMES_free(*names);
}
static inline void asn1_time_freep(ASN1_TIME **time)
{
	ASN1_TIME_free(*time);
}
static inline void pkey_freep(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}

/* Whether it may sign certificates: basic constraints say CA, key usage does not say no. */
bool x509_is_ca(X509 *x509);

/* Seconds since 1970. */
int x509_time(const ASN1_TIME *time, int64_t *ret);

/* The certificate that stands in DER at *@at, which moves behind it. */
int x509_from_der(const uint8_t **at, const uint8_t *end, X509 **ret,
		  struct credential_error *reterr);

/* Takes what was found; both are the callee's. Exactly one is set. */
typedef int (*x509_found_fn)(void *arg, X509 *x509, X509_CRL *crl, struct credential_error *reterr);

/*
 * Calls @fn for every certificate and CRL of PEM text, in order. Other blocks are refused,
 * private keys with a word of their own: they have no place beside certificates.
 */
int x509_each_pem(const char *pem, size_t length, x509_found_fn fn, void *arg,
		  struct credential_error *reterr);
