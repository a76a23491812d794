/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of the Workload API: what is refused, in which words, and where keys lie. */
#include <openssl/crypto.h>

#include "tests/unit/test_credential_spiffe.h"
#include "user/credential/secret.h"
#include "user/credential/workload.h"

#define ENTRIES_MAX 80

/* A good answer with one SVID, for a case to spoil. */
struct draft {
	X509SVIDResponse response;
	X509SVID svid, *svids[ENTRIES_MAX];
	X509SVIDResponse__FederatedBundlesEntry entry[ENTRIES_MAX], *entries[ENTRIES_MAX];
	ProtobufCBinaryData crls[ENTRIES_MAX];
	ProtobufCBinaryData spare; /* of OpenSSL */
	X509SVID other;
	char name[ENTRIES_MAX][32];
	struct test_ca own, foreign;
};

static void draft_make(struct draft *draft)
{
	*draft = (struct draft){ .response = X509_SVIDRESPONSE__INIT };
	test_ca_make(&draft->own, TEST_DOMAIN);
	test_ca_make(&draft->foreign, "other.example");
	test_ca_issue(&draft->own, TEST_ID, &draft->svid);
	test_ca_issue(&draft->own, "spiffe://example.org/countersign/node/b", &draft->other);
	for (size_t i = 0; i < ENTRIES_MAX; i++) {
		draft->svids[i] = &draft->svid;
		draft->entry[i] = (X509SVIDResponse__FederatedBundlesEntry)
			X509_SVIDRESPONSE__FEDERATED_BUNDLES_ENTRY__INIT;
		snprintf(draft->name[i], sizeof(draft->name[i]), "d%zu.example", i);
		draft->entry[i].key = draft->name[i];
		draft->entries[i] = &draft->entry[i];
	}
	draft->response.svids = draft->svids;
	draft->response.n_svids = 1;
	draft->response.federated_bundles = draft->entries;
	draft->response.crl = draft->crls;
}

static void draft_done(struct draft *draft)
{
	svid_message_done(&draft->svid);
	svid_message_done(&draft->other);
	OPENSSL_free(draft->spare.data);
	test_ca_done(&draft->own);
	test_ca_done(&draft->foreign);
}

static void swap(ProtobufCBinaryData *a, ProtobufCBinaryData *b)
{
	ProtobufCBinaryData c = *a;

	*a = *b;
	*b = c;
}

static void nothing(struct draft *draft)
{
	(void)draft;
}

static void no_svid(struct draft *draft)
{
	draft->response.n_svids = 0;
}

static void other_svids(struct draft *draft)
{
	draft->response.n_svids = 6;
	for (size_t i = 0; i < 6; i++)
		draft->svids[i] = &draft->other;
}

static void too_many_svids(struct draft *draft)
{
	draft->response.n_svids = WORKLOAD_SVIDS_MAX + 1;
}

static void no_certificate(struct draft *draft)
{
	draft->svid.x509_svid.len = 0;
}

static void no_key(struct draft *draft)
{
	draft->svid.x509_svid_key.len = 0;
}

static void no_bundle(struct draft *draft)
{
	draft->svid.bundle.len = 0;
}

static void cut_certificate(struct draft *draft)
{
	draft->svid.x509_svid.len -= 5;
}

static void cut_key(struct draft *draft)
{
	draft->svid.x509_svid_key.len -= 5;
}

static void cut_bundle(struct draft *draft)
{
	draft->svid.bundle.len -= 5;
}

static void other_key(struct draft *draft)
{
	swap(&draft->svid.x509_svid_key, &draft->other.x509_svid_key);
}

static void other_certificate(struct draft *draft)
{
	swap(&draft->svid.x509_svid_key, &draft->other.x509_svid_key);
	swap(&draft->svid.x509_svid, &draft->other.x509_svid);
}

static void other_authority(struct draft *draft)
{
	draft->spare = test_ca_bundle(&draft->foreign);
	swap(&draft->spare, &draft->svid.bundle);
}

static void too_many_federated(struct draft *draft)
{
	draft->response.n_federated_bundles = WORKLOAD_FEDERATED_MAX + 1;
}

/* A trust domain without authorities is nobody's identity, and no reason to lose one's own. */
static void empty_federated(struct draft *draft)
{
	draft->response.n_federated_bundles = WORKLOAD_FEDERATED_MAX;
}

static void own_federated(struct draft *draft)
{
	draft->spare = test_ca_bundle(&draft->foreign);
	draft->entry[0].key = (char *)"spiffe://" TEST_DOMAIN;
	draft->entry[0].value = draft->spare;
	draft->response.n_federated_bundles = 1;
}

static void nameless_federated(struct draft *draft)
{
	own_federated(draft);
	draft->entry[0].key = (char *)"spiffe://Other Example/";
}

static void cut_federated(struct draft *draft)
{
	own_federated(draft);
	draft->entry[0].key = (char *)"other.example";
	draft->entry[0].value.len -= 5;
}

static void leaf_federated(struct draft *draft)
{
	own_federated(draft);
	draft->entry[0].key = (char *)"other.example";
	draft->entry[0].value = draft->other.x509_svid;
}

static void too_many_crls(struct draft *draft)
{
	draft->response.n_crl = BUNDLE_CRLS_MAX + 1;
}

static void empty_crl(struct draft *draft)
{
	draft->response.n_crl = 1;
}

