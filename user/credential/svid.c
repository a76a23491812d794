/* SPDX-License-Identifier: Apache-2.0 */
#include "user/credential/svid.h"

#include <openssl/x509v3.h>

#include "user/credential/error.h"
#include "user/credential/x509.h"
#include "user/identity/spiffe.h"

#define SVID_NODE_PATH "countersign/node/"
#define SVID_NODE_NAME_MAX 63
#define SVID_ISSUER_MAX 256 /* of the name for people; longer ones are cut */

struct svid *svid_free(struct svid *svid)
{
	if (!svid)
		return NULL;
	free(svid->spiffe_id);
	free(svid->trust_domain);
	free(svid->issuer);
	X509_free(svid->leaf);
	sk_X509_pop_free(svid->intermediates, X509_free);
	EVP_PKEY_free(svid->key);
	free(svid);
	return NULL;
}

/* The one URI among the leaf's names. */
static int read_uri(const GENERAL_NAMES *names, const ASN1_IA5STRING **ret,
		    struct credential_error *reterr)
{
	const ASN1_IA5STRING *uri = NULL;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type != GEN_URI)
			continue;
		if (uri)
			return credential_fail(reterr, -EINVAL,
					       "the certificate names more than one URI; an "
					       "X.509-SVID has exactly one, its SPIFFE ID");
		uri = name->d.uniformResourceIdentifier;
	}
	if (!uri)
		return credential_fail(
			reterr, -EINVAL,
			"the certificate names no URI; issue an X.509-SVID, "
			"with its SPIFFE ID as the one URI subject alternative name");
	*ret = uri;
	return 0;
}

static int read_spiffe_id(struct svid *svid, struct credential_error *reterr)
{
	_cleanup_(general_names_freep) GENERAL_NAMES *names = NULL;
	const ASN1_IA5STRING *uri = NULL;
	const char *problem, *domain;
	int critical, r;

	names = X509_get_ext_d2i(svid->leaf, NID_subject_alt_name, &critical, NULL);
	if (!names && critical != -1)
		return credential_fail(
			reterr, -EINVAL,
			"the certificate's subject alternative names cannot be read");
	r = read_uri(names, &uri, reterr);
	if (r < 0)
		return r;
	svid->spiffe_id =
		strndup((const char *)ASN1_STRING_get0_data(uri), (size_t)ASN1_STRING_length(uri));
	if (!svid->spiffe_id)
		return -ENOMEM;
	if (strlen(svid->spiffe_id) != (size_t)ASN1_STRING_length(uri))
		return credential_fail(reterr, -EINVAL,
				       "the certificate's URI has a NUL byte in it");
	problem = spiffe_id_problem(svid->spiffe_id);
	if (problem)
		return credential_fail(reterr, -EINVAL,
				       "the certificate's URI \"%.200s\" is no SPIFFE ID: %s",
				       svid->spiffe_id, problem);
	domain = svid->spiffe_id + strlen("spiffe://");
	svid->trust_domain = strndup(domain, strcspn(domain, "/"));
	return svid->trust_domain ? 0 : -ENOMEM;
}

/* Lower-case hex without leading zeros. */
static int read_serial(struct svid *svid, struct credential_error *reterr)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(svid->leaf);
	const uint8_t *bytes = ASN1_STRING_get0_data(serial);
	int length = ASN1_STRING_length(serial);
	const char *digits;

	if (ASN1_STRING_type(serial) == V_ASN1_NEG_INTEGER || length > (SVID_SERIAL_MAX - 1) / 2)
		return credential_fail(reterr, -EINVAL,
				       "the certificate's serial number is negative or longer than "
				       "20 bytes; issue it with another");
	for (int i = 0; i < length; i++)
		snprintf(svid->serial + 2 * i, 3, "%02x", bytes[i]);
	digits = svid->serial + strspn(svid->serial, "0");
	memmove(svid->serial, digits, strlen(digits) + 1);
	if (!*svid->serial)
		strcpy(svid->serial, "0");
	return 0;
}

static int read_issuer(struct svid *svid)
{
	_cleanup_(bio_freep) BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long length;

	if (!bio ||
	    X509_NAME_print_ex(bio, X509_get_issuer_name(svid->leaf), 0, XN_FLAG_RFC2253) < 0)
		return -ENOMEM;
	length = BIO_get_mem_data(bio, &text);
	svid->issuer = strndup(text ? text : "", (size_t)MIN(length, SVID_ISSUER_MAX));
	return svid->issuer ? 0 : -ENOMEM;
}

static int read_times(struct svid *svid, struct credential_error *reterr)
{
	if (x509_time(X509_get0_notBefore(svid->leaf), &svid->not_before_s) < 0 ||
	    x509_time(X509_get0_notAfter(svid->leaf), &svid->not_after_s) < 0)
		return credential_fail(reterr, -EINVAL,
				       "the certificate's validity cannot be read");
	if (svid->not_after_s <= svid->not_before_s)
		return credential_fail(reterr, -EINVAL,
				       "the certificate's validity ends before it begins");
	return 0;
}

