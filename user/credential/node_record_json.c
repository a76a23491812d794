/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Node records as JSON. A record is what was signed and nothing else: a member that is not
 * known here is refused, not skipped, but for what an API server adds to `metadata`.
 */
#include <jansson.h>

#include "user/credential/node_record.h"
#include "user/credential/node_text.h"
#include "user/identity/spiffe.h"

#define API_VERSION "countersign.dev/v1alpha1"
#define KIND "NodeIdentity"
#define CERTIFICATE_BYTES_MAX (16 << 10)
#define SHOWN_MAX 80 /* bytes of a foreign value in a message */

/* Where in the document something is wrong goes before what. */
#define refuse(error, ...) credential_fail(error, -EBADMSG, __VA_ARGS__)

/* ---- members ---- */

/* All that an object may have, "" at the end. */
static const char *const root_members[] = { "apiVersion", "kind", "metadata", "spec", "" };
static const char *const spec_members[] = { "trustDomain", "node",	   "number",	"issued",
					    "keys",	   "certificates", "signature", "" };
static const char *const key_members[] = { "parity", "publicKey", "notBefore",
					   "active", "notAfter",  "" };
/* An API server's own; nobody reads them. */
static const char *const metadata_members[] = {
	"name",	  "uid",	 "resourceVersion", "generation", "creationTimestamp",
	"labels", "annotations", "managedFields",   "selfLink",	  ""
};

static int check_object(const json_t *object, const char *where, const char *const *members,
			struct credential_error *reterr)
{
	const char *name;
	json_t *value;

	if (!json_is_object(object))
		return refuse(reterr, "%s: must be an object", where);
	json_object_foreach((json_t *)object, name, value) {
		const char *const *m = members;

		while (**m && !streq(*m, name))
			m++;
		if (!**m)
			return refuse(reterr, "%s: unknown field \"%.*s\"", where, SHOWN_MAX, name);
	}
	return 0;
}

/* The string @name of @object, NULL when it is missing or none. */
static const char *text_of(const json_t *object, const char *name, const char *where,
			   struct credential_error *reterr)
{
	const char *text = json_string_value(json_object_get(object, name));

	if (!text)
		refuse(reterr, "%s.%s: must be a string", where, name);
	return text;
}

static int fixed_of(const json_t *object, const char *name, const char *expected,
		    struct credential_error *reterr)
{
	const char *text = text_of(object, name, "record", reterr);

	if (!text)
		return -EBADMSG;
	if (!streq(text, expected))
		return refuse(reterr, "record.%s: is \"%.*s\", must be \"%s\"", name, SHOWN_MAX,
			      text, expected);
	return 0;
}

static int number_of(const json_t *object, const char *name, const char *where, json_int_t min,
		     json_int_t max, json_int_t *ret, struct credential_error *reterr)
{
	const json_t *value = json_object_get(object, name);

	if (!json_is_integer(value) || json_integer_value(value) < min ||
	    json_integer_value(value) > max)
		return refuse(reterr, "%s.%s: must be a whole number from %lld to %lld", where,
			      name, (long long)min, (long long)max);
	*ret = json_integer_value(value);
	return 0;
}

static int time_of(const json_t *object, const char *name, const char *where, int64_t *ret,
		   struct credential_error *reterr)
{
	const char *text = text_of(object, name, where, reterr);

	if (!text)
		return -EBADMSG;
	if (node_time_parse(text, ret) < 0)
		return refuse(reterr,
			      "%s.%s: is no time such as 2026-12-31T00:00:00.000Z: \"%.*s\"", where,
			      name, SHOWN_MAX, text);
	return 0;
}

/* Bytes in base64; @max of them at most. @where names the value itself. */
static int bytes_of(const json_t *value, const char *where, size_t max, uint8_t **ret,
		    size_t *ret_n, struct credential_error *reterr)
{
	const char *text = json_string_value(value);
	int r;

	if (!text)
		return refuse(reterr, "%s: must be a string", where);
	r = node_base64_decode(text, max, ret, ret_n);
	if (r == -EFBIG)
		return refuse(reterr, "%s: has more than %zu bytes", where, max);
	if (r == -EBADMSG)
		return refuse(reterr, "%s: is not base64 in its one spelling (RFC 4648)", where);
	return r < 0 ? credential_fail(reterr, r, "out of memory") : 0;
}

/* ---- spec ---- */