static void cut_crl(struct draft *draft)
{
	draft->spare = test_ca_crl(&draft->own, true);
	draft->crls[0] = draft->spare;
	draft->crls[0].len--;
	draft->response.n_crl = 1;
}

/* It has the own authority's name, as all have here, but nobody known signed it. */
static void forged_crl(struct draft *draft)
{
	draft->spare = test_ca_crl(&draft->foreign, true);
	draft->crls[0] = draft->spare;
	draft->response.n_crl = 1;
}

static const struct {
	const char *name;
	void (*spoil)(struct draft *draft);
	int result;
	const char *says;
} CASES[] = {
	{ "good", nothing, 0, "" },
	{ "no SVID", no_svid, -ENOENT, "gave no SVID: register " TEST_ID },
	{ "other SVIDs", other_svids, -ENOENT, "countersign/node/b\" and 2 more" },
	{ "too many SVIDs", too_many_svids, -EBADMSG, "65 SVIDs, the limit is 64" },
	{ "no certificate", no_certificate, -EBADMSG, "without a certificate" },
	{ "no key", no_key, -EBADMSG, "without a private key" },
	{ "no bundle", no_bundle, -EBADMSG, "without a bundle" },
	{ "cut certificate", cut_certificate, 1, "certificate" },
	{ "cut key", cut_key, 1, "key" },
	{ "cut bundle", cut_bundle, 1, "bundle of " TEST_DOMAIN },
	{ "other key", other_key, 1, "private key is not that of the certificate" },
	{ "other certificate", other_certificate, -EKEYREJECTED, "has a certificate for" },
	{ "other authority", other_authority, -EKEYREJECTED, "UNTRUSTED" },
	{ "too many bundles", too_many_federated, -EBADMSG, "64 federated bundles" },
	{ "empty bundles", empty_federated, 0, "" },
	{ "own bundle again", own_federated, -EBADMSG, "two bundles for " TEST_DOMAIN },
	{ "no trust domain", nameless_federated, -EBADMSG, "no trust domain" },
	{ "cut federated bundle", cut_federated, 1, "bundle of other.example" },
	{ "leaf as authority", leaf_federated, 1, "bundle of other.example" },
	{ "too many CRLs", too_many_crls, -EBADMSG, "65 CRLs" },
	{ "empty CRL", empty_crl, -EBADMSG, "CRL that is not DER" },
	{ "cut CRL", cut_crl, -EBADMSG, "CRL that is not DER" },
	{ "forged CRL", forged_crl, 1, "did not sign it" },
};

static int parse(const uint8_t *message, size_t length, struct credential *ret,
		 struct credential_error *reterr)
{
	const struct credential_options options = { .trust_domain = TEST_DOMAIN,
						    .node_name = "host-a" };

	return workload_parse(message, length, &options, ret, reterr);
}

Test(credential_workload, each_refusal_has_its_words)
{
	static struct draft draft;

	for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
		struct credential credential = { .svid = NULL };
		struct credential_error error = { "" };
		_cleanup_free_ uint8_t *message = NULL;
		size_t length;
		int r;

		draft_make(&draft);
		CASES[i].spoil(&draft);
		message = framed(&draft.response, &length);
		r = parse(message + 5, length - 5, &credential, &error);
		/* 1: whatever the parser of that part says. */
		cr_expect(CASES[i].result == 1 ? r < 0 : r == CASES[i].result, "%s: %d",
			  CASES[i].name, r);
		cr_expect_not_null(strstr(error.text, CASES[i].says), "%s: %s", CASES[i].name,
				   error.text);
		cr_expect_eq(credential.svid != NULL, r == 0, "%s", CASES[i].name);
		credential_done(&credential);
		draft_done(&draft);
	}
}

/* Two bytes each for half a million SVIDs: refused before they are made. */
Test(credential_workload, small_message_cannot_grow)
{
	_cleanup_free_ uint8_t *message = calloc(1, WORKLOAD_MESSAGE_MAX + 1);
	struct credential_error error = { "" };
	struct credential credential;

	for (size_t i = 0; i < WORKLOAD_MESSAGE_MAX; i += 2)
		message[i] = 0x0a;
	cr_expect_eq(parse(message, WORKLOAD_MESSAGE_MAX, &credential, &error), -EBADMSG);
	cr_expect_not_null(strstr(error.text, "cannot be read"), "%s", error.text);
	cr_expect_eq(parse(message, WORKLOAD_MESSAGE_MAX + 1, &credential, &error), -EBADMSG);
}

Test(credential_workload, secrets_are_on_the_secure_heap)
{
	struct credential_error error = { "" };
	void *small, *large;
	size_t before;

	if (secret_init(&error) < 0)
		cr_skip_test("%s", error.text);
	before = CRYPTO_secure_used();
	small = workload_secret_alloc(4096);
	cr_expect(CRYPTO_secure_allocated(small));
	/* As large as the heap: in ordinary memory, rather than not at all. */
	large = workload_secret_alloc(2 * SECRET_HEAP_BYTES);
	cr_assert_not_null(large);
	cr_expect_not(CRYPTO_secure_allocated(large));
	workload_secret_free(small, 4096);
	workload_secret_free(large, 2 * SECRET_HEAP_BYTES);
	cr_expect_eq(CRYPTO_secure_used(), before);
}
