/* SPDX-License-Identifier: Apache-2.0 */
#include "user/credential/node_judge.h"

#include <openssl/bn.h>

#include "user/base/digest.h"
#include "user/credential/node_sign.h"
#include "user/credential/node_text.h"

#define refuse(flaw, error, ...) (credential_fail(error, 0, __VA_ARGS__), NODE_FLAW_##flaw)

enum node_flaw node_judge_signature(const struct node_record *record,
				    struct credential_error *reterr)
{
	const char *name = svid_node_name(record->svid);

	if (!node_record_verify(record))
		return NODE_FLAW_SIGNATURE;
	if (!name || !streq(name, record->name) ||
	    !streq(record->svid->trust_domain, record->trust_domain))
		return refuse(NOT_A_NODE, reterr, "the certificate says %s, the record %s of %s",
			      record->svid->spiffe_id, record->name, record->trust_domain);
	return NODE_FLAW_NONE;
}

enum node_flaw node_judge_chain(const struct node_record *record, const struct node_trust *trust,
				struct credential_error *reterr)
{
	struct credential_error why = { "" };
	enum svid_flaw flaw = svid_judge(record->svid, trust->bundles, trust->now_ms / 1000,
					 trust->skew_ms / 1000, &why);

	switch (flaw) {
	case SVID_FLAW_NONE:
		return NODE_FLAW_NONE;
	case SVID_FLAW_EXPIRED:
		return refuse(EXPIRED, reterr, "%s", why.text);
	case SVID_FLAW_REVOKED:
		return refuse(REVOKED, reterr, "%s", why.text);
	default:
		return refuse(CERTIFICATE, reterr, "%s: %s", svid_flaw_name(flaw), why.text);
	}
}

/* ---- when a chain's judgement may change ---- */

struct period {
	int64_t now_ms, from_ms, until_ms;
};

/* Something changes at @ms, give or take a second, as judgement is by whole seconds. */
static void changes_at(struct period *p, int64_t ms)
{
	if (ms + 1000 <= p->now_ms)
		p->from_ms = MAX(p->from_ms, ms + 1000);
	else if (ms - 1000 > p->now_ms)
		p->until_ms = MIN(p->until_ms, ms - 1000);
	else
		*p = (struct period){ p->now_ms, p->now_ms, p->now_ms };
}

static bool asn1_ms(const ASN1_TIME *time, int64_t *ret)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(time, &tm) != 1)
		return false;
	*ret = (int64_t)timegm(&tm) * 1000;
	return true;
}

static void certificate_changes(struct period *p, const X509 *certificate, int64_t skew_ms)
{
	int64_t ms;

	if (asn1_ms(X509_get0_notBefore(certificate), &ms))
		changes_at(p, ms - skew_ms);
	if (asn1_ms(X509_get0_notAfter(certificate), &ms))
		changes_at(p, ms + skew_ms);
}

void node_judge_period(const struct node_record *record, const struct node_trust *trust,
		       int64_t *ret_from, int64_t *ret_until)
{
	const struct bundle *bundle = bundles_find(trust->bundles, record->trust_domain);
	struct period p = { trust->now_ms, INT64_MIN, INT64_MAX };

	certificate_changes(&p, record->svid->leaf, trust->skew_ms);
	for (int i = 0; i < sk_X509_num(record->svid->intermediates); i++)
		certificate_changes(&p, sk_X509_value(record->svid->intermediates, i),
				    trust->skew_ms);
	for (int i = 0; bundle && i < sk_X509_num(bundle->authorities); i++)
		certificate_changes(&p, sk_X509_value(bundle->authorities, i), trust->skew_ms);
	*ret_from = p.from_ms;
	*ret_until = p.until_ms;
}

/* ---- revocation ---- */

static bool listed(char *const *list, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (streq(list[i], text))
			return true;
	return false;
}

/* Lower-case hex without leading zeros. */
static bool serial_text(const X509 *certificate, char ret[static SVID_SERIAL_MAX])
{
	BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
	char *hex = number ? BN_bn2hex(number) : NULL;
	const char *from = hex;
	bool fits;

	while (from && from[0] == '0' && from[1])
		from++;
	fits = from && strlen(from) < SVID_SERIAL_MAX;
	if (fits)
		strcpy(ret, from);
	for (char *c = ret; fits && *c; c++)
		*c = *c >= 'A' && *c <= 'F' ? *c - 'A' + 'a' : *c;
	OPENSSL_free(hex);
	BN_free(number);
	return fits;
}

enum node_flaw node_judge_revocations(const struct node_record *record,
				      const struct revocations *revocations,
				      struct credential_error *reterr)
{
	const struct revocations *r = revocations;
	const struct svid *svid = record->svid;
	char serial[SVID_SERIAL_MAX];

	if (!r)
		return NODE_FLAW_NONE;
	if (listed(r->nodes, r->n_nodes, record->name))
		return refuse(REVOKED, reterr, "a Revocation names the node %s", record->name);
	if (listed(r->spiffe_ids, r->n_spiffe_ids, svid->spiffe_id))
		return refuse(REVOKED, reterr, "a Revocation names %s", svid->spiffe_id);
	for (int i = -1; r->n_serials && i < sk_X509_num(svid->intermediates); i++) {
		const X509 *certificate = i < 0 ? svid->leaf
						: sk_X509_value(svid->intermediates, i);

		/* What has no readable serial number cannot be cleared of being revoked. */
		if (!serial_text(certificate, serial))
			return refuse(REVOKED, reterr, "a certificate's serial number is unusable");
		if (listed(r->serials, r->n_serials, serial))
			return refuse(REVOKED, reterr, "a Revocation names the serial number %s",
				      serial);
	}
	return NODE_FLAW_NONE;
}