/* SPIFFE X.509-SVID, sections 4.1 and 4.3, for the leaf. */
static int check_leaf(X509 *leaf, struct credential_error *reterr)
{
	uint32_t flags = X509_get_extension_flags(leaf), usage = X509_get_key_usage(leaf);

	if (flags & EXFLAG_INVALID)
		return credential_fail(
			reterr, -EINVAL,
			"the certificate has an extension that cannot be read, or twice");
	if (flags & EXFLAG_CA)
		return credential_fail(
			reterr, -EINVAL,
			"the first certificate is a CA's; the leaf must come first, and "
			"an X.509-SVID is no CA");
	if (!(flags & EXFLAG_KUSAGE) || !(usage & X509v3_KU_DIGITAL_SIGNATURE))
		return credential_fail(reterr, -EINVAL,
				       "the certificate's key usage lacks digitalSignature");
	if (usage & (X509v3_KU_KEY_CERT_SIGN | X509v3_KU_CRL_SIGN))
		return credential_fail(
			reterr, -EINVAL,
			"the certificate's key usage has keyCertSign or cRLSign, which "
			"is for CAs");
	return 0;
}

/* Takes references of the leaf and the intermediates. */
static int take_chain(struct svid *svid, STACK_OF(X509) * chain, struct credential_error *reterr)
{
	int n = sk_X509_num(chain);
	int r;

	if (n < 1 || n > SVID_CHAIN_MAX)
		return credential_fail(
			reterr, n < 1 ? -ENODATA : -E2BIG,
			"there are %d certificates in the chain; 1 to %d are possible", MAX(n, 0),
			SVID_CHAIN_MAX);
	svid->leaf = sk_X509_value(chain, 0);
	X509_up_ref(svid->leaf);
	svid->intermediates = sk_X509_new_null();
	if (!svid->intermediates)
		return -ENOMEM;
	r = check_leaf(svid->leaf, reterr);
	for (int i = 1; i < n && r == 0; i++) {
		if (!x509_is_ca(sk_X509_value(chain, i)))
			return credential_fail(reterr, -EINVAL,
					       "certificate %d of the chain is no CA's; behind the "
					       "leaf there may only be those that signed",
					       i + 1);
		if (!X509_add_cert(svid->intermediates, sk_X509_value(chain, i),
				   X509_ADD_FLAG_UP_REF))
			return -ENOMEM;
	}
	return r;
}

static int take_key(struct svid *svid, EVP_PKEY *key, struct credential_error *reterr)
{
	EVP_PKEY *public = X509_get0_pubkey(svid->leaf);

	if (!public)
		return credential_fail(reterr, -EINVAL, "the certificate's public key: %s",
				       credential_openssl_reason());
	if (key && EVP_PKEY_eq(public, key) != 1) {
		credential_openssl_reason();
		return credential_fail(
			reterr, -EKEYREJECTED,
			"the private key is not that of the certificate; they must be "
			"renewed together");
	}
	if (key)
		EVP_PKEY_up_ref(key);
	svid->key = key;
	return 0;
}

int svid_new(STACK_OF(X509) * chain, EVP_PKEY *key, struct svid **ret,
	     struct credential_error *reterr)
{
	_cleanup_(svid_freep) struct svid *svid = calloc(1, sizeof(*svid));
	int r;

	if (!svid)
		return -ENOMEM;
	r = take_chain(svid, chain, reterr);
	if (r == 0)
		r = read_spiffe_id(svid, reterr);
	if (r == 0)
		r = read_serial(svid, reterr);
	if (r == 0)
		r = read_times(svid, reterr);
	if (r == 0)
		r = read_issuer(svid);
	if (r == 0)
		r = take_key(svid, key, reterr);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(svid);
	return 0;
}

/* A DNS label or name: what a node can be called. */
static bool is_node_name(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	size_t length = strlen(name);

	if (length == 0 || length > SVID_NODE_NAME_MAX)
		return false;
	for (;;) {
		size_t n = strcspn(name, ".");

		if (n == 0 || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.") < n ||
		    !strchr(letters, name[0]) || !strchr(letters, name[n - 1]))
			return false;
		if (!name[n])
			return true;
		name += n + 1;
	}
}

const char *svid_node_name(const struct svid *svid)
{
	const char *path = svid->spiffe_id + strlen("spiffe://") + strlen(svid->trust_domain) + 1;

	if (!startswith(path, SVID_NODE_PATH) || !is_node_name(path + strlen(SVID_NODE_PATH)))
		return NULL;
	return path + strlen(SVID_NODE_PATH);
}
