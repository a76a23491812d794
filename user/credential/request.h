/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificate requests (PKCS#10, RFC 2986) for SVIDs: a public key, one SPIFFE ID, and a
 * signature that shows that whoever asks has the key. Nothing else is asked for or granted.
 */
#pragma once

#include "user/credential/svid.h"

#define REQUEST_BYTES_MAX (16 << 10) /* of the PEM text */
#define REQUEST_RSA_BITS_MIN 2048
#define REQUEST_RSA_BITS_MAX 4096

struct request {
	char *spiffe_id;
	EVP_PKEY *key; /* the public half */
};

/* PEM; the caller's. */
int request_make(EVP_PKEY *key, const char *spiffe_id, char **ret, struct credential_error *reterr);

/*
 * -EBADMSG: it is no request, or its signature is not its key's; -EPERM: it asks for something
 * that no SVID has, or with a key that is too weak.
 */
int request_parse(const char *pem, size_t length, struct request *ret,
		  struct credential_error *reterr);
void request_done(struct request *request);
