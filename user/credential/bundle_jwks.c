/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SPIFFE bundle format read: a JWK set whose keys with use "x509-svid" are authorities.
 * Members and uses that are unknown are passed over, as the specification says; ours are
 * "countersign_nodes", and "countersign_crls": CRLs in base64 DER, for which it has no place.
 */
#include <jansson.h>

#include "user/credential/bundle_internal.h"
#include "user/credential/error.h"
#include "user/credential/text.h"
#include "user/credential/x509.h"

#define JWKS_NODE_MAX 65535

/* Base64 text of a JSON string; the caller's. */
static int decode(const json_t *string, uint8_t **ret, size_t *ret_length)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	int r;

	if (!json_is_string(string))
		return -EINVAL;
	bytes = malloc(base64_room(json_string_length(string)));
	if (!bytes)
		return -ENOMEM;
	r = base64_decode(json_string_value(string), json_string_length(string), bytes, ret_length);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(bytes);
	return 0;
}

/* "kty" must be that of the certificate's key: else whoever wrote it meant another key. */
static bool type_fits(const char *kty, X509 *x509)
{
	static const struct {
		int id;
		const char *kty;
	} types[] = {
		{ EVP_PKEY_EC, "EC" },	     { EVP_PKEY_RSA, "RSA" },	{ EVP_PKEY_RSA_PSS, "RSA" },
		{ EVP_PKEY_ED25519, "OKP" }, { EVP_PKEY_ED448, "OKP" },
	};
	EVP_PKEY *key = X509_get0_pubkey(x509);

	for (size_t i = 0; key && i < ARRAY_SIZE(types); i++)
		if (types[i].id == EVP_PKEY_get_base_id(key))
			return streq(types[i].kty, kty);
	return false;
}

static int read_authority(struct bundle *bundle, const json_t *key, size_t number,
			  struct credential_error *reterr)
{
	const json_t *x5c = json_object_get(key, "x5c");
	const char *kty = json_string_value(json_object_get(key, "kty"));
	_cleanup_free_ uint8_t *der = NULL;
	const uint8_t *at, *end;
	X509 *x509 = NULL;
	size_t length;
	int r;

	if (!json_is_array(x5c) || json_array_size(x5c) != 1)
		return credential_fail(
			reterr, -EINVAL,
			"keys[%zu]: \"x5c\" must be an array of exactly one certificate", number);
	if (decode(json_array_get(x5c, 0), &der, &length) < 0)
		return credential_fail(reterr, -EBADMSG, "keys[%zu]: \"x5c\" is no base64", number);
	at = der;
	end = der + length;
	if (x509_from_der(&at, end, &x509, NULL) < 0 || at != end) {
		X509_free(x509);
		return credential_fail(reterr, -EBADMSG, "keys[%zu]: \"x5c\" is no DER certificate",
				       number);
	}
	if (!kty || !type_fits(kty, x509)) {
		X509_free(x509);
		return credential_fail(reterr, -EINVAL,
				       "keys[%zu]: \"kty\" is not that of the certificate's key",
				       number);
	}
	r = bundle_add_authority(bundle, x509, reterr);
	if (r < 0 && r != -ENOMEM && reterr) {
		struct credential_error inner = *reterr;

		credential_fail(reterr, r, "keys[%zu]: %.400s", number, inner.text);
	}
	return r;
}