/* ---- what it says of itself ---- */

static bool in_range(const struct bundle *bundle, uint16_t number)
{
	return bundle->node_first && number >= bundle->node_first && number <= bundle->node_last;
}

/* A number of another domain's range is refused for all but that domain: its own, too. */
static enum node_flaw judge_range(const struct node_record *record, const struct bundles *bundles,
				  struct credential_error *reterr)
{
	for (size_t i = 0; i < bundles->n; i++) {
		const struct bundle *bundle = bundles->item[i];
		bool own = streq(bundle->trust_domain, record->trust_domain);

		if (own ? bundle->node_first && !in_range(bundle, record->number)
			: in_range(bundle, record->number))
			return refuse(NUMBER_RANGE, reterr, "%u; %s has %u-%u", record->number,
				      bundle->trust_domain, bundle->node_first, bundle->node_last);
	}
	return NODE_FLAW_NONE;
}

static enum node_flaw judge_key(const struct node_key *key, const struct node_trust *trust,
				struct credential_error *reterr)
{
	char at[CLOCK_TEXT_MAX];

	node_time_text(key->not_before_ms, at);
	if (key->not_before_ms > key->active_ms || key->active_ms >= key->not_after_ms)
		return refuse(WINDOW, reterr, "the key made at %s is over before it is used", at);
	if (key->not_after_ms - key->not_before_ms > NODE_KEY_LIFETIME_MAX_MS)
		return refuse(WINDOW, reterr, "the key made at %s lives longer than %lld days", at,
			      NODE_KEY_LIFETIME_MAX_MS / (24LL * 3600 * 1000));
	if (key->not_before_ms - trust->now_ms > trust->skew_ms)
		return refuse(WINDOW, reterr, "a key is made in the future: %s", at);
	return NODE_FLAW_NONE;
}

static enum node_flaw judge_windows(const struct node_record *record,
				    const struct node_trust *trust, struct credential_error *reterr)
{
	char at[CLOCK_TEXT_MAX];

	node_time_text(record->issued_ms, at);
	if (record->n_keys == 2 && record->key[0].parity == record->key[1].parity)
		return refuse(WINDOW, reterr, "both keys have parity %u", record->key[0].parity);
	if (record->n_keys == 2 && record->key[0].not_before_ms < record->key[1].not_before_ms)
		return refuse(WINDOW, reterr, "the newer key is not the first");
	for (size_t i = 0; i < record->n_keys; i++) {
		enum node_flaw flaw = judge_key(&record->key[i], trust, reterr);

		if (flaw)
			return flaw;
	}
	if (record->issued_ms - trust->now_ms > trust->skew_ms)
		return refuse(WINDOW, reterr, "it is issued in the future: %s", at);
	if (record->key[0].not_before_ms - record->issued_ms > trust->skew_ms)
		return refuse(WINDOW, reterr, "it is issued before its newest key: %s", at);
	return NODE_FLAW_NONE;
}

enum node_flaw node_judge_content(const struct node_record *record, const struct node_trust *trust,
				  struct credential_error *reterr)
{
	char at[CLOCK_TEXT_MAX];
	int64_t last = INT64_MIN;
	enum node_flaw flaw = judge_range(record, trust->bundles, reterr);

	if (!flaw)
		flaw = judge_windows(record, trust, reterr);
	if (flaw)
		return flaw;
	for (size_t i = 0; i < record->n_keys; i++)
		last = MAX(last, record->key[i].not_after_ms);
	if (last + trust->skew_ms > trust->now_ms)
		return NODE_FLAW_NONE;
	node_time_text(last, at);
	return refuse(KEYS_EXPIRED, reterr, "the last at %s", at);
}

enum node_flaw node_record_judge(const struct node_record *record, const struct node_trust *trust,
				 struct credential_error *reterr)
{
	enum node_flaw flaw = node_judge_signature(record, reterr);

	if (!flaw)
		flaw = node_judge_revocations(record, trust->revocations, reterr);
	if (!flaw)
		flaw = node_judge_chain(record, trust, reterr);
	return flaw ? flaw : node_judge_content(record, trust, reterr);
}

/* ---- whether the bundles changed ---- */

/* One more piece; its length is in the sum, so that pieces cannot be shifted. */
static void mix(struct cs_key *sum, const void *data, size_t n)
{
	sum->k1 = cs_siphash_bytes(sum, data, n);
	sum->k0 = cs_siphash_bytes(sum, &n, sizeof(n));
}

static void mix_der(struct cs_key *sum, uint8_t *der, int n)
{
	mix(sum, der, n > 0 ? (size_t)n : 0);
	OPENSSL_free(der);
}

uint64_t node_judge_bundles(const struct bundles *bundles)
{
	struct cs_key sum = document_digest("bundles", "", 0);

	for (size_t i = 0; i < bundles->n; i++) {
		const struct bundle *b = bundles->item[i];
		uint16_t range[2] = { b->node_first, b->node_last };

		mix(&sum, b->trust_domain, strlen(b->trust_domain));
		mix(&sum, range, sizeof(range));
		for (int j = 0; j < sk_X509_num(b->authorities); j++) {
			uint8_t *der = NULL;
			int n = i2d_X509(sk_X509_value(b->authorities, j), &der);

			mix_der(&sum, der, n);
		}
		for (int j = 0; j < sk_X509_CRL_num(b->crls); j++) {
			uint8_t *der = NULL;
			int n = i2d_X509_CRL(sk_X509_CRL_value(b->crls, j), &der);

			mix_der(&sum, der, n);
		}
	}
	return sum.k1 | 1;
}