/* A DNS-1123 subdomain: labels of a-z, 0-9 and "-", with a letter or digit at their ends. */
static bool is_node_name(const char *name)
{
	static const char ends[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	static const char inner[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	size_t n = strlen(name);

	if (n == 0 || n >= NODE_NAME_MAX)
		return false;
	for (;; name += n + 1) {
		n = strspn(name, inner);
		if (n == 0 || !strchr(ends, name[0]) || !strchr(ends, name[n - 1]))
			return false;
		if (name[n] != '.')
			return !name[n];
	}
}

static int parse_names(const json_t *spec, struct node_record *record,
		       struct credential_error *reterr)
{
	const char *domain = text_of(spec, "trustDomain", "spec", reterr);
	const char *name = domain ? text_of(spec, "node", "spec", reterr) : NULL;

	if (!domain || !name)
		return -EBADMSG;
	if (!spiffe_trust_domain_valid(domain))
		return refuse(reterr, "spec.trustDomain: is no trust domain: \"%.*s\"", SHOWN_MAX,
			      domain);
	if (!is_node_name(name))
		return refuse(reterr, "spec.node: is no DNS name of at most %d bytes: \"%.*s\"",
			      NODE_NAME_MAX - 1, SHOWN_MAX, name);
	record->trust_domain = strdup(domain);
	if (!record->trust_domain)
		return credential_fail(reterr, -ENOMEM, "out of memory");
	strcpy(record->name, name);
	return 0;
}

static int parse_key(const json_t *object, size_t i, struct node_key *key,
		     struct credential_error *reterr)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	char where[32], where_public[48];
	json_int_t parity = 0;
	size_t n = 0;
	int r;

	snprintf(where, sizeof(where), "spec.keys[%zu]", i);
	snprintf(where_public, sizeof(where_public), "%s.publicKey", where);
	r = check_object(object, where, key_members, reterr);
	if (r == 0)
		r = number_of(object, "parity", where, 0, 1, &parity, reterr);
	if (r == 0)
		r = bytes_of(json_object_get(object, "publicKey"), where_public, NODE_KEY_BYTES,
			     &bytes, &n, reterr);
	if (r == 0 && n != NODE_KEY_BYTES)
		r = refuse(reterr, "%s: must have %d bytes", where_public, NODE_KEY_BYTES);
	if (r == 0)
		r = time_of(object, "notBefore", where, &key->not_before_ms, reterr);
	if (r == 0)
		r = time_of(object, "active", where, &key->active_ms, reterr);
	if (r == 0)
		r = time_of(object, "notAfter", where, &key->not_after_ms, reterr);
	if (r < 0)
		return r;
	key->parity = parity;
	memcpy(key->public_key, bytes, NODE_KEY_BYTES);
	return 0;
}

static int parse_keys(const json_t *spec, struct node_record *record,
		      struct credential_error *reterr)
{
	const json_t *keys = json_object_get(spec, "keys");
	size_t n = json_array_size(keys);

	if (n < 1 || n > NODE_KEYS_MAX)
		return refuse(reterr, "spec.keys: must be a list of 1 to %d keys", NODE_KEYS_MAX);
	for (size_t i = 0; i < n; i++) {
		int r = parse_key(json_array_get(keys, i), i, &record->key[i], reterr);

		if (r < 0)
			return r;
	}
	record->n_keys = n;
	return 0;
}

/* Exactly one certificate in DER: the bytes that make it again are the same. */
static int parse_certificate(const json_t *value, size_t i, STACK_OF(X509) * chain,
			     struct credential_error *reterr)
{
	_cleanup_free_ uint8_t *der = NULL;
	STACK_OF(X509) *one = NULL;
	uint8_t *again = NULL;
	char where[48];
	size_t n = 0;
	int r, length = -1;

	snprintf(where, sizeof(where), "spec.certificates[%zu]", i);
	r = bytes_of(value, where, CERTIFICATE_BYTES_MAX, &der, &n, reterr);
	if (r < 0)
		return r;
	r = svid_chain_from_der(der, n, &one, NULL);
	if (r == 0 && sk_X509_num(one) == 1)
		length = i2d_X509(sk_X509_value(one, 0), &again);
	if (length < 0 || (size_t)length != n || memcmp(again, der, n) != 0)
		r = refuse(reterr, "%s: is not one certificate in DER", where);
	else if (sk_X509_push(chain, sk_X509_value(one, 0)) > 0)
		sk_X509_pop(one);
	else
		r = credential_fail(reterr, -ENOMEM, "out of memory");
	OPENSSL_free(again);
	sk_X509_pop_free(one, X509_free);
	return r;
}

static int parse_certificates(const json_t *spec, struct node_record *record,
			      struct credential_error *reterr)
{
	const json_t *list = json_object_get(spec, "certificates");
	struct credential_error why = { "" };
	STACK_OF(X509) *chain = NULL;
	size_t n = json_array_size(list);
	int r = 0;

	if (n < 1 || n > SVID_CHAIN_MAX)
		return refuse(reterr, "spec.certificates: must be a list of 1 to %d certificates",
			      SVID_CHAIN_MAX);
	chain = sk_X509_new_null();
	if (!chain)
		return credential_fail(reterr, -ENOMEM, "out of memory");
	for (size_t i = 0; i < n && r == 0; i++)
		r = parse_certificate(json_array_get(list, i), i, chain, reterr);
	if (r == 0 && svid_new(chain, NULL, &record->svid, &why) < 0)
		r = refuse(reterr, "spec.certificates: %s", why.text);
	sk_X509_pop_free(chain, X509_free);
	return r;
}

static int parse_signature(const json_t *spec, struct node_record *record,
			   struct credential_error *reterr)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	size_t n = 0;
	int r = bytes_of(json_object_get(spec, "signature"), "spec.signature", NODE_SIGNATURE_MAX,
			 &bytes, &n, reterr);

	if (r < 0)
		return r;
	if (n == 0)
		return refuse(reterr, "spec.signature: is empty");
	memcpy(record->signature, bytes, n);
	record->signature_length = n;
	return 0;
}

