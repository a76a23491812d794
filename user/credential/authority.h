/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The built-in CA, for trying things out: a P-256 root in a directory, ca.crt and ca.key, and
 * crl.pem once something is revoked. Whoever reads ca.key can be any node, so it belongs on
 * one machine; where that matters use SPIRE or cert-manager.
 */
#pragma once

#include "user/credential/bundle.h"

#define AUTHORITY_CERTIFICATE "ca.crt"
#define AUTHORITY_KEY "ca.key"
#define AUTHORITY_CRL "crl.pem"
#define AUTHORITY_LIFETIME_S (3650LL * 86400)
#define AUTHORITY_SVID_LIFETIME_S 3600
#define AUTHORITY_BACKDATE_S 60 /* what it issues is valid since then: clocks differ */
#define AUTHORITY_REVOKED_MAX 4096

struct authority {
	char *trust_domain;
	X509 *certificate;
	EVP_PKEY *key;
};

/* Makes a CA in the directory @path, which is made if missing. -EEXIST: one is there. */
int authority_init(const char *path, const char *trust_domain, int64_t lifetime_s,
		   struct credential_error *reterr);

int authority_open(int dir, struct authority **ret, struct credential_error *reterr);
struct authority *authority_free(struct authority *authority); /* takes and returns NULL */
static inline void authority_freep(struct authority **authority)
{
	authority_free(*authority);
}

/* Its certificate and CRL, as a bundle; needs no key. */
int authority_bundle(int dir, struct bundle **ret, struct credential_error *reterr);

/* A new key and its SVID for @spiffe_id from @now_s on; ends with the CA at the latest. */
int authority_issue(const struct authority *authority, const char *spiffe_id, int64_t now_s,
		    int64_t lifetime_s, struct svid **ret, struct credential_error *reterr);

/* A certificate of @spiffe_id for somebody's public @key, as above. */
int authority_sign(const struct authority *authority, const char *spiffe_id, EVP_PKEY *key,
		   int64_t now_s, int64_t lifetime_s, X509 **ret, struct credential_error *reterr);

/* Writes the SVID into the directory @path: ca.crt, tls.key (0600), tls.crt. */
int authority_write(const char *path, const struct svid *svid, const struct bundle *bundle,
		    struct credential_error *reterr);

/* Puts @serial (hex) on the CRL; 0 also when it is there already. */
int authority_revoke(int dir, const char *serial, int64_t now_s, struct credential_error *reterr);
