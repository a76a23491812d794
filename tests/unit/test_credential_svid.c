/* SPDX-License-Identifier: Apache-2.0 */
/* What an X.509-SVID must look like, and how a chain is judged. */
#include "test_credential_pki.h"

static int try_svid(const struct pki_pair *leaf, EVP_PKEY *key, struct svid **ret,
		    struct credential_error *error)
{
	STACK_OF(X509) *chain = sk_X509_new_null();
	int r;

	sk_X509_push(chain, leaf->x509);
	r = svid_new(chain, key, ret, error);
	sk_X509_free(chain);
	return r;
}

Test(credential_svid, a_good_one)
{
	_pki_ ca = pki_ca("ca", NULL);
	_pki_ leaf = pki_make(&(struct pki){ .serial = "00AB01" }, &ca);
	struct svid *svid = pki_svid(leaf.key, (X509 *[]){ leaf.x509, NULL });

	cr_expect_str_eq(svid->spiffe_id, "spiffe://example.org/countersign/node/host-a");
	cr_expect_str_eq(svid->trust_domain, "example.org");
	cr_expect_str_eq(svid->serial, "ab01");
	cr_expect_str_eq(svid->issuer, "CN=ca");
	cr_expect_str_eq(svid_node_name(svid), "host-a");
	cr_expect_leq(llabs(svid->not_after_s - pki_now() - PKI_DAY), 5);
	cr_expect_eq(sk_X509_num(svid->intermediates), 0);
	cr_expect_eq(svid->key, leaf.key);
	svid_free(svid);
}

Test(credential_svid, without_key_it_is_a_peers)
{
	_pki_ leaf = pki_make(&(struct pki){ 0 }, NULL);
	struct svid *svid = pki_svid(NULL, (X509 *[]){ leaf.x509, NULL });

	cr_expect_null(svid->key);
	svid_free(svid);
}

struct wrong {
	struct pki want;
	const char *says;
};

static const struct wrong wrongs[] = {
	{ { .san = "" }, "names no URI" },
	{ { .san = "DNS:host-a" }, "names no URI" },
	{ { .san = PKI_HOST_A ",URI:spiffe://example.org/b" }, "more than one URI" },
	{ { .san = PKI_HOST_A "," PKI_HOST_A }, "more than one URI" },
	{ { .twice = "URI:spiffe://example.org/b" }, "cannot be read" },
	{ { .san = "URI:https://example.org/a" }, "must start with spiffe://" },
	{ { .san = "URI:spiffe://example.org" }, "no path" },
	{ { .san = "URI:spiffe://example.org/" }, "empty segment" },
	{ { .san = "URI:spiffe://example.org/a/" }, "empty segment" },
	{ { .san = "URI:spiffe://example.org//a" }, "empty segment" },
	{ { .san = "URI:spiffe://example.org/a/../b" }, "are no segments" },
	{ { .san = "URI:spiffe://example.org/./b" }, "are no segments" },
	{ { .san = "URI:spiffe://example.org/a%20b" }, "a segment may only" },
	{ { .san = "URI:spiffe://example.org/a?x" }, "a segment may only" },
	{ { .san = "URI:spiffe://example.org/a#x" }, "a segment may only" },
	{ { .san = "URI:spiffe://Example.org/a" }, "trust domain must be" },
	{ { .san = "URI:spiffe://example.org:80/a" }, "trust domain must be" },
	{ { .san = "URI:spiffe://u@example.org/a" }, "trust domain must be" },
	{ { .san = "URI:spiffe:///a" }, "trust domain must be" },
	{ { .san = "URI:SPIFFE://example.org/a" }, "must start with spiffe://" },
	{ { .usage = "" }, "lacks digitalSignature" },
	{ { .usage = "critical,keyEncipherment" }, "lacks digitalSignature" },
	{ { .usage = "critical,digitalSignature,keyCertSign" }, "keyCertSign" },
	{ { .usage = "critical,digitalSignature,cRLSign" }, "cRLSign" },
	{ { .basic = "critical,CA:TRUE" }, "is no CA" },
	{ { .serial = "-05" }, "negative" },
	{ { .serial = "010203040506070809101112131415161718192021" }, "longer than 20" },
	{ { .from_s = 100, .to_s = 50 }, "ends before it begins" },
};

