/* SPDX-License-Identifier: Apache-2.0 */
/* Certificate requests: what is made can be read, and what no SVID should have is refused. */
#include "test_credential_pki.h"
#include "user/credential/authority.h"
#include "user/credential/request.h"

#define ID "spiffe://example.org/countersign/node/host-a"

Test(credential_request, is_read_as_it_was_made)
{
	_cleanup_(pkey_freep) EVP_PKEY *key = pki_ec();
	_cleanup_(request_done) struct request request = { NULL };
	_cleanup_free_ char *pem = NULL;
	struct credential_error error = { "" };

	cr_assert_eq(request_make(key, ID, &pem, &error), 0, "%s", error.text);
	cr_assert_eq(request_parse(pem, strlen(pem), &request, &error), 0, "%s", error.text);
	cr_expect_str_eq(request.spiffe_id, ID);
	cr_expect_eq(EVP_PKEY_eq(request.key, key), 1);
}

/* One that is signed leads to a certificate with its key and its name, and to no other. */
Test(credential_request, is_signed)
{
	struct pki_directory directory;
	_cleanup_(authority_freep) struct authority *authority = NULL;
	_cleanup_(pkey_freep) EVP_PKEY *key = pki_ec();
	_cleanup_(x509_freep) X509 *x509 = NULL;
	struct credential_error error = { "" };
	_cleanup_close_ int dir = -EBADF;

	pki_directory_init(&directory);
	cr_assert_eq(authority_init(directory.path, "example.org", 0, &error), 0, "%s", error.text);
	dir = open(directory.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cr_assert_eq(authority_open(dir, &authority, &error), 0, "%s", error.text);
	cr_expect_lt(authority_sign(authority, "spiffe://other.org/countersign/node/host-a", key,
				    pki_now(), 600, &x509, &error),
		     0);
	cr_assert_eq(authority_sign(authority, ID, key, pki_now(), 600, &x509, &error), 0, "%s",
		     error.text);
	cr_expect_eq(EVP_PKEY_eq(X509_get0_pubkey(x509), key), 1);
	cr_expect_eq(X509_verify(x509, authority->key), 1);
	pki_directory_done(&directory);
}

/* What is wrong with a request; NULL, 0: as a good one. */
struct bad_request {
	const char *name;
	const char *san; /* "": no extension at all */
	const char *more; /* a second extension: its value as basicConstraints */
	unsigned int rsa_bits;
	const char *curve;
	bool challenge; /* another attribute */
	int error;
	const char *says;
};

static const struct bad_request bad[] = {
	{ .name = "good", .san = "URI:" ID },
	{ .name = "P-384", .san = "URI:" ID, .curve = "P-384" },
	{ .name = "RSA 2048", .san = "URI:" ID, .rsa_bits = 2048 },
	{ .name = "weak RSA",
	  .san = "URI:" ID,
	  .rsa_bits = 1024,
	  .error = -EPERM,
	  .says = "1024 bits" },
	{ .name = "odd curve",
	  .san = "URI:" ID,
	  .curve = "secp256k1",
	  .error = -EPERM,
	  .says = "secp256k1" },
	{ .name = "no name", .san = "", .error = -EPERM, .says = "one extension" },
	{ .name = "DNS", .san = "DNS:host-a", .error = -EPERM, .says = "one URI" },
	{ .name = "URI and DNS",
	  .san = "URI:" ID ",DNS:host-a",
	  .error = -EPERM,
	  .says = "one URI" },
	{ .name = "two URIs", .san = "URI:" ID ",URI:" ID, .error = -EPERM, .says = "one URI" },
	{ .name = "no SPIFFE ID",
	  .san = "URI:https://example.org/",
	  .error = -EPERM,
	  .says = "no SPIFFE ID" },
	{ .name = "a CA",
	  .san = "URI:" ID,
	  .more = "critical,CA:TRUE",
	  .error = -EPERM,
	  .says = "one extension" },
	{ .name = "a password",
	  .san = "URI:" ID,
	  .challenge = true,
	  .error = -EPERM,
	  .says = "no other attribute" },
};

static char *make(const struct bad_request *want)
{
	EVP_PKEY *key = want->rsa_bits ? EVP_RSA_gen(want->rsa_bits)
				       : EVP_EC_gen(want->curve ?: "P-256");
	STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
	X509_REQ *request = X509_REQ_new();
	BIO *bio = BIO_new(BIO_s_mem());
	char *text, *pem;
	long length;

	cr_assert(key && request && X509_REQ_set_pubkey(request, key));
	if (*want->san)
		sk_X509_EXTENSION_push(list, X509V3_EXT_nconf_nid(NULL, NULL, NID_subject_alt_name,
								  want->san));
	if (want->more)
		sk_X509_EXTENSION_push(list, X509V3_EXT_nconf_nid(NULL, NULL, NID_basic_constraints,
								  want->more));
	if (sk_X509_EXTENSION_num(list))
		X509_REQ_add_extensions(request, list);
	if (want->challenge)
		X509_REQ_add1_attr_by_NID(request, NID_pkcs9_challengePassword, MBSTRING_ASC,
					  (const unsigned char *)"secret", -1);
	cr_assert(X509_REQ_sign(request, key, EVP_sha256()) > 0);
	cr_assert_eq(PEM_write_bio_X509_REQ(bio, request), 1);
	length = BIO_get_mem_data(bio, &text);
	pem = strndup(text, (size_t)length);
	BIO_free_all(bio);
	X509_REQ_free(request);
	sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
	EVP_PKEY_free(key);
	return pem;
}

Test(credential_request, refuses_what_no_svid_has, .timeout = 60)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_(request_done) struct request request = { NULL };
		_cleanup_free_ char *pem = make(&bad[i]);
		struct credential_error error = { "" };

		cr_expect_eq(request_parse(pem, strlen(pem), &request, &error), bad[i].error,
			     "%s: %s", bad[i].name, error.text);
		if (bad[i].error)
			cr_expect(strstr(error.text, bad[i].says), "%s: %s", bad[i].name,
				  error.text);
	}
}

/* Every byte of the signature counts, and no length is trusted. */
Test(credential_request, refuses_what_was_changed)
{
	_cleanup_(pkey_freep) EVP_PKEY *key = pki_ec();
	_cleanup_free_ char *pem = NULL, *big = NULL;
	size_t length, accepted = 0;

	cr_assert_eq(request_make(key, ID, &pem, NULL), 0);
	length = strlen(pem);
	for (size_t i = 0; i < length; i++) {
		struct request request = { NULL };
		char was = pem[i];

		if (was == '\n' || was == '-' || was == '=')
			continue;
		pem[i] = was == 'A' ? 'B' : 'A';
		accepted += request_parse(pem, length, &request, NULL) == 0;
		request_done(&request);
		pem[i] = was;
	}
	/* The last digits before the padding have bits that say nothing. */
	cr_expect_leq(accepted, 1u);
	for (size_t cut = 0; cut < length - 1; cut += 7) {
		struct request request = { NULL };

		cr_expect_eq(request_parse(pem, cut, &request, NULL), -EBADMSG, "%zu", cut);
	}
	big = calloc(1, REQUEST_BYTES_MAX + 2);
	memset(big, '\n', REQUEST_BYTES_MAX + 1);
	memcpy(big, pem, length);
	cr_expect_eq(request_parse(big, REQUEST_BYTES_MAX + 1, &(struct request){ NULL }, NULL),
		     -EBADMSG);
}