static int read_keys(struct bundle *bundle, const json_t *keys, struct credential_error *reterr)
{
	if (!json_is_array(keys))
		return credential_fail(reterr, -EINVAL,
				       "the bundle must have \"keys\", an array (a JWK set)");
	for (size_t i = 0; i < json_array_size(keys); i++) {
		const json_t *key = json_array_get(keys, i);
		const json_t *use = json_object_get(key, "use");
		int r;

		if (!json_is_object(key) || !json_is_string(use))
			return credential_fail(reterr, -EINVAL,
					       "keys[%zu] must be an object with a \"use\"", i);
		if (!streq(json_string_value(use), "x509-svid"))
			continue;
		r = read_authority(bundle, key, i, reterr);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_crls(struct bundle *bundle, const json_t *crls, struct credential_error *reterr)
{
	if (crls && !json_is_array(crls))
		return credential_fail(reterr, -EINVAL, "\"countersign_crls\" must be an array");
	for (size_t i = 0; i < json_array_size(crls); i++) {
		_cleanup_free_ uint8_t *der = NULL;
		const uint8_t *at;
		X509_CRL *crl = NULL;
		size_t length;
		int r;

		if (decode(json_array_get(crls, i), &der, &length) == 0) {
			at = der;
			crl = d2i_X509_CRL(NULL, &at, (long)length);
		}
		credential_openssl_reason();
		if (!crl)
			return credential_fail(reterr, -EBADMSG,
					       "countersign_crls[%zu] is no CRL in base64 DER", i);
		r = bundle_add_crl(bundle, crl, reterr);
		if (r < 0)
			return r;
	}
	return 0;
}

static int read_number(const json_t *root, const char *name, int64_t *ret,
		       struct credential_error *reterr)
{
	const json_t *number = json_object_get(root, name);

	if (!number)
		return 0;
	if (!json_is_integer(number) || json_integer_value(number) < 0)
		return credential_fail(reterr, -EINVAL, "\"%s\" must be a whole number", name);
	*ret = json_integer_value(number);
	return 0;
}

int bundle_parse_nodes(const char *text, uint16_t *ret_first, uint16_t *ret_last)
{
	unsigned int first, last;
	int end = 0;

	if (strspn(text, "0123456789-") != strlen(text) || strlen(text) > strlen("65535-65535") ||
	    text[0] == '-' || sscanf(text, "%u-%u%n", &first, &last, &end) != 2 || text[end] ||
	    !strchr("0123456789", text[end - 1]) || strstr(text, "--"))
		return -EINVAL;
	if (first < 1 || last > JWKS_NODE_MAX || first > last)
		return -ERANGE;
	*ret_first = (uint16_t)first;
	*ret_last = (uint16_t)last;
	return 0;
}

static int read_nodes(struct bundle *bundle, const json_t *root, struct credential_error *reterr)
{
	const json_t *nodes = json_object_get(root, "countersign_nodes");

	if (!nodes)
		return 0;
	if (!json_is_string(nodes) ||
	    bundle_parse_nodes(json_string_value(nodes), &bundle->node_first, &bundle->node_last) <
		    0)
		return credential_fail(reterr, -EINVAL,
				       "\"countersign_nodes\" must be a range of node numbers "
				       "within 1-65535, such as \"4096-8191\"");
	return 0;
}

static int read_members(struct bundle *bundle, const json_t *root, struct credential_error *reterr)
{
	int64_t sequence = 0;
	int r;

	if (!json_is_object(root))
		return credential_fail(reterr, -EINVAL, "the bundle must be a JSON object");
	r = read_number(root, "spiffe_sequence", &sequence, reterr);
	bundle->sequence = (uint64_t)sequence;
	if (r == 0)
		r = read_number(root, "spiffe_refresh_hint", &bundle->refresh_hint_s, reterr);
	if (r == 0)
		r = read_nodes(bundle, root, reterr);
	if (r == 0)
		r = read_keys(bundle, json_object_get(root, "keys"), reterr);
	if (r == 0)
		r = read_crls(bundle, json_object_get(root, "countersign_crls"), reterr);
	return r;
}

int bundle_from_jwks(const char *trust_domain, const char *json, size_t length, struct bundle **ret,
		     struct credential_error *reterr)
{
	_cleanup_(bundle_freep) struct bundle *bundle = NULL;
	json_auto_t *root = NULL;
	json_error_t error;
	int r;

	if (length > BUNDLE_BYTES_MAX)
		return credential_fail(reterr, -EFBIG, "the bundle has more than %d bytes",
				       BUNDLE_BYTES_MAX);
	r = bundle_new(trust_domain, &bundle, reterr);
	if (r < 0)
		return r;
	root = json_loadb(json, length, JSON_REJECT_DUPLICATES, &error);
	if (!root)
		return credential_fail(reterr, -EBADMSG, "line %d, column %d: %s", error.line,
				       error.column, error.text);
	r = read_members(bundle, root, reterr);
	if (r == 0)
		r = bundle_check(bundle, reterr);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(bundle);
	return 0;
}