Test(credential_svid, what_is_none_is_refused)
{
	_pki_ ca = pki_ca("ca", NULL);

	for (size_t i = 0; i < ARRAY_SIZE(wrongs); i++) {
		_pki_ leaf = pki_make(&wrongs[i].want, &ca);
		struct credential_error error = { 0 };
		struct svid *svid = (struct svid *)&error;

		cr_expect_lt(try_svid(&leaf, leaf.key, &svid, &error), 0, "%zu: %s", i,
			     wrongs[i].says);
		cr_expect(strstr(error.text, wrongs[i].says), "%zu: \"%s\" does not say \"%s\"", i,
			  error.text, wrongs[i].says);
		cr_expect_eq((void *)svid, (void *)&error, "ret is untouched");
	}
}

Test(credential_svid, a_nul_in_the_uri_ends_nothing)
{
	/* spiffe://example.org/a NUL .evil: two readers must not see two names. */
	static const char uri[] = "spiffe://example.org/a\0.evil";
	_pki_ leaf = pki_make(&(struct pki){ .san = "" }, NULL);
	GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();
	struct credential_error error = { 0 };
	struct svid *svid = NULL;

	ASN1_STRING_set(text, uri, sizeof(uri) - 1);
	GENERAL_NAME_set0_value(name, GEN_URI, text);
	sk_GENERAL_NAME_push(names, name);
	cr_assert(X509_add1_ext_i2d(leaf.x509, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT));
	X509_sign(leaf.x509, leaf.key, EVP_sha256());
	GENERAL_NAMES_free(names);
	cr_expect_eq(try_svid(&leaf, NULL, &svid, &error), -EINVAL);
	cr_expect(strstr(error.text, "NUL"), "%s", error.text);
}

Test(credential_svid, another_key_is_refused)
{
	_pki_ leaf = pki_make(&(struct pki){ 0 }, NULL);
	EVP_PKEY *other = pki_ec(), *rsa = EVP_RSA_gen(2048);
	struct credential_error error = { 0 };
	struct svid *svid = NULL;

	cr_expect_eq(try_svid(&leaf, other, &svid, &error), -EKEYREJECTED);
	cr_expect_eq(try_svid(&leaf, rsa, &svid, &error), -EKEYREJECTED);
	cr_expect(strstr(error.text, "not that of the certificate"), "%s", error.text);
	EVP_PKEY_free(other);
	EVP_PKEY_free(rsa);
}

Test(credential_svid, the_chain_holds_authorities_only)
{
	_pki_ ca = pki_ca("ca", NULL);
	_pki_ leaf = pki_make(&(struct pki){ 0 }, &ca);
	_pki_ other = pki_make(&(struct pki){ .san = "URI:spiffe://example.org/b" }, &ca);
	STACK_OF(X509) *chain = sk_X509_new_null();
	struct credential_error error = { 0 };
	struct svid *svid = NULL;

	cr_expect_eq(svid_new(chain, NULL, &svid, &error), -ENODATA);
	sk_X509_push(chain, leaf.x509);
	sk_X509_push(chain, other.x509);
	cr_expect_eq(svid_new(chain, NULL, &svid, &error), -EINVAL);
	cr_expect(strstr(error.text, "certificate 2 of the chain is no CA"), "%s", error.text);
	sk_X509_pop(chain);
	for (int i = 0; i < SVID_CHAIN_MAX; i++)
		sk_X509_push(chain, ca.x509);
	cr_expect_eq(svid_new(chain, NULL, &svid, &error), -E2BIG);
	sk_X509_pop(chain);
	cr_expect_eq(svid_new(chain, NULL, &svid, &error), 0, "%s", error.text);
	svid_free(svid);
	sk_X509_free(chain);
}

