/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates made: the CA's own, and SVIDs. */
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include "user/base/clock.h"
#include "user/base/file.h"
#include "user/base/file_write.h"
#include "user/credential/authority_internal.h"
#include "user/credential/error.h"
#include "user/credential/secret.h"
#include "user/credential/x509.h"
#include "user/identity/spiffe.h"

#define AUTHORITY_SERIAL_BYTES 20 /* of which the first bit is zero: 159 random ones */

const EVP_MD *authority_digest(const EVP_PKEY *key)
{
	int id = EVP_PKEY_get_base_id(key);

	return id == EVP_PKEY_ED25519 || id == EVP_PKEY_ED448 ? NULL : EVP_sha256();
}

int authority_extend(X509 *x509, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *extension;
	X509V3_CTX ctx;
	int good;

	X509V3_set_ctx(&ctx, issuer, x509, NULL, NULL, 0);
	extension = X509V3_EXT_nconf_nid(NULL, &ctx, nid, value);
	good = extension && X509_add_ext(x509, extension, -1);
	X509_EXTENSION_free(extension);
	return good ? 0 : -ENOMEM;
}

static bool random_serial(X509 *x509)
{
	uint8_t bytes[AUTHORITY_SERIAL_BYTES];
	BIGNUM *bn;
	bool good;

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return false;
	bytes[0] &= 0x7f;
	bn = BN_bin2bn(bytes, sizeof(bytes), NULL);
	good = bn && BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(x509));
	BN_free(bn);
	return good;
}

struct names {
	const char *organization;
	const char *common;
};

static bool set_subject(X509 *x509, const struct names *names)
{
	X509_NAME *name = X509_get_subject_name(x509);

	return X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC,
					  (const unsigned char *)names->organization, -1, -1, 0) &&
	       X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
					  (const unsigned char *)names->common, -1, -1, 0);
}

/* A certificate for @key without extensions, not signed yet. @issuer NULL: its own. */
static X509 *certificate_new(EVP_PKEY *key, X509 *issuer, const struct names *names, int64_t from_s,
			     int64_t to_s)
{
	_cleanup_(x509_freep) X509 *x509 = X509_new();

	if (!x509 || !X509_set_version(x509, X509_VERSION_3) || !random_serial(x509) ||
	    !set_subject(x509, names) || !X509_set_pubkey(x509, key) ||
	    !X509_set_issuer_name(x509, X509_get_subject_name(issuer ? issuer : x509)) ||
	    !ASN1_TIME_set(X509_getm_notBefore(x509), from_s) ||
	    !ASN1_TIME_set(X509_getm_notAfter(x509), to_s))
		return NULL;
	return TAKE_PTR(x509);
}

struct extension {
	int nid;
	const char *value;
};

static int finish(X509 *x509, X509 *issuer, EVP_PKEY *key, const struct extension *extensions,
		  size_t n, struct credential_error *reterr)
{
	int r = x509 ? 0 : -ENOMEM;

	for (size_t i = 0; i < n && r == 0; i++)
		r = authority_extend(x509, issuer ? issuer : x509, extensions[i].nid,
				     extensions[i].value);
	if (r == 0 && X509_sign(x509, key, authority_digest(key)) <= 0)
		r = -EIO;
	return r < 0 ? credential_fail(reterr, r, "the certificate cannot be made: %s",
				       credential_openssl_reason())
		     : 0;
}

/* PEM of a private key, in the secure heap. */
static BIO *key_pem(EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_secmem());

	if (bio && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1) {
		BIO_free_all(bio);
		return NULL;
	}
	return bio;
}

static int write_key(int dir, const char *name, EVP_PKEY *key, bool fresh)
{
	_cleanup_(bio_freep) BIO *bio = key_pem(key);
	char *text;
	long length;

	if (!bio)
		return -ENOMEM;
	length = BIO_get_mem_data(bio, &text);
	return file_write_at(dir, name, text, (size_t)length, 0600, fresh);
}

static int write_certificate(int dir, const char *name, const struct svid *svid, X509 *x509,
			     bool fresh)
{
	_cleanup_(bio_freep) BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long length;

	if (!bio || PEM_write_bio_X509(bio, x509) != 1)
		return -ENOMEM;
	for (int i = 0; svid && i < sk_X509_num(svid->intermediates); i++)
		if (PEM_write_bio_X509(bio, sk_X509_value(svid->intermediates, i)) != 1)
			return -ENOMEM;
	length = BIO_get_mem_data(bio, &text);
	return file_write_at(dir, name, text, (size_t)length, 0644, fresh);
}

