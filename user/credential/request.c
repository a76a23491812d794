/* SPDX-License-Identifier: Apache-2.0 */
#include "user/credential/request.h"

#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "user/credential/authority_internal.h"
#include "user/credential/error.h"
#include "user/credential/x509.h"
#include "user/identity/spiffe.h"

#define CURVE_NAME_MAX 64

static void request_freep(X509_REQ **request)
{
	X509_REQ_free(*request);
}

static void extensions_freep(STACK_OF(X509_EXTENSION) * *extensions)
{
	sk_X509_EXTENSION_pop_free(*extensions, X509_EXTENSION_free);
}

void request_done(struct request *request)
{
	free(request->spiffe_id);
	EVP_PKEY_free(request->key);
	*request = (struct request){ NULL };
}

/* ---- made ---- */

static bool add_id(X509_REQ *request, const char *spiffe_id)
{
	_cleanup_(extensions_freep) STACK_OF(X509_EXTENSION) *list = sk_X509_EXTENSION_new_null();
	_cleanup_free_ char *value = NULL;
	X509_EXTENSION *extension;

	if (asprintf(&value, "URI:%s", spiffe_id) < 0) {
		value = NULL;
		return false;
	}
	extension = X509V3_EXT_nconf_nid(NULL, NULL, NID_subject_alt_name, value);
	if (!extension || !list || !sk_X509_EXTENSION_push(list, extension)) {
		X509_EXTENSION_free(extension);
		return false;
	}
	return X509_REQ_add_extensions(request, list) == 1;
}

static char *pem_of(X509_REQ *request)
{
	_cleanup_(bio_freep) BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long length;

	if (!bio || PEM_write_bio_X509_REQ(bio, request) != 1)
		return NULL;
	length = BIO_get_mem_data(bio, &text);
	return strndup(text, (size_t)length);
}

int request_make(EVP_PKEY *key, const char *spiffe_id, char **ret, struct credential_error *reterr)
{
	_cleanup_(request_freep) X509_REQ *request = X509_REQ_new();
	char *pem = NULL;

	if (request && X509_REQ_set_version(request, X509_REQ_VERSION_1) &&
	    X509_REQ_set_pubkey(request, key) &&
	    X509_NAME_add_entry_by_txt(X509_REQ_get_subject_name(request), "O", MBSTRING_ASC,
				       (const unsigned char *)"Countersign", -1, -1, 0) &&
	    add_id(request, spiffe_id) && X509_REQ_sign(request, key, authority_digest(key)) > 0)
		pem = pem_of(request);
	if (!pem)
		return credential_fail(reterr, -EIO, "the certificate request cannot be made: %s",
				       credential_openssl_reason());
	*ret = pem;
	return 0;
}

/* ---- judged ---- */

static int check_key(EVP_PKEY *key, struct credential_error *reterr)
{
	char curve[CURVE_NAME_MAX] = "";
	int bits = EVP_PKEY_get_bits(key);

	switch (EVP_PKEY_get_base_id(key)) {
	case EVP_PKEY_ED25519:
		return 0;
	case EVP_PKEY_RSA:
		if (bits >= REQUEST_RSA_BITS_MIN && bits <= REQUEST_RSA_BITS_MAX)
			return 0;
		return credential_fail(reterr, -EPERM, "its RSA key has %d bits: %d to %d will do",
				       bits, REQUEST_RSA_BITS_MIN, REQUEST_RSA_BITS_MAX);
	case EVP_PKEY_EC:
		EVP_PKEY_get_utf8_string_param(key, "group", curve, sizeof(curve), NULL);
		if (streq(curve, "prime256v1") || streq(curve, "secp384r1"))
			return 0;
		return credential_fail(reterr, -EPERM, "its curve is %s: P-256 and P-384 will do",
				       *curve ? curve : "not a named one");
	default:
		return credential_fail(reterr, -EPERM,
				       "its key is of a kind that is not signed: EC, RSA and "
				       "Ed25519 are");
	}
}

/* The one URI of the one extension. */
static int read_id(X509_REQ *request, char **ret, struct credential_error *reterr)
{
	_cleanup_(extensions_freep)
		STACK_OF(X509_EXTENSION) *list = X509_REQ_get_extensions(request);
	_cleanup_(general_names_freep) GENERAL_NAMES *names = NULL;
	const ASN1_IA5STRING *uri;
	const GENERAL_NAME *name;
	const char *problem;
	char *id;

	if (X509_REQ_get_attr_count(request) != 1 || sk_X509_EXTENSION_num(list) != 1)
		return credential_fail(reterr, -EPERM,
				       "it must have one extension, the subject alternative name, "
				       "and no other attribute");
	names = X509V3_get_d2i(list, NID_subject_alt_name, NULL, NULL);
	name = sk_GENERAL_NAME_num(names) == 1 ? sk_GENERAL_NAME_value(names, 0) : NULL;
	if (!name || name->type != GEN_URI)
		return credential_fail(reterr, -EPERM,
				       "its subject alternative name must be one URI, the SPIFFE "
				       "ID, and nothing else");
	uri = name->d.uniformResourceIdentifier;
	id = strndup((const char *)ASN1_STRING_get0_data(uri), (size_t)ASN1_STRING_length(uri));
	if (!id)
		return -ENOMEM;
	problem = strlen(id) == (size_t)ASN1_STRING_length(uri) ? spiffe_id_problem(id)
								: "it has a NUL byte in it";
	if (problem) {
		credential_fail(reterr, -EPERM, "its URI \"%.200s\" is no SPIFFE ID: %s", id,
				problem);
		free(id);
		return -EPERM;
	}
	*ret = id;
	return 0;
}

int request_parse(const char *pem, size_t length, struct request *ret,
		  struct credential_error *reterr)
{
	_cleanup_(bio_freep)
		BIO *bio = length <= REQUEST_BYTES_MAX ? BIO_new_mem_buf(pem, (int)length) : NULL;
	_cleanup_(request_freep)
		X509_REQ *request = bio ? PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL) : NULL;
	_cleanup_(request_done) struct request found = { NULL };
	EVP_PKEY *key = request ? X509_REQ_get0_pubkey(request) : NULL;
	int r;

	if (!key)
		return credential_fail(reterr, -EBADMSG, "it is no certificate request in PEM: %s",
				       credential_openssl_reason());
	if (X509_REQ_verify(request, key) != 1)
		return credential_fail(reterr, -EBADMSG, "its signature is not its key's: %s",
				       credential_openssl_reason());
	r = check_key(key, reterr);
	if (r == 0)
		r = read_id(request, &found.spiffe_id, reterr);
	if (r < 0)
		return r;
	EVP_PKEY_up_ref(key);
	found.key = key;
	*ret = found;
	found = (struct request){ NULL };
	return 0;
}