static int parse_spec(const json_t *spec, struct node_record *record,
		      struct credential_error *reterr)
{
	json_int_t number = 0;
	int r = check_object(spec, "spec", spec_members, reterr);

	if (r == 0)
		r = parse_names(spec, record, reterr);
	if (r == 0)
		r = number_of(spec, "number", "spec", 1, UINT16_MAX, &number, reterr);
	if (r == 0)
		r = time_of(spec, "issued", "spec", &record->issued_ms, reterr);
	if (r == 0)
		r = parse_keys(spec, record, reterr);
	if (r == 0)
		r = parse_certificates(spec, record, reterr);
	if (r == 0)
		r = parse_signature(spec, record, reterr);
	record->number = number;
	return r;
}

/* ---- the document ---- */

/* The object's name is its number: that is what keeps two from having one. */
static int check_metadata(const json_t *root, const struct node_record *record,
			  struct credential_error *reterr)
{
	const json_t *metadata = json_object_get(root, "metadata");
	const char *name = NULL;
	char expected[8];
	int r = check_object(metadata, "metadata", metadata_members, reterr);

	if (r == 0)
		name = text_of(metadata, "name", "metadata", reterr);
	if (!name)
		return -EBADMSG;
	snprintf(expected, sizeof(expected), "%u", record->number);
	if (!streq(name, expected))
		return refuse(reterr, "metadata.name: is \"%.*s\", but spec.number is %s",
			      SHOWN_MAX, name, expected);
	return 0;
}

static int parse_root(const json_t *root, struct node_record *record,
		      struct credential_error *reterr)
{
	int r = check_object(root, "record", root_members, reterr);

	if (r == 0)
		r = fixed_of(root, "apiVersion", API_VERSION, reterr);
	if (r == 0)
		r = fixed_of(root, "kind", KIND, reterr);
	if (r == 0)
		r = parse_spec(json_object_get(root, "spec"), record, reterr);
	return r < 0 ? r : check_metadata(root, record, reterr);
}

enum node_flaw node_record_parse(const char *text, size_t length, struct node_record **ret,
				 struct credential_error *reterr)
{
	_cleanup_(node_record_freep) struct node_record *record = NULL;
	json_auto_t *root = NULL;
	json_error_t why;

	if (length > NODE_RECORD_BYTES_MAX) {
		refuse(reterr, "has more than %d bytes", NODE_RECORD_BYTES_MAX);
		return NODE_FLAW_MALFORMED;
	}
	root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &why);
	if (!root) {
		refuse(reterr, "line %d: no JSON: %s", why.line, why.text);
		return NODE_FLAW_MALFORMED;
	}
	record = calloc(1, sizeof(*record));
	if (!record) {
		credential_fail(reterr, -ENOMEM, "out of memory");
		return NODE_FLAW_MALFORMED;
	}
	if (parse_root(root, record, reterr) < 0)
		return NODE_FLAW_MALFORMED;
	*ret = TAKE_PTR(record);
	return NODE_FLAW_NONE;
}
