/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates, CRLs and keys for tests, good and wrong in every way wanted. */
#pragma once

#include <criterion/criterion.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <sys/stat.h>

#include "user/base/clock.h"
#include "user/credential/bundle.h"
#include "user/credential/secret.h"
#include "user/credential/x509.h"

#define PKI_HOST_A "URI:spiffe://example.org/countersign/node/host-a"
#define PKI_EXTENSIONS_MAX 12
#define PKI_DAY 86400

/* What a certificate shall be; what is 0 or NULL is as for a good leaf of pki_now(). */
struct pki {
	const char *subject; /* CN */
	const char *san; /* "": none */
	const char *usage; /* "": none */
	const char *basic; /* "": none */
	const char *constraints; /* nameConstraints */
	const char *extended;
	const char *unknown; /* value of a critical extension that nobody knows */
	const char *twice; /* one SAN more, in an extension of its own */
	int64_t from_s, to_s; /* relative to now */
	const char *serial; /* hex */
	const EVP_MD *digest;
	EVP_PKEY *key; /* referenced */
};

/* A certificate with its key. */
struct pki_pair {
	X509 *x509;
	EVP_PKEY *key;
};

static inline int64_t pki_now(void)
{
	return clock_ns(CLOCK_REALTIME) / NS_PER_S;
}

static inline EVP_PKEY *pki_ec(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");

	cr_assert_not_null(key);
	return key;
}

static inline void pki_extend(X509 *x509, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX ctx;

	if (!value || !*value)
		return;
	X509V3_set_ctx(&ctx, issuer, x509, NULL, NULL, 0);
	extension = X509V3_EXT_nconf_nid(NULL, &ctx, nid, value);
	cr_assert_not_null(extension, "extension %s", value);
	cr_assert(X509_add_ext(x509, extension, -1));
	X509_EXTENSION_free(extension);
}

static inline void pki_extend_unknown(X509 *x509, const char *value)
{
	ASN1_OBJECT *object = OBJ_txt2obj("1.3.6.1.4.1.55555.1", 1);
	ASN1_OCTET_STRING *data = ASN1_OCTET_STRING_new();
	X509_EXTENSION *extension;

	ASN1_OCTET_STRING_set(data, (const unsigned char *)value, (int)strlen(value));
	extension = X509_EXTENSION_create_by_OBJ(NULL, object, 1, data);
	cr_assert(X509_add_ext(x509, extension, -1));
	X509_EXTENSION_free(extension);
	ASN1_OCTET_STRING_free(data);
	ASN1_OBJECT_free(object);
}

static inline const char *pki_or(const char *given, const char *otherwise)
{
	return given ? given : otherwise;
}

/* Signed by @issuer, NULL: by itself. */
static inline struct pki_pair pki_make(const struct pki *want, const struct pki_pair *issuer)
{
	struct pki_pair pair = { .x509 = X509_new(), .key = want->key ? want->key : pki_ec() };
	X509 *parent = issuer ? issuer->x509 : pair.x509;
	const char *subject = pki_or(want->subject, "leaf");
	EVP_PKEY *signer = issuer ? issuer->key : pair.key;
	bool own_digest = EVP_PKEY_get_base_id(signer) == EVP_PKEY_ED25519;
	static unsigned long count;
	BIGNUM *serial = NULL;

	if (want->key)
		EVP_PKEY_up_ref(want->key);
	X509_set_version(pair.x509, X509_VERSION_3);
	if (want->serial) {
		cr_assert(BN_hex2bn(&serial, want->serial));
		BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(pair.x509));
		BN_free(serial);
	} else {
		ASN1_INTEGER_set(X509_get_serialNumber(pair.x509), (long)(0x1000 + count++));
	}
	X509_NAME_add_entry_by_txt(X509_get_subject_name(pair.x509), "CN", MBSTRING_UTF8,
				   (const unsigned char *)subject, -1, -1, 0);
	X509_set_issuer_name(pair.x509, X509_get_subject_name(parent));
	ASN1_TIME_set(X509_getm_notBefore(pair.x509),
		      pki_now() + (want->from_s ? want->from_s : -60));
	ASN1_TIME_set(X509_getm_notAfter(pair.x509),
		      pki_now() + (want->to_s ? want->to_s : PKI_DAY));
	X509_set_pubkey(pair.x509, pair.key);
	pki_extend(pair.x509, parent, NID_basic_constraints,
		   pki_or(want->basic, "critical,CA:FALSE"));
	pki_extend(pair.x509, parent, NID_key_usage,
		   pki_or(want->usage, "critical,digitalSignature"));
	pki_extend(pair.x509, parent, NID_subject_key_identifier, "hash");
	pki_extend(pair.x509, parent, NID_subject_alt_name, pki_or(want->san, PKI_HOST_A));
	pki_extend(pair.x509, parent, NID_subject_alt_name, want->twice);
	pki_extend(pair.x509, parent, NID_name_constraints, want->constraints);
	pki_extend(pair.x509, parent, NID_ext_key_usage, want->extended);
	if (want->unknown)
		pki_extend_unknown(pair.x509, want->unknown);
	cr_assert_gt(X509_sign(pair.x509, signer,
			       own_digest     ? NULL
			       : want->digest ? want->digest
					      : EVP_sha256()),
		     0);
	return pair;
}