Test(credential_svid, names_of_nodes)
{
	static const struct {
		const char *path;
		const char *name;
	} names[] = {
		{ "countersign/node/host-a", "host-a" },
		{ "countersign/node/h", "h" },
		{ "countersign/node/host-a.example.org", "host-a.example.org" },
		{ "countersign/node/" /* 63 */
		  "a23456789012345678901234567890123456789012345678901234567890123",
		  "a23456789012345678901234567890123456789012345678901234567890123" },
		{ "countersign/node/" /* 64 */
		  "a234567890123456789012345678901234567890123456789012345678901234",
		  NULL },
		{ "countersign/node/Host", NULL },
		{ "countersign/node/-a", NULL },
		{ "countersign/node/a-", NULL },
		{ "countersign/node/a..b", NULL },
		{ "countersign/node/a_b", NULL },
		{ "countersign/node/.a", NULL },
		{ "countersign/node/a.", NULL },
		{ "countersign/node/a/b", NULL },
		{ "countersign/node", NULL },
		{ "countersign/nodes/a", NULL },
		{ "ns/shop/sa/checkout", NULL },
		{ "x/countersign/node/a", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char id[256];
		struct svid svid = { .spiffe_id = id, .trust_domain = (char *)"example.org" };
		const char *name;

		snprintf(id, sizeof(id), "spiffe://example.org/%s", names[i].path);
		name = svid_node_name(&svid);
		cr_expect(names[i].name ? name && streq(name, names[i].name) : !name, "%s: %s", id,
			  name ? name : "none");
	}
}

/* A CA, an intermediate one, a leaf of each, and how they are judged. */
struct judging {
	struct pki_pair ca, intermediate, leaf, deep;
	struct svid *svid, *deep_svid;
	struct pki_text pem;
};

static void judging_init(struct judging *j, const struct pki *leaf)
{
	j->ca = pki_ca("ca", NULL);
	j->intermediate = pki_ca("intermediate", &j->ca);
	j->leaf = pki_make(leaf, &j->ca);
	j->deep = pki_make(leaf, &j->intermediate);
	j->svid = pki_svid(j->leaf.key, (X509 *[]){ j->leaf.x509, NULL });
	j->deep_svid =
		pki_svid(j->deep.key, (X509 *[]){ j->deep.x509, j->intermediate.x509, NULL });
	j->pem = (struct pki_text){ 0 };
	pki_text_x509(&j->pem, j->ca.x509);
}

static void judging_done(struct judging *j)
{
	pki_pair_done(&j->ca);
	pki_pair_done(&j->intermediate);
	pki_pair_done(&j->leaf);
	pki_pair_done(&j->deep);
	svid_free(j->svid);
	svid_free(j->deep_svid);
	pki_text_done(&j->pem);
}
#define _judging_ __attribute__((cleanup(judging_done))) struct judging

static void expect_flaw(const struct svid *svid, const struct pki_text *pem, int64_t at_s,
			int64_t skew_s, enum svid_flaw want)
{
	struct bundles bundles = pki_bundles(pem);
	struct credential_error error = { 0 };
	enum svid_flaw got = svid_judge(svid, &bundles, pki_now() + at_s, skew_s, &error);

	cr_expect_eq(got, want, "%s instead of %s: %s", svid_flaw_name(got), svid_flaw_name(want),
		     error.text);
	cr_expect(want == SVID_FLAW_NONE ? !*error.text
					 : strstr(error.text, svid->spiffe_id) != NULL,
		  "%s", error.text);
	bundles_done(&bundles);
}

Test(credential_judge, good_ones)
{
	_judging_ j;

	judging_init(&j, &(struct pki){ 0 });
	expect_flaw(j.svid, &j.pem, 0, 0, SVID_FLAW_NONE);
	expect_flaw(j.deep_svid, &j.pem, 0, 0, SVID_FLAW_NONE);
}

Test(credential_judge, unknown_domain)
{
	_judging_ j;
	struct credential_error error = { 0 };
	struct bundles none = { 0 };

	judging_init(&j, &(struct pki){ .san = "URI:spiffe://other.example/a" });
	expect_flaw(j.svid, &j.pem, 0, 0, SVID_FLAW_UNKNOWN_DOMAIN);
	cr_expect_eq(svid_judge(j.svid, &none, pki_now(), 0, &error), SVID_FLAW_UNKNOWN_DOMAIN);
	cr_expect(strstr(error.text, "countersign bundle set"), "%s", error.text);
}

/* Another CA with the same name and key identifier is another one. */
Test(credential_judge, untrusted)
{
	_judging_ j;
	_pki_ other = pki_ca("ca", NULL);
	_pki_ forged = pki_make(&(struct pki){ 0 }, &other);
	_pki_ alone = pki_make(&(struct pki){ 0 }, NULL);
	struct svid *svid = pki_svid(NULL, (X509 *[]){ forged.x509, NULL });
	struct svid *self = pki_svid(NULL, (X509 *[]){ alone.x509, NULL });
	struct svid *brought = pki_svid(NULL, (X509 *[]){ forged.x509, other.x509, NULL });
	struct svid *short_one;

	judging_init(&j, &(struct pki){ 0 });
	short_one = pki_svid(NULL, (X509 *[]){ j.deep.x509, NULL });
	expect_flaw(svid, &j.pem, 0, 0, SVID_FLAW_UNTRUSTED);
	expect_flaw(self, &j.pem, 0, 0, SVID_FLAW_UNTRUSTED);
	expect_flaw(brought, &j.pem, 0, 0, SVID_FLAW_UNTRUSTED);
	expect_flaw(short_one, &j.pem, 0, 0, SVID_FLAW_UNTRUSTED);
	svid_free(svid);
	svid_free(self);
	svid_free(brought);
	svid_free(short_one);
}

Test(credential_judge, weak_ones_are_untrusted)
{
	_pki_ ca = pki_ca("ca", NULL);
	EVP_PKEY *small = EVP_RSA_gen(1024);
	_pki_ weak = pki_make(&(struct pki){ .key = small }, &ca);
	_pki_ sha1 = pki_make(&(struct pki){ .digest = EVP_sha1() }, &ca);
	struct svid *a = pki_svid(NULL, (X509 *[]){ weak.x509, NULL });
	struct svid *b = pki_svid(NULL, (X509 *[]){ sha1.x509, NULL });
	_pki_text_ pem = { 0 };

	pki_text_x509(&pem, ca.x509);
	expect_flaw(a, &pem, 0, 0, SVID_FLAW_UNTRUSTED);
	expect_flaw(b, &pem, 0, 0, SVID_FLAW_UNTRUSTED);
	svid_free(a);
	svid_free(b);
	EVP_PKEY_free(small);
}

/* Valid from -60 to a day; the skew is granted at both ends, to the second. */
Test(credential_judge, times_with_skew)
{
	_judging_ j;
	int64_t from, to;

	judging_init(&j, &(struct pki){ 0 });
	from = j.svid->not_before_s - pki_now();
	to = j.svid->not_after_s - pki_now();
	expect_flaw(j.svid, &j.pem, to - 5, 0, SVID_FLAW_NONE);
	expect_flaw(j.svid, &j.pem, to + 10, 0, SVID_FLAW_EXPIRED);
	expect_flaw(j.svid, &j.pem, to + 10, 5, SVID_FLAW_EXPIRED);
	expect_flaw(j.svid, &j.pem, to + 10, 15, SVID_FLAW_NONE);
	expect_flaw(j.svid, &j.pem, to + 130, 120, SVID_FLAW_EXPIRED);
	expect_flaw(j.deep_svid, &j.pem, to + 110, 120, SVID_FLAW_NONE);
	expect_flaw(j.svid, &j.pem, from - 10, 0, SVID_FLAW_NOT_YET_VALID);
	expect_flaw(j.svid, &j.pem, from - 10, 15, SVID_FLAW_NONE);
	expect_flaw(j.svid, &j.pem, from - 130, 120, SVID_FLAW_NOT_YET_VALID);
	/* The authority itself ends, too. */
	expect_flaw(j.svid, &j.pem, 31 * PKI_DAY, 0, SVID_FLAW_EXPIRED);
}

Test(credential_judge, an_expired_root_beside_its_renewal)
{
	EVP_PKEY *key = pki_ec();
	const struct pki old = { .subject = "ca",
				 .san = "",
				 .key = key,
				 .basic = "critical,CA:TRUE",
				 .usage = "critical,keyCertSign",
				 .from_s = -9 * PKI_DAY,
				 .to_s = -PKI_DAY };
	struct pki new = old;
	_pki_ expired = pki_make(&old, NULL);
	_pki_ leaf = pki_make(&(struct pki){ 0 }, &expired);
	struct svid *svid = pki_svid(NULL, (X509 *[]){ leaf.x509, NULL });
	_pki_text_ pem = { 0 };

	pki_text_x509(&pem, expired.x509);
	expect_flaw(svid, &pem, 0, 0, SVID_FLAW_EXPIRED);
	new.from_s = -60;
	new.to_s = PKI_DAY;
	{
		_pki_ renewed = pki_make(&new, NULL);

		pki_text_x509(&pem, renewed.x509);
		expect_flaw(svid, &pem, 0, 0, SVID_FLAW_NONE);
	}
	svid_free(svid);
	EVP_PKEY_free(key);
}

Test(credential_judge, an_authority_that_is_no_root)
{
	_judging_ j;
	_pki_text_ pem = { 0 };

	judging_init(&j, &(struct pki){ 0 });
	pki_text_x509(&pem, j.intermediate.x509);
	expect_flaw(j.deep_svid, &pem, 0, 0, SVID_FLAW_NONE);
	expect_flaw(j.svid, &pem, 0, 0, SVID_FLAW_UNTRUSTED);
}

Test(credential_judge, usage)
{
	_judging_ j;
	_pki_ narrow = pki_make(&(struct pki){ .subject = "narrow",
					       .san = "",
					       .basic = "critical,CA:TRUE,pathlen:0",
					       .usage = "critical,keyCertSign" },
				NULL);
	_pki_ below = pki_ca("below", &narrow);
	_pki_ leaf = pki_make(&(struct pki){ 0 }, &below);
	struct svid *svid = pki_svid(NULL, (X509 *[]){ leaf.x509, below.x509, NULL });
	_pki_text_ pem = { 0 };

	pki_text_x509(&pem, narrow.x509);
	expect_flaw(svid, &pem, 0, 0, SVID_FLAW_USAGE);
	judging_init(&j, &(struct pki){ .unknown = "x" });
	expect_flaw(j.svid, &j.pem, 0, 0, SVID_FLAW_USAGE);
	svid_free(svid);
}

Test(credential_judge, extended_usage_is_optional)
{
	_judging_ j;

	judging_init(&j, &(struct pki){ .extended = "serverAuth" });
	expect_flaw(j.svid, &j.pem, 0, 0, SVID_FLAW_NONE);
}

static void add_crl(struct judging *j, const struct pki_pair *issuer, const X509 *x509,
		    int64_t from_s, int64_t to_s)
{
	pki_text_crl(&j->pem,
		     pki_crl(issuer, x509 ? X509_get0_serialNumber(x509) : NULL, from_s, to_s));
}

Test(credential_judge, revoked)
{
	_judging_ j;

	judging_init(&j, &(struct pki){ 0 });
	add_crl(&j, &j.ca, NULL, -60, PKI_DAY);
	expect_flaw(j.svid, &j.pem, 0, 0, SVID_FLAW_NONE);
	add_crl(&j, &j.ca, j.leaf.x509, -60, PKI_DAY);
	expect_flaw(j.svid, &j.pem, 0, 0, SVID_FLAW_REVOKED);
	expect_flaw(j.deep_svid, &j.pem, 0, 0, SVID_FLAW_NONE);
}

Test(credential_judge, an_old_list_still_revokes_and_harms_nobody_else)
{
	_judging_ j;

	judging_init(&j, &(struct pki){ 0 });
	add_crl(&j, &j.ca, j.leaf.x509, -9 * PKI_DAY, -8 * PKI_DAY);
	expect_flaw(j.svid, &j.pem, 0, 0, SVID_FLAW_REVOKED);
	expect_flaw(j.deep_svid, &j.pem, 0, 0, SVID_FLAW_NONE);
}

Test(credential_judge, an_intermediate_can_be_revoked_and_revoke)
{
	_judging_ j;

	judging_init(&j, &(struct pki){ 0 });
	add_crl(&j, &j.intermediate, j.deep.x509, -60, PKI_DAY);
	expect_flaw(j.deep_svid, &j.pem, 0, 0, SVID_FLAW_REVOKED);
	expect_flaw(j.svid, &j.pem, 0, 0, SVID_FLAW_NONE);
	j.pem.length = 0;
	pki_text_x509(&j.pem, j.ca.x509);
	add_crl(&j, &j.ca, j.intermediate.x509, -60, PKI_DAY);
	expect_flaw(j.deep_svid, &j.pem, 0, 0, SVID_FLAW_REVOKED);
}

/* A list in the authority's name that another key signed: from an intermediate of that name,
 * as far as anybody can tell when reading it; it revokes nothing. */
Test(credential_judge, a_forged_list_revokes_nothing)
{
	_judging_ j;
	_pki_ other = pki_ca("intermediate", NULL);

	judging_init(&j, &(struct pki){ 0 });
	add_crl(&j, &other, j.deep.x509, -60, PKI_DAY);
	expect_flaw(j.deep_svid, &j.pem, 0, 0, SVID_FLAW_NONE);
}

Test(credential_judge, names_of_flaws)
{
	cr_expect_str_eq(svid_flaw_name(SVID_FLAW_NONE), "NONE");
	cr_expect_str_eq(svid_flaw_name(SVID_FLAW_REVOKED), "REVOKED");
	cr_expect_str_eq(svid_flaw_name(SVID_FLAW_MAX), "?");
}

Test(credential_svid, keys_of_all_kinds_sign_and_match)
{
	static const char *const kinds[] = { "EC", "RSA", "ED25519" };
	struct credential_error error = { 0 };
	_pki_ ca = pki_ca("ca", NULL);

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		EVP_PKEY *made = i == 0	  ? EVP_EC_gen("P-384")
				 : i == 1 ? EVP_RSA_gen(2048)
					  : EVP_PKEY_Q_keygen(NULL, NULL, kinds[i]);
		_pki_ leaf = pki_make(&(struct pki){ .key = made }, &ca);
		EVP_PKEY *read = NULL;
		unsigned char *der = NULL;
		struct svid *svid = NULL;
		uint8_t signature[512];
		size_t length = sizeof(signature);
		const EVP_MD *digest = i == 2 ? NULL : EVP_sha256();
		PKCS8_PRIV_KEY_INFO *p8 = EVP_PKEY2PKCS8(made);
		int n = i2d_PKCS8_PRIV_KEY_INFO(p8, &der);
		EVP_MD_CTX *ctx = EVP_MD_CTX_new();

		cr_assert_eq(secret_key_from_der(der, (size_t)n, &read, &error), 0, "%s: %s",
			     kinds[i], error.text);
		cr_expect_eq(secret_key_from_der(der, (size_t)n - 1, &read, &error), -EBADMSG);
		cr_assert_eq(try_svid(&leaf, read, &svid, &error), 0, "%s: %s", kinds[i],
			     error.text);
		cr_assert_eq(secret_sign(svid->key, "abc", 3, signature, &length, &error), 0, "%s",
			     error.text);
		cr_assert_eq(EVP_DigestVerifyInit(ctx, NULL, digest, NULL,
						  X509_get0_pubkey(svid->leaf)),
			     1);
		cr_expect_eq(EVP_DigestVerify(ctx, signature, length, (const uint8_t *)"abc", 3),
			     1);
		EVP_MD_CTX_free(ctx);
		PKCS8_PRIV_KEY_INFO_free(p8);
		OPENSSL_free(der);
		EVP_PKEY_free(read);
		EVP_PKEY_free(made);
		svid_free(svid);
	}
}
