/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the built-in CA share. */
#pragma once

#include "user/credential/authority.h"

/* A file of the CA's directory, with its name in the message when it cannot be read. */
int authority_read(int dir, const char *name, char **ret, size_t *ret_length,
		   struct credential_error *reterr);

/* The digest to sign with; NULL for kinds of keys that have their own. */
const EVP_MD *authority_digest(const EVP_PKEY *key);

/* One extension in OpenSSL's configuration syntax, issued by @issuer. */
int authority_extend(X509 *x509, X509 *issuer, int nid, const char *value);