static int make_root(EVP_PKEY *key, const char *trust_domain, int64_t lifetime_s, X509 **ret,
		     struct credential_error *reterr)
{
	const struct names names = { "Countersign", "countersign CA" };
	_cleanup_(x509_freep) X509 *x509 = NULL;
	char uri[SPIFFE_TRUST_DOMAIN_MAX + sizeof("URI:spiffe://")];
	int64_t now_s = clock_ns(CLOCK_REALTIME) / NS_PER_S;
	const struct extension extensions[] = {
		{ NID_basic_constraints, "critical,CA:TRUE,pathlen:0" },
		{ NID_key_usage, "critical,keyCertSign,cRLSign" },
		{ NID_subject_key_identifier, "hash" },
		{ NID_subject_alt_name, uri },
	};
	int r;

	snprintf(uri, sizeof(uri), "URI:spiffe://%s", trust_domain);
	x509 = certificate_new(key, NULL, &names, now_s - AUTHORITY_BACKDATE_S, now_s + lifetime_s);
	r = finish(x509, NULL, key, extensions, ARRAY_SIZE(extensions), reterr);
	if (r == 0)
		*ret = TAKE_PTR(x509);
	return r;
}

/* The directory @path, made when missing. */
static int open_made(const char *path, mode_t mode, int *ret, struct credential_error *reterr)
{
	int r = directory_make(path, mode), fd;

	if (r < 0)
		return credential_fail(reterr, r, "%s: %s", path, strerror(-r));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return credential_fail(reterr, -errno, "%s: %m", path);
	*ret = fd;
	return 0;
}

int authority_init(const char *path, const char *trust_domain, int64_t lifetime_s,
		   struct credential_error *reterr)
{
	_cleanup_(pkey_freep) EVP_PKEY *key = NULL;
	_cleanup_(x509_freep) X509 *x509 = NULL;
	_cleanup_close_ int dir = -EBADF;
	int r;