static inline struct pki_pair pki_ca(const char *subject, const struct pki_pair *issuer)
{
	return pki_make(&(struct pki){ .subject = subject,
				       .san = "URI:spiffe://example.org",
				       .basic = "critical,CA:TRUE",
				       .usage = "critical,keyCertSign,cRLSign",
				       .to_s = 30 * PKI_DAY },
			issuer);
}

static inline void pki_pair_done(struct pki_pair *pair)
{
	X509_free(pair->x509);
	EVP_PKEY_free(pair->key);
}
#define _pki_ __attribute__((cleanup(pki_pair_done))) struct pki_pair

/* A list of @issuer with one serial number, NULL: none. @from_s and @to_s relative to now. */
static inline X509_CRL *pki_crl(const struct pki_pair *issuer, const ASN1_INTEGER *serial,
				int64_t from_s, int64_t to_s)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *from = ASN1_TIME_set(NULL, pki_now() + from_s);
	ASN1_TIME *to = ASN1_TIME_set(NULL, pki_now() + to_s);

	X509_CRL_set_version(crl, X509_CRL_VERSION_2);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer->x509));
	X509_CRL_set1_lastUpdate(crl, from);
	X509_CRL_set1_nextUpdate(crl, to);
	if (serial) {
		X509_REVOKED *entry = X509_REVOKED_new();

		X509_REVOKED_set_serialNumber(entry, (ASN1_INTEGER *)serial);
		X509_REVOKED_set_revocationDate(entry, from);
		cr_assert(X509_CRL_add0_revoked(crl, entry));
	}
	cr_assert_gt(X509_CRL_sign(crl, issuer->key, EVP_sha256()), 0);
	ASN1_TIME_free(from);
	ASN1_TIME_free(to);
	return crl;
}

/* Text that grows; the caller frees it. */
struct pki_text {
	char *text;
	size_t length;
};

static inline void pki_text_done(struct pki_text *text)
{
	free(text->text);
}
#define _pki_text_ __attribute__((cleanup(pki_text_done))) struct pki_text

static inline void pki_text_take(struct pki_text *text, BIO *bio)
{
	char *more;
	long length = BIO_get_mem_data(bio, &more);

	text->text = realloc(text->text, text->length + (size_t)length + 1);
	memcpy(text->text + text->length, more, (size_t)length);
	text->length += (size_t)length;
	text->text[text->length] = '\0';
	BIO_free(bio);
}

static inline void pki_text_x509(struct pki_text *text, X509 *x509)
{
	BIO *bio = BIO_new(BIO_s_mem());

	cr_assert(PEM_write_bio_X509(bio, x509));
	pki_text_take(text, bio);
}

static inline void pki_text_crl(struct pki_text *text, X509_CRL *crl)
{
	BIO *bio = BIO_new(BIO_s_mem());

	cr_assert(PEM_write_bio_X509_CRL(bio, crl));
	pki_text_take(text, bio);
	X509_CRL_free(crl);
}

static inline void pki_text_key(struct pki_text *text, EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_mem());

	cr_assert(PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL));
	pki_text_take(text, bio);
}

/* The SVID of a chain of certificates, NULL-terminated; asserts that it is one. */
static inline struct svid *pki_svid(EVP_PKEY *key, X509 *const *certificates)
{
	STACK_OF(X509) *chain = sk_X509_new_null();
	struct credential_error error = { 0 };
	struct svid *svid = NULL;

	for (; *certificates; certificates++)
		sk_X509_push(chain, *certificates);
	cr_assert_eq(svid_new(chain, key, &svid, &error), 0, "%s", error.text);
	sk_X509_free(chain);
	return svid;
}

static inline struct bundles pki_bundles(const struct pki_text *pem)
{
	struct credential_error error = { 0 };
	struct bundles bundles = { 0 };
	struct bundle *bundle = NULL;

	cr_assert_eq(bundle_from_pem("example.org", pem->text, pem->length, &bundle, &error), 0,
		     "%s", error.text);
	cr_assert_eq(bundles_put(&bundles, bundle), 0);
	return bundles;
}

static inline void pki_write(const char *directory, const char *name, const void *bytes,
			     size_t length, mode_t mode)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	cr_assert_geq(fd, 0, "%s: %m", path);
	cr_assert_eq(fchmod(fd, mode), 0);
	cr_assert_eq(write(fd, bytes, length), (ssize_t)length);
	close(fd);
}

/* A directory that goes with the test, whatever is in it by then. */
struct pki_directory {
	char path[64];
};

static inline void pki_directory_init(struct pki_directory *d)
{
	strcpy(d->path, "/tmp/countersign-test-XXXXXX");
	cr_assert_not_null(mkdtemp(d->path));
}

static inline void pki_directory_done(struct pki_directory *d)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", d->path);
	cr_assert_eq(system(command), 0);
}
#define _pki_directory_ __attribute__((cleanup(pki_directory_done))) struct pki_directory
