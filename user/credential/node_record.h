/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Node records: what a node tells all others about itself. Its number, its name, its X25519
 * public keys with their windows, and its SVID's certificates; signed with the SVID's key
 * over a canonical encoding (docs/wire.md). Whoever distributes records can leave them out,
 * but cannot make or change one.
 *
 * As text a record is a JSON document of kind NodeIdentity, whose metadata.name is the
 * number; as a file it is called <number>.json, so that the file system keeps two nodes from
 * claiming one number, as the API server does elsewhere.
 */
#pragma once

#include "user/credential/bundle.h"

#define NODE_NAME_MAX 64 /* with the final NUL; a DNS-1123 subdomain */
#define NODE_KEYS_MAX 2 /* in a record: one per parity */
#define NODE_KEY_BYTES 32
#define NODE_RECORD_BYTES_MAX (64 << 10) /* of the JSON text */
#define NODE_SIGNATURE_MAX 1024
#define NODE_SKEW_MS 120000 /* how far clocks may be apart */
#define NODE_KEY_LIFETIME_MAX_MS (7LL * 24 * 3600 * 1000)

/* One public key. Times are milliseconds since 1970. */
struct node_key {
	uint8_t parity; /* 0 or 1: what a phase names it by */
	uint8_t public_key[NODE_KEY_BYTES]; /* RFC 7748 */
	int64_t not_before_ms; /* made; may be received with from now on */
	int64_t active_ms; /* its node sends with it from now on */
	int64_t not_after_ms;
};

struct node_record {
	char *trust_domain;
	char name[NODE_NAME_MAX];
	uint16_t number; /* 1..65535 */
	int64_t issued_ms;
	struct node_key key[NODE_KEYS_MAX]; /* the newer one first */
	size_t n_keys; /* 1 or 2 */
	struct svid *svid; /* the certificates; no private key */
	uint8_t signature[NODE_SIGNATURE_MAX];
	size_t signature_length;
};

/*
 * Why a record is refused: the one list behind `countersign nodes`, events and docs.
 * X(NAME, text, remedy)
 */
#define NODE_FLAWS(X)                                                                            \
	X(NONE, "", "")                                                                          \
	X(MALFORMED, "the record cannot be read", "see the detail; the node writes it anew")     \
	X(FILE_NAME, "the file is not named after the number in it", "name it <number>.json")    \
	X(SIGNATURE, "the signature is not the certificate's",                                   \
	  "the record was changed after it was signed")                                          \
	X(NOT_A_NODE, "the SPIFFE ID is not that of the node it names",                          \
	  "issue an SVID for spiffe://<trust domain>/countersign/node/<name>")                   \
	X(CERTIFICATE, "the certificate is refused", "see the detail")                           \
	X(EXPIRED, "the node's certificate has expired", "see why its agent got no new one")     \
	X(REVOKED, "the node or its certificate is revoked", "nothing: that is what was wanted") \
	X(WINDOW, "the keys' windows make no sense", "check the node's clock")                   \
	X(KEYS_EXPIRED, "all keys have expired", "see why its agent publishes no new ones")      \
	X(NUMBER_TAKEN, "another node has the number", "give the node another number")           \
	X(NUMBER_RANGE, "the number is not in its trust domain's range",                         \
	  "give the node a number of its range")                                                 \
	X(STALE, "an older record than the one in force", "see why the copy is behind")          \
	X(OWN_NUMBER, "claims this node's own number", "give one of the two another number")

enum node_flaw {
#define X(name, text, remedy) NODE_FLAW_##name,
	NODE_FLAWS(X)
#undef X
		NODE_FLAW_MAX,
};

const char *node_flaw_name(enum node_flaw flaw); /* "NUMBER_TAKEN" */
const char *node_flaw_text(enum node_flaw flaw);
const char *node_flaw_remedy(enum node_flaw flaw);

/* What is revoked beside CRLs, from `Revocation` documents; all lists may be empty. */
struct revocations {
	char **nodes; /* names */
	size_t n_nodes;
	char **serials; /* of certificates, lower-case hex without leading zeros */
	size_t n_serials;
	char **spiffe_ids; /* exact */
	size_t n_spiffe_ids;
};

/* What a record is judged by. */
struct node_trust {
	const struct bundles *bundles;
	const struct revocations *revocations; /* NULL: none */
	int64_t now_ms;
	int64_t skew_ms; /* NODE_SKEW_MS */
};

/* Parses the JSON text; NODE_FLAW_MALFORMED says more in @reterr. */
enum node_flaw node_record_parse(const char *text, size_t length, struct node_record **ret,
				 struct credential_error *reterr);
char *node_record_format(const struct node_record *record); /* JSON; the caller's, or NULL */

/* Signs with @svid's key; puts its certificates into the record. */
int node_record_sign(struct node_record *record, const struct svid *svid,
		     struct credential_error *reterr);

/*
 * The `issued` of the next record after one of @last_ms (0: none): later than that, or the
 * others would take it for an old copy, even when the clock went back a little. A last one
 * that is too far ahead for anybody to have accepted it does not count.
 */
int64_t node_record_issue_ms(int64_t last_ms, int64_t now_ms);

/* Everything that can be said of one record alone: signature, chain, name, windows, range,
 * revocation. */
enum node_flaw node_record_judge(const struct node_record *record, const struct node_trust *trust,
				 struct credential_error *reterr);

struct node_record *node_record_free(struct node_record *record); /* takes and returns NULL */
static inline void node_record_freep(struct node_record **record)
{
	node_record_free(*record);
}