	if (!spiffe_trust_domain_valid(trust_domain))
		return credential_fail(reterr, -EINVAL,
				       "\"%.100s\" is no trust domain: 1 to 255 characters of "
				       "a-z 0-9 . _ -",
				       trust_domain);
	r = secret_init(reterr);
	if (r == 0)
		r = open_made(path, 0700, &dir, reterr);
	if (r < 0)
		return r;
	key = EVP_EC_gen("P-256");
	if (!key)
		return credential_fail(reterr, -EIO, "no key: %s", credential_openssl_reason());
	r = make_root(key, trust_domain, lifetime_s > 0 ? lifetime_s : AUTHORITY_LIFETIME_S, &x509,
		      reterr);
	if (r < 0)
		return r;
	/* Either file in the way is a CA that somebody may still need. */
	if (faccessat(dir, AUTHORITY_CERTIFICATE, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		r = -EEXIST;
	if (r == 0)
		r = write_key(dir, AUTHORITY_KEY, key, /* fresh= */ true);
	if (r == 0)
		r = write_certificate(dir, AUTHORITY_CERTIFICATE, NULL, x509, /* fresh= */ true);
	if (r < 0)
		return credential_fail(reterr, r, "%s: %s", path,
				       r == -EEXIST ? "there is a CA already; it is left as it is"
						    : strerror(-r));
	return 0;
}

/* When what the CA issues ends: not after the CA. */
static int end_of(const struct authority *authority, int64_t now_s, int64_t lifetime_s,
		  int64_t *ret, struct credential_error *reterr)
{
	int64_t end_s;

	if (x509_time(X509_get0_notAfter(authority->certificate), &end_s) < 0 || end_s <= now_s)
		return credential_fail(reterr, -EKEYEXPIRED,
				       "the CA's certificate has expired; make a new CA, and give "
				       "its bundle to all nodes first");
	*ret = MIN(end_s, now_s + lifetime_s);
	return 0;
}

static int sign_leaf(const struct authority *authority, const char *spiffe_id, EVP_PKEY *key,
		     int64_t from_s, int64_t to_s, X509 **ret, struct credential_error *reterr)
{
	const struct names names = { "Countersign", "X.509-SVID" };
	_cleanup_(x509_freep) X509 *x509 = NULL;
	_cleanup_free_ char *uri = NULL;
	int r;

	/* Commas would begin another name; an ID has none. */
	if (asprintf(&uri, "URI:%s", spiffe_id) < 0)
		return -ENOMEM;
	x509 = certificate_new(key, authority->certificate, &names, from_s, to_s);
	r = finish(x509, authority->certificate, authority->key,
		   (const struct extension[]){
			   { NID_basic_constraints, "critical,CA:FALSE" },
			   { NID_key_usage, "critical,digitalSignature" },
			   { NID_ext_key_usage, "serverAuth,clientAuth" },
			   { NID_subject_key_identifier, "hash" },
			   { NID_authority_key_identifier, "keyid" },
			   { NID_subject_alt_name, uri },
		   },
		   6, reterr);
	if (r == 0)
		*ret = TAKE_PTR(x509);
	return r;
}

/* The ID must be well-formed and of the CA's own trust domain. */
static int check_id(const struct authority *authority, const char *spiffe_id,
		    struct credential_error *reterr)
{
	const char *problem = spiffe_id_problem(spiffe_id), *domain;
	size_t length = strlen(authority->trust_domain);

	if (problem)
		return credential_fail(reterr, -EINVAL, "\"%.200s\" is no SPIFFE ID: %s", spiffe_id,
				       problem);
	domain = spiffe_id + strlen("spiffe://");
	if (strncmp(domain, authority->trust_domain, length) != 0 || domain[length] != '/')
		return credential_fail(reterr, -EINVAL,
				       "%.200s is not of this CA's trust domain, %.200s", spiffe_id,
				       authority->trust_domain);
	return 0;
}

int authority_sign(const struct authority *authority, const char *spiffe_id, EVP_PKEY *key,
		   int64_t now_s, int64_t lifetime_s, X509 **ret, struct credential_error *reterr)
{
	int64_t to_s = 0;
	int r;

	r = check_id(authority, spiffe_id, reterr);
	if (r == 0)
		r = end_of(authority, now_s,
			   lifetime_s > 0 ? lifetime_s : AUTHORITY_SVID_LIFETIME_S, &to_s, reterr);
	return r < 0 ? r
		     : sign_leaf(authority, spiffe_id, key, now_s - AUTHORITY_BACKDATE_S, to_s, ret,
				 reterr);
}

int authority_issue(const struct authority *authority, const char *spiffe_id, int64_t now_s,
		    int64_t lifetime_s, struct svid **ret, struct credential_error *reterr)
{
	_cleanup_(x509_stack_freep) STACK_OF(X509) *chain = sk_X509_new_null();
	_cleanup_(pkey_freep) EVP_PKEY *key = NULL;
	X509 *x509 = NULL;
	int r;

	r = check_id(authority, spiffe_id, reterr);
	if (r == 0)
		r = secret_init(reterr);
	if (r < 0)
		return r;
	key = EVP_EC_gen("P-256");
	if (!key || !chain)
		return credential_fail(reterr, -EIO, "no key: %s", credential_openssl_reason());
	r = authority_sign(authority, spiffe_id, key, now_s, lifetime_s, &x509, reterr);
	if (r < 0)
		return r;
	if (!sk_X509_push(chain, x509)) {
		X509_free(x509);
		return -ENOMEM;
	}
	return svid_new(chain, key, ret, reterr);
}

int authority_write(const char *path, const struct svid *svid, const struct bundle *bundle,
		    struct credential_error *reterr)
{
	_cleanup_free_ char *pem = bundle_to_pem(bundle);
	_cleanup_close_ int dir = -EBADF;
	int r;

	if (!pem)
		return -ENOMEM;
	r = open_made(path, 0755, &dir, reterr);
	if (r < 0)
		return r;
	/* The certificate last: who waits for it finds its key. */
	r = file_write_at(dir, "ca.crt", pem, strlen(pem), 0644, /* fresh= */ false);
	if (r == 0)
		r = write_key(dir, "tls.key", svid->key, /* fresh= */ false);
	if (r == 0)
		r = write_certificate(dir, "tls.crt", svid, svid->leaf, /* fresh= */ false);
	return r < 0 ? credential_fail(reterr, r, "%s: %s", path, strerror(-r)) : 0;
}
