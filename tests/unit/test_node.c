/* SPDX-License-Identifier: Apache-2.0 */
#include "test_node.h"

#include <criterion/criterion.h>
#include <openssl/x509v3.h>

static long last_serial = 0x1000;

static EVP_PKEY *key_make(const char *algorithm)
{
	EVP_PKEY *key;

	if (streq(algorithm, "RSA"))
		key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
	else if (startswith(algorithm, "P-"))
		key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", algorithm);
	else
		key = EVP_PKEY_Q_keygen(NULL, NULL, algorithm);
	cr_assert_not_null(key, "%s", algorithm);
	return key;
}

static void extend(X509 *certificate, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	cr_assert_not_null(extension, "%s", value);
	X509_add_ext(certificate, extension, -1);
	X509_EXTENSION_free(extension);
}

struct shape {
	EVP_PKEY *key, *issuer_key;
	X509 *issuer; /* NULL: itself */
	const char *name, *usage, *constraints;
	char uri[256]; /* "URI:..." */
	int64_t not_before_s, not_after_s;
	long serial;
};

static X509 *certificate_make(const struct shape *shape)
{
	X509 *x = X509_new();

	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), shape->serial ? shape->serial : ++last_serial);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
				   (const unsigned char *)shape->name, -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(shape->issuer ? shape->issuer : x));
	ASN1_TIME_set(X509_getm_notBefore(x), shape->not_before_s);
	ASN1_TIME_set(X509_getm_notAfter(x), shape->not_after_s);
	X509_set_pubkey(x, shape->key);
	extend(x, NID_key_usage, shape->usage);
	extend(x, NID_basic_constraints, shape->constraints);
	extend(x, NID_subject_alt_name, shape->uri);
	cr_assert_gt(X509_sign(x, shape->issuer_key,
			       EVP_PKEY_is_a(shape->issuer_key, "ED25519") ? NULL : EVP_sha256()),
		     0);
	return x;
}

static void ca_make(const char *trust_domain, const struct node_ca *root, const char *name,
		    struct node_ca *ret)
{
	struct shape shape = {
		.key = key_make("P-256"),
		.name = name,
		.usage = "critical,keyCertSign,cRLSign",
		.constraints = "critical,CA:TRUE",
		.not_before_s = NOON_MS / 1000 - 365LL * 86400,
		.not_after_s = NOON_MS / 1000 + 365LL * 86400,
	};

	snprintf(shape.uri, sizeof(shape.uri), "URI:spiffe://%s", trust_domain);
	shape.issuer = root ? root->certificate : NULL;
	shape.issuer_key = root ? root->key : shape.key;
	*ret = (struct node_ca){ .key = shape.key, .certificate = certificate_make(&shape) };
}

void node_ca_make(const char *trust_domain, struct node_ca *ret)
{
	struct credential_error error = { "" };
	uint8_t *der = NULL;
	int n;

	ca_make(trust_domain, NULL, "CA", ret);
	n = i2d_X509(ret->certificate, &der);
	cr_assert_eq(bundle_from_der(trust_domain, der, n, &ret->bundle, &error), 0, "%s",
		     error.text);
	OPENSSL_free(der);
}

void node_ca_make_below(const struct node_ca *root, struct node_ca *ret)
{
	ca_make(root->bundle->trust_domain, root, "intermediate", ret);
}

void node_ca_done(struct node_ca *ca)
{
	EVP_PKEY_free(ca->key);
	X509_free(ca->certificate);
	bundle_free(ca->bundle);
	*ca = (struct node_ca){ NULL };
}

struct svid *node_svid_make(const struct node_ca *ca, const char *name,
			    const struct node_svid_options *options)
{
	static const struct node_svid_options usual;
	const struct node_svid_options *o = options ? options : &usual;
	const struct node_ca *issuer = o->through ? o->through : ca;
	struct shape shape = {
		.key = key_make(o->algorithm ? o->algorithm : "P-256"),
		.issuer_key = issuer->key,
		.issuer = issuer->certificate,
		.name = "node",
		.usage = "critical,digitalSignature",
		.constraints = "critical,CA:FALSE",
		.not_before_s = o->not_before_s ? o->not_before_s : NOON_MS / 1000 - 3600,
		.not_after_s = o->not_after_s ? o->not_after_s : NOON_MS / 1000 + 10 * 86400,
		.serial = o->serial,
	};
	STACK_OF(X509) *chain = sk_X509_new_null();
	struct credential_error error = { "" };
	struct svid *svid = NULL;

	snprintf(shape.uri, sizeof(shape.uri), "URI:spiffe://%s/countersign/node/%s",
		 ca->bundle->trust_domain, name);
	if (o->spiffe_id)
		snprintf(shape.uri, sizeof(shape.uri), "URI:%s", o->spiffe_id);
	sk_X509_push(chain, certificate_make(&shape));
	if (o->through) {
		X509_up_ref(o->through->certificate);
		sk_X509_push(chain, o->through->certificate);
	}
	cr_assert_eq(svid_new(chain, shape.key, &svid, &error), 0, "%s", error.text);
	sk_X509_pop_free(chain, X509_free);
	EVP_PKEY_free(shape.key);
	return svid;
}

struct node_record *node_record_make(const char *trust_domain)
{
	struct node_record *record = calloc(1, sizeof(*record));

	record->trust_domain = strdup(trust_domain);
	strcpy(record->name, "host-a");
	record->number = 7;
	record->issued_ms = NOON_MS;
	record->n_keys = 2;
	record->key[0] = (struct node_key){
		.parity = 1,
		.public_key = { 0x11, 0x22, 0x33 },
		.not_before_ms = NOON_MS,
		.active_ms = NOON_MS + 60000,
		.not_after_ms = NOON_MS + HOUR_MS,
	};
	record->key[1] = (struct node_key){
		.parity = 0,
		.public_key = { 0x44, 0x55, 0x66 },
		.not_before_ms = NOON_MS - HOUR_MS / 2,
		.active_ms = NOON_MS - HOUR_MS / 2 + 60000,
		.not_after_ms = NOON_MS + HOUR_MS / 2,
	};
	return record;
}

char *node_record_signed_text(struct node_record *record, const struct svid *svid)
{
	struct credential_error error = { "" };
	char *text;

	cr_assert_eq(node_record_sign(record, svid, &error), 0, "%s", error.text);
	text = node_record_format(record);
	cr_assert_not_null(text);
	return text;
}
