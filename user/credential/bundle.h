/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trust bundles: per trust domain, the authorities that may sign its X.509-SVIDs, with their
 * certificate revocation lists. In files they are PEM (certificates and CRLs, any order) or
 * the SPIFFE bundle format, a JWK set ("SPIFFE Trust Domain and Bundle", section 4).
 */
#pragma once

#include "user/credential/svid.h"

#define BUNDLE_AUTHORITIES_MAX 64 /* per trust domain */
#define BUNDLE_CRLS_MAX 64
#define BUNDLES_MAX 64 /* trust domains */
#define BUNDLE_BYTES_MAX (1 << 20) /* of one file or message */

struct bundle {
	char *trust_domain;
	STACK_OF(X509) * authorities; /* at least one */
	STACK_OF(X509_CRL) * crls; /* may be empty */
	uint64_t sequence; /* of the SPIFFE format; 0: not given */
	int64_t refresh_hint_s; /* 0: not given */
	uint16_t node_first, node_last; /* numbers that its nodes may have; 0: any */
};

/* At most one per trust domain; the own domain's is the first. */
struct bundles {
	struct bundle **item;
	size_t n;
};

int bundle_from_pem(const char *trust_domain, const char *pem, size_t length, struct bundle **ret,
		    struct credential_error *reterr);
int bundle_from_der(const char *trust_domain, const uint8_t *der, size_t length,
		    struct bundle **ret, struct credential_error *reterr);
/* The SPIFFE bundle format; our member "countersign_nodes": "4096-8191" is the range. */
int bundle_from_jwks(const char *trust_domain, const char *json, size_t length, struct bundle **ret,
		     struct credential_error *reterr);
char *bundle_to_jwks(const struct bundle *bundle); /* the caller's; NULL: no memory */
char *bundle_to_pem(const struct bundle *bundle);
/* "4096-8191", within 1..65535. */
int bundle_parse_nodes(const char *text, uint16_t *ret_first, uint16_t *ret_last);

struct bundle *bundle_free(struct bundle *bundle); /* takes and returns NULL */
static inline void bundle_freep(struct bundle **bundle)
{
	bundle_free(*bundle);
}

/* Takes @bundle over, also on failure, in place of the one of the same trust domain.
 * -ENOSPC: BUNDLES_MAX. */
int bundles_put(struct bundles *bundles, struct bundle *bundle);
const struct bundle *bundles_find(const struct bundles *bundles, const char *trust_domain);
void bundles_done(struct bundles *bundles);

/* Why a chain is refused; the names are what people see. X(NAME, text, remedy) */
#define SVID_FLAWS(X)                                                                             \
	X(NONE, "", "")                                                                           \
	X(UNKNOWN_DOMAIN, "no bundle for its trust domain", "add one: countersign bundle set")    \
	X(UNTRUSTED, "its chain leads to no authority of the bundle",                             \
	  "check which CA signed it, and the bundle")                                             \
	X(NOT_YET_VALID, "its certificate is not valid yet", "check the clocks")                  \
	X(EXPIRED, "its certificate has expired", "see why the node's agent got no new one")      \
	X(REVOKED, "its certificate is on a revocation list", "nothing: that is what was wanted") \
	X(USAGE, "its certificate is not made for this use", "issue an X.509-SVID")

enum svid_flaw {
#define X(name, text, remedy) SVID_FLAW_##name,
	SVID_FLAWS(X)
#undef X
		SVID_FLAW_MAX,
};

const char *svid_flaw_name(enum svid_flaw flaw);

/*
 * Judges the SVID by the bundle of its trust domain at @now_s, its validity with @skew_s
 * tolerated at either end: chain, times, key usage, CRLs. A CRL that is out of date still
 * revokes what it lists; it does not make others untrusted.
 */
enum svid_flaw svid_judge(const struct svid *svid, const struct bundles *bundles, int64_t now_s,
			  int64_t skew_s, struct credential_error *reterr);
