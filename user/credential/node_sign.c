/* SPDX-License-Identifier: Apache-2.0 */
#include "user/credential/node_sign.h"

#include <openssl/err.h>
#include <openssl/sha.h>

#include "user/credential/secret.h"
#include "user/identity/spiffe.h"

#define LABEL "countersign node record 1"

DEFINE_TRIVIAL_CLEANUP(EVP_MD_CTX *, EVP_MD_CTX_free)

/* Bytes one after the other; `full` once something did not fit. */
struct writer {
	uint8_t *at, *end;
	bool full;
};

static void put(struct writer *w, const void *data, size_t n)
{
	w->full |= (size_t)(w->end - w->at) < n;
	if (w->full)
		return;
	memcpy(w->at, data, n);
	w->at += n;
}

/* The @n low bytes of @value, the highest first. */
static void put_number(struct writer *w, uint64_t value, size_t n)
{
	for (size_t i = n; i > 0; i--) {
		uint8_t byte = value >> (8 * (i - 1));

		put(w, &byte, 1);
	}
}

static void put_text(struct writer *w, const char *text)
{
	put_number(w, strlen(text), 2);
	put(w, text, strlen(text));
}

static void put_key(struct writer *w, const struct node_key *key)
{
	put_number(w, key->parity, 1);
	put(w, key->public_key, sizeof(key->public_key));
	put_number(w, key->not_before_ms, 8);
	put_number(w, key->active_ms, 8);
	put_number(w, key->not_after_ms, 8);
}

static void put_certificate(struct writer *w, const X509 *certificate)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned int n = 0;

	if (X509_digest(certificate, EVP_sha256(), digest, &n) == 1 && n == SHA256_DIGEST_LENGTH)
		put(w, digest, n);
	else
		w->full = true;
}

size_t node_record_signed(const struct node_record *record, uint8_t ret[static NODE_SIGNED_MAX])
{
	struct writer w = { .at = ret, .end = ret + NODE_SIGNED_MAX };
	const struct svid *svid = record->svid;
	int n = sk_X509_num(svid->intermediates);

	if (strlen(record->trust_domain) > SPIFFE_TRUST_DOMAIN_MAX || n < 0 ||
	    n >= SVID_CHAIN_MAX || record->n_keys > NODE_KEYS_MAX)
		return 0;
	put(&w, LABEL, strlen(LABEL));
	put_text(&w, record->trust_domain);
	put_text(&w, record->name);
	put_number(&w, record->number, 2);
	put_number(&w, record->issued_ms, 8);
	put_number(&w, record->n_keys, 1);
	for (size_t i = 0; i < record->n_keys; i++)
		put_key(&w, &record->key[i]);
	put_number(&w, n + 1, 1);
	put_certificate(&w, svid->leaf);
	for (int i = 0; i < n; i++)
		put_certificate(&w, sk_X509_value(svid->intermediates, i));
	return w.full ? 0 : (size_t)(w.at - ret);
}

/* SHA-256, but for the algorithms that hash by themselves. */
static const EVP_MD *digest_of(const EVP_PKEY *key)
{
	return EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448") ? NULL : EVP_sha256();
}

bool node_record_verify(const struct node_record *record)
{
	_cleanup_(EVP_MD_CTX_freep) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	EVP_PKEY *key = X509_get0_pubkey(record->svid->leaf);
	uint8_t bytes[NODE_SIGNED_MAX];
	size_t n = node_record_signed(record, bytes);
	bool good;

	good = ctx && key && n && record->signature_length <= NODE_SIGNATURE_MAX &&
	       EVP_DigestVerifyInit(ctx, NULL, digest_of(key), NULL, key) == 1 &&
	       EVP_DigestVerify(ctx, record->signature, record->signature_length, bytes, n) == 1;
	ERR_clear_error();
	return good;
}

/* The certificates alone: a record holds no private key. */
static int certificates_of(const struct svid *svid, struct svid **ret,
			   struct credential_error *reterr)
{
	STACK_OF(X509) *chain = sk_X509_dup(svid->intermediates);
	int r = -ENOMEM;

	if (chain && sk_X509_unshift(chain, svid->leaf) > 0)
		r = svid_new(chain, NULL, ret, reterr);
	else
		credential_fail(reterr, r, "out of memory");
	sk_X509_free(chain);
	return r;
}

static int sign(struct node_record *record, EVP_PKEY *key, struct credential_error *reterr)
{
	uint8_t bytes[NODE_SIGNED_MAX], signature[NODE_SIGNATURE_MAX];
	size_t n = node_record_signed(record, bytes), length = sizeof(signature);
	struct credential_error why = { "" };
	int r;

	if (!n)
		return credential_fail(reterr, -EINVAL,
				       "node record of \"%s\": a field is too long", record->name);
	r = secret_sign(key, bytes, n, signature, &length, &why);
	if (r < 0)
		return credential_fail(reterr, r, "node record of \"%s\": %s", record->name,
				       why.text);
	memcpy(record->signature, signature, length);
	record->signature_length = length;
	return 0;
}

int node_record_sign(struct node_record *record, const struct svid *svid,
		     struct credential_error *reterr)
{
	struct svid *certificates = NULL;
	int r;

	if (!svid->key)
		return credential_fail(reterr, -EINVAL,
				       "node record of \"%s\": the SVID has no private key",
				       record->name);
	r = certificates_of(svid, &certificates, reterr);
	if (r < 0)
		return r;
	svid_free(record->svid);
	record->svid = certificates;
	return sign(record, svid->key, reterr);
}
