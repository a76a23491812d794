/* SPDX-License-Identifier: Apache-2.0 */
/* A CA, SVIDs of nodes and their records, made in memory. */
#pragma once

#include "user/credential/key_ring.h"
#include "user/credential/node_record.h"

#define NOON_MS 1795608000000LL /* 2026-11-25T12:00:00Z */
#define HOUR_MS 3600000LL

struct node_ca {
	EVP_PKEY *key;
	X509 *certificate;
	struct bundle *bundle; /* of this CA alone */
};

void node_ca_make(const char *trust_domain, struct node_ca *ret);
void node_ca_done(struct node_ca *ca);

/* What differs from an SVID for a node: 0 or NULL as usual. */
struct node_svid_options {
	const char *algorithm; /* "P-256" (the default), "P-384", "RSA", "ED25519", "ED448" */
	const char *spiffe_id; /* instead of countersign/node/<name> */
	const struct node_ca *through; /* an intermediate CA that @ca signed */
	int64_t not_before_s, not_after_s; /* an hour before NOON_MS; ten days after */
	long serial; /* 0: counted up */
};

struct svid *node_svid_make(const struct node_ca *ca, const char *name,
			    const struct node_svid_options *options);
/* An intermediate CA. */
void node_ca_make_below(const struct node_ca *root, struct node_ca *ret);

/* A record of host-a, number 7, with two keys around NOON_MS, not signed yet. */
struct node_record *node_record_make(const char *trust_domain);
/* The same, signed, as JSON; the caller's. */
char *node_record_signed_text(struct node_record *record, const struct svid *svid);
