/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An X.509-SVID: a certificate whose only URI names a SPIFFE ID, the certificates between
 * it and a trust bundle, and its private key. The SPIFFE X.509-SVID specification says what
 * it must look like; svid_new() refuses what does not, and a key that is not the leaf's.
 *
 * Private keys live in OpenSSL's secure heap (see secret.h) or behind a provider's URI, and
 * in no message. Functions return 0 or a negative errno, do not log, and say in @reterr what
 * is wrong: object, cause, what to do.
 */
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "user/base/util.h"

#define CREDENTIAL_ERROR_MAX 512 /* bytes of a message, with the final NUL */
#define SVID_CHAIN_MAX 8 /* certificates, the leaf included */
#define SVID_SERIAL_MAX 41 /* a serial number has at most 20 bytes; hex, with the final NUL */

/* Filled by whoever fails; never touched otherwise. */
struct credential_error {
	char text[CREDENTIAL_ERROR_MAX];
};

/* Writes the message; returns @r. @error may be NULL. */
int credential_fail(struct credential_error *error, int r, const char *format, ...) _printf_(3, 4);

struct svid {
	char *spiffe_id; /* "spiffe://example.org/countersign/node/host-a" */
	char *trust_domain; /* "example.org" */
	char serial[SVID_SERIAL_MAX]; /* lower-case hex, no leading zeros */
	char *issuer; /* the issuer's name, for people: "CN=countersign CA" */
	X509 *leaf;
	STACK_OF(X509) * intermediates; /* never NULL, may be empty */
	EVP_PKEY *key; /* NULL: a peer's, of which only the certificates are known */
	int64_t not_before_s; /* seconds since 1970 */
	int64_t not_after_s;
};

/*
 * Takes certificates, the leaf first, and the leaf's private key (NULL: a peer's). Both are
 * referenced, not taken over.
 */
int svid_new(STACK_OF(X509) * chain, EVP_PKEY *key, struct svid **ret,
	     struct credential_error *reterr);

/* The chain as concatenated DER certificates (what the Workload API sends) or as PEM. */
int svid_chain_from_der(const uint8_t *der, size_t length, STACK_OF(X509) * *ret,
			struct credential_error *reterr);
int svid_chain_from_pem(const char *pem, size_t length, STACK_OF(X509) * *ret,
			struct credential_error *reterr);

struct svid *svid_free(struct svid *svid); /* takes and returns NULL */
static inline void svid_freep(struct svid **svid)
{
	svid_free(*svid);
}

/* Whether the SVID names a node of @trust_domain; then its name (a DNS label or name of at
 * most 63 bytes), pointing into spiffe_id, else NULL. */
const char *svid_node_name(const struct svid *svid);
